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

/* Returns the days from 1970-01-01 to a date in the proleptic Gregorian
   calendar. Years begin in March here, so that the leap day is the last of its
   year. */
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

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
  int64_t z = days + 719468;
  int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  *day = (int)(doy - (153 * mp + 2) / 5 + 1);
  *month = (int)(mp < 10 ? mp + 3 : mp - 9);
  *year = yoe + era * 400 + (*month <= 2);
}

void ca_clock_format(int64_t wall_ms, char *out, size_t size)
{
  const int64_t day_ms = 86400000;
  int64_t days = wall_ms / day_ms;
  int64_t rest = wall_ms % day_ms;
  int64_t year;
  int month;
  int day;

  if(rest < 0) {
    rest += day_ms;
    days--;
  }
  date_of(days, &year, &month, &day);
  snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year, month,
           day, (int)(rest / 3600000), (int)(rest / 60000 % 60),
           (int)(rest / 1000 % 60), (int)(rest % 1000));
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

bool ca_clock_parse(const char *text, int64_t *wall_ms)
{
  static const int month_days[] = { 31, 29, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31 };
  int year;
  int month;
  int day;
  int hour;
  int minute;
  int second;
  int ms;
  int offset;
  bool leap;

  text = digits(text, 4, &year);
  if(!text || *text != '-' || !(text = digits(text + 1, 2, &month)) ||
     *text != '-' || !(text = digits(text + 1, 2, &day)) ||
     (*text != 'T' && *text != ' ') || !(text = digits(text + 1, 2, &hour)) ||
     *text != ':' || !(text = digits(text + 1, 2, &minute)) || *text != ':' ||
     !(text = digits(text + 1, 2, &second)) || !(text = fraction(text, &ms)) ||
     !zone(text, &offset))
    return false;
  if(month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
     hour > 23 || minute > 59 || second > 60)
    return false;
  leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if(month == 2 && day == 29 && !leap)
    return false;
  *wall_ms = days_of(year, month, day) * 86400000 +
             ((int64_t)hour * 60 + minute - offset) * 60000 +
             (int64_t)second * 1000 + ms;
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
