/* Writes a saved plan to a temporary file, which is renamed when it is
   complete and synced. Must not know: how lines are read. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/os_sync.h"
#include "planfile/plan_private.h"
#include "base/json.h"
#include "base/json_write.h"

#define PIECE (64 * 1024)

struct writer {
  const char *path;
  char *temporary; /* in the same directory; NULL before it exists */
  int fd;
  struct ca_buf line;
  struct ca_json_write json; /* into line */
  struct ca_buf waiting;     /* complete lines that are not yet written */
  struct ca_digest *digest;
  struct ca_ledger *ledger;
  enum ca_code code; /* the first error */
  struct ca_err *err;

  bool *bulks; /* by number: is it sealed? */
  int bulks_size;
  int64_t item;              /* the ledger's item whose changes are written */
  struct ca_changes changes; /* of all items, read in parallel with them */
  const struct ca_change_row *row; /* the next one, NULL after the last */
  struct ca_plan_end counts;
};

static void fail(struct writer *writer, const char *doing, int cause)
{
  if(writer->code)
    return;
  writer->code = ca_err_set(
      writer->err, CA_SYSTEM, "cannot %s the plan %s: %s%s", doing,
      writer->path, strerror(cause),
      cause == ENOSPC || cause == EDQUOT || cause == EFBIG
          ? "; free some space or give a file elsewhere, then save it again"
          : "; give another file, then save it again");
}

/* ---- lines ---- */

/* Keeps the first error. */
static void keep(struct writer *writer, enum ca_code code)
{
  if(writer->code || !code)
    return;
  writer->code =
      code == CA_NOMEM
          ? ca_err_set(writer->err, code, "out of memory")
          : ca_err_set(writer->err, CA_USAGE,
                       "the plan cannot be saved: one of its lines is longer "
                       "than %u MiB",
                       CA_PLAN_LINE >> 20);
}

/* Adds a member, unless the text is NULL. */
static void add_text(struct writer *writer, const char *name,
                     const char *value)
{
  struct ca_slice slice = { value, value ? strlen(value) : 0 };

  if(!value)
    return;
  if(!writer->code && !ca_text_is_utf8(slice, NULL))
    writer->code = ca_err_set(writer->err, CA_USAGE,
                              "the plan cannot be saved: \"%s\" in one of its "
                              "lines is not valid UTF-8",
                              name);
  ca_json_write_text(&writer->json, name, value);
}

static void add_number(struct writer *writer, const char *name, int64_t value)
{
  ca_json_write_number(&writer->json, name, value);
}

/* Adds a member, unless the value is false. */
static void add_flag(struct writer *writer, const char *name, bool value)
{
  if(value)
    ca_json_write_bool(&writer->json, name, true);
}

/* Is the text one JSON value that can be part of a line unchanged? */
static bool is_json(const char *text)
{
  struct ca_slice value;

  return ca_json_find(text, strlen(text), "$", &value) != CA_JSON_BAD &&
         value.len == strlen(text) && !strpbrk(text, "\r\n") &&
         ca_text_is_utf8(value, NULL);
}

/* Adds a text that is JSON unchanged, so that people can read it; any other
   text as a string, under another name. */
static void add_json(struct writer *writer, const char *name,
                     const char *text_name, const char *value)
{
  if(value && is_json(value))
    ca_json_write_raw(&writer->json, name, value);
  else
    add_text(writer, text_name, value);
}

static void flush(struct writer *writer)
{
  const char *from = writer->waiting.data;
  size_t left = writer->waiting.len;

  while(!writer->code && left) {
    ssize_t done = write(writer->fd, from, left);
    if(done < 0 && errno == EINTR)
      continue;
    if(done < 0)
      fail(writer, "write", errno);
    else {
      from += done;
      left -= (size_t)done;
    }
  }
  ca_buf_reset(&writer->waiting);
}

static void begin_line(struct writer *writer)
{
  ca_buf_reset(&writer->line);
  ca_json_write_begin(&writer->json, &writer->line);
}

