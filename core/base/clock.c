/* The system clocks, and times as text.
   Must not know: what is timed. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"

static int64_t read_clock(clockid_t id)
{
  struct timespec now;
  if(clock_gettime(id, &now))
    return 0;
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_mono_ms(void *ctx)
{
  (void)ctx;
  return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(void *ctx)
{
  (void)ctx;
  return read_clock(CLOCK_REALTIME);
}

const struct ca_clock *ca_clock_system(void)
{
  static const struct ca_clock system_clock = { system_mono_ms, system_wall_ms,
                                                NULL };
  return &system_clock;
}

int64_t ca_clock_mono_ms(const struct ca_clock *clock)
{
  return clock->mono_ms(clock->ctx);
}

int64_t ca_clock_wall_ms(const struct ca_clock *clock)
{
  return clock->wall_ms(clock->ctx);
}

void ca_clock_format(int64_t wall_ms, char *out, size_t size)
{
  int ms = (int)(wall_ms % 1000);
  time_t seconds;
  struct tm when = { 0 };

  ms += ms < 0 ? 1000 : 0;
  seconds = (time_t)((wall_ms - ms) / 1000);
  gmtime_r(&seconds, &when);
  snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
           when.tm_year + 1900, when.tm_mon + 1, when.tm_mday, when.tm_hour,
           when.tm_min, when.tm_sec, ms);
}

/* Reads exactly n digits. Returns the rest of the text, or NULL. */
static const char *digits(const char *text, int n, int *out)
{
  int value = 0;
  for(; n; n--, text++) {
    if(*text < '0' || *text > '9')
      return NULL;
    value = value * 10 + (*text - '0');
  }
  *out = value;
  return text;
}

/* Reads ".123", with any number of digits, into *ms. Returns the rest of the
   text. */
static const char *fraction(const char *text, int *ms)
{
  int scale = 100;
  *ms = 0;
  if(*text != '.')
    return text;
  text++;
  if(*text < '0' || *text > '9')
    return NULL;
  for(; *text >= '0' && *text <= '9'; text++) {
    *ms += (*text - '0') * scale;
    scale /= 10;
  }
  return text;
}

/* Reads "Z", "+02:00" or nothing, up to the end of the text. */
static bool zone(const char *text, int *minutes)
{
  int sign;
  int hour;
  int minute;

  *minutes = 0;
  if(!*text)
    return true;
  if(*text == 'Z' || *text == 'z')
    return text[1] == '\0';
  if(*text != '+' && *text != '-')
    return false;
  sign = *text == '-' ? -1 : 1;
  text = digits(text + 1, 2, &hour);
  if(!text || *text != ':')
    return false;
  text = digits(text + 1, 2, &minute);
  if(!text || *text || hour > 23 || minute > 59)
    return false;
  *minutes = sign * (hour * 60 + minute);
  return true;
}

/* Returns the days from 1970-01-01 to a date in the proleptic Gregorian
   calendar; month 13 is the next January. Years begin in March here, so that
   the leap day is the last of its year. timegm is too slow for every account
   of a page. */
static int64_t days_of(int64_t year, int month, int day)
{
  int64_t y = year - (month <= 2);
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year =
      (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

bool ca_clock_parse(const char *text, int64_t *wall_ms)
{
  enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, PARTS };
  static const char ends[] = "--T::";
  int part[PARTS];
  int64_t month_days;
  int ms;
  int offset;
  int i;

  for(i = YEAR; i < PARTS; i++) {
    text = digits(text, i == YEAR ? 4 : 2, &part[i]);
    if(!text)
      return false;
    if(i < SECOND && *text != ends[i] && (i != DAY || *text != ' '))
      return false;
    text += i < SECOND;
  }
  text = fraction(text, &ms);
  if(!text || !zone(text, &offset) || part[MONTH] < 1 || part[MONTH] > 12 ||
     part[HOUR] > 23 || part[MINUTE] > 59 || part[SECOND] > 60)
    return false;
  month_days = days_of(part[YEAR], part[MONTH] + 1, 1) -
               days_of(part[YEAR], part[MONTH], 1);
  if(part[DAY] < 1 || part[DAY] > month_days)
    return false;
  *wall_ms = days_of(part[YEAR], part[MONTH], part[DAY]) * 86400000 +
             ((int64_t)part[HOUR] * 60 + part[MINUTE] - offset) * 60000 +
             (int64_t)part[SECOND] * 1000 + ms;
  return true;
}

bool ca_clock_parse_http(const char *text, int64_t *wall_ms)
{
  struct tm when;
  const char *end;

  memset(&when, 0, sizeof(when));
  end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &when);
  if(!end || *end)
    return false;
  *wall_ms = (int64_t)timegm(&when) * 1000;
  return true;
}
