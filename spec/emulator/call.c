/* One exchange: what was asked and what will be answered.
   It must not know what an operation does, nor who carries the bytes. */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void emu_call_clear(struct emu_call *call)
{
  free(call->target);
  free(call->api_key);
  free(call->user_key);
  free(call->org_key);
  free(call->content_type);
  free(call->asked_id);
  free(call->encodings);
  free(call->decoded);
  free(call->query);
  free(call->params);
  for(size_t i = 0; i < call->reply_count; i++) {
    free(call->reply[i].name);
    free(call->reply[i].value);
  }
  json_decref(call->json);
  emu_buf_clear(&call->body);
  emu_buf_clear(&call->headers);
  emu_buf_clear(&call->credentials);
  emu_buf_clear(&call->out);
}

static int hex(char digit)
{
  if(digit >= '0' && digit <= '9')
    return digit - '0';
  if(digit >= 'a' && digit <= 'f')
    return digit - 'a' + 10;
  if(digit >= 'A' && digit <= 'F')
    return digit - 'A' + 10;
  return -1;
}

size_t emu_call_decode(char *text, size_t size, bool plus)
{
  size_t to = 0;
  for(size_t at = 0; at < size; at++) {
    char byte = text[at];
    if(byte == '%' && at + 2 < size && hex(text[at + 1]) >= 0 &&
       hex(text[at + 2]) >= 0) {
      byte = (char)(hex(text[at + 1]) * 16 + hex(text[at + 2]));
      at += 2;
    } else if(byte == '+' && plus)
      byte = ' ';
    text[to++] = byte;
  }
  text[to] = '\0';
  return to;
}

static bool split_path(struct emu_call *call, size_t size)
{
  size_t max = sizeof(call->segments) / sizeof(*call->segments);
  call->decoded = emu_copy_bytes(call->target, size);
  if(call->decoded[0] != '/')
    return false;
  char *slash = call->decoded;
  while(slash) {
    char *segment = slash + 1;
    slash = strchr(segment, '/');
    if(slash)
      *slash = '\0';
    size_t length = emu_call_decode(segment, strlen(segment), false);
    if(strlen(segment) != length || call->segment_count == max)
      return false;
    call->segments[call->segment_count++] = segment;
  }
  return true;
}

static void add_param(struct emu_call *call, char *name, size_t name_size,
                      char *value, size_t value_size)
{
  size_t count = call->param_count;
  if(!(count & (count + 1)))
    call->params =
        emu_grow(call->params, (count * 2 + 2) * sizeof(*call->params));
  name_size = emu_call_decode(name, name_size, true);
  emu_call_decode(value, value_size, true);
  if(name_size > 2 && !strcmp(name + name_size - 2, "[]"))
    name[name_size - 2] = '\0';
  call->params[call->param_count++] = (struct emu_param){ name, value };
}

static void split_query(struct emu_call *call, const char *query)
{
  static char nothing[1];
  char *at = call->query = emu_copy(query);
  while(*at) {
    size_t length = strcspn(at, "&");
    bool more = at[length] == '&';
    char *equals = memchr(at, '=', length);
    at[length] = '\0';
    if(equals) {
      *equals = '\0';
      add_param(call, at, (size_t)(equals - at), equals + 1,
                length - (size_t)(equals - at) - 1);
    } else if(length)
      add_param(call, at, length, nothing, 0);
    at += length + (more ? 1 : 0);
  }
}

bool emu_call_parse(struct emu_call *call)
{
  size_t path = strcspn(call->target, "?");
  if(call->target[path] == '?')
    split_query(call, call->target + path + 1);
  return split_path(call, path);
}

const char *emu_call_param(const struct emu_call *call, const char *name)
{
  const char *value = NULL;
  for(size_t i = 0; i < call->param_count; i++)
    if(!strcmp(call->params[i].name, name))
      value = call->params[i].value;
  return value;
}

void emu_call_header(struct emu_call *call, const char *name,
                     const char *value)
{
  if(call->reply_count == EMU_REPLY_HEADERS)
    return;
  struct emu_header *header = &call->reply[call->reply_count++];
  header->name = emu_copy(name);
  header->value = emu_copy(value);
}

void emu_call_header_int(struct emu_call *call, const char *name,
                         int64_t number)
{
  char text[24];
  snprintf(text, sizeof(text), "%" PRId64, number);
  emu_call_header(call, name, text);
}

bool emu_call_is(const struct emu_call *call, const char *method)
{
  return !strcmp(call->method, method);
}
