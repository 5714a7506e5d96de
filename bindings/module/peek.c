/* Looking at members of an object that are still text, without making values
   of them.
   Must not know: clients, tasks, pages, what an account is for. */
#include <lauxlib.h>
#include "module/value_private.h"

/* The member with that name in the object that text is; of two the first. */
static bool find_inside(struct ca_slice text, struct ca_slice name,
                        struct ca_slice *value)
{
  struct ca_json_scan scan = { text.data, text.data + text.len };
  struct ca_slice key;
  bool first = true;
  if(!ca_json_enter(&scan, '{'))
    return false;
  while(ca_json_member(&scan, &first, &key) > 0 &&
        ca_json_value(&scan, value) != CA_JSON_BAD)
    if(lca_same_text(key, name))
      return true;
  return false;
}

enum lca_peek lca_read_peek(struct lca_aside *aside, const char *outer,
                            const char *name, struct ca_slice *text)
{
  struct ca_slice wanted = { name, strlen(name) };
  struct ca_slice key = wanted;
  const struct lca_member *member;
  if(!aside)
    return LCA_PEEK_ASK;
  if(outer) {
    key.data = outer;
    key.len = strlen(outer);
  }
  member = lca_find_member(aside, key);
  if(!member || lca_is_given(aside, member)) /* a script may have added it */
    return LCA_PEEK_ASK;
  *text = member->value;
  if(outer && !find_inside(member->value, wanted, text))
    return LCA_PEEK_ABSENT;
  return LCA_PEEK_FOUND;
}

/* Which of the names it is, looked for from *next on; -1 for none. */
static int which_name(struct ca_slice key, const struct ca_slice *names,
                      int count, int *next)
{
  int at = *next;
  int i;
  for(i = 0; i < count; i++, at++) {
    if(at >= count)
      at = 0;
    if(lca_same_text(key, names[at])) {
      *next = at + 1;
      return at;
    }
  }
  return -1;
}

static void peek_none(struct lca_peeked *peeked, int count, enum lca_peek how)
{
  int i;
  for(i = 0; i < count; i++)
    peeked[i].how = how;
}

void lca_read_peek_all(const struct lca_aside *aside,
                       const struct ca_slice *names, int count,
                       struct lca_peeked *peeked)
{
  int next = 0;
  int i;
  peek_none(peeked, count, LCA_PEEK_ASK);
  for(i = 0; aside && i < aside->count; i++) {
    const struct lca_member *member = &aside->members[i];
    int at = lca_is_given(aside, member)
                 ? -1
                 : which_name(member->key, names, count, &next);
    if(at >= 0) {
      peeked[at].how = LCA_PEEK_FOUND;
      peeked[at].text = member->value;
    }
  }
}

void lca_read_peek_inside(const struct lca_peeked *outer,
                          const struct ca_slice *names, int count,
                          struct lca_peeked *peeked)
{
  struct ca_json_scan scan = { outer->text.data, NULL };
  struct ca_slice key;
  struct ca_slice value;
  bool first = true;
  int next = 0;
  int missing = count;
  if(outer->how != LCA_PEEK_FOUND) {
    peek_none(peeked, count, outer->how);
    return;
  }
  scan.end = outer->text.data + outer->text.len;
  peek_none(peeked, count, LCA_PEEK_ABSENT);
  if(!ca_json_enter(&scan, '{'))
    return;
  while(missing && ca_json_member(&scan, &first, &key) > 0 &&
        ca_json_value(&scan, &value) != CA_JSON_BAD) {
    int at = which_name(key, names, count, &next);
    if(at >= 0 && peeked[at].how == LCA_PEEK_ABSENT) { /* of two the first */
      peeked[at].how = LCA_PEEK_FOUND;
      peeked[at].text = value;
      missing--;
    }
  }
}

/* The same of a table: left on the stack. */
static const char *ask_text(lua_State *L, int index, const char *outer,
                            const char *name)
{
  if(!outer)
    lua_getfield(L, index, name);
  else if(lua_getfield(L, index, outer) == LUA_TTABLE) {
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
  }
  return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

const char *lca_read_text(lua_State *L, int index, const char *outer,
                          const char *name, char *out, size_t size)
{
  struct ca_slice text;
  switch(lca_read_peek(lca_read_aside(L, index), outer, name, &text)) {
  case LCA_PEEK_FOUND:
    if(text.data[0] != '"')
      return NULL;
    if(text.len > size)
      return ask_text(L, index, outer, name);
    out[ca_json_unescape(text, out)] = '\0'; /* it was judged */
    return out;
  case LCA_PEEK_ABSENT:
    return NULL;
  default:
    return ask_text(L, index, outer, name);
  }
}
