/* Endpoints: base URL, API key, limits, and the pace. Base URLs that would
   leak the key are refused. Must not know: ops. */
#ifndef CA_ENDPOINT_H
#define CA_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/hashset.h"
#include "wire/rate.h"

struct ca_op;

#define CA_DEFAULT_BUDGET 25.0 /* percent */

struct ca_endpoint_options {
  const char *base_url;   /* NULL: https://backend.composio.dev */
  const char *api_key;    /* required; copied, and wiped when freed */
  int64_t timeout_ms;     /* per attempt; 0: CA_DEFAULT_TIMEOUT_MS */
  int64_t connect_ms;     /* 0: 10 000 */
  int64_t max_wait_ms;    /* the longest Retry-After to wait for; 0: 120 000 */
  int64_t deadline_ms;    /* no Retry-After beyond it is waited for, monotonic;
                             0: none */
  int retries;            /* after the first attempt; -1: 2 */
  int concurrency;        /* attempts at once, 1 to 512; 0: 32 */
  double budget_percent;  /* of the organisation's limit; 0: 25 */
  double rate_per_second; /* 0: only the service's own limit */
  const char *ca_file;    /* NULL: the system's */
};

struct ca_endpoint {
  uint64_t serial;  /* unique in the process, above 0 */
  char *base_url;   /* without trailing slash */
  char *key_header; /* "x-api-key: …"; a registered secret */
  char *ca_file;    /* or NULL */
  bool is_loopback;
  int64_t timeout_ms;
  int64_t connect_ms;
  int64_t max_wait_ms;
  int64_t deadline_ms;
  int64_t throttled_ms; /* first throttle since the last 2xx, monotonic; 0 */
  int retries;
  int concurrency;
  int active;          /* attempts in flight; the engine counts them */
  uint32_t worked;     /* one bit for each row that had a 2xx */
  uint64_t successes;  /* JSON replies with a status 2xx */
  double retry_tokens; /* the retry budget, against retry storms */
  struct ca_op *first; /* queued ops; belongs to the engine */
  struct ca_op *last;
  struct ca_endpoint
      *next; /* the next endpoint with queued ops; the engine's */
  struct ca_rate rate;
  char date[32];        /* the service's last Date header, "" without one */
  int64_t date_ms;      /* what it says */
  int64_t date_mono_ms; /* when it was first seen, monotonic */
  struct ca_hashset notices; /* hashes of the notices that were logged */
  char fingerprint[17];      /* id of the project, from base URL and key */
};

/* Returns NULL with CA_USAGE for: a scheme other than http(s), http to a host
   that is not loopback, user info, a query or fragment, control bytes, a key
   that is empty or has control bytes, numbers out of range. */
struct ca_endpoint *ca_endpoint_new(const struct ca_endpoint_options *options,
                                    struct ca_err *err);
/* Frees the endpoint and wipes the key. */
void ca_endpoint_free(struct ca_endpoint *endpoint);

/* The retry budget. Successes refill what retries use up: a struggling service
   gets at most half as many retries as successes, a dead one CA_RETRY_TOKENS
   in all. */
#define CA_RETRY_TOKENS 100
bool ca_endpoint_may_retry(struct ca_endpoint *endpoint);
void ca_endpoint_did_well(struct ca_endpoint *endpoint);

/* The service's clock. The first function takes the Date header of a reply (or
   "") at the monotonic time `now_ms`; the second returns the service's time
   now, in ms since 1970, or 0 when it has not sent one. It is early rather
   than late: a Date is cut to seconds and is delayed on its way. */
void ca_endpoint_take_date(struct ca_endpoint *endpoint, const char *date,
                           int64_t now_ms);
int64_t ca_endpoint_service_ms(const struct ca_endpoint *endpoint,
                               int64_t now_ms);

#define CA_DEFAULT_BASE_URL   "https://backend.composio.dev"
#define CA_DEFAULT_TIMEOUT_MS 60000

#endif
