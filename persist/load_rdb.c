/* load_rdb.c - keys out of an RDB image (see load_rdb.h).
 *
 * Every loader steps over all records, which costs little, and takes the keys of its own shards. These are gathered in batches,
 * and put in by shard, so that a shard's lists and the top of its index are still in the cache for its next key, and entries are
 * written side by side. A few keys' places in the index are fetched at a time, each while the others are on the way. One
 * transaction does for a batch.
 *
 * Of several things that are wrong the first of the file is told, whichever was met first: of a batch, whose order is another, by
 * looking at all that stands before what was found; of several loaders, by waiting until the others have come so far.
 */
#include "persist/load_rdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/control.h"
#include "format/rdb_in.h"
#include "persist/load_key.h"

/* Keys of a transaction: the more, the more of them are of one shard; but they and their records should stay in the second cache. */
#define BATCH 1024u
/* Keys of a batch that are fetched at once. With fewer, memory is waited for; with more, what is fetched is driven out again: the
 * headers of segments all fall into one set of the first cache, which holds a dozen. */
#define GROUP 16u
#define BYTES_A_KEY 16u  /* of a file, at least, where the index is made for all of them */
#define PRESIZE_MIN 64u  /* keys of a shard that the index is made for at once */
#define TOLD_EVERY 1024u /* records between two looks at the others */

struct load {
    struct loader *l;
    const struct load_file *f;
    bool in_aof, skip_foreign;
    int64_t now_ms;
    struct rdb_in in;
    struct load_keys keys;
    struct load_key batch[BATCH];
    unsigned n;
    uint16_t order[BATCH]; /* of the batch, by shard */
    uint64_t records, skipped, empty;
    uint64_t sized; /* keys that the index was made for */
    uint8_t lineage[16]; /* as the file says */
    bool has_lineage;
    uint64_t ticket;
    size_t wrong_at; /* the lowest place where something is wrong; SIZE_MAX: nothing is */
    struct buf wrong;
    const char *remedy;
};

/* ---- errors ------------------------------------------------------------------------------------------------------------------- */

/* Notes what is wrong at a place, unless something before it is; `text` is taken over. */
static enum load_result
fail(struct load *d, size_t at, struct buf *text, const char *remedy)
{
    if (at < d->wrong_at) {
        struct buf behind = d->wrong;
        d->wrong = *text;
        d->wrong_at = at;
        d->remedy = remedy;
        *text = behind;
    }
    buf_destroy(text);
    return LOAD_FAILED;
}

/* Tells what was noted, if no other part finds something before it. */
static enum load_result
tell_wrong(struct load *d)
{
    struct loader *l = d->l;
    loader_at(l, d->wrong_at);
    for (unsigned part = 0; part < l->parts; part++)
        if (part != l->own && !loader_await(l, part, l->base + d->wrong_at))
            return LOAD_ANEW;
    buf_append(&d->wrong, "", 1);
    loading_fail(l->sh, "%s: %s; %s", d->f->path, buf_failed(&d->wrong) ? "damaged, and no memory to tell where" : buf_head(&d->wrong), d->remedy);
    return LOAD_FAILED;
}

static enum load_result
fail_reading(struct load *d)
{
    struct buf text;
    buf_init(&text);
    rdb_in_complain(&d->in, &text);
    return fail(d, d->in.r.wrong_at, &text, LOADER_REMEDY_CHECK);
}

static void
print_key(const struct load_key *key, struct buf *text)
{
    size_t n = key->name.len < 64 ? key->name.len : 64;
    buf_printf(text, "key \"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)rdb_string_bytes(&key->name)[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            buf_printf(text, "\\x%02x", c);
        else
            buf_append(text, &c, 1);
    }
    buf_printf(text, n < key->name.len ? "...\" in database %u" : "\" in database %u", key->db);
}

static enum load_result
fail_key(struct load *d, const struct load_key *key, size_t at, const char *what, const char *remedy)
{
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "byte %lu: %s (", (unsigned long)at, what);
    print_key(key, &text);
    buf_printf(&text, ", type %s)", rdb_form(key->form)->name);
    return fail(d, key->from, &text, remedy);
}

/* ---- keys --------------------------------------------------------------------------------------------------------------------- */

