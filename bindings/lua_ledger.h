/* The run as scripts and the host's Lua meet it: bulks, items, planned changes
   and applying them. Binds core/ledger and core/apply; present only in the
   host.
   Must not know: curl, options of the command line, terminals. */
#ifndef LCA_LEDGER_H
#define LCA_LEDGER_H

#include "apply.h"
#include "ledger.h"
#include "lua_client.h"

/* Why a run ends before its script does. Values below 100 are the numbers of
   signals. Kept in one int that the host owns and its signal handler sets:
   once it is not 0, tasks raise at their next call and pcall cannot hold
   them. */
enum lca_stop {
  LCA_STOP_PREVIEW = 100, /* a preview came to what it cannot know: exit 0 */
  LCA_STOP_REFUSED,       /* above what the job may do: exit 4 */
  LCA_STOP_USAGE,         /* the command line is wrong: exit 2 */
  LCA_STOP_HELP,          /* help was asked for and shown: exit 0 */
  LCA_STOP_EXIT,          /* the script called os.exit */
  LCA_STOP_LIMIT,         /* memory or instructions: exit 1 */
  LCA_STOP_LEDGER         /* the ledger cannot be written: exit 1 or 2 */
};

/* Planned changes by operation, toolkit and status before. */
struct lca_cell {
  const struct ca_api *api; /* NULL: the cell is free */
  char toolkit[48];
  char status[24];
  int64_t planned;
  int64_t same;
};
#define LCA_CELLS 1024

/* What a bulk's plan came to, for showing it. */
struct lca_plan {
  int bulk;
  const char *name;             /* of the bulk */
  int64_t selected;             /* items that were looked at */
  int64_t planned;              /* changes that would be sent */
  int64_t irreversible;         /* of those, what cannot be taken back */
  int64_t same;                 /* changes that are already so */
  int64_t failed;               /* items whose action raised */
  const char *listing;          /* why the listing is incomplete, or NULL */
  const struct lca_cell *cells; /* LCA_CELLS of them */
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

/* Counts of the whole run so far. */
struct lca_run_stats {
  int bulks;
  int64_t selected;
  int64_t planned; /* changes recorded that would be, or were, sent */
  int64_t same;
  int64_t to_apply;                   /* of the bulk that is being applied */
  int64_t ended;                      /* of those */
  int64_t outcomes[CA_OUTCOME_COUNT]; /* of changes that were carried out */
  int64_t failed_items;               /* whose action or `after` raised */
  int64_t pending_items;              /* whose `after` waits for a person */
  bool planning;                      /* a bulk is making its plan */
  bool applying;
  bool key_rejected;
  bool refused; /* a straight-line change above `may` */
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
  volatile int *stop;  /* enum lca_stop or a signal; owned by the host */
  void *ctx;           /* for the functions below */
  /* Opens the ledger and begins the run; called at the first change or bulk.
     The ledger stays the host's. NULL: err says. */
  struct ca_ledger *(*begin)(void *ctx, struct ca_err *err);
  /* A bulk's plan stands. */
  void (*show)(void *ctx, const struct lca_plan *plan);
  /* Called before each step of the engine: progress. */
  void (*tick)(void *ctx);
  /* A line for people. */
  void (*say)(void *ctx, const char *text);
};

/* Makes the run of this state and composio.host, the table that only the
   shipped Lua uses, in package.loaded. Call before composio is loaded; options
   are copied. [-0, +0, e] */
void lca_ledger_open(lua_State *L, const struct lca_run_options *options);

/* Installs the recorder: from now on mutating calls are planned (preview,
   bulk) or carried out through the ledger. Sets the engine's gate to SHUT or
   LEDGER. [-0, +0, e] */
void lca_ledger_install(lua_State *L);

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

/* Summary and parameters as composio.job set them; "" and "{}" before. */
const char *lca_run_params(lua_State *L);
bool lca_run_job_seen(lua_State *L);
const struct lca_run_stats *lca_run_stats(lua_State *L);

/* After the script: lets changes under way end until deadline_ms (monotonic,
   asked with every step; -1: until they ended), then gives them up: those
   whose request may have left become unknown. again: true asks for the
   deadline anew. Never throws. */
void lca_run_drain(lua_State *L, int64_t (*deadline_ms)(void *ctx), void *ctx);

/* Frees what the run holds of the core; before the ledger is closed. */
void lca_run_close(lua_State *L);

#endif
