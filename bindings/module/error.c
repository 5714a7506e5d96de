/* Error objects and usage errors. A failure of the service or the system is an
   object with a name for its kind, so that scripts can tell kinds apart; a
   mistake in the script is a string with the script's line.
   Must not know: what causes errors. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <lauxlib.h>
#include "module/error.h"
#include "module/table.h"
#include "wire/reply.h"
#include "base/secret.h"

#define ERROR     "composio.error"
#define WORD_MAX  48
#define LINE_SIZE 2048

/* ---- where the script is ---- */

static lca_error_origin_fn *origin; /* of scripts' code that left no frame */

void lca_error_set_origin(lca_error_origin_fn *of_running)
{
  origin = of_running;
}

/* Is this function the script's? The shipped Lua is not, nor is C. */
static bool is_script(const lua_Debug *at)
{
  return *at->what != 'C' && strncmp(at->source, "@composio/", 10) != 0;
}

/* Pushes the position of the innermost function of the script on the thread's
   stack, if there is one. [-0, +(0|1), m] */
static bool push_line(lua_State *L, lua_State *thread)
{
  lua_Debug at;
  int level;
  for(level = 0; lua_getstack(thread, level, &at); level++) {
    lua_getinfo(thread, "Sl", &at);
    if(at.currentline > 0 && is_script(&at)) {
      lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
      return true;
    }
  }
  return false;
}

bool lca_error_push_start(lua_State *L, int index)
{
  lua_Debug at;
  if(!lua_isfunction(L, index))
    return false;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &at);
  if(!is_script(&at))
    return false;
  if(at.linedefined > 0)
    lua_pushfstring(L, "%s:%d", at.short_src, at.linedefined);
  else
    lua_pushstring(L, at.short_src); /* the main chunk */
  return true;
}

bool lca_error_push_place(lua_State *L)
{
  int top = lua_gettop(L);
  lua_State *thread;
  if(push_line(L, L))
    return true;
  thread = origin ? origin(L) : NULL;
  if(thread && ((thread != L && push_line(L, thread)) ||
                lca_error_push_start(L, top + 1)))
    lua_replace(L, top + 1);
  if(thread && lua_type(L, top + 1) == LUA_TSTRING)
    return true;
  lua_settop(L, top);
  return false;
}

void lca_error_where(lua_State *L)
{
  if(lca_error_push_place(L)) {
    lua_pushliteral(L, ": ");
    lua_concat(L, 2);
  } else
    lua_pushliteral(L, "");
}

/* Sets the field `where` of the error object on top. [-0, +0, m] */
static void set_where(lua_State *L)
{
  if(lca_error_push_place(L))
    lua_setfield(L, -2, "where");
}

/* ---- objects ---- */

/* Sets the number, or nothing for 0. */
static void set_count(lua_State *L, const char *field, int value)
{
  if(value)
    lca_table_set_integer(L, field, value);
}

void lca_error_push_named(lua_State *L, const char *name,
                          const struct ca_api *api, const char *account,
                          const struct ca_err *err)
{
  lua_createtable(L, 0, 12);
  luaL_setmetatable(L, ERROR);
  lca_table_set_text(L, "name", name);
  lca_table_set_text(L, "message", ca_text_or_null(err->text));
  lca_table_set_text(L, "slug", ca_text_or_null(err->slug));
  lca_table_set_text(L, "request_id", ca_text_or_null(err->request_id));
  lca_table_set_text(L, "suggested_fix", ca_text_or_null(err->fix));
  lca_table_set_text(L, "account_id", ca_text_or_null(account));
  set_count(L, "code", err->api_code);
  set_count(L, "status", err->status);
  set_count(L, "attempts", err->attempts);
  if(api) {
    lua_pushfstring(L, "%s.%s", api->resource, api->name);
    lua_setfield(L, -2, "operation");
  }
  lca_table_set_bool(L, "retryable", err->retryable);
  if(ca_reply_service(err) != CA_SERVICE_ANSWERS)
    lca_table_set_bool(L, "unavailable", true);
  if(err->overlong)
    lca_table_set_bool(L, "overlong", true);
  lca_table_set_text(L, "outcome", err->unknown ? "unknown" : "failed");
  set_where(L);
}

int lca_error_throw(lua_State *L, const struct ca_api *api,
                    const char *account, const struct ca_err *err)
{
  lca_error_push_named(L, ca_reply_error_name(api, err), api, account, err);
  return lua_error(L);
}

enum lca_error_end lca_error_ends_run(lua_State *L, int index)
{
  enum lca_error_end end = LCA_ERROR_GOES_ON;
  index = lua_absindex(L, index);
  if(!lua_istable(L, index))
    return end;
  lua_pushliteral(L, "status");
  lua_rawget(L, index);
  lua_pushliteral(L, "name");
  lua_rawget(L, index);
  if(lua_isinteger(L, -2) && lua_tointeger(L, -2) == 401)
    end = LCA_ERROR_KEY;
  else if(lua_type(L, -1) == LUA_TSTRING &&
          !strcmp(lua_tostring(L, -1), CA_REPLY_NO_ROUTE))
    end = LCA_ERROR_ROUTE;
  lua_pop(L, 2);
  return end;
}

