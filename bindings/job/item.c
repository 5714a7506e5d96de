/* Items: converts an account table into the item's row in the ledger, and runs
   a script's function for one item.
   Must not know: curl, options of the command line, terminals.

   An item is written at its first change or failure: if ten accounts of a
   selection of a hundred thousand change, the ledger has ten items. Rows (of a
   CSV file) are always written. */
#include <string.h>
#include "base/digest.h"
#include "module/account.h"
#include "module/error.h"
#include "module/table.h"
#include "job/run_private.h"
#include "module/task.h"

/* ---- from an account to a row ---- */

/* Room for the texts of a row. */
struct texts {
  lua_State *L;
  size_t used;
  char bytes[1024];
};

/* Returns an account's member as a C string; NULL when it is not a text. A
   text that does not fit is put on the Lua stack. Making every one a Lua
   string would cost more than the rest of the row. [-0, +(0|1), m] */
static const char *text_of(struct texts *texts,
                           const struct lca_account *account,
                           enum lca_account_member member, const char *inner)
{
  char *to = texts->bytes + texts->used;
  struct ca_slice text;
  if(!lca_account_member(account, member, inner, &text) || text.data[0] != '"')
    return NULL;
  if(text.len > sizeof(texts->bytes) - texts->used)
    to = lua_newuserdatauv(texts->L, text.len, 0);
  else
    texts->used += text.len;
  to[ca_json_unescape(text, to)] = '\0'; /* the reader has validated it */
  return to;
}

static int64_t time_of(struct texts *texts, const struct lca_account *account,
                       enum lca_account_member member)
{
  int64_t wall_ms = 0;
  const char *text = text_of(texts, account, member, NULL);
  return text && ca_clock_parse(text, &wall_ms) ? wall_ms : 0;
}

static void set_flag(const struct lca_account *account,
                     enum lca_account_member member, const char *inner,
                     unsigned flag, struct ca_item *row)
{
  struct ca_slice value;
  if(lca_account_member(account, member, inner, &value) &&
     value.data[0] == 't')
    row->flags |= flag;
}

/* Fills the row from the account as the service returned it. The row's texts
   are in `texts` and on the stack. [-0, +many, m] */
static void project(lua_State *L, const struct lca_account *account,
                    struct texts *texts, struct ca_item *row)
{
  const char *type;
  luaL_checkstack(L, 20, "an account's row");
  texts->L = L;
  texts->used = 0;
  row->account = text_of(texts, account, LCA_ACCOUNT_ID, NULL);
  row->user = text_of(texts, account, LCA_ACCOUNT_USER_ID, NULL);
  row->alias = text_of(texts, account, LCA_ACCOUNT_ALIAS, NULL);
  row->status = text_of(texts, account, LCA_ACCOUNT_STATUS, NULL);
  row->status_reason =
      text_of(texts, account, LCA_ACCOUNT_STATUS_REASON, NULL);
  row->created_ms = time_of(texts, account, LCA_ACCOUNT_CREATED_AT);
  row->updated_ms = time_of(texts, account, LCA_ACCOUNT_UPDATED_AT);
  row->toolkit = text_of(texts, account, LCA_ACCOUNT_TOOLKIT, "slug");
  row->scheme = text_of(texts, account, LCA_ACCOUNT_STATE, "authScheme");
  if(!row->scheme)
    row->scheme =
        text_of(texts, account, LCA_ACCOUNT_AUTH_CONFIG, "auth_scheme");
  set_flag(account, LCA_ACCOUNT_IS_DISABLED, NULL, CA_ITEM_DISABLED, row);
  set_flag(account, LCA_ACCOUNT_AUTH_CONFIG, "is_composio_managed",
           CA_ITEM_MANAGED, row);
  set_flag(account, LCA_ACCOUNT_AUTH_CONFIG, "is_disabled",
           CA_ITEM_CONFIG_DISABLED, row);
  type = text_of(texts, account, LCA_ACCOUNT_EXPERIMENTAL, "account_type");
  if(type && !strcmp(type, "SHARED"))
    row->flags |= CA_ITEM_SHARED;
}

/* ---- into the ledger ---- */

