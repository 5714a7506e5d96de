/* The set of hashes: members, collisions, growth, and lack of memory at each
   allocation. The linker leads the core's allocations here. */
#include "check.h"
#include "base/digest.h"
#include "base/hashset.h"

#define MANY 200000

static bool fails; /* the next allocation */
static int allocations;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
  allocations++;
  return fails ? NULL : __real_calloc(count, size);
}

/* Whether hash was a member; now it is one. */
static bool add(struct ca_hashset *set, uint64_t hash)
{
  bool present = false;
  CHECK_INT(ca_hashset_add(set, hash, &present), CA_OK);
  return present;
}

static uint64_t hash_of_number(int number)
{
  char text[32];
  int len = snprintf(text, sizeof(text), "ca_%d", number);
  return ca_digest_hash(0, text, (size_t)len);
}

static void many_members(void)
{
  struct ca_hashset set = { 0 };
  int number;

  for(number = 0; number < MANY; number++)
    if(add(&set, hash_of_number(number)))
      CHECK(!"present before it was added");
  CHECK(!ca_hashset_has(&set, hash_of_number(MANY)));
  for(number = 0; number < MANY; number++)
    if(!ca_hashset_has(&set, hash_of_number(number)) ||
       !add(&set, hash_of_number(number)))
      CHECK(!"lost");
  CHECK_INT(set.count, MANY);
  CHECK(allocations < 16); /* it doubles */
  ca_hashset_clear(&set);
  CHECK_INT(set.count, 0);
  CHECK(!add(&set, hash_of_number(1))); /* it can be filled again */
  ca_hashset_clear(&set);
}

/* Multiples of the multiplier's inverse are successive numbers after it, and
   so share the first slots of every table. */
static void collisions(void)
{
  const uint64_t inverse = UINT64_C(0xF1DE83E19937733D);
  struct ca_hashset set = { 0 };
  uint64_t i;

  CHECK_INT(inverse * UINT64_C(0x9E3779B97F4A7C15), 1);
  for(i = 1; i <= 1000; i++)
    CHECK(!add(&set, i * inverse));
  for(i = 1; i <= 1000; i++)
    CHECK(add(&set, i * inverse));
  CHECK(!add(&set, 1001 * inverse));
  CHECK_INT(set.count, 1001);
  ca_hashset_clear(&set);
}

/* From the last slot the search goes on with the first. */
static void around_the_end(void)
{
  const uint64_t inverse = UINT64_C(0xF1DE83E19937733D);
  struct ca_hashset set = { 0 };
  uint64_t i;

  for(i = 1; i <= 100; i++)
    CHECK(!add(&set, (0 - i) * inverse));
  for(i = 1; i <= 100; i++)
    CHECK(add(&set, (0 - i) * inverse));
  ca_hashset_clear(&set);
}

static void zero(void)
{
  struct ca_hashset set = { 0 };

  CHECK(!add(&set, 0));
  CHECK(add(&set, 0));
  CHECK(add(&set, 1)); /* 0 counts as 1 */
  CHECK_INT(set.count, 1);
  ca_hashset_clear(&set);
  ca_hashset_clear(&set);
  CHECK_INT(set.count, 0);
}

static void no_memory(void)
{
  struct ca_hashset set = { 0 };
  bool present;
  uint64_t i;
  int failures = 0;

  for(i = 1; i <= 5000; i++) {
    int before = allocations;
    fails = true;
    if(ca_hashset_add(&set, i, &present)) {
      failures++;
      CHECK_INT(allocations, before + 1);
      CHECK_INT(set.count, i - 1);
      fails = false;
      CHECK(!add(&set, i));
    }
    fails = false;
  }
  CHECK_INT(failures, 4); /* the first table, and three larger ones */
  for(i = 1; i <= 5000; i++)
    CHECK(add(&set, i));
  ca_hashset_clear(&set);
}

static void hash_function(void)
{
  CHECK(ca_digest_text("") == UINT64_C(0xCBF29CE484222325)); /* FNV-1a's own */
  CHECK(ca_digest_text("foobar") == UINT64_C(0x85944171F73967E8));
  CHECK(ca_digest_hash(0, "foo\0bar", 7) != ca_digest_text("foo"));
  CHECK(ca_digest_hash(1, "foobar", 6) != ca_digest_text("foobar"));
}

int main(void)
{
  check_case("many members", many_members);
  check_case("collisions", collisions);
  check_case("around the end", around_the_end);
  check_case("zero", zero);
  check_case("no memory", no_memory);
  check_case("hash function", hash_function);
  return check_end();
}
