/* Reports: CSV files for people. While a run lasts, its rows are in
   FILE.partial, which names the run and the item of each row; at a good end
   the whole replaces FILE, unless that is a later report of another run.
   Must not know: accounts, what rows mean. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/os_sync.h"
#include "job/report.h"
#include "job/run_private.h"
#include "ledger/run_verdict.h"
#include "module/error.h"
#include "module/table.h"

#define REPORT_CLASS "composio.host.report"
#define LIST_CLASS   "composio.host.reports"
#define UNKNOWN      "unknown" /* owner of a file that is not ours */
#define PATH_SIZE    1024
#define COPY         16384

/* A line of the partial file: the item's number, what is known of its link,
   and the line of the report. */
enum link { NO_LINK, HAS_LINK, LOST_LINK };
struct row {
  int64_t item; /* 0: it belongs to none */
  int64_t at;   /* where the report's line begins */
  size_t len;
  size_t place; /* among all rows */
  enum link link;
  bool earlier; /* written by an earlier session */
  bool dropped; /* this session has a newer one */
  bool chosen;  /* it goes into the report */
};

struct report {
  struct report *next;
  char path[PATH_SIZE - 128];
  char partial[PATH_SIZE];
  char
      moved_to[PATH_SIZE]; /* where another run's rows are now, not yet told */
  FILE *file;              /* NULL in a preview */
  bool published;          /* the target has all rows */
  bool direct;  /* the target is no regular file: rows are written to it */
  bool live;    /* live: rows are appended to the target itself */
  bool busy;    /* another run holds the partial file */
  int64_t size; /* of the partial file */
  struct row *rows;
  size_t count;
  size_t allocated;
  struct ca_slice header; /* owned */
  struct ca_err err;      /* the first failure */
};

/* All reports of a Lua state; they live until the run ends. */
struct reports {
  struct report *first;
  struct report *finished;
};
static const char reports_key;

static struct reports *reports_of(lua_State *L)
{
  struct reports *reports;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &reports_key);
  reports = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return reports;
}

/* The partial file stays; what becomes of it is lca_report_finish's. */
static void free_report(struct report *report)
{
  if(report->file)
    (void)fclose(report->file);
  free((char *)report->header.data);
  free(report->rows);
  free(report);
}

static void free_list(struct report *report)
{
  while(report) {
    struct report *next = report->next;
    free_report(report);
    report = next;
  }
}

static int free_reports(lua_State *L)
{
  struct reports *reports = lua_touserdata(L, 1);
  free_list(reports->first);
  free_list(reports->finished);
  reports->first = reports->finished = NULL;
  return 0;
}

/* ---- rows ---- */

static void fail(struct report *report, const char *what)
{
  if(!report->err.code)
    ca_err_set(&report->err, CA_SYSTEM, "the report %s cannot be %s: %s",
               report->path, what, strerror(errno));
}

static void add_row(struct report *report, const struct row *row)
{
  struct row *rows = ca_buf_grow(report->rows, report->count,
                                 &report->allocated, sizeof(*rows));
  if(!rows) {
    errno = ENOMEM;
    fail(report, "written");
    return;
  }
  report->rows = rows;
  rows[report->count] = *row;
  rows[report->count].place = report->count;
  report->count++;
}

static void put(struct report *report, struct ca_slice text)
{
  if(fwrite(text.data, 1, text.len, report->file) != text.len)
    fail(report, "written");
  report->size += (int64_t)text.len;
}

/* Writes the row and flushes it, so that a kill loses no link in it. */
static void put_row(struct report *report, int64_t item, enum link link,
                    struct ca_slice line)
{
  struct row row = { .item = item, .len = line.len, .link = link };
  char prefix[40];
  if(!report->direct) {
    snprintf(prefix, sizeof(prefix), "%lld,%d,", (long long)item, (int)link);
    put(report, ca_slice_of(prefix));
  }
  row.at = report->size;
  put(report, line);
  if(fflush(report->file))
    fail(report, "written");
  if(!report->err.code)
    add_row(report, &row);
}

/* Reads a line of the partial file that begins at `at`, ends before `end` and
   whose first bytes are `start`. */