static enum load_result
took(struct load *d, const struct load_key *key, enum load_key_result got)
{
    switch (got) {
    case LOAD_KEY_DONE:
        d->l->keys++;
        return LOAD_DONE;
    case LOAD_KEY_EMPTY:
        d->empty++;
        return LOAD_DONE;
    case LOAD_KEY_THERE:
        return fail_key(d, key, key->from, "a key stands twice", LOADER_REMEDY_CHECK);
    case LOAD_KEY_DAMAGED:
        return fail_key(d, key, d->keys.wrong_at, d->keys.wrong, LOADER_REMEDY_CHECK);
    case LOAD_KEY_FOREIGN:
        d->skipped++;
        return d->skip_foreign ? LOAD_DONE
                               : fail_key(d, key, key->from, "a value of a type that this version does not have",
                                     "load it with redis-server, or leave such keys out with rdb-skip-unknown yes");
    case LOAD_KEY_MEMORY:
        break;
    }
    return fail_key(d, key, key->from, "out of memory", LOADER_REMEDY_MEMORY);
}

/* Lists the batch by shard; keys of one shard stay in the order of the file. */
static void
sort_batch(struct load *d)
{
    unsigned from[SHM_SHARDS_MAX + 1] = {0}; /* where a shard's keys begin */
    for (unsigned i = 0; i < d->n; i++)
        from[d->batch[i].shard + 1]++;
    for (unsigned i = 0; i < d->l->engine->region->nshards; i++)
        from[i + 1] += from[i];
    for (unsigned i = 0; i < d->n; i++)
        d->order[from[d->batch[i].shard]++] = (uint16_t)i;
}

/* Brings what the next n keys, listed in `order`, will read in the index. */
static void
fetch(struct load *d, const uint16_t *order, unsigned n)
{
    struct shm_tree tree[GROUP];
    const struct shm_bucket_sh *home[GROUP];
    for (unsigned i = 0; i < n; i++) {
        const struct load_key *key = &d->batch[order[i]];
        tree[i] = shm_tree_of_db(d->l->engine->region, key->shard, key->db);
        shm_table_fetch_node(&tree[i], key->position);
    }
    for (unsigned i = 0; i < n; i++)
        home[i] = shm_table_fetch_home(&tree[i], d->batch[order[i]].position);
    for (unsigned i = 0; i < n; i++)
        if (home[i])
            shm_table_fetch_behind(home[i]);
}

static void
empty_batch(struct load *d)
{
    for (unsigned i = 0; i < d->n; i++)
        free(d->batch[i].owned);
    d->n = 0;
}

static void
enter_own(struct loader *l)
{
    shm_tx_begin(&l->engine->tx);
    for (unsigned i = l->own; i < l->engine->region->nshards; i += l->parts)
        shm_tx_enter(&l->engine->tx, &(uint16_t){(uint16_t)i}, 1);
}

/* Puts the batch in, by shard; once something is wrong, only what stands before that. */
static enum load_result
put_batch(struct load *d)
{
    enum load_result result = LOAD_DONE;
    for (unsigned i = 0; i < d->n; i++) {
        const struct load_key *key = &d->batch[d->order[i]];
        if (i % GROUP == 0)
            fetch(d, d->order + i, d->n - i < GROUP ? d->n - i : GROUP);
        if (key->from >= d->wrong_at)
            continue;
        enum load_key_result got = load_key(&d->keys, key);
        if (took(d, key, got) != LOAD_DONE)
            result = LOAD_FAILED;
        if (got == LOAD_KEY_MEMORY)
            break;
    }
    return result;
}

static enum load_result
flush(struct load *d)
{
    struct shm_tx *tx = &d->l->engine->tx;
    sort_batch(d);
    enter_own(d->l);
    enum load_result result = put_batch(d);
    if (result != LOAD_DONE)
        shm_tx_abort(tx);
    else if (!shm_tx_commit(tx))
        result = took(d, &d->batch[0], LOAD_KEY_MEMORY);
    empty_batch(d);
    return result;
}

/* The name stays good after the reader went on: a decompressed one is copied. False: no memory. */
static bool
keep_name(const struct load *d, struct load_key *key)
{
    const char *image = d->f->bytes, *p = d->in.key.bytes;
    if (!p || (p >= image && p < image + d->f->n) || d->in.key.len == 0)
        return true;
    key->owned = malloc(d->in.key.len);
    if (!key->owned)
        return false;
    memcpy(key->owned, p, d->in.key.len);
    key->name.bytes = key->owned;
    return true;
}

