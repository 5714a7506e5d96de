/* The table of options, for the options*.c files alone.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_PRIVATE_H
#define HOST_OPTIONS_PRIVATE_H

#include <stddef.h>
#include "host/options.h"

/* Sets of verbs. */
#define ON(verb) (1u << HOST_##verb)
#define PLANS    (ON(RUN) | ON(UNDO))
#define ACTS     (PLANS | ON(APPLY) | ON(RESUME))
#define READS    (ON(RUNS) | ON(SHOW) | ON(HISTORY))
#define ALL      (~0u)

/* The characters of a profile's name, which may become part of file names. */
#define PROFILE_LETTERS                                           \
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345678" \
  "9-_."

#define COUNT_OF(list) ((int)(sizeof(list) / sizeof((list)[0])))

struct host_option {
  const char *name;
  const char *group;
  unsigned verbs; /* the verbs that take it */
  /* Parses value into the field at offset. value is NULL only when it is
     optional or there is none. Returns false when it is not valid. */
  bool (*read)(void *field, const char *value);
  size_t offset;
  char letter;
  unsigned flags;
  const char *value; /* its name in help; NULL: takes no value */
  const char *help;
};
#define OPTIONAL   1u /* the value follows '=' or is left out */
#define CARRIED    2u /* resume needs it again on its command line */
#define SAVED      4u /* resume restores it from the ledger */
#define IS_PATH    8u
#define REPEATED   16u  /* may be given several times */
#define IS_PATTERN 32u  /* a file name in which %p becomes the profile */
#define NOT_STORED 64u  /* may hold a secret: the ledger does not keep it */
#define JOINED     128u /* a list: given again, it adds to what was given */

/* The last entry has a NULL name. */
extern const struct host_option host_options_table[];
/* Returns the option of that name, or NULL. */
const struct host_option *host_options_table_find(const char *name,
                                                  size_t len);
/* Parses value into the option's field and notes that the option was given.
   Returns false when value is not valid for it. */
bool host_options_table_read(struct host_options *options,
                             const struct host_option *option,
                             const char *value);

/* Is the word --NAME-file, with which a script's secret is given? *equals: its
   "=", or NULL when the file is the next word. */
bool host_options_table_is_secret(const char *word, const char **equals);
/* Returns the three as one text that lives as long as the options; NULL when
   out of memory. */
const char *host_options_table_keep(struct host_options *options,
                                    const char *before, const char *between,
                                    const char *value);
/* Returns the option of that name if it may stand in a profile: one with a
   value that says where, how fast or how much. Else NULL. */
const struct host_option *host_options_saved_in_profile(const char *name);
/* Takes such an option from a profile; a relative path is relative to dir.
   Does nothing when the verb does not take the option, or when it was given
   already. --protect is the exception: every one counts. CA_USAGE when the
   value cannot be read. */
CA_MUST_USE enum ca_code
host_options_saved_profile(struct host_options *options,
                           const struct host_option *option, const char *value,
                           const char *dir, struct ca_err *err);

#endif
