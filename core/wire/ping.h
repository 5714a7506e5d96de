/* Sends one GET to a monitor, such as healthchecks.io, that supervises runs.
   Must not know: the service, its API key, what the address means. */
#ifndef CA_PING_H
#define CA_PING_H

#include "base/err.h"

/* Gets the URL, without a key and without a body, within ten seconds.
   Returns CA_SYSTEM with the reason when there was no reply with a status
   below 400. */
CA_MUST_USE enum ca_code ca_ping(const char *url, struct ca_err *err);

#endif
