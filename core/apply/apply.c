/* Carrying out the ledger's changes. Works go from queue to queue:
     waiting -> (look, where one is due) -> fit -> (intent, in groups)
       -> ready -> under way -> ended
   and back to "again" when the item has another change. Intents are written
   for more works than may run, so that one sync serves many of them. Single
   changes wait in "direct"; they go before those of a bulk and beside them.
   Must not know: Lua, what a script is. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

#define GROUP_LEAST 64
/* What was looked at longer ago is looked at again. */
#define LOOK_KEEPS_MS 30000

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
    struct ca_work *work = apply->under_way;
    ca_engine_cancel(apply->engine, work->op, NULL);
    ca_apply_leave(apply, work);
    ca_work_free(work);
  }
  ca_apply_drop_looks(apply, true);
  ca_changes_close(&apply->changes);
  ca_work_clear(&apply->waiting);
  ca_work_clear(&apply->unseen);
  ca_work_clear(&apply->direct);
  ca_work_clear(&apply->fit);
  ca_work_clear(&apply->again);
  ca_work_clear(&apply->ready);
  ca_kept_clear(apply);
  free(apply->numbers);
  free(apply);
}

static enum ca_code give(const struct ca_err *why, struct ca_err *err)
{
  if(err)
    *err = *why;
  return why->code;
}

/* Once stopped: what has an intent but was not sent, and what was begun, is
   not tried; what was only read stays as it is in the ledger. */
static void drop(struct ca_apply *apply)
{
  struct ca_work *work;

  if(!apply->stopped || apply->dropping || apply->depth)
    return;
  apply->dropping = true;
  while((work = ca_work_pop(&apply->ready)) ||
        (work = ca_work_pop(&apply->again)))
    ca_apply_end_rest(apply, work, CA_NOT_TRIED, ca_apply_why_stopped(apply));
  ca_apply_drop_looks(apply, false);
  while((work = ca_work_pop(&apply->fit)) ||
        (work = ca_work_pop(&apply->direct)) ||
        (work = ca_work_pop(&apply->unseen)))
    ca_apply_leave_alone(apply, work);
  ca_work_clear(&apply->waiting);
  apply->dropping = false;
}

/* Single changes, outside a bulk. */

static struct ca_work *single_work(const struct ca_change_row *row,
                                   ca_applied_fn *visit, void *owner)
{
  struct ca_work *work = calloc(1, sizeof(*work));
  struct ca_step *step = work ? ca_step_new(row) : NULL;

  if(!step) {
    free(work);
    return NULL;
  }
  work->item = row->item;
  work->complete = true;
  work->single = true;
  work->visit = visit;
  work->owner = owner;
  ca_work_add(work, step);
  return work;
}

static enum ca_code may_send_one(const struct ca_apply *apply,
                                 struct ca_err *err)
{
  if(apply->failed.code)
    return give(&apply->failed, err);
  if(apply->stopped)
    return ca_err_set(err, CA_CANCELLED, "not sent: %s",
                      ca_apply_why_stopped(apply));
  return CA_OK;
}

/* Queues the row's change: the next turn sends it, or looks first. */
static enum ca_code push_direct(struct ca_apply *apply,
                                const struct ca_change_row *row, bool look,
                                struct ca_slice secret, ca_applied_fn *visit,
                                void *owner, struct ca_err *err)
{
  struct ca_work *work = single_work(row, visit, owner);

  if(!work || (secret.len && ca_apply_keep_secret(apply, row->number,
                                                  secret.data, secret.len))) {
    ca_work_free(work);
    return ca_err_set(err, CA_NOMEM, "out of memory");
  }
  work->look = look;
  ca_work_push(&apply->direct, work);
  return CA_OK;
}

enum ca_code ca_apply_one(struct ca_apply *apply, int64_t item,
                          const struct ca_change *change,
                          struct ca_slice secret, ca_applied_fn *visit,
                          void *owner, int64_t *number, struct ca_err *err)
{
  struct ca_change_row row = { .item = item, .change = *change, .key = "" };
  struct ca_err why;
  enum ca_code code = may_send_one(apply, err);

  if(code)
    return code;
  if(change->outcome != CA_PLANNED)
    return ca_err_set(err, CA_USAGE, "only a planned change can be sent");
  ca_err_clear(&why);
  code = ca_plan_rows_add_change(apply->ledger, item, change, number, &why);
  row.number = *number;
  if(!code)
    code = push_direct(apply, &row, false, secret, visit, owner, &why);
  if(code && err)
    *err = why;
  return code;
}

