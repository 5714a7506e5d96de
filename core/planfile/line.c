/* The lines of a plan: one table says which members each kind of line has, and
   both writing and reading follow it. A member that is read must be known, of
   the right kind, and given once.
   Must not know: files, whether a line makes sense. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json.h"
#include "base/json_write.h"
#include "planfile/plan_private.h"

enum value_kind {
  TEXT,     /* const char * */
  JSON,     /* const char *: any value, as it stands */
  NOT_JSON, /* a text at the place of the JSON field before it */
  NUMBER,   /* int64_t of at least 0 */
  FLAG,     /* bool */
  BIT       /* one bit of an unsigned */
};

struct field {
  const char *name;
  enum value_kind kind;
  bool needed; /* others are left out when they are NULL, 0 or false */
  size_t at;   /* offset in struct ca_plan_line */
  unsigned bit;
};

#define AT(member) offsetof(struct ca_plan_line, member)

static const struct field head_fields[] = {
  { "plan", NUMBER, true, AT(number), 0 },
  { "program", TEXT, true, AT(program), 0 },
  { "run", TEXT, true, AT(head.run), 0 },
  { "made", TEXT, true, AT(made), 0 },
  { "script", TEXT, true, AT(head.script), 0 },
  { "word", TEXT, true, AT(head.word), 0 },
  { "script_sha", TEXT, true, AT(head.script_sha), 0 },
  { "params", JSON, true, AT(head.params), 0 },
  { "options", JSON, false, AT(head.options), 0 },
  { "cwd", TEXT, false, AT(head.cwd), 0 },
  { "undoes", TEXT, false, AT(head.undoes), 0 },
  { "redoes", TEXT, false, AT(head.redoes), 0 },
  { "project", TEXT, true, AT(head.project), 0 },
  { "base_url", TEXT, true, AT(head.base_url), 0 },
  { "salt", TEXT, true, AT(salt), 0 },
  { "salt_check", TEXT, true, AT(salt_check), 0 },
};
static const struct field bulk_fields[] = {
  { "bulk", NUMBER, true, AT(number), 0 },
  { "name", TEXT, true, AT(bulk_name), 0 },
  { "kind", TEXT, true, AT(bulk_kind), 0 },
  { "selected", NUMBER, true, AT(bulk.selected), 0 },
  { "planned", NUMBER, true, AT(bulk.planned), 0 },
  { "same", NUMBER, true, AT(bulk.same), 0 },
  { "skipped", NUMBER, true, AT(bulk.skipped), 0 },
  { "failed", NUMBER, true, AT(bulk.failed), 0 },
};
static const struct field item_fields[] = {
  { "item", NUMBER, true, AT(number), 0 },
  { "bulk", NUMBER, true, AT(item_bulk), 0 },
  { "key", TEXT, true, AT(item.key), 0 },
  { "account", TEXT, false, AT(item.account), 0 },
  { "user", TEXT, false, AT(item.user), 0 },
  { "toolkit", TEXT, false, AT(item.toolkit), 0 },
  { "scheme", TEXT, false, AT(item.scheme), 0 },
  { "status", TEXT, false, AT(item.status), 0 },
  { "status_reason", TEXT, false, AT(item.status_reason), 0 },
  { "alias", TEXT, false, AT(item.alias), 0 },
  { "disabled", BIT, false, AT(item.flags), CA_ITEM_DISABLED },
  { "config_disabled", BIT, false, AT(item.flags), CA_ITEM_CONFIG_DISABLED },
  { "shared", BIT, false, AT(item.flags), CA_ITEM_SHARED },
  { "managed", BIT, false, AT(item.flags), CA_ITEM_MANAGED },
  { "created_ms", NUMBER, false, AT(item.created_ms), 0 },
  { "updated_ms", NUMBER, false, AT(item.updated_ms), 0 },
  { "row", JSON, false, AT(item.row), 0 },
  { "row_text", NOT_JSON, false, AT(item.row), 0 },
  { "verdict", TEXT, false, AT(outcome), 0 },
  { "tags", TEXT, false, AT(tags), 0 },
};
static const struct field change_fields[] = {
  { "change", TEXT, true, AT(operation), 0 },
  { "account", TEXT, true, AT(change.account), 0 },
  { "class", TEXT, true, AT(cost), 0 },
  { "outcome", TEXT, false, AT(outcome), 0 },
  { "fallback", FLAG, false, AT(change.fallback), 0 },
  { "reason", TEXT, false, AT(change.reason), 0 },
  { "before", TEXT, false, AT(change.before), 0 },
  { "user", TEXT, false, AT(change.user), 0 },
  { "config", TEXT, false, AT(change.config), 0 },
  { "query", TEXT, false, AT(change.query), 0 },
  { "body", JSON, false, AT(change.body), 0 },
  { "body_text", NOT_JSON, false, AT(change.body), 0 },
  { "fingerprint", TEXT, false, AT(change.fingerprint), 0 },
  { "image", JSON, false, AT(change.before_image), 0 },
  { "image_text", NOT_JSON, false, AT(change.before_image), 0 },
  { "line", TEXT, false, AT(change.line), 0 },
};
static const struct field end_fields[] = {
  { "end", FLAG, true, AT(end), 0 },
  { "bulks", NUMBER, true, AT(counts.bulks), 0 },
  { "items", NUMBER, true, AT(counts.items), 0 },
  { "changes", NUMBER, true, AT(counts.changes), 0 },
  { "same", NUMBER, true, AT(counts.same), 0 },
  { "skipped", NUMBER, true, AT(counts.skipped), 0 },
  { "irreversible", NUMBER, true, AT(counts.irreversible), 0 },
  { "fallbacks", NUMBER, true, AT(counts.fallbacks), 0 },
  { "sha256", TEXT, true, AT(digest), 0 },
  { "seal", TEXT, true, AT(seal), 0 },
};

