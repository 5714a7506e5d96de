/* The limits of a run: how much it may change, and the message when it is too
   much. Pure: (limits, counts) -> verdict and message.
   Must not know: what is changed, who asks. */
#ifndef CA_GUARD_H
#define CA_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct ca_limits {
  int64_t max_changes; /* in the whole run; 0 allows none */
  double max_percent;  /* of the project's accounts; from 100 on no limit */
  bool delete_active;  /* ACTIVE accounts may be deleted */
};

/* What a run has planned so far, including the current bulk. */
struct ca_planned {
  int64_t changes; /* including the connections of disabled auth configs */
  int64_t irreversible;
  int64_t active_deletes; /* deletes of accounts that will be ACTIVE then */
  int64_t project;        /* accounts in the project, -1: not known */
};

/* Returns CA_OK, or CA_USAGE with a message that names the limit, its value,
   what was planned, and the option that lifts it. */
CA_MUST_USE enum ca_code ca_guard_check(const struct ca_limits *limits,
                                        const struct ca_planned *planned,
                                        struct ca_err *err);

/* A limit of --stop-on: a number such as "5", or a percentage such as "3%". */
struct ca_stop_limit {
  double value;
  bool percent;
  bool set;
};
/* Reads "5", "3%" or "0.5%". Returns false if text is not a limit. */
bool ca_guard_limit_read(const char *text, struct ca_stop_limit *limit);
/* Does `count` out of `total` reach the limit? A count of 0 never does. */
bool ca_guard_limit_reached(const struct ca_stop_limit *limit, int64_t count,
                            int64_t total);

#endif
