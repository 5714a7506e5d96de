/* Carries out the ledger's changes. Items move from queue to queue:
     read -> unseen (a precheck is due) -> fit -> ready (its intent is
       durable) -> under way -> ended
   and to "begun" when the item has another change. Intents are written in
   groups, for more items than may run at once, so that one sync covers many.
   Single changes wait in "direct"; they are sent before those of a bulk and
   do not count against its concurrency.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

#define GROUP_LEAST 64

struct ca_apply *ca_apply_new(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_apply *apply = calloc(1, sizeof(*apply));

  if(!apply) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  apply->engine = engine;
  apply->endpoint = endpoint;
  apply->ledger = ledger;
  apply->read_all = true;
  return apply;
}

void ca_apply_free(struct ca_apply *apply)
{
  if(!apply)
    return;
  while(apply->under_way) {
    struct ca_apply_item *item = apply->under_way;
    ca_engine_cancel(apply->engine, item->op, NULL);
    ca_send_leave(apply, item);
    ca_apply_item_free(item);
  }
  ca_precheck_drop_all(apply, true);
  ca_changes_close(&apply->changes);
  ca_apply_item_free(apply->reading);
  ca_apply_item_clear(&apply->unseen);
  ca_apply_item_clear(&apply->direct);
  ca_apply_item_clear(&apply->fit);
  ca_apply_item_clear(&apply->begun);
  ca_apply_item_clear(&apply->ready);
  ca_apply_secret_clear(apply);
  free(apply->numbers);
  free(apply);
}

/* After a stop: items that have an intent or have begun end as CA_NOT_TRIED;
   items that were only read keep their rows in the ledger as they are. */
static void drop(struct ca_apply *apply)
{
  struct ca_apply_item *item;

  if(!apply->stopped || apply->dropping || apply->depth)
    return;
  apply->dropping = true;
  while((item = ca_apply_item_pop(&apply->ready)) ||
        (item = ca_apply_item_pop(&apply->begun)))
    ca_finish_rest(apply, item, CA_NOT_TRIED, ca_finish_why_stopped(apply));
  ca_precheck_drop_all(apply, false);
  while((item = ca_apply_item_pop(&apply->fit)) ||
        (item = ca_apply_item_pop(&apply->direct)) ||
        (item = ca_apply_item_pop(&apply->unseen)))
    ca_finish_drop(apply, item);
  ca_apply_item_free(apply->reading);
  apply->reading = NULL;
  apply->dropping = false;
}

/* ---- Single changes, outside a bulk ---- */

static enum ca_code may_send_one(const struct ca_apply *apply,
                                 struct ca_err *err)
{
  enum ca_code code = ca_apply_failed(apply, err);

  if(!code && apply->stopped)
    return ca_err_set(err, CA_CANCELLED, "not sent: %s",
                      ca_finish_why_stopped(apply));
  return code;
}

/* Queues the row's change: the next turn prechecks or sends it. */
static enum ca_code push_direct(struct ca_apply *apply,
                                const struct ca_change_row *row, bool precheck,
                                struct ca_slice secret, ca_applied_fn *visit,
                                void *owner, struct ca_err *err)
{
  struct ca_apply_item *item = calloc(1, sizeof(*item));

  if(!item || !ca_apply_item_add_change(item, row) ||
     (secret.len &&
      ca_apply_secret_keep(apply, row->number, secret.data, secret.len))) {
    ca_apply_item_free(item);
    return ca_err_set(err, CA_NOMEM, "out of memory");
  }
  item->number = row->item;
  item->single = true;
  item->visit = visit;
  item->owner = owner;
  item->precheck = precheck;
  ca_apply_item_push(&apply->direct, item);
  return CA_OK;
}

enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                          const struct ca_change *change,
                          struct ca_slice secret, ca_applied_fn *visit,
                          void *owner, int64_t *number, struct ca_err *err)
{
  struct ca_change_row row = { .item = item, .change = *change, .key = "" };
  enum ca_code code = may_send_one(apply, err);

  if(!code && change->outcome != CA_PLANNED)
    code = ca_err_set(err, CA_USAGE, "only a planned change can be sent");
  if(!code)
    code = ca_plan_rows_add_change(apply->ledger, item, change, number, err);
  if(code)
    return code;
  row.number = *number;
  return push_direct(apply, &row,
                     change->cost == CA_IRREVERSIBLE ||
                         change->api->probe == CA_PROBE_MOVED,
                     secret, visit, owner, err);
}

