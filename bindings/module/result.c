/* What replies mean to scripts: decoded tables, accounts with their methods,
   error objects.
   Must not know: curl, the ledger, tasks. */
#include <string.h>
#include "base/text.h"
#include "module/error.h"
#include "module/json.h"
#include "module/page.h"
#include "module/result.h"
#include "wire/reply.h"
#include "base/secret.h"

static int decode(lua_State *L)
{
  const struct ca_buf *body = lua_touserdata(L, 1);
  lca_json_decode(L, body->data, body->len);
  return 1;
}

/* A 2xx whose body cannot be what the service says. */
static void doubt(const struct ca_api *api, struct ca_result *result,
                  const char *why)
{
  char start[121];
  size_t len;
  ca_text_printable(start, sizeof(start), ca_buf_text(&result->body),
               result->body.len < 100 ? result->body.len : 100);
  len = ca_secret_mask(start, strlen(start));
  start[len] = '\0';
  ca_err_set(&result->err, CA_REPLY,
             "HTTP %d, but the reply %s: '%s'; does the base URL lead to the "
             "service?",
             result->status, why, start);
  result->err.status = result->status;
  result->err.attempts = result->attempts;
  result->err.unknown = ca_api_mutates(api);
  ca_copy_text(result->err.request_id, sizeof(result->err.request_id),
               result->request_id, strlen(result->request_id));
}

static int fail(lua_State *L, const struct ca_api *api,
                struct ca_result *result, const char *account)
{
  if(result->err.code == CA_HTTP)
    ca_reply_explain(api, result);
  ca_buf_wipe(&result->body);
  return lca_error_throw(L, api, account, &result->err);
}

/* Gives the account on top its methods. [-0, +0, -] */
static void dress(lua_State *L, const struct lca_client *client)
{
  lua_rawgetp(L, LUA_REGISTRYINDEX, client);
  if(lua_istable(L, -1))
    lua_setmetatable(L, -2);
  else
    lua_pop(L, 1);
}

/* The reply on top is what this read gives? Its accounts get their methods. */
static bool accept(lua_State *L, const struct lca_client *client,
                   const struct ca_api *api)
{
  bool accounts = ca_api_of_accounts(api);
  lua_Integer i;
  if(ca_api_has_id(api)) { /* one */
    if(lua_getfield(L, -1, "id") != LUA_TSTRING)
      return false;
    lua_pop(L, 1);
    if(accounts)
      dress(L, client);
    return true;
  }
  if(lua_getfield(L, -1, "items") != LUA_TTABLE)
    return false;
  for(i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
    bool fine = lua_istable(L, -1);
    if(fine) {
      fine = lua_getfield(L, -1, "id") == LUA_TSTRING;
      lua_pop(L, 1);
    }
    if(!fine)
      return false;
    if(accounts)
      dress(L, client);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return true;
}

int lca_result_push(lua_State *L, struct lca_client *client,
                    const struct ca_api *api, struct ca_result *result,
                    const char *account)
{
  int top = lua_gettop(L);
  bool reads = !ca_api_mutates(api);
  int status = LUA_ERRRUN;

  if(result->err.code)
    return fail(L, api, result, account);
  if(!result->body.len && !reads) { /* a 204, say: there is nothing to tell */
    lua_newtable(L);
    return 1;
  }
  lua_pushcfunction(L, decode);
  lua_pushlightuserdata(L, &result->body);
  if(result->is_json)
    status = lua_pcall(L, 1, 1, 0);
  if(status == LUA_ERRMEM)
    return lua_error(L);
  if(status != LUA_OK) {
    doubt(api, result, "is not JSON");
    return fail(L, api, result, account);
  }
  if(!lua_istable(L, -1) || (reads && !accept(L, client, api))) {
    doubt(api, result, "is not what was asked for");
    return fail(L, api, result, account);
  }
  lua_settop(L, top + 1);
  ca_buf_wipe(&result->body);
  return 1;
}

int lca_result_push_page(lua_State *L, struct lca_client *client,
                         const struct ca_api *api, struct ca_result *result)
{
  int class;
  if(result->err.code)
    return fail(L, api, result, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, client);
  class = lua_gettop(L);
  if(!lua_istable(L, class) || !result->is_json ||
     !lca_page_push(L, result->body.data, result->body.len, class)) {
    lua_settop(L, class - 1);
    /* decoded the other way it says what is wrong with it */
    return lca_result_push(L, client, api, result, NULL);
  }
  ca_buf_wipe(&result->body);
  return 1;
}
