/* Replays: a script runs over a plan that stands in the ledger already, a
   saved one or what an earlier part of the run left. Bulks find their plan by
   number and name, straight-line calls find their change by what it says, and
   actions run again only for secrets, which no ledger holds. Must not know:
   curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "base/digest.h"
#include "job/run_private.h"

#define BATCH 256
/* It may still be sent. */
#define OPEN_SET                                               \
  (1u << CA_PLANNED | 1u << CA_NOT_TRIED | 1u << CA_INTENDED | \
   1u << CA_UNKNOWN)
#define ALL_SET ((1u << CA_OUTCOME_COUNT) - 1)

/* What this replay may send. */
static unsigned open_set(const struct lca_run *run)
{
  return OPEN_SET | (run->options.replay.failed ? 1u << CA_FAILED : 0);
}

/* ---- what a change is ---- */

/* With its NUL, so that "a", "bc" and "ab", "c" differ. */
static uint64_t mix(uint64_t hash, const char *text)
{
  return text ? ca_digest_hash(hash, text, strlen(text) + 1)
              : ca_digest_hash(hash, "\x01", 1);
}

/* Two changes with the same say the same. */
static uint64_t hash_change(const struct ca_change *change)
{
  uint64_t hash = mix(0, change->api->name);
  hash = mix(hash, change->api->resource);
  hash = mix(hash, change->account ? change->account : "");
  hash = mix(hash, change->query);
  return mix(hash, change->fingerprint ? change->fingerprint : change->body);
}

/* The number of accounts that a recorded change counts for. */
static int64_t weight_of(const struct ca_change *change)
{
  int64_t connections = 1;
  if(change->image &&
     ca_json_integer(change->image, strlen(change->image), "$.connections",
                     &connections) &&
     connections > 1)
    return connections;
  return 1;
}

/* ---- what the guard makes of a plan ---- */

struct counting {
  struct lca_run *run;
  struct ca_planned *planned;
  int64_t item;
  uint64_t account; /* of the item's change before */
  bool before;      /* was it perhaps ACTIVE before that change, */
  bool active;      /* and is it now? */
  int64_t open;
  int64_t irreversible;
  int64_t after;
  size_t seen;
};

static bool count_change(void *ctx, const struct ca_change_row *row)
{
  struct counting *counting = ctx;
  const struct ca_change *change = &row->change;
  uint64_t account = ca_digest_text(change->account);
  bool active;
  counting->after = row->number;
  counting->seen++;
  if(row->item != counting->item || account != counting->account)
    counting->active = lca_guard_begins_active(change);
  if(!change->fallback)
    counting->before = counting->active;
  active = change->api->probe == CA_PROBE_GONE && counting->before;
  counting->item = row->item;
  counting->account = account;
  /* either the change or its fallback comes true */
  counting->active = lca_guard_leaves_active(change, counting->before) ||
                     (change->fallback && counting->active);
  if(row->outcome == CA_SAME || row->outcome == CA_SKIPPED)
    return true;
  lca_guard_add(counting->planned, change, weight_of(change), active);
  if((open_set(counting->run) >> row->outcome) & 1) {
    counting->open++;
    counting->irreversible += change->cost == CA_IRREVERSIBLE;
  }
  return true;
}

static void count_changes(lua_State *L, struct lca_run *run, int bulk,
                          struct counting *counting)
{
  struct ca_err err;
  ca_err_clear(&err);
  do {
    counting->seen = 0;
    if(ca_ledger_changes(run->ledger, bulk, counting->after, ALL_SET, BATCH,
                         count_change, counting, &err))
      lca_run_ledger_failed(L, run, &err);
  } while(counting->seen == BATCH);
}

/* host.guard_plan(): the whole of a saved plan against the limits, and its
   irreversible changes against their confirmation, before any of it. What is
   refused never stands, so that nothing resumes it. */
