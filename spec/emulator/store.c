/* The state of the emulated project: accounts, auth configs, users.
   It must not know HTTP, JSON replies or files. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define CHUNK 4096u

static bool created_before(const void *context, uint32_t a, uint32_t b)
{
  const struct emu_account *left = emu_store_at(context, a);
  const struct emu_account *right = emu_store_at(context, b);
  if(left->created_ms != right->created_ms)
    return left->created_ms < right->created_ms;
  return strcmp(left->id, right->id) < 0;
}

static bool updated_before(const void *context, uint32_t a, uint32_t b)
{
  const struct emu_account *left = emu_store_at(context, a);
  const struct emu_account *right = emu_store_at(context, b);
  if(left->updated_ms != right->updated_ms)
    return left->updated_ms < right->updated_ms;
  return strcmp(left->id, right->id) < 0;
}

void emu_store_init(struct emu_store *store)
{
  memset(store, 0, sizeof(*store));
  emu_order_init(&store->by_created, created_before, store);
  emu_order_init(&store->by_updated, updated_before, store);
}

static void free_flow(struct emu_flow *flow)
{
  if(flow)
    free(flow->callback_url);
  free(flow);
}

static void free_config(struct emu_config *config)
{
  free(config->name);
  free(config->credentials);
  free(config->tools);
  free(config->shared);
  free(config->proxy);
  free(config);
}

void emu_store_clear(struct emu_store *store)
{
  for(size_t i = 0; i < store->accounts; i++) {
    struct emu_account *account = emu_store_at(store, (uint32_t)i);
    free(account->alias);
    free(account->val);
    free(account->acl);
    free_flow(account->flow);
  }
  for(size_t i = 0; i * CHUNK < store->accounts; i++)
    free(store->chunks[i]);
  for(size_t i = 0; i < store->config_count; i++)
    free_config(store->configs[i]);
  for(size_t i = 0; i < store->user_count; i++)
    free(store->users[i].name);
  for(size_t i = 0; i < store->reason_count; i++)
    free(store->reasons[i]);
  for(size_t i = 0; i < store->token_count; i++)
    free(store->tokens[i]);
  free(store->chunks);
  free(store->hot);
  free(store->configs);
  free(store->users);
  free(store->reasons);
  free(store->tokens);
  free(store->pending);
  free(store->dirty);
  emu_map_clear(&store->by_id);
  emu_map_clear(&store->by_user);
  emu_map_clear(&store->by_config);
  emu_map_clear(&store->by_token);
  emu_order_clear(&store->by_created);
  emu_order_clear(&store->by_updated);
}

struct emu_account *emu_store_at(const struct emu_store *store, uint32_t slot)
{
  return &store->chunks[slot / CHUNK][slot % CHUNK];
}

struct emu_account *emu_store_find(const struct emu_store *store,
                                   const char *id)
{
  uint32_t slot = emu_map_find(&store->by_id, id);
  return slot == EMU_NONE ? NULL : emu_store_at(store, slot);
}

uint32_t emu_store_slot(const struct emu_store *store,
                        const struct emu_account *account)
{
  return emu_map_find(&store->by_id, account->id);
}

struct emu_config *emu_store_config(const struct emu_store *store,
                                    const char *id)
{
  uint32_t number = emu_map_find(&store->by_config, id);
  if(number == EMU_NONE || store->configs[number]->deleted)
    return NULL;
  return store->configs[number];
}

struct emu_config *emu_store_config_of(const struct emu_store *store,
                                       const struct emu_account *account)
{
  return store->configs[account->config];
}

uint32_t emu_store_user(struct emu_store *store, const char *name)
{
  uint32_t index = emu_map_find(&store->by_user, name);
  if(index != EMU_NONE)
    return index;
  if(store->user_count == store->user_room) {
    store->user_room = store->user_room ? store->user_room * 2 : 64;
    store->users =
        emu_grow(store->users, store->user_room * sizeof(*store->users));
  }
  index = (uint32_t)store->user_count++;
  store->users[index].name = emu_copy(name);
  store->users[index].first = EMU_NONE;
  emu_map_put(&store->by_user, store->users[index].name, index);
  return index;
}

const char *emu_store_user_name(const struct emu_store *store,
                                const struct emu_account *account)
{
  return store->users[account->user].name;
}

static uint8_t class_of(const struct emu_account *account)
{
  return (uint8_t)(account->status * 2 +
                   (account->flags & EMU_SHARED ? 1 : 0));
}

static void mark(struct emu_store *store, struct emu_account *account,
                 uint32_t slot)
{
  if(!store->keep || account->flags & EMU_DIRTY)
    return;
  if(store->dirty_count == store->dirty_room) {
    store->dirty_room = store->dirty_room ? store->dirty_room * 2 : 64;
    store->dirty =
        emu_grow(store->dirty, store->dirty_room * sizeof(*store->dirty));
  }
  account->flags |= EMU_DIRTY;
  store->dirty[store->dirty_count++] = slot;
}

struct emu_account *emu_store_new(struct emu_store *store, const char *id,
                                  uint32_t config, uint32_t user,
                                  int64_t now_ms)
{
  uint32_t slot = (uint32_t)store->accounts++;
  if(slot % CHUNK == 0) {
    size_t chunks = slot / CHUNK + 1;
    store->chunks = emu_grow(store->chunks, chunks * sizeof(*store->chunks));
    store->chunks[slot / CHUNK] = emu_alloc(CHUNK * sizeof(**store->chunks));
  }
  if(slot == store->hot_room) {
    store->hot_room = store->hot_room ? store->hot_room * 2 : CHUNK;
    store->hot = emu_grow(store->hot, store->hot_room * sizeof(*store->hot));
  }
  struct emu_account *account = emu_store_at(store, slot);
  size_t length = strnlen(id, sizeof(account->id) - 1);
  memcpy(account->id, id, length);
  account->config = config;
  account->user = user;
  account->created_ms = account->updated_ms = now_ms;
  account->next_same = store->users[user].first;
  store->users[user].first = slot;
  emu_map_put(&store->by_id, account->id, slot);
  return account;
}

static void queue_pending(struct emu_store *store, uint32_t slot)
{
  if(store->pending_used == store->pending_room) {
    size_t live = store->pending_used - store->pending_first;
    if(live)
      memmove(store->pending, store->pending + store->pending_first,
              live * sizeof(*store->pending));
    store->pending_first = 0;
    store->pending_used = live;
    store->pending_room = live * 2 + 64;
    store->pending = emu_grow(store->pending,
                              store->pending_room * sizeof(*store->pending));
  }
  /* Loaded logins may arrive out of order; new ones never do. */
  size_t at = store->pending_used++;
  int64_t due_ms = emu_store_at(store, slot)->expires_ms;
  while(at > store->pending_first && store->pending[at - 1].due_ms > due_ms) {
    store->pending[at] = store->pending[at - 1];
    at--;
  }
  store->pending[at] = (struct emu_pending){ due_ms, slot };
}

