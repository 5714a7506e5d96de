/* The accounts of the bench's server: made up by number, not stored.
 * Must not know sockets or HTTP.
 *
 * Four templates of 1.0 to 2.6 KB are printed once; an account is a copy of
 * one with its number stamped into places that are known beforehand. That is
 * a memcpy per account, so a hundred thousand of them cost the server no
 * memory and next to no time. Every tenth account is EXPIRED. */
#include "stub_accounts.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_STAMPS 16
#define BENCH_KINDS  4

/* What stands in a template where a number or a status goes. */
#define BENCH_DIGITS "@@@@@@@@@"
#define BENCH_STATUS "######"

struct bench_template {
  char text[BENCH_ACCOUNT_MAX];
  size_t size;
  size_t digits[BENCH_STAMPS], digit_count;
  size_t statuses[BENCH_STAMPS], status_count;
};

static struct bench_template bench_templates[BENCH_KINDS];
static size_t bench_accounts;

static const char *const bench_toolkits[BENCH_KINDS] = { "github", "gmail",
                                                         "slack", "stripe" };
static const char *const bench_schemes[BENCH_KINDS] = { "OAUTH2", "OAUTH2",
                                                        "BEARER_TOKEN",
                                                        "API_KEY" };

static const char bench_front[] =
    "{\"id\":\"ca_" BENCH_DIGITS "xYz\",\"toolkit\":{\"slug\":\"%s\"},"
    "\"auth_config\":{\"id\":\"ac_wwcaUIBEt9b%d\",\"auth_scheme\":\"%s\","
    "\"is_composio_managed\":%s,\"is_disabled\":false},\"authScheme\":\"%s\","
    "\"user_id\":\"user_" BENCH_DIGITS "@customers.example\",\"alias\":null,"
    "\"word_id\":\"%s_red-castle-" BENCH_DIGITS "\","
    "\"status\":\"" BENCH_STATUS "\",\"status_reason\":null,"
    "\"is_disabled\":false,\"created_at\":\"2026-01-01T00:00:00.000Z\","
    "\"updated_at\":\"2026-08-14T09:26:53.589Z\",\"state\":{\"authScheme\":"
    "\"%s\",\"val\":{\"status\":\"" BENCH_STATUS "\",";

static const char bench_secret[] =
    "\"access_token\":\"gho_...\",\"refresh_token\":\"ghr_...\","
    "\"id_token\":\"eyJh...\",\"token_type\":\"bearer\",\"expires_in\":28800,"
    "\"scope\":\"repo,read:org,read:user,user:email,workflow,gist,"
    "notifications,admin:repo_hook,read:packages,write:discussion,"
    "read:project,codespace,read:gpg_key,read:public_key\","
    "\"headers\":{\"Authorization\":\"REDACTED\",\"x-request-id\":"
    "\"5f7c3a0e-8a44-4d5b-9c77-0d3a8c1f2b6e\",\"Accept\":"
    "\"application/vnd.github+json\"},\"queryParams\":{},"
    "\"base_url\":\"https://api.example.com\",\"callback_url\":"
    "\"https://backend.composio.dev/api/v3/toolkits/auth/callback\","
    "\"code_verifier\":\"REDACTED\",\"finalRedirectUri\":"
    "\"https://app.example.com/integrations/done?from=settings\","
    "\"redirectUrl\":\"https://backend.composio.dev/api/v3/s/Qm9aX2dK\",";

static const char bench_back[] =
    "\"long_redirect_url\":false,\"state_prefix\":null,\"registered\":"
    "1767225600,"
    "\"composio_link_redirect_url\":\"https://connect.composio.dev/link/"
    "lk_dG9rZW5fb2ZfMQ\",\"user_agent\":\"composio-backend/3.1 (+https://"
    "composio.dev)\"}},\"data\":{\"status\":\"" BENCH_STATUS "\",%s"
    "\"auth_type\":\"%s\",\"account_url\":\"https://api.example.com/v1/"
    "accounts/"
    "8675309\",\"region\":\"eu-central-1\"},\"test_request_endpoint\":"
    "\"https://api.example.com/v1/user\",\"experimental\":{\"account_type\":"
    "\"PRIVATE\",\"acl_config_for_shared\":{\"allow_all_users\":false,"
    "\"allowed_user_ids\":[],\"not_allowed_user_ids\":[]}}}";

