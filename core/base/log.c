/* Writing log lines, masked and harmless for a terminal.
   Must not know: what the events mean. */
#include <stdarg.h>
#include <string.h>
#include "base/json_write.h"
#include "base/log.h"
#include "base/secret.h"

#define SCHEMA 1 /* of a JSON line: raise it when a member changes */

static const char *level_name(enum ca_log_level level)
{
  static const char *const names[] = { "error", "warning", "info", "debug" };
  return names[level];
}

static void write_json(const struct ca_log *log, const char *when,
                       enum ca_log_level level, const char *event,
                       const char *text, const char *object)
{
  struct ca_json_write json;
  struct ca_buf line;

  ca_buf_init(&line, 1u << 24);
  ca_json_write_begin(&json, &line);
  ca_json_write_number(&json, "schema", SCHEMA);
  ca_json_write_text(&json, "time", when);
  ca_json_write_text(&json, "level", level_name(level));
  ca_json_write_text(&json, "event", event);
  if(object)
    ca_json_write_raw(&json, event, object);
  else
    ca_json_write_text(&json, "text", text);
  if(!ca_json_write_end(&json) && !ca_buf_add(&line, "\n", 1))
    fwrite(line.data, 1, line.len, log->file);
  ca_buf_clear(&line);
}

static void format_now(const struct ca_log *log, char when[32])
{
  ca_clock_format(
      ca_clock_wall_ms(log->clock ? log->clock : ca_clock_system()), when, 32);
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
  ca_text_printable(clean, sizeof(clean), text, strlen(text));
  format_now(log, when);
  if(log->before)
    log->before(log->before_ctx);
  if(log->format == CA_LOG_JSON)
    write_json(log, when, level, event, clean, NULL);
  else
    fprintf(log->file, "%s %s %s: %s\n", when, level_name(level), event,
            clean);
  fflush(log->file);
}

void ca_log_object(const struct ca_log *log, const char *event,
                   const char *json)
{
  char when[32];
  if(!log->file || log->level < CA_LOG_INFO)
    return;
  format_now(log, when);
  if(log->format == CA_LOG_JSON)
    write_json(log, when, CA_LOG_INFO, event, NULL, json);
  else
    fprintf(log->file, "%s %s %s: %s\n", when, level_name(CA_LOG_INFO), event,
            json);
  fflush(log->file);
}
