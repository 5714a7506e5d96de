/* epoll where libmicrohttpd was built with it, select elsewhere.
   Must not know: what is sent over the connections.

   With COMPOSIO_PORTABLE it is select everywhere, so that Linux can test what
   other systems run. */
#include "os_poll.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/select.h>

/* Descriptors that are not connections: the listening socket, the log, the
   database and its log, the pipes. */
#define OTHERS 64u

/* What select found, for the daemon. */
static struct {
  fd_set reads;
  fd_set writes;
  fd_set errors;
} found;

static bool has_epoll(void)
{
#ifdef COMPOSIO_PORTABLE
  return false;
#else
  return MHD_is_feature_supported(MHD_FEATURE_EPOLL) == MHD_YES;
#endif
}

unsigned emu_os_poll_flag(void)
{
  return has_epoll() ? MHD_USE_EPOLL : MHD_NO_FLAG;
}

unsigned emu_os_poll_most(unsigned wanted)
{
  struct rlimit limit;
  unsigned most = has_epoll() ? wanted : FD_SETSIZE - OTHERS;
  if(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < most + OTHERS)
    most = limit.rlim_cur > 2 * OTHERS ? (unsigned)limit.rlim_cur - OTHERS
                                       : OTHERS;
  return wanted < most ? wanted : most;
}

static bool wait_by_poll(int daemon_fd, struct pollfd *watched, nfds_t count,
                         int wait_ms)
{
  struct pollfd all[4];
  nfds_t i;
  if(count >= sizeof(all) / sizeof(all[0]))
    return false;
  for(i = 0; i < count; i++)
    all[i] = watched[i];
  all[count].fd = daemon_fd;
  all[count].events = POLLIN;
  all[count].revents = 0;
  if(poll(all, count + 1, wait_ms) < 0)
    return true; /* a signal: nothing is said of any */
  for(i = 0; i < count; i++)
    watched[i].revents = all[i].revents;
  return true;
}

/* Unsigned and short, since some systems' FD_SET shift by what they get, and
   others pass it on as an int: without a sign both take it unwarned. */
static bool add(int fd, int *last)
{
  if(fd < 0 || fd >= FD_SETSIZE)
    return fd < 0;
  FD_SET((uint16_t)fd, &found.reads);
  if(fd > *last)
    *last = fd;
  return true;
}

static void clear(void)
{
  FD_ZERO(&found.reads);
  FD_ZERO(&found.writes);
  FD_ZERO(&found.errors);
}

static bool wait_by_select(struct MHD_Daemon *daemon, int listening,
                           struct pollfd *watched, nfds_t count, int wait_ms)
{
  struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };
  int last = 0;
  nfds_t i;
  clear();
  if(MHD_get_fdset2(daemon, &found.reads, &found.writes, &found.errors, &last,
                    FD_SETSIZE) != MHD_YES)
    return false;
  if(listening >= 0) /* else select would never wait */
    FD_CLR((uint16_t)listening, &found.reads);
  for(i = 0; i < count; i++)
    if(!add(watched[i].fd, &last))
      return false;
  if(select(last + 1, &found.reads, &found.writes, &found.errors,
            wait_ms < 0 ? NULL : &wait) < 0)
    clear(); /* a signal: they say nothing */
  for(i = 0; i < count; i++)
    if(watched[i].fd >= 0 && FD_ISSET((uint16_t)watched[i].fd, &found.reads))
      watched[i].revents = POLLIN;
  return true;
}

bool emu_os_poll_wait(struct MHD_Daemon *daemon, int listening,
                      struct pollfd *watched, nfds_t count, int wait_ms)
{
  const union MHD_DaemonInfo *info =
      has_epoll() ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)
                  : NULL;
  if(info)
    return wait_by_poll(info->epoll_fd, watched, count, wait_ms);
  return wait_by_select(daemon, listening, watched, count, wait_ms);
}

void emu_os_poll_run(struct MHD_Daemon *daemon)
{
  if(has_epoll())
    MHD_run(daemon);
  else
    MHD_run_from_select(daemon, &found.reads, &found.writes, &found.errors);
}
