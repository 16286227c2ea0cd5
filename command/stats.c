/* stats.c - numbers of commands (see stats.h).
 *
 * Rows get their numbers in the order of the command table, found again through a small hash of the row's address. A bucket
 * is chosen by the leading bits of the time, four for each power of two. Sums over all slots skip those whose generation is
 * older than the last reset. Error codes are few: a slot's table is searched from its beginning.
 */
#include "command/stats.h"

#include <string.h>

#include "base/xassert.h"
#include "command/command_table.h"
#include "command/control.h"
#include "command/engine.h"

#define INDEX 2048u
#define FIRST_POWER 6u /* bucket 0 holds all below 64 ns */

/* ---- rows by number --------------------------------------------------------------------------------------------------- */

static struct {
    const struct command_row *row[STATS_ROWS];
    bool cheap[STATS_ROWS];
    uint16_t index[INDEX]; /* number + 1, by the row's address */
    unsigned count;
} rows;

static unsigned
place_of(const struct command_row *row)
{
    return (unsigned)((uintptr_t)row / 16 * 0x9E3779B1u) % INDEX;
}

static void
add_rows(const struct command_row *row)
{
    for (; row && row->name; row++) {
        unsigned at = place_of(row);
        xassert(rows.count < STATS_ROWS);
        while (rows.index[at])
            at = (at + 1) % INDEX;
        rows.cheap[rows.count] = (row->flags & CMD_FAST) || (row->complexity && strncmp(row->complexity, "O(1)", 4) == 0);
        rows.row[rows.count++] = row;
        rows.index[at] = (uint16_t)rows.count;
        add_rows(row->subs); /* one level */
    }
}

static void
fill(void)
{
    for (const struct command_row *const *group = command_groups; *group; group++)
        add_rows(*group);
}

unsigned
stats_count(void)
{
    if (rows.count == 0)
        fill();
    return rows.count;
}

const struct command_row *
stats_row(unsigned id)
{
    xassert(id < stats_count());
    return rows.row[id];
}

unsigned
stats_id(const struct command_row *row)
{
    if (rows.count == 0)
        fill();
    unsigned at = place_of(row);
    while (rows.row[rows.index[at] - 1] != row) /* ends: every row of the table is in the index */
        at = (at + 1) % INDEX;
    return rows.index[at] - 1u;
}

