---@meta composio
-- Annotations for editors (LuaLS): every function, option and field of the module.
-- docs/make_api.lua makes docs/api.md from them; spec/stubs_spec.lua compares their names
-- with the module's. Nothing loads this file at run time.

---Composio's connected accounts for Lua scripts. Times are in seconds, and fields have
---the names of the HTTP API. A call that fails raises a composio.error; a call with
---wrong arguments raises a string.
---@class composio
---@field _VERSION string
---@field null lightuserdata JSON's null, for a field that has to be sent as null
---@field connected_accounts composio.connected_accounts calls of the default client
---@field auth_configs composio.auth_configs calls of the default client
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

---Options of every call.
---@class composio.call.options
---@field timeout? number seconds for the whole call, retries included

---Options of every call that changes something.
---@class composio.change.options: composio.call.options
---@field reason? string the ledger keeps it; it is not sent to the service
---@field otherwise? string fallback to send when this change fails, e.g. "disable"; bulks only

-- ---- errors ------------------------------------------------------------

---The error that a failed call raises. tostring returns it as one line, and `..` puts that
---line into a text. The name RouteNotFoundError means that the base URL is wrong, or that the
---service no longer has the operation's route. It says nothing about the account, and it ends
---a run.
---@class composio.error
---@field name string such as ComposioConnectedAccountNotFoundError
---@field message string
---@field code? integer the service's error number
---@field slug? string the service's name for the error
---@field status? integer HTTP status
---@field request_id? string
---@field suggested_fix? string
---@field operation? string such as connected_accounts.disable
---@field account_id? string
---@field attempts? integer
---@field retryable boolean
---@field unavailable? true the service did not answer the call itself, or asked to wait
---@field overlong? true it asked to wait longer than --max-wait, or the client's max_wait
---@field outcome "failed" | "unknown" unknown: the change may have been carried out
---@field where? string the script's line, such as job.lua:12
---@field cause? composio.error the original error, when this one has another name
---@operator concat: string
---@field account_status? composio.status the last status that a failed wait saw
---@field status_reason? string the service's reason for that status

-- ---- accounts ----------------------------------------------------------

---@class composio.acl
---@field allow_all_users? boolean
---@field allowed_user_ids? string[]
---@field not_allowed_user_ids? string[]

---A plain table. It has the fields that most scripts need from the start (`id status
---user_id alias word_id status_reason is_disabled created_at updated_at`); the others are
---decoded when they are first read. `pairs` decodes and returns all of them. Functions
---that ignore metamethods (`next`, `rawget`, `rawset`, `cjson.encode`) see the others
---only after `account:decode()`. A script may write into the table, but plans and guards
---use the values that the service sent. An unknown field is nil, but one in the SDK's
---spelling (`userId`) raises an error.
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
---@field params? table only in an account that get returned
---@field experimental? { account_type: composio.account_type, acl_config_for_shared: composio.acl? }
---@field requested_scopes? string[]
---@field requested_user_scopes? string[]
local account = {}

---Decodes all fields that were not read yet, and returns the account. A field that has
---the name of a method is left out.
---@return composio.account
function account:decode() end

---Returns true when the account is ACTIVE and neither it nor its auth config is disabled.
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

---Iterates over the changes that earlier runs made to this account, as composio.history
---does.
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

---The accounts are in `items`; `#page` and `ipairs(page)` raise an error.
---@class composio.page
---@field items composio.account[]
---@field next_cursor? string
---@field total_items integer
---@field total_pages integer
---@field current_page integer

---@class composio.refreshed
---@field id string
---@field status composio.status
---@field redirect_url? string the page on which the user has to log in

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

---The result of link and initiate.
---@class composio.connection_request
---@field id string the account's id
---@field status composio.status wait_for_connection updates it
---@field redirect_url? string login page for the user; anybody who has the URL can log in there
---@field expires_at? string when the link expires, ten minutes after it was made
---@field link_token? string
local connection_request = {}

---@param options? composio.wait.options
---@return composio.account
function connection_request:wait_for_connection(options) end

