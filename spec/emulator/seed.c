/* What an emulator starts with: auth configs, users, accounts.
   It must not know the operations.

   Everything an account gets is drawn from a stream of its own, (seed, its
   number): the same N and S give the same accounts, and account 7 of a
   thousand is account 7 of ten thousand. Times are ages before the start. */
#include "seed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  INT64_C(86400000)

/* One account before it has a place: they enter by age. */
struct draft {
  int64_t created_ms;
  int64_t updated_ms;
  uint32_t config;
  uint8_t status;
  uint8_t flags;
  const char *reason;
  const struct emu_cast *cast; /* or NULL */
  uint32_t number;
  char id[16];
};

static void add_configs(struct emu *emu, int64_t start_ms)
{
  for(size_t i = 0; i < emu_seed_config_count; i++) {
    const struct emu_seed_config *seed = &emu_seed_configs[i];
    struct emu_config *config = emu_store_add_config(&emu->store, seed->id);
    struct emu_random random =
        emu_random_for(emu->options.seed, emu_random_hash(seed->id));
    emu_random_uuid(&random, config->uuid);
    config->toolkit = emu_toolkit_parse(seed->toolkit);
    config->scheme = emu_scheme_at(seed->scheme);
    config->managed = seed->managed;
    config->disabled = seed->disabled;
    config->name = emu_copy(seed->name);
    config->credentials = emu_copy(seed->credentials);
    config->router = true;
    config->created_ms = start_ms - (600 - (int64_t)i) * DAY_MS;
    config->updated_ms = config->created_ms + DAY_MS;
  }
  emu->store.configs_dirty = true;
}

/* With --odd, one config whose scheme no client has heard of. */
static void add_odd_config(struct emu *emu, int64_t start_ms)
{
  struct emu_config *config =
      emu_store_add_config(&emu->store, "ac_OddPasskey_");
  struct emu_random random = emu_random_for(emu->options.seed, 99);
  emu_random_uuid(&random, config->uuid);
  config->toolkit = emu_toolkit_parse("salesforce");
  config->scheme = emu_scheme_at(EMU_PASSKEY);
  config->name = emu_copy("Of the future");
  config->created_ms = config->updated_ms = start_ms - DAY_MS;
}

static const char *usual_reason(const struct emu_scheme *scheme,
                                enum emu_status status, uint32_t dice)
{
  switch(status) {
  case EMU_FAILED:
    return EMU_REASON_CALLBACK;
  case EMU_INACTIVE:
    return EMU_REASON_USER;
  case EMU_REVOKED:
    return EMU_REASON_REVOKED;
  case EMU_EXPIRED:
    if(!scheme->login)
      return EMU_REASON_FAILURES;
    if(dice % 5 == 0)
      return EMU_REASON_TIMEOUT;
    return dice % 5 == 1 ? "OAuth refresh token expired" : EMU_REASON_REFRESH;
  default:
    return NULL;
  }
}

static void draft_cast(struct emu *emu, struct draft *draft, int64_t start_ms)
{
  const struct emu_cast *cast = draft->cast;
  draft->config = emu_map_find(&emu->store.by_config, cast->config);
  const struct emu_scheme *scheme = emu->store.configs[draft->config]->scheme;
  draft->status = (uint8_t)cast->status;
  draft->created_ms = start_ms - cast->created_hours * HOUR_MS;
  draft->updated_ms = start_ms - cast->updated_hours * HOUR_MS;
  draft->reason = usual_reason(scheme, cast->status, 2);
  if(cast->reason)
    draft->reason = !strcmp(cast->reason, "config") ? EMU_REASON_CONFIG
                                                    : EMU_REASON_TIMEOUT;
  if(cast->acl)
    draft->flags = EMU_SHARED;
}

