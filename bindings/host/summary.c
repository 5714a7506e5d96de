/* What a run came to, for programs: counts of the ledger, one JSON object.
   Must not know: curl, how Lua values look. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "encode.h"
#include "host.h"
#include "lua_sched.h"

#define OUT_MAX (1u << 20)

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
  if(host->ledger &&
     ca_ledger_counts(host->ledger, -1, add_count, &host->counts, &err))
    host_complain(host, "the ledger cannot be read: %s", err.text);
}

/* ---- the object ---- */

static const char *outcome_key(int outcome)
{
  return outcome == CA_NOT_TRIED ? "not_tried"
                                 : ca_outcome_name((enum ca_outcome)outcome);
}

/* Each adds to the object under way; a failure shows when it is used. */
static void add(struct ca_buf *out, enum ca_code *code, const char *text)
{
  if(!*code)
    *code = ca_buf_add_text(out, text);
}

static void add_text(struct ca_buf *out, enum ca_code *code, const char *name,
                     const char *value)
{
  struct ca_slice slice = { value, strlen(value) };
  if(*code)
    return;
  *code = ca_buf_printf(out, "\"%s\":", name);
  if(*code)
    return;
  if(!*value || ca_json_string(out, slice)) /* "" and bad UTF-8: null */
    *code = ca_buf_add_text(out, "null");
}

static void add_number(struct ca_buf *out, enum ca_code *code,
                       const char *name, int64_t value)
{
  if(!*code)
    *code = ca_buf_printf(out, "\"%s\":%lld", name, (long long)value);
}

/* The seven words always, the states on the way when there are any. */
static void add_outcomes(struct ca_buf *out, enum ca_code *code,
                         const int64_t counts[CA_OUTCOME_COUNT], bool all)
{
  bool first = true;
  int i;
  add(out, code, "{");
  for(i = 0; i < CA_OUTCOME_COUNT; i++) {
    if(!counts[i] && !(all && i >= CA_DONE))
      continue;
    if(!first)
      add(out, code, ",");
    add_number(out, code, outcome_key(i), counts[i]);
    first = false;
  }
  add(out, code, "}");
}

static void add_operations(struct ca_buf *out, enum ca_code *code,
                           const struct host_counts *counts)
{
  size_t i;
  add(out, code, "\"operations\":{");
  for(i = 0; i < counts->operation_count; i++) {
    if(!*code)
      *code = ca_buf_printf(out, "%s\"%s\":", i ? "," : "",
                            counts->operations[i].name);
    add_outcomes(out, code, counts->operations[i].changes, false);
  }
  add(out, code, "}");
}

static void add_listing(struct ca_buf *out, enum ca_code *code,
                        const struct lca_run_stats *stats)
{
  if(!stats->listing_seen) {
    add(out, code, "\"listing\":null");
    return;
  }
  add(out, code, "\"listing\":{\"complete\":");
  add(out, code, stats->listing_incomplete ? "false," : "true,");
  add_number(out, code, "accounts", stats->listing_accounts);
  add(out, code, ",");
  add_number(out, code, "pages", stats->listing_pages);
  add(out, code, "}");
}

static enum ca_code make_object(struct host *host, struct ca_buf *out)
{
  static const struct lca_run_stats none;
  const struct lca_run_stats *stats = host->L ? lca_run_stats(host->L) : &none;
  int64_t ms = ca_clock_mono_ms(host->clock) - host->start_ms;
  uint64_t requests = 0;
  char next[2048];
  enum ca_code code = CA_OK;
  if(host->L)
    requests = ca_engine_attempts(lca_sched_engine(lca_sched_of(host->L)));
  host_next_command(host, next, sizeof(next));
  add(out, &code, "{");
  add_text(out, &code, "run", host->run_id);
  add(out, &code, ",");
  add_text(out, &code, "script", host->script);
  add(out, &code, ",");
  add_text(out, &code, "mode", host->options.apply ? "apply" : "preview");
  add(out, &code, ",");
  add_number(out, &code, "exit", host->exit_code);
  add(out, &code, ",\"outcomes\":");
  add_outcomes(out, &code, host->counts.items, true);
  add(out, &code, ",");
  add_operations(out, &code, &host->counts);
  add(out, &code, ",");
  add_listing(out, &code, stats);
  add(out, &code, ",");
  add_number(out, &code, "requests", (int64_t)requests);
  if(!code)
    code = ca_buf_printf(out, ",\"seconds\":%lld.%03lld,",
                         (long long)(ms / 1000), (long long)(ms % 1000));
  add_text(out, &code, "next", next);
  add(out, &code, "}\n");
  return code;
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
  struct ca_buf out;
  int fd;
  if(!path)
    return;
  ca_buf_init(&out, OUT_MAX);
  if(make_object(host, &out)) {
    host_complain(host, "no summary: out of memory");
  } else if(!strcmp(path, "-")) {
    (void)fflush(stdout);
    (void)write_all(STDOUT_FILENO, out.data, out.len);
  } else {
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    if(fd < 0 || !write_all(fd, out.data, out.len))
      host_complain(host, "cannot write the summary to %s: %s", path,
                    strerror(errno));
    if(fd >= 0)
      close(fd);
  }
  ca_buf_clear(&out);
}
