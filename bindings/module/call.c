/* Calls: one C function for every row of the operation table. It reads the
   arguments by the row's fields, asks the recorder, submits and waits.
   Must not know: curl, the ledger, which operation it is. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "module/error.h"
#include "module/json.h"
#include "module/result.h"
#include "module/table.h"
#include "base/secret.h"

#define CALL        "composio.call"
#define OPTIONS_MAX (CA_FIELDS_MAX + 6)
#define DAY_S       86400.0
#define JSON_MAX    (1u << 20)

/* The stack of a call. Positional arguments are above it until they have
   been read. */
enum { AT_CLIENT = 1, AT_OPTIONS, AT_ACCOUNT, AT_CALL, AT_OP };
enum { UP_CLIENT = 1, UP_API };

/* The core's objects that a call owns, in a to-be-closed slot. */
struct call {
  struct ca_request request;
  struct ca_buf json;   /* a free-form table, encoded for the request */
  struct ca_buf secret; /* a copy of the body: its credentials are masked
                           during the call */
  int64_t timeout_ms;
  char id[160];
};

static const char reuse_key; /* in the registry: a struct call for reuse */

static void empty_call(struct call *call)
{
  ca_request_clear(&call->request);
  ca_buf_wipe(&call->json);
  if(call->secret.len)
    ca_secret_remove_json(call->secret.data, call->secret.len);
  ca_buf_wipe(&call->secret);
}

static int call_gc(lua_State *L)
{
  empty_call(lua_touserdata(L, 1));
  return 0;
}

/* The call is over: the next one reuses its memory, so that calls make no
   work for the garbage collector. */
static int call_close(lua_State *L)
{
  empty_call(lua_touserdata(L, 1));
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &reuse_key);
  return 0;
}

static struct call *push_call(lua_State *L, const struct ca_api *api)
{
  struct call *call;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &reuse_key) == LUA_TUSERDATA) {
    call = lua_touserdata(L, -1);
    lua_pushboolean(L, false); /* keeps the registry's slot */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &reuse_key);
  } else {
    lua_pop(L, 1);
    call = lua_newuserdatauv(L, sizeof(*call), 0);
    memset(call, 0, sizeof(*call));
    luaL_setmetatable(L, CALL);
  }
  ca_request_init(&call->request, api);
  ca_buf_init(&call->json, JSON_MAX);
  ca_buf_init(&call->secret, JSON_MAX);
  call->timeout_ms = 0;
  call->id[0] = '\0';
  return call;
}

/* ---- arguments ---- */

/* Raises for a table of a script's fields that has a metatable: some readers
   would honour what it inherits and others not, so that a filter or a field
   could be lost. Lists are not checked: composio.array and replies mark them.
   where: what a message calls the table. [-0, +0, v] */
static void check_plain(lua_State *L, int index, const char *where)
{
  if(lua_getmetatable(L, index))
    lca_error_usage(L,
                    "%s: expected a plain table, got one with a metatable; "
                    "copy its fields, and those that it inherits",
                    where);
}

/* check_plain(where, table): the same for the Lua files. */
static int plain(lua_State *L)
{
  check_plain(L, 2, luaL_checkstring(L, 1));
  return 0;
}

static int wrong_type(lua_State *L, const struct ca_api *api,
                      const struct ca_field *field, const char *expected,
                      int index)
{
  return lca_error_usage(L, "%s.%s: %s: expected %s, got %s", api->resource,
                         api->name, field->name, expected,
                         !lua_isnoneornil(L, index) ? luaL_typename(L, index)
                         : field->place == CA_IN_PATH
                             ? "nothing (a method needs a colon)"
                             : "nothing");
}

/* Raises for a value that the core refuses. It is an error object, not a
   string: the mistake is in the script's data, not in its text. */
static int refused(lua_State *L, const struct ca_api *api, const char *account,
                   struct ca_err *err)
{
  char text[sizeof(err->text)];
  ca_text_copy(text, sizeof(text), err->text);
  lca_error_where(L);
  snprintf(err->text, sizeof(err->text), "%s%s", lua_tostring(L, -1), text);
  return lca_error_throw(L, api, account, err);
}

static enum ca_code set_texts(lua_State *L, struct call *call,
                              const struct ca_field *field, int index,
                              struct ca_err *err)
{
  const struct ca_api *api = call->request.api;
  struct ca_slice *values;
  char where[128];
  lua_Integer count;
  lua_Integer i;
  enum ca_code code;

