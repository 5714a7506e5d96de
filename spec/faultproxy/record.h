/* The log: one JSON line for each request that was seen.
 * Must not know sockets or rules; it writes what it is given. */
#ifndef FP_RECORD_H
#define FP_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FP_STRUCK_MAX 8

/* A fault that was applied: which rule (1 is the first), what, where. */
struct fp_struck {
  unsigned rule;
  const char *what;
  uint64_t at;
};

struct fp_record {
  uint64_t connection;
  uint64_t request; /* 0: the line is about a connection, not a request */
  uint64_t nth;
  const char *method, *target; /* borrowed during fp_record_write */
  uint64_t from_client, to_server, from_server, to_client;
  bool request_whole; /* the server was given all of it */
  bool reply_whole;   /* the server sent all of it */
  int status;
  const char *end; /* how it ended, one of a few fixed words */
  struct fp_struck struck[FP_STRUCK_MAX];
  unsigned struck_count;
};

/* Writes and flushes; a NULL `out` drops it. */
void fp_record_write(FILE *out, const struct fp_record *record);

#endif
