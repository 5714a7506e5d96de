/* The end of a run after its script has ended: waits for changes in flight,
   settles unknown ones, finishes reports, saves the plan, decides the exit
   code and prints the summary. Must not know: curl, the spelling of options.
 */
#include <stdlib.h>
#include <string.h>
#include "host/host.h"
#include "job/report.h"
#include "ledger/run_verdict.h"
#include "planfile/plan.h"

bool host_finish_check_job(struct host *host)
{
  if(lca_run_stats(host->L)->job_seen || host->stop || host->raised)
    return true;
  if(host->options.help) {
    (void)host_shipped_help(host, "script");
    return true;
  }
  if(!host->options.param_count)
    return true;
  host_terminal_complain(
      host,
      "%s does not call composio.job, so it takes no parameters: "
      "'%s'; arguments after -- reach it in arg",
      host->script, host->options.params[0]);
  return false;
}

static bool any(const struct host *host, enum ca_outcome outcome)
{
  return host->counts.items[outcome] > 0;
}

/* The exit code of --detailed-exitcode. */
static int preview_code(const struct host *host)
{
  return host->options.detailed_exitcode && !host->options.apply &&
                 any(host, CA_PLANNED)
             ? 5
             : 0;
}

/* The exit code by outcomes, the worst first. */
static int outcome_code(const struct host *host)
{
  if(any(host, CA_UNKNOWN))
    return 8;
  if(any(host, CA_FAILED) || any(host, CA_STALE) || host->links_lost)
    return 3;
  if(any(host, CA_PENDING))
    return 9;
  if(host->stop == LCA_STOP_EXIT && lca_run_stats(host->L)->exit_code)
    return lca_run_stats(host->L)->exit_code;
  return preview_code(host);
}

/* Did this run, in any of its sessions, send a change? */
static bool has_written(const struct host *host)
{
  return lca_run_stats(host->L)->written || host->before[CA_DONE] ||
         host->before[CA_UNKNOWN] || host->before[CA_PENDING];
}

/* Did the script raise something else than what a guard told it, or did we
   fail? */
static bool is_broken(const struct host *host)
{
  const char *refusal = lca_run_stats(host->L)->refusal;
  bool raised_refusal = *refusal && strstr(host->error, refusal);
  return host->stop == LCA_STOP_LIMIT || host->report_failed ||
         (host->raised == HOST_RAISED_OTHER && !host->stop &&
          !raised_refusal && !lca_run_stats(host->L)->key_rejected &&
          !lca_run_stats(host->L)->no_route);
}

/* Was a resume refused before it did anything? */
static bool is_recall_refused(const struct host *host)
{
  return host->stop == LCA_STOP_USAGE && host->replay.on &&
         !lca_run_stats(host->L)->job_seen && !lca_run_stats(host->L)->written;
}

int host_finish_after_write(int code)
{
  return code == 2 ? 1 : code == 4 || code == 75 ? 7 : code;
}

/* The exit code of the run: the first reason that applies. Their order differs
   once something was written, when codes that promise the contrary, 2 and 4,
   become 1 and 7. */
static int exit_code(const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  bool written = has_written(host);
  bool no_route = host->raised == HOST_RAISED_ROUTE || stats->no_route;
  bool misused = host->stop == LCA_STOP_USAGE || no_route;
  bool refused = host->stop == LCA_STOP_REFUSED || stats->refused;
  bool early = host->stop == LCA_STOP_EARLY || host->stop == LCA_STOP_LEDGER ||
               host->raised == HOST_RAISED_DOWN;
  if(host_is_interrupted(host))
    return 128 + host->stop;
  if(host->stop == LCA_STOP_BUSY)
    return written ? host_finish_after_write(75) : 75;
  if(is_recall_refused(host))
    return 2;
  if(!written && (misused || host->stop == LCA_STOP_LEDGER))
    return 2;
  if(written && (is_broken(host) || host->stop == LCA_STOP_USAGE))
    return 1;
  if(host->raised == HOST_RAISED_REJECTED || stats->key_rejected)
    return 6;
  if(early || (written && (refused || no_route)))
    return 7;
  if(refused)
    return 4;
  if(is_broken(host))
    return 1;
  if(host->options.apply && any(host, CA_NOT_TRIED))
    return 7;
  return outcome_code(host);
}

