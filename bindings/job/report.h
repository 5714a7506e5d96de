/* Reports: CSV files for people, complete or as they were. While a run lasts,
   their rows stand in FILE.partial, mode 0600, flushed one by one; at a good
   end the whole replaces FILE. A target that is no regular file is written to.
   Must not know: accounts, what rows mean. */
#ifndef LCA_REPORT_H
#define LCA_REPORT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* Adds report(path, header, live) to the table on top; it returns an object
   with :add(line, item, link). [-0, +0, m] */
void lca_report_open(lua_State *L);

struct lca_report_end {
  char path[1024];    /* where the whole report is, or was to be */
  char left[1024];    /* another's later report that was left as it is, "" */
  char partial[1024]; /* where the rows are, "" when they are in path */
  int64_t rows;       /* the rows; in a preview, those that would be written */
  int64_t lost;       /* how many of them have no link because nobody
                         received it */
  bool previewed;     /* there was nothing to write */
  bool written;       /* path has all rows */
  struct ca_err err;
};
/* Finishes this state's oldest report and fills `end`; false when there is
   none left. whole: the run ended well, so the rows replace the file. Never
   throws. */
bool lca_report_finish(lua_State *L, bool whole, struct lca_report_end *end);
/* Removes partial files without rows, and those of reports that were finished
   well if the run has ended, so that no resume goes on in them. Rows of
   another run get their name back if this run has added none. Call it once the
   ledger holds the run's end. Never throws. */
void lca_report_drop(lua_State *L, bool ended);
/* Removes what is left of the partial files of a run that is over, for a
   report at that path; returns how many files. Those of other runs stay. */
int lca_report_partial_remove(const char *path, const char *run);

#endif
