/* The operations of the service as a table. Everything that distinguishes one
   operation from another stands in its row; code that asks "is it disable?"
   by name is in the wrong place. Knows nothing of how rows are sent.
   Facts: Composio API v3.1, connected accounts and auth configs. */
#ifndef CA_API_H
#define CA_API_H

#include <stdbool.h>
#include <stddef.h>

enum ca_method { CA_GET, CA_POST, CA_PATCH, CA_DELETE };

/* What a change can cost: `may` of a job is compared with this. */
enum ca_class { CA_READ, CA_REVERSIBLE, CA_IRREVERSIBLE };

enum ca_repeat {
  CA_REPEAT_FREELY,  /* sending twice does no harm */
  CA_REPEAT_GONE_OK, /* the same, and 404 on a repeat means done */
  CA_REPEAT_NEVER    /* only when the request surely never left */
};

/* How to find out afterwards whether a change happened. */
enum ca_probe {
  CA_PROBE_NONE,
  CA_PROBE_STATUS, /* get the account, compare its status */
  CA_PROBE_FIELDS, /* get the account, compare the fields that were set */
  CA_PROBE_GONE,   /* get the account: 404 means done */
  CA_PROBE_LISTED, /* list user and auth config, newest first */
  CA_PROBE_CONFIG  /* get the auth config, compare its status */
};

enum ca_place { CA_IN_PATH, CA_IN_QUERY, CA_IN_BODY, CA_IN_HOST };

enum ca_type {
  CA_ID,      /* printable ASCII without blanks, never . or .. */
  CA_TEXT,    /* any valid UTF-8 without control bytes; may be empty only
                 where CA_MAY_BE_EMPTY stands */
  CA_TEXTS,   /* list of CA_TEXT: comma-joined in a query, array in a body */
  CA_INTEGER, /* positive */
  CA_BOOLEAN,
  CA_WORD,   /* one of `values`; unknown words are refused */
  CA_WORDS,  /* list of words, unknown ones pass: the service's lists grow */
  CA_ACL,    /* {allow_all_users, allowed_user_ids, not_allowed_user_ids} */
  CA_SCHEME, /* {authScheme, val}: what composio.auth_scheme makes */
  CA_OPEN    /* free table of texts, numbers, booleans, null, tables */
};

enum ca_field_flag {
  CA_REQUIRED = 1,
  CA_POSITIONAL = 2, /* an argument of its own, before the options */
  CA_SECRET = 4,     /* never in the ledger, a plan or a log */
  CA_MAY_BE_EMPTY = 8,
  CA_NULLABLE = 16,           /* composio.null is sent as null */
  CA_MAKES_IRREVERSIBLE = 32, /* raises the op's class when set */
  CA_NO_COMMA = 64            /* cannot be filtered on when it holds a comma */
};

struct ca_field {
  const char *name; /* as scripts say it; NULL ends the list */
  const char *wire; /* query parameter, or dotted path in the body */
  enum ca_place place;
  enum ca_type type;
  unsigned flags;            /* of enum ca_field_flag */
  const char *const *values; /* CA_WORD, CA_WORDS: NULL-ended */
};

struct ca_api {
  const char *resource; /* "connected_accounts" or "auth_configs" */
  const char *name;     /* as scripts say it */
  enum ca_method method;
  const char *path; /* after /api/v3.1, {id} stands for the id */
  const char *body; /* constant body; NULL: made of the fields */
  bool has_body;    /* GET, DELETE and body-less POSTs: false */
  enum ca_class cost;
  enum ca_repeat repeat;
  enum ca_probe probe;
  const char *undo;      /* operation that puts it back, or NULL */
  const char *same_when; /* status in which the change is already so */
  const char *becomes;   /* status after it succeeded, or NULL */
  const char *makes;     /* where a create's reply says which account it made
                            ("$.id"), or NULL */
  const struct ca_field *fields;
};

/* All rows, in the order documents list them. */
const struct ca_api *ca_api_rows(size_t *count);

/* NULL when there is none. */
const struct ca_api *ca_api_find(const char *resource, const char *name);
const struct ca_field *ca_api_field(const struct ca_api *api,
                                    const char *name);
/* Any operation but reads. */
bool ca_api_mutates(const struct ca_api *api);

/* "GET", … Static storage. */
const char *ca_method_name(enum ca_method method);
/* "read", "reversible", "irreversible". Static storage. */
const char *ca_class_name(enum ca_class cost);

#endif
