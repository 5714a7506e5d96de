/* The beginning and the end of a text of any length: the first and
   the last 32 KB, and how much was between them.
   Must not know: where the text comes from, where it goes. */
#ifndef CA_HELD_H
#define CA_HELD_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define CA_HELD_SIZE (32u << 10)

/* Empty when all bytes are 0. */
struct ca_held {
  size_t first_len;
  uint64_t later; /* bytes after `first`; `last` holds the end of them */
  char first[CA_HELD_SIZE];
  char last[CA_HELD_SIZE]; /* a ring: byte n is at n % size */
};

/* Adds bytes. Never fails: when `last` is full, new bytes replace its
   oldest ones. */
void ca_held_add(struct ca_held *held, const char *bytes, size_t len);
/* Appends the bytes to out, with a line in place of those that were
   dropped. CA_NOMEM. */
CA_MUST_USE enum ca_code ca_held_text(const struct ca_held *held,
                                      struct ca_buf *out);
/* Removes all bytes. */
void ca_held_reset(struct ca_held *held);

#endif
