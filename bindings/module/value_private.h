/* Objects that are read in parts, as the files of this room share them. Other
   rooms use module/value.h.
   Must not know: what an object is for. */
#ifndef LCA_READ_PART_H
#define LCA_READ_PART_H

#include <string.h>
#include "module/value.h"

struct lca_member {
  struct ca_slice key;
  struct ca_slice value;
};

/* The object's text follows behind its members, whose slices point into it. */
struct lca_aside {
  uint64_t given; /* members that the table has got, or must not get */
  int count;
  struct lca_member members[];
};

static inline bool lca_same_text(struct ca_slice a, struct ca_slice b)
{
  return a.len == b.len && (!a.len || a.data[0] == b.data[0]) &&
         !memcmp(a.data, b.data, a.len);
}

static inline struct lca_member *lca_find_member(struct lca_aside *parts,
                                                 struct ca_slice key)
{
  int i;
  for(i = 0; i < parts->count; i++)
    if(lca_same_text(parts->members[i].key, key))
      return &parts->members[i];
  return NULL;
}

static inline bool lca_is_given(const struct lca_aside *parts,
                                const struct lca_member *member)
{
  return (parts->given & UINT64_C(1) << (member - parts->members)) != 0;
}

#endif
