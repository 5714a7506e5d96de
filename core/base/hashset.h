/* A set of 64-bit hashes in one open-addressing table: 8 to 22 bytes per
   member. It grows and never shrinks; single members cannot be removed.
   Must not know: what was hashed. */
#ifndef CA_HASHSET_H
#define CA_HASHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* A zeroed struct is the empty set. Callers may read count; the rest is
   private. */
struct ca_hashset {
  uint64_t *slots; /* owned; 0 marks a free slot */
  unsigned bits;   /* there are 2^bits slots */
  size_t count;
};

/* Adds hash (0 is treated as 1); *present tells whether it was a member
   before. On CA_NOMEM the set is unchanged. */
CA_MUST_USE enum ca_code ca_hashset_add(struct ca_hashset *set, uint64_t hash,
                                        bool *present);

/* Is hash a member? */
bool ca_hashset_has(const struct ca_hashset *set, uint64_t hash);

/* Empties the set and frees its memory. */
void ca_hashset_clear(struct ca_hashset *set);

#endif
