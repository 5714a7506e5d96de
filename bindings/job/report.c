/* Reports: CSV files for people. While a run lasts, its rows are in
   FILE.partial; at a good end the whole replaces FILE, unless that is a later
   report of another run.
   Must not know: accounts, what rows mean. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/os_sync.h"
#include "job/report.h"
#include "job/report_private.h"
#include "job/run_private.h"
#include "module/error.h"
#include "module/table.h"

#define REPORT_CLASS "composio.job.report"
#define LIST_CLASS   "composio.job.reports"

/* All reports of a Lua state; they live until the run ends. */
struct reports {
  struct lca_report *first;
  struct lca_report *finished;
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
static void free_report(struct lca_report *report)
{
  if(report->file)
    (void)fclose(report->file);
  free((char *)report->header.data);
  free(report->rows);
  free(report);
}

static void free_list(struct lca_report *report)
{
  while(report) {
    struct lca_report *next = report->next;
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

/* Warns once that another run's rows have another name now. */
static void report_former(lua_State *L, struct lca_report *report)
{
  const struct lca_run_options *options = &lca_run_of(L)->options;
  char line[3 * LCA_REPORT_PATH_SIZE];
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

/* ---- what the shipped Lua calls ---- */

static struct lca_report *check_report(lua_State *L)
{
  struct lca_report **box = luaL_checkudata(L, 1, REPORT_CLASS);
  if(!*box)
    lca_error_usage(L, "report: the run has ended, no row can be added");
  return *box;
}

/* report:add(line, item, link): adds a row of the item with that number, 0 for
   none; link: 1 if it has one, 2 if nobody received it, else 0. A preview only
   counts it. */
static int report_add(lua_State *L)
{
  struct lca_report *report = check_report(L);
  struct ca_slice line;
  line.data = luaL_checklstring(L, 2, &line.len);
  lca_run_keep_clear(L, "the report's row", line.data);
  report_former(L, report);
  if(report->file && !report->err.code)
    lca_report_file_put_row(report, luaL_checkinteger(L, 3),
                            (enum lca_report_link)luaL_checkinteger(L, 4),
                            line);
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
  struct lca_report *report = check_report(L);
  size_t i;
  lua_newtable(L);
  for(i = 0; report->file && i < report->count; i++) {
    const struct lca_report_row *row = &report->rows[i];
    luaL_Buffer line;
    char *bytes;
    if(row->item || !row->earlier || row->link != LCA_REPORT_HAS_LINK)
      continue;
    bytes = luaL_buffinitsize(L, &line, row->len);
    if(pread(fileno(report->file), bytes, row->len, row->at) !=
       (ssize_t)row->len) {
      lca_report_file_fail(report, "read");
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
  struct lca_report *report = check_report(L);
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

/* report:lca_report_file_is_regular() → is there a regular file at the path?
 */
static int report_is_file(lua_State *L)
{
  lua_pushboolean(L, lca_report_file_is_regular(check_report(L)->path));
  return 1;
}

static bool is_open(const struct reports *reports, const char *path)
{
  const struct lca_report *report;
  for(report = reports->first; report; report = report->next)
    if(lca_report_file_is_same(report->path, path))
      return true;
  return false;
}

/* Does this run write reports? A job that may only read does so without
   --apply. */
static bool writes(const struct lca_run *run)
{
  return run->options.apply || (run->stats.job_seen && run->may == CA_READ);
}

static void open_report(lua_State *L, struct lca_report *report)
{
  struct lca_run *run = lca_run_of(L);
  char name[40];
  lca_report_file_check(report);
  if(report->err.code || !writes(run))
    return;
  if(report->live && !report->direct) {
    report->direct = true;
    lca_report_file_open_live(report);
  } else if(report->direct)
    lca_report_file_open_direct(report);
  else if(run->options.apply) {
    lca_run_begin(L, run);
    if(ca_run_note_report(run->ledger, report->path, &report->err))
      return;
    lca_report_partial_open(report, run->options.run_id, run->ledger);
  } else {
    snprintf(name, sizeof(name), "read-%lld-%lld", (long long)getpid(),
             (long long)ca_clock_wall_ms(
                 ca_clock_system())); /* ids of processes come again */
    lca_report_partial_open(report, name, NULL);
  }
}

/* report(path, header, live) → an object with :add */
static int report_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct reports *reports = reports_of(L);
  struct lca_report **box;
  struct lca_report *report;
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
  box = lua_newuserdatauv(L, sizeof(struct lca_report *), 0);
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
  const struct lca_report_row *one = a;
  const struct lca_report_row *other = b;
  if(one->item != other->item)
    return one->item < other->item ? -1 : 1;
  return one->place < other->place ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
  const struct lca_report_row *one = a;
  const struct lca_report_row *other = b;
  return one->place < other->place ? -1 : 1;
}

/* Chooses what stands in the report: of each item its newest row with a link,
   else its newest row. Rows without an item are made again by each session,
   but for those whose link only an earlier one received. */
static void choose(struct lca_report *report)
{
  size_t i;
  size_t best = 0;
  if(!report->count)
    return;
  qsort(report->rows, report->count, sizeof(*report->rows), by_item);
  for(i = 0; i < report->count; i++) {
    struct lca_report_row *row = &report->rows[i];
    bool first = !i || row->item != row[-1].item;
    bool last = i + 1 == report->count || row->item != row[1].item;
    if(!row->item) {
      row->chosen =
          !row->earlier || (row->link == LCA_REPORT_HAS_LINK && !row->dropped);
      continue;
    }
    if(first || row->link == LCA_REPORT_HAS_LINK ||
       report->rows[best].link != LCA_REPORT_HAS_LINK)
      best = i;
    if(last)
      report->rows[best].chosen = true;
  }
  qsort(report->rows, report->count, sizeof(*report->rows), by_place);
}

static bool copy_row(struct lca_report *report,
                     const struct lca_report_row *row, FILE *to)
{
  char bytes[LCA_REPORT_COPY];
  size_t done = 0;
  while(done < row->len) {
    size_t want =
        row->len - done < LCA_REPORT_COPY ? row->len - done : LCA_REPORT_COPY;
    ssize_t got =
        pread(fileno(report->file), bytes, want, row->at + (int64_t)done);
    if(got <= 0 || fwrite(bytes, 1, (size_t)got, to) != (size_t)got)
      return false;
    done += (size_t)got;
  }
  return true;
}

/* Writes the chosen rows to the file and syncs it. */
static bool write_whole(struct lca_report *report, FILE *to,
                        struct lca_report_end *end)
{
  const struct ca_slice *header = &report->header;
  bool good = fwrite(header->data, 1, header->len, to) == header->len;
  size_t i;
  for(i = 0; good && i < report->count; i++)
    if(report->rows[i].chosen) {
      good = copy_row(report, &report->rows[i], to);
      end->rows++;
      end->lost += report->rows[i].link == LCA_REPORT_LOST_LINK;
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
   another or has the rows of the run that this one redoes, a name of this
   run's own beside it: n.csv becomes n.RUN.csv. */
static void choose_target(lua_State *L, const struct lca_report *report,
                          struct lca_report_end *end)
{
  const struct lca_run *run = lca_run_of(L);
  const char *base = strrchr(report->path, '/');
  const char *dot = strrchr(base ? base + 1 : report->path, '.');
  size_t stem = dot ? (size_t)(dot - report->path) : strlen(report->path);
  struct stat info;
  if(!run->options.replay.on || stat(report->path, &info) ||
     (!run->options.redoes[0] &&
      !is_anothers(run, (int64_t)info.st_mtim.tv_sec * 1000 +
                            info.st_mtim.tv_nsec / 1000000)))
    return;
  ca_text_copy(end->left, sizeof(end->left), report->path);
  snprintf(end->path, sizeof(end->path), "%.*s.%.80s%s", (int)stem,
           report->path, run->options.run_id, report->path + stem);
}

/* Puts the whole into place. */
static void publish(lua_State *L, struct lca_report *report,
                    struct lca_report_end *end)
{
  char name[LCA_REPORT_PATH_SIZE];
  FILE *to;
  int fd;
  choose_target(L, report, end);
  snprintf(name, sizeof(name), "%s.XXXXXX", report->path);
  choose(report);
  fd = mkstemp(name); /* mode 0600 */
  to = fd >= 0 ? fdopen(fd, "w") : NULL;
  if(!to || !write_whole(report, to, end))
    lca_report_file_fail(report, "written");
  if(to && fclose(to))
    lca_report_file_fail(report, "written");
  if(!report->err.code && rename(name, end->path))
    lca_report_file_fail(report, "renamed into place");
  if(report->err.code && fd >= 0)
    (void)unlink(name);
  end->written = !report->err.code;
}

bool lca_report_finish(lua_State *L, bool whole, struct lca_report_end *end)
{
  struct reports *reports = reports_of(L);
  struct lca_report **at = &reports->first;
  struct lca_report *report;
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
    end->lost += report->rows[i].link == LCA_REPORT_LOST_LINK;
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
  struct lca_report *report;
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
