/* keyspace.c - keys of a database: look-up with expiry, add, replace, delete (contract in keyspace.h).
 *
 * What a key costs besides its table slot is kept here and only here: the database's count of keys with an expiry and
 * the sum of these (INFO's avg_ttl), the count per key slot (in a cluster), the segment's earliest expiry.
 *
 * A reading command may run on a private copy of its key's entry instead of under the lock (cmd->copy, made by
 * exec.c): then the look-up answers from that copy, and no lock is held.
 *
 * Process: workers, housekeeper (expire.c). Locks: needs the key's shard. Crash: all changes are the transaction's.
 */
#include "command/keyspace.h"

#include "base/apart.h"
#include "types/type_keep.h"
#include "types/type_value.h"

#define KEPT_FLAGS                                                                                      \
    (SHM_ENTRY_KEYBLOB | SHM_ENTRY_WATCHED | SHM_ENTRY_TRACKED | SHM_ENTRY_WAITED | SHM_ENTRY_MEMBER_TTL)

/* ---- look-up -------------------------------------------------------------------------------------------- */

static void
ref_init(struct cmd *c, struct key_ref *ref, unsigned db, uint64_t position, unsigned shard, const char *key, size_t klen)
{
    ref->position = position;
    ref->shard = (uint16_t)shard;
    ref->db = db;
    ref->name = key;
    ref->name_len = klen;
    ref->place = (struct shm_place){0};
    ref->tree = shm_tree_of_db(c->engine->region, shard, db);
}

static void
ref_of_key(struct cmd *c, unsigned k, struct key_ref *ref)
{
    const struct resp_arg *a = &c->argv[c->keys[k].arg];
    ref_init(c, ref, c->db, c->keys[k].position, c->keys[k].shard, a->data, a->len);
}

static bool
is_expired(struct cmd *c, const struct shm_entry_sh *e)
{
    return (e->flags & SHM_ENTRY_EXPIRES) && !c->tx->bare && cmd_now(c) > shm_entry_expiry(e);
}

/* Finds the key, hiding an expired one. */
static bool
find_live(struct cmd *c, struct key_ref *ref)
{
    if (c->copy != CMD_COPY_NONE) {
        ref->place.entry = c->copy == CMD_COPY_ENTRY ? (struct shm_entry_sh *)(void *)c->engine->read_block : NULL;
        return ref->place.entry != NULL;
    }
    if (!shm_table_find(&ref->tree, ref->position, ref->name, ref->name_len, &ref->place)) {
        ref->place.entry = NULL;
        return false;
    }
    if (is_expired(c, ref->place.entry)) {
        ref->place.entry = NULL;
        return false;
    }
    return true;
}

static void
touch(struct cmd *c, const struct key_ref *ref)
{
    uint16_t now = c->engine->exec.clock;
    _Atomic uint16_t *clock = ref->place.clock;
    if (clock && atomic_load_explicit(clock, memory_order_relaxed) != now && !(c->session->flags & SESSION_NO_TOUCH))
        atomic_store_explicit(clock, now, memory_order_relaxed);
}

bool
keyspace_read(struct cmd *c, unsigned k, struct key_ref *ref)
{
    ref_of_key(c, k, ref);
    if (!find_live(c, ref)) {
        c->engine->exec.misses++;
        return false;
    }
    c->engine->exec.hits++;
    touch(c, ref);
    return true;
}

bool
keyspace_peek(struct cmd *c, unsigned k, struct key_ref *ref)
{
    ref_of_key(c, k, ref);
    return find_live(c, ref);
}

/* Deletes the expired key that place shows, and says so in the log. */
static APART bool
delete_expired(struct cmd *c, struct key_ref *ref)
{
    if (!keyspace_delete(c, ref))
        return false;
    keyspace_log_delete(c, ref->db, ref->name, ref->name_len);
    c->engine->exec.expired++;
    return true;
}

/* The common end of look-ups for writing; ref is initialised. */
static bool
find_for_write(struct cmd *c, struct key_ref *ref)
{
    if (!shm_table_find(&ref->tree, ref->position, ref->name, ref->name_len, &ref->place)) {
        ref->place.entry = NULL;
        return false;
    }
    if (__builtin_expect(is_expired(c, ref->place.entry), 0)) {
        (void)delete_expired(c, ref); /* a failure stands in tx->want */
        ref->place.entry = NULL;
        return false;
    }
    if (!type_keep_before_change(c->tx, &ref->tree, ref->position, ref->place.entry)) {
        ref->place.entry = NULL; /* likewise */
        return false;
    }
    touch(c, ref);
    return true;
}

