/* One fault rule: its fields, and how it is read from JSON.
   It must not know requests. An unknown field is refused: a rule that is
   misspelt and silently does nothing makes a spec pass for no reason. */
#include "fault_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[EMU_FAULT_KINDS] = {
  "reply",
  "delay",
  "cursor_lost",
  "cursor_repeated",
  "cursor_ignored",
  "ignore_filter",
  "duplicate_items",
  "total_items",
  "unknown_status",
  "redirect",
  "apply_then_close",
  "close",
  "apply_then_reply",
  "garbage",
  "html",
  "truncate",
};

const char *emu_fault_kind_name(enum emu_fault_kind kind)
{
  return kinds[kind];
}

static char *wrong(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static char *wrong(const char *format, ...)
{
  char *text = NULL;
  va_list args;
  va_start(args, format);
  if(vasprintf(&text, format, args) < 0)
    text = NULL;
  va_end(args);
  return text ? text : emu_copy("out of memory");
}

enum shape { TEXT, COUNT, NUMBER, SIGNED, OBJECT, ANY };

static const struct {
  const char *name;
  enum shape shape;
} fields[] = {
  { "action", TEXT },       { "method", TEXT },    { "path", TEXT },
  { "nth", COUNT },         { "every", COUNT },    { "probability", NUMBER },
  { "times", COUNT },       { "delay_ms", COUNT }, { "status", COUNT },
  { "content_type", TEXT }, { "body", ANY },       { "headers", OBJECT },
  { "location", TEXT },     { "filter", TEXT },    { "total_items", COUNT },
  { "add", SIGNED },        { "count", COUNT },    { "at", COUNT },
  { "status_name", TEXT },
};

static bool fits(const json_t *value, enum shape shape)
{
  switch(shape) {
  case TEXT:
    return json_is_string(value);
  case COUNT:
    return json_is_integer(value) && json_integer_value(value) >= 0;
  case NUMBER:
    return json_is_number(value) && json_number_value(value) >= 0 &&
           json_number_value(value) <= 1;
  case SIGNED:
    return json_is_integer(value);
  case OBJECT:
    return json_is_object(value);
  default:
    return true;
  }
}

static char *check_fields(const json_t *json)
{
  static const char *const expected[] = {
    "a text",         "a whole number", "a number from 0 to 1",
    "a whole number", "an object",      "anything",
  };
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)json, name, value)
  {
    size_t i = 0;
    while(i < sizeof(fields) / sizeof(*fields) &&
          strcmp(fields[i].name, name) != 0)
      i++;
    if(i == sizeof(fields) / sizeof(*fields))
      return wrong("unknown field \"%s\"", name);
    if(!fits(value, fields[i].shape))
      return wrong("\"%s\" must be %s", name, expected[fields[i].shape]);
  }
  if(json_object_size(json_object_get(json, "headers")) > 12)
    return wrong("\"headers\" must be at most 12");
  json_object_foreach(json_object_get(json, "headers"), name, value)
  {
    if(!json_is_string(value))
      return wrong("header \"%s\" must be a text", name);
  }
  return NULL;
}

static int64_t count_of(const json_t *json, const char *name, int64_t missing)
{
  const json_t *value = json_object_get(json, name);
  return value ? json_integer_value(value) : missing;
}

static const char *text_of(const json_t *json, const char *name,
                           const char *missing)
{
  const json_t *value = json_object_get(json, name);
  return value ? json_string_value(value) : missing;
}

static char *read_action(struct emu_fault *fault, const json_t *json)
{
  const char *action = text_of(json, "action", NULL);
  if(!action)
    return wrong("\"action\" is missing");
  int kind = 0;
  while(kind < EMU_FAULT_KINDS && strcmp(kinds[kind], action) != 0)
    kind++;
  if(kind == EMU_FAULT_KINDS)
    return wrong("unknown action \"%s\"", action);
  fault->kind = (enum emu_fault_kind)kind;
  bool replies = fault->kind == EMU_FAULT_REPLY ||
                 fault->kind == EMU_FAULT_APPLY_THEN_REPLY;
  if(replies && !json_object_get(json, "status"))
    return wrong("action \"%s\" needs \"status\"", action);
  if(fault->kind == EMU_FAULT_IGNORE_FILTER && !fault->filter)
    return wrong("action \"ignore_filter\" needs \"filter\"");
  if(fault->kind == EMU_FAULT_REDIRECT && !fault->location)
    return wrong("action \"redirect\" needs \"location\"");
  return NULL;
}

/* A text goes out as it is; anything else as JSON. */
static void read_body(struct emu_fault *fault, const json_t *json)
{
  const json_t *body = json_object_get(json, "body");
  bool text = json_is_string(body);
  if(text)
    fault->body = emu_copy(json_string_value(body));
  else if(body)
    fault->body = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
  else
    fault->body = emu_copy("");
  fault->type = text_of(json, "content_type",
                        text ? "text/plain; charset=utf-8"
                             : "application/json; charset=utf-8");
}

char *emu_fault_read(struct emu_fault *fault, const json_t *json)
{
  memset(fault, 0, sizeof(*fault));
  if(!json_is_object(json))
    return wrong("a rule must be an object");
  char *problem = check_fields(json);
  if(problem)
    return problem;
  fault->json = json_deep_copy(json);
  json = fault->json;
  fault->method = text_of(json, "method", NULL);
  fault->path = text_of(json, "path", NULL);
  fault->nth = count_of(json, "nth", 0);
  fault->every = count_of(json, "every", 0);
  const json_t *probability = json_object_get(json, "probability");
  fault->probability = probability ? json_number_value(probability) : -1;
  fault->times = count_of(json, "times", fault->nth ? 1 : 0);
  fault->delay_ms = count_of(json, "delay_ms", 0);
  fault->location = text_of(json, "location", NULL);
  fault->filter = text_of(json, "filter", NULL);
  fault->status_name = text_of(json, "status_name", "PAUSED");
  fault->total = count_of(json, "total_items", -1);
  fault->by = count_of(json, "add", 1);
  fault->count = count_of(json, "count", 1);
  fault->at = count_of(json, "at", 20);
  fault->headers = json_object_get(json, "headers");
  read_body(fault, json);
  problem = read_action(fault, json);
  int64_t status =
      count_of(json, "status", fault->kind == EMU_FAULT_REDIRECT ? 302 : 200);
  if(!problem && (status < 200 || status > 599))
    problem = wrong("\"status\" must be from 200 to 599");
  fault->status = (unsigned)status;
  if(problem)
    emu_fault_clear(fault);
  return problem;
}

void emu_fault_clear(struct emu_fault *fault)
{
  json_decref(fault->json);
  free(fault->body);
  memset(fault, 0, sizeof(*fault));
}
