// Where we differ from the SDK on purpose: the call as each writes it, the
// requests that each then sends, and why. A test holds both sides to exactly
// this, so a difference that goes away, or grows, shows.
//
// A line is "METHOD path?query body", below /api/v3.1. `raises` is the error a
// side ends in; without it the side succeeds. `seconds`: it takes that or longer.
import { AuthScheme } from './lib/stage.mjs';
import { lua } from './lib/lua.mjs';

const ID = 'ca_github_u123A'; // ACTIVE, OAUTH2
const ACTIVE_STRIPE = 'auth_config_ids=ac_StripeApiKey&statuses=ACTIVE';
const inStatus = status => async stage => ({ id: (await stage.find(account => account.status === status)).id });
const scheme = (name, status) => async stage => ({
  id: (await stage.find(account => account.state.authScheme === name && account.status === status)).id,
});

// ---- what would silently mean something else is refused ----

const FOOTGUNS = [
  ['user_ids', 'userIds'],
  ['statuses', 'statuses'],
  ['toolkit_slugs', 'toolkitSlugs'],
  ['auth_config_ids', 'authConfigIds'],
].flatMap(([ours, theirs]) => [
  {
    name: `an empty list of ${ours}`,
    sdk: s => s.accounts.list({ [theirs]: [] }),
    lua: `accounts.list { ${ours} = {} }`,
    theirs: { lines: ['GET /connected_accounts'] },
    ours: { lines: [], raises: /an empty list would mean "no filter"/ },
    why: 'an empty filter asks for every account of the project; in bulk work it is a mistake',
  },
  {
    name: `null for ${ours}`,
    sdk: s => s.accounts.list({ [theirs]: null }),
    lua: `accounts.list { ${ours} = composio.null }`,
    theirs: { lines: [`GET /connected_accounts?${ours}=`] },
    ours: { lines: [], raises: new RegExp(`${ours}: cannot be null`) },
    why: 'the same in another dress: a filter that is there and filters nothing',
  },
]);

