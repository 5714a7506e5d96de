/* The service's operations as a table. Everything that distinguishes one
   operation from another is in its row; code that asks for an operation by
   name is in the wrong place. Must not know how rows are sent.
   Facts: Composio API v3.1, connected accounts and auth configs. */
#ifndef CA_API_H
#define CA_API_H

#include <stdbool.h>
#include <stddef.h>

enum ca_method { CA_GET, CA_POST, CA_PATCH, CA_DELETE };

/* What a change can cost; compared with a job's `may`. */
enum ca_class { CA_READ, CA_REVERSIBLE, CA_IRREVERSIBLE };

enum ca_repeat {
  CA_REPEAT_FREELY,  /* sending twice does no harm */
  CA_REPEAT_GONE_OK, /* no harm, and 404 on a repeat means done */
  CA_REPEAT_NEVER    /* sent again only if the request provably never left */
};

/* How to find out afterwards whether a change happened. All but
   CA_PROBE_LISTED get the account or auth config that was changed;
   wire/proof.h says what the reply proves. */
enum ca_probe {
  CA_PROBE_NONE,   /* the service shows no effect */
  CA_PROBE_STATUS, /* its status is the row's `becomes` */
  CA_PROBE_MOVED,  /* its status differs from before */
  CA_PROBE_FIELDS, /* its fields have the values that were set */
  CA_PROBE_GONE,   /* the get returns 404 */
  CA_PROBE_LISTED  /* a list of the user's accounts, newest first, has it */
};

/* What a 2xx must hold to prove that the change was made. */
enum ca_shows {
  CA_SHOWS_SUCCESS, /* "success": true; or it is a 204 without a body */
  CA_SHOWS_ID,      /* the id of the account that was made, or changed */
  CA_SHOWS_REVOKED  /* the revoked tokens, or the account with its status */
};

enum ca_place { CA_IN_PATH, CA_IN_QUERY, CA_IN_BODY, CA_IN_HOST };

enum ca_type {
  CA_ID,      /* printable ASCII without blanks, never . or .. */
  CA_TEXT,    /* any valid UTF-8 without control bytes; may be empty only
                 with CA_MAY_BE_EMPTY */
  CA_TEXTS,   /* list of CA_TEXT: comma-joined in a query, array in a body */
  CA_INTEGER, /* positive */
  CA_BOOLEAN,
  CA_WORD,   /* one of `values`; unknown words are refused */
  CA_WORDS,  /* list of words; unknown ones pass: the service adds words */
  CA_ACL,    /* {allow_all_users, allowed_user_ids, not_allowed_user_ids} */
  CA_SCHEME, /* {authScheme, val}, as made by composio.auth_scheme */
  CA_OPEN    /* any table of texts, numbers, booleans, null, tables */
};

enum ca_field_flag {
  CA_REQUIRED = 1,
  CA_POSITIONAL = 2, /* a positional argument, before the options */
  CA_SECRET = 4,     /* never written to the ledger, a plan or a log */
  CA_MAY_BE_EMPTY = 8,
  CA_NULLABLE = 16,           /* composio.null is sent as null */
  CA_MAKES_IRREVERSIBLE = 32, /* raises the op's class when set */
  CA_NO_COMMA = 64,           /* cannot be a filter when it contains a comma */
  CA_PLAN_SEES = 128,  /* a text that is shown: setting the value it has is
                          `same`; if it changed since the plan, `stale` */
  CA_ITEM_KEEPS = 256, /* the ledger's items have a column for it, so the
                          before-image of an item's own account omits it */
  CA_NAMES_USER = 512, /* names the user for whom a create makes an account */
  CA_NAMES_CONFIG = 1024, /* names the auth config that it uses */
  CA_IS_UNIQUE = 2048 /* another account may have the value; then the reply is
                         a 409 that no retry resolves */
};

struct ca_field {
  const char *name; /* as in scripts; NULL ends the list */
  const char *wire; /* query parameter, or dotted path in the body */
  enum ca_place place;
  enum ca_type type;
  unsigned flags;            /* of enum ca_field_flag */
  const char *const *values; /* CA_WORD, CA_WORDS: NULL-ended */
  const char *shown; /* dotted path where a get shows the field, so that it can
                        be compared, probed, kept in the before-image and
                        undone; NULL: the service does not show it */
};

struct ca_api {
  const char *resource; /* "connected_accounts" or "auth_configs" */
  const char *name;     /* as in scripts */
  enum ca_method method;
  const char *path; /* after /api/v3.1; {id} is replaced by the id */
  const char *body; /* constant body; NULL: made from the fields */
  bool has_body;    /* GET, DELETE and body-less POSTs: false */
  enum ca_class cost;
  enum ca_repeat repeat;
  bool answers_409; /* its 409 says that the account's state does not allow it;
                       otherwise another operation holds a lease on it */
  enum ca_shows shows; /* changes */
  enum ca_probe probe;
  const char *becomes; /* status after success; a change of something that has
                          it already is `same`; NULL: not known */
  const char *undo;    /* the operation that undoes it; its own name: sent
                          again with the earlier values of the shown fields;
                          NULL: there is none */
  const char *makes;   /* dotted path to the new account's id in a create's
                          reply; NULL: it makes none */
  const char *weight;  /* member that counts the accounts which change along
                          with it; NULL: it changes alone */
  const char *option;  /* an option that the bindings handle, not sent; NULL */
  const char *spares;  /* status in which the call is refused unless `option`
                          is given; NULL: none */
  const char *failure; /* the SDK's class for most failures of the call; NULL:
                          the class depends on the failure */
  const struct ca_field *fields;
};

/* All rows, in the order in which the docs list them. */
const struct ca_api *ca_api_rows(size_t *count);

/* The row's place in that list. */
int ca_api_number(const struct ca_api *api);

/* Both return NULL when there is none. */
const struct ca_api *ca_api_find(const char *resource, const char *name);
const struct ca_field *ca_api_field(const struct ca_api *api,
                                    const char *name);
/* The operation that reads the same resource: one by its id, or the list. */
const struct ca_api *ca_api_get(const struct ca_api *api);
const struct ca_api *ca_api_list(const struct ca_api *api);

/* The status from which the change is allowed; NULL: not known. */
const char *ca_api_from(const struct ca_api *api);

/* Is it any operation but a read? */
bool ca_api_mutates(const struct ca_api *api);
/* Is it about one account or auth config, whose id is in the path? */
bool ca_api_has_id(const struct ca_api *api);
/* Does it make an account or auth config? */
bool ca_api_creates(const struct ca_api *api);
/* Is it about connected accounts, not auth configs? */
bool ca_api_of_accounts(const struct ca_api *api);
/* What it changes, for people: "account", "auth config". Static storage. */
const char *ca_api_noun(const struct ca_api *api);

/* Large enough for the label of every row. */
#define CA_API_LABEL_SIZE 96
/* Its name for people and in plans: "disable", "auth_configs.disable". */
void ca_api_label(const struct ca_api *api, char *out, size_t size);
/* The row with that label; NULL when there is none. */
const struct ca_api *ca_api_of_label(const char *label);

/* Can an account with that status be used? */
bool ca_api_status_works(const char *status);
/* Does an account with that status show is_disabled? */
bool ca_api_status_is_disabled(const char *status);

/* "GET", … Static storage. */
const char *ca_api_method_name(enum ca_method method);
/* "read", "reversible", "irreversible". Static storage. */
const char *ca_api_class_name(enum ca_class cost);

#endif
