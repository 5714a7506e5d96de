/* The preconditions of an item's changes, and whether they hold. updated_at is
   never compared: token refreshes move it.
   Must not know: how accounts are read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "base/text.h"
#include "wire/proof.h"

/* Does the before-image say that the user had no ACTIVE account? */
static bool had_none(const char *before_image)
{
  int64_t active;

  return before_image &&
         ca_json_integer(before_image, strlen(before_image), "$.active",
                         &active) &&
         active == 0;
}

static enum ca_precondition_kind kind_of(const struct ca_apply *apply,
                                         const struct ca_apply_item *item,
                                         const struct ca_apply_change *change)
{
  const struct ca_change *planned = &change->row.change;
  const char *account = planned->account ? planned->account : "";
  struct ca_slice id = ca_slice_of(account);

  if(!ca_apply_item_is_open(apply, item, change))
    return CA_PRECONDITION_NONE;
  if(planned->api->probe == CA_PROBE_LISTED)
    return planned->user && planned->config &&
                   (had_none(planned->before_image) || !item->single)
               ? CA_PRECONDITION_CREATE
               : CA_PRECONDITION_NONE;
  /* a text that cannot be an id fails when its change is sent */
  if(ca_request_check_id(id, "id", NULL))
    return CA_PRECONDITION_NONE;
  if(!ca_api_of_accounts(planned->api))
    return CA_PRECONDITION_CONFIG;
  return ca_request_can_list(account) ? CA_PRECONDITION_LISTED
                                      : CA_PRECONDITION_ACCOUNT;
}

static bool is_irreversible(const struct ca_apply_change *change)
{
  return change->row.change.cost == CA_IRREVERSIBLE ||
         change->row.change.api->cost == CA_IRREVERSIBLE;
}

bool ca_precondition_is_lost(const struct ca_apply_item *item)
{
  return item->changed && item->first &&
         item->first->row.change.api->probe == CA_PROBE_MOVED;
}

/* An account that was read longer ago is read again before it is changed. */
#define VALID_MS              5000
#define VALID_IRREVERSIBLY_MS 2000

int64_t ca_precondition_until(const struct ca_apply_item *item)
{
  if(ca_precondition_is_lost(item))
    return 0;
  if(!item->seen_ms)
    return INT64_MAX;
  return item->seen_ms +
         (is_irreversible(item->first) ? VALID_IRREVERSIBLY_MS : VALID_MS);
}

/* Did the plan read the item's accounts too long ago? */
static bool is_plan_old(const struct ca_apply *apply)
{
  int64_t now = ca_clock_mono_ms(ca_engine_clock(apply->engine));

  return !apply->seen_ms || now - apply->seen_ms > VALID_MS;
}

size_t ca_precondition_count(const struct ca_apply *apply,
                             const struct ca_apply_item *item, bool *alone)
{
  bool needs = item->single || apply->which != CA_APPLY_PLANNED ||
               is_plan_old(apply) || ca_precondition_is_lost(item);
  const struct ca_apply_change *change;
  size_t count = 0;

  for(change = item->first; change && !needs; change = change->next)
    needs = (is_irreversible(change) ||
             change->row.change.api->probe == CA_PROBE_LISTED) &&
            ca_apply_item_is_open(apply, item, change);
  if(alone)
    *alone = false;
  for(change = needs ? item->first : NULL; change; change = change->next) {
    enum ca_precondition_kind kind = kind_of(apply, item, change);
    count += kind != CA_PRECONDITION_NONE;
    if(alone && kind != CA_PRECONDITION_NONE && kind != CA_PRECONDITION_LISTED)
      *alone = true;
  }
  return count;
}

static bool same_precondition(const struct ca_precondition *precondition,
                              const struct ca_change *planned,
                              enum ca_precondition_kind kind)
{
  const struct ca_change *known = &precondition->change->row.change;

  if(precondition->kind != kind)
    return false;
  if(kind == CA_PRECONDITION_CREATE)
    return !strcmp(known->user, planned->user) &&
           !strcmp(known->config, planned->config);
  return !strcmp(known->account, planned->account);
}

void ca_precondition_list(const struct ca_apply *apply,
                          struct ca_apply_item *item,
                          struct ca_precondition *preconditions, size_t *count)
{
  size_t from = *count;
  struct ca_apply_change *change;

