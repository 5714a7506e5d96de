/* Three operations that the service does not have, for a copy of the operation
   table: pause and unpause, each the other's undo, and annotate, which sets a
   text that a get shows elsewhere than it is sent. Included into that copy. */
static const struct ca_field annotate_fields[] = {
  ID,
  { .name = "note",
    .wire = "note",
    .place = CA_IN_BODY,
    .type = CA_TEXT,
    .flags = CA_REQUIRED | CA_MAY_BE_EMPTY | CA_PLAN_SEES,
    .shown = "details.note" },
  END
};

#define IMAGINARY_ROWS                  \
  { OF_ACCOUNTS,                        \
    .name = "pause",                    \
    .method = CA_PATCH,                 \
    .path = ACCOUNTS "/{id}/pause",     \
    .body = "{\"paused\":true}",        \
    .has_body = true,                   \
    .cost = CA_REVERSIBLE,              \
    .probe = CA_PROBE_STATUS,           \
    .becomes = "PAUSED",                \
    .undo = "unpause",                  \
    .fields = id_fields },              \
      { OF_ACCOUNTS,                    \
        .name = "unpause",              \
        .method = CA_PATCH,             \
        .path = ACCOUNTS "/{id}/pause", \
        .body = "{\"paused\":false}",   \
        .has_body = true,               \
        .cost = CA_REVERSIBLE,          \
        .probe = CA_PROBE_STATUS,       \
        .becomes = "ACTIVE",            \
        .undo = "pause",                \
        .fields = id_fields },          \
      { OF_ACCOUNTS,                    \
        .name = "annotate",             \
        .method = CA_PATCH,             \
        .path = ACCOUNTS "/{id}/note",  \
        .has_body = true,               \
        .cost = CA_REVERSIBLE,          \
        .probe = CA_PROBE_FIELDS,       \
        .undo = "annotate",             \
        .fields = annotate_fields },
