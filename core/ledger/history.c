/* Reading earlier runs: the list of runs, a run's sessions, the changes of one
   account.
   Must not know: how changes are sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ledger/ledger_private.h"
#include "base/text.h"

/* Gives the statement of a query over all runs, ready to be stepped. */
static sqlite3_stmt *begin_reading(struct ca_ledger *ledger, enum ca_sql which,
                                   struct ca_err *err)
{
  sqlite3_stmt *statement;

  if(ca_ledger_flush(ledger, -1, err))
    return NULL;
  statement = ca_statement_get(ledger, which, err);
  if(statement && sqlite3_stmt_busy(statement)) {
    ca_err_set(err, CA_USAGE, "the history is already being read");
    return NULL;
  }
  return statement;
}

/* Ends the query, after the last row or when a visitor returned false. */
static enum ca_code end_reading(struct ca_ledger *ledger,
                                sqlite3_stmt *statement, int rc,
                                enum ca_code code, struct ca_err *err)
{
  if(rc != SQLITE_ROW && rc != SQLITE_DONE)
    code = ca_statement_fail(ledger, rc, err);
  sqlite3_reset(statement);
  return code;
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

static void take_run(sqlite3_stmt *statement, struct ca_run_row *run)
{
  const char **texts[] = {
    &run->name,          &run->info.script,  &run->info.word,
    &run->info.cwd,      &run->info.undoes,  &run->info.script_sha,
    &run->info.params,   &run->info.options, &run->info.mode,
    &run->info.who,      &run->info.host,    &run->info.project,
    &run->info.base_url, &run->info.version,
  };
  int at = (int)(sizeof(texts) / sizeof(texts[0]));
  int i;

  memset(run, 0, sizeof(*run));
  for(i = 0; i < at; i++)
    *texts[i] = ca_ledger_text(statement, i);
  run->began_ms = sqlite3_column_int64(statement, at);
  run->ended_ms = sqlite3_column_int64(statement, at + 1);
  run->exit_code = sqlite3_column_type(statement, at + 2) == SQLITE_NULL
                       ? -1
                       : sqlite3_column_int(statement, at + 2);
  run->has_counts =
      read_counts(ca_ledger_text(statement, at + 3), run->changes);
  run->sessions = sqlite3_column_int(statement, at + 4);
  run->sealed = sqlite3_column_int(statement, at + 5) != 0;
  run->id = sqlite3_column_int64(statement, at + 6);
}

enum ca_code
ca_history_runs(struct ca_ledger *ledger, const struct ca_run_filter *filter,
                bool (*visit)(void *ctx, const struct ca_run_row *run),
                void *ctx, struct ca_err *err)
{
  static const struct ca_run_filter all;
  sqlite3_stmt *statement = begin_reading(ledger, CA_SQL_RUNS, err);
  struct ca_run_row run;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  if(!filter)
    filter = &all;
  sqlite3_bind_int64(statement, 1,
                     filter->limit ? (int64_t)filter->limit : -1);
  sqlite3_bind_int64(statement, 2, filter->before);
  ca_statement_bind(statement, 3, filter->name);
  ca_statement_bind(statement, 4, filter->project);
  ca_statement_bind(statement, 5, filter->mode);
  sqlite3_bind_int64(statement, 6, filter->since_ms);
  while((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    take_run(statement, &run);
    if(!visit(ctx, &run))
      break;
  }
  return end_reading(ledger, statement, rc, CA_OK, err);
}

/* Finding a run by a part of its id. */

#define NAMES_LISTED 4

/* Takes the only match, or reports the candidates. */
static enum ca_code choose_run(struct ca_ledger *ledger, const char *text,
                               sqlite3_stmt *statement, char *name,
                               size_t size, struct ca_err *err)
{
  char names[480] = "";
  char said[96];
  bool exact = false;
  int count = 0;
  int rc;

  while(!exact && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *one = ca_ledger_text(statement, 0);
    size_t used = strlen(names);
    exact = sqlite3_column_int(statement, 1) != 0;
    if(!count++)
      ca_err_copy_text(name, size, one, strlen(one));
    if(count <= NAMES_LISTED)
      snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
               one);
  }
  if(!exact && rc != SQLITE_DONE)
    return ca_statement_fail(ledger, rc, err);
  if(exact || count == 1)
    return CA_OK;
  ca_text_printable(said, sizeof(said), text, strlen(text));
  if(!count)
    return ca_err_set(err, CA_USAGE,
                      "there is no run \"%s\"; composio-lua runs lists "
                      "them",
                      said);
  return ca_err_set(err, CA_USAGE,
                    "\"%s\" is not unique, it matches %s%s; give more of "
                    "the id",
                    said, names, count > NAMES_LISTED ? ", …" : "");
}

enum ca_code ca_history_find_run(struct ca_ledger *ledger, const char *text,
                                 char *name, size_t size, struct ca_err *err)
{
  bool last = !strcmp(text, "last");
  sqlite3_stmt *statement =
      begin_reading(ledger, last ? CA_SQL_RUN_LAST : CA_SQL_RUN_NAMED, err);
  enum ca_code code;

  if(size < 96)
    return ca_err_set(err, CA_USAGE, "the buffer for a run's id is too small");
  if(!statement)
    return CA_SYSTEM;
  if(!*text)
    return ca_err_set(err, CA_USAGE, "the run's id is empty");
  if(!last)
    ca_statement_bind(statement, 1, text);
  code = choose_run(ledger, text, statement, name, size, err);
  sqlite3_reset(statement);
  return code;
}

/* Sessions. */

enum ca_code
ca_history_sessions(struct ca_ledger *ledger, const char *name,
                    bool (*visit)(void *ctx, const struct ca_session *session),
                    void *ctx, struct ca_err *err)
{
  sqlite3_stmt *statement = begin_reading(ledger, CA_SQL_SESSIONS, err);
  int rc;

  if(!statement)
    return CA_SYSTEM;
  ca_statement_bind(statement, 1, name);
  while((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    struct ca_session session = {
      .began_ms = sqlite3_column_int64(statement, 0),
      .ended_ms = sqlite3_column_int64(statement, 1),
      .exit_code = sqlite3_column_type(statement, 2) == SQLITE_NULL
                       ? -1
                       : sqlite3_column_int(statement, 2),
      .who = ca_ledger_text(statement, 3),
      .host = ca_ledger_text(statement, 4),
    };
    if(!visit(ctx, &session))
      break;
  }
  return end_reading(ledger, statement, rc, CA_OK, err);
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
}

static void bind_filter(sqlite3_stmt *statement,
                        const struct ca_ledger *ledger,
                        const struct ca_history_filter *filter)
{
  int64_t after = filter->after;
  int64_t last = INT64_MAX;

  ca_statement_bind(statement, 1, filter->project);
  ca_statement_bind(statement, 2, filter->except);
  ca_statement_bind(statement, 3, filter->operation);
  sqlite3_bind_int64(statement, 4, filter->outcomes);
  sqlite3_bind_int(statement, 5, filter->previews);
  sqlite3_bind_int64(statement, 6, filter->since_ms);
  sqlite3_bind_int64(statement, 7, (int64_t)filter->limit);
  if(filter->account) {
    ca_statement_bind(statement, 8, filter->account);
    sqlite3_bind_int64(statement, 9, filter->after_ms);
    sqlite3_bind_int64(statement, 10, after);
    return;
  }
  if(filter->selected) {
    last = ca_ledger_change_id(ledger, CA_CHANGE_MAX);
    if(after < ca_ledger_change_id(ledger, 0))
      after = ca_ledger_change_id(ledger, 0);
  }
  sqlite3_bind_int64(statement, 8, after);
  sqlite3_bind_int64(statement, 9, last);
}

enum ca_code ca_ledger_history(struct ca_ledger *ledger,
                               const struct ca_history_filter *filter,
                               bool (*visit)(void *ctx,
                                             const struct ca_history_row *row),
                               void *ctx, struct ca_err *err)
{
  enum ca_sql which =
      filter->account ? CA_SQL_HISTORY_ACCOUNT : CA_SQL_HISTORY;
  sqlite3_stmt *statement = begin_reading(ledger, which, err);
  struct ca_history_row row;
  enum ca_code code = CA_OK;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  bind_filter(statement, ledger, filter);
  while((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    code = ca_change_take(ledger, statement, &row.change, err);
    if(code)
      break;
    take_history(statement, &row);
    if(!visit(ctx, &row))
      break;
  }
  return end_reading(ledger, statement, rc, code, err);
}

enum ca_code ca_ledger_history_gather(struct ca_ledger *ledger,
                                      const char *account, const char *project,
                                      struct ca_err *err)
{
  sqlite3_stmt *statement;
  int rc = sqlite3_exec(ledger->db,
                        "CREATE TEMP TABLE IF NOT EXISTS about(account TEXT,"
                        " at_ms INTEGER, id INTEGER,"
                        " PRIMARY KEY(account, at_ms, id)) WITHOUT ROWID;"
                        "DELETE FROM temp.about",
                        NULL, NULL, NULL);

  if(rc)
    return ca_statement_fail(ledger, rc, err);
  statement = begin_reading(ledger, CA_SQL_HISTORY_GATHER, err);
  if(!statement)
    return CA_SYSTEM;
  ca_statement_bind(statement, 1, account);
  ca_statement_bind(statement, 2, project);
  rc = ca_statement_run(statement);
  return rc ? ca_statement_fail(ledger, rc, err) : CA_OK;
}
