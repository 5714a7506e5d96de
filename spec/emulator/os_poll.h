/* How the emulator waits for its connections: by libmicrohttpd's epoll where
   it has it, by select elsewhere; and for how many it can.
   Must not know: what is sent over them. */
#ifndef EMU_OS_POLL_H
#define EMU_OS_POLL_H

#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>

/* The flag for MHD_start_daemon. */
unsigned emu_os_poll_flag(void);
/* At most `wanted`, fewer where select or the descriptors that this process
   may have limit them. */
unsigned emu_os_poll_most(unsigned wanted);

/* Waits until the daemon has work, one of `watched` is ready (its revents say
   so; a negative descriptor is passed over) or wait_ms have passed; -1: for as
   long as it takes. listening: a socket that nobody is to be let in by now, or
   -1. False when select cannot watch a descriptor, since it has too high a
   number. */
bool emu_os_poll_wait(struct MHD_Daemon *daemon, int listening,
                      struct pollfd *watched, nfds_t count, int wait_ms);
/* Lets the daemon do what it found. */
void emu_os_poll_run(struct MHD_Daemon *daemon);

#endif
