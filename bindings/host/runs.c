/* The verbs that are written in Lua: those about earlier runs (runs, show,
   history, resolve), profiles and doctor. Also writes an outcome that resolve
   was given, and removes the runs that runs --prune has chosen.
   Must not know: the engine, what is shown. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "host/host.h"
#include "job/report.h"
#include "module/client.h"
#include "module/open.h"
#include "module/table.h"

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
  char who[HOST_PATHS_USER_SIZE + sizeof(host->machine) + 1];
  char reason[1024];
  struct ca_resolution resolution = {
    .outcome = !strcmp(luaL_checkstring(L, 3), "done") ? CA_DONE : CA_FAILED,
    .who = host_paths_user(),
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
  snprintf(who, sizeof(who), "%s@%s", host_paths_user(), host->machine);
  lua_pushstring(L, code ? err.text : who);
  return code ? lua_error(L) : 1;
}

/* ---- prune ---- */

/* Removes the partial files of the selected run's reports, whose paths are
   relative to dir. */
static int remove_partials(struct ca_ledger *ledger, const char *run,
                           const char *dir, struct ca_err *err)
{
  struct ca_query query;
  char full[2 * HOST_PATH_SIZE];
  const char *path;
  int count = 0;
  ca_history_open_reports(&query, ledger, err);
  while(ca_history_next_report(&query, &path)) {
    bool whole = *path == '/' || !dir;
    snprintf(full, sizeof(full), "%s%s%s", whole ? "" : dir, whole ? "" : "/",
             path);
    count += lca_report_partial_remove(full, run);
  }
  (void)ca_history_close(&query);
  return count;
}

/* host.prune(run), with a row of ledger:runs: takes the lock of the run's
   project and removes the run, unless it has changed since. Returns how many
   changes it had (nil: it stays), and how many files of rows were removed;
   raises as resolve does. */
static int prune(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  const char *run = text_of(L, "run");
  int64_t changes = 0;
  int files = 0;
  bool may = false;
  struct ca_err err;
  enum ca_code code;
  ca_err_clear(&err);
  host_setup_machine(host);
  ca_text_copy(host->project, sizeof(host->project), text_of(L, "project"));
  lua_getfield(L, 1, "ended_ms");
  code = host_lock_take(host, &err);
  if(!code && !host->ledger) {
    host->ledger = ca_ledger_open(host->state_dir, host->clock, &err);
    code = err.code;
  }
  if(!code)
    code =
        ca_prune_select(host->ledger, run, lua_tointeger(L, -1), &may, &err);
  if(!code && may) {
    files = remove_partials(host->ledger, run, text_of(L, "cwd"), &err);
    code = err.code ? err.code : ca_prune_run(host->ledger, &changes, &err);
  }
  host_lock_release(&host->lock);
  if(code) {
    if(code != CA_USAGE && !host->exit_code)
      host->exit_code = 1;
    lua_pushstring(L, err.text);
    return lua_error(L);
  }
  if(!may)
    return 0;
  lua_pushinteger(L, changes);
  lua_pushinteger(L, files);
  return 2;
}

static void add_functions(lua_State *L, const void *from)
{
  lua_pushcfunction(L, host_profile_push);
  lua_setfield(L, -2, "profiles");
  lua_pushlightuserdata(L, (void *)from);
  lua_pushcclosure(L, resolve, 1);
  lua_setfield(L, -2, "resolve");
  lua_pushlightuserdata(L, (void *)from);
  lua_pushcclosure(L, prune, 1);
  lua_setfield(L, -2, "prune_run");
}

/* ---- doctor ---- */

