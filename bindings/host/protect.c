/* The accounts, users and toolkits that no run may change: rows sorted by what
   they name.
   Must not know: what would be changed, who asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"
#include "host/paths.h"
#include "host/protect.h"

#define FILE_MAX   (64u << 20)
#define ID_MAX     300 /* longer than any id or slug */
#define FIRST_IDLE 3

enum sort { ID, USER, TOOLKIT };

struct host_protect_row {
  struct ca_slice text; /* borrowed from the file's text */
  enum sort sort;
  const char *path; /* borrowed */
  size_t line;
  size_t number; /* counts the rows in the order of their files and lines */
  bool
      is_exact; /* a user with the blanks around it; the one without follows */
  bool matched;
};

/* ---- the rows ---- */

/* The order of what rows name: by sort, then by text. Toolkits' slugs are the
   same in any case; ids and users are not. */
static int compare_names(const void *a, const void *b)
{
  const struct host_protect_row *x = a;
  const struct host_protect_row *y = b;
  size_t len = x->text.len < y->text.len ? x->text.len : y->text.len;
  int order = (int)x->sort - (int)y->sort;
  if(!order)
    order = x->sort == TOOLKIT ? strncasecmp(x->text.data, y->text.data, len)
                               : memcmp(x->text.data, y->text.data, len);
  return order ? order : (x->text.len > len) - (y->text.len > len);
}

