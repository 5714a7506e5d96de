/* The state of one composio-lua process, and the functions that the files of
   bindings/host share.
   Must not know: curl, Lua values. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <lua.h>
#include "host/emulator.h"
#include "base/held.h"
#include "wire/endpoint.h"
#include "ledger/ledger.h"
#include "host/sandbox.h"
#include "host/lock.h"
#include "base/digest.h"
#include "base/log.h"
#include "job/run.h"
#include "host/options.h"
#include "host/paths.h"
#include "host/profile.h"
#include "host/protect.h"

/* What the script raised. */
enum host_raised {
  HOST_RAISED_NOTHING,
  HOST_RAISED_OTHER,
  HOST_RAISED_REJECTED, /* the service rejected the API key */
  HOST_RAISED_ROUTE,    /* the service has no such route */
  HOST_RAISED_DOWN      /* the service cannot be reached, or not used now */
};

struct host {
  struct host_options options;
  int argc;
  char **argv;
  const struct ca_clock *clock;
  int64_t start_ms;
  volatile int stop;         /* a signal, or enum lca_stop */
  int64_t stop_since_ms;     /* when `stop` was first seen; 0: not yet */
  char word[HOST_PATH_SIZE]; /* the script as named on the command line */
  char script_path[HOST_PATH_SIZE]; /* absolute, or "undo:RUN" */
  char script[HOST_PATH_SIZE];
  char script_dir[HOST_PATH_SIZE];
  char script_sha[65];
  char *script_text; /* owned */
  size_t script_len;
  struct host_emulator emulator;
  struct ca_buf key;
  struct ca_endpoint_options endpoint;
  char project[17];
  char base_url[512];
  char state_dir[HOST_PATH_SIZE];
  bool scratch; /* state_dir is private and is removed at the end */
  struct ca_ledger *ledger;
  char run_id[96];           /* "" until the run is in the ledger */
  char here[HOST_PATH_SIZE]; /* where this process was started; "": unknown */
  char cwd[HOST_PATH_SIZE];  /* where the run was started */
  char machine[256];
  struct ca_buf options_json; /* the given options, for the ledger */
  struct lca_replay replay;
  char *given;     /* owned; a replay's parameters, as JSON */
  char undoes[96]; /* the run to undo, or "" */
  char redoes[96]; /* the run whose failed rows this one plans again, or "" */
  struct ca_ledger *earlier; /* that run, selected for reading, or NULL */
  char run_url[512];         /* base URL of the run to resume or undo, or "" */
  char
      plan[CA_DIGEST_SIZE]; /* digest of the plan that is carried out, or "" */
  /* Interrupted like runs, or "": */
  char like[96];  /* this run was refused for it */
  char first[96]; /* --resume-first finishes it before this one begins */
  bool other_key; /* the plan was made with another API key */
  bool finished;  /* nothing to do; the message is already printed */
  struct host_lock lock;
  struct host_protect protect;
  int confirm_asked;     /* numbers asked for so far */
  bool confirm_one_seen; /* straight-line changes have asked for theirs */
  int confirm_one_place; /* its index in --confirm */
  int64_t confirm_most;  /* straight-line changes allowed; -1: none given */
  struct ca_log log;     /* the log of --log; its file is NULL without that
                            option */
  struct ca_buf summary; /* the JSON object of --summary, a line */
  struct host_sandbox sandbox;
  lua_State *L;
  enum host_raised raised; /* by the script */
  bool over;               /* the script has ended: calls raise */
  bool plan_saved;
  const char *incomplete; /* why a preview has not seen all that --apply would
                             do, or NULL; static storage */
  int64_t links_lost;     /* rows of reports whose link nobody received */
  bool report_failed;
  char error[1200]; /* what it raised */
  struct ca_counts counts;
  bool counts_unknown; /* the ledger could not be read: counts are all 0 */
  int64_t before[CA_OUTCOME_COUNT]; /* items before this session */
  bool written;                     /* has the run sent a change? */
  int exit_code;
  bool progress_shown;
  int64_t progress_ms;     /* when the progress line was last drawn */
  bool released;           /* from now on -q holds back nothing */
  struct ca_held printed;  /* under -q: what the script has printed */
  struct ca_held reported; /* and the lines of the host itself */
};

/* Has a signal ended the run? */
static inline bool host_is_signalled(const struct host *host)
{
  return host->stop > 0 && host->stop < LCA_STOP_DEADLINE;
}

/* Has a signal or the deadline? Then nothing new is sent. */
static inline bool host_is_cut(const struct host *host)
{
  return host->stop > 0 && host->stop < LCA_STOP_PREVIEW;
}

/* ---- run.c ---- */

/* The verb run. Returns the exit code. */
int host_run(struct host *host);
/* Runs what `ready` prepares: the script's text, the service, the state
   directory, the lock, and for a replay the ledger. ready fails with the
   reason in err, and with host->exit_code set if that is not 2. If it sets
   host->finished there is nothing to run. Returns the exit code. */