#define TABLE(fields)                            \
  {                                              \
    fields, sizeof(fields) / sizeof((fields)[0]) \
  }

static const struct {
  const struct field *fields; /* the first one's name tells the kind */
  size_t count;
} tables[CA_PLAN_KINDS] = {
  [CA_PLAN_HEAD] = TABLE(head_fields),     [CA_PLAN_BULK] = TABLE(bulk_fields),
  [CA_PLAN_ITEM] = TABLE(item_fields),     [CA_PLAN_END] = TABLE(end_fields),
  [CA_PLAN_CHANGE] = TABLE(change_fields),
};

enum ca_plan_kind ca_line_kind(struct ca_slice first)
{
  int kind = 0;

  while(kind < CA_PLAN_KINDS && !ca_slice_is(first, tables[kind].fields->name))
    kind++;
  return (enum ca_plan_kind)kind;
}

void ca_line_count(struct ca_plan_counts *counts, enum ca_outcome outcome,
                   const struct ca_change *change)
{
  counts->fallbacks += change->fallback;
  if(outcome == CA_SAME)
    counts->same++;
  else if(outcome == CA_SKIPPED)
    counts->skipped++;
  else {
    counts->changes++;
    counts->irreversible += change->cost == CA_IRREVERSIBLE;
  }
}

/* ---- writing ---- */

bool ca_line_can_hold(const char *json)
{
  struct ca_slice text = ca_slice_of(json);

  return ca_json_valid(text.data, text.len) && !strpbrk(json, "\r\n") &&
         ca_text_is_utf8(text, NULL);
}

/* Returns false for a text that is not UTF-8. */
static bool write_text(struct ca_json_write *json, const struct field *field,
                       const char *value)
{
  struct ca_slice text = ca_slice_of(value);

  if(field->kind == JSON && value && ca_line_can_hold(value))
    ca_json_write_raw(json, field->name, value);
  else if(field->kind == NOT_JSON && value && !ca_line_can_hold(value))
    ca_json_write_text(json, field->name, value);
  else if(field->kind == TEXT && (value || field->needed))
    ca_json_write_text(json, field->name, value ? value : "");
  else
    return true;
  return ca_text_is_utf8(text, NULL);
}

static bool write_value(struct ca_json_write *json, const struct field *field,
                        const void *from)
{
  switch(field->kind) {
  case NUMBER:
    if(field->needed || *(const int64_t *)from > 0)
      ca_json_write_number(json, field->name, *(const int64_t *)from);
    return true;
  case FLAG:
    if(*(const bool *)from)
      ca_json_write_bool(json, field->name, true);
    return true;
  case BIT:
    if(*(const unsigned *)from & field->bit)
      ca_json_write_bool(json, field->name, true);
    return true;
  case TEXT:
  case JSON:
  case NOT_JSON:
    break;
  }
  return write_text(json, field, *(const char *const *)from);
}

enum ca_code ca_line_write(const struct ca_plan_line *line, struct ca_buf *out,
                           struct ca_err *err)
{
  struct ca_json_write json;
  enum ca_code code;
  size_t i;

