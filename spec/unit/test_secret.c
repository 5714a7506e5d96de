/* Secrets do not leave, in any spelling; terminals meet no control bytes.
   Must not know: where texts go. */
#include "check.h"
#include "fake_clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#define KEY "ak_1+2/\"x\" y\xC3\xA9=z"

static const char *masked(const char *text)
{
  static char copy[512];
  size_t len;

  memset(copy, '#', sizeof(copy));
  snprintf(copy, sizeof(copy), "%s", text);
  len = ca_secret_mask(copy, strlen(copy));
  CHECK_INT(strlen(copy), len);
  return copy;
}

static void plain_and_spelled(void)
{
  ca_secret_add(KEY, strlen(KEY));
  CHECK_INT(ca_secret_count(), 1);
  CHECK_TEXT(masked("key " KEY "!"), "key ***!");
  CHECK_TEXT(masked(KEY), "***");
  CHECK_TEXT(masked(KEY KEY), "******");
  CHECK_TEXT(masked("?k=ak_1%2B2%2F%22x%22%20y%C3%A9%3Dz&"), "?k=***&");
  CHECK_TEXT(masked("{\"k\":\"ak_1+2/\\\"x\\\" y\xC3\xA9=z\"}"),
             "{\"k\":\"***\"}");
  CHECK_TEXT(masked("ak_1"), "ak_1");
  CHECK_TEXT(masked(""), "");
  ca_secret_remove(KEY, strlen(KEY));
  CHECK_INT(ca_secret_count(), 0);
  CHECK_TEXT(masked(KEY), KEY);
}

static void base64(void)
{
  const char *out;

  ca_secret_add("user:hunter2!", 13);
  /* all whole groups go; what is left of the last one tells nothing */
  out = masked("Basic dXNlcjpodW50ZXIyIQ==");
  CHECK(!strstr(out, "dXNlcjpodW50ZXIy"));
  CHECK_HOLDS(out, "Basic ***");
  ca_secret_remove("user:hunter2!", 13);
}

static void short_ones_are_ignored(void)
{
  ca_secret_add("12345", 5);
  CHECK_INT(ca_secret_count(), 0);
  ca_secret_remove("12345", 5);
  ca_secret_add("123456", 6);
  CHECK_INT(ca_secret_count(), 1);
  CHECK_TEXT(masked("1234567"), "***7");
  ca_secret_remove("123456", 6);
}

static void registrations_are_counted(void)
{
  ca_secret_add("abcdefgh", 8);
  ca_secret_add("abcdefgh", 8);
  ca_secret_add("other secret", 12);
  CHECK_INT(ca_secret_count(), 2);
  ca_secret_remove("abcdefgh", 8);
  CHECK_TEXT(masked("abcdefgh"), "***");
  ca_secret_remove("abcdefgh", 8);
  CHECK_TEXT(masked("abcdefgh other secret"), "abcdefgh ***");
  ca_secret_remove("abcdefgh", 8); /* once too often */
  ca_secret_remove("other secret", 12);
  CHECK_INT(ca_secret_count(), 0);
}

static void one_within_another(void)
{
  ca_secret_add("secret", 6);
  ca_secret_add("my secret place", 15);
  CHECK_TEXT(masked("it is my secret place and a secret"),
             "it is *** and a ***");
  ca_secret_remove("secret", 6);
  CHECK_TEXT(masked("it is my secret place and a secret"),
             "it is *** and a secret");
  ca_secret_remove("my secret place", 15);
}

/* A text that was cut within a secret ends with the beginning of it. */
static void cut_within_a_secret(void)
{
  char text[400];
  size_t len;

  ca_secret_add("hunter2/swordfish", 17);
  memset(text, 'x', sizeof(text));
  memcpy(text + 250, "hunter2/sword", 14);
  len = ca_secret_mask(text, strlen(text));
  CHECK_INT(len, 253);
  CHECK_TEXT(text + 250, "***");
  memset(text, 'x', sizeof(text));
  memcpy(text + 250, "hunter2%2fswo", 14);
  CHECK_INT(ca_secret_mask(text, strlen(text)), 253);
  memset(text, 'x', sizeof(text));
  memcpy(text + 250, "hunte", 6); /* tells too little */
  CHECK_INT(ca_secret_mask(text, strlen(text)), 255);
  CHECK_TEXT(masked("hunter2/sword"), "hunter2/sword"); /* was not cut */
  ca_secret_remove("hunter2/swordfish", 17);
}

