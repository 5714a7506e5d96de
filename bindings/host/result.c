/* Prints for people how a run ended: why it stopped, what became of its
   changes, what to type next.
   Must not know: curl, Lua values. */
#include <string.h>
#include "host/host.h"
#include "host/os.h"
#include "base/text.h"

#define FIRST_LINES 10

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

/* Prints how many items have each tag of the run: "tags: healed 28". */
static void show_tags(struct host *host)
{
  struct ca_query query;
  struct ca_err err;
  const char *tag;
  char count[32];
  char line[400] = "";
  int64_t items;
  ca_history_open_tags(&query, host->ledger, -1, &err);
  while(ca_history_next_tag(&query, &tag, &items)) {
    size_t len = strlen(line);
    snprintf(line + len, sizeof(line) - len, "%s%s %s", len ? " · " : "", tag,
             ca_text_number(items, count));
  }
  if(!ca_history_close(&query) && *line)
    host_terminal_print(host, "tags: %s", line);
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
    host_terminal_print_always(host, "  %s  %s  %s: %s%s%s%s",
                               ca_change_outcome_name(failure->outcome),
                               failure->operation, failure->key, failure->text,
                               failure->request_id[0] ? " (request " : "",
                               failure->request_id,
                               failure->request_id[0] ? ")" : "");
  }
  if(failed > (int64_t)stats->failure_count)
    host_terminal_print_always(
        host, "  … and %s more (composio-lua show %s)",
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
    host_terminal_print_always(host, "interrupted by SIG%s",
                               host_os_process_signal_name(host->stop));
  else if(host->stop == LCA_STOP_PREVIEW)
    host_terminal_print(host, "%s", text);
  else if(host->stop != LCA_STOP_HELP && host->stop != LCA_STOP_EXIT)
    host_terminal_complain(host, "%s", text);
}

static void show_preview(struct host *host, const char *next)
{
  const char *why = host->incomplete;
  bool ended_early = host->stop == LCA_STOP_PREVIEW;
  int64_t within = lca_run_stats(host->L)->within;
  int64_t planned = 0;
  char count[32];
  size_t i;
  for(i = 0; i < host->counts.operation_count; i++)
    planned += host->counts.operations[i].changes[CA_PLANNED];
  if(why && !(ended_early && planned))
    host_terminal_print(host,
                        "preview: nothing was changed; %s, so it is not known "
                        "what --apply would change",
                        why);
  else if(!planned)
    host_terminal_print(host, "preview: nothing would be changed");
  else if(host->exit_code == 4 && within)
    host_terminal_print(host,
                        "preview: nothing was changed; --apply makes %s "
                        "change%s and refuses what follows",
                        ca_text_number(within, count), within == 1 ? "" : "s");
  else
    host_terminal_print(
        host, "preview: nothing was changed; --apply %s %s change%s%s",
        host->exit_code == 4 ? "would refuse these"
        : ended_early        ? "makes at least"
                             : "makes",
        ca_text_number(planned, count), planned == 1 ? "" : "s",
        ended_early ? ": what follows was not seen" : "");
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
    host_terminal_print_always(host, "%s item%s %s",
                               ca_text_number(items, count),
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
    host_terminal_print_always(
        host, "  stale  %s  %s: %s", row->change.api->name,
        row->change.account && row->change.account[0] ? row->change.account
                                                      : row->key,
        row->error ? row->error
                   : "the account differs from what the plan saw");
  ca_changes_close(&changes);
  if(err.code)
    host_terminal_complain(host, "the ledger cannot be read: %s", err.text);
  print_items(host, CA_STALE, "left alone: changed after the plan was made");
}

/* Tells which lines of --protect matched nothing, since a misspelled one
   protects nobody: under -q in the log. */
static void show_idle_protection(struct host *host)
{
  char first[400];
  char line[520];
  size_t count = host->protect.asked
                     ? host_protect_idle(&host->protect, first, sizeof(first))
                     : 0;
  if(!count)
    return;
  snprintf(line, sizeof(line),
           "%zu line%s of --protect matched no account of this run: %s%s",
           count, count == 1 ? "" : "s", first, count > 3 ? ", …" : "");
  host_terminal_print(host, "%s", line);
  if(host->log)
    ca_log_event(lca_scheduler_log(lca_scheduler_of(host->L)), CA_LOG_INFO,
                 "protect", "%s", line);
}

void host_result_show(struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  struct lca_plan straight = { .name = "" };
  char next[2048];
  size_t i;
  show_stop(host);
  if(host->raised && !host->stop)
    host_terminal_complain(host, "%s", host->error);
  if(stats->refusal[0] &&
     !(host->raised && strstr(host->error, stats->refusal)))
    host_terminal_complain(host, "%s",
                           stats->refusal); /* the script caught it */
  if(!host->ledger)
    return;
  host_summary_next(host, next, sizeof(next));
  straight.totals.planned = stats->planned;
  if(straight.totals.planned && !stats->bulks && !host->options.apply)
    host_preview_show(host, &straight);
  show_idle_protection(host);
  show_tags(host);
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
    host_terminal_print(host, host->raised || host->stop
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
