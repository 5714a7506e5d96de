/* What the files of job share, private to them: the run, its live items, and
   changes that are being built for the ledger.
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
  bool active;   /* it may be ACTIVE after the changes planned so far */
};

/* The script line that called for a change, as the ledger stores it. */
struct lca_line {
  int number; /* 0: no line is known */
  char file[140];
  char text[160];
};

/* Counts changes that ended in a row without an answer of the service;
   while planning, items whose look-ups raised. */
struct lca_unanswered {
  int64_t failed[1024]; /* numbers of those that are told as failed */
  size_t failed_count;
  int changes;
  int attempts;
  uint64_t successes;  /* while planning: the endpoint's successes before
                          the first of them */
  char request_id[64]; /* of the last one counted: several items may share a
                          look-up */
  char text[600];      /* while planning: why the run stops, if it does */
};

/* The bulk's items that are sent on after settling. */
struct lca_resent {
  int bulk;
  int passes;
  int64_t began_ms; /* monotonic: when their settling began, less what the
                       run's had taken before */
  int64_t *items;   /* owned; sorted */
  size_t count;
};

#define LCA_REPORTED_MAX 10 /* lines; the ledger has the rest */

struct lca_run {
  struct lca_run_options options;
  struct lca_run_stats stats;
  struct lca_scheduler *sched;
  int64_t began_ms;          /* monotonic; nothing was read or sent before
                                this moment */
  int64_t last_lost_ms;      /* when the last request that must not be
                                repeated, or of a straight-line change, ended
                                without a reply; 0: none has */
  int64_t settled_ms;        /* how long settling has taken so far */
  struct ca_ledger *ledger;  /* borrowed from the host; NULL until opened */
  struct ca_apply *apply;    /* owned; NULL before the first change */
  struct lca_client *client; /* the default one, anchored by client_ref */
  int client_ref;
  int live_ref;  /* table: slot → the userdata of an item, live or idle */
  int names_ref; /* table: names of the bulks so far */
  int notes_ref; /* table: auth config's id → { toolkit, protected } */
  int64_t last_item;
  int slots;         /* how many slots there are */
  int idle_slot;     /* slot of the first idle item, 0: none */
  int64_t last_call; /* number in the last straight-line change's key */
  enum ca_class may;
  struct lca_count *plan_counts; /* owned; counts of the bulk being planned */
  size_t plan_counts_used;
  struct lca_plan plan;        /* the same bulk's totals */
  struct ca_planned guarded;   /* what the run's were before this bulk */
  struct lca_totals left;      /* of a replayed bulk, while it is planned on */
  struct ca_bulk sealed_bulk;  /* in a replay: the bulk's row in the ledger */
  struct lca_applier *applier; /* the bulk being applied, or NULL */
  struct lca_resent resent;
  bool resending;                /* items go on after they were settled */
  struct lca_recorded *recorded; /* owned; straight-line changes to replay */
  bool recorded_read;
  int64_t lost_links; /* straight-line links that an earlier session got */
  struct ca_stop_limit stop_on[CA_OUTCOME_COUNT];
  int64_t unknown_reported; /* how many changes were reported to remain
                               unknown */
  int64_t reported[LCA_REPORTED_MAX]; /* changes with a line about their
                                         settling */
  size_t reported_count;
  bool started;     /* lca_run_start was called */
  bool like_asked;  /* options.like was called */
  bool like_passed; /* and allowed creates */
  struct lca_unanswered unanswered;
  char bulk_name[80];
  struct lca_line line; /* the last change's */
};

/* What to subtract from the plan counts if the item's action raises. */
struct lca_counted {
  struct lca_count *plan_count; /* NULL: it was not counted */
  bool same;
};
#define LCA_COUNTED 16

/* An item while its action runs: a full userdata with the user values
   1 account as it was read or nil, 2 key, 3 row as JSON or nil. */
