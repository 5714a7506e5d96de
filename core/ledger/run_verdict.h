/* The verdict on a run: whether it came to its end, was refused, stands
   interrupted, can be resumed. Only this file decides it, for every verb and
   for reports.
   Must not know: the database, how changes are sent. */
#ifndef CA_LEDGER_RUN_VERDICT_H
#define CA_LEDGER_RUN_VERDICT_H

#include "ledger/ledger.h"

/* Did the script of a run with this exit code run to its end? */
bool ca_run_verdict_is_good_end(int exit_code);

/* May an applied run with this exit code be resumed? After 3 with its failed
   changes. */
bool ca_run_verdict_can_resume(int exit_code);

/* Is nothing left to resume: did the script run to its end, and has every
   change a final outcome? retried: failed items that are to be sent again. */
bool ca_run_verdict_is_finished(const struct ca_run_row *run, int64_t retried);

/* Did a guard refuse the run before it had sent anything? A run that was
   interrupted and whose resume was refused is none. */
bool ca_run_verdict_is_refused(const struct ca_run_row *run);

/* Did the run end well without a change, or was it refused? */
bool ca_run_verdict_is_empty(const struct ca_run_row *run);

/* Are there changes whose outcome the end of the run will tell: planned or
   intended ones? */
bool ca_run_verdict_is_under_way(const struct ca_counts *counts);

/* Are there changes without an outcome, or creates that may have been carried
   out? What failed, and people who are waited for, do not count. */
bool ca_run_verdict_is_interrupted(const struct ca_counts *counts);
/* Do the run's stored counts leave room for that? */
bool ca_run_verdict_may_be_interrupted(const struct ca_run_row *run);

#endif
