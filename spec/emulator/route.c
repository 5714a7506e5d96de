/* From a call to its operation: key, rate limit, path, method.
   It must not know what the operations do. */
#include "route.h"

#include <string.h>

#include "account.h"
#include "change.h"
#include "config_ops.h"
#include "control.h"
#include "create.h"
#include "disk.h"
#include "fault.h"
#include "gzip.h"
#include "list.h"
#include "page.h"
#include "reply.h"
#ifdef EMU_ROWS
#include "../rows/emulator.h"
#endif

enum {
  USER_KEY = 1, /* x-user-api-key is as good as the project's key */
  CHANGES = 2,  /* the account of the path: one at a time */
  NEWER = 4     /* came with v3.1 */
};

struct row {
  const char *method;
  const char *path; /* after the version; * is the id */
  void (*run)(struct emu *emu, struct emu_call *call);
  unsigned is;
};

static const struct row rows[] = {
  { "GET", "connected_accounts", emu_list_accounts, USER_KEY },
  { "POST", "connected_accounts", emu_create_account, 0 },
  { "POST", "connected_accounts/link", emu_create_link, USER_KEY },
  { "POST", "connected_accounts/complete_auth", emu_create_complete, NEWER },
  { "GET", "connected_accounts/*", emu_account_get, USER_KEY },
  { "PATCH", "connected_accounts/*", emu_change_patch, CHANGES },
  { "DELETE", "connected_accounts/*", emu_change_delete, USER_KEY | CHANGES },
  { "PATCH", "connected_accounts/*/status", emu_change_status, CHANGES },
  { "POST", "connected_accounts/*/refresh", emu_change_refresh, CHANGES },
  { "POST", "connected_accounts/*/revoke", emu_change_revoke,
    CHANGES | NEWER },
  { "GET", "auth_configs", emu_config_list, USER_KEY },
  { "POST", "auth_configs", emu_config_create, USER_KEY },
  { "GET", "auth_configs/*", emu_config_get, USER_KEY },
  { "PATCH", "auth_configs/*", emu_config_update, USER_KEY },
  { "DELETE", "auth_configs/*", emu_config_delete, USER_KEY },
  { "PATCH", "auth_configs/*/ENABLED", emu_config_enable, 0 },
  { "PATCH", "auth_configs/*/DISABLED", emu_config_disable, 0 },
  { "GET", "webhook_subscriptions", emu_list_nothing, 0 },
  { "GET", "toolkits/*", emu_config_toolkit, USER_KEY },
#ifdef EMU_ROWS
  { "PATCH", "connected_accounts/*/pause", emu_rows_pause, CHANGES },
  { "PATCH", "connected_accounts/*/note", emu_rows_note, CHANGES },
#endif
};

/* Does the path from segment 2 on follow the pattern? */
static bool follows(struct emu_call *call, const char *pattern,
                    const char **id)
{
  size_t at = 2;
  for(; *pattern; at++) {
    size_t length = strcspn(pattern, "/");
    if(at >= call->segment_count)
      return false;
    const char *segment = call->segments[at];
    if(*pattern == '*' && *segment)
      *id = segment;
    else if(strlen(segment) != length || strncmp(segment, pattern, length))
      return false;
    pattern += length + (pattern[length] == '/');
  }
  return at == call->segment_count;
}

static const struct row *find(const struct emu *emu, struct emu_call *call)
{
  bool narrow = emu->options.assume.other[EMU_GUESS_NEWER_NARROW] &&
                !strcmp(call->segments[1], "v3");
  bool other_method = false;
  for(size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    const char *id = NULL;
    if(!follows(call, rows[i].path, &id) || (rows[i].is & NEWER && narrow))
      continue;
    if(emu_call_is(call, rows[i].method)) {
      call->id = id;
      return &rows[i];
    }
    other_method = true;
  }
  if(other_method)
    emu_reply_fail(call, &EMU_NO_METHOD, "Method %s is not allowed here",
                   call->method);
  else
    emu_reply_fail(call, &EMU_NO_ROUTE, "Route %s %.200s not found",
                   call->method, call->target);
  return NULL;
}

static bool known_key(const struct emu *emu, const char *key)
{
  for(size_t i = 0; i < emu->options.key_count; i++)
    if(!strcmp(emu->options.keys[i], key))
      return true;
  return false;
}

static void refuse_key(const struct emu *emu, struct emu_call *call,
                       const char *why)
{
  struct emu_problem problem = EMU_UNAUTHORIZED;
  problem.code = emu->options.assume.unauthorized_code;
  emu_reply_fail(call, &problem, "%s", why);
}

static bool authentic(const struct emu *emu, struct emu_call *call)
{
  int given = (call->api_key != NULL) + (call->user_key != NULL) +
              (call->org_key != NULL);
  const char *key = call->api_key ? call->api_key : call->user_key;
  const char *why = NULL;
  if(!given)
    why = "No authentication provided";
  else if(given > 1)
    why = "Multiple authentication modes were provided. Send exactly one of "
          "x-api-key, x-user-api-key and x-org-api-key.";
  else if(!key || !known_key(emu, key))
    why = "Invalid API key";
  if(why)
    refuse_key(emu, call, why);
  return !why;
}

