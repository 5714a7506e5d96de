/* One JSON object as a line for programs, written piece by piece.
   Must not know: what it tells. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

/* A failure of one piece shows at the end. */
struct host_json {
  struct ca_buf out;
  enum ca_code code;
  bool follows; /* something stands before the next piece */
};

/* Begins the object; clear it in any case. */
void host_json_init(struct host_json *json);
void host_json_clear(struct host_json *json);

/* NULL is null; what is not UTF-8 comes escaped. */
void host_json_text(struct host_json *json, const char *name,
                    const char *value);
void host_json_number(struct host_json *json, const char *name, int64_t value);
void host_json_bool(struct host_json *json, const char *name, bool value);
void host_json_null(struct host_json *json, const char *name);
/* JSON as it stands. */
void host_json_raw(struct host_json *json, const char *name,
                   const char *value);
/* Milliseconds as seconds with three places. */
void host_json_seconds(struct host_json *json, const char *name, int64_t ms);
/* Milliseconds since 1970 as ISO 8601; 0 is null. */
void host_json_time(struct host_json *json, const char *name, int64_t ms);
/* An object in the object. */
void host_json_open(struct host_json *json, const char *name);
void host_json_close(struct host_json *json);

/* The line with its end, borrowed until json_clear; NULL without memory. */
const char *host_json_line(struct host_json *json);

#endif
