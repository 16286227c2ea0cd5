/* control.c - sums over the slots' numbers (see control.h).
 *
 * A number is known by its place in a slot's struct, so that one function sums any of them. A reset does not touch what
 * others write: it keeps the sums of that moment, which later sums are lessened by. Process: any. Locks: CONFIG for the reset.
 */
#include "command/control.h"

static _Atomic uint64_t *
word(const struct control_slot_sh *s, size_t member)
{
    return (_Atomic uint64_t *)(void *)((char *)(uintptr_t)s + member);
}

/* Over all slots since they exist. A slot's totals stay when it passes to the next process. */
static uint64_t
sum_all(const struct control_sh *c, size_t member)
{
    uint64_t n = 0;
    for (unsigned s = 0; s < SHM_SLOTS_MAX; s++)
        n += atomic_load_explicit(word(&c->slot[s], member), memory_order_relaxed);
    return n;
}

uint64_t
control_sum(const struct control_sh *c, size_t member)
{
    return sum_all(c, member) - atomic_load_explicit(word(&c->before, member), memory_order_relaxed);
}

uint64_t
control_changes(const struct control_sh *c)
{
    return sum_all(c, offsetof(struct control_slot_sh, changes));
}

void
control_reset_totals(struct control_sh *c)
{
    for (size_t m = offsetof(struct control_slot_sh, connections); m < sizeof(struct control_slot_sh); m += sizeof(uint64_t))
        atomic_store_explicit(word(&c->before, m), sum_all(c, m), memory_order_relaxed);
}

void
control_clear_gauges(struct control_sh *c, unsigned slot)
{
    for (size_t m = 0; m < offsetof(struct control_slot_sh, connections); m += sizeof(uint64_t))
        atomic_store_explicit(word(&c->slot[slot], m), 0, memory_order_relaxed);
}
