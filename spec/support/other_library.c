/* Preloaded into a program (LD_PRELOAD), this library makes libcurl and SQLite
   report other versions than theirs: COMPOSIO_OTHER_LIBCURL,
   COMPOSIO_OTHER_SQLITE. Their behaviour does not change.
   Must not know: what the program makes of a version. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

/* Converts an object pointer to a function pointer: ISO C has no such cast. */
static void find_next(const char *name, void *function, size_t size)
{
  void *found = dlsym(RTLD_NEXT, name);
  memcpy(function, &found, size);
}

VISIBLE curl_version_info_data *curl_version_info(CURLversion age)
{
  static curl_version_info_data info;
  const char *other = getenv("COMPOSIO_OTHER_LIBCURL");
  curl_version_info_data *(*real)(CURLversion) = NULL;
  find_next("curl_version_info", &real, sizeof(real));
  info = *real(age);
  if(other)
    info.version = other;
  return &info;
}

VISIBLE const char *sqlite3_libversion(void)
{
  const char *other = getenv("COMPOSIO_OTHER_SQLITE");
  const char *(*real)(void) = NULL;
  find_next("sqlite3_libversion", &real, sizeof(real));
  return other ? other : real();
}
