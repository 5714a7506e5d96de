// The same call twice: as users of the SDK write it and as ours do. `raw` is
// the SDK's generated client, for what its own methods cannot say. Each pair is
// made on two emulators of the same seed, just reset, so ids are the same too.
// Must not know: how the requests are compared.
import { AuthScheme } from './lib/stage.mjs';
import { lua } from './lib/lua.mjs';

export const calls = [];
const pair = (group, name, sdk, ours, arrange) => calls.push({ group, name, sdk, lua: ours, arrange });

const snake = options =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/[A-Z]/g, c => `_${c.toLowerCase()}`), value]),
  );

function* subsets(names) {
  for (let bits = 0; bits < 1 << names.length; bits++) yield names.filter((_, place) => bits & (1 << place));
}

// ---- list: every filter alone and with every other ----

const list = (name, options, group = 'list') =>
  pair(group, name, s => s.accounts.list(options), `accounts.list ${lua(snake(options))}`);

pair('list', 'list()', s => s.accounts.list(), 'accounts.list()');
const FILTERS = {
  authConfigIds: ['ac_GithubCustom', 'ac_StripeApiKey'],
  cursor: 'Mi0y',
  limit: 2,
  orderBy: 'updated_at',
  statuses: ['ACTIVE', 'EXPIRED'],
  toolkitSlugs: ['github', 'stripe', 'slack'],
  userIds: ['user_123', 'user_456'],
  accountType: 'ALL',
};
for (const names of subsets(Object.keys(FILTERS))) {
  list(
    names.join('+') || 'no filter',
    Object.fromEntries(names.map(name => [name, FILTERS[name]])),
    'list, filters combined',
  );
}
const STATUSES = ['INITIALIZING', 'INITIATED', 'ACTIVE', 'FAILED', 'EXPIRED', 'INACTIVE', 'REVOKED'];
for (const status of STATUSES) list(`statuses ${status}`, { statuses: [status] });
list('all statuses', { statuses: STATUSES });
list('all statuses, the other way round', { statuses: [...STATUSES].reverse() });
for (const accountType of ['PRIVATE', 'SHARED', 'ALL']) list(`account type ${accountType}`, { accountType });
for (const orderBy of ['created_at', 'updated_at']) list(`order by ${orderBy}`, { orderBy });
for (const limit of [1, 19, 20, 21, 99, 100, 101, 1000, 2147483648, Number.MAX_SAFE_INTEGER])
  list(`limit ${limit}`, { limit });
for (const cursor of ['2', 'Mi0yMA==', 'MTAtMTAw', 'garbage!', 'a b+c/d=&é']) list(`cursor ${cursor}`, { cursor });
pair('list', 'a null cursor is none', s => s.accounts.list({ cursor: null }), 'accounts.list { cursor = nil }');
list('one of each', { authConfigIds: ['ac_1'], statuses: ['ACTIVE'], toolkitSlugs: ['GitHub'], userIds: ['u'] });
list('a hundred ids', { userIds: Array.from({ length: 100 }, (_, n) => `user_${n}`) });
list('the same twice', { userIds: ['u', 'u'] });

// Our each against the loop that a careful user of the generated client writes.
const WALKS = [{}, { accountType: 'ALL' }, { statuses: ['ACTIVE'], accountType: 'ALL' }, { userIds: ['user_123'] }];
for (const filter of WALKS) {
  const walk = async s => {
    const order = { ...snake(filter), order_by: 'created_at', order_direction: 'asc', limit: 100 };
    const ids = [];
    for (let cursor; cursor !== null;) {
      const page = await s.raw.connectedAccounts.list({ ...order, cursor });
      ids.push(...page.items.map(item => item.id));
      cursor = page.next_cursor ?? null;
    }
    return ids;
  };
  const chunk = `(function() local ids = {} for account in accounts.each ${lua(snake(filter))} do ids[#ids + 1] = account.id end return ids end)()`;
  pair('list, all pages', `each ${JSON.stringify(filter)}`, walk, chunk);
}

