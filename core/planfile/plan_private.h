/* Declarations for the files of this room alone: lines and their fields, the
   reader, the wrapped salt. */
#ifndef CA_PLAN_PRIVATE_H
#define CA_PLAN_PRIVATE_H

#include "base/digest.h"
#include "planfile/plan.h"

/* The longest line that is written or read. */
#define CA_PLAN_LINE (16U << 20)

/* ---- line.c ---- */

enum ca_plan_kind {
  CA_PLAN_HEAD,
  CA_PLAN_BULK,
  CA_PLAN_ITEM,
  CA_PLAN_CHANGE,
  CA_PLAN_END,
  CA_PLAN_KINDS
};

/* Counts of a plan's lines, as its last line has them. */
struct ca_plan_counts {
  int64_t bulks;
  int64_t items;
  int64_t changes; /* planned */
  int64_t same;
  int64_t skipped;
  int64_t irreversible; /* irreversible ones among the planned changes */
  int64_t fallbacks;
};
void ca_line_count(struct ca_plan_counts *counts, enum ca_outcome outcome,
                   const struct ca_change *change);

/* One line of any kind; only the members of its kind are set. Texts are
   borrowed. */
struct ca_plan_line {
  enum ca_plan_kind kind;
  int64_t number; /* of a bulk or item; in the head, the format's version */

  struct ca_plan_head head; /* its texts alone */
  const char *program;
  const char *made; /* time */
  const char *salt; /* wrapped */
  const char *salt_check;

  struct ca_bulk bulk; /* its counts alone */
  const char *bulk_name;
  const char *bulk_kind;

  struct ca_item item;
  int64_t item_bulk;
  const char *tags;        /* the item's tags, each followed by a blank; or
                              NULL */
  const char *outcome;     /* of an item or a change; NULL: it is planned */
  enum ca_outcome verdict; /* the item's, once read */

  struct ca_change change;
  const char *operation; /* label of the change's operation */
  const char *cost;      /* name of its class */

  bool end;
  struct ca_plan_counts counts;
  const char *digest;
  const char *seal;
};

/* Writes the line with its newline, after emptying `out`. CA_USAGE for a text
   that is not UTF-8 and for a line that is too long. */
CA_MUST_USE enum ca_code ca_line_write(const struct ca_plan_line *line,
                                       struct ca_buf *out, struct ca_err *err);
/* Returns the kind of the lines that begin with this member, or CA_PLAN_KINDS.
 */
enum ca_plan_kind ca_line_kind(struct ca_slice first);
/* Reads the members of a line of the kind in `line`, and sets them there: each
   at most once, and no unknown ones. Texts go into `room`, of text.len + 1
   bytes. Returns false with the reason in why. */
CA_MUST_USE bool ca_line_read(struct ca_slice text, struct ca_plan_line *line,
                              char *room, struct ca_err *why);
/* Is the text one JSON value that can be part of a line unchanged? */
bool ca_line_can_hold(const char *json);

/* ---- plan.c ---- */

/* A wrapped salt as in the file, in hex. */
struct ca_plan_salt {
  char wrapped[CA_SALT_SIZE * 2 + 1];
  char check[CA_SALT_SIZE * 2 + 1];
};
void ca_plan_salt_wrap(const unsigned char salt[CA_SALT_SIZE], const char *run,
                       struct ca_slice api_key, struct ca_plan_salt *out);

/* Computes the seal of a plan whose lines have this SHA-256: only who has the
   API key can. */
void ca_plan_seal(struct ca_slice api_key, const char digest[CA_DIGEST_SIZE],
                  char seal[CA_DIGEST_SIZE]);

/* ---- check.c ---- */

/* Returns why the change is none that its operation makes, or NULL. Its api,
   cost and account are set. */
const char *ca_planfile_check(const struct ca_change *change);

/* ---- read.c ---- */

/* Reads a file line by line. */
struct ca_plan_reader {
  struct ca_plan_line line; /* the current one */

  const char *path;
  int fd;
  char piece[16 * 1024]; /* its bytes from at to end are not yet read */
  size_t at;
  size_t end;
  struct ca_buf text; /* the current line without its newline */
  int64_t number;     /* its, from 1 */
  char *room;         /* for the line's texts; may be taken */
  size_t room_size;
  struct ca_digest *digest;

  struct ca_bulk *bulks; /* all so far, by ascending number */
  bool any_change;       /* the item has a change that a fallback can follow */
  struct ca_plan_counts seen;
  bool ended; /* the last line was read */
  struct ca_err why;
};
/* Opens a plan. Close the reader even if that failed. */
CA_MUST_USE enum ca_code ca_planfile_read_open(struct ca_plan_reader *reader,
                                               const char *path,
                                               struct ca_err *err);
void ca_planfile_read_close(struct ca_plan_reader *reader);
/* Reads and checks the next line. *more is false when that was the last one
   and nothing follows it. CA_USAGE for a wrong line. */
CA_MUST_USE enum ca_code ca_planfile_read_next(struct ca_plan_reader *reader,
                                               bool *more, struct ca_err *err);

#endif
