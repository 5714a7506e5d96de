/* The organisation's rate limit: fixed windows of one minute.
   It must not know HTTP; pure arithmetic over (state, now). */
#ifndef EMU_LIMIT_H
#define EMU_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define EMU_WINDOW_MS 60000

struct emu_limit {
  int64_t budget; /* per window; 0: no limit */
  int64_t window_start_ms;
  int64_t used;
};

/* Counts one request; false when the window's budget is spent. */
bool emu_limit_take(struct emu_limit *limit, int64_t now_ms);
int64_t emu_limit_remaining(const struct emu_limit *limit);
/* Whole seconds until the window ends, at least 1. */
int64_t emu_limit_retry_after(const struct emu_limit *limit, int64_t now_ms);

#endif
