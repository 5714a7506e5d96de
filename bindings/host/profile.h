/* Profiles: options of the host from the configuration file.
   Must not know: the engine, what the options do. */
#ifndef HOST_PROFILE_H
#define HOST_PROFILE_H

#include "host/options.h"

#define HOST_PROFILE_MAX 64 /* in one --profile */

/* Takes the options that were not given on the command line from the
   profile that it names, and then from [default]. only: the one option to
   take, or NULL for all options of the verb (apply: before the plan's are
   restored, only those that no plan holds); then host_profile_name_files is
   called, too. CA_USAGE, with file and line, for a file that cannot
   be read; for a profile that does not exist; for a profile without a key
   file when the verb needs a key. */
CA_MUST_USE enum ca_code host_profile_take(struct host_options *options,
                                           const char *only,
                                           struct ca_err *err);
/* Fills in %p and %F in the names of the files that the run writes; the second
   call does nothing. The profile must be known, or never become known.
   CA_USAGE for a name that is too long. */
CA_MUST_USE enum ca_code host_profile_name_files(struct host_options *options,
                                                 struct ca_err *err);
/* Refuses what `run` cannot do for several profiles. CA_USAGE. */
CA_MUST_USE enum ca_code
host_profile_check_several(struct host_options *options, struct ca_err *err);
/* Chooses one of several profiles. name must live as long as the options. */
void host_profile_choose(struct host_options *options, const char *name);
/* host.profiles() → a list of { profile, name, value } in the order of the
   file, and its path */
int host_profile_push(lua_State *L);

#endif
