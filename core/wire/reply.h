/* What the service's replies say, as far as the core must know: the error in
   a body, and single fields by path. JSON is read by SQLite's JSON functions,
   which are kept well by others and already linked. Knows nothing of Lua. */
#ifndef CA_REPLY_H
#define CA_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "wire/api.h"
#include "base/text.h"
#include "wire/result.h"

/* Longer texts are not read. */
#define CA_JSON_MAX (64 << 20)

struct ca_json; /* a reader; one per user, not shared between threads */

struct ca_json *ca_json_new(struct ca_err *err);
void ca_json_free(struct ca_json *json);

/* Is it one JSON value and nothing else? */
bool ca_json_valid(struct ca_json *json, const char *text, size_t len);
/* The text at an SQLite path such as "$.error.message", cut to size; false
   when it is absent, null or no scalar. */
bool ca_json_text(struct ca_json *json, const char *text, size_t len,
                  const char *path, char *out, size_t size);
bool ca_json_integer(struct ca_json *json, const char *text, size_t len,
                     const char *path, int64_t *out);
/* Number of elements of the array at path, -1 when there is none. */
int ca_json_count(struct ca_json *json, const char *text, size_t len,
                  const char *path);

/* Do the arrays at two paths hold the same texts, in whatever order? Absent is
   the same as empty. */
bool ca_json_same_set(struct ca_json *json, struct ca_slice one,
                      const char *path_one, struct ca_slice other,
                      const char *path_other);

/* Completes result->err from the body of a failed op: message, code, slug,
   request id, suggested fix, from nested, flat, text and empty bodies. Masks
   secrets. The text becomes one good line without the account. A 2xx reply
   that is not JSON becomes CA_REPLY. */
void ca_reply_explain(struct ca_json *json, const struct ca_api *api,
                      struct ca_result *result);

/* Does the service say that there is no such thing? The page of a proxy that
   says 404 proves nothing. */
bool ca_reply_says_gone(struct ca_json *json, const struct ca_result *result);

/* The SDK's class name for a failure of this operation. Static storage. */
const char *ca_reply_error_name(const struct ca_api *api,
                                const struct ca_err *err);

#endif
