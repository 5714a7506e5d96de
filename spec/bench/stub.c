/* bench-stub: the server the benches run against: as little work per request
 * as can be, so that a client is never found waiting for it.
 * Must not know what a change means: it keeps no state, and says yes.
 *
 *   bench-stub [--accounts N] [--port P] [--ids FILE]
 *
 * The first line on stdout is {"url":...,"api_key":...,"accounts":N}. --ids
 * writes the ids of all accounts, one a line, before that. Ends on SIGTERM. */
#include "stub_accounts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BENCH_KEY  "ak_bench_0123456789abcdef"
#define BENCH_PATH "/api/v3.1/connected_accounts"
#define BENCH_ROOM ((size_t)(BENCH_PAGE_MAX + 1) * BENCH_ACCOUNT_MAX)

/* Fifteen headers besides these two, as a service behind a proxy sends them:
 * parsing them is a quarter of what a small reply costs a client. The rate
 * limit is one that nobody reaches, for pacing is not what is measured. */
static const char bench_headers[] =
    "Date: Thu, 01 Oct 2026 10:00:00 GMT\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: private, no-store\r\n"
    "ETag: W/\"10-oV4hJxRVSENxc/wX8+mA4/Pe4tA\"\r\n"
    "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"
    "Vary: Origin, Accept-Encoding\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: SAMEORIGIN\r\n"
    "X-RateLimit: 900000000\r\n"
    "X-RateLimit-Remaining: 899999999\r\n"
    "X-RateLimit-Window-Size: 60s\r\n"
    "X-Request-Id: 3f0d5a52-6b0e-4c39-9a29-1c3d5d8f7a10\r\n"
    "Access-Control-Allow-Origin: *\r\n"
    "CF-Cache-Status: DYNAMIC\r\n"
    "CF-RAY: 8c1f2d3e4a5b6c7d-FRA\r\n";

struct bench_peer {
  int fd;
  bool waiting; /* for room to write */
  size_t in_used, out_sent, out_used, out_room;
  char *out;
  char in[32768];
};

struct bench_stub {
  int epoll_fd, listener;
  char *scratch; /* a body under construction */
};

static void bench_fail(const char *what)
{
  perror(what);
  exit(1);
}

static void bench_out(struct bench_peer *peer, const char *bytes, size_t size)
{
  if(peer->out_used + size > peer->out_room) {
    peer->out_room = (peer->out_used + size) * 2;
    peer->out = realloc(peer->out, peer->out_room);
    if(!peer->out) {
      bench_fail("memory");
    }
  }
  memcpy(peer->out + peer->out_used, bytes, size);
  peer->out_used += size;
}

static void bench_reply(struct bench_peer *peer, const char *status,
                        const char *body, size_t size)
{
  char head[256];
  int used = snprintf(head, sizeof head,
                      "HTTP/1.1 %s\r\nContent-Type: application/json; "
                      "charset=utf-8\r\nContent-Length: %zu\r\n",
                      status, size);

  bench_out(peer, head, (size_t)used);
  bench_out(peer, bench_headers, sizeof bench_headers - 1);
  bench_out(peer, "\r\n", 2);
  bench_out(peer, body, size);
}

static void bench_refuse(struct bench_peer *peer, const char *status,
                         const char *message)
{
  char body[256];
  int used = snprintf(body, sizeof body,
                      "{\"error\":{\"message\":\"%s\",\"code\":600,"
                      "\"slug\":\"Bench\",\"status\":%.3s,"
                      "\"request_id\":\"bench\"}}",
                      message, status);

  bench_reply(peer, status, body, (size_t)used);
}

/* The value of a query parameter, and its size; NULL when it is absent. */
static const char *bench_parameter(const char *query, const char *end,
                                   const char *name, size_t *size)
{
  size_t length = strlen(name);
  const char *stop;

  while(query && query < end) {
    stop = memchr(query, '&', (size_t)(end - query));
    stop = stop ? stop : end;
    if((size_t)(stop - query) > length && query[length] == '=' &&
       memcmp(query, name, length) == 0) {
      *size = (size_t)(stop - query) - length - 1;
      return query + length + 1;
    }
    query = stop + 1;
  }
  return NULL;
}

/* ACTIVE, but not the end of INACTIVE. */
static bool bench_asks_active(const char *statuses, size_t size)
{
  const char *at = statuses;
  const char *end = statuses + size;

  while((at = memmem(at, (size_t)(end - at), "ACTIVE", 6)) != NULL) {
    if(at == statuses || at[-1] != 'N') {
      return true;
    }
    at += 6;
  }
  return false;
}

static enum bench_which bench_asked(const char *query, const char *end)
{
  size_t size = 0;
  const char *statuses = bench_parameter(query, end, "statuses", &size);
  bool active;
  bool expired;

