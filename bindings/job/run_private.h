/* What the files of job share: the run, its live items, changes on
   their way into the ledger. Private to them.
   Must not know: curl, options of the command line, terminals. */
#ifndef LCA_RUN_PRIVATE_H
#define LCA_RUN_PRIVATE_H

#include "job/run.h"
#include "base/json.h"

struct lca_account;
struct lca_applier;
struct lca_recorded;

/* An account that an item changes. */
struct lca_touched {
  uint64_t hash; /* of the account's id */
  bool active;   /* it may be ACTIVE after what the item planned so far */
};

/* Where in the script a change was asked for, as the ledger has it. */
struct lca_line {
  int number; /* 0: of nothing yet */
  char file[140];
  char text[160];
};

struct lca_run {
  struct lca_run_options options;
  struct lca_run_stats stats;
  struct lca_scheduler *sched;
  struct ca_ledger *ledger;  /* borrowed of the host; NULL before the first */
  struct ca_apply *apply;    /* owned; NULL before the first change */
  struct lca_client *client; /* the default one, anchored by client_ref */
  int client_ref;
  int live_ref;  /* table: live item's id → its userdata */
  int names_ref; /* table: names of the bulks so far */
  int notes_ref; /* table: auth config's id → { toolkit, protected } */
  int64_t last_item;
  int64_t last_call; /* straight-line changes: their keys */
  enum ca_class may;
  bool job_seen;
  int exit_code;
  struct lca_count *plan_counts; /* owned; of the bulk being planned */
  size_t plan_counts_used;
  struct lca_plan plan;          /* the same bulk's counts */
  struct ca_bulk standing;       /* of the ledger, in a replay */
  struct lca_applier *applier;   /* the bulk being applied, or NULL */
  struct lca_recorded *recorded; /* owned; straight-line changes to replay */
  size_t recorded_count;
  bool recorded_read;
  struct lca_stop_on stop_on;
  char params[4096];
  char bulk_name[80];
  struct lca_line line; /* of the last change */
  char stop_text[640];
};

/* An item while its action runs: a full userdata with the user values
   1 account as it was read or nil, 2 key, 3 row for the ledger (JSON) or nil.
 */
struct lca_item {
  int64_t id;     /* of this process: what the task carries */
  int64_t number; /* of the ledger; 0 until it is written there */
  int bulk;
  int changes;
  struct lca_touched touched[6]; /* accounts this item changes */
  size_t touched_count;
  int64_t first_change; /* of the ledger; its others follow it */
  int64_t planned;
  int64_t same;
  int64_t skipped;
  struct ca_planned guarded; /* its part of the run's */
  bool follows_first;        /* its account is that of its first change */
  bool recall;      /* the plan stands: only its secrets are wanted again */
  int64_t recalled; /* the last change of the ledger that was matched */
  /* what to take back from the plan's table if the action raises */
  struct {
    struct lca_count *plan_count;
    bool same;
  } counted[16];
};
enum { LCA_ITEM_ACCOUNT = 1, LCA_ITEM_KEY, LCA_ITEM_ROW, LCA_ITEM_VALUES = 3 };

struct lca_run *lca_run_of(lua_State *L);

/* job/run.c */

/* Makes the run of this state. [-0, +0, m] */
void lca_run_make(lua_State *L, const struct lca_run_options *options);

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

/* job/item.c */

/* Writes the item into the ledger if it is not there yet; item's userdata at
   index. account: the one that it changes first, or NULL; an item that has no
   account of its own takes it. [-0, +0, e] */
void lca_item_store(lua_State *L, struct lca_run *run, int index,
                    const struct lca_account *account);
/* Pushes the userdata of the running task's item and returns it, or pushes
   nil and returns NULL. [-0, +1, -] */
struct lca_item *lca_item_push_live(lua_State *L, struct lca_run *run,
                                    int64_t id);
/* Adds an item of its own for a straight-line change; account: NULL when it is
   not known; id may be "". Returns its number. [-0, +0, e] */
int64_t lca_item_add_single(lua_State *L, struct lca_run *run,
                            const struct lca_account *account, const char *id);
/* host.plan_item, host.after_item, host.item_account, host.item_kind,
   host.fail_straight. */
int lca_item_plan(lua_State *L);
int lca_item_after(lua_State *L);
int lca_item_account(lua_State *L);
int lca_item_fail_straight(lua_State *L);
int lca_item_kind(lua_State *L);

/* job/plan_rows.c */

/* A change on its way into the ledger; the texts that change points to. */
struct lca_change_builder {
  struct ca_change change;
  struct ca_slice secret; /* the body, when it must not be kept */
  int64_t weight;         /* accounts that it changes */
  bool ends_active;       /* it deletes an account that is ACTIVE then */
  char user[320];
  char config[160];
  char line[160];
  char fingerprint[40];
  char reason[200]; /* of a protected account */
};

/* The recorder (see module/client.h). */
int lca_plan_rows_record(lua_State *L, void *ctx, struct lca_client *client,
                         struct ca_request *request, int arguments,
                         int target);
/* host.check_class. */
int lca_plan_rows_check_class(lua_State *L);
/* What the script gets for a change that was so already. [-0, +1, m] */
int lca_run_push_same(lua_State *L);
/* Metatables of planned changes. [-0, +0, m] */
void lca_plan_rows_open(lua_State *L);

/* job/change.c */

/* Fills the builder from a finished request; account: what the service said of
   the account that it changes, or NULL; own: it is the item's. Texts live as
   long as the stack above and the request. [-0, +many, e] */
void lca_change_make(lua_State *L, struct lca_run *run,
                     const struct ca_request *request, int arguments,
                     const struct lca_account *account, bool own,
                     struct lca_change_builder *builder);
