/* Finds files on this machine: the API key, the state directory, the shipped
   scripts, the emulator.
   Must not know: the engine, what a run is. */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "module/client.h"
#include "module/error.h"
#include "host/os.h"
#include "host/paths.h"

/* ---- files ---- */

char *host_paths_read_file(const char *path, size_t max, size_t *len,
                           struct ca_err *err)
{
  char *bytes = malloc(max + 2);
  FILE *file = bytes ? fopen(path, "re") : NULL;
  if(!bytes)
    ca_err_set(err, CA_NOMEM, "out of memory");
  if(file) {
    *len = fread(bytes, 1, max + 1, file);
    bytes[*len] = '\0';
  }
  if(bytes && (!file || ferror(file)))
    ca_err_set(err, CA_SYSTEM, "cannot read %s: %s", path, strerror(errno));
  else if(bytes && *len > max)
    ca_err_set(err, CA_SYSTEM, "%s is larger than %zu bytes", path, max);
  if(file)
    (void)fclose(file);
  if(err->code) {
    free(bytes);
    bytes = NULL;
  }
  return bytes;
}

static enum ca_code join(char *out, size_t size, const char *dir,
                         const char *name, struct ca_err *err)
{
  int len = snprintf(out, size, "%s%s", dir, name);
  if(len < 0 || (size_t)len >= size)
    return ca_err_set(err, CA_USAGE, "the path is too long: %s", dir);
  return CA_OK;
}

/* Finds one of the files, named from the directory of this program's file: the
   first that this mode of access(2) allows. The list ends with NULL. Sets
   *known to whether that directory could be found. */
static bool find_installed(const char *const names[], int mode, char *out,
                           size_t size, bool *known)
{
  char own[HOST_PATH_SIZE];
  struct ca_err ignored;
  char *slash = host_os_path_own(own, sizeof(own)) ? strrchr(own, '/') : NULL;
  *known = slash != NULL;
  if(!slash)
    return false;
  *slash = '\0';
  for(; *names; names++)
    if(!join(out, size, own, *names, &ignored) && !access(out, mode))
      return true;
  return false;
}

/* ---- the key ---- */

void host_paths_forget_key(void)
{
  char *value = getenv("COMPOSIO_API_KEY");
  if(!value)
    return;
  ca_buf_wipe_memory(value, strlen(value)); /* also in /proc/self/environ */
  unsetenv("COMPOSIO_API_KEY");
}

enum ca_code host_paths_read_key(const char *file, struct ca_buf *key,
                                 struct ca_err *err)
{
  enum ca_code code = lca_client_find_key(file, key, err);
  host_paths_forget_key();
  if(!code && !key->len)
    code = ca_err_set(err, CA_USAGE,
                      "no API key: set COMPOSIO_API_KEY, or give "
                      "--api-key-file FILE; --emulator needs none");
  return code;
}

/* ---- the user ---- */

const char *host_paths_user(void)
{
  static char name[HOST_PATHS_USER_SIZE];
  const struct passwd *user = name[0] ? NULL : getpwuid(getuid());
  if(user)
    ca_text_copy(name, sizeof(name), user->pw_name);
  return name;
}

/* ---- the state directory ---- */

static bool is_absolute(const char *path)
{
  return path && path[0] == '/';
}

/* Finds a directory of this user: by the XDG base directory variable, else
   below the home directory. Fails if there is no home directory. */
static bool find_own(const char *variable, const char *below_home,
                     const char *name, char *out, size_t size)
{
  const char *named = getenv(variable);
  const char *home = getenv("HOME");
  const struct passwd *user;
  struct ca_err ignored;
  if(is_absolute(named))
    return !join(out, size, named, name, &ignored);
  if(!is_absolute(home)) {
    user = getpwuid(getuid());
    home = user ? user->pw_dir : NULL;
  }
  if(!is_absolute(home) || access(home, F_OK))
    return false;
  return snprintf(out, size, "%s%s%s", home, below_home, name) < (int)size;
}

enum ca_code host_paths_state_dir(const char *named, char *out, size_t size,
                                  struct ca_err *err)
{
  if(named)
    return join(out, size, named, "", err);
  if(find_own("XDG_STATE_HOME", "/.local/state", "/composio-lua", out, size))
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "no home directory to keep the ledger in; give "
                    "--state-dir DIR");
}

bool host_paths_config(char *out, size_t size)
{
  return find_own("XDG_CONFIG_HOME", "/.config", "/composio-lua/config", out,
                  size);
}

