// The SDK lists connected accounts: pages, every filter, orders, refusals.
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { openStage, sdk } from './lib/stage.mjs';
import { closing, refusal } from './lib/check.mjs';

const ACCOUNTS = 300;
const STATUSES = ['INITIALIZING', 'INITIATED', 'ACTIVE', 'FAILED', 'EXPIRED', 'INACTIVE', 'REVOKED'];
let stage;
let list;
let all;

before(async () => {
  stage = await openStage({ accounts: ACCOUNTS });
  list = options => stage.accounts.list(options);
});
after(() => stage.close());

async function walk(options) {
  const items = [];
  let pages = 0;
  let totalPages;
  let cursor;
  do {
    const page = await list({ ...options, cursor });
    items.push(...page.items);
    pages++;
    totalPages = page.totalPages;
    cursor = page.nextCursor;
  } while (cursor);
  assert.equal(pages, totalPages);
  assert.equal(new Set(items.map(item => item.id)).size, items.length);
  return items;
}

const ids = items => items.map(item => item.id).sort();

test('list() is one page of twenty private accounts in the SDK’s own shape', async () => {
  const page = await list();
  assert.equal(page.items.length, 20);
  assert.equal(page.nextCursor, 'Mi0yMA==');
  const counts = await stage.control('GET', 'stats');
  assert.equal(page.totalPages, Math.ceil((ACCOUNTS - counts.shared) / 20));
  for (const item of page.items) {
    assert.deepEqual(Object.keys(item.authConfig).sort(), ['authScheme', 'id', 'isComposioManaged', 'isDisabled']);
    assert.match(item.id, /^ca_[\w-]{12}$/);
    assert.match(item.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(item.updatedAt >= item.createdAt);
    assert.ok(item.wordId.startsWith(`${item.toolkit.slug}_`));
    assert.equal(item.state.authScheme, item.authConfig.authScheme);
    assert.equal(item.state.val.status, item.status);
    assert.equal(item.experimental.accountType, 'PRIVATE');
    assert.equal('params' in item, false);
  }
});

test('pages walked to the end hold each account once, by account type', async () => {
  const { shared } = await stage.control('GET', 'stats');
  all = await walk({ accountType: 'ALL', limit: 100 });
  assert.equal(all.length, ACCOUNTS);
  const privates = await walk({ limit: 37 });
  assert.equal(privates.length, ACCOUNTS - shared);
  assert.deepEqual(ids(await walk({ accountType: 'PRIVATE', limit: 100 })), ids(privates));
  const shares = await walk({ accountType: 'SHARED', limit: 3 });
  assert.equal(shares.length, shared);
  for (const item of shares) {
    assert.equal(item.experimental.accountType, 'SHARED');
    assert.deepEqual(Object.keys(item.experimental.aclConfigForShared), [
      'allowAllUsers',
      'allowedUserIds',
      'notAllowedUserIds',
    ]);
  }
  assert.deepEqual(ids([...privates, ...shares]), ids(all));
});

for (const status of STATUSES) {
  test(`statuses: ${status}`, async () => {
    const items = await walk({ accountType: 'ALL', statuses: [status], limit: 100 });
    assert.deepEqual(ids(items), ids(all.filter(item => item.status === status)));
    assert.notEqual(items.length, 0);
  });
}

test('values of one filter are alternatives, filters narrow each other', async () => {
  const wanted = {
    statuses: ['ACTIVE', 'EXPIRED'],
    toolkitSlugs: ['github', 'gmail', 'slack'],
    authConfigIds: ['ac_GithubCustom', 'ac_SlackManaged', 'ac_StripeApiKey'],
  };
  const fits = item =>
    wanted.statuses.includes(item.status) &&
    wanted.toolkitSlugs.includes(item.toolkit.slug) &&
    wanted.authConfigIds.includes(item.authConfig.id);
  const expected = ids(all.filter(fits));
  assert.ok(expected.length > 1 && expected.length < all.length);
  assert.deepEqual(ids(await walk({ ...wanted, accountType: 'ALL', limit: 5 })), expected);
  for (const name of Object.keys(wanted)) {
    const others = { ...wanted, [name]: undefined };
    assert.ok((await walk({ ...others, accountType: 'ALL', limit: 100 })).length > expected.length, name);
  }
});

test('user ids: plain, unicode and reserved characters find their accounts', async () => {
  const one = await list({ userIds: ['user_123'] });
  assert.deepEqual(ids(one.items), ['ca_github_u123A', 'ca_gmail_u123_C', 'ca_slack_u123_B']);
  for (const user of ['jösé 日本', '😀 team', 'a+b&c=d#e?f/g%', 'maria.lopez@example.com']) {
    assert.notEqual((await list({ userIds: [user] })).items.length, 0, user);
  }
  const two = await list({ userIds: ['jösé 日本', '😀 team'] });
  assert.deepEqual([...new Set(two.items.map(item => item.toolkit.slug))].sort(), ['gmail', 'notion']);
  assert.deepEqual((await list({ userIds: ['nobody'] })).items, []);
});

test('a comma in a user id makes two ids of it, so the wrong account is found', async () => {
  const page = await list({ userIds: ['smith, john'] });
  assert.deepEqual(
    page.items.map(item => item.authConfig.id),
    ['ac_GmailManaged'],
  );
});

test('an empty list, an empty value and null are no filter at all', async () => {
  const bare = ids((await list()).items);
  for (const none of [[], [''], null]) {
    assert.deepEqual(
      ids((await list({ userIds: none, statuses: none === null ? null : [], toolkitSlugs: none })).items),
      bare,
    );
  }
  assert.deepEqual(ids((await list({ limit: null, cursor: null })).items), bare);
});

test('order: newest first, by creation or by update', async () => {
  for (const orderBy of ['created_at', 'updated_at']) {
    const field = orderBy === 'created_at' ? 'createdAt' : 'updatedAt';
    const times = (await walk({ orderBy, limit: 100 })).map(item => item[field]);
    assert.deepEqual(times, [...times].sort().reverse());
  }
  const byCreation = await list({ orderBy: 'created_at' });
  assert.deepEqual(ids(byCreation.items), ids((await list()).items));
  assert.notDeepEqual(ids((await list({ orderBy: 'updated_at' })).items), ids(byCreation.items));
});

test('limit: as asked up to a hundred, silently no more', async () => {
  for (const limit of [1, 7, 100]) assert.equal((await list({ limit })).items.length, limit);
  const clamped = await list({ limit: 1000 });
  assert.equal(clamped.items.length, 100);
  assert.equal(clamped.nextCursor, 'Mi0xMDA=');
  assert.equal((await list({ cursor: '2' })).items.length, 20);
});

test('the cursor’s own limit wins, and past the end there is nothing', async () => {
  const second = await list({ cursor: 'Mi03', limit: 50 });
  assert.equal(second.items.length, 7);
  const past = await list({ cursor: Buffer.from('999-20').toString('base64') });
  assert.deepEqual([past.items, past.nextCursor], [[], null]);
});

test('the service refuses what it cannot read: BadRequestError with the details', async () => {
  for (const options of [{ limit: 0 }, { limit: -1.5 }, { cursor: 'garbage!' }]) {
    const error = await refusal(list(options), {
      status: 400,
      message: /^400 \{"error":\{"message":"Validation error/,
    });
    assert.equal(error.constructor.name, 'BadRequestError');
    assert.equal(error.error.error.errors.length, 1);
    assert.equal(error.error.error.code, 10400);
  }
});

test('the SDK refuses what it knows to be wrong before any request', async () => {
  await stage.requests();
  const wrong = [
    { limit: '10' },
    { statuses: ['PENDING'] },
    { userIds: 'user_123' },
    { orderBy: 'id' },
    { accountType: 'BOTH' },
  ];
  for (const options of wrong) {
    const error = await refusal(list(options), {
      name: 'ValidationError',
      code: 'TS-SDK::VALIDATION_ERROR',
      class: sdk.ValidationError,
      message: /^Failed to parse connected account list query: /,
    }).catch(raised => {
      throw new Error(`${JSON.stringify(options)}: ${raised.message}`);
    });
    assert.match(error.possibleFixes[0], /^\[invalid_(type|enum_value)\] /);
  }
  assert.deepEqual(await stage.requests(), []);
});

closing(() => [stage], {
  atLeast: 60,
  // the SDK’s schemas have no EXPIRED or FAILED SERVICE_ACCOUNT; the service has
  expected: [/Unsupported auth scheme.*\n.*"options":\["INITIALIZING","INITIATED","ACTIVE","INACTIVE"\]/],
});
