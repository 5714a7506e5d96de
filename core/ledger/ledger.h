/* The ledger: runs, items and changes in one SQLite database per state
   directory (WAL, synchronous=FULL). A change's intent is on disk before its
   request leaves; its outcome follows. The ledger holds no secret: it stores
   fingerprints of credentials and masked error texts.
   Functions that fail say why in err, which is never NULL.
   One process at a time writes a run. The run begins once and is reopened each
   time it is resumed; each of these is a session of the run.
   Must not know: how changes are sent. */
#ifndef CA_LEDGER_H
#define CA_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "ledger/change.h"

#define CA_SALT_SIZE 32
#define CA_TAG_SIZE  33 /* of a tag, including the terminating zero */

struct ca_run_info {
  const char *script;        /* absolute path, or "undo:RUN" */
  const char *word;          /* the script as the user named it */
  const char *cwd;           /* where the run was started */
  const char *undoes;        /* id of the run that this one undoes, or NULL */
  const char *redoes;        /* id of the run whose failed rows this one plans
                                again, or NULL */
  const unsigned char *salt; /* CA_SALT_SIZE bytes from a saved plan; NULL: the
                                state directory's own salt */
  const char *script_sha;    /* SHA-256 in hex */
  const char *params;        /* JSON object, secrets left out */
  const char *options;       /* JSON object of host options */
  const char *mode;          /* "preview" or "apply" */
  const char *who;           /* user name */
  const char *host;          /* machine's name */
  const char *project;       /* fingerprint of base URL and key */
  const char *base_url;
  const char *version; /* of composio-lua */
  const char *plan;    /* digest of the saved plan that it carries out, or that
                          was saved from this preview; or NULL */
};

/* What an item stores of its account (<= 300 bytes), or a CSV row as JSON
   in `row`. Absent texts are NULL. Texts are borrowed for the call. */
