/* Reads a saved plan strictly, line by line, so that memory does not grow with
   the plan. A file that differs from what was saved is refused. Must not know:
   what is done with the plan. */
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "planfile/plan_private.h"
#include "wire/request.h"
#include "base/json.h"

struct reader {
  struct ca_lines lines;
  const struct ca_plan_visitor *visitor;
  void *ctx;
  char *room; /* for texts of the line */
  size_t room_size;
  struct ca_digest *digest;

  /* the position in the plan */
  bool *bulks; /* by number: was there a line for it? */
  size_t bulks_size;
  bool any_change; /* the item has a change that a fallback can follow */
  struct ca_plan_end seen;
};

static enum ca_code bad_line(const struct reader *reader, struct ca_err *err,
                             const char *why)
{
  return ca_line_bad(&reader->lines, why, err);
}

static enum ca_code make_room(struct reader *reader, struct ca_err *err)
{
  size_t size = reader->lines.line.len + 1;
  char *room;

  if(size <= reader->room_size)
    return CA_OK;
  room = realloc(reader->room, size);
  if(!room)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  reader->room = room;
  reader->room_size = size;
  return CA_OK;
}

static enum ca_code members(struct reader *reader,
                            const struct ca_plan_field *fields, size_t count,
                            struct ca_err *err)
{
  struct ca_slice line = { reader->lines.line.data, reader->lines.line.len };
  char why[160];
  enum ca_code code = make_room(reader, err);

  if(code)
    return code;
  return ca_line_members(line, fields, count, reader->room, why)
             ? CA_OK
             : bad_line(reader, err, why);
}

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

/* ---- the head ---- */

/* Refuses another version of the format before anything else is checked. */
static enum ca_code check_layout(struct reader *reader, struct ca_slice value,
                                 struct ca_err *err)
{
  char said[48];

  ca_text_printable(said, sizeof(said), value.data, value.len);
  if(strtoll(said, NULL, 10) == CA_PLAN_VERSION)
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "the plan %s has layout %s, this composio-lua reads %d: "
                    "apply it with the version that saved it, or save it "
                    "again",
                    reader->lines.path, said, CA_PLAN_VERSION);
}

/* Texts of a head that is told are the line's. */
static char *borrow(const char *text)
{
  return (char *)(uintptr_t)text;
}

struct head_texts {
  const char *run, *script, *word, *script_sha, *params, *project;
  const char *base_url, *undoes;
};

static void take_texts(struct ca_plan_head *head,
                       const struct head_texts *texts)
{
  head->run = borrow(texts->run);
  head->script = borrow(texts->script);
  head->word = borrow(texts->word);
  head->script_sha = borrow(texts->script_sha);
  head->params = borrow(texts->params);
  head->project = borrow(texts->project);
  head->base_url = borrow(texts->base_url);
  head->undoes = borrow(texts->undoes);
}

static enum ca_code report_head(struct reader *reader,
                                struct ca_plan_head *head, const char *made,
                                const char *sealed, const char *check,
                                struct ca_err *err)
{
  struct ca_plan_seal seal;
  int64_t made_ms;

  if(!ca_clock_parse(made, &made_ms))
    return bad_line(reader, err, "\"made\" is not a time");
  if(head->params[0] != '{')
    return bad_line(reader, err, "\"params\" is not an object");
  if(strlen(sealed) != sizeof(seal.sealed) - 1 ||
     strlen(check) != sizeof(seal.check) - 1)
    return bad_line(reader, err, "\"salt\" has the wrong length");
  memcpy(seal.sealed, sealed, sizeof(seal.sealed));
  memcpy(seal.check, check, sizeof(seal.check));
  return reader->visitor->head
             ? reader->visitor->head(reader->ctx, head, &seal, err)
             : CA_OK;
}

