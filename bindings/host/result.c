/* The result of a run: collects its counts from the ledger and the facts that
   the host knows, and hands them to the shipped Lua, which words the result
   for people, the JSON object of --summary, the metrics and the next command.
   Writes those to files and the log, and runs --on-end and pings. None of this
   changes the exit code of a run that has begun.
   Must not know: curl, how results are worded. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "apply/settle.h"
#include "base/secret.h"
#include "base/text.h"
#include "host/host.h"
#include "ledger/run_verdict.h"
#include "host/os.h"
#include "module/scheduler.h"
#include "module/table.h"
#include "wire/ping.h"

#define TEXT_MAX (16u << 20)
#define HOOK_MS  60000

extern char **environ;

/* ---- counts ---- */

void host_result_read_counts(struct host *host)
{
  struct ca_err err;
  ca_err_clear(&err);
  memset(&host->counts, 0, sizeof(host->counts));
  host->counts_unknown = false;
  if(!host->ledger ||
     !ca_count_outcomes(host->ledger, -1, &host->counts, &err))
    return;
  host->counts_unknown = true;
  if(host->stop != LCA_STOP_LEDGER) /* its message gives the same reason */
    host_terminal_complain(host, "the ledger cannot be read: %s", err.text);
}

/* ---- the facts, a table for Lua ---- */

/* Sets a table of the counts by outcome. */
static void set_counts(lua_State *L, const char *name,
                       const int64_t counts[CA_OUTCOME_COUNT])
{
  int i;
  lua_createtable(L, 0, CA_OUTCOME_COUNT);
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    lca_table_set_integer(L, ca_change_outcome_key((enum ca_outcome)i),
                          counts[i]);
  lua_setfield(L, -2, name);
}

static void set_operations(lua_State *L, const struct ca_counts *counts)
{
  int64_t changes[CA_OUTCOME_COUNT] = { 0 };
  size_t i;
  size_t k;
  lua_newtable(L);
  for(i = 0; i < counts->operation_count; i++) {
    const struct ca_api *api = ca_api_of_label(counts->operations[i].name);
    lua_newtable(L);
    lca_table_set_text(L, "name", counts->operations[i].name);
    lca_table_set_bool(L, "repeats", api && api->repeat != CA_REPEAT_NEVER);
    set_counts(L, "changes", counts->operations[i].changes);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
    for(k = 0; k < CA_OUTCOME_COUNT; k++)
      changes[k] += counts->operations[i].changes[k];
  }
  lua_setfield(L, -2, "operations");
  set_counts(L, "changes", changes);
}

/* Sets a list in which tags and their numbers of items alternate. */
static void set_tags(lua_State *L, struct ca_ledger *ledger)
{
  struct ca_query query;
  struct ca_err err;
  const char *tag;
  int64_t items;
  int count = 0;
  lua_newtable(L);
  if(!ledger)
    return lua_setfield(L, -2, "tags");
  ca_history_open_tags(&query, ledger, -1, &err);
  while(ca_history_next_tag(&query, &tag, &items)) {
    lua_pushstring(L, tag);
    lua_rawseti(L, -2, ++count);
    lua_pushinteger(L, items);
    lua_rawseti(L, -2, ++count);
  }
  lua_setfield(L, -2, "tags");
  (void)ca_history_close(&query);
}

/* Sets the limits of the guard, and what it refused. */
static void set_refused(lua_State *L, const struct host *host,
                        const struct ca_planned *over)
{
  const struct ca_limits *limits = &host->options.limits;
  lua_createtable(L, 0, 3);
  lca_table_set_integer(L, "max_changes", limits->max_changes);
  lua_pushnumber(L, limits->max_percent);
  lua_setfield(L, -2, "max_percent");
  lca_table_set_bool(L, "delete_active", limits->delete_active);
  lua_setfield(L, -2, "limits");
  lua_createtable(L, 0, 4);
  lca_table_set_integer(L, "changes", over->changes);
  lca_table_set_integer(L, "project", over->project);
  lca_table_set_integer(L, "active_deletes", over->active_deletes);
  lca_table_set_integer(L, "irreversible", over->irreversible);
  lua_setfield(L, -2, "over");
}