int host_run_prepared(struct host *host,
                      enum ca_code (*ready)(struct host *host,
                                            struct ca_err *err));
/* Opens the ledger and begins the run in it. salt is a saved plan's, or NULL.
 */
CA_MUST_USE enum ca_code host_run_begin(struct host *host,
                                        const unsigned char *salt,
                                        struct ca_err *err);

/* ---- host/setup.c ---- */

/* Prepares a new run. */
CA_MUST_USE enum ca_code host_setup_run(struct host *host, struct ca_err *err);
/* The steps of preparing, in their order. */
CA_MUST_USE enum ca_code host_setup_script(struct host *host, const char *path,
                                           struct ca_err *err);
CA_MUST_USE enum ca_code host_setup_service(struct host *host,
                                            struct ca_err *err);
/* Gives each of several shards its part of the pace. A saved plan's shard is
   known only after the service. */
void host_setup_share_pace(struct host *host);
CA_MUST_USE enum ca_code host_setup_state(struct host *host,
                                          struct ca_err *err);
CA_MUST_USE enum ca_code host_setup_lock(struct host *host,
                                         struct ca_err *err);
/* Sets machine and cwd: the first step. */
void host_setup_machine(struct host *host);
/* Describes this run for the ledger; the texts belong to host. */
void host_setup_describe_run(struct host *host, struct ca_run_info *info);
/* Sets the timer of --deadline, if it is given. It counts from the start of
   the first process, so all runs of one command share it. */
void host_setup_deadline(struct host *host);
/* May requests in flight still be waited for? They are given up ten seconds
   after a signal or the deadline was seen. */
bool host_setup_may_wait(struct host *host);

/* ---- host/finish.c ---- */

/* Handles a script that did not call composio.job: prints help if asked for.
   Returns false, after a message, if it was given parameters. */
bool host_finish_check_job(struct host *host);
/* Ends the run after its script: exit code, ledger, printed summary. */
void host_finish_run(struct host *host);
/* Returns that of two exit codes which comes first in docs/exits.md. written:
   something was sent; 1 then replaces 2, and 7 replaces 4 and 75, which
   promise that nothing was. */
int host_finish_worse(int a, int b, bool written);

/* ---- replay.c ---- */

/* Carries out the verb apply, resume or undo and returns the exit code. */
int host_replay(struct host *host);

/* ---- interrupted.c ---- */

/* Finds the newest run of the same script, parameters and words, not for
   another slice of the same --shard, that acted and left changes without an
   outcome, or creates that may have been carried out.
   name: its id, or "" when there is none. Call it after composio.job. */
CA_MUST_USE enum ca_code host_interrupted_find(struct host *host, char *name,
                                               size_t size,
                                               struct ca_err *err);

/* Finds a run of the same script, parameters and words that has ended with 0
   within --if-older, took all items that this one takes, and was not undone.
   reads: this job only reads, so that previews count, too.
   Call it after composio.job. */
bool host_interrupted_find_recent(struct host *host, bool reads, char *name,
                                  size_t size);

/* ---- runs.c ---- */

/* Carries out the verb runs, show, history or resolve and returns the exit
   code. They need no API key and no network. */
int host_runs_verb(struct host *host);
/* Carries out the verb doctor and returns the exit code. */
int host_runs_doctor(struct host *host);

/* ---- history.c ---- */

/* Completes composio.host, the table on top, with what history.lua asks of the
   host. [-0, +0, m] */
void host_history_add(lua_State *L, struct host *host);

/* ---- command_line.c ---- */

/* Pushes a list of strings. [-0, +1, m] */
void host_command_line_push_words(lua_State *L, char **words, int count);
/* Adds to composio.host, the table on top, what job.lua needs of the command
   line. [-0, +0, m] */
void host_command_line_add(lua_State *L, struct host *host);
/* Adds what the verbs need besides: the operands, options under the names
   that the shipped Lua uses, `carried` (the options that the next command
   needs, too: a list in which names and values alternate), and the shipped
   scripts. [-0, +0, m] */
void host_command_line_add_verb(lua_State *L, const struct host *host);

/* ---- shipped.c ---- */

/* Calls a function of a shipped Lua module in a state of its own. Its
   argument is a table that `add` (NULL: none) fills from `from`; members
   that are absent are read from the host table. If the module itself is a
   function, it is called first, with composio.core and the host table.
   Appends the text that the function returns to out, unless out is NULL.
   Returns the integer that the function returns, or 0. Prints an error, and
   then returns its negated status: -LUA_ERRRUN. */
int host_shipped_call(struct host *host, const char *module,
                      const char *function,
                      void (*add)(lua_State *L, const void *from),
                      const void *from, struct ca_buf *out);
/* Prints a page of help.lua: "usage", "scripts" (the shipped ones), or
   "script" (one that has no composio.job). Returns the exit code. */
int host_shipped_help(struct host *host, const char *page);

/* ---- preview.c ---- */

