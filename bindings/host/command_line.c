/* The command line for the shipped Lua: options, operands, the script's
   arguments, the shipped scripts.
   Must not know: curl, the ledger, how runs are carried out. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "host/host.h"
#include "module/table.h"

/* ---- lists ---- */

void host_command_line_push_words(lua_State *L, char **words, int count)
{
  int i;
  lua_createtable(L, count, 1);
  for(i = 0; i < count; i++) {
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* ---- for scripts, too ---- */

/* host.unreadable(path) → why the file cannot be read, or nil. */
static int host_unreadable(lua_State *L)
{
  if(access(luaL_checkstring(L, 1), R_OK))
    lua_pushfstring(L, "cannot be read: %s", strerror(errno));
  else
    lua_pushnil(L);
  return 1;
}

/* host.fill_name(path) → the path with %p, %s and %% filled in, and whether it
   had a %p. */
static int host_fill_name(lua_State *L)
{
  const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  char name[HOST_PATH_SIZE];
  bool has_profile;
  struct ca_err err;
  ca_err_clear(&err);
  if(host_paths_fill(luaL_checkstring(L, 1), host->options.profile,
                     host->options.shard.name, false, name, sizeof(name),
                     &has_profile, &err))
    return luaL_error(L, "%s", err.text);
  lua_pushstring(L, name);
  lua_pushboolean(L, has_profile);
  return 2;
}

void host_command_line_add(lua_State *L, struct host *host)
{
  host_options_table_push(L);
  lua_setfield(L, -2, "options");
  host_command_line_push_words(L, host->options.params,
                               host->options.param_count);
  lua_setfield(L, -2, "params");
  lca_table_set_text(L, "script", host->options.script);
  lca_table_set_bool(L, "wants_help", host->options.help);
  lua_pushcfunction(L, host_unreadable);
  lua_setfield(L, -2, "unreadable");
  lua_pushlightuserdata(L, host);
  lua_pushcclosure(L, host_fill_name, 1);
  lua_setfield(L, -2, "fill_name");
}

/* ---- for verbs ---- */

/* host.scripts() → the directory of the shipped scripts, and their names.
   Raises if there are none. */
static int list_scripts(lua_State *L)
{
  char dir[HOST_PATH_SIZE];
  struct host_paths_names names;
  struct ca_err err;
  ca_err_clear(&err);
  if(host_paths_scripts(dir, sizeof(dir), &names, &err)) {
    lua_pushstring(L, err.text);
    return lua_error(L);
  }
  lua_pushstring(L, dir);
  host_command_line_push_words(L, names.list, names.count);
  host_paths_free_names(&names);
  return 2;
}

static void add_carried(void *ctx, const char *name, const char *value)
{
  lua_State *L = ctx;
  lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
  lua_pushstring(L, name);
  lua_rawseti(L, -2, count + 1);
  if(value)
    lua_pushstring(L, value);
  else
    lua_pushboolean(L, 1);
  lua_rawseti(L, -2, count + 2);
}

void host_command_line_add_verb(lua_State *L, const struct host *host)
{
  const struct host_options *options = &host->options;
  lca_table_set_text(L, "verb", host_options_verb(options->verb));
  lca_table_set_text(L, "profile", options->profile);
  if(options->shard.count)
    lca_table_set_text(L, "shard", options->shard.name);
  lca_table_set_text(L, "operand", options->operand);
  lca_table_set_text(L, "change", options->more[0]);
  lca_table_set_text(L, "outcome", options->more[1]);
  lca_table_set_text(L, "reason", options->reason);
  lca_table_set_text(L, "tag", options->tag);
  lca_table_set_text(L, "save_plan", options->save_plan);
  lca_table_set_bool(L, "apply", options->apply);
  lca_table_set_bool(L, "wants_json", options->json);
  lca_table_set_bool(L, "show_all", options->show_all);
  lca_table_set_integer(L, "limit", options->limit);
  lca_table_set_integer(L, "prune_ms", options->prune_ms);
  lca_table_set_bool(L, "force", options->force);
  host_command_line_push_words(L, host->argv + 1, host->argc - 1);
  lua_setfield(L, -2, "argv");
  if(options->rest) {
    host_command_line_push_words(L, options->rest, options->rest_count);
    lua_setfield(L, -2, "rest");
  }
  lua_newtable(L);
  host_options_saved_carry(options, host->here, add_carried, L);
  lua_setfield(L, -2, "carried");
  lua_pushcfunction(L, list_scripts);
  lua_setfield(L, -2, "scripts");
}
