/* The table of the host's options, and the parsers of their values.
   Must not know: the engine, what the options do. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "base/text.h"
#include "host/options_private.h"
#include "module/table.h"

#define PIECE_SIZE 32

/* ---- numbers with units ---- */

struct unit {
  const char *name;
  double times;
  double by;
};

/* Reads a number in plain digits and one of the units, which end with a NULL
   name. */
static bool read_units(const char *text, const struct unit *unit, double *out)
{
  size_t len = strspn(text, "0123456789.");
  char *end;
  errno = 0;
  *out = strtod(text, &end);
  if(errno || *text < '0' || *text > '9' || end != text + len ||
     !isfinite(*out))
    return false;
  while(unit->name && strcmp(unit->name, end) != 0)
    unit++;
  if(unit->name)
    *out = *out * unit->times / unit->by;
  return unit->name != NULL;
}

/* Reads "90s", "5m", "20h", "14d", "250ms" or bare seconds, in ms. */
static bool read_duration(void *field, const char *value)
{
  static const struct unit units[] = { { "", 1000, 1 },    { "s", 1000, 1 },
                                       { "ms", 1, 1 },     { "m", 60e3, 1 },
                                       { "h", 3600e3, 1 }, { "d", 86400e3, 1 },
                                       { NULL, 0, 0 } };
  double ms;
  if(!read_units(value, units, &ms) || ms > 1e15)
    return false;
  *(int64_t *)field = (int64_t)ms;
  return true;
}

static bool read_time_limit(void *field, const char *value)
{
  return read_duration(field, value) && *(int64_t *)field > 0;
}

/* A day at least: runs of today are nothing to remove. */
static bool read_age(void *field, const char *value)
{
  return read_duration(field, value) && *(int64_t *)field >= 86400000;
}

/* Reads "50/s", "3000/m" or a bare number per second. */
static bool read_rate(void *field, const char *value)
{
  static const struct unit units[] = {
    { "", 1, 1 }, { "/s", 1, 1 }, { "/m", 1, 60 }, { NULL, 0, 0 }
  };
  return read_units(value, units, field) && *(double *)field > 0;
}

/* Reads "25" or "25%", from 0 to 100. */
static bool read_percent(void *field, const char *value)
{
  static const struct unit units[] = { { "", 1, 1 },
                                       { "%", 1, 1 },
                                       { NULL, 0, 0 } };
  return read_units(value, units, field) && *(double *)field <= 100;
}

static bool read_budget(void *field, const char *value)
{
  return read_percent(field, value) && *(double *)field > 0;
}

/* ---- whole numbers ---- */

static bool read_number(void *field, const char *value)
{
  int64_t *out = field;
  char *end;
  errno = 0;
  *out = strtoll(value, &end, 10);
  return !errno && end != value && !*end && *out >= 0;
}

static bool read_count(void *field, const char *value)
{
  return read_number(field, value) && *(int64_t *)field > 0 &&
         *(int64_t *)field < 1000000000;
}

/* Reads a number into an int. */
static bool read_int_number(void *field, const char *value)
{
  int64_t number;
  if(!read_number(&number, value) || number > INT_MAX)
    return false;
  *(int *)field = (int)number;
  return true;
}

static bool read_int_count(void *field, const char *value)
{
  return read_int_number(field, value) && *(int *)field > 0;
}

/* ---- texts and words ---- */

static bool read_flag(void *field, const char *value)
{
  (void)value;
  *(bool *)field = true;
  return true;
}

static bool read_more(void *field, const char *value)
{
  (void)value;
  ++*(int *)field;
  return true;
}

static bool read_text(void *field, const char *value)
{
  *(const char **)field = value;
  return *value != '\0';
}

/* Reads names of letters, digits, "-", "_" and ".", with commas between. */
static bool read_profile(void *field, const char *value)
{
  size_t len = strspn(value, PROFILE_LETTERS ",");
  *(const char **)field = value;
  return len && !value[len] && *value != ',' && value[len - 1] != ',' &&
         !strstr(value, ",,");
}

/* Masks the password of the URL from now on, also of one that is refused. */
static void hide_password(const char *url)
{
  const char *slashes = strstr(url, "//");
  const char *user = slashes ? slashes + 2 : url;
  size_t len = strcspn(user, "/?#");
  const char *password;
  while(len && user[len - 1] != '@')
    len--;
  password = memchr(user, ':', len);
  if(password)
    ca_secret_add(password + 1, (size_t)(user + len - password) - 2);
}

/* Reads http://HOST… or https://HOST…. The field gets no other text: a run
   that is refused pings, too. */
