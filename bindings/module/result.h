/* Converts the service's replies for scripts: to tables, accounts and errors.
   Must not know: curl, the ledger. */
#ifndef LCA_RESULT_H
#define LCA_RESULT_H

#include "module/client.h"

/* Pushes the value of a 2xx reply: accounts and auth configs as in
   module/account.h, everything else decoded at once. Raises an error object
   if the call failed or the reply does not fit the request. Wipes the body.
   account: the id for the error, or NULL. [-0, +1, e] */
int lca_result_push(lua_State *L, struct lca_client *client,
                    const struct ca_api *api, struct ca_result *result,
                    const char *account);

#endif
