/* A change and its outcome: as it is planned, and as it is read back, one row
   after the other, by a cursor.
   Must not know: how changes are sent, what a script is. */
#ifndef CA_LEDGER_CHANGE_H
#define CA_LEDGER_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "wire/api.h"

struct ca_ledger;

/* Outcomes of items and changes; the first three are states on the way. */
enum ca_outcome {
  CA_PLANNED = 0, /* recorded, nothing sent */
  CA_INTENDED,    /* durable intent; a request may have left */
  CA_NOT_TRIED,   /* the run ended before it */
  CA_DONE,
  CA_SAME, /* was so already; nothing sent */
  CA_FAILED,
  CA_SKIPPED,
  CA_UNKNOWN,
  CA_STALE,
  CA_PENDING /* a person has to act */
};
#define CA_OUTCOME_COUNT 10
/* As a set of outcomes: 1u << CA_DONE … */
#define CA_ANY_OUTCOME ((1u << CA_OUTCOME_COUNT) - 1)
/* "planned", "intended", "not tried", "done", …; static storage. */
const char *ca_change_outcome_name(enum ca_outcome outcome);

struct ca_change {
  const struct ca_api *api;
  const char *account;     /* target id; "" for creates and links */
  const char *user;        /* creates and links: whose */
  const char *config;      /* creates and links: auth config */
  const char *query;       /* NULL: none */
  const char *body;        /* NULL: the row's constant, none, or secret */
  const char *fingerprint; /* salted, of a secret body; else NULL */
  const char *reason;      /* or NULL */
  const char *line;        /* "script.lua:12" */
  const char *before;      /* status before, or NULL when not known */
  const char
      *before_image; /* what the item's columns do not tell of how it was
                 before: JSON with any of status, is_disabled,
                 the fields that it replaces by their names, and
                 of auth configs connections, how many accounts
                 there were; for creates
                 {"active":0}: the user had no ACTIVE account
                 then. NULL: nothing */
  bool fallback;     /* sent only when the change before it failed */
  enum ca_class cost;
  enum ca_outcome outcome; /* CA_PLANNED, or CA_SAME / CA_SKIPPED at once */
};

/* One change as it is read back. Whoever keeps more about a change embeds this
   struct. Texts are borrowed from where the row came from. */
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
/* How many bytes the row's texts take. */
size_t ca_change_row_size(const struct ca_change_row *row);
/* Copies the row; its texts go to `texts`, which needs ca_change_row_size
   bytes and has to live as long as the copy. */
void ca_change_row_copy(struct ca_change_row *to,
                        const struct ca_change_row *row, char *texts);

/* A cursor over changes of the ledger's run, in the order of their numbers:
   items in the order in which they were added, each item's changes together.
   It reads a batch at a time and holds copies, so the ledger may be read and
   written between two calls of next; a row says what the ledger held when its
   batch was read. Members are private. */
struct ca_changes {
  struct ca_ledger *ledger; /* borrowed */
  int bulk;
  unsigned outcomes;
  int64_t after; /* the last change read */
  int64_t last;  /* none beyond this one */
  struct ca_change_row *rows;
  size_t size;  /* room for so many rows */
  size_t count; /* rows of this batch, and the one that comes next */
  size_t next;
  char *texts; /* of the rows */
  size_t texts_size;
  bool ended;
};
/* Changes of a bulk (-1: of all bulks, 0: straight-line ones) whose outcome is
   in the set. The ledger is borrowed until close; nothing is read yet. */
void ca_changes_open(struct ca_changes *changes, struct ca_ledger *ledger,
                     int bulk, unsigned outcomes);
/* All changes of one item whose number is above `after` (0: all of them). */
void ca_changes_open_item(struct ca_changes *changes, struct ca_ledger *ledger,
                          int64_t item, int64_t after);
/* The one change of that number. */
void ca_changes_open_one(struct ca_changes *changes, struct ca_ledger *ledger,
                         int64_t number);
/* The next row, NULL after the last; it is valid until the next call. After an
   error there are no more rows. */
CA_MUST_USE enum ca_code ca_changes_next(struct ca_changes *changes,
                                         const struct ca_change_row **row,
                                         struct ca_err *err);
/* Frees what the cursor holds; safe to call twice, and on a zeroed struct. */
void ca_changes_close(struct ca_changes *changes);

#endif
