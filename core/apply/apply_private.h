/* What the files of apply share: the items under way with their changes, the
   prechecks, and the secret bodies that wait to be sent. Only apply includes
   this. */
#ifndef CA_APPLY_PRIVATE_H
#define CA_APPLY_PRIVATE_H

#include "apply/apply.h"
#include "ledger/verdict.h"
#include "base/json.h"
#include "wire/reply.h"

/* One change, copied from the ledger. The row's texts follow the struct in the
   same allocation. */
struct ca_apply_change {
  struct ca_apply_change *next;
  struct ca_change_row row;
  bool fresh; /* the ledger has neither an intent nor an outcome for it */
  struct ca_sent sent; /* what its precheck saw; ids are owned */
};

/* One item with its changes that have not ended, in order. It is in exactly
   one queue, in a precheck, or under way with the op of its first change. */
struct ca_apply_item {
  struct ca_apply_item *next;
  struct ca_apply_item *previous; /* in the list of items under way */
  int64_t number;                 /* the item's, in the ledger */
  struct ca_apply_change *first;
  struct ca_apply_change *last;
  bool single;   /* from ca_apply_one or ca_apply_recorded, which set its own
                    owner and visit */
  bool precheck; /* single items: a precheck is due */
  bool intended; /* the first change has its intent and was not sent yet */
  bool reported; /* visit was called for one of its changes */
  bool changed;  /* a change was sent after its last precheck */
  struct ca_verdict verdict; /* over the changes that were reported */
  int64_t seen_ms;           /* when its accounts were read, monotonic; 0: its
                                precheck is due, or it needs none */
  uint64_t op;               /* the engine's operation; 0: none is under way */
  ca_applied_fn *visit;
  void *owner;
};

struct ca_apply_queue {
  struct ca_apply_item *first;
  struct ca_apply_item *last;
  size_t count;
};

/* What a precondition is about and how it is read. */
enum ca_precondition_kind {
  CA_PRECONDITION_NONE,
  CA_PRECONDITION_LISTED,  /* an account, read from a list by ids */
  CA_PRECONDITION_ACCOUNT, /* an account, read by a get */
  CA_PRECONDITION_CONFIG,  /* an auth config, read by a get */
  CA_PRECONDITION_CREATE   /* that the user has no ACTIVE account */
};
enum ca_precondition_state {
  CA_PRECONDITION_WAITS,
  CA_PRECONDITION_ASKED,
  CA_PRECONDITION_FINE,
  CA_PRECONDITION_DIFFERS,
  CA_PRECONDITION_FAILED /* it could not be read */
};
struct ca_precondition {
  const struct ca_apply_item *item;
  struct ca_apply_change
      *change; /* the item's first change with it that is to be sent */
  const struct ca_apply_change
      *suspect; /* a change that may have happened, or NULL */
  enum ca_precondition_kind kind;
  enum ca_precondition_state state;
  char text[240]; /* what differs, or why it could not be read */
};

struct ca_precheck; /* apply/precheck.c */

struct ca_apply_secret {
  int64_t change;
  char *body; /* NULL once wiped */
  size_t len;
};

struct ca_apply {
  struct ca_engine *engine; /* borrowed, like the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;

  enum ca_apply_which which;
  int64_t seen_ms; /* see ca_apply_options */
  size_t concurrency;
  size_t group;   /* how many changes may be intended ahead of sending */
  size_t careful; /* the limit for a change that must not be sent twice */
  ca_applied_fn *visit;
  bool (*wants)(void *owner, int64_t item); /* NULL: all items */
  void *owner;
  struct ca_changes changes; /* cursor over the bulk's changes */
  bool read_all;             /* the cursor is at its end */
  int64_t items;             /* pause after this many, 0: never */
  int64_t pulled;            /* items read, less those a precheck has ended */

  struct ca_apply_item *reading; /* its last changes are not read yet */
  struct ca_apply_queue unseen;  /* a precheck is due */
  struct ca_apply_queue direct;  /* single items, sent on the next turn */
  struct ca_apply_queue fit;   /* passed or need no precheck; no intent yet */
  struct ca_apply_queue begun; /* begun; the next change needs its intent */
  struct ca_apply_queue ready; /* intent durable, not submitted */
  struct ca_apply_item *under_way;
  size_t active; /* items under way, single ones not counted */
  size_t singles;
  int64_t *numbers; /* of a group, for its intents */

