/* Declarations for the files of this room alone: reading lines, their members,
   the seal of the salt. */
#ifndef CA_PLAN_PRIVATE_H
#define CA_PLAN_PRIVATE_H

#include "planfile/plan.h"

/* The longest line that is written or read. */
#define CA_PLAN_LINE (16U << 20)

/* The last line. */
struct ca_plan_end {
  int64_t bulks;
  int64_t items;
  int64_t changes; /* planned */
  int64_t same;
  int64_t skipped;
  int64_t irreversible; /* irreversible ones among the planned changes */
};

/* A sealed salt as in the file, in hex. */
struct ca_plan_seal {
  char sealed[CA_SALT_SIZE * 2 + 1];
  char check[CA_SALT_SIZE * 2 + 1];
};
void ca_plan_seal(const unsigned char salt[CA_SALT_SIZE], const char *run,
                  struct ca_slice api_key, struct ca_plan_seal *seal);
/* Returns false if it was sealed with another key or is not a seal. */
bool ca_plan_unseal(const struct ca_plan_seal *seal, const char *run,
                    struct ca_slice api_key, unsigned char salt[CA_SALT_SIZE]);

/* Callbacks for the lines of a plan, in order; texts are borrowed for the
   call. A code other than CA_OK, with err set, ends the reading. NULL: not
   called. */
struct ca_plan_visitor {
  enum ca_code (*head)(void *ctx, const struct ca_plan_head *head,
                       const struct ca_plan_seal *seal, struct ca_err *err);
  enum ca_code (*bulk)(void *ctx, const struct ca_bulk *bulk,
                       struct ca_err *err);
  enum ca_code (*item)(void *ctx, const struct ca_item *item,
                       enum ca_outcome verdict, struct ca_err *err);
  enum ca_code (*change)(void *ctx, const struct ca_change *change,
                         struct ca_err *err);
  enum ca_code (*end)(void *ctx, const struct ca_plan_end *end,
                      struct ca_err *err);
};
/* Reads and checks the whole file. CA_USAGE for a wrong line. */
CA_MUST_USE enum ca_code
ca_planfile_read(const char *path, const struct ca_plan_visitor *visitor,
                 void *ctx, struct ca_err *err);

/* A file, line by line. */
struct ca_lines {
  const char *path;
  int fd;
  char *piece; /* its bytes from at to end are not yet read */
  size_t at;
  size_t end;
  struct ca_buf line; /* the current line without its newline */
  int64_t number;     /* its, from 1 */
  bool may_end;       /* set by the reader after the last line */
};
/* Close the lines even if open failed. */
CA_MUST_USE enum ca_code ca_lines_open(struct ca_lines *lines,
                                       const char *path, struct ca_err *err);
void ca_lines_close(struct ca_lines *lines);
/* Reads the next line. *more is false at the end of the file; CA_USAGE if the
   file must not end there. */
CA_MUST_USE enum ca_code ca_lines_next(struct ca_lines *lines, bool *more,
                                       struct ca_err *err);
/* Reports what is wrong with the current line. Returns CA_USAGE. */
enum ca_code ca_line_bad(const struct ca_lines *lines, const char *why,
                         struct ca_err *err);

/* Members of a line, by kind. */
enum ca_plan_kind {
  CA_PLAN_TEXT,   /* const char * */
  CA_PLAN_JSON,   /* const char *: any value, as it stands */
  CA_PLAN_NUMBER, /* int64_t of at least 0 */
  CA_PLAN_FLAG    /* bool, only ever true */
};
struct ca_plan_field {
  const char *name;
  enum ca_plan_kind kind;
  bool needed;
  void *to;
};
/* Reads the members of an object: each at most once, and no unknown ones.
   Texts go into `room`, of object.len + 1 bytes. Returns false with the reason
   in why. */
CA_MUST_USE bool ca_line_members(struct ca_slice object,
                                 const struct ca_plan_field *fields,
                                 size_t count, char *room, char why[160]);

#endif
