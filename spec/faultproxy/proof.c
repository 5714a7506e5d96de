/* Proves each fault of composio-faultproxy on the wire.
 * Must not know the proxy's insides.
 *
 * faultproxy-proof PROXY [CONNECTIONS]: the second argument is how many
 * connections the leak case makes (2,000). Prints one line per case; the
 * exit code is the number of cases that failed. */
#include "proof.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET  "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"
#define HEAD                                        \
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
  "Content-Length: 5\r\n\r\n"
#define REPLY (sizeof HEAD - 1 + 5)

#define SILENT 150 /* ms that show that nothing comes */

struct proof_case {
  const char *name;
  const char *rules[4];
  bool (*run)(uint16_t port, struct proof_proxy *proxy);
};

static uint16_t proof_server_port;
static long proof_connections = 2000;

/* What the server tells about itself, asked without the proxy. */
static bool proof_server_says(const char *path, const char *text)
{
  char request[64];
  struct proof_seen seen;
  const char *body = NULL;
  long until = proof_now_ms() + 1000;

  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n\r\n", path);
  do {
    seen = proof_once(proof_server_port, request, 20, 1000);
    body = strstr(seen.bytes, "\r\n\r\n");
    if(body && strcmp(body + 4, text) == 0) {
      return true;
    }
    usleep(5000);
  } while(proof_now_ms() < until);
  fprintf(stderr, "%s: wanted %s, got %s\n", path, text, body ? body : "-");
  return false;
}

static unsigned proof_posts(void)
{
  struct proof_seen seen =
      proof_once(proof_server_port, "GET /count HTTP/1.1\r\n\r\n", 20, 1000);
  char *body = strstr(seen.bytes, "\r\n\r\n");

  return body ? (unsigned)strtoul(body, NULL, 10) : 0;
}

static bool proof_is(const struct proof_seen *seen, size_t size,
                     enum proof_end end)
{
  if(seen->size == size && seen->end == end) {
    return true;
  }
  fprintf(stderr, "wanted %zu bytes and end %d, got %zu and %d: %s\n", size,
          end, seen->size, seen->end, seen->bytes);
  return false;
}

static bool case_transparent(uint16_t port, struct proof_proxy *proxy)
{
  int fd = proof_dial(port);
  struct proof_seen a = proof_talk(fd, GET, REPLY, 1000);
  struct proof_seen b =
      proof_talk(fd, "GET /chunked HTTP/1.1\r\n\r\n", 72, 1000);
  struct proof_seen c = proof_talk(fd, POST, REPLY + 25, 1000);
  struct proof_seen d = proof_talk(fd, GET GET, 2 * REPLY, 1000);
  struct proof_seen e =
      proof_talk(fd, "GET /close HTTP/1.1\r\n\r\n", 9999, 1000);
  struct proof_seen big =
      proof_once(port, "GET /big HTTP/1.1\r\n\r\n", 1048620, 3000);

  close(fd);
  return proof_is(&a, REPLY, PROOF_OPEN) && proof_is(&b, 71, PROOF_OPEN) &&
         proof_is(&c, REPLY + 25, PROOF_OPEN) &&
         proof_is(&d, 2 * REPLY, PROOF_OPEN) && proof_is(&e, 32, PROOF_FIN) &&
         strstr(e.bytes, "until the end") && big.size > 1048576 &&
         proof_log_count(proxy, "\"faults\":[],\"end\":\"done\"", 7) == 7 &&
         proof_log_count(proxy, "\"request\":6,\"nth\":6", 1) == 1;
}

static bool case_cut_before(uint16_t port, struct proof_proxy *proxy)
{
  unsigned before = proof_posts();
  struct proof_seen seen = proof_once(port, POST, 9999, 1000);

  return proof_is(&seen, 0, PROOF_FIN) && proof_posts() == before &&
         proof_log_count(proxy, "\"to_server\":0", 1) == 1;
}