// ---- what is escaped, and how ----

const PRINTABLE = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n));
for (const c of PRINTABLE.filter(c => c !== ','))
  list(`user id with '${c}'`, { userIds: [`a${c}b`, `${c}`] }, 'query, byte by byte');
const WORDS = [
  'jösé 日本',
  '😀 team',
  'ünï',
  'a+b&c=d#e?f/g%',
  'smith; john',
  '%2C',
  '%',
  '100%25',
  '.',
  '..',
  ' ',
  'x '.repeat(100),
  '\u00a0',
  '\ufeff',
  'é',
  'e\u0301',
  '\u2028\u2029',
  '𝒳',
  "jösé 日本+&=#?/%@example.com~!*()'-._",
  '\u200b',
  'maria.lopez@example.com',
];
for (const word of WORDS) list(`user id ${JSON.stringify(word)}`, { userIds: [word] }, 'query, words');
list(
  'unicode in every filter',
  { userIds: ['ü', '日'], authConfigIds: ['ac_ü'], toolkitSlugs: ['gît hub'] },
  'query, words',
);
for (const c of PRINTABLE.slice(1)) {
  pair(
    'path, byte by byte',
    `get an id with '${c}'`,
    s => s.accounts.get(`ca_x${c}y`),
    `accounts.get(${lua(`ca_x${c}y`)})`,
  );
}
for (const id of ['x', '...', ":@!$&'()*+,;=~", 'ca_-l3FzWqTw58L', 'ca__Xq7PzzK2m-v', 'con_1']) {
  pair('path, words', `get '${id}'`, s => s.accounts.get(id), `accounts.get(${lua(id)})`);
}

// ---- one account ----

const ID = 'ca_github_u123A'; // ACTIVE, OAUTH2, on Composio's own app
const MISSING = 'ca_goneGONEgone';
for (const id of [ID, MISSING]) {
  const own = JSON.stringify(id);
  pair('account', `get ${id}`, s => s.accounts.get(id), `accounts.get(${own})`);
  pair('account', `enable ${id}`, s => s.accounts.enable(id), `accounts.enable(${own})`);
  pair('account', `disable ${id}`, s => s.accounts.disable(id), `accounts.disable(${own})`);
  pair('account', `update ${id} to enabled`, s => s.accounts.update(id, { enabled: true }), `accounts.enable(${own})`);
  pair(
    'account',
    `update ${id} to disabled`,
    s => s.accounts.update(id, { enabled: false }),
    `accounts.disable(${own})`,
  );
  pair(
    'account',
    `updateStatus ${id}`,
    s => s.accounts.updateStatus(id, { enabled: false }),
    `accounts.disable(${own})`,
  );
  pair('account', `delete ${id}`, s => s.accounts.delete(id), `accounts.delete(${own})`);
  for (const revoke of [true, false]) {
    pair(
      'account',
      `delete ${id}, revoke ${revoke}`,
      s => s.raw.connectedAccounts.delete(id, { revoke_on_delete: revoke }),
      `accounts.delete(${own}, { revoke = ${revoke} })`,
    );
  }
  pair('account', `refresh ${id}`, s => s.accounts.refresh(id), `accounts.refresh(${own}, { even_if_active = true })`);
}
pair(
  'account',
  'disable by method',
  async s => (await s.accounts.get(ID), s.accounts.disable(ID)),
  `accounts.get(${lua(ID)}):disable()`,
);
pair(
  'account',
  'delete by method',
  async s => (await s.accounts.get(ID), s.accounts.delete(ID)),
  `accounts.get(${lua(ID)}):delete()`,
);
pair(
  'account',
  'a reason stays here',
  s => s.accounts.disable(ID),
  `accounts.disable(${lua(ID)}, { reason = "idle" })`,
);
const URLS = [
  'https://app.example/callback',
  'https://app.example/callback?user=1&next=%2Fhome#top',
  'http://localhost:3000/',
  'myapp://done',
  'https://ünïcode.example/ü?ä=ö',
  "https://app.example/a,b;c='d'(e)*!~",
  'https://app.example/with space',
  'not a url',
  'x'.repeat(2000),
];
for (const url of URLS) {
  pair(
    'refresh, redirect URLs',
    `refresh to ${url.slice(0, 60)}`,
    s => s.accounts.refresh(ID, { redirectUrl: url }),
    `accounts.refresh(${lua(ID)}, { even_if_active = true, redirect_url = ${lua(url)} })`,
  );
}

