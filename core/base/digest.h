/* Fingerprints and chance: SHA-256 in hex, the same keyed with a salt, and
   bytes nobody can foresee. Knows nothing of what is fingerprinted. */
#ifndef CA_DIGEST_H
#define CA_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/* 64 hex digits and a NUL. */
#define CA_DIGEST_SIZE 65

/* SHA-256 of len bytes into out, lower-case hex. */
void ca_digest_bytes(const void *bytes, size_t len, char out[CA_DIGEST_SIZE]);

/* The same keyed (HMAC), so that equal texts under other keys differ. */
void ca_digest_keyed(const void *key, size_t key_len, const void *bytes,
                     size_t len, char out[CA_DIGEST_SIZE]);

/* SHA-256 of bytes that come bit by bit. NULL when out of memory; _end gives
   the digest so far and frees, _free only frees and is safe with NULL. */
struct ca_digest;
struct ca_digest *ca_digest_new(void);
void ca_digest_add(struct ca_digest *digest, const void *bytes, size_t len);
void ca_digest_end(struct ca_digest *digest, char out[CA_DIGEST_SIZE]);
void ca_digest_free(struct ca_digest *digest);

/* Fills memory with bytes from the kernel's generator. */
CA_MUST_USE enum ca_code ca_digest_random(void *memory, size_t len);

/* FNV-1a of len bytes, for hash tables and comparisons within one process: no
   secrecy, and not for files. Another seed gives another hash; a hash as the
   seed continues it. ca_digest_text takes a text and seed 0. */
uint64_t ca_digest_hash(uint64_t seed, const void *bytes, size_t len);
uint64_t ca_digest_text(const char *text);

#endif
