/* Looking back: one run, whole.
   Must not know: the engine, how changes are made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host/past_private.h"
#include "host/table.h"

#define FIRST_CHANGES 50

struct show {
  struct past *past;
  char name[96];
  int part; /* parts seen */
  bool found;
  bool writes; /* it is no preview */
  enum past_state state;
  bool stands;
  char next[1024];
  char undo[1024];
  struct host_table table;
};

/* ---- what to do next ---- */

static int64_t changes(const struct host_counts *counts,
                       enum ca_outcome outcome)
{
  int64_t count = 0;
  size_t i;
  for(i = 0; i < counts->operation_count; i++)
    count += counts->operations[i].changes[outcome];
  return count;
}

/* "disable" or "auth_configs.disable" as its row. */
static const struct ca_api *find_api(const char *operation)
{
  const char *dot = strchr(operation, '.');
  char resource[64];
  if(!dot)
    return ca_api_find("connected_accounts", operation);
  ca_copy_text(resource, sizeof(resource), operation,
               (size_t)(dot - operation));
  return ca_api_find(resource, dot + 1);
}

static bool can_be_undone(const struct host_counts *counts)
{
  size_t i;
  for(i = 0; i < counts->operation_count; i++) {
    const struct ca_api *api = find_api(counts->operations[i].name);
    if(counts->operations[i].changes[CA_DONE] && api && api->undo)
      return true;
  }
  return false;
}

static void find_next(struct show *show)
{
  const struct host *host = show->past->host;
  const struct host_counts *counts = &host->counts;
  bool left = show->state == PAST_INTERRUPTED || counts->items[CA_NOT_TRIED] ||
              counts->items[CA_UNKNOWN];
  if(!show->writes || show->state == PAST_RUNNING || !show->stands)
    return;
  if(changes(counts, CA_FAILED))
    host_verb_command(host, "resume", show->name, "--failed", show->next,
                      sizeof(show->next));
  else if(left)
    host_verb_command(host, "resume", show->name, "", show->next,
                      sizeof(show->next));
  if(can_be_undone(counts))
    host_verb_command(host, "undo", show->name, "", show->undo,
                      sizeof(show->undo));
}

/* ---- the head ---- */

static void say_field(const char *name, const char *value)
{
  if(value && *value && strcmp(value, "{}") != 0)
    host_past_say("%-10s %s", name, value);
}

static void say_times(const struct show *show, const struct ca_run_row *run)
{
  char began[32];
  char ended[32];
  char took[32];
  char by[400];
  char verdict[32];
  host_past_time(run->began_ms, began, sizeof(began));
  host_past_time(run->ended_ms, ended, sizeof(ended));
  host_past_duration(run->ended_ms - run->began_ms, took, sizeof(took));
  host_past_by(run->info.who, run->info.host, by, sizeof(by));
  host_past_verdict(show->past, run, verdict, sizeof(verdict));
  host_past_say("%-10s %s by %s", "began", began, by);
  if(run->ended_ms)
    host_past_say("%-10s %s, after %s", "ended", ended, took);
  host_past_say("%-10s %s", "state", verdict);
}

static void say_head(const struct show *show, const struct ca_run_row *run)
{
  const struct ca_run_info *info = &run->info;
  host_past_say("%-10s %s", "run", run->name);
  host_past_say("%-10s %s", "what", host_past_kind(info));
  say_field("undoes", info->undoes);
  say_field("script", info->script);
  say_field("sha-256", info->script_sha);
  say_field("parameters", info->params);
  say_field("options", info->options);
  say_times(show, run);
  host_past_say("%-10s %s at %s", "project", info->project, info->base_url);
  host_past_say("%-10s composio-lua %s", "program", info->version);
  if(show->writes && !run->stands)
    host_past_say("%-10s it ended before its plan stood: nothing was changed",
                  "plan");
}

static void print_head(struct show *show, const struct ca_run_row *run)
{
  struct ca_json_write json;
  host_past_begin(show->past, &json);
  ca_json_write_text(&json, "kind", "run");
  host_past_run_json(show->past, &json, run);
  ca_json_write_text(&json, "next", *show->next ? show->next : NULL);
  ca_json_write_text(&json, "undo", *show->undo ? show->undo : NULL);
  host_past_print(show->past, &json);
}