const REFUSED = [
  {
    name: 'an empty value in a filter',
    sdk: s => s.accounts.list({ userIds: [''] }),
    lua: 'accounts.list { user_ids = { "" } }',
    theirs: { lines: ['GET /connected_accounts?user_ids='] },
    ours: { lines: [], raises: /user_ids: empty/ },
    why: 'the service drops it, and with it the filter',
  },
  {
    name: 'a comma in a value',
    sdk: s => s.accounts.list({ userIds: ['smith, john'] }),
    lua: 'accounts.list { user_ids = { "smith, john" } }',
    theirs: { lines: ['GET /connected_accounts?user_ids=smith%2C%20john'] },
    ours: { lines: [], raises: /contains a comma, and the service would read it as two values/ },
    why: 'the wire cannot tell it from two values: two other users’ accounts would be listed',
  },
  {
    name: 'a credential that is missing',
    sdk: s => s.accounts.initiate('user_new', 'ac_StripeApiKey', { config: AuthScheme.APIKey({}) }),
    lua: 'accounts.initiate("user_new", "ac_StripeApiKey", { config = scheme.api_key { api_key = nil } })',
    theirs: {
      lines: [
        `GET /connected_accounts?${ACTIVE_STRIPE}&user_ids=user_new`,
        'POST /connected_accounts {"auth_config":{"id":"ac_StripeApiKey"},"connection":{"user_id":"user_new","state":{"authScheme":"API_KEY","val":{"status":"ACTIVE"}}}}',
      ],
      raises: { status: 400 },
    },
    ours: { lines: [], raises: /auth_scheme\.api_key: api_key or .* is missing/ },
    why: 'a variable that is nil leaves its field out; a toolkit without required fields would get an ACTIVE account',
  },
  {
    name: 'a status in lower case',
    sdk: s => s.accounts.list({ statuses: ['active'] }),
    lua: 'accounts.list { statuses = { "active" } }',
    theirs: { lines: [], raises: { name: 'ValidationError' } },
    ours: { lines: [], raises: /statuses: write 'ACTIVE', not 'active'/ },
    why: 'the same, said more plainly',
  },
  {
    name: 'a control byte in a value',
    sdk: s => s.accounts.list({ userIds: ['a\r\nb'] }),
    lua: 'accounts.list { user_ids = { "a\\r\\nb" } }',
    theirs: { lines: ['GET /connected_accounts?user_ids=a%0D%0Ab'] },
    ours: { lines: [], raises: /user_ids: control byte 13 at byte 2/ },
    why: 'no user has one; a CSV read wrongly does',
  },
  {
    name: 'limit null',
    sdk: s => s.accounts.list({ limit: null }),
    lua: 'accounts.list { limit = composio.null }',
    theirs: { lines: ['GET /connected_accounts?limit='] },
    ours: { lines: [], raises: /limit: cannot be null/ },
    why: 'leave it out',
  },
  {
    name: 'cursor null',
    sdk: s => s.accounts.list({ cursor: null }),
    lua: 'accounts.list { cursor = composio.null }',
    theirs: { lines: ['GET /connected_accounts'] },
    ours: { lines: [], raises: /cursor: cannot be null/ },
    why: 'it would begin again at page one; nil is how Lua says "none"',
  },
  {
    name: 'an empty cursor',
    sdk: s => s.accounts.list({ cursor: '' }),
    lua: 'accounts.list { cursor = "" }',
    theirs: { lines: ['GET /connected_accounts?cursor='] },
    ours: { lines: [], raises: /cursor: empty/ },
    why: 'it would begin again at page one',
  },
  ...[0, -1].map(limit => ({
    name: `limit ${limit}`,
    sdk: s => s.accounts.list({ limit }),
    lua: `accounts.list { limit = ${limit} }`,
    theirs: { lines: [`GET /connected_accounts?limit=${limit}`], raises: { status: 400 } },
    ours: { lines: [], raises: /limit: -?\d is less than 1/ },
    why: 'known to be wrong before it is sent',
  })),
  {
    name: 'limit 1.5',
    sdk: s => s.accounts.list({ limit: 1.5 }),
    lua: 'accounts.list { limit = 1.5 }',
    theirs: { lines: ['GET /connected_accounts?limit=1.5'], raises: { status: 400 } },
    ours: { lines: [], raises: /limit: expected a whole number/ },
    why: 'known to be wrong before it is sent',
  },
  {
    name: 'a misspelt option',
    sdk: s => s.accounts.list({ userId: ['user_123'] }),
    lua: 'accounts.list { user_id = { "user_123" } }',
    theirs: { lines: ['GET /connected_accounts'] },
    ours: { lines: [], raises: /unknown option 'user_id' \(did you mean 'user_ids'\?\)/ },
    why: 'the SDK drops what it does not know and lists everything',
  },
  ...['get', 'delete', 'enable', 'disable', 'refresh'].map(verb => ({
    name: `${verb} with an empty id`,
    sdk: s => s.accounts[verb](''),
    lua: `accounts.${verb}("")`,
    theirs: {
      get: { lines: ['GET /connected_accounts/'], raises: { status: 404 } },
      delete: { lines: ['DELETE /connected_accounts/'], raises: { status: 404 } },
      enable: { lines: ['PATCH /connected_accounts//status {"enabled":true}'], raises: { status: 404 } },
      disable: { lines: ['PATCH /connected_accounts//status {"enabled":false}'], raises: { status: 404 } },
      refresh: { lines: ['POST /connected_accounts//refresh {}'], raises: { status: 404 } },
    }[verb],
    ours: { lines: [], raises: /id: empty; an id is needed/ },
    odd: true,
    why: 'a DELETE of the collection is nothing to find out about on a server that tidies slashes',
  })),
  ...[
    ['ca_ä', 'ca_%C3%A4'],
    ['ca b', 'ca%20b'],
  ].map(([id, path]) => ({
    name: `the id '${id}'`,
    sdk: s => s.accounts.get(id),
    lua: `accounts.get(${lua(id)})`,
    theirs: { lines: [`GET /connected_accounts/${path}`], raises: { status: 404 } },
    ours: { lines: [], raises: /is not printable ASCII/ },
    why: 'no id looks like that; a broken CSV does',
  })),
  ...['.', '..'].map(id => ({
    name: `the id '${id}'`,
    sdk: s => s.accounts.get(id),
    lua: `accounts.get(${lua(id)})`,
    theirs: { lines: [], raises: { message: /can't be safely passed as a path parameter/ } },
    ours: { lines: [], raises: /is not an id/ },
    why: 'both refuse; the words differ',
  })),
  {
    name: 'user and auth config in the wrong order',
    sdk: s => s.accounts.link('ac_GithubManage', 'user_new'),
    lua: 'accounts.link("ac_GithubManage", "user_new")',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=user_new&statuses=ACTIVE&user_ids=ac_GithubManage',
        'POST /connected_accounts/link {"auth_config_id":"user_new","user_id":"ac_GithubManage"}',
      ],
      raises: { name: 'ComposioFailedToCreateConnectedAccountLink' },
    },
    ours: { lines: [], raises: /'ac_GithubManage' looks like an auth config; the user id comes first/ },
    why: 'a mistake both positions make easy',
  },
  {
    name: 'a link for nobody',
    sdk: s => s.accounts.link('', 'ac_GithubManage', { allowMultiple: true }),
    lua: 'accounts.link("", "ac_GithubManage", { allow_multiple = true })',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_GithubManage&statuses=ACTIVE&user_ids=',
        'POST /connected_accounts/link {"auth_config_id":"ac_GithubManage","user_id":""}',
      ],
      raises: { name: 'ComposioFailedToCreateConnectedAccountLink' },
    },
    ours: { lines: [], raises: /user_id: empty/ },
    why: 'the SDK’s check then looks at every user',
  },
  {
    name: 'a masked secret as a credential',
    sdk: s =>
      s.accounts.initiate('user_new', 'ac_StripeApiKey', { config: AuthScheme.APIKey({ api_key: 'REDACTED' }) }),
    lua: 'accounts.initiate("user_new", "ac_StripeApiKey", { allow_multiple = true, config = scheme.api_key { api_key = "REDACTED" } })',
    theirs: {
      lines: [
        `GET /connected_accounts?${ACTIVE_STRIPE}&user_ids=user_new`,
        'POST /connected_accounts {"auth_config":{"id":"ac_StripeApiKey"},"connection":{"user_id":"user_new","state":{"authScheme":"API_KEY","val":{"status":"ACTIVE","api_key":"REDACTED"}}}}',
      ],
    },
    ours: { lines: [], raises: /REDACTED|masked/ },
    why: 'what a reply shows in place of a secret must never be written back over it',
  },
  {
    name: 'the same in a patch',
    sdk: s =>
      s.raw.connectedAccounts.patch(ID, {
        connection: { state: { authScheme: 'BASIC', val: { password: 'abcd...' } } },
      }),
    lua: `accounts.update(${lua(ID)}, { credentials = { authScheme = "BASIC", val = { password = "abcd..." } } })`,
    theirs: {
      lines: [
        `PATCH /connected_accounts/${ID} {"connection":{"state":{"authScheme":"BASIC","val":{"password":"abcd..."}}}}`,
      ],
      raises: { status: 400 },
    },
    ours: { lines: [], raises: /masked|\.\.\./ },
    why: 'the same, in the other mode of masking',
  },
  {
    name: 'an update of nothing',
    sdk: s => s.raw.connectedAccounts.patch(ID, {}),
    lua: `accounts.update(${lua(ID)}, {})`,
    theirs: { lines: [`PATCH /connected_accounts/${ID} {}`], raises: { status: 400 } },
    ours: { lines: [], raises: /no field to change was given/ },
    why: 'known to be wrong before it is sent',
  },
];

