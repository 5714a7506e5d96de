/* Looking back: the runs there were, and who changed an account. Only reads.
   Must not know: the engine, how changes are made. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/past_private.h"
#include "base/secret.h"
#include "base/text.h"
#include "host/table.h"

#define LINE_SIZE      4096
#define LINE_MAX_BYTES (16u << 20) /* a line of JSON, with a change's body */

/* ---- opening and closing ---- */

/* The key is not needed, but must not be printed either. */
static void hide_key(void)
{
  const char *key = getenv("COMPOSIO_API_KEY");
  if(key)
    ca_secret_add(key, strlen(key));
  host_key_forget();
}

int host_past_open(struct past *past, struct host *host)
{
  struct ca_err err;
  bool found = false;
  memset(past, 0, sizeof(*past));
  past->host = host;
  ca_buf_init(&past->line, LINE_MAX_BYTES);
  ca_err_clear(&err);
  hide_key();
  if(host_state_dir(host->options.state_dir, host->state_dir,
                    sizeof(host->state_dir), &err))
    return host_past_fail(past, &err);
  past->ledger =
      ca_ledger_open_reader(host->state_dir, host->clock, &found, &err);
  if(past->ledger)
    return 0;
  if(found || err.code)
    return host_past_fail(past, &err);
  host_complain(host, "no runs yet in %s", host->state_dir);
  return 0;
}

int host_past_fail(struct past *past, const struct ca_err *err)
{
  host_complain(past->host, "%s", err->text);
  return 2;
}

