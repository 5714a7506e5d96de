/* The operations that change one account: status, refresh, delete, patch,
   revoke. They must not know how a call reached them. */
#ifndef EMU_CHANGE_H
#define EMU_CHANGE_H

#include "emu.h"

void emu_change_status(struct emu *emu, struct emu_call *call);
void emu_change_refresh(struct emu *emu, struct emu_call *call);
void emu_change_delete(struct emu *emu, struct emu_call *call);
void emu_change_patch(struct emu *emu, struct emu_call *call);
void emu_change_revoke(struct emu *emu, struct emu_call *call);
/* Reads ?revoke_on_delete; false with the refusal written. */
bool emu_change_revoke_flag(struct emu_call *call, bool *revoke);

#endif
