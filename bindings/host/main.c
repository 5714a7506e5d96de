/* composio-lua: sets up the process, parses the command line, calls the verb.
   Must not know: how runs work. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "host/host.h"
#include "base/text.h"
#include "ledger/run_verdict.h"
#include "ledger/sqlite.h"
#include "module/versions.h"
#include "host/os.h"

static struct host host;

/* What the process of one run tells its parent; NULL when there is only one
   run. */
static struct shared {
  volatile int signals; /* how many this run and those before received */
  bool written;         /* one of the runs has sent a change */
  bool creates;         /* the last run has changes that make accounts */
  char first[96];       /* the run to finish before this one, or "" */
} * to_parent;

static volatile int signals;    /* how many this process received */
static volatile bool is_parent; /* it waits for the process of a run */

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

/* Ends the process as a kill would: whatever the ledger holds stays whole. */
static void end_at_once(int code)
{
  if(to_parent)
    to_parent->written = to_parent->written || host.written;
  _exit(code);
}

/* The second signal ends the process; its parent passes it on, and ends as it
   does. */
static void on_signal(int signal_number)
{
  signals++;
  if(to_parent)
    to_parent->signals = signals;
  if(host_is_signalled(&host) && !is_parent)
    end_at_once(128 + signal_number);
  host.stop = signal_number;
  host_sandbox_trip(&host.sandbox);
}

/* The parent is gone: ends the run as a signal does. */
static void on_orphaned(int signal_number)
{
  (void)signal(signal_number, SIG_IGN);
  on_signal(SIGTERM);
}

static void on_cpu_time(int signal_number)
{
  static const char text[] =
      "composio-lua: the script used up its CPU time (--cpu DUR) within one "
      "call of a C function,\nsuch as string.find, which only the end of the "
      "process ends; `composio-lua runs` shows\nwhat it leaves\n";
  (void)signal_number;
  if(host_sandbox_count_cpu(&host.sandbox))
    return;
  (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
  end_at_once(host_is_signalled(&host) ? 128 + host.stop : 1);
}

static void on_deadline(int signal_number)
{
  (void)signal_number;
  if(host.stop)
    return;
  host.stop = LCA_STOP_DEADLINE;
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
  action.sa_handler = on_cpu_time;
  action.sa_flags = SA_RESTART;
  (void)sigaction(SIGPROF, &action, NULL);
  action.sa_flags = 0;
  action.sa_handler = on_deadline;
  (void)sigaction(SIGALRM, &action, NULL);
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
  case HOST_PROFILES:
    return host_runs_verb(&host);
  case HOST_DOCTOR:
    return host_runs_doctor(&host);
  case HOST_SCRIPTS:
    return host_shipped_help(&host, "scripts");
  case HOST_VERSION:
    break;
  }
  return host_versions();
}

/* ---- profiles ---- */

static struct ca_err refusal; /* of the profile */

static enum ca_code refuse(struct host *refused, struct ca_err *err)
{
  (void)refused;
  *err = refusal;
  return err->code;
}

/* Takes the options of the profile. For resume and undo it takes only the
   state directory, because the options of the earlier run come first. */
static int with_profile(void)
{
  struct host_options *options = &host.options;
  bool earlier = options->verb == HOST_RESUME || options->verb == HOST_UNDO;
  ca_err_clear(&refusal);
  if(options->help || options->verb >= HOST_PROFILES ||
     !host_profile_take(options, earlier ? "state-dir" : NULL, &refusal))
    return dispatch();
  if(options->verb <= HOST_UNDO) /* writes its metrics, as any run does */
    return host_run_prepared(&host, refuse);
  host_terminal_complain(&host, "%s", refusal.text);
  return 2;
}

static int end_output(int code);

/* Makes the command line one that resumes this run. */
static void become_resume(const char *run)
{
  static char operand[96];
  struct host_options *options = &host.options;
  ca_text_copy(operand, sizeof(operand), run);
  options->verb = HOST_RESUME;
  options->operand = operand;
  options->script = NULL;
  options->param_count = 0; /* these and the words come back with the run */
  options->rest = NULL;
  host_options_table_unshard(options);
}

/* Makes the end of the parent, whose end of the socket pair is closed then, a
   SIGIO for this process. */
static void watch_parent(int fd)
{
  struct sigaction action;
  struct pollfd parent = { fd, POLLIN, 0 };
  memset(&action, 0, sizeof(action));
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_orphaned;
  (void)sigaction(SIGIO, &action, NULL);
  (void)fcntl(fd, F_SETOWN, getpid());
  (void)fcntl(fd, F_SETFL, O_ASYNC);
  if(poll(&parent, 1, 0) > 0) /* it was gone before */
    (void)raise(SIGIO);
}

/* The process of a run: never returns. */
static void run_as_child(const char *profile, struct shared *shared, int fd)
{
  int code;
  to_parent = shared;
  is_parent = false;
  watch_parent(fd);
  if(profile)
    host_profile_choose(&host.options, profile);
  if(shared->first[0])
    become_resume(shared->first);
  code = end_output(with_profile());
  shared->written = shared->written || host.written;
  shared->creates = ca_run_verdict_creates(&host.counts);
  ca_text_copy(shared->first, sizeof(shared->first), host.first);
  _exit(code);
}

