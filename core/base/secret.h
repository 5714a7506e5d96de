/* Secrets that must not leave: registered here, wiped when given up, masked in
   every text that goes out. Knows nothing of where texts go. */
#ifndef CA_SECRET_H
#define CA_SECRET_H

#include <stddef.h>
#include "base/buf.h"

/* Copies the secret into the process-wide register; shorter than 6 bytes is
   ignored (masking it would mangle texts). Registering twice counts twice. */
void ca_secret_add(const char *secret, size_t len);
/* Gives up one registration; at the last the copy is wiped. */
void ca_secret_remove(const char *secret, size_t len);

/* The same for every string among the values of a JSON text (the body of a
   request with credentials), but for those that are known to be no secrets:
   status, subdomain and the like. */
void ca_secret_add_json(const char *json, size_t len);
void ca_secret_remove_json(const char *json, size_t len);

/* Replaces in place every registered secret, also in its percent-encoded and
   base64 spellings, by "***". Returns the new length. */
size_t ca_secret_mask(char *text, size_t len);
size_t ca_secret_count(void);

#endif
