/* log_merge.c - from the rings to groups (see log_merge.h).
 *
 * The idea: which record is next is the rings' reader's business (shm_ring.h); here each becomes commands at the end of the group's
 * bytes. In front of them room is left for the group's line, which is filled in last, when length, hash and the durable ticket are known.
 * A record is added whole or not at all: if memory is short, the bytes are cut back, the record stays in its ring, and the group is
 * good without it. A record whose ticket was drawn but which is not there yet is looked for again a few times, because its writer is
 * mostly between two instructions; after that the caller is told, who has other things to do.
 *
 * A few groups are kept with their memory, so that a busy log allocates nothing. Writing them and letting the rings go on is aof_write.c's
 * job, their text aof_render.c's.
 */
#include "persist/log_merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "persist/aof_render.h"

#define SPARES_MAX 8u
#define SPARE_BYTES (1u << 20) /* a larger group's memory is given back */
#define WAIT_LOOKS 200u        /* a record that is under way is there in less than a microsecond, unless its writer was stopped */

void
log_merge_open(struct log_merge *m, struct shm_region *r, uint64_t expected)
{
    shm_ring_open(&m->reader, r, expected);
    m->until = UINT64_MAX;
}

void
log_merge_close(struct log_merge *m)
{
    while (m->spare) {
        struct log_group *g = m->spare;
        m->spare = g->next;
        buf_destroy(&g->bytes);
        free(g);
    }
    m->spares = 0;
    buf_destroy(&m->room);
}

struct log_group *
log_merge_group(struct log_merge *m)
{
    struct log_group *g = m->spare;
    if (g) {
        m->spare = g->next;
        m->spares--;
    } else {
        g = calloc(1, sizeof *g);
        if (!g)
            return NULL;
    }
    buf_clear(&g->bytes, SIZE_MAX);
    if (!buf_reserve(&g->bytes, AOF_GROUP_LINE)) {
        free(g);
        return NULL;
    }
    g->bytes.len = AOF_GROUP_LINE;
    g->first = m->reader.expected;
    g->last = g->first - 1;
    g->records = 0;
    g->since_ns = clock_ns();
    g->db = AOF_RENDER_NO_DB;
    g->spilled = false;
    g->next = NULL;
    memcpy(g->cursor, m->reader.cursor, m->reader.slots * sizeof g->cursor[0]);
    return g;
}

void
log_merge_done(struct log_merge *m, struct log_group *g)
{
    if (m->spares >= SPARES_MAX || g->bytes.cap > SPARE_BYTES) {
        buf_destroy(&g->bytes);
        free(g);
        return;
    }
    g->next = m->spare;
    m->spare = g;
    m->spares++;
}

/* One record. False: no private memory; nothing of it was added. */
static bool
add_record(struct log_merge *m, struct log_group *g, const struct shm_record_sh *record)
{
    size_t mark = g->bytes.len;
    int64_t db = g->db;
    const char *payload = shm_ring_payload(&m->reader, record, &m->room);
    if (payload)
        aof_render(&g->bytes, payload, record->length, record->effects, &g->db);
    if (!payload || buf_failed(&g->bytes)) {
        g->bytes.failed = true;
        buf_truncate(&g->bytes, mark);
        g->db = db;
        return false;
    }
    g->last = record->ticket;
    g->records++;
    shm_ring_pass(&m->reader);
    return true;
}

enum shm_ring_result
log_merge_take(struct log_merge *m, struct log_group *g, size_t limit)
{
    enum shm_ring_result got = SHM_RING_RECORD;
    const struct shm_record_sh *record;
    unsigned looks = 0;
    m->reader.spilled = false;
    while (g->bytes.len < limit) {
        got = m->reader.expected < m->until ? shm_ring_next(&m->reader, &record) : SHM_RING_EMPTY;
        if (got == SHM_RING_EMPTY || (got == SHM_RING_WAIT && ++looks > WAIT_LOOKS))
            break;
        if (got == SHM_RING_RECORD && !add_record(m, g, record))
            break;
    }
    g->spilled |= m->reader.spilled;
    memcpy(g->cursor, m->reader.cursor, m->reader.slots * sizeof g->cursor[0]);
    return got;
}

void
log_merge_stamp(struct log_group *g, int64_t seconds)
{
    char line[AOF_STAMP_LINE_MAX];
    buf_append(&g->bytes, line, aof_stamp_render(line, seconds));
}

void
log_merge_seal(struct log_group *g, const struct aof_head *head, uint64_t durable)
{
    char *bytes = buf_head(&g->bytes) + AOF_GROUP_LINE;
    size_t n = buf_pending(&g->bytes) - AOF_GROUP_LINE;
    const struct aof_group line = {.first = g->first, .last = g->last, .durable = durable, .bytes = n,
        .hash = aof_group_hash(&(struct iovec){bytes, n}, 1)};
    aof_group_render(buf_head(&g->bytes), head, &line);
}

uint64_t
log_merge_waiting(const struct log_merge *m)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < m->reader.slots; i++) {
        uint64_t n = atomic_load_explicit(&m->reader.region->rings[i].head, memory_order_relaxed) - m->reader.cursor[i];
        most = n > most ? n : most;
    }
    return most;
}
