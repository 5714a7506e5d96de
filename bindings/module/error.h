/* Error objects: what the world said no to, as scripts meet it; and the
   strings for what a script did wrong.
   Must not know: how errors come about. */
#ifndef LCA_ERROR_H
#define LCA_ERROR_H

#include "wire/api.h"
#include "base/err.h"
#include "module/lua_version.h"

/* Pushes an error object. api and account may be NULL. Fields: name, message,
   code, slug, status, request_id, suggested_fix, operation, account_id,
   attempts, retryable, outcome; absent when there is nothing to say.
   [-0, +1, m] */
void lca_error_push(lua_State *L, const struct ca_api *api,
                    const char *account, const struct ca_err *err);
/* The same with a name of its own, such as ConnectionRequestTimeoutError. */
void lca_error_push_named(lua_State *L, const char *name,
                          const struct ca_api *api, const char *account,
                          const struct ca_err *err);
/* Pushes and throws. */
int lca_error_throw(lua_State *L, const struct ca_api *api,
                    const char *account, const struct ca_err *err);
/* Is the value at index an error object? */
bool lca_error_is(lua_State *L, int index);

/* Pushes "script.lua:12: " of the script's own line, past C functions and our
   Lua files; "" when there is none. [-0, +1, m] */
void lca_error_where(lua_State *L);
/* Raises a string with that position: the script is wrong. Format as
   lua_pushfstring. */
int lca_error_usage(lua_State *L, const char *fmt, ...);

/* Raises "…: unknown option 'userIds' (did you mean 'user_ids'?)" with the
   script's position. known: NULL-ended. */
int lca_error_unknown_option(lua_State *L, const char *function,
                             const char *option, const char *const *known);
/* The nearest of known to word, or NULL when none is near. */
const char *lca_error_nearest(const char *word, const char *const *known);

/* error_object, usage and nearest into the table on top. [-0, +0, m] */
void lca_error_open(lua_State *L);

#endif
