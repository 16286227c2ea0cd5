/* cmd_scan.c - walks over the keys of a database and their number: SCAN, KEYS, RANDOMKEY, DBSIZE.
 *
 * Keys stand in the order of their positions, shard after shard; SCAN's cursor is the leading part of a position, so a key
 * that is there all the time is met whatever the table does meanwhile. SCAN holds one shard's lock at a time and not for
 * long; KEYS shows one moment and holds all of them.
 *
 * Process: workers. Locks: taken here. Crash: only RANDOMKEY changes anything, in transactions of its own.
 */
#include <stdlib.h>

#include "base/glob.h"
#include "command/cmd_rows.h"
#include "command/cmd_scan.h"
#include "command/keyspace.h"
#include "types/type_value.h"

#define CURSOR_SHIFT 12     /* a cursor is the leading 52 bits of a position: below 2^53 */
#define SCAN_HOLD 256u      /* entries looked at before the lock is dropped for others */
#define SCAN_COUNT 10       /* without COUNT */
#define DBSIZE_TRIES 3      /* without locks */
#define RANDOM_TRIES 100    /* keys met by chance; then the first one that is not expired */

/* ---- collecting names -------------------------------------------------------------------------------------------- */

struct scan {
    struct cmd *c;
    const struct resp_arg *match; /* NULL: all */
    int type;                     /* argument with the type; 0: all */
    struct buf names;             /* as bulk strings, in a buffer of their own: the count comes before them */
    struct resp_out found;
    uint64_t count;               /* names found */
    uint64_t seen;                /* entries looked at */
};

static bool
is_hidden(struct cmd *c, const struct shm_entry_sh *e)
{
    return (e->flags & SHM_ENTRY_EXPIRES) && cmd_now(c) > shm_entry_expiry(e);
}

static void
scan_one(void *arg, uint64_t position, struct shm_place *p)
{
    struct scan *s = arg;
    struct string_view key;
    size_t mark = s->names.len;
    (void)position;
    s->seen++;
    if (is_hidden(s->c, p->entry) || (s->type && !cmd_arg_is(s->c, s->type, type_value_name(p->entry))))
        return;
    type_string_view_key(&key, s->c->engine->region, p->entry);
    if (s->match && key.bytes && !glob_match(s->match->data, s->match->len, key.bytes, key.len))
        return;
    char *to = resp_out_bulk_begin(&s->found, key.len);
    if (!to)
        return;
    type_string_copy(&key, 0, to, key.len);
    if (s->match && !key.bytes && !glob_match(s->match->data, s->match->len, to, key.len))
        buf_truncate(&s->names, mark);
    else
        s->count++;
}

static void
scan_init(struct scan *s, struct cmd *c)
{
    *s = (struct scan){.c = c};
    buf_init(&s->names);
    s->found = (struct resp_out){.buf = &s->names, .version = c->out->version};
}

/* The names as one array; gives the buffer back. */
static void
scan_reply(struct scan *s)
{
    resp_out_array(s->c->out, s->count);
    if (s->names.failed)
        s->c->out->buf->failed = true;
    resp_out_raw(s->c->out, buf_head(&s->names), buf_pending(&s->names));
    buf_destroy(&s->names);
}

/* ---- SCAN and KEYS -------------------------------------------------------------------------------------------------- */

/* Walks on from a position until `want` entries were seen and the cursor has moved; returns the next position, 0 at the end. */
static uint64_t
scan_from(struct scan *s, uint64_t position, uint64_t want)
{
    struct shm_region *r = s->c->engine->region;
    uint64_t first = position >> CURSOR_SHIFT;
    do {
        uint16_t shard = (uint16_t)shm_region_shard(r, position);
        struct shm_tree t = shm_tree_of_db(r, shard, s->c->db);
        uint64_t until = s->seen + SCAN_HOLD;
        until = until < want ? until : want;
        shm_tx_enter_read(s->c->tx, &shard, 1);
        while (shm_table_scan(&t, &position, scan_one, s) && s->seen < until)
            ;
        shm_tx_leave_read(s->c->tx);
    } while (position != 0 && (s->seen < want || position >> CURSOR_SHIFT == first));
    return position;
}

