/* What was asked (the last 10,000 requests) and what was changed (all).
   It must not know what an operation means. Keys never reach this file: the
   caller hands over headers from which they were left out. */
#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct emu_seen {
  int64_t time_ms;
  char method[16];
  char *text; /* target, headers, credentials, body, one after another */
  uint32_t target_size;
  uint32_t headers_size;
  uint32_t credentials_size;
  uint32_t body_size;
  uint64_t whole_body; /* its size before it was cut */
};

void emu_journal_clear(struct emu_journal *journal)
{
  emu_journal_forget(journal);
  free(journal->seen);
  free(journal->changes);
  emu_buf_clear(&journal->scratch);
  if(journal->file)
    fclose(journal->file);
  memset(journal, 0, sizeof(*journal));
}

void emu_journal_forget(struct emu_journal *journal)
{
  if(!journal->seen)
    return;
  for(size_t i = 0; i < EMU_KEPT_REQUESTS; i++) {
    free(journal->seen[i].text);
    journal->seen[i].text = NULL;
  }
  journal->first_seq = journal->last_seq + 1;
}

static void write_one(struct emu_buf *out, uint64_t seq,
                      const struct emu_seen *seen)
{
  const char *at = seen->text;
  emu_buf_text(out, "{\"seq\":");
  emu_buf_int(out, (int64_t)seq);
  emu_buf_text(out, ",\"time\":");
  emu_buf_time(out, seen->time_ms);
  emu_buf_char(out, ',');
  emu_buf_pair(out, "method", seen->method);
  emu_buf_text(out, ",\"path\":");
  emu_buf_json_bytes(out, at, seen->target_size);
  at += seen->target_size;
  emu_buf_text(out, ",\"headers\":{");
  emu_buf_add(out, at, seen->headers_size);
  at += seen->headers_size;
  emu_buf_text(out, "},\"credentials\":[");
  emu_buf_add(out, at, seen->credentials_size);
  at += seen->credentials_size;
  emu_buf_text(out, "],\"body\":");
  if(seen->whole_body)
    emu_buf_json_bytes(out, at, seen->body_size);
  else
    emu_buf_text(out, "null");
  if(seen->whole_body > seen->body_size)
    emu_buf_format(out, ",\"body_size\":%" PRIu64, seen->whole_body);
  emu_buf_text(out, "}\n");
}

static void keep(struct emu_seen *seen, const struct emu_sighting *sighting)
{
  size_t target = strlen(sighting->target);
  size_t body = sighting->body_size < EMU_KEPT_BODY ? sighting->body_size
                                                    : EMU_KEPT_BODY;
  size_t headers = sighting->headers->size;
  size_t credentials = sighting->credentials->size;
  seen->text = emu_grow(seen->text, target + headers + credentials + body);
  seen->time_ms = sighting->time_ms;
  snprintf(seen->method, sizeof(seen->method), "%s", sighting->method);
  seen->target_size = (uint32_t)target;
  seen->headers_size = (uint32_t)headers;
  seen->credentials_size = (uint32_t)credentials;
  seen->body_size = (uint32_t)body;
  seen->whole_body = sighting->body_size;
  char *at = seen->text;
  memcpy(at, sighting->target, target);
  at += target;
  if(headers)
    memcpy(at, sighting->headers->bytes, headers);
  at += headers;
  if(credentials)
    memcpy(at, sighting->credentials->bytes, credentials);
  at += credentials;
  if(body)
    memcpy(at, sighting->body, body);
}

void emu_journal_see(struct emu_journal *journal,
                     const struct emu_sighting *sighting)
{
  if(!journal->seen) {
    journal->seen = emu_alloc(EMU_KEPT_REQUESTS * sizeof(*journal->seen));
    journal->first_seq = journal->last_seq + 1;
  }
  uint64_t seq = ++journal->last_seq;
  if(seq - journal->first_seq >= EMU_KEPT_REQUESTS)
    journal->first_seq = seq - EMU_KEPT_REQUESTS + 1;
  struct emu_seen *seen = &journal->seen[seq % EMU_KEPT_REQUESTS];
  keep(seen, sighting);
  if(!journal->file)
    return;
  emu_buf_reset(&journal->scratch);
  write_one(&journal->scratch, seq, seen);
  fwrite(journal->scratch.bytes, 1, journal->scratch.size, journal->file);
  fflush(journal->file);
}

void emu_journal_requests(const struct emu_journal *journal,
                          struct emu_buf *out, uint64_t since)
{
  if(!journal->seen)
    return;
  uint64_t seq =
      since + 1 > journal->first_seq ? since + 1 : journal->first_seq;
  for(; seq <= journal->last_seq; seq++)
    write_one(out, seq, &journal->seen[seq % EMU_KEPT_REQUESTS]);
}

void emu_journal_change(struct emu_journal *journal,
                        const struct emu_change *change)
{
  if(journal->change_count == journal->change_room) {
    journal->change_room = journal->change_room * 2 + 64;
    journal->changes = emu_grow(
        journal->changes, journal->change_room * sizeof(*journal->changes));
  }
  journal->changes[journal->change_count++] = *change;
}

static void write_status(struct emu_buf *out, const char *name, uint8_t status)
{
  emu_buf_char(out, ',');
  emu_buf_pair(out, name,
               status < EMU_STATUSES ? emu_status_name((enum emu_status)status)
                                     : NULL);
}

void emu_journal_changes(const struct emu_journal *journal,
                         const struct emu_store *store, struct emu_buf *out,
                         uint64_t since)
{
  for(size_t i = (size_t)since; i < journal->change_count; i++) {
    const struct emu_change *change = &journal->changes[i];
    const struct emu_account *account =
        change->slot == EMU_NONE ? NULL : emu_store_at(store, change->slot);
    emu_buf_text(out, "{\"seq\":");
    emu_buf_int(out, (int64_t)i + 1);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "op", change->op);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "account_id", account ? account->id : NULL);
    write_status(out, "before", change->before);
    write_status(out, "after", change->after);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "user_id",
                 account ? emu_store_user_name(store, account) : NULL);
    emu_buf_char(out, ',');
    emu_buf_pair(out, "auth_config_id", store->configs[change->config]->id);
    emu_buf_text(out, ",\"time\":");
    emu_buf_time(out, change->time_ms);
    emu_buf_text(out, "}\n");
  }
}
