/* The life of a run: begin, select, reopen, end; what a person decides about
   its changes afterwards; its salt.
   Must not know: how changes are sent, what a script is. */
#include <stdio.h>
#include <string.h>
#include "base/digest.h"
#include "base/secret.h"
#include "base/text.h"
#include "ledger/ledger_private.h"

#define NAME_MAX_LEN 48

/* Writes the script's base name without ".lua", reduced to [a-z0-9_];
   "undo" for "undo:RUN". */
static void script_name(const char *script, char *out, size_t size)
{
  const char *base = script ? strrchr(script, '/') : NULL;
  size_t len;
  size_t i;

  base = base ? base + 1 : script ? script : "";
  len = strcspn(base, ":");
  if(len > 4 && !strcmp(base + len - 4, ".lua"))
    len -= 4;
  if(!len) {
    base = "run";
    len = 3;
  }
  if(len >= size)
    len = size - 1;
  for(i = 0; i < len; i++) {
    char c = base[i];
    if(c >= 'A' && c <= 'Z')
      c = (char)(c - 'A' + 'a');
    out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  }
  out[len] = '\0';
}

/* Makes a name such as 2026-11-22T0600-refresh_expired-k3f. */
static enum ca_code make_run_name(const struct ca_ledger *ledger,
                                  const char *script, char *id, size_t size,
                                  struct ca_err *err)
{
  static const char set[] = "0123456789abcdefghjkmnpqrstvwxyz";
  char name[NAME_MAX_LEN + 1];
  char when[32];
  unsigned char chance[3];

  if(ca_digest_random(chance, sizeof(chance)))
    return ca_err_set(err, CA_SYSTEM,
                      "cannot get random bytes from the kernel");
  script_name(script, name, sizeof(name));
  ca_clock_format(ca_clock_wall_ms(ledger->clock), when, sizeof(when));
  snprintf(id, size, "%.13s%.2s-%s-%c%c%c", when, when + 14, name,
           set[chance[0] & 31], set[chance[1] & 31], set[chance[2] & 31]);
  return CA_OK;
}

/* May another run be begun, reopened or selected? */
static enum ca_code check_free(const struct ca_ledger *ledger,
                               struct ca_err *err)
{
  return ledger->run && !ledger->ended
             ? ca_err_set(err, CA_USAGE, "a run has already begun")
             : CA_OK;
}

/* Salts of fingerprints: the state directory's own, or one from a saved
   plan. A salt leaves the database only in a saved plan, encrypted with the
   API key; reports contain fingerprints only. */

/* Reads the salt of the run, if one is open, else that of the state
   directory, if there is one. Runs of schema version 1 have none of their
   own. */
static enum ca_code read_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_start(ledger, CA_SQL_SALT, err, "r");
  enum ca_code code = CA_OK;
  bool there = ca_statement_next(ledger, statement, &code, err) &&
               sqlite3_column_type(statement, 0) != SQLITE_NULL;

  ledger->has_salt =
      there && sqlite3_column_bytes(statement, 0) == CA_SALT_SIZE;
  if(ledger->has_salt)
    memcpy(ledger->salt, sqlite3_column_blob(statement, 0), CA_SALT_SIZE);
  else if(there)
    code = ca_statement_fail(ledger, SQLITE_CORRUPT, err);
  sqlite3_reset(statement);
  return code;
}

/* Adds the state directory's salt in the open transaction, unless another
   process added one first. */
static enum ca_code add_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_get(ledger, CA_SQL_SALT_ADD, err);
  unsigned char salt[CA_SALT_SIZE];

  if(ca_digest_random(salt, sizeof(salt)))
    return ca_err_set(err, CA_SYSTEM,
                      "cannot get random bytes from the kernel");
  if(statement)
    sqlite3_bind_blob(statement, 1, salt, sizeof(salt), SQLITE_STATIC);
  return ca_statement_finish(ledger, statement, err);
}

/* Sets the salt of a run that begins, in the open transaction. */
static enum ca_code begin_salt(struct ca_ledger *ledger,
                               const unsigned char *brought,
                               struct ca_err *err)
{
  enum ca_code code = CA_OK;

