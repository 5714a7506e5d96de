/* Listing: filters, orders, pages and cursors.
   It must not know how a call reached it.

   Pages are numbered, as the service's are: whoever changes what a filter
   selects while walking it skips rows. That is meant to be reproducible. */
#include "list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "render.h"
#include "reply.h"

struct filter {
  bool class_ok[EMU_CLASSES];
  bool *config_ok; /* owned; NULL: all */
  bool has_users;
  uint32_t *users; /* owned */
  size_t user_count;
  bool has_ids;
  uint32_t *slots; /* owned: candidates when users or ids are asked for */
  size_t slot_count;
  bool by_updated;
  bool ascending;
};

static void filter_clear(struct filter *filter)
{
  free(filter->config_ok);
  free(filter->users);
  free(filter->slots);
}

static void push(uint32_t **list, size_t *count, uint32_t number)
{
  if(!(*count & (*count + 1)))
    *list = emu_grow(*list, (*count * 2 + 2) * sizeof(**list));
  (*list)[(*count)++] = number;
}

/* Walks the comma-separated, possibly repeated values of an array parameter.
   `at` starts NULL in `walk`; returns the next non-empty value or NULL. */
struct walk {
  const struct emu_call *call;
  const char *name;
  size_t param;
  const char *at;
  char *value; /* owned, valid until the next step */
};

static const char *walk_next(struct walk *walk)
{
  free(walk->value);
  walk->value = NULL;
  for(;;) {
    while(!walk->at || !*walk->at) {
      const struct emu_call *call = walk->call;
      while(walk->param < call->param_count &&
            strcmp(call->params[walk->param].name, walk->name) != 0)
        walk->param++;
      if(walk->param == call->param_count)
        return NULL;
      walk->at = call->params[walk->param++].value;
    }
    size_t length = strcspn(walk->at, ",");
    const char *start = walk->at;
    walk->at += length + (walk->at[length] == ',');
    if(length)
      return walk->value = emu_copy_bytes(start, length);
  }
}

static bool ignored(const struct emu_call *call, const char *name)
{
  return emu_fault_ignores(call->fault, name);
}

/* An enum member nobody knows: true when it is to be passed over. */
static bool passed_over(const struct emu *emu)
{
  return emu->options.assume.other[EMU_GUESS_ENUM_IGNORED];
}

static bool read_statuses(const struct emu *emu, struct emu_call *call,
                          struct filter *filter)
{
  struct walk walk = { .call = call, .name = "statuses" };
  bool any = false;
  bool wanted[EMU_STATUSES] = { false };
  const char *value;
  while((value = walk_next(&walk)) != NULL) {
    enum emu_status status = emu_status_parse(value);
    if(status == EMU_STATUSES && passed_over(emu))
      continue;
    if(status == EMU_STATUSES) {
      emu_reply_invalid(call,
                        "statuses: Invalid enum value. Expected "
                        "'INITIALIZING' | 'INITIATED' | 'ACTIVE' | 'FAILED' "
                        "| 'EXPIRED' | 'INACTIVE' | 'REVOKED', received '%s'",
                        value);
      free(walk.value);
      return false;
    }
    wanted[status] = any = true;
  }
  any = any && !ignored(call, "statuses");
  for(size_t i = 0; i < EMU_CLASSES; i++)
    filter->class_ok[i] = !any || wanted[i / 2];
  return true;
}

static bool read_type(const struct emu *emu, struct emu_call *call,
                      struct filter *filter)
{
  const char *type = emu_call_param(call, "account_type");
  bool private = true;
  bool shared = false;
  if(type && !strcmp(type, "ALL")) {
    shared = true;
  } else if(type && !strcmp(type, "SHARED")) {
    private = false;
    shared = true;
  } else if(type && *type && strcmp(type, "PRIVATE") != 0 &&
            !passed_over(emu)) {
    emu_reply_invalid(call,
                      "account_type: Invalid enum value. Expected 'PRIVATE' | "
                      "'SHARED' | 'ALL', received '%s'",
                      type);
    return false;
  }
  if(ignored(call, "account_type"))
  private = shared = true;
  for(size_t i = 0; i < EMU_CLASSES; i++)
    filter->class_ok[i] = filter->class_ok[i] && (i % 2 ? shared : private);
  return true;
}

