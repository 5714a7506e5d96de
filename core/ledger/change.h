/* A change and its outcome: as a plan records it, and as a cursor reads it
   back, one row after another.
   Must not know: how changes are sent, what a script is. */
#ifndef CA_LEDGER_CHANGE_H
#define CA_LEDGER_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "wire/api.h"

struct ca_ledger;

/* Outcomes of items and changes; the first three are not final. */
enum ca_outcome {
  CA_PLANNED = 0, /* recorded, nothing sent */
  CA_INTENDED,    /* durable intent; a request may have left */
  CA_NOT_TRIED,   /* the run ended before it was sent */
  CA_DONE,
  CA_SAME, /* the account was already so; nothing was sent */
  CA_FAILED,
  CA_SKIPPED,
  CA_UNKNOWN,
  CA_STALE,
  CA_PENDING /* a person has to act */
};
#define CA_OUTCOME_COUNT 10
/* Sets of outcomes are bit masks: 1u << CA_DONE … */
#define CA_ANY_OUTCOME ((1u << CA_OUTCOME_COUNT) - 1)
/* "planned", "intended", "not tried", "done", …; static storage. */
const char *ca_change_outcome_name(enum ca_outcome outcome);
/* The same for programs: "not_tried", not "not tried". */
const char *ca_change_outcome_key(enum ca_outcome outcome);
/* Returns the set that holds only this outcome; the set of all outcomes if
   the key is NULL or names none. */
unsigned ca_change_outcome_set(const char *key);

struct ca_change {
  const struct ca_api *api;
  const char *account;     /* to be changed; "" for creates and links */
  const char *user;        /* creates and links: the user */
  const char *config;      /* creates and links: auth config */
  const char *query;       /* NULL: none */
  const char *body;        /* NULL: the row's constant, none, or a secret */
  const char *fingerprint; /* salted fingerprint of a secret body; else NULL */
  const char *reason;      /* or NULL */
  const char *line;        /* "script.lua:12" */
  const char *before;      /* status before, or NULL when not known */
  /* The part of the before-image that the item's columns lack: JSON with any
     of status, is_disabled, the fields that the change replaces (by name),
     and for auth configs connections, the number of their accounts; for
     creates {"active":0}: the user had no ACTIVE account then. NULL: nothing
     to add */
  const char *before_image;
  bool fallback; /* sent only when the change before it failed */
  enum ca_class cost;
  enum ca_outcome outcome; /* at first: CA_PLANNED, CA_SAME or CA_SKIPPED */
};

/* One change as it is read back. Code that stores more about a change
   embeds this struct. Texts are borrowed from the row's source. */
struct ca_change_row {
  int64_t number;
  int64_t item;
  struct ca_change change;
  const char *key; /* of its item */
  const char *error;
  const char *request_id;
  const char *status_after; /* NULL when not known */
  const char *made;         /* account that a create made, or NULL */
  int64_t sent_ms;          /* wall time of the intent, 0 without one */
  enum ca_outcome outcome;
};
/* Size of the row's texts in bytes. */
size_t ca_change_row_size(const struct ca_change_row *row);
/* Copies the row and its texts; `texts` must live as long as the copy.
   Returns the size of the texts: if it is larger than room, the copy is of no
   use. */
size_t ca_change_row_copy(struct ca_change_row *to,
                          const struct ca_change_row *row, char *texts,
                          size_t room);

/* A cursor over changes of the ledger's run, in the order of their numbers:
   items in the order in which they were added, the changes of an item
   together. It reads a batch at a time and holds copies, so the ledger may
   be read and written between two calls of ca_changes_next; a row shows
   what the ledger held when its batch was read. Members are private. */
struct ca_changes {
  struct ca_ledger *ledger; /* borrowed */
  int bulk;
  unsigned outcomes;
  int64_t after; /* the last change read */
  int64_t last;  /* no change after this one is read */
  struct ca_change_row *rows;
  size_t size;  /* number of rows allocated */
  size_t count; /* number of rows in this batch, and index of the next one */
  size_t next;
  char *texts; /* of the rows */
  size_t texts_size;
  bool ended;
};
/* Opens a cursor over changes of a bulk (-1: of all bulks, 0: straight-line
   ones) whose outcome is in the set. The ledger is borrowed until close;
   nothing is read yet. */
void ca_changes_open(struct ca_changes *changes, struct ca_ledger *ledger,
                     int bulk, unsigned outcomes);
/* Opens a cursor over the changes of one item whose number is above `after`
   (0: all of them). */
void ca_changes_open_item(struct ca_changes *changes, struct ca_ledger *ledger,
                          int64_t item, int64_t after);
/* Opens a cursor over the one change with that number. */
void ca_changes_open_one(struct ca_changes *changes, struct ca_ledger *ledger,
                         int64_t number);
/* Gives the next row, NULL after the last; it is valid until the next call.
   After an error there are no more rows. */
CA_MUST_USE enum ca_code ca_changes_next(struct ca_changes *changes,
                                         const struct ca_change_row **row,
                                         struct ca_err *err);
/* Frees what the cursor holds; safe to call twice, and on a zeroed struct. */
void ca_changes_close(struct ca_changes *changes);

/* Is the change on its item's account, which may be NULL? A create counts as
   that. What the item's row says of its account is not true of another. */
bool ca_change_is_own(const struct ca_change *change, const char *account);

#endif
