/* One socket of a pair: registering, connecting, and the two ways to close.
 * Must not know rules or messages. */
#include "pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void fp_side_settle(struct fp_side *side, uint32_t want)
{
  struct epoll_event event;
  int epoll_fd = side->pair->shared->epoll_fd;
  int action;

  if(side->fd < 0 || (want == side->interest && side->registered) ||
     (!want && !side->registered)) {
    return;
  }
  memset(&event, 0, sizeof event);
  event.events = want;
  event.data.ptr = side;
  /* epoll reports errors and hang-ups unasked: a socket that must be left
   * alone has to leave epoll, or the loop would spin on it. */
  action = !want              ? EPOLL_CTL_DEL
           : side->registered ? EPOLL_CTL_MOD
                              : EPOLL_CTL_ADD;
  if(epoll_ctl(epoll_fd, action, side->fd, &event) == 0) {
    side->registered = want != 0;
    side->interest = want;
  }
}

void fp_side_close(struct fp_side *side)
{
  if(side->fd >= 0) {
    close(side->fd); /* leaves epoll by itself */
    side->fd = -1;
    side->registered = false;
    side->interest = 0;
  }
}

void fp_side_reset(struct fp_side *side)
{
  struct linger hard = { 1, 0 };

  if(side->fd >= 0) {
    setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  fp_side_close(side);
}

bool fp_side_connect(struct fp_side *side)
{
  struct sockaddr_in to;
  int one = 1;

  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(side->pair->shared->server_port);
  side->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if(side->fd < 0) {
    return false;
  }
  setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if(connect(side->fd, (struct sockaddr *)&to, sizeof to) != 0 &&
     errno != EINPROGRESS) {
    fp_side_close(side);
    return false;
  }
  side->connecting = true;
  return true;
}

/* An RST drops what the kernel has not sent yet. Bytes that a rule lets
 * through must arrive, so a reset waits for this. */
bool fp_side_flushed(const struct fp_side *side)
{
  int unsent = 0;

  return side->fd < 0 || ioctl(side->fd, SIOCOUTQNSD, &unsent) != 0 ||
         unsent == 0;
}