bool lca_error_is(lua_State *L, int index)
{
  bool same;
  if(!lua_istable(L, index) || !lua_getmetatable(L, index))
    return false;
  luaL_getmetatable(L, ERROR);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* Returns advice for the kinds of errors for which the service gives none;
   or NULL. */
static const char *advice(const char *name)
{
  if(!strcmp(name, "ComposioConnectedAccountNotFoundError"))
    return "it was deleted, or belongs to another project";
  return strcmp(name, "InternalServerError") ? NULL : "try again later";
}

/* Pushes the string field of the object at 1 and returns it; "" if it is
   absent. [-0, +1, -] */
static const char *field(lua_State *L, const char *name)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
}

static void add_part(luaL_Buffer *line, const char *before, const char *text)
{
  if(!text || !*text)
    return;
  luaL_addstring(line, before);
  luaL_addstring(line, text);
}

/* __tostring: one line with the kind, the operation and account, the cause,
   what to do, and the request id by which the service's support finds the
   request. */
static int error_tostring(lua_State *L)
{
  const char *name = field(L, "name");
  const char *operation = field(L, "operation");
  const char *account = field(L, "account_id");
  const char *message = field(L, "message");
  const char *fix = field(L, "suggested_fix");
  const char *outcome = field(L, "outcome");
  const char *request = field(L, "request_id");
  luaL_Buffer line;
  char masked[LINE_SIZE];
  const char *text;
  size_t len;

  luaL_buffinit(L, &line);
  luaL_addstring(&line, *name ? name : "Error");
  add_part(&line, ": ", operation);
  add_part(&line, *operation ? " " : ": ", account);
  add_part(&line, ": ", message);
  if(!strcmp(outcome, "unknown"))
    add_part(&line, "; ",
             "it may have been carried out: check before "
             "repeating it");
  if(*fix && !strstr(message, fix))
    add_part(&line, "; ", fix);
  else if(!*fix)
    add_part(&line, "; ", advice(name));
  add_part(&line, "; request ", request);
  luaL_pushresult(&line);
  text = lua_tolstring(L, -1, &len);
  ca_err_copy_text(masked, sizeof(masked), text, len);
  len = ca_secret_mask(masked, strlen(masked));
  lua_pushlstring(L, masked, len);
  return 1;
}

/* __concat: "failed: " .. err, as with the strings that Lua's own errors are.
   The other value is a string, a number or an error, too. */
static int error_concat(lua_State *L)
{
  int i;
  for(i = 1; i <= 2; i++)
    if(!lca_error_is(L, i) && !lua_isstring(L, i))
      return luaL_error(L, "attempt to concatenate a %s value",
                        luaL_typename(L, i));
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

/* Replaces the text on top, which is that of the value at index, if the value
   is a table of a script that says nothing: "table: 0x…". [-0, +0, m] */
static void replace_silent(lua_State *L, int index)
{
  if(!lua_istable(L, index) || strncmp(lua_tostring(L, -1), "table: ", 7))
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "message");
  if(lua_rawget(L, index) == LUA_TSTRING)
    return;
  lua_pop(L, 1);
  lua_pushliteral(L, "the error is a table without a message");
}

const char *lca_error_push_line(lua_State *L, int index)
{
  const char *text;
  index = lua_absindex(L, index);
  text = luaL_tolstring(L, index, NULL);
  if(!lca_error_is(L, index)) {
    replace_silent(L, index);
    return lua_tostring(L, -1);
  }
  lua_pushliteral(L, "where");
  if(lua_rawget(L, index) == LUA_TSTRING &&
     !strstr(text, lua_tostring(L, -1))) {
    lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), text);
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
  return lua_tostring(L, -1);
}

/* ---- usage ---- */

int lca_error_usage(lua_State *L, const char *fmt, ...)
{
  va_list args;
  lca_error_where(L);
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  lua_concat(L, 2);
  return lua_error(L);
}

bool lca_error_to_snake(const char *word, char *out, size_t size)
{
  size_t used = 0;
  bool changed = false;
  for(; *word; word++) {
    if(used + 3 > size)
      return false;
    if(isupper((unsigned char)*word)) {
      if(used)
        out[used++] = '_';
      out[used++] = (char)tolower((unsigned char)*word);
      changed = true;
    } else
      out[used++] = *word == '-' ? '_' : *word;
  }
  out[used] = '\0';
  return changed;
}

static int least(int a, int b, int c)
{
  int least = a < b ? a : b;
  return least < c ? least : c;
}

/* Damerau-Levenshtein distance (adjacent transpositions cost 1); both words
   are shorter than WORD_MAX. */
