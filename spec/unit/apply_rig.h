/* A ledger with a plan, an apply over it and the fake engine, and what the
   visitor was told. Must not know: sockets, curl. */
#ifndef APPLY_RIG_H
#define APPLY_RIG_H

#include "apply/apply.h"
#include "fake_engine.h"
#include "ledger/ledger_private.h"
#include "scratch.h"
#include "base/secret.h"

static struct ca_ledger *ledger;
static struct ca_apply *apply;
static struct ca_err err;
static int commits;
static char run_id[96];

static inline bool intent_is_durable(const struct ca_request *request)
{
  char sql[512];

  snprintf(sql, sizeof(sql),
           "SELECT count(*) FROM intent n JOIN change c ON c.id = n.id"
           " JOIN item i ON i.id = c.id >> 15"
           " JOIN operation o ON o.id = c.operation"
           " WHERE o.name = 'connected_accounts.%s'"
           " AND coalesce(c.account, i.key) = '%s'",
           request->api->name, request->id);
  return scratch_count("ledger.db", sql) == 1;
}

/* For all to see, before anything is sent. */
static inline void check_intent(const struct ca_request *request)
{
  CHECK(intent_is_durable(request));
}

/* What visit was told: "key operation outcome[ last]; …"; and the keys of the
   items that ended well. */
static char told[65536];
static char told_why[400]; /* the last one that was not sent */
static char ended_well[65536];
static bool stop_in_visit;

static inline void visit(void *owner, const struct ca_applied *applied)
{
  size_t used = strlen(told);

  CHECK(owner == &told);
  CHECK(!applied->result || !applied->why);
  if(applied->why)
    ca_err_copy_text(told_why, sizeof(told_why), applied->why->text,
                     strlen(applied->why->text));
  if(used < sizeof(told) - 200)
    snprintf(told + used, sizeof(told) - used, "%s %s %s%s%s; ",
             applied->row->key, applied->row->change.api->name,
             ca_change_outcome_name(applied->outcome),
             applied->result ? "" : " unsent", applied->last ? " last" : "");
  used = strlen(ended_well);
  if(applied->last && applied->well && used < sizeof(ended_well) - 200)
    snprintf(ended_well + used, sizeof(ended_well) - used, "%s ",
             applied->row->key);
  if(stop_in_visit)
    ca_apply_stop(apply);
}

static inline int count_commit(void *ctx)
{
  (void)ctx;
  commits++;
  return 0;
}

static inline void start(void)
{
  struct ca_run_info info = { .script = "a.lua", .mode = "apply" };

  engine_start();
  scratch_make();
  ca_err_clear(&err);
  check_sent = check_intent;
  told[0] = '\0';
  told_why[0] = '\0';
  ended_well[0] = '\0';
  stop_in_visit = false;
  ledger = ca_ledger_open(scratch_dir, &fake.clock, &err);
  CHECK(ledger && !ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err));
  apply = ca_apply_new(FAKE_ENGINE, FAKE_ENDPOINT, ledger, &err);
  CHECK(apply != NULL);
  sqlite3_commit_hook(ledger->db, count_commit, NULL);
}

static inline void stop(void)
{
  ca_apply_free(apply);
  ca_ledger_close(ledger);
  engine_stop();
  CHECK_INT(ca_secret_count(), 0);
  scratch_remove();
}

static inline int64_t plan_item(int bulk, const char *key)
{
  struct ca_item item = { .bulk = bulk, .key = key, .account = key };
  int64_t number = 0;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

/* The same with what the plan saw of it. */
static inline int64_t plan_seen(int bulk, const char *key, const char *status,
                                const char *alias)
{
  struct ca_item item = { .bulk = bulk,
                          .key = key,
                          .account = key,
                          .status = status,
                          .alias = alias,
                          .updated_ms = 1795327000000 };
  int64_t number = 0;
  if(!strcmp(status, "INACTIVE"))
    item.flags = CA_ITEM_DISABLED;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

static inline int64_t plan_any(int64_t item, const struct ca_change *change)
{
  int64_t number = 0;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, change, &number, &err),
            CA_OK);
  return number;
}

static inline int64_t plan_change(int64_t item, const char *operation,
                                  const char *account, enum ca_outcome outcome)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", operation),
                              .account = account,
                              .outcome = outcome };
  return plan_any(item, &change);
}

/* A link for a user, without an account yet. */
static inline void plan_link(const char *key, const char *user,
                             const char *before_image)
{
  struct ca_change change = { .api = ca_api_find("connected_accounts", "link"),
                              .account = "",
                              .user = user,
                              .config = "ac_1",
                              .body = "{}",
                              .before_image = before_image };
  struct ca_item row = { .bulk = 1, .key = key };
  int64_t item = 0;

  CHECK_INT(ca_plan_rows_add_item(ledger, &row, &item, &err), CA_OK);
  plan_any(item, &change);
}

/* Gives a planned change an outcome of an earlier part of the run. */
static inline void was(int64_t change, enum ca_outcome outcome)
{
  struct ca_err cause;

  ca_err_clear(&cause);
  if(outcome == CA_DONE || outcome == CA_FAILED || outcome == CA_UNKNOWN ||
     outcome == CA_INTENDED)
    CHECK_INT(ca_outcome_intend(ledger, &change, 1, &err), CA_OK);
  if(outcome != CA_DONE)
    ca_err_set(&cause, CA_HTTP, "earlier");
  if(outcome != CA_PLANNED && outcome != CA_INTENDED)
    CHECK_INT(ca_outcome_record(ledger, change, outcome, 1, "req-0", NULL,
                                NULL, outcome == CA_DONE ? NULL : &cause,
                                &err),
              CA_OK);
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
}