static enum ca_code read_head(struct reader *reader, struct ca_err *err)
{
  struct ca_plan_head head = { .run = NULL };
  struct head_texts texts = { .run = NULL };
  const char *program = NULL, *made = NULL, *sealed = NULL, *check = NULL;
  int64_t version = 0;
  const struct ca_plan_field fields[] = {
    { "plan", CA_PLAN_NUMBER, true, &version },
    { "program", CA_PLAN_TEXT, true, &program },
    { "run", CA_PLAN_TEXT, true, &texts.run },
    { "script", CA_PLAN_TEXT, true, &texts.script },
    { "word", CA_PLAN_TEXT, true, &texts.word },
    { "script_sha", CA_PLAN_TEXT, true, &texts.script_sha },
    { "params", CA_PLAN_JSON, true, &texts.params },
    { "project", CA_PLAN_TEXT, true, &texts.project },
    { "base_url", CA_PLAN_TEXT, true, &texts.base_url },
    { "undoes", CA_PLAN_TEXT, false, &texts.undoes },
    { "made", CA_PLAN_TEXT, true, &made },
    { "salt", CA_PLAN_TEXT, true, &sealed },
    { "salt_check", CA_PLAN_TEXT, true, &check },
  };
  enum ca_code code = members(reader, fields, COUNT(fields), err);

  if(code)
    return code;
  take_texts(&head, &texts);
  return report_head(reader, &head, made, sealed, check, err);
}

/* ---- bulks and items ---- */

#define BULK_MOST 1000000

/* Was there a line for this bulk? */
static bool is_wanted(const struct reader *reader, int64_t number)
{
  return !number ||
         ((size_t)number < reader->bulks_size && reader->bulks[number]);
}

static enum ca_code remember_bulk(struct reader *reader, int64_t number,
                                  struct ca_err *err)
{
  size_t size = (size_t)number + 1;
  bool *bulks = realloc(reader->bulks, size * sizeof(*bulks));

  if(!bulks)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  memset(bulks + reader->bulks_size, 0, size - reader->bulks_size);
  bulks[number] = true;
  reader->bulks = bulks;
  reader->bulks_size = size;
  return CA_OK;
}

static enum ca_code read_bulk(struct reader *reader, struct ca_err *err)
{
  struct ca_bulk bulk = { .number = 0 };
  const char *name = NULL, *kind = NULL;
  int64_t number = 0;
  const struct ca_plan_field fields[] = {
    { "bulk", CA_PLAN_NUMBER, true, &number },
    { "name", CA_PLAN_TEXT, true, &name },
    { "kind", CA_PLAN_TEXT, true, &kind },
    { "selected", CA_PLAN_NUMBER, true, &bulk.selected },
    { "planned", CA_PLAN_NUMBER, true, &bulk.planned },
    { "same", CA_PLAN_NUMBER, true, &bulk.same },
    { "skipped", CA_PLAN_NUMBER, true, &bulk.skipped },
    { "failed", CA_PLAN_NUMBER, true, &bulk.failed },
  };
  enum ca_code code = members(reader, fields, COUNT(fields), err);

  if(code)
    return code;
  if(reader->seen.items)
    return bad_line(reader, err, "a bulk follows the first item");
  if(number < 1 || number > BULK_MOST || (size_t)number < reader->bulks_size)
    return bad_line(reader, err, "bulks are not numbered in ascending order");
  if(strlen(name) >= sizeof(bulk.name) || strlen(kind) >= sizeof(bulk.kind))
    return bad_line(reader, err, "the bulk's name or kind is too long");
  code = remember_bulk(reader, number, err);
  if(code)
    return code;
  bulk.number = (int)number;
  ca_err_copy_text(bulk.name, sizeof(bulk.name), name, strlen(name));
  ca_err_copy_text(bulk.kind, sizeof(bulk.kind), kind, strlen(kind));
  reader->seen.bulks++;
  return reader->visitor->bulk ? reader->visitor->bulk(reader->ctx, &bulk, err)
                               : CA_OK;
}

/* Returns the outcome of this name, or CA_OUTCOME_COUNT. */
static int find_outcome(const char *name)
{
  int i;

  for(i = 0; i < CA_OUTCOME_COUNT; i++)
    if(!strcmp(ca_change_outcome_name((enum ca_outcome)i), name))
      break;
  return i;
}

/* Reads the outcome that an item may have after planning. */
static bool take_verdict(const char *name, enum ca_outcome *verdict)
{
  int outcome = name ? find_outcome(name) : CA_PLANNED;

  *verdict = (enum ca_outcome)outcome;
  return !name || outcome == CA_FAILED || outcome == CA_SKIPPED ||
         outcome == CA_PENDING;
}