// ---- what the SDK’s own methods cannot say ----

const REACHED = [
  {
    name: 'connected_account_ids',
    sdk: s => s.accounts.list({ connectedAccountIds: [ID, 'ca_slack_u123_B'] }),
    lua: `accounts.list { connected_account_ids = { ${lua(ID)}, "ca_slack_u123_B" } }`,
    theirs: { lines: ['GET /connected_accounts'] },
    ours: { lines: [`GET /connected_accounts?connected_account_ids=${ID}%2Cca_slack_u123_B`] },
    why: 'the API has the filter; the SDK drops the name without a word and lists everything',
  },
  {
    name: 'order_direction',
    sdk: s => s.accounts.list({ orderDirection: 'asc' }),
    lua: 'accounts.list { order_direction = "asc" }',
    theirs: { lines: ['GET /connected_accounts'] },
    ours: { lines: ['GET /connected_accounts?order_direction=asc'] },
    why: 'oldest first is the order in which pages can be walked',
  },
  {
    name: 'delete with revocation',
    sdk: s => s.accounts.delete(ID, { revokeOnDelete: true }),
    lua: `accounts.delete(${lua(ID)}, { revoke = true })`,
    theirs: { lines: [`DELETE /connected_accounts/${ID}`] },
    ours: { lines: [`DELETE /connected_accounts/${ID}?revoke_on_delete=true`] },
    why: 'without it the tokens live on at the provider',
  },
  {
    name: 'revoke',
    sdk: async s => s.accounts.revoke(ID),
    lua: `accounts.revoke(${lua(ID)})`,
    theirs: { lines: [], raises: { name: 'TypeError' } },
    ours: { lines: [`POST /connected_accounts/${ID}/revoke`] },
    why: 'an operation of the API that SDK 0.17.0 does not have',
  },
  {
    name: 'an alias changed later',
    sdk: s => s.accounts.update(ID, { alias: 'home' }),
    lua: `accounts.update(${lua(ID)}, { alias = "home" })`,
    theirs: { lines: [], raises: { name: 'ValidationError' } },
    ours: { lines: [`PATCH /connected_accounts/${ID} {"alias":"home"}`] },
    why: 'the SDK’s update only enables and disables',
  },
  {
    name: 'fields of the hosted form, filled in',
    sdk: s => s.accounts.link('user_new', 'ac_ZendeskOAuth', { connectionData: { subdomain: 'example' } }),
    lua: 'accounts.link("user_new", "ac_ZendeskOAuth", { connection_data = { subdomain = "example" } })',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_ZendeskOAuth&statuses=ACTIVE&user_ids=user_new',
        'POST /connected_accounts/link {"auth_config_id":"ac_ZendeskOAuth","user_id":"user_new"}',
      ],
    },
    ours: {
      lines: [
        'GET /connected_accounts?statuses=ACTIVE&user_ids=user_new&auth_config_ids=ac_ZendeskOAuth',
        'POST /connected_accounts/link {"user_id":"user_new","auth_config_id":"ac_ZendeskOAuth","connection_data":{"subdomain":"example"}}',
      ],
    },
    why: 'the API takes them; the SDK drops them',
  },
  {
    name: 'a shared account by initiate',
    sdk: s => s.accounts.initiate('user_new', 'ac_GithubCustom', { experimental: { accountType: 'SHARED' } }),
    lua: 'accounts.initiate("user_new", "ac_GithubCustom", { account_type = "SHARED" })',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_GithubCustom&statuses=ACTIVE&user_ids=user_new',
        'POST /connected_accounts {"auth_config":{"id":"ac_GithubCustom"},"connection":{"user_id":"user_new"}}',
      ],
    },
    ours: {
      lines: [
        'GET /connected_accounts?statuses=ACTIVE&user_ids=user_new&auth_config_ids=ac_GithubCustom',
        'POST /connected_accounts {"connection":{"user_id":"user_new","experimental":{"account_type":"SHARED"}},"auth_config":{"id":"ac_GithubCustom"}}',
      ],
    },
    why: 'account_type and acl are options of both calls here, not of link alone, and stand flat: "experimental" is the wire’s word, not the user’s',
  },
];

