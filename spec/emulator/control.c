/* /_emulator/: what a spec may see and bring about.
   It must not know the API's operations. */
#include "control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "disk.h"
#include "fault.h"
#include "render.h"
#include "reply.h"
#include "seed.h"

#define LINES "application/x-ndjson; charset=utf-8"

static uint64_t since_of(const struct emu_call *call)
{
  const char *text = emu_call_param(call, "since");
  return text ? strtoull(text, NULL, 10) : 0;
}

static void get_requests(struct emu *emu, struct emu_call *call)
{
  struct emu_buf *out = emu_reply_start(call, 200);
  call->type = LINES;
  emu_journal_requests(&emu->journal, out, since_of(call));
}

static void delete_requests(struct emu *emu, struct emu_call *call)
{
  emu_journal_forget(&emu->journal);
  emu_reply_success(call);
}

static void get_changes(struct emu *emu, struct emu_call *call)
{
  struct emu_buf *out = emu_reply_start(call, 200);
  call->type = LINES;
  emu_journal_changes(&emu->journal, &emu->store, out, since_of(call));
}

static void get_stats(struct emu *emu, struct emu_call *call)
{
  const struct emu_store *store = &emu->store;
  size_t counts[EMU_STATUSES] = { 0 };
  size_t shared = 0;
  for(size_t i = 0; i < store->accounts; i++) {
    if(store->hot[i].gone)
      continue;
    counts[store->hot[i].class_id / 2]++;
    shared += store->hot[i].class_id & 1;
  }
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_format(
      out,
      "{\"accounts\":%zu,\"deleted\":%zu,\"shared\":%zu,"
      "\"auth_configs\":%zu,\"requests\":%" PRIu64
      ",\"changes\":%zu,\"statuses\":{",
      store->by_created.live, store->accounts - store->by_created.live, shared,
      store->config_count, emu->journal.last_seq, emu->journal.change_count);
  for(int i = 0; i < EMU_STATUSES; i++)
    if(i != EMU_PAUSED || counts[i])
      emu_buf_format(out, "%s\"%s\":%zu", i ? "," : "",
                     emu_status_name((enum emu_status)i), counts[i]);
  emu_buf_text(out, "}}");
}

static void get_clock(struct emu *emu, struct emu_call *call)
{
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"now\":");
  emu_buf_time(out, emu_clock_now(&emu->clock));
  emu_buf_format(out, ",\"advanced_seconds\":%.3f}",
                 (double)emu->clock.advanced_ms / 1000);
}

static void advance(struct emu *emu, struct emu_call *call)
{
  if(!emu_reply_want_body(call, false))
    return;
  const json_t *value = json_object_get(call->json, "seconds");
  double seconds = json_number_value(value);
  if(!json_is_number(value) || seconds < 0 || seconds > 1e10) {
    emu_reply_invalid(call, "seconds: Expected a number of at least 0");
    return;
  }
  emu_clock_advance(&emu->clock, (int64_t)(seconds * 1000));
  emu_account_sweep(emu);
  get_clock(emu, call);
}

static void reset(struct emu *emu, struct emu_call *call)
{
  emu_disk_wipe(emu);
  bool keep = emu->store.keep;
  emu_store_clear(&emu->store);
  emu_store_init(&emu->store);
  emu->store.keep = keep;
  emu->journal.change_count = 0;
  emu_journal_forget(&emu->journal);
  emu_faults_clear(emu->faults);
  emu_leases_clear(&emu->leases);
  emu_clock_init(&emu->clock);
  emu->limit.used = 0;
  emu->limit.window_start_ms = 0;
  emu_seed(emu);
  emu->random = emu_random_for(emu->options.seed,
                               ((uint64_t)1 << 40) + emu->store.accounts);
  emu->request_ids = emu_random_for(emu->options.seed, 0x7e9);
  emu_reply_success(call);
}

static void get_faults(struct emu *emu, struct emu_call *call)
{
  emu_faults_write(emu->faults, emu_reply_start(call, 200));
}