bool
cmd_scan_options(struct cmd *c, int first, bool has_type, struct cmd_scan_options *o)
{
    for (int i = first; i < c->argc; i += 2) {
        bool has_value = i + 1 < c->argc;
        if (has_value && cmd_arg_is(c, i, "count")) {
            if (!cmd_arg_int(c, i + 1, &o->count))
                return false;
            has_value = o->count >= 1;
        } else if (has_value && cmd_arg_is(c, i, "match")) {
            o->match = &c->argv[i + 1];
        } else if (has_value && has_type && cmd_arg_is(c, i, "type")) {
            o->type = i + 1;
        } else {
            has_value = false;
        }
        if (!has_value) {
            cmd_error_syntax(c);
            return false;
        }
    }
    return true;
}

void
cmd_scan(struct cmd *c)
{
    struct scan s;
    char cursor[TYPE_STRING_DIGITS];
    uint64_t from;
    struct cmd_scan_options options = {.count = SCAN_COUNT};
    if (!cmd_arg_cursor(c, 1, &from) || !cmd_scan_options(c, 2, true, &options))
        return;
    scan_init(&s, c);
    s.match = options.match;
    s.type = options.type;
    uint64_t next = scan_from(&s, from << CURSOR_SHIFT, (uint64_t)options.count) >> CURSOR_SHIFT;
    resp_out_array(c->out, 2);
    resp_out_bulk(c->out, cursor, type_string_render_int((int64_t)next, cursor));
    scan_reply(&s);
}

/* Calls scan_one for every key. All shards are held. */
static void
scan_all(struct scan *s)
{
    struct shm_region *r = s->c->engine->region;
    uint64_t position = 0;
    do {
        struct shm_tree t = shm_tree_of_db(r, shm_region_shard(r, position), s->c->db);
        while (shm_table_scan(&t, &position, scan_one, s))
            ;
        cmd_progress(s->c);
    } while (position != 0);
}

void
cmd_keys(struct cmd *c)
{
    struct scan s;
    scan_init(&s, c);
    s.match = &c->argv[1];
    cmd_enter_all_read(c);
    scan_all(&s);
    shm_tx_leave_read(c->tx);
    scan_reply(&s);
}

/* ---- DBSIZE ----------------------------------------------------------------------------------------------------------- */

static uint64_t
shard_count(const struct cmd *c, unsigned shard)
{
    return *(volatile uint64_t *)&shm_region_dbroot(c->engine->region, shard, c->db)->tree.count;
}

/* The sum of one moment, without locks: no shard changed between two readings of all sequences. */
static bool
count_unlocked(const struct cmd *c, uint64_t *sum)
{
    const struct shm_region *r = c->engine->region;
    uint64_t seen[SHM_SHARDS_MAX];
    *sum = 0;
    for (unsigned i = 0; i < r->nshards; i++) {
        seen[i] = atomic_load_explicit(&r->shards[i].seq, memory_order_acquire);
        if (seen[i] & 1)
            return false;
    }
    for (unsigned i = 0; i < r->nshards; i++)
        *sum += shard_count(c, i);
    atomic_thread_fence(memory_order_acquire); /* pairs with the release fences behind odd sequences in shm_tx_enter */
    for (unsigned i = 0; i < r->nshards; i++)
        if (atomic_load_explicit(&r->shards[i].seq, memory_order_relaxed) != seen[i])
            return false;
    return true;
}

void
cmd_dbsize(struct cmd *c)
{
    uint64_t n;
    bool done = false;
    for (int i = 0; i < DBSIZE_TRIES && !done; i++)
        done = count_unlocked(c, &n);
    if (!done) {
        cmd_enter_all_read(c);
        n = 0;
        for (unsigned i = 0; i < c->engine->region->nshards; i++)
            n += shard_count(c, i);
        shm_tx_leave_read(c->tx);
    }
    resp_out_int(c->out, (int64_t)n);
}

