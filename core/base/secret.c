/* The register of secrets. An array is enough: a process knows its API key and
   the credentials that are in flight.
   Must not know: where texts go. */
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "base/hashset.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/secret.h"

#define LONG_TEXT 512 /* memmem is faster from this length on */
#define CUT_TEXT  200 /* no shorter text is cut before it is masked */

/* Spellings that are masked, too: base64 at the three offsets within a group,
   percent-encoded, JSON-escaped, and the last two as others write them (%2f,
   \/). */
enum { BASE64, QUERY = 3, QUERY_SMALL, JSON, JSON_SLASHES, SPELLINGS };

struct secret {
  char *plain;
  size_t len;
  char *spellings[SPELLINGS]; /* NULL if equal to another one */
  int uses;
  bool lasting;
};

static struct secret *secrets;
static size_t secret_count;
static size_t secret_size;
static size_t lasting_count;
static struct ca_hashset starts; /* of lasting secrets and their spellings:
                                    there may be one for each row of a file */
static bool starts_lost;         /* memory has run out */

/* Whole groups only: the last group depends on the bytes that follow. */
static char *base64(const char *bytes, size_t len)
{
  size_t groups = len / 3;
  char *out = malloc(groups * 4 + 1);

  if(out) {
    base64_encode_raw(out, groups * 3, (const unsigned char *)bytes);
    out[groups * 4] = '\0';
  }
  return out;
}

/* Returns the spelling of an encoder, or NULL if it equals the secret itself.
 */
static char *spelled(const struct secret *secret,
                     enum ca_code (*encode)(struct ca_buf *, struct ca_slice))
{
  struct ca_buf buf;
  struct ca_slice value = { secret->plain, secret->len };
  char *from;

  ca_buf_init(&buf, secret->len * 6 + 3);
  if(encode(&buf, value) || !buf.data) {
    ca_buf_wipe(&buf);
    return NULL;
  }
  from = buf.data;
  if(encode == ca_json_write_string) { /* without its quotes */
    buf.data[--buf.len] = '\0';
    memmove(from, from + 1, buf.len--);
  }
  if(buf.len == secret->len && !memcmp(from, secret->plain, buf.len)) {
    ca_buf_wipe(&buf);
    return NULL;
  }
  return from;
}

/* Returns the query spelling with %2f for %2F, or NULL if nothing differs. */
static char *small_percent(const char *query)
{
  char *out = query ? strdup(query) : NULL;
  char *p = out;
  int i;
  while(p && (p = strchr(p, '%')) != NULL)
    for(p++, i = 0; i < 2 && *p; i++, p++)
      if(*p >= 'A' && *p <= 'F')
        *p = (char)(*p | 0x20);
  if(out && !strcmp(out, query)) {
    ca_buf_wipe_memory(out, strlen(out));
    free(out);
    return NULL;
  }
  return out;
}

/* Returns the JSON spelling with a\/b for a/b, or NULL if there is no slash.
 */
static char *escaped_slashes(const char *json)
{
  char *out;
  char *to;
  if(!strchr(json, '/'))
    return NULL;
  out = malloc(strlen(json) * 2 + 1);
  for(to = out; out && *json; json++) {
    if(*json == '/')
      *to++ = '\\';
    *to++ = *json;
  }
  if(out)
    *to = '\0';
  return out;
}

static void spell(struct secret *secret)
{
  char **to = secret->spellings;
  size_t i;
  for(i = 0; i < 3; i++)
    if(secret->len >= CA_SECRET_SHORTEST + i)
      to[BASE64 + i] = base64(secret->plain + i, secret->len - i);
  to[QUERY] = spelled(secret, ca_text_encode_query);
  to[QUERY_SMALL] = small_percent(to[QUERY]);
  to[JSON] = spelled(secret, ca_json_write_string);
  to[JSON_SLASHES] = escaped_slashes(to[JSON] ? to[JSON] : secret->plain);
}

static struct secret *find(const char *plain, size_t len)
{
  size_t i;
  for(i = 0; i < secret_count; i++)
    if(secrets[i].len == len && !memcmp(secrets[i].plain, plain, len))
      return &secrets[i];
  return NULL;
}

/* Sorts the longest secrets first: masking a secret that is part of another
   one would leave the rest of the longer one readable. */
static struct secret *sort_last(void)
{
  size_t i;
  for(i = secret_count - 1; i && secrets[i - 1].len < secrets[i].len; i--) {
    struct secret swap = secrets[i - 1];
    secrets[i - 1] = secrets[i];
    secrets[i] = swap;
  }
  return &secrets[i];
}

