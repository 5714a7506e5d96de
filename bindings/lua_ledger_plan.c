/* The recorder: a mutating call becomes a change in the ledger, and what the
   script gets back is a planned change.
   Must not know: curl, options of the command line, terminals. */
#include <stdlib.h>
#include <string.h>
#include "lua_error.h"
#include "lua_ledger_run.h"

#define PLANNED_CLASS  "composio.planned"
#define STRAIGHT_CLASS "composio.planned.straight"

/* A change on its way into the ledger; the texts that change points to. */
struct draft {
  struct ca_change change;
  struct ca_slice secret; /* the body, when it must not be kept */
  char user[320];
  char config[160];
  char line[160];
  char fingerprint[40];
};

/* ---- planned changes as scripts see them ---- */

static const char *own_field(lua_State *L, const char *name)
{
  const char *text;
  lua_pushstring(L, name);
  lua_rawget(L, 1);
  text = lua_tostring(L, -1);
  return text ? text : "?";
}

/* Reading a result in a bulk's action: the result comes later. */
static int planned_index(lua_State *L)
{
  return lca_error_usage(
      L,
      "'%s' of this %s is not known while planning; look in the "
      "bulk's `after`",
      luaL_tolstring(L, 2, NULL), own_field(L, "operation"));
}

/* The same outside a bulk: from here on the script would only guess. */
static int straight_index(lua_State *L)
{
  const char *where;
  const char *name;
  lca_error_where(L);
  where = lua_tostring(L, -1);
  name = luaL_tolstring(L, 2, NULL);
  return lca_run_stop(L, LCA_STOP_PREVIEW,
                      "%sthe preview ends here: '%s' of this %s is known only "
                      "once it is carried out",
                      where, name, own_field(L, "operation"));
}

static int planned_text(lua_State *L)
{
  lua_pushfstring(L, "planned %s of %s", own_field(L, "operation"),
                  own_field(L, "account_id"));
  return 1;
}

static int push_planned(lua_State *L, const struct ca_change *change,
                        const char *class)
{
  lua_createtable(L, 0, 3);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "planned");
  lua_pushstring(L, change->api->name);
  lua_setfield(L, -2, "operation");
  lua_pushstring(L, change->account);
  lua_setfield(L, -2, "account_id");
  luaL_setmetatable(L, class);
  return 1;
}

