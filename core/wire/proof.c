/* What replies and probes prove about changes. Must not know: the ledger,
   outcomes, who asks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "wire/proof.h"
#include "wire/request.h"

/* ---- fields ---- */

/* Finds the value at a dotted path. */
static enum ca_json_kind find(struct ca_slice object, const char *path,
                              struct ca_slice *value)
{
  char full[120];

  snprintf(full, sizeof(full), "$.%s", path);
  return ca_json_find(object.data, object.len, full, value);
}

enum ca_json_kind ca_proof_sent(const struct ca_field *field,
                                struct ca_slice body, struct ca_slice *value)
{
  return find(body, field->wire, value);
}

enum ca_json_kind ca_proof_shown(const struct ca_field *field,
                                 struct ca_slice account,
                                 struct ca_slice *value)
{
  return find(account, field->shown, value);
}

/* For a text, absent, null and "" are equal: the service clears it on "" and
   then shows null. */
static bool is_empty(struct ca_slice value)
{
  return !value.data || *value.data == 'n' || ca_json_is(value, "");
}

/* Compares a member of an ACL: a list, or a flag that is false when absent. A
   member that the change does not set always matches. */
static bool same_member(struct ca_slice wanted, struct ca_slice shown,
                        const char *name)
{
  struct ca_slice want;
  struct ca_slice got;
  enum ca_json_kind kind = find(wanted, name, &want);
  enum ca_json_kind other = find(shown, name, &got);

  switch(kind) {
  case CA_JSON_ARRAY:
  case CA_JSON_OBJECT: /* an empty Lua table is encoded as {} */
    return ca_json_same_set(want, got);
  case CA_JSON_TRUE:
  case CA_JSON_FALSE:
    return (kind == CA_JSON_TRUE) == (other == CA_JSON_TRUE);
  default:
    return true;
  }
}

bool ca_proof_same(const struct ca_field *field, struct ca_slice wanted,
                   struct ca_slice shown)
{
  if(field->type == CA_ACL)
    return same_member(wanted, shown, "allow_all_users") &&
           same_member(wanted, shown, "allowed_user_ids") &&
           same_member(wanted, shown, "not_allowed_user_ids");
  if(is_empty(wanted) || is_empty(shown))
    return is_empty(wanted) && is_empty(shown);
  return ca_json_same(wanted, shown);
}

/* ---- the reply to the change itself ---- */

enum ca_proof ca_proof_of_reply(const struct ca_api *api, const char *id,
                                const struct ca_result *result, bool suspect)
{
  const struct ca_err *err = &result->err;

  if(!err->code)
    return CA_PROOF_DONE;
  if(err->unknown || err->code == CA_REPLY)
    return CA_PROOF_UNKNOWN;
  if(err->code == CA_CANCELLED || err->code == CA_CLOSED ||
     err->code == CA_GATE)
    return suspect ? CA_PROOF_UNKNOWN : CA_PROOF_UNSENT;
  if(!suspect)
    return CA_PROOF_FAILED;
  return api->repeat == CA_REPEAT_GONE_OK &&
                 ca_reply_says_gone(api, id, result)
             ? CA_PROOF_DONE
             : CA_PROOF_UNKNOWN;
}

/* Copies the text at a dotted path of the reply; false when there is none. */
static bool reply_text(const struct ca_result *result, const char *path,
                       char *out, size_t size)
{
  struct ca_slice body = { result->body.data, result->body.len };
  struct ca_slice value;

  *out = '\0';
  if(find(body, path, &value) != CA_JSON_STRING)
    return false;
  ca_json_copy(value, out, size);
  return true;
}

void ca_proof_take(const struct ca_api *api, const struct ca_result *result,
                   struct ca_finding *finding)
{
  memset(finding, 0, sizeof(*finding));
  finding->proof = CA_PROOF_DONE;
  if(api->becomes)
    ca_text_copy(finding->status, sizeof(finding->status), api->becomes);
  else if(result)
    reply_text(result, "status", finding->status, sizeof(finding->status));
  if(api->makes && result)
    reply_text(result, api->makes, finding->made, sizeof(finding->made));
}

