/* /_emulator/: what a spec may see and bring about.
   It must not know the API's operations. */
#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include "emu.h"

void emu_control(struct emu *emu, struct emu_call *call);

#endif
