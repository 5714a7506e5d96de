/* Writes a saved plan to a temporary file, which is renamed when it is
   complete and synced. Must not know: how lines look, how they are read. */
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

struct writer {
  struct ca_ledger *ledger;
  const char *path;
  char temporary[PATH_MAX]; /* in the same directory; "" before it exists */
  FILE *file;
  struct ca_buf text; /* of the current line */
  struct ca_buf tags; /* of the current item */
  struct ca_digest *digest;
  char sha[CA_DIGEST_SIZE]; /* of the lines */
  struct ca_err *err;

  bool redoes;                     /* it plans rows of another run again */
  struct ca_bulk bulk;             /* the one of the last item, */
  bool is_sealed;                  /* and whether it is sealed */
  struct ca_changes changes;       /* of all items, read beside them */
  const struct ca_change_row *row; /* the next one, NULL after the last */
  struct ca_plan_counts counts;
};

static enum ca_code fail(struct writer *writer)
{
  int cause = errno;

  return ca_err_set(
      writer->err, CA_SYSTEM, "cannot write the plan %s: %s%s", writer->path,
      strerror(cause),
      cause == ENOSPC || cause == EDQUOT || cause == EFBIG
          ? "; free some space or give a file elsewhere, then save it again"
          : "; give another file, then save it again");
}

/* ---- lines ---- */

static enum ca_code put_line(struct writer *writer,
                             const struct ca_plan_line *line)
{
  enum ca_code code = ca_line_write(line, &writer->text, writer->err);

  if(code)
    return code;
  if(line->kind != CA_PLAN_END)
    ca_digest_add(writer->digest, writer->text.data, writer->text.len);
  if(fwrite(writer->text.data, writer->text.len, 1, writer->file) != 1)
    return fail(writer);
  return CA_OK;
}

static enum ca_code put_head(struct writer *writer,
                             const struct ca_run_info *info, const char *run,
                             const struct ca_plan_salt *salt)
{
  struct ca_plan_line line = { .kind = CA_PLAN_HEAD };
  char made[32];

  ca_clock_format(ca_clock_wall_ms(ca_clock_system()), made, sizeof(made));
  line.number = CA_PLAN_VERSION;
  line.program = info->version;
  line.made = made;
  line.salt = salt->wrapped;
  line.salt_check = salt->check;
  line.head.run = run;
  line.head.script = info->script;
  line.head.word = info->word;
  line.head.script_sha = info->script_sha;
  line.head.params = ca_text_or_null(info->params) ? info->params : "{}";
  line.head.options = ca_text_or_null(info->options);
  line.head.cwd = ca_text_or_null(info->cwd);
  if(line.head.cwd && !ca_text_is_utf8(ca_slice_of(line.head.cwd), NULL))
    line.head.cwd = NULL;
  line.head.undoes = info->undoes;
  line.head.redoes = info->redoes;
  line.head.project = info->project;
  line.head.base_url = info->base_url;
  if(line.head.params[0] != '{' || !ca_line_can_hold(line.head.params) ||
     (line.head.options && !ca_line_can_hold(line.head.options)))
    return ca_err_set(writer->err, CA_USAGE,
                      "the plan cannot be saved: the parameters or the "
                      "options are not JSON");
  return put_line(writer, &line);
}

static enum ca_code put_bulk(struct writer *writer, const struct ca_bulk *bulk)
{
  const struct ca_plan_line line = { .kind = CA_PLAN_BULK,
                                     .number = bulk->number,
                                     .bulk = *bulk,
                                     .bulk_name = bulk->name,
                                     .bulk_kind = bulk->kind };

  writer->counts.bulks++;
  return put_line(writer, &line);
}

static const char *outcome_name(enum ca_outcome outcome)
{
  return outcome == CA_PLANNED ? NULL : ca_change_outcome_name(outcome);
}

