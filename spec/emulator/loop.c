/* Carries bytes: the listening socket, libmicrohttpd, delays, the end.
   It must not know what a path means: every call goes to emu_route.

   One thread does everything. The state needs no locks, and an answer that
   waits does so as a suspended connection under a timer, so that others are
   served meanwhile. select waits for it all: under epoll for one descriptor of
   libmicrohttpd's, elsewhere for each connection. */
#include "loop.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "os_poll.h"
#include "route.h"
#include "timer.h"

struct loop {
  struct emu *emu;
  struct MHD_Daemon *daemon;
  struct emu_timers timers;
  int listening;
  unsigned open; /* connections, of `most` */
  unsigned most;
  bool told_full;
  bool ending;
};

struct exchange {
  struct emu_call call;
  struct loop *loop;
  struct MHD_Connection *connection;
  struct MHD_Response *response;
  struct emu_timer timer;
  bool started;
  bool answered;
};

int emu_loop_listen(uint16_t port, uint16_t *got)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons(port) };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  int on = 1;
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  if(listening < 0 || fcntl(listening, F_SETFD, FD_CLOEXEC) < 0 ||
     setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
     bind(listening, (struct sockaddr *)&address, size) ||
     listen(listening, 1024) ||
     getsockname(listening, (struct sockaddr *)&address, &size)) {
    fprintf(stderr, "composio-emulator: cannot listen on 127.0.0.1:%u: %s\n",
            (unsigned)port, strerror(errno));
    if(errno == EADDRINUSE)
      fprintf(stderr, "Choose another --port, or 0 for any free one.\n");
    if(listening >= 0)
      close(listening);
    return -1;
  }
  *got = ntohs(address.sin_port);
  return listening;
}

static void *begin(void *context, const char *target,
                   struct MHD_Connection *connection)
{
  struct exchange *exchange = emu_alloc(sizeof(*exchange));
  exchange->loop = context;
  exchange->connection = connection;
  exchange->timer.owner = exchange;
  exchange->call.target = emu_copy(target);
  return exchange;
}

static char *trimmed(const char *text)
{
  size_t length = strlen(text);
  while(length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
    length--;
  return emu_copy_bytes(text, length);
}

/* Where a header is kept besides the log; credentials go nowhere else. */
static char **place_of(struct emu_call *call, const char *name, bool *secret)
{
  *secret = true;
  if(!strcasecmp(name, "x-api-key"))
    return &call->api_key;
  if(!strcasecmp(name, "x-user-api-key"))
    return &call->user_key;
  if(!strcasecmp(name, "x-org-api-key"))
    return &call->org_key;
  if(!strcasecmp(name, "authorization") || !strcasecmp(name, "cookie") ||
     !strcasecmp(name, "proxy-authorization"))
    return NULL;
  *secret = false;
  if(!strcasecmp(name, "content-type"))
    return &call->content_type;
  if(!strcasecmp(name, "x-request-id"))
    return &call->asked_id;
  if(!strcasecmp(name, "accept-encoding"))
    return &call->encodings;
  return NULL;
}

static void lower(struct emu_buf *out, const char *name)
{
  size_t from = out->size + 1;
  emu_buf_json(out, name);
  for(size_t i = from; i < out->size; i++)
    out->bytes[i] = (char)tolower((unsigned char)out->bytes[i]);
}

static enum MHD_Result header(void *context, enum MHD_ValueKind kind,
                              const char *name, const char *value)
{
  (void)kind;
  struct emu_call *call = context;
  bool secret = false;
  char **place = place_of(call, name, &secret);
  struct emu_buf *log = secret ? &call->credentials : &call->headers;
  if(!value)
    value = "";
  if(place && !*place)
    *place = trimmed(value);
  if(log->size)
    emu_buf_char(log, ',');
  lower(log, name);
  if(!secret) {
    emu_buf_char(log, ':');
    emu_buf_json(log, value);
  }
  return MHD_YES;
}

static void take_body(struct emu_call *call, const char *bytes, size_t size)
{
  if(call->body.size + size > EMU_BODY_MAX)
    call->too_large = true;
  if(!call->too_large) /* else the rest is read and dropped */
    emu_buf_add(&call->body, bytes, size);
}

static ssize_t read_part(void *context, uint64_t at, char *to, size_t room)
{
  struct emu_call *call = context;
  size_t left = call->truncate_at - (size_t)at;
  if(!left)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  size_t size = left < room ? left : room;
  memcpy(to, call->out.bytes + at, size);
  return (ssize_t)size;
}

/* The Date header is by the emulator's own clock, as its accounts' times
   are. */
static void add_date(struct MHD_Response *response, struct emu *emu)
{
  time_t now = (time_t)(emu_clock_now(&emu->clock) / 1000);
  struct tm parts;
  char text[40];
  if(gmtime_r(&now, &parts) &&
     strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts))
    MHD_add_response_header(response, "date", text);
}

