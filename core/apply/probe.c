/* Probes: what is asked about a change, and what the answer means. Each row of
   the operation table names its probe.
   Must not know: the order of probes, the ledger's outcomes. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "ledger/made.h"
#include "base/log.h"
#include "apply/settle_private.h"

#define SLACK_MS  2000 /* what clocks may differ by that were compared */
#define PAGE      100
#define PAGES_MAX 100

bool ca_probe_exists(const struct ca_change_row *row,
                     struct ca_finding *finding)
{
  const char *why = NULL;

  if(row->change.api->probe == CA_PROBE_NONE)
    why = "the service shows nothing by which it could be told";
  else if(row->change.api->probe == CA_PROBE_FIELDS && !row->change.body)
    why = "the service shows credentials masked, so they cannot be compared";
  else if(row->change.api->probe == CA_PROBE_LISTED && !row->sent_ms)
    why = "it is not known when it was sent";
  memset(finding, 0, sizeof(*finding));
  if(!why)
    return true;
  finding->what = CA_FOUND_UNCLEAR;
  snprintf(finding->text, sizeof(finding->text), "%s", why);
  return false;
}

/* Requests. */

static enum ca_code set_text(struct ca_request *request, const char *name,
                             const char *value, struct ca_err *err)
{
  struct ca_slice slice = { value, strlen(value) };
  return ca_request_text(request, ca_api_field(request->api, name), slice,
                         err);
}

static enum ca_code set_one(struct ca_request *request, const char *name,
                            const char *value, struct ca_err *err)
{
  struct ca_slice slice = { value, strlen(value) };
  return ca_request_texts(request, ca_api_field(request->api, name), &slice, 1,
                          err);
}

static bool has_comma(const struct ca_change *change)
{
  return strchr(change->user, ',') != NULL;
}

/* The newest accounts of the user; of everybody when the user cannot be asked
   for. */
static enum ca_code list_newest(const struct ca_probing *probing,
                                struct ca_request *request, struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  enum ca_code code = CA_OK;

  if(!change->user || !change->config)
    return ca_err_set(err, CA_USAGE,
                      "the ledger does not say whose account it was for");
  if(!has_comma(change))
    code = set_one(request, "user_ids", change->user, err);
  if(!code)
    code = set_one(request, "auth_config_ids", change->config, err);
  if(!code)
    code = set_text(request, "account_type", "ALL", err);
  if(!code)
    code = set_text(request, "order_by", "created_at", err);
  if(!code)
    code = set_text(request, "order_direction", "desc", err);
  if(!code)
    code = ca_request_integer(request, ca_api_field(request->api, "limit"),
                              PAGE, err);
  if(!code && probing->listing.cursor[0])
    code = set_text(request, "cursor", probing->listing.cursor, err);
  return code;
}

enum ca_code ca_probe_request(struct ca_probing *probing,
                              struct ca_request *request, struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  bool list = change->api->probe == CA_PROBE_LISTED;
  enum ca_code code;

  probing->api = ca_api_find(change->api->resource, list ? "list" : "get");
  ca_request_init(request, probing->api);
  if(list)
    code = list_newest(probing, request, err);
  else
    code =
        set_text(request, "id", change->account ? change->account : "", err);
  return code ? code : ca_request_finish(request, err);
}

/* Findings. */

static void say(struct ca_finding *finding, enum ca_found what,
                const char *fmt, ...) CA_PRINTF(3, 4);

static void say(struct ca_finding *finding, enum ca_found what,
                const char *fmt, ...)
{
  va_list args;

  finding->what = what;
  va_start(args, fmt);
  vsnprintf(finding->text, sizeof(finding->text), fmt, args);
  va_end(args);
}

/* When the change may have begun, by the service's clock: its Date is cut to
   seconds and has travelled, so this is early rather than late. */
static int64_t service_time(const struct ca_probing *probing,
                            const struct ca_result *result)
{
  int64_t at_ms = probing->row.sent_ms - SLACK_MS;
  int64_t date_ms;

  if(result->date[0] && ca_clock_parse_http(result->date, &date_ms))
    at_ms +=
        date_ms - ca_clock_wall_ms(ca_engine_clock(probing->settle->engine));
  return at_ms;
}

/* A change without a status to become, such as a refresh: it has happened when
   the status is another one, and has not when nothing has moved since. */
static enum ca_code find_moved(const struct ca_probing *probing,
                               const struct ca_result *result,
                               const struct ca_reply_account *account,
                               struct ca_finding *finding, struct ca_err *err)
{
  int64_t updated_ms = ca_reply_time(account->updated);
  struct ca_image image;
  const char *before = probing->row.change.before;
  enum ca_code code = ca_ledger_image(probing->settle->ledger,
                                      probing->row.number, &image, err);

