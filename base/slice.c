/* slice.c - asks the kernel for a slice (see slice.h). Kernels that do not know it ignore the field, and do not tell it afterwards. */
#include "base/slice.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

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
