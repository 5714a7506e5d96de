/* The result of a run for programs: counts from the ledger as one JSON object.
   Must not know: curl, Lua values. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "host/host.h"
#include "base/json_write.h"
#include "base/text.h"
#include "module/scheduler.h"

#define TEXT_MAX (16u << 20)

/* ---- counts ---- */

void host_summary_read_counts(struct host *host)
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

/* ---- the object ---- */

/* Adds the seven outcomes if `all`, and every other state that has a count. */
static void add_outcomes(struct ca_json_write *json, const char *name,
                         const int64_t counts[CA_OUTCOME_COUNT], bool all)
{
  int i;
  ca_json_write_open(json, name, '{');
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(counts[i] || (all && i >= CA_DONE))
      ca_json_write_number(json, ca_change_outcome_key((enum ca_outcome)i),
                           counts[i]);
  ca_json_write_close(json, '}');
}

static void add_operations(struct ca_json_write *json,
                           const struct ca_counts *counts)
{
  size_t i;
  ca_json_write_open(json, "operations", '{');
  for(i = 0; i < counts->operation_count; i++)
    add_outcomes(json, counts->operations[i].name,
                 counts->operations[i].changes, false);
  ca_json_write_close(json, '}');
}

static void add_listing(struct ca_json_write *json,
                        const struct lca_run_stats *stats)
{
  if(!stats->listing_seen) {
    ca_json_write_null(json, "listing");
    return;
  }
  ca_json_write_open(json, "listing", '{');
  ca_json_write_bool(json, "complete", !stats->listing_incomplete);
  ca_json_write_number(json, "accounts", stats->listing_accounts);
  ca_json_write_number(json, "pages", stats->listing_pages);
  ca_json_write_close(json, '}');
}

static void add_members(struct host *host, struct ca_json_write *json)
{
  static const struct lca_run_stats none;
  const struct lca_run_stats *stats = host->L ? lca_run_stats(host->L) : &none;
  uint64_t requests = 0;
  char next[2048];
  if(host->L)
    requests =
        ca_engine_attempts(lca_scheduler_engine(lca_scheduler_of(host->L)));
  host_next_command(host, next, sizeof(next));
  ca_json_write_text(json, "run", ca_text_or_null(host->run_id));
  ca_json_write_text(json, "script", ca_text_or_null(host->script));
  ca_json_write_text(json, "mode", host->options.apply ? "apply" : "preview");
  ca_json_write_number(json, "exit", host->exit_code);
  if(host->counts_unknown)
    ca_json_write_null(json, "outcomes");
  else
    add_outcomes(json, "outcomes", host->counts.items, true);
  if(host->options.verb == HOST_RESUME && !host->counts_unknown)
    add_outcomes(json, "this_time", host->this_time, true);
  if(host->counts_unknown)
    ca_json_write_null(json, "operations");
  else
    add_operations(json, &host->counts);
  add_listing(json, stats);
  ca_json_write_number(json, "requests", (int64_t)requests);
  ca_json_write_seconds(json, "seconds",
                        ca_clock_mono_ms(host->clock) - host->start_ms);
  ca_json_write_text(json, "next", ca_text_or_null(next));
}

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

void host_summary_write(struct host *host)
{
  const char *path = host->options.summary;
  struct ca_json_write json;
  struct ca_buf text;
  if(!path)
    return;
  ca_buf_init(&text, TEXT_MAX);
  ca_json_write_begin(&json, &text);
  add_members(host, &json);
  if(ca_json_write_end(&json) || ca_buf_add(&text, "\n", 1)) {
    host_terminal_complain(host, "cannot write the summary: out of memory");
  } else if(!strcmp(path, "-")) {
    (void)fflush(stdout);
    (void)write_all(STDOUT_FILENO, text.data, text.len);
  } else if(!write_file(path, &text)) {
    host_terminal_complain(host, "cannot write the summary to %s: %s", path,
                           strerror(errno));
  }
  ca_buf_clear(&text);
}
