/* Shared by the ledger's own files: the open database, its cached statements,
   the open transaction, queued rows and outcomes. No other file includes this.
   Must not know: how changes are sent. */
#ifndef CA_LEDGER_PRIVATE_H
#define CA_LEDGER_PRIVATE_H

#include <sqlite3.h>
#include <string.h>
#include "base/buf.h"
#include "base/hashset.h"
#include "base/text.h"
#include "ledger/ledger.h"

/* A plan transaction is committed after this many rows, or this long. */
#define CA_PLAN_ROWS 1000
#define CA_PLAN_MS   50
/* At most this many outcomes wait in memory, at most this long, without a
   lock on the file; the next intent's commit includes them at no extra
   cost. */
#define CA_QUEUED_OUTCOMES 512
#define CA_QUEUED_MS       100

/* Ids are built so that they sort in the order of the selection, that all
   changes of an item are adjacent, and that one integer key contains run, item
   and place, without a second index:
     item id   = run << 26 | number of the item in the run
     change id = item id << 15 | place of the change in the item, from 1
   Outside the ledger, numbers do not contain the run. */
#define CA_ITEM_BITS  26
#define CA_ITEM_MAX   ((INT64_C(1) << CA_ITEM_BITS) - 1)
#define CA_PLACE_BITS 15
#define CA_PLACE_MAX  ((INT64_C(1) << CA_PLACE_BITS) - 1)
#define CA_CHANGE_MAX ((INT64_C(1) << (CA_ITEM_BITS + CA_PLACE_BITS)) - 1)
#define CA_RUN_MAX    ((INT64_C(1) << (62 - CA_ITEM_BITS - CA_PLACE_BITS)) - 1)

/* Only in the stored flags: the key is the account id, which is therefore
   not stored twice. */
#define CA_ITEM_KEYED 0x10000

/* Rows per multi-row statement: running a statement costs as much as the
   row that it writes. */
#define CA_INTEND_ROWS  32
#define CA_OUTCOME_ROWS 16
#define CA_QUEUED_ROWS  16

/* More operations than the service will have; larger ids are looked up each
   time. */
#define CA_OPERATION_MAX  256
#define CA_OPERATION_SIZE 96 /* bytes of "resource.name", NUL included */

/* Columns of a change in a statement's row: CHANGE_ROW of
   ledger/statement.c. */
#define CA_CHANGE_COLUMNS 21

