/* The file that a report's rows are written to: rows one by one; targets that
   are no regular file, and live reports, which are written to at once.
   Must not know: the ledger, who owns a partial file, what rows mean. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/text.h"
#include "job/report_private.h"

/* ---- rows ---- */

void lca_report_file_fail(struct lca_report *report, const char *what)
{
  if(!report->err.code)
    ca_err_set(&report->err, CA_SYSTEM, "the report %s cannot be %s: %s",
               report->path, what, strerror(errno));
}

void lca_report_file_add_row(struct lca_report *report,
                             const struct lca_report_row *row)
{
  struct lca_report_row *rows = ca_buf_grow(report->rows, report->count,
                                            &report->allocated, sizeof(*rows));
  if(!rows) {
    errno = ENOMEM;
    lca_report_file_fail(report, "written");
    return;
  }
  report->rows = rows;
  rows[report->count] = *row;
  rows[report->count].place = report->count;
  report->count++;
}

void lca_report_file_put(struct lca_report *report, struct ca_slice text)
{
  if(fwrite(text.data, 1, text.len, report->file) != text.len)
    lca_report_file_fail(report, "written");
  report->size += (int64_t)text.len;
}

void lca_report_file_put_row(struct lca_report *report, int64_t item,
                             enum lca_report_link link, struct ca_slice line)
{
  struct lca_report_row row = { .item = item, .len = line.len, .link = link };
  char prefix[40];
  if(!report->direct) {
    snprintf(prefix, sizeof(prefix), "%lld,%d,", (long long)item, (int)link);
    lca_report_file_put(report, ca_slice_of(prefix));
  }
  row.at = report->size;
  lca_report_file_put(report, line);
  if(fflush(report->file))
    lca_report_file_fail(report, "written");
  if(!report->err.code)
    lca_report_file_add_row(report, &row);
}

bool lca_report_file_ends_row(struct lca_report_position *position, int byte)
{
  int before = position->before;
  bool counts = byte == '"' && (position->quoted || before == ',' ||
                                before == '\n' || before == '"');
  position->quoted ^= counts;
  position->before = byte == '"' && !counts ? 0 : byte;
  return byte == '\n' && !position->quoted;
}

/* ---- paths ---- */

bool lca_report_file_is_regular(const char *path)
{
  struct stat info;
  return path && !stat(path, &info) && S_ISREG(info.st_mode);
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

bool lca_report_file_is_same(const char *one, const char *other)
{
  char dir[LCA_REPORT_PATH_SIZE];
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

/* ---- targets ---- */

void lca_report_file_open_direct(struct lca_report *report)
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
    lca_report_file_fail(
        report, errno == ENXIO ? "written, since nobody reads it" : "written");
    if(fd >= 0)
      close(fd);
    return;
  }
  lca_report_file_put(report, report->header);
  if(fflush(report->file))
    lca_report_file_fail(report, "written");
}

/* Does the file begin with the report's header? */
static bool has_header(struct lca_report *report, int fd)
{
  char bytes[LCA_REPORT_COPY];
  size_t len = report->header.len;
  return len <= sizeof(bytes) && pread(fd, bytes, len, 0) == (ssize_t)len &&
         !memcmp(bytes, report->header.data, len);
}

/* Removes an incomplete last row, which a kill has left. */
static bool cut_tail(int fd, off_t size)
{
  struct lca_report_position position = { .before = '\n' };
  char bytes[LCA_REPORT_COPY];
  off_t whole = 0;
  off_t at = 0;
  while(at < size) {
    ssize_t got = pread(fd, bytes, sizeof(bytes), at);
    ssize_t i;
    if(got <= 0)
      return false;
    for(i = 0; i < got; i++)
      if(lca_report_file_ends_row(&position, bytes[i]))
        whole = at + i + 1;
    at += got;
  }
  return whole == size || !ftruncate(fd, whole);
}

/* Refuses a live report whose file has other columns. */
static void check_header(struct lca_report *report, int fd, off_t size)
{
  if(size && !has_header(report, fd))
    ca_err_set(&report->err, CA_USAGE,
               "the report %s has other columns: give another file",
               report->path);
}

void lca_report_file_open_live(struct lca_report *report)
{
  struct stat info;
  int fd = open(report->path,
                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  report->file = fd >= 0 ? fdopen(fd, "a") : NULL;
  if(!report->file || fstat(fd, &info)) {
    lca_report_file_fail(report, "written");
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
    lca_report_file_put(report, report->header);
    if(fflush(report->file))
      lca_report_file_fail(report, "written");
  } else if(!report->err.code && !cut_tail(fd, info.st_size))
    lca_report_file_fail(report, "written");
}

void lca_report_file_check(struct lca_report *report)
{
  char dir[LCA_REPORT_PATH_SIZE];
  struct stat info;
  report->direct = !strcmp(report->path, "-");
  if(report->direct)
    return;
  if(!stat(report->path, &info) && !S_ISREG(info.st_mode)) {
    report->direct = true;
    if(S_ISDIR(info.st_mode)) {
      errno = EISDIR;
      lca_report_file_fail(report, "written");
    } else if(access(report->path, W_OK))
      lca_report_file_fail(report, "written");
    return;
  }
  copy_dir(dir, sizeof(dir), report->path);
  if(access(dir, W_OK | X_OK))
    lca_report_file_fail(report, "written");
  if(report->live && !report->err.code && !stat(report->path, &info)) {
    int fd = open(report->path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if(fd < 0)
      lca_report_file_fail(report, "written");
    else
      check_header(report, fd, info.st_size);
    if(fd >= 0)
      close(fd);
  }
}
