/* The ledger's tables, by version: how they are made, migrated, or read
   without migration.
   Must not know: what runs, items and changes mean. */
#include <stdio.h>
#include "ledger/ledger_private.h"
#include "ledger/sqlite.h"

#define APPLICATION_ID 0x636c6c67 /* "cllg" in the file's header */

/* Sessions and bulks of a version 1 database, which had no tables for them.
   It sent nothing of a bulk before its plan was complete. */
#define SESSIONS_OF_1                                                  \
  "SELECT id AS run, 1 AS number, began_ms, ended_ms, exit_code, who," \
  " host FROM main.run"
#define BULKS_OF_1                                                       \
  "SELECT c.id >> 41 AS run, c.bulk AS number, '' AS name, '' AS kind,"  \
  " count(DISTINCT c.id >> 15) AS selected, sum(c.outcome = 0) AS"       \
  " planned, sum(c.outcome = 4) AS same, sum(c.outcome = 6) AS skipped," \
  " 0 AS failed, r.began_ms AS stood_ms"                                 \
  " FROM main.change c JOIN main.run r ON r.id = c.id >> 41"             \
  " WHERE c.bulk > 0 GROUP BY 1, 2 HAVING max(EXISTS (SELECT 1 FROM"     \
  " main.intent n WHERE n.id = c.id))"

/* What a person decided about a change of unknown outcome. */
#define RESOLUTION                                               \
  "resolution(id INTEGER PRIMARY KEY, outcome INTEGER NOT NULL," \
  " at_ms INTEGER NOT NULL, who TEXT, host TEXT, reason TEXT NOT NULL);"

/* The tags of items. later: 1 if the item's `after` gave it. */
#define TAG                                        \
  "tag(item INTEGER NOT NULL, name TEXT NOT NULL," \
  " later INTEGER NOT NULL, PRIMARY KEY(item, name)) WITHOUT ROWID;"

/* What `runs --prune` leaves of removed changes: by `what`, the last refresh
   of an account (1) and the last change that saw it ACTIVE (2). */
#define PRUNED                                                             \
  "pruned(account TEXT NOT NULL, project TEXT NOT NULL,"                   \
  " what INTEGER NOT NULL, operation INTEGER NOT NULL,"                    \
  " outcome INTEGER NOT NULL, at_ms INTEGER NOT NULL, status_before TEXT," \
  " status_after TEXT, PRIMARY KEY(account, project, what))"               \
  " WITHOUT ROWID;"

/* The reports whose rows a run has had in a file beside them. */
#define REPORT                                       \
  "report(run INTEGER NOT NULL, path TEXT NOT NULL," \
  " PRIMARY KEY(run, path)) WITHOUT ROWID;"

/* The plans that removed runs have carried out: a plan is carried out once. */
#define APPLIED                             \
  "applied(plan TEXT PRIMARY KEY NOT NULL," \
  " run TEXT NOT NULL) WITHOUT ROWID;"

/* migrations[n - 1] makes version n of the schema. A released version is
   never edited; a change is a new entry. Numbers of outcomes, flags and
   classes are those of the headers. */
