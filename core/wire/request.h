/* A request: the target and body of one op, built from an api row and the
   values of its fields. Values that must not be sent are refused. (A request
   is data, an attempt is one HTTP exchange, an op is one call of the script.)
   Must not know: curl, time, Lua. */
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
  char id[160];         /* the account's or auth config's, or "" */
  struct ca_buf query;  /* without the '?' */
  struct ca_buf body;   /* JSON; written by ca_request_finish */
  struct ca_buf pieces; /* values of the body fields as JSON */
  struct {
    size_t from;
    size_t len; /* 0: not set */
  } piece[CA_FIELDS_MAX];
  enum ca_class cost; /* the row's class, raised by fields */
  bool secret;        /* a field marked CA_SECRET was set */
  bool finished;
  unsigned seen; /* one bit for each field that was set */
};

/* Begins a request for the row. Then set the fields, in the row's order, which
   the query keeps, and call ca_request_finish. */
void ca_request_init(struct ca_request *request, const struct ca_api *api);
void ca_request_clear(struct ca_request *request);

/* Each sets one field. CA_USAGE, with a message that names the field, for a
   value that must not be sent: an empty id or one with control bytes, an empty
   list, a comma in a filter's value, a word that is not in the row's list, a
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
/* Sets a field to a value that already is JSON (CA_ACL, CA_SCHEME, CA_OPEN).
 */
CA_MUST_USE enum ca_code ca_request_json(struct ca_request *request,
                                         const struct ca_field *field,
                                         struct ca_slice json,
                                         struct ca_err *err);
/* Sets the field of that name to a text, or, where it takes a list, to a list
   of this one. */
CA_MUST_USE enum ca_code ca_request_set(struct ca_request *request,
                                        const char *name, const char *value,
                                        struct ca_err *err);

/* May the text be in a list of a query? The service splits lists at commas, so
   nobody whose id holds one can be asked for by a filter. */
bool ca_request_can_list(const char *value);

/* Checks that no required field is missing, and completes the body. */
CA_MUST_USE enum ca_code ca_request_finish(struct ca_request *request,
                                           struct ca_err *err);

/* Restores a finished request from the ledger's texts. query and body may be
   NULL: none, or the row's constant body. */
CA_MUST_USE enum ca_code ca_request_restore(struct ca_request *request,
                                            const struct ca_api *api,
                                            const char *id, const char *query,
                                            const char *body,
                                            struct ca_err *err);

/* Writes path and query, to follow the base URL, as they are sent. */
CA_MUST_USE enum ca_code ca_request_target(const struct ca_request *request,
                                           struct ca_buf *out);

/* Returns the body; data is NULL if there is none, and not NULL for a body of
   length 0. Valid until the request changes. */
struct ca_slice ca_request_body(const struct ca_request *request);

/* Does the body of a finished request set a field that has the flag? */
bool ca_request_sets(const struct ca_request *request,
                     enum ca_field_flag flag);

/* Checks that an id may be part of a path. CA_USAGE with a message otherwise;
   `what` names the id in it: "account id". */
CA_MUST_USE enum ca_code ca_request_check_id(struct ca_slice value,
                                             const char *what,
                                             struct ca_err *err);

/* Is this what the service shows instead of a secret (REDACTED, abcd...)? */
bool ca_request_is_masked(struct ca_slice value);

#endif
