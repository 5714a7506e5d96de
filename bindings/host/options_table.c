/* The table of the host's options: the values that each takes, and its help.
   Must not know: the engine, what the options do. */
#include <stdlib.h>
#include <string.h>
#include "base/json_write.h"
#include "host/options_private.h"
#include "host/option_value.h"

#define HELP_COLUMN 27
#define HELP_WIDTH  80

static const char *const group_titles[GROUPS] = {
  "Where:", "Safety:", "Pace:", "Output:", "Slicing:", "The script:", "Other:"
};

/* ---- values with a parser of their own ---- */

static bool read_emulator(struct host_options *options, const char *value)
{
  options->emulator = true;
  return !value ||
         (host_option_value_integer(value, &options->emulator_accounts) &&
          options->emulator_accounts > 0 &&
          options->emulator_accounts <= 10000000);
}

static bool read_version(struct host_options *options, const char *value)
{
  (void)value;
  options->verb = HOST_VERSION;
  return true;
}

static bool read_show(struct host_options *options, const char *value)
{
  options->show_all = true;
  return !strcmp(value, "all");
}

static bool read_rate(struct host_options *options, const char *value)
{
  return host_option_value_rate(value, &options->rate_per_second);
}

static bool read_budget(struct host_options *options, const char *value)
{
  return host_option_value_percent(value, &options->budget_percent) &&
         options->budget_percent > 0;
}

static bool read_max_percent(struct host_options *options, const char *value)
{
  return host_option_value_percent(value, &options->max_percent);
}

static bool read_confirm(struct host_options *options, const char *value)
{
  options->confirm_count =
      0; /* the last --confirm wins, as with other options */
  return host_option_value_counts(value, options->confirm,
                                  &options->confirm_count, HOST_CONFIRM_MAX);
}

static bool read_protect(struct host_options *options, const char *value)
{
  if(!*value || options->protect_count == HOST_PROTECT_MAX)
    return false; /* every --protect counts: none may weaken an earlier one */
  options->protect[options->protect_count++] = value;
  return true;
}

static bool read_stop_on(struct host_options *options, const char *value)
{
  return host_option_value_stop_on(value, &options->stop_on);
}

static bool read_lock_wait(struct host_options *options, const char *value)
{
  return host_option_value_duration(value, &options->lock_wait_ms);
}

static bool read_progress(struct host_options *options, const char *value)
{
  static const char *const words[] = { "auto", "always", "never" };
  int i;
  for(i = 0; i < COUNT_OF(words); i++) {
    if(!strcmp(words[i], value)) {
      options->progress = (enum host_progress)i;
      return true;
    }
  }
  return false;
}

static bool read_log_format(struct host_options *options, const char *value)
{
  options->log_json = !strcmp(value, "json");
  return options->log_json || !strcmp(value, "text");
}

static bool read_allow(struct host_options *options, const char *value)
{
  while(*value) {
    size_t len = strcspn(value, ",");
    if(len == 2 && !memcmp(value, "io", 2))
      options->allow_io = true;
    else if(len == 2 && !memcmp(value, "os", 2))
      options->allow_os = true;
    else
      return false;
    value += len;
    if(*value == ',' && value[1])
      value++;
    else if(*value)
      return false;
  }
  return true;
}

/* ---- the table ---- */

#define AT(field) offsetof(struct host_options, field)

