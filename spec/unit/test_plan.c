/* Saved plans: what goes into a file comes out of it, in another ledger too,
   and nothing comes out of a file that is not what was saved.
   Must not know: how lines look, but for those that are forged. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include "base/digest.h"
#include "ledger_case.h"
#include "planfile/plan_private.h"

static const struct ca_slice key = { "ak_1234567890", 13 };
static const struct ca_slice other_key = { "ak_1234567891", 13 };

static const struct ca_run_info info = {
  .script = "/j/idl\xC3\xA9.lua",
  .word = "idl\xC3\xA9",
  .cwd = "/j",
  .script_sha = "abc",
  .params = "{\"days\":90,\"who\":\"a\\\"b\"}",
  .options = "{}",
  .mode = "preview",
  .who = "kim",
  .host = "box",
  .project = "0123456789abcdef",
  .base_url = "https://h/\xE2\x82\xAC",
  .undoes = "2026-11-21T0600-a-k3f",
  .version = "0.1.0"
};

static const char *plan_path(void)
{
  return scratch_path("my plan.jsonl");
}

static enum ca_code save(void)
{
  return ca_planfile_write(ledger, plan_path(), &info, run_id, key, &err);
}

static enum ca_code read_plan(struct ca_plan_head *head)
{
  ca_err_clear(&err);
  return ca_plan_read(plan_path(), key, head, &err);
}

/* ---- a ledger with all that there can be ---- */

static int64_t put_item(struct ca_item item)
{
  int64_t number = -1;
  CHECK_INT(ca_plan_rows_add_item(ledger, &item, &number, &err), CA_OK);
  return number;
}

static void put_change(int64_t item, const char *resource, const char *name,
                       struct ca_change change)
{
  int64_t number = -1;
  change.api = ca_api_find(resource, name);
  if(change.cost == CA_READ)
    change.cost = change.api->cost;
  CHECK_INT(ca_plan_rows_add_change(ledger, item, &change, &number, &err),
            CA_OK);
}

#define ON_ACCOUNT "connected_accounts"

static void put_stand(int number, const char *name)
{
  struct ca_bulk bulk = { .number = number,
                          .kind = "accounts",
                          .selected = 9,
                          .planned = 5,
                          .same = 3,
                          .skipped = 2,
                          .failed = 1 };
  ca_err_copy_text(bulk.name, sizeof(bulk.name), name, strlen(name));
  CHECK_INT(ca_plan_rows_seal(ledger, &bulk, &err), CA_OK);
}

static void fill_accounts(void)
{
  int64_t item = put_item((struct ca_item){ .bulk = 1,
                                            .key = "ca_1",
                                            .account = "ca_1",
                                            .user = "jos\xC3\xA9, \"x\"\n",
                                            .toolkit = "gmail",
                                            .scheme = "OAUTH2",
                                            .status = "ACTIVE",
                                            .alias = "",
                                            .status_reason = "Max, auth",
                                            .flags = 15,
                                            .created_ms = 1700000000001,
                                            .updated_ms = 1700000000002 });
  put_change(item, ON_ACCOUNT, "delete",
             (struct ca_change){ .account = "ca_1",
                                 .query = "revoke_on_delete=true",
                                 .reason = "",
                                 .line = "idle.lua:12",
                                 .before = "ACTIVE",
                                 .before_image = "{\"alias\":\"w\"}" });
  put_change(item, ON_ACCOUNT, "disable",
             (struct ca_change){ .account = "ca_1", .fallback = true });
  put_change(item, ON_ACCOUNT, "update",
             (struct ca_change){ .account = "ca_2",
                                 .body = "{\"alias\":\"\xF0\x9F\x98\x80\"}",
                                 .before_image = "{not json" });
  put_change(item, ON_ACCOUNT, "update",
             (struct ca_change){ .account = "ca_1",
                                 .fingerprint = "f00d",
                                 .cost = CA_IRREVERSIBLE });
  put_change(item, ON_ACCOUNT, "enable",
             (struct ca_change){ .account = "ca_1", .outcome = CA_SAME });
  put_change(item, "auth_configs", "disable",
             (struct ca_change){ .account = "ac_1",
                                 .outcome = CA_SKIPPED,
                                 .reason = "protected" });
}