static void open_class(lua_State *L, const char *class, lua_CFunction index)
{
  luaL_newmetatable(L, class);
  lua_pushcfunction(L, index);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, index);
  lua_setfield(L, -2, "__pairs");
  lua_pushcfunction(L, planned_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

void lca_plan_open(lua_State *L)
{
  open_class(L, PLANNED_CLASS, planned_index);
  open_class(L, STRAIGHT_CLASS, straight_index);
}

/* ---- what a call says ---- */

/* The script's line that made the call: the nearest function of a file that
   is not ours. */
static void find_line(lua_State *L, char *out, size_t size)
{
  lua_Debug debug;
  int level;
  out[0] = '\0';
  for(level = 1; lua_getstack(L, level, &debug); level++) {
    const char *name;
    if(!lua_getinfo(L, "Sl", &debug) || debug.currentline < 1 ||
       debug.source[0] != '@' || !strncmp(debug.source, "@composio/", 10))
      continue;
    name = strrchr(debug.source, '/');
    snprintf(out, size, "%s:%d", name ? name + 1 : debug.source + 1,
             debug.currentline);
    return;
  }
}

/* User and auth config of a create or link, read where its row says that they
   are sent. */
static void find_owner(struct lca_run *run, const struct ca_request *request,
                       struct draft *draft)
{
  struct ca_slice body = ca_request_body(request);
  const struct ca_field *field;
  char path[80];
  for(field = request->api->fields; field->name; field++) {
    if(field->place != CA_IN_BODY)
      continue;
    snprintf(path, sizeof(path), "$.%s", field->wire);
    if(!strcmp(field->name, "user_id") &&
       ca_json_text(run->json, body.data, body.len, path, draft->user,
                    sizeof(draft->user)))
      draft->change.user = draft->user;
    if(!strcmp(field->name, "auth_config_id") &&
       ca_json_text(run->json, body.data, body.len, path, draft->config,
                    sizeof(draft->config)))
      draft->change.config = draft->config;
  }
}

/* Does the request set the alias, and nothing else? */
static bool sets_alias_alone(const struct ca_request *request)
{
  const struct ca_field *field = request->api->fields;
  bool alias = false;
  unsigned bit;
  for(bit = 1; field->name; field++, bit <<= 1) {
    if(field->place != CA_IN_BODY || !(request->seen & bit))
      continue;
    if(strcmp(field->name, "alias") != 0)
      return false;
    alias = true;
  }
  return alias;
}

static bool has_alias(lua_State *L, int account, int arguments)
{
  const char *now;
  const char *wanted;
  bool same;
  lua_getfield(L, account, "alias");
  lua_getfield(L, arguments, "alias");
  now = lua_tostring(L, -2);
  wanted = lua_tostring(L, -1);
  same = wanted && !strcmp(now ? now : "", wanted);
  lua_pop(L, 2);
  return same;
}

/* Is the account already as the request wants it? account: index of its table
   or 0. */
static bool is_same(lua_State *L, const struct ca_request *request,
                    const char *before, int account, int arguments)
{
  const struct ca_api *api = request->api;
  if(api->same_when && before)
    return !strcmp(api->same_when, before);
  return account && arguments && sets_alias_alone(request) &&
         has_alias(L, account, arguments);
}

static uint64_t hash_text(const char *text)
{
  uint64_t hash = 14695981039346656037u;
  for(; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 1099511628211u;
  return hash;
}

/* Has this item changed the account before? Remembers that it has now. */
static bool touch(struct lca_item *item, const char *id)
{
  uint64_t hash = hash_text(id);
  size_t i;
  for(i = 0; i < item->touched_count; i++)
    if(item->touched[i] == hash)
      return true;
  if(item->touched_count == sizeof(item->touched) / sizeof(item->touched[0]))
    return true; /* more than it can remember: take no change for granted */
  item->touched[item->touched_count++] = hash;
  return false;
}

/* ---- counting ---- */

static bool is_cell(const struct lca_cell *cell, const struct ca_api *api,
                    const char *toolkit, const char *status)
{
  return cell->api == api && !strcmp(cell->toolkit, toolkit) &&
         !strcmp(cell->status, status);
}

/* The cell of the three words. When the table is nearly full, toolkits that
   are new to it are counted together. */
static struct lca_cell *find_cell(struct lca_run *run,
                                  const struct ca_api *api,
                                  const char *toolkit, const char *status)
{
  size_t at = (size_t)((hash_text(toolkit) * 31 + hash_text(status)) ^
                       (uintptr_t)api / 8) %
              LCA_CELLS;
  struct lca_cell *cell = &run->cells[at];
  while(cell->api && !is_cell(cell, api, toolkit, status)) {
    at = (at + 1) % LCA_CELLS;
    cell = &run->cells[at];
  }
  if(cell->api)
    return cell;
  if(run->cells_used > LCA_CELLS / 2 && strcmp(toolkit, "others") != 0)
    return find_cell(run, api, "others", status);
  run->cells_used++;
  cell->api = api;
  ca_copy_text(cell->toolkit, sizeof(cell->toolkit), toolkit, strlen(toolkit));
  ca_copy_text(cell->status, sizeof(cell->status), status, strlen(status));
  return cell;
}

/* Counts a change; item: NULL for a straight-line one. */
static void count_change(lua_State *L, struct lca_run *run,
                         struct lca_item *item, const struct ca_change *change,
                         int account)
{
  const char *toolkit = NULL;
  struct lca_cell *cell;
  int top = lua_gettop(L);
  bool same = change->outcome == CA_SAME;
  *(same ? &run->stats.same : &run->stats.planned) += 1;
  if(!item)
    return;
  *(same ? &run->plan.same : &run->plan.planned) += 1;
  *(same ? &item->same : &item->planned) += 1;
  if(account && lua_getfield(L, account, "toolkit") == LUA_TTABLE) {
    lua_getfield(L, -1, "slug");
    toolkit = lua_tostring(L, -1);
  }
  cell = find_cell(run, change->api, toolkit ? toolkit : "-",
                   change->before ? change->before : "-");
  *(same ? &cell->same : &cell->planned) += 1;
  if(item->changes < (int)(sizeof(item->counted) / sizeof(item->counted[0]))) {
    item->counted[item->changes].cell = cell;
    item->counted[item->changes].same = same;
  }
  item->changes++;
  lua_settop(L, top);
}

void lca_plan_take_back(lua_State *L, struct lca_run *run,
                        struct lca_item *item)
{
  struct ca_err cause;
  struct ca_err err;
  int i;
  ca_err_clear(&err);
  ca_err_clear(&cause);
  ca_err_set(&cause, CA_CANCELLED, "the item's action raised");
  run->stats.planned -= item->planned;
  run->stats.same -= item->same;
  run->plan.planned -= item->planned;
  run->plan.same -= item->same;
  for(i = 0; i < item->changes; i++) {
    if(i < (int)(sizeof(item->counted) / sizeof(item->counted[0])))
      *(item->counted[i].same ? &item->counted[i].cell->same
                              : &item->counted[i].cell->planned) -= 1;
    if(ca_ledger_settle(run->ledger, item->first_change + i, CA_NOT_TRIED, 0,
                        NULL, NULL, NULL, &cause, &err))
      lca_run_ledger_failed(L, run, &err);
  }
}

/* ---- recording ---- */

static void check_client(lua_State *L, struct lca_run *run,
                         struct lca_client *client)
{
  if(!client->is_default)
    lca_error_usage(L, "changes of a run go through the default client; start "
                       "another run for another project");
  if(run->client)
    return;
  lua_pushvalue(L, 1);
  run->client_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  run->client = client;
}

/* Above what the job may do: a bulk ends here, a straight-line call raises
   and the run ends with 4 whatever the script makes of it. */
static void check_cost(lua_State *L, struct lca_run *run,
                       const struct ca_request *request)
{
  const char *what = request->api->name;
  const char *wanted = ca_class_name(request->cost);
  if(request->cost <= run->may)
    return;
  lua_pushfstring(L,
                  "refused: %s %s is %s, and this job may at most plan %s "
                  "changes; `may = \"%s\"` in composio.job allows it",
                  what, request->id, wanted, ca_class_name(run->may), wanted);
  if(run->stats.planning)
    lca_run_stop(L, LCA_STOP_REFUSED, "%s", lua_tostring(L, -1));
  run->stats.refused = true;
  lca_error_usage(L, "%s", lua_tostring(L, -1));
}

static void draft_body(lua_State *L, struct lca_run *run,
                       const struct ca_request *request, struct draft *draft)
{
  struct ca_slice body = ca_request_body(request);
  struct ca_err err;
  draft->change.query = request->query.len ? request->query.data : NULL;
  if(request->api->body || !body.data)
    return;
  if(!request->secret) {
    draft->change.body = body.data;
    return;
  }
  ca_err_clear(&err);
  draft->secret = body;
  draft->change.fingerprint = draft->fingerprint;
  if(ca_ledger_fingerprint(run->ledger, body.data, body.len,
                           draft->fingerprint, sizeof(draft->fingerprint),
                           &err))
    lca_run_ledger_failed(L, run, &err);
}

static void draft_change(lua_State *L, struct lca_run *run,
                         const struct ca_request *request, int arguments,
                         int account, struct draft *draft)
{
  struct ca_change *change = &draft->change;
  memset(draft, 0, sizeof(*draft));
  change->api = request->api;
  change->account = request->id;
  change->cost = request->cost;
  change->outcome = CA_PLANNED;
  find_owner(run, request, draft);
  find_line(L, draft->line, sizeof(draft->line));
  change->line = draft->line;
  if(arguments && lua_getfield(L, arguments, "reason") == LUA_TSTRING)
    change->reason = lua_tostring(L, -1); /* the table keeps it alive */
  if(account && lua_getfield(L, account, "status") == LUA_TSTRING)
    change->before = lua_tostring(L, -1);
  draft_body(L, run, request, draft);
}

static void keep_secret(lua_State *L, struct lca_run *run,
                        const struct draft *draft, int64_t number)
{
  if(!draft->secret.data || !run->options.apply)
    return;
  lca_one_need_apply(L, run);
  if(ca_apply_keep_secret(run->apply, number, draft->secret.data,
                          draft->secret.len))
    luaL_error(L, "out of memory");
}

static int64_t add_change(lua_State *L, struct lca_run *run, int64_t item,
                          const struct ca_change *change)
{
  struct ca_err err;
  int64_t number = 0;
  ca_err_clear(&err);
  if(ca_ledger_add_change(run->ledger, item, change, &number, &err))
    lca_run_ledger_failed(L, run, &err);
  return number;
}

/* A change of a bulk's item, while its action runs; the item's userdata is on
   top of the stack. */
static int record_planned(lua_State *L, struct lca_run *run,
                          struct lca_item *item, struct ca_request *request,
                          int arguments, int account)
{
  struct draft draft;
  int64_t number;
  int at = lua_gettop(L);
  int known = account;
  if(!known && lua_getiuservalue(L, at, LCA_ITEM_ACCOUNT) == LUA_TTABLE) {
    int table = lua_gettop(L);
    lua_getfield(L, table, "id");
    if(lua_isstring(L, -1) && !strcmp(lua_tostring(L, -1), request->id))
      known = table;
  }
  lca_item_store(L, run, at);
  draft_change(L, run, request, arguments, known, &draft);
  if(!touch(item, request->id) && request->id[0] &&
     is_same(L, request, draft.change.before, known, arguments))
    draft.change.outcome = CA_SAME;
  number = add_change(L, run, item->number, &draft.change);
  if(!item->changes)
    item->first_change = number;
  count_change(L, run, item, &draft.change, known);
  keep_secret(L, run, &draft, number);
  return push_planned(L, &draft.change, PLANNED_CLASS);
}

static int push_same(lua_State *L)
{
  lua_createtable(L, 0, 2);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "success");
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "same");
  return 1;
}

