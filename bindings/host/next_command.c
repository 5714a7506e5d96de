/* The commands that refusals and reports name, as next_command.lua makes them.
   Must not know: curl, which command follows from what. */
#include "host/host.h"
#include "base/text.h"
#include "module/table.h"

static void write_command(struct host *host, const char *function,
                          void (*add)(lua_State *L, const void *from),
                          const void *from, char *out, size_t size)
{
  struct ca_buf text;
  ca_buf_init(&text, 1u << 16);
  (void)host_shipped_call(host, "composio.host.next_command", function, add,
                          from, &text);
  ca_err_copy_text(out, size, ca_buf_text(&text), text.len);
  ca_buf_clear(&text);
}

static void add_run(lua_State *L, const void *from)
{
  const struct ca_run_info *info = from;
  lca_table_set_text(L, "word", info->word);
  lca_table_set_text(L, "undoes", ca_text_or_null(info->undoes));
  lca_table_set_text(L, "redoes", ca_text_or_null(info->redoes));
  lca_table_set_text(L, "cwd", ca_text_or_null(info->cwd));
  lca_table_set_text(L, "params", info->params);
  lca_table_set_text(L, "saved", info->options);
}

void host_next_command_restart(struct host *host,
                               const struct ca_run_info *info, char *out,
                               size_t size)
{
  write_command(host, "restart", add_run, info, out, size);
}

static void add_id(lua_State *L, const void *from)
{
  lca_table_set_text(L, "run", from);
}

void host_next_command_take_up(struct host *host, const char *run, char *out,
                               size_t size)
{
  write_command(host, "take_up_earlier", add_id, run, out, size);
}

void host_next_command_newest(struct host *host, char *out, size_t size)
{
  write_command(host, "take_up_newest", NULL, NULL, out, size);
}

enum ca_code host_next_command_keep_needs(struct host *host,
                                          struct ca_err *err)
{
  struct ca_buf text;
  enum ca_code code;
  ca_buf_init(&text, 1u << 16);
  (void)host_shipped_call(host, "composio.host.next_command", "needs",
                          host_result_add_facts, host, &text);
  code = ca_run_keep_needs(host->ledger, ca_text_or_null(ca_buf_text(&text)),
                           err);
  ca_buf_clear(&text);
  return code;
}
