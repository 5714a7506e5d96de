/* The result of an op, and the callback that gets it.
   Must not know: how ops are carried out. */
#ifndef CA_RESULT_H
#define CA_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

/* The result of one op. */
struct ca_result {
  struct ca_err err; /* code CA_OK if body has a 2xx reply */
  int status;        /* HTTP status of the last attempt, 0 without reply */
  int attempts;
  char request_id[64]; /* the x-request-id that we sent, or the service's */
  struct ca_buf body;  /* of the last attempt; move it to keep it */
  bool is_json;        /* by its content type */
  bool overdue;        /* not sent: its start_by_ms had passed */
  bool worked;         /* the endpoint has given this operation a 2xx before */
};

/* Called from ca_engine_step after curl has returned, never from submit. It
   may submit and cancel ops. result is borrowed for the call; the callback may
   move its body away and leave an initialised buffer behind. */
typedef void ca_done_fn(void *owner, uint64_t token, struct ca_result *result);

#endif
