/* Accounts: the tables that scripts see, and the JSON texts that they were
   read from. A table in the registry with weak keys maps account to text. Each
   account has a copy of its own part of the reply, so an account that a script
   keeps does not keep the whole page in memory. The copy is validated when it
   is made; decoding a member later cannot fail for bad JSON.
   Must not know: clients, tasks, what an account is changed for. */
#include <string.h>
#include <lauxlib.h>
#include "module/account.h"
#include "module/error.h"
#include "module/json.h"
#include "module/table.h"

#define ARRAY             "composio.array"
#define MEMBERS           64 /* with more, an account is scanned twice */
#define STATUS_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define METHODS           lua_upvalueindex(1)

static const char texts_key; /* in the registry */

/* The place of a member, in bytes from the start of the text; the key is
   without quotes, its escapes undecoded. */
struct member {
  uint32_t key;
  uint32_t key_len;
  uint32_t value;
  uint32_t value_len;
  bool is_decoded; /* its value was put into the table, or must not be */
};

/* The members that C code and most scripts use. The light ones are in every
 * account's table from the start. */
#define NAME(name)         \
  {                        \
    name, sizeof(name) - 1 \
  }
#define KNOWN     LCA_ACCOUNT_MEMBERS
#define KNOWN_LEN 13
static const struct {
  struct ca_slice name;
  bool is_light;
} known[KNOWN] = {
  [LCA_ACCOUNT_ID] = { NAME("id"), true },
  [LCA_ACCOUNT_ALIAS] = { NAME("alias"), true },
  [LCA_ACCOUNT_STATE] = { NAME("state"), false },
  [LCA_ACCOUNT_STATUS] = { NAME("status"), true },
  [LCA_ACCOUNT_USER_ID] = { NAME("user_id"), true },
  [LCA_ACCOUNT_WORD_ID] = { NAME("word_id"), true },
  [LCA_ACCOUNT_TOOLKIT] = { NAME("toolkit"), false },
  [LCA_ACCOUNT_CREATED_AT] = { NAME("created_at"), true },
  [LCA_ACCOUNT_UPDATED_AT] = { NAME("updated_at"), true },
  [LCA_ACCOUNT_IS_DISABLED] = { NAME("is_disabled"), true },
  [LCA_ACCOUNT_AUTH_CONFIG] = { NAME("auth_config"), false },
  [LCA_ACCOUNT_EXPERIMENTAL] = { NAME("experimental"), false },
  [LCA_ACCOUNT_STATUS_REASON] = { NAME("status_reason"), true }
};
/* Indexed by length: the first known name that is at least that long. */
static const unsigned char first_known[KNOWN_LEN + 2] = { 0, 0, 0,  1,  1,
                                                          1, 3, 4,  7,  7,
                                                          7, 9, 11, 12, 13 };

/* One allocation: the account's text follows the members. */
struct lca_account {
  size_t len;
  int count;
  int places[KNOWN]; /* of the known ones in members; -1: absent */
  struct member members[];
};

/* ---- the text ---- */

static const char *text_of(const struct lca_account *account)
{
  return (const char *)&account->members[account->count];
}

static struct ca_slice key_of(const struct lca_account *account,
                              const struct member *member)
{
  struct ca_slice key = { text_of(account) + member->key, member->key_len };
  return key;
}

static struct ca_slice value_of(const struct lca_account *account,
                                const struct member *member)
{
  struct ca_slice value = { text_of(account) + member->value,
                            member->value_len };
  return value;
}

static bool is_same(struct ca_slice a, struct ca_slice b)
{
  return a.len == b.len && (!a.len || a.data[0] == b.data[0]) &&
         !memcmp(a.data, b.data, a.len);
}

/* Returns whether the JSON key, given without quotes, is that name. */
static bool is_name(struct ca_slice key, struct ca_slice name)
{
  char plain[512];
  struct ca_slice quoted = { key.data - 1, key.len + 2 };
  struct ca_slice unescaped = { plain, 0 };
  int64_t len;
  if(is_same(key, name))
    return true;
  if(key.len <= name.len || quoted.len > sizeof(plain) ||
     !memchr(key.data, '\\', key.len))
    return false;
  len = ca_json_unescape(quoted, plain);
  unescaped.len = len < 0 ? 0 : (size_t)len;
  return len >= 0 && is_same(unescaped, name);
}

