/* The operations on auth configs, and the toolkit that goes with them.
   They must not know how a call reached them. */
#ifndef EMU_CONFIG_OPS_H
#define EMU_CONFIG_OPS_H

#include "emu.h"

void emu_config_list(struct emu *emu, struct emu_call *call);
void emu_config_get(struct emu *emu, struct emu_call *call);
void emu_config_create(struct emu *emu, struct emu_call *call);
void emu_config_update(struct emu *emu, struct emu_call *call);
void emu_config_delete(struct emu *emu, struct emu_call *call);
void emu_config_enable(struct emu *emu, struct emu_call *call);
void emu_config_disable(struct emu *emu, struct emu_call *call);
void emu_config_toolkit(struct emu *emu, struct emu_call *call);

#endif
