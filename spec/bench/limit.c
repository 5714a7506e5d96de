/* bench-limit: what the jobs cost in a bare curl_multi loop, the least that
 * anything on libcurl can need.
 * Must not know Lua, JSON or any safety: no retry, no ledger, no preview.
 *
 *   j1  PATCH /status {"enabled":false} for each id of --ids
 *   j3  one GET of --id
 *   j5  list the EXPIRED accounts, refresh each
 *
 * Prints one JSON line. The settings are those that measured best: reused
 * easy handles of which only URL and body change, a connection cache a bit
 * larger than the concurrency (a smaller one costs three times the CPU), no
 * more handles attached than may run, curl_multi_poll. */
#include "tool.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCH_PATH "/api/v3.1/connected_accounts"

static const char bench_usage[] =
    "usage: bench-limit --base-url URL [--job j1|j3|j5] [--ids FILE] [--id "
    "ID]\n"
    "                   [--concurrency 64] [--page 100]\n"
    "The API key is COMPOSIO_API_KEY. --ids holds one id per line.\n";

/* One easy handle, used again and again. */
struct bench_slot {
  CURL *easy;
  char url[512];
};

struct bench_limit {
  struct bench_options options;
  CURLM *multi;
  struct curl_slist *headers;
  struct bench_slot *slots;
  struct bench_buffer ids;  /* the file, or what a page gave */
  struct bench_buffer page; /* of the listing in j5 */
  char *next_id;
  size_t running, done, failed;
  const char *body, *suffix, *method;
};

static size_t bench_drop(char *bytes, size_t size, size_t count, void *user)
{
  (void)bytes;
  (void)user;
  return size * count;
}

static size_t bench_keep(char *bytes, size_t size, size_t count, void *user)
{
  bench_buffer_add(user, bytes, size * count);
  return size * count;
}

static CURL *bench_easy(struct bench_limit *limit)
{
  CURL *easy = curl_easy_init();

  if(!easy) {
    bench_die("curl", "no handle");
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, limit->headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bench_drop);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60000L);
  if(limit->method) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, limit->body);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, limit->method);
  }
  return easy;
}

static void bench_open(struct bench_limit *limit)
{
  char key[512];
  size_t i;

  curl_global_init(CURL_GLOBAL_DEFAULT);
  snprintf(key, sizeof key, "x-api-key: %s", limit->options.api_key);
  limit->headers = curl_slist_append(NULL, key);
  limit->headers =
      curl_slist_append(limit->headers, "accept: application/json");
  if(limit->method) {
    limit->headers =
        curl_slist_append(limit->headers, "content-type: application/json");
  }
  limit->multi = curl_multi_init();
  limit->slots = calloc(limit->options.concurrency, sizeof *limit->slots);
  if(!limit->multi || !limit->slots) {
    bench_die("memory", "exhausted");
  }
  curl_multi_setopt(limit->multi, CURLMOPT_MAXCONNECTS,
                    (long)limit->options.concurrency + 8);
  for(i = 0; i < limit->options.concurrency; i++) {
    limit->slots[i].easy = bench_easy(limit);
    curl_easy_setopt(limit->slots[i].easy, CURLOPT_PRIVATE, &limit->slots[i]);
  }
}

static void bench_close(struct bench_limit *limit)
{
  size_t i;

  for(i = 0; i < limit->options.concurrency; i++) {
    curl_easy_cleanup(limit->slots[i].easy);
  }
  curl_multi_cleanup(limit->multi);
  curl_slist_free_all(limit->headers);
  free(limit->slots);
  free(limit->ids.bytes);
  free(limit->page.bytes);
  curl_global_cleanup();
}

/* Puts the next id on the slot; false when there is none. */
static bool bench_start(struct bench_limit *limit, struct bench_slot *slot)
{
  char *id = limit->next_id;
  char *end = id ? strchr(id, '\n') : NULL;

  if(!end) {
    return false;
  }
  limit->next_id = end + 1;
  snprintf(slot->url, sizeof slot->url, "%s" BENCH_PATH "/%.*s%s",
           limit->options.base_url, (int)(end - id), id, limit->suffix);
  curl_easy_setopt(slot->easy, CURLOPT_URL, slot->url);
  curl_multi_add_handle(limit->multi, slot->easy);
  limit->running++;
  return true;
}

static void bench_finish(struct bench_limit *limit, const CURLMsg *message)
{
  CURL *easy = message->easy_handle;
  CURLcode result = message->data.result;
  struct bench_slot *slot = NULL;
  long status = 0;

  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if(result == CURLE_OK && status == 200) {
    limit->done++;
  } else {
    limit->failed++;
  }
  curl_multi_remove_handle(limit->multi, easy);
  limit->running--;
  bench_start(limit, slot);
}

