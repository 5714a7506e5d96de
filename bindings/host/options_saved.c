/* Restores the options that belong to a run rather than to one command line:
   resume need not repeat them and cannot forget them.
   Must not know: the engine, what the options do. */
#include <stdlib.h>
#include <string.h>
#include "host/options_private.h"
#include "base/json.h"

/* Copies a JSON string into memory that lives as long as the options. When dir
   is not empty, the string is a path relative to dir. NULL on failure. */
static char *keep_text(struct host_options *options, struct ca_slice value,
                       const char *dir)
{
  size_t room = strlen(dir) + value.len + 2;
  char **saved =
      options->saved_count == HOST_SAVED_MAX ? NULL : options->saved;
  char *text = saved ? malloc(room) : NULL;
  size_t used = 0;
  int64_t len;
  if(!text)
    return NULL;
  saved[options->saved_count++] = text;
  if(*dir && value.len > 1 && value.data[1] != '/') {
    used = strlen(dir);
    memcpy(text, dir, used);
    text[used++] = '/';
  }
  len = ca_json_unescape(value, text + used);
  text[len < 0 ? used : used + (size_t)len] = '\0';
  return len < 0 ? NULL : text;
}

static bool keep_value(struct host_options *options,
                       const struct host_option *option, struct ca_slice value,
                       const char *dir)
{
  const char *text = NULL;
  if(*value.data == '"') {
    text = keep_text(options, value, option->flags & IS_PATH ? dir : "");
    if(!text)
      return false;
  }
  return host_options_table_read(options, option, text);
}

/* Reads one value, or an array of values (--protect). */
static bool keep_values(struct host_options *options,
                        const struct host_option *option,
                        struct ca_slice value, const char *dir)
{
  struct ca_json_scan scan = { value.data, value.data + value.len };
  struct ca_slice one;
  bool first = true;
  if(!ca_json_enter(&scan, '['))
    return keep_value(options, option, value, dir);
  while(ca_json_element(&scan, &first) == 1)
    if(ca_json_value(&scan, &one) == CA_JSON_BAD ||
       !keep_value(options, option, one, dir))
      return false;
  return true;
}

static const struct host_option *find_saved(const struct host_options *options,
                                            struct ca_slice name)
{
  int i;
  for(i = 0; host_options_table[i].name; i++)
    if(strlen(host_options_table[i].name) == name.len &&
       !memcmp(host_options_table[i].name, name.data, name.len))
      return (host_options_table[i].flags & SAVED) && !options->given[i].seen
                 ? &host_options_table[i]
                 : NULL;
  return NULL;
}

enum ca_code host_options_saved_restore(struct host_options *options,
                                        const char *json, const char *dir,
                                        struct ca_err *err)
{
  struct ca_json_scan scan = { json, json + strlen(json) };
  struct ca_slice name;
  struct ca_slice value;
  bool first = true;
  if(!ca_json_enter(&scan, '{'))
    return CA_OK; /* an older version stored no options */
  while(ca_json_member(&scan, &first, &name) == 1) {
    const struct host_option *option = find_saved(options, name);
    if(ca_json_value(&scan, &value) == CA_JSON_BAD)
      break;
    if(option && !keep_values(options, option, value, dir))
      return ca_err_set(
          err, CA_USAGE,
          "the run's --%s cannot be read from the ledger: give it "
          "again",
          option->name);
  }
  return CA_OK;
}