enum ca_code ca_apply_recorded(struct ca_apply *apply, int64_t number,
                               struct ca_slice secret, ca_applied_fn *visit,
                               void *owner, struct ca_err *err)
{
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  enum ca_code code = may_send_one(apply, err);

  if(code)
    return code;
  ca_changes_open_one(&changes, apply->ledger, number);
  code = ca_changes_next(&changes, &row, err);
  if(!code && !row)
    code = ca_err_set(err, CA_USAGE, "the run has no change %lld",
                      (long long)number);
  else if(!code && !ca_verdict_is_open(row->change.api, row->outcome, true))
    code = ca_err_set(err, CA_USAGE,
                      "change %lld is not sent again: its outcome is %s",
                      (long long)number, ca_change_outcome_name(row->outcome));
  else if(!code)
    code = push_direct(apply, row, true, secret, visit, owner, err);
  ca_changes_close(&changes);
  return code;
}

/* ---- Intents in groups: one sync for all of them ---- */

/* Pops the queue's next item. An item that needs a new precheck goes back
   to be prechecked instead: its accounts were read too long ago, because
   the plan was long or a person made it wait, or the item has changed its
   account since its precheck. */
static struct ca_apply_item *pop_fresh(struct ca_apply *apply,
                                       struct ca_apply_queue *queue)
{
  struct ca_apply_item *item;
  int64_t now;

  if(!queue->first)
    return NULL;
  now = ca_clock_mono_ms(ca_engine_clock(apply->engine));
  while((item = ca_apply_item_pop(queue))) {
    if(now <= ca_precondition_until(item))
      break;
    ca_precheck_repeat(apply, item);
  }
  return item;
}

/* Sets *item to the next item for the group, NULL when there is none now. */
static enum ca_code next_item(struct ca_apply *apply,
                              struct ca_apply_item **item, struct ca_err *err)
{
  enum ca_code code;

  *item = pop_fresh(apply, &apply->begun);
  if(!*item)
    *item = pop_fresh(apply, &apply->fit);
  if(*item || apply->prechecks_first)
    return CA_OK;
  code = ca_reader_next(apply, item, err);
  if(*item && ca_precondition_count(apply, *item, NULL)) {
    apply->prechecks_first = true; /* from now on ca_precheck_ahead reads */
    ca_apply_item_push(&apply->unseen, *item);
    *item = NULL;
  }
  return code;
}

/* Stores what is known now, so that it can be found out later whether the
   change happened. */
static enum ca_code note_sent(struct ca_apply *apply,
                              struct ca_apply_change *change,
                              struct ca_err *err)
{
  change->sent.service_ms = ca_endpoint_service_ms(
      apply->endpoint, ca_clock_mono_ms(ca_engine_clock(apply->engine)));
  return ca_outcome_note_sent(apply->ledger, change->row.number, &change->sent,
                              err);
}

/* Writes the intents of the items' first changes durably and moves the items
   to the queue `intended`. If that fails, nothing may be sent: the items go to
   `begun`, and are reported when the queues are dropped. numbers: room for one
   of each item. Changes that get their first intent are put at its beginning,
   those that get another at its end. */
static enum ca_code intend(struct ca_apply *apply,
                           struct ca_apply_queue *group, int64_t *numbers,
                           struct ca_apply_queue *intended, struct ca_err *err)
{
  struct ca_apply_item *item;
  size_t fresh = 0;
  size_t others = group->count;
  enum ca_code code = CA_OK;

  for(item = group->first; item && !code; item = item->next)
    if(item->single || item->first->row.change.api->repeat == CA_REPEAT_NEVER)
      code = note_sent(apply, item->first, err);
  for(item = group->first; item; item = item->next)
    numbers[item->first->fresh ? fresh++ : --others] = item->first->row.number;
  if(!code && fresh)
    code = ca_outcome_intend(apply->ledger, numbers, fresh, err);
  if(!code && others < group->count)
    code = ca_outcome_reintend(apply->ledger, numbers + others,
                               group->count - others, err);
  if(!code && group->count)
    apply->unsynced_ms = 0;
  while((item = ca_apply_item_pop(group))) {
    item->first->fresh = item->first->fresh && code;
    item->intended = !code;
    ca_apply_item_push(code ? &apply->begun : intended, item);
  }
  return code;
}

