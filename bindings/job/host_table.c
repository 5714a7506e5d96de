/* composio.host: the table of functions that the shipped Lua calls, and
   opening and closing the run with all the files of this room. Must not know:
   curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "job/run_private.h"
#include "module/account.h"
#include "module/error.h"
#include "module/table.h"
#include "module/wait.h"

#define SIGNAL_CLASS "composio.job.signal"

/* ---- composio.host ---- */

/* host.job(may, params, path_options): sets what composio.job was given. */
static int host_job(lua_State *L)
{
  static const char *const words[] = { "read", "reversible", "irreversible",
                                       NULL };
  struct lca_run *run = lca_run_of(L);
  size_t len;
  const char *params;
  run->may = (enum ca_class)luaL_checkoption(L, 1, NULL, words);
  params = luaL_checklstring(L, 2, &len);
  if(len >= sizeof(run->stats.params))
    return lca_error_usage(L, "the parameters are longer than %d bytes",
                           (int)sizeof(run->stats.params) - 1);
  memcpy(run->stats.params, params, len + 1);
  ca_text_copy(run->stats.path_options, sizeof(run->stats.path_options),
               luaL_checkstring(L, 3));
  run->stats.job_seen = true;
  lca_run_start(L);
  return 0;
}

/* host.stop("usage" | "help" | "refused" | "early", text [, listing]): ends
   the run. listing says that a listing is the cause: "incomplete", or "unread"
   if it may be read at another time. */
static int host_stop(lua_State *L)
{
  static const char *const words[] = { "usage", "help", "refused", "early",
                                       NULL };
  static const enum lca_stop stops[] = { LCA_STOP_USAGE, LCA_STOP_HELP,
                                         LCA_STOP_REFUSED, LCA_STOP_EARLY };
  static const char *const listings[] = { "incomplete", "unread", NULL };
  int word = luaL_checkoption(L, 1, NULL, words);
  if(!lua_isnoneornil(L, 3))
    lca_run_of(L)->stats.listing_refused =
        listings[luaL_checkoption(L, 3, NULL, listings)];
  return lca_run_stop(L, stops[word], "%s", luaL_checkstring(L, 2));
}

/* host.log(text): prints a line for people. */
static int host_log(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->options.log_line(run->options.ctx, luaL_checkstring(L, 1));
  return 0;
}

/* host.warn(text): the same for a warning, which -q does not leave out. */
static int host_warn(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->options.warn(run->options.ctx, luaL_checkstring(L, 1));
  return 0;
}

/* host.listing(accounts, pages, complete): adds a selection's totals. */
static int host_listing(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->stats.listing_seen = true;
  run->stats.listing_accounts += luaL_checkinteger(L, 1);
  run->stats.listing_pages += luaL_checkinteger(L, 2);
  if(!lua_toboolean(L, 3))
    run->stats.listing_incomplete = true;
  return 0;
}

/* host.why_ended() → why no further request makes sense, or nil. */
static int host_why_ended(lua_State *L)
{
  const struct lca_run *run = lca_run_of(L);
  lua_pushstring(L, run->stats.key_rejected ? "the API key was rejected"
                    : run->stats.no_route
                        ? "the service does not have the route of an "
                          "operation; check the base URL"
                        : NULL);
  return 1;
}

/* host.secret(text): masks this text in all output from now on, and keeps it
   out of the ledger. Returns why it cannot, or nil. */
static int host_secret(lua_State *L)
{
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  ca_secret_add_lasting(text, len);
  lua_pushstring(L, len < CA_SECRET_SHORTEST
                        ? "is a secret of fewer than 6 bytes, which cannot be "
                          "recognized in other texts and so not be masked"
                        : NULL);
  return 1;
}

/* host.protected(id, user, toolkit) → why it must not be changed, or nil. */
static int host_protected(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  char why[200];
  const char *text = NULL;
  if(run->options.protects)
    text = run->options.protect(run->options.ctx, luaL_optstring(L, 1, NULL),
                                luaL_optstring(L, 2, NULL),
                                luaL_optstring(L, 3, NULL), why, sizeof(why));
  lua_pushstring(L, text);
  return 1;
}

/* host.with_status(account, status) → in a preview, a copy of the account with
   the status that a planned change will give it; the same account if it was
   not read from the service. Raises with --apply: then only the service knows
   an account's status. */
static int host_with_status(lua_State *L)
{
  const char *status = luaL_checkstring(L, 2);
  if(lca_run_of(L)->options.apply)
    return luaL_error(L, "only a preview expects a status");
  if(!lca_account_push_with_status(L, 1, status))
    lua_pushvalue(L, 1);
  return 1;
}

/* host.note_config(id, toolkit, why): notes an auth config's toolkit, and why
   it is protected, or nil. */
static int host_note_config(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  lua_settop(L, 3);
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->notes_ref);
  lua_createtable(L, 0, 2);
  lca_table_set_text(L, "toolkit", luaL_optstring(L, 2, NULL));
  lca_table_set_text(L, "protected", luaL_optstring(L, 3, NULL));
  lua_setfield(L, -2, luaL_checkstring(L, 1));
  return 0;
}

/* ---- signals: one task waits until another sets them ---- */

