/* Functions that differ between operating systems.
   Must not know: what the program is for.

   Only os.c tests for the system. COMPOSIO_PORTABLE compiles what the systems
   other than Linux use, so that it can be tested on Linux. */
#ifndef HOST_OS_H
#define HOST_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

/* Stores argv[0], for systems that cannot tell the program's path. The string
   must live until the process ends. */
void host_os_path_set_argv0(const char *argv0);

/* Finds the path of this program's file, with links resolved. Returns false if
   it is not known. */
bool host_os_path_own(char *out, size_t size);

/* Keeps this process's memory out of core dumps and, where the system can,
   unreadable for other processes of the same user. */
void host_os_process_hide_memory(void);

/* Opens a pipe whose ends are close-on-exec. Returns false and sets errno. */
bool host_os_process_pipe(int ends[2]);

/* Returns "INT" for SIGINT; knows the signals that end a run. */
const char *host_os_process_signal_name(int number);

/* Runs an executable with this environment, without arguments and without a
   shell, gives it the bytes on its standard input and waits for it: status is
   waitpid's. What it prints goes to our stderr. Returns false if it could not
   be started, or was killed after limit_ms. */
bool host_os_process_feed(const char *path, char **env, struct ca_slice bytes,
                          int64_t limit_ms, int *status);

#endif
