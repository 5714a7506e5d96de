/* The run as scripts and the host's Lua meet it: bulks, items, planned
   changes, the guard over them and applying them. Binds core/ledger,
   apply/apply, apply/settle and apply/guard; present only in the host. A run
   is fresh, or a replay: the script runs over a plan that stands in the ledger
   already (a saved one, or what an earlier part of the run left), so that
   bulks skip selection and action. Must not know: curl, options of the command
   line, terminals. */
#ifndef LCA_RUN_H
#define LCA_RUN_H

#include "apply/apply.h"
#include "apply/guard.h"
#include "ledger/ledger.h"
#include "module/client.h"

/* Why a run ends before its script does. Values below 100 are the numbers of
   signals. Kept in one int that the host owns and its signal handler sets:
   once it is not 0, tasks raise at their next call and pcall cannot hold
   them. */
enum lca_stop {
  LCA_STOP_PREVIEW = 100, /* a preview came to what it cannot know: exit 0 */
  LCA_STOP_REFUSED,       /* by a guard: exit 4 */
  LCA_STOP_EARLY,         /* by stop_on or a canary: exit 7 */
  LCA_STOP_USAGE,         /* the command line is wrong: exit 2 */
  LCA_STOP_HELP,          /* help was asked for and shown: exit 0 */
  LCA_STOP_EXIT,          /* the script called os.exit */
  LCA_STOP_LIMIT,         /* memory or instructions: exit 1 */
  LCA_STOP_LEDGER         /* the ledger cannot be written: exit 1 or 2 */
};

/* Planned changes by operation, toolkit and status before. */
struct lca_count {
  const struct ca_api *api; /* NULL: the cell is free */
  char toolkit[48];
  char status[24];
  int64_t planned;
  int64_t same;
};
#define LCA_COUNTS 1024

/* What a bulk's plan came to, for showing it. */
struct lca_plan {
  int bulk;
  const char *name;     /* of the bulk */
  int64_t selected;     /* items that were looked at */
  int64_t planned;      /* changes that would be sent */
  int64_t same;         /* changes that are already so */
  int64_t skipped;      /* changes of protected accounts */
  int64_t irreversible; /* of those that would be sent */
  int64_t failed;       /* items whose action raised */
  bool replayed;        /* it stood already; what is left of it */
  const char *listing;  /* why the listing is incomplete, or NULL */
  const struct lca_count *plan_counts; /* LCA_COUNTS of them */
};

/* One failure as the summary tells it. */
struct lca_failure {
  char key[96];
  char operation[32];
  char request_id[64];
  char text[320];
  enum ca_outcome outcome;
};
#define LCA_FAILURES 10

/* Outcomes whose number can end a run: --stop-on, stop_on of the job. */
struct lca_stop_on {
  struct ca_stop_limit failed;
  struct ca_stop_limit unknown;
  struct ca_stop_limit stale;
};

/* How a replay goes; all false in a fresh run. */
struct lca_replay {
  bool on;
  bool only_plan; /* a saved plan is begun: it is guarded as a whole */
  bool exact;     /* of a saved plan: what it does not hold is refused */
  bool precheck;  /* at every account before it is changed */
  bool failed;    /* what failed is tried again, too */
};

/* Counts of the whole run so far. */
struct lca_run_stats {
  int bulks;
  int sealed; /* of them: their plan was whole */
  int64_t selected;
  int64_t planned; /* changes recorded that would be, or were, sent */
  int64_t same;
  int64_t skipped;                /* of protected accounts */
  struct ca_planned guarded;      /* what the guard counts */
  int64_t irreversible_bulks[64]; /* by irreversible bulk, for --confirm */
  int irreversible_bulk_count;
  int64_t irreversible_straight;
  int irreversible_straight_at;       /* after so many of those bulks */
  int64_t to_apply;                   /* of the bulk that is being applied */
  int64_t ended;                      /* of those */
  int64_t outcomes[CA_OUTCOME_COUNT]; /* of changes that were carried out */
  bool planning;                      /* a bulk is making its plan */
  bool applying;
  bool key_rejected;
  bool refused; /* by a guard, a straight-line change or a preview's plan */
  char refusal[400]; /* what was raised for the first one, which the script may
                        have caught */
  bool stopped_early; /* by stop_on: nothing new is sent */
  char stop_text[200];
  bool written; /* a request that changes something was handed on */
  bool listing_seen;
  bool listing_incomplete;
  int64_t listing_accounts;
  int64_t listing_pages;
  size_t failure_count;
  struct lca_failure failures[LCA_FAILURES]; /* the first ones */
};

