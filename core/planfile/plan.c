/* Saved plans: the wrapped salt, and loading a plan into a ledger.
   Must not know: the format of lines, files. */
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "planfile/plan_private.h"

/* ---- the salt ----
   It is combined with a pad that is derived from the run's id and the API key;
   a check value detects another key. */

#define PAD_WORD   "composio-lua plan: salt of "
#define CHECK_WORD "composio-lua plan: check"
#define SEAL_WORD  "composio-lua plan: seal"

static const char hex_digits[] = "0123456789abcdef";

static bool from_hex(const char *hex, unsigned char out[CA_SALT_SIZE])
{
  size_t i;

  if(strspn(hex, hex_digits) != CA_SALT_SIZE * 2)
    return false;
  for(i = 0; i < CA_SALT_SIZE; i++) {
    long high = strchr(hex_digits, hex[i * 2]) - hex_digits;
    long low = strchr(hex_digits, hex[i * 2 + 1]) - hex_digits;
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

void ca_plan_salt_wrap(const unsigned char salt[CA_SALT_SIZE], const char *run,
                       struct ca_slice api_key, struct ca_plan_salt *out)
{
  unsigned char wrapped[CA_SALT_SIZE];
  size_t i;

  memcpy(wrapped, salt, sizeof(wrapped));
  add_pad(wrapped, run, api_key);
  for(i = 0; i < CA_SALT_SIZE; i++) {
    out->wrapped[i * 2] = hex_digits[wrapped[i] >> 4];
    out->wrapped[i * 2 + 1] = hex_digits[wrapped[i] & 15];
  }
  out->wrapped[i * 2] = '\0';
  make_check(salt, out->check);
}

/* Returns false if it was wrapped with another key or is no such text. */
static bool unwrap(const struct ca_plan_line *line, struct ca_slice api_key,
                   unsigned char salt[CA_SALT_SIZE])
{
  char check[CA_DIGEST_SIZE];

  if(from_hex(line->salt, salt)) {
    add_pad(salt, line->head.run, api_key);
    make_check(salt, check);
    if(!strcmp(check, line->salt_check))
      return true;
  }
  memset(salt, 0, CA_SALT_SIZE);
  return false;
}

/* ---- the seal ---- */

void ca_plan_seal(struct ca_slice api_key, const char digest[CA_DIGEST_SIZE],
                  char seal[CA_DIGEST_SIZE])
{
  char key[CA_DIGEST_SIZE];

  ca_digest_keyed(api_key.data, api_key.len, SEAL_WORD, sizeof(SEAL_WORD) - 1,
                  key);
  ca_digest_keyed(key, sizeof(key) - 1, digest, CA_DIGEST_SIZE - 1, seal);
  ca_buf_wipe_memory(key, sizeof(key));
}

/* ---- the head ---- */

void ca_plan_head_clear(struct ca_plan_head *head)
{
  free(head->texts);
  ca_buf_wipe_memory(head, sizeof(*head));
}

/* Takes the head from its line. */
static void take_head(struct ca_plan_head *head, struct ca_plan_reader *reader)
{
  *head = reader->line.head;
  head->texts = reader->room; /* the head's texts are in it */
  reader->room = NULL;
  reader->room_size = 0;
}

/* ---- the whole file ---- */

/* Takes the current line. */
typedef enum ca_code take_line(void *ctx, struct ca_plan_reader *reader,
                               struct ca_err *err);

/* Reads the file from its first line to its last; `take` may be NULL. Another
   program may have written the file since it was checked, so its digest must
   be the one that was checked then; NULL when it is read for the first time.
   Close the reader even if that failed. */
static enum ca_code read_whole(struct ca_plan_reader *reader, const char *path,
                               const char *digest, take_line *take, void *ctx,
                               struct ca_err *err)
{
  const struct ca_plan_line *line = &reader->line;
  bool more = true;
  enum ca_code code = ca_planfile_read_open(reader, path, err);

  while(!code && more) {
    code = ca_planfile_read_next(reader, &more, err);
    if(!code && more && digest && line->kind == CA_PLAN_END &&
       strcmp(line->digest, digest) != 0)
      return ca_err_set(err, CA_USAGE,
                        "refused: the plan %s was replaced after it was "
                        "checked; apply it again",
                        path);
    if(!code && more && take)
      code = take(ctx, reader, err);
  }
  return code;
}

struct check {
  struct ca_plan_head *head;
  struct ca_slice api_key;
};

static enum ca_code check_line(void *ctx, struct ca_plan_reader *reader,
                               struct ca_err *err)
{
  const struct check *check = ctx;
  struct ca_plan_head *head = check->head;
  const struct ca_plan_line *line = &reader->line;
  char seal[CA_DIGEST_SIZE];

  (void)err;
  if(line->kind == CA_PLAN_HEAD) {
    take_head(head, reader);
    head->salt_known = unwrap(line, check->api_key, head->salt);
  } else if(line->kind == CA_PLAN_CHANGE) {
    head->makes = head->makes || (line->change.api->makes &&
                                  line->change.outcome == CA_PLANNED);
  } else if(line->kind == CA_PLAN_END) {
    ca_plan_seal(check->api_key, line->digest, seal);
    head->sealed = !strcmp(seal, line->seal);
    memcpy(head->digest, line->digest, sizeof(head->digest));
  }
  return CA_OK;
}

enum ca_code ca_plan_read(const char *path, struct ca_slice api_key,
                          struct ca_plan_head *head, struct ca_err *err)
{
  struct ca_plan_reader reader;
  const struct ca_plan_line *line = &reader.line;
  struct check check = { head, api_key };
  enum ca_code code;

  memset(head, 0, sizeof(*head));
  code = read_whole(&reader, path, NULL, check_line, &check, err);
  head->changes = reader.seen.changes;
  if(code)
    ca_plan_head_clear(head);
  if(code && line->kind == CA_PLAN_HEAD && line->head.run &&
     line->number < CA_PLAN_VERSION)
    take_head(head, &reader);
  ca_planfile_read_close(&reader);
  return code;
}

/* ---- into a ledger ---- */

struct load {
  struct ca_ledger *ledger;
  int64_t item; /* the one that the next changes belong to */
};

static enum ca_code load_tags(const struct load *load, const char *tags,
                              struct ca_err *err)
{
  enum ca_code code = CA_OK;
  char tag[CA_TAG_SIZE];
  size_t len;

  for(; !code && tags && *tags; tags += len + 1) {
    len = strcspn(tags, " ");
    if(len >= sizeof(tag) || !tags[len])
      return ca_err_set(err, CA_USAGE, "the plan has invalid tags");
    memcpy(tag, tags, len);
    tag[len] = '\0';
    code = ca_plan_rows_tag(load->ledger, load->item, tag, err);
  }
  return code;
}

static enum ca_code load_line(void *ctx, struct ca_plan_reader *reader,
                              struct ca_err *err)
{
  struct load *load = ctx;
  const struct ca_plan_line *line = &reader->line;
  int64_t number;
  enum ca_code code = CA_OK;

  if(line->kind == CA_PLAN_ITEM)
    code = ca_plan_rows_add_item(load->ledger, &line->item, &load->item, err);
  if(!code && line->kind == CA_PLAN_ITEM)
    code = load_tags(load, line->tags, err);
  if(!code && line->kind == CA_PLAN_ITEM && line->verdict != CA_PLANNED)
    code = ca_outcome_record_item(load->ledger, load->item, line->verdict,
                                  NULL, err);
  if(!code && line->kind == CA_PLAN_CHANGE)
    code = ca_plan_rows_add_change(load->ledger, load->item, &line->change,
                                   &number, err);
  return code;
}

enum ca_code ca_plan_load(const char *path, const char digest[CA_DIGEST_SIZE],
                          struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_plan_reader reader;
  struct load load = { ledger, 0 };
  enum ca_code code = read_whole(&reader, path, digest, load_line, &load, err);

  ca_planfile_read_close(&reader);
  return code ? code : ca_ledger_sync(ledger, err);
}

enum ca_code ca_plan_seal_bulks(const char *path,
                                const char digest[CA_DIGEST_SIZE],
                                struct ca_ledger *ledger, const char *redoes,
                                struct ca_err *err)
{
  struct ca_plan_reader reader;
  enum ca_code code = read_whole(&reader, path, digest, NULL, NULL, err);

  /* last, when the whole file is known to be intact */
  if(!code)
    code = ca_plan_rows_seal_all(ledger, reader.bulks,
                                 (size_t)reader.seen.bulks, redoes, err);
  ca_planfile_read_close(&reader);
  return code;
}