  if(!lua_istable(L, index))
    wrong_type(L, api, field, "a list of strings", index);
  snprintf(where, sizeof(where), "%s.%s: %s", api->resource, api->name,
           field->name);
  count = lca_error_check_list(L, index, where, "");
  values = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof(*values), 0);
  for(i = 0; i < count; i++) {
    if(lua_rawgeti(L, index, i + 1) != LUA_TSTRING)
      lca_error_usage(L,
                      "%s.%s: %s: expected a list of strings, got %s at "
                      "place %d",
                      api->resource, api->name, field->name,
                      luaL_typename(L, -1), (int)(i + 1));
    /* the list keeps the string alive */
    values[i].data = lua_tolstring(L, -1, &values[i].len);
    lua_pop(L, 1);
  }
  code = ca_request_texts(&call->request, field, values, (size_t)count, err);
  lua_pop(L, 1);
  return code;
}

static enum ca_code set_integer(lua_State *L, struct call *call,
                                const struct ca_field *field, int index,
                                struct ca_err *err)
{
  int exact = 0;
  lua_Integer value = 0;
  if(lua_type(L, index) == LUA_TNUMBER)
    value = lua_tointegerx(L, index, &exact);
  if(!exact)
    wrong_type(L, call->request.api, field, "a whole number", index);
  return ca_request_integer(&call->request, field, value, err);
}

/* Raises for options of an ACL that there are not. */
static void check_acl_names(lua_State *L, int index, const char *path,
                            const char *const *names)
{
  int i;
  lua_pushnil(L);
  while(lua_next(L, index)) {
    lua_pop(L, 1);
    for(i = 0; names[i]; i++)
      if(lua_type(L, -1) == LUA_TSTRING &&
         !strcmp(lua_tostring(L, -1), names[i]))
        break;
    if(!names[i])
      lca_error_unknown_option(L, path, luaL_tolstring(L, -1, NULL), names);
  }
}

/* Encodes a copy of the ACL, in which an empty table is an empty list,
   whatever its metatable. */
static void encode_acl(lua_State *L, struct call *call, int index,
                       const char *path)
{
  static const char *const names[] = { "allow_all_users", "allowed_user_ids",
                                       "not_allowed_user_ids", NULL };
  int copy;
  int i;

  check_acl_names(L, index, path, names);
  lua_newtable(L);
  copy = lua_gettop(L);
  for(i = 0; names[i]; i++) {
    int type = lua_getfield(L, index, names[i]);
    if(!i && type != LUA_TNIL && type != LUA_TBOOLEAN)
      lca_error_usage(L, "%s.%s: expected true or false, got %s", path,
                      names[i], luaL_typename(L, -1));
    if(i && type != LUA_TNIL && type != LUA_TTABLE)
      lca_error_usage(L, "%s.%s: expected a list of user ids, got %s", path,
                      names[i], luaL_typename(L, -1));
    if(type == LUA_TTABLE && !lua_rawlen(L, -1)) {
      if((lua_pushnil(L), lua_next(L, -2)))
        lca_error_usage(L, "%s.%s: expected a list of user ids", path,
                        names[i]);
      lca_json_push_list(L);
      lua_replace(L, -2);
    }
    lua_setfield(L, copy, names[i]);
  }
  lca_json_encode(L, copy, &call->json, path);
  lua_settop(L, copy - 1);
}

/* Raises unless the table is a value of composio.auth_scheme. */
static void check_scheme(lua_State *L, int index, const char *path)
{
  bool fine = lua_getfield(L, index, "authScheme") == LUA_TSTRING;
  fine = lua_getfield(L, index, "val") == LUA_TTABLE && fine;
  if(fine)
    check_plain(L, lua_gettop(L), path);
  lua_pop(L, 2);
  if(!fine)
    lca_error_usage(L,
                    "%s: expected a value of composio.auth_scheme, a table "
                    "with authScheme and val",
                    path);
}

static enum ca_code set_json(lua_State *L, struct call *call,
                             const struct ca_field *field, int index,
                             struct ca_err *err)
{
  const struct ca_api *api = call->request.api;
  char path[128];
  struct ca_slice json;

