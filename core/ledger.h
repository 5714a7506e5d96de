/* The ledger: runs, items and changes in one SQLite database per state
   directory (WAL, synchronous=FULL). A change's intent is durable here before
   its request leaves; its outcome follows. Holds no secret: credentials are
   kept by fingerprint, error texts come masked.
   Knows nothing of how changes are sent. */
#ifndef CA_LEDGER_H
#define CA_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "api.h"
#include "clock.h"
#include "err.h"

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
/* "planned", "intended", "not tried", "done", …; static storage. */
const char *ca_outcome_name(enum ca_outcome outcome);

struct ca_run_info {
  const char *script;     /* path as given */
  const char *script_sha; /* SHA-256 in hex */
  const char *params;     /* JSON object, secrets left out */
  const char *options;    /* JSON object of host options */
  const char *mode;       /* "preview" or "apply" */
  const char *who;        /* user name */
  const char *host;       /* machine's name */
  const char *project;    /* fingerprint of base URL and key */
  const char *base_url;
  const char *version; /* of composio-lua */
};

/* The projection of an account that an item keeps (<= 300 bytes), or a CSV
   row as JSON in `row`. Absent texts are NULL. Borrowed for the call. */
struct ca_item {
  int bulk;            /* 1, 2, … within the run; 0: straight-line calls */
  const char *key;     /* stable within the run; account id by default */
  const char *account; /* id or NULL */
  const char *user;
  const char *toolkit;
  const char *scheme;
  const char *status;
  const char *alias;
  const char *status_reason; /* as the service says it, cut to 120 bytes */
  unsigned flags;            /* of enum ca_item_flag */
  int64_t created_ms;
  int64_t updated_ms;
  const char *row; /* CSV row as JSON, secret columns left out */
};
enum ca_item_flag {
  CA_ITEM_DISABLED = 1,
  CA_ITEM_CONFIG_DISABLED = 2,
  CA_ITEM_SHARED = 4,
  CA_ITEM_MANAGED = 8
};

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
  enum ca_class cost;
  enum ca_outcome outcome; /* CA_PLANNED, or CA_SAME / CA_SKIPPED at once */
};

/* Opens or makes the database `dir`/ledger.db; the directory is made 0700,
   files 0600. A newer schema is refused. Borrows clock. */
struct ca_ledger *ca_ledger_open(const char *dir, const struct ca_clock *clock,
                                 struct ca_err *err);
/* Commits what is open and closes; safe with NULL. */
void ca_ledger_close(struct ca_ledger *ledger);

/* Begins a run, durable on return; its id, such as
   2026-11-22T0600-refresh_expired-k3f, goes into id (at least 96 bytes). */
CA_MUST_USE enum ca_code ca_ledger_begin(struct ca_ledger *ledger,
                                         const struct ca_run_info *info,
                                         char *id, size_t size,
                                         struct ca_err *err);
/* Turns what is left CA_PLANNED of an applied run into CA_NOT_TRIED and what
   is left CA_INTENDED into CA_UNKNOWN, writes end and exit code, durable on
   return. The run can still be read until the next begins. */
CA_MUST_USE enum ca_code ca_ledger_end(struct ca_ledger *ledger, int exit_code,
                                       struct ca_err *err);

/* Plan writes: cheap, committed every 1,000 rows or 50 ms by the next of
   them. They hold the write lock of the database until then, so call
   ca_ledger_unlock before waiting for anything. *number counts from 1 within
   the run. A key that the bulk already has is CA_USAGE. Once plan rows were
   lost (a full disk) every later write of the plan fails with that error. */
CA_MUST_USE enum ca_code ca_ledger_add_item(struct ca_ledger *ledger,
                                            const struct ca_item *item,
                                            int64_t *number,
                                            struct ca_err *err);
CA_MUST_USE enum ca_code ca_ledger_add_change(struct ca_ledger *ledger,
                                              int64_t item,
                                              const struct ca_change *change,
                                              int64_t *number,
                                              struct ca_err *err);
/* Reads an item back, as it was added; its texts are borrowed until the next
   read. What was planned is visible at once, committed or not. */
CA_MUST_USE enum ca_code ca_ledger_item(struct ca_ledger *ledger,
                                        int64_t number, struct ca_item *item,
                                        struct ca_err *err);
/* An item's own verdict (its action or `after` raised, skipped, pending);
   detail is text for people or NULL. */
CA_MUST_USE enum ca_code ca_ledger_item_outcome(struct ca_ledger *ledger,
                                                int64_t item,
                                                enum ca_outcome outcome,
                                                const char *detail,
                                                struct ca_err *err);

/* Marks changes CA_INTENDED; when it returns CA_OK the mark has been synced
   to disk, together with every write before it. */
CA_MUST_USE enum ca_code ca_ledger_intend(struct ca_ledger *ledger,
                                          const int64_t *changes, size_t count,
                                          struct ca_err *err);
/* How a change ended; err NULL when well. Synced with the next intent, with
   ca_ledger_sync, or after 100 ms by the next call, whichever is first. */
CA_MUST_USE enum ca_code
ca_ledger_settle(struct ca_ledger *ledger, int64_t change,
                 enum ca_outcome outcome, int attempts, const char *request_id,
                 const char *status_after, const struct ca_err *cause,
                 struct ca_err *err);
/* Call it before waiting for anything, it costs nothing when there is nothing
   to do: commits plan rows, which hold the write lock, and outcomes, which do
   not, once they have waited 100 ms. */
CA_MUST_USE enum ca_code ca_ledger_unlock(struct ca_ledger *ledger,
                                          struct ca_err *err);
/* Commits and syncs what is open. */
CA_MUST_USE enum ca_code ca_ledger_sync(struct ca_ledger *ledger,
                                        struct ca_err *err);

/* One change as it is read back; texts are borrowed until the next read. */
struct ca_change_row {
  int64_t number;
  int64_t item;
  struct ca_change change;
  const char *key; /* of its item */
  const char *error;
  const char *request_id;
  enum ca_outcome outcome;
};
/* Reads changes of a bulk (all bulks with -1) whose number is > after and
   whose outcome is in the bit set `outcomes` (1u << CA_PLANNED …), in order of
   their numbers: items as they were added, each item's changes together.
   False from visit stops. */
CA_MUST_USE enum ca_code
ca_ledger_changes(struct ca_ledger *ledger, int bulk, int64_t after,
                  unsigned outcomes, size_t limit,
                  bool (*visit)(void *ctx, const struct ca_change_row *row),
                  void *ctx, struct ca_err *err);

/* Counts of changes by (operation, outcome), and of items by outcome with
   operation NULL. An operation is said as scripts say it ("disable"), those of
   auth configs with their resource ("auth_configs.disable"). An item's outcome
   is its own verdict, else the worst of its changes; an item with neither is
   not counted. */
CA_MUST_USE enum ca_code
ca_ledger_counts(struct ca_ledger *ledger, int bulk,
                 void (*visit)(void *ctx, const char *operation,
                               enum ca_outcome outcome, int64_t count),
                 void *ctx, struct ca_err *err);

/* A salted fingerprint of a secret text (hex, at least 33 bytes): the salt is
   made once per state directory. */
CA_MUST_USE enum ca_code ca_ledger_fingerprint(struct ca_ledger *ledger,
                                               const char *text, size_t len,
                                               char *out, size_t size,
                                               struct ca_err *err);

#endif