enum ca_sql {
  CA_SQL_BEGIN,
  CA_SQL_BEGIN_READ,
  CA_SQL_COMMIT,
  CA_SQL_ROLLBACK,
  CA_SQL_RUN_ADD,
  CA_SQL_RUN_PLAN,
  CA_SQL_RUN_NEEDS,
  CA_SQL_BULK_DROP,
  CA_SQL_TAKE_OVER,
  CA_SQL_TAKEN_OVER,
  CA_SQL_RUN_REFUSAL,
  CA_SQL_RUN_LEFT,
  CA_SQL_RUN_FIND,
  CA_SQL_RUN_UNKNOWN,
  CA_SQL_RUN_REOPEN,
  CA_SQL_RUN_REST,
  CA_SQL_RUN_END,
  CA_SQL_RUN_COUNTS,
  CA_SQL_SESSION_ADD,
  CA_SQL_SESSION_END,
  CA_SQL_SESSIONS,
  CA_SQL_RUNS,
  CA_SQL_RUN_NAMED,
  CA_SQL_HISTORY,
  CA_SQL_HISTORY_ACCOUNT,
  CA_SQL_HISTORY_GATHER,
  CA_SQL_UNSEALED_SENT,
  CA_SQL_UNSEALED_OUTCOMES,
  CA_SQL_UNSEALED_CHANGES,
  CA_SQL_UNSEALED_ITEMS,
  CA_SQL_UNSEALED_TAGS,
  CA_SQL_RETRY_OUTCOMES,
  CA_SQL_RETRY_CHANGES,
  CA_SQL_RETRY_DROP,
  CA_SQL_RETRY_NEXT,
  CA_SQL_SINGLE_KEYS,
  CA_SQL_ITEM_ADD,
  CA_SQL_ITEMS_ADD,
  CA_SQL_ITEM_ACCOUNT,
  CA_SQL_ITEM_LAST,
  CA_SQL_BULK_ADD,
  CA_SQL_BULK_READ,
  CA_SQL_KEY_FIND,
  CA_SQL_ITEM_READ,
  CA_SQL_ITEM_OUTCOME,
  CA_SQL_ITEM_VERDICT,
  CA_SQL_CHANGE_ADD,
  CA_SQL_CHANGE_ADD_PLAIN,
  CA_SQL_CHANGES_ADD_PLAIN,
  CA_SQL_CHANGE_LAST,
  CA_SQL_CHANGE_INTEND,
  CA_SQL_CHANGES_INTEND,
  CA_SQL_CHANGE_REINTEND,
  CA_SQL_CHANGE_REOPEN,
  CA_SQL_REPORT_ADD,
  CA_SQL_REPORTS,
  CA_SQL_PRUNE_MAY,
  CA_SQL_PRUNE_KEEP,
  CA_SQL_PRUNE_APPLIED,
  CA_SQL_APPLIED,
  CA_SQL_PRUNE_COUNT,
  CA_SQL_PRUNE_PREVIEW,
  CA_SQL_PRUNED,
  CA_SQL_SIZE,
  CA_SQL_SENT_ADD,
  CA_SQL_SENT,
  CA_SQL_TAG_ADD,
  CA_SQL_TAGS_CLEAR,
  CA_SQL_TAGS_OF_ITEM,
  CA_SQL_TAGS,
  CA_SQL_TAGGED,
  CA_SQL_OUTCOME_ADD,
  CA_SQL_OUTCOMES_ADD,
  CA_SQL_OUTCOME_RESOLVE,
  CA_SQL_RESOLUTION_ADD,
  CA_SQL_CHANGES,
  CA_SQL_CHANGES_FRESH,
  CA_SQL_ANY_SENT,
  CA_SQL_BEFORE,
  CA_SQL_EFFECTS,
  CA_SQL_EFFECTS_SHARED,
  CA_SQL_SHARES,
  CA_SQL_SHARED_ADD,
  CA_SQL_COUNTS,
  CA_SQL_COUNT_OUTCOMES,
  CA_SQL_COUNT_INTENTS,
  CA_SQL_VERDICTS,
  CA_SQL_OPERATION_ADD,
  CA_SQL_OPERATION_ID,
  CA_SQL_OPERATION_NAME,
  CA_SQL_SALT_ADD,
  CA_SQL_SALT,
  CA_SQL_KNOWS_MADE,
  CA_SQL_COUNT
};

/* What a queued outcome is: a change's outcome, an item's own verdict, or a
   tag that the item's `after` gave. The text of a tag is its name; NULL
   removes the tags of an earlier session. */
enum ca_queued_kind { CA_QUEUED_OF_CHANGE, CA_QUEUED_OF_ITEM, CA_QUEUED_TAG };

/* An outcome that is not in the database yet. */
struct ca_queued_outcome {
  enum ca_queued_kind kind;
  int64_t number;
  int64_t at_ms;
  enum ca_outcome outcome;
  int attempts;
  int http;
  char request_id[64];
  char status_after[32];
  char slug[80];
  char *text; /* error text, owned; NULL when there was no error */
  char *made; /* owned; NULL when no account was made */
};

/* Plan rows that are not in the database yet, though their transaction is
   open. Values are in the order of the statement's columns; data of an
   absent text is NULL. */
#define CA_ITEM_TEXTS   9
#define CA_CHANGE_TEXTS 3
#define CA_ROW_NUMBERS  5
struct ca_queued_row {
  int64_t numbers[CA_ROW_NUMBERS];
  struct ca_slice texts[CA_ITEM_TEXTS];
};
struct ca_queued_rows {
  struct ca_queued_table {
    struct ca_queued_row rows[CA_QUEUED_ROWS];
    size_t count;
  } items, changes;
  size_t used; /* bytes of texts */
  char texts[8192];
};

/* The counts of a run or bulk; changes are indexed by their operation's
   number. */
