/* Reads a plan file line by line, and a line's members: each must be known, of
   the right kind, and given once. Must not know: which lines there are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/json.h"
#include "planfile/plan_private.h"

#define PIECE (64 * 1024)

enum ca_code ca_line_bad(const struct ca_lines *lines, const char *why,
                         struct ca_err *err)
{
  return ca_err_set(
      err, CA_USAGE,
      "the plan %s is damaged or was edited: line %lld: %s; save "
      "it again with run --save-plan",
      lines->path, (long long)lines->number, why);
}

enum ca_code ca_lines_open(struct ca_lines *lines, const char *path,
                           struct ca_err *err)
{
  struct stat info;

  memset(lines, 0, sizeof(*lines));
  ca_buf_init(&lines->line, CA_PLAN_LINE);
  lines->path = path;
  /* without O_NONBLOCK, open would wait for a pipe's writer */
  lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if(lines->fd < 0 || fstat(lines->fd, &info))
    return ca_err_set(err, CA_USAGE,
                      "cannot read the plan %s: %s; give a file that run "
                      "--save-plan has written",
                      path, strerror(errno));
  if(!S_ISREG(info.st_mode))
    return ca_err_set(
        err, CA_USAGE,
        "cannot read the plan %s: it is %s; give a file that "
        "run --save-plan has written",
        path, S_ISDIR(info.st_mode) ? "a directory" : "not a plain file");
  lines->piece = malloc(PIECE);
  return lines->piece ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

void ca_lines_close(struct ca_lines *lines)
{
  if(lines->fd >= 0)
    close(lines->fd);
  free(lines->piece);
  ca_buf_clear(&lines->line);
}

/* Reads the next bytes; *more is false at the end of the file. */
static enum ca_code read_piece(struct ca_lines *lines, bool *more,
                               struct ca_err *err)
{
  ssize_t got;

  do
    got = read(lines->fd, lines->piece, PIECE);
  while(got < 0 && errno == EINTR);
  if(got < 0)
    return ca_err_set(err, CA_SYSTEM, "cannot read the plan %s: %s",
                      lines->path, strerror(errno));
  lines->at = 0;
  lines->end = (size_t)got;
  *more = got > 0;
  return CA_OK;
}

/* Appends the line's bytes that were read. *whole: its newline was among them;
   the newline is not appended. */
static enum ca_code add_piece(struct ca_lines *lines, bool *whole,
                              struct ca_err *err)
{
  const char *from = lines->piece + lines->at;
  size_t len = lines->end - lines->at;
  const char *newline = memchr(from, '\n', len);
  enum ca_code code;

  *whole = newline != NULL;
  if(newline)
    len = (size_t)(newline - from);
  code = ca_buf_add(&lines->line, from, len);
  if(code == CA_USAGE)
    return ca_line_bad(lines, "it is longer than any line of a plan", err);
  if(code)
    return ca_err_set(err, code, "out of memory");
  lines->at += len + (newline ? 1 : 0);
  return CA_OK;
}

/* Checks that the file may end here. */
static enum ca_code check_end(const struct ca_lines *lines, struct ca_err *err)
{
  if(lines->line.len)
    return ca_line_bad(lines, "the file ends in this line", err);
  if(lines->may_end)
    return CA_OK;
  return ca_line_bad(lines,
                     lines->number == 1 ? "the file is empty"
                                        : "the file ends before its last line",
                     err);
}

enum ca_code ca_lines_next(struct ca_lines *lines, bool *more,
                           struct ca_err *err)
{
  bool whole = false;
  enum ca_code code = CA_OK;

  *more = true;
  ca_buf_reset(&lines->line);
  lines->number++;
  while(!code && !whole) {
    if(lines->at == lines->end)
      code = read_piece(lines, more, err);
    if(code || !*more)
      break;
    code = add_piece(lines, &whole, err);
  }
  return code || *more ? code : check_end(lines, err);
}

/* ---- members ---- */

