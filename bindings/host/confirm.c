/* What a run needs from people besides its options: the files of --protect,
   the number that confirms irreversible changes, the secrets of its script.
   Must not know: curl, what the changes are. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/secret.h"
#include "host/host.h"
#include "module/client.h"

#define ANSWER_SIZE 64
#define POLL_MS     100
#define SECRET_SIZE 4096

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

/* Reads one byte from the terminal. Returns false at its end and after a
   signal. */
static bool read_byte(const struct host *host, char *out)
{
  for(;;) {
    struct pollfd wanted = { STDIN_FILENO, POLLIN, 0 };
    int ready = poll(&wanted, 1, POLL_MS);
    ssize_t got;
    if(host_is_cut(host) || (ready < 0 && errno != EINTR))
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
  if(host_is_cut(host))
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
  if(host_is_cut(host))
    return ca_err_set(err, CA_CANCELLED, "interrupted before the answer");
  return ca_err_set(err, CA_USAGE,
                    "refused: %s is irreversible and was not confirmed", what);
}

/* ---- secrets, for secret.lua ---- */

/* Adds the rest of the line to `out`, without its end. */
static bool read_secret(const struct host *host, struct ca_buf *out)
{
  char byte;
  while(read_byte(host, &byte)) {
    if(byte == '\n' || byte == '\r')
      return out->len > 0;
    if(ca_buf_add(out, &byte, 1))
      return false; /* the line is too long */
  }
  return false;
}

/* Asks for a secret on the terminal, which does not show what is typed, and
   adds it to `out`. Returns false if there is no terminal, or if nothing was
   typed. */
static bool ask_secret(struct host *host, const char *question,
                       struct ca_buf *out)
{
  struct termios before;
  struct termios silent;
  bool good;
  if(!can_ask(host) || tcgetattr(STDIN_FILENO, &before))
    return false;
  silent = before;
  silent.c_lflag &= ~(tcflag_t)ECHO;
  if(tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent))
    return false;
  host_terminal_prompt(host, question);
  good = read_secret(host, out);
  (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  (void)fputc('\n', stderr);
  return good;
}

/* Pushes a secret, which is masked in all output from now on, and wipes it. */
static void push_secret(lua_State *L, struct ca_buf *secret)
{
  ca_secret_add_lasting(secret->data, secret->len);
  lua_pushlstring(L, secret->data, secret->len);
  ca_buf_wipe(secret);
}

/* secret_file(path) → the secret in the file and the absolute path, or nil and
   why it cannot be taken. */
static int secret_file(lua_State *L)
{
  const struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  const char *path = luaL_checkstring(L, 1);
  struct ca_buf secret;
  struct ca_err err;
  ca_err_clear(&err);
  if(lca_client_read_key(path, &secret, &err)) {
    ca_buf_wipe(&secret);
    lua_pushnil(L);
    lua_pushstring(L, err.text);
    return 2;
  }
  push_secret(L, &secret);
  if(*path == '/')
    lua_pushvalue(L, 1);
  else
    lua_pushfstring(L, "%s/%s", host->cwd, path);
  return 2;
}

/* secret_variable(name) → its value, or nil if it is not set or empty. Wipes
   it from the environment. */
static int secret_variable(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  char *value = getenv(name);
  size_t len = value ? strlen(value) : 0;
  if(!len)
    return 0;
  ca_secret_add_lasting(value, len);
  lua_pushlstring(L, value, len);
  ca_buf_wipe_memory(value, len); /* also in /proc/self/environ */
  unsetenv(name);
  return 1;
}

/* secret_typed(question) → what was typed on the terminal, or nil if there is
   no terminal or nothing was typed. */
static int secret_typed(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  struct ca_buf secret;
  ca_buf_init(&secret, SECRET_SIZE);
  if(!ask_secret(host, luaL_checkstring(L, 1), &secret)) {
    ca_buf_wipe(&secret);
    return 0;
  }
  push_secret(L, &secret);
  return 1;
}

/* fingerprint(text) → the salted fingerprint of a secret text. The salt is the
   open run's, or before a run begins that of the state directory. */
static int fingerprint(lua_State *L)
{
  struct host *host = lua_touserdata(L, lua_upvalueindex(1));
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  struct ca_ledger *ledger = host->ledger;
  char hex[40];
  enum ca_code code = CA_SYSTEM;
  struct ca_err err;
  ca_err_clear(&err);
  if(!ledger)
    ledger = ca_ledger_open(host->state_dir, host->clock, &err);
  if(ledger)
    code = ca_run_fingerprint(ledger, text, len, hex, sizeof(hex), &err);
  if(ledger != host->ledger)
    ca_ledger_close(ledger);
  if(code)
    return luaL_error(L, "%s", err.text);
  lua_pushstring(L, hex);
  return 1;
}

void host_confirm_add_secrets(lua_State *L, struct host *host)
{
  static const luaL_Reg functions[] = { { "secret_file", secret_file },
                                        { "secret_variable", secret_variable },
                                        { "secret_typed", secret_typed },
                                        { "fingerprint", fingerprint },
                                        { NULL, NULL } };
  lua_pushlightuserdata(L, host);
  luaL_setfuncs(L, functions, 1);
}
