/* The operations that begin a connection: create, link, complete_auth.
   They must not know how a call reached them. */
#include "create.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "render.h"
#include "reply.h"
#include "state.h"

/* A new account as asked for, checked, not yet made. */
struct plan {
  struct emu_config *config;
  const char *user;
  const char *alias;
  const char *callback_url;
  enum emu_status status;
  bool shared;
  bool told_type; /* the reply repeats `experimental` when it was given */
  char *acl;      /* owned */
  char *val;      /* owned; fields of state.val without status */
  bool own_credentials;
};

static void plan_clear(struct plan *plan)
{
  free(plan->acl);
  free(plan->val);
}

/* The text of a field, NULL when absent; false with the refusal written. */
static bool text_of(struct emu_call *call, const json_t *object,
                    const char *path, const char *field, const char **text)
{
  const json_t *value = json_object_get(object, field);
  *text = json_string_value(value);
  if(!value || (*text && **text))
    return true;
  emu_reply_invalid(call, "%s%s: Expected non-empty string", path, field);
  return false;
}

static bool callback_of(struct emu_call *call, const json_t *object,
                        const char *path, struct plan *plan)
{
  if(!text_of(call, object, path, "callback_url", &plan->callback_url))
    return false;
  if(!plan->callback_url &&
     !text_of(call, object, path, "redirect_uri", &plan->callback_url))
    return false;
  const char *url = plan->callback_url;
  for(; url && *url; url++)
    if((unsigned char)*url <= 0x20 || *url == 0x7f) {
      emu_reply_invalid(call, "%scallback_url: Invalid url", path);
      return false;
    }
  return true;
}

static bool config_of(struct emu *emu, struct emu_call *call, const char *id,
                      struct plan *plan)
{
  plan->config = emu_store_config(&emu->store, id);
  if(!plan->config) {
    emu_reply_fail(call, &EMU_CONFIG_NOT_FOUND, "Auth config \"%s\" not found",
                   id);
    return false;
  }
  if(plan->config->disabled) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD, "Auth config \"%s\" is disabled",
                   id);
    return false;
  }
  return true;
}

static bool alias_of(struct emu *emu, struct emu_call *call,
                     const json_t *object, const char *path, struct plan *plan)
{
  if(!text_of(call, object, path, "alias", &plan->alias))
    return false;
  uint32_t user = emu_store_user(&emu->store, plan->user);
  if(!plan->alias ||
     !emu_store_alias_taken(&emu->store, user, plan->config->toolkit,
                            plan->alias, NULL))
    return true;
  emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                 "Alias \"%s\" is already used by another connected account "
                 "of this user for toolkit %s",
                 plan->alias, plan->config->toolkit->slug);
  return false;
}

static bool sharing_of(struct emu_call *call, const json_t *object,
                       struct plan *plan)
{
  const json_t *experimental = json_object_get(object, "experimental");
  const json_t *acl = json_object_get(experimental, "acl_config_for_shared");
  const json_t *type = json_object_get(experimental, "account_type");
  if(!experimental)
    return true;
  const char *name = json_string_value(type);
  if(!json_is_object(experimental) ||
     (type &&
      (!name || (strcmp(name, "PRIVATE") && strcmp(name, "SHARED"))))) {
    emu_reply_invalid(call, "experimental.account_type: Expected 'PRIVATE' | "
                            "'SHARED'");
    return false;
  }
  plan->told_type = true;
  plan->shared = name && !strcmp(name, "SHARED");
  if(!acl)
    return true;
  if(!plan->shared) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "acl_config_for_shared is only valid on SHARED "
                   "connections");
    return false;
  }
  plan->acl = emu_account_acl(call, acl, NULL);
  return plan->acl != NULL;
}

/* Are all the comma-separated fields there? The first missing one refuses. */
static bool has_fields(struct emu_call *call, const json_t *val,
                       const char *needs)
{
  for(const char *at = needs; at && *at;) {
    size_t length = strcspn(at, ",");
    char field[64];
    memcpy(field, at, length);
    field[length] = '\0';
    const char *text = json_string_value(json_object_get(val, field));
    if(!text || !*text) {
      emu_reply_fail(call, &EMU_ACCOUNT_FIELDS, "Missing required fields: %s",
                     field);
      return false;
    }
    at += length + (at[length] == ',');
  }
  return true;
}

static bool keep_val(const json_t *val, struct plan *plan)
{
  json_t *kept = json_deep_copy(val);
  json_object_del(kept, "status");
  if(json_object_size(kept))
    plan->val = json_dumps(kept, JSON_COMPACT);
  json_decref(kept);
  return true;
}

