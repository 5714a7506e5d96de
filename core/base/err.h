/* The core's error codes, and the record that carries a cause from where it is
   known to where it is shown.
   Must not know: HTTP exchanges, Lua, the ledger. */
#ifndef CA_ERR_H
#define CA_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define CA_MUST_USE     __attribute__((warn_unused_result))
#define CA_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum ca_code {
  CA_OK = 0,
  CA_NOMEM,     /* out of memory */
  CA_USAGE,     /* a wrong value; nothing was sent */
  CA_GATE,      /* the write gate is shut; nothing was sent */
  CA_NETWORK,   /* no reply: resolving, connecting, TLS, a cut connection */
  CA_TIMEOUT,   /* no reply in time */
  CA_HTTP,      /* a reply whose status is not 2xx */
  CA_REPLY,     /* a 2xx reply that is not the service's */
  CA_CANCELLED, /* cancelled by the caller */
  CA_CLOSED,    /* the endpoint was closed before the op ended */
  CA_SYSTEM     /* one of our files or the database */
};

/* One failure. It is plain data without ownership: copy it by assignment.
   Texts that are too long are cut. */
struct ca_err {
  enum ca_code code;
  bool unknown;   /* the request may have been carried out */
  bool retryable; /* the same call may succeed later */
  bool foreign;   /* a refusal that is not the service's own word */
  bool throttled; /* the service asks to come back later (Retry-After) */
  bool overlong;  /* later than the endpoint waits */
  bool no_route;  /* the service does not have the route: see wire/reply.h */
  int status;     /* HTTP status, 0 without a reply */
  int curl_code;  /* CURLcode of the last attempt, 0 if it succeeded */
  int attempts;   /* number of HTTP exchanges */
  int api_code;   /* the service's numeric `code`, 0 if absent */
  char slug[80];  /* such as ConnectedAccount_ResourceNotFound */
  char request_id[64];
  char fix[256];  /* what to do, as the service suggests */
  char text[640]; /* the message: one line, without secrets */
};

/* Clears the record: code CA_OK, no text. */
void ca_err_clear(struct ca_err *err);

/* Clears the record and sets code and text (printf style). Returns the code,
   for `return ca_err_set(err, CA_USAGE, …)`. err may be NULL. */
enum ca_code ca_err_set(struct ca_err *err, enum ca_code code, const char *fmt,
                        ...) CA_PRINTF(3, 4);

/* Copies at most size-1 bytes and a NUL; never cuts inside a UTF-8 sequence.
 */
void ca_err_copy_text(char *to, size_t size, const char *from, size_t length);

#endif
