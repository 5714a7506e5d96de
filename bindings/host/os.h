/* What each system does in its own way.
   Must not know: what the program is for.

   Only os_*.c ask which system this is. COMPOSIO_PORTABLE compiles the way of
   the systems that are not Linux, so that Linux can test it. */
#ifndef HOST_OS_H
#define HOST_OS_H

#include <stdbool.h>
#include <stddef.h>

/* Keeps argv[0], for systems that do not say where a program was started
   from. Borrowed until the process ends. */
void host_os_name(const char *argv0);

/* This program's own file, links resolved. False when it is not known. */
bool host_os_own_path(char *out, size_t size);

/* From here on no core dump holds our memory and, where the system can do
   that, no other process of the same user reads it. */
void host_os_hide_memory(void);

/* A pipe that no program we start inherits. False with errno. */
bool host_os_pipe(int ends[2]);

/* "INT" for SIGINT. Knows the signals that end a run. */
const char *host_os_signal(int number);

#endif