struct ca_item {
  int bulk;            /* 1, 2, … within the run; 0: straight-line calls */
  const char *key;     /* stable within the run; account id by default */
  const char *account; /* id or NULL */
  const char *user;
  const char *toolkit;
  const char *scheme;
  const char *status;
  const char *alias;
  const char *status_reason; /* the service's text, cut to 120 bytes */
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

/* One bulk of a run. Once its plan is sealed, it can be carried out and
   resumed. */
struct ca_bulk {
  int number;
  char name[80];
  char kind[16];    /* what its selection yields: "accounts", "ids", "rows" */
  int64_t selected; /* items that the selection yielded */
  int64_t planned;
  int64_t same;
  int64_t skipped;
  int64_t failed; /* items whose action raised */
};

/* Makes the state directory with mode 0700 if it does not exist; refuses
   one that is writable by everybody. */
CA_MUST_USE enum ca_code ca_store_make_dir(const char *dir,
                                           struct ca_err *err);
/* Opens a file of the directory to read and write, makes it if it has to be
   made: mode 0600, or 0660 in the directory's group where that group may write
   to the directory. What root makes in somebody's directory is given to that
   somebody, who could not open it otherwise. Returns -1 and sets errno. */
int ca_store_open_file(const char *dir, const char *path);
/* Opens or makes the database `dir`/ledger.db; a new directory gets mode
   0700, files get 0600. A newer schema is refused. Borrows clock. */
struct ca_ledger *ca_ledger_open(const char *dir, const struct ca_clock *clock,
                                 struct ca_err *err);
/* Commits the open transaction and closes; safe with NULL. */
void ca_ledger_close(struct ca_ledger *ledger);

/* Opens the ledger read-only: creates no ledger, and reads an older schema
   without migrating it. *found is false (with NULL returned and err clear)
   when there is no ledger yet. */
struct ca_ledger *ca_ledger_open_readonly(const char *dir,
                                          const struct ca_clock *clock,
                                          bool *found, struct ca_err *err);

/* Begins a run, which is on disk on return. Writes its id, such as
   2026-11-22T0600-refresh_expired-k3f, to id (at least 96 bytes). */
CA_MUST_USE enum ca_code ca_run_begin(struct ca_ledger *ledger,
                                      const struct ca_run_info *info, char *id,
                                      size_t size, struct ca_err *err);
/* Reopens an applied run to finish it; who and host describe the new
   session. Sealed bulks keep their plan; the plan rows of unsealed bulks
   are deleted, and so are changes that were planned anew for an item whose
   verdict still is that it failed. Intents without an outcome become
   CA_UNKNOWN. Synced to disk on return. */
CA_MUST_USE enum ca_code ca_run_reopen(struct ca_ledger *ledger,
                                       const char *name, const char *who,
                                       const char *host, struct ca_err *err);
/* Selects the run that the reading functions below read; nothing can be
   written. */
CA_MUST_USE enum ca_code ca_run_select(struct ca_ledger *ledger,
                                       const char *name, struct ca_err *err);
/* Ends the run. In an applied run, changes that are still CA_PLANNED become
   CA_NOT_TRIED and those still CA_INTENDED become CA_UNKNOWN. Writes the
   end time, the exit code and the counts that ca_run_row reports; they
   are on disk on return. The run can still be read until the next one
   begins. */
CA_MUST_USE enum ca_code ca_run_end(struct ca_ledger *ledger, int exit_code,
                                    struct ca_err *err);

/* What a person knows about a change of unknown outcome. */
struct ca_resolution {
  enum ca_outcome outcome; /* CA_DONE or CA_FAILED */
  const char *who;         /* user name */
  const char *host;        /* machine's name */
  const char *reason;      /* why the person is sure */
};
/* Gives a change of the selected run its outcome; the counts of an ended run
   follow. On disk on return. CA_USAGE, with nothing written, unless the run
   was applied and the change is unknown or, in a run that died, intended. No
   other process may be writing the run. */
CA_MUST_USE enum ca_code ca_run_resolve(struct ca_ledger *ledger,
                                        int64_t change,
                                        const struct ca_resolution *resolution,
                                        struct ca_err *err);

/* Plan writes are cheap: a later plan write commits them after 1,000 rows
   or 50 ms. A bulk's plan rows are not fsynced on their own; the next
   synced commit covers them. A power cut can lose the tail of an unsealed
   plan; killing the process loses no committed row. An open transaction
   holds the database's write lock, so call ca_ledger_commit_before_wait
   before you wait for anything. *number
   counts from 1 within the run. A key that the bulk already has is
   CA_USAGE. Once plan rows were lost (on a full disk), every later plan
   write fails with that error. */
CA_MUST_USE enum ca_code ca_plan_rows_add_item(struct ca_ledger *ledger,
                                               const struct ca_item *item,
                                               int64_t *number,
                                               struct ca_err *err);
CA_MUST_USE enum ca_code
ca_plan_rows_add_change(struct ca_ledger *ledger, int64_t item,
                        const struct ca_change *change, int64_t *number,
                        struct ca_err *err);
/* Adds a tag that the item's action gave. A tag that the item has already
   is no error. The caller has checked the spelling. */
CA_MUST_USE enum ca_code ca_plan_rows_tag(struct ca_ledger *ledger,
                                          int64_t item, const char *tag,
                                          struct ca_err *err);
/* Deletes the changes and tags of an item whose action failed, so that it
   can be planned again. None of the changes was sent. */
CA_MUST_USE enum ca_code ca_plan_rows_clear(struct ca_ledger *ledger,
                                            int64_t item, struct ca_err *err);
/* Skips all planned changes of a bulk that will not be sealed, for the reason
   why. */
CA_MUST_USE enum ca_code ca_plan_rows_drop(struct ca_ledger *ledger, int bulk,
                                           const char *why,
                                           struct ca_err *err);
/* Seals the bulk's plan: it is on disk on return, with all its rows. */
CA_MUST_USE enum ca_code ca_plan_rows_seal(struct ca_ledger *ledger,
                                           const struct ca_bulk *bulk,
                                           struct ca_err *err);
/* Seals all bulks of a plan at once. redoes: the run whose rows it plans
   again, or NULL; they are closed there in the same transaction. CA_GATE, with
   nothing written, when one of them is not open there any more. */
CA_MUST_USE enum ca_code
ca_plan_rows_seal_all(struct ca_ledger *ledger, const struct ca_bulk *bulks,
                      size_t count, const char *redoes, struct ca_err *err);
/* Reads the run's first sealed bulk whose number is `from` or higher; its
   number is 0 when there is none. */
CA_MUST_USE enum ca_code ca_read_bulk(struct ca_ledger *ledger, int from,
                                      struct ca_bulk *bulk,
                                      struct ca_err *err);
/* Finds the bulk's item with this key; *number is 0 when there is none. */
CA_MUST_USE enum ca_code ca_read_find_item(struct ca_ledger *ledger, int bulk,
                                           const char *key, int64_t *number,
                                           struct ca_err *err);
/* Finds the bulk's (-1: any bulk's) first item after this one whose action
   failed, and which was not planned anew since; *number is 0 when there is
   none. */
CA_MUST_USE enum ca_code ca_read_unplanned(struct ca_ledger *ledger, int bulk,
                                           int64_t after, int64_t *number,
                                           struct ca_err *err);
/* Reads an item as it was added; its texts are borrowed until the next
   read. Items that are not committed yet are found, too. */
CA_MUST_USE enum ca_code ca_read_item(struct ca_ledger *ledger, int64_t number,
                                      struct ca_item *item,
                                      struct ca_err *err);
/* Records an item's own verdict (its action or `after` raised, skipped,
   pending); detail is text for people or NULL. */
CA_MUST_USE enum ca_code ca_outcome_record_item(struct ca_ledger *ledger,
                                                int64_t item,
                                                enum ca_outcome outcome,
                                                const char *detail,
                                                struct ca_err *err);
/* Queues a tag that the item's `after` gave; NULL removes those that
   `after` gave in an earlier session. It reaches the disk as outcomes do. */
CA_MUST_USE enum ca_code ca_outcome_tag(struct ca_ledger *ledger, int64_t item,
                                        const char *tag, struct ca_err *err);
/* Reads the item's own verdict so far, CA_PLANNED when there is none. */
CA_MUST_USE enum ca_code ca_outcome_of_item(struct ca_ledger *ledger,
                                            int64_t item,
                                            enum ca_outcome *verdict,
                                            struct ca_err *err);

/* What is known when a change that must not be repeated is sent, so that it
   can be found out later whether it happened. */
struct ca_sent {
  bool known; /* false: the ledger has nothing about it; set when read */
  int64_t service_ms; /* the service's time, 0 when not known */
  char *ids; /* creates: the accounts of the user and auth config, each with a
                blank before and after it, or NULL when not known */
  char status[32];    /* of the prechecked account; "" when not known */
  int64_t updated_ms; /* of the prechecked account; 0 when not known */
};
/* Stores it for a change whose intent is written next, and is on disk with
   that intent or not at all. */
CA_MUST_USE enum ca_code ca_outcome_note_sent(struct ca_ledger *ledger,
                                              int64_t change,
                                              const struct ca_sent *sent,
                                              struct ca_err *err);
/* Marks changes CA_INTENDED. When it returns CA_OK, the intents have been
   synced to disk, together with every write before them. */
CA_MUST_USE enum ca_code ca_outcome_intend(struct ca_ledger *ledger,
                                           const int64_t *changes,
                                           size_t count, struct ca_err *err);
/* The same for changes that already have an outcome or an intent, in a run
   that was resumed: they were never sent, are known not to have happened,
   or may be repeated. Deletes their outcomes and writes new intents. */
CA_MUST_USE enum ca_code ca_outcome_reintend(struct ca_ledger *ledger,
                                             const int64_t *changes,
                                             size_t count, struct ca_err *err);
/* Records how a change ended; cause is NULL when it succeeded. The outcome
   is synced with the next intent, by ca_ledger_sync, or by the next call
   after 100 ms, whichever comes first. made is the id of the account that a
   create made, else NULL. A change may be recorded again: the later outcome
   replaces the earlier one. */
CA_MUST_USE enum ca_code ca_outcome_record(
    struct ca_ledger *ledger, int64_t change, enum ca_outcome outcome,
    int attempts, const char *request_id, const char *status_after,
    const char *made, const struct ca_err *cause, struct ca_err *err);
/* Call this before you wait for anything; it costs nothing when there is
   nothing to do. It commits plan rows, which hold the write lock, and
   outcomes that have waited 100 ms, which hold no lock. wait_ms: the length
   of a wait that the caller may choose, else NULL; plan rows then keep the
   lock for the rest of their 50 ms, and *wait_ms is lowered to that. A
   listing whose pages arrive fast then pays one commit for many pages. */
CA_MUST_USE enum ca_code ca_ledger_commit_before_wait(struct ca_ledger *ledger,
                                                      int *wait_ms,
                                                      struct ca_err *err);
/* Writes the queued outcomes and commits. When it returns CA_OK, everything
   but unsealed plan rows is on disk. */
CA_MUST_USE enum ca_code ca_ledger_sync(struct ca_ledger *ledger,
                                        struct ca_err *err);

/* How an account was when a change on it was planned, updated by the
   changes that this run has finished since. The account must look like this
   now, unless somebody else changed it. */
struct ca_before {
  bool known;      /* false: nothing was recorded; the rest is empty */
  char status[32]; /* "" when neither it nor `disabled` was recorded */
  bool disabled;
  bool has_text; /* the requested field was recorded; "" when it was empty */
  char text[256];
  int64_t updated_ms; /* the account's, as the plan read it; 0: not known */
};
/* Computes the before-image of the run's given change. It includes the
   earlier changes of the same item, and what other items of the run have
   done to the account since the change's bulk was sealed. field is the
   operation row's text field to return as well, or NULL. */
CA_MUST_USE enum ca_code ca_ledger_before(struct ca_ledger *ledger,
                                          int64_t change,
                                          const struct ca_field *field,
                                          struct ca_before *before_image,
                                          struct ca_err *err);
/* The reads between these two share one transaction: each would lock and
   unlock the file otherwise. Write nothing in between. Within a transaction
   that is open anyway they do nothing. */
CA_MUST_USE enum ca_code ca_ledger_begin_read(struct ca_ledger *ledger,
                                              struct ca_err *err);
CA_MUST_USE enum ca_code ca_ledger_end_read(struct ca_ledger *ledger,
                                            struct ca_err *err);

/* Counts of a run or a bulk by outcome: changes of each operation, and
   items. An operation has the name that scripts use ("disable"); operations
   on auth configs include their resource ("auth_configs.disable"). */
#define CA_COUNTED_OPERATIONS 24
struct ca_counts {
  int64_t items[CA_OUTCOME_COUNT];
  size_t operation_count;
  struct ca_operation_counts {
    char name[CA_API_LABEL_SIZE];
    int64_t changes[CA_OUTCOME_COUNT];
  } operations[CA_COUNTED_OPERATIONS];
};
/* Counts the bulk with that number, or the run (-1). An item's outcome is
   its own verdict, else the worst outcome of its changes; an item with
   neither is not counted. Within an item a change and its fallback count as
   one: as the fallback when that was sent, else as the change. */
CA_MUST_USE enum ca_code ca_count_outcomes(struct ca_ledger *ledger, int bulk,
                                           struct ca_counts *counts,
                                           struct ca_err *err);

/* Counts the run's changes that are intended or unknown. */
CA_MUST_USE enum ca_code ca_ledger_count_open(struct ca_ledger *ledger,
                                              int64_t *count,
                                              struct ca_err *err);

/* Tells whether a create in this ledger made the account. */
CA_MUST_USE enum ca_code ca_read_knows_made(struct ca_ledger *ledger,
                                            const char *account, bool *known,
                                            struct ca_err *err);
/* Reads what was known when the change was sent. The caller frees ids. */
CA_MUST_USE enum ca_code ca_read_sent(struct ca_ledger *ledger, int64_t change,
                                      struct ca_sent *sent,
                                      struct ca_err *err);

/* ---- many runs ---- */

/* One run in a listing. */
struct ca_run_row {
  int64_t id; /* larger for later runs; valid in this ledger only */
  const char *name;
  struct ca_run_info info; /* salt NULL */
  int64_t began_ms;
  int64_t ended_ms; /* 0: it is still running, or died */
  int exit_code;    /* -1 while it has none */
  int sessions;     /* 1, plus one for each time it was reopened */
  bool sealed;  /* a bulk is sealed, or straight-line changes may have left */
  bool of_plan; /* it carries out a saved plan */
  const char *needs;   /* see ca_run_keep_needs */
  const char *refusal; /* why a guard refused it, or what was left of it */
  int64_t pending;     /* items that waited for people when it ended */
  bool unwritten;      /* a report could not be written at its end */
  bool has_counts;
  int64_t changes[CA_OUTCOME_COUNT]; /* by outcome; set when the run ended */
};
/* Selects runs. A member that is 0 or NULL excludes nothing. */
struct ca_run_filter {
  const char *name;    /* the run with this id */
  const char *project; /* only this project, a fingerprint */
  const char *mode;    /* "apply" or "preview" */
  const char *plan;    /* runs that saved or carry out the plan with this
                          digest */
  int64_t since_ms;    /* runs that began then or later */
  int64_t before;      /* runs older than the one with this ca_run_row.id */
  size_t limit;        /* at most this many; 0: all */
};
/* A query over all runs. Open it, read rows until there are no more, close
   it: close returns how it ended, with err set by the step that failed. A
   row's texts are borrowed until the next call with the query, or until
   another of the kind is opened, which ends this one. A read transaction
   stays open from the first row until the last one or close. Members are
   private. */
struct sqlite3_stmt;
struct ca_query {
  struct ca_ledger *ledger;
  struct sqlite3_stmt *statement;
  struct ca_err *err;
  enum ca_code code;
};
enum ca_code ca_history_close(struct ca_query *query);
/* Runs, newest first. */
void ca_history_open_runs(struct ca_query *query, struct ca_ledger *ledger,
                          const struct ca_run_filter *filter,
                          struct ca_err *err);
bool ca_history_next_run(struct ca_query *query, struct ca_run_row *run);
/* Finds the full id of the run that `text` means: the id itself, a unique
   prefix or suffix of it, or "last". CA_USAGE when no run or more than one
   matches; the error text names the candidates. */
CA_MUST_USE enum ca_code ca_history_find_run(struct ca_ledger *ledger,
                                             const char *text, char *name,
                                             size_t size, struct ca_err *err);
/* Copies the id of the removed run that carried out the plan with this digest;
   "" when there was none. */
CA_MUST_USE enum ca_code ca_history_find_applied(struct ca_ledger *ledger,
                                                 const char *digest,
                                                 char *name, size_t size,
                                                 struct ca_err *err);
/* A session of a run. */
struct ca_session {
  int64_t began_ms;
  int64_t ended_ms; /* 0: it has not ended */
  int exit_code;    /* -1: it has none */
  const char *who;
  const char *host;
};
/* The sessions of the run with that id, in order. */
void ca_history_open_sessions(struct ca_query *query, struct ca_ledger *ledger,
                              const char *run, struct ca_err *err);
bool ca_history_next_session(struct ca_query *query,
                             struct ca_session *session);
/* The tags of the selected run's items, or of one bulk's items (-1: all
   bulks), by name, with the number of items that have each tag. */
void ca_history_open_tags(struct ca_query *query, struct ca_ledger *ledger,
                          int bulk, struct ca_err *err);
bool ca_history_next_tag(struct ca_query *query, const char **tag,
                         int64_t *items);
/* The tags that one item's action gave it. Read them with
   ca_history_next_tag, which returns 0 as their number of items. */
void ca_history_open_tags_of(struct ca_query *query, struct ca_ledger *ledger,
                             int64_t item, struct ca_err *err);
/* The run's items with this tag whose number is greater than `after`.
   `item` has the item's texts; its status_reason is the item's own reason
   if there is one, else that of its account's status. */
void ca_history_open_tagged(struct ca_query *query, struct ca_ledger *ledger,
                            const char *tag, int64_t after, int limit,
                            struct ca_err *err);
bool ca_history_next_tagged(struct ca_query *query, struct ca_item *item,
                            int64_t *number);
/* One change of any run, with its run and its item. */
struct ca_history_row {
  int64_t id; /* of the change, in this ledger */
  const char *run;
  const char *who; /* of the session that sent the change, else of the run */
  const char *host;
  const char *script;
  bool applies;  /* false: a preview's plan */
  int64_t at_ms; /* when it ended, was sent, or was planned */
  struct ca_change_row change;
  const char *user; /* these are the item's; NULL when the change is not on
                       its account */
  const char *toolkit;
  const char *alias;   /* as the plan read it, or NULL */
  const char *account; /* or NULL; the change may target another account */
  int64_t resolved_ms; /* 0: its outcome is not from a person */
  struct ca_resolution resolution;
};
/* Selects changes. A text that is NULL or a time that is 0 excludes
   nothing. */
struct ca_history_filter {
  const char *account; /* changes about it; see ca_history_gather */
  bool selected; /* only changes of the run that ca_run_select selected */
  const char *project;   /* only this project, a fingerprint */
  const char *except;    /* excludes changes of the run with this id */
  const char *operation; /* with its resource: "connected_accounts.disable" */
  unsigned outcomes;     /* bit set: 1u << CA_DONE … */
  bool previews;         /* includes changes that a preview planned */
  int64_t since_ms;      /* changes with this at_ms or a later one */
  int64_t after_ms;      /* with an account: changes after the one with this */
  int64_t after; /* at_ms and id; without one: after the one with this id */
  size_t limit;  /* at most this many */
};
/* Changes: those of one account oldest first, by at_ms; others in the order
   of runs and plans. */
void ca_history_open_changes(struct ca_query *query, struct ca_ledger *ledger,
                             const struct ca_history_filter *filter,
                             struct ca_err *err);
bool ca_history_next_change(struct ca_query *query,
                            struct ca_history_row *row);
/* Reads all changes of a project (NULL: of all) once and stores, in a
   temporary table of this connection, which ones are about the account
   (NULL: about any account). An auth config counts as an account. A change
   is about an account if it targets it, is the create that made it, or is a
   create for its user. ca_history_open_changes with an account finds only the
   changes stored here. Each call replaces what the one before stored. */
CA_MUST_USE enum ca_code ca_history_gather(struct ca_ledger *ledger,
                                           const char *account,
                                           const char *project,
                                           struct ca_err *err);

/* A change that ca_prune_run has removed and that is still known: of each
   account the last refresh, and the last change that saw it ACTIVE. */
struct ca_pruned {
  const char *account;
  int what; /* 1: the refresh, 2: ACTIVE */
  const struct ca_api *api;
  enum ca_outcome outcome;
  int64_t at_ms;
  const char *status_before;
  const char *status_after;
};
/* Those of a project and an account (NULL: of all), by account, at most limit.
   after_account and after_what: the last row that was read before, NULL and 0
   at first. */
void ca_history_open_pruned(struct ca_query *query, struct ca_ledger *ledger,
                            const char *project, const char *account,
                            const char *after_account, int after_what,
                            int limit, struct ca_err *err);
bool ca_history_next_pruned(struct ca_query *query, struct ca_pruned *row);
/* The paths of the selected run's reports, as the script gave them. */
void ca_history_open_reports(struct ca_query *query, struct ca_ledger *ledger,
                             struct ca_err *err);
bool ca_history_next_report(struct ca_query *query, const char **path);
/* How many bytes of the file are in use, and how many are left over from
   removed rows: later rows use them. */
CA_MUST_USE enum ca_code ca_history_size(struct ca_ledger *ledger,
                                         int64_t *used, int64_t *left,
                                         struct ca_err *err);

/* Selects a run that is to be removed. *may is false, and the run must stay,
   if it does not end at ended_ms (0: without an end) any more. */
CA_MUST_USE enum ca_code ca_prune_select(struct ca_ledger *ledger,
                                         const char *name, int64_t ended_ms,
                                         bool *may, struct ca_err *err);
/* Removes the selected run with all its rows, except what struct ca_pruned
   says. *changes: how many it had. On disk on return. */
CA_MUST_USE enum ca_code ca_prune_run(struct ca_ledger *ledger,
                                      int64_t *changes, struct ca_err *err);
/* Removes previews that began more than a week ago and planned no change.
   Call it before a run begins. On disk on return. */
CA_MUST_USE enum ca_code ca_prune_previews(struct ca_ledger *ledger,
                                           struct ca_err *err);

/* Stores the path of a report of the open run, whose rows are in a file
   beside it until the run has ended. */
CA_MUST_USE enum ca_code ca_run_note_report(struct ca_ledger *ledger,
                                            const char *path,
                                            struct ca_err *err);
/* Stores the digest of the plan that was saved from the open run. */
CA_MUST_USE enum ca_code ca_run_keep_plan(struct ca_ledger *ledger,
                                          const char *digest,
                                          struct ca_err *err);
/* Stores the options without which a guard would refuse what is left of the
   open run: JSON that the caller reads again, or NULL. */
CA_MUST_USE enum ca_code ca_run_keep_needs(struct ca_ledger *ledger,
                                           const char *needs,
                                           struct ca_err *err);
/* Stores what is left of the open run although its changes have outcomes: how
   many items wait for people, and whether a report could not be written. */
CA_MUST_USE enum ca_code ca_run_keep_left(struct ca_ledger *ledger,
                                          int64_t pending, bool unwritten,
                                          struct ca_err *err);
/* Stores why a guard refused the open run, or NULL; secrets are masked. */
CA_MUST_USE enum ca_code ca_run_keep_refusal(struct ca_ledger *ledger,
                                             const char *why,
                                             struct ca_err *err);
/* Reads the salt of the run's fingerprints, for saving its plan. */
CA_MUST_USE enum ca_code ca_run_salt(struct ca_ledger *ledger,
                                     unsigned char salt[CA_SALT_SIZE],
                                     struct ca_err *err);
/* Writes a salted fingerprint of a secret text (hex, at least 33 bytes).
   The salt is the run's: that of the state directory, which is made once,
   or that of the saved plan which the run applies. */
CA_MUST_USE enum ca_code ca_run_fingerprint(struct ca_ledger *ledger,
                                            const char *text, size_t len,
                                            char *out, size_t size,
                                            struct ca_err *err);

#endif
