/* The operations on auth configs, and the toolkit that goes with them.
   They must not know how a call reached them. */
#include "config_ops.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "account.h"
#include "change.h"
#include "list.h"
#include "render.h"
#include "reply.h"

/* Unlike accounts, auth configs start with a page of 20 and had their
   ceiling raised to 200. */
#define PAGE_USUAL 20
#define PAGE_MOST  200

static struct emu_config *want(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = emu_store_config(&emu->store, call->id);
  if(!config)
    emu_reply_fail(call, &EMU_CONFIG_NOT_FOUND, "Auth config \"%s\" not found",
                   call->id);
  return config;
}

static void note(struct emu *emu, const struct emu_config *config,
                 const char *op)
{
  struct emu_change change = {
    .time_ms = emu_clock_now(&emu->clock),
    .op = op,
    .slot = EMU_NONE,
    .config = emu_map_find(&emu->store.by_config, config->id),
    .before = EMU_STATUSES,
    .after = EMU_STATUSES,
  };
  emu_journal_change(&emu->journal, &change);
  emu->store.configs_dirty = true;
}

struct wish {
  const char *search;
  const char *toolkits; /* comma-separated */
  bool any_owner;
  bool managed;
  bool disabled_too;
};

static bool in_list(const char *list, const char *word)
{
  size_t length = strlen(word);
  for(const char *at = list; *at;) {
    size_t size = strcspn(at, ",");
    if(size == length && !strncasecmp(at, word, length))
      return true;
    at += size + (at[size] == ',');
  }
  return false;
}

static bool wanted(const struct emu_config *config, const struct wish *wish)
{
  if(config->deleted || (config->disabled && !wish->disabled_too))
    return false;
  if(!wish->any_owner && config->managed != wish->managed)
    return false;
  if(wish->toolkits && *wish->toolkits &&
     !in_list(wish->toolkits, config->toolkit->slug))
    return false;
  return !wish->search || !*wish->search ||
         strcasestr(config->name, wish->search) ||
         !strcmp(config->id, wish->search);
}

static bool flag_of(struct emu_call *call, const char *name, bool *given,
                    bool *value)
{
  const char *text = emu_call_param(call, name);
  *given = text && *text;
  *value = *given && !strcmp(text, "true");
  if(!*given || *value || !strcmp(text, "false"))
    return true;
  emu_reply_invalid(call, "%s: Expected true or false", name);
  return false;
}

void emu_config_list(struct emu *emu, struct emu_call *call)
{
  struct emu_page page;
  struct wish wish = { .search = emu_call_param(call, "search"),
                       .toolkits = emu_call_param(call, "toolkit_slug") };
  bool given = false;
  if(!emu_list_page(emu, call, PAGE_USUAL, PAGE_MOST, &page) ||
     !flag_of(call, "show_disabled", &given, &wish.disabled_too) ||
     !flag_of(call, "is_composio_managed", &given, &wish.managed))
    return;
  wish.any_owner = !given;
  struct emu_buf *out = emu_reply_start(call, 200);
  int64_t first = (page.page - 1) * page.limit;
  int64_t total = 0;
  emu_buf_text(out, "{\"items\":[");
  for(size_t i = 0; i < emu->store.config_count; i++) {
    const struct emu_config *config = emu->store.configs[i];
    if(!wanted(config, &wish))
      continue;
    if(total >= first && total < first + page.limit) {
      if(total > first)
        emu_buf_char(out, ',');
      emu_render_config(emu, out, config);
    }
    total++;
  }
  emu_buf_char(out, ']');
  emu_list_end(call, &page, total);
}

void emu_config_get(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = want(emu, call);
  if(config)
    emu_render_config(emu, emu_reply_start(call, 200), config);
}

static const struct emu_scheme *default_scheme(const struct emu_toolkit *kit)
{
  return emu_scheme_at(!strcmp(kit->slug, "trello") ? EMU_OAUTH1 : EMU_OAUTH2);
}