static enum ca_code put_change(struct writer *writer,
                               const struct ca_change_row *row)
{
  char label[CA_API_LABEL_SIZE];
  const struct ca_plan_line line = { .kind = CA_PLAN_CHANGE,
                                     .operation = label,
                                     .cost =
                                         ca_api_class_name(row->change.cost),
                                     .outcome = outcome_name(row->outcome),
                                     .change = row->change };

  ca_api_label(row->change.api, label, sizeof(label));
  ca_line_count(&writer->counts, row->outcome, &row->change);
  return put_line(writer, &line);
}

static enum ca_code put_end(struct writer *writer, struct ca_slice api_key)
{
  char seal[CA_DIGEST_SIZE];
  const struct ca_plan_line line = { .kind = CA_PLAN_END,
                                     .end = true,
                                     .counts = writer->counts,
                                     .digest = writer->sha,
                                     .seal = seal };
  ca_digest_end(writer->digest, writer->sha);
  writer->digest = NULL;
  ca_plan_seal(api_key, writer->sha, seal);
  return put_line(writer, &line);
}

/* ---- the ledger's rows ---- */

/* The outcomes that a plan keeps. It leaves out the changes of an item whose
   planning failed. */
#define STORED (1U << CA_PLANNED | 1U << CA_SAME | 1U << CA_SKIPPED)

static enum ca_code next_change(struct writer *writer)
{
  return ca_changes_next(&writer->changes, &writer->row, writer->err);
}

/* Writes the changes of the item and skips those before it. */
static enum ca_code put_changes(struct writer *writer, int64_t item)
{
  enum ca_code code = CA_OK;

  while(!code && writer->row && writer->row->item <= item) {
    if(writer->row->item == item)
      code = put_change(writer, writer->row);
    if(!code)
      code = next_change(writer);
  }
  return code;
}

static enum ca_code read_tags(struct writer *writer, int64_t item)
{
  struct ca_query query;
  const char *tag;
  int64_t none;
  enum ca_code code = CA_OK;

  ca_buf_reset(&writer->tags);
  ca_history_open_tags_of(&query, writer->ledger, item, writer->err);
  while(!code && ca_history_next_tag(&query, &tag, &none))
    code = ca_buf_printf(&writer->tags, "%s ", tag);
  if(code)
    ca_err_set(writer->err, code, "out of memory");
  return ca_history_close(&query) ? query.code : code;
}

/* Writes the ledger's item with its changes, unless its bulk is not sealed. */
static enum ca_code put_item(struct writer *writer, int64_t number,
                             enum ca_outcome verdict)
{
  struct ca_plan_line line = { .kind = CA_PLAN_ITEM,
                               .outcome = outcome_name(verdict) };
  enum ca_code code =
      ca_read_item(writer->ledger, number, &line.item, writer->err);

  if(code)
    return code;
  if(line.item.bulk && line.item.bulk != writer->bulk.number) {
    code = ca_read_bulk(writer->ledger, line.item.bulk, &writer->bulk,
                        writer->err);
    writer->is_sealed = writer->bulk.number == line.item.bulk;
    writer->bulk.number = line.item.bulk;
    if(!code) /* that was a read: the item's texts are gone */
      code = ca_read_item(writer->ledger, number, &line.item, writer->err);
  }
  if(code || (line.item.bulk && !writer->is_sealed))
    return code;
  if(verdict == CA_FAILED && writer->redoes)
    return CA_OK; /* it stays open in that run */
  line.item_bulk = line.item.bulk;
  line.number = ++writer->counts.items;
  code = read_tags(writer, number);
  line.tags = ca_text_or_null(ca_buf_text(&writer->tags));
  if(!code)
    code = put_line(writer, &line);
  return code ? code : put_changes(writer, number);
}

static enum ca_code put_items(struct writer *writer)
{
  enum ca_outcome verdict = CA_PLANNED;
  struct ca_err why;
  int64_t item = 0;
  enum ca_code code = next_change(writer);

  while(!code) {
    ca_err_clear(&why);
    code = ca_outcome_of_item(writer->ledger, ++item, &verdict, &why);
    if(code == CA_USAGE)
      return CA_OK; /* there is no such item */
    if(code)
      *writer->err = why;
    else
      code = put_item(writer, item, verdict);
  }
  return code;
}