static bool read_order(const struct emu *emu, struct emu_call *call,
                       struct filter *filter)
{
  const char *by = emu_call_param(call, "order_by");
  const char *direction = emu_call_param(call, "order_direction");
  filter->by_updated = by && !strcmp(by, "updated_at");
  filter->ascending = direction && !strcmp(direction, "asc");
  if(by && *by && !filter->by_updated && strcmp(by, "created_at") != 0 &&
     !passed_over(emu)) {
    emu_reply_invalid(call,
                      "order_by: Invalid enum value. Expected 'created_at' | "
                      "'updated_at', received '%s'",
                      by);
    return false;
  }
  if(direction && *direction && !filter->ascending &&
     strcmp(direction, "desc") != 0 && !passed_over(emu)) {
    emu_reply_invalid(call,
                      "order_direction: Invalid enum value. Expected 'asc' | "
                      "'desc', received '%s'",
                      direction);
    return false;
  }
  return true;
}

/* Narrows config_ok to the auth configs that one parameter allows. */
static void narrow(const struct emu *emu, const struct emu_call *call,
                   struct filter *filter, const char *name)
{
  size_t count = emu->store.config_count;
  bool by_toolkit = !strcmp(name, "toolkit_slugs");
  bool *allowed = emu_alloc(count * sizeof(*allowed));
  struct walk walk = { .call = call, .name = name };
  bool any = false;
  const char *value;
  while((value = walk_next(&walk)) != NULL) {
    any = true;
    const struct emu_toolkit *toolkit =
        by_toolkit ? emu_toolkit_parse(value) : NULL;
    if(toolkit && emu->options.assume.other[EMU_GUESS_TOOLKIT_EXACT] &&
       strcmp(toolkit->slug, value) != 0)
      toolkit = NULL;
    for(size_t i = 0; i < count; i++)
      if(by_toolkit ? toolkit == emu->store.configs[i]->toolkit
                    : !strcmp(emu->store.configs[i]->id, value))
        allowed[i] = true;
  }
  if(!any || ignored(call, name)) {
    free(allowed);
    return;
  }
  if(filter->config_ok)
    for(size_t i = 0; i < count; i++)
      allowed[i] = allowed[i] && filter->config_ok[i];
  free(filter->config_ok);
  filter->config_ok = allowed;
}

static void read_users(const struct emu *emu, const struct emu_call *call,
                       struct filter *filter)
{
  struct walk walk = { .call = call, .name = "user_ids" };
  bool skip = ignored(call, "user_ids");
  const char *value;
  while((value = walk_next(&walk)) != NULL) {
    if(skip)
      continue;
    filter->has_users = true;
    uint32_t user = emu_map_find(&emu->store.by_user, value);
    if(user != EMU_NONE)
      push(&filter->users, &filter->user_count, user);
  }
}

static bool user_ok(const struct filter *filter, uint32_t user)
{
  if(!filter->has_users)
    return true;
  for(size_t i = 0; i < filter->user_count; i++)
    if(filter->users[i] == user)
      return true;
  return false;
}

static void candidate(const struct emu *emu, struct filter *filter,
                      uint32_t slot)
{
  const struct emu_hot *hot = &emu->store.hot[slot];
  if(!hot->gone && filter->class_ok[hot->class_id] &&
     (!filter->config_ok || filter->config_ok[hot->config]) &&
     user_ok(filter, emu_store_at(&emu->store, slot)->user))
    push(&filter->slots, &filter->slot_count, slot);
}

static void gather_users(const struct emu *emu, struct filter *filter)
{
  for(size_t i = 0; i < filter->user_count; i++) {
    bool again = false;
    for(size_t j = 0; j < i && !again; j++)
      again = filter->users[j] == filter->users[i];
    uint32_t slot =
        again ? EMU_NONE : emu->store.users[filter->users[i]].first;
    while(slot != EMU_NONE) {
      candidate(emu, filter, slot);
      slot = emu_store_at(&emu->store, slot)->next_same;
    }
  }
}

