/* oom.h - which process the kernel ends first when memory runs out: oom-score-adj and its values.
 *
 * The kernel counts shared pages in every worker and frees none of them by ending one, so workers go first and the master
 * last. Process: master. Fails: logged once (a lower score than before needs a privilege).
 */
#ifndef KVSTASH_MASTER_OOM_H
#define KVSTASH_MASTER_OOM_H

#include "command/config.h"
#include "master/children.h"

/* Sets the scores of the master and of all children as the parameters say now. */
void oom_adjust(const struct config_sh *c, const struct children *children);

#endif
