/* The proof's client, and the proxy as a process with a log.
 * Must not know what any case is about. */
#include "proof.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void proof_die(const char *what)
{
  perror(what);
  exit(2);
}

long proof_now_ms(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int proof_dial(uint16_t port)
{
  struct sockaddr_in to;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if(fd < 0) {
    proof_die("socket");
  }
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if(connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* One read; false at the end of the connection. */
static bool proof_read_some(int fd, struct proof_seen *seen)
{
  char bytes[65536];
  ssize_t got = recv(fd, bytes, sizeof bytes, 0);
  size_t room;

  if(got <= 0) {
    seen->end = got == 0 ? PROOF_FIN : PROOF_RST;
    return false;
  }
  if(seen->size < sizeof seen->bytes - 1) {
    room = sizeof seen->bytes - 1 - seen->size;
    room = (size_t)got < room ? (size_t)got : room;
    memcpy(seen->bytes + seen->size, bytes, room);
    seen->bytes[seen->size + room] = '\0';
  }
  seen->size += (size_t)got;
  return true;
}

struct proof_seen proof_talk(int fd, const char *request, size_t want,
                             long limit_ms)
{
  struct proof_seen seen;
  struct pollfd wait = { fd, POLLIN, 0 };
  long start = proof_now_ms();
  long left;

  memset(&seen, 0, sizeof seen);
  if(fd < 0) {
    seen.end = PROOF_RST;
    return seen;
  }
  /* A reset that came first is told by send, and only once. */
  if(request && send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
    seen.end = PROOF_RST;
    return seen;
  }
  for(;;) {
    left = limit_ms - (proof_now_ms() - start);
    if(seen.size >= want || left <= 0 || poll(&wait, 1, (int)left) == 0 ||
       !proof_read_some(fd, &seen)) {
      break;
    }
  }
  seen.ms = proof_now_ms() - start;
  return seen;
}

struct proof_seen proof_once(uint16_t port, const char *request, size_t want,
                             long limit_ms)
{
  int fd = proof_dial(port);
  struct proof_seen seen = proof_talk(fd, request, want, limit_ms);

  if(fd >= 0) {
    close(fd);
  }
  return seen;
}

struct proof_proxy proof_proxy_start(const char *program, uint16_t to,
                                     const char *const *rules)
{
  struct proof_proxy proxy;
  const char *argv[160] = { program };
  size_t argc = 1;
  char port[16];
  char line[64] = "";
  int out[2];
  FILE *ready;

  memset(&proxy, 0, sizeof proxy);
  snprintf(proxy.log_path, sizeof proxy.log_path, "/tmp/fp-proof-XXXXXX");
  close(mkstemp(proxy.log_path));
  snprintf(port, sizeof port, "%u", (unsigned)to);
  argv[argc++] = "--to";
  argv[argc++] = port;
  argv[argc++] = "--log";
  argv[argc++] = proxy.log_path;
  while(*rules && argc < 156) {
    argv[argc++] = "--rule";
    argv[argc++] = *rules++;
  }
  if(pipe(out) != 0) {
    proof_die("pipe");
  }
  proxy.pid = fork();
  if(proxy.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out[1], 1);
    close(out[0]);
    close(out[1]);
    execv(program, (char *const *)argv);
    _exit(127);
  }
  close(out[1]);
  ready = fdopen(out[0], "r");
  if(!ready || !fgets(line, sizeof line, ready) ||
     strncmp(line, "{\"port\":", 8) != 0) {
    fprintf(stderr, "the proxy said: %s\n", line);
    exit(2);
  }
  fclose(ready);
  proxy.port = (uint16_t)strtoul(line + 8, NULL, 10);
  return proxy;
}

int proof_proxy_stop(struct proof_proxy *proxy)
{
  int status = 0;

  kill(proxy->pid, SIGTERM);
  waitpid(proxy->pid, &status, 0);
  unlink(proxy->log_path);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int proof_count_now(const struct proof_proxy *proxy, const char *text)
{
  FILE *log = fopen(proxy->log_path, "r");
  char line[4096];
  int count = 0;

  while(log && fgets(line, sizeof line, log)) {
    count += strstr(line, text) != NULL;
  }
  if(log) {
    fclose(log);
  }
  return count;
}

int proof_log_count(const struct proof_proxy *proxy, const char *text,
                    int wanted)
{
  long until = proof_now_ms() + 1000;
  int count = proof_count_now(proxy, text);

  while(count < wanted && proof_now_ms() < until) {
    usleep(5000);
    count = proof_count_now(proxy, text);
  }
  return count;
}

int proof_descriptors(pid_t pid)
{
  char path[64];
  DIR *list;
  int count = 0;

  snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
  list = opendir(path);
  while(list && readdir(list)) {
    count++;
  }
  if(list) {
    closedir(list);
  }
  return count;
}
