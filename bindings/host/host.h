/* One process of composio-lua: what its files share.
   Must not know: curl, how Lua values look. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <lua5.4/lua.h>
#include "emulator.h"
#include "endpoint.h"
#include "ledger.h"
#include "sandbox.h"
#include "log.h"
#include "lua_ledger.h"
#include "options.h"
#include "place.h"

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
  volatile int stop;     /* a signal, or enum lca_stop */
  int64_t stop_since_ms; /* when that was first seen; 0: not yet */
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
  char run_id[96]; /* "" until the run stands in the ledger */
  char cwd[HOST_PATH_SIZE];    /* where the run was started */
  char user[64];
  char machine[256];
  struct ca_buf options_json;  /* what was given, for the ledger */
  struct lca_replay replay;
  char *given;       /* owned; parameters of a replay, as JSON */
  char undoes[96];   /* the run that is undone, or "" */
  char run_url[512]; /* base URL of the run that goes on, or "" */
  bool other_key;    /* the plan was made with another key */
  bool finished;     /* nothing is left to do; told */
  FILE *log;
  struct host_sandbox sandbox;
  lua_State *L;
  bool failed;       /* the script raised */
  bool over;         /* the script has ended: no call any more */
  bool key_rejected; /* and it was about the key */
  bool report_failed;
  char error[1200]; /* what it raised */
  struct host_counts counts;
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
/* Opens the ledger and begins the run in it; salt: of a saved plan, or NULL. */
CA_MUST_USE enum ca_code host_begin_run(struct host *host,
                                        const unsigned char *salt,
                                        struct ca_err *err);

/* ---- words.c ---- */

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
void host_show_plan(struct host *host, const struct lca_plan *plan);
/* Draws the progress line when it is time to. */
void host_show_progress(struct host *host);
void host_clear_progress(struct host *host);
/* The last words of a run. */
void host_show_summary(struct host *host);
/* The command to type next, into out; "" when there is none. */
void host_next_command(const struct host *host, char *out, size_t size);

/* ---- summary.c ---- */

/* Reads the counts of the run back from the ledger. */
void host_read_counts(struct host *host);
/* Writes the JSON object that --summary asked for. */
void host_write_summary(struct host *host);

#endif
