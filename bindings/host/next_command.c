/* Asks composio.next_command for the command to type next, in a Lua state of
   its own: the script's may be out of memory, and its globals may be changed.
   Must not know: curl, which command follows from what. */
#include <string.h>
#include <lauxlib.h>
#include <lualib.h>
#include "host/host.h"
#include "module/open.h"

/* A question: a function of the module, and what pushes its argument. */
struct question {
  const char *function;
  void (*push)(lua_State *L, const void *from);
  const void *from;
};

static void set_text(lua_State *L, const char *name, const char *text)
{
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value)
{
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

/* ---- what the host knows of this run ---- */

static void add_carried(void *ctx, const char *name, const char *value)
{
  lua_State *L = ctx;
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  lua_pushstring(L, name);
  lua_rawseti(L, -2, count + 1);
  lua_pushstring(L, value);
  lua_rawseti(L, -2, count + 2);
}

void host_next_command_push_carried(lua_State *L, const struct host *host)
{
  lua_newtable(L);
  host_options_saved_carry(&host->options, add_carried, L);
}

/* Sets a table of the counts by outcome. */
static void set_counts(lua_State *L, const char *name,
                       const int64_t counts[CA_OUTCOME_COUNT])
{
  int i;
  lua_createtable(L, 0, CA_OUTCOME_COUNT);
  for(i = 0; i < CA_OUTCOME_COUNT; i++) {
    lua_pushinteger(L, counts[i]);
    lua_setfield(L, -2, ca_change_outcome_key((enum ca_outcome)i));
  }
  lua_setfield(L, -2, name);
}

static void set_changes(lua_State *L, const struct ca_counts *counts)
{
  int64_t changes[CA_OUTCOME_COUNT] = { 0 };
  size_t i;
  size_t k;
  for(i = 0; i < counts->operation_count; i++)
    for(k = 0; k < CA_OUTCOME_COUNT; k++)
      changes[k] += counts->operations[i].changes[k];
  set_counts(L, "changes", changes);
}

static void push_facts(lua_State *L, const void *from)
{
  const struct host *host = from;
  const struct host_options *options = &host->options;
  int i;
  lua_newtable(L);
  set_bool(L, "apply", options->apply);
  set_bool(L, "script", options->script != NULL);
  set_bool(L, "failed", host->failed);
  set_bool(L, "plan_saved", host->plan_saved);
  set_bool(L, "lost",
           host->stop == LCA_STOP_LEDGER && lca_run_stats(host->L)->written);
  set_text(L, "run", host->run_id);
  set_text(L, "save_plan", options->save_plan);
  set_text(L, "operand", options->operand);
  set_text(L, "undoes", ca_text_or_null(host->undoes));
  lua_pushinteger(L, host->exit_code);
  lua_setfield(L, -2, "exit");
  set_counts(L, "items", host->counts.items);
  set_changes(L, &host->counts);
  lua_newtable(L);
  for(i = 0; i < host->irreversible_count; i++) {
    lua_pushinteger(L, host->irreversible[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "irreversible");
  host_help_push_words(L, host->argv + 1, host->argc - 1);
  lua_setfield(L, -2, "argv");
  host_next_command_push_carried(L, host);
  lua_setfield(L, -2, "carried");
  if(!options->rest)
    return;
  host_help_push_words(L, options->rest, options->rest_count);
  lua_setfield(L, -2, "rest");
}

/* ---- asking ---- */

/* The argument is the question; returns the command or nil. */
static int answer(lua_State *L)
{
  const struct question *question = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lca_open_parts(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "composio.next_command");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, question->function);
  question->push(L, question->from);
  lua_call(L, 1, 1);
  return 1;
}

/* Without memory there is no command. */
static void ask(const struct question *question, char *out, size_t size)
{
  lua_State *L = luaL_newstate();
  const char *text = NULL;
  out[0] = '\0';
  if(!L)
    return;
  lua_pushcfunction(L, answer);
  lua_pushlightuserdata(L, (void *)question);
  if(!lua_pcall(L, 1, 1, 0))
    text = lua_tostring(L, -1);
  if(text)
    ca_text_copy(out, size, text);
  lua_close(L);
}

void host_next_command(const struct host *host, char *out, size_t size)
{
  struct question question = { "after", push_facts, host };
  out[0] = '\0';
  /* an emulator has ended before anybody can type a command */
  if(host->L && !host->emulator.url[0])
    ask(&question, out, size);
}

static void push_run(lua_State *L, const void *from)
{
  const struct ca_run_info *info = from;
  lua_newtable(L);
  set_text(L, "word", info->word);
  set_text(L, "undoes", info->undoes ? ca_text_or_null(info->undoes) : NULL);
  set_text(L, "params", info->params);
  set_text(L, "options", info->options);
}

void host_next_command_again(const struct ca_run_info *info, char *out,
                             size_t size)
{
  struct question question = { "again", push_run, info };
  ask(&question, out, size);
}
