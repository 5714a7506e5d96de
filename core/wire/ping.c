/* Sends one GET to a monitor.
   Must not know: the service, its API key, what the address means. */
#include <curl/curl.h>
#include "wire/ping.h"

#define LIMIT_MS 10000L

static size_t drop(char *bytes, size_t size, size_t count, void *ctx)
{
  (void)bytes;
  (void)ctx;
  return size * count;
}

static CURLcode perform(CURL *easy, const char *url, long *status)
{
  CURLcode code = CURLE_OK;
#define SET(option, value)                          \
  do {                                              \
    if(!code)                                       \
      code = curl_easy_setopt(easy, option, value); \
  } while(0)
  SET(CURLOPT_URL, url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_TIMEOUT_MS, LIMIT_MS);
  SET(CURLOPT_WRITEFUNCTION, drop);
  SET(CURLOPT_USERAGENT, "composio-lua/" COMPOSIO_VERSION);
#undef SET
  if(!code)
    code = curl_easy_perform(easy);
  if(!code)
    code = curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
  return code;
}

enum ca_code ca_ping(const char *url, struct ca_err *err)
{
  CURL *easy = curl_easy_init();
  long status = 0;
  CURLcode code;
  if(!easy)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  code = perform(easy, url, &status);
  curl_easy_cleanup(easy);
  if(code)
    return ca_err_set(err, CA_SYSTEM, "%s", curl_easy_strerror(code));
  return status < 400 ? CA_OK
                      : ca_err_set(err, CA_SYSTEM,
                                   "it was answered with status %ld", status);
}
