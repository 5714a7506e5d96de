/* bench-listing: drains all pages with libcurl and decodes each with bare
 * lua-cjson: the yardstick of a listing that hands accounts to Lua.
 * Must not know scheduling, integers, nulls or checks: it decodes, counts
 * the statuses, and follows next_cursor. */
#include "tool.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bench_usage[] =
    "usage: bench-listing --base-url URL [--page 100]\n"
    "The API key is COMPOSIO_API_KEY.\n";

/* Takes a page, returns the next cursor; counts on the way. */
static const char bench_chunk[] =
    "local decode = require('cjson').decode\n"
    "local count, accounts = {}, 0\n"
    "local function page(text)\n"
    "  local reply = decode(text)\n"
    "  for _, account in ipairs(reply.items) do\n"
    "    accounts = accounts + 1\n"
    "    count[account.status] = (count[account.status] or 0) + 1\n"
    "  end\n"
    "  local cursor = reply.next_cursor\n"
    "  return type(cursor) == 'string' and cursor or nil\n"
    "end\n"
    "return page, function() return accounts end\n";

static size_t bench_keep(char *bytes, size_t size, size_t count, void *user)
{
  bench_buffer_add(user, bytes, size * count);
  return size * count;
}

static CURL *bench_easy(struct bench_buffer *page, struct curl_slist *headers)
{
  CURL *easy = curl_easy_init();

  if(!easy) {
    bench_die("curl", "no handle");
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bench_keep);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, page);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  return easy;
}

static void bench_get(CURL *easy, const struct bench_options *options,
                      const char *cursor, struct bench_buffer *page)
{
  char url[1024];
  char *escaped = curl_easy_escape(easy, cursor, 0);
  long status = 0;

  snprintf(url, sizeof url,
           "%s/api/v3.1/connected_accounts?account_type=ALL&limit=%zu%s%s",
           options->base_url, options->page, *cursor ? "&cursor=" : "",
           *cursor ? escaped : "");
  curl_free(escaped);
  page->used = 0;
  curl_easy_setopt(easy, CURLOPT_URL, url);
  if(curl_easy_perform(easy) != CURLE_OK ||
     curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
     status != 200) {
    bench_die(url, "no page");
  }
}

/* Pages until there is no cursor; how many there were. */
static size_t bench_drain(lua_State *L, CURL *easy,
                          const struct bench_options *options,
                          struct bench_buffer *page)
{
  char cursor[256] = "";
  size_t pages = 0;

  do {
    bench_get(easy, options, cursor, page);
    pages++;
    lua_pushvalue(L, 1); /* page count page */
    lua_pushlstring(L, page->bytes, page->used);
    if(lua_pcall(L, 1, 1, 0) != LUA_OK) {
      bench_die("page", lua_tostring(L, -1));
    }
    snprintf(cursor, sizeof cursor, "%s",
             lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
    lua_pop(L, 1);
  } while(*cursor);
  return pages;
}

int main(int argc, char **argv)
{
  struct bench_options options;
  struct bench_buffer page = { NULL, 0, 0 };
  struct curl_slist *headers;
  double start = bench_wall_seconds();
  char key[512];
  size_t pages;
  lua_State *L;
  CURL *easy;

  bench_options_read(&options, argc, argv, bench_usage);
  L = luaL_newstate();
  luaL_openlibs(L);
  if(luaL_dostring(L, bench_chunk) != LUA_OK) {
    bench_die("lua", lua_tostring(L, -1));
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  snprintf(key, sizeof key, "x-api-key: %s", options.api_key);
  headers = curl_slist_append(NULL, key);
  headers = curl_slist_append(headers, "accept: application/json");
  easy = bench_easy(&page, headers);
  pages = bench_drain(L, easy, &options, &page);
  lua_call(L, 0, 1); /* page accounts */
  printf("{\"accounts\":%lld,\"pages\":%zu,\"cpu_seconds\":%.6f,"
         "\"wall_seconds\":%.6f,\"peak_rss_kb\":%ld}\n",
         (long long)lua_tointeger(L, -1), pages, bench_cpu_seconds(),
         bench_wall_seconds() - start, bench_peak_rss_kb());
  lua_close(L);
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  free(page.bytes);
  return 0;
}