  if(!statuses || !size) {
    return BENCH_ALL;
  }
  active = bench_asks_active(statuses, size);
  expired = memmem(statuses, size, "EXPIRED", 7) != NULL;
  return active && expired ? BENCH_ALL
         : active          ? BENCH_ACTIVE
         : expired         ? BENCH_EXPIRED
                           : BENCH_NONE;
}

static void bench_list(struct bench_stub *stub, struct bench_peer *peer,
                       const char *query, const char *end)
{
  size_t size = 0;
  size_t page = 1;
  size_t limit = 20;
  const char *text = bench_parameter(query, end, "limit", &size);

  if(text) {
    limit = strtoul(text, NULL, 10);
    limit = limit < 1 ? 1 : limit > BENCH_PAGE_MAX ? BENCH_PAGE_MAX : limit;
  }
  text = bench_parameter(query, end, "cursor", &size);
  if(text && size && !bench_cursor_read(text, size, &page, &limit)) {
    bench_refuse(peer, "400 Bad Request", "cursor");
    return;
  }
  text = bench_parameter(query, end, "connected_account_ids", &size);
  if(text) {
    size = bench_some_write(stub->scratch, text, size);
  } else {
    size =
        bench_page_write(stub->scratch, bench_asked(query, end), page, limit);
  }
  bench_reply(peer, "200 OK", stub->scratch, size);
}

/* One account: `rest` is what follows its id in the path. */
static void bench_one(struct bench_stub *stub, struct bench_peer *peer,
                      const char *id, const char *end)
{
  static const char yes[] = "{\"success\":true}";
  const char *slash = memchr(id, '/', (size_t)(end - id));
  const char *stop = slash ? slash : end;
  size_t size = (size_t)(end - stop);
  char body[256];

  if(bench_account_number(id, (size_t)(stop - id)) == SIZE_MAX) {
    bench_refuse(peer, "404 Not Found", "no such account");
  } else if(!slash && *peer->in == 'G') {
    bench_reply(
        peer, "200 OK", stub->scratch,
        bench_account_write(stub->scratch,
                            bench_account_number(id, (size_t)(stop - id))));
  } else if(slash && size == 7 && memcmp(slash, "/status", 7) == 0 &&
            *peer->in == 'P') {
    bench_reply(peer, "200 OK", yes, sizeof yes - 1);
  } else if(slash && size >= 8 && memcmp(slash, "/refresh", 8) == 0) {
    size = (size_t)snprintf(body, sizeof body,
                            "{\"id\":\"%.*s\",\"status\":\"INITIATED\","
                            "\"redirect_url\":\"https://backend.composio.dev/"
                            "api/v3/s/bench\"}",
                            (int)(stop - id), id);
    bench_reply(peer, "200 OK", body, size);
  } else {
    bench_refuse(peer, "404 Not Found", "no such route");
  }
}

static void bench_route(struct bench_stub *stub, struct bench_peer *peer,
                        const char *head_end)
{
  const char *target = memchr(peer->in, ' ', (size_t)(head_end - peer->in));
  const char *end;
  const char *query;
  size_t path = sizeof BENCH_PATH - 1;

  target = target ? target + 1 : peer->in;
  end = memchr(target, ' ', (size_t)(head_end - target));
  if(!strcasestr(peer->in, "\r\nx-api-key: " BENCH_KEY "\r\n")) {
    bench_refuse(peer, "401 Unauthorized", "Invalid API key");
    return;
  }
  if(!end || strncmp(target, BENCH_PATH, path) != 0) {
    bench_refuse(peer, "404 Not Found", "no such route");
    return;
  }
  query = memchr(target, '?', (size_t)(end - target));
  if(target[path] == '/') {
    bench_one(stub, peer, target + path + 1, query ? query : end);
  } else {
    bench_list(stub, peer, query ? query + 1 : end, end);
  }
}

/* Answers the first request of the buffer; false when it is not whole. */
static bool bench_next(struct bench_stub *stub, struct bench_peer *peer)
{
  char *end = strstr(peer->in, "\r\n\r\n");
  char *length;
  size_t whole;

  if(!end) {
    return false;
  }
  whole = (size_t)(end - peer->in) + 4;
  length = strcasestr(peer->in, "\r\ncontent-length:");
  if(length && length < end) {
    whole += strtoul(length + 17, NULL, 10);
  }
  if(peer->in_used < whole) {
    return false;
  }
  bench_route(stub, peer, end);
  peer->in_used -= whole;
  memmove(peer->in, peer->in + whole, peer->in_used);
  peer->in[peer->in_used] = '\0';
  return true;
}

static void bench_watch(struct bench_stub *stub, struct bench_peer *peer,
                        int action, uint32_t events)
{
  struct epoll_event event;

  memset(&event, 0, sizeof event);
  event.events = events;
  event.data.ptr = peer;
  if(epoll_ctl(stub->epoll_fd, action, peer->fd, &event) != 0) {
    bench_fail("epoll_ctl");
  }
}

static void bench_drop(struct bench_peer *peer)
{
  close(peer->fd);
  free(peer->out);
  free(peer);
}