/* Returns NULL when it is too short, or memory has run out. */
static struct secret *add(const char *plain, size_t len)
{
  struct secret *secret;

  if(len < CA_SECRET_SHORTEST)
    return NULL;
  secret = find(plain, len);
  if(secret) {
    secret->uses++;
    return secret;
  }
  secret = ca_buf_grow(secrets, secret_count, &secret_size, sizeof(*secrets));
  if(!secret)
    return NULL;
  secrets = secret;
  secret = &secrets[secret_count];
  memset(secret, 0, sizeof(*secret));
  secret->plain = malloc(len + 1);
  if(!secret->plain)
    return NULL;
  memcpy(secret->plain, plain, len);
  secret->plain[len] = '\0';
  secret->len = len;
  secret->uses = 1;
  spell(secret);
  secret_count++;
  return sort_last();
}

void ca_secret_add(const char *plain, size_t len)
{
  (void)add(plain, len);
}

static uint64_t start_of(const char *text)
{
  uint64_t start = 0;
  memcpy(&start, text, CA_SECRET_SHORTEST);
  return start;
}

static void note_start(const char *text)
{
  bool present;
  if(text && strlen(text) >= CA_SECRET_SHORTEST &&
     ca_hashset_add(&starts, start_of(text), &present))
    starts_lost = true;
}

void ca_secret_add_lasting(const char *plain, size_t len)
{
  struct secret *secret = add(plain, len);
  int i;
  if(!secret || secret->lasting)
    return;
  secret->lasting = true;
  lasting_count++;
  note_start(secret->plain);
  for(i = 0; i < SPELLINGS; i++)
    note_start(secret->spellings[i]);
}

/* May the text hold a lasting secret? */
static bool may_hold(const char *text, size_t len)
{
  size_t i;
  for(i = 0; i + CA_SECRET_SHORTEST <= len; i++)
    if(ca_hashset_has(&starts, start_of(text + i)))
      return true;
  return starts_lost;
}

static void wipe_text(char *text)
{
  if(text) {
    ca_buf_wipe_memory(text, strlen(text));
    free(text);
  }
}

void ca_secret_remove(const char *plain, size_t len)
{
  struct secret *secret = find(plain, len);
  int i;

  if(!secret || --secret->uses)
    return;
  lasting_count -= secret->lasting;
  ca_buf_wipe_memory(secret->plain, secret->len);
  free(secret->plain);
  for(i = 0; i < SPELLINGS; i++)
    wipe_text(secret->spellings[i]);
  secret_count--;
  memmove(secret, secret + 1,
          (size_t)(secrets + secret_count - secret) * sizeof(*secret));
  if(!secret_count) {
    free(secrets);
    secrets = NULL;
    secret_size = 0;
    ca_hashset_clear(&starts);
  }
}

/* ---- the strings in a JSON text ---- */

/* Members of a scheme's val that are not secret: masking them would mangle
   messages. */
static bool is_plain(struct ca_slice name)
{
  static const char plain[] =
      " status authScheme subdomain your-domain region shop account_url"
      " COMPANYDOMAIN extension api_url form_api_base_url domain version dc"
      " site_name instanceName account_id your_server instanceEndpoint"
      " server_location base_url token_type scope scopes user_scopes username"
      " proxy_username client_id user_agent callback_url application_id"
      " installation_id type auth_config user_id auth_config_id alias"
      " experimental ";
  const char *at = plain;

  while(name.len && !memchr(name.data, ' ', name.len) &&
        (at = memmem(at, strlen(at), name.data, name.len)) != NULL) {
    if(at[-1] == ' ' && at[name.len] == ' ')
      return true;
    at++;
  }
  return false;
}

typedef void secret_fn(const char *plain, size_t len);

/* Returns false if value is not JSON. ca_json_value has already checked the
   whole text, which bounds the depth. */
static bool each_string(struct ca_slice value, secret_fn *visit);

/* The values in an object or array. */
static bool each_part(struct ca_slice value, secret_fn *visit)
{
  struct ca_json_scan scan = { value.data, value.data + value.len };
  struct ca_slice key = { NULL, 0 };
  struct ca_slice part;
  bool first = true;
  bool object = ca_json_enter(&scan, '{');
  int more;

  if(!object && !ca_json_enter(&scan, '['))
    return false;
  while((more = object ? ca_json_member(&scan, &first, &key)
                       : ca_json_element(&scan, &first)) > 0)
    if(ca_json_value(&scan, &part) == CA_JSON_BAD ||
       (!(object && is_plain(key)) && !each_string(part, visit)))
      return false;
  return !more;
}

