/* Parses the command line.
   Must not know: the engine, what the options do.

   getopt_long cannot do this: the host's and the script's options are mixed in
   any order, and only the script knows its own. */
#include <stdlib.h>
#include <string.h>
#include "module/error.h"
#include "host/options_private.h"

#define CRON_LOCK_WAIT_MS 30000

/* The verbs by enum host_verb. */
static const struct verb {
  const char *name;
  const char *needs; /* what to say without an operand; NULL: needs none */
  int operands;      /* at most */
  bool takes_rest;   /* words after -- */
} verbs[] = {
  { "run", NULL, 1, true },
  { "apply", "a plan: a file written by a preview with --save-plan FILE", 1,
    true },
  { "resume", "a run: `composio-lua runs` lists them", 1, true },
  { "undo", "a run: `composio-lua runs` lists them", 1, false },
  { "runs", NULL, 0, false },
  { "show", "a run: `composio-lua runs` lists them", 1, false },
  { "history", "the id of an account (ca_…) or an auth config (ac_…)", 1,
    false },
  { "resolve",
    "a run, a change and its outcome: composio-lua resolve RUN CHANGE "
    "done|failed --reason TEXT",
    3, false },
  { "doctor", NULL, 0, false },
  { "profiles", NULL, 0, false },
  { "help", NULL, 1, true },
  { "scripts", NULL, 0, false },
  { "version", NULL, 1, true }, /* only as --version */
};
_Static_assert(COUNT_OF(verbs) == HOST_VERSION + 1, "one row for each verb");

const char *host_options_verb(enum host_verb verb)
{
  return verbs[verb].name;
}

/* ---- words ---- */

static const struct host_option *find_letter(char letter)
{
  int i;
  for(i = 0; host_options_table[i].name; i++)
    if(host_options_table[i].letter == letter && letter)
      return &host_options_table[i];
  return NULL;
}

static enum ca_code unknown_option(const char *word, struct ca_err *err)
{
  const char *names[HOST_OPTION_MAX];
  char name[40];
  const char *near;
  size_t len = strcspn(word + 2, "=");
  int i;
  for(i = 0; host_options_table[i].name; i++)
    names[i] = host_options_table[i].name;
  names[i] = NULL;
  ca_err_copy_text(name, sizeof(name), word + 2, len);
  near = lca_error_nearest(name, names);
  if(near)
    return ca_err_set(err, CA_USAGE,
                      "unknown option '--%s' (did you mean '--%s'?)", name,
                      near);
  return ca_err_set(err, CA_USAGE,
                    "unknown option '%s'; composio-lua --help lists the "
                    "options, and a script's own follow its name",
                    word);
}

static enum ca_code wrong_value(const struct host_option *option,
                                const char *value, struct ca_err *err)
{
  return ca_err_set(err, CA_USAGE, "'%s' is not a value for --%s %s: %s",
                    value, option->name, option->value ? option->value : "",
                    option->help);
}

/* Reads a word that begins with "--". Increments *at when the value is the
   next word. Sets *ours to false when the host has no such option. */
static enum ca_code read_long(struct host_options *options, char **argv,
                              int argc, int *at, bool *ours,
                              struct ca_err *err)
{
  const char *word = argv[*at];
  const char *equals = strchr(word, '=');
  size_t len = equals ? (size_t)(equals - word) - 2 : strlen(word + 2);
  const struct host_option *option = host_options_table_find(word + 2, len);
  const char *value = equals ? equals + 1 : NULL;
  *ours = option != NULL;
  if(!option)
    return CA_OK;
  if(!option->value && value)
    return ca_err_set(err, CA_USAGE, "--%s takes no value", option->name);
  if(option->value && !value && !(option->flags & OPTIONAL)) {
    if(*at + 1 >= argc)
      return ca_err_set(err, CA_USAGE, "--%s needs a value: %s", option->name,
                        option->value);
    value = argv[++*at];
  }
  if(!host_options_table_read(options, option, value))
    return wrong_value(option, value, err);
  return CA_OK;
}

/* Reads flags written as letters, such as "-qv". Returns false, and reads none
   of them, unless all are the host's. */
