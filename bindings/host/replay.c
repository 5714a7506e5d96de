/* The verbs apply PLAN, resume RUN and undo RUN, which carry out what a file
   or the ledger holds. Each finds the run or plan and checks that it belongs
   to this project; then it runs like any other (run.c). Must not know: curl,
   Lua values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/text.h"
#include "host/host.h"
#include "ledger/run_verdict.h"
#include "planfile/plan.h"

#define UNDO        "undo:"
#define UNDO_SCRIPT "require \"composio.core\".undo()\n"

#define TEXTS 12

/* What the ledger, or a plan file, says about an earlier run. */
struct earlier {
  struct ca_run_row row; /* absent texts are "" */
  char *texts[TEXTS];    /* of the row, owned; none for a plan */
  int64_t failed_items;  /* not those that a fallback made good */
  bool found;
};

static void forget(struct earlier *earlier)
{
  int i;
  for(i = 0; i < TEXTS; i++)
    free(earlier->texts[i]);
  memset(earlier, 0, sizeof(*earlier));
}

/* ---- finding the run ---- */

/* Copies the row of the run, which is borrowed; `found` stays false without
   memory. */
static void take_run(struct earlier *earlier, const struct ca_run_row *row)
{
  struct ca_run_info *info = &earlier->row.info;
  const char **texts[TEXTS] = {
    &earlier->row.name, &info->script,  &info->word,     &info->cwd,
    &info->undoes,      &info->params,  &info->options,  &info->script_sha,
    &info->mode,        &info->project, &info->base_url, &info->redoes
  };
  int i;
  earlier->row = *row;
  for(i = 0; i < TEXTS && texts[i]; i++) {
    earlier->texts[i] = strdup(*texts[i] ? *texts[i] : "");
    if(!earlier->texts[i])
      return;
    *texts[i] = earlier->texts[i];
  }
  earlier->found = true;
}

/* A failed change is not retried if its item ended well by a fallback. */
static enum ca_code read_failures(struct ca_ledger *ledger,
                                  struct earlier *earlier, struct ca_err *err)
{
  struct ca_counts counts;
  enum ca_code code;
  code = ca_run_select(ledger, earlier->row.name, err);
  if(!code)
    code = ca_count_outcomes(ledger, -1, &counts, err);
  if(!code)
    earlier->failed_items = counts.items[CA_FAILED];
  return code;
}

/* Can `last` mean this run? For undo it must not be an undo itself (that
   has to be named) and must have changed something. For resume it must not
   be empty, unless it goes on. */
static bool is_meant(const struct ca_run_row *row, enum host_verb verb)
{
  if(verb == HOST_UNDO)
    return !ca_text_or_null(row->info.undoes) &&
           (!row->has_counts || row->changes[CA_DONE] > 0);
  return !ca_run_verdict_is_empty(row) || ca_run_verdict_is_open(row);
}

/* Takes the newest run that matches the filter and, for `last`, is_meant. */
static enum ca_code take_newest(struct ca_ledger *ledger,
                                const struct ca_run_filter *filter, bool last,
                                enum host_verb verb, struct earlier *earlier,
                                struct ca_err *err)
{
  struct ca_query query;
  struct ca_run_row row;
  bool more;
  ca_history_open_runs(&query, ledger, filter, err);
  do
    more = ca_history_next_run(&query, &row);
  while(more && last && !is_meant(&row, verb));
  if(more)
    take_run(earlier, &row);
  return ca_history_close(&query);
}

/* "last" is the newest run that is no preview, because a preview can be
   neither resumed nor undone. A run that changed nothing hides no other. */
static enum ca_code find_run(struct host *host, struct ca_ledger *ledger,
                             struct earlier *earlier, struct ca_err *err)
{
  const bool last = !strcmp(host->options.operand, "last");
  const enum host_verb verb = host->options.verb;
  char name[96];
  const struct ca_run_filter filter = { .name = last ? NULL : name,
                                        .mode = last ? "apply" : NULL };
  enum ca_code code = CA_OK;
  if(!last)
    code = ca_history_find_run(ledger, host->options.operand, name,
                               sizeof(name), err);
  if(!code && last)
    code = take_newest(ledger, &filter, true, verb, earlier, err);
  if(!code && !earlier->found && !(last && verb == HOST_UNDO))
    code = take_newest(ledger, &filter, false, verb, earlier, err);
  if(code || earlier->found)
    return code;
  if(earlier->row.id)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  if(last && verb == HOST_UNDO)
    return ca_err_set(err, CA_USAGE,
                      "no run in %s that is not itself an undo has changed "
                      "anything: there is nothing to undo",
                      host->state_dir);
  return ca_err_set(err, CA_USAGE,
                    "there are only previews in %s: no run has changed "
                    "anything",
                    host->state_dir);
}

