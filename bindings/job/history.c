/* What the ledger holds of earlier runs, as Lua tables: runs, sessions, counts
   and changes. It reads through a read-only ledger, one batch at a time, so
   memory does not grow with the history and no statement or read transaction
   stays open between batches.
   Must not know: curl, options of the command line, terminals, what is done
   with the rows. */
#include <stdlib.h>
#include <string.h>
#include <lauxlib.h>
#include "job/history.h"
#include "ledger/run_verdict.h"
#include "module/table.h"

#define LEDGER_CLASS "composio.job.ledger"
#define ROWS_CLASS   "composio.job.rows"
#define BATCH        128

/* ---- rows: each function fills or pushes the table on top ---- */

static void set_counts(lua_State *L, const struct ca_run_row *run)
{
  int i;
  if(!run->has_counts)
    return;
  lua_createtable(L, 0, 2);
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(run->changes[i])
      lca_table_set_integer(L, ca_change_outcome_key((enum ca_outcome)i),
                            run->changes[i]);
  lua_setfield(L, -2, "changes");
}

static void push_run(lua_State *L, const struct ca_run_row *run)
{
  const struct ca_run_info *info = &run->info;
  lua_createtable(L, 0, 24);
  lca_table_set_text(L, "run", run->name);
  lca_table_set_text(L, "mode", info->mode);
  lca_table_set_text(L, "script", info->script);
  lca_table_set_text(L, "word", info->word);
  lca_table_set_text(L, "script_sha256", info->script_sha);
  lca_table_set_text(L, "cwd", info->cwd);
  lca_table_set_text(L, "undoes", info->undoes);
  lca_table_set_text(L, "params", info->params);
  lca_table_set_text(L, "options", info->options);
  lca_table_set_text(L, "who", info->who);
  lca_table_set_text(L, "host", info->host);
  lca_table_set_text(L, "project", info->project);
  lca_table_set_text(L, "base_url", info->base_url);
  lca_table_set_text(L, "version", info->version);
  lca_table_set_time(L, "began", run->began_ms);
  lca_table_set_time(L, "ended", run->ended_ms);
  lca_table_set_integer(L, "began_ms", run->began_ms);
  lca_table_set_integer(L, "ended_ms", run->ended_ms);
  if(run->exit_code >= 0)
    lca_table_set_integer(L, "exit", run->exit_code);
  lca_table_set_integer(L, "sessions", run->sessions);
  lca_table_set_bool(L, "sealed", run->sealed);
  lca_table_set_bool(L, "of_plan", run->of_plan);
  lca_table_set_bool(L, "open", ca_run_verdict_is_open(run));
  lca_table_set_bool(L, "waits", ca_run_verdict_waits(run));
  lca_table_set_text(L, "needs", run->needs);
  lca_table_set_text(L, "redoes", info->redoes);
  lca_table_set_text(L, "refusal", run->refusal);
  set_counts(L, run);
}

static void push_session(lua_State *L, const struct ca_session *session)
{
  lua_createtable(L, 0, 5);
  lca_table_set_time(L, "began", session->began_ms);
  lca_table_set_time(L, "ended", session->ended_ms);
  if(session->exit_code >= 0)
    lca_table_set_integer(L, "exit", session->exit_code);
  lca_table_set_text(L, "who", session->who);
  lca_table_set_text(L, "host", session->host);
}

static void set_operation(lua_State *L, const struct ca_api *api)
{
  bool is_account = ca_api_of_accounts(api);
  lca_table_set_text(L, "resource", api->resource);
  lca_table_set_text(L, "name", api->name);
  lua_pushfstring(L, "%s%s%s", is_account ? "" : api->resource,
                  is_account ? "" : ".", api->name);
  lua_setfield(L, -2, "operation");
  lca_table_set_text(L, "becomes", api->becomes);
  lca_table_set_bool(L, "creates", ca_api_creates(api));
  lca_table_set_bool(L, "updates", api->method == CA_PATCH && !api->becomes);
  lca_table_set_bool(L, "deletes", api->method == CA_DELETE);
}

