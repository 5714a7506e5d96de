/* The run as scripts and the host's Lua meet it: bulks, items, planned changes
   and applying them. Binds core/ledger and core/apply; present only in the
   host.
   Must not know: curl, options of the command line, terminals. */
#ifndef LCA_LEDGER_H
#define LCA_LEDGER_H

#include "apply.h"
#include "ledger.h"
#include "lua_client.h"

struct lca_run_options {
  struct ca_ledger *ledger;     /* borrowed */
  struct ca_endpoint *endpoint; /* borrowed: the default client's */
  bool apply;                   /* false: preview */
  int concurrency;
};

/* Installs the recorder for this state: from now on mutating calls are
   planned (preview, bulk) or carried out through the ledger. Sets the
   engine's gate to SHUT or LEDGER. [-0, +0, e] */
void lca_ledger_install(lua_State *L, const struct lca_run_options *options);

/* composio.host (a table only the shipped Lua uses) for bulk.lua, job.lua. */
void lca_ledger_open(lua_State *L);

#endif
