/* Converts replies for scripts: to accounts, pages of accounts, decoded tables
   and error objects.
   Must not know: curl, the ledger, tasks. */
#include <string.h>
#include "base/text.h"
#include "module/account.h"
#include "module/error.h"
#include "module/json.h"
#include "module/result.h"
#include "wire/reply.h"
#include "base/secret.h"

/* Sets the error for a 2xx reply whose body cannot be the service's. */
static void suspect(const struct ca_api *api, struct ca_result *result,
                    const char *why)
{
  char start[121];
  size_t len;
  ca_text_printable(start, sizeof(start), ca_buf_text(&result->body),
                    result->body.len < 100 ? result->body.len : 100);
  len = ca_secret_mask(start, strlen(start));
  start[len] = '\0';
  ca_err_set(&result->err, CA_REPLY,
             "HTTP %d, but the reply %s: '%s'; is the base URL the "
             "service's?",
             result->status, why, start);
  result->err.status = result->status;
  result->err.attempts = result->attempts;
  result->err.unknown = ca_api_mutates(api);
  ca_text_copy(result->err.request_id, sizeof(result->err.request_id),
               result->request_id);
}

static int fail(lua_State *L, const struct ca_api *api,
                struct ca_result *result, const char *account)
{
  ca_buf_wipe(&result->body);
  return lca_error_throw(L, api, account, &result->err);
}

/* Pushes the metatable for the objects of the row's resource. [-0, +1, -] */
static void push_class(lua_State *L, const struct lca_client *client,
                       const struct ca_api *api)
{
  if(ca_api_of_accounts(api))
    lua_rawgetp(L, LUA_REGISTRYINDEX, client);
  else
    luaL_getmetatable(L, LCA_ACCOUNT_CONFIG_CLASS);
}

/* Pushes one account, or a page of accounts; false if the body is neither. */
static bool push_read(lua_State *L, const struct ca_buf *body,
                      const struct ca_api *api, int class)
{
  struct ca_json_scan scan = { body->data, body->data + body->len };
  if(!ca_api_has_id(api))
    return lca_account_push_page(L, body->data, body->len, class);
  return lca_account_push(L, &scan, 0, class) && ca_json_at_end(&scan);
}

/* read_reply(body, api, class) → the value of the reply; nothing if it is
   JSON but does not fit the request. Raises if it is not JSON. */
static int read_reply(lua_State *L)
{
  const struct ca_buf *body = lua_touserdata(L, 1);
  const struct ca_api *api = lua_touserdata(L, 2);
  bool reads = !ca_api_mutates(api);
  struct ca_slice text;
  if(reads && push_read(L, body, api, 3))
    return 1;
  lua_settop(L, 3);
  text.data = body->data;
  text.len = body->len;
  lca_json_decode(L, LCA_JSON_UNNAMED, text);
  return !reads && lua_istable(L, -1);
}

int lca_result_push(lua_State *L, struct lca_client *client,
                    const struct ca_api *api, struct ca_result *result,
                    const char *account)
{
  int status = LUA_ERRRUN;

  ca_reply_explain(api, account, result);
  if(result->err.code)
    return fail(L, api, result, account);
  if(!result->body.len && ca_api_mutates(api)) { /* for example a 204 */
    lua_newtable(L);
    return 1;
  }
  lua_pushcfunction(L, read_reply);
  lua_pushlightuserdata(L, &result->body);
  lua_pushlightuserdata(L, (void *)api);
  push_class(L, client, api);
  if(result->is_json)
    status = lua_pcall(L, 3, 1, 0);
  if(status == LUA_ERRMEM)
    return lua_error(L);
  if(status != LUA_OK) {
    suspect(api, result, "is not JSON");
    return fail(L, api, result, account);
  }
  if(!lua_istable(L, -1)) {
    suspect(api, result, "is not a reply to this request");
    return fail(L, api, result, account);
  }
  if(ca_api_mutates(api))
    ca_buf_wipe(&result->body);
  else /* a page is long, and its text lives on in the accounts */
    ca_buf_clear(&result->body);
  return 1;
}
