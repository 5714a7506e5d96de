/* A clock that tests can replace. Use monotonic time for waiting, and wall
   time only for records and for comparison with the service. Must not know:
   what is timed. */
#ifndef CA_CLOCK_H
#define CA_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ca_clock {
  int64_t (*mono_ms)(void *ctx);
  int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC */
  void *ctx;
};

/* Returns the system clocks; static storage. */
const struct ca_clock *ca_clock_system(void);

int64_t ca_clock_mono_ms(const struct ca_clock *clock);
int64_t ca_clock_wall_ms(const struct ca_clock *clock);

/* Writes "2026-11-22T06:00:00.000Z" to out (at least 32 bytes). */
void ca_clock_format(int64_t wall_ms, char *out, size_t size);

/* Parses ISO 8601 as the service writes it ("…Z", with an optional fraction,
   or an offset such as +02:00) into milliseconds since 1970. Returns false if
   text is not a time. */
bool ca_clock_parse(const char *text, int64_t *wall_ms);
/* The same for a date of an HTTP header: "Sun, 22 Nov 2026 06:00:00 GMT". */
bool ca_clock_parse_http(const char *text, int64_t *wall_ms);

#endif