struct lca_item {
  int64_t id; /* number and slot, which the task carries; 0: the item is
                 idle */
  int slot;
  int next_idle;                     /* slot of the next idle item */
  const struct lca_account *account; /* the text of user value 1, or NULL */
  int64_t number; /* the ledger's id; 0 until the item is written there */
  int bulk;
  int changes;
  struct lca_touched touched[6]; /* accounts this item changes */
  size_t touched_count;
  int64_t first_change; /* the ledger's number; the item's others follow it */
  struct lca_totals totals;  /* its share of the plan's */
  struct ca_planned guarded; /* its share of the run's guarded counts */
  bool follows_first;        /* its account is that of its first change */
  bool recall;      /* the plan is sealed: the action runs only for secrets */
  int64_t recalled; /* number of the last change that was matched */
  struct lca_counted counted[LCA_COUNTED]; /* its first changes */
};
#define LCA_SLOT_BITS 20
enum { LCA_ITEM_ACCOUNT = 1, LCA_ITEM_KEY, LCA_ITEM_ROW, LCA_ITEM_VALUES = 3 };

/* job/run.c */

/* Makes this state's run. [-0, +0, m] */
void lca_run_make(lua_State *L, const struct lca_run_options *options);

/* Opens the ledger on the first call; ends the run when that fails.
   [-0, +0, e] */
void lca_run_begin(lua_State *L, struct lca_run *run);
/* Ends the run because the ledger cannot be written. [-0, +0, e] */
int lca_run_ledger_failed(lua_State *L, struct lca_run *run,
                          const struct ca_err *err);
/* Raises when the text, which the ledger or a report would keep, holds the
   value of a secret parameter or of a secret column of a CSV file. place:
   names the text; text may be NULL. [-0, +0, e] */
void lca_run_keep_clear(lua_State *L, const char *place, const char *text);
/* Sets run->client, which sends changes, to the default client unless a
   recorded call has set it. [-0, +0, e] */
void lca_run_need_client(lua_State *L, struct lca_run *run);
/* Makes run->apply on the first call. [-0, +0, e] */
void lca_run_need_apply(lua_State *L, struct lca_run *run);

/* job/item.c */

/* Writes the item into the ledger if it is not there yet; its userdata is at
   `index`. account: the first one that it changes, or NULL; an item without an
   account of its own takes that one. [-0, +0, e] */
void lca_item_store(lua_State *L, struct lca_run *run, int index,
                    const struct lca_account *account);
/* Pushes the userdata of the running task's item and returns it, or pushes
   nil and returns NULL. [-0, +1, -] */
struct lca_item *lca_item_push_live(lua_State *L, struct lca_run *run,
                                    int64_t id);
/* Adds a separate item for a straight-line change and returns its number.
   account: NULL when it is not known; id may be "". [-0, +0, e] */
int64_t lca_item_add_single(lua_State *L, struct lca_run *run,
                            const struct lca_account *account, const char *id);
/* host.plan_item, host.after_item, host.item_account, host.item_kind,
   host.row_item, host.tag, host.fail_straight. */
int lca_item_plan(lua_State *L);
int lca_item_in_shard(lua_State *L);
int lca_item_after(lua_State *L);
int lca_item_account(lua_State *L);
int lca_item_fail_straight(lua_State *L);
int lca_item_kind(lua_State *L);
int lca_item_of_row(lua_State *L);
int lca_item_tag(lua_State *L);

/* job/recorder.c */

/* A change that is being built for the ledger, with texts that `change` points
   to. */
struct lca_change_builder {
  struct ca_change change;
  struct ca_slice secret; /* the body, when it must not be stored */
  int64_t weight;         /* number of accounts that it changes */
  bool ends_active;       /* it deletes an account that may still be ACTIVE */
  char user[320];
  char config[160];
  char line[160];
  char fingerprint[40];
  char reason[200]; /* why the account is protected */
};

/* The recorder (see module/client.h). */
int lca_recorder_record(lua_State *L, void *ctx, struct lca_client *client,
                        struct ca_request *request, int arguments, int target);
/* host.check_class. */
int lca_recorder_check_class(lua_State *L);
/* Pushes the result of a change whose account was already in that state.
   [-0, +1, m] */
int lca_run_push_same(lua_State *L);
/* Makes the metatables of planned changes. [-0, +0, m] */
void lca_recorder_open(lua_State *L);

/* job/change.c */

