/* Fuzzes the reading of saved plans: whatever a file holds, it is taken whole
   or refused with one line that names it, and what is taken has a head.
   Must not know: how plans are carried out. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "planfile/plan.h"

#define KEY "ak_fuzz"

static int file_with(const uint8_t *data, size_t size)
{
  static int fd = -1;
  if(fd < 0)
    fd = memfd_create("plan", MFD_CLOEXEC);
  CHECK("a file", fd >= 0 && !ftruncate(fd, 0));
  CHECK("written", pwrite(fd, data, size, 0) == (ssize_t)size);
  return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ca_slice key = { KEY, sizeof(KEY) - 1 };
  struct ca_plan_head head;
  struct ca_err err;
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", file_with(data, size));
  memset(&head, 0, sizeof(head));
  ca_err_clear(&err);
  if(ca_plan_read(path, key, &head, &err)) {
    CHECK("refused with a code", err.code);
    CHECK("refused with a line", err.text[0] && is_one_line(err.text));
    CHECK("that names the file", strstr(err.text, path));
  } else {
    CHECK("a script", head.script && head.script_sha);
    CHECK("a project", head.project && head.base_url);
    CHECK("numbers", head.changes >= 0);
  }
  ca_plan_head_clear(&head);
  return 0;
}
