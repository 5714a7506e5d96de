// The tools of the other tests, tested: the schema refuses what is wrong, the
// guard holds connections back, and replies of all operations were seen.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { openStage } from './lib/stage.mjs';
import { operationOf, operations, problemsOfBody, problemsOfReply } from './lib/schema.mjs';
import { strangers } from './lib/loopback.mjs';
import { refusal } from './lib/check.mjs';
import { lua } from './lib/lua.mjs';

let stage;
before(async () => {
  stage = await openStage({ accounts: 300, retries: 0 });
});
after(() => stage.close());

const copy = value => JSON.parse(JSON.stringify(value));
const account = () => stage.plain('GET', '/connected_accounts/ca_github_u123A');
const wrong = (component, body, ...edits) =>
  edits.map(edit => {
    const spoilt = copy(body);
    edit(spoilt);
    return { edit: String(edit), problems: problemsOfBody(component, spoilt).length };
  });

test('an account that lacks, invents or mistypes something is refused', async () => {
  const body = await account();
  assert.deepEqual(problemsOfBody('Account', body), []);
  const must = [
    'id',
    'toolkit',
    'auth_config',
    'alias',
    'word_id',
    'status',
    'status_reason',
    'is_disabled',
    'created_at',
    'updated_at',
    'state',
    'data',
    'params',
  ];
  for (const name of must)
    assert.equal(wrong('Account', body, spoilt => delete spoilt[name])[0].problems > 0, true, name);
  const edits = wrong(
    'Account',
    body,
    it => (it.extra = 1),
    it => (it.id = 'con_1'),
    it => (it.status = 'PENDING'),
    it => (it.is_disabled = 'no'),
    it => (it.created_at = '2026-01-01'),
    it => (it.auth_config.auth_scheme = 'PASSKEY'),
    it => delete it.auth_config.is_composio_managed,
    it => (it.toolkit.logo = ''),
    it =>
      (it.experimental.acl_config_for_shared = {
        allow_all_users: true,
        allowed_user_ids: [],
        not_allowed_user_ids: [],
      }),
    it => (it.experimental.account_type = 'ALL'),
    it => (it.requested_scopes = 'repo'),
    it => (it.deprecated = { labels: [], uuid: '' }),
  );
  for (const { edit, problems } of edits) assert.ok(problems, edit);
  assert.ok(problemsOfBody('ListedAccount', body).length, 'params in a list item');
});

test('credentials: what each scheme and status needs', async () => {
  const seen = new Set();
  const all = [];
  for (let cursor = '1'; cursor;) {
    const page = await stage.plain(
      'GET',
      `/connected_accounts?account_type=ALL&limit=100&cursor=${encodeURIComponent(cursor)}`,
    );
    all.push(...page.items);
    cursor = page.next_cursor;
  }
  for (const { state } of all) {
    assert.deepEqual(problemsOfBody('State', state), []);
    seen.add(`${state.authScheme} ${state.val.status}`);
  }
  assert.ok(seen.size > 25, [...seen].join());
  const needs = {
    OAUTH2: 'access_token',
    OAUTH1: 'oauth_token',
    BASIC: 'username',
    BEARER_TOKEN: 'token',
    GOOGLE_SERVICE_ACCOUNT: 'credentials_json',
    DCR_OAUTH: 'client_id',
    S2S_OAUTH2: 'access_token',
    SERVICE_ACCOUNT: 'private_key',
  };
  for (const [scheme, field] of Object.entries(needs)) {
    const { state } = all.find(item => item.state.authScheme === scheme && item.status === 'ACTIVE');
    for (const { edit, problems } of wrong(
      'State',
      state,
      it => delete it.val[field],
      it => (it.val[field] = 5),
      it => (it.authScheme = 'PASSKEY'),
    )) {
      assert.ok(problems, `${scheme}: ${edit}`);
    }
  }
  const { state } = all.find(item => item.state.authScheme === 'OAUTH2' && item.status === 'INITIATED');
  assert.ok(wrong('State', state, it => delete it.val.redirectUrl)[0].problems);
  assert.ok(problemsOfBody('State', { authScheme: 'BASIC', val: { status: 'REVOKED' } }).length);
});

test('pages, errors and the small replies', async () => {
  const page = await stage.plain('GET', '/connected_accounts?limit=2');
  assert.deepEqual(problemsOfBody('AccountPage', page), []);
  for (const { edit, problems } of wrong(
    'AccountPage',
    page,
    it => delete it.total_items,
    it => (it.total_pages = '3'),
    it => (it.next_cursor = 5),
    it => (it.next_cursor = 'not base64!'),
    it => (it.items[1].status = 'x'),
  ))
    assert.ok(problems, edit);
  const error = { error: { message: 'm', code: 606, slug: 's', status: 404 } };
  assert.deepEqual(problemsOfBody('Error', error), []);
  for (const name of Object.keys(error.error))
    assert.ok(wrong('Error', error, it => delete it.error[name])[0].problems, name);
  assert.ok(problemsOfBody('RateLimited', error).length);
  assert.ok(problemsOfBody('Success', { success: true, account: {} }).length);
  assert.ok(problemsOfBody('Refreshed', { id: 'ca_github_u123A', status: 'ACTIVE' }).length);
});