void lca_item_store(lua_State *L, struct lca_run *run, int index,
                    const struct lca_account *account)
{
  struct lca_item *item = lua_touserdata(L, index);
  struct texts texts;
  struct ca_item row;
  struct ca_err err;
  int top = lua_gettop(L);
  if(item->number)
    return;
  index = lua_absindex(L, index);
  lca_run_begin(L, run);
  ca_err_clear(&err);
  memset(&row, 0, sizeof(row));
  row.bulk = item->bulk;
  if(item->account)
    project(L, item->account, &texts, &row);
  else if(account) {
    project(L, account, &texts, &row);
    item->follows_first = true;
  }
  lua_getiuservalue(L, index, LCA_ITEM_KEY);
  row.key = lua_tostring(L, -1);
  if(lua_getiuservalue(L, index, LCA_ITEM_ROW) == LUA_TSTRING)
    row.row = lua_tostring(L, -1);
  switch(ca_plan_rows_add_item(run->ledger, &row, &item->number, &err)) {
  case CA_OK:
    break;
  case CA_USAGE:
    lca_error_usage(L, "composio.bulk: %s", err.text);
    break;
  default:
    lca_run_ledger_failed(L, run, &err);
  }
  lua_settop(L, top);
}

/* Makes the next free key. A resumed run already has keys from its earlier
   sessions. */
static void name_call(lua_State *L, struct lca_run *run, char *key,
                      size_t size)
{
  int64_t taken = 0;
  struct ca_err err;
  ca_err_clear(&err);
  do {
    snprintf(key, size, "call %lld", (long long)++run->last_call);
    if(run->options.replay.on &&
       ca_read_find_item(run->ledger, 0, key, &taken, &err))
      lca_run_ledger_failed(L, run, &err);
  } while(taken);
}

int64_t lca_item_add_single(lua_State *L, struct lca_run *run,
                            const struct lca_account *account, const char *id)
{
  struct texts texts;
  struct ca_item row;
  struct ca_err err;
  int64_t number = 0;
  char key[32];
  int top = lua_gettop(L);
  ca_err_clear(&err);
  memset(&row, 0, sizeof(row));
  if(account)
    project(L, account, &texts, &row);
  else
    row.account = id[0] ? id : NULL;
  name_call(L, run, key, sizeof(key));
  row.key = key;
  if(ca_plan_rows_add_item(run->ledger, &row, &number, &err))
    lca_run_ledger_failed(L, run, &err);
  lua_settop(L, top);
  return number;
}

/* host.fail_straight(operation, id, text): records the failure of a
   straight-line change whose account does not exist, so that there is no
   change to record. */
int lca_item_fail_straight(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const char *operation = luaL_checkstring(L, 1);
  const char *id = luaL_checkstring(L, 2);
  const char *text = luaL_checkstring(L, 3);
  struct ca_err err;
  int64_t number;
  ca_err_clear(&err);
  lca_run_begin(L, run);
  number = lca_item_add_single(L, run, NULL, id);
  if(ca_outcome_record_item(run->ledger, number, CA_FAILED, text, &err))
    return lca_run_ledger_failed(L, run, &err);
  lca_tally_failure(run, id, operation, CA_FAILED, "", text);
  return 0;
}

struct lca_item *lca_item_push_live(lua_State *L, struct lca_run *run,
                                    int64_t id)
{
  struct lca_item *item;
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->live_ref);
  lua_rawgeti(L, -1, id & ((1 << LCA_SLOT_BITS) - 1));
  lua_remove(L, -2);
  item = lua_touserdata(L, -1);
  if(item && item->id == id)
    return item;
  lua_pop(L, 1);
  lua_pushnil(L);
  return NULL;
}

/* Pushes what lca_item_push_live pushes for the running task. *id: what the
   task carries, 0 outside a bulk. */
static struct lca_item *push_running(lua_State *L, int64_t *id)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_task *task = lca_scheduler_running(run->sched);
  *id = task ? lca_task_item(task) : 0;
  return *id > 0 ? lca_item_push_live(L, run, *id) : NULL;
}

/* host.item_account(id) → the account of the item whose action runs, if this
   is its id; a table with only the id if the action runs again for its
   secrets; else nil. It saves the shipped Lua a request. */
