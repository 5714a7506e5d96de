/* Pace as arithmetic: every time here is made up.
   Must not know: the engine, real clocks. */
#include "check.h"
#include "wire/rate.h"

static struct ca_rate rate;

static void reply(int64_t now_ms, int status, int64_t limit, int64_t remaining,
                  int64_t window_ms, int64_t retry_after_ms)
{
  struct ca_rate_reply said = { status, limit, remaining, window_ms,
                                retry_after_ms };
  ca_rate_end(&rate, now_ms, &said);
}

static void good(int64_t now_ms)
{
  reply(now_ms, 200, -1, -1, -1, -1);
}

static void free_until_a_reply_tells(void)
{
  int i;

  ca_rate_init(&rate, 25, 0, 32);
  for(i = 0; i < 100000; i++) {
    CHECK_INT(ca_rate_wait_ms(&rate, 1000, 0), 0);
    ca_rate_start(&rate, 1000);
    if(check_case_failed)
      break;
  }
  CHECK_INT(ca_rate_wait_ms(&rate, 1000, 31), 0);
  CHECK_INT(ca_rate_wait_ms(&rate, 1000, 32), -1);
}

/* Starts what may start at once; how many that were. */
static int starts(int64_t now_ms, int most)
{
  int n = 0;
  while(n < most && !ca_rate_wait_ms(&rate, now_ms, 0)) {
    ca_rate_start(&rate, now_ms);
    n++;
  }
  return n;
}

static void share_of_the_limit(void)
{
  ca_rate_init(&rate, 25, 0, 32);
  ca_rate_start(&rate, 5000);
  reply(5010, 200, 10000, 9999, 60000, -1);
  CHECK_INT(starts(5020, 5000), 2499); /* and the first one */
  CHECK_INT(ca_rate_wait_ms(&rate, 5020, 0), 59980);
  CHECK_INT(ca_rate_wait_ms(&rate, 64999, 0), 1);
  CHECK_INT(starts(64999, 10), 0);
  CHECK_INT(starts(65000, 5000), 2500);
  CHECK_INT(starts(65001, 5000), 0);
}

static void other_windows(void)
{
  ca_rate_init(&rate, 50, 0, 32);
  ca_rate_start(&rate, 0);
  reply(1, 200, 100, 99, 600000, -1);
  CHECK_INT(starts(2, 500), 49);
  CHECK_INT(ca_rate_wait_ms(&rate, 100000, 0), 500000);
  CHECK_INT(starts(600000, 500), 50);
}

static void smallest_share_is_one(void)
{
  ca_rate_init(&rate, 1, 0, 32);
  ca_rate_start(&rate, 0);
  reply(1, 200, 10, 9, 60000, -1);
  CHECK_INT(starts(2, 50), 0);
  CHECK_INT(starts(60000, 50), 1);
}

static void others_use_it_up(void)
{
  ca_rate_init(&rate, 100, 0, 32);
  ca_rate_start(&rate, 0);
  reply(1, 200, 2000, 3, 60000, -1);
  /* three left, and two of them on their way */
  CHECK_INT(ca_rate_wait_ms(&rate, 10, 2), 0);
  CHECK_INT(ca_rate_wait_ms(&rate, 10, 3), 59990);
  reply(20, 200, 2000, 0, 60000, -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 30, 0), 59970);
  CHECK_INT(ca_rate_wait_ms(&rate, 60000, 0), 0);
}

