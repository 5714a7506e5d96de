/* Reports: writes the lines of CSV files and renames the files into place.
   Must not know: accounts, the ledger. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lauxlib.h>
#include "base/digest.h"
#include "base/text.h"
#include "base/os_sync.h"
#include "job/report.h"
#include "module/error.h"
#include "module/table.h"

#define REPORT_CLASS "composio.host.report"
#define LIST_CLASS   "composio.host.reports"

struct report {
  struct report *next;
  char *path;
  char *temporary; /* NULL in a preview */
  FILE *file;
  int64_t rows;
  struct ca_err err; /* the first failure */
};

/* All reports of a Lua state; they live until the run ends. */
struct reports {
  struct report *first;
  bool writes;
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

/* Frees a report and removes its temporary file if it was not renamed. */
static void free_report(struct report *report)
{
  if(report->file)
    (void)fclose(report->file);
  if(report->temporary)
    (void)unlink(report->temporary);
  free(report->temporary);
  free(report->path);
  free(report);
}

static int free_reports(lua_State *L)
{
  struct reports *reports = lua_touserdata(L, 1);
  while(reports->first) {
    struct report *report = reports->first;
    reports->first = report->next;
    free_report(report);
  }
  return 0;
}

/* ---- writing ---- */

static void fail(struct report *report, const char *what)
{
  if(!report->err.code)
    ca_err_set(&report->err, CA_SYSTEM, "the report %s cannot be %s: %s",
               report->path, what, strerror(errno));
}

static void put_line(struct report *report, struct ca_slice line)
{
  if(fwrite(line.data, 1, line.len, report->file) != line.len)
    fail(report, "written");
}

/* ---- what the shipped Lua calls ---- */

/* report:add(line) */
static int report_add(lua_State *L)
{
  struct report **box = luaL_checkudata(L, 1, REPORT_CLASS);
  struct report *report = *box;
  struct ca_slice line;
  line.data = luaL_checklstring(L, 2, &line.len);
  if(!report)
    return lca_error_usage(L,
                           "report: the run has ended, no row can be added");
  if(report->file && !report->err.code)
    put_line(report, line);
  if(report->err.code)
    return lca_error_usage(L, "%s", report->err.text);
  report->rows++;
  return 0;
}

static bool same_path(const struct reports *reports, const char *path)
{
  const struct report *report;
  for(report = reports->first; report; report = report->next)
    if(!strcmp(report->path, path))
      return true;
  return false;
}

/* Creates the temporary file next to its path, mode 0600; O_EXCL refuses a
   file that already exists. */
static void open_file(struct report *report)
{
  unsigned char chance[6];
  size_t size = strlen(report->path) + 32;
  int fd;
  report->temporary = malloc(size);
  if(!report->temporary || ca_digest_random(chance, sizeof(chance))) {
    errno = ENOMEM;
    fail(report, "written");
    return;
  }
  snprintf(report->temporary, size, "%s.%02x%02x%02x%02x%02x%02x.tmp",
           report->path, chance[0], chance[1], chance[2], chance[3], chance[4],
           chance[5]);
  fd = open(report->temporary,
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if(fd >= 0)
    report->file = fdopen(fd, "w");
  if(report->file)
    return;
  fail(report, "written");
  if(fd >= 0)
    close(fd);
  free(report->temporary);
  report->temporary = NULL;
}

/* Returns why the path cannot be a report, or NULL: renaming a file over a
   device or a pipe would delete that. A symbolic link is replaced, not its
   target. */
static const char *why_no_target(const char *path)
{
  struct stat info;
  if(lstat(path, &info) || S_ISREG(info.st_mode) || S_ISLNK(info.st_mode))
    return NULL; /* open_file reports any other error */
  return S_ISDIR(info.st_mode) ? "a directory" : "not a plain file";
}

/* report(path, header) → an object with :add(line) */
static int report_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct reports *reports = reports_of(L);
  struct report **box;
  struct report *report;
  struct ca_slice header;
  header.data = luaL_checklstring(L, 2, &header.len);
  lua_settop(L, 2);
  if(strlen(path) >= sizeof(((struct lca_report_end *)0)->path))
    return lca_error_usage(L, "composio.report: the path is too long");
  if(why_no_target(path))
    return lca_error_usage(L, "composio.report: %s is %s: name a plain file",
                           path, why_no_target(path));
  if(same_path(reports, path))
    return lca_error_usage(
        L, "composio.report: %s is already the file of another report", path);
  box = lua_newuserdatauv(L, sizeof(struct report *), 0);
  *box = NULL;
  luaL_setmetatable(L, REPORT_CLASS);
  report = calloc(1, sizeof(*report));
  if(!report)
    return luaL_error(L, "out of memory");
  report->next = reports->first;
  reports->first = report;
  *box = report;
  report->path = strdup(path);
  if(!report->path)
    return luaL_error(L, "out of memory");
  if(reports->writes) {
    open_file(report);
    if(!report->err.code)
      put_line(report, header);
  }
  if(report->err.code) {
    lua_pushstring(L, report->err.text);
    reports->first = report->next;
    *box = NULL;
    free_report(report);
    return lca_error_usage(L, "%s", lua_tostring(L, -1));
  }
  return 1;
}

/* ---- the end ---- */

static void put_in_place(struct report *report, struct lca_report_end *end)
{
  if(fflush(report->file) || ca_os_sync(fileno(report->file)))
    fail(report, "written");
  if(fclose(report->file))
    fail(report, "written");
  report->file = NULL;
  if(!report->err.code && rename(report->temporary, report->path))
    fail(report, "renamed into place");
  if(!report->err.code) {
    free(report->temporary);
    report->temporary = NULL;
    end->written = true;
  }
  end->err = report->err;
}

bool lca_report_finish(lua_State *L, bool keep, struct lca_report_end *end)
{
  struct reports *reports = reports_of(L);
  struct report **at = &reports->first;
  struct report *report;
  memset(end, 0, sizeof(*end));
  if(!*at)
    return false;
  while((*at)->next) /* the oldest first */
    at = &(*at)->next;
  report = *at;
  *at = NULL;
  ca_text_copy(end->path, sizeof(end->path), report->path);
  end->rows = report->rows;
  if(report->file && (keep || report->rows))
    put_in_place(report, end);
  free_report(report);
  return true;
}

void lca_report_open(lua_State *L, bool writes)
{
  static const luaL_Reg methods[] = { { "add", report_add }, { NULL, NULL } };
  struct reports *reports = lua_newuserdatauv(L, sizeof(*reports), 0);
  reports->first = NULL;
  reports->writes = writes;
  lca_table_owner_class(L, LIST_CLASS, free_reports);
  luaL_setmetatable(L, LIST_CLASS);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &reports_key);
  lca_table_class(L, REPORT_CLASS, NULL, methods);
  lua_pushcfunction(L, report_new);
  lua_setfield(L, -2, "report");
}
