/* What the two files of the command line share: the table of options. Nobody
   else includes this.
   Must not know: the engine, what the options do. */
#ifndef HOST_OPTIONS_PART_H
#define HOST_OPTIONS_PART_H

#include <stddef.h>
#include "host/options.h"

enum host_kind {
  FLAG,   /* bool */
  MORE,   /* int, counts */
  TEXT,   /* const char * */
  COUNT,  /* int64_t, from 1 */
  NUMBER, /* int64_t, from 0 */
  TIME,   /* int64_t in ms */
  SPECIAL /* a function of its own */
};

enum host_group { WHERE, SAFETY, PACE, SIGHT, SLICING, SCRIPT, OTHER, GROUPS };

/* Verbs as a set. */
#define ON(verb) (1u << HOST_##verb)
#define PLANS    (ON(RUN) | ON(UNDO))
#define ACTS     (PLANS | ON(APPLY) | ON(RESUME))
#define PAST     (ON(RUNS) | ON(SHOW) | ON(HISTORY))
#define ALL      (~0u)

#define COUNT_OF(list) ((int)(sizeof(list) / sizeof((list)[0])))

struct host_option {
  const char *name;
  enum host_group group;
  unsigned verbs; /* that take it */
  enum host_kind kind;
  size_t offset;
  /* Of SPECIAL ones; value is NULL only where it is optional or none. */
  bool (*read)(struct host_options *options, const char *value);
  char letter;
  unsigned flags;
  const char *value; /* as help shows it; NULL: takes none */
  const char *help;
};
#define OPTIONAL 1u /* the value stands after '=' or not at all */
#define CARRIED  2u /* a resume of the run needs it again */
#define KEPT     4u /* a resume of the run has it by itself */
#define IS_PATH  8u

/* Ends with a NULL name. */
extern const struct host_option host_option_table[];
/* Reads a value, and notes that it was given; false when it is none. */
bool host_option_read(struct host_options *options,
                      const struct host_option *option, const char *value);

#endif
