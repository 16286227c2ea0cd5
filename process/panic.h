/* panic.h - last words of a dying process, written into its slot, from which its heir logs them.
 *
 * Process: every child. Locks: none. Crash: that is what it is for; it uses nothing but stores and raise().
 */
#ifndef KVSTASH_PROCESS_PANIC_H
#define KVSTASH_PROCESS_PANIC_H

#include "shm/shm_region.h"

/* From now on a fatal signal or a failed assertion of this process leaves its words in the slot and ends the process by
 * SIGKILL, without a core dump, whose writing would keep its locks held. */
void panic_install(struct shm_region *r, unsigned slot);

#endif
