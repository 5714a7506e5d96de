/* Looking at accounts before they are changed: many by one list of ids, what
   cannot be listed one by one. Looks run beside the changes of other items,
   and only for items whose turn comes next.
   Must not know: Lua, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"

#define LISTED_IDS    100  /* in one list */
#define LISTED_BYTES  4000 /* of ids in one: proxies cut lines at 8 KB */
#define LISTED_PAGES  100
#define LOOKS_AT_ONCE 8

enum look_mode { LOOK_LIST, LOOK_SINGLE };

/* One op at a time; the list's ids are those of targets [from, to). */
struct ca_look {
  struct ca_look *next;
  struct ca_apply *apply;
  struct ca_work_queue works;
  struct ca_target *targets;
  size_t count;
  enum look_mode mode;
  size_t from;
  size_t to;
  size_t at; /* LOOK_SINGLE */
  int pages;
  char cursor[256]; /* of the next page, "" for none */
  const struct ca_api *api;
  uint64_t op; /* 0: none is under way */
};

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

static enum ca_code set_page(struct ca_request *request, int64_t limit,
                             const char *cursor, struct ca_err *err)
{
  enum ca_code code = ca_request_integer(
      request, ca_api_field(request->api, "limit"), limit, err);
  if(!code && *cursor)
    code = set_text(request, "cursor", cursor, err);
  return code;
}

static enum ca_code list_ids(const struct ca_look *look,
                             struct ca_request *request, struct ca_err *err)
{
  struct ca_slice ids[LISTED_IDS];
  size_t count = 0;
  size_t i;
  enum ca_code code;

  for(i = look->from; i < look->to; i++)
    if(look->targets[i].kind == CA_TARGET_LISTED) {
      ids[count].data = look->targets[i].step->row.change.account;
      ids[count].len = strlen(ids[count].data);
      count++;
    }
  code = ca_request_texts(request,
                          ca_api_field(request->api, "connected_account_ids"),
                          ids, count, err);
  if(!code)
    code = set_text(request, "account_type", "ALL", err);
  return code ? code : set_page(request, LISTED_IDS, look->cursor, err);
}

/* As the check before the plan did: the user's ACTIVE accounts. One whose id
   holds a comma cannot be asked for. */
static enum ca_code list_user(const struct ca_look *look,
                              const struct ca_change *change,
                              struct ca_request *request, struct ca_err *err)
{
  bool comma = strchr(change->user, ',') != NULL;
  enum ca_code code = set_one(request, "statuses", "ACTIVE", err);

  if(!code && !comma)
    code = set_one(request, "user_ids", change->user, err);
  if(!code)
    code = set_one(request, "auth_config_ids", change->config, err);
  return code ? code
              : set_page(request, comma ? LISTED_IDS : 1, look->cursor, err);
}

static enum ca_code make_request(struct ca_look *look,
                                 struct ca_request *request,
                                 struct ca_err *err)
{
  const struct ca_target *target =
      &look->targets[look->mode == LOOK_LIST ? look->from : look->at];
  const struct ca_api *changed = target->step->row.change.api;
  bool list = look->mode == LOOK_LIST || target->kind == CA_TARGET_CREATE;
  enum ca_code code;

  look->api = list ? ca_api_list(changed) : ca_api_get(changed);
  ca_request_init(request, look->api);
  if(look->mode == LOOK_LIST)
    code = list_ids(look, request, err);
  else if(list)
    code = list_user(look, &target->step->row.change, request, err);
  else
    code = set_text(request, "id", target->step->row.change.account, err);
  return code ? code : ca_request_finish(request, err);
}

static void look_done(void *owner, uint64_t token, struct ca_result *result);

static enum ca_code ask(struct ca_look *look, struct ca_err *err)
{
  struct ca_apply *apply = look->apply;
  struct ca_request request;
  enum ca_code code = make_request(look, &request, err);

  if(!code)
    code = ca_engine_submit(apply->engine, apply->endpoint, &request, 0,
                            look_done, look, 0, &look->op, err);
  if(code)
    ca_request_clear(&request);
  return code;
}