static int distance(const char *a, const char *b)
{
  int far[WORD_MAX][WORD_MAX]; /* of the first i letters and the first j */
  int i;
  int j;
  for(i = 0; !i || a[i - 1]; i++)
    for(j = 0; !j || b[j - 1]; j++)
      if(!i || !j)
        far[i][j] = i + j;
      else {
        far[i][j] = least(far[i - 1][j] + 1, far[i][j - 1] + 1,
                          far[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
        if(i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
           far[i - 2][j - 2] + 1 < far[i][j])
          far[i][j] = far[i - 2][j - 2] + 1;
      }
  return far[i - 1][j - 1];
}

const char *lca_error_nearest(const char *word, const char *const *known)
{
  char snake[WORD_MAX];
  const char *best = NULL;
  int best_distance;

  if(strlen(word) >= WORD_MAX)
    return NULL;
  if(lca_error_to_snake(word, snake, sizeof(snake)))
    word = snake;
  best_distance = (int)strlen(word) / 3 + 1;
  for(; *known; known++) {
    int far;
    if(strlen(*known) >= WORD_MAX)
      continue;
    far = distance(word, *known);
    if(far <= best_distance && (!best || far < best_distance)) {
      best = *known;
      best_distance = far;
    }
  }
  return best;
}

int lca_error_unknown_option(lua_State *L, const char *function,
                             const char *option, const char *const *known)
{
  const char *near = lca_error_nearest(option, known);
  luaL_Buffer list;
  int i;

  if(near)
    return lca_error_usage(L, "%s: unknown option '%s' (did you mean '%s'?)",
                           function, option, near);
  luaL_buffinit(L, &list);
  for(i = 0; known[i]; i++) {
    luaL_addstring(&list, i ? ", " : "");
    luaL_addstring(&list, known[i]);
  }
  luaL_pushresult(&list);
  return lca_error_usage(L, "%s: unknown option '%s' (it takes: %s)", function,
                         option, i ? lua_tostring(L, -1) : "none");
}

/* ---- for the shipped Lua ---- */

/* error_object(fields) → the same table, made an error object. */
static int error_object(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_setmetatable(L, ERROR);
  set_where(L);
  return 1;
}

/* is_error(value) → whether it is an error object. */
static int is_error(lua_State *L)
{
  luaL_checkany(L, 1);
  lua_pushboolean(L, lca_error_is(L, 1));
  return 1;
}

/* usage(text): raises the text with the script's position. */
static int usage(lua_State *L)
{
  return lca_error_usage(L, "%s", luaL_checkstring(L, 1));
}

/* The length is that of `#`, which may stand on either side of a hole. */
lua_Integer lca_error_check_list(lua_State *L, int index, const char *where,
                                 const char *hint)
{
  const lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  lua_Integer i;
  for(i = 1; i <= count; i++) {
    if(lua_rawgeti(L, index, i) == LUA_TNIL)
      lca_error_usage(L, "%s: the list has a hole at place %I", where, i);
    lua_pop(L, 1);
  }
  for(lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    i = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
    if(i > count)
      lca_error_usage(L, "%s: the list has a hole at place %I", where,
                      count + 1);
    if(i < 1)
      lca_error_usage(L, "%s: '%s' is not a list index%s", where,
                      luaL_tolstring(L, -2, NULL), hint);
  }
  return count;
}

/* check_list(where, list, hint): the same; hint may be nil. */
static int check_list(lua_State *L)
{
  const char *where = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  (void)lca_error_check_list(L, 2, where, luaL_optstring(L, 3, ""));
  return 0;
}

/* Pushes a userdata: the strings of the list at index as a NULL-ended
   array. [-0, +1, e] */
static const char **check_words(lua_State *L, int index)
{
  lua_Integer count;
  lua_Integer i;
  const char **words;
  luaL_checktype(L, index, LUA_TTABLE);
  count = luaL_len(L, index);
  words = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof(*words), 0);
  for(i = 0; i < count; i++) {
    lua_rawgeti(L, index, i + 1);
    words[i] = luaL_checkstring(L, -1); /* the list keeps it alive */
    lua_pop(L, 1);
  }
  words[count] = NULL;
  return words;
}

/* unknown_option(function, option, known): raises the error for an unknown
   option. */
static int unknown_option(lua_State *L)
{
  const char *function = luaL_checkstring(L, 1);
  const char *option = luaL_tolstring(L, 2, NULL);
  return lca_error_unknown_option(L, function, option, check_words(L, 3));
}

/* nearest(word, known) → the known name that is most similar, or nil. */
static int nearest(lua_State *L)
{
  const char *word = luaL_checkstring(L, 1);
  lua_pushstring(L, lca_error_nearest(word, check_words(L, 2)));
  return 1;
}

void lca_error_open(lua_State *L)
{
  static const luaL_Reg functions[] = { { "error_object", error_object },
                                        { "is_error", is_error },
                                        { "usage", usage },
                                        { "check_list", check_list },
                                        { "unknown_option", unknown_option },
                                        { "nearest", nearest },
                                        { NULL, NULL } };
  static const luaL_Reg class[] = { { "__concat", error_concat },
                                    { "__tostring", error_tostring },
                                    { NULL, NULL } };
  lca_table_class(L, ERROR, class, NULL);
  luaL_setfuncs(L, functions, 0);
}
