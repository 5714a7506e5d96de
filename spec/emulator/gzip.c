/* Compressing a reply with zlib, in the gzip format. It must not know what the
   bytes mean. */
#include "gzip.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* the largest, with gzip's head and tail */

void emu_gzip(struct emu_buf *body)
{
  struct emu_buf out = { 0 };
  z_stream stream = { 0 };
  unsigned char *bytes;
  uLong room;

  if(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8,
                  Z_DEFAULT_STRATEGY) != Z_OK)
    abort();
  room = deflateBound(&stream, (uLong)body->size);
  bytes = malloc(room);
  if(!bytes)
    abort();
  stream.next_in = (unsigned char *)body->bytes;
  stream.avail_in = (uInt)body->size;
  stream.next_out = bytes;
  stream.avail_out = (uInt)room;
  if(deflate(&stream, Z_FINISH) != Z_STREAM_END)
    abort();
  emu_buf_add(&out, (char *)bytes, room - stream.avail_out);
  deflateEnd(&stream);
  free(bytes);
  emu_buf_clear(body);
  *body = out;
}