enum ca_proof ca_proof_of_unsent(enum ca_code code, bool suspect)
{
  if(suspect)
    return CA_PROOF_UNKNOWN;
  return code == CA_USAGE ? CA_PROOF_FAILED : CA_PROOF_UNSENT;
}

/* ---- a get ---- */

static void set_proof(struct ca_finding *finding, enum ca_proof proof,
                      const char *fmt, ...) CA_PRINTF(3, 4);

static void set_proof(struct ca_finding *finding, enum ca_proof proof,
                      const char *fmt, ...)
{
  va_list args;

  finding->proof = proof;
  va_start(args, fmt);
  vsnprintf(finding->text, sizeof(finding->text), fmt, args);
  va_end(args);
}

const char *ca_proof_missing(const struct ca_proof_change *change)
{
  switch(change->api->probe) {
  case CA_PROBE_NONE:
    return "the service shows nothing that would prove it";
  case CA_PROBE_FIELDS:
    return change->body ? NULL
                        : "the service shows credentials masked, so they "
                          "cannot be compared";
  case CA_PROBE_LISTED:
    return change->since_ms || change->ids
               ? NULL
               : "neither the service's time when it was sent nor the user's "
                 "accounts before it are known";
  default:
    return NULL;
  }
}

/* A change of something that is gone can no longer happen; a delete has. */
static void find_gone(const struct ca_proof_change *change,
                      struct ca_finding *finding)
{
  if(change->api->probe == CA_PROBE_GONE)
    finding->proof = CA_PROOF_DONE;
  else
    set_proof(finding, CA_PROOF_FAILED, "the %s is gone",
              ca_api_noun(change->api));
}

static void find_status(const struct ca_proof_change *change,
                        struct ca_finding *finding)
{
  if(!strcmp(finding->status, change->api->becomes))
    finding->proof = CA_PROOF_DONE;
  else
    set_proof(finding, CA_PROOF_NOT_YET, "the %s is %s",
              ca_api_noun(change->api), finding->status);
}

/* Is a login under way? It ends when a person finishes it or its time limit
   is over. */
static bool is_login(const char *status)
{
  return !strcmp(status, "INITIATED") || !strcmp(status, "INITIALIZING");
}

/* For a change that can lead to several statuses, such as a refresh. It has
   happened if the status differs from the one before or, after a precheck,
   updated_at does. It has not happened if there was no update since. If a
   login was under way before, it may have ended by itself, so another
   status proves nothing. */
static void find_moved(const struct ca_proof_change *change,
                       const struct ca_reply_account *account,
                       struct ca_finding *finding)
{
  int64_t updated_ms = ca_reply_time(account->updated);

  if(change->before && is_login(change->before) &&
     strcmp(change->before, finding->status) != 0)
    set_proof(
        finding, CA_PROOF_UNKNOWN,
        "the account is %s: the login that was under way before may have "
        "ended by itself",
        finding->status);
  else if((change->before && strcmp(change->before, finding->status) != 0) ||
          (change->prechecked && change->before_ms && updated_ms &&
           updated_ms != change->before_ms))
    finding->proof = CA_PROOF_DONE;
  else if(updated_ms &&
          (updated_ms == change->before_ms || updated_ms < change->since_ms))
    set_proof(finding, CA_PROOF_NOT_YET,
              "the account is %s and was not updated since", finding->status);
  else
    set_proof(finding, CA_PROOF_UNKNOWN,
              "the account is %s%s, but was updated since, by this change or "
              "another",
              finding->status, change->before ? " as before" : "");
}

/* Names the field for people. */
static void name_field(const struct ca_field *field, char *out, size_t size)
{
  if(field->type == CA_ACL)
    snprintf(out, size, "the ACL");
  else
    snprintf(out, size, "the %s", field->name);
}

