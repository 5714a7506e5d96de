/* What the command line may say.
   It must not know what the emulator does with it. */
#ifndef EMU_OPTIONS_H
#define EMU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assume.h"

enum emu_mask { EMU_MASK_REDACT, EMU_MASK_MASK4, EMU_MASK_RAW };

#define EMU_KEYS_MAX 16

struct emu_options {
  uint16_t port;
  uint32_t accounts;
  uint64_t seed;
  const char *db;
  const char *keys[EMU_KEYS_MAX]; /* borrowed from argv */
  size_t key_count;
  int64_t rate_limit;
  enum emu_mask mask;
  int64_t page_default;
  int64_t page_max;
  int64_t latency_ms;
  const char *request_log;
  const char *faults;
  bool odd;
  bool legacy;
  bool leases;
  bool gzip;
  bool until_eof;
  struct emu_assume assume;
};

enum emu_options_verdict {
  EMU_OPTIONS_RUN,
  EMU_OPTIONS_SAID, /* --help, --version: exit 0 */
  EMU_OPTIONS_WRONG /* told on stderr: exit 2 */
};

enum emu_options_verdict emu_options_read(struct emu_options *options,
                                          int argc, char **argv);

#endif
