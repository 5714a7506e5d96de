---@meta composio
-- What an editor may know of the module: every function, option and field.
-- Held to the module by spec/stubs_spec.lua; nothing loads it at run time.

---Connected accounts of Composio, for scripts. Times are in seconds, names are
---the service's own. A call that fails raises a composio.error; a call with
---wrong arguments raises a string.
---@class composio
---@field _VERSION string
---@field null lightuserdata null on the wire, where leaving out is not enough
---@field connected_accounts composio.connected_accounts of the default client
---@field auth_configs composio.auth_configs of the default client
---@field auth_scheme composio.auth_scheme
local composio = {}

composio._VERSION = ""
composio.null = nil

---@alias composio.status
---| "INITIALIZING"
---| "INITIATED"
---| "ACTIVE"
---| "FAILED"
---| "EXPIRED"
---| "INACTIVE"
---| "REVOKED"
---| string

---@alias composio.account_type "PRIVATE" | "SHARED"

---Of every call.
---@class composio.call.options
---@field timeout? number seconds for the whole call, all attempts

---Of every call that changes something.
---@class composio.change.options: composio.call.options
---@field reason? string for the ledger; it is not sent
---@field otherwise? string operation to send when this one fails, "disable"; in a bulk's action

-- ---- errors ------------------------------------------------------------

---What the service or the network said no to. tostring gives one line. The name
---RouteNotFoundError means that the base URL is wrong, or that the service no longer has
---the operation's route: it says nothing about the account, and ends a run.
---@class composio.error
---@field name string such as ComposioConnectedAccountNotFoundError
---@field message string
---@field code? integer the service's own number
---@field slug? string the service's own word
---@field status? integer HTTP status
---@field request_id? string
---@field suggested_fix? string
---@field operation? string such as connected_accounts.disable
---@field account_id? string
---@field attempts? integer
---@field retryable boolean
---@field unavailable? true the service gave no answer of its own, or asks to wait
---@field outcome "failed" | "unknown" unknown: it may have been carried out
---@field where? string the script's line, such as job.lua:12
---@field cause? composio.error the failure that this one renames
---@field account_status? composio.status of a wait that failed
---@field status_reason? string of a wait that failed

-- ---- accounts ----------------------------------------------------------

---@class composio.acl
---@field allow_all_users? boolean
---@field allowed_user_ids? string[]
---@field not_allowed_user_ids? string[]

---A plain table. Fields that many scripts need (`id status user_id alias word_id
---status_reason is_disabled created_at updated_at`) are in it from the start, the
---others are decoded when they are first read; `pairs` shows all. What reads the
---table itself (`next`, `rawget`, `rawset`, `table.*`, `cjson.encode`) sees the
---others only after `account:decode()`. A script may write into it, but plans and
---guards go by what the service said.
---@class composio.account
---@field id string
---@field toolkit { slug: string }
---@field auth_config { id: string, is_composio_managed: boolean, is_disabled: boolean }
---@field user_id? string
---@field alias? string
---@field word_id? string
---@field status composio.status
---@field status_reason? string
---@field is_disabled boolean
---@field created_at string ISO 8601, UTC
---@field updated_at string
---@field state { authScheme: string, val: table }
---@field data table
---@field params? table only where get gave the account
---@field experimental? { account_type: composio.account_type, acl_config_for_shared: composio.acl? }
---@field requested_scopes? string[]
---@field requested_user_scopes? string[]
local account = {}

---Decodes what was not read yet, and returns the account. A field of the
---service's that is named like a method is left out.
---@return composio.account
function account:decode() end

---ACTIVE, not disabled, and its auth config not disabled either?
---@return boolean
function account:is_usable() end

---@param options? composio.connected_accounts.enable.options
---@return { success: boolean }
function account:enable(options) end

---@param options? composio.connected_accounts.disable.options
---@return { success: boolean }
function account:disable(options) end

