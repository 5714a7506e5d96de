/* The operation table. Knows nothing of how rows are sent.
   Facts: Composio API reference v3.1, as the official TypeScript SDK speaks
   it; parameters stand in the order of the reference, which is the order in
   which they are sent. */
#include <string.h>
#include "wire/api.h"

static const char *const statuses[] = { "INITIALIZING", "INITIATED",
                                        "ACTIVE",       "FAILED",
                                        "EXPIRED",      "INACTIVE",
                                        "REVOKED",      NULL };
static const char *const account_types[] = { "PRIVATE", "SHARED", "ALL",
                                             NULL };
static const char *const share_types[] = { "PRIVATE", "SHARED", NULL };
static const char *const order_columns[] = { "created_at", "updated_at",
                                             NULL };
static const char *const directions[] = { "asc", "desc", NULL };
static const char *const config_types[] = { "default", "custom", NULL };

#define ID                                                           \
  {                                                                  \
    "id", NULL, CA_IN_PATH, CA_ID, CA_REQUIRED | CA_POSITIONAL, NULL \
  }
#define END                                \
  {                                        \
    NULL, NULL, CA_IN_HOST, CA_ID, 0, NULL \
  }
/* A filter by texts: comma-joined in one parameter, so no comma in a value. */
#define FILTER(name)                                     \
  {                                                      \
    name, name, CA_IN_QUERY, CA_TEXTS, CA_NO_COMMA, NULL \
  }

static const struct ca_field list_fields[] = {
  FILTER("toolkit_slugs"),
  { "statuses", "statuses", CA_IN_QUERY, CA_WORDS, CA_NO_COMMA, statuses },
  FILTER("user_ids"),
  FILTER("auth_config_ids"),
  FILTER("connected_account_ids"),
  { "account_type", "account_type", CA_IN_QUERY, CA_WORD, 0, account_types },
  { "order_by", "order_by", CA_IN_QUERY, CA_WORD, 0, order_columns },
  { "order_direction", "order_direction", CA_IN_QUERY, CA_WORD, 0,
    directions },
  { "limit", "limit", CA_IN_QUERY, CA_INTEGER, 0, NULL },
  { "cursor", "cursor", CA_IN_QUERY, CA_TEXT, 0, NULL },
  END
};

static const struct ca_field id_fields[] = { ID, END };

static const struct ca_field create_fields[] = {
  { "user_id", "connection.user_id", CA_IN_BODY, CA_TEXT,
    CA_REQUIRED | CA_POSITIONAL, NULL },
  { "auth_config_id", "auth_config.id", CA_IN_BODY, CA_ID,
    CA_REQUIRED | CA_POSITIONAL, NULL },
  { "callback_url", "connection.callback_url", CA_IN_BODY, CA_TEXT, 0, NULL },
  { "config", "connection.state", CA_IN_BODY, CA_SCHEME, CA_SECRET, NULL },
  { "alias", "connection.alias", CA_IN_BODY, CA_TEXT, 0, NULL },
  { "account_type", "connection.experimental.account_type", CA_IN_BODY,
    CA_WORD, 0, share_types },
  { "acl", "connection.experimental.acl_config_for_shared", CA_IN_BODY, CA_ACL,
    0, NULL },
  END
};

static const struct ca_field link_fields[] = {
  { "user_id", "user_id", CA_IN_BODY, CA_TEXT, CA_REQUIRED | CA_POSITIONAL,
    NULL },
  { "auth_config_id", "auth_config_id", CA_IN_BODY, CA_ID,
    CA_REQUIRED | CA_POSITIONAL, NULL },
  { "callback_url", "callback_url", CA_IN_BODY, CA_TEXT, 0, NULL },
  { "alias", "alias", CA_IN_BODY, CA_TEXT, 0, NULL },
  { "connection_data", "connection_data", CA_IN_BODY, CA_OPEN, CA_SECRET,
    NULL },
  { "account_type", "experimental.account_type", CA_IN_BODY, CA_WORD, 0,
    share_types },
  { "acl", "experimental.acl_config_for_shared", CA_IN_BODY, CA_ACL, 0, NULL },
  END
};

static const struct ca_field refresh_fields[] = {
  ID, { "redirect_url", "redirect_url", CA_IN_QUERY, CA_TEXT, 0, NULL }, END
};

static const struct ca_field delete_fields[] = {
  ID, { "revoke", "revoke_on_delete", CA_IN_QUERY, CA_BOOLEAN, 0, NULL }, END
};

static const struct ca_field update_fields[] = {
  ID,
  { "alias", "alias", CA_IN_BODY, CA_TEXT, CA_MAY_BE_EMPTY, NULL },
  { "credentials", "connection.state", CA_IN_BODY, CA_SCHEME,
    CA_SECRET | CA_MAKES_IRREVERSIBLE, NULL },
  { "acl", "experimental.acl_config_for_shared", CA_IN_BODY, CA_ACL, 0, NULL },
  END
};

static const struct ca_field config_list_fields[] = {
  { "cursor", "cursor", CA_IN_QUERY, CA_TEXT, 0, NULL },
  { "is_composio_managed", "is_composio_managed", CA_IN_QUERY, CA_BOOLEAN, 0,
    NULL },
  { "limit", "limit", CA_IN_QUERY, CA_INTEGER, 0, NULL },
  { "search", "search", CA_IN_QUERY, CA_TEXT, 0, NULL },
  { "show_disabled", "show_disabled", CA_IN_QUERY, CA_BOOLEAN, 0, NULL },
  /* one string on the wire that holds a comma-separated list */
  { "toolkit_slugs", "toolkit_slug", CA_IN_QUERY, CA_TEXTS, CA_NO_COMMA,
    NULL },
  END
};

