/* bench-time: runs a program and appends what it cost, as one JSON line.
 * Must not know what it runs.
 *
 *   bench-time FILE PROGRAM [ARGUMENT]...
 *
 * User and system CPU of the whole process, from its first instruction to
 * its last, with children it waited for; wall; peak RSS; exit status. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double bench_seconds(struct timeval time)
{
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double bench_now(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
  struct rusage usage;
  double start;
  double wall;
  int status;
  int code;
  pid_t pid;
  FILE *out;

  if(argc < 3) {
    fputs("usage: bench-time FILE PROGRAM [ARGUMENT]...\n", stderr);
    return 2;
  }
  start = bench_now();
  code = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
  if(code) {
    fprintf(stderr, "bench-time: %s: %s\n", argv[2], strerror(code));
    return 127;
  }
  while(wait4(pid, &status, 0, &usage) < 0) {
    if(errno != EINTR) {
      perror("bench-time: wait4");
      return 2;
    }
  }
  wall = bench_now() - start;
  code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  out = fopen(argv[1], "ae");
  if(!out) {
    perror(argv[1]);
    return 2;
  }
  fprintf(out,
          "{\"user\":%.6f,\"sys\":%.6f,\"wall\":%.6f,\"maxrss_kb\":%ld,"
          "\"exit\":%d}\n",
          bench_seconds(usage.ru_utime), bench_seconds(usage.ru_stime), wall,
          usage.ru_maxrss, code);
  fclose(out);
  return code;
}
