/* The guard of a run: counts planned changes, checks them against the limits,
   irreversible ones against their confirmation and creates against a like run
   that stands interrupted; checks outcomes against stop_on, and whether the
   service is down. The arithmetic of limits is in apply/guard.
   Must not know: curl, how limits are spelled, terminals. */
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"
#include "wire/reply.h"

/* ---- counting ---- */

bool lca_guard_begins_active(const struct ca_change *change)
{
  return !change->before || ca_api_status_works(change->before);
}

bool lca_guard_leaves_active(const struct ca_change *change, bool active)
{
  const struct ca_api *api = change->api;
  if(change->outcome == CA_SAME || change->outcome == CA_SKIPPED)
    return active; /* it is not sent */
  if(api->becomes)
    return ca_api_status_works(api->becomes);
  return active || api->probe == CA_PROBE_MOVED;
}

void lca_guard_add(struct ca_planned *planned, const struct ca_change *change,
                   int64_t weight, bool ends_active)
{
  planned->changes += weight;
  if(change->cost == CA_IRREVERSIBLE)
    planned->irreversible++;
  if(ends_active)
    planned->active_deletes++;
}

void lca_guard_take_back(struct ca_planned *planned,
                         const struct ca_planned *part)
{
  planned->changes -= part->changes;
  planned->irreversible -= part->irreversible;
  planned->active_deletes -= part->active_deletes;
}

/* ---- before a straight-line change ---- */

/* within: the changes that were planned, or made, before. */
static void note_refusal(struct lca_run_stats *stats, int64_t within,
                         const char *why)
{
  if(!stats->refused) {
    stats->within = within;
    ca_text_copy(stats->why_refused, sizeof(stats->why_refused), why);
  }
  stats->refused = true;
}

void lca_guard_keep_over(struct lca_run_stats *stats,
                         const struct ca_planned *planned, int64_t to_confirm)
{
  stats->is_over = true;
  stats->over = *planned;
  stats->over.irreversible = to_confirm;
}

int lca_guard_refuse(lua_State *L, struct lca_run *run, const char *text)
{
  struct lca_run_stats *stats = &run->stats;
  note_refusal(stats, stats->planned, text);
  if(!stats->refusal[0])
    ca_text_copy(stats->refusal, sizeof(stats->refusal), text);
  return lca_error_usage(L, "%s", text);
}

enum ca_code lca_guard_like(struct lca_run *run, bool creates,
                            struct ca_err *err)
{
  const struct lca_run_options *options = &run->options;
  enum ca_code code;
  if((options->replay.on && !options->replay.only_plan) || run->like_passed ||
     (run->like_asked && !creates))
    return CA_OK;
  run->like_asked = true;
  code = options->like(options->ctx, creates, err);
  run->like_passed = creates && !code;
  return code;
}

static bool plans_creates(const struct lca_run *run)
{
  const struct lca_count *count = run->plan_counts;
  size_t i;
  for(i = 0; i < LCA_COUNTS; i++)
    if(count[i].api && count[i].planned && ca_api_creates(count[i].api))
      return true;
  return false;
}

void lca_guard_straight(lua_State *L, struct lca_run *run,
                        const struct lca_change_builder *builder)
{
  const struct ca_change *change = &builder->change;
  struct ca_planned planned = run->stats.guarded;
  bool irreversible = change->cost == CA_IRREVERSIBLE;
  char what[240];
  struct ca_err err;
  ca_err_clear(&err);
  if(run->options.shards > 1)
    lca_guard_refuse(L, run,
                     "refused: --shard divides the items of bulks; this "
                     "change is outside of a bulk, so that every shard would "
                     "make it");
  lca_guard_add(&planned, change, builder->weight, builder->ends_active);
  if(ca_guard_check(&run->options.limits, &planned, &err)) {
    lca_guard_keep_over(&run->stats, &planned, irreversible);
    lca_guard_refuse(L, run, err.text);
  }
  if(ca_api_creates(change->api) && lca_guard_like(run, true, &err))
    lca_guard_refuse(L, run, err.text);
  if(!irreversible || !run->options.apply)
    return;
  snprintf(what, sizeof(what), "%s %s", change->api->name, change->account);
  if(run->options.confirm(run->options.ctx,
                          run->stats.irreversible_straight + 1, NULL, what,
                          &err)) {
    lca_guard_keep_over(&run->stats, &planned, 1);
    lca_guard_refuse(L, run, err.text);
  }
}

/* ---- before a bulk is carried out ---- */

/* host.guard(): checks that the run, including the bulk planned last, is
   within its limits, and asks to confirm the bulk's irreversible changes. Ends
   the run if either is refused; a preview checks only the limits, logs a
   refusal and continues. */
