/* What the files of the saved plan share: its lines as they are read, its
   words, the seal of the salt. Nobody else includes this. */
#ifndef CA_PLAN_PRIVATE_H
#define CA_PLAN_PRIVATE_H

#include "planfile/plan.h"

/* A line that is longer is neither written nor read. */
#define CA_PLAN_LINE (16U << 20)

/* The last line. */
struct ca_plan_end {
  int64_t bulks;
  int64_t items;
  int64_t changes; /* planned */
  int64_t same;
  int64_t skipped;
  int64_t irreversible; /* of those planned */
};

/* A salt as it stands in the file, in hex. */
struct ca_plan_seal {
  char sealed[CA_SALT_SIZE * 2 + 1];
  char check[CA_SALT_SIZE * 2 + 1];
};
void ca_plan_seal(const unsigned char salt[CA_SALT_SIZE], const char *run,
                  struct ca_slice api_key, struct ca_plan_seal *seal);
/* False when it was sealed with another key, or is no seal. */
bool ca_plan_unseal(const struct ca_plan_seal *seal, const char *run,
                    struct ca_slice api_key, unsigned char salt[CA_SALT_SIZE]);

/* Told of each line of a plan in order; texts are borrowed for the call. A
   code other than CA_OK, with err set, ends the reading. NULL: not asked. */
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
/* Reads the whole file and checks it. A problem with a line is CA_USAGE. */
CA_MUST_USE enum ca_code ca_plan_walk(const char *path,
                                      const struct ca_plan_visitor *visitor,
                                      void *ctx, struct ca_err *err);

/* A file, line by line. */
struct ca_plan_lines {
  const char *path;
  int fd;
  char *piece; /* of which the bytes from at to end wait */
  size_t at;
  size_t end;
  struct ca_buf line; /* the one at hand, without its newline */
  int64_t number;     /* its, from 1 */
  bool may_end;       /* set by the reader after the last line */
};
/* Close it whatever open said. */
CA_MUST_USE enum ca_code ca_plan_lines_open(struct ca_plan_lines *lines,
                                            const char *path,
                                            struct ca_err *err);
void ca_plan_lines_close(struct ca_plan_lines *lines);
/* *more false at the end of the file, which is only right when it may be. */
CA_MUST_USE enum ca_code ca_plan_lines_next(struct ca_plan_lines *lines,
                                            bool *more, struct ca_err *err);
/* What is wrong with the line at hand: CA_USAGE. */
enum ca_code ca_plan_bad_line(const struct ca_plan_lines *lines,
                              const char *why, struct ca_err *err);

/* Members of a line, by kind. */
enum ca_plan_kind {
  CA_PLAN_TEXT,   /* const char * */
  CA_PLAN_JSON,   /* const char *: any value, as it stands */
  CA_PLAN_NUMBER, /* int64_t, from 0 */
  CA_PLAN_FLAG    /* bool, only ever true */
};
struct ca_plan_field {
  const char *name;
  enum ca_plan_kind kind;
  bool needed;
  void *to;
};
/* Takes the members of an object, each once, no others. Texts go into `room`,
   which holds object.len + 1 bytes. What is wrong goes into why. */
CA_MUST_USE bool ca_plan_members(struct ca_slice object,
                                 const struct ca_plan_field *fields,
                                 size_t count, char *room, char why[160]);

#endif
