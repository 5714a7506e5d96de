/* The lock of the runs that make changes.
   Must not know: what a run does.

   It is flock(2), which belongs to the open file description: the kernel
   releases it when the process ends, and closing another descriptor of the
   file does not release it (as with fcntl locks). The file is never removed:
   otherwise two runs could lock two files of the same name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/text.h"
#include "host/host.h"
#include "host/os.h"
#include "base/json.h"
#include "base/json_write.h"

#define POLL_MS 50
/* The time that a holder has to write its name. host_lock_find_holder also
   holds the lock for a moment, without a name. */
#define NAMELESS_MS 300
#define NOTE_SIZE   2048

enum taken { TAKEN, HELD, BROKEN };

static bool make_path(const char *state_dir, const char *project, char *out,
                      size_t size)
{
  int len = snprintf(out, size, "%s/lock-%s", state_dir, project);
  return len > 0 && (size_t)len + sizeof(".100-of-100") < size;
}

static void pause_ms(int ms)
{
  struct timespec pause = { 0, (long)ms * 1000000 };
  (void)nanosleep(&pause, NULL); /* a signal ends it early */
}

/* ---- the holder ---- */

static void read_holder(int fd, struct host_lock_holder *holder)
{
  char line[NOTE_SIZE];
  int64_t shards = 0;
  ssize_t len = pread(fd, line, sizeof(line) - 1, 0);
  memset(holder, 0, sizeof(*holder));
  if(len <= 0)
    return;
  line[len] = '\0';
  len = (ssize_t)strcspn(line, "\n");
#define READ(field)                                                 \
  (void)ca_json_text(line, (size_t)len, "$." #field, holder->field, \
                     sizeof(holder->field))
  (void)ca_json_integer(line, (size_t)len, "$.pid", &holder->pid);
  (void)ca_json_integer(line, (size_t)len, "$.shards", &shards);
  holder->shards = (int)shards;
  READ(run);
  READ(script);
  READ(who);
  READ(host);
  READ(since);
#undef READ
}

/* Returns false if there is no name, or the name of a process of this machine
   that is dead. */
static bool is_current(const struct host *host,
                       const struct host_lock_holder *holder)
{
  return holder->shards ||
         (holder->pid && (strcmp(host->machine, holder->host) != 0 ||
                          !kill((pid_t)holder->pid, 0) || errno != ESRCH));
}

/* Writes "refresh_expired (run …, pid 123) by root@host since 06:00:01Z". */
static void describe(const struct host *host,
                     const struct host_lock_holder *holder, char *out,
                     size_t size)
{
  char today[32];
  bool is_today;
  ca_clock_format(ca_clock_wall_ms(host->clock), today, sizeof(today));
  is_today = strlen(holder->since) > 11 && !strncmp(holder->since, today, 11);
  if(holder->shards)
    snprintf(out, size, "runs with --shard I/%d", holder->shards);
  else if(!holder->pid)
    snprintf(out, size, "a process that has not written its name");
  else
    snprintf(out, size, "%s (%s%s%spid %lld) by %s@%s since %.*sZ",
             holder->script, holder->run[0] ? "run " : "", holder->run,
             holder->run[0] ? ", " : "", (long long)holder->pid, holder->who,
             holder->host,
             (int)strcspn(holder->since, ".") - (is_today ? 11 : 0),
             holder->since + (is_today ? 11 : 0));
}

/* Writes the script's name without its directory; for other verbs, the verb
   and its operand. */
static void name_script(const struct host *host, char *out, size_t size)
{
  const struct host_options *options = &host->options;
  const char *word = options->operand ? options->operand : "";
  const char *slash = strrchr(word, '/');
  if(options->verb == HOST_RUN)
    ca_text_copy(out, size, slash ? slash + 1 : word);
  else
    snprintf(out, size, "%s %.200s", host_options_verb(options->verb), word);
}

void host_lock_name(struct host *host)
{
  struct host_lock *lock = &host->lock;
  char script[256];
  char since[32];
  struct ca_json_write json;
  struct ca_buf line;
  if(!lock->held)
    return;
  name_script(host, script, sizeof(script));
  ca_clock_format(lock->since_ms, since, sizeof(since));
  ca_buf_init(&line, NOTE_SIZE - 1);
  ca_json_write_begin(&json, &line);
  ca_json_write_number(&json, "pid", getpid());
  ca_json_write_text(&json, "run", host->run_id);
  ca_json_write_text(&json, "script", script);
  ca_json_write_text(&json, "who", host_paths_user());
  ca_json_write_text(&json, "host", host->machine);
  ca_json_write_text(&json, "since", since);
  /* The lock holds even if its name cannot be written: run on. */
  if(!ca_json_write_end(&json) && !ca_buf_add(&line, "\n", 1) &&
     !ftruncate(lock->fd, 0))
    (void)!pwrite(lock->fd, line.data, line.len, 0);
  ca_buf_clear(&line);
}

