/* The command line.
   Must not know: the engine, what the options do.

   getopt_long cannot do it: options of the host and of the script stand in one
   line, in any order, and only the script knows its own. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "lua_error.h"
#include "options.h"

enum kind {
  FLAG,   /* bool */
  MORE,   /* int, counts */
  TEXT,   /* const char * */
  COUNT,  /* int64_t, from 1 */
  NUMBER, /* int64_t, from 0 */
  TIME,   /* int64_t in ms */
  SPECIAL /* a function of its own */
};

struct option {
  const char *name;
  char letter;
  enum kind kind;
  size_t offset;
  const char *value; /* as help shows it; NULL: takes none */
  const char *help;
  bool optional; /* the value stands after '=' or not at all */
};

#define AT(field) offsetof(struct host_options, field)

static const struct option table[] = {
  { "apply", 0, FLAG, AT(apply), NULL,
    "carry the planned changes out (without it: a preview)", false },
  { "base-url", 0, TEXT, AT(base_url), "URL", "where the service is", false },
  { "api-key-file", 0, TEXT, AT(api_key_file), "FILE",
    "the API key, in a file that only you can read", false },
  { "emulator", 0, SPECIAL, 0, "N",
    "a private local service with N accounts (200)", true },
  { "state-dir", 0, TEXT, AT(state_dir), "DIR", "where the ledger is kept",
    false },
  { "show", 0, SPECIAL, 0, "all", "every planned change, not the first ones",
    false },
  { "concurrency", 0, COUNT, AT(concurrency), "N", "items at once (32)",
    false },
  { "rate", 0, SPECIAL, 0, "N/s", "at most so many requests: 50/s, 3000/m",
    false },
  { "budget", 0, SPECIAL, 0, "P%",
    "share of the organisation's rate limit (25%)", false },
  { "timeout", 0, TIME, AT(timeout_ms), "DUR", "of one exchange (60s)",
    false },
  { "retries", 0, NUMBER, AT(retries), "N", "after a first attempt (2)",
    false },
  { "max-wait", 0, TIME, AT(max_wait_ms), "DUR",
    "the longest Retry-After obeyed (120s)", false },
  { "tls-ca", 0, TEXT, AT(tls_ca), "FILE", "certificates to trust instead",
    false },
  { "progress", 0, SPECIAL, 0, "WHEN", "auto, always or never", false },
  { "quiet", 'q', FLAG, AT(quiet), NULL, "only failures", false },
  { "verbose", 'v', MORE, AT(verbose), NULL, "tell more; twice: every request",
    false },
  { "log", 0, TEXT, AT(log), "FILE", "append one line per event", false },
  { "log-format", 0, SPECIAL, 0, "FORMAT", "text or json", false },
  { "summary", 0, TEXT, AT(summary), "FILE",
    "a JSON object about the run; - for stdout", false },
  { "memory", 0, COUNT, AT(memory_mb), "MB", "what the script may use (512)",
    false },
  { "instructions", 0, NUMBER, AT(instructions), "N",
    "what the script may execute (0: no limit)", false },
  { "allow", 0, SPECIAL, 0, "io,os", "Lua libraries the script may use",
    false },
  { "limit-items", 0, COUNT, AT(limit_items), "N",
    "only the first N items of each bulk", false },
  { "help", 'h', FLAG, AT(help), NULL, "this, or the script's own help",
    false },
  { "version", 0, SPECIAL, 0, NULL, "which composio-lua this is", false }
};
#define COUNT_OF(list) ((int)(sizeof(list) / sizeof((list)[0])))

const char *host_options_name(int i)
{
  return i < COUNT_OF(table) ? table[i].name : NULL;
}

/* ---- values ---- */

static bool read_integer(const char *text, int64_t *out)
{
  char *end;
  long long value;
  errno = 0;
  value = strtoll(text, &end, 10);
  if(errno || end == text || *end)
    return false;
  *out = value;
  return true;
}

/* A number and the text behind it. */
static bool read_number(const char *text, double *out, const char **rest)
{
  char *end;
  errno = 0;
  *out = strtod(text, &end);
  *rest = end;
  return !errno && *text >= '0' && *text <= '9' && isfinite(*out);
}

bool host_duration_ms(const char *text, int64_t *out)
{
  double number;
  const char *unit;
  double scale = 1000;
  if(!read_number(text, &number, &unit))
    return false;
  if(!strcmp(unit, "ms"))
    scale = 1;
  else if(!strcmp(unit, "m"))
    scale = 60e3;
  else if(!strcmp(unit, "h"))
    scale = 3600e3;
  else if(!strcmp(unit, "d"))
    scale = 86400e3;
  else if(*unit && strcmp(unit, "s") != 0)
    return false;
  if(number * scale > 1e15)
    return false;
  *out = (int64_t)(number * scale);
  return true;
}

static bool read_rate(const char *text, double *per_second)
{
  const char *unit;
  if(!read_number(text, per_second, &unit) || *per_second <= 0)
    return false;
  if(!strcmp(unit, "/m"))
    *per_second /= 60;
  else if(*unit && strcmp(unit, "/s") != 0)
    return false;
  return true;
}

