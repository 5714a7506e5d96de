/* What a person's browser sees of a login: one page, two buttons.
   It must not know the API's operations.
   The page needs no script and nothing from elsewhere: buttons are a form,
   so that a browser, a screen reader and curl can all use it. */
#include "page.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "reply.h"

bool emu_page_wants(const struct emu_call *call)
{
  if(call->segment_count == 2)
    return !strcmp(call->segments[0], "link");
  return call->segment_count == 4 && !strcmp(call->segments[0], "api") &&
         !strncmp(call->segments[1], "v3", 2) &&
         !strcmp(call->segments[2], "s");
}

static void escaped(struct emu_buf *out, const char *text)
{
  for(; *text; text++)
    switch(*text) {
    case '&':
      emu_buf_text(out, "&amp;");
      break;
    case '<':
      emu_buf_text(out, "&lt;");
      break;
    case '>':
      emu_buf_text(out, "&gt;");
      break;
    case '"':
      emu_buf_text(out, "&quot;");
      break;
    default:
      emu_buf_char(out, *text);
    }
}

static struct emu_buf *begin(struct emu_call *call, unsigned status,
                             const char *title)
{
  struct emu_buf *out = emu_reply_start(call, status);
  call->type = "text/html; charset=utf-8";
  emu_call_header(call, "cache-control", "no-store");
  emu_call_header(call, "content-security-policy",
                  "default-src 'none'; style-src 'unsafe-inline'");
  emu_buf_text(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n"
                    "<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width\">\n"
                    "<title>");
  escaped(out, title);
  emu_buf_text(out,
               "</title>\n<style>\n"
               ":root{color-scheme:light dark}\n"
               "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;"
               "margin:3rem auto;padding:0 1rem;overflow-wrap:anywhere}\n"
               "h1{line-height:1.2;margin:0 0 1rem}\n"
               "dl{border:1px solid;border-radius:.5rem;padding:1rem;"
               "margin:0 0 1.5rem}\n"
               "dt{font-size:.9rem}\n"
               "dd{margin:0 0 .8rem;font-weight:600}\n"
               "dd:last-child{margin:0}\n"
               "button{font:inherit;padding:.6rem 1.4rem;margin:0 .8rem .8rem "
               "0;min-width:8rem;border:2px solid;border-radius:.4rem;"
               "cursor:pointer}\n"
               "button[value=allow]{background:#1a5fb4;border-color:#1a5fb4;"
               "color:#fff}\n"
               "button:focus-visible{outline:3px solid;outline-offset:3px}\n"
               "</style>\n</head>\n<body>\n<main>\n<h1>");
  escaped(out, title);
  emu_buf_text(out, "</h1>\n");
  return out;
}

static void end(struct emu_buf *out)
{
  emu_buf_text(out, "<p><small>This is composio-emulator; no real account is "
                    "connected.</small></p>\n</main>\n</body>\n</html>\n");
}

static void notice(struct emu_call *call, unsigned status, const char *title,
                   const char *text)
{
  struct emu_buf *out = begin(call, status, title);
  emu_buf_text(out, "<p role=\"status\">");
  escaped(out, text);
  emu_buf_text(out, "</p>\n");
  end(out);
}

static void ask(const struct emu *emu, struct emu_call *call,
                const struct emu_account *account)
{
  const struct emu_toolkit *toolkit =
      emu_store_config_of(&emu->store, account)->toolkit;
  struct emu_buf title = { 0 };
  emu_buf_format(&title, "Connect %s", toolkit->name);
  struct emu_buf *out = begin(call, 200, emu_buf_string(&title));
  emu_buf_clear(&title);
  emu_buf_text(out, "<p>An application asks to act in this account.</p>\n"
                    "<dl>\n<dt>Toolkit</dt>\n<dd>");
  escaped(out, toolkit->name);
  emu_buf_text(out, "</dd>\n<dt>For the user</dt>\n<dd>");
  escaped(out, emu_store_user_name(&emu->store, account));
  emu_buf_text(out, "</dd>\n</dl>\n<form method=\"post\">\n"
                    "<button name=\"decision\" value=\"allow\">Allow"
                    "</button>\n"
                    "<button name=\"decision\" value=\"deny\">Deny</button>\n"
                    "</form>\n<p>This page is good for ten minutes from the "
                    "moment the link was made, and once.</p>\n");
  end(out);
}

static void add_param(struct emu_buf *url, const char *name, const char *value)
{
  bool has_query = memchr(url->bytes, '?', url->size) != NULL;
  char last = url->bytes[url->size - 1];
  if(last != '?' && last != '&')
    emu_buf_char(url, has_query ? '&' : '?');
  emu_buf_text(url, name);
  emu_buf_char(url, '=');
  emu_buf_text(url, value);
}

/* Back to the application: the query it had is kept, a fragment stays last.
   A link and an initiation name the account differently. */
static void send_back(const struct emu *emu, struct emu_call *call,
                      const struct emu_account *account, bool allowed)
{
  const struct emu_flow *flow = account->flow;
  size_t plain = strcspn(flow->callback_url, "#");
  struct emu_buf url = { 0 };
  emu_buf_add(&url, flow->callback_url, plain);
  add_param(&url, "status", allowed ? "success" : "failed");
  if(*flow->token) {
    add_param(&url, "connected_account_id", account->id);
  } else {
    add_param(&url, "connectedAccountId", account->id);
    add_param(&url, "appName",
              emu_store_config_of(&emu->store, account)->toolkit->slug);
  }
  emu_buf_text(&url, flow->callback_url + plain);
  emu_reply_start(call, 303);
  call->type = NULL;
  emu_call_header(call, "Location", emu_buf_string(&url));
  emu_call_header(call, "cache-control", "no-store");
  emu_buf_clear(&url);
}

static void decide(struct emu *emu, struct emu_call *call,
                   struct emu_account *account)
{
  const char *body = emu_buf_string(&call->body);
  bool allowed = !strcmp(body, "decision=allow");
  if(!allowed && strcmp(body, "decision=deny") != 0) {
    notice(call, 400, "Not understood",
           "The form must be sent with Allow or Deny.");
    return;
  }
  if(allowed)
    emu_account_complete(emu, account);
  else
    emu_account_deny(emu, account);
  const char *url = account->flow->callback_url;
  if(url && *url)
    send_back(emu, call, account, allowed);
  else
    notice(call, 200, allowed ? "Connected" : "Not connected",
           "You may close this window.");
}

static bool is_current(const struct emu_account *account, const char *token)
{
  const struct emu_flow *flow = account->flow;
  return account->expires_ms && flow &&
         (!strcmp(flow->token, token) || !strcmp(flow->code, token));
}

void emu_page(struct emu *emu, struct emu_call *call)
{
  const char *token = call->segments[call->segment_count - 1];
  struct emu_account *account = emu_store_by_token(&emu->store, token);
  bool posted = emu_call_is(call, "POST");
  if(!posted && !emu_call_is(call, "GET")) {
    emu_reply_fail(call, &EMU_NO_METHOD, "Method %s is not allowed here",
                   call->method);
    return;
  }
  if(!account || !*token) {
    notice(call, 404, "Link not found", "There is no such link.");
    return;
  }
  if(account->flags & EMU_DELETED || !is_current(account, token)) {
    notice(call, 410, "Link no longer valid",
           "It was used already, or its ten minutes are over. Ask for a new "
           "one.");
    return;
  }
  if(posted) {
    decide(emu, call, account);
    return;
  }
  if(account->status == EMU_INITIALIZING)
    emu_account_move(emu, account, "open", EMU_INITIATED, NULL);
  ask(emu, call, account);
}
