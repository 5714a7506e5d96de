/* Prechecks: reads accounts before they are changed, many in one list by ids,
   and those that cannot be listed one by one. Prechecks run while other items'
   changes are sent, and only for the items that are next.
   Must not know: Lua, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

#define LISTED_BYTES      4000 /* of ids in one: proxies limit lines to 8 KB */
#define LISTED_PAGES      100
#define PRECHECKS_AT_ONCE 8

/* One precheck, with one op at a time, which asks about the preconditions
   [from, to): one list for all that are of the kind LISTED there, or a request
   for a single one of another kind. */
struct ca_precheck {
  struct ca_precheck *next;
  struct ca_apply *apply;
  struct ca_apply_queue items_taken;
  size_t from;
  size_t to;
  int pages;
  char cursor[256]; /* for the next page, "" for none */
  const struct ca_api *api;
  int64_t seen_ms; /* when its first reply came, monotonic; 0: not yet */
  uint64_t op;     /* the engine's operation; 0: none */
  size_t count;
  struct ca_precondition preconditions[];
};

static int64_t now_ms(const struct ca_apply *apply)
{
  return ca_clock_mono_ms(ca_engine_clock(apply->engine));
}

/* ---- Requests ---- */

static enum ca_code list_ids(const struct ca_precheck *precheck,
                             struct ca_request *request, struct ca_err *err)
{
  const struct ca_precondition *first =
      &precheck->preconditions[precheck->from];
  struct ca_slice ids[CA_PROBE_PAGE];
  size_t count = 0;
  size_t i;

  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].kind == CA_PRECONDITION_LISTED) {
      ids[count].data = precheck->preconditions[i].change->row.change.account;
      ids[count].len = strlen(ids[count].data);
      count++;
    }
  return ca_probe_ids(request, first->change->row.change.api, ids, count,
                      precheck->cursor, err);
}

static enum ca_code make_request(const struct ca_precheck *precheck,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_precondition *first =
      &precheck->preconditions[precheck->from];
  const struct ca_change *change = &first->change->row.change;

  switch(first->kind) {
  case CA_PRECONDITION_LISTED:
    return list_ids(precheck, request, err);
  case CA_PRECONDITION_CREATE:
    return ca_probe_newest(request, change, precheck->cursor, err);
  default:
    return ca_probe_get(request, change, err);
  }
}

static void precheck_done(void *owner, uint64_t token,
                          struct ca_result *result);

static enum ca_code ask(struct ca_precheck *precheck, struct ca_err *err)
{
  struct ca_apply *apply = precheck->apply;
  struct ca_request request;
  enum ca_code code = make_request(precheck, &request, err);

  precheck->api = request.api;
  if(!code)
    code = ca_engine_submit(apply->engine, apply->endpoint, &request, 0,
                            precheck_done, precheck, 0, &precheck->op, err);
  if(code)
    ca_request_clear(&request);
  return code;
}

/* ---- Choosing the next request ---- */

/* Chooses as many preconditions as fit one list. */
static bool choose_list(struct ca_precheck *precheck)
{
  size_t bytes = 0;
  size_t ids = 0;
  size_t i;

  for(i = 0; i < precheck->count; i++) {
    struct ca_precondition *precondition = &precheck->preconditions[i];
    if(precondition->kind != CA_PRECONDITION_LISTED ||
       precondition->state != CA_PRECONDITION_WAITS)
      continue;
    bytes += strlen(precondition->change->row.change.account) + 3;
    if(ids == CA_PROBE_PAGE || (ids && bytes > LISTED_BYTES))
      break;
    if(!ids++)
      precheck->from = i;
    precondition->state = CA_PRECONDITION_ASKED;
  }
  precheck->to = i;
  return ids > 0;
}

static bool choose_single(struct ca_precheck *precheck)
{
  size_t i = 0;

  while(i < precheck->count &&
        precheck->preconditions[i].state != CA_PRECONDITION_WAITS)
    i++;
  if(i == precheck->count)
    return false;
  precheck->preconditions[i].state = CA_PRECONDITION_ASKED;
  precheck->from = i;
  precheck->to = i + 1;
  return true;
}

