/* Conversion between Lua values and JSON: replies are decoded by lua-cjson and
   then corrected; tables in requests are encoded by our own writer.
   Must not know: the meaning of operations, tasks. */
#ifndef LCA_JSON_H
#define LCA_JSON_H

#include <lua.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/text.h"

/* Deeper nesting is refused in both directions. */
#define LCA_JSON_DEPTH 128

/* Decodes the value and corrects the result: whole numbers up to 2^53 become
   integers, null members are absent, and known lists stay lists when empty
   (they get the metatable of composio.array). name is that of the member whose
   value it is. Throws a string if the value is not JSON or is nested deeper
   than 128. [-0, +1, e] */
#define LCA_JSON_UNNAMED ((struct ca_slice){ "", 0 })
void lca_json_decode(lua_State *L, struct ca_slice name,
                     struct ca_slice value);

/* Appends the value at index to out as JSON, with the keys of objects
   sorted. composio.null is written as null. Raises for what cannot be
   written, naming its path: holes, mixed keys, functions, NaN, invalid
   UTF-8, depth over 128, masked secrets. After a throw, out holds a partial
   text; its owner clears it. [-0, +0, e] */
void lca_json_encode(lua_State *L, int index, struct ca_buf *out,
                     const char *path);

/* Pushes an empty list, as composio.array() makes it. [-0, +1, m] */
void lca_json_push_list(lua_State *L);
/* Is it composio.null (a light userdata, cjson.null)? */
bool lca_json_is_null(lua_State *L, int index);

/* Pushes the lua-cjson module, loaded once per state; if it cannot be
   loaded, returns false and pushes the reason for people. May leave more on
   the stack below it. [-0, +n, e] */
bool lca_json_push_library(lua_State *L);

/* Adds composio.null, composio.array and the private json_decode and
   json_encode to the table on top. Throws if lua-cjson cannot be loaded.
   [-0, +0, e] */
void lca_json_open(lua_State *L);

#endif
