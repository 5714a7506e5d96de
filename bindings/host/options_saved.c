/* Stores the given options in the ledger, and restores those that belong to a
   run rather than to one command line: resume cannot forget them.
   Must not know: the engine, what the options do. */
#include <stdlib.h>
#include <string.h>
#include "host/options_private.h"
#include "base/json.h"
#include "base/json_write.h"
#include "host/paths.h"

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

/* Restores the words after "--", a JSON list. They end with NULL. */
static bool keep_words(struct host_options *options, struct ca_slice value)
{
  struct ca_json_scan scan = { value.data, value.data + value.len };
  struct ca_slice one;
  bool first = true;
  if(!ca_json_enter(&scan, '['))
    return false;
  options->words = calloc(value.len, sizeof(options->words[0]));
  options->rest = options->words;
  while(options->words && ca_json_element(&scan, &first) == 1) {
    char *word = ca_json_value(&scan, &one) == CA_JSON_STRING
                     ? malloc(one.len + 1)
                     : NULL;
    int64_t len = word ? ca_json_unescape(one, word) : -1;
    if(len < 0) {
      free(word);
      return false;
    }
    word[len] = '\0';
    options->words[options->rest_count++] = word;
  }
  return options->words != NULL;
}

static const struct host_option *find_saved(const struct host_options *options,
                                            struct ca_slice name)
{
  const struct host_option *option =
      host_options_table_find(name.data, name.len);
  /* the key of a plan's profile was needed before the plan could be read */
  bool of_verb = options->verb == HOST_RESUME ||
                 (options->verb == HOST_APPLY) != ca_slice_is(name, "profile");
  return option && option->flags & SAVED && of_verb &&
                 !options->given[option - host_options_table].seen
             ? option
             : NULL;
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
    bool words = ca_slice_is(name, HOST_SAVED_WORDS) && !options->rest &&
                 options->verb != HOST_UNDO;
    if(ca_json_value(&scan, &value) == CA_JSON_BAD)
      break;
    if(words && !keep_words(options, value))
      return ca_err_set(err, CA_USAGE,
                        "the run's arguments after -- cannot be read: give "
                        "them again");
    if(option && !keep_values(options, option, value, dir))
      return ca_err_set(err, CA_USAGE,
                        "the run's --%s cannot be read: give it again",
                        option->name);
  }
  return CA_OK;
}

/* ---- the options of a profile ---- */

const struct host_option *host_options_saved_in_profile(const char *name)
{
  const struct host_option *option =
      host_options_table_find(name, strlen(name));
  bool may = option && option->value && option->flags & (CARRIED | SAVED);
  return may && strcmp(name, "profile") != 0 ? option : NULL;
}

const char *host_options_saved_copy(struct host_options *options,
                                    const char *dir, const char *value)
{
  char *text = NULL;
  if(options->saved_count < HOST_SAVED_MAX &&
     asprintf(&text, "%s%s%s", dir, *dir ? "/" : "", value) < 0)
    text = NULL;
  if(text)
    options->saved[options->saved_count++] = text;
  return text;
}

enum ca_code host_options_saved_profile(struct host_options *options,
                                        const struct host_option *option,
                                        const char *value, const char *dir,
                                        struct ca_err *err)
{
  bool *of_profile = &options->given[option - host_options_table].of_profile;
  bool seen = options->given[option - host_options_table].seen;
  bool relative = option->flags & IS_PATH && *value && *value != '/';
  const char *text;
  if(!(option->verbs & (1u << options->verb)) ||
     (seen && !(option->flags & REPEATED)))
    return CA_OK;
  text = host_options_saved_copy(options, relative ? dir : "", value);
  if(!text)
    return ca_err_set(err, CA_NOMEM, "too many options");
  if(!host_options_table_read(options, option, text))
    return ca_err_set(err, CA_USAGE, "'%s' is not a value for %s: %s", value,
                      option->name, option->help);
  *of_profile = !seen || *of_profile;
  if(option->flags & REPEATED)
    options->protect_profile++;
  return CA_OK;
}

/* ---- the given options, for the ledger and for a later resume ---- */

/* The k-th value given for option i, or NULL: --protect may be repeated. */
static const char *given_text(const struct host_options *options, int i, int k)
{
  if(host_options_table[i].flags & REPEATED)
    return k < options->protect_count ? options->protect[k] : NULL;
  return k ? NULL : options->given[i].value;
}

static void add_text(struct ca_json_write *json, const char *name,
                     const char *text)
{
  struct ca_slice slice = ca_slice_of(text);
  if(!ca_text_is_utf8(slice, NULL)) /* a path may hold any bytes */
    ca_json_write_null(json, name);
  else
    ca_json_write_text(json, name, text);
}

static void add_given(const struct host_options *options, int i,
                      struct ca_json_write *json)
{
  const char *name = host_options_table[i].name;
  const char *text;
  int k;
  if(!options->given[i].value)
    ca_json_write_bool(json, name, true);
  else if(!given_text(options, i, 1))
    add_text(json, name, options->given[i].value);
  else {
    ca_json_write_open(json, name, '[');
    for(k = 0; (text = given_text(options, i, k)) != NULL; k++)
      add_text(json, NULL, text);
    ca_json_write_close(json, ']');
  }
}

enum ca_code host_options_saved_json(const struct host_options *options,
                                     struct ca_buf *out)
{
  struct ca_json_write json;
  int i;
  ca_json_write_begin(&json, out);
  if(options->verb == HOST_APPLY)
    /* resume may have to suggest the same `apply PLAN` again */
    add_text(&json, "plan", options->operand);
  for(i = 0; host_options_table[i].name; i++)
    if(options->given[i].seen && !(host_options_table[i].flags & NOT_STORED) &&
       (!options->given[i].of_profile || host_options_table[i].flags & SAVED))
      add_given(options, i, &json); /* resume reads the others from the
                                       profile again */
  if(options->rest) {
    ca_json_write_open(&json, HOST_SAVED_WORDS, '[');
    for(i = 0; i < options->rest_count; i++)
      add_text(&json, NULL, options->rest[i]);
    ca_json_write_close(&json, ']');
  }
  return ca_json_write_end(&json);
}

void host_options_saved_carry(
    const struct host_options *options, const char *here,
    void (*visit)(void *ctx, const char *name, const char *value), void *ctx)
{
  bool plan = options->save_plan && !options->apply;
  int own = options->protect_count - options->protect_profile;
  char path[HOST_PATH_SIZE * 2];
  const char *text;
  int i;
  int k;
  for(i = 0; host_options_table[i].name; i++) {
    const struct host_option *option = &host_options_table[i];
    bool limits = plan && option->flags & SAVED && option->verbs & ON(APPLY);
    bool repeated = option->flags & REPEATED;
    if((!(option->flags & CARRIED) && !limits) ||
       (options->given[i].of_profile && !repeated))
      continue;
    for(k = 0; (text = given_text(options, i, k)) != NULL; k++) {
      if(option->flags & IS_PATH && *text != '/' && *here) {
        text += strncmp(text, "./", 2) ? 0 : 2;
        snprintf(path, sizeof(path), "%s/%s", here, text);
        text = path;
      }
      if(!repeated || k < own)
        visit(ctx, option->name, text);
    }
    if(!k && options->given[i].seen)
      visit(ctx, option->name, NULL);
  }
}
