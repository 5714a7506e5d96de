/* The changes of a run, for who undoes it or checks before it goes on: read
   through a ledger of their own, a batch at a time.
   Must not know: curl, options of the command line, terminals, what an undo
   is. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "job/run_private.h"

#define PAST_CLASS "composio.host.past"
#define BATCH      128
#define TEXTS      9
#define ALL_SET    ((1u << CA_OUTCOME_COUNT) - 1)

struct past_row {
  int64_t number;
  int64_t item;
  const struct ca_api *api;
  enum ca_outcome outcome;
  bool secret;
  char *texts[TEXTS]; /* owned: as the names below */
};
static const char *const text_names[TEXTS] = {
  "account", "before", "image", "body",  "status_after",
  "made",    "line",   "user",  "config"
};

struct past {
  struct ca_ledger *ledger; /* owned */
  int64_t after;
  size_t count;
  size_t at;
  bool ended;
  bool failed;
  struct past_row rows[BATCH];
};

static void free_rows(struct past *past)
{
  size_t i;
  size_t k;
  for(i = 0; i < past->count; i++)
    for(k = 0; k < TEXTS; k++)
      free(past->rows[i].texts[k]);
  past->count = 0;
  past->at = 0;
}

static int past_close(lua_State *L)
{
  struct past *past = luaL_checkudata(L, 1, PAST_CLASS);
  free_rows(past);
  ca_ledger_close(past->ledger);
  past->ledger = NULL;
  past->ended = true;
  return 0;
}

static bool take_row(void *ctx, const struct ca_change_row *from)
{
  struct past *past = ctx;
  const struct ca_change *change = &from->change;
  const char *texts[TEXTS] = { change->account,    change->before,
                               change->image,      change->body,
                               from->status_after, from->made,
                               change->line,       change->user,
                               change->config };
  struct past_row *row = &past->rows[past->count++];
  size_t k;
  memset(row, 0, sizeof(*row));
  row->number = from->number;
  row->item = from->item;
  row->api = change->api;
  row->outcome = from->outcome;
  row->secret = change->fingerprint != NULL;
  for(k = 0; k < TEXTS; k++) {
    row->texts[k] = texts[k] ? strdup(texts[k]) : NULL;
    past->failed = past->failed || (texts[k] && !row->texts[k]);
  }
  past->after = from->number;
  return !past->failed;
}

static void fill(lua_State *L, struct past *past)
{
  struct ca_err err;
  free_rows(past);
  ca_err_clear(&err);
  if(ca_ledger_changes(past->ledger, -1, past->after, ALL_SET, BATCH, take_row,
                       past, &err))
    luaL_error(L, "%s", err.text);
  if(past->failed)
    luaL_error(L, "out of memory");
  past->ended = past->count < BATCH;
}

/* The alias that the item's account had, which its columns tell. */
static void set_alias(lua_State *L, struct past *past,
                      const struct past_row *row)
{
  struct ca_item item;
  struct ca_err err;
  ca_err_clear(&err);
  if(ca_ledger_item(past->ledger, row->item, &item, &err))
    luaL_error(L, "%s", err.text);
  if(!item.account || !row->texts[0] || strcmp(item.account, row->texts[0]))
    return;
  lua_pushstring(L, item.alias ? item.alias : "");
  lua_setfield(L, -2, "alias_before");
}

static void push_row(lua_State *L, struct past *past,
                     const struct past_row *row)
{
  size_t k;
  lua_createtable(L, 0, 16);
  lua_pushinteger(L, row->number);
  lua_setfield(L, -2, "number");
  lua_pushstring(L, row->api->resource);
  lua_setfield(L, -2, "resource");
  lua_pushstring(L, row->api->name);
  lua_setfield(L, -2, "operation");
  lua_pushstring(L, ca_outcome_name(row->outcome));
  lua_setfield(L, -2, "outcome");
  lua_pushboolean(L, row->secret);
  lua_setfield(L, -2, "secret");
  for(k = 0; k < TEXTS; k++)
    if(row->texts[k]) {
      lua_pushstring(L, row->texts[k]);
      lua_setfield(L, -2, text_names[k]);
    }
  if(row->api->undo && !row->api->becomes)
    set_alias(L, past, row);
}

/* past(): the next change as a table, nil after the last. */
static int past_next(lua_State *L)
{
  struct past *past = luaL_checkudata(L, 1, PAST_CLASS);
  if(past->at == past->count && !past->ended)
    fill(L, past);
  if(past->at == past->count)
    return 0;
  push_row(L, past, &past->rows[past->at++]);
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
