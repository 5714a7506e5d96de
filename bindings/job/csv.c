/* CSV files, parsed by libcsv.
   Must not know: accounts, the ledger.
   The parser pushes and scripts pull: one buffer holds the rows of at most one
   block of the file, so memory does not grow with the size of the file. */
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lauxlib.h>
#include "base/buf.h"
#include "base/text.h"
#include "job/csv.h"
#include "module/error.h"
#include "module/scheduler.h"
#include "module/table.h"

#define READER_CLASS "composio.job.csv"
#define BLOCK        16384
#define ROW_MAX      (1u << 20)
#define BUFFER_MAX   (8u << 20)
#define COLUMNS_MAX  1024
#define WARNINGS_MAX 5
#define ROW_END      SIZE_MAX

enum { READER_PATH = 1, READER_VALUES = 1 };

/* A file that is being read, with the rows that are parsed but not yet
   returned. */
struct reader {
  int fd; /* -1: closed */
  bool parser_made;
  bool raw; /* quotes before formulas are the cells' own */
  bool ended;
  bool started; /* the first block was read */
  enum ca_code trouble;
  struct csv_parser parser;
  struct ca_buf
      cells;       /* each cell: its length as size_t, then its bytes; after
                      the last of a row ROW_END instead of a length */
  size_t at;       /* read position in cells */
  int64_t waiting; /* whole rows from there on */
  int64_t row;     /* the last one returned; the header is row 1 */
  int warnings;    /* of invisible characters */
};

/* ---- callbacks of libcsv: no Lua ---- */

static void on_cell(void *text, size_t len, void *ctx)
{
  struct reader *reader = ctx;
  if(!reader->trouble)
    reader->trouble = ca_buf_add(&reader->cells, &len, sizeof(len));
  if(!reader->trouble && len)
    reader->trouble = ca_buf_add(&reader->cells, text, len);
}

static void on_row(int end, void *ctx)
{
  static const size_t row_end = ROW_END;
  struct reader *reader = ctx;
  (void)end;
  if(!reader->trouble)
    reader->trouble = ca_buf_add(&reader->cells, &row_end, sizeof(row_end));
  reader->waiting++;
}

/* ---- reading ---- */

static int reader_close(lua_State *L)
{
  struct reader *reader = lua_touserdata(L, 1);
  if(reader->fd >= 0)
    close(reader->fd);
  reader->fd = -1;
  if(reader->parser_made)
    csv_free(&reader->parser);
  reader->parser_made = false;
  ca_buf_wipe(&reader->cells);
  return 0;
}

static const char *path_of(lua_State *L, int index)
{
  lua_getiuservalue(L, index, READER_PATH);
  return lua_tostring(L, -1); /* stays on the stack */
}

static int parse_failed(lua_State *L, struct reader *reader, int index)
{
  return lca_error_usage(L, "%s: row %I%s", path_of(L, index),
                         (LUAI_UACINT)reader->row + reader->waiting + 1,
                         reader->trouble
                             ? " is too long"
                             : ": a quote is misplaced or not closed");
}

/* Parses the next block. All rows before it have been returned. */
static void read_block(lua_State *L, struct reader *reader, int index)
{
  char block[BLOCK];
  const char *from = block;
  ssize_t got;
  do
    got = read(reader->fd, block, sizeof(block));
  while(got < 0 && errno == EINTR);
  if(got < 0) {
    const char *why = strerror(errno);
    lca_error_usage(L, "%s: %s", path_of(L, index), why);
  }
  if(!reader->started && got >= 3 && !memcmp(block, "\xef\xbb\xbf", 3)) {
    from += 3;
    got -= 3;
  }
  reader->started = true;
  if(!got && from == block) {
    reader->ended = true;
    if(csv_fini(&reader->parser, on_cell, on_row, reader) || reader->trouble)
      parse_failed(L, reader, index);
    return;
  }
  if(csv_parse(&reader->parser, from, (size_t)got, on_cell, on_row, reader) !=
         (size_t)got ||
     reader->trouble)
    parse_failed(L, reader, index);
  if(csv_get_buffer_size(&reader->parser) > ROW_MAX) {
    reader->trouble = CA_USAGE;
    parse_failed(L, reader, index);
  }
}

/* Goes to the next row; false after the last. */
static bool next_row(lua_State *L, struct reader *reader, int index)
{
  while(!reader->waiting) {
    if(reader->ended)
      return false;
    /* keep the cells of the row that is being parsed */
    reader->cells.len -= reader->at;
    if(reader->cells.len)
      memmove(reader->cells.data, reader->cells.data + reader->at,
              reader->cells.len);
    reader->at = 0;
    read_block(L, reader, index);
  }
  reader->waiting--;
  reader->row++;
  return true;
}

/* Did composio.report put a quote before a formula, or before quotes that are
   followed by one? */
static bool is_guarded(const struct ca_slice *cell)
{
  size_t i = 0;
  while(i < cell->len && cell->data[i] == '\'')
    i++;
  return i && i < cell->len && memchr("=+-@\t\r", cell->data[i], 6);
}

/* Returns the row's next cell; false after the last. */
static bool next_cell(struct reader *reader, struct ca_slice *cell)
{
  memcpy(&cell->len, reader->cells.data + reader->at, sizeof(cell->len));
  reader->at += sizeof(cell->len);
  if(cell->len == ROW_END)
    return false;
  cell->data = reader->cells.data + reader->at;
  reader->at += cell->len;
  if(!reader->raw && is_guarded(cell)) {
    cell->data++;
    cell->len--;
  }
  return true;
}

