/* The fixed words of the service: statuses, auth schemes, toolkits, reasons.
   It must not know accounts; tables only. */
#include "words.h"

#include <string.h>
#include <strings.h>

const char *const EMU_REASON_TIMEOUT =
    "Connection initiation did not complete within 10 minutes";
const char *const EMU_REASON_REFRESH =
    "Permanent auth error during token refresh";
const char *const EMU_REASON_FAILURES = "Max auth failures reached";
const char *const EMU_REASON_CALLBACK =
    "OAuth callback failed during token exchange";
const char *const EMU_REASON_USER = "Connection status updated by user";
const char *const EMU_REASON_CONFIG = "Auth config is disabled";
const char *const EMU_REASON_REVOKED =
    "Revoked via user-initiated revoke endpoint";

static const char *const statuses[EMU_STATUSES] = {
  "INITIALIZING", "INITIATED", "ACTIVE",  "FAILED",
  "EXPIRED",      "INACTIVE",  "REVOKED", "PAUSED",
};

static const struct emu_scheme schemes[EMU_SCHEMES] = {
  { EMU_OAUTH2, "OAUTH2", EMU_RENEW_LOGIN, true, true, false, "access_token" },
  { EMU_OAUTH1, "OAUTH1", EMU_RENEW_LOGIN, true, true, false,
    "oauth_token,oauth_token_secret" },
  { EMU_API_KEY, "API_KEY", EMU_RENEW_NEVER, false, false, true, NULL },
  { EMU_BASIC, "BASIC", EMU_RENEW_NEVER, false, false, true, "username" },
  { EMU_BEARER_TOKEN, "BEARER_TOKEN", EMU_RENEW_NEVER, false, false, true,
    "token" },
  { EMU_S2S_OAUTH2, "S2S_OAUTH2", EMU_RENEW_ALONE, false, false, false, NULL },
  { EMU_GOOGLE_SERVICE_ACCOUNT, "GOOGLE_SERVICE_ACCOUNT", EMU_RENEW_ALONE,
    false, false, true, "credentials_json" },
  { EMU_NO_AUTH, "NO_AUTH", EMU_RENEW_NEVER, false, false, false, NULL },
  { EMU_DCR_OAUTH, "DCR_OAUTH", EMU_RENEW_LOGIN, true, true, false,
    "client_id,access_token" },
  { EMU_SERVICE_ACCOUNT, "SERVICE_ACCOUNT", EMU_RENEW_ALONE, false, false,
    true, "application_id,installation_id,private_key" },
  { EMU_BASIC_WITH_JWT, "BASIC_WITH_JWT", EMU_RENEW_NEVER, false, false, true,
    "username,password" },
  { EMU_BILLCOM_AUTH, "BILLCOM_AUTH", EMU_RENEW_NEVER, false, false, false,
    "sessionId,devKey" },
  { EMU_CALCOM_AUTH, "CALCOM_AUTH", EMU_RENEW_NEVER, false, false, false,
    NULL },
  { EMU_SAML, "SAML", EMU_RENEW_NEVER, false, false, false, NULL },
  { EMU_CIMD_OAUTH, "CIMD_OAUTH", EMU_RENEW_LOGIN, true, false, false,
    "access_token" },
  { EMU_PASSKEY, "PASSKEY", EMU_RENEW_NEVER, false, false, false, NULL },
};

