/* Clients, which hold the endpoint that calls are sent to. The default client
   gets its endpoint on first use, from the environment or from the options
   that the host was given.
   Must not know: curl, the ledger, which operations are called. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "module/account.h"
#include "module/client.h"
#include "module/error.h"
#include "module/table.h"
#include "module/versions.h"

#define CLIENT  "composio.client"
#define KEY_MAX 4096

static const char room_key, default_key; /* in the registry */

enum { FIELDS = 1 };

/* ---- shared by all clients ---- */

struct lca_clients *lca_client_shared(lua_State *L)
{
  struct lca_clients *room;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &room_key);
  room = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if(room)
    return room;
  room = lua_newuserdatauv(L, sizeof(*room), 0);
  memset(room, 0, sizeof(*room));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &room_key);
  return room;
}

/* ---- the API key; never an argument, which every user can read ---- */

static const char blanks[] = " \t\r\n"; /* key files end with a newline */

static enum ca_code add_trimmed(struct ca_buf *key, const char *text,
                                size_t len, struct ca_err *err)
{
  struct ca_slice whole = { text, len };
  struct ca_slice slice = ca_slice_trimmed(whole, blanks);
  enum ca_code code =
      slice.len ? ca_buf_add(key, slice.data, slice.len) : CA_OK;
  if(slice.len && memchr(slice.data, '\0', slice.len))
    return ca_err_set(err, CA_USAGE,
                      "the key or secret has a zero byte, as UTF-16 does: "
                      "save its file as UTF-8");
  if(code)
    return ca_err_set(err, code, "the key or secret is longer than %d bytes",
                      KEY_MAX);
  return CA_OK;
}

/* Secrets of containers are readable by all, but on a read-only mount in
   the container: whoever can enter it may read them. */
static bool is_readonly(FILE *file)
{
  struct statvfs mount;
  return !fstatvfs(fileno(file), &mount) && mount.f_flag & ST_RDONLY;
}

/* closed: refuse the file if group or others can read it, unless its mount is
   read-only. */
static enum ca_code read_key(FILE *file, const char *path, bool closed,
                             struct ca_buf *key, struct ca_err *err)
{
  char text[KEY_MAX + 1];
  struct stat facts;
  enum ca_code code;
  size_t len;

  if(fstat(fileno(file), &facts))
    return ca_err_set(err, CA_SYSTEM, "%s: %s", path, strerror(errno));
  if(!S_ISREG(facts.st_mode) && closed)
    return ca_err_set(err, CA_USAGE, "%s: not a file", path);
  if(closed && facts.st_mode & (S_IRGRP | S_IROTH) && !is_readonly(file))
    return ca_err_set(err, CA_USAGE,
                      "%s: others can read it (mode %04o), so what it holds "
                      "is not secret; chmod 600 it",
                      path, (unsigned)facts.st_mode & 07777U);
  len = fread(text, 1, sizeof(text), file);
  if(ferror(file))
    code = ca_err_set(err, CA_SYSTEM, "%s: cannot be read", path);
  else if(len > KEY_MAX)
    code =
        ca_err_set(err, CA_USAGE, "%s: longer than %d bytes", path, KEY_MAX);
  else
    code = add_trimmed(key, text, len, err);
  ca_buf_wipe_memory(text, sizeof(text));
  if(!code && !key->len)
    code = ca_err_set(err, CA_USAGE, "%s: the file is empty", path);
  return code;
}

static enum ca_code key_from_file(const char *path, bool closed,
                                  struct ca_buf *key, struct ca_err *err)
{
  FILE *file = fopen(path, "rbe");
  enum ca_code code;
  if(!file)
    return ca_err_set(err, CA_USAGE, "%s: %s", path, strerror(errno));
  setvbuf(file, NULL, _IONBF, 0); /* no copy of the key in a freed buffer */
  code = read_key(file, path, closed, key, err);
  fclose(file);
  return code;
}

