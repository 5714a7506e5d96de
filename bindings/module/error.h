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
   suggested_fix, operation, account_id, attempts, retryable,
   unavailable, overlong, outcome, where (the script's position). A field
   without a value is absent; retryable and outcome are always there. [-0, +1,
   m] */
void lca_error_push_named(lua_State *L, const char *name,
                          const struct ca_api *api, const char *account,
                          const struct ca_err *err);
/* Throws one whose name follows from the cause. */
int lca_error_throw(lua_State *L, const struct ca_api *api,
                    const char *account, const struct ca_err *err);
/* Returns whether the value at index is an error object. */
bool lca_error_is(lua_State *L, int index);
/* Does the error at index mean that every other call would fail, too? */
enum lca_error_end {
  LCA_ERROR_GOES_ON,
  LCA_ERROR_KEY,  /* the API key was rejected */
  LCA_ERROR_ROUTE /* the service does not have the route */
};
/* [-0, +0, -] */
enum lca_error_end lca_error_ends_run(lua_State *L, int index);
/* Pushes the text of an error of any kind, for people who did not catch it:
   that of an error object begins with the script's line. Returns the text.
   [-0, +1, e] */
const char *lca_error_push_line(lua_State *L, int index);

/* Pushes the script's position, "script.lua:12", skipping C functions and our
   own Lua files; or nothing, and returns false, if it is not known. A tail
   call leaves no frame of its caller: then the position is that of the line
   which runs the coroutine, or of the start of what the task runs.
   [-0, +(0|1), m] */
bool lca_error_push_place(lua_State *L);
/* The same before a message, "script.lua:12: ", or "". [-0, +1, m] */
void lca_error_where(lua_State *L);
/* Pushes the position where the function at index starts, "script.lua:12"; or
   nothing, and returns false, if it is not a script's. [-0, +(0|1), m] */
bool lca_error_push_start(lua_State *L, int index);
/* Called when no frame of the script is left: pushes the function that the
   running task runs, or the position that stands for it, and returns the
   task's thread; pushes nothing and returns NULL outside tasks. */
typedef lua_State *lca_error_origin_fn(lua_State *L);
void lca_error_set_origin(lca_error_origin_fn *of_running);
/* Raises a string that starts with that position: a mistake in the script.
   fmt is that of lua_pushfstring. */
int lca_error_usage(lua_State *L, const char *fmt, ...);

/* Raises, with that position, unless the keys of the table at index are 1, 2,
   … to its length: the rule for every list that a script gives. where: what
   the list is; hint: what is added for a key that is no place. Returns the
   length. [-0, +0, e] */
lua_Integer lca_error_check_list(lua_State *L, int index, const char *where,
                                 const char *hint);

/* Raises "…: unknown option 'userIds' (did you mean 'user_ids'?)" with the
   script's position. known: NULL-ended. */
int lca_error_unknown_option(lua_State *L, const char *function,
                             const char *option, const char *const *known);
/* userIds → user_ids; false if the word has no capital letter or is too
   long. */
bool lca_error_to_snake(const char *word, char *out, size_t size);
/* Returns the name in known that is most similar to word; NULL if none is
   similar. */
const char *lca_error_nearest(const char *word, const char *const *known);

/* Adds error_object, is_error, usage, unknown_option and nearest to the
   table on top. [-0, +0, m] */
void lca_error_open(lua_State *L);

#endif
