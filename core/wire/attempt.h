/* One exchange with the service. Owns the curl easy handle and holds all curl
   callbacks, which copy bytes and return: none calls Lua or the engine. A
   *request* is the data to send; an *op* (engine) is one call as the script
   meant it, over all its attempts.
   Must not know: retries, other attempts, Lua. */
#ifndef CA_ATTEMPT_H
#define CA_ATTEMPT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "wire/endpoint.h"
#include "wire/request.h"

/* An attempt whose reply body is larger than this fails. */
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
  bool whole; /* the empty line was read; else the head was cut off */
  char request_id[256]; /* as sent: mask it before it is shown or cut */
  char date[32];        /* the service's clock, as sent; "" absent */
  char location_host[128];
  char deprecation[80];
  char sunset[80];
};

struct ca_attempt {
  CURL *easy;
  CURLU *parts;                 /* the URL's */
  struct ca_attempt *next;      /* in the engine's pool */
  void *op;                     /* the engine's op */
  struct ca_endpoint *endpoint; /* the current request's */
  /* what the handle is set up for; NULL or 0: for nothing yet */
  uint64_t set_up_for; /* an endpoint's serial; UINT64_MAX: half set up */
  const struct ca_api *api;
  int64_t timeout_ms;
  struct curl_slist headers[5]; /* own nodes, linked per request */
  char request_id[64];          /* "x-request-id: <uuid>" */
  char error[CURL_ERROR_SIZE];
  struct ca_buf url;
  struct ca_buf body; /* the reply's */
  size_t usual;       /* length of the operation's last body; 0: not known */
  struct ca_headers said;
  int sends; /* how often libcurl sent it: libcurl resends by itself when a
                reused connection dies before the first byte of the reply */
  int64_t before;  /* libcurl's count of bytes at its last on_send */
  int64_t counted; /* and at its first on_connect since; -1: not known */
  bool reconnects; /* it has connected since its last on_send */
  bool *counts;    /* has CURLINFO_REQUEST_SIZE been seen to count? Borrowed */
  bool held_back;  /* libcurl was refused a resend */
  bool ended_well; /* the handle may be reused */
  bool too_large;
};

/* NULL when out of memory. Borrows *counts until ca_attempt_free; all attempts
   of an engine share it. It starts as false and becomes true once libcurl has
   counted the bytes of a request that was answered. */
struct ca_attempt *ca_attempt_new(bool *counts);
void ca_attempt_free(struct ca_attempt *attempt);

/* Sets the handle up for a request (borrowed until the transfer ends) to
   endpoint; request_id is the op's own uuid. If the operation's row forbids
   repeating it, libcurl cannot resend it on a new connection either. */
CA_MUST_USE enum ca_code
ca_attempt_prepare(struct ca_attempt *attempt, struct ca_endpoint *endpoint,
                   const struct ca_request *request, const char *request_id,
                   int64_t timeout_ms, struct ca_err *err);

/* Call with libcurl's result as soon as the transfer has ended, before either
   function below is used on it. A handle whose transfer failed must not be
   reused: libcurl 8.7 to 8.15 can keep the failure in it for ever. */
void ca_attempt_ended(struct ca_attempt *attempt, CURLcode result);

/* May a byte of the request have reached the service? Also valid during the
   transfer. Relies on documented facts: CURLOPT_PREREQFUNCTION is called
   before a request is made on a connection, so nothing has left before its
   first call; CURLINFO_REQUEST_SIZE counts the bytes of issued requests;
   CURLOPT_SOCKOPTFUNCTION is called before a connection is made, and bytes
   counted after that are not from the send before it. Returns true if libcurl
   was never seen to count, since a count of 0 then proves nothing. */
bool ca_attempt_may_have_left(const struct ca_attempt *attempt);

/* Describes a transport failure in one line, for people. */
void ca_attempt_explain(const struct ca_attempt *attempt, CURLcode result,
                        struct ca_err *err);

#endif
