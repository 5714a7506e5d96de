/* The operations that change one account: status, refresh, delete, patch,
   revoke. They must not know how a call reached them.
   Each checks everything first and changes last: a refused call has changed
   nothing. */
#include "change.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "reply.h"
#include "state.h"

static void wrong_state(struct emu_call *call, const char *what,
                        const struct emu_account *account)
{
  emu_reply_fail(call, &EMU_ACCOUNT_STATE,
                 "Cannot %s connected account \"%s\": its status is %s", what,
                 account->id,
                 emu_status_name((enum emu_status)account->status));
}

static void set_enabled(struct emu *emu, struct emu_call *call,
                        struct emu_account *account, bool enabled)
{
  enum emu_status goal = enabled ? EMU_ACTIVE : EMU_INACTIVE;
  enum emu_status from = enabled ? EMU_INACTIVE : EMU_ACTIVE;
  if(account->status == goal &&
     !emu->options.assume.other[EMU_GUESS_REPEAT_REFUSED]) {
    emu_reply_success(call);
    return;
  }
  if(account->status != from && !emu->options.legacy) {
    wrong_state(call, enabled ? "enable" : "disable", account);
    return;
  }
  emu_account_move(emu, account, enabled ? "enable" : "disable", goal,
                   enabled ? NULL : EMU_REASON_USER);
  emu_reply_success(call);
}

void emu_change_status(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  if(!account || !emu_reply_want_body(call, false))
    return;
  const json_t *enabled = json_object_get(call->json, "enabled");
  if(!json_is_boolean(enabled)) {
    emu_reply_invalid(call, "enabled: %s",
                      enabled ? "Expected boolean" : "Required");
    return;
  }
  set_enabled(emu, call, account, json_is_true(enabled));
}

static void refreshed(const struct emu *emu, struct emu_call *call,
                      const struct emu_account *account)
{
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_char(out, '{');
  emu_buf_pair(out, "id", account->id);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "status",
               emu_status_name((enum emu_status)account->status));
  if(account->status == EMU_INITIATED) {
    emu_buf_text(out, ",\"redirect_url\":\"");
    emu_state_login_url(emu, out, account);
    emu_buf_text(out, "\"}");
  } else
    emu_buf_text(out, ",\"redirect_url\":null}");
}

/* True when `redirect_url` of query or body is a text or absent. */
static bool callback_of(struct emu_call *call, const char **callback_url)
{
  const json_t *value = json_object_get(call->json, "redirect_url");
  *callback_url = emu_call_param(call, "redirect_url");
  if(value && !json_is_null(value) && !json_is_string(value)) {
    emu_reply_invalid(call, "redirect_url: Expected string");
    return false;
  }
  if(!*callback_url)
    *callback_url = json_string_value(value);
  return true;
}

void emu_change_refresh(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  const char *callback_url = NULL;
  if(!account || !emu_reply_want_body(call, true) ||
     !callback_of(call, &callback_url))
    return;
  const struct emu_scheme *scheme =
      emu_store_config_of(&emu->store, account)->scheme;
  if(scheme->renewal == EMU_RENEW_NEVER ||
     (scheme->renewal == EMU_RENEW_ALONE &&
      emu->options.assume.other[EMU_GUESS_MACHINES_REFUSED])) {
    emu_reply_fail(call, &EMU_ACCOUNT_STATE,
                   "Connected account \"%s\" cannot be refreshed: auth "
                   "scheme %s",
                   account->id, scheme->name);
    return;
  }
  if(account->flags & EMU_STUCK) {
    emu_reply_fail(call, &EMU_ACCOUNT_STUCK,
                   "Connected account \"%s\" cannot be initiated again from "
                   "what is stored of it",
                   account->id);
    return;
  }
  if(scheme->renewal == EMU_RENEW_ALONE) {
    emu_account_move(emu, account, "refresh", EMU_ACTIVE, NULL);
  } else {
    enum emu_status before = (enum emu_status)account->status;
    emu_account_login(emu, account, false, callback_url);
    emu_store_set_status(&emu->store, account, EMU_INITIATED, NULL,
                         emu_clock_now(&emu->clock));
    emu_account_note(emu, account, "refresh", before);
  }
  refreshed(emu, call, account);
}