struct ca_tally {
  int64_t items[CA_OUTCOME_COUNT];
  int64_t changes[CA_OPERATION_MAX][CA_OUTCOME_COUNT];
};

struct ca_ledger {
  sqlite3 *db;
  char *path;
  const struct ca_clock *clock; /* borrowed */
  sqlite3_stmt *statements[CA_SQL_COUNT];
  int write_queue; /* descriptor of the lock file that orders waiting writers,
                      or -1 */

  int64_t run;   /* row of the run, 0 before the first */
  bool ended;    /* it can be read, but not written */
  bool readonly; /* opened read-only: no run can be written */
  bool applies;
  int64_t items;          /* added so far */
  struct ca_hashset keys; /* hashes of the items' keys */

  /* the item that ca_plan_rows_add_change used last */
  int64_t item;
  int bulk;
  int64_t last_change;
  struct ca_buf account; /* its account */
  bool has_account;

  bool in_txn;
  bool plan_only; /* it holds only rows of a bulk's plan */
  bool sync_off;  /* commits of this connection are not synced at present */
  int txn_rows;   /* plan rows in it */
  int64_t txn_ms; /* when it began */
  struct ca_err lost; /* set once plan rows were lost */
  struct ca_queued_rows queued;

  struct ca_queued_outcome *outcomes; /* CA_QUEUED_OUTCOMES */
  size_t outcome_count;
  int64_t outcome_ms; /* when the first was queued */

  struct ca_buf texts;              /* texts of the item that was read last */
  unsigned char salt[CA_SALT_SIZE]; /* of the run */
  bool has_salt;
  /* the run's changes by outcome, as last counted; false once one of them
     may have changed */
  bool counted;
  bool has_verdicts; /* some item may have its own verdict */
  int64_t counts[CA_OUTCOME_COUNT];
  struct ca_tally tally; /* the same by operation, and the items */
  int64_t found_item;    /* last item found by its key; the next search starts
                            after it */
  bool shared_known;     /* known whether several items share an account */
  bool has_shared;       /* they do; temp.shared lists the accounts */
  int64_t shared_items;  /* how many items the run had at that time */
  /* operation ids by row of the operation table, 0: not known yet; and the
     reverse */
  int64_t operation_ids[CA_OPERATION_MAX];
  const struct ca_api *operations[CA_OPERATION_MAX];
};

/* Ids of the current run's rows. */
static inline int64_t ca_ledger_item_id(const struct ca_ledger *ledger,
                                        int64_t number)
{
  return (ledger->run << CA_ITEM_BITS) | (number & CA_ITEM_MAX);
}

static inline int64_t ca_ledger_change_id(const struct ca_ledger *ledger,
                                          int64_t number)
{
  return (ledger->run << (CA_ITEM_BITS + CA_PLACE_BITS)) |
         (number & CA_CHANGE_MAX);
}

/* ledger/store.c: makes the directory and the file, sets access rights,
   opens the database and makes or migrates its schema. */
CA_MUST_USE enum ca_code ca_store_open(struct ca_ledger *ledger,
                                       const char *dir, struct ca_err *err);

/* The same read-only: makes nothing. *found is false when there is no
   ledger. */
CA_MUST_USE enum ca_code ca_store_open_readonly(struct ca_ledger *ledger,
                                                const char *dir, bool *found,
                                                struct ca_err *err);

/* ledger/schema.c: reads the schema's version (0: none yet) and the number
   of tables; returns an SQLite code. */
int ca_ledger_schema_read(sqlite3 *db, int *version, int *tables);
/* CA_SYSTEM when the schema is newer than ours, or the file is not a
   ledger. */
CA_MUST_USE enum ca_code ca_ledger_schema_check(const char *path, int version,
                                                int tables,
                                                struct ca_err *err);
/* Makes the tables, or migrates older ones. */
CA_MUST_USE enum ca_code ca_ledger_schema_make(sqlite3 *db, const char *path,
                                               struct ca_err *err);
/* Makes an older schema look like ours to this connection, by temporary
   tables and views; changes nothing in the file. Returns an SQLite code. */
int ca_ledger_schema_view(sqlite3 *db, int version);

