/* Replays: a script runs with a plan that the ledger already holds, either a
   saved one or what an earlier session of the run left. Bulks find their plan
   by number and name, straight-line calls find their change by its content,
   and actions run again only for secrets, which the ledger does not store.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "base/digest.h"
#include "job/run_private.h"
#include "ledger/verdict.h"

static bool is_open(const struct lca_run *run, const struct ca_api *api,
                    enum ca_outcome outcome)
{
  return ca_verdict_is_open(api, outcome, run->options.replay.failed);
}

/* Calls visit for the cursor's rows until it returns false, and closes the
   cursor. Raises when the ledger cannot be read; visit must not raise. */
static void
each_change(lua_State *L, struct lca_run *run, struct ca_changes *changes,
            bool (*visit)(void *ctx, const struct ca_change_row *row),
            void *ctx)
{
  const struct ca_change_row *row = NULL;
  struct ca_err err;
  ca_err_clear(&err);
  while(!ca_changes_next(changes, &row, &err) && row && visit(ctx, row))
    ;
  ca_changes_close(changes);
  if(err.code)
    lca_run_ledger_failed(L, run, &err);
}

/* The same for the rows of a bulk (-1: of all bulks, 0: straight-line
   changes) with one of these outcomes. */
static void
each_of_bulk(lua_State *L, struct lca_run *run, int bulk, unsigned outcomes,
             bool (*visit)(void *ctx, const struct ca_change_row *row),
             void *ctx)
{
  struct ca_changes changes;
  ca_changes_open(&changes, run->ledger, bulk, outcomes);
  each_change(L, run, &changes, visit, ctx);
}

/* Returns the ledger whose run has the plan: in a redo the earlier run. */
static struct ca_ledger *planned_in(const struct lca_run *run)
{
  return run->options.replay.redo ? run->options.earlier : run->ledger;
}

/* ---- comparing changes ---- */

/* Hashes the text with its NUL, so that "a", "bc" and "ab", "c" differ. */
static uint64_t mix(uint64_t hash, const char *text)
{
  return text ? ca_digest_hash(hash, text, strlen(text) + 1)
              : ca_digest_hash(hash, "\x01", 1);
}

/* Changes with equal hashes are taken to be the same request. */
static uint64_t hash_change(const struct ca_change *change)
{
  uint64_t hash = mix(0, change->api->name);
  hash = mix(hash, change->api->resource);
  hash = mix(hash, change->account ? change->account : "");
  hash = mix(hash, change->query);
  return mix(hash, change->fingerprint ? change->fingerprint : change->body);
}

/* Returns the number of accounts that a recorded change affects. */
static int64_t weight_of(const struct ca_change *change)
{
  int64_t connections = 1;
  if(change->before_image &&
     ca_json_integer(change->before_image, strlen(change->before_image),
                     "$.connections", &connections) &&
     connections > 1)
    return connections;
  return 1;
}

/* ---- counting a plan for the guard ---- */

struct counting {
  struct lca_run *run;
  struct ca_planned *planned;
  int64_t item;
  uint64_t account;          /* hash of the previous change's account id */
  bool before;               /* it may have been ACTIVE before that change */
  bool active;               /* it may be ACTIVE after that change */
  struct ca_verdict verdict; /* of the item's changes so far */
  bool previous_open;        /* the previous change may still be sent */
  bool previous_irreversible;
  int64_t open;
  int64_t irreversible;
  bool creates; /* some of the changes that may be sent make accounts */
  bool weighed; /* what auth configs weigh now has been counted already */
};

static void add_open(struct counting *counting, bool irreversible, int sign)
{
  counting->open += sign;
  counting->irreversible += irreversible ? sign : 0;
}

/* Counts changes that may still be sent. It leaves out the fallback of a
   change that succeeded, and a failed change whose fallback succeeded. */
static void count_open(struct counting *counting,
                       const struct ca_change_row *row)
{
  bool open = is_open(counting->run, row->change.api, row->outcome);
  bool irreversible = row->change.cost == CA_IRREVERSIBLE;
  bool failed = ca_verdict_wants_fallback(&counting->verdict);
  if(row->change.fallback) {
    open = open && (failed || counting->previous_open);
    if(failed && counting->previous_open && ca_verdict_makes_up(row->outcome))
      add_open(counting, counting->previous_irreversible, -1);
  }
  if(open)
    add_open(counting, irreversible, 1);
  counting->creates =
      counting->creates || (open && ca_api_creates(row->change.api));
  ca_verdict_add(&counting->verdict, row->outcome, row->change.fallback);
  counting->previous_open = open;
  counting->previous_irreversible = irreversible;
}

