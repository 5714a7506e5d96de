/* The account object and the auth config object as the API shows them.
   It must not know which operation shows them. */
#include "render.h"

#include <string.h>

#include "state.h"
#ifdef EMU_ROWS
#include "../rows/emulator.h"
#endif

static const char *const adjectives[] = {
  "red",   "calm",  "brave", "quiet", "amber", "swift", "lucky",  "plain",
  "green", "royal", "sunny", "misty", "early", "proud", "silver", "tidy",
};
static const char *const nouns[] = {
  "castle", "river",  "meadow",  "falcon",  "harbor", "lantern",
  "maple",  "island", "comet",   "garden",  "bridge", "willow",
  "summit", "canyon", "prairie", "orchard",
};

static void flag(struct emu_buf *out, const char *field, bool value)
{
  emu_buf_char(out, '"');
  emu_buf_text(out, field);
  emu_buf_text(out, value ? "\":true" : "\":false");
}

static void bare(struct emu_buf *out, const char *field, const char *text)
{
  emu_buf_char(out, '"');
  emu_buf_text(out, field);
  emu_buf_text(out, "\":\"");
  emu_buf_text(out, text);
  emu_buf_char(out, '"');
}

static void word_id(struct emu_buf *out, const struct emu_account *account,
                    const struct emu_config *config)
{
  uint64_t hash = emu_random_hash(account->id);
  emu_buf_text(out, ",\"word_id\":\"");
  emu_buf_text(out, config->toolkit->slug);
  emu_buf_char(out, '_');
  emu_buf_text(out, adjectives[hash & 15]);
  emu_buf_char(out, '-');
  emu_buf_text(out, nouns[(hash >> 4) & 15]);
  emu_buf_char(out, '"');
}

void emu_render_experimental(struct emu_buf *out,
                             const struct emu_account *account)
{
  if(!(account->flags & EMU_SHARED)) {
    emu_buf_text(out, "{\"account_type\":\"PRIVATE\"}");
    return;
  }
  emu_buf_text(out, "{\"account_type\":\"SHARED\",\"acl_config_for_shared\":");
  emu_buf_text(out, account->acl ? account->acl
                                 : "{\"allow_all_users\":false,"
                                   "\"allowed_user_ids\":[],"
                                   "\"not_allowed_user_ids\":[]}");
  emu_buf_char(out, '}');
}

static void scopes(struct emu_buf *out, const char *scope)
{
  const char *separator = "";
  emu_buf_text(out, ",\"requested_scopes\":[");
  while(*scope) {
    size_t length = strcspn(scope, " ,");
    emu_buf_text(out, separator);
    emu_buf_json_bytes(out, scope, length);
    separator = ",";
    scope += length;
    scope += strspn(scope, " ,");
  }
  emu_buf_text(out, "],\"requested_user_scopes\":[]");
}

/* The deprecated flat bag: the fields of val once more, and headers. */
static void data(struct emu_buf *out, const struct emu_account *account,
                 const struct emu_config *config, size_t val, size_t size,
                 enum emu_mask mask)
{
  emu_buf_text(out, ",\"data\":");
  emu_buf_again(out, val, size - 1); /* without the closing brace */
  bool usable =
      account->status == EMU_ACTIVE || account->status == EMU_INACTIVE;
  if(usable && config->scheme->id != EMU_NO_AUTH && mask != EMU_MASK_RAW)
    emu_buf_text(out, ",\"headers\":{\"Authorization\":\"REDACTED\","
                      "\"x-request-id\":\"REDACTED\"},\"queryParams\":{}");
  emu_buf_char(out, '}');
}

static void credentials(const struct emu *emu, struct emu_buf *out,
                        const struct emu_account *account,
                        const struct emu_config *config,
                        const struct emu_render *how)
{
  emu_buf_text(out, ",\"state\":{");
  bare(out, "authScheme", config->scheme->name);
  emu_buf_text(out, ",\"val\":");
  size_t val = out->size;
  emu_state_val(emu, out, account, how->mask);
  size_t size = out->size - val;
  emu_buf_char(out, '}');
  data(out, account, config, val, size, how->mask);
}

void emu_render_account(const struct emu *emu, struct emu_buf *out,
                        const struct emu_account *account,
                        const struct emu_render *how)
{
  const struct emu_config *config = emu_store_config_of(&emu->store, account);
  emu_buf_char(out, '{');
  bare(out, "id", account->id);
  emu_buf_text(out, ",\"toolkit\":{");
  bare(out, "slug", config->toolkit->slug);
  emu_buf_text(out, "},\"auth_config\":{");
  bare(out, "id", config->id);
  emu_buf_char(out, ',');
  bare(out, "auth_scheme", config->scheme->name);
  emu_buf_char(out, ',');
  flag(out, "is_composio_managed", config->managed);
  emu_buf_char(out, ',');
  flag(out, "is_disabled", config->disabled);
  emu_buf_char(out, '}');
  if(!(account->flags & EMU_NO_USER)) {
    emu_buf_text(out, ",\"user_id\":");
    emu_buf_json(out, emu_store_user_name(&emu->store, account));
  }
  emu_buf_text(out, ",\"alias\":");
  emu_buf_json(out, account->alias);
  word_id(out, account, config);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "status",
               how->status
                   ? how->status
                   : emu_status_name((enum emu_status)account->status));
  emu_buf_text(out, ",\"status_reason\":");
  emu_buf_json(out, account->reason);
  emu_buf_char(out, ',');
  flag(out, "is_disabled", (account->flags & EMU_DISABLED) != 0);
  emu_buf_text(out, ",\"created_at\":");
  emu_buf_time(out, account->created_ms);
  emu_buf_text(out, ",\"updated_at\":");
  emu_buf_time(out, account->updated_ms);
  credentials(emu, out, account, config, how);
  if(how->whole)
    emu_buf_format(out, ",\"params\":{\"base_url\":\"%s\"}",
                   config->toolkit->base_url);
  if(config->toolkit->test_endpoint) {
    emu_buf_char(out, ',');
    bare(out, "test_request_endpoint", config->toolkit->test_endpoint);
  }
  emu_buf_text(out, ",\"experimental\":");
  emu_render_experimental(out, account);
