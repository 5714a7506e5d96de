/* Copying change rows. Knows nothing of the database. */
#include <string.h>
#include "ledger/row.h"

/* Where the row's texts are, so that copying is one loop. */
#define TEXTS 15

static void collect(struct ca_change_row *row, const char **at[TEXTS])
{
  struct ca_change *change = &row->change;
  int n = 0;

  at[n++] = &change->account;
  at[n++] = &change->user;
  at[n++] = &change->config;
  at[n++] = &change->query;
  at[n++] = &change->body;
  at[n++] = &change->fingerprint;
  at[n++] = &change->reason;
  at[n++] = &change->line;
  at[n++] = &change->before;
  at[n++] = &change->image;
  at[n++] = &row->key;
  at[n++] = &row->error;
  at[n++] = &row->request_id;
  at[n++] = &row->status_after;
  at[n] = &row->made;
}

size_t ca_ledger_row_size(const struct ca_change_row *row)
{
  struct ca_change_row copy = *row;
  const char **at[TEXTS];
  size_t size = 0;
  int i;

  collect(&copy, at);
  for(i = 0; i < TEXTS; i++)
    if(*at[i])
      size += strlen(*at[i]) + 1;
  return size;
}

void ca_ledger_row_copy(struct ca_change_row *to,
                        const struct ca_change_row *row, char *texts)
{
  const char **at[TEXTS];
  int i;

  *to = *row;
  collect(to, at);
  for(i = 0; i < TEXTS; i++)
    if(*at[i]) {
      size_t len = strlen(*at[i]) + 1;
      memcpy(texts, *at[i], len);
      *at[i] = texts;
      texts += len;
    }
}
