/* One exchange with the service: owns the curl easy handle, and all curl
   callbacks live here. Callbacks copy bytes and return; no Lua, no engine call
   can happen inside one. A *request* is data, an *op* is meaning (engine).
   Must not know: retries, other attempts, Lua. */
#ifndef CA_ATTEMPT_H
#define CA_ATTEMPT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "wire/endpoint.h"
#include "wire/request.h"

/* A reply body past this is cut off and the attempt fails. */
#define CA_REPLY_MAX (16 << 20)

/* What the reply's headers said; absent numbers are -1. */
struct ca_headers {
  int64_t limit;
  int64_t remaining;
  int64_t window_ms;
  int64_t retry_after_ms; /* `retry-after-ms` */
  char retry_after[64];   /* `retry-after`, as sent; "" absent */
  int should_retry;       /* 1 true, 0 false, -1 absent */
  bool is_json;
  bool whole; /* up to the empty line; without it the head was cut off */
  char request_id[64];
  char date[32]; /* the service's clock, as sent; "" absent */
  char location_host[128];
  char deprecation[80];
  char sunset[80];
};

struct ca_attempt {
  CURL *easy;
  CURLU *parts;                 /* of the URL */
  struct ca_attempt *next;      /* in the engine's pool */
  void *op;                     /* the engine's */
  struct ca_endpoint *endpoint; /* of the request under way */
  /* what the handle is set up for; NULL or 0: for nothing yet */
  uint64_t set_up_for; /* an endpoint's serial; UINT64_MAX: half set up */
  const struct ca_api *api;
  int64_t timeout_ms;
  struct curl_slist headers[5]; /* nodes of ours, chained per request */
  char request_id[64];          /* "x-request-id: <uuid>" */
  char error[CURL_ERROR_SIZE];
  struct ca_buf url;
  struct ca_buf body; /* of the reply */
  size_t usual;       /* as long was the operation's last one; 0: not known */
  struct ca_headers said;
  int sends; /* how often libcurl sent of it: it repeats by itself what dies on
                a reused connection before a byte of the reply */
  int64_t before;  /* libcurl's count of bytes when it last asked */
  int64_t counted; /* and before it connected since; -1: it cannot say */
  bool reconnects; /* it did */
  bool *counts;    /* CURLINFO_REQUEST_SIZE was seen to count; the engine's */
  bool held_back;  /* libcurl was not allowed to send it again */
  bool ended_well; /* the handle may be used again */
  bool too_large;
};

/* NULL when out of memory. Borrows *counts for its life, which all attempts of
   an engine share: false at first, true once a request that was answered has
   had its bytes counted by libcurl. */
struct ca_attempt *ca_attempt_new(bool *counts);
void ca_attempt_free(struct ca_attempt *attempt);

/* Makes the handle ready for a request (borrowed until the end) at endpoint;
   request_id is the op's own uuid. What its row says must not be repeated
   libcurl does not repeat on a new connection behind our back, either. */
CA_MUST_USE enum ca_code
ca_attempt_prepare(struct ca_attempt *attempt, struct ca_endpoint *endpoint,
                   const struct ca_request *request, const char *request_id,
                   int64_t timeout_ms, struct ca_err *err);

/* To be told how libcurl ended the transfer, before the next question. A
   handle that did not end well must not be used again: some versions of
   libcurl (8.7 to 8.15) keep such a failure in it for ever. */
void ca_attempt_ended(struct ca_attempt *attempt, CURLcode result);

/* May a byte of the request have reached the service? Also valid while it
   runs. Rests on documented facts: CURLOPT_PREREQFUNCTION is called before a
   request is made on a connection, so nothing has left before its first call;
   CURLINFO_REQUEST_SIZE counts the bytes of the requests that were issued;
   CURLOPT_SOCKOPTFUNCTION is called before a connection is made, and what is
   counted from there on is no byte of what was asked for before. A count that
   was never seen to count proves nothing: then true. */
bool ca_attempt_may_have_left(const struct ca_attempt *attempt);

/* One line about a transport failure, for people. */
void ca_attempt_explain(const struct ca_attempt *attempt, CURLcode result,
                        struct ca_err *err);

#endif