static void add_faults(struct emu *emu, struct emu_call *call)
{
  json_error_t error;
  json_t *rules = json_loadb(call->body.size ? call->body.bytes : "",
                             call->body.size, 0, &error);
  char *problem =
      rules ? emu_faults_add(emu->faults, rules) : emu_copy(error.text);
  json_decref(rules);
  if(problem)
    emu_reply_invalid(call, "%s", problem);
  else
    get_faults(emu, call);
  free(problem);
}

static void delete_faults(struct emu *emu, struct emu_call *call)
{
  emu_faults_clear(emu->faults);
  emu_reply_success(call);
}

/* The account as it truly is: unmasked, deleted ones too. */
static void show(struct emu *emu, struct emu_call *call,
                 const struct emu_account *account)
{
  struct emu_render how = { .mask = EMU_MASK_RAW, .whole = true };
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_render_account(emu, out, account, &how);
  out->size--; /* the closing brace */
  emu_buf_text(out, account->flags & EMU_DELETED ? ",\"deleted\":true}"
                                                 : ",\"deleted\":false}");
}

/* 2026-01-31T12:00:00.000Z, the fraction optional. */
static bool parse_time(const char *text, int64_t *time_ms)
{
  struct tm date = { 0 };
  const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &date);
  int fraction = 0;
  if(rest && *rest == '.') {
    char *end = NULL;
    fraction = (int)(strtod(rest, &end) * 1000 + 0.5);
    rest = end;
  }
  if(!rest || strcmp(rest, "Z") != 0)
    return false;
  *time_ms = (int64_t)timegm(&date) * 1000 + fraction;
  return true;
}

static bool status_of(struct emu_call *call, enum emu_status *status)
{
  const json_t *value = json_object_get(call->json, "status");
  const char *name = json_string_value(value);
  if(!value)
    return true;
  *status = name ? emu_status_parse(name) : EMU_STATUSES;
  if(name && !strcmp(name, "PAUSED"))
    *status = EMU_PAUSED;
  if(*status != EMU_STATUSES)
    return true;
  emu_reply_invalid(call, "status: Invalid enum value");
  return false;
}

static void set(struct emu *emu, struct emu_call *call,
                struct emu_account *account)
{
  enum emu_status before = (enum emu_status)account->status;
  enum emu_status status = before;
  int64_t now_ms = emu_clock_now(&emu->clock);
  if(!emu_reply_want_body(call, false) || !status_of(call, &status))
    return;
  const json_t *reason = json_object_get(call->json, "status_reason");
  const json_t *updated = json_object_get(call->json, "updated_at");
  const json_t *refreshable = json_object_get(call->json, "refreshable");
  if((refreshable && !json_is_boolean(refreshable)) ||
     (reason && !json_is_string(reason) && !json_is_null(reason)) ||
     (updated && (!json_is_string(updated) ||
                  !parse_time(json_string_value(updated), &now_ms)))) {
    emu_reply_invalid(call, "status_reason: Expected string or null; "
                            "updated_at: Expected ISO 8601 in UTC; "
                            "refreshable: Expected boolean");
    return;
  }
  if(refreshable)
    account->flags =
        (uint8_t)(json_is_true(refreshable) ? account->flags & ~EMU_STUCK
                                            : account->flags | EMU_STUCK);
  bool login = status == EMU_INITIALIZING || status == EMU_INITIATED;
  if(login && !account->expires_ms)
    emu_account_login(emu, account, status == EMU_INITIALIZING, NULL);
  emu_store_set_status(&emu->store, account, status,
                       reason ? json_string_value(reason) : account->reason,
                       now_ms);
  emu_account_note(emu, account, "set", before);
  show(emu, call, account);
}

static void session(struct emu *emu, struct emu_call *call,
                    struct emu_account *account)
{
  if(!account->expires_ms || !account->flow) {
    emu_reply_fail(call, &EMU_ACCOUNT_STATE, "No login is under way");
    return;
  }
  struct emu_flow *flow = account->flow;
  emu_random_plain(&emu->random, flow->session, "session_", 20);
  flow->session_until_ms = emu_clock_now(&emu->clock) + EMU_LINK_MS;
  emu_store_token(&emu->store, flow->session, account);
  emu_store_dirty(&emu->store, account);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_char(out, '{');
  emu_buf_pair(out, "session_uri", flow->session);
  emu_buf_char(out, '}');
}

