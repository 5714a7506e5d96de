/* One run: from the script's text over its plan and its changes to its exit
   code. Replays begin in replay.c and go the same way.
   Must not know: curl, how options are spelled. */
#include <errno.h>

#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>
#include "digest.h"
#include "encode.h"
#include "host.h"
#include "lua_client.h"
#include "lua_csv.h"
#include "lua_error.h"
#include "lua_json.h"
#include "lua_open.h"
#include "lua_report.h"
#include "lua_sched.h"
#include "plan.h"

#define SCRIPT_MAX (4u << 20)
#define GRACE_MS   10000

/* ---- before the script ---- */

enum ca_code host_read_script(struct host *host, const char *path,
                              struct ca_err *err)
{
  char *slash;
  free(host->script_text);
  host->script_text = host_read_file(path, SCRIPT_MAX, &host->script_len, err);
  if(!host->script_text)
    return CA_USAGE;
  if(path != host->script)
    ca_copy_text(host->script, sizeof(host->script), path, strlen(path));
  if(!realpath(path, host->script_path))
    ca_copy_text(host->script_path, sizeof(host->script_path), path,
                 strlen(path));
  ca_copy_text(host->script_dir, sizeof(host->script_dir), host->script,
               strlen(host->script));
  slash = strrchr(host->script_dir, '/');
  if(slash)
    *slash = '\0';
  else
    memcpy(host->script_dir, ".", 2);
  ca_digest_bytes(host->script_text, host->script_len, host->script_sha);
  return CA_OK;
}

static enum ca_code read_named_script(struct host *host, struct ca_err *err)
{
  enum ca_code code = host_script_path(host->options.script, host->script,
                                       sizeof(host->script), err);
  ca_copy_text(host->word, sizeof(host->word), host->options.script,
               strlen(host->options.script));
  return code ? code : host_read_script(host, host->script, err);
}

/* Where requests go, with which key. */
static enum ca_code find_service(struct host *host, struct ca_err *err)
{
  struct ca_endpoint_options *endpoint = &host->endpoint;
  const struct host_options *options = &host->options;
  enum ca_code code;
  endpoint->base_url = options->base_url;
  endpoint->timeout_ms = options->timeout_ms;
  endpoint->max_wait_ms = options->max_wait_ms;
  endpoint->retries = (int)options->retries;
  endpoint->concurrency = (int)options->concurrency;
  endpoint->budget_percent = options->budget_percent;
  endpoint->rate_per_second = options->rate_per_second;
  endpoint->ca_file = options->tls_ca;
  if(options->tls_ca && access(options->tls_ca, R_OK))
    return ca_err_set(err, CA_USAGE, "--tls-ca %s cannot be read: %s",
                      options->tls_ca, strerror(errno));
  if(options->emulator) {
    host_key_forget();
    code =
        host_emulator_start(&host->emulator, options->emulator_accounts, err);
    endpoint->base_url = host->emulator.url;
    endpoint->api_key = host->emulator.api_key;
    return code;
  }
  code = host_key(options->api_key_file, &host->key, err);
  endpoint->api_key = ca_buf_text(&host->key);
  if(!endpoint->base_url)
    endpoint->base_url = getenv("COMPOSIO_BASE_URL");
  if(endpoint->base_url && !*endpoint->base_url)
    endpoint->base_url = NULL;
  if(!endpoint->base_url && host->run_url[0])
    endpoint->base_url = host->run_url;
  return code;
}

/* Refuses what no request could be made with, before anything is tried. */
static enum ca_code check_service(struct host *host, struct ca_err *err)
{
  struct ca_endpoint *endpoint = ca_endpoint_new(&host->endpoint, err);
  if(!endpoint)
    return err->code;
  ca_copy_text(host->project, sizeof(host->project), endpoint->fingerprint,
               strlen(endpoint->fingerprint));
  ca_copy_text(host->base_url, sizeof(host->base_url), endpoint->base_url,
               strlen(endpoint->base_url));
  ca_endpoint_free(endpoint);
  return CA_OK;
}