/* Which status a create ends in, and whether what it needs is there. */
static bool status_of(struct emu_call *call, const json_t *state,
                      struct plan *plan)
{
  const struct emu_scheme *scheme = plan->config->scheme;
  const json_t *val = json_object_get(state, "val");
  const char *said = json_string_value(json_object_get(val, "status"));
  bool active = said && !strcmp(said, "ACTIVE");
  if(said && !active && strcmp(said, "INITIALIZING") != 0 &&
     strcmp(said, "INITIATED") != 0) {
    emu_reply_invalid(call,
                      "connection.state.val.status: a connection cannot be "
                      "created %s",
                      said);
    return false;
  }
  plan->status = active || !scheme->login ? EMU_ACTIVE : EMU_INITIATED;
  plan->own_credentials = plan->status == EMU_ACTIVE;
  const struct emu_toolkit *toolkit = plan->config->toolkit;
  if(toolkit->field && !json_object_get(val, toolkit->field)) {
    emu_reply_fail(call, &EMU_ACCOUNT_FIELDS, "Missing required fields: %s",
                   toolkit->field_name);
    return false;
  }
  if(plan->status == EMU_ACTIVE && !has_fields(call, val, scheme->needs))
    return false;
  if(scheme->id == EMU_API_KEY && !json_object_get(val, "api_key") &&
     !json_object_get(val, "generic_api_key") &&
     !json_object_get(val, "bearer_token") &&
     !json_object_get(val, "basic_encoded")) {
    emu_reply_fail(call, &EMU_ACCOUNT_FIELDS,
                   "Missing required fields: API Key");
    return false;
  }
  return keep_val(val, plan);
}

static bool state_of(struct emu_call *call, const json_t *connection,
                     struct plan *plan)
{
  const json_t *state = json_object_get(connection, "state");
  const json_t *val = json_object_get(state, "val");
  const char *name = json_string_value(json_object_get(state, "authScheme"));
  if(state && (!name || !json_is_object(val) ||
               !json_is_string(json_object_get(val, "status")))) {
    emu_reply_invalid(call, "connection.state: Expected {authScheme, val} "
                            "with val.status");
    return false;
  }
  if(name && strcmp(name, plan->config->scheme->name) != 0) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "Auth scheme %s does not match the auth config's scheme "
                   "%s",
                   name, plan->config->scheme->name);
    return false;
  }
  return status_of(call, state, plan);
}

static struct emu_account *make(struct emu *emu, struct plan *plan,
                                const char *op, bool by_link)
{
  char id[16];
  emu_account_fresh_id(emu, id);
  uint32_t config = emu_map_find(&emu->store.by_config, plan->config->id);
  struct emu_account *account = emu_store_new(
      &emu->store, id, config, emu_store_user(&emu->store, plan->user),
      emu_clock_now(&emu->clock));
  account->status = (uint8_t)plan->status;
  account->alias = emu_copy(plan->alias);
  account->acl = plan->acl;
  account->val = plan->val;
  plan->acl = plan->val = NULL;
  if(plan->shared)
    account->flags |= EMU_SHARED;
  if(plan->own_credentials)
    account->flags |= EMU_OWN_CREDENTIALS;
  emu_store_enter(&emu->store, account);
  if(plan->status != EMU_ACTIVE)
    emu_account_login(emu, account, by_link, plan->callback_url);
  emu_account_note(emu, account, op, EMU_STATUSES);
  return account;
}

static void created(const struct emu *emu, struct emu_call *call,
                    const struct emu_account *account, const struct plan *plan)
{
  struct emu_buf url = { 0 };
  if(account->status == EMU_INITIATED) {
    emu_buf_char(&url, '"');
    emu_state_login_url(emu, &url, account);
    emu_buf_char(&url, '"');
  } else
    emu_buf_text(&url, "null");
  struct emu_buf *out = emu_reply_start(call, 201);
  emu_buf_char(out, '{');
  emu_buf_pair(out, "id", account->id);
  emu_buf_text(out, ",\"connectionData\":");
  emu_state_write(emu, out, account, emu->options.mask);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "status",
               emu_status_name((enum emu_status)account->status));
  emu_buf_text(out, ",\"redirect_url\":");
  emu_buf_add(out, url.bytes, url.size);
  emu_buf_text(out, ",\"redirect_uri\":");
  emu_buf_add(out, url.bytes, url.size);
  if(plan->told_type) {
    emu_buf_text(out, ",\"experimental\":");
    emu_render_experimental(out, account);
  }
  emu_buf_char(out, '}');
  emu_buf_clear(&url);
}

/* The retirement of 2026: refused, or in legacy mode allowed with the two
   headers that announced it. False with the refusal written. */
static bool not_retired(struct emu *emu, struct emu_call *call,
                        const struct plan *plan)
{
  if(!plan->config->managed || !plan->config->scheme->retired)
    return true;
  if(emu->options.legacy) {
    emu_call_header(call, "Deprecation", "@1778198400");
    emu_call_header(call, "Sunset", "Fri, 03 Jul 2026 00:00:00 GMT");
    return true;
  }
  emu_reply_fail(call, &EMU_ACCOUNT_RETIRED,
                 "Creating connections on this endpoint for "
                 "Composio-managed OAuth auth configs is no longer "
                 "supported. Use POST /api/v3/connected_accounts/link "
                 "instead.");
  return false;
}

