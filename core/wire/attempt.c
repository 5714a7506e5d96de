/* The curl side of one exchange. Must not know: retries, other attempts, Lua.
   Three facts decide the settings. libcurl sends a custom header such as
   x-api-key to the host of a redirect too, so redirects are not followed.
   libcurl resends a request by itself when a reused connection dies before the
   reply, and when an HTTP/2 server has refused the stream or gone away before
   it. It does not tell these cases apart, so the pre-request callback refuses
   the second send of a request that must not be repeated. By default libcurl
   has no total timeout. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "wire/attempt.h"
#include "base/text.h"
#include "base/secret.h"

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
  struct ca_attempt *attempt = ctx;
  enum ca_code code = CA_OK;
  /* pages of a list are about as long as the page before */
  if(!attempt->body.len && attempt->usual)
    code = ca_buf_reserve(&attempt->body, attempt->usual + attempt->usual / 8);
  if(!code)
    code = ca_buf_add(&attempt->body, bytes, size * count);
  if(code) {
    attempt->too_large = true;
    return 0;
  }
  attempt->usual = attempt->body.len;
  return size * count;
}

/* No count of requests or milliseconds is larger, and arithmetic with smaller
   ones neither overflows nor loses precision, even as a double. */
#define NUMBER_MAX INT64_C(1000000000000)

static int64_t to_number(const char *text)
{
  int64_t value = 0;
  if(*text < '0' || *text > '9')
    return -1;
  for(; *text >= '0' && *text <= '9'; text++) {
    value = value * 10 + (*text - '0');
    if(value >= NUMBER_MAX)
      return NUMBER_MAX;
  }
  return value;
}

/* Reads the window's size, written "60s" or "60" (seconds). */
static int64_t to_window_ms(const char *text)
{
  int64_t seconds = to_number(text);
  return seconds > 0 && seconds <= 86400 ? seconds * 1000 : -1;
}

/* Copies the host of an absolute URL, for a message; "" for a relative one. */
static void copy_host(char *to, size_t size, const char *url)
{
  const char *from = strstr(url, "://");
  size_t len;
  from = from ? from + 3 : "";
  len = strcspn(from, "/?#");
  ca_text_printable(to, size, from, len < size ? len : 0);
}

/* How a header's value is stored. */
enum stored_as {
  AS_NUMBER,    /* a count, or milliseconds */
  AS_WINDOW,    /* "60s", in milliseconds */
  AS_FLAG,      /* "true" is 1, "false" is 0 */
  AS_JSON_FLAG, /* is the content type JSON? */
  AS_SENT,      /* a copy that is parsed later */
  AS_TEXT,      /* a copy for messages: masked and safe for terminals */
  AS_HOST       /* the same of a URL's host */
};

struct header {
  const char *name;
  enum stored_as as;
  size_t at; /* the member of struct ca_headers, and its size */
  size_t size;
};

#define IN(member)                     \
  offsetof(struct ca_headers, member), \
      sizeof(((struct ca_headers *)NULL)->member)

/* Returns NULL for a header that is not used. A reply has fifteen to twenty
   headers; comparing lengths first rules out nearly all of them. */
static const struct header *find_header(const char *line, size_t len)
{
  static const struct header headers[][4] = {
    [4] = { { "date", AS_SENT, IN(date) } },
    [6] = { { "sunset", AS_TEXT, IN(sunset) } },
    [8] = { { "location", AS_HOST, IN(location_host) } },
    [11] = { { "x-ratelimit", AS_NUMBER, IN(limit) },
             { "retry-after", AS_SENT, IN(retry_after) },
             { "deprecation", AS_TEXT, IN(deprecation) } },
    [12] = { { "content-type", AS_JSON_FLAG, IN(is_json) },
             { "x-request-id", AS_TEXT, IN(request_id) } },
    [14] = { { "x-should-retry", AS_FLAG, IN(should_retry) },
             { "retry-after-ms", AS_NUMBER, IN(retry_after_ms) } },
    [21] = { { "x-ratelimit-remaining", AS_NUMBER, IN(remaining) } },
    [23] = { { "x-ratelimit-window-size", AS_WINDOW, IN(window_ms) } },
  };
  const struct header *header;
  if(len >= sizeof(headers) / sizeof(headers[0]))
    return NULL;
  for(header = headers[len]; header->name; header++)
    if((header->name[0] | 0x20) == (line[0] | 0x20) &&
       !strncasecmp(header->name, line, len))
      return header;
  return NULL;
}