/* Counts the call against the organisation's budget. */
static bool within_limit(struct emu *emu, struct emu_call *call)
{
  int64_t now_ms = emu_clock_now(&emu->clock);
  if(emu_limit_take(&emu->limit, now_ms))
    return true;
  struct emu_buf *out = emu_reply_start(call, 429);
  emu_buf_text(out, "{\"message\":\"Rate limit exceeded. Limit: ");
  emu_buf_int(out, emu->limit.budget);
  emu_buf_text(out, " requests per 1 minutes\"}");
  emu_call_header_int(call, "Retry-After",
                      emu_limit_retry_after(&emu->limit, now_ms));
  return false;
}

static void limit_headers(const struct emu *emu, struct emu_call *call)
{
  if(!emu->limit.budget)
    return;
  emu_call_header_int(call, "X-RateLimit", emu->limit.budget);
  emu_call_header_int(call, "X-RateLimit-Remaining",
                      emu_limit_remaining(&emu->limit));
  emu_call_header(call, "X-RateLimit-Window-Size", "60s");
}

/* One change of an account at a time. False: the refusal is written. */
static bool lease(struct emu *emu, struct emu_call *call)
{
  const struct emu_account *account = emu_store_find(&emu->store, call->id);
  if(!account || account->flags & EMU_DELETED)
    return true; /* the operation says 404 */
  uint32_t slot = emu_store_slot(&emu->store, account);
  if(emu_leases_held(&emu->leases, slot, emu_clock_now(&emu->clock))) {
    emu_reply_fail(call, &EMU_ACCOUNT_LEASED,
                   "Connected account \"%s\" is leased by another operation",
                   account->id);
    return false;
  }
  if(emu->options.leases) {
    emu_leases_take(&emu->leases, slot, 0);
    call->leased = true;
    call->lease_slot = slot;
  }
  return true;
}

static void operate(struct emu *emu, struct emu_call *call)
{
  if(!authentic(emu, call) || !within_limit(emu, call))
    return;
  if(call->too_large) {
    emu_reply_fail(call, &EMU_TOO_LARGE, "The body exceeds %u bytes",
                   EMU_BODY_MAX);
    return;
  }
  const struct row *row = find(emu, call);
  if(!row)
    return;
  if(!(row->is & USER_KEY) && !call->api_key) {
    refuse_key(emu, call, "Invalid API key");
    return;
  }
  if(row->is & CHANGES && !lease(emu, call))
    return;
  row->run(emu, call);
}

static void serve_api(struct emu *emu, struct emu_call *call)
{
  call->delay_ms = emu->options.latency_ms;
  call->fault = emu_faults_match(emu->faults, call->method, call->target);
  if(!call->fault || !emu_fault_before(call->fault, call)) {
    operate(emu, call);
    if(call->fault)
      emu_fault_after(call->fault, call);
  }
  limit_headers(emu, call);
  if(emu->options.gzip && !call->truncate && call->out.size &&
     call->encodings && strstr(call->encodings, "gzip")) {
    emu_gzip(&call->out);
    emu_call_header(call, "Content-Encoding", "gzip");
    emu_call_header(call, "Vary", "Accept-Encoding");
  }
}

static void serve(struct emu *emu, struct emu_call *call)
{
  const char *first = call->segments[0];
  const char *second = call->segment_count > 1 ? call->segments[1] : "";
  bool api = !strcmp(first, "api");
  bool current = !strcmp(second, "v3") || !strcmp(second, "v3.1");
  if(!strcmp(first, "_emulator"))
    emu_control(emu, call);
  else if(emu_page_wants(call))
    emu_page(emu, call);
  else if(api && current)
    serve_api(emu, call);
  else if(api && (!strcmp(second, "v1") || !strcmp(second, "v2")))
    emu_reply_fail(call, &EMU_GONE,
                   "This version of the API has been removed");
  else
    emu_reply_fail(call, &EMU_NO_ROUTE, "Route %s %.200s not found",
                   call->method, call->target);
}

static void see(struct emu *emu, struct emu_call *call)
{
  struct emu_sighting sighting = {
    .time_ms = emu_clock_now(&emu->clock),
    .method = call->method,
    .target = call->target,
    .body = call->body.bytes,
    .body_size = call->body.size,
    .headers = &call->headers,
    .credentials = &call->credentials,
  };
  emu_journal_see(&emu->journal, &sighting);
}

static void choose_request_id(struct emu *emu, struct emu_call *call)
{
  size_t length = call->asked_id ? strlen(call->asked_id) : 0;
  if(length && length < sizeof(call->request_id))
    memcpy(call->request_id, call->asked_id, length + 1);
  else
    emu_random_uuid(&emu->request_ids, call->request_id);
  emu_call_header(call, "x-request-id", call->request_id);
}

void emu_route(struct emu *emu, struct emu_call *call)
{
  choose_request_id(emu, call);
  bool sane = emu_call_parse(call) && call->segment_count;
  bool control = sane && !strcmp(call->segments[0], "_emulator");
  emu_account_sweep(emu);
  if(!control)
    see(emu, call);
  if(sane)
    serve(emu, call);
  else
    emu_reply_fail(call, &EMU_NO_ROUTE, "Route %s %.200s not found",
                   call->method, call->target);
  emu_disk_save(emu);
}

void emu_route_done(struct emu *emu, const struct emu_call *call)
{
  if(call->leased)
    emu_leases_give_back(&emu->leases, call->lease_slot);
}
