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

/* Did this run, in any of its sessions, send a change? */
static bool has_written(const struct host *host)
{
  return lca_run_stats(host->L)->written || host->before[CA_DONE] ||
         host->before[CA_UNKNOWN] || host->before[CA_PENDING];
}

/* Did the script raise something else than what a guard told it, or catch the
   error of a bulk that could not be planned, or did we fail? */
static bool is_broken(const struct host *host)
{
  const char *refusal = lca_run_stats(host->L)->refusal;
  bool raised_refusal = *refusal && strstr(host->error, refusal);
  return host->stop == LCA_STOP_LIMIT || host->report_failed ||
         (lca_run_stats(host->L)->bulk_raised[0] && !host->raised) ||
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

static bool is_refused(const struct host *host)
{
  return host->stop == LCA_STOP_REFUSED || lca_run_stats(host->L)->refused;
}

/* Stores in the ledger why the run was refused, and what would let it go on. A
   resumed run that is not refused again forgets that. */
static enum ca_code keep_refusal(struct host *host, struct ca_err *err)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  const char *why = NULL;
  enum ca_code code = CA_OK;
  if(!is_refused(host) && !host->replay.on)
    return CA_OK;
  if(is_refused(host))
    why = stats->why_refused[0] ? stats->why_refused : stats->end_text;
  if(host->options.apply)
    code = host_next_command_keep_needs(host, err);
  return code ? code : ca_run_keep_refusal(host->ledger, why, err);
}

/* Stores what the run's row needs besides its end. */
static enum ca_code keep_end(struct host *host, struct ca_err *err)
{
  int64_t pending = host->counts.items[CA_PENDING];
  enum ca_code code = keep_refusal(host, err);
  if(!code && (pending || host->report_failed))
    code = ca_run_keep_left(host->ledger, pending, host->report_failed, err);
  return code ? code : ca_run_end(host->ledger, host->exit_code, err);
}

/* ---- the exit code ---- */

/* Returns the place of an exit code in the order of docs/exits.md. */
static int rank(int code, bool written)
{
  static const char nothing_was_sent[] = { 2, 6, 75, 7, 4, 1, 3, 9 };
  static const char something_was[] = { 1, 6, 7, 8, 3, 9 };
  const char *order = written ? something_was : nothing_was_sent;
  size_t len = written ? sizeof(something_was) : sizeof(nothing_was_sent);
  const char *found = memchr(order, code, len);
  if(code > 128)
    return -1;
  if(found)
    return (int)(found - order);
  return code >= 64 ? 20 : 30 - code; /* the script's own, 5, 0 */
}

int host_finish_worse(int a, int b, bool written)
{
  if(written) { /* these three promise that nothing was */
    a = a == 2 ? 1 : a == 4 || a == 75 ? 7 : a;
    b = b == 2 ? 1 : b == 4 || b == 75 ? 7 : b;
  }
  return rank(b, written) < rank(a, written) ? b : a;
}

/* Has the deadline left something that this run does not know, or wait for? */
static bool is_cut_short(const struct host *host)
{
  return host->stop == LCA_STOP_DEADLINE &&
         (ca_run_verdict_is_under_way(&host->counts) ||
          (host->raised && !any(host, CA_UNKNOWN) && !any(host, CA_PENDING)));
}

/* The exit code of the run: the worst of those that apply. */
static int exit_code(const struct host *host)
{
  const struct lca_run_stats *stats = lca_run_stats(host->L);
  bool written = has_written(host);
  bool acts = host->options.apply;
  struct {
    bool applies;
    int code;
  } const cases[] = {
    { host_is_signalled(host), 128 + host->stop },
    { host->stop == LCA_STOP_BUSY, 75 },
    { host->stop == LCA_STOP_USAGE, 2 },
    { host->raised == HOST_RAISED_ROUTE || stats->no_route, written ? 7 : 2 },
    { host->stop == LCA_STOP_LEDGER, written ? 7 : 2 },
    { host->raised == HOST_RAISED_REJECTED || stats->key_rejected, 6 },
    { host->stop == LCA_STOP_EARLY || host->raised == HOST_RAISED_DOWN, 7 },
    { is_refused(host), 4 },
    { is_broken(host), 1 },
    { acts && any(host, CA_NOT_TRIED), 7 },
    { is_cut_short(host), 7 },
    { any(host, CA_UNKNOWN), 8 },
    { any(host, CA_FAILED) || any(host, CA_STALE) || host->links_lost, 3 },
    { any(host, CA_PENDING), 9 },
    { host->stop == LCA_STOP_EXIT, stats->exit_code },
    { host->options.detailed_exitcode && !acts && any(host, CA_PLANNED), 5 },
  };
  int code = 0;
  size_t i;
  if(is_recall_refused(host))
    return 2;
  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if(cases[i].applies)
      code = host_finish_worse(code, cases[i].code, written);
  return code;
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
  if(stats->bulk_raised[0])
    return "a bulk failed while it was planned";
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
      if(end.lost)
        host_terminal_print_always(
            host, "report: the rows without a link in %s say who has none",
            end.path);
      if(end.left[0])
        host_terminal_print_always(
            host,
            host->redoes[0]
                ? "report: %s has the rows of an earlier run, so it was left"
                : "report: %s was written after this run, so it was left",
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
   reports? Links that nobody received and stale changes do not count: a resume
   cannot make those again, and does not send these. */
static bool needs_rows(const struct host *host)
{
  return host->options.apply && ca_run_verdict_can_resume(host->exit_code) &&
         (host->exit_code != 3 || any(host, CA_FAILED) ||
          any(host, CA_PENDING));
}

void host_finish_run(struct host *host)
{
  bool open;
  struct ca_err err;
  ca_err_clear(&err);
  lca_apply_drain(host->L);
  host->over = true;
  lca_settle_run(host->L, true);
  host_terminal_clear_progress(host);
  host_result_read_counts(host);
  finish_reports(host);
  host->incomplete = why_incomplete(host);
  save_plan(host);
  host->exit_code = exit_code(host);
  host->written = has_written(host);
  /* read before ca_run_end, which gives these changes an outcome */
  open = host->options.apply && ca_run_verdict_is_under_way(&host->counts);
  if(host->ledger && keep_end(host, &err)) {
    lca_run_lose_ledger(host->L, &err);
    host->exit_code = exit_code(host);
    open = true;
  }
  lca_report_drop(host->L, !needs_rows(host));
  if(open) /* only then: counting reads every item again */
    host_result_read_counts(host);
  host_result_show(host);
}