static void many_secrets(void)
{
  char text[32];
  int i;

  for(i = 0; i < 100; i++) {
    snprintf(text, sizeof(text), "secret-%03d", i);
    ca_secret_add(text, strlen(text));
  }
  CHECK_TEXT(masked("a secret-042 b secret-099 c secret-100"),
             "a *** b *** c secret-100");
  for(i = 0; i < 100; i++) {
    snprintf(text, sizeof(text), "secret-%03d", i);
    ca_secret_remove(text, strlen(text));
  }
  CHECK_INT(ca_secret_count(), 0);
}

/* Cleaning. */

static const char *clean(const char *from, size_t len)
{
  static char to[256];
  ca_text_printable(to, sizeof(to), from, len);
  return to;
}

static void control_bytes_become_visible(void)
{
  CHECK_TEXT(clean("plain text", 10), "plain text");
  CHECK_TEXT(clean("a\nb\tc", 5), "a\\x0ab\\x09c");
  CHECK_TEXT(clean("\x1b[31mred\x1b[0m", 12), "\\x1b[31mred\\x1b[0m");
  CHECK_TEXT(clean("\0\x7f", 2), "\\x00\\x7f");
  CHECK_TEXT(clean("\xC2\x9b", 2), "\\x9b"); /* CSI as one character */
  CHECK_TEXT(clean("j\xC3\xB6s\xC3\xA9 \xE6\x97\xA5", 10),
             "j\xC3\xB6s\xC3\xA9 \xE6\x97\xA5");
  CHECK_TEXT(clean("\xF0\x9F\x98\x80", 4), "\xF0\x9F\x98\x80");
}

static void direction_becomes_visible(void)
{
  CHECK_TEXT(clean("a\xE2\x80\xAE"
                   "b",
                   5),
             "a\\u{202e}b");
  CHECK_TEXT(clean("\xE2\x81\xA6\xE2\x81\xA9", 6), "\\u{2066}\\u{2069}");
  CHECK_TEXT(clean("\xE2\x80\x8F\xD8\x9C", 5), "\\u{200f}\\u{61c}");
  CHECK_TEXT(clean("\xE2\x80\xA8", 3), "\\u{2028}");
  CHECK_TEXT(clean("\xEF\xBB\xBFx", 4), "\\u{feff}x");
}

static void bad_bytes_become_visible(void)
{
  CHECK_TEXT(clean("\xFF\xFE", 2), "\\xff\\xfe");
  CHECK_TEXT(clean("\xC3", 1), "\\xc3");                   /* cut */
  CHECK_TEXT(clean("\xC0\x9B", 2), "\\xc0\\x9b");          /* overlong ESC */
  CHECK_TEXT(clean("\xED\xA0\x80", 3), "\\xed\\xa0\\x80"); /* surrogate */
  CHECK_TEXT(clean("a\x80z", 3), "a\\x80z");
}

static void cleaning_stays_in_its_room(void)
{
  char to[8];
  size_t size;

  for(size = 0; size <= sizeof(to); size++) {
    memset(to, '#', sizeof(to));
    ca_text_printable(to, size, "a\x1b\xE6\x97\xA5zzzzz", 10);
    CHECK(size == 0 || memchr(to, '\0', size));
    CHECK(size == sizeof(to) || to[size] == '#');
  }
  ca_text_printable(to, 7,
                    "ab\x1b"
                    "c",
                    4); /* no half of an escape */
  CHECK_TEXT(to, "ab\\x1b");
  ca_text_printable(to, 6,
                    "ab\x1b"
                    "c",
                    4);
  CHECK_TEXT(to, "ab");
}

/* The strings of a body. */

static void strings_of_a_body(void)
{
  static const char body[] =
      "{\"state\":{\"authScheme\":\"BEARER_TOKEN\",\"val\":{"
      "\"status\":\"ACTIVE\",\"token\":\"one\\/\\u0041two\","
      "\"list\":[\"in a list\",[{\"x\":\"deeper\"}]],"
      "\"subdomain\":\"example\",\"number\":1234567}}}";
  size_t before = ca_secret_count();

  ca_secret_add_json(body, sizeof(body) - 1);
  CHECK_INT(ca_secret_count(), before + 3);
  CHECK_TEXT(masked("one/Atwo, in a list, deeper"), "***, ***, ***");
  CHECK_TEXT(masked("BEARER_TOKEN ACTIVE example 1234567 subdomain"),
             "BEARER_TOKEN ACTIVE example 1234567 subdomain");
  ca_secret_remove_json(body, sizeof(body) - 1);
  CHECK_INT(ca_secret_count(), before);
  /* what is no JSON is one secret as a whole */
  ca_secret_add_json("token=hunter2", 13);
  CHECK_TEXT(masked("token=hunter2"), "***");
  ca_secret_remove_json("token=hunter2", 13);
  CHECK_INT(ca_secret_count(), before);
}

