/* What has to be as the plan saw it before an item's changes are sent, and
   whether it is. updated_at never counts: token refreshes move it.
   Must not know: how it is looked at. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "apply/apply_private.h"
#include "base/text.h"
#include "wire/proof.h"

bool ca_step_is_open(const struct ca_apply *apply, const struct ca_work *work,
                     const struct ca_step *step)
{
  if(work->single)
    return true;
  switch(step->row.outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return true;
  case CA_FAILED:
    return apply->which == CA_APPLY_FAILED;
  case CA_UNKNOWN:
    return apply->which != CA_APPLY_PLANNED &&
           step->row.change.api->repeat != CA_REPEAT_NEVER;
  default:
    return false;
  }
}

/* The plan saw no ACTIVE account of the user. */
static bool had_none(const char *image)
{
  int64_t active;

  return image && ca_json_integer(image, strlen(image), "$.active", &active) &&
         active == 0;
}

static enum ca_target_kind kind_of(const struct ca_step *step)
{
  const struct ca_change *change = &step->row.change;
  const char *account = change->account ? change->account : "";
  struct ca_slice id = { account, strlen(account) };

  if(change->api->probe == CA_PROBE_LISTED)
    return change->user && change->config && had_none(change->image)
               ? CA_TARGET_CREATE
               : CA_TARGET_NONE;
  /* what cannot be an id fails when it is to be sent, by itself */
  if(ca_check_id(id, "id", NULL))
    return CA_TARGET_NONE;
  if(!ca_api_of_accounts(change->api))
    return CA_TARGET_CONFIG;
  return strchr(account, ',') ? CA_TARGET_ACCOUNT : CA_TARGET_LISTED;
}

static bool is_irreversible(const struct ca_step *step)
{
  return step->row.change.cost == CA_IRREVERSIBLE ||
         step->row.change.api->cost == CA_IRREVERSIBLE;
}

bool ca_work_needs_look(struct ca_apply *apply, const struct ca_work *work,
                        size_t *count, bool *alone)
{
  bool needs = work->single || apply->look || apply->which != CA_APPLY_PLANNED;
  const struct ca_step *step;

  *count = 0;
  *alone = false;
  for(step = work->first; step && !needs; step = step->next)
    needs = is_irreversible(step) && ca_step_is_open(apply, work, step);
  if(!needs)
    return false;
  for(step = work->first; step; step = step->next) {
    enum ca_target_kind kind =
        ca_step_is_open(apply, work, step) ? kind_of(step) : CA_TARGET_NONE;
    *count += kind != CA_TARGET_NONE;
    *alone = *alone || (kind != CA_TARGET_NONE && kind != CA_TARGET_LISTED);
  }
  return *count > 0;
}

static bool same_target(const struct ca_target *target,
                        const struct ca_change *change,
                        enum ca_target_kind kind)
{
  const struct ca_change *known = &target->step->row.change;

  if(target->kind != kind)
    return false;
  if(kind == CA_TARGET_CREATE)
    return !strcmp(known->user, change->user) &&
           !strcmp(known->config, change->config);
  return !strcmp(known->account, change->account);
}

void ca_work_targets(struct ca_apply *apply, const struct ca_work *work,
                     struct ca_target *targets, size_t *count)
{
  size_t from = *count;
  const struct ca_step *step;

  for(step = work->first; step; step = step->next) {
    const struct ca_change *change = &step->row.change;
    enum ca_target_kind kind =
        ca_step_is_open(apply, work, step) ? kind_of(step) : CA_TARGET_NONE;
    size_t i = from;
    if(kind == CA_TARGET_NONE)
      continue;
    while(i < *count && !same_target(&targets[i], change, kind))
      i++;
    if(i == *count) {
      memset(&targets[i], 0, sizeof(targets[i]));
      targets[i].work = work;
      targets[i].step = step;
      targets[i].kind = kind;
      ++*count;
    }
    /* what left once may still come to something, whatever was found since */
    if((step->row.outcome == CA_UNKNOWN || step->row.sent_ms) &&
       !targets[i].doubt)
      targets[i].doubt = step;
  }
}

/* Verdicts. */

static void differs(struct ca_target *target, const char *fmt, ...)
    CA_PRINTF(2, 3);

/* The text begins with what it is about; an account that is not the item's own
   is named. */
static void differs(struct ca_target *target, const char *fmt, ...)
{
  const struct ca_change_row *row = &target->step->row;
  const char *what = ca_api_noun(row->change.api);
  bool own = row->key && !strcmp(row->key, row->change.account);
  va_list args;
  int len;

  target->state = CA_TARGET_DIFFERS;
  len = own || target->kind == CA_TARGET_CONFIG
            ? snprintf(target->text, sizeof(target->text), "the %s ", what)
            : snprintf(target->text, sizeof(target->text), "the account %s ",
                       row->change.account);
  va_start(args, fmt);
  if(len > 0 && (size_t)len < sizeof(target->text))
    vsnprintf(target->text + len, sizeof(target->text) - (size_t)len, fmt,
              args);
  va_end(args);
}

