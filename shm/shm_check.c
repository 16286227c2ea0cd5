/* shm_check.c - the walk over the whole region (see shm_check.h).
 *
 * Process: any, with all shard locks held. Locks: none taken. Crash: reads only.
 */
#include "shm/shm_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/shm_blob.h"
#include "shm/shm_class.h"
#include "shm/shm_keep.h"
#include "shm/shm_mail.h"
#include "shm/shm_spill.h"
#include "shm/shm_table.h"

#define DEPTH_MAX 12 /* nodes above one another: 64 position bits, 6 a level */

struct walk {
    struct shm_region *r;
    shm_check_entry_fn *entry;
    struct shm_check_result *result;
    uint64_t (*seen)[16]; /* by span: blocks reached */
    uint64_t spans;       /* committed */
    unsigned shard;
    uint64_t bytes;       /* of the shard's blocks reached */
    uint64_t counted, expiring;
    uint64_t kept, keeps; /* the shard's roots that say they have a keep, and keeps that say they have a root */
};

__attribute__((format(printf, 2, 3))) static void
fault(struct walk *w, const char *format, ...)
{
    va_list ap;
    if (w->result->faults++)
        return;
    va_start(ap, format);
    vsnprintf(w->result->first, sizeof w->result->first, format, ap);
    va_end(ap);
}

/* Marks a block as reached; NULL if the reference is not one to a block in use of this shard, or reached before. */
static void *
reach(struct walk *w, shm_off off, const char *what)
{
    struct shm_region *r = w->r;
    if (off < r->header->off_extents || off % 8 || shm_span_of(r, off) >= w->spans) {
        fault(w, "shard %u: %s at %lx lies outside", w->shard, what, (unsigned long)off);
        return NULL;
    }
    uint64_t span = shm_span_of(r, off), word = atomic_load(&r->span_words[span]);
    const struct shm_span_meta_sh *m = &r->span_metas[span];
    if (shm_span_word_state(word) != SHM_SPAN_USED || shm_span_word_owner(word) != w->shard || m->class >= SHM_CLASSES ||
        shm_span_word_class(word) != m->class) {
        fault(w, "shard %u: %s at %lx is in a span that is not its own (%lx)", w->shard, what, (unsigned long)off,
            (unsigned long)word);
        return NULL;
    }
    uint32_t size = shm_class_size(m->class), at = (uint32_t)((off - shm_span_off(r, span)) / size);
    bool used = m->bitmap[at / 64] >> (at % 64) & 1, before = w->seen[span][at / 64] >> (at % 64) & 1;
    if (shm_span_off(r, span) + (shm_off)at * size != off || !used || before) {
        fault(w, "shard %u: %s at %lx: %s", w->shard, what, (unsigned long)off, before ? "reached twice" : "not a block in use");
        return NULL;
    }
    w->seen[span][at / 64] |= 1ull << (at % 64);
    w->bytes += size;
    w->result->blocks++;
    return shm_at(r, off);
}

static size_t
room_of(const struct walk *w, shm_off off)
{
    return shm_class_size(w->r->span_metas[shm_span_of(w->r, off)].class);
}

/* The blocks behind the first of what may be a run of them. */
static bool
reach_rest(struct walk *w, shm_off off, size_t n, const char *what)
{
    if (shm_span_of(w->r, off) != shm_span_of(w->r, off + n - 1)) {
        fault(w, "shard %u: %s at %lx goes on behind its span", w->shard, what, (unsigned long)off);
        return false;
    }
    for (size_t at = room_of(w, off); at < n; at += room_of(w, off))
        if (!reach(w, off + at, what))
            return false;
    return true;
}

/* ---- what entries refer to ------------------------------------------------------------------------------- */

static void check_tree(struct walk *w, uint64_t root, uint64_t expected, bool reclaiming);

