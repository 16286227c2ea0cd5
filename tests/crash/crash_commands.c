/* crash_commands.c - die at the N-th store of every writing command; a bystander reads and writes meanwhile.
 *
 *     crash_commands [--points MAX] [--log] [--snapshot STEPS] [--recovery MAX] [--only WORDS]
 *
 * A child runs a case's change (crash_cases.c) and dies at its N-th crash point. Whoever takes its locks next finds the
 * content of before or of after, the region whole, no block leaked, and the counters right. All the while a bystander
 * reads the same keys, each answer either the old or the new one, whole, and writes others.
 *
 * --points: at most so many N of each case (the first, the last, and others evenly; without it, every N). --log: with
 * the log on and read in the order of tickets: the dead one's record is there if and only if its change is. --snapshot: each
 * time a snapshot is begun before the change, and STEPS small ones of it are walked, the rest after the recovery: its image is the state
 * at the cut. --recovery: for so many N of each case a second process dies at every point (or --points many) of its recovery. --only: cases
 * whose change begins so.
 *
 * Prints how many points of how many there are were died at, and where the journals stood. Fails if a writing command
 * of the table has no case, or if a state of the journal was never met.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/command_table.h"
#include "shm/shm_crash.h"
#include "tests/crash/crash_cases.h"
#include "tests/crash/rig_cut.h"

#ifdef KVSTASH_CRASH_POINTS

#define EXTENTS 56u
#define LAST_POINTS 22u /* commit, redo and unlocking: never left out */
#define PROBES_MAX 48
#define KEYS_MAX 8
#define BYSTANDER_KEYS 40

struct options {
    uint64_t points, recovery;
    bool log, snapshot;
    unsigned walked; /* steps before the change */
    const char *only;
};

struct probe {
    struct rig_line line;
    struct buf old, new;
};

struct run {
    struct rig rig;
    struct rig_cut cut;
    uint64_t cuts;
    struct options o;
    const struct crash_case *c;
    struct rig_line change;
    struct probe probe[PROBES_MAX];
    unsigned probes;
    uint64_t old, new;         /* digests */
    bool logs;                 /* the change leaves a record */
    bool built;                /* the region holds the old state */
    pid_t bystander;
    uint64_t died, points, second_died;
};

/* ---- the bystander ------------------------------------------------------------------------------------------ */

static bool
is_reply(const struct buf *b, const struct buf *want)
{
    return b->len == want->len && memcmp(b->data, want->data, b->len) == 0;
}

static void
complain(struct rig_page *page, const char *what, const struct buf *reply)
{
    snprintf(page->fault, sizeof page->fault, "\"%s\" answers %.200s", what, reply->len ? reply->data : "nothing");
}

static void
look(struct run *t, const struct probe *p, struct buf *reply)
{
    struct rig_page *page = t->rig.page;
    uint64_t phase = atomic_load(&page->phase);
    buf_clear(reply, SIZE_MAX);
    bool done = rig_line_run(&t->rig, &p->line, reply);
    if (atomic_load(&page->phase) != phase || !(phase & 1))
        return;
    atomic_fetch_add(&page->reads, 1);
    if (!done || (!is_reply(reply, &p->old) && !is_reply(reply, &p->new)))
        complain(page, p->line.text, reply);
}

static void
write_own(struct run *t, uint64_t i, struct buf *reply)
{
    struct rig_page *page = t->rig.page;
    uint64_t phase = atomic_load(&page->phase);
    char set[128], get[64], want[128], number[32];
    int n = snprintf(number, sizeof number, "%lu", (unsigned long)i);
    snprintf(set, sizeof set, "SET other:%lu %s", (unsigned long)i % BYSTANDER_KEYS, number);
    snprintf(get, sizeof get, "GET other:%lu", (unsigned long)i % BYSTANDER_KEYS);
    snprintf(want, sizeof want, "+OK\r\n$%d\r\n%s\r\n", n, number);
    buf_clear(reply, SIZE_MAX);
    rig_do(&t->rig, set, reply);
    rig_do(&t->rig, get, reply);
    atomic_fetch_add(&page->writes, 1);
    if (t->c->flushes || atomic_load(&page->phase) != phase || !(phase & 1))
        return;
    buf_append(reply, "", 1);
    if (strcmp(reply->data, want) != 0)
        complain(page, set, reply);
}

