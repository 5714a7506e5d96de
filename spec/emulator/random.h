/* Numbers and texts that look random and are the same for the same seed.
   It must not know what they are for. Nothing here is for secrecy. */
#ifndef EMU_RANDOM_H
#define EMU_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct emu_random {
  uint64_t state;
};

/* A stream of its own for each (seed, stream): what account 7 gets does not
   depend on how much account 6 drew. */
struct emu_random emu_random_for(uint64_t seed, uint64_t stream);
uint64_t emu_random_next(struct emu_random *random);
/* 0 .. below-1 */
uint32_t emu_random_below(struct emu_random *random, uint32_t below);
/* Fills text with prefix and count letters of [A-Za-z0-9_-] (or, plain, of
   [A-Za-z0-9]) and a NUL. The text must hold them. */
void emu_random_id(struct emu_random *random, char *text, const char *prefix,
                   size_t count);
void emu_random_plain(struct emu_random *random, char *text,
                      const char *prefix, size_t count);
/* text holds 37 bytes. */
void emu_random_uuid(struct emu_random *random, char *text);
uint64_t emu_random_hash(const char *text);

#endif
