/* Finds an earlier run with the same script and parameters: one that was
   interrupted, since starting this run could make the same changes twice; or
   one that has ended well, for --if-older.
   Must not know: curl, Lua values, how runs are carried out. */
#include <string.h>
#include "base/json.h"
#include "host/host.h"
#include "ledger/run_verdict.h"

static bool is_same(const char *a, const char *b)
{
  return !strcmp(a ? a : "", b ? b : "");
}

/* Is this member of the stored options the same, or missing in both? */
static bool has_same(const char *member, const char *one, const char *other)
{
  struct ca_slice name = ca_slice_of(member);
  struct ca_slice a = { NULL, 0 };
  struct ca_slice b = { NULL, 0 };
  bool in_one = ca_json_member_of(ca_slice_of(one), name, &a);
  bool in_other = ca_json_member_of(ca_slice_of(other), name, &b);
  return in_one == in_other && a.len == b.len &&
         (!a.len || !memcmp(a.data, b.data, a.len));
}

/* Are both the same secret? The ledger keeps { fingerprint, file }, and the
   file does not count. */
static bool same_secret(struct ca_slice a, struct ca_slice b)
{
  char one[40];
  char other[40];
  return ca_json_text(a.data, a.len, "$.fingerprint", one, sizeof(one)) &&
         ca_json_text(b.data, b.len, "$.fingerprint", other, sizeof(other)) &&
         !strcmp(one, other);
}

/* Does `all` have every parameter of `some`, with the same value? */
static bool holds(struct ca_slice all, struct ca_slice some)
{
  struct ca_json_scan scan = { some.data, some.data + some.len };
  struct ca_slice name;
  struct ca_slice value;
  struct ca_slice other;
  bool first = true;
  if(!ca_json_enter(&scan, '{'))
    return false;
  while(ca_json_member(&scan, &first, &name) == 1) {
    if(ca_json_value(&scan, &value) == CA_JSON_BAD ||
       !ca_json_member_of(all, name, &other))
      return false;
    if((value.len != other.len || memcmp(value.data, other.data, value.len)) &&
       !same_secret(value, other))
      return false;
  }
  return true;
}

static bool same_params(const char *a, const char *b)
{
  struct ca_slice one = ca_slice_of(a ? a : "");
  struct ca_slice other = ca_slice_of(b ? b : "");
  return holds(one, other) && holds(other, one);
}

/* Is it a run of the same script, even if the file has changed, with the
   same parameters and words? Options are not compared. */
static bool is_like(struct host *host, const struct ca_run_row *row)
{
  struct ca_run_info info;
  host_setup_describe_run(host, &info);
  return strcmp(row->name, host->run_id) != 0 &&
         is_same(row->info.script, info.script) &&
         same_params(row->info.params, info.params) &&
         has_same(HOST_SAVED_WORDS, row->info.options, info.options);
}

/* Can both runs have the same items? Not when the lock would let them run side
   by side. */
static bool overlaps(const struct host *host, const struct ca_run_row *row)
{
  struct host_shard other = { 0 };
  char text[16];
  const char *json = row->info.options ? row->info.options : "";
  if(ca_json_text(json, strlen(json), "$.shard", text, sizeof(text)))
    (void)host_options_table_shard(&other, text);
  return !host_lock_may_share(&host->options.shard, &other);
}

/* Did the row's run leave out items that this one takes? Only an option that
   is missing there, or the same here, leaves out none. */
static bool left_out_items(const struct host *host,
                           const struct ca_run_row *row)
{
  static const char *const narrowing[] = { "shard", "limit-items", "protect" };
  const char *here = ca_buf_text(&host->options_json);
  size_t i;
  for(i = 0; i < sizeof(narrowing) / sizeof(narrowing[0]); i++)
    if(!has_same(narrowing[i], row->info.options, "{}") &&
       !has_same(narrowing[i], row->info.options, here))
      return true;
  return ca_text_or_null(row->info.redoes) != NULL;
}

