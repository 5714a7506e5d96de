/* The verbs apply PLAN, resume RUN and undo RUN, which carry out what a file
   or the ledger holds. Each finds the run or plan and checks that it belongs
   to this project; then it runs like any other (run.c). Must not know: curl,
   Lua values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/digest.h"
#include "host/host.h"
#include "planfile/plan.h"
#include "base/json.h"

#define UNDO        "undo:"
#define UNDO_SCRIPT "require \"composio.core\".undo()\n"
#define TEXT_MAX    (1u << 16)

/* Copies of what the ledger, or a plan file, says about an earlier run. */
struct former {
  char name[96];
  char script[HOST_PATH_SIZE];
  char word[HOST_PATH_SIZE];
  char sha[CA_DIGEST_SIZE];
  char project[17];
  char base_url[512];
  char cwd[HOST_PATH_SIZE];
  char undoes[96];
  char mode[16];
  char *params;  /* owned */
  char *options; /* owned */
  int64_t ended_ms;
  int exit_code;
  bool sealed;
  bool has_counts;
  int64_t changes[CA_OUTCOME_COUNT];
  int64_t failed_items; /* not those that a fallback made good */
  bool found;
};

static void copy(char *to, size_t size, const char *from)
{
  ca_err_copy_text(to, size, from ? from : "", from ? strlen(from) : 0);
}

static void forget(struct former *former)
{
  free(former->params);
  free(former->options);
  memset(former, 0, sizeof(*former));
}

/* ---- finding the run ---- */

/* "last" means the newest run that was not a preview: a preview can be neither
   resumed nor undone. */
static bool is_wanted(const struct former *former,
                      const struct ca_run_row *row)
{
  if(former->name[0])
    return !strcmp(row->name, former->name);
  return !strcmp(row->info.mode, "apply");
}

static bool take_run(void *ctx, const struct ca_run_row *row)
{
  struct former *former = ctx;
  if(!is_wanted(former, row))
    return true;
  copy(former->name, sizeof(former->name), row->name);
  copy(former->script, sizeof(former->script), row->info.script);
  copy(former->word, sizeof(former->word), row->info.word);
  copy(former->sha, sizeof(former->sha), row->info.script_sha);
  copy(former->project, sizeof(former->project), row->info.project);
  copy(former->base_url, sizeof(former->base_url), row->info.base_url);
  copy(former->cwd, sizeof(former->cwd), row->info.cwd);
  copy(former->undoes, sizeof(former->undoes), row->info.undoes);
  copy(former->mode, sizeof(former->mode), row->info.mode);
  former->params = strdup(row->info.params ? row->info.params : "{}");
  former->options = strdup(row->info.options ? row->info.options : "{}");
  former->ended_ms = row->ended_ms;
  former->exit_code = row->exit_code;
  former->sealed = row->sealed;
  former->has_counts = row->has_counts;
  memcpy(former->changes, row->changes, sizeof(former->changes));
  former->found = former->params && former->options;
  return false;
}

static void count_failed_items(void *ctx, const char *operation,
                               enum ca_outcome outcome, int64_t count)
{
  struct former *former = ctx;
  if(!operation && outcome == CA_FAILED)
    former->failed_items += count;
}

/* A failed change is not retried if its item ended well by a fallback. */
static enum ca_code read_failures(struct ca_ledger *ledger,
                                  struct former *former, struct ca_err *err)
{
  enum ca_code code;
  if(!former->changes[CA_FAILED])
    return CA_OK;
  code = ca_run_select(ledger, former->name, err);
  return code ? code
              : ca_count_outcomes(ledger, -1, count_failed_items, former, err);
}

