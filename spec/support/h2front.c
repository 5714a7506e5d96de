/* composio-h2front: an HTTP/2 server over TLS in front of an emulator, which
   ends streams and connections the ways a server may, at the writes (requests
   other than GET) that its rules name. Everything else it forwards.
   Usage: composio-h2front --to PORT --cert FILE --key FILE RULE…
     refuse:N-M   resets writes N to M with REFUSED_STREAM; none is forwarded
     goaway:N-M   leaves writes N to M; then GOAWAY names an earlier stream as
                  the last one that was taken up
     drain:N-M    announces by GOAWAY that it will go, takes up writes N to M,
                  and names the last of them as the last stream
     cut:N-M      forwards writes N to M, resets them after the reply's headers
     fail:N-M     resets writes N to M with INTERNAL_ERROR; none is forwarded
   First line on stdout: {"port":N}; after each rule that struck, its kind.
   Must not know: what it forwards. */
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define FIELDS_MAX      24
#define RULES_MAX       8

enum kind { PASS, REFUSE, GOAWAY, DRAIN, CUT, FAIL };
static const char *const kinds[] = { "",      "refuse", "goaway",
                                     "drain", "cut",    "fail" };

struct rule {
  enum kind kind;
  long from;
  long to;
};

struct text {
  char *data;
  size_t len;
};

struct stream {
  char method[16];
  char path[2048];
  struct text head; /* the other fields, as HTTP/1.1 writes them */
  struct text body;
  struct text reply; /* the emulator's, whole */
  char *rest;        /* of its body */
  size_t left;
};

struct connection {
  SSL *tls;
  nghttp2_session *session;
  int32_t taken; /* the last stream that was forwarded */
};

static int target_port;
static struct rule rules[RULES_MAX];
static size_t rule_count;
static long writes;

/* Exits: a spec then sees that the program ended. */
static void check(bool good, const char *what)
{
  if(good)
    return;
  fprintf(stderr, "composio-h2front: %s\n", what);
  exit(1);
}

static void add(struct text *text, const void *bytes, size_t len)
{
  char *data = realloc(text->data, text->len + len + 1);
  check(data != NULL, "out of memory");
  memcpy(data + text->len, bytes, len);
  text->data = data;
  text->len += len;
  data[text->len] = '\0';
}

static struct sockaddr_in loopback(int port)
{
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* ---- the emulator's side ---- */

/* Sends the request and reads the reply to its end. */
static void ask(struct stream *stream)
{
  struct sockaddr_in address = loopback(target_port);
  int to = socket(AF_INET, SOCK_STREAM, 0);
  struct text text = { NULL, 0 };
  char bytes[16384];
  char line[2300];
  ssize_t got;

  snprintf(line, sizeof(line),
           "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
           "Content-Length: %zu\r\n",
           stream->method, stream->path, target_port, stream->body.len);
  add(&text, line, strlen(line));
  if(stream->head.len)
    add(&text, stream->head.data, stream->head.len);
  add(&text, "\r\n", 2);
  if(stream->body.len)
    add(&text, stream->body.data, stream->body.len);
  check(to >= 0 && !connect(to, (struct sockaddr *)&address, sizeof(address)),
        "the emulator cannot be reached");
  check(send(to, text.data, text.len, MSG_NOSIGNAL) == (ssize_t)text.len,
        "the emulator takes no request");
  while((got = read(to, bytes, sizeof(bytes))) > 0)
    add(&stream->reply, bytes, (size_t)got);
  close(to);
  free(text.data);
}

/* Makes the reply's head into fields; their texts stay in the reply. Returns
   how many, 0 when there is no reply. */
static size_t read_head(struct stream *stream, nghttp2_nv *fields)
{
  char *line = stream->reply.data;
  char *end = line ? strstr(line, "\r\n\r\n") : NULL;
  size_t count = 0;

  if(!end || stream->reply.len < 12)
    return 0;
  *end = '\0';
  stream->rest = end + 4;
  stream->left = stream->reply.len - (size_t)(stream->rest - line);
  fields[count++] = (nghttp2_nv){ (uint8_t *)":status", (uint8_t *)line + 9, 7,
                                  3, NGHTTP2_NV_FLAG_NONE };
  while((line = strstr(line, "\r\n")) && count < FIELDS_MAX) {
    char *colon = strchr(line += 2, ':');
    char *value = colon ? colon + 1 + strspn(colon + 1, " ") : line;
    char *at;
    for(at = line; at < colon; at++)
      *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
    if(colon && strncmp(line, "connection", 10) &&
       strncmp(line, "keep-alive", 10))
      fields[count++] =
          (nghttp2_nv){ (uint8_t *)line, (uint8_t *)value,
                        (size_t)(colon - line), strcspn(value, "\r"),
                        NGHTTP2_NV_FLAG_NONE };
  }
  return count;
}

/* ---- the client's side ---- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to,
                         size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *ctx)
{
  struct stream *stream = source->ptr;
  size_t len = stream->left < size ? stream->left : size;
  (void)session;
  (void)id;
  (void)ctx;
  memcpy(to, stream->rest, len);
  stream->rest += len;
  stream->left -= len;
  if(!stream->left)
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)len;
}

/* Replies with what the emulator says; cut: with its head only, and then a
   reset. */
static void answer(struct connection *connection, int32_t id,
                   struct stream *stream, bool cut)
{
  nghttp2_nv fields[FIELDS_MAX];
  nghttp2_data_provider body = { { .ptr = stream }, read_body };
  size_t count;