static bool read_percent(const char *text, double *percent)
{
  const char *unit;
  return read_number(text, percent, &unit) && *percent > 0 &&
         *percent <= 100 && (!*unit || !strcmp(unit, "%"));
}

static bool read_allow(struct host_options *options, const char *text)
{
  while(*text) {
    size_t len = strcspn(text, ",");
    if(len == 2 && !memcmp(text, "io", 2))
      options->allow_io = true;
    else if(len == 2 && !memcmp(text, "os", 2))
      options->allow_os = true;
    else
      return false;
    text += len;
    if(*text == ',' && text[1])
      text++;
    else if(*text)
      return false;
  }
  return true;
}

static bool read_progress(struct host_options *options, const char *text)
{
  static const char *const words[] = { "auto", "always", "never" };
  int i;
  for(i = 0; i < COUNT_OF(words); i++) {
    if(!strcmp(words[i], text)) {
      options->progress = (enum host_progress)i;
      return true;
    }
  }
  return false;
}

/* Options that are not plain numbers or texts. value is NULL only for those
   that may stand without. */
static bool read_special(struct host_options *options, const char *name,
                         const char *value)
{
  if(!strcmp(name, "emulator")) {
    options->emulator = true;
    return !value || (read_integer(value, &options->emulator_accounts) &&
                      options->emulator_accounts > 0 &&
                      options->emulator_accounts <= 10000000);
  }
  if(!value) { /* --version, the only other one that stands alone */
    options->verb = HOST_VERSION;
    return true;
  }
  if(!strcmp(name, "show")) {
    options->show_all = true;
    return !strcmp(value, "all");
  }
  if(!strcmp(name, "rate"))
    return read_rate(value, &options->rate_per_second);
  if(!strcmp(name, "budget"))
    return read_percent(value, &options->budget_percent);
  if(!strcmp(name, "progress"))
    return read_progress(options, value);
  if(!strcmp(name, "log-format")) {
    options->log_json = !strcmp(value, "json");
    return options->log_json || !strcmp(value, "text");
  }
  return !strcmp(name, "allow") && read_allow(options, value);
}

static bool read_value(struct host_options *options,
                       const struct option *option, const char *value)
{
  void *to = (char *)options + option->offset;
  int64_t *number = to;
  if(!value && option->kind != FLAG && option->kind != MORE &&
     option->kind != SPECIAL)
    return false;
  switch(option->kind) {
  case FLAG:
    *(bool *)to = true;
    return true;
  case MORE:
    *(int *)to += 1;
    return true;
  case TEXT:
    *(const char **)to = value;
    return *value != '\0';
  case COUNT:
    return read_integer(value, number) && *number > 0 && *number < 1000000000;
  case NUMBER:
    return read_integer(value, number) && *number >= 0;
  case TIME:
    return host_duration_ms(value, number) && *number > 0;
  case SPECIAL:
    break;
  }
  return read_special(options, option->name, value);
}

/* ---- the line ---- */

static const struct option *find_option(const char *name, size_t len)
{
  int i;
  for(i = 0; i < COUNT_OF(table); i++)
    if(strlen(table[i].name) == len && !memcmp(table[i].name, name, len))
      return &table[i];
  return NULL;
}

static const struct option *find_letter(char letter)
{
  int i;
  for(i = 0; i < COUNT_OF(table); i++)
    if(table[i].letter == letter && letter)
      return &table[i];
  return NULL;
}

static enum ca_code unknown_option(const char *word, struct ca_err *err)
{
  const char *names[COUNT_OF(table) + 1];
  char name[40];
  const char *near;
  size_t len = strcspn(word + 2, "=");
  int i;
  for(i = 0; i < COUNT_OF(table); i++)
    names[i] = table[i].name;
  names[i] = NULL;
  ca_copy_text(name, sizeof(name), word + 2, len);
  near = lca_error_nearest(name, names);
  if(near)
    return ca_err_set(err, CA_USAGE,
                      "unknown option '--%s' (did you mean '--%s'?)", name,
                      near);
  return ca_err_set(err, CA_USAGE,
                    "unknown option '%s'; composio-lua --help lists them, and "
                    "a script's own come after its name",
                    word);
}

static enum ca_code wrong_value(const struct option *option, const char *value,
                                struct ca_err *err)
{
  return ca_err_set(err, CA_USAGE, "'%s' is no value for --%s %s: %s", value,
                    option->name, option->value ? option->value : "",
                    option->help);
}

/* A word that begins with "--". *at moves on when it took its value from the
   next word. False in *ours: it is not the host's. */
