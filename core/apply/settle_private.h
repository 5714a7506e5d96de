/* What the files of settle share: changes of unknown outcome while they are
   probed. Only settle includes this. */
#ifndef CA_SETTLE_PRIVATE_H
#define CA_SETTLE_PRIVATE_H

#include "wire/proof.h"
#include "wire/reply.h"
#include "apply/settle.h"

/* One change. The row's texts follow the struct in the same allocation. */
struct ca_probing {
  struct ca_probing *next;
  struct ca_settle *settle;
  uint64_t op; /* 0: none */
  bool sleeps;
  int64_t asked_mono_ms;
  const struct ca_api *api; /* the probe's operation */
  struct ca_proof_list list;
  int64_t since_ms; /* as in struct ca_proof_change; 0: no reply yet */
  struct ca_change_row row;
};

struct ca_settle {
  struct ca_engine *engine; /* borrowed, like the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;
  struct ca_settle_options options;
  ca_settled_fn *visit;
  void *owner;
  int64_t born_mono_ms;

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

/* The facts that the ledger's row has about the change. Borrows its texts. */
struct ca_proof_change ca_probe_facts(const struct ca_change_row *row);
/* Makes the next request of the probe; sets probing->api. */
CA_MUST_USE enum ca_code ca_probe_request(struct ca_probing *probing,
                                          struct ca_request *request,
                                          struct ca_err *err);
/* Reads a reply: a 2xx, or the service's own 404. Fails only when the ledger
   cannot be read. */
CA_MUST_USE enum ca_code ca_probe_read(struct ca_probing *probing,
                                       const struct ca_result *result,
                                       struct ca_finding *finding,
                                       struct ca_err *err);

#endif
