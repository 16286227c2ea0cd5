/* crash_cases.c - the table (see crash_cases.h; rig.h tells how lines are written). */
#include "tests/crash/crash_cases.h"

#include <stddef.h>

#define KS "SET k small"
#define KL "SET k @bytes:x:300"
#define KB "SET k @bytes:x:20000"
#define KBB "SET k @bytes:x:5000000"
#define KI "SET k 41"
#define KX "SET k small PX 5000"
#define GONE "SET k small PX 5000; !clock 6000"
#define HS "HSET k @pairs:f:0:3"
#define HC "HSET k @pairs:f:0:300"
#define HF "HSET k @pairs:f:0:512"
#define HT "HSET k @pairs:f:0:2000"

/* A change of the key k; of the keys named; in several transactions; of so much that the bystander's keys go too. */
#define ONE(old, line) {.before = old, .change = line}
#define KEYS(old, line, names) {.before = old, .change = line, .keys = names}
#define STEPS(old, line, names) {.before = old, .change = line, .keys = names, .steps = true}
#define FLUSH(old, line, names) {.before = old, .change = line, .keys = names, .flushes = true}

const struct crash_case crash_cases[] = {
    /* strings */
    ONE(NULL, "SET k value"),
    ONE(KS, "SET k other"),
    ONE(KS, "SET k @bytes:y:500"),
    ONE(KS, "SET k @bytes:y:20000"),
    ONE(KB, "SET k small"),
    ONE(KB, "SET k @bytes:y:20000"),
    ONE(KL, "SET k 12345"),
    ONE(HT, "SET k small"),
    ONE(KX, "SET k other KEEPTTL"),
    ONE(KX, "SET k other"),
    ONE(KS, "SET k other EX 100"),
    ONE(KS, "SET k other XX GET"),
    ONE(GONE, "SET k other NX"),
    ONE(NULL, "SET @bytes:K:3000 value"),
    ONE("SET @bytes:K:3000 value", "SET @bytes:K:3000 @bytes:y:9000"),
    ONE(KS, "GETEX k PX 9000"),
    ONE(KX, "GETEX k PERSIST"),
    ONE(KX, "GETEX k EXAT 1"),
    ONE(GONE, "GETEX k PERSIST"),
    ONE(KS, "GETDEL k"),
    ONE(KB, "GETDEL k"),
    ONE(KX, "GETSET k @bytes:z:900"),
    ONE(KS, "SETEX k 77 value"),
    ONE(KB, "PSETEX k 77000 value"),
    ONE(NULL, "SETNX k value"),
    ONE(GONE, "SETNX k value"),
    KEYS(NULL, "MSET a 1 b 2 c 3 d 4 e 5 f 6", "a b c d e f"),
    KEYS("MSET a 1 b 2 c 3 d 4 e 5 f 6", "MSET a @bytes:x:100 b 22 c @bytes:z:9000 d 44 e 55 f 66", "a b c d e f"),
    KEYS("MSET a 1 b 2 c 3 d 4", "MSET a x a y b z", "a b"),
    KEYS(NULL, "MSETNX a 1 b 2 c 3 d @bytes:x:20000", "a b c d"),
    ONE(NULL, "APPEND k tail"),
    ONE(KS, "APPEND k tail"),
    ONE(KL, "APPEND k @bytes:t:300"),
    ONE(KI, "APPEND k 5"),
    ONE("SET k @bytes:x:8000", "APPEND k @bytes:t:300"),
    ONE(KB, "APPEND k @bytes:t:10000"),
    ONE("SET k @bytes:x:4190000", "APPEND k @bytes:t:10000"),
    ONE(KS, "SETRANGE k 3 middle"),
    ONE(NULL, "SETRANGE k 30000 far"),
    ONE(KB, "SETRANGE k 8190 across"),
    ONE(KBB, "SETRANGE k 4194300 @bytes:m:20000"),
    ONE(KBB, "SETRANGE k 6000000 behind"),
    ONE(KI, "INCR k"),
    ONE(NULL, "INCR k"),
    ONE(KI, "DECR k"),
    ONE("SET k 9223372036854775000", "INCRBY k 700"),
    ONE(KX ";SET k 5 KEEPTTL", "DECRBY k 1000000"),
    ONE("SET k 10.5", "INCRBYFLOAT k 0.1"),
    ONE(KI, "INCRBYFLOAT k 3.0e3"),
    /* bitmaps */
    ONE(NULL, "SETBIT k 7 1"),
    ONE(KS, "SETBIT k 9 1"),
    ONE(KS, "SETBIT k 100000 1"),
    ONE(KB, "SETBIT k 70001 1"),
    ONE(KBB, "SETBIT k 33554500 1"),
    ONE(NULL, "SETBIT k 40000000 1"),
    KEYS("MSET a abcdef b ABC; SET k old PX 5000", "BITOP XOR k a b", "k a b"),
    KEYS("SET a @bytes:x:40000; SET b @bytes:y:30000; SET k small", "BITOP AND k a b", "k a b"),
    ONE("SET k small", "BITOP NOT k nothing"),
    ONE(KS, "BITFIELD k SET u8 0 255 INCRBY i16 40 -3 SET u4 #30 9"),
    ONE(KB, "BITFIELD k INCRBY u63 150000 12345 SET u8 #9000 1"),
    /* keys of any type */
    ONE(KS, "DEL k"),
    ONE(KB, "DEL k"),
    ONE(KBB, "DEL k"),
    ONE(HS, "DEL k"),
    ONE(HC, "DEL k"),
    ONE(HT, "DEL k"),
    ONE(GONE, "DEL k"),
    KEYS("MSET a 1 b @bytes:y:20000 c 3 d 4; HSET h @pairs:f:0:800", "DEL a b c d h nothing a", "a b c d h"),
    KEYS("MSET a 1 b 2 c @bytes:y:300000; HSET h @pairs:f:0:800", "UNLINK h c b a", "a b c h"),
    ONE(KS, "EXPIRE k 100"),
    ONE(KX, "EXPIRE k 100"),
    ONE(KX, "EXPIRE k -1"),
    ONE(HT, "PEXPIRE k 100000"),
    ONE(KB, "PEXPIREAT k 1700000100000"),
    ONE("SET k @bytes:x:8170", "EXPIREAT k 1700000100"),
    ONE(KX, "PERSIST k"),
    ONE(HT "; EXPIRE k 100", "PERSIST k"),
    KEYS("SET a value PX 5000; SET b old", "RENAME a b", "a b"),
    KEYS("HSET a @pairs:f:0:900; SET b @bytes:x:20000 PX 9000", "RENAME a b", "a b"),
    KEYS("SET a @bytes:x:20000; SET b old PX 5000; !clock 6000", "RENAMENX a b", "a b"),
    KEYS("SET a value PX 5000; SET b old", "COPY a b REPLACE", "a b"),
    KEYS("SET a @bytes:x:100000", "COPY a b", "a b"),
    KEYS("HSET a @pairs:f:0:900", "COPY a b DB 1", "a b"),
    KEYS("HSET a @pairs:f:0:300; HSET b x y", "COPY a b REPLACE", "a b"),
    ONE("SET k @bytes:x:20000 PX 9000", "MOVE k 2"),
    ONE("HSET k @pairs:f:0:900", "MOVE k 1"),
    ONE("SET a @bytes:x:600", "RESTORE k 0 @dump:a"),
    ONE("SET a 5; " HT, "RESTORE k 5000 @dump:a REPLACE"),
    ONE("HSET a @pairs:f:0:900; " KS, "RESTORE k 1700000900000 @dump:a ABSTTL REPLACE"),
    ONE("HSET a @pairs:f:0:40", "RESTORE-ASKING k 0 @dump:a"),
    FLUSH("MSET @pairs:k:0:300; HSET h @pairs:f:0:800", "FLUSHDB", "k1 k2 h"),
    FLUSH("MSET @pairs:k:0:60; SET b @bytes:x:50000", "FLUSHDB ASYNC", "k1 b"),
    FLUSH("MSET @pairs:k:0:60; !db 2; MSET @pairs:k:0:60; HSET h @pairs:f:0:800; !db 0", "FLUSHALL", "k1 k2 h"),
    FLUSH("MSET @pairs:k:0:60; !db 1; MSET @pairs:j:0:70; SET x y PX 8000; !db 0", "SWAPDB 0 1", "k1 j1 x"),
    /* hashes */
    ONE(NULL, "HSET k f0 v0"),
    ONE(HS, "HSET k f1 other"),
    ONE(HS, "HSET k f1 longer-than-before g 1 h 2"),
    ONE(HS, "HSET k f1 @bytes:x:100"),
    ONE(HS, "HSET k @pairs:g:0:100"),
    ONE(HC, "HSET k f7 other g 1"),
    ONE(HF, "HSET k f512 v"),
    ONE(HT, "HSET k f77 @bytes:x:30000 @pairs:g:0:20"),
    ONE(HT, "HSET k @pairs:g:0:400"),
    ONE(NULL, "HSET k @bytes:F:3000 @bytes:x:9000"),
    ONE(GONE, "HSET k f0 v0"),
    ONE(HS, "HMSET k f9 v9 f0 w"),
    ONE(HS, "HSETNX k g 1"),
    ONE(HT, "HSETNX k g 1"),
    ONE(HS, "HDEL k f1"),
    ONE(HS, "HDEL k @names:f:0:3"),
    ONE(HC, "HDEL k f0 f150 f299"),
    ONE(HT ";HSET k f77 @bytes:x:30000", "HDEL k f77 f1"),
    ONE(HT, "HDEL k @names:f:100:400"),
    ONE(HT, "HDEL k @names:f:0:2000"),
    ONE(HS, "HINCRBY k n 5"),
    ONE(HT ";HSET k n 5", "HINCRBY k n 5"),
    ONE(HC ";HSET k n 1.5", "HINCRBYFLOAT k n 0.25"),
    ONE(HT, "HINCRBYFLOAT k n 0.25"),
    /* growth, splits, shrinking */
    KEYS("MSET @pairs:k:0:1380", "MSET @pairs:k:1380:1480", "k1 k1379 k1400"),
    KEYS("MSET @pairs:k:0:6000", "MSET @pairs:k:6000:6300", "k1 k5999 k6299"),
    KEYS("MSET @pairs:k:0:1400", "DEL @names:k:200:1390", "k1 k199 k200 k1395"),
    KEYS("MSET @pairs:k:0:20", "DEL @names:k:0:20", "k1 k19"),
    /* what nobody asked for: sweep and reclaiming */
    STEPS("MSET @pairs:k:0:40; PEXPIRE k1 10; PEXPIRE k7 20; PEXPIRE k9 30; SET b @bytes:x:20000 PX 5; !clock 6000", "!expire", "k1 k2 b"),
    ONE(HT "; DEL k", "!reclaim"),
    ONE(HT "; PEXPIRE k 5; !clock 6000", "!expire"),
    ONE("SET k @bytes:x:600000; DEL k; MSET @pairs:k:0:300; FLUSHDB", "!reclaim"),
    ONE(KB "; DEL k", "!commit 1"),
};
const unsigned crash_cases_count = sizeof crash_cases / sizeof crash_cases[0];
