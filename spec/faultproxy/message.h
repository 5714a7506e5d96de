/* Where one HTTP/1.1 message starts, where its body starts, where it ends.
 * Must not know sockets, rules or what anybody does with the bytes.
 *
 * Bytes are fed as they come; nothing is copied but the line being read.
 * What is not HTTP/1.1 (TLS, h2) is one endless message: `raw`. */
#ifndef FP_MESSAGE_H
#define FP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fp_message_state {
  FP_MESSAGE_HEAD,
  FP_MESSAGE_LENGTH,     /* a body of known size */
  FP_MESSAGE_CLOSE,      /* a body that ends with the connection */
  FP_MESSAGE_CHUNK_SIZE, /* the line before a chunk */
  FP_MESSAGE_CHUNK,      /* inside a chunk */
  FP_MESSAGE_CHUNK_END,  /* the line break after a chunk */
  FP_MESSAGE_TRAILER,
  FP_MESSAGE_DONE,
  FP_MESSAGE_RAW
};

#define FP_LINE_MAX 2048

struct fp_message {
  enum fp_message_state state;
  bool is_reply;
  bool answers_head; /* a reply to HEAD: it has no body, whatever it says */
  bool has_length;
  bool chunked;
  int status;       /* of a reply; 0 before it is known */
  uint64_t seen;    /* bytes fed that belong to this message */
  uint64_t head;    /* size of the head; 0 before it is known */
  uint64_t left;    /* of the body or chunk */
  unsigned lines;   /* of the head, so far */
  size_t line_used; /* may exceed what `line` keeps */
  char method[24];
  char target[FP_LINE_MAX];
  char line[FP_LINE_MAX];
};

/* Life. No resources: a new start forgets the old message. */
void fp_message_request(struct fp_message *message);
void fp_message_reply(struct fp_message *message, const char *method);

/* Actions. Returns how many of the bytes belong to this message; the rest
 * belongs to the next one. */
size_t fp_message_feed(struct fp_message *message, const unsigned char *bytes,
                       size_t size);
/* The sender has closed. True when that is how this message ends. */
bool fp_message_close(struct fp_message *message);

/* Questions. */
bool fp_message_done(const struct fp_message *message);
bool fp_message_raw(const struct fp_message *message);

#endif
