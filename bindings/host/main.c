/* composio-lua: sets up the process, parses the command line, calls the verb.
   Must not know: how runs work. */
#include <errno.h>
#include <fcntl.h>
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

static void print_usage(FILE *file)
{
  fputs(
      "composio-lua " COMPOSIO_VERSION
      ": bulk operations on Composio connected accounts\n\n"
      "  composio-lua run SCRIPT [--apply] [options] [parameters]\n"
      "  composio-lua SCRIPT …         the same as run\n"
      "  composio-lua apply PLAN       carry out a plan from --save-plan\n"
      "  composio-lua resume RUN       finish what a run left undone\n"
      "  composio-lua undo RUN         reverse what a run changed\n"
      "  composio-lua runs             list the runs, newest first\n"
      "  composio-lua show RUN         show what a run did\n"
      "  composio-lua history ACCOUNT  show who changed an account, and when\n"
      "  composio-lua scripts          list the shipped scripts\n"
      "  composio-lua help SCRIPT      show a script's parameters\n\n"
      "SCRIPT is a path or the name of a shipped script. RUN is an id from "
      "the list of\n`composio-lua runs`, the first or last characters of "
      "one, or the word last.\nrun and undo change nothing without --apply: "
      "they show what would change.\napply and resume make changes.\n\n"
      "Options may be given before or after SCRIPT, PLAN or RUN:\n\n",
      file);
  host_options_table_print_all(file);
  fputs("\nThe API key is read from --api-key-file, from\n"
        "$CREDENTIALS_DIRECTORY/composio-api-key, or from COMPOSIO_API_KEY.\n"
        "\nExit status: 0 all done or nothing to do, 1 the script raised an "
        "error, 2 wrong\nusage or configuration, 3 some items failed or were "
        "stale, 4 a guard refused and\nnothing was written, 5 the preview "
        "has changes (--detailed-exitcode), 6 the API\nkey was rejected, 7 "
        "the run stopped early, 8 unknown outcomes remain, 9 people\nstill "
        "have to act, 75 another run holds the lock, 129 130 143 ended by a "
        "signal.\n",
        file);
}

/* Prints a script's name and the summary in its composio.job, found in the
   text: listing the scripts must not run them. */
static void print_script(void *ctx, const char *name, const char *path)
{
  struct ca_err err;
  char clean[400] = "";
  size_t len = 0;
  char *text;
  const char *at;
  (void)ctx;
  ca_err_clear(&err);
  text = host_paths_read_file(path, 1u << 20, &len, &err);
  at = text ? strstr(text, "summary") : NULL;
  at = at ? strchr(at, '"') : NULL;
  if(at) {
    at++;
    ca_text_printable(clean, sizeof(clean), at, strcspn(at, "\"\n"));
  }
  printf("  %-20s %s\n", name, clean);
  free(text);
}

static int list_scripts(void)
{
  struct ca_err err;
  ca_err_clear(&err);
  if(host_paths_scripts(print_script, NULL, &err)) {
    host_terminal_complain(&host, "%s", err.text);
    return 2;
  }
  return 0;
}

static int run_script(void)
{
  if(host.options.verb == HOST_HELP)
    host.options.help = true;
  if(host.options.script)
    return host_run(&host);
  print_usage(host.options.help ? stdout : stderr);
  return host.options.help ? 0 : 2;
}

static int dispatch(void)
{
  bool about_script =
      host.options.verb == HOST_RUN || host.options.verb == HOST_HELP;
  if(host.options.help && !about_script) {
    print_usage(stdout);
    return 0;
  }
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
    return host_history_verb(&host);
  case HOST_SCRIPTS:
    return list_scripts();
  case HOST_VERSION:
    break;
  }
  return host_versions();
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
  (void)fflush(stdout);
  return code;
}
