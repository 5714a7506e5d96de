/* Parses option values.
   Must not know: which option they belong to. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host/option_value.h"

#define PIECE_SIZE 32

bool host_option_value_integer(const char *text, int64_t *out)
{
  char *end;
  long long value;
  errno = 0;
  value = strtoll(text, &end, 10);
  if(errno || end == text || *end)
    return false;
  *out = value;
  return true;
}

/* Reads a number in plain digits; *rest is the text after it. */
static bool read_number(const char *text, double *out, const char **rest)
{
  size_t len = strspn(text, "0123456789.");
  char *end;
  errno = 0;
  *out = strtod(text, &end);
  *rest = end;
  return !errno && *text >= '0' && *text <= '9' && end == text + len &&
         isfinite(*out);
}

bool host_option_value_duration(const char *text, int64_t *ms)
{
  double number;
  const char *unit;
  double scale = 1000;
  if(!read_number(text, &number, &unit))
    return false;
  if(!strcmp(unit, "ms"))
    scale = 1;
  else if(!strcmp(unit, "m"))
    scale = 60e3;
  else if(!strcmp(unit, "h"))
    scale = 3600e3;
  else if(!strcmp(unit, "d"))
    scale = 86400e3;
  else if(*unit && strcmp(unit, "s") != 0)
    return false;
  if(number * scale > 1e15)
    return false;
  *ms = (int64_t)(number * scale);
  return true;
}

bool host_option_value_rate(const char *text, double *per_second)
{
  const char *unit;
  if(!read_number(text, per_second, &unit) || *per_second <= 0)
    return false;
  if(!strcmp(unit, "/m"))
    *per_second /= 60;
  else if(*unit && strcmp(unit, "/s") != 0)
    return false;
  return true;
}

bool host_option_value_percent(const char *text, double *percent)
{
  const char *unit;
  return read_number(text, percent, &unit) && *percent <= 100 &&
         (!*unit || !strcmp(unit, "%"));
}

/* Copies the list element at *text, up to the comma, and moves *text past it.
   Returns false for an element that is empty or too long. */
static bool next_piece(const char **text, char out[PIECE_SIZE])
{
  size_t len = strcspn(*text, ",");
  if(!len || len >= PIECE_SIZE)
    return false;
  memcpy(out, *text, len);
  out[len] = '\0';
  *text += len;
  if(**text == ',')
    *text += (*text)[1] ? 1 : 0; /* a trailing comma stays and is refused */
  return true;
}

bool host_option_value_counts(const char *text, int64_t *list, int *used,
                              int max)
{
  char piece[PIECE_SIZE];
  do {
    int64_t value;
    if(*used == max || !next_piece(&text, piece) ||
       !host_option_value_integer(piece, &value) || value < 0)
      return false;
    list[(*used)++] = value;
  } while(*text);
  return true;
}

bool host_option_value_stop_on(const char *text, struct host_stop_on *stop_on)
{
  char piece[PIECE_SIZE];
  do {
    struct ca_stop_limit *limit;
    char *equals;
    if(!next_piece(&text, piece))
      return false;
    equals = strchr(piece, '=');
    if(!equals)
      return false;
    *equals = '\0';
    if(!strcmp(piece, "failed"))
      limit = &stop_on->failed;
    else if(!strcmp(piece, "unknown"))
      limit = &stop_on->unknown;
    else if(!strcmp(piece, "stale"))
      limit = &stop_on->stale;
    else
      return false;
    if(!ca_guard_limit_read(equals + 1, limit))
      return false;
  } while(*text);
  return true;
}
