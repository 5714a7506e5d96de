/* One run, from the script's text to the exit code. apply, resume and undo
   start in replay.c and then run here.
   Must not know: curl, the spelling of options. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include <lualib.h>
#include "host/host.h"
#include "module/client.h"
#include "job/csv.h"
#include "module/error.h"
#include "module/open.h"
#include "job/report.h"
#include "module/scheduler.h"
#include "module/table.h"
#include "planfile/plan.h"

/* ---- callbacks of bindings/job ---- */

enum ca_code host_run_begin(struct host *host, const unsigned char *salt,
                            struct ca_err *err)
{
  struct ca_run_info info;
  enum ca_code code =
      host_options_saved_json(&host->options, &host->options_json);
  if(code)
    return ca_err_set(err, code, "out of memory");
  host_setup_describe_run(host, &info);
  info.salt = salt;
  host->ledger = ca_ledger_open(host->state_dir, host->clock, err);
  if(!host->ledger)
    return err->code ? err->code : CA_SYSTEM;
  code = ca_prune_previews(host->ledger, err);
  if(!code)
    code = ca_run_begin(host->ledger, &info, host->run_id,
                        sizeof(host->run_id), err);
  if(code) {
    ca_ledger_close(host->ledger);
    host->ledger = NULL;
    host->run_id[0] = '\0';
  } else {
    host_lock_name(host);
  }
  return code;
}

/* Under --resume-first, looks for an interrupted like run before this one
   begins. Returns whether to end here because there is one, or after an
   error. */
static bool waits_for_first(struct host *host, struct ca_err *err)
{
  if(!host->options.resume_first || !host->options.apply || host->ledger ||
     host_interrupted_find(host, host->first, sizeof(host->first), err) ||
     !host->first[0])
    return err->code != CA_OK;
  host_terminal_print(host,
                      "run %s of this script and parameters was interrupted: "
                      "it is finished first",
                      host->first);
  ca_err_set(err, CA_CANCELLED, "an interrupted run is finished first");
  return true;
}

/* host.job_seen(): the parameters of the job are known now. */
static int job_seen(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  struct ca_err err;
  ca_err_clear(&err);
  if(waits_for_first(host, &err))
    return lca_run_stop(L, LCA_STOP_LEDGER, "%s", err.text);
  return 0;
}

static struct ca_ledger *begin(void *ctx, struct ca_err *err)
{
  struct host *host = ctx;
  if(waits_for_first(host, err))
    return NULL;
  if(!host->ledger && host_run_begin(host, NULL, err))
    return NULL;
  return host->ledger;
}

/* Writes the irreversible changes of a plan: "delete 10, revoke 2". */
static void irreversible_words(const struct lca_plan *plan, char *out,
                               size_t size)
{
  size_t i;
  size_t k;
  out[0] = '\0';
  for(i = 0; i < LCA_COUNTS; i++) {
    const struct ca_api *api = plan->plan_counts[i].api;
    int64_t count = 0;
    size_t len = strlen(out);
    if(!api || api->cost != CA_IRREVERSIBLE || strstr(out, api->name))
      continue;
    for(k = i; k < LCA_COUNTS; k++)
      if(plan->plan_counts[k].api == api)
        count += plan->plan_counts[k].planned;
    if(count && len < size)
      snprintf(out + len, size - len, "%s%s %lld", len ? ", " : "", api->name,
               (long long)count);
  }
  if(!out[0])
    ca_err_copy_text(out, size, "of the plan", 11);
}

static enum ca_code confirm(void *ctx, int64_t count,
                            const struct lca_plan *plan, const char *what,
                            struct ca_err *err)
{
  char words[300];
  if(what)
    return host_confirm_one(ctx, count, what, err);
  if(plan)
    irreversible_words(plan, words, sizeof(words));
  else
    ca_err_copy_text(words, sizeof(words), "of the plan", 11);
  return host_confirm(ctx, count, words, err);
}

