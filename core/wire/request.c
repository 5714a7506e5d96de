/* Builds requests from the operation table.
   Must not know: curl, time, Lua. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/json.h"
#include "base/json_write.h"
#include "wire/request.h"

/* Proxies cut longer queries (often about 8 KB for the whole line). */
#define QUERY_MAX 16384
#define BODY_MAX  (1 << 20)

#define PREFIX "/api/v3.1"

void ca_request_init(struct ca_request *request, const struct ca_api *api)
{
  memset(request, 0, sizeof(*request));
  request->api = api;
  request->cost = api->cost;
  ca_buf_init(&request->query, QUERY_MAX);
  ca_buf_init(&request->body, BODY_MAX);
  ca_buf_init(&request->pieces, BODY_MAX);
}

void ca_request_clear(struct ca_request *request)
{
  ca_buf_clear(&request->query);
  ca_buf_wipe(&request->body); /* it may have credentials */
  ca_buf_wipe(&request->pieces);
}

static int field_index(const struct ca_request *request,
                       const struct ca_field *field)
{
  return (int)(field - request->api->fields);
}

bool ca_request_is_masked(struct ca_slice value)
{
  size_t shown = 0; /* characters before the dots, of one to four bytes */
  size_t i;

  if(ca_slice_is(value, "REDACTED"))
    return true;
  if(value.len < 4 || memcmp(value.data + value.len - 3, "...", 3) != 0)
    return false;
  for(i = 0; i < value.len - 3; i++)
    shown += ((unsigned char)value.data[i] & 0xC0) != 0x80;
  return shown <= 4;
}

enum ca_code ca_request_check_id(struct ca_slice value, const char *what,
                                 struct ca_err *err)
{
  size_t i;
  if(!value.len)
    return ca_err_set(err, CA_USAGE, "%s: empty; an id is needed", what);
  if(value.len >= sizeof(((struct ca_request *)0)->id))
    return ca_err_set(err, CA_USAGE, "%s: longer than any id", what);
  for(i = 0; i < value.len; i++)
    if((unsigned char)value.data[i] <= 0x20 ||
       (unsigned char)value.data[i] >= 0x7F)
      return ca_err_set(err, CA_USAGE,
                        "%s: byte %zu is not printable ASCII; ids look like "
                        "ca_4CkFF_cKATwg",
                        what, i + 1);
  if(ca_slice_is(value, ".") || ca_slice_is(value, ".."))
    return ca_err_set(err, CA_USAGE, "%s: '%.*s' is not an id", what,
                      (int)value.len, value.data);
  return CA_OK;
}

/* Refuses texts that must not be sent: only UTF-8 without control bytes may.
 */
static enum ca_code check_text(const struct ca_field *field,
                               struct ca_slice value, struct ca_err *err)
{
  size_t bad;
  size_t i;

  if(!value.len && !(field->flags & CA_MAY_BE_EMPTY))
    return ca_err_set(err, CA_USAGE, "%s: empty; leave it out or give a value",
                      field->name);
  if(!ca_text_is_utf8(value, &bad))
    return ca_err_set(err, CA_USAGE, "%s: not valid UTF-8 at byte %zu",
                      field->name, bad + 1);
  for(i = 0; i < value.len; i++)
    if((unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7F)
      return ca_err_set(err, CA_USAGE,
                        "%s: control byte %d at byte %zu cannot be sent",
                        field->name, (unsigned char)value.data[i], i + 1);
  if(field->flags & CA_NO_COMMA && memchr(value.data, ',', value.len))
    return ca_err_set(
        err, CA_USAGE,
        "%s: '%.*s' contains a comma, and the service would read "
        "it as two values; list without this filter and "
        "compare in the script",
        field->name, (int)(value.len > 80 ? 80 : value.len), value.data);
  return CA_OK;
}

static enum ca_code check_word(const struct ca_field *field,
                               struct ca_slice value, struct ca_err *err)
{
  char known[200] = "";
  size_t used = 0;
  const char *const *word;

  for(word = field->values; *word; word++) {
    if(ca_slice_is(value, *word))
      return CA_OK;
    if(used + strlen(*word) + 3 < sizeof(known))
      used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                               used ? ", " : "", *word);
  }
  return ca_err_set(err, CA_USAGE, "%s: '%.*s' is not one of %s", field->name,
                    (int)(value.len > 60 ? 60 : value.len), value.data, known);
}

/* A word that differs from a known one in case alone is a slip. Another word
   passes: the service adds words. */
static enum ca_code check_case(const struct ca_field *field,
                               struct ca_slice value, struct ca_err *err)
{
  const char *const *word;
  for(word = field->values; word && *word; word++)
    if(value.len == strlen(*word) && !ca_slice_is(value, *word) &&
       !strncasecmp(value.data, *word, value.len))
      return ca_err_set(err, CA_USAGE, "%s: write '%s', not '%.*s'",
                        field->name, *word, (int)value.len, value.data);
  return CA_OK;
}