static bool take_run(void *ctx, const struct ca_run_row *run)
{
  struct show *show = ctx;
  if(strcmp(run->name, show->name) != 0)
    return true;
  show->found = true;
  show->writes = !strcmp(run->info.mode, "apply");
  show->state = host_past_state(show->past, run);
  show->stands = run->stands;
  find_next(show);
  if(show->past->host->options.json)
    print_head(show, run);
  else
    say_head(show, run);
  return false;
}

/* ---- parts ---- */

/* The first part is the run itself; each later one resumed it. */
static bool take_part(void *ctx, const struct ca_part *part)
{
  struct show *show = ctx;
  char began[32];
  char ended[32];
  char by[400];
  if(show->past->host->options.json) {
    struct ca_json_write json;
    host_past_begin(show->past, &json);
    ca_json_write_text(&json, "kind", "part");
    ca_json_write_time(&json, "began", part->began_ms);
    ca_json_write_time(&json, "ended", part->ended_ms);
    if(part->exit_code >= 0)
      ca_json_write_number(&json, "exit", part->exit_code);
    else
      ca_json_write_null(&json, "exit");
    ca_json_write_text(&json, "who", part->who);
    ca_json_write_text(&json, "host", part->host);
    host_past_print(show->past, &json);
  } else if(show->part) {
    host_past_time(part->began_ms, began, sizeof(began));
    host_past_time(part->ended_ms, ended, sizeof(ended));
    host_past_by(part->who, part->host, by, sizeof(by));
    if(part->ended_ms)
      host_past_say("%-10s %s to %s by %s, exit %d", "resumed", began, ended,
                    by, part->exit_code);
    else
      host_past_say("%-10s %s by %s, did not end", "resumed", began, by);
  }
  show->part++;
  return !host_past_unread(show->past);
}

/* ---- counts ---- */

static const struct host_column count_columns[] = { { "operation", 10 },
                                                    { "outcome", 0 },
                                                    { "changes", 0 } };

static void put_count(struct show *show, const char *operation, int outcome,
                      int64_t count)
{
  struct ca_json_write json;
  char number[32];
  const char *texts[3] = { operation ? operation : "items",
                           ca_outcome_name((enum ca_outcome)outcome), number };
  if(!count)
    return;
  host_number(count, number);
  if(!show->past->host->options.json) {
    host_table_add(&show->table, texts);
    return;
  }
  host_past_begin(show->past, &json);
  ca_json_write_text(&json, "kind", operation ? "changes" : "items");
  if(operation)
    ca_json_write_text(&json, "operation", operation);
  ca_json_write_text(&json, "outcome", host_outcome_key(outcome));
  ca_json_write_number(&json, "count", count);
  host_past_print(show->past, &json);
}

static void show_counts(struct show *show)
{
  const struct host_counts *counts = &show->past->host->counts;
  bool plain = !show->past->host->options.json;
  size_t at;
  int i;
  if(plain)
    host_past_say("%s", "");
  host_table_init(&show->table, count_columns, 3);
  for(at = 0; at < counts->operation_count; at++)
    for(i = 0; i < CA_OUTCOME_COUNT; i++)
      put_count(show, counts->operations[at].name, i,
                counts->operations[at].changes[i]);
  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    put_count(show, NULL, i, counts->items[i]);
  host_table_end(&show->table);
}

/* ---- changes ---- */

static const struct host_column change_columns[] = {
  { "operation", 9 },    { "account", 0 }, { "outcome", 9 },
  { "from and to", 17 }, { "why", 8 },     { "user", 6 },
  { "toolkit", 6 },      { "line", 8 },    { "request", 8 }
};
#define CHANGE_COLUMNS (sizeof(change_columns) / sizeof(change_columns[0]))

