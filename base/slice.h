/* slice.h - how long the scheduler lets the calling thread run before others of its rank.
 *
 * A thread with a long slice gets the same share of a core, in longer pieces, and gives way at once to one with a shorter slice
 * that wakes. So work that nobody waits for asks for long ones. Unlike a lower rank it starves nobody who waits for a lock that the
 * thread holds, and it can be taken back without privileges. Not longer than it must be for that: a thread that yields is put behind
 * the others by a whole slice (Linux 6.18), which with 20 ms left a snapshot 3 % of a core that another thread filled.
 *
 * Process: any. Fails: never; Linux before 6.12 has slices of its own, see slice_set.
 * Source: sched_setattr(2); Linux, kernel/sched/fair.c (PREEMPT_SHORT).
 */
#ifndef KVSTASH_BASE_SLICE_H
#define KVSTASH_BASE_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#define SLICE_USUAL 0u         /* the system's own */
#define SLICE_LONG 4000000u /* ns; the usual one is 3 ms at most */

/* ns: SLICE_USUAL, or 100 us to 100 ms. False: this system does not have it. */
bool slice_set(uint64_t ns);

#endif