static void
check_index(struct walk *w, shm_off off, unsigned levels)
{
    const struct shm_index_sh *x = reach(w, off, "blob index");
    if (!x)
        return;
    if (x->magic != SHM_INDEX_MAGIC || x->level < 1 || x->level > levels) {
        fault(w, "shard %u: blob index at %lx is damaged", w->shard, (unsigned long)off);
        return;
    }
    for (unsigned i = 0; i < SHM_BLOB_FANOUT; i++) {
        if (!x->child[i])
            continue;
        if (x->level > 1)
            check_index(w, x->child[i], x->level - 1);
        else
            reach(w, x->child[i], "blob leaf");
    }
}

/* The keep that a root names must name the root. */
static void
check_keep_word(struct walk *w, uint64_t keep, const void *root)
{
    if (!keep)
        return;
    w->kept++;
    if (keep % 8 || keep < w->r->header->off_extents || shm_span_of(w->r, keep + sizeof(struct shm_keep_sh)) >= w->spans ||
        ((const struct shm_keep_sh *)shm_at(w->r, keep))->home != shm_off_of(w->r, root))
        fault(w, "shard %u: the root at %lx has a keep that is another's", w->shard, (unsigned long)shm_off_of(w->r, root));
}

static void
check_root_index(struct walk *w, const struct shm_blob_sh *b)
{
    uint64_t faults = w->result->faults;
    check_index(w, b->root, 3);
    if (w->result->faults == faults)
        check_keep_word(w, ((const struct shm_index_sh *)shm_at(w->r, b->root))->keep, shm_at(w->r, b->root));
}

static void
check_ref(void *arg, enum shm_ref kind, shm_off block, const void *what)
{
    struct walk *w = arg;
    const struct shm_blob_sh *b = what;
    const struct shm_tree_sh *t = what;
    if (kind == SHM_REF_BLOCK)
        reach(w, block, "block of a value");
    else if (kind == SHM_REF_BLOB && b->len <= SHM_BLOB_LEAF)
        reach(w, b->root, "blob");
    else if (kind == SHM_REF_BLOB)
        check_root_index(w, b);
    else {
        uint64_t counted = w->counted, expiring = w->expiring;
        check_keep_word(w, t->keep, t);
        check_tree(w, t->root, t->count, false);
        w->counted = counted;
        w->expiring = expiring;
    }
}

/* ---- trees ------------------------------------------------------------------------------------------------- */

static void
check_segment(struct walk *w, struct shm_segment_sh *s, bool reclaiming)
{
    unsigned count = 0;
    shm_region_progress(w->r);
    if (s->buckets < 1 || s->buckets > SHM_SEGMENT_BUCKETS_MAX || s->depth > 64) {
        fault(w, "shard %u: segment with %u buckets", w->shard, s->buckets);
        return;
    }
    for (unsigned b = 0; b < s->buckets; b++) {
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++) {
            shm_off off = s->bucket[b].slot[i] << 16 >> 16;
            if (!off)
                continue;
            count++;
            const struct shm_entry_sh *e = reach(w, off, "entry");
            const char *wrong = e ? w->entry(w->r, e, room_of(w, off), check_ref, w) : NULL;
            if (wrong)
                fault(w, "shard %u: entry at %lx: %s", w->shard, (unsigned long)off, wrong);
            if (e && (e->flags & SHM_ENTRY_EXPIRES)) {
                w->expiring++;
                if (shm_entry_expiry(e) < s->min_expiry)
                    fault(w, "shard %u: entry at %lx expires before its segment's earliest", w->shard, (unsigned long)off);
            }
        }
    }
    w->counted += count;
    if (count != s->count && !reclaiming)
        fault(w, "shard %u: segment counts %u entries, has %u", w->shard, s->count, count);
}

