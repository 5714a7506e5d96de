/* The account object and the auth config object as the API shows them.
   It must not know which operation shows them. */
#ifndef EMU_RENDER_H
#define EMU_RENDER_H

#include "emu.h"

struct emu_render {
  enum emu_mask mask;
  bool whole;         /* get: with params and scopes; lists leave them out */
  const char *status; /* shown instead of the true one; NULL: the true one */
};

void emu_render_account(const struct emu *emu, struct emu_buf *out,
                        const struct emu_account *account,
                        const struct emu_render *how);
/* The `experimental` object. */
void emu_render_experimental(struct emu_buf *out,
                             const struct emu_account *account);
void emu_render_config(const struct emu *emu, struct emu_buf *out,
                       const struct emu_config *config);
/* The `expected_input_fields` array of a toolkit and scheme. */
void emu_render_fields(struct emu_buf *out, const struct emu_toolkit *toolkit,
                       const struct emu_scheme *scheme, bool required_only);

#endif
