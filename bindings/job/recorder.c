/* The recorder: writes a mutating call into the ledger as a change. The script
   gets a planned change back, or the result if the change is carried out at
   once.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/account.h"
#include "module/error.h"
#include "base/digest.h"
#include "job/run_private.h"
#include "module/table.h"
#include "module/task.h"

#define PLANNED_CLASS  "composio.planned"
#define STRAIGHT_CLASS "composio.planned.straight"

/* ---- planned changes as scripts see them ---- */

static const char *own_field(lua_State *L, const char *name)
{
  const char *text;
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  text = lua_tostring(L, -1);
  return text ? text : "?";
}

/* Called when a bulk's action reads a result, which does not exist yet. */
static int planned_index(lua_State *L)
{
  return lca_error_usage(
      L,
      "'%s' of this %s is not known while planning; read it in the "
      "bulk's `after`",
      luaL_tolstring(L, 2, NULL), own_field(L, "operation"));
}

/* The same outside a bulk: the preview ends, because the script could continue
   only with a guess. */
static int straight_index(lua_State *L)
{
  const char *where;
  const char *name;
  lca_error_where(L);
  where = lua_tostring(L, -1);
  name = luaL_tolstring(L, 2, NULL);
  return lca_run_stop(L, LCA_STOP_PREVIEW,
                      "%sthe preview ends here: '%s' of this %s is not known "
                      "until it is carried out",
                      where, name, own_field(L, "operation"));
}

/* The same for pairs. */
static int planned_pairs(lua_State *L)
{
  lua_settop(L, 1);
  lua_pushliteral(L, "all fields");
  return planned_index(L);
}

static int straight_pairs(lua_State *L)
{
  lua_settop(L, 1);
  lua_pushliteral(L, "all fields");
  return straight_index(L);
}

/* "planned disable of ca_1", "planned link of user_123". */
static int planned_text(lua_State *L)
{
  lua_pushliteral(L, "account_id");
  lua_rawget(L, 1);
  lua_pushfstring(L, "planned %s of %s", own_field(L, "operation"),
                  own_field(L, lua_isnil(L, -1) ? "user_id" : "account_id"));
  return 1;
}

static int push_planned(lua_State *L, const struct ca_change *change,
                        const char *class)
{
  const char *account = ca_text_or_null(change->account);
  lua_createtable(L, 0, 3);
  lca_table_set_bool(L, "planned", true);
  lca_table_set_text(L, "operation", change->api->name);
  lca_table_set_text(L, "account_id", account);
  if(!account)
    lca_table_set_text(L, "user_id", ca_text_or_null(change->user));
  luaL_setmetatable(L, class);
  return 1;
}

void lca_recorder_open(lua_State *L)
{
  const luaL_Reg planned[] = { { "__index", planned_index },
                               { "__pairs", planned_pairs },
                               { "__tostring", planned_text },
                               { NULL, NULL } };
  const luaL_Reg straight[] = { { "__index", straight_index },
                                { "__pairs", straight_pairs },
                                { "__tostring", planned_text },
                                { NULL, NULL } };
  lca_table_class(L, PLANNED_CLASS, planned, NULL);
  lca_table_class(L, STRAIGHT_CLASS, straight, NULL);
}

/* ---- accounts that an item changes ---- */

/* Finds what the item has planned for the account so far; NULL if it has not
   changed that account. */
static struct lca_touched *find_touched(struct lca_item *item, const char *id)
{
  uint64_t hash = item->touched_count ? ca_digest_text(id) : 0;
  size_t i;
  for(i = 0; i < item->touched_count; i++)
    if(item->touched[i].hash == hash)
      return &item->touched[i];
  return NULL;
}

static bool touched_too_many(const struct lca_item *item)
{
  return item->touched_count ==
         sizeof(item->touched) / sizeof(item->touched[0]);
}

/* Notes what the change does to its account. other: its fallback, or NULL;
   either of the two may be the one that takes effect. */
static void touch(struct lca_item *item, const struct ca_change *change,
                  const struct ca_change *other)
{
  struct lca_touched *touched = find_touched(item, change->account);
  bool active;
  if(!touched) {
    if(touched_too_many(item))
      return; /* record_planned then assumes no change is the same */
    touched = &item->touched[item->touched_count++];
    touched->hash = ca_digest_text(change->account);
    touched->active = lca_guard_begins_active(change);
  }
  active = touched->active;
  touched->active = lca_guard_leaves_active(change, active) ||
                    (other && lca_guard_leaves_active(other, active));
}

/* Does the change delete an account that may be ACTIVE at that time? An
   account that the item disables first is not. */