  for(change = item->first; change; change = change->next) {
    enum ca_precondition_kind kind = kind_of(apply, item, change);
    size_t i = from;
    if(kind == CA_PRECONDITION_NONE)
      continue;
    while(i < *count &&
          !same_precondition(&preconditions[i], &change->row.change, kind))
      i++;
    if(i == *count) {
      free(change->sent.ids); /* of an earlier precheck */
      memset(&change->sent, 0, sizeof(change->sent));
    }
    if(i == *count)
      preconditions[(*count)++] = (struct ca_precondition){ .item = item,
                                                            .change = change,
                                                            .kind = kind };
    /* a request that was sent may still be carried out, whatever a later
       probe found */
    if((change->row.outcome == CA_UNKNOWN || change->row.sent_ms) &&
       !preconditions[i].suspect)
      preconditions[i].suspect = change;
  }
}

/* ---- Checks ---- */

static void differs(struct ca_precondition *precondition, const char *fmt, ...)
    CA_PRINTF(2, 3);

/* Sets the state and a text that begins with what differs; an account other
   than the item's own is named. */
static void differs(struct ca_precondition *precondition, const char *fmt, ...)
{
  const struct ca_change_row *row = &precondition->change->row;
  const char *what = ca_api_noun(row->change.api);
  bool own = row->key && !strcmp(row->key, row->change.account);
  va_list args;
  int len;

  precondition->state = CA_PRECONDITION_DIFFERS;
  len = own || precondition->kind == CA_PRECONDITION_CONFIG
            ? snprintf(precondition->text, sizeof(precondition->text),
                       "the %s ", what)
            : snprintf(precondition->text, sizeof(precondition->text),
                       "the account %s ", row->change.account);
  va_start(args, fmt);
  if(len > 0 && (size_t)len < sizeof(precondition->text))
    vsnprintf(precondition->text + len,
              sizeof(precondition->text) - (size_t)len, fmt, args);
  va_end(args);
}

void ca_precondition_fail(struct ca_precondition *precondition,
                          const char *why)
{
  precondition->state = CA_PRECONDITION_FAILED;
  snprintf(precondition->text, sizeof(precondition->text),
           "not sent, because the precheck failed: %.180s", why);
}

static void check_gone(struct ca_precondition *precondition)
{
  /* the suspect may have deleted it; sending it again finds out */
  if(precondition->suspect &&
     precondition->suspect->row.change.api->repeat == CA_REPEAT_GONE_OK)
    precondition->state = CA_PRECONDITION_FINE;
  else
    differs(precondition, "is gone");
}

/* Would the suspect have given it this status? */
static bool explained(const struct ca_precondition *precondition,
                      const char *status)
{
  const char *becomes = precondition->suspect
                            ? precondition->suspect->row.change.api->becomes
                            : NULL;
  return becomes && !strcmp(status, becomes);
}

/* Reads the change's before-image, with `field` unless that is NULL. Returns
   false when the ledger cannot be read: the precondition then fails. */
static bool read_before(struct ca_apply *apply,
                        struct ca_precondition *precondition,
                        const struct ca_apply_change *change,
                        const struct ca_field *field,
                        struct ca_before *before_image)
{
  struct ca_err why;

  ca_err_clear(&why);
  if(!ca_ledger_before(apply->ledger, change->row.number, field, before_image,
                       &why))
    return true;
  ca_finish_lose_ledger(apply, &why);
  ca_precondition_fail(precondition, why.text);
  return false;
}

static bool sets(const struct ca_change *planned, const struct ca_field *field)
{
  struct ca_slice body = { planned->body, 0 };
  struct ca_slice value;

  if(!planned->body)
    return false;
  body.len = strlen(planned->body);
  return ca_proof_sent(field, body, &value) != CA_JSON_BAD;
}

/* May the suspect have given the field this value? One whose body the ledger
   does not hold may have given it any. */
static bool gave(const struct ca_apply_change *suspect,
                 const struct ca_field *field, const char *now)
{
  const struct ca_change *planned = suspect ? &suspect->row.change : NULL;
  char given[sizeof(((struct ca_before *)0)->text)];
  struct ca_slice body;
  struct ca_slice value;

  if(!planned || planned->api->probe != CA_PROBE_FIELDS)
    return false;
  if(!planned->body)
    return true;
  body = ca_slice_of(planned->body);
  if(!sets(planned, field))
    return false;
  if(ca_proof_sent(field, body, &value) != CA_JSON_STRING)
    value.data = NULL;
  ca_json_copy(value, given, sizeof(given));
  return !strcmp(now, given);
}

/* Does the field's value differ from the before-image, and from what the
   suspect may have made of it? */