// ---- patches ----

const SHARED = account => account.experimental.account_type === 'SHARED';
const shared = async stage => ({ id: (await stage.find(SHARED)).id });
const LISTS = { allowAllUsers: true, allowedUserIds: ['a', 'ü, b', '"q"\\'], notAllowedUserIds: ['c'] };
for (const names of [...subsets(Object.keys(LISTS))].slice(1)) {
  const acl = Object.fromEntries(names.map(name => [name, LISTS[name]]));
  pair(
    'ACL',
    `updateAcl ${names}`,
    (s, w) => s.accounts.updateAcl(w.id, acl),
    w => `accounts.update(${lua(w.id)}, { acl = ${lua(snake(acl))} })`,
    shared,
  );
  pair(
    'ACL',
    `updateAcl ${names} of a PRIVATE account`,
    s => s.accounts.updateAcl(ID, acl),
    `accounts.update(${lua(ID)}, { acl = ${lua(snake(acl))} })`,
  );
}
for (const acl of [
  { allowAllUsers: false },
  { allowedUserIds: [] },
  { notAllowedUserIds: [] },
  { allowedUserIds: [], notAllowedUserIds: [] },
]) {
  pair(
    'ACL',
    `updateAcl ${JSON.stringify(acl)}`,
    (s, w) => s.accounts.updateAcl(w.id, acl),
    w => `accounts.update(${lua(w.id)}, { acl = ${lua(snake(acl))} })`,
    shared,
  );
}
pair(
  'ACL',
  'a thousand users',
  (s, w) => s.accounts.updateAcl(w.id, { allowedUserIds: Array(1000).fill('u') }),
  w =>
    `accounts.update(${lua(w.id)}, { acl = { allowed_user_ids = (function() local t = {} for i = 1, 1000 do t[i] = "u" end return t end)() } })`,
  shared,
);

const patch = (name, body, ours) =>
  pair('patch', name, s => s.raw.connectedAccounts.patch(ID, body), `accounts.update(${lua(ID)}, ${ours})`);
for (const alias of ['work', '', 'büro 日', '=SUM(A1)', 'quote " back \\ slash /', ' x '])
  patch(`alias ${JSON.stringify(alias)}`, { alias }, lua({ alias }));
const CREDENTIALS = [
  ['BEARER_TOKEN', { token: 'tok-ü' }],
  ['API_KEY', { api_key: 'k', generic_api_key: null }],
  ['BASIC', { username: 'u', password: 'p "q"' }],
  ['BASIC_WITH_JWT', { username: 'u', password: 'p' }],
  ['GOOGLE_SERVICE_ACCOUNT', { credentials_json: '{"type":"service_account","n":1}' }],
  ['SERVICE_ACCOUNT', { application_id: '1', installation_id: '2', private_key: '-----BEGIN\\n' }],
];
for (const [authScheme, val] of CREDENTIALS) {
  const state = { authScheme, val };
  patch(`credentials ${authScheme}`, { connection: { state } }, lua({ credentials: state }));
  const suits = async stage => ({
    id: (
      await stage
        .find(account => account.state.authScheme === authScheme && account.status === 'ACTIVE')
        .catch(() => ({ id: ID }))
    ).id,
  });
  pair(
    'patch',
    `credentials ${authScheme} where they fit`,
    (s, w) => s.raw.connectedAccounts.patch(w.id, { connection: { state } }),
    w => `accounts.update(${lua(w.id)}, ${lua({ credentials: state })})`,
    suits,
  );
}
patch(
  'everything at once',
  {
    alias: 'a',
    connection: { state: { authScheme: 'BASIC', val: { username: 'u' } } },
    experimental: { acl_config_for_shared: { allow_all_users: true } },
  },
  lua({ alias: 'a', credentials: { authScheme: 'BASIC', val: { username: 'u' } }, acl: { allow_all_users: true } }),
);

