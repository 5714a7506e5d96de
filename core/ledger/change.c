/* Reading changes back: from a statement's row, as copied rows, and by the
   cursor over them.
   Must not know: how changes are sent. */
#include <stdlib.h>
#include <string.h>
#include "ledger/ledger_private.h"

/* Rows in the first batch and in later ones: many readers need only the
   first few. */
#define FIRST_ROWS 16
#define MORE_ROWS  128
/* Average bytes reserved for a row's texts; a batch ends when the space is
   used up. */
#define ROW_TEXTS 256

const char *ca_change_outcome_name(enum ca_outcome outcome)
{
  static const char *const names[CA_OUTCOME_COUNT] = {
    "planned", "intended", "not tried", "done",  "same",
    "failed",  "skipped",  "unknown",   "stale", "pending"
  };
  return (unsigned)outcome < CA_OUTCOME_COUNT ? names[outcome] : "unknown";
}

const char *ca_change_outcome_key(enum ca_outcome outcome)
{
  return outcome == CA_NOT_TRIED ? "not_tried"
                                 : ca_change_outcome_name(outcome);
}

unsigned ca_change_outcome_set(const char *key)
{
  int i;
  for(i = 0; key && i < CA_OUTCOME_COUNT; i++)
    if(!strcmp(key, ca_change_outcome_key((enum ca_outcome)i)))
      return 1u << i;
  return CA_ANY_OUTCOME;
}

/* Copies of rows. */

/* The row's texts, in the order of CHANGE_ROW's last columns. */
#define AT(member) offsetof(struct ca_change_row, member)
static const size_t texts[] = {
  AT(change.account),      AT(change.user),  AT(change.config),
  AT(change.query),        AT(change.body),  AT(change.fingerprint),
  AT(change.reason),       AT(change.line),  AT(change.before),
  AT(change.before_image), AT(key),          AT(error),
  AT(request_id),          AT(status_after), AT(made),
};
#define TEXTS   (int)(sizeof(texts) / sizeof(texts[0]))
#define NUMBERS (CA_CHANGE_COLUMNS - TEXTS)

static const char **text_of(struct ca_change_row *row, int i)
{
  return (const char **)(void *)((char *)row + texts[i]);
}

size_t ca_change_row_copy(struct ca_change_row *to,
                          const struct ca_change_row *row, char *texts_to,
                          size_t room)
{
  size_t used = 0;
  int i;

  *to = *row;
  for(i = 0; i < TEXTS; i++) {
    const char **text = text_of(to, i);
    size_t len = *text ? strlen(*text) + 1 : 0;

    if(len && texts_to && used + len <= room) {
      memcpy(texts_to + used, *text, len);
      *text = texts_to + used;
    }
    used += len;
  }
  return used;
}

size_t ca_change_row_size(const struct ca_change_row *row)
{
  struct ca_change_row ignored;

  return ca_change_row_copy(&ignored, row, NULL, 0);
}

/* Rows of a statement. */

enum ca_code ca_change_take(struct ca_ledger *ledger, sqlite3_stmt *statement,
                            struct ca_change_row *row, struct ca_err *err)
{
  struct ca_change *change = &row->change;
  int texts_given = sqlite3_data_count(statement) - NUMBERS;
  int i;

  memset(row, 0, sizeof(*row));
  row->number = sqlite3_column_int64(statement, 0) & CA_CHANGE_MAX;
  row->item = row->number >> CA_PLACE_BITS;
  change->cost = (enum ca_class)sqlite3_column_int(statement, 2);
  row->outcome = (enum ca_outcome)sqlite3_column_int(statement, 3);
  change->outcome = row->outcome;
  change->fallback = sqlite3_column_int(statement, 4) != 0;
  row->sent_ms = sqlite3_column_int64(statement, 5);
  for(i = 0; i < TEXTS && i < texts_given; i++)
    *text_of(row, i) = ca_ledger_text(statement, NUMBERS + i);
  return ca_ledger_operation(ledger, sqlite3_column_int64(statement, 1),
                             &change->api, err);
}

/* The cursor. */

void ca_changes_open(struct ca_changes *changes, struct ca_ledger *ledger,
                     int bulk, unsigned outcomes)
{
  memset(changes, 0, sizeof(*changes));
  changes->ledger = ledger;
  changes->bulk = bulk;
  changes->outcomes = outcomes;
  changes->last = CA_CHANGE_MAX;
}