static bool read_letters(struct host_options *options, const char *word)
{
  const char *letter;
  for(letter = word + 1; *letter; letter++)
    if(!find_letter(*letter))
      return false;
  for(letter = word + 1; *letter; letter++)
    (void)host_options_table_read(options, find_letter(*letter), NULL);
  return word[1] != '\0';
}

static bool take_verb(struct host_options *options, const char *word)
{
  int i;
  for(i = 0; i < HOST_VERSION; i++) {
    if(!strcmp(verbs[i].name, word)) {
      if(options->verb != HOST_VERSION) /* --version came first and wins */
        options->verb = (enum host_verb)i;
      return true;
    }
  }
  return false;
}

static bool runs_script(const struct host_options *options)
{
  return options->verb == HOST_RUN || options->verb == HOST_HELP ||
         options->verb == HOST_VERSION;
}

/* Is the word --NAME-file or its value? With these words resume and apply
   are given the secrets of a script's parameters. */
static bool is_secret(const struct host_options *options, const char *word)
{
  const int count = options->param_count;
  const char *equals;
  if(options->verb != HOST_RESUME && options->verb != HOST_APPLY)
    return false;
  if(count &&
     host_options_table_is_secret(options->params[count - 1], &equals) &&
     !equals)
    return true;
  return options->operand && host_options_table_is_secret(word, &equals);
}

/* Takes an operand after the first. */
static enum ca_code take_more(struct host_options *options, const char *word,
                              struct ca_err *err)
{
  const char *verb = host_options_verb(options->verb);
  int i;
  for(i = 0; i < verbs[options->verb].operands - 1; i++)
    if(!options->more[i]) {
      options->more[i] = word;
      return CA_OK;
    }
  if(i)
    return ca_err_set(err, CA_USAGE, "%s takes %d operands, not also '%s'",
                      verb, i + 1, word);
  return ca_err_set(err, CA_USAGE, "%s takes one operand, '%s', not also '%s'",
                    verb, options->operand, word);
}

/* Takes a word that is not one of the host's options: the verb, its operand,
   or a parameter of the script. */
static enum ca_code take_word(struct host_options *options, char *word,
                              bool *verb_seen, struct ca_err *err)
{
  const char *verb = host_options_verb(options->verb);
  if(options->script || is_secret(options, word)) {
    options->params[options->param_count++] = word;
    return CA_OK;
  }
  if(word[0] == '-' && word[1])
    return word[1] == '-' ? unknown_option(word, err)
                          : ca_err_set(err, CA_USAGE,
                                       "unknown option '%s'; composio-lua "
                                       "--help lists the options",
                                       word);
  if(!*verb_seen) {
    *verb_seen = true;
    if(take_verb(options, word))
      return CA_OK;
  }
  if(!verbs[options->verb].operands)
    return ca_err_set(err, CA_USAGE, "%s takes no operand: '%s'", verb, word);
  if(options->operand)
    return take_more(options, word, err);
  options->operand = word;
  if(runs_script(options))
    options->script = word;
  return CA_OK;
}

static void set_defaults(struct host_options *options)
{
  memset(options, 0, sizeof(*options));
  options->emulator_accounts = 200;
  options->endpoint.retries = -1;
  options->settle_wait_ms = HOST_WAIT_DEFAULT_MS;
  options->endpoint.concurrency = 32;
  options->memory_mb = 256;
  options->cpu_ms = 60000;
  options->limits.max_changes = 500;
  options->limits.max_percent = 25;
  options->limit = 50;
  host_options_table_unshard(options);
}

/* ---- checks ---- */

/* Writes the names of a set of verbs: "runs, show and history". */
static void name_verbs(unsigned set, char *out, size_t size)
{
  size_t used = 0;
  int i;
  out[0] = '\0';
  for(i = 0; i < HOST_VERSION && used < size; i++) {
    const char *between = ", ";
    int len;
    if(!(set & (1u << i)))
      continue;
    if(!used)
      between = "";
    else if(!(set >> (i + 1)))
      between = " and ";
    len = snprintf(out + used, size - used, "%s%s", between, verbs[i].name);
    used += len > 0 ? (size_t)len : 0;
  }
}

