#include <stdlib.h>
#include <string.h>
#include "plan.h"
#include "settle.h"
void ca_plan_head_clear(struct ca_plan_head *head) { (void)head; }
enum ca_code ca_plan_save(struct ca_ledger *l, const char *p, const struct ca_run_info *i, const char *r, const char *n, struct ca_slice k, struct ca_err *e) { (void)l;(void)p;(void)i;(void)r;(void)n;(void)k; return ca_err_set(e, CA_SYSTEM, "stub"); }
enum ca_code ca_plan_read(const char *p, struct ca_slice k, struct ca_plan_head *h, struct ca_err *e) { (void)p;(void)k;(void)h; return ca_err_set(e, CA_SYSTEM, "stub"); }
enum ca_code ca_plan_load(const char *p, struct ca_ledger *l, struct ca_err *e) { (void)p;(void)l; return ca_err_set(e, CA_SYSTEM, "stub"); }
struct ca_settle *ca_settle_new(struct ca_engine *en, struct ca_endpoint *ep, struct ca_ledger *l, const struct ca_settle_options *o, ca_settled_fn *v, void *ow, struct ca_err *e) { (void)en;(void)ep;(void)l;(void)o;(void)v;(void)ow; ca_err_set(e, CA_SYSTEM, "stub settle"); return NULL; }
void ca_settle_free(struct ca_settle *s) { (void)s; }
enum ca_code ca_settle_fill(struct ca_settle *s, struct ca_err *e) { (void)s;(void)e; return CA_OK; }
bool ca_settle_finished(const struct ca_settle *s) { (void)s; return true; }
void ca_settle_stop(struct ca_settle *s) { (void)s; }