static bool read_url(void *field, const char *value)
{
  size_t scheme = strncmp(value, "https://", 8) != 0 ? 7 : 8;
  hide_password(value);
  if((scheme == 7 && strncmp(value, "http://", 7) != 0) ||
     strchr("/?#:@", value[scheme]) || strlen(value) >= 2000)
    return false;
  *(const char **)field = value;
  return true;
}

static bool read_show(void *field, const char *value)
{
  *(bool *)field = true;
  return !strcmp(value, "all");
}

static bool read_log_format(void *field, const char *value)
{
  bool *is_json = field;
  *is_json = !strcmp(value, "json");
  return *is_json || !strcmp(value, "text");
}

static bool read_progress(void *field, const char *value)
{
  static const char *const words[] = { "auto", "always", "never" };
  int i = 0;
  while(i < COUNT_OF(words) && strcmp(words[i], value) != 0)
    i++;
  *(enum host_progress *)field = (enum host_progress)i;
  return i < COUNT_OF(words);
}

/* ---- lists ---- */

/* Copies the list element at *text, up to the comma, and moves *text past it.
   Returns false for an element that is empty or too long. */
static bool next_piece(const char **text, char out[PIECE_SIZE])
{
  size_t len = strcspn(*text, ",");
  if(!len || len >= PIECE_SIZE)
    return false;
  memcpy(out, *text, len);
  out[len] = '\0';
  *text += len;
  if(**text == ',')
    *text += (*text)[1] ? 1 : 0; /* a trailing comma stays and is refused */
  return true;
}

/* Reads one of the limits "failed=3%", "unknown=5", "stale=1". */
static bool read_stop(struct ca_stop_limit *stop_on, const char *piece)
{
  if(!strncmp(piece, "failed=", 7))
    return ca_guard_limit_read(piece + 7, &stop_on[CA_FAILED]);
  if(!strncmp(piece, "unknown=", 8))
    return ca_guard_limit_read(piece + 8, &stop_on[CA_UNKNOWN]);
  return !strncmp(piece, "stale=", 6) &&
         ca_guard_limit_read(piece + 6, &stop_on[CA_STALE]);
}

static bool read_stop_on(void *field, const char *value)
{
  char piece[PIECE_SIZE];
  do
    if(!next_piece(&value, piece) || !read_stop(field, piece))
      return false;
  while(*value);
  return true;
}

/* One spelling only, because --if-older compares it. */
bool host_options_table_shard(void *field, const char *value)
{
  struct host_shard *shard = field;
  char text[16];
  char *end;
  long number = strtol(value, &end, 10);
  long count = *end == '/' ? strtol(end + 1, &end, 10) : 0;
  if(number < 1 || number > count || count > 999)
    return false;
  shard->number = (int)number;
  shard->count = (int)count;
  snprintf(text, sizeof(text), "%d/%d", shard->number, shard->count);
  snprintf(shard->name, sizeof(shard->name), "%d-of-%d", shard->number,
           shard->count);
  return !strcmp(text, value);
}

/* ---- values of several fields: the field is the whole struct ---- */

static bool read_emulator(void *field, const char *value)
{
  struct host_options *options = field;
  options->emulator = true;
  return !value || (read_count(&options->emulator_accounts, value) &&
                    options->emulator_accounts <= 10000000);
}

static bool read_version(void *field, const char *value)
{
  struct host_options *options = field;
  (void)value;
  options->verb = HOST_VERSION;
  return true;
}

/* Reads "12" or "12,3". The last --confirm wins, as with other options. */
static bool read_confirm(void *field, const char *value)
{
  struct host_options *options = field;
  char piece[PIECE_SIZE];
  options->confirm_count = 0;
  do {
    int i = options->confirm_count;
    if(i == HOST_CONFIRM_MAX || !next_piece(&value, piece) ||
       !read_number(&options->confirm[i], piece))
      return false;
    options->confirm_count++;
  } while(*value);
  return true;
}

/* Every --protect counts: none may weaken an earlier one. A file that the
   earlier run or the profile names again is read once. */
static bool read_protect(void *field, const char *value)
{
  struct host_options *options = field;
  int i;
  for(i = 0; i < options->protect_count; i++)
    if(!strcmp(options->protect[i], value))
      return true;
  if(!*value || options->protect_count == HOST_PROTECT_MAX)
    return false;
  options->protect[options->protect_count++] = value;
  return true;
}