static enum ca_code like(void *ctx, bool creates, struct ca_err *err)
{
  struct host *host = ctx;
  char name[96];
  char command[4096];
  if(host->options.anew ||
     host_interrupted_find(host, name, sizeof(name), err))
    return err->code;
  if(!*name)
    return CA_OK;
  if(host->options.resume_first && !host->options.apply) {
    host_terminal_print_always(host,
                               "run %s of this script and parameters was "
                               "interrupted; --apply finishes it first",
                               name);
    return CA_OK;
  }
  if(creates) {
    ca_text_copy(host->like, sizeof(host->like), name);
    return ca_err_set(err, CA_USAGE,
                      "refused: run %s of this script and parameters was "
                      "interrupted: this run would make again what that one "
                      "has made; finish it first, or give --anew",
                      name);
  }
  host_next_command_take_up(host, name, command, sizeof(command));
  host_terminal_print_always(
      host,
      "run %s of this script and parameters was interrupted; "
      "`%s` finishes it",
      name, command);
  return CA_OK;
}

static const char *protect(void *ctx, const char *id, const char *user,
                           const char *toolkit, char *out, size_t size)
{
  struct host *host = ctx;
  return host_protect_why(&host->protect, id, user, toolkit, out, size);
}

static enum ca_code let_through(void *ctx, struct ca_err *err)
{
  struct host *host = ctx;
  return ca_plan_seal_bulks(host->options.operand, host->plan, host->ledger,
                            ca_text_or_null(host->redoes), err);
}

static void show(void *ctx, const struct lca_plan *plan)
{
  host_preview_show(ctx, plan);
}

static bool tick(void *ctx)
{
  struct host *host = ctx;
  host->sandbox.alive++;
  host_terminal_show_progress(host);
  return host_setup_may_wait(host);
}

/* --if-older */
static void starts(void *ctx, bool reads)
{
  struct host *host = ctx;
  char name[96];
  if(!host->options.if_older_ms ||
     !host_interrupted_find_recent(host, reads, name, sizeof(name)))
    return;
  host->stop = LCA_STOP_RECENT;
  host_terminal_print(host,
                      "run %s of this script and parameters ended well less "
                      "than --if-older ago: there is nothing to do",
                      name);
}

static void log_line(void *ctx, const char *text)
{
  host_terminal_print(ctx, "%s", text);
}

static void warn(void *ctx, const char *text)
{
  host_terminal_print_always(ctx, "%s", text);
}

/* ---- the script ---- */

/* Runs before each call of the script. Parameters without composio.job would
   be ignored silently, and a script that is asked for help must not reach the
   service. */
static void before_call(lua_State *L, void *ctx)
{
  struct host *host = ctx;
  host->sandbox.alive++;
  lca_run_check(L);
  if(host->over) /* in a finalizer, or the `__tostring` of its error */
    luaL_error(L, "the script has ended: no call is possible any more");
  if(!host->options.help && !host->options.param_count)
    lca_run_start(L); /* a parameter that cannot be taken is an error below */
  if(lca_run_stats(L)->job_seen)
    return;
  if(host->options.help)
    lca_run_stop(L, LCA_STOP_USAGE,
                 "%s calls the service before composio.job, so its "
                 "parameters are not known; call composio.job first",
                 host->script);
  if(host->options.param_count)
    lca_run_stop(L, LCA_STOP_USAGE,
                 "%s takes no parameters before it calls composio.job: '%s'",
                 host->script, host->options.params[0]);
}

static void clear_progress(void *ctx)
{
  host_terminal_clear_progress(ctx);
}

/* Without --log, the engine's events go to stderr. */
static void set_log(struct host *host)
{
  struct ca_log *log = lca_scheduler_log(lca_scheduler_of(host->L));
  *log = host->log;
  if(log->file)
    return;
  log->file = stderr;
  log->before = clear_progress;
  log->before_ctx = host;
  if(!host->options.verbose)
    log->level = host->options.quiet ? CA_LOG_QUIET : CA_LOG_WARN;
}