// ---- link ----

const link = (name, user, config, options, ours = snake(options)) =>
  pair(
    'link',
    name,
    s => s.accounts.link(user, config, options),
    `accounts.link(${lua(user)}, ${lua(config)}, ${lua(ours)})`,
  );
pair(
  'link',
  'no options',
  s => s.accounts.link('user_new', 'ac_GithubManage'),
  'accounts.link("user_new", "ac_GithubManage")',
);
for (const callbackUrl of URLS)
  link(`callback ${callbackUrl.slice(0, 60)}`, 'user_new', 'ac_GithubManage', { callbackUrl });
for (const user of WORDS) link(`user ${JSON.stringify(user)}`, user, 'ac_SlackManaged', {});
for (const alias of ['work', 'büro 日', '"']) link(`alias ${alias}`, 'user_new', 'ac_GmailManaged', { alias });
link('alias and callback', 'user_new', 'ac_GithubManage', { alias: 'a', callbackUrl: 'https://a.example' });
link('an ACTIVE account is there', 'user_123', 'ac_GithubManage', {});
link('an unknown auth config', 'user_new', 'ac_nobody', {});
link('a disabled auth config', 'user_new', 'ac_JiraDisabled', {});
for (const names of subsets(['allowAllUsers', 'allowedUserIds', 'notAllowedUserIds'])) {
  const acl = Object.fromEntries(names.map(name => [name, LISTS[name]]));
  for (const accountType of ['SHARED', 'PRIVATE', undefined]) {
    const experimental = { accountType, aclConfigForShared: acl };
    link(
      `${accountType} with an ACL of ${names}`,
      'user_new',
      'ac_GithubManage',
      { experimental },
      { account_type: accountType, acl: snake(acl) },
    );
  }
}
for (const accountType of ['SHARED', 'PRIVATE'])
  link(accountType, 'user_new', 'ac_GithubManage', { experimental: { accountType } }, { account_type: accountType });
pair(
  'link',
  'fields of the form',
  s =>
    s.raw.link.create({
      auth_config_id: 'ac_ZendeskOAuth',
      user_id: 'user_new',
      connection_data: { subdomain: 'example', 'your-domain': 'd' },
    }),
  'accounts.link("user_new", "ac_ZendeskOAuth", { allow_multiple = true, connection_data = { subdomain = "example", ["your-domain"] = "d" } })',
);

// ---- initiate, with every helper in every spelling ----