static bool read_allow(void *field, const char *value)
{
  struct host_options *options = field;
  char piece[PIECE_SIZE];
  do {
    bool is_io;
    if(!next_piece(&value, piece))
      return false;
    is_io = !strcmp(piece, "io");
    if(!is_io && strcmp(piece, "os") != 0)
      return false;
    options->allow_io |= is_io;
    options->allow_os |= !is_io;
  } while(*value);
  return true;
}

/* ---- the table ---- */

#define WHERE   "Where:"
#define SAFETY  "Safety:"
#define PACE    "Pace:"
#define SIGHT   "Output:"
#define SLICING "Slicing:"
#define SCRIPT  "The script:"
#define OTHER   "Other:"

#define AT(field) offsetof(struct host_options, field)

const struct host_option host_options_table[] = {
  { "profile", WHERE, ACTS | READS | ON(RESOLVE) | ON(DOCTOR), read_profile,
    AT(profile), 0, CARRIED | SAVED, "NAME",
    "take options from [NAME] in ~/.config/composio-lua/config" },
  { "base-url", WHERE, ACTS | ON(DOCTOR), read_text, AT(endpoint.base_url), 0,
    CARRIED, "URL", "base URL of the API (https://backend.composio.dev)" },
  { "api-key-file", WHERE, ACTS | ON(DOCTOR), read_text, AT(api_key_file), 0,
    CARRIED | IS_PATH, "FILE", "read the API key from FILE (mode 0600)" },
  { "tls-ca", WHERE, ACTS | ON(DOCTOR), read_text, AT(endpoint.ca_file), 0,
    CARRIED | IS_PATH, "FILE",
    "trust the CA certificates in FILE, not the system's" },
  { "emulator", WHERE, ACTS, read_emulator, 0, 0, OPTIONAL, "N",
    "run against a private emulator with N accounts (200)" },
  { "state-dir", WHERE, ACTS | READS | ON(RESOLVE) | ON(DOCTOR), read_text,
    AT(state_dir), 0, CARRIED | IS_PATH, "DIR", "keep the ledger in DIR" },
  { "apply", SAFETY, ACTS | ON(RUNS), read_flag, AT(apply), 0, 0, NULL,
    "carry out the plan; without --apply it is only shown" },
  { "save-plan", SAFETY, PLANS | ON(RESUME), read_text, AT(save_plan), 0,
    IS_PATTERN, "FILE",
    "with a preview: write the plan for composio-lua apply FILE" },
  { "show", SAFETY, ACTS | ON(SHOW) | ON(HISTORY), read_show, AT(show_all), 0,
    0, "all", "list every change, not only the first ones" },
  { "max-changes", SAFETY, ACTS, read_number, AT(limits.max_changes), 0, SAVED,
    "N", "refuse a run with more than N changes (500)" },
  { "max-percent", SAFETY, ACTS, read_percent, AT(limits.max_percent), 0,
    SAVED, "P",
    "refuse to change more than P of the project's accounts (25%)" },
  { "confirm", SAFETY, ACTS, read_confirm, 0, 0, 0, "N",
    "confirm exactly N irreversible changes (N,M,… for several bulks)" },
  { "protect", SAFETY, ACTS, read_protect, 0, 0,
    CARRIED | SAVED | IS_PATH | REPEATED, "FILE",
    "never change what FILE lists: one id, user:ID or toolkit:SLUG per "
    "line" },
  { "delete-active", SAFETY, ACTS, read_flag, AT(limits.delete_active), 0,
    SAVED, NULL, "allow ACTIVE accounts to be deleted" },
  { "stop-on", SAFETY, ACTS, read_stop_on, AT(stop_on), 0,
    CARRIED | SAVED | JOINED, "WORDS",
    "stop early at these limits: failed=3%,unknown=5,stale=1" },
  { "same-project", SAFETY, ON(APPLY) | ON(RESUME) | ON(UNDO), read_flag,
    AT(same_project), 0, 0, NULL,
    "the API key was rotated: accept a plan or run made with the old key" },
  { "anew", SAFETY, ON(RUN) | ON(APPLY), read_flag, AT(anew), 0, 0, NULL,
    "make accounts even if an interrupted run or another ledger may have "
    "made them" },
  { "resume-first", SAFETY, ON(RUN), read_flag, AT(resume_first), 0, 0, NULL,
    "with --apply: first finish an interrupted run of the same script and "
    "parameters" },
  { "failed", SAFETY, ON(RESUME), read_flag, AT(failed), 0, 0, NULL,
    "with resume: also retry changes and actions that failed" },
  { "reason", SAFETY, ON(RESOLVE), read_text, AT(reason), 0, 0, "TEXT",
    "with resolve: how you know the change's outcome" },
  { "tag", SAFETY, ON(SHOW), read_text, AT(tag), 0, 0, "NAME",
    "with show: list only the items with this tag" },
  { "prune", SAFETY, ON(RUNS), read_age, AT(prune_ms), 0, 0, "DUR",
    "with runs: show which runs ended longer than DUR ago (90d); with --apply "
    "remove them" },
  { "force", SAFETY, ON(RUNS), read_flag, AT(force), 0, 0, NULL,
    "with --prune: also remove runs of the last year that can be undone" },
  { "if-older", SAFETY, ON(RUN), read_time_limit, AT(if_older_ms), 0, 0, "DUR",
    "do nothing if the same job ended with 0 less than DUR ago" },
  { "lock-wait", SAFETY, ACTS | ON(RESOLVE) | ON(RUNS), read_duration,
    AT(lock_wait_ms), 0, 0, "DUR", "wait up to DUR for another run to end" },
  { "detailed-exitcode", SAFETY, PLANS, read_flag, AT(detailed_exitcode), 0, 0,
    NULL, "exit 5 when a preview has changes" },
  { "concurrency", PACE, ACTS, read_int_count, AT(endpoint.concurrency), 0,
    CARRIED, "N", "process up to N items at once (32)" },
  { "budget", PACE, ACTS, read_budget, AT(endpoint.budget_percent), 0, CARRIED,
    "P%", "use at most P% of the organisation's rate limit (25%)" },
  { "rate", PACE, ACTS, read_rate, AT(endpoint.rate_per_second), 0, CARRIED,
    "N/s", "limit the request rate: 50/s, 3000/m" },
  { "timeout", PACE, ACTS | ON(DOCTOR), read_time_limit,
    AT(endpoint.timeout_ms), 0, CARRIED, "DUR",
    "limit each request attempt to DUR (60s)" },
  { "retries", PACE, ACTS | ON(DOCTOR), read_int_number, AT(endpoint.retries),
    0, CARRIED, "N", "retry a request up to N times (2)" },
  { "max-wait", PACE, ACTS, read_time_limit, AT(endpoint.max_wait_ms), 0,
    CARRIED, "DUR", "wait at most DUR for a Retry-After (120s)" },
  { "settle-wait", PACE, ACTS, read_duration, AT(settle_wait_ms), 0, CARRIED,
    "DUR",
    "wait up to DUR to find out what became of unanswered changes (5m)" },
  { "deadline", PACE, ACTS, read_time_limit, AT(deadline_ms), 0, 0, "DUR",
    "stop DUR after the start; resume finishes the run" },
  { "progress", SIGHT, ACTS, read_progress, AT(progress), 0, 0, "WHEN",
    "show progress: auto (on a terminal), always or never" },
  { "quiet", SIGHT, ACTS, read_flag, AT(quiet), 'q', 0, NULL,
    "print nothing when the run ends with 0" },
  { "cron", SIGHT, ACTS, read_flag, AT(cron), 0, 0, NULL,
    "-q, --lock-wait 30s; at most 40 lines when the run does not end with 0" },
  { "verbose", SIGHT, ACTS, read_more, AT(verbose), 'v', 0, NULL,
    "print more; -vv prints every request" },
  { "log", SIGHT, ACTS, read_text, AT(log), 0, IS_PATTERN, "FILE",
    "append one line per event to FILE" },
  { "log-format", SIGHT, ACTS, read_log_format, AT(log_json), 0, 0, "FORMAT",
    "write the log as text or json" },
  { "summary", SIGHT, ACTS, read_text, AT(summary), 0, IS_PATTERN, "FILE",
    "write a JSON object about the run to FILE (-: stdout)" },
  { "metrics", SIGHT, ACTS, read_text, AT(metrics), 0, IS_PATTERN, "FILE",
    "write the run's metrics to FILE, in the format of Prometheus" },
  { "ping", SIGHT, ACTS, read_url, AT(ping), 0, NOT_STORED, "URL",
    "GET URL/start (http:// or https://) at the start; at the end URL, or "
    "URL/EXIT if EXIT is not 0" },
  { "on-end", SIGHT, ACTS, read_text, AT(on_end), 0, IS_PATH, "FILE",
    "run the executable FILE at the end, with the summary on stdin" },
  { "json", SIGHT, READS | ON(PROFILES) | ON(DOCTOR), read_flag, AT(json), 0,
    0, NULL, "with runs, show, history, profiles, doctor: print JSON lines" },
  { "limit", SIGHT, ON(RUNS), read_number, AT(limit), 0, 0, "N",
    "with runs: list the newest N runs (50; 0: all)" },
  { "limit-items", SLICING, PLANS, read_count, AT(limit_items), 0, SAVED, "N",
    "take only the first N items of each bulk" },
  { "shard", SLICING, ON(RUN), host_options_table_shard, AT(shard), 0, SAVED,
    "I/N",
    "take only slice I of N of each bulk's items, by a hash of their keys" },
  { "memory", SCRIPT, ACTS, read_count, AT(memory_mb), 0, CARRIED | SAVED,
    "MB", "limit the script's memory to MB megabytes (256)" },
  { "cpu", SCRIPT, ACTS, read_duration, AT(cpu_ms), 0, CARRIED | SAVED, "DUR",
    "limit the CPU time between API calls to DUR (60s; 0: no limit)" },
  { "instructions", SCRIPT, ACTS, read_number, AT(instructions), 0,
    CARRIED | SAVED, "N",
    "limit the script to N VM instructions (0: no limit)" },
  { "allow", SCRIPT, ACTS, read_allow, 0, 0, CARRIED | SAVED | JOINED, "io,os",
    "let the script use these Lua libraries" },
  { "help", OTHER, ALL, read_flag, AT(help), 'h', 0, NULL,
    "print this text, or a script's own help" },
  { "version", OTHER, ALL, read_version, 0, 0, 0, NULL,
    "print the versions of composio-lua and its libraries" },
  { .name = NULL }
};
_Static_assert(COUNT_OF(host_options_table) <= HOST_OPTION_MAX,
               "too many options");

