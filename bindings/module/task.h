/* The functions by which scripts use tasks: spawn, join, cancel, sleep, run.
   Must not know: curl, the ledger, operations. */
#ifndef LCA_TASK_H
#define LCA_TASK_H

#include "module/scheduler.h"

/* The plan item that the task works on, 0 if none (job/item sets it). A
   task inherits the item of the task that spawned it. */
int64_t lca_task_item(const struct lca_task *task);
void lca_task_set_item(struct lca_task *task, int64_t item);

/* Adds composio.spawn, sleep and run, and the helpers of our own Lua files,
   to the table on top, and registers the task class. [-0, +0, e] */
void lca_task_open(lua_State *L);

#endif