static const struct ca_field config_update_fields[] = {
  ID,
  { "type", "type", CA_IN_BODY, CA_WORD, CA_REQUIRED, config_types },
  { "credentials", "credentials", CA_IN_BODY, CA_OPEN,
    CA_SECRET | CA_MAKES_IRREVERSIBLE | CA_REQUIRED, NULL },
  END
};

#define ACCOUNTS "/connected_accounts"
#define CONFIGS  "/auth_configs"

static const struct ca_api rows[] = {
  { "connected_accounts", "list", CA_GET, ACCOUNTS, NULL, false, CA_READ,
    CA_REPEAT_FREELY, CA_PROBE_NONE, NULL, NULL, NULL, NULL, list_fields },
  { "connected_accounts", "get", CA_GET, ACCOUNTS "/{id}", NULL, false,
    CA_READ, CA_REPEAT_FREELY, CA_PROBE_NONE, NULL, NULL, NULL, NULL,
    id_fields },
  { "connected_accounts", "initiate", CA_POST, ACCOUNTS, NULL, true,
    CA_REVERSIBLE, CA_REPEAT_NEVER, CA_PROBE_LISTED, NULL, NULL, NULL, "$.id",
    create_fields },
  { "connected_accounts", "link", CA_POST, ACCOUNTS "/link", NULL, true,
    CA_REVERSIBLE, CA_REPEAT_NEVER, CA_PROBE_LISTED, NULL, NULL, NULL,
    "$.connected_account_id", link_fields },
  { "connected_accounts", "enable", CA_PATCH, ACCOUNTS "/{id}/status",
    "{\"enabled\":true}", true, CA_REVERSIBLE, CA_REPEAT_FREELY,
    CA_PROBE_STATUS, "disable", "ACTIVE", "ACTIVE", NULL, id_fields },
  { "connected_accounts", "disable", CA_PATCH, ACCOUNTS "/{id}/status",
    "{\"enabled\":false}", true, CA_REVERSIBLE, CA_REPEAT_FREELY,
    CA_PROBE_STATUS, "enable", "INACTIVE", "INACTIVE", NULL, id_fields },
  { "connected_accounts", "refresh", CA_POST, ACCOUNTS "/{id}/refresh", "{}",
    true, CA_REVERSIBLE, CA_REPEAT_NEVER, CA_PROBE_STATUS, NULL, NULL, NULL,
    NULL, refresh_fields },
  { "connected_accounts", "delete", CA_DELETE, ACCOUNTS "/{id}", NULL, false,
    CA_IRREVERSIBLE, CA_REPEAT_GONE_OK, CA_PROBE_GONE, NULL, NULL, NULL, NULL,
    delete_fields },
  { "connected_accounts", "revoke", CA_POST, ACCOUNTS "/{id}/revoke", "", true,
    CA_IRREVERSIBLE, CA_REPEAT_FREELY, CA_PROBE_STATUS, NULL, "REVOKED",
    "REVOKED", NULL, id_fields },
  { "connected_accounts", "update", CA_PATCH, ACCOUNTS "/{id}", NULL, true,
    CA_REVERSIBLE, CA_REPEAT_FREELY, CA_PROBE_FIELDS, "update", NULL, NULL,
    NULL, update_fields },
  { "auth_configs", "list", CA_GET, CONFIGS, NULL, false, CA_READ,
    CA_REPEAT_FREELY, CA_PROBE_NONE, NULL, NULL, NULL, NULL,
    config_list_fields },
  { "auth_configs", "get", CA_GET, CONFIGS "/{id}", NULL, false, CA_READ,
    CA_REPEAT_FREELY, CA_PROBE_NONE, NULL, NULL, NULL, NULL, id_fields },
  { "auth_configs", "enable", CA_PATCH, CONFIGS "/{id}/ENABLED", "", true,
    CA_REVERSIBLE, CA_REPEAT_FREELY, CA_PROBE_CONFIG, "disable", "ENABLED",
    "ENABLED", NULL, id_fields },
  { "auth_configs", "disable", CA_PATCH, CONFIGS "/{id}/DISABLED", "", true,
    CA_REVERSIBLE, CA_REPEAT_FREELY, CA_PROBE_CONFIG, "enable", "DISABLED",
    "DISABLED", NULL, id_fields },
  { "auth_configs", "update", CA_PATCH, CONFIGS "/{id}", NULL, true,
    CA_REVERSIBLE, CA_REPEAT_FREELY, CA_PROBE_NONE, NULL, NULL, NULL, NULL,
    config_update_fields }
};

const struct ca_api *ca_api_rows(size_t *count)
{
  *count = sizeof(rows) / sizeof(rows[0]);
  return rows;
}

const struct ca_api *ca_api_find(const char *resource, const char *name)
{
  size_t i;
  for(i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    if(!strcmp(rows[i].resource, resource) && !strcmp(rows[i].name, name))
      return &rows[i];
  return NULL;
}

const struct ca_field *ca_api_field(const struct ca_api *api, const char *name)
{
  const struct ca_field *field;
  for(field = api->fields; field->name; field++)
    if(!strcmp(field->name, name))
      return field;
  return NULL;
}

bool ca_api_mutates(const struct ca_api *api)
{
  return api->cost != CA_READ;
}

const char *ca_method_name(enum ca_method method)
{
  switch(method) {
  case CA_GET:
    return "GET";
  case CA_POST:
    return "POST";
  case CA_PATCH:
    return "PATCH";
  case CA_DELETE:
    return "DELETE";
  }
  return "";
}

const char *ca_class_name(enum ca_class cost)
{
  switch(cost) {
  case CA_READ:
    return "read";
  case CA_REVERSIBLE:
    return "reversible";
  case CA_IRREVERSIBLE:
    return "irreversible";
  }
  return "";
}