static void fill(void)
{
  int64_t item;

  item = put_item((struct ca_item){ .key = "call 1", .account = "ca_9" });
  put_change(item, ON_ACCOUNT, "disable",
             (struct ca_change){ .account = "ca_9", .line = "idle.lua:3" });
  fill_accounts();
  item = put_item((struct ca_item){ .bulk = 1, .key = "failed" });
  CHECK_INT(ca_outcome_record_item(ledger, item, CA_FAILED, "no", &err),
            CA_OK);
  put_stand(1, "first \"bulk\"");
  item = put_item((struct ca_item){
      .bulk = 3, .key = "row, 7", .row = "{\"a\": [1,null]}" });
  put_change(item, ON_ACCOUNT, "link",
             (struct ca_change){ .account = "",
                                 .user = "u",
                                 .config = "ac_1",
                                 .body = "{\"user_id\":\"u\","
                                         "\"auth_config_id\":\"ac_1\"}",
                                 .before_image = "{\"active\":0}" });
  put_item((struct ca_item){ .bulk = 3, .key = "x", .row = "a\nb" });
  put_stand(3, "third");
  item = put_item((struct ca_item){ .key = "call 2" });
  put_change(item, "auth_configs", "update",
             (struct ca_change){ .account = "ac_1",
                                 .fingerprint = "beef",
                                 .cost = CA_IRREVERSIBLE });
  put_stand(4, "empty");
}

static void start_full(void)
{
  fake_clock_init(&fake);
  scratch_make();
  open_ledger();
  CHECK_INT(ca_run_begin(ledger, &info, run_id, sizeof(run_id), &err), CA_OK);
  fill();
}

/* ---- a ledger as one text ---- */

static char *dumped;
static size_t dump_len;
static FILE *dump_file;

static void dump_text(const char *name, const char *text)
{
  if(text)
    fprintf(dump_file, " %s=<%s>", name, text);
}

static void dump_change(const struct ca_change_row *row)
{
  const struct ca_change *change = &row->change;
  fprintf(dump_file, "\nchange %lld %s.%s %s %d %d", (long long)row->number,
          change->api->resource, change->api->name,
          ca_change_outcome_name(row->outcome), change->cost,
          change->fallback);
  dump_text("account", change->account);
  dump_text("user", change->user);
  dump_text("config", change->config);
  dump_text("query", change->query);
  dump_text("body", change->body);
  dump_text("fingerprint", change->fingerprint);
  dump_text("reason", change->reason);
  dump_text("line", change->line);
  dump_text("before", change->before);
  dump_text("image", change->before_image);
}

static void dump_bulk(const struct ca_bulk *bulk)
{
  fprintf(dump_file, "\nbulk %d <%s> <%s> %lld %lld %lld %lld %lld",
          bulk->number, bulk->name, bulk->kind, (long long)bulk->selected,
          (long long)bulk->planned, (long long)bulk->same,
          (long long)bulk->skipped, (long long)bulk->failed);
}

static void dump_item(int64_t number, const struct ca_item *item)
{
  enum ca_outcome verdict;
  fprintf(dump_file, "\nitem %lld bulk %d flags %u %lld %lld",
          (long long)number, item->bulk, item->flags,
          (long long)item->created_ms, (long long)item->updated_ms);
  dump_text("key", item->key);
  dump_text("account", item->account);
  dump_text("user", item->user);
  dump_text("toolkit", item->toolkit);
  dump_text("scheme", item->scheme);
  dump_text("status", item->status);
  dump_text("alias", item->alias);
  dump_text("status_reason", item->status_reason);
  dump_text("row", item->row);
  CHECK_INT(ca_outcome_of_item(ledger, number, &verdict, &err), CA_OK);
  dump_text("verdict", ca_change_outcome_name(verdict));
}

/* Owned by the caller. */
static char *dump(void)
{
  struct ca_changes changes;
  const struct ca_change_row *row = NULL;
  struct ca_bulk bulk = { 0 };
  struct ca_item item;
  int64_t number;

  dump_file = open_memstream(&dumped, &dump_len);
  while(CHECK_INT(ca_read_bulk(ledger, bulk.number + 1, &bulk, &err), CA_OK) &&
        bulk.number)
    dump_bulk(&bulk);
  for(number = 1; !ca_read_item(ledger, number, &item, &err); number++)
    dump_item(number, &item);
  ca_changes_open(&changes, ledger, -1, CA_ANY_OUTCOME);
  while(CHECK_INT(ca_changes_next(&changes, &row, &err), CA_OK) && row)
    dump_change(row);
  ca_changes_close(&changes);
  fclose(dump_file);
  return dumped;
}

/* ---- files ---- */