static enum ca_code read_long(struct host_options *options, char **argv,
                              int argc, int *at, bool *ours,
                              struct ca_err *err)
{
  const char *word = argv[*at];
  const char *equals = strchr(word, '=');
  size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word + 2);
  const struct option *option = find_option(word + 2, len);
  const char *value = equals ? equals + 1 : NULL;
  *ours = option != NULL;
  if(!option)
    return CA_OK;
  if(!option->value && value)
    return ca_err_set(err, CA_USAGE, "--%s takes no value", option->name);
  if(option->value && !value && !option->optional) {
    if(*at + 1 >= argc)
      return ca_err_set(err, CA_USAGE, "--%s needs a value: %s", option->name,
                        option->value);
    value = argv[++*at];
  }
  if(!read_value(options, option, value))
    return wrong_value(option, value, err);
  return CA_OK;
}

/* "-qv": letters of flags, all of them the host's or none. */
static bool read_letters(struct host_options *options, const char *word)
{
  const char *letter;
  for(letter = word + 1; *letter; letter++)
    if(!find_letter(*letter))
      return false;
  for(letter = word + 1; *letter; letter++)
    (void)read_value(options, find_letter(*letter), NULL);
  return word[1] != '\0';
}

static bool take_verb(struct host_options *options, const char *word)
{
  if(!strcmp(word, "run"))
    options->verb = HOST_RUN;
  else if(!strcmp(word, "help"))
    options->verb = HOST_HELP;
  else if(!strcmp(word, "scripts"))
    options->verb = HOST_SCRIPTS;
  else
    return false;
  return true;
}

/* A bare word, or one that is not the host's. */
static enum ca_code take_word(struct host_options *options, char *word,
                              bool *verb_seen, struct ca_err *err)
{
  if(options->script) {
    options->params[options->param_count++] = word;
    return CA_OK;
  }
  if(word[0] == '-' && word[1])
    return word[1] == '-' ? unknown_option(word, err)
                          : ca_err_set(err, CA_USAGE,
                                       "unknown option '%s'; composio-lua "
                                       "--help lists them",
                                       word);
  if(!*verb_seen) {
    *verb_seen = true;
    if(take_verb(options, word))
      return CA_OK;
  }
  if(options->verb == HOST_SCRIPTS)
    return ca_err_set(err, CA_USAGE, "scripts takes no further word: '%s'",
                      word);
  options->script = word;
  return CA_OK;
}

static void set_defaults(struct host_options *options)
{
  memset(options, 0, sizeof(*options));
  options->emulator_accounts = 200;
  options->retries = -1;
  options->concurrency = 32;
  options->memory_mb = 512;
}

static enum ca_code check_ranges(const struct host_options *options,
                                 struct ca_err *err)
{
  if(options->concurrency > 512)
    return ca_err_set(err, CA_USAGE, "--concurrency is at most 512");
  if(options->retries > 20)
    return ca_err_set(err, CA_USAGE, "--retries is at most 20");
  if(options->emulator && options->base_url)
    return ca_err_set(
        err, CA_USAGE,
        "--emulator brings its own --base-url: give one of them");
  if(options->quiet && options->verbose)
    return ca_err_set(err, CA_USAGE, "-q and -v contradict each other");
  return CA_OK;
}

enum ca_code host_options_parse(struct host_options *options, int argc,
                                char **argv, struct ca_err *err)
{
  bool verb_seen = false;
  enum ca_code code;
  int at;
  set_defaults(options);
  options->params = calloc((size_t)argc + 1, sizeof(options->params[0]));
  if(!options->params)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  for(at = 1; at < argc; at++) {
    bool ours = false;
    if(!strcmp(argv[at], "--")) {
      options->rest = argv + at + 1;
      options->rest_count = argc - at - 1;
      break;
    }
    if(!strncmp(argv[at], "--", 2)) {
      code = read_long(options, argv, argc, &at, &ours, err);
      if(code)
        return code;
    } else if(argv[at][0] == '-') {
      ours = read_letters(options, argv[at]);
    }
    if(ours)
      continue;
    code = take_word(options, argv[at], &verb_seen, err);
    if(code)
      return code;
  }
  return check_ranges(options, err);
}

void host_options_clear(struct host_options *options)
{
  free(options->params);
  options->params = NULL;
}

/* ---- help ---- */

static void option_label(const struct option *option, char *out, size_t size)
{
  char letter[8] = "    ";
  if(option->letter)
    snprintf(letter, sizeof(letter), "-%c, ", option->letter);
  if(!option->value)
    snprintf(out, size, "%s--%s", letter, option->name);
  else if(option->optional)
    snprintf(out, size, "%s--%s[=%s]", letter, option->name, option->value);
  else
    snprintf(out, size, "%s--%s %s", letter, option->name, option->value);
}

void host_options_text(char *out, size_t size)
{
  size_t used = 0;
  int i;
  out[0] = '\0';
  for(i = 0; i < COUNT_OF(table) && used < size; i++) {
    char label[48];
    int len;
    option_label(&table[i], label, sizeof(label));
    len = snprintf(out + used, size - used, "  %-24s %s\n", label,
                   table[i].help);
    used += len > 0 ? (size_t)len : 0;
  }
}

void host_options_print(FILE *file)
{
  char text[4096];
  host_options_text(text, sizeof(text));
  fputs(text, file);
}
