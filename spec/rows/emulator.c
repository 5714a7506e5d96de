/* pause, unpause and annotate, strictly: pause takes an ACTIVE account only,
   and unpause a PAUSED one. */
#include "../rows/emulator.h"

#include <string.h>

#include "account.h"
#include "reply.h"

#define NOTES 64

/* Notes stand beside the accounts: an emulator whose disk and seed know
   nothing of them. */
static struct {
  char id[16];
  char *text;
} notes[NOTES];
static size_t note_count;

static char **find_note(const char *id, bool make)
{
  size_t i;
  for(i = 0; i < note_count; i++)
    if(!strcmp(notes[i].id, id))
      return &notes[i].text;
  if(!make || note_count == NOTES)
    return NULL;
  memcpy(notes[note_count].id, id, strlen(id) + 1);
  return &notes[note_count++].text;
}

void emu_rows_pause(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  if(!account || !emu_reply_want_body(call, false))
    return;
  bool pause = json_is_true(json_object_get(call->json, "paused"));
  enum emu_status goal = pause ? EMU_PAUSED : EMU_ACTIVE;
  enum emu_status from = pause ? EMU_ACTIVE : EMU_PAUSED;
  if(account->status != goal && account->status != from) {
    emu_reply_fail(call, &EMU_ACCOUNT_STATE, "its status is %s",
                   emu_status_name((enum emu_status)account->status));
    return;
  }
  if(account->status != goal)
    emu_account_move(emu, account, pause ? "pause" : "unpause", goal, NULL);
  emu_reply_success(call);
}

void emu_rows_note(struct emu *emu, struct emu_call *call)
{
  struct emu_account *account = emu_account_want(emu, call, call->id);
  if(!account || !emu_reply_want_body(call, false))
    return;
  const char *text = json_string_value(json_object_get(call->json, "note"));
  char **note = text ? find_note(account->id, true) : NULL;
  if(!note) {
    emu_reply_invalid(call, "note: Expected string");
    return;
  }
  free(*note);
  *note = emu_copy(text);
  emu_store_touch(&emu->store, account, emu_clock_now(&emu->clock));
  emu_account_note(emu, account, "note", (enum emu_status)account->status);
  emu_reply_success(call);
}

void emu_rows_render(struct emu_buf *out, const struct emu_account *account)
{
  char **note = find_note(account->id, false);
  if(!note || !**note)
    return;
  emu_buf_text(out, ",\"details\":{\"note\":");
  emu_buf_json(out, *note);
  emu_buf_char(out, '}');
}
