/* The verbs about earlier runs (runs, show, history, resolve), which are Lua:
   opening its state, giving it the composio.host table with the ledger and the
   terminal, writing what resolve was told, ending its output. history.lua in
   scripts gets the ledger from here, too.
   Must not know: the engine, what is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "base/secret.h"
#include "host/host.h"
#include "job/history.h"
#include "module/open.h"
#include "module/table.h"

/* ---- functions that scripts reach, too ----
   Their upvalue is the host. */

static struct host *host_of(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* host.ledger() → an object that reads the ledger (job/history.h), or nil when
   there is none yet */
static int open_ledger(lua_State *L)
{
  struct host *host = host_of(L);
  struct ca_ledger **place = lca_history_new(L);
  bool found = false;
  struct ca_err err;
  ca_err_clear(&err);
  *place = ca_ledger_open_readonly(host->state_dir, host->clock, &found, &err);
  if(*place)
    return 1;
  if(!err.code)
    return 0;
  lua_pushstring(L, err.text);
  return lua_error(L);
}

static const char *text_of(lua_State *L, const char *name)
{
  const char *text;
  lua_getfield(L, 1, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1); /* the table keeps the text alive */
  return text;
}

/* host.state(run), a row of ledger:runs → "ended"; "running" if a process
   holds the lock for it; "open" for a preview without an end, which may still
   be running, since previews take no lock; else "interrupted" */
static int state(lua_State *L)
{
  struct host_lock_holder holder;
  const char *mode = text_of(L, "mode");
  const char *project = text_of(L, "project");
  const char *name = text_of(L, "run");
  const char *word = "interrupted";
  if(text_of(L, "ended"))
    word = "ended";
  else if(!mode || strcmp(mode, "apply") != 0)
    word = "open";
  else if(project && name &&
          host_lock_find_holder(host_of(L)->state_dir, project, &holder) &&
          !strcmp(holder.run, name))
    word = "running";
  lua_pushstring(L, word);
  return 1;
}

/* host.own_run() → the id of this run, or nil before it is in the ledger */
static int own_run(lua_State *L)
{
  const char *run = host_of(L)->run_id;
  lua_pushstring(L, *run ? run : NULL);
  return 1;
}

/* host.milliseconds(text) → ISO 8601 as milliseconds since 1970, or nil */
static int milliseconds(lua_State *L)
{
  int64_t ms;
  if(!ca_clock_parse(luaL_checkstring(L, 1), &ms))
    return 0;
  lua_pushinteger(L, ms);
  return 1;
}

void host_history_add(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = { { "ledger", open_ledger },
                                        { "state", state },
                                        { "own_run", own_run },
                                        { "milliseconds", milliseconds },
                                        { NULL, NULL } };
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
  lca_table_set_text(L, "own_project", host->project);
}

/* ---- lines and columns ---- */

/* host.clean(text, is_json) → the text with secrets masked and, except in
   JSON, control bytes escaped */
static int clean(lua_State *L)
{
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  bool is_json = lua_toboolean(L, 2);
  char *raw = lua_newuserdatauv(L, len + 1, 0);
  size_t size = 4 * len + 1;
  char *out = lua_newuserdatauv(L, size, 0);
  memcpy(raw, text, len + 1);
  len = ca_secret_mask(raw, len);
  if(!is_json) {
    ca_text_printable(out, size, raw, len);
    raw = out;
  }
  lua_pushstring(L, raw);
  return 1;
}

/* host.print(text, is_json): cleans a line and prints it on stdout. */
static int print_line(lua_State *L)
{
  (void)clean(L);
  (void)printf("%s\n", lua_tostring(L, -1));
  return 0;
}

/* host.print_error(text): the same on stderr. */
static int print_error(lua_State *L)
{
  (void)clean(L);
  (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return 0;
}

/* host.screen(of_stderr) → the terminal's width, or nil if there is none */
static int screen(lua_State *L)
{
  struct winsize size;
  int fd = lua_toboolean(L, 1) ? STDERR_FILENO : STDOUT_FILENO;
  if(!isatty(fd))
    return 0;
  if(ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col)
    size.ws_col = 80;
  lua_pushinteger(L, size.ws_col);
  return 1;
}

/* ---- the verbs ---- */

/* host.log(text): prints a line for people on stderr. */
static int log_line(lua_State *L)
{
  host_terminal_print(host_of(L), "%s", luaL_checkstring(L, 1));
  return 0;
}

/* host.complain(text): prints a warning or error on stderr. */
static int complain(lua_State *L)
{
  host_terminal_complain(host_of(L), "%s", luaL_checkstring(L, 1));
  return 0;
}

/* host.is_over() → whether a signal arrived or writing to stdout failed. */
static int is_over(lua_State *L)
{
  lua_pushboolean(L, host_of(L)->stop || ferror(stdout));
  return 1;
}

/* host.now() → milliseconds since 1970 */
static int now(lua_State *L)
{
  lua_pushinteger(L, ca_clock_wall_ms(host_of(L)->clock));
  return 1;
}

/* host.number(12345) → "12,345" */
static int number(lua_State *L)
{
  char text[32];
  lua_pushstring(L, ca_text_number(luaL_checkinteger(L, 1), text));
  return 1;
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
  struct host *host = host_of(L);
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

/* Pushes the composio.host table for runs.lua. */
static void push_host(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = {
    { "print", print_line }, { "print_error", print_error },
    { "clean", clean },      { "screen", screen },
    { "log", log_line },     { "complain", complain },
    { "is_over", is_over },  { "now", now },
    { "number", number },    { "resolve", resolve },
    { NULL, NULL }
  };
  const struct host_options *options = &host->options;
  lua_newtable(L);
  host_history_add(L, host);
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
  lca_table_set_text(L, "state_dir", host->state_dir);
  lca_table_set_text(L, "operand", options->operand);
  lca_table_set_text(L, "change", options->more[0]);
  lca_table_set_text(L, "outcome", options->more[1]);
  lca_table_set_text(L, "reason", options->reason);
  lca_table_set_bool(L, "wants_json", options->json);
  lca_table_set_bool(L, "show_all", options->show_all);
  lca_table_set_integer(L, "limit", options->limit);
  host_summary_push_carried(L, host);
  lua_setfield(L, -2, "carried");
  host_options_table_push(L);
  lua_setfield(L, -2, "options");
}

void host_history_push(lua_State *L, struct host *host, const char *module)
{
  luaL_openlibs(L);
  lca_open_parts(L);
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  lua_call(L, 1, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.core");
  lua_call(L, 1, 1);
  push_host(L, host);
  lua_call(L, 2, 1);
}

int host_history_call(struct host *host, lua_CFunction function, void *ctx)
{
  lua_State *L = luaL_newstate();
  int status = LUA_ERRMEM;
  int result = 0;
  if(L) {
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, ctx);
    status = lua_pcall(L, 1, 1, 0);
  }
  if(status == LUA_OK)
    result = (int)lua_tointeger(L, -1);
  else if(status == LUA_ERRMEM)
    host_terminal_complain(host, "out of memory");
  else
    host_terminal_complain(host, "%s", lua_tostring(L, -1));
  if(L)
    lua_close(L);
  return status == LUA_OK ? result : -status;
}

/* Runs the verb. The argument is the host; returns the exit code. */
static int run_verb(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  host_history_push(L, host, "composio.runs");
  lua_getfield(L, -1, host_options_verb(host->options.verb));
  lua_call(L, 0, 1);
  return 1;
}

/* These verbs do not need the API key, but must not print it either. */
static void hide_key(void)
{
  const char *key = getenv("COMPOSIO_API_KEY");
  if(key)
    ca_secret_add(key, strlen(key));
  host_paths_forget_key();
}

int host_history_verb(struct host *host)
{
  struct ca_err err;
  int code;
  ca_err_clear(&err);
  hide_key();
  if(host_paths_state_dir(host->options.state_dir, host->state_dir,
                          sizeof(host->state_dir), &err)) {
    host_terminal_complain(host, "%s", err.text);
    return 2;
  }
  code = host_history_call(host, run_verb, host);
  if(code < 0 && host->exit_code)
    code = host->exit_code;
  else if(code < 0)
    code = code == -LUA_ERRRUN ? 2 : 1;
  return host->stop && !code ? 128 + host->stop : code;
}