enum ca_code lca_client_read_key(const char *path, struct ca_buf *key,
                                 struct ca_err *err)
{
  ca_buf_init(key, KEY_MAX);
  return key_from_file(path, true, key, err);
}

enum ca_code lca_client_find_key(const char *file, struct ca_buf *key,
                                 struct ca_err *err)
{
  const char *directory = getenv("CREDENTIALS_DIRECTORY");
  const char *variable = getenv("COMPOSIO_API_KEY");
  struct stat facts;
  char path[4096];

  ca_buf_init(key, KEY_MAX);
  if(file)
    return key_from_file(file, true, key, err);
  if(directory && *directory) {
    int len = snprintf(path, sizeof(path), "%s/composio-api-key", directory);
    /* systemd protects the directory itself, and its ACLs show as group
       permissions */
    if(len > 0 && (size_t)len < sizeof(path) && !stat(path, &facts))
      return key_from_file(path, false, key, err);
  }
  if(variable)
    return add_trimmed(key, variable, strlen(variable), err);
  return CA_OK;
}

/* ---- making clients ---- */

static int no_key(lua_State *L)
{
  struct ca_err err;
  ca_err_clear(&err);
  ca_err_set(&err, CA_USAGE,
             "there is no API key; set COMPOSIO_API_KEY, or put it into "
             "$CREDENTIALS_DIRECTORY/composio-api-key, or give "
             "composio.client an api_key or api_key_file");
  lca_error_push_named(L, "ComposioNoAPIKeyError", NULL, NULL, &err);
  return lua_error(L);
}

/* Makes the endpoint from options. If they have no key, it is read from the
   file or the environment. */
static void make_endpoint(lua_State *L, struct lca_client *client,
                          struct ca_endpoint_options *options,
                          const char *key_file, const char *what)
{
  struct ca_buf key;
  struct ca_err err;

  ca_err_clear(&err);
  ca_buf_init(&key, 1);
  if(!options->api_key) {
    if(lca_client_find_key(key_file, &key, &err)) {
      ca_buf_wipe(&key);
      lca_error_usage(L, "%s: %s", what, err.text);
    }
    if(!key.len) {
      ca_buf_wipe(&key);
      no_key(L);
    }
    options->api_key = ca_buf_text(&key);
  }
  if(!options->base_url)
    options->base_url = getenv("COMPOSIO_BASE_URL");
  if(options->base_url && !*options->base_url)
    options->base_url = NULL;
  client->endpoint = ca_endpoint_new(options, &err);
  ca_buf_wipe(&key);
  if(!client->endpoint)
    lca_error_usage(L, "%s: %s", what, err.text);
  /* the host has a log to warn in; in stock Lua stderr is not ours */
  lca_versions_warn(L, lca_client_shared(L)->defaults
                           ? lca_scheduler_log(client->sched)
                           : NULL);
}

static struct lca_client *push_client(lua_State *L)
{
  struct lca_client *client = lua_newuserdatauv(L, sizeof(*client), FIELDS);
  memset(client, 0, sizeof(*client));
  luaL_setmetatable(L, CLIENT);
  client->sched = lca_scheduler_of(L);
  return client;
}

static void ready_default(lua_State *L, struct lca_client *client)
{
  struct lca_clients *room = lca_client_shared(L);
  struct ca_endpoint_options options = { .retries = -1 };
  if(room->defaults)
    options = *room->defaults;
  make_endpoint(L, client, &options, NULL, "composio");
}

struct lca_client *lca_client_check(lua_State *L, int index)
{
  struct lca_client *client = lua_touserdata(L, index);
  if(client->closed)
    lca_error_usage(L, "composio.client: the client is closed");
  if(!client->endpoint)
    ready_default(L, client);
  return client;
}

/* Pushes the default client, used before or not. [-0, +1, m] */
static struct lca_client *push_default(lua_State *L)
{
  struct lca_client *client;
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key) == LUA_TUSERDATA)
    return lua_touserdata(L, -1);
  lua_pop(L, 1);
  client = push_client(L);
  client->is_default = true;
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
  return client;
}