static bool case_reused(uint16_t port, struct proof_proxy *proxy)
{
  unsigned before = proof_posts();
  int fd = proof_dial(port);
  struct proof_seen a = proof_talk(fd, POST, REPLY + 25, 1000);
  struct proof_seen b = proof_talk(fd, POST, 9999, 1000);

  close(fd);
  return proof_is(&a, REPLY + 25, PROOF_OPEN) && proof_is(&b, 0, PROOF_FIN) &&
         proof_posts() == before + 1 &&
         proof_log_count(proxy, "\"nth\":2,\"method\":\"POST\"", 1) == 1;
}

static bool case_request_part(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen cut = proof_once(port, POST, 9999, 1000);
  bool good =
      proof_is(&cut, 0, PROOF_FIN) && proof_server_says("/partial", "10 fin");
  struct proof_seen reset = proof_once(port, POST, 9999, 1000);

  return good && proof_is(&reset, 0, PROOF_RST) &&
         proof_server_says("/partial", "50 rst") &&
         proof_log_count(proxy, "\"request_whole\":false", 2) == 2;
}

static bool case_after_request(uint16_t port, struct proof_proxy *proxy)
{
  unsigned before = proof_posts();
  struct proof_seen seen = proof_once(port, POST, 9999, 1000);

  return proof_is(&seen, 0, PROOF_RST) &&
         proof_log_count(proxy,
                         "\"to_client\":0,\"request_whole\":true,"
                         "\"reply_whole\":true,\"status\":200",
                         1) == 1 &&
         proof_posts() == before + 1;
}

static bool case_reply_offsets(uint16_t port, struct proof_proxy *proxy)
{
  size_t at;
  bool good = true;

  for(at = 0; at < REPLY; at++) {
    struct proof_seen reset = proof_once(port, GET, 9999, 1000);
    struct proof_seen cut = proof_once(port, GET, 9999, 1000);

    good = good && proof_is(&reset, at, PROOF_RST) &&
           proof_is(&cut, at, PROOF_FIN);
  }
  return good && proof_log_count(proxy, "\"reply_whole\":true",
                                 2 * (int)REPLY) == 2 * (int)REPLY;
}

static bool case_reply_marks(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen body = proof_once(port, GET, 9999, 1000);
  struct proof_seen more = proof_once(port, GET, 9999, 1000);
  struct proof_seen end = proof_once(port, GET, 9999, 1000);

  (void)proxy;
  return proof_is(&body, REPLY - 5, PROOF_RST) &&
         proof_is(&more, REPLY - 3, PROOF_FIN) &&
         proof_is(&end, REPLY, PROOF_FIN);
}

static bool case_stall(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen held = proof_once(port, GET, REPLY, 2000);
  struct proof_seen never = proof_once(port, GET, REPLY, SILENT);
  struct proof_seen late = proof_once(port, POST, REPLY + 25, 2000);
  unsigned posts = proof_posts();
  struct proof_seen lost = proof_once(port, POST, 1, SILENT);

  return proof_is(&held, REPLY, PROOF_OPEN) && held.ms >= 195 &&
         proof_is(&never, 7, PROOF_OPEN) &&
         proof_is(&late, REPLY + 25, PROOF_OPEN) && late.ms >= 95 &&
         proof_is(&lost, 0, PROOF_OPEN) && proof_posts() == posts &&
         proof_log_count(proxy, "\"end\":\"client closed\"", 2) == 2;
}

static bool case_drip(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen slow = proof_once(port, GET, REPLY, 3000);
  struct proof_seen up = proof_once(port, POST, REPLY + 25, 3000);

  (void)proxy;
  return proof_is(&slow, REPLY, PROOF_OPEN) && slow.ms >= 75 &&
         slow.ms < 1000 && proof_is(&up, REPLY + 25, PROOF_OPEN) &&
         up.ms >= 75;
}

