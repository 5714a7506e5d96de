/* Carries bytes: the listening socket, libmicrohttpd, delays, signals.
   It must not know what a path means: every call goes to emu_route. */
#ifndef EMU_LOOP_H
#define EMU_LOOP_H

#include "emu.h"

#define EMU_CONNECTIONS 4096u

/* A socket that listens on 127.0.0.1; -1 with the reason told on stderr.
   Writes the port that was got. */
int emu_loop_listen(uint16_t port, uint16_t *got);
/* Serves until SIGTERM or SIGINT (which the caller has blocked). Takes the
   socket. False with the reason told on stderr. */
bool emu_loop_run(struct emu *emu, int listening,
                  void (*ready)(const struct emu *emu));

#endif
