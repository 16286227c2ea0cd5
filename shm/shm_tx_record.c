/* shm_tx_record.c - the record that a transaction leaves in the log: the effects of its commands (see shm_tx.h, shm_tx_record.h).
 *
 * Effects are gathered in private memory while the commands run, so a command that is rolled back has written nothing for the
 * log. At the commit a short record goes into the ring's slot, a long one into spans that are claimed before the commit point.
 * When it becomes visible is shm_tx.c's business. Rewinding to a savepoint is too: it sets record_len back.
 *
 * Process: every process with a journal. Locks: none of its own. Crash: claimed spans are the transaction's, swept with it.
 * Fails: want of memory for the record is kept (log_failed) and told by the commit; want of spans in tx->want.
 */
#include "shm/shm_tx_record.h"

#include <stdlib.h>

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

void
shm_tx_record_write(struct shm_tx *tx, struct shm_record_sh *rec, uint64_t ticket, uint64_t spilled)
{
    rec->ticket = ticket;
    rec->transaction = tx->journal->transactions;
    rec->length = (uint32_t)tx->record_len;
    rec->crc = 0;
    rec->database = tx->record_database;
    rec->flags = 0;
    rec->effects = tx->record_effects;
    rec->spill = spilled;
    rec->trace = 0;
    if (!spilled)
        memcpy(rec->payload, tx->record, tx->record_len);
}