  bool prechecks_first; /* the bulk's items need prechecks */
  struct ca_precheck *prechecks;
  size_t precheck_count;
  size_t prechecking; /* items in prechecks, single ones not counted */
  size_t ahead;       /* items that can be sent before their accounts have
                         to be read again */
  int64_t ahead_ms;   /* when `ahead` was changed, monotonic */

  bool stopped;
  bool ledger_lost; /* outcomes can no longer be written */
  bool key_rejected;
  bool no_route; /* the service lacks the route of an operation */
  bool dropping;
  int depth;            /* nesting of calls of visit */
  uint64_t visits;      /* calls of visit so far */
  int64_t unsynced_ms;  /* when outcomes must be synced, monotonic; 0: none */
  struct ca_err failed; /* code set once nothing can be sent any more */

  struct ca_apply_secret *secrets; /* sorted by change */
  size_t secret_count;
  size_t secret_size;
};

/* apply/reader.c: reads the next item, in the ledger's order, that has
   something to send; *item: NULL when there is none or the bulk pauses.
   Reports changes that need no sending. */
CA_MUST_USE enum ca_code ca_reader_next(struct ca_apply *apply,
                                        struct ca_apply_item **item,
                                        struct ca_err *err);

/* apply/finish.c. Functions that end an item take it. */

/* Stops the apply; ca_apply_fill returns `why` from now on. */
void ca_finish_fail(struct ca_apply *apply, const struct ca_err *why);
/* Stops the apply after a ledger error. Later outcomes are not even tried:
   each attempt to write may wait for a lock. */
void ca_finish_lose_ledger(struct ca_apply *apply, const struct ca_err *why);
/* Why nothing more is sent, as a text for people. */
const char *ca_finish_why_stopped(const struct ca_apply *apply);
/* Reports the changes that need no sending, up to the next one to be sent.
   Returns false when there is none: the item is then freed. */
bool ca_finish_decided(struct ca_apply *apply, struct ca_apply_item *item);
/* Ends the item's first change. The item is queued for its next change, or
   freed. */
void ca_finish_change(struct ca_apply *apply, struct ca_apply_item *item,
                      enum ca_outcome outcome, struct ca_result *result,
                      const struct ca_err *cause);
/* Stops apply if the reply, which ca_reply_explain has seen, says that no
   further request makes sense: the key is rejected, or a route is missing. */
void ca_finish_note_end(struct ca_apply *apply,
                        const struct ca_result *result);
/* Ends the item: changes that were still to be sent become `outcome`, which is
   CA_NOT_TRIED or CA_STALE. */
void ca_finish_rest(struct ca_apply *apply, struct ca_apply_item *item,
                    enum ca_outcome outcome, const char *why);
/* Frees an item that was read. If it is single, has an intent or has been
   reported, its remaining changes become CA_NOT_TRIED. */
void ca_finish_drop(struct ca_apply *apply, struct ca_apply_item *item);

/* apply/send.c */

/* Takes the item, whose first change has a durable intent. */
void ca_send_submit(struct ca_apply *apply, struct ca_apply_item *item);
/* Takes the item off the list of those under way. */
void ca_send_leave(struct ca_apply *apply, struct ca_apply_item *item);
/* Cancels the op of an item under way and ends the item. */
void ca_send_abandon(struct ca_apply *apply, struct ca_apply_item *item);

/* apply/precheck.c */

/* Starts prechecks for the queue `unseen`, as many as may run, and reads more
   items from the ledger for them. Does nothing in a bulk without prechecks. */
CA_MUST_USE enum ca_code ca_precheck_ahead(struct ca_apply *apply,
                                           struct ca_err *err);
/* Prechecks a single item if it has preconditions. Takes the item, which goes
   back to the queue `direct` or ends. */
void ca_precheck_single(struct ca_apply *apply, struct ca_apply_item *item);
/* Queues an item for a new precheck, because its accounts were read too
   long ago. Takes the item. */
void ca_precheck_repeat(struct ca_apply *apply, struct ca_apply_item *item);
/* Cancels all prechecks. quietly: their items are freed without a report. */
void ca_precheck_drop_all(struct ca_apply *apply, bool quietly);

