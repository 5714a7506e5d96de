/* One exchange: what was asked and what will be answered.
   It must not know what an operation does, nor who carries the bytes. */
#ifndef EMU_CALL_H
#define EMU_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include "buf.h"

#define EMU_BODY_MAX      (1024u * 1024u)
#define EMU_REPLY_HEADERS 24 /* half of them for a fault rule */

struct emu_fault;

struct emu_param {
  const char *name; /* decoded, a trailing [] taken off */
  char *value;      /* decoded */
};

struct emu_header {
  char *name;
  char *value;
};

struct emu_call {
  /* asked */
  char method[16];
  char *target; /* path and query, byte for byte */
  struct emu_buf body;
  bool too_large;
  char *api_key;
  char *user_key;
  char *org_key;
  char *content_type;
  char *asked_id;             /* the client's x-request-id */
  char *encodings;            /* accept-encoding */
  struct emu_buf headers;     /* for the request log */
  struct emu_buf credentials; /* likewise */

  /* made of it */
  char *decoded; /* holds the segments */
  char *segments[8];
  size_t segment_count;
  const char *id; /* the {id} of the path, where its route has one */
  char *query;    /* holds the params */
  struct emu_param *params;
  size_t param_count;
  json_t *json; /* the body, when the operation wants one */
  char request_id[128];
  const struct emu_fault *fault; /* that twists the reply, or NULL */

  /* answered */
  unsigned status;
  const char *type; /* content type, a literal or owned by a fault rule */
  struct emu_buf out;
  struct emu_header reply[EMU_REPLY_HEADERS];
  size_t reply_count;
  bool leased; /* holds lease_slot until it is answered */
  uint32_t lease_slot;
  bool close;    /* close the connection without a word */
  bool truncate; /* close after truncate_at bytes of the body */
  size_t truncate_at;
  int64_t delay_ms;
};

void emu_call_clear(struct emu_call *call);
/* Cuts path and query out of the target. False when the path is not one
   (too deep, or a segment holds a NUL). */
bool emu_call_parse(struct emu_call *call);
/* The last value of that name, or NULL. */
const char *emu_call_param(const struct emu_call *call, const char *name);
void emu_call_header(struct emu_call *call, const char *name,
                     const char *value);
void emu_call_header_int(struct emu_call *call, const char *name,
                         int64_t number);
bool emu_call_is(const struct emu_call *call, const char *method);

/* Percent-decodes in place; `plus` makes + a space. Broken escapes stay as
   they are. Returns the new size. */
size_t emu_call_decode(char *text, size_t size, bool plus);

#endif
