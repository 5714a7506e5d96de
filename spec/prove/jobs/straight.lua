-- Every operation that writes, outside a bulk, on accounts as they come.
-- Must not know: whether it is a preview.
local composio = require "composio"
local accounts, configs = composio.connected_accounts, composio.auth_configs
local job = composio.job {
  summary = "Everything, straight.", may = "irreversible", params = { token = { type = "secret" } },
}
local token = job.params.token or "sk_other"
local key = composio.auth_scheme.api_key { api_key = token }
local fresh = { allow_multiple = true }

accounts.disable "ca_github_u123A"
accounts.enable "ca_github_u123A"
accounts.update("ca_slack_u123_B", { alias = "proof" })
accounts.update("ca_slack_u123_B", { credentials = key })
accounts.refresh "ca_gmail_u123_C"
accounts.revoke "ca_github_u123A"
accounts.delete("ca_slack_u123_B", { revoke = true })
accounts.link("a new user", "ac_GithubManage", fresh)
accounts.initiate("a new user", "ac_StripeApiKey", { config = key, allow_multiple = true })
configs.disable "ac_GithubCustom"
configs.enable "ac_GithubCustom"
configs.update("ac_GithubCustom", { type = "custom", credentials = { client_secret = token } })