/* Fills the builder from a finished request. account: the account that it
   changes as the service returned it, or NULL; own: that is the item's own
   account. Texts live as long as the pushed stack values and the request.
   [-0, +many, e] */
void lca_change_make(lua_State *L, struct lca_run *run,
                     const struct ca_request *request, int arguments,
                     const struct lca_account *account, bool own,
                     struct lca_change_builder *builder);
/* Builds the fallback that `otherwise` asks for, from the same arguments as
   the change in `builder`; returns false when there is none. Its texts belong
   to the builder or are on the stack. [-0, +many, e] */
bool lca_change_fallback(lua_State *L, const struct ca_request *request,
                         int arguments, const struct lca_account *account,
                         bool own, const struct lca_change_builder *builder,
                         struct lca_change_builder *fallback);
/* Is the account already in the state that the request asks for? account may
   be NULL. [-0, +0, m] */
bool lca_change_is_same(const struct ca_request *request, const char *before,
                        const struct lca_account *account);
void lca_change_open(lua_State *L);

/* job/bulk.c */

/* Counts a change that was recorded. item: NULL for a straight-line change;
   account: NULL when it is not known. */
void lca_bulk_count(struct lca_run *run, struct lca_item *item,
                    const struct lca_change_builder *builder,
                    const struct lca_account *account);
/* Records the item's planned changes as skipped, because its action raised.
   [-0, +0, e] */
void lca_bulk_take_back(lua_State *L, struct lca_run *run,
                        struct lca_item *item);
/* host.begin_bulk, host.drop_plan, host.end_plan, host.seal, host.counts,
   host.begin_retry, host.seal_retry. */
int lca_bulk_begin(lua_State *L);
int lca_bulk_drop_plan(lua_State *L);
int lca_bulk_end_plan(lua_State *L);
int lca_bulk_seal(lua_State *L);
int lca_bulk_counts(lua_State *L);
int lca_bulk_begin_retry(lua_State *L);
int lca_bulk_seal_retry(lua_State *L);

/* job/guard.c */

/* Can the account be ACTIVE before its item's first change, and after a change
   that found it possibly ACTIVE (`active`) or not? The status after a refresh
   cannot be predicted. */
bool lca_guard_begins_active(const struct ca_change *change);
bool lca_guard_leaves_active(const struct ca_change *change, bool active);
/* Add a change to the guard's counts, and subtract a part of them again. */
void lca_guard_add(struct ca_planned *planned, const struct ca_change *change,
                   int64_t weight, bool ends_active);
void lca_guard_take_back(struct ca_planned *planned,
                         const struct ca_planned *part);
/* Raises when the straight-line change exceeds a limit or is not confirmed;
   the run then ends as lca_guard_refuse says, and nothing is recorded.
   [-0, +0, e] */
void lca_guard_straight(lua_State *L, struct lca_run *run,
                        const struct lca_change_builder *builder);
/* Refuses a run that makes accounts (`creates`) while a like run stands
   interrupted, and only tells of that one otherwise; a plan is checked like a
   fresh run, a resumed run is not. It asks once, and again for creates until
   they may pass: a script can catch a refusal. CA_USAGE with the refusal. */
CA_MUST_USE enum ca_code lca_guard_like(struct lca_run *run, bool creates,
                                        struct ca_err *err);
/* Raises the text. Even if the script catches it, the run exits with 4, or
   with 7 once it has sent a change. */
int lca_guard_refuse(lua_State *L, struct lca_run *run, const char *text);
/* Checks, after a change has ended, the counted outcomes against stop_on, and
   whether the service is down: too many attempts in a row had no answer. Calls
   no Lua. */
void lca_guard_ended(struct lca_run *run, const struct ca_applied *applied);
/* An item's action raised the error that is below the top. If the look-ups
   of items fail in a row because the service is down, ends the run before
   anything of the bulk is written. [-0, +0, e] */
void lca_guard_lookup_failed(lua_State *L, struct lca_run *run);
/* The bulk is planned: ends the run in the same way if the last look-ups, all
   that were left, had no answer, and there were enough attempts or nothing has
   succeeded before. [-0, +0, e] */
