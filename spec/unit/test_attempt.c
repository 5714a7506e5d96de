/* What a handle is set up for, when endpoints come and go.
   Must not know: sockets, ops. */
#include <stdlib.h>
#include "attempt.h"
#include "check.h"

static struct ca_err err;

static struct ca_endpoint *open_url(const char *url, const char *key)
{
  struct ca_endpoint_options options = { .base_url = url,
                                         .api_key = key,
                                         .retries = -1 };
  ca_err_clear(&err);
  return ca_endpoint_new(&options, &err);
}

static void prepare(struct ca_attempt *attempt, struct ca_endpoint *endpoint)
{
  static struct ca_request request;
  ca_request_init(&request, ca_api_find("connected_accounts", "list"));
  CHECK_INT(ca_attempt_prepare(attempt, endpoint, &request, "r-1", 1000, &err),
            CA_OK);
  ca_request_clear(&request);
}

/* Where libcurl would send it, and by which key. */
static void check_goes_to(const struct ca_attempt *attempt, const char *url,
                          const char *key_header)
{
  char *got = NULL;
  CHECK_INT(curl_url_get(attempt->parts, CURLUPART_URL, &got, 0), CURLUE_OK);
  CHECK_TEXT(got, url);
  curl_free(got);
  CHECK_TEXT(attempt->headers[2].data, key_header);
}

static void follows_the_endpoint(void)
{
  struct ca_endpoint *one = open_url("http://localhost:1", "ak_one");
  struct ca_endpoint *two = open_url("http://localhost:2/p", "ak_two");
  struct ca_attempt *attempt = ca_attempt_new();
  int turn;

  for(turn = 0; turn < 2; turn++) {
    prepare(attempt, one);
    check_goes_to(attempt, "http://localhost:1/api/v3.1/connected_accounts",
                  "x-api-key: ak_one");
    prepare(attempt, two);
    check_goes_to(attempt, "http://localhost:2/p/api/v3.1/connected_accounts",
                  "x-api-key: ak_two");
  }
  ca_attempt_free(attempt);
  ca_endpoint_free(one);
  ca_endpoint_free(two);
}

/* malloc gives a new endpoint the place of a freed one; here it is put there
   by hand. Its requests, and its key, once went to the other's host. */
static void knows_a_new_one_at_an_old_place(void)
{
  struct ca_endpoint *one = open_url("http://localhost:1", "ak_one");
  struct ca_endpoint *two = open_url("http://localhost:2", "ak_two");
  struct ca_endpoint kept = *one;
  struct ca_attempt *attempt = ca_attempt_new();

  prepare(attempt, one);
  *one = *two;
  prepare(attempt, one);
  check_goes_to(attempt, "http://localhost:2/api/v3.1/connected_accounts",
                "x-api-key: ak_two");
  *one = kept;
  ca_attempt_free(attempt);
  ca_endpoint_free(one);
  ca_endpoint_free(two);
}

int main(void)
{
  check_case("a handle follows the endpoint", follows_the_endpoint);
  check_case("a new endpoint where an old one lay is not taken for it",
             knows_a_new_one_at_an_old_place);
  return check_end();
}
