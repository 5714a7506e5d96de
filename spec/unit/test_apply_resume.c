/* Changes of a run that goes on, and fallbacks: what is sent again, what is
   only told, and how items end. Must not know: sockets, curl. */
#include "apply_rig.h"

static char item_told[512];

/* The change's first letter, or the last of "delete" and the like that share
   one: d disable, e enable, r refresh, x delete, v revoke. */
static char letter_of(const struct ca_api *api)
{
  static const char *const names[] = { "disable", "enable", "refresh",
                                       "delete", "revoke" };
  size_t i;
  for(i = 0; i < 5; i++)
    if(!strcmp(api->name, names[i]))
      return "derxv"[i];
  return '?';
}

static void visit_item(void *owner, const struct ca_applied *applied)
{
  size_t used = strlen(item_told);

  CHECK(owner == &item_told);
  /* who is told that it is done finds no failure in the result */
  if(applied->outcome == CA_DONE && applied->result)
    CHECK(!applied->result->err.code && applied->result->body.len > 0);
  snprintf(item_told + used, sizeof(item_told) - used, "%s%c %s%s%s",
           used ? ", " : "", letter_of(applied->row->change.api),
           ca_change_outcome_name(applied->outcome), applied->last ? "." : "",
           applied->last && applied->well ? " well" : "");
}

static enum ca_outcome state_of(char c)
{
  switch(c) {
  case '=':
    return CA_DONE;
  case ':':
    return CA_SAME;
  case '!':
    return CA_FAILED;
  case '.':
    return CA_SKIPPED;
  case '?':
    return CA_UNKNOWN;
  case '#':
    return CA_STALE;
  case '-':
    return CA_NOT_TRIED;
  case '*':
    return CA_INTENDED;
  default:
    return CA_PLANNED;
  }
}

/* "x! ~d-": a delete that failed and its fallback, a disable not tried. */
static void plan_story(const char *key, const char *story)
{
  static const char *const names[] = { "disable", "enable", "refresh",
                                       "delete", "revoke" };
  int64_t item = plan_item(1, key);

  while(*story) {
    struct ca_change change = { .account = key };
    enum ca_outcome outcome;
    int64_t number;

    story += strspn(story, " ");
    change.fallback = *story == '~';
    story += change.fallback;
    change.api = ca_api_find("connected_accounts",
                             names[strchr("derxv", *story) - "derxv"]);
    change.cost = change.api->cost;
    outcome = state_of(*++story);
    /* same is what a plan says; skipped, in these stories, what a fallback
       became, or a plan's word for others */
    if(outcome == CA_SAME || (outcome == CA_SKIPPED && !change.fallback))
      change.outcome = outcome;
    number = plan_any(item, &change);
    if(!change.outcome)
      was(number, outcome);
    story += strcspn(story, " ");
  }
}

/* Ends op n as the letter says. */
static void answer(size_t n, char how)
{
  switch(how) {
  case '+':
    well(n);
    break;
  case '-':
    reply(n, 400, "{\"error\":{\"message\":\"no\",\"code\":1}}", true);
    break;
  case '4':
    reply(n, 404, "{\"error\":{\"message\":\"gone\",\"code\":606}}", true);
    break;
  case 'k':
    reply(n, 401, "{\"error\":{\"message\":\"Invalid API key\"}}", true);
    break;
  case 'c':
    broken(n, CA_CANCELLED, false);
    break;
  case 'n':
    broken(n, CA_NETWORK, false);
    break;
  default:
    broken(n, CA_NETWORK, true);
  }
}

/* Answers all ops in turn: looks find all well, changes end as the letters
   say. */
static void play(const char *answers)
{
  size_t n = 0;

  fill();
  while(!ca_apply_finished(apply)) {
    if(!CHECK(n < sent_count))
      return;
    if(sent[n].reads)
      seen_as(n, "ACTIVE");
    else if(CHECK(*answers))
      answer(n, *answers++);
    else
      return;
    n++;
    fill();
  }
  CHECK_TEXT(answers, ""); /* what was to be sent was sent */
}

