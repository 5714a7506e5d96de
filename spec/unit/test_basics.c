/* Error records, byte buffers, digests: what everything else stands on.
   Must not know: anything above them. */
#include "base/buf.h"
#include "check.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/secret.h"

static void err_is_set_and_cleared(void)
{
  struct ca_err err;

  memset(&err, 0x55, sizeof(err));
  CHECK_INT(ca_err_set(&err, CA_HTTP, "%s %d", "HTTP", 404), CA_HTTP);
  CHECK_INT(err.code, CA_HTTP);
  CHECK_TEXT(err.text, "HTTP 404");
  CHECK(!err.unknown && !err.retryable && !err.status && !err.attempts);
  CHECK_TEXT(err.slug, "");
  CHECK_TEXT(err.fix, "");
  ca_err_clear(&err);
  CHECK_INT(err.code, CA_OK);
  CHECK_TEXT(err.text, "");
  CHECK_INT(ca_err_set(NULL, CA_USAGE, "nobody listens"), CA_USAGE);
  ca_err_clear(NULL);
}

static void err_text_is_cut(void)
{
  struct ca_err err;
  char text[2000];

  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  ca_err_set(&err, CA_USAGE, "%s", text);
  CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
}

static void text_is_cut_between_characters(void)
{
  char to[8];

  ca_err_copy_text(to, sizeof(to), "abc", 3);
  CHECK_TEXT(to, "abc");
  ca_err_copy_text(to, sizeof(to), "abcdefghij", 10);
  CHECK_TEXT(to, "abcdefg");
  /* the euro sign's three bytes do not fit after six */
  ca_err_copy_text(to, sizeof(to), "abcdef\xE2\x82\xAC", 9);
  CHECK_TEXT(to, "abcdef");
  ca_err_copy_text(to, sizeof(to), "abcd\xE2\x82\xAC", 7);
  CHECK_TEXT(to, "abcd\xE2\x82\xAC");
  ca_err_copy_text(to, sizeof(to), "", 0);
  CHECK_TEXT(to, "");
  ca_err_copy_text(to, 1, "abc", 3);
  CHECK_TEXT(to, "");
  to[0] = 'x';
  ca_err_copy_text(to, 0, "abc", 3);
  CHECK_INT(to[0], 'x');
}

static void buf_grows_to_its_ceiling(void)
{
  struct ca_buf buf;
  int i;

  ca_buf_init(&buf, 1000);
  CHECK_TEXT(ca_buf_text(&buf), "");
  for(i = 0; i < 1000; i++)
    CHECK_INT(ca_buf_add(&buf, "x", 1), CA_OK);
  CHECK_INT(buf.len, 1000);
  CHECK_INT(strlen(ca_buf_text(&buf)), 1000);
  CHECK_INT(ca_buf_add(&buf, "y", 1), CA_USAGE);
  CHECK_INT(ca_buf_add_text(&buf, "yy"), CA_USAGE);
  CHECK_INT(ca_buf_printf(&buf, "%d", 1), CA_USAGE);
  CHECK_INT(buf.len, 1000); /* what was in it stays */
  CHECK(!strchr(buf.data, 'y'));
  CHECK_INT(ca_buf_add(&buf, "", 0), CA_OK);
  ca_buf_reset(&buf);
  CHECK_INT(buf.len, 0);
  CHECK(buf.size > 1000);
  CHECK_TEXT(ca_buf_text(&buf), "");
  CHECK_INT(ca_buf_printf(&buf, "%s-%d", "a", 7), CA_OK);
  CHECK_TEXT(ca_buf_text(&buf), "a-7");
  ca_buf_wipe(&buf);
  CHECK(!buf.data && !buf.len && !buf.size);
  CHECK_INT(ca_buf_add_text(&buf, "again"), CA_OK);
  CHECK_TEXT(ca_buf_text(&buf), "again");
  ca_buf_clear(&buf);
  ca_buf_clear(&buf);
  ca_buf_reset(&buf);
}

