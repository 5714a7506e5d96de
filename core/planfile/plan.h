/* A saved plan: a run's bulks, items and changes as readable JSON lines in a
   file of mode 0600, and back into a ledger, of this machine or another. Holds
   no secret: bodies with credentials are there by fingerprint, and the salt of
   the fingerprints is sealed with the API key.
   Must not know: Lua, how changes are sent. */
#ifndef CA_PLAN_H
#define CA_PLAN_H

#include "base/text.h"
#include "ledger/ledger.h"

/* Of the file's layout; another one is refused. */
#define CA_PLAN_VERSION 1

/* The first line. Texts are the head's own, freed by ca_plan_head_clear. */
struct ca_plan_head {
  char *run;    /* the preview that made it */
  char *script; /* absolute path, or "undo:RUN" */
  char *word;   /* the script as it was named */
  char *script_sha;
  char *params; /* JSON object */
  char *project;
  char *base_url;
  char *undoes;    /* or NULL */
  int64_t changes; /* of the last line, checked with the whole file */
  unsigned char salt[CA_SALT_SIZE];
  bool salt_known; /* false: sealed with another API key */
};
void ca_plan_head_clear(struct ca_plan_head *head);

/* Writes the plan of the ledger's run to `path`, whole or not at all (a
   temporary file beside it, synced, renamed). A file that is there is
   replaced. */
CA_MUST_USE enum ca_code ca_plan_save(struct ca_ledger *ledger,
                                      const char *path,
                                      const struct ca_run_info *info,
                                      const char *run, struct ca_slice api_key,
                                      struct ca_err *err);
/* Reads the head and checks the whole file: every line, the counts and the
   digest in the last one. CA_USAGE names the line and what is wrong there. */
CA_MUST_USE enum ca_code ca_plan_read(const char *path,
                                      struct ca_slice api_key,
                                      struct ca_plan_head *head,
                                      struct ca_err *err);
/* Adds the file's items and changes to the ledger's open run, to be looked at;
   nothing of it stands yet. Read it with ca_plan_read before. */
CA_MUST_USE enum ca_code
ca_plan_load(const char *path, struct ca_ledger *ledger, struct ca_err *err);
/* What was loaded may be carried out: all bulks of the file stand when it
   returns. */
CA_MUST_USE enum ca_code
ca_plan_stand(const char *path, struct ca_ledger *ledger, struct ca_err *err);

#endif