static struct MHD_Response *respond(struct emu *emu, struct emu_call *call)
{
  struct MHD_Response *response;
  if(call->status == 204 || call->status == 304)
    emu_buf_reset(&call->out);
  if(call->truncate) {
    response = MHD_create_response_from_callback(call->out.size, 4096,
                                                 read_part, call, NULL);
  } else {
    response = MHD_create_response_from_buffer(call->out.size, call->out.bytes,
                                               MHD_RESPMEM_MUST_FREE);
    if(response) /* the bytes are the response's now */
      memset(&call->out, 0, sizeof(call->out));
  }
  if(!response)
    return NULL;
  add_date(response, emu);
  if(call->type)
    MHD_add_response_header(response, "content-type", call->type);
  for(size_t i = 0; i < call->reply_count; i++)
    MHD_add_response_header(response, call->reply[i].name,
                            call->reply[i].value);
  return response;
}

/* True when the answer has to wait. */
static bool answer(struct exchange *exchange)
{
  struct emu_call *call = &exchange->call;
  emu_route(exchange->loop->emu, call);
  exchange->answered = true;
  if(!call->close)
    exchange->response = respond(exchange->loop->emu, call);
  if(call->delay_ms <= 0 || exchange->loop->ending)
    return false;
  exchange->timer.due_ms = emu_clock_monotonic() + call->delay_ms;
  emu_timers_add(&exchange->loop->timers, &exchange->timer);
  MHD_suspend_connection(exchange->connection);
  return true;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *body,
                              size_t *body_size, void **state)
{
  (void)context;
  (void)url;
  (void)version;
  struct exchange *exchange = *state;
  if(!exchange->started) {
    exchange->started = true;
    snprintf(exchange->call.method, sizeof(exchange->call.method), "%s",
             method);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, header,
                              &exchange->call);
    return MHD_YES;
  }
  if(*body_size) {
    take_body(&exchange->call, body, *body_size);
    *body_size = 0;
    return MHD_YES;
  }
  if(!exchange->answered && answer(exchange))
    return MHD_YES;
  if(!exchange->response)
    return MHD_NO; /* closes the connection without a byte */
  return MHD_queue_response(connection, exchange->call.status,
                            exchange->response);
}

static void done(void *context, struct MHD_Connection *connection,
                 void **state, enum MHD_RequestTerminationCode why)
{
  (void)context;
  (void)connection;
  (void)why;
  struct exchange *exchange = *state;
  if(!exchange)
    return;
  emu_timers_remove(&exchange->loop->timers, &exchange->timer);
  emu_route_done(exchange->loop->emu, &exchange->call);
  if(exchange->response)
    MHD_destroy_response(exchange->response);
  emu_call_clear(&exchange->call);
  free(exchange);
  *state = NULL;
}

/* Paths are decoded by emu_call_parse, from the bytes as they came. */
static size_t leave_as_is(void *context, struct MHD_Connection *connection,
                          char *text)
{
  (void)context;
  (void)connection;
  return strlen(text);
}

/* At the limit the rest wait in the listening socket's queue. Whoever opened
   that many should hear why. */
static void count(void *context, struct MHD_Connection *connection,
                  void **state, enum MHD_ConnectionNotificationCode what)
{
  (void)connection;
  (void)state;
  struct loop *loop = context;
  if(what == MHD_CONNECTION_NOTIFY_CLOSED) {
    loop->open--;
    return;
  }
  loop->open++;
  if(loop->open < loop->most || loop->told_full)
    return;
  loop->told_full = true;
  fprintf(stderr,
          "composio-emulator: %u connections are open, as many as it serves "
          "at a time; more wait until one closes\n",
          loop->open);
}

