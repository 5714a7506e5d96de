/* Writes JSON into a buffer, piece by piece. All escaping of JSON strings is
   here.
   Must not know: what the JSON means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_write.h"

/* ---- strings ---- */

static enum ca_code escape(struct ca_buf *out, unsigned char c)
{
  static const char plain[] = "\"\\\n\r\t\b\f";
  static const char letters[] = "\"\\nrtbf";
  const char *at = c ? strchr(plain, c) : NULL;

  return at ? ca_buf_printf(out, "\\%c", letters[at - plain])
            : ca_buf_printf(out, "\\u%04x", c);
}

static enum ca_code add_string(struct ca_buf *out, struct ca_slice value)
{
  size_t from = 0;
  size_t i;
  enum ca_code code = ca_buf_add(out, "\"", 1);

  for(i = 0; !code && i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    if(c >= 0x20 && c != '"' && c != '\\')
      continue;
    code = ca_buf_add(out, value.data + from, i - from);
    if(!code)
      code = escape(out, c);
    from = i + 1;
  }
  if(!code && from < value.len)
    code = ca_buf_add(out, value.data + from, value.len - from);
  return code ? code : ca_buf_add(out, "\"", 1);
}

enum ca_code ca_json_write_string(struct ca_buf *out, struct ca_slice value)
{
  return ca_text_is_utf8(value, NULL) ? add_string(out, value) : CA_USAGE;
}

/* ---- pieces ---- */

static void add(struct ca_json_write *json, const char *bytes, size_t len)
{
  if(!json->code)
    json->code = ca_buf_add(json->out, bytes, len);
}

void ca_json_write_add(struct ca_json_write *json, struct ca_slice part)
{
  add(json, part.data, part.len);
}

void ca_json_write_name(struct ca_json_write *json, struct ca_slice name)
{
  add(json, json->follows ? ",\"" : "\"", json->follows ? 2 : 1);
  add(json, name.data, name.len);
  add(json, "\":", 2);
  json->follows = true;
  json->named = true;
}

static void begin_piece(struct ca_json_write *json, const char *name)
{
  struct ca_slice slice = ca_slice_of(name);
  if(name)
    ca_json_write_name(json, slice);
  else if(json->follows && !json->named)
    add(json, ",", 1);
  json->follows = true;
  json->named = false;
}

void ca_json_write_begin(struct ca_json_write *json, struct ca_buf *out)
{
  json->out = out;
  json->code = CA_OK;
  json->follows = false;
  json->named = false;
  add(json, "{", 1);
}

enum ca_code ca_json_write_end(struct ca_json_write *json)
{
  add(json, "}", 1);
  return json->code;
}

/* Writes text that is not UTF-8, escaped as in log lines. */
static enum ca_code add_escaped(struct ca_buf *out, struct ca_slice value)
{
  size_t size = 4 * value.len + 1;
  char *printable = malloc(size);
  struct ca_slice text = { printable, 0 };
  enum ca_code code;
  if(!printable)
    return CA_NOMEM;
  ca_text_printable(printable, size, value.data, value.len);
  text.len = strlen(printable);
  code = add_string(out, text);
  free(printable);
  return code;
}

void ca_json_write_text(struct ca_json_write *json, const char *name,
                        const char *value)
{
  struct ca_slice slice = ca_slice_of(value);
  if(!value) {
    ca_json_write_null(json, name);
    return;
  }
  begin_piece(json, name);
  if(!json->code)
    json->code = ca_text_is_utf8(slice, NULL) ? add_string(json->out, slice)
                                              : add_escaped(json->out, slice);
}

void ca_json_write_raw(struct ca_json_write *json, const char *name,
                       const char *value)
{
  begin_piece(json, name);
  add(json, value, strlen(value));
}

void ca_json_write_number(struct ca_json_write *json, const char *name,
                          int64_t value)
{
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", (long long)value);
  ca_json_write_raw(json, name, digits);
}

void ca_json_write_bool(struct ca_json_write *json, const char *name,
                        bool value)
{
  ca_json_write_raw(json, name, value ? "true" : "false");
}

void ca_json_write_null(struct ca_json_write *json, const char *name)
{
  ca_json_write_raw(json, name, "null");
}

void ca_json_write_open(struct ca_json_write *json, const char *name,
                        char bracket)
{
  begin_piece(json, name);
  add(json, &bracket, 1);
  json->follows = false;
}

void ca_json_write_close(struct ca_json_write *json, char bracket)
{
  add(json, &bracket, 1);
  json->follows = true;
}