static enum ca_code put_rows(struct writer *writer)
{
  struct ca_bulk bulk = { 0 };
  enum ca_code code;

  do {
    code = ca_read_bulk(writer->ledger, bulk.number + 1, &bulk, writer->err);
    if(!code && bulk.number)
      code = put_bulk(writer, &bulk);
  } while(!code && bulk.number);
  ca_changes_open(&writer->changes, writer->ledger, -1, STORED);
  if(!code)
    code = put_items(writer);
  ca_changes_close(&writer->changes);
  return code;
}

/* ---- the file ---- */

static enum ca_code make_file(struct writer *writer)
{
  struct stat info;
  int fd;

  if(!stat(writer->path, &info) && !S_ISREG(info.st_mode))
    return ca_err_set(writer->err, CA_USAGE,
                      "cannot save the plan as %s: it is %s", writer->path,
                      S_ISDIR(info.st_mode) ? "a directory"
                                            : "not a plain file");
  errno = ENAMETOOLONG;
  if(strlen(writer->path) + 8 > sizeof(writer->temporary))
    return fail(writer);
  snprintf(writer->temporary, sizeof(writer->temporary), "%s.XXXXXX",
           writer->path);
  fd = mkostemp(writer->temporary, O_CLOEXEC);
  if(fd < 0) {
    writer->temporary[0] = '\0';
    return fail(writer);
  }
  writer->file = fdopen(fd, "w");
  if(!writer->file)
    (void)close(fd);
  return writer->file && !fchmod(fd, 0600) ? CA_OK : fail(writer);
}

/* Renames the file to its name, or removes it after an error. */
static enum ca_code end_file(struct writer *writer, enum ca_code code)
{
  char *slash;

  if(!code && (fflush(writer->file) || ca_os_sync(fileno(writer->file))))
    code = fail(writer);
  if(writer->file && fclose(writer->file) && !code)
    code = fail(writer);
  if(!code)
    code = ca_run_keep_plan(writer->ledger, writer->sha, writer->err);
  if(!code && rename(writer->temporary, writer->path))
    code = fail(writer);
  if(code) {
    if(writer->temporary[0])
      unlink(writer->temporary);
    return code;
  }
  slash = strrchr(writer->temporary, '/');
  if(slash) /* what is left is the directory */
    slash[slash == writer->temporary] = '\0';
  ca_os_sync_dir(slash ? writer->temporary : ".");
  return CA_OK;
}

enum ca_code ca_planfile_write(struct ca_ledger *ledger, const char *path,
                               const struct ca_run_info *info, const char *run,
                               struct ca_slice api_key, struct ca_err *err)
{
  unsigned char salt[CA_SALT_SIZE];
  struct ca_plan_salt wrapped;
  struct writer writer = {
    .path = path, .ledger = ledger, .err = err, .redoes = info->redoes != NULL
  };
  enum ca_code code;

  if(!api_key.len)
    return ca_err_set(err, CA_USAGE,
                      "a plan cannot be saved without an API key");
  code = ca_run_salt(ledger, salt, err);
  if(code)
    return code;
  ca_plan_salt_wrap(salt, run, api_key, &wrapped);
  ca_buf_wipe_memory(salt, sizeof(salt));
  ca_buf_init(&writer.text, CA_PLAN_LINE);
  ca_buf_init(&writer.tags, CA_PLAN_LINE);
  writer.digest = ca_digest_new();
  code = writer.digest ? make_file(&writer)
                       : ca_err_set(err, CA_NOMEM, "out of memory");
  if(!code)
    code = put_head(&writer, info, run, &wrapped);
  if(!code)
    code = put_rows(&writer);
  if(!code)
    code = put_end(&writer, api_key);
  code = end_file(&writer, code);
  ca_digest_free(writer.digest);
  ca_buf_clear(&writer.text);
  ca_buf_clear(&writer.tags);
  return code;
}
