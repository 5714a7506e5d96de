/* Process functions that differ between systems.
   Must not know: what the program is for. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include "host/os.h"

/* LeakSanitizer has to ptrace the process. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__linux__) && !defined(COMPOSIO_PORTABLE) && !defined(SANITIZED)

void host_os_process_hide_memory(void)
{
  (void)prctl(PR_SET_DUMPABLE, 0);
}

#else

/* Prevents only core dumps. macOS itself keeps other processes from reading
   our memory; its PT_DENY_ATTACH would end us under a debugger. */
void host_os_process_hide_memory(void)
{
  struct rlimit none = { 0, 0 };
  (void)setrlimit(RLIMIT_CORE, &none);
}

#endif

/* macOS has no pipe2. No other thread of ours starts a program between the two
   calls. */
bool host_os_process_pipe(int ends[2])
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

/* Only glibc has sigabbrev_np. */
const char *host_os_process_signal_name(int number)
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