  if(!lua_istable(L, index))
    wrong_type(L, api, field, "a table", index);
  snprintf(path, sizeof(path), "%s.%s: %s", api->resource, api->name,
           field->name);
  check_plain(L, index, path);
  ca_buf_reset(&call->json);
  if(field->type == CA_ACL)
    encode_acl(L, call, index, path);
  else {
    if(field->type == CA_SCHEME)
      check_scheme(L, index, path);
    lca_json_encode(L, index, &call->json, path);
  }
  json.data = call->json.data;
  json.len = call->json.len;
  return ca_request_json(&call->request, field, json, err);
}

/* Sets one field from the value at index. For a path parameter, an
   account's id has already replaced the account. */
static void set_field(lua_State *L, struct call *call,
                      const struct ca_field *field, int index)
{
  const struct ca_api *api = call->request.api;
  struct ca_slice text;
  struct ca_err err;
  enum ca_code code;

  ca_err_clear(&err);
  if(lca_json_is_null(L, index))
    code = ca_request_null(&call->request, field, &err);
  else
    switch(field->type) {
    case CA_TEXTS:
    case CA_WORDS:
      code = set_texts(L, call, field, index, &err);
      break;
    case CA_INTEGER:
      code = set_integer(L, call, field, index, &err);
      break;
    case CA_BOOLEAN:
      if(!lua_isboolean(L, index))
        wrong_type(L, api, field, "true or false", index);
      code = ca_request_boolean(&call->request, field, lua_toboolean(L, index),
                                &err);
      break;
    case CA_ACL:
    case CA_SCHEME:
    case CA_OPEN:
      code = set_json(L, call, field, index, &err);
      break;
    default:
      if(lua_type(L, index) != LUA_TSTRING)
        wrong_type(L, api, field,
                   field->place == CA_IN_PATH ? "an id or an account"
                                              : "a string",
                   index);
      text.data = lua_tolstring(L, index, &text.len);
      if(field->place == CA_IN_PATH)
        ca_err_copy_text(call->id, sizeof(call->id), text.data, text.len);
      code = ca_request_text(&call->request, field, text, &err);
    }
  if(code)
    refused(L, api, call->id[0] ? call->id : NULL, &err);
}

static void unknown_option(lua_State *L, const struct ca_api *api,
                           const char *option)
{
  const char *known[OPTIONS_MAX];
  const struct ca_field *field;
  char name[80];
  int count = 0;
  for(field = api->fields; field->name; field++)
    if(!(field->flags & CA_POSITIONAL))
      known[count++] = field->name;
  if(api->option)
    known[count++] = api->option;
  known[count++] = "timeout";
  if(ca_api_mutates(api)) {
    known[count++] = "reason";
    known[count++] = "otherwise";
  }
  known[count] = NULL;
  snprintf(name, sizeof(name), "%s.%s", api->resource, api->name);
  lca_error_unknown_option(L, name, option, known);
}

static void read_timeout(lua_State *L, struct call *call, int index)
{
  const struct ca_api *api = call->request.api;
  lua_Number seconds = lua_tonumber(L, index);
  if(lua_type(L, index) != LUA_TNUMBER)
    lca_error_usage(L, "%s.%s: timeout: expected seconds, got %s",
                    api->resource, api->name, luaL_typename(L, index));
  if(seconds > DAY_S)
    lca_error_usage(L,
                    "%s.%s: timeout: %f is more than 24 hours; it is in "
                    "seconds, not milliseconds",
                    api->resource, api->name, seconds);
  if(!(seconds > 0))
    lca_error_usage(L, "%s.%s: timeout: %f is not a number of seconds to wait",
                    api->resource, api->name, seconds);
  call->timeout_ms = (int64_t)ceil(seconds * 1000);
}

/* Checks the options that only the recorder handles; without a recorder
   nobody would carry out `otherwise`. */
static void check_recorded(lua_State *L, const struct ca_api *api,
                           const char *name)
{
  if(lua_type(L, -1) != LUA_TSTRING)
    lca_error_usage(L, "%s.%s: %s: expected a string, got %s", api->resource,
                    api->name, name, luaL_typename(L, -1));
  if(!strcmp(name, "otherwise") && !lca_client_shared(L)->recorder)
    lca_error_usage(L,
                    "%s.%s: otherwise needs the host: run this script with "
                    "composio-lua",
                    api->resource, api->name);
}

