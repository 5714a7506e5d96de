/* Time, in one place, so that tests can move it. Monotonic time is for
   waiting; wall time only for records and for comparing with the service.
   Knows nothing of what is timed. */
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

/* The machine's clocks. Static storage. */
const struct ca_clock *ca_clock_system(void);

int64_t ca_clock_mono_ms(const struct ca_clock *clock);
int64_t ca_clock_wall_ms(const struct ca_clock *clock);

/* "2026-11-22T06:00:00.000Z" into out (at least 32 bytes). */
void ca_clock_format(int64_t wall_ms, char *out, size_t size);

/* ISO 8601 as the service writes it ("…Z", fraction optional, or an offset
   such as +02:00) into ms since 1970. False when it is not one. */
bool ca_clock_parse(const char *text, int64_t *wall_ms);
/* The same for a date as HTTP headers write it: "Sun, 22 Nov 2026 06:00:00
   GMT". */
bool ca_clock_parse_http(const char *text, int64_t *wall_ms);

#endif
