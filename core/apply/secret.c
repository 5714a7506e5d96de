/* The secret bodies of changes, which live in this process only. They are an
   array that is sorted by change: changes nearly always come in rising order,
   so a new body goes to its end. Must not know: the engine, the ledger. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "base/secret.h"

/* The first entry that is not before the change. */
static size_t kept_place(const struct ca_apply *apply, int64_t change)
{
  size_t from = 0;
  size_t to = apply->kept_count;

  while(from < to) {
    size_t middle = from + (to - from) / 2;
    if(apply->kept[middle].change < change)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static struct ca_kept *kept_at(const struct ca_apply *apply, int64_t change)
{
  size_t place = kept_place(apply, change);

  if(place == apply->kept_count || apply->kept[place].change != change)
    return NULL;
  return &apply->kept[place];
}

const struct ca_kept *ca_kept_find(const struct ca_apply *apply,
                                   int64_t change)
{
  const struct ca_kept *kept = kept_at(apply, change);
  return kept && kept->body ? kept : NULL;
}

static void give_up(struct ca_kept *kept)
{
  if(!kept->body)
    return;
  ca_secret_remove_json(kept->body, kept->len);
  ca_wipe(kept->body, kept->len);
  free(kept->body);
  kept->body = NULL;
}

void ca_kept_drop(struct ca_apply *apply, int64_t change)
{
  struct ca_kept *kept = kept_at(apply, change);

  if(kept)
    give_up(kept);
  /* what was given up at the end is forgotten; elsewhere it waits for that */
  while(apply->kept_count && !apply->kept[apply->kept_count - 1].body)
    apply->kept_count--;
}

void ca_kept_clear(struct ca_apply *apply)
{
  size_t i;

  for(i = 0; i < apply->kept_count; i++)
    give_up(&apply->kept[i]);
  free(apply->kept);
  apply->kept = NULL;
  apply->kept_count = 0;
  apply->kept_size = 0;
}

static bool make_room(struct ca_apply *apply)
{
  size_t size = apply->kept_size ? apply->kept_size * 2 : 16;
  struct ca_kept *more;

  if(apply->kept_count < apply->kept_size)
    return true;
  more = realloc(apply->kept, size * sizeof(*more));
  if(!more)
    return false;
  apply->kept = more;
  apply->kept_size = size;
  return true;
}

enum ca_code ca_apply_keep_secret(struct ca_apply *apply, int64_t change,
                                  const char *body, size_t len)
{
  struct ca_kept *kept = kept_at(apply, change);
  char *copy = malloc(len + 1);
  size_t place;

  if(!copy)
    return CA_NOMEM;
  memcpy(copy, body, len);
  copy[len] = '\0';
  if(!kept) {
    if(!make_room(apply)) {
      ca_wipe(copy, len);
      free(copy);
      return CA_NOMEM;
    }
    place = kept_place(apply, change);
    kept = &apply->kept[place];
    memmove(kept + 1, kept, (apply->kept_count - place) * sizeof(*kept));
    apply->kept_count++;
    kept->body = NULL;
  }
  give_up(kept);
  kept->change = change;
  kept->body = copy;
  kept->len = len;
  ca_secret_add_json(copy, len);
  return CA_OK;
}