/* Compares rows; those that name the same keep the order of the files. */
static int compare_rows(const void *a, const void *b)
{
  const struct host_protect_row *x = a;
  const struct host_protect_row *y = b;
  int order = compare_names(a, b);
  return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* Sorts the rows for bsearch. Of rows that name the same, only the first
   remains: that is the line which messages cite. */
static void sort_rows(struct host_protect *protect)
{
  size_t last = 0;
  size_t i;
  if(!protect->count)
    return;
  qsort(protect->rows, protect->count, sizeof(*protect->rows), compare_rows);
  for(i = 1; i < protect->count; i++)
    if(compare_names(&protect->rows[last], &protect->rows[i]) != 0)
      protect->rows[++last] = protect->rows[i];
  protect->count = last + 1;
}

/* Adds a copy of row that names text. */
static enum ca_code add(struct host_protect *protect,
                        struct host_protect_row row, struct ca_slice text,
                        struct ca_err *err)
{
  void *rows =
      ca_buf_grow(protect->rows, protect->count, &protect->size, sizeof(row));
  if(!rows)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  protect->rows = rows;
  row.text = text;
  row.number = protect->added++;
  protect->rows[protect->count++] = row;
  return CA_OK;
}

void host_protect_free(struct host_protect *protect)
{
  while(protect->file_count)
    free(protect->files[--protect->file_count]);
  free(protect->rows);
  memset(protect, 0, sizeof(*protect));
}

/* ---- lines ---- */

static enum ca_code wrong(const struct host_protect_row *row,
                          struct ca_err *err, const char *why)
{
  return ca_err_set(err, CA_USAGE, "%s:%zu: %s", row->path, row->line, why);
}

static struct ca_slice trimmed(const char *text, size_t len)
{
  struct ca_slice slice = { text, len };
  return ca_slice_trimmed(slice, " ");
}

static bool begins(struct ca_slice line, const char *word)
{
  size_t len = strlen(word);
  return line.len >= len && !memcmp(line.data, word, len);
}

/* Ids and slugs: printable ASCII without blanks, and without what only a CSV
   file or a comment puts there. */
static enum ca_code add_word(struct host_protect *protect,
                             const struct host_protect_row *row,
                             struct ca_slice word, struct ca_err *err)
{
  size_t i;
  if(!word.len)
    return wrong(row, err, "nothing follows toolkit:");
  if(word.len > ID_MAX)
    return wrong(row, err, "longer than any id or slug");
  for(i = 0; i < word.len; i++)
    if(word.data[i] <= ' ' || word.data[i] > '~')
      return wrong(row, err,
                   "an id or a toolkit is printable ASCII without blanks; put "
                   "a comment on its own line");
  for(i = 0; i < word.len; i++)
    if(strchr("\"'`,;#", word.data[i]))
      return wrong(row, err,
                   "an id or a toolkit has no quote, comma, semicolon or #: "
                   "write it alone on its line");
  return add(protect, *row, word, err);
}

/* A user's id is the rest of the line, unchanged. Blanks around it may be a
   mistake, so the id without them is protected, too. */
static enum ca_code add_user(struct host_protect *protect,
                             const struct host_protect_row *row,
                             struct ca_slice rest, struct ca_err *err)
{
  struct ca_slice bare = trimmed(rest.data, rest.len);
  struct host_protect_row exact = *row;
  char quote = bare.len ? *bare.data : '\0';
  size_t i;
  if(!bare.len)
    return wrong(row, err, "nothing follows user:");
  if(strchr("\"'`", quote) && quote == bare.data[bare.len - 1])
    return wrong(row, err, "write the user's id without quotes");
  for(i = 0; i + 1 < bare.len; i++)
    if(bare.data[i] == ' ' && bare.data[i + 1] == '#')
      return wrong(row, err, "put a comment on its own line");
  exact.is_exact = true;
  if(bare.len != rest.len && add(protect, exact, rest, err))
    return err->code;
  return add(protect, *row, bare, err);
}

/* Is it the id of an account or an auth config? Any other word, such as a
   toolkit without its prefix, would protect nobody. */
static bool is_id(struct ca_slice line)
{
  return begins(line, "ca_") || begins(line, "ac_");
}

static enum ca_code check_bytes(const struct host_protect_row *row,
                                struct ca_slice line, struct ca_err *err)
{
  size_t i;
  if(ca_text_is_utf16(line))
    return wrong(row, err, "the file is UTF-16: save it as UTF-8");
  for(i = 0; i < line.len; i++)
    if((unsigned char)line.data[i] < ' ' || line.data[i] == 0x7F)
      return wrong(row, err, "the line has a control byte");
  if(!ca_text_is_utf8(line, NULL))
    return wrong(row, err, "the line is not valid UTF-8");
  return CA_OK;
}

/* Adds one line, without its end. *counts: it protects something. */
static enum ca_code add_line(struct host_protect *protect,
                             struct host_protect_row *row, const char *text,
                             size_t len, bool *counts, struct ca_err *err)
{
  struct ca_slice raw = { text, len };
  struct ca_slice line = trimmed(text, len);
  const char *end = text + len;
  *counts = line.len && *line.data != '#';
  if(check_bytes(row, raw, err))
    return err->code;
  if(!*counts)
    return CA_OK;
  if(!protect->odd_path && ca_text_has_invisible(line)) {
    protect->odd_path = row->path;
    protect->odd_line = row->line;
  }
  if(begins(line, "user:")) {
    raw.data = line.data + 5; /* the blanks at the end belong to it */
    raw.len = (size_t)(end - raw.data);
    row->sort = USER;
    return add_user(protect, row, raw, err);
  }
  if(begins(line, "toolkit:")) {
    row->sort = TOOLKIT;
    return add_word(protect, row, trimmed(line.data + 8, line.len - 8), err);
  }
  if(begins(line, "id:"))
    line = trimmed(line.data + 3, line.len - 3);
  if(!is_id(line))
    return wrong(row, err,
                 "expected an id (ca_… or ac_…), user:ID or toolkit:SLUG");
  row->sort = ID;
  return add_word(protect, row, line, err);
}

static enum ca_code add_lines(struct host_protect *protect, const char *path,
                              struct ca_slice text, size_t *rows,
                              struct ca_err *err)
{
  struct host_protect_row row = { .path = path };
  size_t at = 0;
  if(text.len >= 3 && !memcmp(text.data, "\xEF\xBB\xBF", 3))
    at = 3;
  while(at < text.len && !err->code) {
    const char *line = text.data + at;
    const char *end = memchr(line, '\n', text.len - at);
    size_t len = end ? (size_t)(end - line) : text.len - at;
    size_t bare = len && line[len - 1] == '\r' ? len - 1 : len;
    bool counts = false;
    row.line++;
    if(!add_line(protect, &row, line, bare, &counts, err) && counts)
      (*rows)++;
    at += len + 1;
  }
  return err->code;
}

enum ca_code host_protect_load(struct host_protect *protect, const char *path,
                               size_t *rows, struct ca_err *err)
{
  size_t len;
  char *text = host_paths_read_file(path, FILE_MAX, &len, err);
  *rows = 0;
  if(!text)
    return err->code;
  protect->files[protect->file_count++] = text;
  if(!add_lines(protect, path, (struct ca_slice){ text, len }, rows, err))
    sort_rows(protect);
  return err->code;
}

/* ---- lookup ---- */

static struct host_protect_row *find(const struct host_protect *protect,
                                     enum sort sort, struct ca_slice text)
{
  struct host_protect_row row = { .sort = sort, .text = text };
  if(!text.len || !protect->count)
    return NULL;
  return bsearch(&row, protect->rows, protect->count, sizeof(row),
                 compare_names);
}

const char *host_protect_why(struct host_protect *protect, const char *id,
                             const char *user, const char *toolkit, char *out,
                             size_t size)
{
  struct host_protect_row *row = find(protect, ID, ca_slice_of(id));
  protect->asked = true;
  if(!row)
    row = find(protect, USER, ca_slice_of(user));
  if(!row)
    row = find(protect, TOOLKIT, ca_slice_of(toolkit));
  if(!row)
    return NULL;
  row->matched = true;
  snprintf(out, size, "protected by %s:%zu", row->path, row->line);
  if(row->is_exact)
    row = find(protect, USER, trimmed(row->text.data, row->text.len));
  row->matched = true;
  return out;
}

size_t host_protect_idle(const struct host_protect *protect, char *out,
                         size_t size)
{
  const struct host_protect_row *first[FIRST_IDLE] = { NULL };
  size_t count = 0;
  size_t used = 0;
  size_t i;
  for(i = 0; i < protect->count; i++) {
    const struct host_protect_row *row = &protect->rows[i];
    size_t k;
    if(row->matched || row->is_exact)
      continue;
    count++;
    for(k = 0; k < FIRST_IDLE && row; k++) { /* in the order of the files */
      if(!first[k] || row->number < first[k]->number) {
        const struct host_protect_row *later = first[k];
        first[k] = row;
        row = later;
      }
    }
  }
  out[0] = '\0';
  for(i = 0; i < FIRST_IDLE && first[i] && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s:%zu",
                             i ? ", " : "", first[i]->path, first[i]->line);
  return count;
}
