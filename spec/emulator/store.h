/* The state of the emulated project: accounts, auth configs, users.
   It must not know HTTP, JSON replies or files.
   Accounts are never freed: a deleted one is marked and stays, so that specs
   can ask what became of it. A slot is an account's number for life. */
#ifndef EMU_STORE_H
#define EMU_STORE_H

#include "map.h"
#include "order.h"
#include "words.h"

#define EMU_LINK_MS 600000 /* a login has ten minutes */

enum {
  EMU_SHARED = 1,
  EMU_DELETED = 2,
  EMU_DISABLED = 4,        /* what is_disabled tells */
  EMU_OWN_CREDENTIALS = 8, /* val holds them; nothing is made up */
  EMU_NO_USER = 16,        /* replies leave user_id out */
  EMU_DIRTY = 32,          /* not yet on disk */
  EMU_STUCK = 64           /* what is stored does not allow a refresh */
};

/* A login under way: what the browser's page needs to know. */
struct emu_flow {
  char token[16]; /* lk_… of a link, else empty */
  char code[12];  /* XXXXXXXX of /api/v3/s/XXXXXXXX, else empty */
  char *callback_url;
  char session[40]; /* session_… for complete_auth, else empty */
  int64_t session_until_ms;
};

struct emu_account {
  char id[16];
  int64_t created_ms;
  int64_t updated_ms;
  int64_t expires_ms; /* of the login under way; 0 when there is none */
  uint32_t config;
  uint32_t user;      /* index of its name */
  uint32_t next_same; /* next account of the same user */
  uint8_t status;     /* enum emu_status */
  uint8_t flags;
  const char *reason; /* interned or NULL */
  char *alias;
  char *val; /* JSON object of fields the caller gave, or NULL */
  char *acl; /* JSON object, or NULL: the default ACL */
  struct emu_flow *flow;
};

struct emu_config {
  char id[16];
  char uuid[40];
  const struct emu_toolkit *toolkit;
  const struct emu_scheme *scheme;
  char *name;
  char *credentials; /* JSON object or NULL */
  char *tools;       /* JSON object: tool_access_config, or NULL */
  char *shared;      /* JSON object: shared_credentials, or NULL */
  char *proxy;       /* JSON object: proxy_config, or NULL */
  bool managed;
  bool disabled;
  bool deleted;
  bool router; /* is_enabled_for_tool_router */
  int64_t created_ms;
  int64_t updated_ms;
  size_t connections; /* not deleted */
};

struct emu_user {
  char *name;
  uint32_t first; /* slot of the newest account */
};

/* Holds while the account's expires_ms is still the same: a login that ended
   or was renewed leaves a dead entry behind. */
struct emu_pending {
  int64_t due_ms;
  uint32_t slot;
};

struct emu_store {
  struct emu_account **chunks; /* pointers stay valid while it grows */
  struct emu_hot *hot;
  size_t accounts;
  size_t hot_room;
  struct emu_config **configs;
  size_t config_count;
  struct emu_user *users;
  size_t user_count;
  size_t user_room;
  char **reasons;
  size_t reason_count;
  struct emu_map by_id;
  struct emu_map by_user;
  struct emu_map by_config;
  struct emu_map by_token;
  char **tokens; /* owned keys of by_token */
  size_t token_count;
  size_t token_room;
  struct emu_order by_created;
  struct emu_order by_updated;
  struct emu_pending *pending; /* logins under way, the first due first */
  size_t pending_first;
  size_t pending_used;
  size_t pending_room;
  uint32_t *dirty; /* slots changed since the disk was told */
  size_t dirty_count;
  size_t dirty_room;
  bool configs_dirty;
  bool keep; /* is there a disk to tell? */
};

void emu_store_init(struct emu_store *store);
void emu_store_clear(struct emu_store *store);

struct emu_account *emu_store_at(const struct emu_store *store, uint32_t slot);
/* NULL when unknown; deleted ones are found too. */
struct emu_account *emu_store_find(const struct emu_store *store,
                                   const char *id);
uint32_t emu_store_slot(const struct emu_store *store,
                        const struct emu_account *account);
struct emu_config *emu_store_config(const struct emu_store *store,
                                    const char *id);
struct emu_config *emu_store_config_of(const struct emu_store *store,
                                       const struct emu_account *account);

/* Index of the user, made when new. */
uint32_t emu_store_user(struct emu_store *store, const char *name);
const char *emu_store_user_name(const struct emu_store *store,
                                const struct emu_account *account);

/* Appends a blank account with id, config, user and times set; the caller
   fills in the rest and then calls emu_store_enter once. */
struct emu_account *emu_store_new(struct emu_store *store, const char *id,
                                  uint32_t config, uint32_t user,
                                  int64_t now_ms);
void emu_store_enter(struct emu_store *store, struct emu_account *account);
/* The same without the row by updated_at, for loading in bulk; then once: */
void emu_store_enter_bulk(struct emu_store *store,
                          struct emu_account *account);
void emu_store_sort_updated(struct emu_store *store);
/* The account is to be written to disk. */
void emu_store_dirty(struct emu_store *store, struct emu_account *account);

/* Changes status, reason and updated_at. The reason is copied. */
void emu_store_set_status(struct emu_store *store, struct emu_account *account,
                          enum emu_status status, const char *reason,
                          int64_t now_ms);
void emu_store_touch(struct emu_store *store, struct emu_account *account,
                     int64_t now_ms);
void emu_store_delete(struct emu_store *store, struct emu_account *account,
                      int64_t now_ms);
const char *emu_store_reason(struct emu_store *store, const char *text);

/* Starts a login: the flow is made or renewed and due in ten minutes. */
struct emu_flow *emu_store_flow(struct emu_store *store,
                                struct emu_account *account, int64_t now_ms);
/* The token is copied; it leads to the account for good. */
void emu_store_token(struct emu_store *store, const char *token,
                     const struct emu_account *account);
struct emu_account *emu_store_by_token(const struct emu_store *store,
                                       const char *token);
/* An account whose ten minutes are over, or NULL. Each is told once. */
struct emu_account *emu_store_overdue(struct emu_store *store, int64_t now_ms);

/* Is the alias taken by another account of this user and toolkit? */
bool emu_store_alias_taken(const struct emu_store *store, uint32_t user,
                           const struct emu_toolkit *toolkit,
                           const char *alias, const struct emu_account *but);

struct emu_config *emu_store_add_config(struct emu_store *store,
                                        const char *id);

#endif
