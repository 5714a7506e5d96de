/* What the files of lua_ledger share: the run, its live items, changes on
   their way into the ledger. Private to them.
   Must not know: curl, options of the command line, terminals. */
#ifndef LCA_LEDGER_RUN_H
#define LCA_LEDGER_RUN_H

#include "lua_ledger.h"
#include "reply.h"

struct lca_applier;

struct lca_run {
  struct lca_run_options options;
  struct lca_run_stats stats;
  struct lca_sched *sched;
  struct ca_ledger *ledger;  /* borrowed of the host; NULL before the first */
  struct ca_apply *apply;    /* owned; NULL before the first change */
  struct ca_json *json;      /* owned */
  struct lca_client *client; /* the default one, anchored by client_ref */
  int client_ref;
  int live_ref;  /* table: live item's id → its userdata */
  int names_ref; /* table: names of the bulks so far */
  int64_t last_item;
  int64_t last_call; /* straight-line changes: their keys */
  enum ca_class may;
  bool job_seen;
  int exit_code;
  struct lca_cell *cells; /* owned; of the bulk being planned */
  size_t cells_used;
  struct lca_plan plan;        /* the same bulk's counts */
  struct lca_applier *applier; /* the bulk being applied, or NULL */
  char params[4096];
  char bulk_name[80];
  char stop_text[640];
};

/* An item while its action runs: a full userdata with the user values
   1 account table or nil, 2 key, 3 row for the ledger (JSON) or nil. */
struct lca_item {
  int64_t id;     /* of this process: what the task carries */
  int64_t number; /* of the ledger; 0 until it is written there */
  int bulk;
  int changes;
  uint64_t touched[6]; /* hashes of ids this item changes */
  size_t touched_count;
  int64_t first_change; /* of the ledger; its others follow it */
  int64_t planned;
  int64_t same;
  /* what to take back from the plan's table if the action raises */
  struct {
    struct lca_cell *cell;
    bool same;
  } counted[16];
};
enum { LCA_ITEM_ACCOUNT = 1, LCA_ITEM_KEY, LCA_ITEM_ROW, LCA_ITEM_VALUES = 3 };

struct lca_run *lca_run_of(lua_State *L);

/* lua_ledger.c */

/* Opens the ledger at the first need; ends the run when it cannot.
   [-0, +0, e] */
void lca_run_begin(lua_State *L, struct lca_run *run);
/* Ends the run because the ledger cannot be written. [-0, +0, e] */
int lca_run_ledger_failed(lua_State *L, struct lca_run *run,
                          const struct ca_err *err);
/* Remembers a failure for the summary when it is among the first. */
void lca_run_note_failure(struct lca_run *run, const char *key,
                          const char *operation, enum ca_outcome outcome,
                          const char *request_id, const char *text);

/* lua_ledger_item.c */

/* Writes the item into the ledger if it is not there yet; item's userdata at
   index. [-0, +0, e] */
void lca_item_store(lua_State *L, struct lca_run *run, int index);
/* Pushes the userdata of the running task's item and returns it, or pushes
   nil and returns NULL. [-0, +1, -] */
struct lca_item *lca_item_push_live(lua_State *L, struct lca_run *run,
                                    int64_t id);
/* Adds an item of its own for a straight-line change; account: index of an
   account table or 0; id may be "". Returns its number. [-0, +0, e] */
int64_t lca_item_add_single(lua_State *L, struct lca_run *run, int account,
                            const char *id);
/* host.plan_item and host.after_item. */
int lca_item_plan(lua_State *L);
int lca_item_after(lua_State *L);

/* lua_ledger_plan.c */

/* The recorder (see lua_client.h). */
int lca_plan_record(lua_State *L, void *ctx, struct lca_client *client,
                    struct ca_request *request, int arguments, int account);
/* The item's action raised: what it planned is not tried. [-0, +0, e] */
void lca_plan_take_back(lua_State *L, struct lca_run *run,
                        struct lca_item *item);
/* host.begin_bulk, host.end_plan, host.counts. */
int lca_plan_begin_bulk(lua_State *L);
int lca_plan_end(lua_State *L);
int lca_plan_counts(lua_State *L);
/* Metatables of planned changes. [-0, +0, m] */
void lca_plan_open(lua_State *L);

/* lua_ledger_one.c */

/* Moves a result out of a callback; from may be NULL. */
void lca_one_move_result(struct ca_result *to, struct ca_result *from);
/* A change has ended: counts it, keeps it when it is among the first to
   fail. No Lua. */
void lca_one_count(struct lca_run *run, const struct ca_applied *applied);
/* Makes run->apply at the first need. [-0, +0, e] */
void lca_one_need_apply(lua_State *L, struct lca_run *run);
/* Carries one change out at once and waits for it; returns like a
   lua_CFunction. body: the secret body, or an empty slice. [-0, +1, e] */
int lca_one_carry_out(lua_State *L, struct lca_run *run,
                      const struct ca_change *change, int64_t item,
                      struct ca_slice secret);
/* [-0, +0, m] */
void lca_one_open(lua_State *L);

/* lua_ledger_apply.c */

/* host.apply and its object. */
int lca_apply_bulk(lua_State *L);
void lca_apply_open(lua_State *L);
/* Called before each step of the engine. */
void lca_apply_pump(void *ctx, lua_State *L);

#endif
