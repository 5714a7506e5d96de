/* Who is changing which account just now: a second change meanwhile is 409.
   A lease lasts until its call is answered, or until a time.
   It must not know calls, nor what a change is. */
#ifndef EMU_LEASE_H
#define EMU_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_lease {
  uint32_t slot;
  int64_t until_ms; /* 0: until it is given back */
};

/* Few at a time: as many as there are calls under way. */
struct emu_leases {
  struct emu_lease *list;
  size_t count;
  size_t room;
};

bool emu_leases_held(struct emu_leases *leases, uint32_t slot, int64_t now_ms);
/* Instead of the one there is; a time that is over ends it. */
void emu_leases_take(struct emu_leases *leases, uint32_t slot,
                     int64_t until_ms);
/* Ends the one without a time. */
void emu_leases_give_back(struct emu_leases *leases, uint32_t slot);
void emu_leases_clear(struct emu_leases *leases);

#endif
