/* type_walk.c - the walker of a snapshot (see type_walk.h).
 *
 * A shard's keeps tell all that is left to do, so a step has no memory of its own but the database and shard it works on:
 * it takes the deepest head of the shard's keeps and, within the budget, gives out and frees old versions, then walks a window of
 * the tree behind saved_to, then ends the keep. What was given out counts only if the step commits.
 *
 * A window is some neighbouring home buckets of one segment: as many as fit the budget, found by adding up the sizes of
 * their entries. Large values that it meets get keeps of their own and so become the next heads.
 *
 * Process: persister. Locks: one shard a step. Crash: class T. Fails: told by the step's result.
 */
#include "types/type_walk.h"

#include "types/type_entry.h"
#include "types/type_hash.h"
#include "types/type_keep.h"

#define CACHE_LINE 64
#define LINES_AT_ONCE 2 /* of an entry that its bucket names */
#define LINES_LATER 3   /* of it once its length is seen, at most */
#define WINDOW_HOMES 16u
#define WINDOW_ENTRIES (SHM_SEGMENT_BUCKETS_MAX * SHM_BUCKET_SLOTS)
#define ENTRY_COST 64u      /* bytes that an entry counts besides its own */
#define LARGE_COST 1024u    /* the making of a keep */
#define PIECE_MAX SHM_BLOB_LEAF
#define RENEW_AGE (1 << (SHM_BIRTH_BITS - 2)) /* half of what births can tell apart */

struct step {
    struct type_walk *w;
    const struct type_walk_sink *sink;
    struct shm_tx *tx;
    struct shm_region *region;
    unsigned shard;
    struct shm_keep_work work;
    size_t left;       /* of the budget */
    bool refused;      /* by the sink */
    bool done;         /* the shard has nothing more of this database */
};

static void
spend(struct step *s, size_t n)
{
    s->left -= n < s->left ? n : s->left;
}

/* Goes on if the sink does. */
static bool
told(struct step *s, bool ok)
{
    s->refused |= !ok;
    return ok;
}

static bool
set_bytes(struct step *s, uint8_t *p, uint8_t v)
{
    return shm_tx_write(s->tx, p, &v, sizeof v);
}

static struct shm_entry_sh *
shell_of(const struct step *s)
{
    return shm_at(s->region, s->work.keep->shell);
}

/* Bytes that giving the entry out takes, about. */
static size_t
cost_of(const struct shm_entry_sh *e)
{
    size_t n = ENTRY_COST + shm_entry_bytes(e);
    if (type_keep_is_large(e))
        return n + LARGE_COST;
    if (shm_entry_type(e) == SHM_TYPE_HASH && shm_entry_encoding(e) == TYPE_HASH_CHAIN) {
        struct hash_chain_sh chain;
        memcpy(&chain, shm_entry_value(e), sizeof chain);
        return n + (size_t)chain.blocks * TYPE_HASH_BLOCK;
    }
    return shm_entry_type(e) != SHM_TYPE_HASH && shm_entry_encoding(e) == TYPE_STRING_BLOB ? n + SHM_BLOB_LEAF : n;
}

/* ---- giving out ---------------------------------------------------------------------------------------------------- */

/* A whole entry of the keep's tree: a key, or a field. */
static bool
give_entry(struct step *s, const struct shm_entry_sh *e)
{
    struct string_view field, value;
    spend(s, cost_of(e));
    if (s->work.keep->kind == SHM_KEEP_DB) {
        s->w->fresh++;
        return told(s, s->sink->entry(s->sink->arg, s->work.keep->db, e));
    }
    type_string_view_key(&field, s->region, e);
    type_string_view(&value, s->region, e);
    return told(s, s->sink->field(s->sink->arg, &field, &value));
}

/* The head of a large value, once. */
static bool
give_head(struct step *s)
{
    struct shm_keep_sh *k = s->work.keep;
    struct string_view field;
    if (k->kind == SHM_KEEP_DB || k->begun)
        return true;
    spend(s, ENTRY_COST + shm_entry_bytes(shell_of(s)));
    if (!set_bytes(s, &k->begun, 1))
        return false;
    if (s->work.parent->kind == SHM_KEEP_DB)
        return told(s, s->sink->begin(s->sink->arg, k->db, shell_of(s), k->count));
    type_string_view_key(&field, s->region, shell_of(s));
    return told(s, s->sink->field_begin(s->sink->arg, &field, k->count));
}

static bool
give_end(struct step *s)
{
    if (s->work.keep->kind == SHM_KEEP_DB || s->work.parent->kind != SHM_KEEP_DB)
        return true;
    s->w->fresh++;
    return told(s, s->sink->end(s->sink->arg));
}

/* ---- trees ------------------------------------------------------------------------------------------------------------ */

/* One old version; a large one becomes a keep. */
static bool
step_old(struct step *s)
{
    struct shm_entry_sh *e = shm_keep_take_old(s->tx, s->work.keep);
    if (!e)
        return false;
    if (type_keep_is_large(e)) {
        spend(s, LARGE_COST);
        return type_keep_large(s->tx, s->shard, s->work.keep, e, true);
    }
    return give_entry(s, e) && shm_entry_free(s->tx, s->shard, e);
}

