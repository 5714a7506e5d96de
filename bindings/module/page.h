/* List replies: accounts read straight out of the text and, where raw access
   is guarded (module/value.h), each member only when a script first touches
   it. Must not know: clients, tasks, what a selection is. */
#ifndef LCA_PAGE_H
#define LCA_PAGE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Pushes the page as a table shaped like what lca_json_decode gives; its items
   get the methods of the class table at index `class`. Pushes nothing and
   returns false when the text is not JSON or no page with items that have an
   id. [-0, +(0|1), m] */
bool lca_page_push(lua_State *L, const char *text, size_t len, int class);

#endif
