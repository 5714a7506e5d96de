/* The ledger's SQL statements, each prepared once and cached.
   Must not know: when a statement is run, and why. */
#include <assert.h>
#include <stdarg.h>
#include "ledger/ledger_private.h"
#include "ledger/sqlite.h"

/* A change's current outcome: the recorded one, else CA_INTENDED if it has
   an intent, else the one in its own row. */
#define STATE                                                             \
  "CASE WHEN o.outcome IS NOT NULL THEN o.outcome WHEN c.outcome = 0 AND" \
  " n.id IS NOT NULL THEN 1 ELSE c.outcome END"

/* Rows of bulks that are not sealed; ?3 is the run. */
#define UNSEALED(table)         \
  table ".bulk <> 0 AND " table \
        ".bulk NOT IN (SELECT number FROM bulk WHERE run = ?3)"

/* Changes without an intent and an outcome. */
#define UNTOUCHED(change)                                             \
  "NOT EXISTS (SELECT 1 FROM intent WHERE intent.id = " change ".id)" \
  " AND NOT EXISTS (SELECT 1 FROM outcome WHERE outcome.id = " change ".id)"

/* The account that a change targets. */
#define ITEM_ACCOUNT "CASE WHEN i.flags & 65536 THEN i.key ELSE i.account END"
#define AIM          "coalesce(c.account, " ITEM_ACCOUNT ")"

/* Columns of a change as it is read back, in the order of
   ca_change_take. */
#define CHANGE_ROW                                                        \
  "c.id, c.operation, c.cost, " STATE ", c.fallback, n.sent_ms, " AIM "," \
  " c.user, c.config, c.query, c.body, c.fingerprint, c.reason, c.line,"  \
  " c.status_before, c.image, i.key, o.error, o.request_id,"              \
  " o.status_after, o.made"
/* The same for a change without intent and outcome, whose columns are left
   out at the end. */
#define FRESH_ROW                                                        \
  "c.id, c.operation, c.cost, c.outcome, c.fallback, NULL, " AIM ","     \
  " c.user, c.config, c.query, c.body, c.fingerprint, c.reason, c.line," \
  " c.status_before, c.image, i.key"
#define CHANGE_MORE                     \
  " LEFT JOIN outcome o ON o.id = c.id" \
  " LEFT JOIN intent n ON n.id = c.id"  \
  " CROSS JOIN item i ON i.id = c.id >> 15"
#define CHANGE_JOINS " FROM change c" CHANGE_MORE

/* When a change ended, was sent, or was planned. */
/* Is a bulk of run r sealed, or may straight-line changes have left? */
#define SEALED                                                  \
  "EXISTS (SELECT 1 FROM bulk b WHERE b.run = r.id) OR EXISTS"  \
  " (SELECT 1 FROM change c JOIN intent n ON n.id = c.id WHERE" \
  " c.id >= r.id << 41 AND c.id < (r.id + 1) << 41 AND c.bulk = 0)"
#define WHEN "coalesce(o.ended_ms, n.sent_ms, r.began_ms)"
/* Changes of all runs, as ca_history_next_change returns them, with their
   runs, sessions and items. */
#define HISTORY(from, where, order)                                      \
  "SELECT " CHANGE_ROW ", r.name, coalesce(p.who, r.who),"               \
  " coalesce(p.host, r.host), r.script, r.mode = 'apply', " WHEN         \
  ", i.user, i.toolkit, i.alias, " ITEM_ACCOUNT ", c.id, z.who, z.host," \
  " z.at_ms, z.reason" from CHANGE_MORE                                  \
  " LEFT JOIN resolution z ON z.id = c.id AND z.outcome = o.outcome"     \
  " AND z.at_ms >= coalesce(n.sent_ms, 0)"                               \
  " CROSS JOIN run r ON r.id = c.id >> 41"                               \
  " LEFT JOIN part p ON p.run = r.id AND p.number ="                     \
  " (SELECT max(number) FROM part WHERE run = r.id AND"                  \
  " began_ms <= n.sent_ms)"                                              \
  " WHERE " where " AND (?1 IS NULL OR r.project = ?1)"                  \
  " AND r.name IS NOT ?2 AND (?3 IS NULL OR c.operation ="               \
  " (SELECT id FROM operation WHERE name = ?3))"                         \
  " AND (?4 >> " STATE ") & 1 AND (?5 OR r.mode = 'apply')"              \
  " AND " WHEN " >= ?6 ORDER BY " order " LIMIT ?7"

/* Rows of multi-row statements; SQLite gives each '?' its own number, and
   ?1 is shared. */
