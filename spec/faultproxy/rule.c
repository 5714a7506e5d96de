/* Which rules fit a connection or a request, and where they strike.
 * Must not know sockets, nor how rules are written; that is rule_parse.c. */
#include "rule.h"

#include <string.h>

static bool fp_set_has(const struct fp_set *set, uint64_t number)
{
  return set->step == 0 || (number >= set->first && number <= set->last &&
                            (number - set->first) % set->step == 0);
}

/* One draw in [0, 1) from the seed, the rule and the number of the request,
 * not from a running generator: requests that arrive in another order get
 * the same verdicts. The mixing is splitmix64's. */
static double fp_draw(uint64_t seed, uint64_t rule, uint64_t number)
{
  uint64_t mix = seed ^ (rule + 1) * UINT64_C(0x9e3779b97f4a7c15);
  int round;

  for(round = 0; round < 2; round++) {
    mix +=
        number * UINT64_C(0xd1b54a32d192ed03) + UINT64_C(0x9e3779b97f4a7c15);
    mix = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mix = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
    mix ^= mix >> 31;
  }
  return (double)(mix >> 11) / 9007199254740992.0;
}

/* The last questions, the same for connections and requests. */
static bool fp_rule_hit(struct fp_rules *rules, size_t index, uint64_t number,
                        struct fp_point *point)
{
  struct fp_rule *rule = &rules->rule[index];

  rule->hits++;
  if(!fp_set_has(&rule->hit, rule->hits)) {
    return false;
  }
  point->at = rule->at;
  point->bytes = rule->at_bytes;
  if(rule->at == FP_AT_SWEEP) {
    point->at = FP_AT_BYTE;
    point->bytes += rule->hits - 1;
  }
  return rule->probability >= 1 ||
         fp_draw(rules->seed, index, number) < rule->probability;
}

static bool fp_of_request(const struct fp_rule *rule)
{
  return rule->when == FP_WHEN_REQUEST || rule->when == FP_WHEN_REPLY;
}

fp_mask fp_rules_of_connection(struct fp_rules *rules, uint64_t connection,
                               struct fp_point *points)
{
  fp_mask mask = 0;
  size_t i;

  for(i = 0; i < rules->count; i++) {
    struct fp_rule *rule = &rules->rule[i];

    if(!fp_of_request(rule) && fp_set_has(&rule->connection, connection) &&
       fp_rule_hit(rules, i, connection, &points[i])) {
      mask |= (fp_mask)1 << i;
    }
  }
  return mask;
}

/* `path` fits a target that begins with it, so a query needs no spelling. */
static bool fp_rule_fits(const struct fp_rule *rule,
                         const struct fp_subject *subject)
{
  return fp_of_request(rule) &&
         fp_set_has(&rule->connection, subject->connection) &&
         fp_set_has(&rule->request, subject->request) &&
         fp_set_has(&rule->nth, subject->nth) &&
         (!rule->method || strcmp(rule->method, subject->method) == 0) &&
         (!rule->path ||
          strncmp(rule->path, subject->target, strlen(rule->path)) == 0);
}

fp_mask fp_rules_of_request(struct fp_rules *rules,
                            const struct fp_subject *subject,
                            struct fp_point *points)
{
  fp_mask mask = 0;
  size_t i;

  for(i = 0; i < rules->count; i++) {
    if(fp_rule_fits(&rules->rule[i], subject) &&
       fp_rule_hit(rules, i, subject->request, &points[i])) {
      mask |= (fp_mask)1 << i;
    }
  }
  return mask;
}

bool fp_rule_strike(struct fp_rule *rule)
{
  if(rule->strikes >= rule->times) {
    return false;
  }
  rule->strikes++;
  return true;
}

static const char fp_help[] =
    "A RULE is key=value pairs between commas. Rules are independent; those\n"
    "for the same byte strike in the order of the command line.\n"
    "\n"
    "Which connections and requests (all of those given must fit):\n"
    "  connection=SET   the n-th connection accepted\n"
    "  request=SET      the n-th request, over all connections\n"
    "  nth=SET          the n-th request of its connection: 2- is a reused "
    "one\n"
    "  method=NAME      exactly this method\n"
    "  path=TEXT        the request target begins with this, query included\n"
    "  hit=SET          of those that fit all of the above, the n-th\n"
    "  probability=P    0 to 1, drawn from --seed and the request's number\n"
    "  times=N          strike at most N times\n"
    "  SET is 3, 3-7, 3-, * or any of these with /K for every K-th: */10.\n"
    "\n"
    "Where:\n"
    "  when=request     bytes of the request, on their way to the server\n"
    "  when=reply       bytes of the reply, on their way to the client\n"
    "  when=to-server   the same two, but counted from the connection's "
    "first\n"
    "  when=to-client   byte and whatever they are, so TLS can be hurt too\n"
    "  when=accept      when the connection is accepted\n"
    "  at=N             after N bytes were passed on; 0 if not given. "
    "request\n"
    "                   at 0: the server gets nothing. reply at 0: the "
    "server\n"
    "                   has answered, the client gets nothing\n"
    "  at=body at=body+N  counted from the end of the head\n"
    "  at=end           after the whole message; of a request: the server "
    "has\n"
    "                   all of it, its reply is not waited for\n"
    "  at=sweep at=sweep+N  0 (or N) at the first hit, one more at each next\n"
    "\n"
    "What:\n"
    "  do=cut           close the client's connection cleanly (FIN)\n"
    "  do=reset         abort it (RST)\n"
    "  do=stall         pass nothing on, either way, for ms=N; ms=forever if\n"
    "                   not given\n"
    "  do=drip,ms=N     from here bytes=B (1) at a time, N ms between\n"
    "  do=flip          xor the next byte with xor=N (255)\n"
    "  do=replace,text=T  the rest of the reply becomes T; the server's is\n"
    "                   swallowed. Or file=PATH\n"
    "  do=answer,text=T answer T without asking the server at all\n"
    "                   then=keep, cut or reset the connection after T "
    "(keep)\n"
    "  do=refuse        close the listener for ms=N (forever); at=0 of a "
    "reply is\n"
    "                   the last moment at which the client cannot be "
    "quicker\n"
    "  do=down          refuse, and reset every connection\n"
    "  text= stands last and runs to the end of the rule; it knows \\r \\n "
    "\\t\n"
    "  \\0 \\\\ and \\xHH.\n"
    "\n"
    "After a cut or a reset a server that had the whole request may finish: "
    "its\n"
    "reply is read and dropped, so that the log tells what was done. A "
    "server\n"
    "that had only a part of it sees the same end as the client.\n";

void fp_rule_help(FILE *out)
{
  fputs(fp_help, out);
}
