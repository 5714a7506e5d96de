/* The operation table makes sense as a whole: what code relies on without
   looking again. Must not know: how rows are sent. */
#include "wire/api.h"
#include "check.h"
#include "wire/request.h"

/* Runs a check over every row, and names the row when it failed. */
static void each(void (*precheck)(const struct ca_api *api))
{
  size_t count;
  const struct ca_api *rows = ca_api_rows(&count);
  size_t i;

  CHECK(count >= 15);
  for(i = 0; i < count; i++) {
    bool before = check_case_failed;
    precheck(&rows[i]);
    if(check_case_failed != before)
      printf("    of %s.%s\n", rows[i].resource, rows[i].name);
  }
}

static void look_complete(const struct ca_api *api)
{
  CHECK(!strcmp(api->resource, "connected_accounts") ||
        !strcmp(api->resource, "auth_configs") ||
        !strcmp(api->resource, "webhook_subscriptions"));
  if(!CHECK(api->name && *api->name) || !CHECK(api->path && *api->path == '/'))
    return;
  CHECK(!strncmp(api->path + 1, api->resource, strlen(api->resource)));
  CHECK(api->fields != NULL);
  CHECK(ca_api_find(api->resource, api->name) == api);
}

static void rows_are_complete(void)
{
  each(look_complete);
}

/* Contract: method, path and body to the byte. */
static void rows_on_the_wire(void)
{
  static const struct {
    const char *resource, *name, *method, *path, *body;
  } wire[] = {
    { "connected_accounts", "list", "GET", "/connected_accounts", NULL },
    { "connected_accounts", "get", "GET", "/connected_accounts/{id}", NULL },
    { "connected_accounts", "initiate", "POST", "/connected_accounts", NULL },
    { "connected_accounts", "link", "POST", "/connected_accounts/link", NULL },
    { "connected_accounts", "enable", "PATCH",
      "/connected_accounts/{id}/status", "{\"enabled\":true}" },
    { "connected_accounts", "disable", "PATCH",
      "/connected_accounts/{id}/status", "{\"enabled\":false}" },
    { "connected_accounts", "refresh", "POST",
      "/connected_accounts/{id}/refresh", "{}" },
    { "connected_accounts", "delete", "DELETE", "/connected_accounts/{id}",
      NULL },
    { "connected_accounts", "revoke", "POST",
      "/connected_accounts/{id}/revoke", "" },
    { "connected_accounts", "update", "PATCH", "/connected_accounts/{id}",
      NULL },
    { "webhook_subscriptions", "list", "GET", "/webhook_subscriptions", NULL },
    { "auth_configs", "list", "GET", "/auth_configs", NULL },
    { "auth_configs", "get", "GET", "/auth_configs/{id}", NULL },
    { "auth_configs", "enable", "PATCH", "/auth_configs/{id}/ENABLED", "" },
    { "auth_configs", "disable", "PATCH", "/auth_configs/{id}/DISABLED", "" },
    { "auth_configs", "update", "PATCH", "/auth_configs/{id}", NULL },
  };
  size_t i;

  for(i = 0; i < sizeof(wire) / sizeof(wire[0]); i++) {
    const struct ca_api *api = ca_api_find(wire[i].resource, wire[i].name);
    if(!CHECK(api != NULL))
      continue;
    CHECK_TEXT(ca_api_method_name(api->method), wire[i].method);
    CHECK_TEXT(api->path, wire[i].path);
    CHECK_TEXT(api->body, wire[i].body);
  }
}

