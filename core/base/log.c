/* Writing log lines, masked and harmless for a terminal. Knows nothing of what
   the events mean. */
#include <stdarg.h>
#include <string.h>
#include "base/text.h"
#include "base/log.h"
#include "base/secret.h"

/* Code points a terminal acts on or that reorder text: C0, DEL, C1, the
   bidirectional controls, line and paragraph separators. */
static bool is_harmful(unsigned code_point)
{
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
         code_point == 0x061C || code_point == 0x200E ||
         code_point == 0x200F ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069) ||
         code_point == 0xFEFF;
}

/* Decodes one sequence; its length, 0 when it is not valid UTF-8. */
static size_t decode(const char *from, size_t len, unsigned *code_point)
{
  const unsigned char *p = (const unsigned char *)from;
  size_t n = *p < 0x80 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
  struct ca_slice one = { from, n };
  size_t i;

  if(n > len || !ca_is_utf8(one, NULL))
    return 0;
  *code_point = n == 1 ? *p : *p & (0xFFU >> (n + 1));
  for(i = 1; i < n; i++)
    *code_point = *code_point << 6 | (p[i] & 0x3FU);
  return n;
}

/* How many bytes from here on are plain ASCII, as nearly all are. */
static size_t plain_run(const char *from, size_t len)
{
  size_t n = 0;
  while(n < len && from[n] >= 0x20 && from[n] < 0x7F)
    n++;
  return n;
}

/* What stands for the character at from, of *n bytes, or for a byte that is
   none. */
static size_t escape(const char *from, size_t len, size_t *n, char out[12])
{
  unsigned code_point = 0;
  int written;

  *n = decode(from, len, &code_point);
  if(*n && !is_harmful(code_point)) {
    memcpy(out, from, *n);
    return *n;
  }
  if(!*n) {
    *n = 1;
    written = snprintf(out, 12, "\\x%02x", (unsigned char)*from);
  } else if(code_point < 0x100)
    written = snprintf(out, 12, "\\x%02x", code_point);
  else
    written = snprintf(out, 12, "\\u{%x}", code_point);
  return (size_t)written;
}

void ca_log_clean(char *to, size_t size, const char *from, size_t len)
{
  size_t used = 0;

  if(!size)
    return;
  while(len) {
    char escaped[12];
    size_t n = plain_run(from, len);
    const char *piece = from;
    size_t piece_len = n;

    if(!n) {
      piece_len = escape(from, len, &n, escaped);
      piece = escaped;
    } else if(n > size - 1 - used)
      n = piece_len = size - 1 - used; /* cut; the next one does not fit */
    if(!n || used + piece_len >= size)
      break;
    memcpy(to + used, piece, piece_len);
    used += piece_len;
    from += n;
    len -= n;
  }
  to[used] = '\0';
}

static const char *level_name(enum ca_log_level level)
{
  switch(level) {
  case CA_LOG_WARN:
    return "warning";
  case CA_LOG_INFO:
    return "info";
  case CA_LOG_DEBUG:
    return "debug";
  case CA_LOG_QUIET:
    break;
  }
  return "error";
}

static void write_json(const struct ca_log *log, const char *when,
                       enum ca_log_level level, const char *event,
                       const char *text)
{
  struct ca_buf line;
  struct ca_slice value = { text, strlen(text) };

  ca_buf_init(&line, 16384);
  if(!ca_buf_printf(&line,
                    "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when,
                    level_name(level), event) &&
     !ca_buf_add_text(&line, ",\"text\":") && !ca_json_string(&line, value) &&
     !ca_buf_add_text(&line, "}\n"))
    fwrite(line.data, 1, line.len, log->file);
  ca_buf_clear(&line);
}

void ca_log_event(const struct ca_log *log, enum ca_log_level level,
                  const char *event, const char *fmt, ...)
{
  char text[2048];
  char clean[4096];
  char when[32];
  va_list args;
  int len;

  if(!log || !log->file || level > log->level)
    return;
  va_start(args, fmt);
  len = vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if(len < 0)
    return;
  ca_secret_mask(text, strlen(text));
  ca_log_clean(clean, sizeof(clean), text, strlen(text));
  ca_clock_format(
      ca_clock_wall_ms(log->clock ? log->clock : ca_clock_system()), when,
      sizeof(when));
  if(log->before)
    log->before(log->before_ctx);
  if(log->format == CA_LOG_JSON)
    write_json(log, when, level, event, clean);
  else
    fprintf(log->file, "%s %s %s: %s\n", when, level_name(level), event,
            clean);
  fflush(log->file);
}