int lca_replay_guard_plan(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const struct lca_run_options *options = &run->options;
  struct counting counting = { .run = run, .planned = &run->stats.guarded };
  struct ca_err err;
  ca_err_clear(&err);
  lca_run_begin(L, run);
  count_changes(L, run, -1, &counting);
  if(ca_guard_check(&options->limits, &run->stats.guarded, &err))
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  if(counting.irreversible &&
     options->confirm(options->ctx, counting.irreversible, NULL, NULL, &err))
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  if(options->let_through(options->ctx, &err))
    return lca_run_ledger_failed(L, run, &err);
  return 0;
}

/* host.leave_out(number, why): the change is not to be sent after all. */
int lca_replay_leave_out(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int64_t number = luaL_checkinteger(L, 1);
  struct ca_err cause;
  struct ca_err err;
  ca_err_clear(&cause);
  ca_err_clear(&err);
  ca_err_set(&cause, CA_USAGE, "%s", luaL_checkstring(L, 2));
  lca_run_begin(L, run);
  if(ca_ledger_settle(run->ledger, number, CA_SKIPPED, 0, NULL, NULL, NULL,
                      &cause, &err))
    return lca_run_ledger_failed(L, run, &err);
  return 0;
}

/* ---- bulks ---- */

bool lca_replay_bulk(lua_State *L, struct lca_run *run)
{
  struct counting counting = { .run = run, .planned = &run->stats.guarded };
  struct lca_plan *plan = &run->plan;
  bool only = run->options.replay.only_plan;
  bool found = false;
  struct ca_planned whole = run->stats.guarded;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_ledger_bulk(run->ledger, plan->bulk, &run->standing, &found, &err))
    lca_run_ledger_failed(L, run, &err);
  if(found && strcmp(run->standing.name, plan->name) != 0)
    lca_run_stop(L, LCA_STOP_REFUSED,
                 "refused: bulk %d of the plan is '%s', the script's is "
                 "'%s': the script did not go the way it went when the plan "
                 "was made",
                 plan->bulk, run->standing.name, plan->name);
  if(!found && run->options.replay.exact)
    lca_run_stop(L, LCA_STOP_REFUSED,
                 "refused: the plan holds no bulk '%s': the script did not go "
                 "the way it went when the plan was made; make a new plan",
                 plan->name);
  if(!found)
    return false;
  count_changes(L, run, plan->bulk, &counting);
  if(only)
    run->stats.guarded = whole; /* all of it was counted at the start */
  plan->selected = run->standing.selected;
  plan->planned = counting.open;
  plan->same = run->standing.same;
  plan->skipped = run->standing.skipped;
  plan->failed = run->standing.failed;
  plan->irreversible = counting.irreversible;
  plan->replayed = true;
  run->stats.selected += plan->selected;
  run->stats.planned += plan->planned;
  run->stats.same += plan->same;
  return true;
}

/* ---- straight-line changes ---- */

struct lca_recorded {
  uint64_t hash;
  int64_t number;
  enum ca_outcome outcome;
  bool used;
  bool repeatable;
  char *status_after; /* owned, or NULL; as the next two */
  char *made;
  char *error;
};

struct reading {
  struct lca_run *run;
  size_t size;
  bool failed;
};

static char *copy(const char *text)
{
  return text ? strdup(text) : NULL;
}

static bool read_recorded(void *ctx, const struct ca_change_row *row)
{
  struct reading *reading = ctx;
  struct lca_run *run = reading->run;
  struct lca_recorded *one;
  if(run->recorded_count == reading->size) {
    size_t size = reading->size ? reading->size * 2 : 64;
    struct lca_recorded *more = realloc(run->recorded, size * sizeof(*more));
    if(!more) {
      reading->failed = true;
      return false;
    }
    run->recorded = more;
    reading->size = size;
  }
  one = &run->recorded[run->recorded_count++];
  memset(one, 0, sizeof(*one));
  one->hash = hash_change(&row->change);
  one->number = row->number;
  one->outcome = row->outcome;
  one->repeatable = row->change.api->repeat != CA_REPEAT_NEVER;
  one->status_after = copy(row->status_after);
  one->made = copy(row->made);
  one->error = copy(row->error);
  return true;
}

void lca_replay_free(struct lca_run *run)
{
  size_t i;
  for(i = 0; i < run->recorded_count; i++) {
    free(run->recorded[i].status_after);
    free(run->recorded[i].made);
    free(run->recorded[i].error);
  }
  free(run->recorded);
  run->recorded = NULL;
  run->recorded_count = 0;
}