const struct host_option *host_options_table_find(const char *name, size_t len)
{
  const struct host_option *option = host_options_table;
  while(option->name &&
        (strlen(option->name) != len || memcmp(option->name, name, len) != 0))
    option++;
  return option->name ? option : NULL;
}

bool host_options_table_is_secret(const char *word, const char **equals)
{
  static const char end[] = "-file";
  const size_t room = sizeof(end) - 1;
  size_t len = strcspn(word, "=");
  *equals = word[len] ? word + len : NULL;
  return !strncmp(word, "--", 2) && len > room + 2 &&
         !strncmp(word + len - room, end, room);
}

const char *host_options_table_keep(struct host_options *options,
                                    const char *before, const char *between,
                                    const char *value)
{
  char *text = NULL;
  if(options->saved_count < HOST_SAVED_MAX &&
     asprintf(&text, "%s%s%s", before, between, value) < 0)
    text = NULL;
  if(text)
    options->saved[options->saved_count++] = text;
  return text;
}

bool host_options_table_read(struct host_options *options,
                             const struct host_option *option,
                             const char *value)
{
  const long i = option - host_options_table;
  if(!value && option->value && !(option->flags & OPTIONAL))
    return false;
  if(!option->read((char *)options + option->offset, value))
    return false;
  if(option->flags & JOINED && options->given[i].seen)
    value =
        host_options_table_keep(options, options->given[i].value, ",", value);
  options->given[i].seen = true;
  options->given[i].value = value;
  return value || !(option->flags & JOINED);
}

