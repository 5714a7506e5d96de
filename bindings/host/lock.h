/* The lock of the runs that make changes: one at a time per project and state
   directory, or several with --shard, each for its slice. It is a lock file
   that names its holder; the kernel releases it when the holder dies. Must not
   know: what a run does. */
#ifndef HOST_LOCK_H
#define HOST_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "host/paths.h"

/* All zero: not held. */
struct host_lock {
  bool held;
  int fd;
  int shared_fd;    /* of a shard: the project's file; else 0 */
  int64_t since_ms; /* wall time */
  char path[HOST_PATH_SIZE];
};

/* What the holder wrote about itself; "" and 0 if not known. */
struct host_lock_holder {
  int64_t pid;
  int shards; /* several runs hold it, each with one of so many slices; 0 */
  char run[96];
  char script[256];
  char who[64];
  char host[256];
  char since[32];
};

struct host;

struct host_shard;

/* May runs with these slices hold the lock side by side? Only with different
   ones of the same number: no item is in both. */
bool host_lock_may_share(const struct host_shard *a,
                         const struct host_shard *b);
/* Takes the lock of host->project in host->state_dir, which must exist. Waits
   as long as --lock-wait says. Fails with the reason in err, and with
   host->exit_code set to 2, 75, or a signal's. */
CA_MUST_USE enum ca_code host_lock_take(struct host *host, struct ca_err *err);
/* Writes the holder's name again, once host->run_id is known. */
void host_lock_name(struct host *host);
/* Does nothing if it is not held. */
void host_lock_release(struct host_lock *lock);

/* Returns whether a process holds that lock, or one of its slices, now: for
   the run with this id, NULL for any. *holder is its name. */
bool host_lock_find_holder(const char *state_dir, const char *project,
                           const char *run, struct host_lock_holder *holder);

#endif
