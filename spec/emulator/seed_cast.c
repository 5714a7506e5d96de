/* The auth configs and the first accounts, by name.
   It must not know how the rest is made up. */
#include "seed.h"

#define OAUTH_CUSTOM \
  "{\"client_id\":\"client-emulated\",\"client_secret\":\"secret-emulated\"}"

const struct emu_seed_config emu_seed_configs[] = {
  { "ac_GithubCustom", "github", EMU_OAUTH2, false, false, "GitHub (own app)",
    OAUTH_CUSTOM },
  { "ac_GithubManage", "github", EMU_OAUTH2, true, false, "GitHub", NULL },
  { "ac_GmailManaged", "gmail", EMU_OAUTH2, true, false, "Gmail", NULL },
  { "ac_GmailCustom_", "gmail", EMU_OAUTH2, false, false, "Gmail (own app)",
    OAUTH_CUSTOM },
  { "ac_SlackManaged", "slack", EMU_OAUTH2, true, false, "Slack", NULL },
  { "ac_SlackCustom_", "slack", EMU_OAUTH2, false, false, "Slack (own app)",
    OAUTH_CUSTOM },
  { "ac_NotionManage", "notion", EMU_OAUTH2, true, false, "Notion", NULL },
  { "ac_ZendeskOAuth", "zendesk", EMU_OAUTH2, false, false, "Zendesk",
    OAUTH_CUSTOM },
  { "ac_HubspotCustm", "hubspot", EMU_OAUTH2, false, false, "HubSpot",
    OAUTH_CUSTOM },
  { "ac_LinearManage", "linear", EMU_OAUTH2, true, false, "Linear", NULL },
  { "ac_JiraDisabled", "jira", EMU_OAUTH2, false, true, "Jira (retired)",
    OAUTH_CUSTOM },
  { "ac_TrelloOAuth1", "trello", EMU_OAUTH1, false, false, "Trello",
    "{\"consumer_key\":\"consumer-emulated\","
    "\"consumer_secret\":\"secret-emulated\"}" },
  { "ac_StripeApiKey", "stripe", EMU_API_KEY, false, false, "Stripe", NULL },
  { "ac_SendgridKey_", "sendgrid", EMU_API_KEY, false, false, "SendGrid",
    NULL },
  { "ac_TwilioBasic_", "twilio", EMU_BASIC, false, false, "Twilio", NULL },
  { "ac_AirtblBearer", "airtable", EMU_BEARER_TOKEN, false, false, "Airtable",
    NULL },
  { "ac_ZoomS2SOAuth", "zoom", EMU_S2S_OAUTH2, false, false, "Zoom", NULL },
  { "ac_BigQueryAcct", "googlebigquery", EMU_GOOGLE_SERVICE_ACCOUNT, false,
    false, "BigQuery", NULL },
  { "ac_HackerNoAuth", "hackernews", EMU_NO_AUTH, false, false, "Hacker News",
    NULL },
  { "ac_NeonDcrOAuth", "neon", EMU_DCR_OAUTH, false, false, "Neon", NULL },
  { "ac_GithubAppSvc", "github", EMU_SERVICE_ACCOUNT, false, false,
    "GitHub App", NULL },
};
const size_t emu_seed_config_count =
    sizeof(emu_seed_configs) / sizeof(*emu_seed_configs);

#define TEAM_ACL                                                   \
  "{\"allow_all_users\":false,\"allowed_user_ids\":[\"user_123\"," \
  "\"maria.lopez@example.com\"],\"not_allowed_user_ids\":[]}"
#define OPEN_ACL                                       \
  "{\"allow_all_users\":true,\"allowed_user_ids\":[]," \
  "\"not_allowed_user_ids\":[\"smith, john\"]}"
#define LONG_USER                                                            \
  "tenant-0000000000000000000000000000000000000000000000000000000000000000-" \
  "department-1111111111111111111111111111111111111111111111111111111111-"   \
  "employee-22222222222222222222222222222222222222222222222222222222222222"
#define DAYS(n) ((n)*24)

