#include <stdlib.h>
#include <string.h>
#include "plan.h"
void ca_plan_head_clear(struct ca_plan_head *head) { (void)head; }
enum ca_code ca_plan_save(struct ca_ledger *l, const char *p, const struct ca_run_info *i, const char *r, const char *n, struct ca_slice k, struct ca_err *e) { (void)l;(void)p;(void)i;(void)r;(void)n;(void)k; return ca_err_set(e, CA_SYSTEM, "stub"); }
enum ca_code ca_plan_read(const char *p, struct ca_slice k, struct ca_plan_head *h, struct ca_err *e) { (void)p;(void)k;(void)h; return ca_err_set(e, CA_SYSTEM, "stub"); }
enum ca_code ca_plan_load(const char *p, struct ca_ledger *l, struct ca_err *e) { (void)p;(void)l; return ca_err_set(e, CA_SYSTEM, "stub"); }