static const char *const migrations[] = {
  "CREATE TABLE salt(value BLOB NOT NULL);"
  "CREATE TABLE operation("
  " id INTEGER PRIMARY KEY,"
  " name TEXT NOT NULL UNIQUE);"
  "CREATE TABLE run("
  " id INTEGER PRIMARY KEY,"
  " name TEXT NOT NULL UNIQUE,"
  " script TEXT, script_sha TEXT, params TEXT, options TEXT, mode TEXT,"
  " who TEXT, host TEXT, project TEXT, base_url TEXT, version TEXT,"
  " began_ms INTEGER NOT NULL, ended_ms INTEGER, exit_code INTEGER);"
  /* ids: see ledger_private.h */
  "CREATE TABLE item("
  " id INTEGER PRIMARY KEY, bulk INTEGER NOT NULL,"
  " outcome INTEGER NOT NULL, flags INTEGER NOT NULL, key TEXT NOT NULL,"
  " account TEXT, user TEXT, toolkit TEXT, scheme TEXT, status TEXT,"
  " status_reason TEXT, alias TEXT, created_ms INTEGER, updated_ms INTEGER,"
  " row TEXT, detail TEXT);"
  "CREATE TABLE change("
  " id INTEGER PRIMARY KEY, bulk INTEGER NOT NULL,"
  " operation INTEGER NOT NULL, cost INTEGER NOT NULL,"
  " outcome INTEGER NOT NULL, account TEXT,"
  " user TEXT, config TEXT, query TEXT, body TEXT, fingerprint TEXT,"
  " reason TEXT, line TEXT, status_before TEXT);"
  /* A change's row is never rewritten: its intent and its outcome are rows
     of their own. Rewriting the row twice took 24,000 instructions;
     inserting two short rows takes half of that, and no page is split by
     growing rows. */
  "CREATE TABLE intent(id INTEGER PRIMARY KEY, sent_ms INTEGER NOT NULL);"
  "CREATE TABLE outcome("
  " id INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, ended_ms INTEGER,"
  " attempts INTEGER, http INTEGER, request_id TEXT, status_after TEXT,"
  " slug TEXT, error TEXT);",

  "ALTER TABLE run ADD COLUMN word TEXT;"
  "ALTER TABLE run ADD COLUMN cwd TEXT;"
  "ALTER TABLE run ADD COLUMN undoes TEXT;"
  "ALTER TABLE run ADD COLUMN salt BLOB;"
  /* counts of changes by outcome, a JSON array; set when the run has ended */
  "ALTER TABLE run ADD COLUMN counts TEXT;"
  "ALTER TABLE change ADD COLUMN fallback INTEGER;"
  "ALTER TABLE change ADD COLUMN image TEXT;"
  "ALTER TABLE outcome ADD COLUMN made TEXT;"
  "CREATE TABLE part("
  " run INTEGER NOT NULL, number INTEGER NOT NULL,"
  " began_ms INTEGER NOT NULL, ended_ms INTEGER, exit_code INTEGER,"
  " who TEXT, host TEXT, PRIMARY KEY(run, number)) WITHOUT ROWID;"
  "INSERT INTO part(run, number, began_ms, ended_ms, exit_code, who, "
  "host) " SESSIONS_OF_1 ";"
  /* sealed bulks only */
  "CREATE TABLE bulk("
  " run INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
  " kind TEXT NOT NULL, selected INTEGER NOT NULL,"
  " planned INTEGER NOT NULL, same INTEGER NOT NULL,"
  " skipped INTEGER NOT NULL, failed INTEGER NOT NULL,"
  " stood_ms INTEGER NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;"
  "INSERT INTO bulk(run, number, name, kind, selected, planned, same,"
  " skipped, failed, stood_ms) " BULKS_OF_1 ";",

  "CREATE TABLE " RESOLUTION
  /* digest of the plan that a preview saved, or that a run carries out */
  "ALTER TABLE run ADD COLUMN plan TEXT;"
  /* what was known when a change that must not be repeated was sent */
  "CREATE TABLE sent("
  " id INTEGER PRIMARY KEY, service_ms INTEGER, ids TEXT, status TEXT,"
  " updated_ms INTEGER);"
  "CREATE INDEX outcome_made ON outcome(made) WHERE made IS NOT NULL;",

  "CREATE TABLE " TAG,

  /* the options without which a guard would refuse what is left of the run */
  "ALTER TABLE run ADD COLUMN needs TEXT;",

  "CREATE TABLE " PRUNED "CREATE TABLE " REPORT,

  "ALTER TABLE run ADD COLUMN refusal TEXT;"
  "ALTER TABLE run ADD COLUMN redoes TEXT;",

  /* how many items wait for people, when it ended */
  "ALTER TABLE run ADD COLUMN pending INTEGER;"
  /* 1: a report could not be written, its rows are beside it */
  "ALTER TABLE run ADD COLUMN unwritten INTEGER;"
  "CREATE TABLE " APPLIED
};
#define VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

/* What a read-only connection adds to read an older schema: temporary
   tables and views, which take precedence over those of the file. */
#define SENT_OF_2                                                      \
  "CREATE TEMP TABLE sent(id INTEGER PRIMARY KEY, service_ms INTEGER," \
  " ids TEXT, status TEXT, updated_ms INTEGER);"
#define RUN_OF_3                                                            \
  "CREATE TEMP VIEW run AS SELECT *, NULL AS needs, NULL AS refusal, NULL " \
  "AS redoes, NULL AS pending, NULL AS unwritten"                           \
  " FROM main.run;"
#define RUN_OF_5                                                       \
  "CREATE TEMP VIEW run AS SELECT *, NULL AS refusal, NULL AS redoes," \
  " NULL AS pending, NULL AS unwritten FROM main.run;"
#define RUN_OF_7                                                          \
  "CREATE TEMP VIEW run AS SELECT *, NULL AS pending, NULL AS unwritten " \
  "FROM main.run;"
