/* What client.c, key.c, call.c and result.c share. Private to them.
   Must not know: curl, the ledger. */
#ifndef LCA_CLIENT_PART_H
#define LCA_CLIENT_PART_H

#include "module/client.h"

/* One per Lua state, in the registry. */
struct lca_clients {
  lca_recorder_fn *recorder;
  void *recorder_ctx;
  lca_before_fn *before;
  void *before_ctx;
  const struct ca_endpoint_options *defaults; /* borrowed; or NULL */
};

/* [-0, +0, m] */
struct lca_clients *lca_clients_of(lua_State *L);

/* ---- module/result.c: lca_client_push_result ---- */

/* The same for a list of accounts: their heavy members are decoded when they
   are first touched (page). [-0, +1, e] */
int lca_client_push_page(lua_State *L, struct lca_client *client,
                         const struct ca_api *api, struct ca_result *result);

#endif