static bool has_control_byte(struct ca_slice cell)
{
  size_t i;
  for(i = 0; i < cell.len; i++) {
    unsigned char c = (unsigned char)cell.data[i];
    if((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
      return true;
  }
  return false;
}

/* Returns why a cell is refused, or NULL. Control bytes are allowed in rows: a
   report has them where the service's texts do. */
static const char *what_is_wrong(struct ca_slice cell, bool in_header)
{
  if(in_header && has_control_byte(cell))
    return "contains a control byte";
  return ca_text_is_utf8(cell, NULL) ? NULL : "is not valid UTF-8";
}

/* Warns of a cell that looks like another one but is not: the values of two
   rows, or a column's name and what a script expects. The cell itself, which
   may be secret, is not shown. */
static void warn_of_invisible(lua_State *L, struct reader *reader,
                              struct ca_slice cell, int64_t row,
                              const char *column)
{
  if(reader->warnings == WARNINGS_MAX ||
     !(ca_text_has_invisible(cell) || has_control_byte(cell)))
    return;
  reader->warnings++;
  ca_log_event(lca_scheduler_log(lca_scheduler_of(L)), CA_LOG_WARN, "csv",
               "%s: row %lld, column '%s' has an invisible character, such "
               "as a no-break space or a control byte%s",
               path_of(L, 1), (long long)row, column,
               reader->warnings == WARNINGS_MAX ? "; no more are listed" : "");
  lua_pop(L, 1); /* the path */
}

/* ---- what the shipped Lua calls ---- */

/* reader:header() → the cells of the next row as a list. */
static int reader_header(lua_State *L)
{
  struct reader *reader = luaL_checkudata(L, 1, READER_CLASS);
  struct ca_slice cell;
  int i;
  if(!next_row(L, reader, 1))
    return lca_error_usage(L, "%s: the file has no header line",
                           path_of(L, 1));
  lua_newtable(L);
  for(i = 1; next_cell(reader, &cell); i++) {
    const char *wrong = cell.len ? what_is_wrong(cell, true) : "has no name";
    if(i == 1 && ca_text_is_utf16(cell))
      return lca_error_usage(L, "%s: the file is UTF-16: save it as UTF-8",
                             path_of(L, 1));
    if(i > COLUMNS_MAX)
      return lca_error_usage(L, "%s: the file has more than %d columns",
                             path_of(L, 1), COLUMNS_MAX);
    if(wrong)
      return lca_error_usage(L, "%s: column %d of the header %s",
                             path_of(L, 1), i, wrong);
    lua_pushlstring(L, cell.data, cell.len);
    warn_of_invisible(L, reader, cell, 1, lua_tostring(L, -1));
    lua_rawseti(L, -2, i);
  }
  return 1;
}

/* reader:next(names, needed) → the next row as a table with its cells by those
   names, a list; nil after the last. needed: the set of the names whose cells
   must not be empty. */
static int reader_next(lua_State *L)
{
  struct reader *reader = luaL_checkudata(L, 1, READER_CLASS);
  int columns = (int)luaL_len(L, 2);
  const char *wrong = NULL;
  struct ca_slice cell;
  int i;
  lua_settop(L, 3);
  if(reader->fd < 0)
    return 0;
  if(!next_row(L, reader, 1)) {
    reader_close(L);
    return 0;
  }
  lua_createtable(L, 0, columns); /* reader names needed row */
  for(i = 1; next_cell(reader, &cell); i++) {
    if(i > columns || wrong)
      continue;
    lua_settop(L, 4);
    lua_rawgeti(L, 2, i);
    lua_pushvalue(L, -1);
    wrong = what_is_wrong(cell, false);
    if(!cell.len && lua_rawget(L, 3) != LUA_TNIL)
      wrong = "is empty";
    lua_settop(L, 5); /* reader names needed row name */
    warn_of_invisible(L, reader, cell, reader->row, lua_tostring(L, 5));
    lua_pushvalue(L, 5);
    lua_pushlstring(L, cell.data, cell.len);
    lua_rawset(L, 4);
  }
  if(i - 1 != columns)
    return lca_error_usage(L, "%s: row %I has %d cells, the header has %d",
                           path_of(L, 1), (LUAI_UACINT)reader->row, i - 1,
                           columns);
  if(wrong)
    return lca_error_usage(L, "%s: row %I, column '%s' %s", path_of(L, 1),
                           (LUAI_UACINT)reader->row, lua_tostring(L, 5),
                           wrong);
  lua_settop(L, 4);
  return 1;
}

static int csv_new(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  bool raw = lua_toboolean(L, 2);
  struct reader *reader;
  lua_settop(L, 1);
  reader = lua_newuserdatauv(L, sizeof(*reader), READER_VALUES);
  memset(reader, 0, sizeof(*reader));
  reader->fd = -1;
  reader->raw = raw;
  ca_buf_init(&reader->cells, BUFFER_MAX);
  luaL_setmetatable(L, READER_CLASS);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, 2, READER_PATH);
  if(csv_init(&reader->parser, CSV_STRICT | CSV_STRICT_FINI))
    return luaL_error(L, "out of memory");
  reader->parser_made = true;
  reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if(reader->fd < 0)
    return lca_error_usage(L, "composio.csv: cannot read %s: %s", path,
                           strerror(errno));
  return 1;
}

void lca_csv_open(lua_State *L)
{
  static const luaL_Reg events[] = { { "__gc", reader_close },
                                     { NULL, NULL } };
  static const luaL_Reg methods[] = { { "header", reader_header },
                                      { "next", reader_next },
                                      { NULL, NULL } };
  lca_table_class(L, READER_CLASS, events, methods);
  lua_pushcfunction(L, csv_new);
  lua_setfield(L, -2, "csv");
}