---@class composio.wait.options
---@field timeout? number seconds to wait at most, 60; at most 3600
---@field interval? number seconds between two reads of the account, 1
---@field inactive_is_failure? boolean raise an error for INACTIVE, instead of waiting on

-- ---- selections ------------------------------------------------------------

---What a walk has read.
---@class composio.listing
---@field complete boolean whether the walk returned every account that matches
---@field accounts integer accounts read that match the filter
---@field pages integer pages read
---@field dropped integer accounts left out because they do not match the filter
---@field repeated integer accounts that were listed twice
---@field total_items? integer the service's own count
---@field reason? string why the listing is not complete

---The accounts of all pages. Iterate with `for account in selection do`. A selection is not
---a list: `pairs`, `ipairs`, `#` and an index raise an error.
---@class composio.selection
---@operator call: composio.account?
local selection = {}

---Returns what the latest walk has read.
---@return composio.listing
function selection:listing() end

---Returns a new walk. Each call of the walk returns the next account.
---@return composio.walk
function selection:walk() end

---Ends the selection's walks: loops over it end, and no more pages are read.
---Call it after leaving a loop early, if the script changes accounts afterwards. A change
---outside a bulk first reads the remaining pages of every unfinished walk of its project,
---and raises an error when one has more than 10,000 accounts. Walks that the script can no
---longer reach are not read, but finding them takes a full garbage collection; close()
---saves both. `local selection <close> = accounts.each {}` closes the selection by itself.
function selection:close() end

---@class composio.walk
---@operator call: composio.account?
local walk = {}

---Ends this walk, as closing its selection does.
function walk:close() end

---Returns what this walk has read.
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
---@field account_type? "PRIVATE" | "SHARED" | "ALL" default PRIVATE
---@field order_by? "created_at" | "updated_at"
---@field order_direction? "asc" | "desc"
---@field limit? integer
---@field cursor? string

---Returns one page of accounts.
---@param options? composio.connected_accounts.list.options
---@return composio.page
function connected_accounts.list(options) end

---Returns a selection: the accounts of all pages, for a loop or a bulk:
---`for account in accounts.each { statuses = { "ACTIVE" } } do`. By default the oldest
---account comes first and a page has 100 accounts; the options can change both. Without
---options, write `accounts.each {}`.
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
---@field config? composio.scheme the credentials, made with composio.auth_scheme
---@field alias? string
---@field account_type? composio.account_type
---@field acl? composio.acl
---@field allow_multiple? boolean skip the check for an ACTIVE account of this user

---Creates an account from credentials that you already have, or that your own form asks
---for.
---@param user_id string
---@param auth_config_id string
---@param options? composio.connected_accounts.initiate.options
---@return composio.connection_request
function connected_accounts.initiate(user_id, auth_config_id, options) end

---@class composio.connected_accounts.link.options: composio.change.options
---@field callback_url? string
---@field alias? string
---@field connection_data? table values for fields of the form
---@field account_type? composio.account_type
---@field acl? composio.acl
---@field allow_multiple? boolean skip the check for an ACTIVE account of this user

---Makes a link to a page of Composio on which the user connects an account.
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
---@field even_if_active? boolean refresh an ACTIVE account, too

---Starts a new login, which ends a working connection. Raises an error for an ACTIVE
---account unless even_if_active is true.
---@param id string | composio.account
---@param options? composio.connected_accounts.refresh.options
---@return composio.refreshed
function connected_accounts.refresh(id, options) end

---@class composio.connected_accounts.delete.options: composio.change.options
---@field revoke? boolean also revoke the tokens at the provider

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
---@field alias? string "" removes the alias
---@field credentials? composio.scheme
---@field acl? composio.acl each list replaces the account's list of that name

---@param id string | composio.account
---@param options composio.connected_accounts.update.options
---@return composio.updated
function connected_accounts.update(id, options) end

---Waits until the account is ACTIVE and returns it. Raises an error when the login fails
---or the timeout is over.
---@param id string | composio.account | composio.connection_request
---@param options? composio.wait.options
---@return composio.account
function connected_accounts.wait_for_connection(id, options) end

