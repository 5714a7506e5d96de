/* Syncs files and directories to disk.
   Must not know: what the bytes mean. */
#ifndef CA_OS_SYNC_H
#define CA_OS_SYNC_H

/* Like fsync: returns 0, or -1 and sets errno. Returns only when the bytes are
   on the disk, also where fsync itself stops at the disk's cache. */
int ca_os_sync(int fd);

/* Syncs a directory after a file was created or renamed in it. Some file
   systems cannot do that; then the file's own sync has to suffice. Keeps
   errno. */
void ca_os_sync_dir(const char *dir);

#endif
