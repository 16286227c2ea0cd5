/* slice.h - how long the calling thread runs before others of its rank: as the scheduler is asked, and by giving the core up.
 *
 * A thread with a long slice gets the same share of a core, in longer pieces, and gives way at once to one with a shorter slice
 * that wakes. So work that nobody waits for asks for long ones. Unlike a lower rank it starves nobody who waits for a lock that the
 * thread holds, and it can be taken back without privileges. Not longer than it must be for that: a thread that yields is put behind
 * the others by a whole slice (Linux 6.18), which with 20 ms left a snapshot 3 % of a core that another thread filled.
 *
 * That is not enough: most kernels let nobody interrupt a system call (PREEMPT_NONE, PREEMPT_VOLUNTARY), and a thread that had more than
 * its share just before waits whatever the slices are. So such work is cut into pieces of some 20 us, system calls too, with
 * slice_yield between them.
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

/* Work of one thread that nobody waits for; zeroed where it begins. */
struct slice_work {
    int64_t since_ns; /* clock_ns at the end of the last slice_yield */
    int64_t owed_ns;  /* a third of the waits for the core less the work, within bounds */
};

/* Between two pieces of work: the core to whoever waits for it. Only while the work has had less than a third of what it waited does it
 * keep the core, for at most 2 ms: others who fill the core leave it a quarter. Returns the time. */
int64_t slice_yield(struct slice_work *w);

#endif
