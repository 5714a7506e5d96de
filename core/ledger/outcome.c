/* Intents and outcomes. An intent is on disk when ca_outcome_intend returns.
   Outcomes wait in memory and are committed with the next intent, so that a
   group pays one sync and no lock is held while requests are in flight. A
   change whose outcome was lost in a crash reads as unknown afterwards.
   Must not know: how changes are sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ledger/ledger_private.h"
#include "base/secret.h"

/* Gives the next free queued outcome; first commits the queued ones when
   there are many, or when the first has waited long. */
static enum ca_code new_outcome(struct ca_ledger *ledger,
                                struct ca_queued_outcome **entry,
                                struct ca_err *err)
{
  enum ca_code code = ca_ledger_open_run(ledger, err);

  if(!code && ca_queued_outcomes_due(ledger))
    code = ca_ledger_sync(ledger, err);
  if(code)
    return code;
  ledger->counted = false;
  if(!ledger->outcome_count)
    ledger->outcome_ms = ca_clock_mono_ms(ledger->clock);
  *entry = &ledger->outcomes[ledger->outcome_count];
  memset(*entry, 0, sizeof(**entry));
  return CA_OK;
}

#define TEXT_SIZE 1024

/* Copies the text, masked and cut at a character boundary; the caller frees
   it. */
static char *copy_text(const char *text)
{
  size_t len = strlen(text);
  size_t size = len < TEXT_SIZE ? len + 1 : TEXT_SIZE;
  char *copy = malloc(size);

  if(copy) {
    ca_err_copy_text(copy, size, text, len);
    ca_secret_mask(copy, strlen(copy));
  }
  return copy;
}

static enum ca_code keep_text(struct ca_queued_outcome *entry,
                              const char *text, struct ca_err *err)
{
  entry->text = text && *text ? copy_text(text) : NULL;
  return text && *text && !entry->text
             ? ca_err_set(err, CA_NOMEM, "out of memory")
             : CA_OK;
}

enum ca_code ca_outcome_record_item(struct ca_ledger *ledger, int64_t item,
                                    enum ca_outcome outcome,
                                    const char *detail, struct ca_err *err)
{
  struct ca_queued_outcome *entry;
  enum ca_code code = new_outcome(ledger, &entry, err);

  if(!code)
    code = keep_text(entry, detail, err);
  if(code)
    return code;
  ledger->has_verdicts = true;
  entry->kind = CA_QUEUED_OF_ITEM;
  entry->number = item;
  entry->outcome = outcome;
  ledger->outcome_count++;
  return CA_OK;
}

enum ca_code ca_outcome_tag(struct ca_ledger *ledger, int64_t item,
                            const char *tag, struct ca_err *err)
{
  struct ca_queued_outcome *entry;
  enum ca_code code = new_outcome(ledger, &entry, err);

  if(!code)
    code = keep_text(entry, tag, err);
  if(code)
    return code;
  entry->kind = CA_QUEUED_TAG;
  entry->number = item;
  ledger->outcome_count++;
  return CA_OK;
}

enum ca_code ca_outcome_of_item(struct ca_ledger *ledger, int64_t item,
                                enum ca_outcome *verdict, struct ca_err *err)
{
  const struct ca_queued_outcome *queued =
      ca_queued_find_outcome(ledger, CA_QUEUED_OF_ITEM, item);
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_flush_rows(ledger, err);

  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_ITEM_VERDICT, err, "i",
                                 ca_ledger_item_id(ledger, item));
  if(!ca_statement_next(ledger, statement, &code, err))
    return code ? code
                : ca_err_set(err, CA_USAGE, "the run has no item %lld",
                             (long long)item);
  *verdict = queued ? queued->outcome
                    : (enum ca_outcome)sqlite3_column_int(statement, 0);
  sqlite3_reset(statement);
  return CA_OK;
}

enum ca_code ca_outcome_record(struct ca_ledger *ledger, int64_t change,
                               enum ca_outcome outcome, int attempts,
                               const char *request_id,
                               const char *status_after, const char *made,
                               const struct ca_err *cause, struct ca_err *err)
{
  struct ca_queued_outcome *entry;
  enum ca_code code = new_outcome(ledger, &entry, err);

  if(!code && cause)
    code = keep_text(entry, cause->text, err);
  if(code)
    return code;
  if(made && *made) { /* an id is never cut */
    entry->made = strdup(made);
    if(!entry->made) {
      free(entry->text);
      entry->text = NULL;
      return ca_err_set(err, CA_NOMEM, "out of memory");
    }
  }
  entry->number = change;
  entry->outcome = outcome;
  entry->attempts = attempts < 0 ? 0 : attempts;
  entry->at_ms = ca_clock_wall_ms(ledger->clock);
  if(request_id)
    ca_text_copy(entry->request_id, sizeof(entry->request_id), request_id);
  if(status_after)
    ca_text_copy(entry->status_after, sizeof(entry->status_after),
                 status_after);
  if(cause) {
    entry->http = cause->status;
    ca_text_copy(entry->slug, sizeof(entry->slug), cause->slug);
  }
  ledger->outcome_count++;
  return CA_OK;
}

