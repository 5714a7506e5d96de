/* Reads a saved plan strictly, line by line, so that memory does not grow with
   the plan. A file that differs from what was saved is refused. Must not know:
   what is done with the plan. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/digest.h"
#include "base/json.h"
#include "planfile/plan_private.h"
#include "wire/request.h"

#define BULK_MOST 1000000

static enum ca_code bad_line(const struct ca_plan_reader *reader,
                             struct ca_err *err, const char *why)
{
  return ca_err_set(
      err, CA_USAGE,
      "the plan %s is damaged or was edited: line %lld: %s; save "
      "it again with run --save-plan",
      reader->path, (long long)reader->number, why);
}

/* ---- the file ---- */

enum ca_code ca_planfile_read_open(struct ca_plan_reader *reader,
                                   const char *path, struct ca_err *err)
{
  struct stat info;

  memset(reader, 0, sizeof(*reader));
  ca_buf_init(&reader->text, CA_PLAN_LINE);
  reader->path = path;
  /* without O_NONBLOCK, open would wait for a pipe's writer */
  reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if(reader->fd < 0 || fstat(reader->fd, &info))
    return ca_err_set(err, CA_USAGE,
                      "cannot read the plan %s: %s; give a file that run "
                      "--save-plan has written",
                      path, strerror(errno));
  if(!S_ISREG(info.st_mode))
    return ca_err_set(
        err, CA_USAGE,
        "cannot read the plan %s: it is %s; give a file that "
        "run --save-plan has written",
        path, S_ISDIR(info.st_mode) ? "a directory" : "not a plain file");
  reader->digest = ca_digest_new();
  return reader->digest ? CA_OK : ca_err_set(err, CA_NOMEM, "out of memory");
}

void ca_planfile_read_close(struct ca_plan_reader *reader)
{
  if(reader->fd >= 0)
    close(reader->fd);
  ca_digest_free(reader->digest);
  ca_buf_clear(&reader->text);
  free(reader->room);
  free(reader->bulks);
}

/* Reads the next line, without its newline. *more is false at the end of the
   file; CA_USAGE if the file must not end there. */
static enum ca_code read_text(struct ca_plan_reader *reader, bool *more,
                              struct ca_err *err)
{
  const char *newline = NULL;

  ca_buf_reset(&reader->text);
  reader->number++;
  for(*more = true; !newline;) {
    const char *from = reader->piece + reader->at;
    ssize_t len = (ssize_t)(reader->end - reader->at);
    enum ca_code code;
    if(!len) {
      len = read(reader->fd, reader->piece, sizeof(reader->piece));
      if(len < 0 && errno == EINTR)
        continue;
      if(len < 0)
        return ca_err_set(err, CA_SYSTEM, "cannot read the plan %s: %s",
                          reader->path, strerror(errno));
      if(!len)
        break;
      reader->at = 0;
      reader->end = (size_t)len;
      continue;
    }
    newline = memchr(from, '\n', (size_t)len);
    if(newline)
      len = newline - from;
    code = ca_buf_add(&reader->text, from, (size_t)len);
    if(code == CA_USAGE)
      return bad_line(reader, err, "it is longer than any line of a plan");
    if(code)
      return ca_err_set(err, code, "out of memory");
    reader->at += (size_t)len + (newline ? 1 : 0);
  }
  *more = newline != NULL;
  if(*more || (reader->ended && !reader->text.len))
    return CA_OK;
  if(reader->text.len)
    return bad_line(reader, err, "the file ends in this line");
  return bad_line(reader, err,
                  reader->number == 1 ? "the file is empty"
                                      : "the file ends before its last line");
}

/* ---- checks ----
   Each returns what is wrong with the current line, or NULL. */

static const char no_memory[] = "out of memory";

static const char *check_head(struct ca_plan_reader *reader)
{
  const struct ca_plan_line *line = &reader->line;
  int64_t made_ms;

  if(!ca_clock_parse(line->made, &made_ms))
    return "\"made\" is not a time";
  if(line->head.params[0] != '{')
    return "\"params\" is not an object";
  if(line->head.options && line->head.options[0] != '{')
    return "\"options\" is not an object";
  if(strlen(line->salt) != (size_t)CA_SALT_SIZE * 2 ||
     strlen(line->salt_check) != CA_DIGEST_SIZE - 1)
    return "\"salt\" has the wrong length";
  return NULL;
}