#define ROWS_4(row)  row "," row "," row "," row
#define ROWS_16(row) ROWS_4(ROWS_4(row))

#define INTENT "(?1, ?)"
#define ITEM   "(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define PLAIN                                           \
  "(?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL," \
  " ?, ?, ?)"
#define OUTCOME "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

/* In the order of the table's columns, and with all of them up to the last
   one given: otherwise SQLite copies each value once more. */
#define INSERT_ITEM                                                         \
  "INSERT INTO item(id, bulk, outcome, flags, key, account, user, toolkit," \
  " scheme, status, status_reason, alias, created_ms, updated_ms, row)"     \
  " VALUES"
#define INSERT_PLAIN                                                      \
  "INSERT INTO change(id, bulk, operation, cost, outcome, account, user," \
  " config, query, body, fingerprint, reason, line, status_before) VALUES"
#define INSERT_INTENT "INSERT INTO intent(sent_ms, id) VALUES"
#define INSERT_OUTCOME                                                      \
  "REPLACE INTO outcome(id, outcome, ended_ms, attempts, http, request_id," \
  " status_after, slug, error, made) VALUES"

/* Is the item one of run ?3's, and has the run of items ?1 to ?2 one like it?
 */
#define ITEM_OF_RUN                                           \
  "id BETWEEN (SELECT id FROM run WHERE name = ?3) << 26 AND" \
  " ((SELECT id FROM run WHERE name = ?3) + 1) << 26 AND"     \
  " bulk <> 0 AND (bulk, key) IN (SELECT bulk, key FROM item" \
  " WHERE id BETWEEN ?1 AND ?2)"

/* The changes on account ?3, in items of `source`, that were sent: those of
   item ?4 before change ?1, those of other items since ?2. */
#define EFFECTS(source)                                                      \
  "SELECT c.id, c.operation, o.outcome, o.status_after, c.body FROM " source \
  " s CROSS JOIN change c ON c.id BETWEEN s.item << 15"                      \
  " AND (s.item << 15) + 32767 CROSS JOIN item i ON i.id = s.item"           \
  " LEFT JOIN outcome o ON o.id = c.id LEFT JOIN intent n ON n.id = c.id"    \
  " WHERE c.outcome = 0 AND " AIM " = ?3 AND CASE WHEN s.item = ?4"          \
  " THEN c.id < ?1 ELSE n.sent_ms >= ?2 END ORDER BY n.sent_ms, c.id"

