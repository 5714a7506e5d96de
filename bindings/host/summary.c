/* The result of a run for programs: counts from the ledger as one JSON object.
   Must not know: curl, Lua values. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "host/host.h"
#include "host/json.h"
#include "module/scheduler.h"

/* ---- counts ---- */

static void add_count(void *ctx, const char *operation,
                      enum ca_outcome outcome, int64_t count)
{
  struct host_counts *counts = ctx;
  size_t i;
  if(!operation) {
    counts->items[outcome] += count;
    return;
  }
  for(i = 0; i < counts->operation_count; i++)
    if(!strcmp(counts->operations[i].name, operation))
      break;
  if(i == HOST_OPERATIONS)
    return;
  if(i == counts->operation_count) {
    ca_copy_text(counts->operations[i].name,
                 sizeof(counts->operations[i].name), operation,
                 strlen(operation));
    counts->operation_count++;
  }
  counts->operations[i].changes[outcome] += count;
}

void host_read_counts(struct host *host)
{
  struct ca_err err;
  ca_err_clear(&err);
  memset(&host->counts, 0, sizeof(host->counts));
  host->counts_unknown = false;
  if(!host->ledger ||
     !ca_ledger_counts(host->ledger, -1, add_count, &host->counts, &err))
    return;
  memset(&host->counts, 0, sizeof(host->counts)); /* drop partial counts */
  host->counts_unknown = true;
  if(host->stop != LCA_STOP_LEDGER) /* its message says the same */
    host_complain(host, "the ledger cannot be read: %s", err.text);
}

/* ---- the object ---- */

const char *host_outcome_key(int outcome)
{
  return outcome == CA_NOT_TRIED ? "not_tried"
                                 : ca_outcome_name((enum ca_outcome)outcome);
}

/* Adds the seven outcomes if `all`, and every other state that has a count. */
static void add_outcomes(struct host_json *json, const char *name,
                         const int64_t counts[CA_OUTCOME_COUNT], bool all)
{
  int i;
  host_json_open(json, name);
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(counts[i] || (all && i >= CA_DONE))
      host_json_number(json, host_outcome_key(i), counts[i]);
  host_json_close(json);
}

static void add_operations(struct host_json *json,
                           const struct host_counts *counts)
{
  size_t i;
  host_json_open(json, "operations");
  for(i = 0; i < counts->operation_count; i++)
    add_outcomes(json, counts->operations[i].name,
                 counts->operations[i].changes, false);
  host_json_close(json);
}

static void add_listing(struct host_json *json,
                        const struct lca_run_stats *stats)
{
  if(!stats->listing_seen) {
    host_json_null(json, "listing");
    return;
  }
  host_json_open(json, "listing");
  host_json_bool(json, "complete", !stats->listing_incomplete);
  host_json_number(json, "accounts", stats->listing_accounts);
  host_json_number(json, "pages", stats->listing_pages);
  host_json_close(json);
}

static const char *or_null(const char *text)
{
  return *text ? text : NULL;
}

static const char *make_object(struct host *host, struct host_json *json)
{
  static const struct lca_run_stats none;
  const struct lca_run_stats *stats = host->L ? lca_run_stats(host->L) : &none;
  uint64_t requests = 0;
  char next[2048];
  if(host->L)
    requests = ca_engine_attempts(lca_sched_engine(lca_sched_of(host->L)));
  host_next_command(host, next, sizeof(next));
  host_json_text(json, "run", or_null(host->run_id));
  host_json_text(json, "script", or_null(host->script));
  host_json_text(json, "mode", host->options.apply ? "apply" : "preview");
  host_json_number(json, "exit", host->exit_code);
  if(host->counts_unknown)
    host_json_null(json, "outcomes");
  else
    add_outcomes(json, "outcomes", host->counts.items, true);
  if(host->options.verb == HOST_RESUME && !host->counts_unknown)
    add_outcomes(json, "this_time", host->this_time, true);
  if(host->counts_unknown)
    host_json_null(json, "operations");
  else
    add_operations(json, &host->counts);
  add_listing(json, stats);
  host_json_number(json, "requests", (int64_t)requests);
  host_json_seconds(json, "seconds",
                    ca_clock_mono_ms(host->clock) - host->start_ms);
  host_json_text(json, "next", or_null(next));
  return host_json_line(json);
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

void host_write_summary(struct host *host)
{
  const char *path = host->options.summary;
  struct host_json json;
  const char *line;
  int fd;
  if(!path)
    return;
  host_json_init(&json);
  line = make_object(host, &json);
  if(!line) {
    host_complain(host, "cannot write the summary: out of memory");
  } else if(!strcmp(path, "-")) {
    (void)fflush(stdout);
    (void)write_all(STDOUT_FILENO, line, strlen(line));
  } else {
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    if(fd < 0 || !write_all(fd, line, strlen(line)))
      host_complain(host, "cannot write the summary to %s: %s", path,
                    strerror(errno));
    if(fd >= 0)
      close(fd);
  }
  host_json_clear(&json);
}