---@param options? composio.connected_accounts.refresh.options
---@return composio.refreshed
function account:refresh(options) end

---@param options? composio.connected_accounts.revoke.options
---@return composio.revoked
function account:revoke(options) end

---The changes that earlier runs made to it, as composio.history gives them.
---@param options? composio.account.history.options
---@return fun(): composio.change?
function account:history(options) end

---@param options? composio.connected_accounts.delete.options
---@return composio.deleted
function account:delete(options) end

---@param options composio.connected_accounts.update.options
---@return composio.updated
function account:update(options) end

---@param options? composio.wait.options
---@return composio.account
function account:wait_for_connection(options) end

---@class composio.page
---@field items composio.account[]
---@field next_cursor? string
---@field total_items integer
---@field total_pages integer
---@field current_page integer

---@class composio.refreshed
---@field id string
---@field status composio.status
---@field redirect_url? string where the user has to log in

---@class composio.revoked
---@field revoked_tokens string[]
---@field connected_account { id: string, status: composio.status }

---@class composio.deleted
---@field success boolean
---@field revoke_job_id? string

---@class composio.updated
---@field success boolean
---@field id string
---@field status composio.status

-- ---- connection requests and waiting -------------------------------------

---What link and initiate give.
---@class composio.connection_request
---@field id string of the account
---@field status composio.status follows wait_for_connection
---@field redirect_url? string where the user has to log in; whoever has it can
---@field expires_at? string of a link: ten minutes from now
---@field link_token? string
local connection_request = {}

---@param options? composio.wait.options
---@return composio.account
function connection_request:wait_for_connection(options) end

---@class composio.wait.options
---@field timeout? number seconds, 60
---@field interval? number seconds between two looks, 1
---@field inactive_is_failure? boolean

-- ---- selections ------------------------------------------------------------

---How a walk came out.
---@class composio.listing
---@field complete boolean
---@field accounts integer that were given
---@field pages integer
---@field dropped integer that the filter had not asked for
---@field repeated integer that came twice
---@field total_items? integer as the service counts
---@field reason? string why it is not complete

---Accounts of all pages: `for account in selection do`.
---@class composio.selection
---@operator call: composio.account?
local selection = {}

---How the latest walk came out.
---@return composio.listing
function selection:listing() end

---A new walk by hand: call it for the next account.
---@return composio.walk
function selection:walk() end

---Ends its walks: a loop over it gives no account any more, and no page is read.
---For a loop that was left early, when a change comes after it: outside a bulk a
---change first reads the rest of each listing of its project that can still be
---read on, and raises above 10,000 accounts. A listing that nobody can reach any
---more is not read; to find that out takes a full garbage collection, which
---close() spares. `local selection <close> = accounts.each {}` does it by itself.
function selection:close() end

---@class composio.walk
---@operator call: composio.account?
local walk = {}

---Ends it, as closing its selection does.
function walk:close() end

---@return composio.listing
function walk:listing() end

-- ---- composio.connected_accounts -----------------------------------------

---@class composio.connected_accounts
local connected_accounts = {}

---@class composio.connected_accounts.list.options: composio.call.options
---@field toolkit_slugs? string[]
---@field statuses? composio.status[]
---@field user_ids? string[]
---@field auth_config_ids? string[]
---@field connected_account_ids? string[]
---@field account_type? "PRIVATE" | "SHARED" | "ALL" PRIVATE when it is left out
---@field order_by? "created_at" | "updated_at"
---@field order_direction? "asc" | "desc"
---@field limit? integer
---@field cursor? string

---One page.
---@param options? composio.connected_accounts.list.options
---@return composio.page
function connected_accounts.list(options) end

---All pages, oldest first, a hundred at a time unless the options say otherwise.
---@param options? composio.connected_accounts.list.options
---@return composio.selection
function connected_accounts.each(options) end

---@class composio.connected_accounts.get.options: composio.call.options

---@param id string | composio.account
---@param options? composio.connected_accounts.get.options
---@return composio.account
function connected_accounts.get(id, options) end

