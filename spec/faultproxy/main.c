/* composio-faultproxy: reads the command line, runs the proxy.
 * Must not know how faults are done; rule.h holds the language of rules.
 *
 *   composio-faultproxy --to PORT [--port 0] [--seed S] [--rule RULE]...
 *                       [--log FILE] [--help] [--version]
 *
 * The first line on stdout is {"port":N}. RULE is key=value pairs between
 * commas: which connection or request, at which byte of which direction, and
 * what goes wrong there:
 *
 *   request=2,when=reply,at=0,do=reset
 *   connection=1,when=request,at=100,do=stall,ms=5000
 *   method=POST,nth=2-,when=request,do=cut
 *
 * rule.c holds the whole list (fp_rule_help), README.md explains it. */
#include "proxy.h"
#include "rule.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char fp_usage[] =
    "usage: composio-faultproxy --to PORT [options]\n"
    "\n"
    "Stands between HTTP/1.1 clients and a server on 127.0.0.1 and does to "
    "the\n"
    "n-th connection or request what the rules say. Prints {\"port\":N} "
    "first.\n"
    "\n"
    "  --to PORT     the server's port\n"
    "  --port PORT   where to listen (0, any free port)\n"
    "  --rule RULE   a fault; may be given up to 64 times\n"
    "  --seed S      for rules with probability= (1)\n"
    "  --log FILE    one JSON line per request; - is stderr\n"
    "  --help        this text\n"
    "  --version     the version\n"
    "\n";

enum { FP_TO = 256, FP_PORT, FP_RULE, FP_SEED, FP_LOG, FP_HELP, FP_VERSION };

static const struct option fp_options[] = {
  { "to", required_argument, NULL, FP_TO },
  { "port", required_argument, NULL, FP_PORT },
  { "rule", required_argument, NULL, FP_RULE },
  { "seed", required_argument, NULL, FP_SEED },
  { "log", required_argument, NULL, FP_LOG },
  { "help", no_argument, NULL, FP_HELP },
  { "version", no_argument, NULL, FP_VERSION },
  { NULL, 0, NULL, 0 },
};

/* What the command line came to. */
struct fp_command {
  struct fp_proxy_options options;
  struct fp_rules rules;
  const char *log_path;
  int exit_code; /* -1: go on */
};

static bool fp_whole(const char *text, uint64_t most, uint64_t *number)
{
  char *end;

  errno = 0;
  *number = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno && *number <= most;
}

static int fp_wrong(const char *option, const char *value, const char *wants)
{
  fprintf(stderr, "composio-faultproxy: %s %s: wants %s\n", option, value,
          wants);
  return 2;
}

static int fp_one_option(struct fp_command *command, int option)
{
  char err[1024];
  uint64_t number = 0;

  switch(option) {
  case FP_TO:
  case FP_PORT:
    if(!fp_whole(optarg, 65535, &number) || (option == FP_TO && !number)) {
      return fp_wrong(option == FP_TO ? "--to" : "--port", optarg,
                      "a port number");
    }
    *(option == FP_TO ? &command->options.to : &command->options.port) =
        (uint16_t)number;
    return -1;
  case FP_SEED:
    if(!fp_whole(optarg, UINT64_MAX, &command->rules.seed)) {
      return fp_wrong("--seed", optarg, "a whole number");
    }
    return -1;
  case FP_RULE:
    if(!fp_rules_add(&command->rules, optarg, err, sizeof err)) {
      fprintf(stderr, "composio-faultproxy: %s\n", err);
      return 2;
    }
    return -1;
  case FP_LOG:
    command->log_path = optarg;
    return -1;
  case FP_HELP:
    fputs(fp_usage, stdout);
    fp_rule_help(stdout);
    return 0;
  case FP_VERSION:
    puts("composio-faultproxy " COMPOSIO_VERSION);
    return 0;
  default:
    fputs("composio-faultproxy: see --help\n", stderr);
    return 2;
  }
}

static void fp_read_command(struct fp_command *command, int argc, char **argv)
{
  int option;

  command->exit_code = -1;
  while(command->exit_code < 0 &&
        (option = getopt_long(argc, argv, "", fp_options, NULL)) != -1) {
    command->exit_code = fp_one_option(command, option);
  }
  if(command->exit_code >= 0) {
    return;
  }
  if(optind < argc) {
    command->exit_code =
        fp_wrong("argument", argv[optind], "nothing but options");
  } else if(!command->options.to) {
    fputs("composio-faultproxy: --to PORT is missing; see --help\n", stderr);
    command->exit_code = 2;
  }
}

/* A thousand connections are two thousand descriptors here. */
static void fp_raise_limit(void)
{
  struct rlimit limit;

  if(getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static int fp_serve(struct fp_command *command)
{
  struct fp_proxy *proxy;
  int exit_code;

  command->options.rules = &command->rules;
  if(command->log_path) {
    command->options.log = strcmp(command->log_path, "-") == 0
                               ? stderr
                               : fopen(command->log_path, "ae");
    if(!command->options.log) {
      fprintf(stderr, "composio-faultproxy: --log %s: %s\n", command->log_path,
              strerror(errno));
      return 2;
    }
  }
  proxy = fp_proxy_new(&command->options);
  if(!proxy) {
    return 1;
  }
  printf("{\"port\":%u}\n", (unsigned)fp_proxy_port(proxy));
  fflush(stdout);
  exit_code = fp_proxy_run(proxy);
  fp_proxy_free(proxy);
  return exit_code;
}

int main(int argc, char **argv)
{
  static struct fp_command command;
  int exit_code;

  signal(SIGPIPE, SIG_IGN);
  command.rules.seed = 1;
  fp_read_command(&command, argc, argv);
  exit_code = command.exit_code;
  if(exit_code < 0) {
    fp_raise_limit();
    exit_code = fp_serve(&command);
  }
  if(command.options.log && command.options.log != stderr) {
    fclose(command.options.log);
  }
  fp_rules_clear(&command.rules);
  return exit_code;
}
