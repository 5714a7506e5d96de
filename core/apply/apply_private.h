/* What the files of apply share: items under way with their changes, the
   prechecks of accounts before them, and the secret bodies that wait to be
   sent. Nobody else includes this. */
#ifndef CA_APPLY_PRIVATE_H
#define CA_APPLY_PRIVATE_H

#include "apply/apply.h"
#include "ledger/verdict.h"
#include "base/json.h"
#include "wire/reply.h"

/* One change, copied out of the ledger; the row's texts follow it. */
struct ca_apply_change {
  struct ca_apply_change *next;
  struct ca_change_row row;
  bool fresh; /* the ledger has neither intent nor outcome of it */
};

/* One item's changes that have not ended, in order. It is in exactly one
   queue, in a precheck, or under way with the op of its first change. */
struct ca_apply_item {
  struct ca_apply_item *next;
  struct ca_apply_item *previous; /* among those under way only */
  int64_t number;                 /* of the item */
  struct ca_apply_change *first;
  struct ca_apply_change *last;
  bool complete; /* all its changes have been read */
  bool single;   /* of ca_apply_one and ca_apply_recorded: owner and visit are
                    its own */
  bool precheck; /* a single one that has to be looked at */
  bool intended; /* the first change has its intent, and was not sent yet */
  bool reported; /* visit knows of it */
  struct ca_verdict verdict; /* over the changes that were told */
  int64_t prechecked_ms; /* when all was well, monotonic; 0: not looked at */
  uint64_t op;           /* 0 unless under way */
  ca_applied_fn *visit;
  void *owner;
};

struct ca_apply_queue {
  struct ca_apply_item *first;
  struct ca_apply_item *last;
  size_t count;
};

/* Something that has to be as the plan saw it. */
enum ca_precondition_kind {
  CA_PRECONDITION_NONE,
  CA_PRECONDITION_LISTED,  /* an account, read by a list of ids */
  CA_PRECONDITION_ACCOUNT, /* an account, read alone */
  CA_PRECONDITION_CONFIG,  /* an auth config */
  CA_PRECONDITION_CREATE   /* a user without an ACTIVE account */
};
enum ca_precondition_state {
  CA_PRECONDITION_WAITS,
  CA_PRECONDITION_ASKED,
  CA_PRECONDITION_FINE,
  CA_PRECONDITION_DIFFERS,
  CA_PRECONDITION_FAILED /* it could not be looked at */
};
struct ca_precondition {
  const struct ca_apply_item *item;
  const struct ca_apply_change
      *change; /* the first change of it that is to be sent */
  const struct ca_apply_change
      *suspect; /* one that may have happened, or NULL */
  enum ca_precondition_kind kind;
  enum ca_precondition_state state;
  char text[240]; /* what differs, or why it could not be looked at */
};

struct ca_precheck; /* apply/precheck.c */

struct ca_apply_secret {
  int64_t change;
  char *body; /* NULL once given up */
  size_t len;
};

struct ca_apply {
  struct ca_engine *engine; /* borrowed, as the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;

  enum ca_apply_which which;
  bool precheck; /* at every item */
  size_t concurrency;
  size_t group;   /* intents written at once, about */
  size_t careful; /* the same of changes that must not be sent twice */
  ca_applied_fn *visit;
  void *owner;
  struct ca_changes changes; /* of the bulk, as far as they were read */
  bool read_all;             /* there are no more */
  int64_t items;             /* pause after so many, 0: never */
  int64_t pulled;            /* items begun, without those a look has ended */

  struct ca_apply_queue
      waiting;                  /* read, in order; the last may lack changes */
  struct ca_apply_queue unseen; /* to be looked at */
  struct ca_apply_queue direct; /* single ones: the next turn sends them */
  struct ca_apply_queue fit;    /* read and well: the first intent is next */
  struct ca_apply_queue begun;  /* begun; the next change needs its intent */
  struct ca_apply_queue ready;  /* intent durable, not submitted */
  struct ca_apply_item *under_way;
  size_t active; /* items under way, without single ones */
  size_t singles;
  int64_t *numbers; /* room for a group, twice: fresh ones, and the others */

  bool prechecks_first; /* items of the bulk have to be looked at */
  struct ca_precheck *prechecks;
  size_t precheck_count;
  size_t prechecking; /* items in prechecks, without single ones */

  bool stopped;
  bool ledger_lost; /* outcomes cannot be written any more */
  bool key_rejected;
  bool dropping;
  int depth;            /* of callbacks to visit */
  uint64_t visits;      /* how many there were */
  int64_t unsynced_ms;  /* since when an outcome waits; 0: none does */
  struct ca_err failed; /* code set once it cannot go on */

  struct ca_apply_secret *secrets; /* sorted by change */
  size_t secret_count;
  size_t secret_size;
};

/* apply/reader.c: the next item in the ledger's order that has something to be
   sent and may begin, NULL when there is none. Tells what was decided
   before. */
CA_MUST_USE enum ca_code ca_reader_next(struct ca_apply *apply,
                                        struct ca_apply_item **item,
                                        struct ca_err *err);

/* apply/finish.c. Those that end an item take it. */