static const char *const sql_texts[CA_SQL_COUNT] = {
  [CA_SQL_BEGIN] = "BEGIN IMMEDIATE",
  [CA_SQL_BEGIN_READ] = "BEGIN",
  [CA_SQL_COMMIT] = "COMMIT",
  [CA_SQL_ROLLBACK] = "ROLLBACK",
  [CA_SQL_RUN_ADD] =
      "INSERT INTO run(began_ms, name, script, script_sha, params, options,"
      " mode, who, host, project, base_url, version, word, cwd, undoes, plan,"
      " redoes, salt)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17, ?18)"
      " ON CONFLICT DO NOTHING",
  [CA_SQL_RUN_PLAN] = "UPDATE run SET plan = ?2 WHERE id = ?1",
  [CA_SQL_RUN_NEEDS] = "UPDATE run SET needs = ?2 WHERE id = ?1",
  [CA_SQL_RUN_REFUSAL] = "UPDATE run SET refusal = ?2 WHERE id = ?1",
  [CA_SQL_RUN_LEFT] = "UPDATE run SET pending = ?2, unwritten = ?3"
                      " WHERE id = ?1",
  [CA_SQL_RUN_FIND] = "SELECT id, mode = 'apply' FROM run WHERE name = ?1",
  [CA_SQL_RUN_UNKNOWN] =
      "INSERT INTO outcome(id, outcome) SELECT n.id, 7 FROM intent n"
      " LEFT JOIN outcome o ON o.id = n.id"
      " WHERE n.id BETWEEN ?1 AND ?2 AND o.id IS NULL",
  [CA_SQL_RUN_REOPEN] = "UPDATE run SET ended_ms = NULL, exit_code = NULL,"
                        " counts = NULL, pending = NULL,"
                        " unwritten = NULL WHERE id = ?1",
  [CA_SQL_RUN_REST] =
      "INSERT INTO outcome(id, outcome) SELECT c.id, CASE WHEN EXISTS"
      " (SELECT 1 FROM intent n WHERE n.id = c.id) THEN 7 ELSE 2 END"
      " FROM change c LEFT JOIN outcome o ON o.id = c.id"
      " WHERE c.id BETWEEN ?1 AND ?2 AND c.outcome = 0 AND o.id IS NULL",
  [CA_SQL_RUN_END] =
      "UPDATE run SET ended_ms = ?2, exit_code = ?3, counts = ?4"
      " WHERE id = ?1",
  [CA_SQL_RUN_COUNTS] = "UPDATE run SET counts = ?2 WHERE id = ?1 AND"
                        " counts IS NOT NULL",
  [CA_SQL_SESSION_ADD] = "INSERT INTO part(run, number, began_ms, who, host)"
                         " SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4"
                         " FROM part WHERE run = ?1",
  [CA_SQL_SESSION_END] =
      "UPDATE part SET ended_ms = ?2, exit_code = ?3 WHERE run = ?1 AND"
      " number = (SELECT max(number) FROM part WHERE run = ?1)",
  [CA_SQL_SESSIONS] =
      "SELECT p.began_ms, p.ended_ms, p.exit_code, p.who, p.host"
      " FROM part p JOIN run r ON r.id = p.run WHERE r.name = ?1"
      " ORDER BY p.number",
  /* a run without a sealed bulk is searched for straight-line changes, but
     such runs are few */
  [CA_SQL_RUNS] =
      "SELECT r.name, r.script, r.word, r.cwd, r.undoes, r.script_sha,"
      " r.params, r.options, r.mode, r.who, r.host, r.project, r.base_url,"
      " r.version, r.plan, r.needs, r.refusal, r.redoes, r.began_ms,"
      " r.ended_ms,"
      " r.exit_code, r.counts,"
      " (SELECT count(*) FROM part p WHERE p.run = r.id)," SEALED
      ", r.pending, r.unwritten, r.id"
      " FROM run r WHERE (?2 = 0 OR r.id < ?2) AND (?3 IS NULL OR r.name = ?3)"
      " AND (?7 IS NULL OR r.plan = ?7)"
      " AND (?4 IS NULL OR r.project = ?4) AND (?5 IS NULL OR r.mode = ?5)"
      " AND r.began_ms >= ?6 ORDER BY r.id DESC LIMIT ?1",
  /* exact match first: the name may also be a prefix of another */
  [CA_SQL_RUN_NAMED] =
      "SELECT name, name = ?1 OR ?1 = 'last' FROM run WHERE ?1 = 'last' OR"
      " substr(name, 1, length(?1)) = ?1 OR substr(name, -length(?1)) = ?1"
      " ORDER BY name = ?1 DESC, id DESC LIMIT 5",
  [CA_SQL_HISTORY] =
      HISTORY(" FROM change c", "c.id > ?8 AND c.id <= ?9", "c.id"),
  [CA_SQL_HISTORY_ACCOUNT] = HISTORY(
      " FROM temp.about a CROSS JOIN change c ON c.id = a.id",
      "a.account = ?10 AND (a.at_ms, a.id) > (?9, ?8)", "a.at_ms, a.id"),
  /* No index leads from an account to its changes: every run would pay for
     a query that is rare. So all changes are read once. A change that made
     an account is about two accounts. */
  [CA_SQL_HISTORY_GATHER] =
      "INSERT OR IGNORE INTO temp.about SELECT about, at_ms, id FROM"
      " (SELECT CASE WHEN k.made THEN o.made ELSE"
      " coalesce(nullif(c.account, ''), " ITEM_ACCOUNT ") END AS about,"
      " " WHEN " AS at_ms, c.id AS id" CHANGE_JOINS
      " CROSS JOIN run r ON r.id = c.id >> 41"
      " CROSS JOIN (SELECT 0 AS made UNION ALL SELECT 1) k"
      " WHERE ?2 IS NULL OR r.project = ?2)"
      " WHERE about IS NOT NULL AND (?1 IS NULL OR about = ?1)",
  [CA_SQL_UNSEALED_SENT] =
      "SELECT 1 FROM intent n JOIN change c ON c.id = n.id"
      " WHERE n.id BETWEEN ?1 AND ?2 AND " UNSEALED("c") " LIMIT 1",
  [CA_SQL_UNSEALED_OUTCOMES] =
      "DELETE FROM outcome WHERE id BETWEEN ?1 AND ?2 AND id IN"
      " (SELECT c.id FROM change c WHERE c.id BETWEEN ?1 AND ?2"
      " AND " UNSEALED("c") ")",
  [CA_SQL_UNSEALED_CHANGES] =
      "DELETE FROM change WHERE id BETWEEN ?1 AND ?2 AND " UNSEALED("change"),
  [CA_SQL_UNSEALED_ITEMS] =
      "DELETE FROM item WHERE id BETWEEN ?1 AND ?2 AND " UNSEALED("item"),
  [CA_SQL_UNSEALED_TAGS] =
      "DELETE FROM tag WHERE item BETWEEN ?1 AND ?2 AND item IN"
      " (SELECT id FROM item WHERE id BETWEEN ?1 AND ?2 AND " UNSEALED(
          "item") ")",
  [CA_SQL_RETRY_OUTCOMES] = "DELETE FROM outcome WHERE id BETWEEN ?1 AND ?2",
  [CA_SQL_RETRY_CHANGES] = "DELETE FROM change WHERE id BETWEEN ?1 AND ?2",
  /* Changes that were planned anew for items whose action had failed; an
     item's verdict says "failed" until its new plan is sealed. */
  [CA_SQL_RETRY_DROP] =
      "DELETE FROM change WHERE id IN (SELECT c.id FROM item i"
      " CROSS JOIN change c ON c.id BETWEEN i.id << 15 AND"
      " (i.id << 15) + 32767 WHERE i.id BETWEEN ?1 >> 15 AND ?2 >> 15"
      " AND i.bulk <> 0 AND i.outcome = 5 AND " UNTOUCHED(
          "c") " AND EXISTS (SELECT 1 FROM change p WHERE p.id BETWEEN i.id "
               "<< 15 AND"
               " (i.id << 15) + 32767 AND p.outcome = 0 AND " UNTOUCHED(
                   "p") "))",
  /* All changes of an item were taken back when its action failed. */
  [CA_SQL_RETRY_NEXT] =
      "SELECT i.id FROM item i WHERE i.id BETWEEN ?1 AND ?2 AND i.id > ?3"
      " AND (i.bulk = ?4 OR ?4 < 0 AND i.bulk <> 0) AND i.outcome = 5"
      " AND NOT EXISTS"
      " (SELECT 1 FROM change c LEFT JOIN outcome o ON o.id = c.id"
      " WHERE c.id BETWEEN i.id << 15 AND (i.id << 15) + 32767"
      " AND o.outcome IS NOT 6) ORDER BY i.id LIMIT 1",
  /* The items of run ?3 whose action failed, which this run has planned. */
  [CA_SQL_BULK_DROP] =
      "INSERT INTO outcome(id, outcome, ended_ms, error)"
      " SELECT id, 6, ?4, ?5 FROM change WHERE id BETWEEN ?1 AND ?2"
      " AND bulk = ?3 AND outcome = 0 AND " UNTOUCHED("change"),
  [CA_SQL_TAKE_OVER] =
      "UPDATE item SET outcome = 6, detail = 'taken over by run ' ||"
      " (SELECT name FROM run WHERE id = ?1 >> 26)"
      " WHERE " ITEM_OF_RUN " AND outcome = 5 AND NOT EXISTS"
      " (SELECT 1 FROM change c LEFT JOIN outcome o ON o.id = c.id"
      " WHERE c.id BETWEEN item.id << 15 AND (item.id << 15) + 32767"
      " AND o.outcome IS NOT 6)",
  [CA_SQL_TAKEN_OVER] =
      "SELECT n.key, (SELECT detail FROM item WHERE " ITEM_OF_RUN
      " AND key = n.key AND bulk = n.bulk AND outcome = 6) FROM item n WHERE"
      " n.id BETWEEN ?1 AND ?2 AND n.bulk <> 0 AND (n.bulk, n.key) NOT IN"
      " (SELECT bulk, key FROM item WHERE " ITEM_OF_RUN
      " AND detail = 'taken over by run ' ||"
      " (SELECT name FROM run WHERE id = ?1 >> 26)) LIMIT 1",
  [CA_SQL_SINGLE_KEYS] =
      "SELECT key FROM item WHERE id BETWEEN ?1 AND ?2 AND bulk = 0",
  [CA_SQL_ITEM_ADD] = INSERT_ITEM ITEM,
  [CA_SQL_ITEMS_ADD] = INSERT_ITEM ROWS_16(ITEM),
  [CA_SQL_BULK_ADD] =
      "INSERT INTO bulk(run, number, name, kind, selected, planned, same,"
      " skipped, failed, stood_ms)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
  [CA_SQL_BULK_READ] =
      "SELECT name, kind, selected, planned, same, skipped, failed, number"
      " FROM bulk WHERE run = ?1 AND number >= ?2 ORDER BY number LIMIT 1",
  [CA_SQL_KEY_FIND] = "SELECT id FROM item WHERE id BETWEEN ?1 AND ?2"
                      " AND key = ?3 AND bulk = ?4 ORDER BY id LIMIT 1",
  [CA_SQL_ITEM_ACCOUNT] =
      "SELECT CASE WHEN flags & 65536 THEN key ELSE account END, bulk"
      " FROM item WHERE id = ?1",
  [CA_SQL_ITEM_LAST] = "SELECT max(id) FROM item WHERE id BETWEEN ?1 AND ?2",
  [CA_SQL_ITEM_READ] =
      "SELECT bulk, flags, created_ms, updated_ms, key, account, user,"
      " toolkit, scheme, status, status_reason, alias, row"
      " FROM item WHERE id = ?1",
  [CA_SQL_ITEM_OUTCOME] =
      "UPDATE item SET outcome = ?2, detail = ?3 WHERE id = ?1",
  [CA_SQL_ITEM_VERDICT] = "SELECT outcome FROM item WHERE id = ?1",
  [CA_SQL_CHANGE_ADD] =
      "INSERT INTO change(id, bulk, operation, cost, outcome, account, user,"
      " config, query, body, fingerprint, reason, line, status_before,"
      " fallback, image) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
      " ?12, ?13, ?14, ?15, ?16)",
  [CA_SQL_CHANGE_ADD_PLAIN] = INSERT_PLAIN PLAIN,
  [CA_SQL_CHANGES_ADD_PLAIN] = INSERT_PLAIN ROWS_16(PLAIN),
  [CA_SQL_CHANGE_LAST] =
      "SELECT max(id) FROM change WHERE id BETWEEN ?1 AND ?2",
  [CA_SQL_CHANGE_INTEND] = INSERT_INTENT INTENT,
  [CA_SQL_CHANGES_INTEND] = INSERT_INTENT ROWS_16(INTENT) "," ROWS_16(INTENT),
  [CA_SQL_CHANGE_REINTEND] = "REPLACE INTO intent(sent_ms, id) VALUES" INTENT,
  [CA_SQL_CHANGE_REOPEN] = "DELETE FROM outcome WHERE id = ?1",
  [CA_SQL_OUTCOME_ADD] = INSERT_OUTCOME OUTCOME,
  [CA_SQL_OUTCOMES_ADD] = INSERT_OUTCOME ROWS_16(OUTCOME),
  [CA_SQL_OUTCOME_RESOLVE] =
      "INSERT INTO outcome(id, outcome, ended_ms) VALUES(?1, ?2, ?3)"
      " ON CONFLICT(id) DO UPDATE SET outcome = ?2, ended_ms = ?3",
  [CA_SQL_RESOLUTION_ADD] =
      "REPLACE INTO resolution(id, outcome, at_ms, who, host, reason)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
  [CA_SQL_CHANGES] =
      "SELECT " CHANGE_ROW CHANGE_JOINS
      " WHERE c.id > ?1 AND c.id <= ?2 AND (?4 < 0 OR c.bulk = ?4)"
      " AND (?3 >> " STATE ") & 1 ORDER BY c.id LIMIT ?5",
  /* the same for changes of which none was sent, at half the cost */
  [CA_SQL_CHANGES_FRESH] =
      "SELECT " FRESH_ROW " FROM change c CROSS JOIN item i"
      " ON i.id = c.id >> 15"
      " WHERE c.id > ?1 AND c.id <= ?2 AND (?4 < 0 OR c.bulk = ?4)"
      " AND (?3 >> c.outcome) & 1 ORDER BY c.id LIMIT ?5",
  [CA_SQL_ANY_SENT] =
      "SELECT EXISTS (SELECT 1 FROM intent WHERE id > ?1 AND id <= ?2)"
      " OR EXISTS (SELECT 1 FROM outcome WHERE id > ?1 AND id <= ?2)",
  [CA_SQL_BEFORE] =
      "SELECT i.status, i.flags, i.alias, i.updated_ms, c.image,"
      " c.status_before, c.account IS NULL, " AIM ", coalesce(b.stood_ms, 0)"
      " FROM change c CROSS JOIN item i ON i.id = c.id >> 15"
      " LEFT JOIN bulk b ON b.run = c.id >> 41 AND b.number = c.bulk"
      " WHERE c.id = ?1",
  [CA_SQL_EFFECTS] = EFFECTS("(SELECT ?4 AS item)"),
  [CA_SQL_EFFECTS_SHARED] = EFFECTS("(SELECT item FROM temp.shared"
                                    " WHERE account = ?3 UNION SELECT ?4)"),
  /* the keys of a bulk are mostly accounts, each of them once */
  [CA_SQL_SHARES] =
      "SELECT EXISTS (SELECT 1 FROM item WHERE id BETWEEN ?1 AND ?2"
      " AND (NOT flags & 65536 OR bulk <> (SELECT bulk FROM item"
      " WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1)))"
      " OR EXISTS (SELECT 1 FROM change WHERE id BETWEEN ?3 AND ?4"
      " AND account <> '')",
  [CA_SQL_SHARED_ADD] =
      "INSERT INTO temp.shared SELECT account, item FROM"
      " (SELECT account, item, count(*) OVER (PARTITION BY account) AS many"
      " FROM (SELECT DISTINCT " AIM " AS account, c.id >> 15 AS item"
      " FROM change c CROSS JOIN item i ON i.id = c.id >> 15"
      " WHERE c.id BETWEEN ?1 AND ?2)) WHERE many > 1 AND account <> ''",
  /* read side by side: ledger/count.c */
  [CA_SQL_COUNTS] = "SELECT id, operation, outcome, fallback, bulk FROM change"
                    " WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
  [CA_SQL_COUNT_OUTCOMES] = "SELECT id, outcome FROM outcome"
                            " WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
  [CA_SQL_COUNT_INTENTS] = "SELECT id, 0 FROM intent"
                           " WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
  [CA_SQL_VERDICTS] = "SELECT id, outcome, bulk FROM item"
                      " WHERE id BETWEEN ?1 AND ?2 AND outcome <> 0"
                      " ORDER BY id",
  [CA_SQL_OPERATION_ADD] =
      "INSERT INTO operation(name) VALUES(?1) ON CONFLICT DO NOTHING",
  [CA_SQL_OPERATION_ID] = "SELECT id FROM operation WHERE name = ?1",
  [CA_SQL_OPERATION_NAME] = "SELECT name FROM operation WHERE id = ?1",
  [CA_SQL_SALT_ADD] = "INSERT INTO salt SELECT ?1"
                      " WHERE NOT EXISTS (SELECT 1 FROM salt)",
  [CA_SQL_SALT] = "SELECT coalesce((SELECT salt FROM run WHERE id = ?1),"
                  " (SELECT value FROM salt LIMIT 1))",
  /* Accounts that creates of this ledger have made. There is no index for
     them: the query runs only for creates of unknown outcome, and only over
     runs that were under way since then. A session without an end is still
     running, or died. */
  [CA_SQL_KNOWS_MADE] =
      "SELECT EXISTS (SELECT 1 FROM outcome WHERE made = ?1)",
  [CA_SQL_TAG_ADD] =
      "INSERT OR IGNORE INTO tag(item, name, later) VALUES(?1, ?2, ?3)",
  [CA_SQL_TAGS_CLEAR] = "DELETE FROM tag WHERE item = ?1 AND later >= ?2",
  [CA_SQL_TAGS_OF_ITEM] =
      "SELECT name FROM tag WHERE item = ?1 AND NOT later ORDER BY name",
  [CA_SQL_TAGS] = "SELECT t.name, count(*) FROM tag t WHERE t.item BETWEEN ?1"
                  " AND ?2 AND (?3 < 0 OR (SELECT bulk FROM item i WHERE"
                  " i.id = t.item) = ?3) GROUP BY t.name ORDER BY t.name",
  [CA_SQL_TAGGED] =
      "SELECT i.id, i.key, " ITEM_ACCOUNT ", i.user, i.toolkit, i.status,"
      " coalesce(i.detail, i.status_reason) FROM tag t CROSS JOIN item i"
      " ON i.id = t.item WHERE t.item BETWEEN ?1 AND ?2 AND t.item > ?3"
      " AND t.name = ?4 ORDER BY t.item LIMIT ?5",
  [CA_SQL_REPORT_ADD] = "INSERT OR IGNORE INTO report VALUES(?1, ?2)",
  [CA_SQL_REPORTS] = "SELECT path FROM report WHERE run = ?1",
  [CA_SQL_PRUNE_MAY] = "SELECT count(*) FROM run WHERE id = ?1"
                       " AND coalesce(ended_ms, 0) = ?2",
  /* ?3: 1, the refreshes (operation ?4) that are done; 2, what saw its account
     ACTIVE */
  [CA_SQL_PRUNE_KEEP] =
      "INSERT INTO pruned(account, project, what, operation, outcome, at_ms,"
      " status_before, status_after) SELECT coalesce(o.made, " AIM
      ") AS about,"
      " coalesce(r.project, ''), ?3, c.operation, " STATE ", " WHEN
      " AS at, c.status_before, o.status_after" CHANGE_JOINS
      " CROSS JOIN run r ON r.id = c.id >> 41 WHERE c.id BETWEEN ?1 AND ?2"
      " AND r.mode = 'apply' AND about <> '' AND CASE ?3"
      " WHEN 1 THEN c.operation = ?4 AND " STATE " = 3"
      " ELSE c.status_before = 'ACTIVE' OR o.status_after = 'ACTIVE' END"
      " ORDER BY at ON CONFLICT DO UPDATE SET operation = excluded.operation,"
      " outcome = excluded.outcome, at_ms = excluded.at_ms,"
      " status_before = excluded.status_before,"
      " status_after = excluded.status_after"
      " WHERE excluded.at_ms >= pruned.at_ms",
  [CA_SQL_PRUNE_APPLIED] = "INSERT OR IGNORE INTO applied(plan, run) SELECT "
                           "r.plan, r.name FROM run r"
                           " WHERE r.id = ?1 AND r.mode = 'apply' AND r.plan "
                           "IS NOT NULL AND (" SEALED ")",
  [CA_SQL_APPLIED] = "SELECT run FROM applied WHERE plan = ?1",
  [CA_SQL_PRUNE_COUNT] =
      "SELECT count(*) FROM change WHERE id BETWEEN ?1 AND ?2",
  [CA_SQL_PRUNE_PREVIEW] =
      "SELECT id FROM run WHERE mode = 'preview' AND began_ms < ?1 AND NOT"
      " EXISTS (SELECT 1 FROM change c WHERE c.id >= run.id << 41 AND"
      " c.id < (run.id + 1) << 41) LIMIT 1",
  /* of two rows about one change, the first */
  [CA_SQL_PRUNED] =
      "SELECT account, what, operation, outcome, at_ms, status_before,"
      " status_after FROM pruned p WHERE account BETWEEN ?1 AND ?2"
      " AND (account, what) > (?1, ?3) AND (?4 IS NULL OR project = ?4)"
      " AND NOT (what = 2 AND EXISTS (SELECT 1 FROM pruned q WHERE"
      " q.account = p.account AND q.project = p.project AND q.what = 1"
      " AND q.at_ms = p.at_ms AND q.operation = p.operation))"
      " ORDER BY account, what LIMIT ?5",
  [CA_SQL_SIZE] = "SELECT (page_count - freelist_count) * page_size,"
                  " freelist_count * page_size FROM pragma_page_count,"
                  " pragma_freelist_count, pragma_page_size",
  [CA_SQL_SENT_ADD] = "REPLACE INTO sent(id, service_ms, ids, status,"
                      " updated_ms) VALUES(?1, ?2, ?3, ?4, ?5)",
  [CA_SQL_SENT] = "SELECT service_ms, ids, status, updated_ms FROM sent"
                  " WHERE id = ?1",
};

