/* Reading rules from text, with messages that name the rule and the key.
 * Must not know when a rule strikes; that is rule.c. */
#include "rule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum fp_key {
  FP_KEY_CONNECTION,
  FP_KEY_REQUEST,
  FP_KEY_NTH,
  FP_KEY_METHOD,
  FP_KEY_PATH,
  FP_KEY_HIT,
  FP_KEY_TIMES,
  FP_KEY_PROBABILITY,
  FP_KEY_WHEN,
  FP_KEY_AT,
  FP_KEY_DO,
  FP_KEY_MS,
  FP_KEY_BYTES,
  FP_KEY_XOR,
  FP_KEY_THEN,
  FP_KEY_FILE,
  FP_KEY_TEXT,
  FP_KEYS
};

static const char *const fp_keys[FP_KEYS + 1] = {
  "connection", "request",     "nth",  "method", "path", "hit",
  "times",      "probability", "when", "at",     "do",   "ms",
  "bytes",      "xor",         "then", "file",   "text", NULL,
};

static const char *const fp_whens[] = { "",      "accept",    "request",
                                        "reply", "to-server", "to-client",
                                        NULL };

static const char *const fp_dos[] = { "",       "cut",  "reset",   "stall",
                                      "drip",   "flip", "replace", "answer",
                                      "refuse", "down", NULL };

static const char *const fp_thens[] = { "keep", "cut", "reset", NULL };

const char *fp_do_name(enum fp_do what)
{
  return fp_dos[what];
}

/* What the reading of one rule passes around. */
struct fp_reading {
  struct fp_rule *rule;
  char *err;
  size_t err_size;
};

static bool fp_bad(const struct fp_reading *in, const char *key,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fp_bad(const struct fp_reading *in, const char *key,
                   const char *format, ...)
{
  char why[512];
  va_list args;

  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  snprintf(in->err, in->err_size, "rule \"%s\": %s: %s", in->rule->text, key,
           why);
  return false;
}

/* A decimal number at *text, which moves behind it. */
static bool fp_number(const char **text, uint64_t *number)
{
  char *end;

  if(**text < '0' || **text > '9') {
    return false;
  }
  errno = 0;
  *number = strtoull(*text, &end, 10);
  *text = end;
  return errno == 0;
}

static bool fp_read_number(const struct fp_reading *in, const char *key,
                           const char *value, uint64_t least, uint64_t most,
                           uint64_t *number)
{
  if(!fp_number(&value, number) || *value || *number < least ||
     *number > most) {
    return fp_bad(in, key, "wants a whole number from %llu to %llu",
                  (unsigned long long)least, (unsigned long long)most);
  }
  return true;
}

/* N, N-M, N-, *, and any of them with /K: every K-th of these. */
static bool fp_read_set(const struct fp_reading *in, const char *key,
                        const char *value, struct fp_set *set)
{
  const char *at = value;
  bool star = *at == '*';

  set->first = 1;
  set->last = UINT64_MAX;
  set->step = 1;
  if(star) {
    at++;
  } else {
    if(!fp_number(&at, &set->first)) {
      goto bad;
    }
    set->last = set->first;
    if(*at == '-') {
      at++;
      set->last = UINT64_MAX;
      if(*at && *at != '/' && !fp_number(&at, &set->last)) {
        goto bad;
      }
    }
  }
  if(*at == '/') {
    at++;
    if(!fp_number(&at, &set->step)) {
      goto bad;
    }
    if(star) {
      set->first = set->step;
    }
  }
  if(*at == '\0' && set->first && set->step && set->first <= set->last) {
    return true;
  }
bad:
  return fp_bad(in, key,
                "\"%s\" is no choice of numbers; write 3, 3-7, 3-, * or */10,"
                " counting from 1",
                value);
}

static bool fp_read_word(const struct fp_reading *in, const char *key,
                         const char *value, const char *const *words,
                         unsigned *index)
{
  char known[256] = "";
  size_t used = 0;
  unsigned i;

  for(i = 0; words[i]; i++) {
    if(words[i][0] && strcmp(words[i], value) == 0) {
      *index = i;
      return true;
    }
    if(words[i][0] && used < sizeof known) {
      used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                               used ? ", " : "", words[i]);
    }
  }
  return fp_bad(in, key, "\"%s\" is not one of %s", value, known);
}

