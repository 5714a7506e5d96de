/* What a handle is set up for, when endpoints come and go; which sendings
   libcurl is allowed.
   Must not know: sockets, ops. */
#include "wire/attempt.c" /* its callback that libcurl asks is static */
#include "check.h"

static struct ca_err err;
static bool counts;

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
  struct ca_attempt *attempt = ca_attempt_new(&counts);
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
  struct ca_attempt *attempt = ca_attempt_new(&counts);

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

/* A handle that does an operation and has been asked once. */
static struct ca_attempt *sent_once(const char *operation)
{
  struct ca_attempt *attempt = ca_attempt_new(&counts);
  attempt->api = ca_api_find("connected_accounts", operation);
  attempt->sends = 1;
  return attempt;
}

static int ask(struct ca_attempt *attempt)
{
  char nowhere[] = "";
  return on_send(attempt, nowhere, nowhere, 0, 0);
}

static void nothing_leaves_unasked(void)
{
  struct ca_attempt *attempt = sent_once("link");
  attempt->sends = 0;
  counts = false;
  CHECK(!ca_attempt_may_have_left(attempt));
  CHECK_INT(ask(attempt), CURL_PREREQFUNC_OK);
  CHECK_INT(attempt->sends, 1);
  CHECK(ca_attempt_may_have_left(attempt)); /* no count is known to count */
  ca_attempt_free(attempt);
}

/* An idle handle's count is 0. */
static void a_sending_of_no_byte_is_none(void)
{
  struct ca_attempt *attempt = sent_once("link");
  counts = true;
  CHECK(!ca_attempt_may_have_left(attempt));
  CHECK_INT(ask(attempt), CURL_PREREQFUNC_OK);
  CHECK_INT(attempt->sends, 1);
  CHECK(!attempt->held_back);
  ca_attempt_free(attempt);
  counts = false;
}

/* Where a proxy is asked for a tunnel, what is said to it is counted, too:
   what has left is what was counted before the connection was made. */
static void what_a_proxy_is_told_is_no_byte_of_it(void)
{
  struct ca_attempt *attempt = sent_once("link");
  counts = true;
  attempt->before = -1; /* libcurl could not say */
  CHECK(ca_attempt_may_have_left(attempt));
  attempt->before = 0;
  CHECK_INT(on_connect(attempt, 3, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_OK);
  CHECK(attempt->reconnects);
  CHECK_INT(attempt->counted, 0);
  CHECK(!ca_attempt_may_have_left(attempt));
  attempt->counted = 7; /* of the request, before it connected again */
  CHECK_INT(on_connect(attempt, 3, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_OK);
  CHECK_INT(attempt->counted, 7); /* another address of the same host */
  CHECK(ca_attempt_may_have_left(attempt));
  CHECK_INT(ask(attempt), CURL_PREREQFUNC_ABORT);
  ca_attempt_free(attempt);
  counts = false;
}

/* That nothing left of the last sending does not undo an earlier one. */
static void an_earlier_sending_is_not_forgotten(void)
{
  struct ca_attempt *attempt = sent_once("disable");
  CHECK_INT(ask(attempt), CURL_PREREQFUNC_OK);
  CHECK_INT(attempt->sends, 2);
  counts = true;
  CHECK(ca_attempt_may_have_left(attempt));
  CHECK_INT(ask(attempt), CURL_PREREQFUNC_OK);
  CHECK_INT(attempt->sends, 3);
  ca_attempt_free(attempt);
  counts = false;
}

static void what_may_have_left_is_kept_back(void)
{
  static const char *const never[] = { "link", "initiate", "refresh" };
  static const char *const freely[] = { "list",    "get",    "enable",
                                        "disable", "delete", "revoke",
                                        "update" };
  struct ca_endpoint *endpoint = open_url("http://localhost:1", "ak_one");
  size_t i;
  counts = false;
  for(i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
    struct ca_attempt *attempt = sent_once(never[i]);
    CHECK_INT(ask(attempt), CURL_PREREQFUNC_ABORT);
    CHECK_INT(attempt->sends, 1);
    attempt->endpoint = endpoint;
    ca_attempt_explain(attempt, CURLE_ABORTED_BY_CALLBACK, &err);
    CHECK(strstr(err.text, "must not be sent twice") != NULL);
    ca_attempt_free(attempt);
  }
  for(i = 0; i < sizeof(freely) / sizeof(freely[0]); i++) {
    struct ca_attempt *attempt = sent_once(freely[i]);
    CHECK_INT(ask(attempt), CURL_PREREQFUNC_OK);
    CHECK_INT(attempt->sends, 2);
    ca_attempt_free(attempt);
  }
  ca_endpoint_free(endpoint);
}

int main(void)
{
  check_case("a handle follows the endpoint", follows_the_endpoint);
  check_case("a new endpoint where an old one lay is not taken for it",
             knows_a_new_one_at_an_old_place);
  check_case("nothing leaves before libcurl has asked",
             nothing_leaves_unasked);
  check_case("a sending of no byte is none", a_sending_of_no_byte_is_none);
  check_case("what a proxy is told is no byte of the request",
             what_a_proxy_is_told_is_no_byte_of_it);
  check_case("an earlier sending is not forgotten",
             an_earlier_sending_is_not_forgotten);
  check_case("what may have left and must not be repeated is kept back",
             what_may_have_left_is_kept_back);
  return check_end();
}