/* Checks the options: fields of the row, and those that every call takes. */
static void check_options(lua_State *L, struct call *call)
{
  const struct ca_api *api = call->request.api;
  bool mutates = ca_api_mutates(api);
  char where[80];
  if(lua_getmetatable(L, AT_OPTIONS)) { /* no text for each call */
    snprintf(where, sizeof(where), "%s.%s", api->resource, api->name);
    check_plain(L, AT_OPTIONS, where);
  }
  lua_pushnil(L);
  while(lua_next(L, AT_OPTIONS)) {
    const char *name =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    const struct ca_field *field = name ? ca_api_field(api, name) : NULL;
    if(field && !(field->flags & CA_POSITIONAL))
      ;
    else if(name && !strcmp(name, "timeout"))
      read_timeout(L, call, lua_gettop(L));
    else if(name && api->option && !strcmp(name, api->option))
      ; /* the Lua code above has checked it */
    else if(name && mutates &&
            (!strcmp(name, "reason") || !strcmp(name, "otherwise")))
      check_recorded(L, api, name);
    else
      unknown_option(L, api, luaL_tolstring(L, -2, NULL));
    lua_pop(L, 1);
  }
}

static int positional_count(const struct ca_api *api)
{
  const struct ca_field *field;
  int count = 0;
  for(field = api->fields; field->name; field++)
    count += (field->flags & CA_POSITIONAL) != 0;
  return count;
}

/* Raises if the first argument is the table that has the calls: the script
   wrote a colon in the place of the dot. */
static void check_dot(lua_State *L, const struct ca_api *api)
{
  if(!lua_istable(L, 1))
    return;
  lua_pushstring(L, api->name);
  if(lua_rawget(L, 1) == LUA_TFUNCTION)
    lca_error_usage(L, "%s.%s: call it with a dot, not with a colon",
                    api->resource, api->name);
  lua_pop(L, 1);
}

/* Orders the stack for the rotation by the caller: the positional arguments
   and the options as given, then client, options and account. If the first
   argument is an account, its id replaces it. */
static void order_arguments(lua_State *L, const struct ca_api *api)
{
  int count = positional_count(api);
  int options = count + 1;
  if(!count)
    check_dot(L, api);
  if(lua_gettop(L) > options) {
    check_dot(L, api);
    lca_error_usage(L, "%s.%s: too many arguments", api->resource, api->name);
  }
  lua_settop(L, options);
  if(!lua_isnoneornil(L, options) && !lua_istable(L, options)) {
    check_dot(L, api);
    lca_error_usage(L, "%s.%s: expected a table of options, got %s",
                    api->resource, api->name, luaL_typename(L, options));
  }
  lua_pushvalue(L, lua_upvalueindex(UP_CLIENT));
  lua_pushvalue(L, options);
  lua_pushnil(L);
  if(count && lua_istable(L, 1)) { /* an account: its id is the argument */
    lua_pushvalue(L, 1);
    lua_replace(L, -2);
    lua_pushliteral(L, "id");
    lua_rawget(L, 1);
    if(lua_type(L, -1) == LUA_TSTRING)
      lua_replace(L, 1);
    else {
      lua_pop(L, 1);
      check_dot(L, api);
    }
  }
}

static void read_arguments(lua_State *L, struct call *call)
{
  const struct ca_api *api = call->request.api;
  const struct ca_field *field;
  struct ca_err err;
  int argument = AT_CALL;

  if(lua_istable(L, AT_OPTIONS))
    check_options(L, call);
  for(field = api->fields; field->name; field++) {
    if(field->flags & CA_POSITIONAL)
      set_field(L, call, field, ++argument);
    else if(lua_istable(L, AT_OPTIONS)) {
      lua_getfield(L, AT_OPTIONS, field->name);
      if(!lua_isnil(L, -1))
        set_field(L, call, field, lua_gettop(L));
      lua_pop(L, 1);
    }
  }
  ca_err_clear(&err);
  if(ca_request_finish(&call->request, &err))
    refused(L, api, call->id[0] ? call->id : NULL, &err);
}

/* The service may echo the request: until the call ends, the credentials in
   it are masked in all our texts. */
static void hide_credentials(struct call *call)
{
  struct ca_slice body = ca_request_body(&call->request);
  if(!call->request.secret || call->secret.len || !body.len)
    return;
  if(!ca_buf_add(&call->secret, body.data, body.len))
    ca_secret_add_json(call->secret.data, call->secret.len);
}

/* ---- the call ---- */