static enum ca_code report_item(struct reader *reader,
                                const struct ca_item *item,
                                const char *verdict_name, struct ca_err *err)
{
  enum ca_outcome verdict;

  if(!is_wanted(reader, item->bulk))
    return bad_line(reader, err, "no earlier line has the item's bulk");
  if(!*item->key)
    return bad_line(reader, err, "the item's key is empty");
  if(!take_verdict(verdict_name, &verdict))
    return bad_line(reader, err,
                    "\"verdict\" is not one that a plan can have");
  reader->any_change = false;
  reader->seen.items++;
  return reader->visitor->item
             ? reader->visitor->item(reader->ctx, item, verdict, err)
             : CA_OK;
}

static enum ca_code read_item(struct reader *reader, struct ca_err *err)
{
  struct ca_item item = { .bulk = 0 };
  const char *verdict = NULL, *row_text = NULL;
  bool disabled = false, config = false, shared = false, managed = false;
  int64_t number = 0, bulk = 0;
  const struct ca_plan_field fields[] = {
    { "item", CA_PLAN_NUMBER, true, &number },
    { "bulk", CA_PLAN_NUMBER, true, &bulk },
    { "key", CA_PLAN_TEXT, true, &item.key },
    { "account", CA_PLAN_TEXT, false, &item.account },
    { "user", CA_PLAN_TEXT, false, &item.user },
    { "toolkit", CA_PLAN_TEXT, false, &item.toolkit },
    { "scheme", CA_PLAN_TEXT, false, &item.scheme },
    { "status", CA_PLAN_TEXT, false, &item.status },
    { "status_reason", CA_PLAN_TEXT, false, &item.status_reason },
    { "alias", CA_PLAN_TEXT, false, &item.alias },
    { "disabled", CA_PLAN_FLAG, false, &disabled },
    { "config_disabled", CA_PLAN_FLAG, false, &config },
    { "shared", CA_PLAN_FLAG, false, &shared },
    { "managed", CA_PLAN_FLAG, false, &managed },
    { "created_ms", CA_PLAN_NUMBER, false, &item.created_ms },
    { "updated_ms", CA_PLAN_NUMBER, false, &item.updated_ms },
    { "row", CA_PLAN_JSON, false, &item.row },
    { "row_text", CA_PLAN_TEXT, false, &row_text },
    { "verdict", CA_PLAN_TEXT, false, &verdict },
  };
  enum ca_code code = members(reader, fields, COUNT(fields), err);

  if(code)
    return code;
  if(number != reader->seen.items + 1)
    return bad_line(reader, err, "items are not numbered consecutively");
  if(item.row && row_text)
    return bad_line(reader, err, "\"row\" is given twice");
  if(row_text)
    item.row = row_text;
  item.bulk = bulk > BULK_MOST ? -1 : (int)bulk;
  item.flags = (disabled ? CA_ITEM_DISABLED : 0U) |
               (config ? CA_ITEM_CONFIG_DISABLED : 0U) |
               (shared ? CA_ITEM_SHARED : 0U) |
               (managed ? CA_ITEM_MANAGED : 0U);
  return report_item(reader, &item, verdict, err);
}

/* ---- changes ---- */

/* Checks whether the change may be sent, as far as the file tells. */
static enum ca_code check_change(struct reader *reader,
                                 const struct ca_change *change,
                                 struct ca_err *err)
{
  struct ca_slice id = { change->account, strlen(change->account) };
  struct ca_err why;

  if(!ca_api_mutates(change->api))
    return bad_line(reader, err, "the operation changes nothing");
  if(change->cost < change->api->cost)
    return bad_line(reader, err, "\"class\" is lower than the operation's");
  ca_err_clear(&why);
  if(ca_api_has_id(change->api)) {
    if(ca_request_check_id(id, "account", &why))
      return bad_line(reader, err, why.text);
  } else if(id.len)
    return bad_line(reader, err,
                    "the operation does not belong to an account");
  if(change->body && change->fingerprint)
    return bad_line(reader, err, "it has a body that must be secret");
  if(change->fallback && !reader->any_change)
    return bad_line(reader, err, "a fallback without a change before it");
  return CA_OK;
}

