/* What was asked (the last 10,000 requests) and what was changed (all).
   It must not know what an operation means. */
#ifndef EMU_JOURNAL_H
#define EMU_JOURNAL_H

#include <stdio.h>

#include "buf.h"
#include "store.h"

#define EMU_KEPT_REQUESTS 10000u
#define EMU_KEPT_BODY     16384u

/* One change. 32 bytes each, so that a million of them are no burden. */
struct emu_change {
  int64_t time_ms;
  const char *op; /* a literal */
  uint32_t slot;  /* EMU_NONE: a change of the auth config itself */
  uint32_t config;
  uint8_t before; /* statuses; EMU_STATUSES: none */
  uint8_t after;
};

struct emu_seen; /* one request as it is kept */

struct emu_journal {
  struct emu_seen *seen; /* a ring */
  uint64_t last_seq;
  uint64_t first_seq; /* of the oldest kept */
  struct emu_change *changes;
  size_t change_count;
  size_t change_room;
  FILE *file; /* --request-log, or NULL */
  struct emu_buf scratch;
};

/* What to keep of a request; all borrowed for the call. */
struct emu_sighting {
  int64_t time_ms;
  const char *method;
  const char *target;
  const char *body;
  size_t body_size;
  const struct emu_buf *headers;     /* {"name":"value",…} without braces */
  const struct emu_buf *credentials; /* "x-api-key",… */
};

void emu_journal_clear(struct emu_journal *journal);
void emu_journal_see(struct emu_journal *journal,
                     const struct emu_sighting *sighting);
void emu_journal_forget(struct emu_journal *journal);
/* Appends the requests after `since` as JSON lines. */
void emu_journal_requests(const struct emu_journal *journal,
                          struct emu_buf *out, uint64_t since);

void emu_journal_change(struct emu_journal *journal,
                        const struct emu_change *change);
void emu_journal_changes(const struct emu_journal *journal,
                         const struct emu_store *store, struct emu_buf *out,
                         uint64_t since);

#endif