/* ---- RANDOMKEY ---------------------------------------------------------------------------------------------------------- */

/* A shard, each with a chance by its share of the keys. False: there are none. */
static bool
random_shard(struct cmd *c, uint16_t *shard)
{
    uint64_t n[SHM_SHARDS_MAX], sum = 0;
    unsigned shards = c->engine->region->nshards;
    for (unsigned i = 0; i < shards; i++)
        sum += n[i] = shard_count(c, i);
    if (sum == 0)
        return false;
    uint64_t nth = rand_below(&c->engine->exec.random, sum);
    for (*shard = 0; nth >= n[*shard]; ++*shard)
        nth -= n[*shard];
    return true;
}

/* Deletes a key if it is expired still. False: tx->want. */
static bool
delete_expired(struct cmd *c, uint16_t shard, const struct buf *name)
{
    struct key_ref ref;
    if (!shm_tx_begin(c->tx))
        return false;
    shm_tx_enter(c->tx, &shard, 1);
    if (c->tx->want == SHM_WANT_NOTHING)
        keyspace_find(c, c->db, buf_head(name), buf_pending(name), true, &ref);
    if (c->tx->want == SHM_WANT_NOTHING)
        return shm_tx_commit(c->tx);
    shm_tx_abort(c->tx);
    return false;
}

/* Puts a key of the shard that was met by chance into `name`. False: the shard is empty (or was emptied meanwhile). */
static bool
meet_key(struct cmd *c, uint16_t shard, struct buf *name, bool *expired)
{
    struct shm_place p;
    struct string_view key;
    struct shm_tree t = shm_tree_of_db(c->engine->region, shard, c->db);
    const uint64_t random[2] = {rand_next(&c->engine->exec.random), rand_next(&c->engine->exec.random)};
    shm_tx_enter_read(c->tx, &shard, 1);
    bool met = shm_table_random(&t, random, &p);
    if (met) {
        *expired = is_hidden(c, p.entry);
        type_string_view_key(&key, c->engine->region, p.entry);
        buf_clear(name, SIZE_MAX);
        if (buf_reserve(name, key.len)) {
            type_string_copy(&key, 0, name->data, key.len);
            name->len = key.len;
        }
    }
    shm_tx_leave_read(c->tx);
    return met;
}

static void
first_found(void *arg, uint64_t position, struct shm_place *p)
{
    struct scan *s = arg;
    if (s->count == 0)
        scan_one(s, position, p);
}

/* After many expired ones: the first key that is not, or null. */
static void
reply_first(struct cmd *c)
{
    struct shm_region *r = c->engine->region;
    struct scan s;
    uint64_t position = 0;
    scan_init(&s, c);
    do {
        uint16_t shard = (uint16_t)shm_region_shard(r, position);
        struct shm_tree t = shm_tree_of_db(r, shard, c->db);
        shm_tx_enter_read(c->tx, &shard, 1);
        while (shm_table_scan(&t, &position, first_found, &s) && s.count == 0)
            ;
        shm_tx_leave_read(c->tx);
    } while (position != 0 && s.count == 0);
    if (s.count == 0)
        resp_out_null(c->out);
    resp_out_raw(c->out, buf_head(&s.names), buf_pending(&s.names));
    buf_destroy(&s.names);
}

void
cmd_randomkey(struct cmd *c)
{
    struct buf name;
    bool expired = true;
    uint16_t shard;
    buf_init(&name);
    for (int i = 0; i < RANDOM_TRIES && expired && random_shard(c, &shard); i++)
        if (meet_key(c, shard, &name, &expired) && expired && !delete_expired(c, shard, &name)) {
            buf_destroy(&name);
            return;
        }
    if (expired)
        reply_first(c);
    else
        resp_out_bulk(c->out, buf_pending(&name) ? buf_head(&name) : "", buf_pending(&name)); /* the empty name has no bytes */
    if (buf_failed(&name))
        c->out->buf->failed = true;
    buf_destroy(&name);
}