static void read_row(struct report *report, const char *start, int64_t at,
                     int64_t end)
{
  struct row row = { .earlier = true };
  char *rest;
  row.item = strtoll(start, &rest, 10);
  if(rest == start || rest[0] != ',' || !rest[1] || rest[2] != ',')
    return;
  row.link = rest[1] == '1' ? HAS_LINK : rest[1] == '2' ? LOST_LINK : NO_LINK;
  row.at = at + (rest + 3 - start);
  row.len = (size_t)(end - row.at);
  add_row(report, &row);
}

/* Drops rows of items whose plan was not sealed: that plan is made again,
   so their numbers may belong to other items. */
static void forget_unplanned(struct report *report, struct ca_ledger *ledger)
{
  struct ca_item item;
  struct ca_err err;
  size_t i;
  size_t used = 0;
  for(i = 0; i < report->count; i++) {
    ca_err_clear(&err);
    if(report->rows[i].item && ledger &&
       ca_read_item(ledger, report->rows[i].item, &item, &err) == CA_USAGE)
      continue;
    report->rows[used] = report->rows[i];
    report->rows[used].place = used;
    used++;
  }
  report->count = used;
}

/* Where a reader of rows is: within quotes, and behind which byte. */
struct position {
  bool quoted;
  int before;
};

/* Goes on by one byte. Is it the line end of a row? A quote counts where a
   cell begins, or after one that ended it. */
static bool ends_row(struct position *position, int byte)
{
  int before = position->before;
  bool counts = byte == '"' && (position->quoted || before == ',' ||
                                before == '\n' || before == '"');
  position->quoted ^= counts;
  position->before = byte == '"' && !counts ? 0 : byte;
  return byte == '\n' && !position->quoted;
}

/* Reads the rows of an earlier session. A line that a kill has cut is cut
   off. */
static void read_rows(struct report *report, struct ca_ledger *ledger)
{
  char start[48];
  size_t used = 0;
  int64_t at = 0;
  int64_t end = 0;
  struct position position = { .before = '\n' };
  int c;
  rewind(report->file);
  while((c = getc(report->file)) != EOF) {
    if(used < sizeof(start) - 1)
      start[used++] = (char)c;
    end++;
    if(!ends_row(&position, c))
      continue;
    start[used] = '\0';
    if(at) /* the first line is the header */
      read_row(report, start, at, end);
    at = end;
    used = 0;
  }
  if(ferror(report->file) || ftruncate(fileno(report->file), at) ||
     fseek(report->file, 0, SEEK_END))
    fail(report, "read");
  report->size = at;
  forget_unplanned(report, ledger);
}

/* ---- the partial file ---- */

/* Gives the partial file of another run its run's name. The file is locked by
   this process, so that run has ended. */
static void rename_former(struct report *report, const char *owner)
{
  char *name = report->moved_to;
  struct stat info;
  int n = 1;
  snprintf(name, PATH_SIZE, "%s.%.80s.partial", report->path, owner);
  while(!lstat(name, &info) && n < 100)
    snprintf(name, PATH_SIZE, "%s.%.80s.%d.partial", report->path, owner, ++n);
  if(rename(report->partial, name)) {
    fail(report, "written");
    *name = '\0';
  }
}

/* Warns once that another run's rows have another name now. */
static void report_former(lua_State *L, struct report *report)
{
  const struct lca_run_options *options = &lca_run_of(L)->options;
  char line[3 * PATH_SIZE];
  if(!report->moved_to[0])
    return;
  snprintf(line, sizeof(line),
           "report: rows of run %.*s were left in %s: they are now in %s",
           (int)strcspn(report->moved_to + strlen(report->path) + 1, "."),
           report->moved_to + strlen(report->path) + 1, report->partial,
           report->moved_to);
  report->moved_to[0] = '\0';
  options->warn(options->ctx, line);
}

/* Reads whose partial file it is: the first cell. False when it is empty. */
static bool read_owner(struct report *report, char *owner, size_t size)
{
  size_t len;
  rewind(report->file);
  len = fread(owner, 1, size - 1, report->file);
  (void)fseek(report->file, 0, SEEK_END);
  owner[len] = '\0';
  owner[strcspn(owner, ",\r\n")] = '\0';
  if(!owner[0] || owner[strspn(owner, "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_")])
    ca_text_copy(owner, size, UNKNOWN);
  return len > 0;
}

/* Is there anything behind the header? */
static bool has_rows(struct report *report)
{
  int c;
  rewind(report->file);
  do
    c = getc(report->file);
  while(c != EOF && c != '\n');
  return getc(report->file) != EOF;
}

