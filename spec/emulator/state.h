/* An account's `state`: what credentials look like in each scheme and
   status, and how they are masked.
   It must not know the rest of the account object. */
#ifndef EMU_STATE_H
#define EMU_STATE_H

#include "emu.h"

/* Writes the `val` object. */
void emu_state_val(const struct emu *emu, struct emu_buf *out,
                   const struct emu_account *account, enum emu_mask mask);
/* Writes {"authScheme":…,"val":…}. */
void emu_state_write(const struct emu *emu, struct emu_buf *out,
                     const struct emu_account *account, enum emu_mask mask);
/* Where the login under way is opened; empty when there is none. */
void emu_state_login_url(const struct emu *emu, struct emu_buf *out,
                         const struct emu_account *account);
/* The made-up credentials of the account, unmasked, as an owned JSON object
   without status: what a PATCH of credentials starts from. */
json_t *emu_state_credentials(const struct emu *emu,
                              const struct emu_account *account);
/* Masks what is secret inside a JSON object given by a caller. */
void emu_state_masked(struct emu_buf *out, const json_t *object,
                      enum emu_mask mask);

#endif