/* Owned by the caller. */
static char *read_file(size_t *len)
{
  FILE *file = fopen(plan_path(), "r");
  char *text = calloc(1, 1 << 20);
  *len = file ? fread(text, 1, (1 << 20) - 1, file) : 0;
  CHECK(*len > 0);
  if(file)
    fclose(file);
  return text;
}

static void write_file(const char *text, size_t len)
{
  FILE *file = fopen(plan_path(), "w");
  CHECK(file && fwrite(text, 1, len, file) == len);
  if(file)
    fclose(file);
}

/* How many files there are whose name begins like the plan's. */
static int plan_files(void)
{
  DIR *dir = opendir(scratch_dir);
  struct dirent *entry;
  int count = 0;
  while(dir && (entry = readdir(dir)))
    count += !strncmp(entry->d_name, "my plan", 7);
  closedir(dir);
  return count;
}

/* The plan is not read, and says why. */
static void refused(const char *words)
{
  struct ca_plan_head head;
  CHECK_INT(read_plan(&head), CA_USAGE);
  CHECK_HOLDS(err.text, words);
  CHECK_HOLDS(err.text, plan_path());
  CHECK(!head.run);
}

/* Replaces `from` where it stands first, and makes digest and seal right
 * again. */
static void forge(const char *text, const char *from, const char *to)
{
  const char *at = strstr(text, from);
  char *forged = calloc(1, 1 << 20);
  char digest[CA_DIGEST_SIZE];
  char seal[CA_DIGEST_SIZE];
  char *sum, *last;

  if(!CHECK(at != NULL)) {
    printf("  %s\n", from);
    exit(1);
  }
  snprintf(forged, 1 << 20, "%.*s%s%s", (int)(at - text), text, to,
           at + strlen(from));
  last = strstr(forged, "{\"end\"");
  sum = last ? strstr(last, "\"sha256\":\"") : NULL;
  if(sum) {
    ca_digest_bytes(forged, (size_t)(last - forged), digest);
    memcpy(sum + 10, digest, 64);
    ca_plan_seal(key, digest, seal);
    memcpy(strstr(last, "\"seal\":\"") + 8, seal, 64);
  }
  write_file(forged, strlen(forged));
  free(forged);
}

/* ---- there and back ---- */

static void begin_applying(const struct ca_plan_head *head)
{
  struct ca_run_info applied = info;
  applied.mode = "apply";
  applied.salt = head->salt;
  CHECK_INT(ca_run_begin(ledger, &applied, run_id, sizeof(run_id), &err),
            CA_OK);
}

