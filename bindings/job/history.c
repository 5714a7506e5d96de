/* The changes of a run, for who undoes it or checks before it goes on: read
   through a ledger of their own.
   Must not know: curl, options of the command line, terminals, what an undo
   is. */
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"

#define PAST_CLASS "composio.host.past"

struct past {
  struct ca_ledger *ledger; /* owned */
  struct ca_changes changes;
};

static int past_close(lua_State *L)
{
  struct past *past = luaL_checkudata(L, 1, PAST_CLASS);
  ca_changes_close(&past->changes);
  ca_ledger_close(past->ledger);
  past->ledger = NULL;
  return 0;
}

/* The alias that the item's account had, which its columns tell. */
static void set_alias(lua_State *L, struct past *past,
                      const struct ca_change_row *row)
{
  struct ca_item item;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_ledger_item(past->ledger, row->item, &item, &err))
    luaL_error(L, "%s", err.text);
  if(!item.account || !row->change.account ||
     strcmp(item.account, row->change.account) != 0)
    return;
  lua_pushstring(L, item.alias ? item.alias : "");
  lua_setfield(L, -2, "alias_before");
}

/* Sets a field of the table on top; a text that is NULL is left out. */
static void set_text(lua_State *L, const char *name, const char *text)
{
  if(!text)
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void push_row(lua_State *L, struct past *past,
                     const struct ca_change_row *row)
{
  const struct ca_change *change = &row->change;
  const struct ca_api *api = change->api;
  lua_createtable(L, 0, 16);
  lua_pushinteger(L, row->number);
  lua_setfield(L, -2, "number");
  lua_pushstring(L, api->resource);
  lua_setfield(L, -2, "resource");
  lua_pushstring(L, api->name);
  lua_setfield(L, -2, "operation");
  lua_pushstring(L, ca_outcome_name(row->outcome));
  lua_setfield(L, -2, "outcome");
  lua_pushboolean(L, change->fingerprint != NULL);
  lua_setfield(L, -2, "secret");
  set_text(L, "account", change->account);
  set_text(L, "before", change->before);
  set_text(L, "image", change->image);
  set_text(L, "body", change->body);
  set_text(L, "status_after", row->status_after);
  set_text(L, "made", row->made);
  set_text(L, "line", change->line);
  set_text(L, "user", change->user);
  set_text(L, "config", change->config);
  if(api->undo && !api->becomes)
    set_alias(L, past, row);
}

/* past(): the next change as a table, nil after the last. */
static int past_next(lua_State *L)
{
  struct past *past = luaL_checkudata(L, 1, PAST_CLASS);
  const struct ca_change_row *row = NULL;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_changes_next(&past->changes, &row, &err))
    return luaL_error(L, "%s", err.text);
  if(!row)
    return 0;
  push_row(L, past, row);
  return 1;
}

/* host.past(run): callable, gives the run's changes in their order. */
int lca_past_changes(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  const char *name = luaL_checkstring(L, 1);
  struct past *past = lua_newuserdatauv(L, sizeof(*past), 0);
  struct ca_err err;
  memset(past, 0, sizeof(*past));
  luaL_setmetatable(L, PAST_CLASS);
  ca_err_clear(&err);
  past->ledger = run->options.look(run->options.ctx, name, &err);
  if(!past->ledger)
    return luaL_error(L, "%s", err.text);
  ca_changes_open(&past->changes, past->ledger, -1, CA_ANY_OUTCOME);
  return 1;
}

void lca_past_open(lua_State *L)
{
  luaL_newmetatable(L, PAST_CLASS);
  lua_pushcfunction(L, past_next);
  lua_setfield(L, -2, "__call");
  lua_pushcfunction(L, past_close);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, past_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
