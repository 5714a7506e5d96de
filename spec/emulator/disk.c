/* --db: the state in an SQLite file, written as it changes.
   It must not know operations or HTTP. */
#include "disk.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct emu_disk {
  sqlite3 *db;
  sqlite3_stmt *put_account;
  sqlite3_stmt *put_config;
  sqlite3_stmt *put_change;
  sqlite3_stmt *put_meta;
  size_t changes_kept;
  int64_t advanced_kept;
};

static const char schema[] =
    "PRAGMA locking_mode=EXCLUSIVE;" /* two emulators would fight over it */
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=OFF;"
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS auth_config(number INTEGER PRIMARY KEY,"
    " id TEXT, uuid TEXT, toolkit TEXT, scheme TEXT, name TEXT,"
    " credentials TEXT, tools TEXT, shared TEXT, proxy TEXT,"
    " managed INTEGER, disabled INTEGER, deleted INTEGER, router INTEGER,"
    " created_ms INTEGER, updated_ms INTEGER);"
    "CREATE TABLE IF NOT EXISTS account(slot INTEGER PRIMARY KEY, id TEXT,"
    " auth_config INTEGER, user_id TEXT, alias TEXT, status INTEGER,"
    " flags INTEGER, reason TEXT, created_ms INTEGER, updated_ms INTEGER,"
    " expires_ms INTEGER, val TEXT, acl TEXT, token TEXT, code TEXT,"
    " callback_url TEXT, session TEXT, session_until_ms INTEGER);"
    "CREATE TABLE IF NOT EXISTS change(seq INTEGER PRIMARY KEY,"
    " time_ms INTEGER, op TEXT, slot INTEGER, auth_config INTEGER,"
    " before INTEGER, after INTEGER);";

static void trouble(const struct emu_disk *disk, const struct emu *emu)
{
  fprintf(stderr, "composio-emulator: --db %s: %s\n", emu->options.db,
          sqlite3_errmsg(disk->db));
}

static sqlite3_stmt *prepare(struct emu_disk *disk, const char *sql)
{
  sqlite3_stmt *statement = NULL;
  if(sqlite3_prepare_v2(disk->db, sql, -1, &statement, NULL) != SQLITE_OK)
    return NULL;
  return statement;
}

static bool ready(struct emu_disk *disk)
{
  if(sqlite3_exec(disk->db, schema, NULL, NULL, NULL) != SQLITE_OK)
    return false;
  disk->put_account = prepare(disk, "INSERT OR REPLACE INTO account VALUES"
                                    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  disk->put_config = prepare(disk, "INSERT OR REPLACE INTO auth_config VALUES"
                                   "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  disk->put_change =
      prepare(disk, "INSERT OR REPLACE INTO change VALUES(?,?,?,?,?,?,?)");
  disk->put_meta = prepare(disk, "INSERT OR REPLACE INTO meta VALUES(?,?)");
  return disk->put_account && disk->put_config && disk->put_change &&
         disk->put_meta;
}

static void text(sqlite3_stmt *statement, int at, const char *value)
{
  sqlite3_bind_text(statement, at, value, -1, SQLITE_STATIC);
}

static void number(sqlite3_stmt *statement, int at, int64_t value)
{
  sqlite3_bind_int64(statement, at, value);
}

static bool step(sqlite3_stmt *statement)
{
  int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return code == SQLITE_DONE;
}

static bool put_account(struct emu_disk *disk, struct emu *emu, uint32_t slot)
{
  struct emu_account *account = emu_store_at(&emu->store, slot);
  const struct emu_flow *flow = account->flow;
  sqlite3_stmt *put = disk->put_account;
  account->flags &= (uint8_t)~EMU_DIRTY;
  number(put, 1, slot);
  text(put, 2, account->id);
  number(put, 3, account->config);
  text(put, 4, emu_store_user_name(&emu->store, account));
  text(put, 5, account->alias);
  number(put, 6, account->status);
  number(put, 7, account->flags);
  text(put, 8, account->reason);
  number(put, 9, account->created_ms);
  number(put, 10, account->updated_ms);
  number(put, 11, account->expires_ms);
  text(put, 12, account->val);
  text(put, 13, account->acl);
  text(put, 14, flow ? flow->token : NULL);
  text(put, 15, flow ? flow->code : NULL);
  text(put, 16, flow ? flow->callback_url : NULL);
  text(put, 17, flow ? flow->session : NULL);
  number(put, 18, flow ? flow->session_until_ms : 0);
  return step(put);
}

static bool put_config(struct emu_disk *disk, const struct emu *emu,
                       uint32_t index)
{
  const struct emu_config *config = emu->store.configs[index];
  sqlite3_stmt *put = disk->put_config;
  number(put, 1, index);
  text(put, 2, config->id);
  text(put, 3, config->uuid);
  text(put, 4, config->toolkit->slug);
  text(put, 5, config->scheme->name);
  text(put, 6, config->name);
  text(put, 7, config->credentials);
  text(put, 8, config->tools);
  text(put, 9, config->shared);
  text(put, 10, config->proxy);
  number(put, 11, config->managed);
  number(put, 12, config->disabled);
  number(put, 13, config->deleted);
  number(put, 14, config->router);
  number(put, 15, config->created_ms);
  number(put, 16, config->updated_ms);
  return step(put);
}

static bool put_change(struct emu_disk *disk, const struct emu *emu,
                       size_t index)
{
  const struct emu_change *change = &emu->journal.changes[index];
  sqlite3_stmt *put = disk->put_change;
  number(put, 1, (int64_t)index + 1);
  number(put, 2, change->time_ms);
  text(put, 3, change->op);
  number(put, 4, change->slot);
  number(put, 5, change->config);
  number(put, 6, change->before);
  number(put, 7, change->after);
  return step(put);
}

static bool put_meta(struct emu_disk *disk, const char *name, int64_t value)
{
  text(disk->put_meta, 1, name);
  number(disk->put_meta, 2, value);
  return step(disk->put_meta);
}

static bool write_all(struct emu_disk *disk, struct emu *emu)
{
  bool good = true;
  for(uint32_t i = 0;
      good && emu->store.configs_dirty && i < emu->store.config_count; i++)
    good = put_config(disk, emu, i);
  for(size_t i = 0; good && i < emu->store.dirty_count; i++)
    good = put_account(disk, emu, emu->store.dirty[i]);
  for(size_t i = disk->changes_kept; good && i < emu->journal.change_count;
      i++)
    good = put_change(disk, emu, i);
  return good && put_meta(disk, "seeded", 1) &&
         put_meta(disk, "advanced_ms", emu->clock.advanced_ms) &&
         put_meta(disk, "floor_ms", emu->clock.floor_ms);
}

void emu_disk_save(struct emu *emu)
{
  struct emu_disk *disk = emu->disk;
  if(!disk || (!emu->store.dirty_count && !emu->store.configs_dirty &&
               disk->changes_kept == emu->journal.change_count &&
               disk->advanced_kept == emu->clock.advanced_ms))
    return;
  bool good = sqlite3_exec(disk->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
              write_all(disk, emu) &&
              sqlite3_exec(disk->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
  if(!good) {
    trouble(disk, emu);
    fprintf(stderr, "composio-emulator: the file no longer follows\n");
    exit(1);
  }
  emu->store.dirty_count = 0;
  emu->store.configs_dirty = false;
  disk->changes_kept = emu->journal.change_count;
  disk->advanced_kept = emu->clock.advanced_ms;
}

static const char *column(sqlite3_stmt *rows, int at)
{
  return (const char *)sqlite3_column_text(rows, at);
}

/* A file that something else wrote must not be walked into. */
static void not_ours(const struct emu *emu)
{
  fprintf(stderr, "composio-emulator: --db %s: not written by this program\n",
          emu->options.db);
  exit(1);
}

static void read_config(struct emu *emu, sqlite3_stmt *row)
{
  for(int i = 1; i < 6; i++)
    if(!column(row, i))
      not_ours(emu);
  if(!emu_toolkit_parse(column(row, 3)) || !emu_scheme_parse(column(row, 4)))
    not_ours(emu);
  struct emu_config *config =
      emu_store_add_config(&emu->store, column(row, 1));
  snprintf(config->uuid, sizeof(config->uuid), "%s", column(row, 2));
  config->toolkit = emu_toolkit_parse(column(row, 3));
  config->scheme = emu_scheme_parse(column(row, 4));
  config->name = emu_copy(column(row, 5));
  config->credentials = emu_copy(column(row, 6));
  config->tools = emu_copy(column(row, 7));
  config->shared = emu_copy(column(row, 8));
  config->proxy = emu_copy(column(row, 9));
  config->managed = sqlite3_column_int(row, 10) != 0;
  config->disabled = sqlite3_column_int(row, 11) != 0;
  config->deleted = sqlite3_column_int(row, 12) != 0;
  config->router = sqlite3_column_int(row, 13) != 0;
  config->created_ms = sqlite3_column_int64(row, 14);
  config->updated_ms = sqlite3_column_int64(row, 15);
}

static void read_flow(struct emu *emu, struct emu_account *account,
                      sqlite3_stmt *row)
{
  if(!column(row, 13))
    return;
  struct emu_flow *flow = account->flow = emu_alloc(sizeof(*flow));
  snprintf(flow->token, sizeof(flow->token), "%s", column(row, 13));
  snprintf(flow->code, sizeof(flow->code), "%s", column(row, 14));
  flow->callback_url = emu_copy(column(row, 15));
  snprintf(flow->session, sizeof(flow->session), "%s", column(row, 16));
  flow->session_until_ms = sqlite3_column_int64(row, 17);
  const char *keys[] = { flow->token, flow->code, flow->session };
  for(int i = 0; i < 3; i++)
    if(*keys[i])
      emu_store_token(&emu->store, keys[i], account);
}

static void read_account(struct emu *emu, sqlite3_stmt *row)
{
  if(!column(row, 1) || !column(row, 3) ||
     (size_t)sqlite3_column_int64(row, 2) >= emu->store.config_count ||
     (uint64_t)sqlite3_column_int64(row, 5) >= EMU_STATUSES)
    not_ours(emu);
  uint32_t user = emu_store_user(&emu->store, column(row, 3));
  struct emu_account *account = emu_store_new(
      &emu->store, column(row, 1), (uint32_t)sqlite3_column_int(row, 2), user,
      sqlite3_column_int64(row, 8));
  account->alias = emu_copy(column(row, 4));
  account->status = (uint8_t)sqlite3_column_int(row, 5);
  account->flags = (uint8_t)sqlite3_column_int(row, 6);
  account->reason = emu_store_reason(&emu->store, column(row, 7));
  account->updated_ms = sqlite3_column_int64(row, 9);
  account->expires_ms = sqlite3_column_int64(row, 10);
  account->val = emu_copy(column(row, 11));
  account->acl = emu_copy(column(row, 12));
  read_flow(emu, account, row);
  emu_store_enter_bulk(&emu->store, account);
}

static void read_change(struct emu *emu, sqlite3_stmt *row)
{
  struct emu_change change = {
    .time_ms = sqlite3_column_int64(row, 1),
    .op = emu_store_reason(&emu->store, column(row, 2)),
    .slot = (uint32_t)sqlite3_column_int64(row, 3),
    .config = (uint32_t)sqlite3_column_int64(row, 4),
    .before = (uint8_t)sqlite3_column_int(row, 5),
    .after = (uint8_t)sqlite3_column_int(row, 6),
  };
  if((change.slot != EMU_NONE && change.slot >= emu->store.accounts) ||
     change.config >= emu->store.config_count)
    not_ours(emu);
  emu_journal_change(&emu->journal, &change);
}

static bool read_rows(struct emu *emu, const char *sql,
                      void (*read)(struct emu *emu, sqlite3_stmt *row))
{
  sqlite3_stmt *rows = prepare(emu->disk, sql);
  int code = SQLITE_ERROR;
  while(rows && (code = sqlite3_step(rows)) == SQLITE_ROW)
    read(emu, rows);
  sqlite3_finalize(rows);
  return code == SQLITE_DONE;
}

static void read_meta(struct emu *emu, sqlite3_stmt *row)
{
  const char *name = column(row, 0);
  int64_t value = sqlite3_column_int64(row, 1);
  if(!strcmp(name, "advanced_ms"))
    emu->clock.advanced_ms = emu->disk->advanced_kept = value;
  else if(!strcmp(name, "floor_ms"))
    emu->clock.floor_ms = value;
}

static enum emu_disk_found load(struct emu *emu)
{
  sqlite3_stmt *seeded =
      prepare(emu->disk, "SELECT 1 FROM meta WHERE name='seeded'");
  bool fresh = sqlite3_step(seeded) != SQLITE_ROW;
  sqlite3_finalize(seeded);
  emu->store.keep = true;
  if(fresh)
    return EMU_DISK_FRESH;
  emu->store.keep = false; /* what is read is not to be written back */
  bool good =
      read_rows(emu, "SELECT * FROM meta", read_meta) &&
      read_rows(emu, "SELECT * FROM auth_config ORDER BY number",
                read_config) &&
      read_rows(emu, "SELECT * FROM account ORDER BY slot", read_account) &&
      read_rows(emu, "SELECT * FROM change ORDER BY seq", read_change);
  emu->store.keep = true;
  if(!good) {
    trouble(emu->disk, emu);
    return EMU_DISK_FAILED;
  }
  emu_store_sort_updated(&emu->store);
  emu->disk->changes_kept = emu->journal.change_count;
  return EMU_DISK_LOADED;
}

enum emu_disk_found emu_disk_open(struct emu *emu)
{
  if(!strcmp(emu->options.db, ":memory:"))
    return EMU_DISK_FRESH;
  emu->disk = emu_alloc(sizeof(*emu->disk));
  int code = sqlite3_open(emu->options.db, &emu->disk->db);
  if(code == SQLITE_OK && ready(emu->disk))
    return load(emu);
  trouble(emu->disk, emu);
  return EMU_DISK_FAILED;
}

void emu_disk_close(struct emu *emu)
{
  struct emu_disk *disk = emu->disk;
  if(!disk)
    return;
  sqlite3_finalize(disk->put_account);
  sqlite3_finalize(disk->put_config);
  sqlite3_finalize(disk->put_change);
  sqlite3_finalize(disk->put_meta);
  sqlite3_close(disk->db);
  free(disk);
  emu->disk = NULL;
}

void emu_disk_wipe(struct emu *emu)
{
  if(!emu->disk)
    return;
  sqlite3_exec(emu->disk->db,
               "DELETE FROM meta; DELETE FROM auth_config;"
               "DELETE FROM account; DELETE FROM change;",
               NULL, NULL, NULL);
  emu->disk->changes_kept = 0;
}
