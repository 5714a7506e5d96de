/* Rows of texts as columns on stdout.
   Must not know: what the texts mean.

   A column is as wide as its longest text has code points: letters of double
   width move a line, but never break it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/secret.h"
#include "host/table.h"

#define GAP       2
#define CELL_SIZE 4096
#define PAD_MOST  40 /* elsewhere: longer cells move their own line only */
#define TEXT_MAX  (1u << 20)

/* ---- code points ---- */

static bool begins_point(char byte)
{
  return ((unsigned char)byte & 0xC0) != 0x80;
}

static size_t points(const char *text)
{
  size_t count = 0;
  for(; *text; text++)
    count += begins_point(*text);
  return count;
}

/* The bytes of the first `count` code points. */
static size_t bytes_of(const char *text, size_t count)
{
  size_t len = 0;
  while(text[len]) {
    if(begins_point(text[len]) && !count--)
      break;
    len++;
  }
  return len;
}

/* ---- widths ---- */

static size_t screen_width(void)
{
  struct winsize size;
  if(!isatty(STDOUT_FILENO))
    return 0;
  if(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
    return 80;
  return size.ws_col;
}

static size_t total_width(const struct host_table *table)
{
  size_t total = GAP * (table->count - 1);
  size_t i;
  for(i = 0; i < table->count; i++)
    total += table->widths[i];
  return total;
}

static bool gives(const struct host_column *column, size_t width)
{
  return column->least && width > column->least;
}

/* Takes from the widest until all fit, or none can give any more. */
static void fit(struct host_table *table)
{
  while(total_width(table) > table->screen) {
    size_t widest = table->count;
    size_t i;
    for(i = 0; i < table->count; i++)
      if(gives(&table->columns[i], table->widths[i]) &&
         (widest == table->count || table->widths[i] > table->widths[widest]))
        widest = i;
    if(widest == table->count)
      return;
    table->widths[widest]--;
  }
}

/* ---- lines ---- */

/* Adds a cell; *pending are the blanks before it. Fails without memory only.
 */
static enum ca_code add_cell(const struct host_table *table, size_t at,
                             const char *text, struct ca_buf *line,
                             size_t *pending)
{
  size_t width = table->widths[at];
  size_t count = points(text);
  bool cut = table->screen && table->columns[at].least && count > width;
  enum ca_code code = ca_buf_printf(line, "%*s", (int)*pending, "");
  if(!code && cut)
    code = ca_buf_printf(line, "%.*s…", (int)bytes_of(text, width - 1), text);
  else if(!code)
    code = ca_buf_add_text(line, text);
  count = cut ? width : count;
  *pending = (count < width ? width - count : 0) + GAP;
  return code;
}

/* The line, up to the screen's edge but not into its first column. */
static void put_line(const struct host_table *table, const struct ca_buf *line)
{
  const char *text = ca_buf_text(line);
  size_t first = table->widths[0];
  size_t room = table->screen - 1 > first ? table->screen - 1 : first;
  if(table->screen && points(text) > room + 1)
    (void)printf("%.*s…\n", (int)bytes_of(text, room), text);
  else
    (void)printf("%s\n", text);
}

static void put_row(const struct host_table *table, char *const *cells)
{
  size_t pending = 0;
  enum ca_code code = CA_OK;
  struct ca_buf line;
  size_t i;
  ca_buf_init(&line, TEXT_MAX);
  for(i = 0; i < table->count && !code; i++)
    code = add_cell(table, i, cells[i] ? cells[i] : "", &line, &pending);
  put_line(table, &line);
  ca_buf_clear(&line);
}

static void put_titles(const struct host_table *table)
{
  char titles[HOST_COLUMNS][32];
  char *cells[HOST_COLUMNS];
  size_t i;
  for(i = 0; i < table->count; i++) {
    snprintf(titles[i], sizeof(titles[i]), "%s", table->columns[i].title);
    cells[i] = titles[i];
  }
  put_row(table, cells);
}

static void free_row(char **cells, size_t count)
{
  size_t i;
  for(i = 0; i < count; i++) {
    free(cells[i]);
    cells[i] = NULL;
  }
}

/* The widths of the rows so far, and those rows. */
static void settle(struct host_table *table)
{
  size_t row;
  size_t i;
  for(i = 0; i < table->count; i++)
    table->widths[i] = table->screen ? points(table->columns[i].title) : 0;
  for(row = 0; row < table->used; row++) {
    for(i = 0; i < table->count; i++) {
      const char *text = table->cells[row][i];
      size_t width = text ? points(text) : 0;
      if(!table->screen && table->columns[i].least && width > PAD_MOST)
        width = PAD_MOST;
      if(width > table->widths[i])
        table->widths[i] = width;
    }
  }
  if(table->screen)
    fit(table);
  table->settled = true;
  if(table->screen && table->used)
    put_titles(table);
  for(row = 0; row < table->used; row++) {
    put_row(table, table->cells[row]);
    free_row(table->cells[row], table->count);
  }
  table->used = 0;
}

/* ---- rows ---- */

void host_table_init(struct host_table *table,
                     const struct host_column *columns, size_t count)
{
  memset(table, 0, sizeof(*table));
  table->columns = columns;
  table->count = count;
  table->screen = screen_width();
}

/* A harmless copy; NULL without memory, shown as nothing. */
static char *clean_copy(const char *text)
{
  char raw[CELL_SIZE];
  char clean[2 * CELL_SIZE];
  ca_copy_text(raw, sizeof(raw), text, strlen(text));
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  return strdup(clean);
}

void host_table_add(struct host_table *table, const char *const *texts)
{
  char *row[HOST_COLUMNS] = { NULL };
  char **cells = table->settled ? row : table->cells[table->used];
  size_t i;
  for(i = 0; i < table->count; i++)
    cells[i] = clean_copy(texts[i] && *texts[i] ? texts[i] : "-");
  if(table->settled) {
    put_row(table, row);
    free_row(row, table->count);
    return;
  }
  if(++table->used == HOST_TABLE_ROWS)
    settle(table);
}

void host_table_end(struct host_table *table)
{
  if(!table->settled)
    settle(table);
}

void host_table_free(struct host_table *table)
{
  size_t row;
  for(row = 0; row < table->used; row++)
    free_row(table->cells[row], table->count);
  table->used = 0;
}
