/* One process of composio-lua: what its files share.
   Must not know: curl, how Lua values look. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <lua.h>
#include "host/emulator.h"
#include "wire/endpoint.h"
#include "ledger/ledger.h"
#include "host/sandbox.h"
#include "host/lock.h"
#include "base/log.h"
#include "job/run.h"
#include "host/options.h"
#include "host/paths.h"
#include "host/protect.h"

#define HOST_OPERATIONS 24

/* How many changes of each operation, and how many items, ended how. */
struct host_counts {
  int64_t items[CA_OUTCOME_COUNT];
  struct {
    char name[64];
    int64_t changes[CA_OUTCOME_COUNT];
  } operations[HOST_OPERATIONS];
  size_t operation_count;
};

struct host {
  struct host_options options;
  int argc;
  char **argv;
  const struct ca_clock *clock;
  int64_t start_ms;
  volatile int stop;                /* a signal, or enum lca_stop */
  int64_t stop_since_ms;            /* when that was first seen; 0: not yet */
  char word[HOST_PATH_SIZE];        /* the script as it was named */
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
  bool scratch; /* state_dir is ours alone and goes with us */
  struct ca_ledger *ledger;
  char run_id[96];          /* "" until the run stands in the ledger */
  char cwd[HOST_PATH_SIZE]; /* where the run was started */
  char user[64];
  char machine[256];
  struct ca_buf options_json; /* what was given, for the ledger */
  struct lca_replay replay;
  char *given;       /* owned; parameters of a replay, as JSON */
  char undoes[96];   /* the run that is undone, or "" */
  char run_url[512]; /* base URL of the run that goes on, or "" */
  bool other_key;    /* the plan was made with another key */
  bool finished;     /* nothing is left to do; told */
  struct host_lock lock;
  struct host_protect protect;
  int confirm_asked;     /* how many numbers were asked for */
  bool confirm_one_seen; /* one of them for straight-line changes: */
  int confirm_one_place; /* the one at this place, */
  int64_t confirm_most;  /* so many may happen; -1: none was given */
  int64_t irreversible[HOST_CONFIRM_MAX]; /* what a preview would ask for */
  int irreversible_count;
  FILE *log;
  struct host_sandbox sandbox;
  lua_State *L;
  bool failed;       /* the script raised */
  bool over;         /* the script has ended: no call any more */
  bool key_rejected; /* and it was about the key */
  bool plan_saved;
  bool report_failed;
  char error[1200]; /* what it raised */
  struct host_counts counts;
  bool counts_unknown; /* the ledger could not be read: counts are all 0 */
  /* items by outcome: before this part of the run, and what it added */
  int64_t before[CA_OUTCOME_COUNT];
  int64_t this_time[CA_OUTCOME_COUNT];
  int exit_code;
  bool progress_shown;
  int64_t progress_ms; /* when it was last drawn */
};

/* ---- run.c ---- */

/* Runs a script from its text to its exit code. */
int host_run(struct host *host);
/* The same for what `ready` readies: the script's text, the service, the state
   directory, the lock, and in a replay the ledger. It fails with the reason in
   err, or with host->exit_code set when that was told; host->finished ends it
   well. */
int host_go(struct host *host,
            enum ca_code (*ready)(struct host *host, struct ca_err *err));
/* Opens the ledger and begins the run in it; salt: of a saved plan, or NULL.
 */
CA_MUST_USE enum ca_code host_begin_run(struct host *host,
                                        const unsigned char *salt,
                                        struct ca_err *err);

/* ---- host/setup.c ---- */

/* Readies a fresh run. */
CA_MUST_USE enum ca_code host_prepare_run(struct host *host,
                                          struct ca_err *err);
/* Steps of readying, in the order in which they come. */
CA_MUST_USE enum ca_code host_read_script(struct host *host, const char *path,
                                          struct ca_err *err);
CA_MUST_USE enum ca_code host_prepare_service(struct host *host,
                                              struct ca_err *err);
CA_MUST_USE enum ca_code host_prepare_state(struct host *host,
                                            struct ca_err *err);
