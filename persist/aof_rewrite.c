/* aof_rewrite.c - new bases (see aof.h). */
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
