/* The engine's write gate, without sockets: what may be submitted, and that a
   gate once shut stays shut. The recorder stands before it in every script, so
   only here is it met itself. */
#include "check.h"
#include "wire/endpoint.h"
#include "wire/engine.h"

static struct ca_engine *engine;
static struct ca_endpoint *endpoint;

static void never(void *owner, uint64_t token, struct ca_result *result)
{
  (void)owner;
  (void)token;
  (void)result;
  CHECK(false); /* nothing is stepped, so nothing can end */
}

static void set_up(enum ca_gate gate)
{
  struct ca_endpoint_options options = { 0 };
  struct ca_err err;
  options.base_url = "http://127.0.0.1:9";
  options.api_key = "ak_unit_engine";
  endpoint = ca_endpoint_new(&options, &err);
  engine = ca_engine_new(ca_clock_system(), NULL, &err);
  CHECK(endpoint && engine);
  CHECK_INT(ca_engine_set_gate(engine, gate, &err), CA_OK);
}

static void tear_down(void)
{
  ca_engine_free(engine);
  ca_endpoint_free(endpoint);
}

static enum ca_code submit(const struct ca_api *api, bool recorded)
{
  struct ca_request request;
  struct ca_err err;
  uint64_t op;
  enum ca_code code =
      ca_request_restore(&request, api, "ca_unit", NULL, NULL, &err);
  CHECK_INT(code, CA_OK);
  if(recorded)
    code = ca_engine_submit_recorded(engine, endpoint, &request, 0, never,
                                     NULL, 0, &op, &err);
  else
    code = ca_engine_submit(engine, endpoint, &request, 0, never, NULL, 0, &op,
                            &err);
  ca_request_clear(&request);
  return code;
}

/* Every row of the table at one gate. */
static void check_rows(enum ca_gate gate, enum ca_code plain,
                       enum ca_code recorded)
{
  size_t count;
  size_t i;
  const struct ca_api *rows = ca_api_rows(&count);
  set_up(gate);
  for(i = 0; i < count; i++) {
    bool mutates = ca_api_mutates(&rows[i]);
    CHECK_INT(submit(&rows[i], false), mutates ? plain : CA_OK);
    if(mutates)
      CHECK_INT(submit(&rows[i], true), recorded);
  }
  CHECK_INT(ca_engine_attempts(engine), 0);
  tear_down();
}

static void open_gate(void)
{
  check_rows(CA_GATE_OPEN, CA_OK, CA_OK);
}

static void ledger_gate(void)
{
  check_rows(CA_GATE_LEDGER, CA_GATE, CA_OK);
}

static void shut_gate(void)
{
  check_rows(CA_GATE_SHUT, CA_GATE, CA_GATE);
}

static void never_loosened(void)
{
  struct ca_err err;
  set_up(CA_GATE_LEDGER);
  CHECK_INT(ca_engine_set_gate(engine, CA_GATE_OPEN, &err), CA_GATE);
  CHECK_INT(ca_engine_set_gate(engine, CA_GATE_SHUT, &err), CA_OK);
  CHECK_INT(ca_engine_set_gate(engine, CA_GATE_LEDGER, &err), CA_GATE);
  tear_down();
}

int main(void)
{
  check_case("an open gate lets all pass", open_gate);
  check_case("the ledger's gate lets pass what is recorded", ledger_gate);
  check_case("a shut gate lets no change pass", shut_gate);
  check_case("a gate is never loosened", never_loosened);
  return check_end();
}
