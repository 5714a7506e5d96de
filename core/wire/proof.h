/* What a reply or a probe proves about one change: that it happened, that it
   did not, or neither. Decided from the operation's row, and only here. Pure:
   facts in, proof out. Must not know the ledger, outcomes, or who asks.
   Facts: Composio API v3.1. What a 2xx must hold is in the row; get and list
   show the current status, alias and ACL, and credentials only
   masked; a get of something that was deleted returns 404. */
#ifndef CA_PROOF_H
#define CA_PROOF_H

#include "wire/api.h"
#include "base/json.h"
#include "wire/reply.h"

enum ca_proof {
  CA_PROOF_UNKNOWN, /* nothing is proved */
  CA_PROOF_DONE,    /* the change happened */
  CA_PROOF_FAILED,  /* it did not happen and no longer can */
  CA_PROOF_NOT_YET, /* it has not happened; its request may still arrive */
  CA_PROOF_UNSENT,  /* it did not happen: its request never left */
  CA_PROOF_MORE,    /* a list's next page must be read first */
  CA_PROOF_UNREAD   /* the probe's reply cannot be parsed */
};

/* What the reply to the change itself proves. Call ca_reply_explain on the
   result first. id: of the account or auth config, "" for a create. suspect:
   an earlier session may have sent the change. If this request then never
   left, had no reply or was refused, that proves nothing about the earlier
   one, except that a 404 to a delete proves it done. */
enum ca_proof ca_proof_of_reply(const struct ca_api *api, const char *id,
                                const struct ca_result *result, bool suspect);
/* The same for a request that failed before it could be sent. */
enum ca_proof ca_proof_of_unsent(enum ca_code code, bool suspect);

/* What was found out about a change. */
struct ca_finding {
  enum ca_proof proof;
  char text[400];  /* for people; "" when there is nothing to say */
  char status[32]; /* the account's or auth config's, "" when not known */
  char made[160];  /* the account that a create made, "" when not known */
};

/* Fills the finding for a change that is done: the status from the row, else
   from the reply, and the account that a create made. result: or NULL. */
void ca_proof_take(const struct ca_api *api, const struct ca_result *result,
                   struct ca_finding *finding);

/* Does a get's reply show that the account or auth config is in a state from
   which the change is not allowed? No when that is not known. */
bool ca_proof_forbids(const struct ca_api *api, const char *id,
                      struct ca_slice reply);

/* What is known about a change that is probed. Borrows all texts. */
struct ca_proof_change {
  const struct ca_api *api;
  const char *account;
  const char *user;   /* creates: whose account */
  const char *config; /* creates: with which auth config */
  const char *body;   /* as sent; NULL when secret, constant, or none */
  const char *before; /* the status before, NULL when not known */
  int64_t before_ms;  /* updated_at before, ms; 0 when not known */
  bool prechecked;    /* both are as they were when it was sent */
  const char *ids;    /* creates: the accounts before it, each with a blank
                         before and after it; NULL when not known */
  int64_t since_ms;   /* the change began no earlier, by the service's clock; 0
                         when not known */
};

/* Why no probe can prove anything about the change, for people; NULL when one
   can. Static storage. */
const char *ca_proof_missing(const struct ca_proof_change *change);

/* What a get proves, by the probe in the change's row. result: a 2xx or the
   service's own 404. */
void ca_proof_of_get(const struct ca_proof_change *change,
                     const struct ca_result *result,
                     struct ca_finding *finding);

/* The accounts that a create may have made, collected over the pages of a
   list, newest first. The caller zeroes it before the first page. */
struct ca_proof_list {
  char cursor[256]; /* for the next page */
  int pages;
  bool older;    /* an account from before the change was seen */
  bool unsorted; /* the list is not newest first */
  bool nameless; /* some account does not show its user */
  bool timeless; /* some account of the user does not show its creation time */
  int64_t last_ms; /* when the previous account was made */
  size_t count;    /* accounts that the change may have made */
  int64_t made_ms; /* when the oldest of them was made */
  char made[160];
  char status[32];
  char names[256];
};

/* At most this many pages are read. */
#define CA_PROOF_PAGES_MAX 100

/* Does the caller know that some other change made this account? */
typedef enum ca_code ca_proof_known_fn(void *ctx, const char *id, bool *known,
                                       struct ca_err *err);

/* What the list proves with one more page. Fails only when `knows` does. */
CA_MUST_USE enum ca_code ca_proof_of_page(const struct ca_proof_change *change,
                                          struct ca_proof_list *list,
                                          const struct ca_result *result,
                                          ca_proof_known_fn *knows, void *ctx,
                                          struct ca_finding *finding,
                                          struct ca_err *err);

/* Find the field in a body that was sent, and in an account as a get shows it.
   Return the kind of its value; CA_JSON_BAD, with *value absent, if it is not
   there. */
enum ca_json_kind ca_proof_sent(const struct ca_field *field,
                                struct ca_slice body, struct ca_slice *value);
enum ca_json_kind ca_proof_shown(const struct ca_field *field,
                                 struct ca_slice account,
                                 struct ca_slice *value);
/* Does the field have the wanted value? Both are JSON; data NULL means absent,
   which for a text equals empty or null. In an ACL only the wanted members are
   compared, and lists in any order. */
bool ca_proof_same(const struct ca_field *field, struct ca_slice wanted,
                   struct ca_slice shown);

#endif
