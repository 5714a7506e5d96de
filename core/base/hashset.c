/* The open-addressing table: linear probing, at most three quarters full.
   Must not know: what was hashed. */
#include <stdlib.h>
#include <string.h>
#include "base/hashset.h"

#define FIRST_BITS 10

static size_t size_of(const struct ca_hashset *set)
{
  return set->slots ? (size_t)1 << set->bits : 0;
}

/* Returns the slot that holds hash, or the free slot where it belongs.
   Multiplying spreads hashes whose low bits are alike (Fibonacci hashing). */
static uint64_t *find_slot(const struct ca_hashset *set, uint64_t hash)
{
  size_t i = (size_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> (64 - set->bits));

  while(set->slots[i] && set->slots[i] != hash)
    i = (i + 1) & (size_of(set) - 1);
  return &set->slots[i];
}

static enum ca_code grow(struct ca_hashset *set)
{
  struct ca_hashset bigger = { NULL, set->slots ? set->bits + 1 : FIRST_BITS,
                               set->count };
  size_t i;

  bigger.slots = calloc((size_t)1 << bigger.bits, sizeof(*bigger.slots));
  if(!bigger.slots)
    return CA_NOMEM;
  for(i = 0; i < size_of(set); i++)
    if(set->slots[i])
      *find_slot(&bigger, set->slots[i]) = set->slots[i];
  free(set->slots);
  *set = bigger;
  return CA_OK;
}

enum ca_code ca_hashset_add(struct ca_hashset *set, uint64_t hash,
                            bool *present)
{
  uint64_t *slot;

  hash = hash ? hash : 1;
  if((set->count + 1) * 4 > size_of(set) * 3 && grow(set))
    return CA_NOMEM;
  slot = find_slot(set, hash);
  *present = *slot != 0;
  if(!*present) {
    *slot = hash;
    set->count++;
  }
  return CA_OK;
}

bool ca_hashset_has(const struct ca_hashset *set, uint64_t hash)
{
  return set->slots && *find_slot(set, hash ? hash : 1) != 0;
}

void ca_hashset_clear(struct ca_hashset *set)
{
  free(set->slots);
  memset(set, 0, sizeof(*set));
}
