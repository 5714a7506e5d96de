/* One connection of a client and the one to the server that belongs to it:
 * passes bytes on, and lets rules strike at their byte.
 * Must not know the listener or other pairs; what concerns those it only
 * asks for (`wish`). */
#ifndef FP_PAIR_H
#define FP_PAIR_H

#include "message.h"
#include "record.h"
#include "rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FP_BUFFER   65536
#define FP_NO_TIMER UINT64_MAX

/* What all pairs share. Borrowed from the proxy until it is freed. */
struct fp_shared {
  int epoll_fd;
  uint16_t server_port;
  struct fp_rules *rules;
  FILE *log;
  uint64_t connections, requests;
  const struct fp_rule *wish; /* a do=refuse or do=down that has struck */
};

struct fp_pair;

/* A socket, and what epoll was last told about it. */
struct fp_side {
  struct fp_pair *pair;
  int fd;
  uint32_t interest;
  bool registered;
  bool connecting;
  bool closed; /* the peer has sent its FIN */
  bool full;   /* the last write met a full buffer */
};

/* One direction: bytes from start to scanned belong to `message`, those from
 * scanned to end to whatever comes after it. */
struct fp_flow {
  size_t start, scanned, end;
  struct fp_message message;
  uint64_t passed;  /* of the message: where the next byte stands in it */
  uint64_t carried; /* of the connection */
  uint64_t sent;    /* to the receiver, for this record */
  bool swallow;     /* bytes pass the counters but are not sent */
  uint64_t drip_ms, drip_bytes, drip_at;
  unsigned char bytes[FP_BUFFER];
};

struct fp_pair {
  struct fp_shared *shared;
  struct fp_pair *next, **link; /* the proxy's list */
  struct fp_side client, server;
  struct fp_flow up, down;
  uint64_t connection, nth;
  bool active; /* a request is being exchanged */
  bool raw;    /* not HTTP/1.1: bytes only */
  bool over;   /* to be freed by the owner */
  bool client_lost;
  bool server_shut;    /* our FIN went to the server (raw only) */
  bool resetting;      /* RST as soon as the kernel has sent what we gave it */
  uint64_t hold_until; /* 0, a time, or FP_FOR_EVER */
  uint64_t linger_until;       /* 0, or when the client's socket is given up */
  uint64_t drain_until;        /* 0, or when the server's is */
  uint64_t reset_at;           /* the next look at a pending reset */
  const unsigned char *inject; /* bytes of a rule on their way */
  size_t inject_left;
  const struct fp_rule *answer; /* do=answer, until the request is in */
  enum fp_do then;              /* what follows the injected bytes */
  fp_mask armed;                /* rules that will strike, of this request */
  fp_mask armed_always;         /* and of the connection */
  struct fp_point points[FP_RULES_MAX];
  struct fp_record record;
};

/* Life. Takes the accepted socket; returns owned, or NULL (socket closed). */
struct fp_pair *fp_pair_new(struct fp_shared *shared, int client_fd,
                            uint64_t now_ms);
void fp_pair_free(struct fp_pair *pair);

/* Actions. After any of them look at `over`; after a granted wish advance
 * again. */
void fp_pair_event(struct fp_side *side, uint32_t events, uint64_t now_ms);
void fp_pair_advance(struct fp_pair *pair, uint64_t now_ms);
void fp_pair_abort(struct fp_pair *pair, const char *end);

/* Questions. */
uint64_t fp_pair_timer(const struct fp_pair *pair);

/* Within the pair: side.c, strike.c, pair.c. A `want` of 0 leaves epoll. */
void fp_side_settle(struct fp_side *side, uint32_t want);
void fp_side_close(struct fp_side *side);
void fp_side_reset(struct fp_side *side);
bool fp_side_connect(struct fp_side *side);
bool fp_side_flushed(const struct fp_side *side);
/* True when a rule struck. Else `may_pass` is how many bytes may go before
 * the next one does. */
bool fp_pair_strike(struct fp_pair *pair, struct fp_flow *flow,
                    uint64_t now_ms, uint64_t *may_pass);
void fp_pair_accept(struct fp_pair *pair, uint64_t now_ms);
/* `how`: FP_DO_CUT, FP_DO_RESET, or FP_DO_NONE when it left by itself. */
void fp_pair_lose_client(struct fp_pair *pair, enum fp_do how, const char *end,
                         uint64_t now_ms);

#endif
