/* rig.c - see rig.h. */
#include "tests/crash/rig.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crc.h"
#include "command/config.h"
#include "command/control.h"
#include "command/expire.h"
#include "shm/shm_check.h"
#include "shm/shm_crash.h"
#include "shm/shm_epoch.h"
#include "shm/shm_recover.h"
#include "shm/shm_ring.h"
#include "shm/shm_span.h"
#include "types/type_value.h"

#define REGION_BYTES (256u << 20)
#define CLOCK_START_MS 1700000000000LL
#define BUSY_TRIES 5000
#define BYSTANDER_KEYS "other:" /* a prefix */
#define APPENDFSYNC_NO 2 /* as the words stand in its row of tbl_params.h */

static struct rig_page *page; /* the wrapped clock has no other way to it */

/* ---- the clock ---------------------------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_REALTIME || !page)
        return __real_clock_gettime(id, t);
    int64_t ms = atomic_load(&page->clock_ms);
    *t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------- */

void
rig_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fflush(stdout);
    fprintf(stderr, "FAIL: ");
    vfprintf(stderr, format, ap);
    fprintf(stderr, "\n");
    if (page)
        atomic_store(&page->stop, 1);
    exit(1);
}

static void
session_begin(struct rig *k)
{
    k->session = (struct session){.resp = 2, .flags = SESSION_AUTHENTICATED | SESSION_LOCAL, .fd = -1};
}

