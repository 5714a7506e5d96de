/* Leases in a list. It must not know calls, nor what a change is. */
#include "lease.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

bool emu_leases_held(struct emu_leases *leases, uint32_t slot, int64_t now_ms)
{
  for(size_t i = 0; i < leases->count; i++) {
    const struct emu_lease *lease = &leases->list[i];
    if(lease->slot == slot && (!lease->until_ms || lease->until_ms > now_ms))
      return true;
  }
  return false;
}

void emu_leases_take(struct emu_leases *leases, uint32_t slot,
                     int64_t until_ms)
{
  size_t at = 0;
  while(at < leases->count && leases->list[at].slot != slot)
    at++;
  if(at < leases->count) {
    leases->list[at].until_ms = until_ms;
    return;
  }
  if(leases->count == leases->room) {
    leases->room = leases->room ? leases->room * 2 : 16;
    leases->list =
        emu_grow(leases->list, leases->room * sizeof(*leases->list));
  }
  leases->list[leases->count++] = (struct emu_lease){ slot, until_ms };
}

void emu_leases_give_back(struct emu_leases *leases, uint32_t slot)
{
  for(size_t i = 0; i < leases->count; i++)
    if(leases->list[i].slot == slot && !leases->list[i].until_ms) {
      leases->list[i] = leases->list[--leases->count];
      return;
    }
}

void emu_leases_clear(struct emu_leases *leases)
{
  free(leases->list);
  *leases = (struct emu_leases){ 0 };
}
