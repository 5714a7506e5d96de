/* Finds out what became of changes whose outcome is unknown, a few at a time.
   Silence proves nothing: a change that must not be repeated counts as not
   happened only after its request has had time to arrive, since one in the
   socket of a process that died may still be carried out; any other stays
   unknown, and whoever settles may send it again.
   Must not know: Lua, what a script is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply_private.h"
#include "apply/settle.h"
#include "wire/proof.h"

/* The service's clock may differ by this much from one reply to the next. */
#define SLACK_MS 5000
/* An intent may be written this long before its request leaves. */
#define AHEAD_MS     600000
#define FAILURES_MAX 3
/* The shortest quiet time. */
#define QUIET_LEAST_MS 15000

/* One change. The row's texts follow the struct in the same allocation. */
struct ca_probing {
  struct ca_probing *next;
  struct ca_settle *settle;
  uint64_t op; /* 0: none */
  bool sleeps;
  bool final; /* it must not be repeated, or is not to be */
  int64_t asked_mono_ms;
  const struct ca_api *api; /* the probe's operation */
  struct ca_proof_list list;
  struct ca_sent sent;
  struct ca_change_row row;
};

struct ca_settle {
  struct ca_engine *engine; /* borrowed, like the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;
  struct ca_settle_options options;
  ca_settled_fn *visit;
  void *owner;

  struct ca_changes changes; /* cursor over changes of unknown outcome */
  bool read_all;             /* the cursor is at its end */
  struct ca_probing *under_way;
  size_t active;

  int failures;     /* probes that failed in a row */
  const char *dead; /* why no probe is started any more, or NULL */
  bool stopped;
  bool unsynced;
  struct ca_err failed; /* code set once settling cannot continue */
};

struct ca_settle *ca_settle_new(struct ca_engine *engine,
                                struct ca_endpoint *endpoint,
                                struct ca_ledger *ledger,
                                const struct ca_settle_options *options,
                                ca_settled_fn *visit, void *owner,
                                struct ca_err *err)
{
  struct ca_settle *settle = calloc(1, sizeof(*settle));

  if(!settle) {
    ca_err_set(err, CA_NOMEM, "out of memory");
    return NULL;
  }
  settle->engine = engine;
  settle->endpoint = endpoint;
  settle->ledger = ledger;
  settle->options = *options;
  if(settle->options.concurrency < 1)
    settle->options.concurrency = 1;
  settle->visit = visit;
  settle->owner = owner;
  ca_changes_open(&settle->changes, ledger, options->bulk, 1U << CA_UNKNOWN);
  return settle;
}

static void free_probing(struct ca_probing *probing)
{
  free(probing->sent.ids);
  free(probing);
}

/* Takes the probing off the list of those under way. */
static void leave(struct ca_probing *probing)
{
  struct ca_probing **at = &probing->settle->under_way;

  while(*at != probing)
    at = &(*at)->next;
  *at = probing->next;
  probing->next = NULL;
  probing->settle->active--;
}

static void enter(struct ca_probing *probing)
{
  probing->next = probing->settle->under_way;
  probing->settle->under_way = probing;
  probing->settle->active++;
}

static void drop_all(struct ca_settle *settle)
{
  struct ca_probing *probing;

  while((probing = settle->under_way)) {
    ca_engine_cancel(settle->engine, probing->op, NULL);
    settle->under_way = probing->next;
    settle->active--;
    free_probing(probing);
  }
}

void ca_settle_free(struct ca_settle *settle)
{
  if(!settle)
    return;
  drop_all(settle);
  ca_changes_close(&settle->changes);
  free(settle);
}

void ca_settle_stop(struct ca_settle *settle)
{
  settle->stopped = true;
  drop_all(settle);
}

bool ca_settle_finished(const struct ca_settle *settle)
{
  if(settle->under_way)
    return false;
  return settle->stopped || settle->read_all;
}

static void fail(struct ca_settle *settle, const struct ca_err *why)
{
  if(!settle->failed.code)
    settle->failed = *why;
  ca_settle_stop(settle);
}

/* ---- Facts ---- */

/* Fills in what the ledger has about the change; borrows its texts. Creates
   are told from accounts that were there before by the service's time and by
   the ids of the precheck, never by the clock of a process. */
static enum ca_code read_facts(const struct ca_probing *probing,
                               struct ca_before *before_image,
                               struct ca_proof_change *facts,
                               struct ca_err *err)
{
  const struct ca_change *change = &probing->row.change;
  const struct ca_sent *sent = &probing->sent;
  enum ca_code code = CA_OK;