struct lca_client *lca_client_default(lua_State *L)
{
  push_default(L);
  return lca_client_check(L, -1);
}

/* ---- composio.client { … } ---- */

/* Returns the option's string, or NULL; the table keeps it alive. */
static const char *text_option(lua_State *L, const char *name)
{
  const char *text;
  lua_getfield(L, 1, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

/* Returns the option's number if it is given, else before. */
static double number_option(lua_State *L, const char *name, double before)
{
  double number =
      lua_getfield(L, 1, name) == LUA_TNIL ? before : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return number;
}

/* Returns the milliseconds of an option in seconds. */
static int64_t ms_option(lua_State *L, const char *name, int64_t before_ms)
{
  double seconds = number_option(L, name, (double)before_ms / 1000);
  return (int64_t)ceil(1000 * seconds);
}

static void read_options(lua_State *L, struct ca_endpoint_options *options)
{
  options->timeout_ms = ms_option(L, "timeout", options->timeout_ms);
  options->max_wait_ms = ms_option(L, "max_wait", options->max_wait_ms);
  options->retries = (int)number_option(L, "retries", options->retries);
  options->concurrency =
      (int)number_option(L, "concurrency", options->concurrency);
  options->budget_percent =
      number_option(L, "budget", options->budget_percent);
}

/* client_new(options) → a client. client.lua has checked the options. */
static int client_new(lua_State *L)
{
  const struct ca_endpoint_options *defaults = lca_client_shared(L)->defaults;
  struct ca_endpoint_options options = { .retries = -1 };
  struct lca_client *client;
  const char *base_url;
  const char *api_key;
  const char *file;

  lua_settop(L, 1);
  if(lca_scheduler_in_finalizer(L)) /* in a state that closes, Lua would not
                                       collect it */
    return lca_error_usage(L, "composio.client: a finalizer (__gc) cannot "
                              "make a client");
  base_url = text_option(L, "base_url");
  api_key = text_option(L, "api_key");
  file = text_option(L, "api_key_file");
  if(defaults) {
    options = *defaults;
    /* the host's key is only for the host's base URL */
    if(file || (base_url && (!defaults->base_url ||
                             strcmp(base_url, defaults->base_url) != 0)))
      options.api_key = NULL;
    if(!options.api_key && !api_key && !file)
      return no_key(L);
  }
  if(base_url)
    options.base_url = base_url;
  read_options(L, &options);
  if(api_key) {
    struct ca_slice slice = ca_slice_of(api_key);
    slice = ca_slice_trimmed(slice, blanks);
    options.api_key = lua_pushlstring(L, slice.data, slice.len);
  }
  client = push_client(L);
  make_endpoint(L, client, &options, file, "composio.client");
  return 1;
}

/* ---- the class ---- */

static int client_close(lua_State *L)
{
  struct lca_client *client = luaL_checkudata(L, 1, CLIENT);
  struct ca_err err;
  if(client->closed)
    return 0;
  client->closed = true;
  ca_err_clear(&err);
  ca_err_set(&err, CA_CLOSED, "the client was closed before the call ended");
  lca_wait_end_ops(&client->ops, &err);
  if(client->endpoint)
    ca_endpoint_free(client->endpoint);
  client->endpoint = NULL;
  return 0;
}

static int client_gc(lua_State *L)
{
  struct lca_client *client = lua_touserdata(L, 1);
  client_close(L);
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, client);
  return 0;
}

static int client_index(lua_State *L)
{
  luaL_checkudata(L, 1, CLIENT);
  if(lua_getiuservalue(L, 1, FIELDS) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
  }
  return 1;
}

static int client_tostring(lua_State *L)
{
  struct lca_client *client = luaL_checkudata(L, 1, CLIENT);
  if(client->closed)
    lua_pushliteral(L, "composio.client (closed)");
  else if(!client->endpoint)
    lua_pushliteral(L, "composio.client (not used yet)");
  else
    lua_pushfstring(L, "composio.client (%s, key ***)",
                    client->endpoint->base_url);
  return 1;
}

/* project(client) → the fingerprint of its base URL and key, which
   identifies the project; nil before its first use. */
static int client_project(lua_State *L)
{
  const struct lca_client *client = luaL_checkudata(L, 1, CLIENT);
  if(client->endpoint)
    lua_pushstring(L, client->endpoint->fingerprint);
  else
    lua_pushnil(L);
  return 1;
}

/* The method close. It refuses the host's default client, which belongs to
   the run: planned changes are sent through it later. */
static int client_close_call(lua_State *L)
{
  const struct lca_client *client = luaL_checkudata(L, 1, CLIENT);
  if(client->is_default && lca_client_shared(L)->recorder)
    return lca_error_usage(
        L, "the default client belongs to the run and cannot be closed");
  return client_close(L);
}

/* client_set_class(client, fields, methods): sets the fields that
   client.xyz finds, and the methods of its accounts. The accounts'
   metatable is in the registry, with the client's address as key. */
static int client_set_class(lua_State *L)
{
  struct lca_client *client = luaL_checkudata(L, 1, CLIENT);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_pushcfunction(L, client_close_call);
  lua_setfield(L, 2, "close");
  lca_account_push_class(L, "composio.account", 3);
  lua_rawsetp(L, LUA_REGISTRYINDEX, client);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, FIELDS);
  return 0;
}

