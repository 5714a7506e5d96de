/* What the service's replies become for scripts: tables, accounts, errors.
   Must not know: curl, the ledger. */
#ifndef LCA_RESULT_H
#define LCA_RESULT_H

#include "module/client.h"

/* Pushes what a 2xx reply means: accounts and auth configs as module/account.h
   makes them, everything else decoded at once. Raises an error object when the
   call failed or the reply is not what was asked for. Wipes the body. account:
   the id for the error, or NULL. [-0, +1, e] */
int lca_result_push(lua_State *L, struct lca_client *client,
                    const struct ca_api *api, struct ca_result *result,
                    const char *account);

#endif