  if(brought) {
    memcpy(ledger->salt, brought, CA_SALT_SIZE);
    ledger->has_salt = true;
    return CA_OK;
  }
  code = read_salt(ledger, err);
  if(!code && !ledger->has_salt)
    code = add_salt(ledger, err);
  if(!code && !ledger->has_salt)
    code = read_salt(ledger, err);
  return code;
}

/* Reads the salt, and makes one if there is none yet. */
static enum ca_code find_salt(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code = CA_OK;
  bool ours = !ledger->in_txn;

  if(ledger->has_salt)
    return CA_OK;
  code = ca_ledger_flush_rows(ledger, err);
  if(!code)
    code = read_salt(ledger, err);
  if(code || ledger->has_salt)
    return code;
  code = ca_ledger_check_writer(ledger, err);
  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  code = ca_ledger_undo_txn(ledger, begin_salt(ledger, NULL, err), err);
  return !code && ours ? ca_ledger_sync(ledger, err) : code;
}

enum ca_code ca_run_salt(struct ca_ledger *ledger,
                         unsigned char salt[CA_SALT_SIZE], struct ca_err *err)
{
  enum ca_code code = find_salt(ledger, err);

  if(!code)
    memcpy(salt, ledger->salt, CA_SALT_SIZE);
  return code;
}

enum ca_code ca_run_fingerprint(struct ca_ledger *ledger, const char *text,
                                size_t len, char *out, size_t size,
                                struct ca_err *err)
{
  char hex[CA_DIGEST_SIZE];
  enum ca_code code;

  if(size < 33)
    return ca_err_set(err, CA_USAGE,
                      "the buffer for a fingerprint is too small");
  code = find_salt(ledger, err);
  if(code)
    return code;
  ca_digest_keyed(ledger->salt, sizeof(ledger->salt), text, len, hex);
  ca_err_copy_text(out, size, hex, 32);
  return CA_OK;
}

/* Sets a text of the open run. */
static enum ca_code keep(struct ca_ledger *ledger, enum ca_sql which,
                         const char *text, struct ca_err *err)
{
  enum ca_code code = ca_ledger_usable(ledger, err);

  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(!code)
    code = ca_statement_write(ledger, which, err, "rt", text);
  return code ? code : ca_ledger_sync(ledger, err);
}

enum ca_code ca_run_keep_plan(struct ca_ledger *ledger, const char *digest,
                              struct ca_err *err)
{
  return keep(ledger, CA_SQL_RUN_PLAN, digest, err);
}

enum ca_code ca_run_keep_needs(struct ca_ledger *ledger, const char *needs,
                               struct ca_err *err)
{
  return keep(ledger, CA_SQL_RUN_NEEDS, needs, err);
}

enum ca_code ca_run_keep_refusal(struct ca_ledger *ledger, const char *why,
                                 struct ca_err *err)
{
  char text[640];

  ca_text_copy(text, sizeof(text), why ? why : "");
  ca_secret_mask(text, strlen(text));
  return keep(ledger, CA_SQL_RUN_REFUSAL, ca_text_or_null(text), err);
}

enum ca_code ca_run_keep_left(struct ca_ledger *ledger, int64_t pending,
                              bool unwritten, struct ca_err *err)
{
  enum ca_code code = ca_ledger_usable(ledger, err);

  if(!code)
    code = ca_ledger_txn(ledger, err);
  return code ? code
              : ca_statement_write(ledger, CA_SQL_RUN_LEFT, err, "rii",
                                   pending, (int64_t)unwritten);
}

enum ca_code ca_run_note_report(struct ca_ledger *ledger, const char *path,
                                struct ca_err *err)
{
  return keep(ledger, CA_SQL_REPORT_ADD, path, err);
}

/* The beginning. */

/* Inserts the run in the open transaction; *added is false when the name is
   taken. */
static enum ca_code add_run(struct ca_ledger *ledger,
                            const struct ca_run_info *info, const char *id,
                            bool *added, struct ca_err *err)
{
  sqlite3_stmt *statement = ca_statement_start(
      ledger, CA_SQL_RUN_ADD, err, "itttttttttttttttt",
      ca_clock_wall_ms(ledger->clock), id, info->script, info->script_sha,
      info->params, info->options, info->mode, info->who, info->host,
      info->project, info->base_url, info->version, info->word, info->cwd,
      info->undoes, info->plan, info->redoes);
  enum ca_code code;

  if(statement)
    sqlite3_bind_blob(statement, 18, ledger->salt, sizeof(ledger->salt),
                      SQLITE_STATIC);
  code = ca_statement_finish(ledger, statement, err);
  *added = !code && sqlite3_changes(ledger->db) == 1;
  return code;
}