void emu_create_account(struct emu *emu, struct emu_call *call)
{
  struct plan plan = { 0 };
  if(!emu_reply_want_body(call, false))
    return;
  const json_t *config = json_object_get(call->json, "auth_config");
  const json_t *connection = json_object_get(call->json, "connection");
  const char *id = json_string_value(json_object_get(config, "id"));
  if(!id || !*id) {
    emu_reply_invalid(call, "auth_config.id: Required");
    return;
  }
  if(!json_is_object(connection)) {
    emu_reply_invalid(call, "connection: Required");
    return;
  }
  if(config_of(emu, call, id, &plan) && not_retired(emu, call, &plan) &&
     text_of(call, connection, "connection.", "user_id", &plan.user)) {
    if(!plan.user)
      plan.user = "default";
    if(callback_of(call, connection, "connection.", &plan) &&
       state_of(call, connection, &plan) &&
       alias_of(emu, call, connection, "connection.", &plan) &&
       sharing_of(call, connection, &plan))
      created(emu, call, make(emu, &plan, "create", false), &plan);
  }
  plan_clear(&plan);
}

static bool link_fields(struct emu_call *call, struct plan *plan)
{
  const json_t *given = json_object_get(call->json, "connection_data");
  if(given && !json_is_object(given)) {
    emu_reply_invalid(call, "connection_data: Expected object");
    return false;
  }
  return !given || keep_val(given, plan);
}

static void linked(struct emu *emu, struct emu_call *call,
                   const struct emu_account *account, const struct plan *plan)
{
  struct emu_buf *out = emu_reply_start(call, 201);
  emu_buf_char(out, '{');
  emu_buf_pair(out, "link_token", account->flow->token);
  emu_buf_text(out, ",\"redirect_url\":\"");
  emu_state_login_url(emu, out, account);
  emu_buf_text(out, "\",\"expires_at\":");
  emu_buf_time(out, account->expires_ms);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "connected_account_id", account->id);
  if(plan->told_type) {
    emu_buf_text(out, ",\"experimental\":");
    emu_render_experimental(out, account);
  }
  emu_buf_char(out, '}');
}

void emu_create_link(struct emu *emu, struct emu_call *call)
{
  struct plan plan = { .status = EMU_INITIALIZING };
  const char *id = NULL;
  if(!emu_reply_want_body(call, false) ||
     !text_of(call, call->json, "", "auth_config_id", &id) ||
     !text_of(call, call->json, "", "user_id", &plan.user))
    return;
  if(!id || !plan.user) {
    emu_reply_invalid(call, "%s: Required", id ? "user_id" : "auth_config_id");
    return;
  }
  if(config_of(emu, call, id, &plan) &&
     callback_of(call, call->json, "", &plan) && link_fields(call, &plan) &&
     alias_of(emu, call, call->json, "", &plan) &&
     sharing_of(call, call->json, &plan))
    linked(emu, call, make(emu, &plan, "link", true), &plan);
  plan_clear(&plan);
}

static void completed(const struct emu *emu, struct emu_call *call,
                      const struct emu_account *account)
{
  const struct emu_config *config = emu_store_config_of(&emu->store, account);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"connected_account\":{");
  emu_buf_pair(out, "id", account->id);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "user_id", emu_store_user_name(&emu->store, account));
  emu_buf_format(out,
                 ",\"status\":\"%s\",\"toolkit\":{\"slug\":\"%s\"},"
                 "\"auth_config\":{\"id\":\"%s\"}}}",
                 emu_status_name((enum emu_status)account->status),
                 config->toolkit->slug, config->id);
}

void emu_create_complete(struct emu *emu, struct emu_call *call)
{
  const char *session = NULL;
  const char *user = NULL;
  if(!emu_reply_want_body(call, false) ||
     !text_of(call, call->json, "", "session_uri", &session) ||
     !text_of(call, call->json, "", "user_id", &user))
    return;
  if(!session || !user) {
    emu_reply_invalid(call, "%s: Required",
                      session ? "user_id" : "session_uri");
    return;
  }
  struct emu_account *account = emu_store_by_token(&emu->store, session);
  struct emu_flow *flow = account ? account->flow : NULL;
  if(!flow || strcmp(flow->session, session) != 0 ||
     flow->session_until_ms <= emu_clock_now(&emu->clock)) {
    emu_reply_fail(call, &EMU_SESSION_NOT_FOUND,
                   "Session \"%s\" not found, expired or already used",
                   session);
    return;
  }
  flow->session[0] = '\0';
  if(strcmp(user, emu_store_user_name(&emu->store, account)) != 0) {
    emu_account_deny(emu, account);
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "The session belongs to another user");
    return;
  }
  emu_account_complete(emu, account);
  completed(emu, call, account);
}
