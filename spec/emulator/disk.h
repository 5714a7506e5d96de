/* --db: the state in an SQLite file, written as it changes.
   It must not know operations or HTTP.

   The state that is served lives in memory; the file is its copy, complete
   after every answered call. So the file costs nothing when there is none. */
#ifndef EMU_DISK_H
#define EMU_DISK_H

#include "emu.h"

enum emu_disk_found {
  EMU_DISK_FRESH, /* no file wanted, or a new one: seed it */
  EMU_DISK_LOADED,
  EMU_DISK_FAILED /* told on stderr */
};

enum emu_disk_found emu_disk_open(struct emu *emu);
void emu_disk_close(struct emu *emu);
/* Writes what changed since the last time. */
void emu_disk_save(struct emu *emu);
/* Empties the file, before the state is made anew. */
void emu_disk_wipe(struct emu *emu);

#endif
