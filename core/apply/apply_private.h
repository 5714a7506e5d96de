/* What the files of apply share: items under way as works of steps, the looks
   at accounts before them, and the secret bodies that wait to be sent. Nobody
   else includes this. */
#ifndef CA_APPLY_PRIVATE_H
#define CA_APPLY_PRIVATE_H

#include "apply/apply.h"
#include "ledger/verdict.h"
#include "base/json.h"
#include "wire/reply.h"

/* One change, copied out of the ledger; the row's texts follow it. */
struct ca_step {
  struct ca_step *next;
  struct ca_change_row row;
  bool fresh; /* the ledger has neither intent nor outcome of it */
};

/* One item's changes that have not ended, in order. It is in exactly one
   queue, in a look, or under way with the op of its first step. */
struct ca_work {
  struct ca_work *next;
  struct ca_work *previous; /* among those under way only */
  int64_t item;
  struct ca_step *first;
  struct ca_step *last;
  bool complete; /* all its changes have been read */
  bool single;   /* of ca_apply_one and ca_apply_recorded: owner and visit are
                    its own */
  bool look;     /* a single one that has to be looked at */
  bool intended; /* the first step has its intent, and was not sent yet */
  bool told;     /* visit knows of it */
  struct ca_verdict verdict; /* over the steps that were told */
  int64_t looked_ms; /* when all was well, monotonic; 0: not looked at */
  uint64_t op;       /* 0 unless under way */
  ca_applied_fn *visit;
  void *owner;
};

struct ca_work_queue {
  struct ca_work *first;
  struct ca_work *last;
  size_t count;
};

/* Something that has to be as the plan saw it. */
enum ca_target_kind {
  CA_TARGET_NONE,
  CA_TARGET_LISTED,  /* an account, read by a list of ids */
  CA_TARGET_ACCOUNT, /* an account, read alone */
  CA_TARGET_CONFIG,  /* an auth config */
  CA_TARGET_CREATE   /* a user without an ACTIVE account */
};
enum ca_target_state {
  CA_TARGET_WAITS,
  CA_TARGET_ASKED,
  CA_TARGET_FINE,
  CA_TARGET_DIFFERS,
  CA_TARGET_FAILED /* it could not be looked at */
};
struct ca_target {
  const struct ca_work *work;
  const struct ca_step *step;  /* the first change of it that is to be sent */
  const struct ca_step *doubt; /* one that may have happened, or NULL */
  enum ca_target_kind kind;
  enum ca_target_state state;
  char text[240]; /* what differs, or why it could not be looked at */
};

struct ca_look; /* apply/precheck.c */

struct ca_kept {
  int64_t change;
  char *body; /* NULL once given up */
  size_t len;
};

struct ca_apply {
  struct ca_engine *engine; /* borrowed, as the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;

  enum ca_apply_which which;
  bool look; /* at every item */
  size_t concurrency;
  size_t group;   /* intents written at once, about */
  size_t careful; /* the same of changes that must not be sent twice */
  ca_applied_fn *visit;
  void *owner;
  struct ca_changes changes; /* of the bulk, as far as they were read */
  bool read_all;             /* there are no more */
  int64_t items;             /* pause after so many, 0: never */
  int64_t pulled;            /* items begun, without those a look has ended */

  struct ca_work_queue waiting; /* read, in order; the last may lack steps */
  struct ca_work_queue unseen;  /* to be looked at */
  struct ca_work_queue direct;  /* single ones: the next turn sends them */
  struct ca_work_queue fit;     /* read and well: the first intent is next */
  struct ca_work_queue again;   /* begun; the next step needs its intent */
  struct ca_work_queue ready;   /* intent durable, not submitted */
  struct ca_work *under_way;
  size_t active; /* works under way, without single ones */
  size_t singles;
  int64_t *numbers; /* room for a group, twice: fresh ones, and the others */

  bool looks_first; /* items of the bulk have to be looked at */
  struct ca_look *looks;
  size_t look_count;
  size_t looking; /* works in looks, without single ones */

  bool stopped;
  bool ledger_lost; /* outcomes cannot be written any more */
  bool key_rejected;
  bool dropping;
  int depth;            /* of callbacks to visit */
  uint64_t told;        /* how many there were */
  int64_t unsynced_ms;  /* since when an outcome waits; 0: none does */
  struct ca_err failed; /* code set once it cannot go on */

  struct ca_kept *kept; /* sorted by change */
  size_t kept_count;
  size_t kept_size;
};

/* apply/reader.c: the next work in the ledger's order that has something to be
   sent and may begin, NULL when there is none. Tells what was decided
   before. */
CA_MUST_USE enum ca_code ca_apply_pull(struct ca_apply *apply,
                                       struct ca_work **work,
                                       struct ca_err *err);

/* apply/finish.c. Those that end a work take it. */

