/* What history.lua needs from the host, in scripts and in the verbs about
   earlier runs: the ledger, and the state of a run.
   Must not know: the engine, what is shown. */
#include <string.h>
#include "host/host.h"
#include "job/history.h"
#include "module/table.h"

/* The functions' upvalue is the host. */
static struct host *host_of(lua_State *L)
{
  return lua_touserdata(L, lua_upvalueindex(1));
}

/* host.ledger() → an object that reads the ledger (job/history.h), or nil when
   there is none yet */
static int open_ledger(lua_State *L)
{
  struct host *host = host_of(L);
  struct ca_ledger **place = lca_history_new(L);
  bool found = false;
  struct ca_err err;
  ca_err_clear(&err);
  *place = ca_ledger_open_readonly(host->state_dir, host->clock, &found, &err);
  if(*place)
    return 1;
  if(!err.code)
    return 0;
  lua_pushstring(L, err.text);
  return lua_error(L);
}

static const char *text_of(lua_State *L, const char *name)
{
  const char *text;
  lua_getfield(L, 1, name);
  text = lua_tostring(L, -1);
  lua_pop(L, 1); /* the table keeps the text alive */
  return text;
}

/* host.state(run), a row of ledger:runs → "ended"; "running" if a process
   holds the lock for it; "open" for a preview without an end, which may still
   be running, since previews take no lock; else "interrupted" */
static int state(lua_State *L)
{
  struct host_lock_holder holder;
  const char *mode = text_of(L, "mode");
  const char *project = text_of(L, "project");
  const char *name = text_of(L, "run");
  const char *word = "interrupted";
  if(text_of(L, "ended"))
    word = "ended";
  else if(!mode || strcmp(mode, "apply") != 0)
    word = "open";
  else if(project && name &&
          host_lock_find_holder(host_of(L)->state_dir, project, name, &holder))
    word = "running";
  lua_pushstring(L, word);
  return 1;
}

/* host.own_run() → the id of this run, or nil before it is in the ledger */
static int own_run(lua_State *L)
{
  const char *run = host_of(L)->run_id;
  lua_pushstring(L, *run ? run : NULL);
  return 1;
}

/* host.milliseconds(text) → ISO 8601 as milliseconds since 1970, or nil */
static int milliseconds(lua_State *L)
{
  int64_t ms;
  if(!ca_clock_parse(luaL_checkstring(L, 1), &ms))
    return 0;
  lua_pushinteger(L, ms);
  return 1;
}

void host_history_add(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = { { "ledger", open_ledger },
                                        { "state", state },
                                        { "own_run", own_run },
                                        { "milliseconds", milliseconds },
                                        { NULL, NULL } };
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
  lca_table_set_text(L, "own_project", host->project);
}