enum ca_code host_paths_fill(const char *pattern, const char *profile,
                             const char *shard, bool dated, char *out,
                             size_t size, bool *has_profile,
                             struct ca_err *err)
{
  const time_t now = (time_t)(ca_clock_wall_ms(ca_clock_system()) / 1000);
  char date[16];
  size_t used = 0;
  struct tm parts;
  (void)localtime_r(&now, &parts);
  (void)strftime(date, sizeof(date), "%F", &parts);
  out[0] = '\0';
  *has_profile = false;
  for(; *pattern; pattern++) {
    char piece[2] = { *pattern, '\0' };
    const char *text = piece;
    if(*pattern == '%' && pattern[1] == 'p') {
      text = profile ? profile : "default";
      *has_profile = true;
    } else if(*pattern == '%' && pattern[1] == 's')
      text = shard;
    else if(dated && *pattern == '%' && pattern[1] == 'F')
      text = date;
    if(text != piece || (*pattern == '%' && pattern[1] == '%'))
      pattern++;
    used += strlen(text);
    if(used >= size)
      return ca_err_set(err, CA_USAGE, "the name of a file is too long");
    memcpy(out + used - strlen(text), text, strlen(text) + 1);
  }
  return CA_OK;
}

enum ca_code host_paths_make_scratch(char *out, size_t size,
                                     struct ca_err *err)
{
  const char *tmp = getenv("TMPDIR");
  enum ca_code code = join(out, size, is_absolute(tmp) ? tmp : "/tmp",
                           "/composio-lua-XXXXXX", err);
  if(code)
    return code;
  if(!mkdtemp(out))
    return ca_err_set(err, CA_SYSTEM, "cannot create a directory %s: %s", out,
                      strerror(errno));
  return CA_OK;
}

void host_paths_remove_scratch(const char *dir)
{
  DIR *list = opendir(dir);
  const struct dirent *entry;
  if(!list)
    return;
  while((entry = readdir(list)) != NULL)
    if(strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      (void)unlinkat(dirfd(list), entry->d_name, 0);
  closedir(list);
  (void)rmdir(dir);
}

/* ---- scripts ---- */

static enum ca_code scripts_dir(char *out, size_t size, struct ca_err *err)
{
  static const char *const places[] = { "/scripts",
                                        "/../share/composio-lua/scripts",
                                        NULL };
  bool known;
  if(find_installed(places, F_OK, out, size, &known))
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    known ? "the shipped scripts are not installed: give a "
                            "file such as ./job.lua"
                          : "cannot find the directory of this program, where "
                            "the shipped scripts are: start it by its path, "
                            "or give a file such as ./job.lua");
}

static int by_name(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

enum ca_code host_paths_scripts(char *dir, size_t size,
                                struct host_paths_names *names,
                                struct ca_err *err)
{
  const struct dirent *entry;
  enum ca_code code = scripts_dir(dir, size, err);
  DIR *list = code ? NULL : opendir(dir);
  names->count = 0;
  while(list && (entry = readdir(list)) != NULL &&
        names->count < HOST_SCRIPTS_MAX - 1) {
    size_t len = strlen(entry->d_name);
    if(len < 5 || strcmp(entry->d_name + len - 4, ".lua") != 0)
      continue;
    names->list[names->count] = strndup(entry->d_name, len - 4);
    names->count += names->list[names->count] != NULL;
  }
  if(list)
    closedir(list);
  names->list[names->count] = NULL;
  qsort(names->list, (size_t)names->count, sizeof(names->list[0]), by_name);
  return code;
}

void host_paths_free_names(struct host_paths_names *names)
{
  while(names->count)
    free(names->list[--names->count]);
}

static enum ca_code no_script(const char *word,
                              const struct host_paths_names *names,
                              struct ca_err *err)
{
  const char *near = lca_error_nearest(word, (const char *const *)names->list);
  return ca_err_set(
      err, CA_USAGE,
      "no shipped script or verb is called '%s'%s%s%s; for a file, "
      "give its path: ./%s.lua",
      word, near ? " (did you mean '" : "", near ? near : "",
      near ? "'?)" : "; `composio-lua scripts` lists the scripts", word);
}

enum ca_code host_paths_script(const char *word, char *out, size_t size,
                               struct ca_err *err)
{
  char dir[HOST_PATH_SIZE - 300];
  struct host_paths_names names;
  size_t len = strlen(word);
  enum ca_code code;
  if(strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".lua")))
    return join(out, size, word, "", err);
  if(len > 200)
    return ca_err_set(err, CA_USAGE, "the script's name is too long");
  code = host_paths_scripts(dir, sizeof(dir), &names, err);
  if(code)
    return code;
  snprintf(out, size, "%s/%s.lua", dir, word);
  if(access(out, F_OK))
    code = no_script(word, &names, err);
  host_paths_free_names(&names);
  return code;
}

/* ---- the emulator ---- */

enum ca_code host_paths_emulator(char *out, size_t size, struct ca_err *err)
{
  static const char *const places[] = {
    "/composio-emulator", "/../libexec/composio-lua/composio-emulator",
    "/../libexec/composio-emulator", NULL
  };
  bool known;
  if(find_installed(places, X_OK, out, size, &known))
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "composio-emulator is installed neither beside "
                    "composio-lua nor in libexec");
}
