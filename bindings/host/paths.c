/* Finds files on this machine: the API key, the state directory, the shipped
   scripts, the emulator.
   Must not know: the engine, what a run is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "module/client.h"
#include "module/error.h"
#include "host/os.h"
#include "host/paths.h"

#define SCRIPTS_MAX 256

/* ---- files ---- */

char *host_paths_read_file(const char *path, size_t max, size_t *len,
                           struct ca_err *err)
{
  struct stat info;
  char *bytes = NULL;
  size_t used = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if(fd < 0 || fstat(fd, &info)) {
    ca_err_set(err, CA_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    goto out;
  }
  if(S_ISDIR(info.st_mode)) {
    ca_err_set(err, CA_SYSTEM, "cannot read %s: it is a directory", path);
    goto out;
  }
  bytes = malloc(max + 2);
  if(!bytes) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    goto out;
  }
  for(;;) {
    ssize_t got = read(fd, bytes + used, max + 1 - used);
    if(got < 0 && errno == EINTR)
      continue;
    if(got < 0) {
      ca_err_set(err, CA_SYSTEM, "cannot read %s: %s", path, strerror(errno));
      break;
    }
    used += (size_t)got;
    if(!got || used > max)
      break;
  }
  if(used > max)
    ca_err_set(err, CA_SYSTEM, "%s is larger than %zu bytes", path, max);
  bytes[used <= max ? used : max] = '\0';
  *len = used;
out:
  if(fd >= 0)
    close(fd);
  if(err->code) {
    free(bytes);
    bytes = NULL;
  }
  return bytes;
}

static bool exists(const char *path)
{
  return access(path, F_OK) == 0;
}

/* Finds the directory of this program's file. */
static bool own_dir(char *out, size_t size)
{
  char *slash;
  if(!host_os_path_own(out, size))
    return false;
  slash = strrchr(out, '/');
  if(!slash)
    return false;
  *slash = '\0';
  return true;
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

/* ---- the state directory ---- */

static enum ca_code join(char *out, size_t size, const char *dir,
                         const char *name, struct ca_err *err)
{
  int len = snprintf(out, size, "%s%s", dir, name);
  if(len < 0 || (size_t)len >= size)
    return ca_err_set(err, CA_USAGE, "the path is too long: %s", dir);
  return CA_OK;
}

static bool is_absolute(const char *path)
{
  return path && path[0] == '/';
}

enum ca_code host_paths_state_dir(const char *named, char *out, size_t size,
                                  struct ca_err *err)
{
  const char *state = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  const struct passwd *user;
  if(named)
    return join(out, size, named, "", err);
  if(is_absolute(state))
    return join(out, size, state, "/composio-lua", err);
  if(!is_absolute(home)) {
    user = getpwuid(getuid());
    home = user ? user->pw_dir : NULL;
  }
  if(!is_absolute(home) || !exists(home))
    return ca_err_set(err, CA_USAGE,
                      "no home directory to keep the ledger in; give "
                      "--state-dir DIR");
  return join(out, size, home, "/.local/state/composio-lua", err);
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
                                        "/../share/composio-lua/scripts" };
  char own[HOST_PATH_SIZE];
  struct ca_err ignored;
  size_t i;
  if(!own_dir(own, sizeof(own)))
    return ca_err_set(err, CA_USAGE,
                      "cannot find the directory of this program, where the "
                      "shipped scripts are: start it by its path, or give a "
                      "file such as ./job.lua");
  for(i = 0; i < sizeof(places) / sizeof(places[0]); i++)
    if(!join(out, size, own, places[i], &ignored) && exists(out))
      return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "the shipped scripts are not installed: "
                    "give a file such as ./job.lua");
}

struct names {
  char *list[SCRIPTS_MAX];
  size_t used;
};

static int by_name(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *names)
{
  while(names->used)
    free(names->list[--names->used]);
}

/* Reads the names of the *.lua files in dir, without ".lua" and sorted. */
static void read_names(const char *dir, struct names *names)
{
  DIR *list = opendir(dir);
  const struct dirent *entry;
  names->used = 0;
  if(!list)
    return;
  while((entry = readdir(list)) != NULL && names->used < SCRIPTS_MAX - 1) {
    size_t len = strlen(entry->d_name);
    char *name;
    if(len < 5 || strcmp(entry->d_name + len - 4, ".lua") != 0)
      continue;
    name = strndup(entry->d_name, len - 4);
    if(name)
      names->list[names->used++] = name;
  }
  closedir(list);
  names->list[names->used] = NULL;
  qsort(names->list, names->used, sizeof(names->list[0]), by_name);
}

enum ca_code host_paths_scripts(void (*visit)(void *ctx, const char *name,
                                              const char *dir),
                                void *ctx, struct ca_err *err)
{
  char dir[HOST_PATH_SIZE];
  struct names names;
  size_t i;
  enum ca_code code = scripts_dir(dir, sizeof(dir), err);
  if(code)
    return code;
  read_names(dir, &names);
  for(i = 0; i < names.used; i++)
    visit(ctx, names.list[i], dir);
  free_names(&names);
  return CA_OK;
}

static enum ca_code no_script(const char *word, const char *dir,
                              struct ca_err *err)
{
  struct names names;
  const char *near;
  read_names(dir, &names);
  near = lca_error_nearest(word, (const char *const *)names.list);
  if(near)
    ca_err_set(err, CA_USAGE,
               "no shipped script or verb is called '%s' (did you mean "
               "'%s'?); for a file, give its path: ./%s.lua",
               word, near, word);
  else
    ca_err_set(err, CA_USAGE,
               "no shipped script or verb is called '%s'; `composio-lua "
               "scripts` lists the scripts; for a file, give its path: "
               "./%s.lua",
               word, word);
  free_names(&names);
  return CA_USAGE;
}

enum ca_code host_paths_script(const char *word, char *out, size_t size,
                               struct ca_err *err)
{
  char dir[HOST_PATH_SIZE - 300];
  size_t len = strlen(word);
  enum ca_code code;
  if(strchr(word, '/') || (len > 4 && !strcmp(word + len - 4, ".lua")))
    return join(out, size, word, "", err);
  if(len > 200)
    return ca_err_set(err, CA_USAGE, "the script's name is too long");
  code = scripts_dir(dir, sizeof(dir), err);
  if(code)
    return code;
  snprintf(out, size, "%s/%s.lua", dir, word);
  return exists(out) ? CA_OK : no_script(word, dir, err);
}

/* ---- the emulator ---- */

enum ca_code host_paths_emulator(char *out, size_t size, struct ca_err *err)
{
  static const char *const places[] = {
    "/composio-emulator", "/../libexec/composio-lua/composio-emulator",
    "/../libexec/composio-emulator", NULL
  };
  char own[HOST_PATH_SIZE];
  struct ca_err ignored;
  int i;
  for(i = 0; places[i]; i++)
    if(own_dir(own, sizeof(own)) &&
       !join(out, size, own, places[i], &ignored) && !access(out, X_OK))
      return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "composio-emulator is installed neither beside "
                    "composio-lua nor in libexec");
}
