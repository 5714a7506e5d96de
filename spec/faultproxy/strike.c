/* What happens when a rule strikes, and how a client is lost.
 * Must not know how rules are written, nor the order of passing bytes. */
#include "pair.h"

#include <sys/socket.h>

#define FP_LINGER_MS                                                       \
  2000                   /* for a client that does not close after our FIN \
                          */
#define FP_DRAIN_MS 5000 /* for a server that had the whole request */

/* A server that has the whole request is let finish, so that the log tells
 * what it did; one that has a part sees the end the client sees. */
static bool fp_server_may_finish(const struct fp_pair *pair)
{
  return pair->active && !pair->raw && !pair->answer && pair->server.fd >= 0 &&
         fp_message_done(&pair->up.message) && !pair->up.swallow &&
         pair->up.passed == pair->up.message.seen &&
         !fp_message_done(&pair->down.message);
}

void fp_pair_lose_client(struct fp_pair *pair, enum fp_do how, const char *end,
                         uint64_t now_ms)
{
  if(pair->client_lost) {
    return;
  }
  pair->client_lost = true;
  pair->armed = pair->armed_always = 0;
  pair->hold_until = 0;
  pair->inject_left = 0;
  pair->down.drip_ms = 0;
  pair->record.end = end;
  if(how == FP_DO_NONE || pair->client.fd < 0) {
    fp_side_close(&pair->client);
  } else {
    pair->linger_until = now_ms + FP_LINGER_MS;
    pair->resetting = how == FP_DO_RESET;
    pair->reset_at = now_ms;
    if(how == FP_DO_CUT) {
      shutdown(pair->client.fd, SHUT_WR);
    }
  }
  pair->down.swallow = true;
  if(fp_server_may_finish(pair)) {
    pair->drain_until = now_ms + FP_DRAIN_MS;
  } else if(how == FP_DO_RESET) {
    fp_side_reset(&pair->server);
  } else {
    fp_side_close(&pair->server);
  }
}

static void fp_act(struct fp_pair *pair, struct fp_flow *flow,
                   const struct fp_rule *rule, uint64_t now_ms)
{
  switch(rule->what) {
  case FP_DO_CUT:
  case FP_DO_RESET:
    fp_pair_lose_client(pair, rule->what, "fault", now_ms);
    break;
  case FP_DO_STALL:
    pair->hold_until =
        rule->ms == FP_FOR_EVER ? FP_FOR_EVER : now_ms + rule->ms;
    break;
  case FP_DO_DRIP:
    flow->drip_ms = rule->ms;
    flow->drip_bytes = rule->drip_bytes;
    flow->drip_at = now_ms;
    break;
  case FP_DO_FLIP:
    flow->bytes[flow->start] ^= rule->flip_bits;
    break;
  case FP_DO_REPLACE:
    pair->inject = rule->bytes;
    pair->inject_left = rule->bytes_size;
    pair->then = rule->then;
    flow->swallow = true;
    break;
  case FP_DO_ANSWER:
    pair->answer = rule;
    flow->swallow = true;
    break;
  default: /* FP_DO_REFUSE, FP_DO_DOWN */
    pair->shared->wish = rule;
  }
}

/* True when the rule was allowed to strike, and did. */
static bool fp_try(struct fp_pair *pair, struct fp_flow *flow, size_t index,
                   uint64_t at, uint64_t now_ms)
{
  struct fp_rule *rule = &pair->shared->rules->rule[index];
  struct fp_record *record = &pair->record;

  pair->armed &= ~((fp_mask)1 << index);
  pair->armed_always &= ~((fp_mask)1 << index);
  if(!fp_rule_strike(rule)) {
    return false;
  }
  if(record->struck_count < FP_STRUCK_MAX) {
    record->struck[record->struck_count++] =
        (struct fp_struck){ (unsigned)index + 1, fp_do_name(rule->what), at };
  }
  fp_act(pair, flow, rule, now_ms);
  return true;
}

/* The byte a rule waits for, or UINT64_MAX while it cannot be known. */
static uint64_t fp_point_byte(const struct fp_point *point,
                              const struct fp_message *message)
{
  if(point->at == FP_AT_BODY) {
    return message->head ? message->head + point->bytes : UINT64_MAX;
  }
  if(point->at == FP_AT_END) {
    return fp_message_done(message) ? message->seen : UINT64_MAX;
  }
  return point->bytes;
}

bool fp_pair_strike(struct fp_pair *pair, struct fp_flow *flow,
                    uint64_t now_ms, uint64_t *may_pass)
{
  bool up = flow == &pair->up;
  fp_mask armed = pair->armed | pair->armed_always;
  size_t i;

  *may_pass = UINT64_MAX;
  /* Nothing has come yet: a reply's byte 0 is struck when the server has
   * answered, not while it is being waited for. */
  if(flow->message.seen == 0) {
    return false;
  }
  for(i = 0; armed >> i && i < pair->shared->rules->count; i++) {
    const struct fp_rule *rule = &pair->shared->rules->rule[i];
    bool whole = rule->when == (up ? FP_WHEN_TO_SERVER : FP_WHEN_TO_CLIENT);
    uint64_t here = whole ? flow->carried : flow->passed;
    uint64_t byte = fp_point_byte(&pair->points[i], &flow->message);

    if(!(armed >> i & 1) ||
       (!whole && rule->when != (up ? FP_WHEN_REQUEST : FP_WHEN_REPLY))) {
      continue;
    }
    if(byte == here) {
      if(rule->what == FP_DO_FLIP && flow->start == flow->scanned) {
        continue; /* the byte to flip is not here yet */
      }
      if(fp_try(pair, flow, i, byte, now_ms)) {
        return true;
      }
    } else if(byte > here && byte - here < *may_pass) {
      *may_pass = byte - here;
    }
  }
  return false;
}

void fp_pair_accept(struct fp_pair *pair, uint64_t now_ms)
{
  size_t i;

  pair->armed_always = fp_rules_of_connection(pair->shared->rules,
                                              pair->connection, pair->points);
  for(i = 0; pair->armed_always >> i && i < pair->shared->rules->count; i++) {
    if((pair->armed_always >> i & 1) &&
       pair->shared->rules->rule[i].when == FP_WHEN_ACCEPT) {
      fp_try(pair, &pair->up, i, 0, now_ms);
    }
  }
}
