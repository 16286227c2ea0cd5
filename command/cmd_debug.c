/* cmd_debug.c - DEBUG: looks inside and aids for tests, behind enable-debug-command.
 *
 * Names, forms and error texts are Redis 7.0.15's where both have the subcommand. What acts on "the server" there acts
 * here on the data (DIGEST, POPULATE), on all processes (SET-ACTIVE-EXPIRE), or, where that is the point, on the worker
 * that serves the connection (SLEEP, SEGFAULT, PANIC, ASSERT, OOM).
 *
 * Process: workers. Locks: DIGEST and CHECK-REGION take all shards for reading; POPULATE one shard at a time in
 * transactions of its own. Crash: as the transactions.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/glob.h"
#include "base/log.h"
#include "command/cmd_rows.h"
#include "command/control.h"
#include "command/digest.h"
#include "command/keyspace.h"
#include "shm/shm_check.h"
#include "shm/shm_crash.h"
#include "shm/shm_proc.h"
#include "types/type_value.h"

#define LRU_CLOCK_MAX ((1u << 24) - 1) /* as Redis shows its access clock */
#define NAME_SHOWN_MAX 128u
#define LOG_SHOWN_MAX 1024u

static const char no_memory[] = "ERR no private memory for the digest";

static void
enter_all_read(struct cmd *c)
{
    uint16_t ids[SHM_SHARDS_MAX];
    for (unsigned i = 0; i < c->engine->region->nshards; i++)
        ids[i] = (uint16_t)i;
    shm_tx_enter_read(c->tx, ids, c->engine->region->nshards);
}

static int
flag_of(const struct cmd *c, int i)
{
    char text[TYPE_STRING_DIGITS];
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, i) < sizeof text ? cmd_arg_len(c, i) : sizeof text - 1), cmd_arg(c, i));
    return atoi(text);
}

static void
unknown(struct cmd *c)
{
    size_t shown = cmd_arg_len(c, 1) < NAME_SHOWN_MAX ? cmd_arg_len(c, 1) : NAME_SHOWN_MAX;
    cmd_error(c, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.", (int)strnlen(cmd_arg(c, 1), shown),
        cmd_arg(c, 1));
}

static void
just_ok(struct cmd *c)
{
    resp_out_ok(c->out);
}

/* ---- digests ------------------------------------------------------------------------------------------------------ */