static void look_at_class(const struct ca_api *api)
{
  CHECK_INT(ca_api_mutates(api), api->method != CA_GET);
  CHECK_INT(api->cost == CA_READ, api->method == CA_GET);
  if(api->method == CA_GET || api->method == CA_DELETE)
    CHECK(!api->has_body && !api->body);
  if(api->method == CA_GET) {
    CHECK_INT(api->repeat, CA_REPEAT_FREELY);
    CHECK_INT(api->probe, CA_PROBE_NONE);
    CHECK(!api->undo && !api->becomes);
  }
  CHECK_INT(api->repeat == CA_REPEAT_GONE_OK, api->method == CA_DELETE);
  if(api->body)
    CHECK(api->has_body);
  /* what may not be repeated must be possible to look up afterwards */
  if(api->repeat == CA_REPEAT_NEVER)
    CHECK(api->probe != CA_PROBE_NONE);
}

static void classes_fit_methods(void)
{
  each(look_at_class);
}

static void look_at_undo(const struct ca_api *api)
{
  const struct ca_api *back;

  if(!api->undo)
    return;
  back = ca_api_find(api->resource, api->undo);
  CHECK(back && back->undo && !strcmp(back->undo, api->name));
  CHECK_INT(api->cost, CA_REVERSIBLE);
}

static void undo_names_exist(void)
{
  each(look_at_undo);
}

static void look_at_states(const struct ca_api *api)
{
  CHECK_INT(api->becomes != NULL, api->probe == CA_PROBE_STATUS);
  /* creates, and only they, make an account and are found in lists */
  CHECK_INT(api->makes != NULL, api->probe == CA_PROBE_LISTED);
}

static void states_fit(void)
{
  each(look_at_states);
}

static void look_at_fields(const struct ca_api *api)
{
  const struct ca_field *field;
  bool options = false;
  bool has_id = strstr(api->path, "{id}") != NULL;
  int in_path = 0;
  int count = 0;

  for(field = api->fields; field->name; field++, count++) {
    CHECK(ca_api_field(api, field->name) == field);
    CHECK_INT(field->place == CA_IN_PATH, field->wire == NULL);
    in_path += field->place == CA_IN_PATH;
    if(field->place == CA_IN_PATH)
      CHECK(field->type == CA_ID && field->flags & CA_REQUIRED &&
            field->flags & CA_POSITIONAL);
    if(field->flags & CA_POSITIONAL)
      CHECK(!options && field->flags & CA_REQUIRED);
    else
      options = true;
    if(field->type == CA_WORD || field->type == CA_WORDS)
      CHECK(field->values && field->values[0]);
    else
      CHECK(!field->values);
    if(field->place == CA_IN_BODY)
      CHECK(api->has_body && !api->body);
    if(field->flags & CA_MAKES_IRREVERSIBLE)
      CHECK_INT(api->cost, CA_REVERSIBLE);
    if(field->type == CA_SCHEME)
      CHECK(field->flags & CA_SECRET);
    if(field->place == CA_IN_QUERY &&
       (field->type == CA_TEXTS || field->type == CA_WORDS))
      CHECK(field->flags & CA_NO_COMMA);
  }
  CHECK_INT(in_path, has_id);
  CHECK(count <= CA_FIELDS_MAX);
}

/* Only what a get shows can be compared: before a plan, by a probe, by undo.
 */
static void look_at_shown(const struct ca_api *api)
{
  const struct ca_field *field;
  int shown = 0;

  for(field = api->fields; field->name; field++) {
    shown += field->shown != NULL;
    if(field->shown)
      CHECK(field->place == CA_IN_BODY && !(field->flags & CA_SECRET));
    if(field->flags & CA_PLAN_SEES)
      CHECK(field->shown && field->type == CA_TEXT);
    /* the one column that items have for a field that changes */
    CHECK_INT((field->flags & CA_ITEM_KEEPS) != 0,
              field->shown && !strcmp(field->name, "alias"));
  }
  CHECK_INT(shown > 0, api->probe == CA_PROBE_FIELDS);
  if(shown)
    CHECK_TEXT(api->undo, api->name);
}

static void shown_fields_fit(void)
{
  each(look_at_shown);
}