static bool case_corrupt(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen flip = proof_once(port, GET, REPLY, 1000);
  struct proof_seen odd = proof_once(port, GET, 9999, 1000);
  struct proof_seen tail = proof_once(port, GET, 20, 1000);

  (void)proxy;
  return proof_is(&flip, REPLY, PROOF_OPEN) &&
         strcmp(flip.bytes, HEAD "heLlo") == 0 &&
         proof_is(&odd, 4, PROOF_FIN) && strcmp(odd.bytes, "a,b\n") == 0 &&
         strcmp(tail.bytes, "HTTP/1.1 \x01, gone\r\n\r\n") == 0;
}

static bool case_answer(uint16_t port, struct proof_proxy *proxy)
{
  unsigned before = proof_posts();
  int fd = proof_dial(port);
  struct proof_seen a = proof_talk(fd, POST, 40, 1000);
  struct proof_seen b = proof_talk(fd, GET, REPLY, 1000);

  close(fd);
  return strncmp(a.bytes, "HTTP/1.1 503 ", 13) == 0 &&
         proof_is(&b, REPLY, PROOF_OPEN) && proof_posts() == before &&
         proof_log_count(proxy, "\"to_server\":0,\"from_server\":0", 1) == 1;
}

static bool case_connection(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen a = proof_once(port, GET, 9999, 1000);
  struct proof_seen b = proof_once(port, GET, 9999, 1000);
  int fd = proof_dial(port);
  struct proof_seen c = proof_talk(fd, GET, REPLY, 1000);
  struct proof_seen d = proof_talk(fd, GET, 9999, 1000);

  close(fd);
  return proof_is(&a, 0, PROOF_RST) && proof_is(&b, 0, PROOF_FIN) &&
         proof_is(&c, REPLY, PROOF_OPEN) && proof_is(&d, 3, PROOF_RST) &&
         proof_log_count(proxy, "\"kind\":\"connection\"", 2) == 2;
}

static bool case_refuse(uint16_t port, struct proof_proxy *proxy)
{
  int fd = proof_dial(port);
  struct proof_seen a = proof_talk(fd, GET, REPLY, 1000);
  int second = proof_dial(port);
  struct proof_seen b = proof_talk(fd, GET, REPLY, 1000);
  int third;

  (void)proxy;
  usleep(400000);
  third = proof_dial(port);
  close(fd);
  close(third);
  return proof_is(&a, REPLY, PROOF_OPEN) && second < 0 &&
         proof_is(&b, REPLY, PROOF_OPEN) && third >= 0;
}

static bool case_down(uint16_t port, struct proof_proxy *proxy)
{
  int idle = proof_dial(port);
  struct proof_seen open = proof_talk(idle, GET, REPLY, 1000);
  struct proof_seen a = proof_once(port, GET, 9999, 1000);
  struct proof_seen b = proof_talk(idle, NULL, 9999, 1000);
  int after = proof_dial(port);

  close(idle);
  return proof_is(&open, REPLY, PROOF_OPEN) && proof_is(&a, 0, PROOF_RST) &&
         proof_is(&b, 0, PROOF_RST) && after < 0 &&
         proof_log_count(proxy, "\"end\":\"down\"", 1) == 1;
}

static bool case_chance(uint16_t port, struct proof_proxy *proxy)
{
  char pattern[101];
  int lost = 0;
  int i;

  (void)proxy;
  for(i = 0; i < 100; i++) {
    struct proof_seen seen = proof_once(port, GET, REPLY, 1000);

    pattern[i] = seen.end == PROOF_OPEN ? '.' : 'x';
    lost += seen.end != PROOF_OPEN;
  }
  pattern[100] = '\0';
  /* The default seed: the same pattern on every machine, for ever. */
  if(lost < 15 || lost > 45 ||
     strncmp(pattern, "..xxx.x...x..x.x..x.", 20) != 0) {
    fprintf(stderr, "%s\n", pattern);
    return false;
  }
  return true;
}

