/* The loop: listener, pairs, timers, signals.
 * Must not know HTTP, nor what the rules mean beyond refusing to listen. */
#include "proxy.h"
#include "pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FP_EVENTS_MAX  256
#define FP_BREATHER_MS 20 /* when descriptors run out, or a port is taken */

struct fp_proxy {
  struct fp_shared shared;
  struct fp_pair *pairs;
  int listener; /* -1 while connections are refused */
  int signals;
  uint16_t port;
  bool accepting;        /* the listener is in epoll */
  uint64_t listen_again; /* 0, or when to listen or accept again */
};

static uint64_t fp_now_ms(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0, or an errno. The port stays the same when listening starts again. */
static int fp_listen(struct fp_proxy *proxy)
{
  struct sockaddr_in here;
  socklen_t size = sizeof here;
  int one = 1;
  int error;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if(fd < 0) {
    return errno;
  }
  memset(&here, 0, sizeof here);
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(proxy->port);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if(bind(fd, (struct sockaddr *)&here, sizeof here) != 0 ||
     listen(fd, 4096) != 0 ||
     getsockname(fd, (struct sockaddr *)&here, &size) != 0) {
    error = errno;
    close(fd);
    return error;
  }
  proxy->port = ntohs(here.sin_port);
  proxy->listener = fd;
  return 0;
}

static void fp_accepting(struct fp_proxy *proxy, bool yes)
{
  struct epoll_event event;

  if(proxy->listener < 0 || yes == proxy->accepting) {
    return;
  }
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.ptr = proxy;
  if(epoll_ctl(proxy->shared.epoll_fd, yes ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
               proxy->listener, &event) == 0) {
    proxy->accepting = yes;
  }
}

/* Signals are read like any other event, so that nothing is half done when
 * the loop learns of them. */
static bool fp_watch_signals(struct fp_proxy *proxy)
{
  struct epoll_event event;
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if(sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
    return false;
  }
  proxy->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  event.data.ptr = &proxy->signals;
  return proxy->signals >= 0 &&
         epoll_ctl(proxy->shared.epoll_fd, EPOLL_CTL_ADD, proxy->signals,
                   &event) == 0;
}

struct fp_proxy *fp_proxy_new(const struct fp_proxy_options *options)
{
  struct fp_proxy *proxy = calloc(1, sizeof *proxy);
  int error;

  if(!proxy) {
    fputs("composio-faultproxy: out of memory\n", stderr);
    return NULL;
  }
  proxy->listener = proxy->signals = -1;
  proxy->port = options->port;
  proxy->shared.rules = options->rules;
  proxy->shared.log = options->log;
  proxy->shared.server_port = options->to;
  proxy->shared.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if(proxy->shared.epoll_fd < 0 || !fp_watch_signals(proxy)) {
    perror("composio-faultproxy: epoll");
    fp_proxy_free(proxy);
    return NULL;
  }
  error = fp_listen(proxy);
  if(error) {
    fprintf(stderr, "composio-faultproxy: cannot listen on port %u: %s\n",
            (unsigned)options->port, strerror(error));
    fp_proxy_free(proxy);
    return NULL;
  }
  fp_accepting(proxy, true);
  return proxy;
}

static void fp_unlink(struct fp_pair *pair)
{
  *pair->link = pair->next;
  if(pair->next) {
    pair->next->link = pair->link;
  }
  fp_pair_free(pair);
}

void fp_proxy_free(struct fp_proxy *proxy)
{
  while(proxy->pairs) {
    fp_pair_abort(proxy->pairs, "terminated");
    fp_unlink(proxy->pairs);
  }
  if(proxy->listener >= 0) {
    close(proxy->listener);
  }
  if(proxy->signals >= 0) {
    close(proxy->signals);
  }
  if(proxy->shared.epoll_fd >= 0) {
    close(proxy->shared.epoll_fd);
  }
  free(proxy);
}

uint16_t fp_proxy_port(const struct fp_proxy *proxy)
{
  return proxy->port;
}

/* do=refuse and do=down. Connections that wait in the listener's queue are
 * reset by the kernel, as those of a server that died are. */
static void fp_refuse(struct fp_proxy *proxy, const struct fp_rule *wish,
                      uint64_t now_ms)
{
  struct fp_pair *pair;

  if(proxy->listener >= 0) {
    close(proxy->listener);
    proxy->listener = -1;
    proxy->accepting = false;
  }
  proxy->listen_again = wish->ms == FP_FOR_EVER ? 0 : now_ms + wish->ms + 1;
  for(pair = proxy->pairs; wish->what == FP_DO_DOWN && pair;
      pair = pair->next) {
    fp_pair_abort(pair, "down");
  }
}

/* What a pair asked for comes first; then the pair may go on. */
static void fp_grant(struct fp_proxy *proxy, struct fp_pair *pair,
                     uint64_t now_ms)
{
  const struct fp_rule *wish;

  while((wish = proxy->shared.wish) != NULL) {
    proxy->shared.wish = NULL;
    fp_refuse(proxy, wish, now_ms);
    if(!pair->over) {
      fp_pair_advance(pair, now_ms);
    }
  }
}

static void fp_accept(struct fp_proxy *proxy, uint64_t now_ms)
{
  struct fp_pair *pair;
  int fd;

  while(proxy->listener >= 0) {
    fd = accept4(proxy->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if(fd < 0) {
      if(errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        fp_accepting(proxy, false);
        proxy->listen_again = now_ms + FP_BREATHER_MS;
      }
      return;
    }
    pair = fp_pair_new(&proxy->shared, fd, now_ms);
    if(!pair) {
      continue;
    }
    pair->next = proxy->pairs;
    pair->link = &proxy->pairs;
    if(pair->next) {
      pair->next->link = &pair->next;
    }
    proxy->pairs = pair;
    fp_pair_advance(pair, now_ms);
    fp_grant(proxy, pair, now_ms);
  }
}

/* Lets pairs move whose time has come, frees those that are over, and says
 * when the next one wants to be looked at. */
static uint64_t fp_sweep(struct fp_proxy *proxy, uint64_t now_ms)
{
  uint64_t soonest;
  struct fp_pair *pair;
  struct fp_pair *next;

  for(pair = proxy->pairs; pair; pair = pair->next) {
    if(!pair->over && fp_pair_timer(pair) <= now_ms) {
      fp_pair_advance(pair, now_ms);
      fp_grant(proxy, pair, now_ms);
    }
  }
  soonest = proxy->listen_again ? proxy->listen_again : FP_NO_TIMER;
  for(pair = proxy->pairs; pair; pair = next) {
    uint64_t at = pair->over ? FP_NO_TIMER : fp_pair_timer(pair);

    next = pair->next;
    soonest = at < soonest ? at : soonest;
    if(pair->over) {
      fp_unlink(pair);
    }
  }
  return soonest;
}

static void fp_listen_again(struct fp_proxy *proxy, uint64_t now_ms)
{
  if(!proxy->listen_again || now_ms < proxy->listen_again) {
    return;
  }
  proxy->listen_again = 0;
  if(proxy->listener < 0 && fp_listen(proxy) != 0) {
    proxy->listen_again = now_ms + FP_BREATHER_MS;
  }
  fp_accepting(proxy, true);
}

/* True when a signal asked to end. */
static bool fp_dispatch(struct fp_proxy *proxy,
                        const struct epoll_event *events, int count,
                        uint64_t now_ms)
{
  bool end = false;
  int i;

  for(i = 0; i < count; i++) {
    void *about = events[i].data.ptr;
    struct fp_side *side = about;

    if(about == &proxy->signals) {
      end = true;
    } else if(about == proxy) {
      fp_accept(proxy, now_ms);
    } else {
      fp_pair_event(side, events[i].events, now_ms);
      fp_grant(proxy, side->pair, now_ms);
    }
  }
  return end;
}

int fp_proxy_run(struct fp_proxy *proxy)
{
  struct epoll_event events[FP_EVENTS_MAX];
  bool end = false;

  while(!end) {
    uint64_t now_ms = fp_now_ms();
    uint64_t soonest;
    uint64_t wait;
    int count;

    fp_listen_again(proxy, now_ms);
    soonest = fp_sweep(proxy, now_ms);
    wait = soonest > now_ms ? soonest - now_ms : 0;
    count = epoll_wait(proxy->shared.epoll_fd, events, FP_EVENTS_MAX,
                       soonest == FP_NO_TIMER ? -1
                       : wait > 60000         ? 60000
                                              : (int)wait);
    if(count < 0 && errno != EINTR) {
      perror("composio-faultproxy: epoll_wait");
      return 1;
    }
    end = fp_dispatch(proxy, events, count, fp_now_ms());
  }
  return 0;
}
