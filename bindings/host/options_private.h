/* The table of options, for the options*.c files alone.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_PRIVATE_H
#define HOST_OPTIONS_PRIVATE_H

#include <stddef.h>
#include "host/options.h"

enum host_kind {
  FLAG,   /* bool */
  MORE,   /* int, incremented */
  TEXT,   /* const char * */
  COUNT,  /* int64_t, at least 1 */
  NUMBER, /* int64_t, at least 0 */
  TIME,   /* int64_t in ms */
  SPECIAL /* read by a function */
};

enum host_group { WHERE, SAFETY, PACE, SIGHT, SLICING, SCRIPT, OTHER, GROUPS };

/* Sets of verbs. */
#define ON(verb) (1u << HOST_##verb)
#define PLANS    (ON(RUN) | ON(UNDO))
#define ACTS     (PLANS | ON(APPLY) | ON(RESUME))
#define READS    (ON(RUNS) | ON(SHOW) | ON(HISTORY))
#define ALL      (~0u)

#define COUNT_OF(list) ((int)(sizeof(list) / sizeof((list)[0])))

struct host_option {
  const char *name;
  enum host_group group;
  unsigned verbs; /* the verbs that take it */
  enum host_kind kind;
  size_t offset;
  /* For SPECIAL. value is NULL only when it is optional or there is none. */
  bool (*read)(struct host_options *options, const char *value);
  char letter;
  unsigned flags;
  const char *value; /* its name in help; NULL: takes no value */
  const char *help;
};
#define OPTIONAL 1u /* the value follows '=' or is left out */
#define CARRIED  2u /* resume needs it again on its command line */
#define SAVED    4u /* resume restores it from the ledger */
#define IS_PATH  8u

/* The last entry has a NULL name. */
extern const struct host_option host_options_table[];
/* Parses value into the option's field and notes that the option was given.
   Returns false when value is not valid for it. */
bool host_options_table_read(struct host_options *options,
                             const struct host_option *option,
                             const char *value);

#endif