static void need_recorded(lua_State *L, struct lca_run *run)
{
  struct reading reading = { run, 0, false };
  struct ca_err err;
  if(run->recorded_read)
    return;
  run->recorded_read = true;
  ca_err_clear(&err);
  if(ca_ledger_changes(run->ledger, 0, 0, ALL_SET, SIZE_MAX >> 1,
                       read_recorded, &reading, &err))
    lca_run_ledger_failed(L, run, &err);
  if(reading.failed)
    luaL_error(L, "out of memory");
}

static struct lca_recorded *find_recorded(struct lca_run *run,
                                          const struct ca_change *change)
{
  uint64_t hash = hash_change(change);
  size_t i;
  for(i = 0; i < run->recorded_count; i++)
    if(!run->recorded[i].used && run->recorded[i].hash == hash)
      return &run->recorded[i];
  return NULL;
}

static int raise_recorded(lua_State *L, const struct lca_draft *draft,
                          const struct lca_recorded *recorded)
{
  struct ca_err err;
  ca_err_clear(&err);
  ca_err_set(&err, recorded->outcome == CA_SKIPPED ? CA_GATE : CA_NETWORK,
             "%s in an earlier part of the run%s%s",
             ca_outcome_name(recorded->outcome), recorded->error ? ": " : "",
             recorded->error ? recorded->error : "");
  err.unknown = recorded->outcome == CA_UNKNOWN;
  return lca_error_throw(L, draft->change.api, draft->change.account, &err);
}

static bool is_to_be_sent(const struct lca_run *run,
                          const struct lca_recorded *recorded)
{
  switch(recorded->outcome) {
  case CA_PLANNED:
  case CA_NOT_TRIED:
    return true;
  case CA_FAILED:
    return run->options.replay.failed;
  case CA_UNKNOWN:
  case CA_INTENDED:
    return recorded->repeatable;
  default:
    return false;
  }
}

static int refuse_unplanned(lua_State *L, struct lca_run *run,
                            const struct ca_change *change)
{
  lua_pushfstring(L,
                  "refused: %s %s is not in the plan: the script did not go "
                  "the way it went when the plan was made",
                  change->api->name, change->account);
  return lca_guard_refuse(L, run, lua_tostring(L, -1));
}

bool lca_replay_straight(lua_State *L, struct lca_run *run,
                         const struct lca_draft *draft, int *results)
{
  const struct ca_change *change = &draft->change;
  struct lca_recorded *recorded;
  need_recorded(L, run);
  recorded = find_recorded(run, change);
  if(!recorded && run->options.replay.exact)
    refuse_unplanned(L, run, change);
  if(!recorded)
    return false;
  recorded->used = true;
  if(is_to_be_sent(run, recorded)) {
    if(change->cost == CA_IRREVERSIBLE)
      run->stats.irreversible_straight++;
    run->stats.planned++;
    *results =
        lca_one_carry_out(L, run, change, 0, recorded->number, draft->secret);
    return true;
  }
  *results = 1;
  if(recorded->outcome == CA_SAME)
    lca_plan_push_same(L);
  else if(recorded->outcome == CA_DONE)
    lca_replay_push_earlier(L, change->api, change->account,
                            recorded->status_after, recorded->made);
  else
    raise_recorded(L, draft, recorded);
  return true;
}

/* ---- secrets that are wanted again ---- */

/* The item's next change that says the same but for its secret. */
struct matching {
  const struct ca_change *wanted;
  int64_t item;
  int64_t after; /* numbers from here on */
  int64_t number;
  enum ca_outcome outcome;
  bool same_secret;
};

static bool is_text(const char *a, const char *b)
{
  return !strcmp(a ? a : "", b ? b : "");
}

