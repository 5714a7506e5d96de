// The SDK reads and changes single accounts: get, enable, disable, update,
// refresh, delete, updateAcl. Also what it leaves to its generated client.
import test, { after, before, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { openStage, sdk } from './lib/stage.mjs';
import { closing, refusal } from './lib/check.mjs';

let stage;
let accounts;
let raw;

before(async () => {
  stage = await openStage({ accounts: 300, retries: 0 });
  ({ accounts, raw } = stage);
});
beforeEach(() => stage.reset());
after(() => stage.close());

const GONE = 'ca_goneGONEgone';
const scheme = name => account => account.state.authScheme === name;
const having = (...tests) => stage.find(account => tests.every(one => one(account)));
const status = name => account => account.status === name;
const truth = id => stage.control('GET', `accounts/${id}`);

async function notFound(promise, id = GONE) {
  const error = await refusal(promise, { status: 404, name: 'Error' });
  assert.equal(error.constructor.name, 'NotFoundError');
  assert.equal(error.message, `404 ${JSON.stringify(error.error)}`);
  assert.equal(error.error.error.message, `Connected account "${id}" not found`);
  assert.equal(error.error.error.code, 606);
  assert.equal(error.error.error.slug, 'ConnectedAccount_ResourceNotFound');
}

test('get: each seeded account, of every scheme and status', async () => {
  const seen = new Set();
  for (let cursor = null; cursor !== undefined;) {
    const page = await accounts.list({ accountType: 'ALL', limit: 100, cursor });
    for (const item of page.items) {
      const account = await accounts.get(item.id);
      const { params, ...rest } = account;
      assert.deepEqual(rest, item);
      assert.equal(typeof params, 'object');
      seen.add(account.authConfig.authScheme).add(account.status);
      assert.equal(account.isDisabled, account.status === 'INACTIVE');
    }
    cursor = page.nextCursor ?? undefined;
  }
  assert.ok(seen.size >= 7 + 6, [...seen].join());
});

test('get: secrets are masked, and the owner is not told', async () => {
  const account = await accounts.get('ca_github_u123A');
  assert.equal(account.state.val.access_token, 'REDACTED');
  assert.equal(account.alias, 'work');
  assert.equal(account.toolkit.slug, 'github');
  assert.equal('userId' in account || 'user_id' in account, false);
});

test('an unknown id is the generated client’s NotFoundError everywhere', async () => {
  await notFound(accounts.get(GONE));
  await notFound(accounts.enable(GONE));
  await notFound(accounts.disable(GONE));
  await notFound(accounts.refresh(GONE));
  await notFound(accounts.delete(GONE));
  await notFound(accounts.updateAcl(GONE, { allowAllUsers: true }));
});

test('an empty id asks for the collection with a slash, which is no route', async () => {
  await refusal(accounts.get(''), { status: 404 });
  await refusal(accounts.delete(''), { status: 404 });
  const [get, remove] = await stage.requests();
  assert.deepEqual([get.method, get.path], ['GET', '/api/v3.1/connected_accounts/']);
  assert.deepEqual([remove.method, remove.path], ['DELETE', '/api/v3.1/connected_accounts/']);
  await refusal(accounts.get('..'), { message: /can't be safely passed/ });
  assert.deepEqual(await stage.requests(), []);
});

test('disable and enable: only {success: true}, the effect is on the next get', async () => {
  const { id } = await having(status('ACTIVE'), scheme('OAUTH2'));
  assert.deepEqual(await accounts.disable(id), { success: true });
  const off = await accounts.get(id);
  assert.deepEqual(
    [off.status, off.isDisabled, off.statusReason],
    ['INACTIVE', true, 'Connection status updated by user'],
  );
  assert.deepEqual(await accounts.disable(id), { success: true });
  assert.deepEqual(await accounts.enable(id), { success: true });
  const on = await accounts.get(id);
  assert.deepEqual([on.status, on.isDisabled, on.statusReason], ['ACTIVE', false, null]);
  assert.ok(on.updatedAt >= off.updatedAt);
});

test('update and updateStatus are enable and disable under other names', async () => {
  const { id } = await having(status('ACTIVE'));
  assert.deepEqual(await accounts.update(id, { enabled: false }), { success: true });
  assert.equal((await accounts.get(id)).status, 'INACTIVE');
  assert.deepEqual(await accounts.updateStatus(id, { enabled: true, reason: 'back' }), { success: true });
  assert.equal((await accounts.get(id)).status, 'ACTIVE');
  await refusal(accounts.update(id, { enabled: 'no' }), { class: sdk.ValidationError, name: 'ValidationError' });
});

for (const from of ['INITIALIZING', 'INITIATED', 'FAILED', 'EXPIRED', 'REVOKED']) {
  test(`enable from ${from} is a conflict and changes nothing`, async () => {
    const { id } = await having(status(from));
    const error = await refusal(accounts.enable(id), { status: 409 });
    assert.equal(error.constructor.name, 'ConflictError');
    assert.equal((await truth(id)).status, from);
  });
}

test('refresh: OAuth starts a new login for the same id, even of an ACTIVE account', async () => {
  for (const from of ['EXPIRED', 'ACTIVE']) {
    const { id } = await having(status(from), scheme('OAUTH2'));
    const result = await accounts.refresh(id);
    assert.deepEqual([result.id, result.status], [id, 'INITIATED']);
    assert.match(result.redirect_url, /^http:\/\/127\.0\.0\.1:\d+\//);
    const account = await accounts.get(id);
    assert.deepEqual([account.status, account.state.val.redirectUrl], ['INITIATED', result.redirect_url]);
  }
});

test('refresh: redirectUrl goes into the query and is where the login ends', async () => {
  const { id } = await having(status('EXPIRED'), scheme('OAUTH2'));
  await accounts.refresh(id, { redirectUrl: 'https://app.example/back?x=1&y=ü', validateCredentials: true });
  assert.equal((await accounts.get(id)).state.val.callback_url, 'https://app.example/back?x=1&y=ü');
  await refusal(accounts.refresh(id, { redirectUrl: 5 }), { class: sdk.ValidationError });
});

test('refresh: machine schemes heal at once, keys and passwords never', async () => {
  const service = await having(status('EXPIRED'), scheme('S2S_OAUTH2'));
  assert.deepEqual(await accounts.refresh(service.id), { id: service.id, status: 'ACTIVE', redirect_url: null });
  for (const name of ['API_KEY', 'BASIC', 'BEARER_TOKEN']) {
    const error = await refusal(accounts.refresh((await having(scheme(name), status('EXPIRED'))).id), { status: 409 });
    assert.equal(error.constructor.name, 'ConflictError');
  }
});

test('delete: gone for get, list and a second delete', async () => {
  const { id, user_id: user } = await having(status('ACTIVE'), account => account.user_id === 'user_123');
  assert.deepEqual(await accounts.delete(id), { success: true });
  await notFound(accounts.get(id), id);
  await notFound(accounts.delete(id), id);
  assert.equal(
    (await accounts.list({ userIds: [user] })).items.some(item => item.id === id),
    false,
  );
  assert.equal((await truth(id)).deleted, true);
});

test('delete of the generated client: revoke_on_delete answers with a job', async () => {
  const { id } = await having(status('ACTIVE'), scheme('OAUTH2'));
  const result = await raw.connectedAccounts.delete(id, { revoke_on_delete: true });
  assert.equal(result.success, true);
  assert.match(result.revoke_job_id, /^pj_/);
  const other = await having(status('ACTIVE'), scheme('OAUTH2'));
  assert.deepEqual(await raw.connectedAccounts.delete(other.id, { revoke_on_delete: false }), { success: true });
});

test('updateAcl: lists replace, [] clears, what is left out stays', async () => {
  const { id } = await having(account => account.experimental.account_type === 'SHARED', status('ACTIVE'));
  const acl = async () => (await accounts.get(id)).experimental.aclConfigForShared;
  for (const update of [accounts, stage.composio.experimental]) {
    const result = await update.updateAcl(id, {
      allowAllUsers: false,
      allowedUserIds: ['a', 'ü, b'],
      notAllowedUserIds: ['c'],
    });
    assert.deepEqual(result, { success: true, id, status: 'ACTIVE' });
    assert.deepEqual(await acl(), { allowAllUsers: false, allowedUserIds: ['a', 'ü, b'], notAllowedUserIds: ['c'] });
    await update.updateAcl(id, { allowedUserIds: [] });
    assert.deepEqual(await acl(), { allowAllUsers: false, allowedUserIds: [], notAllowedUserIds: ['c'] });
    await update.updateAcl(id, { allowAllUsers: true, notAllowedUserIds: [] });
    assert.deepEqual(await acl(), { allowAllUsers: true, allowedUserIds: [], notAllowedUserIds: [] });
  }
});

test('updateAcl: only of SHARED accounts, never of nothing, within its bounds', async () => {
  const { id } = await having(account => account.experimental.account_type === 'PRIVATE', status('ACTIVE'));
  const error = await refusal(accounts.updateAcl(id, { allowAllUsers: true }), {
    class: sdk.ComposioAclOnlyForSharedError,
    name: 'ComposioAclOnlyForSharedError',
    code: 'TS-SDK::ACL_ONLY_FOR_SHARED',
    statusCode: 400,
    message: /acl_config_for_shared is only valid on SHARED/,
  });
  assert.match(error.possibleFixes[0], /accountType: "SHARED"/);
  await stage.requests();
  const many = Array.from({ length: 1001 }, (_, n) => `user_${n}`);
  for (const acl of [
    {},
    { allowedUserIds: [''] },
    { allowedUserIds: many },
    { notAllowedUserIds: ['x'.repeat(257)] },
  ]) {
    await refusal(accounts.updateAcl(id, acl), { class: sdk.ValidationError });
  }
  assert.deepEqual(await stage.requests(), []);
  const shared = await having(account => account.experimental.account_type === 'SHARED');
  const full = { allowedUserIds: many.slice(1), notAllowedUserIds: ['x'.repeat(256)] };
  assert.equal((await accounts.updateAcl(shared.id, full)).success, true);
  assert.equal((await accounts.get(shared.id)).experimental.aclConfigForShared.allowedUserIds.length, 1000);
});

test('patch of the generated client: alias set, taken, cleared', async () => {
  const mine = await having(account => account.user_id === 'user_123' && account.alias === 'work');
  const other = await stage.plain('POST', '/connected_accounts/link', {
    auth_config_id: mine.auth_config.id,
    user_id: 'user_123',
  });
  const id = other.connected_account_id;
  const taken = await refusal(raw.connectedAccounts.patch(id, { alias: 'work' }), { status: 409 });
  assert.match(taken.error.error.message, /^Alias "work"/);
  assert.equal((await raw.connectedAccounts.patch(id, { alias: 'büro 日' })).success, true);
  assert.equal((await accounts.get(id)).alias, 'büro 日');
  await raw.connectedAccounts.patch(id, { alias: '' });
  assert.equal((await accounts.get(id)).alias, null);
});

test('patch of the generated client: credentials merge, null removes', async () => {
  const { id } = await having(scheme('BASIC'), status('ACTIVE'));
  const patch = val => raw.connectedAccounts.patch(id, { connection: { state: { authScheme: 'BASIC', val } } });
  assert.deepEqual(await patch({ username: 'new', password: 'secret' }), { success: true, id, status: 'ACTIVE' });
  assert.deepEqual((await truth(id)).state.val.password, 'secret');
  await patch({ password: null });
  const { val } = (await truth(id)).state;
  assert.deepEqual([val.username, 'password' in val], ['new', false]);
  await refusal(patch({ status: 'ACTIVE' }), { status: 400 });
  const wrong = { connection: { state: { authScheme: 'API_KEY', val: { api_key: 'k' } } } };
  await refusal(raw.connectedAccounts.patch(id, wrong), { status: 400 });
});

closing(() => [stage], {
  atLeast: 350,
  expected: [/Unsupported auth scheme.*\n.*"options":\["INITIALIZING","INITIATED","ACTIVE","INACTIVE"\]/],
});
