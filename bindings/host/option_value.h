/* Parses option values: numbers, durations, rates, percentages, lists.
   Must not know: which option they belong to. */
#ifndef HOST_OPTION_VALUE_H
#define HOST_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "host/options.h"

/* Each returns false when text is not such a value. */

bool host_option_value_integer(const char *text, int64_t *out);
/* Reads "90s", "5m", "20h", "14d", "250ms" or bare seconds. */
bool host_option_value_duration(const char *text, int64_t *ms);
/* Reads "50/s", "3000/m" or a bare number per second. */
bool host_option_value_rate(const char *text, double *per_second);
/* Reads "25" or "25%", from 0 to 100. */
bool host_option_value_percent(const char *text, double *percent);
/* Reads "12" or "12,3" and appends to list; *used is its length. */
bool host_option_value_counts(const char *text, int64_t *list, int *used,
                              int max);
/* Reads "failed=3%,unknown=5,stale=1". */
bool host_option_value_stop_on(const char *text, struct host_stop_on *stop_on);

#endif
