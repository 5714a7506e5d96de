/* What the ledger holds of earlier runs, for the shipped Lua.
   Must not know: how runs are carried out. */
#ifndef LCA_HISTORY_H
#define LCA_HISTORY_H

#include <lua.h>
#include "ledger/ledger.h"

/* Pushes an object that reads a ledger, and returns the pointer where the
   caller stores what ca_ledger_open_readonly opens. The object owns that
   ledger; while the pointer is NULL its methods raise. Its methods are runs,
   changes, gather, find, sessions and counts. They raise ledger errors as a
   text without a position. [-0, +1, m] */
struct ca_ledger **lca_history_new(lua_State *L);

#endif
