/* Prechecks: reads accounts before they are changed, many in one list by ids,
   and those that cannot be listed one by one. Prechecks run while other items'
   changes are sent, and only for the items that are next.
   Must not know: Lua, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

#define LISTED_IDS        100  /* ids in one list request */
#define LISTED_BYTES      4000 /* of ids in one: proxies limit lines to 8 KB */
#define LISTED_PAGES      100
#define PRECHECKS_AT_ONCE 8

enum precheck_mode { PRECHECK_LIST, PRECHECK_SINGLE };

/* One precheck, with one op at a time. A list asks for the ids of the
   preconditions [from, to). */
struct ca_precheck {
  struct ca_precheck *next;
  struct ca_apply *apply;
  struct ca_apply_queue items_taken;
  struct ca_precondition *preconditions;
  size_t count;
  enum precheck_mode mode;
  size_t from;
  size_t to;
  size_t at; /* PRECHECK_SINGLE: the precondition's index */
  int pages;
  char cursor[256]; /* for the next page, "" for none */
  const struct ca_api *api;
  uint64_t op; /* 0: none */
};

/* ---- Requests ---- */

static enum ca_code set_page(struct ca_request *request, int64_t limit,
                             const char *cursor, struct ca_err *err)
{
  enum ca_code code = ca_request_integer(
      request, ca_api_field(request->api, "limit"), limit, err);
  if(!code && *cursor)
    code = ca_request_set(request, "cursor", cursor, err);
  return code;
}

static enum ca_code list_ids(const struct ca_precheck *precheck,
                             struct ca_request *request, struct ca_err *err)
{
  struct ca_slice ids[LISTED_IDS];
  size_t count = 0;
  size_t i;
  enum ca_code code;

  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].kind == CA_PRECONDITION_LISTED) {
      ids[count].data = precheck->preconditions[i].change->row.change.account;
      ids[count].len = strlen(ids[count].data);
      count++;
    }
  code = ca_request_texts(request,
                          ca_api_field(request->api, "connected_account_ids"),
                          ids, count, err);
  if(!code)
    code = ca_request_set(request, "account_type", "ALL", err);
  return code ? code : set_page(request, LISTED_IDS, precheck->cursor, err);
}

/* Lists the user's ACTIVE accounts, as planning did. A user id with a comma
   cannot be a filter; then everybody's are listed. */
static enum ca_code list_user(const struct ca_precheck *precheck,
                              const struct ca_change *change,
                              struct ca_request *request, struct ca_err *err)
{
  bool comma = !ca_request_can_list(change->user);
  enum ca_code code = ca_request_set(request, "statuses", "ACTIVE", err);

  if(!code && !comma)
    code = ca_request_set(request, "user_ids", change->user, err);
  if(!code)
    code = ca_request_set(request, "auth_config_ids", change->config, err);
  return code ? code
              : set_page(request, comma ? LISTED_IDS : 1, precheck->cursor,
                         err);
}

static enum ca_code make_request(struct ca_precheck *precheck,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_precondition *precondition =
      &precheck->preconditions[precheck->mode == PRECHECK_LIST ? precheck->from
                                                               : precheck->at];
  const struct ca_api *changed = precondition->change->row.change.api;
  bool list = precheck->mode == PRECHECK_LIST ||
              precondition->kind == CA_PRECONDITION_CREATE;
  enum ca_code code;

  precheck->api = list ? ca_api_list(changed) : ca_api_get(changed);
  ca_request_init(request, precheck->api);
  if(precheck->mode == PRECHECK_LIST)
    code = list_ids(precheck, request, err);
  else if(list)
    code =
        list_user(precheck, &precondition->change->row.change, request, err);
  else
    code = ca_request_set(request, "id",
                          precondition->change->row.change.account, err);
  return code ? code : ca_request_finish(request, err);
}

static void precheck_done(void *owner, uint64_t token,
                          struct ca_result *result);

static enum ca_code ask(struct ca_precheck *precheck, struct ca_err *err)
{
  struct ca_apply *apply = precheck->apply;
  struct ca_request request;
  enum ca_code code = make_request(precheck, &request, err);

  if(!code)
    code = ca_engine_submit(apply->engine, apply->endpoint, &request, 0,
                            precheck_done, precheck, 0, &precheck->op, err);
  if(code)
    ca_request_clear(&request);
  return code;
}

/* ---- Choosing the next request ---- */

static bool choose_list(struct ca_precheck *precheck)
{
  size_t bytes = 0;
  size_t ids = 0;
  size_t i;

  precheck->from = precheck->to;
  for(i = precheck->from; i < precheck->count; i++) {
    struct ca_precondition *precondition = &precheck->preconditions[i];
    if(precondition->kind != CA_PRECONDITION_LISTED)
      continue;
    bytes += strlen(precondition->change->row.change.account) + 3;
    if(ids == LISTED_IDS || (ids && bytes > LISTED_BYTES))
      break;
    precondition->state = CA_PRECONDITION_ASKED;
    ids++;
  }
  precheck->to = i;
  precheck->mode = PRECHECK_LIST;
  precheck->pages = 0;
  return ids > 0;
}