static bool count_change(void *ctx, const struct ca_change_row *row)
{
  struct counting *counting = ctx;
  const struct ca_change *change = &row->change;
  uint64_t account = ca_digest_text(change->account);
  bool active;
  if(row->item != counting->item) {
    memset(&counting->verdict, 0, sizeof(counting->verdict));
    counting->previous_open = false;
  }
  count_open(counting, row);
  if(row->item != counting->item || account != counting->account)
    counting->active = lca_guard_begins_active(change);
  if(!change->fallback)
    counting->before = counting->active;
  active = change->api->probe == CA_PROBE_GONE && counting->before;
  counting->item = row->item;
  counting->account = account;
  /* either the change or its fallback takes effect */
  counting->active = lca_guard_leaves_active(change, counting->before) ||
                     (change->fallback && counting->active);
  if(row->outcome != CA_SAME && row->outcome != CA_SKIPPED)
    lca_guard_add(counting->planned, change,
                  counting->weighed && change->api->weight ? 0
                                                           : weight_of(change),
                  active);
  return true;
}

/* host.guard_plan(weight): checks a whole saved plan against the limits and
   against interrupted runs that are like it, and asks to confirm its
   irreversible changes, before any change is sent. weight: how many accounts
   its changes of auth configs change now, which may be more than when it was
   made. A refused plan is not sealed, so it
   cannot be resumed. */
int lca_replay_guard_plan(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const struct lca_run_options *options = &run->options;
  struct counting counting = { .run = run,
                               .planned = &run->stats.guarded,
                               .weighed = true };
  struct ca_err err;
  ca_err_clear(&err);
  lca_run_begin(L, run);
  run->stats.guarded.changes += luaL_checkinteger(L, 1);
  each_of_bulk(L, run, -1, CA_ANY_OUTCOME, count_change, &counting);
  if(lca_guard_like(run, counting.creates, &err))
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  if(ca_guard_check(&options->limits, &run->stats.guarded, &err) ||
     (counting.irreversible &&
      options->confirm(options->ctx, counting.irreversible, NULL, NULL,
                       &err))) {
    lca_guard_keep_over(&run->stats, &run->stats.guarded,
                        counting.irreversible);
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  }
  if(options->let_through(options->ctx, &err) == CA_GATE)
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  return err.code ? lca_run_ledger_failed(L, run, &err) : 0;
}

/* Records a change that is not sent, with the reason. */
static void record_unsent(lua_State *L, struct lca_run *run, int64_t number,
                          enum ca_outcome outcome, const char *why)
{
  struct ca_err cause;
  struct ca_err err;
  ca_err_clear(&cause);
  ca_err_clear(&err);
  ca_err_set(&cause, CA_USAGE, "%s", why);
  if(ca_outcome_record(run->ledger, number, outcome, 0, NULL, NULL, NULL,
                       &cause, &err))
    lca_run_ledger_failed(L, run, &err);
}

/* host.leave_out(number, why): records the change as skipped. */
int lca_replay_leave_out(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  lca_run_begin(L, run);
  record_unsent(L, run, luaL_checkinteger(L, 1), CA_SKIPPED,
                luaL_checkstring(L, 2));
  return 0;
}

/* ---- bulks ---- */

bool lca_replay_bulk(lua_State *L, struct lca_run *run)
{
  struct counting counting = { .run = run, .planned = &run->stats.guarded };
  struct lca_plan *plan = &run->plan;
  bool only = run->options.replay.only_plan;
  struct ca_bulk bulk;
  bool found;
  struct ca_planned whole = run->stats.guarded;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_read_bulk(planned_in(run), plan->bulk, &bulk, &err))
    lca_run_ledger_failed(L, run, &err);
  found = bulk.number == plan->bulk;
  memset(&run->sealed_bulk, 0, sizeof(run->sealed_bulk));
  if(found)
    run->sealed_bulk = bulk;
  if(found && strcmp(run->sealed_bulk.name, plan->name) != 0)
    lca_run_stop(L, LCA_STOP_REFUSED,
                 "refused: bulk %d of the plan is '%s', but the script's is "
                 "'%s': the script took another path than when the plan was "
                 "made",
                 plan->bulk, run->sealed_bulk.name, plan->name);
  if(!found && run->options.replay.exact)
    lca_run_stop(L, LCA_STOP_REFUSED,
                 "refused: the plan has no bulk '%s': the script took another "
                 "path than when the plan was made; make a new plan",
                 plan->name);
  if(!found || run->options.replay.redo)
    return false;
  each_of_bulk(L, run, plan->bulk, CA_ANY_OUTCOME, count_change, &counting);
  if(only)
    run->stats.guarded = whole; /* all of it was counted at the start */
  plan->selected = run->sealed_bulk.selected;
  plan->totals.planned = counting.open;
  plan->totals.same = run->sealed_bulk.same;
  plan->totals.skipped = run->sealed_bulk.skipped;
  plan->failed = run->sealed_bulk.failed;
  plan->totals.irreversible = counting.irreversible;
  plan->replayed = true;
  run->stats.selected += plan->selected;
  run->stats.planned += plan->totals.planned;
  return true;
}

