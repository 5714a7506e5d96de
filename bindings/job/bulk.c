/* Bulks: begins them, seals their plans, and counts planned changes and
   outcomes. Counts by operation, toolkit and status are for display; totals
   are also for the guard.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "module/account.h"
#include "module/error.h"
#include "module/table.h"
#include "base/digest.h"
#include "base/secret.h"
#include "job/run_private.h"

/* ---- counting ---- */

static bool is_count_of(const struct lca_count *plan_count,
                        const struct ca_api *api, const char *toolkit,
                        const char *status)
{
  return plan_count->api == api && !strcmp(plan_count->toolkit, toolkit) &&
         !strcmp(plan_count->status, status);
}

/* Finds or makes the entry for operation, toolkit and status. When the hash
   table is more than half full, further toolkits are counted as "others". */
static struct lca_count *find_plan_count(struct lca_run *run,
                                         const struct ca_api *api,
                                         const char *toolkit,
                                         const char *status)
{
  size_t at =
      (size_t)((ca_digest_text(toolkit) * 31 + ca_digest_text(status)) ^
               (uintptr_t)api / 8) %
      LCA_COUNTS;
  struct lca_count *plan_count = &run->plan_counts[at];
  while(plan_count->api && !is_count_of(plan_count, api, toolkit, status)) {
    at = (at + 1) % LCA_COUNTS;
    plan_count = &run->plan_counts[at];
  }
  if(plan_count->api)
    return plan_count;
  if(run->plan_counts_used > LCA_COUNTS / 2 && strcmp(toolkit, "others") != 0)
    return find_plan_count(run, api, "others", status);
  run->plan_counts_used++;
  plan_count->api = api;
  ca_text_copy(plan_count->toolkit, sizeof(plan_count->toolkit), toolkit);
  ca_text_copy(plan_count->status, sizeof(plan_count->status), status);
  return plan_count;
}

/* The texts are shortened before they are looked up, because the stored
   ones are. */
static void count_change(struct lca_run *run, const struct ca_change *change,
                         const struct lca_account *account,
                         struct lca_counted *counted)
{
  struct lca_count *found;
  char toolkit[sizeof(found->toolkit)] = "-";
  char status[sizeof(found->status)];
  struct ca_slice slug;
  if(lca_account_member(account, LCA_ACCOUNT_TOOLKIT, "slug", &slug) &&
     slug.data[0] == '"')
    ca_json_copy(slug, toolkit, sizeof(toolkit));
  ca_text_copy(status, sizeof(status), change->before ? change->before : "-");
  found = find_plan_count(run, change->api, toolkit, status);
  counted->plan_count = found;
  counted->same = change->outcome == CA_SAME;
  *(counted->same ? &found->same : &found->planned) += 1;
}

/* --confirm lists the straight-line changes' number where the first of them
   comes among the irreversible bulks. */
static void count_straight(struct lca_run_stats *stats)
{
  if(!stats->irreversible_straight++)
    stats->irreversible_straight_at = stats->irreversible_bulk_count;
}

/* Adds the part to the totals; sign -1 takes it back. */
static void add_totals(struct lca_totals *totals,
                       const struct lca_totals *part, int sign)
{
  totals->planned += sign * part->planned;
  totals->same += sign * part->same;
  totals->skipped += sign * part->skipped;
  totals->irreversible += sign * part->irreversible;
}

void lca_bulk_count(struct lca_run *run, struct lca_item *item,
                    const struct lca_change_builder *builder,
                    const struct lca_account *account)
{
  const struct ca_change *change = &builder->change;
  struct lca_run_stats *stats = &run->stats;
  bool planned = change->outcome == CA_PLANNED;
  bool irreversible = planned && change->cost == CA_IRREVERSIBLE;
  struct lca_counted uncounted;
  struct lca_totals one = { .planned = planned,
                            .same = change->outcome == CA_SAME,
                            .skipped = change->outcome == CA_SKIPPED,
                            .irreversible = irreversible };
  stats->planned += planned;
  if(planned)
    lca_guard_add(&stats->guarded, change, builder->weight,
                  builder->ends_active);
  if(!item) {
    if(irreversible)
      count_straight(stats);
    return;
  }
  if(planned)
    lca_guard_add(&item->guarded, change, builder->weight,
                  builder->ends_active);
  add_totals(&run->plan.totals, &one, 1);
  add_totals(&item->totals, &one, 1);
  if(!one.skipped)
    count_change(run, change, account,
                 item->changes < LCA_COUNTED ? &item->counted[item->changes]
                                             : &uncounted);
  item->changes++;
}