bool
keyspace_write(struct cmd *c, unsigned k, struct key_ref *ref)
{
    ref_of_key(c, k, ref);
    return find_for_write(c, ref);
}

bool
keyspace_find(struct cmd *c, unsigned db, const char *key, size_t klen, bool for_write, struct key_ref *ref)
{
    uint64_t position = shm_table_position(c->engine->region, key, klen, c->engine->cluster);
    ref_init(c, ref, db, position, shm_region_shard(c->engine->region, position), key, klen);
    return for_write ? find_for_write(c, ref) : find_live(c, ref);
}

bool
keyspace_find_at(struct cmd *c, unsigned db, uint64_t position, const char *key, size_t klen, struct key_ref *ref)
{
    ref_init(c, ref, db, position, shm_region_shard(c->engine->region, position), key, klen);
    return shm_table_find(&ref->tree, position, key, klen, &ref->place);
}

bool
keyspace_type_ok(struct cmd *c, const struct key_ref *ref, unsigned type)
{
    if (ref->place.entry == NULL || shm_entry_type(ref->place.entry) == type)
        return true;
    cmd_error_wrongtype(c);
    return false;
}

/* ---- accounting ------------------------------------------------------------------------------------------ */

static struct shm_dbroot_sh *
dbroot(const struct cmd *c, const struct key_ref *ref)
{
    return shm_region_dbroot(c->engine->region, ref->shard, ref->db);
}

/* An expiry `from` (-1: none) of a key becomes `to`. */
static bool
account_expiry(struct cmd *c, const struct key_ref *ref, int64_t from, int64_t to)
{
    struct shm_dbroot_sh *root = dbroot(c, ref);
    uint64_t count = root->expires - (from != -1) + (to != -1);
    uint64_t sum = root->expiry_sum - (from != -1 ? (uint64_t)from : 0) + (to != -1 ? (uint64_t)to : 0);
    if (count != root->expires && !shm_tx_set64(c->tx, &root->expires, count))
        return false;
    return sum == root->expiry_sum || shm_tx_set64(c->tx, &root->expiry_sum, sum);
}

/* One key more (+1) or less (-1) in its key slot. */
static bool
account_keyslot(struct cmd *c, const struct key_ref *ref, int change)
{
    if (!keyspace_counts_slots(c, ref->db))
        return true;
    uint32_t *count = &c->engine->region->keyslots[ref->position >> (64 - SHM_KEYSLOT_BITS)];
    return shm_tx_set32(c->tx, count, *count + (uint32_t)change);
}

static bool
note_expiry(struct cmd *c, struct key_ref *ref, int64_t when_ms)
{
    return when_ms == -1 || ref->place.segment->min_expiry <= when_ms || shm_table_note_expiry(c->tx, &ref->place, when_ms);
}

/* ---- building and changing ------------------------------------------------------------------------------- */

static uint32_t
birth_now(const struct cmd *c)
{
    return (uint32_t)atomic_load_explicit(&c->engine->region->header->snapshot_epoch, memory_order_relaxed);
}

static shm_off
build_block(struct cmd *c, const struct key_ref *ref, unsigned type, unsigned encoding, unsigned flags, const char *key,
    size_t klen, size_t vlen, int64_t expiry_ms, char **value)
{
    shm_off block = shm_tx_alloc(c->tx, ref->shard, shm_entry_size_for(klen, vlen, expiry_ms != -1));
    if (block != 0)
        *value = shm_entry_build(shm_at(c->engine->region, block), type, encoding, flags, birth_now(c), key, klen, vlen, expiry_ms);
    return block;
}

shm_off
keyspace_build(struct cmd *c, const struct key_ref *ref, unsigned type, unsigned encoding, size_t vlen, int64_t expiry_ms,
    char **value)
{
    unsigned flags = ref->place.entry ? ref->place.entry->flags & KEPT_FLAGS & ~SHM_ENTRY_KEYBLOB : 0;
    if (ref->name_len <= SHM_KEY_INLINE_MAX)
        return build_block(c, ref, type, encoding, flags, ref->name, ref->name_len, vlen, expiry_ms, value);
    struct shm_blob_sh blob;
    if (!shm_blob_create(c->tx, ref->shard, &blob, ref->name, ref->name_len))
        return 0;
    return build_block(
        c, ref, type, encoding, flags | SHM_ENTRY_KEYBLOB, (const char *)&blob, sizeof blob, vlen, expiry_ms, value);
}