/* N, body, body+N, end, sweep, sweep+N. */
static bool fp_read_at(const struct fp_reading *in, const char *value)
{
  struct fp_rule *rule = in->rule;
  const char *at = value;

  if(fp_number(&at, &rule->at_bytes)) {
    rule->at = FP_AT_BYTE;
  } else if(strcmp(at, "end") == 0) {
    rule->at = FP_AT_END;
    at += 3;
  } else if(strncmp(at, "body", 4) == 0 || strncmp(at, "sweep", 5) == 0) {
    rule->at = *at == 'b' ? FP_AT_BODY : FP_AT_SWEEP;
    at += *at == 'b' ? 4 : 5;
    if(*at == '+') {
      at++;
      if(!fp_number(&at, &rule->at_bytes)) {
        at = "?";
      }
    }
  }
  if(*at) {
    return fp_bad(in, "at",
                  "\"%s\" is no offset; write 0, body, body+7, end, sweep or"
                  " sweep+7",
                  value);
  }
  return true;
}

static bool fp_read_probability(const struct fp_reading *in, const char *value)
{
  char *end;
  double number = strtod(value, &end);

  if(end == value || *end || !(number >= 0 && number <= 1)) {
    return fp_bad(in, "probability", "wants a number from 0 to 1");
  }
  in->rule->probability = number;
  return true;
}

static int fp_hex(char digit)
{
  static const char digits[] = "0123456789abcdef";
  const char *at;

  if(digit >= 'A' && digit <= 'F') {
    digit = (char)(digit - 'A' + 'a');
  }
  at = digit ? strchr(digits, digit) : NULL;
  return at ? (int)(at - digits) : -1;
}

/* \r \n \t \0 \\ and \xHH; the text may hold any byte but a bare NUL. */
static bool fp_read_text(const struct fp_reading *in, const char *value)
{
  static const char names[] = "rnt0\\";
  static const char means[] = "\r\n\t\0\\";
  struct fp_rule *rule = in->rule;
  unsigned char *to = malloc(strlen(value) + 1);
  const char *known;

  if(!to) {
    return fp_bad(in, "text", "out of memory");
  }
  rule->bytes = to;
  for(; *value; value++) {
    if(*value != '\\') {
      *to++ = (unsigned char)*value;
      continue;
    }
    value++;
    known = *value ? strchr(names, *value) : NULL;
    if(known) {
      *to++ = (unsigned char)means[known - names];
    } else if(*value == 'x' && fp_hex(value[1]) >= 0 &&
              fp_hex(value[2]) >= 0) {
      *to++ = (unsigned char)(fp_hex(value[1]) * 16 + fp_hex(value[2]));
      value += 2;
    } else {
      return fp_bad(in, "text", "knows \\r \\n \\t \\0 \\\\ and \\xHH only");
    }
  }
  rule->bytes_size = (size_t)(to - rule->bytes);
  return true;
}

static bool fp_read_file(const struct fp_reading *in, const char *path)
{
  struct fp_rule *rule = in->rule;
  FILE *file = fopen(path, "rb");
  size_t room = 0;
  size_t got;
  unsigned char *more;

  if(!file) {
    return fp_bad(in, "file", "cannot read \"%s\": %s", path, strerror(errno));
  }
  do {
    if(room - rule->bytes_size < 65536) {
      room = room * 2 + 65536;
      more = realloc(rule->bytes, room);
      if(!more) {
        fclose(file);
        return fp_bad(in, "file", "out of memory");
      }
      rule->bytes = more;
    }
    got = fread(rule->bytes + rule->bytes_size, 1, room - rule->bytes_size,
                file);
    rule->bytes_size += got;
  } while(got);
  fclose(file);
  return true;
}

