/* The run as scripts and the host's Lua see it: bulks, items, planned changes,
   the guard that checks them, and apply. Binds core/ledger, apply/apply,
   apply/settle and apply/guard; linked only into the host. A run is either
   fresh or a replay. In a replay the ledger already holds the plan (a saved
   plan, or what an earlier session of the run left), so bulks skip selection
   and action. Must not know: curl, options of the command line, terminals. */
#ifndef LCA_RUN_H
#define LCA_RUN_H

#include "apply/apply.h"
#include "apply/guard.h"
#include "ledger/ledger.h"
#include "module/client.h"

/* Why a run ends before its script does. Values below LCA_STOP_PREVIEW cut it
   off: signal numbers, and LCA_STOP_DEADLINE.
   The host owns the one int that holds this, and its signal handler sets it.
   Once it is not 0, tasks raise at their next call and pcall cannot catch
   that. Exits 2 and 4 promise that nothing was written: once a change was
   sent, 1 and 7 stand for them. */
enum lca_stop {
  LCA_STOP_DEADLINE = 99, /* --deadline has passed: exit 7; 8 or 9 when every
                             change was sent */
  LCA_STOP_PREVIEW = 100, /* a preview needs a result it cannot know: exit 0 */
  LCA_STOP_REFUSED,       /* a guard refused: exit 4 */
  LCA_STOP_EARLY,         /* stop_on or a canary stopped it: exit 7 */
  LCA_STOP_USAGE,         /* the command line is wrong: exit 2 */
  LCA_STOP_HELP,          /* help was requested and shown: exit 0 */
  LCA_STOP_EXIT,          /* the script called os.exit */
  LCA_STOP_LIMIT,         /* memory or instructions: exit 1 */
  LCA_STOP_LEDGER,        /* the ledger cannot be used: exit 2 */
  LCA_STOP_RECENT,        /* --if-older: there is nothing to do: exit 0 */
  LCA_STOP_BUSY           /* another run writes the same report: exit 75 */
};

/* Planned changes with one operation, toolkit and status before. */
struct lca_count {
  const struct ca_api *api; /* NULL: this entry is free */
  char toolkit[48];
  char status[24];
  int64_t planned;
  int64_t same;
};
#define LCA_COUNTS 1024

/* Numbers of changes in a plan. */
struct lca_totals {
  int64_t planned;      /* they would be sent */
  int64_t same;         /* their account is already in that state */
  int64_t skipped;      /* their account is protected */
  int64_t irreversible; /* irreversible ones among `planned` */
};

/* A bulk's plan, for display. */
struct lca_plan {
  int bulk;
  const char *name; /* the bulk's */
  int64_t selected; /* items in the selection */
  struct lca_totals totals;
  int64_t failed;      /* items whose action raised */
  bool replayed;       /* the ledger already had it; counts are what is left */
  const char *listing; /* why the selection is incomplete, or NULL */
  const struct lca_count *plan_counts; /* LCA_COUNTS entries */
};

/* One failure as the summary reports it. */
struct lca_failure {
  char key[96];
  char operation[32];
  char request_id[64];
  char text[320];
  enum ca_outcome outcome;
};
#define LCA_FAILURES 10

/* Options of a replay; all false in a fresh run. */
struct lca_replay {
  bool on;
  bool only_plan; /* `apply` of a saved plan: the guard checks all of it */
  bool exact;     /* refuse what the saved plan does not hold */
  bool failed;    /* also retry changes that failed */
  bool redo;      /* a preview of the rows whose action failed in `earlier` */
};

