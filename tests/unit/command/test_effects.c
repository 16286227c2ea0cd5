/* test_effects.c - what commands leave in the log: for each the commands that redis-server 7.0.15 would write to its AOF.
 *
 * Commands run through exec_run on a region of their own, the log rings are read back. "T" in an expectation stands for
 * a time in ms that lies ahead.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "command/control.h"
#include "command/exec.h"
#include "shm/shm_ring.h"
#include "types/type_rdb.h"
#include "types/type_value.h"

#define ARGS_MAX 16
#define LOG_MAX 4096

struct bench {
    struct shm_region region;
    struct engine engine;
    struct session session;
    struct buf replies;
    struct resp_out out;
    struct shm_ring_reader log;
};

static void
bench_open(struct bench *b)
{
    char path[64];
    struct shm_error e;
    memset(b, 0, sizeof *b);
    snprintf(path, sizeof path, "/dev/shm/kvstash-test-%d", (int)getpid());
    struct shm_region_options o = {.path = path, .bytes = 256u << 20, .shards = 4, .databases = 4, .slots = 2,
        .shared_bytes = control_bytes(2), .hugepages = SHM_HUGEPAGES_NEVER};
    cr_assert(shm_region_create(&b->region, &o, &e), "%s", e.text);
    unlink(path);
    cr_assert_eq(shm_region_commit(&b->region, 24), 24);
    atomic_store(&b->region.header->committed_limit, 24);
    type_value_init();
    config_defaults(&((struct control_sh *)b->region.shared)->config.live);
    config_put(&((struct control_sh *)b->region.shared)->config.live, PARAM_SAVE, &(struct param_value){0}); /* no persister is there to save */
    cr_assert(engine_open(&b->engine, &b->region, 0));
    cr_assert(shm_ring_switch(&b->region, 0, true, &e), "%s", e.text);
    b->session = (struct session){.id = 1, .resp = 2, .flags = SESSION_AUTHENTICATED, .fd = -1};
    buf_init(&b->replies);
    b->out = (struct resp_out){.buf = &b->replies, .version = 2};
    shm_ring_open(&b->log, &b->region, atomic_load(&b->region.header->ticket));
}

static void
bench_close(struct bench *b)
{
    engine_close(&b->engine);
    buf_destroy(&b->replies);
    shm_region_close(&b->region, false);
}

static void
run_args(struct bench *b, int argc, const struct resp_arg *argv)
{
    buf_clear(&b->replies, SIZE_MAX);
    cr_assert_eq(exec_run(&b->engine, &b->session, argc, argv, &b->out), EXEC_DONE);
}

/* Runs a command whose arguments are separated by blanks. */
static void
run(struct bench *b, const char *line)
{
    struct resp_arg argv[ARGS_MAX];
    int argc = 0;
    for (const char *p = line; *p; argc++) {
        size_t n = strcspn(p, " ");
        cr_assert_lt(argc, ARGS_MAX);
        argv[argc] = (struct resp_arg){.data = (char *)(uintptr_t)p, .len = n};
        p += n + strspn(p + n, " ");
    }
    run_args(b, argc, argv);
}

/* An argument as the expectation has it: unprintable ones as "#", times ahead as "T". */
static void
show(const char *bytes, size_t n, char *log)
{
    size_t at = strlen(log);
    int64_t v;
    bool plain = n < 100;
    for (size_t i = 0; i < n; i++)
        plain &= bytes[i] > ' ' && bytes[i] <= '~';
    if (decimal_read(bytes, n, &v) && v > clock_wall_ms() && v < clock_wall_ms() + 1000000000)
        snprintf(log + at, LOG_MAX - at, "T");
    else
        snprintf(log + at, LOG_MAX - at, "%.*s", plain ? (int)n : 1, plain ? bytes : "#");
}

/* Appends a record's commands to the log text: "; " between commands, "@n" before one for database n. */
static void
show_record(const struct shm_ring_reader *q, const struct shm_record_sh *rec, char *log)
{
    struct buf room = {0};
    const char *payload = shm_ring_payload(q, rec, &room);
    for (const char *p = payload; p < payload + rec->length;) {
        uint32_t head[2], n;
        memcpy(head, p, sizeof head);
        p += sizeof head;
        if (*log)
            strcat(log, "; ");
        if (head[0])
            sprintf(log + strlen(log), "@%u ", head[0]);
        for (uint32_t i = 0; i < head[1]; i++) {
            memcpy(&n, p, sizeof n);
            if (i)
                strcat(log, " ");
            show(p + sizeof n, n, log);
            p += sizeof n + n;
        }
    }
    buf_destroy(&room);
}

