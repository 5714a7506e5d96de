/* What an emulator starts with: auth configs, users, accounts.
   It must not know the operations. */
#ifndef EMU_SEED_H
#define EMU_SEED_H

#include "emu.h"

/* The first accounts are always the same people, so that small projects hold
   every case and specs may name them. */
struct emu_cast {
  const char *config;
  const char *user;
  enum emu_status status;
  const char *alias;
  const char *reason;    /* NULL: the usual one of the status */
  int32_t created_hours; /* age */
  int32_t updated_hours;
  const char *id;  /* NULL: made from the seed */
  const char *acl; /* given: the account is SHARED */
  const char *val; /* fields besides the credentials */
};

struct emu_seed_config {
  const char *id;
  const char *toolkit;
  enum emu_scheme_id scheme;
  bool managed;
  bool disabled;
  const char *name;
  const char *credentials;
};

extern const struct emu_cast emu_seed_cast[];
extern const size_t emu_seed_cast_count;
extern const struct emu_seed_config emu_seed_configs[];
extern const size_t emu_seed_config_count;

/* Fills an empty store as the options say. */
void emu_seed(struct emu *emu);

#endif