/* False when the peer is gone. epoll is told only of a change. */
static bool bench_flush(struct bench_stub *stub, struct bench_peer *peer)
{
  ssize_t sent;

  while(peer->out_sent < peer->out_used) {
    sent = send(peer->fd, peer->out + peer->out_sent,
                peer->out_used - peer->out_sent, MSG_NOSIGNAL);
    if(sent < 0) {
      if(errno != EAGAIN) {
        return false;
      }
      break;
    }
    peer->out_sent += (size_t)sent;
  }
  if(peer->out_sent == peer->out_used) {
    peer->out_sent = peer->out_used = 0;
  }
  if(peer->waiting != (peer->out_used > 0)) {
    peer->waiting = peer->out_used > 0;
    bench_watch(stub, peer, EPOLL_CTL_MOD,
                peer->waiting ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
  return true;
}

static void bench_serve(struct bench_stub *stub, struct bench_peer *peer,
                        uint32_t events)
{
  ssize_t got;

  if(events & ~(uint32_t)EPOLLOUT) {
    got = recv(peer->fd, peer->in + peer->in_used,
               sizeof peer->in - 1 - peer->in_used, 0);
    if(got <= 0) {
      if(got == 0 || errno != EAGAIN) {
        bench_drop(peer);
      }
      return;
    }
    peer->in_used += (size_t)got;
    peer->in[peer->in_used] = '\0';
    while(bench_next(stub, peer)) {
    }
  }
  if(!bench_flush(stub, peer)) {
    bench_drop(peer);
  }
}

static void bench_accept(struct bench_stub *stub)
{
  struct bench_peer *peer;
  int one = 1;
  int fd;

  while((fd = accept4(stub->listener, NULL, NULL,
                      SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    peer = calloc(1, sizeof *peer);
    if(!peer) {
      bench_fail("memory");
    }
    peer->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bench_watch(stub, peer, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static uint16_t bench_listen(struct bench_stub *stub, uint16_t port)
{
  struct epoll_event event;
  struct sockaddr_in here;
  socklen_t size = sizeof here;
  int one = 1;

  memset(&here, 0, sizeof here);
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(port);
  stub->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  stub->listener =
      socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(stub->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  if(bind(stub->listener, (struct sockaddr *)&here, sizeof here) != 0 ||
     listen(stub->listener, 4096) != 0 ||
     getsockname(stub->listener, (struct sockaddr *)&here, &size) != 0 ||
     epoll_ctl(stub->epoll_fd, EPOLL_CTL_ADD, stub->listener, &event) != 0) {
    bench_fail("listen");
  }
  return ntohs(here.sin_port);
}

static void bench_loop(struct bench_stub *stub)
{
  struct epoll_event events[256];
  int count;
  int i;

  for(;;) {
    count = epoll_wait(stub->epoll_fd, events, 256, -1);
    if(count < 0 && errno != EINTR) {
      bench_fail("epoll_wait");
    }
    for(i = 0; i < count; i++) {
      if(events[i].data.ptr) {
        bench_serve(stub, events[i].data.ptr, events[i].events);
      } else {
        bench_accept(stub);
      }
    }
  }
}

static void bench_write_ids(const char *path, size_t accounts)
{
  char id[BENCH_ID_SIZE];
  FILE *file = fopen(path, "w");
  size_t i;

  if(!file) {
    bench_fail(path);
  }
  for(i = 0; i < accounts; i++) {
    fwrite(id, 1, bench_account_id(id, i), file);
    putc('\n', file);
  }
  if(fclose(file) != 0) {
    bench_fail(path);
  }
}

int main(int argc, char **argv)
{
  static const struct option options[] = {
    { "accounts", required_argument, NULL, 'a' },
    { "port", required_argument, NULL, 'p' },
    { "ids", required_argument, NULL, 'i' },
    { NULL, 0, NULL, 0 },
  };
  struct bench_stub stub;
  const char *ids = NULL;
  size_t accounts = 20000;
  uint16_t port = 0;
  int option;

  while((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    switch(option) {
    case 'a':
      accounts = strtoul(optarg, NULL, 10);
      break;
    case 'p':
      port = (uint16_t)strtoul(optarg, NULL, 10);
      break;
    case 'i':
      ids = optarg;
      break;
    default:
      fputs("usage: bench-stub [--accounts N] [--port P] [--ids FILE]\n",
            stderr);
      return 2;
    }
  }
  bench_accounts_init(accounts);
  if(ids) {
    bench_write_ids(ids, accounts);
  }
  stub.scratch = malloc(BENCH_ROOM);
  if(!stub.scratch) {
    bench_fail("memory");
  }
  port = bench_listen(&stub, port);
  printf("{\"url\":\"http://127.0.0.1:%u\",\"api_key\":\"%s\","
         "\"accounts\":%zu}\n",
         (unsigned)port, BENCH_KEY, accounts);
  fflush(stdout);
  bench_loop(&stub);
  return 0;
}
