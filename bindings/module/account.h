/* Accounts and auth configs, which scripts hold as plain Lua tables. For each
   table the module keeps the JSON text that it was read from, out of the
   script's reach. Common fields are in the table from the start; the others
   are decoded from the text on first access. A script may write anything into
   such a table, or build one itself. Code that needs what the service said
   uses this file, never the table.
   Must not know: clients, tasks, what an account is changed for. */
#ifndef LCA_ACCOUNT_H
#define LCA_ACCOUNT_H

#include <lua.h>
#include <stdbool.h>
#include "base/json.h"

/* The JSON text of one account or auth config, as the service sent it. */
struct lca_account;

/* ---- making tables ---- */

/* Pushes a metatable for accounts. It takes methods from the table at index
   methods and adds `decode` to them. If a member has the name of a method,
   the account does not show the member. `name` is for error messages.
   [-0, +1, m] */
void lca_account_push_class(lua_State *L, const char *name, int methods);

/* Reads the next object in scan and pushes it as an account with the
   metatable at index class; depth is the number of objects and arrays
   around it. Returns false if it is not JSON, is nested too deep or has no
   string `id`; the caller then restores the stack. Raises lua-cjson's error
   if the text has half of a surrogate pair. [-0, +1, e] */
bool lca_account_push(lua_State *L, struct ca_json_scan *scan, int depth,
                      int class);
/* The same for a page of a list: pushes a table whose `items` are accounts.
   The other members are decoded at once. [-0, +1, e] */
bool lca_account_push_page(lua_State *L, const char *text, size_t len,
                           int class);

/* ---- what the service said ---- */

/* Returns the text that the table at index was read from; NULL if this
   module did not read it. It lives as long as the table. [-0, +0, -] */
const struct lca_account *lca_account_of(lua_State *L, int index);
/* Returns whether the text is about an account with that id; false if it is
   NULL. */
bool lca_account_has_id(const struct lca_account *account, const char *id);
/* Returns the text of the account table, but NULL if it is about another
   account: a script may have written that id into the table. [-0, +0, -] */
const struct lca_account *lca_account_about(lua_State *L, int index,
                                            const char *id);

/* Members whose places are known, sorted by the length of their names. */
enum lca_account_member {
  LCA_ACCOUNT_ID,
  LCA_ACCOUNT_ALIAS,
  LCA_ACCOUNT_STATE,
  LCA_ACCOUNT_STATUS,
  LCA_ACCOUNT_USER_ID,
  LCA_ACCOUNT_WORD_ID,
  LCA_ACCOUNT_TOOLKIT,
  LCA_ACCOUNT_CREATED_AT,
  LCA_ACCOUNT_UPDATED_AT,
  LCA_ACCOUNT_IS_DISABLED,
  LCA_ACCOUNT_AUTH_CONFIG,
  LCA_ACCOUNT_EXPERIMENTAL,
  LCA_ACCOUNT_STATUS_REASON,
  LCA_ACCOUNT_MEMBERS
};

/* Finds the JSON text of a known member, or of the member `inner` of that
   object, unless inner is NULL. Returns false if it is absent or null, or if
   account is NULL. Plans ask for a dozen members of each account, and
   lca_account_find takes longer. */
bool lca_account_member(const struct lca_account *account,
                        enum lca_account_member which, const char *inner,
                        struct ca_slice *value);
/* Finds the JSON text of a member by its path, a name or names joined by
   dots: "experimental.account_type". Returns false if it is absent or null,
   or if account is NULL. */
bool lca_account_find(const struct lca_account *account, const char *path,
                      struct ca_slice *value);
/* Pushes the member if it is a string, else nil. Returns the string or
   NULL; it is valid while it is on the stack. [-0, +1, m] */
const char *lca_account_push_text(lua_State *L,
                                  const struct lca_account *account,
                                  const char *path);
/* Returns whether the member is true. */
bool lca_account_is_true(const struct lca_account *account, const char *path);

/* Pushes a copy of the account at index with this status: the account as a
   planned change will leave it. Pushes nothing and returns false if the
   table was not read by this module, or if the status contains anything but
   capital letters and underscores. Not for scripts: guards would trust the
   copy. [-0, +0 or 1, m] */
bool lca_account_push_with_status(lua_State *L, int index, const char *status);

/* The metatable of auth configs, after lca_account_open. */
#define LCA_ACCOUNT_CONFIG_CLASS "composio.auth_config"

/* Makes what this file needs in the state. Call after lca_json_open.
   [-0, +0, m] */
void lca_account_open(lua_State *L);

#endif
