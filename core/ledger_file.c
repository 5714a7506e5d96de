/* The ledger's place on disk: its directory, access rights and schema.
   Must not know: what runs, items and changes mean. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "ledger_private.h"

#define APPLICATION_ID 0x636c6c67 /* "cllg" in the file's header */
#define CACHE_KIB      4096
#define BUSY_MS        10000
#define POLL_MS        1

/* What a database of version 1 tells of parts and bulks: it knew neither, but
   nothing of a bulk was sent before its plan was whole. */
#define PARTS_OF_1                                                     \
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

/* Version n of the schema comes out of migrations[n - 1]. A version that was
   released is never edited; a change is a new entry. Numbers of outcomes,
   flags and classes are those of the headers. */
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
  /* A change is only ever added to: its intent and its outcome are rows of
     their own. Rewriting its row twice took 24,000 instructions, adding two
     short ones takes half of that, and no page is torn by growing rows. */
  "CREATE TABLE intent(id INTEGER PRIMARY KEY, sent_ms INTEGER NOT NULL);"
  "CREATE TABLE outcome("
  " id INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, ended_ms INTEGER,"
  " attempts INTEGER, http INTEGER, request_id TEXT, status_after TEXT,"
  " slug TEXT, error TEXT);",

  "ALTER TABLE run ADD COLUMN word TEXT;"
  "ALTER TABLE run ADD COLUMN cwd TEXT;"
  "ALTER TABLE run ADD COLUMN undoes TEXT;"
  "ALTER TABLE run ADD COLUMN salt BLOB;"
  /* of changes by outcome, a JSON array, once the run has ended */
  "ALTER TABLE run ADD COLUMN counts TEXT;"
  "UPDATE run SET salt = (SELECT value FROM salt);"
  "ALTER TABLE item ADD COLUMN looked INTEGER;"
  "ALTER TABLE change ADD COLUMN fallback INTEGER;"
  "ALTER TABLE change ADD COLUMN image TEXT;"
  "ALTER TABLE outcome ADD COLUMN made TEXT;"
  "CREATE TABLE part("
  " run INTEGER NOT NULL, number INTEGER NOT NULL,"
  " began_ms INTEGER NOT NULL, ended_ms INTEGER, exit_code INTEGER,"
  " who TEXT, host TEXT, PRIMARY KEY(run, number)) WITHOUT ROWID;"
  "INSERT INTO part(run, number, began_ms, ended_ms, exit_code, who, "
  "host) " PARTS_OF_1 ";"
  /* only bulks that stand are here */
  "CREATE TABLE bulk("
  " run INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
  " kind TEXT NOT NULL, selected INTEGER NOT NULL,"
  " planned INTEGER NOT NULL, same INTEGER NOT NULL,"
  " skipped INTEGER NOT NULL, failed INTEGER NOT NULL,"
  " stood_ms INTEGER NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;"
  "INSERT INTO bulk(run, number, name, kind, selected, planned, same,"
  " skipped, failed, stood_ms) " BULKS_OF_1 ";"
};
#define VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static enum ca_code dir_fail(const char *dir, struct ca_err *err)
{
  return ca_err_set(err, CA_SYSTEM,
                    "cannot make the state directory %s: %s; make it "
                    "writable or name another one",
                    dir, strerror(errno));
}

static void sync_dir(const char *dir)
{
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if(fd >= 0) {
    /* some file systems cannot; then the file's own sync has to do */
    if(fsync(fd))
      errno = 0;
    close(fd);
  }
}

/* Makes one directory 0700 whatever the umask; fine when it is there. */
static bool make_one(char *dir)
{
  char *slash;

  if(mkdir(dir, 0700))
    return errno == EEXIST || errno == EISDIR;
  if(chmod(dir, 0700))
    return false;
  slash = strrchr(dir, '/');
  if(slash)
    *slash = '\0';
  sync_dir(!slash ? "." : *dir ? dir : "/");
  return true;
}

enum ca_code ca_ledger_make_dir(const char *dir, struct ca_err *err)
{
  char part[PATH_MAX];
  size_t len = strlen(dir);
  struct stat info;
  size_t i;

