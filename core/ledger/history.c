/* Reading earlier runs: the list of runs, a run's sessions, the changes of one
   account, what is left of removed runs.
   Must not know: how changes are sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ledger/ledger_private.h"
#include "base/text.h"

/* Begins a query over all runs: false if it has failed already. */
static bool begin(struct ca_query *query, struct ca_ledger *ledger,
                  struct ca_err *err)
{
  *query = (struct ca_query){ .ledger = ledger, .err = err };
  query->code = ca_ledger_flush(ledger, -1, err);
  return !query->code;
}

static bool next(struct ca_query *query)
{
  return ca_statement_next(query->ledger, query->statement, &query->code,
                           query->err);
}

enum ca_code ca_history_close(struct ca_query *query)
{
  sqlite3_reset(query->statement);
  return query->code;
}

/* NULL is -1, as in struct ca_run_row. */
static int exit_code(sqlite3_stmt *statement, int column)
{
  return sqlite3_column_type(statement, column) == SQLITE_NULL
             ? -1
             : sqlite3_column_int(statement, column);
}

/* Runs. */

/* Parses "[0,0,3,…]", which ca_run_end writes. */
static bool read_counts(const char *text, int64_t counts[CA_OUTCOME_COUNT])
{
  int i;

  for(i = 0; text && i < CA_OUTCOME_COUNT; i++) {
    char *end;
    if(*text != (i ? ',' : '['))
      return false;
    counts[i] = strtoll(text + 1, &end, 10);
    text = end;
  }
  return text && *text == ']';
}

/* Does the run carry out a saved plan? In ledgers of 0.1.0 the column
   `plan` is empty; the plan is then the first of the run's options. */
static bool is_of_plan(const struct ca_run_info *info)
{
  static const char first[] = "{\"plan\":";
  if(!info->mode || strcmp(info->mode, "apply") != 0)
    return false;
  return info->plan ||
         (info->options && !strncmp(info->options, first, sizeof(first) - 1));
}

static void take_run(sqlite3_stmt *statement, struct ca_run_row *run)
{
  const char **texts[] = {
    &run->name,          &run->info.script,  &run->info.word,
    &run->info.cwd,      &run->info.undoes,  &run->info.script_sha,
    &run->info.params,   &run->info.options, &run->info.mode,
    &run->info.who,      &run->info.host,    &run->info.project,
    &run->info.base_url, &run->info.version, &run->info.plan,
    &run->needs,         &run->refusal,      &run->info.redoes,
  };
  int at = (int)(sizeof(texts) / sizeof(texts[0]));
  int i;

  memset(run, 0, sizeof(*run));
  for(i = 0; i < at; i++)
    *texts[i] = ca_ledger_text(statement, i);
  run->of_plan = is_of_plan(&run->info);
  run->began_ms = sqlite3_column_int64(statement, at);
  run->ended_ms = sqlite3_column_int64(statement, at + 1);
  run->exit_code = exit_code(statement, at + 2);
  run->has_counts =
      read_counts(ca_ledger_text(statement, at + 3), run->changes);
  run->sessions = sqlite3_column_int(statement, at + 4);
  run->sealed = sqlite3_column_int(statement, at + 5) != 0;
  run->pending = sqlite3_column_int64(statement, at + 6);
  run->unwritten = sqlite3_column_int(statement, at + 7) != 0;
  run->id = sqlite3_column_int64(statement, at + 8);
}

void ca_history_open_runs(struct ca_query *query, struct ca_ledger *ledger,
                          const struct ca_run_filter *filter,
                          struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement =
        ca_statement_start(ledger, CA_SQL_RUNS, err, "iitttit",
                           filter->limit ? (int64_t)filter->limit : -1,
                           filter->before, filter->name, filter->project,
                           filter->mode, filter->since_ms, filter->plan);
}

bool ca_history_next_run(struct ca_query *query, struct ca_run_row *run)
{
  if(!next(query))
    return false;
  take_run(query->statement, run);
  return true;
}

/* Finding a run by a part of its id. */

#define NAMES_LISTED 4

/* Takes the only match, or reports the candidates. */
static enum ca_code choose_run(struct ca_query *query, const char *text,
                               char *name, size_t size)
{
  char names[480] = "";
  char said[96];
  bool exact = false;
  int count = 0;

  while(!exact && next(query)) {
    const char *one = ca_ledger_text(query->statement, 0);
    size_t used = strlen(names);
    exact = sqlite3_column_int(query->statement, 1) != 0;
    if(!count++)
      ca_text_copy(name, size, one);
    if(count <= NAMES_LISTED)
      snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
               one);
  }
  if(ca_history_close(query) || exact || count == 1)
    return query->code;
  ca_text_printable(said, sizeof(said), text, strlen(text));
  if(!count)
    return ca_err_set(query->err, CA_USAGE,
                      "there is no run \"%s\"; composio-lua runs lists "
                      "them",
                      said);
  return ca_err_set(query->err, CA_USAGE,
                    "\"%s\" is not unique, it matches %s%s; give more of "
                    "the id",
                    said, names, count > NAMES_LISTED ? ", …" : "");
}

