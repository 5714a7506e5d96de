/* Profiles: sections of the configuration file, which hold options of the
   host.
   Must not know: the engine, what the options do.

   An option comes from the command line, else from the plan or the resumed
   run, else from the profile, else from the environment, else from [default].
   A profile stands for one project, so without a key file of its own it is
   refused: no other project's key may take its place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef COMPOSIO_INIH
#include <ini.h>
#endif
#include "base/text.h"
#include "host/options_private.h"
#include "host/paths.h"
#include "host/profile.h"
#include "module/table.h"

#define DEFAULT "default"

/* Called for each option of the file, in its order. */
typedef enum ca_code visit_option(void *ctx, const char *section,
                                  const struct host_option *option,
                                  const char *value, struct ca_err *err);

struct reading {
  FILE *file;
  int line;
  int error_line; /* the line of the error in err */
  bool taken[HOST_OPTION_MAX];
  char section[64]; /* the section of the line before */
  visit_option *visit;
  void *ctx;
  struct ca_err *err;
};

/* ---- the file ---- */

#ifdef COMPOSIO_INIH

static enum ca_code visit_line(struct reading *reading, const char *section,
                               const char *name, const char *value)
{
  const struct host_option *option = host_options_saved_in_profile(name);
  bool *taken;
  if(!*section)
    return ca_err_set(reading->err, CA_USAGE,
                      "an option precedes the first [PROFILE]");
  if(!option)
    return ca_err_set(reading->err, CA_USAGE,
                      "'%.60s' is not an option that a profile may have",
                      name);
  if(strcmp(reading->section, section) != 0)
    memset(reading->taken, 0, sizeof(reading->taken));
  ca_text_copy(reading->section, sizeof(reading->section), section);
  taken = &reading->taken[option - host_options_table];
  if(*taken && !(option->flags & REPEATED))
    return ca_err_set(reading->err, CA_USAGE, "%s is given twice in [%s]",
                      name, section);
  *taken = true;
  return reading->visit(reading->ctx, section, option, value, reading->err);
}

static int take_line(void *ctx, const char *section, const char *name,
                     const char *value)
{
  struct reading *reading = ctx;
  if(!reading->error_line && visit_line(reading, section, name, value))
    reading->error_line = reading->line;
  return !reading->error_line;
}

/* Reads a line for libinih and counts it, because libinih does not tell its
   handlers the line number. */
static char *next_line(char *out, int size, void *ctx)
{
  struct reading *reading = ctx;
  char *line = reading->error_line ? NULL : fgets(out, size, reading->file);
  if(!line)
    return NULL;
  reading->line++;
  if(strchr(line, '\n') || feof(reading->file))
    return line;
  reading->error_line = reading->line;
  (void)ca_err_set(reading->err, CA_USAGE,
                   "the line is longer than %d characters", size - 2);
  return NULL;
}

static enum ca_code read_file(struct reading *reading, const char *path,
                              struct ca_err *err)
{
  char text[sizeof(err->text)];
  int line = ini_parse_stream(next_line, reading, take_line, reading);
  if(ferror(reading->file))
    return ca_err_set(err, CA_USAGE, "%s cannot be read", path);
  if(line <= 0 && !reading->error_line)
    return CA_OK;
  ca_text_copy(text, sizeof(text), err->text);
  if(!reading->error_line || (line > 0 && line < reading->error_line))
    return ca_err_set(err, CA_USAGE,
                      "%s:%d: neither [PROFILE] nor NAME = VALUE nor a "
                      "comment",
                      path, line);
  return ca_err_set(err, CA_USAGE, "%s:%d: %s", path, reading->error_line,
                    text);
}

#else

static enum ca_code read_file(struct reading *reading, const char *path,
                              struct ca_err *err)
{
  (void)reading;
  return ca_err_set(err, CA_USAGE,
                    "%s cannot be read: this composio-lua was built without "
                    "libinih",
                    path);
}

#endif

/* Anybody who can write the file can have the key sent to another base URL. */
static enum ca_code check_file(FILE *file, const char *path,
                               struct ca_err *err)
{
  struct stat facts;
  if(!fstat(fileno(file), &facts) && S_ISREG(facts.st_mode) &&
     !(facts.st_mode & (S_IWGRP | S_IWOTH)))
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "%s: it must be a file that only its owner can write; "
                    "chmod 600 it",
                    path);
}