static enum ca_code report_change(struct reader *reader,
                                  const struct ca_change *change,
                                  struct ca_err *err)
{
  enum ca_code code = check_change(reader, change, err);

  if(code)
    return code;
  reader->any_change = !change->fallback;
  if(change->outcome == CA_SAME)
    reader->seen.same++;
  else if(change->outcome == CA_SKIPPED)
    reader->seen.skipped++;
  else {
    reader->seen.changes++;
    reader->seen.irreversible += change->cost == CA_IRREVERSIBLE;
  }
  return reader->visitor->change
             ? reader->visitor->change(reader->ctx, change, err)
             : CA_OK;
}

/* Converts the line's words to enumerations. */
static enum ca_code take_words(struct reader *reader, struct ca_change *change,
                               const char *operation, const char *cost,
                               const char *outcome, struct ca_err *err)
{
  int number = outcome ? find_outcome(outcome) : CA_PLANNED;

  change->api = ca_api_of_label(operation);
  if(!change->api)
    return bad_line(reader, err,
                    "this version of composio-lua has no such operation");
  if(!strcmp(cost, ca_api_class_name(CA_IRREVERSIBLE)))
    change->cost = CA_IRREVERSIBLE;
  else if(!strcmp(cost, ca_api_class_name(CA_REVERSIBLE)))
    change->cost = CA_REVERSIBLE;
  else
    return bad_line(reader, err, "\"class\" is not known");
  if(outcome && number != CA_SAME && number != CA_SKIPPED)
    return bad_line(reader, err,
                    "\"outcome\" is not one that a plan can have");
  change->outcome = (enum ca_outcome)number;
  return CA_OK;
}

static enum ca_code read_change(struct reader *reader, struct ca_err *err)
{
  struct ca_change change = { .api = NULL };
  const char *operation = NULL, *cost = NULL, *outcome = NULL;
  const char *body_text = NULL, *before_image_text = NULL;
  const struct ca_plan_field fields[] = {
    { "change", CA_PLAN_TEXT, true, &operation },
    { "account", CA_PLAN_TEXT, true, &change.account },
    { "class", CA_PLAN_TEXT, true, &cost },
    { "outcome", CA_PLAN_TEXT, false, &outcome },
    { "fallback", CA_PLAN_FLAG, false, &change.fallback },
    { "reason", CA_PLAN_TEXT, false, &change.reason },
    { "before", CA_PLAN_TEXT, false, &change.before },
    { "user", CA_PLAN_TEXT, false, &change.user },
    { "config", CA_PLAN_TEXT, false, &change.config },
    { "query", CA_PLAN_TEXT, false, &change.query },
    { "body", CA_PLAN_JSON, false, &change.body },
    { "body_text", CA_PLAN_TEXT, false, &body_text },
    { "fingerprint", CA_PLAN_TEXT, false, &change.fingerprint },
    { "image", CA_PLAN_JSON, false, &change.before_image },
    { "image_text", CA_PLAN_TEXT, false, &before_image_text },
    { "line", CA_PLAN_TEXT, false, &change.line },
  };
  enum ca_code code = members(reader, fields, COUNT(fields), err);

  if(!code && !reader->seen.items)
    code = bad_line(reader, err, "a change precedes the first item");
  if(!code && ((change.body && body_text) ||
               (change.before_image && before_image_text)))
    code = bad_line(reader, err, "\"body\" or \"image\" is given twice");
  if(!code)
    code = take_words(reader, &change, operation, cost, outcome, err);
  if(code)
    return code;
  if(body_text)
    change.body = body_text;
  if(before_image_text)
    change.before_image = before_image_text;
  return report_change(reader, &change, err);
}

/* ---- the end ---- */

static enum ca_code read_end(struct reader *reader, struct ca_err *err)
{
  struct ca_plan_end end = { 0, 0, 0, 0, 0, 0 };
  const char *digest = NULL;
  char real[CA_DIGEST_SIZE];
  bool is_end = false;
  const struct ca_plan_field fields[] = {
    { "end", CA_PLAN_FLAG, true, &is_end },
    { "bulks", CA_PLAN_NUMBER, true, &end.bulks },
    { "items", CA_PLAN_NUMBER, true, &end.items },
    { "changes", CA_PLAN_NUMBER, true, &end.changes },
    { "same", CA_PLAN_NUMBER, true, &end.same },
    { "skipped", CA_PLAN_NUMBER, true, &end.skipped },
    { "irreversible", CA_PLAN_NUMBER, true, &end.irreversible },
    { "sha256", CA_PLAN_TEXT, true, &digest },
  };
  enum ca_code code = members(reader, fields, COUNT(fields), err);

