/* Finds files on this machine: the API key, the state directory, the shipped
   scripts, the emulator.
   Must not know: the engine, what a run is. */
#ifndef HOST_PATHS_H
#define HOST_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define HOST_PATH_SIZE   4096
#define HOST_SCRIPTS_MAX 256

/* Reads the API key from the file if one is given, else from
   $CREDENTIALS_DIRECTORY/composio-api-key, else from COMPOSIO_API_KEY, which
   it wipes from the environment in any case. CA_USAGE if there is no key. The
   caller wipes the buffer. */
CA_MUST_USE enum ca_code
host_paths_read_key(const char *file, struct ca_buf *key, struct ca_err *err);
/* Wipes the key from the environment without reading it. */
void host_paths_forget_key(void);

/* Finds the state directory: `named` if given, else by XDG_STATE_HOME, HOME or
   the passwd entry. CA_USAGE if there is none. Does not create it. */
CA_MUST_USE enum ca_code host_paths_state_dir(const char *named, char *out,
                                              size_t size, struct ca_err *err);
#define HOST_PATHS_USER_SIZE 64
/* Returns the name of the user, "" if there is none; static storage. It is
   looked up once, and not by runs that need none: that may ask a directory
   service. */
const char *host_paths_user(void);
/* Finds the path of the configuration file with the profiles by
   XDG_CONFIG_HOME, HOME or the passwd entry. The file need not exist.
   Returns false if there is no home directory. */
bool host_paths_config(char *out, size_t size);
/* Copies the name of a file to out. %p becomes the profile ("default" if there
   is none), %s the shard ("2-of-4"), %% a "%", and in a dated name %F today's
   date, such as 2026-11-30. Sets *has_profile to whether the name has a %p.
   CA_USAGE when the result is too long. */
CA_MUST_USE enum ca_code
host_paths_fill(const char *pattern, const char *profile, const char *shard,
                bool dated, char *out, size_t size, bool *has_profile,
                struct ca_err *err);
/* Creates a private directory for this run; removes it with its files. */
CA_MUST_USE enum ca_code host_paths_make_scratch(char *out, size_t size,
                                                 struct ca_err *err);
void host_paths_remove_scratch(const char *dir);

/* Finds a script: a word with "/" or ending in ".lua" is a file, any other is
   a shipped script. CA_USAGE with a message if there is none. */
CA_MUST_USE enum ca_code host_paths_script(const char *word, char *out,
                                           size_t size, struct ca_err *err);
/* The names of the shipped scripts, without ".lua" and sorted. */
struct host_paths_names {
  char *list[HOST_SCRIPTS_MAX]; /* owned; a NULL ends it */
  int count;
};
/* Finds their directory and reads their names; free those. CA_USAGE when they
   are not installed. */
CA_MUST_USE enum ca_code host_paths_scripts(char *dir, size_t size,
                                            struct host_paths_names *names,
                                            struct ca_err *err);
void host_paths_free_names(struct host_paths_names *names);
/* Finds the emulator beside this program, or else in libexec. */
CA_MUST_USE enum ca_code host_paths_emulator(char *out, size_t size,
                                             struct ca_err *err);

/* Reads a whole file of at most max bytes. Returns the bytes, NUL-terminated;
   the caller frees them. NULL with a message that names the file. */
char *host_paths_read_file(const char *path, size_t max, size_t *len,
                           struct ca_err *err);

#endif
