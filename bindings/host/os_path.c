/* Finds the path of this program's own file.
   Must not know: what else is in its directory. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif
#include "host/os.h"

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
