/* Faults of the service, on order: which requests are hit and how.
   It must not know what the operations do; it twists what goes round them. */
#include "fault.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fault_rules.h"
#include "random.h"
#include "reply.h"

struct emu_faults {
  struct emu_fault **rules;
  size_t count;
  uint64_t seed;
  struct emu_random random;
};

struct emu_faults *emu_faults_new(uint64_t seed)
{
  struct emu_faults *faults = emu_alloc(sizeof(*faults));
  faults->seed = seed;
  faults->random = emu_random_for(seed, 0xfa017);
  return faults;
}

void emu_faults_clear(struct emu_faults *faults)
{
  for(size_t i = 0; i < faults->count; i++) {
    emu_fault_clear(faults->rules[i]);
    free(faults->rules[i]);
  }
  free(faults->rules);
  faults->rules = NULL;
  faults->count = 0;
  /* So that the same rules hit the same requests again. */
  faults->random = emu_random_for(faults->seed, 0xfa017);
}

void emu_faults_free(struct emu_faults *faults)
{
  if(faults)
    emu_faults_clear(faults);
  free(faults);
}

static char *add_one(struct emu_faults *faults, const json_t *json)
{
  struct emu_fault fault;
  char *problem = emu_fault_read(&fault, json);
  if(problem)
    return problem;
  faults->rules =
      emu_grow(faults->rules, (faults->count + 1) * sizeof(*faults->rules));
  faults->rules[faults->count] = emu_alloc(sizeof(fault));
  *faults->rules[faults->count++] = fault;
  return NULL;
}

static void drop_after(struct emu_faults *faults, size_t count)
{
  while(faults->count > count) {
    struct emu_fault *fault = faults->rules[--faults->count];
    emu_fault_clear(fault);
    free(fault);
  }
}

char *emu_faults_add(struct emu_faults *faults, const json_t *rules)
{
  size_t before = faults->count;
  char *problem = NULL;
  if(!json_is_array(rules))
    return add_one(faults, rules);
  for(size_t i = 0; i < json_array_size(rules) && !problem; i++)
    problem = add_one(faults, json_array_get(rules, i));
  if(problem)
    drop_after(faults, before);
  return problem;
}

void emu_faults_write(const struct emu_faults *faults, struct emu_buf *out)
{
  emu_buf_char(out, '[');
  for(size_t i = 0; i < faults->count; i++) {
    const struct emu_fault *fault = faults->rules[i];
    char *text = json_dumps(fault->json, JSON_COMPACT);
    emu_buf_text(out, i ? ",{\"rule\":" : "{\"rule\":");
    emu_buf_text(out, text ? text : "null");
    emu_buf_text(out, ",\"matched\":");
    emu_buf_int(out, fault->matched);
    emu_buf_text(out, ",\"fired\":");
    emu_buf_int(out, fault->fired);
    emu_buf_char(out, '}');
    free(text);
  }
  emu_buf_char(out, ']');
}

static bool due(struct emu_faults *faults, const struct emu_fault *fault)
{
  if(fault->times && fault->fired >= fault->times)
    return false;
  if(fault->nth && fault->matched < fault->nth)
    return false;
  if(fault->every && fault->matched % fault->every != 0)
    return false;
  if(fault->probability < 0)
    return true;
  double drawn =
      (double)(emu_random_next(&faults->random) >> 11) / 9007199254740992.0;
  return drawn < fault->probability;
}

const struct emu_fault *emu_faults_match(struct emu_faults *faults,
                                         const char *method,
                                         const char *target)
{
  for(size_t i = 0; i < faults->count; i++) {
    struct emu_fault *fault = faults->rules[i];
    if(fault->method && strcasecmp(fault->method, method) != 0)
      continue;
    if(fault->path && fnmatch(fault->path, target, FNM_NOESCAPE) != 0)
      continue;
    fault->matched++;
    if(!due(faults, fault))
      continue;
    fault->fired++;
    return fault;
  }
  return NULL;
}

bool emu_fault_is(const struct emu_fault *fault, enum emu_fault_kind kind)
{
  return fault && fault->kind == kind;
}

bool emu_fault_ignores(const struct emu_fault *fault, const char *filter)
{
  return emu_fault_is(fault, EMU_FAULT_IGNORE_FILTER) &&
         !strcmp(fault->filter, filter);
}

const char *emu_fault_status(const struct emu_fault *fault)
{
  return emu_fault_is(fault, EMU_FAULT_UNKNOWN_STATUS) ? fault->status_name
                                                       : NULL;
}

size_t emu_fault_duplicates(const struct emu_fault *fault)
{
  return emu_fault_is(fault, EMU_FAULT_DUPLICATE_ITEMS) ? (size_t)fault->count
                                                        : 0;
}

int64_t emu_fault_total(const struct emu_fault *fault, int64_t total)
{
  if(!emu_fault_is(fault, EMU_FAULT_TOTAL_ITEMS))
    return total;
  if(fault->total >= 0)
    return fault->total;
  return total + fault->by > 0 ? total + fault->by : 0;
}

static void own_reply(const struct emu_fault *fault, struct emu_call *call)
{
  emu_buf_text(emu_reply_start(call, fault->status), fault->body);
  call->type = fault->type;
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)fault->headers, name, value)
  {
    emu_call_header(call, name, json_string_value(value));
  }
}

bool emu_fault_before(const struct emu_fault *fault, struct emu_call *call)
{
  call->delay_ms += fault->delay_ms;
  switch(fault->kind) {
  case EMU_FAULT_REPLY:
    own_reply(fault, call);
    return true;
  case EMU_FAULT_REDIRECT:
    own_reply(fault, call);
    emu_call_header(call, "Location", fault->location);
    return true;
  case EMU_FAULT_CLOSE:
    call->close = true;
    return true;
  case EMU_FAULT_GARBAGE:
    emu_buf_text(emu_reply_start(call, 200), "{\"items\":[{\"id\":\"ca_");
    return true;
  case EMU_FAULT_HTML:
    emu_buf_text(emu_reply_start(call, 200),
                 "<!doctype html><html lang=\"en\"><title>Checking your "
                 "browser</title><p>One moment, please.</p></html>\n");
    call->type = "text/html; charset=utf-8";
    return true;
  default:
    return false;
  }
}

void emu_fault_after(const struct emu_fault *fault, struct emu_call *call)
{
  if(fault->kind == EMU_FAULT_APPLY_THEN_CLOSE) {
    call->close = true;
  } else if(fault->kind == EMU_FAULT_APPLY_THEN_REPLY) {
    own_reply(fault, call);
  } else if(fault->kind == EMU_FAULT_TRUNCATE) {
    call->truncate = true;
    call->truncate_at = (size_t)fault->at < call->out.size
                            ? (size_t)fault->at
                            : call->out.size - 1;
  }
}