static enum ca_code read_run(struct host *host, struct earlier *earlier,
                             struct ca_err *err)
{
  bool found = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  enum ca_code code;
  if(!ledger && err->code)
    return err->code;
  if(!ledger)
    return ca_err_set(err, CA_USAGE, "there are no runs in %s yet",
                      host->state_dir);
  code = find_run(host, ledger, earlier, err);
  if(!code)
    code = read_failures(ledger, earlier, err);
  ca_ledger_close(ledger);
  return code;
}

/* Refuses a preview. */
static enum ca_code check_mode(const struct earlier *earlier, const char *what,
                               struct ca_err *err)
{
  if(!strcmp(earlier->row.info.mode, "apply")) /* NOLINT: find_run read it */
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "run %s was a preview: it changed nothing, so there is "
                    "nothing to %s",
                    earlier->row.name, what);
}

/* ---- checks ---- */

static enum ca_code check_project(const struct host *host,
                                  const struct earlier *earlier,
                                  const char *what, struct ca_err *err)
{
  if(!strcmp(earlier->row.info.project, host->project))
    return CA_OK;
  if(strcmp(earlier->row.info.base_url, host->base_url) != 0)
    return ca_err_set(err, CA_USAGE,
                      "refused: %s was made for %s, but requests would go to "
                      "%s; give the right --base-url",
                      what, earlier->row.info.base_url, host->base_url);
  if(host->options.same_project)
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "refused: %s was made with another API key; if the key of "
                    "the same project was rotated, give --same-project",
                    what);
}

static bool is_undo(const char *script)
{
  return !strncmp(script, UNDO, sizeof(UNDO) - 1);
}

/* Takes the script that undoes a run; it is built into the program. */
static enum ca_code take_undo(struct host *host, const char *run,
                              struct ca_err *err)
{
  free(host->script_text);
  host->script_len = sizeof(UNDO_SCRIPT) - 1;
  host->script_text = strdup(UNDO_SCRIPT);
  if(!host->script_text)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  ca_text_copy(host->undoes, sizeof(host->undoes), run);
  snprintf(host->script, sizeof(host->script), UNDO "%s", run);
  ca_text_copy(host->script_path, sizeof(host->script_path), host->script);
  ca_text_copy(host->word, sizeof(host->word), host->script);
  ca_text_copy(host->script_dir, sizeof(host->script_dir), ".");
  ca_digest_bytes(host->script_text, host->script_len, host->script_sha);
  return CA_OK;
}

/* Reads a script. Returns true if it has this SHA-256. */
static bool is_script(struct host *host, const char *path, const char *sha,
                      bool *read)
{
  struct ca_err ignored;
  ca_err_clear(&ignored);
  if(!*path || host_setup_script(host, path, &ignored))
    return false;
  *read = true;
  return !strcmp(host->script_sha, sha);
}

/* Finds the script that the run was made with: at its path of that time, or
   else where its name is found now. */
static enum ca_code take_script(struct host *host,
                                const struct earlier *earlier,
                                const char *what, struct ca_err *err)
{
  char path[HOST_PATH_SIZE] = "";
  struct ca_err ignored;
  bool read = false;
  ca_err_clear(&ignored);
  if(is_undo(earlier->row.info.script))
    return take_undo(host, earlier->row.info.undoes, err);
  if(*earlier->row.info.word &&
     host_paths_script(earlier->row.info.word, path, sizeof(path), &ignored))
    path[0] = '\0';
  if(is_script(host, earlier->row.info.script, earlier->row.info.script_sha,
               &read) ||
     is_script(host, path, earlier->row.info.script_sha, &read)) {
    ca_text_copy(host->word, sizeof(host->word), earlier->row.info.word);
    return CA_OK;
  }
  if(read)
    return ca_err_set(err, CA_USAGE,
                      "refused: the script %s is not the one that %s was made "
                      "with (SHA-256 was %.12s, is %.12s): restore the old "
                      "script, or start a new run",
                      earlier->row.info.script, what,
                      earlier->row.info.script_sha, host->script_sha);
  return ca_err_set(err, CA_USAGE,
                    "refused: the script %s of %s cannot be read (SHA-256 "
                    "%.12s): restore it, or start a new run",
                    earlier->row.info.script, what,
                    earlier->row.info.script_sha);
}