struct story {
  enum ca_apply_which which;
  const char *plan;
  const char *answers; /* of the changes that are sent, in order */
  const char *told;
  const char *ledger;
};

static void tell_story(const struct story *story)
{
  struct ca_apply_options options = {
    .bulk = 1, .concurrency = 4, .seen_ms = fake.mono_ms, .which = story->which
  };
  bool failed = check_case_failed;

  check_case_failed = false;
  start();
  item_told[0] = '\0';
  plan_story("ca_1", story->plan);
  CHECK_INT(ca_apply_start(apply, &options, visit_item, &item_told, &err),
            CA_OK);
  play(story->answers);
  CHECK_TEXT(item_told, story->told);
  CHECK_TEXT(ledger_says(), story->ledger);
  ca_apply_free(apply);
  apply = NULL;
  stop();
  if(check_case_failed)
    printf("    of %s\n", story->plan);
  check_case_failed = check_case_failed || failed;
}

#define TELL(stories)                                                         \
  do {                                                                        \
    size_t story_n;                                                           \
    for(story_n = 0; story_n < sizeof(stories) / sizeof(*stories); story_n++) \
      tell_story(&(stories)[story_n]);                                        \
  } while(0)

static void fallbacks_of_a_fresh_plan(void)
{
  static const struct story stories[] = {
    { CA_APPLY_PLANNED, "x ~d", "+", "x done, d skipped. well", "3 6" },
    { CA_APPLY_PLANNED, "x ~d", "-+", "x failed, d done. well", "5 3" },
    { CA_APPLY_PLANNED, "x ~d", "n+", "x failed, d done. well", "5 3" },
    { CA_APPLY_PLANNED, "x ~d", "--", "x failed, d failed.", "5 5" },
    { CA_APPLY_PLANNED, "x ~d", "-?", "x failed, d unknown.", "5 7" },
    { CA_APPLY_PLANNED, "x ~d", "?", "x unknown, d not tried.", "7 2" },
    { CA_APPLY_PLANNED, "x ~d", "k", "x not tried, d not tried.", "2 2" },
    { CA_APPLY_PLANNED, "x ~d e", "++", "x done, d skipped, e done. well",
      "3 6 3" },
    { CA_APPLY_PLANNED, "x ~d e", "-++", "x failed, d done, e done. well",
      "5 3 3" },
    { CA_APPLY_PLANNED, "x ~d e", "--", "x failed, d failed, e not tried.",
      "5 5 2" },
    { CA_APPLY_PLANNED, "x ~d ~e", "--+", "x failed, d failed, e done. well",
      "5 5 3" },
    { CA_APPLY_PLANNED, "x ~d ~e", "+", "x done, d skipped, e skipped. well",
      "3 6 6" },
    { CA_APPLY_PLANNED, "x ~d ~e", "-+", "x failed, d done, e skipped. well",
      "5 3 6" },
    { CA_APPLY_PLANNED, "d: ~e", "", "d same, e skipped. well", "4 6" },
    { CA_APPLY_PLANNED, "x ~d:", "-", "x failed, d same. well", "5 4" },
    { CA_APPLY_PLANNED, "x ~d:", "+", "x done, d skipped. well", "3 6" },
    { CA_APPLY_PLANNED, "x. d", "+", "x skipped, d done.", "6 3" }
  };
  TELL(stories);
}

static void what_is_open_goes_on(void)
{
  static const struct story stories[] = {
    { CA_APPLY_OPEN, "d e", "++", "d done, e done. well", "3 3" },
    { CA_APPLY_OPEN, "d= e-", "+", "d done, e done. well", "3 3" },
    { CA_APPLY_OPEN, "d= e=", "", "d done, e done. well", "3 3" },
    { CA_APPLY_OPEN, "d: e-", "+", "d same, e done. well", "4 3" },
    { CA_APPLY_OPEN, "d- e-", "+-", "d done, e failed.", "3 5" },
    { CA_APPLY_OPEN, "d! e-", "", "d failed, e not tried.", "5 2" },
    { CA_APPLY_OPEN, "d! e", "", "d failed, e not tried.", "5 2" },
    { CA_APPLY_OPEN, "d# e-", "", "d stale, e not tried.", "8 2" },
    { CA_APPLY_OPEN, "d. e-", "+", "d skipped, e done.", "6 3" }
  };
  TELL(stories);
}

