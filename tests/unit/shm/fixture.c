/* fixture.c - see fixture.h. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc.h"
#include "shm/shm_epoch.h"
#include "shm/shm_span.h"
#include "types/type_value.h"

void
fixture_open(struct fixture *f, unsigned extents)
{
    char path[64];
    struct shm_error e;
    snprintf(path, sizeof path, "/dev/shm/kvstash-test-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 256u << 20, .shards = 4, .databases = 2, .slots = 5,
        .shared_bytes = 4096, .hugepages = SHM_HUGEPAGES_NEVER};
    cr_assert(shm_region_create(&f->region, &o, &e), "%s", e.text);
    unlink(path);
    cr_assert_eq(shm_region_commit(&f->region, extents), extents);
    atomic_store(&f->region.header->committed_limit, extents);
    cr_assert(shm_tx_open(&f->tx, &f->region, 0));
    type_value_init();
}

void
fixture_close(struct fixture *f)
{
    shm_tx_close(&f->tx);
    shm_region_close(&f->region, false);
}

uint16_t
fixture_shard(const struct shm_region *r, const char *key)
{
    return (uint16_t)shm_region_shard(r, shm_table_position(r, key, strlen(key), false));
}

/* Puts a built entry in the key's place; the old block is freed, with what it refers to if `whole`. */
static bool
attach(struct shm_tx *tx, const struct shm_tree *t, uint64_t position, struct shm_place *p, bool present, shm_off off, bool whole)
{
    if (!present)
        return shm_table_insert(tx, t, position, off, p);
    struct shm_entry_sh *old = p->entry;
    if (!shm_table_replace(tx, p, off))
        return false;
    if (whole)
        return shm_entry_free(tx, t->shard, old);
    shm_tx_free(tx, shm_off_of(tx->region, old));
    return true;
}

bool
fixture_put(struct shm_tx *tx, const char *key, const char *value, size_t n)
{
    struct shm_place p;
    struct string_plan plan;
    size_t klen = strlen(key);
    uint64_t position = shm_table_position(tx->region, key, klen, false);
    unsigned shard = shm_region_shard(tx->region, position);
    struct shm_tree t = shm_tree_of_db(tx->region, shard, 0);
    bool present = shm_table_find(&t, position, key, klen, &p);
    if (!value) {
        struct shm_entry_sh *old = p.entry;
        return !present || (shm_table_remove(tx, &t, position, &p) && shm_entry_free(tx, shard, old));
    }
    type_string_plan_set(&plan, value, n, klen);
    if (present && shm_entry_type(p.entry) == SHM_TYPE_STRING) {
        enum type_change change = type_string_set(tx, shard, p.entry, &plan);
        if (change != TYPE_REPLACE)
            return change == TYPE_DONE;
    }
    shm_off off = shm_tx_alloc(tx, shard, shm_entry_size_for(klen, plan.vlen, false));
    if (!off)
        return false;
    char *to = shm_entry_build(shm_at(tx->region, off), SHM_TYPE_STRING, plan.encoding, 0, 0, key, klen, plan.vlen, -1);
    return type_string_plan_write(tx, shard, &plan, to) && attach(tx, &t, position, &p, present, off, true);
}

/* ---- hashes ---- */

struct hash_key {
    struct shm_tx *tx;
    struct shm_tree tree;
    struct shm_place place;
    uint64_t position;
    const char *key;
    bool present;
};

static struct shm_entry_sh *
replace(void *arg, unsigned encoding, size_t vlen)
{
    struct hash_key *k = arg;
    shm_off off = shm_tx_alloc(k->tx, k->tree.shard, shm_entry_size_for(strlen(k->key), vlen, false));
    if (!off)
        return NULL;
    shm_entry_build(shm_at(k->tx->region, off), SHM_TYPE_HASH, encoding, 0, 0, k->key, strlen(k->key), vlen, -1);
    if (!attach(k->tx, &k->tree, k->position, &k->place, k->present, off, false))
        return NULL;
    k->present = true;
    return k->place.entry;
}

