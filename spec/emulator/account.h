/* What several operations do to an account.
   It must not know routes; each function is one step of an operation. */
#ifndef EMU_ACCOUNT_H
#define EMU_ACCOUNT_H

#include "emu.h"

/* The account, or NULL with the 404 written. */
struct emu_account *emu_account_want(struct emu *emu, struct emu_call *call,
                                     const char *id);
/* GET of one account. */
void emu_account_get(struct emu *emu, struct emu_call *call);
/* Moves to the status and writes the change log. */
void emu_account_move(struct emu *emu, struct emu_account *account,
                      const char *op, enum emu_status status,
                      const char *reason);
/* Writes the change log for a change that is made already. */
void emu_account_note(struct emu *emu, const struct emu_account *account,
                      const char *op, enum emu_status before);
/* Logins older than ten minutes become EXPIRED. */
void emu_account_sweep(struct emu *emu);
/* An id that no account has; text holds 16 bytes. */
void emu_account_fresh_id(struct emu *emu, char *text);
/* Starts a login: by a link (hosted page lk_…) or by initiation. */
void emu_account_login(struct emu *emu, struct emu_account *account,
                       bool by_link, const char *callback_url);

/* The end of a login or of a connection, as a browser, the provider or a
   control endpoint brings it about. False: not possible from this status. */
bool emu_account_complete(struct emu *emu, struct emu_account *account);
bool emu_account_deny(struct emu *emu, struct emu_account *account);
bool emu_account_expire(struct emu *emu, struct emu_account *account);
bool emu_account_break(struct emu *emu, struct emu_account *account);

/* Reads acl_config_for_shared over what the account has; returns the owned
   text of the whole ACL, or NULL with the refusal written. */
char *emu_account_acl(struct emu_call *call, const json_t *acl,
                      const char *old);

#endif