#ifndef NDEBUG
/* A statement sees only what is in the database: is nothing in memory that
   this one would miss? */
static bool misses_nothing(const struct ca_ledger *ledger, enum ca_sql which)
{
  bool rows = ca_queued_has_rows(ledger);

  switch(which) {
  case CA_SQL_ITEM_ADD: /* these write plan rows */
  case CA_SQL_ITEMS_ADD:
  case CA_SQL_CHANGE_ADD:
  case CA_SQL_CHANGE_ADD_PLAIN:
  case CA_SQL_CHANGES_ADD_PLAIN:
  case CA_SQL_TAG_ADD:
  case CA_SQL_ROLLBACK:
  case CA_SQL_OPERATION_ADD: /* this table has no queued rows */
  case CA_SQL_OPERATION_ID:
  case CA_SQL_OPERATION_NAME:
    return true;
  case CA_SQL_COUNT_OUTCOMES: /* these read or complete all outcomes */
  case CA_SQL_VERDICTS:
  case CA_SQL_HISTORY:
  case CA_SQL_HISTORY_ACCOUNT:
  case CA_SQL_HISTORY_GATHER:
  case CA_SQL_RUN_REST:
    return !rows && !ledger->outcome_count;
  default:
    return !rows;
  }
}
#endif

sqlite3_stmt *ca_statement_get(struct ca_ledger *ledger, enum ca_sql which,
                               struct ca_err *err)
{
  assert(misses_nothing(ledger, which));
  if(!ledger->statements[which]) {
    int rc = sqlite3_prepare_v3(ledger->db, sql_texts[which], -1,
                                SQLITE_PREPARE_PERSISTENT,
                                &ledger->statements[which], NULL);
    if(rc)
      ca_statement_fail(ledger, rc, err);
  }
  return ledger->statements[which];
}