/* Nothing more is sent, and ca_apply_fill says why from now on. */
void ca_finish_fail(struct ca_apply *apply, const struct ca_err *why);
/* The ledger is what this stands on. What could not be written of an outcome
   is not tried again and again: every try may wait for a lock. */
void ca_finish_lose_ledger(struct ca_apply *apply, const struct ca_err *why);
/* For people: why nothing more is sent. */
const char *ca_finish_why_stopped(const struct ca_apply *apply);
/* How a change ended that was sent. */
enum ca_outcome ca_finish_classify(const struct ca_apply_change *change,
                                   const struct ca_result *result);
/* What becomes of a change with an intent that could not be submitted. One
   that may have happened before stays unknown. */
enum ca_outcome ca_finish_unsent_outcome(const struct ca_apply_change *change,
                                         enum ca_code code);
void ca_finish_record(struct ca_apply *apply,
                      const struct ca_apply_change *change,
                      enum ca_outcome outcome, const struct ca_result *result,
                      const struct ca_err *cause);
/* Tells what was decided before, up to the next change that is to be sent.
   False when there is none: the item is gone. */
bool ca_finish_decided(struct ca_apply *apply, struct ca_apply_item *item);
/* Ends the item's first change: the item is queued for its next one, or
   gone. */
void ca_finish_change(struct ca_apply *apply, struct ca_apply_item *item,
                      enum ca_outcome outcome, struct ca_result *result,
                      const struct ca_err *cause);
/* The item ends here: what was left to be sent becomes CA_NOT_TRIED or
   CA_STALE. */
void ca_finish_rest(struct ca_apply *apply, struct ca_apply_item *item,
                    enum ca_outcome outcome, const char *why);
/* Drops one that was read, and perhaps told of. */
void ca_finish_drop(struct ca_apply *apply, struct ca_apply_item *item);

/* apply/send.c */

/* Takes the item. Its first change has a durable intent. */
void ca_send_submit(struct ca_apply *apply, struct ca_apply_item *item);
/* Off the list of those under way. */
void ca_send_leave(struct ca_apply *apply, struct ca_apply_item *item);
/* Cancels the op of an item under way and ends the item. */
void ca_send_abandon(struct ca_apply *apply, struct ca_apply_item *item);

/* apply/precheck.c */

/* Starts what prechecks may start, from the queue `unseen`; pulls more items
   out of the ledger for it. Nothing to do in a bulk that needs none. */
CA_MUST_USE enum ca_code ca_precheck_ahead(struct ca_apply *apply,
                                           struct ca_err *err);
/* Looks before a single item is sent, where it has something to be looked at.
   Takes the item, which comes back to the queue `direct` or ends. */
void ca_precheck_single(struct ca_apply *apply, struct ca_apply_item *item);
/* Gives all prechecks up. quietly: their items go untold. */
void ca_precheck_drop_all(struct ca_apply *apply, bool quietly);

/* apply/precondition.c */

/* Is the change to be sent when its turn comes? */
bool ca_precondition_is_open(const struct ca_apply *apply,
                             const struct ca_apply_item *item,
                             const struct ca_apply_change *change);
/* Does the item need a precheck? *count becomes how many preconditions it may
   have; *alone tells whether one of them takes an op of its own. */
bool ca_precondition_is_needed(struct ca_apply *apply,
                               const struct ca_apply_item *item, size_t *count,
                               bool *alone);
/* Adds the item's preconditions from *count on; there must be room for them.
 */
void ca_precondition_list(struct ca_apply *apply,
                          const struct ca_apply_item *item,
                          struct ca_precondition *preconditions,
                          size_t *count);
/* Each sets the state. What a get or list shows of the account or auth config;
   NULL: it is gone. */
void ca_precondition_check(struct ca_apply *apply,
                           struct ca_precondition *precondition,
                           const struct ca_reply_account *account);
void ca_precondition_check_create(struct ca_precondition *precondition,
                                  const char *found);
void ca_precondition_fail(struct ca_precondition *precondition,
                          const char *why);

/* apply/item.c */

/* A copy of the row with all its texts; NULL when out of memory. */
struct ca_apply_change *
ca_apply_item_new_change(const struct ca_change_row *row);
/* Gives up the item with all its changes; safe with NULL. */
void ca_apply_item_free(struct ca_apply_item *item);
void ca_apply_item_add_change(struct ca_apply_item *item,
                              struct ca_apply_change *change);
/* Takes the first change off; it stays the caller's. */
struct ca_apply_change *ca_apply_item_take_change(struct ca_apply_item *item);

/* apply/queue.c */

void ca_apply_queue_push(struct ca_apply_queue *queue,
                         struct ca_apply_item *item);
struct ca_apply_item *ca_apply_queue_pop(struct ca_apply_queue *queue);
void ca_apply_queue_clear(struct ca_apply_queue *queue);

/* apply/secret.c; ca_apply_secret_keep is in apply.h. */

/* The secret body of a change, NULL when none is kept; borrowed. */
const struct ca_apply_secret *
ca_apply_secret_find(const struct ca_apply *apply, int64_t change);
/* Wipes and forgets one. */
void ca_apply_secret_drop(struct ca_apply *apply, int64_t change);
void ca_apply_secret_clear(struct ca_apply *apply);

#endif
