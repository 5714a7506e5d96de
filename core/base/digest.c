/* SHA-256 and HMAC-SHA-256 from nettle, random bytes from getentropy, and
   FNV-1a.
   Must not know: what is hashed.

   libcrypto is too slow to start: its first digest sets up providers for a
   millisecond, a quarter of what a whole run with one request may take. */
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/digest.h"

/* The most that getentropy returns in one call. It is in POSIX.1-2024, glibc,
   musl and macOS, and on Linux one system call, like getrandom. */
#define ENTROPY_MAX 256

static void to_hex(const unsigned char *raw, char out[CA_DIGEST_SIZE])
{
  static const char hex[] = "0123456789abcdef";
  size_t i;

  for(i = 0; i < SHA256_DIGEST_SIZE; i++) {
    out[i * 2] = hex[raw[i] >> 4];
    out[i * 2 + 1] = hex[raw[i] & 15];
  }
  out[i * 2] = '\0';
}

void ca_digest_bytes(const void *bytes, size_t len, char out[CA_DIGEST_SIZE])
{
  unsigned char raw[SHA256_DIGEST_SIZE] = { 0 };
  struct sha256_ctx ctx;

  sha256_init(&ctx);
  sha256_update(&ctx, len, bytes);
  sha256_digest(&ctx, sizeof(raw), raw);
  to_hex(raw, out);
}

void ca_digest_keyed(const void *key, size_t key_len, const void *bytes,
                     size_t len, char out[CA_DIGEST_SIZE])
{
  unsigned char raw[SHA256_DIGEST_SIZE] = { 0 };
  struct hmac_sha256_ctx ctx;

  hmac_sha256_set_key(&ctx, key_len, key);
  hmac_sha256_update(&ctx, len, bytes);
  hmac_sha256_digest(&ctx, sizeof(raw), raw);
  to_hex(raw, out);
}

struct ca_digest {
  struct sha256_ctx ctx;
};

struct ca_digest *ca_digest_new(void)
{
  struct ca_digest *digest = malloc(sizeof(*digest));

  if(digest)
    sha256_init(&digest->ctx);
  return digest;
}

void ca_digest_add(struct ca_digest *digest, const void *bytes, size_t len)
{
  sha256_update(&digest->ctx, len, bytes);
}

void ca_digest_end(struct ca_digest *digest, char out[CA_DIGEST_SIZE])
{
  unsigned char raw[SHA256_DIGEST_SIZE] = { 0 };

  sha256_digest(&digest->ctx, sizeof(raw), raw);
  to_hex(raw, out);
  free(digest);
}

void ca_digest_free(struct ca_digest *digest)
{
  free(digest);
}

enum ca_code ca_digest_random(void *memory, size_t len)
{
  unsigned char *to = memory;

  while(len) {
    size_t part = len < ENTROPY_MAX ? len : ENTROPY_MAX;
    if(getentropy(to, part))
      return CA_SYSTEM;
    to += part;
    len -= part;
  }
  return CA_OK;
}

uint64_t ca_digest_hash(uint64_t seed, const void *bytes, size_t len)
{
  const unsigned char *byte = bytes;
  uint64_t hash = seed ^ UINT64_C(14695981039346656037);
  size_t i;

  for(i = 0; i < len; i++)
    hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
  return hash;
}

uint64_t ca_digest_text(const char *text)
{
  return ca_digest_hash(0, text, strlen(text));
}