static enum ca_code read_run(struct host *host, struct former *former,
                             struct ca_err *err)
{
  bool found = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  enum ca_code code = CA_OK;
  if(!ledger && err->code)
    return err->code;
  if(!ledger)
    return ca_err_set(err, CA_USAGE, "there are no runs in %s yet",
                      host->state_dir);
  if(strcmp(host->options.operand, "last") != 0)
    code = ca_history_find_run(ledger, host->options.operand, former->name,
                               sizeof(former->name), err);
  if(!code)
    code = ca_history_runs(ledger, NULL, take_run, former, err);
  if(!code && !former->name[0])
    code = ca_err_set(
        err, CA_USAGE,
        "there are only previews in %s: no run has changed anything",
        host->state_dir);
  if(!code && !former->found)
    code = ca_err_set(err, CA_NOMEM, "out of memory");
  if(!code)
    code = read_failures(ledger, former, err);
  ca_ledger_close(ledger);
  return code;
}

/* ---- checks ---- */

static enum ca_code check_project(const struct host *host,
                                  const struct former *former,
                                  const char *what, struct ca_err *err)
{
  if(!strcmp(former->project, host->project))
    return CA_OK;
  if(strcmp(former->base_url, host->base_url) != 0)
    return ca_err_set(err, CA_USAGE,
                      "refused: %s was made for %s, but requests would go to "
                      "%s; give the right --base-url",
                      what, former->base_url, host->base_url);
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
  copy(host->undoes, sizeof(host->undoes), run);
  snprintf(host->script, sizeof(host->script), UNDO "%s", run);
  copy(host->script_path, sizeof(host->script_path), host->script);
  copy(host->word, sizeof(host->word), host->script);
  copy(host->script_dir, sizeof(host->script_dir), ".");
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
static enum ca_code take_script(struct host *host, const struct former *former,
                                const char *what, struct ca_err *err)
{
  char path[HOST_PATH_SIZE] = "";
  struct ca_err ignored;
  bool read = false;
  ca_err_clear(&ignored);
  if(is_undo(former->script))
    return take_undo(host, former->undoes, err);
  if(former->word[0] &&
     host_paths_script(former->word, path, sizeof(path), &ignored))
    path[0] = '\0';
  if(is_script(host, former->script, former->sha, &read) ||
     is_script(host, path, former->sha, &read)) {
    copy(host->word, sizeof(host->word), former->word);
    return CA_OK;
  }
  if(read)
    return ca_err_set(err, CA_USAGE,
                      "refused: the script %s is not the one that %s was made "
                      "with (SHA-256 was %.12s, is %.12s): restore the old "
                      "script, or start a new run",
                      former->script, what, former->sha, host->script_sha);
  return ca_err_set(err, CA_USAGE,
                    "refused: the script %s of %s cannot be read (SHA-256 "
                    "%.12s): restore it, or start a new run",
                    former->script, what, former->sha);
}

static enum ca_code take_params(struct host *host, const char *params,
                                struct ca_err *err)
{
  free(host->given);
  host->given = strdup(params && *params ? params : "{}");
  if(host->options.param_count)
    return ca_err_set(
        err, CA_USAGE,
        "'%s' cannot be given here: the run keeps the parameters "
        "that it was started with; start a new run to change "
        "them",
        host->options.params[0]);
  return host->given ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

/* ---- the directory of the run ---- */

/* Makes a path of this command line absolute, before the working directory
   becomes that of the earlier run. */
static enum ca_code make_absolute(const char **path, char *out, size_t size,
                                  struct ca_err *err)
{
  char here[HOST_PATH_SIZE];
  int len;
  if(!*path || **path == '/' || !strcmp(*path, "-"))
    return CA_OK;
  if(!getcwd(here, sizeof(here)))
    return ca_err_set(err, CA_USAGE, "cannot find the current directory: %s",
                      strerror(errno));
  len = snprintf(out, size, "%s/%s", here, *path);
  if(len < 0 || (size_t)len >= size)
    return ca_err_set(err, CA_USAGE, "the path %s is too long", *path);
  *path = out;
  return CA_OK;
}

static enum ca_code go_there(struct host *host, const struct former *former,
                             struct ca_err *err)
{
  static char summary[2 * HOST_PATH_SIZE];
  static char state[2 * HOST_PATH_SIZE];
  const char *state_dir = host->state_dir;
  enum ca_code code =
      make_absolute(&host->options.summary, summary, sizeof(summary), err);
  if(!code)
    code = make_absolute(&state_dir, state, sizeof(state), err);
  if(code)
    return code;
  if(state_dir != host->state_dir)
    copy(host->state_dir, sizeof(host->state_dir), state_dir);
  if(former->cwd[0] && chdir(former->cwd))
    return ca_err_set(err, CA_USAGE,
                      "cannot change to %s, where the run was started: %s",
                      former->cwd, strerror(errno));
  copy(host->cwd, sizeof(host->cwd), former->cwd);
  return CA_OK;
}

/* ---- resume ---- */

/* Adds a JSON string as a quoted shell word. Returns false on failure. */
static bool add_value(struct ca_slice value, struct ca_buf *out)
{
  char text[HOST_PATH_SIZE];
  int64_t len = value.len > sizeof(text) ? -1 : ca_json_unescape(value, text);
  int64_t i;
  bool bad = len < 0 || ca_buf_add_text(out, " '");
  for(i = 0; i < len && !bad; i++)
    bad = text[i] == '\'' ? ca_buf_add_text(out, "'\\''")
                          : ca_buf_add(out, text + i, 1);
  return !bad && !ca_buf_add_text(out, "'");
}

static struct ca_json_scan scan_of(const char *json)
{
  struct ca_json_scan scan = { json, json };
  if(json)
    scan.end += strlen(json);
  return scan;
}

/* Adds " --name value" for each member of a JSON object except the plan. */
static void add_members(const char *json, struct ca_buf *out)
{
  struct ca_json_scan scan = scan_of(json);
  struct ca_slice key;
  struct ca_slice value;
  bool first = true;
  if(!ca_json_enter(&scan, '{'))
    return;
  while(ca_json_member(&scan, &first, &key) == 1) {
    enum ca_json_kind kind = ca_json_value(&scan, &value);
    size_t i;
    if(kind == CA_JSON_BAD)
      return;
    if(ca_slice_is(key, "plan"))
      continue;
    if(ca_buf_add_text(out, kind == CA_JSON_FALSE ? " --no-" : " --"))
      return;
    for(i = 0; i < key.len; i++)
      if(ca_buf_add(out, key.data[i] == '_' ? "-" : key.data + i, 1))
        return;
    if(kind == CA_JSON_STRING && !add_value(value, out))
      return;
  }
}

/* Finds the path of the plan that the run was to carry out. Returns false if
   there was none. */
static bool find_plan(const char *options, struct ca_slice *path)
{
  struct ca_json_scan scan = scan_of(options);
  struct ca_slice key;
  bool first = true;
  return ca_json_enter(&scan, '{') &&
         ca_json_member(&scan, &first, &key) == 1 &&
         ca_slice_is(key, "plan") &&
         ca_json_value(&scan, path) == CA_JSON_STRING;
}

static void add_former(const struct former *former, struct ca_buf *out)
{
  bool undo = former->undoes[0] != '\0';
  struct ca_slice plan;
  if(find_plan(former->options, &plan)) {
    if(ca_buf_add_text(out, "composio-lua apply") || !add_value(plan, out))
      return;
  } else {
    if(ca_buf_printf(out, "composio-lua %s %s", undo ? "undo" : "run",
                     undo ? former->undoes : former->word))
      return;
    add_members(former->params, out);
  }
  add_members(former->options, out);
}

static enum ca_code report_no_plan(struct host *host,
                                   const struct former *former,
                                   struct ca_err *err)
{
  struct ca_buf command;
  ca_buf_init(&command, TEXT_MAX);
  add_former(former, &command);
  ca_err_set(
      err, CA_USAGE,
      "run %s stopped while it was still planning: nothing was changed, "
      "so there is nothing to resume; run it again: %s",
      former->name, command.data ? ca_buf_text(&command) : "");
  host->exit_code = 0;
  ca_buf_clear(&command);
  return CA_USAGE;
}

static int64_t left_open(const struct former *former, bool failed)
{
  return former->changes[CA_PLANNED] + former->changes[CA_INTENDED] +
         former->changes[CA_NOT_TRIED] + former->changes[CA_UNKNOWN] +
         (failed && former->failed_items ? former->changes[CA_FAILED] : 0);
}

/* A run is finished when its script ran to its end and every change has a
   final outcome. */
static bool is_finished(const struct host *host, const struct former *former)
{
  bool ended_itself = former->exit_code == 0 || former->exit_code == 3 ||
                      (former->exit_code >= 64 && former->exit_code <= 74);
  return former->ended_ms && former->has_counts && ended_itself &&
         !left_open(former, host->options.failed);
}

static void report_finished(struct host *host, const struct former *former)
{
  char count[32];
  char more[120] = "";
  int64_t failed = former->failed_items ? former->changes[CA_FAILED] : 0;
  if(failed)
    snprintf(more, sizeof(more), "; --failed retries its %s failed change%s",
             ca_text_number(failed, count), failed == 1 ? "" : "s");
  host_terminal_print(
      host, "run %s is finished (exit %d): there is nothing to resume%s",
      former->name, former->exit_code, more);
  host->finished = true;
}

static enum ca_code reopen(struct host *host, const struct former *former,
                           struct ca_err *err)
{
  enum ca_code code;
  host_setup_machine(host);
  host->ledger = ca_ledger_open(host->state_dir, host->clock, err);
  if(!host->ledger)
    return err->code ? err->code : CA_SYSTEM;
  code = ca_run_reopen(host->ledger, former->name, host->user, host->machine,
                       err);
  if(code)
    return code;
  copy(host->run_id, sizeof(host->run_id), former->name);
  host_lock_name(host);
  host_summary_read_counts(host);
  memcpy(host->before, host->counts.items, sizeof(host->before));
  return CA_OK;
}

static enum ca_code ready_resume_of(struct host *host, struct former *former,
                                    struct ca_err *err)
{
  char what[160];
  struct ca_slice plan;
  enum ca_code code = read_run(host, former, err);
  if(code)
    return code;
  host->replay.exact = find_plan(former->options, &plan);
  if(strcmp(former->mode, "apply") != 0)
    return ca_err_set(err, CA_USAGE,
                      "run %s was a preview: it changed nothing, so there is "
                      "nothing to resume; run its script with --apply",
                      former->name);
  snprintf(what, sizeof(what), "run %s", former->name);
  copy(host->run_url, sizeof(host->run_url), former->base_url);
  code = host_options_saved_restore(&host->options, former->options,
                                    former->cwd, err);
  if(!code)
    code = host_setup_service(host, err);
  if(!code)
    code = check_project(host, former, what, err);
  if(!code)
    code = host_setup_lock(host, err);
  if(code)
    return code;
  /* another process may have resumed the run before we took the lock */
  forget(former);
  code = read_run(host, former, err);
  if(code)
    return code;
  if(is_finished(host, former)) {
    report_finished(host, former);
    return CA_OK;
  }
  if(!former->sealed)
    return report_no_plan(host, former, err);
  code = take_script(host, former, what, err);
  if(!code)
    code = take_params(host, former->params, err);
  if(!code)
    code = go_there(host, former, err);
  return code ? code : reopen(host, former, err);
}

static enum ca_code ready_resume(struct host *host, struct ca_err *err)
{
  struct former former;
  enum ca_code code;
  memset(&former, 0, sizeof(former));
  host->options.apply = true;
  host->replay.on = true;
  host->replay.precheck = true;
  host->replay.failed = host->options.failed;
  code = host_setup_state(host, err);
  if(!code)
    code = ready_resume_of(host, &former, err);
  forget(&former);
  return code;
}

int host_replay_resume(struct host *host)
{
  return host_run_prepared(host, ready_resume);
}

/* ---- apply ---- */

static enum ca_code of_plan(const struct ca_plan_head *head,
                            struct former *former, struct ca_err *err)
{
  copy(former->name, sizeof(former->name), head->run);
  copy(former->script, sizeof(former->script), head->script);
  copy(former->word, sizeof(former->word), head->word);
  copy(former->sha, sizeof(former->sha), head->script_sha);
  copy(former->project, sizeof(former->project), head->project);
  copy(former->base_url, sizeof(former->base_url), head->base_url);
  copy(former->undoes, sizeof(former->undoes), head->undoes);
  former->params = strdup(head->params ? head->params : "{}");
  return former->params ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

static enum ca_code begin_plan(struct host *host,
                               const struct ca_plan_head *head,
                               struct ca_err *err)
{
  static char path[2 * HOST_PATH_SIZE];
  enum ca_code code = host_setup_state(host, err);
  if(!code)
    code = make_absolute(&host->options.operand, path, sizeof(path), err);
  if(!code)
    code = host_setup_lock(host, err);
  if(!code)
    code = host_run_begin(host, head->salt_known ? head->salt : NULL, err);
  if(!code)
    code = ca_plan_load(host->options.operand, host->ledger, err);
  return code;
}

static enum ca_code ready_plan_of(struct host *host, struct ca_plan_head *head,
                                  struct former *former, struct ca_err *err)
{
  struct ca_slice key = { host->endpoint.api_key, 0 };
  enum ca_code code;
  key.len = strlen(key.data);
  code = ca_plan_read(host->options.operand, key, head, err);
  if(!code)
    code = of_plan(head, former, err);
  if(!code)
    code = check_project(host, former, host->options.operand, err);
  if(!code)
    code = take_script(host, former, host->options.operand, err);
  if(!code)
    code = take_params(host, former->params, err);
  if(code)
    return code;
  host->other_key = strcmp(former->project, host->project) != 0;
  if(!head->changes) {
    host_terminal_print(host,
                        "the plan has no changes: there is nothing to do");
    host->finished = true;
    return CA_OK;
  }
  return begin_plan(host, head, err);
}

static enum ca_code ready_plan(struct host *host, struct ca_err *err)
{
  struct ca_plan_head head;
  struct former former;
  enum ca_code code;
  memset(&head, 0, sizeof(head));
  memset(&former, 0, sizeof(former));
  host->options.apply = true;
  host->replay.on = true;
  host->replay.only_plan = true;
  host->replay.exact = true;
  host->replay.precheck = true;
  code = host_setup_service(host, err);
  if(!code)
    code = ready_plan_of(host, &head, &former, err);
  ca_plan_head_clear(&head);
  forget(&former);
  return code;
}

int host_replay_apply(struct host *host)
{
  return host_run_prepared(host, ready_plan);
}

/* ---- undo ---- */

static enum ca_code ready_undo_of(struct host *host, struct former *former,
                                  struct ca_err *err)
{
  char what[160];
  enum ca_code code = read_run(host, former, err);
  if(code)
    return code;
  if(strcmp(former->mode, "apply") != 0)
    return ca_err_set(err, CA_USAGE,
                      "run %s was a preview: it changed nothing, so there is "
                      "nothing to undo",
                      former->name);
  snprintf(what, sizeof(what), "run %s", former->name);
  copy(host->run_url, sizeof(host->run_url), former->base_url);
  code = take_undo(host, former->name, err);
  if(!code)
    code = host_setup_service(host, err);
  if(!code)
    code = check_project(host, former, what, err);
  return code ? code : host_setup_lock(host, err);
}

static enum ca_code ready_undo(struct host *host, struct ca_err *err)
{
  struct former former;
  enum ca_code code;
  memset(&former, 0, sizeof(former));
  code = host_setup_state(host, err);
  if(!code)
    code = ready_undo_of(host, &former, err);
  forget(&former);
  return code;
}

int host_replay_undo(struct host *host)
{
  return host_run_prepared(host, ready_undo);
}