const struct host_option host_options_table[] = {
  { "base-url", WHERE, ACTS, TEXT, AT(base_url), NULL, 0, CARRIED, "URL",
    "base URL of the API (https://backend.composio.dev)" },
  { "api-key-file", WHERE, ACTS, TEXT, AT(api_key_file), NULL, 0, CARRIED,
    "FILE", "read the API key from FILE (mode 0600)" },
  { "tls-ca", WHERE, ACTS, TEXT, AT(tls_ca), NULL, 0, CARRIED, "FILE",
    "trust the CA certificates in FILE, not the system's" },
  { "emulator", WHERE, ACTS, SPECIAL, 0, read_emulator, 0, OPTIONAL, "N",
    "run against a private emulator with N accounts (200)" },
  { "state-dir", WHERE, ACTS | READS, TEXT, AT(state_dir), NULL, 0, CARRIED,
    "DIR", "keep the ledger in DIR" },
  { "apply", SAFETY, ACTS, FLAG, AT(apply), NULL, 0, 0, NULL,
    "carry out the plan; without --apply it is only shown" },
  { "save-plan", SAFETY, PLANS, TEXT, AT(save_plan), NULL, 0, 0, "FILE",
    "with a preview: write the plan for composio-lua apply FILE" },
  { "show", SAFETY, ACTS | ON(SHOW) | ON(HISTORY), SPECIAL, 0, read_show, 0, 0,
    "all", "list every change, not only the first ones" },
  { "max-changes", SAFETY, ACTS, NUMBER, AT(max_changes), NULL, 0, SAVED, "N",
    "refuse a run with more than N changes (500)" },
  { "max-percent", SAFETY, ACTS, SPECIAL, 0, read_max_percent, 0, SAVED, "P",
    "refuse to change more than P of the project's accounts (25%)" },
  { "confirm", SAFETY, ACTS, SPECIAL, 0, read_confirm, 0, 0, "N",
    "confirm exactly N irreversible changes (N,M,… for several bulks)" },
  { "protect", SAFETY, ACTS, SPECIAL, 0, read_protect, 0,
    CARRIED | SAVED | IS_PATH, "FILE",
    "never change what FILE lists: one id, user:ID or toolkit:SLUG per "
    "line" },
  { "delete-active", SAFETY, ACTS, FLAG, AT(delete_active), NULL, 0, SAVED,
    NULL, "allow ACTIVE accounts to be deleted" },
  { "stop-on", SAFETY, ACTS, SPECIAL, 0, read_stop_on, 0, CARRIED | SAVED,
    "WORDS", "stop early at these limits: failed=3%,unknown=5,stale=1" },
  { "same-project", SAFETY, ON(APPLY) | ON(RESUME) | ON(UNDO), FLAG,
    AT(same_project), NULL, 0, 0, NULL,
    "the API key was rotated: accept a plan or run made with the old key" },
  { "failed", SAFETY, ON(RESUME), FLAG, AT(failed), NULL, 0, 0, NULL,
    "with resume: also retry changes that failed" },
  { "lock-wait", SAFETY, ACTS, SPECIAL, 0, read_lock_wait, 0, 0, "DUR",
    "wait up to DUR for another run to end" },
  { "detailed-exitcode", SAFETY, PLANS, FLAG, AT(detailed_exitcode), NULL, 0,
    0, NULL, "exit 5 when a preview has changes" },
  { "concurrency", PACE, ACTS, COUNT, AT(concurrency), NULL, 0, CARRIED, "N",
    "process up to N items at once (32)" },
  { "budget", PACE, ACTS, SPECIAL, 0, read_budget, 0, CARRIED, "P%",
    "use at most P% of the organisation's rate limit (25%)" },
  { "rate", PACE, ACTS, SPECIAL, 0, read_rate, 0, CARRIED, "N/s",
    "limit the request rate: 50/s, 3000/m" },
  { "timeout", PACE, ACTS, TIME, AT(timeout_ms), NULL, 0, CARRIED, "DUR",
    "limit each request attempt to DUR (60s)" },
  { "retries", PACE, ACTS, NUMBER, AT(retries), NULL, 0, CARRIED, "N",
    "retry a request up to N times (2)" },
  { "max-wait", PACE, ACTS, TIME, AT(max_wait_ms), NULL, 0, CARRIED, "DUR",
    "wait at most DUR for a Retry-After (120s)" },
  { "progress", SIGHT, ACTS, SPECIAL, 0, read_progress, 0, 0, "WHEN",
    "show progress: auto (on a terminal), always or never" },
  { "quiet", SIGHT, ACTS, FLAG, AT(quiet), NULL, 'q', 0, NULL,
    "print only warnings and errors" },
  { "verbose", SIGHT, ACTS, MORE, AT(verbose), NULL, 'v', 0, NULL,
    "print more; -vv prints every request" },
  { "log", SIGHT, ACTS, TEXT, AT(log), NULL, 0, 0, "FILE",
    "append one line per event to FILE" },
  { "log-format", SIGHT, ACTS, SPECIAL, 0, read_log_format, 0, 0, "FORMAT",
    "write the log as text or json" },
  { "summary", SIGHT, ACTS, TEXT, AT(summary), NULL, 0, 0, "FILE",
    "write a JSON object about the run (-: stdout)" },
  { "json", SIGHT, READS, FLAG, AT(json), NULL, 0, 0, NULL,
    "with runs, show, history: print JSON lines" },
  { "limit", SIGHT, ON(RUNS), NUMBER, AT(limit), NULL, 0, 0, "N",
    "with runs: list the newest N runs (50; 0: all)" },
  { "limit-items", SLICING, PLANS, COUNT, AT(limit_items), NULL, 0, SAVED, "N",
    "take only the first N items of each bulk" },
  { "memory", SCRIPT, ACTS, COUNT, AT(memory_mb), NULL, 0, CARRIED | SAVED,
    "MB", "limit the script's memory to MB megabytes (512)" },
  { "instructions", SCRIPT, ACTS, NUMBER, AT(instructions), NULL, 0,
    CARRIED | SAVED, "N",
    "limit the script to N VM instructions (0: no limit)" },
  { "allow", SCRIPT, ACTS, SPECIAL, 0, read_allow, 0, CARRIED | SAVED, "io,os",
    "let the script use these Lua libraries" },
  { "help", OTHER, ALL, FLAG, AT(help), NULL, 'h', 0, NULL,
    "print this text, or a script's own help" },
  { "version", OTHER, ALL, SPECIAL, 0, read_version, 0, 0, NULL,
    "print the versions of composio-lua and its libraries" },
  { NULL, OTHER, 0, FLAG, 0, NULL, 0, 0, NULL, NULL }
};
_Static_assert(COUNT_OF(host_options_table) <= HOST_OPTION_MAX,
               "too many options");