  *facts = (struct ca_proof_change){ .api = change->api,
                                     .account = change->account,
                                     .user = change->user,
                                     .config = change->config,
                                     .body = change->body,
                                     .before = change->before,
                                     .ids = sent->ids,
                                     .prechecked = sent->known };
  if(sent->service_ms)
    facts->since_ms = sent->service_ms - SLACK_MS;
  if(change->api->probe != CA_PROBE_MOVED)
    return CA_OK;
  /* the status before it, as the run's own earlier changes left it */
  code = ca_ledger_before(probing->settle->ledger, probing->row.number, NULL,
                          before_image, err);
  if(!code && before_image->known && before_image->status[0])
    facts->before = before_image->status;
  facts->before_ms = before_image->updated_ms;
  if(sent->status[0])
    facts->before = sent->status;
  if(sent->updated_ms)
    facts->before_ms = sent->updated_ms;
  return code;
}

static enum ca_code knows_made(void *ctx, const char *id, bool *known,
                               struct ca_err *err)
{
  const struct ca_probing *probing = ctx;

  return ca_read_knows_made(probing->settle->ledger, id, known, err);
}

/* An account proves one change only. While the pages were read, another
   change may have taken this account as its proof; then the list is read
   again. */
static enum ca_code check_unclaimed(struct ca_probing *probing,
                                    struct ca_finding *finding,
                                    struct ca_err *err)
{
  bool known = false;
  enum ca_code code = knows_made(probing, finding->made, &known, err);

  if(known) {
    memset(&probing->list, 0, sizeof(probing->list));
    finding->proof = CA_PROOF_MORE;
  }
  return code;
}

/* Reads a reply: a 2xx, or the service's own 404. Fails only when the ledger
   cannot be read. */
static enum ca_code find_out(struct ca_probing *probing,
                             const struct ca_result *result,
                             struct ca_finding *finding, struct ca_err *err)
{
  struct ca_proof_change facts;
  struct ca_before before_image;
  enum ca_code code = read_facts(probing, &before_image, &facts, err);

  if(!code && facts.api->probe == CA_PROBE_LISTED) {
    code = ca_proof_of_page(&facts, &probing->list, result, knows_made,
                            probing, finding, err);
    return !code && finding->proof == CA_PROOF_DONE
               ? check_unclaimed(probing, finding, err)
               : code;
  }
  if(!code)
    ca_proof_of_get(&facts, result, finding);
  return code;
}

/* ---- Ends of probes ----
   Each function takes the probing, which is in no list. */

/* For a change that stays unknown: sets cause to the recorded error plus text,
   the reason. Returns false when the error has it already. */
static bool add_reason(const struct ca_change_row *row, const char *text,
                       struct ca_err *cause)
{
  const char *before = row->error ? row->error : "";

  if(!*text || strstr(before, text))
    return false;
  ca_err_set(cause, CA_CANCELLED, "%s%s%s", before, *before ? "; " : "", text);
  return true;
}

/* Records 1 attempt and the known request id: it was sent at least once. */
static void write_outcome(struct ca_settle *settle,
                          const struct ca_change_row *row,
                          enum ca_outcome outcome,
                          const struct ca_finding *finding)
{
  struct ca_err cause;
  struct ca_err err;
  bool has_cause = finding->text[0] != '\0';

  ca_err_clear(&err);
  ca_err_set(&cause, CA_CANCELLED, "%s", finding->text);
  if(outcome == CA_UNKNOWN && !add_reason(row, finding->text, &cause))
    return;
  settle->unsynced = true;
  if(ca_outcome_record(
         settle->ledger, row->number, outcome, 1, row->request_id,
         outcome == CA_DONE && finding->status[0] ? finding->status : NULL,
         finding->made[0] ? finding->made : NULL, has_cause ? &cause : NULL,
         &err))
    fail(settle, &err);
}

static bool is_final(const struct ca_probing *probing)
{
  const struct ca_settle *settle = probing->settle;

  return probing->row.change.api->repeat == CA_REPEAT_NEVER ||
         (settle->options.is_final &&
          settle->options.is_final(settle->owner, &probing->row));
}

/* Ends the change as it was found out; one that was not probed to an end stays
   as it is in the ledger. */
