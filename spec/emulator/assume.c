/* The guesses by name. It must not know what follows from them. */
#include "assume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE "unauthorized-code"

static const struct {
  const char *name;
  const char *usual;
  const char *other;
} guesses[EMU_GUESSES] = {
  { "toolkit-case", "ignored", "exact" },
  { "unknown-enum", "refused", "ignored" },
  { "small-limit", "refused", "clamped" },
  { "bad-cursor", "refused", "first" },
  { "cursor-limit", "cursor", "parameter" },
  { "repeat", "accepted", "refused" },
  { "newer-paths", "both", "v3.1" },
  { "machine-refresh", "active", "refused" },
  { "patch-heals", "yes", "no" },
};

void emu_assume_init(struct emu_assume *assume)
{
  *assume = (struct emu_assume){ .unauthorized_code = 10401 };
}

static bool read_code(struct emu_assume *assume, const char *value)
{
  char *end = NULL;
  long code = strtol(value, &end, 10);
  if(end == value || *end || code < 0 || code > 1000000) {
    fprintf(stderr,
            "composio-emulator: --assume " CODE "=%s: must be a whole number "
            "up to 1000000\n",
            value);
    return false;
  }
  assume->unauthorized_code = (int)code;
  return true;
}

static void tell_names(const char *text)
{
  fprintf(stderr, "composio-emulator: --assume %s: must be one of", text);
  for(int i = 0; i < EMU_GUESSES; i++)
    fprintf(stderr, " %s=%s|%s", guesses[i].name, guesses[i].usual,
            guesses[i].other);
  fputs(" " CODE "=N\n", stderr);
}

bool emu_assume_read(struct emu_assume *assume, const char *text)
{
  size_t length = strcspn(text, "=");
  const char *value = text[length] ? text + length + 1 : "";
  if(length == strlen(CODE) && !strncmp(text, CODE, length))
    return read_code(assume, value);
  for(int i = 0; i < EMU_GUESSES; i++) {
    bool other = !strcmp(value, guesses[i].other);
    if(strlen(guesses[i].name) != length ||
       strncmp(text, guesses[i].name, length) != 0 ||
       (!other && strcmp(value, guesses[i].usual) != 0))
      continue;
    assume->other[i] = other;
    return true;
  }
  tell_names(text);
  return false;
}