/* The scheme a create asks for, or NULL with the refusal written. */
static const struct emu_scheme *scheme_of(struct emu_call *call,
                                          const json_t *wish,
                                          const struct emu_toolkit *toolkit,
                                          bool managed)
{
  if(managed) {
    if(toolkit->managed)
      return default_scheme(toolkit);
    emu_reply_fail(call, &EMU_CONFIG_BAD,
                   "Toolkit \"%s\" has no Composio-managed auth",
                   toolkit->slug);
    return NULL;
  }
  const char *name = json_string_value(json_object_get(wish, "authScheme"));
  const struct emu_scheme *scheme = name ? emu_scheme_parse(name) : NULL;
  if(!scheme || scheme->id == EMU_PASSKEY) {
    emu_reply_invalid(call, "auth_config.authScheme: %s",
                      name ? "Invalid enum value" : "Required");
    return NULL;
  }
  return scheme;
}

static const struct emu_toolkit *toolkit_of(struct emu_call *call,
                                            const char *slug)
{
  const struct emu_toolkit *toolkit = slug ? emu_toolkit_parse(slug) : NULL;
  if(!slug || !*slug)
    emu_reply_invalid(call, "toolkit.slug: Required");
  else if(!toolkit)
    emu_reply_fail(call, &EMU_TOOLKIT_NOT_FOUND, "Toolkit \"%s\" not found",
                   slug);
  return toolkit;
}

static void created(struct emu_call *call, const struct emu_config *config)
{
  struct emu_buf *out = emu_reply_start(call, 201);
  emu_buf_format(out,
                 "{\"toolkit\":{\"slug\":\"%s\"},\"auth_config\":{"
                 "\"id\":\"%s\",\"auth_scheme\":\"%s\","
                 "\"is_composio_managed\":%s,"
                 "\"restrict_to_following_tools\":[]}}",
                 config->toolkit->slug, config->id, config->scheme->name,
                 config->managed ? "true" : "false");
}

/* Replaces an owned JSON text by that of a value, when there is one. */
static void keep(char **text, const json_t *value)
{
  if(!value)
    return;
  free(*text);
  *text = json_is_null(value) ? NULL : json_dumps(value, JSON_COMPACT);
}

/* Is each of these an object where it is given? */
static bool objects(struct emu_call *call, const json_t *body,
                    const char *const *names)
{
  for(; *names; names++) {
    const json_t *value = json_object_get(body, *names);
    if(value && !json_is_object(value) && !json_is_null(value)) {
      emu_reply_invalid(call, "%s: Expected object", *names);
      return false;
    }
  }
  return true;
}

static const char *const parts[] = { "credentials", "tool_access_config",
                                     "shared_credentials", "proxy_config",
                                     NULL };

static void take_parts(struct emu_config *config, const json_t *body)
{
  const json_t *router = json_object_get(body, "is_enabled_for_tool_router");
  keep(&config->tools, json_object_get(body, "tool_access_config"));
  keep(&config->shared, json_object_get(body, "shared_credentials"));
  keep(&config->proxy, json_object_get(body, "proxy_config"));
  if(json_is_boolean(router))
    config->router = json_is_true(router);
}

static struct emu_config *make(struct emu *emu,
                               const struct emu_toolkit *toolkit,
                               const struct emu_scheme *scheme, bool managed,
                               const json_t *wish)
{
  char id[16];
  do
    emu_random_id(&emu->random, id, "ac_", 12);
  while(emu_map_find(&emu->store.by_config, id) != EMU_NONE);
  struct emu_config *config = emu_store_add_config(&emu->store, id);
  const char *name = json_string_value(json_object_get(wish, "name"));
  emu_random_uuid(&emu->random, config->uuid);
  config->toolkit = toolkit;
  config->scheme = scheme;
  config->managed = managed;
  config->router = true;
  config->created_ms = config->updated_ms = emu_clock_now(&emu->clock);
  if(name && *name) {
    config->name = emu_copy(name);
  } else {
    struct emu_buf made = { 0 };
    emu_buf_format(&made, "%s Auth Config", toolkit->name);
    config->name = emu_copy(emu_buf_string(&made));
    emu_buf_clear(&made);
  }
  keep(&config->credentials, json_object_get(wish, "credentials"));
  take_parts(config, wish);
  return config;
}

