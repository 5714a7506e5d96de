/* The loop: listener, pairs, timers, signals.
 * Must not know HTTP, nor what the rules mean beyond refusing to listen. */
#ifndef FP_PROXY_H
#define FP_PROXY_H

#include "rule.h"

#include <stdint.h>
#include <stdio.h>

struct fp_proxy;

struct fp_proxy_options {
  uint16_t to, port;      /* port 0: any free one */
  struct fp_rules *rules; /* borrowed until fp_proxy_free */
  FILE *log;              /* borrowed likewise; may be NULL */
};

/* Life. Returns owned, listening; NULL with a line on stderr. */
struct fp_proxy *fp_proxy_new(const struct fp_proxy_options *options);
void fp_proxy_free(struct fp_proxy *proxy);

/* Actions. Until SIGTERM or SIGINT; 0 then, 1 when the loop broke. */
int fp_proxy_run(struct fp_proxy *proxy);

/* Questions. */
uint16_t fp_proxy_port(const struct fp_proxy *proxy);

#endif