/* Opens the partial file and locks it. False: it was renamed at that moment,
   or there is an error. */
static bool open_locked(struct report *report)
{
  struct stat mine;
  struct stat there;
  int fd = open(report->partial,
                O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  report->file = fd >= 0 ? fdopen(fd, "a+") : NULL;
  if(!report->file) {
    fail(report, "written");
    if(fd >= 0)
      close(fd);
    return false;
  }
  if(flock(fd, LOCK_EX | LOCK_NB)) {
    report->busy = errno == EWOULDBLOCK;
    if(report->busy)
      ca_err_set(&report->err, CA_SYSTEM, "another run writes the report %s",
                 report->path);
    fail(report, "locked");
    return false;
  }
  return !fstat(fd, &mine) && !stat(report->partial, &there) &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

static void begin_partial(struct report *report, const char *run)
{
  report->size = 0;
  put(report, ca_slice_of(run));
  put(report, ca_slice_of(",link,"));
  put(report, report->header);
  if(fflush(report->file))
    fail(report, "written");
}

/* Has that run ended with all its rows in its report? Then only its `resume
   --failed` would still read them here. */
static bool is_over(struct ca_ledger *ledger, const char *owner)
{
  struct ca_run_filter filter = { .name = owner, .limit = 1 };
  struct ca_query query;
  struct ca_run_row run;
  struct ca_err err;
  bool over;
  if(!ledger)
    return false;
  ca_err_clear(&err);
  ca_history_open_runs(&query, ledger, &filter, &err);
  over =
      ca_history_next_run(&query, &run) && ca_run_verdict_is_finished(&run, 0);
  return !ca_history_close(&query) && over;
}

/* Opens the partial file for this run: continues its own, renames that of
   another run unless that run needs it no longer, or creates one. */
static void open_partial(struct report *report, const char *run,
                         struct ca_ledger *ledger)
{
  char own[PATH_SIZE];
  char owner[128];
  struct stat info;
  snprintf(report->partial, sizeof(report->partial), "%s.partial",
           report->path);
  snprintf(own, sizeof(own), "%s.%.80s.partial", report->path, run);
  while(!report->err.code) {
    bool good = open_locked(report);
    bool used = good && read_owner(report, owner, sizeof(owner));
    if(used && !strcmp(owner, run)) {
      read_rows(report, ledger);
      return;
    }
    if(good && !used && lstat(own, &info)) {
      begin_partial(report, run);
      return;
    }
    if(used && strcmp(owner, UNKNOWN) != 0 &&
       (!has_rows(report) || is_over(ledger, owner)))
      (void)unlink(report->partial);
    else if(used)
      rename_former(report, owner);
    else if(good && rename(own, report->partial))
      fail(report, "read");
    if(report->file)
      (void)fclose(report->file);
    report->file = NULL;
  }
}

/* Removes the file of that name if it is a partial file of the run. */
static bool remove_partial(struct report *report, const char *name,
                           const char *run)
{
  char owner[128];
  struct stat info;
  bool good = false;
  ca_text_copy(report->partial, sizeof(report->partial), name);
  if(lstat(name, &info) || !S_ISREG(info.st_mode))
    return false;
  if(open_locked(report) && read_owner(report, owner, sizeof(owner)) &&
     !strcmp(owner, run))
    good = !unlink(name);
  if(report->file)
    (void)fclose(report->file);
  report->file = NULL;
  return good;
}

int lca_report_remove(const char *path, const char *run)
{
  struct report report = { 0 };
  char name[PATH_SIZE];
  int count = 0;
  int n;
  ca_text_copy(report.path, sizeof(report.path), path);
  snprintf(name, sizeof(name), "%s.partial", report.path);
  count += remove_partial(&report, name, run);
  for(n = 1; n < 100; n++) { /* names that rename_former gives */
    if(n == 1)
      snprintf(name, sizeof(name), "%s.%.80s.partial", report.path, run);
    else
      snprintf(name, sizeof(name), "%s.%.80s.%d.partial", report.path, run, n);
    if(!remove_partial(&report, name, run))
      break;
    count++;
  }
  return count;
}

/* ---- what the shipped Lua calls ---- */

static struct report *check_report(lua_State *L)
{
  struct report **box = luaL_checkudata(L, 1, REPORT_CLASS);
  if(!*box)
    lca_error_usage(L, "report: the run has ended, no row can be added");
  return *box;
}

/* report:add(line, item, link): adds a row of the item with that number, 0 for
   none; link: 1 if it has one, 2 if nobody received it, else 0. A preview only
   counts it. */
static int report_add(lua_State *L)
{
  struct report *report = check_report(L);
  struct ca_slice line;
  line.data = luaL_checklstring(L, 2, &line.len);
  report_former(L, report);
  if(report->file && !report->err.code)
    put_row(report, luaL_checkinteger(L, 3),
            (enum link)luaL_checkinteger(L, 4), line);
  else if(!report->file)
    report->count++;
  if(report->err.code)
    return lca_error_usage(L, "%s", report->err.text);
  return 0;
}

/* report:links() → a table: of rows outside of items that an earlier session
   wrote with a link, their places and their lines. */
static int report_links(lua_State *L)
{
  struct report *report = check_report(L);
  size_t i;
  lua_newtable(L);
  for(i = 0; report->file && i < report->count; i++) {
    const struct row *row = &report->rows[i];
    luaL_Buffer line;
    char *bytes;
    if(row->item || !row->earlier || row->link != HAS_LINK)
      continue;
    bytes = luaL_buffinitsize(L, &line, row->len);
    if(pread(fileno(report->file), bytes, row->len, row->at) !=
       (ssize_t)row->len) {
      fail(report, "read");
      return lca_error_usage(L, "%s", report->err.text);
    }
    luaL_pushresultsize(&line, row->len);
    lua_rawseti(L, 2, (lua_Integer)i + 1);
  }
  return 1;
}

/* report:drop(place): the row at that place of :links() does not stand in the
   report. */
static int report_drop(lua_State *L)
{
  struct report *report = check_report(L);
  lua_Integer place = luaL_checkinteger(L, 2);
  luaL_argcheck(L, place >= 1 && (size_t)place <= report->count, 2, "no row");
  report->rows[place - 1].dropped = true;
  return 0;
}

/* report:lost() → is a row without a link about to be added outside of items
   one whose link went to an earlier session? Counts it as that. */
static int report_lost(lua_State *L)
{
  struct lca_run *run = lca_run_of(L);
  lua_pushboolean(L, run->lost_links > 0);
  run->lost_links -= run->lost_links > 0;
  return 1;
}

static bool is_file(const char *path)
{
  struct stat info;
  return path && !stat(path, &info) && S_ISREG(info.st_mode);
}

/* report:is_file() → is there a regular file at the path? */
static int report_is_file(lua_State *L)
{
  lua_pushboolean(L, is_file(check_report(L)->path));
  return 1;
}

/* The directory that the path's file is in, as text. */
static void copy_dir(char *dir, size_t size, const char *path)
{
  char *slash;
  ca_text_copy(dir, size, path);
  slash = strrchr(dir, '/');
  if(slash)
    slash[slash == dir] = '\0';
  else
    ca_text_copy(dir, size, ".");
}

/* Do both paths name one entry of one directory? "-" is stdout. */
static bool same_entry(const char *one, const char *other)
{
  char dir[PATH_SIZE];
  struct stat here;
  struct stat there;
  const char *name = strrchr(one, '/');
  const char *other_name = strrchr(other, '/');
  if(!strcmp(one, other))
    return true;
  if(!strcmp(one, "-") || !strcmp(other, "-") ||
     strcmp(name ? name + 1 : one, other_name ? other_name + 1 : other) != 0)
    return false;
  copy_dir(dir, sizeof(dir), one);
  if(stat(dir, &here))
    return false;
  copy_dir(dir, sizeof(dir), other);
  return !stat(dir, &there) && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

static bool is_open(const struct reports *reports, const char *path)
{
  const struct report *report;
  for(report = reports->first; report; report = report->next)
    if(same_entry(report->path, path))
      return true;
  return false;
}

/* Opens a target that is no regular file. A FIFO that nobody reads is refused
   instead of waited for. */
static void open_direct(struct report *report)
{
  int fd = !strcmp(report->path, "-")
               ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
               : open(report->path,
                      O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
  if(flags >= 0 && strcmp(report->path, "-") != 0)
    (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  report->file = fd >= 0 ? fdopen(fd, "a") : NULL;
  if(!report->file) {
    fail(report,
         errno == ENXIO ? "written, since nobody reads it" : "written");
    if(fd >= 0)
      close(fd);
    return;
  }
  put(report, report->header);
  if(fflush(report->file))
    fail(report, "written");
}

/* Does the file begin with the report's header? */
static bool has_header(struct report *report, int fd)
{
  char bytes[COPY];
  size_t len = report->header.len;
  return len <= sizeof(bytes) && pread(fd, bytes, len, 0) == (ssize_t)len &&
         !memcmp(bytes, report->header.data, len);
}

/* Removes an incomplete last row, which a kill has left. */
static bool cut_tail(int fd, off_t size)
{
  struct position position = { .before = '\n' };
  char bytes[COPY];
  off_t whole = 0;
  off_t at = 0;
  while(at < size) {
    ssize_t got = pread(fd, bytes, sizeof(bytes), at);
    ssize_t i;
    if(got <= 0)
      return false;
    for(i = 0; i < got; i++)
      if(ends_row(&position, bytes[i]))
        whole = at + i + 1;
    at += got;
  }
  return whole == size || !ftruncate(fd, whole);
}

/* Refuses a live report whose file has other columns. */
static void check_header(struct report *report, int fd, off_t size)
{
  if(size && !has_header(report, fd))
    ca_err_set(&report->err, CA_USAGE,
               "the report %s has other columns: give another file",
               report->path);
}

/* Opens a live report: its rows are appended to FILE itself. */
static void open_live(struct report *report)
{
  struct stat info;
  int fd = open(report->path,
                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  report->file = fd >= 0 ? fdopen(fd, "a") : NULL;
  if(!report->file || fstat(fd, &info)) {
    fail(report, "written");
    if(fd >= 0 && !report->file)
      close(fd);
    return;
  }
  if(flock(fd, LOCK_EX | LOCK_NB)) {
    report->busy = errno == EWOULDBLOCK;
    ca_err_set(&report->err, CA_SYSTEM, "another run writes the report %s",
               report->path);
    return;
  }
  check_header(report, fd, info.st_size);
  if(!report->err.code && !info.st_size) {
    put(report, report->header);
    if(fflush(report->file))
      fail(report, "written");
  } else if(!report->err.code && !cut_tail(fd, info.st_size))
    fail(report, "written");
}

/* Checks the target before any request is made, in a preview, too. */
static void check_target(struct report *report)
{
  char dir[PATH_SIZE];
  struct stat info;
  report->direct = !strcmp(report->path, "-");
  if(report->direct)
    return;
  if(!stat(report->path, &info) && !S_ISREG(info.st_mode)) {
    report->direct = true;
    if(S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      fail(report, "written");
    } else if(access(report->path, W_OK))
      fail(report, "written");
    return;
  }
  copy_dir(dir, sizeof(dir), report->path);
  if(access(dir, W_OK | X_OK))
    fail(report, "written");
  if(report->live && !report->err.code && !stat(report->path, &info)) {
    int fd = open(report->path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if(fd < 0)
      fail(report, "written");
    else
      check_header(report, fd, info.st_size);
    if(fd >= 0)
      close(fd);
  }
}

/* Does this run write reports? A job that may only read does so without
   --apply. */
static bool writes(const struct lca_run *run)
{
  return run->options.apply || (run->stats.job_seen && run->may == CA_READ);
}

static void open_report(lua_State *L, struct report *report)
{
  struct lca_run *run = lca_run_of(L);
  char name[40];
  check_target(report);
  if(report->err.code || !writes(run))
    return;
  if(report->live && !report->direct) {
    report->direct = true;
    open_live(report);
  } else if(report->direct)
    open_direct(report);
  else if(run->options.apply) {
    lca_run_begin(L, run);
    if(ca_run_note_report(run->ledger, report->path, &report->err))
      return;
    open_partial(report, run->options.run_id, run->ledger);
  } else {
    snprintf(name, sizeof(name), "read-%lld-%lld", (long long)getpid(),
             (long long)ca_clock_wall_ms(
                 ca_clock_system())); /* ids of processes come again */
    open_partial(report, name, NULL);
  }
}

/* report(path, header, live) → an object with :add */
static int report_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct reports *reports = reports_of(L);
  struct report **box;
  struct report *report;
  bool busy;
  size_t len;
  const char *header = luaL_checklstring(L, 2, &len);
  char *copy;
  lua_settop(L, 3);
  if(strlen(path) >= sizeof(report->path))
    return lca_error_usage(L, "composio.report: the path is too long");
  if(is_open(reports, path))
    return lca_error_usage(
        L, "composio.report: %s is already the file of another report", path);
  box = lua_newuserdatauv(L, sizeof(struct report *), 0);
  *box = NULL;
  luaL_setmetatable(L, REPORT_CLASS);
  report = calloc(1, sizeof(*report));
  if(!report)
    return luaL_error(L, "out of memory");
  report->live = lua_toboolean(L, 3);
  report->next = reports->first;
  reports->first = report;
  *box = report;
  ca_text_copy(report->path, sizeof(report->path), path);
  copy = malloc(len); /* strdup would stop at a null byte in it */
  if(!copy)
    return luaL_error(L, "out of memory");
  memcpy(copy, header, len);
  report->header.data = copy;
  report->header.len = len;
  open_report(L, report);
  if(!report->err.code)
    return 1;
  lua_pushstring(L, report->err.text);
  reports->first = report->next;
  *box = NULL;
  busy = report->busy;
  report_former(L, report);
  free_report(report); /* the partial file of another run is not this one's */
  if(busy)
    return lca_run_stop(L, LCA_STOP_BUSY, "%s", lua_tostring(L, -1));
  return lca_error_usage(L, "%s", lua_tostring(L, -1));
}

/* ---- the end ---- */

static int by_item(const void *a, const void *b)
{
  const struct row *one = a;
  const struct row *other = b;
  if(one->item != other->item)
    return one->item < other->item ? -1 : 1;
  return one->place < other->place ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
  const struct row *one = a;
  const struct row *other = b;
  return one->place < other->place ? -1 : 1;
}

/* Chooses what stands in the report: of each item its newest row with a link,
   else its newest row. Rows without an item are made again by each session,
   but for those whose link only an earlier one received. */
static void choose(struct report *report)
{
  size_t i;
  size_t best = 0;
  if(!report->count)
    return;
  qsort(report->rows, report->count, sizeof(*report->rows), by_item);
  for(i = 0; i < report->count; i++) {
    struct row *row = &report->rows[i];
    bool first = !i || row->item != row[-1].item;
    bool last = i + 1 == report->count || row->item != row[1].item;
    if(!row->item) {
      row->chosen = !row->earlier || (row->link == HAS_LINK && !row->dropped);
      continue;
    }
    if(first || row->link == HAS_LINK || report->rows[best].link != HAS_LINK)
      best = i;
    if(last)
      report->rows[best].chosen = true;
  }
  qsort(report->rows, report->count, sizeof(*report->rows), by_place);
}

static bool copy_row(struct report *report, const struct row *row, FILE *to)
{
  char bytes[COPY];
  size_t done = 0;
  while(done < row->len) {
    size_t want = row->len - done < COPY ? row->len - done : COPY;
    ssize_t got =
        pread(fileno(report->file), bytes, want, row->at + (int64_t)done);
    if(got <= 0 || fwrite(bytes, 1, (size_t)got, to) != (size_t)got)
      return false;
    done += (size_t)got;
  }
  return true;
}

/* Writes the chosen rows to the file and syncs it. */
static bool write_whole(struct report *report, FILE *to,
                        struct lca_report_end *end)
{
  const struct ca_slice *header = &report->header;
  bool good = fwrite(header->data, 1, header->len, to) == header->len;
  size_t i;
  for(i = 0; good && i < report->count; i++)
    if(report->rows[i].chosen) {
      good = copy_row(report, &report->rows[i], to);
      end->rows++;
      end->lost += report->rows[i].link == LOST_LINK;
    }
  return good && !fflush(to) && !ca_os_sync(fileno(to));
}

/* Was the file written at that time by another than this run: after the run
   began, but in none of its ended sessions? Also true when the ledger cannot
   say it. A run that was not resumed replaces whatever is there. */
static bool is_anothers(const struct lca_run *run, int64_t written_ms)
{
  struct ca_query query;
  struct ca_session session;
  struct ca_err err;
  bool anothers = true;
  int count = 0;
  ca_err_clear(&err);
  ca_history_open_sessions(&query, run->ledger, run->options.run_id, &err);
  while(ca_history_next_session(&query, &session)) {
    bool later = written_ms >= session.began_ms;
    if(!count++ && !later)
      anothers = false;
    if(later && session.ended_ms && written_ms <= session.ended_ms)
      anothers = false;
  }
  return ca_history_close(&query) || (anothers && count > 1);
}

/* Writes the path the whole goes to: FILE, or, where that is a later report of
   another, a name of this run's own beside it: n.csv becomes n.RUN.csv. */
static void choose_target(lua_State *L, const struct report *report,
                          struct lca_report_end *end)
{
  const struct lca_run *run = lca_run_of(L);
  const char *base = strrchr(report->path, '/');
  const char *dot = strrchr(base ? base + 1 : report->path, '.');
  size_t stem = dot ? (size_t)(dot - report->path) : strlen(report->path);
  struct stat info;
  if(!run->options.replay.on || stat(report->path, &info) ||
     !is_anothers(run, (int64_t)info.st_mtim.tv_sec * 1000 +
                           info.st_mtim.tv_nsec / 1000000))
    return;
  ca_text_copy(end->left, sizeof(end->left), report->path);
  snprintf(end->path, sizeof(end->path), "%.*s.%.80s%s", (int)stem,
           report->path, run->options.run_id, report->path + stem);
}

/* Puts the whole into place. */
static void publish(lua_State *L, struct report *report,
                    struct lca_report_end *end)
{
  char name[PATH_SIZE];
  FILE *to;
  int fd;
  choose_target(L, report, end);
  snprintf(name, sizeof(name), "%s.XXXXXX", report->path);
  choose(report);
  fd = mkstemp(name); /* mode 0600 */
  to = fd >= 0 ? fdopen(fd, "w") : NULL;
  if(!to || !write_whole(report, to, end))
    fail(report, "written");
  if(to && fclose(to))
    fail(report, "written");
  if(!report->err.code && rename(name, end->path))
    fail(report, "renamed into place");
  if(report->err.code && fd >= 0)
    (void)unlink(name);
  end->written = !report->err.code;
}

bool lca_report_finish(lua_State *L, bool whole, struct lca_report_end *end)
{
  struct reports *reports = reports_of(L);
  struct report **at = &reports->first;
  struct report *report;
  size_t i;
  memset(end, 0, sizeof(*end));
  if(!*at)
    return false;
  while((*at)->next) /* the oldest first */
    at = &(*at)->next;
  report = *at;
  *at = NULL;
  report->next = reports->finished;
  reports->finished = report;
  ca_text_copy(end->path, sizeof(end->path), report->path);
  end->previewed = !report->file;
  end->rows = report->direct || !report->file ? (int64_t)report->count : 0;
  for(i = 0; report->direct && i < report->count && report->file; i++)
    end->lost += report->rows[i].link == LOST_LINK;
  if(report->direct)
    end->written = report->file && !report->err.code;
  else if(report->file && whole)
    publish(L, report, end);
  report->published = end->written;
  if(report->file && !report->direct && !end->written && report->count)
    ca_text_copy(end->partial, sizeof(end->partial), report->partial);
  end->err = report->err;
  return true;
}

void lca_report_drop(lua_State *L, bool ended)
{
  struct report *report;
  for(report = reports_of(L)->finished; report; report = report->next) {
    bool unused = report->file && !report->published && !report->count;
    if(unused && report->moved_to[0] &&
       !rename(report->moved_to, report->partial))
      report->moved_to[0] = '\0';
    else if(report->file && !report->direct &&
            ((ended && report->published) || !report->count))
      (void)unlink(report->partial);
    report_former(L, report);
  }
}

void lca_report_open(lua_State *L)
{
  static const luaL_Reg methods[] = {
    { "add", report_add },         { "links", report_links },
    { "drop", report_drop },       { "lost", report_lost },
    { "is_file", report_is_file }, { NULL, NULL }
  };
  struct reports *reports = lua_newuserdatauv(L, sizeof(*reports), 0);
  reports->first = reports->finished = NULL;
  lca_table_owner_class(L, LIST_CLASS, free_reports);
  luaL_setmetatable(L, LIST_CLASS);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &reports_key);
  lca_table_class(L, REPORT_CLASS, NULL, methods);
  lua_pushcfunction(L, report_new);
  lua_setfield(L, -2, "report");
}
