/* A growing run of bytes, and the few JSON pieces written into it.
   It must not know accounts, HTTP or files. */
#ifndef EMU_BUF_H
#define EMU_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct emu_buf {
  char *bytes;
  size_t size;
  size_t room;
};

/* Frees the bytes and zeroes the struct. */
void emu_buf_clear(struct emu_buf *buf);
/* Keeps the room, forgets the bytes. */
void emu_buf_reset(struct emu_buf *buf);

void emu_buf_add(struct emu_buf *buf, const char *bytes, size_t size);
/* Makes room for that many bytes more. */
void emu_buf_need(struct emu_buf *buf, size_t more);

/* These two are most of what a listing does, nearly always with a literal;
   inline, its length and its copy are known when compiling. */
static inline void emu_buf_text(struct emu_buf *buf, const char *text)
{
  size_t size = strlen(text);
  if(buf->room - buf->size <= size) /* also when there is no room at all */
    emu_buf_need(buf, size + 1);
  memcpy(buf->bytes + buf->size, text, size);
  buf->size += size;
}

static inline void emu_buf_char(struct emu_buf *buf, char byte)
{
  if(buf->room == buf->size)
    emu_buf_need(buf, 1);
  buf->bytes[buf->size++] = byte;
}

void emu_buf_int(struct emu_buf *buf, int64_t number);
void emu_buf_format(struct emu_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends bytes that stand in the buffer already. */
void emu_buf_again(struct emu_buf *buf, size_t from, size_t size);

/* Text as a JSON string with its quotes; a NULL text becomes null. Bytes that
   are not UTF-8 become U+FFFD, so that a reply is always valid JSON. */
void emu_buf_json(struct emu_buf *buf, const char *text);
void emu_buf_json_bytes(struct emu_buf *buf, const char *text, size_t size);
/* "name":"text" */
void emu_buf_pair(struct emu_buf *buf, const char *name, const char *text);
/* A time as a quoted ISO 8601 UTC string with milliseconds. */
void emu_buf_time(struct emu_buf *buf, int64_t time_ms);

/* The bytes as a C string; borrowed until the next change. */
const char *emu_buf_string(struct emu_buf *buf);

/* Memory that cannot be had ends the program with a message: an emulator
   that goes on without what it was asked to hold would lie. */
void *emu_alloc(size_t size);
void *emu_grow(void *old, size_t size);
char *emu_copy(const char *text);
char *emu_copy_bytes(const char *bytes, size_t size);

#endif
