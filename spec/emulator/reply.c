/* How an answer begins and how a refusal reads.
   It must not know which operation answers. */
#include "reply.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct emu_problem EMU_ACCOUNT_NOT_FOUND = {
  404, 606, "ConnectedAccount_ResourceNotFound",
  "Check that the connected account exists in this project and has not been "
  "deleted."
};
const struct emu_problem EMU_ACCOUNT_BAD = {
  400, 600, "ConnectedAccount_BadRequest",
  "Check the request against the API reference."
};
const struct emu_problem EMU_ACCOUNT_FIELDS = {
  400, 612, "ConnectedAccount_MissingRequiredFields",
  "Provide the missing fields in connection.state.val."
};
const struct emu_problem EMU_ACCOUNT_CONFLICT = {
  409, 609, "ConnectedAccount_Conflict",
  "Choose another alias for this user and toolkit."
};
const struct emu_problem EMU_ACCOUNT_STATE = {
  409, 609, "ConnectedAccount_Conflict",
  "Read the account's status and choose an operation that it allows."
};
const struct emu_problem EMU_ACCOUNT_LEASED = {
  409, 609, "ConnectedAccount_Conflict",
  "Another operation is changing this account. Try again in a moment."
};
const struct emu_problem EMU_ACCOUNT_STUCK = {
  422, 622, "ConnectedAccount_UnprocessableEntity",
  "Connect the user anew: POST /api/v3.1/connected_accounts/link."
};
const struct emu_problem EMU_ACCOUNT_RETIRED = {
  400, 600, "ConnectedAccount_BadRequest",
  "Call POST /api/v3/connected_accounts/link with the same auth_config_id "
  "and user_id to get a redirect URL for the end user."
};
const struct emu_problem EMU_CONFIG_NOT_FOUND = {
  404, 706, "AuthConfig_ResourceNotFound",
  "Check that the auth config exists in this project."
};
const struct emu_problem EMU_CONFIG_BAD = {
  400, 700, "AuthConfig_BadRequest",
  "Check the request against the API reference."
};
const struct emu_problem EMU_CONFIG_NO_AUTH = {
  400, 701, "Auth_Config_NoAuthApp", "Use the toolkit without an auth config."
};
const struct emu_problem EMU_TOOLKIT_NOT_FOUND = {
  404, 806, "Toolkit_ResourceNotFound", "Check the toolkit's slug."
};
const struct emu_problem EMU_SESSION_NOT_FOUND = {
  404, 606, "ConnectedAccount_ResourceNotFound",
  "Sessions live ten minutes and are used once. Start a new connection."
};
const struct emu_problem EMU_INVALID = { 400, 10400, "HTTP_BadRequest",
                                         "Please check the payload." };
const struct emu_problem EMU_UNAUTHORIZED = {
  401, 10401, "HTTP_Unauthorized",
  "Send exactly one credential: a valid API key in x-api-key."
};
const struct emu_problem EMU_NO_ROUTE = {
  404, 10404, "HTTP_NotFound", "Check the path against the API reference."
};
const struct emu_problem EMU_NO_METHOD = {
  405, 10405, "HTTP_MethodNotAllowed",
  "Check the method against the API reference."
};
const struct emu_problem EMU_GONE = { 410, 10410, "HTTP_Gone",
                                      "Use the /api/v3.1 routes." };
const struct emu_problem EMU_TOO_LARGE = { 413, 10413, "HTTP_PayloadTooLarge",
                                           "Send a smaller body." };
const struct emu_problem EMU_NOT_JSON = { 400, 10400, "HTTP_BadRequest",
                                          "Send one JSON object." };
const struct emu_problem EMU_NOT_JSON_TYPE = {
  415, 10415, "HTTP_UnsupportedMediaType",
  "Send the body with content-type: application/json."
};

struct emu_buf *emu_reply_start(struct emu_call *call, unsigned status)
{
  call->status = status;
  call->type = "application/json; charset=utf-8";
  emu_buf_reset(&call->out);
  return &call->out;
}

static void envelope(struct emu_call *call, const struct emu_problem *problem,
                     const char *message, const char *detail)
{
  struct emu_buf *out = emu_reply_start(call, problem->status);
  emu_buf_text(out, "{\"error\":{");
  emu_buf_pair(out, "message", message);
  emu_buf_format(out, ",\"code\":%d,\"slug\":\"%s\",\"status\":%u,",
                 problem->code, problem->slug, problem->status);
  emu_buf_pair(out, "request_id", call->request_id);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "suggested_fix", problem->fix);
  if(detail) {
    emu_buf_text(out, ",\"errors\":[");
    emu_buf_json(out, detail);
    emu_buf_char(out, ']');
  }
  emu_buf_text(out, "}}");
}

static char *sentence(const char *format, va_list args)
{
  char *text = NULL;
  if(vasprintf(&text, format, args) < 0)
    return emu_copy("");
  return text;
}

void emu_reply_fail(struct emu_call *call, const struct emu_problem *problem,
                    const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *message = sentence(format, args);
  va_end(args);
  envelope(call, problem, message, NULL);
  free(message);
}

void emu_reply_invalid(struct emu_call *call, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *detail = sentence(format, args);
  va_end(args);
  envelope(call, &EMU_INVALID, "Validation error while processing request",
           detail);
  free(detail);
}

void emu_reply_success(struct emu_call *call)
{
  emu_buf_text(emu_reply_start(call, 200), "{\"success\":true}");
}

static bool is_json_type(const char *type)
{
  static const char json[] = "application/json";
  if(!type || strncasecmp(type, json, sizeof(json) - 1))
    return false;
  char next = type[sizeof(json) - 1];
  return !next || next == ';' || next == ' ';
}

bool emu_reply_want_body(struct emu_call *call, bool may_be_missing)
{
  if(!call->body.size && may_be_missing) {
    call->json = json_object();
    return true;
  }
  if(!call->body.size) {
    emu_reply_invalid(call, "body: Required");
    return false;
  }
  if(!is_json_type(call->content_type)) {
    emu_reply_fail(call, &EMU_NOT_JSON_TYPE,
                   "Content type \"%s\" is not supported",
                   call->content_type ? call->content_type : "");
    return false;
  }
  json_error_t error;
  call->json = json_loadb(call->body.bytes, call->body.size, 0, &error);
  if(!call->json) {
    emu_reply_fail(call, &EMU_NOT_JSON, "Malformed JSON body: %s", error.text);
    return false;
  }
  if(!json_is_object(call->json)) {
    emu_reply_invalid(call, "body: Expected object");
    return false;
  }
  return true;
}