static void check_field(struct ca_apply *apply,
                        struct ca_precondition *precondition,
                        const struct ca_apply_change *change,
                        const struct ca_field *field,
                        const struct ca_reply_account *account)
{
  struct ca_before before_image;
  struct ca_slice value;
  char now[sizeof(before_image.text)];
  char shown[80];
  char was[80];

  if(!read_before(apply, precondition, change, field, &before_image))
    return;
  if(ca_proof_shown(field, account->text, &value) != CA_JSON_STRING)
    value.data = NULL; /* not a string, such as null: same as empty */
  ca_json_copy(value, now, sizeof(now));
  if(!before_image.has_text || !strcmp(now, before_image.text) ||
     gave(precondition->suspect, field, now))
    return;
  ca_text_printable(shown, sizeof(shown), now, strlen(now));
  ca_text_printable(was, sizeof(was), before_image.text,
                    strlen(before_image.text));
  differs(precondition, "has the %s \"%s\" now, but the plan saw \"%s\"",
          field->name, shown, was);
}

/* Checks the fields that the item sets on this account and that the plan
   saw. */
static void check_fields(struct ca_apply *apply,
                         struct ca_precondition *precondition,
                         const struct ca_reply_account *account)
{
  const char *id = precondition->change->row.change.account;
  const struct ca_apply_change *change;
  const struct ca_field *field;

  if(!id)
    return;
  for(change = precondition->change; change; change = change->next) {
    const struct ca_change *planned = &change->row.change;
    if(!planned->account ||
       !ca_apply_item_is_open(apply, precondition->item, change) ||
       strcmp(planned->account, id) != 0)
      continue;
    for(field = planned->api->fields; field->name; field++)
      if(field->flags & CA_PLAN_SEES &&
         precondition->state == CA_PRECONDITION_FINE && sets(planned, field))
        check_field(apply, precondition, change, field, account);
  }
}

void ca_precondition_check(struct ca_apply *apply,
                           struct ca_precondition *precondition,
                           const struct ca_reply_account *account)
{
  char status[sizeof(((struct ca_before *)0)->status)];
  struct ca_before before_image;

  if(!account) {
    check_gone(precondition);
    return;
  }
  if(!read_before(apply, precondition, precondition->change, NULL,
                  &before_image))
    return;
  precondition->state = CA_PRECONDITION_FINE;
  ca_json_copy(account->status, status, sizeof(status));
  ca_text_copy(precondition->change->sent.status,
               sizeof(precondition->change->sent.status), status);
  precondition->change->sent.updated_ms = ca_reply_time(account->updated);
  if(!before_image.known || explained(precondition, status))
    return;
  if(before_image.status[0] && status[0] &&
     strcmp(status, before_image.status) != 0) {
    char shown[80];
    ca_text_printable(shown, sizeof(shown), status, strlen(status));
    differs(precondition, "is %s now, but the plan saw %s", shown,
            before_image.status);
  } else if(precondition->kind != CA_PRECONDITION_CONFIG &&
            account->says_disabled &&
            account->disabled != before_image.disabled)
    differs(precondition, "is %s now, but the plan saw it %s",
            account->disabled ? "disabled" : "enabled",
            before_image.disabled ? "disabled" : "enabled");
  else
    check_fields(apply, precondition, account);
}

/* Checks the filters of the list again, on the fields that the service
   shows. */
static bool is_users(const struct ca_change *create,
                     const struct ca_reply_account *account)
{
  if((account->user.data && !ca_json_is(account->user, create->user)) ||
     (account->config.data && !ca_json_is(account->config, create->config)))
    return false;
  /* else it may be anybody's */
  return account->user.data || ca_request_can_list(create->user);
}

/* Adds the id to those that were there before; without memory none is
   known. */
static void note_id(struct ca_sent *sent, const char *id)
{
  size_t used = sent->ids ? strlen(sent->ids) : 0;
  char *ids = realloc(sent->ids, used + strlen(id) + 3);

  if(ids)
    snprintf(ids + used, strlen(id) + 3, "%s%s ", used ? "" : " ", id);
  else
    free(sent->ids);
  sent->ids = ids;
}

void ca_precondition_check_create(struct ca_precondition *precondition,
                                  const struct ca_reply_account *account)
{
  const struct ca_change *create = &precondition->change->row.change;
  char id[160];
  char shown[170];

  if(!is_users(create, account))
    return;
  ca_json_copy(account->id, id, sizeof(id));
  note_id(&precondition->change->sent, id);
  if(!had_none(create->before_image) ||
     (account->status.data && !ca_json_is(account->status, "ACTIVE")))
    return;
  ca_text_printable(shown, sizeof(shown), id, strlen(id));
  precondition->state = CA_PRECONDITION_DIFFERS;
  snprintf(precondition->text, sizeof(precondition->text),
           "the user has connected after the plan was made (%s)", shown);
}

void ca_precondition_end_create(struct ca_precondition *precondition,
                                bool whole)
{
  struct ca_sent *sent = &precondition->change->sent;

  precondition->state = CA_PRECONDITION_FINE;
  if(whole && !sent->ids)
    sent->ids = strdup(" ");
  if(whole)
    return;
  free(sent->ids);
  sent->ids = NULL;
}