bool emu_change_revoke_flag(struct emu_call *call, bool *revoke)
{
  const char *value = emu_call_param(call, "revoke_on_delete");
  *revoke = value && !strcmp(value, "true");
  if(!value || *revoke || !strcmp(value, "false") || !*value)
    return true;
  emu_reply_invalid(call, "revoke_on_delete: Expected true or false");
  return false;
}

void emu_change_delete(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  bool revoke = false;
  if(!account || !emu_change_revoke_flag(call, &revoke))
    return;
  enum emu_status before = (enum emu_status)account->status;
  emu_store_delete(&emu->store, account, emu_clock_now(&emu->clock));
  emu_account_note(emu, account, "delete", before);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"success\":true");
  if(revoke) {
    char job[16];
    emu_random_id(&emu->random, job, "pj_", 12);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "revoke_job_id", job);
  }
  emu_buf_char(out, '}');
}

/* What a PATCH asks for, checked, not yet done. */
struct patch {
  const char *alias; /* NULL: not asked for; "" clears */
  char *val;         /* owned new credentials, or NULL */
  char *acl;         /* owned new ACL, or NULL */
};

static bool read_alias(struct emu *emu, struct emu_call *call,
                       const struct emu_account *account, struct patch *patch)
{
  const json_t *alias = json_object_get(call->json, "alias");
  if(!alias)
    return true;
  patch->alias = json_string_value(alias);
  if(!patch->alias) {
    emu_reply_invalid(call, "alias: Expected string");
    return false;
  }
  const struct emu_toolkit *toolkit =
      emu_store_config_of(&emu->store, account)->toolkit;
  if(*patch->alias && emu_store_alias_taken(&emu->store, account->user,
                                            toolkit, patch->alias, account)) {
    emu_reply_fail(call, &EMU_ACCOUNT_CONFLICT,
                   "Alias \"%s\" is already used by another connected "
                   "account of this user for toolkit %s",
                   patch->alias, toolkit->slug);
    return false;
  }
  return true;
}

static bool check_val(struct emu_call *call, const json_t *val)
{
  const char *field;
  json_t *value;
  json_object_foreach((json_t *)val, field, value)
  {
    if(emu_words_credential(field) &&
       (json_is_string(value) || json_is_null(value)))
      continue;
    emu_reply_invalid(call, "connection.state.val.%s: %s", field,
                      emu_words_credential(field) ? "Expected string or null"
                                                  : "Unrecognized key");
    return false;
  }
  return true;
}

static bool read_credentials(struct emu *emu, struct emu_call *call,
                             const struct emu_account *account,
                             struct patch *patch)
{
  const json_t *connection = json_object_get(call->json, "connection");
  if(!connection)
    return true;
  const json_t *state = json_object_get(connection, "state");
  const json_t *val = json_object_get(state, "val");
  const char *name = json_string_value(json_object_get(state, "authScheme"));
  const struct emu_scheme *scheme =
      emu_store_config_of(&emu->store, account)->scheme;
  if(!name || !json_is_object(val)) {
    emu_reply_invalid(call, "connection.state: Expected {authScheme, val}");
    return false;
  }
  if(!scheme->patchable || strcmp(name, scheme->name) != 0) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "Credentials of scheme %s cannot be written to a "
                   "connected account of scheme %s",
                   name, scheme->name);
    return false;
  }
  if(!check_val(call, val))
    return false;
  json_t *all = emu_state_credentials(emu, account);
  const char *field;
  json_t *value;
  json_object_foreach((json_t *)val, field, value)
  {
    if(json_is_null(value))
      json_object_del(all, field);
    else
      json_object_set(all, field, value);
  }
  patch->val = json_dumps(all, JSON_COMPACT);
  json_decref(all);
  return true;
}

