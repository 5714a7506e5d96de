/* Reading JSON (RFC 8259). A strict scanner walks over a text, says where its
   values are, and copies nothing: replies are long and few of their members
   are wanted, and skipping costs a twentieth of decoding. On top of it, single
   values are read by their path.
   Must not know: what the values mean. */
#ifndef CA_JSON_H
#define CA_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

/* Deeper values are refused: the scanner recurses. */
#define CA_JSON_DEPTH 128

/* Where we are in a text that somebody else owns. */
struct ca_json_scan {
  const char *at;
  const char *end;
};

enum ca_json_kind {
  CA_JSON_BAD, /* not JSON, or too deep */
  CA_JSON_OBJECT,
  CA_JSON_ARRAY,
  CA_JSON_STRING,
  CA_JSON_NUMBER,
  CA_JSON_TRUE,
  CA_JSON_FALSE,
  CA_JSON_NULL
};

/* Steps over blanks and one whole value; *value is its text, quotes and
   brackets included. */
enum ca_json_kind ca_json_value(struct ca_json_scan *scan,
                                struct ca_slice *value);
/* The same, at most `depth` objects and arrays deep. */
enum ca_json_kind ca_json_value_within(struct ca_json_scan *scan, int depth,
                                       struct ca_slice *value);

/* Steps into an object ('{') or array ('['). False when none begins here. */
bool ca_json_enter(struct ca_json_scan *scan, char bracket);

/* Inside an object: 1 at the next member (its key without quotes, escapes as
   they are; the value comes next), 0 after the last, the bracket behind us,
   -1 when it is not JSON. *first is true before the first call. */
int ca_json_member(struct ca_json_scan *scan, bool *first,
                   struct ca_slice *key);
/* Inside an array: 1 when a value comes next, 0 after the last, -1. */
int ca_json_element(struct ca_json_scan *scan, bool *first);

/* Nothing but blanks is left? */
bool ca_json_at_end(struct ca_json_scan *scan);

/* ---- texts: what the scanner gave as a string, with its quotes ---- */

/* Unescapes it into out, which has room for value.len bytes, and returns the
   length there. -1 at a lone surrogate, which is no text. */
int64_t ca_json_unescape(struct ca_slice value, char *out);
/* Returns owned: the text, *len bytes and a NUL; other values as they are
   written. U+FFFD stands for a lone surrogate. NULL without memory. */
char *ca_json_dup(struct ca_slice value, size_t *len);
/* The same copied into out, cut to size between characters; "" where value is
   absent (data is NULL). */
void ca_json_copy(struct ca_slice value, char *out, size_t size);
/* Is it this text? An absent value (data is NULL) is the same as "". */
bool ca_json_is(struct ca_slice value, const char *text);
/* Do two arrays hold the same texts, in whatever order? Other elements do not
   count; an absent array (data is NULL) is empty. */
bool ca_json_same_set(struct ca_slice one, struct ca_slice other);

/* ---- values by their path ----
   A path is "$" for the whole text, then ".name" for each member and "[n]" for
   each element: "$.error.errors[0].message". Names are compared as they are
   written, escapes included; of two members with one name the first counts.
   Nothing is found in a text that is not one JSON value and nothing else. */

/* Is the text one JSON value and nothing else? */
bool ca_json_valid(const char *text, size_t len);
/* The kind of the value at path; *value is where it is written. CA_JSON_BAD,
   and *value absent, when there is none. */
enum ca_json_kind ca_json_find(const char *text, size_t len, const char *path,
                               struct ca_slice *value);
bool ca_json_has(const char *text, size_t len, const char *path);
/* Finds a string, number or boolean; false for null, objects and arrays. */
bool ca_json_scalar(const char *text, size_t len, const char *path,
                    struct ca_slice *value);
/* The same copied by ca_json_copy; out stays as it is when there is none. */
bool ca_json_text(const char *text, size_t len, const char *path, char *out,
                  size_t size);
/* A number without fraction or exponent that fits in 64 bits. */
bool ca_json_integer(const char *text, size_t len, const char *path,
                     int64_t *out);
bool ca_json_bool(const char *text, size_t len, const char *path, bool *out);

#endif
