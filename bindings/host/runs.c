/* The verbs about earlier runs (runs, show, history, resolve) and about profiles, which are Lua,
   and writing what resolve was told.
   Must not know: the engine, what is shown. */
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "host/host.h"

/* ---- resolve ---- */

static const char *text_of(lua_State *L, const char *name)
{
  const char *text;
  lua_getfield(L, 1, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1); /* the table keeps the text alive */
  return text;
}

static enum ca_code write_resolution(struct host *host, const char *run,
                                     int64_t change,
                                     const struct ca_resolution *resolution,
                                     struct ca_err *err)
{
  struct ca_ledger *ledger = ca_ledger_open(host->state_dir, host->clock, err);
  enum ca_code code = ledger ? ca_run_select(ledger, run, err) : err->code;
  if(!code)
    code = ca_run_resolve(ledger, change, resolution, err);
  ca_ledger_close(ledger);
  return code;
}

/* host.resolve(run, number, outcome, reason), with a row of ledger:runs: takes
   the lock of the run's project and gives the change its outcome. Returns the
   text that says who did; raises an error without position, after setting the
   exit code if it is not 2. */
static int resolve(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  const char *run = text_of(L, "run");
  char who[sizeof(host->user) + sizeof(host->machine) + 1];
  char reason[1024];
  struct ca_resolution resolution = {
    .outcome = !strcmp(luaL_checkstring(L, 3), "done") ? CA_DONE : CA_FAILED,
    .who = host->user,
    .host = host->machine,
    .reason = reason
  };
  struct ca_err err;
  enum ca_code code;
  ca_err_clear(&err);
  host_setup_machine(host);
  ca_text_copy(host->project, sizeof(host->project), text_of(L, "project"));
  ca_text_copy(reason, sizeof(reason), luaL_checkstring(L, 4));
  ca_secret_mask(reason, strlen(reason));
  code = host_lock_take(host, &err);
  if(!code)
    code = write_resolution(host, run, luaL_checkinteger(L, 2), &resolution,
                            &err);
  host_lock_release(&host->lock);
  if(code && code != CA_USAGE && !host->exit_code)
    host->exit_code = 1;
  snprintf(who, sizeof(who), "%s@%s", host->user, host->machine);
  lua_pushstring(L, code ? err.text : who);
  return code ? lua_error(L) : 1;
}

static void add_functions(lua_State *L, const void *from)
{
  lua_pushcfunction(L, host_profile_push);
  lua_setfield(L, -2, "profiles");
  lua_pushlightuserdata(L, (void *)from);
  lua_pushcclosure(L, resolve, 1);
  lua_setfield(L, -2, "resolve");
}

/* ---- the verbs ---- */

/* These verbs do not need the API key, but must not print it either. */
static void hide_key(void)
{
  const char *key = getenv("COMPOSIO_API_KEY");
  if(key)
    ca_secret_add(key, strlen(key));
  host_paths_forget_key();
}

int host_runs_verb(struct host *host)
{
  struct ca_err err;
  int code;
  ca_err_clear(&err);
  hide_key();
  if(host->options.verb != HOST_PROFILES &&
     host_paths_state_dir(host->options.state_dir, host->state_dir,
                          sizeof(host->state_dir), &err)) {
    host_terminal_complain(host, "%s", err.text);
    return 2;
  }
  code = host_shipped_call(host, "composio.runs",
                           host_options_verb(host->options.verb), add_functions,
                           host, NULL);
  if(code < 0 && host->exit_code)
    code = host->exit_code;
  else if(code < 0)
    code = code == -LUA_ERRRUN ? 2 : 1;
  return host->stop && !code ? 128 + host->stop : code;
}