static void
check_child(struct walk *w, uint64_t word, bool reclaiming, unsigned depth)
{
    struct shm_reclaimable_sh *t = depth < DEPTH_MAX ? reach(w, shm_table_off(word), "tree") : NULL;
    if (!t)
        return;
    if (t->magic == SHM_SEGMENT_MAGIC) {
        const struct shm_segment_sh *s = (const struct shm_segment_sh *)(const void *)t;
        if (word != shm_table_segment_word(shm_table_off(word), s->buckets, s->depth) && !reclaiming)
            fault(w, "shard %u: segment at %lx is not what the word %lx says", w->shard, (unsigned long)shm_table_off(word),
                (unsigned long)word);
        check_segment(w, (struct shm_segment_sh *)(void *)t, reclaiming);
        return;
    }
    if (t->magic != SHM_NODE_MAGIC) {
        fault(w, "shard %u: tree block at %lx has magic %x", w->shard, (unsigned long)word, t->magic);
        return;
    }
    const struct shm_node_sh *n = (const struct shm_node_sh *)(const void *)t;
    uint64_t last = 0;
    if (!reach_rest(w, word, sizeof *n, "node"))
        return;
    for (unsigned i = 0; i < SHM_NODE_CHILDREN; i++) {
        uint64_t child = n->child[i];
        if (child != last)
            check_child(w, child, reclaiming, depth + 1);
        last = child;
    }
}

static void
check_tree(struct walk *w, uint64_t root, uint64_t expected, bool reclaiming)
{
    w->counted = w->expiring = 0;
    if (root)
        check_child(w, root, reclaiming, 0);
    if (!reclaiming && w->counted != expected)
        fault(w, "shard %u: a tree counts %lu entries, has %lu", w->shard, (unsigned long)expected, (unsigned long)w->counted);
}

/* ---- what a snapshot needs ---------------------------------------------------------------------------------------- */

static void
check_old(struct walk *w, const struct shm_keep_sh *k)
{
    uint64_t next;
    for (shm_off off = k->limbo; off; off = next) {
        const struct shm_limbo_sh *l = reach(w, off, "list of old versions");
        if (!l)
            return;
        next = l->next;
        if (l->count < 1 || l->count > SHM_LIMBO_ENTRIES) {
            fault(w, "shard %u: list of old versions at %lx has %lu", w->shard, (unsigned long)off, (unsigned long)l->count);
            return;
        }
        for (unsigned i = 0; i < l->count; i++) {
            const struct shm_entry_sh *e = reach(w, l->entry[i], "old version");
            const char *wrong = e ? w->entry(w->r, e, room_of(w, l->entry[i]), check_ref, w) : NULL;
            if (wrong)
                fault(w, "shard %u: old version at %lx: %s", w->shard, (unsigned long)l->entry[i], wrong);
        }
    }
}

/* A shell owns its block and its key's blob. */
static void
check_shell(struct walk *w, shm_off off)
{
    const struct shm_entry_sh *e = reach(w, off, "shell");
    struct shm_blob_sh key;
    if (!e || !(e->flags & SHM_ENTRY_KEYBLOB))
        return;
    if (shm_entry_bytes(e) > room_of(w, off) || shm_entry_klen(e) != sizeof key) {
        fault(w, "shard %u: shell at %lx is damaged", w->shard, (unsigned long)off);
        return;
    }
    memcpy(&key, shm_entry_key(e), sizeof key);
    if (key.root)
        check_ref(w, SHM_REF_BLOB, 0, &key);
}

static bool
is_inside(const struct walk *w, shm_off off, size_t n)
{
    return off % 8 == 0 && off < w->spans * SHM_SPAN_BYTES + w->r->header->off_extents && n <= w->r->bytes - off;
}

/* The tree that a keep belongs to, and the way back. An orphan is the keep's alone. */
static void
check_home(struct walk *w, const struct shm_keep_sh *k, shm_off off)
{
    const struct shm_tree_sh *t = is_inside(w, k->home, sizeof *t) ? shm_at(w->r, k->home) : NULL;
    bool flushed = t == &k->own;
    if (!t || t->keep != off) {
        fault(w, "shard %u: keep at %lx and its tree do not know each other", w->shard, (unsigned long)off);
        return;
    }
    if (k->orphan && !reach(w, k->home, "root of an orphan"))
        return;
    if (k->orphan || flushed)
        check_ref(w, SHM_REF_TREE, 0, t);
}