  if(code)
    return code;
  ca_digest_end(reader->digest, real);
  reader->digest = NULL;
  if(strcmp(real, digest) != 0)
    return bad_line(reader, err,
                    "the digest does not match: an earlier line was "
                    "changed");
  if(memcmp(&end, &reader->seen, sizeof(end)) != 0)
    return bad_line(reader, err, "the counts do not match the lines");
  reader->lines.may_end = true;
  return CA_OK;
}

/* ---- all of it ---- */

/* Reads the first member of a line, which tells the kind of the line. */
static bool first_member(const struct reader *reader, struct ca_slice *key,
                         struct ca_slice *value)
{
  struct ca_json_scan scan = {
    reader->lines.line.data, reader->lines.line.data + reader->lines.line.len
  };
  bool first = true;

  return ca_json_enter(&scan, '{') &&
         ca_json_member(&scan, &first, key) == 1 &&
         ca_json_value(&scan, value) != CA_JSON_BAD;
}

static enum ca_code check_bytes(const struct reader *reader,
                                struct ca_err *err)
{
  struct ca_slice line = { reader->lines.line.data, reader->lines.line.len };

  if(!line.len)
    return bad_line(reader, err, "it is empty");
  if(memchr(line.data, 0, line.len))
    return bad_line(reader, err, "it contains a NUL byte");
  return ca_text_is_utf8(line, NULL)
             ? CA_OK
             : bad_line(reader, err, "it is not valid UTF-8");
}

static enum ca_code read_line(struct reader *reader, struct ca_err *err)
{
  struct ca_slice key, value;
  enum ca_code code = check_bytes(reader, err);

  if(code)
    return code;
  if(reader->lines.may_end)
    return bad_line(reader, err, "something follows the last line");
  if(!first_member(reader, &key, &value))
    return bad_line(reader, err, "it is not a JSON object");
  if(ca_slice_is(key, "plan") != (reader->lines.number == 1))
    return bad_line(reader, err,
                    reader->lines.number == 1 ? "it is not the head of a plan"
                                              : "a second head");
  if(reader->lines.number == 1) {
    code = check_layout(reader, value, err);
    return code ? code : read_head(reader, err);
  }
  if(ca_slice_is(key, "change"))
    return read_change(reader, err);
  if(ca_slice_is(key, "item"))
    return read_item(reader, err);
  if(ca_slice_is(key, "bulk"))
    return read_bulk(reader, err);
  if(ca_slice_is(key, "end"))
    return read_end(reader, err);
  return bad_line(reader, err, "a line of a plan does not begin like this");
}

static enum ca_code read_all(struct reader *reader, struct ca_err *err)
{
  const struct ca_buf *line = &reader->lines.line;
  bool more = true;
  enum ca_code code = CA_OK;

  while(!code) {
    code = ca_lines_next(&reader->lines, &more, err);
    if(code || !more)
      break;
    code = read_line(reader, err);
    if(!code && !reader->lines.may_end) {
      ca_digest_add(reader->digest, line->data, line->len);
      ca_digest_add(reader->digest, "\n", 1);
    }
  }
  /* now nothing follows the last line */
  if(!code && reader->visitor->end)
    code = reader->visitor->end(reader->ctx, &reader->seen, err);
  return code;
}

enum ca_code ca_planfile_read(const char *path,
                              const struct ca_plan_visitor *visitor, void *ctx,
                              struct ca_err *err)
{
  struct reader reader = { .visitor = visitor, .ctx = ctx };
  enum ca_code code = ca_lines_open(&reader.lines, path, err);

  if(!code) {
    reader.digest = ca_digest_new();
    code = reader.digest ? read_all(&reader, err)
                         : ca_err_set(err, CA_NOMEM, "out of memory");
  }
  ca_lines_close(&reader.lines);
  ca_digest_free(reader.digest);
  free(reader.room);
  free(reader.bulks);
  return code;
}
