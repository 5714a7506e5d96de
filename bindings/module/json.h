/* Values across the wall: replies decoded by lua-cjson and then corrected,
   requests' free tables encoded by our own small writer.
   Must not know: operations' meaning, tasks. */
#ifndef LCA_JSON_H
#define LCA_JSON_H

#include <lua.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/text.h"

/* Nesting deeper than this is refused in both directions. */
#define LCA_JSON_DEPTH 128

/* Decodes and corrects: integral numbers up to 2^53 become integers, null
   fields are absent, known arrays stay arrays when empty (they carry the
   metatable of composio.array). Throws a string when it is not JSON or nested
   deeper than 128. [-0, +1, e] */
void lca_json_decode(lua_State *L, const char *text, size_t len);

/* The same for the value of an object's member: an empty list stays one where
   the member's name is that of a known list. [-0, +1, e] */
void lca_json_decode_member(lua_State *L, struct ca_slice name,
                            struct ca_slice value);

/* Appends the value at index as JSON; keys of objects sorted. Raises with the
   path of what cannot be written: holes, mixed keys, functions, NaN, invalid
   UTF-8, depth over 128, masked secrets. composio.null is written as null.
   [-0, +0, e] — out is left as it is on a throw; its owner clears it. */
void lca_json_encode(lua_State *L, int index, struct ca_buf *out,
                     const char *path);

/* Pushes composio.null (a light userdata, cjson.null). [-0, +1, -] */
void lca_json_push_null(lua_State *L);
bool lca_json_is_null(lua_State *L, int index);

/* Pushes the module lua-cjson, as it was when the module was opened; false:
   why it cannot be loaded. [-0, +1, m] */
bool lca_json_push_library(lua_State *L);
/* Of what that left on top: the words for people. [-0, +1, e] */
void lca_json_push_missing(lua_State *L);

/* composio.null, composio.array and the private decode and encode into the
   table on top. Throws when lua-cjson is not there. [-0, +0, e] */
void lca_json_open(lua_State *L);

#endif