/* Counts of the whole run so far. */
struct lca_run_stats {
  int bulks;
  int sealed; /* bulks whose plan was sealed */
  int64_t selected;
  int64_t planned; /* recorded changes that would be, or were, sent */
  struct ca_planned guarded;      /* what the guard counts */
  int64_t irreversible_bulks[64]; /* per irreversible bulk, for --confirm */
  int irreversible_bulk_count;
  int64_t irreversible_straight;
  int irreversible_straight_at;       /* irreversible bulks before the first */
  int64_t to_apply;                   /* changes of the bulk being applied */
  int64_t ended;                      /* how many of those have ended */
  int64_t outcomes[CA_OUTCOME_COUNT]; /* of changes that were carried out */
  bool planning;                      /* a bulk is making its plan */
  bool applying;
  bool key_rejected;
  bool reads_only;        /* the key was accepted for reads and rejected for a
                             change */
  bool no_route;          /* the service lacks the route of an operation */
  bool refused;           /* the guard refused a change or a preview's plan */
  bool is_over;           /* a limit or the lack of a confirmation was why: */
  struct ca_planned over; /* what it refused; `irreversible` has to be
                             confirmed */
  int64_t within;         /* changes planned before the refusal: --apply makes
                             those */
  char why_refused[640];  /* text of the first refusal that did not end the run
                             at once */
  char refusal[400];     /* text of the first refused straight-line change; the
                            script may have caught it */
  char bulk_raised[400]; /* why the plan of a bulk could not be made; the
                            script may have caught it */
  bool stopped_early;  /* stop_on was reached, or the service is down: nothing
                          new is sent */
  bool down;           /* it is down: nothing is settled, either */
  char stop_text[640]; /* why */
  bool written;        /* a change was handed to core/apply */
  bool listing_seen;
  bool listing_incomplete;
  const char *listing_refused; /* NULL, "incomplete", or "unread": it may be
                                  complete at another time */
  int64_t listing_accounts;
  int64_t listing_pages;
  size_t failure_count;
  struct lca_failure failures[LCA_FAILURES]; /* the first ones */
  bool job_seen;                             /* composio.job was called */
  char path_options[512]; /* those of its parameters whose values are paths,
                             with blanks between */
  char params[4096];      /* its parameters as JSON; "{}" before that call */
  int exit_code;          /* what the script passed to os.exit */
  char end_text[640];     /* given with the reason to end, or "" */
};

struct lca_run_options {
  bool apply;          /* false: preview */
  int concurrency;     /* items at once */
  int64_t limit_items; /* per bulk; 0: all */
  int shard;           /* which slice of each bulk's items, from 1 */
  int shards;          /* how many; below 2: the run takes all items */
  struct lca_replay replay;
  const char *redoes; /* the host's text: the run whose failed rows this one
                         redoes, or "" */
  /* Borrowed: the run whose failed rows this one redoes, selected for reading;
     or NULL. */
  struct ca_ledger *earlier;
  struct ca_limits limits;
  int64_t settle_wait_ms; /* how long settling may wait, and send again */
  int64_t deadline_ms;    /* when the run is cut off, monotonic; 0: never */
  /* from --stop-on, by outcome; the job may set limits left open here */
  struct ca_stop_limit stop_on[CA_OUTCOME_COUNT];
  const char *given;  /* parameters as JSON instead of the command line's, or
                         NULL */
  volatile int *stop; /* enum lca_stop or a signal; owned by the host */
  void *ctx;          /* passed to the functions below */
  const char *run_id; /* the host's text; "" until `begin` */
  /* Called once, when the parameters are known and before anything is read or
     begun; may set *stop. reads: the job only reads. NULL: nothing to ask. */
  void (*starts)(void *ctx, bool reads);
  /* Opens the ledger and begins the run; called at the first change or bulk.
     The host keeps ownership of the ledger. On failure returns NULL and fills
     err. */
  struct ca_ledger *(*begin)(void *ctx, struct ca_err *err);
  /* The guard accepted the saved plan: from now on it can be carried out and
     resumed. */
  enum ca_code (*let_through)(void *ctx, struct ca_err *err);
  /* Shows a bulk's plan, which is now complete. */
  void (*show)(void *ctx, const struct lca_plan *plan);
  /* Asks to confirm `count` irreversible changes: those of a bulk (its plan),
     or the straight-line ones so far (plan NULL; `what`: one line about the
     next), or those of a whole saved plan (both NULL). Returns CA_OK, or fills
     err with why not. */
  enum ca_code (*confirm)(void *ctx, int64_t count,
                          const struct lca_plan *plan, const char *what,
                          struct ca_err *err);
  /* Refuses to start when a like run stands interrupted and this one makes
     accounts (`creates`); without creates it only says so. NULL in a replay.
   */
  enum ca_code (*like)(void *ctx, bool creates, struct ca_err *err);
  /* Returns why this account, user or toolkit must not be changed, written to
     `out`, or NULL when it may. Any of the three may be NULL. */
  const char *(*protect)(void *ctx, const char *id, const char *user,
                         const char *toolkit, char *out, size_t size);
  bool protects; /* false: nothing is protected */
  /* Called before each step of the engine, to show progress. Returns whether
     requests in flight may still be waited for. */
  bool (*tick)(void *ctx);
  /* Prints a line for people. */
  void (*log_line)(void *ctx, const char *text);
  /* The same for a warning, which --quiet shows, too. */
  void (*warn)(void *ctx, const char *text);
};

