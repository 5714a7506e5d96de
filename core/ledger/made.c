/* Which accounts the ledger's own creates have made. There is no index for it:
   it is asked for creates of unknown outcome alone, and of the runs that were
   under way since then.
   Must not know: how they are found. */
#include "ledger/made.h"
#include "ledger/ledger_private.h"

/* A part that has no end goes on, or died. */
static const char made_by[] =
    "SELECT EXISTS (SELECT 1 FROM part p JOIN outcome o"
    " ON o.id BETWEEN p.run << ?3 AND (p.run + 1 << ?3) - 1"
    " WHERE (p.ended_ms IS NULL OR p.ended_ms >= ?2)"
    " AND o.made = ?1)";

/* Outcomes that wait in memory. */
static bool in_marks(const struct ca_ledger *ledger, const char *account)
{
  size_t i;

  for(i = 0; i < ledger->mark_count; i++) {
    const struct ca_mark *mark = &ledger->marks[i];
    if(mark->made && !strcmp(mark->made, account))
      return true;
  }
  return false;
}

enum ca_code ca_ledger_knows_made(struct ca_ledger *ledger,
                                  const char *account, int64_t since_ms,
                                  bool *known, struct ca_err *err)
{
  sqlite3_stmt *statement = NULL;
  enum ca_code code = CA_OK;
  int rc;

  *known = in_marks(ledger, account);
  if(*known)
    return CA_OK;
  rc = sqlite3_prepare_v2(ledger->db, made_by, -1, &statement, NULL);
  if(!rc) {
    ca_ledger_bind(statement, 1, account);
    sqlite3_bind_int64(statement, 2, since_ms);
    sqlite3_bind_int(statement, 3, CA_ITEM_BITS + CA_PLACE_BITS);
    rc = sqlite3_step(statement);
  }
  if(rc == SQLITE_ROW)
    *known = sqlite3_column_int(statement, 0) != 0;
  else
    code = ca_ledger_fail(ledger, rc, err);
  sqlite3_finalize(statement);
  return code;
}
