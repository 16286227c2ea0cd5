/* cmd_info.c - INFO: the server in text, by sections.
 *
 * Every number is summed from the region at the moment of asking, so any worker tells the same. Sections and fields are
 * Redis's, in its order; what it counts and kv-stash has no use for is 0. The section "processes" and fields that begin
 * with "region_" or "kvstash_" are our own.
 *
 * Process: workers. Locks: none; counters are read as they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "command/cmd.h"
#include "command/cmd_rows.h"
#include "command/control.h"
#include "command/usage.h"

#define MEGA 1000000u
#define LRU_CLOCK_MAX ((1u << 24) - 1)

struct info {
    struct engine *engine;
    struct buf *text;
};

/* One field; the text has its line's end. */
#define FIELD(i, format, ...) buf_printf((i)->text, format "\r\n", __VA_ARGS__)
#define SUM(i, member) ((unsigned long)CONTROL_SUM((i)->engine->control, member))

static void
field_bytes(struct info *i, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGT";
    double v = (double)bytes;
    unsigned unit = 0;
    for (; v >= 1024 && unit < 4; unit++)
        v /= 1024;
    FIELD(i, "%s:%lu", name, (unsigned long)bytes);
    if (unit == 0)
        FIELD(i, "%s_human:%luB", name, (unsigned long)bytes);
    else
        FIELD(i, "%s_human:%.2f%c", name, v, units[unit]);
}

/* ---- server, clients --------------------------------------------------------------------------------------------------- */