static enum ca_code find_state(struct host *host, struct ca_err *err)
{
  if(host->options.emulator && !host->options.state_dir) {
    enum ca_code code =
        host_scratch_dir(host->state_dir, sizeof(host->state_dir), err);
    host->scratch = !code;
    return code;
  }
  return host_state_dir(host->options.state_dir, host->state_dir,
                        sizeof(host->state_dir), err);
}

static enum ca_code open_log(struct host *host, struct ca_err *err)
{
  if(!host->options.log)
    return CA_OK;
  host->log = fopen(host->options.log, "ae");
  return host->log ? CA_OK
                   : ca_err_set(err, CA_USAGE, "cannot write to --log %s: %s",
                                host->options.log, strerror(errno));
}

enum ca_code host_prepare_state(struct host *host, struct ca_err *err)
{
  return find_state(host, err);
}

enum ca_code host_prepare_service(struct host *host, struct ca_err *err)
{
  enum ca_code code = find_service(host, err);
  if(!code)
    code = check_service(host, err);
  if(!code)
    code = host_read_protect(host, err);
  return code ? code : open_log(host, err);
}

enum ca_code host_prepare_lock(struct host *host, struct ca_err *err)
{
  enum ca_code code;
  if(!host->options.apply)
    return CA_OK;
  code = ca_ledger_make_dir(host->state_dir, err);
  if(code)
    return code;
  host->exit_code = host_lock_take(host);
  return host->exit_code ? CA_CANCELLED : CA_OK; /* it has told why */
}

static enum ca_code prepare(struct host *host, struct ca_err *err)
{
  enum ca_code code = read_named_script(host, err);
  if(code || host->options.help) {
    host_key_forget();
    return code;
  }
  code = host_prepare_service(host, err);
  if(!code)
    code = find_state(host, err);
  return code ? code : host_prepare_lock(host, err);
}

/* ---- what lua_ledger asks of the host ---- */

void host_know_machine(struct host *host)
{
  const struct passwd *user = getpwuid(getuid());
  if(!host->cwd[0] && !getcwd(host->cwd, sizeof(host->cwd)))
    host->cwd[0] = '\0';
  if(gethostname(host->machine, sizeof(host->machine) - 1))
    host->machine[0] = '\0';
  ca_copy_text(host->user, sizeof(host->user), user ? user->pw_name : "",
               user ? strlen(user->pw_name) : 0);
}

/* What the ledger is to know of this run; texts are the host's. */
static void describe(struct host *host, struct ca_run_info *info)
{
  host_know_machine(host);
  memset(info, 0, sizeof(*info));
  info->script = host->script_path;
  info->word = host->word;
  info->cwd = host->cwd;
  info->undoes = host->undoes[0] ? host->undoes : NULL;
  info->script_sha = host->script_sha;
  info->params = host->given       ? host->given
                 : host->L != NULL ? lca_run_params(host->L)
                                   : "{}";
  info->options = ca_buf_text(&host->options_json);
  info->mode = host->options.apply ? "apply" : "preview";
  info->who = host->user;
  info->host = host->machine;
  info->project = host->project;
  info->base_url = host->base_url;
  info->version = COMPOSIO_VERSION;
}

