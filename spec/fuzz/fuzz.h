/* What the fuzz targets share: a check that ends the run with a word, and
   input in a block of exactly its size, so that one byte too far is seen.
   Must not know: what is fuzzed. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what, claim)                                   \
  do {                                                       \
    if(!(claim)) {                                           \
      fprintf(stderr, "%s: not so: %s\n", __func__, (what)); \
      abort();                                               \
    }                                                        \
  } while(0)

/* Returns owned: a copy without a NUL behind it. */
static inline char *exact_copy(const void *data, size_t size)
{
  char *copy = malloc(size ? size : 1);
  CHECK("memory", copy);
  if(size)
    memcpy(copy, data, size);
  return copy;
}

/* Can a terminal show it as one line? Control bytes would move its cursor. */
static inline int is_one_line(const char *text)
{
  for(; *text; text++)
    if((unsigned char)*text < 0x20 || *text == 0x7f)
      return 0;
  return 1;
}

#endif