void emu_config_create(struct emu *emu, struct emu_call *call)
{
  if(!emu_reply_want_body(call, false))
    return;
  const json_t *wish = json_object_get(call->json, "auth_config");
  const json_t *kit = json_object_get(call->json, "toolkit");
  const struct emu_toolkit *toolkit =
      toolkit_of(call, json_string_value(json_object_get(kit, "slug")));
  if(!toolkit)
    return;
  const char *type = json_string_value(json_object_get(wish, "type"));
  bool managed = !wish || (type && !strcmp(type, "use_composio_managed_auth"));
  if(!managed && (!type || strcmp(type, "use_custom_auth") != 0)) {
    emu_reply_invalid(call, "auth_config.type: Expected "
                            "'use_composio_managed_auth' | "
                            "'use_custom_auth'");
    return;
  }
  if(!strcmp(toolkit->slug, "composio")) {
    emu_reply_fail(call, &EMU_CONFIG_NO_AUTH,
                   "Cannot create an auth config for toolkit \"%s\" because "
                   "it does not require authentication.",
                   toolkit->slug);
    return;
  }
  const struct emu_scheme *scheme = scheme_of(call, wish, toolkit, managed);
  if(!scheme || !objects(call, wish, parts))
    return;
  struct emu_config *config = make(emu, toolkit, scheme, managed, wish);
  note(emu, config, "auth_config_create");
  created(call, config);
}

/* What is omitted stays; null or [] clears. */
static void merge_credentials(struct emu_config *config, const json_t *news)
{
  json_t *old =
      config->credentials ? json_loads(config->credentials, 0, NULL) : NULL;
  if(!old)
    old = json_object();
  const char *field;
  json_t *value;
  json_object_foreach((json_t *)news, field, value)
  {
    if(json_is_null(value) ||
       (json_is_array(value) && !json_array_size(value)))
      json_object_del(old, field);
    else
      json_object_set(old, field, value);
  }
  keep(&config->credentials, old);
  json_decref(old);
}

static void succeeded(struct emu_call *call, const char *message)
{
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"success\":true,");
  emu_buf_pair(out, "message", message);
  emu_buf_char(out, '}');
}

void emu_config_update(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = want(emu, call);
  if(!config || !emu_reply_want_body(call, false))
    return;
  const char *type = json_string_value(json_object_get(call->json, "type"));
  const json_t *name = json_object_get(call->json, "name");
  const char *right = config->managed ? "default" : "custom";
  if(!type || strcmp(type, right) != 0) {
    emu_reply_invalid(call, "type: Expected '%s'", right);
    return;
  }
  if(name && !json_string_length(name)) {
    emu_reply_invalid(call, "name: Expected non-empty string");
    return;
  }
  if(!objects(call, call->json, parts))
    return;
  if(name) {
    free(config->name);
    config->name = emu_copy(json_string_value(name));
  }
  const json_t *credentials = json_object_get(call->json, "credentials");
  const json_t *scopes = json_object_get(call->json, "scopes");
  if(json_is_object(credentials))
    merge_credentials(config, credentials);
  if(scopes) {
    json_t *only = json_object();
    json_object_set(only, "scopes", (json_t *)scopes);
    merge_credentials(config, only);
    json_decref(only);
  }
  take_parts(config, call->json);
  config->updated_ms = emu_clock_now(&emu->clock);
  note(emu, config, "auth_config_update");
  succeeded(call, "Auth config updated successfully");
}

/* Turns all connections of one status and reason into another. */
static void turn_all(struct emu *emu, uint32_t config, enum emu_status from,
                     const char *from_reason, enum emu_status to,
                     const char *to_reason, const char *op)
{
  for(uint32_t slot = 0; slot < emu->store.accounts; slot++) {
    const struct emu_hot *hot = &emu->store.hot[slot];
    if(hot->gone || hot->config != config || hot->class_id / 2 != from)
      continue;
    struct emu_account *account = emu_store_at(&emu->store, slot);
    if(!from_reason ||
       (account->reason && !strcmp(account->reason, from_reason)))
      emu_account_move(emu, account, op, to, to_reason);
  }
}