static void
check_kept_blob(struct walk *w, const struct shm_keep_sh *k, shm_off off)
{
    const struct shm_index_sh *x = is_inside(w, k->home, sizeof *x) ? shm_at(w->r, k->home) : NULL;
    if (k->home != k->blob.root || (k->home && (!x || x->magic != SHM_INDEX_MAGIC || x->keep != off)))
        fault(w, "shard %u: keep at %lx and its blob do not know each other", w->shard, (unsigned long)off);
    else if (k->orphan && k->home)
        check_ref(w, SHM_REF_BLOB, 0, &k->blob);
    if (k->overlay.root)
        check_ref(w, SHM_REF_BLOB, 0, &k->overlay);
}

#define KEEP_LEVELS 3u /* database, hash, field */

static void
check_keeps(struct walk *w, shm_off first, unsigned level)
{
    uint64_t next;
    for (shm_off off = first; off; off = next) {
        const struct shm_keep_sh *k = level < KEEP_LEVELS ? reach(w, off, "keep") : NULL;
        if (!k)
            return;
        next = k->next;
        if (k->magic != SHM_KEEP_MAGIC || k->kind < SHM_KEEP_DB || k->kind > SHM_KEEP_BLOB || (k->kind == SHM_KEEP_DB) != (level == 0)) {
            fault(w, "shard %u: keep at %lx is damaged", w->shard, (unsigned long)off);
            return;
        }
        w->keeps += k->home != 0;
        if (k->shell)
            check_shell(w, k->shell);
        check_old(w, k);
        if (k->kind == SHM_KEEP_BLOB)
            check_kept_blob(w, k, off);
        else
            check_home(w, k, off);
        check_keeps(w, k->large, level + 1);
    }
}

/* ---- a shard --------------------------------------------------------------------------------------------------- */

static void
check_reclaim(struct walk *w)
{
    shm_off off = w->r->shards[w->shard].reclaim_head;
    for (uint64_t n = 0; off && n <= w->spans * 1024; n++) {
        const struct shm_reclaimable_sh *t = off < w->r->bytes ? shm_at(w->r, off) : NULL;
        uint64_t faults = w->result->faults, next = t ? t->next_reclaim : 0;
        if (t && t->magic == SHM_INDEX_MAGIC)
            check_index(w, off, 3);
        else
            check_tree(w, off, 0, true);
        if (w->result->faults > faults)
            return;
        off = next;
    }
}

/* Bits of blocks in use must be the bits reached, by span of the shard. */
static void
compare_bitmaps(struct walk *w)
{
    for (uint64_t s = 0; s < w->spans; s++) {
        uint64_t word = atomic_load(&w->r->span_words[s]);
        const struct shm_span_meta_sh *m = &w->r->span_metas[s];
        unsigned used = 0;
        if (shm_span_word_state(word) != SHM_SPAN_USED || shm_span_word_owner(word) != w->shard)
            continue;
        for (unsigned b = 0; b < m->blocks; b++) {
            bool bit = m->bitmap[b / 64] >> (b % 64) & 1, seen = w->seen[s][b / 64] >> (b % 64) & 1;
            used += bit;
            if (bit && !seen)
                fault(w, "shard %u: span %lu block %u of class %u is in use but nothing refers to it", w->shard,
                    (unsigned long)s, b, m->class);
        }
        if (used != m->used || (used < m->blocks) != (m->listed != 0))
            fault(w, "shard %u: span %lu says %u used, has %u (listed %u)", w->shard, (unsigned long)s, m->used, used, m->listed);
    }
}

static void
check_shard(struct walk *w, unsigned shard)
{
    struct shm_shard_sh *s = &w->r->shards[shard];
    w->shard = shard;
    w->bytes = w->kept = w->keeps = 0;
    if (atomic_load(&s->seq) & 1)
        fault(w, "shard %u: its sequence is odd although nobody changes it", shard);
    for (unsigned db = 0; db < w->r->databases; db++) {
        const struct shm_dbroot_sh *root = shm_region_dbroot(w->r, shard, db);
        check_tree(w, root->tree.root, root->tree.count, false);
        w->result->keys += root->tree.count;
        if (w->expiring != root->expires)
            fault(w, "shard %u database %u: counts %lu keys with expiry, has %lu", shard, db, (unsigned long)root->expires,
                (unsigned long)w->expiring);
        check_keep_word(w, root->tree.keep, &root->tree);
    }
    check_keeps(w, s->keeps, 0);
    check_reclaim(w);
    if (w->kept != w->keeps)
        fault(w, "shard %u: %lu roots have a keep, %lu keeps have a root", shard, (unsigned long)w->kept, (unsigned long)w->keeps);
    compare_bitmaps(w);
    if (w->bytes != s->used_bytes)
        fault(w, "shard %u: used_bytes is %lu, its blocks are %lu", shard, (unsigned long)s->used_bytes, (unsigned long)w->bytes);
    w->result->bytes += w->bytes;
}

