// One emulator, a recording proxy before it, the SDK and our module as clients
// of the proxy. Every reply that is not a fault on order is held to the schema.
// Must not know: what is called.
import './loopback.mjs';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import path from 'node:path';
import { openProxy } from './proxy.mjs';
import { openLua } from './lua.mjs';
import { problemsOfReply } from './schema.mjs';

Object.assign(process.env, { TELEMETRY_DISABLED: 'true', NO_COLOR: '1', HOME: '/nonexistent' });
for (const name of Object.keys(process.env))
  if (/^COMPOSIO_(API_KEY|BASE_URL|CUSTOM|LOG)/.test(name)) delete process.env[name];

// What the SDK finds odd about a reply it only says on the console: kept here,
// so that a test can insist on silence.
export const warnings = [];
console.warn = console.error = (...words) => warnings.push(words.join(' '));

export const { Composio, AuthScheme, ...sdk } = await import('@composio/core');

export const build = path.resolve(process.env.COMPOSIO_BUILD ?? new URL('../../../build', import.meta.url).pathname);

function startEmulator(args) {
  const child = spawn(`${build}/composio-emulator`, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', code => reject(new Error(`composio-emulator ended with ${code}`)));
    readline.createInterface({ input: child.stdout }).once('line', line => resolve({ child, ...JSON.parse(line) }));
  });
}

// accounts, seed, args: the emulator's. retries: how often the clients repeat;
// undefined leaves both with what they ship with.
export async function openStage({ accounts = 300, seed = 1, args = [], retries } = {}) {
  const emulator = await startEmulator(['--accounts', String(accounts), '--seed', String(seed), ...args]);
  const exchanges = [];
  const problems = [];
  let strict = true;
  const proxy = await openProxy(emulator.url, exchange => {
    exchanges.push(exchange);
    if (strict) problems.push(...problemsOfReply(exchange));
  });

  async function control(method, where, body) {
    const reply = await fetch(`${emulator.url}/_emulator/${where}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${where}: ${reply.status} ${text}`);
    return /ndjson/.test(reply.headers.get('content-type'))
      ? text.split('\n').filter(Boolean).map(JSON.parse)
      : JSON.parse(text);
  }

  // The API without either client and past the proxy: to arrange and to look.
  async function plain(method, target, body) {
    const reply = await fetch(`${emulator.url}/api/v3.1${target}`, {
      method,
      headers: { 'x-api-key': emulator.api_key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const value = JSON.parse(await reply.text());
    if (!reply.ok) throw new Error(`${method} ${target}: ${JSON.stringify(value)}`);
    return value;
  }

  function client(options = {}) {
    const composio = new Composio({
      apiKey: emulator.api_key,
      baseURL: proxy.url,
      allowTracking: false,
      disableVersionCheck: true,
      ...options,
    });
    if (retries !== undefined) composio.client.maxRetries = retries;
    return composio;
  }

  const composio = client();
  let caller;
  let seen = 0;
  return {
    url: proxy.url,
    emulatorUrl: emulator.url,
    key: emulator.api_key,
    composio,
    accounts: composio.connectedAccounts,
    configs: composio.authConfigs,
    raw: composio.client,
    client,
    control,
    plain,
    exchanges,
    problems,
    // Faults on order are answers of no operation: not held to the schema.
    async withFaults(rules, work) {
      await control('POST', 'faults', rules);
      strict = false;
      try {
        return await work();
      } finally {
        strict = true;
        await control('DELETE', 'faults');
      }
    },
    lua(chunk) {
      caller ??= openLua({ build, url: proxy.url, key: emulator.api_key, retries: retries ?? 2 });
      return caller.call(chunk);
    },
    // The emulator's own log of what came since the last look.
    async requests() {
      const rows = await control('GET', `requests?since=${seen}`);
      if (rows.length) seen = rows.at(-1).seq;
      return rows;
    },
    async reset() {
      await control('POST', 'reset');
    },
    // The first account, in the order of ids' making, that the test accepts.
    async find(test) {
      for (let cursor = '1'; cursor;) {
        const page = await plain(
          'GET',
          `/connected_accounts?account_type=ALL&limit=100&order_direction=asc&cursor=${encodeURIComponent(cursor)}`,
        );
        const found = page.items.find(test);
        if (found) return found;
        cursor = page.next_cursor;
      }
      throw new Error(`no seeded account fits ${test}`);
    },
    async close() {
      await caller?.close();
      await proxy.close();
      emulator.child.removeAllListeners('exit');
      emulator.child.kill('SIGTERM');
      await new Promise(done => emulator.child.once('exit', done));
    },
  };
}