/* A change outside bulks: an item of its own. */
static int record_straight(lua_State *L, struct lca_run *run,
                           struct ca_request *request, int arguments,
                           int account)
{
  struct draft draft;
  int64_t item;
  lca_run_begin(L, run);
  item = lca_item_add_single(L, run, account, request->id);
  draft_change(L, run, request, arguments, account, &draft);
  if(is_same(L, request, draft.change.before, account, arguments))
    draft.change.outcome = CA_SAME;
  count_change(L, run, NULL, &draft.change, account);
  if(run->options.apply && draft.change.outcome != CA_SAME)
    return lca_one_carry_out(L, run, &draft.change, item, draft.secret);
  (void)add_change(L, run, item, &draft.change);
  if(draft.change.outcome == CA_SAME)
    return push_same(L);
  return push_planned(L, &draft.change, STRAIGHT_CLASS);
}

int lca_plan_record(lua_State *L, void *ctx, struct lca_client *client,
                    struct ca_request *request, int arguments, int account)
{
  struct lca_run *run = ctx;
  struct lca_task *task = lca_sched_running(run->sched);
  int64_t id = task ? lca_task_item(task) : 0;
  struct lca_item *item;
  luaL_checkstack(L, 30, "recording a change");
  lca_run_check(L);
  if(arguments && !lua_istable(L, arguments))
    arguments = 0;
  if(id < 0)
    return lca_error_usage(L,
                           "a bulk's `after` cannot change anything; plan the "
                           "change in the bulk's action");
  if(!id && run->stats.planning)
    return lca_error_usage(L, "while a bulk plans, only its action may plan "
                              "changes");
  check_client(L, run, client);
  check_cost(L, run, request);
  if(!id)
    return record_straight(L, run, request, arguments, account);
  item = lca_item_push_live(L, run, id);
  if(!item)
    return lca_error_usage(L, "the item's action has ended; its changes are "
                              "planned already");
  return record_planned(L, run, item, request, arguments, account);
}

