/* The command line: the host's options as a table, and what a command line
   came to.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "err.h"

enum host_verb { HOST_RUN, HOST_HELP, HOST_SCRIPTS, HOST_VERSION };
enum host_progress { HOST_AUTO, HOST_ALWAYS, HOST_NEVER };

/* Texts point into argv. Numbers that were not given keep their default. */
struct host_options {
  enum host_verb verb;
  const char *script; /* NULL: none was named */
  bool help;          /* of the script when there is one */
  bool apply;
  const char *base_url;
  const char *api_key_file;
  const char *state_dir;
  const char *tls_ca;
  const char *log;
  bool log_json;
  const char *summary; /* "-": stdout */
  bool emulator;
  int64_t emulator_accounts;
  bool show_all;
  int64_t concurrency;
  double rate_per_second;
  double budget_percent;
  int64_t timeout_ms;
  int64_t max_wait_ms;
  int64_t retries; /* -1: not given */
  enum host_progress progress;
  bool quiet;
  int verbose;
  int64_t memory_mb;
  int64_t instructions; /* 0: no limit */
  bool allow_io;
  bool allow_os;
  int64_t limit_items; /* 0: all */
  char **params;       /* owned array, the script's own */
  int param_count;
  char **rest; /* what follows "--"; points into argv */
  int rest_count;
};

/* Reads argv. CA_USAGE with one line that says what is wrong and what was
   meant. Owns nothing but params: host_options_clear frees it. */
CA_MUST_USE enum ca_code host_options_parse(struct host_options *options,
                                            int argc, char **argv,
                                            struct ca_err *err);
void host_options_clear(struct host_options *options);

/* The options as help shows them. */
void host_options_print(FILE *file);
/* The same into out (NUL-terminated, cut to size). */
void host_options_text(char *out, size_t size);
/* The i-th option's name without dashes; NULL after the last. */
const char *host_options_name(int i);

/* "90s", "5m", "20h", "14d", or bare seconds, into milliseconds. */
bool host_duration_ms(const char *text, int64_t *out);

#endif
