/* The command to type next, as `next:` shows it.
   Must not know: curl, Lua values. */
#include <stdio.h>
#include <string.h>
#include "host/host.h"

/* ---- words ---- */

static bool needs_quotes(const char *word)
{
  return !*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_=./:%+@,")] != '\0';
}

static void add_word(char *out, size_t size, const char *word)
{
  size_t len = strlen(out);
  if(!needs_quotes(word)) {
    snprintf(out + len, size - len, " %s", word);
    return;
  }
  if(len + 4 >= size)
    return;
  out[len++] = ' ';
  out[len++] = '\'';
  for(; *word && len + 8 < size; word++) {
    if(*word == '\'') {
      memcpy(out + len, "'\\''", 4);
      len += 4;
    } else {
      out[len++] = *word;
    }
  }
  out[len++] = '\'';
  out[len] = '\0';
}

static void add_option(char *out, size_t size, const char *name,
                       const char *value)
{
  char option[64];
  snprintf(option, sizeof(option), "--%s", name);
  add_word(out, size, option);
  add_word(out, size, value);
}

/* Adds the arguments after "--": the script needs them again. */
static void add_rest(const struct host *host, char *out, size_t size)
{
  int i;
  if(!host->options.rest)
    return;
  add_word(out, size, "--");
  for(i = 0; i < host->options.rest_count; i++)
    add_word(out, size, host->options.rest[i]);
}

/* Adds the --confirm that the preview's irreversible changes need. */
static void add_confirm(const struct host *host, char *out, size_t size)
{
  char numbers[HOST_CONFIRM_MAX * 20] = "";
  int i;
  for(i = 0; i < host->irreversible_count; i++) {
    size_t len = strlen(numbers);
    snprintf(numbers + len, sizeof(numbers) - len, "%s%lld", i ? "," : "",
             (long long)host->irreversible[i]);
  }
  if(*numbers)
    add_option(out, size, "confirm", numbers);
}

/* ---- other verbs ---- */

struct line {
  char *out;
  size_t size;
};

static void add_carried(void *ctx, const char *name, const char *value)
{
  struct line *line = ctx;
  add_option(line->out, line->size, name, value);
}

void host_next_command_verb(const struct host *host, const char *verb,
                            const char *operand, const char *tail, char *out,
                            size_t size)
{
  struct line line = { out, size };
  snprintf(out, size, "composio-lua %s", verb);
  add_word(out, size, operand);
  host_options_table_carry(&host->options, add_carried, &line);
  if(*tail)
    add_word(out, size, tail);
}

/* ---- the same verb ---- */

static bool is_option(const char *word, const char *name, bool *has_value)
{
  size_t len = strlen(name);
  if(strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, len) != 0)
    return false;
  *has_value = word[2 + len] == '=';
  return *has_value || !word[2 + len];
}

/* Repeats this command line without --apply, and without --confirm when the
   preview found irreversible changes. */
static void add_same(const struct host *host, char *out, size_t size)
{
  bool has_value;
  int i;
  snprintf(out, size, "composio-lua");
  for(i = 1; i < host->argc && strcmp(host->argv[i], "--") != 0; i++) {
    const char *word = host->argv[i];
    if(is_option(word, "apply", &has_value))
      continue;
    if(host->irreversible_count && is_option(word, "confirm", &has_value)) {
      i += has_value ? 0 : 1;
      continue;
    }
    /* "last" would then name another run */
    add_word(out, size,
             word == host->options.operand && host->undoes[0] ? host->undoes
                                                              : word);
  }
}

/* ---- which command ---- */

static int64_t changes(const struct host *host, enum ca_outcome outcome)
{
  int64_t count = 0;
  size_t i;
  for(i = 0; i < host->counts.operation_count; i++)
    count += host->counts.operations[i].changes[outcome];
  return count;
}

static void after_preview(const struct host *host, char *out, size_t size)
{
  if(!changes(host, CA_PLANNED) || host->failed || host->exit_code == 4)
    return;
  if(host->options.save_plan && !host->plan_saved)
    return;
  if(host->options.save_plan) {
    host_next_command_verb(host, "apply", host->options.save_plan, "", out,
                           size);
    add_confirm(host, out, size);
  } else {
    add_same(host, out, size);
    add_word(out, size, "--apply");
    add_confirm(host, out, size);
  }
  add_rest(host, out, size);
}

/* Open changes can be resumed. An item whose action raised has no change: the
   script has to run again. */
static void after_apply(const struct host *host, char *out, size_t size)
{
  const int64_t *items = host->counts.items;
  if(host->exit_code == 4)
    return; /* a guard refused the plan: it is not sealed */
  if(host->stop == LCA_STOP_LEDGER && lca_run_stats(host->L)->written)
    host_next_command_verb(host, "resume", host->run_id, "", out, size);
  else if(items[CA_FAILED] && changes(host, CA_FAILED))
    host_next_command_verb(host, "resume", host->run_id, "--failed", out,
                           size);
  else if(items[CA_NOT_TRIED] || items[CA_UNKNOWN])
    host_next_command_verb(host, "resume", host->run_id, "", out, size);
  else if(items[CA_FAILED] && host->options.script)
    add_same(host, out, size);
  else
    return;
  add_rest(host, out, size);
}

void host_next_command(const struct host *host, char *out, size_t size)
{
  out[0] = '\0';
  if(host->emulator.url[0]) /* it has ended before anybody can type this */
    return;
  if(host->options.apply)
    after_apply(host, out, size);
  else
    after_preview(host, out, size);
}