/* ---- bulks ---- */

/* host.begin_bulk(name): its number. name "" for none. */
int lca_plan_begin_bulk(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const char *name = luaL_checkstring(L, 1);
  if(run->stats.planning || run->stats.applying)
    return lca_error_usage(L,
                           "composio.bulk: another bulk is under way; bulks "
                           "run one after the other");
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->names_ref);
  if(lua_getfield(L, -1, name) != LUA_TNIL)
    return lca_error_usage(L,
                           name[0]
                               ? "composio.bulk: the name '%s' is taken by "
                                 "another bulk of this run"
                               : "composio.bulk: a script with several bulks "
                                 "names them: composio.bulk(\"name\", …)%s",
                           name);
  lua_pushboolean(L, 1);
  lua_setfield(L, -3, name);
  lca_run_begin(L, run);
  if(!run->cells)
    run->cells = calloc(LCA_CELLS, sizeof(run->cells[0]));
  if(!run->cells)
    return luaL_error(L, "out of memory");
  memset(run->cells, 0, LCA_CELLS * sizeof(run->cells[0]));
  memset(&run->plan, 0, sizeof(run->plan));
  run->cells_used = 0;
  ca_copy_text(run->bulk_name, sizeof(run->bulk_name), name, strlen(name));
  run->plan.bulk = ++run->stats.bulks;
  run->plan.name = run->bulk_name;
  run->plan.cells = run->cells;
  run->stats.planning = true;
  lua_pushinteger(L, run->plan.bulk);
  return 1;
}

