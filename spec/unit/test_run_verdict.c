/* The verdict on a run, from its row and from its counts. */
#include "base/text.h"
#include "check.h"
#include "ledger/run_verdict.h"

/* An ended run with this exit code and one change of that outcome. */
static struct ca_run_row run_of(int exit_code, enum ca_outcome outcome)
{
  struct ca_run_row run = { .info.mode = "apply",
                            .ended_ms = 1,
                            .exit_code = exit_code,
                            .sessions = 1,
                            .sealed = true,
                            .has_counts = true };

  run.changes[outcome] = 1;
  return run;
}

static struct ca_counts counts_of(const char *operation,
                                  enum ca_outcome outcome)
{
  struct ca_counts counts = { .operation_count = 1 };

  ca_text_copy(counts.operations[0].name, sizeof(counts.operations[0].name),
               operation);
  counts.operations[0].changes[outcome] = 1;
  return counts;
}

static void which_ends_are_good(void)
{
  static const int good[] = { 0, 3, 5, 9, 64, 74 };
  static const int bad[] = { 1, 2, 4, 6, 7, 8, 63, 75, 130 };
  size_t i;

  for(i = 0; i < sizeof(good) / sizeof(good[0]); i++)
    CHECK(ca_run_verdict_is_good_end(good[i]));
  for(i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    CHECK(!ca_run_verdict_is_good_end(bad[i]));
    CHECK(ca_run_verdict_can_resume(bad[i]));
  }
  CHECK(ca_run_verdict_can_resume(3));
  CHECK(ca_run_verdict_can_resume(9));
  CHECK(!ca_run_verdict_can_resume(0));
  CHECK(!ca_run_verdict_can_resume(66));
}

static void what_is_finished(void)
{
  struct ca_run_row run = run_of(0, CA_DONE);

  CHECK(ca_run_verdict_is_finished(&run, 0));
  CHECK(!ca_run_verdict_is_finished(&run, 1));
  run.ended_ms = 0;
  CHECK(!ca_run_verdict_is_finished(&run, 0));
  run = run_of(3, CA_FAILED);
  CHECK(ca_run_verdict_is_finished(&run, 0));
  run = run_of(9, CA_PENDING);
  CHECK(!ca_run_verdict_is_finished(&run, 0));
  run = run_of(8, CA_DONE); /* it was resolved, and has not ended itself */
  CHECK(!ca_run_verdict_is_finished(&run, 0));
  run = run_of(0, CA_NOT_TRIED);
  CHECK(!ca_run_verdict_is_finished(&run, 0));
}

static void what_is_open(void)
{
  static const int open[] = { 6, 7, 8, 130 };
  static const int over[] = { 0, 1, 3, 9, 64, 74 };
  struct ca_run_row run;
  size_t i;

  for(i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
    run = run_of(open[i], CA_DONE);
    run.pending = 1;
    CHECK(ca_run_verdict_is_open(&run) && !ca_run_verdict_waits(&run));
    run.needs = "false";
    CHECK(!ca_run_verdict_is_open(&run));
  }
  for(i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
    run = run_of(over[i], CA_DONE);
    CHECK(!ca_run_verdict_is_open(&run));
    CHECK(ca_run_verdict_waits(&run) == (over[i] == 9));
    run.pending = 1;
    CHECK(!ca_run_verdict_is_open(&run) && ca_run_verdict_waits(&run));
    CHECK(!ca_run_verdict_is_finished(&run, 0));
    run.unwritten = true;
    CHECK(ca_run_verdict_is_open(&run) && !ca_run_verdict_waits(&run));
    run.unwritten = false;
    run.changes[CA_NOT_TRIED] = 1;
    CHECK(ca_run_verdict_is_open(&run) && !ca_run_verdict_waits(&run));
    run.sealed = false;
    CHECK(!ca_run_verdict_is_open(&run));
  }
  run = run_of(7, CA_NOT_TRIED);
  run.info.mode = "preview";
  CHECK(!ca_run_verdict_is_open(&run));
}

static void what_is_refused_or_empty(void)
{
  struct ca_run_row run = run_of(4, CA_NOT_TRIED);

  CHECK(ca_run_verdict_is_refused(&run));
  CHECK(ca_run_verdict_is_empty(&run));
  run.sessions = 2; /* its resume was refused */
  CHECK(!ca_run_verdict_is_refused(&run));
  CHECK(!ca_run_verdict_is_empty(&run));
  run = run_of(4, CA_DONE);
  CHECK(!ca_run_verdict_is_refused(&run));
  run = run_of(0, CA_DONE);
  CHECK(!ca_run_verdict_is_empty(&run));
  run.changes[CA_DONE] = 0;
  CHECK(ca_run_verdict_is_empty(&run));
  run.exit_code = 1;
  CHECK(!ca_run_verdict_is_empty(&run));
}

static void what_is_interrupted(void)
{
  static const unsigned open =
      1u << CA_PLANNED | 1u << CA_INTENDED | 1u << CA_NOT_TRIED;
  static const unsigned under_way = 1u << CA_PLANNED | 1u << CA_INTENDED;
  struct ca_run_row died = { .sessions = 1 };
  int i;

  CHECK(ca_run_verdict_may_be_interrupted(&died));
  for(i = 0; i < CA_OUTCOME_COUNT; i++) {
    enum ca_outcome outcome = (enum ca_outcome)i;
    struct ca_counts change = counts_of("disable", outcome);
    struct ca_counts create = counts_of("link", outcome);
    struct ca_run_row run = run_of(7, outcome);
    bool is_open = open & (1u << i);
    bool unknown = outcome == CA_UNKNOWN;
    CHECK(ca_run_verdict_is_under_way(&change) ==
          ((under_way & (1u << i)) != 0));
    CHECK(ca_run_verdict_is_interrupted(&change) == is_open);
    CHECK(ca_run_verdict_is_interrupted(&create) == (is_open || unknown));
    CHECK(ca_run_verdict_may_be_interrupted(&run) == (is_open || unknown));
  }
}

int main(void)
{
  check_case("which ends are good", which_ends_are_good);
  check_case("what is finished", what_is_finished);
  check_case("what is open", what_is_open);
  check_case("what is refused or empty", what_is_refused_or_empty);
  check_case("what is interrupted", what_is_interrupted);
  return check_end();
}