void ca_target_fail(struct ca_target *target, const char *why)
{
  target->state = CA_TARGET_FAILED;
  snprintf(target->text, sizeof(target->text),
           "not sent, because the precheck failed: %.180s", why);
}

static void judge_gone(struct ca_target *target)
{
  /* perhaps by that change itself, and sending it again finds out */
  if(target->doubt &&
     target->doubt->row.change.api->repeat == CA_REPEAT_GONE_OK)
    target->state = CA_TARGET_FINE;
  else
    differs(target, "is gone");
}

/* Is it as a change would have made it that may have happened? */
static bool explained(const struct ca_target *target, const char *status)
{
  const char *becomes =
      target->doubt ? target->doubt->row.change.api->becomes : NULL;
  return becomes && !strcmp(status, becomes);
}

/* The image that the step's plan saw, with the field, or NULL. False when the
   ledger cannot be read: the target has failed. */
static bool read_image(struct ca_apply *apply, struct ca_target *target,
                       const struct ca_step *step,
                       const struct ca_field *field, struct ca_before *image)
{
  struct ca_err why;

  ca_err_clear(&why);
  if(!ca_ledger_before(apply->ledger, step->row.number, field, image, &why))
    return true;
  ca_apply_lose_ledger(apply, &why);
  ca_target_fail(target, why.text);
  return false;
}

static bool sets(const struct ca_change *change, const struct ca_field *field)
{
  struct ca_slice body = { change->body, 0 };
  struct ca_slice value;

  if(!change->body)
    return false;
  body.len = strlen(change->body);
  return ca_proof_sent(field, body, &value) != CA_JSON_BAD;
}

/* Is the field another one than the plan saw? A doubtful change may have set
   any. */
static void judge_field(struct ca_apply *apply, struct ca_target *target,
                        const struct ca_step *step,
                        const struct ca_field *field,
                        const struct ca_reply_account *account)
{
  struct ca_before image;
  struct ca_slice value;
  char now[sizeof(image.text)];
  char shown[80];
  char was[80];

  if(!read_image(apply, target, step, field, &image))
    return;
  if(ca_proof_shown(field, account->text, &value) != CA_JSON_STRING)
    value.data = NULL; /* null, say: it is empty */
  ca_json_copy(value, now, sizeof(now));
  if(!image.has_text || !strcmp(now, image.text))
    return;
  ca_text_printable(shown, sizeof(shown), now, strlen(now));
  ca_text_printable(was, sizeof(was), image.text, strlen(image.text));
  differs(target, "has the %s \"%s\" now, but the plan saw \"%s\"",
          field->name, shown, was);
}

/* The fields that the work is to set on this account, and that its plan saw.
 */
static void judge_fields(struct ca_apply *apply, struct ca_target *target,
                         const struct ca_reply_account *account)
{
  const struct ca_step *step;
  const struct ca_field *field;

  if(target->doubt && target->doubt->row.change.api->probe == CA_PROBE_FIELDS)
    return;
  for(step = target->step; step; step = step->next) {
    const struct ca_change *change = &step->row.change;
    if(!change->account || !ca_step_is_open(apply, target->work, step) ||
       strcmp(change->account, target->step->row.change.account) != 0)
      continue;
    for(field = change->api->fields; field->name; field++)
      if(field->flags & CA_PLAN_SEES && target->state == CA_TARGET_FINE &&
         sets(change, field))
        judge_field(apply, target, step, field, account);
  }
}

void ca_target_judge(struct ca_apply *apply, struct ca_target *target,
                     const struct ca_reply_account *account)
{
  char status[sizeof(((struct ca_before *)0)->status)];
  struct ca_before image;

  if(!account) {
    judge_gone(target);
    return;
  }
  if(!read_image(apply, target, target->step, NULL, &image))
    return;
  target->state = CA_TARGET_FINE;
  ca_json_copy(account->status, status, sizeof(status));
  if(!image.known || explained(target, status))
    return;
  if(image.status[0] && status[0] && strcmp(status, image.status) != 0) {
    char shown[80];
    ca_text_printable(shown, sizeof(shown), status, strlen(status));
    differs(target, "is %s now, but the plan saw %s", shown, image.status);
  } else if(target->kind != CA_TARGET_CONFIG && account->says_disabled &&
            account->disabled != image.disabled)
    differs(target, "is %s now, but the plan saw it %s",
            account->disabled ? "disabled" : "enabled",
            image.disabled ? "disabled" : "enabled");
  else
    judge_fields(apply, target, account);
}

void ca_target_judge_create(struct ca_target *target, const char *found)
{
  target->state = found ? CA_TARGET_DIFFERS : CA_TARGET_FINE;
  if(found) {
    char shown[170];
    ca_text_printable(shown, sizeof(shown), found, strlen(found));
    snprintf(target->text, sizeof(target->text),
             "the user has connected after the plan was made (%s)", shown);
  }
}
