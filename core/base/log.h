/* The log: one line per event, as text or JSON, with secrets masked.
   Must not know: what the events mean. */
#ifndef CA_LOG_H
#define CA_LOG_H

#include <stdbool.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/err.h"

enum ca_log_level { CA_LOG_QUIET, CA_LOG_WARN, CA_LOG_INFO, CA_LOG_DEBUG };
enum ca_log_format { CA_LOG_TEXT, CA_LOG_JSON };

struct ca_log {
  FILE *file; /* borrowed; NULL: no output */
  enum ca_log_level level;
  enum ca_log_format format;
  const struct ca_clock *clock;
  /* called before each line if not NULL: clears a progress line on the same
     terminal */
  void (*before)(void *ctx);
  void *before_ctx;
};

/* Writes one line. event is a short name ("retry"), the text is printf style.
   A failed write is ignored: a full disk must not change a run. */
void ca_log_event(const struct ca_log *log, enum ca_log_level level,
                  const char *event, const char *fmt, ...) CA_PRINTF(4, 5);

/* Writes one line at level info. In a JSON log, json becomes the member
   that is named like the event. json must not contain a line end. */
void ca_log_object(const struct ca_log *log, const char *event,
                   const char *json);

#endif
