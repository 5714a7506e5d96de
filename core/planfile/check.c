/* Checks a change of a plan against its operation's row: what it costs, what
   it sends and what of that is secret follow from the row and the values, and
   not from what the file says. Must not know: files, lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "planfile/plan_private.h"
#include "wire/proof.h"
#include "wire/request.h"

/* Sets the field as the body has it; an absent one is left out. */
static enum ca_code set_field(struct ca_request *request,
                              const struct ca_field *field,
                              struct ca_slice body, struct ca_err *why)
{
  struct ca_slice value;
  enum ca_json_kind kind = ca_proof_sent(field, body, &value);
  struct ca_slice text;
  char *copy;
  enum ca_code code;

  if(kind == CA_JSON_BAD)
    return CA_OK;
  if(kind == CA_JSON_NULL)
    return ca_request_null(request, field, why);
  switch(field->type) {
  case CA_ACL:
  case CA_SCHEME:
  case CA_OPEN:
    return kind == CA_JSON_OBJECT ? ca_request_json(request, field, value, why)
                                  : CA_USAGE;
  case CA_BOOLEAN:
    return ca_request_boolean(request, field, kind == CA_JSON_TRUE, why);
  case CA_ID:
  case CA_TEXT:
  case CA_WORD:
    break;
  default: /* no body has lists or numbers */
    return CA_USAGE;
  }
  if(kind != CA_JSON_STRING)
    return CA_USAGE;
  copy = ca_json_dup(value, &text.len);
  text.data = copy;
  code = copy ? ca_request_text(request, field, text, why) : CA_NOMEM;
  free(copy);
  return code;
}

/* Builds the request anew from the values in the body. Returns false if that
   fails, or gives another body. */
static bool rebuild(struct ca_request *request, const struct ca_change *change)
{
  struct ca_slice id = { change->account, strlen(change->account) };
  struct ca_slice body = { change->body, strlen(change->body) };
  struct ca_slice rebuilt;
  const struct ca_field *field;
  struct ca_err why;
  enum ca_code code = CA_OK;

  for(field = change->api->fields; field->name && !code; field++)
    if(field->place == CA_IN_PATH)
      code = ca_request_text(request, field, id, &why);
    else if(field->place == CA_IN_BODY)
      code = set_field(request, field, body, &why);
  if(!code)
    code = ca_request_finish(request, &why);
  if(code)
    return false;
  rebuilt = ca_request_body(request);
  return rebuilt.len == body.len && !memcmp(rebuilt.data, body.data, body.len);
}

/* Is the query one "name=value" of the row's, with nothing to be escaped? No
   row of a change has more query fields. */
static bool is_query_of(const struct ca_api *api, const char *query)
{
  size_t len = strcspn(query, "=");
  const struct ca_field *field = api->fields;

  while(field->name &&
        (field->place != CA_IN_QUERY || strlen(field->wire) != len ||
         memcmp(field->wire, query, len) != 0))
    field++;
  if(!field->name || query[len] != '=')
    return false;
  query += len + 1;
  if(field->type == CA_BOOLEAN)
    return !strcmp(query, "true") || !strcmp(query, "false");
  return *query && !query[strspn(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "abcdefghijklmnopqrstuvwxyz"
                                        "0123456789-._~%")];
}

/* Does the member say what the body's field with that flag says? A secret body
   is not in the file, but a create's user and auth config are. */
static bool is_named(const struct ca_change *change, enum ca_field_flag flag,
                     const char *member)
{
  struct ca_slice body = { change->body,
                           change->body ? strlen(change->body) : 0 };
  const struct ca_field *field = change->api->fields;
  struct ca_slice value;

  while(field->name && !(field->flags & flag))
    field++;
  if(!field->name || !member)
    return !field->name == !member;
  if(!change->body)
    return true;
  return ca_proof_sent(field, body, &value) == CA_JSON_STRING &&
         ca_json_is(value, member);
}

/* Checks a body that is in the file; *cost is what it costs. */
static const char *check_body(const struct ca_change *change,
                              enum ca_class *cost)
{
  struct ca_request request;
  const char *why = NULL;

  if(!change->api->has_body || change->api->body)
    return "the operation has no body of its own";
  ca_request_init(&request, change->api);
  if(!rebuild(&request, change))
    why = "\"body\" is not one that the operation sends";
  else if(request.secret)
    why = "it has a body that must be secret";
  *cost = request.cost;
  ca_request_clear(&request);
  return why;
}

/* Checks a body of which the file has the fingerprint alone. */
static const char *check_secret(const struct ca_change *change,
                                enum ca_class *cost)
{
  const struct ca_field *field = change->api->fields;

  while(field->name && !(field->flags & CA_SECRET))
    field++;
  if(!field->name)
    return "the operation has no secret body";
  if(field->flags & CA_MAKES_IRREVERSIBLE)
    *cost = CA_IRREVERSIBLE;
  return NULL;
}

const char *ca_planfile_check(const struct ca_change *change)
{
  enum ca_class cost = change->api->cost;
  const char *why = NULL;

  if(change->body && change->fingerprint)
    return "it has a body that must be secret";
  if(change->body)
    why = check_body(change, &cost);
  else if(change->fingerprint)
    why = check_secret(change, &cost);
  else if(change->api->has_body && !change->api->body)
    why = "\"body\" is missing";
  if(why)
    return why;
  if(change->cost != cost)
    return change->cost < cost ? "\"class\" is lower than the operation's"
                               : "\"class\" is higher than the operation's";
  if(change->query && !is_query_of(change->api, change->query))
    return "\"query\" is not one that the operation sends";
  if(!is_named(change, CA_NAMES_USER, change->user) ||
     !is_named(change, CA_NAMES_CONFIG, change->config))
    return "\"user\" or \"config\" is not the operation's";
  return NULL;
}