static void end(struct ca_probing *probing, const struct ca_finding *finding,
                bool probed)
{
  struct ca_settle *settle = probing->settle;
  struct ca_settled settled = { .row = &probing->row,
                                .outcome = CA_UNKNOWN,
                                .probed = probed,
                                .text = finding->text };

  if(finding->proof == CA_PROOF_DONE)
    settled.outcome = CA_DONE;
  else if(finding->proof == CA_PROOF_FAILED ||
          (finding->proof == CA_PROOF_NOT_YET && probing->final))
    settled.outcome = settle->options.not_done;
  else if(finding->proof == CA_PROOF_NOT_YET)
    settled.outcome = settle->options.not_yet;
  if(probed)
    write_outcome(settle, &probing->row, settled.outcome, finding);
  if(!settle->failed.code) /* else the ledger does not have this outcome */
    settle->visit(settle->owner, &settled);
  free_probing(probing);
}

static void end_unasked(struct ca_probing *probing, const char *why)
{
  struct ca_finding finding = { .proof = CA_PROOF_UNKNOWN };

  snprintf(finding.text, sizeof(finding.text), "not settled: %.380s", why);
  end(probing, &finding, false);
}

/* ---- Requests ---- */

static void probe_done(void *owner, uint64_t token, struct ca_result *result);

/* Takes the probing. */
static void ask(struct ca_probing *probing)
{
  struct ca_settle *settle = probing->settle;
  struct ca_request request;
  struct ca_err why;
  enum ca_code code;

  ca_err_clear(&why);
  if(!probing->list.cursor[0])
    probing->asked_mono_ms = ca_clock_mono_ms(ca_engine_clock(settle->engine));
  code = probing->row.change.api->probe == CA_PROBE_LISTED
             ? ca_probe_newest(&request, &probing->row.change,
                               probing->list.cursor, &why)
             : ca_probe_get(&request, &probing->row.change, &why);
  probing->api = request.api;
  if(!code)
    code = ca_engine_submit(settle->engine, settle->endpoint, &request, 0,
                            probe_done, probing, 0, &probing->op, &why);
  if(!code) {
    enter(probing);
    return;
  }
  ca_request_clear(&request);
  if(code != CA_USAGE) /* the others would fail too */
    settle->dead = "no further request can be sent";
  end_unasked(probing, why.text);
}

int64_t ca_settle_quiet_ms(int64_t timeout_ms)
{
  int64_t quiet_ms = 3 * (timeout_ms ? timeout_ms : CA_DEFAULT_TIMEOUT_MS);

  return quiet_ms > QUIET_LEAST_MS ? quiet_ms : QUIET_LEAST_MS;
}

/* Returns how much of the change's quiet time is left. The service's own
   clock can show that it is over, even after the process that sent the
   change has died. */
static int64_t quiet_left(const struct ca_probing *probing)
{
  const struct ca_settle *settle = probing->settle;
  int64_t now = ca_clock_mono_ms(ca_engine_clock(settle->engine));
  int64_t service_ms = ca_endpoint_service_ms(settle->endpoint, now);
  int64_t left = settle->options.last_sent_ms + settle->options.quiet_ms -
                 probing->asked_mono_ms;

  if(!probing->final ||
     (probing->sent.service_ms && service_ms - probing->sent.service_ms >=
                                      settle->options.quiet_ms + AHEAD_MS))
    return 0;
  return left > 0 ? left : 0;
}

/* The change has not happened yet. Takes the probing and probes again after
   the quiet time. Returns false, and takes nothing, when there is no need to
   wait. */
static bool ask_later(struct ca_probing *probing)
{
  struct ca_settle *settle = probing->settle;
  int64_t left;
  struct ca_err why;

  probing->final = is_final(probing);
  left = quiet_left(probing);
  if(!left)
    return false;
  if(left > settle->options.wait_ms) {
    end_unasked(probing, "its request may still arrive");
    return true;
  }
  memset(&probing->list, 0, sizeof(probing->list));
  ca_err_clear(&why);
  if(ca_engine_sleep(settle->engine, left, probe_done, probing, 0,
                     &probing->op, &why)) {
    end_unasked(probing, why.text);
    return true;
  }
  probing->sleeps = true;
  enter(probing);
  return true;
}

static void probe_failed(struct ca_probing *probing,
                         const struct ca_result *result)
{
  struct ca_settle *settle = probing->settle;

  if(result->status == 401)
    settle->dead = "the API key was rejected";
  else if(result->err.no_route)
    settle->dead = "the service does not have the route of an operation";
  else if(result->err.overlong)
    settle->dead =
        "the service asks to wait longer than --max-wait or --deadline";
  else if(ca_reply_service(&result->err) != CA_SERVICE_ANSWERS &&
          ++settle->failures >= FAILURES_MAX)
    settle->dead = "the service does not answer";
  end_unasked(probing, result->err.text);
}