static void look_at_options(const struct ca_api *api)
{
  const struct ca_field *field;
  unsigned owner = 0;

  CHECK(!api->spares || api->option);
  CHECK(!api->option || !ca_api_field(api, api->option));
  for(field = api->fields; field->name; field++)
    owner |= field->flags & (CA_NAMES_USER | CA_NAMES_CONFIG);
  CHECK_INT(owner, api->makes ? CA_NAMES_USER | CA_NAMES_CONFIG : 0);
}

static void options_fit(void)
{
  each(look_at_options);
}

static void look_at_label(const struct ca_api *api)
{
  char label[CA_API_LABEL_SIZE];

  ca_api_label(api, label, sizeof(label));
  CHECK(ca_api_of_label(label) == api);
  CHECK_INT(strchr(label, '.') == NULL, ca_api_of_accounts(api));
  CHECK(!ca_api_has_id(ca_api_list(api)));
  if(!strcmp(api->resource, "webhook_subscriptions"))
    return; /* these are only listed */
  CHECK(ca_api_has_id(ca_api_get(api)));
  CHECK_TEXT(ca_api_get(api)->resource, api->resource);
}

static void labels_come_back(void)
{
  each(look_at_label);
  CHECK(!ca_api_of_label("bend"));
  CHECK(!ca_api_of_label("toolkits.get"));
}

static void fields_fit(void)
{
  each(look_at_fields);
}

static void look_for_twins(const struct ca_api *api)
{
  const struct ca_field *one;
  const struct ca_field *other;

  for(one = api->fields; one->name; one++)
    for(other = one + 1; other->name; other++) {
      CHECK(strcmp(one->name, other->name) != 0);
      CHECK(!one->wire || !other->wire || strcmp(one->wire, other->wire) != 0);
    }
}

static void field_names_differ(void)
{
  each(look_for_twins);
}

static void seven_statuses(void)
{
  static const char *const want[] = { "INITIALIZING", "INITIATED", "ACTIVE",
                                      "FAILED",       "EXPIRED",   "INACTIVE",
                                      "REVOKED" };
  const struct ca_field *field =
      ca_api_field(ca_api_find("connected_accounts", "list"), "statuses");
  size_t i;

  for(i = 0; i < 7; i++)
    CHECK_TEXT(field->values[i], want[i]);
  CHECK(!field->values[7]);
}

static void irreversible_ones(void)
{
  size_t count;
  const struct ca_api *rows = ca_api_rows(&count);
  char names[200] = "";
  size_t i;

  for(i = 0; i < count; i++)
    if(rows[i].cost == CA_IRREVERSIBLE) {
      size_t used = strlen(names);
      snprintf(names + used, sizeof(names) - used, "%s ", rows[i].name);
    }
  CHECK_TEXT(names, "delete revoke ");
}

static void what_is_not_there(void)
{
  const struct ca_api *api = ca_api_find("connected_accounts", "get");

  CHECK(!ca_api_find("connected_accounts", "bend"));
  CHECK(!ca_api_find("toolkits", "get"));
  CHECK(!ca_api_field(api, "userIds"));
  CHECK(!ca_api_field(api, ""));
  CHECK_TEXT(ca_api_class_name(CA_READ), "read");
  CHECK_TEXT(ca_api_class_name(CA_REVERSIBLE), "reversible");
  CHECK_TEXT(ca_api_class_name(CA_IRREVERSIBLE), "irreversible");
}

int main(void)
{
  check_case("rows are complete", rows_are_complete);
  check_case("rows on the wire", rows_on_the_wire);
  check_case("classes fit methods", classes_fit_methods);
  check_case("undo names exist", undo_names_exist);
  check_case("states fit", states_fit);
  check_case("fields fit", fields_fit);
  check_case("shown fields fit", shown_fields_fit);
  check_case("options fit", options_fit);
  check_case("labels come back", labels_come_back);
  check_case("field names differ", field_names_differ);
  check_case("seven statuses", seven_statuses);
  check_case("irreversible ones", irreversible_ones);
  check_case("what is not there", what_is_not_there);
  return check_end();
}
