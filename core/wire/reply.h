/* What the service's replies say, as far as the core must know: the error in a
   body, and accounts with the few members that are compared.
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
   request id, suggested fix, from nested, flat, text and empty bodies. Masks
   secrets. The text becomes one good line without the account. A 2xx reply
   that is not JSON becomes CA_REPLY. */
void ca_reply_explain(const struct ca_api *api, struct ca_result *result);

/* Does the service say that there is no such thing? The page of a proxy that
   says 404 proves nothing. */
bool ca_reply_says_gone(const struct ca_result *result);

/* The SDK's class name for a failure of this operation. Static storage. */
const char *ca_reply_error_name(const struct ca_api *api,
                                const struct ca_err *err);

/* ---- accounts ---- */

/* JSON strings with their quotes; data NULL where a member is absent, null or
   no string. Borrows the text it was read from. */
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

/* One account. False when the text is not a JSON object with an id. */
bool ca_reply_account(const char *text, size_t len,
                      struct ca_reply_account *account);
/* A page of a list: visit for each account; false from it stops, and the rest
   is not looked at. cursor becomes that of the next page, "" after the last.
   False when the text is no such page, or the cursor is longer than any. */
bool ca_reply_accounts(const char *text, size_t len,
                       bool (*visit)(void *ctx,
                                     const struct ca_reply_account *account),
                       void *ctx, char *cursor, size_t cursor_size);

/* An account's time in milliseconds since 1970; 0 when it is none. */
int64_t ca_reply_time(struct ca_slice value);

#endif