---@class composio.connected_accounts.initiate.options: composio.change.options
---@field callback_url? string
---@field config? composio.scheme what composio.auth_scheme makes
---@field alias? string
---@field account_type? composio.account_type
---@field acl? composio.acl
---@field allow_multiple? boolean do not look for an ACTIVE account first

---Connects with credentials, or a form, of your own.
---@param user_id string
---@param auth_config_id string
---@param options? composio.connected_accounts.initiate.options
---@return composio.connection_request
function connected_accounts.initiate(user_id, auth_config_id, options) end

---@class composio.connected_accounts.link.options: composio.change.options
---@field callback_url? string
---@field alias? string
---@field connection_data? table fills fields of the form
---@field account_type? composio.account_type
---@field acl? composio.acl
---@field allow_multiple? boolean do not look for an ACTIVE account first

---Connects on a page of Composio's.
---@param user_id string
---@param auth_config_id string
---@param options? composio.connected_accounts.link.options
---@return composio.connection_request
function connected_accounts.link(user_id, auth_config_id, options) end

---@class composio.connected_accounts.enable.options: composio.change.options

---@param id string | composio.account
---@param options? composio.connected_accounts.enable.options
---@return { success: boolean }
function connected_accounts.enable(id, options) end

---@class composio.connected_accounts.disable.options: composio.change.options

---@param id string | composio.account
---@param options? composio.connected_accounts.disable.options
---@return { success: boolean }
function connected_accounts.disable(id, options) end

---@class composio.connected_accounts.refresh.options: composio.change.options
---@field redirect_url? string
---@field even_if_active? boolean

---Starts a new login. Raises for an ACTIVE account.
---@param id string | composio.account
---@param options? composio.connected_accounts.refresh.options
---@return composio.refreshed
function connected_accounts.refresh(id, options) end

---@class composio.connected_accounts.delete.options: composio.change.options
---@field revoke? boolean revoke the tokens at the provider, too

---@param id string | composio.account
---@param options? composio.connected_accounts.delete.options
---@return composio.deleted
function connected_accounts.delete(id, options) end

---@class composio.connected_accounts.revoke.options: composio.change.options

---@param id string | composio.account
---@param options? composio.connected_accounts.revoke.options
---@return composio.revoked
function connected_accounts.revoke(id, options) end

---@class composio.connected_accounts.update.options: composio.change.options
---@field alias? string "" takes it away
---@field credentials? composio.scheme
---@field acl? composio.acl each list replaces the one before

---@param id string | composio.account
---@param options composio.connected_accounts.update.options
---@return composio.updated
function connected_accounts.update(id, options) end

---Waits until a person has logged in, or it has failed.
---@param id string | composio.account | composio.connection_request
---@param options? composio.wait.options
---@return composio.account
function connected_accounts.wait_for_connection(id, options) end

-- ---- composio.auth_configs -----------------------------------------------

---Read like an account, with `decode` as its only method.
---@class composio.auth_config
---@field id string
---@field name string
---@field toolkit { slug: string, logo: string? }
---@field auth_scheme? string
---@field is_composio_managed? boolean
---@field status "ENABLED" | "DISABLED"
---@field no_of_connections integer
---@field credentials? table
local auth_config = {}

---@return composio.auth_config
function auth_config:decode() end

---@class composio.auth_configs
local auth_configs = {}

---@class composio.auth_configs.list.options: composio.call.options
---@field cursor? string
---@field is_composio_managed? boolean
---@field limit? integer
---@field search? string
---@field show_disabled? boolean
---@field toolkit_slugs? string[]

---@param options? composio.auth_configs.list.options
---@return { items: composio.auth_config[], next_cursor: string?, total_items: integer }
function auth_configs.list(options) end

---@class composio.auth_configs.get.options: composio.call.options

---@param id string
---@param options? composio.auth_configs.get.options
---@return composio.auth_config
function auth_configs.get(id, options) end

