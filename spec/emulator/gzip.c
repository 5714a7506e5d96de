/* RFC 1952 around RFC 1951's stored blocks. It must not know what the bytes
   mean. */
#include "gzip.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 65535u

static uint32_t checksum(const unsigned char *bytes, size_t size)
{
  static uint32_t table[256];
  if(!table[1])
    for(uint32_t n = 0; n < 256; n++) {
      table[n] = n;
      for(int k = 0; k < 8; k++)
        table[n] = table[n] & 1 ? 0xEDB88320u ^ table[n] >> 1 : table[n] >> 1;
    }
  uint32_t sum = 0xFFFFFFFFu;
  for(size_t i = 0; i < size; i++)
    sum = table[(sum ^ bytes[i]) & 255] ^ sum >> 8;
  return ~sum;
}

/* The least significant byte first. */
static void number(struct emu_buf *out, uint32_t value, int bytes)
{
  for(; bytes--; value >>= 8)
    emu_buf_char(out, (char)(value & 255));
}

void emu_gzip(struct emu_buf *body)
{
  static const char head[10] = { 0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
  struct emu_buf out = { 0 };
  size_t at = 0;
  emu_buf_add(&out, head, sizeof(head));
  do {
    size_t left = body->size - at;
    uint32_t size = left < BLOCK ? (uint32_t)left : BLOCK;
    number(&out, size == left, 1); /* the last block? */
    number(&out, size, 2);
    number(&out, ~size & 0xFFFF, 2);
    emu_buf_add(&out, body->bytes + at, size);
    at += size;
  } while(at < body->size);
  number(&out, checksum((unsigned char *)body->bytes, body->size), 4);
  number(&out, (uint32_t)body->size, 4);
  emu_buf_clear(body);
  *body = out;
}