void emu_store_dirty(struct emu_store *store, struct emu_account *account)
{
  mark(store, account, emu_store_slot(store, account));
}

void emu_store_enter_bulk(struct emu_store *store, struct emu_account *account)
{
  uint32_t slot = emu_store_slot(store, account);
  struct emu_hot *hot = &store->hot[slot];
  hot->config = account->config;
  hot->class_id = class_of(account);
  hot->gone = (account->flags & EMU_DELETED) != 0;
  if(hot->gone)
    return;
  emu_order_append(&store->by_created, store->hot, slot);
  store->configs[account->config]->connections++;
  if(account->expires_ms)
    queue_pending(store, slot);
}

void emu_store_enter(struct emu_store *store, struct emu_account *account)
{
  uint32_t slot = emu_store_slot(store, account);
  emu_store_enter_bulk(store, account);
  emu_order_append(&store->by_updated, store->hot, slot);
  mark(store, account, slot);
}

/* The store whose accounts by_updated compares. qsort passes its comparison no
   context, and qsort_r takes its arguments in another order on macOS. */
static const struct emu_store *sorted;

static int by_updated(const void *left, const void *right)
{
  uint32_t a = *(const uint32_t *)left;
  uint32_t b = *(const uint32_t *)right;
  return updated_before(sorted, a, b) ? -1 : 1;
}

void emu_store_sort_updated(struct emu_store *store)
{
  uint32_t *slots = emu_alloc(store->accounts * sizeof(*slots));
  size_t count = 0;
  for(uint32_t i = 0; i < store->accounts; i++)
    if(!store->hot[i].gone)
      slots[count++] = i;
  sorted = store;
  if(count)
    qsort(slots, count, sizeof(*slots), by_updated);
  emu_order_clear(&store->by_updated);
  for(size_t i = 0; i < count; i++)
    emu_order_append(&store->by_updated, store->hot, slots[i]);
  free(slots);
}

void emu_store_touch(struct emu_store *store, struct emu_account *account,
                     int64_t now_ms)
{
  uint32_t slot = emu_store_slot(store, account);
  mark(store, account, slot);
  if(account->updated_ms == now_ms)
    return;
  emu_order_remove(&store->by_updated, store->hot, slot);
  account->updated_ms = now_ms;
  emu_order_append(&store->by_updated, store->hot, slot);
}