/* All of the item's planned changes are skipped: the action did not finish,
   and no later session of the run may carry out half of what it meant to do.
 */
void lca_bulk_take_back(lua_State *L, struct lca_run *run,
                        struct lca_item *item)
{
  struct ca_err cause;
  struct ca_err err;
  int i;
  ca_err_clear(&err);
  ca_err_clear(&cause);
  ca_err_set(&cause, CA_CANCELLED, "the item's action raised");
  run->stats.planned -= item->totals.planned;
  add_totals(&run->plan.totals, &item->totals, -1);
  lca_guard_take_back(&run->stats.guarded, &item->guarded);
  for(i = 0; i < item->changes; i++) {
    struct lca_counted *counted = &item->counted[i];
    if(i < LCA_COUNTED && counted->plan_count)
      *(counted->same ? &counted->plan_count->same
                      : &counted->plan_count->planned) -= 1;
    if(ca_outcome_record(run->ledger, item->first_change + i, CA_SKIPPED, 0,
                         NULL, NULL, NULL, &cause, &err))
      lca_run_ledger_failed(L, run, &err);
  }
}

/* ---- bulks ---- */

/* Begins an empty plan of the bulk. */
static void reset_plan(struct lca_run *run, int bulk)
{
  memset(run->plan_counts, 0, LCA_COUNTS * sizeof(run->plan_counts[0]));
  memset(&run->plan, 0, sizeof(run->plan));
  run->plan_counts_used = 0;
  run->plan.bulk = bulk;
  run->plan.name = run->bulk_name;
  run->plan.plan_counts = run->plan_counts;
}

/* host.begin_bulk(name) → the bulk's number, whether its plan is already
   sealed, and if so how many items its selection had. name: "" for none. */
int lca_bulk_begin(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const char *name = luaL_checkstring(L, 1);
  if(run->stats.planning || run->stats.applying)
    return lca_error_usage(L,
                           "composio.bulk: another bulk is running; bulks run "
                           "one after the other");
  lca_run_keep_clear(L, "the bulk's name", name);
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->names_ref);
  if(lua_getfield(L, -1, name) != LUA_TNIL)
    return lca_error_usage(
        L,
        name[0] ? "composio.bulk: another bulk of this run is "
                  "already called '%s'"
                : "composio.bulk: a script with several bulks "
                  "must name them: composio.bulk(\"name\", …)%s",
        name);
  lua_pushboolean(L, 1);
  lua_setfield(L, -3, name);
  lca_run_begin(L, run);
  if(!run->plan_counts)
    run->plan_counts = calloc(LCA_COUNTS, sizeof(run->plan_counts[0]));
  if(!run->plan_counts)
    return luaL_error(L, "out of memory");
  ca_text_copy(run->bulk_name, sizeof(run->bulk_name), name);
  reset_plan(run, ++run->stats.bulks);
  run->guarded = run->stats.guarded;
  lua_pushinteger(L, run->plan.bulk);
  lua_pushboolean(L, run->options.replay.on && lca_replay_bulk(L, run));
  run->stats.planning = true; /* also while a sealed plan's rows are reread */
  lua_pushinteger(L, run->sealed_bulk.selected);
  return 3;
}

/* host.drop_plan(why, is_sealed): the bulk's plan could not be made, because
   something raised. What was planned is skipped, unless the plan was sealed
   before. The run goes on if the script catches the error, but does not end
   well. */
int lca_bulk_drop_plan(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_run_stats *stats = &run->stats;
  char why[sizeof(stats->bulk_raised)];
  struct ca_err err;
  stats->planning = false;
  if(*run->options.stop || stats->key_rejected || stats->no_route)
    return 0; /* the whole run ends, for a reason of its own */
  ca_err_clear(&err);
  ca_text_copy(why, sizeof(why), luaL_checkstring(L, 1));
  (void)ca_secret_mask(why, strlen(why));
  if(!stats->bulk_raised[0])
    ca_text_copy(stats->bulk_raised, sizeof(stats->bulk_raised), why);
  if(lua_toboolean(L, 2))
    return 0;
  stats->planned -= run->plan.totals.planned;
  stats->guarded = run->guarded;
  memset(&run->plan.totals, 0, sizeof(run->plan.totals));
  if(ca_plan_rows_drop(run->ledger, run->plan.bulk, why, &err))
    lca_run_ledger_failed(L, run, &err);
  return 0;
}

/* host.end_plan(why_incomplete or nil): ends planning and shows the plan.
   Returns how many changes would be sent, and how many find their account
   already in the wanted state. */