int lca_item_account(lua_State *L)
{
  int64_t id;
  struct lca_item *item = push_running(L, &id);
  if(!item)
    return 0;
  if(item->recall) {
    lua_createtable(L, 0, 1);
    lca_table_set_text(L, "id", luaL_checkstring(L, 1));
    return 1;
  }
  if(lua_getiuservalue(L, -1, LCA_ITEM_ACCOUNT) == LUA_TNIL)
    return 1;
  return lca_account_about(L, -1, luaL_checkstring(L, 1)) ? 1 : 0;
}

/* host.item_kind() → "plan", "recall", "after", or nil outside a bulk. */
int lca_item_kind(lua_State *L)
{
  int64_t id;
  struct lca_item *item = push_running(L, &id);
  lua_pushstring(L, id < 0         ? "after"
                    : !item        ? NULL
                    : item->recall ? "recall"
                                   : "plan");
  return 1;
}

/* host.row_item(what) → the number of the item whose action or `after` runs,
   0 outside of items. Writes the item to the ledger, where an item with a row
   of a report must be. Raises, naming what is to be added, in a task that has
   outlived the action which spawned it. */
int lca_item_of_row(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int64_t id;
  struct lca_item *item = push_running(L, &id);
  if(id > 0 && !item)
    return lca_error_usage(
        L, "%s: the item's action has ended; join the task there",
        luaL_checkstring(L, 1));
  if(item)
    lca_item_store(L, run, -1, NULL);
  lua_pushinteger(L, id < 0 ? -id : item ? item->number : 0);
  return 1;
}

/* host.tag(name): tags the item whose action or `after` runs. */
int lca_item_tag(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const char *tag = luaL_checkstring(L, 1);
  enum ca_code code = CA_OK;
  int64_t id;
  struct lca_item *item = push_running(L, &id);
  struct ca_err err;
  ca_err_clear(&err);
  lca_run_keep_clear(L, "the tag", tag);
  if(id < 0)
    code = ca_outcome_tag(run->ledger, -id, tag, &err);
  else if(item && !item->recall) {
    lca_item_store(L, run, -1, NULL);
    code = ca_plan_rows_tag(run->ledger, item->number, tag, &err);
  }
  return code ? lca_run_ledger_failed(L, run, &err) : 0;
}

/* ---- running a script's function for one item ---- */

/* Pushes an empty item. Reuses one whose action has ended, so that items
   make no garbage. [-0, +1, m] */
static struct lca_item *push_item(lua_State *L, struct lca_run *run)
{
  struct lca_item *item;
  int slot = run->idle_slot;
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->live_ref);
  if(slot) {
    lua_rawgeti(L, -1, slot);
    item = lua_touserdata(L, -1);
    run->idle_slot = item->next_idle;
  } else {
    item = lua_newuserdatauv(L, sizeof(*item), LCA_ITEM_VALUES);
    slot = ++run->slots;
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, slot);
  }
  lua_remove(L, -2);
  memset(item, 0, sizeof(*item));
  item->slot = slot;
  item->id = ++run->last_item << LCA_SLOT_BITS | slot;
  return item;
}

/* Tells that the item's action has ended. The item is reused in the next
   call of push_item at the earliest. */
static void end_item(struct lca_run *run, struct lca_item *item)
{
  item->id = 0;
  item->next_idle = run->idle_slot;
  run->idle_slot = item->slot;
}

static int error_line(lua_State *L)
{
  (void)lca_error_push_line(L, 1);
  return 1;
}

/* Pushes the line of the error on top. The script's `__tostring` may make it:
   call this while the task still carries the item, so that a change from there
   is the item's, or refused in its `after`. [-0, +1, m] */
static void push_error_line(lua_State *L)
{
  lua_pushcfunction(L, error_line);
  lua_pushvalue(L, -2);
  if(lua_pcall(L, 1, 1, 0) == LUA_OK || lua_type(L, -1) == LUA_TSTRING)
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "unknown error");
}

/* Does the error below its line end the run, since all other calls would fail
   too? */
static bool ends_run(lua_State *L, struct lca_run *run)
{
  enum lca_error_end end = lca_error_ends_run(L, -2);
  if(end == LCA_ERROR_KEY)
    run->stats.key_rejected = true;
  else if(end == LCA_ERROR_ROUTE)
    run->stats.no_route = true;
  return end != LCA_ERROR_GOES_ON;
}

