/* What both yardsticks need: their options, their clock, a growing buffer.
 * Must not know curl, Lua or any job. */
#include "tool.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
  BENCH_JOB = 256,
  BENCH_BASE_URL,
  BENCH_IDS,
  BENCH_ID,
  BENCH_CONCURRENCY,
  BENCH_PAGE,
  BENCH_HELP
};

static const struct option bench_long[] = {
  { "job", required_argument, NULL, BENCH_JOB },
  { "base-url", required_argument, NULL, BENCH_BASE_URL },
  { "ids", required_argument, NULL, BENCH_IDS },
  { "id", required_argument, NULL, BENCH_ID },
  { "concurrency", required_argument, NULL, BENCH_CONCURRENCY },
  { "page", required_argument, NULL, BENCH_PAGE },
  { "help", no_argument, NULL, BENCH_HELP },
  { NULL, 0, NULL, 0 },
};

void bench_die(const char *what, const char *why)
{
  fprintf(stderr, "%s: %s\n", what, why);
  exit(2);
}

static size_t bench_count(const char *text)
{
  char *end;
  unsigned long number = strtoul(text, &end, 10);

  if(*end || number < 1 || number > 10000000) {
    bench_die(text, "wants a whole number above 0");
  }
  return (size_t)number;
}

void bench_options_read(struct bench_options *options, int argc, char **argv,
                        const char *usage)
{
  int option;

  memset(options, 0, sizeof *options);
  options->job = "j1";
  options->concurrency = 64;
  options->page = 100;
  while((option = getopt_long(argc, argv, "", bench_long, NULL)) != -1) {
    switch(option) {
    case BENCH_JOB:
      options->job = optarg;
      break;
    case BENCH_BASE_URL:
      options->base_url = optarg;
      break;
    case BENCH_IDS:
      options->ids_path = optarg;
      break;
    case BENCH_ID:
      options->id = optarg;
      break;
    case BENCH_CONCURRENCY:
      options->concurrency = bench_count(optarg);
      break;
    case BENCH_PAGE:
      options->page = bench_count(optarg);
      break;
    case BENCH_HELP:
      fputs(usage, stdout);
      exit(0);
    default:
      fputs(usage, stderr);
      exit(2);
    }
  }
  options->api_key = getenv("COMPOSIO_API_KEY");
  if(!options->base_url || !options->api_key) {
    bench_die("usage", "--base-url and COMPOSIO_API_KEY are needed");
  }
}

double bench_cpu_seconds(void)
{
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double bench_wall_seconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

long bench_peak_rss_kb(void)
{
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void bench_buffer_add(struct bench_buffer *buffer, const char *bytes,
                      size_t size)
{
  char *more;

  if(buffer->used + size + 1 > buffer->room) {
    buffer->room = (buffer->used + size + 1) * 2;
    more = realloc(buffer->bytes, buffer->room);
    if(!more) {
      bench_die("memory", "exhausted");
    }
    buffer->bytes = more;
  }
  memcpy(buffer->bytes + buffer->used, bytes, size);
  buffer->used += size;
  buffer->bytes[buffer->used] = '\0';
}
