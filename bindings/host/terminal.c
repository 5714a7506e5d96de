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

/* left_out: it may be left out under -q. */
static void put_line(struct host *host, bool left_out, enum ca_log_level level,
                     const char *prefix, const char *fmt, va_list args)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  vsnprintf(raw, sizeof(raw), fmt, args);
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  ca_log_event(&host->log, level, "message", "%s", clean);
  host_terminal_clear_progress(host);
  if(host->options.quiet && left_out)
    return;
  if(host->options.quiet && !host->released) {
    ca_held_add(&host->reported, prefix, strlen(prefix));
    ca_held_add(&host->reported, clean, strlen(clean));
    ca_held_add(&host->reported, "\n", 1);
  } else {
    (void)fprintf(stderr, "%s%s\n", prefix, clean);
  }
}

static void print_held(struct ca_held *held, FILE *to)
{
  struct ca_buf text;
  ca_buf_init(&text, 3 * (size_t)CA_HELD_SIZE);
  if(!ca_held_text(held, &text))
    (void)fwrite(ca_buf_text(&text), 1, text.len, to);
  ca_buf_clear(&text);
  ca_held_reset(held);
}

void host_terminal_release(struct host *host, int code)
{
  host->released = true;
  if(!code)
    return;
  print_held(&host->printed, stdout);
  (void)fflush(stdout);
  print_held(&host->reported, stderr);
}

void host_terminal_print(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, true, CA_LOG_INFO, "", fmt, args);
  va_end(args);
}

void host_terminal_complain(struct host *host, const char *fmt, ...)
{
  va_list args;
  va_start(args, fmt);
  put_line(host, false, CA_LOG_WARN, "composio-lua: ", fmt, args);
  va_end(args);
}

void host_terminal_complain_now(struct host *host, const char *fmt, ...)
{
  bool released = host->released;
  va_list args;
  host->released = true;
  va_start(args, fmt);
  put_line(host, false, CA_LOG_WARN, "composio-lua: ", fmt, args);
  va_end(args);
  host->released = released;
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
  put_line(host, false, CA_LOG_INFO, "", fmt, args);
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