const HELPERS = [
  [
    'OAuth2',
    ['oauth2', 'OAuth2'],
    'OAUTH2',
    [
      {},
      { subdomain: 'example' },
      { access_token: 't', refresh_token: 'r', token_type: 'Bearer', expires_in: 3600, scope: 'a b' },
      { access_token: 't', status: 'INITIALIZING' },
      { access_token: '' },
      { access_token: 't', authed_user: { access_token: 'x', scope: 's' } },
    ],
  ],
  ['OAuth1', ['oauth1', 'OAuth1'], 'OAUTH1', [{}, { oauth_token: 'a', oauth_token_secret: 'b' }, { oauth_token: 'a' }]],
  ['APIKey', ['api_key', 'ApiKey', 'APIKey'], 'API_KEY', [{ api_key: 'key123' }, { generic_api_key: 'ü"\\/' }]],
  ['Basic', ['basic', 'Basic'], 'BASIC', [{ username: 'user', password: 'pass' }]],
  ['BearerToken', ['bearer_token', 'BearerToken'], 'BEARER_TOKEN', [{ token: 't' }]],
  [
    'GoogleServiceAccount',
    ['google_service_account', 'GoogleServiceAccount'],
    'GOOGLE_SERVICE_ACCOUNT',
    [{ credentials_json: '{"a":[1,2]}' }],
  ],
  ['NoAuth', ['no_auth', 'NoAuth'], 'NO_AUTH', [undefined, {}, { base_url: 'https://h' }]],
  ['BasicWithJWT', ['basic_with_jwt', 'BasicWithJWT'], 'BASIC_WITH_JWT', [{ username: 'u', password: 'p' }]],
  ['CalcomAuth', ['calcom_auth', 'CalcomAuth'], 'CALCOM_AUTH', [undefined, { region: 'eu' }]],
  ['BillcomAuth', ['billcom_auth', 'BillcomAuth'], 'BILLCOM_AUTH', [{ sessionId: 's', devKey: 'd' }]],
];
export const helpers = HELPERS.map(([name]) => name);
for (const [helper, spellings, scheme, fieldSets] of HELPERS) {
  const arrange = async stage => ({
    config: (
      await stage.plain('POST', '/auth_configs', {
        toolkit: { slug: 'zoom' },
        auth_config: { type: 'use_custom_auth', authScheme: scheme, credentials: {} },
      })
    ).auth_config.id,
  });
  for (const fields of fieldSets) {
    for (const spelling of spellings) {
      pair(
        'initiate',
        `${spelling}(${JSON.stringify(fields) ?? ''})`,
        (s, w) => s.accounts.initiate('user_new', w.config, { config: AuthScheme[helper](fields) }),
        w =>
          `accounts.initiate("user_new", ${lua(w.config)}, { config = scheme.${spelling}(${fields ? lua(fields) : ''}) })`,
        arrange,
      );
    }
  }
}
const initiate = (name, user, config, options) =>
  pair(
    'initiate',
    name,
    s => s.accounts.initiate(user, config, options),
    `accounts.initiate(${lua(user)}, ${lua(config)}, ${lua(snake(options))})`,
  );
pair(
  'initiate',
  'no options',
  s => s.accounts.initiate('user_new', 'ac_GithubCustom'),
  'accounts.initiate("user_new", "ac_GithubCustom")',
);
for (const callbackUrl of URLS)
  initiate(`callback ${callbackUrl.slice(0, 60)}`, 'user_new', 'ac_GithubCustom', { callbackUrl });
for (const user of ['jösé 日本', '😀', 'a+b&c']) initiate(`user ${user}`, user, 'ac_GithubCustom', {});
initiate('all of them', 'user_new', 'ac_SlackCustom_', {
  callbackUrl: 'https://a.example',
  alias: 'büro',
  config: { authScheme: 'OAUTH2', val: { status: 'INITIALIZING', region: 'eu' } },
});
initiate('Composio’s own app', 'user_new', 'ac_GithubManage', {});
initiate('an unknown auth config', 'user_new', 'ac_nobody', {});
initiate('an ACTIVE account is there', 'user_456', 'ac_StripeApiKey', {});
for (const authScheme of ['SERVICE_ACCOUNT', 'SAML', 'DCR_OAUTH', 'S2S_OAUTH2', 'CIMD_OAUTH'])
  initiate(`written by hand, ${authScheme}`, 'user_new', 'ac_GithubCustom', {
    config: { authScheme, val: { status: 'ACTIVE' } },
  });
