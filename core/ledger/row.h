/* Copies of change rows, for who keeps one for longer than the call it was
   lent for. Knows nothing of the database. */
#ifndef CA_LEDGER_ROW_H
#define CA_LEDGER_ROW_H

#include "ledger/ledger.h"

/* Bytes that the texts of the row take. */
size_t ca_ledger_row_size(const struct ca_change_row *row);
/* Copies the row; its texts go to `texts`, which has room for them and has to
   live as long as the copy. */
void ca_ledger_row_copy(struct ca_change_row *to,
                        const struct ca_change_row *row, char *texts);

#endif
