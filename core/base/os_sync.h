/* Bytes that must still be there after a power cut.
   Must not know: what they mean. */
#ifndef CA_OS_SYNC_H
#define CA_OS_SYNC_H

/* Like fsync: 0, or -1 with errno. Returns when the disk has the bytes, also
   where fsync itself only hands them to the disk's cache. */
int ca_os_sync(int fd);

/* Syncs a directory's entries: a file that was created or renamed in it. Some
   file systems cannot; then the file's own sync has to do. Leaves errno. */
void ca_os_sync_dir(const char *dir);

#endif
