/* The partial file: FILE.partial names the run and the item of each row, so
   that resume goes on in it, and another run does not.
   Must not know: how rows are chosen, what they mean. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/text.h"
#include "job/report.h"
#include "job/report_private.h"
#include "ledger/run_verdict.h"

#define UNKNOWN "unknown" /* owner of a file that is not ours */

/* ---- rows of an earlier session ---- */

/* Reads a line of the partial file that begins at `at`, ends before `end` and
   whose first bytes are `start`. */
static void read_row(struct lca_report *report, const char *start, int64_t at,
                     int64_t end)
{
  struct lca_report_row row = { .earlier = true };
  char *rest;
  row.item = strtoll(start, &rest, 10);
  if(rest == start || rest[0] != ',' || !rest[1] || rest[2] != ',')
    return;
  row.link = rest[1] == '1'   ? LCA_REPORT_HAS_LINK
             : rest[1] == '2' ? LCA_REPORT_LOST_LINK
                              : LCA_REPORT_NO_LINK;
  row.at = at + (rest + 3 - start);
  row.len = (size_t)(end - row.at);
  lca_report_file_add_row(report, &row);
}

/* Drops rows of items whose plan was not sealed: that plan is made again,
   so their numbers may belong to other items. */
static void forget_unplanned(struct lca_report *report,
                             struct ca_ledger *ledger)
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

/* Reads the rows of an earlier session. A line that a kill has cut is cut
   off. */
static void read_rows(struct lca_report *report, struct ca_ledger *ledger)
{
  char start[48];
  size_t used = 0;
  int64_t at = 0;
  int64_t end = 0;
  struct lca_report_position position = { .before = '\n' };
  int c;
  rewind(report->file);
  while((c = getc(report->file)) != EOF) {
    if(used < sizeof(start) - 1)
      start[used++] = (char)c;
    end++;
    if(!lca_report_file_ends_row(&position, c))
      continue;
    start[used] = '\0';
    if(at) /* the first line is the header */
      read_row(report, start, at, end);
    at = end;
    used = 0;
  }
  if(ferror(report->file) || ftruncate(fileno(report->file), at) ||
     fseek(report->file, 0, SEEK_END))
    lca_report_file_fail(report, "read");
  report->size = at;
  forget_unplanned(report, ledger);
}

/* ---- the partial file ---- */

/* Gives the partial file of another run its run's name. The file is locked by
   this process, so that run has ended. */
static void rename_former(struct lca_report *report, const char *owner)
{
  char *name = report->moved_to;
  struct stat info;
  int n = 1;
  snprintf(name, LCA_REPORT_PATH_SIZE, "%s.%.80s.partial", report->path,
           owner);
  while(!lstat(name, &info) && n < 100)
    snprintf(name, LCA_REPORT_PATH_SIZE, "%s.%.80s.%d.partial", report->path,
             owner, ++n);
  if(rename(report->partial, name)) {
    lca_report_file_fail(report, "written");
    *name = '\0';
  }
}

/* Reads whose partial file it is: the first cell. False when it is empty. */
static bool read_owner(struct lca_report *report, char *owner, size_t size)
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
static bool has_rows(struct lca_report *report)
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
static bool open_locked(struct lca_report *report)
{
  struct stat mine;
  struct stat there;
  int fd = open(report->partial,
                O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  report->file = fd >= 0 ? fdopen(fd, "a+") : NULL;
  if(!report->file) {
    lca_report_file_fail(report, "written");
    if(fd >= 0)
      close(fd);
    return false;
  }
  if(flock(fd, LOCK_EX | LOCK_NB)) {
    report->busy = errno == EWOULDBLOCK;
    if(report->busy)
      ca_err_set(&report->err, CA_SYSTEM, "another run writes the report %s",
                 report->path);
    lca_report_file_fail(report, "locked");
    return false;
  }
  return !fstat(fd, &mine) && !stat(report->partial, &there) &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

static void begin_partial(struct lca_report *report, const char *run)
{
  report->size = 0;
  lca_report_file_put(report, ca_slice_of(run));
  lca_report_file_put(report, ca_slice_of(",link,"));
  lca_report_file_put(report, report->header);
  if(fflush(report->file))
    lca_report_file_fail(report, "written");
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

void lca_report_partial_open(struct lca_report *report, const char *run,
                             struct ca_ledger *ledger)
{
  char own[LCA_REPORT_PATH_SIZE];
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
      lca_report_file_fail(report, "read");
    if(report->file)
      (void)fclose(report->file);
    report->file = NULL;
  }
}

/* Removes the file of that name if it is a partial file of the run. */
static bool remove_partial(struct lca_report *report, const char *name,
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

int lca_report_partial_remove(const char *path, const char *run)
{
  struct lca_report report = { 0 };
  char name[LCA_REPORT_PATH_SIZE];
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