static enum load_result
take_key(struct load *d)
{
    struct loader *l = d->l;
    struct shm_region *r = l->engine->region;
    uint64_t position = shm_table_position(r, rdb_string_bytes(&d->in.key), d->in.key.len, l->engine->cluster);
    unsigned shard = shm_region_shard(r, position);
    if (!loader_owns(l, shard))
        return LOAD_DONE;
    if (!d->in_aof && d->in.expires_ms != -1 && d->in.expires_ms < d->now_ms) {
        l->expired++;
        return LOAD_DONE;
    }
    struct load_key *key = &d->batch[d->n];
    *key = (struct load_key){.name = d->in.key, .position = position, .shard = shard, .db = (unsigned)d->in.db, .form = d->in.type,
        .expires_ms = d->in.expires_ms, .idle_s = d->in.idle_s, .from = d->in.from, .to = d->in.to};
    if (load_key_is_foreign(key->form)) /* told at once: in the order of the file */
        return took(d, key, LOAD_KEY_FOREIGN);
    if (l->checks)
        return took(d, key, load_key_check(&d->keys, key));
    if (!keep_name(d, key))
        return took(d, key, LOAD_KEY_MEMORY);
    return ++d->n == BATCH ? flush(d) : LOAD_DONE;
}

/* ---- what else stands in an image ------------------------------------------------------------------------------------------------ */

static bool
is_named(const struct rdb_string *s, const char *name)
{
    return s->len == strlen(name) && memcmp(rdb_string_bytes(s), name, s->len) == 0;
}

static void
take_aux(struct load *d)
{
    const struct rdb_string *value = &d->in.value;
    if (is_named(&d->in.key, "used-mem"))
        atomic_store(&d->l->sh->used_memory, loader_read_number(rdb_string_bytes(value), value->len));
    else if (is_named(&d->in.key, "kvstash-ticket"))
        d->ticket = loader_read_number(rdb_string_bytes(value), value->len);
    else if (is_named(&d->in.key, "kvstash-lineage") && value->len == 32)
        d->has_lineage = loader_read_lineage(rdb_string_bytes(value), d->lineage);
}

static enum load_result
take_database(struct load *d)
{
    struct buf text;
    if (d->in.db < d->l->engine->region->databases)
        return LOAD_DONE;
    buf_init(&text);
    buf_printf(&text, "byte %lu: database %lu, but there are %u", (unsigned long)d->in.r.at, (unsigned long)d->in.db, d->l->engine->region->databases);
    return fail(d, d->in.r.at, &text, "start with --databases larger than that");
}

static enum load_result
fail_memory(struct load *d)
{
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "byte %lu: out of memory", (unsigned long)d->in.r.at);
    return fail(d, d->in.r.at, &text, LOADER_REMEDY_MEMORY);
}

/* How many keys a database has stands in front of them: the index is made for so many at once. The numbers are believed only as far as the
 * file's bytes allow, and keys that might have expired meanwhile are left out; in a cluster keys need not spread evenly. */
static enum load_result
take_sizes(struct load *d)
{
    struct loader *l = d->l;
    struct shm_region *r = l->engine->region;
    struct shm_tx *tx = &l->engine->tx;
    uint64_t most = d->in.r.n / BYTES_A_KEY - d->sized, keys = d->in.keys - (d->in.expires < d->in.keys ? d->in.expires : d->in.keys);
    uint64_t each = (keys < most ? keys : most) / r->nshards;
    if (l->checks || l->engine->cluster || each < PRESIZE_MIN || d->in.db >= r->databases)
        return LOAD_DONE;
    d->sized += each * r->nshards;
    for (unsigned i = l->own; i < r->nshards; i += l->parts) {
        struct shm_tree t = shm_tree_of_db(r, i, (unsigned)d->in.db);
        uint16_t id = (uint16_t)i;
        if (t.sh->root != 0)
            continue;
        shm_tx_begin(tx);
        shm_tx_enter(tx, &id, 1);
        if (!shm_table_presize(tx, &t, each)) {
            shm_tx_abort(tx);
            return fail_memory(d);
        }
        if (!shm_tx_commit(tx))
            return fail_memory(d);
    }
    return LOAD_DONE;
}