static enum ca_code check_recorded(const struct ca_change_row *row,
                                   struct ca_err *err)
{
  if(row->outcome == CA_PLANNED || row->outcome == CA_NOT_TRIED ||
     row->outcome == CA_FAILED)
    return CA_OK;
  if(row->outcome == CA_UNKNOWN && row->change.api->repeat != CA_REPEAT_NEVER)
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "change %lld is not sent again: its outcome is %s",
                    (long long)row->number, ca_outcome_name(row->outcome));
}

/* The change of that number, which may be sent; NULL with err set. */
static struct ca_step *read_recorded(struct ca_apply *apply, int64_t number,
                                     struct ca_err *err)
{
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  struct ca_step *step = NULL;
  enum ca_code code;

  ca_changes_open_one(&changes, apply->ledger, number);
  code = ca_changes_next(&changes, &row, err);
  if(!code && !row)
    code = ca_err_set(err, CA_USAGE, "the run has no change %lld",
                      (long long)number);
  if(!code)
    code = check_recorded(row, err);
  if(!code) {
    step = ca_step_new(row);
    if(!step)
      ca_err_set(err, CA_NOMEM, "out of memory");
  }
  ca_changes_close(&changes);
  return step;
}

enum ca_code ca_apply_recorded(struct ca_apply *apply, int64_t number,
                               struct ca_slice secret, ca_applied_fn *visit,
                               void *owner, struct ca_err *err)
{
  struct ca_step *step;
  struct ca_err why;
  enum ca_code code = may_send_one(apply, err);

  if(code)
    return code;
  ca_err_clear(&why);
  step = read_recorded(apply, number, &why);
  code = step
             ? push_direct(apply, &step->row, true, secret, visit, owner, &why)
             : why.code;
  free(step);
  if(code && err)
    *err = why;
  return code;
}

/* Intents in groups: one sync for all of them. */

/* The queue's next work. One that was looked at and has waited for too long
   since, for the service's pace or a person, is looked at again. */
static struct ca_work *pop_fresh(struct ca_apply *apply,
                                 struct ca_work_queue *queue)
{
  struct ca_work *work;
  int64_t now;

  if(!queue->first)
    return NULL;
  now = ca_clock_mono_ms(ca_engine_clock(apply->engine));
  while((work = ca_work_pop(queue))) {
    if(!work->looked_ms || now - work->looked_ms < LOOK_KEEPS_MS)
      break;
    ca_work_push(&apply->unseen, work);
  }
  return work;
}

/* The next work for the group, NULL when there is none now. */
static enum ca_code next_work(struct ca_apply *apply, struct ca_work **work,
                              struct ca_err *err)
{
  enum ca_code code;
  size_t count;
  bool alone;

  *work = pop_fresh(apply, &apply->again);
  if(!*work)
    *work = pop_fresh(apply, &apply->fit);
  if(*work || apply->looks_first)
    return CA_OK;
  code = ca_apply_pull(apply, work, err);
  if(*work && ca_work_needs_look(apply, *work, &count, &alone)) {
    apply->looks_first = true; /* from here on they are looked for ahead */
    ca_work_push(&apply->unseen, *work);
    *work = NULL;
  }
  return code;
}

/* A group of works, and their changes' numbers: those that get their first
   intent, and behind the room for `size` of them those that get another. */
struct group {
  struct ca_work_queue works;
  int64_t *numbers;
  size_t size;
  size_t fresh;
  size_t others;
};

static void join(struct group *group, struct ca_work *work)
{
  if(work->first->fresh)
    group->numbers[group->fresh++] = work->first->row.number;
  else
    group->numbers[group->size + group->others++] = work->first->row.number;
  ca_work_push(&group->works, work);
}

/* Writes the group's intents in one durable commit, and moves its works to the
   queue. Without intent nothing is sent: then they go back to `again`, and are
   told of when all is dropped. */