/* What is asked next. */

static bool choose_list(struct ca_look *look)
{
  size_t bytes = 0;
  size_t ids = 0;
  size_t i;

  look->from = look->to;
  for(i = look->from; i < look->count; i++) {
    struct ca_target *target = &look->targets[i];
    if(target->kind != CA_TARGET_LISTED)
      continue;
    bytes += strlen(target->step->row.change.account) + 3;
    if(ids == LISTED_IDS || (ids && bytes > LISTED_BYTES))
      break;
    target->state = CA_TARGET_ASKED;
    ids++;
  }
  look->to = i;
  look->mode = LOOK_LIST;
  look->pages = 0;
  return ids > 0;
}

static bool choose_single(struct ca_look *look)
{
  look->mode = LOOK_SINGLE;
  look->pages = 0;
  for(look->at = 0; look->at < look->count; look->at++)
    if(look->targets[look->at].state == CA_TARGET_WAITS)
      return true;
  return false;
}

static bool choose(struct ca_look *look)
{
  return look->cursor[0] || choose_list(look) || choose_single(look);
}

/* What was asked for now cannot be known. */
static void fail_asked(struct ca_look *look, const char *why)
{
  size_t i;

  look->cursor[0] = '\0';
  if(look->mode == LOOK_SINGLE) {
    ca_target_fail(&look->targets[look->at], why);
    return;
  }
  for(i = look->from; i < look->to; i++)
    if(look->targets[i].state == CA_TARGET_ASKED)
      ca_target_fail(&look->targets[i], why);
}

/* The end. */

static void unlink_look(struct ca_look *look)
{
  struct ca_look **at = &look->apply->looks;

  while(*at != look)
    at = &(*at)->next;
  *at = look->next;
  look->apply->look_count--;
}

static void free_look(struct ca_look *look)
{
  ca_work_clear(&look->works);
  free(look->targets);
  free(look);
}

static struct ca_work *take_work(struct ca_look *look)
{
  struct ca_work *work = ca_work_pop(&look->works);

  if(work && !work->single)
    look->apply->looking--;
  return work;
}

/* The worst of the work's targets, NULL when all are well. */
static const struct ca_target *find_bad(const struct ca_look *look,
                                        const struct ca_work *work)
{
  const struct ca_target *bad = NULL;
  size_t i;

  for(i = 0; i < look->count; i++) {
    const struct ca_target *target = &look->targets[i];
    if(target->work != work || target->state == CA_TARGET_FINE)
      continue;
    if(!bad ||
       (target->state == CA_TARGET_DIFFERS && bad->state != CA_TARGET_DIFFERS))
      bad = target;
  }
  return bad;
}

static void end_work(struct ca_look *look, struct ca_work *work)
{
  struct ca_apply *apply = look->apply;
  const struct ca_target *bad = find_bad(look, work);

  if(!bad) {
    work->looked_ms = ca_clock_mono_ms(ca_engine_clock(apply->engine));
    ca_work_push(work->single ? &apply->direct : &apply->fit, work);
    return;
  }
  if(!work->single)
    apply->pulled--;
  ca_apply_end_rest(apply, work,
                    bad->state == CA_TARGET_DIFFERS ? CA_STALE : CA_NOT_TRIED,
                    bad->text);
}

static void finish(struct ca_look *look)
{
  struct ca_work *work;

  unlink_look(look);
  while((work = take_work(look)))
    end_work(look, work);
  free_look(look);
}

/* Asks what is left to be asked, or ends the look: then it is gone. */
static void go_on(struct ca_look *look)
{
  while(choose(look)) {
    struct ca_err why;
    enum ca_code code;

    ca_err_clear(&why);
    code = ask(look, &why);
    if(!code)
      return;
    if(code != CA_USAGE) /* the others would fare no better */
      ca_apply_fail(look->apply, &why);
    fail_asked(look, why.text);
  }
  finish(look);
}

/* Replies. */

