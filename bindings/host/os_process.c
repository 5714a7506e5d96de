/* What the process asks of the system for itself.
   Must not know: what runs in it. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include "host/os.h"

/* The sanitizers' look for leaks has to see the process. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__linux__) && !defined(COMPOSIO_PORTABLE) && !defined(SANITIZED)

void host_os_hide_memory(void)
{
  (void)prctl(PR_SET_DUMPABLE, 0);
}

#else

/* Only against core dumps. macOS keeps other processes out by itself; its
   PT_DENY_ATTACH would end us where a debugger is attached already. */
void host_os_hide_memory(void)
{
  struct rlimit none = { 0, 0 };
  (void)setrlimit(RLIMIT_CORE, &none);
}

#endif

/* pipe2 would do both in one call; it is not on macOS. Between the two no
   other thread of ours starts a program. */
bool host_os_pipe(int ends[2])
{
  if(pipe(ends))
    return false;
  if(fcntl(ends[0], F_SETFD, FD_CLOEXEC) >= 0 &&
     fcntl(ends[1], F_SETFD, FD_CLOEXEC) >= 0)
    return true;
  close(ends[0]);
  close(ends[1]);
  return false;
}

/* sigabbrev_np is glibc's alone. */
const char *host_os_signal(int number)
{
  switch(number) {
  case SIGHUP:
    return "HUP";
  case SIGINT:
    return "INT";
  case SIGTERM:
    return "TERM";
  default:
    return "unknown";
  }
}