/* ---- straight-line changes ---- */

/* A straight-line change of the run, in a list in the ledger's order. */
struct lca_recorded {
  struct lca_recorded *next;
  struct ca_change_row row;
  uint64_t hash;
  bool used;
  bool earlier; /* of the run that this one redoes: it is never sent */
  char texts[]; /* of the row */
};

void lca_replay_free(struct lca_run *run)
{
  struct lca_recorded *one = run->recorded;
  while(one) {
    struct lca_recorded *next = one->next;
    free(one);
    one = next;
  }
  run->recorded = NULL;
}

/* ctx: the place of the list's end, NULL when memory has run out */
static bool add_recorded(void *ctx, const struct ca_change_row *row)
{
  struct lca_recorded ***end = ctx;
  struct lca_recorded *one = malloc(sizeof(*one) + ca_change_row_size(row));
  **end = one;
  *end = one ? &one->next : NULL;
  if(!one)
    return false;
  one->next = NULL;
  ca_change_row_copy(&one->row, row, one->texts, SIZE_MAX);
  one->hash = hash_change(&row->change);
  one->used = false;
  one->earlier = false;
  return true;
}

/* Adds the straight-line changes of the run that this one redoes; end: the
   end of the list. */
static void add_earlier(lua_State *L, struct lca_run *run,
                        struct lca_recorded **end)
{
  struct lca_recorded **last = end;
  struct lca_recorded *one;
  struct ca_changes changes;
  if(!end || !run->options.earlier)
    return;
  ca_changes_open(&changes, run->options.earlier, 0, CA_ANY_OUTCOME);
  each_change(L, run, &changes, add_recorded, &last);
  if(!last)
    luaL_error(L, "out of memory");
  for(one = *end; one; one = one->next)
    one->earlier = true;
}

/* Finds the first recorded change with the same content that was not used
   yet. Reads the straight-line changes of the run on the first call. */
static struct lca_recorded *find_recorded(lua_State *L, struct lca_run *run,
                                          const struct ca_change *change)
{
  struct lca_recorded **end = &run->recorded;
  struct lca_recorded *one;
  uint64_t hash = hash_change(change);
  if(!run->recorded_read) {
    run->recorded_read = true;
    each_of_bulk(L, run, 0, CA_ANY_OUTCOME, add_recorded, &end);
    if(!end)
      luaL_error(L, "out of memory");
    add_earlier(L, run, end);
  }
  for(one = run->recorded; one; one = one->next)
    if(!one->used && one->hash == hash)
      break;
  return one;
}

static int raise_recorded(lua_State *L,
                          const struct lca_change_builder *builder,
                          const struct ca_change_row *recorded)
{
  struct ca_err err;
  ca_err_clear(&err);
  ca_err_set(&err, recorded->outcome == CA_SKIPPED ? CA_GATE : CA_NETWORK,
             "%s in an earlier session of the run%s%s",
             ca_change_outcome_name(recorded->outcome),
             recorded->error ? ": " : "",
             recorded->error ? recorded->error : "");
  err.unknown = recorded->outcome == CA_UNKNOWN;
  return lca_error_throw(L, builder->change.api, builder->change.account,
                         &err);
}

static int refuse_unplanned(lua_State *L, struct lca_run *run,
                            const struct ca_change *change)
{
  lua_pushfstring(L,
                  "refused: %s %s is not in the plan: the script took another "
                  "path than when the plan was made",
                  change->api->name, change->account);
  return lca_guard_refuse(L, run, lua_tostring(L, -1));
}

static bool is_text(const char *a, const char *b)
{
  return !strcmp(a ? a : "", b ? b : "");
}

/* Is the later change about the account, or the user and auth config, of the
   earlier one? */
