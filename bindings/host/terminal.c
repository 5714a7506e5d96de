/* Prints for people: the plan, the progress line, the summary. Everything goes
   to stderr, with control bytes escaped and secrets masked. A failed write is
   ignored.
   Must not know: curl, Lua values. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/host.h"
#include "host/table.h"
#include "module/scheduler.h"
#include "host/os.h"
#include "base/secret.h"
#include "base/text.h"

#define FIRST_LINES 10
#define FIRST_ROWS  12
#define LINE_SIZE   1600

/* ---- lines ---- */

static void put_line(struct host *host, const char *prefix, const char *fmt,
                     va_list args)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  vsnprintf(raw, sizeof(raw), fmt, args);
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  host_terminal_clear_progress(host);
  (void)fprintf(stderr, "%s%s\n", prefix, clean);
}

void host_terminal_print(struct host *host, const char *fmt, ...)
{
  va_list args;
  if(host->options.quiet)
    return;
  va_start(args, fmt);
  put_line(host, "", fmt, args);
  va_end(args);
}

void host_terminal_complain(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, "composio-lua: ", fmt, args);
  va_end(args);
}

void host_terminal_prompt(struct host *host, const char *text)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  ca_err_copy_text(raw, sizeof(raw), text, strlen(text));
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  host_terminal_clear_progress(host);
  (void)fputs(clean, stderr);
  (void)fflush(stderr);
}

/* Prints a line about a failure, also with -q. */
static void print_kind(struct host *host, const char *fmt, ...)
    CA_PRINTF(2, 3);
static void print_kind(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, "", fmt, args);
  va_end(args);
}

/* ---- the plan ---- */

static int by_count(const void *a, const void *b)
{
  const struct lca_count *x = *(const struct lca_count *const *)a;
  const struct lca_count *y = *(const struct lca_count *const *)b;
  if(x->planned != y->planned)
    return x->planned < y->planned ? 1 : -1;
  if(x->same != y->same)
    return x->same < y->same ? 1 : -1;
  if(strcmp(x->api->name, y->api->name) != 0)
    return strcmp(x->api->name, y->api->name);
  if(strcmp(x->toolkit, y->toolkit) != 0)
    return strcmp(x->toolkit, y->toolkit);
  return strcmp(x->status, y->status);
}

/* Begins a table among the lines on stderr. */
static void begin_table(struct host *host, struct host_table *table,
                        const struct host_column *columns, size_t count)
{
  const struct host_table_style style = {
    .to = stderr, .indent = 2, .gap = 1, .titles = true
  };
  host_terminal_clear_progress(host);
  host_table_init(table, &style, columns, count);
}

static void show_kinds(struct host *host, const struct lca_plan *plan)
{
  static const struct host_column columns[] = {
    { .title = "change", .width = 10 },
    { .title = "toolkit", .width = 18, .least = 7 },
    { .title = "status", .width = 12, .least = 6 },
    { .title = "accounts", .width = 8, .right = true },
    { .title = "" }
  };
  static struct host_table table;
  const struct lca_count *rows[LCA_COUNTS];
  size_t used = 0;
  size_t shown;
  size_t i;
  for(i = 0; i < LCA_COUNTS; i++)
    if(plan->plan_counts[i].planned || plan->plan_counts[i].same)
      rows[used++] = &plan->plan_counts[i];
  qsort(rows, used, sizeof(rows[0]), by_count);
  shown = host->options.show_all || used <= FIRST_ROWS ? used : FIRST_ROWS;
  begin_table(host, &table, columns, sizeof(columns) / sizeof(columns[0]));
  for(i = 0; i < shown; i++) {
    const struct lca_count *row = rows[i];
    char count[32];
    const char *texts[] = {
      row->api->name, row->toolkit, row->status,
      ca_text_number(row->planned ? row->planned : row->same, count),
      row->planned ? "" : " already in that state"
    };
    host_table_add(&table, texts);
  }
  host_table_end(&table);
  if(shown < used)
    host_terminal_print(host, "  … and %zu more kinds (--show all)",
                        used - shown);
}

