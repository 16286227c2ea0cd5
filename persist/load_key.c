/* load_key.c - strings and hashes out of their RDB forms (see load_key.h).
 *
 * A string is stored as SET would store it; a hash field by field, as HSET would, except that what was a listpack stays one
 * whatever the length of its values, as in Redis.
 */
#include "persist/load_key.h"

#include "command/cmd_hash.h"
#include "command/control.h"
#include "command/keyspace.h"
#include "types/type_hash.h"

void
load_keys_init(struct load_keys *k, struct engine *e, struct session *s, const void *image, size_t n)
{
    static const struct command_row row = {.name = "load", .flags = CMD_WRITE};
    bool deep = config_number(e, PARAM_SANITIZE_DUMP_PAYLOAD) == 1; /* no, yes, clients */
    *k = (struct load_keys){.image = image, .n = n, .value.depth = deep ? RDB_DEEP : RDB_HEADS};
    k->cmd = (struct cmd){.row = &row, .session = s, .engine = e, .tx = &e->tx};
}

void
load_keys_free(struct load_keys *k)
{
    rdb_value_free(&k->value);
}

/* ---- values ---------------------------------------------------------------------------------------------------------------- */

/* A hash, while it is read. */
struct building {
    struct load_keys *keys;
    const struct load_key *key;
    struct key_ref *ref;
    struct type_hash hash;
    bool repeated; /* a field stands twice */
    bool failed;   /* tx->want */
};

static struct shm_entry_sh *
replace_entry(void *arg, unsigned encoding, size_t vlen)
{
    struct building *b = arg;
    struct cmd *c = &b->keys->cmd;
    char *value;
    shm_off entry = keyspace_build(c, b->ref, SHM_TYPE_HASH, encoding, vlen, b->key->expires_ms, &value);
    if (!entry || !(keyspace_found(b->ref) ? keyspace_move_value(c, b->ref, entry) : keyspace_put(c, b->ref, entry)))
        return NULL;
    return b->ref->place.entry;
}

/* The pieces are handed out by the reader, which stops when it is told false. */
static bool
take_field(void *arg, const struct rdb_piece *piece)
{
    struct building *b = arg;
    enum type_hash_set done = type_hash_set(&b->hash, rdb_string_bytes(&piece->name), piece->name.len, rdb_string_bytes(&piece->value),
        piece->value.len);
    b->repeated = done == TYPE_HASH_UPDATED;
    b->failed = done == TYPE_HASH_FAILED;
    return done == TYPE_HASH_CREATED;
}

/* How many fields a hash in its plain form has; the packed forms are not asked. */
static uint64_t
plain_count(const struct load_keys *k, const struct load_key *key)
{
    struct rdb_read r = rdb_read_of(k->image, key->from, key->to);
    uint64_t count = 0;
    return key->form == RDB_FORM_HASH && rdb_read_length(&r, &count) ? count : 0;
}

static void
begin_hash(struct building *b)
{
    struct load_keys *k = b->keys;
    unsigned form = b->key->form;
    type_hash_open(&b->hash, k->cmd.engine->region, b->ref->shard, NULL);
    b->hash.tx = k->cmd.tx;
    b->hash.replace = replace_entry;
    b->hash.arg = b;
    b->hash.limits = cmd_hash_limits(&k->cmd);
    if (form == RDB_FORM_HASH_LISTPACK || form == RDB_FORM_HASH_ZIPLIST)
        b->hash.limits.value = SIZE_MAX;
    if (plain_count(k, b->key) > b->hash.limits.entries)
        b->hash.limits.entries = 0; /* a tree from the first field on */
}

static enum load_key_result
read_value(struct building *b)
{
    struct load_keys *k = b->keys;
    struct rdb_read r = rdb_read_of(k->image, b->key->from, b->key->to);
    k->value.arg = b;
    bool ok = rdb_value_read(&k->value, b->key->form, &r);
    if (ok)
        return k->value.count == 0 ? LOAD_KEY_EMPTY : LOAD_KEY_DONE;
    if (b->failed || r.wrong == rdb_no_memory)
        return LOAD_KEY_MEMORY;
    k->wrong = b->repeated ? "a field stands twice in a hash" : r.wrong;
    k->wrong_at = b->repeated ? b->key->from : r.wrong_at;
    return LOAD_KEY_DAMAGED;
}

