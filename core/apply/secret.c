/* The secret bodies of changes, which exist in this process only. They are
   kept in an array sorted by change number: numbers nearly always rise, so a
   new body is appended. Must not know: the engine, the ledger. */
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "base/secret.h"

/* Index of the first entry whose number is not below the change's. */
static size_t secret_place(const struct ca_apply *apply, int64_t change)
{
  size_t from = 0;
  size_t to = apply->secret_count;

  while(from < to) {
    size_t middle = from + (to - from) / 2;
    if(apply->secrets[middle].change < change)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static struct ca_apply_secret *secret_at(const struct ca_apply *apply,
                                         int64_t change)
{
  size_t place = secret_place(apply, change);

  if(place == apply->secret_count || apply->secrets[place].change != change)
    return NULL;
  return &apply->secrets[place];
}

const struct ca_apply_secret *
ca_apply_secret_find(const struct ca_apply *apply, int64_t change)
{
  const struct ca_apply_secret *entry = secret_at(apply, change);
  return entry && entry->body ? entry : NULL;
}

static void give_up(struct ca_apply_secret *entry)
{
  if(!entry->body)
    return;
  ca_secret_remove_json(entry->body, entry->len);
  ca_buf_wipe_memory(entry->body, entry->len);
  free(entry->body);
  entry->body = NULL;
}

void ca_apply_secret_drop(struct ca_apply *apply, int64_t change)
{
  struct ca_apply_secret *entry = secret_at(apply, change);

  if(entry)
    give_up(entry);
  /* wiped entries are removed from the end only; others stay until then */
  while(apply->secret_count && !apply->secrets[apply->secret_count - 1].body)
    apply->secret_count--;
}

void ca_apply_secret_clear(struct ca_apply *apply)
{
  size_t i;

  for(i = 0; i < apply->secret_count; i++)
    give_up(&apply->secrets[i]);
  free(apply->secrets);
  apply->secrets = NULL;
  apply->secret_count = 0;
  apply->secret_size = 0;
}

/* Inserts an entry without a body; NULL when out of memory. */
static struct ca_apply_secret *insert(struct ca_apply *apply, int64_t change)
{
  size_t place = secret_place(apply, change);
  struct ca_apply_secret *secrets =
      ca_buf_grow(apply->secrets, apply->secret_count, &apply->secret_size,
                  sizeof(*secrets));
  struct ca_apply_secret *entry;

  if(!secrets)
    return NULL;
  apply->secrets = secrets;
  entry = &secrets[place];
  memmove(entry + 1, entry, (apply->secret_count - place) * sizeof(*entry));
  apply->secret_count++;
  *entry = (struct ca_apply_secret){ .change = change };
  return entry;
}

enum ca_code ca_apply_secret_keep(struct ca_apply *apply, int64_t change,
                                  const char *body, size_t len)
{
  struct ca_apply_secret *entry = secret_at(apply, change);
  char *copy;

  if(!entry)
    entry = insert(apply, change);
  copy = entry ? malloc(len + 1) : NULL;
  if(!copy)
    return CA_NOMEM;
  memcpy(copy, body, len);
  copy[len] = '\0';
  give_up(entry);
  entry->body = copy;
  entry->len = len;
  ca_secret_add_json(copy, len);
  return CA_OK;
}
