/* What the ledger and saved plans cost: bytes per item and per change, time
   per call, memory, with accounts as the service has them. Usage: ledger_cost
   [ROWS], which fails when the sizes promised are passed.
   Must not know: how the ledger stores rows. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "check.h"
#include "ledger/ledger.h"
#include "planfile/plan.h"

#define GROUP          64
#define ITEM_BYTES     300
#define CHANGE_BYTES   400
#define MEMORY_KIB     20480
#define ENOUGH_TO_TELL 5000

static char dir[] = "/tmp/ledger-cost-XXXXXX";
static struct ca_ledger *ledger;
static struct ca_err err;
static const struct ca_api *disable_row;

static double cpu_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double wall_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Of the database alone, its log moved into it by closing. */
static int64_t file_size(void)
{
  char path[64];
  struct stat info;
  snprintf(path, sizeof(path), "%s/ledger.db", dir);
  return stat(path, &info) ? -1 : (int64_t)info.st_size;
}

static void must(enum ca_code code)
{
  if(code) {
    fprintf(stderr, "%s\n", err.text);
    exit(1);
  }
}

static void begin(void)
{
  static const struct ca_run_info info = { .script = "disable_idle.lua",
                                           .mode = "apply" };
  char id[96];
  ledger = ca_ledger_open(dir, ca_clock_system(), &err);
  if(!ledger)
    must(err.code);
  must(ca_run_begin(ledger, &info, id, sizeof(id), &err));
}

/* "ca_" and 12 characters without order, as the service makes them. */
static void account_id(int64_t n, char out[16])
{
  static const char set[] =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
  uint64_t mixed = (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15);
  int i;
  mixed ^= mixed >> 29;
  mixed *= UINT64_C(0xBF58476D1CE4E5B9);
  memcpy(out, "ca_", 3);
  for(i = 3; i < 15; i++, mixed = mixed >> 5 | mixed << 59)
    out[i] = set[mixed & 63];
  out[15] = '\0';
}

static int64_t add_item_of(int bulk, int64_t n)
{
  char account[16];
  char user[48];
  int64_t number = 0;
  struct ca_item item = { .bulk = bulk,
                          .key = account,
                          .account = account,
                          .user = user,
                          .toolkit = "googlecalendar",
                          .scheme = "OAUTH2",
                          .status = "ACTIVE",
                          .alias = n % 3 ? NULL : "work",
                          .created_ms = INT64_C(1760000000000) + n,
                          .updated_ms = INT64_C(1780000000000) + n };
  account_id(n, account);
  snprintf(user, sizeof(user), "3f2a77c1-9be1-4c55-8f0e-%012lld",
           (long long)n);
  must(ca_plan_rows_add_item(ledger, &item, &number, &err));
  return number;
}

static int64_t add_item(int64_t n)
{
  return add_item_of(1, n);
}

static int64_t add_change(int64_t n, int64_t item)
{
  char account[16];
  int64_t number = 0;
  struct ca_change change = { .api = disable_row,
                              .account = account,
                              .reason = "idle for 90 days",
                              .line = "disable_idle.lua:14",
                              .before = "ACTIVE",
                              .cost = CA_REVERSIBLE };
  account_id(n, account);
  must(ca_plan_rows_add_change(ledger, item, &change, &number, &err));
  return number;
}

static void intend(const int64_t *numbers, size_t count)
{
  must(ca_outcome_intend(ledger, numbers, count, &err));
}

static void settle(int64_t number)
{
  must(ca_outcome_record(ledger, number, CA_DONE, 1,
                         "0f8fad5b-d9cb-469f-a165-70867728950e", "INACTIVE",
                         NULL, NULL, &err));
}

static void say(const char *what, double wall, double cpu, int64_t rows)
{
  printf("%-22s %8.2f us wall %8.2f us cpu\n", what,
         (wall_us() - wall) / (double)rows, (cpu_us() - cpu) / (double)rows);
}

/* Bytes per row added since `before`. */
static double per_row(int64_t before, int64_t rows)
{
  return (double)(file_size() - before) / (double)rows;
}

static double cost_of_items(int64_t rows)
{
  int64_t before;
  double wall, cpu;
  int64_t n;

  begin();
  ca_ledger_close(ledger);
  before = file_size();
  begin();
  wall = wall_us();
  cpu = cpu_us();
  for(n = 0; n < rows; n++)
    add_item(n);
  must(ca_ledger_sync(ledger, &err));
  say("add_item", wall, cpu, rows);
  ca_ledger_close(ledger);
  return per_row(before, rows);
}

static void read_changes(const char *what, int64_t rows)
{
  double wall = wall_us();
  double cpu = cpu_us();
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  int64_t seen = 0;

  ca_changes_open(&changes, ledger, 1, CA_ANY_OUTCOME);
  while(!ca_changes_next(&changes, &row, &err) && row)
    seen++;
  ca_changes_close(&changes);
  say(what, wall, cpu, rows);
  CHECK_INT(seen, rows);
}