static enum load_key_result
load_hash(struct load_keys *k, const struct load_key *key, struct key_ref *ref)
{
    struct building b = {.keys = k, .key = key, .ref = ref};
    k->value.fn = take_field;
    begin_hash(&b);
    return read_value(&b);
}

/* Most values are strings, and need no reader of all forms. */
static enum load_key_result
load_string(struct load_keys *k, const struct load_key *key, struct key_ref *ref)
{
    struct rdb_read r = rdb_read_of(k->image, key->from, key->to);
    struct rdb_string s;
    struct string_plan plan;
    char *value;
    if (!rdb_read_string(&r, &s, &k->value.scratch[0])) {
        k->wrong = r.wrong;
        k->wrong_at = r.wrong_at;
        return r.wrong == rdb_no_memory ? LOAD_KEY_MEMORY : LOAD_KEY_DAMAGED;
    }
    type_string_plan_set(&plan, rdb_string_bytes(&s), s.len, type_string_key_part(ref->name_len));
    shm_off entry = keyspace_build(&k->cmd, ref, SHM_TYPE_STRING, plan.encoding, plan.vlen, key->expires_ms, &value);
    bool ok = entry && type_string_plan_write(k->cmd.tx, ref->shard, &plan, value) && keyspace_put(&k->cmd, ref, entry);
    return ok ? LOAD_KEY_DONE : LOAD_KEY_MEMORY;
}

/* ---- a key ------------------------------------------------------------------------------------------------------------------ */

static void
set_clock(const struct load_keys *k, const struct load_key *key, const struct key_ref *ref)
{
    int64_t idle = key->idle_s > INT16_MAX ? INT16_MAX : key->idle_s; /* the clock has no room for more */
    uint16_t now = k->cmd.engine->exec.clock;
    if (idle > 0 && ref->place.clock)
        atomic_store_explicit(ref->place.clock, (uint16_t)(now - idle), memory_order_relaxed);
}

bool
load_key_is_foreign(unsigned form)
{
    if (form == RDB_FORM_STRING)
        return false;
    return rdb_form(form)->family != RDB_HASH || form > RDB_FORM_HASH_LISTPACK;
}

enum load_key_result
load_key(struct load_keys *k, const struct load_key *key)
{
    struct key_ref ref;
    k->cmd.db = key->db;
    bool there = keyspace_find_at(&k->cmd, key->db, key->position, rdb_string_bytes(&key->name), key->name.len, &ref);
    if (there && !k->replace)
        return LOAD_KEY_THERE;
    if (there && !keyspace_delete(&k->cmd, &ref))
        return LOAD_KEY_MEMORY;
    enum load_key_result result = key->form == RDB_FORM_STRING ? load_string(k, key, &ref) : load_hash(k, key, &ref);
    if (result == LOAD_KEY_DONE)
        set_clock(k, key, &ref);
    return result;
}

/* ---- a key that is only looked at --------------------------------------------------------------------------------------- */

static bool
pass(void *arg, const struct rdb_piece *piece)
{
    (void)arg;
    (void)piece;
    return true;
}

static bool
is_there(struct load_keys *k, const struct load_key *key)
{
    uint16_t shard = (uint16_t)key->shard;
    struct key_ref ref;
    k->cmd.db = key->db;
    shm_tx_enter_read(k->cmd.tx, &shard, 1);
    bool there = k->cmd.tx->want == SHM_WANT_NOTHING &&
                 keyspace_find_at(&k->cmd, key->db, key->position, rdb_string_bytes(&key->name), key->name.len, &ref);
    shm_tx_leave_read(k->cmd.tx);
    return there;
}

enum load_key_result
load_key_check(struct load_keys *k, const struct load_key *key)
{
    struct building b = {.keys = k, .key = key};
    if (k->absent && is_there(k, key))
        return LOAD_KEY_THERE;
    k->value.fn = pass;
    k->value.depth = RDB_DEEP; /* a field that stands twice would be met when it is stored */
    return read_value(&b);
}