/* What libmicrohttpd complains about is a client that went away. */
static void no_log(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void no_log(void *context, const char *format, va_list args)
{
  (void)context;
  (void)format;
  (void)args;
}

static void resume_due(struct loop *loop, int64_t now_ms)
{
  struct emu_timer *timer;
  while((timer = emu_timers_take(&loop->timers, now_ms)) != NULL) {
    struct exchange *exchange = timer->owner;
    MHD_resume_connection(exchange->connection);
  }
}

static int next_wait(struct loop *loop)
{
  MHD_UNSIGNED_LONG_LONG http_ms = 0;
  int wait_ms = emu_timers_wait(&loop->timers, emu_clock_monotonic());
  if(MHD_get_timeout(loop->daemon, &http_ms) != MHD_YES)
    return wait_ms;
  if(wait_ms < 0 || http_ms < (unsigned)wait_ms)
    return http_ms > 60000 ? 60000 : (int)http_ms;
  return wait_ms;
}

/* A signal writes here what select waits for: one that comes just before
   select begins is not missed. */
static int stop_pipe[2];

static void on_stop(int number)
{
  int saved = errno;
  (void)number;
  (void)!write(stop_pipe[1], "", 1);
  errno = saved;
}

static bool watch_signals(void)
{
  struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
  sigset_t set;
  if(pipe(stop_pipe))
    return false;
  for(int i = 0; i < 2; i++) {
    fcntl(stop_pipe[i], F_SETFD, FD_CLOEXEC);
    fcntl(stop_pipe[i], F_SETFL, O_NONBLOCK); /* a full one has been heard */
  }
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return !sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Whoever holds the other end of standard input is gone. What it writes
   is dropped. */
static bool input_ended(void)
{
  char dropped[4096];
  ssize_t got = read(STDIN_FILENO, dropped, sizeof(dropped));
  return !got || (got < 0 && errno != EINTR && errno != EAGAIN);
}

static bool serve_once(struct loop *loop)
{
  struct pollfd watched[2] = {
    { stop_pipe[0], POLLIN, 0 },
    { loop->emu->options.until_eof ? STDIN_FILENO : -1, POLLIN, 0 }
  };
  int full = loop->open >= loop->most ? loop->listening : -1;
  if(!emu_os_poll_wait(loop->daemon, full, watched, 2, next_wait(loop)))
    return false;
  if(watched[0].revents || (watched[1].revents && input_ended()))
    loop->ending = true;
  resume_due(loop, emu_clock_monotonic());
  emu_os_poll_run(loop->daemon);
  return true;
}

/* False when it had to end before anybody wanted it to. */
static bool serve(struct loop *loop)
{
  bool good = true;
  while(!loop->ending && good)
    good = serve_once(loop);
  /* The daemon must not be stopped while connections are suspended. */
  resume_due(loop, INT64_MAX);
  MHD_run(loop->daemon);
  return good;
}

static struct MHD_Daemon *start(struct loop *loop)
{
  return MHD_start_daemon(
      emu_os_poll_flag() | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
      NULL, NULL, handle, loop, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
      MHD_OPTION_LISTEN_SOCKET, loop->listening, MHD_OPTION_URI_LOG_CALLBACK,
      begin, loop, MHD_OPTION_NOTIFY_COMPLETED, done, loop,
      MHD_OPTION_NOTIFY_CONNECTION, count, loop, MHD_OPTION_UNESCAPE_CALLBACK,
      leave_as_is, NULL, MHD_OPTION_CONNECTION_LIMIT, loop->most,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
}

bool emu_loop_run(struct emu *emu, int listening,
                  void (*ready)(const struct emu *emu))
{
  struct loop loop = { .emu = emu,
                       .listening = listening,
                       .most = emu_os_poll_most(EMU_CONNECTIONS) };
  bool good;
  loop.daemon = watch_signals() ? start(&loop) : NULL;
  if(!loop.daemon) {
    fprintf(stderr, "composio-emulator: cannot start the HTTP server\n");
    close(listening);
    return false;
  }
  good = emu_os_poll_wait(loop.daemon, -1, NULL, 0, 0);
  if(good) {
    ready(emu);
    good = serve(&loop);
  }
  if(!good)
    fprintf(stderr, "composio-emulator: whoever started it left it too many "
                    "open descriptors to wait for its own\n");
  MHD_stop_daemon(loop.daemon);
  emu_timers_clear(&loop.timers);
  return good;
}