static bool choose(struct ca_precheck *precheck)
{
  if(precheck->cursor[0])
    return true;
  precheck->pages = 0;
  return choose_list(precheck) || choose_single(precheck);
}

/* The current request failed: so do its preconditions. */
static void fail_asked(struct ca_precheck *precheck, const char *why)
{
  size_t i;

  precheck->cursor[0] = '\0';
  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].state == CA_PRECONDITION_ASKED)
      ca_precondition_fail(&precheck->preconditions[i], why);
}

/* ---- The end ---- */

static void free_precheck(struct ca_precheck *precheck)
{
  ca_apply_item_clear(&precheck->items_taken);
  free(precheck);
}

static struct ca_apply_item *take_item(struct ca_precheck *precheck)
{
  struct ca_apply_item *item = ca_apply_item_pop(&precheck->items_taken);

  if(item && !item->single)
    precheck->apply->prechecking--;
  return item;
}

/* Returns the item's worst failed precondition, NULL when all hold. */
static const struct ca_precondition *
find_bad(const struct ca_precheck *precheck, const struct ca_apply_item *item)
{
  const struct ca_precondition *bad = NULL;
  size_t i;

  for(i = 0; i < precheck->count; i++) {
    const struct ca_precondition *precondition = &precheck->preconditions[i];
    if(precondition->item != item ||
       precondition->state == CA_PRECONDITION_FINE)
      continue;
    if(!bad || (precondition->state == CA_PRECONDITION_DIFFERS &&
                bad->state != CA_PRECONDITION_DIFFERS))
      bad = precondition;
  }
  return bad;
}

static void end_item(struct ca_precheck *precheck, struct ca_apply_item *item)
{
  struct ca_apply *apply = precheck->apply;
  const struct ca_precondition *bad = find_bad(precheck, item);

  if(!bad) {
    item->seen_ms = precheck->seen_ms ? precheck->seen_ms : now_ms(apply);
    item->changed = false;
    ca_apply_item_push(item->single ? &apply->direct : &apply->fit, item);
    return;
  }
  if(!item->single)
    apply->pulled--;
  ca_finish_rest(apply, item,
                 bad->state == CA_PRECONDITION_DIFFERS ? CA_STALE
                                                       : CA_NOT_TRIED,
                 bad->text);
}

static void finish(struct ca_precheck *precheck)
{
  struct ca_precheck **at = &precheck->apply->prechecks;
  struct ca_apply_item *item;

  while(*at != precheck)
    at = &(*at)->next;
  *at = precheck->next;
  precheck->apply->precheck_count--;
  while((item = take_item(precheck)))
    end_item(precheck, item);
  free_precheck(precheck);
}

/* Sends the next request, or ends the precheck and frees it. */
static void go_on(struct ca_precheck *precheck)
{
  while(choose(precheck)) {
    struct ca_err why;
    enum ca_code code;

    ca_err_clear(&why);
    code = ask(precheck, &why);
    if(!code)
      return;
    if(code != CA_USAGE) /* the others would fail too */
      ca_finish_fail(precheck->apply, &why);
    fail_asked(precheck, why.text);
  }
  finish(precheck);
}

/* ---- Replies ---- */

static bool see_listed(void *ctx, const struct ca_reply_account *account)
{
  struct ca_precheck *precheck = ctx;
  size_t i;

  for(i = precheck->from; i < precheck->to; i++) {
    struct ca_precondition *precondition = &precheck->preconditions[i];
    const struct ca_change *change = &precondition->change->row.change;
    if(precondition->state != CA_PRECONDITION_ASKED)
      continue;
    if(precondition->kind == CA_PRECONDITION_CREATE)
      ca_precondition_check_create(precondition, account);
    else if(ca_json_is(account->id, change->account))
      ca_precondition_check(precheck->apply, precondition, account);
  }
  return true;
}