/* Sets "root@machine". */
static void set_resolver(lua_State *L, const struct ca_resolution *resolution)
{
  lua_pushfstring(L, "%s@%s", resolution->who, resolution->host);
  lua_setfield(L, -2, "resolved_by");
}

static void push_change(lua_State *L, const struct ca_history_row *row)
{
  const struct ca_change *change = &row->change.change;
  const char *account = change->account;
  lua_createtable(L, 0, 40);
  lca_table_set_text(L, "run", row->run);
  lca_table_set_text(L, "mode", row->applies ? "apply" : "preview");
  lca_table_set_text(L, "script", row->script);
  lca_table_set_text(L, "who", row->who);
  lca_table_set_text(L, "host", row->host);
  lca_table_set_time(L, "at", row->at_ms);
  lca_table_set_integer(L, "number", row->change.number);
  lca_table_set_text(L, "key", row->change.key);
  set_operation(L, change->api);
  lca_table_set_text(L, "account", account && *account ? account : NULL);
  lca_table_set_text(L, "made", row->change.made);
  lca_table_set_text(L, "auth_config", change->config);
  lca_table_set_text(L, "outcome", ca_change_outcome_key(row->change.outcome));
  lca_table_set_bool(L, "fallback", change->fallback);
  lca_table_set_text(L, "class", ca_api_class_name(change->cost));
  lca_table_set_text(L, "before", change->before);
  lca_table_set_text(L, "after", row->change.status_after);
  lca_table_set_text(L, "image", change->before_image);
  lca_table_set_text(L, "query", change->query);
  lca_table_set_text(L, "body", change->body);
  lca_table_set_text(L, "fingerprint", change->fingerprint);
  lca_table_set_text(L, "reason", change->reason);
  lca_table_set_text(L, "line", change->line);
  lca_table_set_text(L, "error", row->change.error);
  lca_table_set_text(L, "request_id", row->change.request_id);
  lca_table_set_time(L, "sent", row->change.sent_ms);
  lca_table_set_text(L, "user", change->user);
  lca_table_set_text(L, "item_user", row->user);
  lca_table_set_text(L, "item_account", row->account);
  lca_table_set_text(L, "toolkit", row->toolkit);
  lca_table_set_text(L, "alias", row->alias);
  lca_table_set_time(L, "resolved", row->resolved_ms);
  if(row->resolved_ms)
    set_resolver(L, &row->resolution);
  lca_table_set_text(L, "resolution", row->resolution.reason);
}

static int raise(lua_State *L, const struct ca_err *err)
{
  lua_pushstring(L, err->text);
  return lua_error(L);
}

/* ---- iterators ---- */

/* User values of the iterator: its ledger object, its filter, the batch of
   rows that was read. */
enum { OWNER = 1, FILTER, READ_AHEAD, VALUES = READ_AHEAD };

struct rows {
  bool of_runs; /* false: rows are changes */
  bool ended;
  int count; /* rows in the batch */
  int next;
  int64_t last; /* id of the last row that was read */
  int64_t last_ms;
};

