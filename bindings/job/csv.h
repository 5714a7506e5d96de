/* CSV files as scripts read them, parsed by libcsv: one row at a time, with
   cells named by the header line.
   Must not know: accounts, the ledger. */
#ifndef LCA_CSV_H
#define LCA_CSV_H

#include <lua.h>

/* Adds csv(path, raw) to the table on top. It returns an object whose
   :header() returns the names in the first line, and whose :next(names,
   needed) returns a row as a table, nil after the last. All raise a usage
   error that names the row or column when the file is bad. [-0, +0, m] */
void lca_csv_open(lua_State *L);

#endif
