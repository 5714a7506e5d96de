/* What people allow a run to change: the files of --protect, and the number
   that confirms irreversible changes. Must not know: curl, what the changes
   are. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "host/host.h"

#define ANSWER_SIZE 64
#define POLL_MS     100

/* ---- --protect ---- */

enum ca_code host_confirm_read_protect(struct host *host, struct ca_err *err)
{
  int i;
  for(i = 0; i < host->options.protect_count; i++) {
    const char *path = host->options.protect[i];
    size_t rows;
    if(host_protect_load(&host->protect, path, &rows, err))
      return err->code;
    if(!rows)
      host_terminal_complain(
          host, "warning: --protect %s lists nothing to protect", path);
  }
  if(host->protect.odd_path)
    host_terminal_complain(host,
                           "warning: %s:%zu has an invisible character, such "
                           "as a no-break space: it protects an id with just "
                           "that character",
                           host->protect.odd_path, host->protect.odd_line);
  return CA_OK;
}

/* ---- the terminal ---- */

static bool can_ask(const struct host *host)
{
  return !host->options.quiet && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

static bool interrupted(const struct host *host)
{
  return host->stop > 0 && host->stop < LCA_STOP_PREVIEW;
}

/* Reads one byte from the terminal. Returns false at its end and after a
   signal. */
static bool read_byte(const struct host *host, char *out)
{
  for(;;) {
    struct pollfd wanted = { STDIN_FILENO, POLLIN, 0 };
    int ready = poll(&wanted, 1, POLL_MS);
    ssize_t got;
    if(interrupted(host) || (ready < 0 && errno != EINTR))
      return false;
    if(ready <= 0)
      continue;
    got = read(STDIN_FILENO, out, 1);
    if(got < 0 && errno == EINTR)
      continue;
    return got == 1;
  }
}

/* Reads a line, without its end and without blanks around it. Returns false,
   and
   "", if the terminal or the run ends before the line does. */
static bool read_answer(const struct host *host, char out[ANSWER_SIZE])
{
  size_t used = 0;
  char byte = 0;
  bool good;
  while((good = read_byte(host, &byte)) && byte != '\n') {
    if(byte == '\r' || (byte == ' ' && !used))
      continue;
    if(used + 1 < ANSWER_SIZE)
      out[used++] = byte ? byte : '?';
  }
  while(used && out[used - 1] == ' ')
    used--;
  out[good ? used : 0] = '\0';
  return good;
}

/* Asks, and returns the whole number that was typed, or -1 for anything else.
   Input from before the question is thrown away: it is not an answer. */
static int64_t ask(struct host *host, const char *question)
{
  char answer[ANSWER_SIZE];
  host_terminal_clear_progress(host);
  (void)tcflush(STDIN_FILENO, TCIFLUSH);
  host_terminal_prompt(host, question);
  if(!read_answer(host, answer))
    (void)fputc('\n', stderr);
  if(!*answer || answer[strspn(answer, "0123456789")] || strlen(answer) > 15)
    return -1;
  return strtoll(answer, NULL, 10);
}

/* ---- texts ---- */

static const char *changes(int64_t count)
{
  return count == 1 ? "irreversible change needs"
                    : "irreversible changes need";
}

/* Writes the numbers that --confirm needs, up to this question. */
static void needed(const struct host *host, int asked, int64_t count,
                   char *out, size_t size)
{
  size_t used = 0;
  int i;
  out[0] = '\0';
  for(i = 0; i < asked && i < host->options.confirm_count; i++) {
    int len = snprintf(out + used, size - used, "%lld,",
                       (long long)host->options.confirm[i]);
    used += len > 0 ? (size_t)len : 0;
    if(used >= size)
      return;
  }
  snprintf(out + used, size - used, "%lld", (long long)count);
}

/* most: a larger number confirms, too. */
static enum ca_code refuse(const struct host *host, int asked, int64_t count,
                           bool most, struct ca_err *err)
{
  char numbers[HOST_CONFIRM_MAX * 8];
  char given[HOST_CONFIRM_MAX * 8] = "";
  int last = host->options.confirm_count - 1;
  needed(host, asked, count, numbers, sizeof(numbers));
  if(last >= 0)
    needed(host, last, host->options.confirm[last], given, sizeof(given));
  return ca_err_set(err, CA_USAGE, "refused: %lld %s --confirm %s%s%s%s%s",
                    (long long)count, changes(count), numbers,
                    most ? " or more" : "", last >= 0 ? " (--confirm " : "",
                    given, last >= 0 ? " was given)" : "");
}

/* ---- plans ---- */

enum ca_code host_confirm(struct host *host, int64_t count, const char *what,
                          struct ca_err *err)
{
  int asked = host->confirm_asked++;
  char question[400];
  if(asked < host->options.confirm_count) {
    if(host->options.confirm[asked] == count)
      return CA_OK;
    return refuse(host, asked, count, false, err);
  }
  if(!can_ask(host))
    return refuse(host, asked, count, false, err);
  snprintf(question, sizeof(question),
           "%lld irreversible change%s (%s). Type %lld to carry %s out: ",
           (long long)count, count == 1 ? "" : "s", what, (long long)count,
           count == 1 ? "it" : "them");
  if(ask(host, question) == count)
    return CA_OK;
  if(interrupted(host))
    return ca_err_set(err, CA_CANCELLED, "interrupted before the answer");
  return ca_err_set(err, CA_USAGE,
                    "refused: %lld irreversible change%s not confirmed",
                    (long long)count, count == 1 ? " was" : "s were");
}

/* ---- straight-line changes ---- */

enum ca_code host_confirm_one(struct host *host, int64_t count,
                              const char *what, struct ca_err *err)
{
  char question[400];
  if(!host->confirm_one_seen) {
    host->confirm_one_seen = true;
    host->confirm_one_place = host->confirm_asked++;
    host->confirm_most = -1;
    if(host->confirm_one_place < host->options.confirm_count)
      host->confirm_most = host->options.confirm[host->confirm_one_place];
  }
  if(count <= host->confirm_most)
    return CA_OK;
  if(host->confirm_one_place < host->options.confirm_count || !can_ask(host))
    return refuse(host, host->confirm_one_place, count, true, err);
  snprintf(question, sizeof(question),
           "%s is irreversible. Type how many irreversible changes the script "
           "may make in all: ",
           what);
  host->confirm_most = ask(host, question);
  if(count <= host->confirm_most)
    return CA_OK;
  if(interrupted(host))
    return ca_err_set(err, CA_CANCELLED, "interrupted before the answer");
  return ca_err_set(err, CA_USAGE,
                    "refused: %s is irreversible and was not confirmed", what);
}