/* What lies in a window of homes, of which the first `homes` are given out. */
struct window {
    struct shm_segment_sh *segment;
    unsigned first, homes; /* buckets */
    unsigned n;
    struct {
        struct shm_entry_sh *entry;
        unsigned home;
    } found[WINDOW_ENTRIES];
    size_t cost[WINDOW_HOMES];
};

/* How many buckets from the first home on may hold entries of the window's homes. */
static unsigned
window_reach(const struct window *w)
{
    unsigned most = w->homes;
    for (unsigned h = 0; h < w->homes; h++) {
        unsigned end = h + w->segment->bucket[w->first + h].reach + 1u;
        most = end > most ? end : most;
    }
    return most < w->segment->buckets ? most : w->segment->buckets;
}

/* Two lines of each entry: the second one of small keys with values of some 64 bytes was a sixth of a snapshot's time. */
static void
window_prefetch(const struct step *s, const struct window *w, unsigned buckets)
{
    for (unsigned d = 0; d < buckets; d++)
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            uint64_t slot = w->segment->bucket[shm_table_behind_home(w->first, d, w->segment->buckets)].slot[i];
            if (!slot)
                continue;
            for (unsigned line = 0; line < LINES_AT_ONCE; line++)
                __builtin_prefetch(s->region->base + (slot << 16 >> 16) + line * CACHE_LINE);
        }
}

/* The lines of an entry behind those two, as many as are worth it; it is given out a little later. A third one, which such keys and
 * values reach into half the time, was a sixth as well. Inline: to the compiler a call that only fetches ahead has no effect. */
static inline __attribute__((always_inline)) void
entry_prefetch_rest(const struct shm_entry_sh *e)
{
    const char *end = (const char *)e + shm_entry_bytes(e), *line = (const char *)e + LINES_AT_ONCE * CACHE_LINE;
    for (unsigned i = 0; i < LINES_LATER && line < end + CACHE_LINE; i++, line += CACHE_LINE)
        __builtin_prefetch(line);
}

/* Finds what the snapshot needs of the window's homes, and what each home costs. */
static void
window_look(const struct step *s, const struct shm_tree *t, uint64_t from, struct window *w)
{
    unsigned buckets = window_reach(w);
    window_prefetch(s, w, buckets);
    for (unsigned d = 0; d < buckets; d++) {
        const struct shm_bucket_sh *b = &w->segment->bucket[shm_table_behind_home(w->first, d, w->segment->buckets)];
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            struct shm_entry_sh *e = b->slot[i] ? shm_at(s->region, b->slot[i] << 16 >> 16) : NULL;
            if (!e || shm_entry_age(e, s->work.keep->epoch) <= 0)
                continue;
            uint64_t position = t->position_of(s->region, e);
            unsigned home = shm_table_home(position, w->segment->depth, w->segment->buckets) - w->first;
            if (position < from || home >= w->homes)
                continue;
            w->found[w->n].entry = e;
            w->found[w->n++].home = home;
            w->cost[home] += cost_of(e);
            entry_prefetch_rest(e);
        }
    }
}

/* Leaves out the homes that the budget does not reach to; the first one stays. */
static void
window_cut(const struct step *s, struct window *w)
{
    size_t cost = w->cost[0];
    unsigned homes = 1;
    while (homes < w->homes && cost + w->cost[homes] <= s->left)
        cost += w->cost[homes++];
    w->homes = homes;
}

/* An entry so old that its birth would be taken for a later one some day is made one of this snapshot's, which has it now. */
static bool
renew(struct step *s, struct shm_entry_sh *e)
{
    uint32_t epoch = s->work.keep->epoch;
    return __builtin_expect(shm_entry_age(e, epoch) < RENEW_AGE, 1) || type_entry_set_birth(s->tx, e, epoch);
}

static bool
window_give(struct step *s, const struct shm_tree *t, const struct window *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct shm_entry_sh *e = w->found[i].entry;
        if (w->found[i].home >= w->homes)
            continue;
        if (type_keep_is_large(e)) {
            spend(s, cost_of(e));
            if (!type_keep_copy(s->tx, t, e))
                return false;
        } else if (!give_entry(s, e) || !renew(s, e)) {
            return false;
        }
    }
    return true;
}

static struct shm_tree
tree_of(const struct step *s)
{
    struct shm_keep_sh *k = s->work.keep;
    struct shm_tree t = {.region = s->region, .sh = shm_at(s->region, k->home), .shard = s->shard};
    t.position_of = k->kind == SHM_KEEP_DB ? shm_table_key_position : shm_table_entry_field_position;
    t.skip_bits = k->kind == SHM_KEEP_DB ? s->region->shard_bits : 0;
    return t;
}

