/* What a person's browser sees of a login: one page, two buttons.
   It must not know the API's operations. */
#ifndef EMU_PAGE_H
#define EMU_PAGE_H

#include "emu.h"

/* Is the call for /link/lk_… or /api/v3(.1)/s/XXXXXXXX? */
bool emu_page_wants(const struct emu_call *call);
void emu_page(struct emu *emu, struct emu_call *call);

#endif
