/* The ledger on disk: its directory, its files, their access rights and the
   order of waiting writers.
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
#include "base/text.h"
#include "ledger/ledger_private.h"
#include "ledger/sqlite.h"
#include "base/os_sync.h"

#define POLL_MS 1

static enum ca_code dir_fail(const char *dir, struct ca_err *err)
{
  return ca_err_set(err, CA_SYSTEM,
                    "cannot create the state directory %s: %s; make its "
                    "parent writable or give another one",
                    dir, strerror(errno));
}

/* Gives what root has just made in the directory to the directory's owner. */
static void give(int fd, const char *dir)
{
  struct stat owner;

  if(!geteuid() && !stat(dir, &owner) && owner.st_uid)
    (void)!fchown(fd, owner.st_uid, owner.st_gid);
}

/* Makes one directory with mode 0700 whatever the umask; succeeds if it
   exists. */
static bool make_one(char *dir)
{
  const char *parent = ".";
  bool good;
  char *slash;
  int fd;

  if(mkdir(dir, 0700))
    return errno == EEXIST || errno == EISDIR;
  fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  good = fd >= 0 && !fchmod(fd, 0700);
  slash = strrchr(dir, '/');
  if(slash) {
    *slash = '\0';
    parent = *dir ? dir : "/";
  }
  if(good) {
    give(fd, parent);
    ca_os_sync_dir(parent);
  }
  if(fd >= 0)
    close(fd);
  return good;
}

/* Returns the mode for files of the directory. Whoever may write to it can
   replace them, so where that is a group, *group, they are open to it; else
   *group is -1. */
static mode_t mode_in(const char *dir, gid_t *group)
{
  struct stat info;
  bool shared = !stat(dir, &info) && info.st_mode & S_IWGRP;

  *group = shared ? info.st_gid : (gid_t)-1;
  return shared ? 0660 : 0600;
}

/* Gives our file that group and mode whatever the umask. */
static bool share(int fd, const char *dir)
{
  gid_t group;
  mode_t mode = mode_in(dir, &group);

  if(fchown(fd, (uid_t)-1, group))
    mode = 0600;
  return !fchmod(fd, mode);
}

/* Makes a file that those can use who may write to the directory. Returns -1
   and sets errno if it cannot, also if it exists. */
static int make_new(const char *dir, const char *path)
{
  int fd =
      open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if(fd >= 0)
    give(fd, dir);
  if(fd >= 0 && !share(fd, dir)) {
    close(fd);
    return -1;
  }
  return fd;
}

int ca_store_open_file(const char *dir, const char *path)
{
  int fd = make_new(dir, path);

  if(fd < 0 && errno == EEXIST)
    fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
  if(fd >= 0)
    (void)share(fd, dir); /* the directory may be shared since */
  return fd < 0 && errno == ENOENT ? make_new(dir, path) : fd;
}

static enum ca_code check_dir(const char *dir, const struct stat *info,
                              struct ca_err *err)
{
  if(!S_ISDIR(info->st_mode))
    return ca_err_set(err, CA_SYSTEM, "%s is not a directory", dir);
  if(info->st_mode & S_IWOTH)
    return ca_err_set(err, CA_SYSTEM,
                      "everybody can write to the state directory %s: "
                      "chmod 700 it or give another one",
                      dir);
  return CA_OK;
}

enum ca_code ca_store_make_dir(const char *dir, struct ca_err *err)
{
  char prefix[PATH_MAX];
  size_t len = strlen(dir);
  struct stat info;
  size_t i;

  if(!len || len >= sizeof(prefix))
    return ca_err_set(err, CA_SYSTEM,
                      "the path of the state directory is empty or too long");
  if(!stat(dir, &info))
    return check_dir(dir, &info, err);
  for(i = 1; i <= len; i++) {
    if(dir[i] && dir[i] != '/')
      continue;
    memcpy(prefix, dir, i);
    prefix[i] = '\0';
    if(stat(prefix, &info) && !make_one(prefix))
      return dir_fail(dir, err);
  }
  return CA_OK;
}

