/* fsync, and what macOS needs instead.
   Must not know: what is synced.

   macOS's fsync returns before the disk has emptied its cache; its F_FULLFSYNC
   waits for that. SQLite does the same under PRAGMA fullfsync. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/os_sync.h"

int ca_os_sync(int fd)
{
#ifdef F_FULLFSYNC
  /* Network and foreign file systems refuse it, each with an errno of its own;
     a disk that failed must not be asked again, it might then say yes. */
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
