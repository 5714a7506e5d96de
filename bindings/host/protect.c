/* Whom no run may change.
   Must not know: what would be done to them, who asks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "host/paths.h"
#include "host/protect.h"

#define FILE_MAX (64u << 20)
#define ID_MAX   300 /* longer than any id or slug */

enum sort { ID, USER, TOOLKIT };

struct host_protect_row {
  char *text; /* owned; NULL: the row is free */
  uint64_t hash;
  enum sort sort;
  const char *path; /* borrowed */
  size_t line;
};

/* ---- the table ---- */

static char lower(char letter)
{
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

/* Slugs are the same in any case; ids and users are not. */
static char folded(enum sort sort, char letter)
{
  return sort == TOOLKIT ? lower(letter) : letter;
}

/* FNV-1a. */
static uint64_t hash_of(enum sort sort, const char *text, size_t len)
{
  uint64_t hash = 14695981039346656037u + (uint64_t)sort;
  size_t i;
  for(i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)folded(sort, text[i])) * 1099511628211u;
  return hash;
}

static bool equals(const struct host_protect_row *row, enum sort sort,
                   const char *text, size_t len)
{
  size_t i;
  if(row->sort != sort)
    return false;
  for(i = 0; i < len; i++)
    if(!row->text[i] || row->text[i] != folded(sort, text[i]))
      return false;
  return !row->text[len];
}

/* The row of this text, or the free one where it would stand. */
static struct host_protect_row *find(const struct host_protect *protect,
                                     enum sort sort, const char *text,
                                     size_t len)
{
  uint64_t hash = hash_of(sort, text, len);
  size_t at = (size_t)hash & (protect->size - 1);
  while(protect->rows[at].text &&
        (protect->rows[at].hash != hash ||
         !equals(&protect->rows[at], sort, text, len)))
    at = (at + 1) & (protect->size - 1);
  return &protect->rows[at];
}

static enum ca_code grow(struct host_protect *protect, struct ca_err *err)
{
  struct host_protect bigger = { NULL, protect->size ? protect->size * 2 : 64,
                                 protect->used };
  size_t i;
  bigger.rows = calloc(bigger.size, sizeof(bigger.rows[0]));
  if(!bigger.rows)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  for(i = 0; i < protect->size; i++) {
    const struct host_protect_row *row = &protect->rows[i];
    if(row->text)
      *find(&bigger, row->sort, row->text, strlen(row->text)) = *row;
  }
  free(protect->rows);
  *protect = bigger;
  return CA_OK;
}

/* The first line that names something is the one that is told. */
static enum ca_code add(struct host_protect *protect,
                        const struct host_protect_row *from, const char *text,
                        size_t len, struct ca_err *err)
{
  struct host_protect_row *row;
  size_t i;
  if(protect->used * 2 >= protect->size && grow(protect, err))
    return err->code;
  row = find(protect, from->sort, text, len);
  if(row->text)
    return CA_OK;
  *row = *from;
  row->text = malloc(len + 1);
  if(!row->text)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  for(i = 0; i < len; i++)
    row->text[i] = folded(from->sort, text[i]);
  row->text[len] = '\0';
  row->hash = hash_of(from->sort, text, len);
  protect->used++;
  return CA_OK;
}

void host_protect_free(struct host_protect *protect)
{
  size_t i;
  for(i = 0; i < protect->size; i++)
    free(protect->rows[i].text);
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
  struct ca_slice out = { text, len };
  while(out.len && *out.data == ' ') {
    out.data++;
    out.len--;
  }
  while(out.len && out.data[out.len - 1] == ' ')
    out.len--;
  return out;
}

static bool begins(struct ca_slice line, const char *word)
{
  size_t len = strlen(word);
  return line.len >= len && !memcmp(line.data, word, len);
}