/* Is it the offset of something in a span of this shard, and does it begin with one of these? 0 is nothing. */
static bool
is_head(const struct shm_region *r, unsigned shard, shm_off off, uint32_t magic, uint32_t other)
{
    uint64_t end = r->header->off_extents + atomic_load(&r->header->committed_extents) * SHM_EXTENT_BYTES;
    if (off == 0)
        return true;
    if (off < r->header->off_extents || off % 8 || off + sizeof(struct shm_reclaimable_sh) > end)
        return false;
    uint64_t word = atomic_load(&r->span_words[shm_span_of(r, off)]);
    uint32_t has = ((const struct shm_reclaimable_sh *)shm_at(r, off))->magic;
    return shm_span_word_state(word) == SHM_SPAN_USED && shm_span_word_owner(word) == shard && (has == magic || has == other);
}

static bool
is_room_list(const struct shm_region *r, unsigned shard, unsigned class, uint32_t number)
{
    uint64_t spans = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT;
    if (number == 0)
        return true;
    const struct shm_span_meta_sh *m = number <= spans ? &r->span_metas[number - 1] : NULL;
    return m && m->owner == shard && m->class == class && m->listed && m->prev == 0 && m->used < m->blocks;
}

bool
shm_check_heads(const struct shm_region *r, unsigned shard)
{
    const struct shm_shard_sh *s = &r->shards[shard];
    bool ok = s->reclaim_head == 0 || is_head(r, shard, s->reclaim_head, SHM_NODE_MAGIC, SHM_SEGMENT_MAGIC) ||
        is_head(r, shard, s->reclaim_head, SHM_INDEX_MAGIC, SHM_INDEX_MAGIC);
    ok = ok && is_head(r, shard, s->keeps, SHM_KEEP_MAGIC, SHM_KEEP_MAGIC);
    for (unsigned class = 0; class < SHM_CLASSES && ok; class++)
        ok = is_room_list(r, shard, class, s->room[class]);
    for (unsigned db = 0; db < r->databases && ok; db++) {
        uint64_t root = shm_region_dbroot(r, shard, db)->tree.root;
        bool segment = shm_table_is_segment(root);
        ok = root == 0 || is_head(r, shard, segment ? shm_table_off(root) : root, segment ? SHM_SEGMENT_MAGIC : SHM_NODE_MAGIC,
            segment ? SHM_SEGMENT_MAGIC : SHM_NODE_MAGIC);
    }
    return ok;
}

#define OWN_SPANS_MAX 65536
#define SETTLE_STEPS 20 /* of a millisecond: a claim is made before it is linked, and unlinked before it is given back */

/* Is a claimed span on its slot's list of own spans? */
static bool
is_own(const struct shm_region *r, uint64_t span, unsigned slot)
{
    uint64_t off = slot < r->nslots ? atomic_load(&r->slots[slot].own_spans) : 0;
    for (unsigned i = 0; off && i < OWN_SPANS_MAX; i++) {
        if (off < r->header->off_extents || off >= r->bytes || (off - r->header->off_extents) % SHM_SPAN_BYTES)
            return false;
        if (off == shm_span_off(r, span))
            return true;
        off = atomic_load(&((struct shm_own_span_sh *)shm_at(r, off))->next);
    }
    return false;
}

/* Is a claimed span one of its slot's journal chains? */
static bool
is_chained(const struct shm_region *r, uint64_t span, unsigned slot)
{
    const struct shm_journal_sh *j = slot < r->nslots ? shm_region_journal(r, slot) : NULL;
    for (unsigned i = 0; j && i < SHM_UNDO_CHAIN_MAX; i++)
        if (atomic_load(&j->undo_chain[i]) == shm_span_off(r, span))
            return true;
    for (unsigned i = 0; j && i < SHM_REDO_CHAIN_MAX; i++)
        if (atomic_load(&j->redo_chain[i]) == shm_span_off(r, span))
            return true;
    return false;
}