  if(code)
    return code;
  if(image.known && image.status[0])
    before = image.status;
  if(before && strcmp(before, finding->status) != 0)
    finding->what = CA_FOUND_DONE;
  else if(updated_ms && (updated_ms == image.updated_ms ||
                         updated_ms < service_time(probing, result)))
    say(finding, CA_FOUND_NOT, "the account is %s and was not touched since",
        finding->status);
  else
    say(finding, CA_FOUND_UNCLEAR,
        "the account is %s%s, but was touched since: by this or by others",
        finding->status, before ? " as before" : "");
  return CA_OK;
}

static enum ca_code find_status(const struct ca_probing *probing,
                                const struct ca_result *result,
                                const struct ca_reply_account *account,
                                struct ca_finding *finding, struct ca_err *err)
{
  const char *becomes = probing->row.change.api->becomes;

  if(!becomes)
    return find_moved(probing, result, account, finding, err);
  if(!strcmp(finding->status, becomes))
    finding->what = CA_FOUND_DONE;
  else
    say(finding, CA_FOUND_NOT, "the account is %s", finding->status);
  return CA_OK;
}

#define ACL "$.experimental.acl_config_for_shared"

/* One list of the access rules, when the change sets it. */
static bool same_list(struct ca_slice body, struct ca_slice account,
                      const char *path)
{
  struct ca_slice want;
  struct ca_slice got;

  if(ca_json_find(body.data, body.len, path, &want) == CA_JSON_BAD)
    return true;
  ca_json_find(account.data, account.len, path, &got);
  return ca_json_same_set(want, got);
}

static bool same_acl(struct ca_slice body, struct ca_slice account)
{
  static const char all[] = ACL ".allow_all_users";
  bool want;
  bool got = false;

  if(ca_json_bool(body.data, body.len, all, &want)) {
    ca_json_bool(account.data, account.len, all, &got);
    if(want != got)
      return false;
  }
  return same_list(body, account, ACL ".allowed_user_ids") &&
         same_list(body, account, ACL ".not_allowed_user_ids");
}

/* One request set all the fields, so either all of them are as it set them, or
   none is. */
static void find_fields(const struct ca_probing *probing,
                        const struct ca_reply_account *account,
                        struct ca_finding *finding)
{
  const char *text = probing->row.change.body;
  struct ca_slice body = { text, strlen(text) };
  char want[1024];
  char got[1024];
  bool alias =
      ca_json_text(body.data, body.len, "$.alias", want, sizeof(want));
  bool acl = ca_json_has(body.data, body.len, ACL);

  ca_json_copy(account->alias, got, sizeof(got));
  if(alias && strcmp(want, got) != 0)
    say(finding, CA_FOUND_NOT, "the alias is not what it was to become");
  else if(acl && !ca_json_has(account->text.data, account->text.len, ACL))
    say(finding, CA_FOUND_UNCLEAR,
        "the service does not show who may use the account");
  else if(acl && !same_acl(body, account->text))
    say(finding, CA_FOUND_NOT,
        "who may use the account is not what it was to become");
  else if(alias || acl)
    finding->what = CA_FOUND_DONE;
  else
    say(finding, CA_FOUND_UNCLEAR,
        "the service does not show what was to be changed");
}

static enum ca_code find_account(const struct ca_probing *probing,
                                 const struct ca_result *result,
                                 struct ca_finding *finding,
                                 struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  struct ca_reply_account account;
  char status[sizeof(finding->status)];

  if(!ca_reply_account(result->body.data, result->body.len, &account) ||
     !ca_json_is(account.id, change->account) || !account.status.data) {
    finding->what = CA_FOUND_FAILED;
    return CA_OK;
  }
  ca_json_copy(account.status, status, sizeof(status));
  ca_log_clean(finding->status, sizeof(finding->status), status,
               strlen(status));
  switch(change->api->probe) {
  case CA_PROBE_STATUS:
    return find_status(probing, result, &account, finding, err);
  case CA_PROBE_FIELDS:
    find_fields(probing, &account, finding);
    break;
  default:
    say(finding, CA_FOUND_NOT, "the account is still there");
  }
  return CA_OK;
}

/* Nothing can come of the change any more, unless this is what it was for. */
static void find_gone(const struct ca_probing *probing,
                      struct ca_finding *finding)
{
  if(probing->row.change.api->probe == CA_PROBE_GONE)
    finding->what = CA_FOUND_DONE;
  else
    say(finding, CA_FOUND_NOT, "the %s is gone",
        probing->row.change.api->probe == CA_PROBE_CONFIG ? "auth config"
                                                          : "account");
}

static void find_config(const struct ca_probing *probing,
                        const struct ca_result *result,
                        struct ca_finding *finding)
{
  const char *becomes = probing->row.change.api->becomes;
  char status[sizeof(finding->status)];

