/* Requests that read how accounts and auth configs are now: for prechecks, and
   for changes of unknown outcome.
   Must not know: who asks, what the replies prove. */
#include <string.h>
#include "apply/apply_private.h"

static enum ca_code finish_page(struct ca_request *request, const char *cursor,
                                struct ca_err *err)
{
  enum ca_code code = ca_request_integer(
      request, ca_api_field(request->api, "limit"), CA_PROBE_PAGE, err);

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
  return code ? code : finish_page(request, cursor, err);
}

enum ca_code ca_probe_newest(struct ca_request *request,
                             const struct ca_change *change,
                             const char *cursor, struct ca_err *err)
{
  enum ca_code code = CA_OK;

  ca_request_init(request, ca_api_list(change->api));
  if(!change->user || !change->config)
    return ca_err_set(err, CA_USAGE,
                      "the ledger does not say whose account it was for");
  if(ca_request_can_list(change->user))
    code = ca_request_set(request, "user_ids", change->user, err);
  if(!code)
    code = ca_request_set(request, "auth_config_ids", change->config, err);
  if(!code)
    code = ca_request_set(request, "account_type", "ALL", err);
  if(!code)
    code = ca_request_set(request, "order_by", "created_at", err);
  if(!code)
    code = ca_request_set(request, "order_direction", "desc", err);
  return code ? code : finish_page(request, cursor, err);
}