static enum ca_code read_interrupted(struct ca_ledger *ledger,
                                     const char *name, bool *interrupted,
                                     struct ca_err *err)
{
  struct ca_counts counts;
  enum ca_code code = ca_run_select(ledger, name, err);
  if(!code)
    code = ca_count_outcomes(ledger, -1, &counts, err);
  if(!code)
    *interrupted = ca_run_verdict_is_interrupted(&counts);
  return code;
}

/* A preview takes no lock, so the other run may still be running. */
static bool is_running(const struct host *host, const char *name)
{
  struct host_lock_holder holder;
  return host_lock_find_holder(host->state_dir, host->project, name, &holder);
}

/* Reads the newest run before the row's that may be the interrupted one.
   Returns false when there is none, or after an error. */
static bool next_like(struct host *host, struct ca_ledger *ledger,
                      struct ca_run_filter *filter, char *name, size_t size,
                      struct ca_err *err)
{
  struct ca_query query;
  struct ca_run_row row;
  bool found = false;
  ca_history_open_runs(&query, ledger, filter, err);
  while(!found && ca_history_next_run(&query, &row)) {
    found = row.sealed && is_like(host, &row) && overlaps(host, &row) &&
            ca_run_verdict_may_be_interrupted(&row);
    filter->before = row.id;
    if(found)
      ca_text_copy(name, size, row.name);
  }
  return !ca_history_close(&query) && found;
}

enum ca_code host_interrupted_find(struct host *host, char *name, size_t size,
                                   struct ca_err *err)
{
  struct ca_run_filter filter = { .project = host->project, .mode = "apply" };
  bool found = false;
  bool interrupted = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  name[0] = '\0';
  while(ledger && !err->code && !interrupted &&
        next_like(host, ledger, &filter, name, size, err))
    if(!read_interrupted(ledger, name, &interrupted, err) && interrupted)
      interrupted = !is_running(host, name);
  ca_ledger_close(ledger);
  if(!interrupted)
    name[0] = '\0';
  return err->code;
}

/* Was there a run of this whole job that ended with 0 at most as long ago as
   --if-older says? A time in the future is no age. */
static bool is_recent(struct host *host, const struct ca_run_row *row)
{
  int64_t age_ms = ca_clock_wall_ms(host->clock) - row->ended_ms;
  return row->ended_ms && !row->exit_code && age_ms >= 0 &&
         age_ms < host->options.if_older_ms && is_like(host, row) &&
         !left_out_items(host, row);
}

/* Is it one of the runs whose names stand in `undone`? If the row
   is an undo itself, the run that it took back is added. Newer runs come
   first, so an undo is seen before its run. */
static bool is_undone(struct ca_buf *undone, const struct ca_run_row *row)
{
  const char *undoes = ca_text_or_null(row->info.undoes);
  if(undoes && !strcmp(row->info.mode, "apply") &&
     !ca_run_verdict_is_empty(row))
    (void)!ca_buf_add_text(undone, undoes);
  return undoes || strstr(ca_buf_text(undone), row->name);
}

bool host_interrupted_find_recent(struct host *host, bool reads, char *name,
                                  size_t size)
{
  struct ca_run_filter filter = { .project = host->project,
                                  .mode = reads ? NULL : "apply" };
  struct ca_query query;
  struct ca_run_row row;
  struct ca_err err;
  struct ca_buf undone;
  bool found = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, &err);
  found = false;
  if(!ledger)
    return false;
  ca_buf_init(&undone, 1u << 20);
  if(!host_options_saved_json(&host->options, &host->options_json)) {
    ca_history_open_runs(&query, ledger, &filter, &err);
    while(!found && ca_history_next_run(&query, &row)) {
      found = !is_undone(&undone, &row) && is_recent(host, &row);
      if(found)
        ca_text_copy(name, size, row.name);
    }
    (void)ca_history_close(&query);
  }
  ca_buf_clear(&undone);
  ca_buf_clear(&host->options_json); /* host_run_begin writes it anew */
  ca_ledger_close(ledger);
  return found;
}
