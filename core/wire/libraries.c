/* The versions of libcurl and nettle: of the headers this was compiled with,
   and what the loaded libraries report. Must not know: who asks, what a
   version means. */
#include <curl/curl.h>
#include <nettle/version.h>
#include <stdio.h>
#include "wire/libraries.h"

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)

static void set_curl(struct ca_version *version)
{
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  const char *http2 = NULL;
  ca_version_set(version, "libcurl", LIBCURL_VERSION, info->version);
  /* an older library's struct is shorter; `age` tells */
  if(info->age >= CURLVERSION_SIXTH)
    http2 = info->nghttp2_version;
  snprintf(version->more, sizeof(version->more), "%s, %s%s",
           info->ssl_version ? info->ssl_version : "no TLS",
           http2 ? "nghttp2/" : "no HTTP/2", http2 ? http2 : "");
}

static void set_nettle(struct ca_version *version)
{
  char runs[24];
  snprintf(runs, sizeof(runs), "%d.%d", nettle_version_major(),
           nettle_version_minor());
  ca_version_set(version, "nettle",
                 TEXT(NETTLE_VERSION_MAJOR) "." TEXT(NETTLE_VERSION_MINOR),
                 runs);
}

size_t ca_libraries(struct ca_version *out)
{
  set_curl(&out[0]);
  set_nettle(&out[1]);
  return CA_LIBRARIES;
}
