/* Reports: CSV files for people that are either complete or absent. Each is
   written to a temporary file in its directory, mode 0600, and renamed at the
   end of the run.
   Must not know: accounts, the ledger. */
#ifndef LCA_REPORT_H
#define LCA_REPORT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* Adds report(path, header) to the table on top; it returns an object with
   :add(line). writes: false in a preview, where nothing is written.
   [-0, +0, m] */
void lca_report_open(lua_State *L, bool writes);

struct lca_report_end {
  char path[512];
  int64_t rows;
  bool written; /* the file was renamed to path */
  struct ca_err err;
};
/* Finishes this state's oldest report and fills `end`; false when there is
   none left. keep: also write a report without rows, because the run changed
   something. Never throws. */
bool lca_report_finish(lua_State *L, bool keep, struct lca_report_end *end);

#endif
