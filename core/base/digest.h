/* SHA-256 and HMAC-SHA-256 in hex, random bytes, and FNV-1a for hash tables.
   Must not know: what is hashed. */
#ifndef CA_DIGEST_H
#define CA_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* 64 hex digits and a NUL. */
#define CA_DIGEST_SIZE 65

/* Writes the SHA-256 of len bytes to out in lower-case hex. */
void ca_digest_bytes(const void *bytes, size_t len, char out[CA_DIGEST_SIZE]);

/* The same with a key (HMAC): equal bytes have other digests under other keys.
 */
void ca_digest_keyed(const void *key, size_t key_len, const void *bytes,
                     size_t len, char out[CA_DIGEST_SIZE]);

/* SHA-256 of bytes that are added in pieces. _new returns NULL when out of
   memory; _end writes the digest and frees; _free only frees, and accepts
   NULL. */
struct ca_digest;
struct ca_digest *ca_digest_new(void);
void ca_digest_add(struct ca_digest *digest, const void *bytes, size_t len);
void ca_digest_end(struct ca_digest *digest, char out[CA_DIGEST_SIZE]);
void ca_digest_free(struct ca_digest *digest);

/* Fills memory with random bytes from the kernel. CA_SYSTEM on failure. */
CA_MUST_USE enum ca_code ca_digest_random(void *memory, size_t len);

/* FNV-1a of len bytes, for hash tables and comparisons within one process; it
   is not secure and must not be stored in files. Another seed gives another
   hash; a hash as the seed continues it. ca_digest_text takes a text and seed
   0. */
uint64_t ca_digest_hash(uint64_t seed, const void *bytes, size_t len);
uint64_t ca_digest_text(const char *text);

#endif
