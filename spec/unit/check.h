/* The smallest test harness that names what failed: cases are functions, a
   case fails when one of its checks does, the last line counts.
   Knows nothing of what is tested. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_passed;
static int check_failed;
static bool check_case_failed;

/* Goes on after a failure, so that one run shows all of a case. */
#define CHECK(condition) \
  check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(got, want) \
  check_int((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
#define CHECK_TEXT(got, want) \
  check_text((got), (want), #got, __FILE__, __LINE__)
/* The text holds the words; for messages to people. */
#define CHECK_HOLDS(text, words) \
  check_holds((text), (words), #text, __FILE__, __LINE__)

static inline bool check_that(bool fine, const char *what, const char *file,
                              int line)
{
  if(!fine) {
    check_case_failed = true;
    printf("  %s:%d: not so: %s\n", file, line, what);
  }
  return fine;
}

static inline bool check_int(int64_t got, int64_t want, const char *what,
                             const char *file, int line)
{
  if(got != want) {
    check_case_failed = true;
    printf("  %s:%d: %s is %lld, not %lld\n", file, line, what, (long long)got,
           (long long)want);
  }
  return got == want;
}

static inline bool check_text(const char *got, const char *want,
                              const char *what, const char *file, int line)
{
  bool same = got && want ? !strcmp(got, want) : got == want;
  if(!same) {
    check_case_failed = true;
    printf("  %s:%d: %s is \"%.600s\", not \"%.600s\"\n", file, line, what,
           got ? got : "(null)", want ? want : "(null)");
  }
  return same;
}

static inline bool check_holds(const char *text, const char *words,
                               const char *what, const char *file, int line)
{
  bool holds = text && strstr(text, words);
  if(!holds) {
    check_case_failed = true;
    printf("  %s:%d: %s is \"%.600s\", without \"%s\"\n", file, line, what,
           text ? text : "(null)", words);
  }
  return holds;
}

/* Runs one case and says when it failed. */
static inline void check_case(const char *name, void (*run)(void))
{
  check_case_failed = false;
  run();
  if(check_case_failed) {
    check_failed++;
    printf("FAILED: %s\n", name);
  } else
    check_passed++;
  fflush(stdout); /* before a case forks, and before one crashes */
}

/* What main returns: 0 only when cases ran and none failed. */
static inline int check_end(void)
{
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed || !check_passed;
}

#endif
