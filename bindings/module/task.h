/* What scripts say to tasks: spawn, join, cancel, sleep, run.
   Must not know: curl, the ledger, operations. */
#ifndef LCA_TASK_H
#define LCA_TASK_H

#include "module/scheduler.h"

/* The plan item for which the task runs, 0 if none (job/item sets it). A task
   starts with the item of the task that spawned it. */
int64_t lca_task_item(const struct lca_task *task);
void lca_task_set_item(struct lca_task *task, int64_t item);

/* composio.spawn, sleep, run and the task class into the table on top.
   [-0, +0, e] */
void lca_task_open(lua_State *L);

#endif
