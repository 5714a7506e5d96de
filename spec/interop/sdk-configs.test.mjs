// The SDK manages auth configs: list, get, create, update, enable, disable,
// delete, and what each does to the accounts of the config.
import test, { after, before, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { openStage, sdk } from './lib/stage.mjs';
import { closing, refusal } from './lib/check.mjs';

let stage;
let configs;

before(async () => {
  stage = await openStage({ accounts: 300, retries: 0 });
  ({ configs } = stage);
});
beforeEach(() => stage.reset());
after(() => stage.close());

const GONE = 'ac_goneGONEgone';
const SCHEMES = [
  'OAUTH2',
  'OAUTH1',
  'API_KEY',
  'BASIC',
  'BILLCOM_AUTH',
  'BEARER_TOKEN',
  'GOOGLE_SERVICE_ACCOUNT',
  'NO_AUTH',
  'BASIC_WITH_JWT',
  'CALCOM_AUTH',
  'SERVICE_ACCOUNT',
  'SAML',
  'DCR_OAUTH',
  'S2S_OAUTH2',
];

async function walk(options) {
  const items = [];
  for (let cursor; cursor !== null;) {
    const page = await configs.list({ ...options, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}
const ids = items => items.map(item => item.id).sort();

test('list: the enabled ones, twenty a page; all of them when asked', async () => {
  const shown = await walk({});
  assert.ok(shown.every(item => item.status === 'ENABLED'));
  const all = await walk({ showDisabled: true, limit: 3 });
  assert.equal(all.length, 21);
  assert.deepEqual(
    ids(all).filter(id => !ids(shown).includes(id)),
    ['ac_JiraDisabled'],
  );
  assert.equal((await configs.list({ showDisabled: true })).items.length, 20);
  assert.equal((await configs.list({ showDisabled: true })).nextCursor, 'Mi0yMA==');
});

test('list: by toolkit, one or several in one string; by owner; by text', async () => {
  assert.deepEqual(ids((await configs.list({ toolkit: 'github' })).items), [
    'ac_GithubAppSvc',
    'ac_GithubCustom',
    'ac_GithubManage',
  ]);
  assert.deepEqual(
    [...new Set((await configs.list({ toolkit: 'github,slack' })).items.map(item => item.toolkit.slug))].sort(),
    ['github', 'slack'],
  );
  const managed = (await configs.list({ isComposioManaged: true, limit: 50 })).items;
  assert.ok(managed.length > 2 && managed.every(item => item.isComposioManaged));
  const custom = (await configs.list({ isComposioManaged: false, limit: 50 })).items;
  assert.ok(custom.length > 2 && custom.every(item => !item.isComposioManaged));
  assert.deepEqual(ids((await configs.list({ search: 'own app', toolkit: 'gmail' })).items), ['ac_GmailCustom_']);
  assert.deepEqual((await configs.list({ search: 'no such name' })).items, []);
});

test('list: what the SDK refuses is a bare ZodError, what the service refuses a BadRequestError', async () => {
  await refusal(configs.list({ limit: 'ten' }), { name: 'ZodError' });
  await refusal(configs.list({ cursor: 'garbage!' }), { status: 400 });
});

test('get: every config, in the shape of the list', async () => {
  for (const item of await walk({ showDisabled: true, limit: 50 })) {
    const config = await configs.get(item.id);
    assert.deepEqual(config, item);
    assert.ok(Number.isInteger(config.noOfConnections));
    assert.ok(SCHEMES.includes(config.authScheme));
  }
});

test('get: a client id is shown, a client secret is not', async () => {
  const { credentials } = await configs.get('ac_GithubCustom');
  assert.equal(credentials.client_id, 'client-emulated');
  assert.match(credentials.client_secret, /^(REDACTED|.{4}\.\.\.)$/);
});

test('an unknown id is a NotFoundError everywhere', async () => {
  for (const verb of ['get', 'delete', 'enable', 'disable', 'update']) {
    const error = await refusal(configs[verb](GONE, verb === 'update' ? { type: 'custom' } : undefined), {
      status: 404,
    });
    assert.equal(error.constructor.name, 'NotFoundError');
    assert.equal(error.error.error.slug, 'AuthConfig_ResourceNotFound');
  }
});

test('create: by default on Composio’s own app', async () => {
  const made = await configs.create('github');
  assert.deepEqual({ ...made, id: '' }, { id: '', authScheme: 'OAUTH2', isComposioManaged: true, toolkit: 'github' });
  const config = await configs.get(made.id);
  assert.deepEqual([config.status, config.noOfConnections, config.name], ['ENABLED', 0, 'GitHub Auth Config']);
  const named = await configs.create('github', {
    type: 'use_composio_managed_auth',
    name: 'mine',
    credentials: { scopes: ['repo'] },
  });
  assert.equal((await configs.get(named.id)).name, 'mine');
  assert.deepEqual((await configs.get(named.id)).credentials.scopes, ['repo']);
});

for (const scheme of SCHEMES) {
  test(`create: custom, ${scheme}`, async () => {
    const made = await configs.create('zoom', {
      type: 'use_custom_auth',
      name: `custom ${scheme} ü`,
      authScheme: scheme,
      credentials: { client_id: 'id', client_secret: 'secret' },
      proxyConfig: { proxyUrl: 'https://proxy.example', proxyAuthKey: 'proxy-key' },
      toolAccessConfig: { toolsForConnectedAccountCreation: ['ZOOM_GET_ME'] },
      isEnabledForToolRouter: false,
    });
    assert.deepEqual({ ...made, id: '' }, { id: '', authScheme: scheme, isComposioManaged: false, toolkit: 'zoom' });
    const config = await configs.get(made.id);
    assert.deepEqual(
      [config.name, config.authScheme, config.isEnabledForToolRouter],
      [`custom ${scheme} ü`, scheme, false],
    );
    assert.deepEqual(config.toolAccessConfig.toolsForConnectedAccountCreation, ['ZOOM_GET_ME']);
    assert.notEqual(config.credentials.client_secret, 'secret');
  });
}

test('create: refused for toolkits without auth, without an app, or unknown', async () => {
  const none = await refusal(configs.create('composio'), { status: 400 });
  assert.equal(none.error.error.slug, 'Auth_Config_NoAuthApp');
  assert.equal(
    none.error.error.message,
    'Cannot create an auth config for toolkit "composio" because it does not require authentication.',
  );
  await refusal(configs.create('stripe'), { status: 400 });
  await refusal(configs.create('nosuchtoolkit'), { status: 404 });
  await stage.requests();
  for (const options of [
    {},
    { type: 'other' },
    { type: 'use_custom_auth' },
    { type: 'use_custom_auth', authScheme: 'MAGIC', credentials: {} },
  ]) {
    await refusal(configs.create('github', options), {
      class: sdk.ValidationError,
      code: 'TS-SDK::VALIDATION_ERROR',
      message: /^Failed to parse auth config create options: /,
    });
  }
  assert.deepEqual(await stage.requests(), []);
});

test('update: a custom config’s credentials merge, [] clears', async () => {
  await configs.update('ac_GithubCustom', { type: 'custom', credentials: { scopes: ['repo', 'user'], extra: 'yes' } });
  const merged = (await configs.get('ac_GithubCustom')).credentials;
  assert.deepEqual([merged.client_id, merged.scopes, merged.extra], ['client-emulated', ['repo', 'user'], 'yes']);
  await configs.update('ac_GithubCustom', { type: 'custom', credentials: { scopes: [] } });
  const cleared = (await configs.get('ac_GithubCustom')).credentials;
  assert.deepEqual(['scopes' in cleared, cleared.extra], [false, 'yes']);
});

test('update: a managed config’s scopes and tools', async () => {
  const result = await configs.update('ac_GithubManage', {
    type: 'default',
    scopes: 'repo',
    isEnabledForToolRouter: false,
    toolAccessConfig: { toolsAvailableForExecution: ['GITHUB_GET_REPO'] },
  });
  assert.equal(result.success, true);
  const config = await configs.get('ac_GithubManage');
  assert.deepEqual([config.credentials.scopes, config.isEnabledForToolRouter], ['repo', false]);
  assert.deepEqual(config.toolAccessConfig.toolsAvailableForExecution, ['GITHUB_GET_REPO']);
});

test('update: the type must be the config’s; the SDK knows the two types', async () => {
  await refusal(configs.update('ac_GithubCustom', { type: 'default' }), { status: 400 });
  await refusal(configs.update('ac_GithubCustom', { type: 'other' }), {
    class: sdk.ValidationError,
    message: /^Failed to parse auth config update data: /,
  });
});

test('disable turns its ACTIVE connections INACTIVE, enable turns those back', async () => {
  const of = async status =>
    (
      await stage.accounts.list({
        authConfigIds: ['ac_GithubCustom'],
        accountType: 'ALL',
        statuses: [status],
        limit: 100,
      })
    ).items;
  const active = ids(await of('ACTIVE'));
  const inactive = ids(await of('INACTIVE'));
  assert.ok(active.length && inactive.length);
  for (const off of [
    () => configs.disable('ac_GithubCustom'),
    () => configs.updateStatus('DISABLED', 'ac_GithubCustom'),
  ]) {
    assert.equal((await off()).success, true);
    assert.equal((await configs.get('ac_GithubCustom')).status, 'DISABLED');
    assert.deepEqual(await of('ACTIVE'), []);
    const turned = (await of('INACTIVE')).filter(item => active.includes(item.id));
    assert.equal(turned.length, active.length);
    for (const item of turned)
      assert.deepEqual([item.statusReason, item.authConfig.isDisabled], ['Auth config is disabled', true]);
    assert.equal((await configs.enable('ac_GithubCustom')).success, true);
    assert.deepEqual(ids(await of('ACTIVE')), active);
    assert.deepEqual(ids(await of('INACTIVE')), inactive);
  }
  await configs.updateStatus('ENABLED', 'ac_JiraDisabled');
  assert.equal((await configs.get('ac_JiraDisabled')).status, 'ENABLED');
});

test('delete takes the config and its accounts', async () => {
  const { items } = await stage.accounts.list({ authConfigIds: ['ac_StripeApiKey'] });
  assert.notEqual(items.length, 0);
  const result = await configs.delete('ac_StripeApiKey');
  assert.deepEqual([result.success, result.revoke_job_id], [true, undefined]);
  await refusal(configs.get('ac_StripeApiKey'), { status: 404 });
  await refusal(stage.accounts.get(items[0].id), { status: 404 });
  const revoking = await stage.raw.authConfigs.delete('ac_GithubCustom', { revoke_on_delete: true });
  assert.match(revoking.revoke_job_id, /^pj_/);
});

closing(() => [stage], { atLeast: 110 });
