/* A body as a gzip file. It must not know what the bytes mean. */
#ifndef EMU_GZIP_H
#define EMU_GZIP_H

#include "buf.h"

/* Replaces the bytes by a gzip file that holds them. */
void emu_gzip(struct emu_buf *body);

#endif