CA_MUST_USE enum ca_code host_prepare_lock(struct host *host,
                                           struct ca_err *err);
/* Fills user, machine and cwd. */
void host_know_machine(struct host *host);
/* What the ledger is to know of this run; texts are the host's. */
void host_describe_run(struct host *host, struct ca_run_info *info);
/* When what is under way is given up: ten seconds after a signal was seen; -1:
   not yet. Monotonic. ctx: the host. */
int64_t host_deadline_ms(void *ctx);

/* ---- host/finish.c ---- */

/* A script without a job was given parameters: told, false. */
bool host_check_job(struct host *host);
/* From the script's end to the exit code, the ledger's end and the summary. */
void host_end_run(struct host *host);

/* ---- replay.c ---- */

/* The verbs that carry out what the ledger or a file holds, to their exit
   code. */
int host_apply(struct host *host);
int host_resume(struct host *host);
int host_undo(struct host *host);

/* ---- past.c, past_show.c ---- */

/* The verbs that look back, to their exit code. They need no key and no
   network. */
int host_runs(struct host *host);
int host_show(struct host *host);
int host_history(struct host *host);

/* ---- confirm.c ---- */

/* Reads the files of --protect into host->protect. CA_USAGE for a line that is
   none; a file that protects nobody is told. */
CA_MUST_USE enum ca_code host_read_protect(struct host *host,
                                           struct ca_err *err);
/* Are the irreversible changes of a plan, `count` of them, to be made? By the
   next number of --confirm, else by asking on a terminal. what: "delete 10,
   revoke 2". CA_USAGE with the line of the refusal, CA_CANCELLED when a signal
   came before the answer. */
CA_MUST_USE enum ca_code host_confirm(struct host *host, int64_t count,
                                      const char *what, struct ca_err *err);
/* The same for one straight-line change that is the count-th irreversible one:
   here the number is the most that may happen, and all of them share one. */
CA_MUST_USE enum ca_code host_confirm_one(struct host *host, int64_t count,
                                          const char *what,
                                          struct ca_err *err);

/* ---- versions.c ---- */

/* Prints what --version tells; its exit code. */
int host_versions(void);

/* ---- host/command_line.c ---- */

/* Pushes a list of texts. [-0, +1, m] */
void host_push_words(lua_State *L, char **words, int count);
/* Completes composio.host, the table on top, with what the shipped Lua asks of
   the command line. [-0, +0, m] */
void host_add_words(lua_State *L, struct host *host);

/* ---- terminal.c ---- */

/* One line for people on stderr: cleaned, masked, after the progress line was
   taken away. Failing writes are ignored. */
void host_say(struct host *host, const char *fmt, ...) CA_PRINTF(2, 3);
/* The same for what is wrong, with the program's name in front. */
void host_complain(struct host *host, const char *fmt, ...) CA_PRINTF(2, 3);
/* A question, without a line end; what follows is typed. */
void host_prompt(struct host *host, const char *text);
/* 12345 as "12,345". */
const char *host_number(int64_t value, char out[32]);
void host_show_plan(struct host *host, const struct lca_plan *plan);
/* Draws the progress line when it is time to. */
void host_show_progress(struct host *host);
void host_clear_progress(struct host *host);
/* The last words of a run. */
void host_show_summary(struct host *host);

/* ---- host/next_command.c ---- */

/* The command to type next, into out; "" when there is none. */
void host_next_command(const struct host *host, char *out, size_t size);
/* "composio-lua resume RUN --failed" and the like, with what this command line
   says of where things are. tail: more words, or "". */
void host_verb_command(const struct host *host, const char *verb,
                       const char *operand, const char *tail, char *out,
                       size_t size);

/* ---- summary.c ---- */

/* Reads the counts of the run back from the ledger. Where it cannot be read,
   that is told and host->counts_unknown is set. */
void host_read_counts(struct host *host);
/* "done", "not_tried", …: an outcome as a JSON name. Static storage. */
const char *host_outcome_key(int outcome);
/* Writes the JSON object that --summary asked for. */
void host_write_summary(struct host *host);

#endif
