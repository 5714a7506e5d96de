/* What each system does in its own way: built twice, as this system does it
   and as the others do. Both have to pass.
   Must not know: which of the two it is. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/buf.h"
#include "check.h"
#include "base/digest.h"
#include "host/os.h"
#include "base/os_sync.h"
#include "scratch.h"

static char self[PATH_MAX]; /* this program, links resolved */

/* ---- chance and wiping: one way for all systems ---- */

/* Eight draws: that one of them leaves a byte as it was is no accident. */
static void random_fills(size_t len)
{
  unsigned char *bytes = malloc(len + 1);
  unsigned char *changed = calloc(1, len + 1);
  size_t missed = 0;
  int draw;
  size_t i;

  for(draw = 0; draw < 8; draw++) {
    memset(bytes, 0x55, len + 1);
    CHECK_INT(ca_digest_random(bytes, len), CA_OK);
    for(i = 0; i < len; i++)
      changed[i] |= bytes[i] ^ 0x55;
    CHECK_INT(bytes[len], 0x55);
  }
  for(i = 0; i < len; i++)
    missed += !changed[i];
  CHECK_INT(missed, 0);
  free(bytes);
  free(changed);
}

static void random_fills_every_length(void)
{
  static const size_t lengths[] = { 0, 1, 255, 256, 257, 100000 };
  size_t i;

  for(i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    random_fills(lengths[i]);
}

static void random_differs(void)
{
  unsigned char one[16];
  unsigned char two[16];

  CHECK_INT(ca_digest_random(one, sizeof(one)), CA_OK);
  CHECK_INT(ca_digest_random(two, sizeof(two)), CA_OK);
  CHECK(memcmp(one, two, sizeof(one)) != 0);
}

static void wiped_is_zero(void)
{
  unsigned char bytes[300];
  size_t left = 0;
  size_t i;

  memset(bytes, 0x55, sizeof(bytes));
  ca_buf_wipe_memory(bytes + 1, 0);
  ca_buf_wipe_memory(NULL, 0);
  CHECK_INT(bytes[1], 0x55);
  ca_buf_wipe_memory(bytes + 1, sizeof(bytes) - 2);
  for(i = 1; i < sizeof(bytes) - 1; i++)
    left += bytes[i];
  CHECK_INT(left, 0);
  CHECK_INT(bytes[0], 0x55);
  CHECK_INT(bytes[sizeof(bytes) - 1], 0x55);
}

/* ---- syncing ---- */

static void files_are_synced(void)
{
  int ends[2];
  int fd = open(scratch_path("file"), O_RDWR | O_CREAT, 0600);

  CHECK_INT(write(fd, "bytes", 5), 5);
  CHECK_INT(ca_os_sync(fd), 0);
  close(fd);
  errno = 0;
  CHECK_INT(ca_os_sync(fd), -1);
  CHECK_INT(errno, EBADF);
  CHECK(host_os_process_pipe(ends));
  CHECK_INT(ca_os_sync(ends[0]), -1); /* nothing that could be synced */
  close(ends[0]);
  close(ends[1]);
}

static void directories_are_synced_as_far_as_they_can_be(void)
{
  errno = ENOTTY;
  ca_os_sync_dir(scratch_dir);
  CHECK_INT(errno, ENOTTY);
  ca_os_sync_dir(scratch_path("missing"));
  CHECK_INT(errno, ENOTTY);
}

/* ---- the program's own file ---- */

static void own_path_is_ours(const char *name)
{
  char path[PATH_MAX] = "";

  host_os_path_set_argv0(name);
  CHECK(host_os_path_own(path, sizeof(path)));
  CHECK_TEXT(path, self);
  CHECK(!host_os_path_own(path, strlen(self))); /* one byte too small */
}

static void own_path_by_a_path_and_by_a_link(void)
{
  const char *link = scratch_path("link");

  own_path_is_ours(self);
  CHECK_INT(symlink(self, link), 0);
  own_path_is_ours(link);
}

static void own_path_by_PATH(void)
{
  char *before = strdup(getenv("PATH") ? getenv("PATH") : "");
  char *dir = strdup(self);
  char *slash = strrchr(dir, '/');
  char path[3 * PATH_MAX];
  int file;

  *slash = '\0';
  /* what has the name and is no program is passed over */
  CHECK_INT(mkdir(scratch_path(slash + 1), 0700), 0);
  CHECK_INT(mkdir(scratch_path("second"), 0700), 0);
  snprintf(path, sizeof(path), "%s/second/%s", scratch_dir, slash + 1);
  file = open(path, O_WRONLY | O_CREAT, 0600);
  close(file);
  snprintf(path, sizeof(path), "%s:%s/second:/missing:%s", scratch_dir,
           scratch_dir, dir);
  setenv("PATH", path, 1);
  own_path_is_ours(slash + 1);
  /* an empty part is the directory we are in */
  CHECK_INT(chdir(dir), 0);
  setenv("PATH", "/missing::/other", 1);
  own_path_is_ours(slash + 1);
  CHECK_INT(chdir("/"), 0);
  setenv("PATH", before, 1);
  free(before);
  free(dir);
}

/* Whether it is known then differs; what is said must not be wrong. */
static void own_path_without_a_name(void)
{
  static const char *const names[] = { NULL, "", "no-such-program", "/gone" };
  char path[PATH_MAX];
  size_t i;

  for(i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    host_os_path_set_argv0(names[i]);
    if(host_os_path_own(path, sizeof(path)))
      CHECK_TEXT(path, self);
  }
  unsetenv("PATH");
  host_os_path_set_argv0("no-such-program");
  if(host_os_path_own(path, sizeof(path)))
    CHECK_TEXT(path, self);
}

/* ---- the process ---- */

static bool dumps_core(bool hidden)
{
  int status = 0;
  pid_t child = fork();

  if(!child) {
    struct rlimit limit;
    if(chdir(scratch_dir) || getrlimit(RLIMIT_CORE, &limit))
      _exit(1);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_CORE, &limit);
    if(hidden)
      host_os_process_hide_memory();
    (void)signal(SIGQUIT, SIG_DFL);
    (void)raise(SIGQUIT);
    _exit(1);
  }
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  return WIFSIGNALED(status) && WCOREDUMP(status);
}

