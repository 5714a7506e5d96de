/* The fixed words of the service: statuses, auth schemes, toolkits, reasons.
   It must not know accounts; tables only. */
#ifndef EMU_WORDS_H
#define EMU_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum emu_status {
  EMU_INITIALIZING,
  EMU_INITIATED,
  EMU_ACTIVE,
  EMU_FAILED,
  EMU_EXPIRED,
  EMU_INACTIVE,
  EMU_REVOKED,
  EMU_PAUSED, /* unknown to every client, seeded with --odd only */
  EMU_STATUSES
};

/* What POST .../refresh does to an account of the scheme. */
enum emu_renewal {
  EMU_RENEW_LOGIN, /* starts a new login: INITIATED */
  EMU_RENEW_ALONE, /* needs nobody: ACTIVE */
  EMU_RENEW_NEVER  /* 409 */
};

enum emu_scheme_id {
  EMU_OAUTH2,
  EMU_OAUTH1,
  EMU_API_KEY,
  EMU_BASIC,
  EMU_BEARER_TOKEN,
  EMU_S2S_OAUTH2,
  EMU_GOOGLE_SERVICE_ACCOUNT,
  EMU_NO_AUTH,
  EMU_DCR_OAUTH,
  EMU_SERVICE_ACCOUNT,
  EMU_BASIC_WITH_JWT,
  EMU_BILLCOM_AUTH,
  EMU_CALCOM_AUTH,
  EMU_SAML,
  EMU_CIMD_OAUTH,
  EMU_PASSKEY, /* unknown to every client, seeded with --odd only */
  EMU_SCHEMES
};

struct emu_scheme {
  enum emu_scheme_id id;
  const char *name;
  enum emu_renewal renewal;
  bool login;        /* a person must log in: create answers a redirect */
  bool retired;      /* POST create refuses it on managed auth configs */
  bool patchable;    /* PATCH may replace its credentials */
  const char *needs; /* comma-joined val keys an ACTIVE state must have */
};

struct emu_toolkit {
  const char *slug;
  const char *name;
  bool managed;      /* a Composio-managed OAuth2 app exists */
  bool revocable;    /* its provider can revoke tokens */
  const char *field; /* required connection field, or NULL */
  const char *field_name;
  const char *token_prefix;
  const char *scope;
  const char *base_url;
  const char *test_endpoint; /* or NULL */
};

extern const char *const EMU_REASON_TIMEOUT;
extern const char *const EMU_REASON_REFRESH;
extern const char *const EMU_REASON_FAILURES;
extern const char *const EMU_REASON_CALLBACK;
extern const char *const EMU_REASON_USER;
extern const char *const EMU_REASON_CONFIG;
extern const char *const EMU_REASON_REVOKED;

const char *emu_status_name(enum emu_status status);
/* EMU_STATUSES when it is none of the seven documented ones. */
enum emu_status emu_status_parse(const char *name);
const struct emu_scheme *emu_scheme_at(enum emu_scheme_id id);
const struct emu_scheme *emu_scheme_parse(const char *name);
/* Slugs compare without case. */
const struct emu_toolkit *emu_toolkit_parse(const char *slug);
/* Is this key of a state's val a secret? */
bool emu_words_secret(const char *key);
/* Is this key one that PATCH accepts in val? */
bool emu_words_credential(const char *key);

#endif