static bool
step_window(struct step *s)
{
    struct shm_keep_sh *k = s->work.keep;
    struct shm_tree t = tree_of(s);
    struct window w;
    uint64_t next = k->saved_to;
    w.segment = shm_table_segment(&t, k->saved_to);
    if (!w.segment)
        return set_bytes(s, &k->walked, 1);
    w.first = shm_table_home(k->saved_to, w.segment->depth, w.segment->buckets);
    w.homes = w.segment->buckets - w.first < WINDOW_HOMES ? w.segment->buckets - w.first : WINDOW_HOMES;
    w.n = 0;
    memset(w.cost, 0, sizeof w.cost);
    spend(s, ENTRY_COST);
    window_look(s, &t, k->saved_to, &w);
    window_cut(s, &w);
    if (!window_give(s, &t, &w))
        return false;
    if (!shm_table_behind(&t, w.segment, w.first + w.homes - 1, &next))
        return set_bytes(s, &k->walked, 1);
    return shm_tx_set64(s->tx, &k->saved_to, next);
}

/* ---- blobs ------------------------------------------------------------------------------------------------------------ */

/* The next bytes of a large string: out of the overlay if they were overwritten since the cut. The last ones end the step, so that
 * what is done with the whole string is done without the lock. */
static bool
step_blob(struct step *s)
{
    static const char zeros[SHM_BLOB_LEAF];
    struct shm_keep_sh *k = s->work.keep;
    size_t at = k->saved_to, n, left = k->count - at;
    const char *p = k->overlay.root ? shm_blob_at(s->region, &k->overlay, at, &n) : NULL;
    if (!p)
        p = shm_blob_at(s->region, &k->blob, at, &n);
    n = n < left ? n : left;
    spend(s, n < left ? ENTRY_COST + n : s->left);
    return told(s, s->sink->piece(s->sink->arg, p ? p : zeros, n)) && shm_tx_set64(s->tx, &k->saved_to, at + n);
}

/* ---- a step ----------------------------------------------------------------------------------------------------------- */

/* One bounded piece of the keep that is the deepest head. */
static bool
step_piece(struct step *s)
{
    struct shm_keep_sh *k = s->work.keep;
    if (!give_head(s))
        return false;
    if (k->kind == SHM_KEEP_BLOB) {
        if (k->saved_to < k->count)
            return step_blob(s);
    } else if (k->limbo) {
        return step_old(s);
    } else if (!k->walked) {
        return step_window(s);
    }
    return give_end(s) && shm_keep_end(s->tx, s->shard, &s->work);
}

static bool
step_shard(struct step *s)
{
    while (s->left > 0) {
        s->work = shm_keep_work(s->region, s->shard);
        if (!s->work.keep || s->work.keep->db != s->w->db) {
            s->done = true;
            return true;
        }
        if (!step_piece(s))
            return false;
    }
    return true;
}

/* Goes to the next shard that keeps anything, of the next database after the last. False: all is done. New heads come with a
 * cut only, so what is 0 stays 0. */
static bool
find_work(struct type_walk *w)
{
    const struct shm_region *r = w->tx->region;
    for (; w->db < r->databases; w->db++, w->shard = 0)
        for (; w->shard < r->nshards; w->shard++)
            if (*(volatile uint64_t *)&r->shards[w->shard].keeps)
                return true;
    return false;
}

static enum type_walk_result
give_way(struct type_walk *w, bool refused)
{
    enum shm_want want = w->tx->want;
    if (w->tx->active)
        shm_tx_abort(w->tx);
    w->fresh = 0;
    w->busy++;
    if (shm_cut_is_broken(w->tx->region, w->epoch))
        return TYPE_WALK_BROKEN;
    if (refused || want == SHM_WANT_SHARD || want == SHM_WANT_HEAP || want == SHM_WANT_LIMIT)
        return TYPE_WALK_FAILED;
    return TYPE_WALK_BUSY;
}

void
type_walk_begin(struct type_walk *w, struct shm_tx *tx, const struct shm_cut *cut)
{
    *w = (struct type_walk){.tx = tx, .epoch = cut->epoch};
}

enum type_walk_result
type_walk_step(struct type_walk *w, const struct type_walk_sink *sink, size_t budget)
{
    struct step s = {.w = w, .sink = sink, .tx = w->tx, .region = w->tx->region, .left = budget};
    w->fresh = 0;
    if (shm_cut_is_broken(s.region, w->epoch))
        return TYPE_WALK_BROKEN;
    if (!find_work(w))
        return shm_cut_is_broken(s.region, w->epoch) ? TYPE_WALK_BROKEN : TYPE_WALK_DONE;
    s.shard = w->shard;
    if (!shm_tx_begin(s.tx))
        return give_way(w, false);
    if (!shm_cut_enter(s.tx, s.shard) || shm_cut_is_broken(s.region, w->epoch) || !step_shard(&s) || !shm_tx_commit(s.tx))
        return give_way(w, s.refused);
    w->keys += w->fresh;
    w->shard += s.done;
    w->steps++;
    return TYPE_WALK_MORE;
}
