/* What the ledger holds of earlier runs, for the shipped Lua.
   Must not know: how runs go. */
#ifndef LCA_HISTORY_H
#define LCA_HISTORY_H

#include <lua.h>
#include "ledger/ledger.h"

/* Pushes an object that reads a ledger, and returns where that ledger goes:
   put in what ca_ledger_open_readonly opens. The object owns it; as long as
   there is NULL its methods raise. Its methods: runs, changes, gather, find,
   sessions, counts; what goes wrong with the ledger they raise as a text
   without a position. [-0, +1, m] */
struct ca_ledger **lca_history_new(lua_State *L);

#endif