/* Where a mark stands, every time it does. */
static size_t bench_find(const char *text, const char *mark, size_t *places)
{
  const char *at = text;
  size_t count = 0;

  while(count < BENCH_STAMPS && (at = strstr(at, mark)) != NULL) {
    places[count++] = (size_t)(at - text);
    at += strlen(mark);
  }
  return count;
}

void bench_accounts_init(size_t accounts)
{
  int kind;

  bench_accounts = accounts;
  for(kind = 0; kind < BENCH_KINDS; kind++) {
    struct bench_template *made = &bench_templates[kind];
    const char *scheme = bench_schemes[kind];
    const char *slug = bench_toolkits[kind];
    size_t used;

    used = (size_t)snprintf(made->text, sizeof made->text, bench_front, slug,
                            kind, scheme, kind < 2 ? "true" : "false", scheme,
                            slug, scheme);
    /* Two large kinds, one middling, one small. */
    used += (size_t)snprintf(made->text + used, sizeof made->text - used, "%s",
                             kind < 3 ? bench_secret : "");
    used += (size_t)snprintf(made->text + used, sizeof made->text - used,
                             bench_back, kind < 2 ? bench_secret : "", scheme);
    made->size = used;
    made->digit_count = bench_find(made->text, BENCH_DIGITS, made->digits);
    made->status_count = bench_find(made->text, BENCH_STATUS, made->statuses);
  }
}

size_t bench_accounts_count(enum bench_which which)
{
  size_t expired = bench_accounts / 10;

  switch(which) {
  case BENCH_ALL:
    return bench_accounts;
  case BENCH_EXPIRED:
    return expired;
  case BENCH_ACTIVE:
    return bench_accounts - expired;
  default:
    return 0;
  }
}

static bool bench_is_expired(size_t number)
{
  return number % 10 == 9;
}

/* The index-th account of a listing. */
static size_t bench_nth(enum bench_which which, size_t index)
{
  switch(which) {
  case BENCH_EXPIRED:
    return index * 10 + 9;
  case BENCH_ACTIVE:
    return index / 9 * 10 + index % 9;
  default:
    return index;
  }
}

static void bench_digits(char *to, size_t number)
{
  size_t i = sizeof BENCH_DIGITS - 1;

  while(i--) {
    to[i] = (char)('0' + number % 10);
    number /= 10;
  }
}

size_t bench_account_id(char *to, size_t number)
{
  memcpy(to, "ca_", 3);
  bench_digits(to + 3, number);
  memcpy(to + 3 + sizeof BENCH_DIGITS - 1, "xYz", 3);
  return BENCH_ID_SIZE;
}

size_t bench_account_number(const char *id, size_t size)
{
  size_t number = 0;
  size_t i;

  if(size != BENCH_ID_SIZE || memcmp(id, "ca_", 3) != 0 ||
     memcmp(id + 12, "xYz", 3) != 0) {
    return SIZE_MAX;
  }
  for(i = 3; i < 12; i++) {
    if(id[i] < '0' || id[i] > '9') {
      return SIZE_MAX;
    }
    number = number * 10 + (size_t)(id[i] - '0');
  }
  return number < bench_accounts ? number : SIZE_MAX;
}

/* ACTIVE is six letters and EXPIRED seven, so the one is written as it is
 * and the other moves what follows; marks are met from left to right. */
size_t bench_account_write(char *to, size_t number)
{
  const struct bench_template *from = &bench_templates[number % BENCH_KINDS];
  const char *status = bench_is_expired(number) ? "EXPIRED" : "ACTIVE";
  size_t status_size = strlen(status);
  size_t copied = 0;
  size_t used = 0;
  size_t digit = 0;
  size_t i;

  for(i = 0; i <= from->status_count; i++) {
    size_t until = i < from->status_count ? from->statuses[i] : from->size;

    memcpy(to + used, from->text + copied, until - copied);
    for(; digit < from->digit_count && from->digits[digit] < until; digit++) {
      bench_digits(to + used + (from->digits[digit] - copied), number);
    }
    used += until - copied;
    copied = until;
    if(i < from->status_count) {
      memcpy(to + used, status, status_size);
      used += status_size;
      copied += sizeof BENCH_STATUS - 1;
    }
  }
  return used;
}