/* One request sets all the fields, so either all are set or none is. */
static void find_fields(const struct ca_proof_change *change,
                        const struct ca_reply_account *account,
                        struct ca_finding *finding)
{
  struct ca_slice body = ca_slice_of(change->body);
  const struct ca_field *field;
  char name[80];

  set_proof(finding, CA_PROOF_UNKNOWN,
            "the service does not show the changed fields");
  for(field = change->api->fields; field->name; field++) {
    struct ca_slice wanted;
    struct ca_slice shown;

    if(!field->shown || ca_proof_sent(field, body, &wanted) == CA_JSON_BAD)
      continue;
    name_field(field, name, sizeof(name));
    /* an absent text is empty; an ACL that is not shown cannot be compared */
    if(ca_proof_shown(field, account->text, &shown) == CA_JSON_BAD &&
       field->type == CA_ACL) {
      set_proof(finding, CA_PROOF_UNKNOWN, "the service does not show %s",
                name);
      return;
    }
    if(!ca_proof_same(field, wanted, shown)) {
      set_proof(finding, CA_PROOF_NOT_YET, "%s is not the planned one", name);
      return;
    }
    set_proof(finding, CA_PROOF_DONE, "%s", "");
  }
}

/* Returns false when the reply shows no status, or not the account or auth
   config that was asked for. */
static bool read_shown(const struct ca_proof_change *change,
                       const struct ca_result *result,
                       struct ca_reply_account *shown)
{
  return ca_reply_account(result->body.data, result->body.len, shown) &&
         ca_json_is(shown->id, change->account) && shown->status.data;
}

bool ca_proof_forbids(const struct ca_api *api, const char *id,
                      struct ca_slice reply)
{
  struct ca_reply_account shown;
  const char *from = ca_api_from(api);

  return from && ca_reply_account(reply.data, reply.len, &shown) &&
         ca_json_is(shown.id, id) && shown.status.data &&
         !ca_json_is(shown.status, from);
}

void ca_proof_of_get(const struct ca_proof_change *change,
                     const struct ca_result *result,
                     struct ca_finding *finding)
{
  struct ca_reply_account shown;
  char status[sizeof(finding->status)];

  memset(finding, 0, sizeof(*finding));
  if(result->status == 404) {
    find_gone(change, finding);
    return;
  }
  finding->proof = CA_PROOF_UNREAD;
  if(!read_shown(change, result, &shown))
    return;
  ca_json_copy(shown.status, status, sizeof(status));
  ca_text_printable(finding->status, sizeof(finding->status), status,
                    strlen(status));
  switch(change->api->probe) {
  case CA_PROBE_STATUS:
    find_status(change, finding);
    break;
  case CA_PROBE_MOVED:
    find_moved(change, &shown, finding);
    break;
  case CA_PROBE_FIELDS:
    find_fields(change, &shown, finding);
    break;
  default:
    set_proof(finding, CA_PROOF_NOT_YET, "the %s is still there",
              ca_api_noun(change->api));
  }
}

/* ---- a list ---- */

struct page {
  const struct ca_proof_change *change;
  struct ca_proof_list *list;
  ca_proof_known_fn *knows;
  void *ctx;
  enum ca_code code;
  struct ca_err *err;
};

static bool is_users(const struct ca_proof_change *change,
                     struct ca_proof_list *list,
                     const struct ca_reply_account *account)
{
  if(account->config.data && !ca_json_is(account->config, change->config))
    return false;
  if(account->user.data)
    return ca_json_is(account->user, change->user);
  list->nameless = true;
  return ca_request_can_list(change->user);
}

