/* The register of secrets: they are masked in every text that leaves the
   process and wiped when they are removed. Must not know: where texts go. */
#ifndef CA_SECRET_H
#define CA_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

/* A secret of fewer bytes is ignored, because masking it would mangle texts.
 */
#define CA_SECRET_SHORTEST 6

/* Copies the secret into the register, which is process-wide. Adding twice
   counts twice. */
void ca_secret_add(const char *secret, size_t len);
/* Undoes one ca_secret_add; the last one wipes the copy. */
void ca_secret_remove(const char *secret, size_t len);

/* The same for a secret that a script knows during the whole run. */
void ca_secret_add_lasting(const char *secret, size_t len);

/* The same for every string value of a JSON text (the body of a request with
   credentials), except members that are known not to be secret, such as status
   and subdomain. */
void ca_secret_add_json(const char *json, size_t len);
void ca_secret_remove_json(const char *json, size_t len);

/* Replaces every registered secret by "***" in place, also where it is spelled
   percent-encoded, base64 or JSON-escaped. A text of 200 bytes or more that
   ends within a secret was cut there, and its end is masked, too. Returns the
   new length. */
size_t ca_secret_mask(char *text, size_t len);
/* Masks only the secrets of ca_secret_add_lasting. It is cheap enough to be
   called for each change, however many there are. */
size_t ca_secret_mask_lasting(char *text, size_t len);
bool ca_secret_has_lasting(void);
/* Does the text hold one of them, in any spelling that is masked? text may be
   NULL. Also true when memory runs out. */
bool ca_secret_is_in(const char *text, size_t len);
size_t ca_secret_count(void);

#endif
