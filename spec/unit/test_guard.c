/* Limits of a run: what passes, what is refused and in which words. */
#include <math.h>
#include "check.h"
#include "apply/guard.h"

static struct ca_err err;

/* "" when it passes, else what is said. */
static const char *check(struct ca_limits limits, struct ca_planned planned)
{
  ca_err_clear(&err);
  if(!ca_guard_check(&limits, &planned, &err))
    return "";
  CHECK_INT(err.code, CA_USAGE);
  return err.text;
}

#define WIDE .max_changes = 1000000000, .max_percent = 100

static void changes_are_counted(void)
{
  struct ca_limits limits = { .max_changes = 500, .max_percent = 100 };

  CHECK_TEXT(check(limits, (struct ca_planned){ .changes = 500 }), "");
  CHECK_TEXT(check(limits, (struct ca_planned){ .changes = 501 }),
             "refused: 501 changes are more than --max-changes 500");
  limits.max_changes = 1234567;
  CHECK_TEXT(check(limits, (struct ca_planned){ .changes = 12345678 }),
             "refused: 12,345,678 changes are more than --max-changes "
             "1,234,567");
  limits.max_changes = 0;
  CHECK_TEXT(check(limits, (struct ca_planned){ .changes = 1 }),
             "refused: 1 change is more than --max-changes 0");
}

static void percents_are_exact(void)
{
  static const struct {
    double percent;
    int64_t changes, project;
    const char *says;
  } cases[] = {
    { 25, 500, 2000, "" },
    { 25, 501, 2000,
      "refused: 501 changes are 25.1 % of the project's 2,000 accounts, "
      "more than --max-percent 25" },
    { 25, 812, 2000,
      "refused: 812 changes are 40.6 % of the project's 2,000 accounts, "
      "more than --max-percent 25" },
    { 4.35, 87, 2000, "" },
    { 4.35, 88, 2000,
      "refused: 88 changes are 4.4 % of the project's 2,000 accounts, "
      "more than --max-percent 4.35" },
    { 0.1, 1, 1000, "" },
    { 0.57, 57, 10000, "" }, /* which the machine's product does not reach */
    { 33.3, 333, 1000, "" },
    { 25, 1, 1,
      "refused: 1 change is 100.0 % of the project's 1 account, more than "
      "--max-percent 25" },
    { 25, 3, 0,
      "refused: 3 changes are planned although the project has no accounts, "
      "more than --max-percent 25" },
    { 0, 1, 1000000,
      "refused: 1 change is 0.0001 % of the project's 1,000,000 accounts, "
      "more than --max-percent 0" },
    { 100, 9, 0, "" },
    { 250, 9, 1, "" },
    { 25, 1, -1,
      "refused: the number of accounts in the project is not known, so "
      "--max-percent 25 cannot be checked; --max-percent 100 skips this "
      "check" },
    { 100, 1, -1, "" },
    { 99.9, 1000, 1000,
      "refused: 1,000 changes are 100.0 % of the project's 1,000 accounts, "
      "more than --max-percent 99.9" }
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    CHECK_TEXT(check((struct ca_limits){ .max_changes = 100000000,
                                         .max_percent = cases[i].percent },
                     (struct ca_planned){ .changes = cases[i].changes,
                                          .project = cases[i].project }),
               cases[i].says);
  CHECK_HOLDS(check((struct ca_limits){ .max_changes = 9, .max_percent = NAN },
                    (struct ca_planned){ .changes = 1, .project = 1000 }),
              "refused");
}

static void active_accounts_are_kept(void)
{
  CHECK_TEXT(check((struct ca_limits){ WIDE },
                   (struct ca_planned){ .changes = 3, .active_deletes = 3 }),
             "refused: 3 ACTIVE accounts would be deleted; --delete-active "
             "allows it");
  CHECK_TEXT(check((struct ca_limits){ WIDE },
                   (struct ca_planned){ .changes = 3, .active_deletes = 1 }),
             "refused: 1 ACTIVE account would be deleted; --delete-active "
             "allows it");
  CHECK_TEXT(check((struct ca_limits){ WIDE, .delete_active = true },
                   (struct ca_planned){ .changes = 3, .active_deletes = 3 }),
             "");
  CHECK_TEXT(check((struct ca_limits){ WIDE },
                   (struct ca_planned){ .changes = 3, .irreversible = 3 }),
             "");
}

static void nothing_is_never_refused(void)
{
  CHECK_TEXT(check((struct ca_limits){ .max_changes = 0 },
                   (struct ca_planned){ .project = -1 }),
             "");
  CHECK_TEXT(check((struct ca_limits){ .max_changes = 0 },
                   (struct ca_planned){ .project = 0 }),
             "");
}

static void stop_limits_are_read(void)
{
  static const struct {
    const char *text;
    double value;
    bool percent;
  } good[] = { { "5", 5, false },        { "1", 1, false },
               { "3%", 3, true },        { "0.5%", 0.5, true },
               { "100%", 100, true },    { "1000000", 1000000, false },
               { "12.25%", 12.25, true } };
  static const char *const bad[] = {
    "",     "0",   "0%",     "-1",  "5 ",   " 5",   "5%%",
    "%",    ".5%", "5.%",    "1.5", "101%", "1e3",  "0x10",
    "five", "5 %", "1.2.3%", "+5",  "inf",  "nan%", "99999999999999999999"
  };
  struct ca_stop_limit limit;
  size_t i;

  for(i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    CHECK(ca_guard_limit_read(good[i].text, &limit));
    CHECK(limit.set && limit.value == good[i].value);
    CHECK_INT(limit.percent, good[i].percent);
  }
  for(i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    if(!CHECK(!ca_guard_limit_read(bad[i], &limit) && !limit.set))
      printf("  %s\n", bad[i]);
  CHECK(!ca_guard_limit_read(NULL, &limit));
}

static bool reached(const char *text, int64_t count, int64_t total)
{
  struct ca_stop_limit limit;
  CHECK(ca_guard_limit_read(text, &limit));
  return ca_guard_limit_reached(&limit, count, total);
}

static void stop_limits_are_reached(void)
{
  struct ca_stop_limit none = { .set = false };

  CHECK(!reached("5", 4, 1000));
  CHECK(reached("5", 5, 1000));
  CHECK(reached("5", 6, 0));
  CHECK(!reached("3%", 29, 1000));
  CHECK(reached("3%", 30, 1000));
  CHECK(!reached("0.5%", 0, 0)); /* by at least one */
  CHECK(reached("0.5%", 1, 0));
  CHECK(reached("4.35%", 87, 2000));
  CHECK(!reached("4.35%", 86, 2000));
  CHECK(reached("0.07%", 7, 10000)); /* which its product passes */
  CHECK(!ca_guard_limit_reached(&none, 100, 100));
}

int main(void)
{
  check_case("changes are counted", changes_are_counted);
  check_case("percents are exact", percents_are_exact);
  check_case("ACTIVE accounts are kept", active_accounts_are_kept);
  check_case("nothing is never refused", nothing_is_never_refused);
  check_case("stop limits are read", stop_limits_are_read);
  check_case("stop limits are reached", stop_limits_are_reached);
  return check_end();
}
