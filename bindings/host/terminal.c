/* Prints for people: lines and the progress line. Everything goes to stderr,
   with control bytes escaped and secrets masked. A failed write is ignored.
   Must not know: curl, Lua values. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "host/host.h"
#include "base/secret.h"
#include "base/text.h"

#define LINE_SIZE 1600

/* ---- lines ---- */

static void put_line(struct host *host, const char *prefix, const char *fmt,
                     va_list args)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  vsnprintf(raw, sizeof(raw), fmt, args);
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  host_terminal_clear_progress(host);
  (void)fprintf(stderr, "%s%s\n", prefix, clean);
}

void host_terminal_print(struct host *host, const char *fmt, ...)
{
  va_list args;
  if(host->options.quiet)
    return;
  va_start(args, fmt);
  put_line(host, "", fmt, args);
  va_end(args);
}

void host_terminal_complain(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, "composio-lua: ", fmt, args);
  va_end(args);
}

void host_terminal_prompt(struct host *host, const char *text)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  ca_text_copy(raw, sizeof(raw), text);
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  host_terminal_clear_progress(host);
  (void)fputs(clean, stderr);
  (void)fflush(stderr);
}

void host_terminal_print_always(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, "", fmt, args);
  va_end(args);
}

/* ---- progress ---- */

static bool wants_progress(const struct host *host)
{
  if(host->options.progress == HOST_NEVER || host->options.quiet)
    return false;
  return host->options.progress == HOST_ALWAYS || isatty(STDERR_FILENO);
}

void host_terminal_clear_progress(struct host *host)
{
  if(!host->progress_shown)
    return;
  host->progress_shown = false;
  (void)fputs("\r\033[K", stderr);
}

static void draw_apply(const struct lca_run_stats *stats)
{
  char bar[21] = "                    ";
  int64_t total = stats->to_apply ? stats->to_apply : 1;
  int64_t filled = stats->ended * 20 / total;
  memset(bar, '#', (size_t)(filled > 20 ? 20 : filled));
  (void)fprintf(stderr,
                "\r\033[K[%s] %lld/%lld  done %lld  failed %lld  unknown %lld",
                bar, (long long)stats->ended, (long long)stats->to_apply,
                (long long)stats->outcomes[CA_DONE],
                (long long)stats->outcomes[CA_FAILED],
                (long long)stats->outcomes[CA_UNKNOWN]);
}

void host_terminal_show_progress(struct host *host)
{
  const struct lca_run_stats *stats;
  int64_t now_ms;
  if(!wants_progress(host))
    return;
  stats = lca_run_stats(host->L);
  if(!stats->planning && !stats->applying)
    return;
  now_ms = ca_clock_mono_ms(host->clock);
  if(now_ms - host->progress_ms < 100)
    return;
  host->progress_ms = now_ms;
  if(stats->applying)
    draw_apply(stats);
  else
    (void)fprintf(stderr, "\r\033[Klooked at %lld, %lld changes planned",
                  (long long)stats->selected, (long long)stats->planned);
  (void)fflush(stderr);
  host->progress_shown = true;
}
