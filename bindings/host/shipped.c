/* The program's own Lua: calls functions of the shipped files in a state of
   its own, because a script's state may be out of memory and its globals may
   be changed. Each such state has the host table: the terminal, the clock, the
   command line, and the ledger (history.c).
   Must not know: the engine, what the functions do. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "base/secret.h"
#include "host/host.h"
#include "module/table.h"

/* ---- lines and columns ---- */

/* The upvalue of the functions below is the host. */
static struct host *host_of(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

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

/* ---- lines for people ---- */

/* host.log(text): prints a line for people on stderr. */
static int log_line(lua_State *L)
{
  host_terminal_print(host_of(L), "%s", luaL_checkstring(L, 1));
  return 0;
}

/* host.warn(text): the same, also with -q. */
static int warn(lua_State *L)
{
  host_terminal_print_always(host_of(L), "%s", luaL_checkstring(L, 1));
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

/* ---- the host table ---- */

static void push_host(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = {
    { "print", print_line }, { "print_error", print_error },
    { "clean", clean },      { "screen", screen },
    { "log", log_line },     { "complain", complain },
    { "is_over", is_over },  { "now", now },
    { "number", number },    { "warn", warn },
    { NULL, NULL }
  };
  lua_newtable(L);
  host_history_add(L, host);
  host_command_line_add(L, host);
  host_command_line_add_verb(L, host);
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
  lca_table_set_text(L, "version", COMPOSIO_VERSION);
  lca_table_set_text(L, "state_dir", host->state_dir);
  lca_table_set_text(L, "here", ca_text_or_null(host->here));
  lca_table_set_bool(L, "is_quiet", host->options.quiet);
}

/* ---- calls ---- */

struct call {
  struct host *host;
  const char *module;
  const char *function;
  void (*add)(lua_State *L, const void *from);
  const void *from;
};

/* Carries out the call (argument 1), and returns what the function returns. */
static int carry_out(lua_State *L)
{
  const struct call *call = lua_touserdata(L, 1);
  host_sandbox_open(L);
  push_host(L, call->host); /* 2 */
  lua_getglobal(L, "require");
  lua_pushvalue(L, -1);
  lua_pushstring(L, call->module);
  lua_call(L, 1, 1);
  if(lua_isfunction(L, -1)) {
    lua_pushvalue(L, 3);
    lua_pushliteral(L, "composio.core");
    lua_call(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
  }
  lua_getfield(L, -1, call->function);
  lua_newtable(L);
  if(call->add)
    call->add(L, call->from);
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_call(L, 1, 1);
  return 1;
}

int host_shipped_call(struct host *host, const char *module,
                      const char *function,
                      void (*add)(lua_State *L, const void *from),
                      const void *from, struct ca_buf *out)
{
  struct call call = { host, module, function, add, from };
  lua_State *L = luaL_newstate();
  int status = LUA_ERRMEM;
  int result = 0;
  if(L) {
    lua_pushcfunction(L, carry_out);
    lua_pushlightuserdata(L, &call);
    status = lua_pcall(L, 1, 1, 0);
  }
  if(!status && out && lua_isstring(L, -1) &&
     ca_buf_add_text(out, lua_tostring(L, -1)))
    status = LUA_ERRMEM;
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

int host_shipped_help(struct host *host, const char *page)
{
  struct ca_buf text;
  int code;
  ca_buf_init(&text, 1u << 20);
  code = host_shipped_call(host, "composio.help", page, NULL, NULL, &text);
  (void)fputs(ca_buf_text(&text), stdout);
  ca_buf_clear(&text);
  return code ? 2 : 0;
}
