/* Parses the emulator's command line.
   Must not know: what the emulator does with the options. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <microhttpd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char usage[] =
    "Usage: composio-emulator [options]\n"
    "A local, stateful Composio on 127.0.0.1. The first line on stdout is\n"
    "JSON with its url, an api_key and the number of accounts.\n"
    "\n"
    "  --port N          listen on port N (default 0: any free port)\n"
    "  --accounts N      start with N connected accounts (default 100)\n"
    "  --seed S          the same N and S give the same accounts (default 1)\n"
    "  --odd             add accounts that clients do not expect: status\n"
    "                    PAUSED, scheme PASSKEY, no user_id\n"
    "  --db FILE         keep the state in FILE (default :memory:); an "
    "existing\n"
    "                    file keeps its accounts\n"
    "  --api-key KEY     accept this key; may be repeated\n"
    "  --rate-limit N    allow N requests per minute (default 10000, 0: no\n"
    "                    limit)\n"
    "  --mask MODE       show secrets as redact (default), mask4 or raw\n"
    "  --page-default N  page size when a listing asks for none (default 20)\n"
    "  --page-max N      largest page size (default 100)\n"
    "  --latency-ms N    delay the reply to every API request by N ms\n"
    "  --request-log FILE  append each request to FILE as a line of JSON\n"
    "  --faults FILE     JSON array of fault rules, see /_emulator/faults\n"
    "  --legacy          behave as in January 2026: enable from any status,\n"
    "                    Deprecation on creates for Composio-managed OAuth\n"
    "  --leases          answer 409 to a change of an account while another\n"
    "                    change of it has no reply yet\n"
    "  --gzip            compress replies for clients that accept gzip\n"
    "  --assume NAME=VALUE  choose the answer where the real one is not\n"
    "                    known; may be repeated; a wrong NAME lists them\n"
    "  --until-eof       exit at the end of standard input, and so together\n"
    "                    with the process that started the emulator\n"
    "  --help            print this text\n"
    "  --version         print the versions of the program and its libraries\n"
    "\n"
    "SIGTERM and SIGINT end it. Exit status: 0 ended, 1 cannot run, 2 "
    "usage.\n";

enum {
  PORT = 256,
  ACCOUNTS,
  SEED,
  ODD,
  DB,
  API_KEY,
  RATE_LIMIT,
  MASK,
  PAGE_DEFAULT,
  PAGE_MAX,
  LATENCY,
  REQUEST_LOG,
  FAULTS,
  LEGACY,
  LEASES,
  GZIP,
  ASSUME,
  UNTIL_EOF,
  HELP,
  VERSION
};

static const struct option known[] = {
  { "port", required_argument, NULL, PORT },
  { "accounts", required_argument, NULL, ACCOUNTS },
  { "seed", required_argument, NULL, SEED },
  { "odd", no_argument, NULL, ODD },
  { "db", required_argument, NULL, DB },
  { "api-key", required_argument, NULL, API_KEY },
  { "rate-limit", required_argument, NULL, RATE_LIMIT },
  { "mask", required_argument, NULL, MASK },
  { "page-default", required_argument, NULL, PAGE_DEFAULT },
  { "page-max", required_argument, NULL, PAGE_MAX },
  { "latency-ms", required_argument, NULL, LATENCY },
  { "request-log", required_argument, NULL, REQUEST_LOG },
  { "faults", required_argument, NULL, FAULTS },
  { "legacy", no_argument, NULL, LEGACY },
  { "leases", no_argument, NULL, LEASES },
  { "gzip", no_argument, NULL, GZIP },
  { "assume", required_argument, NULL, ASSUME },
  { "until-eof", no_argument, NULL, UNTIL_EOF },
  { "help", no_argument, NULL, HELP },
  { "version", no_argument, NULL, VERSION },
  { NULL, 0, NULL, 0 },
};

static bool number(const char *option, const char *text, int64_t least,
                   int64_t most, int64_t *result)
{
  char *end = NULL;
  errno = 0;
  long long parsed = strtoll(text, &end, 10);
  if(errno || end == text || *end || parsed < least || parsed > most) {
    fprintf(stderr,
            "composio-emulator: --%s %s: must be a whole number from %" PRId64
            " to %" PRId64 "\n",
            option, text, least, most);
    return false;
  }
  *result = parsed;
  return true;
}

static bool read_mask(struct emu_options *options, const char *text)
{
  static const char *const modes[] = { "redact", "mask4", "raw" };
  for(int i = 0; i < 3; i++)
    if(!strcmp(modes[i], text)) {
      options->mask = (enum emu_mask)i;
      return true;
    }
  fprintf(stderr,
          "composio-emulator: --mask %s: must be redact, mask4 or raw\n",
          text);
  return false;
}

/* The key is sent in a header: other bytes could never match. */
static bool read_key(struct emu_options *options, const char *text)
{
  const char *why = NULL;
  if(!*text)
    why = "must not be empty";
  if(options->key_count == EMU_KEYS_MAX)
    why = "was given too often, 16 are kept";
  for(const char *at = text; *at; at++)
    if(*at < 0x21 || *at > 0x7e)
      why = "must be printable ASCII without blanks";
  if(why) {
    fprintf(stderr, "composio-emulator: --api-key %s\n", why);
    return false;
  }
  options->keys[options->key_count++] = text;
  return true;
}

