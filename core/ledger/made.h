/* Which accounts the ledger's own creates have made. Must not know: how they
   are found. */
#ifndef CA_LEDGER_MADE_H
#define CA_LEDGER_MADE_H

#include "ledger/ledger.h"

/* Has a change made the account, of a run that went on since then? */
CA_MUST_USE enum ca_code ca_ledger_knows_made(struct ca_ledger *ledger,
                                              const char *account,
                                              int64_t since_ms, bool *known,
                                              struct ca_err *err);

#endif
