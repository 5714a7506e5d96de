/* SHA-256 by libcrypto, which libcurl brings along anyway, and getrandom.
   Knows nothing of what is fingerprinted. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "digest.h"

#define RAW_SIZE 32

static void to_hex(const unsigned char *raw, char out[CA_DIGEST_SIZE])
{
  static const char hex[] = "0123456789abcdef";
  size_t i;

  for(i = 0; i < RAW_SIZE; i++) {
    out[i * 2] = hex[raw[i] >> 4];
    out[i * 2 + 1] = hex[raw[i] & 15];
  }
  out[RAW_SIZE * 2] = '\0';
}

enum ca_code ca_digest_bytes(const void *bytes, size_t len,
                             char out[CA_DIGEST_SIZE])
{
  unsigned char raw[RAW_SIZE];

  out[0] = '\0';
  if(!EVP_Digest(bytes, len, raw, NULL, EVP_sha256(), NULL))
    return CA_SYSTEM;
  to_hex(raw, out);
  return CA_OK;
}

enum ca_code ca_digest_keyed(const void *key, size_t key_len,
                             const void *bytes, size_t len,
                             char out[CA_DIGEST_SIZE])
{
  unsigned char raw[RAW_SIZE];

  out[0] = '\0';
  if(!HMAC(EVP_sha256(), key, (int)key_len, bytes, len, raw, NULL))
    return CA_SYSTEM;
  to_hex(raw, out);
  return CA_OK;
}

/* Feeds the open file to the digest; false with errno set when a read fails,
   with errno 0 when the crypto library does. */
static bool digest_fd(int fd, unsigned char *raw)
{
  char piece[16384];
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool fine = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
  int error = 0;

  while(fine) {
    ssize_t got = read(fd, piece, sizeof(piece));
    if(got < 0 && errno == EINTR)
      continue;
    if(got < 0)
      error = errno;
    if(got <= 0)
      break;
    fine = EVP_DigestUpdate(ctx, piece, (size_t)got);
  }
  fine = fine && !error && EVP_DigestFinal_ex(ctx, raw, NULL);
  EVP_MD_CTX_free(ctx);
  errno = error;
  return fine;
}

enum ca_code ca_digest_file(const char *path, char out[CA_DIGEST_SIZE],
                            struct ca_err *err)
{
  unsigned char raw[RAW_SIZE];
  bool fine;
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  out[0] = '\0';
  if(fd < 0)
    return ca_err_set(err, CA_SYSTEM, "cannot read %s: %s", path,
                      strerror(errno));
  fine = digest_fd(fd, raw);
  if(!fine) {
    ca_err_set(err, CA_SYSTEM, "cannot read %s: %s", path,
               errno ? strerror(errno) : "SHA-256 is not available");
    close(fd);
    return CA_SYSTEM;
  }
  close(fd);
  to_hex(raw, out);
  return CA_OK;
}

enum ca_code ca_digest_random(void *memory, size_t len)
{
  unsigned char *to = memory;

  while(len) {
    ssize_t got = getrandom(to, len, 0);
    if(got < 0 && errno == EINTR)
      continue;
    if(got <= 0)
      return CA_SYSTEM;
    to += got;
    len -= (size_t)got;
  }
  return CA_OK;
}