void ca_changes_open_item(struct ca_changes *changes, struct ca_ledger *ledger,
                          int64_t item, int64_t after)
{
  int64_t before = item << CA_PLACE_BITS;

  ca_changes_open(changes, ledger, -1, CA_ANY_OUTCOME);
  changes->after = after > before ? after : before;
  changes->last = before + CA_PLACE_MAX;
}

void ca_changes_open_one(struct ca_changes *changes, struct ca_ledger *ledger,
                         int64_t number)
{
  ca_changes_open(changes, ledger, -1, CA_ANY_OUTCOME);
  changes->after = number - 1;
  changes->last = number;
}

void ca_changes_close(struct ca_changes *changes)
{
  free(changes->rows);
  free(changes->texts);
  memset(changes, 0, sizeof(*changes));
  changes->ended = true;
}

/* Makes room for another batch and empties it. */
static enum ca_code make_room(struct ca_changes *changes, struct ca_err *err)
{
  size_t size = changes->size ? MORE_ROWS : FIRST_ROWS;

  changes->count = 0;
  changes->next = 0;
  if(changes->size == size)
    return CA_OK;
  free(changes->rows);
  free(changes->texts);
  changes->rows = malloc(size * sizeof(*changes->rows));
  changes->texts = malloc(size * ROW_TEXTS);
  changes->size = size;
  changes->texts_size = size * ROW_TEXTS;
  return changes->rows && changes->texts
             ? CA_OK
             : ca_err_set(err, CA_NOMEM, "out of memory");
}

/* Copies the row into the batch; *full when its texts do not fit. The
   buffer grows for the first row of a batch. */
static enum ca_code keep_row(struct ca_changes *changes,
                             const struct ca_change_row *row, size_t *used,
                             bool *full, struct ca_err *err)
{
  struct ca_change_row *to = &changes->rows[changes->count];
  size_t room = changes->texts_size - *used;
  size_t size = ca_change_row_copy(to, row, changes->texts + *used, room);

  *full = size > room;
  if(*full && changes->count)
    return CA_OK;
  if(*full) {
    free(changes->texts);
    changes->texts = malloc(size);
    changes->texts_size = size;
    *full = false;
    if(!changes->texts)
      return ca_err_set(err, CA_NOMEM, "out of memory");
    ca_change_row_copy(to, row, changes->texts, size);
  }
  changes->count++;
  *used += size;
  changes->after = row->number;
  return CA_OK;
}

/* Steps through the batch's rows; the caller resets the statement. */
static enum ca_code read_rows(struct ca_changes *changes,
                              sqlite3_stmt *statement, struct ca_err *err)
{
  struct ca_ledger *ledger = changes->ledger;
  struct ca_change_row row;
  enum ca_code code = CA_OK;
  size_t used = 0;
  bool full = false;

  while(!full && ca_statement_next(ledger, statement, &code, err)) {
    code = ca_change_take(ledger, statement, &row, err);
    if(!code)
      code = keep_row(changes, &row, &used, &full, err);
  }
  changes->ended = !full && changes->count < changes->size;
  return code;
}

static enum ca_code read_batch(struct ca_changes *changes, struct ca_err *err)
{
  struct ca_ledger *ledger = changes->ledger;
  int64_t after = ca_ledger_change_id(ledger, changes->after);
  int64_t last = ca_ledger_change_id(ledger, changes->last);
  int64_t any_sent;
  sqlite3_stmt *statement;
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = make_room(changes, err);
  if(!code)
    code = ca_ledger_flush(ledger, changes->after, err);
  if(!code)
    code = ca_statement_ask(ledger, CA_SQL_ANY_SENT, &any_sent, err, "ii",
                            after, last);
  if(code)
    return code;
  statement = ca_statement_start(
      ledger, any_sent ? CA_SQL_CHANGES : CA_SQL_CHANGES_FRESH, err, "iiiii",
      after, last, (int64_t)changes->outcomes, (int64_t)changes->bulk,
      (int64_t)changes->size);
  code = read_rows(changes, statement, err);
  sqlite3_reset(statement);
  return code;
}

enum ca_code ca_changes_next(struct ca_changes *changes,
                             const struct ca_change_row **row,
                             struct ca_err *err)
{
  enum ca_code code = CA_OK;

  *row = NULL;
  if(changes->next == changes->count && !changes->ended) {
    code = read_batch(changes, err);
    if(code) {
      changes->count = changes->next = 0;
      changes->ended = true;
    }
  }
  if(!code && changes->next < changes->count)
    *row = &changes->rows[changes->next++];
  return code;
}

bool ca_change_is_own(const struct ca_change *change, const char *account)
{
  return !change->account || !*change->account || !account ||
         !strcmp(change->account, account);
}
