/* A table from strings to small numbers, open addressing.
   It must not know what the numbers mean. */
#include "map.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct emu_map_cell {
  const char *key;
  uint32_t hash;
  uint32_t number;
};

static uint32_t hash_of(const char *key)
{
  uint64_t hash = 0xcbf29ce484222325u;
  for(; *key; key++)
    hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
  return (uint32_t)(hash ^ (hash >> 29));
}

void emu_map_clear(struct emu_map *map)
{
  free(map->cells);
  memset(map, 0, sizeof(*map));
}

static struct emu_map_cell *cell_for(const struct emu_map *map,
                                     const char *key, uint32_t hash)
{
  size_t at = hash & (map->room - 1);
  while(map->cells[at].key) {
    struct emu_map_cell *cell = &map->cells[at];
    if(cell->hash == hash && !strcmp(cell->key, key))
      return cell;
    at = (at + 1) & (map->room - 1);
  }
  return &map->cells[at];
}

static void widen(struct emu_map *map)
{
  struct emu_map wider = { .room = map->room ? map->room * 2 : 64 };
  wider.cells = emu_alloc(wider.room * sizeof(*wider.cells));
  wider.used = map->used;
  for(size_t i = 0; i < map->room; i++)
    if(map->cells[i].key)
      *cell_for(&wider, map->cells[i].key, map->cells[i].hash) = map->cells[i];
  free(map->cells);
  *map = wider;
}

void emu_map_put(struct emu_map *map, const char *key, uint32_t number)
{
  if(map->used * 10 >= map->room * 7)
    widen(map);
  uint32_t hash = hash_of(key);
  struct emu_map_cell *cell = cell_for(map, key, hash);
  if(!cell->key)
    map->used++;
  cell->key = key;
  cell->hash = hash;
  cell->number = number;
}

uint32_t emu_map_find(const struct emu_map *map, const char *key)
{
  if(!map->room)
    return EMU_NONE;
  const struct emu_map_cell *cell = cell_for(map, key, hash_of(key));
  return cell->key ? cell->number : EMU_NONE;
}