static void unknown_is_repeated_where_it_may_be(void)
{
  static const struct story stories[] = {
    { CA_APPLY_OPEN, "d? e-", "++", "d done, e done. well", "3 3" },
    /* refused this time: the time before may have been carried out */
    { CA_APPLY_OPEN, "d? e-", "-", "d unknown, e not tried.", "7 2" },
    { CA_APPLY_OPEN, "d? e-", "?", "d unknown, e not tried.", "7 2" },
    /* this time it surely never left: the time before is as it was */
    { CA_APPLY_OPEN, "d? e-", "n", "d unknown, e not tried.", "7 2" },
    { CA_APPLY_OPEN, "d? e-", "c", "d unknown, e not tried.", "7 2" },
    { CA_APPLY_OPEN, "d- e-", "c", "d not tried, e not tried.", "2 2" },
    { CA_APPLY_OPEN, "v?", "+", "v done. well", "3" },
    { CA_APPLY_OPEN, "r? e-", "", "r unknown, e not tried.", "7 2" },
    { CA_APPLY_FAILED, "r? e-", "", "r unknown, e not tried.", "7 2" },
    /* gone, by the first of the two */
    { CA_APPLY_OPEN, "x?", "4", "x done. well", "3" },
    { CA_APPLY_OPEN, "x-", "4", "x failed.", "5" },
    { CA_APPLY_OPEN, "d?", "4", "d unknown.", "7" },
    { CA_APPLY_OPEN, "r* e-", "", "r intended, e not tried.", "1 2" }
  };
  TELL(stories);
}

static void fallbacks_of_a_run_that_goes_on(void)
{
  static const struct story stories[] = {
    { CA_APPLY_OPEN, "x! ~d-", "+", "x failed, d done. well", "5 3" },
    { CA_APPLY_OPEN, "x! ~d", "-", "x failed, d failed.", "5 5" },
    { CA_APPLY_OPEN, "x! ~d= e-", "+", "x failed, d done, e done. well",
      "5 3 3" },
    { CA_APPLY_OPEN, "x! ~d!", "", "x failed, d failed.", "5 5" },
    { CA_APPLY_OPEN, "x! ~d?", "+", "x failed, d done. well", "5 3" },
    { CA_APPLY_OPEN, "x! ~r?", "", "x failed, r unknown.", "5 7" },
    { CA_APPLY_OPEN, "x! ~d. e-", "", "x failed, d skipped, e not tried.",
      "5 6 2" },
    { CA_APPLY_OPEN, "x= ~d.", "", "x done, d skipped. well", "3 6" },
    { CA_APPLY_OPEN, "x= ~d- e-", "+", "x done, d skipped, e done. well",
      "3 6 3" },
    { CA_APPLY_OPEN, "x? ~d-", "+", "x done, d skipped. well", "3 6" },
    { CA_APPLY_OPEN, "x? ~d-", "-", "x unknown, d not tried.", "7 2" },
    { CA_APPLY_OPEN, "r? ~d-", "", "r unknown, d not tried.", "7 2" },
    { CA_APPLY_OPEN, "d# ~e-", "", "d stale, e not tried.", "8 2" }
  };
  TELL(stories);
}

