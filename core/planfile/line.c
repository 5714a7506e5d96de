/* The lines of a saved plan's file, one at a time, none longer than it may be.
   Must not know: what lines say. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "planfile/plan_private.h"

#define PIECE (64 * 1024)

enum ca_code ca_plan_bad_line(const struct ca_plan_lines *lines,
                              const char *why, struct ca_err *err)
{
  return ca_err_set(err, CA_USAGE,
                    "the plan %s is not what was saved: line %lld: %s; save "
                    "it again with run --save-plan",
                    lines->path, (long long)lines->number, why);
}

enum ca_code ca_plan_lines_open(struct ca_plan_lines *lines, const char *path,
                                struct ca_err *err)
{
  struct stat info;

  memset(lines, 0, sizeof(*lines));
  ca_buf_init(&lines->line, CA_PLAN_LINE);
  lines->path = path;
  /* a pipe without a writer would be waited for */
  lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if(lines->fd < 0 || fstat(lines->fd, &info))
    return ca_err_set(err, CA_USAGE,
                      "cannot read the plan %s: %s; name a file that run "
                      "--save-plan has written",
                      path, strerror(errno));
  if(!S_ISREG(info.st_mode))
    return ca_err_set(
        err, CA_USAGE,
        "cannot read the plan %s: it is %s; name a file that "
        "run --save-plan has written",
        path, S_ISDIR(info.st_mode) ? "a directory" : "not a plain file");
  lines->piece = malloc(PIECE);
  return lines->piece ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

void ca_plan_lines_close(struct ca_plan_lines *lines)
{
  if(lines->fd >= 0)
    close(lines->fd);
  free(lines->piece);
  ca_buf_clear(&lines->line);
}

/* The next bytes; *more false at the end of the file. */
static enum ca_code read_piece(struct ca_plan_lines *lines, bool *more,
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

/* Adds to the line what is there of it; *whole with its newline, which is not
   added. */
static enum ca_code add_piece(struct ca_plan_lines *lines, bool *whole,
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
    return ca_plan_bad_line(lines, "it is longer than any line of a plan",
                            err);
  if(code)
    return ca_err_set(err, code, "out of memory");
  lines->at += len + (newline ? 1 : 0);
  return CA_OK;
}

/* The file is at its end: may it be? */
static enum ca_code check_end(const struct ca_plan_lines *lines,
                              struct ca_err *err)
{
  if(lines->line.len)
    return ca_plan_bad_line(lines, "the file ends within it", err);
  if(lines->may_end)
    return CA_OK;
  return ca_plan_bad_line(lines,
                          lines->number == 1
                              ? "the file is empty"
                              : "the file ends before its last line",
                          err);
}

enum ca_code ca_plan_lines_next(struct ca_plan_lines *lines, bool *more,
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