/* When the process dies, changes that have an intent but were not sent look
   the same as those that were. Where sending twice does harm, only a few are
   intended ahead. */
static bool is_far_ahead(const struct ca_apply *apply,
                         const struct ca_apply_queue *group,
                         const struct ca_apply_item *item)
{
  return apply->ready.count + group->count >= apply->careful &&
         item->first->row.change.api->repeat == CA_REPEAT_NEVER;
}

static enum ca_code gather(struct ca_apply *apply,
                           struct ca_apply_queue *group, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->stopped &&
        apply->ready.count + group->count < apply->group) {
    struct ca_apply_item *item;
    code = next_item(apply, &item, err);
    if(!item)
      break;
    if(is_far_ahead(apply, group, item)) {
      ca_apply_item_push(&apply->begun, item); /* first in the next group */
      break;
    }
    ca_apply_item_push(group, item);
  }
  return code;
}

static enum ca_code intend_group(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_apply_queue group = { NULL, NULL, 0 };
  struct ca_apply_item *item;
  enum ca_code code = gather(apply, &group, err);

  if(!code && !apply->stopped)
    return intend(apply, &group, apply->numbers, &apply->ready, err);
  while((item = ca_apply_item_pop(&group)))
    ca_apply_item_push(&apply->begun, item);
  return code;
}

/* Prechecks or sends single changes. They do not count against a bulk's
   concurrency. */
static enum ca_code send_direct(struct ca_apply *apply, struct ca_err *err)
{
  int64_t numbers[GROUP_LEAST];
  struct ca_apply_queue group = { NULL, NULL, 0 };
  struct ca_apply_queue intended = { NULL, NULL, 0 };
  struct ca_apply_item *item;
  enum ca_code code = CA_OK;

  while(!apply->stopped && group.count < GROUP_LEAST &&
        (item = ca_apply_item_pop(&apply->direct))) {
    if(item->precheck && !item->seen_ms)
      ca_precheck_single(apply, item);
    else
      ca_apply_item_push(&group, item);
  }
  if(!apply->stopped)
    code = intend(apply, &group, numbers, &intended, err);
  while((item = ca_apply_item_pop(&group)))
    ca_apply_item_push(&apply->begun, item);
  while((item = ca_apply_item_pop(&intended)))
    if(apply->stopped)
      ca_apply_item_push(&apply->ready, item); /* drop() ends it */
    else
      ca_send_submit(apply, item);
  return code;
}

static void sync_outcomes(struct ca_apply *apply)
{
  struct ca_err why;

  ca_err_clear(&why);
  if(ca_ledger_sync(apply->ledger, &why))
    ca_finish_lose_ledger(apply, &why);
  else
    apply->unsynced_ms = 0;
}

static bool is_sync_due(const struct ca_apply *apply)
{
  bool idle = !apply->active && !apply->singles && !apply->ready.count;

  return apply->unsynced_ms &&
         (idle || ca_clock_mono_ms(ca_engine_clock(apply->engine)) >=
                      apply->unsynced_ms);
}

static bool has_queued(const struct ca_apply *apply)
{
  return apply->reading || apply->unseen.count || apply->fit.count ||
         apply->begun.count;
}

static bool has_more(const struct ca_apply *apply)
{
  return !apply->read_all || has_queued(apply);
}

enum ca_code ca_apply_start(struct ca_apply *apply,
                            const struct ca_apply_options *options,
                            ca_applied_fn *visit, void *owner,
                            struct ca_err *err)
{
  size_t many = options->concurrency > 0 ? (size_t)options->concurrency : 1;
  size_t careful = many * 2 > GROUP_LEAST ? many * 2 : GROUP_LEAST;
  size_t group = many * 4 > GROUP_LEAST ? many * 4 : GROUP_LEAST;
  int64_t *numbers;
  enum ca_code code;

