/* Where things are on this machine: the API key, the state directory, shipped
   scripts, the emulator.
   Must not know: the engine, what a run is. */
#ifndef HOST_PLACE_H
#define HOST_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

#define HOST_PATH_SIZE 4096

/* The API key: of the file when one is named, else of
   $CREDENTIALS_DIRECTORY/composio-api-key, else of COMPOSIO_API_KEY, which is
   wiped from the environment in any case. CA_USAGE with a text that names the
   places when there is none. The buffer is the caller's to wipe. */
CA_MUST_USE enum ca_code host_key(const char *file, struct ca_buf *key,
                                  struct ca_err *err);
/* Takes the key out of the environment without reading it. */
void host_key_forget(void);

/* The state directory: the one that is named, else by XDG_STATE_HOME, HOME,
   the passwd entry. CA_USAGE when there is none. It is not made here. */
CA_MUST_USE enum ca_code host_state_dir(const char *named, char *out,
                                        size_t size, struct ca_err *err);
/* A private directory for this run alone, and its end with all its files. */
CA_MUST_USE enum ca_code host_scratch_dir(char *out, size_t size,
                                          struct ca_err *err);
void host_scratch_remove(const char *dir);

/* The path of a script: a word with "/" or ending in ".lua" is a file, others
   are shipped scripts. CA_USAGE with what was looked for and where. */
CA_MUST_USE enum ca_code host_script_path(const char *word, char *out,
                                          size_t size, struct ca_err *err);
/* Calls visit for each shipped script, sorted by name, without ".lua". */
CA_MUST_USE enum ca_code
host_scripts(void (*visit)(void *ctx, const char *name, const char *path),
             void *ctx, struct ca_err *err);
/* The emulator: beside this program, else in libexec. */
CA_MUST_USE enum ca_code host_emulator_path(char *out, size_t size,
                                            struct ca_err *err);

/* Reads a whole file of at most max bytes; returns owned, NUL-terminated. NULL
   with a text that names it. */
char *host_read_file(const char *path, size_t max, size_t *len,
                     struct ca_err *err);

#endif