static bool
insert(struct cmd *c, struct key_ref *ref, shm_off entry)
{
    int64_t expiry = shm_entry_expiry(shm_at(c->engine->region, entry));
    if (!shm_table_insert(c->tx, &ref->tree, ref->position, entry, &ref->place))
        return false;
    atomic_store_explicit(ref->place.clock, c->engine->exec.clock, memory_order_relaxed);
    return account_keyslot(c, ref, 1) && (expiry == -1 || account_expiry(c, ref, -1, expiry)) && note_expiry(c, ref, expiry);
}

/* Puts the entry in the present one's place; the old one is still to be freed. */
static bool
replace(struct cmd *c, struct key_ref *ref, shm_off entry)
{
    struct shm_entry_sh *old = ref->place.entry, *new = shm_at(c->engine->region, entry);
    int64_t from = shm_entry_expiry(old), to = shm_entry_expiry(new);
    if (!shm_table_replace(c->tx, &ref->place, entry))
        return false;
    ref->place.entry = new;
    return (from == to || account_expiry(c, ref, from, to)) && note_expiry(c, ref, to);
}

bool
keyspace_put(struct cmd *c, struct key_ref *ref, shm_off entry)
{
    struct shm_entry_sh *old = ref->place.entry;
    if (old == NULL)
        return insert(c, ref, entry);
    return replace(c, ref, entry) && shm_entry_free(c->tx, ref->shard, old);
}

/* Frees an entry's block and its key's blob, but nothing that its value refers to. */
static bool
free_shell(struct cmd *c, const struct key_ref *ref, struct shm_entry_sh *old)
{
    if (old->flags & SHM_ENTRY_KEYBLOB) {
        struct shm_blob_sh blob;
        memcpy(&blob, shm_entry_key(old), sizeof blob);
        if (!shm_blob_free(c->tx, ref->shard, &blob))
            return false;
    }
    shm_tx_free(c->tx, shm_off_of(c->engine->region, old));
    return true;
}

bool
keyspace_move_value(struct cmd *c, struct key_ref *ref, shm_off entry)
{
    struct shm_entry_sh *old = ref->place.entry;
    return replace(c, ref, entry) && free_shell(c, ref, old);
}

/* Takes the key out of the table and the counts; the entry is still to be freed. */
static bool
detach(struct cmd *c, struct key_ref *ref)
{
    int64_t expiry = shm_entry_expiry(ref->place.entry);
    if (expiry != -1 && !account_expiry(c, ref, expiry, -1))
        return false;
    return account_keyslot(c, ref, -1) && shm_table_remove(c->tx, &ref->tree, ref->position, &ref->place);
}

bool
keyspace_delete(struct cmd *c, struct key_ref *ref)
{
    struct shm_entry_sh *old = ref->place.entry;
    uint64_t position = ref->position;
    if (!detach(c, ref) || !shm_keep_release(c->tx, &ref->tree, position, old))
        return false;
    ref->place.entry = NULL;
    return true;
}

bool
keyspace_delete_shell(struct cmd *c, struct key_ref *ref)
{
    struct shm_entry_sh *old = ref->place.entry;
    if (!detach(c, ref) || !free_shell(c, ref, old))
        return false;
    ref->place.entry = NULL;
    return true;
}

/* The same entry in a new block with another expiry; key and value are taken over byte for byte. */
static bool
rebuild_with_expiry(struct cmd *c, struct key_ref *ref, int64_t when_ms)
{
    struct shm_entry_sh *old = ref->place.entry;
    size_t vlen = shm_entry_vlen(old);
    char *value;
    shm_off block = build_block(c, ref, shm_entry_type(old), shm_entry_encoding(old), old->flags & KEPT_FLAGS,
        shm_entry_key(old), shm_entry_klen(old), vlen, when_ms, &value);
    if (block == 0)
        return false;
    memcpy(value, shm_entry_value(old), vlen);
    if (!replace(c, ref, block))
        return false;
    shm_tx_free(c->tx, shm_off_of(c->engine->region, old));
    return true;
}

bool
keyspace_set_expiry(struct cmd *c, struct key_ref *ref, int64_t when_ms)
{
    struct shm_entry_sh *e = ref->place.entry;
    int64_t from = shm_entry_expiry(e);
    if (from == when_ms)
        return true;
    if (from == -1 || when_ms == -1)
        return rebuild_with_expiry(c, ref, when_ms);
    return shm_tx_write(c->tx, e->rest, &when_ms, sizeof when_ms) && account_expiry(c, ref, from, when_ms) &&
           note_expiry(c, ref, when_ms);
}

void
keyspace_log_delete(struct cmd *c, unsigned db, const char *key, size_t klen)
{
    const struct shm_effect_arg del[2] = {{"DEL", 3}, {key, klen}};
    shm_tx_effect(c->tx, db, 2, del);
}
