/* Plans two bulks, of which one stands, applies its 200 changes and writes a
   line at each step, as "SEND id" at each moment the engine would be handed a
   request; intent_order.sh watches the system calls.
   Must not know: who watches. */
#include <fcntl.h>
#include "apply/apply.h"
#include "check.h"
#include "scratch.h"

#define CHANGES 200
#define DRAFTED 3000 /* of the other bulk: several commits */

struct op {
  struct ca_apply *apply;
  ca_done_fn *done;
  void *owner;
  uint64_t token;
};

static struct op ops[CHANGES];
static size_t op_count;
static int line; /* where SEND lines go */

enum ca_code ca_engine_submit_recorded(struct ca_engine *engine,
                                       struct ca_endpoint *endpoint,
                                       struct ca_request *request,
                                       int64_t start_by_ms, ca_done_fn *done,
                                       void *owner, uint64_t token,
                                       uint64_t *op, struct ca_err *err)
{
  char text[64];
  int len = snprintf(text, sizeof(text), "SEND %s\n", request->id);

  (void)engine;
  (void)endpoint;
  (void)start_by_ms;
  if(op_count == CHANGES || write(line, text, (size_t)len) != len)
    return ca_err_set(err, CA_SYSTEM, "too many sends");
  ca_request_clear(request);
  ops[op_count].done = done;
  ops[op_count].owner = owner;
  ops[op_count].token = token;
  *op = ++op_count;
  return CA_OK;
}

/* Reversible changes of a fresh plan are not looked at before. */
enum ca_code ca_engine_submit(struct ca_engine *engine,
                              struct ca_endpoint *endpoint,
                              struct ca_request *request, int64_t start_by_ms,
                              ca_done_fn *done, void *owner, uint64_t token,
                              uint64_t *op, struct ca_err *err)
{
  (void)engine;
  (void)endpoint;
  (void)request;
  (void)start_by_ms;
  (void)done;
  (void)owner;
  (void)token;
  (void)op;
  return ca_err_set(err, CA_USAGE, "nothing is read here");
}

bool ca_engine_cancel(struct ca_engine *engine, uint64_t op,
                      bool *may_have_left)
{
  (void)engine;
  (void)op;
  *may_have_left = true;
  return true;
}

const struct ca_clock *ca_engine_clock(const struct ca_engine *engine)
{
  (void)engine;
  return ca_clock_system();
}

static void ended(void *owner, const struct ca_applied *applied)
{
  *(int *)owner += applied->outcome == CA_DONE;
}

static void must(enum ca_code code, const struct ca_err *err)
{
  if(code) {
    printf("%s\n", err->text);
    exit(1);
  }
}

static void say(const char *text)
{
  if(write(line, text, strlen(text)) != (ssize_t)strlen(text))
    exit(1);
}

static void draft(struct ca_ledger *ledger, int bulk, int count,
                  struct ca_err *err)
{
  struct ca_change change = { .api = ca_api_find("connected_accounts",
                                                 "disable") };
  char text[96];
  int64_t item, number;
  int i;

  for(i = 0; i < count; i++) {
    struct ca_item row = { .bulk = bulk, .key = text, .account = text };
    snprintf(text, sizeof(text), "ca_%d", i);
    change.account = text;
    must(ca_plan_rows_add_item(ledger, &row, &item, err), err);
    must(ca_plan_rows_add_change(ledger, item, &change, &number, err), err);
  }
}

static void plan(struct ca_ledger *ledger, struct ca_err *err)
{
  struct ca_run_info info = { .script = "order.lua", .mode = "apply" };
  struct ca_bulk bulk = { .number = 1, .selected = CHANGES };
  char text[96];

  must(ca_run_begin(ledger, &info, text, sizeof(text), err), err);
  say("DRAFT\n");
  draft(ledger, 1, CHANGES, err);
  draft(ledger, 2, DRAFTED, err);
  say("DRAFTED\n");
  must(ca_plan_rows_seal(ledger, &bulk, err), err);
  say("STOOD\n");
}

int main(int argc, char **argv)
{
  struct ca_err err;
  struct ca_ledger *ledger;
  struct ca_apply *apply;
  struct ca_apply_options options = { .bulk = 1, .concurrency = 8 };
  struct ca_result result;
  size_t next = 0;
  int done = 0;
  int place;

  if(argc != 2)
    return 2;
  line = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  scratch_make();
  ledger = ca_ledger_open(scratch_dir, ca_clock_system(), &err);
  if(line < 0 || !ledger)
    return 2;
  plan(ledger, &err);
  apply = ca_apply_new((struct ca_engine *)(void *)&place,
                       (struct ca_endpoint *)(void *)&place, ledger, &err);
  if(!apply)
    return 2;
  options.seen_ms = ca_clock_mono_ms(ca_clock_system());
  must(ca_apply_start(apply, &options, ended, &done, &err), &err);
  must(ca_apply_fill(apply, &err), &err);
  while(!ca_apply_finished(apply) && next < op_count) {
    struct op *op = &ops[next++];
    memset(&result, 0, sizeof(result));
    ca_buf_init(&result.body, 0);
    result.status = 204;
    op->done(op->owner, op->token, &result);
    must(ca_apply_fill(apply, &err), &err);
  }
  ca_apply_free(apply);
  ca_ledger_close(ledger);
  scratch_remove();
  close(line);
  printf("%d changes done\n", done);
  return done == CHANGES ? 0 : 1;
}