/* The change that `otherwise` asks for, beside the one that was made of the
   same arguments; false when it asks for none. Texts are the builder's, or on
   the stack. [-0, +many, e] */
bool lca_change_fallback(lua_State *L, const struct ca_request *request,
                         int arguments, const struct lca_account *account,
                         bool own, const struct lca_change_builder *builder,
                         struct lca_change_builder *fallback);
/* Is the account already as the request wants it? account may be NULL.
   [-0, +0, m] */
bool lca_change_is_same(const struct ca_request *request, const char *before,
                        const struct lca_account *account);
void lca_change_open(lua_State *L);

/* job/bulk.c */

/* Counts a change that was recorded; item: NULL for a straight-line one,
   account: NULL when it is not known. [-0, +0, m] */
void lca_bulk_count(lua_State *L, struct lca_run *run, struct lca_item *item,
                    const struct lca_change_builder *builder,
                    const struct lca_account *account);
/* The item's action raised: what it planned is skipped. [-0, +0, e] */
void lca_bulk_take_back(lua_State *L, struct lca_run *run,
                        struct lca_item *item);
/* host.begin_bulk, host.end_plan, host.seal, host.counts. */
int lca_bulk_begin(lua_State *L);
int lca_bulk_end_plan(lua_State *L);
int lca_bulk_seal(lua_State *L);
int lca_bulk_counts(lua_State *L);

/* job/guard.c */

/* May the account be ACTIVE before any change of its item, and after a change
   that found it so (active) or not? What a refresh makes of it nobody knows.
 */
bool lca_guard_begins_active(const struct ca_change *change);
bool lca_guard_leaves_active(const struct ca_change *change, bool active);
/* Adds what a change counts for, or takes it back. */
void lca_guard_add(struct ca_planned *planned, const struct ca_change *change,
                   int64_t weight, bool ends_active);
void lca_guard_take_back(struct ca_planned *planned,
                         const struct ca_planned *part);
/* Raises, and the run ends with 4, when the straight-line change is above a
   limit or not confirmed; nothing was recorded then. [-0, +0, e] */
void lca_guard_straight(lua_State *L, struct lca_run *run,
                        const struct lca_change_builder *builder);
/* Raises the text, and the run exits 4 whatever the script makes of it. */
int lca_guard_refuse(lua_State *L, struct lca_run *run, const char *text);
/* Counts the outcome of a change against stop_on. No Lua. */
void lca_guard_ended(struct lca_run *run, enum ca_outcome outcome);
/* host.guard, host.needs_project, host.project, host.stop_on, host.stopped. */
int lca_guard_check(lua_State *L);
int lca_guard_needs_project(lua_State *L);
int lca_guard_project(lua_State *L);
int lca_guard_stop_on(lua_State *L);
int lca_guard_stopped(lua_State *L);

/* job/replay.c */

/* A bulk of a replay: reads what stands of it; false when the ledger has none
   and the script may plan it. [-0, +0, e] */
bool lca_replay_bulk(lua_State *L, struct lca_run *run);
/* A straight-line change of a replay: true when the ledger has it, and then
 *results is what to return from the recorder. [-0, +?, e] */
bool lca_replay_straight(lua_State *L, struct lca_run *run,
                         const struct lca_change_builder *builder,
                         int *results);
/* A change of an action that runs again for its secret; the item's userdata is
   at the index `at`. [-0, +1, e] */
int lca_replay_recall(lua_State *L, struct lca_run *run, int at,
                      const struct lca_change_builder *builder);
/* Pushes what is known of a change that an earlier part of the run made.
   [-0, +1, m] */
void lca_run_push_earlier(lua_State *L, const struct ca_api *api,
                          const char *account, const char *status_after,
                          const char *made);
/* host.open_secrets, host.row_of, host.guard_plan, host.leave_out. */
int lca_replay_leave_out(lua_State *L);
int lca_replay_open_secrets(lua_State *L);
int lca_replay_row(lua_State *L);
int lca_replay_guard_plan(lua_State *L);
void lca_replay_free(struct lca_run *run);

/* job/direct.c */

/* Moves a result out of a callback; from may be NULL. */
void lca_direct_move_result(struct ca_result *to, struct ca_result *from);
/* A change has ended: counts it, keeps it when it is among the first to
   fail. No Lua. */
void lca_direct_count(struct lca_run *run, const struct ca_applied *applied);
/* The client that changes go through: of the first recorded call, else the
   default one. [-0, +0, e] */
void lca_direct_need_client(lua_State *L, struct lca_run *run);
/* Makes run->apply at the first need. [-0, +0, e] */
void lca_direct_need_apply(lua_State *L, struct lca_run *run);
/* Carries one change out at once and waits for it; returns like a
   lua_CFunction. number: of a change that the ledger holds already, 0: it is
   added to the item. secret: the secret body, or an empty slice.
   [-0, +1, e] */
int lca_direct_carry_out(lua_State *L, struct lca_run *run,
                         const struct ca_change *change, int64_t item,
                         int64_t number, struct ca_slice secret);
/* [-0, +0, m] */
void lca_direct_open(lua_State *L);

/* job/apply.c */

/* host.apply and its object. */
int lca_apply_bulk(lua_State *L);
void lca_apply_open(lua_State *L);
/* The table of the applier's methods. [-0, +1, m] */
void lca_apply_push_methods(lua_State *L);
/* Queues one ended change for `after`. No Lua. */
void lca_apply_report(struct lca_applier *applier,
                      const struct ca_applied *applied);
/* Called before each step of the engine. */
int lca_apply_pump(void *ctx, lua_State *L, int wait_ms);

/* job/settle.c */

/* Adds applier:settle to the class that lca_apply_open made. [-0, +0, m] */
void lca_settle_open(lua_State *L);

#endif