void emu_store_set_status(struct emu_store *store, struct emu_account *account,
                          enum emu_status status, const char *reason,
                          int64_t now_ms)
{
  uint32_t slot = emu_store_slot(store, account);
  struct emu_hot *hot = &store->hot[slot];
  uint8_t old = hot->class_id;
  account->status = (uint8_t)status;
  account->reason = emu_store_reason(store, reason);
  if(status != EMU_INITIALIZING && status != EMU_INITIATED)
    account->expires_ms = 0;
  if(status == EMU_INACTIVE)
    account->flags |= EMU_DISABLED;
  else
    account->flags &= (uint8_t)~EMU_DISABLED;
  emu_order_remove(&store->by_updated, store->hot, slot);
  emu_order_recount(&store->by_created, slot, old, class_of(account));
  hot->class_id = class_of(account);
  account->updated_ms = now_ms;
  emu_order_append(&store->by_updated, store->hot, slot);
  mark(store, account, slot);
}

void emu_store_delete(struct emu_store *store, struct emu_account *account,
                      int64_t now_ms)
{
  uint32_t slot = emu_store_slot(store, account);
  emu_order_remove(&store->by_updated, store->hot, slot);
  emu_order_remove(&store->by_created, store->hot, slot);
  store->hot[slot].gone = true;
  store->configs[account->config]->connections--;
  account->flags |= EMU_DELETED;
  account->expires_ms = 0;
  account->updated_ms = now_ms;
  mark(store, account, slot);
}

const char *emu_store_reason(struct emu_store *store, const char *text)
{
  if(!text)
    return NULL;
  for(size_t i = 0; i < store->reason_count; i++)
    if(!strcmp(store->reasons[i], text))
      return store->reasons[i];
  store->reasons = emu_grow(store->reasons, (store->reason_count + 1) *
                                                sizeof(*store->reasons));
  store->reasons[store->reason_count] = emu_copy(text);
  return store->reasons[store->reason_count++];
}

struct emu_flow *emu_store_flow(struct emu_store *store,
                                struct emu_account *account, int64_t now_ms)
{
  if(!account->flow)
    account->flow = emu_alloc(sizeof(*account->flow));
  struct emu_flow *flow = account->flow;
  free(flow->callback_url);
  memset(flow, 0, sizeof(*flow));
  account->expires_ms = now_ms + EMU_LINK_MS;
  queue_pending(store, emu_store_slot(store, account));
  return flow;
}

void emu_store_token(struct emu_store *store, const char *token,
                     const struct emu_account *account)
{
  if(store->token_count == store->token_room) {
    store->token_room = store->token_room * 2 + 64;
    store->tokens =
        emu_grow(store->tokens, store->token_room * sizeof(*store->tokens));
  }
  char *key = emu_copy(token);
  store->tokens[store->token_count++] = key;
  emu_map_put(&store->by_token, key, emu_store_slot(store, account));
}

struct emu_account *emu_store_by_token(const struct emu_store *store,
                                       const char *token)
{
  uint32_t slot = emu_map_find(&store->by_token, token);
  return slot == EMU_NONE ? NULL : emu_store_at(store, slot);
}

struct emu_account *emu_store_overdue(struct emu_store *store, int64_t now_ms)
{
  while(store->pending_first < store->pending_used) {
    struct emu_pending entry = store->pending[store->pending_first];
    if(entry.due_ms > now_ms)
      return NULL;
    store->pending_first++;
    struct emu_account *account = emu_store_at(store, entry.slot);
    if(account->expires_ms == entry.due_ms)
      return account;
  }
  return NULL;
}

bool emu_store_alias_taken(const struct emu_store *store, uint32_t user,
                           const struct emu_toolkit *toolkit,
                           const char *alias, const struct emu_account *but)
{
  uint32_t slot = store->users[user].first;
  while(slot != EMU_NONE) {
    const struct emu_account *account = emu_store_at(store, slot);
    if(account != but && !(account->flags & EMU_DELETED) && account->alias &&
       store->configs[account->config]->toolkit == toolkit &&
       !strcmp(account->alias, alias))
      return true;
    slot = account->next_same;
  }
  return false;
}

struct emu_config *emu_store_add_config(struct emu_store *store,
                                        const char *id)
{
  size_t number = store->config_count++;
  store->configs =
      emu_grow(store->configs, store->config_count * sizeof(*store->configs));
  struct emu_config *config = emu_alloc(sizeof(*config));
  store->configs[number] = config;
  memcpy(config->id, id, strnlen(id, sizeof(config->id) - 1));
  emu_map_put(&store->by_config, config->id, (uint32_t)number);
  return config;
}
