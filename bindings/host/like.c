/* Finds an earlier run that is like this one and stands interrupted: starting
   this one could do twice what that one has done.
   Must not know: curl, Lua values, how runs are carried out. */
#include <string.h>
#include "base/json.h"
#include "host/host.h"

/* Finds the words after "--" in the stored options; empty without any. */
static struct ca_slice words_of(const char *options)
{
  struct ca_slice none = { "", 0 };
  struct ca_json_scan scan = { options, options + strlen(options) };
  struct ca_slice name;
  struct ca_slice value;
  bool first = true;
  if(!ca_json_enter(&scan, '{'))
    return none;
  while(ca_json_member(&scan, &first, &name) == 1) {
    if(ca_json_value(&scan, &value) == CA_JSON_BAD)
      return none;
    if(ca_slice_is(name, HOST_SAVED_WORDS))
      return value;
  }
  return none;
}

static bool is_text(const char *a, const char *b)
{
  return !strcmp(a ? a : "", b ? b : "");
}

/* Is it a run of the same script, whatever the file holds now, with the same
   parameters and words? Other options do not count. */
static bool is_like(struct host *host, const struct ca_run_row *row)
{
  struct ca_slice words = words_of(row->info.options ? row->info.options : "");
  struct ca_run_info info;
  struct ca_slice own;
  host_setup_describe_run(host, &info);
  own = words_of(info.options);
  return row->sealed && strcmp(row->name, host->run_id) != 0 &&
         is_text(row->info.script, info.script) &&
         is_text(row->info.params, info.params) && words.len == own.len &&
         !memcmp(words.data, own.data, own.len);
}

static bool has_unknown_create(const struct ca_counts *counts)
{
  size_t i;
  for(i = 0; i < counts->operation_count; i++) {
    const struct ca_api *api =
        ca_api_find("connected_accounts", counts->operations[i].name);
    if(api && !ca_api_has_id(api) && counts->operations[i].changes[CA_UNKNOWN])
      return true;
  }
  return false;
}

/* Has the run changes without an outcome, or creates that may have been
   carried out? What failed, and people who are waited for, do not count. */
static enum ca_code is_open(struct ca_ledger *ledger, const char *name,
                            bool *open, struct ca_err *err)
{
  struct ca_counts counts;
  size_t i;
  enum ca_code code = ca_run_select(ledger, name, err);
  if(!code)
    code = ca_count_outcomes(ledger, -1, &counts, err);
  if(code)
    return code;
  *open = has_unknown_create(&counts);
  for(i = 0; i < counts.operation_count; i++) {
    const int64_t *changes = counts.operations[i].changes;
    *open = *open || changes[CA_PLANNED] || changes[CA_INTENDED] ||
            changes[CA_NOT_TRIED];
  }
  return CA_OK;
}

/* Do the run's stored counts leave room for a change that is open? */
static bool may_be_open(const struct ca_run_row *row)
{
  return !row->has_counts || row->changes[CA_PLANNED] ||
         row->changes[CA_INTENDED] || row->changes[CA_NOT_TRIED] ||
         row->changes[CA_UNKNOWN];
}

/* A preview holds no lock: the other run may be going on. */
static bool is_running(const struct host *host, const char *name)
{
  struct host_lock_holder holder;
  return host_lock_find_holder(host->state_dir, host->project, &holder) &&
         !strcmp(holder.run, name);
}

/* Reads the newest run before the row's that may be the wanted one. Returns
   false when there is none left, or after an error. */
static bool next_like(struct host *host, struct ca_ledger *ledger,
                      struct ca_run_filter *filter, char *name, size_t size,
                      struct ca_err *err)
{
  struct ca_query query;
  struct ca_run_row row;
  bool found = false;
  ca_history_open_runs(&query, ledger, filter, err);
  while(!found && ca_history_next_run(&query, &row)) {
    found = is_like(host, &row) && may_be_open(&row);
    filter->before = row.id;
    if(found)
      ca_text_copy(name, size, row.name);
  }
  return !ca_history_close(&query) && found;
}

enum ca_code host_like_find(struct host *host, char *name, size_t size,
                            struct ca_err *err)
{
  struct ca_run_filter filter = { .project = host->project, .mode = "apply" };
  bool found = false;
  bool open = false;
  struct ca_ledger *ledger =
      ca_ledger_open_readonly(host->state_dir, host->clock, &found, err);
  name[0] = '\0';
  while(ledger && !err->code && !open &&
        next_like(host, ledger, &filter, name, size, err))
    if(!is_open(ledger, name, &open, err) && open)
      open = !is_running(host, name);
  ca_ledger_close(ledger);
  if(!open)
    name[0] = '\0';
  return err->code;
}