static enum ca_code read_profiles(char path[HOST_PATH_SIZE], bool *found,
                                  visit_option *visit, void *ctx,
                                  struct ca_err *err)
{
  struct reading reading = { .visit = visit, .ctx = ctx, .err = err };
  enum ca_code code;
  *found = false;
  path[0] = '\0';
  if(!host_paths_config(path, HOST_PATH_SIZE))
    return CA_OK;
  reading.file = fopen(path, "re");
  if(!reading.file && (errno == ENOENT || errno == ENOTDIR))
    return CA_OK;
  if(!reading.file)
    return ca_err_set(err, CA_USAGE, "%s: %s", path, strerror(errno));
  *found = true;
  code = check_file(reading.file, path, err);
  if(!code)
    code = read_file(&reading, path, err);
  (void)fclose(reading.file);
  return code;
}

/* ---- taking options ---- */

struct taking {
  struct host_options *options;
  const char *section; /* the section whose options are taken */
  const char *profile; /* NULL: none was asked for */
  const char *only;    /* the one option to take, or NULL */
  char dir[HOST_PATH_SIZE];
  bool found; /* the section has options */
};

static bool is_set(const char *variable)
{
  const char *value = getenv(variable);
  return value && *value;
}

/* Must this option of [default] be ignored, because of the environment or
   of a profile that was named? */
static bool is_passed_over(const struct taking *taking, const char *name)
{
  if(!strcmp(name, "api-key-file"))
    return taking->profile || is_set("COMPOSIO_API_KEY") ||
           is_set("CREDENTIALS_DIRECTORY");
  return !strcmp(name, "base-url") && is_set("COMPOSIO_BASE_URL");
}

/* The key of a plan's profile is needed before the plan can be read, but what
   the plan holds itself comes before the profile. */
static bool waits_for_plan(const struct host_options *options,
                           const struct host_option *option)
{
  return options->verb == HOST_APPLY && !options->restored &&
         option->flags & SAVED;
}

static enum ca_code take(void *ctx, const char *section,
                         const struct host_option *option, const char *value,
                         struct ca_err *err)
{
  struct taking *taking = ctx;
  const char *name = option->name;
  bool of_service = !strcmp(name, "base-url") || !strcmp(name, "api-key-file");
  if(strcmp(section, taking->section) != 0)
    return CA_OK;
  taking->found = true;
  if((taking->only && strcmp(name, taking->only) != 0) ||
     waits_for_plan(taking->options, option) ||
     (of_service && taking->options->emulator) ||
     (taking->section != taking->profile && is_passed_over(taking, name)))
    return CA_OK;
  return host_options_saved_profile(taking->options, option, value,
                                    taking->dir, err);
}

static enum ca_code take_section(struct taking *taking, const char *section,
                                 char path[HOST_PATH_SIZE], bool *found,
                                 struct ca_err *err)
{
  char *slash;
  taking->section = section;
  taking->found = false;
  if(host_paths_config(taking->dir, sizeof(taking->dir))) {
    slash = strrchr(taking->dir, '/');
    *slash = '\0';
  }
  return read_profiles(path, found, take, taking, err);
}

static enum ca_code check_named(const struct taking *taking, const char *path,
                                bool found, struct ca_err *err)
{
  const struct host_options *options = taking->options;
  if(!found)
    return ca_err_set(err, CA_USAGE, "there is no profile '%s': %s is missing",
                      taking->profile, *path ? path : "its file");
  if(!taking->found)
    return ca_err_set(err, CA_USAGE,
                      "there is no profile '%s' in %s; `composio-lua "
                      "profiles` lists them",
                      taking->profile, path);
  if(taking->only || options->api_key_file || options->emulator ||
     !(host_options_saved_in_profile("api-key-file")->verbs &
       (1u << options->verb)))
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "the profile '%s' has no api-key-file in %s, and "
                    "COMPOSIO_API_KEY may be another project's: add the line, "
                    "or give --api-key-file",
                    taking->profile, path);
}

static enum ca_code take_options(struct host_options *options,
                                 const char *only, struct ca_err *err)
{
  struct taking taking = { .options = options,
                           .profile = options->profile,
                           .only = only };
  char path[HOST_PATH_SIZE];
  bool found = false;
  enum ca_code code = CA_OK;
  if(options->profile) {
    code = take_section(&taking, options->profile, path, &found, err);
    if(!code)
      code = check_named(&taking, path, found, err);
  }
  return code ? code : take_section(&taking, DEFAULT, path, &found, err);
}

