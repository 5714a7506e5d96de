/* The log: one JSON line for each request that was seen.
 * Must not know sockets or rules; it writes what it is given. */
#include "record.h"

#include <inttypes.h>

/* Any byte, so that a hostile target still makes one line of valid JSON. */
static void fp_write_text(FILE *out, const char *text)
{
  const unsigned char *at = (const unsigned char *)text;

  putc('"', out);
  for(; *at; at++) {
    if(*at < 0x20 || *at > 0x7e) {
      fprintf(out, "\\u%04x", *at);
    } else {
      if(*at == '"' || *at == '\\') {
        putc('\\', out);
      }
      putc(*at, out);
    }
  }
  putc('"', out);
}

static void fp_write_request(FILE *out, const struct fp_record *record)
{
  fprintf(out, ",\"request\":%" PRIu64 ",\"nth\":%" PRIu64 ",\"method\":",
          record->request, record->nth);
  fp_write_text(out, record->method);
  fputs(",\"path\":", out);
  fp_write_text(out, record->target);
}

void fp_record_write(FILE *out, const struct fp_record *record)
{
  unsigned i;

  if(!out) {
    return;
  }
  fprintf(out, "{\"kind\":\"%s\",\"connection\":%" PRIu64,
          record->request ? "request" : "connection", record->connection);
  if(record->request) {
    fp_write_request(out, record);
  }
  fprintf(out,
          ",\"from_client\":%" PRIu64 ",\"to_server\":%" PRIu64
          ",\"from_server\":%" PRIu64 ",\"to_client\":%" PRIu64,
          record->from_client, record->to_server, record->from_server,
          record->to_client);
  if(record->request) {
    fprintf(out, ",\"request_whole\":%s,\"reply_whole\":%s,\"status\":%d",
            record->request_whole ? "true" : "false",
            record->reply_whole ? "true" : "false", record->status);
  }
  fputs(",\"faults\":[", out);
  for(i = 0; i < record->struck_count; i++) {
    fprintf(out, "%s{\"rule\":%u,\"do\":\"%s\",\"at\":%" PRIu64 "}",
            i ? "," : "", record->struck[i].rule, record->struck[i].what,
            record->struck[i].at);
  }
  fprintf(out, "],\"end\":\"%s\"}\n", record->end);
  fflush(out);
}