/* ---- taking the lock ---- */

/* Does path still name the file that was opened? */
static bool is_in_place(int fd, const char *path)
{
  struct stat opened;
  struct stat named;
  return !fstat(fd, &opened) && !lstat(path, &named) &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* Opens and locks a file of dir once, `how` LOCK_EX or LOCK_SH. HELD: *holder
   says by whom. BROKEN: errno says why. */
static enum taken take(const char *dir, const char *path, int how, int *out,
                       struct host_lock_holder *holder)
{
  struct stat info;
  int saved;
  int fd = ca_store_open_file(dir, path);
  memset(holder, 0, sizeof(*holder));
  if(fd < 0)
    return BROKEN;
  if(fstat(fd, &info) || !S_ISREG(info.st_mode)) {
    close(fd);
    errno = EINVAL;
    return BROKEN;
  }
  if(!flock(fd, how | LOCK_NB)) {
    if(is_in_place(fd, path)) {
      *out = fd;
      return TAKEN;
    }
    close(fd); /* it was removed meanwhile: try again */
    return HELD;
  }
  saved = errno;
  if(saved == EWOULDBLOCK || saved == EINTR)
    read_holder(fd, holder);
  close(fd);
  errno = saved;
  return saved == EWOULDBLOCK || saved == EINTR ? HELD : BROKEN;
}

/* The first of several shards writes their number into the project's file,
   which all of them then share. False: another run was faster. */
static bool begin_sharing(int fd, int shards)
{
  char note[40];
  int len = snprintf(note, sizeof(note), "{\"shards\":%d}\n", shards);
  return !ftruncate(fd, 0) && pwrite(fd, note, (size_t)len, 0) == len &&
         !flock(fd, LOCK_SH | LOCK_NB);
}

bool host_lock_may_share(const struct host_shard *a,
                         const struct host_shard *b)
{
  return a->count > 1 && a->count == b->count && a->number != b->number;
}

/* A shard shares the project's lock with those of the same number of shards,
   and has the one of its slice for itself. */
static enum taken take_slice(struct host *host,
                             struct host_lock_holder *holder)
{
  const struct host_shard *shard = &host->options.shard;
  struct host_lock *lock = &host->lock;
  char slice[HOST_PATH_SIZE + sizeof(shard->name)];
  int fd = -1;
  enum taken taken = take(host->state_dir, lock->path, LOCK_EX, &fd, holder);
  bool shares = taken == TAKEN && begin_sharing(fd, shard->count);
  if(taken == HELD) {
    taken = take(host->state_dir, lock->path, LOCK_SH, &fd, holder);
    if(taken == TAKEN)
      read_holder(fd, holder);
    shares = taken == TAKEN && holder->shards == shard->count;
  }
  if(taken == TAKEN && !shares) {
    close(fd);
    return HELD;
  }
  if(taken != TAKEN)
    return taken;
  (void)snprintf(slice, sizeof(slice), "%s.%s", lock->path, shard->name);
  taken = take(host->state_dir, slice, LOCK_EX, &lock->fd, holder);
  if(taken == TAKEN)
    lock->shared_fd = fd;
  else
    close(fd);
  return taken;
}

/* Tries once. */
static enum taken try(struct host *host, struct host_lock_holder *holder)
{
  struct host_lock *lock = &host->lock;
  enum taken taken =
      host->options.shard.count > 1
          ? take_slice(host, holder)
          : take(host->state_dir, lock->path, LOCK_EX, &lock->fd, holder);
  lock->held = taken == TAKEN;
  return taken;
}

static enum ca_code refuse(struct host *host, struct host_lock_holder *holder,
                           struct ca_err *err)
{
  char who[1024];
  bool waited = host->options.lock_wait_ms > 0;
  if(!is_current(host, holder)) /* the name is of an earlier holder */
    memset(holder, 0, sizeof(*holder));
  describe(host, holder, who, sizeof(who));
  host->exit_code = 75;
  return ca_err_set(err, CA_USAGE, "another run %s the lock: %s%s",
                    waited ? "still holds" : "holds", who,
                    waited ? "" : "; --lock-wait 5m waits for it");
}

/* The file cannot be opened or locked. An earlier version left those of root
   to root. */
static enum ca_code refuse_file(struct host *host, int cause,
                                struct ca_err *err)
{
  const char *path = host->lock.path;
  const char *user = host_paths_user(); /* before getpwuid's next answer */
  const struct passwd *owner = NULL;
  struct stat info;
  if(cause == EACCES && !lstat(path, &info) && info.st_uid != geteuid())
    owner = getpwuid(info.st_uid);
  if(!owner)
    return ca_err_set(err, CA_SYSTEM, "cannot use the lock file %s: %s", path,
                      strerror(cause));
  return ca_err_set(err, CA_SYSTEM,
                    "cannot use the lock file %s: it belongs to %s: give it "
                    "to %s with chown, or give another --state-dir",
                    path, owner->pw_name, *user ? user : "you");
}

/* Waits until the lock is taken or cannot be. */
static enum ca_code wait_for(struct host *host, struct ca_err *err)
{
  int64_t began_ms = ca_clock_mono_ms(host->clock);
  struct host_lock_holder holder;
  bool reported = false;
  char who[1024];
  enum taken taken;
  while((taken = try(host, &holder)) == HELD) {
    int64_t waited_ms = ca_clock_mono_ms(host->clock) - began_ms;
    if(host->stop == LCA_STOP_DEADLINE)
      return refuse(host, &holder, err);
    if(host_is_signalled(host)) {
      host->exit_code = 128 + host->stop;
      return ca_err_set(err, CA_CANCELLED,
                        "interrupted by SIG%s while waiting for the lock",
                        host_os_process_signal_name(host->stop));
    }
    if(waited_ms >= NAMELESS_MS || is_current(host, &holder)) {
      if(waited_ms >= host->options.lock_wait_ms)
        return refuse(host, &holder, err);
      describe(host, &holder, who, sizeof(who));
      if(!reported)
        host_terminal_print(host, "waiting for the lock that %s holds", who);
      reported = true;
    }
    pause_ms(POLL_MS);
  }
  return taken == BROKEN ? refuse_file(host, errno, err) : CA_OK;
}

enum ca_code host_lock_take(struct host *host, struct ca_err *err)
{
  struct host_lock *lock = &host->lock;
  if(!make_path(host->state_dir, host->project, lock->path,
                sizeof(lock->path)))
    return ca_err_set(err, CA_USAGE,
                      "the path of the state directory is too long: %s",
                      host->state_dir);
  if(wait_for(host, err))
    return err->code;
  lock->since_ms = ca_clock_wall_ms(host->clock);
  host_lock_name(host);
  return CA_OK;
}

void host_lock_release(struct host_lock *lock)
{
  if(!lock->held)
    return;
  (void)!ftruncate(lock->fd, 0);
  close(lock->fd);
  if(lock->shared_fd)
    close(lock->shared_fd);
  lock->held = false;
}

static bool is_held(const char *path, struct host_lock_holder *holder)
{
  bool held;
  int fd =
      open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
  if(fd < 0)
    return false;
  held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if(held)
    read_holder(fd, holder);
  close(fd);
  return held;
}

bool host_lock_find_holder(const char *state_dir, const char *project,
                           const char *run, struct host_lock_holder *holder)
{
  char path[HOST_PATH_SIZE];
  DIR *list;
  const struct dirent *entry;
  const char *of;
  bool found;
  memset(holder, 0, sizeof(*holder));
  if(!make_path(state_dir, project, path, sizeof(path)))
    return false;
  found = is_held(path, holder) && (!run || !strcmp(holder->run, run));
  list = found ? NULL : opendir(state_dir);
  while(list && !found && (entry = readdir(list)) != NULL) {
    const char *name = entry->d_name; /* those of shards */
    if(strncmp(name, "lock-", 5) != 0 ||
       strncmp(name + 5, project, strlen(project)) != 0 ||
       name[5 + strlen(project)] != '.' ||
       snprintf(path, sizeof(path), "%s/%s", state_dir, name) >=
           (int)sizeof(path))
      continue;
    found = is_held(path, holder) && (!run || !strcmp(holder->run, run));
    of = strstr(name + 5 + strlen(project), "-of-");
    if(found && of)
      holder->shards = (int)strtol(of + 4, NULL, 10);
  }
  if(list)
    closedir(list);
  return found;
}