static void end_line(struct writer *writer)
{
  keep(writer, ca_json_write_end(&writer->json));
  if(writer->code)
    return;
  keep(writer,
       ca_buf_add(&writer->waiting, writer->line.data, writer->line.len));
  keep(writer, ca_buf_add(&writer->waiting, "\n", 1));
  ca_digest_add(writer->digest, writer->line.data, writer->line.len);
  ca_digest_add(writer->digest, "\n", 1);
  begin_line(writer);
  if(writer->waiting.len >= PIECE)
    flush(writer);
}

/* ---- what the lines say ---- */

static void add_params(struct writer *writer, const char *params)
{
  if(!params || !*params)
    params = "{}";
  if(!writer->code && (*params != '{' || !is_json(params)))
    writer->code =
        ca_err_set(writer->err, CA_USAGE,
                   "the plan cannot be saved: the parameters are not JSON");
  ca_json_write_raw(&writer->json, "params", params);
}

static void write_head(struct writer *writer, const struct ca_run_info *info,
                       const char *run, const struct ca_plan_seal *seal)
{
  char made[32];

  ca_clock_format(ca_clock_wall_ms(ca_clock_system()), made, sizeof(made));
  add_number(writer, "plan", CA_PLAN_VERSION);
  add_text(writer, "program", info->version ? info->version : "");
  add_text(writer, "run", run);
  add_text(writer, "made", made);
  add_text(writer, "script", info->script ? info->script : "");
  add_text(writer, "word", info->word ? info->word : "");
  add_text(writer, "script_sha", info->script_sha ? info->script_sha : "");
  add_params(writer, info->params);
  add_text(writer, "undoes", info->undoes);
  add_text(writer, "project", info->project ? info->project : "");
  add_text(writer, "base_url", info->base_url ? info->base_url : "");
  add_text(writer, "salt", seal->sealed);
  add_text(writer, "salt_check", seal->check);
  end_line(writer);
}

static bool write_bulk(void *ctx, const struct ca_bulk *bulk)
{
  struct writer *writer = ctx;
  bool *bulks;

  add_number(writer, "bulk", bulk->number);
  add_text(writer, "name", bulk->name);
  add_text(writer, "kind", bulk->kind);
  add_number(writer, "selected", bulk->selected);
  add_number(writer, "planned", bulk->planned);
  add_number(writer, "same", bulk->same);
  add_number(writer, "skipped", bulk->skipped);
  add_number(writer, "failed", bulk->failed);
  end_line(writer);
  bulks = realloc(writer->bulks, (size_t)bulk->number + 1);
  if(!bulks) {
    keep(writer, CA_NOMEM);
    return false;
  }
  writer->bulks = bulks;
  while(writer->bulks_size < bulk->number)
    bulks[writer->bulks_size++] = false;
  bulks[writer->bulks_size++] = true;
  writer->counts.bulks++;
  return !writer->code;
}

static void write_item(struct writer *writer, const struct ca_item *item,
                       enum ca_outcome verdict)
{
  add_number(writer, "item", ++writer->counts.items);
  add_number(writer, "bulk", item->bulk);
  add_text(writer, "key", item->key);
  add_text(writer, "account", item->account);
  add_text(writer, "user", item->user);
  add_text(writer, "toolkit", item->toolkit);
  add_text(writer, "scheme", item->scheme);
  add_text(writer, "status", item->status);
  add_text(writer, "status_reason", item->status_reason);
  add_text(writer, "alias", item->alias);
  add_flag(writer, "disabled", item->flags & CA_ITEM_DISABLED);
  add_flag(writer, "config_disabled", item->flags & CA_ITEM_CONFIG_DISABLED);
  add_flag(writer, "shared", item->flags & CA_ITEM_SHARED);
  add_flag(writer, "managed", item->flags & CA_ITEM_MANAGED);
  if(item->created_ms > 0)
    add_number(writer, "created_ms", item->created_ms);
  if(item->updated_ms > 0)
    add_number(writer, "updated_ms", item->updated_ms);
  add_json(writer, "row", "row_text", item->row);
  if(verdict != CA_PLANNED)
    add_text(writer, "verdict", ca_change_outcome_name(verdict));
  end_line(writer);
}

