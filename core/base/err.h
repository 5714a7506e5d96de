/* What went wrong, once: the error codes of the core and the record that
   carries a cause from where it is known to where it is shown.
   Knows nothing of HTTP exchanges, Lua or the ledger. */
#ifndef CA_ERR_H
#define CA_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define CA_MUST_USE     __attribute__((warn_unused_result))
#define CA_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum ca_code {
  CA_OK = 0,
  CA_NOMEM,     /* out of memory */
  CA_USAGE,     /* a value that must not be sent; nothing was sent */
  CA_GATE,      /* the write gate is shut; nothing was sent */
  CA_NETWORK,   /* no reply: resolve, connect, TLS, cut */
  CA_TIMEOUT,   /* no reply in time */
  CA_HTTP,      /* a reply whose status is not 2xx */
  CA_REPLY,     /* a 2xx reply that cannot be what the service says */
  CA_CANCELLED, /* given up by the caller */
  CA_CLOSED,    /* the endpoint was closed before the op ended */
  CA_SYSTEM     /* a file or database of ours */
};

/* Everything later code may want to say about one failure. Plain data: copy
   by assignment, no ownership. Texts are cut, never overrun. */
struct ca_err {
  enum ca_code code;
  bool unknown;   /* the request may have been carried out */
  bool retryable; /* the same call may succeed later */
  int status;     /* HTTP status, 0 without a reply */
  int curl_code;  /* CURLcode of the last attempt, 0 when fine */
  int attempts;   /* HTTP exchanges made */
  int api_code;   /* numeric `code` of the service, 0 when absent */
  char slug[80];  /* such as ConnectedAccount_ResourceNotFound */
  char request_id[64];
  char fix[256];  /* what the service suggests */
  char text[640]; /* one line for people, without secrets */
};

/* Empties the record: code CA_OK, no text. */
void ca_err_clear(struct ca_err *err);

/* Sets code and text (printf style) in a cleared record; returns the code, so
   that `return ca_err_set(err, CA_USAGE, …)` is one line. err may be NULL. */
enum ca_code ca_err_set(struct ca_err *err, enum ca_code code, const char *fmt,
                        ...) CA_PRINTF(3, 4);

/* The code's own word: "network", "timeout", … Static storage. */
const char *ca_code_name(enum ca_code code);

/* Copies at most size-1 bytes and always ends with a NUL; never cuts inside a
   UTF-8 sequence. */
void ca_copy_text(char *to, size_t size, const char *from, size_t length);

#endif
