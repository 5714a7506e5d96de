// Our module in stock lua5.4: one long-lived process that runs the chunks it is
// sent and says what came back. Also: JavaScript values as Lua source.
// Must not know: the SDK.
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import path from 'node:path';

const HERE = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const CALLER = path.join(HERE, '..', 'caller.lua');
const LUA = path.join(HERE, '..', '..', 'lua'); // Lua 5.4, whatever it is called

export function openLua({ build, url, key, retries }) {
  const child = spawn(LUA, [CALLER, String(retries)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // nothing of the caller's environment: no proxy, no key, no state of a user
    env: {
      PATH: process.env.PATH,
      ...(process.env.LUA && { LUA: process.env.LUA }),
      HOME: '/nonexistent',
      LUA_CPATH: `${build}/?.so;;`,
      COMPOSIO_API_KEY: key,
      COMPOSIO_BASE_URL: url,
    },
  });
  const waiting = [];
  let gone = null;
  const lines = readline.createInterface({ input: child.stdout });
  lines.on('line', line => waiting.shift()?.resolve(JSON.parse(line)));
  const end = reason => {
    gone ??= new Error(`caller.lua ended: ${reason}`);
    while (waiting.length) waiting.shift().reject(gone);
  };
  child.on('error', end);
  child.stdin.on('error', end);
  child.on('exit', (code, signal) => end(signal ?? code));
  return {
    // Runs the chunk; {ok: true, value} or {ok: false, error}.
    call: chunk =>
      new Promise((resolve, reject) => {
        if (gone) return reject(gone);
        waiting.push({ resolve, reject });
        child.stdin.write(JSON.stringify(chunk) + '\n');
      }),
    close: () =>
      new Promise(done => {
        if (gone) return done();
        child.once('exit', done);
        child.stdin.end();
      }),
  };
}

function text(value) {
  return '"' + value.replace(/[\x00-\x1f"\\\x7f]/g, c => '\\' + String(c.charCodeAt(0)).padStart(3, '0')) + '"';
}

// A value as Lua source: undefined is left out, null is composio.null, an empty
// list stays a list.
export function lua(value) {
  if (value === null) return 'composio.null';
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) {
    return value.length ? `{ ${value.map(lua).join(', ')} }` : 'composio.array {}';
  }
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => `${/^[a-z_]\w*$/i.test(name) ? name : `[${text(name)}]`} = ${lua(field)}`);
  return fields.length ? `{ ${fields.join(', ')} }` : '{}';
}