static enum load_result
take_foreign(struct load *d, const char *what)
{
    struct buf text;
    d->skipped++;
    if (d->skip_foreign)
        return LOAD_DONE;
    buf_init(&text);
    buf_printf(&text, "byte %lu: %s, which this version does not have", (unsigned long)d->in.r.at, what);
    return fail(d, d->in.r.at, &text, "load it with redis-server, or leave them out with rdb-skip-unknown yes");
}

static enum load_result
take(struct load *d, enum rdb_in_item item)
{
    switch (item) {
    case RDB_IN_KEY:
        return take_key(d);
    case RDB_IN_AUX:
        take_aux(d);
        return LOAD_DONE;
    case RDB_IN_DATABASE:
        return take_database(d);
    case RDB_IN_SIZES:
        return take_sizes(d);
    case RDB_IN_FUNCTION:
    case RDB_IN_FUNCTION_OLD:
        return take_foreign(d, "a library of functions");
    case RDB_IN_MODULE_AUX:
        return take_foreign(d, "data of a module");
    case RDB_IN_WRONG:
        return fail_reading(d);
    default:
        return LOAD_DONE;
    }
}

/* ---- the image -------------------------------------------------------------------------------------------------------------------- */

/* The checksum is looked at by the last part, while the others still load. */
static enum load_result
check_sum(struct load *d)
{
    struct buf text;
    bool checked = config_yes(d->l->engine, PARAM_RDBCHECKSUM) && d->l->own == d->l->parts - 1;
    if (!checked || rdb_in_sum_fits(&d->in))
        return LOAD_DONE;
    buf_init(&text);
    buf_printf(&text, "byte %lu: the checksum does not fit: something before it was changed", (unsigned long)d->in.summed);
    return fail(d, d->in.summed, &text, LOADER_REMEDY_CHECK);
}

static enum load_result
each(struct load *d)
{
    struct loader *l = d->l;
    enum load_result result = LOAD_DONE;
    enum rdb_in_item item;
    while (result == LOAD_DONE && (item = rdb_in_next(&d->in)) != RDB_IN_END) {
        result = take(d, item);
        if (result != LOAD_DONE || ++d->records % TOLD_EVERY)
            continue;
        loader_at(l, d->n ? d->batch[0].from : d->in.r.at);
        shm_region_progress(l->engine->region);
        if (loader_given_up(l) || (l->stopped && l->stopped(l->arg)))
            result = LOAD_ANEW;
    }
    if (result != LOAD_ANEW && d->n && flush(d) != LOAD_DONE) /* what waits stands before what is wrong */
        result = LOAD_FAILED;
    return result;
}

static void
tell(const struct load *d)
{
    if (d->skipped && d->skip_foreign)
        log_warning("%s: %lu items of types that this version does not have were left out, as rdb-skip-unknown says", d->f->path, (unsigned long)d->skipped);
    if (d->empty)
        log_warning("%s: %lu keys with empty values were passed over", d->f->path, (unsigned long)d->empty);
}

enum load_result
load_rdb(struct loader *l, const struct load_file *f, bool in_aof, size_t *end)
{
    static struct load d; /* the process's only one; too large for the stack */
    d = (struct load){.l = l, .f = f, .in_aof = in_aof, .now_ms = clock_wall_ms(), .wrong_at = SIZE_MAX,
        .skip_foreign = config_yes(l->engine, PARAM_RDB_SKIP_UNKNOWN)};
    load_keys_init(&d.keys, l->engine, &l->session, f->bytes, f->n);
    d.keys.replace = l->replace;
    d.keys.absent = l->keeps && !l->replace;
    bool open = rdb_in_open(&d.in, f->bytes, f->n);
    enum load_result result = open ? each(&d) : fail_reading(&d);
    if (result == LOAD_DONE)
        result = check_sum(&d);
    if (result == LOAD_FAILED)
        result = tell_wrong(&d);
    if (result == LOAD_DONE) {
        *end = d.in.r.at;
        loader_at(l, *end);
        if (!l->checks)
            tell(&d);
        if (d.has_lineage)
            loader_saw_ticket(l, d.lineage, d.ticket);
    }
    empty_batch(&d);
    buf_destroy(&d.wrong);
    rdb_in_close(&d.in);
    load_keys_free(&d.keys);
    return result;
}