static _Noreturn void
stand_by(struct run *t)
{
    struct buf reply;
    struct rig_page *page = t->rig.page;
    rig_child(&t->rig, RIG_BYSTANDER);
    buf_init(&reply);
    for (uint64_t i = 1; !atomic_load(&page->stop) && !page->fault[0] && getppid() != 1; i++) {
        look(t, &t->probe[i % t->probes], &reply);
        if (i % 4 == 0)
            write_own(t, i, &reply);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    engine_close(&t->rig.engine);
    _exit(0);
}

static void
bystander_start(struct run *t)
{
    atomic_store(&t->rig.page->stop, 0);
    fflush(stdout);
    t->bystander = fork();
    if (t->bystander == 0)
        stand_by(t);
}

static void
bystander_end(struct run *t)
{
    int status;
    atomic_store(&t->rig.page->stop, 1);
    if (waitpid(t->bystander, &status, 0) != t->bystander || status != 0)
        rig_fail("%s: the bystander ended with status %x", t->change.text, status);
}

/* ---- states ------------------------------------------------------------------------------------------------- */

/* From an even phase to an odd one, in which the bystander's answers must fit, or back. */
static void
phase_next(struct run *t)
{
    atomic_fetch_add(&t->rig.page->phase, 1);
}

/* Makes the old state, unless it is there; the phase is odd afterwards. */
static void
build(struct run *t)
{
    if (t->built)
        return;
    if (atomic_load(&t->rig.page->phase) & 1)
        phase_next(t);
    rig_clear(&t->rig);
    if (t->c->before)
        rig_do(&t->rig, t->c->before, NULL);
    if (t->rig.log.expected)
        rig_drain_log(&t->rig);
    t->built = true;
    phase_next(t);
}

static void
add_probe(struct run *t, const char *format, const char *key)
{
    char *text = malloc(strlen(format) + strlen(key) + 1);
    if (!text || t->probes == PROBES_MAX)
        rig_fail("too many probes");
    sprintf(text, format, key);
    struct probe *p = &t->probe[t->probes++];
    rig_line_parse(&t->rig, &p->line, text);
    buf_init(&p->old);
    buf_init(&p->new);
}

static void
make_probes(struct run *t)
{
    static const char *const looks[] = {"GET %s", "STRLEN %s", "TYPE %s", "PEXPIRETIME %s", "HLEN %s"};
    char keys[256], *at = keys, *key;
    snprintf(keys, sizeof keys, "%s", t->c->keys ? t->c->keys : "k");
    add_probe(t, "MGET %s", keys);
    add_probe(t, "EXISTS %s", keys);
    while ((key = strsep(&at, " ")))
        for (size_t i = 0; i < sizeof looks / sizeof looks[0] && t->probes < PROBES_MAX; i++)
            add_probe(t, looks[i], key);
}

static void
free_probes(struct run *t)
{
    while (t->probes > 0) {
        struct probe *p = &t->probe[--t->probes];
        free((char *)(uintptr_t)p->line.text);
        rig_line_free(&p->line);
        buf_destroy(&p->old);
        buf_destroy(&p->new);
    }
}

/* Runs the change once unharmed: digests and answers of before and after. */
static void
learn(struct run *t)
{
    struct buf reply;
    buf_init(&reply);
    t->built = false;
    build(t);
    rig_line_parse(&t->rig, &t->change, t->c->change);
    for (unsigned i = 0; i < t->probes; i++)
        rig_line_run(&t->rig, &t->probe[i].line, &t->probe[i].old);
    t->old = rig_check(&t->rig, t->change.text);
    uint64_t records = t->rig.records[RIG_OWN];
    if (!rig_line_run(&t->rig, &t->change, &reply) || (reply.len && reply.data[0] == '-'))
        rig_fail("\"%s\" after \"%s\" answers %.*s", t->change.text, t->c->before, (int)reply.len, reply.data);
    t->built = false;
    t->new = rig_check(&t->rig, t->change.text);
    for (unsigned i = 0; i < t->probes; i++)
        rig_line_run(&t->rig, &t->probe[i].line, &t->probe[i].new);
    if (t->rig.log.expected)
        rig_drain_log(&t->rig);
    t->logs = t->rig.records[RIG_OWN] == records + 1;
    buf_destroy(&reply);
}

/* ---- snapshots ---------------------------------------------------------------------------------------------- */

static void
cut_begin(struct run *t)
{
    if (!t->o.snapshot)
        return;
    rig_cut_begin(&t->cut, &t->rig);
    t->cuts++;
    for (unsigned n = t->o.walked; n > 0; n--)
        rig_cut_step(&t->cut, 400);
}

/* Now and then it is given up instead of walked to the end. */
static void
cut_end(struct run *t, const char *what)
{
    if (!t->o.snapshot)
        return;
    if (t->cuts % 7 == 0)
        rig_cut_drop(&t->cut, 10, what);
    else
        rig_cut_finish(&t->cut, what);
}

/* ---- deaths ------------------------------------------------------------------------------------------------- */

/* After a death and its recovery: old or new, whole, and the log says the same. */
static void
judge(struct run *t, uint64_t n, uint64_t m)
{
    char what[256];
    snprintf(what, sizeof what, "\"%.100s\" after \"%.60s\", death at point %lu, then %lu", t->change.text, t->c->before,
        (unsigned long)n, (unsigned long)m);
    uint64_t records = t->rig.records[RIG_VICTIM], now = rig_check(&t->rig, what);
    if (now != t->old && now != t->new && !t->c->steps)
        rig_fail("%s: neither the old state nor the new one", what);
    cut_end(t, what);
    if (t->rig.log.expected) {
        rig_drain_log(&t->rig);
        bool recorded = t->rig.records[RIG_VICTIM] > records;
        if (t->logs && !t->c->steps && t->old != t->new && recorded != (now == t->new))
            rig_fail("%s: the record is %s, the state is the %s one", what, recorded ? "there" : "missing", now == t->new ? "new" : "old");
    }
    t->built = now == t->old && t->old != t->new && !t->c->steps;
}

/* The next point to die at behind n: all of the last ones, and others evenly. */
static uint64_t
next_point(uint64_t n, uint64_t all, uint64_t max)
{
    if (max == 0 || all <= max || n + LAST_POINTS >= all)
        return n + 1;
    uint64_t step = all / (max > LAST_POINTS + 5 ? max - LAST_POINTS : 5) + 1;
    return n + step < all - LAST_POINTS ? n + step : all - LAST_POINTS;
}

/* A second process dies in the recovery of the first, at its m-th point. True if it did. */
static bool
die_twice(struct run *t, uint64_t n, uint64_t m, const struct rig_line *takeover)
{
    build(t);
    cut_begin(t);
    if (!rig_die_at(&t->rig, RIG_VICTIM, n, &t->change)) {
        judge(t, n, 0);
        return false;
    }
    bool again = rig_die_at(&t->rig, RIG_SECOND, m, takeover);
    if (again) {
        rig_note_death(&t->rig);
        t->second_died++;
    }
    rig_recover(&t->rig);
    judge(t, n, m);
    return again;
}

static void
recovery_dies(struct run *t, uint64_t all)
{
    struct rig_line takeover;
    rig_line_parse(&t->rig, &takeover, "!enter-all");
    uint64_t step = all / t->o.recovery + 1;
    for (uint64_t n = all; n >= 1; n = n > step ? n - step : 0) {
        uint64_t m = 1, skip = t->o.points ? 1 + all / t->o.points : 1;
        while (die_twice(t, n, m, &takeover))
            m += skip;
    }
    rig_line_free(&takeover);
}

/* How many points the change passes now. */
static uint64_t
count_points(struct run *t)
{
    build(t);
    cut_begin(t);
    if (rig_die_at(&t->rig, RIG_VICTIM, UINT64_MAX, &t->change))
        rig_fail("\"%s\" died unasked", t->change.text);
    judge(t, 0, 0);
    return atomic_load(&t->rig.page->passed);
}

/* Death at the n-th point. False: the change has become shorter (it found room where it had to take some before). */
static bool
die_once(struct run *t, uint64_t n)
{
    build(t);
    cut_begin(t);
    if (!rig_die_at(&t->rig, RIG_VICTIM, n, &t->change)) {
        judge(t, n, 0);
        return false;
    }
    rig_note_death(&t->rig);
    rig_recover(&t->rig);
    judge(t, n, 0);
    return true;
}

/* Deaths at the points of the change. It may have become shorter or longer since they were counted (it finds room where
 * it had to take some before): then the last points are looked for again. */
static uint64_t
change_dies(struct run *t, uint64_t *all)
{
    bool seen_old = t->old == t->new || t->c->steps, seen_new = seen_old;
    uint64_t died = 0, n = 1;
    for (unsigned counts = 0;;) {
        if (die_once(t, n)) {
            died++;
            seen_old |= t->built;
            seen_new |= !t->built;
            n = next_point(n, *all, t->o.points);
            continue;
        }
        if (seen_old && seen_new && counts > 0)
            return died;
        if (++counts == 5)
            rig_fail("\"%s\": deaths on one side of the commit only", t->change.text);
        *all = atomic_load(&t->rig.page->passed);
        n = *all > LAST_POINTS ? *all - LAST_POINTS : 1;
    }
}

static void
run_case(struct run *t)
{
    make_probes(t);
    learn(t);
    bystander_start(t);
    count_points(t);
    uint64_t all = count_points(t), died = change_dies(t, &all);
    bystander_end(t); /* it would recover before the second can */
    if (t->o.recovery)
        recovery_dies(t, all);
    printf("%5lu of %5lu points: %.60s  <-  %.80s\n", (unsigned long)died, (unsigned long)all, t->c->change, t->c->before ? t->c->before : "");
    t->died += died;
    t->points += all;
    free_probes(t);
    rig_line_free(&t->change);
}

/* ---- all ---------------------------------------------------------------------------------------------------- */

static bool
is_about(const struct crash_case *c, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(c->change, name, n) == 0 && (c->change[n] == ' ' || c->change[n] == '\0');
}

/* Does the table have the command that the case needs? */
static bool
can_run(const struct crash_case *c)
{
    static const char *const needed[] = {"SWAPDB", "RESTORE", "RESTORE-ASKING"};
    if (c->change[0] == '!')
        return true;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (is_about(c, needed[i]) && !command_find(needed[i], strlen(needed[i])))
            return false;
    return command_find(c->change, strcspn(c->change, " ")) != NULL;
}

static void
check_complete(void)
{
    for (size_t r = 0; r < command_count(); r++) {
        const struct command_row *row = command_at(r);
        bool found = !(row->flags & CMD_WRITE) || !row->run;
        for (unsigned i = 0; i < crash_cases_count && !found; i++)
            found = is_about(&crash_cases[i], row->name);
        if (!found)
            rig_fail("the command %s writes and has no case in tests/crash/crash_cases.c", row->name);
    }
}

static void
summary(const struct run *t, unsigned cases, unsigned waiting)
{
    printf("%u cases (%u wait for their command), %lu of %lu points, %lu deaths in recovery; journal at death:", cases, waiting,
        (unsigned long)t->died, (unsigned long)t->points, (unsigned long)t->second_died);
    for (unsigned m = 0; m < RIG_MOMENTS; m++)
        printf(" %s %lu%s", rig_moment_name(m), (unsigned long)t->rig.deaths[m], m + 1 < RIG_MOMENTS ? "," : "\n");
    printf("bystander: %lu answers judged, %lu writes\n", (unsigned long)atomic_load(&t->rig.page->reads),
        (unsigned long)atomic_load(&t->rig.page->writes));
    if (t->rig.log.expected)
        printf("log: %lu records of the dead, %lu holes\n", (unsigned long)t->rig.records[RIG_VICTIM], (unsigned long)t->rig.holes);
}

static void
check_moments(const struct run *t)
{
    for (unsigned m = 0; m < RIG_MOMENTS && !t->o.only; m++) {
        bool log_only = m == RIG_TICKET || m == RIG_PUBLISHED;
        if (t->rig.deaths[m] == 0 && !(log_only && !t->o.log) && !(m == RIG_RECOVERY && !t->o.recovery))
            rig_fail("no death met a journal in state \"%s\"", rig_moment_name(m));
    }
}

static void
parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--log") == 0)
            o->log = true;
        else if (i + 1 < argc && strcmp(argv[i], "--snapshot") == 0) {
            o->snapshot = true;
            o->walked = (unsigned)strtoul(argv[++i], NULL, 10);
        }
        else if (i + 1 < argc && strcmp(argv[i], "--points") == 0)
            o->points = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--recovery") == 0)
            o->recovery = strtoul(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
            o->only = argv[++i];
        else
            rig_fail("usage: crash_commands [--points MAX] [--log] [--snapshot STEPS] [--recovery MAX] [--only WORDS]");
    }
}

int
main(int argc, char **argv)
{
    static struct run t;
    unsigned cases = 0, waiting = 0;
    parse(&t.o, argc, argv);
    check_complete();
    rig_open(&t.rig, EXTENTS);
    if (t.o.log)
        rig_log_on(&t.rig);
    for (unsigned i = 0; i < crash_cases_count; i++) {
        t.c = &crash_cases[i];
        if (t.o.only && strncmp(t.c->change, t.o.only, strlen(t.o.only)) != 0)
            continue;
        if (!can_run(t.c)) {
            waiting++;
            continue;
        }
        run_case(&t);
        cases++;
    }
    summary(&t, cases, waiting);
    check_moments(&t);
    rig_close(&t.rig);
    return 0;
}

#else
int
main(void)
{
    printf("SKIP: built without --enable-crash-points, no point to die at\n");
    return 0;
}
#endif
