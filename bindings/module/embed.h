/* The Lua files that are inside the module and the host: no path to find, no
   version to mix. Generated from bindings/lua/composio by
   bindings/embed.cmake. Knows nothing of Lua. */
#ifndef LCA_EMBED_H
#define LCA_EMBED_H

#include <stddef.h>

struct lca_embedded {
  const char *name;  /* "pages"; NULL ends the list */
  const char *chunk; /* "@composio/pages.lua" */
  const char *text;  /* or bytecode */
  size_t len;
};

extern const struct lca_embedded lca_embedded[];

#endif
