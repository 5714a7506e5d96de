/* Error objects, which scripts get when the service or the system refuses; and
   error strings, for mistakes in the script.
   Must not know: what causes errors. */
#ifndef LCA_ERROR_H
#define LCA_ERROR_H

#include "wire/api.h"
#include "base/err.h"
#include "module/lua_version.h"

/* Pushes an error object. api and account may be NULL. Fields: name (such as
   ConnectionRequestTimeoutError), message, code, slug, status, request_id,
   suggested_fix, operation, account_id, attempts, retryable, outcome. A field
   without a value is absent; retryable and outcome are always there.
   [-0, +1, m] */
void lca_error_push_named(lua_State *L, const char *name,
                          const struct ca_api *api, const char *account,
                          const struct ca_err *err);
/* Throws one whose name follows from the cause. */
int lca_error_throw(lua_State *L, const struct ca_api *api,
                    const char *account, const struct ca_err *err);
/* Returns whether the value at index is an error object. */
bool lca_error_is(lua_State *L, int index);

/* Pushes the script's position, "script.lua:12: ", skipping C functions and
   our own Lua files; "" if there is none. [-0, +1, m] */
void lca_error_where(lua_State *L);
/* Raises a string that starts with that position: a mistake in the script.
   fmt is that of lua_pushfstring. */
int lca_error_usage(lua_State *L, const char *fmt, ...);

/* Raises "…: unknown option 'userIds' (did you mean 'user_ids'?)" with the
   script's position. known: NULL-ended. */
int lca_error_unknown_option(lua_State *L, const char *function,
                             const char *option, const char *const *known);
/* Returns the name in known that is most similar to word; NULL if none is
   similar. */
const char *lca_error_nearest(const char *word, const char *const *known);

/* Adds error_object, is_error, usage, unknown_option and nearest to the
   table on top. [-0, +0, m] */
void lca_error_open(lua_State *L);

#endif