static bool see_listed(void *ctx, const struct ca_reply_account *account)
{
  struct ca_look *look = ctx;
  size_t i;

  for(i = look->from; i < look->to; i++) {
    struct ca_target *target = &look->targets[i];
    if(target->state == CA_TARGET_ASKED &&
       ca_json_is(account->id, target->step->row.change.account))
      ca_target_judge(look->apply, target, account);
  }
  return true;
}

/* The list has ended. Nobody is gone because a list does not name him: the
   service may have cut it. */
static void ask_missing(struct ca_look *look)
{
  size_t i;

  for(i = look->from; i < look->to; i++)
    if(look->targets[i].state == CA_TARGET_ASKED) {
      look->targets[i].kind = CA_TARGET_ACCOUNT;
      look->targets[i].state = CA_TARGET_WAITS;
    }
}

static bool any_asked(const struct ca_look *look)
{
  size_t i;

  for(i = look->from; i < look->to; i++)
    if(look->targets[i].state == CA_TARGET_ASKED)
      return true;
  return false;
}

/* The same page again would be asked for for ever. */
static bool may_turn_page(struct ca_look *look, const char *before)
{
  return look->cursor[0] && ++look->pages < LISTED_PAGES &&
         strcmp(look->cursor, before) != 0;
}

static bool list_ended(struct ca_look *look, const struct ca_result *result)
{
  char before[sizeof(look->cursor)];

  memcpy(before, look->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_listed, look,
                        look->cursor, sizeof(look->cursor)))
    return false;
  if(any_asked(look) && may_turn_page(look, before))
    return true;
  look->cursor[0] = '\0';
  ask_missing(look);
  return true;
}

struct seen_user {
  const struct ca_change *change;
  char found[160];
};

/* What the service filters by is compared as far as it shows it. */
static bool see_user(void *ctx, const struct ca_reply_account *account)
{
  struct seen_user *seen = ctx;

  if((account->user.data && !ca_json_is(account->user, seen->change->user)) ||
     (account->config.data &&
      !ca_json_is(account->config, seen->change->config)))
    return true;
  if(!account->user.data && strchr(seen->change->user, ','))
    return true; /* anybody's */
  ca_json_copy(account->id, seen->found, sizeof(seen->found));
  return false;
}

static bool user_ended(struct ca_look *look, struct ca_target *target,
                       const struct ca_result *result)
{
  struct seen_user seen = { &target->step->row.change, "" };
  char before[sizeof(look->cursor)];

  memcpy(before, look->cursor, sizeof(before));
  if(!ca_reply_accounts(result->body.data, result->body.len, see_user, &seen,
                        look->cursor, sizeof(look->cursor)))
    return false;
  if(!seen.found[0] && strchr(seen.change->user, ',') &&
     may_turn_page(look, before))
    return true;
  look->cursor[0] = '\0';
  ca_target_judge_create(target, seen.found[0] ? seen.found : NULL);
  return true;
}

static bool single_ended(struct ca_look *look, struct ca_result *result)
{
  struct ca_apply *apply = look->apply;
  struct ca_target *target = &look->targets[look->at];
  struct ca_reply_account account;
  bool gone = result->status == 404;

  if(target->kind == CA_TARGET_CREATE)
    return user_ended(look, target, result);
  if(!gone &&
     (!ca_reply_account(result->body.data, result->body.len, &account) ||
      !ca_json_is(account.id, target->step->row.change.account) ||
      (target->kind == CA_TARGET_CONFIG && !account.status.data)))
    return false;
  ca_target_judge(apply, target, gone ? NULL : &account);
  return true;
}

/* Takes in what the op brought. */
static void take_reply(struct ca_look *look, struct ca_result *result)
{
  bool gone = ca_reply_says_gone(result) && look->mode == LOOK_SINGLE &&
              look->targets[look->at].kind != CA_TARGET_CREATE;
  bool read;

  ca_reply_explain(look->api, result);
  if(result->err.code && !gone) {
    fail_asked(look, result->err.text);
    return;
  }
  read = look->mode == LOOK_LIST ? list_ended(look, result)
                                 : single_ended(look, result);
  if(!read)
    fail_asked(look, "the reply cannot be parsed");
}