/* Waits for this process's turn to take the write lock, CA_SQLITE_BUSY_MS
   at most. The caller must call ca_store_leave_queue afterwards. */
void ca_store_enter_queue(struct ca_ledger *ledger);
void ca_store_leave_queue(struct ca_ledger *ledger);

/* ledger/statement.c. Returns the cached statement, prepared on first use;
   NULL with err set. No queued row or outcome that the statement has to see
   may be left in memory: flush first. */
sqlite3_stmt *ca_statement_get(struct ca_ledger *ledger, enum ca_sql which,
                               struct ca_err *err);
/* The same with values bound from ?1 on, one for each letter of types: 'i'
   an int64_t, 'n' one that becomes NULL when it is 0, 't' a text or NULL,
   which must live until the statement has run. These take no argument: 'r' the
   run's row, 'I' and 'C' the first and the last id of the run's items or
   changes (two places). */
sqlite3_stmt *ca_statement_start(struct ca_ledger *ledger, enum ca_sql which,
                                 struct ca_err *err, const char *types, ...);
/* Steps to the next row; true if there is one. Else the statement is reset,
   and *code says why: unchanged after the last row; a caller that sets it
   ends the loop; CA_SYSTEM for a statement that is NULL. */
bool ca_statement_next(struct ca_ledger *ledger, sqlite3_stmt *statement,
                       enum ca_code *code, struct ca_err *err);
/* Reads the first column of the query's first row, 0 if there is none. */
CA_MUST_USE enum ca_code ca_statement_ask(struct ca_ledger *ledger,
                                          enum ca_sql which, int64_t *value,
                                          struct ca_err *err,
                                          const char *types, ...);
/* Runs a statement that returns no rows. */
CA_MUST_USE enum ca_code ca_statement_write(struct ca_ledger *ledger,
                                            enum ca_sql which,
                                            struct ca_err *err,
                                            const char *types, ...);
/* The same for one whose values are bound; NULL is CA_SYSTEM. */
CA_MUST_USE enum ca_code ca_statement_finish(struct ca_ledger *ledger,
                                             sqlite3_stmt *statement,
                                             struct ca_err *err);
/* The same, but returns an SQLite code. */
int ca_statement_run(sqlite3_stmt *statement);
/* Turns SQLite's code into a struct ca_err that names the file, the cause
   and the remedy. */
enum ca_code ca_statement_fail(const struct ca_ledger *ledger, int rc,
                               struct ca_err *err);

/* ledger/queued.c: queues a row for the open transaction. A change must be
   plain: it uses only the columns of CA_SQL_CHANGE_ADD_PLAIN. */
CA_MUST_USE enum ca_code ca_queued_add_item(struct ca_ledger *ledger,
                                            int64_t id,
                                            const struct ca_item *item,
                                            struct ca_err *err);
CA_MUST_USE enum ca_code ca_queued_add_change(struct ca_ledger *ledger,
                                              int64_t id, int64_t operation,
                                              const struct ca_change *change,
                                              struct ca_err *err);
bool ca_queued_has_rows(const struct ca_ledger *ledger);
/* Writes the queued rows into the open transaction. When that fails, the
   caller must roll the transaction back. */
CA_MUST_USE enum ca_code ca_queued_write_rows(struct ca_ledger *ledger,
                                              struct ca_err *err);
void ca_queued_forget_rows(struct ca_ledger *ledger);
/* The same for queued outcomes. */
CA_MUST_USE enum ca_code ca_queued_write_outcomes(struct ca_ledger *ledger,
                                                  struct ca_err *err);
void ca_queued_forget_outcomes(struct ca_ledger *ledger);
/* The latest queued outcome of the change or item, NULL if there is none; it
   is later than the one in the database. */
const struct ca_queued_outcome *
ca_queued_find_outcome(const struct ca_ledger *ledger,
                       enum ca_queued_kind kind, int64_t number);
/* Have outcomes waited long enough, or are there too many? */
bool ca_queued_outcomes_due(const struct ca_ledger *ledger);