/* The list has ended. Missing from a list is not proof of deletion: the list
   may be truncated. Get each missing account by id. */
static void end_list(struct ca_precheck *precheck)
{
  bool whole = !precheck->cursor[0];
  size_t i;

  precheck->cursor[0] = '\0';
  for(i = precheck->from; i < precheck->to; i++) {
    struct ca_precondition *precondition = &precheck->preconditions[i];
    if(precondition->state != CA_PRECONDITION_ASKED)
      continue;
    if(precondition->kind == CA_PRECONDITION_CREATE) {
      ca_precondition_end_create(precondition, whole);
      continue;
    }
    precondition->kind = CA_PRECONDITION_ACCOUNT;
    precondition->state = CA_PRECONDITION_WAITS;
  }
}

static bool any_asked(const struct ca_precheck *precheck)
{
  size_t i;

  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].state == CA_PRECONDITION_ASKED)
      return true;
  return false;
}

/* Compares the page's accounts with the ledger, in one transaction. */
static bool see_page(struct ca_precheck *precheck,
                     const struct ca_result *result)
{
  struct ca_ledger *ledger = precheck->apply->ledger;
  struct ca_err why;
  bool read = false;
  enum ca_code code;

  ca_err_clear(&why);
  code = ca_ledger_begin_read(ledger, &why);
  if(!code) {
    read = ca_reply_accounts(result->body.data, result->body.len, see_listed,
                             precheck, precheck->cursor,
                             sizeof(precheck->cursor));
    code = ca_ledger_end_read(ledger, &why);
  }
  if(code)
    ca_finish_lose_ledger(precheck->apply, &why);
  return read && !code;
}

/* Sees a page. The next one is asked for if it is needed; a cursor that does
   not change would loop for ever. */
static bool page_ended(struct ca_precheck *precheck,
                       const struct ca_result *result)
{
  char before[sizeof(precheck->cursor)];

  memcpy(before, precheck->cursor, sizeof(before));
  if(!see_page(precheck, result))
    return false;
  if(!any_asked(precheck) || !precheck->cursor[0] ||
     ++precheck->pages == LISTED_PAGES || !strcmp(precheck->cursor, before))
    end_list(precheck);
  return true;
}

static bool single_ended(struct ca_precheck *precheck,
                         struct ca_precondition *precondition,
                         const struct ca_result *result, bool gone)
{
  struct ca_reply_account account;

  if(!gone &&
     (!ca_reply_account(result->body.data, result->body.len, &account) ||
      !ca_json_is(account.id, precondition->change->row.change.account) ||
      (precondition->kind == CA_PRECONDITION_CONFIG && !account.status.data)))
    return false;
  ca_precondition_check(precheck->apply, precondition, gone ? NULL : &account);
  return true;
}

/* Sets the states of the preconditions that the reply is about. */
static void take_reply(struct ca_precheck *precheck, struct ca_result *result)
{
  struct ca_precondition *first = &precheck->preconditions[precheck->from];
  const char *id = first->change->row.change.account;
  bool gone = ca_reply_says_gone(precheck->api, id, result) &&
              first->kind != CA_PRECONDITION_LISTED &&
              first->kind != CA_PRECONDITION_CREATE;
  bool read;

  ca_reply_explain(precheck->api, id, result);
  if(result->err.code && !gone) {
    fail_asked(precheck, result->err.text);
    return;
  }
  if(first->kind == CA_PRECONDITION_LISTED ||
     first->kind == CA_PRECONDITION_CREATE)
    read = page_ended(precheck, result);
  else
    read = single_ended(precheck, first, result, gone);
  if(!read)
    fail_asked(precheck, "the reply cannot be parsed");
}

static void precheck_done(void *owner, uint64_t token,
                          struct ca_result *result)
{
  struct ca_precheck *precheck = owner;
  struct ca_apply *apply = precheck->apply;

