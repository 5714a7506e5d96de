/* Reading JSON (RFC 8259). A strict scanner walks over a text and tells where
   its values are, without copying: replies are long and few of their members
   are needed, and skipping costs a twentieth of decoding. The second half
   reads single values by their path.
   Must not know: what the values mean. */
#ifndef CA_JSON_H
#define CA_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

/* Deeper nesting is refused, since the scanner recurses. */
#define CA_JSON_DEPTH 128

/* A position in a text that the caller owns. */
struct ca_json_scan {
  const char *at;
  const char *end;
};

enum ca_json_kind {
  CA_JSON_BAD, /* not JSON, or nested too deeply */
  CA_JSON_OBJECT,
  CA_JSON_ARRAY,
  CA_JSON_STRING,
  CA_JSON_NUMBER,
  CA_JSON_TRUE,
  CA_JSON_FALSE,
  CA_JSON_NULL
};

/* Skips blanks and one whole value; *value is its text, including quotes or
   brackets. */
enum ca_json_kind ca_json_value(struct ca_json_scan *scan,
                                struct ca_slice *value);
/* The same with at most `depth` nested objects and arrays. */
enum ca_json_kind ca_json_value_within(struct ca_json_scan *scan, int depth,
                                       struct ca_slice *value);

/* Steps into an object ('{') or array ('['). Returns false when the next
   value is something else. */
bool ca_json_enter(struct ca_json_scan *scan, char bracket);

/* Inside an object, returns 1 at the next member: *key is its name without
   quotes, not unescaped, and its value comes next. Returns 0 after the last
   member, having passed the bracket, and -1 when the text is not JSON.
   *first must be true before the first call. */
int ca_json_member(struct ca_json_scan *scan, bool *first,
                   struct ca_slice *key);
/* Inside an array: returns 1 when a value comes next, 0 after the last, -1
   when the text is not JSON. */
int ca_json_element(struct ca_json_scan *scan, bool *first);

/* Finds the object's first member with that name, which is compared as it is
   written. Returns false when there is none, and when the text, which must be
   valid JSON, is not an object. *value may be the object itself. */
bool ca_json_member_of(struct ca_slice object, struct ca_slice name,
                       struct ca_slice *value);

/* Is only white space left? */
bool ca_json_at_end(struct ca_json_scan *scan);

/* ---- texts: strings from the scanner, with their quotes ---- */

/* Unescapes the string into out, which needs room for value.len bytes, and
   returns the length. Returns -1 for a lone surrogate, which is not valid
   text. */
int64_t ca_json_unescape(struct ca_slice value, char *out);
/* Returns owned: the unescaped text, *len bytes and a NUL; a value other
   than a string is copied as written. A lone surrogate becomes U+FFFD. NULL
   when out of memory. */
char *ca_json_dup(struct ca_slice value, size_t *len);
/* Copies the same text to out, cut to size at a character boundary; "" when
   value is absent (data is NULL). */
void ca_json_copy(struct ca_slice value, char *out, size_t size);
/* Is the value this text? An absent value (data is NULL) equals "". */
bool ca_json_is(struct ca_slice value, const char *text);
/* Are two values equal? Strings are compared unescaped. */
bool ca_json_same(struct ca_slice one, struct ca_slice other);
/* Do two arrays hold the same strings, in any order? Other elements are
   ignored; an absent array (data is NULL) is empty. */
bool ca_json_same_set(struct ca_slice one, struct ca_slice other);

/* ---- values by their path ----
   A path is "$" for the whole text, followed by ".name" for each member and
   "[n]" for each element: "$.error.errors[0].message". Names are compared
   as written, without unescaping; if a name occurs twice, the first member
   counts. Nothing is found in a text that is not exactly one JSON value. */

/* Is the text exactly one JSON value? */
bool ca_json_valid(const char *text, size_t len);
/* Returns the kind of the value at path; *value is its text. CA_JSON_BAD,
   and *value absent, when there is none. */
enum ca_json_kind ca_json_find(const char *text, size_t len, const char *path,
                               struct ca_slice *value);
/* Finds a string, number or boolean; false for null, objects and arrays. */
bool ca_json_scalar(const char *text, size_t len, const char *path,
                    struct ca_slice *value);
/* Copies the same value with ca_json_copy; out is left unchanged when there
   is none. */
bool ca_json_text(const char *text, size_t len, const char *path, char *out,
                  size_t size);
/* Reads a number without fraction or exponent that fits in 64 bits. */
bool ca_json_integer(const char *text, size_t len, const char *path,
                     int64_t *out);

#endif
