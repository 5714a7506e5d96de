/* A strict JSON scanner (RFC 8259): walks over values, tells where they stand,
   copies nothing. For replies of which few members are wanted: skipping costs
   a twentieth of decoding. Knows nothing of what the members mean. */
#ifndef CA_SCAN_H
#define CA_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

/* Deeper values are refused, as everywhere in this house. */
#define CA_SCAN_DEPTH 128

/* Where we are in a text that somebody else owns. */
struct ca_scan {
  const char *at;
  const char *end;
};

enum ca_scan_kind {
  CA_SCAN_BAD, /* not JSON, or too deep */
  CA_SCAN_OBJECT,
  CA_SCAN_ARRAY,
  CA_SCAN_STRING,
  CA_SCAN_NUMBER,
  CA_SCAN_TRUE,
  CA_SCAN_FALSE,
  CA_SCAN_NULL
};

/* Steps over blanks and one whole value; *value is its text, quotes and
   brackets included. */
enum ca_scan_kind ca_scan_value(struct ca_scan *scan, struct ca_slice *value);
/* The same, at most `depth` objects and arrays deep. */
enum ca_scan_kind ca_scan_within(struct ca_scan *scan, int depth,
                                 struct ca_slice *value);

/* Steps into an object ('{') or array ('['). False when none begins here. */
bool ca_scan_enter(struct ca_scan *scan, char bracket);

/* Inside an object: 1 at the next member (its key without quotes, escapes as
   they are; the value comes next), 0 after the last, the bracket behind us,
   -1 when it is not JSON. *first is true before the first call. */
int ca_scan_member(struct ca_scan *scan, bool *first, struct ca_slice *key);
/* Inside an array: 1 when a value comes next, 0 after the last, -1. */
int ca_scan_element(struct ca_scan *scan, bool *first);

/* Nothing but blanks is left? */
bool ca_scan_at_end(struct ca_scan *scan);

/* A string's text (with its quotes) unescaped into out, which has room for
   value.len bytes; its length there. -1 at a lone surrogate. */
int64_t ca_scan_unescape(struct ca_slice value, char *out);

#endif