for (const experimental of [
  { account_type: 'SHARED' },
  { account_type: 'SHARED', acl_config_for_shared: { allowed_user_ids: ['a'] } },
]) {
  pair(
    'initiate',
    `shared: ${JSON.stringify(experimental)}`,
    s =>
      s.raw.connectedAccounts.create({
        auth_config: { id: 'ac_GithubCustom' },
        connection: { user_id: 'user_new', experimental },
      }),
    `accounts.initiate("user_new", "ac_GithubCustom", ${lua({ allow_multiple: true, account_type: experimental.account_type, acl: experimental.acl_config_for_shared })})`,
  );
}

// ---- waiting ----

const inStatus = status => async stage => ({ id: (await stage.find(account => account.status === status)).id });
for (const status of ['ACTIVE', 'FAILED', 'EXPIRED', 'REVOKED']) {
  pair(
    'wait',
    `${status} at the first look`,
    (s, w) => s.accounts.waitForConnection(w.id),
    w => `accounts.wait_for_connection(${lua(w.id)})`,
    inStatus(status),
  );
}
for (const status of ['INITIALIZING', 'INITIATED', 'INACTIVE']) {
  pair(
    'wait',
    `${status}, no time to wait`,
    (s, w) => s.accounts.waitForConnection(w.id, 0),
    w => `accounts.wait_for_connection(${lua(w.id)}, { timeout = 0 })`,
    inStatus(status),
  );
}
pair(
  'wait',
  'an unknown id',
  s => s.accounts.waitForConnection(MISSING),
  `accounts.wait_for_connection(${lua(MISSING)})`,
);
const KEY = { config: AuthScheme.APIKey({ api_key: 'k' }) };
pair(
  'wait',
  'initiate, then wait',
  async s => (await s.accounts.initiate('user_new', 'ac_StripeApiKey', KEY)).waitForConnection(5000),
  `accounts.initiate("user_new", "ac_StripeApiKey", { config = scheme.api_key { api_key = "k" } }):wait_for_connection { timeout = 5 }`,
);

// ---- auth configs ----

const CONFIG_FILTERS = {
  cursor: 'Mi0y',
  isComposioManaged: false,
  limit: 2,
  search: 'own app',
  showDisabled: true,
  toolkit: 'github,gmail',
};
for (const names of subsets(Object.keys(CONFIG_FILTERS))) {
  const options = Object.fromEntries(names.map(name => [name, CONFIG_FILTERS[name]]));
  const { toolkit, ...rest } = snake(options);
  pair(
    'auth configs, filters combined',
    names.join('+') || 'no filter',
    s => s.configs.list(options),
    `configs.list ${lua({ ...rest, toolkit_slugs: toolkit?.split(',') })}`,
  );
}
for (const search of WORDS)
  pair(
    'auth configs',
    `search ${JSON.stringify(search)}`,
    s => s.configs.list({ search }),
    `configs.list ${lua({ search })}`,
  );
pair(
  'auth configs',
  'managed only',
  s => s.configs.list({ isComposioManaged: true }),
  'configs.list { is_composio_managed = true }',
);
for (const id of ['ac_GithubCustom', 'ac_goneGONEgone', "ac_~!$&'()*+,;=:@"]) {
  pair('auth configs', `get ${id}`, s => s.configs.get(id), `configs.get(${lua(id)})`);
  pair('auth configs', `enable ${id}`, s => s.configs.enable(id), `configs.enable(${lua(id)})`);
  pair('auth configs', `disable ${id}`, s => s.configs.disable(id), `configs.disable(${lua(id)})`);
  pair('auth configs', `updateStatus ${id}`, s => s.configs.updateStatus('ENABLED', id), `configs.enable(${lua(id)})`);
  for (const credentials of [
    { client_id: 'i', client_secret: 's' },
    { scopes: ['a', 'b'], user_scopes: 'c d' },
    { scopes: [], token: null },
  ]) {
    const body = { type: 'custom', credentials };
    pair(
      'auth configs',
      `update ${id} ${JSON.stringify(credentials)}`,
      s => s.raw.authConfigs.update(id, body),
      `configs.update(${lua(id)}, ${lua(body)})`,
    );
  }
}