static enum ca_code check_value(const struct ca_field *field,
                                struct ca_slice value, struct ca_err *err)
{
  if(field->type == CA_ID)
    return ca_request_check_id(value, field->name, err);
  if(field->type == CA_WORD)
    return check_word(field, value, err);
  return check_text(field, value, err);
}

/* Adds "name=", after '&' where needed. */
static enum ca_code query_name(struct ca_request *request,
                               const struct ca_field *field)
{
  return ca_buf_printf(&request->query, "%s%s=", request->query.len ? "&" : "",
                       field->wire);
}

/* Notes that the field was set, unless code is a failure. */
static enum ca_code mark(struct ca_request *request,
                         const struct ca_field *field, enum ca_code code,
                         struct ca_err *err)
{
  if(code == CA_USAGE)
    return ca_err_set(err, code, "%s: too long to be sent", field->name);
  if(code)
    return ca_err_set(err, code, "%s: out of memory", field->name);
  request->seen |= 1U << field_index(request, field);
  if(field->flags & CA_SECRET)
    request->secret = true;
  if(field->flags & CA_MAKES_IRREVERSIBLE)
    request->cost = CA_IRREVERSIBLE;
  return CA_OK;
}

/* Sets a field to a value that is written as it is: a piece of JSON in the
   body, or digits or a word in the query. */
static enum ca_code set_raw(struct ca_request *request,
                            const struct ca_field *field,
                            struct ca_slice value, struct ca_err *err)
{
  struct ca_buf *out =
      field->place == CA_IN_BODY ? &request->pieces : &request->query;
  enum ca_code code = CA_OK;
  int i = field_index(request, field);

  request->piece[i].from = request->pieces.len;
  if(field->place != CA_IN_BODY)
    code = query_name(request, field);
  if(!code)
    code = ca_buf_add(out, value.data, value.len);
  request->piece[i].len = request->pieces.len - request->piece[i].from;
  return mark(request, field, code, err);
}

enum ca_code ca_request_text(struct ca_request *request,
                             const struct ca_field *field,
                             struct ca_slice value, struct ca_err *err)
{
  int i = field_index(request, field);
  enum ca_code code = check_value(field, value, err);

  if(code)
    return code;
  if(field->place == CA_IN_PATH)
    ca_err_copy_text(request->id, sizeof(request->id), value.data, value.len);
  else if(field->place == CA_IN_QUERY) {
    code = query_name(request, field);
    if(!code)
      code = ca_text_encode_query(&request->query, value);
  } else {
    request->piece[i].from = request->pieces.len;
    code = ca_json_write_string(&request->pieces, value);
    request->piece[i].len = request->pieces.len - request->piece[i].from;
  }
  return mark(request, field, code, err);
}

enum ca_code ca_request_texts(struct ca_request *request,
                              const struct ca_field *field,
                              const struct ca_slice *values, size_t count,
                              struct ca_err *err)
{
  size_t i;
  enum ca_code code;

  if(!count)
    return ca_err_set(err, CA_USAGE,
                      "%s: an empty list would mean \"no filter\"; leave it "
                      "out to ask for everything",
                      field->name);
  for(i = 0; i < count; i++) {
    code = check_text(field, values[i], err);
    if(!code)
      code = check_case(field, values[i], err);
    if(code)
      return code;
  }
  code = query_name(request, field);
  for(i = 0; !code && i < count; i++) {
    if(i)
      code = ca_buf_add_text(&request->query, "%2C");
    if(!code)
      code = ca_text_encode_query(&request->query, values[i]);
  }
  return mark(request, field, code, err);
}

enum ca_code ca_request_set(struct ca_request *request, const char *name,
                            const char *value, struct ca_err *err)
{
  const struct ca_field *field = ca_api_field(request->api, name);
  struct ca_slice slice = ca_slice_of(value);
  return field->type == CA_TEXTS || field->type == CA_WORDS
             ? ca_request_texts(request, field, &slice, 1, err)
             : ca_request_text(request, field, slice, err);
}

bool ca_request_can_list(const char *value)
{
  return !strchr(value, ',');
}

enum ca_code ca_request_integer(struct ca_request *request,
                                const struct ca_field *field, int64_t value,
                                struct ca_err *err)
{
  char digits[24];

  if(value < 1)
    return ca_err_set(err, CA_USAGE, "%s: %" PRId64 " is less than 1",
                      field->name, value);
  snprintf(digits, sizeof(digits), "%" PRId64, value);
  return set_raw(request, field, ca_slice_of(digits), err);
}

enum ca_code ca_request_boolean(struct ca_request *request,
                                const struct ca_field *field, bool value,
                                struct ca_err *err)
{
  return set_raw(request, field, ca_slice_of(value ? "true" : "false"), err);
}

enum ca_code ca_request_null(struct ca_request *request,
                             const struct ca_field *field, struct ca_err *err)
{
  if(!(field->flags & CA_NULLABLE))
    return ca_err_set(err, CA_USAGE, "%s: cannot be null", field->name);
  return set_raw(request, field, ca_slice_of("null"), err);
}

enum ca_code ca_request_json(struct ca_request *request,
                             const struct ca_field *field,
                             struct ca_slice json, struct ca_err *err)
{
  return set_raw(request, field, json, err);
}

