/* What the files of settle share: changes of unknown outcome while they are
   probed. Nobody else includes this. */
#ifndef CA_SETTLE_PRIVATE_H
#define CA_SETTLE_PRIVATE_H

#include "base/json.h"
#include "wire/reply.h"
#include "apply/settle.h"

/* What a probe says of a change. */
enum ca_found {
  CA_FOUND_DONE,
  CA_FOUND_NOT,
  CA_FOUND_UNCLEAR, /* it cannot be told */
  CA_FOUND_MORE,    /* another page has to be read */
  CA_FOUND_FAILED   /* the reply cannot be read */
};

struct ca_finding {
  enum ca_found what;
  char text[400];  /* for people */
  char status[32]; /* of the account now, "" when not known */
  char made[160];  /* by a create */
};

/* Accounts that a create may have made, over the pages of a list. */
struct ca_listing {
  char cursor[256]; /* of the next page */
  int pages;
  bool begun;
  int64_t since_ms; /* made before it is not ours; by the service's clock */
  bool older;       /* one of before was met */
  bool unsorted;    /* newest first was not kept */
  bool nameless;    /* one whose user is not shown */
  int64_t last_ms;  /* of the account before */
  size_t count;
  int64_t made_ms; /* the oldest of them */
  char made[160];
  char status[32];
  char names[256];
};

/* One change; the row's texts follow it. */
struct ca_probing {
  struct ca_probing *next;
  struct ca_settle *settle;
  uint64_t op; /* 0: none */
  bool sleeps;
  int64_t asked_mono_ms;
  const struct ca_api *api; /* of the op */
  struct ca_listing listing;
  struct ca_change_row row;
};

struct ca_settle {
  struct ca_engine *engine; /* borrowed, as the next two */
  struct ca_endpoint *endpoint;
  struct ca_ledger *ledger;
  struct ca_settle_options options;
  ca_settled_fn *visit;
  void *owner;
  int64_t born_mono_ms;

  struct ca_probing *waiting; /* read, in order */
  struct ca_probing **waiting_end;
  int64_t read_to;
  bool read_all;
  struct ca_probing *under_way;
  size_t active;

  int failures;     /* of probes in a row */
  const char *dead; /* why no probe is started any more, or NULL */
  bool stopped;
  bool unsynced;
  struct ca_err failed; /* code set once it cannot go on */
};

/* Has the change a probe at all? Else *finding says why not. */
bool ca_probe_exists(const struct ca_change_row *row,
                     struct ca_finding *finding);
/* The request for the next reply; sets probing->api. */
CA_MUST_USE enum ca_code ca_probe_request(struct ca_probing *probing,
                                          struct ca_request *request,
                                          struct ca_err *err);
/* Reads a reply: 2xx, or that it is gone. Fails when the ledger does. */
CA_MUST_USE enum ca_code ca_probe_read(struct ca_probing *probing,
                                       const struct ca_result *result,
                                       struct ca_finding *finding,
                                       struct ca_err *err);

#endif