static int call_ended(lua_State *L, int status, lua_KContext ctx)
{
  struct lca_client *client = lua_touserdata(L, AT_CLIENT);
  struct call *call = lua_touserdata(L, AT_CALL);
  struct lca_op *op = lua_touserdata(L, AT_OP);
  const struct ca_api *api = lua_touserdata(L, lua_upvalueindex(UP_API));
  (void)status;
  (void)ctx;
  return lca_result_push(L, client, api, &op->result,
                         call->id[0] ? call->id : NULL);
}

static int send(lua_State *L, struct lca_client *client, struct call *call)
{
  const struct ca_api *api = call->request.api;
  struct lca_op *op;
  struct ca_err err;

  lua_settop(L, AT_CALL);
  op = lca_wait_push_op(L);
  op->changes = ca_api_mutates(api);
  ca_err_clear(&err);
  if(ca_engine_submit(lca_scheduler_engine(client->sched), client->endpoint,
                      &call->request, call->timeout_ms, lca_wait_op_done, op,
                      0, &op->id, &err))
    return lca_error_throw(L, api, call->id[0] ? call->id : NULL, &err);
  lca_wait_list_op(op, &client->ops);
  return lca_wait_op(L, op, 0, call_ended);
}

/* Reads the arguments of the function that is called: client, options,
   account and call are then on the stack. */
static struct call *begin_call(lua_State *L)
{
  const struct ca_api *api = lua_touserdata(L, lua_upvalueindex(UP_API));
  struct call *call;
  order_arguments(L, api);
  call = push_call(L, api);
  lua_rotate(L, 1, AT_CALL); /* client options account call, positional … */
  lua_toclose(L, AT_CALL);
  read_arguments(L, call);
  return call;
}

static int call_operation(lua_State *L)
{
  const struct ca_api *api = lua_touserdata(L, lua_upvalueindex(UP_API));
  struct lca_clients *room = lca_client_shared(L);
  struct call *call = begin_call(L);
  struct lca_client *client;

  hide_credentials(call);
  if(room->before)
    room->before(L, room->before_ctx);
  client = lca_client_check(L, AT_CLIENT);
  lca_scheduler_check(L, client->sched, false);
  if(room->recorder && ca_api_mutates(api)) {
    int results;
    if(lca_scheduler_in_finalizer(L))
      return lca_error_usage(L,
                             "%s.%s: a finalizer (__gc) cannot make changes",
                             api->resource, api->name);
    lua_settop(L, AT_CALL);
    if(!lua_istable(L, AT_OPTIONS)) {
      lua_newtable(L);
      lua_replace(L, AT_OPTIONS);
    }
    results = room->recorder(L, room->recorder_ctx, client, &call->request,
                             AT_OPTIONS,
                             lua_istable(L, AT_ACCOUNT) ? AT_ACCOUNT : 0);
    if(results != LCA_SEND)
      return results;
  }
  return send(L, client, call);
}

/* Reads the arguments as the call would, sends nothing, and returns the
   class of the call. */
static int check_operation(lua_State *L)
{
  lua_pushstring(L, ca_api_class_name(begin_call(L)->request.cost));
  return 1;
}

static int push_operation(lua_State *L, lua_CFunction function)
{
  const char *resource = luaL_checkstring(L, 2);
  const char *name = luaL_checkstring(L, 3);
  const struct ca_api *api = ca_api_find(resource, name);
  luaL_checkudata(L, 1, "composio.client");
  if(!api)
    return luaL_error(L, "no operation %s.%s", resource, name);
  lua_settop(L, 1);
  lua_pushlightuserdata(L, (void *)api);
  lua_pushcclosure(L, function, 2);
  return 1;
}

/* operation(client, resource, name) → the function that makes calls of that
   row. */
static int operation(lua_State *L)
{
  return push_operation(L, call_operation);
}

/* check(client, resource, name) → a function that raises what the call with
   these arguments would raise before anything is sent, and returns the
   class of the call. */
static int check(lua_State *L)
{
  return push_operation(L, check_operation);
}

/* ---- registration ---- */

void lca_call_open(lua_State *L)
{
  static const luaL_Reg functions[] = { { "operation", operation },
                                        { "check", check },
                                        { "check_plain", plain },
                                        { NULL, NULL } };
  static const luaL_Reg class[] = { { "__close", call_close },
                                    { "__gc", call_gc },
                                    { NULL, NULL } };
  lca_table_class(L, CALL, class, NULL);
  luaL_setfuncs(L, functions, 0);
}
