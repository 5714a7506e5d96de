/* One report, for the report*.c files alone.
   Must not know: accounts, what rows mean. */
#ifndef LCA_REPORT_PRIVATE_H
#define LCA_REPORT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "ledger/ledger.h"

#define LCA_REPORT_PATH_SIZE 1024
#define LCA_REPORT_COPY      16384 /* bytes that are copied at once */

/* A line of the partial file: the item's number, what is known of its link,
   and the line of the report. */
enum lca_report_link {
  LCA_REPORT_NO_LINK,
  LCA_REPORT_HAS_LINK,
  LCA_REPORT_LOST_LINK
};
struct lca_report_row {
  int64_t item; /* 0: it belongs to none */
  int64_t at;   /* where the report's line begins */
  size_t len;
  size_t place; /* among all rows */
  enum lca_report_link link;
  bool earlier; /* written by an earlier session */
  bool dropped; /* this session has a newer one */
  bool chosen;  /* it goes into the report */
};

struct lca_report {
  struct lca_report *next;
  char path[LCA_REPORT_PATH_SIZE - 128];
  char partial[LCA_REPORT_PATH_SIZE];
  char moved_to[LCA_REPORT_PATH_SIZE]; /* where another run's rows are now, not
                                          yet told */
  FILE *file;                          /* NULL in a preview */
  bool published;                      /* the target has all rows */
  bool direct;  /* the target is no regular file: rows are written to it */
  bool live;    /* live: rows are appended to the target itself */
  bool busy;    /* another run holds the partial file */
  int64_t size; /* of the partial file */
  struct lca_report_row *rows;
  size_t count;
  size_t allocated;
  struct ca_slice header; /* owned */
  struct ca_err err;      /* the first failure */
};

/* Where a reader of rows is: within quotes, and behind which byte. */
struct lca_report_position {
  bool quoted;
  int before;
};

/* ---- report_file.c ---- */

/* Keeps the first failure of the report, by errno: "cannot be WHAT". */
void lca_report_file_fail(struct lca_report *report, const char *what);
/* Appends a copy of the row to the list. Fails the report without memory. */
void lca_report_file_add_row(struct lca_report *report,
                             const struct lca_report_row *row);
/* Writes the text; flushing is the caller's. */
void lca_report_file_put(struct lca_report *report, struct ca_slice text);
/* Writes the row and flushes it, so that a kill loses no link in it. */
void lca_report_file_put_row(struct lca_report *report, int64_t item,
                             enum lca_report_link link, struct ca_slice line);
/* Goes on by one byte. Is it the line end of a row? A quote counts where a
   cell begins, or after one that ended it. */
bool lca_report_file_ends_row(struct lca_report_position *position, int byte);
bool lca_report_file_is_regular(const char *path);
/* Do both paths name one entry of one directory? "-" is stdout. */
bool lca_report_file_is_same(const char *one, const char *other);
/* Checks the target before any request is made, in a preview, too. Fails the
   report that cannot be written. */
void lca_report_file_check(struct lca_report *report);
/* Opens a target that is no regular file. A FIFO that nobody reads is refused
   instead of waited for. */
void lca_report_file_open_direct(struct lca_report *report);
/* Opens a live report: its rows are appended to FILE itself. */
void lca_report_file_open_live(struct lca_report *report);

/* ---- report_partial.c ---- */

/* Opens the partial file for this run: continues its own, renames that of
   another run unless that run needs it no longer, or creates one. ledger: NULL
   for a run without one. */
void lca_report_partial_open(struct lca_report *report, const char *run,
                             struct ca_ledger *ledger);

#endif
