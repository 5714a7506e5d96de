/* What the files share that look back into the ledger. Nobody else includes
   this.
   Must not know: the engine, how changes are made. */
#ifndef HOST_PAST_PART_H
#define HOST_PAST_PART_H

#include "host/host.h"
#include "base/json_write.h"
#include "base/json.h"

/* One look back. */
struct past {
  struct host *host;
  struct ca_ledger *ledger; /* NULL: there is none yet */
  struct ca_buf line;       /* an object being written */
  bool no_memory;           /* a line was lost */
};

/* Opens the ledger for reading, and says so on stderr when there is none; 0 or
   the exit code. Close it in any case. */
int host_past_open(struct past *past, struct host *host);
/* The exit code: `code`, or 1 when what was printed did not arrive. A closed
   pipe is no error. */
int host_past_close(struct past *past, int code);
/* Tells what is wrong; 2. */
int host_past_fail(struct past *past, const struct ca_err *err);
/* Somebody closed stdout: nothing more needs to be read. */
bool host_past_unread(const struct past *past);

/* A line on stdout, masked and harmless for a terminal. */
void host_past_say(const char *fmt, ...) CA_PRINTF(1, 2);
/* Begins an object that becomes a line on stdout, */
void host_past_begin(struct past *past, struct ca_json_write *json);
/* and ends and prints it. */
void host_past_print(struct past *past, struct ca_json_write *json);

/* How a run stands. */
enum past_state {
  PAST_RUNNING,
  PAST_INTERRUPTED, /* wrote and did not end */
  PAST_OPEN,        /* a preview that did not end; it may be going on */
  PAST_ENDED
};
enum past_state host_past_state(const struct past *past,
                                const struct ca_run_row *run);
/* "running", "interrupted", "open", "ended". */
const char *host_past_state_name(enum past_state state);

/* ---- texts ---- */

/* "2026-11-22T06:00:01Z"; "-" for 0. */
void host_past_time(int64_t ms, char *out, size_t size);
/* "3.2s", "2m05s", "1h02m", "2d03h". */
void host_past_duration(int64_t ms, char *out, size_t size);
/* "root@machine". */
void host_past_by(const char *who, const char *machine, char *out,
                  size_t size);
/* "apply", "preview", "undo", "undo preview". */
const char *host_past_kind(const struct ca_run_info *info);
/* "done", "exit 3", "interrupted", … */
void host_past_verdict(const struct past *past, const struct ca_run_row *run,
                       char *out, size_t size);
/* "40 done, 2 failed"; "-" for nothing. */
void host_past_counts(const int64_t counts[CA_OUTCOME_COUNT], char *out,
                      size_t size);
/* "disable", "auth_configs.disable". */
void host_past_operation(const struct ca_api *api, char *out, size_t size);
/* From what to what: "ACTIVE → INACTIVE", "alias 'a' → 'b'", "→ ca_new".
   alias: of the item, or NULL. */
void host_past_move(const struct ca_change_row *row, const char *alias,
                    char *out, size_t size);
/* What is known of a change, as members of an object. */
void host_past_change_json(struct ca_json_write *json,
                           const struct ca_change_row *row);
/* Why: the script's reason and the error, whichever are there. */
void host_past_why(const struct ca_change_row *row, char *out, size_t size);
/* Everything that is known of a run, as members of an object. */
void host_past_run_json(const struct past *past, struct ca_json_write *json,
                        const struct ca_run_row *run);

#endif