  connection->taken = id > connection->taken ? id : connection->taken;
  ask(stream);
  count = read_head(stream, fields);
  if(cut) {
    nghttp2_submit_headers(connection->session, NGHTTP2_FLAG_NONE, id, NULL,
                           fields, count, NULL);
    nghttp2_session_send(connection->session);
    nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, id,
                              NGHTTP2_INTERNAL_ERROR);
  } else
    nghttp2_submit_response(connection->session, id, fields, count, &body);
}

/* Returns the kind of the rule for this write, and whether it is the rule's
   first or last. */
static enum kind find_rule(long number, bool *first, bool *last)
{
  size_t i;
  for(i = 0; i < rule_count; i++)
    if(number >= rules[i].from && number <= rules[i].to) {
      *first = number == rules[i].from;
      *last = number == rules[i].to;
      return rules[i].kind;
    }
  return PASS;
}

static void go_away(struct connection *connection, int32_t last)
{
  nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE, last,
                        NGHTTP2_NO_ERROR, NULL, 0);
}

static void serve(struct connection *connection, int32_t id,
                  struct stream *stream)
{
  bool first = false;
  bool last = false;
  enum kind kind = !strcmp(stream->method, "GET")
                       ? PASS
                       : find_rule(++writes, &first, &last);

  if(kind == REFUSE || kind == FAIL)
    nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, id,
                              kind == REFUSE ? NGHTTP2_REFUSED_STREAM
                                             : NGHTTP2_INTERNAL_ERROR);
  if(kind == DRAIN && first)
    nghttp2_submit_shutdown_notice(connection->session);
  if(kind == PASS || kind == DRAIN || kind == CUT)
    answer(connection, id, stream, kind == CUT);
  if(last && (kind == DRAIN || kind == GOAWAY))
    go_away(connection, connection->taken);
  if(last && kind != PASS) {
    printf("%s\n", kinds[kind]);
    fflush(stdout);
  }
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame,
                    void *ctx)
{
  (void)ctx;
  if(frame->hd.type == NGHTTP2_HEADERS)
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id,
                                         calloc(1, sizeof(struct stream)));
  return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame,
                    const uint8_t *name, size_t name_len, const uint8_t *value,
                    size_t len, uint8_t flags, void *ctx)
{
  struct stream *stream =
      nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  (void)flags;
  (void)ctx;
  if(!stream || !strcmp((const char *)name, "content-length"))
    return 0;
  if(!strcmp((const char *)name, ":method"))
    snprintf(stream->method, sizeof(stream->method), "%.*s", (int)len, value);
  else if(!strcmp((const char *)name, ":path"))
    snprintf(stream->path, sizeof(stream->path), "%.*s", (int)len, value);
  else if(name[0] != ':') {
    add(&stream->head, name, name_len);
    add(&stream->head, ": ", 2);
    add(&stream->head, value, len);
    add(&stream->head, "\r\n", 2);
  }
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *data, size_t len, void *ctx)
{
  struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
  (void)flags;
  (void)ctx;
  if(stream)
    add(&stream->body, data, len);
  return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *ctx)
{
  struct stream *stream =
      nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if(stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
    serve(ctx, frame->hd.stream_id, stream);
  return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error,
                    void *ctx)
{
  struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
  (void)error;
  (void)ctx;
  if(stream) {
    free(stream->head.data);
    free(stream->body.data);
    free(stream->reply.data);
    free(stream);
  }
  return 0;
}

static ssize_t write_bytes(nghttp2_session *session, const uint8_t *data,
                           size_t len, int flags, void *ctx)
{
  struct connection *connection = ctx;
  (void)session;
  (void)flags;
  return SSL_write(connection->tls, data, (int)len) > 0
             ? (ssize_t)len
             : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int choose_h2(SSL *tls, const unsigned char **out, unsigned char *len,
                     const unsigned char *in, unsigned in_len, void *ctx)
{
  (void)tls;
  (void)ctx;
  return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)out, len,
                                      in, in_len) == 1
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Returns false when there is no HTTP/2 connection. */
static bool open_connection(struct connection *connection, SSL_CTX *tls,
                            int client)
{
  const nghttp2_settings_entry most = {
    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100
  };
  nghttp2_session_callbacks *calls;

  memset(connection, 0, sizeof(*connection));
  connection->tls = SSL_new(tls);
  SSL_set_fd(connection->tls, client);
  if(SSL_accept(connection->tls) != 1)
    return false;
  check(!nghttp2_session_callbacks_new(&calls), "out of memory");
  nghttp2_session_callbacks_set_send_callback(calls, write_bytes);
  nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
  nghttp2_session_callbacks_set_on_header_callback(calls, on_field);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
  check(!nghttp2_session_server_new(&connection->session, calls, connection),
        "out of memory");
  nghttp2_session_callbacks_del(calls);
  return !nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE,
                                  &most, 1) &&
         !nghttp2_session_send(connection->session);
}