static void buf_with_room(void)
{
  struct ca_buf buf;
  const char *data;

  ca_buf_init(&buf, 1000);
  CHECK_INT(ca_buf_reserve(&buf, 300), CA_OK);
  CHECK_INT(buf.size, 301); /* no more than was asked for */
  CHECK_TEXT(ca_buf_text(&buf), "");
  CHECK_INT(ca_buf_add_text(&buf, "abc"), CA_OK);
  data = buf.data;
  CHECK_INT(ca_buf_reserve(&buf, 297), CA_OK);
  CHECK(buf.data == data);
  CHECK_INT(ca_buf_reserve(&buf, 5000), CA_OK);
  CHECK_INT(buf.size, 1001); /* up to the ceiling, which stays */
  CHECK_TEXT(ca_buf_text(&buf), "abc");
  CHECK_INT(ca_buf_reserve(&buf, SIZE_MAX), CA_OK);
  CHECK_INT(buf.size, 1001);
  ca_buf_wipe(&buf);
}

static void buf_of_nothing(void)
{
  struct ca_buf buf;

  ca_buf_init(&buf, 0);
  CHECK_INT(ca_buf_add(&buf, NULL, 0), CA_OK);
  CHECK_INT(ca_buf_add(&buf, "x", 1), CA_USAGE);
  CHECK_TEXT(ca_buf_text(&buf), "");
  ca_buf_clear(&buf);
}

static void buf_keeps_zero_bytes(void)
{
  struct ca_buf buf;

  ca_buf_init(&buf, 100);
  CHECK_INT(ca_buf_add(&buf, "a\0b", 3), CA_OK);
  CHECK_INT(buf.len, 3);
  CHECK(!memcmp(buf.data, "a\0b", 4));
  ca_buf_clear(&buf);
}

static void wiping(void)
{
  char memory[32];
  size_t i;

  memset(memory, 'x', sizeof(memory));
  ca_buf_wipe_memory(memory, sizeof(memory));
  for(i = 0; i < sizeof(memory); i++)
    CHECK_INT(memory[i], 0);
}

static void digests(void)
{
  char hex[CA_DIGEST_SIZE];

  /* of FIPS 180-4 */
  ca_digest_bytes("abc", 3, hex);
  CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223"
                  "b00361a396177a9cb410ff61f20015ad");
  ca_digest_bytes("", 0, hex);
  CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb924"
                  "27ae41e4649b934ca495991b7852b855");
  /* of RFC 4231, case 2 */
  ca_digest_keyed("Jefe", 4, "what do ya want for nothing?", 28, hex);
  CHECK_TEXT(hex, "5bdcc146bf60754e6a042426089575c7"
                  "5a003f089d2739839dec58b964ec3843");
}

static void digests_of_pieces(void)
{
  char hex[CA_DIGEST_SIZE];
  struct ca_digest *digest = ca_digest_new();

  if(!CHECK(digest))
    return;
  ca_digest_add(digest, "a", 1);
  ca_digest_add(digest, "", 0);
  ca_digest_add(digest, "bc", 2);
  ca_digest_end(digest, hex);
  CHECK_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223"
                  "b00361a396177a9cb410ff61f20015ad");
  ca_digest_free(ca_digest_new()); /* one that was not ended */
  ca_digest_free(NULL);
}

static void chance(void)
{
  unsigned char a[64] = { 0 };
  unsigned char b[64] = { 0 };

  CHECK_INT(ca_digest_random(a, sizeof(a)), CA_OK);
  CHECK_INT(ca_digest_random(b, sizeof(b)), CA_OK);
  CHECK(memcmp(a, b, sizeof(a)) != 0);
  CHECK_INT(ca_digest_random(a, 0), CA_OK);
}

int main(void)
{
  check_case("an error is set and cleared", err_is_set_and_cleared);
  check_case("an error's text is cut", err_text_is_cut);
  check_case("text is cut between characters", text_is_cut_between_characters);
  check_case("a buffer grows to its ceiling", buf_grows_to_its_ceiling);
  check_case("a buffer with room", buf_with_room);
  check_case("a buffer of nothing", buf_of_nothing);
  check_case("a buffer keeps zero bytes", buf_keeps_zero_bytes);
  check_case("wiping", wiping);
  check_case("digests", digests);
  check_case("digests of pieces", digests_of_pieces);
  check_case("chance", chance);
  return check_end();
}
