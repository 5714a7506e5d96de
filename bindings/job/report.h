/* Reports: CSV files for people, complete or not there at all. Written beside
   their place and renamed at the end of the run; only their owner reads them.
   Must not know: accounts, the ledger. */
#ifndef LCA_REPORT_H
#define LCA_REPORT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* report(path, columns, raw) into the table on top: an object with
   :add(cells). writes: false in a preview, where nothing is written.
   [-0, +0, m] */
void lca_report_open(lua_State *L, bool writes);

struct lca_report_end {
  char path[512];
  int64_t rows;
  bool written; /* the file is in its place */
  struct ca_err err;
};
/* Ends one report of this state and tells how; false when there is none left.
   keep: the run changed something, so that a report without rows is news, too.
   Never throws. */
bool lca_report_finish(lua_State *L, bool keep, struct lca_report_end *end);

#endif