static void add_line(struct host_table *table, const struct ca_change_row *row,
                     const struct ca_item *item)
{
  const struct ca_change *change = &row->change;
  const char *account = ca_text_or_null(change->account);
  const char *reason = change->reason ? change->reason : "";
  char rest[LINE_SIZE];
  const char *texts[] = { change->api->name,
                          account ? account : item->key,
                          ca_text_or_null(item->toolkit),
                          ca_text_or_null(change->user ? change->user
                                                       : item->user),
                          ca_text_or_null(change->before),
                          rest };
  snprintf(rest, sizeof(rest), "%s%s%s%s", change->line ? change->line : "",
           change->fallback ? "  otherwise" : "", *reason ? "  " : "", reason);
  host_table_add(table, texts);
}

/* Prints a bulk's changes with this outcome: the first ones, or all. */
static void show_lines(struct host *host, int bulk, enum ca_outcome outcome,
                       int64_t total)
{
  static const struct host_column columns[] = { { .width = 8 },
                                                { .width = 16 },
                                                { .width = 14, .least = 6 },
                                                { .width = 20, .least = 6 },
                                                { .width = 9 },
                                                { .least = 12 } };
  static struct host_table table;
  int64_t wanted = host->options.show_all ? INT64_MAX : FIRST_LINES;
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  struct ca_item item;
  struct ca_err err;
  int64_t shown = 0;
  char count[32];
  if(host->options.quiet)
    return;
  ca_err_clear(&err);
  begin_table(host, &table, columns, sizeof(columns) / sizeof(columns[0]));
  ca_changes_open(&changes, host->ledger, bulk, 1u << outcome);
  while(shown < wanted && !ca_changes_next(&changes, &row, &err) && row &&
        !ca_read_item(host->ledger, row->item, &item, &err)) {
    add_line(&table, row, &item);
    shown++;
  }
  ca_changes_close(&changes);
  host_table_end(&table);
  if(err.code)
    host_terminal_complain(host, "the ledger cannot be read: %s", err.text);
  else if(shown < total)
    host_terminal_print(host, "  … and %s more (--show all)",
                        ca_text_number(total - shown, count));
}

/* Appends ", 12 irreversible", or nothing when count is 0. */
static void add_part(char *out, size_t size, int64_t count, const char *word)
{
  size_t len = strlen(out);
  char digits[32];
  if(count)
    snprintf(out + len, size - len, ", %s %s", ca_text_number(count, digits),
             word);
}

void host_terminal_show_plan(struct host *host, const struct lca_plan *plan)
{
  char planned[32];
  char selected[32];
  char extra[200] = "";
  add_part(extra, sizeof(extra), plan->totals.irreversible, "irreversible");
  add_part(extra, sizeof(extra), plan->totals.same, "already in that state");
  add_part(extra, sizeof(extra), plan->totals.skipped, "protected");
  add_part(extra, sizeof(extra), plan->failed, "failed");
  host_terminal_print(host,
                      plan->replayed
                          ? "plan%s%s: %s change%s left, %s item%s looked at%s"
                          : "plan%s%s: %s change%s for %s item%s looked at%s",
                      plan->name[0] ? " " : "", plan->name,
                      ca_text_number(plan->totals.planned, planned),
                      plan->totals.planned == 1 ? "" : "s",
                      ca_text_number(plan->selected, selected),
                      plan->selected == 1 ? "" : "s", extra);
  if(plan->listing)
    print_kind(host, "  the listing is incomplete: %s", plan->listing);
  if(host->options.quiet)
    return;
  show_kinds(host, plan);
  if(plan->totals.planned && !plan->replayed)
    show_lines(host, plan->bulk, CA_PLANNED, plan->totals.planned);
  if(plan->totals.skipped && !plan->replayed) {
    host_terminal_print(host, "  left out of the plan:");
    show_lines(host, plan->bulk, CA_SKIPPED, plan->totals.skipped);
  }
}

