/* What several operations do to an account.
   It must not know routes; each function is one step of an operation. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "render.h"
#include "reply.h"

#define ACL_MAX  1000u
#define USER_MAX 256u

struct emu_account *emu_account_want(struct emu *emu, struct emu_call *call,
                                     const char *id)
{
  struct emu_account *account = emu_store_find(&emu->store, id);
  if(account && !(account->flags & EMU_DELETED))
    return account;
  emu_reply_fail(call, &EMU_ACCOUNT_NOT_FOUND,
                 "Connected account \"%s\" not found", id);
  return NULL;
}

void emu_account_get(struct emu *emu, struct emu_call *call)
{
  const struct emu_account *account = emu_account_want(emu, call, call->id);
  struct emu_render how = { .mask = emu->options.mask, .whole = true };
  if(!account)
    return;
  how.status = emu_fault_status(call->fault);
  emu_render_account(emu, emu_reply_start(call, 200), account, &how);
}

void emu_account_note(struct emu *emu, const struct emu_account *account,
                      const char *op, enum emu_status before)
{
  struct emu_change change = {
    .time_ms = emu_clock_now(&emu->clock),
    .op = op,
    .slot = emu_store_slot(&emu->store, account),
    .config = account->config,
    .before = (uint8_t)before,
    .after = account->flags & EMU_DELETED ? EMU_STATUSES : account->status,
  };
  emu_journal_change(&emu->journal, &change);
}

void emu_account_move(struct emu *emu, struct emu_account *account,
                      const char *op, enum emu_status status,
                      const char *reason)
{
  enum emu_status before = (enum emu_status)account->status;
  emu_store_set_status(&emu->store, account, status, reason,
                       emu_clock_now(&emu->clock));
  emu_account_note(emu, account, op, before);
}

void emu_account_sweep(struct emu *emu)
{
  int64_t now_ms = emu_clock_now(&emu->clock);
  struct emu_account *account;
  while((account = emu_store_overdue(&emu->store, now_ms)) != NULL)
    emu_account_move(emu, account, "expire", EMU_EXPIRED, EMU_REASON_TIMEOUT);
}

void emu_account_fresh_id(struct emu *emu, char *text)
{
  do
    emu_random_id(&emu->random, text, "ca_", 12);
  while(emu_store_find(&emu->store, text));
}

void emu_account_login(struct emu *emu, struct emu_account *account,
                       bool by_link, const char *callback_url)
{
  struct emu_flow *flow =
      emu_store_flow(&emu->store, account, emu_clock_now(&emu->clock));
  if(by_link)
    emu_random_id(&emu->random, flow->token, "lk_", 12);
  else
    emu_random_plain(&emu->random, flow->code, "", 8);
  flow->callback_url = emu_copy(callback_url);
  emu_store_token(&emu->store, by_link ? flow->token : flow->code, account);
}

static bool under_way(const struct emu_account *account)
{
  return account->status == EMU_INITIALIZING ||
         account->status == EMU_INITIATED;
}

bool emu_account_complete(struct emu *emu, struct emu_account *account)
{
  if(!under_way(account))
    return false;
  emu_account_move(emu, account, "complete", EMU_ACTIVE, NULL);
  return true;
}

bool emu_account_deny(struct emu *emu, struct emu_account *account)
{
  if(!under_way(account))
    return false;
  emu_account_move(emu, account, "deny", EMU_FAILED, EMU_REASON_CALLBACK);
  return true;
}

bool emu_account_expire(struct emu *emu, struct emu_account *account)
{
  if(!under_way(account) && account->status != EMU_ACTIVE)
    return false;
  emu_account_move(emu, account, "expire", EMU_EXPIRED,
                   under_way(account) ? EMU_REASON_TIMEOUT
                                      : EMU_REASON_REFRESH);
  return true;
}

bool emu_account_break(struct emu *emu, struct emu_account *account)
{
  if(account->status != EMU_ACTIVE)
    return false;
  emu_account_move(emu, account, "break", EMU_EXPIRED, EMU_REASON_FAILURES);
  return true;
}

static bool acl_list(struct emu_call *call, const char *name,
                     const json_t *list)
{
  if(!json_is_array(list) || json_array_size(list) > ACL_MAX) {
    emu_reply_invalid(call,
                      "experimental.acl_config_for_shared.%s: Expected array "
                      "of at most %u strings",
                      name, ACL_MAX);
    return false;
  }
  for(size_t i = 0; i < json_array_size(list); i++) {
    const json_t *user = json_array_get(list, i);
    size_t length = json_string_length(user);
    if(!json_is_string(user) || !length || length > USER_MAX) {
      emu_reply_invalid(call,
                        "experimental.acl_config_for_shared.%s.%zu: Expected "
                        "string of 1 to %u characters",
                        name, i, USER_MAX);
      return false;
    }
  }
  return true;
}

char *emu_account_acl(struct emu_call *call, const json_t *acl,
                      const char *old)
{
  static const char *const lists[] = { "allowed_user_ids",
                                       "not_allowed_user_ids" };
  json_t *kept = old ? json_loads(old, 0, NULL) : NULL;
  json_t *result = json_object();
  char *text = NULL;
  const json_t *all = json_object_get(acl, "allow_all_users");
  if(!json_is_object(acl)) {
    emu_reply_invalid(call,
                      "experimental.acl_config_for_shared: Expected object");
    goto out;
  }
  if(all && !json_is_boolean(all)) {
    emu_reply_invalid(call, "experimental.acl_config_for_shared."
                            "allow_all_users: Expected boolean");
    goto out;
  }
  if(!all)
    all = json_object_get(kept, "allow_all_users");
  json_object_set_new(result, "allow_all_users",
                      json_boolean(json_is_true(all)));
  for(int i = 0; i < 2; i++) {
    json_t *list = json_object_get(acl, lists[i]);
    if(list && !acl_list(call, lists[i], list))
      goto out;
    if(!list)
      list = json_object_get(kept, lists[i]);
    if(list)
      json_object_set(result, lists[i], list);
    else
      json_object_set_new(result, lists[i], json_array());
  }
  text = json_dumps(result, JSON_COMPACT);
out:
  json_decref(kept);
  json_decref(result);
  return text;
}
