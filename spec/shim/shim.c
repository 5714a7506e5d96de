/* composio-shim.so: preloaded into a program that speaks HTTP, it hurts the
   program's own writes at the moments that no proxy can hit: between two
   writes of one request, and before the first byte of it has left. It can also
   set the program's wall clock wrong.
     LD_PRELOAD=…/composio-shim.so COMPOSIO_SHIM=HOW:MS:N program …
   HOW is one of
     pause  the request's head leaves, then the program sleeps MS milliseconds
     reset  the same, then the connection is reset
     fail   the connection is reset and the write fails; nothing has left
   N says which: the N-th POST that the program sends, M-N from the M-th to the
   N-th, M-N/K every K-th of those, or 0 each.
   A POST over TLS is known by its HTTP/2 frame in what SSL_write is given; its
   record is not cut in two. With COMPOSIO_SHIM_LOG=FILE each strike leaves a
   line there. With COMPOSIO_SHIM_CLOCK=SECONDS the wall clock is that much
   ahead, or behind; the monotonic clock stays right.
   Must not know: libcurl, and who uses it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef ssize_t send_fn(int, const void *, size_t, int);
typedef ssize_t write_fn(int, const void *, size_t);
typedef int ssl_write_fn(void *, const void *, int);
typedef int ssl_write_ex_fn(void *, const void *, size_t, size_t *);

static struct {
  char how; /* 'p', 'r', 'f'; 0: not asked for */
  long pause_ms;
  long first; /* of the POSTs that are hurt; 0: each is */
  long last;
  long step;
  long posts;     /* seen so far */
  bool tls_armed; /* the next write carries the POST that is to be hurt */
  long ahead;     /* seconds that the wall clock is ahead */
} shim;

__attribute__((constructor)) static void read_settings(void)
{
  const char *text = getenv("COMPOSIO_SHIM");
  const char *ahead = getenv("COMPOSIO_SHIM_CLOCK");
  char how[8] = "";
  int found = text
                  ? sscanf(text, "%7[a-z]:%ld:%ld-%ld/%ld", how,
                           &shim.pause_ms, &shim.first, &shim.last, &shim.step)
                  : 0;
  if(found == 3)
    shim.last = shim.first;
  if(shim.step < 1)
    shim.step = 1;
  if(found >= 3)
    shim.how = how[0];
  shim.ahead = ahead ? strtol(ahead, NULL, 10) : 0;
  /* the program's children are not meant */
  unsetenv("COMPOSIO_SHIM");
  unsetenv("COMPOSIO_SHIM_CLOCK");
  unsetenv("LD_PRELOAD");
}