/* Writes the intents of several changes, or of one. A second intent would
   mean a second request: the table's primary key refuses it. */
static enum ca_code write_intents(struct ca_ledger *ledger, enum ca_sql which,
                                  const int64_t *changes, size_t count,
                                  int64_t at_ms, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_get(ledger, which, err);
  size_t i;
  int rc;

  if(!statement)
    return CA_SYSTEM;
  sqlite3_bind_int64(statement, 1, at_ms);
  for(i = 0; i < count; i++)
    sqlite3_bind_int64(statement, (int)i + 2,
                       ca_ledger_change_id(ledger, changes[i]));
  rc = ca_statement_run(statement);
  if(rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID)
    return ca_err_set(err, CA_USAGE, "change %lld%s was already sent",
                      (long long)changes[0],
                      count > 1 ? " or one after it" : "");
  return rc ? ca_statement_fail(ledger, rc, err) : CA_OK;
}

/* Commits the transaction with its intents: they are either on disk or
   rolled back. */
static enum ca_code end_intents(struct ca_ledger *ledger, enum ca_code code,
                                struct ca_err *err)
{
  ledger->counted = false;
  return code ? ca_ledger_undo_txn(ledger, code, err)
              : ca_ledger_sync(ledger, err);
}

enum ca_code ca_outcome_note_sent(struct ca_ledger *ledger, int64_t change,
                                  const struct ca_sent *sent,
                                  struct ca_err *err)
{
  enum ca_code code = ca_ledger_usable(ledger, err);

  if(!code)
    code = ca_ledger_txn(ledger, err);
  return code ? code
              : ca_statement_write(ledger, CA_SQL_SENT_ADD, err, "inttn",
                                   ca_ledger_change_id(ledger, change),
                                   sent->service_ms, sent->ids,
                                   ca_text_or_null(sent->status),
                                   sent->updated_ms);
}

enum ca_code ca_outcome_intend(struct ca_ledger *ledger,
                               const int64_t *changes, size_t count,
                               struct ca_err *err)
{
  int64_t at_ms = ca_clock_wall_ms(ledger->clock);
  enum ca_code code = ca_ledger_usable(ledger, err);
  size_t i = 0;

  if(code)
    return code;
  code = ca_ledger_txn(ledger, err);
  while(!code && i < count) {
    size_t many = count - i >= CA_INTEND_ROWS ? CA_INTEND_ROWS : 1;
    code = write_intents(
        ledger, many > 1 ? CA_SQL_CHANGES_INTEND : CA_SQL_CHANGE_INTEND,
        changes + i, many, at_ms, err);
    i += many;
  }
  return end_intents(ledger, code, err);
}

/* Is an outcome of one of these changes queued? */
static bool has_queued(const struct ca_ledger *ledger, const int64_t *changes,
                       size_t count)
{
  size_t i;

  for(i = 0; i < count; i++)
    if(ca_queued_find_outcome(ledger, CA_QUEUED_OF_CHANGE, changes[i]))
      return true;
  return false;
}

enum ca_code ca_outcome_reintend(struct ca_ledger *ledger,
                                 const int64_t *changes, size_t count,
                                 struct ca_err *err)
{
  int64_t at_ms = ca_clock_wall_ms(ledger->clock);
  enum ca_code code = ca_ledger_usable(ledger, err);
  size_t i;

  /* a queued outcome that is written after its row was deleted would end a
     change that is being sent again */
  if(!code && has_queued(ledger, changes, count))
    code = ca_ledger_sync(ledger, err);
  if(code)
    return code;
  code = ca_ledger_txn(ledger, err);
  for(i = 0; !code && i < count; i++) {
    code = ca_statement_write(ledger, CA_SQL_CHANGE_REOPEN, err, "i",
                              ca_ledger_change_id(ledger, changes[i]));
    if(!code)
      code = write_intents(ledger, CA_SQL_CHANGE_REINTEND, changes + i, 1,
                           at_ms, err);
  }
  return end_intents(ledger, code, err);
}