/* Claims come and go beside the locks: a claim nobody uses is a fault only if it stays. */
static bool
is_leaked(const struct shm_region *r, uint64_t span, uint64_t word)
{
    for (int i = 0; i < SETTLE_STEPS; i++) {
        unsigned slot = shm_span_word_owner(word);
        if (is_chained(r, span, slot) || is_own(r, span, slot) || atomic_load(&r->span_words[span]) != word)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

static void
check_claims(struct walk *w)
{
    for (uint64_t s = 0; s < w->spans; s++) {
        uint64_t word = atomic_load(&w->r->span_words[s]);
        unsigned state = shm_span_word_state(word), slot = shm_span_word_owner(word);
        if (s / SHM_SPANS_PER_EXTENT >= atomic_load(&w->r->header->committed_extents))
            return; /* given back meanwhile */
        if (state == SHM_SPAN_CLAIMED && is_leaked(w->r, s, word))
            fault(w, "span %lu is claimed by slot %u, which does not use it", (unsigned long)s, slot);
        if (state == SHM_SPAN_UNCOMMITTED || state > SHM_SPAN_QUARANTINE)
            fault(w, "span %lu has the word %lx", (unsigned long)s, (unsigned long)word);
    }
}

/* ---- mail --------------------------------------------------------------------------------------------------------- */

/* Senders and readers are at the boxes beside the shards' locks: what is wrong is a fault only if it stays. */
static const char *
mail_fault(const struct shm_region *r, unsigned slot)
{
    const char *wrong = shm_mail_check(r, slot);
    for (int i = 0; wrong && i < SETTLE_STEPS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        wrong = shm_mail_check(r, slot);
    }
    return wrong;
}

static bool
is_lost_mail(const struct shm_region *r, uint64_t span, uint64_t word)
{
    unsigned slot = shm_span_word_owner(word) - SHM_MAIL_OWNER;
    for (int i = 0; i < SETTLE_STEPS; i++) {
        if ((slot < r->nslots && shm_mail_holds(r, slot, span)) || atomic_load(&r->span_words[span]) != word)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

static void
check_mail(struct walk *w)
{
    for (unsigned slot = 0; slot < w->r->nslots; slot++) {
        const char *wrong = mail_fault(w->r, slot);
        if (wrong)
            fault(w, "mailbox of slot %u: %s", slot, wrong);
    }
    for (uint64_t s = 0; s < w->spans; s++) {
        uint64_t word = atomic_load(&w->r->span_words[s]);
        if (shm_span_word_state(word) == SHM_SPAN_USED && shm_spill_is_mail(shm_span_word_owner(word)) && is_lost_mail(w->r, s, word))
            fault(w, "span %lu holds mail of slot %u, which has no such message", (unsigned long)s,
                shm_span_word_owner(word) - SHM_MAIL_OWNER);
    }
}

bool
shm_check_region(struct shm_region *r, shm_check_entry_fn *entry, struct shm_check_result *result)
{
    memset(result, 0, sizeof *result);
    struct walk w = {.r = r, .entry = entry, .result = result};
    w.spans = atomic_load(&r->header->committed_extents) * SHM_SPANS_PER_EXTENT;
    w.seen = calloc(w.spans + 1, sizeof *w.seen);
    if (!w.seen) {
        fault(&w, "no private memory for the walk: %lu bytes", (unsigned long)(w.spans * sizeof *w.seen));
        return false;
    }
    for (unsigned shard = 0; shard < r->nshards; shard++) {
        if (atomic_load(&r->shards[shard].state) == SHM_SHARD_OFF)
            fault(&w, "shard %u is switched off", shard); /* and must not be followed */
        else
            check_shard(&w, shard);
    }
    check_claims(&w);
    check_mail(&w);
    free(w.seen);
    return result->faults == 0;
}