  (void)token;
  precheck->op = 0;
  if(!precheck->seen_ms)
    precheck->seen_ms = now_ms(apply);
  take_reply(precheck, result);
  ca_finish_note_end(apply, result);
  if(!apply->stopped)
    go_on(precheck);
}

void ca_precheck_drop_all(struct ca_apply *apply, bool quietly)
{
  while(apply->prechecks) {
    struct ca_precheck *precheck = apply->prechecks;
    struct ca_apply_item *item;

    apply->prechecks = precheck->next;
    apply->precheck_count--;
    if(precheck->op)
      ca_engine_cancel(apply->engine, precheck->op, NULL);
    while(!quietly && (item = take_item(precheck)))
      ca_finish_drop(apply, item);
    free_precheck(precheck);
  }
}

/* ---- The beginning ---- */

/* NULL when out of memory. */
static struct ca_precheck *new_precheck(struct ca_apply *apply, size_t most)
{
  struct ca_precheck *precheck =
      calloc(1, sizeof(*precheck) + most * sizeof(precheck->preconditions[0]));

  if(!precheck)
    return NULL;
  precheck->apply = apply;
  precheck->next = apply->prechecks;
  apply->prechecks = precheck;
  apply->precheck_count++;
  return precheck;
}

static void add_item(struct ca_precheck *precheck, struct ca_apply_item *item)
{
  ca_precondition_list(precheck->apply, item, precheck->preconditions,
                       &precheck->count);
  ca_apply_item_push(&precheck->items_taken, item);
  if(!item->single)
    precheck->apply->prechecking++;
}

/* Begins a precheck for as many items as fit one list, or for one item that
   needs requests of its own. most: preconditions, unless one item has more. */
static enum ca_code begin_precheck(struct ca_apply *apply, size_t most,
                                   struct ca_err *err)
{
  const struct ca_apply_item *item;
  struct ca_precheck *precheck;
  size_t items = 0;
  size_t total = 0;
  bool alone = false;

  for(item = apply->unseen.first; item && !alone; item = item->next) {
    size_t count = ca_precondition_count(apply, item, &alone);
    if(items && (alone || total + count > most))
      break;
    total += count;
    items++;
  }
  precheck = new_precheck(apply, total);
  if(!precheck)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  while(items--)
    add_item(precheck, ca_apply_item_pop(&apply->unseen));
  go_on(precheck);
  return CA_OK;
}

void ca_precheck_single(struct ca_apply *apply, struct ca_apply_item *item)
{
  size_t count = ca_precondition_count(apply, item, NULL);
  struct ca_precheck *precheck = count ? new_precheck(apply, count) : NULL;

  if(precheck) {
    add_item(precheck, item);
    go_on(precheck);
  } else if(count) {
    ca_finish_rest(apply, item, CA_NOT_TRIED, "out of memory");
  } else {
    item->precheck = false;
    ca_apply_item_push(&apply->direct, item);
  }
}

/* ---- Reading ahead ----
   Prechecks no more items than can be sent before their accounts have to be
   read again. That number is found by trial: it is halved when an item was
   too late, and doubled after a time in which none was. */

#define LESS_MS 5000  /* halve at most once in this time */
#define MORE_MS 20000 /* double after this time without a late item */

/* How many items the next precheck may take; 0: do not begin one now. */
static size_t room_for(const struct ca_apply *apply)
{
  size_t unsent = apply->fit.count + apply->prechecking;

  if(apply->precheck_count >= PRECHECKS_AT_ONCE)
    return 0;
  if(apply->ahead >= CA_PROBE_PAGE)
    return unsent < apply->group ? CA_PROBE_PAGE : 0;
  unsent += apply->ready.count + apply->active;
  return unsent <= apply->ahead / 4 ? apply->ahead - unsent : 0;
}

