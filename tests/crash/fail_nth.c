/* fail_nth.c - memory is refused at the N-th asking, for every N, in every writing command and some that read.
 *
 *     fail_nth
 *
 * Private memory (malloc, calloc, realloc: the program is linked with them wrapped) and the region's (the claim of a
 * span, once as if the limit were reached, once as if the housekeeper were late). A command that met a refusal answers
 * -OOM, or asks to be run again, or for its connection to be closed; nothing has changed, the region is whole, and run
 * again with memory it does what it always does. The log is on, so that records are part of it.
 *
 * Prints how many refusals there were. Fails if a kind never happened.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command_table.h"
#include "shm/shm_crash.h"
#include "tests/crash/crash_cases.h"
#include "tests/crash/rig.h"

#ifdef KVSTASH_CRASH_POINTS

#define EXTENTS 56u
#define TRIES_MAX 3000u

/* ---- private memory ------------------------------------------------------------------------------------------ */

static uint64_t refuse_at; /* 0: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool
is_refused(void)
{
    if (refuse_at == 0 || --refuse_at > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t n)
{
    return is_refused() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return is_refused() ? NULL : __real_realloc(p, n);
}

/* ---- a case -------------------------------------------------------------------------------------------------- */

enum kind { PRIVATE, LIMIT, LATE, KINDS };
static const char *const kind_names[KINDS] = {"private memory", "spans, at the limit", "spans, too early"};

struct run {
    struct rig rig;
    const struct crash_case *c;
    struct rig_line change;
    struct buf reply;          /* as it is with memory */
    uint64_t old, new;         /* digests */
    bool built;
    uint64_t refused[KINDS], closed, again, oom;
};

static void
build(struct run *t)
{
    if (t->built)
        return;
    rig_clear(&t->rig);
    if (t->c->before)
        rig_do(&t->rig, t->c->before, NULL);
    rig_drain_log(&t->rig);
    t->built = true;
}

static void
arm(struct run *t, enum kind kind, uint64_t n)
{
    struct shm_header_sh *h = t->rig.region.header;
    uint64_t extents = atomic_load(&h->committed_extents);
    atomic_store(&h->committed_limit, kind == LATE ? extents + 1 : extents);
    if (kind == PRIVATE)
        refuse_at = n;
    else
        shm_crash_fail(n);
}

/* False: the n-th was not asked for. */
static bool
disarm(struct run *t)
{
    struct shm_header_sh *h = t->rig.region.header;
    bool met = refuse_at == 0 && !shm_crash_fail_pending();
    refuse_at = 0;
    shm_crash_fail(0);
    atomic_store(&h->committed_limit, atomic_load(&h->committed_extents));
    return met;
}

/* What is kept from the last run would never be asked for again. */
static void
forget_memory(struct run *t)
{
    engine_close(&t->rig.engine);
    if (!engine_open(&t->rig.engine, &t->rig.region, RIG_OWN))
        rig_fail("no memory for the engine");
}

