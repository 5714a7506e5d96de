/* Reading accounts out of replies with the scanner: a page of a hundred is
   half a megabyte, of which a few members are wanted. Knows nothing of what is
   compared with what. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "wire/reply_account.h"
#include "base/json.h"

static bool key_is(struct ca_slice key, const char *name)
{
  return strlen(name) == key.len && !memcmp(key.data, name, key.len);
}

/* Steps over a value, and keeps it when it is a string. */
static bool take_string(struct ca_scan *scan, struct ca_slice *out)
{
  struct ca_slice value;
  enum ca_scan_kind kind = ca_scan_value(scan, &value);

  if(kind == CA_SCAN_STRING)
    *out = value;
  return kind != CA_SCAN_BAD;
}

/* Steps over "auth_config", whose id is wanted. */
static bool take_config(struct ca_scan *scan, struct ca_slice *out)
{
  struct ca_slice value;
  struct ca_slice key;
  struct ca_scan inside;
  bool first = true;

  if(ca_scan_value(scan, &value) == CA_SCAN_BAD)
    return false;
  inside.at = value.data;
  inside.end = value.data + value.len;
  if(!ca_scan_enter(&inside, '{'))
    return true;
  while(ca_scan_member(&inside, &first, &key) > 0)
    if(key_is(key, "id")) {
      if(!take_string(&inside, out))
        return false;
    } else if(ca_scan_value(&inside, &value) == CA_SCAN_BAD)
      return false;
  return true;
}

static bool take_flag(struct ca_scan *scan, struct ca_reply_account *account)
{
  struct ca_slice value;
  enum ca_scan_kind kind = ca_scan_value(scan, &value);

  account->disabled = kind == CA_SCAN_TRUE;
  account->says_disabled = account->disabled || kind == CA_SCAN_FALSE;
  return kind != CA_SCAN_BAD;
}

static bool take_member(struct ca_scan *scan, struct ca_slice key,
                        struct ca_reply_account *account)
{
  struct ca_slice other;

  if(key_is(key, "id"))
    return take_string(scan, &account->id);
  if(key_is(key, "status"))
    return take_string(scan, &account->status);
  if(key_is(key, "alias"))
    return take_string(scan, &account->alias);
  if(key_is(key, "user_id"))
    return take_string(scan, &account->user);
  if(key_is(key, "created_at"))
    return take_string(scan, &account->created);
  if(key_is(key, "updated_at"))
    return take_string(scan, &account->updated);
  if(key_is(key, "auth_config"))
    return take_config(scan, &account->config);
  if(key_is(key, "is_disabled"))
    return take_flag(scan, account);
  return ca_scan_value(scan, &other) != CA_SCAN_BAD;
}

/* Steps over one account. */
static bool take_account(struct ca_scan *scan,
                         struct ca_reply_account *account)
{
  struct ca_slice key;
  bool first = true;
  int more;

  memset(account, 0, sizeof(*account));
  if(!ca_scan_enter(scan, '{'))
    return false;
  account->text.data = scan->at - 1;
  while((more = ca_scan_member(scan, &first, &key)) > 0)
    if(!take_member(scan, key, account))
      return false;
  account->text.len = (size_t)(scan->at - account->text.data);
  return !more && account->id.data;
}

bool ca_reply_account(const char *text, size_t len,
                      struct ca_reply_account *account)
{
  struct ca_scan scan = { text, text + len };
  return len && take_account(&scan, account) && ca_scan_at_end(&scan);
}

/* The array in `items`, once the whole page is known to be JSON. */
static bool visit_items(struct ca_slice items,
                        bool (*visit)(void *ctx,
                                      const struct ca_reply_account *account),
                        void *ctx)
{
  struct ca_scan scan = { items.data, items.data + items.len };
  struct ca_reply_account account;
  bool first = true;
  int more;

  if(!ca_scan_enter(&scan, '['))
    return false;
  while((more = ca_scan_element(&scan, &first)) > 0) {
    if(!take_account(&scan, &account))
      return false;
    if(!visit(ctx, &account))
      return true;
  }
  return !more;
}

bool ca_reply_accounts(const char *text, size_t len,
                       bool (*visit)(void *ctx,
                                     const struct ca_reply_account *account),
                       void *ctx, char *cursor, size_t cursor_size)
{
  struct ca_scan scan = { text, text + len };
  struct ca_slice items = { NULL, 0 };
  struct ca_slice next = { NULL, 0 };
  struct ca_slice key;
  bool first = true;
  int more;

  *cursor = '\0';
  if(!len || !ca_scan_enter(&scan, '{'))
    return false;
  while((more = ca_scan_member(&scan, &first, &key)) > 0) {
    struct ca_slice other;
    if(key_is(key, "next_cursor")) {
      if(!take_string(&scan, &next))
        return false;
    } else if(ca_scan_value(&scan, &other) == CA_SCAN_BAD)
      return false;
    else if(key_is(key, "items"))
      items = other;
  }
  if(more || !items.data || next.len >= cursor_size ||
     !ca_scan_at_end(&scan) || !visit_items(items, visit, ctx))
    return false;
  ca_reply_copy(next, cursor, cursor_size);
  return true;
}

bool ca_reply_is(struct ca_slice value, const char *text)
{
  size_t len = strlen(text);
  int64_t got;
  char *copy;
  bool same;

  if(!value.data)
    return !len;
  if(!memchr(value.data, '\\', value.len))
    return value.len == len + 2 && !memcmp(value.data + 1, text, len);
  copy = malloc(value.len);
  if(!copy)
    return false;
  got = ca_scan_unescape(value, copy);
  same = got == (int64_t)len && !memcmp(copy, text, len);
  free(copy);
  return same;
}

void ca_reply_copy(struct ca_slice value, char *out, size_t size)
{
  int64_t len;
  char *copy;

  *out = '\0';
  if(!value.data)
    return;
  copy = malloc(value.len);
  if(!copy)
    return;
  len = ca_scan_unescape(value, copy);
  if(len > 0)
    ca_copy_text(out, size, copy, (size_t)len);
  free(copy);
}

int64_t ca_reply_time(struct ca_slice value)
{
  char text[64];
  int64_t ms;

  ca_reply_copy(value, text, sizeof(text));
  return ca_clock_parse(text, &ms) ? ms : 0;
}
