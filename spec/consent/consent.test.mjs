// The consent page in a browser: a Lua script makes a link and waits; somebody
// allows, denies, or does nothing. Run by spec/consent/run.sh.
// Must not know: how the page is written.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { KEYS, openBrowser } from './browser.mjs';

const build = path.resolve(process.env.COMPOSIO_BUILD ?? new URL('../../build', import.meta.url).pathname);
const WAIT = new URL('wait.lua', import.meta.url).pathname;
const LUA = new URL('../lua', import.meta.url).pathname; // Lua 5.4, whatever it is called
const USER = 'jösé <b>&"日本';
const CONFIG = 'ac_GithubCustom';

let emulator;
let browser;
let app; // whose callback URL it is
const visits = [];

// Waits until the browser has come back to the application: the script may hear of the end of
// a login before it.
async function comesBack() {
  for (let i = 0; i < 100 && visits.length === 0; i++) await new Promise(done => setTimeout(done, 50));
  assert.equal(visits.length, 1);
}

// A click returns before the browser has loaded what it leads to.
async function titleBecomes(pattern) {
  for (let i = 0; i < 100 && !pattern.test(await browser.title()); i++) await new Promise(done => setTimeout(done, 50));
  assert.match(await browser.title(), pattern);
}

function startEmulator() {
  const child = spawn(`${build}/composio-emulator`, ['--accounts', '20'], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', code => reject(new Error(`composio-emulator ended with ${code}`)));
    readline.createInterface({ input: child.stdout }).once('line', line => resolve({ child, ...JSON.parse(line) }));
  });
}