static int by_number(const void *left, const void *right)
{
  uint32_t a = *(const uint32_t *)left;
  uint32_t b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static void read_ids(const struct emu *emu, const struct emu_call *call,
                     struct filter *filter)
{
  struct walk walk = { .call = call, .name = "connected_account_ids" };
  bool skip = ignored(call, "connected_account_ids");
  const char *value;
  while((value = walk_next(&walk)) != NULL) {
    if(skip)
      continue;
    filter->has_ids = true;
    uint32_t slot = emu_map_find(&emu->store.by_id, value);
    if(slot != EMU_NONE)
      candidate(emu, filter, slot);
  }
  if(filter->slot_count)
    qsort(filter->slots, filter->slot_count, sizeof(*filter->slots),
          by_number);
  size_t kept = 0;
  for(size_t i = 0; i < filter->slot_count; i++)
    if(!i || filter->slots[i] != filter->slots[i - 1])
      filter->slots[kept++] = filter->slots[i];
  filter->slot_count = kept;
}

struct sorting {
  const struct emu_order *order;
  bool ascending;
};

/* What by_place compares by. qsort passes its comparison no context, and
   qsort_r takes its arguments in another order on macOS. */
static struct sorting sorted_by;

static int by_place(const void *left, const void *right)
{
  uint32_t a = sorted_by.order->place_of[*(const uint32_t *)left];
  uint32_t b = sorted_by.order->place_of[*(const uint32_t *)right];
  int sign = a < b ? -1 : a > b;
  return sorted_by.ascending ? sign : -sign;
}

/* The page out of a few candidates. */
static void cut_few(const struct emu_order *order, struct filter *filter,
                    struct emu_order_cut *cut)
{
  sorted_by = (struct sorting){ order, filter->ascending };
  if(filter->slot_count)
    qsort(filter->slots, filter->slot_count, sizeof(*filter->slots), by_place);
  cut->total = filter->slot_count;
  for(size_t i = cut->skip; i < cut->total && cut->found < cut->take; i++)
    cut->slots[cut->found++] = filter->slots[i];
}

static bool read_filter(const struct emu *emu, struct emu_call *call,
                        struct filter *filter)
{
  if(!read_statuses(emu, call, filter) || !read_type(emu, call, filter) ||
     !read_order(emu, call, filter))
    return false;
  narrow(emu, call, filter, "toolkit_slugs");
  narrow(emu, call, filter, "auth_config_ids");
  read_users(emu, call, filter);
  read_ids(emu, call, filter);
  if(filter->has_users && !filter->has_ids)
    gather_users(emu, filter);
  return true;
}

static void write_items(const struct emu *emu, struct emu_call *call,
                        const struct emu_order_cut *cut)
{
  struct emu_render how = { .mask = emu->options.mask };
  const char *strange = emu_fault_status(call->fault);
  size_t twice = emu_fault_duplicates(call->fault);
  struct emu_buf *out = emu_reply_start(call, 200);
  emu_buf_text(out, "{\"items\":[");
  for(size_t i = 0; i < cut->found; i++) {
    if(i)
      emu_buf_char(out, ',');
    how.status = i ? NULL : strange;
    emu_render_account(emu, out, emu_store_at(&emu->store, cut->slots[i]),
                       &how);
  }
  for(size_t i = 0; i < twice && i < cut->found; i++) {
    emu_buf_char(out, ',');
    emu_render_account(emu, out, emu_store_at(&emu->store, cut->slots[i]),
                       &how);
  }
  emu_buf_char(out, ']');
}

void emu_list_accounts(struct emu *emu, struct emu_call *call)
{
  struct filter filter = { 0 };
  struct emu_page page = { 0 };
  struct emu_order_cut cut = { 0 };
  if(!emu_list_page(emu, call, emu->options.page_default,
                    emu->options.page_max, &page) ||
     !read_filter(emu, call, &filter))
    goto out;
  const struct emu_order *order =
      filter.by_updated ? &emu->store.by_updated : &emu->store.by_created;
  cut.class_ok = filter.class_ok;
  cut.config_ok = filter.config_ok;
  cut.descending = !filter.ascending;
  cut.take = (size_t)page.limit;
  cut.skip = (size_t)(page.page - 1) * cut.take;
  cut.slots = emu_grow(NULL, cut.take * sizeof(*cut.slots));
  if(filter.has_users || filter.has_ids)
    cut_few(order, &filter, &cut);
  else
    emu_order_cut(order, emu->store.hot, &cut);
  write_items(emu, call, &cut);
  emu_list_end(call, &page, (int64_t)cut.total);
out:
  free(cut.slots);
  filter_clear(&filter);
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_cursor(struct emu_buf *out, int64_t page, int64_t limit)
{
  char text[48] = { 0 };
  int size = snprintf(text, sizeof(text), "%" PRId64 "-%" PRId64, page, limit);
  for(int i = 0; i < size; i += 3) {
    uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
    if(i + 1 < size)
      bits |= (uint32_t)(unsigned char)text[i + 1] << 8;
    if(i + 2 < size)
      bits |= (uint32_t)(unsigned char)text[i + 2];
    emu_buf_char(out, base64[bits >> 18]);
    emu_buf_char(out, base64[(bits >> 12) & 63]);
    emu_buf_char(out, i + 1 < size ? base64[(bits >> 6) & 63] : '=');
    emu_buf_char(out, i + 2 < size ? base64[bits & 63] : '=');
  }
}

/* Decodes base64 into text (room bytes with the NUL). */
static bool decode_cursor(const char *cursor, char *text, size_t room)
{
  uint32_t bits = 0;
  int have = 0;
  size_t size = 0;
  for(; *cursor && *cursor != '='; cursor++) {
    const char *found = strchr(base64, *cursor);
    if(!found || size + 1 == room)
      return false;
    bits = bits << 6 | (uint32_t)(found - base64);
    have += 6;
    if(have >= 8) {
      have -= 8;
      text[size++] = (char)((bits >> have) & 255);
    }
  }
  text[size] = '\0';
  return strspn(cursor, "=") == strlen(cursor);
}

/* Up to nine digits and then `end`; 0 when it is not that. */
static int64_t digits(const char **text, char end)
{
  int64_t number = 0;
  size_t length = strspn(*text, "0123456789");
  if(!length || length > 9 || (*text)[length] != end)
    return 0;
  for(size_t i = 0; i < length; i++)
    number = number * 10 + ((*text)[i] - '0');
  *text += length + (end ? 1 : 0);
  return number;
}

static bool read_cursor(const char *cursor, struct emu_page *page)
{
  const char *at = cursor;
  int64_t number = digits(&at, '\0');
  if(number) {
    page->page = number;
    return true;
  }
  char text[48] = { 0 };
  if(!decode_cursor(cursor, text, sizeof(text)))
    return false;
  at = text;
  page->page = digits(&at, '-');
  page->limit = page->page ? digits(&at, '\0') : 0;
  return page->page && page->limit;
}

bool emu_list_page(const struct emu *emu, struct emu_call *call, int64_t usual,
                   int64_t most, struct emu_page *page)
{
  const char *limit = emu_call_param(call, "limit");
  const char *cursor = emu_call_param(call, "cursor");
  const bool *guess = emu->options.assume.other;
  page->page = 1;
  page->limit = usual;
  if(limit && *limit) {
    const char *at = limit;
    page->limit = digits(&at, '\0');
    if(!page->limit && guess[EMU_GUESS_LIMIT_CLAMPED])
      page->limit = 1;
    if(!page->limit) {
      emu_reply_invalid(call,
                        "limit: Expected a whole number of at least 1, "
                        "received '%s'",
                        limit);
      return false;
    }
  }
  if(emu_fault_is(call->fault, EMU_FAULT_CURSOR_IGNORED))
    cursor = NULL;
  int64_t asked = page->limit;
  if(cursor && *cursor && !read_cursor(cursor, page)) {
    if(!guess[EMU_GUESS_CURSOR_FIRST]) {
      emu_reply_invalid(call, "cursor: Invalid cursor '%s'", cursor);
      return false;
    }
    page->page = 1;
    page->limit = asked;
  }
  if(limit && *limit && guess[EMU_GUESS_LIMIT_BY_PARAMETER])
    page->limit = asked;
  if(page->limit > most)
    page->limit = most;
  return true;
}

void emu_list_end(struct emu_call *call, const struct emu_page *page,
                  int64_t total)
{
  struct emu_buf *out = &call->out;
  int64_t pages = (total + page->limit - 1) / page->limit;
  bool more = page->page < pages;
  if(emu_fault_is(call->fault, EMU_FAULT_CURSOR_LOST))
    more = false;
  emu_buf_text(out, ",\"next_cursor\":");
  if(more) {
    emu_buf_char(out, '"');
    write_cursor(out,
                 emu_fault_is(call->fault, EMU_FAULT_CURSOR_REPEATED)
                     ? page->page
                     : page->page + 1,
                 page->limit);
    emu_buf_char(out, '"');
  } else
    emu_buf_text(out, "null");
  emu_buf_text(out, ",\"total_pages\":");
  emu_buf_int(out, pages);
  emu_buf_text(out, ",\"current_page\":");
  emu_buf_int(out, page->page);
  emu_buf_text(out, ",\"total_items\":");
  emu_buf_int(out, emu_fault_total(call->fault, total));
  emu_buf_char(out, '}');
}

void emu_list_nothing(struct emu *emu, struct emu_call *call)
{
  struct emu_page page;
  if(!emu_list_page(emu, call, 20, 50, &page))
    return;
  emu_buf_text(emu_reply_start(call, 200), "{\"items\":[]");
  emu_list_end(call, &page, 0);
}
