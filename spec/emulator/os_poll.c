/* epoll where libmicrohttpd was built with it, select elsewhere.
   Must not know: what is sent over the connections.

   With COMPOSIO_PORTABLE it is select everywhere, so that Linux can test what
   other systems run. */
#include "os_poll.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/select.h>

/* Descriptors that are not connections: the listening socket, the log, the
   database and its log, the pipes. */
#define OTHERS 64u

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
  unsigned most = FD_SETSIZE - OTHERS; /* select takes none above */
  return has_epoll() || wanted < most ? wanted : most;
}
