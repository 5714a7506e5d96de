/* What both yardsticks need: their options, their clock, a growing buffer.
 * Must not know curl, Lua or any job. */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stdbool.h>
#include <stddef.h>

struct bench_options {
  const char *job, *base_url, *ids_path, *id;
  const char *api_key; /* from COMPOSIO_API_KEY, as everywhere */
  size_t concurrency, page;
};

struct bench_buffer {
  char *bytes;
  size_t used, room;
};

/* Ends the program with 2 and a line on stderr when something is wrong. */
void bench_options_read(struct bench_options *options, int argc, char **argv,
                        const char *usage);
void bench_die(const char *what, const char *why);

/* CPU of this process so far, and wall since some start. */
double bench_cpu_seconds(void);
double bench_wall_seconds(void);
long bench_peak_rss_kb(void);

/* Keeps a NUL behind the bytes. */
void bench_buffer_add(struct bench_buffer *buffer, const char *bytes,
                      size_t size);

#endif
