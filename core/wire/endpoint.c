/* Endpoints. Each is checked once when it is created; later code need not
   check whether the API key may be sent there. Must not know: ops. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/digest.h"
#include "wire/endpoint.h"
#include "base/secret.h"
#include "base/text.h"

struct url_parts {
  const char *host;
  size_t host_len;
  bool https;
};

static bool has_control(const char *text)
{
  for(; *text; text++)
    if((unsigned char)*text <= 0x20 || *text == 0x7F)
      return true;
  return false;
}

/* Splits scheme and host without a URL parser: unusual URLs (user info, query,
   fragment) are refused rather than understood. */
static enum ca_code split_url(const char *url, struct url_parts *parts,
                              struct ca_err *err)
{
  const char *rest;

  if(has_control(url))
    return ca_err_set(err, CA_USAGE,
                      "base URL: contains a blank or control byte");
  parts->https = !strncasecmp(url, "https://", 8);
  if(!parts->https && strncasecmp(url, "http://", 7) != 0)
    return ca_err_set(err, CA_USAGE,
                      "base URL: '%.80s' does not start with https://", url);
  rest = url + (parts->https ? 8 : 7);
  if(strpbrk(rest, "@?#\\"))
    return ca_err_set(err, CA_USAGE,
                      "base URL: must not contain user info, a query or a "
                      "fragment");
  if(*rest == '[') {
    const char *close = strchr(rest, ']');
    if(!close)
      return ca_err_set(err, CA_USAGE, "base URL: '[' without ']'");
    parts->host = rest + 1;
    parts->host_len = (size_t)(close - rest - 1);
  } else {
    parts->host = rest;
    parts->host_len = strcspn(rest, ":/");
  }
  if(!parts->host_len)
    return ca_err_set(err, CA_USAGE, "base URL: '%.80s' has no host", url);
  return CA_OK;
}

/* Is this a host name or address that never leaves the machine? */
static bool is_loopback(const struct url_parts *parts)
{
  char host[64];
  const char *p;
  if(parts->host_len >= sizeof(host))
    return false;
  memcpy(host, parts->host, parts->host_len);
  host[parts->host_len] = '\0';
  if(!strcasecmp(host, "localhost") || !strcmp(host, "::1"))
    return true;
  if(strncmp(host, "127.", 4) != 0)
    return false;
  for(p = host; *p; p++) /* 127.evil.example is a name, not an address */
    if(*p != '.' && (*p < '0' || *p > '9'))
      return false;
  return true;
}

/* Returns what is wrong with a key by what it begins with, or NULL: for what
   is often found in its place. */