/* Refuses options that belong to other verbs. */
static enum ca_code check_verb(const struct host_options *options,
                               struct ca_err *err)
{
  enum host_verb verb = options->verb == HOST_HELP ? HOST_RUN : options->verb;
  char owners[80];
  int i;
  for(i = 0; host_options_table[i].name; i++) {
    if(!options->given[i].seen || host_options_table[i].verbs & (1u << verb))
      continue;
    name_verbs(host_options_table[i].verbs, owners, sizeof(owners));
    return ca_err_set(err, CA_USAGE, "%s takes no --%s; it belongs to %s",
                      host_options_verb(verb), host_options_table[i].name,
                      owners);
  }
  return CA_OK;
}

static enum ca_code check_operand(const struct host_options *options,
                                  struct ca_err *err)
{
  const struct verb *verb = &verbs[options->verb];
  if(verb->needs && (!options->operand || !*options->operand))
    return ca_err_set(err, CA_USAGE, "%s needs %s", verb->name, verb->needs);
  if(options->rest && !verb->takes_rest)
    return ca_err_set(err, CA_USAGE, "%s takes no arguments after --",
                      verb->name);
  return CA_OK;
}

static enum ca_code check_ranges(const struct host_options *options,
                                 struct ca_err *err)
{
  if(options->endpoint.concurrency > 512)
    return ca_err_set(err, CA_USAGE, "--concurrency is at most 512");
  if(options->endpoint.retries > 20)
    return ca_err_set(err, CA_USAGE, "--retries is at most 20");
  if(options->emulator && options->endpoint.base_url)
    return ca_err_set(
        err, CA_USAGE,
        "--emulator sets the base URL itself: give either --emulator or "
        "--base-url");
  if(options->verb == HOST_RUNS && !options->prune_ms &&
     (options->apply || options->force || options->lock_wait_ms))
    return ca_err_set(err, CA_USAGE,
                      "runs takes --apply, --force and --lock-wait only with "
                      "--prune");
  if(options->quiet && options->verbose)
    return ca_err_set(err, CA_USAGE,
                      "-q or --cron cannot be combined with -v");
  if(options->resume_first && options->anew)
    return ca_err_set(err, CA_USAGE,
                      "give either --resume-first or --anew: one finishes an "
                      "interrupted run, the other leaves it");
  if(options->verb == HOST_RESUME && options->save_plan && !options->failed)
    return ca_err_set(err, CA_USAGE,
                      "with resume, --save-plan needs --failed: it plans the "
                      "rows whose action failed in a run of a saved plan");
  if(options->save_plan && options->if_older_ms)
    return ca_err_set(err, CA_USAGE,
                      "--save-plan cannot be combined with --if-older: when "
                      "there is nothing to do, an older %s would stay and "
                      "look like the new plan",
                      options->save_plan);
  if(options->save_plan && options->apply)
    return ca_err_set(err, CA_USAGE,
                      "--save-plan cannot be combined with --apply: a preview "
                      "saves the plan, composio-lua apply %s carries it out",
                      options->save_plan);
  return CA_OK;
}

static enum ca_code check(struct host_options *options, struct ca_err *err)
{
  enum ca_code code;
  if(options->verb == HOST_VERSION)
    return CA_OK;
  code = check_verb(options, err);
  if(options->cron) {
    options->quiet = true;
    if(!options->lock_wait_ms)
      options->lock_wait_ms = CRON_LOCK_WAIT_MS;
  }
  if(options->verb == HOST_APPLY ||
     (options->verb == HOST_RESUME && !options->save_plan))
    options->apply = true;
  if(!code && !(options->help && !options->script))
    code = check_operand(options, err);
  return code ? code : check_ranges(options, err);
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
  return check(options, err);
}

void host_options_clear(struct host_options *options)
{
  size_t i;
  while(options->saved_count)
    free(options->saved[--options->saved_count]);
  for(i = 0; options->words && options->words[i]; i++)
    free(options->words[i]);
  free(options->words);
  options->words = NULL;
  free(options->params);
  options->params = NULL;
}