/* ledger/ledger.c. A statement sees only what is in the database, so every
   function that reads calls one of these two first. Both roll back the open
   transaction when they fail.
   This one writes the queued plan rows. */
CA_MUST_USE enum ca_code ca_ledger_flush_rows(struct ca_ledger *ledger,
                                              struct ca_err *err);
/* Writes the queued rows, and commits the queued outcomes if one of them
   belongs to a change whose number is above `after` (-1: if there are any).
   A reader that follows the plan while it is carried out does not need
   outcomes of earlier changes, and so pays no sync for them. */
CA_MUST_USE enum ca_code ca_ledger_flush(struct ca_ledger *ledger,
                                         int64_t after, struct ca_err *err);

/* Waits for its turn at the write lock, then runs BEGIN IMMEDIATE. An open
   transaction that holds only plan rows is committed first, so that what
   follows is synced; any other open transaction is kept. No rows are queued
   when it returns CA_OK. */
CA_MUST_USE enum ca_code ca_ledger_txn(struct ca_ledger *ledger,
                                       struct ca_err *err);
/* The same when no transaction is open. plan_only: it will hold only rows of
   a bulk's plan; its commit is synced with the next commit of anything else,
   because nothing depends on these rows before. */
CA_MUST_USE enum ca_code ca_ledger_begin_txn(struct ca_ledger *ledger,
                                             bool plan_only,
                                             struct ca_err *err);
/* Rolls back unless code is CA_OK; err says what went wrong. When plan rows
   are lost by it, nothing more can be added to the run, and later calls
   return that error. Returns code. */
enum ca_code ca_ledger_undo_txn(struct ca_ledger *ledger, enum ca_code code,
                                const struct ca_err *err);
/* CA_OK when runs can be written. */
CA_MUST_USE enum ca_code ca_ledger_check_writer(const struct ca_ledger *ledger,
                                                struct ca_err *err);
/* CA_OK when a run is open, or was selected for reading. */
CA_MUST_USE enum ca_code ca_ledger_has_run(const struct ca_ledger *ledger,
                                           struct ca_err *err);
/* CA_OK when a run is open. */
CA_MUST_USE enum ca_code ca_ledger_open_run(const struct ca_ledger *ledger,
                                            struct ca_err *err);
/* The same, and CA_OK only if no plan rows were lost. */
CA_MUST_USE enum ca_code ca_ledger_usable(const struct ca_ledger *ledger,
                                          struct ca_err *err);

/* ledger/plan_rows.c: remembers the item's key until the run is closed;
 *known tells whether a key with the same hash was there already. */
CA_MUST_USE enum ca_code ca_plan_rows_remember_key(struct ca_ledger *ledger,
                                                   const struct ca_item *item,
                                                   bool *known,
                                                   struct ca_err *err);

/* ledger/ledger.c: gives the id of an operation in this database, adding
   one if the operation is new; the second function does the reverse (NULL:
   this version has no such operation). */
CA_MUST_USE enum ca_code ca_ledger_operation_id(struct ca_ledger *ledger,
                                                const struct ca_api *api,
                                                int64_t *id,
                                                struct ca_err *err);
CA_MUST_USE enum ca_code ca_ledger_operation(struct ca_ledger *ledger,
                                             int64_t id,
                                             const struct ca_api **api,
                                             struct ca_err *err);

/* ledger/count.c: brings ledger->counts and ledger->tally up to date. */
CA_MUST_USE enum ca_code ca_ledger_count_changes(struct ca_ledger *ledger,
                                                 struct ca_err *err);
/* Reads a row of CHANGE_ROW; its texts belong to the statement. */
CA_MUST_USE enum ca_code ca_change_take(struct ca_ledger *ledger,
                                        sqlite3_stmt *statement,
                                        struct ca_change_row *row,
                                        struct ca_err *err);

/* Text of a column, NULL for NULL; valid until the statement's next step. */
static inline const char *ca_ledger_text(sqlite3_stmt *statement, int column)
{
  return (const char *)sqlite3_column_text(statement, column);
}

/* Binds a text, or NULL for NULL; the text must live until the statement
   has run. */
void ca_statement_bind(sqlite3_stmt *statement, int place, const char *text);

#endif