void lca_guard_planned(lua_State *L, struct lca_run *run);
/* Keeps what a limit, or the lack of a confirmation, has refused. to_confirm:
   the number of irreversible changes that --confirm has to name. */
void lca_guard_keep_over(struct lca_run_stats *stats,
                         const struct ca_planned *planned, int64_t to_confirm);
/* host.guard, host.needs_project, host.project, host.stop_on, host.stopped. */
int lca_guard_check(lua_State *L);
int lca_guard_needs_project(lua_State *L);
int lca_guard_project(lua_State *L);
int lca_guard_stop_on(lua_State *L);
int lca_guard_stopped(lua_State *L);

/* job/replay.c */

/* Reads a bulk's sealed plan in a replay; false when the ledger has none and
   the script may plan the bulk. [-0, +0, e] */
bool lca_replay_bulk(lua_State *L, struct lca_run *run);
/* Sets whether the run has changed the account of a straight-line change after
   it, or found it as the script wants it, or made an account for a create's
   user and auth config. Sending the change again would undo the script's later
   word, or make a second account. */
CA_MUST_USE enum ca_code lca_replay_followed(struct lca_run *run,
                                             const struct ca_change_row *row,
                                             bool *followed,
                                             struct ca_err *err);
/* Records such a change as skipped; *why becomes the reason. */
CA_MUST_USE enum ca_code lca_replay_skip(struct lca_run *run,
                                         const struct ca_change_row *row,
                                         const char **why, struct ca_err *err);
/* Replays a straight-line change: true when the ledger has it, and then
 *results is what the recorder returns. [-0, +?, e] */
bool lca_replay_straight(lua_State *L, struct lca_run *run,
                         const struct lca_change_builder *builder,
                         int *results);
/* Takes the secret of a change whose action runs again for it; the item's
   userdata is at the index `at`. [-0, +1, e] */
int lca_replay_recall(lua_State *L, struct lca_run *run, int at,
                      const struct lca_change_builder *builder);
/* Pushes the result of a change that an earlier session of the run carried
   out.
   [-0, +1, m] */
void lca_run_push_earlier(lua_State *L, const struct ca_api *api,
                          const char *account, const char *status_after,
                          const char *made);
/* host.open_secrets, host.row_of, host.unplanned, host.guard_plan,
 * host.leave_out. */
int lca_replay_leave_out(lua_State *L);
int lca_replay_open_secrets(lua_State *L);
int lca_replay_row(lua_State *L);
int lca_replay_unplanned(lua_State *L);
int lca_replay_guard_plan(lua_State *L);
void lca_replay_free(struct lca_run *run);

/* job/tally.c */

/* Moves a result out of a callback; from may be NULL. */
void lca_tally_move_result(struct ca_result *to, struct ca_result *from);
/* Counts a change that has ended, and keeps it for the summary if it is one of
   the first failures. Calls no Lua. */
void lca_tally_change(struct lca_run *run, const struct ca_applied *applied);
/* Sets the outcome in the summary's list of failures after a change was
   settled or sent again; CA_DONE takes it off the list. key: the account's id,
   or the item's key. */
void lca_tally_mend(struct lca_run_stats *stats, const char *key,
                    const struct ca_api *api, enum ca_outcome outcome);
/* Keeps a failure for the summary if it is one of the first LCA_FAILURES. */
void lca_tally_failure(struct lca_run *run, const char *key,
                       const char *operation, enum ca_outcome outcome,
                       const char *request_id, const char *text);

/* job/direct.c */

/* Carries one change out at once and waits for it; returns like a
   lua_CFunction. number: the change's number if the ledger already holds it; 0
   adds it to the item. secret: the secret body, or an empty slice.
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
/* Carries out once more the changes of the items in run->resent that are
   open. */
void lca_apply_resend(struct lca_run *run, int bulk, int concurrency,
                      struct ca_err *err);
/* The scheduler's pump, called before each step of the engine; returns how
   long the step may wait. */
int lca_apply_pump(void *ctx, lua_State *L, int wait_ms);

/* job/settle.c */

/* host.settle. */
int lca_settle_bulk(lua_State *L);

#endif
