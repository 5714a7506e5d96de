/* How an answer begins and how a refusal reads.
   It must not know which operation answers. */
#ifndef EMU_REPLY_H
#define EMU_REPLY_H

#include "emu.h"

struct emu_problem {
  unsigned status;
  int code;
  const char *slug;
  const char *fix;
};

extern const struct emu_problem EMU_ACCOUNT_NOT_FOUND;
extern const struct emu_problem EMU_ACCOUNT_BAD;
extern const struct emu_problem EMU_ACCOUNT_FIELDS;
extern const struct emu_problem EMU_ACCOUNT_CONFLICT;
extern const struct emu_problem EMU_ACCOUNT_STATE;
extern const struct emu_problem EMU_ACCOUNT_LEASED;
extern const struct emu_problem EMU_ACCOUNT_STUCK;
extern const struct emu_problem EMU_ACCOUNT_RETIRED;
extern const struct emu_problem EMU_CONFIG_NOT_FOUND;
extern const struct emu_problem EMU_CONFIG_BAD;
extern const struct emu_problem EMU_CONFIG_NO_AUTH;
extern const struct emu_problem EMU_TOOLKIT_NOT_FOUND;
extern const struct emu_problem EMU_SESSION_NOT_FOUND;
extern const struct emu_problem EMU_INVALID;
extern const struct emu_problem EMU_UNAUTHORIZED;
extern const struct emu_problem EMU_NO_ROUTE;
extern const struct emu_problem EMU_NO_METHOD;
extern const struct emu_problem EMU_GONE;
extern const struct emu_problem EMU_TOO_LARGE;
extern const struct emu_problem EMU_NOT_JSON;
extern const struct emu_problem EMU_NOT_JSON_TYPE;

/* Empties the body and sets status and JSON type; returns the body. */
struct emu_buf *emu_reply_start(struct emu_call *call, unsigned status);
/* The envelope of section "Errors". */
void emu_reply_fail(struct emu_call *call, const struct emu_problem *problem,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A validation error: the detail goes into errors[]. */
void emu_reply_invalid(struct emu_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* {"success":true} */
void emu_reply_success(struct emu_call *call);

/* Parses the body as a JSON object into call->json. A missing body is an
   empty object when it may be missing. False: the refusal is written. */
bool emu_reply_want_body(struct emu_call *call, bool may_be_missing);

#endif