void host_profile_choose(struct host_options *options, const char *name)
{
  (void)host_options_table_read(options, host_options_table_find("profile", 7),
                                name);
  options->one_of_several = true;
}

/* ---- names of files ---- */

static const char **name_of(struct host_options *options, int i)
{
  return (const char **)((char *)options + host_options_table[i].offset);
}

enum ca_code host_profile_name_files(struct host_options *options,
                                     struct ca_err *err)
{
  char name[HOST_PATH_SIZE];
  enum ca_code code = CA_OK;
  bool has_profile;
  int i;
  if(options->files_named)
    return CA_OK;
  options->files_named = true;
  for(i = 0; !code && host_options_table[i].name; i++) {
    const char **place = name_of(options, i);
    if(!(host_options_table[i].flags & IS_PATTERN) || !*place)
      continue;
    code = host_paths_fill(*place, options->profile, options->shard.name, true,
                           name, sizeof(name), &has_profile, err);
    if(!code)
      *place = host_options_table_keep(options, "", "", name);
    if(!code && !*place)
      code = ca_err_set(err, CA_NOMEM, "too many options");
  }
  return code;
}

/* Refuses a list that names a profile twice, or too many. */
static enum ca_code check_list(const char *list, struct ca_err *err)
{
  const char *name = list;
  const char *other;
  int count = 0;
  for(; name; name = strchr(name, ',')) {
    size_t len;
    name += *name == ',';
    len = strcspn(name, ",");
    for(other = list; other < name; other += strcspn(other, ",") + 1)
      if(strcspn(other, ",") == len && !memcmp(other, name, len))
        return ca_err_set(err, CA_USAGE, "--profile %s names %.*s twice", list,
                          (int)len, name);
    if(++count > HOST_PROFILE_MAX)
      return ca_err_set(err, CA_USAGE, "--profile takes at most %d profiles",
                        HOST_PROFILE_MAX);
  }
  return CA_OK;
}

enum ca_code host_profile_check_several(struct host_options *options,
                                        struct ca_err *err)
{
  char filled[HOST_PATH_SIZE];
  bool has_profile;
  int i;
  if(check_list(options->profile, err))
    return err->code;
  if(options->verb != HOST_RUN || options->save_plan || options->confirm_count)
    return ca_err_set(err, CA_USAGE,
                      "--profile %s: several profiles are for run alone, and "
                      "for no --confirm and no --save-plan",
                      options->profile);
  for(i = 0; host_options_table[i].name; i++) {
    const char *name =
        host_options_table[i].flags & IS_PATTERN ? *name_of(options, i) : NULL;
    if(!name || !strcmp(name, "-"))
      continue;
    if(host_paths_fill(name, "", options->shard.name, true, filled,
                       sizeof(filled), &has_profile, err))
      return err->code;
    if(!has_profile)
      return ca_err_set(err, CA_USAGE,
                        "--%s %s: with several profiles the name needs %%p, "
                        "which stands for the profile",
                        host_options_table[i].name, name);
  }
  return CA_OK;
}

enum ca_code host_profile_take(struct host_options *options, const char *only,
                               struct ca_err *err)
{
  enum ca_code code = take_options(options, only, err);
  return code || only ? code : host_profile_name_files(options, err);
}

/* ---- the verb profiles ---- */

static enum ca_code push_line(void *ctx, const char *section,
                              const struct host_option *option,
                              const char *value, struct ca_err *err)
{
  lua_State *L = ctx;
  (void)err;
  lua_createtable(L, 0, 3);
  lca_table_set_text(L, "profile", section);
  lca_table_set_text(L, "name", option->name);
  lca_table_set_text(L, "value", value);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return CA_OK;
}

int host_profile_push(lua_State *L)
{
  char path[HOST_PATH_SIZE];
  struct ca_err err;
  bool found;
  ca_err_clear(&err);
  lua_newtable(L);
  if(read_profiles(path, &found, push_line, L, &err)) {
    lua_pushstring(L, err.text);
    return lua_error(L);
  }
  lua_pushstring(L, path);
  return 2;
}
