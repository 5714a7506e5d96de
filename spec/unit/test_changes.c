/* The cursor over changes: what it gives, in which order, and that the ledger
   may be read and written meanwhile. */
#include "ledger_case.h"

static struct ca_changes cursor;

/* The key of the next row, "" after the last. */
static const char *next_key(void)
{
  const struct ca_change_row *row = NULL;

  CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK);
  return row ? row->key : "";
}

/* "1 2 3", the numbers of what is left, as places in their item. */
static const char *rest(void)
{
  static char text[256];
  const struct ca_change_row *row = NULL;
  size_t used = 0;

  text[0] = '\0';
  while(CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK) && row)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld",
                             used ? " " : "",
                             (long long)(row->number & CA_PLACE_MAX));
  return text;
}

static void gives_a_set_of_one_bulk(void)
{
  start("preview");
  add_both(1, "one", "disable");
  add_change(add_item(1, "two"), "disable", "two", CA_SAME);
  add_both(2, "three", "disable");
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  CHECK_TEXT(next_key(), "one");
  CHECK_TEXT(next_key(), "two");
  CHECK_TEXT(next_key(), "");
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  ca_changes_open(&cursor, ledger, -1, 1U << CA_PLANNED);
  CHECK_TEXT(next_key(), "one");
  CHECK_TEXT(next_key(), "three");
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  stop();
}

static void gives_one_item_or_one_change(void)
{
  int64_t item;
  int64_t second;

  start("preview");
  add_both(1, "before", "disable");
  item = add_item(1, "one");
  add_change(item, "disable", "one", CA_PLANNED);
  second = add_change(item, "enable", "one", CA_SAME);
  add_change(item, "delete", "one", CA_SKIPPED);
  add_both(1, "behind", "disable");
  ca_changes_open_item(&cursor, ledger, item, 0);
  CHECK_TEXT(rest(), "1 2 3");
  ca_changes_close(&cursor);
  ca_changes_open_item(&cursor, ledger, item, second);
  CHECK_TEXT(rest(), "3");
  ca_changes_close(&cursor);
  ca_changes_open_one(&cursor, ledger, second);
  CHECK_TEXT(rest(), "2");
  ca_changes_close(&cursor);
  ca_changes_open_one(&cursor, ledger, second + 2);
  CHECK_TEXT(rest(), "");
  ca_changes_close(&cursor);
  stop();
}

/* Its rows are copies: others read, plan, intend and record meanwhile, and a
   second cursor goes over the same changes. */
static void lives_across_reads_and_writes(void)
{
  const struct ca_change_row *row = NULL;
  struct ca_changes other;
  struct ca_item item;
  int64_t one;
  int i;

  start("apply");
  one = add_both(1, "one", "disable");
  for(i = 0; i < 300; i++) {
    char key[16];
    snprintf(key, sizeof(key), "k%03d", i);
    add_both(1, key, "disable");
  }
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK);
  add_both(1, "late", "enable");
  CHECK_INT(intend(one), CA_OK);
  CHECK_INT(settle(one, CA_DONE), CA_OK);
  CHECK_INT(ca_read_item(ledger, 2, &item, &err), CA_OK);
  ca_changes_open(&other, ledger, 1, CA_ANY_OUTCOME);
  CHECK_TEXT(row->key, "one");
  CHECK_TEXT(row->change.api->name, "disable");
  CHECK_INT(row->outcome, CA_PLANNED); /* as its batch was read */
  CHECK_INT(ca_changes_next(&other, &row, &err), CA_OK);
  CHECK_INT(row->outcome, CA_DONE);
  ca_changes_close(&other);
  for(i = 0; i < 300; i++)
    if(!CHECK(next_key()[0] == 'k'))
      break;
  CHECK_TEXT(next_key(), "late");
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  stop();
}

/* Texts of all lengths, one of them longer than a whole batch has room for. */
static void keeps_texts_whole(void)
{
  static char text[100000];
  struct ca_change change = { .api = op("update"), .account = "one" };
  const struct ca_change_row *row = NULL;
  int64_t item;
  int64_t number;
  size_t i;

  start("preview");
  item = add_item(1, "one");
  memset(text, 'x', sizeof(text) - 1);
  for(i = 0; i < 200; i++) {
    change.body = text + (i == 150 ? 0 : sizeof(text) - 1 - i * 20);
    CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
              CA_OK);
  }
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  for(i = 0; i < 200; i++) {
    CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK);
    if(!CHECK(row != NULL))
      break;
    CHECK_INT(row->number & CA_PLACE_MAX, i + 1);
    CHECK_INT(strlen(row->change.body), i == 150 ? sizeof(text) - 1 : i * 20);
  }
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  stop();
}

/* A query for every row would cost more than the row. */
static void asks_for_many_rows_at_once(void)
{
  const struct ca_change_row *row = NULL;
  int rows = 0;
  int i;

  start("preview");
  for(i = 0; i < 1000; i++) {
    char key[16];
    snprintf(key, sizeof(key), "k%d", i);
    add_both(1, key, "disable");
  }
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  while(CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_OK) && row)
    rows++;
  ca_changes_close(&cursor);
  CHECK_INT(rows, 1000);
  CHECK(sqlite3_stmt_status(ledger->statements[CA_SQL_CHANGES_FRESH],
                            SQLITE_STMTSTATUS_RUN, 0) <= 10);
  stop();
}

static void says_what_fails_and_ends(void)
{
  const struct ca_change_row *row = NULL;

  start("preview");
  add_both(1, "one", "disable");
  ca_ledger_close(ledger);
  scratch_do("ledger.db", "UPDATE operation SET name = 'toolkits.bend'");
  open_ledger();
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_USAGE);
  CHECK_TEXT(err.text, "no run has begun in the ledger");
  ca_changes_close(&cursor);
  CHECK_INT(ca_run_select(ledger, run_id, &err), CA_OK);
  ca_changes_open(&cursor, ledger, 1, CA_ANY_OUTCOME);
  CHECK_INT(ca_changes_next(&cursor, &row, &err), CA_SYSTEM);
  CHECK_HOLDS(err.text, "toolkits.bend");
  CHECK(row == NULL);
  CHECK_TEXT(next_key(), "");
  ca_changes_close(&cursor);
  stop();
}

int main(void)
{
  check_case("a set of one bulk", gives_a_set_of_one_bulk);
  check_case("one item, or one change", gives_one_item_or_one_change);
  check_case("across reads and writes", lives_across_reads_and_writes);
  check_case("texts are kept whole", keeps_texts_whole);
  check_case("many rows with one query", asks_for_many_rows_at_once);
  check_case("a failure is said and ends it", says_what_fails_and_ends);
  return check_end();
}
