/* The operation table. Must not know how rows are sent.
   Facts: Composio API reference v3.1, as the official TypeScript SDK uses it.
   Parameters are in the reference's order and are sent in that order. */
#include <stdio.h>
#include <string.h>
#include "wire/api.h"
#include "base/text.h"

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

#define ACL "experimental.acl_config_for_shared"

/* A field at a place, of a type; then its other members, if any. */
#define FIELD(field, path, in, is, ...)                                       \
  {                                                                           \
    .name = (field), .wire = (path), .place = (in), .type = (is), __VA_ARGS__ \
  }
#define ID \
  FIELD("id", NULL, CA_IN_PATH, CA_ID, .flags = CA_REQUIRED | CA_POSITIONAL)
#define QUERY(field, is, ...) FIELD(field, field, CA_IN_QUERY, is, __VA_ARGS__)
#define BODY(field, path, is, ...) \
  FIELD(field, path, CA_IN_BODY, is, __VA_ARGS__)
/* A create's user and auth config: two arguments before the options. */
#define OWNER(user, config)                                   \
  BODY("user_id", user, CA_TEXT,                              \
       .flags = CA_REQUIRED | CA_POSITIONAL | CA_NAMES_USER), \
      BODY("auth_config_id", config, CA_ID,                   \
           .flags = CA_REQUIRED | CA_POSITIONAL | CA_NAMES_CONFIG)
/* A field that a get shows at the path at which it is sent. */
#define SHOWN(field, path, is, ...) \
  BODY(field, path, is, .shown = (path), __VA_ARGS__)
#define END      \
  {              \
    .name = NULL \
  }

static const struct ca_field list_fields[] = {
  /* commas join the values of a list, so a value may have none */
  QUERY("toolkit_slugs", CA_TEXTS, .flags = CA_NO_COMMA),
  QUERY("statuses", CA_WORDS, .flags = CA_NO_COMMA, .values = statuses),
  QUERY("user_ids", CA_TEXTS, .flags = CA_NO_COMMA),
  QUERY("auth_config_ids", CA_TEXTS, .flags = CA_NO_COMMA),
  QUERY("connected_account_ids", CA_TEXTS, .flags = CA_NO_COMMA),
  QUERY("account_type", CA_WORD, .values = account_types),
  QUERY("order_by", CA_WORD, .values = order_columns),
  QUERY("order_direction", CA_WORD, .values = directions),
  QUERY("limit", CA_INTEGER),
  QUERY("cursor", CA_TEXT),
  END
};

static const struct ca_field id_fields[] = { ID, END };

static const struct ca_field create_fields[] = {
  OWNER("connection.user_id", "auth_config.id"),
  BODY("callback_url", "connection.callback_url", CA_TEXT),
  BODY("config", "connection.state", CA_SCHEME, .flags = CA_SECRET),
  BODY("alias", "connection.alias", CA_TEXT, .flags = CA_IS_UNIQUE),
  BODY("account_type", "connection.experimental.account_type", CA_WORD,
       .values = share_types),
  BODY("acl", "connection." ACL, CA_ACL),
  END
};

static const struct ca_field link_fields[] = {
  OWNER("user_id", "auth_config_id"),
  BODY("callback_url", "callback_url", CA_TEXT),
  BODY("alias", "alias", CA_TEXT, .flags = CA_IS_UNIQUE),
  BODY("connection_data", "connection_data", CA_OPEN, .flags = CA_SECRET),
  BODY("account_type", "experimental.account_type", CA_WORD,
       .values = share_types),
  BODY("acl", ACL, CA_ACL),
  END
};

static const struct ca_field refresh_fields[] = {
  ID, QUERY("redirect_url", CA_TEXT), END
};

static const struct ca_field delete_fields[] = {
  ID, FIELD("revoke", "revoke_on_delete", CA_IN_QUERY, CA_BOOLEAN), END
};

/* Credentials are shown masked, so they cannot be compared. An ACL is shown
   only to the project's keys and to the creator, and its lists may be long, so
   a plan never finds an ACL `same` nor a changed one `stale`. */
static const struct ca_field update_fields[] = {
  ID,
  SHOWN("alias", "alias", CA_TEXT,
        .flags =
            CA_MAY_BE_EMPTY | CA_PLAN_SEES | CA_ITEM_KEEPS | CA_IS_UNIQUE),
  BODY("credentials", "connection.state", CA_SCHEME,
       .flags = CA_SECRET | CA_MAKES_IRREVERSIBLE),
  SHOWN("acl", ACL, CA_ACL), END
};