struct lca_run_options {
  bool apply;          /* false: preview */
  int concurrency;     /* items at once */
  int64_t limit_items; /* per bulk; 0: all */
  struct lca_replay replay;
  struct ca_limits limits;
  struct lca_stop_on stop_on; /* what is not set, the job may set */
  const char *given;  /* parameters as JSON in place of the command line's, or
                         NULL */
  volatile int *stop; /* enum lca_stop or a signal; owned by the host */
  void *ctx;          /* for the functions below */
  /* Opens the ledger and begins the run; called at the first change or bulk.
     The ledger stays the host's. NULL: err says. */
  struct ca_ledger *(*begin)(void *ctx, struct ca_err *err);
  /* A saved plan was let through: it may be carried out, and resumed. */
  enum ca_code (*let_through)(void *ctx, struct ca_err *err);
  /* A bulk's plan stands. */
  void (*show)(void *ctx, const struct lca_plan *plan);
  /* So many irreversible changes are about to be made, of a bulk (its plan),
     or straight-line ones up to now (plan NULL; what: one line about the
     next). CA_OK, or why not. */
  enum ca_code (*confirm)(void *ctx, int64_t count,
                          const struct lca_plan *plan, const char *what,
                          struct ca_err *err);
  /* Why this account, user or toolkit must not be changed, in `out`, or NULL.
     Any of the three may be NULL. */
  const char *(*protect)(void *ctx, const char *id, const char *user,
                         const char *toolkit, char *out, size_t size);
  bool protects; /* false: nothing is protected */
  /* Called before each step of the engine: progress. */
  void (*tick)(void *ctx);
  /* A line for people. */
  void (*log_line)(void *ctx, const char *text);
};

/* Makes the run of this state and composio.host, the table that only the
   shipped Lua uses, in package.loaded. Call before composio is loaded; options
   are copied. [-0, +0, e] */
void lca_host_table_open(lua_State *L, const struct lca_run_options *options);

/* Installs the recorder: from now on mutating calls are planned (preview,
   bulk) or carried out through the ledger. Sets the engine's gate to SHUT or
   LEDGER. [-0, +0, e] */
void lca_host_table_install(lua_State *L);

/* Ends the run before its script does; returns by throwing. The first reason
   stays. [-0, +0, e] */
int lca_run_stop(lua_State *L, enum lca_stop reason, const char *fmt, ...)
    CA_PRINTF(3, 4);
/* The text given with the reason; "" when none. */
const char *lca_run_stop_text(lua_State *L);
/* What os.exit was given. */
int lca_run_exit_code(lua_State *L);
void lca_run_set_exit_code(lua_State *L, int code);
/* Throws again when the run is ending. For hooks: makes every further
   instruction of this thread throw, so that pcall holds nothing.
   [-0, +0, e] */
void lca_run_check(lua_State *L);

/* Parameters as composio.job set them; "{}" before. */
const char *lca_run_params(lua_State *L);
bool lca_run_job_seen(lua_State *L);
const struct lca_run_stats *lca_run_stats(lua_State *L);

/* After the script: lets changes under way end until deadline_ms (monotonic,
   asked with every step; -1: until they ended), then gives them up: those
   whose request may have left become unknown. again: true asks for the
   deadline anew. Never throws. */
void lca_apply_drain(lua_State *L, int64_t (*deadline_ms)(void *ctx),
                     void *ctx);

/* Finds out what became of the run's unknown changes; those that did not
   happen become not_done. Ends early when the run is interrupted, or at
   deadline_ms (as above). Says what was found. Never throws. */
void lca_settle_run(lua_State *L, enum ca_outcome not_done,
                    int64_t (*deadline_ms)(void *ctx), void *ctx);

/* Notes that the ledger cannot be written, where nothing can be raised any
   more because the script has ended: the run then ends as LCA_STOP_LEDGER.
   Never throws. */
void lca_run_lose_ledger(lua_State *L, const struct ca_err *err);

/* Frees what the run holds of the core; before the ledger is closed. */
void lca_host_table_close(lua_State *L);

#endif