static bool match_change(void *ctx, const struct ca_change_row *row)
{
  struct matching *matching = ctx;
  const struct ca_change *wanted = matching->wanted;
  const struct ca_change *change = &row->change;
  if(row->item != matching->item)
    return row->item < matching->item;
  if(change->api != wanted->api || !change->fingerprint ||
     !is_text(change->account, wanted->account) ||
     !is_text(change->user, wanted->user) ||
     !is_text(change->config, wanted->config))
    return true;
  matching->number = row->number;
  matching->outcome = row->outcome;
  matching->same_secret =
      wanted->fingerprint && !strcmp(change->fingerprint, wanted->fingerprint);
  return false;
}

static void say_other_secret(struct lca_run *run, const char *key,
                             const struct ca_change *change)
{
  char line[400];
  snprintf(line, sizeof(line),
           "  %s: the credentials of its %s are not those of the plan: not "
           "sent; a new run takes them",
           key, change->api->name);
  run->options.say(run->options.ctx, line);
}

static void settle_other_secret(lua_State *L, struct lca_run *run,
                                int64_t number)
{
  struct ca_err cause;
  struct ca_err err;
  ca_err_clear(&cause);
  ca_err_clear(&err);
  ca_err_set(&cause, CA_USAGE, "its credentials are not those of the plan");
  if(ca_ledger_settle(run->ledger, number, CA_STALE, 0, NULL, NULL, NULL,
                      &cause, &err))
    lca_run_ledger_failed(L, run, &err);
}

int lca_replay_recall(lua_State *L, struct lca_run *run, int at,
                      const struct lca_draft *draft)
{
  struct lca_item *item = lua_touserdata(L, at);
  struct matching matching = { .wanted = &draft->change,
                               .item = item->number,
                               .after = item->recalled };
  struct ca_err err;
  ca_err_clear(&err);
  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "planned");
  if(!draft->change.fingerprint)
    return 1; /* the ledger has it whole */
  if(!matching.after)
    matching.after = ca_ledger_before_changes(item->number);
  if(ca_ledger_changes(run->ledger, -1, matching.after, ALL_SET, 64,
                       match_change, &matching, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(!matching.number)
    return 1; /* not planned: it is not sent */
  item->recalled = matching.number;
  if(!((open_set(run) >> matching.outcome) & 1))
    return 1;
  if(!matching.same_secret) {
    lua_getiuservalue(L, at, LCA_ITEM_KEY);
    say_other_secret(run, lua_tostring(L, -1), &draft->change);
    lua_pop(L, 1);
    if(matching.outcome != CA_UNKNOWN) /* the other one may have been sent */
      settle_other_secret(L, run, matching.number);
    return 1;
  }
  lca_one_need_apply(L, run);
  if(ca_apply_keep_secret(run->apply, matching.number, draft->secret.data,
                          draft->secret.len))
    luaL_error(L, "out of memory");
  return 1;
}

static bool has_secret(void *ctx, const struct ca_change_row *row)
{
  struct counting *counting = ctx;
  counting->after = row->number;
  counting->seen++;
  counting->open += row->change.fingerprint != NULL;
  return !counting->open;
}

/* host.open_secrets(bulk): does a change that may still be sent need a secret
   again? */
int lca_replay_open_secrets(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int bulk = (int)luaL_checkinteger(L, 1);
  unsigned set = open_set(run);
  struct counting counting = { .run = run };
  struct ca_err err;
  ca_err_clear(&err);
  do {
    counting.seen = 0;
    if(ca_ledger_changes(run->ledger, bulk, counting.after, set, BATCH,
                         has_secret, &counting, &err))
      return lca_run_ledger_failed(L, run, &err);
  } while(counting.seen == BATCH && !counting.open);
  lua_pushboolean(L, counting.open > 0);
  return 1;
}

/* host.row_of(bulk, key): the item's number and its row as JSON, or nil. */
int lca_replay_row(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int bulk = (int)luaL_checkinteger(L, 1);
  const char *key = luaL_checkstring(L, 2);
  struct ca_item item;
  struct ca_err err;
  int64_t number = 0;
  ca_err_clear(&err);
  if(ca_ledger_find_item(run->ledger, bulk, key, &number, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(!number) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, number);
  if(ca_ledger_item(run->ledger, number, &item, &err))
    return lca_run_ledger_failed(L, run, &err);
  if(item.row)
    lua_pushstring(L, item.row);
  else
    lua_pushnil(L);
  return 2;
}