static enum ca_code take_params(struct host *host, const char *params,
                                struct ca_err *err)
{
  free(host->given);
  host->given = strdup(params && *params ? params : "{}");
  return host->given ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

/* ---- the directory of the run ---- */

/* Changes to the directory where the run was started. Paths of this command
   line are absolute since the beginning. CA_USAGE when there is no such
   directory. */
static enum ca_code go_there(struct host *host, const char *cwd,
                             struct ca_err *err)
{
  if(*cwd && chdir(cwd))
    return ca_err_set(err, CA_USAGE,
                      "cannot change to %s, where the run was started: %s",
                      cwd, strerror(errno));
  ca_text_copy(host->cwd, sizeof(host->cwd), cwd);
  return CA_OK;
}

/* ---- resume ---- */

static enum ca_code report_no_plan(struct host *host,
                                   const struct earlier *earlier,
                                   struct ca_err *err)
{
  char command[4096];
  host_next_command_take_up(host, earlier->row.name, command, sizeof(command));
  return ca_err_set(err, CA_USAGE,
                    "run %s %s: nothing was changed, "
                    "so there is nothing to resume; run it again: %s",
                    earlier->row.name,
                    ca_run_verdict_is_refused(&earlier->row)
                        ? "was refused by a guard (exit 4)"
                        : "stopped while it was still planning",
                    command);
}

static bool is_finished(const struct host *host, const struct earlier *earlier)
{
  return ca_run_verdict_is_finished(
      &earlier->row, host->options.failed ? earlier->failed_items : 0);
}

/* Reads what became of the run, for --summary. */
static void read_result(struct host *host, const struct earlier *earlier)
{
  struct ca_err err;
  bool found = false;
  ca_err_clear(&err);
  ca_text_copy(host->run_id, sizeof(host->run_id), earlier->row.name);
  ca_text_copy(host->script, sizeof(host->script), earlier->row.info.script);
  host->exit_code = earlier->row.exit_code;
  host->ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, &err);
  if(host->ledger && ca_run_select(host->ledger, host->run_id, &err))
    host->counts_unknown = true;
  else
    host_result_read_counts(host);
  memcpy(host->before, host->counts.items, sizeof(host->before));
}

static void report_finished(struct host *host, const struct earlier *earlier)
{
  char count[32];
  char more[120] = "";
  char open[4096] = "";
  int64_t failed = earlier->failed_items;
  if(failed)
    snprintf(more, sizeof(more), "; --failed retries its %s failed item%s",
             ca_text_number(failed, count), failed == 1 ? "" : "s");
  host_terminal_print(
      host, "run %s is finished (exit %d): there is nothing to resume%s",
      earlier->row.name, earlier->row.exit_code, more);
  if(!strcmp(host->options.operand, "last"))
    host_next_command_newest(host, open, sizeof(open));
  if(open[0])
    host_terminal_print(host, "%s", open);
  read_result(host, earlier);
  host->finished = true;
}

static enum ca_code reopen(struct host *host, const struct earlier *earlier,
                           struct ca_err *err)
{
  enum ca_code code;
  host->ledger = ca_ledger_open(host->state_dir, host->clock, err);
  if(!host->ledger)
    return err->code ? err->code : CA_SYSTEM;
  code = ca_run_reopen(host->ledger, earlier->row.name, host_paths_user(),
                       host->machine, err);
  if(code)
    return code;
  ca_text_copy(host->run_id, sizeof(host->run_id), earlier->row.name);
  host_lock_name(host);
  host_result_read_counts(host);
  memcpy(host->before, host->counts.items, sizeof(host->before));
  return CA_OK;
}

/* Opens the run, if any, whose failed rows this one plans again. */
static enum ca_code open_earlier(struct host *host, const char *run,
                                 struct ca_err *err)
{
  bool found = false;
  if(!ca_text_or_null(run))
    return CA_OK;
  ca_text_copy(host->redoes, sizeof(host->redoes), run);
  host->earlier =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  return host->earlier ? ca_run_select(host->earlier, run, err) : err->code;
}

/* Restores the options of the run, and checks that it belongs to the service
   and the project of this command line. */
