/* A long row of slots in order, from which pages are cut at any depth.
   It must not know accounts. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "map.h"

#define BLOCK 1024u

struct emu_order_block {
  uint16_t count[EMU_CLASSES];
};

void emu_order_init(struct emu_order *order, emu_order_before *before,
                    const void *context)
{
  memset(order, 0, sizeof(*order));
  order->before = before;
  order->context = context;
}

void emu_order_clear(struct emu_order *order)
{
  free(order->slot_at);
  free(order->place_of);
  free(order->blocks);
  emu_order_init(order, order->before, order->context);
}

static void put(struct emu_order *order, const struct emu_hot *hot,
                size_t place, uint32_t slot)
{
  order->slot_at[place] = slot;
  if(slot == EMU_NONE)
    return;
  order->place_of[slot] = (uint32_t)place;
  order->blocks[place / BLOCK].count[hot[slot].class_id]++;
}

static uint32_t lift(struct emu_order *order, const struct emu_hot *hot,
                     size_t place)
{
  uint32_t slot = order->slot_at[place];
  if(slot != EMU_NONE)
    order->blocks[place / BLOCK].count[hot[slot].class_id]--;
  order->slot_at[place] = EMU_NONE;
  return slot;
}

/* Closes the gaps that moved slots left behind. */
static void compact(struct emu_order *order, const struct emu_hot *hot)
{
  size_t used = order->used;
  size_t to = 0;
  memset(order->blocks, 0, (order->room / BLOCK) * sizeof(*order->blocks));
  for(size_t from = 0; from < used; from++) {
    uint32_t slot = order->slot_at[from];
    if(slot != EMU_NONE)
      put(order, hot, to++, slot);
  }
  order->used = to;
}

static void make_room(struct emu_order *order, const struct emu_hot *hot,
                      uint32_t slot)
{
  if(order->used > order->live * 2 + 4 * BLOCK)
    compact(order, hot);
  if(order->used == order->room) {
    size_t room = order->room ? order->room * 2 : BLOCK;
    order->slot_at = emu_grow(order->slot_at, room * sizeof(*order->slot_at));
    order->blocks =
        emu_grow(order->blocks, room / BLOCK * sizeof(*order->blocks));
    memset(order->blocks + order->room / BLOCK, 0,
           (room - order->room) / BLOCK * sizeof(*order->blocks));
    order->room = room;
  }
  if(slot >= order->slots) {
    size_t slots = order->slots ? order->slots * 2 : BLOCK;
    while(slots <= slot)
      slots *= 2;
    order->place_of =
        emu_grow(order->place_of, slots * sizeof(*order->place_of));
    order->slots = slots;
  }
}

void emu_order_append(struct emu_order *order, const struct emu_hot *hot,
                      uint32_t slot)
{
  make_room(order, hot, slot);
  size_t place = order->used++;
  order->live++;
  order->slot_at[place] = EMU_NONE;
  while(place) {
    uint32_t last = order->slot_at[place - 1];
    if(last != EMU_NONE && !order->before(order->context, slot, last))
      break;
    put(order, hot, place, lift(order, hot, place - 1));
    place--;
  }
  put(order, hot, place, slot);
}

void emu_order_remove(struct emu_order *order, const struct emu_hot *hot,
                      uint32_t slot)
{
  lift(order, hot, order->place_of[slot]);
  order->live--;
}

void emu_order_recount(struct emu_order *order, uint32_t slot, uint8_t old,
                       uint8_t now)
{
  struct emu_order_block *block =
      &order->blocks[order->place_of[slot] / BLOCK];
  block->count[old]--;
  block->count[now]++;
}

static size_t in_block(const struct emu_order *order, size_t block,
                       const bool *class_ok)
{
  size_t sum = 0;
  for(size_t i = 0; i < EMU_CLASSES; i++)
    if(class_ok[i])
      sum += order->blocks[block].count[i];
  return sum;
}

static void cut_block(const struct emu_order *order, const struct emu_hot *hot,
                      struct emu_order_cut *cut, size_t block)
{
  size_t first = block * BLOCK;
  size_t count = order->used - first < BLOCK ? order->used - first : BLOCK;
  for(size_t i = 0; i < count; i++) {
    size_t place = cut->descending ? first + count - 1 - i : first + i;
    uint32_t slot = order->slot_at[place];
    if(slot == EMU_NONE || !cut->class_ok[hot[slot].class_id] ||
       (cut->config_ok && !cut->config_ok[hot[slot].config]))
      continue;
    if(cut->total >= cut->skip && cut->found < cut->take)
      cut->slots[cut->found++] = slot;
    cut->total++;
  }
}

void emu_order_cut(const struct emu_order *order, const struct emu_hot *hot,
                   struct emu_order_cut *cut)
{
  size_t blocks = (order->used + BLOCK - 1) / BLOCK;
  cut->found = 0;
  cut->total = 0;
  for(size_t i = 0; i < blocks; i++) {
    size_t block = cut->descending ? blocks - 1 - i : i;
    size_t sum = in_block(order, block, cut->class_ok);
    bool outside = cut->total + sum <= cut->skip || cut->found == cut->take;
    if(!sum || (outside && !cut->config_ok))
      cut->total += sum;
    else
      cut_block(order, hot, cut, block);
  }
}
