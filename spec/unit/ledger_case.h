/* What the tests of the ledger share: one open ledger in a directory of its
   own, a run in it, short words for filling it and for what it says.
   Must not know: what is tested. */
#ifndef LEDGER_CASE_H
#define LEDGER_CASE_H

#include <sys/wait.h>
#include "check.h"
#include "fake_clock.h"
#include "ledger/ledger_private.h"
#include "scratch.h"

static struct fake_clock fake;
static struct ca_err err;
static struct ca_ledger *ledger;
static char run_id[96];

static inline const struct ca_api *op(const char *name)
{
  return ca_api_find("connected_accounts", name);
}

static inline void open_ledger(void)
{
  ca_err_clear(&err);
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  if(!CHECK(ledger != NULL)) {
    printf("  %s\n", err.text);
    exit(1);
  }
}

static inline void begin_run(const char *mode)
{
  struct ca_run_info info = { .script = "scripts/refresh_expired.lua",
                              .script_sha = "abc",
                              .word = "refresh_expired",
                              .cwd = "/srv/jobs",
                              .params = "{\"days\":90}",
                              .options = "{}",
                              .mode = mode,
                              .who = "kim",
                              .host = "box",
                              .project = "0123456789abcdef",
                              .base_url = "https://h",
                              .version = "0.1.0" };
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err), CA_OK);
}

static inline void start(const char *mode)
{
  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  begin_run(mode);
}

static inline void stop(void)
{
  ca_ledger_close(ledger);
  ledger = NULL;
  scratch_remove();
}

static inline int64_t add_item(int bulk, const char *key)
{
  struct ca_item item = {
    .bulk = bulk, .key = key, .account = key, .user = "u", .status = "ACTIVE"
  };
  int64_t number = -1;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

static inline int64_t add_change(int64_t item, const char *operation,
                                 const char *account, enum ca_outcome outcome)
{
  struct ca_change change = { .api = op(operation),
                              .account = account,
                              .cost = CA_REVERSIBLE,
                              .outcome = outcome };
  int64_t number = -1;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
            CA_OK);
  return number;
}

/* An item with one change of its own account. */
static inline int64_t add_both(int bulk, const char *key,
                               const char *operation)
{
  return add_change(add_item(bulk, key), operation, key, CA_PLANNED);
}

static inline enum ca_code intend(int64_t change)
{
  return ca_outcome_intend(ledger, &change, 1, &err);
}

static inline enum ca_code settle(int64_t change, enum ca_outcome outcome)
{
  return ca_outcome_record(ledger, change, outcome, 1, "req-1", "INACTIVE",
                           NULL, NULL, &err);
}

/* The changes of a bulk (-1: of all) with these outcomes, as one text: "key
   operation outcome; …". */
static inline const char *changes(int bulk, unsigned outcomes)
{
  static char text[2048];
  struct ca_changes cursor;
  const struct ca_change_row *row = NULL;
  size_t used = 0;

  text[0] = '\0';
  ca_changes_open(&cursor, ledger, bulk, outcomes);
  while(CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK) && row &&
        used < sizeof(text))
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %s; ",
                             row->key, row->change.api->name,
                             ca_change_outcome_name(row->outcome));
  ca_changes_close(&cursor);
  return text;
}

/* The change of that number, which has to be there; its texts are valid until
   the next call. */
static inline const struct ca_change_row *change_row(int64_t number)
{
  static struct ca_changes cursor;
  const struct ca_change_row *row = NULL;

  ca_changes_close(&cursor);
  ca_changes_open_one(&cursor, ledger, number);
  CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK);
  if(!CHECK(row != NULL))
    exit(1);
  return row;
}

static inline void add_counts(char *text, const char *operation,
                              const int64_t counts[CA_OUTCOME_COUNT])
{
  int i;
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(counts[i]) {
      size_t used = strlen(text);
      snprintf(text + used, 2048 - used, "%s %s %lld; ", operation,
               ca_change_outcome_name((enum ca_outcome)i),
               (long long)counts[i]);
    }
}

static inline const char *counts(int bulk)
{
  static char text[2048];
  struct ca_counts counts;
  size_t i;
  text[0] = '\0';
  CHECK_INT(ca_count_outcomes(ledger, bulk, &counts, &err), CA_OK);
  for(i = 0; i < counts.operation_count; i++)
    add_counts(text, counts.operations[i].name, counts.operations[i].changes);
  add_counts(text, "items", counts.items);
  return text;
}

static inline long long ask(const char *sql)
{
  return scratch_count("ledger.db", sql);
}

#define INTENTS  "SELECT count(*) FROM intent"
#define OUTCOMES "SELECT count(*) FROM outcome"
#define ITEMS    "SELECT count(*) FROM item"

/* Runs it in a process of its own, which has to return 0. */
static inline void in_child(int (*run)(void))
{
  int status = -1;
  pid_t child = fork();

  if(!child) {
    int code = run();
    fflush(stdout);
    _exit(code);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
}

#endif
