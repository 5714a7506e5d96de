/* A private emulator, started for one run and stopped after it.
   Must not know: Lua, what a run is. */
#ifndef HOST_EMULATOR_H
#define HOST_EMULATOR_H

#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct host_emulator {
  pid_t pid; /* 0: none runs */
  int life;  /* our end of its standard input; closing it ends the emulator */
  char url[128];
  char api_key[128];
};

/* Starts an emulator with this many accounts and waits until it is ready. It
   ends together with this process, however that ends. */
CA_MUST_USE enum ca_code host_emulator_start(struct host_emulator *emulator,
                                             int64_t accounts,
                                             struct ca_err *err);
/* Stops it and waits for it. Does nothing if none runs. */
void host_emulator_stop(struct host_emulator *emulator);

#endif