/* Returns a text of the filter, the table at 3, which keeps it alive. */
static const char *filter_text(lua_State *L, const char *name)
{
  const char *text;
  lua_getfield(L, 3, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

static int64_t filter_integer(lua_State *L, const char *name)
{
  int64_t value;
  lua_getfield(L, 3, name);
  value = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return value;
}

/* Both read the next batch into the list on top. An error that Lua raises
   meanwhile (it may run out of memory) leaves the query open; the next one,
   or closing the ledger, ends it. */

static enum ca_code read_runs(lua_State *L, struct ca_ledger *ledger,
                              struct rows *rows, struct ca_err *err)
{
  struct ca_run_filter filter = { .name = filter_text(L, "run"),
                                  .project = filter_text(L, "project"),
                                  .mode = filter_text(L, "mode"),
                                  .since_ms = filter_integer(L, "since_ms"),
                                  .before = rows->last,
                                  .limit = BATCH };
  struct ca_query query;
  struct ca_run_row run;
  ca_history_open_runs(&query, ledger, &filter, err);
  while(ca_history_next_run(&query, &run)) {
    push_run(L, &run);
    lua_rawseti(L, -2, ++rows->count);
    rows->last = run.id;
  }
  return ca_history_close(&query);
}

static enum ca_code read_changes(lua_State *L, struct ca_ledger *ledger,
                                 struct rows *rows, struct ca_err *err)
{
  const char *run = filter_text(L, "run");
  struct ca_history_filter filter = {
    .account = filter_text(L, "account"),
    .selected = run != NULL,
    .project = filter_text(L, "project"),
    .except = filter_text(L, "except"),
    .operation = filter_text(L, "operation"),
    .outcomes = ca_change_outcome_set(filter_text(L, "outcome")),
    .previews = filter_integer(L, "previews"),
    .since_ms = filter_integer(L, "since_ms"),
    .after_ms = rows->last_ms,
    .after = rows->last,
    .limit = BATCH
  };
  struct ca_query query;
  struct ca_history_row row;
  if(run && ca_run_select(ledger, run, err))
    return err->code;
  ca_history_open_changes(&query, ledger, &filter, err);
  while(ca_history_next_change(&query, &row)) {
    push_change(L, &row);
    lua_rawseti(L, -2, ++rows->count);
    rows->last = row.id;
    rows->last_ms = row.at_ms;
  }
  return ca_history_close(&query);
}

static struct ca_ledger *ledger_at(lua_State *L, int index)
{
  struct ca_ledger **place = luaL_checkudata(L, index, LEDGER_CLASS);
  if(!*place)
    luaL_error(L, "the ledger is closed");
  return *place;
}

/* Reads the next batch. Stack: the iterator. */
static void fill(lua_State *L, struct rows *rows)
{
  struct ca_ledger *ledger;
  struct ca_err err;
  enum ca_code code;
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, OWNER);
  lua_getiuservalue(L, 1, FILTER);
  lua_createtable(L, BATCH, 0);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, READ_AHEAD);
  ledger = ledger_at(L, 2);
  rows->next = 0;
  rows->count = 0;
  code = rows->of_runs ? read_runs(L, ledger, rows, &err)
                       : read_changes(L, ledger, rows, &err);
  rows->ended = rows->count < BATCH;
  if(code)
    raise(L, &err);
}

/* rows() → the next row, nil after the last. */
static int rows_next(lua_State *L)
{
  struct rows *rows = luaL_checkudata(L, 1, ROWS_CLASS);
  if(rows->next == rows->count && !rows->ended)
    fill(L, rows);
  if(rows->next == rows->count)
    return 0;
  lua_getiuservalue(L, 1, READ_AHEAD);
  lua_rawgeti(L, -1, ++rows->next);
  return 1;
}

static int new_rows(lua_State *L, bool of_runs)
{
  struct rows *rows;
  ledger_at(L, 1);
  lua_settop(L, 2);
  luaL_checktype(L, 2, LUA_TTABLE);
  rows = lua_newuserdatauv(L, sizeof(*rows), VALUES);
  memset(rows, 0, sizeof(*rows));
  rows->of_runs = of_runs;
  luaL_setmetatable(L, ROWS_CLASS);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, OWNER);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, FILTER);
  return 1;
}

/* ---- the ledger ---- */

/* ledger:runs { run, project, mode, since_ms } → iterator, newest first */
static int ledger_runs(lua_State *L)
{
  return new_rows(L, true);
}

/* ledger:changes { run, account, project, except, operation, outcome,
   previews = 0 or 1, since_ms } → iterator, which keeps the filter table. Call
   ledger:gather first: with an account, only what it found is returned. */
static int ledger_changes(lua_State *L)
{
  return new_rows(L, false);
}