static void other_spellings(void)
{
  ca_secret_add("to/k+en:1", 9);
  CHECK_TEXT(masked("to%2Fk%2Ben%3A1 to%2fk%2ben%3a1 to\\/k+en:1"),
             "*** *** ***");
  /* behind "a:" in base64; the groups it shares with others stay */
  CHECK_TEXT(masked("YTp0by9rK2VuOjE="), "YTp0***OjE=");
  ca_secret_remove("to/k+en:1", 9);
}

/* Lines. */

static const char *line(enum ca_log_format format, enum ca_log_level level,
                        enum ca_log_level of, const char *text)
{
  static char out[1024];
  struct fake_clock fake;
  struct ca_log log = { .level = level, .format = format };
  size_t len;

  fake_clock_init(&fake);
  log.clock = &fake.clock;
  log.file = tmpfile();
  ca_log_event(&log, of, "retry", "%s", text);
  rewind(log.file);
  len = fread(out, 1, sizeof(out) - 1, log.file);
  out[len] = '\0';
  fclose(log.file);
  return out;
}

static void kept_ones(void)
{
  char text[] = "hunter2hunter2 swordfish";
  size_t len = strlen(text);

  ca_secret_add("swordfish", 9);
  CHECK(!ca_secret_has_lasting());
  ca_secret_add_lasting("hunter2hunter2", 14);
  CHECK(ca_secret_has_lasting());
  len = ca_secret_mask_lasting(text, len);
  CHECK_TEXT(text, "*** swordfish");
  CHECK(len == 13);
  ca_secret_remove("hunter2hunter2", 14);
  CHECK(!ca_secret_has_lasting());
  ca_secret_remove("swordfish", 9);
}

static void log_lines(void)
{
  struct ca_log nowhere = { .level = CA_LOG_DEBUG };

  ca_secret_add("hunter2hunter2", 14);
  CHECK_TEXT(line(CA_LOG_TEXT, CA_LOG_INFO, CA_LOG_WARN,
                  "no \"hunter2hunter2\"\nhere"),
             "2026-11-22T06:00:12.000Z warning retry: no \"***\"\\x0ahere\n");
  CHECK_TEXT(line(CA_LOG_JSON, CA_LOG_INFO, CA_LOG_INFO,
                  "no \"hunter2hunter2\"\nhere"),
             "{\"schema\":1,\"time\":\"2026-11-22T06:00:12.000Z\","
             "\"level\":\"info\","
             "\"event\":\"retry\",\"text\":\"no \\\"***\\\"\\\\x0ahere\"}\n");
  CHECK_TEXT(line(CA_LOG_TEXT, CA_LOG_INFO, CA_LOG_DEBUG, "x"), "");
  CHECK_TEXT(line(CA_LOG_TEXT, CA_LOG_QUIET, CA_LOG_WARN, "x"), "");
  ca_log_event(&nowhere, CA_LOG_WARN, "x", "y");
  ca_log_event(NULL, CA_LOG_WARN, "x", "y");
  ca_secret_remove("hunter2hunter2", 14);
}

int main(void)
{
  check_case("plain and spelled", plain_and_spelled);
  check_case("base64", base64);
  check_case("short ones are ignored", short_ones_are_ignored);
  check_case("registrations are counted", registrations_are_counted);
  check_case("one within another", one_within_another);
  check_case("cut within a secret", cut_within_a_secret);
  check_case("many secrets", many_secrets);
  check_case("strings of a body", strings_of_a_body);
  check_case("other spellings", other_spellings);
  check_case("control bytes become visible", control_bytes_become_visible);
  check_case("direction becomes visible", direction_becomes_visible);
  check_case("bad bytes become visible", bad_bytes_become_visible);
  check_case("cleaning stays in its room", cleaning_stays_in_its_room);
  check_case("kept ones", kept_ones);
  check_case("log lines", log_lines);
  return check_end();
}
