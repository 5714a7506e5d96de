/* The rules: what is to go wrong, with whom, and at which byte.
 * Must not know sockets; given numbers and names, it says which rules fit.
 *
 * A rule is a line of key=value pairs between commas, `request=2,when=reply,
 * at=0,do=reset`. The whole language is told by fp_rule_help(). */
#ifndef FP_RULE_H
#define FP_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FP_RULES_MAX 64 /* one bit each in an fp_mask */
#define FP_FOR_EVER  UINT64_MAX

typedef uint64_t fp_mask;

enum fp_when {
  FP_WHEN_NONE,
  FP_WHEN_ACCEPT,    /* before the first byte of a connection */
  FP_WHEN_REQUEST,   /* offsets count in the request */
  FP_WHEN_REPLY,     /* offsets count in its reply */
  FP_WHEN_TO_SERVER, /* offsets count over the whole connection */
  FP_WHEN_TO_CLIENT
};

enum fp_do {
  FP_DO_NONE,
  FP_DO_CUT,
  FP_DO_RESET,
  FP_DO_STALL,
  FP_DO_DRIP,
  FP_DO_FLIP,
  FP_DO_REPLACE,
  FP_DO_ANSWER,
  FP_DO_REFUSE,
  FP_DO_DOWN
};

enum fp_at { FP_AT_BYTE, FP_AT_BODY, FP_AT_END, FP_AT_SWEEP };

/* Numbers from `first` to `last` in steps; step 0 means the key is absent. */
struct fp_set {
  uint64_t first, last, step;
};

struct fp_rule {
  const char *text; /* borrowed from the command line */
  struct fp_set connection, request, nth, hit;
  const char *method, *path; /* point into `copy`, or NULL */
  double probability;        /* 1 when the key is absent */
  uint64_t times;            /* how often it may strike */
  enum fp_when when;
  enum fp_at at;
  uint64_t at_bytes; /* what is added to `at` */
  enum fp_do what;
  uint64_t ms;
  uint64_t drip_bytes;
  unsigned char flip_bits;
  enum fp_do then; /* FP_DO_NONE, FP_DO_CUT or FP_DO_RESET */
  unsigned char *bytes;
  size_t bytes_size;
  char *copy;
  uint64_t given; /* which keys were given, one bit each */
  uint64_t hits, strikes;
};

struct fp_rules {
  struct fp_rule rule[FP_RULES_MAX];
  size_t count;
  uint64_t seed;
};

/* A request, as far as rules look at it. */
struct fp_subject {
  uint64_t connection, request, nth;
  const char *method, *target;
};

/* Where a rule strikes: absolute byte, or relative to head or end. */
struct fp_point {
  enum fp_at at;
  uint64_t bytes;
};

/* Life. `text` is borrowed until fp_rules_clear. False: `err` names the rule
 * and the key. */
bool fp_rules_add(struct fp_rules *rules, const char *text, char *err,
                  size_t err_size) __attribute__((warn_unused_result));
void fp_rules_clear(struct fp_rules *rules);

/* Questions. Both count a hit of each rule that fits, so each connection and
 * each request is asked about once. `points` has FP_RULES_MAX places. */
fp_mask fp_rules_of_connection(struct fp_rules *rules, uint64_t connection,
                               struct fp_point *points);
fp_mask fp_rules_of_request(struct fp_rules *rules,
                            const struct fp_subject *subject,
                            struct fp_point *points);
/* May this rule, which fits, still strike? Counts the strike if so. */
bool fp_rule_strike(struct fp_rule *rule);
const char *fp_do_name(enum fp_do what);
void fp_rule_help(FILE *out);

#endif
