/* Saved plans: a run's bulks, items and changes, written as readable JSON
   lines to a file of mode 0600 and loaded into a ledger on this machine or
   another. The file has no secret: bodies with credentials are replaced by
   fingerprints, and the salt of the fingerprints is wrapped with the API key.
   It is sealed with a key that is derived from the API key, so nobody else can
   edit it.
   Must not know: Lua, how changes are sent. */
#ifndef CA_PLAN_H
#define CA_PLAN_H

#include "base/digest.h"
#include "base/text.h"
#include "ledger/ledger.h"

/* The version of the file's format; any other is refused. */
#define CA_PLAN_VERSION 2

/* The first line. ca_plan_head_clear frees its texts. */
struct ca_plan_head {
  const char *run;    /* the preview that made it */
  const char *script; /* absolute path, or "undo:RUN" */
  const char *word;   /* the script as named on the command line */
  const char *script_sha;
  const char *params;  /* JSON object */
  const char *options; /* the preview's options: a JSON object, or NULL */
  const char *cwd;     /* the directory of the options' relative paths, or
                          NULL */
  const char *project;
  const char *base_url;
  const char *undoes; /* or NULL */
  const char *redoes; /* the run whose failed rows it plans again, or NULL */
  char *texts;        /* owned: what the members above point into */
  int64_t changes;    /* number of changes, from the last line */
  unsigned char salt[CA_SALT_SIZE];
  bool salt_known; /* false: the salt is wrapped with another API key */
  bool sealed;     /* the seal is this API key's, and that of the lines */
  bool makes;      /* some planned change makes an account */
  char digest[CA_DIGEST_SIZE]; /* SHA-256 of the lines */
};
void ca_plan_head_clear(struct ca_plan_head *head);

/* Writes the plan of the ledger's run to `path`, completely or not at all: to
   a temporary file in the same directory, which is synced and renamed.
   Replaces an existing file. The ledger keeps the digest of the lines with the
   run. */
CA_MUST_USE enum ca_code
ca_planfile_write(struct ca_ledger *ledger, const char *path,
                  const struct ca_run_info *info, const char *run,
                  struct ca_slice api_key, struct ca_err *err);
/* Reads the head and checks the whole file: every line, and the counts and the
   digest in the last line. CA_USAGE with a message that names the line; for a
   plan of an older version, the head's texts are set, too. The caller checks
   head->sealed. */
CA_MUST_USE enum ca_code ca_plan_read(const char *path,
                                      struct ca_slice api_key,
                                      struct ca_plan_head *head,
                                      struct ca_err *err);
/* Adds the file's items and changes to the ledger's open run without sealing
   the bulks, so that they can be checked. `digest` is that of the head which
   ca_plan_read checked: CA_USAGE if the file has other lines now, and then the
   run must not go on. */
CA_MUST_USE enum ca_code ca_plan_load(const char *path,
                                      const char digest[CA_DIGEST_SIZE],
                                      struct ca_ledger *ledger,
                                      struct ca_err *err);
/* Seals all bulks of the file: what was loaded may now be carried out. The
   digest is the same; CA_USAGE as above, and then no bulk is sealed. redoes:
   the head's; those rows are closed in that run. CA_GATE if one of them is not
   open there any more. */
CA_MUST_USE enum ca_code ca_plan_seal_bulks(const char *path,
                                            const char digest[CA_DIGEST_SIZE],
                                            struct ca_ledger *ledger,
                                            const char *redoes,
                                            struct ca_err *err);

#endif
