/* The versions of the libraries that one call to the service needs.
   Must not know: who asks, what a version means. */
#ifndef CA_LIBRARIES_H
#define CA_LIBRARIES_H

#include <stddef.h>

struct ca_library {
  const char *name;  /* static storage, like the other texts but `more` */
  const char *built; /* the headers' version, NULL if not known */
  const char *runs;  /* the loaded library's version, NULL if not known */
  char more[96];     /* further details, or "" */
};

/* Stores libcurl and nettle in at least CA_LIBRARIES rows; returns how many.
 */
#define CA_LIBRARIES 2
size_t ca_libraries(struct ca_library *out);

#endif