/* value: writable, and masked here where messages show it: a secret that was
   cut first would not be recognised. */
static void take_header(struct ca_headers *said, const struct header *header,
                        char *value)
{
  char *text = (char *)said + header->at;
  void *to = text;

  switch(header->as) {
  case AS_NUMBER:
    *(int64_t *)to = to_number(value);
    break;
  case AS_WINDOW:
    *(int64_t *)to = to_window_ms(value);
    break;
  case AS_FLAG:
    if(!strcasecmp(value, "true") || !strcasecmp(value, "false"))
      *(int *)to = (value[0] | 0x20) == 't';
    break;
  case AS_JSON_FLAG:
    *(bool *)to = !strncasecmp(value, "application/json", 16) ||
                  strstr(value, "+json") != NULL;
    break;
  case AS_SENT:
    ca_text_copy(text, header->size, value);
    break;
  case AS_TEXT:
    ca_text_printable(text, header->size, value,
                      ca_secret_mask(value, strlen(value)));
    break;
  case AS_HOST:
    ca_secret_mask(value, strlen(value));
    copy_host(text, header->size, value);
    break;
  }
}

static void forget_headers(struct ca_headers *said)
{
  static const struct ca_headers none = { .limit = -1,
                                          .remaining = -1,
                                          .window_ms = -1,
                                          .retry_after_ms = -1,
                                          .should_retry = -1 };
  *said = none;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
  struct ca_attempt *attempt = ctx;
  size_t len = size * count;
  const struct header *header;
  const char *colon;
  char value[256];

  if(len >= 5 && !memcmp(line, "HTTP/", 5)) {
    forget_headers(&attempt->said);
    return len;
  }
  if(*line == '\r' || *line == '\n')
    attempt->said.whole = true;
  colon = memchr(line, ':', len);
  header = colon ? find_header(line, (size_t)(colon - line)) : NULL;
  if(header) {
    const char *from = colon + 1;
    const char *end = line + len;
    while(from < end && (*from == ' ' || *from == '\t'))
      from++;
    while(end > from && (end[-1] == '\r' || end[-1] == '\n'))
      end--;
    /* a cut secret would not be recognised when masking, so longer values
       are ignored, except the host at the start of a long URL */
    if((size_t)(end - from) >= sizeof(value) && header->as != AS_HOST)
      return len;
    ca_err_copy_text(value, sizeof(value), from, (size_t)(end - from));
    take_header(&attempt->said, header, value);
  }
  return len;
}

/* Bytes of requests that libcurl has passed to the kernel for this handle; -1
   when it cannot tell. */
static int64_t count_bytes(const struct ca_attempt *attempt)
{
  long sent = 0;
  return curl_easy_getinfo(attempt->easy, CURLINFO_REQUEST_SIZE, &sent) ? -1
                                                                        : sent;
}

/* CURLOPT_SOCKOPTFUNCTION: libcurl is about to connect. libcurl 7.88 counts
   what it sends to a proxy as bytes of the request, so the count is saved
   here, before the connection is made. */
static int on_connect(void *ctx, curl_socket_t socket, curlsocktype purpose)
{
  struct ca_attempt *attempt = ctx;
  (void)socket;
  (void)purpose;
  if(!attempt->reconnects) {
    attempt->reconnects = true;
    attempt->counted = count_bytes(attempt);
  }
  return CURL_SOCKOPT_OK;
}

/* CURLOPT_PREREQFUNCTION: libcurl calls this before each request on a
   connection, also when it resends one by itself. If an idle connection was
   reset, the first write fails: no byte has left then, and the next send still
   counts as the first. */