static const char *known_mistake(const char *key)
{
  static const struct {
    const char *begins;
    const char *mistake;
  } known[] = {
    { "\xEF\xBB\xBF", "begins with a byte order mark (BOM): save the file "
                      "as UTF-8 without one" },
    { "\xFF\xFE", "is UTF-16: save the file as UTF-8" },
    { "\xFE\xFF", "is UTF-16: save the file as UTF-8" },
    { "\"", "has quotes around it: give it without them" },
    { "'", "has quotes around it: give it without them" },
    { "COMPOSIO_API_KEY", "begins with COMPOSIO_API_KEY: give only what "
                          "follows the equals sign" },
    { "export ", "is a line of shell: give only the key" },
    { "uak_", "is a user's (uak_…): use the key of a project (ak_…)" },
    { "oak_",
      "is an organisation's (oak_…): use the key of a project (ak_…)" }
  };
  size_t i;

  for(i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if(!strncmp(key, known[i].begins, strlen(known[i].begins)))
      return known[i].mistake;
  return NULL;
}

static enum ca_code check_key(const char *key, struct ca_err *err)
{
  const char *mistake = key ? known_mistake(key) : NULL;
  const unsigned char *p = (const unsigned char *)key;
  if(!key || !*key)
    return ca_err_set(err, CA_USAGE,
                      "API key: empty; set COMPOSIO_API_KEY or give a key "
                      "file");
  if(mistake)
    return ca_err_set(err, CA_USAGE, "API key: it %s", mistake);
  for(; *p; p++)
    if(*p <= 0x20 || *p >= 0x7F)
      return ca_err_set(
          err, CA_USAGE,
          "API key: contains a blank, line break or control byte "
          "(byte %zu); give the key and nothing else",
          (size_t)(p - (const unsigned char *)key) + 1);
  return CA_OK;
}

static enum ca_code check_numbers(const struct ca_endpoint_options *options,
                                  struct ca_err *err)
{
  const struct {
    double value;
    double least;
    double most;
    const char *refusal;
  } checks[] = {
    { (double)options->timeout_ms, 0, 86400000,
      "timeout: must be above 0 and at most 24 hours; it is in seconds" },
    { (double)options->max_wait_ms, 0, 86400000,
      "max wait: must be above 0 and at most 24 hours" },
    { options->concurrency, 0, 512, "concurrency: must be 1 to 512" },
    { options->retries, -1, 20, "retries: must be 0 to 20" },
    { options->budget_percent, 0, 100,
      "budget: must be above 0 and at most 100 percent" },
    { options->rate_per_second, 0, 100000,
      "rate: must be above 0 and at most 100000 per second" },
  };
  size_t i;

  for(i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
    if(!(checks[i].value >= checks[i].least &&
         checks[i].value <= checks[i].most))
      return ca_err_set(err, CA_USAGE, "%s", checks[i].refusal);
  return CA_OK;
}

static void set_numbers(struct ca_endpoint *endpoint,
                        const struct ca_endpoint_options *options)
{
  double budget = options->budget_percent;
  endpoint->timeout_ms =
      options->timeout_ms ? options->timeout_ms : CA_DEFAULT_TIMEOUT_MS;
  endpoint->connect_ms = options->connect_ms ? options->connect_ms : 10000;
  endpoint->max_wait_ms = options->max_wait_ms ? options->max_wait_ms : 120000;
  endpoint->deadline_ms = options->deadline_ms;
  endpoint->retries = options->retries >= 0 ? options->retries : 2;
  endpoint->concurrency = options->concurrency ? options->concurrency : 32;
  endpoint->retry_tokens = CA_RETRY_TOKENS;
  ca_rate_init(&endpoint->rate, budget > 0 ? budget : CA_DEFAULT_BUDGET,
               options->rate_per_second, endpoint->concurrency);
}

/* Sets the id of the project in the ledger; it does not reveal the key. */
static enum ca_code set_fingerprint(struct ca_endpoint *endpoint,
                                    const char *key)
{
  struct ca_buf both;
  char hex[CA_DIGEST_SIZE];
  enum ca_code code;

  ca_buf_init(&both, 65536);
  code = ca_buf_printf(&both, "%s\n%s", endpoint->base_url, key);
  if(!code) {
    ca_digest_bytes(both.data, both.len, hex);
    ca_err_copy_text(endpoint->fingerprint, sizeof(endpoint->fingerprint), hex,
                     16);
  }
  ca_buf_wipe(&both);
  return code;
}

static enum ca_code fill(struct ca_endpoint *endpoint, const char *url,
                         const struct ca_endpoint_options *options)
{
  size_t len = strlen(url);

  while(len && url[len - 1] == '/')
    len--;
  endpoint->base_url = strndup(url, len);
  if(asprintf(&endpoint->key_header, "x-api-key: %s", options->api_key) < 0)
    endpoint->key_header = NULL;
  if(options->ca_file)
    endpoint->ca_file = strdup(options->ca_file);
  if(!endpoint->base_url || !endpoint->key_header ||
     (options->ca_file && !endpoint->ca_file))
    return CA_NOMEM;
  ca_secret_add(options->api_key, strlen(options->api_key));
  return set_fingerprint(endpoint, options->api_key);
}

struct ca_endpoint *ca_endpoint_new(const struct ca_endpoint_options *options,
                                    struct ca_err *err)
{
  static uint64_t made;
  const char *url =
      options->base_url ? options->base_url : CA_DEFAULT_BASE_URL;
  struct url_parts parts = { 0 };
  struct ca_endpoint *endpoint;

  if(split_url(url, &parts, err) || check_key(options->api_key, err) ||
     check_numbers(options, err))
    return NULL;
  if(!parts.https && !is_loopback(&parts)) {
    ca_err_set(err, CA_USAGE,
               "base URL: the API key would be sent in clear text to "
               "%.*s; use https://",
               (int)(parts.host_len > 80 ? 80 : parts.host_len), parts.host);
    return NULL;
  }
  endpoint = calloc(1, sizeof(*endpoint));
  if(!endpoint || fill(endpoint, url, options)) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    ca_endpoint_free(endpoint);
    return NULL;
  }
  endpoint->serial = ++made;
  endpoint->is_loopback = is_loopback(&parts);
  set_numbers(endpoint, options);
  return endpoint;
}

void ca_endpoint_free(struct ca_endpoint *endpoint)
{
  if(!endpoint)
    return;
  if(endpoint->key_header) {
    const char *key = strchr(endpoint->key_header, ' ');
    if(key)
      ca_secret_remove(key + 1, strlen(key + 1));
    ca_buf_wipe_memory(endpoint->key_header, strlen(endpoint->key_header));
  }
  ca_hashset_clear(&endpoint->notices);
  free(endpoint->key_header);
  free(endpoint->base_url);
  free(endpoint->ca_file);
  free(endpoint);
}

bool ca_endpoint_may_retry(struct ca_endpoint *endpoint)
{
  if(endpoint->retry_tokens < 1)
    return false;
  endpoint->retry_tokens -= 1;
  return true;
}

void ca_endpoint_did_well(struct ca_endpoint *endpoint)
{
  endpoint->retry_tokens += 0.5;
  if(endpoint->retry_tokens > CA_RETRY_TOKENS)
    endpoint->retry_tokens = CA_RETRY_TOKENS;
}

void ca_endpoint_take_date(struct ca_endpoint *endpoint, const char *date,
                           int64_t now_ms)
{
  int64_t date_ms;

  if(!*date || !strcmp(date, endpoint->date) ||
     !ca_clock_parse_http(date, &date_ms))
    return;
  ca_text_copy(endpoint->date, sizeof(endpoint->date), date);
  endpoint->date_ms = date_ms;
  endpoint->date_mono_ms = now_ms;
}

int64_t ca_endpoint_service_ms(const struct ca_endpoint *endpoint,
                               int64_t now_ms)
{
  return endpoint->date[0]
             ? endpoint->date_ms + now_ms - endpoint->date_mono_ms
             : 0;
}