/* ---- progress ---- */

static bool wants_progress(const struct host *host)
{
  if(host->options.progress == HOST_NEVER || host->options.quiet)
    return false;
  return host->options.progress == HOST_ALWAYS || isatty(STDERR_FILENO);
}

void host_terminal_clear_progress(struct host *host)
{
  if(!host->progress_shown)
    return;
  host->progress_shown = false;
  (void)fputs("\r\033[K", stderr);
}

static void draw_apply(const struct lca_run_stats *stats)
{
  char bar[21] = "                    ";
  int64_t total = stats->to_apply ? stats->to_apply : 1;
  int64_t filled = stats->ended * 20 / total;
  memset(bar, '#', (size_t)(filled > 20 ? 20 : filled));
  (void)fprintf(stderr,
                "\r\033[K[%s] %lld/%lld  done %lld  failed %lld  unknown %lld",
                bar, (long long)stats->ended, (long long)stats->to_apply,
                (long long)stats->outcomes[CA_DONE],
                (long long)stats->outcomes[CA_FAILED],
                (long long)stats->outcomes[CA_UNKNOWN]);
}

void host_terminal_show_progress(struct host *host)
{
  const struct lca_run_stats *stats;
  int64_t now_ms;
  if(!wants_progress(host))
    return;
  stats = lca_run_stats(host->L);
  if(!stats->planning && !stats->applying)
    return;
  now_ms = ca_clock_mono_ms(host->clock);
  if(now_ms - host->progress_ms < 100)
    return;
  host->progress_ms = now_ms;
  if(stats->applying)
    draw_apply(stats);
  else
    (void)fprintf(stderr, "\r\033[Klooked at %lld, %lld changes planned",
                  (long long)stats->selected, (long long)stats->planned);
  (void)fflush(stderr);
  host->progress_shown = true;
}

/* ---- the summary ---- */

/* Writes counts by outcome, from this one on, as "done 6 · failed 1". */
static void list_outcomes(const int64_t counts[CA_OUTCOME_COUNT],
                          enum ca_outcome first, char *line, size_t size)
{
  char count[32];
  int i;
  *line = '\0';
  for(i = (int)first; i < CA_OUTCOME_COUNT; i++) {
    size_t len = strlen(line);
    if(counts[i])
      snprintf(line + len, size - len, "%s%s %s", len ? " · " : "",
               ca_change_outcome_name((enum ca_outcome)i),
               ca_text_number(counts[i], count));
  }
}

static void show_operation(struct host *host, size_t at)
{
  char line[400];
  list_outcomes(host->counts.operations[at].changes, CA_PLANNED, line,
                sizeof(line));
  host_terminal_print(host, "%s: %s", host->counts.operations[at].name, line);
}

/* Prints what this process saw for itself, when the ledger cannot be read. */
static void show_ended(struct host *host)
{
  char line[400];
  list_outcomes(lca_run_stats(host->L)->outcomes, CA_DONE, line, sizeof(line));
  host_terminal_print(
      host,
      "changes that were sent: %s; some of these outcomes may be missing "
      "from the ledger: resume asks the service about them",
      *line ? line : "no outcome is known");
}

static void show_failures(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  int64_t failed =
      host->counts.items[CA_FAILED] + host->counts.items[CA_UNKNOWN];
  char count[32];
  size_t i;
  for(i = 0; i < stats->failure_count; i++) {
    const struct lca_failure *failure = &stats->failures[i];
    print_kind(host, "  %s  %s  %s: %s%s%s%s",
               ca_change_outcome_name(failure->outcome), failure->operation,
               failure->key, failure->text,
               failure->request_id[0] ? " (request " : "", failure->request_id,
               failure->request_id[0] ? ")" : "");
  }
  if(failed > (int64_t)stats->failure_count)
    print_kind(host, "  … and %s more (composio-lua show %s)",
               ca_text_number(failed - (int64_t)stats->failure_count, count),
               host->run_id);
}