static bool each_string(struct ca_slice value, secret_fn *visit)
{
  char *plain;
  int64_t len;

  if(value.len && (*value.data == '{' || *value.data == '['))
    return each_part(value, visit);
  if(!value.len || *value.data != '"')
    return true;
  plain = malloc(value.len);
  len = plain ? ca_json_unescape(value, plain) : -1;
  if(len > 0)
    visit(plain, (size_t)len);
  if(plain)
    ca_buf_wipe_memory(plain, value.len);
  free(plain);
  return len >= 0;
}

static void visit_json(const char *json, size_t len, secret_fn *visit)
{
  struct ca_json_scan scan = { json, json + len };
  struct ca_slice value;
  if(ca_json_value(&scan, &value) == CA_JSON_BAD || !each_string(value, visit))
    visit(json, len); /* not JSON: at least register the whole text */
}

void ca_secret_add_json(const char *json, size_t len)
{
  visit_json(json, len, ca_secret_add);
}

void ca_secret_remove_json(const char *json, size_t len)
{
  visit_json(json, len, ca_secret_remove);
}

/* Finds a secret in a text. Nearly always it is not there, and for short texts
   the setup of memmem takes longer than the search. */
static char *find_secret(char *text, size_t len, const char *secret,
                         size_t size)
{
  char *end = text + len - size + 1; /* one past the last possible start */
  char *at = text;
  while((at = memchr(at, secret[0], (size_t)(end - at))) != NULL) {
    if(!memcmp(at, secret, size))
      return at;
    if(++at == end)
      break;
  }
  return NULL;
}

static size_t mask_one(char *text, size_t len, const char *secret, size_t size)
{
  char *from = text;
  while(size >= CA_SECRET_SHORTEST && (size_t)(text + len - from) >= size) {
    size_t left = (size_t)(text + len - from);
    char *hit = left > LONG_TEXT ? memmem(from, left, secret, size)
                                 : find_secret(from, left, secret, size);
    if(!hit)
      break;
    memcpy(hit, "***", 3);
    memmove(hit + 3, hit + size, (size_t)(text + len - hit) - size);
    len -= size - 3;
    from = hit + 3;
  }
  return len;
}

/* Masks the beginning of a secret at the end of a text: whoever wrote the text
   cut it there. */
static size_t mask_cut(char *text, size_t len, const char *secret, size_t size)
{
  size_t part = len < size ? len : size - 1;
  for(; part >= CA_SECRET_SHORTEST; part--)
    if(text[len - part] == *secret &&
       !memcmp(text + len - part, secret, part)) {
      memcpy(text + len - part, "***", 3);
      return len - part + 3;
    }
  return len;
}

/* Shorter texts were not cut. */
static size_t mask_spelling(char *text, size_t len, const char *secret,
                            size_t size)
{
  len = mask_one(text, len, secret, size);
  return len < CUT_TEXT ? len : mask_cut(text, len, secret, size);
}

static size_t mask(char *text, size_t len, bool lasting_only)
{
  size_t before = len;
  size_t i;
  int k;

  if(lasting_only && !may_hold(text, len))
    return len;
  for(i = 0; i < secret_count; i++) {
    const struct secret *secret = &secrets[i];
    if(lasting_only && !secret->lasting)
      continue;
    for(k = 0; k < SPELLINGS; k++)
      if(secret->spellings[k])
        len = mask_spelling(text, len, secret->spellings[k],
                            strlen(secret->spellings[k]));
    len = mask_spelling(text, len, secret->plain, secret->len);
  }
  if(len < before)
    text[len] = '\0';
  return len;
}

size_t ca_secret_mask(char *text, size_t len)
{
  return mask(text, len, false);
}

size_t ca_secret_mask_lasting(char *text, size_t len)
{
  return mask(text, len, true);
}

bool ca_secret_has_lasting(void)
{
  return lasting_count > 0;
}

bool ca_secret_is_in(const char *text, size_t len)
{
  char *copy;
  bool is_in;
  if(!text || !lasting_count || !may_hold(text, len))
    return false;
  copy = malloc(len + 1);
  if(!copy)
    return true;
  memcpy(copy, text, len);
  copy[len] = '\0';
  is_in = mask(copy, len, true) < len; /* "***" is shorter than any secret */
  ca_buf_wipe_memory(copy, len);
  free(copy);
  return is_in;
}

size_t ca_secret_count(void)
{
  return secret_count;
}