static enum ca_code file_fail(const char *path, struct ca_err *err)
{
  return ca_err_set(err, CA_SYSTEM,
                    "cannot create the ledger %s: %s; make the directory "
                    "writable or give another one",
                    path, strerror(errno));
}

static enum ca_code check_file(const char *path, const struct stat *info,
                               struct ca_err *err)
{
  if(S_ISREG(info->st_mode))
    return CA_OK;
  return ca_err_set(
      err, CA_SYSTEM,
      "the ledger %s is %s, which is not followed: move it "
      "away or give another state directory",
      path, S_ISLNK(info->st_mode) ? "a symbolic link" : "not a plain file");
}

/* Makes the file before SQLite opens it, since SQLite would leave its mode
   to the umask (SQLite's WAL file copies the mode). An existing file is
   never opened here: closing that descriptor would drop SQLite's locks on
   it. */
static enum ca_code make_file(const char *dir, const char *path,
                              struct ca_err *err)
{
  struct stat info;
  gid_t group;
  mode_t mode = mode_in(dir, &group);
  int fd = make_new(dir, path);

  if(fd >= 0) {
    close(fd);
    ca_os_sync_dir(dir);
    return CA_OK;
  }
  if(errno != EEXIST)
    return file_fail(path, err);
  if(lstat(path, &info))
    return file_fail(path, err);
  if(check_file(path, &info, err))
    return CA_SYSTEM;
  if(lchown(path, (uid_t)-1, group))
    mode = 0600;
  if(((info.st_mode ^ mode) & 0177) && info.st_uid == geteuid() &&
     fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW))
    return file_fail(path, err);
  return CA_OK;
}

/* SQLite makes these two files with the mode of the ledger's, but in the
   group of the process. */
static void share_log(const struct ca_ledger *ledger, const char *dir)
{
  static const char *const ends[] = { "-wal", "-shm" };
  char path[PATH_MAX + 16];
  gid_t group;
  size_t i;

  (void)mode_in(dir, &group);
  for(i = 0; i < 2; i++) {
    snprintf(path, sizeof(path), "%s%s", ledger->path, ends[i]);
    (void)!lchown(path, (uid_t)-1, group); /* another user's is right */
  }
}

/* Waiting for the write lock. SQLite's own busy handler polls at growing
   intervals. A process that writes without a pause takes the lock again
   within microseconds, and would keep others out for seconds. So a process
   that wants the lock holds an flock on ledger.turn while it polls. That is
   a separate file because closing a second descriptor of the database would
   drop SQLite's locks. */

static void pause_a_little(void)
{
  struct timespec pause = { 0, POLL_MS * 1000000L };
  nanosleep(&pause, NULL);
}

static int poll_lock(void *ctx, int count)
{
  (void)ctx;
  pause_a_little();
  return count < CA_SQLITE_BUSY_MS / POLL_MS;
}