enum ca_code ca_history_find_run(struct ca_ledger *ledger, const char *text,
                                 char *name, size_t size, struct ca_err *err)
{
  struct ca_query query;

  if(size < 96)
    return ca_err_set(err, CA_USAGE, "the buffer for a run's id is too small");
  if(!*text)
    return ca_err_set(err, CA_USAGE, "the run's id is empty");
  if(begin(&query, ledger, err))
    query.statement =
        ca_statement_start(ledger, CA_SQL_RUN_NAMED, err, "t", text);
  return choose_run(&query, text, name, size);
}

/* Sessions. */

void ca_history_open_sessions(struct ca_query *query, struct ca_ledger *ledger,
                              const char *run, struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement =
        ca_statement_start(ledger, CA_SQL_SESSIONS, err, "t", run);
}

bool ca_history_next_session(struct ca_query *query,
                             struct ca_session *session)
{
  sqlite3_stmt *statement = query->statement;

  if(!next(query))
    return false;
  *session = (struct ca_session){
    .began_ms = sqlite3_column_int64(statement, 0),
    .ended_ms = sqlite3_column_int64(statement, 1),
    .exit_code = exit_code(statement, 2),
    .who = ca_ledger_text(statement, 3),
    .host = ca_ledger_text(statement, 4),
  };
  return true;
}

/* Tags. */

void ca_history_open_tags(struct ca_query *query, struct ca_ledger *ledger,
                          int bulk, struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement =
        ca_statement_start(ledger, CA_SQL_TAGS, err, "Ii", (int64_t)bulk);
}

bool ca_history_next_tag(struct ca_query *query, const char **tag,
                         int64_t *items)
{
  if(!next(query))
    return false;
  *tag = ca_ledger_text(query->statement, 0);
  *items = sqlite3_column_int64(query->statement, 1);
  return true;
}

void ca_history_open_tags_of(struct ca_query *query, struct ca_ledger *ledger,
                             int64_t item, struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement =
        ca_statement_start(ledger, CA_SQL_TAGS_OF_ITEM, err, "i",
                           ca_ledger_item_id(ledger, item));
}

void ca_history_open_tagged(struct ca_query *query, struct ca_ledger *ledger,
                            const char *tag, int64_t after, int limit,
                            struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement = ca_statement_start(ledger, CA_SQL_TAGGED, err, "Iiti",
                                          ca_ledger_item_id(ledger, after),
                                          tag, (int64_t)limit);
}

bool ca_history_next_tagged(struct ca_query *query, struct ca_item *item,
                            int64_t *number)
{
  sqlite3_stmt *statement = query->statement;

  if(!next(query))
    return false;
  *number = sqlite3_column_int64(statement, 0) & CA_ITEM_MAX;
  *item = (struct ca_item){
    .key = ca_ledger_text(statement, 1),
    .account = ca_ledger_text(statement, 2),
    .user = ca_ledger_text(statement, 3),
    .toolkit = ca_ledger_text(statement, 4),
    .status = ca_ledger_text(statement, 5),
    .status_reason = ca_ledger_text(statement, 6),
  };
  return true;
}

/* History. */

/* Reads the columns after those of the change. */
static void take_history(sqlite3_stmt *statement, struct ca_history_row *row)
{
  row->run = ca_ledger_text(statement, CA_CHANGE_COLUMNS);
  row->who = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 1);
  row->host = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 2);
  row->script = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 3);
  row->applies = sqlite3_column_int(statement, CA_CHANGE_COLUMNS + 4) != 0;
  row->at_ms = sqlite3_column_int64(statement, CA_CHANGE_COLUMNS + 5);
  row->user = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 6);
  row->toolkit = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 7);
  row->alias = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 8);
  row->account = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 9);
  row->id = sqlite3_column_int64(statement, CA_CHANGE_COLUMNS + 10);
  if(!ca_change_is_own(&row->change.change, row->account))
    row->user = row->toolkit = row->alias = NULL;
  row->resolution.who = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 11);
  row->resolution.host = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 12);
  row->resolved_ms = sqlite3_column_int64(statement, CA_CHANGE_COLUMNS + 13);
  row->resolution.reason = ca_ledger_text(statement, CA_CHANGE_COLUMNS + 14);
  row->resolution.outcome = row->change.outcome;
}

