/* Rows of texts as columns: the one printer of tables. On a terminal they fit
   its width: cells are cut with an ellipsis, at last the end of the line, so
   the first columns are those that matter. Elsewhere nothing is cut. Widths
   are those of the first rows, so any number of rows needs no more memory.
   Must not know: what the texts mean. */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HOST_COLUMNS    12
#define HOST_TABLE_ROWS 256

struct host_column {
  const char *title; /* NULL: none */
  size_t least;      /* cut down to this width; 0: never cut */
  size_t width;      /* at least so wide, and exactly where there is no
                        terminal: a longer text moves its own line only; 0: as
                        wide as its texts */
  bool right;        /* its texts end where the column does */
};

/* How a table is printed. */
struct host_table_style {
  FILE *to;      /* borrowed */
  size_t indent; /* blanks before each line */
  size_t gap;    /* blanks between columns */
  bool titles;   /* above the columns also where there is no terminal */
};

struct host_table {
  struct host_table_style style;
  const struct host_column *columns;
  size_t count;
  size_t screen; /* columns of the terminal; 0: there is none */
  bool measured; /* the widths are known, the first rows are printed */
  size_t widths[HOST_COLUMNS];
  char *texts[HOST_TABLE_ROWS][HOST_COLUMNS]; /* owned, until measured */
  size_t used;
};

/* Borrows columns, at most HOST_COLUMNS. style NULL: on stdout, two blanks
   between columns, titles on a terminal alone. */
void host_table_init(struct host_table *table,
                     const struct host_table_style *style,
                     const struct host_column *columns, size_t count);
/* Takes one text for each column; NULL is shown as "-". They are copied,
   masked and made harmless for a terminal. */
void host_table_add(struct host_table *table, const char *const *texts);
/* Prints what waits and frees it. */
void host_table_end(struct host_table *table);
/* Frees what waits without printing it. */
void host_table_free(struct host_table *table);

#endif
