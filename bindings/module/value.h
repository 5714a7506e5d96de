/* Values straight out of a reply's text, and objects whose members are read
   when somebody asks for them: of an account's two kilobytes a script looks at
   a few words, and making tables of the rest would cost more than the request
   that follows from it.
   Must not know: clients, tasks, pages, what an account is for.
   An object that is read so is a table like any other: what a script reads,
   writes or walks by pairs is there. Only raw access sees what is left aside;
   lca_read_guard covers that, and nothing is left aside without it. */
#ifndef LCA_READ_H
#define LCA_READ_H

#include <lua.h>
#include <stdbool.h>
#include "base/json.h"

/* Pushes the next value, all of it; nil for null. depth is how many tables it
   stands in. False when it is not JSON, nested too deep, or holds half a
   surrogate pair; what is then on the stack the caller's settop takes away.
   [-0, +1, m] */
bool lca_read_value(lua_State *L, struct ca_json_scan *scan, int depth);

/* The same for an object whose metatable is the one at index class, and which
   must have an id. [-0, +1, m] */
bool lca_read_account(lua_State *L, struct ca_json_scan *scan, int depth,
                      int class);

/* Puts what is left aside of the value at index into its table, so that raw
   access finds it; members that are objects may have something left aside
   themselves. [-0, +0, m] */
void lca_read_all(lua_State *L, int index);

/* What is left aside of the value at index, NULL for nothing; it lives as long
   as the value, until lca_read_all. [-0, +0, -] */
struct lca_aside *lca_read_aside(lua_State *L, int index);

/* The text, as it stands in the reply, of the member `name`, or of `name` in
   the member object `outer`: without making a value of it. ASK when that is
   not left aside: the table has it, or has not. aside may be NULL. */
enum lca_peek { LCA_PEEK_ASK, LCA_PEEK_ABSENT, LCA_PEEK_FOUND };
enum lca_peek lca_read_peek(struct lca_aside *aside, const char *outer,
                            const char *name, struct ca_slice *text);
/* The same for many members in one walk, which is shortest when they are named
   in the order of the reply; and for those of an object that was found. */
struct lca_peeked {
  enum lca_peek how;
  struct ca_slice text; /* when FOUND */
};
void lca_read_peek_all(const struct lca_aside *aside,
                       const struct ca_slice *names, int count,
                       struct lca_peeked *peeked);
void lca_read_peek_inside(const struct lca_peeked *outer,
                          const struct ca_slice *names, int count,
                          struct lca_peeked *peeked);

/* The text of such a member, left aside or not: in out, or on the stack when
   it does not fit there. NULL when it has none. [-0, +(0|1), e] */
const char *lca_read_text(lua_State *L, int index, const char *outer,
                          const char *name, char *out, size_t size);

/* From here on next, rawget, rawset and cjson's encode of this state look
   behind what is left aside, and so objects may be read in parts. The globals
   must be those of Lua. [-0, +0, m] */
void lca_read_guard(lua_State *L);
bool lca_read_is_guarded(lua_State *L);

#endif