static bool ends_active(struct lca_item *item, const struct ca_change *change)
{
  const struct lca_touched *touched =
      item ? find_touched(item, change->account) : NULL;
  if(change->api->probe != CA_PROBE_GONE || change->outcome != CA_PLANNED)
    return false;
  if(touched)
    return touched->active;
  return (item && touched_too_many(item)) || lca_guard_begins_active(change);
}

/* ---- recording ---- */

static void check_client(lua_State *L, struct lca_run *run,
                         struct lca_client *client)
{
  if(!client->is_default)
    lca_error_usage(L, "in a run, only the default client can make changes; "
                       "start another run for another project");
  if(run->client)
    return;
  lua_pushvalue(L, 1);
  run->client_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  run->client = client;
}

/* Refuses a change above the class that the job may plan. In a bulk the run
   ends here; a straight-line call raises, and the run exits as after any
   refusal (lca_guard_refuse), even if the script catches that. */
static void refuse_class(lua_State *L, struct lca_run *run, const char *name,
                         const char *id, enum ca_class cost)
{
  const char *wanted = ca_api_class_name(cost);
  lua_pushfstring(L,
                  "refused: %s %s is %s, and this job may plan at most %s "
                  "changes; `may = \"%s\"` in composio.job allows it",
                  name, id, wanted, ca_api_class_name(run->may), wanted);
  if(run->stats.planning)
    lca_run_stop(L, LCA_STOP_REFUSED, "%s", lua_tostring(L, -1));
  lca_guard_refuse(L, run, lua_tostring(L, -1));
}

static void check_cost(lua_State *L, struct lca_run *run,
                       const struct ca_change *change)
{
  if(change->cost > run->may)
    refuse_class(L, run, change->api->name, change->account, change->cost);
}

/* host.check_class(operation, id, class): the same check, before the shipped
   Lua sends any request that prepares the call. */
int lca_recorder_check_class(lua_State *L)
{
  static const char *const words[] = { "read", "reversible", "irreversible",
                                       NULL };
  struct lca_run *run = lca_run_of(L);
  enum ca_class cost = (enum ca_class)luaL_checkoption(L, 3, NULL, words);
  if(cost > run->may)
    refuse_class(L, run, luaL_checkstring(L, 1), luaL_checkstring(L, 2), cost);
  return 0;
}

static void keep_secret(lua_State *L, struct lca_run *run,
                        const struct lca_change_builder *builder,
                        int64_t number)
{
  if(!builder->secret.data || !run->options.apply)
    return;
  lca_run_need_apply(L, run);
  if(ca_apply_secret_keep(run->apply, number, builder->secret.data,
                          builder->secret.len))
    luaL_error(L, "out of memory");
}

static int64_t add_change(lua_State *L, struct lca_run *run, int64_t item,
                          const struct ca_change *change)
{
  struct ca_err err;
  int64_t number = 0;
  ca_err_clear(&err);
  if(ca_plan_rows_add_change(run->ledger, item, change, &number, &err))
    lca_run_ledger_failed(L, run, &err);
  return number;
}

/* Returns the account that the call was given if it has that id, else
   `own`. Mostly it was given the item's own account. item, target: their
   places on the stack; target is 0 for none. */
static const struct lca_account *known_account(lua_State *L, int item,
                                               int target, const char *id,
                                               const struct lca_account *own)
{
  const struct lca_account *given;
  bool is_own;
  if(!target)
    return own;
  lua_getiuservalue(L, item, LCA_ITEM_ACCOUNT);
  is_own = own && lua_rawequal(L, -1, target);
  lua_pop(L, 1);
  given = is_own ? own : lca_account_about(L, target, id);
  return given ? given : own;
}

static int64_t add_planned(lua_State *L, struct lca_run *run,
                           struct lca_item *item,
                           struct lca_change_builder *builder,
                           const struct lca_account *account)
{
  int64_t number;
  builder->ends_active = ends_active(item, &builder->change);
  number = add_change(L, run, item->number, &builder->change);
  if(!item->changes)
    item->first_change = number;
  lca_bulk_count(run, item, builder, account);
  if(builder->change.outcome == CA_PLANNED)
    keep_secret(L, run, builder, number);
  return number;
}

/* Records a change of a bulk's item while its action runs; the item's userdata
   is on top of the stack. */
