/* Texts of the command line as values: numbers, durations, rates, shares,
   lists.
   Must not know: which option they belong to. */
#ifndef HOST_VALUE_H
#define HOST_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "host/options.h"

/* Each is false when the text is none. */

bool host_value_integer(const char *text, int64_t *out);
/* "90s", "5m", "20h", "14d", or bare seconds, into milliseconds. */
bool host_value_duration(const char *text, int64_t *ms);
/* "50/s", "3000/m", or bare ones per second. */
bool host_value_rate(const char *text, double *per_second);
/* "25" and "25%"; from 0 to 100. */
bool host_value_percent(const char *text, double *percent);
/* "12" or "12,3", added to what is there. */
bool host_value_counts(const char *text, int64_t *list, int *used, int max);
/* "failed=3%,unknown=5"; words: failed, unknown, stale. */
bool host_value_stop_on(const char *text, struct host_stop_on *stop_on);

#endif
