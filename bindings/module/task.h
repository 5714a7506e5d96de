/* What scripts say to tasks: spawn, join, cancel, sleep, run.
   Must not know: curl, the ledger, operations. */
#ifndef LCA_TASK_H
#define LCA_TASK_H

#include <lua.h>

/* composio.spawn, sleep, run and the task class into the table on top.
   [-0, +0, e] */
void lca_task_open(lua_State *L);

#endif