void emu_config_enable(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = want(emu, call);
  if(!config)
    return;
  if(config->disabled) {
    config->disabled = false;
    config->updated_ms = emu_clock_now(&emu->clock);
    note(emu, config, "auth_config_enable");
    turn_all(emu, emu_map_find(&emu->store.by_config, config->id),
             EMU_INACTIVE, EMU_REASON_CONFIG, EMU_ACTIVE, NULL,
             "auth_config_enable");
  }
  succeeded(call, "Auth config status updated to ENABLED");
}

void emu_config_disable(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = want(emu, call);
  if(!config)
    return;
  if(!config->disabled) {
    config->disabled = true;
    config->updated_ms = emu_clock_now(&emu->clock);
    note(emu, config, "auth_config_disable");
    turn_all(emu, emu_map_find(&emu->store.by_config, config->id), EMU_ACTIVE,
             NULL, EMU_INACTIVE, EMU_REASON_CONFIG, "auth_config_disable");
  }
  succeeded(call, "Auth config status updated to DISABLED");
}

void emu_config_delete(struct emu *emu, struct emu_call *call)
{
  struct emu_config *config = want(emu, call);
  bool revoke = false;
  if(!config || !emu_change_revoke_flag(call, &revoke))
    return;
  uint32_t number = emu_map_find(&emu->store.by_config, config->id);
  for(uint32_t slot = 0; slot < emu->store.accounts; slot++) {
    const struct emu_hot *hot = &emu->store.hot[slot];
    if(hot->gone || hot->config != number)
      continue;
    struct emu_account *account = emu_store_at(&emu->store, slot);
    enum emu_status before = (enum emu_status)account->status;
    emu_store_delete(&emu->store, account, emu_clock_now(&emu->clock));
    emu_account_note(emu, account, "auth_config_delete", before);
  }
  config->deleted = true;
  note(emu, config, "auth_config_delete");
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"success\":true,\"message\":\"Auth config deleted "
                    "successfully\"");
  if(revoke) {
    char job[16];
    emu_random_id(&emu->random, job, "pj_", 12);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "revoke_job_id", job);
  }
  emu_buf_char(out, '}');
}

static void detail(struct emu_buf *out, const struct emu_toolkit *toolkit,
                   const struct emu_scheme *scheme, const char *separator)
{
  emu_buf_format(out,
                 "%s{\"name\":\"%s\",\"mode\":\"%s\",\"fields\":{"
                 "\"auth_config_creation\":{\"required\":[],\"optional\":[]},"
                 "\"connected_account_initiation\":{\"required\":",
                 separator, scheme->name, scheme->name);
  emu_render_fields(out, toolkit, scheme, true);
  emu_buf_text(out, ",\"optional\":[]}}}");
}

void emu_config_toolkit(struct emu *emu, struct emu_call *call)
{
  const struct emu_toolkit *toolkit = toolkit_of(call, call->id);
  if(!toolkit)
    return;
  const struct emu_scheme *scheme = default_scheme(toolkit);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_format(out, "{\"name\":\"%s\",\"slug\":\"%s\",\"enabled\":true,",
                 toolkit->name, toolkit->slug);
  emu_buf_format(out,
                 "\"is_local_toolkit\":false,\"meta\":{\"logo\":"
                 "\"https://logos.composio.dev/api/%s\","
                 "\"description\":\"%s\",\"categories\":[],"
                 "\"tools_count\":0,\"triggers_count\":0,"
                 "\"created_at\":\"2024-05-03T11:44:32.061Z\","
                 "\"updated_at\":\"2024-05-03T11:44:32.061Z\"},"
                 "\"composio_managed_auth_schemes\":[",
                 toolkit->slug, toolkit->name);
  if(toolkit->managed)
    emu_buf_format(out, "\"%s\"", scheme->name);
  emu_buf_text(out, "],\"auth_config_details\":[");
  const char *separator = "";
  bool seen[EMU_SCHEMES] = { false };
  for(size_t i = 0; i < emu->store.config_count; i++) {
    const struct emu_config *config = emu->store.configs[i];
    if(config->toolkit != toolkit || seen[config->scheme->id])
      continue;
    seen[config->scheme->id] = true;
    detail(out, toolkit, config->scheme, separator);
    separator = ",";
  }
  if(toolkit->managed && !seen[scheme->id])
    detail(out, toolkit, scheme, separator);
  emu_buf_text(out, "]}");
}
