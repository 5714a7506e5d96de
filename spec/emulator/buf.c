/* A growing run of bytes, and the few JSON pieces written into it.
   It must not know accounts, HTTP or files. */
#include "buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *emu_grow(void *old, size_t size)
{
  void *grown = realloc(old, size ? size : 1);
  if(!grown) {
    fprintf(stderr, "composio-emulator: out of memory (%zu bytes)\n", size);
    abort();
  }
  return grown;
}

void *emu_alloc(size_t size)
{
  void *memory = emu_grow(NULL, size);
  memset(memory, 0, size);
  return memory;
}

char *emu_copy_bytes(const char *bytes, size_t size)
{
  char *copy = emu_grow(NULL, size + 1);
  memcpy(copy, bytes, size);
  copy[size] = '\0';
  return copy;
}

char *emu_copy(const char *text)
{
  return text ? emu_copy_bytes(text, strlen(text)) : NULL;
}

void emu_buf_clear(struct emu_buf *buf)
{
  free(buf->bytes);
  memset(buf, 0, sizeof(*buf));
}

void emu_buf_reset(struct emu_buf *buf)
{
  buf->size = 0;
}

void emu_buf_need(struct emu_buf *buf, size_t more)
{
  if(buf->room - buf->size >= more)
    return;
  size_t room = buf->room ? buf->room * 2 : 1024;
  while(room - buf->size < more)
    room *= 2;
  buf->bytes = emu_grow(buf->bytes, room);
  buf->room = room;
}

void emu_buf_add(struct emu_buf *buf, const char *bytes, size_t size)
{
  if(!size)
    return;
  emu_buf_need(buf, size);
  memcpy(buf->bytes + buf->size, bytes, size);
  buf->size += size;
}

void emu_buf_again(struct emu_buf *buf, size_t from, size_t size)
{
  emu_buf_need(buf, size);
  memcpy(buf->bytes + buf->size, buf->bytes + from, size);
  buf->size += size;
}

void emu_buf_int(struct emu_buf *buf, int64_t number)
{
  char digits[24];
  size_t at = sizeof(digits);
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while(rest);
  if(number < 0)
    digits[--at] = '-';
  emu_buf_add(buf, digits + at, sizeof(digits) - at);
}

void emu_buf_format(struct emu_buf *buf, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if(length > 0) {
    emu_buf_need(buf, (size_t)length + 1);
    vsnprintf(buf->bytes + buf->size, (size_t)length + 1, format, again);
    buf->size += (size_t)length;
  }
  va_end(again);
  va_end(args);
}

/* Length of the UTF-8 sequence at `at`, 0 when it is not one. */
static size_t sequence(const unsigned char *at, size_t left)
{
  size_t length = 0;
  if(at[0] >= 0xc2 && at[0] <= 0xdf)
    length = 2;
  else if((at[0] & 0xf0) == 0xe0)
    length = 3;
  else if(at[0] >= 0xf0 && at[0] <= 0xf4)
    length = 4;
  if(!length || length > left)
    return 0;
  for(size_t i = 1; i < length; i++)
    if((at[i] & 0xc0) != 0x80)
      return 0;
  if((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
     (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
    return 0;
  return length;
}

static void escape(struct emu_buf *buf, unsigned char byte)
{
  switch(byte) {
  case '"':
    emu_buf_add(buf, "\\\"", 2);
    break;
  case '\\':
    emu_buf_add(buf, "\\\\", 2);
    break;
  case '\n':
    emu_buf_add(buf, "\\n", 2);
    break;
  default:
    emu_buf_format(buf, "\\u%04x", byte);
  }
}

void emu_buf_json_bytes(struct emu_buf *buf, const char *text, size_t size)
{
  const unsigned char *bytes = (const unsigned char *)text;
  size_t plain = 0; /* start of the run not yet written */
  size_t at = 0;
  emu_buf_need(buf, size + 2); /* enough when there is nothing to escape */
  emu_buf_char(buf, '"');
  while(at < size) {
    unsigned char byte = bytes[at];
    if(byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      at++;
      continue;
    }
    size_t length = byte >= 0x80 ? sequence(bytes + at, size - at) : 0;
    if(length) {
      at += length;
      continue;
    }
    emu_buf_add(buf, text + plain, at - plain);
    if(byte >= 0x80)
      emu_buf_add(buf, "\xef\xbf\xbd", 3);
    else
      escape(buf, byte);
    plain = ++at;
  }
  emu_buf_add(buf, text + plain, at - plain);
  emu_buf_char(buf, '"');
}

void emu_buf_json(struct emu_buf *buf, const char *text)
{
  if(text)
    emu_buf_json_bytes(buf, text, strlen(text));
  else
    emu_buf_add(buf, "null", 4);
}

void emu_buf_pair(struct emu_buf *buf, const char *name, const char *text)
{
  emu_buf_json(buf, name);
  emu_buf_char(buf, ':');
  emu_buf_json(buf, text);
}

static char *digits(char *at, int64_t number, int width)
{
  for(int i = width - 1; i >= 0; i--) {
    at[i] = (char)('0' + number % 10);
    number /= 10;
  }
  return at + width;
}

/* Civil date from days since 1970 (the proleptic Gregorian arithmetic over
   400-year eras). gmtime and strftime cost ten times as much, twice an
   account. */
void emu_buf_time(struct emu_buf *buf, int64_t time_ms)
{
  int64_t days = time_ms / 86400000;
  int64_t rest = time_ms % 86400000;
  if(rest < 0) {
    rest += 86400000;
    days--;
  }
  int64_t z = days + 719468;
  int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  int64_t month = mp < 10 ? mp + 3 : mp - 9;
  int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  char text[32];
  char *at = text;
  *at++ = '"';
  at = digits(at, year, 4);
  *at++ = '-';
  at = digits(at, month, 2);
  *at++ = '-';
  at = digits(at, doy - (153 * mp + 2) / 5 + 1, 2);
  *at++ = 'T';
  at = digits(at, rest / 3600000, 2);
  *at++ = ':';
  at = digits(at, rest / 60000 % 60, 2);
  *at++ = ':';
  at = digits(at, rest / 1000 % 60, 2);
  *at++ = '.';
  at = digits(at, rest % 1000, 3);
  *at++ = 'Z';
  *at++ = '"';
  emu_buf_add(buf, text, (size_t)(at - text));
}

const char *emu_buf_string(struct emu_buf *buf)
{
  emu_buf_need(buf, 1);
  buf->bytes[buf->size] = '\0';
  return buf->bytes;
}