static enum ca_code intend(struct ca_apply *apply, struct group *group,
                           struct ca_work_queue *intended, struct ca_err *err)
{
  struct ca_work *work;
  enum ca_code code = CA_OK;

  if(group->fresh)
    code = ca_outcome_intend(apply->ledger, group->numbers, group->fresh, err);
  if(!code && group->others)
    code = ca_outcome_reintend(apply->ledger, group->numbers + group->size,
                               group->others, err);
  if(!code && group->works.count)
    apply->unsynced_ms = 0;
  while((work = ca_work_pop(&group->works))) {
    work->intended = !code;
    ca_work_push(code ? &apply->again : intended, work);
  }
  return code;
}

/* Changes that are not sent yet when the process dies cannot be told from
   those that are. Where sending twice does harm only few are intended ahead.
 */
static bool is_far_ahead(const struct ca_apply *apply,
                         const struct group *group, const struct ca_work *work)
{
  return apply->ready.count + group->works.count >= apply->careful &&
         work->first->row.change.api->repeat == CA_REPEAT_NEVER;
}

static enum ca_code gather(struct ca_apply *apply, struct group *group,
                           struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && !apply->stopped &&
        apply->ready.count + group->works.count < apply->group) {
    struct ca_work *work;
    code = next_work(apply, &work, err);
    if(!work)
      break;
    if(is_far_ahead(apply, group, work)) {
      ca_work_push(&apply->again, work); /* the first of the next group */
      break;
    }
    join(group, work);
  }
  return code;
}

static enum ca_code intend_group(struct ca_apply *apply, struct ca_err *err)
{
  struct group group = { .numbers = apply->numbers, .size = apply->group };
  struct ca_work *work;
  enum ca_code code = gather(apply, &group, err);

  if(!code && !apply->stopped)
    return intend(apply, &group, &apply->ready, err);
  while((work = ca_work_pop(&group.works)))
    ca_work_push(&apply->again, work);
  return code;
}

/* Single changes go before those of a bulk, and take none of its places. */
static enum ca_code send_direct(struct ca_apply *apply, struct ca_err *err)
{
  int64_t numbers[2 * GROUP_LEAST];
  struct group group = { .numbers = numbers, .size = GROUP_LEAST };
  struct ca_work_queue intended = { NULL, NULL, 0 };
  struct ca_work *work;
  enum ca_code code = CA_OK;

  while(!apply->stopped && group.works.count < GROUP_LEAST &&
        (work = ca_work_pop(&apply->direct))) {
    if(work->look && !work->looked_ms)
      ca_apply_look_single(apply, work);
    else
      join(&group, work);
  }
  if(!apply->stopped)
    code = intend(apply, &group, &intended, err);
  while((work = ca_work_pop(&group.works)))
    ca_work_push(&apply->again, work);
  while((work = ca_work_pop(&intended)))
    if(apply->stopped)
      ca_work_push(&apply->ready, work); /* dropped from there */
    else
      ca_apply_submit(apply, work);
  return code;
}

static enum ca_code sync_late(struct ca_apply *apply, struct ca_err *err)
{
  bool idle = !apply->active && !apply->singles && !apply->ready.count;
  enum ca_code code;

  if(!apply->unsynced_ms)
    return CA_OK;
  if(!idle &&
     ca_clock_mono_ms(ca_engine_clock(apply->engine)) < apply->unsynced_ms)
    return CA_OK;
  code = ca_ledger_sync(apply->ledger, err);
  if(!code)
    apply->unsynced_ms = 0;
  return code;
}