/* Sends a request for every id there is, `concurrency` at a time. */
static void bench_drive(struct bench_limit *limit)
{
  CURLMsg *message;
  int left;
  int active;
  size_t i;

  limit->next_id = limit->ids.bytes;
  for(i = 0; i < limit->options.concurrency; i++) {
    if(!bench_start(limit, &limit->slots[i])) {
      break;
    }
  }
  while(limit->running) {
    curl_multi_perform(limit->multi, &active);
    while((message = curl_multi_info_read(limit->multi, &left)) != NULL) {
      if(message->msg == CURLMSG_DONE) {
        bench_finish(limit, message);
      }
    }
    if(limit->running) {
      curl_multi_poll(limit->multi, NULL, 0, 1000, NULL);
    }
  }
}

static void bench_read_ids(struct bench_limit *limit)
{
  char bytes[65536];
  size_t got;
  FILE *file;

  if(!limit->options.ids_path) {
    bench_die("--ids", "is needed by this job");
  }
  file = fopen(limit->options.ids_path, "r");
  if(!file) {
    bench_die(limit->options.ids_path, "cannot be read");
  }
  while((got = fread(bytes, 1, sizeof bytes, file)) > 0) {
    bench_buffer_add(&limit->ids, bytes, got);
  }
  fclose(file);
}

/* The ids of a page without parsing it: those of the accounts, and no other
 * text, start with "id":"ca_. Moves the cursor on; false at the last page. */
static bool bench_page_ids(struct bench_limit *limit, char *cursor,
                           size_t room)
{
  static const char mark[] = "\"id\":\"ca_";
  static const char next[] = "\"next_cursor\":\"";
  const char *at = limit->page.bytes;
  const char *end;

  limit->ids.used = 0;
  while((at = strstr(at, mark)) != NULL) {
    at += sizeof mark - 4;
    end = strchr(at, '"');
    if(!end) {
      break;
    }
    bench_buffer_add(&limit->ids, at, (size_t)(end - at));
    bench_buffer_add(&limit->ids, "\n", 1);
  }
  at = strstr(limit->page.bytes, next);
  end = at ? strchr(at + sizeof next - 1, '"') : NULL;
  if(!end) {
    return false;
  }
  at += sizeof next - 1;
  snprintf(cursor, room, "%.*s", (int)(end - at), at);
  return true;
}

static void bench_job_refresh(struct bench_limit *limit)
{
  CURL *easy = bench_easy(limit);
  char url[1024];
  char cursor[256] = "";
  char *escaped;
  bool more = true;

  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bench_keep);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &limit->page);
  while(more) {
    escaped = curl_easy_escape(easy, cursor, 0);
    snprintf(url, sizeof url,
             "%s" BENCH_PATH "?account_type=ALL&statuses=EXPIRED&limit=%zu"
             "%s%s",
             limit->options.base_url, limit->options.page,
             *cursor ? "&cursor=" : "", *cursor ? escaped : "");
    curl_free(escaped);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    limit->page.used = 0;
    if(curl_easy_perform(easy) != CURLE_OK || !limit->page.bytes) {
      bench_die("listing", "failed");
    }
    more = bench_page_ids(limit, cursor, sizeof cursor);
    bench_drive(limit);
  }
  curl_easy_cleanup(easy);
}

int main(int argc, char **argv)
{
  static struct bench_limit limit;
  double start = bench_wall_seconds();
  const char *job;

  bench_options_read(&limit.options, argc, argv, bench_usage);
  job = limit.options.job;
  limit.suffix = "";
  if(strcmp(job, "j1") == 0) {
    limit.method = "PATCH";
    limit.body = "{\"enabled\":false}";
    limit.suffix = "/status";
    bench_read_ids(&limit);
  } else if(strcmp(job, "j5") == 0) {
    limit.method = "POST";
    limit.body = "{}";
    limit.suffix = "/refresh";
  } else if(strcmp(job, "j3") == 0 && limit.options.id) {
    limit.options.concurrency = 1;
    bench_buffer_add(&limit.ids, limit.options.id, strlen(limit.options.id));
    bench_buffer_add(&limit.ids, "\n", 1);
  } else {
    bench_die(job, "is not j1, j5, or j3 with --id");
  }
  bench_open(&limit);
  if(strcmp(job, "j5") == 0) {
    bench_job_refresh(&limit);
  } else {
    bench_drive(&limit);
  }
  bench_close(&limit);
  printf("{\"job\":\"%s\",\"ops\":%zu,\"failed\":%zu,\"cpu_seconds\":%.6f,"
         "\"wall_seconds\":%.6f,\"peak_rss_kb\":%ld}\n",
         job, limit.done, limit.failed, bench_cpu_seconds(),
         bench_wall_seconds() - start, bench_peak_rss_kb());
  return limit.failed ? 1 : 0;
}