const char *host_options_table_name(int i)
{
  return host_options_table[i].name;
}

bool host_options_table_read(struct host_options *options,
                             const struct host_option *option,
                             const char *value)
{
  void *to = (char *)options + option->offset;
  int64_t *number = to;
  if(!value && option->value && !(option->flags & OPTIONAL))
    return false;
  options->given[option - host_options_table].seen = true;
  options->given[option - host_options_table].value = value;
  switch(option->kind) {
  case FLAG:
    *(bool *)to = true;
    return true;
  case MORE:
    *(int *)to += 1;
    return true;
  case TEXT:
    *(const char **)to = value;
    return value && *value;
  case COUNT:
    return host_option_value_integer(value, number) && *number > 0 &&
           *number < 1000000000;
  case NUMBER:
    return host_option_value_integer(value, number) && *number >= 0;
  case TIME:
    return host_option_value_duration(value, number) && *number > 0;
  case SPECIAL:
    break;
  }
  return option->read(options, value);
}

/* ---- help ---- */

static void option_label(const struct host_option *option, char *out,
                         size_t size)
{
  char letter[8] = "    ";
  if(option->letter)
    snprintf(letter, sizeof(letter), "-%c, ", option->letter);
  if(!option->value)
    snprintf(out, size, "%s--%s", letter, option->name);
  else if(option->flags & OPTIONAL)
    snprintf(out, size, "%s--%s[=%s]", letter, option->name, option->value);
  else
    snprintf(out, size, "%s--%s %s", letter, option->name, option->value);
}

/* Adds a help text from HELP_COLUMN on, broken between words before
   HELP_WIDTH. Returns the number of bytes added. */