void ca_precheck_repeat(struct ca_apply *apply, struct ca_apply_item *item)
{
  bool waited =
      item->seen_ms != apply->seen_ms && !ca_precondition_is_lost(item);
  int64_t now = now_ms(apply);

  item->seen_ms = 0;
  if(item->single) {
    ca_apply_item_push(&apply->direct, item);
    return;
  }
  if(waited && now - apply->ahead_ms >= LESS_MS) {
    apply->ahead = apply->ahead > 1 ? apply->ahead / 2 : 1;
    apply->ahead_ms = now;
  }
  apply->prechecks_first = true;
  ca_apply_item_push(&apply->unseen, item);
}

static void try_more(struct ca_apply *apply)
{
  int64_t now = now_ms(apply);

  if(apply->ahead >= CA_PROBE_PAGE || now - apply->ahead_ms < MORE_MS)
    return;
  apply->ahead *= 2;
  apply->ahead_ms = now;
}

/* Reads items from the ledger until there are enough for the next precheck, or
   until the items that need none have filled a group. */
static enum ca_code pull_unseen(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && apply->unseen.count < CA_PROBE_PAGE &&
        apply->fit.count < apply->group) {
    struct ca_apply_item *item;

    code = ca_reader_next(apply, &item, err);
    if(!item)
      break;
    ca_apply_item_push(ca_precondition_count(apply, item, NULL)
                           ? &apply->unseen
                           : &apply->fit,
                       item);
  }
  return code;
}

/* ---- creates of one user and auth config, one after the other ----
   If two were under way, nobody could tell which of them made a new
   account. */

static bool makes_same(const struct ca_apply_item *item,
                       const struct ca_change *create)
{
  const struct ca_apply_change *change;

  for(change = item->first; change; change = change->next) {
    const struct ca_change *other = &change->row.change;
    if(other->user && other->config && other->api->probe == CA_PROBE_LISTED &&
       !strcmp(other->user, create->user) &&
       !strcmp(other->config, create->config))
      return true;
  }
  return false;
}

static bool any_makes_same(const struct ca_apply_item *item,
                           const struct ca_change *create)
{
  while(item && !makes_same(item, create))
    item = item->next;
  return item != NULL;
}

/* Is an earlier item with the same create waiting for its precheck? */
static bool is_due_before(const struct ca_apply *apply,
                          const struct ca_apply_item *item,
                          const struct ca_change *create)
{
  const struct ca_apply_item *other = apply->unseen.first;

  while(other && !(other->number < item->number && makes_same(other, create)))
    other = other->next;
  return other != NULL;
}

/* Is there an item with the same create whose precheck has begun? */
static bool is_being_made(const struct ca_apply *apply,
                          const struct ca_change *create)
{
  const struct ca_precheck *precheck = apply->prechecks;

  while(precheck && !any_makes_same(precheck->items_taken.first, create))
    precheck = precheck->next;
  return precheck || any_makes_same(apply->under_way, create) ||
         any_makes_same(apply->fit.first, create) ||
         any_makes_same(apply->begun.first, create) ||
         any_makes_same(apply->ready.first, create);
}

static bool is_held(const struct ca_apply *apply,
                    const struct ca_apply_item *item)
{
  const struct ca_apply_change *change;

  for(change = item->first; change; change = change->next) {
    const struct ca_change *planned = &change->row.change;
    if(planned->user && planned->config &&
       planned->api->probe == CA_PROBE_LISTED &&
       (is_being_made(apply, planned) || is_due_before(apply, item, planned)))
      return true;
  }
  return false;
}

/* Moves items that must wait to the end of the queue; returns false when
   all of them must. */
static bool has_free(struct ca_apply *apply)
{
  size_t n = apply->unseen.count;

  while(n && is_held(apply, apply->unseen.first)) {
    ca_apply_item_push(&apply->unseen, ca_apply_item_pop(&apply->unseen));
    n--;
  }
  return n > 0;
}

enum ca_code ca_precheck_ahead(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;
  size_t room;

  while(!code && apply->prechecks_first && !apply->stopped &&
        (room = room_for(apply)) > 0) {
    code = pull_unseen(apply, err);
    if(code || apply->stopped || !has_free(apply))
      break;
    try_more(apply);
    code = begin_precheck(apply, room, err);
  }
  return code;
}
