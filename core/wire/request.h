/* What to send: one op's target and body, made from an api row and the values
   of its fields; refuses what must not be sent. A *request* is data, an
   *attempt* is one exchange by curl, an *op* is one call as the script meant
   it. Knows nothing of curl, time or Lua. */
#ifndef CA_REQUEST_H
#define CA_REQUEST_H

#include <stdint.h>
#include "wire/api.h"
#include "base/buf.h"
#include "base/text.h"

/* No row has more fields. */
#define CA_FIELDS_MAX 16

struct ca_request {
  const struct ca_api *api;
  char id[160];         /* of the account or auth config; "" when none */
  struct ca_buf query;  /* without the '?' */
  struct ca_buf body;   /* JSON; written by ca_request_finish */
  struct ca_buf pieces; /* values of body fields, as JSON, one by one */
  struct {
    size_t from;
    size_t len; /* 0: not set */
  } piece[CA_FIELDS_MAX];
  enum ca_class cost; /* of the row, raised by fields */
  bool secret;        /* a field marked CA_SECRET was set */
  bool finished;
  unsigned seen; /* bit per field that was set */
};

/* Starts a request for the row. Fields are then set, in the row's order since
   the query keeps it, and ca_request_finish ends it. */
void ca_request_init(struct ca_request *request, const struct ca_api *api);
void ca_request_clear(struct ca_request *request);

/* Each sets one field. CA_USAGE with a text that names the field when the
   value must not be sent: empty or control bytes in an id, an empty list, a
   comma in a value that is filtered on, a word not in the row's list, a
   masked secret. */
CA_MUST_USE enum ca_code ca_request_text(struct ca_request *request,
                                         const struct ca_field *field,
                                         struct ca_slice value,
                                         struct ca_err *err);
CA_MUST_USE enum ca_code ca_request_texts(struct ca_request *request,
                                          const struct ca_field *field,
                                          const struct ca_slice *values,
                                          size_t count, struct ca_err *err);
CA_MUST_USE enum ca_code ca_request_integer(struct ca_request *request,
                                            const struct ca_field *field,
                                            int64_t value, struct ca_err *err);
CA_MUST_USE enum ca_code ca_request_boolean(struct ca_request *request,
                                            const struct ca_field *field,
                                            bool value, struct ca_err *err);
CA_MUST_USE enum ca_code ca_request_null(struct ca_request *request,
                                         const struct ca_field *field,
                                         struct ca_err *err);
/* A value that is JSON already (CA_ACL, CA_SCHEME, CA_OPEN). Borrows. */
CA_MUST_USE enum ca_code ca_request_json(struct ca_request *request,
                                         const struct ca_field *field,
                                         struct ca_slice json,
                                         struct ca_err *err);

/* Checks that nothing required is missing and closes the body. */
CA_MUST_USE enum ca_code ca_request_finish(struct ca_request *request,
                                           struct ca_err *err);

/* A finished request again from what the ledger keeps. query and body may be
   NULL: none, or the row's constant. */
CA_MUST_USE enum ca_code ca_request_restore(struct ca_request *request,
                                            const struct ca_api *api,
                                            const char *id, const char *query,
                                            const char *body,
                                            struct ca_err *err);

/* Path and query after the base URL, as they go on the wire. */
CA_MUST_USE enum ca_code ca_request_target(const struct ca_request *request,
                                           struct ca_buf *out);

/* The bytes of the body; empty slice with data != NULL for a body of length
   0, data == NULL for none. Borrows until the request changes. */
struct ca_slice ca_request_body(const struct ca_request *request);

/* Is this an id that may stand in a path? Says why not in err. `what` names
   it in the text: "account id". */
CA_MUST_USE enum ca_code ca_check_id(struct ca_slice value, const char *what,
                                     struct ca_err *err);

/* True for what the service shows instead of a secret: REDACTED, abcd... */
bool ca_is_masked(struct ca_slice value);

#endif