static bool choose_single(struct ca_precheck *precheck)
{
  precheck->mode = PRECHECK_SINGLE;
  precheck->pages = 0;
  for(precheck->at = 0; precheck->at < precheck->count; precheck->at++)
    if(precheck->preconditions[precheck->at].state == CA_PRECONDITION_WAITS)
      return true;
  return false;
}

static bool choose(struct ca_precheck *precheck)
{
  return precheck->cursor[0] || choose_list(precheck) ||
         choose_single(precheck);
}

/* The current request failed: so do its preconditions. */
static void fail_asked(struct ca_precheck *precheck, const char *why)
{
  size_t i;

  precheck->cursor[0] = '\0';
  if(precheck->mode == PRECHECK_SINGLE) {
    ca_precondition_fail(&precheck->preconditions[precheck->at], why);
    return;
  }
  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].state == CA_PRECONDITION_ASKED)
      ca_precondition_fail(&precheck->preconditions[i], why);
}

/* ---- The end ---- */

static void unlink_precheck(struct ca_precheck *precheck)
{
  struct ca_precheck **at = &precheck->apply->prechecks;

  while(*at != precheck)
    at = &(*at)->next;
  *at = precheck->next;
  precheck->apply->precheck_count--;
}

static void free_precheck(struct ca_precheck *precheck)
{
  ca_apply_queue_clear(&precheck->items_taken);
  free(precheck->preconditions);
  free(precheck);
}

static struct ca_apply_item *take_item(struct ca_precheck *precheck)
{
  struct ca_apply_item *item = ca_apply_queue_pop(&precheck->items_taken);

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
    item->prechecked_ms = ca_clock_mono_ms(ca_engine_clock(apply->engine));
    ca_apply_queue_push(item->single ? &apply->direct : &apply->fit, item);
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
  struct ca_apply_item *item;

  unlink_precheck(precheck);
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
    if(precondition->state == CA_PRECONDITION_ASKED &&
       ca_json_is(account->id, precondition->change->row.change.account))
      ca_precondition_check(precheck->apply, precondition, account);
  }
  return true;
}

/* The list has ended. Missing from a list is not proof of deletion: the list
   may be truncated. Get each missing account by id. */
static void ask_missing(struct ca_precheck *precheck)
{
  size_t i;

  for(i = precheck->from; i < precheck->to; i++)
    if(precheck->preconditions[i].state == CA_PRECONDITION_ASKED) {
      precheck->preconditions[i].kind = CA_PRECONDITION_ACCOUNT;
      precheck->preconditions[i].state = CA_PRECONDITION_WAITS;
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

/* May the next page be asked for? A cursor that does not change would loop for
   ever. */
static bool may_turn_page(struct ca_precheck *precheck, const char *before)
{
  return precheck->cursor[0] && ++precheck->pages < LISTED_PAGES &&
         strcmp(precheck->cursor, before) != 0;
}

static bool list_ended(struct ca_precheck *precheck,
                       const struct ca_result *result)
{
  char before[sizeof(precheck->cursor)];

  memcpy(before, precheck->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_listed,
                        precheck, precheck->cursor, sizeof(precheck->cursor)))
    return false;
  if(any_asked(precheck) && may_turn_page(precheck, before))
    return true;
  precheck->cursor[0] = '\0';
  ask_missing(precheck);
  return true;
}

struct seen_user {
  const struct ca_change *change;
  char found[160];
};

/* Checks the filters again, on the fields that the service shows, and stops at
   the first account that matches. */
static bool see_user(void *ctx, const struct ca_reply_account *account)
{
  struct seen_user *seen = ctx;

  if((account->user.data && !ca_json_is(account->user, seen->change->user)) ||
     (account->config.data &&
      !ca_json_is(account->config, seen->change->config)))
    return true;
  if(!account->user.data && !ca_request_can_list(seen->change->user))
    return true; /* not filtered by user, so it may be anybody's */
  ca_json_copy(account->id, seen->found, sizeof(seen->found));
  return false;
}

static bool user_ended(struct ca_precheck *precheck,
                       struct ca_precondition *precondition,
                       const struct ca_result *result)
{
  struct seen_user seen = { &precondition->change->row.change, "" };
  char before[sizeof(precheck->cursor)];

  memcpy(before, precheck->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_user, &seen,
                        precheck->cursor, sizeof(precheck->cursor)))
    return false;
  if(!seen.found[0] && !ca_request_can_list(seen.change->user) &&
     may_turn_page(precheck, before))
    return true;
  precheck->cursor[0] = '\0';
  ca_precondition_check_create(precondition,
                               seen.found[0] ? seen.found : NULL);
  return true;
}

static bool single_ended(struct ca_precheck *precheck,
                         struct ca_result *result)
{
  struct ca_apply *apply = precheck->apply;
  struct ca_precondition *precondition =
      &precheck->preconditions[precheck->at];
  struct ca_reply_account account;
  bool gone = result->status == 404;

