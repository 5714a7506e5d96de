/* The versions of libcurl and nettle: of the headers this was compiled with,
   and what the loaded libraries report. Must not know: who asks, what a
   version means. */
#include <curl/curl.h>
#include <nettle/version.h>
#include <stdio.h>
#include "wire/libraries.h"

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

static struct ca_library curl(void)
{
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  struct ca_library curl = { "libcurl", LIBCURL_VERSION, info->version, "" };
  const char *http2 = NULL;
  /* an older library's struct is shorter; `age` tells */
  if(info->age >= CURLVERSION_SIXTH)
    http2 = info->nghttp2_version;
  snprintf(curl.more, sizeof(curl.more), "%s, %s%s",
           info->ssl_version ? info->ssl_version : "no TLS",
           http2 ? "nghttp2/" : "no HTTP/2", http2 ? http2 : "");
  return curl;
}

static struct ca_library nettle(void)
{
  static char runs[24];
  struct ca_library nettle = {
    "nettle", TEXT(NETTLE_VERSION_MAJOR) "." TEXT(NETTLE_VERSION_MINOR), runs,
    ""
  };
  snprintf(runs, sizeof(runs), "%d.%d", nettle_version_major(),
           nettle_version_minor());
  return nettle;
}

size_t ca_libraries(struct ca_library *out)
{
  out[0] = curl();
  out[1] = nettle();
  return CA_LIBRARIES;
}