enum ca_code ca_statement_fail(const struct ca_ledger *ledger, int rc,
                               struct ca_err *err)
{
  return ca_sqlite_fail(ledger->db, ledger->path, rc, err);
}

int ca_statement_run(sqlite3_stmt *statement)
{
  int rc = sqlite3_step(statement);
  int reset_rc = sqlite3_reset(statement);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : reset_rc;
}

void ca_statement_bind(sqlite3_stmt *statement, int place, const char *text)
{
  if(text)
    sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
  else
    sqlite3_bind_null(statement, place);
}

static void bind_nonzero(sqlite3_stmt *statement, int place, int64_t value)
{
  if(value)
    sqlite3_bind_int64(statement, place, value);
  else
    sqlite3_bind_null(statement, place);
}

static void bind_range(sqlite3_stmt *statement, int place, int64_t first,
                       int64_t last)
{
  sqlite3_bind_int64(statement, place, first);
  sqlite3_bind_int64(statement, place + 1, last);
}

static void bind_all(const struct ca_ledger *ledger, sqlite3_stmt *statement,
                     const char *types, va_list values)
{
  int place = 1;

  for(; *types; types++)
    switch(*types) {
    case 't':
      ca_statement_bind(statement, place++, va_arg(values, const char *));
      break;
    case 'n':
      bind_nonzero(statement, place++, va_arg(values, int64_t));
      break;
    case 'r':
      sqlite3_bind_int64(statement, place++, ledger->run);
      break;
    case 'I':
      bind_range(statement, place, ca_ledger_item_id(ledger, 0),
                 ca_ledger_item_id(ledger, CA_ITEM_MAX));
      place += 2;
      break;
    case 'C':
      bind_range(statement, place, ca_ledger_change_id(ledger, 0),
                 ca_ledger_change_id(ledger, CA_CHANGE_MAX));
      place += 2;
      break;
    default:
      assert(*types == 'i');
      sqlite3_bind_int64(statement, place++, va_arg(values, int64_t));
    }
}

