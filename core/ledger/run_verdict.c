/* Decides about a run from its row or its counts.
   Must not know: the database, how changes are sent. */
#include <string.h>
#include "ledger/run_verdict.h"

bool ca_run_verdict_is_good_end(int exit_code)
{
  return exit_code == 0 || exit_code == 3 || exit_code == 5 ||
         exit_code == 9 || (exit_code >= 64 && exit_code <= 74);
}

bool ca_run_verdict_can_resume(int exit_code)
{
  return !ca_run_verdict_is_good_end(exit_code) || exit_code == 3 ||
         exit_code == 9;
}

/* Sums up the changes whose outcome is in the set. */
static int64_t sum(const int64_t changes[CA_OUTCOME_COUNT], unsigned outcomes)
{
  int64_t count = 0;
  int i;
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(outcomes & (1u << i))
      count += changes[i];
  return count;
}

#define UNDER_WAY (1u << CA_PLANNED | 1u << CA_INTENDED)
#define OPEN      (UNDER_WAY | 1u << CA_NOT_TRIED)
#define NOT_FINAL (OPEN | 1u << CA_UNKNOWN)
#define MAY_BE_OUT \
  (1u << CA_DONE | 1u << CA_FAILED | 1u << CA_UNKNOWN | 1u << CA_PENDING)

static bool acts(const struct ca_run_row *run)
{
  return run->info.mode && !strcmp(run->info.mode, "apply");
}

static bool has_pending(const struct ca_run_row *run)
{
  return run->exit_code == 9 || run->pending;
}

bool ca_run_verdict_is_finished(const struct ca_run_row *run, int64_t retried)
{
  return run->ended_ms && run->has_counts &&
         ca_run_verdict_is_good_end(run->exit_code) &&
         !sum(run->changes, NOT_FINAL) && !has_pending(run) && !retried;
}

/* Did something outside the script stop it, so that the same script goes on?
   One that raised would raise again. */
static bool was_stopped(const struct ca_run_row *run)
{
  return !run->ended_ms || (run->exit_code >= 6 && run->exit_code <= 8) ||
         run->exit_code > 128;
}

bool ca_run_verdict_is_open(const struct ca_run_row *run)
{
  return acts(run) && run->sealed &&
         (was_stopped(run) || run->unwritten ||
          sum(run->changes, NOT_FINAL)) &&
         (!run->needs || strcmp(run->needs, "false") != 0);
}

bool ca_run_verdict_waits(const struct ca_run_row *run)
{
  return acts(run) && has_pending(run) && !ca_run_verdict_is_open(run);
}

bool ca_run_verdict_is_refused(const struct ca_run_row *run)
{
  return run->exit_code == 4 && run->sessions == 1 && run->has_counts &&
         !sum(run->changes, MAY_BE_OUT);
}

bool ca_run_verdict_is_empty(const struct ca_run_row *run)
{
  return ca_run_verdict_is_refused(run) ||
         (!sum(run->changes, CA_ANY_OUTCOME) && run->has_counts &&
          !run->exit_code);
}

static bool has(const struct ca_counts *counts, unsigned outcomes,
                bool only_creates)
{
  size_t i;
  for(i = 0; i < counts->operation_count; i++) {
    const struct ca_api *api = ca_api_of_label(counts->operations[i].name);
    if(sum(counts->operations[i].changes, outcomes) &&
       (!only_creates || (api && ca_api_creates(api))))
      return true;
  }
  return false;
}

bool ca_run_verdict_is_under_way(const struct ca_counts *counts)
{
  return has(counts, UNDER_WAY, false);
}

bool ca_run_verdict_is_interrupted(const struct ca_counts *counts)
{
  return has(counts, OPEN, false) || has(counts, 1u << CA_UNKNOWN, true);
}

bool ca_run_verdict_creates(const struct ca_counts *counts)
{
  return has(counts, CA_ANY_OUTCOME, true);
}

bool ca_run_verdict_may_be_interrupted(const struct ca_run_row *run)
{
  return !run->has_counts || sum(run->changes, NOT_FINAL);
}
