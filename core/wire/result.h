/* How an op ended, and who is told. Knows nothing of how ops are carried. */
#ifndef CA_RESULT_H
#define CA_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

/* How one op ended. */
struct ca_result {
  struct ca_err err; /* code CA_OK when a 2xx reply is in body */
  int status;        /* HTTP status of the last attempt, 0 without reply */
  int attempts;
  char request_id[64]; /* the x-request-id we sent, or the service's own */
  struct ca_buf body;  /* of the last attempt; move it out to keep it */
  bool is_json;        /* by its content type */
  char date[32]; /* the service's clock in the last reply, as HTTP writes it;
                    "" when it said none */
};

/* Called from ca_engine_step, after curl has returned; never from submit.
   May submit and cancel. result is borrowed for the call; its body may be
   moved out (leave an initialised buf behind). */
typedef void ca_done_fn(void *owner, uint64_t token, struct ca_result *result);

#endif