static void carry_out(int64_t rows, const int64_t *numbers)
{
  double wall = wall_us();
  double cpu = cpu_us();
  struct ca_counts counts;
  int64_t n;

  for(n = 0; n < rows; n += GROUP) {
    size_t count = (size_t)(rows - n < GROUP ? rows - n : GROUP);
    size_t i;
    intend(numbers + n, count);
    for(i = 0; i < count; i++)
      settle(numbers[n + (int64_t)i]);
  }
  must(ca_ledger_sync(ledger, &err));
  say("intend and settle", wall, cpu, rows);
  read_changes("read changes", rows);
  wall = wall_us();
  cpu = cpu_us();
  must(ca_count_outcomes(ledger, 1, &counts, &err));
  say("counts", wall, cpu, rows);
  CHECK_INT(counts.items[CA_DONE], rows);
  CHECK_INT(counts.operations[0].changes[CA_DONE], rows);
}

static double cost_of_changes(int64_t rows)
{
  int64_t *numbers = calloc((size_t)rows, sizeof(*numbers));
  int64_t before = file_size();
  double wall, cpu;
  int64_t n;

  begin();
  wall = wall_us();
  cpu = cpu_us();
  for(n = 0; n < rows; n++)
    numbers[n] = add_change(n, add_item(n));
  must(ca_ledger_sync(ledger, &err));
  say("add_item, add_change", wall, cpu, rows);
  read_changes("read the plan", rows);
  carry_out(rows, numbers);
  wall = wall_us();
  cpu = cpu_us();
  must(ca_run_end(ledger, 0, &err));
  say("end", wall, cpu, rows);
  ca_ledger_close(ledger);
  free(numbers);
  return per_row(before, rows);
}

static int64_t rows = ENOUGH_TO_TELL;

static void sizes(void)
{
  double item = cost_of_items(rows);
  double both = cost_of_changes(rows);

  printf("an item %.0f bytes, a change %.0f bytes\n", item, both - item);
  CHECK(item > 0 && item <= ITEM_BYTES);
  CHECK(both - item <= CHANGE_BYTES);
}

static void ask_images(int64_t count)
{
  double wall = wall_us();
  double cpu = cpu_us();
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  int64_t known = 0;

  ca_changes_open(&changes, ledger, -1, CA_ANY_OUTCOME);
  while(!ca_changes_next(&changes, &row, &err) && row) {
    struct ca_before before_image;
    must(ca_ledger_before(ledger, row->number, NULL, &before_image, &err));
    known += before_image.known;
  }
  ca_changes_close(&changes);
  say("image", wall, cpu, count);
  CHECK_INT(known, count);
}

static void plan_twice(int64_t count)
{
  static const char *const names[] = { "first", "second" };
  int i;

  for(i = 0; i < 2; i++) {
    struct ca_bulk bulk = { .number = i + 1, .kind = "accounts" };
    int64_t n;
    ca_err_copy_text(bulk.name, sizeof(bulk.name), names[i], strlen(names[i]));
    for(n = 0; n < count; n++)
      add_change(n, add_item_of(i + 1, n));
    must(ca_plan_rows_seal(ledger, &bulk, &err));
  }
}

/* Two bulks over the same accounts: a saved plan, there and back, and what
   each account has to look like. */
static void plans(void)
{
  static const struct ca_slice key = { "ak_1234567890", 13 };
  static const struct ca_run_info info = { .mode = "preview" };
  struct ca_plan_head head;
  char path[64];
  double wall, cpu;

  snprintf(path, sizeof(path), "%s/plan", dir);
  begin();
  plan_twice(rows / 2);
  wall = wall_us();
  cpu = cpu_us();
  must(ca_planfile_write(ledger, path, &info, "run", key, &err));
  say("save the plan", wall, cpu, rows);
  must(ca_run_end(ledger, 0, &err));
  wall = wall_us();
  cpu = cpu_us();
  must(ca_plan_read(path, key, &head, &err));
  say("check it", wall, cpu, rows);
  CHECK_INT(head.changes, rows / 2 * 2);
  ca_ledger_close(ledger);
  begin();
  wall = wall_us();
  cpu = cpu_us();
  must(ca_plan_load(path, head.digest, ledger, &err));
  ca_plan_head_clear(&head);
  say("load it", wall, cpu, rows);
  ask_images(rows / 2 * 2);
  ca_ledger_close(ledger);
  unlink(path);
}

static void memory(void)
{
#if defined(__SANITIZE_ADDRESS__)
  printf("peak memory not measured: AddressSanitizer keeps freed blocks\n");
#else
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  printf("peak memory %ld KiB\n", usage.ru_maxrss);
  /* 8 bytes a change are this program's own; hashes of keys take up to 24
     while their table grows */
  CHECK(usage.ru_maxrss < MEMORY_KIB + rows * 32 / 1024);
#endif
}

int main(int argc, char **argv)
{
  if(argc > 1)
    rows = strtoll(argv[1], NULL, 10);
  disable_row = ca_api_find("connected_accounts", "disable");
  if(rows < 1 || !disable_row || !mkdtemp(dir))
    return 2;
  check_case("sizes", sizes);
  check_case("plans", plans);
  check_case("memory", memory);
  {
    char command[96];
    snprintf(command, sizeof(command), "%s/ledger.db", dir);
    unlink(command);
    rmdir(dir);
  }
  return check_end();
}