enum ca_code host_begin_run(struct host *host, const unsigned char *salt,
                            struct ca_err *err)
{
  struct ca_run_info info;
  enum ca_code code = host_options_json(&host->options, &host->options_json);
  if(code)
    return ca_err_set(err, code, "out of memory");
  describe(host, &info);
  info.salt = salt;
  host->ledger = ca_ledger_open(host->state_dir, host->clock, err);
  if(!host->ledger)
    return err->code ? err->code : CA_SYSTEM;
  code = ca_ledger_begin(host->ledger, &info, host->run_id,
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

static struct ca_ledger *begin(void *ctx, struct ca_err *err)
{
  struct host *host = ctx;
  if(!host->ledger && host_begin_run(host, NULL, err))
    return NULL;
  return host->ledger;
}

static struct ca_ledger *look(void *ctx, const char *run, struct ca_err *err)
{
  struct host *host = ctx;
  bool found = false;
  struct ca_ledger *ledger =
      ca_ledger_open_reader(host->state_dir, host->clock, &found, err);
  if(!ledger && !err->code)
    ca_err_set(err, CA_USAGE, "there is no ledger in %s", host->state_dir);
  if(ledger && ca_ledger_look(ledger, run, err)) {
    ca_ledger_close(ledger);
    return NULL;
  }
  return ledger;
}

/* "delete 10, revoke 2": what cannot be taken back of a plan. */
static void irreversible_words(const struct lca_plan *plan, char *out,
                               size_t size)
{
  size_t i;
  size_t k;
  out[0] = '\0';
  for(i = 0; i < LCA_CELLS; i++) {
    const struct ca_api *api = plan->cells[i].api;
    int64_t count = 0;
    size_t len = strlen(out);
    if(!api || api->cost != CA_IRREVERSIBLE || strstr(out, api->name))
      continue;
    for(k = i; k < LCA_CELLS; k++)
      if(plan->cells[k].api == api)
        count += plan->cells[k].planned;
    if(count && len < size)
      snprintf(out + len, size - len, "%s%s %lld", len ? ", " : "", api->name,
               (long long)count);
  }
  if(!out[0])
    ca_copy_text(out, size, "of the plan", 11);
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
    ca_copy_text(words, sizeof(words), "of the plan", 11);
  return host_confirm(ctx, count, words, err);
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
  return ca_plan_stand(host->options.operand, host->ledger, err);
}

static void show(void *ctx, const struct lca_plan *plan)
{
  host_show_plan(ctx, plan);
}

static int64_t deadline_ms(void *ctx)
{
  struct host *host = ctx;
  if(!host->stop || host->stop >= LCA_STOP_PREVIEW)
    return -1;
  if(!host->stop_since_ms)
    host->stop_since_ms = ca_clock_mono_ms(host->clock);
  return host->stop_since_ms + GRACE_MS;
}

static void tick(void *ctx)
{
  struct host *host = ctx;
  (void)deadline_ms(host);
  host_show_progress(host);
}

static void say(void *ctx, const char *text)
{
  host_say(ctx, "%s", text);
}

/* ---- the script ---- */

/* Before any call: parameters without a job would be ignored silently, and
   help must not reach the service. */
static void before_call(lua_State *L, void *ctx)
{
  struct host *host = ctx;
  lca_run_check(L);
  if(host->over) /* a finalizer: what it did nobody would record */
    luaL_error(L, "the script has ended: nothing more can be asked");
  if(lca_run_job_seen(L))
    return;
  if(host->options.help)
    lca_run_stop(L, LCA_STOP_USAGE,
                 "%s calls the service before composio.job, so it cannot "
                 "tell its parameters; composio.job comes first",
                 host->script);
  if(host->options.param_count)
    lca_run_stop(L, LCA_STOP_USAGE,
                 "%s takes no parameters before it calls composio.job: '%s'",
                 host->script, host->options.params[0]);
}

static void set_log(struct host *host)
{
  struct ca_log *log = lca_sched_log(lca_sched_of(host->L));
  enum ca_log_level told = CA_LOG_WARN;
  if(host->options.verbose)
    told = host->options.verbose > 1 ? CA_LOG_DEBUG : CA_LOG_INFO;
  log->file = host->log ? host->log : stderr;
  log->level = host->log && told < CA_LOG_INFO ? CA_LOG_INFO : told;
  if(host->options.quiet && !host->log)
    log->level = CA_LOG_QUIET;
  log->format = host->options.log_json ? CA_LOG_JSON : CA_LOG_TEXT;
}

/* Loads the decoder while modules can still be found. */
static void ready_json(lua_State *L)
{
  lca_json_decode(L, "[]", 2);
  lua_pop(L, 1);
}

/* Everything a script finds; the argument is the host. */
static int open_state(lua_State *L)
{
  struct host *host = lua_touserdata(L, 1);
  struct lca_run_options options;
  luaL_openlibs(L);
  memset(&options, 0, sizeof(options));
  options.apply = host->options.apply;
  options.concurrency = (int)host->options.concurrency;
  options.limit_items = host->options.limit_items;
  options.replay = host->replay;
  options.limits.max_changes = host->options.max_changes;
  options.limits.max_percent = host->options.max_percent;
  options.limits.delete_active = host->options.delete_active;
  options.stop_on.failed = host->options.stop_on.failed;
  options.stop_on.unknown = host->options.stop_on.unknown;
  options.stop_on.stale = host->options.stop_on.stale;
  options.given = host->given;
  options.stop = &host->stop;
  options.ctx = host;
  options.begin = begin;
  options.look = look;
  options.confirm = confirm;
  options.let_through = let_through;
  options.protect = protect;
  options.protects = host->protect.used > 0;
  options.show = show;
  options.tick = tick;
  options.say = say;
  lca_client_set_defaults(L, &host->endpoint);
  lca_ledger_open(L, &options);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "composio.host"); /* loaded host */
  host_add_words(L, host);
  lua_pushstring(L, host->run_id); /* of a replay; else not known yet */
  lua_setfield(L, -2, "run");
  lua_pushboolean(L, host->other_key);
  lua_setfield(L, -2, "other_key");
  lua_pushstring(L, host->undoes);
  lua_setfield(L, -2, "undoes");
  lca_csv_open(L);
  lca_report_open(L, host->options.apply);
  lua_pop(L, 2);
  luaL_requiref(L, "composio", luaopen_composio, 0);
  lua_pop(L, 1);
  ready_json(L);
  lca_ledger_install(L);
  lca_client_set_before(L, before_call, host);
  set_log(host);
  host_sandbox_hook(L);
  host_sandbox_close(L, host->script_dir, host->options.allow_io,
                     host->options.allow_os);
  host_push_words(L, host->options.rest, host->options.rest_count);
  lua_pushstring(L, host->script);
  lua_rawseti(L, -2, 0);
  lua_setglobal(L, "arg");
  return 0;
}

/* composio.run(script): the arguments are the script's function, and whether
   it is a replay, whose plan is looked at first. */
static int run_script(lua_State *L)
{
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if(lua_toboolean(L, 2)) {
    lua_getfield(L, -1, "composio.core");
    lua_getfield(L, -1, "with_plan");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_replace(L, 1);
    lua_pop(L, 1);
  }
  lua_getfield(L, -1, "composio");
  lua_getfield(L, -1, "run");
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/* The error on top as a text, without a chance to throw again. */
static int error_text(lua_State *L)
{
  luaL_tolstring(L, 1, NULL);
  return 1;
}

static void say_memory(struct host *host)
{
  snprintf(host->error, sizeof(host->error),
           "%.1000s: the script needs more memory than %lld MB (--memory MB)",
           host->script, (long long)host->options.memory_mb);
}

static void keep_error(struct host *host, int status)
{
  lua_State *L = host->L;
  const char *text = NULL;
  host->failed = true;
  if(lua_istable(L, -1)) {
    lua_pushliteral(L, "status");
    lua_rawget(L, -2);
    host->key_rejected = lua_isinteger(L, -1) && lua_tointeger(L, -1) == 401;
    lua_pop(L, 1);
  }
  if(status == LUA_ERRMEM) {
    say_memory(host);
    return;
  }
  lua_pushcfunction(L, error_text);
  lua_insert(L, -2);
  if(lua_pcall(L, 1, 1, 0) == LUA_OK)
    text = lua_tostring(L, -1);
  ca_copy_text(host->error, sizeof(host->error), text ? text : "unknown error",
               text ? strlen(text) : 13);
  if(host->sandbox.memory_refused && strstr(host->error, "not enough memory"))
    say_memory(host);
}

static void show_traceback(struct host *host)
{
  const char *text;
  if(!host->options.verbose || host->stop)
    return;
  lca_sched_push_traceback(host->L, lca_sched_of(host->L));
  text = lua_tostring(host->L, -1);
  while(text && *text) {
    size_t len = strcspn(text, "\n");
    host_say(host, "  %.*s", (int)len, text);
    text += len + (text[len] == '\n');
  }
}

/* False: the text is no Lua; told. */
static bool execute(struct host *host)
{
  lua_State *L = host->L;
  int status;
  lua_pushcfunction(L, run_script);
  if(host_sandbox_load(L, host->script_text, host->script_len, host->script)) {
    host_complain(host, "%s", lua_tostring(L, -1));
    return false;
  }
  lua_pushboolean(L, host->replay.on);
  status = lua_pcall(L, 2, 0, 0);
  if(status) {
    keep_error(host, status);
    show_traceback(host);
  }
  return true;
}

/* ---- after the script ---- */

/* A script without a job was given words, or asked for help. */
static bool check_job(struct host *host)
{
  if(lca_run_job_seen(host->L) || host->stop || host->failed)
    return true;
  if(host->options.help) {
    printf("composio-lua %s [--apply] [options]\n\nThis script has no "
           "parameters.\n\nOptions of composio-lua:\n",
           host->options.script);
    host_options_print(stdout);
    return true;
  }
  if(!host->options.param_count)
    return true;
  host_complain(host,
                "%s has no composio.job, so it takes no parameters: "
                "'%s'; what follows -- reaches it as arg",
                host->script, host->options.params[0]);
  return false;
}

static bool any(const struct host *host, enum ca_outcome outcome)
{
  return host->counts.items[outcome] > 0;
}

/* Did the run stop before all of it was tried? */
static bool stopped(const struct host *host)
{
  return host->stop == LCA_STOP_EARLY ||
         (host->options.apply && any(host, CA_NOT_TRIED));
}

/* A preview's word for who asked for it. */
static int preview_code(const struct host *host)
{
  return host->options.detailed_exitcode && !host->options.apply &&
                 any(host, CA_PLANNED)
             ? 5
             : 0;
}

/* Which exit wins once something may have been written. */
static int outcome_code(const struct host *host)
{
  if(any(host, CA_UNKNOWN))
    return 8;
  if(any(host, CA_FAILED) || any(host, CA_STALE))
    return 3;
  if(any(host, CA_PENDING))
    return 9;
  if(host->stop == LCA_STOP_EXIT && lca_run_exit_code(host->L))
    return lca_run_exit_code(host->L);
  return preview_code(host);
}

/* Which exit wins: the order in which these stand. */
static int exit_code(const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  bool rejected = host->key_rejected || stats->key_rejected;
  if(host->stop == LCA_STOP_USAGE ||
     (host->stop == LCA_STOP_LEDGER && !stats->written))
    return 2;
  if(rejected && !stats->written)
    return 6;
  if(host->stop == LCA_STOP_REFUSED || stats->refused)
    return 4;
  if(host->stop > 0 && host->stop < LCA_STOP_PREVIEW)
    return 128 + host->stop;
  if(host->stop == LCA_STOP_LIMIT || host->stop == LCA_STOP_LEDGER ||
     host->report_failed || (host->failed && !host->stop && !rejected))
    return 1;
  if(rejected)
    return 6;
  if(stopped(host))
    return 7;
  return outcome_code(host);
}

/* ---- a saved plan ---- */

/* Why there is nothing whole to save, or NULL. */
static const char *why_no_plan(const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  if(host->stop == LCA_STOP_PREVIEW)
    return "the script goes on after what a preview can know";
  if(host->stop || host->failed || host->key_rejected || stats->key_rejected)
    return "the preview did not come to its end";
  if(stats->stood < stats->bulks)
    return "a listing is incomplete";
  if(!host->ledger)
    return "the script planned nothing";
  return NULL;
}

static void save_plan(struct host *host)
{
  const char *path = host->options.save_plan;
  const char *why;
  struct ca_slice key = { host->endpoint.api_key, 0 };
  struct ca_run_info info;
  struct ca_err err;
  if(!path || host->options.apply)
    return;
  why = why_no_plan(host);
  if(why) {
    host_complain(host, "no plan is saved: %s", why);
    host->report_failed = host->report_failed || !host->stop;
    host->report_failed =
        host->report_failed || host->stop == LCA_STOP_PREVIEW;
    return;
  }
  ca_err_clear(&err);
  key.len = strlen(key.data);
  describe(host, &info);
  if(ca_plan_save(host->ledger, path, &info, host->run_id, NULL, key, &err)) {
    host_complain(host, "no plan is saved: %s", err.text);
    host->report_failed = true;
  } else {
    host->plan_saved = true;
    host_say(host, "plan: %s", path);
  }
}

static void finish_reports(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  struct lca_report_end end;
  while(lca_report_finish(host->L, stats->written, &end)) {
    if(end.err.code) {
      host->report_failed = true;
      host_complain(host, "%s", end.err.text);
    } else if(!host->options.apply) {
      host_say(host, "report: --apply writes %s", end.path);
    } else if(end.written) {
      host_say(host, "report: %s, %lld rows", end.path, (long long)end.rows);
    }
  }
}

/* Will the end of the run turn changes into something else: what was never
   tried, what nobody knows of? */
static bool has_open_changes(const struct host *host)
{
  size_t i;
  for(i = 0; i < host->counts.operation_count; i++)
    if(host->counts.operations[i].changes[CA_PLANNED] ||
       host->counts.operations[i].changes[CA_INTENDED])
      return host->options.apply;
  return false;
}

/* The numbers that --confirm will have to give, in the order of asking. */
static void count_irreversible(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  int i;
  host->irreversible_count = 0;
  for(i = 0; i < stats->irreversible_bulk_count; i++)
    host->irreversible[host->irreversible_count++] =
        stats->irreversible_bulks[i];
  if(stats->irreversible_straight &&
     host->irreversible_count < HOST_CONFIRM_MAX)
    host->irreversible[host->irreversible_count++] =
        stats->irreversible_straight;
  if(host->options.save_plan && host->irreversible_count > 1) {
    /* a saved plan is asked about as a whole */
    for(i = 1; i < host->irreversible_count; i++)
      host->irreversible[0] += host->irreversible[i];
    host->irreversible_count = 1;
  }
}

static void end_run(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  bool open;
  struct ca_err err;
  ca_err_clear(&err);
  lca_run_drain(host->L, deadline_ms, host);
  host->over = true;
  lca_run_settle(host->L, CA_FAILED, deadline_ms, host);
  host_clear_progress(host);
  finish_reports(host);
  host_read_counts(host);
  save_plan(host);
  count_irreversible(host);
  memcpy(host->this_time, stats->outcomes, sizeof(host->this_time));
  host->exit_code = exit_code(host);
  open = has_open_changes(host);
  if(host->ledger && ca_ledger_end(host->ledger, host->exit_code, &err))
    host_complain(host, "the ledger cannot be written: %s", err.text);
  if(open) /* counting reads every item once more */
    host_read_counts(host);
  host_show_summary(host);
}

static void clean_up(struct host *host)
{
  host->over = true;
  if(host->L) {
    lca_run_close(host->L);
    lua_close(host->L);
  }
  ca_ledger_close(host->ledger);
  host_lock_release(&host->lock);
  host_protect_free(&host->protect);
  ca_buf_clear(&host->options_json);
  free(host->given);
  host_emulator_stop(&host->emulator);
  if(host->scratch)
    host_scratch_remove(host->state_dir);
  ca_buf_wipe(&host->key);
  free(host->script_text);
  if(host->log)
    (void)fclose(host->log);
}

/* Where an exit code stands already, its reason was told. */
static void refuse(struct host *host, const struct ca_err *err)
{
  if(host->exit_code)
    return;
  host_complain(host, "%s", err->text);
  host->exit_code = 2;
}

int host_go(struct host *host,
            enum ca_code (*ready)(struct host *host, struct ca_err *err))
{
  struct ca_err err;
  ca_err_clear(&err);
  ca_buf_init(&host->key, 1);
  ca_buf_init(&host->options_json, 1u << 16);
  host->sandbox.memory_bytes = (size_t)host->options.memory_mb << 20;
  host->sandbox.instructions = host->options.instructions;
  if(ready(host, &err)) {
    refuse(host, &err);
    goto out;
  }
  if(host->finished) /* there was nothing to do, and that was told */
    goto out;
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
  if(host->replay.on && !host->replay.only_plan)
    lca_run_settle(host->L, CA_NOT_TRIED, deadline_ms, host);
  if(!execute(host) || !check_job(host)) {
    host->exit_code = 2;
    goto out;
  }
  end_run(host);
out:
  host_write_summary(host);
  clean_up(host);
  return host->exit_code;
}

int host_run(struct host *host)
{
  return host_go(host, prepare);
}
