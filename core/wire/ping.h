/* One GET to a monitor, such as healthchecks.io, that wants to hear of a run.
   Must not know: the service, its API key, what the address means. */
#ifndef CA_PING_H
#define CA_PING_H

#include "base/err.h"

/* Gets the URL, in at most ten seconds, without a key and without a body.
   CA_SYSTEM with the reason when no reply with a status below 400 came. */
CA_MUST_USE enum ca_code ca_ping(const char *url, struct ca_err *err);

#endif