  if(precondition->kind == CA_PRECONDITION_CREATE)
    return user_ended(precheck, precondition, result);
  if(!gone &&
     (!ca_reply_account(result->body.data, result->body.len, &account) ||
      !ca_json_is(account.id, precondition->change->row.change.account) ||
      (precondition->kind == CA_PRECONDITION_CONFIG && !account.status.data)))
    return false;
  ca_precondition_check(apply, precondition, gone ? NULL : &account);
  return true;
}

/* Sets the states of the preconditions that the reply is about. */
static void take_reply(struct ca_precheck *precheck, struct ca_result *result)
{
  bool gone =
      ca_reply_says_gone(result) && precheck->mode == PRECHECK_SINGLE &&
      precheck->preconditions[precheck->at].kind != CA_PRECONDITION_CREATE;
  bool read;

  ca_reply_explain(precheck->api, result);
  if(result->err.code && !gone) {
    fail_asked(precheck, result->err.text);
    return;
  }
  read = precheck->mode == PRECHECK_LIST ? list_ended(precheck, result)
                                         : single_ended(precheck, result);
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
  take_reply(precheck, result);
  if(result->status == 401) {
    apply->key_rejected = true;
    apply->stopped = true;
  }
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

static struct ca_precheck *new_precheck(struct ca_apply *apply,
                                        size_t preconditions)
{
  struct ca_precheck *precheck = calloc(1, sizeof(*precheck));

  if(!precheck)
    return NULL;
  precheck->apply = apply;
  precheck->preconditions =
      malloc(preconditions * sizeof(*precheck->preconditions));
  if(!precheck->preconditions) {
    free(precheck);
    return NULL;
  }
  precheck->next = apply->prechecks;
  apply->prechecks = precheck;
  apply->precheck_count++;
  return precheck;
}

static void add_item(struct ca_precheck *precheck, struct ca_apply_item *item)
{
  ca_precondition_list(precheck->apply, item, precheck->preconditions,
                       &precheck->count);
  ca_apply_queue_push(&precheck->items_taken, item);
  if(!item->single)
    precheck->apply->prechecking++;
}

/* Takes the items for one precheck from the queue: as many as fit one list, or
   one item that needs requests of its own. Returns how many preconditions they
   may have. */
static size_t take_batch(struct ca_apply *apply, struct ca_apply_queue *batch)
{
  size_t total = 0;

  while(apply->unseen.first) {
    size_t count;
    bool alone;
    ca_precondition_is_needed(apply, apply->unseen.first, &count, &alone);
    if(batch->first && (alone || total + count > LISTED_IDS))
      break;
    ca_apply_queue_push(batch, ca_apply_queue_pop(&apply->unseen));
    total += count;
    if(alone)
      break;
  }
  return total;
}

static enum ca_code begin_precheck(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_apply_queue batch = { NULL, NULL, 0 };
  size_t preconditions = take_batch(apply, &batch);
  struct ca_precheck *precheck = new_precheck(apply, preconditions);
  struct ca_apply_item *item;

  while((item = ca_apply_queue_pop(&batch)))
    if(precheck)
      add_item(precheck, item);
    else
      ca_apply_queue_push(&apply->unseen, item);
  if(!precheck)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  go_on(precheck);
  return CA_OK;
}

void ca_precheck_single(struct ca_apply *apply, struct ca_apply_item *item)
{
  size_t count;
  bool alone;
  bool needs = ca_precondition_is_needed(apply, item, &count, &alone);
  struct ca_precheck *precheck = needs ? new_precheck(apply, count) : NULL;

  if(precheck) {
    add_item(precheck, item);
    go_on(precheck);
  } else if(needs) {
    ca_finish_rest(apply, item, CA_NOT_TRIED, "out of memory");
  } else {
    item->precheck = false;
    ca_apply_queue_push(&apply->direct, item);
  }
}

/* ---- Reading ahead ---- */

/* Reads items from the ledger until there are enough for the next precheck, or
   until the items that need none have filled a group. */
static enum ca_code pull_unseen(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && apply->unseen.count < LISTED_IDS &&
        apply->fit.count < apply->group) {
    struct ca_apply_item *item;
    size_t count;
    bool alone;

    code = ca_reader_next(apply, &item, err);
    if(!item)
      break;
    ca_apply_queue_push(ca_precondition_is_needed(apply, item, &count, &alone)
                            ? &apply->unseen
                            : &apply->fit,
                        item);
  }
  return code;
}

enum ca_code ca_precheck_ahead(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && apply->prechecks_first && !apply->stopped &&
        apply->precheck_count < PRECHECKS_AT_ONCE &&
        apply->fit.count + apply->prechecking < apply->group) {
    code = pull_unseen(apply, err);
    if(code || apply->stopped || !apply->unseen.first)
      break;
    code = begin_precheck(apply, err);
  }
  return code;
}