static const struct ca_field config_list_fields[] = {
  QUERY("cursor", CA_TEXT), QUERY("is_composio_managed", CA_BOOLEAN),
  QUERY("limit", CA_INTEGER), QUERY("search", CA_TEXT),
  QUERY("show_disabled", CA_BOOLEAN),
  /* sent as one string, a comma-separated list */
  FIELD("toolkit_slugs", "toolkit_slug", CA_IN_QUERY, CA_TEXTS,
        .flags = CA_NO_COMMA),
  END
};

static const struct ca_field webhook_list_fields[] = {
  QUERY("limit", CA_INTEGER), QUERY("cursor", CA_TEXT), END
};

static const struct ca_field config_update_fields[] = {
  ID,
  BODY("type", "type", CA_WORD, .flags = CA_REQUIRED, .values = config_types),
  BODY("credentials", "credentials", CA_OPEN,
       .flags = CA_SECRET | CA_MAKES_IRREVERSIBLE | CA_REQUIRED),
  END
};

#define ACCOUNTS "/connected_accounts"
#define CONFIGS  "/auth_configs"

#define OF_ACCOUNTS .resource = "connected_accounts"
#define OF_CONFIGS  .resource = "auth_configs"

/* A change happened when its reply is a 2xx that has what `shows` says;
   `repeat` and `probe` say what else proves it. Enable and disable return only
   {"success":true}, so `becomes` has the status after them. */
static const struct ca_api rows[] = {
  { OF_ACCOUNTS, .name = "list", .method = CA_GET, .path = ACCOUNTS,
    .fields = list_fields },
  { OF_ACCOUNTS, .name = "get", .method = CA_GET, .path = ACCOUNTS "/{id}",
    .fields = id_fields },
  { OF_ACCOUNTS, .name = "initiate", .method = CA_POST, .path = ACCOUNTS,
    .has_body = true, .cost = CA_REVERSIBLE, .repeat = CA_REPEAT_NEVER,
    .shows = CA_SHOWS_ID, .probe = CA_PROBE_LISTED, .makes = "id",
    .option = "allow_multiple", .fields = create_fields },
  { OF_ACCOUNTS, .name = "link", .method = CA_POST, .path = ACCOUNTS "/link",
    .has_body = true, .cost = CA_REVERSIBLE, .repeat = CA_REPEAT_NEVER,
    .shows = CA_SHOWS_ID, .probe = CA_PROBE_LISTED,
    .makes = "connected_account_id", .option = "allow_multiple",
    .failure = "ComposioFailedToCreateConnectedAccountLink",
    .fields = link_fields },
  { OF_ACCOUNTS, .name = "enable", .method = CA_PATCH,
    .path = ACCOUNTS "/{id}/status", .body = "{\"enabled\":true}",
    .has_body = true, .cost = CA_REVERSIBLE, .probe = CA_PROBE_STATUS,
    .becomes = "ACTIVE", .undo = "disable", .fields = id_fields },
  { OF_ACCOUNTS, .name = "disable", .method = CA_PATCH,
    .path = ACCOUNTS "/{id}/status", .body = "{\"enabled\":false}",
    .has_body = true, .cost = CA_REVERSIBLE, .probe = CA_PROBE_STATUS,
    .becomes = "INACTIVE", .undo = "enable", .fields = id_fields },
  /* on an ACTIVE account it starts a new login and breaks the connection */
  { OF_ACCOUNTS, .name = "refresh", .method = CA_POST,
    .path = ACCOUNTS "/{id}/refresh", .body = "{}", .has_body = true,
    .cost = CA_REVERSIBLE, .repeat = CA_REPEAT_NEVER, .answers_409 = true,
    .shows = CA_SHOWS_ID, .probe = CA_PROBE_MOVED, .option = "even_if_active",
    .spares = "ACTIVE", .fields = refresh_fields },
  { OF_ACCOUNTS, .name = "delete", .method = CA_DELETE,
    .path = ACCOUNTS "/{id}", .cost = CA_IRREVERSIBLE,
    .repeat = CA_REPEAT_GONE_OK, .probe = CA_PROBE_GONE,
    .fields = delete_fields },
  { OF_ACCOUNTS, .name = "revoke", .method = CA_POST,
    .path = ACCOUNTS "/{id}/revoke", .body = "", .has_body = true,
    .cost = CA_IRREVERSIBLE, .answers_409 = true, .shows = CA_SHOWS_REVOKED,
    .probe = CA_PROBE_STATUS, .becomes = "REVOKED", .fields = id_fields },
  { OF_ACCOUNTS, .name = "update", .method = CA_PATCH,
    .path = ACCOUNTS "/{id}", .has_body = true, .cost = CA_REVERSIBLE,
    .probe = CA_PROBE_FIELDS, .undo = "update", .fields = update_fields },
  /* only doctor asks for them */
  { .resource = "webhook_subscriptions",
    .name = "list",
    .method = CA_GET,
    .path = "/webhook_subscriptions",
    .fields = webhook_list_fields },
  { OF_CONFIGS, .name = "list", .method = CA_GET, .path = CONFIGS,
    .fields = config_list_fields },
  { OF_CONFIGS, .name = "get", .method = CA_GET, .path = CONFIGS "/{id}",
    .fields = id_fields },
  { OF_CONFIGS, .name = "enable", .method = CA_PATCH,
    .path = CONFIGS "/{id}/ENABLED", .body = "", .has_body = true,
    .cost = CA_REVERSIBLE, .probe = CA_PROBE_STATUS, .becomes = "ENABLED",
    .undo = "disable", .fields = id_fields },
  /* also disables all accounts that were made with it */
  { OF_CONFIGS, .name = "disable", .method = CA_PATCH,
    .path = CONFIGS "/{id}/DISABLED", .body = "", .has_body = true,
    .cost = CA_REVERSIBLE, .probe = CA_PROBE_STATUS, .becomes = "DISABLED",
    .undo = "enable", .weight = "no_of_connections", .fields = id_fields },
  { OF_CONFIGS, .name = "update", .method = CA_PATCH, .path = CONFIGS "/{id}",
    .has_body = true, .cost = CA_REVERSIBLE, .fields = config_update_fields }
};

