/* One fault rule: its fields, and how it is read from JSON.
   It must not know requests. */
#ifndef EMU_FAULT_RULES_H
#define EMU_FAULT_RULES_H

#include "fault.h"

struct emu_fault {
  enum emu_fault_kind kind;
  json_t *json;       /* the rule as given; texts below are borrowed from it */
  const char *method; /* NULL: any */
  const char *path;   /* glob over path and query; NULL: any */
  int64_t nth;        /* fires at the nth match; 0: not so */
  int64_t every;      /* fires at each nth match; 0: not so */
  double probability; /* below 0: not so */
  int64_t times;      /* fires at most so often; 0: always */
  int64_t delay_ms;
  unsigned status;
  const char *type;
  char *body; /* owned */
  const json_t *headers;
  const char *location;
  const char *filter;
  const char *status_name;
  int64_t total; /* below 0: add `by` */
  int64_t by;
  int64_t count;
  int64_t at;
  int64_t matched;
  int64_t fired;
};

const char *emu_fault_kind_name(enum emu_fault_kind kind);
/* NULL and the rule filled in, or what is wrong (owned). */
char *emu_fault_read(struct emu_fault *fault, const json_t *json);
void emu_fault_clear(struct emu_fault *fault);

#endif
