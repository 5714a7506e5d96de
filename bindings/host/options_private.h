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
#define OPTIONAL 1u /* the value follows '=' or is left out */
#define CARRIED  2u /* resume needs it again on its command line */
#define SAVED    4u /* resume restores it from the ledger */
#define IS_PATH  8u
#define REPEATED 16u /* each --protect counts */

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

#endif