/* Returns the account or auth config at index 1 if it still has the id that
   it was read with, else NULL. [-0, +many, -] */
static const struct lca_account *account_read(lua_State *L)
{
  if(!lua_istable(L, 1))
    return NULL;
  lua_pushliteral(L, "id");
  return lua_rawget(L, 1) == LUA_TSTRING
             ? lca_account_about(L, 1, lua_tostring(L, -1))
             : NULL;
}

/* Returns whether the value at index 1 is of the class of that client's
   accounts. [-0, +many, -] */
static bool is_of_client(lua_State *L, const void *client)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, client);
  return lua_getmetatable(L, 1) && lua_rawequal(L, -1, -2);
}

/* is_read(target): see read_by. A bulk asks for each account twice. */
static int is_read(lua_State *L)
{
  bool ours = is_of_client(L, lua_touserdata(L, lua_upvalueindex(1)));
  struct ca_slice status;
  lua_pushboolean(L, ours && lca_account_member(account_read(L),
                                                LCA_ACCOUNT_STATUS, NULL,
                                                &status));
  return 1;
}

/* read_by(client) → is_read; is_read(target) tells whether target is an
   account that this client read, and not one that another client, which may
   have asked another service, read. An auth config counts as read by nobody.
 */
static int read_by(lua_State *L)
{
  luaL_checkudata(L, 1, CLIENT);
  lua_settop(L, 1);
  lua_pushcclosure(L, is_read, 1);
  return 1;
}

/* status_of(target, client) → the status that the service gave the account or
   auth config, if target was read from it; else nil. client: nil, or the one
   that must have read it; an auth config then counts as read by nobody. */
static int status_of(lua_State *L)
{
  bool any =
      lua_isnoneornil(L, 2) || is_of_client(L, luaL_checkudata(L, 2, CLIENT));
  lca_account_push_text(L, any ? account_read(L) : NULL, "status");
  return 1;
}

static int default_client(lua_State *L)
{
  push_default(L);
  return 1;
}

void lca_client_open(lua_State *L)
{
  static const luaL_Reg class[] = { { "__index", client_index },
                                    { "__tostring", client_tostring },
                                    { "__close", client_close },
                                    { "__gc", client_gc },
                                    { NULL, NULL } };
  static const luaL_Reg functions[] = { { "client_new", client_new },
                                        { "default_client", default_client },
                                        { "client_set_class",
                                          client_set_class },
                                        { "project", client_project },
                                        { "read_by", read_by },
                                        { "status_of", status_of },
                                        { NULL, NULL } };
  lca_table_class(L, CLIENT, class, NULL);
  lca_client_shared(L);
  luaL_setfuncs(L, functions, 0);
}