-- ---- composio.auth_configs -----------------------------------------------

---A table like an account: fields are decoded when they are first read. Its only method
---is `decode`.
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

---Disables the auth config. Its ACTIVE connections become INACTIVE.
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

---Makes credentials in the form that the service expects. A `status` among the fields
---replaces the default status. Each toolkit has fields of its own, and they are passed on.
---The named credentials are strings, and one of them must be there; in an update, those
---that are left out keep their values.
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
---@field api_key_file? string file of the key, mode 0600: others must not be able to read it
---@field base_url? string
---@field timeout? number seconds for one attempt, 60
---@field retries? integer retries after the first attempt, 2
---@field concurrency? integer attempts at the same time, 32
---@field budget? number use at most this percentage of the organisation's rate limit, 25
---@field max_wait? number seconds to wait at most when the service sends Retry-After, 120

---@class composio.client
---@field connected_accounts composio.connected_accounts
---@field auth_configs composio.auth_configs
local client = {}

---Closes the client. Calls that are under way raise an error.
function client:close() end

---@param options? composio.client.options
---@return composio.client
function composio.client(options) end

-- ---- tasks ---------------------------------------------------------------

---@class composio.task
---@field status "ready" | "running" | "waiting" | "done" | "failed" | "cancelled"
---@field traceback? string where the task failed, unless its error is a composio.error
local task = {}

---Waits for the task. Returns what its function returned, or raises what it raised.
---@return any ...
function task:join() end

---Cancels the task: its current or next call raises an error, and so does each later call
---if a pcall catches that error. While the error ends the task, its `__close` handlers may
---make calls and wait for them. A handler that runs inside a pcall, a coroutine of the
---task's own or a C function such as table.sort may not: its calls raise, too.
---@param reason? string
---@param grace? number seconds that the __close handlers get, 10
function task:cancel(reason, grace) end

---Starts f as a task of the current composio.run.
---@param f fun(...): ...
---@param ... any arguments of f
---@return composio.task
function composio.spawn(f, ...) end

---Waits; in a task, other tasks run meanwhile.
---@param seconds number at least 0, at most a year
function composio.sleep(seconds) end

---Runs f as a task. Waits for it and for all tasks that were spawned in it, and returns
---what f returned.
---@param f fun(...): ...
---@param ... any arguments of f
---@return any ...
function composio.run(f, ...) end

-- ---- jobs: with composio-lua only ------------------------------------------

