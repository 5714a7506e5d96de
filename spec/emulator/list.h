/* Listing: filters, orders, pages and cursors.
   It must not know how a call reached it. */
#ifndef EMU_LIST_H
#define EMU_LIST_H

#include "emu.h"

void emu_list_accounts(struct emu *emu, struct emu_call *call);

struct emu_page {
  int64_t page; /* from 1 */
  int64_t limit;
};

/* Reads limit and cursor; false with the refusal written. */
bool emu_list_page(const struct emu *emu, struct emu_call *call, int64_t usual,
                   int64_t most, struct emu_page *page);
/* Writes what stands after the items: next_cursor to total_items. */
void emu_list_end(struct emu_call *call, const struct emu_page *page,
                  int64_t total);
/* A list of things that this service has none of. */
void emu_list_nothing(struct emu *emu, struct emu_call *call);

#endif