#define OF_7 "CREATE TEMP TABLE " APPLIED
#define OF_5 "CREATE TEMP TABLE " PRUNED "CREATE TEMP TABLE " REPORT OF_7
static const char *const views[VERSION - 1] = {
  "CREATE TEMP VIEW run AS SELECT *, NULL AS word, NULL AS cwd,"
  " NULL AS undoes, NULL AS salt, NULL AS counts, NULL AS plan,"
  " NULL AS needs, NULL AS refusal, NULL AS redoes, NULL AS pending, NULL AS "
  "unwritten"
  " FROM main.run;"
  "CREATE TEMP VIEW change AS SELECT *, NULL AS fallback, NULL AS image"
  " FROM main.change;"
  "CREATE TEMP VIEW outcome AS SELECT *, NULL AS made FROM main.outcome;"
  "CREATE TEMP TABLE part AS " SESSIONS_OF_1 ";"
  "CREATE TEMP TABLE bulk AS " BULKS_OF_1 ";"
  "CREATE TEMP TABLE " RESOLUTION SENT_OF_2 OF_5 "CREATE TEMP TABLE " TAG,

  "CREATE TEMP VIEW run AS SELECT *, NULL AS plan, NULL AS needs,"
  " NULL AS refusal, NULL AS redoes, NULL AS pending, NULL AS unwritten FROM "
  "main.run;"
  "CREATE TEMP TABLE " RESOLUTION SENT_OF_2 OF_5 "CREATE TEMP TABLE " TAG,

  RUN_OF_3 OF_5 "CREATE TEMP TABLE " TAG,

  RUN_OF_3 OF_5,

  RUN_OF_5 OF_5,

  RUN_OF_5 OF_7,

  RUN_OF_7 OF_7,
};

static int read_number(sqlite3 *db, const char *sql, int *number)
{
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

  if(!rc) {
    rc = sqlite3_step(statement);
    if(rc == SQLITE_ROW) {
      *number = sqlite3_column_int(statement, 0);
      rc = SQLITE_OK;
    }
  }
  sqlite3_finalize(statement);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Migrates from version `from` to ours, inside the caller's transaction. */
static int migrate(sqlite3 *db, int from)
{
  char done[96];
  int rc = SQLITE_OK;

  for(; !rc && from < VERSION; from++)
    rc = sqlite3_exec(db, migrations[from], NULL, NULL, NULL);
  if(!rc) {
    snprintf(done, sizeof(done),
             "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             APPLICATION_ID, VERSION);
    rc = sqlite3_exec(db, done, NULL, NULL, NULL);
  }
  return rc;
}

/* Reads both in one transaction, since another process may make the tables
   in between; also works inside the caller's transaction. */
int ca_ledger_schema_read(sqlite3 *db, int *version, int *tables)
{
  int rc = sqlite3_exec(db, "SAVEPOINT look", NULL, NULL, NULL);
  int end;

  if(rc)
    return rc;
  rc = read_number(db, "PRAGMA user_version", version);
  if(!rc)
    rc = read_number(db, "SELECT count(*) FROM sqlite_schema", tables);
  end = sqlite3_exec(db, "RELEASE look", NULL, NULL, NULL);
  return rc ? rc : end;
}

enum ca_code ca_ledger_schema_check(const char *path, int version, int tables,
                                    struct ca_err *err)
{
  if(version > VERSION)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s was written by a newer composio-lua "
                      "(schema %d, this one knows %d): use that version or "
                      "give another state directory",
                      path, version, VERSION);
  if(!version && tables)
    return ca_err_set(err, CA_SYSTEM,
                      "%s is a database, but not a ledger: move it away or "
                      "give another state directory",
                      path);
  return CA_OK;
}

/* Two processes may open a new file at once: the second one finds the
   version changed when it gets the lock. */
enum ca_code ca_ledger_schema_make(sqlite3 *db, const char *path,
                                   struct ca_err *err)
{
  int version = 0;
  int tables = 0;
  enum ca_code code;
  int rc = read_number(db, "PRAGMA user_version", &version);

  if(!rc && version == VERSION)
    return CA_OK;
  if(!rc)
    rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  if(!rc)
    rc = ca_ledger_schema_read(db, &version, &tables);
  if(rc)
    return ca_sqlite_fail(db, path, rc, err);
  code = ca_ledger_schema_check(path, version, tables, err);
  if(!code) {
    rc = migrate(db, version);
    if(!rc)
      rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if(rc)
      code = ca_sqlite_fail(db, path, rc, err);
  }
  if(code)
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return code;
}

int ca_ledger_schema_view(sqlite3 *db, int version)
{
  return version < VERSION
             ? sqlite3_exec(db, views[version - 1], NULL, NULL, NULL)
             : SQLITE_OK;
}
