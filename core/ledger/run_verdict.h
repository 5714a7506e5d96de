/* Decides about a run: whether it ended, was refused, was interrupted, can be
   resumed. All verbs and reports use these functions, so that they never
   disagree.
   Must not know: the database, how changes are sent. */
#ifndef CA_LEDGER_RUN_VERDICT_H
#define CA_LEDGER_RUN_VERDICT_H

#include "ledger/ledger.h"

/* Did the script of a run with this exit code run to its end? */
bool ca_run_verdict_is_good_end(int exit_code);

/* Can an applied run with this exit code be resumed? After 3, only to retry
   its failed changes. */
bool ca_run_verdict_can_resume(int exit_code);

/* Returns whether nothing is left to resume: the script ran to its end, every
   change has a final outcome, and no person is waited for. retried: the number
   of failed items that will be sent again. */
bool ca_run_verdict_is_finished(const struct ca_run_row *run, int64_t retried);

/* Has plain `resume` something to do: changes without an outcome, a script
   that was stopped, a report that could not be written? Not after a refusal
   that no option lifts. A run that a process carries out at this moment counts
   as one that died. */
bool ca_run_verdict_is_open(const struct ca_run_row *run);

/* Is nothing left but what people have to do? `resume` then asks again. */
bool ca_run_verdict_waits(const struct ca_run_row *run);

/* Did a guard refuse the run before it had sent anything? False for a run
   that was interrupted and whose resume was refused. */
bool ca_run_verdict_is_refused(const struct ca_run_row *run);

/* Did the run end well without making a change, or was it refused? */
bool ca_run_verdict_is_empty(const struct ca_run_row *run);

/* Are there planned or intended changes, which get an outcome at the end of
   the run? */
bool ca_run_verdict_is_under_way(const struct ca_counts *counts);

/* Are there changes without an outcome, or creates that may have been
   carried out? Failed changes and changes that wait for a person do not
   count. */
bool ca_run_verdict_is_interrupted(const struct ca_counts *counts);
/* Does the run have changes that make accounts, whatever became of them? */
bool ca_run_verdict_creates(const struct ca_counts *counts);
/* Can the run be interrupted in that sense, by its stored counts? */
bool ca_run_verdict_may_be_interrupted(const struct ca_run_row *run);

#endif