static void count_change(struct ca_plan_end *counts,
                         const struct ca_change_row *row)
{
  if(row->outcome == CA_SAME)
    counts->same++;
  else if(row->outcome == CA_SKIPPED)
    counts->skipped++;
  else {
    counts->changes++;
    counts->irreversible += row->change.cost == CA_IRREVERSIBLE;
  }
}

static void write_change(struct writer *writer,
                         const struct ca_change_row *row)
{
  const struct ca_change *change = &row->change;
  char label[CA_API_LABEL_SIZE];

  ca_api_label(change->api, label, sizeof(label));
  add_text(writer, "change", label);
  add_text(writer, "account", change->account ? change->account : "");
  add_text(writer, "class", ca_api_class_name(change->cost));
  if(row->outcome != CA_PLANNED)
    add_text(writer, "outcome", ca_change_outcome_name(row->outcome));
  add_flag(writer, "fallback", change->fallback);
  add_text(writer, "reason", change->reason);
  add_text(writer, "before", change->before);
  add_text(writer, "user", change->user);
  add_text(writer, "config", change->config);
  add_text(writer, "query", change->query);
  add_json(writer, "body", "body_text", change->body);
  add_text(writer, "fingerprint", change->fingerprint);
  add_json(writer, "image", "image_text", change->before_image);
  add_text(writer, "line", change->line);
  end_line(writer);
  count_change(&writer->counts, row);
}

static void write_end(struct writer *writer)
{
  char digest[CA_DIGEST_SIZE];

  add_flag(writer, "end", true);
  add_number(writer, "bulks", writer->counts.bulks);
  add_number(writer, "items", writer->counts.items);
  add_number(writer, "changes", writer->counts.changes);
  add_number(writer, "same", writer->counts.same);
  add_number(writer, "skipped", writer->counts.skipped);
  add_number(writer, "irreversible", writer->counts.irreversible);
  ca_digest_end(writer->digest, digest);
  writer->digest =
      ca_digest_new(); /* the last line is not part of the digest */
  if(!writer->digest) {
    keep(writer, CA_NOMEM);
    return;
  }
  add_text(writer, "sha256", digest);
  end_line(writer);
}

/* ---- the ledger's rows ---- */

/* The outcomes that a plan keeps. It leaves out the changes of an item whose
   planning failed. */
#define STORED (1U << CA_PLANNED | 1U << CA_SAME | 1U << CA_SKIPPED)

static bool is_stored(const struct writer *writer, int bulk)
{
  return !bulk || (bulk < writer->bulks_size && writer->bulks[bulk]);
}

static enum ca_code next_change(struct writer *writer)
{
  return ca_changes_next(&writer->changes, &writer->row, writer->err);
}

/* Writes the changes of the current item and skips those before it. */
static enum ca_code save_changes(struct writer *writer)
{
  enum ca_code code = CA_OK;

  while(!code && writer->row && writer->row->item < writer->item)
    code = next_change(writer);
  while(!code && writer->row && writer->row->item == writer->item) {
    write_change(writer, writer->row);
    code = writer->code ? writer->code : next_change(writer);
  }
  return code;
}

/* Writes one item with its changes. *more is false after the last item. */
static enum ca_code save_item(struct writer *writer, bool *more)
{
  struct ca_item item;
  struct ca_err why;
  enum ca_outcome verdict = CA_PLANNED;
  enum ca_code code =
      ca_outcome_of_item(writer->ledger, ++writer->item, &verdict, &why);

  *more = code != CA_USAGE; /* there is no such item */
  if(!*more)
    return CA_OK;
  if(!code)
    code = ca_read_item(writer->ledger, writer->item, &item, &why);
  if(code) {
    *writer->err = why;
    return code;
  }
  if(!is_stored(writer, item.bulk))
    return CA_OK;
  write_item(writer, &item, verdict);
  return writer->code ? writer->code : save_changes(writer);
}

static enum ca_code save_rows(struct writer *writer)
{
  bool more = true;
  enum ca_code code =
      ca_read_bulks(writer->ledger, write_bulk, writer, writer->err);