/* Prints why the run ended before the script did. */
static void show_stop(struct host *host)
{
  const char *text = lca_run_stats(host->L)->end_text;
  if(!host->stop)
    return;
  if(host->stop < LCA_STOP_PREVIEW)
    print_kind(host, "interrupted by SIG%s",
               host_os_process_signal_name(host->stop));
  else if(host->stop == LCA_STOP_PREVIEW)
    host_terminal_print(host, "%s", text);
  else if(host->stop != LCA_STOP_HELP && host->stop != LCA_STOP_EXIT)
    host_terminal_complain(host, "%s", text);
}

static void show_preview(struct host *host, const char *next)
{
  int64_t planned = 0;
  char count[32];
  size_t i;
  for(i = 0; i < host->counts.operation_count; i++)
    planned += host->counts.operations[i].changes[CA_PLANNED];
  if(!planned) {
    host_terminal_print(host, "preview: nothing would be changed");
    return;
  }
  host_terminal_print(
      host, "preview: nothing was changed; --apply %s %s change%s%s",
      host->exit_code == 4             ? "would refuse these"
      : host->stop == LCA_STOP_PREVIEW ? "makes at least"
                                       : "makes",
      ca_text_number(planned, count), planned == 1 ? "" : "s",
      host->stop == LCA_STOP_PREVIEW ? ": what follows was not seen" : "");
  if(*next)
    host_terminal_print(host, "next: %s", next);
}

/* Prints the number of items with this outcome, if there are any. */
static void print_items(struct host *host, enum ca_outcome outcome,
                        const char *text)
{
  int64_t items = host->counts.items[outcome];
  char count[32];
  if(items)
    print_kind(host, "%s item%s %s", ca_text_number(items, count),
               items == 1 ? "" : "s", text);
}

/* Prints the first stale changes and their reasons from the ledger. */
static void show_stale(struct host *host)
{
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  struct ca_err err;
  int left = FIRST_LINES;
  ca_err_clear(&err);
  ca_changes_open(&changes, host->ledger, -1, 1u << CA_STALE);
  while(host->counts.items[CA_STALE] && left-- &&
        !ca_changes_next(&changes, &row, &err) && row)
    print_kind(host, "  stale  %s  %s: %s", row->change.api->name,
               row->change.account && row->change.account[0]
                   ? row->change.account
                   : row->key,
               row->error ? row->error
                          : "the account differs from what the plan saw");
  ca_changes_close(&changes);
  if(err.code)
    host_terminal_complain(host, "the ledger cannot be read: %s", err.text);
  print_items(host, CA_STALE, "left alone: changed after the plan was made");
}

void host_terminal_show_summary(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  char next[2048];
  size_t i;
  show_stop(host);
  if(host->failed && !host->stop)
    host_terminal_complain(host, "%s", host->error);
  if(stats->refusal[0] &&
     !(host->failed && strstr(host->error, stats->refusal)))
    host_terminal_complain(host, "%s",
                           stats->refusal); /* the script caught it */
  if(!host->ledger)
    return;
  host_next_command(host, next, sizeof(next));
  if(stats->planned && !stats->bulks && !host->options.apply)
    show_lines(host, 0, CA_PLANNED, stats->planned);
  if(!host->options.apply) {
    show_failures(host);
    show_preview(host, next);
    return;
  }
  for(i = 0; i < host->counts.operation_count; i++)
    show_operation(host, i);
  if(host->counts_unknown && stats->written)
    show_ended(host);
  else if(!host->counts.operation_count)
    host_terminal_print(host, host->failed || host->stop
                                  ? "nothing was changed"
                                  : "there was nothing to change");
  show_failures(host);
  show_stale(host);
  print_items(host, CA_NOT_TRIED, "not tried");
  print_items(host, CA_UNKNOWN,
              "may or may not have been changed; nothing is sent again "
              "until that is known");
  print_items(host, CA_PENDING, "waiting for a person");
  host_terminal_print(host, "run: %s", host->run_id);
  if(*next)
    host_terminal_print(host, "next: %s", next);
}