static void no_core_is_dumped(void)
{
  if(!dumps_core(false))
    printf("  nothing dumps core here: not tested\n");
  CHECK(!dumps_core(true));
}

static void pipes_are_not_inherited(void)
{
  char byte = 0;
  int ends[2];
  int i;

  CHECK(host_os_process_pipe(ends));
  for(i = 0; i < 2; i++)
    CHECK(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
  CHECK_INT(write(ends[1], "x", 1), 1);
  close(ends[1]);
  CHECK_INT(read(ends[0], &byte, 1), 1);
  CHECK_INT(byte, 'x');
  CHECK_INT(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

static void a_pipe_that_cannot_be_is_told(void)
{
  struct rlimit before;
  struct rlimit none;
  int ends[2] = { -1, -1 };

  CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 3;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
  errno = 0;
  CHECK(!host_os_process_pipe(ends));
  CHECK_INT(errno, EMFILE);
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void signals_have_names(void)
{
  CHECK_TEXT(host_os_process_signal_name(SIGHUP), "HUP");
  CHECK_TEXT(host_os_process_signal_name(SIGINT), "INT");
  CHECK_TEXT(host_os_process_signal_name(SIGTERM), "TERM");
}

int main(int argc, char **argv)
{
  (void)argc;
  if(!realpath(argv[0], self))
    return 2; /* ctest starts it by its path */
  scratch_make();
  check_case("random_fills_every_length", random_fills_every_length);
  check_case("random_differs", random_differs);
  check_case("wiped_is_zero", wiped_is_zero);
  check_case("files_are_synced", files_are_synced);
  check_case("directories_are_synced_as_far_as_they_can_be",
             directories_are_synced_as_far_as_they_can_be);
  check_case("own_path_by_a_path_and_by_a_link",
             own_path_by_a_path_and_by_a_link);
  check_case("own_path_by_PATH", own_path_by_PATH);
  check_case("own_path_without_a_name", own_path_without_a_name);
  check_case("no_core_is_dumped", no_core_is_dumped);
  check_case("pipes_are_not_inherited", pipes_are_not_inherited);
  check_case("a_pipe_that_cannot_be_is_told", a_pipe_that_cannot_be_is_told);
  check_case("signals_have_names", signals_have_names);
  scratch_remove();
  return check_end();
}