void ca_store_enter_queue(struct ca_ledger *ledger)
{
  int tries;

  /* after that long it continues without the flock, which serves fairness
     only */
  for(tries = 0;
      ledger->write_queue >= 0 && tries < CA_SQLITE_BUSY_MS / POLL_MS;
      tries++) {
    if(!flock(ledger->write_queue, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
      return;
    pause_a_little();
  }
}

void ca_store_leave_queue(struct ca_ledger *ledger)
{
  if(ledger->write_queue >= 0)
    flock(ledger->write_queue, LOCK_UN);
}

static int open_queue(const char *dir)
{
  char path[PATH_MAX + 16];

  snprintf(path, sizeof(path), "%s/ledger.turn", dir);
  return ca_store_open_file(dir, path);
}

/* The ledger stores no secret, so freed pages need no zeroing. */
static const char settings[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA fullfsync=ON;" /* macOS only */
                               "PRAGMA secure_delete=OFF;"
                               "PRAGMA trusted_schema=OFF;"
                               "PRAGMA cache_size=-1280;"; /* KiB */

/* SQLite reads and writes whole pages, each by a system call: with its usual
   4 KB, 20,000 changes took 8,300 of them instead of 4,700. */
static const char new_file[] = "PRAGMA page_size=8192;"
                               "PRAGMA auto_vacuum=NONE;";

static int configure(sqlite3 *db)
{
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, poll_lock, NULL);
  return sqlite3_exec(db, settings, NULL, NULL, NULL);
}

static int is_wal(void *ctx, int count, char **values, char **names)
{
  (void)names;
  *(bool *)ctx = count == 1 && values[0] && !strcmp(values[0], "wal");
  return 0;
}

/* When two processes open a new file, one of them gets SQLITE_BUSY at once:
   SQLite does not call the busy handler for a connection that holds a read
   lock. */
static int make_wal(struct ca_ledger *ledger, bool *wal)
{
  int64_t began_ms = ca_clock_mono_ms(ledger->clock);
  int rc;

  while((rc = sqlite3_exec(ledger->db, "PRAGMA journal_mode=WAL", is_wal, wal,
                           NULL)) != SQLITE_OK) {
    if((rc & 0xFF) != SQLITE_BUSY ||
       ca_clock_mono_ms(ledger->clock) - began_ms >= CA_SQLITE_BUSY_MS)
      break;
    pause_a_little();
  }
  return rc;
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
  /* detect a file that is no ledger before changing its journal mode */
  if(!rc)
    rc = ca_ledger_schema_read(ledger->db, &version, &tables);
  if(rc)
    return ca_sqlite_fail(ledger->db, ledger->path, rc, err);
  code = ca_ledger_schema_check(ledger->path, version, tables, err);
  if(code)
    return code;
  if(!version)
    rc = sqlite3_exec(ledger->db, new_file, NULL, NULL, NULL);
  if(!rc)
    rc = make_wal(ledger, &wal);
  if(rc)
    return ca_sqlite_fail(ledger->db, ledger->path, rc, err);
  if(!wal)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s cannot keep a write-ahead log on this "
                      "file system: give a state directory on a local disk",
                      ledger->path);
  return ca_ledger_schema_make(ledger->db, ledger->path, err);
}

static enum ca_code name_file(struct ca_ledger *ledger, const char *dir,
                              struct ca_err *err)
{
  size_t size = strlen(dir) + sizeof("/ledger.db");

  ledger->path = malloc(size);
  if(!ledger->path)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  snprintf(ledger->path, size, "%s/ledger.db", dir);
  return CA_OK;
}

enum ca_code ca_store_open(struct ca_ledger *ledger, const char *dir,
                           struct ca_err *err)
{
  char real[PATH_MAX];
  enum ca_code code = ca_store_make_dir(dir, err);

  if(code)
    return code;
  /* symbolic links in the directory's path belong to the user; the file
     itself must not be one */
  if(!realpath(dir, real))
    return dir_fail(dir, err);
  code = name_file(ledger, real, err);
  if(!code)
    code = make_file(real, ledger->path, err);
  if(!code)
    ledger->write_queue = open_queue(real);
  if(!code)
    code = open_database(ledger, err);
  if(!code)
    share_log(ledger, real);
  return code;
}

/* Opening read-only. */

static enum ca_code read_fail(const char *what, int cause, struct ca_err *err)
{
  return ca_err_set(err, CA_SYSTEM,
                    "cannot read %s: %s; make it readable or give another "
                    "state directory",
                    what, strerror(cause));
}

/* Makes a URI for SQLite, with all special characters of the path escaped. */
static enum ca_code make_uri(struct ca_buf *uri, const char *path)
{
  enum ca_code code = ca_buf_add_text(uri, "file:");

  for(; !code && *path; path++) {
    struct ca_slice one = { path, 1 };
    code = *path == '/' ? ca_buf_add_text(uri, "/")
                        : ca_text_encode_query(uri, one);
  }
  return code ? code : ca_buf_add_text(uri, "?immutable=1");
}

/* Opens the file as immutable. SQLite cannot read a WAL that it may not
   open for writing. When there is no WAL, the database file alone is
   complete: a copy, or on a read-only medium. */
static int open_still(struct ca_ledger *ledger)
{
  struct ca_buf uri;
  struct ca_buf log;
  struct stat info;
  int rc = SQLITE_NOMEM;

  ca_buf_init(&uri, 3 * PATH_MAX + 64);
  ca_buf_init(&log, PATH_MAX + 64);
  if(!ca_buf_printf(&log, "%s-wal", ledger->path) &&
     !make_uri(&uri, ledger->path)) {
    bool has_log = !stat(ca_buf_text(&log), &info) && info.st_size;
    rc = has_log
             ? SQLITE_CANTOPEN
             : sqlite3_open_v2(ca_buf_text(&uri), &ledger->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
                                   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                               NULL);
  }
  ca_buf_clear(&uri);
  ca_buf_clear(&log);
  return rc;
}

static int read_version(struct ca_ledger *ledger, int *version, int *tables)
{
  int rc = configure(ledger->db);

  return rc ? rc : ca_ledger_schema_read(ledger->db, version, tables);
}

static bool may_not_write(int rc)
{
  return (rc & 0xFF) == SQLITE_CANTOPEN || (rc & 0xFF) == SQLITE_READONLY;
}

/* Opens for writing if allowed, although nothing is written: SQLite can
   then read the WAL, which has the latest rows. */
static int open_file_readonly(struct ca_ledger *ledger, int *version,
                              int *tables)
{
  int rc = sqlite3_open_v2(ledger->path, &ledger->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                               SQLITE_OPEN_NOFOLLOW,
                           NULL);
  if(!rc)
    rc = read_version(ledger, version, tables);
  if(!may_not_write(rc))
    return rc;
  sqlite3_close(ledger->db);
  ledger->db = NULL;
  rc = open_still(ledger);
  return rc ? rc : read_version(ledger, version, tables);
}

static enum ca_code open_existing(struct ca_ledger *ledger, bool *found,
                                  struct ca_err *err)
{
  int version = 0;
  int tables = 0;
  enum ca_code code;
  int rc = open_file_readonly(ledger, &version, &tables);

  if(may_not_write(rc))
    return ca_err_set(err, CA_SYSTEM,
                      "cannot read the ledger %s: it has a write-ahead log, "
                      "which SQLite can read only if both files and their "
                      "directory are writable; make them writable, or copy "
                      "the files into a directory of your own",
                      ledger->path);
  if(rc)
    return ca_sqlite_fail(ledger->db, ledger->path, rc, err);
  code = ca_ledger_schema_check(ledger->path, version, tables, err);
  *found = !code && version; /* 0: its tables are not made yet */
  if(!*found)
    return code;
  rc = ca_ledger_schema_view(ledger->db, version);
  return rc ? ca_sqlite_fail(ledger->db, ledger->path, rc, err) : CA_OK;
}

enum ca_code ca_store_open_readonly(struct ca_ledger *ledger, const char *dir,
                                    bool *found, struct ca_err *err)
{
  char real[PATH_MAX];
  struct stat info;
  enum ca_code code;

  *found = false;
  if(stat(dir, &info))
    return errno == ENOENT ? CA_OK : read_fail(dir, errno, err);
  code = check_dir(dir, &info, err);
  if(code)
    return code;
  if(!realpath(dir, real))
    return read_fail(dir, errno, err);
  code = name_file(ledger, real, err);
  if(code)
    return code;
  if(lstat(ledger->path, &info))
    return errno == ENOENT ? CA_OK : read_fail(ledger->path, errno, err);
  code = check_file(ledger->path, &info, err);
  if(!code && access(ledger->path, R_OK))
    code = read_fail(ledger->path, errno, err);
  if(!code)
    code = open_existing(ledger, found, err);
  if(!code)
    share_log(ledger, real);
  return code;
}