static void note(const char *what, size_t len)
{
  const char *path = getenv("COMPOSIO_SHIM_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if(!file)
    return;
  fprintf(file, "%s POST %ld after %zu bytes\n", what, shim.posts, len);
  fclose(file);
}

static void pause_a_while(void)
{
  struct timespec wait = { shim.pause_ms / 1000,
                           shim.pause_ms % 1000 * 1000000L };
  while(nanosleep(&wait, &wait) && errno == EINTR)
    ;
}

/* Linux ends a TCP connection by RST when its socket is connected to nothing.
   The descriptor stays the program's. */
static void reset_connection(int fd)
{
  struct sockaddr none;
  memset(&none, 0, sizeof(none));
  none.sa_family = AF_UNSPEC;
  (void)connect(fd, &none, sizeof(none));
}

/* Is this POST to be hurt? Each counts once. */
static bool is_due(void)
{
  shim.posts++;
  return !shim.first || (shim.posts >= shim.first && shim.posts <= shim.last &&
                         (shim.posts - shim.first) % shim.step == 0);
}

static bool is_tcp(int fd)
{
  int type = 0;
  socklen_t len = sizeof(type);
  struct sockaddr_storage name;
  socklen_t name_len = sizeof(name);
  return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
         type == SOCK_STREAM &&
         !getsockname(fd, (struct sockaddr *)&name, &name_len) &&
         name.ss_family != AF_UNIX;
}

/* Bytes of the head when these begin an HTTP/1.1 POST, else 0. */
static size_t head_len(const void *bytes, size_t len)
{
  const char *end;
  if(len < 5 || memcmp(bytes, "POST ", 5) != 0)
    return 0;
  end = memmem(bytes, len, "\r\n\r\n", 4);
  return end ? (size_t)(end + 4 - (const char *)bytes) : len;
}

static ssize_t strike(int fd, const void *bytes, size_t head, send_fn *next)
{
  ssize_t sent;
  if(shim.how == 'f') {
    reset_connection(fd);
    note("fail", 0);
    errno = ECONNRESET;
    return -1;
  }
  sent = next(fd, bytes, head, MSG_NOSIGNAL);
  pause_a_while();
  if(shim.how == 'r')
    reset_connection(fd);
  note(shim.how == 'r' ? "reset" : "pause", sent > 0 ? (size_t)sent : 0);
  return sent;
}

/* What to do with one write; next sends. */
static ssize_t hurt(int fd, const void *bytes, size_t len, int flags,
                    send_fn *next)
{
  size_t head = 0;
  if(shim.tls_armed && is_tcp(fd)) {
    shim.tls_armed = false;
    return strike(fd, bytes, len, next);
  }
  if(shim.how)
    head = head_len(bytes, len);
  if(head && is_tcp(fd) && is_due())
    return strike(fd, bytes, head, next);
  return next(fd, bytes, len, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
  static send_fn *next;
  if(!next)
    *(void **)&next = dlsym(RTLD_NEXT, "send");
  return hurt(fd, bytes, len, flags, next);
}

static ssize_t plain_send(int fd, const void *bytes, size_t len, int flags)
{
  static send_fn *next;
  if(!next)
    *(void **)&next = dlsym(RTLD_NEXT, "send");
  return next(fd, bytes, len, flags);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
  static write_fn *next;
  if(!next)
    *(void **)&next = dlsym(RTLD_NEXT, "write");
  if(shim.how && (shim.tls_armed || head_len(bytes, len)) && is_tcp(fd))
    return hurt(fd, bytes, len, 0, plain_send);
  return next(fd, bytes, len);
}

/* Do these HTTP/2 frames hold the headers of a POST? `:method: POST` is entry
   3 of HPACK's static table (RFC 7541, appendix A), and comes first. */
static bool begins_post(const unsigned char *at, size_t len)
{
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if(len >= sizeof(preface) - 1 && !memcmp(at, preface, sizeof(preface) - 1)) {
    at += sizeof(preface) - 1;
    len -= sizeof(preface) - 1;
  }
  while(len > 9) {
    size_t size = ((size_t)at[0] << 16) | ((size_t)at[1] << 8) | at[2];
    size_t skipped = at[4] & 0x20 ? 5 : 0; /* its priority */
    if(at[3] == 1 && len > 9 + skipped && at[9 + skipped] == 0x83)
      return true;
    if(size + 9 > len)
      return false;
    at += size + 9;
    len -= size + 9;
  }
  return false;
}

static void look_at_frames(const void *bytes, size_t len)
{
  if(shim.how && begins_post(bytes, len) && is_due())
    shim.tls_armed = true;
}

int SSL_write(void *ssl, const void *bytes, int len)
{
  static ssl_write_fn *next;
  if(!next)
    *(void **)&next = dlsym(RTLD_NEXT, "SSL_write");
  if(len > 0)
    look_at_frames(bytes, (size_t)len);
  return next(ssl, bytes, len);
}

int SSL_write_ex(void *ssl, const void *bytes, size_t len, size_t *written)
{
  static ssl_write_ex_fn *next;
  if(!next)
    *(void **)&next = dlsym(RTLD_NEXT, "SSL_write_ex");
  look_at_frames(bytes, len);
  return next(ssl, bytes, len, written);
}

/* The kernel is asked, and not libc, whose functions these replace. */
int clock_gettime(clockid_t id, struct timespec *now)
{
  int failed = (int)syscall(SYS_clock_gettime, id, now);
  if(!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += shim.ahead;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
  struct timespec precise;
  (void)zone;
  if(clock_gettime(CLOCK_REALTIME, &precise))
    return -1;
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
