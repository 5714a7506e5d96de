/* composio-lua: sets up the process, parses the command line, calls the verb.
   Must not know: how runs work. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host/host.h"
#include "ledger/sqlite.h"
#include "module/versions.h"
#include "host/os.h"

static struct host host;

/* ---- the process ---- */

/* Opens /dev/null for descriptors 0 to 2 that are closed: no file that we open
   later may become stdin, stdout or stderr. */
static void fill_descriptors(void)
{
  int fd;
  do
    fd = open("/dev/null", O_RDWR);
  while(fd >= 0 && fd <= 2);
  if(fd > 2)
    close(fd);
}

static void on_signal(int signal_number)
{
  if(host.stop > 0 && host.stop < LCA_STOP_PREVIEW)
    _exit(128 + signal_number); /* the second signal exits at once */
  host.stop = signal_number;
  host_sandbox_trip(&host.sandbox);
}

static void set_signals(void)
{
  static const int ending[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction action;
  size_t i;
  memset(&action, 0, sizeof(action));
  sigemptyset(&action.sa_mask);
  action.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &action, NULL);
  (void)sigaction(SIGXFSZ, &action,
                  NULL); /* write() fails with EFBIG instead */
  action.sa_handler = on_signal;
  for(i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
    struct sigaction before;
    (void)sigaction(ending[i], NULL, &before);
    if(before.sa_handler != SIG_IGN) /* nohup stays in effect */
      (void)sigaction(ending[i], &action, NULL);
  }
}

/* ---- verbs ---- */

static int run_script(void)
{
  if(host.options.verb == HOST_HELP)
    host.options.help = true;
  if(host.options.script)
    return host_run(&host);
  if(host.options.help)
    return host_shipped_help(&host, "usage");
  (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* it is no result */
  (void)host_shipped_help(&host, "usage");
  return 2;
}

static int dispatch(void)
{
  bool about_script =
      host.options.verb == HOST_RUN || host.options.verb == HOST_HELP;
  if(host.options.help && !about_script)
    return host_shipped_help(&host, "usage");
  switch(host.options.verb) {
  case HOST_RUN:
  case HOST_HELP:
    return run_script();
  case HOST_APPLY:
  case HOST_RESUME:
  case HOST_UNDO:
    return host_replay(&host);
  case HOST_RUNS:
  case HOST_SHOW:
  case HOST_HISTORY:
  case HOST_RESOLVE:
    return host_runs_verb(&host);
  case HOST_SCRIPTS:
    return host_shipped_help(&host, "scripts");
  case HOST_VERSION:
    break;
  }
  return host_versions();
}

/* Was the output lost because the reader closed its end of the pipe? */
static bool is_closed_pipe(void)
{
  struct pollfd out = { STDOUT_FILENO, 0, 0 };
  return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

/* Flushes stdout. Returns the exit code: 1 instead of 0 if what was printed is
   not complete. A reader that closed the pipe wanted no more, and the code of
   a run that acts tells what became of its changes. */
static int end_output(int code)
{
  bool lost = fflush(stdout) != 0 || ferror(stdout);
  if(!lost || is_closed_pipe())
    return code;
  host_terminal_complain(&host,
                         "stdout cannot be written: what was printed is not "
                         "complete");
  return code || host.options.apply ? code : 1;
}

int main(int argc, char **argv)
{
  struct ca_err err;
  int code;
  fill_descriptors();
  host_os_path_set_argv0(argv[0]);
  host_os_process_hide_memory();
  (void)umask(077);
  set_signals();
  ca_sqlite_single_thread();
  lca_versions_also(ca_sqlite_version);
  host.argc = argc;
  host.argv = argv;
  host.clock = ca_clock_system();
  host.start_ms = ca_clock_mono_ms(host.clock);
  ca_err_clear(&err);
  if(host_options_parse(&host.options, argc, argv, &err)) {
    host_terminal_complain(&host, "%s", err.text);
    code = 2;
  } else {
    code = dispatch();
  }
  host_options_clear(&host.options);
  return end_output(code);
}