static struct host *host_of(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* given.connect() → the module composio, with the host's key and base URL */
static int connect_service(lua_State *L)
{
  lca_client_shared(L)->defaults = &host_of(L)->endpoint;
  luaL_requiref(L, "composio", lca_open, 0);
  return 1;
}

/* given.facts() → what the service's replies have shown so far: service_ms
   (its time, or nil), limit (0: none was sent), remaining and window_ms */
static int service_facts(lua_State *L)
{
  const struct ca_endpoint *endpoint = lca_client_default(L)->endpoint;
  int64_t ms =
      ca_endpoint_service_ms(endpoint, ca_clock_mono_ms(host_of(L)->clock));
  lua_newtable(L);
  if(ms)
    lca_table_set_integer(L, "service_ms", ms);
  lca_table_set_integer(L, "limit", endpoint->rate.limit);
  lca_table_set_integer(L, "remaining", endpoint->rate.remaining);
  lca_table_set_integer(L, "window_ms", endpoint->rate.window_ms);
  return 1;
}

/* given.holder() → run, pid and since of the process that holds the lock of
   this project, and shards, the N of its --shard I/N; or nil */
static int lock_holder(lua_State *L)
{
  struct host *host = host_of(L);
  struct host_lock_holder holder;
  if(!host_lock_find_holder(host->state_dir, host->project, NULL, &holder))
    return 0;
  lua_newtable(L);
  if(holder.shards)
    lca_table_set_integer(L, "shards", holder.shards);
  lca_table_set_text(L, "run", holder.run);
  lca_table_set_text(L, "since", holder.since);
  lca_table_set_integer(L, "pid", holder.pid);
  return 1;
}

/* given.unwritable(directory) → why no file can be created in it; nil if
   one can, or if the directory does not exist yet */
static int unwritable(lua_State *L)
{
  if(!access(luaL_checkstring(L, 1), W_OK | X_OK) || errno == ENOENT)
    return 0;
  lua_pushstring(L, strerror(errno));
  return 1;
}

struct doctor {
  struct host *host;
  const char *trouble;    /* why the service cannot be asked, or NULL */
  const char *key_source; /* where the key was found */
};

static void add_doctor(lua_State *L, const void *from)
{
  static const luaL_Reg functions[] = { { "connect", connect_service },
                                        { "facts", service_facts },
                                        { "holder", lock_holder },
                                        { "unwritable", unwritable },
                                        { NULL, NULL } };
  const struct doctor *doctor = from;
  lua_pushlightuserdata(L, doctor->host);
  luaL_setfuncs(L, functions, 1);
  lca_table_set_text(L, "trouble", doctor->trouble);
  lca_table_set_text(L, "key_source", doctor->key_source);
  lca_table_set_text(L, "base_url", doctor->host->base_url);
}

int host_runs_doctor(struct host *host)
{
  bool by_variable = getenv("COMPOSIO_API_KEY") != NULL;
  struct doctor doctor = { host, NULL, host->options.api_key_file };
  struct ca_err err;
  struct ca_err ignored;
  int code;
  ca_err_clear(&err);
  ca_err_clear(&ignored);
  ca_buf_init(&host->key, 1);
  if(!doctor.key_source)
    doctor.key_source = getenv("CREDENTIALS_DIRECTORY") && !by_variable
                            ? "$CREDENTIALS_DIRECTORY"
                            : "COMPOSIO_API_KEY";
  if(host_setup_service(host, &err))
    doctor.trouble = err.text;
  if(host_setup_state(host, &ignored))
    host->state_dir[0] = '\0';
  code = host_shipped_call(host, "composio.host.doctor", "doctor", add_doctor,
                           &doctor, NULL);
  ca_buf_wipe(&host->key);
  if(host->stop)
    return 128 + host->stop;
  return code < 0 ? 1 : code;
}

/* ---- the verbs ---- */

/* These verbs do not need the API key, but must mask it in what they print. */
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
  code = host_shipped_call(host, "composio.host.runs",
                           host_options_verb(host->options.verb),
                           add_functions, host, NULL);
  ca_ledger_close(host->ledger);
  if(code < 0 && host->exit_code)
    code = host->exit_code;
  else if(code < 0)
    code = code == -LUA_ERRRUN ? 2 : 1;
  return host->stop && !code ? 128 + host->stop : code;
}