/* ledger:gather(account, project): finds the changes that are about the
   account; nil: about any account. */
static int ledger_gather(lua_State *L)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_history_gather(ledger_at(L, 1), luaL_optstring(L, 2, NULL),
                       luaL_optstring(L, 3, NULL), &err))
    return raise(L, &err);
  return 0;
}

/* ledger:find(text) → the full id of the run that the text names */
static int ledger_find(lua_State *L)
{
  char name[96];
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_history_find_run(ledger_at(L, 1), luaL_checkstring(L, 2), name,
                         sizeof(name), &err))
    return raise(L, &err);
  lua_pushstring(L, name);
  return 1;
}

/* ledger:sessions(run) → list */
static int ledger_sessions(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  const char *run = luaL_checkstring(L, 2);
  struct ca_query query;
  struct ca_session session;
  struct ca_err err;
  int count = 0;
  lua_newtable(L);
  ca_history_open_sessions(&query, ledger, run, &err);
  while(ca_history_next_session(&query, &session)) {
    push_session(L, &session);
    lua_rawseti(L, -2, ++count);
  }
  if(ca_history_close(&query))
    return raise(L, &err);
  return 1;
}

/* Appends to the list on top one row for each count that is not 0. */
static void add_counts(lua_State *L, const char *operation,
                       const int64_t counts[CA_OUTCOME_COUNT])
{
  int i;
  for(i = 0; i < CA_OUTCOME_COUNT; i++) {
    if(!counts[i])
      continue;
    lua_createtable(L, 0, 4);
    lca_table_set_text(L, "operation", operation);
    lca_table_set_text(L, "outcome", ca_change_outcome_key(i));
    lca_table_set_integer(L, "place", i);
    lca_table_set_integer(L, "count", counts[i]);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
}

/* ledger:counts(run) → list of { operation, outcome, count, place }; rows
   without operation count items; place is the sort order of outcomes */
static int ledger_counts(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  const char *run = luaL_checkstring(L, 2);
  struct ca_counts counts;
  struct ca_err err;
  size_t i;
  if(ca_run_select(ledger, run, &err) ||
     ca_count_outcomes(ledger, -1, &counts, &err))
    return raise(L, &err);
  lua_newtable(L);
  for(i = 0; i < counts.operation_count; i++)
    add_counts(L, counts.operations[i].name, counts.operations[i].changes);
  add_counts(L, NULL, counts.items);
  return 1;
}

/* ledger:has_unplanned(run) → whether an action failed, and its row is still
   open */
static int ledger_has_unplanned(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  int64_t number = 0;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_run_select(ledger, luaL_checkstring(L, 2), &err) ||
     ca_read_unplanned(ledger, -1, 0, &number, &err))
    return raise(L, &err);
  lua_pushboolean(L, number != 0);
  return 1;
}

/* ledger:tags(run) → list of { tag, items } by name */
static int ledger_tags(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  struct ca_query query;
  const char *tag;
  int64_t items;
  struct ca_err err;
  int count = 0;
  lua_newtable(L);
  if(ca_run_select(ledger, luaL_checkstring(L, 2), &err))
    return raise(L, &err);
  ca_history_open_tags(&query, ledger, -1, &err);
  while(ca_history_next_tag(&query, &tag, &items)) {
    lua_createtable(L, 0, 2);
    lca_table_set_text(L, "tag", tag);
    lca_table_set_integer(L, "items", items);
    lua_rawseti(L, -2, ++count);
  }
  return ca_history_close(&query) ? raise(L, &err) : 1;
}

/* ledger:tagged(run, tag, after) → list of the next items with this tag, at
   most BATCH: { number, key, account, user, toolkit, status, reason } */