static enum ca_code join_project(struct host *host,
                                 const struct earlier *earlier,
                                 const char *what, struct ca_err *err)
{
  enum ca_code code;
  ca_text_copy(host->run_url, sizeof(host->run_url),
               earlier->row.info.base_url);
  code = host_options_saved_restore(&host->options, earlier->row.info.options,
                                    earlier->row.info.cwd, err);
  if(!code)
    code = host_profile_take(&host->options, NULL, err);
  if(!code)
    code = host_result_open_log(host, err);
  if(!code)
    code = host_setup_service(host, err);
  if(!code)
    code = host_confirm_read_protect(host, err);
  if(!code)
    code = check_project(host, earlier, what, err);
  return code ? code : host_setup_lock(host, err);
}

/* Refuses a run whose failed rows have no plan of their own. */
static enum ca_code check_redo(struct host *host,
                               const struct earlier *earlier,
                               struct ca_err *err)
{
  char command[4096];
  if(!earlier->row.of_plan)
    return ca_err_set(err, CA_USAGE,
                      "run %s does not carry out a saved plan: resume %s "
                      "--failed plans what failed, and carries it out",
                      earlier->row.name, earlier->row.name);
  if(!ca_run_verdict_may_be_interrupted(&earlier->row) &&
     ca_run_verdict_is_good_end(earlier->row.exit_code))
    return CA_OK;
  host_next_command_take_up(host, earlier->row.name, command, sizeof(command));
  return ca_err_set(err, CA_USAGE, "run %s is not finished; first: %s",
                    earlier->row.name, command);
}

/* Prepares a preview of the rows whose action failed in a run of a plan, which
   saves them as a plan of their own. */
static enum ca_code ready_redo(struct host *host,
                               const struct earlier *earlier, const char *what,
                               struct ca_err *err)
{
  enum ca_code code = check_redo(host, earlier, err);
  host->replay.exact = true;
  host->replay.redo = true;
  if(!code)
    code = take_script(host, earlier, what, err);
  if(!code)
    code = take_params(host, earlier->row.info.params, err);
  if(!code)
    code = go_there(host, earlier->row.info.cwd, err);
  return code ? code : open_earlier(host, earlier->row.name, err);
}

static enum ca_code ready_resume(struct host *host, struct earlier *earlier,
                                 struct ca_err *err)
{
  char what[160];
  enum ca_code code = read_run(host, earlier, err);
  if(code)
    return code;
  code = check_mode(earlier, "resume; run its script with --apply", err);
  snprintf(what, sizeof(what), "run %s", earlier->row.name);
  if(!code)
    code = join_project(host, earlier, what, err);
  if(code)
    return code;
  /* another process may have resumed the run before we took the lock */
  forget(earlier);
  code = read_run(host, earlier, err);
  if(code)
    return code;
  if(is_finished(host, earlier)) {
    report_finished(host, earlier);
    return CA_OK;
  }
  if(!earlier->row.sealed)
    return report_no_plan(host, earlier, err);
  if(host->options.save_plan)
    return ready_redo(host, earlier, what, err);
  host->replay.failed = host->options.failed;
  host->replay.exact = earlier->row.of_plan;
  code = take_script(host, earlier, what, err);
  if(!code)
    code = take_params(host, earlier->row.info.params, err);
  if(!code)
    code = go_there(host, earlier->row.info.cwd, err);
  if(!code)
    code = open_earlier(host, earlier->row.info.redoes, err);
  return code ? code : reopen(host, earlier, err);
}

/* ---- apply ---- */

static void describe_plan(const struct ca_plan_head *head,
                          struct earlier *earlier)
{
  earlier->row.name = head->run;
  earlier->row.info = (struct ca_run_info){ .script = head->script,
                                            .word = head->word,
                                            .script_sha = head->script_sha,
                                            .project = head->project,
                                            .base_url = head->base_url,
                                            .undoes = head->undoes,
                                            .params = head->params };
}

/* Writes the command that makes the plan again. Its words are the head's, as
   they stand in the file. */
static void restart_command(struct host *host, const struct ca_plan_head *head,
                            char *out, size_t size)
{
  struct ca_run_info info = { .word = head->word,
                              .undoes = head->undoes,
                              .redoes = head->redoes,
                              .params = head->params,
                              .options = head->options,
                              .cwd = head->cwd };
  host_next_command_restart(host, &info, out, size);
}

/* What the ledger of this state directory knows of a plan. */
struct plan_history {
  bool made;              /* the plan was saved by a run of this ledger */
  struct earlier carrier; /* the run that carried it out, if carrier.found */
  char removed[96];       /* or its id, if the run has been removed; "" */
};

