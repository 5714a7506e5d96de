/* The verdict on an item, compared over all small cases with a definition that
   is written another way: by looking back from each change, not by walking. */
#include "check.h"
#include "ledger/verdict.h"

#define MOST 4 /* changes of an item */

struct one {
  enum ca_outcome outcome;
  bool fallback;
};

/* From best to worst, as DESIGN and the header say it. */
static const enum ca_outcome order[] = { CA_SAME,    CA_DONE,      CA_SKIPPED,
                                         CA_PLANNED, CA_NOT_TRIED, CA_PENDING,
                                         CA_STALE,   CA_FAILED,    CA_INTENDED,
                                         CA_UNKNOWN };

static int rank(enum ca_outcome outcome)
{
  int i;

  for(i = 0; order[i] != outcome; i++)
    ;
  return i;
}

static bool tried(enum ca_outcome outcome)
{
  return outcome == CA_DONE || outcome == CA_SAME || outcome == CA_FAILED ||
         outcome == CA_STALE || outcome == CA_PENDING ||
         outcome == CA_UNKNOWN || outcome == CA_INTENDED;
}

/* What a change and the fallbacks after it come to: the first of them that did
   not fail among those that were tried, else failed. */
static enum ca_outcome group_of(const struct one *ones, size_t count)
{
  size_t i;

  if(ones[0].outcome != CA_FAILED)
    return ones[0].outcome;
  for(i = 1; i < count && ones[i].fallback; i++)
    if(tried(ones[i].outcome) && ones[i].outcome != CA_FAILED)
      return ones[i].outcome;
  return CA_FAILED;
}

static enum ca_outcome plainly(const struct one *ones, size_t count)
{
  enum ca_outcome worst = CA_SAME;
  size_t i;

  for(i = 0; i < count; i++)
    if(!i || !ones[i].fallback) {
      enum ca_outcome outcome = group_of(ones + i, count - i);
      if(rank(outcome) > rank(worst))
        worst = outcome;
    }
  return worst;
}

static void check_one(const struct one *ones, size_t count)
{
  struct ca_verdict verdict = { 0 };
  enum ca_outcome want = plainly(ones, count);
  size_t i;

  for(i = 0; i < count; i++)
    ca_verdict_add(&verdict, ones[i].outcome, ones[i].fallback);
  if(ca_verdict_of(&verdict) == want &&
     ca_verdict_is_good(&verdict) == (want == CA_DONE || want == CA_SAME))
    return;
  CHECK_TEXT(ca_change_outcome_name(ca_verdict_of(&verdict)),
             ca_change_outcome_name(want));
  for(i = 0; i < count; i++)
    printf("  of%s %s\n", ones[i].fallback ? " the fallback" : "",
           ca_change_outcome_name(ones[i].outcome));
}

/* Every item of up to MOST changes: 20 + 20^2 + 20^3 + 20^4. */
static void all_small_items(void)
{
  struct one ones[MOST];
  size_t count;
  int n;

  for(count = 1; count <= MOST; count++) {
    int all = 1;
    size_t i;
    for(i = 0; i < count; i++)
      all *= 2 * CA_OUTCOME_COUNT;
    for(n = 0; n < all && !check_case_failed; n++) {
      int rest = n;
      for(i = 0; i < count; i++) {
        ones[i].outcome = (enum ca_outcome)(rest % CA_OUTCOME_COUNT);
        rest /= CA_OUTCOME_COUNT;
        ones[i].fallback = rest % 2;
        rest /= 2;
      }
      check_one(ones, count);
    }
  }
}

static enum ca_outcome of_two(enum ca_outcome change, enum ca_outcome fallback)
{
  struct ca_verdict verdict = { 0 };

  ca_verdict_add(&verdict, change, false);
  ca_verdict_add(&verdict, fallback, true);
  return ca_verdict_of(&verdict);
}

static void a_few_by_hand(void)
{
  struct ca_verdict verdict = { 0 };

  CHECK_INT(ca_verdict_of(&verdict), CA_PLANNED);
  CHECK(!ca_verdict_is_good(&verdict));
  CHECK(!ca_verdict_wants_fallback(&verdict));
  CHECK_INT(of_two(CA_FAILED, CA_DONE), CA_DONE);
  CHECK_INT(of_two(CA_FAILED, CA_SKIPPED), CA_FAILED);
  CHECK_INT(of_two(CA_FAILED, CA_UNKNOWN), CA_UNKNOWN);
  CHECK_INT(of_two(CA_DONE, CA_SKIPPED), CA_DONE);
  CHECK_INT(of_two(CA_DONE, CA_NOT_TRIED), CA_DONE);
  CHECK_INT(of_two(CA_STALE, CA_NOT_TRIED), CA_STALE);
}

static void when_a_fallback_is_due(void)
{
  struct ca_verdict verdict = { 0 };

  ca_verdict_add(&verdict, CA_DONE, false);
  CHECK(!ca_verdict_wants_fallback(&verdict));
  ca_verdict_add(&verdict, CA_FAILED, false);
  CHECK(ca_verdict_wants_fallback(&verdict));
  ca_verdict_add(&verdict, CA_DONE, true);
  CHECK(!ca_verdict_wants_fallback(&verdict));
  CHECK(ca_verdict_is_good(&verdict));
  CHECK(ca_verdict_makes_up(CA_SAME));
  CHECK(ca_verdict_makes_up(CA_UNKNOWN));
  CHECK(!ca_verdict_makes_up(CA_SKIPPED));
  CHECK(!ca_verdict_makes_up(CA_FAILED));
}

/* Every operation, every outcome, with and without --failed. */
static void what_may_still_be_sent(void)
{
  size_t count = 0;
  const struct ca_api *rows = ca_api_rows(&count);
  int outcome;
  size_t i;

  for(i = 0; i < count; i++)
    for(outcome = 0; outcome < CA_OUTCOME_COUNT; outcome++) {
      bool unsent = outcome == CA_PLANNED || outcome == CA_NOT_TRIED;
      bool lost = outcome == CA_UNKNOWN || outcome == CA_INTENDED;
      bool open = unsent || (lost && rows[i].repeat != CA_REPEAT_NEVER);
      CHECK(ca_verdict_is_open(&rows[i], (enum ca_outcome)outcome, false) ==
            open);
      CHECK(ca_verdict_is_open(&rows[i], (enum ca_outcome)outcome, true) ==
            (open || outcome == CA_FAILED));
    }
}

int main(void)
{
  check_case("all items of up to four changes", all_small_items);
  check_case("a few by hand", a_few_by_hand);
  check_case("when a fallback is due", when_a_fallback_is_due);
  check_case("what may still be sent", what_may_still_be_sent);
  return check_end();
}
