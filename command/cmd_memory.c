/* cmd_memory.c - MEMORY of the whole server: STATS, DOCTOR, PURGE, MALLOC-STATS. USAGE is a key's: cmd_key.c.
 *
 * The fields of STATS are Redis's; "allocator" means the region, "fragmentation" what it holds beyond what is used.
 *
 * Process: workers. Locks: none; counters are read as they are.
 */
#include <stdio.h>

#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"
#include "command/usage.h"

#define LITTLE (5u << 20) /* below this, ratios say nothing */

static double
share(uint64_t part, uint64_t whole, double scale)
{
    return whole ? scale * (double)part / (double)whole : 0;
}

static void
number(struct cmd *c, const char *name, uint64_t v)
{
    resp_out_bulk_str(c->out, name);
    resp_out_int(c->out, (int64_t)v);
}

static void
real(struct cmd *c, const char *name, double v)
{
    resp_out_bulk_str(c->out, name);
    resp_out_double(c->out, v);
}

/* Keys of one database; 0: nothing to show of it. */
static uint64_t
keys_of(const struct cmd *c, unsigned db)
{
    uint64_t n = 0;
    for (unsigned s = 0; s < c->engine->region->nshards; s++)
        n += *(volatile const uint64_t *)&shm_region_dbroot(c->engine->region, s, db)->tree.count;
    return n;
}

/* Returns the keys of all databases; *shown how many of these have a row of their own. */
static uint64_t
count_keys(const struct cmd *c, size_t *shown)
{
    uint64_t all = 0;
    *shown = 0;
    for (unsigned db = 0; db < c->engine->region->databases; db++) {
        uint64_t n = keys_of(c, db);
        all += n;
        *shown += n > 0;
    }
    return all;
}

/* What an index takes is in the blocks; it is not told apart. */
static void
reply_databases(struct cmd *c)
{
    for (unsigned db = 0; db < c->engine->region->databases; db++) {
        if (keys_of(c, db) == 0)
            continue;
        resp_out_bulkf(c->out, "db.%u", db);
        resp_out_map(c->out, 3);
        number(c, "overhead.hashtable.main", keys_of(c, db) * sizeof(uint64_t));
        number(c, "overhead.hashtable.expires", 0);
        number(c, "overhead.hashtable.slot-to-keys", 0);
    }
}

void
cmd_memory_stats(struct cmd *c)
{
    struct usage_memory m;
    size_t databases;
    uint64_t keys = count_keys(c, &databases);
    usage_memory(c->engine, &m);
    resp_out_map(c->out, 27 + databases);
    number(c, "peak.allocated", m.peak);
    number(c, "total.allocated", m.used);
    number(c, "startup.allocated", m.startup);
    number(c, "replication.backlog", 0);
    number(c, "clients.slaves", 0);
    number(c, "clients.normal", m.clients);
    number(c, "cluster.links", 0);
    number(c, "aof.buffer", 0);
    number(c, "lua.caches", 0);
    number(c, "functions.caches", 0);
    reply_databases(c);
    number(c, "overhead.total", m.used - m.blocks);
    number(c, "keys.count", keys);
    number(c, "keys.bytes-per-key", keys ? (m.used - m.startup) / keys : 0);
    number(c, "dataset.bytes", m.blocks);
    real(c, "dataset.percentage", share(m.blocks, m.used - m.startup, 100));
    real(c, "peak.percentage", share(m.used, m.peak, 100));
    number(c, "allocator.allocated", m.used);
    number(c, "allocator.active", m.committed);
    number(c, "allocator.resident", m.resident);
    real(c, "allocator-fragmentation.ratio", share(m.committed, m.used, 1));
    number(c, "allocator-fragmentation.bytes", m.committed - m.used);
    real(c, "allocator-rss.ratio", share(m.resident, m.committed, 1));
    number(c, "allocator-rss.bytes", m.resident - m.committed);
    real(c, "rss-overhead.ratio", 1);
    number(c, "rss-overhead.bytes", 0);
    real(c, "fragmentation", share(m.resident, m.used, 1));
    number(c, "fragmentation.bytes", m.resident - m.used);
}

void
cmd_memory_doctor(struct cmd *c)
{
    struct usage_memory m;
    char text[512];
    int n = 0;
    usage_memory(c->engine, &m);
    if (m.blocks < LITTLE)
        n = snprintf(text, sizeof text, "There is too little data to judge.\n");
    else if (m.peak > m.used + m.used / 2)
        n = snprintf(text, sizeof text, "Once %lu bytes were in use, now %lu are: memory of that time may still be held.\n",
            (unsigned long)m.peak, (unsigned long)m.used);
    else if (m.committed > m.used + m.used / 2)
        n = snprintf(text, sizeof text, "The region holds %lu bytes for %lu in use: more than data that comes and goes explains.\n",
            (unsigned long)m.committed, (unsigned long)m.used);
    else if (m.clients > m.blocks)
        n = snprintf(text, sizeof text, "Clients' buffers take %lu bytes, the data %lu: see CLIENT LIST for the largest.\n",
            (unsigned long)m.clients, (unsigned long)m.blocks);
    else
        n = snprintf(text, sizeof text, "Nothing stands out.\n");
    resp_out_verbatim(c->out, "txt", text, (size_t)n);
}

/* Free memory goes back by itself. */
void
cmd_memory_purge(struct cmd *c)
{
    resp_out_ok(c->out);
}

void
cmd_memory_malloc_stats(struct cmd *c)
{
    const struct shm_header_sh *h = c->engine->region->header;
    struct usage_memory m;
    char text[512];
    usage_memory(c->engine, &m);
    int n = snprintf(text, sizeof text,
        "region: %lu bytes, %lu committed, %lu in use, %lu in free spans of %u bytes\nfixed: %lu\nblocks: %lu\nclients: %lu\n",
        (unsigned long)h->bytes, (unsigned long)m.committed, (unsigned long)m.used,
        (unsigned long)(atomic_load(&h->free_spans) * SHM_SPAN_BYTES), SHM_SPAN_BYTES, (unsigned long)m.startup,
        (unsigned long)m.blocks, (unsigned long)m.clients);
    resp_out_verbatim(c->out, "txt", text, (size_t)n);
}
