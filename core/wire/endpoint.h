/* Where ops go: base URL, API key, limits, and the pace the service has asked
   for. Refuses base URLs that would leak the key. Knows nothing of ops. */
#ifndef CA_ENDPOINT_H
#define CA_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "wire/rate.h"

struct ca_op;

struct ca_endpoint_options {
  const char *base_url;   /* NULL: https://backend.composio.dev */
  const char *api_key;    /* required; copied into a wiped place */
  int64_t timeout_ms;     /* per attempt; 0: 60 000 */
  int64_t connect_ms;     /* 0: 10 000 */
  int64_t max_wait_ms;    /* the longest Retry-After obeyed; 0: 120 000 */
  int retries;            /* after the first attempt; -1: 2 */
  int concurrency;        /* attempts at once, 1 to 512; 0: 32 */
  double budget_percent;  /* of the organisation's limit; 0: 25 */
  double rate_per_second; /* 0: none but the service's own */
  const char *ca_file;    /* NULL: the system's */
};

struct ca_endpoint {
  uint64_t serial;  /* no other endpoint of the process has it; above 0 */
  char *base_url;   /* without trailing slash */
  char *key_header; /* "x-api-key: …"; a registered secret */
  char *ca_file;    /* or NULL */
  bool is_loopback;
  int64_t timeout_ms;
  int64_t connect_ms;
  int64_t max_wait_ms;
  int retries;
  int concurrency;
  int active;          /* attempts under way; the engine counts */
  double retry_tokens; /* retries left before a storm is stopped */
  struct ca_op *first; /* ops that wait for a start; the engine's */
  struct ca_op *last;
  struct ca_endpoint *next; /* with ops that wait; the engine's */
  struct ca_rate rate;
  uint64_t notices[8]; /* Deprecation/Sunset notices told, hashed */
  int notice_count;
  char fingerprint[17]; /* of base URL and key: names the project */
};

/* CA_USAGE: not http(s), http to a host that is not loopback, user info, a
   query or fragment, control bytes, a key that is empty or holds CR, LF or
   other control bytes, numbers out of range. The text says which. */
struct ca_endpoint *ca_endpoint_new(const struct ca_endpoint_options *options,
                                    struct ca_err *err);
/* Wipes the key. */
void ca_endpoint_free(struct ca_endpoint *endpoint);

/* An op ended: successes refill what retries use up, so that a struggling
   service gets at most half as many retries as it answers well, and a dead
   one CA_RETRY_TOKENS in all. */
#define CA_RETRY_TOKENS 100
bool ca_endpoint_may_retry(struct ca_endpoint *endpoint);
void ca_endpoint_did_well(struct ca_endpoint *endpoint);

/* The documented default. */
#define CA_DEFAULT_BASE_URL "https://backend.composio.dev"

#endif