/* All that was logged since the last look. */
static void
take_log(struct bench *b, char log[LOG_MAX])
{
    const struct shm_record_sh *rec;
    enum shm_ring_result got;
    log[0] = '\0';
    while ((got = shm_ring_next(&b->log, &rec)) != SHM_RING_EMPTY) {
        cr_assert_eq(got, SHM_RING_RECORD);
        show_record(&b->log, rec, log);
        shm_ring_pass(&b->log);
    }
    cr_assert(shm_ring_release(&b->log, b->log.cursor, true));
}

static void
logs(struct bench *b, const char *line, const char *want)
{
    char log[LOG_MAX];
    run(b, line);
    take_log(b, log);
    cr_assert_str_eq(log, want, "%s is logged as '%s', not as '%s'", line, log, want);
}

struct line {
    const char *command, *want; /* NULL: as it came */
};

static void
script(const struct line *lines, size_t n)
{
    struct bench b;
    bench_open(&b);
    for (size_t i = 0; i < n; i++)
        logs(&b, lines[i].command, lines[i].want ? lines[i].want : lines[i].command);
    bench_close(&b);
}
#define SCRIPT(...)                                         \
    do {                                                    \
        static const struct line lines[] = {__VA_ARGS__};   \
        script(lines, sizeof lines / sizeof lines[0]);      \
    } while (0)

Test(effects, strings)
{
    SCRIPT({"SET k v", NULL}, {"SET k v EX 100", "SET k v PXAT T"}, {"SET k w KEEPTTL", NULL}, {"SET k v NX", ""},
        {"SET n v NX", NULL},
        {"SET k v GET", "SET k v"}, {"SET k v PX 100000 GET", "SET k v PXAT T"}, {"SETEX k 100 v", "SET k v PXAT T"},
        {"PSETEX k 100000 v", "SET k v PXAT T"}, {"SETNX k v", ""}, {"SETNX m v", NULL}, {"GETSET k w", "SET k w"},
        {"GETDEL k", "DEL k"}, {"GETDEL k", ""}, {"GET k", ""}, {"SET k v", NULL}, {"GETEX k", ""}, {"GETEX k PERSIST", ""},
        {"GETEX k EX 100", "PEXPIREAT k T"}, {"GETEX k PERSIST", "PERSIST k"}, {"GETEX k EXAT 1", "DEL k"},
        {"APPEND k abc", NULL},
        {"SETRANGE k 2 xx", NULL}, {"MSET a 1 b 2", NULL}, {"MSETNX a 1 c 2", ""}, {"MSETNX d 1 c 2", NULL},
        {"INCR a", NULL}, {"DECRBY a 5", NULL}, {"INCR k", ""}, {"INCRBYFLOAT a 1.5", "SET a -1.5 KEEPTTL"},
        {"GET nothing", ""},
        {"SET k v EX 0", ""}, {"NOSUCH k", ""});
}

Test(effects, bitmaps)
{
    SCRIPT({"SETBIT k 7 1", NULL}, {"SETBIT k 7 1", ""}, {"SETBIT k 3 0", ""}, {"SETBIT k 100 0", NULL}, {"GETBIT k 7", ""},
        {"BITOP NOT d k", NULL}, {"BITOP OR d none", NULL}, {"BITOP OR d none", ""}, {"BITFIELD k GET u8 0", ""},
        {"BITFIELD k SET u8 0 9", NULL}, {"BITFIELD k SET u8 0 9", ""},
        {"BITFIELD k OVERFLOW FAIL INCRBY u8 0 255", ""}, {"BITCOUNT k", ""});
}

