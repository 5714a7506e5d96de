/* A table from strings to small numbers: ids to slots, users to indexes.
   It must not know what the numbers mean. Nothing is ever removed: deleted
   accounts stay known so that a spec can ask about them. */
#ifndef EMU_MAP_H
#define EMU_MAP_H

#include <stddef.h>
#include <stdint.h>

#define EMU_NONE UINT32_MAX

struct emu_map {
  struct emu_map_cell *cells;
  size_t room; /* a power of two */
  size_t used;
};

void emu_map_clear(struct emu_map *map);
/* Adds or replaces; the key is borrowed until the map is cleared. */
void emu_map_put(struct emu_map *map, const char *key, uint32_t number);
/* EMU_NONE when unknown. */
uint32_t emu_map_find(const struct emu_map *map, const char *key);

#endif
