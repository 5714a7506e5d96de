/* A long row of slots in order, from which pages are cut at any depth.
   It must not know accounts: it sees a slot, its class (a small number that
   the filters select by) and its auth config.

   Why not SQL's OFFSET: page 10,000 of a listing would step over a million
   index rows. Here blocks of 1,024 places carry counts by class, so that a
   page in the middle costs some thousand additions. */
#ifndef EMU_ORDER_H
#define EMU_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_CLASSES 16

/* What the filters look at, by slot; kept by the store. */
struct emu_hot {
  uint32_t config;
  uint8_t class_id; /* status * 2 + (shared ? 1 : 0) */
  bool gone;
};

/* Does slot a stand before slot b? */
typedef bool emu_order_before(const void *context, uint32_t a, uint32_t b);

struct emu_order {
  emu_order_before *before;
  const void *context;
  uint32_t *slot_at;  /* by place; EMU_NONE where one has left */
  uint32_t *place_of; /* by slot */
  struct emu_order_block *blocks;
  size_t used; /* places */
  size_t room;
  size_t slots; /* room of place_of */
  size_t live;
};

struct emu_order_cut {
  const bool *class_ok;  /* EMU_CLASSES of them */
  const bool *config_ok; /* by config; NULL: all */
  bool descending;
  size_t skip;
  size_t take;
  uint32_t *slots; /* room for `take` */
  size_t found;    /* out: slots filled in */
  size_t total;    /* out: matching slots in the whole row */
};

void emu_order_init(struct emu_order *order, emu_order_before *before,
                    const void *context);
void emu_order_clear(struct emu_order *order);
/* The slot goes to the end, or a few places before it among its equals. */
void emu_order_append(struct emu_order *order, const struct emu_hot *hot,
                      uint32_t slot);
/* hot[slot] must still hold the class it was appended or counted with. */
void emu_order_remove(struct emu_order *order, const struct emu_hot *hot,
                      uint32_t slot);
/* The slot keeps its place and changes its class. */
void emu_order_recount(struct emu_order *order, uint32_t slot, uint8_t old,
                       uint8_t now);
void emu_order_cut(const struct emu_order *order, const struct emu_hot *hot,
                   struct emu_order_cut *cut);

#endif
