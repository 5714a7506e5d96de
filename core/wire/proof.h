/* What a reply, or a probe, proves of one change: that it happened, that it
   did not, or neither. Decided from the operation's row, here and nowhere
   else. Pure: facts in, proof out. Must not know the ledger, outcomes, or who
   asks. Facts: Composio API v3.1. A 2xx with JSON or without a body means
   done; get and list show status, alias and ACL as they are now, and
   credentials only masked; what was deleted answers 404. */
#ifndef CA_PROOF_H
#define CA_PROOF_H

#include "wire/api.h"
#include "base/json.h"
#include "wire/reply.h"

enum ca_proof {
  CA_PROOF_UNKNOWN, /* neither is proved */
  CA_PROOF_DONE,    /* the change happened */
  CA_PROOF_FAILED,  /* it did not happen, and will not any more */
  CA_PROOF_UNSENT,  /* it did not happen: no request of it ever left */
  CA_PROOF_MORE,    /* of a list: the next page has to be read first */
  CA_PROOF_UNREAD   /* of a probe: its reply cannot be read */
};

/* What the reply to the change itself proves. ca_reply_explain has seen the
   result. suspect: an earlier session may have sent the change already. Then
   this request tells nothing of that one, whether it never left, had no reply
   or was refused, except that what a delete was for is gone. */
enum ca_proof ca_proof_of_reply(const struct ca_api *api,
                                const struct ca_result *result, bool suspect);
/* The same of a request that was refused before it could be sent. */
enum ca_proof ca_proof_of_unsent(enum ca_code code, bool suspect);

/* What is found out of a change. */
struct ca_finding {
  enum ca_proof proof;
  char text[400];  /* for people; "" when there is nothing to say */
  char status[32]; /* of what was changed, "" when not known */
  char made[160];  /* the account that a create made, "" when not known */
};

/* What the reply to a change that is done tells of it: the status that the row
   says, or else the reply, and what a create made. result: NULL for none. */
void ca_proof_take(const struct ca_api *api, const struct ca_result *result,
                   struct ca_finding *finding);

/* What is known of a change that is probed. Borrows all texts. */
struct ca_proof_change {
  const struct ca_api *api;
  const char *account;
  const char *user;   /* of creates, and */
  const char *config; /* with which auth config */
  const char *body;   /* as sent; NULL when secret, constant, or none */
  const char *before; /* the status before, NULL when not known */
  int64_t before_ms;  /* updated_at before, ms; 0 when not known */
  int64_t sent_ms;    /* when the intent was written; 0 when not known */
  int64_t since_ms;   /* by the service's clock: not begun before it */
};

/* Why no probe can prove anything of the change, for people; NULL when one
   can. Static storage. */
const char *ca_proof_missing(const struct ca_proof_change *change);

/* What a get proves, by the probe of the change's row. result: 2xx, or a 404
   of the service's own. */
void ca_proof_of_get(const struct ca_proof_change *change,
                     const struct ca_result *result,
                     struct ca_finding *finding);

/* Accounts that a create may have made, over the pages of a list, newest
   first. Starts zeroed. */
struct ca_proof_list {
  char cursor[256]; /* of the next page */
  int pages;
  bool older;      /* an account from before the change was met */
  bool unsorted;   /* newest first was not kept */
  bool nameless;   /* of some account the user is not shown */
  bool timeless;   /* of some account of the user, not when it was made */
  int64_t last_ms; /* when the account before was made */
  size_t count;
  int64_t made_ms; /* when the oldest of them was made */
  char made[160];
  char status[32];
  char names[256];
};

/* Pages that are read at most. */
#define CA_PROOF_PAGES_MAX 100

/* Does the caller know that some other change made this account? */
typedef enum ca_code ca_proof_known_fn(void *ctx, const char *id, bool *known,
                                       struct ca_err *err);

/* What one more page of the list proves. Fails only when `knows` does. */
CA_MUST_USE enum ca_code ca_proof_of_page(const struct ca_proof_change *change,
                                          struct ca_proof_list *list,
                                          const struct ca_result *result,
                                          ca_proof_known_fn *knows, void *ctx,
                                          struct ca_finding *finding,
                                          struct ca_err *err);

/* Where a body that was sent, and an account as a get shows it, have the
   field: the kind of its value; CA_JSON_BAD, and *value absent, where they
   have not. */
enum ca_json_kind ca_proof_sent(const struct ca_field *field,
                                struct ca_slice body, struct ca_slice *value);
enum ca_json_kind ca_proof_shown(const struct ca_field *field,
                                 struct ca_slice account,
                                 struct ca_slice *value);
/* Has the field the wanted value? Both are JSON; data NULL is absent, which
   for a text is the same as empty or null. Of an ACL only the members that are
   wanted count, and its lists in any order. */
bool ca_proof_same(const struct ca_field *field, struct ca_slice wanted,
                   struct ca_slice shown);

#endif