  ca_changes_open(&writer->changes, writer->ledger, -1, STORED);
  if(!code && !writer->code)
    code = next_change(writer);
  while(!code && !writer->code && more)
    code = save_item(writer, &more);
  ca_changes_close(&writer->changes);
  return code ? code : writer->code;
}

/* ---- the file ---- */

static void make_file(struct writer *writer)
{
  struct ca_buf name;
  struct stat info;

  if(!stat(writer->path, &info) && !S_ISREG(info.st_mode)) {
    writer->code =
        ca_err_set(writer->err, CA_USAGE,
                   "cannot save the plan as %s: it is %s", writer->path,
                   S_ISDIR(info.st_mode) ? "a directory" : "not a plain file");
    return;
  }
  ca_buf_init(&name, PATH_MAX + 16);
  keep(writer, ca_buf_printf(&name, "%s.XXXXXX", writer->path));
  if(!writer->code) {
    writer->fd = mkostemp(name.data, O_CLOEXEC);
    if(writer->fd < 0)
      fail(writer, "write", errno);
    else if(fchmod(writer->fd, 0600))
      fail(writer, "write", errno);
  }
  if(writer->fd >= 0)
    writer->temporary = name.data; /* moves there */
  else
    ca_buf_clear(&name);
}

static void sync_dir_of(const char *path)
{
  char dir[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) : 0;

  if(len >= sizeof(dir))
    return;
  ca_err_copy_text(dir, sizeof(dir), slash ? path : ".", slash ? len : 1);
  ca_os_sync_dir(len || !slash ? dir : "/");
}

/* Renames the file to its name, or removes it after an error. */
static void end_file(struct writer *writer)
{
  flush(writer);
  if(!writer->code && ca_os_sync(writer->fd))
    fail(writer, "write", errno);
  if(writer->fd >= 0 && close(writer->fd))
    fail(writer, "write", errno);
  if(!writer->code && rename(writer->temporary, writer->path))
    fail(writer, "write", errno);
  if(!writer->code)
    sync_dir_of(writer->path);
  else if(writer->temporary)
    unlink(writer->temporary);
  free(writer->temporary);
}

static enum ca_code make_seal(struct ca_ledger *ledger, const char *run,
                              struct ca_slice api_key,
                              struct ca_plan_seal *seal, struct ca_err *err)
{
  unsigned char salt[CA_SALT_SIZE];
  enum ca_code code;

  if(!api_key.len)
    return ca_err_set(err, CA_USAGE,
                      "a plan cannot be saved without an API key");
  code = ca_run_salt(ledger, salt, err);
  if(!code)
    ca_plan_seal(salt, run, api_key, seal);
  ca_buf_wipe_memory(salt, sizeof(salt));
  return code;
}

enum ca_code ca_planfile_write(struct ca_ledger *ledger, const char *path,
                               const struct ca_run_info *info, const char *run,
                               struct ca_slice api_key, struct ca_err *err)
{
  struct ca_plan_seal seal;
  struct ca_err why;
  struct writer writer = {
    .path = path, .fd = -1, .ledger = ledger, .err = &why
  };
  enum ca_code code = make_seal(ledger, run, api_key, &seal, err);

  if(code)
    return code;
  ca_err_clear(&why);
  ca_buf_init(&writer.line, CA_PLAN_LINE);
  ca_buf_init(&writer.waiting, CA_PLAN_LINE + PIECE + 1);
  begin_line(&writer);
  writer.digest = ca_digest_new();
  if(!writer.digest)
    keep(&writer, CA_NOMEM);
  else
    make_file(&writer);
  if(!writer.code)
    write_head(&writer, info, run, &seal);
  if(!writer.code)
    writer.code = save_rows(&writer);
  if(!writer.code)
    write_end(&writer);
  end_file(&writer);
  ca_digest_free(writer.digest);
  ca_buf_clear(&writer.line);
  ca_buf_clear(&writer.waiting);
  free(writer.bulks);
  if(writer.code && err)
    *err = why;
  return writer.code;
}