/* Prints the plan of a bulk. */
void host_preview_show(struct host *host, const struct lca_plan *plan);
/* Pushes the function changes(bulk, outcome). It returns an iterator over
   the changes with that outcome of a bulk (-1: all bulks, 0: straight-line
   changes): operation, account, toolkit, user, status before, a line with
   the other facts, and the error or nil. [-0, +1, m] */
void host_preview_push_changes(lua_State *L, const struct host *host);

/* ---- confirm.c ---- */

/* Reads the files of --protect into host->protect. CA_USAGE for a line that
   cannot be read; warns of a file that protects nothing. */
CA_MUST_USE enum ca_code host_confirm_read_protect(struct host *host,
                                                   struct ca_err *err);
/* Confirms the `count` irreversible changes of a plan, by the next number of
   --confirm or else by asking on the terminal. what describes them: "delete
   10, revoke 2". CA_USAGE with the refusal, CA_CANCELLED if a signal arrived
   before the answer. */
CA_MUST_USE enum ca_code host_confirm(struct host *host, int64_t count,
                                      const char *what, struct ca_err *err);
/* The same for a straight-line change, the count-th irreversible one. All such
   changes share one number, which is the most that may happen. */
CA_MUST_USE enum ca_code host_confirm_one(struct host *host, int64_t count,
                                          const char *what,
                                          struct ca_err *err);

/* Adds to composio.host, the table on top, what secret.lua needs: values of
   secret parameters, from files, the environment and the terminal, and
   their fingerprints. [-0, +0, m] */
void host_confirm_add_secrets(lua_State *L, struct host *host);

/* ---- versions.c ---- */

/* Prints the output of --version. Returns the exit code. */
int host_versions(void);

/* ---- terminal.c ---- */

/* Prints a line on stderr, unless -q is given. Escapes control bytes, masks
   secrets and clears the progress line first. Ignores failed writes. If
   there is a log, a warning or error also goes there. */
void host_terminal_print(struct host *host, const char *fmt, ...)
    CA_PRINTF(2, 3);
/* The same for lines about failures: -q does not drop them but holds them
   back. */
void host_terminal_print_always(struct host *host, const char *fmt, ...)
    CA_PRINTF(2, 3);
/* Prints a warning or error, also with -q, after the program's name. */
void host_terminal_complain(struct host *host, const char *fmt, ...)
    CA_PRINTF(2, 3);
/* The same for what is lost although the run may end with 0: -q does not hold
   it back. */
void host_terminal_complain_now(struct host *host, const char *fmt, ...)
    CA_PRINTF(2, 3);
/* Stops holding back. If the run did not end with 0, prints what was held
   back: the script's output on stdout, the host's lines on stderr. */
void host_terminal_release(struct host *host, int code);
/* Prints a question without a line end. */
void host_terminal_prompt(struct host *host, const char *text);
/* Draws the progress line, at most ten times a second. */
void host_terminal_show_progress(struct host *host);
void host_terminal_clear_progress(struct host *host);

/* ---- result.c ---- */

/* Reads the run's counts from the ledger. If that fails, prints why and sets
   host->counts_unknown. */
void host_result_read_counts(struct host *host);
/* Adds to the table on top what is known of the run, the host (from).
   [-0, +0, m] */
void host_result_add_facts(lua_State *L, const void *from);
/* Prints for people how the run ended. */
void host_result_show(struct host *host);
/* Call it before anything else. Opens the log and pings. CA_USAGE for a file
   that cannot be written or run. */
CA_MUST_USE enum ca_code host_result_begin(struct host *host,
                                           struct ca_err *err);
/* Completes the names of the files that the run writes and opens the log: from
   now on each line that is printed also goes there. Does nothing the second
   time. CA_USAGE. host_result_begin calls it, except where resume and undo
   first have to learn the profile of the earlier run. */
CA_MUST_USE enum ca_code host_result_open_log(struct host *host,
                                              struct ca_err *err);
/* Call it when the exit code is known. Writes the summary and the metrics;
   under --cron prints what went wrong. */
void host_result_end(struct host *host);
/* Call it when the ledger is closed and the lock is free. Runs the
   executable of --on-end, pings, writes the log's last line. */
void host_result_after(struct host *host);

/* ---- next_command.c ---- */

/* Write the command that makes a plan again, that takes up what a run has left
   or starts it again if it has changed nothing, or that takes up the newest
   run with something left ("run X is not: …"), with the options of this
   command line that it needs, too; "" when there is none. */
void host_next_command_restart(struct host *host,
                               const struct ca_run_info *info, char *out,
                               size_t size);
void host_next_command_take_up(struct host *host, const char *run, char *out,
                               size_t size);
void host_next_command_newest(struct host *host, char *out, size_t size);
/* Stores the options that the run needs to be resumed after a guard refused
   what is left of it, or that it needs none. */
CA_MUST_USE enum ca_code host_next_command_keep_needs(struct host *host,
                                                      struct ca_err *err);

#endif
