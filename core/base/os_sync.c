/* fsync, or F_FULLFSYNC on macOS.
   Must not know: what is synced.

   On macOS fsync returns before the disk has flushed its cache; F_FULLFSYNC
   waits for that. SQLite does the same under PRAGMA fullfsync. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/os_sync.h"

int ca_os_sync(int fd)
{
#ifdef F_FULLFSYNC
  /* Some file systems do not support it, each with its own errno. After EIO do
     not fall back to fsync: it might report success. */
  if(!fcntl(fd, F_FULLFSYNC))
    return 0;
  if(errno == EIO)
    return -1;
#endif
  return fsync(fd);
}

void ca_os_sync_dir(const char *dir)
{
  int saved = errno;
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if(fd >= 0) {
    (void)ca_os_sync(fd);
    close(fd);
  }
  errno = saved;
}