/* Bytes that are no HTTP go through, and to-server rules count in them. */
static bool case_raw(uint16_t port, struct proof_proxy *proxy)
{
  struct proof_seen seen = proof_once(port, "\x16\x03\x01 hello", 9999, 1000);

  return proof_is(&seen, 0, PROOF_RST) &&
         proof_server_says("/partial", "5 rst") &&
         proof_log_count(proxy, "\"from_client\":9,\"to_server\":5", 1) == 1;
}

static bool case_leak(uint16_t port, struct proof_proxy *proxy)
{
  int before = proof_descriptors(proxy->pid);
  int fds[100];
  long i;
  bool good = true;

  for(i = 0; i < proof_connections && good; i++) {
    struct proof_seen seen = proof_once(port, GET, REPLY, 2000);

    good = i % 10 == 3 ? seen.size < REPLY : seen.size == REPLY;
  }
  /* A hundred at once, all of them answered. */
  for(i = 0; i < 100; i++) {
    fds[i] = proof_dial(port);
    send(fds[i], GET, sizeof GET - 1, MSG_NOSIGNAL);
  }
  for(i = 0; i < 100; i++) {
    struct proof_seen seen = proof_talk(fds[i], NULL, REPLY, 2000);

    good = good && seen.end == (seen.size < REPLY ? PROOF_RST : PROOF_OPEN);
    close(fds[i]);
  }
  usleep(100000);
  if(proof_descriptors(proxy->pid) != before) {
    fprintf(stderr, "%d descriptors before, %d after\n", before,
            proof_descriptors(proxy->pid));
    good = false;
  }
  return good;
}

static const struct proof_case proof_cases[] = {
  { "transparent", { NULL }, case_transparent },
  { "cut before the server",
    { "request=1,when=request,do=cut" },
    case_cut_before },
  { "cut a reused connection",
    { "nth=2-,when=request,at=0,do=cut" },
    case_reused },
  { "part of a request",
    { "request=1,when=request,at=10,do=cut",
      "request=2,when=request,at=50,do=reset" },
    case_request_part },
  { "reset after the request",
    { "method=POST,when=request,at=end,do=reset" },
    case_after_request },
  { "every byte of a reply",
    { "request=1-/2,when=reply,at=sweep,do=reset",
      "request=*/2,when=reply,at=sweep,do=cut" },
    case_reply_offsets },
  { "body and end",
    { "request=1,when=reply,at=body,do=reset",
      "request=2,when=reply,at=body+2,do=cut",
      "request=3,when=reply,at=end,do=cut" },
    case_reply_marks },
  { "stall",
    { "request=1,when=reply,at=20,do=stall,ms=200",
      "request=2,when=reply,at=7,do=stall",
      "request=3,when=request,at=30,do=stall,ms=100",
      "request=4,when=request,at=30,do=stall,ms=forever" },
    case_stall },
  { "drip",
    { "request=1,when=reply,at=body,do=drip,ms=20",
      "request=2,when=request,at=5,do=drip,ms=20,bytes=10" },
    case_drip },
  { "flip and replace",
    { "request=1,when=reply,at=body+2,do=flip,xor=32",
      "request=2,when=reply,do=replace,then=cut,text=a,b\\n",
      "request=3,when=reply,at=9,do=replace,text=\\x01, gone\\r\\n\\r\\n" },
    case_corrupt },
  { "answer",
    { "method=POST,path=/p,do=answer,"
      "text=HTTP/1.1 503 No\\r\\nContent-Length: 2\\r\\n\\r\\nno" },
    case_answer },
  { "connections",
    { "connection=1,when=accept,do=reset", "connection=2,when=accept,do=cut",
      "connection=3,when=to-client,at=72,do=reset" },
    case_connection },
  { "refuse", { "request=1,when=reply,at=0,do=refuse,ms=300" }, case_refuse },
  { "down", { "request=2,when=request,do=down" }, case_down },
  { "probability", { "when=request,do=reset,probability=0.3" }, case_chance },
  { "not HTTP", { "when=to-server,at=5,do=reset" }, case_raw },
  { "many connections",
    { "request=4-/10,when=reply,at=20,do=reset" },
    case_leak },
};

