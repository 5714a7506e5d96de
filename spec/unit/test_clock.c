/* Times as text, both ways. Must not know: who asks. */
#include "check.h"
#include "base/clock.h"

static const struct {
  const char *text;
  int64_t ms;
} times[] = {
  { "1970-01-01T00:00:00.000Z", 0 },
  { "1969-12-31T23:59:59.999Z", -1 },
  { "2000-02-29T12:00:00.000Z", 951825600000 },
  { "2000-03-01T00:00:00.000Z", 951868800000 },
  { "2024-02-29T23:59:59.999Z", 1709251199999 },
  { "2024-12-31T00:00:00.001Z", 1735603200001 },
  { "2026-11-22T06:00:00.000Z", 1795327200000 },
  { "2038-01-19T03:14:08.000Z", 2147483648000 },
  { "2100-02-28T00:00:00.000Z", 4107456000000 },
  { "2100-03-01T00:00:00.000Z", 4107542400000 },
  { "1600-01-01T00:00:00.000Z", -11676096000000 },
};

static void both_ways(void)
{
  size_t i;

  for(i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
    char text[32];
    int64_t ms = -7;
    ca_clock_format(times[i].ms, text, sizeof(text));
    CHECK_TEXT(text, times[i].text);
    CHECK(ca_clock_parse(times[i].text, &ms));
    CHECK_INT(ms, times[i].ms);
  }
}

static void every_day_of_four_centuries(void)
{
  int64_t day;
  int64_t wrong = 0;

  for(day = -135140; day < 146097; day++) { /* from 1600 to 2370 */
    char text[32];
    int64_t ms = 0;
    int64_t at = day * 86400000 + 12345678;
    ca_clock_format(at, text, sizeof(text));
    if(!ca_clock_parse(text, &ms) || ms != at)
      wrong++;
  }
  CHECK_INT(wrong, 0);
}

static void as_the_service_may_write_it(void)
{
  static const struct {
    const char *text;
    int64_t ms;
  } cases[] = {
    { "2026-11-22T06:00:00Z", 1795327200000 },
    { "2026-11-22T06:00:00.5Z", 1795327200500 },
    { "2026-11-22T06:00:00.123456789Z", 1795327200123 },
    { "2026-11-22T08:00:00+02:00", 1795327200000 },
    { "2026-11-21T22:30:00.250-07:30", 1795327200250 },
    { "2026-11-22T06:00:00+00:00", 1795327200000 },
    { "2026-11-22 06:00:00Z", 1795327200000 },
    { "2026-11-22T06:00:00z", 1795327200000 },
    { "2026-12-31T23:59:60Z", 1798761600000 }, /* a leap second */
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t ms = -7;
    CHECK(ca_clock_parse(cases[i].text, &ms));
    if(!CHECK_INT(ms, cases[i].ms))
      printf("    of %s\n", cases[i].text);
  }
}

static void as_headers_write_it(void)
{
  static const char *const wrong[] = { "", "Sun, 22 Nov 2026 06:00:00",
                                       "Sun, 22 Nov 2026 06:00:00 GMT+1",
                                       "2026-11-22T06:00:00Z" };
  int64_t ms = -7;
  size_t i;

  CHECK(ca_clock_parse_http("Sun, 22 Nov 2026 06:00:00 GMT", &ms));
  CHECK_INT(ms, 1795327200000);
  for(i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    CHECK(!ca_clock_parse_http(wrong[i], &ms));
}

static void what_is_no_time(void)
{
  static const char *const cases[] = {
    "",
    "x",
    "2026",
    "2026-11-22",
    "2026-11-22T",
    "2026-11-22T06:00",
    "2026-11-22T06:00:0Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T06:60:00Z",
    "2026-11-22T06:00:61Z",
    "2026-11-22T06:00:00.Z",
    "2026-11-22T06:00:00ZZ",
    "2026-11-22T06:00:00+0200",
    "2026-11-22T06:00:00+24:00",
    "2026-11-22T06:00:00+02:60",
    "2026-11-22T06:00:00+02:00x",
    " 2026-11-22T06:00:00Z",
    "2026/11/22T06:00:00Z",
    "2026-11-22T06-00-00Z",
    "+026-11-22T06:00:00Z",
    "Sun, 22 Nov 2026 06:00:00 GMT",
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t ms = -7;
    if(!CHECK(!ca_clock_parse(cases[i], &ms)))
      printf("    of \"%s\"\n", cases[i]);
    CHECK_INT(ms, -7);
  }
}

static void short_room_is_not_passed(void)
{
  char text[32];

  memset(text, '#', sizeof(text));
  ca_clock_format(0, text, 11);
  CHECK_TEXT(text, "1970-01-01");
  CHECK_INT(text[11], '#');
}

static void machine_clocks_go_on(void)
{
  const struct ca_clock *clock = ca_clock_system();
  int64_t mono = ca_clock_mono_ms(clock);
  int64_t wall = ca_clock_wall_ms(clock);
  int i;

  CHECK(wall > INT64_C(1700000000000)); /* late in 2023 */
  for(i = 0; i < 1000; i++) {
    int64_t later = ca_clock_mono_ms(clock);
    CHECK(later >= mono);
    mono = later;
  }
}

int main(void)
{
  check_case("both ways", both_ways);
  check_case("every day of four centuries", every_day_of_four_centuries);
  check_case("as the service may write it", as_the_service_may_write_it);
  check_case("as headers write it", as_headers_write_it);
  check_case("what is no time", what_is_no_time);
  check_case("short room is not passed", short_room_is_not_passed);
  check_case("the machine's clocks go on", machine_clocks_go_on);
  return check_end();
}