  code = ca_apply_failed(apply, err);
  if(code)
    return code;
  if(apply->active || apply->prechecking || apply->ready.count ||
     has_queued(apply))
    return ca_err_set(err, CA_USAGE,
                      "another bulk is already being carried out");
  /* the plan must be on disk before any of it is carried out */
  code = ca_ledger_sync(apply->ledger, err);
  if(code)
    return code;
  numbers = realloc(apply->numbers, group * sizeof(*numbers));
  if(!numbers)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  apply->numbers = numbers;
  apply->which = options->which;
  apply->seen_ms = options->seen_ms;
  apply->ahead = CA_PROBE_PAGE;
  apply->prechecks_first = false;
  apply->items = options->items;
  apply->pulled = 0;
  apply->concurrency = many;
  apply->group = group;
  apply->careful = careful;
  apply->visit = visit;
  apply->wants = options->wants;
  apply->owner = owner;
  /* in a resumed run, other outcomes are reported too, or end their items */
  ca_changes_close(&apply->changes);
  ca_changes_open(&apply->changes, apply->ledger, options->bulk,
                  options->which == CA_APPLY_PLANNED
                      ? 1U << CA_PLANNED | 1U << CA_SAME | 1U << CA_SKIPPED
                      : CA_ANY_OUTCOME);
  apply->read_all = false;
  return CA_OK;
}

/* Are more intents needed to use the full concurrency? Not earlier: a sync
   costs as much as several exchanges, and blocks the loop. */
static bool too_few_ready(const struct ca_apply *apply)
{
  return apply->ready.count + apply->active < apply->concurrency;
}

/* Starts prechecks and writes intents for the next group. */
static enum ca_code prepare(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code;
  size_t unseen;

  do {
    code = ca_precheck_ahead(apply, err);
    unseen = apply->unseen.count;
    if(!code && !apply->stopped && too_few_ready(apply))
      code = intend_group(apply, err);
    /* an item that turned out to need a precheck gets it in this turn */
  } while(!code && !apply->stopped && apply->unseen.count > unseen);
  return code;
}

void ca_apply_turn(struct ca_apply *apply)
{
  struct ca_err why;

  drop(apply);
  ca_err_clear(&why);
  while(!apply->stopped && apply->direct.first)
    if(send_direct(apply, &why))
      ca_finish_lose_ledger(apply, &why);
  drop(apply);
}

enum ca_code ca_apply_fill(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_err why;

  ca_err_clear(&why);
  ca_apply_turn(apply);
  if(!apply->stopped && has_more(apply) && prepare(apply, &why))
    ca_finish_lose_ledger(apply, &why);
  while(!apply->stopped && apply->active < apply->concurrency &&
        apply->ready.first)
    ca_send_submit(apply, ca_apply_item_pop(&apply->ready));
  if(!apply->failed.code && is_sync_due(apply))
    sync_outcomes(apply);
  drop(apply);
  return ca_apply_failed(apply, err);
}

uint64_t ca_apply_visits(const struct ca_apply *apply)
{
  return apply->visits;
}

bool ca_apply_paused(const struct ca_apply *apply)
{
  return !apply->stopped && apply->items && apply->pulled >= apply->items &&
         !apply->active && !apply->prechecking && !apply->ready.count &&
         !apply->begun.count && !apply->fit.count && !apply->unseen.count &&
         !apply->read_all;
}

void ca_apply_go_on(struct ca_apply *apply)
{
  apply->items = 0;
}

bool ca_apply_finished(const struct ca_apply *apply)
{
  if(apply->under_way || apply->prechecks || apply->direct.count ||
     apply->ready.count)
    return false;
  return apply->stopped ? !has_queued(apply) : !has_more(apply);
}

enum ca_code ca_apply_failed(const struct ca_apply *apply, struct ca_err *err)
{
  if(apply->failed.code && err)
    *err = apply->failed;
  return apply->failed.code;
}

bool ca_apply_key_rejected(const struct ca_apply *apply)
{
  return apply->key_rejected;
}

bool ca_apply_no_route(const struct ca_apply *apply)
{
  return apply->no_route;
}

void ca_apply_stop(struct ca_apply *apply)
{
  apply->stopped = true;
  drop(apply);
}

enum ca_code ca_apply_abandon(struct ca_apply *apply, struct ca_err *err)
{
  apply->stopped = true;
  while(apply->under_way)
    ca_send_abandon(apply, apply->under_way);
  drop(apply);
  if(!apply->failed.code)
    sync_outcomes(apply);
  return ca_apply_failed(apply, err);
}