bool
fixture_hset(struct shm_tx *tx, const char *key, const char *field, const char *value, size_t n)
{
    struct type_hash h;
    struct hash_key k = {.tx = tx, .key = key, .position = shm_table_position(tx->region, key, strlen(key), false)};
    unsigned shard = shm_region_shard(tx->region, k.position);
    k.tree = shm_tree_of_db(tx->region, shard, 0);
    k.present = shm_table_find(&k.tree, k.position, key, strlen(key), &k.place);
    type_hash_open(&h, tx->region, shard, k.present ? k.place.entry : NULL);
    h.tx = tx;
    h.limits = (struct type_hash_limits){.entries = 512, .value = 64};
    h.replace = replace;
    h.arg = &k;
    if (value)
        return type_hash_set(&h, field, strlen(field), value, n) != TYPE_HASH_FAILED;
    if (!k.present)
        return true;
    if (type_hash_delete(&h, field, strlen(field)) < 0)
        return false;
    if (type_hash_length(&h) > 0)
        return true;
    struct shm_entry_sh *old = h.entry;
    return shm_table_find(&k.tree, k.position, key, strlen(key), &k.place) &&
        shm_table_remove(tx, &k.tree, k.position, &k.place) && shm_entry_free(tx, shard, old);
}

/* ---- digest, clear, check ---- */

static uint64_t
view_crc(uint64_t crc, const struct string_view *v)
{
    for (size_t at = 0, n; at < v->len; at += n) {
        const char *piece = type_string_piece(v, at, &n);
        crc = crc64(crc, piece, n);
    }
    return crc64(crc, &v->len, sizeof v->len);
}

struct digest {
    struct shm_region *r;
    uint64_t sum, key;
    unsigned shard;
};

static bool
digest_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct digest *d = arg;
    d->sum += view_crc(view_crc(d->key + 1, field), value);
    return true;
}

static void
digest_segment(void *arg, struct shm_segment_sh *s)
{
    struct digest *d = arg;
    for (unsigned b = 0; b < s->buckets; b++) {
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            struct string_view key, value;
            if (!s->bucket[b].slot[i])
                continue;
            struct shm_entry_sh *e = shm_at(d->r, s->bucket[b].slot[i] << 16 >> 16);
            type_string_view_key(&key, d->r, e);
            d->key = view_crc(7, &key);
            if (shm_entry_type(e) == SHM_TYPE_STRING) {
                type_string_view(&value, d->r, e);
                d->sum += view_crc(d->key, &value);
            } else {
                struct type_hash h;
                type_hash_open(&h, d->r, d->shard, e);
                type_hash_each(&h, digest_pair, d);
            }
        }
    }
}

uint64_t
fixture_digest(struct shm_region *r)
{
    struct digest d = {.r = r};
    for (d.shard = 0; d.shard < r->nshards; d.shard++) {
        struct shm_tree t = shm_tree_of_db(r, d.shard, 0);
        uint64_t cursor = (uint64_t)d.shard << (64 - r->shard_bits);
        while (shm_table_walk(&t, &cursor, digest_segment, &d))
            ;
    }
    return d.sum;
}

void
fixture_clear(struct fixture *f)
{
    cr_assert(shm_tx_begin(&f->tx));
    shm_tx_enter_all(&f->tx);
    for (unsigned shard = 0; shard < f->region.nshards; shard++) {
        struct shm_tree_sh *t = &shm_region_dbroot(&f->region, shard, 0)->tree;
        if (t->root)
            cr_assert(shm_reclaim_push(&f->tx, shard, shm_table_off(t->root)));
        cr_assert(shm_tx_set64(&f->tx, &t->root, 0) && shm_tx_set64(&f->tx, &t->count, 0));
    }
    cr_assert(shm_tx_commit(&f->tx));
    for (uint16_t shard = 0; shard < f->region.nshards; shard++) {
        bool more = true;
        while (more) {
            cr_assert(shm_tx_begin(&f->tx));
            shm_tx_enter(&f->tx, &shard, 1);
            more = shm_reclaim_step(&f->tx, shard, 100);
            cr_assert(shm_tx_commit(&f->tx));
        }
    }
    uint64_t cursor = 0; /* what the housekeeper does: the index's spans leave quarantine */
    shm_span_audit(&f->region, &cursor, f->region.header->spans, shm_epoch_advance(&f->region));
}

void
fixture_check(struct fixture *f)
{
    struct shm_check_result result;
    bool ok = shm_check_region(&f->region, type_value_check, &result);
    cr_assert(ok, "%lu faults: %s", (unsigned long)result.faults, result.first);
}