static void failures_are_sent_again_when_asked_for(void)
{
  static const struct story stories[] = {
    { CA_APPLY_FAILED, "d! e-", "++", "d done, e done. well", "3 3" },
    { CA_APPLY_FAILED, "d= e! r-", "+-", "d done, e done, r failed.",
      "3 3 5" },
    { CA_APPLY_FAILED, "r!", "+", "r done. well", "3" },
    { CA_APPLY_FAILED, "d!", "k", "d not tried.", "2" },
    { CA_APPLY_FAILED, "d!", "?", "d unknown.", "7" },
    { CA_APPLY_FAILED, "d# e-", "", "d stale, e not tried.", "8 2" },
    { CA_APPLY_FAILED, "x! ~d-", "+", "x done, d skipped. well", "3 6" },
    { CA_APPLY_FAILED, "x! ~d-", "-+", "x failed, d done. well", "5 3" },
    { CA_APPLY_FAILED, "x! ~d!", "-+", "x failed, d done. well", "5 3" },
    { CA_APPLY_FAILED, "x! ~d!", "+", "x done, d skipped. well", "3 6" },
    /* what was not tried for the key's sake is tried now */
    { CA_APPLY_FAILED, "x! ~d.", "-+", "x failed, d done. well", "5 3" },
    /* made good already, or perhaps */
    { CA_APPLY_FAILED, "x! ~d= e-", "+", "x failed, d done, e done. well",
      "5 3 3" },
    { CA_APPLY_FAILED, "x! ~d?", "+", "x failed, d done. well", "5 3" },
    { CA_APPLY_FAILED, "x! ~r?", "", "x failed, r unknown.", "5 7" }
  };
  TELL(stories);
}

static void a_stale_main_change_leaves_its_fallback(void)
{
  static const struct story stories[] = {
    { CA_APPLY_FAILED, "x! ~d#", "+", "x done, d skipped. well", "3 6" },
    { CA_APPLY_OPEN, "x! ~d#", "", "x failed, d stale.", "5 8" }
  };
  TELL(stories);
}

/* What could not be sent was refused by nobody. */
static void no_fallback_for_lost_credentials(void)
{
  struct ca_change update = { .api =
                                  ca_api_find("connected_accounts", "update"),
                              .account = "ca_1",
                              .fingerprint = "00ff" };
  struct ca_change disable = { .api = ca_api_find("connected_accounts",
                                                  "disable"),
                               .account = "ca_1",
                               .fallback = true };
  int64_t item;

  start();
  item = plan_item(1, "ca_1");
  plan_any(item, &update);
  plan_any(item, &disable);
  begin(1, 4);
  fill();
  CHECK_INT(sent_count, 0);
  CHECK_TEXT(told, "ca_1 update failed unsent; "
                   "ca_1 disable skipped unsent last; ");
  CHECK_TEXT(ended_well, "");
  stop();
}

static void go_on_with(enum ca_apply_which which, int concurrency)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = concurrency,
                                      .which = which };
  CHECK_INT(start_with(&options), CA_OK);
}

/* Fresh intents and new ones, before any of them is sent. */
static void both_kinds_of_intents_in_one_group(void)
{
  int commits_before;

  start();
  plan_story("ca_1", "d");
  plan_story("ca_2", "d-");
  plan_story("ca_3", "d?");
  plan_story("ca_4", "d=");
  plan_story("ca_5", "d");
  go_on_with(CA_APPLY_OPEN, 8);
  fill();
  CHECK_INT(sent_count, 1);
  commits_before = commits;
  seen_as(0, "ACTIVE");
  CHECK_INT(sent_count, 1);
  fill();
  CHECK_INT(sent_count, 5);
  CHECK_INT(commits - commits_before, 2);
  CHECK_INT(intents(), 5);
  CHECK_TEXT(told, "ca_4 disable done unsent last; ");
  CHECK_TEXT(ended_well, "ca_4 ");
  well(1);
  well(2);
  well(3);
  well(4);
  CHECK_TEXT(ledger_says(), "3 3 3 3 3");
  stop();
}

/* With a new intent, not yet sent: unknown ones stay unknown. */
static void stopped_before_it_was_sent_again(void)
{
  start();
  plan_story("ca_1", "d-");
  plan_story("ca_2", "d? e-");
  plan_story("ca_3", "d! e-");
  plan_story("ca_4", "d-");
  go_on_with(CA_APPLY_FAILED, 1);
  fill();
  seen_as(0, "ACTIVE");
  fill();
  CHECK_INT(sent_count, 2);
  CHECK_INT(intents(), 4);
  ca_apply_stop(apply);
  CHECK_TEXT(told, "ca_2 disable unknown unsent; "
                   "ca_2 enable not tried unsent last; "
                   "ca_3 disable not tried unsent; "
                   "ca_3 enable not tried unsent last; "
                   "ca_4 disable not tried unsent last; ");
  well(1);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 7 2 2 2 2");
  stop();
}