// ---- fewer, or better, requests ----

const FRUGAL = [
  {
    name: 'allow_multiple skips the check',
    sdk: s => s.accounts.link('user_123', 'ac_GithubManage', { allowMultiple: true }),
    lua: 'accounts.link("user_123", "ac_GithubManage", { allow_multiple = true })',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_GithubManage&statuses=ACTIVE&user_ids=user_123',
        'POST /connected_accounts/link {"auth_config_id":"ac_GithubManage","user_id":"user_123"}',
      ],
    },
    ours: { lines: ['POST /connected_accounts/link {"user_id":"user_123","auth_config_id":"ac_GithubManage"}'] },
    why: 'its answer would not matter: half the requests',
  },
  {
    name: 'experimental: {}',
    sdk: s => s.accounts.link('user_new', 'ac_GithubManage', { experimental: {} }),
    lua: 'accounts.link("user_new", "ac_GithubManage", {})',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_GithubManage&statuses=ACTIVE&user_ids=user_new',
        'POST /connected_accounts/link {"auth_config_id":"ac_GithubManage","user_id":"user_new","experimental":{}}',
      ],
    },
    ours: {
      lines: [
        'GET /connected_accounts?statuses=ACTIVE&user_ids=user_new&auth_config_ids=ac_GithubManage',
        'POST /connected_accounts/link {"user_id":"user_new","auth_config_id":"ac_GithubManage"}',
      ],
    },
    why: 'the block is made of account_type and acl, and says nothing without them',
  },
  {
    name: 'a link for a user whose id holds a comma',
    sdk: s => s.accounts.link('smith, john', 'ac_GithubCustom'),
    lua: 'accounts.link("smith, john", "ac_GithubCustom")',
    theirs: {
      lines: [
        'GET /connected_accounts?auth_config_ids=ac_GithubCustom&statuses=ACTIVE&user_ids=smith%2C%20john',
        'POST /connected_accounts/link {"auth_config_id":"ac_GithubCustom","user_id":"smith, john"}',
      ],
    },
    ours: {
      lines: [
        'GET /connected_accounts?statuses=ACTIVE&auth_config_ids=ac_GithubCustom&limit=100',
        'POST /connected_accounts/link {"user_id":"smith, john","auth_config_id":"ac_GithubCustom"}',
      ],
    },
    why: 'the SDK’s check looks at the users "smith" and " john"; ours reads the auth config’s accounts and compares here',
  },
  {
    name: 'refresh of an ACTIVE account',
    sdk: s => s.accounts.refresh(ID),
    lua: `accounts.refresh(${lua(ID)})`,
    theirs: { lines: [`POST /connected_accounts/${ID}/refresh {}`] },
    ours: { lines: [`GET /connected_accounts/${ID}`], raises: /a refresh would start a new login/ },
    why: 'it would end a working login; { even_if_active = true } asks for it',
  },
  {
    name: 'refresh of an EXPIRED account',
    sdk: (s, w) => s.accounts.refresh(w.id),
    lua: w => `accounts.refresh(${lua(w.id)})`,
    arrange: scheme('OAUTH2', 'EXPIRED'),
    theirs: { lines: w => [`POST /connected_accounts/${w.id}/refresh {}`] },
    ours: { lines: w => [`GET /connected_accounts/${w.id}`, `POST /connected_accounts/${w.id}/refresh {}`] },
    why: 'the look before it; none is made when the account itself is given',
  },
  {
    name: 'validate_credentials',
    sdk: s => s.accounts.refresh(ID, { validateCredentials: true }),
    lua: `accounts.refresh(${lua(ID)}, { even_if_active = true, validate_credentials = true })`,
    theirs: { lines: [`POST /connected_accounts/${ID}/refresh {"validate_credentials":true}`] },
    ours: { lines: [], raises: /unknown option 'validate_credentials'/ },
    why: 'the service no longer takes it',
  },
  {
    name: 'a reason for a change',
    sdk: s => s.accounts.updateStatus(ID, { enabled: false, reason: 'idle' }),
    lua: `accounts.disable(${lua(ID)}, { reason = "idle" })`,
    theirs: { lines: [`PATCH /connected_accounts/${ID}/status {"enabled":false,"reason":"idle"}`] },
    ours: { lines: [`PATCH /connected_accounts/${ID}/status {"enabled":false}`] },
    why: 'the service knows no reason; ours goes into the ledger',
  },
  {
    name: 'an auth config’s credentials',
    sdk: s => s.configs.update('ac_GithubCustom', { type: 'custom', credentials: { client_id: 'i' } }),
    lua: 'configs.update("ac_GithubCustom", { type = "custom", credentials = { client_id = "i" } })',
    theirs: {
      lines: [
        'PATCH /auth_configs/ac_GithubCustom {"type":"custom","credentials":{"client_id":"i"},"tool_access_config":{}}',
      ],
    },
    ours: { lines: ['PATCH /auth_configs/ac_GithubCustom {"type":"custom","credentials":{"client_id":"i"}}'] },
    why: 'an update is partial: what was not asked for is not sent',
  },
  {
    name: 'the last look of a wait',
    sdk: (s, w) => s.accounts.waitForConnection(w.id, 1500),
    lua: w => `accounts.wait_for_connection(${lua(w.id)}, { timeout = 1.5 })`,
    arrange: inStatus('INITIATED'),
    theirs: {
      lines: w => Array(3).fill(`GET /connected_accounts/${w.id}`),
      raises: { name: 'ConnectionRequestTimeoutError' },
      seconds: 1.9,
    },
    ours: {
      lines: w => Array(4).fill(`GET /connected_accounts/${w.id}`),
      raises: /^Connection request timed out for/,
      seconds: 1.4,
    },
    sooner: true,
    why: 'the SDK sleeps past its deadline; ours ends at it, with one more look',
  },
];

