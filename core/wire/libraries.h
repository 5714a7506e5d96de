/* The libraries that one call to the service needs, and their versions.
   Must not know: who asks, what a version means. */
#ifndef CA_LIBRARIES_H
#define CA_LIBRARIES_H

#include "base/version.h"

/* libcurl and nettle, into at least CA_LIBRARIES rows; how many. */
#define CA_LIBRARIES 2
size_t ca_libraries(struct ca_version *out);

#endif