/* One item per word of operations' first letters: "de" is disable, enable.
   Capitals are same, a dot before is skipped. */
static inline void plan_items(int bulk, int count, const char *operations)
{
  int i;

  for(i = 1; i <= count; i++) {
    char key[16];
    int64_t item;
    const char *letter;
    snprintf(key, sizeof(key), "ca_%d", i);
    item = plan_item(bulk, key);
    for(letter = operations; *letter; letter++) {
      bool skipped = *letter == '.';
      char c = skipped ? *++letter : *letter;
      const char *name = strchr("dD", c)   ? "disable"
                         : strchr("eE", c) ? "enable"
                         : strchr("rR", c) ? "refresh"
                                           : "delete";
      plan_change(item, name, key,
                  skipped                ? CA_SKIPPED
                  : c >= 'A' && c <= 'Z' ? CA_SAME
                                         : CA_PLANNED);
    }
  }
}

static inline enum ca_code start_with(const struct ca_apply_options *options)
{
  return ca_apply_start(apply, options, visit, &told, &err);
}

static inline enum ca_code start_bulk(int bulk, int concurrency)
{
  struct ca_apply_options options = { .bulk = bulk,
                                      .concurrency = concurrency,
                                      .seen_ms = fake.mono_ms };
  return start_with(&options);
}

static inline void begin(int bulk, int concurrency)
{
  CHECK_INT(start_bulk(bulk, concurrency), CA_OK);
}

static inline void fill(void)
{
  CHECK_INT(ca_apply_fill(apply, &err), CA_OK);
}

/* Answers all until nothing is left. */
static inline void run_out(void)
{
  size_t n = 0;

  fill();
  while(!ca_apply_finished(apply)) {
    if(!CHECK(n < sent_count))
      return;
    well(n++);
    fill();
  }
}

static inline const char *ledger_says(void)
{
  static char text[4096];
  text[0] = '\0';
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  snprintf(text, sizeof(text), "%s",
           scratch_ask("ledger.db",
                       "SELECT group_concat(x, ' ') FROM (SELECT"
                       " coalesce(o.outcome, CASE WHEN n.id THEN 1"
                       " ELSE c.outcome END) x FROM change c"
                       " LEFT JOIN outcome o USING(id)"
                       " LEFT JOIN intent n USING(id) ORDER BY c.id)"));
  return text;
}

static inline long long intents(void)
{
  return scratch_count("ledger.db", "SELECT count(*) FROM intent");
}

/* Answers to looks. An account as the service shows it: */
static inline void put_account(char *to, size_t size, const char *id,
                               const char *status, const char *alias)
{
  size_t used = strlen(to);
  snprintf(to + used, size - used,
           "%s{\"id\":\"%s\",\"toolkit\":{\"slug\":\"github\"},"
           "\"auth_config\":{\"id\":\"ac_1\",\"is_disabled\":true},"
           "\"user_id\":\"u,1\",\"alias\":%s%s%s,\"status\":\"%s\","
           "\"is_disabled\":%s,\"created_at\":\"2026-11-22T05:00:00.000Z\","
           "\"updated_at\":\"2026-11-22T06:00:00.000Z\",\"state\":"
           "{\"val\":{\"status\":\"OTHER\",\"x\":[1,{\"id\":\"no\"}]}}}",
           used && to[used - 1] == '}' ? "," : "", id, alias ? "\"" : "",
           alias ? alias : "null", alias ? "\"" : "", status,
           strcmp(status, "INACTIVE") ? "false" : "true");
}

/* A page with one account. */
static inline const char *page_of(const char *id, const char *status,
                                  const char *alias)
{
  static char body[2048];
  size_t used;

  snprintf(body, sizeof(body), "{\"items\":[");
  put_account(body, sizeof(body), id, status, alias);
  used = strlen(body);
  snprintf(body + used, sizeof(body) - used, "]}");
  return body;
}

/* The ids that op n lists. */
static inline size_t listed_ids(size_t n, char ids[][32], size_t max)
{
  static const char name[] = "connected_account_ids=";
  const char *at = strstr(target_of(n), name);
  size_t count = 0;

  at = at ? at + sizeof(name) - 1 : "";
  while(*at && *at != '&' && count < max) {
    size_t len = strcspn(at, "%&");
    snprintf(ids[count++], 32, "%.*s", (int)len, at);
    at += len;
    if(!strncmp(at, "%2C", 3))
      at += 3;
  }
  return count;
}

/* Answers look n: all that it asks for is there and is so. */
static inline void seen_as(size_t n, const char *status)
{
  static char body[100000];
  char ids[100][32];
  size_t count = listed_ids(n, ids, 100);
  size_t i;

  body[0] = '\0';
  if(!count) {
    put_account(body, sizeof(body), sent[n].request.id, status, NULL);
    reply(n, 200, body, true);
    return;
  }
  snprintf(body, sizeof(body), "{\"items\":[");
  for(i = 0; i < count; i++)
    put_account(body, sizeof(body), ids[i], status, NULL);
  i = strlen(body);
  snprintf(body + i, sizeof(body) - i, "],\"next_cursor\":null}");
  reply(n, 200, body, true);
}

/* Another process holds the write lock. */
static inline void hold_lock(sqlite3 **other)
{
  CHECK_INT(ca_ledger_sync(ledger, &err), CA_OK);
  CHECK(!sqlite3_open(scratch_path("ledger.db"), other));
  CHECK(!sqlite3_exec(*other, "BEGIN IMMEDIATE", NULL, NULL, NULL));
  sqlite3_busy_timeout(ledger->db, 1);
}

#endif