static void pause_after_throttle(void)
{
  ca_rate_init(&rate, 25, 0, 32);
  ca_rate_start(&rate, 0);
  reply(100, 429, -1, -1, -1, 30000);
  CHECK_INT(ca_rate_wait_ms(&rate, 100, 0), 30000);
  CHECK_INT(ca_rate_wait_ms(&rate, 30099, 0), 1);
  CHECK_INT(ca_rate_wait_ms(&rate, 30100, 0), 0);
  /* a shorter one does not shorten it */
  reply(200, 429, -1, -1, -1, 1000);
  CHECK_INT(ca_rate_wait_ms(&rate, 200, 0), 29900);
  /* so does a 5xx, but no other status */
  ca_rate_init(&rate, 25, 0, 32);
  reply(100, 409, -1, -1, -1, 30000);
  CHECK_INT(ca_rate_wait_ms(&rate, 100, 0), 0);
  reply(100, 503, -1, -1, -1, 30000);
  CHECK_INT(ca_rate_wait_ms(&rate, 100, 0), 30000);
}

static void fixed_rates(void)
{
  static const double rates[] = { 0.5, 1, 3, 50, 300, 700, 999, 5000 };
  size_t i;

  for(i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
    int64_t now_ms;
    int in_second = 0;
    int most = 0;
    int all = 0;
    ca_rate_init(&rate, 25, rates[i], 32);
    for(now_ms = 0; now_ms < 20000; now_ms++) {
      int n = starts(now_ms, 1000);
      if(now_ms % 1000 == 0)
        in_second = 0;
      in_second += n;
      all += n;
      if(in_second > most)
        most = in_second;
    }
    if(!CHECK(all <= rates[i] * 20 * 1.002 + 1) ||
       !CHECK(all >= rates[i] * 20 * 0.99) ||
       !CHECK(most <= rates[i] * 1.005 + 2))
      printf("    at %g/s: %d in 20 s, %d in one\n", rates[i], all, most);
  }
}

static void fixed_rate_after_a_rest(void)
{
  ca_rate_init(&rate, 25, 10, 32);
  CHECK_INT(starts(0, 100), 1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 0), 100);
  CHECK_INT(starts(60000, 100), 1); /* a minute's rest is no credit */
  CHECK_INT(starts(60050, 100), 0);
  CHECK_INT(starts(60100, 100), 1);
}

static void concurrency_shrinks_and_grows(void)
{
  int i;

  ca_rate_init(&rate, 25, 0, 32);
  reply(0, 429, -1, -1, -1, -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 16), -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 15), 0);
  reply(0, 503, -1, -1, -1, -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 8), -1);
  reply(0, 0, -1, -1, -1, -1); /* no reply at all */
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 4), -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 3), 0);
  /* one more per window of good replies */
  for(i = 0; i < 5; i++)
    good(0);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 4), 0);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 5), -1);
  for(i = 0; i < 2000; i++)
    good(0);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 31), 0);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 32), -1);
  for(i = 0; i < 50; i++)
    reply(0, 429, -1, -1, -1, -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 0), 0); /* one is always allowed */
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 1), -1);
}

static void what_the_account_said_is_no_trouble(void)
{
  ca_rate_init(&rate, 25, 0, 32);
  reply(0, 404, -1, -1, -1, -1);
  reply(0, 409, -1, -1, -1, -1);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 31), 0);
}

static void longest_wait_wins(void)
{
  ca_rate_init(&rate, 25, 1, 32);
  ca_rate_start(&rate, 0);
  reply(0, 429, -1, -1, -1, 500);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 0), 1000);
  reply(0, 429, -1, -1, -1, 5000);
  CHECK_INT(ca_rate_wait_ms(&rate, 0, 0), 5000);
}

int main(void)
{
  check_case("free until a reply tells", free_until_a_reply_tells);
  check_case("a share of the limit", share_of_the_limit);
  check_case("other windows", other_windows);
  check_case("the smallest share is one", smallest_share_is_one);
  check_case("others use it up", others_use_it_up);
  check_case("a pause after a throttle", pause_after_throttle);
  check_case("fixed rates", fixed_rates);
  check_case("a fixed rate after a rest", fixed_rate_after_a_rest);
  check_case("concurrency shrinks and grows", concurrency_shrinks_and_grows);
  check_case("what the account said is no trouble",
             what_the_account_said_is_no_trouble);
  check_case("the longest wait wins", longest_wait_wins);
  return check_end();
}