static bool refuse(char why[160], const char *what, struct ca_slice name)
{
  char said[64];

  ca_text_printable(said, sizeof(said), name.data, name.len);
  snprintf(why, 160, "\"%s\" %s", said, what);
  return false;
}

/* Reads a non-negative integer of at most 18 digits and nothing else. */
static bool take_number(struct ca_slice value, int64_t *number)
{
  char digits[24];
  size_t i;

  if(value.len > 18 || (value.len > 1 && value.data[0] == '0'))
    return false;
  for(i = 0; i < value.len; i++)
    if(value.data[i] < '0' || value.data[i] > '9')
      return false;
  ca_err_copy_text(digits, sizeof(digits), value.data, value.len);
  *number = strtoll(digits, NULL, 10);
  return true;
}

/* Unescapes a text, or copies another value, into room. Returns how many bytes
   were used, 0 when the value is not of the field's kind. A room as long as
   the line is enough: the NUL after a text takes less than its quotes, and
   after another value no more than the comma or bracket that follows it. */
static size_t take_text(enum ca_json_kind kind, struct ca_slice value,
                        const struct ca_plan_field *field, char *room)
{
  int64_t len = (int64_t)value.len;

  if(field->kind == CA_PLAN_JSON)
    memcpy(room, value.data, value.len);
  else if(kind != CA_JSON_STRING)
    return 0;
  else
    len = ca_json_unescape(value, room);
  if(len < 0 || memchr(room, 0, (size_t)len))
    return 0; /* a lone surrogate, or a NUL */
  room[len] = '\0';
  *(const char **)field->to = room;
  return (size_t)len + 1;
}

/* Stores the value. False when it is not of the field's kind. */
static bool take_value(enum ca_json_kind kind, struct ca_slice value,
                       const struct ca_plan_field *field, char **room)
{
  size_t used;

  switch(field->kind) {
  case CA_PLAN_NUMBER:
    return kind == CA_JSON_NUMBER && take_number(value, field->to);
  case CA_PLAN_FLAG:
    *(bool *)field->to = true;
    return kind == CA_JSON_TRUE;
  case CA_PLAN_TEXT:
  case CA_PLAN_JSON:
    break;
  }
  used = take_text(kind, value, field, *room);
  *room += used;
  return used != 0;
}

/* Returns the field's index, `count` when there is none. */
static size_t find_field(struct ca_slice key,
                         const struct ca_plan_field *fields, size_t count)
{
  size_t i;

  for(i = 0; i < count; i++)
    if(strlen(fields[i].name) == key.len &&
       !memcmp(fields[i].name, key.data, key.len))
      break;
  return i;
}

bool ca_line_members(struct ca_slice object,
                     const struct ca_plan_field *fields, size_t count,
                     char *room, char why[160])
{
  struct ca_json_scan scan = { object.data, object.data + object.len };
  struct ca_slice key, value;
  unsigned seen = 0; /* no line has more than 32 fields */
  bool first = true;
  int more = ca_json_enter(&scan, '{') ? 1 : -1;
  size_t i;

  while(more == 1 && (more = ca_json_member(&scan, &first, &key)) == 1) {
    enum ca_json_kind kind = ca_json_value(&scan, &value);
    i = find_field(key, fields, count);
    if(kind == CA_JSON_BAD)
      more = -1;
    else if(i == count)
      return refuse(why, "is not known", key);
    else if(seen & 1U << i)
      return refuse(why, "is given twice", key);
    else if(!take_value(kind, value, &fields[i], &room))
      return refuse(why, "has a value of the wrong kind", key);
    seen |= 1U << i;
  }
  if(more < 0 || !ca_json_at_end(&scan)) {
    snprintf(why, 160, "it is not a JSON object");
    return false;
  }
  for(i = 0; i < count; i++)
    if(fields[i].needed && !(seen & 1U << i)) {
      struct ca_slice name = { fields[i].name, strlen(fields[i].name) };
      return refuse(why, "is missing", name);
    }
  return true;
}