/* Base64 of "page-limit", standard alphabet, padded. */
static size_t bench_cursor_write(char *to, size_t page, size_t limit)
{
  static const char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  unsigned char text[64] = { 0 };
  size_t size =
      (size_t)snprintf((char *)text, sizeof text, "%zu-%zu", page, limit);
  size_t used = 0;
  size_t i;

  for(i = 0; i < size; i += 3) {
    unsigned bits =
        (unsigned)text[i] << 16 | (unsigned)text[i + 1] << 8 | text[i + 2];

    to[used++] = letters[bits >> 18];
    to[used++] = letters[bits >> 12 & 63];
    to[used++] = i + 1 < size ? letters[bits >> 6 & 63] : '=';
    to[used++] = i + 2 < size ? letters[bits & 63] : '=';
  }
  return used;
}

static unsigned bench_sextet(char letter)
{
  if(letter >= 'A' && letter <= 'Z') {
    return (unsigned)(letter - 'A');
  }
  if(letter >= 'a' && letter <= 'z') {
    return (unsigned)(letter - 'a') + 26;
  }
  if(letter >= '0' && letter <= '9') {
    return (unsigned)(letter - '0') + 52;
  }
  return letter == '+' ? 62 : letter == '/' ? 63 : 64;
}

bool bench_cursor_read(const char *cursor, size_t size, size_t *page,
                       size_t *limit)
{
  char text[64];
  char *end;
  unsigned bits = 0;
  unsigned held = 0;
  size_t used = 0;
  size_t i;

  for(i = 0; i < size && used < sizeof text - 1; i++) {
    unsigned sextet = bench_sextet(cursor[i]);

    if(sextet > 63) {
      break; /* the padding, bare or as %3D */
    }
    bits = bits << 6 | sextet;
    held += 6;
    if(held >= 8) {
      held -= 8;
      text[used++] = (char)(bits >> held & 255);
    }
  }
  text[used] = '\0';
  *page = strtoul(text, &end, 10);
  if(*end != '-') {
    return false;
  }
  *limit = strtoul(end + 1, &end, 10);
  return !*end && *page > 0 && *limit > 0 && *limit <= BENCH_PAGE_MAX;
}

static size_t bench_page_tail(char *to, size_t total, size_t page,
                              size_t limit)
{
  size_t pages = (total + limit - 1) / limit;
  size_t used = 0;

  if(page < pages) {
    used = (size_t)snprintf(to, 64, "],\"next_cursor\":\"");
    used += bench_cursor_write(to + used, page + 1, limit);
    to[used++] = '"';
  } else {
    used = (size_t)snprintf(to, 64, "],\"next_cursor\":null");
  }
  return used + (size_t)snprintf(to + used, 160,
                                 ",\"total_pages\":%zu,\"current_page\":%zu,"
                                 "\"total_items\":%zu}",
                                 pages, page, total);
}

size_t bench_page_write(char *to, enum bench_which which, size_t page,
                        size_t limit)
{
  size_t total = bench_accounts_count(which);
  size_t first = (page - 1) * limit;
  size_t used = (size_t)snprintf(to, 64, "{\"items\":[");
  size_t i;

  for(i = first; i < total && i < first + limit; i++) {
    if(i > first) {
      to[used++] = ',';
    }
    used += bench_account_write(to + used, bench_nth(which, i));
  }
  return used + bench_page_tail(to + used, total, page, limit);
}

size_t bench_some_write(char *to, const char *ids, size_t size)
{
  size_t used = (size_t)snprintf(to, 64, "{\"items\":[");
  size_t found = 0;
  size_t at = 0;

  while(at + BENCH_ID_SIZE <= size && found < BENCH_IDS_MAX) {
    size_t number = bench_account_number(ids + at, BENCH_ID_SIZE);

    if(number == SIZE_MAX) {
      at++;
      continue;
    }
    if(found++) {
      to[used++] = ',';
    }
    used += bench_account_write(to + used, number);
    at += BENCH_ID_SIZE;
  }
  return used + bench_page_tail(to + used, found, 1, BENCH_PAGE_MAX);
}