/* Sets what is known from the run's Lua state. */
static void set_stats(lua_State *L, const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  struct ca_engine *engine = lca_scheduler_engine(lca_scheduler_of(host->L));
  int i;
  lca_table_set_text(L, "path_options", stats->path_options);
  lca_table_set_bool(L, "lost", host->stop == LCA_STOP_LEDGER);
  lca_table_set_text(L, "listing_refused", stats->listing_refused);
  lca_table_set_bool(L, "report_busy", host->stop == LCA_STOP_BUSY);
  lca_table_set_bool(L, "written", stats->written);
  lca_table_set_bool(L, "sealed", stats->sealed > 0);
  lca_table_set_text(L, "bulk_raised", ca_text_or_null(stats->bulk_raised));
  lca_table_set_integer(L, "links_lost", host->links_lost);
  lca_table_set_bool(L, "refused",
                     host->stop == LCA_STOP_REFUSED || stats->refused);
  lca_table_set_integer(L, "requests", (int64_t)ca_engine_attempts(engine));
  lca_table_set_integer(L, "irreversible_straight",
                        stats->irreversible_straight);
  lca_table_set_integer(L, "irreversible_straight_at",
                        stats->irreversible_straight_at);
  lua_newtable(L);
  for(i = 0; i < stats->irreversible_bulk_count; i++) {
    lua_pushinteger(L, stats->irreversible_bulks[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "irreversible");
  if(stats->is_over)
    set_refused(L, host, &stats->over);
  if(!stats->listing_seen)
    return;
  lua_newtable(L);
  lca_table_set_bool(L, "complete", !stats->listing_incomplete);
  lca_table_set_integer(L, "accounts", stats->listing_accounts);
  lca_table_set_integer(L, "pages", stats->listing_pages);
  lua_setfield(L, -2, "listing");
}

/* Has `resume` something to do? As the ledger's row will say; `needs`, which
   shipped Lua makes of these facts, is not in it yet. */
static bool is_open(const struct host *host)
{
  struct ca_run_row row = { .info = { .mode = "apply" },
                            .ended_ms = 1,
                            .exit_code = host->exit_code,
                            .has_counts = true,
                            .sealed = host->written,
                            .unwritten = host->report_failed };
  size_t i;
  int j;
  for(i = 0; i < host->counts.operation_count; i++)
    for(j = 0; j < CA_OUTCOME_COUNT; j++)
      row.changes[j] += host->counts.operations[i].changes[j];
  return ca_run_verdict_is_open(&row);
}

void host_result_add_facts(lua_State *L, const void *from)
{
  const struct host *host = from;
  lca_table_set_text(L, "run", ca_text_or_null(host->run_id));
  lca_table_set_text(L, "run_script", ca_text_or_null(host->script));
  lca_table_set_text(L, "undoes", ca_text_or_null(host->undoes));
  lca_table_set_text(L, "like", ca_text_or_null(host->like));
  lca_table_set_integer(L, "exit", host->exit_code);
  lca_table_set_bool(L, "cron", host->options.cron);
  lca_table_set_bool(L, "open", is_open(host));
  lca_table_set_integer(L, "ms",
                        ca_clock_mono_ms(host->clock) - host->start_ms);
  lca_table_set_bool(L, "incomplete",
                     host->incomplete && host->stop != LCA_STOP_PREVIEW);
  lca_table_set_bool(L, "file_failed", host->report_failed);
  lca_table_set_bool(L, "script_raised", host->raised != HOST_RAISED_NOTHING);
  lca_table_set_bool(L, "limit_hit", host->stop == LCA_STOP_LIMIT);
  lca_table_set_bool(L, "plan_saved", host->plan_saved);
  lca_table_set_bool(L, "of_plan", host->replay.exact);
  lca_table_set_bool(L, "emulator", host->emulator.url[0] != '\0');
  lca_table_set_bool(L, "counts_unknown", host->counts_unknown);
  set_counts(L, "items", host->counts.items);
  set_counts(L, "before", host->before);
  set_operations(L, &host->counts);
  set_tags(L, host->ledger);
  lca_table_set_integer(L, "quiet_ms",
                        ca_settle_quiet_ms(host->options.endpoint.timeout_ms));
  lca_table_set_integer(L, "settle_wait_ms", host->options.settle_wait_ms);
  lca_table_set_integer(L, "settle_wait_default_ms", HOST_WAIT_DEFAULT_MS);
  lca_table_set_integer(L, "requests", 0);
  if(host->L)
    set_stats(L, host);
}

/* ---- for people ---- */

static void set_failures(lua_State *L, const struct lca_run_stats *stats)
{
  size_t i;
  lua_newtable(L);
  for(i = 0; i < stats->failure_count; i++) {
    const struct lca_failure *failure = &stats->failures[i];
    lua_newtable(L);
    lca_table_set_text(L, "outcome", ca_change_outcome_name(failure->outcome));
    lca_table_set_text(L, "operation", failure->operation);
    lca_table_set_text(L, "key", failure->key);
    lca_table_set_text(L, "text", failure->text);
    lca_table_set_text(L, "request", ca_text_or_null(failure->request_id));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "failures");
}

/* Returns what ended the run before its script did: a signal; a result that
   a preview cannot know; help or os.exit, about which nothing is printed;
   or a reason that end_text gives. */
static const char *stop_word(const struct host *host)
{
  if(host_is_signalled(host))
    return "signal";
  if(host->stop == LCA_STOP_PREVIEW)
    return "preview";
  if(host->stop == LCA_STOP_HELP || host->stop == LCA_STOP_EXIT ||
     host->stop == LCA_STOP_RECENT)
    return "quiet";
  return host->stop ? "reason" : NULL;
}

static void set_stop(lua_State *L, const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  lca_table_set_text(L, "stop", stop_word(host));
  if(host_is_signalled(host))
    lca_table_set_text(L, "signal", host_os_process_signal_name(host->stop));
  lca_table_set_text(L, "end_text",
                     host->stop == LCA_STOP_DEADLINE
                         ? "stopped: the time of --deadline is over"
                         : stats->end_text);
  lca_table_set_text(L, "raised", host->raised ? host->error : NULL);
  lca_table_set_text(L, "refusal", ca_text_or_null(stats->refusal));
  lca_table_set_text(L, "why_incomplete", host->incomplete);
}

/* Sets which lines of --protect matched nothing. */
static void set_idle_protection(lua_State *L, const struct host *host)
{
  char first[400];
  size_t count = host->protect.asked
                     ? host_protect_idle(&host->protect, first, sizeof(first))
                     : 0;
  lca_table_set_integer(L, "idle_count", (int64_t)count);
  if(count)
    lca_table_set_text(L, "idle_first", first);
}

static void add_shown(lua_State *L, const void *from)
{
  const struct host *host = from;
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  host_result_add_facts(L, host);
  set_stop(L, host);
  set_failures(L, stats);
  set_counts(L, "seen", stats->outcomes);
  set_idle_protection(L, host);
  lca_table_set_bool(L, "has_ledger", host->ledger != NULL);
  lca_table_set_bool(L, "reads_only", stats->reads_only);
  lca_table_set_integer(L, "bulks", stats->bulks);
  lca_table_set_integer(L, "planned", stats->planned);
  lca_table_set_integer(L, "within", stats->within);
  host_preview_push_changes(L, host);
  lua_setfield(L, -2, "each_change");
}

void host_result_show(struct host *host)
{
  if(!host->ledger && !host->stop && !host->raised &&
     !lca_run_stats(host->L)->refusal[0])
    return; /* it only read: there is nothing to say */
  (void)host_shipped_call(host, "composio.host.result", "show", add_shown,
                          host, NULL);
}

/* ---- files ---- */

static bool write_all(int fd, const char *bytes, size_t len)
{
  while(len) {
    ssize_t put = write(fd, bytes, len);
    if(put < 0 && errno == EINTR)
      continue;
    if(put <= 0)
      return false;
    bytes += put;
    len -= (size_t)put;
  }
  return true;
}

/* Returns false and sets errno. */
static bool write_file(const char *path, int flags, mode_t mode,
                       const struct ca_buf *text)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, mode);
  bool written = fd >= 0 && !(flags & O_EXCL && fchmod(fd, mode)) &&
                 write_all(fd, text->data, text->len);
  int cause = errno;
  if(fd >= 0 && close(fd) && written)
    return false;
  errno = cause;
  return written;
}

