/* Accounts as replies show them: the few members that are compared, as they
   stand in the text; nothing is copied. Knows nothing of what is compared
   with what. */
#ifndef CA_REPLY_ACCOUNT_H
#define CA_REPLY_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

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

/* Is it this text? Absent is the same as empty. */
bool ca_reply_is(struct ca_slice value, const char *text);
/* Copied out, without escapes, cut to size; "" when absent. */
void ca_reply_copy(struct ca_slice value, char *out, size_t size);
/* As a time; 0 when it is none. */
int64_t ca_reply_time(struct ca_slice value);

#endif