static void abandoned_before_it_left_again(void)
{
  start();
  plan_story("ca_1", "d? e-");
  go_on_with(CA_APPLY_OPEN, 1);
  fill();
  seen_as(0, "ACTIVE");
  fill();
  cancel_says_left = false;
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  CHECK_TEXT(told, "ca_1 disable unknown unsent; "
                   "ca_1 enable not tried unsent last; ");
  CHECK_TEXT(ledger_says(), "7 2");
  stop();
}

/* The item's earlier changes were told, so its end is told, too. */
static void stopped_after_some_were_told(void)
{
  start();
  plan_story("ca_1", "d= e-");
  plan_story("ca_2", "d-");
  go_on_with(CA_APPLY_OPEN, 8);
  fill();
  ca_apply_stop(apply);
  CHECK_TEXT(told, "ca_1 disable done unsent; "
                   "ca_1 enable not tried unsent last; ");
  CHECK_INT(live_count(), 0);
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 2 2");
  stop();
}

static void a_run_that_died_goes_on(void)
{
  struct ca_bulk bulk = { .number = 1, .selected = 3, .planned = 4 };

  start();
  plan_items(1, 3, "de");
  CHECK_INT(ca_plan_rows_seal(ledger, &bulk, &err), CA_OK);
  begin(1, 1);
  fill();
  well(0);
  fill(); /* the next item's first change is under way, and so it dies */
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  ca_apply_free(apply);
  ca_ledger_close(ledger);
  engine_stop();
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  CHECK(ledger && !ca_run_reopen(ledger, run_id, "me", "here", &err));
  apply = ca_apply_new(FAKE_ENGINE, FAKE_ENDPOINT, ledger, &err);
  told[0] = '\0';
  sent_count = 0;
  go_on_with(CA_APPLY_OPEN, 1);
  fill();
  CHECK_INT(sent_count, 1);
  seen_as(0, "ACTIVE");
  while(!ca_apply_finished(apply)) {
    fill();
    if(!CHECK(live_count() == 1))
      break;
    CHECK(!sent[sent_count - 1].reads);
    well(sent_count - 1);
  }
  CHECK_INT(sent_count, 6); /* one look, and what was not done */
  CHECK_TEXT(ledger_says(), "3 3 3 3 3 3");
  CHECK_TEXT(ended_well, "ca_1 ca_2 ca_3 ");
  stop();
}

/* Pauses. */

static void begin_paused(enum ca_apply_which which, int64_t items)
{
  struct ca_apply_options options = { .bulk = 1,
                                      .concurrency = 8,
                                      .seen_ms = fake.mono_ms,
                                      .which = which,
                                      .items = items };
  CHECK_INT(start_with(&options), CA_OK);
}

static void pauses_after_the_first_items(void)
{
  struct ca_apply_options options = { .concurrency = 8, .items = 1 };
  size_t n;

  start();
  plan_items(1, 10, "de");
  plan_items(2, 3, "r");
  begin_paused(CA_APPLY_PLANNED, 2);
  CHECK(!ca_apply_paused(apply));
  fill();
  CHECK_INT(sent_count, 2);
  well(0);
  fill();
  well(2);
  well(1);
  CHECK(!ca_apply_paused(apply)); /* the second has another change */
  fill();
  well(3);
  fill();
  CHECK_INT(sent_count, 4);
  CHECK(ca_apply_paused(apply));
  CHECK(!ca_apply_finished(apply));
  CHECK_TEXT(ended_well, "ca_1 ca_2 ");
  CHECK_INT(scratch_count("ledger.db", "SELECT count(*) FROM outcome"), 4);
  ca_apply_go_on(apply);
  CHECK(!ca_apply_paused(apply));
  fill();
  CHECK_INT(sent_count, 12);
  CHECK_TEXT(sent[4].request.id, "ca_3");
  for(n = 4; !ca_apply_finished(apply) && n < sent_count; n++) {
    well(n);
    fill();
  }
  CHECK_INT(sent_count, 20);
  options.bulk = 2; /* counts for itself */
  options.seen_ms = fake.mono_ms;
  CHECK_INT(start_with(&options), CA_OK);
  fill();
  CHECK_INT(sent_count, 21);
  well(20);
  CHECK(ca_apply_paused(apply));
  CHECK_INT(ca_apply_abandon(apply, &err), CA_OK);
  stop();
}