/* Replaces a file at once, because others may read it meanwhile. Writes
   directly to anything that is not a regular file. */
static bool replace_file(const char *path, const struct ca_buf *text)
{
  char beside[HOST_PATH_SIZE];
  struct stat info;
  int cause;
  if(!stat(path, &info) && !S_ISREG(info.st_mode))
    return write_file(path, 0, 0644, text);
  snprintf(beside, sizeof(beside), "%.4000s.%ld.tmp", path, (long)getpid());
  (void)unlink(beside); /* left by an earlier process with this pid */
  if(write_file(beside, O_EXCL, 0644, text) && !rename(beside, path))
    return true;
  cause = errno;
  (void)unlink(beside);
  errno = cause;
  return false;
}

static void write_summary(struct host *host)
{
  const char *path = host->options.summary;
  if(!path || !host->summary.len)
    return;
  if(!strcmp(path, "-")) {
    (void)fflush(stdout);
    (void)write_all(STDOUT_FILENO, host->summary.data, host->summary.len);
  } else if(!write_file(path, O_TRUNC, 0600, &host->summary)) {
    host_terminal_complain_now(host, "cannot write the summary to %s: %s",
                               path, strerror(errno));
  }
}

static void write_metrics(struct host *host)
{
  const char *path = host->options.metrics;
  struct ca_buf text;
  if(!path)
    return;
  ca_buf_init(&text, TEXT_MAX);
  if(host_shipped_call(host, "composio.host.summary", "metrics",
                       host_result_add_facts, host, &text))
    host_terminal_complain_now(host, "the metrics were not written");
  else if(!replace_file(path, &text))
    host_terminal_complain_now(host, "cannot write the metrics to %s: %s",
                               path, strerror(errno));
  ca_buf_clear(&text);
}

