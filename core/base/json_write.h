/* Writes JSON into a buffer, piece by piece.
   Must not know: what the JSON means. */
#ifndef CA_JSON_WRITE_H
#define CA_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

/* The first failure is kept and later pieces do nothing, so only
   ca_json_write_end has to be checked. */
struct ca_json_write {
  struct ca_buf *out; /* borrowed */
  enum ca_code code;  /* CA_NOMEM, or CA_USAGE past the buffer's limit */
  bool follows;       /* the next piece needs a comma before it, */
  bool named;         /* unless it is the value of a name */
};

/* Begins an object at the end of the buffer. */
void ca_json_write_begin(struct ca_json_write *json, struct ca_buf *out);
/* Ends the object, and returns the first failure. */
CA_MUST_USE enum ca_code ca_json_write_end(struct ca_json_write *json);

/* Members. The name must not need escaping. With name NULL only the value
   is written: an element of a list, or the value after ca_json_write_name.
   A text that is NULL is written as null; bytes that are not UTF-8 are
   escaped as in log lines. */
void ca_json_write_text(struct ca_json_write *json, const char *name,
                        const char *value);
void ca_json_write_number(struct ca_json_write *json, const char *name,
                          int64_t value);
void ca_json_write_bool(struct ca_json_write *json, const char *name,
                        bool value);
void ca_json_write_null(struct ca_json_write *json, const char *name);
/* value is JSON, and is written unchanged. */
void ca_json_write_raw(struct ca_json_write *json, const char *name,
                       const char *value);
/* Opens an object ('{') or list ('[') as the member's value, and closes it. */
void ca_json_write_open(struct ca_json_write *json, const char *name,
                        char bracket);
void ca_json_write_close(struct ca_json_write *json, char bracket);

/* Writes only a member's name. Its value is the next piece, or JSON that
   the caller adds to the buffer directly or with ca_json_write_add. */
void ca_json_write_name(struct ca_json_write *json, struct ca_slice name);
void ca_json_write_add(struct ca_json_write *json, struct ca_slice part);

/* Writes one string with its quotes: non-ASCII is not escaped, control
   characters are, "/" is not. CA_USAGE when it is not UTF-8. */
CA_MUST_USE enum ca_code ca_json_write_string(struct ca_buf *out,
                                              struct ca_slice value);

#endif