int lca_bulk_end_plan(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->stats.planning = false;
  lca_guard_planned(L, run);
  run->plan.listing = luaL_optstring(L, 1, NULL);
  run->options.show(run->options.ctx, &run->plan);
  run->plan.listing = NULL;
  if(run->plan.totals.irreversible &&
     run->stats.irreversible_bulk_count <
         (int)(sizeof(run->stats.irreversible_bulks) /
               sizeof(run->stats.irreversible_bulks[0])))
    run->stats.irreversible_bulks[run->stats.irreversible_bulk_count++] =
        run->plan.totals.irreversible;
  lua_pushinteger(L, run->plan.totals.planned);
  lua_pushinteger(L, run->plan.totals.same);
  return 2;
}

/* host.seal(kind): seals the plan, so that it can be carried out and resumed.
 */
int lca_bulk_seal(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_bulk bulk;
  struct ca_err err;
  const char *kind = luaL_checkstring(L, 1);
  memset(&bulk, 0, sizeof(bulk));
  ca_err_clear(&err);
  bulk.number = run->plan.bulk;
  ca_text_copy(bulk.name, sizeof(bulk.name), run->plan.name);
  ca_text_copy(bulk.kind, sizeof(bulk.kind), kind);
  bulk.selected = run->plan.selected;
  bulk.planned = run->plan.totals.planned;
  bulk.same = run->plan.totals.same;
  bulk.skipped = run->plan.totals.skipped;
  bulk.failed = run->plan.failed;
  if(ca_plan_rows_seal(run->ledger, &bulk, &err))
    lca_run_ledger_failed(L, run, &err);
  run->stats.sealed++;
  return 0;
}

/* host.begin_retry(): begins to plan the items of the sealed bulk whose action
   failed. */
int lca_bulk_begin_retry(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->left = run->plan.totals;
  reset_plan(run, run->plan.bulk);
  run->stats.planning = true;
  return 0;
}

/* host.seal_retry(items): seals the plan of these items, a list of numbers:
   their failures are forgotten, and the bulk's plan holds them, too. */
int lca_bulk_seal_retry(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct lca_plan *plan = &run->plan;
  struct ca_err err;
  lua_Integer i;
  ca_err_clear(&err);
  luaL_checktype(L, 1, LUA_TTABLE);
  for(i = 1; lua_rawgeti(L, 1, i) == LUA_TNUMBER; i++) {
    if(ca_outcome_record_item(run->ledger, lua_tointeger(L, -1), CA_PLANNED,
                              NULL, &err))
      return lca_run_ledger_failed(L, run, &err);
    lua_pop(L, 1);
  }
  add_totals(&plan->totals, &run->left, 1);
  plan->selected = run->sealed_bulk.selected;
  plan->replayed = true;
  lua_pushinteger(L, plan->totals.planned);
  return 1;
}

/* Sets the counts that are not 0 in the table on top. */
static void set_counts(lua_State *L, const int64_t counts[CA_OUTCOME_COUNT])
{
  int i;
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(counts[i]) {
      lua_pushinteger(L, counts[i]);
      lua_setfield(L, -2, ca_change_outcome_key((enum ca_outcome)i));
    }
}

/* Sets the bulk's tags, { healed = n }, in the table on top. */
static enum ca_code set_tags(lua_State *L, struct lca_run *run, int bulk,
                             struct ca_err *err)
{
  struct ca_query query;
  const char *tag;
  int64_t items;
  lua_newtable(L);
  ca_history_open_tags(&query, run->ledger, bulk, err);
  while(ca_history_next_tag(&query, &tag, &items))
    lca_table_set_integer(L, tag, items);
  lua_setfield(L, -2, "tags");
  return ca_history_close(&query);
}

/* host.counts(bulk) → { done = n, …, selected = n, operations = { refresh =
   { done = n } }, tags = { healed = n } }; "not tried" is spelled not_tried.
 */
int lca_bulk_counts(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct ca_counts counts;
  struct ca_err err;
  size_t i;
  int bulk = (int)luaL_checkinteger(L, 1);
  ca_err_clear(&err);
  if(ca_count_outcomes(run->ledger, bulk, &counts, &err))
    lca_run_ledger_failed(L, run, &err);
  lua_newtable(L);
  set_counts(L, counts.items);
  lua_pushinteger(L, run->plan.selected);
  lua_setfield(L, -2, "selected");
  lua_newtable(L);
  for(i = 0; i < counts.operation_count; i++) {
    lua_newtable(L);
    set_counts(L, counts.operations[i].changes);
    lua_setfield(L, -2, counts.operations[i].name);
  }
  lua_setfield(L, -2, "operations");
  if(set_tags(L, run, bulk, &err))
    return lca_run_ledger_failed(L, run, &err);
  return 1;
}
