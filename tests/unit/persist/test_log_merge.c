/* test_log_merge.c - groups of the log's records: their bytes, their order, what a reader's death leaves. */
#include "persist/log_merge.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shm/fixture.h"
#include "shm/shm_crash.h"
#include "shm/shm_recover.h"

#define GROUP (1u << 20)

/* A transaction with these effects on one key, each of its own database. */
static void
log_effects(struct shm_tx *tx, unsigned effects, const unsigned *db, const char *key, const char *value, size_t n)
{
    uint16_t shard = fixture_shard(tx->region, key);
    const struct shm_effect_arg effect[] = {{"SET", 3}, {key, strlen(key)}, {value, n}};
    cr_assert(shm_tx_begin(tx));
    shm_tx_enter(tx, &shard, 1);
    cr_assert(fixture_put(tx, key, value, n));
    for (unsigned i = 0; i < effects; i++)
        shm_tx_effect(tx, db[i], 3, effect);
    cr_assert(shm_tx_commit(tx));
}

static void
log_set(struct shm_tx *tx, const char *key, const char *value, size_t n)
{
    log_effects(tx, 1, &(unsigned){0}, key, value, n);
}

static void
start(struct fixture *f, struct log_merge *m)
{
    struct shm_error e;
    fixture_open(f, 24);
    cr_assert(shm_ring_switch(&f->region, 0, true, &e), "%s", e.text);
    memset(m, 0, sizeof *m);
    log_merge_open(m, &f->region, 1);
}

static void
stop(struct fixture *f, struct log_merge *m)
{
    log_merge_close(m);
    fixture_check(f);
    fixture_close(f);
}

/* The next group, of all that is there. */
static struct log_group *
take(struct log_merge *m)
{
    struct log_group *g = log_merge_group(m);
    cr_assert(g);
    cr_assert_eq(log_merge_take(m, g, GROUP), SHM_RING_EMPTY);
    return g;
}

static void
expect_bytes(const struct log_group *g, const char *want)
{
    const char *bytes = buf_head(&g->bytes) + AOF_GROUP_LINE;
    size_t n = buf_pending(&g->bytes) - AOF_GROUP_LINE;
    cr_assert(n == strlen(want) && memcmp(bytes, want, n) == 0, "%.*s", (int)n, bytes);
}

Test(log_merge, commands_transactions_and_databases)
{
    struct fixture f;
    struct log_merge m;
    start(&f, &m);
    log_set(&f.tx, "a", "1", 1);
    log_effects(&f.tx, 2, (unsigned[]){0, 12}, "b", "2", 1);
    log_set(&f.tx, "c", "", 0);
    struct log_group *g = take(&m);
    expect_bytes(g, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
                    "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"
                    "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$4\r\nEXEC\r\n"
                    "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$0\r\n\r\n");
    cr_assert(g->first == 1 && g->last == 3 && g->records == 3 && !g->spilled);
    log_merge_seal(g, &(struct aof_head){.first_ticket = 1}, 0);
    struct aof_line line;
    aof_line_read(&line, buf_head(&g->bytes), buf_pending(&g->bytes), &(struct aof_head){.first_ticket = 1});
    cr_assert(line.kind == AOF_LINE_GROUP && line.group.last == 3 && line.group.bytes == buf_pending(&g->bytes) - AOF_GROUP_LINE);
    cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled));
    log_merge_done(&m, g);
    stop(&f, &m);
}

/* Records of every length, round and round the ring: each byte comes back, the room too. */
Test(log_merge, lengths_and_the_rings_end, .timeout = 60)
{
    static const size_t lengths[] = {0, 1, 40, 41, 200, 1000, 16200, 16300, 16400, 40000, 70000};
    static char value[70000];
    struct fixture f;
    struct log_merge m;
    start(&f, &m);
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = lengths[i % (sizeof lengths / sizeof lengths[0])];
        memset(value, 'a' + (int)(i % 26), n);
        log_set(&f.tx, "key", value, n);
        struct log_group *g = take(&m);
        cr_assert(g->records == 1 && g->last == i + 1);
        const char *bytes = buf_head(&g->bytes) + buf_pending(&g->bytes) - n - 2;
        for (size_t k = 0; k < n; k++)
            cr_assert_eq(bytes[k], value[k]);
        cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled));
        log_merge_done(&m, g);
    }
    cr_assert(atomic_load(&f.region.rings[0].head) > SHM_RING_UNITS);
    stop(&f, &m);
}

/* Nothing of a record is gone while it is not released; a reader begins again, or behind what it knows to be safe. */
Test(log_merge, a_successor_begins_at_the_tails)
{
    struct fixture f;
    struct log_merge m;
    static char big[100000];
    start(&f, &m);
    for (unsigned i = 0; i < 10; i++)
        log_set(&f.tx, "k", i % 3 ? "small" : big, i % 3 ? 5 : sizeof big);
    log_merge_done(&m, take(&m)); /* read, and the reader dies */
    log_merge_open(&m, &f.region, 1);
    struct log_group *g = take(&m);
    cr_assert(g->records == 10 && g->spilled);
    log_merge_done(&m, g);
    log_merge_open(&m, &f.region, 8); /* seven were in the file */
    g = take(&m);
    cr_assert(g->records == 3 && g->first == 8);
    cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled));
    cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled)); /* again does nothing */
    log_merge_done(&m, g);
    stop(&f, &m);
}

Test(log_merge, stops_at_a_cut)
{
    struct fixture f;
    struct log_merge m;
    start(&f, &m);
    for (unsigned i = 0; i < 5; i++)
        log_set(&f.tx, "k", "v", 1);
    m.until = 3;
    struct log_group *g = take(&m);
    cr_assert(g->records == 2 && g->last == 2);
    log_merge_done(&m, g);
    m.until = UINT64_MAX;
    g = take(&m);
    cr_assert(g->records == 3 && g->first == 3);
    cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled));
    log_merge_done(&m, g);
    stop(&f, &m);
}

#ifdef KVSTASH_CRASH_POINTS
/* The reader dies at every store of giving the room back: its successor frees the rest, nothing twice and nothing never. */
Test(log_merge, death_at_every_store_of_a_release, .timeout = 120)
{
    static char big[100000];
    struct fixture f;
    struct log_merge m;
    unsigned deaths = 0;
    start(&f, &m);
    for (uint64_t n = 1;; n++) {
        int status;
        for (unsigned i = 0; i < 4; i++)
            log_set(&f.tx, "k", i % 2 ? "small" : big, i % 2 ? 5 : sizeof big);
        pid_t pid = fork();
        if (pid == 0) {
            struct log_group *g = take(&m);
            shm_crash_arm(n);
            _exit(g->records == 4 && shm_ring_release(&m.reader, g->cursor, g->spilled) ? 0 : 2);
        }
        waitpid(pid, &status, 0);
        cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        deaths += WIFSIGNALED(status);
        log_set(&f.tx, "other", big, sizeof big); /* spans that were freed are somebody's again */
        uint64_t next = atomic_load(&f.region.header->ticket);
        log_merge_open(&m, &f.region, next - 1);
        struct log_group *g = take(&m);
        cr_assert(g->records == 1 && g->last == next - 1);
        cr_assert(shm_ring_release(&m.reader, g->cursor, g->spilled));
        log_merge_done(&m, g);
        cr_assert_eq(atomic_load(&f.region.rings[0].head), atomic_load(&f.region.rings[0].tail));
        fixture_check(&f);
        if (WIFEXITED(status))
            break;
    }
    cr_assert(deaths > 30, "%u deaths", deaths);
    stop(&f, &m);
}
#endif