/* Makes this state's run, and puts composio.host, the table that only the
   shipped Lua uses, into package.loaded. Call it before composio is loaded.
   Copies options. [-0, +0, e] */
void lca_host_table_open(lua_State *L, const struct lca_run_options *options);

/* Installs the recorder: from now on mutating calls are planned (preview,
   bulk) or carried out through the ledger. Sets the engine's gate to SHUT or
   LEDGER. [-0, +0, e] */
void lca_host_table_install(lua_State *L);

struct lca_run;

/* Returns the run of this state, or NULL. [-0, +0, -] */
struct lca_run *lca_run_of(lua_State *L);

/* Ends the run before its script does, by throwing. A second call does not
   change the reason. [-0, +0, e] */
int lca_run_stop(lua_State *L, enum lca_stop reason, const char *fmt, ...)
    CA_PRINTF(3, 4);
/* The same for os.exit: the run exits with this code. [-0, +0, e] */
int lca_run_exit(lua_State *L, int code);
/* Lets the host decide whether the run starts at all, before its first call.
   [-0, +0, e] */
void lca_run_start(lua_State *L);
/* Throws when the run is ending, and sets a hook that makes every further
   instruction of this thread throw, so that pcall cannot catch it.
   [-0, +0, e] */
void lca_run_check(lua_State *L);
/* Returns whether the run has a reason to end, so that lca_run_check would
   throw. [-0, +0, -] */
bool lca_run_has_ended(lua_State *L);
/* Ends the run because of a limit, without Lua: for an allocator. It raises
   at the script's next instructions. Returns false if it was ending already.
 */
bool lca_run_limit(struct lca_run *run, const char *text);

const struct lca_run_stats *lca_run_stats(lua_State *L);

/* After the script: waits for changes in progress as long as options.tick
   allows, then abandons them: a change whose request may have been sent
   becomes unknown. Never throws. */
void lca_apply_drain(lua_State *L);

/* Probes the run's unknown changes and records what became of them; those that
   did not happen are not tried, or, at the end of a run, failed: then
   straight-line changes that may be repeated are sent again. Ends early when a
   signal interrupts the run, or when options.tick says so. Logs what was
   found. Never throws. */
void lca_settle_run(lua_State *L, bool at_end);

/* Records that the ledger cannot be written, for callers that cannot raise
   because the script has ended: the run then ends with LCA_STOP_LEDGER. Never
   throws. */
void lca_run_lose_ledger(lua_State *L, const struct ca_err *err);

/* Frees the core objects that the run owns. Call it before closing the
   ledger. */
void lca_host_table_close(lua_State *L);

#endif
