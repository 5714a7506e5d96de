/* Numbers and texts that look random and are the same for the same seed.
   It must not know what they are for. The generator is splitmix64. */
#include "random.h"

#include <string.h>

static uint64_t mix(uint64_t z)
{
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

struct emu_random emu_random_for(uint64_t seed, uint64_t stream)
{
  struct emu_random random = { mix(seed + 0x9e3779b97f4a7c15u) ^
                               mix(stream * 0xd1342543de82ef95u + 1) };
  return random;
}

uint64_t emu_random_next(struct emu_random *random)
{
  random->state += 0x9e3779b97f4a7c15u;
  return mix(random->state);
}

uint32_t emu_random_below(struct emu_random *random, uint32_t below)
{
  return (uint32_t)((emu_random_next(random) >> 32) * below >> 32);
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "abcdefghijklmnopqrstuvwxyz0123456789-_";

static void fill(struct emu_random *random, char *text, const char *prefix,
                 size_t count, uint32_t alphabet)
{
  size_t at = strlen(prefix);
  memcpy(text, prefix, at);
  for(size_t i = 0; i < count; i++)
    text[at++] = letters[emu_random_below(random, alphabet)];
  text[at] = '\0';
}

void emu_random_id(struct emu_random *random, char *text, const char *prefix,
                   size_t count)
{
  fill(random, text, prefix, count, 64);
}

void emu_random_plain(struct emu_random *random, char *text,
                      const char *prefix, size_t count)
{
  fill(random, text, prefix, count, 62);
}

void emu_random_uuid(struct emu_random *random, char *text)
{
  static const char hex[] = "0123456789abcdef";
  uint64_t high = emu_random_next(random);
  uint64_t low = emu_random_next(random);
  high = (high & ~0xf000ull) | 0x4000ull;
  low = (low & ~(3ull << 62)) | (2ull << 62);
  for(int i = 0, at = 0; i < 32; i++) {
    if(i == 8 || i == 12 || i == 16 || i == 20)
      text[at++] = '-';
    uint64_t from = i < 16 ? high : low;
    text[at++] = hex[(from >> (60 - 4 * (i % 16))) & 15];
  }
  text[36] = '\0';
}

uint64_t emu_random_hash(const char *text)
{
  uint64_t hash = 0xcbf29ce484222325u;
  for(; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
  return mix(hash);
}