/* Returns false when the connection has ended. */
static bool take_bytes(struct connection *connection)
{
  uint8_t bytes[16384];
  do {
    int got = SSL_read(connection->tls, bytes, sizeof(bytes));
    if(got <= 0 ||
       nghttp2_session_mem_recv(connection->session, bytes, (size_t)got) < 0)
      return false;
  } while(SSL_pending(connection->tls));
  return !nghttp2_session_send(connection->session) &&
         (nghttp2_session_want_read(connection->session) ||
          nghttp2_session_want_write(connection->session));
}

/* Reads what the client still sends: a close with unread bytes is a reset, by
   which the client can lose replies. */
static void close_connection(struct connection *connection, int client)
{
  const struct timeval most = { 0, 200000 };
  char bytes[4096];

  nghttp2_session_del(connection->session);
  SSL_shutdown(connection->tls);
  SSL_free(connection->tls);
  (void)shutdown(client, SHUT_WR);
  (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
  while(read(client, bytes, sizeof(bytes)) > 0)
    ;
  close(client);
}

static void loop(SSL_CTX *tls, int listener)
{
  static struct connection connections[CONNECTIONS_MAX];
  struct pollfd fds[CONNECTIONS_MAX + 1] = { { listener, POLLIN, 0 } };
  nfds_t count = 1;
  nfds_t i;

  while(poll(fds, count, -1) > 0) {
    for(i = 1; i < count; i++) {
      if(!fds[i].revents || take_bytes(&connections[i - 1]))
        continue;
      close_connection(&connections[i - 1], fds[i].fd);
      fds[i].fd = -1; /* poll leaves it out */
    }
    if(fds[0].revents) {
      int client = accept(listener, NULL, NULL);
      check(client >= 0 && count <= CONNECTIONS_MAX, "too many connections");
      if(open_connection(&connections[count - 1], tls, client))
        fds[count++] = (struct pollfd){ client, POLLIN, 0 };
      else
        close_connection(&connections[count - 1], client);
    }
  }
}

static void add_rule(const char *text)
{
  struct rule *rule = &rules[rule_count++];
  const char *colon = strchr(text, ':');
  char *end;
  size_t i;

  check(colon && rule_count <= RULES_MAX, text);
  for(i = REFUSE; i <= FAIL; i++)
    if(!strncmp(text, kinds[i], (size_t)(colon - text)))
      rule->kind = (enum kind)i;
  rule->from = rule->to = strtol(colon + 1, &end, 10);
  if(*end == '-')
    rule->to = strtol(end + 1, &end, 10);
  check(rule->kind && rule->from && !*end, text);
}

static void take_option(SSL_CTX *tls, const char *name, const char *value)
{
  bool good = false;
  if(!strcmp(name, "--to"))
    good = (target_port = (int)strtol(value, NULL, 10)) > 0;
  else if(!strcmp(name, "--cert"))
    good = SSL_CTX_use_certificate_file(tls, value, SSL_FILETYPE_PEM) == 1;
  else if(!strcmp(name, "--key"))
    good = SSL_CTX_use_PrivateKey_file(tls, value, SSL_FILETYPE_PEM) == 1;
  check(good, name);
}

int main(int argc, char **argv)
{
  struct sockaddr_in address = loopback(0);
  socklen_t len = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  int i;

  check(tls != NULL, "no TLS");
  for(i = 1; i < argc; i++)
    if(i + 1 < argc && !strncmp(argv[i], "--", 2)) {
      take_option(tls, argv[i], argv[i + 1]);
      i++;
    } else
      add_rule(argv[i]);
  check(target_port > 0, "--to PORT is missing");
  SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
  check(listener >= 0 &&
            !bind(listener, (struct sockaddr *)&address, sizeof(address)) &&
            !listen(listener, 64) &&
            !getsockname(listener, (struct sockaddr *)&address, &len),
        "cannot listen");
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  (void)signal(SIGPIPE, SIG_IGN);
  loop(tls, listener);
  return 0;
}