---A value of type "secret" is never given on the command line. It comes from
---`--NAME-file FILE` (mode 0600) or from the environment variable `COMPOSIO_PARAM_NAME`;
---a required one is otherwise asked for on the terminal, without echo. composio-lua masks
---the value in all that it writes, and so refuses one of fewer than six bytes. The ledger keeps only a salted
---fingerprint: a call raises when such a value stands where the ledger, a plan or a report
---would keep it in clear (a key, a row, an id, a user, an alias, a tag, a bulk's name). It is
---masked in reasons, and credentials may hold it.
---
---A "file" is one that the script reads: what cannot be read is refused. A "path" is that of
---a file that it writes. The command after `next:` names both by absolute paths.
---@class composio.job.param
---@field type "string" | "integer" | "number" | "boolean" | "duration" | "enum" | "file" | "path" | "secret"
---@field default? string | number | boolean of the parameter's type; a duration: "90d" or seconds
---@field required? boolean excludes a default
---@field help? string
---@field min? number | string for integer, number and duration ("5m") only
---@field max? number | string for integer, number and duration only
---@field values? string[] the values of an enum, which needs them
---@field was? string a former name: giving it is an error that names the new one

---How many changes with an outcome end the run: a number, or "3%" of the run's changes.
---@class composio.job.stops
---@field failed? string | integer
---@field unknown? string | integer
---@field stale? string | integer

---@class composio.job
---@field summary? string
---@field may? "read" | "reversible" | "irreversible" highest class of changes it may plan
---@field params? table<string, composio.job.param> by name
---@field stop_on? composio.job.stops limits that end the run early; --stop-on overrides them

---What composio.job returns. Reading a name that is not there, also in `params`, raises an
---error.
---@class composio.job.result
---@field summary string
---@field may "read" | "reversible" | "irreversible"
---@field params table<string, any> the parameters' values; a duration in seconds

---Declares what the script does, which changes it may plan and which parameters it takes.
---@param job composio.job
---@return composio.job.result
function composio.job(job) end

---A trial with the first items. The other items are carried out only if `check` returns
---true for each of the first. `check` gets the account as it is after its changes, or nil
---if it no longer exists. A resume goes on without the trial when more items than that were
---carried out before, and else makes it again.
---@class composio.bulk.canary
---@field count integer how many items to try first
---@field check fun(account: composio.account?): boolean

---@class composio.bulk.options
---@field name? string required when a script has several bulks
---@field key? fun(row: table): string identifies a row when the run is resumed
---@field after? fun(item: table, results: table) called per finished item; in a resume, again
---@field concurrency? integer items at the same time
---@field allow_incomplete? boolean go on when the listing is incomplete
---@field canary? composio.bulk.canary

---Numbers of items by their outcome. A count of 0 is absent: write `counts.failed or 0`.
---@class composio.counts
---@field selected integer items that the bulk looked at
---@field done? integer
---@field same? integer
---@field failed? integer
---@field skipped? integer
---@field unknown? integer
---@field stale? integer
---@field pending? integer
---@field planned? integer in a preview
---@field not_tried? integer
---@field operations table<string, table<composio.outcome, integer>> numbers of changes
---@field tags table<string, integer>

---What a bulk is about: accounts.each {…}, composio.csv(…), a list of accounts, ids or rows,
---or an iterator: a function that returns the next row, and nil at the end. A list with a hole
---raises an error.
---@alias composio.bulk.items
---| composio.selection
---| composio.rows
---| table[]
---| string[]
---| fun(): table?

---Calls the action once per account or row. The changes that it asks for are planned, not sent:
---a preview shows the plan, and a run with --apply then carries it out. Raises when the
---selection does, for a row without an id say: what was planned is then skipped, and the run
---ends with 1 even if the script catches the error.
---@overload fun(items: composio.bulk.items, action: fun(item: any)): composio.counts
---@param name string | composio.bulk.options
---@param items composio.bulk.items from each or csv, a list of accounts, ids or rows, an iterator
---@param action fun(item: any) gets the account, or the row
---@return composio.counts
function composio.bulk(name, items, action) end

---Gives the current item a tag. Raises an error outside a bulk's action or `after`, also in a
---task that was spawned there and outlives it: join such tasks. Giving
---an item the same tag twice has no effect. The bulk's result and the run's summary count
---the items by tag, and `show RUN --tag NAME` lists them.
---@param name string 1 to 32 of a-z, 0-9, _ and -
function composio.tag(name) end

---The rows of a CSV file; each call returns the next one.
---@class composio.rows
---@operator call: table<string, string>?

---Returns the rows of a CSV file, for a bulk or a loop: `for row in composio.csv(path) do`.
---A column in `secret` must exist, and is kept out of ledger, logs and plans: its values are
---refused and masked like those of a secret parameter (see composio.job.param). The quote that
---composio.report puts before a formula is removed unless `raw` is true. Control bytes and
---invisible characters in cells are warned of; text that is not UTF-8 is an error.
---@param path string
---@param columns? string[] columns that must exist and be filled in each row
---@param options? { secret: string[]?, raw: boolean? }
---@return composio.rows
function composio.csv(path, columns, options) end

---Opens a report, a CSV file for people: see Reports in docs/runs.md. `add` adds a row;
---`last` iterates over the rows of the report that an earlier run left. A cell is a text, a
---number, a boolean, or an object with a text such as an error; bytes that are not UTF-8 are
---written as U+FFFD.
---@param path string or "-" for stdout
---@param columns string[] different names, which are not empty
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
---@field mode? "apply" | "preview" default: both
---@field since? string | number only runs that began since then: "90d", seconds, or a time

---@class composio.past_run
---@field id string the RUN of composio-lua show, resume and undo
---@field script string path, or "undo:RUN"
---@field mode "apply" | "preview"
---@field state "ended" | "running" | "interrupted" | "open" open: a preview that did not end
---@field began_at string ISO 8601, UTC
---@field ended_at? string
---@field exit? integer exit code
---@field sessions integer 1, and one more for each resume
---@field undoes? string id of the run that this run undoes
---@field params table<string, any> parameters as typed; a secret is { fingerprint, file }
---@field changes? table<composio.outcome, integer> counts by outcome; nil until the run has ended
---@field who string user name
---@field host string machine
---@field version string version of composio-lua

---Iterates over the earlier runs of this project in the ledger, newest first:
---`for run in composio.runs { mode = "apply", since = "1d" } do`. A project is a base URL
---with an API key. The script's own run is left out. The loop reads a few rows at a time and
---holds no lock on the ledger between them.
---@param options? composio.runs.options
---@return fun(): composio.past_run?
function composio.runs(options) end

---@class composio.account.history.options
---@field operation? string such as "disable" or "auth_configs.disable"
---@field outcome? composio.outcome
---@field previews? boolean include changes that previews planned
---@field since? string | number only changes since then: "90d", seconds, or a time

---@class composio.history.options: composio.account.history.options
---@field account? string | composio.account an account, or the id of an account or auth config

---@class composio.change
---@field run? string id of the run; nil if pruned
---@field script? string
---@field mode "apply" | "preview"
---@field pruned? boolean true for what runs --prune has left of a removed run: the last refresh of
---an account, and the last change that saw it ACTIVE; of its fields only `at`, `operation`,
---`outcome`, `account_id` or `auth_config_id`, `status_before` and `status_after` are left
---@field at string when it ended, else when it was sent, else when it was planned; ISO 8601, UTC
---@field operation string such as "disable" or "auth_configs.disable"
---@field outcome composio.outcome
---@field account_id? string for a create, the account that it made
---@field auth_config_id? string
---@field user_id? string
---@field toolkit? string
---@field key string key of the bulk's item
---@field status_before? composio.status the account's status when the change was planned
---@field status_after? composio.status
---@field reason? string the script's reason
---@field error? string
---@field resolved_at? string when a person set the outcome with composio-lua resolve
---@field resolved_by? string "user@machine"
---@field resolution? string the reason that the person gave
---@field request_id? string the service's id of the request
---@field fallback boolean whether it is the `otherwise` of another change
---@field class "read" | "reversible" | "irreversible"
---@field line? string the script's line that asked for the change
---@field who string user name
---@field host string machine

---Iterates over the changes that earlier runs of this project made. With `account`, its
---changes come oldest first and include the create that made it. Without, those of removed
---runs that are still known come first (`pruned`), and the others run by
---run, oldest run first, each in the order of its plan. The script's own run is left out.
---The first query with an account collects the changes of all accounts; changes that other
---processes add later do not appear in such queries. The loop reads a few rows at a time.
---@param options? composio.history.options
---@return fun(): composio.change?
function composio.history(options) end

-- ---- time ----------------------------------------------------------------

---Returns the time that was `duration` ago, in the service's format, so that it can be
---compared with `updated_at`: composio.ago("90d").
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
---@field built? string the version of the headers that the module was built with
---@field runs? string the version that is loaded
---@field more? string what else the library says about itself, or why it is missing
---@field warning? string for a version known to do harm: what happens and what to do

---Returns the libraries that the module uses. The first client also gives the warnings: in
---composio-lua as a line of the log, in stock Lua with warn, which is off unless Lua runs
---with -W or the script calls warn "@on".
---@return composio.library[]
function composio.versions() end

composio.connected_accounts = connected_accounts
composio.auth_configs = auth_configs
composio.auth_scheme = auth_scheme

return composio, { account = account, auth_config = auth_config, client = client, task = task,
  walk = walk, selection = selection, connection_request = connection_request }
