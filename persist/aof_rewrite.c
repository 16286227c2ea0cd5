/* aof_rewrite.c - new bases (see aof.h): they come with snapshots. */
#include "persist/aof_parts.h"

void
aof_rewrite_turn(struct aof *a)
{
    (void)a;
}

void
aof_rewrite_abort(struct aof *a)
{
    (void)a;
}

bool
aof_sync_is_put_off(const struct aof *a)
{
    (void)a;
    return false;
}
