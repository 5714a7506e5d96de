/* The accounts of the bench's server: made up by number, not stored.
 * Must not know sockets or HTTP. */
#ifndef BENCH_STUB_ACCOUNTS_H
#define BENCH_STUB_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_ID_SIZE     15 /* ca_ and twelve characters */
#define BENCH_ACCOUNT_MAX 4096
#define BENCH_PAGE_MAX    1000
#define BENCH_IDS_MAX     BENCH_PAGE_MAX

/* Which accounts a listing is about. */
enum bench_which { BENCH_ALL, BENCH_ACTIVE, BENCH_EXPIRED, BENCH_NONE };

/* Life. Builds the templates once; `accounts` is how many there are. */
void bench_accounts_init(size_t accounts);

/* Actions. Each writes JSON and returns its size; room is the caller's. */
size_t bench_account_write(char *to, size_t number);
size_t bench_account_id(char *to, size_t number); /* no NUL */
/* Page counts from 1. Needs room for limit + 1 accounts. */
size_t bench_page_write(char *to, enum bench_which which, size_t page,
                        size_t limit);
/* A page of just these ids, comma-joined, %2C understood. */
size_t bench_some_write(char *to, const char *ids, size_t size);

/* Questions. SIZE_MAX when it is no id of ours. */
size_t bench_account_number(const char *id, size_t size);
size_t bench_accounts_count(enum bench_which which);
/* The page and limit in a cursor; false when it is garbage. */
bool bench_cursor_read(const char *cursor, size_t size, size_t *page,
                       size_t *limit);

#endif
