/* CSV files as scripts read them, on libcsv: one row at a time, by the names
   in the header line.
   Must not know: accounts, the ledger. */
#ifndef LCA_CSV_H
#define LCA_CSV_H

#include <lua.h>

/* csv(path, columns) into the table on top: an object whose :next() gives a
   row as a table, nil after the last. Raises, with row and column, what is
   wrong with the file. [-0, +0, m] */
void lca_csv_open(lua_State *L);

#endif
