/* The parsed command line, and the host's options as help and the ledger show
   them.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <lua.h>
#include "base/buf.h"
#include "wire/endpoint.h"
#include "host/protect.h"
#include "job/run.h"

enum host_verb {
  HOST_RUN,
  HOST_APPLY,
  HOST_RESUME,
  HOST_UNDO,
  HOST_RUNS,
  HOST_SHOW,
  HOST_HISTORY,
  HOST_RESOLVE,
  HOST_DOCTOR,
  HOST_PROFILES,
  HOST_HELP,
  HOST_SCRIPTS,
  HOST_VERSION
};
enum host_progress { HOST_AUTO, HOST_ALWAYS, HOST_NEVER };

#define HOST_WAIT_DEFAULT_MS 300000 /* of --settle-wait */

#define HOST_OPTION_MAX  64
#define HOST_CONFIRM_MAX 64
#define HOST_SAVED_MAX   128
#define HOST_SAVED_WORDS                             \
  "words" /* the name of `rest` among stored options \
           */

/* Texts point into argv. Options that were not given have their defaults. */
struct host_options {
  enum host_verb verb;
  const char *operand; /* the verb's PLAN, RUN, ACCOUNT or SCRIPT, or NULL */
  const char *more[2]; /* the other operands of resolve, or NULL */
  const char *script;  /* the operand of run and help, else NULL */
  bool help;           /* the script's help when there is a script */
  bool apply;          /* always true for apply and resume */
  struct ca_endpoint_options endpoint; /* without the API key */
  const char *api_key_file;
  const char *state_dir;
  const char *profile; /* NULL: none; for run also several: "a,b" */
  bool one_of_several; /* `profile` is one of them, in a process of its own */
  bool files_named;    /* %p and %F in names of files are filled in */
  const char *log;
  bool log_json;
  const char *summary; /* "-": stdout */
  const char *metrics;
  const char *ping; /* a URL */
  const char *on_end;
  bool cron; /* quiet, too */
  bool emulator;
  int64_t emulator_accounts;
  bool show_all;
  const char *save_plan;
  struct ca_limits limits;
  int64_t confirm[HOST_CONFIRM_MAX]; /* the k-th bulk takes the k-th number */
  int confirm_count;
  const char *protect[HOST_PROTECT_MAX];
  int protect_count;
  int protect_profile; /* how many of them came from the profile; these are
                          the last */
  struct ca_stop_limit stop_on[CA_OUTCOME_COUNT];
  bool same_project;
  bool anew;         /* despite a like run that stands interrupted, or a plan
                        of another ledger */
  bool resume_first; /* an interrupted like run is finished before */
  int64_t lock_wait_ms; /* 0: do not wait */
  int64_t settle_wait_ms;
  int64_t deadline_ms; /* after the start of the command; 0: none */
  int64_t if_older_ms; /* 0: not given */
  bool detailed_exitcode;
  const char *reason; /* of resolve, or NULL */
  const char *tag;    /* of show; NULL: not given */
  bool failed;        /* resume also retries failed changes */
  bool json;
  int64_t limit;    /* runs to list; 0: all */
  int64_t prune_ms; /* runs that ended longer ago; 0: not given */
  bool force;       /* with it: also those that can be undone */
  enum host_progress progress;
  bool quiet;
  int verbose;
  int64_t memory_mb;
  int64_t instructions; /* 0: no limit */
  int64_t cpu_ms;       /* 0: no limit */
  bool allow_io;
  bool allow_os;
  int64_t limit_items; /* items of each bulk; 0: all */
  struct host_shard {
    int number;    /* from 1 */
    int count;     /* 0: the run takes all items */
    char name[16]; /* in names of files: "2-of-4", "1-of-1" without it */
  } shard;
  char **params; /* owned array of the script's parameters */
  int param_count;
  char **rest; /* the words after "--"; points into argv, or to words */
  int rest_count;
  char *
      *words; /* owned, and the texts, too: restored from an earlier session */
  char *
      saved[HOST_SAVED_MAX]; /* owned values from host_options_saved_restore */
  int saved_count;
  bool restored; /* those of an earlier session */
  /* The options that were given, by index in the table. */
  struct {
    bool seen;
    bool of_profile;   /* not on the command line */
    const char *value; /* NULL: given without a value */
  } given[HOST_OPTION_MAX];
};

/* Restores the options that belong to the run rather than to one command line:
   the profile, and for resume limits, --protect, --limit-items, what the
   script may use, the words after "--". json is what
   host_options_saved_json wrote in an earlier session; relative paths in it
   are relative to dir. Options given on this command line win; a
   --protect adds to the stored ones. CA_USAGE when a stored value cannot be
   read. */
CA_MUST_USE enum ca_code
host_options_saved_restore(struct host_options *options, const char *json,
                           const char *dir, struct ca_err *err);
/* Returns the path as every directory names it. It is relative to dir, unless
   that is "". The text lives as long as the options; NULL when out of memory.
 */
const char *host_options_saved_join(struct host_options *options,
                                    const char *dir, const char *path);
/* Makes the paths of this command line's options absolute, also those of
   secrets: resume and apply go to the directory of the earlier run. here: the
   current directory, or "" when it is unknown. CA_USAGE when a path needs it
   then, or when there are too many. */
CA_MUST_USE enum ca_code
host_options_saved_make_absolute(struct host_options *options,
                                 const char *here, struct ca_err *err);
/* Parses argv. CA_USAGE with one line that says what is wrong. Release with
   host_options_clear, also after an error. */
CA_MUST_USE enum ca_code host_options_parse(struct host_options *options,
                                            int argc, char **argv,
                                            struct ca_err *err);
void host_options_clear(struct host_options *options);
/* Returns "run", "apply", …; static storage. */
const char *host_options_verb(enum host_verb verb);

/* Reads "2/4", the slice of --shard, into a struct host_shard. False if it is
   none. */
bool host_options_table_shard(void *field, const char *value);
/* Takes --shard back, as if it had not been given. */
void host_options_table_unshard(struct host_options *options);
/* Pushes the list of all options for help.lua and job.lua: name, group
   ("Safety:"; those of one group stand in a row), value (its name, or nil),
   is_optional (the value), text, letter (of the short form, or nil), is_of_run
   (run takes it), is_needed (resume needs it again), is_path, is_pattern (of a
   path: %p and %F are filled in). [-0, +1, m] */
void host_options_table_push(lua_State *L);

/* Adds the given options as a JSON object for the ledger: names to texts, and
   to true for options without a value. */
CA_MUST_USE enum ca_code
host_options_saved_json(const struct host_options *options,
                        struct ca_buf *out);
/* Calls visit for each given option that `resume` or `apply` needs again on
   its command line: where, pace, --protect, what the script may use; after
   --save-plan also the limits, which `resume` has from the ledger. value is
   NULL for an option without one. Paths are relative to here, and become
   absolute unless it is "". */
void host_options_saved_carry(
    const struct host_options *options, const char *here,
    void (*visit)(void *ctx, const char *name, const char *value), void *ctx);

#endif