  if(!len || len >= sizeof(part))
    return ca_err_set(err, CA_SYSTEM,
                      "the state directory's name is empty or too long");
  if(!stat(dir, &info)) {
    if(!S_ISDIR(info.st_mode))
      return ca_err_set(err, CA_SYSTEM, "%s is not a directory", dir);
    if(info.st_mode & S_IWOTH)
      return ca_err_set(err, CA_SYSTEM,
                        "everybody can write to the state directory %s: "
                        "chmod 700 it or name another one",
                        dir);
    return CA_OK;
  }
  for(i = 1; i <= len; i++) {
    if(dir[i] && dir[i] != '/')
      continue;
    memcpy(part, dir, i);
    part[i] = '\0';
    if(stat(part, &info) && !make_one(part))
      return dir_fail(dir, err);
  }
  return CA_OK;
}

static enum ca_code file_fail(const char *path, struct ca_err *err)
{
  return ca_err_set(err, CA_SYSTEM,
                    "cannot make the ledger %s: %s; make the directory "
                    "writable or name another one",
                    path, strerror(errno));
}

/* The file is made before SQLite sees it, since SQLite would leave its mode
   to the umask (its log then copies the mode). An existing file is never
   opened here: closing that descriptor would drop SQLite's locks on it. */
static enum ca_code make_file(const char *dir, const char *path,
                              struct ca_err *err)
{
  struct stat info;
  int fd =
      open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if(fd >= 0) {
    bool fine = !fchmod(fd, 0600);
    close(fd);
    if(!fine)
      return file_fail(path, err);
    sync_dir(dir);
    return CA_OK;
  }
  if(errno != EEXIST)
    return file_fail(path, err);
  if(lstat(path, &info))
    return file_fail(path, err);
  if(!S_ISREG(info.st_mode))
    return ca_err_set(
        err, CA_SYSTEM,
        "the ledger %s is %s, which is not followed: move it "
        "away or name another state directory",
        path, S_ISLNK(info.st_mode) ? "a symbolic link" : "not a plain file");
  if((info.st_mode & 0177) && info.st_uid == geteuid() && chmod(path, 0600))
    return file_fail(path, err);
  return CA_OK;
}

enum ca_code ca_ledger_file_fail(sqlite3 *db, const char *path, int rc,
                                 struct ca_err *err)
{
  int cause = db ? sqlite3_system_errno(db) : 0;

  switch(rc & 0xFF) {
  case SQLITE_NOMEM:
    return ca_err_set(err, CA_NOMEM, "out of memory at the ledger %s", path);
  case SQLITE_FULL:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot write the ledger %s: the disk is full; free "
                      "some space, then run again",
                      path);
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_CANTOPEN:
  case SQLITE_AUTH:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot open the ledger %s for writing%s%s; make it and "
                      "its directory writable or name another state "
                      "directory",
                      path, cause ? ": " : "", cause ? strerror(cause) : "");
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s has been locked by another process for "
                      "%d s; wait for it to end or end it, then run again",
                      path, BUSY_MS / 1000);
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s is damaged or no ledger (%s): move it "
                      "away together with its -wal and -shm files; the next "
                      "run makes a new one",
                      path, sqlite3_errstr(rc));
  case SQLITE_IOERR:
    return ca_err_set(err, CA_SYSTEM,
                      "cannot write the ledger %s: %s; check the disk, then "
                      "run again",
                      path, cause ? strerror(cause) : sqlite3_errstr(rc));
  default:
    return ca_err_set(err, CA_SYSTEM, "the ledger %s: %s", path,
                      db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
  }
}

/* Waiting for the write lock. SQLite polls, ever more slowly; who writes
   without a pause would keep others out for seconds, since it takes the lock
   again within microseconds. So whoever wants it holds the turn while it
   polls, a lock on a file of its own (a second descriptor of the database
   would, when closed, drop SQLite's locks). */

static void pause_a_little(void)
{
  struct timespec pause = { 0, POLL_MS * 1000000L };
  nanosleep(&pause, NULL);
}

static int poll_lock(void *ctx, int count)
{
  (void)ctx;
  pause_a_little();
  return count < BUSY_MS / POLL_MS;
}

