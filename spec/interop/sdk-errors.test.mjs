// How the SDK fails: keys, limits, retries, cancellation, and replies of all
// kinds, ordered from the emulator as faults.
import test, { after, before, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { Composio, openStage, sdk } from './lib/stage.mjs';
import { closing, refusal, said } from './lib/check.mjs';

let stage; // both clients as shipped: two retries
let narrow; // three requests a minute

before(async () => {
  stage = await openStage({ accounts: 40 });
  narrow = await openStage({ accounts: 40, retries: 0, args: ['--rate-limit', '3'] });
});
beforeEach(() => stage.reset());
after(() => Promise.all([stage.close(), narrow.close()]));

const PATH = '/api/v3.1/connected_accounts*';
const fault = (rule, work) => stage.withFaults([{ path: PATH, ...rule }], work);
const reply = (status, body, extra = {}) => ({ action: 'reply', status, body, ...extra });
const envelope = (status, message) => ({ error: { message, code: 1, slug: 'Ordered', status } });
const count = async () => (await stage.requests()).length;

test('no key: an error before any request', async () => {
  await refusal(
    (async () => new Composio({ apiKey: null, baseURL: stage.url, disableVersionCheck: true, allowTracking: false }))(),
    {
      class: sdk.ComposioNoAPIKeyError,
      name: 'ComposioNoAPIKeyError',
      code: 'TS-SDK::NO_API_KEY_PROVIDED',
      statusCode: 401,
    },
  );
  assert.match(said().join(), /ERROR {2}No Composio API key provided/);
});

test('a wrong key: AuthenticationError in the standard envelope', async () => {
  const stranger = stage.client({ apiKey: 'ak_wrong' });
  const error = await refusal(stranger.connectedAccounts.list(), {
    status: 401,
    message: /^401 \{"error":\{"message":"Invalid API key"/,
  });
  assert.equal(error.constructor.name, 'AuthenticationError');
  assert.equal(error.error.error.slug, 'HTTP_Unauthorized');
});

test('two credentials at once are refused', async () => {
  const both = stage.client({ defaultHeaders: { 'x-user-api-key': stage.key } });
  const error = await refusal(both.connectedAccounts.list(), { status: 401 });
  assert.match(error.error.error.message, /^Multiple authentication modes were provided/);
});

test('the rate limit: RateLimitError with the message at the top of the body', async () => {
  for (const left of ['2', '1', '0']) {
    await narrow.accounts.list({ limit: 1 });
    const { headers } = narrow.exchanges.at(-1);
    assert.deepEqual([headers['x-ratelimit'], headers['x-ratelimit-remaining']], ['3', left]);
  }
  const error = await refusal(narrow.accounts.list({ limit: 1 }), {
    status: 429,
    message: '429 Rate limit exceeded. Limit: 3 requests per 1 minutes',
  });
  assert.equal(error.constructor.name, 'RateLimitError');
  const wait = Number(narrow.exchanges.at(-1).headers['retry-after']);
  assert.ok(wait > 0 && wait <= 60, `Retry-After ${wait}`);
  await narrow.control('POST', 'clock/advance', { seconds: 61 });
  assert.equal((await narrow.accounts.list({ limit: 1 })).items.length, 1);
});

const CLASSES = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  403: 'PermissionDeniedError',
  404: 'NotFoundError',
  422: 'UnprocessableEntityError',
  402: 'APIError',
  410: 'APIError',
  413: 'APIError',
  418: 'APIError',
};
for (const [status, name] of Object.entries(CLASSES)) {
  test(`a reply of ${status} is a ${name}, asked for once`, async () => {
    const body = envelope(Number(status), 'ordered');
    await fault(reply(Number(status), body), async () => {
      const error = await refusal(stage.accounts.list(), {
        status: Number(status),
        message: `${status} ${JSON.stringify(body)}`,
      });
      assert.equal(error.constructor.name, name);
    });
    assert.equal(await count(), 1);
  });
}

for (const [status, name] of [
  [409, 'ConflictError'],
  [500, 'InternalServerError'],
  [501, 'InternalServerError'],
  [503, 'InternalServerError'],
]) {
  test(`a reply of ${status} is a ${name}, asked for three times`, async () => {
    await fault(reply(status, envelope(status, 'ordered'), { headers: { 'retry-after-ms': '10' } }), async () => {
      const error = await refusal(stage.accounts.list(), { status });
      assert.equal(error.constructor.name, name);
    });
    const rows = await stage.requests();
    assert.deepEqual(
      rows.map(row => row.headers['x-stainless-retry-count']),
      ['0', '1', '2'],
    );
  });
}

test('a POST is sent again too, so a link may exist twice', async () => {
  const rule = {
    path: '*/link',
    action: 'apply_then_reply',
    status: 500,
    body: envelope(500, 'ordered'),
    times: 1,
    headers: { 'retry-after-ms': '10' },
  };
  await stage.withFaults([rule], () => stage.accounts.link('user_new', 'ac_GithubManage'));
  const { items } = await stage.accounts.list({ userIds: ['user_new'] });
  assert.equal(items.length, 2);
});

test('a DELETE whose reply is lost answers 404 to its own repetition', async () => {
  const { id } = await stage.find(account => account.status === 'ACTIVE');
  const rule = { method: 'DELETE', action: 'apply_then_close', times: 1 };
  await fault(rule, () => refusal(stage.accounts.delete(id), { status: 404 }));
});

test('the service decides on retries with x-should-retry', async () => {
  await fault(reply(503, envelope(503, 'ordered'), { headers: { 'x-should-retry': 'false' } }), () =>
    refusal(stage.accounts.list(), { status: 503 }),
  );
  assert.equal(await count(), 1);
  await fault(
    reply(400, envelope(400, 'ordered'), { headers: { 'x-should-retry': 'true', 'retry-after-ms': '10' }, times: 1 }),
    () => stage.accounts.list(),
  );
  assert.equal(await count(), 2);
});

test('bodies that are no envelope: text, nothing, a page, half a reply', async () => {
  await fault(reply(400, 'plain words', { content_type: 'text/plain' }), () =>
    refusal(stage.accounts.list(), { status: 400, message: '400 plain words' }),
  );
  await fault(reply(400, ''), () =>
    refusal(stage.accounts.list(), { status: 400, message: '400 status code (no body)' }),
  );
  await fault({ action: 'garbage' }, () => refusal(stage.accounts.list(), { name: 'SyntaxError' }));
});

test('a status and a scheme of the future pass, the SDK says so and hands them on', async () => {
  await fault({ action: 'unknown_status', status_name: 'PAUSED' }, async () => {
    const page = await stage.accounts.list();
    assert.equal(page.items[0].status, 'PAUSED');
  });
  assert.match(said().join(), /Transform validation failed:\n {2}- status: Invalid enum value/);
});

test('connections that close: APIConnectionError after three tries', async () => {
  await fault({ action: 'close' }, async () => {
    const error = await refusal(stage.accounts.list(), { message: 'Connection error.' });
    assert.equal(error.constructor.name, 'APIConnectionError');
  });
  assert.equal(await count(), 3);
});

test('cancelled by the caller: an error that says so', async () => {
  const stop = AbortSignal.timeout(50);
  await fault({ action: 'delay', delay_ms: 400 }, async () => {
    await refusal(stage.accounts.list({}, { signal: stop }), {
      class: sdk.ComposioRequestCancelledError,
      name: 'ComposioRequestCancelledError',
      code: 'TS-SDK::REQUEST_CANCELLED',
    });
    await refusal(stage.accounts.link('user_new', 'ac_GithubManage', {}, { signal: stop }), {
      class: sdk.ComposioRequestCancelledError,
    });
  });
});

test('the old versions of the API are gone', async () => {
  for (const target of ['/api/v1/connectedAccounts', '/api/v2/connectedAccounts']) {
    assert.equal((await fetch(stage.emulatorUrl + target, { headers: { 'x-api-key': stage.key } })).status, 410);
  }
  const [older, newer] = await Promise.all(
    ['v3', 'v3.1'].map(version =>
      fetch(`${stage.emulatorUrl}/api/${version}/connected_accounts`, { headers: { 'x-api-key': stage.key } }).then(
        answer => answer.text(),
      ),
    ),
  );
  assert.equal(older, newer);
});

closing(() => [stage, narrow], { atLeast: 40 });
