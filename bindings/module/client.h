/* What scripts hold: clients and the calls on them, made from the operation
   table. One C function serves every row; composites (link with its check,
   waiting, pages) are Lua above it.
   Must not know: curl, the ledger (it asks the recorder it was given). */
#ifndef LCA_CLIENT_H
#define LCA_CLIENT_H

#include "wire/api.h"
#include "wire/endpoint.h"
#include "module/scheduler.h"
#include "module/wait.h"
#include "wire/request.h"

struct lca_client {
  struct ca_endpoint *endpoint; /* owned; NULL when closed, or a default
                                   client that was not used yet */
  struct lca_scheduler *sched;
  struct lca_ops ops; /* under way; closing ends them */
  bool is_default;
  bool closed;
};

/* A mutating call, before it is sent. L: 1 client, 2 arguments table (the
   options as the script gave them, `reason` and `otherwise` among them);
   account: stack index of the account table whose method was called, or 0.
   request is finished; take its contents or leave them to the caller. Returns
   like a lua_CFunction (it may suspend through wait; what it returns is
   what the script gets), or LCA_SEND: let the client send it. */
#define LCA_SEND (-1)
typedef int lca_recorder_fn(lua_State *L, void *ctx, struct lca_client *client,
                            struct ca_request *request, int arguments,
                            int account);
/* job installs one in the host; NULL: calls act at once. */
void lca_client_set_recorder(lua_State *L, lca_recorder_fn *recorder,
                             void *ctx);

/* Called before any call, reads too, once its arguments are read; may throw.
   The host stops there what must not reach the service. NULL: nothing. */
typedef void lca_before_fn(lua_State *L, void *ctx);
void lca_client_set_before(lua_State *L, lca_before_fn *before, void *ctx);

/* Typed helper; refuses closed clients, and readies the default one: reads
   its key and makes its endpoint. [-0, +0, e] */
struct lca_client *lca_client_check(lua_State *L, int index);

/* Pushes the default client, ready for use. [-0, +1, e] */
struct lca_client *lca_client_default(lua_State *L);

/* What all clients of a Lua state share; in its registry. */
struct lca_clients {
  lca_recorder_fn *recorder;
  void *recorder_ctx;
  lca_before_fn *before;
  void *before_ctx;
  const struct ca_endpoint_options *defaults; /* borrowed; or NULL */
};

/* [-0, +0, m] */
struct lca_clients *lca_client_shared(lua_State *L);

/* The options the host gives the default client; also what composio.client
   starts from, except that the key is not sent to another base URL. Without
   them the default client reads the environment. Borrowed until the state
   closes. Call before the first use. */
void lca_client_set_defaults(lua_State *L,
                             const struct ca_endpoint_options *options);

/* The API key of this process: from `file` when it is not NULL (refused when
   others than its owner can read it), else $CREDENTIALS_DIRECTORY/
   composio-api-key, else COMPOSIO_API_KEY; without blanks around it. CA_OK
   with an empty key when there is none. The buffer is the caller's to wipe. */
CA_MUST_USE enum ca_code
lca_client_find_key(const char *file, struct ca_buf *key, struct ca_err *err);

/* client_new, default_client, client_set_class, operation, operations into the
   table on top. [-0, +0, m] */
void lca_client_open(lua_State *L);

/* operation, check and operations into the table on top: the functions of the
   operation table's rows. After lca_client_open. [-0, +0, m] */
void lca_call_open(lua_State *L);
/* module/operations.c: operations, row, value_at and same_field. [-0, +0, m]
 */
void lca_operations_open(lua_State *L);

#endif