static int record_planned(lua_State *L, struct lca_run *run,
                          struct lca_item *item, struct ca_request *request,
                          int arguments, int target)
{
  struct lca_change_builder builder;
  struct lca_change_builder fallback;
  bool other;
  bool touched = find_touched(item, request->id) || touched_too_many(item);
  int at = lua_gettop(L);
  const struct lca_account *own =
      lca_account_has_id(item->account, request->id) ? item->account : NULL;
  const struct lca_account *known =
      known_account(L, at, target, request->id, own);
  if(!item->number)
    lca_item_store(L, run, at, known);
  if(!own && item->follows_first && item->changes == 0)
    own = known; /* lca_item_store made it the item's own account */
  lca_change_make(L, run, request, arguments, known, own != NULL, &builder);
  if(item->recall)
    return lca_replay_recall(L, run, at, &builder);
  if(builder.change.outcome == CA_PLANNED && request->id[0] && !touched &&
     lca_change_is_same(request, builder.change.before, known))
    builder.change.outcome = CA_SAME;
  check_cost(L, run, &builder.change);
  other = lca_change_fallback(L, request, arguments, known, own != NULL,
                              &builder, &fallback);
  if(builder.change.outcome == CA_SAME)
    other = false; /* nothing is sent, so nothing can fail */
  if(other && touched && fallback.change.outcome == CA_SAME)
    fallback.change.outcome = CA_PLANNED; /* it was compared with an
                                             outdated state */
  if(other)
    check_cost(L, run, &fallback.change);
  (void)add_planned(L, run, item, &builder, known);
  if(other)
    (void)add_planned(L, run, item, &fallback, known);
  if(request->id[0])
    touch(item, &builder.change, other ? &fallback.change : NULL);
  return push_planned(L, &builder.change, PLANNED_CLASS);
}

static int raise_protected(lua_State *L,
                           const struct lca_change_builder *builder)
{
  struct ca_err err;
  ca_err_clear(&err);
  ca_err_set(&err, CA_GATE, "%s", builder->reason);
  return lca_error_throw(L, builder->change.api, builder->change.account,
                         &err);
}

/* Records a change outside bulks, with an item of its own, and carries it out
   unless this is a preview. */
static int record_straight(lua_State *L, struct lca_run *run,
                           struct ca_request *request, int arguments,
                           const struct lca_account *account)
{
  struct lca_change_builder builder;
  int64_t item;
  int results;
  lca_run_begin(L, run);
  if(arguments && lua_getfield(L, arguments, "otherwise") != LUA_TNIL)
    return lca_error_usage(
        L,
        "%s.%s: otherwise works only in the action of a bulk; "
        "here, catch the failure with pcall",
        request->api->resource, request->api->name);
  lca_change_make(L, run, request, arguments, account, true, &builder);
  if(builder.change.outcome == CA_PLANNED &&
     lca_change_is_same(request, builder.change.before, account))
    builder.change.outcome = CA_SAME;
  builder.ends_active = ends_active(NULL, &builder.change);
  if(run->options.replay.on && lca_replay_straight(L, run, &builder, &results))
    return results;
  check_cost(L, run, &builder.change);
  if(builder.change.outcome == CA_PLANNED)
    lca_guard_straight(L, run, &builder);
  item = lca_item_add_single(L, run, account, request->id);
  lca_bulk_count(run, NULL, &builder, account);
  if(run->options.apply && builder.change.outcome == CA_PLANNED)
    return lca_direct_carry_out(L, run, &builder.change, item, 0,
                                builder.secret);
  (void)add_change(L, run, item, &builder.change);
  if(builder.change.outcome == CA_SKIPPED)
    return raise_protected(L, &builder);
  if(builder.change.outcome == CA_SAME)
    return lca_run_push_same(L);
  return push_planned(L, &builder.change, STRAIGHT_CLASS);
}

int lca_recorder_record(lua_State *L, void *ctx, struct lca_client *client,
                        struct ca_request *request, int arguments, int target)
{
  struct lca_run *run = ctx;
  struct lca_task *task = lca_scheduler_running(run->sched);
  int64_t id = task ? lca_task_item(task) : 0;
  struct lca_item *item;
  luaL_checkstack(L, 40, "recording a change");
  lca_run_check(L);
  if(arguments && !lua_istable(L, arguments))
    arguments = 0;
  if(id < 0)
    return lca_error_usage(L,
                           "a bulk's `after` cannot change anything; plan the "
                           "change in the bulk's action");
  if(!id && run->stats.planning)
    return lca_error_usage(L, "while a bulk plans, only its action may make "
                              "changes");
  check_client(L, run, client);
  if(!id)
    return record_straight(L, run, request, arguments,
                           target ? lca_account_about(L, target, request->id)
                                  : NULL);
  item = lca_item_push_live(L, run, id);
  if(!item)
    return lca_error_usage(L, "the item's action has ended, so it can plan no "
                              "further change");
  return record_planned(L, run, item, request, arguments, target);
}
