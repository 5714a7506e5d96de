/* Stores the given options in the ledger, and restores those that belong to a
   run rather than to one command line: resume cannot forget them.
   Must not know: the engine, what the options do. */
#include <stdlib.h>
#include <string.h>
#include "host/options_private.h"
#include "base/json.h"
#include "base/json_write.h"
#include "host/paths.h"

/* ---- texts and paths ---- */

const char *host_options_saved_join(struct host_options *options,
                                    const char *dir, const char *path)
{
  bool relative = *dir && *path && *path != '/' && strcmp(path, "-") != 0;
  if(!relative)
    return host_options_table_keep(options, "", "", path);
  while(!strncmp(path, "./", 2))
    path += 2 + strspn(path + 2, "/");
  return host_options_table_keep(options, dir, "/", path);
}

struct paths {
  struct host_options *options;
  const char *here;    /* the directory of this command line */
  const char *escaped; /* the same in a pattern */
  bool failed;
};

static void make_absolute(struct paths *paths, const char **path,
                          bool is_pattern)
{
  if(!*path || **path == '/' || !**path || !strcmp(*path, "-"))
    return;
  *path = *paths->here ? host_options_saved_join(
                             paths->options,
                             is_pattern ? paths->escaped : paths->here, *path)
                       : NULL;
  paths->failed = paths->failed || !*path;
}

static void make_option_absolute(struct paths *paths, int i)
{
  struct host_options *options = paths->options;
  const struct host_option *option = &host_options_table[i];
  const bool is_pattern = option->flags & IS_PATTERN;
  int k;
  if(!(option->flags & (IS_PATH | IS_PATTERN)))
    return;
  make_absolute(paths, &options->given[i].value, is_pattern);
  if(!(option->flags & REPEATED))
    make_absolute(paths, (const char **)((char *)options + option->offset),
                  is_pattern && !options->files_named);
  for(k = 0; option->flags & REPEATED && k < options->protect_count; k++)
    make_absolute(paths, &options->protect[k], false);
}

/* The k-th of the words for the script: --NAME-file=FILE, or --NAME-file
   before FILE. */
static void make_secret_absolute(struct paths *paths, int k)
{
  struct host_options *options = paths->options;
  const char *word = options->params[k];
  const char *equals;
  const char *file;
  char name[256]; /* longer than the name of any parameter */
  if(!host_options_table_is_secret(word, &equals) ||
     (!equals && k + 1 == options->param_count))
    return;
  file = equals ? equals + 1 : options->params[k + 1];
  make_absolute(paths, &file, false);
  if(paths->failed)
    return;
  if(!equals) {
    options->params[k + 1] = (char *)file;
    return;
  }
  ca_err_copy_text(name, sizeof(name), word, (size_t)(equals - word));
  file = host_options_table_keep(options, name, "=", file);
  options->params[k] = (char *)file;
  paths->failed = !file;
}

/* In a pattern, %% is a percent sign. */
static void escape(const char *here, char *out)
{
  for(; *here; here++) {
    if(*here == '%')
      *out++ = '%';
    *out++ = *here;
  }
  *out = '\0';
}

enum ca_code host_options_saved_make_absolute(struct host_options *options,
                                              const char *here,
                                              struct ca_err *err)
{
  char escaped[2 * HOST_PATH_SIZE];
  struct paths paths = { options, here, escaped, false };
  int i;
  escape(here, escaped);
  for(i = 0; host_options_table[i].name; i++)
    make_option_absolute(&paths, i);
  for(i = 0; i < options->param_count && !paths.failed; i++)
    make_secret_absolute(&paths, i);
  if(!paths.failed)
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    *here ? "too many options"
                          : "cannot find the current directory");
}

/* ---- restoring ---- */

static bool keep_value(struct host_options *options,
                       const struct host_option *option, struct ca_slice value,
                       const char *dir)
{
  const char *text = NULL;
  if(*value.data == '"') {
    char *bare = malloc(value.len + 1);
    int64_t len = bare ? ca_json_unescape(value, bare) : -1;
    if(len >= 0) {
      bare[len] = '\0';
      text = host_options_saved_join(options,
                                     option->flags & IS_PATH ? dir : "", bare);
    }
    free(bare);
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
                 (option->flags & REPEATED ||
                  !options->given[option - host_options_table].seen)
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
  options->restored = true;
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

enum ca_code host_options_saved_profile(struct host_options *options,
                                        const struct host_option *option,
                                        const char *value, const char *dir,
                                        struct ca_err *err)
{
  bool *of_profile = &options->given[option - host_options_table].of_profile;
  bool seen = options->given[option - host_options_table].seen;
  int protects = options->protect_count;
  const char *text;
  if(!(option->verbs & (1u << options->verb)) ||
     (seen && !(option->flags & REPEATED)))
    return CA_OK;
  text = host_options_saved_join(options, option->flags & IS_PATH ? dir : "",
                                 value);
  if(!text)
    return ca_err_set(err, CA_NOMEM, "too many options");
  if(!host_options_table_read(options, option, text))
    return ca_err_set(err, CA_USAGE, "'%s' is not a value for %s: %s", value,
                      option->name, option->help);
  *of_profile = !seen || *of_profile;
  options->protect_profile += options->protect_count - protects;
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
