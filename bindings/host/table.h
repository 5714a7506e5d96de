/* Rows of texts as columns on stdout. On a terminal they fit its width: cells
   are cut with an ellipsis, at last the end of the line, so the first columns
   are those that matter; elsewhere nothing is cut. The widths are those of the
   first rows, so that any number of rows needs no memory.
   Must not know: what the texts mean. */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_COLUMNS    12
#define HOST_TABLE_ROWS 256

struct host_column {
  const char *title; /* shown on a terminal */
  size_t least;      /* cut down to this width; 0: never cut */
};

struct host_table {
  const struct host_column *columns;
  size_t count;
  size_t screen; /* columns of the terminal; 0: there is none */
  bool settled;  /* the widths are */
  size_t widths[HOST_COLUMNS];
  char *cells[HOST_TABLE_ROWS][HOST_COLUMNS]; /* owned, until settled */
  size_t used;
};

/* Borrows columns. */
void host_table_init(struct host_table *table,
                     const struct host_column *columns, size_t count);
/* One text per column; NULL is shown as "-". They are masked and made harmless
   for a terminal. */
void host_table_add(struct host_table *table, const char *const *texts);
/* Prints what waits and frees it. */
void host_table_end(struct host_table *table);
/* Frees what waits without printing it. */
void host_table_free(struct host_table *table);

#endif
