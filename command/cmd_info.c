/* cmd_info.c - INFO: the server in text, by sections.
 *
 * Every number is summed from the region at the moment of asking, so any worker tells the same. Fields are Redis's;
 * what Redis counts and kv-stash has no use for is left out.
 *
 * Process: workers. Locks: none; counters are read as they are.
 */
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"

struct info {
    struct engine *engine;
    struct buf *text;
};

static const char *
human(uint64_t bytes, char text[32])
{
    static const char units[] = "BKMGT";
    double v = (double)bytes;
    unsigned unit = 0;
    for (; v >= 1024 && unit < 4; unit++)
        v /= 1024;
    if (unit == 0)
        snprintf(text, 32, "%luB", (unsigned long)bytes);
    else
        snprintf(text, 32, "%.2f%c", v, units[unit]);
    return text;
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static void
info_server(struct info *i)
{
    const struct control_sh *c = i->engine->control;
    const struct shm_header_sh *h = i->engine->region->header;
    static const char *const pages[] = {"4k", "thp", "hugetlb"};
    struct utsname u;
    int64_t up = (int64_t)time(NULL) - c->started_ms / 1000;
    uname(&u);
    buf_printf(i->text,
        "redis_version:7.0.15\r\nredis_mode:standalone\r\nserver_name:kv-stash\r\nkvstash_version:" CONTROL_VERSION "\r\n"
        "os:%s %s %s\r\narch_bits:64\r\nmultiplexing_api:epoll\r\ngcc_version:%d.%d.%d\r\nprocess_id:%lu\r\nrun_id:%s\r\n"
        "tcp_port:%u\r\nuptime_in_seconds:%ld\r\nuptime_in_days:%ld\r\nregion_file:%s\r\nregion_pages:%s\r\nworkers:%u\r\n"
        "shards:%u\r\n",
        u.sysname, u.release, u.machine, __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__,
        (unsigned long)atomic_load(&h->master_pid), c->run_id, c->port, (long)up, (long)(up / 86400), i->engine->region->path,
        pages[h->page_kind <= SHM_PAGES_HUGETLB ? h->page_kind : 0], c->workers, i->engine->region->nshards);
}

#define SUM(member) ((unsigned long)CONTROL_SUM(i->engine->control, member))

static void
info_clients(struct info *i)
{
    buf_printf(i->text, "connected_clients:%lu\r\nmaxclients:%ld\r\nblocked_clients:0\r\ntracking_clients:0\r\n", SUM(clients),
        (long)config_number(i->engine, PARAM_MAXCLIENTS));
}

static void
info_memory(struct info *i)
{
    const struct shm_header_sh *h = i->engine->region->header;
    char used_text[32], max_text[32];
    uint64_t used = shm_region_used(i->engine->region), max = (uint64_t)config_number(i->engine, PARAM_MAXMEMORY);
    uint64_t committed = atomic_load(&h->committed_extents) * SHM_EXTENT_BYTES;
    buf_printf(i->text,
        "used_memory:%lu\r\nused_memory_human:%s\r\nused_memory_dataset:%lu\r\nmaxmemory:%lu\r\nmaxmemory_human:%s\r\n"
        "maxmemory_policy:noeviction\r\nregion_bytes:%lu\r\nregion_committed_bytes:%lu\r\nregion_limit_bytes:%lu\r\n"
        "region_free_bytes:%lu\r\nmem_allocator:kv-stash\r\n",
        (unsigned long)used, human(used, used_text), (unsigned long)(used - shm_region_fixed(i->engine->region)), (unsigned long)max,
        human(max, max_text), (unsigned long)h->bytes, (unsigned long)committed,
        (unsigned long)(atomic_load(&h->committed_limit) * SHM_EXTENT_BYTES),
        (unsigned long)(atomic_load(&h->free_spans) * SHM_SPAN_BYTES));
}

static void
info_stats(struct info *i)
{
    uint64_t restarts = 0;
    for (unsigned s = 0; s < i->engine->region->nslots; s++)
        restarts += atomic_load(&i->engine->region->slots[s].restarts);
    buf_printf(i->text,
        "total_connections_received:%lu\r\ntotal_commands_processed:%lu\r\nexpired_keys:%lu\r\nevicted_keys:0\r\n"
        "keyspace_hits:%lu\r\nkeyspace_misses:%lu\r\nprocess_restarts:%lu\r\n",
        SUM(connections), SUM(commands), SUM(expired), SUM(hits), SUM(misses), (unsigned long)restarts);
}

static void
info_persistence(struct info *i)
{
    buf_append_str(i->text, "loading:0\r\nrdb_changes_since_last_save:0\r\nrdb_bgsave_in_progress:0\r\naof_enabled:0\r\n");
}

static void
info_replication(struct info *i)
{
    buf_append_str(i->text, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
}

static void
info_cpu(struct info *i)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    buf_printf(i->text, "used_cpu_sys:%ld.%06ld\r\nused_cpu_user:%ld.%06ld\r\n", (long)u.ru_stime.tv_sec,
        (long)u.ru_stime.tv_usec, (long)u.ru_utime.tv_sec, (long)u.ru_utime.tv_usec);
}

static void
info_cluster(struct info *i)
{
    buf_append_str(i->text, "cluster_enabled:0\r\n");
}

static void
info_keyspace(struct info *i)
{
    struct shm_region *r = i->engine->region;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    for (unsigned db = 0; db < r->databases; db++) {
        uint64_t keys = 0, expires = 0;
        __int128 ttl = 0;
        for (unsigned s = 0; s < r->nshards; s++) {
            const volatile struct shm_dbroot_sh *d = shm_region_dbroot(r, s, db);
            keys += d->tree.count;
            expires += d->expires;
            ttl += (int64_t)(d->expiry_sum - d->expires * (uint64_t)now);
        }
        if (keys > 0)
            buf_printf(i->text, "db%u:keys=%lu,expires=%lu,avg_ttl=%ld\r\n", db, (unsigned long)keys, (unsigned long)expires,
                expires && ttl > 0 ? (long)(ttl / (__int128)expires) : 0L);
    }
}

static void
info_processes(struct info *i)
{
    static const char *const kinds[] = {"none", "worker", "housekeeper", "persister", "replicator", "cluster", "exporter",
        "master", "tool"};
    static const char *const states[] = {"vacant", "starting", "up", "draining", "dead"};
    struct shm_region *r = i->engine->region;
    for (unsigned s = 0; s < r->nslots; s++) {
        const struct shm_slot_sh *slot = &r->slots[s];
        uint32_t kind = atomic_load(&slot->kind), state = atomic_load(&slot->state);
        if (state == SHM_PROC_VACANT || kind > SHM_PROC_TOOL || state > SHM_PROC_DEAD)
            continue;
        buf_append_str(i->text, kinds[kind]);
        if (kind == SHM_PROC_WORKER)
            buf_printf(i->text, "%u", s);
        buf_printf(i->text, ":pid=%u,state=%s,restarts=%u", atomic_load(&slot->pid), states[state], atomic_load(&slot->restarts));
        if (kind == SHM_PROC_WORKER)
            buf_printf(i->text, ",clients=%lu", (unsigned long)atomic_load(&i->engine->control->slot[s].clients));
        buf_append_str(i->text, "\r\n");
    }
}

static const struct section {
    const char *name, *title;
    void (*write)(struct info *i);
    bool in_default;
} sections[] = {
    {"server", "Server", info_server, true},
    {"clients", "Clients", info_clients, true},
    {"memory", "Memory", info_memory, true},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", info_stats, true},
    {"replication", "Replication", info_replication, true},
    {"cpu", "CPU", info_cpu, true},
    {"cluster", "Cluster", info_cluster, true},
    {"keyspace", "Keyspace", info_keyspace, true},
    {"processes", "Processes", info_processes, true},
};
#define SECTIONS (sizeof sections / sizeof sections[0])

static bool
wanted(const struct cmd *c, const struct section *s)
{
    if (c->argc == 1)
        return s->in_default;
    for (int i = 1; i < c->argc; i++) {
        if (cmd_arg_is(c, i, s->name) || cmd_arg_is(c, i, "all") || cmd_arg_is(c, i, "everything"))
            return true;
        if (cmd_arg_is(c, i, "default") && s->in_default)
            return true;
    }
    return false;
}

void
cmd_info(struct cmd *c)
{
    struct buf text;
    buf_init(&text);
    for (size_t s = 0; s < SECTIONS; s++) {
        if (!wanted(c, &sections[s]))
            continue;
        buf_printf(&text, "%s# %s\r\n", buf_pending(&text) ? "\r\n" : "", sections[s].title);
        sections[s].write(&(struct info){.engine = c->engine, .text = &text});
    }
    if (buf_failed(&text))
        cmd_error(c, "ERR no private memory for the text");
    else
        resp_out_verbatim(c->out, "txt", buf_pending(&text) ? buf_head(&text) : "", buf_pending(&text));
    buf_destroy(&text);
}
