/* The result of a run: its counts from the ledger, and what the host knows of
   it besides, as facts for the shipped Lua, which makes of them what people
   read, the JSON object of --summary and the command to type next.
   Must not know: curl, how results are worded. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "apply/settle.h"
#include "base/text.h"
#include "host/host.h"
#include "host/os.h"
#include "module/scheduler.h"
#include "module/table.h"

#define TEXT_MAX (16u << 20)

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

/* Sets a list: a tag, its number of items, … */
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

/* Sets what the run's Lua state knows. */
static void set_stats(lua_State *L, const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  struct ca_engine *engine = lca_scheduler_engine(lca_scheduler_of(host->L));
  int i;
  lca_table_set_bool(L, "lost", host->stop == LCA_STOP_LEDGER);
  lca_table_set_bool(L, "written", stats->written);
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
  if(!stats->listing_seen)
    return;
  lua_newtable(L);
  lca_table_set_bool(L, "complete", !stats->listing_incomplete);
  lca_table_set_integer(L, "accounts", stats->listing_accounts);
  lca_table_set_integer(L, "pages", stats->listing_pages);
  lua_setfield(L, -2, "listing");
}

static void add_facts(lua_State *L, const void *from)
{
  const struct host *host = from;
  lca_table_set_text(L, "run", ca_text_or_null(host->run_id));
  lca_table_set_text(L, "run_script", ca_text_or_null(host->script));
  lca_table_set_text(L, "undoes", ca_text_or_null(host->undoes));
  lca_table_set_integer(L, "exit", host->exit_code);
  lca_table_set_integer(L, "ms",
                        ca_clock_mono_ms(host->clock) - host->start_ms);
  lca_table_set_bool(L, "incomplete",
                     host->incomplete && host->stop != LCA_STOP_PREVIEW);
  lca_table_set_bool(L, "plan_saved", host->plan_saved);
  lca_table_set_bool(L, "of_plan", host->replay.exact);
  lca_table_set_bool(L, "emulator", host->emulator.url[0] != '\0');
  lca_table_set_bool(L, "counts_unknown", host->counts_unknown);
  set_counts(L, "items", host->counts.items);
  set_counts(L, "before", host->before);
  set_operations(L, &host->counts);
  set_tags(L, host->ledger);
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

/* What ended the run before its script: a signal; a result that a preview
   cannot know; help or os.exit, of which nothing is said; or what end_text
   tells. */
static const char *stop_word(int stop)
{
  if(!stop)
    return NULL;
  if(stop < LCA_STOP_PREVIEW)
    return "signal";
  if(stop == LCA_STOP_PREVIEW)
    return "preview";
  return stop == LCA_STOP_HELP || stop == LCA_STOP_EXIT ? "quiet" : "reason";
}

static void set_stop(lua_State *L, const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  lca_table_set_text(L, "stop", stop_word(host->stop));
  if(host->stop && host->stop < LCA_STOP_PREVIEW)
    lca_table_set_text(L, "signal", host_os_process_signal_name(host->stop));
  lca_table_set_text(L, "end_text", stats->end_text);
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

/* host.log_event(name, text): writes an event to the file of --log. */
static int log_event(lua_State *L)
{
  const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  if(host->log)
    ca_log_event(lca_scheduler_log(lca_scheduler_of(host->L)), CA_LOG_INFO,
                 luaL_checkstring(L, 1), "%s", luaL_checkstring(L, 2));
  return 0;
}

static void add_shown(lua_State *L, const void *from)
{
  const struct host *host = from;
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  add_facts(L, host);
  set_stop(L, host);
  set_failures(L, stats);
  set_counts(L, "seen", stats->outcomes);
  set_idle_protection(L, host);
  lca_table_set_bool(L, "has_ledger", host->ledger != NULL);
  lca_table_set_bool(L, "reads_only", stats->reads_only);
  lca_table_set_integer(L, "bulks", stats->bulks);
  lca_table_set_integer(L, "planned", stats->planned);
  lca_table_set_integer(L, "within", stats->within);
  lca_table_set_integer(L, "quiet_ms",
                        ca_settle_quiet_ms(host->options.endpoint.timeout_ms));
  lca_table_set_integer(L, "settle_wait_ms", host->options.settle_wait_ms);
  lua_pushlightuserdata(L, (void *)host);
  lua_pushcclosure(L, log_event, 1);
  lua_setfield(L, -2, "log_event");
  host_preview_push_changes(L, host);
  lua_setfield(L, -2, "each_change");
}

void host_result_show(struct host *host)
{
  (void)host_shipped_call(host, "composio.result", "show", add_shown, host,
                          NULL);
}

/* ---- --summary ---- */

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

static bool write_file(const char *path, const struct ca_buf *text)
{
  int fd =
      open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
  bool written = fd >= 0 && write_all(fd, text->data, text->len);
  int cause = errno;
  if(fd >= 0)
    close(fd);
  errno = cause;
  return written;
}

void host_result_write_summary(struct host *host)
{
  const char *path = host->options.summary;
  struct ca_buf text;
  if(!path)
    return;
  ca_buf_init(&text, TEXT_MAX);
  if(host_shipped_call(host, "composio.summary", "text", add_facts, host,
                       &text)) {
    host_terminal_complain(host, "the summary was not written");
  } else if(!strcmp(path, "-")) {
    (void)fflush(stdout);
    (void)write_all(STDOUT_FILENO, text.data, text.len);
  } else if(!write_file(path, &text)) {
    host_terminal_complain(host, "cannot write the summary to %s: %s", path,
                           strerror(errno));
  }
  ca_buf_clear(&text);
}