static enum ca_code add_session(struct ca_ledger *ledger, const char *who,
                                const char *host, struct ca_err *err)
{
  return ca_statement_write(ledger, CA_SQL_SESSION_ADD, err, "ritt",
                            ca_clock_wall_ms(ledger->clock), who, host);
}

static void forget_run(struct ca_ledger *ledger)
{
  ledger->run = 0;
  ledger->ended = false;
  ledger->items = 0;
  ca_hashset_clear(&ledger->keys);
  ledger->item = 0;
  ledger->bulk = 0;
  ledger->last_change = 0;
  ledger->has_account = false;
  ledger->has_salt = false;
  ledger->counted = false;
  ledger->has_verdicts = true;
  ledger->found_item = 0;
  ledger->shared_known = false;
}

/* Inserts the run under a unique name, in the open transaction. */
static enum ca_code name_run(struct ca_ledger *ledger,
                             const struct ca_run_info *info, char *id,
                             size_t size, struct ca_err *err)
{
  bool added = false;
  enum ca_code code = CA_OK;
  int tries;

  for(tries = 0; !code && !added && tries < 100; tries++) {
    code = make_run_name(ledger, info->script, id, size, err);
    if(!code)
      code = add_run(ledger, info, id, &added, err);
  }
  if(code)
    return code;
  if(!added)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s has no free run id in this minute",
                      ledger->path);
  if(sqlite3_last_insert_rowid(ledger->db) > CA_RUN_MAX)
    return ca_err_set(err, CA_SYSTEM,
                      "the ledger %s is full of runs: give another state "
                      "directory",
                      ledger->path);
  ledger->run = sqlite3_last_insert_rowid(ledger->db);
  return CA_OK;
}

/* Finishes begin and reopen: either the run is on disk, or no run is open. */
static enum ca_code end_opening(struct ca_ledger *ledger, enum ca_code code,
                                struct ca_err *err)
{
  if(!code)
    code = ca_ledger_sync(ledger, err);
  ca_ledger_undo_txn(ledger, code, err);
  if(code)
    forget_run(ledger);
  return code;
}

enum ca_code ca_run_begin(struct ca_ledger *ledger,
                          const struct ca_run_info *info, char *id,
                          size_t size, struct ca_err *err)
{
  enum ca_code code = check_free(ledger, err);

  if(!code)
    code = ca_ledger_check_writer(ledger, err);
  if(code)
    return code;
  if(size < 96)
    return ca_err_set(err, CA_USAGE, "the buffer for a run's id is too small");
  forget_run(ledger);
  code = ca_ledger_txn(ledger, err);
  if(!code)
    code = begin_salt(ledger, info->salt, err);
  if(!code)
    code = name_run(ledger, info, id, size, err);
  if(!code)
    code = add_session(ledger, info->who, info->host, err);
  ledger->applies = info->mode && !strcmp(info->mode, "apply");
  ledger->has_verdicts = false;
  return end_opening(ledger, code, err);
}

/* Selects the run with that name. */
static enum ca_code find_run(struct ca_ledger *ledger, const char *name,
                             struct ca_err *err)
{
  sqlite3_stmt *statement =
      ca_statement_start(ledger, CA_SQL_RUN_FIND, err, "t", name);
  enum ca_code code = CA_OK;

  if(!ca_statement_next(ledger, statement, &code, err))
    return code ? code
                : ca_err_set(err, CA_USAGE, "the ledger %s has no run %.200s",
                             ledger->path, name);
  ledger->run = sqlite3_column_int64(statement, 0);
  ledger->applies = sqlite3_column_int(statement, 1) != 0;
  sqlite3_reset(statement);
  return CA_OK;
}

enum ca_code ca_run_select(struct ca_ledger *ledger, const char *name,
                           struct ca_err *err)
{
  enum ca_code code = check_free(ledger, err);

  if(code)
    return code;
  forget_run(ledger);
  code = find_run(ledger, name, err);
  ledger->ended = !code;
  return code;
}