/* ---- --ping ---- */

/* Pings the URL with this text appended to its path. */
static void ping(struct host *host, const char *added)
{
  const char *url = host->options.ping;
  size_t len = url ? strcspn(url, "?") : 0;
  char full[2100];
  struct ca_err err;
  ca_err_clear(&err);
  if(!url)
    return;
  while(len && url[len - 1] == '/' && *added)
    len--;
  snprintf(full, sizeof(full), "%.*s%s%s", (int)len, url, added,
           url + strcspn(url, "?"));
  if(ca_ping(full, &err)) /* the URL may contain an id that has to stay
                             secret */
    host_terminal_complain(host, "the ping%s was not received: %s", added,
                           err.text);
}

/* ---- --on-end ---- */

/* Returns the environment without the program's own variables and those
   that hold the key or another secret: an array, which the caller frees, of
   borrowed texts. NULL when out of memory. */
static char **make_environment(const struct host *host)
{
  const char *key = host->endpoint.api_key;
  size_t count = 0;
  size_t used = 0;
  char **env;
  size_t i;
  while(environ[count])
    count++;
  env = calloc(count + 1, sizeof(env[0]));
  for(i = 0; env && i < count; i++)
    if(strncmp(environ[i], "COMPOSIO_", 9) != 0 &&
       strncmp(environ[i], "CREDENTIALS_DIRECTORY=", 22) != 0 &&
       !(key && *key && strstr(environ[i], key)) &&
       !ca_secret_is_in(environ[i], strlen(environ[i])))
      env[used++] = environ[i];
  return env;
}

static void run_hook(struct host *host)
{
  const char *path = host->options.on_end;
  const struct ca_slice summary = { host->summary.data, host->summary.len };
  char **env = make_environment(host);
  int status = 0;
  if(!env || !host_os_process_feed(path, env, summary, HOOK_MS, &status))
    host_terminal_complain_now(host,
                               "--on-end %s cannot be started, or did not end "
                               "within a minute and was killed",
                               path);
  else if(WIFSIGNALED(status))
    host_terminal_complain_now(host, "--on-end %s was ended by signal %d",
                               path, WTERMSIG(status));
  else if(WEXITSTATUS(status))
    host_terminal_complain_now(host, "--on-end %s exited with %d", path,
                               WEXITSTATUS(status));
  free(env);
}

/* ---- --cron ---- */

/* Writes what the script has printed into the log, line by line. */
static void log_printed(struct host *host, const char *text)
{
  while(*text) {
    size_t len = strcspn(text, "\n");
    ca_log_event(&host->log, CA_LOG_INFO, "print", "%.*s", (int)len, text);
    text += len + (text[len] == '\n');
  }
}