/* config, user, status, alias, reason, created, updated, id, acl, val */
const struct emu_cast emu_seed_cast[] = {
  { "ac_GithubManage", "user_123", EMU_ACTIVE, "work", NULL, DAYS(40), 2,
    "ca_github_u123A", NULL, NULL },
  { "ac_SlackManaged", "user_123", EMU_ACTIVE, NULL, NULL, DAYS(39), 5,
    "ca_slack_u123_B", NULL, NULL },
  { "ac_GmailManaged", "user_123", EMU_EXPIRED, "private", NULL, DAYS(38),
    DAYS(3), "ca_gmail_u123_C", NULL, NULL },
  { "ac_StripeApiKey", "user_456", EMU_ACTIVE, NULL, NULL, DAYS(120), DAYS(2),
    NULL, NULL, NULL },
  { "ac_GithubCustom", "maria.lopez@example.com", EMU_INACTIVE, NULL, NULL,
    DAYS(200), DAYS(30), NULL, NULL, NULL },
  { "ac_GmailCustom_", "j\xc3\xb6s\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac",
    EMU_REVOKED, "b\xc3\xbcro", NULL, DAYS(90), DAYS(10), NULL, NULL, NULL },
  { "ac_GithubCustom", "smith, john", EMU_FAILED, NULL, NULL, DAYS(7), DAYS(7),
    NULL, NULL, NULL },
  { "ac_SlackCustom_", "a+b&c=d#e?f/g%", EMU_INITIATED, NULL, NULL, 0, 0, NULL,
    NULL, NULL },
  { "ac_NotionManage", "\xf0\x9f\x98\x80 team", EMU_INITIALIZING, NULL, NULL,
    0, 0, NULL, NULL, NULL },
  { "ac_AirtblBearer", LONG_USER, EMU_ACTIVE, "=cmd|'/C calc'!A0", NULL,
    DAYS(400), DAYS(399), NULL, NULL, NULL },
  { "ac_TwilioBasic_", "user_456", EMU_EXPIRED, NULL, NULL, DAYS(300),
    DAYS(20), NULL, NULL, NULL },
  { "ac_ZoomS2SOAuth", "ops@example.com", EMU_EXPIRED, NULL, NULL, DAYS(150),
    DAYS(1), NULL, NULL, NULL },
  { "ac_BigQueryAcct", "ops@example.com", EMU_ACTIVE, "warehouse", NULL,
    DAYS(150), DAYS(95), "ca_-l3FzWqTw58L", NULL, NULL },
  { "ac_HackerNoAuth", "user_456", EMU_ACTIVE, NULL, NULL, DAYS(60), DAYS(60),
    "ca__Xq7PzzK2m-v", NULL, NULL },
  { "ac_TrelloOAuth1", "maria.lopez@example.com", EMU_ACTIVE, NULL, NULL,
    DAYS(200), DAYS(120), NULL, NULL, NULL },
  { "ac_HubspotCustm", "ops@example.com", EMU_ACTIVE, "crm", NULL, DAYS(80),
    DAYS(4), NULL, TEAM_ACL, NULL },
  { "ac_ZendeskOAuth", "user_789", EMU_ACTIVE, NULL, NULL, DAYS(33), DAYS(1),
    NULL, NULL, "{\"subdomain\":\"example\"}" },
  { "ac_JiraDisabled", "user_789", EMU_INACTIVE, NULL, "config", DAYS(330),
    DAYS(100), NULL, NULL, NULL },
  { "ac_AirtblBearer", "user_789", EMU_EXPIRED, NULL, NULL, DAYS(45), DAYS(12),
    NULL, NULL, NULL },
  { "ac_BigQueryAcct", "user_790", EMU_EXPIRED, NULL, NULL, DAYS(70), DAYS(9),
    NULL, NULL, NULL },
  { "ac_StripeApiKey", "user_790", EMU_EXPIRED, NULL, NULL, DAYS(70), DAYS(8),
    NULL, NULL, NULL },
  { "ac_TrelloOAuth1", "user_791", EMU_EXPIRED, NULL, NULL, DAYS(70), DAYS(7),
    NULL, NULL, NULL },
  { "ac_GithubCustom", "user_791", EMU_EXPIRED, NULL, "timeout", DAYS(15),
    DAYS(15), NULL, NULL, NULL },
  { "ac_GmailManaged", "smith", EMU_ACTIVE, NULL, NULL, DAYS(15), DAYS(2),
    NULL, NULL, NULL },
  { "ac_SlackCustom_", "user_792", EMU_ACTIVE, NULL, NULL, DAYS(210),
    DAYS(180), NULL, OPEN_ACL, NULL },
  { "ac_NeonDcrOAuth", "user_792", EMU_ACTIVE, NULL, NULL, DAYS(21), DAYS(2),
    NULL, NULL, NULL },
  { "ac_GithubAppSvc", "user_793", EMU_ACTIVE, NULL, NULL, DAYS(25), DAYS(3),
    NULL, NULL, NULL },
  { "ac_LinearManage", "default", EMU_ACTIVE, NULL, NULL, DAYS(11), DAYS(6),
    NULL, NULL, NULL },
  { "ac_GithubCustom", "user_794", EMU_INITIATED, NULL, NULL, DAYS(30), 0,
    NULL, NULL, NULL },
  { "ac_SendgridKey_", "user_794", EMU_INACTIVE, NULL, NULL, DAYS(180),
    DAYS(91), NULL, NULL, NULL },
};
const size_t emu_seed_cast_count =
    sizeof(emu_seed_cast) / sizeof(*emu_seed_cast);
