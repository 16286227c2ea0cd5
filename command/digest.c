/* digest.c - the digest of a data set (see digest.h).
 *
 * Two operations make all of it: combine (order does not matter) for what lies in hash order, seal (order matters) for what
 * has one. A handle keeps the hash's context, so a key costs no allocation.
 */
#include "command/digest.h"

#include <arpa/inet.h>
#include <openssl/evp.h>

#include "types/type_value.h"

bool
digest_open(struct digest *d)
{
    d->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    d->context = EVP_MD_CTX_new();
    if (d->sha1 && d->context)
        return true;
    digest_close(d);
    return false;
}

void
digest_close(struct digest *d)
{
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->sha1);
}

/* ---- the two operations ------------------------------------------------------------------------------------------- */

static void
sha1_begin(struct digest *d)
{
    int ok = EVP_DigestInit_ex2(d->context, d->sha1, NULL);
    xassert(ok);
}

/* XORs the hash of what was added since sha1_begin into sum. */
static void
sha1_xor(struct digest *d, unsigned char sum[DIGEST_BYTES])
{
    unsigned char hash[DIGEST_BYTES];
    int ok = EVP_DigestFinal_ex(d->context, hash, NULL);
    xassert(ok);
    for (int i = 0; i < DIGEST_BYTES; i++)
        sum[i] ^= hash[i];
}

static void
sha1_add(struct digest *d, const void *bytes, size_t n)
{
    int ok = EVP_DigestUpdate(d->context, bytes, n);
    xassert(ok);
}

/* The order of what is combined this way is of no matter. */
static void
combine(struct digest *d, unsigned char sum[DIGEST_BYTES], const void *bytes, size_t n)
{
    sha1_begin(d);
    sha1_add(d, bytes, n);
    sha1_xor(d, sum);
}

/* The sum is hashed once more, so that order matters. */
static void
seal(struct digest *d, unsigned char sum[DIGEST_BYTES])
{
    unsigned char before[DIGEST_BYTES];
    memcpy(before, sum, sizeof before);
    memset(sum, 0, DIGEST_BYTES);
    combine(d, sum, before, sizeof before);
}

static void
mix(struct digest *d, unsigned char sum[DIGEST_BYTES], const void *bytes, size_t n)
{
    combine(d, sum, bytes, n);
    seal(d, sum);
}

static void
mix_view(struct digest *d, unsigned char sum[DIGEST_BYTES], const struct string_view *v)
{
    size_t run;
    sha1_begin(d);
    for (size_t at = 0; at < v->len; at += run) {
        const char *piece = type_string_piece(v, at, &run);
        run = run < v->len - at ? run : v->len - at;
        sha1_add(d, piece, run);
    }
    sha1_xor(d, sum);
    seal(d, sum);
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

struct pairs {
    struct digest *digest;
    unsigned char *sum;
};

static bool
add_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct pairs *p = arg;
    unsigned char pair[DIGEST_BYTES] = {0};
    mix_view(p->digest, pair, field);
    mix_view(p->digest, pair, value);
    combine(p->digest, p->sum, pair, sizeof pair);
    return true;
}

static void
mix_value(struct digest *d, const struct shm_region *r, unsigned shard, struct shm_entry_sh *e, unsigned char sum[DIGEST_BYTES])
{
    static const char expires[] = "!!expire!!";
    uint32_t type = htonl(shm_entry_type(e));
    mix(d, sum, &type, sizeof type);
    if (shm_entry_type(e) == SHM_TYPE_HASH) {
        struct type_hash h;
        type_hash_open(&h, (struct shm_region *)(uintptr_t)r, shard, e);
        type_hash_each(&h, add_pair, &(struct pairs){d, sum});
    } else {
        struct string_view v;
        type_string_view(&v, r, e);
        mix_view(d, sum, &v);
    }
    if (shm_entry_expiry(e) != -1)
        combine(d, sum, expires, sizeof expires - 1);
}

void
digest_value(struct digest *d, const struct shm_region *r, unsigned shard, struct shm_entry_sh *e, unsigned char sum[DIGEST_BYTES])
{
    memset(sum, 0, DIGEST_BYTES);
    mix_value(d, r, shard, e, sum);
}

/* ---- the data set ---------------------------------------------------------------------------------------------------- */

struct walk {
    struct digest *digest;
    struct cmd *c;
    unsigned shard;
    unsigned char *sum;
    uint64_t keys; /* that live */
};

static void
add_key(void *arg, uint64_t position, struct shm_place *p)
{
    struct walk *w = arg;
    const struct shm_region *r = w->c->engine->region;
    unsigned char key[DIGEST_BYTES] = {0};
    struct string_view name;
    int64_t expiry = shm_entry_expiry(p->entry);
    (void)position;
    if (expiry != -1 && cmd_now(w->c) > expiry)
        return;
    type_string_view_key(&name, r, p->entry);
    mix_view(w->digest, key, &name);
    mix_value(w->digest, r, w->shard, p->entry, key);
    combine(w->digest, w->sum, key, sizeof key);
    w->keys++;
}

static void
add_shard(struct walk *w, unsigned db)
{
    struct shm_region *r = w->c->engine->region;
    struct shm_tree t = shm_tree_of_db(r, w->shard, db);
    uint64_t cursor = 0;
    if (t.sh->count == 0)
        return;
    if (r->shard_bits)
        cursor = (uint64_t)w->shard << (64 - r->shard_bits);
    while (shm_table_scan(&t, &cursor, add_key, w)) /* ends: a tree is finite, and locked */
        atomic_fetch_add_explicit(&r->slots[w->c->engine->slot].progress, 1, memory_order_relaxed);
}

/* A database without a living key counts as empty. */
static void
add_database(struct digest *d, struct cmd *c, unsigned db, unsigned char sum[DIGEST_BYTES])
{
    uint32_t number = htonl(db);
    unsigned char keys[DIGEST_BYTES] = {0};
    struct walk w = {.digest = d, .c = c, .sum = keys};
    for (w.shard = 0; w.shard < c->engine->region->nshards; w.shard++) {
        add_shard(&w, db);
        cmd_progress(c);
    }
    if (w.keys == 0)
        return;
    mix(d, sum, &number, sizeof number);
    for (int i = 0; i < DIGEST_BYTES; i++)
        sum[i] ^= keys[i];
}

void
digest_dataset(struct digest *d, struct cmd *c, unsigned char sum[DIGEST_BYTES])
{
    memset(sum, 0, DIGEST_BYTES);
    for (unsigned db = 0; db < c->engine->region->databases; db++)
        add_database(d, c, db, sum);
}
