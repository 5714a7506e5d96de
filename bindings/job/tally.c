/* The run's tally: counts changes that have ended, and keeps the first
   failures for the summary. Must not know: curl, how changes are sent, options
   of the command line, terminals. */
#include <string.h>
#include "job/run_private.h"

void lca_tally_failure(struct lca_run *run, const char *key,
                       const char *operation, enum ca_outcome outcome,
                       const char *request_id, const char *text)
{
  struct lca_failure *failure;
  if(run->stats.failure_count >= LCA_FAILURES)
    return;
  failure = &run->stats.failures[run->stats.failure_count++];
  ca_text_copy(failure->key, sizeof(failure->key), key);
  ca_text_copy(failure->operation, sizeof(failure->operation), operation);
  ca_text_copy(failure->request_id, sizeof(failure->request_id), request_id);
  ca_text_copy(failure->text, sizeof(failure->text), text);
  failure->outcome = outcome;
}

void lca_tally_mend(struct lca_run_stats *stats, const char *key,
                    const struct ca_api *api, enum ca_outcome outcome)
{
  size_t i;
  for(i = 0; i < stats->failure_count; i++) {
    struct lca_failure *failure = &stats->failures[i];
    if(strcmp(failure->key, key) != 0 ||
       strcmp(failure->operation, api->name) != 0)
      continue;
    if(outcome != CA_DONE) {
      failure->outcome = outcome;
      return;
    }
    stats->failure_count--;
    memmove(failure, failure + 1,
            (stats->failure_count - i) * sizeof(*failure));
    return;
  }
}

/* Has the service answered this key's reads, and none of its changes? */
static bool has_only_read(const struct ca_endpoint *endpoint)
{
  size_t count;
  const struct ca_api *rows = ca_api_rows(&count);
  size_t i;
  for(i = 0; i < count; i++)
    if((endpoint->worked & UINT32_C(1) << i) && ca_api_mutates(&rows[i]))
      return false;
  return endpoint->worked != 0;
}

void lca_tally_change(struct lca_run *run, const struct ca_applied *applied)
{
  const struct ca_change_row *row = applied->row;
  const char *key = row->change.account[0] ? row->change.account : row->key;
  struct ca_item item;
  struct ca_err err;
  if(applied->outcome == CA_UNKNOWN && applied->result &&
     (row->change.api->repeat == CA_REPEAT_NEVER || !run->applier))
    run->last_lost_ms =
        ca_clock_mono_ms(ca_engine_clock(lca_scheduler_engine(run->sched)));
  if(!applied->result && applied->outcome == row->outcome &&
     (run->options.replay.on || run->resending))
    return; /* it ended before */
  if(run->resending)
    lca_tally_mend(&run->stats, key, row->change.api, CA_DONE);
  else
    run->stats.ended++;
  run->stats.outcomes[applied->outcome]++;
  lca_guard_ended(run, applied);
  if(!applied->result)
    return;
  if(applied->result->status == 401) {
    run->stats.key_rejected = true;
    run->stats.reads_only = has_only_read(run->client->endpoint);
  } else if(applied->outcome != CA_FAILED && applied->outcome != CA_UNKNOWN)
    return;
  if(applied->result->err.no_route)
    run->stats.no_route = true;
  ca_err_clear(&err);
  /* a straight-line create is known by its call, under which it is settled */
  if(!key[0] && !ca_read_item(run->ledger, row->item, &item, &err) && item.key)
    key = item.key;
  lca_tally_failure(run, key, row->change.api->name, applied->outcome,
                    applied->result->request_id, applied->result->err.text);
}

void lca_tally_move_result(struct ca_result *to, struct ca_result *from)
{
  if(!from) {
    memset(to, 0, sizeof(*to));
    ca_buf_init(&to->body, 0);
    return;
  }
  *to = *from;
  ca_buf_init(&from->body, 0);
}