static bool fp_read_value(const struct fp_reading *in, enum fp_key key,
                          const char *value)
{
  struct fp_rule *rule = in->rule;
  const char *name = fp_keys[key];
  unsigned word = 0;
  uint64_t number = 0;
  bool good = true;

  switch(key) {
  case FP_KEY_CONNECTION:
    return fp_read_set(in, name, value, &rule->connection);
  case FP_KEY_REQUEST:
    return fp_read_set(in, name, value, &rule->request);
  case FP_KEY_NTH:
    return fp_read_set(in, name, value, &rule->nth);
  case FP_KEY_HIT:
    return fp_read_set(in, name, value, &rule->hit);
  case FP_KEY_METHOD:
    rule->method = value;
    return true;
  case FP_KEY_PATH:
    rule->path = value;
    return true;
  case FP_KEY_TIMES:
    return fp_read_number(in, name, value, 1, UINT64_MAX, &rule->times);
  case FP_KEY_PROBABILITY:
    return fp_read_probability(in, value);
  case FP_KEY_WHEN:
    good = fp_read_word(in, name, value, fp_whens, &word);
    rule->when = (enum fp_when)word;
    return good;
  case FP_KEY_AT:
    return fp_read_at(in, value);
  case FP_KEY_DO:
    good = fp_read_word(in, name, value, fp_dos, &word);
    rule->what = (enum fp_do)word;
    return good;
  case FP_KEY_MS:
    if(strcmp(value, "forever") == 0) {
      rule->ms = FP_FOR_EVER;
      return true;
    }
    return fp_read_number(in, name, value, 0, 86400000, &rule->ms);
  case FP_KEY_BYTES:
    return fp_read_number(in, name, value, 1, 65536, &rule->drip_bytes);
  case FP_KEY_XOR:
    good = fp_read_number(in, name, value, 1, 255, &number);
    rule->flip_bits = (unsigned char)number;
    return good;
  case FP_KEY_THEN:
    good = fp_read_word(in, name, value, fp_thens, &word);
    rule->then = word == 0 ? FP_DO_NONE : word == 1 ? FP_DO_CUT : FP_DO_RESET;
    return good;
  case FP_KEY_FILE:
    return fp_read_file(in, value);
  default:
    return fp_read_text(in, value);
  }
}

#define FP_BIT(key) ((uint64_t)1 << (key))

/* Keys that only some values of `do` understand. */
static bool fp_check_do(const struct fp_reading *in)
{
  static const struct {
    enum fp_key key;
    unsigned dos;
  } wants[] = {
    { FP_KEY_MS, 1U << FP_DO_STALL | 1U << FP_DO_DRIP | 1U << FP_DO_REFUSE |
                     1U << FP_DO_DOWN },
    { FP_KEY_BYTES, 1U << FP_DO_DRIP },
    { FP_KEY_XOR, 1U << FP_DO_FLIP },
    { FP_KEY_THEN, 1U << FP_DO_REPLACE | 1U << FP_DO_ANSWER },
    { FP_KEY_FILE, 1U << FP_DO_REPLACE | 1U << FP_DO_ANSWER },
    { FP_KEY_TEXT, 1U << FP_DO_REPLACE | 1U << FP_DO_ANSWER },
  };
  const struct fp_rule *rule = in->rule;
  uint64_t both = FP_BIT(FP_KEY_FILE) | FP_BIT(FP_KEY_TEXT);
  size_t i;

  for(i = 0; i < sizeof wants / sizeof wants[0]; i++) {
    if((rule->given & FP_BIT(wants[i].key)) &&
       !(wants[i].dos & 1U << rule->what)) {
      return fp_bad(in, fp_keys[wants[i].key], "does not go with do=%s",
                    fp_do_name(rule->what));
    }
  }
  if(rule->what == FP_DO_DRIP &&
     (!(rule->given & FP_BIT(FP_KEY_MS)) || rule->ms == FP_FOR_EVER)) {
    return fp_bad(in, "ms", "do=drip wants the pause between bytes");
  }
  if((rule->what == FP_DO_REPLACE || rule->what == FP_DO_ANSWER) &&
     (!(rule->given & both) || (rule->given & both) == both)) {
    return fp_bad(in, "text", "do=%s wants either text or file",
                  fp_do_name(rule->what));
  }
  return true;
}

