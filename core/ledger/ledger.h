/* The ledger: runs, items and changes in one SQLite database per state
   directory (WAL, synchronous=FULL). A change's intent is durable here before
   its request leaves; its outcome follows. Holds no secret: credentials are
   kept by fingerprint, error texts come masked.
   A run is written by one process at a time, begun once and reopened as often
   as it is resumed; each of those is a part of it.
   Knows nothing of how changes are sent. */
#ifndef CA_LEDGER_H
#define CA_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "ledger/change.h"

#define CA_SALT_SIZE 32

struct ca_run_info {
  const char *script;        /* absolute path, or "undo:RUN" */
  const char *word;          /* the script as the user named it */
  const char *cwd;           /* where the run was started */
  const char *undoes;        /* id of the run that this one undoes, or NULL */
  const unsigned char *salt; /* CA_SALT_SIZE bytes that a saved plan brings;
                                NULL: the state directory's own */
  const char *script_sha;    /* SHA-256 in hex */
  const char *params;        /* JSON object, secrets left out */
  const char *options;       /* JSON object of host options */
  const char *mode;          /* "preview" or "apply" */
  const char *who;           /* user name */
  const char *host;          /* machine's name */
  const char *project;       /* fingerprint of base URL and key */
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

/* One bulk of a run. Once it stands its plan is whole: it may be carried out
   and resumed. */
struct ca_bulk {
  int number;
  char name[80];
  char kind[16];    /* what its selection gives: "accounts", "ids", "rows" */
  int64_t selected; /* items looked at */
  int64_t planned;
  int64_t same;
  int64_t skipped;
  int64_t failed; /* items whose action raised */
};

/* Makes the state directory, 0700, where there is none; refuses one that
   everybody can write to. */
CA_MUST_USE enum ca_code ca_store_make_dir(const char *dir,
                                           struct ca_err *err);
/* Opens or makes the database `dir`/ledger.db; the directory is made 0700,
   files 0600. A newer schema is refused. Borrows clock. */
struct ca_ledger *ca_ledger_open(const char *dir, const struct ca_clock *clock,
                                 struct ca_err *err);
/* Commits what is open and closes; safe with NULL. */
void ca_ledger_close(struct ca_ledger *ledger);

/* The same for looking only: nothing is made, an older schema is read as it
   is. *found false (and NULL, err clear) when there is no ledger yet. */
struct ca_ledger *ca_ledger_open_readonly(const char *dir,
                                          const struct ca_clock *clock,
                                          bool *found, struct ca_err *err);

/* Begins a run, durable on return; its id, such as
   2026-11-22T0600-refresh_expired-k3f, goes into id (at least 96 bytes). */
CA_MUST_USE enum ca_code ca_run_begin(struct ca_ledger *ledger,
                                      const struct ca_run_info *info, char *id,
                                      size_t size, struct ca_err *err);
/* Opens an applied run again to finish it; who and host are those of this
   part. Bulks that stand keep their plan; what was planned of others is
   dropped. Intents without an outcome become CA_UNKNOWN. Durable on return. */
CA_MUST_USE enum ca_code ca_run_reopen(struct ca_ledger *ledger,
                                       const char *name, const char *who,
                                       const char *host, struct ca_err *err);
/* Points the reading functions below at a run; nothing can be written. */
CA_MUST_USE enum ca_code ca_run_select(struct ca_ledger *ledger,
                                       const char *name, struct ca_err *err);
/* Turns what is left CA_PLANNED of an applied run into CA_NOT_TRIED and what
   is left CA_INTENDED into CA_UNKNOWN, writes end, exit code and the counts
   that ca_history_runs tells, durable on return. The run can still be read
   until the next begins. */
CA_MUST_USE enum ca_code ca_run_end(struct ca_ledger *ledger, int exit_code,
                                    struct ca_err *err);

/* Plan writes: cheap, committed every 1,000 rows or 50 ms by the next of
   them. Those of a bulk are synced with the next write that is: a power cut
   takes the end of a draft, a kill nothing. They hold the write lock of the
   database until then, so call ca_ledger_commit_before_wait or _soon before
   waiting for anything. *number counts from 1 within the run. A key that the
   bulk already has is CA_USAGE. Once plan rows were lost (a full disk) every
   later write of the plan fails with that error.
 */
CA_MUST_USE enum ca_code ca_plan_rows_add_item(struct ca_ledger *ledger,
                                               const struct ca_item *item,
                                               int64_t *number,
                                               struct ca_err *err);
CA_MUST_USE enum ca_code
ca_plan_rows_add_change(struct ca_ledger *ledger, int64_t item,
                        const struct ca_change *change, int64_t *number,
                        struct ca_err *err);
/* The bulk's plan is whole: durable on return, with all its rows. */
CA_MUST_USE enum ca_code ca_plan_rows_seal(struct ca_ledger *ledger,
                                           const struct ca_bulk *bulk,
                                           struct ca_err *err);
/* The run's bulk of that number; *found false when it does not stand. */
CA_MUST_USE enum ca_code ca_read_bulk(struct ca_ledger *ledger, int number,
                                      struct ca_bulk *bulk, bool *found,
                                      struct ca_err *err);
/* All bulks of the run that stand, in order. False from visit stops. */
CA_MUST_USE enum ca_code
ca_read_bulks(struct ca_ledger *ledger,
              bool (*visit)(void *ctx, const struct ca_bulk *bulk), void *ctx,
              struct ca_err *err);
/* The bulk's item with this key; *number 0 when there is none. */
CA_MUST_USE enum ca_code ca_read_find_item(struct ca_ledger *ledger, int bulk,
                                           const char *key, int64_t *number,
                                           struct ca_err *err);
/* Reads an item back, as it was added; its texts are borrowed until the next
   read. What was planned is visible at once, committed or not. */
CA_MUST_USE enum ca_code ca_read_item(struct ca_ledger *ledger, int64_t number,
                                      struct ca_item *item,
                                      struct ca_err *err);
/* An item's own verdict (its action or `after` raised, skipped, pending);
   detail is text for people or NULL. */
CA_MUST_USE enum ca_code ca_outcome_record_item(struct ca_ledger *ledger,
                                                int64_t item,
                                                enum ca_outcome outcome,
                                                const char *detail,
                                                struct ca_err *err);
/* The item's own verdict so far, CA_PLANNED for none. */
CA_MUST_USE enum ca_code ca_outcome_of_item(struct ca_ledger *ledger,
                                            int64_t item,
                                            enum ca_outcome *verdict,
                                            struct ca_err *err);

/* Marks changes CA_INTENDED; when it returns CA_OK the mark has been synced
   to disk, together with every write before it. */
CA_MUST_USE enum ca_code ca_outcome_intend(struct ca_ledger *ledger,
                                           const int64_t *changes,
                                           size_t count, struct ca_err *err);
/* The same for changes that have an outcome or an intent already, in a run
   that goes on: they were never sent, are known not to have happened, or may
   be repeated. Their outcomes go, their intents are made anew. */
CA_MUST_USE enum ca_code ca_outcome_reintend(struct ca_ledger *ledger,
                                             const int64_t *changes,
                                             size_t count, struct ca_err *err);
/* How a change ended; err NULL when well. Synced with the next intent, with
   ca_ledger_sync, or after 100 ms by the next call, whichever is first. made:
   id of the account that a create made, else NULL. What was settled before
   may be settled anew: the later word counts. */
CA_MUST_USE enum ca_code ca_outcome_record(
    struct ca_ledger *ledger, int64_t change, enum ca_outcome outcome,
    int attempts, const char *request_id, const char *status_after,
    const char *made, const struct ca_err *cause, struct ca_err *err);
/* Call it before waiting for anything, it costs nothing when there is nothing
   to do: commits plan rows, which hold the write lock, and outcomes, which do
   not, once they have waited 100 ms. */
CA_MUST_USE enum ca_code ca_ledger_commit_before_wait(struct ca_ledger *ledger,
                                                      struct ca_err *err);
/* The same before a wait whose length the caller may choose: plan rows keep
   the lock for the rest of their 50 ms, to which *wait_ms is lowered. So a
   listing whose pages come fast pays a commit for many pages. */
CA_MUST_USE enum ca_code
ca_ledger_commit_or_shorten_wait(struct ca_ledger *ledger, int *wait_ms,
                                 struct ca_err *err);
/* Commits what is open, and syncs it unless it is a bulk's draft alone. */
CA_MUST_USE enum ca_code ca_ledger_sync(struct ca_ledger *ledger,
                                        struct ca_err *err);

/* How an account was when a change on it was planned, and what this run's own
   finished changes have made of it since: what it has to look like now, unless
   somebody else touched it. */
struct ca_before {
  bool known; /* false: nothing was recorded; the rest is empty */
  char
      status[32]; /* "" when it was not recorded, nor whether it is disabled */
  bool disabled;
  bool has_text; /* the field that was asked for was recorded; "" for none */
  char text[256];
  int64_t updated_ms; /* of the plan's image; 0 when not known */
};
/* The image for the given change of the run: as of the changes of its item
   before it, and of what was done to the account elsewhere in the run since
   the change's bulk stood. field: the text that is asked for besides, by its
   row; or NULL. */
CA_MUST_USE enum ca_code ca_ledger_before(struct ca_ledger *ledger,
                                          int64_t change,
                                          const struct ca_field *field,
                                          struct ca_before *before_image,
                                          struct ca_err *err);
/* Counts of changes by (operation, outcome), and of items by outcome with
   operation NULL. An operation is said as scripts say it ("disable"), those of
   auth configs with their resource ("auth_configs.disable"). An item's outcome
   is its own verdict, else the worst of its changes; an item with neither is
   not counted. A change and its fallback count as one there: as the fallback
   when that was sent, else as the change. */
CA_MUST_USE enum ca_code
ca_count_outcomes(struct ca_ledger *ledger, int bulk,
                  void (*visit)(void *ctx, const char *operation,
                                enum ca_outcome outcome, int64_t count),
                  void *ctx, struct ca_err *err);

/* How many of the run's changes are intended or unknown. */
CA_MUST_USE enum ca_code ca_ledger_count_open(struct ca_ledger *ledger,
                                              int64_t *count,
                                              struct ca_err *err);

/* Has a create of this ledger made the account, in a run that was under way at
   `since_ms` (wall time) or later? */
CA_MUST_USE enum ca_code ca_read_knows_made(struct ca_ledger *ledger,
                                            const char *account,
                                            int64_t since_ms, bool *known,
                                            struct ca_err *err);

/* ---- many runs ---- */

/* One run as it is listed. Texts are borrowed for the call. */
struct ca_run_row {
  int64_t id; /* larger for later runs; of this ledger alone */
  const char *name;
  struct ca_run_info info; /* salt NULL */
  int64_t began_ms;
  int64_t ended_ms; /* 0: it did not end, or goes on */
  int exit_code;    /* -1 while it has none */
  int sessions;     /* 1, and one more for each time it was reopened */
  bool sealed;      /* some of its plan stands, or straight-line changes may
                       have left */
  bool has_counts;
  int64_t changes[CA_OUTCOME_COUNT]; /* by outcome, once it has ended */
};
/* Which runs are asked for; all members 0 or NULL: all of them. */
struct ca_run_filter {
  const char *name;    /* the one with this id */
  const char *project; /* those of this project, a fingerprint */
  const char *mode;    /* "apply" or "preview" */
  int64_t since_ms;    /* those that began then or later */
  int64_t before;      /* those older than the run with this ca_run_row.id */
  size_t limit;        /* at most so many; 0: all */
};
/* Newest first. filter NULL: all. False from visit stops. */
CA_MUST_USE enum ca_code
ca_history_runs(struct ca_ledger *ledger, const struct ca_run_filter *filter,
                bool (*visit)(void *ctx, const struct ca_run_row *run),
                void *ctx, struct ca_err *err);
/* The full id of the run that `text` means: the id itself, a beginning or an
   end of one that no other run has, or "last". CA_USAGE when there is none or
   more than one; the text names them. */
CA_MUST_USE enum ca_code ca_history_find_run(struct ca_ledger *ledger,
                                             const char *text, char *name,
                                             size_t size, struct ca_err *err);
/* When each part of the run began and ended, by whom. */
struct ca_session {
  int64_t began_ms;
  int64_t ended_ms; /* 0: not */
  int exit_code;    /* -1: none */
  const char *who;
  const char *host;
};
CA_MUST_USE enum ca_code
ca_history_sessions(struct ca_ledger *ledger, const char *name,
                    bool (*visit)(void *ctx, const struct ca_session *session),
                    void *ctx, struct ca_err *err);
/* One change of any run, with what is known of its run and its item. Texts are
   borrowed for the call. */
struct ca_history_row {
  int64_t id; /* of the change, in this ledger */
  const char *run;
  const char *who; /* of the session that sent it, else of the run */
  const char *host;
  const char *script;
  bool applies;  /* false: a preview's plan */
  int64_t at_ms; /* when it ended, was sent, or was planned */
  struct ca_change_row change;
  const char *user; /* these are the item's */
  const char *toolkit;
  const char *alias;   /* as the plan saw it, or NULL */
  const char *account; /* or NULL; the change may aim at another */
};
/* Which changes are asked for. Texts that are NULL and times that are 0 leave
   nothing out. */
struct ca_history_filter {
  const char *account;   /* those about it; see ca_ledger_history_gather */
  bool selected;         /* those of the run of ca_run_select */
  const char *project;   /* those of this project, a fingerprint */
  const char *except;    /* not those of the run with this id */
  const char *operation; /* with its resource: "connected_accounts.disable" */
  unsigned outcomes;     /* bit set: 1u << CA_DONE … */
  bool previews;         /* those that a preview planned, too */
  int64_t since_ms;      /* those with this at_ms or a later one */
  int64_t after_ms; /* with an account: those behind the change with this */
  int64_t after;    /* at_ms and id; without: behind the one with this id */
  size_t limit;     /* at most so many */
};
/* Those of one account oldest first, by at_ms; others by run and by plan.
   False from visit stops. */
CA_MUST_USE enum ca_code
ca_ledger_history(struct ca_ledger *ledger,
                  const struct ca_history_filter *filter,
                  bool (*visit)(void *ctx, const struct ca_history_row *row),
                  void *ctx, struct ca_err *err);
/* Reads all changes of a project (NULL: of all) once and remembers, in a table
   of this connection, which are about the account (NULL: about any), an auth
   config counting as one: those aimed at it, the create that made it, and
   creates for its user. Only those are found when ca_ledger_history is asked
   for an account. Forgets what it remembered before. */
CA_MUST_USE enum ca_code ca_ledger_history_gather(struct ca_ledger *ledger,
                                                  const char *account,
                                                  const char *project,
                                                  struct ca_err *err);

/* The salt of the run's fingerprints, for who saves its plan. */
CA_MUST_USE enum ca_code ca_run_salt(struct ca_ledger *ledger,
                                     unsigned char salt[CA_SALT_SIZE],
                                     struct ca_err *err);
/* A salted fingerprint of a secret text (hex, at least 33 bytes), with the
   run's salt: that of the state directory, made once, or of the saved plan
   that it carries out. */
CA_MUST_USE enum ca_code ca_run_fingerprint(struct ca_ledger *ledger,
                                            const char *text, size_t len,
                                            char *out, size_t size,
                                            struct ca_err *err);

#endif
