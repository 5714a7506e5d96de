/* Shows a plan: hands what preview.lua prints to a Lua state of its own. Must
   not know: how it is printed, curl. */
#include <stdio.h>
#include <lauxlib.h>
#include "host/host.h"
#include "base/text.h"
#include "module/table.h"

#define CURSOR_CLASS "composio.host.changes"

struct shown {
  struct host *host;
  const struct lca_plan *plan;
};

static int close_cursor(lua_State *L)
{
  ca_changes_close(lua_touserdata(L, 1));
  return 0;
}

/* The iterator that changes returns. */
static int next_change(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  struct ca_changes *changes = lua_touserdata(L, lua_upvalueindex(2));
  const struct ca_change_row *row = NULL;
  const struct ca_change *change;
  const char *account;
  struct ca_item item;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_changes_next(changes, &row, &err) ||
     (row && ca_read_item(host->ledger, row->item, &item, &err)))
    return luaL_error(L, "the ledger cannot be read: %s", err.text);
  if(!row)
    return 0;
  change = &row->change;
  account = ca_text_or_null(change->account);
  lua_pushstring(L, change->api->name);
  lua_pushstring(L, account ? account : item.key);
  if(!ca_change_is_own(change, item.account))
    item.toolkit = item.user = NULL; /* another account's are not known */
  lua_pushstring(L, ca_text_or_null(item.toolkit));
  lua_pushstring(L, ca_text_or_null(change->user ? change->user : item.user));
  lua_pushstring(L, ca_text_or_null(change->before));
  lua_pushfstring(L, "%s%s%s%s", change->line ? change->line : "",
                  change->fallback ? "  otherwise" : "",
                  ca_text_or_null(change->reason) ? "  " : "",
                  change->reason ? change->reason : "");
  lua_pushstring(L, row->error);
  return 7;
}

/* changes(bulk, outcome); see host_preview_push_changes. */
static int changes(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  int bulk = (int)luaL_checkinteger(L, 1);
  unsigned outcomes = ca_change_outcome_set(luaL_checkstring(L, 2));
  struct ca_changes *cursor;
  lua_pushlightuserdata(L, host);
  cursor = lua_newuserdatauv(L, sizeof(*cursor), 0);
  ca_changes_open(cursor, host->ledger, bulk, outcomes);
  lca_table_owner_class(L, CURSOR_CLASS, close_cursor);
  luaL_setmetatable(L, CURSOR_CLASS);
  lua_pushcclosure(L, next_change, 2);
  return 1;
}

void host_preview_push_changes(lua_State *L, const struct host *host)
{
  lua_pushlightuserdata(L, (void *)host);
  lua_pushcclosure(L, changes, 1);
}

static void push_kinds(lua_State *L, const struct lca_count *counts)
{
  lua_Integer used = 0;
  size_t i;
  lua_newtable(L);
  for(i = 0; i < LCA_COUNTS; i++) {
    if(!counts[i].planned && !counts[i].same)
      continue;
    lua_newtable(L);
    lca_table_set_text(L, "operation", counts[i].api->name);
    lca_table_set_text(L, "toolkit", counts[i].toolkit);
    lca_table_set_text(L, "status", counts[i].status);
    lca_table_set_integer(L, "planned", counts[i].planned);
    lca_table_set_integer(L, "same", counts[i].same);
    lua_rawseti(L, -2, ++used);
  }
}

static void add_plan(lua_State *L, const void *from)
{
  const struct shown *shown = from;
  const struct lca_plan *plan = shown->plan;
  lca_table_set_text(L, "name", plan->name);
  lca_table_set_text(L, "listing", plan->listing);
  lca_table_set_integer(L, "bulk", plan->bulk);
  lca_table_set_integer(L, "selected", plan->selected);
  lca_table_set_integer(L, "planned", plan->totals.planned);
  lca_table_set_integer(L, "same", plan->totals.same);
  lca_table_set_integer(L, "skipped", plan->totals.skipped);
  lca_table_set_integer(L, "irreversible", plan->totals.irreversible);
  lca_table_set_integer(L, "failed", plan->failed);
  lca_table_set_bool(L, "replayed", plan->replayed);
  if(plan->plan_counts) {
    push_kinds(L, plan->plan_counts);
    lua_setfield(L, -2, "kinds");
  }
  host_preview_push_changes(L, shown->host);
  lua_setfield(L, -2, "changes");
}

void host_preview_show(struct host *host, const struct lca_plan *plan)
{
  struct shown shown = { host, plan };
  host_terminal_clear_progress(host);
  if(!host->options.quiet)
    (void)host_shipped_call(host, "composio.host.preview", "show", add_plan,
                            &shown, NULL);
  else if(plan->listing)
    host_terminal_print_always(host, "  the listing is incomplete: %s",
                               plan->listing);
}
