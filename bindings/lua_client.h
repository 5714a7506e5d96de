/* What scripts hold: clients and the calls on them, made from the operation
   table. One C function serves every row; composites (link with its check,
   waiting, pages) are Lua above it.
   Must not know: curl, the ledger (it asks the recorder it was given). */
#ifndef LCA_CLIENT_H
#define LCA_CLIENT_H

#include "endpoint.h"
#include "lua_sched.h"
#include "request.h"

struct lca_client {
  struct ca_endpoint *endpoint; /* owned; NULL when closed */
  struct lca_sched *sched;
  bool is_default;
};

/* A mutating call, before it is sent. L: 1 client, 2 arguments table (the
   options as the script gave them, `reason` among them); account: stack index
   of the account table whose method was called, or 0. request is finished;
   take its contents or leave them to the caller. Returns like a lua_CFunction
   (it may suspend through lua_wait), or LCA_SEND: let the client send it. */
#define LCA_SEND (-1)
typedef int lca_recorder_fn(lua_State *L, void *ctx,
                            struct lca_client *client,
                            struct ca_request *request, int arguments,
                            int account);
/* lua_ledger installs one in the host; NULL: calls act at once. */
void lca_client_set_recorder(lua_State *L, lca_recorder_fn *recorder,
                             void *ctx);

/* Typed helper; refuses closed clients. [-0, +0, e] */
struct lca_client *lca_client_check(lua_State *L, int index);

/* The options the host gives the default client, and whether scripts may read
   the key from the environment themselves. Borrowed until the state closes.
   Call before the first use. */
void lca_client_set_defaults(lua_State *L,
                             const struct ca_endpoint_options *options);

/* Pushes what a 2xx reply means (decoded, normalised by lua_json), or throws
   the error object made by lua_error. Wipes the body. [-0, +1, e] */
int lca_client_push_result(lua_State *L, struct lca_client *client,
                           const struct ca_api *api,
                           struct ca_result *result, const char *account);

void lca_client_open(lua_State *L);

#endif
