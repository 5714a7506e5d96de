/* Accounts and auth configs as scripts hold them: plain Lua tables. Beside
   each table the module keeps the text that it was read from, where no script
   can reach it. Fields that many scripts ask for are in the table from the
   start; the others are decoded from the text when a script first asks.
   A script may write what it likes into such a table, or make one of its own.
   So whoever must know what the service said asks here, never the table.
   Must not know: clients, tasks, what an account is changed for. */
#ifndef LCA_ACCOUNT_H
#define LCA_ACCOUNT_H

#include <lua.h>
#include <stdbool.h>
#include "base/json.h"

/* What the service said of one account or auth config. */
struct lca_account;

/* ---- making tables ---- */

/* Pushes a metatable for accounts. It finds the methods in the table at index
   methods and adds `decode` to them; a member of the service's that has the
   name of a method is left out of the account. `name` is for error messages.
   [-0, +1, m] */
void lca_account_push_class(lua_State *L, const char *name, int methods);

/* Pushes the object that comes next in scan as an account with the metatable
   at index class; depth is the number of objects and arrays around it.
   Returns false when it is not JSON, is nested too deep or has no text `id`;
   the caller then restores the stack. Raises what lua-cjson raises for a text
   that holds half of a surrogate pair. [-0, +1, e] */
bool lca_account_push(lua_State *L, struct ca_json_scan *scan, int depth,
                      int class);
/* The same for a page of a list: a table whose `items` are accounts. The other
   members are decoded at once. [-0, +1, e] */
bool lca_account_push_page(lua_State *L, const char *text, size_t len,
                           int class);

/* ---- what the service said ---- */

/* What the table at index was read from; NULL when this module did not read
   it. It lives as long as the table. [-0, +0, -] */
const struct lca_account *lca_account_of(lua_State *L, int index);
/* The same, but NULL when it is about another account than that of this id:
   a script may have written another id into the table. [-0, +0, -] */
const struct lca_account *lca_account_about(lua_State *L, int index,
                                            const char *id);

/* The members that are asked for again and again. Those of the same length are
   together and lengths rise; account.c counts on it. */
enum lca_member {
  LCA_ID,
  LCA_ALIAS,
  LCA_STATE,
  LCA_STATUS,
  LCA_USER_ID,
  LCA_WORD_ID,
  LCA_TOOLKIT,
  LCA_CREATED_AT,
  LCA_UPDATED_AT,
  LCA_IS_DISABLED,
  LCA_AUTH_CONFIG,
  LCA_EXPERIMENTAL,
  LCA_STATUS_REASON,
  LCA_MEMBERS
};

/* Finds the JSON text of the member, or, unless inner is NULL, of what is
   named inner in the object that the member is. False when there is none, or
   null. account may be NULL: then there is none. */
bool lca_account_find(const struct lca_account *account,
                      enum lca_member member, const char *inner,
                      struct ca_slice *value);
/* The same for any member, by a dotted path: "experimental.account_type". */
bool lca_account_at(const struct lca_account *account, const char *path,
                    struct ca_slice *value);
/* Pushes a member when it is a text, else nil. Returns the text or NULL; it is
   valid while it is on the stack. [-0, +1, m] */
const char *lca_account_push_text(lua_State *L,
                                  const struct lca_account *account,
                                  enum lca_member member, const char *inner);
/* Is it true? */
bool lca_account_is_true(const struct lca_account *account,
                         enum lca_member member, const char *inner);

/* Pushes another table of the account at index, as if it had been read with
   this status: what a planned change will make of it. Nothing is pushed, and
   false returned, when that table was not read, or when the status holds
   anything but capital letters and underscores. Not for scripts: guards would
   believe it. [-0, +0 or 1, m] */
bool lca_account_push_with_status(lua_State *L, int index, const char *status);

/* Adds status_of to the table on top. After lca_json_open.
   [-0, +0, m] */
void lca_account_open(lua_State *L);
/* Pushes the metatable of auth configs. After lca_account_open. [-0, +1, -] */
void lca_account_push_config_class(lua_State *L);

#endif