test('statuses, headers and operations that nobody documents', async () => {
  const headers = {
    'content-type': 'application/json',
    'x-ratelimit': '1',
    'x-ratelimit-remaining': '1',
    'x-ratelimit-window-size': '60s',
  };
  const reply = {
    method: 'PATCH',
    target: '/api/v3.1/connected_accounts/ca_1/status?x=1',
    status: 200,
    headers,
    body: '{"success":true}',
  };
  assert.deepEqual(problemsOfReply(reply), []);
  assert.match(problemsOfReply({ ...reply, status: 204 })[0], /does not document status 204/);
  assert.match(problemsOfReply({ ...reply, method: 'PUT' })[0], /no operation of the schema/);
  assert.match(problemsOfReply({ ...reply, body: '<html>' })[0], /not JSON/);
  assert.match(problemsOfReply({ ...reply, body: '{}' })[0], /success/);
  for (const name of Object.keys(headers))
    assert.equal(problemsOfReply({ ...reply, headers: { ...headers, [name]: undefined } }).length, 1, name);
  const error = { error: { message: 'm', code: 1, slug: 's', status: 400 } };
  assert.match(
    problemsOfReply({ ...reply, status: 404, body: JSON.stringify(error) })[0],
    /error.status 400 in a reply of status 404/,
  );
  assert.equal(operationOf('GET', '/api/v3/auth_configs/ac_1'), 'GET /auth_configs/{id}');
});

test('what the proxy passes on is looked at', async () => {
  await stage.control('POST', 'faults', [
    { path: '/api/*', action: 'reply', status: 200, body: { items: [], total_pages: 0 } },
  ]);
  await stage.accounts.list();
  await stage.control('DELETE', 'faults');
  assert.equal(stage.problems.filter(problem => /must have required property 'total_items'/.test(problem)).length, 1);
  stage.problems.length = 0;
});

test('every operation of the schema answers so, through our module', async () => {
  const made = await stage.plain('POST', '/auth_configs', {
    toolkit: { slug: 'zoom' },
    auth_config: { type: 'use_custom_auth', authScheme: 'API_KEY', credentials: {} },
  });
  const chunks = [
    'return accounts.list()',
    'return accounts.get("ca_github_u123A")',
    'return accounts.disable("ca_github_u123A")',
    'return accounts.enable("ca_github_u123A")',
    'return accounts.update("ca_github_u123A", { alias = "x" })',
    'return accounts.refresh("ca_gmail_u123_C")',
    'return accounts.link("user_new", "ac_GithubManage")',
    `return accounts.initiate("user_new", ${lua(made.auth_config.id)}, { config = scheme.api_key { api_key = "k" } })`,
    'return accounts.revoke("ca_github_u123A")',
    'return accounts.revoke("ca_github_u123A")',
    'return accounts.delete("ca_github_u123A", { revoke = true })',
    'return configs.list()',
    'return configs.get("ac_GithubCustom")',
    'return configs.disable("ac_GithubCustom")',
    'return configs.enable("ac_GithubCustom")',
    'return configs.update("ac_GithubCustom", { type = "custom", credentials = { client_id = "i" } })',
  ];
  for (const chunk of chunks) assert.equal((await stage.lua(chunk)).ok, true, chunk);
  await stage.configs.create('github');
  await stage.configs.delete('ac_GithubCustom');
  await stage.composio.toolkits.get('github');
  await refusal(stage.accounts.get(''), { status: 404 });
  await refusal(stage.accounts.delete(''), { status: 404 });
  const seen = new Set(stage.exchanges.map(one => operationOf(one.method, one.target)));
  assert.deepEqual(
    Object.keys(operations).filter(name => !seen.has(name)),
    [],
  );
  assert.deepEqual(stage.problems, []);
});

test('a whole walk by our module fits the schema too', async () => {
  const before = stage.exchanges.length;
  const { value } = await stage.lua(
    'local n = 0 for account in accounts.each { account_type = "ALL" } do n = n + 1 end return n',
  );
  const { accounts } = await stage.control('GET', 'stats');
  assert.equal(value, accounts);
  const targets = stage.exchanges.slice(before).map(one => one.target);
  assert.ok(
    targets.length >= 3 && targets.every(target => /order_by=created_at&order_direction=asc&limit=100/.test(target)),
    targets.join(),
  );
  assert.deepEqual(stage.problems, []);
});

test('no connection leaves this machine', async () => {
  assert.deepEqual(strangers, []);
  await assert.rejects(fetch('http://192.0.2.1/'));
  await assert.rejects(fetch('http://composio.invalid/'));
  assert.deepEqual(strangers, ['192.0.2.1', 'composio.invalid']);
});
