/* The table of ops. Slots are reused, ids are not.
   Must not know: curl, pace, retries. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "wire/op.h"

/* An id is generation << 32 | slot + 1: a stale id has an old generation and
   finds nothing. */
static size_t slot_of(uint64_t id)
{
  return (size_t)(id & 0xFFFFFFFFU) - 1;
}

void ca_op_table_init(struct ca_op_table *table)
{
  memset(table, 0, sizeof(*table));
}

void ca_op_table_clear(struct ca_op_table *table)
{
  size_t i;
  for(i = 0; i < table->count; i++) {
    if(table->slots[i]->state != CA_OP_FREE)
      ca_op_free(table, table->slots[i]);
    free(table->slots[i]);
  }
  free(table->slots);
  ca_op_table_init(table);
}

static struct ca_op *new_slot(struct ca_op_table *table)
{
  struct ca_op *op;
  struct ca_op **slots =
      ca_buf_grow(table->slots, table->count, &table->size, sizeof(*slots));
  if(!slots)
    return NULL;
  table->slots = slots;
  op = calloc(1, sizeof(*op));
  if(!op)
    return NULL;
  op->id = table->count + 1;
  table->slots[table->count++] = op;
  return op;
}

struct ca_op *ca_op_new(struct ca_op_table *table)
{
  struct ca_op *op = table->idle;
  size_t slot;

  if(op)
    table->idle = op->next;
  else
    op = new_slot(table);
  if(!op)
    return NULL;
  slot = slot_of(op->id);
  /* not all of it: the error texts are a kilobyte that is rarely used */
  memset(op, 0, offsetof(struct ca_op, result));
  ca_err_clear(&op->result.err);
  memset(&op->result.status, 0,
         sizeof(*op) - offsetof(struct ca_op, result.status));
  op->id = (uint64_t)++table->generation << 32 | (slot + 1);
  ca_buf_init(&op->result.body, 0);
  table->live++;
  return op;
}

void ca_op_forget_precheck(struct ca_op *op)
{
  if(op->precheck)
    ca_request_clear(op->precheck);
  free(op->precheck);
  op->precheck = NULL;
}

void ca_op_retire(struct ca_op_table *table, struct ca_op *op)
{
  if(op->endpoint)
    ca_request_clear(&op->request);
  ca_op_forget_precheck(op);
  op->state = CA_OP_FREE;
  table->live--;
}

void ca_op_recycle(struct ca_op_table *table, struct ca_op *op)
{
  ca_buf_clear(&op->result.body);
  op->next = table->idle;
  table->idle = op;
}

void ca_op_free(struct ca_op_table *table, struct ca_op *op)
{
  ca_op_retire(table, op);
  ca_op_recycle(table, op);
}

struct ca_op *ca_op_find(const struct ca_op_table *table, uint64_t id)
{
  size_t slot = slot_of(id);
  if(!id || slot >= table->count || table->slots[slot]->id != id ||
     table->slots[slot]->state == CA_OP_FREE)
    return NULL;
  return table->slots[slot];
}
