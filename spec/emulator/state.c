/* An account's `state`: what credentials look like in each scheme and
   status, and how they are masked.
   It must not know the rest of the account object.

   Credentials of seeded accounts are not stored: they are made from the id
   each time they are shown, so that a million accounts stay small. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

struct pen {
  struct emu_buf *out;
  const struct emu_account *account;
  const struct emu_toolkit *toolkit;
  enum emu_mask mask;
  json_t *given; /* fields the caller gave: they win over made-up ones */
};

static void name(struct pen *pen, const char *text)
{
  emu_buf_add(pen->out, ",\"", 2);
  emu_buf_text(pen->out, text);
  emu_buf_add(pen->out, "\":", 2);
}

static bool given(const struct pen *pen, const char *field)
{
  return pen->given && json_object_get(pen->given, field);
}

static void plain(struct pen *pen, const char *field, const char *text)
{
  if(given(pen, field))
    return;
  name(pen, field);
  emu_buf_json(pen->out, text);
}

static void masked(struct emu_buf *out, const char *text, enum emu_mask mask)
{
  if(mask == EMU_MASK_RAW) {
    emu_buf_json(out, text);
  } else if(mask == EMU_MASK_REDACT || strlen(text) < 4) {
    emu_buf_text(out, "\"REDACTED\"");
  } else {
    char shown[8];
    memcpy(shown, text, 4);
    memcpy(shown + 4, "...", 4);
    emu_buf_json(out, shown);
  }
}

static void secret(struct pen *pen, const char *field, const char *prefix)
{
  if(given(pen, field))
    return;
  name(pen, field);
  if(pen->mask == EMU_MASK_REDACT) {
    emu_buf_text(pen->out, "\"REDACTED\"");
    return;
  }
  char text[64];
  struct emu_random random = emu_random_for(emu_random_hash(pen->account->id),
                                            emu_random_hash(field));
  emu_random_plain(&random, text, prefix, 36);
  masked(pen->out, text, pen->mask);
}

static void google_key(struct pen *pen)
{
  if(given(pen, "credentials_json"))
    return;
  name(pen, "credentials_json");
  masked(pen->out,
         "{\"type\":\"service_account\",\"project_id\":\"emulated\"}",
         pen->mask);
}

static void username(struct pen *pen)
{
  char text[48];
  struct emu_random random =
      emu_random_for(emu_random_hash(pen->account->id), 7);
  emu_random_plain(&random, text, "user_", 8);
  plain(pen, "username", text);
  secret(pen, "password", "pw-");
}

static void active(struct pen *pen, enum emu_scheme_id scheme)
{
  switch(scheme) {
  case EMU_DCR_OAUTH:
  case EMU_CIMD_OAUTH:
  case EMU_S2S_OAUTH2:
    plain(pen, "client_id", "client-emulated");
    secret(pen, "client_secret", "cs_");
    /* fall through */
  case EMU_OAUTH2:
    secret(pen, "access_token", pen->toolkit->token_prefix);
    if(scheme != EMU_S2S_OAUTH2) {
      secret(pen, "refresh_token", "rt_");
      secret(pen, "id_token", "eyJ");
      secret(pen, "webhook_signature", "whsig_");
    }
    plain(pen, "token_type", "Bearer");
    name(pen, "expires_in");
    emu_buf_int(pen->out, 3599);
    plain(pen, "scope", pen->toolkit->scope);
    break;
  case EMU_OAUTH1:
    secret(pen, "oauth_token", "ot_");
    secret(pen, "oauth_token_secret", "os_");
    plain(pen, "consumer_key", "consumer-emulated");
    break;
  case EMU_API_KEY:
    secret(pen, "api_key", pen->toolkit->token_prefix);
    secret(pen, "generic_api_key", pen->toolkit->token_prefix);
    break;
  case EMU_BASIC:
  case EMU_BASIC_WITH_JWT:
    username(pen);
    break;
  case EMU_BEARER_TOKEN:
    secret(pen, "token", pen->toolkit->token_prefix);
    break;
  case EMU_GOOGLE_SERVICE_ACCOUNT:
    google_key(pen);
    break;
  case EMU_SERVICE_ACCOUNT:
    plain(pen, "application_id", "100001");
    plain(pen, "installation_id", "200002");
    secret(pen, "private_key", "-----BEGIN ");
    break;
  case EMU_BILLCOM_AUTH:
    secret(pen, "sessionId", "bs_");
    secret(pen, "devKey", "bd_");
    break;
  default:
    break;
  }
}

void emu_state_login_url(const struct emu *emu, struct emu_buf *out,
                         const struct emu_account *account)
{
  const struct emu_flow *flow = account->flow;
  if(!flow)
    return;
  emu_buf_text(out, emu->base_url);
  emu_buf_text(out, *flow->token ? "/link/" : "/api/v3/s/");
  emu_buf_text(out, *flow->token ? flow->token : flow->code);
}