static enum ca_code read_plan_history(struct host *host,
                                      const struct ca_plan_head *head,
                                      struct plan_history *history,
                                      struct ca_err *err)
{
  const struct ca_run_filter filter = { .plan = head->digest };
  struct ca_query query;
  struct ca_run_row row;
  bool found = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  if(!ledger)
    return err->code;
  ca_history_open_runs(&query, ledger, &filter, err);
  while(ca_history_next_run(&query, &row)) {
    if(strcmp(row.info.mode, "apply") != 0)
      history->made = true;
    else if(row.sealed && !history->carrier.found)
      take_run(&history->carrier, &row);
  }
  if(!ca_history_close(&query) && history->carrier.found)
    query.code = read_failures(ledger, &history->carrier, err);
  if(!query.code)
    query.code = ca_history_find_applied(
        ledger, head->digest, history->removed, sizeof(history->removed), err);
  ca_ledger_close(ledger);
  return query.code;
}

/* Refuses a plan that somebody has edited. */
static enum ca_code check_seal(struct host *host,
                               const struct ca_plan_head *head,
                               struct ca_err *err)
{
  char command[4096];
  if(head->sealed || host->other_key)
    return CA_OK;
  restart_command(host, head, command, sizeof(command));
  return ca_err_set(err, CA_USAGE,
                    "refused: the plan %s was edited: its seal does not "
                    "match; plan again: %s",
                    host->options.operand, command);
}

/* Refuses a plan that somebody may have edited, that this ledger has carried
   out, or that makes accounts and is of another ledger, which may have carried
   it out. */
static enum ca_code check_plan(struct host *host,
                               const struct ca_plan_head *head,
                               const struct plan_history *history,
                               struct ca_err *err)
{
  const struct earlier *carrier = &history->carrier;
  const char *done = carrier->found ? carrier->row.name : history->removed;
  const char *path = host->options.operand;
  char command[4096];
  char left[4096] = "";
  restart_command(host, head, command, sizeof(command));
  host->exit_code = 4;
  if(!head->sealed && !history->made)
    return ca_err_set(err, CA_USAGE,
                      "refused: %s was made with another API key and not by "
                      "the ledger in %s, so it may have been edited; plan "
                      "again: %s",
                      path, host->state_dir, command);
  if(carrier->found)
    host_next_command_take_up(host, carrier->row.name, left, sizeof(left));
  if(carrier->found && !is_finished(host, carrier))
    return ca_err_set(err, CA_USAGE,
                      "refused: run %s carries out the plan %s and is not "
                      "finished%s%s",
                      carrier->row.name, path,
                      left[0] ? "; finish it: " : ": people have to act",
                      left);
  if(*done && head->redoes && !left[0]) /* it took over what had failed */
    return ca_err_set(err, CA_USAGE,
                      "refused: run %s has carried out the plan %s, and a "
                      "plan is carried out once",
                      done, path);
  if(*done)
    return ca_err_set(err, CA_USAGE,
                      "refused: run %s has carried out the plan %s, and a "
                      "plan is carried out once; %s: %s",
                      done, path,
                      left[0] ? "to send again what failed" : "plan again",
                      left[0] ? left : command);
  if(head->redoes && !history->made)
    return ca_err_set(err, CA_USAGE,
                      "refused: the plan %s takes over rows of run %s and is "
                      "not of the ledger in %s; give --state-dir",
                      path, head->redoes, host->state_dir);
  if(head->makes && !history->made && !host->options.anew)
    return ca_err_set(err, CA_USAGE,
                      "refused: the plan %s makes accounts and is not of the "
                      "ledger in %s, so another one may have carried it out; "
                      "give --state-dir, or --anew to carry it out here",
                      path, host->state_dir);
  host->exit_code = 0;
  return CA_OK;
}

/* Restores the words and options of the preview, except those that were
   given on this command line; then the profile's. */
static enum ca_code take_options(struct host *host,
                                 const struct ca_plan_head *head,
                                 struct ca_err *err)
{
  enum ca_code code = host_options_saved_restore(
      &host->options, head->options ? head->options : "",
      head->cwd ? head->cwd : "", err);
  if(!code)
    code = host_profile_take(&host->options, NULL, err);
  if(!code)
    host_setup_share_pace(host);
  return code;
}