static const struct emu_toolkit toolkits[] = {
  { "gmail", "Gmail", true, true, NULL, NULL, "ya29.",
    "https://www.googleapis.com/auth/gmail.modify "
    "https://www.googleapis.com/auth/userinfo.profile",
    "https://gmail.googleapis.com", "/gmail/v1/users/me/profile" },
  { "github", "GitHub", true, true, NULL, NULL, "gho_",
    "repo,user,gist,notifications,project,workflow,codespace",
    "https://api.github.com", "/user" },
  { "slack", "Slack", true, true, NULL, NULL, "xoxp-",
    "channels:read,chat:write,users:read,files:read,reactions:write",
    "https://slack.com/api", "/auth.test" },
  { "notion", "Notion", true, false, NULL, NULL, "ntn_", "",
    "https://api.notion.com", "/v1/users/me" },
  { "zendesk", "Zendesk", false, false, "subdomain", "Subdomain", "zdo_",
    "read write", "https://example.zendesk.com", "/api/v2/users/me" },
  { "googlecalendar", "Google Calendar", true, true, NULL, NULL, "ya29.",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/calendar", "/v3/users/me/calendarList" },
  { "googledrive", "Google Drive", true, true, NULL, NULL, "ya29.",
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/drive", "/v3/about?fields=user" },
  { "googlebigquery", "Google BigQuery", false, false, NULL, NULL, "ya29.",
    "https://www.googleapis.com/auth/bigquery",
    "https://bigquery.googleapis.com", NULL },
  { "hubspot", "HubSpot", true, true, NULL, NULL, "pat-",
    "crm.objects.contacts.read crm.objects.deals.read oauth",
    "https://api.hubapi.com", "/account-info/v3/details" },
  { "linear", "Linear", true, true, NULL, NULL, "lin_",
    "read,write,issues:create", "https://api.linear.app", NULL },
  { "jira", "Jira", true, false, NULL, NULL, "eyJ",
    "read:jira-work write:jira-work offline_access",
    "https://api.atlassian.com", NULL },
  { "salesforce", "Salesforce", true, true, NULL, NULL, "00D",
    "api refresh_token", "https://login.salesforce.com", NULL },
  { "trello", "Trello", true, false, NULL, NULL, "ATTA", "read,write",
    "https://api.trello.com", "/1/members/me" },
  { "stripe", "Stripe", false, false, NULL, NULL, "sk_live_", "",
    "https://api.stripe.com", "/v1/account" },
  { "perplexityai", "Perplexity AI", false, false, NULL, NULL, "pplx-", "",
    "https://api.perplexity.ai", NULL },
  { "sendgrid", "SendGrid", false, false, NULL, NULL, "SG.", "",
    "https://api.sendgrid.com", "/v3/scopes" },
  { "twilio", "Twilio", false, false, NULL, NULL, "AC", "",
    "https://api.twilio.com", NULL },
  { "freshdesk", "Freshdesk", false, false, "subdomain", "Subdomain", "fd_",
    "", "https://example.freshdesk.com", NULL },
  { "airtable", "Airtable", true, true, NULL, NULL, "pat", "data.records:read",
    "https://api.airtable.com", "/v0/meta/whoami" },
  { "zoom", "Zoom", true, false, NULL, NULL, "eyJ", "user:read:admin",
    "https://api.zoom.us", "/v2/users/me" },
  { "neon", "Neon", false, false, NULL, NULL, "napi_", "projects:read",
    "https://console.neon.tech", NULL },
  { "hackernews", "Hacker News", false, false, NULL, NULL, "", "",
    "https://hacker-news.firebaseio.com", NULL },
  { "composio", "Composio", false, false, NULL, NULL, "", "",
    "https://backend.composio.dev", NULL },
};

const char *emu_status_name(enum emu_status status)
{
  return statuses[status];
}

enum emu_status emu_status_parse(const char *name)
{
  int status = EMU_INITIALIZING;
  while(status < EMU_PAUSED && strcmp(statuses[status], name))
    status++;
  return status < EMU_PAUSED ? (enum emu_status)status : EMU_STATUSES;
}

const struct emu_scheme *emu_scheme_at(enum emu_scheme_id id)
{
  return &schemes[id];
}

const struct emu_scheme *emu_scheme_parse(const char *name)
{
  for(size_t i = 0; i < EMU_SCHEMES; i++)
    if(!strcmp(schemes[i].name, name))
      return &schemes[i];
  return NULL;
}

const struct emu_toolkit *emu_toolkit_parse(const char *slug)
{
  for(size_t i = 0; i < sizeof(toolkits) / sizeof(*toolkits); i++)
    if(!strcasecmp(toolkits[i].slug, slug))
      return &toolkits[i];
  return NULL;
}

static bool among(const char *key, const char *const *list)
{
  for(; *list; list++)
    if(!strcmp(*list, key))
      return true;
  return false;
}

bool emu_words_secret(const char *key)
{
  static const char *const secrets[] = {
    "access_token",
    "refresh_token",
    "id_token",
    "oauth_token",
    "oauth_token_secret",
    "oauth_verifier",
    "api_key",
    "generic_api_key",
    "bearer_token",
    "basic_encoded",
    "generic_token",
    "generic_secret",
    "token",
    "password",
    "credentials_json",
    "private_key",
    "client_secret",
    "consumer_secret",
    "code_verifier",
    "webhook_signature",
    "proxy_password",
    "sessionId",
    "devKey",
    "proxy_auth_key",
    "Authorization",
    NULL,
  };
  return among(key, secrets);
}

bool emu_words_credential(const char *key)
{
  static const char *const credentials[] = {
    "token",
    "generic_api_key",
    "api_key",
    "bearer_token",
    "basic_encoded",
    "generic_token",
    "api_key_prefix",
    "generic_secret",
    "generic_id",
    "user_agent",
    "username",
    "password",
    "credentials_json",
    "application_id",
    "installation_id",
    "private_key",
    NULL,
  };
  return among(key, credentials);
}
