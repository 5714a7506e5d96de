/* What nobody outside the service knows: one switch per guess, so that a
   client can be tried against the other answer too.
   It must not know who asks. */
#ifndef EMU_ASSUME_H
#define EMU_ASSUME_H

#include <stdbool.h>

/* Each names the answer that is not the usual one. */
enum emu_guess {
  EMU_GUESS_TOOLKIT_EXACT,      /* toolkit slugs compare with case */
  EMU_GUESS_ENUM_IGNORED,       /* unknown enum members are passed over */
  EMU_GUESS_LIMIT_CLAMPED,      /* a limit below 1 is 1 */
  EMU_GUESS_CURSOR_FIRST,       /* a garbage cursor is page one */
  EMU_GUESS_LIMIT_BY_PARAMETER, /* limit beats the cursor's own */
  EMU_GUESS_REPEAT_REFUSED,     /* enable and disable: 409 where it is so */
  EMU_GUESS_NEWER_NARROW,       /* revoke, complete_auth: v3.1 only */
  EMU_GUESS_MACHINES_REFUSED,   /* refresh of S2S and the like: 409 */
  EMU_GUESS_NO_HEALING,         /* new credentials leave EXPIRED as it is */
  EMU_GUESSES
};

struct emu_assume {
  bool other[EMU_GUESSES];
  int unauthorized_code; /* of the 401 envelope */
};

void emu_assume_init(struct emu_assume *assume);
/* Takes NAME=VALUE; false: told on stderr. */
bool emu_assume_read(struct emu_assume *assume, const char *text);

#endif