/* No change of a bulk is sent before its plan is sealed. If one was sent
   all the same, the plan must not be deleted. */
static enum ca_code check_unsealed(struct ca_ledger *ledger, const char *name,
                                   struct ca_err *err)
{
  int64_t sent;
  enum ca_code code =
      ca_statement_ask(ledger, CA_SQL_UNSEALED_SENT, &sent, err, "Cr");

  if(code || !sent)
    return code;
  return ca_err_set(err, CA_SYSTEM,
                    "the ledger %s holds changes of run %s that were sent "
                    "although their plan is not sealed: the run cannot be "
                    "resumed; inspect it with show",
                    ledger->path, name);
}

/* Deletes the rows of unsealed bulks and reopens the rest, so that the run
   can be resumed. */
static enum ca_code reopen_rows(struct ca_ledger *ledger, struct ca_err *err)
{
  enum ca_code code =
      ca_statement_write(ledger, CA_SQL_UNSEALED_OUTCOMES, err, "Cr");

  if(!code)
    code = ca_statement_write(ledger, CA_SQL_UNSEALED_CHANGES, err, "Cr");
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_UNSEALED_TAGS, err, "Ir");
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_UNSEALED_ITEMS, err, "Ir");
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_RETRY_DROP, err, "C");
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_RUN_UNKNOWN, err, "C");
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_RUN_REOPEN, err, "r");
  return code;
}

/* Straight-line items are kept, so their keys are remembered. Planning
   continues with new bulks, whose keys are separate. */
static enum ca_code remember_keys(struct ca_ledger *ledger, struct ca_err *err)
{
  sqlite3_stmt *statement =
      ca_statement_start(ledger, CA_SQL_SINGLE_KEYS, err, "I");
  enum ca_code code = CA_OK;
  bool known;

  while(ca_statement_next(ledger, statement, &code, err)) {
    struct ca_item item = { .key = ca_ledger_text(statement, 0) };
    code = ca_plan_rows_remember_key(ledger, &item, &known, err);
  }
  return code;
}

static enum ca_code find_last_item(struct ca_ledger *ledger,
                                   struct ca_err *err)
{
  enum ca_code code =
      ca_statement_ask(ledger, CA_SQL_ITEM_LAST, &ledger->items, err, "I");

  ledger->items &= CA_ITEM_MAX;
  return code;
}

enum ca_code ca_run_reopen(struct ca_ledger *ledger, const char *name,
                           const char *who, const char *host,
                           struct ca_err *err)
{
  enum ca_code code = check_free(ledger, err);

  if(!code)
    code = ca_ledger_check_writer(ledger, err);
  if(code)
    return code;
  forget_run(ledger);
  code = ca_ledger_txn(ledger, err);
  if(!code)
    code = find_run(ledger, name, err);
  if(!code && !ledger->applies)
    code = ca_err_set(err, CA_USAGE,
                      "run %s was a preview: it changed nothing, so there is "
                      "nothing to resume",
                      name);
  if(!code)
    code = check_unsealed(ledger, name, err);
  if(!code)
    code = reopen_rows(ledger, err);
  if(!code)
    code = add_session(ledger, who, host, err);
  if(!code)
    code = find_last_item(ledger, err);
  if(!code)
    code = remember_keys(ledger, err);
  return end_opening(ledger, code, err);
}

/* Ending a run. */

#define COUNTS_SIZE (CA_OUTCOME_COUNT * 21 + 2)

/* "[0,0,3,812,0,0,0,0,0,0]", in the order of enum ca_outcome. */
static void format_counts(const struct ca_ledger *ledger, char *out,
                          size_t size)
{
  size_t used = 0;
  int i;

  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? "," : "[",
                             (long long)ledger->counts[i]);
  snprintf(out + used, size - used, "]");
}

/* Marks changes that are still planned as not tried, and intents without an
   outcome as unknown, since no reply is awaited any more. */
static enum ca_code close_rest(struct ca_ledger *ledger, struct ca_err *err)
{
  int64_t *counts = ledger->counts;
  enum ca_code code = CA_OK;

