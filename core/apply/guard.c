/* The limits of a run: how much it may change.
   Must not know: what is changed, who asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/guard.h"
#include "base/text.h"

#define NO_PERCENT 100 /* no limit from this value on */

static enum ca_code check_count(const struct ca_limits *limits,
                                const struct ca_planned *planned,
                                struct ca_err *err)
{
  char changes[32], most[32];

  if(planned->changes <= limits->max_changes)
    return CA_OK;
  return ca_err_set(err, CA_USAGE,
                    "refused: %s change%s more than --max-changes %s",
                    ca_text_number(planned->changes, changes),
                    planned->changes == 1 ? " is" : "s are",
                    ca_text_number(limits->max_changes, most));
}

/* Tolerance for binary floating point: 4.35 % of 2,000 must come out as 87. */
#define NEARLY 1e-12

/* Is count more than percent of all? */
static bool is_above(int64_t count, double percent, int64_t all)
{
  double limit = percent * (double)all;

  return !((double)count * 100 - limit <= limit * NEARLY);
}

/* Formats "40.6", with more digits where it would look equal to the limit. */
static const char *percent_text(double percent, double limit, char out[32])
{
  snprintf(out, 32, "%.1f", percent);
  if(strtod(out, NULL) <= limit)
    snprintf(out, 32, "%.6g", percent);
  return out;
}

static enum ca_code check_percent(const struct ca_limits *limits,
                                  const struct ca_planned *planned,
                                  struct ca_err *err)
{
  char changes[32], project[32], share[32];
  double percent;

  if(limits->max_percent >= NO_PERCENT || !planned->changes)
    return CA_OK;
  if(planned->project < 0)
    return ca_err_set(err, CA_USAGE,
                      "refused: the number of accounts in the project is not "
                      "known, so --max-percent %g cannot be checked; "
                      "--max-percent 100 skips this check",
                      limits->max_percent);
  if(!is_above(planned->changes, limits->max_percent, planned->project))
    return CA_OK;
  ca_text_number(planned->changes, changes);
  ca_text_number(planned->project, project);
  if(!planned->project)
    return ca_err_set(err, CA_USAGE,
                      "refused: %s change%s planned although the project has "
                      "no accounts, more than --max-percent %g",
                      changes, planned->changes == 1 ? " is" : "s are",
                      limits->max_percent);
  percent = (double)planned->changes * 100 / (double)planned->project;
  return ca_err_set(err, CA_USAGE,
                    "refused: %s change%s %s %% of the project's %s "
                    "account%s, more than --max-percent %g",
                    changes, planned->changes == 1 ? " is" : "s are",
                    percent_text(percent, limits->max_percent, share), project,
                    planned->project == 1 ? "" : "s", limits->max_percent);
}

enum ca_code ca_guard_check(const struct ca_limits *limits,
                            const struct ca_planned *planned,
                            struct ca_err *err)
{
  enum ca_code code = check_count(limits, planned, err);
  char deletes[32];

  if(!code)
    code = check_percent(limits, planned, err);
  if(code || limits->delete_active || !planned->active_deletes)
    return code;
  return ca_err_set(err, CA_USAGE,
                    "refused: %s ACTIVE account%s would be deleted; "
                    "--delete-active allows it",
                    ca_text_number(planned->active_deletes, deletes),
                    planned->active_deletes == 1 ? "" : "s");
}

/* ---- --stop-on ---- */

bool ca_guard_limit_read(const char *text, struct ca_stop_limit *limit)
{
  size_t len = text ? strspn(text, "0123456789.") : 0;
  char *end;

  memset(limit, 0, sizeof(*limit));
  if(!len || len > 15 || text[0] == '.')
    return false;
  limit->percent = text[len] == '%';
  limit->value = strtod(text, &end);
  if(end != text + len || text[len - 1] == '.' ||
     text[len + (limit->percent ? 1 : 0)])
    return false;
  if(!(limit->value > 0) || (limit->percent && limit->value > 100) ||
     (!limit->percent && memchr(text, '.', len)))
    return false;
  limit->set = true;
  return true;
}

bool ca_guard_limit_reached(const struct ca_stop_limit *limit, int64_t count,
                            int64_t total)
{
  if(!limit->set || count < 1)
    return false;
  if(!limit->percent)
    return (double)count >= limit->value;
  return (double)count * 100 >= limit->value * (double)total * (1 - NEARLY);
}
