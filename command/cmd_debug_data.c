/* cmd_debug_data.c - DEBUG's subcommands that look at the data, or make some (see cmd_debug_data.h).
 *
 * Process: workers. Locks: DIGEST and CHECK-REGION take all shards for reading, so everyone waits for them; POPULATE takes one shard
 * at a time, in transactions of its own. Crash: as the transactions.
 */
#include "command/cmd_debug_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command/digest.h"
#include "command/keyspace.h"
#include "shm/shm_check.h"
#include "types/type_value.h"

#define LRU_CLOCK_MAX ((1u << 24) - 1) /* as Redis shows its access clock */

static const char no_memory[] = "ERR no private memory for the digest";

/* ---- digests ------------------------------------------------------------------------------------------------------ */

static void
reply_digest(struct cmd *c, const unsigned char sum[DIGEST_BYTES])
{
    char text[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    resp_out_simple(c->out, text);
}

void
cmd_debug_data_digest(struct cmd *c)
{
    struct digest d;
    unsigned char sum[DIGEST_BYTES];
    if (!digest_open(&d)) {
        cmd_error(c, "%s", no_memory);
        return;
    }
    cmd_enter_all_read(c);
    digest_dataset(&d, c, sum);
    shm_tx_leave_read(c->tx);
    digest_close(&d);
    reply_digest(c, sum);
}

/* Finds argument i's key under its shard's lock, which is taken here. */
static bool
enter_key(struct cmd *c, int i, struct key_ref *ref)
{
    struct shm_region *r = c->engine->region;
    uint16_t shard = (uint16_t)shm_region_shard(r, shm_table_position(r, cmd_arg(c, i), cmd_arg_len(c, i), c->engine->cluster));
    shm_tx_enter_read(c->tx, &shard, 1);
    return keyspace_find(c, c->db, cmd_arg(c, i), cmd_arg_len(c, i), false, ref);
}

void
cmd_debug_data_digest_value(struct cmd *c)
{
    struct digest d;
    if (!digest_open(&d)) {
        cmd_error(c, "%s", no_memory);
        return;
    }
    resp_out_array(c->out, (size_t)c->argc - 2);
    for (int i = 2; i < c->argc; i++) {
        unsigned char sum[DIGEST_BYTES] = {0};
        struct key_ref ref;
        if (enter_key(c, i, &ref))
            digest_value(&d, c->engine->region, ref.shard, ref.place.entry, sum);
        shm_tx_leave_read(c->tx);
        reply_digest(c, sum);
    }
    digest_close(&d);
}

/* ---- POPULATE ------------------------------------------------------------------------------------------------------- */

#define POOL_WAITS_MAX 5000 /* of a millisecond each: POPULATE runs to its end, so it waits here for memory */

struct populate {
    const char *prefix;
    size_t prefix_len;
    size_t size; /* of each value; 0: as long as its text */
    char *key;
    char *value; /* room for size bytes, or the text */
};

/* Adds one key in a transaction of its own unless it is there. False: see tx->want. */
static bool
populate_key(struct cmd *c, struct populate *p, int64_t number)
{
    struct shm_region *r = c->engine->region;
    size_t klen = (size_t)sprintf(p->key + p->prefix_len, ":%ld", (long)number) + p->prefix_len;
    char text[32];
    size_t len = (size_t)snprintf(text, sizeof text, "value:%ld", (long)number);
    memcpy(p->value, text, p->size && p->size < len ? p->size : len);
    uint16_t shard = (uint16_t)shm_region_shard(r, shm_table_position(r, p->key, klen, c->engine->cluster));
    struct key_ref ref;
    struct string_plan plan;
    char *value;
    if (!shm_tx_begin(c->tx))
        return false;
    shm_tx_enter(c->tx, &shard, 1);
    if (c->tx->want == SHM_WANT_NOTHING && !keyspace_find(c, c->db, p->key, klen, true, &ref) && c->tx->want == SHM_WANT_NOTHING) {
        type_string_plan_set(&plan, p->value, p->size ? p->size : len, klen);
        shm_off entry = keyspace_build(c, &ref, SHM_TYPE_STRING, plan.encoding, plan.vlen, -1, &value);
        if (entry && type_string_plan_write(c->tx, shard, &plan, value) && keyspace_put(c, &ref, entry))
            cmd_effectf(c, "SET %b %b", p->key, klen, p->value, p->size ? p->size : len);
    }
    if (c->tx->want == SHM_WANT_NOTHING)
        return shm_tx_commit(c->tx);
    shm_tx_abort(c->tx);
    return false;
}

static bool
populate_all(struct cmd *c, struct populate *p, int64_t count)
{
    unsigned waits = 0;
    for (int64_t i = 0; i < count;) {
        atomic_fetch_add_explicit(&c->engine->region->slots[c->engine->slot].progress, 1, memory_order_relaxed);
        if (populate_key(c, p, i)) {
            i++;
            continue;
        }
        if (c->tx->want == SHM_WANT_LIMIT || c->tx->want == SHM_WANT_HEAP || waits++ == POOL_WAITS_MAX)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

static bool
arg_positive(struct cmd *c, int i, int64_t *v)
{
    return cmd_arg_int_range(c, i, 0, INT64_MAX, v, "ERR value is out of range, must be positive");
}

void
cmd_debug_data_populate(struct cmd *c)
{
    int64_t count, size = 0;
    if (!arg_positive(c, 2, &count) || (c->argc == 5 && !arg_positive(c, 4, &size)))
        return;
    if ((uint64_t)size > cmd_bulk_max(c)) {
        cmd_error(c, "ERR value is out of range");
        return;
    }
    struct populate p = {.prefix = "key", .prefix_len = 3, .size = (size_t)size};
    if (c->argc > 3) {
        p.prefix = cmd_arg(c, 3);
        p.prefix_len = strnlen(cmd_arg(c, 3), cmd_arg_len(c, 3));
    }
    p.key = malloc(p.prefix_len + TYPE_STRING_DIGITS);
    p.value = calloc(1, p.size + 32);
    if (p.key && p.value) {
        memcpy(p.key, p.prefix, p.prefix_len);
        bool done = populate_all(c, &p, count);
        c->tx->want = SHM_WANT_NOTHING;
        if (done)
            resp_out_ok(c->out);
        else
            cmd_error(c, "OOM command not allowed when used memory > 'maxmemory'.");
    } else {
        cmd_error(c, "ERR no private memory for the values");
    }
    free(p.key);
    free(p.value);
}

/* ---- what lies inside ------------------------------------------------------------------------------------------------- */

void
cmd_debug_data_object(struct cmd *c)
{
    struct shm_region *r = c->engine->region;
    struct key_ref ref;
    if (!enter_key(c, 2, &ref)) {
        shm_tx_leave_read(c->tx);
        cmd_error_no_such_key(c);
        return;
    }
    const struct shm_entry_sh *e = ref.place.entry;
    unsigned idle = (uint16_t)(c->engine->exec.clock - atomic_load_explicit(ref.place.clock, memory_order_relaxed));
    unsigned lru = (unsigned)(cmd_now(c) / 1000 - idle) & LRU_CLOCK_MAX;
    unsigned long at = (unsigned long)shm_off_of(r, e), bytes = type_value_memory(r, e, 0);
    const char *encoding = type_value_encoding_name(e);
    shm_tx_leave_read(c->tx);
    char text[256];
    snprintf(text, sizeof text, "Value at:0x%lx refcount:1 encoding:%s serializedlength:%lu lru:%u lru_seconds_idle:%u", at, encoding,
        bytes, lru, idle);
    resp_out_simple(c->out, text);
}

struct places {
    uint64_t segments, slots;
};

static void
count_segment(void *arg, struct shm_segment_sh *s)
{
    struct places *p = arg;
    p->segments++;
    p->slots += (uint64_t)s->buckets * SHM_BUCKET_SLOTS;
}

void
cmd_debug_data_htstats(struct cmd *c)
{
    struct shm_region *r = c->engine->region;
    struct places places = {0};
    uint64_t keys = 0, expires = 0;
    int64_t db;
    if (!cmd_arg_int(c, 2, &db))
        return;
    if (db < 0 || db >= r->databases) {
        cmd_error(c, "ERR Out of range database");
        return;
    }
    for (uint16_t shard = 0; shard < r->nshards; shard++) {
        struct shm_tree t = shm_tree_of_db(r, shard, (unsigned)db);
        uint64_t cursor = r->shard_bits ? (uint64_t)shard << (64 - r->shard_bits) : 0;
        shm_tx_enter_read(c->tx, &shard, 1);
        keys += t.sh->count;
        expires += shm_region_dbroot(r, shard, (unsigned)db)->expires;
        while (t.sh->count > 0 && shm_table_walk(&t, &cursor, count_segment, &places))
            ;
        shm_tx_leave_read(c->tx);
    }
    char text[512];
    int n = snprintf(text, sizeof text,
        "[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: %lu\n number of elements: %lu\n segments: %lu\n"
        "[Expires HT]\nHash table 0 stats (main hash table):\n number of elements: %lu\n",
        (unsigned long)places.slots, (unsigned long)keys, (unsigned long)places.segments, (unsigned long)expires);
    resp_out_verbatim(c->out, "txt", text, (size_t)n);
}

void
cmd_debug_data_htstats_key(struct cmd *c)
{
    struct key_ref ref;
    struct type_hash h;
    bool found = enter_key(c, 2, &ref);
    bool is_tree = found && shm_entry_type(ref.place.entry) == SHM_TYPE_HASH &&
        shm_entry_encoding(ref.place.entry) == TYPE_HASH_TREE;
    uint64_t fields = 0;
    if (is_tree) {
        type_hash_open(&h, c->engine->region, ref.shard, ref.place.entry);
        fields = type_hash_length(&h);
    }
    shm_tx_leave_read(c->tx);
    if (!found) {
        cmd_error_no_such_key(c);
        return;
    }
    if (!is_tree) {
        cmd_error(c, "ERR The value stored at the specified key is not represented using an hash table");
        return;
    }
    char text[128];
    int n = snprintf(text, sizeof text, "Hash table 0 stats (main hash table):\n number of elements: %lu\n", (unsigned long)fields);
    resp_out_verbatim(c->out, "txt", text, (size_t)n);
}

void
cmd_debug_data_check_region(struct cmd *c)
{
    struct shm_check_result result;
    cmd_enter_all_read(c);
    bool ok = shm_check_region(c->engine->region, type_value_check, &result);
    shm_tx_leave_read(c->tx);
    if (ok)
        resp_out_ok(c->out);
    else
        cmd_error(c, "ERR %lu faults, the first: %s", (unsigned long)result.faults, result.first);
}
