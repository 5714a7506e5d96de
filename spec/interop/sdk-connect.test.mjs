// The SDK makes connections: link, initiate with each AuthScheme helper, and
// waiting for them.
import test, { after, before, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { openStage, sdk, AuthScheme } from './lib/stage.mjs';
import { closing, refusal, said } from './lib/check.mjs';

let stage;
let old; // as of January 2026: create on managed OAuth still works, announced as ending
let accounts;

before(async () => {
  stage = await openStage({ accounts: 100, retries: 0 });
  old = await openStage({ accounts: 100, retries: 0, args: ['--legacy'] });
  accounts = stage.accounts;
});
beforeEach(() => Promise.all([stage.reset(), old.reset()]));
after(() => Promise.all([stage.close(), old.close()]));

const truth = id => stage.control('GET', `accounts/${id}`);
const act = (id, verb) => stage.control('POST', `accounts/${id}/${verb}`);
const posts = async () => (await stage.requests()).filter(row => row.method === 'POST').length;

test('link: a request with an id, a page to open, and a status of its own', async () => {
  const request = await accounts.link('user_new', 'ac_GithubManage', { callbackUrl: 'https://app.example/back?a=1' });
  assert.match(request.id, /^ca_/);
  assert.equal(request.status, 'INITIATED');
  assert.match(request.redirectUrl, /^http:\/\/127\.0\.0\.1:\d+\/link\/lk_[\w-]{12}$/);
  assert.deepEqual(request.toJSON(), { id: request.id, status: 'INITIATED', redirectUrl: request.redirectUrl });
  assert.equal(request.toString(), JSON.stringify(request.toJSON(), null, 2));
  const account = await accounts.get(request.id);
  assert.equal(account.status, 'INITIALIZING');
  assert.equal(account.experimental.accountType, 'PRIVATE');
  assert.equal((await truth(request.id)).user_id, 'user_new');
});

test('link: completed by the user, the wait ends with the account', async () => {
  const request = await accounts.link('user_new', 'ac_GithubManage');
  const waiting = request.waitForConnection(20000);
  await new Promise(later => setTimeout(later, 300));
  await act(request.id, 'complete');
  const account = await waiting;
  assert.deepEqual([account.id, account.status, account.toolkit.slug], [request.id, 'ACTIVE', 'github']);
  assert.equal(request.toJSON().status, 'ACTIVE');
});

test('link: alias and sharing arrive', async () => {
  const acl = { allowAllUsers: false, allowedUserIds: ['a', 'b'], notAllowedUserIds: ['c'] };
  const request = await accounts.link('user_new', 'ac_SlackManaged', {
    alias: 'work',
    experimental: { accountType: 'SHARED', aclConfigForShared: acl },
  });
  const account = await accounts.get(request.id);
  assert.equal(account.alias, 'work');
  assert.deepEqual(account.experimental, { accountType: 'SHARED', aclConfigForShared: acl });
  const closed = await accounts.link('user_two', 'ac_SlackManaged', { experimental: { accountType: 'SHARED' } });
  assert.deepEqual((await accounts.get(closed.id)).experimental.aclConfigForShared, {
    allowAllUsers: false,
    allowedUserIds: [],
    notAllowedUserIds: [],
  });
  const plain = await accounts.link('user_three', 'ac_SlackManaged', { experimental: {} });
  assert.equal((await accounts.get(plain.id)).experimental.accountType, 'PRIVATE');
});

for (const verb of ['link', 'initiate']) {
  test(`${verb}: an ACTIVE account of this user and auth config stops it, unless many are allowed`, async () => {
    await stage.requests();
    const config = 'ac_StripeApiKey';
    const options = { config: AuthScheme.APIKey({ api_key: 'k' }) };
    const error = await refusal(accounts[verb]('user_456', config, verb === 'link' ? {} : options), {
      class: sdk.ComposioMultipleConnectedAccountsError,
      name: 'ComposioMultipleConnectedAccountsError',
      code: 'TS-SDK::MULTIPLE_CONNECTED_ACCOUNTS',
      message: `Multiple connected accounts found for user user_456 in auth config ${config}. Please use the allowMultiple option to allow multiple connected accounts.`,
    });
    assert.match(error.possibleFixes[0], /allowMultiple/);
    assert.equal(await posts(), 0);
    const request = await accounts[verb]('user_456', config, {
      ...(verb === 'link' ? {} : options),
      allowMultiple: true,
    });
    assert.match(request.id, /^ca_/);
    assert.match(said().join(), /\[Warn:AllowMultiple\] Multiple connected accounts found for user user_456/);
    assert.equal(await posts(), 1);
  });
}

test('link: whatever the service refuses is one error, its reason the cause', async () => {
  const fields = {
    class: sdk.ComposioFailedToCreateConnectedAccountLink,
    name: 'ComposioFailedToCreateConnectedAccountLink',
    code: 'TS-SDK::FAILED_TO_CREATE_CONNECTED_ACCOUNT_LINK',
    message: 'Failed to create connected account link',
  };
  const missing = await refusal(accounts.link('user_new', 'ac_nobody'), fields);
  assert.deepEqual([missing.statusCode, missing.cause.status], [undefined, 404]);
  // '' is no filter for the check before it, which so finds anybody's account
  const nameless = await refusal(accounts.link('', 'ac_GithubManage', { allowMultiple: true }), fields);
  assert.match(said().join(), /Multiple connected accounts found for user  in/);
  assert.deepEqual([nameless.statusCode, nameless.cause.status], [400, 400]);
  await accounts.link('user_new', 'ac_GithubManage', { alias: 'work' });
  const taken = await refusal(accounts.link('user_new', 'ac_GithubManage', { alias: 'work' }), fields);
  assert.match(taken.cause.message, /Alias \\"work\\" is already used/);
  const disabled = await refusal(accounts.link('user_new', 'ac_JiraDisabled'), fields);
  assert.equal(disabled.cause.status, 400);
});

test('link: an ACL without SHARED has an error of its own', async () => {
  const error = await refusal(
    accounts.link('user_new', 'ac_GithubManage', { experimental: { aclConfigForShared: {} } }),
    {
      class: sdk.ComposioAclOnlyForSharedError,
      code: 'TS-SDK::ACL_ONLY_FOR_SHARED',
      statusCode: 400,
    },
  );
  assert.equal(error.cause.status, 400);
});

test('link: options of the wrong type never leave', async () => {
  await stage.requests();
  for (const options of [{ callbackUrl: 1 }, { allowMultiple: 'yes' }, { experimental: { accountType: 'ALL' } }]) {
    await refusal(accounts.link('user_new', 'ac_GithubManage', options), {
      class: sdk.ValidationError,
      message: /^Failed to parse create connected account link options: /,
    });
  }
  assert.deepEqual(await stage.requests(), []);
});

// Each helper: what it takes, the scheme it makes, and how the account begins.
const KEYS = {
  access_token: 'tok-1234',
  refresh_token: 'ref-1234',
  token_type: 'Bearer',
  expires_in: 3600,
  scope: 'a b',
};
const HELPERS = [
  ['OAuth2', {}, 'OAUTH2', 'INITIATED'],
  ['OAuth2', KEYS, 'OAUTH2', 'ACTIVE'],
  ['OAuth2', { access_token: 'tok-1234', status: 'INITIALIZING' }, 'OAUTH2', 'INITIATED'],
  ['OAuth1', { oauth_token: 'a' }, 'OAUTH1', 'INITIATED'],
  ['OAuth1', { oauth_token: 'tok-a', oauth_token_secret: 'sec-b' }, 'OAUTH1', 'ACTIVE'],
  ['APIKey', { api_key: 'key-1234' }, 'API_KEY', 'ACTIVE'],
  ['APIKey', { generic_api_key: 'key-1234', base_url: 'https://eu.example' }, 'API_KEY', 'ACTIVE'],
  ['Basic', { username: 'üser', password: 'pass' }, 'BASIC', 'ACTIVE'],
  ['BearerToken', { token: 'tok-1234' }, 'BEARER_TOKEN', 'ACTIVE'],
  ['GoogleServiceAccount', { credentials_json: '{"type":"service_account"}' }, 'GOOGLE_SERVICE_ACCOUNT', 'ACTIVE'],
  ['NoAuth', undefined, 'NO_AUTH', 'ACTIVE'],
  ['BasicWithJWT', { username: 'u', password: 'p' }, 'BASIC_WITH_JWT', 'ACTIVE'],
  ['CalcomAuth', undefined, 'CALCOM_AUTH', 'ACTIVE'],
  ['BillcomAuth', { sessionId: 's', devKey: 'd' }, 'BILLCOM_AUTH', 'ACTIVE'],
];

test('initiate is tried with every helper there is', () => {
  const helpers = Object.getOwnPropertyNames(AuthScheme).filter(name => typeof AuthScheme[name] === 'function');
  assert.deepEqual([...new Set(HELPERS.map(([name]) => name))].sort(), helpers.sort());
});

for (const [helper, fields, scheme, begins] of HELPERS) {
  test(`initiate: AuthScheme.${helper}(${JSON.stringify(fields) ?? ''}) begins ${begins}`, async () => {
    const made = await stage.configs.create('zoom', { type: 'use_custom_auth', authScheme: scheme, credentials: {} });
    assert.equal(made.authScheme, scheme);
    const request = await accounts.initiate('user_new', made.id, {
      callbackUrl: 'https://app.example/back',
      alias: 'made',
      config: AuthScheme[helper](fields),
    });
    assert.equal(request.status, begins);
    assert.equal(typeof request.redirectUrl, begins === 'ACTIVE' ? 'object' : 'string');
    const account = await accounts.get(request.id);
    assert.deepEqual([account.status, account.alias, account.state.authScheme], [begins, 'made', scheme]);
    const { val } = (await truth(request.id)).state;
    for (const [name, value] of Object.entries(fields ?? {}))
      if (name !== 'status') assert.deepEqual(val[name], value, name);
    if (begins === 'ACTIVE') assert.equal((await request.waitForConnection(1000)).id, request.id);
  });
}

test('initiate: a plain OAuth redirect needs no config', async () => {
  const request = await accounts.initiate('user_new', 'ac_GithubCustom', { callbackUrl: 'https://app.example/back' });
  assert.equal(request.status, 'INITIATED');
  assert.equal((await accounts.get(request.id)).state.val.redirectUrl, request.redirectUrl);
});

test('initiate: what is missing or does not fit is a BadRequestError', async () => {
  const wrong = [
    ['ac_StripeApiKey', AuthScheme.APIKey({})],
    ['ac_TwilioBasic_', AuthScheme.Basic({})],
    ['ac_StripeApiKey', AuthScheme.Basic({ username: 'u', password: 'p' })],
    ['ac_ZendeskOAuth', AuthScheme.OAuth2({})],
  ];
  for (const [config, state] of wrong) {
    const error = await refusal(accounts.initiate('user_new', config, { config: state }), { status: 400 });
    assert.equal(error.constructor.name, 'BadRequestError');
  }
  const field = await accounts.initiate('user_new', 'ac_ZendeskOAuth', {
    config: AuthScheme.OAuth2({ subdomain: 'example' }),
  });
  assert.equal((await accounts.get(field.id)).state.val.subdomain, 'example');
  await refusal(accounts.initiate('user_new', 'ac_nobody'), { status: 404 });
});

test('initiate on Composio’s own OAuth app: retired, with the way out', async () => {
  const error = await refusal(accounts.initiate('user_new', 'ac_GithubManage'), {
    class: sdk.ComposioLegacyConnectedAccountsEndpointRetiredError,
    name: 'ComposioLegacyConnectedAccountsEndpointRetiredError',
    code: 'TS-SDK::LEGACY_CONNECTED_ACCOUNTS_ENDPOINT_RETIRED',
    statusCode: 400,
    message: /no longer supported\. Use POST \/api\/v3\/connected_accounts\/link instead/,
  });
  assert.match(error.possibleFixes[0], /connectedAccounts\.link/);
  assert.equal(error.cause.error.error.slug, 'ConnectedAccount_BadRequest');
});

test('initiate there, before the retirement: it works and is announced', async () => {
  const request = await old.accounts.initiate('user_new', 'ac_GithubManage');
  assert.equal(request.status, 'INITIATED');
  assert.match(said().join(), /\[Deprecation\] composio\.connectedAccounts\.initiate\(\) will stop/);
  const { headers } = old.exchanges.at(-1);
  assert.match(headers.deprecation, /^@\d+$/);
  assert.equal(headers.sunset, 'Fri, 03 Jul 2026 00:00:00 GMT');
  await old.accounts.initiate('user_new', 'ac_StripeApiKey', { config: AuthScheme.APIKey({ api_key: 'k' }) });
  assert.equal(old.exchanges.at(-1).headers.deprecation, undefined);
});

test('toolkits.authorize takes the retired way for a managed toolkit', async () => {
  await refusal(stage.composio.toolkits.authorize('user_new', 'notion'), {
    class: sdk.ComposioLegacyConnectedAccountsEndpointRetiredError,
  });
});

// ---- waiting ----

const gets = async () => (await stage.requests()).filter(row => row.method === 'GET').length;
const inStatus = async status => (await stage.find(account => account.status === status)).id;

test('wait: ACTIVE already is one request', async () => {
  const id = await inStatus('ACTIVE');
  assert.equal((await accounts.waitForConnection(id)).id, id);
  assert.equal((await stage.requests()).filter(row => row.path.endsWith(id)).length, 1);
});

for (const status of ['FAILED', 'EXPIRED', 'REVOKED']) {
  test(`wait: ${status} is an end, told with its reason`, async () => {
    const id = await inStatus(status);
    const { status_reason: reason } = await truth(id);
    await stage.requests();
    await refusal(accounts.waitForConnection(id), {
      class: sdk.ConnectionRequestFailedError,
      name: 'ConnectionRequestFailedError',
      code: 'TS-SDK::CONNECTION_REQUEST_FAILED',
      message: `Connection request failed with status: ${status}, reason: ${reason}`,
      meta: { connectedAccountId: id, status, statusReason: reason },
    });
    assert.equal(await gets(), 1);
  });
}

for (const status of ['INITIALIZING', 'INITIATED', 'INACTIVE']) {
  test(`wait: ${status} is no end; the deadline is`, async () => {
    const id = await inStatus(status);
    await stage.requests();
    await refusal(accounts.waitForConnection(id, 0), {
      class: sdk.ConnectionRequestTimeoutError,
      name: 'ConnectionRequestTimeoutError',
      code: 'TS-SDK::CONNECTION_REQUEST_TIMEOUT',
      message: `Connection request timed out for ${id}`,
    });
    assert.equal(await gets(), 1);
  });
}

test('wait: one look, another at once, then one a second', async () => {
  const id = await inStatus('INITIATED');
  await stage.requests();
  await refusal(accounts.waitForConnection(id, 1500), { name: 'ConnectionRequestTimeoutError' });
  assert.equal(await gets(), 3);
});

test('wait: denied and timed out logins', async () => {
  const denied = await accounts.link('user_new', 'ac_GithubManage');
  await act(denied.id, 'deny');
  await refusal(denied.waitForConnection(), {
    message: /FAILED, reason: OAuth callback failed during token exchange$/,
  });
  const late = await accounts.link('user_new', 'ac_GithubManage');
  await stage.control('POST', 'clock/advance', { seconds: 601 });
  await refusal(late.waitForConnection(), {
    message: /EXPIRED, reason: Connection initiation did not complete within 10 minutes$/,
  });
});

test('wait: not found is an error of its own at the first look', async () => {
  const error = await refusal(accounts.waitForConnection('ca_goneGONEgone'), {
    class: sdk.ComposioConnectedAccountNotFoundError,
    name: 'ComposioConnectedAccountNotFoundError',
    code: 'TS-SDK::CONNECTED_ACCOUNT_NOT_FOUND',
    statusCode: 404,
    message: 'Connected account with id ca_goneGONEgone not found',
  });
  assert.match(error.possibleFixes[0], /exists and is active/);
});

test('wait: not found later is the plain NotFoundError', async () => {
  const { id } = await accounts.link('user_new', 'ac_GithubManage');
  const waiting = accounts.waitForConnection(id, 20000);
  const refused = refusal(waiting, { status: 404, name: 'Error' });
  await new Promise(later => setTimeout(later, 300));
  await stage.plain('DELETE', `/connected_accounts/${id}`);
  await refused;
});

closing(() => [stage, old], { atLeast: 140 });