static bool read_acl(struct emu_call *call, const struct emu_account *account,
                     struct patch *patch)
{
  const json_t *experimental = json_object_get(call->json, "experimental");
  const json_t *acl = json_object_get(experimental, "acl_config_for_shared");
  if(experimental && !json_is_object(experimental)) {
    emu_reply_invalid(call, "experimental: Expected object");
    return false;
  }
  if(!acl)
    return true;
  if(!(account->flags & EMU_SHARED)) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "acl_config_for_shared is only valid on SHARED "
                   "connections");
    return false;
  }
  patch->acl = emu_account_acl(call, acl, account->acl);
  return patch->acl != NULL;
}

static const char *patch_name(const struct patch *patch)
{
  int parts =
      (patch->alias != NULL) + (patch->val != NULL) + (patch->acl != NULL);
  if(parts > 1)
    return "update";
  return patch->alias ? "alias" : patch->val ? "credentials" : "acl";
}

static void carry_out(struct emu *emu, struct emu_account *account,
                      struct patch *patch)
{
  enum emu_status before = (enum emu_status)account->status;
  const char *op = patch_name(patch);
  int64_t now_ms = emu_clock_now(&emu->clock);
  if(patch->alias) {
    free(account->alias);
    account->alias = *patch->alias ? emu_copy(patch->alias) : NULL;
  }
  if(patch->acl) {
    free(account->acl);
    account->acl = patch->acl;
    patch->acl = NULL;
  }
  if(patch->val) {
    free(account->val);
    account->val = patch->val;
    account->flags |= EMU_OWN_CREDENTIALS;
    patch->val = NULL;
    if((before == EMU_EXPIRED || before == EMU_FAILED) &&
       !emu->options.assume.other[EMU_GUESS_NO_HEALING])
      emu_store_set_status(&emu->store, account, EMU_ACTIVE, NULL, now_ms);
  }
  emu_store_touch(&emu->store, account, now_ms);
  emu_account_note(emu, account, op, before);
}

void emu_change_patch(struct emu *emu, struct emu_call *call)
{
  struct patch patch = { 0 };
  struct emu_account *account = emu_account_want(emu, call, call->id);
  if(!account || !emu_reply_want_body(call, false))
    return;
  if(!read_alias(emu, call, account, &patch) ||
     !read_credentials(emu, call, account, &patch) ||
     !read_acl(call, account, &patch))
    goto out;
  if(!patch.alias && !patch.val && !patch.acl &&
     !json_object_get(call->json, "experimental")) {
    emu_reply_invalid(call,
                      "body: Expected alias, connection or experimental");
    goto out;
  }
  if(patch.alias || patch.val || patch.acl)
    carry_out(emu, account, &patch);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"success\":true,");
  emu_buf_pair(out, "id", account->id);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "status",
               emu_status_name((enum emu_status)account->status));
  emu_buf_char(out, '}');
out:
  free(patch.val);
  free(patch.acl);
}

void emu_change_revoke(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  if(!account)
    return;
  const struct emu_config *config = emu_store_config_of(&emu->store, account);
  if(config->scheme->id != EMU_OAUTH2 || !config->toolkit->revocable) {
    emu_reply_fail(call, &EMU_ACCOUNT_BAD,
                   "Toolkit %s does not support revoking connections of "
                   "scheme %s",
                   config->toolkit->slug, config->scheme->name);
    return;
  }
  bool already = account->status == EMU_REVOKED;
  if(!already && account->status != EMU_ACTIVE) {
    wrong_state(call, "revoke", account);
    return;
  }
  if(!already)
    emu_account_move(emu, account, "revoke", EMU_REVOKED, EMU_REASON_REVOKED);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, already ? "{\"revoked_tokens\":[]"
                            : "{\"revoked_tokens\":[\"access_token\","
                              "\"refresh_token\"]");
  emu_buf_text(out, ",\"connected_account\":{");
  emu_buf_pair(out, "id", account->id);
  emu_buf_text(out, ",\"status\":\"REVOKED\"}}");
}