static enum emu_status draw_status(const struct emu_config *config,
                                   struct emu_random *random)
{
  uint32_t dice = emu_random_below(random, 100);
  bool login = config->scheme->login;
  if(config->disabled)
    return EMU_INACTIVE;
  if(dice < 10)
    return EMU_EXPIRED;
  if(dice < 17)
    return EMU_INACTIVE;
  if(dice < 22)
    return login ? EMU_FAILED : EMU_ACTIVE;
  if(dice < 26)
    return config->scheme->id == EMU_OAUTH2 ? EMU_REVOKED : EMU_ACTIVE;
  if(dice < 28)
    return login ? EMU_INITIATED : EMU_ACTIVE;
  if(dice < 30)
    return login ? EMU_INITIALIZING : EMU_ACTIVE;
  return EMU_ACTIVE;
}

/* Ages: created up to 500 days ago, one in eight on the stroke of a day, so
   that exact ties exist; updated anywhere since, mostly lately. */
static void draw_times(struct draft *draft, struct emu_random *random,
                       int64_t start_ms)
{
  int64_t created =
      60000 + (int64_t)(emu_random_next(random) % (uint64_t)(500 * DAY_MS));
  if(emu_random_below(random, 8) == 0)
    created = (created / DAY_MS + 1) * DAY_MS;
  int64_t updated = (int64_t)(emu_random_next(random) % (uint64_t)created);
  if(emu_random_below(random, 3))
    updated /= 20;
  if(updated < 60000)
    updated = 60000;
  if(draft->status == EMU_INITIATED || draft->status == EMU_INITIALIZING) {
    /* Their ten minutes must not be over at the start. */
    updated = emu_random_below(random, 60) * 1000;
    if(draft->status == EMU_INITIALIZING || emu_random_below(random, 2))
      created = updated;
  }
  draft->created_ms = start_ms - created;
  draft->updated_ms = start_ms - updated;
}

static void draw(struct emu *emu, struct draft *draft, int64_t start_ms)
{
  struct emu_random random = emu_random_for(emu->options.seed, draft->number);
  draft->config = emu_random_below(&random, (uint32_t)emu_seed_config_count);
  const struct emu_config *config = emu->store.configs[draft->config];
  draft->status = (uint8_t)draw_status(config, &random);
  draft->reason =
      config->disabled
          ? EMU_REASON_CONFIG
          : usual_reason(config->scheme, (enum emu_status)draft->status,
                         emu_random_below(&random, 1000));
  if(emu_random_below(&random, 25) == 0)
    draft->flags = EMU_SHARED;
  draw_times(draft, &random, start_ms);
  if(!emu->options.odd || draft->number % 16 != 15)
    return;
  if(draft->number % 48 == 15)
    draft->status = EMU_PAUSED;
  else if(draft->number % 48 == 31)
    draft->flags |= EMU_NO_USER;
  else
    draft->config = (uint32_t)emu_seed_config_count;
  if(draft->status == EMU_PAUSED || draft->config == emu_seed_config_count) {
    draft->reason = NULL;
    if(draft->status != EMU_PAUSED)
      draft->status = EMU_ACTIVE;
  }
}

static void make_id(struct emu *emu, struct draft *draft)
{
  struct emu_random random =
      emu_random_for(emu->options.seed ^ 0x1d5eed, draft->number);
  if(draft->cast && draft->cast->id)
    snprintf(draft->id, sizeof(draft->id), "%s", draft->cast->id);
  else
    emu_random_id(&random, draft->id, "ca_", 12);
}

/* About three accounts a user; the shapes are those that break clients. */
static const char *draw_user(char *text, size_t room,
                             struct emu_random *random, uint32_t accounts)
{
  unsigned user = 1000 + emu_random_below(random, accounts / 3 + 1);
  switch(user % 24) {
  case 0:
    snprintf(text, room, "j\xc3\xb6s\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac %u",
             user);
    break;
  case 1:
    snprintf(text, room, "smith, john %u", user);
    break;
  case 2:
    snprintf(text, room, "a+b&c=d#e?f/g%%%u", user);
    break;
  case 3:
    snprintf(text, room, "\xf0\x9f\x98\x80 m\xc3\xbcller %u", user);
    break;
  case 4:
  case 5:
  case 6:
  case 7:
  case 8:
    snprintf(text, room, "person.%u@example.com", user);
    break;
  default:
    snprintf(text, room, "user_%u", user);
  }
  return text;
}

