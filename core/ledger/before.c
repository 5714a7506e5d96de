/* Before-images: how an account must look before a change is carried out, from
   its plan and the run's finished changes.
   Must not know: how accounts are read from the service. */
#include <stdlib.h>
#include <string.h>
#include "ledger/ledger_private.h"
#include "wire/proof.h"

/* Copies a JSON string to `out`; false when the value is not a string, or
   does not fit. */
static bool take_string(struct ca_slice value, char *out, size_t size)
{
  char *text = malloc(value.len + 1);
  int64_t len = text ? ca_json_unescape(value, text) : -1;
  bool fits = len >= 0 && (size_t)len < size;

  if(fits)
    ca_err_copy_text(out, size, text, (size_t)len);
  free(text);
  return fits;
}

/* What the caller wants, and what has been found so far. */
struct before {
  struct ca_before *before_image;
  const struct ca_field *field; /* NULL: no text is wanted */
};

static bool is_field(const struct before *before, struct ca_slice name)
{
  return before->field && ca_slice_is(name, before->field->name);
}

static void set_text(struct ca_before *before_image, const char *text)
{
  size_t len = text ? strlen(text) : 0;

  before_image->has_text = len < sizeof(before_image->text);
  ca_err_copy_text(before_image->text, sizeof(before_image->text),
                   text ? text : "", len);
}

/* Takes a value as replies and bodies write it: null is empty. */
static void take_text(struct ca_before *before_image, enum ca_json_kind kind,
                      struct ca_slice value)
{
  if(kind == CA_JSON_NULL)
    set_text(before_image, NULL);
  else if(kind == CA_JSON_STRING)
    before_image->has_text =
        take_string(value, before_image->text, sizeof(before_image->text));
}

static void set_status(struct ca_before *before_image, const char *status)
{
  ca_text_copy(before_image->status, sizeof(before_image->status), status);
}

/* Members of the change's before_image take precedence over the item's
   columns. */
static void take_members(const struct before *before, const char *json)
{
  struct ca_before *before_image = before->before_image;
  struct ca_json_scan scan = { json, json + strlen(json) };
  struct ca_slice key;
  struct ca_slice value;
  bool first = true;
  bool is_known = false; /* is_disabled */

  if(!ca_json_enter(&scan, '{'))
    return;
  while(ca_json_member(&scan, &first, &key) == 1) {
    enum ca_json_kind kind = ca_json_value(&scan, &value);
    if(ca_slice_is(key, "status") && kind == CA_JSON_STRING) {
      before_image->known |= take_string(value, before_image->status,
                                         sizeof(before_image->status));
      if(!is_known)
        before_image->disabled =
            ca_api_status_is_disabled(before_image->status);
    } else if(ca_slice_is(key, "is_disabled") &&
              (kind == CA_JSON_TRUE || kind == CA_JSON_FALSE)) {
      before_image->known = is_known = true;
      before_image->disabled = kind == CA_JSON_TRUE;
    } else if(is_field(before, key)) {
      before_image->known = true;
      take_text(before_image, kind, value);
    }
  }
}

/* Takes what the plan recorded, from the statement's row. */
static void take_plan(const struct before *wanted, sqlite3_stmt *statement)
{
  struct ca_before *before_image = wanted->before_image;
  const char *status = ca_ledger_text(statement, 0);
  const char *own_before = ca_ledger_text(statement, 4);
  const char *before = ca_ledger_text(statement, 5);
  bool own = sqlite3_column_int(statement, 6) != 0;

  if(own && status) {
    before_image->known = true;
    set_status(before_image, status);
    before_image->disabled =
        (sqlite3_column_int(statement, 1) & CA_ITEM_DISABLED);
    if(wanted->field && (wanted->field->flags & CA_ITEM_KEEPS))
      set_text(before_image, ca_ledger_text(statement, 2));
    before_image->updated_ms = sqlite3_column_int64(statement, 3);
  } else if(before) {
    before_image->known = true;
    set_status(before_image, before);
    before_image->disabled = ca_api_status_is_disabled(before);
  }
  if(own_before)
    take_members(wanted, own_before);
}

/* Applies what a finished change did to the account. A body with
   credentials is not stored, so what else it set is unknown. */
static void take_effect(const struct before *before, const struct ca_api *api,
                        const char *status, const char *body)
{
  struct ca_before *before_image = before->before_image;
  const struct ca_field *field =
      before->field ? ca_api_field(api, before->field->name) : NULL;
  struct ca_slice text = ca_slice_of(body);
  struct ca_slice value;
  enum ca_json_kind kind;

  if(api->becomes)
    status = api->becomes;
  if(status)
    set_status(before_image, status);
  if(api->becomes && api->undo)
    before_image->disabled = ca_api_status_is_disabled(before_image->status);
  if(!field || !field->shown)
    return;
  if(!body) {
    before_image->has_text = false;
    return;
  }
  kind = ca_proof_sent(field, text, &value);
  take_text(before_image, kind, value);
}

