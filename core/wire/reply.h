/* Reads what the core needs from the service's replies: the error in a body,
   and the few members of accounts that are compared.
   Must not know: what accounts are compared with. */
#ifndef CA_REPLY_H
#define CA_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "wire/api.h"
#include "base/text.h"
#include "wire/result.h"

/* ---- errors ---- */

/* Completes result->err from the body of a failed op: message, code, slug,
   request id and suggested fix, from nested, flat, text and empty bodies.
   Masks secrets. err.text becomes one line that does not name the account.
   id: of the account or auth config in the request's path; "" or NULL if there
   is none. Can be called again on the same result.

   Also decides what the reply proves about a change:
   - A 2xx without what the row says it shows becomes CA_REPLY and unknown.
   - A refusal that is not the service's own word is foreign, and unknown. The
     service's own word is the envelope {"error":{"message", "code" or
   "slug"}}; a 401 and a 429 are decided by their status.
   - A delete of which an earlier attempt may have arrived is done when the
     service says that the account is gone.
   - no_route is set for a foreign 404, and for a 404 or 410 whose message
     speaks of a route or of the request's path, unless the endpoint has
     carried out this operation before. */
void ca_reply_explain(const struct ca_api *api, const char *id,
                      struct ca_result *result);

/* Is the reply the service's own 404 for that account or auth config? Any
   other 404, such as a proxy's page, proves nothing about it. */
bool ca_reply_says_gone(const struct ca_api *api, const char *id,
                        const struct ca_result *result);

/* Is a refusal not the service's own word? A page of a proxy does not tell
   what the service did. Reads the status and the body alone. */
bool ca_reply_is_foreign(const struct ca_api *api, const char *id,
                         const struct ca_result *result);

/* How the service does, going by the end of one op. */
enum ca_reply_service {
  CA_SERVICE_ANSWERS, /* a 2xx with its proof, or a refusal in its own words */
  CA_SERVICE_THROTTLES, /* it asks to send less, or later */
  CA_SERVICE_DOWN /* no reply, a 5xx, or a reply that is not the service's */
};

/* err: of a result that ca_reply_explain has completed. */
enum ca_reply_service ca_reply_service(const struct ca_err *err);

/* The name of the error for a missing route. */
#define CA_REPLY_NO_ROUTE "RouteNotFoundError"

/* The SDK's class name for a failure of this operation. Static storage. */
const char *ca_reply_error_name(const struct ca_api *api,
                                const struct ca_err *err);

/* ---- accounts ---- */

/* The members are JSON strings with their quotes; data is NULL when a member
   is absent, null or not a string. Borrows the text it was read from. */
struct ca_reply_account {
  struct ca_slice id;
  struct ca_slice status;
  struct ca_slice alias;
  struct ca_slice user;
  struct ca_slice config;
  struct ca_slice created;
  struct ca_slice updated;
  struct ca_slice text; /* the whole object */
  bool says_disabled;
  bool disabled;
};

/* Reads one account. False when the text is not a JSON object with an id. */
bool ca_reply_account(const char *text, size_t len,
                      struct ca_reply_account *account);
/* Reads a page of a list and calls visit for each account; when visit returns
   false, the rest is not read. cursor becomes the next page's, "" after the
   last. False when the text is not such a page (visit may have been called
   even so), or when the cursor does not fit cursor_size. */
bool ca_reply_accounts(const char *text, size_t len,
                       bool (*visit)(void *ctx,
                                     const struct ca_reply_account *account),
                       void *ctx, char *cursor, size_t cursor_size);

/* An account's time in milliseconds since 1970; 0 when it is not a time. */
int64_t ca_reply_time(struct ca_slice value);

#endif
