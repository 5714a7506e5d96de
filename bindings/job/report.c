/* Reports: writes the rows of CSV files and renames the files into place.
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
#include "module/error.h"
#include "job/report.h"
#include "base/os_sync.h"

#define REPORT_CLASS "composio.host.report"
#define LIST_CLASS   "composio.host.reports"

struct report {
  struct report *next;
  char *path;
  char *temporary; /* NULL in a preview */
  FILE *file;
  int columns;
  bool raw;
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

/* Would a spreadsheet read this cell as a formula? */
static bool is_formula(const char *text, size_t len)
{
  return len && strchr("=+-@\t\r", text[0]) != NULL && text[0];
}

static bool put_cell(struct report *report, const char *text, size_t len,
                     bool neutral)
{
  bool guard = neutral && is_formula(text, len);
  bool quote = guard || memchr(text, '"', len) || memchr(text, ',', len) ||
               memchr(text, '\n', len) || memchr(text, '\r', len) ||
               (len && (text[0] == ' ' || text[len - 1] == ' '));
  size_t i;
  if(!quote)
    return fwrite(text, 1, len, report->file) == len;
  if(fputc('"', report->file) == EOF ||
     (guard && fputc('\'', report->file) == EOF))
    return false;
  for(i = 0; i < len; i++) {
    if(text[i] == '"' && fputc('"', report->file) == EOF)
      return false;
    if(fputc(text[i], report->file) == EOF)
      return false;
  }
  return fputc('"', report->file) != EOF;
}

/* Writes the list at index as one line. Numbers are never treated as formulas.
 */
static void put_line(lua_State *L, struct report *report, int index)
{
  int i;
  for(i = 1; i <= report->columns; i++) {
    size_t len;
    const char *text;
    bool neutral = !report->raw && lua_rawgeti(L, index, i) != LUA_TNUMBER;
    if(report->raw)
      lua_rawgeti(L, index, i);
    text = luaL_tolstring(L, -1, &len);
    if((i > 1 && fputc(',', report->file) == EOF) ||
       !put_cell(report, text, len, neutral))
      fail(report, "written");
    lua_pop(L, 2);
  }
  if(fputs("\r\n", report->file) == EOF)
    fail(report, "written");
}

/* ---- what scripts call ---- */

static int report_add(lua_State *L)
{
  struct report **box = luaL_checkudata(L, 1, REPORT_CLASS);
  struct report *report = *box;
  luaL_checktype(L, 2, LUA_TTABLE);
  if(!report)
    return lca_error_usage(L,
                           "report: the run has ended, no row can be added");
  if(report->file && !report->err.code)
    put_line(L, report, 2);
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

/* report(path, columns, raw) */
static int report_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct reports *reports = reports_of(L);
  struct report **box;
  struct report *report;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
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
  report->columns = (int)lua_rawlen(L, 2);
  report->raw = lua_toboolean(L, 3);
  if(!report->path)
    return luaL_error(L, "out of memory");
  if(reports->writes) {
    open_file(report);
    if(!report->err.code)
      put_line(L, report, 2);
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
  ca_err_copy_text(end->path, sizeof(end->path), report->path,
                   strlen(report->path));
  end->rows = report->rows;
  if(report->file && (keep || report->rows))
    put_in_place(report, end);
  free_report(report);
  return true;
}

void lca_report_open(lua_State *L, bool writes)
{
  struct reports *reports = lua_newuserdatauv(L, sizeof(*reports), 0);
  reports->first = NULL;
  reports->writes = writes;
  luaL_newmetatable(L, LIST_CLASS);
  lua_pushcfunction(L, free_reports);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &reports_key);
  luaL_newmetatable(L, REPORT_CLASS);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, report_add);
  lua_setfield(L, -2, "add");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, report_new);
  lua_setfield(L, -2, "report");
}