/* Writes the members of the object at `prefix` ("connection." or "") in the
   order of the fields; the fields of one parent stay together. */
static void write_members(struct ca_request *request,
                          struct ca_json_write *json, const char *prefix,
                          size_t prefix_len, unsigned *left)
{
  const struct ca_field *fields = request->api->fields;
  int i;

  for(i = 0; fields[i].name; i++) {
    struct ca_slice name;
    const char *dot;
    if(!(*left & 1U << i) || strncmp(fields[i].wire, prefix, prefix_len))
      continue;
    name.data = fields[i].wire + prefix_len;
    dot = strchr(name.data, '.');
    name.len = dot ? (size_t)(dot - name.data) : strlen(name.data);
    ca_json_write_name(json, name);
    if(dot) {
      ca_json_write_open(json, NULL, '{');
      write_members(request, json, fields[i].wire, prefix_len + name.len + 1,
                    left);
      ca_json_write_close(json, '}');
    } else {
      struct ca_slice value = { request->pieces.data + request->piece[i].from,
                                request->piece[i].len };
      *left &= ~(1U << i);
      ca_json_write_add(json, value);
    }
  }
}

static enum ca_code check_required(const struct ca_request *request,
                                   struct ca_err *err)
{
  const struct ca_field *field;
  bool takes_body = false;
  bool has_body = false;

  for(field = request->api->fields; field->name; field++) {
    bool set = request->seen & 1U << field_index(request, field);
    if(field->flags & CA_REQUIRED && !set)
      return ca_err_set(err, CA_USAGE, "%s: missing", field->name);
    takes_body = takes_body || field->place == CA_IN_BODY;
    has_body = has_body || (set && field->place == CA_IN_BODY);
  }
  if(takes_body && !has_body)
    return ca_err_set(err, CA_USAGE, "%s: no field to change was given",
                      request->api->name);
  return CA_OK;
}

enum ca_code ca_request_finish(struct ca_request *request, struct ca_err *err)
{
  struct ca_json_write json;
  unsigned left = 0;
  int i;
  enum ca_code code = check_required(request, err);

  if(code)
    return code;
  for(i = 0; request->api->fields[i].name; i++)
    if(request->piece[i].len)
      left |= 1U << i;
  if(left) {
    ca_json_write_begin(&json, &request->body);
    write_members(request, &json, "", 0, &left);
    code = ca_json_write_end(&json);
    if(code)
      return ca_err_set(err, code, "%s: the body is too long to be sent",
                        request->api->name);
  }
  ca_buf_wipe(&request->pieces);
  request->finished = true;
  return CA_OK;
}

enum ca_code ca_request_restore(struct ca_request *request,
                                const struct ca_api *api, const char *id,
                                const char *query, const char *body,
                                struct ca_err *err)
{
  struct ca_slice slice = ca_slice_of(id);
  enum ca_code code = CA_OK;

  ca_request_init(request, api);
  if(strstr(api->path, "{id}")) {
    code = ca_request_check_id(slice, "id", err);
    if(code)
      return code;
    ca_err_copy_text(request->id, sizeof(request->id), id, slice.len);
  }
  if(query)
    code = ca_buf_add_text(&request->query, query);
  if(!code && body)
    code = ca_buf_add_text(&request->body, body);
  if(code)
    return ca_err_set(err, code, "%s: the recorded request is too long",
                      api->name);
  request->finished = true;
  return CA_OK;
}

enum ca_code ca_request_target(const struct ca_request *request,
                               struct ca_buf *out)
{
  const char *path = request->api->path;
  const char *hole = strstr(path, "{id}");
  struct ca_slice id = ca_slice_of(request->id);
  enum ca_code code = ca_buf_add_text(out, PREFIX);

  if(!code)
    code = ca_buf_add(out, path, hole ? (size_t)(hole - path) : strlen(path));
  if(!code && hole)
    code = ca_text_encode_segment(out, id);
  if(!code && hole)
    code = ca_buf_add_text(out, hole + 4);
  if(!code && request->query.len) {
    code = ca_buf_add(out, "?", 1);
    if(!code)
      code = ca_buf_add(out, request->query.data, request->query.len);
  }
  return code;
}

struct ca_slice ca_request_body(const struct ca_request *request)
{
  struct ca_slice body = { request->body.data, request->body.len };
  if(!request->api->has_body)
    return ca_slice_of(NULL);
  return body.len ? body
                  : ca_slice_of(request->api->body ? request->api->body : "");
}

bool ca_request_sets(const struct ca_request *request, enum ca_field_flag flag)
{
  struct ca_slice body = ca_request_body(request);
  const struct ca_field *field;
  struct ca_slice value;
  char path[120];

  for(field = request->api->fields; field->name; field++) {
    if(!(field->flags & flag) || field->place != CA_IN_BODY)
      continue;
    snprintf(path, sizeof(path), "$.%s", field->wire);
    if(ca_json_find(body.data, body.len, path, &value) != CA_JSON_BAD)
      return true;
  }
  return false;
}