Test(effects, keys)
{
    SCRIPT({"SET a 1", NULL}, {"RENAME a b", NULL}, {"RENAME b b", ""}, {"RENAME none b", ""}, {"RENAMENX b c", NULL},
        {"SET a 1", NULL},
        {"RENAMENX a c", ""}, {"COPY a d", NULL}, {"COPY a d", ""}, {"COPY a d REPLACE DB 0", NULL},
        {"COPY a x DB 2", NULL}, {"MOVE d 1", NULL},
        {"MOVE none 1", ""}, {"SELECT 1", ""}, {"SET k v", "@1 SET k v"}, {"DEL k nothing", "@1 DEL k nothing"},
        {"DEL k", ""},
        {"SELECT 0", ""}, {"SWAPDB 0 1", NULL}, {"UNLINK d", NULL}, {"EXISTS d", ""}, {"TOUCH d", ""}, {"SET k v", NULL},
        {"EXPIRE k 100", "PEXPIREAT k T"}, {"EXPIRE k 200 XX GT", "PEXPIREAT k T XX GT"}, {"EXPIRE k 300 NX", ""},
        {"PEXPIRE k 100000", "PEXPIREAT k T"},
        {"PERSIST k", NULL}, {"PERSIST k", ""}, {"EXPIREAT k 1", "DEL k"}, {"EXPIRE none 100", ""}, {"FLUSHDB", NULL},
        {"FLUSHALL ASYNC", NULL},
        {"RANDOMKEY", ""}, {"SCAN 0", ""}, {"KEYS *", ""}, {"DBSIZE", ""});
}

Test(effects, hashes)
{
    SCRIPT({"HSET h a 1", NULL}, {"HSET h a 1", NULL}, {"HMSET h b 2 c 3", NULL}, {"HSETNX h a 2", ""},
        {"HSETNX h d 2", NULL}, {"HINCRBY h a 5", NULL},
        {"HINCRBYFLOAT h a 0.5", "HSET h a 6.5"}, {"HDEL h none", ""}, {"HDEL h a none", NULL}, {"HGETALL h", ""},
        {"HRANDFIELD h", ""},
        {"HSCAN h 0", ""}, {"HDEL h b c d", NULL}, {"HINCRBY h x y", ""});
}

/* What is expired is deleted in the log by whoever comes upon it for writing, before the command's own effect. */
Test(effects, expired_keys)
{
    struct bench b;
    bench_open(&b);
    logs(&b, "SET k v PXAT 1", "SET k v PXAT 1");
    logs(&b, "GET k", "");
    logs(&b, "APPEND k x", "DEL k; APPEND k x");
    logs(&b, "SET k v PXAT 1", "SET k v PXAT 1");
    logs(&b, "SET a 1", "SET a 1");
    logs(&b, "RENAME a k", "DEL k; RENAME a k");
    logs(&b, "SET e v PXAT 1", "SET e v PXAT 1");
    logs(&b, "DEL e", "DEL e");
    bench_close(&b);
}

/* RESTORE of "1": with an absolute time, and as a deletion if that time has passed. */
Test(effects, restore)
{
    static char payload[] = "\x00\xc0\x01\x0a\x00\x26\x78\xe7\xb6\xd1\x01\x11\xfc";
    static const struct {
        const char *ttl, *option1, *option2, *want;
    } cases[] = {{"0", NULL, NULL, "RESTORE k 0 #"}, {"0", NULL, NULL, ""},
        {"100000", "REPLACE", NULL, "RESTORE k T # REPLACE ABSTTL"},
        {"1", "REPLACE", "ABSTTL", "DEL k"}, {"1", "REPLACE", "ABSTTL", ""},
        {"4133980800000", "ABSTTL", NULL, "RESTORE k 4133980800000 # ABSTTL"}};
    struct bench b;
    char log[LOG_MAX];
    bench_open(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *words[] = {"RESTORE", "k", cases[i].ttl, payload, cases[i].option1, cases[i].option2};
        struct resp_arg argv[6];
        int argc = 0;
        for (; argc < 6 && words[argc]; argc++)
            argv[argc] = (struct resp_arg){.data = (char *)(uintptr_t)words[argc],
                .len = argc == 3 ? sizeof payload - 1 : strlen(words[argc])};
        run_args(&b, argc, argv);
        take_log(&b, log);
        cr_assert_str_eq(log, cases[i].want, "case %zu: '%s'", i, log);
    }
    bench_close(&b);
}