/* Returns which known name it is, or -1. */
static int find_known(struct ca_slice name)
{
  int i;
  if(name.len <= KNOWN_LEN)
    for(i = first_known[name.len]; i < first_known[name.len + 1]; i++)
      if(is_same(known[i].name, name))
        return i;
  return -1;
}

/* The same for a JSON key, which may have escapes. */
static int find_known_key(struct ca_slice key)
{
  int place = find_known(key);
  int i;
  if(place < 0 && memchr(key.data, '\\', key.len))
    for(i = 0; i < KNOWN && place < 0; i++)
      if(is_name(key, known[i].name))
        place = i;
  return place;
}

/* Returns the member with that name, or NULL; the last one if there are
   several, like lua-cjson. */
static struct member *find_member(struct lca_account *account,
                                  struct ca_slice name)
{
  int place = find_known(name);
  if(place >= 0) {
    place = account->places[place];
    return place < 0 ? NULL : &account->members[place];
  }
  for(place = account->count - 1; place >= 0; place--)
    if(is_name(key_of(account, &account->members[place]), name))
      return &account->members[place];
  return NULL;
}

bool lca_account_find(const struct lca_account *account, const char *path,
                      struct ca_slice *value)
{
  struct ca_slice name = { path, strcspn(path, ".") };
  const struct member *member;
  if(!account)
    return false;
  member = find_member((struct lca_account *)account, name);
  if(!member)
    return false;
  *value = value_of(account, member);
  while(name.data[name.len]) {
    name.data += name.len + 1;
    name.len = strcspn(name.data, ".");
    if(!ca_json_member_of(*value, name, value))
      return false;
  }
  return value->data[0] != 'n';
}

bool lca_account_member(const struct lca_account *account,
                        enum lca_account_member which, const char *inner,
                        struct ca_slice *value)
{
  int place = account ? account->places[which] : -1;
  if(place < 0)
    return false;
  *value = value_of(account, &account->members[place]);
  return (!inner || ca_json_member_of(*value, ca_slice_of(inner), value)) &&
         value->data[0] != 'n';
}

/* ---- values ---- */

/* Pushes the member's value; nil for null. [-0, +1, m] */
static void push_value(lua_State *L, struct ca_slice name,
                       struct ca_slice value)
{
  switch(value.data[0]) {
  case 't':
  case 'f':
    lua_pushboolean(L, value.data[0] == 't');
    return;
  case 'n':
    lua_pushnil(L);
    return;
  case '"':
    if(!memchr(value.data, '\\', value.len)) {
      lua_pushlstring(L, value.data + 1, value.len - 2);
      return;
    }
    break;
  default:
    break;
  }
  lca_json_decode(L, name, value);
}

/* Pushes a member's key; in the text there are quotes around it.
   [-0, +1, m] */
static void push_key(lua_State *L, struct ca_slice key)
{
  struct ca_slice quoted = { key.data - 1, key.len + 2 };
  push_value(L, key, quoted);
}

const char *lca_account_push_text(lua_State *L,
                                  const struct lca_account *account,
                                  const char *path)
{
  struct ca_slice value;
  if(lca_account_find(account, path, &value) && value.data[0] == '"')
    push_value(L, LCA_JSON_UNNAMED, value);
  else
    lua_pushnil(L);
  return lua_tostring(L, -1);
}

bool lca_account_is_true(const struct lca_account *account, const char *path)
{
  struct ca_slice value;
  return lca_account_find(account, path, &value) && value.data[0] == 't';
}

/* ---- from table to text ---- */

/* Returns the text of the table at index, or NULL. [-0, +0, -] */
static struct lca_account *account_of(lua_State *L, int index)
{
  struct lca_account *account;
  if(!lua_istable(L, index))
    return NULL;
  index = lua_absindex(L, index);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key);
  lua_pushvalue(L, index);
  lua_rawget(L, -2);
  account = lua_touserdata(L, -1);
  lua_pop(L, 2);
  return account;
}

const struct lca_account *lca_account_of(lua_State *L, int index)
{
  return account_of(L, index);
}

bool lca_account_has_id(const struct lca_account *account, const char *id)
{
  struct ca_slice own;
  if(!lca_account_member(account, LCA_ACCOUNT_ID, NULL, &own))
    return false;
  own.data++; /* without its quotes */
  own.len -= 2;
  return is_name(own, ca_slice_of(id));
}

const struct lca_account *lca_account_about(lua_State *L, int index,
                                            const char *id)
{
  const struct lca_account *account = account_of(L, index);
  return lca_account_has_id(account, id) ? account : NULL;
}

