/* One JSON object as a line for programs.
   Must not know: what it tells. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/text.h"
#include "host/json.h"
#include "base/log.h"

#define TEXT_MAX (16u << 20)

static void add(struct host_json *json, const char *text)
{
  if(!json->code)
    json->code = ca_buf_add_text(&json->out, text);
}

static void add_name(struct host_json *json, const char *name)
{
  if(!json->code)
    json->code =
        ca_buf_printf(&json->out, "%s\"%s\":", json->follows ? "," : "", name);
  json->follows = true;
}

void host_json_init(struct host_json *json)
{
  memset(json, 0, sizeof(*json));
  ca_buf_init(&json->out, TEXT_MAX);
  add(json, "{");
}

void host_json_clear(struct host_json *json)
{
  ca_buf_clear(&json->out);
}

/* Bytes that are no text, as log lines have them. */
static void add_escaped(struct host_json *json, struct ca_slice value)
{
  size_t size = 4 * value.len + 1;
  char *clean = malloc(size);
  struct ca_slice text;
  if(!clean) {
    json->code = CA_NOMEM;
    return;
  }
  ca_log_clean(clean, size, value.data, value.len);
  text.data = clean;
  text.len = strlen(clean);
  json->code = ca_json_string(&json->out, text);
  free(clean);
}

void host_json_text(struct host_json *json, const char *name,
                    const char *value)
{
  struct ca_slice slice = { value, value ? strlen(value) : 0 };
  add_name(json, name);
  if(json->code)
    return;
  if(!value)
    add(json, "null");
  else if(ca_is_utf8(slice, NULL))
    json->code = ca_json_string(&json->out, slice);
  else
    add_escaped(json, slice);
}

void host_json_number(struct host_json *json, const char *name, int64_t value)
{
  add_name(json, name);
  if(!json->code)
    json->code = ca_buf_printf(&json->out, "%lld", (long long)value);
}

void host_json_bool(struct host_json *json, const char *name, bool value)
{
  host_json_raw(json, name, value ? "true" : "false");
}

void host_json_null(struct host_json *json, const char *name)
{
  host_json_raw(json, name, "null");
}

void host_json_raw(struct host_json *json, const char *name, const char *value)
{
  add_name(json, name);
  add(json, value);
}

void host_json_seconds(struct host_json *json, const char *name, int64_t ms)
{
  add_name(json, name);
  if(!json->code)
    json->code = ca_buf_printf(&json->out, "%lld.%03lld",
                               (long long)(ms / 1000), (long long)(ms % 1000));
}

void host_json_time(struct host_json *json, const char *name, int64_t ms)
{
  char text[32];
  ca_clock_format(ms, text, sizeof(text));
  host_json_text(json, name, ms ? text : NULL);
}

void host_json_open(struct host_json *json, const char *name)
{
  host_json_raw(json, name, "{");
  json->follows = false;
}

void host_json_close(struct host_json *json)
{
  add(json, "}");
  json->follows = true;
}

const char *host_json_line(struct host_json *json)
{
  add(json, "}\n");
  return json->code ? NULL : ca_buf_text(&json->out);
}