/* Opens everything that a script can use. The argument is the host. */
static int open_state(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  struct lca_run_options options;
  host_sandbox_open(L);
  memset(&options, 0, sizeof(options));
  options.apply = host->options.apply;
  options.concurrency = host->options.endpoint.concurrency;
  options.limit_items = host->options.limit_items;
  options.shard = host->options.shard.number;
  options.shards = host->options.shard.count;
  options.replay = host->replay;
  options.earlier = host->earlier;
  options.limits = host->options.limits;
  options.settle_wait_ms = host->options.settle_wait_ms;
  options.deadline_ms = host->options.endpoint.deadline_ms;
  memcpy(options.stop_on, host->options.stop_on, sizeof(options.stop_on));
  options.given = host->given;
  options.stop = &host->stop;
  options.ctx = host;
  options.run_id = host->run_id;
  options.redoes = host->redoes;
  options.starts = starts;
  options.begin = begin;
  options.confirm = confirm;
  options.let_through = let_through;
  options.like = like;
  options.protect = protect;
  options.protects = host->protect.count > 0;
  options.show = show;
  options.tick = tick;
  options.log_line = log_line;
  options.warn = warn;
  lca_client_shared(L)->defaults = &host->endpoint;
  lca_host_table_open(L, &options);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "composio.host"); /* loaded host */
  host_command_line_add(L, host);
  host_history_add(L, host);
  host_confirm_add_secrets(L, host);
  lua_pushlightuserdata(L, host);
  lua_pushcclosure(L, job_seen, 1);
  lua_setfield(L, -2, "job_seen");
  lua_pushstring(L,
                 host->run_id); /* known in a resume and an apply, else "" */
  lua_setfield(L, -2, "run");
  lca_table_set_bool(L, "is_one_of_several", host->options.one_of_several);
  lua_pushboolean(L, host->other_key);
  lua_setfield(L, -2, "other_key");
  lua_pushstring(L, host->undoes);
  lua_setfield(L, -2, "undoes");
  lca_table_set_text(L, "redoes", ca_text_or_null(host->redoes));
  lca_csv_open(L);
  lca_report_open(L);
  lua_pop(L, 2);
  luaL_requiref(L, "composio", lca_open, 0);
  lua_pop(L, 1);
  lca_host_table_install(L);
  lca_client_shared(L)->before = before_call;
  lca_client_shared(L)->before_ctx = host;
  set_log(host);
  host_sandbox_hook(L);
  host_sandbox_close(L, host->script_dir, host->options.allow_io,
                     host->options.allow_os, host->undoes[0] != '\0');
  host_command_line_push_words(L, host->options.rest,
                               host->options.rest_count);
  lua_pushstring(L, host->script);
  lua_rawseti(L, -2, 0);
  lua_setglobal(L, "arg");
  return 0;
}

/* Calls composio.run(script). The arguments are the script's function and the
   host if this is a replay, else nil. A replay first takes the secrets that
   were given again, settles, and prepares the plan. */