/* The same for the error that a wait for a person raises at its end. */
static bool is_waiting_for_person(lua_State *L)
{
  bool is = false;
  if(lua_istable(L, -2)) {
    lua_pushliteral(L, "name");
    is = lua_rawget(L, -3) == LUA_TSTRING &&
         !strcmp(lua_tostring(L, -1), "ConnectionRequestTimeoutError");
    lua_pop(L, 1);
  }
  return is;
}

/* Records the error, whose line is on top, as the item's outcome.
   [-0, +0, e] */
static void fail_item(lua_State *L, struct lca_run *run, int64_t number,
                      const char *key, const char *operation,
                      enum ca_outcome outcome)
{
  struct ca_err err;
  const char *text = lua_tostring(L, -1);
  ca_err_clear(&err);
  if(ca_outcome_record_item(run->ledger, number, outcome, text, &err))
    lca_run_ledger_failed(L, run, &err);
  if(outcome != CA_PENDING)
    lca_tally_failure(run, key, operation, outcome, "", text);
}

enum {
  PLAN_BULK = 1,
  PLAN_ACTION,
  PLAN_SUBJECT,
  PLAN_KEY,
  PLAN_ACCOUNT,
  PLAN_ROW,
  PLAN_NUMBER,
  PLAN_ANEW,
  PLAN_ITEM
};

/* Logs that an action raised when it ran again for the secrets of an item that
   is already planned; the error's line is on top. */
static void raise_no_secret(lua_State *L, struct lca_run *run)
{
  lua_pushfstring(
      L,
      "  %s: its action failed, so its credentials and rows are missing: %s",
      lua_tostring(L, PLAN_KEY), lua_tostring(L, -1));
  run->options.log_line(run->options.ctx, lua_tostring(L, -1));
}

static int planned(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_item *item = lua_touserdata(L, PLAN_ITEM);
  bool is_good = status == LUA_OK || status == LUA_YIELD;
  (void)ctx;
  if(!is_good)
    push_error_line(L);
  lca_task_set_item(lca_scheduler_running(run->sched), 0);
  end_item(run, item);
  if(is_good) {
    /* every row is stored, so that a resumed run can tell which are new */
    if(!item->number &&
       (!lua_isnil(L, PLAN_ROW) || lua_toboolean(L, PLAN_ANEW)))
      lca_item_store(L, run, PLAN_ITEM, NULL);
    lua_pushboolean(L, 1);
    return 1;
  }
  lca_run_check(L);
  if(ends_run(L, run)) {
    lua_pop(L, 1);
    return lua_error(L);
  }
  if(item->recall) {
    raise_no_secret(L, run);
    lua_pushboolean(L, 0);
    return 1;
  }
  lca_guard_lookup_failed(L, run);
  lca_item_store(L, run, PLAN_ITEM, NULL);
  lca_bulk_take_back(L, run, item);
  fail_item(L, run, item->number, lua_tostring(L, PLAN_KEY), "action",
            CA_FAILED);
  run->plan.failed++;
  lua_pushboolean(L, 0);
  return 1;
}

static void clear_plan(lua_State *L, struct lca_run *run, int64_t item)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_plan_rows_clear(run->ledger, item, &err))
    lca_run_ledger_failed(L, run, &err);
}

/* host.plan_item(bulk, action, subject, key, account, row, number, anew): runs
   the action for one item of the selection; returns whether it did not raise.
   number: of an item in a sealed plan, nil otherwise; its action runs only for
   its secrets, or, if `anew`, to plan it because it had failed. anew without a
   number: it had failed in another run. */