async function control(where, body = {}) {
  const reply = await fetch(`${emulator.url}/_emulator/${where}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.ok(reply.ok, `${where}: ${reply.status}`);
}

// The Lua script: {id, url} once it has its link, and ended: its last word.
async function startScript(callback = [`${app.url}/back?from=test#end`]) {
  const child = spawn(LUA, [WAIT, USER, CONFIG, ...callback], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      ...(process.env.LUA && { LUA: process.env.LUA }),
      HOME: '/nonexistent',
      LUA_CPATH: `${build}/?.so;;`,
      COMPOSIO_API_KEY: emulator.api_key,
      COMPOSIO_BASE_URL: emulator.url,
    },
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = (await lines.next()).value;
  assert.ok(first, 'the script made no link');
  const [id, url] = first.split(' ');
  return { id, url, child, ended: lines.next().then(({ value }) => value ?? '') };
}

const isWaiting = script => script.child.exitCode === null;

async function buttons() {
  const labels = {};
  for (const element of await browser.all('button')) labels[await browser.label(element)] = element;
  return labels;
}

before(async () => {
  emulator = await startEmulator();
  const server = http.createServer((request, reply) => {
    if (request.url.startsWith('/back')) visits.push(request.url);
    reply.setHeader('content-type', 'text/html');
    reply.end('<!doctype html><html lang="en"><title>Back in the application</title>');
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  app = { server, url: `http://127.0.0.1:${server.address().port}` };
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  app?.server.closeAllConnections();
  app?.server.close();
  emulator?.child.removeAllListeners('exit');
  emulator?.child.kill();
});

test('the page names toolkit and user', async () => {
  const script = await startScript();
  await browser.open(script.url);
  const text = await browser.run('return document.body.innerText');
  assert.match(text, /GitHub/);
  assert.ok(text.includes(USER), text);
  if (process.env.CONSENT_PICTURE) await writeFile(process.env.CONSENT_PICTURE, await browser.picture());
  script.child.kill();
});

test('the page is accessible and needs nothing from elsewhere', async () => {
  const script = await startScript();
  await browser.open(script.url);
  assert.equal(await browser.run('return document.documentElement.lang'), 'en');
  assert.equal(await browser.title(), 'Connect GitHub');
  assert.equal((await browser.all('h1')).length, 1);
  assert.equal(await browser.run('return document.querySelector("h1").innerText'), 'Connect GitHub');
  assert.equal((await browser.all('main')).length, 1);
  const found = await buttons();
  assert.deepEqual(Object.keys(found), ['Allow', 'Deny']);
  for (const element of Object.values(found)) assert.equal(await browser.role(element), 'button');
  assert.equal((await browser.all('script, link, img, iframe, [src], [href]')).length, 0);
  assert.equal(await browser.run('return performance.getEntriesByType("resource").length'), 0);
  // WCAG's smallest target, and no sideways scrolling at any width that opens
  for (const element of Object.values(found)) {
    const box = await browser.run(
      'const box = [...document.querySelectorAll("button")].find(b => b.innerText === arguments[0]).getBoundingClientRect(); return [box.width, box.height]',
      await browser.text(element),
    );
    assert.ok(box[0] >= 44 && box[1] >= 44, `button of ${box}`);
  }
  assert.ok(await browser.run('return document.documentElement.scrollWidth <= window.innerWidth'));
  script.child.kill();
});

test('allowed: wait_for_connection returns ACTIVE, the browser is back', async () => {
  const script = await startScript();
  await browser.open(script.url);
  assert.ok(isWaiting(script));
  visits.length = 0;
  await browser.click((await buttons()).Allow);
  assert.equal(await script.ended, `connected ${script.id} ACTIVE`);
  assert.equal(await browser.title(), 'Back in the application');
  const query = `from=test&status=success&connected_account_id=${script.id}`;
  await comesBack();
  assert.deepEqual(visits, [`/back?${query}`]);
  assert.equal(await browser.url(), `${app.url}/back?${query}#end`);
});

test('denied: FAILED, and the application is told', async () => {
  const script = await startScript();
  await browser.open(script.url);
  visits.length = 0;
  await browser.click((await buttons()).Deny);
  const last = await script.ended;
  assert.match(last, /^refused ConnectionRequestFailedError /);
  assert.match(last, /FAILED/);
  await comesBack();
  assert.match(visits[0], /[?&]status=failed&/);
  assert.ok(visits[0].includes(`connected_account_id=${script.id}`));
});

test('left alone for ten minutes: EXPIRED, and the page says so', async () => {
  const script = await startScript();
  await browser.open(script.url);
  assert.ok(isWaiting(script));
  await control('clock/advance', { seconds: 601 });
  const last = await script.ended;
  assert.match(last, /^refused ConnectionRequestFailedError /);
  assert.match(last, /EXPIRED/);
  visits.length = 0;
  await browser.click((await buttons()).Allow);
  await titleBecomes(/no longer valid/);
  assert.deepEqual(visits, []);
  await browser.open(script.url);
  await titleBecomes(/no longer valid/);
});

test('a second use of the link is refused', async () => {
  const script = await startScript();
  await browser.open(script.url);
  await browser.click((await buttons()).Allow);
  await script.ended;
  await browser.open(script.url);
  await titleBecomes(/no longer valid/);
  assert.deepEqual(await buttons(), {});
});

test('by keyboard alone', async () => {
  const script = await startScript();
  await browser.open(script.url);
  await browser.press(KEYS.tab);
  assert.equal(await browser.label(await browser.active()), 'Allow');
  await browser.press(KEYS.tab);
  assert.equal(await browser.label(await browser.active()), 'Deny');
  const outline = await browser.run('return getComputedStyle(document.activeElement).outlineStyle');
  assert.notEqual(outline, 'none');
  await browser.press(KEYS.enter);
  assert.match(await script.ended, /FAILED/);

  const other = await startScript();
  await browser.open(other.url);
  await browser.press(KEYS.tab);
  await browser.press(KEYS.enter);
  assert.equal(await other.ended, `connected ${other.id} ACTIVE`);
});

test('without a callback the page itself says what became of it', async () => {
  const script = await startScript([]);
  await browser.open(script.url);
  await browser.click((await buttons()).Allow);
  assert.equal(await script.ended, `connected ${script.id} ACTIVE`);
  assert.equal(await browser.title(), 'Connected');
  const [status] = await browser.all('[role=status]');
  assert.match(await browser.text(status), /close this window/);
});