static int run_script(lua_State *L)
{
  struct host *host = lua_touserdata(L, 2);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if(host) {
    lua_getfield(L, -1, "composio.core");
    lua_getfield(L, -1, "recall_secrets");
    lua_call(L, 0, 0);
    if(!host->replay.only_plan && !host->replay.redo)
      lca_settle_run(L, false);
    if(!host->replay.redo) {
      lua_getfield(L, -1, "with_plan");
      lua_pushvalue(L, 1);
      lua_call(L, 1, 1);
      lua_replace(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_getfield(L, -1, "composio");
  lua_getfield(L, -1, "run");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/* Turns an error value into text; called protected, because __tostring may
   raise. */
static int error_text(lua_State *L)
{
  lca_error_push_line(L, 1);
  return 1;
}

static void report_memory(struct host *host)
{
  snprintf(
      host->error, sizeof(host->error),
      "%.1000s: the script needs more than %lld MB of memory (--memory MB)",
      host->script, (long long)host->options.memory_mb);
}

/* What the error on top, if it is one of ours, says of the service. */
static enum host_raised what_was_raised(lua_State *L)
{
  bool unavailable;
  if(!lca_error_is(L, -1))
    return HOST_RAISED_OTHER;
  switch(lca_error_ends_run(L, -1)) {
  case LCA_ERROR_KEY:
    return HOST_RAISED_REJECTED;
  case LCA_ERROR_ROUTE:
    return HOST_RAISED_ROUTE;
  case LCA_ERROR_GOES_ON:
    break;
  }
  lua_pushliteral(L, "unavailable");
  lua_rawget(L, -2);
  unavailable = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return unavailable ? HOST_RAISED_DOWN : HOST_RAISED_OTHER;
}

static void keep_error(struct host *host, int status)
{
  lua_State *L = host->L;
  const char *text = NULL;
  host->raised = what_was_raised(L);
  if(status == LUA_ERRMEM) {
    report_memory(host);
    return;
  }
  host->over = true;
  lua_pushcfunction(L, error_text);
  lua_insert(L, -2);
  if(lua_pcall(L, 1, 1, 0) == LUA_OK)
    text = lua_tostring(L, -1);
  ca_err_copy_text(host->error, sizeof(host->error),
                   text ? text : "unknown error", text ? strlen(text) : 13);
}

static void show_traceback(struct host *host)
{
  const char *text;
  if(!host->options.verbose || host->stop)
    return;
  lca_scheduler_push_traceback(host->L, lca_scheduler_of(host->L));
  text = lua_tostring(host->L, -1);
  while(text && *text) {
    size_t len = strcspn(text, "\n");
    host_terminal_print(host, "  %.*s", (int)len, text);
    text += len + (text[len] == '\n');
  }
}

/* Returns false, after a message, if the text does not compile. */
static bool execute(struct host *host)
{
  lua_State *L = host->L;
  int status;
  lua_pushcfunction(L, run_script);
  if(host_sandbox_load(L, host->script_text, host->script_len, host->script)) {
    host_terminal_complain(host, "%s", lua_tostring(L, -1));
    return false;
  }
  if(host->replay.on)
    lua_pushlightuserdata(L, host);
  else
    lua_pushnil(L);
  host_sandbox_watch_cpu(&host->sandbox, true);
  status = lua_pcall(L, 2, 0, 0);
  host_sandbox_watch_cpu(&host->sandbox, false);
  host_sandbox_end_refused(&host->sandbox);
  if(status) {
    keep_error(host, status);
    show_traceback(host);
  }
  return true;
}

/* ---- the run ---- */

static void clean_up(struct host *host)
{
  host->over = true;
  if(host->L) {
    if(host->stop) /* tasks that it ended are no mistake of the script's */
      lca_scheduler_log(lca_scheduler_of(host->L))->level = CA_LOG_QUIET;
    lca_host_table_close(host->L);
    host->sandbox.sched = NULL; /* a signal may still arrive */
    host->sandbox.run = NULL;
    lua_close(host->L);
  }
  ca_ledger_close(host->earlier);
  ca_ledger_close(host->ledger);
  host_lock_release(&host->lock);
  host_result_after(host);
  host_protect_free(&host->protect);
  ca_buf_clear(&host->options_json);
  free(host->given);
  host_emulator_stop(&host->emulator);
  if(host->scratch)
    host_paths_remove_scratch(host->state_dir);
  ca_buf_wipe(&host->key);
  free(host->script_text);
}

static void refuse(struct host *host, const struct ca_err *err)
{
  struct ca_err ignored;
  ca_err_clear(&ignored);
  if(host_result_open_log(host, &ignored)) /* err matters more */
    host->log.file = NULL;
  host_terminal_complain(host, "%s", err->text);
  if(!host->exit_code)
    host->exit_code = 2;
}

int host_run_prepared(struct host *host,
                      enum ca_code (*ready)(struct host *host,
                                            struct ca_err *err))
{
  struct ca_err err;
  ca_err_clear(&err);
  host_setup_machine(host);
  host_setup_deadline(host);
  ca_buf_init(&host->key, 1);
  ca_buf_init(&host->options_json, 1u << 16);
  if(host_result_begin(host, &err) || ready(host, &err)) {
    refuse(host, &err);
    goto out;
  }
  if(host->finished) /* nothing to do; the message is already printed */
    goto out;
  host->sandbox.memory_bytes = (size_t)host->options.memory_mb << 20;
  host->sandbox.instructions = host->options.instructions;
  host->sandbox.cpu_ms = host->options.cpu_ms;
  if(host->options.quiet && !host->options.help)
    host->sandbox.held = &host->printed;
  host->L = host_sandbox_state(&host->sandbox);
  if(!host->L) {
    ca_err_set(&err, CA_NOMEM, "out of memory");
    refuse(host, &err);
    goto out;
  }
  lua_pushcfunction(host->L, open_state);
  lua_pushlightuserdata(host->L, host);
  if(lua_pcall(host->L, 1, 0, 0)) {
    ca_err_set(&err, CA_SYSTEM, "%s", lua_tostring(host->L, -1));
    refuse(host, &err);
    goto out;
  }
  if(!execute(host) || (!host->first[0] && !host_finish_check_job(host))) {
    host->exit_code = 2;
    goto out;
  }
  if(host->first[0]) /* main.c finishes it, and then begins again */
    goto out;
  host_finish_run(host);
out:
  host_result_end(host);
  clean_up(host);
  return host->exit_code;
}

int host_run(struct host *host)
{
  return host_run_prepared(host, host_setup_run);
}