/* Takes the probing: it sends its next request, sleeps, or ends. */
static void take_answer(struct ca_probing *probing, struct ca_result *result)
{
  struct ca_settle *settle = probing->settle;
  const char *id = probing->row.change.account;
  struct ca_finding finding;
  struct ca_err err;

  ca_reply_explain(probing->api, id, result);
  if(result->err.code && !ca_reply_says_gone(probing->api, id, result)) {
    probe_failed(probing, result);
    return;
  }
  ca_err_clear(&err);
  if(find_out(probing, result, &finding, &err)) {
    free_probing(probing);
    fail(settle, &err);
    return;
  }
  if(finding.proof == CA_PROOF_UNREAD) {
    ca_err_set(&result->err, CA_REPLY, "the reply cannot be parsed");
    probe_failed(probing, result);
    return;
  }
  settle->failures = 0;
  if(finding.proof == CA_PROOF_MORE)
    ask(probing);
  else if(finding.proof != CA_PROOF_NOT_YET || !ask_later(probing))
    end(probing, &finding, true);
}

static void sync_at_end(struct ca_settle *settle)
{
  struct ca_err why;

  if(!settle->unsynced || !ca_settle_finished(settle) || settle->failed.code)
    return;
  settle->unsynced = false;
  ca_err_clear(&why);
  if(ca_ledger_sync(settle->ledger, &why))
    fail(settle, &why);
}

static void probe_done(void *owner, uint64_t token, struct ca_result *result)
{
  struct ca_probing *probing = owner;
  struct ca_settle *settle = probing->settle;
  bool slept = probing->sleeps;

  (void)token;
  leave(probing);
  probing->op = 0;
  probing->sleeps = false;
  if(!slept)
    take_answer(probing, result);
  else if(result->err.code)
    end_unasked(probing, result->err.text);
  else if(settle->dead)
    end_unasked(probing, settle->dead);
  else
    ask(probing);
  sync_at_end(settle);
}

/* ---- Reading and starting ---- */

/* Reads the next change of unknown outcome; *probing: NULL after the last. */
static enum ca_code read_change(struct ca_settle *settle,
                                struct ca_probing **probing,
                                struct ca_err *err)
{
  const struct ca_change_row *row = NULL;
  enum ca_code code = ca_changes_next(&settle->changes, &row, err);

  *probing = NULL;
  settle->read_all = !row;
  if(code || !row)
    return code;
  *probing = malloc(sizeof(**probing) + ca_change_row_size(row));
  if(!*probing)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  memset(*probing, 0, sizeof(**probing));
  (*probing)->settle = settle;
  ca_change_row_copy(&(*probing)->row, row, (char *)(*probing + 1), SIZE_MAX);
  code = ca_read_sent(settle->ledger, row->number, &(*probing)->sent, err);
  if(code) {
    free_probing(*probing);
    *probing = NULL;
  }
  return code;
}

/* Takes the probing. */
static void start(struct ca_probing *probing)
{
  struct ca_settle *settle = probing->settle;
  struct ca_proof_change facts;
  struct ca_before before_image;
  struct ca_finding finding = { .proof = CA_PROOF_UNKNOWN };
  struct ca_err err;
  const char *missing;

  ca_err_clear(&err);
  if(read_facts(probing, &before_image, &facts, &err)) {
    free_probing(probing);
    fail(settle, &err);
    return;
  }
  missing = ca_proof_missing(&facts);
  if(missing) {
    snprintf(finding.text, sizeof(finding.text), "%s", missing);
    end(probing, &finding, true);
  } else if(settle->dead)
    end_unasked(probing, settle->dead);
  else
    ask(probing);
}

enum ca_code ca_settle_fill(struct ca_settle *settle, struct ca_err *err)
{
  struct ca_probing *probing;
  struct ca_err why;

  ca_err_clear(&why);
  while(!settle->stopped && !settle->read_all &&
        settle->active < (size_t)settle->options.concurrency) {
    if(read_change(settle, &probing, &why))
      fail(settle, &why);
    else if(probing)
      start(probing);
  }
  sync_at_end(settle);
  if(settle->failed.code && err)
    *err = settle->failed;
  return settle->failed.code;
}