void ca_history_open_changes(struct ca_query *query, struct ca_ledger *ledger,
                             const struct ca_history_filter *filter,
                             struct ca_err *err)
{
  bool about = filter->account != NULL;
  int64_t after = filter->after;
  int64_t last = about ? filter->after_ms : INT64_MAX;

  if(!about && filter->selected) {
    last = ca_ledger_change_id(ledger, CA_CHANGE_MAX);
    if(after < ca_ledger_change_id(ledger, 0))
      after = ca_ledger_change_id(ledger, 0);
  }
  if(begin(query, ledger, err))
    query->statement = ca_statement_start(
        ledger, about ? CA_SQL_HISTORY_ACCOUNT : CA_SQL_HISTORY, err,
        about ? "tttiiiiiit" : "tttiiiiii", filter->project, filter->except,
        filter->operation, (int64_t)filter->outcomes,
        (int64_t)filter->previews, filter->since_ms, (int64_t)filter->limit,
        after, last, filter->account);
}

bool ca_history_next_change(struct ca_query *query, struct ca_history_row *row)
{
  if(!next(query))
    return false;
  query->code = ca_change_take(query->ledger, query->statement, &row->change,
                               query->err);
  take_history(query->statement, row);
  return !query->code;
}

enum ca_code ca_history_gather(struct ca_ledger *ledger, const char *account,
                               const char *project, struct ca_err *err)
{
  struct ca_query query;
  int rc = sqlite3_exec(ledger->db,
                        "CREATE TEMP TABLE IF NOT EXISTS about(account TEXT,"
                        " at_ms INTEGER, id INTEGER,"
                        " PRIMARY KEY(account, at_ms, id)) WITHOUT ROWID;"
                        "DELETE FROM temp.about",
                        NULL, NULL, NULL);

  if(rc)
    return ca_statement_fail(ledger, rc, err);
  if(!begin(&query, ledger, err))
    return query.code;
  return ca_statement_write(ledger, CA_SQL_HISTORY_GATHER, err, "tt", account,
                            project);
}

/* What is left of removed runs, and what they can leave. */

#define AFTER_ALL "\x7f" /* sorts behind all ids */

void ca_history_open_pruned(struct ca_query *query, struct ca_ledger *ledger,
                            const char *project, const char *account,
                            const char *after_account, int after_what,
                            int limit, struct ca_err *err)
{
  const char *first = account ? account : "";

  if(begin(query, ledger, err))
    query->statement = ca_statement_start(
        ledger, CA_SQL_PRUNED, err, "ttiti",
        after_account ? after_account : first, account ? account : AFTER_ALL,
        (int64_t)after_what, project, (int64_t)limit);
}

bool ca_history_next_pruned(struct ca_query *query, struct ca_pruned *row)
{
  sqlite3_stmt *statement = query->statement;

  if(!next(query))
    return false;
  *row = (struct ca_pruned){
    .account = ca_ledger_text(statement, 0),
    .what = sqlite3_column_int(statement, 1),
    .outcome = (enum ca_outcome)sqlite3_column_int(statement, 3),
    .at_ms = sqlite3_column_int64(statement, 4),
    .status_before = ca_ledger_text(statement, 5),
    .status_after = ca_ledger_text(statement, 6),
  };
  query->code =
      ca_ledger_operation(query->ledger, sqlite3_column_int64(statement, 2),
                          &row->api, query->err);
  return !query->code;
}

void ca_history_open_reports(struct ca_query *query, struct ca_ledger *ledger,
                             struct ca_err *err)
{
  if(begin(query, ledger, err))
    query->statement = ca_statement_start(ledger, CA_SQL_REPORTS, err, "r");
}

bool ca_history_next_report(struct ca_query *query, const char **path)
{
  if(!next(query))
    return false;
  *path = ca_ledger_text(query->statement, 0);
  return true;
}

enum ca_code ca_history_find_applied(struct ca_ledger *ledger,
                                     const char *digest, char *name,
                                     size_t size, struct ca_err *err)
{
  struct ca_query query;

  name[0] = '\0';
  if(begin(&query, ledger, err))
    query.statement =
        ca_statement_start(ledger, CA_SQL_APPLIED, err, "t", digest);
  if(!query.code && next(&query))
    ca_text_copy(name, size, ca_ledger_text(query.statement, 0));
  return ca_history_close(&query);
}

enum ca_code ca_history_size(struct ca_ledger *ledger, int64_t *used,
                             int64_t *left, struct ca_err *err)
{
  struct ca_query query;

  *used = *left = 0;
  if(begin(&query, ledger, err))
    query.statement = ca_statement_start(ledger, CA_SQL_SIZE, err, "");
  if(next(&query)) {
    *used = sqlite3_column_int64(query.statement, 0);
    *left = sqlite3_column_int64(query.statement, 1);
  }
  return ca_history_close(&query);
}
