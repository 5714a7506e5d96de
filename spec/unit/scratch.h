/* A directory of a test's own, and questions to a database in it by a second
   connection, which sees only what was committed. Knows nothing of ledgers. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_dir[4096];

/* Makes it, open to its owner alone. */
static inline void scratch_make(void)
{
  const char *tmp = getenv("TMPDIR");
  snprintf(scratch_dir, sizeof(scratch_dir), "%s/ca-unit-XXXXXX",
           tmp && *tmp ? tmp : "/tmp");
  if(!mkdtemp(scratch_dir)) {
    perror(scratch_dir);
    exit(2);
  }
}

/* A path inside; static storage, four at a time. */
static inline const char *scratch_path(const char *name)
{
  static char paths[4][4608];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s/%s", scratch_dir, name);
  return path;
}

static inline int scratch_unlink(const char *path, const struct stat *info,
                                 int type, struct FTW *where)
{
  (void)info;
  (void)type;
  (void)where;
  return remove(path);
}

static inline void scratch_remove(void)
{
  nftw(scratch_dir, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* Mode bits, -1 when there is no such file. */
static inline int scratch_mode(const char *name)
{
  struct stat info;
  return lstat(scratch_path(name), &info) ? -1 : (int)(info.st_mode & 07777);
}

/* The first column of the first row as text, "" when there is none; static
   storage. */
static inline const char *scratch_ask(const char *file, const char *sql)
{
  static char answer[1024];
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;

  answer[0] = '\0';
  if(!sqlite3_open_v2(scratch_path(file), &db, SQLITE_OPEN_READWRITE, NULL) &&
     !sqlite3_busy_timeout(db, 5000) &&
     !sqlite3_prepare_v2(db, sql, -1, &statement, NULL) &&
     sqlite3_step(statement) == SQLITE_ROW &&
     sqlite3_column_text(statement, 0))
    snprintf(answer, sizeof(answer), "%s", sqlite3_column_text(statement, 0));
  else if(!statement)
    snprintf(answer, sizeof(answer), "error: %s", sqlite3_errmsg(db));
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return answer;
}

static inline long long scratch_count(const char *file, const char *sql)
{
  return strtoll(scratch_ask(file, sql), NULL, 10);
}

/* Statements without answer; exits the test when one fails. */
static inline void scratch_do(const char *file, const char *sql)
{
  sqlite3 *db = NULL;
  char *message = NULL;

  if(sqlite3_open(scratch_path(file), &db) ||
     sqlite3_exec(db, sql, NULL, NULL, &message)) {
    printf("%s: %s\n", sql, message ? message : sqlite3_errmsg(db));
    exit(2);
  }
  sqlite3_close(db);
}

#endif