static sqlite3_stmt *start(struct ca_ledger *ledger, enum ca_sql which,
                           struct ca_err *err, const char *types,
                           va_list values)
{
  sqlite3_stmt *statement = ca_statement_get(ledger, which, err);

  if(!statement)
    return NULL;
  if(sqlite3_stmt_busy(statement)) /* a reader stopped before the last row */
    sqlite3_reset(statement);
  bind_all(ledger, statement, types, values);
  return statement;
}

sqlite3_stmt *ca_statement_start(struct ca_ledger *ledger, enum ca_sql which,
                                 struct ca_err *err, const char *types, ...)
{
  sqlite3_stmt *statement;
  va_list values;

  va_start(values, types);
  statement = start(ledger, which, err, types, values);
  va_end(values);
  return statement;
}

bool ca_statement_next(struct ca_ledger *ledger, sqlite3_stmt *statement,
                       enum ca_code *code, struct ca_err *err)
{
  int rc = SQLITE_DONE;

  if(!statement && !*code)
    *code = CA_SYSTEM;
  if(!*code)
    rc = sqlite3_step(statement);
  if(rc == SQLITE_ROW)
    return true;
  if(rc != SQLITE_DONE)
    *code = ca_statement_fail(ledger, rc, err);
  sqlite3_reset(statement);
  return false;
}

enum ca_code ca_statement_ask(struct ca_ledger *ledger, enum ca_sql which,
                              int64_t *value, struct ca_err *err,
                              const char *types, ...)
{
  sqlite3_stmt *statement;
  va_list values;
  enum ca_code code = CA_OK;

  va_start(values, types);
  statement = start(ledger, which, err, types, values);
  va_end(values);
  *value = 0;
  if(ca_statement_next(ledger, statement, &code, err)) {
    *value = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
  }
  return code;
}

enum ca_code ca_statement_finish(struct ca_ledger *ledger,
                                 sqlite3_stmt *statement, struct ca_err *err)
{
  int rc;

  if(!statement)
    return CA_SYSTEM;
  rc = ca_statement_run(statement);
  return rc ? ca_statement_fail(ledger, rc, err) : CA_OK;
}

enum ca_code ca_statement_write(struct ca_ledger *ledger, enum ca_sql which,
                                struct ca_err *err, const char *types, ...)
{
  sqlite3_stmt *statement;
  va_list values;

  va_start(values, types);
  statement = start(ledger, which, err, types, values);
  va_end(values);
  return ca_statement_finish(ledger, statement, err);
}
