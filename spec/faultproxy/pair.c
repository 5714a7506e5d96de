/* Passing bytes between a client and the server, one request at a time.
 * Must not know the listener or other pairs. */
#include "pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct fp_pair *fp_pair_new(struct fp_shared *shared, int client_fd,
                            uint64_t now_ms)
{
  struct fp_pair *pair = malloc(sizeof *pair);
  int one = 1;

  if(!pair) {
    close(client_fd);
    return NULL;
  }
  /* The buffers stay as malloc left them: wiping 128 KiB per connection
   * would be most of what a short connection costs. */
  memset(pair, 0, offsetof(struct fp_pair, up));
  memset(&pair->up, 0, offsetof(struct fp_flow, bytes));
  memset(&pair->down, 0, offsetof(struct fp_flow, bytes));
  memset(&pair->connection, 0,
         sizeof *pair - offsetof(struct fp_pair, connection));
  pair->shared = shared;
  pair->client.pair = pair->server.pair = pair;
  pair->client.fd = client_fd;
  pair->server.fd = -1;
  pair->connection = ++shared->connections;
  pair->record.connection = pair->connection;
  fp_message_request(&pair->up.message);
  setsockopt(client_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fp_pair_accept(pair, now_ms);
  return pair;
}

void fp_pair_free(struct fp_pair *pair)
{
  fp_side_close(&pair->client);
  fp_side_close(&pair->server);
  free(pair);
}

/* Writes the line of what is going on, if there is anything to say. */
static void fp_finish(struct fp_pair *pair, const char *end)
{
  struct fp_record *record = &pair->record;

  record->from_client = pair->up.message.seen;
  record->to_server = pair->up.sent;
  record->from_server = pair->down.message.seen;
  record->to_client = pair->down.sent;
  record->method = pair->up.message.method;
  record->target = pair->up.message.target;
  record->request_whole = fp_message_done(&pair->up.message) &&
                          pair->up.sent == pair->up.message.seen;
  record->reply_whole =
      record->from_server > 0 && fp_message_done(&pair->down.message);
  record->status = pair->down.message.status;
  record->end = record->end ? record->end : end;
  if(pair->active || record->struck_count || record->from_client) {
    fp_record_write(pair->shared->log, record);
  }
  memset(record, 0, sizeof *record);
  record->connection = pair->connection;
  pair->active = false;
}

void fp_pair_abort(struct fp_pair *pair, const char *end)
{
  if(!pair->over) {
    fp_finish(pair, end);
  }
  fp_side_reset(&pair->client);
  fp_side_reset(&pair->server);
  pair->over = true;
}

static size_t fp_room(const struct fp_flow *flow)
{
  return FP_BUFFER - (flow->end - flow->start);
}

static void fp_scan(struct fp_flow *flow)
{
  flow->scanned += fp_message_feed(&flow->message, flow->bytes + flow->scanned,
                                   flow->end - flow->scanned);
}

/* Reads what there is; true when something came, were it the end. */
static bool fp_take(struct fp_side *side, struct fp_flow *flow, int *error)
{
  ssize_t got;

  if(side->fd < 0 || side->connecting || side->closed || !fp_room(flow)) {
    return false;
  }
  if(flow->start) {
    memmove(flow->bytes, flow->bytes + flow->start, flow->end - flow->start);
    flow->scanned -= flow->start;
    flow->end -= flow->start;
    flow->start = 0;
  }
  got = recv(side->fd, flow->bytes + flow->end, FP_BUFFER - flow->end, 0);
  if(got < 0) {
    *error = errno == EAGAIN || errno == EINTR ? 0 : errno;
    return false;
  }
  side->closed = got == 0;
  flow->end += (size_t)got;
  return true;
}

static bool fp_take_client(struct fp_pair *pair, uint64_t now_ms)
{
  int error = 0;
  bool moved = fp_take(&pair->client, &pair->up, &error);

  fp_scan(&pair->up);
  if(error) {
    fp_pair_lose_client(pair, FP_DO_NONE, "client reset", now_ms);
  }
  return moved;
}

static bool fp_take_server(struct fp_pair *pair, uint64_t now_ms)
{
  int error = 0;
  bool moved = fp_take(&pair->server, &pair->down, &error);

  if(pair->active || pair->raw) {
    fp_scan(&pair->down);
    if(pair->server.closed && pair->down.scanned == pair->down.end) {
      fp_message_close(&pair->down.message);
    }
  }
  if(error) {
    fp_side_close(&pair->server);
    fp_pair_lose_client(pair, FP_DO_RESET, "server reset", now_ms);
  }
  return moved;
}

/* A request whose head is in gets its number and its rules. */
static bool fp_begin(struct fp_pair *pair)
{
  struct fp_message *message = &pair->up.message;
  struct fp_subject subject;

  if(pair->active || pair->raw) {
    return false;
  }
  if(!message->head && !fp_room(&pair->up)) {
    message->state = FP_MESSAGE_RAW; /* no head is that long */
  }
  fp_message_reply(&pair->down.message, message->method);
  if(fp_message_raw(message)) {
    pair->raw = true;
    pair->down.message.state = FP_MESSAGE_RAW;
    return true;
  }
  if(!message->head) {
    return false;
  }
  pair->active = true;
  subject.connection = pair->connection;
  subject.request = pair->record.request = ++pair->shared->requests;
  subject.nth = pair->record.nth = ++pair->nth;
  subject.method = message->method;
  subject.target = message->target;
  pair->armed =
      fp_rules_of_request(pair->shared->rules, &subject, pair->points);
  return true;
}

/* Up to `size` bytes to whom they are for; how many went. */
static size_t fp_send(struct fp_pair *pair, struct fp_side *side,
                      const unsigned char *bytes, size_t size, uint64_t now_ms)
{
  ssize_t sent = send(side->fd, bytes, size, MSG_NOSIGNAL);

  if(sent >= 0) {
    side->full = (size_t)sent < size;
    return (size_t)sent;
  }
  if(errno == EAGAIN || errno == EINTR) {
    side->full = true;
  } else if(side == &pair->client) {
    fp_pair_lose_client(pair, FP_DO_NONE, "client reset", now_ms);
  } else {
    /* The server may have answered before it closed: read that first. */
    pair->up.swallow = true;
  }
  return 0;
}

static bool fp_ready(struct fp_pair *pair, struct fp_flow *flow,
                     uint64_t now_ms)
{
  struct fp_side *server = &pair->server;

  if(flow->swallow) {
    return true;
  }
  if(flow == &pair->down) {
    return !pair->client.full && pair->client.fd >= 0;
  }
  if(server->fd < 0 && !fp_side_connect(server)) {
    fp_pair_lose_client(pair, FP_DO_RESET, "server refused", now_ms);
  }
  return server->fd >= 0 && !server->connecting && !server->full;
}

/* How many bytes may go now: those here, up to the next rule's byte, at the
 * pace of a drip. */
static size_t fp_share(struct fp_flow *flow, uint64_t may_pass,
                       uint64_t now_ms)
{
  uint64_t share = flow->scanned - flow->start;

  if(share > may_pass) {
    share = may_pass;
  }
  if(flow->drip_ms && share) {
    if(now_ms < flow->drip_at) {
      return 0;
    }
    if(share > flow->drip_bytes) {
      share = flow->drip_bytes;
    }
    flow->drip_at = now_ms + flow->drip_ms;
  }
  return (size_t)share;
}

static bool fp_pass(struct fp_pair *pair, struct fp_flow *flow,
                    uint64_t now_ms)
{
  bool moved = false;
  uint64_t may_pass;
  size_t share;

  /* A wish is granted before a byte more goes out, so that a client that
   * reads it finds the listener closed. */
  while((pair->active || pair->raw) && !pair->hold_until &&
        !pair->shared->wish) {
    if(!pair->client_lost && fp_pair_strike(pair, flow, now_ms, &may_pass)) {
      moved = true;
      continue;
    }
    if(pair->client_lost) {
      may_pass = UINT64_MAX;
    }
    if(flow->start == flow->scanned || !fp_ready(pair, flow, now_ms)) {
      break;
    }
    share = fp_share(flow, may_pass, now_ms);
    if(share && !flow->swallow) {
      share = fp_send(pair, flow == &pair->up ? &pair->server : &pair->client,
                      flow->bytes + flow->start, share, now_ms);
      flow->sent += share;
    }
    if(!share) {
      break;
    }
    flow->start += share;
    flow->passed += share;
    flow->carried += share;
    moved = true;
  }
  return moved;
}

static bool fp_inject(struct fp_pair *pair, uint64_t now_ms)
{
  size_t sent;

  if(pair->answer && fp_message_done(&pair->up.message) &&
     pair->up.start == pair->up.scanned) {
    pair->inject = pair->answer->bytes;
    pair->inject_left = pair->answer->bytes_size;
    pair->then = pair->answer->then;
    pair->answer = NULL;
    pair->down.message.state = FP_MESSAGE_DONE;
  }
  if(!pair->inject_left || pair->client.full || pair->client_lost) {
    return false;
  }
  sent = fp_send(pair, &pair->client, pair->inject, pair->inject_left, now_ms);
  if(!pair->client_lost) {
    pair->inject += sent;
    pair->inject_left -= sent;
    pair->down.sent += sent;
  }
  return sent > 0;
}

static void fp_flow_restart(struct fp_flow *flow)
{
  flow->passed = flow->sent = 0;
  flow->swallow = false;
  flow->drip_ms = 0;
}

/* A request that has its whole reply makes room for the next one. */
static bool fp_complete(struct fp_pair *pair, uint64_t now_ms)
{
  enum fp_do then = pair->then;

  if(!pair->active || !fp_message_done(&pair->up.message) ||
     pair->up.start != pair->up.scanned ||
     !fp_message_done(&pair->down.message) ||
     pair->down.start != pair->down.scanned || pair->inject_left ||
     pair->answer) {
    return false;
  }
  pair->then = FP_DO_NONE;
  if(pair->client_lost) {
    fp_side_close(&pair->server); /* it has been let finish */
    return false;
  }
  if(then != FP_DO_NONE) {
    fp_pair_lose_client(pair, then, "fault", now_ms);
    return true;
  }
  fp_finish(pair, "done");
  pair->armed = 0;
  fp_flow_restart(&pair->up);
  fp_flow_restart(&pair->down);
  fp_message_request(&pair->up.message);
  fp_scan(&pair->up);
  return true;
}

/* Ends that nobody ordered, once nothing moves any more. */
static void fp_ends(struct fp_pair *pair, uint64_t now_ms)
{
  if(pair->client_lost) {
    return;
  }
  if(!pair->active && !pair->raw && pair->down.end > pair->down.start) {
    fp_side_close(&pair->server);
    fp_pair_lose_client(pair, FP_DO_CUT, "server spoke unasked", now_ms);
  } else if(pair->server.closed && pair->down.start == pair->down.end) {
    fp_side_close(&pair->server);
    fp_pair_lose_client(pair, FP_DO_CUT, "server closed", now_ms);
  } else if(pair->client.closed && !pair->raw) {
    fp_pair_lose_client(pair, FP_DO_NONE, "client closed", now_ms);
  } else if(pair->client.closed && pair->up.start == pair->up.end &&
            !pair->server_shut && pair->server.fd >= 0) {
    shutdown(pair->server.fd, SHUT_WR);
    pair->server_shut = true;
  }
}

/* The rest of a lost client: its own FIN after ours, the pending reset, and
 * a server that is let finish for a while. */
static void fp_wind_up(struct fp_pair *pair, uint64_t now_ms)
{
  char sink[4096];
  ssize_t got = 1;

  if(pair->resetting) {
    pair->reset_at = now_ms + 1;
    if(fp_side_flushed(&pair->client) || now_ms >= pair->linger_until) {
      fp_side_reset(&pair->client);
      pair->resetting = false;
    }
  } else if(pair->client.fd >= 0) {
    while(got > 0) {
      got = recv(pair->client.fd, sink, sizeof sink, 0);
    }
    if(got == 0 || (errno != EAGAIN && errno != EINTR) ||
       now_ms >= pair->linger_until) {
      fp_side_close(&pair->client);
    }
  }
  if(pair->server.fd >= 0 &&
     (pair->server.closed || now_ms >= pair->drain_until)) {
    fp_side_close(&pair->server);
  }
  if(pair->server.fd < 0) {
    if(pair->active || pair->record.end) {
      fp_finish(pair, "fault");
    }
    pair->over = pair->client.fd < 0;
  }
}

static void fp_settle(struct fp_pair *pair)
{
  uint32_t client = 0;
  uint32_t server = 0;

  if(pair->client_lost) {
    client = pair->resetting ? 0 : EPOLLIN;
    server = EPOLLIN;
  } else if(pair->hold_until) {
    client = EPOLLRDHUP; /* it may give up, and that must be seen */
  } else {
    client = fp_room(&pair->up) && !pair->client.closed ? EPOLLIN : 0;
    server = fp_room(&pair->down) && !pair->server.closed ? EPOLLIN : 0;
    client |= pair->client.full ? (uint32_t)EPOLLOUT : 0;
    server |= pair->server.full ? (uint32_t)EPOLLOUT : 0;
    if(pair->server.connecting) {
      server = EPOLLOUT;
    }
  }
  fp_side_settle(&pair->client, client);
  fp_side_settle(&pair->server, server);
}

void fp_pair_advance(struct fp_pair *pair, uint64_t now_ms)
{
  bool moved = true;

  if(pair->hold_until && pair->hold_until <= now_ms) {
    pair->hold_until = 0;
  }
  while(moved && !pair->over && !pair->hold_until && !pair->shared->wish) {
    moved = false;
    if(!pair->client_lost) {
      moved |= fp_take_client(pair, now_ms);
      moved |= fp_begin(pair);
      moved |= fp_pass(pair, &pair->up, now_ms);
    }
    moved |= fp_take_server(pair, now_ms);
    moved |= fp_pass(pair, &pair->down, now_ms);
    moved |= fp_inject(pair, now_ms);
    moved |= fp_complete(pair, now_ms);
    if(!moved && !pair->hold_until && !pair->shared->wish) {
      fp_ends(pair, now_ms);
    }
  }
  if(pair->client_lost) {
    fp_wind_up(pair, now_ms);
  }
  fp_settle(pair);
}

/* Whether the server can be reached is known when the socket turns ready. */
static void fp_connected(struct fp_pair *pair, uint64_t now_ms)
{
  int error = 0;
  socklen_t size = sizeof error;

  pair->server.connecting = false;
  getsockopt(pair->server.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if(error) {
    fp_side_close(&pair->server);
    fp_pair_lose_client(pair, FP_DO_RESET, "server refused", now_ms);
  }
}

void fp_pair_event(struct fp_side *side, uint32_t events, uint64_t now_ms)
{
  struct fp_pair *pair = side->pair;

  if(pair->over || side->fd < 0) {
    return;
  }
  side->full = side->full && !(events & EPOLLOUT);
  if(side == &pair->server && side->connecting) {
    fp_connected(pair, now_ms);
  }
  if(side == &pair->client && !pair->client_lost &&
     (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
    fp_pair_lose_client(pair, FP_DO_NONE, "client closed", now_ms);
  }
  fp_pair_advance(pair, now_ms);
}

static uint64_t fp_sooner(uint64_t a, uint64_t b)
{
  return b && b < a ? b : a;
}

uint64_t fp_pair_timer(const struct fp_pair *pair)
{
  uint64_t at = FP_NO_TIMER;

  at = fp_sooner(at, pair->hold_until);
  at = fp_sooner(at, pair->client.fd >= 0 ? pair->linger_until : 0);
  at = fp_sooner(at, pair->drain_until);
  at = fp_sooner(at, pair->resetting ? pair->reset_at : 0);
  if(!pair->hold_until && pair->up.drip_ms &&
     pair->up.start < pair->up.scanned) {
    at = fp_sooner(at, pair->up.drip_at);
  }
  if(!pair->hold_until && pair->down.drip_ms &&
     pair->down.start < pair->down.scanned) {
    at = fp_sooner(at, pair->down.drip_at);
  }
  return at;
}
