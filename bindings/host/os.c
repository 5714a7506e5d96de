/* What differs between operating systems: the path of this program's own
   file, and functions of its process.
   Must not know: what the program is for. */
#include <fcntl.h>
#include <sys/wait.h>
#include <poll.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include "base/clock.h"
#include "host/os.h"

/* ---- the path ---- */

static const char *invoked_as;

void host_os_path_set_argv0(const char *argv0)
{
  invoked_as = argv0;
}

#if defined(__linux__) && !defined(COMPOSIO_PORTABLE)

bool host_os_path_own(char *out, size_t size)
{
  ssize_t len = readlink("/proc/self/exe", out, size - 1);

  if(len <= 0 || (size_t)len >= size - 1)
    return false; /* the path may have been cut */
  out[len] = '\0';
  return true;
}

#else

static bool resolve(const char *path, char *out, size_t size)
{
  char real[PATH_MAX];
  int len;

  if(!realpath(path, real))
    return false;
  len = snprintf(out, size, "%s", real);
  return len > 0 && (size_t)len < size;
}

#if defined(__APPLE__) && !defined(COMPOSIO_PORTABLE)

bool host_os_path_own(char *out, size_t size)
{
  char path[PATH_MAX];
  uint32_t room = sizeof(path);

  return !_NSGetExecutablePath(path, &room) && resolve(path, out, size);
}

#else

static bool is_program(const char *path)
{
  struct stat info;
  return !stat(path, &info) && S_ISREG(info.st_mode) && !access(path, X_OK);
}

/* Searches PATH as execvp does: an empty element is the current directory. */
static bool search(const char *name, char *out, size_t size)
{
  const char *at = getenv("PATH");
  char path[PATH_MAX];

  if(!at)
    at = "/bin:/usr/bin";
  for(;;) {
    size_t part = strcspn(at, ":");
    int len = snprintf(path, sizeof(path), "%.*s%s%s", (int)part, at,
                       part ? "/" : "", name);
    if(len > 0 && (size_t)len < sizeof(path) && is_program(path))
      return resolve(path, out, size);
    if(!at[part])
      return false;
    at += part + 1;
  }
}

bool host_os_path_own(char *out, size_t size)
{
  if(!invoked_as || !*invoked_as)
    return false;
  if(strchr(invoked_as, '/'))
    return is_program(invoked_as) && resolve(invoked_as, out, size);
  return search(invoked_as, out, size);
}

#endif
#endif

/* ---- the process ---- */

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

/* ---- programs of the user ---- */

/* In the child: execs the file or exits 127. Its stdout is our stderr: ours
   may be data. It has its own process group, which can be killed as a whole.
 */
static void become(const char *path, int in, char **env)
{
  char *argv[] = { (char *)path, NULL };
  (void)setpgid(0, 0);
  (void)signal(SIGPIPE, SIG_DFL);
  (void)signal(SIGXFSZ, SIG_DFL);
  if(dup2(in, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
    (void)execve(path, argv, env);
  _exit(127);
}

/* Writes the bytes to the child, waits for it and stores its status. Returns
   false if it had to be killed at end_ms. */
static bool feed(pid_t child, int to, struct ca_slice bytes, int64_t end_ms,
                 int *status)
{
  size_t put = 0;
  while(waitpid(child, status, WNOHANG) == 0) {
    struct pollfd out = { to, POLLOUT, 0 };
    ssize_t now = to < 0 ? 0 : write(to, bytes.data + put, bytes.len - put);
    put += now > 0 ? (size_t)now : 0;
    if(to >= 0 &&
       (put == bytes.len || (now < 0 && errno != EAGAIN && errno != EINTR))) {
      (void)close(to);
      to = -1;
    }
    if(ca_clock_mono_ms(ca_clock_system()) > end_ms) {
      (void)kill(-child, SIGKILL);
      (void)waitpid(child, status, 0);
      end_ms = -1;
      break;
    }
    (void)poll(&out, to >= 0, 10);
  }
  if(to >= 0)
    (void)close(to);
  return end_ms >= 0;
}

bool host_os_process_feed(const char *path, char **env, struct ca_slice bytes,
                          int64_t limit_ms, int *status)
{
  const int64_t end_ms = ca_clock_mono_ms(ca_clock_system()) + limit_ms;
  int ends[2];
  pid_t child;
  if(!host_os_process_pipe(ends))
    return false;
  child = fork();
  if(!child)
    become(path, ends[0], env);
  (void)close(ends[0]);
  if(child < 0) {
    (void)close(ends[1]);
    return false;
  }
  (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
  return feed(child, ends[1], bytes, end_ms, status);
}