static size_t add_help(const char *text, char *out, size_t size)
{
  const size_t room = HELP_WIDTH - HELP_COLUMN;
  size_t used = 0;
  while(used < size) {
    size_t len = strlen(text);
    int written;
    if(len > room)
      for(len = room; len && text[len] != ' '; len--)
        ;
    written = snprintf(out + used, size - used, "%.*s\n", (int)len, text);
    used += written > 0 ? (size_t)written : 0;
    text += len;
    if(!*text || !len || used >= size)
      break;
    text++;
    written = snprintf(out + used, size - used, "%*s", HELP_COLUMN, "");
    used += written > 0 ? (size_t)written : 0;
  }
  return used;
}

/* Adds the options of one group that at least one of the verbs takes. Returns
   the number of bytes added. */
static size_t add_group(enum host_group group, unsigned verbs, char *out,
                        size_t size)
{
  size_t used = 0;
  int i;
  for(i = 0; host_options_table[i].name && used < size; i++) {
    char label[48];
    int len;
    if(host_options_table[i].group != group ||
       !(host_options_table[i].verbs & verbs))
      continue;
    option_label(&host_options_table[i], label, sizeof(label));
    len = snprintf(out + used, size - used, "%s%s  %-24s ",
                   used ? "" : group_titles[group], used ? "" : "\n", label);
    used += len > 0 ? (size_t)len : 0;
    if(used < size)
      used += add_help(host_options_table[i].help, out + used, size - used);
  }
  return used < size ? used : size - 1;
}

static void add_options(unsigned verbs, char *out, size_t size)
{
  size_t used = 0;
  int group;
  out[0] = '\0';
  for(group = 0; group < GROUPS; group++)
    used += add_group((enum host_group)group, verbs, out + used, size - used);
}

void host_options_table_text(char *out, size_t size)
{
  add_options(ON(RUN), out, size);
}

void host_options_table_print(FILE *file)
{
  char text[HOST_OPTIONS_SIZE];
  host_options_table_text(text, sizeof(text));
  fputs(text, file);
}

void host_options_table_print_all(FILE *file)
{
  char text[HOST_OPTIONS_SIZE];
  add_options(ALL, text, sizeof(text));
  fputs(text, file);
}

/* ---- the given options, for the ledger and for a later resume ---- */

/* The k-th value given for option i, or NULL: --protect may be repeated. */
static const char *given_text(const struct host_options *options, int i, int k)
{
  if(host_options_table[i].read == read_protect)
    return k < options->protect_count ? options->protect[k] : NULL;
  return k ? NULL : options->given[i].value;
}

static void add_text(struct ca_json_write *json, const char *name,
                     const char *text)
{
  struct ca_slice slice = { text, strlen(text) };
  if(!ca_text_is_utf8(slice, NULL)) /* a path may hold any bytes */
    ca_json_write_null(json, name);
  else
    ca_json_write_text(json, name, text);
}

static void add_given(const struct host_options *options, int i,
                      struct ca_json_write *json)
{
  const char *name = host_options_table[i].name;
  const char *text;
  int k;
  if(!options->given[i].value)
    ca_json_write_bool(json, name, true);
  else if(!given_text(options, i, 1))
    add_text(json, name, options->given[i].value);
  else {
    ca_json_write_open(json, name, '[');
    for(k = 0; (text = given_text(options, i, k)) != NULL; k++)
      add_text(json, NULL, text);
    ca_json_write_close(json, ']');
  }
}

enum ca_code host_options_table_json(const struct host_options *options,
                                     struct ca_buf *out)
{
  struct ca_json_write json;
  int i;
  ca_json_write_begin(&json, out);
  if(options->verb == HOST_APPLY)
    /* resume may have to suggest the same `apply PLAN` again */
    add_text(&json, "plan", options->operand);
  for(i = 0; host_options_table[i].name; i++)
    if(options->given[i].seen)
      add_given(options, i, &json);
  return ca_json_write_end(&json);
}

void host_options_table_carry(const struct host_options *options,
                              void (*visit)(void *ctx, const char *name,
                                            const char *value),
                              void *ctx)
{
  const char *text;
  int i;
  int k;
  for(i = 0; host_options_table[i].name; i++)
    if(host_options_table[i].flags & CARRIED)
      for(k = 0; (text = given_text(options, i, k)) != NULL; k++)
        visit(ctx, host_options_table[i].name, text);
}