void
rig_open(struct rig *k, unsigned extents)
{
    char path[64];
    struct shm_error e;
    memset(k, 0, sizeof *k);
    snprintf(path, sizeof path, "/dev/shm/kvstash-test-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = REGION_BYTES, .shards = 4, .databases = 3, .slots = RIG_SLOTS,
        .shared_bytes = control_bytes(RIG_SLOTS), .hugepages = SHM_HUGEPAGES_NEVER};
    k->page = mmap(NULL, sizeof *k->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (k->page == MAP_FAILED)
        rig_fail("no memory for the page");
    page = k->page;
    atomic_store(&k->page->clock_ms, CLOCK_START_MS);
    if (!shm_region_create(&k->region, &o, &e))
        rig_fail("%s", e.text);
    unlink(path);
    if (shm_region_commit(&k->region, extents) != extents)
        rig_fail("no memory for %u extents", extents);
    atomic_store(&k->region.header->committed_limit, extents);
    type_value_init();
    if (!engine_open(&k->engine, &k->region, RIG_OWN))
        rig_fail("no memory for the engine");
    config_defaults(&k->engine.control->config.live);
    config_put(&k->engine.control->config.live, PARAM_SAVE, &(struct param_value){0}); /* no persister is there to save */
    session_begin(k);
}

void
rig_close(struct rig *k)
{
    engine_close(&k->engine);
    shm_region_close(&k->region, false);
    munmap(k->page, sizeof *k->page);
    page = NULL;
}

void
rig_log_on(struct rig *k)
{
    struct shm_error e;
    /* nobody syncs here, and writers do not wait for it */
    config_put(&k->engine.control->config.live, PARAM_APPENDFSYNC, &(struct param_value){.number = APPENDFSYNC_NO});
    if (!shm_ring_switch(&k->region, RIG_OWN, true, &e))
        rig_fail("%s", e.text);
    shm_ring_open(&k->log, &k->region, atomic_load(&k->region.header->ticket));
}

/* ---- lines -------------------------------------------------------------------------------------------------- */

static void
add_word(struct rig_line *l, const char *bytes, size_t n)
{
    if (l->argc == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->argv = realloc(l->argv, (size_t)l->cap * sizeof *l->argv);
        if (!l->argv)
            rig_fail("no memory for a line");
    }
    /* the bytes may still move: offsets become pointers at the end */
    l->argv[l->argc++] = (struct resp_arg){.offset = l->bytes.len, .len = n};
    buf_append(&l->bytes, bytes, n);
}

static void
add_range(struct rig_line *l, const char *spec, bool values)
{
    char name[32], word[64];
    int from, to;
    if (sscanf(spec, "%31[^:]:%d:%d", name, &from, &to) != 3)
        rig_fail("bad range %s", spec);
    for (int i = from; i < to; i++) {
        add_word(l, word, (size_t)snprintf(word, sizeof word, "%s%d", name, i));
        if (values)
            add_word(l, word, (size_t)snprintf(word, sizeof word, "v%d", i));
    }
}

/* The payload of a bulk reply. */
static void
add_dump(struct rig *k, struct rig_line *l, const char *key)
{
    struct rig_line dump;
    struct buf reply;
    char text[64];
    snprintf(text, sizeof text, "DUMP %s", key);
    buf_init(&reply);
    rig_line_parse(k, &dump, text);
    if (!rig_line_run(k, &dump, &reply) || reply.data[0] != '$' || reply.data[1] == '-')
        rig_fail("no dump of %s", key);
    char *payload = memchr(reply.data, '\n', reply.len);
    add_word(l, payload + 1, strtoul(reply.data + 1, NULL, 10));
    rig_line_free(&dump);
    buf_destroy(&reply);
}

static void
add_special(struct rig *k, struct rig_line *l, const char *word)
{
    char c;
    unsigned n;
    if (strcmp(word, "@empty") == 0) {
        add_word(l, "", 0);
    } else if (sscanf(word, "@bytes:%c:%u", &c, &n) == 2) {
        char *bytes = malloc(n + 1);
        if (!bytes)
            rig_fail("no memory for a word");
        memset(bytes, c, n);
        add_word(l, bytes, n);
        free(bytes);
    } else if (strncmp(word, "@pairs:", 7) == 0) {
        add_range(l, word + 7, true);
    } else if (strncmp(word, "@names:", 7) == 0) {
        add_range(l, word + 7, false);
    } else if (strncmp(word, "@dump:", 6) == 0) {
        add_dump(k, l, word + 6);
    } else {
        rig_fail("unknown word %s", word);
    }
}

void
rig_line_parse(struct rig *k, struct rig_line *l, const char *text)
{
    char copy[512], *at = copy, *word;
    memset(l, 0, sizeof *l);
    l->text = text;
    buf_init(&l->bytes);
    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        rig_fail("line too long: %s", text);
    while ((word = strsep(&at, " "))) {
        if (!*word)
            continue;
        if (*word == '@')
            add_special(k, l, word);
        else
            add_word(l, word, strlen(word));
    }
    buf_append(&l->bytes, "", 1);
    if (buf_failed(&l->bytes))
        rig_fail("no memory for a line");
    for (int i = 0; i < l->argc; i++)
        l->argv[i].data = l->bytes.data + l->argv[i].offset;
}

void
rig_line_free(struct rig_line *l)
{
    free(l->argv);
    buf_destroy(&l->bytes);
}

/* ---- steps -------------------------------------------------------------------------------------------------- */

static bool
reclaim_once(struct rig *k)
{
    struct shm_tx *tx = &k->engine.tx;
    bool more = false;
    for (uint16_t shard = 0; shard < k->region.nshards; shard++) {
        if (!shm_tx_begin(tx))
            rig_fail("the log's ring is full");
        shm_tx_enter(tx, &shard, 1);
        more |= shm_reclaim_step(tx, shard, 100);
        if (tx->want != SHM_WANT_NOTHING)
            shm_tx_abort(tx);
        else
            shm_tx_commit(tx);
    }
    return more;
}

/* All that is to be freed, and the index's spans that wait till no reader can be in them: as the housekeeper does. */
static void
reclaim_all(struct rig *k)
{
    uint64_t cursor = 0;
    while (reclaim_once(k))
        ;
    shm_span_audit(&k->region, &cursor, k->region.header->spans, shm_epoch_advance(&k->region));
}

static void
enter_and_leave(struct rig *k)
{
    if (!shm_tx_begin(&k->engine.tx))
        rig_fail("the log's ring is full");
    shm_tx_enter_all(&k->engine.tx);
    shm_tx_commit(&k->engine.tx);
}

static void
sweep_once(struct rig *k)
{
    struct expire_sweep sweep = {0};
    while (sweep.passes == 0)
        keyspace_expire_step(&k->engine, &sweep);
}

/* The limit is what is committed, and goes with it. */
static void
commit_more(struct rig *k, unsigned extents)
{
    struct shm_header_sh *h = k->region.header;
    atomic_store(&h->committed_limit, atomic_load(&h->committed_extents) + extents);
    if (shm_region_commit(&k->region, extents) != extents)
        rig_fail("no memory for %u extents more", extents);
}

static void
run_step(struct rig *k, const struct rig_line *l)
{
    const char *text = l->text;
    if (strncmp(text, "!clock ", 7) == 0)
        atomic_fetch_add(&page->clock_ms, atol(text + 7));
    else if (strncmp(text, "!db ", 4) == 0)
        k->session.db = (unsigned)atoi(text + 4);
    else if (strcmp(text, "!expire") == 0)
        sweep_once(k);
    else if (strcmp(text, "!reclaim") == 0)
        reclaim_once(k);
    else if (strcmp(text, "!reclaim-all") == 0)
        reclaim_all(k);
    else if (strcmp(text, "!enter-all") == 0)
        enter_and_leave(k);
    else if (strncmp(text, "!commit ", 8) == 0)
        commit_more(k, (unsigned)atoi(text + 8));
    else
        rig_fail("unknown step %s", text);
}

/* One command. Met locks are waited for as a worker does: it is run again a little later. */
static enum exec_result
run_command(struct rig *k, const struct rig_line *l, struct buf *reply)
{
    struct resp_out out = {.buf = reply, .version = k->session.resp};
    enum exec_result r = EXEC_AGAIN;
    for (unsigned tries = 0; tries < BUSY_TRIES; tries++) {
        exec_ahead_begin(&k->engine);
        shm_epoch_enter(&k->region, k->engine.slot);
        r = exec_run(&k->engine, &k->session, l->argc, l->argv, &out);
        shm_epoch_leave(&k->region, k->engine.slot);
        if (r != EXEC_AGAIN || k->engine.tx.want != SHM_WANT_LOCK)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return r;
}

bool
rig_line_run(struct rig *k, const struct rig_line *l, struct buf *reply)
{
    if (l->text[0] != '!')
        return run_command(k, l, reply) == EXEC_DONE;
    run_step(k, l);
    return true;
}

void
rig_do(struct rig *k, const char *lines, struct buf *reply)
{
    char copy[2048], *at = copy, *one;
    if (snprintf(copy, sizeof copy, "%s", lines) >= (int)sizeof copy)
        rig_fail("lines too long: %s", lines);
    while ((one = strsep(&at, ";"))) {
        struct rig_line l;
        struct buf own;
        one += strspn(one, " ");
        if (!*one)
            continue;
        buf_init(&own);
        rig_line_parse(k, &l, one);
        if (!rig_line_run(k, &l, reply ? reply : &own))
            rig_fail("\"%s\" cannot run now (%d)", one, (int)k->engine.tx.want);
        if (own.len && own.data[0] == '-')
            rig_fail("\"%s\" answers %.*s", one, (int)own.len, own.data);
        rig_line_free(&l);
        buf_destroy(&own);
    }
}

/* ---- deaths ------------------------------------------------------------------------------------------------- */

/* Has the first redo item been applied (and not the last)? */
static bool
in_redo(const struct shm_region *r, const struct shm_journal_sh *j)
{
    if (atomic_load(&j->redo_count) == 0)
        return false;
    const struct shm_redo_sh *first = shm_recover_redo_at(r, j, 0);
    return atomic_load(&r->span_words[first->span]) != first->from;
}

static enum rig_moment
moment_of(const struct shm_region *r, enum rig_slot slot)
{
    const struct shm_journal_sh *j = shm_region_journal(r, slot);
    switch (atomic_load(&j->state)) {
    case SHM_JOURNAL_IDLE:
        return RIG_IDLE;
    case SHM_JOURNAL_COMMITTED:
        return in_redo(r, j) ? RIG_REDO : RIG_COMMITTED;
    default:
        if (atomic_load(&j->logged) && atomic_load(&r->rings[slot].head) == atomic_load(&j->commit_pos))
            return RIG_PUBLISHED;
        return atomic_load(&j->ticket) ? RIG_TICKET : RIG_ACTIVE;
    }
}

/* The process's own rig: the hook gets no argument. */
static const struct rig *dying;

/* Does this process hold the recover lock of another's journal? */
static bool
recovers(const struct rig *k)
{
    for (unsigned slot = 0; slot < RIG_SLOTS; slot++)
        if (((uint32_t)shm_region_journal(&k->region, slot)->recover.__data.__lock & FUTEX_TID_MASK) == (uint32_t)getpid())
            return true;
    return false;
}

static void
note_moment(void)
{
    enum rig_moment m = recovers(dying) ? RIG_RECOVERY : moment_of(&dying->region, dying->engine.slot);
    atomic_store(&page->moment, m);
}

void
rig_child(struct rig *k, enum rig_slot slot)
{
    dying = k;
    shm_crash_set_hook(note_moment);
    shm_crash_races_asked();
    if (!engine_open(&k->engine, &k->region, slot))
        _exit(3);
}

pid_t
rig_start(struct rig *k, enum rig_slot slot, bool stops, uint64_t n, const struct rig_line *l)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        rig_fail("cannot fork");
    if (pid > 0)
        return pid;
    struct buf reply;
    buf_init(&reply);
    rig_child(k, slot);
    if (stops)
        shm_crash_arm_stop(n);
    else
        shm_crash_arm(n);
    bool done = rig_line_run(k, l, &reply);
    uint64_t passed = shm_crash_passed();
    shm_crash_arm(0);
    atomic_store(&k->page->passed, passed);
    engine_close(&k->engine);
    _exit(done ? 0 : 2);
}

bool
rig_end(struct rig *k, pid_t pid, uint64_t n, const struct rig_line *l)
{
    int status;
    (void)k;
    if (waitpid(pid, &status, 0) != pid)
        rig_fail("the child is lost");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        rig_fail("\"%s\" at point %lu: the child ended with status %x", l->text, (unsigned long)n, status);
    return false;
}

bool
rig_die_at(struct rig *k, enum rig_slot slot, uint64_t n, const struct rig_line *l)
{
    return rig_end(k, rig_start(k, slot, false, n, l), n, l);
}

const char *
rig_moment_name(enum rig_moment m)
{
    static const char *const names[RIG_MOMENTS] = {"idle", "active", "ticket drawn", "record published", "committed", "redo", "recovery"};
    return names[m];
}

void
rig_note_death(struct rig *k)
{
    k->deaths[atomic_load(&k->page->moment)]++;
}

static void
enter_all(struct rig *k)
{
    uint16_t ids[SHM_SHARDS_MAX];
    for (unsigned i = 0; i < k->region.nshards; i++)
        ids[i] = (uint16_t)i;
    shm_tx_enter_read(&k->engine.tx, ids, k->region.nshards);
}

void
rig_recover(struct rig *k)
{
    enter_all(k);
    shm_tx_leave_read(&k->engine.tx);
    for (unsigned slot = RIG_VICTIM; slot <= RIG_SECOND; slot++)
        if (!shm_recover_slot(&k->region, slot, atomic_load(&k->region.slots[slot].generation)))
            rig_fail("slot %u has another generation", slot);
}

void
rig_clear(struct rig *k)
{
    rig_do(k, "FLUSHALL; !reclaim-all; !db 0", NULL);
    uint64_t cursor = 0; /* what the housekeeper does: the index's spans leave quarantine */
    shm_span_audit(&k->region, &cursor, k->region.header->spans, shm_epoch_advance(&k->region));
    atomic_store(&page->clock_ms, CLOCK_START_MS);
    if (k->log.expected)
        rig_drain_log(k);
}

/* ---- digest and check --------------------------------------------------------------------------------------- */

struct digest {
    struct shm_region *r;
    uint64_t sum, key;
    unsigned shard, db;
};

static uint64_t
view_crc(uint64_t crc, const struct string_view *v)
{
    for (size_t at = 0, n; at < v->len; at += n) {
        const char *piece = type_string_piece(v, at, &n);
        crc = crc64(crc, piece, n);
    }
    return crc64(crc, &v->len, sizeof v->len);
}

static bool
digest_pair(void *arg, const struct string_view *field, const struct string_view *value)
{
    struct digest *d = arg;
    d->sum += view_crc(view_crc(d->key + 1, field), value);
    return true;
}

static void
digest_entry(struct digest *d, struct shm_entry_sh *e)
{
    struct string_view key, value;
    struct type_hash h;
    int64_t facts[3] = {shm_entry_expiry(e), d->db, shm_entry_type(e)};
    type_string_view_key(&key, d->r, e);
    if (shm_entry_klen(e) > sizeof BYSTANDER_KEYS - 1 && !memcmp(shm_entry_key(e), BYSTANDER_KEYS, sizeof BYSTANDER_KEYS - 1))
        return;
    d->key = crc64(view_crc(7, &key), facts, sizeof facts);
    d->sum += d->key;
    if (shm_entry_type(e) == SHM_TYPE_STRING) {
        type_string_view(&value, d->r, e);
        d->sum += view_crc(d->key, &value);
    } else {
        type_hash_open(&h, d->r, d->shard, e);
        type_hash_each(&h, digest_pair, d);
    }
}

static void
digest_segment(void *arg, struct shm_segment_sh *s)
{
    struct digest *d = arg;
    for (unsigned b = 0; b < s->buckets; b++)
        for (unsigned i = 0; i < SHM_BUCKET_SLOTS; i++)
            if (s->bucket[b].slot[i])
                digest_entry(d, shm_at(d->r, s->bucket[b].slot[i] << 16 >> 16));
}

static uint64_t
digest_locked(struct rig *k)
{
    struct digest d = {.r = &k->region};
    for (d.shard = 0; d.shard < k->region.nshards; d.shard++) {
        for (d.db = 0; d.db < k->region.databases; d.db++) {
            struct shm_tree t = shm_tree_of_db(&k->region, d.shard, d.db);
            uint64_t cursor = (uint64_t)d.shard << (64 - k->region.shard_bits);
            while (shm_table_walk(&t, &cursor, digest_segment, &d))
                ;
        }
    }
    return d.sum;
}

uint64_t
rig_digest(struct rig *k)
{
    enter_all(k);
    uint64_t sum = digest_locked(k);
    shm_tx_leave_read(&k->engine.tx);
    return sum;
}

uint64_t
rig_check(struct rig *k, const char *what)
{
    struct shm_check_result result;
    enter_all(k);
    bool ok = shm_check_region(&k->region, type_value_check, &result);
    uint64_t sum = digest_locked(k);
    shm_tx_leave_read(&k->engine.tx);
    if (!ok)
        rig_fail("%s: %lu faults in the region: %s", what, (unsigned long)result.faults, result.first);
    if (page->fault[0])
        rig_fail("%s: bystander: %s", what, page->fault);
    return sum;
}

/* ---- the log ------------------------------------------------------------------------------------------------ */

void
rig_drain_log(struct rig *k)
{
    const struct shm_record_sh *rec;
    for (unsigned spins = 0;;) {
        enum shm_ring_result got = shm_ring_next(&k->log, &rec);
        if (got == SHM_RING_EMPTY && shm_ring_release(&k->log, k->log.cursor, k->log.spilled))
            return;
        if (got == SHM_RING_HOLE)
            k->holes++;
        if ((got == SHM_RING_WAIT || got == SHM_RING_EMPTY) && ++spins > 10000000)
            rig_fail("the log stands still at ticket %lu", (unsigned long)k->log.expected);
        if (got == SHM_RING_RECORD) {
            k->records[k->log.at]++;
            shm_ring_pass(&k->log);
            spins = 0;
        }
    }
}