static void all_comes_back(void)
{
  struct ca_plan_head head;
  char file[4608];
  char *before, *after;

  start_full();
  before = dump();
  CHECK_INT(save(), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(read_plan(&head), CA_OK);
  snprintf(file, sizeof(file), "%s", plan_path());
  ca_ledger_close(ledger);
  ledger = ca_ledger_open(scratch_path("other"), &fake.clock, &err);
  CHECK(ledger != NULL);
  begin_applying(&head);
  CHECK_INT(ca_plan_load(file, head.digest, ledger, &err), CA_OK);
  CHECK_INT(ca_plan_seal_bulks(file, head.digest, ledger, NULL, &err), CA_OK);
  after = dump();
  CHECK_TEXT(after, before);
  CHECK_HOLDS(after, "call 2"); /* it is not empty */
  CHECK_HOLDS(after, "verdict=<failed>");
  ca_ledger_close(ledger);
  /* on disk, and gone on with */
  ledger = ca_ledger_open(scratch_path("other"), &fake.clock, &err);
  CHECK_INT(ca_run_reopen(ledger, run_id, "sam", "x", &err), CA_OK);
  free(after);
  after = dump();
  CHECK_TEXT(after, before);
  ca_plan_head_clear(&head);
  free(before);
  free(after);
  stop();
}

static void heads_come_back(void)
{
  struct ca_plan_head head;
  unsigned char salt[CA_SALT_SIZE];

  start_full();
  CHECK_INT(save(), CA_OK);
  CHECK_INT(read_plan(&head), CA_OK);
  CHECK_TEXT(head.run, run_id);
  CHECK_TEXT(head.script, info.script);
  CHECK_TEXT(head.word, info.word);
  CHECK_TEXT(head.script_sha, "abc");
  CHECK_TEXT(head.params, info.params);
  CHECK_TEXT(head.project, info.project);
  CHECK_TEXT(head.base_url, info.base_url);
  CHECK_TEXT(head.undoes, info.undoes);
  CHECK_INT(head.changes, 7);
  CHECK(head.salt_known && head.sealed && head.makes);
  CHECK_INT(ca_run_salt(ledger, salt, &err), CA_OK);
  CHECK(!memcmp(head.salt, salt, sizeof(salt)));
  ca_plan_head_clear(&head);
  CHECK(!head.run && !head.salt_known);
  stop();
}

static void another_key_is_noticed(void)
{
  static const unsigned char nothing[CA_SALT_SIZE] = { 0 };
  unsigned char salt[CA_SALT_SIZE];
  struct ca_plan_head head;
  char hex[CA_SALT_SIZE * 2 + 1];
  char *text;
  size_t len, i;

  start_full();
  CHECK_INT(save(), CA_OK);
  CHECK_INT(ca_plan_read(plan_path(), other_key, &head, &err), CA_OK);
  CHECK(!head.salt_known && !head.sealed);
  CHECK(!memcmp(head.salt, nothing, sizeof(nothing)));
  CHECK_TEXT(head.run, run_id);
  ca_plan_head_clear(&head);
  /* the file has the salt in no plain form */
  CHECK_INT(ca_run_salt(ledger, salt, &err), CA_OK);
  for(i = 0; i < CA_SALT_SIZE; i++)
    snprintf(hex + i * 2, 3, "%02x", salt[i]);
  text = read_file(&len);
  CHECK(!strstr(text, hex));
  CHECK(!strstr(text, key.data));
  free(text);
  CHECK_INT(ca_planfile_write(ledger, plan_path(), &info, run_id,
                              (struct ca_slice){ "", 0 }, &err),
            CA_USAGE);
  stop();
}

/* A preview in which a bulk did not come to stand, and an item failed after it
   had recorded something. */
static void what_is_no_plan_stays_out(void)
{
  struct ca_plan_head head;
  char *text;
  size_t len;
  int64_t item;

  start("preview");
  item = add_item(1, "raised");
  CHECK_INT(
      settle(add_change(item, "disable", "raised", CA_PLANNED), CA_NOT_TRIED),
      CA_OK);
  CHECK_INT(ca_outcome_record_item(ledger, item, CA_FAILED, NULL, &err),
            CA_OK);
  add_both(1, "good", "disable");
  put_stand(1, "one");
  add_both(2, "draft", "delete");
  add_both(0, "single", "enable");
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  CHECK(!strstr(text, "draft"));
  CHECK_HOLDS(text, "\"raised\"");
  CHECK_HOLDS(text, "\"items\":3,\"changes\":2,");
  free(text);
  CHECK_INT(read_plan(&head), CA_OK);
  CHECK_INT(head.changes, 2);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  begin_run("apply");
  CHECK_INT(ca_plan_load(plan_path(), head.digest, ledger, &err), CA_OK);
  ca_plan_head_clear(&head);
  CHECK_TEXT(changes(-1, ~0U), "good disable planned; "
                               "single enable planned; ");
  stop();
}

static void an_empty_plan(void)
{
  struct ca_plan_head head;
  struct ca_run_info bare = { .script = NULL };

  start("preview");
  CHECK_INT(ca_planfile_write(ledger, plan_path(), &bare, run_id, key, &err),
            CA_OK);
  CHECK_INT(read_plan(&head), CA_OK);
  CHECK_TEXT(head.script, "");
  CHECK_TEXT(head.params, "{}");
  CHECK_TEXT(head.undoes, NULL);
  CHECK_INT(head.changes, 0);
  ca_plan_head_clear(&head);
  stop();
}

/* People read it: operations by name, arguments as JSON. */
static void lines_can_be_read(void)
{
  static const char *const lines[] = {
    "{\"plan\":2,\"program\":\"0.1.0\",\"run\":\"20",
    "{\"bulk\":1,\"name\":\"first \\\"bulk\\\"\",\"kind\":\"accounts\","
    "\"selected\":9,\"planned\":5,\"same\":3,\"skipped\":2,\"failed\":1}\n",
    "{\"item\":2,\"bulk\":1,\"key\":\"ca_1\",\"account\":\"ca_1\",",
    "{\"change\":\"disable\",\"account\":\"ca_1\",\"class\":\"reversible\","
    "\"fallback\":true}\n",
    "\"body\":{\"alias\":\"\xF0\x9F\x98\x80\"}",
    "\"row\":{\"a\": [1,null]}",
    "{\"change\":\"auth_configs.disable\",\"account\":\"ac_1\","
    "\"class\":\"reversible\",\"outcome\":\"skipped\","
    "\"reason\":\"protected\"}\n",
    "{\"end\":true,\"bulks\":3,\"items\":6,\"changes\":7,\"same\":1,"
    "\"skipped\":1,\"irreversible\":3,\"fallbacks\":1,\"sha256\":\""
  };
  char *text;
  size_t len, i;

  start_full();
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  for(i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
    CHECK_HOLDS(text, lines[i]);
  free(text);
  stop();
}

/* ---- files that are not what was saved ---- */

static void no_byte_may_be_missing(void)
{
  struct ca_plan_head head;
  char *text;
  size_t len, cut;

  start_full();
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  for(cut = 0; cut < len; cut++) {
    write_file(text, cut);
    if(!CHECK_INT(read_plan(&head), CA_USAGE)) {
      printf("  cut at %zu of %zu\n", cut, len);
      break;
    }
  }
  write_file(text, len);
  CHECK_INT(read_plan(&head), CA_OK);
  ca_plan_head_clear(&head);
  free(text);
  stop();
}

static void no_byte_may_be_changed(void)
{
  struct ca_plan_head head;
  char *text;
  size_t len, at;

  start_full();
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  for(at = 0; at < len; at++) {
    char was = text[at];
    text[at] = (char)(was ^ 1);
    write_file(text, len);
    if(!CHECK(read_plan(&head) == CA_USAGE || !head.sealed)) {
      printf("  byte %zu of %zu\n", at, len);
      break;
    }
    ca_plan_head_clear(&head);
    text[at] = was;
  }
  free(text);
  stop();
}

/* With a digest that is right: the lines themselves are looked at. */
static void forged_lines_are_refused(void)
{
  static const struct {
    const char *from, *to, *says;
  } cases[] = {
    { "{\"plan\":2,", "{\"plan\":3,", "has layout 3, this" },
    { "{\"plan\":2,", "{\"plan\":2,\"plan\":2,",
      "line 1: \"plan\" is given twice" },
    { "{\"plan\":2,", "{\"plan\":2,\"more\":1,",
      "line 1: \"more\" is not known" },
    { "{\"plan\":2,", "{", "line 1: it is not the head of a plan" },
    { "\"script_sha\":\"abc\",", "", "line 1: \"script_sha\" is missing" },
    { "\"params\":{", "\"params\":[{", "line 1: it is not a JSON object" },
    { "\"made\":\"2", "\"made\":\"x2", "line 1: \"made\" is not a time" },
    { "\"salt\":\"", "\"salt\":\"0", "line 1: \"salt\" has the wrong length" },
    { "{\"bulk\":1,", "{\"bulk\":0,", "line 2: bulks are not numbered" },
    { "{\"bulk\":1,", "{\"bulk\":3,", "line 3: bulks are not numbered" },
    { "\"kind\":\"accounts\"", "\"kind\":\"01234567890123456\"",
      "line 2: the bulk's name or kind is too long" },
    { "\"selected\":9", "\"selected\":-9", "wrong kind" },
    { "\"selected\":9", "\"selected\":9.0", "wrong kind" },
    { "\"selected\":9", "\"selected\":9e1", "wrong kind" },
    { "\"selected\":9", "\"selected\":\"9\"", "wrong kind" },
    { "\"selected\":9", "\"selected\":9999999999999999999", "wrong kind" },
    { "{\"item\":1,", "{\"item\":2,", "line 5: items are not numbered" },
    { "{\"item\":2,\"bulk\":1,", "{\"item\":2,\"bulk\":2,",
      "line 7: no earlier line has the item's bulk" },
    { "{\"item\":2,\"bulk\":1,", "{\"item\":2,\"bulk\":4294967297,",
      "line 7: no earlier line has the item's bulk" },
    { "\"key\":\"ca_1\"", "\"key\":\"\"", "the item's key is empty" },
    { "\"key\":\"ca_1\"", "\"key\":\"a\\u0000b\"", "wrong kind" },
    { "\"key\":\"ca_1\"", "\"key\":\"\\ud800\"", "wrong kind" },
    { "\"key\":\"ca_1\"", "\"key\":null", "wrong kind" },
    { "\"disabled\":true", "\"disabled\":false", "wrong kind" },
    { "\"verdict\":\"failed\"", "\"verdict\":\"done\"",
      "\"verdict\" is not one" },
    { "\"row\":{", "\"row_text\":\"x\",\"row\":{", "\"row\" is given twice" },
    { "{\"change\":\"disable\"", "{\"change\":\"destroy\"",
      "line 6: this version of composio-lua has no such operation" },
    { "{\"change\":\"disable\"", "{\"change\":\"get\"",
      "line 6: the operation changes nothing" },
    { "\"class\":\"irreversible\"", "\"class\":\"reversible\"",
      "\"class\" is lower than the operation's" },
    { "\"class\":\"irreversible\"", "\"class\":\"read\"",
      "\"class\" is not known" },
    { "\"account\":\"ca_9\",\"class\"", "\"account\":\"a b\",\"class\"",
      "line 6: account" },
    { "\"account\":\"ca_9\",\"class\"", "\"account\":\"\",\"class\"",
      "line 6: account" },
    { "\"account\":\"\",\"class\"", "\"account\":\"ca_1\",\"class\"",
      "the operation does not belong to an account" },
    { "\"outcome\":\"same\"", "\"outcome\":\"done\"",
      "\"outcome\" is not one" },
    { "\"outcome\":\"same\"", "\"outcome\":\"planned\"",
      "\"outcome\" is not one" },
    { "\"fingerprint\":\"f00d\"", "\"fingerprint\":\"f00d\",\"body\":{}",
      "it has a body that must be secret" },
    { "{\"change\":\"delete\"", "{\"change\":\"delete\",\"fallback\":true",
      "a fallback without a change before it" },
    { "{\"end\":true", "{\"item\":7,\"bulk\":1,\"key\":\"z\"}\n{\"end\":true",
      "the counts do not match the lines" },
    { "{\"end\":true",
      "{\"bulk\":9,\"name\":\"\",\"kind\":\"\","
      "\"selected\":0,\"planned\":0,\"same\":0,"
      "\"skipped\":0,\"failed\":0}\n{\"end\":true",
      "a bulk follows the first item" },
    { "{\"bulk\":1,",
      "{\"change\":\"enable\",\"account\":\"ca_1\","
      "\"class\":\"reversible\"}\n{\"bulk\":1,",
      "line 2: a change precedes the first item" },
    { "{\"bulk\":1,", "\n{\"bulk\":1,", "line 2: it is empty" },
    { "{\"bulk\":1,", "[]\n{\"bulk\":1,", "line 2: it is not a JSON object" },
    { "{\"bulk\":1,", "{}\n{\"bulk\":1,", "line 2: it is not a JSON object" },
    { "{\"bulk\":1,", "{\"x\":1}\n{\"bulk\":1,",
      "line 2: a line of a plan does not begin like this" },
    { "{\"bulk\":1,", "{\"plan\":2}\n{\"bulk\":1,", "line 2: a second head" },
    { "\"failed\":1}", "\"failed\":1} x", "line 2: it is not a JSON object" },
    { "\"irreversible\":3", "\"irreversible\":1", "the counts do not match" },
    { "\"body\":{\"alias\"", "\"body\":{\"alias\" ",
      "\"body\" is not one that the operation sends" },
    { "\"body\":{\"alias\":\"\xF0\x9F\x98\x80\"}",
      "\"body\":{\"connection\":{\"state\":{\"val\":{}}}}",
      "it has a body that must be secret" },
    { "\"body\":{\"alias\":\"\xF0\x9F\x98\x80\"},", "",
      "\"body\" is missing" },
    { "\"line\":\"idle.lua:3\"}",
      "\"line\":\"idle.lua:3\",\"body\":{\"enabled\":true}}",
      "the operation has no body of its own" },
    { "\"line\":\"idle.lua:3\"}",
      "\"line\":\"idle.lua:3\",\"fingerprint\":\"f00d\"}",
      "the operation has no secret body" },
    { "revoke_on_delete=true", "revoke_on_delete=maybe",
      "\"query\" is not one" },
    { "revoke_on_delete=true", "all=true", "\"query\" is not one" },
    { ",\"config\":\"ac_1\"", "", "\"user\" or \"config\" is not" },
    { "\"user\":\"u\",", "\"user\":\"v\",", "\"user\" or \"config\" is not" },
    { "\"change\":\"disable\",\"account\":\"ca_9\",\"class\":\"rev",
      "\"change\":\"disable\",\"account\":\"ca_9\",\"class\":\"irrev",
      "\"class\" is higher than the operation's" },
    { ",\"fallback\":true", "", "the counts do not match" }
  };
  char *text;
  size_t len, i;

  start_full();
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  for(i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    forge(text, cases[i].from, cases[i].to);
    refused(cases[i].says);
  }
  free(text);
  stop();
}

static void bytes_that_are_no_text(void)
{
  struct ca_plan_head head;
  char *text, *at;
  size_t len;

  start_full();
  CHECK_INT(save(), CA_OK);
  text = read_file(&len);
  at = strstr(text, "gmail");
  *at = '\0';
  write_file(text, len);
  refused("line 7: it contains a NUL byte");
  *at = '\xFF';
  write_file(text, len);
  refused("line 7: it is not valid UTF-8");
  *at = 'g';
  memcpy(text + len, "{\"x\":1}\n", 8);
  write_file(text, len + 8);
  refused("something follows the last line");
  text[len++] = '\n';
  write_file(text, len);
  refused("it is empty");
  text[len - 1] = 'x';
  write_file(text, len);
  refused("the file ends in this line");
  write_file("", 0);
  refused("line 1: the file is empty");
  write_file(text, len - 1);
  CHECK_INT(read_plan(&head), CA_OK);
  ca_plan_head_clear(&head);
  free(text);
  stop();
}

static void lines_without_end(void)
{
  struct ca_plan_head head;
  FILE *file;
  char *many = malloc(1 << 20);
  int i;

  start("preview");
  memset(many, 'x', 1 << 20);
  file = fopen(plan_path(), "w");
  CHECK(file != NULL);
  fputs("{\"plan\":2,\"program\":\"", file);
  for(i = 0; i < 17; i++)
    CHECK(fwrite(many, 1, 1 << 20, file) == 1 << 20);
  fclose(file);
  refused("line 1: it is longer than any line of a plan");
  free(many);
  /* what would be such a line is not saved either */
  CHECK(!unlink(plan_path()));
  many = calloc(1, (16U << 20) + 16);
  memset(many, 'r', 16U << 20);
  put_item((struct ca_item){ .key = "k", .row = many });
  CHECK_INT(save(), CA_USAGE);
  CHECK_HOLDS(err.text, "longer than 16 MiB");
  CHECK_INT(plan_files(), 0);
  CHECK_INT(read_plan(&head), CA_USAGE);
  free(many);
  stop();
}

static void what_is_no_file(void)
{
  start("preview");
  refused("No such file");
  CHECK(!mkdir(plan_path(), 0700));
  refused("it is a directory");
  CHECK(!rmdir(plan_path()));
  CHECK(!mkfifo(plan_path(), 0600));
  refused("it is not a plain file");
  CHECK_INT(save(), CA_USAGE);
  CHECK_HOLDS(err.text, "it is not a plain file");
  CHECK(!unlink(plan_path()));
  CHECK(!mkdir(plan_path(), 0700));
  CHECK_INT(save(), CA_USAGE);
  CHECK_HOLDS(err.text, "it is a directory");
  CHECK_INT(plan_files(), 1);
  stop();
}

static void nothing_stands(const char *digest, const char *why)
{
  struct ca_bulk bulk;

  CHECK_INT(ca_plan_load(plan_path(), digest, ledger, &err), CA_USAGE);
  CHECK_HOLDS(err.text, why);
  CHECK_INT(ca_plan_seal_bulks(plan_path(), digest, ledger, NULL, &err),
            CA_USAGE);
  CHECK_HOLDS(err.text, why);
  CHECK_INT(ca_read_bulk(ledger, 1, &bulk, &err), CA_OK);
  CHECK_INT(bulk.number, 0);
}

/* Nothing of a file stands that turns out not to be whole. */
static void half_a_plan_does_not_stand(void)
{
  struct ca_plan_head head;
  char *text;
  size_t len;

  start_full();
  CHECK_INT(save(), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(read_plan(&head), CA_OK);
  text = read_file(&len);
  write_file(text, (size_t)(strstr(text, "{\"end\"") - text));
  free(text);
  begin_run("apply");
  nothing_stands(head.digest, "the file ends before its last line");
  ca_plan_head_clear(&head);
  stop();
}

/* Nor of one that is whole and well sealed, but not the one that was read. */
static void a_plan_in_its_place_does_not_stand(void)
{
  struct ca_plan_head head;
  char *text;
  size_t len;

  start_full();
  CHECK_INT(save(), CA_OK);
  CHECK_INT(ca_run_end(ledger, 0, &err), CA_OK);
  CHECK_INT(read_plan(&head), CA_OK);
  text = read_file(&len);
  forge(text, "/j/idl", "/k/idl");
  free(text);
  begin_run("apply");
  nothing_stands(head.digest, "was replaced after it was checked");
  ca_plan_head_clear(&head);
  stop();
}

/* ---- writing ---- */

static void only_its_owner_may_read_it(void)
{
  static const mode_t masks[] = { 0, 0777, 022 };
  char *text;
  size_t len, i;

  start_full();
  for(i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
    mode_t old = umask(masks[i]);
    CHECK_INT(save(), CA_OK);
    umask(old);
    CHECK_INT(scratch_mode("my plan.jsonl"), 0600);
    CHECK_INT(plan_files(), 1);
  }
  /* what is there is replaced, whatever it is */
  write_file("something else", 14);
  CHECK(!chmod(plan_path(), 0644));
  CHECK_INT(save(), CA_OK);
  CHECK_INT(scratch_mode("my plan.jsonl"), 0600);
  text = read_file(&len);
  CHECK(!strncmp(text, "{\"plan\":2,", 10));
  free(text);
  stop();
}

/* A limit of the file's size, as a full disk would be. */
static int save_into_too_little(void)
{
  struct rlimit limit = { 300, 300 };

  signal(SIGXFSZ, SIG_IGN);
  if(setrlimit(RLIMIT_FSIZE, &limit))
    return 1;
  CHECK_INT(save(), CA_SYSTEM);
  CHECK_HOLDS(err.text, "cannot write the plan");
  CHECK_HOLDS(err.text, "free some space");
  CHECK_HOLDS(err.text, plan_path());
  return check_case_failed;
}

static void a_disk_that_is_full(void)
{
  struct ca_plan_head head;
  char run[96];

  start_full();
  CHECK_INT(save(), CA_OK);
  memcpy(run, run_id, sizeof(run));
  in_child(save_into_too_little);
  CHECK_INT(plan_files(), 1);         /* no temporary stays */
  CHECK_INT(read_plan(&head), CA_OK); /* and the old one is whole */
  CHECK_TEXT(head.run, run);
  ca_plan_head_clear(&head);
  stop();
}

static void a_place_that_is_not_there(void)
{
  start_full();
  CHECK_INT(ca_planfile_write(ledger, scratch_path("none/plan"), &info, run_id,
                              key, &err),
            CA_SYSTEM);
  CHECK_HOLDS(err.text, "cannot write the plan");
  CHECK_HOLDS(err.text, "none/plan: No such file");
  CHECK_HOLDS(err.text, "give another file");
  stop();
}

static void texts_that_cannot_be_saved(void)
{
  struct ca_run_info bad = info;

  start("preview");
  bad.script = "/j/caf\xE9.lua";
  CHECK_INT(ca_planfile_write(ledger, plan_path(), &bad, run_id, key, &err),
            CA_USAGE);
  CHECK_HOLDS(err.text, "\"script\" in one of its lines is not valid UTF-8");
  bad = info;
  bad.params = "{\"a\":";
  CHECK_INT(ca_planfile_write(ledger, plan_path(), &bad, run_id, key, &err),
            CA_USAGE);
  CHECK_HOLDS(err.text, "the parameters or the options are not JSON");
  CHECK_INT(plan_files(), 0);
  stop();
}

int main(void)
{
  check_case("all comes back", all_comes_back);
  check_case("heads come back", heads_come_back);
  check_case("another key is noticed", another_key_is_noticed);
  check_case("what is no plan stays out", what_is_no_plan_stays_out);
  check_case("an empty plan", an_empty_plan);
  check_case("lines can be read", lines_can_be_read);
  check_case("no byte may be missing", no_byte_may_be_missing);
  check_case("no byte may be changed", no_byte_may_be_changed);
  check_case("forged lines are refused", forged_lines_are_refused);
  check_case("bytes that are no text", bytes_that_are_no_text);
  check_case("lines without end", lines_without_end);
  check_case("what is no file", what_is_no_file);
  check_case("half a plan does not stand", half_a_plan_does_not_stand);
  check_case("a plan in its place does not stand",
             a_plan_in_its_place_does_not_stand);
  check_case("only its owner may read it", only_its_owner_may_read_it);
  check_case("a disk that is full", a_disk_that_is_full);
  check_case("a place that is not there", a_place_that_is_not_there);
  check_case("texts that cannot be saved", texts_that_cannot_be_saved);
  return check_end();
}