  if(ledger->applies && ledger->has_verdicts) {
    ledger->counted = false;
    code = ca_statement_write(ledger, CA_SQL_RETRY_DROP, err, "C");
  }
  if(!code)
    code = ca_ledger_count_changes(ledger, err);
  if(code || !ledger->applies || (!counts[CA_PLANNED] && !counts[CA_INTENDED]))
    return code;
  counts[CA_NOT_TRIED] += counts[CA_PLANNED];
  counts[CA_UNKNOWN] += counts[CA_INTENDED];
  counts[CA_PLANNED] = counts[CA_INTENDED] = 0;
  ledger->counted = false; /* this does not update the tally */
  return ca_statement_write(ledger, CA_SQL_RUN_REST, err, "C");
}

enum ca_code ca_run_end(struct ca_ledger *ledger, int exit_code,
                        struct ca_err *err)
{
  char counts[COUNTS_SIZE];
  int64_t now_ms = ca_clock_wall_ms(ledger->clock);
  enum ca_code code = ca_ledger_open_run(ledger, err);

  if(code)
    return code;
  /* commit queued outcomes before looking for changes without one */
  code = ca_ledger_sync(ledger, err);
  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(!code)
    code = close_rest(ledger, err);
  format_counts(ledger, counts, sizeof(counts));
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_RUN_END, err, "riit", now_ms,
                              (int64_t)exit_code, counts);
  if(!code)
    code = ca_statement_write(ledger, CA_SQL_SESSION_END, err, "rii", now_ms,
                              (int64_t)exit_code);
  if(!code)
    code = ca_ledger_sync(ledger, err);
  ledger->ended = !code;
  return ca_ledger_undo_txn(ledger, code, err);
}

/* Resolving. */

static enum ca_code check_unknown(struct ca_ledger *ledger, int64_t number,
                                  struct ca_err *err)
{
  struct ca_changes changes;
  const struct ca_change_row *row;
  enum ca_code code;

  ca_changes_open_one(&changes, ledger, number);
  code = ca_changes_next(&changes, &row, err);
  if(!code && !row)
    code = ca_err_set(err, CA_USAGE, "the run has no change %lld",
                      (long long)number);
  else if(!code && row->outcome != CA_UNKNOWN && row->outcome != CA_INTENDED)
    code = ca_err_set(err, CA_USAGE,
                      "change %lld is %s: only an unknown change can be "
                      "resolved",
                      (long long)number, ca_change_outcome_name(row->outcome));
  ca_changes_close(&changes);
  return code;
}

static enum ca_code write_resolution(struct ca_ledger *ledger, int64_t number,
                                     const struct ca_resolution *resolution,
                                     struct ca_err *err)
{
  char counts[COUNTS_SIZE];
  int64_t id = ca_ledger_change_id(ledger, number);
  int64_t now_ms = ca_clock_wall_ms(ledger->clock);
  enum ca_code code =
      ca_statement_write(ledger, CA_SQL_OUTCOME_RESOLVE, err, "iii", id,
                         (int64_t)resolution->outcome, now_ms);

  if(!code)
    code = ca_statement_write(ledger, CA_SQL_RESOLUTION_ADD, err, "iiittt", id,
                              (int64_t)resolution->outcome, now_ms,
                              resolution->who, resolution->host,
                              resolution->reason);
  ledger->counted = false;
  if(!code)
    code = ca_ledger_count_changes(ledger, err);
  if(code)
    return code;
  format_counts(ledger, counts, sizeof(counts));
  return ca_statement_write(ledger, CA_SQL_RUN_COUNTS, err, "rt", counts);
}

enum ca_code ca_run_resolve(struct ca_ledger *ledger, int64_t change,
                            const struct ca_resolution *resolution,
                            struct ca_err *err)
{
  enum ca_code code = ca_ledger_has_run(ledger, err);

  if(!code)
    code = ca_ledger_check_writer(ledger, err);
  if(!code && !ledger->applies)
    code = ca_err_set(err, CA_USAGE, "the run was a preview");
  if(!code)
    code = ca_ledger_txn(ledger, err);
  if(code)
    return code;
  code = check_unknown(ledger, change, err);
  if(!code)
    code = write_resolution(ledger, change, resolution, err);
  if(!code)
    code = ca_ledger_sync(ledger, err);
  return ca_ledger_undo_txn(ledger, code, err);
}