static int ledger_tagged(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  struct ca_query query;
  struct ca_item item;
  int64_t number;
  struct ca_err err;
  int count = 0;
  lua_newtable(L);
  if(ca_run_select(ledger, luaL_checkstring(L, 2), &err))
    return raise(L, &err);
  ca_history_open_tagged(&query, ledger, luaL_checkstring(L, 3),
                         luaL_checkinteger(L, 4), BATCH, &err);
  while(ca_history_next_tagged(&query, &item, &number)) {
    lua_createtable(L, 0, 7);
    lca_table_set_integer(L, "number", number);
    lca_table_set_text(L, "key", item.key);
    lca_table_set_text(L, "account", item.account);
    lca_table_set_text(L, "user", item.user);
    lca_table_set_text(L, "toolkit", item.toolkit);
    lca_table_set_text(L, "status", item.status);
    lca_table_set_text(L, "reason", item.status_reason);
    lua_rawseti(L, -2, ++count);
  }
  return ca_history_close(&query) ? raise(L, &err) : 1;
}

/* ledger:pruned(project, account, after_account, after_what) → list of the
   next removed changes that are still known, at most BATCH: the members of a
   change that are left, and `what` */
static int ledger_pruned(lua_State *L)
{
  struct ca_ledger *ledger = ledger_at(L, 1);
  struct ca_query query;
  struct ca_pruned row;
  struct ca_err err;
  int count = 0;
  lua_newtable(L);
  ca_history_open_pruned(
      &query, ledger, luaL_optstring(L, 2, NULL), luaL_optstring(L, 3, NULL),
      luaL_optstring(L, 4, NULL), (int)luaL_optinteger(L, 5, 0), BATCH, &err);
  while(ca_history_next_pruned(&query, &row)) {
    lua_createtable(L, 0, 16);
    lca_table_set_bool(L, "pruned", true);
    lca_table_set_text(L, "mode", "apply");
    lca_table_set_text(L, "account", row.account);
    lca_table_set_integer(L, "what", row.what);
    set_operation(L, row.api);
    lca_table_set_text(L, "outcome", ca_change_outcome_key(row.outcome));
    lca_table_set_time(L, "at", row.at_ms);
    lca_table_set_integer(L, "at_ms", row.at_ms);
    lca_table_set_text(L, "before", row.status_before);
    lca_table_set_text(L, "after", row.status_after);
    lua_rawseti(L, -2, ++count);
  }
  return ca_history_close(&query) ? raise(L, &err) : 1;
}

/* ledger:size() → bytes in use, and bytes that later rows will use */
static int ledger_size(lua_State *L)
{
  int64_t used;
  int64_t left;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_history_size(ledger_at(L, 1), &used, &left, &err))
    return raise(L, &err);
  lua_pushinteger(L, used);
  lua_pushinteger(L, left);
  return 2;
}

static int ledger_close(lua_State *L)
{
  struct ca_ledger **place = luaL_checkudata(L, 1, LEDGER_CLASS);
  ca_ledger_close(*place);
  *place = NULL;
  return 0;
}

struct ca_ledger **lca_history_new(lua_State *L)
{
  static const luaL_Reg ledger_events[] = { { "__gc", ledger_close },
                                            { "__close", ledger_close },
                                            { NULL, NULL } };
  static const luaL_Reg methods[] = { { "runs", ledger_runs },
                                      { "changes", ledger_changes },
                                      { "gather", ledger_gather },
                                      { "find", ledger_find },
                                      { "sessions", ledger_sessions },
                                      { "counts", ledger_counts },
                                      { "has_unplanned",
                                        ledger_has_unplanned },
                                      { "tags", ledger_tags },
                                      { "tagged", ledger_tagged },
                                      { "pruned", ledger_pruned },
                                      { "size", ledger_size },
                                      { NULL, NULL } };
  static const luaL_Reg rows_events[] = { { "__call", rows_next },
                                          { NULL, NULL } };
  struct ca_ledger **place = lua_newuserdatauv(L, sizeof(*place), 0);
  *place = NULL;
  lca_table_class(L, LEDGER_CLASS, ledger_events, methods);
  lca_table_class(L, ROWS_CLASS, rows_events, NULL);
  luaL_setmetatable(L, LEDGER_CLASS);
  return place;
}
