/* Where the API key comes from. Knows nothing of clients.
   Never from the command line, where everybody can read it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "module/client.h"

#define KEY_MAX 4096

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum ca_code add_trimmed(struct ca_buf *key, const char *text,
                                size_t len, struct ca_err *err)
{
  enum ca_code code;
  while(len && is_blank(text[len - 1]))
    len--;
  while(len && is_blank(*text)) {
    text++;
    len--;
  }
  code = len ? ca_buf_add(key, text, len) : CA_OK;
  if(code)
    return ca_err_set(err, code, "the API key is too long");
  return CA_OK;
}

/* closed: the file must be closed to all but its owner. */
static enum ca_code read_key(FILE *file, const char *path, bool closed,
                             struct ca_buf *key, struct ca_err *err)
{
  char text[KEY_MAX + 1];
  struct stat facts;
  enum ca_code code;
  size_t len;

  if(fstat(fileno(file), &facts))
    return ca_err_set(err, CA_SYSTEM, "%s: %s", path, strerror(errno));
  if(!S_ISREG(facts.st_mode) && closed)
    return ca_err_set(err, CA_USAGE, "%s: not a file", path);
  if(closed && facts.st_mode & (S_IRGRP | S_IROTH))
    return ca_err_set(err, CA_USAGE,
                      "%s: others can read it (mode %04o), so the key in it "
                      "is no secret; chmod 600 it",
                      path, (unsigned)facts.st_mode & 07777U);
  len = fread(text, 1, sizeof(text), file);
  if(ferror(file))
    code = ca_err_set(err, CA_SYSTEM, "%s: it cannot be read", path);
  else if(len > KEY_MAX)
    code = ca_err_set(err, CA_USAGE, "%s: too long to be an API key", path);
  else
    code = add_trimmed(key, text, len, err);
  ca_wipe(text, sizeof(text));
  if(!code && !key->len)
    code = ca_err_set(err, CA_USAGE, "%s: it holds no key", path);
  return code;
}

static enum ca_code key_from_file(const char *path, bool closed,
                                  struct ca_buf *key, struct ca_err *err)
{
  FILE *file = fopen(path, "rbe");
  enum ca_code code;
  if(!file)
    return ca_err_set(err, CA_USAGE, "%s: %s", path, strerror(errno));
  setvbuf(file, NULL, _IONBF, 0); /* no copy of the key in a freed buffer */
  code = read_key(file, path, closed, key, err);
  fclose(file);
  return code;
}

enum ca_code lca_client_find_key(const char *file, struct ca_buf *key,
                                 struct ca_err *err)
{
  const char *directory = getenv("CREDENTIALS_DIRECTORY");
  const char *variable = getenv("COMPOSIO_API_KEY");
  struct stat facts;
  char path[4096];

  ca_buf_init(key, KEY_MAX);
  if(file)
    return key_from_file(file, true, key, err);
  if(directory && *directory) {
    int len = snprintf(path, sizeof(path), "%s/composio-api-key", directory);
    /* the service manager keeps others out of the directory itself, and its
       access lists look like group permissions */
    if(len > 0 && (size_t)len < sizeof(path) && !stat(path, &facts))
      return key_from_file(path, false, key, err);
  }
  if(variable)
    return add_trimmed(key, variable, strlen(variable), err);
  return CA_OK;
}