/* apply/precondition.c */

/* Returns whether the next change needs a new precheck because the item has
   changed its account since the last one. This is so for changes whose
   proof is a comparison with the precheck. */
bool ca_precondition_is_lost(const struct ca_apply_item *item);

/* Returns the most preconditions that the item can have; 0 when it needs no
   precheck. *alone, unless NULL: whether one of them needs a request of its
   own. */
size_t ca_precondition_count(const struct ca_apply *apply,
                             const struct ca_apply_item *item, bool *alone);
/* The last moment, monotonic, at which the item's first change may be sent
   without reading its accounts again; INT64_MAX when it needs no precheck. */
int64_t ca_precondition_until(const struct ca_apply_item *item);
/* Appends the item's preconditions from index *count on; the array must have
   room for them. */
void ca_precondition_list(const struct ca_apply *apply,
                          struct ca_apply_item *item,
                          struct ca_precondition *preconditions,
                          size_t *count);
/* The next three set the precondition's state. account: what a get or list
   shows of the account or auth config; NULL: it is gone. For a create: one of
   the accounts in the list of its user's. */
void ca_precondition_check(struct ca_apply *apply,
                           struct ca_precondition *precondition,
                           const struct ca_reply_account *account);
void ca_precondition_check_create(struct ca_precondition *precondition,
                                  const struct ca_reply_account *account);
/* The create's list has ended; whole: no account is missing from it. */
void ca_precondition_end_create(struct ca_precondition *precondition,
                                bool whole);
void ca_precondition_fail(struct ca_precondition *precondition,
                          const char *why);

/* apply/probe.c. Each begins and finishes a request; clear it also after a
   failure. cursor: the page's, "" for the first. */

#define CA_PROBE_PAGE 100 /* accounts in one page, so ids in one request */

/* Gets the account or auth config that the change is about. */
CA_MUST_USE enum ca_code ca_probe_get(struct ca_request *request,
                                      const struct ca_change *change,
                                      struct ca_err *err);
/* Lists accounts by their ids, at most CA_PROBE_PAGE. changed: an operation on
   such accounts. */
CA_MUST_USE enum ca_code ca_probe_ids(struct ca_request *request,
                                      const struct ca_api *changed,
                                      const struct ca_slice *ids, size_t count,
                                      const char *cursor, struct ca_err *err);
/* Lists all accounts of the create's user and auth config, newest first;
   everybody's when the user's id cannot be a filter. */
CA_MUST_USE enum ca_code ca_probe_newest(struct ca_request *request,
                                         const struct ca_change *change,
                                         const char *cursor,
                                         struct ca_err *err);

/* apply/item.c */

/* Adds a copy of the row, with its texts, as the item's last change; false
   when out of memory. */
bool ca_apply_item_add_change(struct ca_apply_item *item,
                              const struct ca_change_row *row);
/* Removes and returns the first change, which the caller then owns and frees
   by ca_apply_item_free_change. */
struct ca_apply_change *ca_apply_item_take_change(struct ca_apply_item *item);
void ca_apply_item_free_change(struct ca_apply_change *change);
/* Frees the item with all its changes; safe with NULL. */
void ca_apply_item_free(struct ca_apply_item *item);
/* May the item's change still be sent? */
bool ca_apply_item_is_open(const struct ca_apply *apply,
                           const struct ca_apply_item *item,
                           const struct ca_apply_change *change);
/* Queues, first in, first out; ca_apply_item_clear frees the items. */
void ca_apply_item_push(struct ca_apply_queue *queue,
                        struct ca_apply_item *item);
struct ca_apply_item *ca_apply_item_pop(struct ca_apply_queue *queue);
void ca_apply_item_clear(struct ca_apply_queue *queue);

/* apply/secret.c; ca_apply_secret_keep is in apply.h. */

/* The secret body of a change, NULL when none is kept; borrowed. */
const struct ca_apply_secret *
ca_apply_secret_find(const struct ca_apply *apply, int64_t change);
/* Wipes and removes the secret body of a change, if there is one. */
void ca_apply_secret_drop(struct ca_apply *apply, int64_t change);
void ca_apply_secret_clear(struct ca_apply *apply);

#endif
