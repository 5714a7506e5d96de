/* The imaginary operations of rows.h, as an emulator of its own answers them.
   Where EMU_ROWS is defined, the routes and the account object have them. */
#ifndef EMU_ROWS_H
#define EMU_ROWS_H

#include "emu.h"

void emu_rows_pause(struct emu *emu, struct emu_call *call);
void emu_rows_note(struct emu *emu, struct emu_call *call);
/* The member that shows the account's note, with the comma before it; nothing
   where it has none. */
void emu_rows_render(struct emu_buf *out, const struct emu_account *account);

#endif
