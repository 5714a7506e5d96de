/* Clients, and the calls that scripts make on them. One C function serves
   every row of the operation table; composite calls (link with its check,
   waiting, pages) are Lua on top of it.
   Must not know: curl, the ledger (it calls the recorder that job
   installs). */
#ifndef LCA_CLIENT_H
#define LCA_CLIENT_H

#include "wire/api.h"
#include "wire/endpoint.h"
#include "module/scheduler.h"
#include "module/wait.h"
#include "wire/request.h"

struct lca_client {
  struct ca_endpoint *endpoint; /* owned; NULL: closed, or a default client
                                   before its first use */
  struct lca_scheduler *sched;
  struct lca_ops ops; /* in flight; closing the client ends them */
  bool is_default;
  bool closed;
};

/* Called for each mutating call before it is sent. Stack: 1 client, 2 table
   of arguments (the options that the script gave, `reason` and `otherwise`
   included). account: stack index of the account table whose method was
   called, or 0. request is finished; the recorder may take its contents,
   otherwise the caller keeps them. Returns like a lua_CFunction (it may
   suspend through wait; its results go to the script), or LCA_SEND: the
   client sends the request. */
#define LCA_SEND (-1)
typedef int lca_recorder_fn(lua_State *L, void *ctx, struct lca_client *client,
                            struct ca_request *request, int arguments,
                            int account);

/* Called before every call, reads included, after its arguments were read.
   May throw: the host uses it to stop calls that must not reach the
   service. NULL: no check. */
typedef void lca_before_fn(lua_State *L, void *ctx);

/* Returns the client at index, which must be one. Raises if it is closed; on
   the first use of the default client, reads its key and makes its endpoint.
   [-0, +0, e] */
struct lca_client *lca_client_check(lua_State *L, int index);

/* Pushes the default client, ready for use. [-0, +1, e] */
struct lca_client *lca_client_default(lua_State *L);

/* State that all clients of a Lua state share; in its registry. */
struct lca_clients {
  lca_recorder_fn *recorder; /* job's, in the host; NULL: calls are sent at
                                once */
  void *recorder_ctx;
  lca_before_fn *before;
  void *before_ctx;
  /* Of the default client, borrowed until the state closes. composio.client
     also starts from them, but does not send their key to another base URL.
     NULL: the default client reads the environment. */
  const struct ca_endpoint_options *defaults;
};

/* Returns that state; the first call creates it. The host fills it before
   the first use of a client. [-0, +0, m] */
struct lca_clients *lca_client_shared(lua_State *L);

/* Finds the API key of this process: in `file` if it is not NULL (refused
   if group or others can read it), else in
   $CREDENTIALS_DIRECTORY/composio-api-key, else in COMPOSIO_API_KEY.
   Surrounding blanks are removed. Returns CA_OK with an empty key if there
   is none. The caller wipes the buffer. */
CA_MUST_USE enum ca_code
lca_client_find_key(const char *file, struct ca_buf *key, struct ca_err *err);

/* Reads a key, or another secret, from a file, which is refused if group or
   others can read it. Surrounding blanks are removed. CA_USAGE if the file is
   empty. The caller wipes the buffer, which this initialises. */
CA_MUST_USE enum ca_code
lca_client_read_key(const char *path, struct ca_buf *key, struct ca_err *err);

/* Adds client_new, default_client, client_set_class and project to the
   table on top. [-0, +0, m] */
void lca_client_open(lua_State *L);

/* Adds operation and check to the table on top: they make the functions of
   the operation table's rows. Call after lca_client_open. [-0, +0, m] */
void lca_call_open(lua_State *L);
/* module/operations.c: adds operations and same_field to the
   table on top. [-0, +0, m] */
void lca_operations_open(lua_State *L);

#endif