static void initiated(const struct emu *emu, struct pen *pen,
                      enum emu_scheme_id scheme)
{
  const struct emu_flow *flow = pen->account->flow;
  if(scheme == EMU_OAUTH1) {
    secret(pen, "oauth_token", "ot_");
    plain(pen, "authUri", "https://provider.example/authorize");
    secret(pen, "oauth_token_secret", "os_");
  }
  if(scheme == EMU_DCR_OAUTH)
    plain(pen, "client_id", "client-emulated");
  if(!flow)
    return;
  name(pen, "redirectUrl");
  emu_buf_char(pen->out, '"');
  emu_state_login_url(emu, pen->out, pen->account);
  emu_buf_char(pen->out, '"');
  if(flow->callback_url)
    plain(pen, "callback_url", flow->callback_url);
}

static void ended(struct pen *pen, enum emu_scheme_id scheme)
{
  switch(pen->account->status) {
  case EMU_FAILED:
    plain(pen, "error", "access_denied");
    plain(pen, "error_description", "The user denied the request");
    break;
  case EMU_EXPIRED:
    name(pen, "expired_at");
    emu_buf_time(pen->out, pen->account->updated_ms);
    break;
  default:
    name(pen, "revoked_at");
    emu_buf_time(pen->out, pen->account->updated_ms);
    return;
  }
  /* The official SDK's schemas want these two even here. */
  if(scheme == EMU_BASIC || scheme == EMU_BASIC_WITH_JWT)
    username(pen);
}

static void made_up(const struct emu *emu, struct pen *pen,
                    enum emu_scheme_id scheme)
{
  switch(pen->account->status) {
  case EMU_INITIALIZING:
    break;
  case EMU_INITIATED:
    initiated(emu, pen, scheme);
    break;
  case EMU_ACTIVE:
  case EMU_INACTIVE:
  case EMU_PAUSED:
    if(!(pen->account->flags & EMU_OWN_CREDENTIALS)) {
      active(pen, scheme);
      plain(pen, "base_url", pen->toolkit->base_url);
      plain(pen, "account_id", pen->account->id + 3);
    }
    break;
  default:
    ended(pen, scheme);
  }
}

static void given_field(struct emu_buf *out, const char *field,
                        const json_t *value, enum emu_mask mask)
{
  if(json_is_string(value) && emu_words_secret(field)) {
    masked(out, json_string_value(value), mask);
  } else if(json_is_object(value)) {
    emu_state_masked(out, value, mask);
  } else {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    emu_buf_text(out, text ? text : "null");
    free(text);
  }
}

void emu_state_masked(struct emu_buf *out, const json_t *object,
                      enum emu_mask mask)
{
  const char *separator = "";
  const char *field;
  json_t *value;
  emu_buf_char(out, '{');
  json_object_foreach((json_t *)object, field, value)
  {
    emu_buf_text(out, separator);
    emu_buf_json(out, field);
    emu_buf_char(out, ':');
    given_field(out, field, value, mask);
    separator = ",";
  }
  emu_buf_char(out, '}');
}

static void write_val(const struct emu *emu, struct emu_buf *out,
                      const struct emu_account *account, enum emu_mask mask)
{
  const struct emu_config *config = emu_store_config_of(&emu->store, account);
  if(config->managed && mask == EMU_MASK_MASK4)
    mask = EMU_MASK_REDACT;
  struct pen pen = { out, account, config->toolkit, mask, NULL };
  emu_buf_text(out, "{\"status\":\"");
  emu_buf_text(out, emu_status_name((enum emu_status)account->status));
  emu_buf_char(out, '"');
  if(account->val)
    pen.given = json_loads(account->val, 0, NULL);
  made_up(emu, &pen, config->scheme->id);
  const char *field;
  json_t *value;
  json_object_foreach(pen.given, field, value)
  {
    emu_buf_char(out, ',');
    emu_buf_json(out, field);
    emu_buf_char(out, ':');
    given_field(out, field, value, mask);
  }
  emu_buf_char(out, '}');
  json_decref(pen.given);
}

void emu_state_val(const struct emu *emu, struct emu_buf *out,
                   const struct emu_account *account, enum emu_mask mask)
{
  write_val(emu, out, account, mask);
}

void emu_state_write(const struct emu *emu, struct emu_buf *out,
                     const struct emu_account *account, enum emu_mask mask)
{
  emu_buf_text(out, "{\"authScheme\":\"");
  emu_buf_text(out, emu_store_config_of(&emu->store, account)->scheme->name);
  emu_buf_text(out, "\",\"val\":");
  write_val(emu, out, account, mask);
  emu_buf_char(out, '}');
}

json_t *emu_state_credentials(const struct emu *emu,
                              const struct emu_account *account)
{
  struct emu_account shown = *account;
  shown.status = EMU_ACTIVE;
  struct emu_buf text = { 0 };
  write_val(emu, &text, &shown, EMU_MASK_RAW);
  json_t *object = json_loadb(text.bytes, text.size, 0, NULL);
  emu_buf_clear(&text);
  json_object_del(object, "status");
  return object;
}
