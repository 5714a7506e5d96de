/* From a call to its operation: key, rate limit, path, method.
   It must not know what the operations do. */
#ifndef EMU_ROUTE_H
#define EMU_ROUTE_H

#include "emu.h"

/* Fills in the answer, whatever was asked. */
void emu_route(struct emu *emu, struct emu_call *call);
/* The answer has left, or never will. */
void emu_route_done(struct emu *emu, const struct emu_call *call);

#endif
