/* The Lua files that are compiled into the module and the host: there is no
   path to search and no second version to mix up. Generated from
   bindings/lua/composio by bindings/module/embed.cmake.
   Must not know: Lua. */
#ifndef LCA_EMBED_H
#define LCA_EMBED_H

#include <stddef.h>

struct lca_embedded {
  const char *name;  /* "composio.pages"; NULL ends the list */
  const char *chunk; /* "@composio/pages.lua" */
  const char *text;  /* or bytecode */
  size_t len;
};

extern const struct lca_embedded lca_embedded[];

#endif
