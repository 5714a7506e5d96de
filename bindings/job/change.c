/* Turns a mutating call into a change for the ledger: owner, script line,
   before-image, protection, and whether the account is already in that state.
   Must not know: who carries it out, options of the command line, terminals.
 */
#include <stdlib.h>
#include <string.h>
#include "module/account.h"
#include "module/error.h"
#include "module/json.h"
#include "module/table.h"
#include "job/run_private.h"
#include "base/secret.h"
#include "base/json_write.h"
#include "wire/proof.h"

#define BEFORE_CLASS "composio.job.before"
#define BEFORE_MAX   (256u << 10)

static const char *name_of(const char *path)
{
  const char *name = strrchr(path, '/');
  return name ? name + 1 : path;
}

/* A tail call left no frame: takes the place that an error would name. */
static void find_start(lua_State *L, struct lca_line *line)
{
  int top = lua_gettop(L);
  line->number = 0;
  line->text[0] = '\0';
  if(lca_error_push_place(L))
    ca_text_copy(line->text, sizeof(line->text), name_of(lua_tostring(L, -1)));
  lua_settop(L, top);
}

/* Finds the script line that made the call: the innermost function from a file
   that is not the shipped Lua. A bulk's action calls from the same line for
   every item, so the formatted text is kept. */
static void find_line(lua_State *L, struct lca_line *line)
{
  lua_Debug debug;
  int level;
  for(level = 1; lua_getstack(L, level, &debug); level++) {
    const char *name;
    if(!lua_getinfo(L, "Sl", &debug) || debug.currentline < 1 ||
       debug.source[0] != '@' || !strncmp(debug.source, "@composio/", 10))
      continue;
    name = name_of(debug.source + 1);
    if(line->number != debug.currentline || strcmp(line->file, name) != 0) {
      line->number = debug.currentline;
      ca_text_copy(line->file, sizeof(line->file), name);
      snprintf(line->text, sizeof(line->text), "%s:%d", line->file,
               line->number);
    }
    return;
  }
  find_start(L, line);
}

/* Finds the user and the auth config of the account that a create makes. */
static void find_owner(const struct ca_request *request,
                       struct lca_change_builder *builder)
{
  struct ca_slice body = ca_request_body(request);
  const struct ca_field *field;
  struct ca_slice value;
  for(field = request->api->fields; field->name; field++) {
    if(!(field->flags & (CA_NAMES_USER | CA_NAMES_CONFIG)) ||
       ca_proof_sent(field, body, &value) != CA_JSON_STRING)
      continue;
    if(field->flags & CA_NAMES_USER) {
      ca_json_copy(value, builder->user, sizeof(builder->user));
      builder->change.user = builder->user;
    } else {
      ca_json_copy(value, builder->config, sizeof(builder->config));
      builder->change.config = builder->config;
    }
  }
}

static bool has_text(const struct lca_account *account,
                     const struct ca_field *field, struct ca_slice wanted)
{
  struct ca_slice shown;
  size_t len;
  char *now;
  bool same;
  if(!lca_account_find(account, field->shown, &shown) || shown.data[0] != '"')
    return ca_json_is(wanted, "");
  now = ca_json_dup(shown, &len);
  same = now && ca_json_is(wanted, now);
  free(now);
  return same;
}

/* Does the account already have every value that the request sets? */
static bool has_all(const struct ca_request *request,
                    const struct lca_account *account)
{
  struct ca_slice body = ca_request_body(request);
  const struct ca_field *field = request->api->fields;
  bool any = false;
  unsigned bit;
  for(bit = 1; field->name; field++, bit <<= 1) {
    struct ca_slice wanted;
    if(field->place != CA_IN_BODY || !(request->seen & bit))
      continue;
    if(!(field->flags & CA_PLAN_SEES) ||
       ca_proof_sent(field, body, &wanted) != CA_JSON_STRING ||
       !has_text(account, field, wanted))
      return false;
    any = true;
  }
  return any;
}

bool lca_change_is_same(const struct ca_request *request, const char *before,
                        const struct lca_account *account)
{
  const struct ca_api *api = request->api;
  if(api->becomes)
    return before && !strcmp(api->becomes, before);
  return account && has_all(request, account);
}

/* ---- before-image ---- */

static const char *text_of(lua_State *L, int index, const char *name)
{
  const char *text;
  lua_getfield(L, index, name);
  text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1); /* the table keeps the text alive */
  return text;
}

