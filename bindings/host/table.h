/* Prints rows of texts in columns; all tables of the host are printed here. On
   a terminal, tables fit its width: cells are cut with an ellipsis, and if
   that is not enough the end of the line, so put what matters into the first
   columns. Elsewhere nothing is cut. The first HOST_TABLE_ROWS rows set the
   widths, so memory does not grow with the number of rows.
   Must not know: what the texts mean. */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HOST_COLUMNS    12
#define HOST_TABLE_ROWS 256

struct host_column {
  const char *title; /* NULL in the first column: no title line */
  size_t least;      /* may be cut to this width; 0: never cut */
  size_t width;      /* minimum width; without a terminal the exact width, and
                        a longer text shifts only its own line; 0: as wide as
                        its texts */
  bool right;        /* texts are aligned to the right */
};

/* How a table is printed. */
struct host_table_style {
  FILE *to;      /* borrowed */
  size_t indent; /* blanks before each line */
  size_t gap;    /* blanks between columns */
  bool titles;   /* print titles also when `to` is not a terminal */
};

struct host_table {
  struct host_table_style style;
  const struct host_column *columns;
  size_t count;
  size_t screen; /* width of the terminal; 0: not a terminal */
  bool measured; /* the widths are set and the first rows are printed */
  size_t widths[HOST_COLUMNS];
  char *texts[HOST_TABLE_ROWS][HOST_COLUMNS]; /* owned, until measured */
  size_t used;
};

/* Borrows columns, at most HOST_COLUMNS. style NULL: to stdout, two blanks
   between columns, titles only on a terminal. */
void host_table_init(struct host_table *table,
                     const struct host_table_style *style,
                     const struct host_column *columns, size_t count);
/* Adds a row with one text per column; NULL is shown as "-". Copies the texts,
   masks secrets and escapes control bytes. */
void host_table_add(struct host_table *table, const char *const *texts);
/* Prints the buffered rows and frees them. */
void host_table_end(struct host_table *table);
/* Frees the buffered rows without printing them. */
void host_table_free(struct host_table *table);

#endif