/* Waits for the child, whose end of the socket pair is closed when it ends.
   Passes on a signal that has not reached the child as well within a tenth of
   a second: a terminal sends to both. */
static int wait_for_child(pid_t child, const struct shared *shared, int fd)
{
  int status = 0;
  int seen = signals;
  while(waitpid(child, &status, WNOHANG) == 0) {
    struct pollfd end = { fd, POLLIN, 0 };
    if(shared->signals < seen)
      (void)kill(child, host.stop);
    seen = signals;
    (void)poll(&end, 1, 100);
  }
  return status;
}

/* Runs the script, or resumes shared->first, in a process of its own; returns
   its exit code. Neither process outlives the other. */
static int run_apart(const char *profile, struct shared *shared)
{
  int status = 0;
  int ends[2];
  pid_t child;
  (void)fflush(NULL);
  if(socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
    return 1;
  (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  shared->signals = signals;
  is_parent = true;
  child = fork();
  (void)close(ends[child ? 1 : 0]);
  if(!child)
    run_as_child(profile, shared, ends[1]);
  if(child > 0)
    status = wait_for_child(child, shared, ends[0]);
  is_parent = false;
  (void)close(ends[0]);
  if(child > 0 && WIFEXITED(status))
    return WEXITSTATUS(status);
  shared->written = true; /* nobody knows whether it did */
  return 1;
}

/* Runs the script; under --resume-first resumes the interrupted runs that it
   meets and then runs it again. A run that leaves something open ends this,
   and so does one that makes accounts: its rows would be made again. Returns
   the worst code. */
static int run_one(const char *profile, struct shared *shared)
{
  int worst = 0;
  int code;
  shared->first[0] = '\0';
  for(;;) {
    code = run_apart(profile, shared);
    worst = host_finish_worse(worst, code, shared->written);
    if(!shared->first[0])
      return worst;
    code = run_apart(profile, shared);
    worst = host_finish_worse(worst, code, shared->written);
    if(!ca_run_verdict_is_good_end(code) || shared->creates)
      return worst;
  }
}

/* Runs the script for one profile after the other (NULL: for the one that the
   options name, if any); only a signal keeps the next one from running.
   Returns the worst of their codes. */
static int run_profiles(char *profiles)
{
  struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int codes[HOST_PROFILE_MAX];
  int count = 0;
  int worst = 0;
  int i;
  char *rest = NULL;
  const char *name = profiles ? strtok_r(profiles, ",", &rest) : NULL;
  if(shared == MAP_FAILED)
    return 1;
  do {
    codes[count] = run_one(name, shared);
    name = !name || host.stop || codes[count] > 128
               ? NULL
               : strtok_r(NULL, ",", &rest);
    count++;
  } while(name && count < HOST_PROFILE_MAX);
  for(i = 0; i < count; i++)
    worst = host_finish_worse(worst, codes[i], shared->written);
  return worst;
}

/* Runs the verb for the profile, or the profiles, of the command line. */
static int for_profiles(void)
{
  struct host_options *options = &host.options;
  struct ca_err err;
  char *names;
  int code;
  if(options->help)
    return with_profile();
  if(!options->profile || !strchr(options->profile, ','))
    return options->resume_first && options->apply ? run_profiles(NULL)
                                                   : with_profile();
  ca_err_clear(&err);
  if(host_profile_check_several(options, &err)) {
    host_terminal_complain(&host, "%s", err.text);
    return 2;
  }
  names = strdup(options->profile);
  code = names ? run_profiles(names) : 1;
  free(names);
  return code;
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
  bool lost;
  host_terminal_release(&host, code);
  lost = fflush(stdout) != 0 || ferror(stdout);
  if(!lost || is_closed_pipe())
    return code;
  host_terminal_complain(&host,
                         "stdout cannot be written: what was printed is not "
                         "complete");
  return code || host.options.apply ? code : 1;
}

/* Ends with what is wrong on the command line. A run that it was to start
   writes its metrics, as far as the options before were read. */
static int refuse_words(const struct ca_err *err)
{
  refusal = *err;
  host.options.quiet = host.options.cron;
  host.options.help = false;
  if(host.options.verb <= HOST_UNDO)
    return host_run_prepared(&host, refuse);
  host_terminal_complain(&host, "%s", err->text);
  return 2;
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
  if(!getcwd(host.here, sizeof(host.here)))
    host.here[0] = '\0';
  host.argc = argc;
  host.argv = argv;
  host.clock = ca_clock_system();
  host.start_ms = ca_clock_mono_ms(host.clock);
  ca_err_clear(&err);
  if(host_options_parse(&host.options, argc, argv, &err)) {
    code = refuse_words(&err);
  } else {
    code = for_profiles();
  }
  host_options_clear(&host.options);
  return end_output(code);
}