static void no_pause_at_the_end(void)
{
  start();
  plan_items(1, 2, "d");
  begin_paused(CA_APPLY_PLANNED, 2);
  run_out();
  CHECK(ca_apply_finished(apply));
  CHECK(!ca_apply_paused(apply));
  stop();
}

static void stopped_in_a_pause(void)
{
  start();
  plan_items(1, 3, "d");
  begin_paused(CA_APPLY_PLANNED, 1);
  fill();
  well(0);
  CHECK(ca_apply_paused(apply));
  ca_apply_stop(apply);
  CHECK(!ca_apply_paused(apply));
  CHECK(ca_apply_finished(apply));
  CHECK_TEXT(ledger_says(), "3 0 0");
  stop();
}

/* Only those of which something is sent count. */
static void decided_items_are_no_canaries(void)
{
  start();
  plan_story("ca_1", "d:");
  plan_story("ca_2", "d=");
  plan_story("ca_3", "d-");
  plan_story("ca_4", "d:");
  plan_story("ca_5", "d-");
  begin_paused(CA_APPLY_OPEN, 1);
  fill();
  CHECK_TEXT(target_of(0), "/api/v3.1/connected_accounts?"
                           "connected_account_ids=ca_3&account_type=ALL&"
                           "limit=100");
  CHECK(!ca_apply_paused(apply));
  reply(0, 200, "{\"items\":[]}", true);
  reply(1, 404, "{\"error\":{\"message\":\"gone\",\"code\":606}}", true);
  CHECK(!ca_apply_paused(apply)); /* it was stale: the next one is */
  fill();
  seen_as(2, "ACTIVE");
  CHECK(!ca_apply_paused(apply));
  fill();
  well(3);
  CHECK_TEXT(ended_well, "ca_1 ca_2 ca_4 ca_5 ");
  CHECK_TEXT(ledger_says(), "4 3 8 4 3");
  fill();
  CHECK(ca_apply_finished(apply));
  stop();
}

int main(void)
{
  check_case("fallbacks of a fresh plan", fallbacks_of_a_fresh_plan);
  check_case("what is open goes on", what_is_open_goes_on);
  check_case("unknown is repeated where it may be",
             unknown_is_repeated_where_it_may_be);
  check_case("fallbacks of a run that goes on",
             fallbacks_of_a_run_that_goes_on);
  check_case("failures are sent again when asked for",
             failures_are_sent_again_when_asked_for);
  check_case("a stale main change leaves its fallback",
             a_stale_main_change_leaves_its_fallback);
  check_case("no fallback for lost credentials",
             no_fallback_for_lost_credentials);
  check_case("both kinds of intents in one group",
             both_kinds_of_intents_in_one_group);
  check_case("stopped before it was sent again",
             stopped_before_it_was_sent_again);
  check_case("abandoned before it left again", abandoned_before_it_left_again);
  check_case("stopped after some were told", stopped_after_some_were_told);
  check_case("a run that died goes on", a_run_that_died_goes_on);
  check_case("pauses after the first items", pauses_after_the_first_items);
  check_case("no pause at the end", no_pause_at_the_end);
  check_case("stopped in a pause", stopped_in_a_pause);
  check_case("decided items are no canaries", decided_items_are_no_canaries);
  return check_end();
}