/* ---- what a script sees ---- */

/* Returns the member with the name at index `name` if it is not decoded
   into the table yet, else NULL. [-0, +0, -] */
static struct member *find_undecoded(lua_State *L, struct lca_account *account,
                                     int name)
{
  struct member *member;
  struct ca_slice key;
  if(!account || lua_type(L, name) != LUA_TSTRING)
    return NULL;
  key.data = lua_tolstring(L, name, &key.len);
  member = find_member(account, key);
  return member && !member->is_decoded ? member : NULL;
}

/* Decodes the member into the account at index `table`, under the key on
   top, unless a script has set that key. [-1, +0, m] */
static void give(lua_State *L, const struct lca_account *account,
                 struct member *member, int table)
{
  struct ca_slice name;
  name.data = lua_tolstring(L, -1, &name.len);
  lua_pushvalue(L, -1);
  if(lua_rawget(L, table) == LUA_TNIL) {
    lua_pop(L, 1);
    push_value(L, name, value_of(account, member));
    lua_rawset(L, table); /* nil: a null member is absent */
  } else
    lua_pop(L, 2);
  member->is_decoded = true;
}

/* Raises if the name at 2, which is none, is that of a member or a method as
   other clients spell it: userId. A script would take nil for an answer. */
static void refuse_spelling(lua_State *L, struct lca_account *account)
{
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  char snake[64];
  if(!account || !lca_error_to_snake(name, snake, sizeof(snake)))
    return;
  if(find_member(account, ca_slice_of(snake)) ||
     lua_getfield(L, METHODS, snake) != LUA_TNIL)
    lca_error_usage(L, "there is no field '%s' (did you mean '%s'?)", name,
                    snake);
}

/* __index(account, name): returns a method, or a member, which it decodes. */
static int account_index(lua_State *L)
{
  struct lca_account *account;
  struct member *member;
  lua_settop(L, 2);
  lua_pushvalue(L, 2);
  if(lua_rawget(L, METHODS) != LUA_TNIL)
    return 1;
  account = account_of(L, 1);
  member = find_undecoded(L, account, 2);
  if(!member) {
    refuse_spelling(L, account);
    return 0;
  }
  lua_pushvalue(L, 2);
  give(L, account, member, 1);
  lua_settop(L, 2);
  lua_rawget(L, 1);
  return 1;
}

/* __newindex(account, name, value): what a script writes is kept, nil too;
   the member is not decoded later. */
static int account_newindex(lua_State *L)
{
  struct member *member = find_undecoded(L, account_of(L, 1), 2);
  if(member)
    member->is_decoded = true;
  lua_settop(L, 3);
  lua_rawset(L, 1);
  return 0;
}

/* Returns whether a later member has the same key. */
static bool is_replaced(const struct lca_account *account, int place)
{
  struct ca_slice key = key_of(account, &account->members[place]);
  while(++place < account->count)
    if(is_same(key_of(account, &account->members[place]), key))
      return true;
  return false;
}

/* Decodes all members that the account at index 1 does not have yet.
   [-0, +0, m] */
static void decode_all(lua_State *L)
{
  struct lca_account *account = account_of(L, 1);
  int i;
  for(i = 0; account && i < account->count; i++) {
    struct member *member = &account->members[i];
    if(member->is_decoded || is_replaced(account, i))
      continue;
    push_key(L, key_of(account, member));
    lua_pushvalue(L, -1);
    if(lua_rawget(L, METHODS) == LUA_TNIL) {
      lua_pop(L, 1);
      give(L, account, member, 1);
    } else
      lua_pop(L, 2);
  }
}

static int next_field(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE); /* scripts get this function from pairs */
  lua_settop(L, 2);
  return lua_next(L, 1) ? 2 : 0;
}