static enum ca_code take_effects(struct ca_ledger *ledger,
                                 sqlite3_stmt *statement,
                                 const struct before *before,
                                 struct ca_err *err)
{
  enum ca_code code = CA_OK;

  while(ca_statement_next(ledger, statement, &code, err)) {
    int64_t number = sqlite3_column_int64(statement, 0) & CA_CHANGE_MAX;
    const struct ca_queued_outcome *entry =
        ca_queued_find_outcome(ledger, CA_QUEUED_OF_CHANGE, number);
    const char *status = ca_ledger_text(statement, 3);
    const struct ca_api *api;

    if(entry)
      status = *entry->status_after ? entry->status_after : NULL;
    if((entry ? (int)entry->outcome : sqlite3_column_int(statement, 2)) !=
       CA_DONE)
      continue;
    code = ca_ledger_operation(ledger, sqlite3_column_int64(statement, 1),
                               &api, err);
    if(!code)
      take_effect(before, api, status, ca_ledger_text(statement, 4));
  }
  return code;
}

/* Accounts that several items of the run share. An item names its account,
   but nothing leads from an account to its items, and an index would cost
   every run. So when a run has more than one source, the shared accounts
   are collected once in a temporary table. */

static enum ca_code gather_shared(struct ca_ledger *ledger, struct ca_err *err)
{
  int rc = sqlite3_exec(ledger->db,
                        "CREATE TEMP TABLE IF NOT EXISTS shared(account TEXT,"
                        " item INTEGER, PRIMARY KEY(account, item))"
                        " WITHOUT ROWID; DELETE FROM temp.shared",
                        NULL, NULL, NULL);

  return rc ? ca_statement_fail(ledger, rc, err)
            : ca_statement_write(ledger, CA_SQL_SHARED_ADD, err, "C");
}

static enum ca_code know_shared(struct ca_ledger *ledger, struct ca_err *err)
{
  int64_t shares;
  enum ca_code code;

  if(ledger->shared_known && ledger->shared_items == ledger->items)
    return CA_OK;
  ledger->shared_known = false;
  code = ca_statement_ask(ledger, CA_SQL_SHARES, &shares, err, "IC");
  ledger->has_shared = shares != 0;
  if(!code && ledger->has_shared)
    code = gather_shared(ledger, err);
  ledger->shared_known = !code;
  ledger->shared_items = ledger->items;
  return code;
}

/* Applies what the run has done to the account since the plan read it. A
   later bulk's plan was made after the changes before it were carried out,
   unless the whole run was sealed first, as with a saved plan. */
static enum ca_code add_effects(struct ca_ledger *ledger, int64_t id,
                                const char *account, int64_t sealed_ms,
                                const struct before *before,
                                struct ca_err *err)
{
  sqlite3_stmt *statement;
  enum ca_code code = know_shared(ledger, err);

  if(code || (!ledger->has_shared && (id & CA_PLACE_MAX) == 1))
    return code;
  statement = ca_statement_start(
      ledger, ledger->has_shared ? CA_SQL_EFFECTS_SHARED : CA_SQL_EFFECTS, err,
      "iiti", id, sealed_ms, account, id >> CA_PLACE_BITS);
  return take_effects(ledger, statement, before, err);
}

enum ca_code ca_ledger_before(struct ca_ledger *ledger, int64_t change,
                              const struct ca_field *field,
                              struct ca_before *before_image,
                              struct ca_err *err)
{
  const struct before before = { before_image, field };
  sqlite3_stmt *statement;
  int64_t id = ca_ledger_change_id(ledger, change);
  const char *account;
  enum ca_code code = ca_ledger_flush_rows(ledger, err);

  memset(before_image, 0, sizeof(*before_image));
  if(code)
    return code;
  statement = ca_statement_start(ledger, CA_SQL_BEFORE, err, "i", id);
  if(!ca_statement_next(ledger, statement, &code, err))
    return code ? code
                : ca_err_set(err, CA_USAGE, "the run has no change %lld",
                             (long long)change);
  take_plan(&before, statement);
  account = ca_ledger_text(statement, 7);
  if(before_image->known && account && *account)
    code = add_effects(ledger, id, account, sqlite3_column_int64(statement, 8),
                       &before, err);
  sqlite3_reset(statement);
  return code;
}