#ifdef EMU_ROWS
  emu_rows_render(out, account);
#endif
  if(how->whole && config->scheme->id == EMU_OAUTH2)
    scopes(out, config->toolkit->scope);
  emu_buf_char(out, '}');
}

static void field(struct emu_buf *out, const char *key, const char *shown,
                  bool required, const char **separator)
{
  emu_buf_text(out, *separator);
  *separator = ",";
  emu_buf_format(out,
                 "{\"name\":\"%s\",\"displayName\":\"%s\","
                 "\"type\":\"string\",\"description\":\"%s\","
                 "\"required\":%s,\"user_visible\":true%s}",
                 key, shown, shown, required ? "true" : "false",
                 emu_words_secret(key) ? ",\"is_secret\":true" : "");
}

void emu_render_fields(struct emu_buf *out, const struct emu_toolkit *toolkit,
                       const struct emu_scheme *scheme, bool required_only)
{
  const char *separator = "";
  emu_buf_char(out, '[');
  if(toolkit->field)
    field(out, toolkit->field, toolkit->field_name, true, &separator);
  if(scheme->id == EMU_API_KEY && !required_only)
    field(out, "generic_api_key", "API Key", false, &separator);
  if(scheme->id == EMU_BEARER_TOKEN)
    field(out, "token", "Token", true, &separator);
  if(scheme->id == EMU_BASIC || scheme->id == EMU_BASIC_WITH_JWT)
    field(out, "username", "Username", true, &separator);
  if(scheme->id == EMU_BASIC_WITH_JWT ||
     (scheme->id == EMU_BASIC && !required_only))
    field(out, "password", "Password", scheme->id == EMU_BASIC_WITH_JWT,
          &separator);
  if(scheme->id == EMU_GOOGLE_SERVICE_ACCOUNT)
    field(out, "credentials_json", "Credentials JSON", true, &separator);
  emu_buf_char(out, ']');
}

static void config_credentials(const struct emu *emu, struct emu_buf *out,
                               const struct emu_config *config)
{
  emu_buf_text(out, ",\"credentials\":");
  json_t *object =
      config->credentials ? json_loads(config->credentials, 0, NULL) : NULL;
  enum emu_mask mask = emu->options.mask;
  if(config->managed && mask == EMU_MASK_MASK4)
    mask = EMU_MASK_REDACT;
  /* Of custom configs the service shows four characters; only raw mode of
     this program shows more. */
  if(!config->managed && mask == EMU_MASK_REDACT)
    mask = EMU_MASK_MASK4;
  emu_state_masked(out, object, mask);
  json_decref(object);
}

void emu_render_config(const struct emu *emu, struct emu_buf *out,
                       const struct emu_config *config)
{
  emu_buf_char(out, '{');
  bare(out, "id", config->id);
  emu_buf_char(out, ',');
  bare(out, "uuid", config->uuid);
  emu_buf_char(out, ',');
  bare(out, "type", config->managed ? "default" : "custom");
  emu_buf_format(out,
                 ",\"toolkit\":{\"slug\":\"%s\",\"logo\":"
                 "\"https://logos.composio.dev/api/%s\"},",
                 config->toolkit->slug, config->toolkit->slug);
  emu_buf_pair(out, "name", config->name);
  emu_buf_char(out, ',');
  bare(out, "auth_scheme", config->scheme->name);
  emu_buf_char(out, ',');
  flag(out, "is_composio_managed", config->managed);
  config_credentials(emu, out, config);
  if(config->proxy) {
    json_t *proxy = json_loads(config->proxy, 0, NULL);
    emu_buf_text(out, ",\"proxy_config\":");
    emu_state_masked(out, proxy, emu->options.mask);
    json_decref(proxy);
  }
  emu_buf_format(out, ",\"status\":\"%s\",\"created_by\":\"%s\"",
                 config->disabled ? "DISABLED" : "ENABLED",
                 "usr_emulator@example.com");
  emu_buf_text(out, ",\"created_at\":");
  emu_buf_time(out, config->created_ms);
  emu_buf_text(out, ",\"last_updated_at\":");
  emu_buf_time(out, config->updated_ms);
  emu_buf_text(out, ",\"no_of_connections\":");
  emu_buf_int(out, (int64_t)config->connections);
  emu_buf_text(out, ",\"expected_input_fields\":");
  emu_render_fields(out, config->toolkit, config->scheme, false);
  emu_buf_text(out, ",\"restrict_to_following_tools\":[]");
  emu_buf_format(out, ",\"tool_access_config\":%s",
                 config->tools ? config->tools : "{}");
  if(config->shared)
    emu_buf_text(out, ",\"shared_credentials\":{}");
  emu_buf_char(out, ',');
  flag(out, "is_enabled_for_tool_router", config->router);
  emu_buf_char(out, '}');
}