// ---- what is repeated after a failure ----

const again = (status, rule = {}) => [
  {
    path: '/api/*',
    action: 'reply',
    status,
    body: { error: { message: 'ordered', code: 1, slug: 'Ordered', status } },
    headers: { 'retry-after-ms': '5', 'retry-after': '0' },
    ...rule,
  },
];
const LINK = 'POST /connected_accounts/link';

const REPEATED = [
  {
    name: 'a link that failed with 500',
    faults: again(500, { path: '*/link' }),
    sdk: s => s.raw.link.create({ user_id: 'u', auth_config_id: 'ac_GithubManage' }),
    lua: 'accounts.link("u", "ac_GithubManage", { allow_multiple = true })',
    theirs: {
      lines: Array(3).fill(`${LINK} {"user_id":"u","auth_config_id":"ac_GithubManage"}`),
      raises: { status: 500 },
    },
    ours: {
      lines: [`${LINK} {"user_id":"u","auth_config_id":"ac_GithubManage"}`],
      raises: { outcome: 'unknown', status: 500 },
    },
    why: 'it may have been made: sent again it may exist twice. The outcome is unknown, and said to be',
  },
  {
    name: 'a listing that failed with 500',
    faults: again(500),
    sdk: s => s.accounts.list(),
    lua: 'accounts.list()',
    theirs: { lines: Array(3).fill('GET /connected_accounts'), raises: { status: 500 } },
    ours: { lines: Array(3).fill('GET /connected_accounts'), raises: { name: 'InternalServerError', status: 500 } },
    why: 'no difference: reading again does no harm',
  },
  {
    name: 'a listing that failed with 501',
    faults: again(501),
    sdk: s => s.accounts.list(),
    lua: 'accounts.list()',
    theirs: { lines: Array(3).fill('GET /connected_accounts'), raises: { status: 501 } },
    ours: { lines: ['GET /connected_accounts'], raises: { status: 501 } },
    why: '501 says "never", not "not now"',
  },
  {
    name: 'an alias that is taken',
    faults: again(409, {
      body: {
        error: {
          message: 'Alias "work" is already used by another connected account',
          code: 609,
          slug: 'ConnectedAccount_Conflict',
          status: 409,
        },
      },
    }),
    sdk: s => s.raw.connectedAccounts.patch(ID, { alias: 'work' }),
    lua: `accounts.update(${lua(ID)}, { alias = "work" })`,
    theirs: { lines: Array(3).fill(`PATCH /connected_accounts/${ID} {"alias":"work"}`), raises: { status: 409 } },
    ours: {
      lines: [`PATCH /connected_accounts/${ID} {"alias":"work"}`],
      raises: { name: 'ConflictError', status: 409 },
    },
    why: 'asking again does not free the alias; a 409 of a lease is repeated by both',
  },
  {
    name: 'a delete whose reply was lost',
    faults: [{ path: '/api/*', method: 'DELETE', action: 'apply_then_close', times: 1 }],
    sdk: s => s.accounts.delete(ID),
    lua: `accounts.delete(${lua(ID)})`,
    theirs: { lines: Array(2).fill(`DELETE /connected_accounts/${ID}`), raises: { status: 404 } },
    ours: { lines: Array(2).fill(`DELETE /connected_accounts/${ID}`) },
    why: 'gone is what was asked for',
  },
  {
    name: 'a redirect',
    faults: [{ path: '/api/*', action: 'redirect', location: '/api/v3.1/elsewhere', times: 1 }],
    sdk: s => s.accounts.list(),
    lua: 'accounts.list()',
    theirs: { lines: ['GET /connected_accounts', 'GET /elsewhere'], raises: { status: 404 } },
    ours: { lines: ['GET /connected_accounts'], raises: { status: 302 } },
    why: 'followed, it would carry the API key to wherever it leads',
  },
];

// Names of errors: the SDK’s generated client says NotFoundError for whatever
// is missing; its own class is used at the first look of a wait alone. What a
// new connection can miss is its auth config.
export function ourFailure(theirs, row) {
  if (theirs.name !== 'NotFoundError') return theirs;
  const accounts = row.path.startsWith('/api/v3.1/connected_accounts/');
  return { ...theirs, name: accounts ? 'ComposioConnectedAccountNotFoundError' : 'ComposioAuthConfigNotFoundError' };
}

// Headers of every request.
export const headers = {
  onlyTheirs: [
    /^x-stainless-/,
    /^x-(framework|source|runtime|sdk-version)$/,
    /^accept-language$/,
    /^sec-fetch-mode$/,
  ],
  // we ask for compression where pages come back, not where a change answers
  onlyTheirsOfChanges: [/^accept-encoding$/],
  onlyOurs: [/^x-request-id$/],
  why: 'the SDK counts its users; we name each operation, so that the service’s support can find it',
};

export const differences = [...FOOTGUNS, ...REFUSED, ...REACHED, ...FRUGAL, ...REPEATED];
