/* Where one HTTP/1.1 message starts, where its body starts, where it ends.
 * Must not know sockets, rules or what anybody does with the bytes. */
#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void fp_message_request(struct fp_message *message)
{
  message->state = FP_MESSAGE_HEAD;
  message->is_reply = false;
  message->answers_head = false;
  message->has_length = false;
  message->chunked = false;
  message->status = 0;
  message->seen = 0;
  message->head = 0;
  message->left = 0;
  message->lines = 0;
  message->line_used = 0;
  message->method[0] = '\0';
  message->target[0] = '\0';
}

void fp_message_reply(struct fp_message *message, const char *method)
{
  fp_message_request(message);
  message->is_reply = true;
  message->answers_head = strcmp(method, "HEAD") == 0;
}

/* Copies with a ceiling; a cut text is good enough for matching and logs. */
static void fp_copy(char *into, size_t room, const char *from, size_t size)
{
  if(size >= room) {
    size = room - 1;
  }
  memcpy(into, from, size);
  into[size] = '\0';
}

static bool fp_request_line(struct fp_message *message)
{
  const char *line = message->line;
  const char *target = strchr(line, ' ');
  const char *version;

  if(!target || target == line) {
    return false;
  }
  version = strrchr(line, ' ');
  /* A line longer than we keep has lost its version; the rest will tell. */
  if(message->line_used < FP_LINE_MAX &&
     (version == target || strncmp(version + 1, "HTTP/1.", 7) != 0)) {
    return false;
  }
  if(version == target) {
    version = line + strlen(line);
  }
  fp_copy(message->method, sizeof message->method, line,
          (size_t)(target - line));
  target++;
  fp_copy(message->target, sizeof message->target, target,
          (size_t)(version - target));
  return true;
}

static bool fp_status_line(struct fp_message *message)
{
  if(strncmp(message->line, "HTTP/1.", 7) != 0 || message->line_used < 12) {
    return false;
  }
  message->status = (int)strtol(message->line + 8, NULL, 10);
  return message->status >= 100 && message->status <= 999;
}

static void fp_header_line(struct fp_message *message)
{
  const char *line = message->line;

  if(strncasecmp(line, "content-length:", 15) == 0) {
    message->has_length = true;
    message->left = strtoull(line + 15, NULL, 10);
  } else if(strncasecmp(line, "transfer-encoding:", 18) == 0 &&
            strcasestr(line + 18, "chunked")) {
    message->chunked = true;
  }
}

/* What follows the empty line after a head. */
static void fp_head_end(struct fp_message *message)
{
  int status = message->status;

  if(message->is_reply && status >= 100 && status < 200 && status != 101) {
    /* An interim reply: the one that counts is still to come. */
    message->lines = 0;
    message->has_length = false;
    message->chunked = false;
    return;
  }
  message->head = message->seen;
  if(status == 101) {
    message->state = FP_MESSAGE_RAW;
  } else if(message->is_reply &&
            (message->answers_head || status == 204 || status == 304)) {
    message->state = FP_MESSAGE_DONE;
  } else if(message->chunked) {
    message->state = FP_MESSAGE_CHUNK_SIZE;
  } else if(message->has_length) {
    message->state = message->left ? FP_MESSAGE_LENGTH : FP_MESSAGE_DONE;
  } else {
    message->state = message->is_reply ? FP_MESSAGE_CLOSE : FP_MESSAGE_DONE;
  }
}

static void fp_head_line(struct fp_message *message)
{
  bool good;

  if(message->line_used == 0) {
    /* Empty lines before a request line are allowed, and say nothing. */
    if(message->lines) {
      fp_head_end(message);
    }
    return;
  }
  if(message->lines++) {
    fp_header_line(message);
    return;
  }
  good =
      message->is_reply ? fp_status_line(message) : fp_request_line(message);
  if(!good) {
    message->state = FP_MESSAGE_RAW;
  }
}

static void fp_line(struct fp_message *message)
{
  size_t kept = message->line_used;

  if(kept >= FP_LINE_MAX) {
    kept = FP_LINE_MAX - 1;
  }
  message->line[kept] = '\0';
  switch(message->state) {
  case FP_MESSAGE_HEAD:
    fp_head_line(message);
    break;
  case FP_MESSAGE_CHUNK_SIZE:
    message->left = strtoull(message->line, NULL, 16);
    message->state = message->left ? FP_MESSAGE_CHUNK : FP_MESSAGE_TRAILER;
    break;
  case FP_MESSAGE_CHUNK_END:
    message->state = FP_MESSAGE_CHUNK_SIZE;
    break;
  default: /* FP_MESSAGE_TRAILER */
    if(message->line_used == 0) {
      message->state = FP_MESSAGE_DONE;
    }
  }
  message->line_used = 0;
}

static void fp_line_byte(struct fp_message *message, unsigned char byte)
{
  message->seen++;
  if(byte == '\n') {
    if(message->line_used && message->line_used < FP_LINE_MAX &&
       message->line[message->line_used - 1] == '\r') {
      message->line_used--;
    }
    fp_line(message);
    return;
  }
  if(message->line_used < FP_LINE_MAX - 1) {
    message->line[message->line_used] = (char)byte;
  }
  message->line_used++;
  /* No method starts with anything but a capital: TLS is known by this. */
  if(message->seen == 1 && (byte < 'A' || byte > 'Z') && byte != '\r') {
    message->state = FP_MESSAGE_RAW;
  }
}

size_t fp_message_feed(struct fp_message *message, const unsigned char *bytes,
                       size_t size)
{
  size_t used = 0;
  size_t step;

  while(used < size && message->state != FP_MESSAGE_DONE) {
    switch(message->state) {
    case FP_MESSAGE_RAW:
    case FP_MESSAGE_CLOSE:
      message->seen += size - used;
      return size;
    case FP_MESSAGE_LENGTH:
    case FP_MESSAGE_CHUNK:
      step = size - used;
      if(step > message->left) {
        step = (size_t)message->left;
      }
      message->left -= step;
      message->seen += step;
      used += step;
      if(message->left == 0) {
        message->state = message->state == FP_MESSAGE_CHUNK
                             ? FP_MESSAGE_CHUNK_END
                             : FP_MESSAGE_DONE;
      }
      break;
    default:
      fp_line_byte(message, bytes[used++]);
    }
  }
  return used;
}

bool fp_message_close(struct fp_message *message)
{
  if(message->state == FP_MESSAGE_CLOSE) {
    message->state = FP_MESSAGE_DONE;
  }
  return fp_message_done(message);
}

bool fp_message_done(const struct fp_message *message)
{
  return message->state == FP_MESSAGE_DONE;
}

bool fp_message_raw(const struct fp_message *message)
{
  return message->state == FP_MESSAGE_RAW;
}