static void add_trouble(lua_State *L, const void *from)
{
  struct ca_buf text;
  const struct host *host = from;
  host_result_add_facts(L, host);
  ca_buf_init(&text, 3 * (size_t)CA_HELD_SIZE);
  if(!ca_held_text(&host->reported, &text))
    lca_table_set_text(L, "reported", ca_buf_text(&text));
  ca_buf_reset(&text);
  if(!ca_held_text(&host->printed, &text))
    lca_table_set_text(L, "printed", ca_buf_text(&text));
  ca_buf_clear(&text);
}

static void print_trouble(struct host *host)
{
  struct ca_buf text;
  ca_buf_init(&text, 3 * (size_t)CA_HELD_SIZE);
  if(!ca_held_text(&host->printed, &text))
    log_printed(host, ca_buf_text(&text));
  ca_buf_clear(&text);
  if(!host->exit_code ||
     host_shipped_call(host, "composio.host.trouble", "show", add_trouble,
                       host, NULL) < 0)
    return;
  ca_held_reset(&host->printed);
  ca_held_reset(&host->reported);
}

/* ---- the run ---- */

/* May the names of the files still lack the profile, which is that of an
   earlier run? */
static bool waits_for_profile(const struct host_options *options)
{
  return !options->files_named &&
         (options->verb == HOST_RESUME || options->verb == HOST_UNDO);
}

enum ca_code host_result_open_log(struct host *host, struct ca_err *err)
{
  enum ca_code code = host_profile_name_files(&host->options, err);
  const char *path = host->options.log;
  host->log.clock = host->clock;
  host->log.level = host->options.verbose > 1 ? CA_LOG_DEBUG : CA_LOG_INFO;
  host->log.format = host->options.log_json ? CA_LOG_JSON : CA_LOG_TEXT;
  if(code || !path || host->log.file)
    return code;
  host->log.file = fopen(path, "ae");
  return host->log.file
             ? CA_OK
             : ca_err_set(err, CA_USAGE, "cannot write to --log %s: %s", path,
                          strerror(errno));
}

enum ca_code host_result_begin(struct host *host, struct ca_err *err)
{
  const char *hook = host->options.on_end;
  enum ca_code code = CA_OK;
  ca_buf_init(&host->summary, TEXT_MAX);
  if(host->options.help)
    return CA_OK;
  if(!waits_for_profile(&host->options))
    code = host_result_open_log(host, err);
  if(!code && hook && access(hook, X_OK)) {
    code = ca_err_set(err, CA_USAGE, "cannot run --on-end %s: %s", hook,
                      strerror(errno));
    host->options.on_end = NULL;
  }
  if(!code)
    ping(host, "/start");
  return code;
}

/* Is there no run to report: help, or a run that has not begun because another
   one is finished first? */
static bool is_silent(const struct host *host)
{
  return host->options.help || host->first[0];
}

void host_result_end(struct host *host)
{
  bool wanted =
      host->options.summary || host->options.on_end || host->log.file;
  if(is_silent(host))
    return;
  if(wanted && host_shipped_call(host, "composio.host.summary", "text",
                                 host_result_add_facts, host, &host->summary))
    host_terminal_complain_now(host, "the summary was not written");
  if(host->summary.len)
    host->summary.len = ca_secret_mask(host->summary.data, host->summary.len);
  write_summary(host);
  write_metrics(host);
  if(host->options.cron)
    print_trouble(host);
}

static void close_log(struct host *host)
{
  FILE *file = host->log.file;
  bool lost = file && ferror(file);
  host->log.file = NULL;
  if(file && (fclose(file) || lost))
    host_terminal_complain_now(
        host, "the log %s is not complete: it could not be written",
        host->options.log);
}

void host_result_after(struct host *host)
{
  char code[16] = "";
  if(host->exit_code)
    snprintf(code, sizeof(code), "/%d", host->exit_code);
  if(host->options.on_end && host->summary.len)
    run_hook(host);
  if(!is_silent(host))
    ping(host, code);
  if(host->summary.len) /* only the file has the line end */
    host->summary.data[--host->summary.len] = '\0';
  if(host->summary.len)
    ca_log_object(&host->log, "summary", ca_buf_text(&host->summary));
  close_log(host);
  ca_buf_clear(&host->summary);
}