static void
reply_digest(struct cmd *c, const unsigned char sum[DIGEST_BYTES])
{
    char text[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    resp_out_simple(c->out, text);
}

static void
debug_digest(struct cmd *c)
{
    struct digest d;
    unsigned char sum[DIGEST_BYTES];
    if (!digest_open(&d)) {
        cmd_error(c, "%s", no_memory);
        return;
    }
    enter_all_read(c);
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

static void
debug_digest_value(struct cmd *c)
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

static void
debug_populate(struct cmd *c)
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

static void
debug_object(struct cmd *c)
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

static void
debug_htstats(struct cmd *c)
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

static void
debug_htstats_key(struct cmd *c)
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

static void
debug_check_region(struct cmd *c)
{
    struct shm_check_result result;
    enter_all_read(c);
    bool ok = shm_check_region(c->engine->region, type_value_check, &result);
    shm_tx_leave_read(c->tx);
    if (ok)
        resp_out_ok(c->out);
    else
        cmd_error(c, "ERR %lu faults, the first: %s", (unsigned long)result.faults, result.first);
}

/* ---- replies ------------------------------------------------------------------------------------------------------------ */

static void protocol_string(struct cmd *c) { resp_out_bulk_str(c->out, "Hello World"); }
static void protocol_integer(struct cmd *c) { resp_out_int(c->out, 12345); }
static void protocol_double(struct cmd *c) { resp_out_double_text(c->out, "3.141", 5); }
static void protocol_null(struct cmd *c) { resp_out_null(c->out); }
static void protocol_true(struct cmd *c) { resp_out_bool(c->out, true); }
static void protocol_false(struct cmd *c) { resp_out_bool(c->out, false); }
static void protocol_bignum(struct cmd *c) { resp_out_bignum(c->out, "1234567999999999999999999999999999999", 37); }
static void protocol_verbatim(struct cmd *c) { resp_out_verbatim(c->out, "txt", "This is a verbatim\nstring", 25); }

static void
protocol_array(struct cmd *c)
{
    resp_out_array(c->out, 3);
    for (int i = 0; i < 3; i++)
        resp_out_int(c->out, i);
}

static void
protocol_set(struct cmd *c)
{
    resp_out_set(c->out, 3);
    for (int i = 0; i < 3; i++)
        resp_out_int(c->out, i);
}

static void
protocol_map(struct cmd *c)
{
    resp_out_map(c->out, 3);
    for (int i = 0; i < 3; i++) {
        resp_out_int(c->out, i);
        resp_out_bool(c->out, i == 1);
    }
}

static void
protocol_attrib(struct cmd *c)
{
    if (c->out->version > 2) {
        resp_out_attribute(c->out, 1);
        resp_out_bulk_str(c->out, "key-popularity");
        resp_out_array(c->out, 2);
        resp_out_bulk_str(c->out, "key:123");
        resp_out_int(c->out, 90);
    }
    resp_out_bulk_str(c->out, "Some real reply following the attribute");
}

static void
protocol_push(struct cmd *c)
{
    if (c->out->version < 3) {
        cmd_error(c, "ERR RESP2 is not supported by this command");
        return;
    }
    resp_out_push(c->out, 2);
    resp_out_bulk_str(c->out, "server-cpu-usage");
    resp_out_int(c->out, 42);
    resp_out_bulk_str(c->out, "Some real reply following the push reply");
}

static void
debug_protocol(struct cmd *c)
{
    static const struct {
        const char *name;
        void (*reply)(struct cmd *c);
    } kinds[] = {
        {"string", protocol_string}, {"integer", protocol_integer}, {"double", protocol_double}, {"null", protocol_null},
        {"array", protocol_array}, {"set", protocol_set}, {"map", protocol_map}, {"attrib", protocol_attrib},
        {"push", protocol_push}, {"verbatim", protocol_verbatim}, {"true", protocol_true}, {"false", protocol_false},
        {"bignum", protocol_bignum},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (cmd_arg_is(c, 2, kinds[i].name)) {
            kinds[i].reply(c);
            return;
        }
    }
    cmd_error(c, "ERR Wrong protocol type name. Please use one of the following: "
                 "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

static void
debug_error(struct cmd *c)
{
    resp_out_error_bytes(c->out, cmd_arg(c, 2), cmd_arg_len(c, 2));
    c->failed = true;
}

/* ---- behaviour ----------------------------------------------------------------------------------------------------------- */

static void
debug_sleep(struct cmd *c)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, 2) < sizeof text ? cmd_arg_len(c, 2) : sizeof text - 1), cmd_arg(c, 2));
    double seconds = strtod(text, NULL);
    if (seconds > 0 && seconds < 1e9) {
        struct timespec t = {.tv_sec = (time_t)seconds};
        t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
        while (nanosleep(&t, &t) != 0 && errno == EINTR)
            ;
    }
    resp_out_ok(c->out);
}

static void
debug_set_active_expire(struct cmd *c)
{
    atomic_store(&c->engine->control->active_expire_off, flag_of(c, 2) == 0);
    resp_out_ok(c->out);
}

static void
debug_packed_threshold(struct cmd *c)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1}, {"b", 1}, {"k", 1000}, {"kb", 1024}, {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    char text[32], *end;
    snprintf(text, sizeof text, "%.*s", (int)(cmd_arg_len(c, 2) < sizeof text ? cmd_arg_len(c, 2) : sizeof text - 1), cmd_arg(c, 2));
    uint64_t n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && end != text; i++) {
        if (strcasecmp(end, units[i].unit) == 0 && n <= (4ull << 30) / units[i].bytes) {
            resp_out_ok(c->out); /* lists have one form here */
            return;
        }
    }
    cmd_error(c, "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
}