---@class composio.auth_configs.enable.options: composio.change.options

---@param id string
---@param options? composio.auth_configs.enable.options
---@return { success: boolean }
function auth_configs.enable(id, options) end

---@class composio.auth_configs.disable.options: composio.change.options

---Its ACTIVE connections become INACTIVE.
---@param id string
---@param options? composio.auth_configs.disable.options
---@return { success: boolean }
function auth_configs.disable(id, options) end

---@class composio.auth_configs.update.options: composio.change.options
---@field type "default" | "custom"
---@field credentials table

---@param id string
---@param options composio.auth_configs.update.options
---@return { success: boolean }
function auth_configs.update(id, options) end

-- ---- composio.auth_scheme ------------------------------------------------

---@class composio.scheme
---@field authScheme string
---@field val table

---Credentials as the service expects them. A field that is given wins over the
---default status.
---@class composio.auth_scheme
local auth_scheme = {}

---@param fields? table
---@return composio.scheme
function auth_scheme.oauth1(fields) end

---@param fields? table
---@return composio.scheme
function auth_scheme.oauth2(fields) end

---@param fields { api_key: string? }
---@return composio.scheme
function auth_scheme.api_key(fields) end

---@param fields { username: string, password: string? }
---@return composio.scheme
function auth_scheme.basic(fields) end

---@param fields { token: string }
---@return composio.scheme
function auth_scheme.bearer_token(fields) end

---@param fields { username: string, password: string }
---@return composio.scheme
function auth_scheme.basic_with_jwt(fields) end

---@param fields { credentials_json: string }
---@return composio.scheme
function auth_scheme.google_service_account(fields) end

---@param fields? table
---@return composio.scheme
function auth_scheme.no_auth(fields) end

---@param fields? table
---@return composio.scheme
function auth_scheme.calcom_auth(fields) end

---@param fields { sessionId: string, devKey: string }
---@return composio.scheme
function auth_scheme.billcom_auth(fields) end

auth_scheme.OAuth1 = auth_scheme.oauth1
auth_scheme.OAuth2 = auth_scheme.oauth2
auth_scheme.ApiKey = auth_scheme.api_key
auth_scheme.APIKey = auth_scheme.api_key
auth_scheme.Basic = auth_scheme.basic
auth_scheme.BearerToken = auth_scheme.bearer_token
auth_scheme.BasicWithJWT = auth_scheme.basic_with_jwt
auth_scheme.BasicWithJwt = auth_scheme.basic_with_jwt
auth_scheme.GoogleServiceAccount = auth_scheme.google_service_account
auth_scheme.NoAuth = auth_scheme.no_auth
auth_scheme.CalcomAuth = auth_scheme.calcom_auth
auth_scheme.BillcomAuth = auth_scheme.billcom_auth

-- ---- clients -----------------------------------------------------------

---@class composio.client.options
---@field api_key? string
---@field api_key_file? string refused when others than its owner can read it
---@field base_url? string
---@field timeout? number seconds for one attempt, 60
---@field retries? integer after the first attempt, 2
---@field concurrency? integer attempts at once, 32
---@field budget? number per cent of the organisation's rate limit, 25
---@field max_wait? number seconds, the longest Retry-After obeyed, 120

---@class composio.client
---@field connected_accounts composio.connected_accounts
---@field auth_configs composio.auth_configs
local client = {}

---Ends its calls under way, too.
function client:close() end

---@param options? composio.client.options
---@return composio.client
function composio.client(options) end

-- ---- tasks ---------------------------------------------------------------

---@class composio.task
---@field status "ready" | "running" | "waiting" | "done" | "failed" | "cancelled"
---@field traceback? string of an error that was a string
local task = {}

---What the task's function returns; raises what it raised.
---@return any ...
function task:join() end