/* What is refused, and the words that must name the trouble. */
static const char *const proof_bad[][2] = {
  { "request=2,when=reply", "do: missing" },
  { "do=cut", "when: missing" },
  { "request=0,when=reply,do=cut", "request: \"0\"" },
  { "when=reply,do=explode", "do: \"explode\" is not one of cut" },
  { "when=accept,path=/x,do=cut", "path: does not go with when=accept" },
  { "when=reply,do=drip", "ms: " },
  { "when=reply,do=cut,ms=5", "ms: does not go with do=cut" },
  { "when=reply,at=-1,do=cut", "at: \"-1\"" },
  { "when=to-client,at=end,do=cut", "at: " },
  { "when=reply,when=reply,do=cut", "when: given twice" },
  { "wehn=reply,do=cut", "wehn: no such key" },
  { "when=reply,do=replace,text=\\q", "text: " },
  { "when=reply,do=replace", "text: " },
  { "when=reply,do=cut,probability=2", "probability: " },
};

static bool proof_refuses(const char *program, const char *rule,
                          const char *words)
{
  char said[2048] = "";
  int err[2];
  int status = 0;
  size_t used = 0;
  ssize_t got = 1;
  pid_t pid;

  if(pipe(err) != 0) {
    proof_die("pipe");
  }
  pid = fork();
  if(pid == 0) {
    dup2(err[1], 2);
    execl(program, program, "--to", "1", "--rule", rule, (char *)NULL);
    _exit(127);
  }
  close(err[1]);
  while(got > 0 && used < sizeof said - 1) {
    got = read(err[0], said + used, sizeof said - 1 - used);
    used += got > 0 ? (size_t)got : 0;
  }
  close(err[0]);
  waitpid(pid, &status, 0);
  if(WIFEXITED(status) && WEXITSTATUS(status) == 2 && strstr(said, words) &&
     strstr(said, rule)) {
    return true;
  }
  fprintf(stderr, "rule %s: status %x: %s\n", rule, (unsigned)status, said);
  return false;
}

static int proof_run(const char *program, const struct proof_case *one)
{
  const char *rules[5] = { NULL };
  struct proof_proxy proxy;
  bool good;
  int code;

  memcpy(rules, one->rules, sizeof one->rules);
  proxy = proof_proxy_start(program, proof_server_port, rules);
  good = one->run(proxy.port, &proxy);
  code = proof_proxy_stop(&proxy);
  if(code != 0) {
    fprintf(stderr, "the proxy ended with %d\n", code);
  }
  good = good && code == 0;
  printf("%s %s\n", good ? "ok  " : "FAIL", one->name);
  return good ? 0 : 1;
}

int main(int argc, char **argv)
{
  int failed = 0;
  pid_t server;
  size_t i;

  if(argc < 2) {
    fputs("usage: faultproxy-proof PROXY [CONNECTIONS]\n", stderr);
    return 2;
  }
  if(argc > 2) {
    proof_connections = strtol(argv[2], NULL, 10);
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  server = proof_server(&proof_server_port);
  for(i = 0; i < sizeof proof_cases / sizeof proof_cases[0]; i++) {
    failed += proof_run(argv[1], &proof_cases[i]);
  }
  for(i = 0; i < sizeof proof_bad / sizeof proof_bad[0]; i++) {
    failed += !proof_refuses(argv[1], proof_bad[i][0], proof_bad[i][1]);
  }
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  printf("%d failed\n", failed);
  return failed;
}
