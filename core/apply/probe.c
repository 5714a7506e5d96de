/* Requests that read how accounts and auth configs are now: for prechecks, and
   for changes of unknown outcome.
   Must not know: who asks, what the replies prove. */
#include <string.h>
#include "apply/apply_private.h"

static enum ca_code finish_page(struct ca_request *request, int64_t limit,
                                const char *cursor, struct ca_err *err)
{
  enum ca_code code = ca_request_integer(
      request, ca_api_field(request->api, "limit"), limit, err);

  if(!code && *cursor)
    code = ca_request_set(request, "cursor", cursor, err);
  return code ? code : ca_request_finish(request, err);
}

enum ca_code ca_probe_get(struct ca_request *request,
                          const struct ca_change *change, struct ca_err *err)
{
  enum ca_code code;

  ca_request_init(request, ca_api_get(change->api));
  code = ca_request_set(request, "id", change->account ? change->account : "",
                        err);
  return code ? code : ca_request_finish(request, err);
}

enum ca_code ca_probe_ids(struct ca_request *request,
                          const struct ca_api *changed,
                          const struct ca_slice *ids, size_t count,
                          const char *cursor, struct ca_err *err)
{
  enum ca_code code;

  ca_request_init(request, ca_api_list(changed));
  code = ca_request_texts(request,
                          ca_api_field(request->api, "connected_account_ids"),
                          ids, count, err);
  if(!code)
    code = ca_request_set(request, "account_type", "ALL", err);
  return code ? code : finish_page(request, CA_PROBE_PAGE, cursor, err);
}

/* A user id with a comma cannot be a filter; then everybody's are listed. */
static enum ca_code set_user(struct ca_request *request,
                             const struct ca_change *change,
                             struct ca_err *err)
{
  enum ca_code code = CA_OK;

  if(!change->user || !change->config)
    return ca_err_set(err, CA_USAGE,
                      "the ledger does not say whose account it was for");
  if(ca_request_can_list(change->user))
    code = ca_request_set(request, "user_ids", change->user, err);
  return code
             ? code
             : ca_request_set(request, "auth_config_ids", change->config, err);
}

enum ca_code ca_probe_active(struct ca_request *request,
                             const struct ca_change *change,
                             const char *cursor, struct ca_err *err)
{
  enum ca_code code;

  ca_request_init(request, ca_api_list(change->api));
  code = ca_request_set(request, "statuses", "ACTIVE", err);
  if(!code)
    code = set_user(request, change, err);
  return code ? code
              : finish_page(request,
                            ca_request_can_list(change->user) ? 1
                                                              : CA_PROBE_PAGE,
                            cursor, err);
}

enum ca_code ca_probe_newest(struct ca_request *request,
                             const struct ca_change *change,
                             const char *cursor, struct ca_err *err)
{
  enum ca_code code;

  ca_request_init(request, ca_api_list(change->api));
  code = set_user(request, change, err);
  if(!code)
    code = ca_request_set(request, "account_type", "ALL", err);
  if(!code)
    code = ca_request_set(request, "order_by", "created_at", err);
  if(!code)
    code = ca_request_set(request, "order_direction", "desc", err);
  return code ? code : finish_page(request, CA_PROBE_PAGE, cursor, err);
}
