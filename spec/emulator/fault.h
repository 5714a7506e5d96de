/* Faults of the service, on order: which requests are hit and how.
   It must not know what the operations do; it twists what goes round them. */
#ifndef EMU_FAULT_H
#define EMU_FAULT_H

#include "call.h"

enum emu_fault_kind {
  EMU_FAULT_REPLY,            /* a reply of the rule's own, nothing applied */
  EMU_FAULT_DELAY,            /* nothing but delay_ms */
  EMU_FAULT_CURSOR_LOST,      /* next_cursor null with pages left */
  EMU_FAULT_CURSOR_REPEATED,  /* next_cursor leads to the same page */
  EMU_FAULT_CURSOR_IGNORED,   /* page one for every cursor */
  EMU_FAULT_IGNORE_FILTER,    /* the named filter has no effect */
  EMU_FAULT_DUPLICATE_ITEMS,  /* the first items stand twice */
  EMU_FAULT_TOTAL_ITEMS,      /* total_items lies */
  EMU_FAULT_UNKNOWN_STATUS,   /* the first item has a status of the future */
  EMU_FAULT_REDIRECT,         /* 302 with Location, nothing applied */
  EMU_FAULT_APPLY_THEN_CLOSE, /* carried out, no byte of a reply */
  EMU_FAULT_CLOSE,            /* not carried out, no byte of a reply */
  EMU_FAULT_APPLY_THEN_REPLY, /* carried out, then the rule's own reply */
  EMU_FAULT_GARBAGE,          /* 200, broken JSON, nothing applied */
  EMU_FAULT_HTML,             /* 200, a page, nothing applied */
  EMU_FAULT_TRUNCATE,         /* carried out, the body breaks off */
  EMU_FAULT_KINDS
};

struct emu_faults *emu_faults_new(uint64_t seed);
void emu_faults_free(struct emu_faults *faults);
/* Takes a rule or an array of rules. Returns NULL, or what is wrong with it
   (owned); then nothing was added. */
char *emu_faults_add(struct emu_faults *faults, const json_t *rules);
void emu_faults_clear(struct emu_faults *faults);
/* The rules with how often they matched and fired, as a JSON array. */
void emu_faults_write(const struct emu_faults *faults, struct emu_buf *out);

/* Counts the request against the rules; the one that fires, or NULL. It is
   borrowed until the rules are cleared. */
const struct emu_fault *emu_faults_match(struct emu_faults *faults,
                                         const char *method,
                                         const char *target);

/* Questions; a NULL fault answers no. */
bool emu_fault_is(const struct emu_fault *fault, enum emu_fault_kind kind);
bool emu_fault_ignores(const struct emu_fault *fault, const char *filter);
const char *emu_fault_status(const struct emu_fault *fault);
size_t emu_fault_duplicates(const struct emu_fault *fault);
int64_t emu_fault_total(const struct emu_fault *fault, int64_t total);

/* Before the operation: true when the call is answered and must not be
   carried out. After it: twists or drops the reply. */
bool emu_fault_before(const struct emu_fault *fault, struct emu_call *call);
void emu_fault_after(const struct emu_fault *fault, struct emu_call *call);

#endif