int lca_guard_check(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const struct lca_run_options *options = &run->options;
  bool is_over;
  struct ca_err err;
  ca_err_clear(&err);
  if(!run->plan.totals.planned)
    return 0;
  is_over = ca_guard_check(&options->limits, &run->stats.guarded, &err);
  if(is_over)
    lca_guard_keep_over(&run->stats, &run->stats.guarded,
                        run->plan.totals.irreversible);
  if(is_over || lca_guard_like(run, plans_creates(run), &err)) {
    if(options->apply)
      return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
    if(!run->stats.refused)
      options->log_line(options->ctx, err.text);
    note_refusal(&run->stats, run->stats.planned - run->plan.totals.planned,
                 err.text);
    return 0;
  }
  if(!options->apply || !run->plan.totals.irreversible)
    return 0;
  if(options->confirm(options->ctx, run->plan.totals.irreversible, &run->plan,
                      NULL, &err)) {
    lca_guard_keep_over(&run->stats, &run->stats.guarded,
                        run->plan.totals.irreversible);
    return lca_run_stop(L, LCA_STOP_REFUSED, "%s", err.text);
  }
  return 0;
}

/* host.needs_project() → whether the project's accounts must be counted before
   the guard can check --max-percent. */
int lca_guard_needs_project(lua_State *L)
{
  const struct lca_run *run = lca_run_of(L);
  lua_pushboolean(L, run->stats.guarded.project < 0 &&
                         run->options.limits.max_percent < 100);
  return 1;
}

/* host.project(accounts): sets how many accounts the project has. A shard may
   change its part of them. */
int lca_guard_project(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  int64_t shards = run->options.shards > 1 ? run->options.shards : 1;
  run->stats.guarded.project = (luaL_checkinteger(L, 1) + shards - 1) / shards;
  return 0;
}

/* ---- while it is carried out ---- */

/* host.stop_on(outcome, limit): sets a limit from the job, unless the command
   line has set it. Returns whether the limit's text is valid. */
int lca_guard_stop_on(lua_State *L)
{
  static const char *const words[] = { "failed", "unknown", "stale", NULL };
  static const enum ca_outcome outcomes[] = { CA_FAILED, CA_UNKNOWN,
                                              CA_STALE };
  struct ca_stop_limit *limits = lca_run_of(L)->stop_on;
  struct ca_stop_limit limit;
  enum ca_outcome outcome = outcomes[luaL_checkoption(L, 1, NULL, words)];
  bool good = ca_guard_limit_read(luaL_checkstring(L, 2), &limit);
  if(good && !limits[outcome].set)
    limits[outcome] = limit;
  lua_pushboolean(L, good);
  return 1;
}

/* Changes that were told as failed because nobody answered, or because of a
   throttle, were not tried: a plain resume takes them up. */
static enum ca_code reopen_unanswered(struct lca_run *run, struct ca_err *err)
{
  struct lca_unanswered *unanswered = &run->unanswered;
  struct ca_err cause;
  ca_err_clear(&cause);
  ca_err_set(&cause, CA_NETWORK,
             "the service did not answer, or asked to wait");
  while(unanswered->failed_count)
    if(ca_outcome_record(run->ledger,
                         unanswered->failed[--unanswered->failed_count],
                         CA_NOT_TRIED, 0, NULL, NULL, NULL, &cause, err))
      return err->code;
  return CA_OK;
}

/* host.stopped() → why the run stops early, or nil. */
int lca_guard_stopped(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_err err;
  ca_err_clear(&err);
  if(!run->stats.stopped_early)
    return 0;
  if(run->stats.down && reopen_unanswered(run, &err))
    return lca_run_ledger_failed(L, run, &err);
  lua_pushstring(L, run->stats.stop_text);
  return 1;
}

static void stop_early(struct lca_run *run)
{
  run->stats.stopped_early = true;
  ca_apply_stop(run->apply);
}

static void check_stop_on(struct lca_run *run, enum ca_outcome outcome)
{
  struct lca_run_stats *stats = &run->stats;
  const struct ca_stop_limit *limit = &run->stop_on[outcome];
  int64_t total = stats->to_apply ? stats->to_apply : stats->planned;
  if(!limit->set || stats->stopped_early ||
     !ca_guard_limit_reached(limit, stats->outcomes[outcome], total))
    return;
  snprintf(stats->stop_text, sizeof(stats->stop_text),
           "stopped: %lld %s, and stop_on allows less than %g%s",
           (long long)stats->outcomes[outcome],
           ca_change_outcome_name(outcome), limit->value,
           limit->percent ? " %" : "");
  stop_early(run);
}

/* As many attempts as three for each item that is carried out at once, but at
   least 20 and at most 100. */
static int unanswered_most(const struct lca_run *run)
{
  int most = 3 * run->options.concurrency;
  return most < 20 ? 20 : most > 100 ? 100 : most;
}

/* Keeps a change that is told as failed, for reopen_unanswered. */
static void keep_failed(struct lca_unanswered *unanswered,
                        const struct ca_applied *applied)
{
  if(applied->outcome == CA_FAILED &&
     unanswered->failed_count <
         sizeof(unanswered->failed) / sizeof(unanswered->failed[0]))
    unanswered->failed[unanswered->failed_count++] = applied->row->number;
}

