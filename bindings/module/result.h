/* What the service's replies become for scripts: tables, accounts, errors.
   Must not know: curl, the ledger. */
#ifndef LCA_RESULT_H
#define LCA_RESULT_H

#include "module/client.h"

/* Pushes what a 2xx reply means (decoded, normalised by json), or throws an
   error object. Wipes the body. account: the id for the error, or NULL.
   [-0, +1, e] */
int lca_result_push(lua_State *L, struct lca_client *client,
                    const struct ca_api *api, struct ca_result *result,
                    const char *account);

/* The same for a list of accounts: their heavy members are decoded when they
   are first touched (page). [-0, +1, e] */
int lca_result_push_page(lua_State *L, struct lca_client *client,
                         const struct ca_api *api, struct ca_result *result);

#endif