static void look_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_look *look = owner;
  struct ca_apply *apply = look->apply;

  (void)token;
  look->op = 0;
  take_reply(look, result);
  if(result->status == 401) {
    apply->key_rejected = true;
    apply->stopped = true;
  }
  if(!apply->stopped)
    go_on(look);
}

void ca_apply_drop_looks(struct ca_apply *apply, bool quietly)
{
  while(apply->looks) {
    struct ca_look *look = apply->looks;
    struct ca_work *work;

    apply->looks = look->next;
    apply->look_count--;
    if(look->op)
      ca_engine_cancel(apply->engine, look->op, NULL);
    while(!quietly && (work = take_work(look)))
      ca_apply_leave_alone(apply, work);
    free_look(look);
  }
}

/* The beginning. */

static struct ca_look *new_look(struct ca_apply *apply, size_t targets)
{
  struct ca_look *look = calloc(1, sizeof(*look));

  if(!look)
    return NULL;
  look->apply = apply;
  look->targets = malloc(targets * sizeof(*look->targets));
  if(!look->targets) {
    free(look);
    return NULL;
  }
  look->next = apply->looks;
  apply->looks = look;
  apply->look_count++;
  return look;
}

static void add_work(struct ca_look *look, struct ca_work *work)
{
  ca_work_targets(look->apply, work, look->targets, &look->count);
  ca_work_push(&look->works, work);
  if(!work->single)
    look->apply->looking++;
}

/* Works for one look, off the queue: as many as one list tells of, or one that
   takes ops of its own. Returns how many targets they may have. */
static size_t take_batch(struct ca_apply *apply, struct ca_work_queue *batch)
{
  size_t total = 0;

  while(apply->unseen.first) {
    size_t count;
    bool alone;
    ca_work_needs_look(apply, apply->unseen.first, &count, &alone);
    if(batch->first && (alone || total + count > LISTED_IDS))
      break;
    ca_work_push(batch, ca_work_pop(&apply->unseen));
    total += count;
    if(alone)
      break;
  }
  return total;
}

static enum ca_code begin_look(struct ca_apply *apply, struct ca_err *err)
{
  struct ca_work_queue batch = { NULL, NULL, 0 };
  size_t targets = take_batch(apply, &batch);
  struct ca_look *look = new_look(apply, targets);
  struct ca_work *work;

  while((work = ca_work_pop(&batch)))
    if(look)
      add_work(look, work);
    else
      ca_work_push(&apply->unseen, work);
  if(!look)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  go_on(look);
  return CA_OK;
}

void ca_apply_look_single(struct ca_apply *apply, struct ca_work *work)
{
  size_t count;
  bool alone;
  bool needs = ca_work_needs_look(apply, work, &count, &alone);
  struct ca_look *look = needs ? new_look(apply, count) : NULL;

  if(look) {
    add_work(look, work);
    go_on(look);
  } else if(needs) {
    ca_apply_end_rest(apply, work, CA_NOT_TRIED, "out of memory");
  } else {
    work->look = false;
    ca_work_push(&apply->direct, work);
  }
}

/* Ahead of the changes. */

/* Works enough for the next look, as long as those that need none are not too
   many meanwhile. */
static enum ca_code pull_unseen(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && apply->unseen.count < LISTED_IDS &&
        apply->fit.count < apply->group) {
    struct ca_work *work;
    size_t count;
    bool alone;

    code = ca_apply_pull(apply, &work, err);
    if(!work)
      break;
    ca_work_push(ca_work_needs_look(apply, work, &count, &alone)
                     ? &apply->unseen
                     : &apply->fit,
                 work);
  }
  return code;
}

enum ca_code ca_apply_look_ahead(struct ca_apply *apply, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(!code && apply->looks_first && !apply->stopped &&
        apply->look_count < LOOKS_AT_ONCE &&
        apply->fit.count + apply->looking < apply->group) {
    code = pull_unseen(apply, err);
    if(code || apply->stopped || !apply->unseen.first)
      break;
    code = begin_look(apply, err);
  }
  return code;
}