---Raises in the task at its next call, and again after a pcall. While that error
---ends the task, its `__close` handlers may wait for calls of their own. Where a
---pcall, a coroutine of the task's own or a C function such as table.sort stands
---between, they meet the cancel, too.
---@param reason? string
---@param grace? number seconds for its __close handlers, 10
function task:cancel(reason, grace) end

---Runs f as a task of the present run.
---@param f fun(...): ...
---@param ... any its arguments
---@return composio.task
function composio.spawn(f, ...) end

---@param seconds number
function composio.sleep(seconds) end

---Runs f as a task and waits for it and for all that were spawned in it.
---@param f fun(...): ...
---@param ... any its arguments
---@return any ...
function composio.run(f, ...) end

-- ---- jobs: with composio-lua only ------------------------------------------

---A value of type "secret" is never given on the command line: it comes from
---`--NAME-file FILE` (mode 0600), from `COMPOSIO_PARAM_NAME`, or, when it is required,
---from a question on the terminal that does not show it. It is masked in all that
---composio-lua writes, from six bytes on; the ledger keeps a salted fingerprint.
---@class composio.job.param
---@field type "string" | "integer" | "number" | "boolean" | "duration" | "enum" | "file" | "secret"
---@field default? any
---@field required? boolean
---@field help? string
---@field min? number
---@field max? number
---@field values? string[] of an enum
---@field was? string the former name, which is refused with the new one

---How many changes with that outcome end a run: 5, or "3%" of its changes.
---@class composio.job.stops
---@field failed? string | integer
---@field unknown? string | integer
---@field stale? string | integer

---@class composio.job
---@field summary? string
---@field may? "read" | "reversible" | "irreversible" the most it may plan
---@field params? table<string, composio.job.param> in: declared; out: values
---@field stop_on? composio.job.stops what ends the run early; --stop-on is stronger

---Says what the script is for and which parameters it takes.
---@param job composio.job
---@return composio.job
function composio.job(job) end

---The first items, before all others: these go on only when the check passes for
---each of the first. It gets the account as it is then, nil when it is gone.
---@class composio.bulk.canary
---@field count integer
---@field check fun(account: composio.account?): boolean

---@class composio.bulk.options
---@field name? string needed when a script has several
---@field key? fun(row: table): string
---@field after? fun(item: table, results: table) once per finished item, and again in a resume
---@field concurrency? integer items at once
---@field allow_incomplete? boolean
---@field canary? composio.bulk.canary

---Decides once per account; what it plans is shown, or with --apply sent.
---@overload fun(selection: composio.selection | table, action: fun(account: composio.account)): table
---@param name string | composio.bulk.options
---@param items composio.selection | table accounts.each, accounts, ids, or rows; `after` gets a row without its tables
---@param action fun(account: composio.account)
---@return table counts by outcome, `selected`, by operation in `operations`, by tag in `tags`
function composio.bulk(name, items, action) end

---Gives the item a tag, in a bulk's action or its `after`; elsewhere it raises. An item has
---a tag once. The bulk returns their counts, the summary and `show RUN --tag` tell them.
---@param name string 1 to 32 of a-z, 0-9, _ and -
function composio.tag(name) end

---The rows of a CSV file, for a bulk or a loop.
---@param path string
---@param columns? string[] that must be there and filled
---@param options? { secret: string[]?, raw: boolean? }
function composio.csv(path, columns, options) end

---A CSV file for people: see Reports in docs/runs.md.
---@param path string or "-" for stdout
---@param columns string[]
---@param options? { raw: boolean?, live: boolean? }
---@return { add: fun(self, row: table), last: (fun(self): fun(): table?), path: string }
function composio.report(path, columns, options) end

-- ---- earlier runs: with composio-lua only ------------------------------------

---@alias composio.outcome
---| "done"
---| "same"
---| "failed"
---| "skipped"
---| "unknown"
---| "stale"
---| "pending"
---| "planned"
---| "intended"
---| "not_tried"