static bool is_about(const struct ca_change_row *later,
                     const struct ca_change *change)
{
  if(!ca_api_creates(change->api))
    return change->account[0] &&
           is_text(later->change.account, change->account);
  return later->outcome == CA_DONE && ca_api_creates(later->change.api) &&
         is_text(later->change.user, change->user) &&
         is_text(later->change.config, change->config);
}

enum ca_code lca_replay_followed(struct lca_run *run,
                                 const struct ca_change_row *row,
                                 bool *followed, struct ca_err *err)
{
  struct ca_changes changes;
  const struct ca_change_row *later;
  enum ca_code code;
  /* a `same` of a saved plan is older than the run */
  unsigned same = run->options.replay.exact ? 0 : 1U << CA_SAME;
  *followed = false;
  ca_changes_open(&changes, run->ledger, -1,
                  same | 1U << CA_DONE | 1U << CA_UNKNOWN | 1U << CA_INTENDED);
  while(!(code = ca_changes_next(&changes, &later, err)) && later &&
        !*followed)
    *followed = later->item > row->item && is_about(later, &row->change);
  ca_changes_close(&changes);
  return code;
}

enum ca_code lca_replay_skip(struct lca_run *run,
                             const struct ca_change_row *row, const char **why,
                             struct ca_err *err)
{
  struct ca_err cause;
  *why = ca_api_creates(row->change.api)
             ? "not sent again: the run has made an account of this user and "
               "auth config since"
             : "not sent again: the run has changed the account since";
  ca_err_clear(&cause);
  ca_err_set(&cause, CA_USAGE, "%s", *why);
  return ca_outcome_record(run->ledger, row->number, CA_SKIPPED, 0, NULL, NULL,
                           NULL, &cause, err);
}

/* Has the run followed this change, which was sent or was to be in an earlier
   session, by another? Then it is not sent again, and skipped unless it is
   unknown: its quiet time is not over. */
static bool skip_followed(lua_State *L, struct lca_run *run,
                          struct ca_change_row *row)
{
  struct ca_err err;
  bool followed;
  ca_err_clear(&err);
  if(row->outcome == CA_PLANNED ||
     !is_open(run, row->change.api, row->outcome))
    return false;
  if(lca_replay_followed(run, row, &followed, &err))
    lca_run_ledger_failed(L, run, &err);
  if(!followed || row->outcome == CA_UNKNOWN)
    return followed;
  if(lca_replay_skip(run, row, &row->error, &err))
    lca_run_ledger_failed(L, run, &err);
  row->outcome = CA_SKIPPED;
  return true;
}

/* Did the reply to a change hold a link for a person? That to a new link names
   no status. */
static bool had_link(const struct ca_api *api, const char *status)
{
  if(!status || !*status)
    return api->makes != NULL;
  return !strcmp(status, "INITIATED") || !strcmp(status, "INITIALIZING");
}

bool lca_replay_straight(lua_State *L, struct lca_run *run,
                         const struct lca_change_builder *builder,
                         int *results)
{
  const struct ca_change *change = &builder->change;
  const struct ca_change_row *recorded;
  struct lca_recorded *one;
  bool followed;
  one = find_recorded(L, run, change);
  if(!one && run->options.replay.exact)
    refuse_unplanned(L, run, change);
  if(!one)
    return false;
  one->used = true;
  followed = !one->earlier && skip_followed(L, run, &one->row);
  recorded = &one->row;
  if(!run->options.replay.only_plan && !one->earlier &&
     recorded->outcome != CA_SAME &&
     recorded->outcome != CA_SKIPPED) /* else all of it was counted */
    lca_guard_add(&run->stats.guarded, change, builder->weight,
                  builder->ends_active);
  if(!followed && !one->earlier &&
     is_open(run, recorded->change.api, recorded->outcome)) {
    if(change->cost == CA_IRREVERSIBLE)
      run->stats.irreversible_straight++;
    run->stats.planned++;
    *results = lca_direct_carry_out(L, run, change, 0, recorded->number,
                                    builder->secret);
    return true;
  }
  *results = 1;
  if(recorded->outcome == CA_SAME)
    lca_run_push_same(L);
  else if(recorded->outcome == CA_DONE) {
    run->lost_links +=
        !one->earlier && had_link(change->api, recorded->status_after);
    lca_run_push_earlier(L, change->api, change->account,
                         recorded->status_after, recorded->made);
  } else
    raise_recorded(L, builder, recorded);
  return true;
}

/* ---- secrets that must be supplied again ---- */

/* Are both the same operation on the same account, user and auth config,
   whatever their secrets? */
