/* Probes: the request for a change of unknown outcome, and the facts that its
   reply is compared with. Each row of the operation table names its probe.
   Must not know: what a reply proves (wire/proof), the order of probes. */
#include <string.h>
#include "apply/settle_private.h"

#define SLACK_MS 2000 /* error allowed in comparing the two clocks */
#define PAGE     100

/* ---- Requests ---- */

/* Lists the user's newest accounts; everybody's when the user's id cannot be a
   filter. */
static enum ca_code list_newest(const struct ca_probing *probing,
                                struct ca_request *request, struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  enum ca_code code = CA_OK;

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
  if(!code)
    code = ca_request_integer(request, ca_api_field(request->api, "limit"),
                              PAGE, err);
  if(!code && probing->list.cursor[0])
    code = ca_request_set(request, "cursor", probing->list.cursor, err);
  return code;
}

enum ca_code ca_probe_request(struct ca_probing *probing,
                              struct ca_request *request, struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  bool list = change->api->probe == CA_PROBE_LISTED;
  enum ca_code code;

  probing->api = list ? ca_api_list(change->api) : ca_api_get(change->api);
  ca_request_init(request, probing->api);
  if(list)
    code = list_newest(probing, request, err);
  else
    code = ca_request_set(request, "id",
                          change->account ? change->account : "", err);
  return code ? code : ca_request_finish(request, err);
}

/* ---- Facts ---- */

/* The earliest time at which the change may have begun, by the service's
   clock. The Date header is cut to seconds and was delayed on its way, so the
   result is early rather than late. */
static int64_t service_time(const struct ca_probing *probing,
                            const struct ca_result *result)
{
  int64_t at_ms = probing->row.sent_ms - SLACK_MS;
  int64_t date_ms;

  if(result->date[0] && ca_clock_parse_http(result->date, &date_ms))
    at_ms +=
        date_ms - ca_clock_wall_ms(ca_engine_clock(probing->settle->engine));
  return at_ms;
}

struct ca_proof_change ca_probe_facts(const struct ca_change_row *row)
{
  const struct ca_change *change = &row->change;
  struct ca_proof_change facts = { .api = change->api,
                                   .account = change->account,
                                   .user = change->user,
                                   .config = change->config,
                                   .body = change->body,
                                   .before = change->before,
                                   .sent_ms = row->sent_ms };

  return facts;
}

/* Adds the status before the change, as the run's own earlier changes left it,
   and its updated_at. */
static enum ca_code add_before(const struct ca_probing *probing,
                               struct ca_before *before_image,
                               struct ca_proof_change *facts,
                               struct ca_err *err)
{
  enum ca_code code = ca_ledger_before(
      probing->settle->ledger, probing->row.number, NULL, before_image, err);

  if(!code && before_image->known && before_image->status[0])
    facts->before = before_image->status;
  facts->before_ms = before_image->updated_ms;
  return code;
}

static enum ca_code knows_made(void *ctx, const char *id, bool *known,
                               struct ca_err *err)
{
  const struct ca_probing *probing = ctx;

  return ca_read_knows_made(probing->settle->ledger, id, probing->row.sent_ms,
                            known, err);
}

enum ca_code ca_probe_read(struct ca_probing *probing,
                           const struct ca_result *result,
                           struct ca_finding *finding, struct ca_err *err)
{
  struct ca_proof_change facts = ca_probe_facts(&probing->row);
  struct ca_before before_image;
  enum ca_code code = CA_OK;

  if(!probing->since_ms) /* from the first page of a list */
    probing->since_ms = service_time(probing, result);
  facts.since_ms = probing->since_ms;
  if(facts.api->probe == CA_PROBE_LISTED)
    return ca_proof_of_page(&facts, &probing->list, result, knows_made,
                            probing, finding, err);
  if(facts.api->probe == CA_PROBE_MOVED)
    code = add_before(probing, &before_image, &facts, err);
  if(!code)
    ca_proof_of_get(&facts, result, finding);
  return code;
}