static void
info_server(struct info *i)
{
    const struct control_sh *c = i->engine->control;
    const struct shm_header_sh *h = i->engine->region->header;
    static const char *const pages[] = {"4k", "thp", "hugetlb"};
    struct utsname u;
    struct timespec now;
    char path[512];
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t up = (int64_t)now.tv_sec - c->started_ms / 1000;
    uname(&u);
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    FIELD(i, "redis_version:7.0.15\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:%s", "kvstash-" CONTROL_VERSION);
    FIELD(i, "redis_mode:%s", i->engine->cluster ? "cluster" : "standalone");
    FIELD(i, "os:%s %s %s\r\narch_bits:64", u.sysname, u.release, u.machine);
    FIELD(i, "monotonic_clock:%s\r\nmultiplexing_api:epoll\r\natomicvar_api:c11-builtin", c->ns_per_tick ? "X86 TSC" : "POSIX clock_gettime");
    FIELD(i, "gcc_version:%d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
    FIELD(i, "process_id:%lu\r\nprocess_supervised:no\r\nrun_id:%s", (unsigned long)atomic_load(&h->master_pid), c->run_id);
    FIELD(i, "tcp_port:%u\r\nserver_time_usec:%ld", c->port, (long)now.tv_sec * (long)MEGA + now.tv_nsec / 1000);
    FIELD(i, "uptime_in_seconds:%ld\r\nuptime_in_days:%ld", (long)up, (long)(up / 86400));
    FIELD(i, "hz:%ld\r\nconfigured_hz:%ld", (long)config_number(i->engine, PARAM_HZ), (long)config_number(i->engine, PARAM_HZ));
    FIELD(i, "lru_clock:%lu\r\nexecutable:%s\r\nconfig_file:%s\r\nio_threads_active:0", (unsigned long)now.tv_sec & LRU_CLOCK_MAX,
        path, c->config_file);
    FIELD(i, "server_name:kv-stash\r\nkvstash_version:%s", CONTROL_VERSION);
    FIELD(i, "region_file:%s\r\nregion_file_gone:%u", i->engine->region->path, atomic_load(&c->region_file_gone));
    FIELD(i, "region_pages:%s", pages[h->page_kind <= SHM_PAGES_HUGETLB ? h->page_kind : 0]);
    FIELD(i, "workers:%u\r\nshards:%u", c->workers, i->engine->region->nshards);
}

static uint64_t
largest(const struct info *i, size_t member)
{
    uint64_t most = 0;
    for (unsigned s = 0; s < i->engine->control->workers; s++) {
        const char *slot = (const char *)&i->engine->control->slot[s];
        uint64_t v = atomic_load_explicit((const _Atomic uint64_t *)(const void *)(slot + member), memory_order_relaxed);
        most = v > most ? v : most;
    }
    return most;
}

static void
info_clients(struct info *i)
{
    FIELD(i, "connected_clients:%lu\r\ncluster_connections:0", SUM(i, clients));
    FIELD(i, "maxclients:%ld", (long)config_number(i->engine, PARAM_MAXCLIENTS));
    FIELD(i, "client_recent_max_input_buffer:%lu", (unsigned long)largest(i, offsetof(struct control_slot_sh, input_max)));
    FIELD(i, "client_recent_max_output_buffer:%lu", (unsigned long)largest(i, offsetof(struct control_slot_sh, output_max)));
    buf_append_str(i->text, "blocked_clients:0\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n");
}

/* ---- memory --------------------------------------------------------------------------------------------------------------- */

static double
ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void
memory_used(struct info *i, const struct usage_memory *m)
{
    uint64_t dataset = m->blocks;
    field_bytes(i, "used_memory", m->used);
    field_bytes(i, "used_memory_rss", m->resident);
    field_bytes(i, "used_memory_peak", m->peak);
    FIELD(i, "used_memory_peak_perc:%.2f%%", 100 * ratio(m->used, m->peak));
    FIELD(i, "used_memory_overhead:%lu\r\nused_memory_startup:%lu", (unsigned long)(m->used - dataset), (unsigned long)m->startup);
    FIELD(i, "used_memory_dataset:%lu", (unsigned long)dataset);
    FIELD(i, "used_memory_dataset_perc:%.2f%%", 100 * ratio(dataset, m->used - m->startup));
    FIELD(i, "allocator_allocated:%lu\r\nallocator_active:%lu\r\nallocator_resident:%lu", (unsigned long)m->used,
        (unsigned long)m->committed, (unsigned long)m->resident);
    field_bytes(i, "total_system_memory", (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void
memory_scripts(struct info *i)
{
    buf_append_str(i->text,
        "used_memory_lua:0\r\nused_memory_vm_eval:0\r\nused_memory_lua_human:0B\r\nused_memory_scripts_eval:0\r\n"
        "number_of_cached_scripts:0\r\nnumber_of_functions:0\r\nnumber_of_libraries:0\r\nused_memory_vm_functions:0\r\n"
        "used_memory_vm_total:0\r\nused_memory_vm_total_human:0B\r\nused_memory_functions:0\r\nused_memory_scripts:0\r\n"
        "used_memory_scripts_human:0B\r\n");
}

static void
info_memory(struct info *i)
{
    const struct shm_header_sh *h = i->engine->region->header;
    struct usage_memory m;
    struct param_value policy = {.number = config_number(i->engine, PARAM_MAXMEMORY_POLICY)};
    char text[PARAM_TEXT_MAX];
    usage_memory(i->engine, &m);
    param_format(&params[PARAM_MAXMEMORY_POLICY], &policy, text);
    memory_used(i, &m);
    memory_scripts(i);
    field_bytes(i, "maxmemory", (uint64_t)config_number(i->engine, PARAM_MAXMEMORY));
    FIELD(i, "maxmemory_policy:%s", text);
    FIELD(i, "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%ld", ratio(m.committed, m.used), (long)(m.committed - m.used));
    FIELD(i, "allocator_rss_ratio:%.2f\r\nallocator_rss_bytes:%ld", ratio(m.resident, m.committed), (long)(m.resident - m.committed));
    FIELD(i, "rss_overhead_ratio:%.2f\r\nrss_overhead_bytes:0", 1.0);
    FIELD(i, "mem_fragmentation_ratio:%.2f\r\nmem_fragmentation_bytes:%ld", ratio(m.resident, m.used), (long)(m.resident - m.used));
    buf_append_str(i->text, "mem_not_counted_for_evict:0\r\nmem_replication_backlog:0\r\nmem_total_replication_buffers:0\r\n"
                            "mem_clients_slaves:0\r\n");
    FIELD(i, "mem_clients_normal:%lu\r\nmem_cluster_links:0\r\nmem_aof_buffer:%lu\r\nmem_allocator:kv-stash", (unsigned long)m.clients,
        (unsigned long)atomic_load(&i->engine->control->persist.aof_buffered));
    buf_append_str(i->text, "active_defrag_running:0\r\nlazyfree_pending_objects:0\r\nlazyfreed_objects:0\r\n");
    FIELD(i, "region_bytes:%lu\r\nregion_committed_bytes:%lu", (unsigned long)h->bytes, (unsigned long)m.committed);
    FIELD(i, "region_limit_bytes:%lu\r\nregion_free_bytes:%lu", (unsigned long)(atomic_load(&h->committed_limit) * SHM_EXTENT_BYTES),
        (unsigned long)(atomic_load(&h->free_spans) * SHM_SPAN_BYTES));
}

/* ---- persistence, stats, replication, cpu ------------------------------------------------------------------------------- */

/* Is the keyspace being loaded, and how far is it? */
static void
persistence_loading(struct info *i)
{
    const struct loading_sh *l = &i->engine->control->loading;
    struct loading_progress p = loading_progress(l);
    FIELD(i, "loading_start_time:%ld\r\nloading_total_bytes:%lu", (long)(atomic_load(&l->started_ms) / 1000), (unsigned long)p.total);
    FIELD(i, "loading_rdb_used_mem:%lu\r\nloading_loaded_bytes:%lu", (unsigned long)atomic_load(&l->used_memory), (unsigned long)p.loaded);
    FIELD(i, "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%ld", p.percent, (long)p.eta_s);
}

/* The snapshot that runs. Nothing is copied on write: the fields of that name tell 0. */
static void
persistence_snapshot(struct info *i)
{
    const struct persist_snapshot_sh *s = &i->engine->control->persist.snapshot;
    uint64_t total = atomic_load(&s->keys_total), done = atomic_load(&s->keys);
    FIELD(i, "current_cow_peak:0\r\ncurrent_cow_size:0\r\ncurrent_cow_size_age:0\r\ncurrent_fork_perc:%.2f",
        total ? 100.0 * (double)done / (double)total : 0.0);
    FIELD(i, "current_save_keys_processed:%lu\r\ncurrent_save_keys_total:%lu", (unsigned long)done, (unsigned long)total);
}

static void
persistence_saves(struct info *i)
{
    const struct control_sh *c = i->engine->control;
    const struct persist_save_sh *s = &c->persist.save;
    bool runs = atomic_load(&s->bgsave_asked) != atomic_load(&s->bgsave_answered);
    int64_t since = atomic_load(&s->since_ms);
    FIELD(i, "rdb_changes_since_last_save:%lu\r\nrdb_bgsave_in_progress:%d", (unsigned long)(control_changes(c) - atomic_load(&s->changes)), runs);
    FIELD(i, "rdb_last_save_time:%ld\r\nrdb_last_bgsave_status:%s", (long)atomic_load(&s->last_s), atomic_load(&s->last_failed) ? "err" : "ok");
    FIELD(i, "rdb_last_bgsave_time_sec:%ld\r\nrdb_current_bgsave_time_sec:%ld", (long)atomic_load(&s->last_took_s),
        runs && since ? (long)((clock_wall_ms() - since) / 1000) : runs ? 0L : -1L);
    FIELD(i, "rdb_saves:%lu\r\nrdb_last_cow_size:0", (unsigned long)atomic_load(&s->saves));
}

static void
persistence_rewriting(struct info *i)
{
    const struct persist_sh *p = &i->engine->control->persist;
    /* a file that is to begin is under way until its base stands */
    bool begins = config_yes(i->engine, PARAM_APPENDONLY) && atomic_load(&p->aof_state) != PERSIST_AOF_ON;
    bool runs = atomic_load(&p->rewrite_runs) || begins;
    bool asked = atomic_load(&p->rewrite_asked) != atomic_load(&p->rewrite_taken);
    long done = (long)(atomic_load(&p->rewrites) + atomic_load(&p->rewrite_failures));
    FIELD(i, "aof_enabled:%d\r\naof_rewrite_in_progress:%d\r\naof_rewrite_scheduled:%d", config_yes(i->engine, PARAM_APPENDONLY), runs,
        asked && !runs);
    FIELD(i, "aof_last_rewrite_time_sec:%ld\r\naof_current_rewrite_time_sec:%ld", done ? (long)atomic_load(&p->rewrite_took_s) : -1L,
        runs ? (long)(clock_wall_ms() / 1000 - atomic_load(&p->rewrite_begun_s)) : -1L);
    FIELD(i, "aof_last_bgrewrite_status:%s\r\naof_rewrites:%lu\r\naof_rewrites_consecutive_failures:%lu",
        atomic_load(&p->rewrite_failed) ? "err" : "ok", (unsigned long)atomic_load(&p->rewrites),
        (unsigned long)atomic_load(&p->rewrite_failures));
}

static void
persistence_file(struct info *i)
{
    const struct persist_sh *p = &i->engine->control->persist;
    FIELD(i, "aof_current_size:%lu\r\naof_base_size:%lu\r\naof_pending_rewrite:0", (unsigned long)atomic_load(&p->aof_current_size),
        (unsigned long)atomic_load(&p->aof_base_size));
    FIELD(i, "aof_buffer_length:%lu\r\naof_pending_bio_fsync:%d\r\naof_delayed_fsync:%lu", (unsigned long)atomic_load(&p->aof_buffered),
        atomic_load(&p->unsynced_since_ns) != 0, (unsigned long)atomic_load(&p->aof_delayed_fsync));
}

/* How far the log is: drawn, written, on the disk. */
static void
persistence_log(struct info *i)
{
    static const char *const states[] = {"off", "starting", "on"};
    const struct persist_sh *p = &i->engine->control->persist;
    const struct persist_place_sh place = persist_place(p);
    uint64_t last = atomic_load(&i->engine->region->header->ticket) - 1;
    bool on = atomic_load(&p->aof_state) != PERSIST_AOF_OFF;
    FIELD(i, "kvstash_aof_state:%s\r\nkvstash_aof_increment:%lu\r\nkvstash_aof_offset:%lu", states[atomic_load(&p->aof_state) % 3],
        (unsigned long)place.increment, (unsigned long)place.offset);
    FIELD(i, "kvstash_log_ticket:%lu\r\nkvstash_log_written:%lu\r\nkvstash_log_durable:%lu\r\nkvstash_log_lag:%lu", (unsigned long)last,
        (unsigned long)place.ticket, (unsigned long)atomic_load(&p->durable), (unsigned long)(on && last > place.ticket ? last - place.ticket : 0));
}

static void
info_persistence(struct info *i)
{
    bool loading = atomic_load(&i->engine->control->loading.phase) == LOADING_RUNS;
    FIELD(i, "loading:%d\r\nasync_loading:0", loading);
    persistence_snapshot(i);
    persistence_saves(i);
    FIELD(i, "rdb_last_load_keys_expired:%lu\r\nrdb_last_load_keys_loaded:%lu", (unsigned long)atomic_load(&i->engine->control->loading.expired),
        (unsigned long)atomic_load(&i->engine->control->loading.keys));
    persistence_rewriting(i);
    FIELD(i, "aof_last_write_status:%s", atomic_load(&i->engine->control->persist.aof_errno) ? "err" : "ok");
    buf_append_str(i->text, "aof_last_cow_size:0\r\nmodule_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n");
    if (config_yes(i->engine, PARAM_APPENDONLY))
        persistence_file(i);
    persistence_log(i);
    if (loading)
        persistence_loading(i);
}

static void
stats_traffic(struct info *i)
{
    FIELD(i, "total_connections_received:%lu\r\ntotal_commands_processed:%lu", SUM(i, connections), SUM(i, commands));
    FIELD(i, "instantaneous_ops_per_sec:%lu", SUM(i, ops_a_second));
    FIELD(i, "total_net_input_bytes:%lu\r\ntotal_net_output_bytes:%lu", SUM(i, bytes_in), SUM(i, bytes_out));
    buf_append_str(i->text, "total_net_repl_input_bytes:0\r\ntotal_net_repl_output_bytes:0\r\n");
    FIELD(i, "instantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f", (double)SUM(i, in_a_second) / 1024,
        (double)SUM(i, out_a_second) / 1024);
    buf_append_str(i->text, "instantaneous_input_repl_kbps:0.00\r\ninstantaneous_output_repl_kbps:0.00\r\n");
    FIELD(i, "rejected_connections:%lu\r\nsync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0", SUM(i, refused));
}

static void
info_stats(struct info *i)
{
    uint64_t restarts = 0;
    for (unsigned s = 0; s < i->engine->region->nslots; s++)
        restarts += atomic_load(&i->engine->region->slots[s].restarts);
    stats_traffic(i);
    FIELD(i, "expired_keys:%lu\r\nexpired_stale_perc:0.00\r\nexpired_time_cap_reached_count:0\r\nexpire_cycle_cpu_milliseconds:0",
        SUM(i, expired));
    FIELD(i, "evicted_keys:0\r\nevicted_clients:%lu\r\ntotal_eviction_exceeded_time:0\r\ncurrent_eviction_exceeded_time:0",
        SUM(i, evicted_clients));
    FIELD(i, "keyspace_hits:%lu\r\nkeyspace_misses:%lu", SUM(i, hits), SUM(i, misses));
    buf_append_str(i->text,
        "pubsub_channels:0\r\npubsub_patterns:0\r\npubsubshard_channels:0\r\nlatest_fork_usec:0\r\ntotal_forks:0\r\n"
        "migrate_cached_sockets:0\r\nslave_expires_tracked_keys:0\r\nactive_defrag_hits:0\r\nactive_defrag_misses:0\r\n"
        "active_defrag_key_hits:0\r\nactive_defrag_key_misses:0\r\ntotal_active_defrag_time:0\r\ncurrent_active_defrag_time:0\r\n"
        "tracking_total_keys:0\r\ntracking_total_items:0\r\ntracking_total_prefixes:0\r\nunexpected_error_replies:0\r\n");
    FIELD(i, "total_error_replies:%lu\r\ndump_payload_sanitizations:0", SUM(i, errors));
    FIELD(i, "total_reads_processed:%lu\r\ntotal_writes_processed:%lu", SUM(i, reads), SUM(i, writes));
    buf_append_str(i->text, "io_threaded_reads_processed:0\r\nio_threaded_writes_processed:0\r\nreply_buffer_shrinks:0\r\n"
                            "reply_buffer_expands:0\r\n");
    FIELD(i, "process_restarts:%lu", (unsigned long)restarts);
}

static void
info_replication(struct info *i)
{
    FIELD(i, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\nmaster_replid:%s", i->engine->control->run_id);
    FIELD(i, "master_replid2:%040d\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\nrepl_backlog_active:0", 0);
    FIELD(i, "repl_backlog_size:%ld\r\nrepl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0",
        (long)config_number(i->engine, PARAM_REPL_BACKLOG_SIZE));
}

static void
info_cpu(struct info *i)
{
    struct usage_cpu u;
    usage_cpu(i->engine, &u);
    static const char *const kinds[] = {"", "_children", "_main_thread"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) { /* all processes count as one */
        const struct usage_cpu shown = k == 1 ? (struct usage_cpu){0} : u;
        FIELD(i, "used_cpu_sys%s:%lu.%06lu", kinds[k], (unsigned long)(shown.system_us / MEGA), (unsigned long)(shown.system_us % MEGA));
        FIELD(i, "used_cpu_user%s:%lu.%06lu", kinds[k], (unsigned long)(shown.user_us / MEGA), (unsigned long)(shown.user_us % MEGA));
    }
}

static void
info_modules(struct info *i)
{
    (void)i;
}

/* ---- commands and errors ---------------------------------------------------------------------------------------------------- */

static void
info_commandstats(struct info *i)
{
    for (unsigned id = 0; id < stats_count(); id++) {
        struct stats_sum s = stats_sum(i->engine, id);
        if (s.calls == 0 && s.rejected == 0 && s.failed == 0)
            continue;
        FIELD(i, "cmdstat_%s:calls=%lu,usec=%lu,usec_per_call=%.2f,rejected_calls=%lu,failed_calls=%lu", stats_row(id)->name,
            (unsigned long)s.calls, (unsigned long)(s.ns / 1000), s.calls ? (double)s.ns / 1000 / (double)s.calls : 0,
            (unsigned long)s.rejected, (unsigned long)s.failed);
    }
}

static void
info_errorstats(struct info *i)
{
    struct stats_errors errors[STATS_ERRORS];
    unsigned n = stats_errors(i->engine, errors);
    for (unsigned k = 0; k < n; k++)
        FIELD(i, "errorstat_%s:count=%lu", errors[k].code, (unsigned long)errors[k].count);
}

/* The time below which a share of the calls stayed. */
static uint64_t
percentile_ns(const uint64_t bucket[STATS_BUCKETS], uint64_t calls, double percent)
{
    double wanted = (double)calls * percent / 100;
    uint64_t sum = 0;
    unsigned b = 0;
    while (b + 1 < STATS_BUCKETS && (sum += bucket[b]) < wanted)
        b++;
    return stats_bucket_top(b);
}

static void
info_latencystats(struct info *i)
{
    char percentiles[PARAM_TEXT_MAX];
    uint64_t bucket[STATS_BUCKETS];
    config_read_text(i->engine, PARAM_LATENCY_TRACKING_INFO_PERCENTILES, percentiles);
    for (unsigned id = 0; id < stats_count(); id++) {
        uint64_t calls = stats_histogram(i->engine, id, bucket);
        const char *comma = "";
        if (calls == 0)
            continue;
        buf_printf(i->text, "latency_percentiles_usec_%s:", stats_row(id)->name);
        for (char *p = percentiles, *end; *p; p = end + strspn(end, " "), comma = ",") {
            double percent = strtod(p, &end);
            if (end == p)
                break;
            buf_printf(i->text, "%sp%.*s=%.3f", comma, (int)(end - p), p, (double)percentile_ns(bucket, calls, percent) / 1000);
        }
        buf_append_str(i->text, "\r\n");
    }
}

/* ---- cluster, keyspace, processes ---------------------------------------------------------------------------------------- */

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
        "master", "loader", "tool"};
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
    {"modules", "Modules", info_modules, true},
    {"commandstats", "Commandstats", info_commandstats, false},
    {"errorstats", "Errorstats", info_errorstats, true},
    {"latencystats", "Latencystats", info_latencystats, false},
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