/* The service asks to wait longer than --max-wait. */
static void stop_throttled(struct lca_run *run,
                           const struct ca_applied *applied)
{
  keep_failed(&run->unanswered, applied);
  if(run->stats.stopped_early)
    return;
  run->stats.down = true;
  snprintf(run->stats.stop_text, sizeof(run->stats.stop_text),
           "stopped: the service asks to wait longer than --max-wait%s "
           "(%.500s); what is left is not tried",
           run->options.deadline_ms ? " or --deadline" : "",
           applied->result->err.text);
  stop_early(run);
}

static void count_unanswered(struct lca_run *run,
                             const struct ca_applied *applied)
{
  struct lca_run_stats *stats = &run->stats;
  struct lca_unanswered *unanswered = &run->unanswered;
  unanswered->changes++;
  unanswered->attempts += applied->result->attempts;
  keep_failed(unanswered, applied);
  if(stats->stopped_early || unanswered->attempts < unanswered_most(run) ||
     (unanswered->changes < 5 && stats->ended < stats->to_apply))
    return;
  stats->down = true;
  snprintf(stats->stop_text, sizeof(stats->stop_text),
           "stopped: %d attempts in a row had no answer (%.500s); what is "
           "left is not tried",
           unanswered->attempts, applied->result->err.text);
  stop_early(run);
}

static void check_down(struct lca_run *run, const struct ca_applied *applied)
{
  struct lca_unanswered *unanswered = &run->unanswered;
  if(!applied->result || !run->applier)
    return; /* nothing was sent, or a call that raises */
  switch(ca_reply_service(&applied->result->err)) {
  case CA_SERVICE_ANSWERS:
    if(!run->stats.down && unanswered->changes) /* not for every change */
      memset(unanswered, 0, sizeof(*unanswered));
    break;
  case CA_SERVICE_THROTTLES:
    if(applied->result->err.overlong)
      stop_throttled(run, applied);
    break;
  case CA_SERVICE_DOWN:
    count_unanswered(run, applied);
    break;
  }
}

/* Pushes a member of the error at this index, without calling a metamethod. */
static void push_member(lua_State *L, int error, const char *name)
{
  lua_pushstring(L, name);
  lua_rawget(L, error);
}

/* Is the error (the value below the top) that of a request without an
   answer? If so, adds its attempts. *overlong: did the service ask to wait
   longer than --max-wait? */
static bool add_lookup(lua_State *L, struct lca_unanswered *unanswered,
                       bool *overlong)
{
  int top = lua_gettop(L);
  bool silent;
  const char *id;
  if(!lua_istable(L, top - 1))
    return false;
  push_member(L, top - 1, "overlong");
  *overlong = lua_toboolean(L, -1);
  push_member(L, top - 1, "unavailable");
  silent = lua_toboolean(L, -1);
  push_member(L, top - 1, "request_id");
  id = lua_tostring(L, -1);
  push_member(L, top - 1, "attempts");
  if(silent && !(id && !strcmp(id, unanswered->request_id)))
    unanswered->attempts += (int)lua_tointeger(L, -1);
  if(silent && id)
    ca_text_copy(unanswered->request_id, sizeof(unanswered->request_id), id);
  lua_settop(L, top);
  return silent;
}

static void stop_planning(lua_State *L, struct lca_run *run)
{
  run->stats.down = true;
  lca_run_stop(L, LCA_STOP_EARLY, "%s", run->unanswered.text);
}

void lca_guard_lookup_failed(lua_State *L, struct lca_run *run)
{
  struct lca_unanswered *unanswered = &run->unanswered;
  const struct ca_endpoint *endpoint;
  bool overlong = false;
  lca_run_need_client(L, run);
  endpoint = run->client->endpoint;
  if(endpoint->successes != unanswered->successes)
    memset(unanswered, 0, sizeof(*unanswered));
  unanswered->successes = endpoint->successes;
  if(!add_lookup(L, unanswered, &overlong))
    return;
  unanswered->changes++;
  if(overlong)
    snprintf(unanswered->text, sizeof(unanswered->text),
             "stopped while planning: the service asks to wait longer than "
             "--max-wait (%.500s)",
             lua_tostring(L, -1));
  else
    snprintf(unanswered->text, sizeof(unanswered->text),
             "stopped while planning: %d attempts in a row had no answer "
             "(%.500s)",
             unanswered->attempts, lua_tostring(L, -1));
  if(overlong || (unanswered->changes >= 5 &&
                  unanswered->attempts >= unanswered_most(run)))
    stop_planning(L, run);
}

void lca_guard_planned(lua_State *L, struct lca_run *run)
{
  const struct lca_unanswered *unanswered = &run->unanswered;
  if(!unanswered->changes || !run->client ||
     run->client->endpoint->successes != unanswered->successes)
    return;
  if(!unanswered->successes || unanswered->attempts >= unanswered_most(run))
    stop_planning(L, run);
}

void lca_guard_ended(struct lca_run *run, const struct ca_applied *applied)
{
  check_stop_on(run, applied->outcome);
  check_down(run, applied);
}
