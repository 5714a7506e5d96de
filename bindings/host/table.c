/* Prints rows of texts in columns.
   Must not know: what the texts mean.

   A column is as wide as the number of code points in its longest text, so
   characters of double width shift the rest of their line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/text.h"
#include "base/secret.h"
#include "host/table.h"

#define CELL_SIZE 4096
#define PAD_MOST  40 /* no terminal: longer cells shift only their own line */
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

/* Returns the number of bytes in the first `count` code points. */
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

static size_t screen_width(FILE *file)
{
  struct winsize size;
  int fd = fileno(file);
  if(!isatty(fd))
    return 0;
  if(ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col)
    return 80;
  return size.ws_col;
}

static size_t total_width(const struct host_table *table)
{
  size_t total = table->style.indent + table->style.gap * (table->count - 1);
  size_t i;
  for(i = 0; i < table->count; i++)
    total += table->widths[i];
  return total;
}

static bool gives(const struct host_column *column, size_t width)
{
  return column->least && width > column->least;
}

/* Narrows the widest column until the line fits, or none can be narrowed. */
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

/* Adds a cell. *pending is the number of blanks before it; they are added only
   with the next text, so no line ends with blanks. Fails only without memory.
 */
static enum ca_code add_cell(const struct host_table *table, size_t at,
                             const char *text, struct ca_buf *line,
                             size_t *pending)
{
  const struct host_column *column = &table->columns[at];
  size_t width = table->widths[at];
  size_t count = points(text);
  bool cut = table->screen && column->least && count > width;
  size_t rest = count < width ? width - count : 0;
  enum ca_code code = CA_OK;
  if(!count) {
    *pending += width + table->style.gap;
    return CA_OK;
  }
  code = ca_buf_printf(line, "%*s",
                       (int)(*pending + (column->right ? rest : 0)), "");
  if(!code && cut)
    code = ca_buf_printf(line, "%.*s…", (int)bytes_of(text, width - 1), text);
  else if(!code)
    code = ca_buf_add_text(line, text);
  *pending = (column->right ? 0 : rest) + table->style.gap;
  return code;
}

/* Prints the line, cut at the terminal's width; the first column is never cut.
 */
static void put_line(const struct host_table *table, const struct ca_buf *line)
{
  const char *text = ca_buf_text(line);
  size_t first = table->style.indent + table->widths[0];
  size_t room = table->screen - 1 > first ? table->screen - 1 : first;
  if(table->screen && points(text) > room + 1)
    (void)fprintf(table->style.to, "%.*s…\n", (int)bytes_of(text, room), text);
  else
    (void)fprintf(table->style.to, "%s\n", text);
}

static void put_row(const struct host_table *table, const char *const *texts)
{
  size_t pending = table->style.indent;
  enum ca_code code = CA_OK;
  struct ca_buf line;
  size_t i;
  ca_buf_init(&line, TEXT_MAX);
  for(i = 0; i < table->count && !code; i++)
    code = add_cell(table, i, texts[i] ? texts[i] : "", &line, &pending);
  put_line(table, &line);
  ca_buf_clear(&line);
}

static void put_titles(const struct host_table *table)
{
  const char *titles[HOST_COLUMNS];
  size_t i;
  for(i = 0; i < table->count; i++)
    titles[i] = table->columns[i].title;
  put_row(table, titles);
}

static void free_row(char **texts, size_t count)
{
  size_t i;
  for(i = 0; i < count; i++) {
    free(texts[i]);
    texts[i] = NULL;
  }
}

/* Returns the width that a column needs for its title and the buffered rows.
 */
static size_t measure(const struct host_table *table, size_t at)
{
  const struct host_column *column = &table->columns[at];
  const char *title = column->title ? column->title : "";
  size_t width = table->screen ? points(title) : 0;
  size_t row;
  if(!table->screen && column->width)
    return column->width;
  if(width < column->width)
    width = column->width;
  for(row = 0; row < table->used; row++) {
    const char *text = table->texts[row][at];
    size_t own = text ? points(text) : 0;
    if(!table->screen && column->least && own > PAD_MOST)
      own = PAD_MOST;
    if(own > width)
      width = own;
  }
  return width;
}

/* Sets the widths and prints the buffered rows. */
static void print_first(struct host_table *table)
{
  bool titles = table->screen || table->style.titles;
  size_t row;
  size_t i;
  for(i = 0; i < table->count; i++)
    table->widths[i] = measure(table, i);
  if(table->screen)
    fit(table);
  table->measured = true;
  if(titles && table->used && table->columns[0].title)
    put_titles(table);
  for(row = 0; row < table->used; row++) {
    put_row(table, (const char *const *)table->texts[row]);
    free_row(table->texts[row], table->count);
  }
  table->used = 0;
}

/* ---- rows ---- */

void host_table_init(struct host_table *table,
                     const struct host_table_style *style,
                     const struct host_column *columns, size_t count)
{
  memset(table, 0, sizeof(*table));
  if(style)
    table->style = *style;
  else
    table->style = (struct host_table_style){ .to = stdout, .gap = 2 };
  table->columns = columns;
  table->count = count;
  table->screen = screen_width(table->style.to);
}

/* Copies a text with secrets masked and control bytes escaped; NULL without
   memory, which prints as an empty cell. */
static char *clean_copy(const char *text)
{
  char raw[CELL_SIZE];
  char clean[2 * CELL_SIZE];
  ca_err_copy_text(raw, sizeof(raw), text, strlen(text));
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  return strdup(clean);
}

void host_table_add(struct host_table *table, const char *const *texts)
{
  char *row[HOST_COLUMNS] = { NULL };
  char **copies = table->measured ? row : table->texts[table->used];
  size_t i;
  for(i = 0; i < table->count; i++)
    copies[i] = clean_copy(texts[i] ? texts[i] : "-");
  if(table->measured) {
    put_row(table, (const char *const *)row);
    free_row(row, table->count);
    return;
  }
  if(++table->used == HOST_TABLE_ROWS)
    print_first(table);
}

void host_table_end(struct host_table *table)
{
  if(!table->measured)
    print_first(table);
}

void host_table_free(struct host_table *table)
{
  size_t row;
  for(row = 0; row < table->used; row++)
    free_row(table->texts[row], table->count);
  table->used = 0;
}