static int on_send(void *ctx, char *remote, char *local, int remote_port,
                   int local_port)
{
  struct ca_attempt *attempt = ctx;
  (void)remote;
  (void)local;
  (void)remote_port;
  (void)local_port;
  if(ca_attempt_may_have_left(attempt)) {
    if(attempt->api->repeat == CA_REPEAT_NEVER) {
      attempt->held_back = true;
      return CURL_PREREQFUNC_ABORT;
    }
    attempt->sends++;
  } else
    attempt->sends = 1;
  attempt->before = count_bytes(attempt);
  attempt->reconnects = false;
  return CURL_PREREQFUNC_OK;
}

/* Sets one option, unless one was refused before. */
#define SET(easy, failed, option, value)                \
  do {                                                  \
    if(!(failed))                                       \
      (failed) = curl_easy_setopt(easy, option, value); \
  } while(0)

static CURLcode set_constants(struct ca_attempt *attempt)
{
  CURL *easy = attempt->easy;
  CURLcode failed = CURLE_OK;

  SET(easy, failed, CURLOPT_WRITEFUNCTION, on_body);
  SET(easy, failed, CURLOPT_HEADERFUNCTION, on_header);
  SET(easy, failed, CURLOPT_SOCKOPTFUNCTION, on_connect);
  SET(easy, failed, CURLOPT_PREREQFUNCTION, on_send);
  SET(easy, failed, CURLOPT_WRITEDATA, attempt);
  SET(easy, failed, CURLOPT_HEADERDATA, attempt);
  SET(easy, failed, CURLOPT_SOCKOPTDATA, attempt);
  SET(easy, failed, CURLOPT_PREREQDATA, attempt);
  SET(easy, failed, CURLOPT_PRIVATE, attempt);
  SET(easy, failed, CURLOPT_ERRORBUFFER, attempt->error);
  SET(easy, failed, CURLOPT_HTTPHEADER, attempt->headers);
  SET(easy, failed, CURLOPT_NOSIGNAL, 1L);
  SET(easy, failed, CURLOPT_FOLLOWLOCATION, 0L);
  SET(easy, failed, CURLOPT_MAXREDIRS, 0L);
  SET(easy, failed, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(easy, failed, CURLOPT_PATH_AS_IS, 1L);
  SET(easy, failed, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(easy, failed, CURLOPT_MAXAGE_CONN, 60L);
  SET(easy, failed, CURLOPT_MAXLIFETIME_CONN, 300L);
  SET(easy, failed, CURLOPT_TCP_KEEPALIVE, 1L);
  SET(easy, failed, CURLOPT_QUICK_EXIT, 1L);
  return failed;
}

/* Sets what depends on the endpoint, once per handle and endpoint. A handle
   that was used for another endpoint is reset first: none of that endpoint's
   settings (certificate authority, HTTP version) may reach this one. */
static CURLcode set_endpoint(struct ca_attempt *attempt,
                             struct ca_endpoint *endpoint)
{
  CURL *easy = attempt->easy;
  bool https = !strncasecmp(endpoint->base_url, "https:", 6);
  CURLcode failed = CURLE_OK;

  if(attempt->set_up_for) {
    curl_easy_reset(easy);
    attempt->api = NULL;
    attempt->timeout_ms = 0;
    failed = set_constants(attempt);
  }
  SET(easy, failed, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
  SET(easy, failed, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  SET(easy, failed, CURLOPT_CONNECTTIMEOUT_MS, (long)endpoint->connect_ms);
  /* A proxy from the environment must not be used for loopback. "*" also
     keeps libcurl from reading that environment for each request. */
  SET(easy, failed, CURLOPT_NOPROXY, endpoint->is_loopback ? "*" : NULL);
  if(https) {
    SET(easy, failed, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(easy, failed, CURLOPT_PIPEWAIT, 1L);
  }
  if(endpoint->ca_file)
    SET(easy, failed, CURLOPT_CAINFO, endpoint->ca_file);
  if(curl_url_set(attempt->parts, CURLUPART_URL, endpoint->base_url, 0) &&
     !failed)
    failed = CURLE_URL_MALFORMAT;
  attempt->set_up_for = failed ? UINT64_MAX : endpoint->serial;
  return failed;
}

/* Gives libcurl the URL's path and query; it has the other parts already. */
static CURLUcode set_parts(struct ca_attempt *attempt)
{
  char *path = strstr(attempt->url.data, "://");
  char *query;
  CURLUcode code = CURLUE_MALFORMED_INPUT;

  path = path ? strchr(path + 3, '/') : NULL;
  query = path ? strchr(path, '?') : NULL;
  if(query)
    *query = '\0';
  if(path)
    code = curl_url_set(attempt->parts, CURLUPART_PATH, path, 0);
  if(!code)
    code = curl_url_set(attempt->parts, CURLUPART_QUERY,
                        query ? query + 1 : NULL, 0);
  if(query)
    *query = '?';
  return code;
}

/* libcurl parses a URL's text and joins it again for every request, a fifth of
   its cost per request; so it is given the parts, unless they have escapes,
   which libcurl would write its own way. The text is set in any case, because
   libcurl uses it when it resends a request. The text must be set last:
   setting CURLOPT_CURLU overrides it and, from libcurl 8.12 on, drops it, even
   when set to NULL. */
static void set_url(struct ca_attempt *attempt, CURLcode *failed)
{
  bool in_parts =
      !strchr(attempt->url.data, '%') && set_parts(attempt) == CURLUE_OK;

  SET(attempt->easy, *failed, CURLOPT_CURLU, in_parts ? attempt->parts : NULL);
  SET(attempt->easy, *failed, CURLOPT_URL, attempt->url.data);
}

/* Links the header list from nodes in the attempt, so that a request allocates
   none; libcurl reads the list for each request. The user agent is one of the
   nodes, since with its own option libcurl would format it twice. No "Expect:"
   is needed: curl asks for a 100-continue only for bodies above 1 MB, and ours
   are never larger. */
static void chain_headers(struct ca_attempt *attempt, bool with_body,
                          bool with_type)
{
  static char accept[] = "Accept: application/json";
  static char agent[] = "User-Agent: composio-lua/" COMPOSIO_VERSION;
  static char json[] = "Content-Type: application/json";
  static char no_type[] = "Content-Type:";
  struct curl_slist *node = attempt->headers;
  int used = 0;

  node[used++].data = accept;
  node[used++].data = agent;
  node[used++].data = attempt->endpoint->key_header;
  node[used++].data = attempt->request_id;
  if(with_body)
    node[used++].data = with_type ? json : no_type;
  node[--used].next = NULL;
  for(; used > 0; used--)
    node[used - 1].next = &node[used];
}

/* Bytes that libcurl reads at once. Each transfer has a buffer of that size,
   so for the short replies to changes a smaller one leaves more of the
   processor's cache to everything else. */
#define PAGE_READ   16384L
#define CHANGE_READ 2048L

/* Sets what depends on the operation: once for a handle that repeats the same
   one. */
static CURLcode set_operation(struct ca_attempt *attempt,
                              const struct ca_api *api, bool with_body)
{
  CURL *easy = attempt->easy;
  CURLcode failed = CURLE_OK;

  attempt->usual = 0;
  SET(easy, failed, with_body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  /* a handle whose last transfer used HTTP/2 can still have its buffer, which
     libcurl then refuses to resize: it works as well */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                         api->method == CA_GET ? PAGE_READ : CHANGE_READ);
  /* compression shrinks pages to a tenth; the reply to a change is shorter
     than the header that would ask for it */
  SET(easy, failed, CURLOPT_ACCEPT_ENCODING,
      api->method == CA_GET ? "" : NULL);
  SET(easy, failed, CURLOPT_CUSTOMREQUEST,
      api->method == CA_GET || api->method == CA_POST
          ? NULL
          : ca_api_method_name(api->method));
  attempt->api = failed ? NULL : api;
  return failed;
}

static CURLcode set_request(struct ca_attempt *attempt,
                            const struct ca_request *request,
                            int64_t timeout_ms)
{
  CURL *easy = attempt->easy;
  struct ca_slice body = ca_request_body(request);
  CURLcode failed = CURLE_OK;

  /* the operation also decides whether there is a body */
  if(attempt->api != request->api)
    failed = set_operation(attempt, request->api, body.data != NULL);
  if(!failed && body.data) {
    SET(easy, failed, CURLOPT_POSTFIELDSIZE, (long)body.len);
    SET(easy, failed, CURLOPT_POSTFIELDS, body.data);
  }
  chain_headers(attempt, body.data != NULL, body.len > 0);
  if(!failed)
    set_url(attempt, &failed);
  if(attempt->timeout_ms != timeout_ms)
    SET(easy, failed, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
  attempt->timeout_ms = failed ? 0 : timeout_ms;
  return failed;
}

struct ca_attempt *ca_attempt_new(bool *counts)
{
  struct ca_attempt *attempt = calloc(1, sizeof(*attempt));
  if(!attempt)
    return NULL;
  attempt->counts = counts;
  ca_buf_init(&attempt->url, 32768);
  ca_buf_init(&attempt->body, CA_REPLY_MAX);
  attempt->easy = curl_easy_init();
  attempt->parts = curl_url();
  if(!attempt->easy || !attempt->parts || set_constants(attempt)) {
    ca_attempt_free(attempt);
    return NULL;
  }
  return attempt;
}

void ca_attempt_free(struct ca_attempt *attempt)
{
  if(!attempt)
    return;
  curl_easy_cleanup(attempt->easy);
  curl_url_cleanup(attempt->parts);
  ca_buf_clear(&attempt->url);
  ca_buf_wipe(&attempt->body);
  free(attempt);
}

enum ca_code ca_attempt_prepare(struct ca_attempt *attempt,
                                struct ca_endpoint *endpoint,
                                const struct ca_request *request,
                                const char *request_id, int64_t timeout_ms,
                                struct ca_err *err)
{
  static const char name[] = "x-request-id: ";
  CURLcode failed = CURLE_OK;
  enum ca_code code;

  attempt->sends = 0;
  attempt->reconnects = false;
  attempt->held_back = false;
  attempt->ended_well = false;
  ca_buf_reset(&attempt->url);
  ca_buf_reset(&attempt->body);
  forget_headers(&attempt->said);
  attempt->error[0] = '\0';
  attempt->too_large = false;
  memcpy(attempt->request_id, name, sizeof(name) - 1);
  ca_text_copy(attempt->request_id + sizeof(name) - 1,
               sizeof(attempt->request_id) - sizeof(name) + 1, request_id);
  code = ca_buf_add_text(&attempt->url, endpoint->base_url);
  if(!code)
    code = ca_request_target(request, &attempt->url);
  if(code)
    return ca_err_set(err, code, "the request's URL is too long");
  attempt->endpoint = endpoint;
  /* compared by serial: a new endpoint may have a freed one's address */
  if(attempt->set_up_for != endpoint->serial)
    failed = set_endpoint(attempt, endpoint);
  if(!failed)
    failed = set_request(attempt, request, timeout_ms);
  if(failed)
    return ca_err_set(err, CA_SYSTEM, "libcurl refuses an option: %s",
                      curl_easy_strerror(failed));
  return CA_OK;
}

void ca_attempt_ended(struct ca_attempt *attempt, CURLcode result)
{
  attempt->ended_well = result == CURLE_OK;
  if(attempt->ended_well && attempt->sends && attempt->before >= 0 &&
     count_bytes(attempt) > attempt->before)
    *attempt->counts = true;
}

bool ca_attempt_may_have_left(const struct ca_attempt *attempt)
{
  int64_t now;
  if(attempt->sends != 1)
    return attempt->sends > 1;
  now = attempt->reconnects ? attempt->counted : count_bytes(attempt);
  return !*attempt->counts || now < 0 || attempt->before < 0 ||
         now > attempt->before;
}

/* Returns the environment variable by which libcurl uses a proxy, or NULL.
   libcurl reads HTTP_PROXY in small letters only. */
static const char *proxy_variable(const struct ca_endpoint *endpoint)
{
  static const char *const names[] = { "https_proxy", "HTTPS_PROXY",
                                       "http_proxy", "all_proxy",
                                       "ALL_PROXY" };
  bool is_https = !strncmp(endpoint->base_url, "https:", 6);
  size_t i;

  for(i = is_https ? 0 : 2; i < sizeof(names) / sizeof(names[0]); i++) {
    const char *value = getenv(names[i]);
    if(value && *value && !endpoint->is_loopback && !(is_https && i == 2))
      return names[i];
  }
  return NULL;
}

/* Is it the proxy that could not be reached? libcurl's message names the host
   that it tried. */
static bool is_proxys(const struct ca_attempt *attempt, CURLcode result)
{
  const char *host = strstr(attempt->endpoint->base_url, "://");
  char name[256];

  if(result == CURLE_COULDNT_RESOLVE_PROXY)
    return true;
  if(result != CURLE_COULDNT_CONNECT || !host)
    return false;
  ca_err_copy_text(name, sizeof(name), host + 3, strcspn(host + 3, ":/"));
  return !strstr(attempt->error, name);
}

/* Returns what to do about a certificate that was refused. libcurl has one
   error code for all reasons, so this searches its error text. */
static const char *certificate_way_out(const char *detail)
{
  if(strstr(detail, "expired"))
    return "; the certificate has expired: it must be renewed, unless this "
           "machine's clock is wrong";
  if(strstr(detail, "not yet valid"))
    return "; is this machine's clock right?";
  if(strstr(detail, "subject name") || strstr(detail, "does not match"))
    return "; the certificate is for another name: check the base URL";
  return "; give the right certificate authority with --tls-ca";
}

/* Without a free file descriptor, a name lookup or a connection fails with
   the error of a network fault. */
static bool is_out_of_descriptors(void)
{
  int ends[2];
  if(pipe(ends))
    return errno == EMFILE || errno == ENFILE;
  (void)close(ends[0]);
  (void)close(ends[1]);
  return false;
}

void ca_attempt_explain(const struct ca_attempt *attempt, CURLcode result,
                        struct ca_err *err)
{
  const char *detail =
      attempt->error[0] ? attempt->error : curl_easy_strerror(result);
  const char *proxy = proxy_variable(attempt->endpoint);
  const char *way_out = "";
  char through[120];

  if(is_out_of_descriptors()) {
    way_out = "; this process has no file descriptors left: raise ulimit -n, "
              "or lower --concurrency";
  } else if(proxy && is_proxys(attempt, result)) {
    snprintf(through, sizeof(through),
             "; requests go through the proxy that %s names: is it up?",
             proxy);
    way_out = through;
  } else if(result == CURLE_COULDNT_RESOLVE_HOST)
    way_out = "; check the base URL and the network";
  else if(result == CURLE_COULDNT_CONNECT)
    way_out = "; is the service up at this address?";
  else if(result == CURLE_PEER_FAILED_VERIFICATION)
    way_out = certificate_way_out(detail);
  else if(result == CURLE_SSL_CONNECT_ERROR)
    way_out = "; does this address speak TLS (https)?";
  else if(result == CURLE_PARTIAL_FILE) /* libcurl's text varies by version */
    detail = "the connection was closed before the end of the reply";
  else if(attempt->held_back)
    detail = "the connection broke after the request was sent, or the server "
             "refused it, and it must not be sent twice";
  if(attempt->too_large) {
    ca_err_set(err, CA_REPLY, "the reply is larger than %d MB",
               CA_REPLY_MAX >> 20);
    err->curl_code = (int)result;
    return;
  }
  ca_err_set(err, result == CURLE_OPERATION_TIMEDOUT ? CA_TIMEOUT : CA_NETWORK,
             "no reply from %s: %s%s", attempt->endpoint->base_url, detail,
             way_out);
  err->curl_code = (int)result;
  err->retryable = true;
}
