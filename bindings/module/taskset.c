/* The tasks of a scheduler: its ready queue, the slots of live tasks, the
   tokens that wake them, and who waits for whom.
   Must not know: what tasks do, how they are resumed. */
#include <stdlib.h>
#include <string.h>
#include "module/scheduler_private.h"

void lca_taskset_make_ready(struct lca_scheduler *s, struct lca_task *task)
{
  task->state = LCA_READY;
  task->next = NULL;
  if(s->last)
    s->last->next = task;
  else
    s->first = task;
  s->last = task;
  s->ready++;
}

void lca_taskset_leave_queue(struct lca_scheduler *s, struct lca_task *task)
{
  struct lca_task **link = &s->first;
  struct lca_task *before = NULL;
  while(*link && *link != task) {
    before = *link;
    link = &before->next;
  }
  if(!*link)
    return;
  *link = task->next;
  if(s->last == task)
    s->last = before;
  s->ready--;
}

bool lca_taskset_find_slot(struct lca_scheduler *s, uint32_t *found)
{
  uint32_t slot = s->free_hint;
  while(slot < s->size && s->slots[slot].task)
    slot++;
  if(slot == s->size) {
    uint32_t size = s->size ? s->size * 2 : 64;
    struct lca_slot *slots = realloc(s->slots, size * sizeof(*slots));
    if(!slots)
      return false;
    memset(slots + s->size, 0, (size - s->size) * sizeof(*slots));
    s->slots = slots;
    s->size = size;
  }
  *found = slot;
  return true;
}

void lca_taskset_take_slot(struct lca_scheduler *s, struct lca_task *task,
                           uint32_t slot)
{
  s->slots[slot].task = task;
  s->free_hint = slot + 1;
  s->live++;
  task->slot = slot;
  task->generation = ++s->slots[slot].generation;
}

void lca_taskset_free_slot(struct lca_scheduler *s, struct lca_task *task)
{
  s->slots[task->slot].task = NULL;
  s->slots[task->slot].generation = task->generation + 1;
  if(task->slot < s->free_hint)
    s->free_hint = task->slot;
  s->live--;
}

uint64_t lca_taskset_suspend(struct lca_scheduler *s)
{
  struct lca_task *task = s->running;
  task->state = LCA_WAITING;
  task->generation++;
  return (uint64_t)task->generation << 32 | (task->slot + 1);
}

void lca_taskset_wake(struct lca_scheduler *s, uint64_t token)
{
  uint32_t slot = (uint32_t)token - 1;
  struct lca_task *task;
  if(!token)
    return;
  task = slot < s->size ? s->slots[slot].task : NULL;
  if(task && task->state == LCA_WAITING &&
     task->generation == (uint32_t)(token >> 32))
    lca_taskset_make_ready(s, task);
  else
    ca_log_event(&s->log, CA_LOG_DEBUG, "wake",
                 "a completion for a wait that is over was dropped");
}

/* Puts the task before the others to visit, unless it was there in this walk
   or is NULL. Returns the first one to visit. */
static struct lca_task *add_visit(struct lca_task *todo, struct lca_task *task,
                                  uint64_t walk)
{
  if(!task || task->visit == walk)
    return todo;
  task->visit = walk;
  task->next_visit = todo;
  return task;
}

bool lca_taskset_blocks(struct lca_task *task, const struct lca_task *other)
{
  uint64_t walk = ++task->sched->visits;
  struct lca_task *todo = add_visit(NULL, task, walk);
  while(todo && todo != other) {
    struct lca_task *joiner = todo->joiners;
    struct lca_task *caller = todo->scope->owner; /* of its composio.run */
    todo = add_visit(todo->next_visit, caller, walk);
    for(; joiner; joiner = joiner->next_joiner)
      todo = add_visit(todo, joiner, walk);
  }
  return todo != NULL;
}

void lca_taskset_stop_joining(struct lca_task *task)
{
  struct lca_task **link;
  if(!task->joining)
    return;
  for(link = &task->joining->joiners; *link; link = &(*link)->next_joiner)
    if(*link == task) {
      *link = task->next_joiner;
      break;
    }
  task->joining = NULL;
  task->next_joiner = NULL;
}