/* Keys that only some values of `when` understand, and the reverse. */
static bool fp_check_when(const struct fp_reading *in)
{
  static const enum fp_key of_request[] = { FP_KEY_REQUEST, FP_KEY_NTH,
                                            FP_KEY_METHOD, FP_KEY_PATH };
  struct fp_rule *rule = in->rule;
  const char *when = fp_whens[rule->when];
  bool in_message =
      rule->when == FP_WHEN_REQUEST || rule->when == FP_WHEN_REPLY;
  size_t i;

  for(i = 0; !in_message && i < sizeof of_request / sizeof of_request[0];
      i++) {
    if(rule->given & FP_BIT(of_request[i])) {
      return fp_bad(in, fp_keys[of_request[i]],
                    "does not go with when=%s, which knows no requests", when);
    }
  }
  if((rule->given & FP_BIT(FP_KEY_AT)) && rule->when == FP_WHEN_ACCEPT) {
    return fp_bad(in, "at", "does not go with when=accept");
  }
  if(!in_message && (rule->at == FP_AT_BODY || rule->at == FP_AT_END)) {
    return fp_bad(in, "at", "when=%s knows byte numbers only", when);
  }
  if(rule->what == FP_DO_ANSWER &&
     (rule->when != FP_WHEN_REQUEST || rule->given & FP_BIT(FP_KEY_AT))) {
    return fp_bad(in, "do", "answer goes with when=request and without at");
  }
  if(rule->what == FP_DO_REPLACE && rule->when != FP_WHEN_REPLY) {
    return fp_bad(in, "do", "replace goes with when=reply only");
  }
  if((rule->what == FP_DO_DRIP || rule->what == FP_DO_FLIP) &&
     (rule->when == FP_WHEN_ACCEPT || rule->at == FP_AT_END)) {
    return fp_bad(in, "do", "%s needs bytes behind it",
                  fp_do_name(rule->what));
  }
  return true;
}

static bool fp_read_pair(const struct fp_reading *in, char *pair)
{
  char *value = strchr(pair, '=');
  unsigned key;

  if(!value) {
    return fp_bad(in, *pair ? pair : "(empty)", "wants key=value");
  }
  *value++ = '\0';
  if(!fp_read_word(in, pair, pair, fp_keys, &key)) {
    return fp_bad(in, pair, "no such key; --help lists them");
  }
  if(in->rule->given & FP_BIT(key)) {
    return fp_bad(in, pair, "given twice");
  }
  if(!*value && key != FP_KEY_TEXT) {
    return fp_bad(in, pair, "has no value");
  }
  in->rule->given |= FP_BIT(key);
  return fp_read_value(in, (enum fp_key)key, value);
}

static bool fp_read_rule(const struct fp_reading *in)
{
  struct fp_rule *rule = in->rule;
  char *pair = rule->copy;
  char *comma;

  while(pair) {
    /* A text runs to the end of the rule, so it may hold commas. */
    comma = strncmp(pair, "text=", 5) == 0 ? NULL : strchr(pair, ',');
    if(comma) {
      *comma++ = '\0';
    }
    if(!fp_read_pair(in, pair)) {
      return false;
    }
    pair = comma;
  }
  if(rule->what == FP_DO_NONE) {
    return fp_bad(in, "do", "missing: what shall go wrong?");
  }
  if(rule->what == FP_DO_ANSWER && rule->when == FP_WHEN_NONE) {
    rule->when = FP_WHEN_REQUEST;
  }
  if(rule->when == FP_WHEN_NONE) {
    return fp_bad(in, "when",
                  "missing: accept, request, reply, to-server or"
                  " to-client");
  }
  return fp_check_do(in) && fp_check_when(in);
}

bool fp_rules_add(struct fp_rules *rules, const char *text, char *err,
                  size_t err_size)
{
  struct fp_rule *rule = &rules->rule[rules->count];
  struct fp_reading in = { rule, err, err_size };

  if(rules->count == FP_RULES_MAX) {
    snprintf(err, err_size, "rule \"%s\": more than %d rules", text,
             FP_RULES_MAX);
    return false;
  }
  memset(rule, 0, sizeof *rule);
  rules->count++;
  rule->text = text;
  rule->probability = 1;
  rule->times = UINT64_MAX;
  rule->ms = FP_FOR_EVER;
  rule->drip_bytes = 1;
  rule->flip_bits = 0xff;
  rule->copy = strdup(text);
  if(!rule->copy) {
    return fp_bad(&in, "(all)", "out of memory");
  }
  return fp_read_rule(&in);
}

void fp_rules_clear(struct fp_rules *rules)
{
  size_t i;

  for(i = 0; i < rules->count; i++) {
    free(rules->rule[i].copy);
    free(rules->rule[i].bytes);
  }
  rules->count = 0;
}