void host_options_table_unshard(struct host_options *options)
{
  ptrdiff_t i = host_options_table_find("shard", 5) - host_options_table;
  memset(&options->given[i], 0, sizeof(options->given[i]));
  memset(&options->shard, 0, sizeof(options->shard));
  ca_text_copy(options->shard.name, sizeof(options->shard.name), "1-of-1");
}

void host_options_table_push(lua_State *L)
{
  const struct host_option *option;
  lua_newtable(L);
  for(option = host_options_table; option->name; option++) {
    const char letter[] = { option->letter, '\0' };
    lua_createtable(L, 0, 9);
    lca_table_set_text(L, "name", option->name);
    lca_table_set_text(L, "group", option->group);
    lca_table_set_text(L, "value", option->value);
    lca_table_set_bool(L, "is_optional", option->flags & OPTIONAL);
    lca_table_set_text(L, "text", option->help);
    lca_table_set_text(L, "letter", ca_text_or_null(letter));
    lca_table_set_bool(L, "is_of_run", option->verbs & ON(RUN));
    lca_table_set_bool(L, "is_needed",
                       option->flags & CARRIED && !(option->flags & SAVED));
    lca_table_set_bool(L, "is_path", option->flags & (IS_PATH | IS_PATTERN));
    lca_table_set_bool(L, "is_pattern", option->flags & IS_PATTERN);
    lua_rawseti(L, -2, option - host_options_table + 1);
  }
}