static void note_made(struct ca_proof_list *list,
                      const struct ca_reply_account *account, const char *id,
                      int64_t made_ms)
{
  size_t used = strlen(list->names);

  list->count++;
  if(used + strlen(id) + 3 < sizeof(list->names))
    snprintf(list->names + used, sizeof(list->names) - used, "%s%s",
             used ? ", " : "", id);
  if(list->count > 1 && made_ms >= list->made_ms)
    return;
  list->made_ms = made_ms;
  ca_text_copy(list->made, sizeof(list->made), id);
  ca_json_copy(account->status, list->status, sizeof(list->status));
}

/* Can the change have made an account with that creation time? 0: the time is
   not shown or cannot be parsed; then the answer is yes. */
static bool may_be_new(const struct ca_proof_change *change,
                       struct ca_proof_list *list, int64_t made_ms)
{
  if(!made_ms || !change->since_ms)
    return true;
  if(list->last_ms && made_ms > list->last_ms)
    list->unsorted = true;
  list->last_ms = made_ms;
  if(made_ms >= change->since_ms)
    return true;
  list->older = true;
  return false;
}

static bool was_there(const struct ca_proof_change *change, const char *id)
{
  char between[sizeof(((struct ca_proof_list *)0)->made) + 2];

  snprintf(between, sizeof(between), " %s ", id);
  return change->ids && strstr(change->ids, between);
}

static bool see_account(void *ctx, const struct ca_reply_account *account)
{
  struct page *page = ctx;
  struct ca_proof_list *list = page->list;
  int64_t made_ms = ca_reply_time(account->created);
  char id[sizeof(list->made)];
  bool known = false;

  if(!may_be_new(page->change, list, made_ms) ||
     !is_users(page->change, list, account))
    return true;
  ca_json_copy(account->id, id, sizeof(id));
  if(was_there(page->change, id))
    return true;
  page->code = page->knows(page->ctx, id, &known, page->err);
  if(page->code)
    return false;
  if(!known && (made_ms || page->change->ids))
    note_made(list, account, id, made_ms);
  else if(!known)
    list->timeless = true;
  return true;
}

/* Sets the finding at the end of the list. whole: no page is missing. */
static void conclude(const struct ca_proof_change *change,
                     const struct ca_proof_list *list, bool whole,
                     struct ca_finding *finding)
{
  if(list->count) {
    finding->proof = CA_PROOF_DONE;
    if(list->count > 1)
      set_proof(finding, CA_PROOF_DONE,
                "%zu accounts were made for this user since: %s", list->count,
                list->names);
    ca_text_copy(finding->made, sizeof(finding->made), list->made);
    ca_text_copy(finding->status, sizeof(finding->status), list->status);
  } else if(!whole)
    set_proof(finding, CA_PROOF_UNKNOWN,
              "cannot read the list of accounts to its end");
  else if(list->timeless)
    set_proof(finding, CA_PROOF_UNKNOWN,
              "the service does not show when an account of this user was "
              "made");
  else if(list->nameless && !ca_request_can_list(change->user))
    set_proof(finding, CA_PROOF_UNKNOWN,
              "the service does not show the users of the new accounts");
  else
    set_proof(finding, CA_PROOF_NOT_YET,
              "no account was made for this user since");
}

enum ca_code ca_proof_of_page(const struct ca_proof_change *change,
                              struct ca_proof_list *list,
                              const struct ca_result *result,
                              ca_proof_known_fn *knows, void *ctx,
                              struct ca_finding *finding, struct ca_err *err)
{
  struct page page = { change, list, knows, ctx, CA_OK, err };
  char before[sizeof(list->cursor)];
  bool last;

  memset(finding, 0, sizeof(*finding));
  memcpy(before, list->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_account,
                        &page, list->cursor, sizeof(list->cursor))) {
    finding->proof = CA_PROOF_UNREAD;
    return page.code;
  }
  last = !list->cursor[0] || (list->older && !list->unsorted);
  if(page.code || last || ++list->pages == CA_PROOF_PAGES_MAX ||
     !strcmp(before, list->cursor))
    conclude(change, list, last, finding);
  else
    finding->proof = CA_PROOF_MORE;
  return page.code;
}
