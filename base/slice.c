/* slice.c - asks the kernel for a slice, and gives the core up (see slice.h). Kernels that do not know slices ignore the field, and do not
 * tell it afterwards. */
#include "base/slice.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define WAITS_FOR_WORK 3     /* so much waiting is worth one part of work */
#define OWED_MAX_NS 2000000  /* of work at once */
#define AHEAD_MAX_NS 5000000 /* work done with little waiting counts for no more: then 15 ms of waiting make up for it */
#define PIECE_MAX_NS 200000  /* what took longer slept meanwhile */

bool
slice_set(uint64_t ns)
{
    struct sched_attr a = {.size = sizeof a};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0)
        return false;
    a.size = sizeof a;
    a.sched_runtime = ns;
    if (syscall(SYS_sched_setattr, 0, &a, 0) != 0 || syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0)
        return false;
    return ns == SLICE_USUAL || a.sched_runtime == ns;
}

int64_t
slice_yield(struct slice_work *w)
{
    int64_t now = clock_ns(), piece = now - w->since_ns;
    w->owed_ns -= piece < PIECE_MAX_NS ? piece : PIECE_MAX_NS;
    w->since_ns = now;
    if (w->owed_ns > 0)
        return now;
    syscall(SYS_sched_yield); /* <sched.h> and the kernel's header do not go together */
    w->since_ns = clock_ns();
    w->owed_ns += (w->since_ns - now) / WAITS_FOR_WORK;
    if (w->owed_ns < -AHEAD_MAX_NS)
        w->owed_ns = -AHEAD_MAX_NS;
    else if (w->owed_ns > OWED_MAX_NS)
        w->owed_ns = OWED_MAX_NS;
    return w->since_ns;
}