static const char *check_bulk(struct ca_plan_reader *reader)
{
  struct ca_plan_line *line = &reader->line;
  struct ca_bulk *bulk = &line->bulk;
  struct ca_bulk *bulks = reader->bulks;
  int64_t count = reader->seen.bulks;

  if(reader->seen.items)
    return "a bulk follows the first item";
  if(line->number < 1 || line->number > BULK_MOST ||
     (count && line->number <= bulks[count - 1].number))
    return "bulks are not numbered in ascending order";
  if(strlen(line->bulk_name) >= sizeof(bulk->name) ||
     strlen(line->bulk_kind) >= sizeof(bulk->kind))
    return "the bulk's name or kind is too long";
  if(!(count & (count - 1))) /* twice the memory at each power of two */
    bulks = realloc(bulks, (size_t)(count ? 2 * count : 1) * sizeof(*bulks));
  if(!bulks)
    return no_memory;
  bulk->number = (int)line->number;
  ca_text_copy(bulk->name, sizeof(bulk->name), line->bulk_name);
  ca_text_copy(bulk->kind, sizeof(bulk->kind), line->bulk_kind);
  bulks[count] = *bulk;
  reader->bulks = bulks;
  reader->seen.bulks++;
  return NULL;
}

/* Was there a line for this bulk? Straight-line items are in bulk 0. */
static bool is_known(const struct ca_plan_reader *reader, int64_t number)
{
  int64_t low = 0;
  int64_t high = reader->seen.bulks;

  while(low < high) {
    int64_t middle = (low + high) / 2;
    if(reader->bulks[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return !number ||
         (low < reader->seen.bulks && reader->bulks[low].number == number);
}

/* Reads an outcome that a line may give; `allowed` is a set of them. Without
   one it is CA_PLANNED. */
static bool take_outcome(const char *name, unsigned allowed,
                         enum ca_outcome *outcome)
{
  int i = 0;

  *outcome = CA_PLANNED;
  while(name && i < CA_OUTCOME_COUNT &&
        strcmp(ca_change_outcome_name((enum ca_outcome)i), name) != 0)
    i++;
  if(name && (allowed & 1U << i))
    *outcome = (enum ca_outcome)i;
  return !name || *outcome != CA_PLANNED;
}

static const char *check_item(struct ca_plan_reader *reader)
{
  struct ca_plan_line *line = &reader->line;

  if(line->number != reader->seen.items + 1)
    return "items are not numbered consecutively";
  if(!is_known(reader, line->item_bulk))
    return "no earlier line has the item's bulk";
  if(!*line->item.key)
    return "the item's key is empty";
  if(!take_outcome(line->outcome,
                   1U << CA_FAILED | 1U << CA_SKIPPED | 1U << CA_PENDING,
                   &line->verdict))
    return "\"verdict\" is not one that a plan can have";
  line->item.bulk = (int)line->item_bulk;
  reader->any_change = false;
  reader->seen.items++;
  return NULL;
}

/* Converts the change's words to enumerations. */
static const char *take_words(struct ca_plan_line *line)
{
  struct ca_change *change = &line->change;

  change->api = ca_api_of_label(line->operation);
  if(!change->api)
    return "this version of composio-lua has no such operation";
  if(!strcmp(line->cost, ca_api_class_name(CA_IRREVERSIBLE)))
    change->cost = CA_IRREVERSIBLE;
  else if(!strcmp(line->cost, ca_api_class_name(CA_REVERSIBLE)))
    change->cost = CA_REVERSIBLE;
  else
    return "\"class\" is not known";
  if(!take_outcome(line->outcome, 1U << CA_SAME | 1U << CA_SKIPPED,
                   &change->outcome))
    return "\"outcome\" is not one that a plan can have";
  return NULL;
}

/* Checks whether the change may be sent, as far as the file tells. */
static const char *check_change(struct ca_plan_reader *reader)
{
  const struct ca_change *change = &reader->line.change;
  struct ca_slice id = ca_slice_of(change->account);
  const char *why = take_words(&reader->line);

  if(!reader->seen.items)
    return "a change precedes the first item";
  if(why)
    return why;
  if(!ca_api_mutates(change->api))
    return "the operation changes nothing";
  if(ca_api_creates(change->api) && id.len)
    return "the operation does not belong to an account";
  if(ca_api_has_id(change->api) &&
     ca_request_check_id(id, "account", &reader->why))
    return reader->why.text;
  why = ca_planfile_check(change);
  if(why)
    return why;
  if(change->fallback && !reader->any_change)
    return "a fallback without a change before it";
  reader->any_change = !change->fallback;
  ca_line_count(&reader->seen, change->outcome, change);
  return NULL;
}

static const char *check_end(struct ca_plan_reader *reader)
{
  const struct ca_plan_line *line = &reader->line;
  char real[CA_DIGEST_SIZE];

  ca_digest_end(reader->digest, real);
  reader->digest = NULL;
  if(strcmp(real, line->digest) != 0)
    return "the digest does not match: an earlier line was changed";
  if(memcmp(&line->counts, &reader->seen, sizeof(reader->seen)) != 0)
    return "the counts do not match the lines";
  reader->ended = true;
  return NULL;
}

/* ---- lines ---- */

/* Finds the kind of the line by its first member, whose value is *value. */
static const char *take_kind(struct ca_plan_reader *reader,
                             struct ca_slice text, struct ca_slice *value)
{
  struct ca_json_scan scan = { text.data, text.data + text.len };
  struct ca_slice key;
  bool first = true;

  if(!text.len)
    return "it is empty";
  if(memchr(text.data, 0, text.len))
    return "it contains a NUL byte";
  if(!ca_text_is_utf8(text, NULL))
    return "it is not valid UTF-8";
  if(reader->ended)
    return "something follows the last line";
  if(!ca_json_enter(&scan, '{') || ca_json_member(&scan, &first, &key) != 1 ||
     ca_json_value(&scan, value) == CA_JSON_BAD)
    return "it is not a JSON object";
  memset(&reader->line, 0, sizeof(reader->line));
  reader->line.kind = ca_line_kind(key);
  if((reader->line.kind == CA_PLAN_HEAD) != (reader->number == 1))
    return reader->number == 1 ? "it is not the head of a plan"
                               : "a second head";
  return reader->line.kind == CA_PLAN_KINDS
             ? "a line of a plan does not begin like this"
             : NULL;
}

/* Refuses another version of the format before anything else is checked. */
static enum ca_code check_version(const struct ca_plan_reader *reader,
                                  struct ca_slice value, struct ca_err *err)
{
  char said[48];
  long long version;

  ca_text_printable(said, sizeof(said), value.data, value.len);
  version = strtoll(said, NULL, 10);
  if(version == CA_PLAN_VERSION)
    return CA_OK;
  if(version > CA_PLAN_VERSION)
    return ca_err_set(err, CA_USAGE,
                      "the plan %s has layout %s, this composio-lua reads %d: "
                      "apply it with the version that saved it, or save it "
                      "again",
                      reader->path, said, CA_PLAN_VERSION);
  return ca_err_set(err, CA_USAGE,
                    "refused: the plan %s has layout %s of an older "
                    "composio-lua, which anybody could edit: plan again",
                    reader->path, said);
}

static const char *take_members(struct ca_plan_reader *reader,
                                struct ca_slice text)
{
  static const char *(*const checks[])(struct ca_plan_reader *) = {
    [CA_PLAN_HEAD] = check_head,     [CA_PLAN_BULK] = check_bulk,
    [CA_PLAN_ITEM] = check_item,     [CA_PLAN_END] = check_end,
    [CA_PLAN_CHANGE] = check_change,
  };

  if(text.len >= reader->room_size) {
    char *room = realloc(reader->room, text.len + 1);
    if(!room)
      return no_memory;
    reader->room = room;
    reader->room_size = text.len + 1;
  }
  return ca_line_read(text, &reader->line, reader->room, &reader->why)
             ? checks[reader->line.kind](reader)
             : reader->why.text;
}

enum ca_code ca_planfile_read_next(struct ca_plan_reader *reader, bool *more,
                                   struct ca_err *err)
{
  struct ca_slice text, value;
  const char *why;
  enum ca_code code = read_text(reader, more, err);

  if(code || !*more)
    return code;
  text.data = reader->text.data;
  text.len = reader->text.len;
  why = take_kind(reader, text, &value);
  if(!why && reader->line.kind == CA_PLAN_HEAD)
    code = check_version(reader, value, err);
  if(!why) {
    why = take_members(reader, text);
    if(code) /* an older head is read for the command that plans again */
      return code;
  }
  if(why == no_memory)
    return ca_err_set(err, CA_NOMEM, "out of memory");
  if(why)
    return bad_line(reader, err, why);
  if(!code && !reader->ended) {
    ca_digest_add(reader->digest, text.data, text.len);
    ca_digest_add(reader->digest, "\n", 1);
  }
  return code;
}