/* Does the reply say that memory is short? */
static bool
is_oom(const struct buf *reply)
{
    static const char *const words[] = {"-OOM", "-ERR Insufficient memory", "-ERR no private memory"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (reply->len > strlen(words[i]) && memcmp(reply->data, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* The n-th is refused. False: it was not asked for. */
static bool
refuse(struct run *t, enum kind kind, uint64_t n)
{
    struct buf reply;
    buf_init(&reply);
    build(t);
    forget_memory(t);
    arm(t, kind, n);
    bool done = rig_line_run(&t->rig, &t->change, &reply), met = disarm(t), closes = buf_failed(&reply);
    bool oom = is_oom(&reply), same = reply.len == t->reply.len && !closes &&
        (reply.len == 0 || memcmp(reply.data, t->reply.data, reply.len) == 0);
    uint64_t now = rig_check(&t->rig, t->change.text);
    t->built = now == t->old && t->old != t->new;
    t->refused[kind] += met;
    t->closed += met && closes;
    t->again += met && !done && !closes;
    t->oom += met && oom;
    if (!met && (!done || !same || now != t->new))
        rig_fail("\"%s\" with all its memory: answers %.*s", t->change.text, (int)reply.len, reply.data);
    if (met && done && !closes && oom ? now != t->old : met && done && !closes && !same)
        rig_fail("\"%s\" without its %s at %lu: answers %.*s", t->change.text, kind_names[kind], (unsigned long)n, (int)reply.len, reply.data);
    if (met && now != t->old && !(now == t->new && (same || closes)) && !t->c->steps)
        rig_fail("\"%s\" without its %s at %lu: neither old nor new", t->change.text, kind_names[kind], (unsigned long)n);
    if (met && !done && !closes && (now != t->old || kind == LIMIT))
        rig_fail("\"%s\" without its %s at %lu: to be run again, but changed or never to be", t->change.text, kind_names[kind], (unsigned long)n);
    buf_destroy(&reply);
    return met;
}

static void
run_case(struct run *t)
{
    t->built = false;
    buf_init(&t->reply);
    build(t);
    rig_line_parse(&t->rig, &t->change, t->c->change);
    t->old = rig_digest(&t->rig);
    if (!rig_line_run(&t->rig, &t->change, &t->reply))
        rig_fail("\"%s\" cannot run", t->change.text);
    t->new = rig_digest(&t->rig);
    t->built = false;
    for (enum kind kind = PRIVATE; kind < KINDS; kind++) {
        uint64_t n = 1;
        while (n < TRIES_MAX && refuse(t, kind, n))
            n++;
        if (n == TRIES_MAX)
            rig_fail("\"%s\": there is no end to its askings", t->change.text);
    }
    rig_line_free(&t->change);
    buf_destroy(&t->reply);
}

/* Steps are the housekeeper's: they try again by themselves. */
static bool
is_command(const struct crash_case *c)
{
    return c->change[0] != '!' && command_find(c->change, strcspn(c->change, " "));
}

static const struct crash_case reading[] = {
    {.before = "MSET @pairs:k:0:100", .change = "MGET @names:k:0:100"},
    {.before = "MSET @pairs:k:0:100", .change = "KEYS *"},
    {.before = "MSET @pairs:k:0:100", .change = "SCAN 0 COUNT 50 MATCH k*"},
    {.before = "SET k @bytes:x:5000000", .change = "GET k"},
    {.before = "HSET k @pairs:f:0:2000", .change = "HGETALL k"},
    {.before = "SET a @bytes:x:3000; SET b @bytes:y:2000", .change = "LCS a b"},
    {.before = "HSET k @pairs:f:0:2000", .change = "DUMP k"},
    {.before = "HSET k @pairs:f:0:900", .change = "HSCAN k 0 COUNT 100"},
    {.before = NULL, .change = "CONFIG GET *"},
    {.before = NULL, .change = "COMMAND"},
};

int
main(void)
{
    static struct run t;
    unsigned cases = 0;
    rig_open(&t.rig, EXTENTS);
    rig_log_on(&t.rig);
    for (unsigned i = 0; i < crash_cases_count + sizeof reading / sizeof reading[0]; i++) {
        t.c = i < crash_cases_count ? &crash_cases[i] : &reading[i - crash_cases_count];
        if (!is_command(t.c))
            continue;
        run_case(&t);
        cases++;
    }
    printf("%u cases; refused:", cases);
    for (enum kind k = PRIVATE; k < KINDS; k++)
        printf(" %s %lu,", kind_names[k], (unsigned long)t.refused[k]);
    printf(" answers: -OOM %lu, again %lu, closed %lu\n", (unsigned long)t.oom, (unsigned long)t.again, (unsigned long)t.closed);
    for (enum kind k = PRIVATE; k < KINDS; k++)
        if (t.refused[k] == 0)
            rig_fail("%s was never refused", kind_names[k]);
    rig_close(&t.rig);
    return 0;
}

#else
int
main(void)
{
    printf("SKIP: built without --enable-crash-points, nothing can be refused\n");
    return 0;
}
#endif