static void add_change(struct show *show, const struct ca_change_row *row,
                       const struct ca_item *item)
{
  char operation[96];
  char move[600];
  char why[1200];
  char shown[128];
  const char *account = row->change.account;
  const char *user = row->change.user ? row->change.user : item->user;
  const char *texts[CHANGE_COLUMNS] = { shown,
                                        account && *account ? account
                                                            : row->key,
                                        ca_outcome_name(row->outcome),
                                        move,
                                        why,
                                        user,
                                        item->toolkit,
                                        row->change.line,
                                        row->request_id };
  host_past_operation(row->change.api, operation, sizeof(operation));
  snprintf(shown, sizeof(shown), "%s%s",
           row->change.fallback ? "otherwise " : "", operation);
  host_past_move(row, item->alias, move, sizeof(move));
  host_past_why(row, why, sizeof(why));
  host_table_add(&show->table, texts);
}

static void print_change(struct past *past, const struct ca_change_row *row,
                         const struct ca_item *item)
{
  struct ca_json_write json;
  host_past_begin(past, &json);
  ca_json_write_text(&json, "kind", "change");
  host_past_change_json(&json, row);
  ca_json_write_text(&json, "user",
                     row->change.user ? row->change.user : item->user);
  ca_json_write_text(&json, "toolkit", item->toolkit);
  ca_json_write_text(&json, "alias", item->alias);
  host_past_print(past, &json);
}

static enum ca_code put_change(struct show *show,
                               const struct ca_change_row *row,
                               struct ca_err *err)
{
  struct ca_item item;
  enum ca_code code =
      ca_ledger_item(show->past->ledger, row->item, &item, err);
  if(code)
    return code;
  if(show->past->host->options.json)
    print_change(show->past, row, &item);
  else
    add_change(show, row, &item);
  return CA_OK;
}

static enum ca_code show_changes(struct show *show, struct ca_err *err)
{
  const struct host_options *options = &show->past->host->options;
  bool all = options->show_all || options->json;
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  enum ca_code code;
  int shown = 0;
  if(show->past->host->counts.operation_count && !options->json)
    host_past_say("%s", "");
  host_table_init(&show->table, change_columns, CHANGE_COLUMNS);
  ca_changes_open(&changes, show->past->ledger, -1, CA_ANY_OUTCOME);
  while(!(code = ca_changes_next(&changes, &row, err)) && row &&
        (all || shown < FIRST_CHANGES) && !host_past_unread(show->past)) {
    code = put_change(show, row, err);
    if(code)
      break;
    shown++;
  }
  host_table_end(&show->table);
  if(!code && row && !all)
    host_past_say("… and more (--show all)");
  ca_changes_close(&changes);
  return code;
}

/* ---- the run ---- */

static enum ca_code show_run(struct show *show, struct ca_err *err)
{
  struct past *past = show->past;
  enum ca_code code = ca_ledger_look(past->ledger, show->name, err);
  if(code)
    return code;
  past->host->ledger = past->ledger;
  host_read_counts(past->host);
  past->host->ledger = NULL;
  code = ca_ledger_runs(past->ledger, 0, take_run, show, err);
  if(!code && !show->found)
    code = ca_err_set(err, CA_USAGE, "the run is gone: %s", show->name);
  if(!code)
    code = ca_ledger_parts(past->ledger, show->name, take_part, show, err);
  if(code)
    return code;
  show_counts(show);
  code = show_changes(show, err);
  if(past->host->options.json || code)
    return code;
  if(*show->next || *show->undo)
    host_past_say("%s", "");
  if(*show->next)
    host_past_say("next: %s", show->next);
  if(*show->undo)
    host_past_say("undo: %s", show->undo);
  return code;
}

int host_show(struct host *host)
{
  static struct show show;
  struct past past;
  struct ca_err err;
  int code = host_past_open(&past, host);
  ca_err_clear(&err);
  if(past.ledger) {
    show.past = &past;
    if(ca_ledger_find_run(past.ledger, host->options.operand, show.name,
                          sizeof(show.name), &err) ||
       show_run(&show, &err))
      code = host_past_fail(&past, &err);
  } else if(!code) {
    code = 2;
  }
  return host_past_close(&past, code);
}
