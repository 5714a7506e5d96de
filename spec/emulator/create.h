/* The operations that begin a connection: create, link, complete_auth.
   They must not know how a call reached them. */
#ifndef EMU_CREATE_H
#define EMU_CREATE_H

#include "emu.h"

void emu_create_account(struct emu *emu, struct emu_call *call);
void emu_create_link(struct emu *emu, struct emu_call *call);
void emu_create_complete(struct emu *emu, struct emu_call *call);

#endif
