/* Starts and stops a private emulator.
   Must not know: Lua, what a run is. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "host/emulator.h"
#include "host/os.h"
#include "host/paths.h"
#include "base/json.h"

#define READY_MS 60000
#define END_MS   2000

/* In the child: execs the emulator or exits 127. It gets its own process
   group, so that Ctrl-C reaches the host alone and requests in flight can end.
   Its standard input is a pipe whose other end only the host has: the kernel
   closes it when the host is gone, also after kill -9. */
static void become(const char *path, int64_t accounts, int in, int out)
{
  char number[24];
  (void)setpgid(0, 0);
  (void)signal(SIGPIPE, SIG_DFL);
  if(dup2(in, 0) < 0 || dup2(out, 1) < 0)
    _exit(127);
  snprintf(number, sizeof(number), "%lld", (long long)accounts);
  execl(path, "composio-emulator", "--until-eof", "--port", "0", "--accounts",
        number, (char *)NULL);
  _exit(127);
}

/* Reads the first line, without its end. */
static bool read_line(int fd, char *line, size_t size)
{
  size_t used = 0;
  while(used + 1 < size) {
    struct pollfd poll_for = { fd, POLLIN, 0 };
    ssize_t got;
    int ready = poll(&poll_for, 1, READY_MS);
    if(ready < 0 && errno == EINTR)
      continue;
    if(ready <= 0)
      return false;
    got = read(fd, line + used, 1);
    if(got < 0 && errno == EINTR)
      continue;
    if(got <= 0)
      return false;
    if(line[used] == '\n') {
      line[used] = '\0';
      return true;
    }
    used++;
  }
  return false;
}

static enum ca_code read_ready(struct host_emulator *emulator, int fd,
                               struct ca_err *err)
{
  char line[1024];
  size_t len;
  if(!read_line(fd, line, sizeof(line)))
    return ca_err_set(
        err, CA_SYSTEM,
        "the emulator did not start within 60 seconds, or exited");
  len = strlen(line);
  if(!ca_json_text(line, len, "$.url", emulator->url, sizeof(emulator->url)) ||
     !ca_json_text(line, len, "$.api_key", emulator->api_key,
                   sizeof(emulator->api_key)))
    return ca_err_set(err, CA_SYSTEM,
                      "cannot parse the first line of the emulator: %.200s",
                      line);
  return CA_OK;
}

enum ca_code host_emulator_start(struct host_emulator *emulator,
                                 int64_t accounts, struct ca_err *err)
{
  char path[HOST_PATH_SIZE];
  int life[2];
  int ends[2];
  enum ca_code code = host_paths_emulator(path, sizeof(path), err);
  memset(emulator, 0, sizeof(*emulator));
  if(code)
    return code;
  if(!host_os_process_pipe(life))
    return ca_err_set(err, CA_SYSTEM, "pipe: %s", strerror(errno));
  if(!host_os_process_pipe(ends)) {
    close(life[0]);
    close(life[1]);
    return ca_err_set(err, CA_SYSTEM, "pipe: %s", strerror(errno));
  }
  emulator->pid = fork();
  if(!emulator->pid)
    become(path, accounts, life[0], ends[1]);
  emulator->life = life[1];
  close(life[0]);
  close(ends[1]);
  if(emulator->pid < 0) {
    emulator->pid = 0;
    close(emulator->life);
    code = ca_err_set(err, CA_SYSTEM, "fork: %s", strerror(errno));
  } else {
    code = read_ready(emulator, ends[0], err);
  }
  close(ends[0]);
  if(code)
    host_emulator_stop(emulator);
  return code;
}

void host_emulator_stop(struct host_emulator *emulator)
{
  struct timespec pause = { 0, 10 * 1000000 };
  int waited_ms;
  if(!emulator->pid)
    return;
  (void)kill(emulator->pid, SIGTERM);
  close(emulator->life);
  for(waited_ms = 0; waited_ms < END_MS; waited_ms += 10) {
    if(waitpid(emulator->pid, NULL, WNOHANG) != 0)
      break;
    (void)nanosleep(&pause, NULL);
  }
  if(waited_ms >= END_MS) {
    (void)kill(emulator->pid, SIGKILL);
    (void)waitpid(emulator->pid, NULL, 0);
  }
  emulator->pid = 0;
}