  ca_buf_reset(out);
  ca_json_write_begin(&json, out);
  for(i = 0; i < tables[line->kind].count; i++) {
    const struct field *field = &tables[line->kind].fields[i];
    if(!write_value(&json, field, (const char *)line + field->at))
      return ca_err_set(err, CA_USAGE,
                        "the plan cannot be saved: \"%s\" in one of its "
                        "lines is not valid UTF-8",
                        field->name);
  }
  code = ca_json_write_end(&json);
  if(!code)
    code = ca_buf_add(out, "\n", 1);
  if(code == CA_USAGE)
    return ca_err_set(err, CA_USAGE,
                      "the plan cannot be saved: one of its lines is longer "
                      "than %u MiB",
                      CA_PLAN_LINE >> 20);
  return code ? ca_err_set(err, code, "out of memory") : CA_OK;
}

/* ---- reading ---- */

static bool refuse(struct ca_err *why, const char *what, struct ca_slice name)
{
  char said[64];

  ca_text_printable(said, sizeof(said), name.data, name.len);
  return !ca_err_set(why, CA_USAGE, "\"%s\" %s", said, what);
}

/* Reads a non-negative integer of at most 18 digits and nothing else. */
static bool take_number(struct ca_slice value, int64_t *number)
{
  char digits[24];

  if(value.len > 18 || (value.len > 1 && value.data[0] == '0'))
    return false;
  ca_err_copy_text(digits, sizeof(digits), value.data, value.len);
  *number = strtoll(digits, NULL, 10);
  return strspn(digits, "0123456789") == value.len;
}

/* Unescapes a text, or copies another value, into room. Returns how many bytes
   were used, 0 for a text with a lone surrogate or a NUL. A room as long as
   the line is enough: the NUL after a text takes less than its quotes, and
   after another value no more than the comma or bracket that follows it. */
static size_t take_text(bool unescape, struct ca_slice value, char *room)
{
  int64_t len = (int64_t)value.len;

  if(unescape)
    len = ca_json_unescape(value, room);
  else
    memcpy(room, value.data, value.len);
  if(len < 0 || memchr(room, 0, (size_t)len))
    return 0;
  room[len] = '\0';
  return (size_t)len + 1;
}

/* Stores the value. Returns what is wrong with it, or NULL. */
static const char *take_value(enum ca_json_kind kind, struct ca_slice value,
                              const struct field *field, void *to, char **room)
{
  static const char wrong[] = "has a value of the wrong kind";
  bool is_text = field->kind == TEXT || field->kind == NOT_JSON;
  size_t used;

  switch(field->kind) {
  case NUMBER:
    return kind == CA_JSON_NUMBER && take_number(value, to) ? NULL : wrong;
  case FLAG:
    *(bool *)to = true;
    return kind == CA_JSON_TRUE ? NULL : wrong;
  case BIT:
    *(unsigned *)to |= field->bit;
    return kind == CA_JSON_TRUE ? NULL : wrong;
  case TEXT:
  case JSON:
  case NOT_JSON:
    break;
  }
  if(*(const char **)to) /* the other name of its place was there */
    return "is given twice";
  if(is_text && kind != CA_JSON_STRING)
    return wrong;
  used = take_text(is_text, value, *room);
  *(const char **)to = *room;
  *room += used;
  return used ? NULL : wrong;
}

bool ca_line_read(struct ca_slice text, struct ca_plan_line *line, char *room,
                  struct ca_err *why)
{
  const struct field *fields = tables[line->kind].fields;
  size_t count = tables[line->kind].count;
  struct ca_json_scan scan = { text.data, text.data + text.len };
  struct ca_slice key, value;
  unsigned seen = 0; /* no line has more than 32 fields */
  bool first = true;
  int more = ca_json_enter(&scan, '{') ? 1 : -1;
  size_t i;

  while(more == 1 && (more = ca_json_member(&scan, &first, &key)) == 1) {
    enum ca_json_kind kind = ca_json_value(&scan, &value);
    const char *wrong = NULL;
    for(i = 0; i < count && !ca_slice_is(key, fields[i].name);)
      i++;
    if(kind == CA_JSON_BAD)
      break;
    if(i == count)
      wrong = "is not known";
    else if(seen & 1U << i)
      wrong = "is given twice";
    else
      wrong = take_value(kind, value, &fields[i], (char *)line + fields[i].at,
                         &room);
    if(wrong)
      return refuse(why, wrong, key);
    seen |= 1U << i;
  }
  if(more || !ca_json_at_end(&scan))
    return !ca_err_set(why, CA_USAGE, "it is not a JSON object");
  for(i = 0; i < count; i++)
    if(fields[i].needed && !(seen & 1U << i)) {
      struct ca_slice name = { fields[i].name, strlen(fields[i].name) };
      return refuse(why, "is missing", name);
    }
  return true;
}