static enum ca_code make_operand_absolute(struct host *host,
                                          struct ca_err *err)
{
  struct host_options *options = &host->options;
  options->operand =
      host_options_saved_join(options, host->here, options->operand);
  return options->operand ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

static enum ca_code begin_plan(struct host *host,
                               const struct ca_plan_head *head,
                               struct ca_err *err)
{
  struct plan_history history = { 0 };
  enum ca_code code = host_setup_state(host, err);
  if(!code)
    code = make_operand_absolute(host, err);
  if(!code)
    code = check_seal(host, head, err);
  if(!code)
    code = take_options(host, head, err); /* the lock is that of its shard */
  if(!code)
    code = host_setup_lock(host, err);
  if(!code)
    code = read_plan_history(host, head, &history, err);
  if(!code)
    code = check_plan(host, head, &history, err);
  forget(&history.carrier);
  if(!code)
    code = host_confirm_read_protect(host, err);
  if(!code && history.made && head->cwd) /* else it is of another machine */
    code = go_there(host, head->cwd, err);
  ca_text_copy(host->plan, sizeof(host->plan), head->digest);
  if(!code)
    code = open_earlier(host, head->redoes, err);
  if(!code)
    code = host_run_begin(host, head->salt_known ? head->salt : NULL, err);
  if(!code)
    code = ca_plan_load(host->options.operand, host->plan, host->ledger, err);
  return code;
}

static enum ca_code take_plan(struct host *host,
                              const struct ca_plan_head *head,
                              struct earlier *earlier, struct ca_err *err)
{
  enum ca_code code;
  describe_plan(head, earlier);
  code = check_project(host, earlier, host->options.operand, err);
  if(!code)
    code = take_script(host, earlier, host->options.operand, err);
  if(!code)
    code = take_params(host, head->params, err);
  if(code)
    return code;
  host->other_key = strcmp(head->project, host->project) != 0;
  if(head->changes)
    return begin_plan(host, head, err);
  host_terminal_print(host, "the plan has no changes: there is nothing to do");
  host->finished = true;
  return CA_OK;
}

/* Adds the command that plans again to the refusal of an older plan. */
static enum ca_code refuse_old_plan(struct host *host,
                                    const struct ca_plan_head *head,
                                    struct ca_err *err)
{
  char command[4096];
  char text[sizeof(err->text)];
  restart_command(host, head, command, sizeof(command));
  ca_text_copy(text, sizeof(text), err->text);
  return ca_err_set(err, CA_USAGE, "%s: %s", text, command);
}

static enum ca_code ready_plan(struct host *host, struct earlier *earlier,
                               struct ca_err *err)
{
  struct ca_slice key;
  struct ca_plan_head head;
  enum ca_code code = host_setup_service(host, err);
  if(code)
    return code;
  memset(&head, 0, sizeof(head));
  key.data = host->endpoint.api_key;
  key.len = strlen(key.data);
  host->replay.only_plan = true;
  host->replay.exact = true;
  code = ca_plan_read(host->options.operand, key, &head, err);
  if(code && head.run)
    code = refuse_old_plan(host, &head, err);
  else if(!code)
    code = take_plan(host, &head, earlier, err);
  ca_plan_head_clear(&head);
  return code;
}

/* ---- undo ---- */

static enum ca_code ready_undo(struct host *host, struct earlier *earlier,
                               struct ca_err *err)
{
  char what[160];
  enum ca_code code = read_run(host, earlier, err);
  if(!code)
    code = check_mode(earlier, "undo", err);
  if(!code)
    code = take_undo(host, earlier->row.name, err);
  if(code)
    return code;
  if(!strcmp(host->options.operand, "last"))
    host_terminal_print(host, "last: run %s of %s", earlier->row.name,
                        earlier->row.info.script);
  snprintf(what, sizeof(what), "run %s", earlier->row.name);
  return join_project(host, earlier, what, err);
}

/* ---- the verbs ---- */

static enum ca_code ready(struct host *host, struct ca_err *err)
{
  bool undo = host->options.verb == HOST_UNDO;
  bool plan = host->options.verb == HOST_APPLY;
  struct earlier earlier = { 0 };
  enum ca_code code;
  host->options.apply =
      host->options.apply || !(undo || host->options.save_plan);
  host->replay.on = !undo;
  if(!undo &&
     host_options_saved_make_absolute(&host->options, host->here, err))
    return err->code;
  if(plan) {
    code = ready_plan(host, &earlier, err);
  } else {
    code = host_setup_state(host, err);
    if(!code)
      code = undo ? ready_undo(host, &earlier, err)
                  : ready_resume(host, &earlier, err);
  }
  forget(&earlier);
  return code;
}

int host_replay(struct host *host)
{
  return host_run_prepared(host, ready);
}