struct lca_signal {
  bool set;
  uint64_t token;
};

static int signal_new(lua_State *L)
{
  struct lca_signal *gate = lua_newuserdatauv(L, sizeof(*gate), 0);
  gate->set = false;
  gate->token = 0;
  luaL_setmetatable(L, SIGNAL_CLASS);
  return 1;
}

static int signal_waited(lua_State *L, int status, lua_KContext ctx)
{
  (void)L;
  (void)status;
  (void)ctx;
  return 0;
}

static int signal_wait(lua_State *L)
{
  struct lca_signal *gate = luaL_checkudata(L, 1, SIGNAL_CLASS);
  if(gate->set)
    return 0;
  return lca_wait_flag(L, &gate->set, &gate->token, false, 0, signal_waited);
}

static int signal_set(lua_State *L)
{
  struct lca_signal *gate = luaL_checkudata(L, 1, SIGNAL_CLASS);
  gate->set = true;
  if(gate->token)
    lca_taskset_wake(lca_run_of(L)->sched, gate->token);
  gate->token = 0;
  return 0;
}

static const luaL_Reg signal_methods[] = { { "wait", signal_wait },
                                           { "set", signal_set },
                                           { NULL, NULL } };

/* ---- life ---- */

void lca_host_table_close(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  if(!run)
    return;
  if(run->sched)
    lca_scheduler_set_pump(run->sched, NULL, NULL);
  ca_apply_free(run->apply);
  run->apply = NULL;
  run->ledger = NULL;
  free(run->plan_counts);
  run->plan_counts = NULL;
  lca_replay_free(run);
  free(run->resent.items);
}

void lca_host_table_open(lua_State *L, const struct lca_run_options *options)
{
  static const luaL_Reg functions[] = {
    { "job", host_job },
    { "stop", host_stop },
    { "log", host_log },
    { "warn", host_warn },
    { "secret", host_secret },
    { "why_ended", host_why_ended },
    { "listing", host_listing },
    { "signal", signal_new },
    { "begin_bulk", lca_bulk_begin },
    { "plan_item", lca_item_plan },
    { "is_in_shard", lca_item_in_shard },
    { "check_class", lca_recorder_check_class },
    { "drop_plan", lca_bulk_drop_plan },
    { "end_plan", lca_bulk_end_plan },
    { "seal", lca_bulk_seal },
    { "begin_retry", lca_bulk_begin_retry },
    { "seal_retry", lca_bulk_seal_retry },
    { "apply", lca_apply_bulk },
    { "settle", lca_settle_bulk },
    { "after_item", lca_item_after },
    { "item_account", lca_item_account },
    { "item_kind", lca_item_kind },
    { "row_item", lca_item_of_row },
    { "tag", lca_item_tag },
    { "fail_straight", lca_item_fail_straight },
    { "counts", lca_bulk_counts },
    { "guard", lca_guard_check },
    { "needs_project", lca_guard_needs_project },
    { "project", lca_guard_project },
    { "stop_on", lca_guard_stop_on },
    { "stopped", lca_guard_stopped },
    { "protected", host_protected },
    { "note_config", host_note_config },
    { "with_status", host_with_status },
    { "guard_plan", lca_replay_guard_plan },
    { "leave_out", lca_replay_leave_out },
    { "open_secrets", lca_replay_open_secrets },
    { "row_of", lca_replay_row },
    { "unplanned", lca_replay_unplanned },
    { NULL, NULL }
  };
  lca_run_make(L, options);
  lca_table_class(L, SIGNAL_CLASS, NULL, signal_methods);
  lca_recorder_open(L);
  lca_change_open(L);
  lca_apply_open(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  luaL_newlib(L, functions);
  lca_table_set_bool(L, "is_apply", options->apply);
  lca_table_set_bool(L, "only_plan", options->replay.only_plan);
  lca_table_set_bool(L, "protects", options->protects);
  lca_table_set_bool(L, "with_failed", options->replay.failed);
  lca_table_set_bool(L, "exact", options->replay.exact);
  lca_table_set_bool(L, "is_redo", options->replay.redo);
  lca_table_set_text(L, "given", options->given);
  lca_table_set_integer(L, "concurrency", options->concurrency);
  lca_table_set_integer(L, "limit_items", options->limit_items);
  lca_table_set_bool(L, "is_shard", options->shards > 1);
  lua_setfield(L, -2, "composio.host");
  lua_pop(L, 1);
}

void lca_host_table_install(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  enum ca_gate gate = run->options.apply ? CA_GATE_LEDGER : CA_GATE_SHUT;
  struct ca_err err;
  ca_err_clear(&err);
  run->sched = lca_scheduler_of(L);
  run->began_ms =
      ca_clock_mono_ms(ca_engine_clock(lca_scheduler_engine(run->sched)));
  if(ca_engine_set_gate(lca_scheduler_engine(run->sched), gate, &err))
    luaL_error(L, "%s", err.text);
  lca_client_shared(L)->recorder = lca_recorder_record;
  lca_client_shared(L)->recorder_ctx = run;
  lca_scheduler_set_pump(run->sched, lca_apply_pump, run);
  lca_scheduler_set_interrupt(run->sched, run->options.stop);
}