---@class composio.runs.options
---@field mode? "apply" | "preview" both when it is left out
---@field since? string | number began since then: "90d", seconds, or a time

---@class composio.past_run
---@field id string for composio-lua show, resume and undo
---@field script string path, or "undo:RUN"
---@field mode "apply" | "preview"
---@field state "ended" | "running" | "interrupted" | "open" open: a preview that did not end
---@field began_at string ISO 8601, UTC
---@field ended_at? string
---@field exit? integer exit code
---@field sessions integer 1, and one more for each time it was resumed
---@field undoes? string id of the run that it undoes
---@field params table<string, any> as typed; of a secret: { fingerprint, file }
---@field changes? table<composio.outcome, integer> how many ended how; known once it has ended
---@field who string user name
---@field host string machine
---@field version string of composio-lua

---Iterates over the earlier runs of this project in the ledger, newest first:
---for run in composio.runs { mode = "apply", since = "1d" } do … end. A project
---is a base URL and an API key. The run that asks is left out. Rows are read as
---the loop goes on, a few at a time; nothing is locked meanwhile.
---@param options? composio.runs.options
---@return fun(): composio.past_run?
function composio.runs(options) end

---@class composio.account.history.options
---@field operation? string "disable", "auth_configs.disable"
---@field outcome? composio.outcome
---@field previews? boolean also what previews planned and nobody carried out
---@field since? string | number ended since then: "90d", seconds, or a time

---@class composio.history.options: composio.account.history.options
---@field account? string | composio.account or the id of an auth config

---@class composio.change
---@field run string id of its run
---@field script string
---@field mode "apply" | "preview"
---@field at string when it ended, was sent, or was planned; ISO 8601, UTC
---@field operation string "disable", "auth_configs.disable"
---@field outcome composio.outcome
---@field account_id? string of a create: the account that it made
---@field auth_config_id? string
---@field user_id? string
---@field toolkit? string
---@field key string of its item
---@field status_before? composio.status as the plan saw it
---@field status_after? composio.status
---@field reason? string that the script gave
---@field error? string
---@field resolved_at? string when a person gave it its outcome by composio-lua resolve
---@field resolved_by? string "user@machine"
---@field resolution? string the person's reason
---@field request_id? string of the service
---@field fallback boolean an `otherwise`
---@field class "read" | "reversible" | "irreversible"
---@field line? string of the script
---@field who string user name
---@field host string machine

---Iterates over the changes that earlier runs of this project made. Those of one
---account come oldest first and include the create that made it; others come run
---by run, oldest run first, each in the order of its plan. The run that asks is
---left out, and the first question about an account finds out what there is:
---what other processes add later is not seen. Rows are read as the loop goes on.
---@param options? composio.history.options
---@return fun(): composio.change?
function composio.history(options) end

-- ---- time ----------------------------------------------------------------

---The time that long ago, as the service writes it: composio.ago("90d").
---@param duration string | number
---@return string
function composio.ago(duration) end

-- ---- values --------------------------------------------------------------

---Marks a table as a list, so that an empty one is sent as [].
---@param list? table
---@return table
function composio.array(list) end

-- ---- libraries -----------------------------------------------------------

---@class composio.library
---@field library string "libcurl", "nettle", "Lua", "lua-cjson"; in composio-lua also "SQLite"
---@field built? string the version of its headers when the module was built
---@field runs? string the version that is loaded
---@field more? string what else it says of itself, or why it is missing
---@field warning? string that version is known to do harm: what happens, what to do

---The libraries that the module stands on. A warning also comes at the first
---client: with composio-lua as a line of the log, in stock Lua by warn, which is
---silent until lua5.4 -W or warn "@on".
---@return composio.library[]
function composio.versions() end

composio.connected_accounts = connected_accounts
composio.auth_configs = auth_configs
composio.auth_scheme = auth_scheme

return composio, { account = account, auth_config = auth_config, client = client, task = task,
  walk = walk, selection = selection, connection_request = connection_request }
