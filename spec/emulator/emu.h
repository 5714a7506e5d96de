/* Everything one emulator holds, and the sentences its rooms share.
   It must not know how bytes travel: no sockets here. */
#ifndef EMU_H
#define EMU_H

#include "call.h"
#include "clock.h"
#include "journal.h"
#include "lease.h"
#include "limit.h"
#include "options.h"
#include "random.h"
#include "store.h"

struct emu_disk;
struct emu_faults;

struct emu {
  struct emu_options options;
  struct emu_clock clock;
  struct emu_store store;
  struct emu_limit limit;
  struct emu_leases leases;
  struct emu_journal journal;
  struct emu_faults *faults;
  struct emu_disk *disk;    /* NULL: nothing is kept */
  struct emu_random random; /* ids made at run time */
  /* A stream of its own: what an account is called must not depend on which
     clients bring their own x-request-id. */
  struct emu_random request_ids;
  char base_url[64];
};

#endif
