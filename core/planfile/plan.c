/* Saved plans: the seal of the salt, and loading a plan into a ledger.
   Must not know: the format of lines (read.c, write.c). */
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "planfile/plan_private.h"

/* The seal: the salt combined with a pad that is derived from the run's id and
   the API key, and a check value that detects another key. */

#define PAD_WORD   "composio-lua plan: salt of "
#define CHECK_WORD "composio-lua plan: check"

static int hex_digit(char c)
{
  if(c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *hex, unsigned char out[CA_SALT_SIZE])
{
  size_t i;

  if(strlen(hex) != CA_SALT_SIZE * 2)
    return false;
  for(i = 0; i < CA_SALT_SIZE; i++) {
    int high = hex_digit(hex[i * 2]);
    int low = hex_digit(hex[i * 2 + 1]);
    if(high < 0 || low < 0)
      return false;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

/* Applies the pad; applying it twice restores the salt. */
static void add_pad(unsigned char salt[CA_SALT_SIZE], const char *run,
                    struct ca_slice api_key)
{
  unsigned char pad[CA_SALT_SIZE] = { 0 };
  struct hmac_sha256_ctx ctx;
  size_t i;

  hmac_sha256_set_key(&ctx, api_key.len, (const unsigned char *)api_key.data);
  hmac_sha256_update(&ctx, sizeof(PAD_WORD) - 1,
                     (const unsigned char *)PAD_WORD);
  hmac_sha256_update(&ctx, strlen(run), (const unsigned char *)run);
  hmac_sha256_digest(&ctx, sizeof(pad), pad);
  for(i = 0; i < CA_SALT_SIZE; i++)
    salt[i] ^= pad[i];
  ca_buf_wipe_memory(pad, sizeof(pad));
  ca_buf_wipe_memory(&ctx, sizeof(ctx));
}

static void make_check(const unsigned char salt[CA_SALT_SIZE],
                       char out[CA_DIGEST_SIZE])
{
  ca_digest_keyed(salt, CA_SALT_SIZE, CHECK_WORD, sizeof(CHECK_WORD) - 1, out);
}

void ca_plan_seal(const unsigned char salt[CA_SALT_SIZE], const char *run,
                  struct ca_slice api_key, struct ca_plan_seal *seal)
{
  static const char hex[] = "0123456789abcdef";
  unsigned char sealed[CA_SALT_SIZE];
  size_t i;

  memcpy(sealed, salt, sizeof(sealed));
  add_pad(sealed, run, api_key);
  for(i = 0; i < CA_SALT_SIZE; i++) {
    seal->sealed[i * 2] = hex[sealed[i] >> 4];
    seal->sealed[i * 2 + 1] = hex[sealed[i] & 15];
  }
  seal->sealed[i * 2] = '\0';
  make_check(salt, seal->check);
}

bool ca_plan_unseal(const struct ca_plan_seal *seal, const char *run,
                    struct ca_slice api_key, unsigned char salt[CA_SALT_SIZE])
{
  char check[CA_DIGEST_SIZE];

  memset(salt, 0, CA_SALT_SIZE);
  if(!from_hex(seal->sealed, salt))
    return false;
  add_pad(salt, run, api_key);
  make_check(salt, check);
  if(!strcmp(check, seal->check))
    return true;
  memset(salt, 0, CA_SALT_SIZE);
  return false;
}

/* The head. */

void ca_plan_head_clear(struct ca_plan_head *head)
{
  free(head->run);
  free(head->script);
  free(head->word);
  free(head->script_sha);
  free(head->params);
  free(head->project);
  free(head->base_url);
  free(head->undoes);
  ca_buf_wipe_memory(head, sizeof(*head));
}

struct head_reader {
  struct ca_plan_head *head;
  struct ca_slice api_key;
};

/* Copies into an empty head. Returns false when out of memory. */
static bool copy_head(struct ca_plan_head *to, const struct ca_plan_head *from)
{
  char **to_texts[] = { &to->run,        &to->script, &to->word,
                        &to->script_sha, &to->params, &to->project,
                        &to->base_url,   &to->undoes };
  char *texts[] = { from->run,        from->script, from->word,
                    from->script_sha, from->params, from->project,
                    from->base_url,   from->undoes };
  size_t i;

  for(i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    *to_texts[i] = texts[i] ? strdup(texts[i]) : NULL;
    if(texts[i] && !*to_texts[i])
      return false;
  }
  return true;
}

static enum ca_code keep_head(void *ctx, const struct ca_plan_head *head,
                              const struct ca_plan_seal *seal,
                              struct ca_err *err)
{
  struct head_reader *reader = ctx;

  if(!copy_head(reader->head, head))
    return ca_err_set(err, CA_NOMEM, "out of memory");
  reader->head->salt_known =
      ca_plan_unseal(seal, head->run, reader->api_key, reader->head->salt);
  return CA_OK;
}

static enum ca_code keep_end(void *ctx, const struct ca_plan_end *end,
                             struct ca_err *err)
{
  struct head_reader *reader = ctx;

  (void)err;
  reader->head->changes = end->changes;
  return CA_OK;
}

enum ca_code ca_plan_read(const char *path, struct ca_slice api_key,
                          struct ca_plan_head *head, struct ca_err *err)
{
  static const struct ca_plan_visitor visitor = { .head = keep_head,
                                                  .end = keep_end };
  struct head_reader reader = { head, api_key };
  enum ca_code code;

  memset(head, 0, sizeof(*head));
  code = ca_planfile_read(path, &visitor, &reader, err);
  if(code)
    ca_plan_head_clear(head);
  return code;
}

/* Into a ledger. */

struct loader {
  struct ca_ledger *ledger;
  int64_t item;
};

static enum ca_code load_item(void *ctx, const struct ca_item *item,
                              enum ca_outcome verdict, struct ca_err *err)
{
  struct loader *loader = ctx;
  enum ca_code code =
      ca_plan_rows_add_item(loader->ledger, item, &loader->item, err);

  if(!code && verdict != CA_PLANNED)
    code = ca_outcome_record_item(loader->ledger, loader->item, verdict, NULL,
                                  err);
  return code;
}

static enum ca_code load_change(void *ctx, const struct ca_change *change,
                                struct ca_err *err)
{
  struct loader *loader = ctx;
  int64_t number;

  return ca_plan_rows_add_change(loader->ledger, loader->item, change, &number,
                                 err);
}

enum ca_code ca_plan_load(const char *path, struct ca_ledger *ledger,
                          struct ca_err *err)
{
  static const struct ca_plan_visitor visitor = { .item = load_item,
                                                  .change = load_change };
  struct loader loader = { .ledger = ledger };
  enum ca_code code = ca_planfile_read(path, &visitor, &loader, err);

  return code ? code : ca_ledger_sync(ledger, err);
}

/* Bulks. */

struct stander {
  struct ca_ledger *ledger;
  struct ca_bulk *bulks;
  size_t count;
  size_t size;
};

static enum ca_code keep_bulk(void *ctx, const struct ca_bulk *bulk,
                              struct ca_err *err)
{
  struct stander *stander = ctx;

  if(stander->count == stander->size) {
    size_t size = stander->size ? stander->size * 2 : 16;
    struct ca_bulk *bulks = realloc(stander->bulks, size * sizeof(*bulks));
    if(!bulks)
      return ca_err_set(err, CA_NOMEM, "out of memory");
    stander->bulks = bulks;
    stander->size = size;
  }
  stander->bulks[stander->count++] = *bulk;
  return CA_OK;
}

/* Seals the bulks last, when the whole file is known to be intact. */
static enum ca_code seal_all(void *ctx, const struct ca_plan_end *end,
                             struct ca_err *err)
{
  struct stander *stander = ctx;
  enum ca_code code = CA_OK;
  size_t i;

  (void)end;
  for(i = 0; !code && i < stander->count; i++)
    code = ca_plan_rows_seal(stander->ledger, &stander->bulks[i], err);
  return code ? code : ca_ledger_sync(stander->ledger, err);
}

enum ca_code ca_plan_seal_bulks(const char *path, struct ca_ledger *ledger,
                                struct ca_err *err)
{
  static const struct ca_plan_visitor visitor = { .bulk = keep_bulk,
                                                  .end = seal_all };
  struct stander stander = { .ledger = ledger };
  enum ca_code code = ca_planfile_read(path, &visitor, &stander, err);

  free(stander.bulks);
  return code;
}
