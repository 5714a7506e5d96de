/* Settling over the ledger and the fake engine of the apply rig, and what its
   visitor was told. Must not know: sockets, curl. */
#ifndef SETTLE_RIG_H
#define SETTLE_RIG_H

#include "apply_rig.h"
#include "apply/settle.h"

#define ACCOUNTS  "/api/v3.1/connected_accounts"
#define NOT_FOUND "{\"error\":{\"message\":\"not found\",\"code\":606}}"
#define NO_CONFIG                                   \
  "{\"error\":{\"message\":\"not found\",\"slug\":" \
  "\"AuthConfig_ResourceNotFound\"}}"
#define QUIET_MS 15000
/* The moment of the intents, as the service writes it. */
#define SENT_AT "2026-11-22T06:00:15.000Z"

static struct ca_settle *settle;
static char settled[8192];
static int64_t settle_wait_ms = 300000;
static ca_settle_final_fn *settle_is_final;
static int64_t settle_since_ms; /* how long ago the last request was lost */
/* What is known when the next change is sent. */
static struct ca_sent sent_with = { .service_ms = INT64_C(1795327215000) };
static bool stop_settle_in_visit;

static inline void visit_settled(void *owner, const struct ca_settled *one)
{
  size_t used = strlen(settled);

  CHECK(owner == &settled);
  snprintf(settled + used, sizeof(settled) - used, "%s %s %s%s%s; ",
           one->row->key, one->row->change.api->name,
           ca_change_outcome_name(one->outcome), *one->text ? ": " : "",
           one->text);
  if(stop_settle_in_visit)
    ca_settle_stop(settle);
}

static inline void begin_settle(int concurrency, enum ca_outcome not_done)
{
  struct ca_settle_options options = { .bulk = -1,
                                       .concurrency = concurrency,
                                       .not_done = not_done,
                                       .not_yet = CA_UNKNOWN,
                                       .is_final = settle_is_final,
                                       .quiet_ms = QUIET_MS,
                                       .last_sent_ms =
                                           fake.mono_ms - settle_since_ms,
                                       .wait_ms = settle_wait_ms };
  settled[0] = '\0';
  stop_settle_in_visit = false;
  settle = ca_settle_new(FAKE_ENGINE, FAKE_ENDPOINT, ledger, &options,
                         visit_settled, &settled, &err);
  CHECK(settle != NULL);
}

static inline void fill_settle(void)
{
  CHECK_INT(ca_settle_fill(settle, &err), CA_OK);
}

static inline void stop_settle(void)
{
  ca_settle_free(settle);
  settle = NULL;
  stop();
}

/* An item with one change whose outcome is unknown. */
static inline int64_t plan_unknown(const char *key,
                                   const struct ca_change *change,
                                   const char *status)
{
  int64_t number =
      plan_any(plan_seen(1, key, status ? status : "", NULL), change);
  was(number, CA_UNKNOWN);
  return number;
}

static inline void plan_plain(const char *resource, const char *operation,
                              const char *id, const char *status)
{
  struct ca_change change = { .api = ca_api_find(resource, operation),
                              .account = id,
                              .before = status };
  plan_unknown(id, &change, status);
}

static inline void plan_refresh(void)
{
  struct ca_change change = { .api =
                                  ca_api_find("connected_accounts", "refresh"),
                              .account = "ca_1",
                              .before = "EXPIRED" };
  int64_t number;

  start();
  number = plan_any(plan_seen(1, "ca_1", "EXPIRED", NULL), &change);
  if(sent_with.service_ms)
    CHECK_INT(ca_outcome_note_sent(ledger, number, &sent_with, &err), CA_OK);
  was(number, CA_UNKNOWN);
  begin_settle(4, CA_FAILED);
}

static inline void refreshed(size_t n, const char *status, const char *updated)
{
  char body[256];
  snprintf(body, sizeof(body),
           "{\"id\":\"ca_1\",\"status\":\"%s\",\"updated_at\":\"%s\"}", status,
           updated);
  reply(n, 200, body, true);
}

static inline int64_t plan_create(const char *key, const char *user)
{
  struct ca_change change = { .api = ca_api_find("connected_accounts", "link"),
                              .account = "",
                              .user = user,
                              .config = "ac_1",
                              .body = "{}" };
  struct ca_item row = { .bulk = 1, .key = key };
  int64_t item = 0;
  int64_t number;

  CHECK_INT(ca_plan_rows_add_item(ledger, &row, &item, &err), CA_OK);
  number = plan_any(item, &change);
  CHECK_INT(ca_outcome_note_sent(ledger, number, &sent_with, &err), CA_OK);
  was(number, CA_UNKNOWN);
  return number;
}

#define ACCOUNT(id, user, created)                       \
  "{\"id\":\"" id "\",\"user_id\":\"" user               \
  "\",\"status\":\"INITIATED\",\"auth_config\":{\"id\":" \
  "\"ac_1\"},\"created_at\":\"2026-11-22T06:00:" created "Z\"}"
#define PAGE(items, cursor) \
  "{\"items\":[" items "],\"next_cursor\":" cursor "}"

#endif