static bool true_of(lua_State *L, int index, const char *name)
{
  bool is;
  lua_getfield(L, index, name);
  is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* Adds the field's present value from the account. A text that is absent is
   empty; any other absent value is unknown and is not stored. */
static void add_field(lua_State *L, struct ca_json_write *json,
                      const struct ca_field *field,
                      const struct lca_account *account)
{
  struct ca_slice name = ca_slice_of(field->name);
  struct ca_slice shown;
  const char *text;
  if(field->type == CA_TEXT) {
    text = lca_account_push_text(L, account, field->shown);
    ca_json_write_text(json, field->name, text ? text : "");
    lua_pop(L, 1);
  } else if(lca_account_find(account, field->shown, &shown)) {
    ca_json_write_name(json, name);
    ca_json_write_add(json, shown);
  }
}

/* Does the request replace a value that the before-image must store? The
   item's own columns already store some values of its own account. */
static bool replaces(const struct ca_request *request, unsigned bit,
                     const struct ca_field *field, bool own)
{
  return field->shown && (request->seen & bit) &&
         !(own && (field->flags & CA_ITEM_KEEPS));
}

/* Adds all replaced fields; returns false when there are none. With json NULL
   it only checks. */
static bool add_fields(lua_State *L, struct ca_json_write *json,
                       const struct ca_request *request,
                       const struct lca_account *account, bool own)
{
  const struct ca_field *field = request->api->fields;
  bool any = false;
  unsigned bit;
  for(bit = 1; field->name; field++, bit <<= 1)
    if(replaces(request, bit, field, own)) {
      any = true;
      if(json)
        add_field(L, json, field, account);
    }
  return any;
}

/* Pushes a buffer that is freed by the garbage collector. */
static struct ca_buf *push_buf(lua_State *L)
{
  struct ca_buf *buf = lua_newuserdatauv(L, sizeof(*buf), 0);
  ca_buf_init(buf, BEFORE_MAX);
  luaL_setmetatable(L, BEFORE_CLASS);
  return buf;
}

static int buf_close(lua_State *L)
{
  ca_buf_clear(lua_touserdata(L, 1));
  return 0;
}

/* Sets the before-image to what the item's columns do not hold: the state of
   an account other than the item's own, fields that the change replaces, and
   the precondition of a create. The text lives on the stack. [-0, +0 or +1, e]
 */
static void builder_before(lua_State *L, const struct ca_request *request,
                           int arguments, const struct lca_account *account,
                           bool own, struct lca_change_builder *builder)
{
  struct ca_json_write json;
  struct ca_buf *out;
  if(!account && (!builder->change.config || request->id[0]))
    return;
  if(account && own && builder->weight == 1 &&
     !add_fields(L, NULL, request, account, own))
    return; /* nearly every change ends here */
  if(!account && arguments && request->api->option &&
     true_of(L, arguments, request->api->option))
    return; /* the user may have other accounts */
  out = push_buf(L);
  ca_json_write_begin(&json, out);
  if(!account) {
    ca_json_write_number(&json, "active", 0);
  } else {
    if(!own && builder->change.before)
      ca_json_write_text(&json, "status", builder->change.before);
    if(!own && lca_account_is_true(account, "is_disabled"))
      ca_json_write_bool(&json, "is_disabled", true);
    add_fields(L, &json, request, account, own);
    if(builder->weight > 1)
      ca_json_write_number(&json, "connections", builder->weight);
  }
  if(ca_json_write_end(&json))
    luaL_error(L, "out of memory");
  if(json.follows)
    builder->change.before_image = ca_buf_text(out);
}

/* Returns how many accounts the change affects, at least 1. */
static int64_t weight_of(lua_State *L, const struct ca_api *api,
                         const struct lca_account *account)
{
  struct ca_slice count;
  int64_t weight;
  if(!api->weight || !lca_account_find(account, api->weight, &count))
    return 1;
  lca_json_decode(L, LCA_JSON_UNNAMED, count);
  weight = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return weight > 1 ? weight : 1;
}

/* ---- the whole change ---- */

static void builder_body(lua_State *L, struct lca_run *run,
                         const struct ca_request *request,
                         struct lca_change_builder *builder)
{
  struct ca_slice body = ca_request_body(request);
  struct ca_err err;
  builder->change.query = request->query.len ? request->query.data : NULL;
  lca_run_keep_clear(L, "the account's id", request->id);
  lca_run_keep_clear(L, "the call's query", builder->change.query);
  lca_run_keep_clear(L, "the call's auth config", builder->change.config);
  lca_run_keep_clear(L, "the call's user", builder->change.user);
  if(request->api->body || !body.data)
    return;
  if(!request->secret) {
    lca_run_keep_clear(L, "the call's body", body.data);
    builder->change.body = body.data;
    return;
  }
  ca_err_clear(&err);
  builder->secret = body;
  builder->change.fingerprint = builder->fingerprint;
  if(ca_run_fingerprint(run->ledger, body.data, body.len, builder->fingerprint,
                        sizeof(builder->fingerprint), &err))
    lca_run_ledger_failed(L, run, &err);
}

/* If the account is protected, the change is skipped, with why as its reason.
 */
static void builder_protection(lua_State *L, struct lca_run *run,
                               const struct lca_account *account,
                               struct lca_change_builder *builder)
{
  struct ca_change *change = &builder->change;
  const char *id = change->account[0] ? change->account : change->config;
  const char *user = change->user;
  const char *toolkit = NULL;
  const char *why = NULL;
  int top = lua_gettop(L);
  if(!run->options.protects)
    return;
  if(account) {
    user = lca_account_push_text(L, account, "user_id");
    toolkit = lca_account_push_text(L, account, "toolkit.slug");
  }
  /* what the shipped Lua noted about an auth config (host.note_config) */
  lua_rawgeti(L, LUA_REGISTRYINDEX, run->notes_ref);
  if(id && lua_getfield(L, -1, id) == LUA_TTABLE) {
    int note = lua_gettop(L);
    toolkit = toolkit ? toolkit : text_of(L, note, "toolkit");
    if(change->account[0]) /* the auth config itself is changed */
      why = text_of(L, note, "protected");
  }
  if(!why)
    why = run->options.protect(run->options.ctx, id, user, toolkit,
                               builder->reason, sizeof(builder->reason));
  else
    ca_text_copy(builder->reason, sizeof(builder->reason), why);
  if(why) {
    change->reason = builder->reason;
    change->outcome = CA_SKIPPED;
  }
  lua_settop(L, top);
}

/* Returns the reason that the script gave, with secrets masked because it
   may contain a secret parameter; or NULL. The table of arguments keeps it
   alive. */
static const char *reason_of(lua_State *L, int arguments)
{
  size_t len;
  size_t masked;
  char *copy;
  if(!arguments || lua_getfield(L, arguments, "reason") != LUA_TSTRING)
    return NULL;
  if(!ca_secret_has_lasting())
    return lua_tostring(L, -1);
  (void)lua_tolstring(L, -1, &len);
  copy = lua_newuserdatauv(L, len + 1, 0);
  memcpy(copy, lua_tostring(L, -2), len + 1);
  masked = ca_secret_mask_lasting(copy, len);
  if(masked < len) {
    lua_pushlstring(L, copy, masked);
    lua_pushvalue(L, -1);
    lua_setfield(L, arguments, "reason");
  } else
    lua_pop(L, 1);
  return lua_tostring(L, -1);
}

void lca_change_make(lua_State *L, struct lca_run *run,
                     const struct ca_request *request, int arguments,
                     const struct lca_account *account, bool own,
                     struct lca_change_builder *builder)
{
  struct ca_change *change = &builder->change;
  memset(builder, 0, sizeof(*builder));
  change->api = request->api;
  change->account = request->id;
  change->cost = request->cost;
  change->outcome = CA_PLANNED;
  find_owner(request, builder);
  find_line(L, &run->line);
  ca_text_copy(builder->line, sizeof(builder->line), run->line.text);
  change->line = builder->line;
  change->reason = reason_of(L, arguments);
  change->before = lca_account_push_text(L, account, "status");
  builder->weight = weight_of(L, request->api, account);
  builder_body(L, run, request, builder);
  builder_before(L, request, arguments, account, own, builder);
  builder_protection(L, run, account, builder);
}

/* Finds the operation that `otherwise` names; NULL when the call has none. */
static const struct ca_api *
other_operation(lua_State *L, const struct ca_api *api, int arguments)
{
  const struct ca_api *other;
  const struct ca_field *field;
  const char *name;
  bool needs_more;
  if(!arguments || lua_getfield(L, arguments, "otherwise") == LUA_TNIL)
    return NULL;
  name = lua_tostring(L, -1);
  other = ca_api_find(api->resource, name);
  if(!other || !ca_api_mutates(other) || other == api) {
    lca_error_usage(L,
                    "%s.%s: otherwise: expected the name of another operation "
                    "that changes an account, got '%s'",
                    api->resource, api->name, name);
    return NULL; /* not reached */
  }
  needs_more = !other->body && other->has_body;
  for(field = other->fields; field->name; field++)
    if((field->flags & CA_REQUIRED) && field->place != CA_IN_PATH)
      needs_more = true;
  if(needs_more)
    lca_error_usage(L, "%s.%s: otherwise: %s needs more than an id",
                    api->resource, api->name, name);
  return other;
}

bool lca_change_fallback(lua_State *L, const struct ca_request *request,
                         int arguments, const struct lca_account *account,
                         bool own, const struct lca_change_builder *builder,
                         struct lca_change_builder *fallback)
{
  const struct ca_api *other =
      other_operation(L, builder->change.api, arguments);
  if(!other)
    return false;
  *fallback = *builder;
  fallback->change.api = other;
  fallback->change.cost = other->cost;
  fallback->change.query = NULL;
  fallback->change.body = NULL;
  fallback->change.fingerprint = NULL;
  fallback->change.fallback = true;
  fallback->secret.data = NULL;
  fallback->secret.len = 0;
  fallback->weight = weight_of(L, other, account);
  if(fallback->weight != builder->weight) {
    fallback->change.before_image = NULL; /* it holds the weight */
    builder_before(L, request, arguments, account, own, fallback);
  }
  if(fallback->change.outcome == CA_PLANNED && other->becomes &&
     builder->change.before && !strcmp(other->becomes, builder->change.before))
    fallback->change.outcome = CA_SAME;
  return true;
}

void lca_change_open(lua_State *L)
{
  lca_table_owner_class(L, BEFORE_CLASS, buf_close);
}
