/* Fuzzes what reads a reply's headers: the callback of attempt.c, Retry-After,
   and the arithmetic that lives on those numbers. The file is included, since
   its callback is nobody else's business. Must not know: where lines come
   from. Input: header lines, each ended by a line feed. */
#include "wire/attempt.c"
#include "fuzz.h"
#include "wire/rate.h"
#include "wire/retry.h"
#include "base/secret.h"

#define WALL_MS INT64_C(1790000000000)
/* No hex digit in front: a cleaned "\\x1a" may stand before it. */
#define SECRET "sk_fuzz_secret_that_must_not_show"

/* What ends up in messages. */
static void check_text(const char *text, size_t size)
{
  CHECK("ends within its room", memchr(text, '\0', size));
  CHECK("one line", is_one_line(text));
  CHECK("no secret", !strstr(text, SECRET));
}

static void check_headers(const struct ca_headers *said)
{
  CHECK("limit", said->limit >= -1);
  CHECK("remaining", said->remaining >= -1);
  CHECK("window", said->window_ms == -1 ||
                      (said->window_ms > 0 && said->window_ms <= 86400000));
  CHECK("retry-after-ms", said->retry_after_ms >= -1);
  CHECK("should-retry", said->should_retry >= -1 && said->should_retry <= 1);
  CHECK("retry-after",
        memchr(said->retry_after, 0, sizeof(said->retry_after)));
  check_text(said->request_id, sizeof(said->request_id));
  check_text(said->location_host, sizeof(said->location_host));
  check_text(said->deprecation, sizeof(said->deprecation));
  check_text(said->sunset, sizeof(said->sunset));
}

/* As the engine does: never sooner than now, never later than allowed. */
static void check_retry(const struct ca_headers *said, int status)
{
  const int64_t max_wait_ms = 60000;
  struct ca_retry_state state = { 0 };
  struct ca_attempt_end end = { 0 };
  int64_t wait_ms = said->retry_after_ms > 0
                        ? said->retry_after_ms
                        : ca_retry_after_ms(said->retry_after, WALL_MS);
  int64_t delay_ms = 0;

  CHECK("Retry-After", wait_ms >= -1);
  state.api = ca_api_find("connected_accounts", "disable");
  CHECK("an operation", state.api);
  state.attempt = 1;
  state.retries = 2;
  state.left_ms = -1;
  state.max_wait_ms = max_wait_ms;
  state.random = 0.5;
  end.status = status;
  end.should_retry = said->should_retry;
  end.retry_after_ms = wait_ms;
  if(ca_retry_decide(&state, &end, &delay_ms) == CA_VERDICT_RETRY)
    CHECK("delay", delay_ms >= 50 && delay_ms <= max_wait_ms);
}

static void check_rate(const struct ca_headers *said, int status,
                       double budget)
{
  struct ca_rate rate;
  struct ca_rate_reply reply = { status, said->limit, said->remaining,
                                 said->window_ms, -1 };
  int64_t now_ms = 1000000;
  int i;

  ca_rate_init(&rate, budget, 0, 32);
  for(i = 0; i < 4; i++, now_ms += 250) {
    int64_t wait_ms = ca_rate_wait_ms(&rate, now_ms, 0);
    CHECK("somebody may start some day", wait_ms >= 0);
    CHECK("within a window", wait_ms <= 86400000);
    ca_rate_start(&rate, now_ms);
    ca_rate_end(&rate, now_ms + 10, &reply);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const int statuses[] = { 200, 429, 503, 409 };
  static struct ca_attempt attempt;
  int status;

  if(!ca_secret_count())
    ca_secret_add(SECRET, sizeof(SECRET) - 1);
  if(!size)
    return 0;
  status = statuses[*data % 4];
  data++;
  size--;
  forget_headers(&attempt.said);
  while(size) {
    const uint8_t *feed = memchr(data, '\n', size);
    size_t len = feed ? (size_t)(feed - data) + 1 : size;
    char *line = exact_copy(data, len);
    CHECK("takes the line", on_header(line, 1, len, &attempt) == len);
    free(line);
    data += len;
    size -= len;
  }
  check_headers(&attempt.said);
  check_retry(&attempt.said, status);
  check_rate(&attempt.said, status, 25);
  check_rate(&attempt.said, status, 100);
  return 0;
}
