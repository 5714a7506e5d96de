/* How libmicrohttpd waits for its connections, and for how many it can.
   Must not know: what is sent over them. */
#ifndef EMU_OS_POLL_H
#define EMU_OS_POLL_H

/* The flag for MHD_start_daemon. Whatever it selects, the daemon is driven by
   MHD_get_fdset2 and MHD_run_from_select. */
unsigned emu_os_poll_flag(void);
/* At most `wanted`, fewer where select limits them. */
unsigned emu_os_poll_most(unsigned wanted);

#endif