static void
debug_replybuffer(struct cmd *c)
{
    int64_t ms;
    if (cmd_arg_is(c, 2, "peak-reset-time")) {
        if (!cmd_arg_is(c, 3, "never") && !cmd_arg_is(c, 3, "reset") && !cmd_arg_int(c, 3, &ms))
            return;
    } else if (!cmd_arg_is(c, 2, "resizing")) {
        unknown(c);
        return;
    }
    resp_out_ok(c->out); /* reply buffers follow what is written to them; there is nothing to set */
}

static void
debug_client_eviction(struct cmd *c)
{
    cmd_error(c, "ERR maxmemory-clients is disabled.");
}

static void
debug_log(struct cmd *c)
{
    log_warning("DEBUG LOG: %.*s", (int)(cmd_arg_len(c, 2) < LOG_SHOWN_MAX ? cmd_arg_len(c, 2) : LOG_SHOWN_MAX), cmd_arg(c, 2));
    resp_out_ok(c->out);
}

/* Random patterns against random texts, as many as take a moment. */
static void
debug_stringmatch_test(struct cmd *c)
{
    static const char letters[] = "*?[]^-\\ab";
    unsigned matches = 0;
    uint64_t random = (uint64_t)cmd_now(c) | 1;
    for (int i = 0; i < 20000; i++) {
        char text[2][32];
        for (int k = 0; k < 64; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            text[k / 32][k % 32] = letters[(random >> 33) % (sizeof letters - 1)];
        }
        matches += glob_match(text[0], (size_t)(random >> 40) % 32, text[1], (size_t)(random >> 50) % 32);
    }
    resp_out_simple(c->out, matches <= 20000 ? "Nothing crashed: test passed" : "");
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

/* Asks the persister for it, once no other is under way. False: the command is run again later. */
static bool
ask_for_reload(struct cmd *c, uint64_t options)
{
    struct loading_sh *l = &c->engine->control->loading;
    uint64_t asked = atomic_load(&l->reload_asked), answered = atomic_load(&l->reload_answered);
    uint64_t next = (asked >> LOADING_RELOAD_SHIFT) + 1, mine = next << LOADING_RELOAD_SHIFT | options;
    c->again = true;
    if (asked >> LOADING_RELOAD_SHIFT != answered >> LOADING_RELOAD_SHIFT || !atomic_compare_exchange_strong(&l->reload_asked, &asked, mine))
        return false;
    c->session->awaits = next;
    c->engine->hooks.wake(c->engine->hooks.arg, control_persister(c->engine->control), SHM_PROC_WANTED_LOG);
    return false;
}

/* The whole data, written and read back in one step (persist/reload.h). */
static void
reload(struct cmd *c, uint64_t options, const char *failed)
{
    const struct loading_sh *l = &c->engine->control->loading;
    if (c->session->awaits == 0) {
        if (loading_answer(c->engine) == LOADING_REFUSE)
            cmd_error(c, "LOADING Redis is loading the dataset in memory");
        else
            ask_for_reload(c, options);
        return;
    }
    uint64_t answered = atomic_load(&l->reload_answered);
    c->again = answered >> LOADING_RELOAD_SHIFT < c->session->awaits;
    if (c->again)
        return;
    enum loading_reloaded result = answered & ((1u << LOADING_RELOAD_SHIFT) - 1);
    c->session->awaits = 0;
    if (result == LOADING_RELOADED)
        resp_out_ok(c->out);
    else
        cmd_error(c, "%s", result == LOADING_SAVE_FAILED ? "ERR" : failed);
}

static void
debug_reload(struct cmd *c)
{
    uint64_t options = 0;
    for (int i = 2; i < c->argc; i++) {
        if (cmd_arg_is(c, i, "merge")) {
            options |= LOADING_RELOAD_MERGE;
        } else if (cmd_arg_is(c, i, "noflush")) {
            options |= LOADING_RELOAD_NOFLUSH;
        } else if (cmd_arg_is(c, i, "nosave")) {
            options |= LOADING_RELOAD_NOSAVE;
        } else {
            cmd_error(c, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
    }
    reload(c, options, "ERR Error trying to load the RDB dump, check server logs.");
}

static void
debug_loadaof(struct cmd *c)
{
    reload(c, LOADING_RELOAD_LOG, "ERR Error trying to load the AOF files, check server logs.");
}

/* ---- ends of this worker ------------------------------------------------------------------------------------------------------ */

/* The store is wild on purpose: UndefinedBehaviorSanitizer need not report it. */
__attribute__((no_sanitize("undefined"))) static void
debug_segfault(struct cmd *c)
{
    volatile char *volatile nowhere = NULL;
    (void)c;
    *nowhere = 'x';
}

static void
debug_panic(struct cmd *c)
{
    (void)c;
    never_reached("DEBUG PANIC was asked for");
}

static void
debug_assert(struct cmd *c)
{
    xassert(!cmd_arg_is(c, 1, "assert"));
}

static void
debug_oom(struct cmd *c)
{
    (void)c;
    never_reached("DEBUG OOM was asked for");
}

#ifdef KVSTASH_CRASH_POINTS
/* This worker dies (or stops), or the persister dies, at the n-th store from now on. */
static void
debug_crash_point(struct cmd *c)
{
    int64_t n;
    if (!cmd_arg_int_range(c, 2, 0, INT64_MAX, &n, NULL))
        return;
    if (c->argc == 4 && cmd_arg_is(c, 3, "stop"))
        shm_crash_arm_stop((uint64_t)n);
    else if (c->argc == 4 && cmd_arg_is(c, 3, "persister"))
        atomic_store(&c->engine->control->persist.crash_asked, (uint64_t)n);
    else
        shm_crash_arm((uint64_t)n);
    resp_out_ok(c->out);
}
#endif

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static void debug_help(struct cmd *c);

static const struct subcommand {
    const char *name;
    int min, max; /* arguments behind the name; max -1: any number */
    void (*run)(struct cmd *c);
    const char *form, *says;
} subcommands[] = {
    {"assert", 0, 0, debug_assert, "ASSERT", "End this worker by a failed assertion."},
    {"change-repl-id", 0, 0, just_ok, "CHANGE-REPL-ID", "Accepted; there is no replication yet."},
    {"check-region", 0, 0, debug_check_region, "CHECK-REGION", "Walk the whole region and check every reference and count."},
    {"client-eviction", 0, 0, debug_client_eviction, "CLIENT-EVICTION", "Classes of clients by memory, with maxmemory-clients."},
#ifdef KVSTASH_CRASH_POINTS
    {"crash-point", 1, 2, debug_crash_point, "CRASH-POINT <n> [STOP|PERSISTER]", "This worker dies (or stops), or the persister dies, at the n-th store from now on."},
#endif
    {"digest", 0, 0, debug_digest, "DIGEST", "A hash over all databases."},
    {"digest-value", 0, -1, debug_digest_value, "DIGEST-VALUE [<key> ...]", "A hash over each key's value."},
    {"error", 1, 1, debug_error, "ERROR <text>", "An error reply with this text."},
    {"help", 0, 0, debug_help, "HELP", "This text."},
    {"htstats", 1, 2, debug_htstats, "HTSTATS <db>", "Size and use of a database's index."},
    {"htstats-key", 1, 2, debug_htstats_key, "HTSTATS-KEY <key>", "The same of a large collection."},
    {"loadaof", 0, 0, debug_loadaof, "LOADAOF", "Write the log to its end, and load it in the place of the data."},
    {"log", 1, 1, debug_log, "LOG <text>", "Write the text to the log."},
    {"object", 1, 1, debug_object, "OBJECT <key>", "Where and how a value lies."},
    {"oom", 0, 0, debug_oom, "OOM", "End this worker as if private memory had run out."},
    {"panic", 0, 0, debug_panic, "PANIC", "End this worker as if it had met the impossible."},
    {"pause-cron", 1, 1, just_ok, "PAUSE-CRON <0|1>", "Accepted; regular work goes on."},
    {"populate", 1, 3, debug_populate, "POPULATE <count> [<prefix> [<size>]]", "Add keys prefix:0 to prefix:<count - 1>."},
    {"protocol", 1, 1, debug_protocol, "PROTOCOL <type>", "A reply of this type."},
    {"quicklist-packed-threshold", 1, 1, debug_packed_threshold, "QUICKLIST-PACKED-THRESHOLD <bytes>", "Accepted; lists have one form."},
    {"reload", 0, -1, debug_reload, "RELOAD [<option> ...]", "Save, and load in the place of the data. MERGE, NOFLUSH, NOSAVE."},
    {"replicate", 1, -1, just_ok, "REPLICATE <command> [<arg> ...]", "Accepted; there is no replication yet."},
    {"replybuffer", 2, 2, debug_replybuffer, "REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>", "Accepted; nothing to set."},
    {"segfault", 0, 0, debug_segfault, "SEGFAULT", "End this worker by a wild store."},
    {"set-active-expire", 1, 1, debug_set_active_expire, "SET-ACTIVE-EXPIRE <0|1>", "Whether expired keys are swept unasked."},
    {"set-disable-deny-scripts", 1, 1, just_ok, "SET-DISABLE-DENY-SCRIPTS <0|1>", "Accepted; there are no scripts yet."},
    {"set-skip-checksum-validation", 1, 1, just_ok, "SET-SKIP-CHECKSUM-VALIDATION <0|1>", "Accepted; checksums are always looked at."},
    {"sleep", 1, 1, debug_sleep, "SLEEP <seconds>", "Stop this worker; the others go on."},
    {"stringmatch-test", 0, 0, debug_stringmatch_test, "STRINGMATCH-TEST", "Random patterns against random texts."},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static void
debug_help(struct cmd *c)
{
    char text[128];
    resp_out_array(c->out, 1 + 2 * SUBCOMMANDS);
    resp_out_simple(c->out, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        resp_out_simple(c->out, subcommands[i].form);
        snprintf(text, sizeof text, "    %s", subcommands[i].says);
        resp_out_simple(c->out, text);
    }
}

static bool
is_allowed(const struct cmd *c)
{
    int64_t who = config_number(c->engine, PARAM_ENABLE_DEBUG_COMMAND); /* no, yes, local */
    return who == 1 || (who == 2 && (c->session->flags & SESSION_LOCAL));
}

static bool
looks_at_data(const struct subcommand *s)
{
    static command_fn *const all[] = {debug_check_region, debug_digest, debug_digest_value, debug_htstats, debug_htstats_key, debug_object,
        debug_populate};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (s->run == all[i])
            return true;
    return false;
}

/* False: they are being loaded; the command is run again, or answered so. */
static bool
data_are_there(struct cmd *c)
{
    enum loading_answer answer = loading_answer(c->engine);
    c->again = answer == LOADING_WAIT;
    if (answer == LOADING_REFUSE)
        cmd_error(c, "LOADING Redis is loading the dataset in memory");
    return answer == LOADING_GO_ON;
}

void
cmd_debug(struct cmd *c)
{
    if (!is_allowed(c)) {
        cmd_error(c, "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a "
                     "local connection, otherwise you need to set this option in the configuration file, and then restart the "
                     "server.");
        return;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        const struct subcommand *s = &subcommands[i];
        if (cmd_arg_is(c, 1, s->name) && c->argc - 2 >= s->min && (s->max < 0 || c->argc - 2 <= s->max)) {
            if (!looks_at_data(s) || data_are_there(c))
                s->run(c);
            return;
        }
    }
    unknown(c);
}