bool
stats_is_cheap(const struct command_row *row)
{
    return rows.cheap[stats_id(row)];
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static struct stats_sh *
own(const struct engine *e)
{
    xassert_debug(control_bytes(e->slot + 1) <= e->region->header->shared_bytes);
    return control_stats(e->control, e->slot);
}

static void
add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

void
stats_refresh(struct engine *e)
{
    struct stats_sh *s = own(e);
    uint64_t now = atomic_load_explicit(&e->control->stats_generation, memory_order_acquire);
    if (atomic_load_explicit(&s->generation, memory_order_relaxed) == now)
        return;
    memset((char *)s + sizeof s->generation, 0, sizeof *s - sizeof s->generation);
    atomic_store_explicit(&s->generation, now, memory_order_release);
}

static unsigned
bucket_of(uint64_t ns)
{
    if (ns < 1u << FIRST_POWER)
        return 0;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (power - FIRST_POWER) * 4 + (unsigned)(ns >> (power - 2) & 3) + 1;
    return bucket < STATS_BUCKETS ? bucket : STATS_BUCKETS - 1;
}

uint64_t
stats_bucket_top(unsigned bucket)
{
    if (bucket == 0)
        return (1u << FIRST_POWER) - 1;
    unsigned power = (bucket - 1) / 4 + FIRST_POWER;
    return (1ull << power) + (((uint64_t)(bucket - 1) % 4 + 1) << (power - 2)) - 1;
}

void
stats_calls(struct engine *e, unsigned id, uint64_t n, uint64_t ns, bool histogram)
{
    struct stats_sh *s = own(e);
    add(&s->row[id].calls, n);
    add(&s->row[id].ns, ns);
    if (histogram)
        add(&s->bucket[id][bucket_of(n == 1 ? ns : ns / n)], n);
}

void
stats_rejected(struct engine *e, unsigned id)
{
    add(&own(e)->row[id].rejected, 1);
}

void
stats_failed(struct engine *e, unsigned id)
{
    add(&own(e)->row[id].failed, 1);
}

void
stats_error(struct engine *e, const char *text, size_t n)
{
    struct stats_sh *s = own(e);
    size_t len = 0;
    while (len < n && len < STATS_CODE_MAX - 1 && text[len] > ' ')
        len++;
    for (unsigned i = 0; i < STATS_ERRORS; i++) {
        struct stats_error_sh *error = &s->error[i];
        if (atomic_load_explicit(&error->count, memory_order_relaxed) == 0)
            memcpy(error->code, text, len); /* the rest is zero */
        else if (i + 1 < STATS_ERRORS && (strlen(error->code) != len || memcmp(error->code, text, len) != 0))
            continue;
        atomic_store_explicit(&error->count, atomic_load_explicit(&error->count, memory_order_relaxed) + 1, memory_order_release);
        return;
    }
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* The numbers of a slot; NULL: they are from before the last reset. */
static const struct stats_sh *
current(const struct engine *e, unsigned slot)
{
    const struct stats_sh *s = control_stats(e->control, slot);
    uint64_t now = atomic_load_explicit(&e->control->stats_generation, memory_order_acquire);
    return atomic_load_explicit(&s->generation, memory_order_acquire) == now ? s : NULL;
}

struct stats_sum
stats_sum(const struct engine *e, unsigned id)
{
    struct stats_sum sum = {0};
    for (unsigned slot = 0; slot < e->control->workers; slot++) {
        const struct stats_sh *s = current(e, slot);
        if (!s)
            continue;
        sum.calls += atomic_load_explicit(&s->row[id].calls, memory_order_relaxed);
        sum.ns += atomic_load_explicit(&s->row[id].ns, memory_order_relaxed);
        sum.rejected += atomic_load_explicit(&s->row[id].rejected, memory_order_relaxed);
        sum.failed += atomic_load_explicit(&s->row[id].failed, memory_order_relaxed);
    }
    return sum;
}

uint64_t
stats_histogram(const struct engine *e, unsigned id, uint64_t bucket[STATS_BUCKETS])
{
    uint64_t n = 0;
    memset(bucket, 0, STATS_BUCKETS * sizeof *bucket);
    for (unsigned slot = 0; slot < e->control->workers; slot++) {
        const struct stats_sh *s = current(e, slot);
        for (unsigned b = 0; s && b < STATS_BUCKETS; b++) {
            uint64_t count = atomic_load_explicit(&s->bucket[id][b], memory_order_relaxed);
            bucket[b] += count;
            n += count;
        }
    }
    return n;
}

static unsigned
add_error(struct stats_errors *out, unsigned n, const struct stats_error_sh *error, uint64_t count)
{
    unsigned at = 0;
    while (at < n && strncmp(out[at].code, error->code, STATS_CODE_MAX) != 0)
        at++;
    if (at == STATS_ERRORS)
        return n;
    if (at == n) {
        memcpy(out[at].code, error->code, STATS_CODE_MAX);
        out[at].code[STATS_CODE_MAX - 1] = '\0';
        out[at].count = 0;
        n++;
    }
    out[at].count += count;
    return n;
}

unsigned
stats_errors(const struct engine *e, struct stats_errors out[STATS_ERRORS])
{
    unsigned n = 0;
    for (unsigned slot = 0; slot < e->control->workers; slot++) {
        const struct stats_sh *s = current(e, slot);
        for (unsigned i = 0; s && i < STATS_ERRORS; i++) {
            uint64_t count = atomic_load_explicit(&s->error[i].count, memory_order_acquire); /* the code stands before it */
            if (count == 0)
                break;
            n = add_error(out, n, &s->error[i], count);
        }
    }
    return n;
}

void
stats_reset(struct engine *e)
{
    atomic_fetch_add(&e->control->stats_generation, 1);
    stats_refresh(e);
}