  finding->what = CA_FOUND_FAILED;
  if(!ca_json_text(result->body.data, result->body.len, "$.status", status,
                   sizeof(status)))
    return;
  ca_log_clean(finding->status, sizeof(finding->status), status,
               strlen(status));
  if(becomes && !strcmp(status, becomes))
    finding->what = CA_FOUND_DONE;
  else
    say(finding, CA_FOUND_NOT, "the auth config is %s", finding->status);
}

/* Creates. */

struct listing_call {
  struct ca_probing *probing;
  enum ca_code code;
  struct ca_err *err;
};

static bool is_users(struct ca_probing *probing,
                     const struct ca_reply_account *account)
{
  const struct ca_change *change = &probing->row.change;

  if(account->config.data && !ca_json_is(account->config, change->config))
    return false;
  if(account->user.data)
    return ca_json_is(account->user, change->user);
  probing->listing.nameless = true;
  return !has_comma(change);
}

static void note_made(struct ca_listing *listing,
                      const struct ca_reply_account *account, const char *id,
                      int64_t made_ms)
{
  size_t used = strlen(listing->names);

  listing->count++;
  if(used + strlen(id) + 3 < sizeof(listing->names))
    snprintf(listing->names + used, sizeof(listing->names) - used, "%s%s",
             used ? ", " : "", id);
  if(listing->count > 1 && made_ms >= listing->made_ms)
    return;
  listing->made_ms = made_ms;
  ca_copy_text(listing->made, sizeof(listing->made), id, strlen(id));
  ca_json_copy(account->status, listing->status, sizeof(listing->status));
}

static bool see_account(void *ctx, const struct ca_reply_account *account)
{
  struct listing_call *call = ctx;
  struct ca_probing *probing = call->probing;
  struct ca_listing *listing = &probing->listing;
  int64_t made_ms = ca_reply_time(account->created);
  char id[sizeof(listing->made)];
  bool known;

  if(listing->last_ms && made_ms > listing->last_ms)
    listing->unsorted = true;
  listing->last_ms = made_ms;
  if(made_ms < listing->since_ms) {
    listing->older = true;
    return true;
  }
  if(!is_users(probing, account))
    return true;
  ca_json_copy(account->id, id, sizeof(id));
  call->code = ca_ledger_knows_made(probing->settle->ledger, id,
                                    probing->row.sent_ms, &known, call->err);
  if(!call->code && !known)
    note_made(listing, account, id, made_ms);
  return !call->code;
}

/* The list has ended, whole or not. */
static void conclude(const struct ca_probing *probing, bool whole,
                     struct ca_finding *finding)
{
  const struct ca_listing *listing = &probing->listing;

  if(listing->count) {
    finding->what = CA_FOUND_DONE;
    if(listing->count > 1)
      say(finding, CA_FOUND_DONE,
          "%zu accounts were made for this user since: %s", listing->count,
          listing->names);
    ca_copy_text(finding->made, sizeof(finding->made), listing->made,
                 strlen(listing->made));
    ca_copy_text(finding->status, sizeof(finding->status), listing->status,
                 strlen(listing->status));
  } else if(!whole)
    say(finding, CA_FOUND_UNCLEAR,
        "the list of accounts could not be read to its end");
  else if(listing->nameless && has_comma(&probing->row.change))
    say(finding, CA_FOUND_UNCLEAR,
        "the service does not show whose the new accounts are");
  else
    say(finding, CA_FOUND_NOT, "no account was made for this user since");
}

static enum ca_code find_made(struct ca_probing *probing,
                              const struct ca_result *result,
                              struct ca_finding *finding, struct ca_err *err)
{
  struct ca_listing *listing = &probing->listing;
  struct listing_call call = { probing, CA_OK, err };
  char before[sizeof(listing->cursor)];
  bool last;

  if(!listing->begun)
    listing->since_ms = service_time(probing, result);
  listing->begun = true;
  memcpy(before, listing->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_account,
                        &call, listing->cursor, sizeof(listing->cursor))) {
    finding->what = CA_FOUND_FAILED;
    return call.code;
  }
  last = !listing->cursor[0] || (listing->older && !listing->unsorted);
  if(call.code || last || ++listing->pages == PAGES_MAX ||
     !strcmp(before, listing->cursor))
    conclude(probing, last, finding);
  else
    finding->what = CA_FOUND_MORE;
  return call.code;
}

enum ca_code ca_probe_read(struct ca_probing *probing,
                           const struct ca_result *result,
                           struct ca_finding *finding, struct ca_err *err)
{
  memset(finding, 0, sizeof(*finding));
  switch(probing->row.change.api->probe) {
  case CA_PROBE_LISTED:
    return find_made(probing, result, finding, err);
  case CA_PROBE_CONFIG:
    if(result->status == 404)
      find_gone(probing, finding);
    else
      find_config(probing, result, finding);
    return CA_OK;
  default:
    if(result->status != 404)
      return find_account(probing, result, finding, err);
    find_gone(probing, finding);
    return CA_OK;
  }
}