static bool is_like(const struct ca_change *change,
                    const struct ca_change *wanted)
{
  return change->api == wanted->api && change->fingerprint &&
         is_text(change->account, wanted->account) &&
         is_text(change->user, wanted->user) &&
         is_text(change->config, wanted->config);
}

/* A change that an earlier session of the run planned with a secret. */
struct match {
  const struct ca_change *wanted;
  int64_t number; /* 0: there is none */
  enum ca_outcome outcome;
  bool same_secret;
};

/* Takes the first change that is like the wanted one. */
static bool take_match(void *ctx, const struct ca_change_row *row)
{
  struct match *match = ctx;
  if(!is_like(&row->change, match->wanted))
    return true;
  match->number = row->number;
  match->outcome = row->outcome;
  match->same_secret =
      is_text(row->change.fingerprint, match->wanted->fingerprint);
  return false;
}

static void log_other_secret(struct lca_run *run, const char *key,
                             const struct ca_change *change)
{
  char line[400];
  snprintf(line, sizeof(line),
           "  %s: the %s was not sent, because its credentials are not those "
           "of the plan; a new run takes the new ones",
           key, change->api->name);
  run->options.log_line(run->options.ctx, line);
}

int lca_replay_recall(lua_State *L, struct lca_run *run, int at,
                      const struct lca_change_builder *builder)
{
  struct lca_item *item = lua_touserdata(L, at);
  struct match match = { .wanted = &builder->change };
  struct ca_changes changes;
  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "planned");
  if(!builder->change.fingerprint)
    return 1; /* the ledger holds all of it */
  ca_changes_open_item(&changes, run->ledger, item->number, item->recalled);
  each_change(L, run, &changes, take_match, &match);
  if(!match.number)
    return 1; /* not planned: it is not sent */
  item->recalled = match.number;
  if(!is_open(run, builder->change.api, match.outcome))
    return 1;
  if(!match.same_secret) {
    lua_getiuservalue(L, at, LCA_ITEM_KEY);
    log_other_secret(run, lua_tostring(L, -1), &builder->change);
    lua_pop(L, 1);
    if(match.outcome !=
       CA_UNKNOWN) /* it may have been sent with the planned secret */
      record_unsent(L, run, match.number, CA_STALE,
                    "its credentials are not those of the plan");
    return 1;
  }
  lca_run_need_apply(L, run);
  if(ca_apply_secret_keep(run->apply, match.number, builder->secret.data,
                          builder->secret.len))
    luaL_error(L, "out of memory");
  return 1;
}

struct secret_wanted {
  const struct lca_run *run;
  bool found;
};

static bool find_secret(void *ctx, const struct ca_change_row *row)
{
  struct secret_wanted *wanted = ctx;
  wanted->found = row->change.fingerprint &&
                  is_open(wanted->run, row->change.api, row->outcome);
  return !wanted->found;
}

/* host.open_secrets(bulk) → whether a change that may still be sent needs a
   secret again. */
int lca_replay_open_secrets(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct secret_wanted wanted = { run, false };
  each_of_bulk(L, run, (int)luaL_checkinteger(L, 1), CA_ANY_OUTCOME,
               find_secret, &wanted);
  lua_pushboolean(L, wanted.found);
  return 1;
}

/* host.row_of(bulk, key) → the item's number, or nil, and its row as JSON, or
   nil. */
int lca_replay_row(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int bulk = (int)luaL_checkinteger(L, 1);
  const char *key = luaL_checkstring(L, 2);
  struct ca_item item;
  struct ca_err err;
  int64_t number = 0;
  ca_err_clear(&err);
  if(ca_read_find_item(planned_in(run), bulk, key, &number, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(!number) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, number);
  if(ca_read_item(planned_in(run), number, &item, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(item.row)
    lua_pushstring(L, item.row);
  else
    lua_pushnil(L);
  return 2;
}

/* host.unplanned(bulk, after) → the number of the bulk's next item whose
   action failed, its key and its account's id; nil after the last. */
int lca_replay_unplanned(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_item item;
  struct ca_err err;
  int64_t number = 0;
  ca_err_clear(&err);
  if(ca_read_unplanned(planned_in(run), (int)luaL_checkinteger(L, 1),
                       luaL_checkinteger(L, 2), &number, &err) ||
     (number && ca_read_item(planned_in(run), number, &item, &err)))
    return lca_run_ledger_failed(L, run, &err);
  if(!number)
    return 0;
  lua_pushinteger(L, number);
  lua_pushstring(L, item.key);
  lua_pushstring(L, item.account);
  return 3;
}
