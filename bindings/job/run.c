/* The run: finds it in the Lua state, ends it before its script does, and
   makes the results of changes that it did not send itself. Must not know:
   curl, options of the command line, terminals.

   A run that must end raises, and a script's pcall must not be able to
   continue it: a hook makes the thread raise again at every instruction, and
   the host's stop flag makes every other task raise at its next call. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "module/error.h"
#include "module/table.h"
#include "job/run_private.h"

static const char run_key; /* its address is the run's key in the registry */

/* A new thread gets a copy of the main thread's extra space, and the run is
   stored there before any other thread is made. */
struct lca_run *lca_run_of(lua_State *L)
{
  struct lca_run *run;
  memcpy(&run, lua_getextraspace(L), sizeof(run));
  return run;
}

/* ---- ending before the script does ---- */

/* Instructions that the script's `__close` handlers have after os.exit. */
#define CLOSING 100000

static void end_hook(lua_State *L, lua_Debug *debug)
{
  (void)debug;
  lca_run_check(L);
}

/* Raises the reason, and again after that many instructions, because a
   script may have caught it. */
static int raise_end(lua_State *L, struct lca_run *run, int instructions)
{
  struct lca_task *task = lca_scheduler_running(run->sched);
  lua_State *thread = task ? lca_scheduler_thread(task) : NULL;
  lua_sethook(L, end_hook, LUA_MASKCOUNT, instructions);
  if(thread && thread != L)
    lua_sethook(thread, end_hook, LUA_MASKCOUNT, instructions);
  lua_pushstring(L, run->stats.end_text[0] ? run->stats.end_text
                                           : "the run was interrupted");
  return lua_error(L);
}

void lca_run_check(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  if(run && *run->options.stop)
    raise_end(L, run, 1);
}

/* Copies a text. A text that is too long is cut after a whole word, and "…"
   is added. */
static void copy_words(char *out, size_t size, const char *text)
{
  static const char more[] = " …";
  size_t len = size - sizeof(more);
  ca_text_copy(out, size, text);
  if(strlen(text) < size - 1)
    return;
  while(len && out[len] != ' ')
    len--;
  memcpy(out + len, more, sizeof(more));
}

/* Stores the reason, unless the run already has one. */
static void keep_reason(struct lca_run *run, enum lca_stop reason,
                        const char *text)
{
  if(*run->options.stop)
    return;
  copy_words(run->stats.end_text, sizeof(run->stats.end_text), text);
  *run->options.stop = (int)reason;
}

bool lca_run_limit(struct lca_run *run, const char *text)
{
  bool is_first = !*run->options.stop;
  keep_reason(run, LCA_STOP_LIMIT, text);
  return is_first;
}

bool lca_run_has_ended(lua_State *L)
{
  const struct lca_run *run = lca_run_of(L);
  return run && *run->options.stop;
}

int lca_run_stop(lua_State *L, enum lca_stop reason, const char *fmt, ...)
{
  struct lca_run *run = lca_run_of(L);
  char text[sizeof(run->stats.end_text)];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  keep_reason(run, reason, text);
  lca_run_check(L);
  return 0;
}

int lca_run_exit(lua_State *L, int code)
{
  struct lca_run *run = lca_run_of(L);
  lca_run_check(L);
  run->stats.exit_code = code;
  keep_reason(run, LCA_STOP_EXIT, "os.exit");
  return raise_end(L, run, CLOSING);
}

const struct lca_run_stats *lca_run_stats(lua_State *L)
{
  return &lca_run_of(L)->stats;
}

/* ---- the ledger ---- */

void lca_run_keep_clear(lua_State *L, const char *place, const char *text)
{
  if(text && ca_secret_has_lasting() && ca_secret_is_in(text, strlen(text)))
    lca_error_usage(L,
                    "%s holds the value of a secret parameter or column, "
                    "which would be kept in clear: use another value there; "
                    "credentials of accounts and reasons may hold it",
                    place);
}

int lca_run_ledger_failed(lua_State *L, struct lca_run *run,
                          const struct ca_err *err)
{
  (void)run;
  lca_run_lose_ledger(L, err);
  lca_run_check(L);
  return 0;
}

void lca_run_lose_ledger(lua_State *L, const struct ca_err *err)
{
  struct lca_run *run = lca_run_of(L);
  char text[sizeof(run->stats.end_text)];
  snprintf(text, sizeof(text),
           "%.500s; no change is sent before "
           "the ledger holds it",
           err->text);
  keep_reason(run, LCA_STOP_LEDGER, text);
}

void lca_run_start(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  if(run->started)
    return;
  run->started = true;
  if(run->options.starts)
    run->options.starts(run->options.ctx, run->may == CA_READ);
  lca_run_check(L);
}

void lca_run_begin(lua_State *L, struct lca_run *run)
{
  struct ca_err err;
  if(run->ledger)
    return;
  lca_run_start(L);
  ca_err_clear(&err);
  run->ledger = run->options.begin(run->options.ctx, &err);
  if(!run->ledger)
    lca_run_stop(L, LCA_STOP_LEDGER, "%s", err.text);
}

void lca_run_need_apply(lua_State *L, struct lca_run *run)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(run->apply)
    return;
  lca_run_need_client(L, run);
  run->apply = ca_apply_new(lca_scheduler_engine(run->sched),
                            run->client->endpoint, run->ledger, &err);
  if(!run->apply)
    luaL_error(L, "%s", err.text);
}

/* ---- results ---- */

int lca_run_push_same(lua_State *L)
{
  lua_createtable(L, 0, 2);
  lca_table_set_bool(L, "success", true);
  lca_table_set_bool(L, "same", true);
  return 1;
}

void lca_run_push_earlier(lua_State *L, const struct ca_api *api,
                          const char *account, const char *status_after,
                          const char *made)
{
  const char *id = made ? made : account;
  lua_createtable(L, 0, 5);
  lca_table_set_bool(L, "success", true);
  lca_table_set_bool(L, "earlier", true);
  lca_table_set_text(L, "id", id && *id ? id : NULL);
  if(api->makes) /* under the name it has in the create's reply */
    lca_table_set_text(L, api->makes, made);
  lca_table_set_text(L, "status", status_after);
}

/* ---- life ---- */

void lca_run_make(lua_State *L, const struct lca_run_options *options)
{
  struct lca_run *run = lua_newuserdatauv(L, sizeof(*run), 0);
  memset(run, 0, sizeof(*run));
  run->options = *options;
  run->client_ref = LUA_NOREF;
  run->may = CA_REVERSIBLE;
  memcpy(run->stats.params, "{}", 3);
  memcpy(lua_getextraspace(L), &run, sizeof(run));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &run_key); /* keeps it alive */
  lua_newtable(L);
  run->live_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  run->names_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  run->notes_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  memcpy(run->stop_on, options->stop_on, sizeof(run->stop_on));
  run->stats.guarded.project = -1;
}

void lca_run_need_client(lua_State *L, struct lca_run *run)
{
  if(run->client)
    return;
  run->client = lca_client_default(L);
  run->client_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
