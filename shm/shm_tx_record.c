/* shm_tx_record.c - the record that a transaction leaves in the log: the effects of its commands (see shm_tx.h, shm_tx_record.h).
 *
 * Effects are gathered in private memory while the commands run, so a command that is rolled back has written nothing for the
 * log. At the commit a short record goes into the ring, a long one into spans that are claimed before the commit point.
 * When it becomes visible is shm_tx.c's business. Rewinding to a savepoint is too: it sets record_len back.
 *
 * Process: every process with a journal. Locks: none of its own. Crash: claimed spans are the transaction's, swept with it.
 * Fails: want of memory for the record is kept (log_failed) and told by the commit; want of spans in tx->want.
 */
#include "shm/shm_tx_record.h"

#include <stdlib.h>

#include "shm/shm_ring.h"

bool
shm_tx_logging(const struct shm_tx *tx)
{
    return tx->logging;
}

static char *
record_reserve(struct shm_tx *tx, size_t n)
{
    if (tx->record_len + n > tx->record_cap) {
        size_t cap = tx->record_cap ? tx->record_cap * 2 : 512;
        while (cap < tx->record_len + n)
            cap *= 2;
        char *more = realloc(tx->record, cap);
        if (!more) {
            tx->log_failed = true;
            return NULL;
        }
        tx->record = more;
        tx->record_cap = cap;
    }
    char *at = tx->record + tx->record_len;
    tx->record_len += n;
    return at;
}

void
shm_tx_effect(struct shm_tx *tx, unsigned db, int argc, const struct shm_effect_arg *argv)
{
    if (!shm_tx_logging(tx))
        return;
    size_t bytes = 8;
    for (int i = 0; i < argc; i++)
        bytes += 4 + argv[i].len;
    char *p = record_reserve(tx, bytes);
    if (!p)
        return;
    uint32_t head[2] = {db, (uint32_t)argc};
    memcpy(p, head, sizeof head);
    p += sizeof head;
    for (int i = 0; i < argc; i++) {
        uint32_t len = (uint32_t)argv[i].len;
        memcpy(p, &len, sizeof len);
        memcpy(p + 4, argv[i].data, len);
        p += 4 + len;
    }
    if (tx->record_effects++ == 0)
        tx->record_database = (uint16_t)db;
}

/* The payload, from the unit at `at` on; it may go on at the ring's beginning. */
static void
write_payload(const struct shm_tx *tx, struct shm_ring_sh *ring, uint64_t at)
{
    size_t first = at % SHM_RING_UNITS, room = (SHM_RING_UNITS - first) * SHM_RING_UNIT;
    size_t n = tx->record_len < room ? tx->record_len : room;
    memcpy(ring->unit[first], tx->record, n);
    memcpy(ring->unit[0], tx->record + n, tx->record_len - n);
}

void
shm_tx_record_write(struct shm_tx *tx, struct shm_ring_sh *ring, uint64_t at, uint64_t ticket)
{
    *shm_ring_record(ring, at) = (struct shm_record_sh){.ticket = ticket, .transaction = tx->journal->transactions,
        .length = (uint32_t)tx->record_len, .database = tx->record_database, .effects = tx->record_effects, .spill = tx->spilled};
    if (!tx->spilled)
        write_payload(tx, ring, at + 1);
}