/* host.end_plan(why_incomplete or nil): the plan stands and is shown. Returns
   the numbers of changes that would be sent and that are already so. */
int lca_plan_end(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  run->stats.planning = false;
  run->plan.listing = luaL_optstring(L, 1, NULL);
  run->options.show(run->options.ctx, &run->plan);
  run->plan.listing = NULL;
  lua_pushinteger(L, run->plan.planned);
  lua_pushinteger(L, run->plan.same);
  return 2;
}

struct count {
  char operation[32]; /* "" for items */
  enum ca_outcome outcome;
  int64_t count;
};
struct counts {
  struct count list[160];
  size_t used;
};

static void add_count(void *ctx, const char *operation,
                      enum ca_outcome outcome, int64_t number)
{
  struct counts *counts = ctx;
  struct count *count;
  if(counts->used == sizeof(counts->list) / sizeof(counts->list[0]))
    return;
  count = &counts->list[counts->used++];
  ca_copy_text(count->operation, sizeof(count->operation),
               operation ? operation : "", operation ? strlen(operation) : 0);
  count->outcome = outcome;
  count->count = number;
}

/* host.counts(bulk): {done = n, …, selected = n, operations = {refresh = {done
   = n}}}; "not tried" is spelled not_tried. */
int lca_plan_counts(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  struct counts *counts = lua_newuserdatauv(L, sizeof(*counts), 0);
  struct ca_err err;
  size_t i;
  int bulk = (int)luaL_checkinteger(L, 1);
  ca_err_clear(&err);
  counts->used = 0;
  if(ca_ledger_counts(run->ledger, bulk, add_count, counts, &err))
    lca_run_ledger_failed(L, run, &err);
  lua_newtable(L);
  lua_pushinteger(L, run->plan.selected);
  lua_setfield(L, -2, "selected");
  lua_newtable(L);
  for(i = 0; i < counts->used; i++) {
    const struct count *count = &counts->list[i];
    const char *word = count->outcome == CA_NOT_TRIED
                           ? "not_tried"
                           : ca_outcome_name(count->outcome);
    lua_pushinteger(L, count->count);
    if(count->operation[0]) {
      luaL_getsubtable(L, -2, count->operation);
      lua_insert(L, -2);
      lua_setfield(L, -2, word);
      lua_pop(L, 1);
    } else {
      lua_setfield(L, -3, word);
    }
  }
  lua_setfield(L, -2, "operations");
  return 1;
}