int lca_item_plan(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_task *task = lca_scheduler_running(run->sched);
  struct lca_item *item;
  lua_settop(L, PLAN_ANEW);
  lca_run_keep_clear(L, "the item's key", luaL_checkstring(L, PLAN_KEY));
  lca_run_keep_clear(L, "the item's row", luaL_optstring(L, PLAN_ROW, NULL));
  item = push_item(L, run);
  item->bulk = (int)luaL_checkinteger(L, PLAN_BULK);
  item->account = lca_account_of(L, PLAN_ACCOUNT);
  lua_pushvalue(L, PLAN_ACCOUNT);
  lua_setiuservalue(L, PLAN_ITEM, LCA_ITEM_ACCOUNT);
  lua_pushvalue(L, PLAN_KEY);
  lua_setiuservalue(L, PLAN_ITEM, LCA_ITEM_KEY);
  lua_pushvalue(L, PLAN_ROW);
  lua_setiuservalue(L, PLAN_ITEM, LCA_ITEM_ROW);
  item->number = luaL_optinteger(L, PLAN_NUMBER, 0);
  item->recall = item->number && !lua_toboolean(L, PLAN_ANEW);
  if(!item->recall) {
    run->plan.selected++;
    run->stats.selected++;
  }
  if(item->number && !item->recall)
    clear_plan(L, run, item->number);
  lca_task_set_item(task, item->id);
  lca_scheduler_set_origin(L, run->sched, PLAN_ACTION);
  lua_pushvalue(L, PLAN_ACTION);
  lua_pushvalue(L, PLAN_SUBJECT);
  return planned(L, lua_pcallk(L, 1, 0, 0, 0, planned), 0);
}

enum {
  AFTER_ITEM = 1,
  AFTER_FUNCTION,
  AFTER_SUBJECT,
  AFTER_RESULTS,
  AFTER_KEY,
  AFTER_WHAT
};

/* Clears the outcome that an earlier session may have recorded for the item
   because its `after` raised; this time it did not. */
static void forget_verdict(lua_State *L, struct lca_run *run, int64_t item)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(run->options.replay.on &&
     ca_outcome_record_item(run->ledger, item, CA_PLANNED, NULL, &err))
    lca_run_ledger_failed(L, run, &err);
}

static int after_ended(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_run *run = lca_run_of(L);
  bool is_good = status == LUA_OK || status == LUA_YIELD;
  (void)ctx;
  if(!is_good)
    push_error_line(L);
  lca_task_set_item(lca_scheduler_running(run->sched), 0);
  if(is_good) {
    forget_verdict(L, run, lua_tointeger(L, AFTER_ITEM));
    lua_pushboolean(L, 1);
    return 1;
  }
  if(*run->options.stop == LCA_STOP_DEADLINE) { /* perhaps while it waited */
    lua_pushliteral(L, "the time of --deadline was over before `after` was");
    fail_item(L, run, lua_tointeger(L, AFTER_ITEM), NULL, NULL, CA_PENDING);
  }
  lca_run_check(L);
  (void)ends_run(L, run);
  fail_item(L, run, lua_tointeger(L, AFTER_ITEM), lua_tostring(L, AFTER_KEY),
            lua_tostring(L, AFTER_WHAT),
            is_waiting_for_person(L) ? CA_PENDING : CA_FAILED);
  lua_pushboolean(L, 0);
  return 1;
}

/* host.after_item(item, after, subject, results, key, what): runs the bulk's
   `after`, or the check of its canary (`what` names it), for one finished
   item; returns whether it did not raise. The task carries the item's number
   negated, and the recorder refuses changes from such a task. */
int lca_item_after(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_err err;
  lua_settop(L, AFTER_WHAT);
  ca_err_clear(&err);
  if(run->options.replay.on && !strcmp(lua_tostring(L, AFTER_WHAT), "after") &&
     ca_outcome_tag(run->ledger, luaL_checkinteger(L, AFTER_ITEM), NULL, &err))
    return lca_run_ledger_failed(L, run, &err);
  lca_task_set_item(lca_scheduler_running(run->sched),
                    -luaL_checkinteger(L, AFTER_ITEM));
  lca_scheduler_set_origin(L, run->sched, AFTER_FUNCTION);
  lua_pushvalue(L, AFTER_FUNCTION);
  lua_pushvalue(L, AFTER_SUBJECT);
  lua_pushvalue(L, AFTER_RESULTS);
  return after_ended(L, lua_pcallk(L, 2, 0, 0, 0, after_ended), 0);
}

/* host.is_in_shard(key) → does this run take the item? Every item is in one
   slice of N, whatever the others are. */
int lca_item_in_shard(lua_State *L)
{
  const struct lca_run_options *options = &lca_run_of(L)->options;
  uint64_t hash = ca_digest_text(luaL_checkstring(L, 1));
  hash ^= hash >> 32; /* its low bits alone depend on too little */
  lua_pushboolean(L, options->shards < 2 || hash % (uint64_t)options->shards ==
                                                (uint64_t)options->shard - 1);
  return 1;
}
