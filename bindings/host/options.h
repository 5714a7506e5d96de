/* The command line: the host's options as a table, and what a command line
   came to.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/buf.h"
#include "apply/guard.h"

enum host_verb {
  HOST_RUN,
  HOST_APPLY,
  HOST_RESUME,
  HOST_UNDO,
  HOST_RUNS,
  HOST_SHOW,
  HOST_HISTORY,
  HOST_HELP,
  HOST_SCRIPTS,
  HOST_VERSION
};
enum host_progress { HOST_AUTO, HOST_ALWAYS, HOST_NEVER };

#define HOST_OPTION_MAX   64
#define HOST_CONFIRM_MAX  64
#define HOST_PROTECT_MAX  16
#define HOST_KEPT_MAX     32
#define HOST_OPTIONS_SIZE 8192 /* of the options as help shows them */

/* --stop-on; `set` in each says whether it was given. */
struct host_stop_on {
  struct ca_stop_limit failed;
  struct ca_stop_limit unknown;
  struct ca_stop_limit stale;
};

/* Texts point into argv. Numbers that were not given keep their default. */
struct host_options {
  enum host_verb verb;
  const char *operand; /* what the verb is about; NULL: nothing was named */
  const char *script;  /* the operand of run and help; else NULL */
  bool help;           /* of the script when there is one */
  bool apply;          /* always with apply and resume */
  const char *base_url;
  const char *api_key_file;
  const char *state_dir;
  const char *tls_ca;
  const char *log;
  bool log_json;
  const char *summary; /* "-": stdout */
  bool emulator;
  int64_t emulator_accounts;
  bool show_all;
  const char *save_plan;
  int64_t max_changes;
  double max_percent;
  int64_t confirm[HOST_CONFIRM_MAX]; /* the k-th for the k-th asking */
  int confirm_count;
  const char *protect[HOST_PROTECT_MAX];
  int protect_count;
  bool delete_active;
  struct host_stop_on stop_on;
  bool same_project;
  int64_t lock_wait_ms; /* 0: does not wait */
  bool detailed_exitcode;
  bool failed; /* resume: what failed, too */
  bool json;
  int64_t limit; /* of runs; 0: all */
  int64_t concurrency;
  double rate_per_second;
  double budget_percent;
  int64_t timeout_ms;
  int64_t max_wait_ms;
  int64_t retries; /* -1: not given */
  enum host_progress progress;
  bool quiet;
  int verbose;
  int64_t memory_mb;
  int64_t instructions; /* 0: no limit */
  bool allow_io;
  bool allow_os;
  int64_t limit_items; /* 0: all */
  char **params;       /* owned array, the script's own */
  int param_count;
  char **rest; /* what follows "--"; points into argv */
  int rest_count;
  char *kept[HOST_KEPT_MAX]; /* owned texts of host_options_keep */
  int kept_count;
  /* By place in the table: what was given, and with which text. */
  struct {
    bool seen;
    const char *value; /* NULL: stands alone */
  } given[HOST_OPTION_MAX];
};

/* Takes from the options of an earlier part of the run (JSON, as
   host_options_json wrote it; paths are meant from dir) what belongs to the
   run and was not given anew: limits, protection, slicing, what its script may
   use. */
CA_MUST_USE enum ca_code host_options_keep(struct host_options *options,
                                           const char *json, const char *dir,
                                           struct ca_err *err);
/* Reads argv. CA_USAGE with one line that says what is wrong and what was
   meant. Owns nothing but params: host_options_clear frees it. */
CA_MUST_USE enum ca_code host_options_parse(struct host_options *options,
                                            int argc, char **argv,
                                            struct ca_err *err);
void host_options_clear(struct host_options *options);
/* "run", "apply", …; static storage. */
const char *host_options_verb(enum host_verb verb);

/* The options of run as help shows them, in their groups. */
void host_options_print(FILE *file);
/* The same into out (NUL-terminated, cut to size). */
void host_options_text(char *out, size_t size);
/* All of them, also those that other verbs alone take. */
void host_options_print_all(FILE *file);
/* The i-th option's name without dashes; NULL after the last. */
const char *host_options_name(int i);

/* What was given as a JSON object of option names and texts, true for options
   without a value: for the ledger. */
CA_MUST_USE enum ca_code host_options_json(const struct host_options *options,
                                           struct ca_buf *out);
/* Calls visit for each given option that a `resume` or `apply` of the same run
   needs again: where, pace, protection, what the script may use. All of them
   have values. */
void host_options_carry(const struct host_options *options,
                        void (*visit)(void *ctx, const char *name,
                                      const char *value),
                        void *ctx);

#endif