/* Ids and slugs: printable ASCII without blanks. */
static enum ca_code add_word(struct host_protect *protect,
                             const struct host_protect_row *row,
                             struct ca_slice word, struct ca_err *err)
{
  size_t i;
  if(!word.len)
    return wrong(row, err, "nothing follows the colon");
  if(word.len > ID_MAX)
    return wrong(row, err, "longer than any id");
  for(i = 0; i < word.len; i++)
    if(word.data[i] <= ' ' || word.data[i] > '~')
      return wrong(row, err,
                   "an id or a toolkit is printable ASCII without blanks; a "
                   "comment has a line of its own");
  return add(protect, row, word.data, word.len, err);
}

/* A user's id is the rest of the line as it stands. Blanks around it may be a
   slip: then both are protected. */
static enum ca_code add_user(struct host_protect *protect,
                             const struct host_protect_row *row,
                             struct ca_slice rest, struct ca_err *err)
{
  struct ca_slice bare = trimmed(rest.data, rest.len);
  enum ca_code code;
  if(!bare.len)
    return wrong(row, err, "nothing follows user:");
  code = add(protect, row, rest.data, rest.len, err);
  return code ? code : add(protect, row, bare.data, bare.len, err);
}

/* "acount:ca_x": a word before a colon that is none of ours. */
static bool has_unknown_prefix(struct ca_slice line)
{
  const char *colon = memchr(line.data, ':', line.len);
  return colon && !begins(line, "ca_") && !begins(line, "ac_");
}

static enum ca_code check_bytes(const struct host_protect_row *row,
                                struct ca_slice line, struct ca_err *err)
{
  size_t i;
  for(i = 0; i < line.len; i++)
    if((unsigned char)line.data[i] < ' ' || line.data[i] == 0x7F)
      return wrong(row, err, "a control byte");
  if(!ca_is_utf8(line, NULL))
    return wrong(row, err, "not valid UTF-8");
  return CA_OK;
}

/* One line without its end. row: its place. */
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
  if(begins(line, "user:")) {
    raw.data = line.data + 5;
    raw.len = (size_t)(end - raw.data);
    row->sort = USER;
    return add_user(protect, row, raw, err);
  }
  if(begins(line, "toolkit:")) {
    row->sort = TOOLKIT;
    return add_word(protect, row, trimmed(line.data + 8, line.len - 8), err);
  }
  if(has_unknown_prefix(line))
    return wrong(row, err, "neither an id, nor user:ID, nor toolkit:SLUG");
  row->sort = ID;
  return add_word(protect, row, line, err);
}

enum ca_code host_protect_load(struct host_protect *protect, const char *path,
                               size_t *rows, struct ca_err *err)
{
  struct host_protect_row row = { NULL, 0, ID, path, 0 };
  size_t len = 0;
  size_t at = 0;
  char *text = host_read_file(path, FILE_MAX, &len, err);
  *rows = 0;
  if(!text)
    return err->code;
  if(len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3))
    at = 3;
  while(at < len && !err->code) {
    const char *end = memchr(text + at, '\n', len - at);
    size_t line = end ? (size_t)(end - text) - at : len - at;
    size_t bare = line && text[at + line - 1] == '\r' ? line - 1 : line;
    bool counts = false;
    row.line++;
    if(!add_line(protect, &row, text + at, bare, &counts, err) && counts)
      (*rows)++;
    at += line + 1;
  }
  free(text);
  return err->code;
}

/* ---- asking ---- */

static const struct host_protect_row *look(const struct host_protect *protect,
                                           enum sort sort, const char *text)
{
  const struct host_protect_row *row;
  if(!text || !*text || !protect->size)
    return NULL;
  row = find(protect, sort, text, strlen(text));
  return row->text ? row : NULL;
}

const char *host_protect_why(const struct host_protect *protect,
                             const char *id, const char *user,
                             const char *toolkit, char *out, size_t size)
{
  const struct host_protect_row *row = look(protect, ID, id);
  if(!row)
    row = look(protect, USER, user);
  if(!row)
    row = look(protect, TOOLKIT, toolkit);
  if(!row)
    return NULL;
  snprintf(out, size, "protected by %s:%zu", row->path, row->line);
  return out;
}
