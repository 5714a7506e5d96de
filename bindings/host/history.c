/* The host functions for the Lua that shows earlier runs (history.lua, and
   runs.lua for the verbs runs, show and history): the ledger, stdout, tables.
   Must not know: the engine, what is shown. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "base/secret.h"
#include "host/host.h"
#include "host/table.h"
#include "job/history.h"
#include "module/open.h"

#define TABLE_CLASS "composio.host.table"

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
  lua_pushstring(L, host->project);
  lua_setfield(L, -2, "own_project");
}

/* ---- stdout: a line ---- */

/* host.print(text, is_json): prints a line on stdout, with secrets masked and,
   except in JSON, control bytes escaped. */
static int print_line(lua_State *L)
{
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  char *raw = lua_newuserdatauv(L, len + 1, 0);
  size_t size = 4 * len + 1;
  char *clean = lua_newuserdatauv(L, size, 0);
  memcpy(raw, text, len + 1);
  len = ca_secret_mask(raw, len);
  if(!lua_toboolean(L, 2)) {
    ca_text_printable(clean, size, raw, len);
    raw = clean;
  }
  (void)printf("%s\n", raw);
  return 0;
}

/* ---- stdout: a table ---- */

struct table {
  struct host_column columns[HOST_COLUMNS];
  char titles[HOST_COLUMNS][32];
  struct host_table table;
};

/* host.table { title, least, title, least, … } → a table (host/table.h) */
static int new_table(lua_State *L)
{
  struct table *table;
  lua_Integer place = 1;
  size_t count = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  table = lua_newuserdatauv(L, sizeof(*table), 0);
  memset(table, 0, sizeof(*table));
  for(; count < HOST_COLUMNS; count++) {
    lua_rawgeti(L, 1, place++);
    if(lua_isnil(L, -1))
      break;
    lua_rawgeti(L, 1, place++);
    snprintf(table->titles[count], sizeof(table->titles[count]), "%s",
             luaL_checkstring(L, -2));
    table->columns[count].title = table->titles[count];
    table->columns[count].least = (size_t)luaL_checkinteger(L, -1);
    lua_pop(L, 2);
  }
  lua_settop(L, 2);
  host_table_init(&table->table, NULL, table->columns, count);
  luaL_setmetatable(L, TABLE_CLASS);
  return 1;
}

/* table:add(text, …): adds one text per column; nil and "" are shown as "-".
 */
static int table_add(lua_State *L)
{
  struct table *table = luaL_checkudata(L, 1, TABLE_CLASS);
  const char *texts[HOST_COLUMNS] = { NULL };
  int i;
  for(i = 0; i < HOST_COLUMNS; i++) {
    const char *text = luaL_optstring(L, i + 2, "");
    texts[i] = *text ? text : NULL;
  }
  host_table_add(&table->table, texts);
  return 0;
}

/* table:finish(): prints rows that are still buffered. */
static int table_finish(lua_State *L)
{
  struct table *table = luaL_checkudata(L, 1, TABLE_CLASS);
  host_table_end(&table->table);
  return 0;
}

static int table_free(lua_State *L)
{
  struct table *table = luaL_checkudata(L, 1, TABLE_CLASS);
  host_table_free(&table->table);
  return 0;
}

static void open_tables(lua_State *L)
{
  static const luaL_Reg methods[] = { { "add", table_add },
                                      { "finish", table_finish },
                                      { NULL, NULL } };
  luaL_newmetatable(L, TABLE_CLASS);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, table_free);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
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

/* Pushes the composio.host table for runs.lua. */
static void push_host(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = {
    { "print", print_line },  { "table", new_table }, { "log", log_line },
    { "complain", complain }, { "is_over", is_over }, { "now", now },
    { "number", number },     { NULL, NULL }
  };
  const struct host_options *options = &host->options;
  open_tables(L);
  lua_newtable(L);
  host_history_add(L, host);
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
  lua_pushstring(L, host->state_dir);
  lua_setfield(L, -2, "state_dir");
  lua_pushstring(L, options->operand);
  lua_setfield(L, -2, "operand");
  lua_pushboolean(L, options->json);
  lua_setfield(L, -2, "wants_json");
  lua_pushboolean(L, options->show_all);
  lua_setfield(L, -2, "show_all");
  lua_pushinteger(L, options->limit);
  lua_setfield(L, -2, "limit");
  host_next_command_push_carried(L, host);
  lua_setfield(L, -2, "carried");
}

/* Runs the verb. The argument is the host; returns the exit code. */
static int run_verb(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lca_open_parts(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.runs");
  lua_call(L, 1, 1);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.core");
  lua_call(L, 1, 1);
  push_host(L, host);
  lua_call(L, 2, 1); /* the verbs */
  lua_getfield(L, -1, host_options_verb(host->options.verb));
  lua_call(L, 0, 1);
  return 1;
}

/* Was the output lost because the reader closed its end of the pipe? */
static bool is_closed_pipe(void)
{
  struct pollfd out = { STDOUT_FILENO, 0, 0 };
  return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

/* Flushes stdout and returns the exit code: 1 if the output could not be
   written, 128 + N after signal N if code is 0, else code. A closed pipe is
   not an error. */
static int end_output(struct host *host, int code)
{
  bool lost = fflush(stdout) != 0 || ferror(stdout);
  if(lost && !is_closed_pipe()) {
    host_terminal_complain(host, "stdout cannot be written");
    return 1;
  }
  return host->stop && !code ? 128 + host->stop : code;
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
  lua_State *L;
  struct ca_err err;
  int status = LUA_ERRMEM;
  int code = 1;
  ca_err_clear(&err);
  hide_key();
  if(host_paths_state_dir(host->options.state_dir, host->state_dir,
                          sizeof(host->state_dir), &err)) {
    host_terminal_complain(host, "%s", err.text);
    return 2;
  }
  L = luaL_newstate();
  if(L) {
    lua_pushcfunction(L, run_verb);
    lua_pushlightuserdata(L, host);
    status = lua_pcall(L, 1, 1, 0);
  }
  if(status == LUA_OK)
    code = (int)lua_tointeger(L, -1);
  else if(status == LUA_ERRMEM)
    host_terminal_complain(host, "out of memory");
  else
    host_terminal_complain(host, "%s", lua_tostring(L, -1));
  if(status == LUA_ERRRUN && !host->exit_code)
    code = 2;
  if(L)
    lua_close(L);
  return end_output(host, code);
}