/* Nothing more is sent, and ca_apply_fill says why from now on. */
void ca_apply_fail(struct ca_apply *apply, const struct ca_err *why);
/* The ledger is what this stands on. What could not be written of an outcome
   is not tried again and again: every try may wait for a lock. */
void ca_apply_lose_ledger(struct ca_apply *apply, const struct ca_err *why);
/* For people: why nothing more is sent. */
const char *ca_apply_why_stopped(const struct ca_apply *apply);
/* How a change ended that was sent. */
enum ca_outcome ca_apply_classify(const struct ca_step *step,
                                  const struct ca_result *result);
/* What becomes of a change with an intent that could not be submitted. One
   that may have happened before stays unknown. */
enum ca_outcome ca_apply_unsent_outcome(const struct ca_step *step,
                                        enum ca_code code);
void ca_apply_settle(struct ca_apply *apply, const struct ca_step *step,
                     enum ca_outcome outcome, const struct ca_result *result,
                     const struct ca_err *cause);
/* Tells what was decided before, up to the next step that is to be sent.
   False when there is none: the work is gone. */
bool ca_apply_advance(struct ca_apply *apply, struct ca_work *work);
/* Ends the work's first step: the work is queued for its next one, or
   gone. */
void ca_apply_end_step(struct ca_apply *apply, struct ca_work *work,
                       enum ca_outcome outcome, struct ca_result *result,
                       const struct ca_err *cause);
/* The item ends here: what was left to be sent becomes CA_NOT_TRIED or
   CA_STALE. */
void ca_apply_end_rest(struct ca_apply *apply, struct ca_work *work,
                       enum ca_outcome outcome, const char *why);
/* Drops one that was read, and perhaps told of. */
void ca_apply_leave_alone(struct ca_apply *apply, struct ca_work *work);

/* apply/send.c */

/* Takes the work. Its first step has a durable intent. */
void ca_apply_submit(struct ca_apply *apply, struct ca_work *work);
/* Off the list of those under way. */
void ca_apply_leave(struct ca_apply *apply, struct ca_work *work);
/* Cancels the op of a work under way and ends the work. */
void ca_apply_abandon_one(struct ca_apply *apply, struct ca_work *work);

/* apply/precheck.c */

/* Starts what looks may start, from the queue `unseen`; pulls more works out
   of the ledger for it. Nothing to do in a bulk that needs none. */
CA_MUST_USE enum ca_code ca_apply_look_ahead(struct ca_apply *apply,
                                             struct ca_err *err);
/* Looks before a single work is sent, where it has something to be looked at.
   Takes the work, which comes back to the queue `direct` or ends. */
void ca_apply_look_single(struct ca_apply *apply, struct ca_work *work);
/* Gives all looks up. quietly: their works go untold. */
void ca_apply_drop_looks(struct ca_apply *apply, bool quietly);

/* apply/precondition.c */

/* Is the change to be sent when its turn comes? */
bool ca_step_is_open(const struct ca_apply *apply, const struct ca_work *work,
                     const struct ca_step *step);
/* Has the work to be looked at? *count becomes what it may have of targets,
 *alone whether one of them takes an op of its own. */
bool ca_work_needs_look(struct ca_apply *apply, const struct ca_work *work,
                        size_t *count, bool *alone);
/* Adds the work's targets, from *count on; room for as many as were said. */
void ca_work_targets(struct ca_apply *apply, const struct ca_work *work,
                     struct ca_target *targets, size_t *count);
/* Each sets the state. What a get or list shows of the account or auth config;
   NULL: it is gone. */
void ca_target_judge(struct ca_apply *apply, struct ca_target *target,
                     const struct ca_reply_account *account);
void ca_target_judge_create(struct ca_target *target, const char *found);
void ca_target_fail(struct ca_target *target, const char *why);

/* apply/item.c */

/* A copy of the row with all its texts; NULL when out of memory. */
struct ca_step *ca_step_new(const struct ca_change_row *row);
/* Gives up the work with all its steps; safe with NULL. */
void ca_work_free(struct ca_work *work);
void ca_work_add(struct ca_work *work, struct ca_step *step);
/* Takes the first step off; it stays the caller's. */
struct ca_step *ca_work_take(struct ca_work *work);

/* apply/queue.c */

void ca_work_push(struct ca_work_queue *queue, struct ca_work *work);
struct ca_work *ca_work_pop(struct ca_work_queue *queue);
void ca_work_clear(struct ca_work_queue *queue);

/* apply/secret.c; ca_apply_keep_secret is in apply.h. */

/* The secret body of a change, NULL when none is kept; borrowed. */
const struct ca_kept *ca_kept_find(const struct ca_apply *apply,
                                   int64_t change);
/* Wipes and forgets one. */
void ca_kept_drop(struct ca_apply *apply, int64_t change);
void ca_kept_clear(struct ca_apply *apply);

#endif