const struct ca_api *ca_api_rows(size_t *count)
{
  *count = sizeof(rows) / sizeof(rows[0]);
  return rows;
}

int ca_api_number(const struct ca_api *api)
{
  return (int)(api - rows);
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

/* The row that reads the resource: one by its id, or the list. */
static const struct ca_api *find_read(const char *resource, bool has_id)
{
  size_t i;
  for(i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    if(!strcmp(rows[i].resource, resource) && !ca_api_mutates(&rows[i]) &&
       ca_api_has_id(&rows[i]) == has_id)
      return &rows[i];
  return NULL;
}

const struct ca_api *ca_api_get(const struct ca_api *api)
{
  return find_read(api->resource, true);
}

const struct ca_api *ca_api_list(const struct ca_api *api)
{
  return find_read(api->resource, false);
}

const char *ca_api_from(const struct ca_api *api)
{
  const struct ca_api *undo =
      api->undo ? ca_api_find(api->resource, api->undo) : NULL;
  return api->becomes && undo ? undo->becomes : NULL;
}

bool ca_api_mutates(const struct ca_api *api)
{
  return api->cost != CA_READ;
}

bool ca_api_has_id(const struct ca_api *api)
{
  return strstr(api->path, "{id}") != NULL;
}

bool ca_api_creates(const struct ca_api *api)
{
  return ca_api_mutates(api) && !ca_api_has_id(api);
}

static const char accounts[] = "connected_accounts";

bool ca_api_of_accounts(const struct ca_api *api)
{
  return !strcmp(api->resource, accounts);
}

const char *ca_api_noun(const struct ca_api *api)
{
  return ca_api_of_accounts(api) ? "account" : "auth config";
}

void ca_api_label(const struct ca_api *api, char *out, size_t size)
{
  if(ca_api_of_accounts(api))
    snprintf(out, size, "%s", api->name);
  else
    snprintf(out, size, "%s.%s", api->resource, api->name);
}

const struct ca_api *ca_api_of_label(const char *label)
{
  char resource[64];
  const char *dot = strchr(label, '.');

  if(!dot)
    return ca_api_find(accounts, label);
  if((size_t)(dot - label) >= sizeof(resource))
    return NULL;
  ca_err_copy_text(resource, sizeof(resource), label, (size_t)(dot - label));
  return ca_api_find(resource, dot + 1);
}

bool ca_api_status_works(const char *status)
{
  return !strcmp(status, "ACTIVE");
}

bool ca_api_status_is_disabled(const char *status)
{
  return !strcmp(status, "INACTIVE");
}

const char *ca_api_method_name(enum ca_method method)
{
  static const char *const names[] = { "GET", "POST", "PATCH", "DELETE" };
  return names[method];
}

const char *ca_api_class_name(enum ca_class cost)
{
  static const char *const names[] = { "read", "reversible", "irreversible" };
  return names[cost];
}