/* __pairs(account): decodes all members first. */
static int account_pairs(lua_State *L)
{
  lua_settop(L, 1);
  decode_all(L);
  lua_pushcfunction(L, next_field);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

/* account:decode() -> account */
static int account_decode(lua_State *L)
{
  if(!lua_istable(L, 1))
    return lca_error_usage(L,
                           "decode() is a method of accounts: call it with a "
                           "colon");
  lua_settop(L, 1);
  decode_all(L);
  return 1;
}

/* __tostring: "ca_1 github ACTIVE user_123", without the parts that are
   absent. */
static int account_tostring(lua_State *L)
{
  luaL_Buffer line;
  int i;
  lua_settop(L, 1);
  lua_getfield(L, 1, "id");
  if(lua_getfield(L, 1, "toolkit") == LUA_TTABLE)
    lua_getfield(L, -1, "slug");
  else
    lua_pushnil(L);
  lua_replace(L, 3);
  lua_getfield(L, 1, "status");
  lua_getfield(L, 1, "user_id");
  luaL_buffinit(L, &line);
  for(i = 2; i <= 5; i++)
    if(lua_type(L, i) == LUA_TSTRING) {
      if(i > 2)
        luaL_addchar(&line, ' ');
      lua_pushvalue(L, i);
      luaL_addvalue(&line);
    }
  luaL_pushresult(&line);
  return 1;
}

void lca_account_push_class(lua_State *L, const char *name, int methods)
{
  static const luaL_Reg class[] = { { "__index", account_index },
                                    { "__newindex", account_newindex },
                                    { "__pairs", account_pairs },
                                    { "__tostring", account_tostring },
                                    { NULL, NULL } };
  methods = lua_absindex(L, methods);
  lua_pushvalue(L, methods);
  lua_pushcclosure(L, account_decode, 1);
  lua_setfield(L, methods, "decode");
  lua_createtable(L, 0, 6);
  lua_pushvalue(L, methods);
  luaL_setfuncs(L, class, 1);
  lca_table_set_text(L, "__name", name);
  lca_table_set_bool(L, "__metatable", false);
}

/* ---- making accounts ---- */

/* Returns whether the text may have half of a surrogate pair. Surrogates
   are so rare that lua-cjson can check the text for any of them. */
static bool may_be_half(const char *at, const char *end)
{
  while((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
    if(end - at > 2 && at[1] == 'u' && (at[2] | 0x20) == 'd')
      return true;
    at += 2; /* skips the escape: the byte after a backslash does not end a
                string */
  }
  return false;
}

/* Finds the places of the members of the next object and stores at most max
   of them. Returns how many there are, or -1 if it is not JSON. */
static int find_members(struct ca_json_scan *scan, int depth,
                        struct member *members, int max)
{
  struct ca_slice value;
  struct ca_slice key;
  const char *from;
  bool first = true;
  int count = 0;
  int more;
  if(!ca_json_enter(scan, '{'))
    return -1;
  from = scan->at - 1;
  while((more = ca_json_member(scan, &first, &key)) > 0) {
    if(ca_json_value_within(scan, CA_JSON_DEPTH - depth - 1, &value) ==
       CA_JSON_BAD)
      return -1;
    if(count < max) {
      members[count].key = (uint32_t)(key.data - from);
      members[count].key_len = (uint32_t)key.len;
      members[count].value = (uint32_t)(value.data - from);
      members[count].value_len = (uint32_t)value.len;
      members[count].is_decoded = false;
    }
    count++;
  }
  return more < 0 ? -1 : count;
}

/* Pushes the next object as a userdata of struct lca_account. Returns NULL
   if it is not JSON; the caller then restores the stack. [-0, +many, e] */
static struct lca_account *push_text(lua_State *L, struct ca_json_scan *scan,
                                     int depth)
{
  struct member few[MEMBERS];
  struct member *members = few;
  struct lca_account *account;
  struct ca_json_scan reader = *scan;
  struct ca_slice text;
  size_t size;
  int count = find_members(scan, depth, members, MEMBERS);
  if(count > MEMBERS) {
    struct ca_json_scan once_more = reader;
    members = lua_newuserdatauv(L, (size_t)count * sizeof(*members), 0);
    (void)find_members(&once_more, depth, members, count);
  }
  if(count < 0 || !ca_json_enter(&reader, '{'))
    return NULL;
  reader.at--;
  text.data = reader.at;
  text.len = (size_t)(scan->at - reader.at);
  if(may_be_half(reader.at, scan->at))
    lca_json_decode(L, LCA_JSON_UNNAMED, text); /* raises if it has */
  size = (size_t)count * sizeof(*members);
  account = lua_newuserdatauv(L, sizeof(*account) + size + text.len, 0);
  account->len = text.len;
  account->count = count;
  memcpy(account->members, members, size);
  memcpy(&account->members[count], text.data, text.len);
  return account;
}

/* Stores the places of the known members. Returns how many light ones there
   are, null ones included. */
static int find_light(struct lca_account *account)
{
  int count = 0;
  int i;
  for(i = 0; i < KNOWN; i++)
    account->places[i] = -1;
  for(i = 0; i < account->count; i++) {
    struct member *member = &account->members[i];
    int place = find_known_key(key_of(account, member));
    if(place < 0)
      continue;
    account->places[place] = i;
    member->is_decoded = known[place].is_light;
    count += known[place].is_light;
  }
  return count;
}

/* Pushes a table with the light fields. [-0, +1, e] */
static void push_light(lua_State *L, struct lca_account *account)
{
  int i;
  lua_createtable(L, 0, find_light(account) + 1);
  for(i = 0; i < KNOWN; i++)
    if(known[i].is_light && account->places[i] >= 0) {
      const struct member *member = &account->members[account->places[i]];
      push_value(L, known[i].name, value_of(account, member));
      lua_setfield(L, -2, known[i].name.data); /* nil: null is absent */
    }
}

bool lca_account_push(lua_State *L, struct ca_json_scan *scan, int depth,
                      int class)
{
  struct lca_account *account;
  struct ca_slice id;
  int top = lua_gettop(L);
  luaL_checkstack(L, 12, "an account");
  account = push_text(L, scan, depth);
  if(!account)
    return false;
  lua_insert(L, top + 1);
  lua_settop(L, top + 1);
  push_light(L, account); /* text table */
  if(!lca_account_member(account, LCA_ACCOUNT_ID, NULL, &id) ||
     id.data[0] != '"')
    return false;
  lua_pushvalue(L, class);
  lua_setmetatable(L, -2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, top + 1);
  lua_rawset(L, -3);
  lua_settop(L, top + 2);
  lua_remove(L, top + 1);
  return true;
}

/* ---- pages ---- */

/* Reads the next array and pushes it as a list of accounts. Returns false
   if it is not one; the caller restores the stack. */
static bool push_items(lua_State *L, struct ca_json_scan *scan, int class)
{
  lua_Integer place = 0;
  bool first = true;
  int more;
  if(!ca_json_enter(scan, '['))
    return false;
  lua_createtable(L, 100, 0);
  while((more = ca_json_element(scan, &first)) > 0) {
    /* depth 2: the page and its list */
    if(!lca_account_push(L, scan, 2, class))
      return false;
    lua_rawseti(L, -2, ++place);
  }
  luaL_setmetatable(L, ARRAY);
  return more == 0;
}

bool lca_account_push_page(lua_State *L, const char *text, size_t len,
                           int class)
{
  static const struct ca_slice items = { "items", 5 };
  struct ca_json_scan scan = { text, text + len };
  struct ca_slice value;
  struct ca_slice key;
  bool first = true;
  bool any = false;
  int more;
  luaL_checkstack(L, 8, "a page");
  if(!ca_json_enter(&scan, '{'))
    return false;
  lua_newtable(L);
  while((more = ca_json_member(&scan, &first, &key)) > 0) {
    bool is_items = is_name(key, items);
    push_key(L, key);
    if(is_items) {
      if(!push_items(L, &scan, class))
        return false;
    } else if(ca_json_value_within(&scan, CA_JSON_DEPTH - 1, &value) ==
              CA_JSON_BAD)
      return false;
    else
      push_value(L, key, value);
    lua_rawset(L, -3); /* nil: a null member is absent */
    any = any || is_items;
  }
  return more == 0 && any && ca_json_at_end(&scan);
}

bool lca_account_push_with_status(lua_State *L, int index, const char *status)
{
  const struct lca_account *account = lca_account_of(L, index);
  struct ca_json_scan scan;
  int top = lua_gettop(L);
  bool pushed;
  if(!account || status[strspn(status, STATUS_CHARACTERS)])
    return false;
  lua_getmetatable(L, index);
  /* of two members with one name the last one counts */
  lua_pushlstring(L, text_of(account), account->len - 1);
  lua_pushfstring(L, ",\"status\":\"%s\"}", status);
  lua_concat(L, 2);
  scan.at = lua_tostring(L, -1);
  scan.end = scan.at + lua_rawlen(L, -1);
  pushed = lca_account_push(L, &scan, 0, top + 1);
  if(pushed)
    lua_replace(L, top + 1);
  lua_settop(L, pushed ? top + 1 : top);
  return pushed;
}

void lca_account_open(lua_State *L)
{
  if(lua_rawgetp(L, LUA_REGISTRYINDEX, &texts_key) == LUA_TNIL) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &texts_key);
    lua_newtable(L);
    lca_account_push_class(L, LCA_ACCOUNT_CONFIG_CLASS, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, LCA_ACCOUNT_CONFIG_CLASS);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
