/* Puts the emulator together and takes it apart again.
   It must not know operations: it seeds, listens, says where, serves. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "disk.h"
#include "fault.h"
#include "loop.h"
#include "seed.h"

static bool open_log(struct emu *emu)
{
  if(!emu->options.request_log)
    return true;
  int log = open(emu->options.request_log,
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  emu->journal.file = log < 0 ? NULL : fdopen(log, "a");
  if(emu->journal.file)
    return true;
  fprintf(stderr, "composio-emulator: --request-log %s: %s\n",
          emu->options.request_log, strerror(errno));
  if(log >= 0)
    close(log);
  return false;
}

static bool read_faults(struct emu *emu)
{
  emu->faults = emu_faults_new(emu->options.seed);
  if(!emu->options.faults)
    return true;
  json_error_t error;
  json_t *rules = json_load_file(emu->options.faults, 0, &error);
  char *problem =
      rules ? emu_faults_add(emu->faults, rules) : emu_copy(error.text);
  json_decref(rules);
  if(problem)
    fprintf(stderr, "composio-emulator: --faults %s: %s\n",
            emu->options.faults, problem);
  bool good = !problem;
  free(problem);
  return good;
}

static void ready(const struct emu *emu)
{
  size_t live = emu->store.by_created.live;
  printf("{\"url\":\"%s\",\"api_key\":\"%s\",\"accounts\":%zu}\n",
         emu->base_url, emu->options.keys[0], live);
  fflush(stdout);
}

/* Descriptors 0 to 2 are there, so that no file of ours becomes one. */
static void fill_descriptors(void)
{
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while(fd >= 0 && fd <= 2);
  if(fd > 2)
    close(fd);
}

static void block_signals(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
}

/* The usual soft limit of 1,024 descriptors ends a run with a thousand
   connections in the middle of accepting. */
static void allow_connections(void)
{
  struct rlimit limit;
  if(getrlimit(RLIMIT_NOFILE, &limit))
    return;
  rlim_t wanted = EMU_CONNECTIONS + 64;
  limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct emu *emu)
{
  uint16_t port = 0;
  if(!open_log(emu) || !read_faults(emu))
    return 1;
  int listening = emu_loop_listen(emu->options.port, &port);
  if(listening < 0)
    return 1;
  snprintf(emu->base_url, sizeof(emu->base_url), "http://127.0.0.1:%u",
           (unsigned)port);
  enum emu_disk_found found = emu_disk_open(emu);
  if(found == EMU_DISK_FAILED) {
    close(listening);
    return 1;
  }
  if(found == EMU_DISK_FRESH)
    emu_seed(emu);
  emu->random = emu_random_for(emu->options.seed,
                               ((uint64_t)1 << 40) + emu->store.accounts);
  emu->request_ids = emu_random_for(emu->options.seed, 0x7e9);
  emu_disk_save(emu);
  return emu_loop_run(emu, listening, ready) ? 0 : 1;
}

int main(int argc, char **argv)
{
  static struct emu emu;
  switch(emu_options_read(&emu.options, argc, argv)) {
  case EMU_OPTIONS_SAID:
    return 0;
  case EMU_OPTIONS_WRONG:
    return 2;
  default:
    break;
  }
  if(emu.options.until_eof && fcntl(STDIN_FILENO, F_GETFD) < 0) {
    fprintf(stderr, "composio-emulator: --until-eof: there is no standard "
                    "input to watch\n");
    return 1;
  }
  fill_descriptors();
  block_signals();
  allow_connections();
  emu_store_init(&emu.store);
  emu_clock_init(&emu.clock);
  emu.limit.budget = emu.options.rate_limit;
  int code = run(&emu);
  emu_disk_close(&emu);
  emu_faults_free(emu.faults);
  emu_journal_clear(&emu.journal);
  emu_leases_clear(&emu.leases);
  emu_store_clear(&emu.store);
  return code;
}