/* ---- a saved plan ---- */

/* Returns why a preview has not seen all that --apply would do, or NULL. */
static const char *why_incomplete(const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  if(host->stop == LCA_STOP_PREVIEW)
    return "the script needs a result that only --apply can give";
  if((host->stop && host->stop != LCA_STOP_EXIT) || host->raised ||
     stats->key_rejected || stats->no_route)
    return "the preview did not run to its end";
  if(stats->sealed < stats->bulks)
    return "a listing is incomplete";
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
  why = lca_run_stats(host->L)->refused ? "the preview was refused"
                                        : host->incomplete;
  if(!why && host->stop)
    why = "the script ended the run";
  if(!why && !host->ledger)
    why = "the script planned nothing";
  if(why) {
    host_terminal_complain(host, "no plan is saved: %s", why);
    host->report_failed = host->report_failed || !host->stop;
    host->report_failed =
        host->report_failed || host->stop == LCA_STOP_PREVIEW;
    return;
  }
  ca_err_clear(&err);
  key.len = strlen(key.data);
  host_setup_describe_run(host, &info);
  if(ca_planfile_write(host->ledger, path, &info, host->run_id, key, &err)) {
    host_terminal_complain(host, "no plan is saved: %s", err.text);
    host->report_failed = true;
  } else {
    host->plan_saved = true;
    host_terminal_print(host, "plan: %s", path);
  }
}

static void finish_reports(struct host *host)
{
  int code = exit_code(host);
  struct lca_report_end end;
  char count[32];
  while(lca_report_finish(host->L, ca_run_verdict_is_good_end(code), &end)) {
    if(end.err.code) {
      host->report_failed = true;
      host_terminal_complain(host, "%s", end.err.text);
    } else if(end.written) {
      host->links_lost += end.lost;
      host_terminal_print(host, "report: %s, %lld rows", end.path,
                          (long long)end.rows);
      if(end.left[0])
        host_terminal_print_always(
            host, "report: %s was written after this run, so it was left",
            end.left);
    } else if(end.previewed) {
      host_terminal_print(host, "report: --apply writes %s%s%s%s", end.path,
                          end.rows ? ", " : "",
                          end.rows ? ca_text_number(end.rows, count) : "",
                          end.rows ? " rows or more" : "");
    }
    if(end.partial[0])
      host_terminal_complain(host,
                             "report: %s is as it was, the rows are in %s",
                             end.path, end.partial);
  }
}

/* Would a resume of this run, perhaps with --failed, add rows to its
   reports? Links that nobody received do not count: a resume cannot make
   them again. */
static bool needs_rows(const struct host *host)
{
  return host->options.apply && ca_run_verdict_can_resume(host->exit_code) &&
         (host->exit_code != 3 || any(host, CA_FAILED) ||
          any(host, CA_STALE) || any(host, CA_PENDING));
}

void host_finish_run(struct host *host)
{
  bool open;
  struct ca_err err;
  ca_err_clear(&err);
  lca_apply_drain(host->L, host_setup_deadline_ms, host);
  host->over = true;
  lca_settle_run(host->L, CA_FAILED, host_setup_deadline_ms, host);
  host_terminal_clear_progress(host);
  host_result_read_counts(host);
  finish_reports(host);
  host->incomplete = why_incomplete(host);
  save_plan(host);
  host->exit_code = exit_code(host);
  host->written = has_written(host);
  /* read before ca_run_end, which gives these changes an outcome */
  open = host->options.apply && ca_run_verdict_is_under_way(&host->counts);
  if(host->ledger && ca_run_end(host->ledger, host->exit_code, &err)) {
    lca_run_lose_ledger(host->L, &err);
    host->exit_code = exit_code(host);
    open = true;
  }
  lca_report_drop(host->L, !needs_rows(host));
  if(open) /* only then: counting reads every item again */
    host_result_read_counts(host);
  host_result_show(host);
}
