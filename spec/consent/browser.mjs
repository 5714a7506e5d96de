// A headless Chromium, driven through chromedriver's WebDriver HTTP API.
// Nothing of it is kept: its profile is a new directory and goes with it.
// Must not know: what is looked at.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
export const KEYS = { tab: '\uE004', enter: '\uE007' };

const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--window-size=900,700',
];

function startDriver(program, home) {
  const child = spawn(program, ['--port=0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.on('error', reject);
    child.on('exit', code => reject(new Error(`chromedriver ended with ${code}: ${text}`)));
    child.stdout.on('data', part => {
      text += part;
      const port = text.match(/started successfully on port (\d+)/)?.[1];
      if (port) resolve({ child, port });
    });
  });
}

export async function openBrowser({ driver = 'chromedriver', binary = process.env.CHROMIUM } = {}) {
  const home = await mkdtemp(path.join(os.tmpdir(), 'consent-'));
  const { child, port } = await startDriver(driver, home);
  const base = `http://127.0.0.1:${port}/session`;

  async function ask(method, where, body) {
    const reply = await fetch(base + where, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const { value } = await reply.json();
    if (!reply.ok) throw new Error(`${method} ${where}: ${value.error}: ${value.message}`);
    return value;
  }

  const options = { args: [...ARGUMENTS, `--user-data-dir=${home}/profile`] };
  if (binary) options.binary = binary;
  const { sessionId } = await ask('POST', '', {
    capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': options } },
  });
  const here = `/${sessionId}`;
  const id = element => element[ELEMENT];

  return {
    open: url => ask('POST', `${here}/url`, { url }),
    url: () => ask('GET', `${here}/url`),
    title: () => ask('GET', `${here}/title`),
    run: (script, ...args) => ask('POST', `${here}/execute/sync`, { script, args }),
    all: async selector =>
      (await ask('POST', `${here}/elements`, { using: 'css selector', value: selector })).map(id),
    active: async () => id(await ask('GET', `${here}/element/active`)),
    text: element => ask('GET', `${here}/element/${element}/text`),
    label: element => ask('GET', `${here}/element/${element}/computedlabel`),
    role: element => ask('GET', `${here}/element/${element}/computedrole`),
    click: element => ask('POST', `${here}/element/${element}/click`, {}),
    press: key =>
      ask('POST', `${here}/actions`, {
        actions: [{ type: 'key', id: 'keys', actions: [{ type: 'keyDown', value: key }, { type: 'keyUp', value: key }] }],
      }),
    // PNG bytes of what is on the screen.
    picture: async () => Buffer.from(await ask('GET', `${here}/screenshot`), 'base64'),
    async close() {
      await ask('DELETE', here);
      const ended = new Promise(done => child.once('exit', done));
      child.kill();
      await ended;
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