/* Another operation holds the account for that long; 0: no longer. */
static void hold(struct emu *emu, struct emu_call *call,
                 const struct emu_account *account)
{
  if(!emu_reply_want_body(call, false))
    return;
  const json_t *value = json_object_get(call->json, "seconds");
  double seconds = json_number_value(value);
  if(!json_is_number(value) || seconds < 0 || seconds > 1e10) {
    emu_reply_invalid(call, "seconds: Expected a number of at least 0");
    return;
  }
  emu_leases_take(&emu->leases, emu_store_slot(&emu->store, account),
                  emu_clock_now(&emu->clock) + (int64_t)(seconds * 1000));
  emu_reply_success(call);
}

static void act(struct emu *emu, struct emu_call *call,
                struct emu_account *account, const char *verb)
{
  static const struct {
    const char *verb;
    bool (*run)(struct emu *emu, struct emu_account *account);
  } acts[] = {
    { "complete", emu_account_complete },
    { "deny", emu_account_deny },
    { "expire", emu_account_expire },
    { "break", emu_account_break },
  };
  for(size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
    if(strcmp(acts[i].verb, verb) != 0)
      continue;
    if(acts[i].run(emu, account))
      show(emu, call, account);
    else
      emu_reply_fail(call, &EMU_ACCOUNT_STATE,
                     "Cannot %s an account whose status is %s", verb,
                     emu_status_name((enum emu_status)account->status));
    return;
  }
  emu_reply_fail(call, &EMU_NO_ROUTE, "Unknown act \"%s\"", verb);
}

/* accounts/{id}[/verb] */
static void on_account(struct emu *emu, struct emu_call *call)
{
  const char *id = call->segments[2];
  const char *verb = call->segment_count > 3 ? call->segments[3] : "";
  if(emu_call_is(call, "GET") && !*verb) {
    const struct emu_account *any = emu_store_find(&emu->store, id);
    if(any)
      show(emu, call, any);
    else
      emu_account_want(emu, call, id);
    return;
  }
  if(!emu_call_is(call, "POST")) {
    emu_reply_fail(call, &EMU_NO_METHOD, "Method %s is not allowed here",
                   call->method);
    return;
  }
  struct emu_account *account = emu_account_want(emu, call, id);
  if(!account)
    return;
  if(!strcmp(verb, "set"))
    set(emu, call, account);
  else if(!strcmp(verb, "lease"))
    hold(emu, call, account);
  else if(!strcmp(verb, "session"))
    session(emu, call, account);
  else
    act(emu, call, account, verb);
}

void emu_control(struct emu *emu, struct emu_call *call)
{
  static const struct {
    const char *method;
    const char *path;
    void (*run)(struct emu *emu, struct emu_call *call);
  } rows[] = {
    { "GET", "/_emulator/requests", get_requests },
    { "DELETE", "/_emulator/requests", delete_requests },
    { "GET", "/_emulator/changes", get_changes },
    { "GET", "/_emulator/stats", get_stats },
    { "GET", "/_emulator/clock", get_clock },
    { "POST", "/_emulator/clock/advance", advance },
    { "POST", "/_emulator/reset", reset },
    { "GET", "/_emulator/faults", get_faults },
    { "POST", "/_emulator/faults", add_faults },
    { "DELETE", "/_emulator/faults", delete_faults },
  };
  size_t length = strcspn(call->target, "?");
  for(size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    if(strlen(rows[i].path) == length &&
       !strncmp(rows[i].path, call->target, length) &&
       emu_call_is(call, rows[i].method)) {
      rows[i].run(emu, call);
      return;
    }
  if(call->segment_count > 2 && call->segment_count < 5 &&
     !strcmp(call->segments[1], "accounts"))
    on_account(emu, call);
  else
    emu_reply_fail(call, &EMU_NO_ROUTE, "Route %s %.200s not found",
                   call->method, call->target);
}
