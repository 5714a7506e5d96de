/* What the ledger holds, as texts for people and members for programs.
   Must not know: the engine, how changes are made. */
#include <stdio.h>
#include <string.h>
#include "host/past_private.h"

/* ---- times ---- */

void host_past_time(int64_t ms, char *out, size_t size)
{
  char text[32];
  if(!ms) {
    snprintf(out, size, "-");
    return;
  }
  ca_clock_format(ms, text, sizeof(text));
  snprintf(out, size, "%.*sZ", (int)strcspn(text, "."), text);
}

void host_past_duration(int64_t ms, char *out, size_t size)
{
  long long seconds = (long long)(ms / 1000);
  if(ms < 0)
    snprintf(out, size, "-");
  else if(seconds < 60)
    snprintf(out, size, "%lld.%llds", seconds, (long long)(ms % 1000 / 100));
  else if(seconds < 3600)
    snprintf(out, size, "%lldm%02llds", seconds / 60, seconds % 60);
  else if(seconds < 86400)
    snprintf(out, size, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
  else
    snprintf(out, size, "%lldd%02lldh", seconds / 86400, seconds / 3600 % 24);
}

/* ---- runs ---- */

void host_past_by(const char *who, const char *machine, char *out, size_t size)
{
  snprintf(out, size, "%s@%s", who && *who ? who : "?",
           machine && *machine ? machine : "?");
}

const char *host_past_kind(const struct ca_run_info *info)
{
  bool applies = !strcmp(info->mode, "apply");
  if(info->undoes)
    return applies ? "undo" : "undo preview";
  return applies ? "apply" : "preview";
}

enum past_state host_past_state(const struct past *past,
                                const struct ca_run_row *run)
{
  struct host_lock_holder holder;
  if(run->ended_ms)
    return PAST_ENDED;
  if(strcmp(run->info.mode, "apply") != 0) /* these take no lock */
    return PAST_OPEN;
  if(host_lock_look(past->host->state_dir, run->info.project, &holder) &&
     !strcmp(holder.run, run->name))
    return PAST_RUNNING;
  return PAST_INTERRUPTED;
}

const char *host_past_state_name(enum past_state state)
{
  static const char *const names[] = { "running", "interrupted", "open",
                                       "ended" };
  return names[state];
}

void host_past_verdict(const struct past *past, const struct ca_run_row *run,
                       char *out, size_t size)
{
  enum past_state state = host_past_state(past, run);
  if(state != PAST_ENDED)
    snprintf(out, size, "%s",
             state == PAST_OPEN ? "not ended" : host_past_state_name(state));
  else if(!run->exit_code)
    snprintf(out, size, "done");
  else
    snprintf(out, size, "exit %d", run->exit_code);
}

void host_past_counts(const int64_t counts[CA_OUTCOME_COUNT], char *out,
                      size_t size)
{
  char count[32];
  int i;
  out[0] = '\0';
  for(i = 0; i < CA_OUTCOME_COUNT; i++) {
    size_t len = strlen(out);
    if(counts[i])
      snprintf(out + len, size - len, "%s%s %s", len ? ", " : "",
               host_number(counts[i], count),
               ca_outcome_name((enum ca_outcome)i));
  }
  if(!*out)
    snprintf(out, size, "-");
}

/* JSON of the ledger, or null when it is none. */
static void add_json(struct ca_json_write *json, const char *name,
                     const char *text)
{
  if(text && ca_json_valid(text, strlen(text)))
    ca_json_write_raw(json, name, text);
  else
    ca_json_write_text(json, name, text);
}

void host_past_run_json(const struct past *past, struct ca_json_write *json,
                        const struct ca_run_row *run)
{
  const struct ca_run_info *info = &run->info;
  enum past_state state = host_past_state(past, run);
  int i;
  ca_json_write_text(json, "run", run->name);
  ca_json_write_text(json, "mode", info->mode);
  ca_json_write_text(json, "state", host_past_state_name(state));
  if(run->exit_code >= 0)
    ca_json_write_number(json, "exit", run->exit_code);
  else
    ca_json_write_null(json, "exit");
  ca_json_write_time(json, "began", run->began_ms);
  ca_json_write_time(json, "ended", run->ended_ms);
  ca_json_write_number(json, "parts", run->parts);
  ca_json_write_text(json, "script", info->script);
  ca_json_write_text(json, "word", info->word);
  ca_json_write_text(json, "script_sha256", info->script_sha);
  ca_json_write_text(json, "cwd", info->cwd);
  ca_json_write_text(json, "undoes", info->undoes);
  add_json(json, "params", info->params);
  add_json(json, "options", info->options);
  ca_json_write_text(json, "who", info->who);
  ca_json_write_text(json, "host", info->host);
  ca_json_write_text(json, "project", info->project);
  ca_json_write_text(json, "base_url", info->base_url);
  ca_json_write_text(json, "version", info->version);
  if(!run->has_counts) {
    ca_json_write_null(json, "changes");
    return;
  }
  ca_json_write_open(json, "changes", '{');
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(run->changes[i])
      ca_json_write_number(json, host_outcome_key(i), run->changes[i]);
  ca_json_write_close(json, '}');
}

/* ---- changes ---- */

void host_past_operation(const struct ca_api *api, char *out, size_t size)
{
  if(!strcmp(api->resource, "connected_accounts"))
    snprintf(out, size, "%s", api->name);
  else
    snprintf(out, size, "%s.%s", api->resource, api->name);
}

/* The alias in a JSON text; false when it says nothing of one. */
static bool alias_of(const char *text, char *out, size_t size)
{
  return text && ca_json_text(text, strlen(text), "$.alias", out, size);
}

/* What an update replaces, and by what. */
static void move_update(const struct ca_change_row *row, const char *alias,
                        char *out, size_t size)
{
  const struct ca_change *change = &row->change;
  char before[256];
  char after[256];
  if(change->fingerprint) {
    snprintf(out, size, "credentials replaced");
  } else if(alias_of(change->body, after, sizeof(after))) {
    if(alias_of(change->image, before, sizeof(before)))
      alias = before;
    snprintf(out, size, "alias %s%s%s→ '%s'", alias ? "'" : "",
             alias ? alias : "", alias ? "' " : "", after);
  } else {
    snprintf(out, size, "%s → %s", change->image ? change->image : "-",
             change->body ? change->body : "-");
  }
}

void host_past_move(const struct ca_change_row *row, const char *alias,
                    char *out, size_t size)
{
  const struct ca_api *api = row->change.api;
  const char *before = row->change.before;
  const char *after = row->status_after;
  if(!strcmp(api->name, "update")) {
    move_update(row, alias, out, size);
    return;
  }
  if(!strstr(api->path, "{id}")) {
    snprintf(out, size, "→ %s", row->made ? row->made : "a new account");
    return;
  }
  if(!after)
    after = api->method == CA_DELETE ? "deleted" : api->becomes;
  snprintf(out, size, "%s%s%s", before ? before : "?", after ? " → " : "",
           after ? after : "");
}

void host_past_why(const struct ca_change_row *row, char *out, size_t size)
{
  const char *reason = row->change.reason ? row->change.reason : "";
  const char *error = row->error ? row->error : "";
  snprintf(out, size, "%s%s%s", reason, *reason && *error ? "; " : "", error);
}

void host_past_change_json(struct ca_json_write *json,
                           const struct ca_change_row *row)
{
  const struct ca_change *change = &row->change;
  char operation[96];
  host_past_operation(change->api, operation, sizeof(operation));
  ca_json_write_number(json, "number", row->number);
  ca_json_write_text(json, "key", row->key);
  ca_json_write_text(json, "operation", operation);
  ca_json_write_text(json, "account",
                     change->account && *change->account ? change->account
                                                         : NULL);
  ca_json_write_text(json, "made", row->made);
  ca_json_write_text(json, "auth_config", change->config);
  ca_json_write_text(json, "outcome", host_outcome_key((int)row->outcome));
  ca_json_write_bool(json, "fallback", change->fallback);
  ca_json_write_text(json, "class", ca_class_name(change->cost));
  ca_json_write_text(json, "before", change->before);
  ca_json_write_text(json, "after", row->status_after);
  add_json(json, "image", change->image);
  ca_json_write_text(json, "query", change->query);
  add_json(json, "body", change->body);
  ca_json_write_text(json, "fingerprint", change->fingerprint);
  ca_json_write_text(json, "reason", change->reason);
  ca_json_write_text(json, "line", change->line);
  ca_json_write_text(json, "error", row->error);
  ca_json_write_text(json, "request_id", row->request_id);
  ca_json_write_time(json, "sent", row->sent_ms);
}