static char *draw_alias(struct emu_random *random, uint32_t number)
{
  char text[64];
  switch(emu_random_below(random, 10)) {
  case 0:
    snprintf(text, sizeof(text), "work %u", number);
    break;
  case 1:
    snprintf(text, sizeof(text), "b\xc3\xbcro \xe6\x97\xa5 %u", number);
    break;
  case 2:
    snprintf(text, sizeof(text), "=SUM(A1:A%u)", number);
    break;
  default:
    return NULL;
  }
  return emu_copy(text);
}

static void enter(struct emu *emu, const struct draft *draft)
{
  char made[96];
  struct emu_random random =
      emu_random_for(emu->options.seed ^ 0x05e6, draft->number);
  const struct emu_cast *cast = draft->cast;
  const char *user =
      cast ? cast->user
           : draw_user(made, sizeof(made), &random, emu->options.accounts);
  struct emu_account *account =
      emu_store_new(&emu->store, draft->id, draft->config,
                    emu_store_user(&emu->store, user), draft->created_ms);
  account->updated_ms = draft->updated_ms;
  account->status = draft->status;
  account->flags = draft->flags;
  if(draft->status == EMU_INACTIVE)
    account->flags |= EMU_DISABLED;
  account->reason = emu_store_reason(&emu->store, draft->reason);
  account->alias =
      cast ? emu_copy(cast->alias) : draw_alias(&random, draft->number);
  account->acl = cast ? emu_copy(cast->acl) : NULL;
  account->val = cast ? emu_copy(cast->val) : NULL;
  if(!cast && emu->store.configs[draft->config]->toolkit->field)
    account->val = emu_copy("{\"subdomain\":\"example\"}");
  bool login =
      account->status == EMU_INITIATED || account->status == EMU_INITIALIZING;
  if(login) {
    struct emu_flow *flow =
        emu_store_flow(&emu->store, account, draft->updated_ms);
    if(account->status == EMU_INITIALIZING || draft->number % 2)
      emu_random_id(&random, flow->token, "lk_", 12);
    else
      emu_random_plain(&random, flow->code, "", 8);
    emu_store_token(&emu->store, *flow->token ? flow->token : flow->code,
                    account);
  }
  emu_store_enter_bulk(&emu->store, account);
  emu_store_dirty(&emu->store, account);
}

static int by_age(const void *left, const void *right)
{
  const struct draft *a = left;
  const struct draft *b = right;
  if(a->created_ms != b->created_ms)
    return a->created_ms < b->created_ms ? -1 : 1;
  return strcmp(a->id, b->id);
}

void emu_seed(struct emu *emu)
{
  int64_t start_ms = emu_clock_now(&emu->clock);
  uint32_t count = emu->options.accounts;
  add_configs(emu, start_ms);
  if(emu->options.odd)
    add_odd_config(emu, start_ms);
  struct draft *drafts = emu_alloc(count * sizeof(*drafts));
  for(uint32_t i = 0; i < count; i++) {
    struct draft *draft = &drafts[i];
    draft->number = i;
    if(i < emu_seed_cast_count)
      draft->cast = &emu_seed_cast[i];
    make_id(emu, draft);
    if(draft->cast)
      draft_cast(emu, draft, start_ms);
    else
      draw(emu, draft, start_ms);
  }
  if(count)
    qsort(drafts, count, sizeof(*drafts), by_age);
  for(uint32_t i = 0; i < count; i++)
    enter(emu, &drafts[i]);
  free(drafts);
  emu_store_sort_updated(&emu->store);
}
