/* Where the key may go, and where it may not.
   Must not know: ops, sockets. */
#include "check.h"
#include "wire/endpoint.h"
#include "base/secret.h"

static struct ca_err err;

static struct ca_endpoint *open_url(const char *url)
{
  struct ca_endpoint_options options = { .base_url = url,
                                         .api_key = "ak_0123456789",
                                         .retries = -1 };
  ca_err_clear(&err);
  return ca_endpoint_new(&options, &err);
}

static void good_urls(void)
{
  static const struct {
    const char *url, *kept;
    bool loopback;
  } cases[] = {
    { NULL, "https://backend.composio.dev", false },
    { "https://h.example", "https://h.example", false },
    { "https://h.example/", "https://h.example", false },
    { "https://h.example:8443/prefix//", "https://h.example:8443/prefix",
      false },
    { "HTTPS://h.example", "HTTPS://h.example", false },
    { "http://localhost:9900", "http://localhost:9900", true },
    { "http://LOCALHOST", "http://LOCALHOST", true },
    { "http://127.0.0.1:1", "http://127.0.0.1:1", true },
    { "http://127.9.8.7/", "http://127.9.8.7", true },
    { "http://[::1]:80/x/", "http://[::1]:80/x", true },
    { "https://127.0.0.1", "https://127.0.0.1", true },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_endpoint *endpoint = open_url(cases[i].url);
    if(!CHECK(endpoint != NULL)) {
      printf("    %s: %s\n", cases[i].url, err.text);
      continue;
    }
    CHECK_TEXT(endpoint->base_url, cases[i].kept);
    CHECK_INT(endpoint->is_loopback, cases[i].loopback);
    CHECK_TEXT(endpoint->key_header, "x-api-key: ak_0123456789");
    ca_endpoint_free(endpoint);
  }
}

static void bad_urls(void)
{
  static const struct {
    const char *url, *words;
  } cases[] = {
    { "", "does not start with https://" },
    { "h.example", "does not start with https://" },
    { "ftp://h.example", "does not start with https://" },
    { "file:///etc/passwd", "does not start with https://" },
    { "http://h.example", "clear text to h.example" },
    { "http://127.evil.example", "clear text" },
    { "http://localhost.evil.example", "clear text" },
    { "http://127.0.0.1.evil.example", "clear text" },
    { "http://[::2]/", "clear text" },
    { "https://user@h.example", "user info" },
    { "https://user:pass@h.example", "user info" },
    { "http://127.0.0.1@evil.example", "user info" },
    { "https://h.example?x=1", "query" },
    { "https://h.example/#x", "fragment" },
    { "https://h.example\\@evil", "user info" },
    { "https://h.exam ple", "blank or control" },
    { "https://h.example\r\nx: y", "blank or control" },
    { "https://", "has no host" },
    { "https:///path", "has no host" },
    { "https://:80", "has no host" },
    { "https://[::1", "without ']'" },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_endpoint *endpoint = open_url(cases[i].url);
    CHECK(endpoint == NULL);
    CHECK_INT(err.code, CA_USAGE);
    CHECK_HOLDS(err.text, cases[i].words);
    CHECK(!strstr(err.text, "ak_0123456789") && !strstr(err.text, "pass@"));
    ca_endpoint_free(endpoint);
  }
}

static void keys(void)
{
  static const struct {
    const char *key, *words;
  } cases[] = {
    { NULL, "empty" },
    { "", "empty" },
    { "ak_1 2", "byte 5" },
    { "ak_1\n", "byte 5" },
    { "ak_1\r\nx: y", "byte 5" },
    { "\tak_1", "byte 1" },
    { "ak_\xC3\xA9", "byte 4" },
  };
  size_t i;

  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ca_endpoint_options options = { .api_key = cases[i].key };
    CHECK(!ca_endpoint_new(&options, &err));
    CHECK_INT(err.code, CA_USAGE);
    CHECK_HOLDS(err.text, "API key");
    CHECK_HOLDS(err.text, cases[i].words);
    CHECK(!strstr(err.text, "ak_"));
  }
}

static void numbers_refused(struct ca_endpoint_options options,
                            const char *words)
{
  options.api_key = "ak_0123456789";
  CHECK(!ca_endpoint_new(&options, &err));
  CHECK_INT(err.code, CA_USAGE);
  CHECK_HOLDS(err.text, words);
}