static bool read_number(struct emu_options *options, int option,
                        const char *text)
{
  int64_t value = 0;
  switch(option) {
  case PORT:
    if(!number("port", text, 0, 65535, &value))
      return false;
    options->port = (uint16_t)value;
    return true;
  case ACCOUNTS:
    if(!number("accounts", text, 0, 10000000, &value))
      return false;
    options->accounts = (uint32_t)value;
    return true;
  case SEED:
    if(!number("seed", text, 0, INT64_MAX, &value))
      return false;
    options->seed = (uint64_t)value;
    return true;
  case RATE_LIMIT:
    return number("rate-limit", text, 0, 1000000000, &options->rate_limit);
  case PAGE_DEFAULT:
    return number("page-default", text, 1, 100000, &options->page_default);
  case PAGE_MAX:
    return number("page-max", text, 1, 100000, &options->page_max);
  default:
    return number("latency-ms", text, 0, 3600000, &options->latency_ms);
  }
}

static bool read_one(struct emu_options *options, int option, const char *text)
{
  switch(option) {
  case ODD:
    options->odd = true;
    return true;
  case LEGACY:
    options->legacy = true;
    return true;
  case LEASES:
    options->leases = true;
    return true;
  case GZIP:
    options->gzip = true;
    return true;
  case UNTIL_EOF:
    options->until_eof = true;
    return true;
  case ASSUME:
    return emu_assume_read(&options->assume, text);
  case DB:
    options->db = text;
    return true;
  case API_KEY:
    return read_key(options, text);
  case MASK:
    return read_mask(options, text);
  case REQUEST_LOG:
    options->request_log = text;
    return true;
  case FAULTS:
    options->faults = text;
    return true;
  default:
    return read_number(options, option, text);
  }
}

static void print_library(const char *name, const char *built,
                          const char *runs)
{
  printf("%-14s built with %s, runs with %s\n", name, built, runs);
}

static void print_versions(void)
{
  char built[32];
  puts("composio-emulator " COMPOSIO_VERSION);
  /* 0x00097500 is 0.9.75 */
  snprintf(built, sizeof(built), "%x.%x.%x", MHD_VERSION >> 24,
           MHD_VERSION >> 16 & 0xff, MHD_VERSION >> 8 & 0xff);
  print_library("libmicrohttpd", built, MHD_get_version());
  print_library("SQLite", SQLITE_VERSION, sqlite3_libversion());
  print_library("jansson", JANSSON_VERSION, jansson_version_str());
  print_library("zlib", ZLIB_VERSION, zlibVersion());
}

static enum emu_options_verdict wrong(void)
{
  fprintf(stderr, "Try: composio-emulator --help\n");
  return EMU_OPTIONS_WRONG;
}

enum emu_options_verdict emu_options_read(struct emu_options *options,
                                          int argc, char **argv)
{
  *options = (struct emu_options){
    .accounts = 100,
    .seed = 1,
    .db = ":memory:",
    .rate_limit = 10000,
    .page_default = 20,
    .page_max = 100,
  };
  emu_assume_init(&options->assume);
  int option;
  while((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
    if(option == HELP) {
      fputs(usage, stdout);
      return EMU_OPTIONS_SAID;
    }
    if(option == VERSION) {
      print_versions();
      return EMU_OPTIONS_SAID;
    }
    if(option == '?' || !read_one(options, option, optarg))
      return wrong();
  }
  if(optind < argc) {
    fprintf(stderr,
            "composio-emulator: %s: it takes options only, no arguments\n",
            argv[optind]);
    return wrong();
  }
  if(options->page_default > options->page_max)
    options->page_default = options->page_max;
  if(!options->key_count)
    options->keys[options->key_count++] = "ak_emulator";
  return EMU_OPTIONS_RUN;
}
