/* The limits of a run as arithmetic: how much may be changed, and why not
   more. Pure: (limits, counts) -> verdict and a line for people. Knows nothing
   of what is changed, or of who asks. */
#ifndef CA_GUARD_H
#define CA_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct ca_limits {
  int64_t max_changes; /* of the whole run; 0 means none at all */
  double max_percent;  /* of the project's accounts; 100 and more: no limit */
  bool delete_active;  /* ACTIVE accounts may be deleted */
};

/* What a run has planned so far, the bulk at hand included. */
struct ca_planned {
  int64_t changes; /* connections of disabled auth configs included */
  int64_t irreversible;
  int64_t active_deletes; /* of accounts that are ACTIVE when they go */
  int64_t project;        /* accounts of the project, -1: not known */
};

/* CA_OK, or CA_USAGE with a line that says which limit, its value, what was
   planned, and the flag that lifts it. */
CA_MUST_USE enum ca_code ca_guard_check(const struct ca_limits *limits,
                                        const struct ca_planned *planned,
                                        struct ca_err *err);

/* A limit such as "5" or "3%": reached by `count` out of `total`? */
struct ca_stop_limit {
  double value;
  bool percent;
  bool set;
};
/* "5", "3%", "0.5%". False when it is not one. */
bool ca_stop_limit_read(const char *text, struct ca_stop_limit *limit);
/* A count reaches its number; a percentage must be reached by at least one. */
bool ca_stop_limit_reached(const struct ca_stop_limit *limit, int64_t count,
                           int64_t total);

#endif