static void numbers(void)
{
  struct ca_endpoint *endpoint = open_url(NULL);

  CHECK_INT(endpoint->timeout_ms, 60000);
  CHECK_INT(endpoint->connect_ms, 10000);
  CHECK_INT(endpoint->max_wait_ms, 120000);
  CHECK_INT(endpoint->retries, 2);
  CHECK_INT(endpoint->concurrency, 32);
  CHECK_INT(endpoint->rate.max_window, 32);
  CHECK(endpoint->rate.budget > 0.2499 && endpoint->rate.budget < 0.2501);
  ca_endpoint_free(endpoint);
  numbers_refused((struct ca_endpoint_options){ .timeout_ms = -1 }, "timeout");
  numbers_refused((struct ca_endpoint_options){ .timeout_ms = 86400001 },
                  "timeout");
  numbers_refused((struct ca_endpoint_options){ .max_wait_ms = -1 },
                  "max wait");
  numbers_refused((struct ca_endpoint_options){ .concurrency = -1 },
                  "concurrency: must be 1 to 512");
  numbers_refused((struct ca_endpoint_options){ .concurrency = 513 },
                  "concurrency: must be 1 to 512");
  numbers_refused((struct ca_endpoint_options){ .retries = -2 }, "retries");
  numbers_refused((struct ca_endpoint_options){ .retries = 21 }, "retries");
  numbers_refused((struct ca_endpoint_options){ .budget_percent = -1 },
                  "budget");
  numbers_refused((struct ca_endpoint_options){ .budget_percent = 100.5 },
                  "budget");
  numbers_refused((struct ca_endpoint_options){ .budget_percent = 0.0 / 0.0 },
                  "budget");
  numbers_refused((struct ca_endpoint_options){ .rate_per_second = -1 },
                  "rate");
  numbers_refused((struct ca_endpoint_options){ .rate_per_second = 1e9 },
                  "rate");
}

static void key_is_a_secret_while_it_lives(void)
{
  struct ca_endpoint *one = open_url(NULL);
  struct ca_endpoint *two = open_url(NULL);
  char text[] = "ak_0123456789";

  CHECK_INT(ca_secret_count(), 1);
  ca_endpoint_free(one);
  CHECK_INT(ca_secret_mask(text, strlen(text)), 3);
  CHECK_TEXT(text, "***");
  ca_endpoint_free(two);
  CHECK_INT(ca_secret_count(), 0);
  ca_endpoint_free(NULL);
}

static void projects_have_fingerprints(void)
{
  struct ca_endpoint_options options = { .api_key = "ak_other_one" };
  struct ca_endpoint *one = open_url(NULL);
  struct ca_endpoint *same = open_url("https://backend.composio.dev/");
  struct ca_endpoint *elsewhere = open_url("https://staging.example");
  struct ca_endpoint *other = ca_endpoint_new(&options, &err);

  CHECK_INT(strlen(one->fingerprint), 16);
  CHECK_TEXT(same->fingerprint, one->fingerprint);
  CHECK(strcmp(elsewhere->fingerprint, one->fingerprint) != 0);
  CHECK(strcmp(other->fingerprint, one->fingerprint) != 0);
  ca_endpoint_free(one);
  ca_endpoint_free(same);
  ca_endpoint_free(elsewhere);
  ca_endpoint_free(other);
}

static void retries_run_out(void)
{
  struct ca_endpoint *endpoint = open_url(NULL);
  int n = 0;
  int i;

  while(n < 1000 && ca_endpoint_may_retry(endpoint))
    n++;
  CHECK_INT(n, CA_RETRY_TOKENS);
  /* two good replies pay for one retry */
  ca_endpoint_did_well(endpoint);
  CHECK(!ca_endpoint_may_retry(endpoint));
  ca_endpoint_did_well(endpoint);
  CHECK(ca_endpoint_may_retry(endpoint));
  CHECK(!ca_endpoint_may_retry(endpoint));
  /* and no more is saved than there was */
  for(i = 0; i < 10000; i++)
    ca_endpoint_did_well(endpoint);
  for(n = 0; n < 1000 && ca_endpoint_may_retry(endpoint);)
    n++;
  CHECK_INT(n, CA_RETRY_TOKENS);
  ca_endpoint_free(endpoint);
}

int main(void)
{
  check_case("good URLs", good_urls);
  check_case("bad URLs", bad_urls);
  check_case("keys", keys);
  check_case("numbers", numbers);
  check_case("the key is a secret while it lives",
             key_is_a_secret_while_it_lives);
  check_case("projects have fingerprints", projects_have_fingerprints);
  check_case("retries run out", retries_run_out);
  return check_end();
}