void ca_ledger_turn_enter(struct ca_ledger *ledger)
{
  int tries;

  /* after that long it goes on without: the turn is for fairness alone */
  for(tries = 0; ledger->turn >= 0 && tries < BUSY_MS / POLL_MS; tries++) {
    if(!flock(ledger->turn, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
      return;
    pause_a_little();
  }
}

void ca_ledger_turn_leave(struct ca_ledger *ledger)
{
  if(ledger->turn >= 0)
    flock(ledger->turn, LOCK_UN);
}

static int open_turn(const char *dir)
{
  char path[PATH_MAX + 16];
  int fd;

  snprintf(path, sizeof(path), "%s/ledger.turn", dir);
  fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if(fd >= 0 && fchmod(fd, 0600))
    errno = 0; /* another user's: his to say who may open it */
  return fd;
}

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

/* From version `from` to ours, inside the caller's transaction. */
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

static enum ca_code check_version(const char *path, int version, int tables,
                                  struct ca_err *err)
{
  if(version > VERSION)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s was written by a newer composio-lua "
                      "(schema %d, this one knows %d): use that version or "
                      "name another state directory",
                      path, version, VERSION);
  if(!version && tables)
    return ca_err_set(err, CA_SYSTEM,
                      "%s is a database, but no ledger: move it away or name "
                      "another state directory",
                      path);
  return CA_OK;
}

/* Two processes may meet a new file at once: who comes second finds the
   version changed when it holds the lock. */
static enum ca_code make_schema(sqlite3 *db, const char *path,
                                struct ca_err *err)
{
  static const char tables_sql[] = "SELECT count(*) FROM sqlite_schema";
  int version = 0;
  int tables = 0;
  enum ca_code code;
  int rc = read_number(db, "PRAGMA user_version", &version);

  if(!rc && version == VERSION)
    return CA_OK;
  if(!rc)
    rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
  if(!rc)
    rc = read_number(db, "PRAGMA user_version", &version);
  if(!rc)
    rc = read_number(db, tables_sql, &tables);
  if(rc)
    return ca_ledger_file_fail(db, path, rc, err);
  code = check_version(path, version, tables, err);
  if(!code) {
    rc = migrate(db, version);
    if(!rc)
      rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if(rc)
      code = ca_ledger_file_fail(db, path, rc, err);
  }
  if(code)
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return code;
}

/* No secret is ever stored, so freed pages need no zeroes. */
static const char settings[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA secure_delete=OFF;"
                               "PRAGMA trusted_schema=OFF;";

static int configure(sqlite3 *db)
{
  char cache[48];
  int rc;

  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, poll_lock, NULL);
  rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
  snprintf(cache, sizeof(cache), "PRAGMA cache_size=-%d;", CACHE_KIB);
  if(!rc)
    rc = sqlite3_exec(db, cache, NULL, NULL, NULL);
  return rc;
}

static int is_wal(void *ctx, int count, char **values, char **names)
{
  (void)names;
  *(bool *)ctx = count == 1 && values[0] && !strcmp(values[0], "wal");
  return 0;
}

static enum ca_code open_database(struct ca_ledger *ledger, struct ca_err *err)
{
  bool wal = false;
  enum ca_code code;
  int version = 0;
  int tables = 0;
  int rc = sqlite3_open_v2(ledger->path, &ledger->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               SQLITE_OPEN_NOFOLLOW,
                           NULL);

  if(!rc)
    rc = configure(ledger->db);
  /* a stranger's file is told apart before its mode is changed */
  if(!rc)
    rc = read_number(ledger->db, "PRAGMA user_version", &version);
  if(!rc)
    rc =
        read_number(ledger->db, "SELECT count(*) FROM sqlite_schema", &tables);
  if(rc)
    return ca_ledger_file_fail(ledger->db, ledger->path, rc, err);
  code = check_version(ledger->path, version, tables, err);
  if(code)
    return code;
  if(!version)
    rc = sqlite3_exec(ledger->db, "PRAGMA auto_vacuum=NONE", NULL, NULL, NULL);
  if(!rc)
    rc = sqlite3_exec(ledger->db, "PRAGMA journal_mode=WAL", is_wal, &wal,
                      NULL);
  if(rc)
    return ca_ledger_file_fail(ledger->db, ledger->path, rc, err);
  if(!wal)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s cannot keep a write-ahead log on this "
                      "file system: name a state directory on a local disk",
                      ledger->path);
  return make_schema(ledger->db, ledger->path, err);
}

enum ca_code ca_ledger_file_open(struct ca_ledger *ledger, const char *dir,
                                 struct ca_err *err)
{
  char real[PATH_MAX];
  size_t size;
  enum ca_code code = ca_ledger_make_dir(dir, err);

  if(code)
    return code;
  /* links on the way to the directory are the user's; of the file itself
     none is followed */
  if(!realpath(dir, real))
    return dir_fail(dir, err);
  size = strlen(real) + sizeof("/ledger.db");
  ledger->path = malloc(size);
  if(!ledger->path)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  snprintf(ledger->path, size, "%s/ledger.db", real);
  code = make_file(real, ledger->path, err);
  if(!code)
    ledger->turn = open_turn(real);
  return code ? code : open_database(ledger, err);
}