/* Is what was printed lost because nobody wants it? */
static bool is_closed_pipe(void)
{
  struct pollfd out = { STDOUT_FILENO, 0, 0 };
  return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

int host_past_close(struct past *past, int code)
{
  bool lost = fflush(stdout) != 0 || ferror(stdout);
  int stop = past->host->stop;
  ca_ledger_close(past->ledger);
  ca_buf_clear(&past->line);
  if(past->no_memory) {
    host_complain(past->host, "out of memory");
    return 1;
  }
  if(lost && !is_closed_pipe()) {
    host_complain(past->host, "stdout cannot be written");
    return 1;
  }
  return stop && !code ? 128 + stop : code;
}

bool host_past_unread(const struct past *past)
{
  return past->host->stop || past->no_memory || ferror(stdout);
}

/* ---- lines ---- */

void host_past_say(const char *fmt, ...)
{
  char raw[LINE_SIZE];
  char clean[2 * LINE_SIZE];
  va_list args;
  va_start(args, fmt);
  vsnprintf(raw, sizeof(raw), fmt, args);
  va_end(args);
  ca_secret_mask(raw, strlen(raw));
  ca_text_printable(clean, sizeof(clean), raw, strlen(raw));
  (void)printf("%s\n", clean);
}

void host_past_begin(struct past *past, struct ca_json_write *json)
{
  ca_buf_reset(&past->line);
  ca_json_write_begin(json, &past->line);
}

void host_past_print(struct past *past, struct ca_json_write *json)
{
  struct ca_buf *line = &past->line;
  if(ca_json_write_end(json) || ca_buf_add(line, "\n", 1)) {
    past->no_memory = true;
    return;
  }
  (void)ca_secret_mask(line->data, line->len);
  (void)fputs(line->data, stdout);
}

/* ---- runs ---- */

static const struct host_column run_columns[] = {
  { "run", 0 },  { "state", 11 }, { "what", 7 },  { "changes", 12 },
  { "took", 6 }, { "by", 8 },     { "began", 20 }
};
#define RUN_COLUMNS (sizeof(run_columns) / sizeof(run_columns[0]))

struct run_list {
  struct past *past;
  struct host_table table;
};

static void add_run(struct run_list *list, const struct ca_run_row *run)
{
  struct past *past = list->past;
  int64_t now_ms = ca_clock_wall_ms(past->host->clock);
  bool running = host_past_state(past, run) == PAST_RUNNING;
  char verdict[32];
  char counts[300];
  char took[32] = "-";
  char by[400];
  char began[32];
  const char *texts[RUN_COLUMNS] = {
    run->name, verdict, host_past_kind(&run->info), counts, took, by, began
  };
  host_past_verdict(past, run, verdict, sizeof(verdict));
  host_past_counts(run->changes, counts, sizeof(counts));
  if(run->ended_ms || running)
    host_past_duration((run->ended_ms ? run->ended_ms : now_ms) -
                           run->began_ms,
                       took, sizeof(took));
  host_past_by(run->info.who, run->info.host, by, sizeof(by));
  host_past_time(run->began_ms, began, sizeof(began));
  host_table_add(&list->table, texts);
}

static bool list_run(void *ctx, const struct ca_run_row *run)
{
  struct run_list *list = ctx;
  if(list->past->host->options.json) {
    struct ca_json_write json;
    host_past_begin(list->past, &json);
    host_past_run_json(list->past, &json, run);
    host_past_print(list->past, &json);
  } else {
    add_run(list, run);
  }
  return !host_past_unread(list->past);
}

int host_runs(struct host *host)
{
  struct past past;
  struct run_list list;
  struct ca_err err;
  int code = host_past_open(&past, host);
  ca_err_clear(&err);
  if(past.ledger) {
    list.past = &past;
    host_table_init(&list.table, run_columns, RUN_COLUMNS);
    if(ca_ledger_runs(past.ledger, (size_t)host->options.limit, list_run,
                      &list, &err))
      code = host_past_fail(&past, &err);
    host_table_end(&list.table);
  }
  return host_past_close(&past, code);
}

/* ---- the history of an account ---- */

static const struct host_column history_columns[] = {
  { "when", 0 }, { "operation", 9 }, { "from and to", 17 }, { "outcome", 9 },
  { "why", 8 },  { "by", 6 },        { "line", 8 },         { "run", 12 }
};
#define HISTORY_COLUMNS (sizeof(history_columns) / sizeof(history_columns[0]))

struct history {
  struct past *past;
  struct host_table table;
  int64_t shown;
  int64_t previews; /* left out */
};

static void add_past(struct history *history, const struct ca_past *row)
{
  char when[32];
  char operation[96];
  char move[600];
  char why[1200];
  char by[400];
  const char *texts[HISTORY_COLUMNS] = { when,
                                         operation,
                                         move,
                                         ca_outcome_name(row->row.outcome),
                                         why,
                                         by,
                                         row->row.change.line,
                                         row->run };
  host_past_time(row->at_ms, when, sizeof(when));
  host_past_operation(row->row.change.api, operation, sizeof(operation));
  host_past_move(&row->row, row->alias, move, sizeof(move));
  host_past_why(&row->row, why, sizeof(why));
  host_past_by(row->who, row->host, by, sizeof(by));
  host_table_add(&history->table, texts);
}

static void print_past(struct past *past, const struct ca_past *row)
{
  struct ca_json_write json;
  host_past_begin(past, &json);
  ca_json_write_time(&json, "at", row->at_ms);
  ca_json_write_text(&json, "run", row->run);
  ca_json_write_text(&json, "mode", row->applies ? "apply" : "preview");
  ca_json_write_text(&json, "script", row->script);
  ca_json_write_text(&json, "who", row->who);
  ca_json_write_text(&json, "host", row->host);
  host_past_change_json(&json, &row->row);
  ca_json_write_text(&json, "user", row->user);
  ca_json_write_text(&json, "toolkit", row->toolkit);
  ca_json_write_text(&json, "alias", row->alias);
  host_past_print(past, &json);
}

static bool list_past(void *ctx, const struct ca_past *row)
{
  struct history *history = ctx;
  struct past *past = history->past;
  if(!row->applies && !past->host->options.show_all) {
    history->previews++;
    return true;
  }
  history->shown++;
  if(past->host->options.json)
    print_past(past, row);
  else
    add_past(history, row);
  return !host_past_unread(past);
}

/* Nothing on stdout; why. */
static void say_nothing_known(const struct history *history)
{
  struct host *host = history->past->host;
  char count[32];
  if(history->shown || host->options.json)
    return;
  if(history->previews)
    host_say(host,
             "no run has changed %s; %s preview%s would have (--show all)",
             host->options.operand, host_number(history->previews, count),
             history->previews == 1 ? "" : "s");
  else
    host_say(host, "no run in %s has changed %s", host->state_dir,
             host->options.operand);
}

int host_history(struct host *host)
{
  struct past past;
  struct history history;
  struct ca_err err;
  int code = host_past_open(&past, host);
  ca_err_clear(&err);
  memset(&history, 0, sizeof(history));
  if(past.ledger) {
    history.past = &past;
    host_table_init(&history.table, history_columns, HISTORY_COLUMNS);
    if(ca_ledger_history(past.ledger, host->options.operand, list_past,
                         &history, &err))
      code = host_past_fail(&past, &err);
    host_table_end(&history.table);
    if(!code)
      say_nothing_known(&history);
  }
  return host_past_close(&past, code);
}