static bool has_queued(const struct ca_apply *apply)
{
  return apply->waiting.count || apply->unseen.count || apply->fit.count ||
         apply->again.count;
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

  if(apply->failed.code)
    return give(&apply->failed, err);
  if(apply->active || apply->looking || apply->ready.count ||
     has_queued(apply))
    return ca_err_set(err, CA_USAGE,
                      "another bulk is already being carried out");
  /* the plan is on disk before any of it is acted on */
  code = ca_ledger_sync(apply->ledger, err);
  if(code)
    return code;
  numbers = realloc(apply->numbers, group * 2 * sizeof(*numbers));
  if(!numbers)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  apply->numbers = numbers;
  apply->which = options->which;
  apply->look = options->look;
  apply->looks_first = false;
  apply->items = options->items;
  apply->pulled = 0;
  apply->concurrency = many;
  apply->group = group;
  apply->careful = careful;
  apply->visit = visit;
  apply->owner = owner;
  /* of a run that goes on the others are told, too, or end their items */
  ca_changes_close(&apply->changes);
  ca_changes_open(&apply->changes, apply->ledger, options->bulk,
                  options->which == CA_APPLY_PLANNED
                      ? 1U << CA_PLANNED | 1U << CA_SAME | 1U << CA_SKIPPED
                      : CA_ANY_OUTCOME);
  apply->read_all = false;
  return CA_OK;
}

/* Only when a place would stay empty: a sync costs as much as several
   exchanges, and the loop stands still in it whenever it comes. */
static bool too_few_ready(const struct ca_apply *apply)
{
  return apply->ready.count + apply->active < apply->concurrency;
}

/* Looks ahead, and intents for the next group. */
static enum ca_code prepare(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code;

  do {
    code = ca_apply_look_ahead(apply, err);
    if(!code && !apply->stopped && too_few_ready(apply))
      code = intend_group(apply, err);
    /* what turned out to need a look does not wait for another turn */
  } while(!code && !apply->stopped && apply->unseen.count &&
          !apply->look_count && apply->fit.count < apply->group);
  return code;
}

void ca_apply_turn(struct ca_apply *apply)
{
  struct ca_err why;

  drop(apply);
  ca_err_clear(&why);
  while(!apply->stopped && apply->direct.first)
    if(send_direct(apply, &why))
      ca_apply_lose_ledger(apply, &why);
  drop(apply);
}

enum ca_code ca_apply_fill(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code = CA_OK;

  ca_err_clear(&why);
  ca_apply_turn(apply);
  if(!apply->stopped && has_more(apply))
    code = prepare(apply, &why);
  if(!code && !apply->failed.code) {
    while(!apply->stopped && apply->active < apply->concurrency &&
          apply->ready.first)
      ca_apply_submit(apply, ca_work_pop(&apply->ready));
    code = sync_late(apply, &why);
  }
  if(code)
    ca_apply_lose_ledger(apply, &why);
  drop(apply);
  return apply->failed.code ? give(&apply->failed, err) : CA_OK;
}

uint64_t ca_apply_told(const struct ca_apply *apply)
{
  return apply->told;
}

bool ca_apply_paused(const struct ca_apply *apply)
{
  return !apply->stopped && apply->items && apply->pulled >= apply->items &&
         !apply->active && !apply->looking && !apply->ready.count &&
         !apply->again.count && !apply->fit.count && !apply->unseen.count &&
         (apply->waiting.count || !apply->read_all);
}

void ca_apply_go_on(struct ca_apply *apply)
{
  apply->items = 0;
}

bool ca_apply_finished(const struct ca_apply *apply)
{
  if(apply->under_way || apply->looks || apply->direct.count ||
     apply->ready.count)
    return false;
  return apply->stopped ? !has_queued(apply) : !has_more(apply);
}

enum ca_code ca_apply_failed(const struct ca_apply *apply, struct ca_err *err)
{
  return apply->failed.code ? give(&apply->failed, err) : CA_OK;
}

bool ca_apply_key_rejected(const struct ca_apply *apply)
{
  return apply->key_rejected;
}

void ca_apply_stop(struct ca_apply *apply)
{
  apply->stopped = true;
  drop(apply);
}

enum ca_code ca_apply_abandon(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_err why;
  enum ca_code code;

  apply->stopped = true;
  while(apply->under_way)
    ca_apply_abandon_one(apply, apply->under_way);
  drop(apply);
  if(apply->failed.code)
    return give(&apply->failed, err);
  ca_err_clear(&why);
  code = ca_ledger_sync(apply->ledger, &why);
  if(!code)
    apply->unsynced_ms = 0;
  else
    ca_apply_lose_ledger(apply, &why);
  return code ? give(&why, err) : CA_OK;
}
