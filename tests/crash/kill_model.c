/* kill_model.c - the exact model of one client's keys (see kill_model.h). Replies are RESP2 as Redis gives them. */
#include "tests/crash/kill_model.h"

#include <stdio.h>
#include <string.h>

#define VALUE_MAX 40000
#define APPEND_BYTES 700
#define PIECE_BYTES 1000 /* MODEL_PIECES of them: a blob of several leaves */
#define BIT_STEP 7001    /* positions between the bits: another leaf every tenth */

/* ---- values and wire ---------------------------------------------------------------------------------------- */

/* Lengths from embedded strings to blobs of several leaves. */
static size_t
value_len(uint64_t seq)
{
    static const size_t lens[] = {12, 30, 60, 300, 2000, 9000, 17000, 33000};
    return lens[seq % (sizeof lens / sizeof lens[0])];
}

/* "<seq>:" and letters. */
static size_t
value(uint64_t seq, char text[VALUE_MAX])
{
    size_t n = value_len(seq), k = (size_t)sprintf(text, "%lu:", (unsigned long)seq);
    for (size_t i = k; i < n; i++)
        text[i] = (char)('a' + (seq + i) % 26);
    return n > k ? n : k;
}

static void
bulk(struct buf *b, const char *text, size_t n)
{
    buf_printf(b, "$%zu\r\n", n);
    buf_append(b, text, n);
    buf_append(b, "\r\n", 2);
}

static void
word(struct buf *b, const char *text)
{
    bulk(b, text, strlen(text));
}

static void
number(struct buf *b, int64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)v);
    word(b, text);
}

static void
key(struct buf *b, const struct model *m, const char *what, unsigned which)
{
    char text[64];
    snprintf(text, sizeof text, "c%u:%s%u", m->client, what, which);
    word(b, text);
}

static void
name(struct buf *b, const char *prefix, uint64_t i)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lu", prefix, (unsigned long)i);
    word(b, text);
}

static void
bulk_value(struct buf *b, uint64_t seq)
{
    char text[VALUE_MAX];
    if (seq == 0)
        buf_append_str(b, "$-1\r\n");
    else
        bulk(b, text, value(seq, text));
}

static void
begin(struct buf *b, unsigned args, const char *command)
{
    buf_printf(b, "*%u\r\n", args);
    word(b, command);
}

static void
integer(struct buf *b, int64_t v)
{
    buf_printf(b, ":%ld\r\n", (long)v);
}

static void
ok(struct buf *b)
{
    buf_append_str(b, "+OK\r\n");
}

/* A command with one of the strings, and its own new value or not. */
static void
string_request(const struct model *m, const char *command, unsigned i, bool with_value, struct buf *b)
{
    begin(b, with_value ? 3 : 2, command);
    key(b, m, "s", i % MODEL_STRINGS);
    if (with_value)
        bulk_value(b, m->seq);
}

static uint64_t *
string_of(struct model *m, unsigned i)
{
    return &m->string[i % MODEL_STRINGS];
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

static void
set_request(const struct model *m, unsigned i, struct buf *b)
{
    string_request(m, "SET", i, true, b);
}

static void
set_apply(struct model *m, unsigned i, struct buf *reply)
{
    *string_of(m, i) = m->seq++;
    ok(reply);
}

static void
setex_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 5, "SET");
    key(b, m, "s", i % MODEL_STRINGS);
    bulk_value(b, m->seq);
    word(b, "EX");
    word(b, "100000");
}

static void
setnx_request(const struct model *m, unsigned i, struct buf *b)
{
    string_request(m, "SETNX", i, true, b);
}

static void
setnx_apply(struct model *m, unsigned i, struct buf *reply)
{
    uint64_t *s = string_of(m, i);
    integer(reply, *s == 0);
    if (*s == 0)
        *s = m->seq;
    m->seq++;
}

static void
getset_request(const struct model *m, unsigned i, struct buf *b)
{
    string_request(m, "GETSET", i, true, b);
}

static void
getset_apply(struct model *m, unsigned i, struct buf *reply)
{
    bulk_value(reply, *string_of(m, i));
    *string_of(m, i) = m->seq++;
}

static void
del_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "DEL");
    key(b, m, "s", i % MODEL_STRINGS);
    key(b, m, "s", (i + 1) % MODEL_STRINGS);
}

static void
del_apply(struct model *m, unsigned i, struct buf *reply)
{
    uint64_t *a = string_of(m, i), *b = string_of(m, i + 1);
    integer(reply, (*a != 0) + (*b != 0));
    *a = *b = 0;
}

static void
getdel_request(const struct model *m, unsigned i, struct buf *b)
{
    string_request(m, "GETDEL", i, false, b);
}

static void
getdel_apply(struct model *m, unsigned i, struct buf *reply)
{
    bulk_value(reply, *string_of(m, i));
    *string_of(m, i) = 0;
}

static void
get_request(const struct model *m, unsigned i, struct buf *b)
{
    string_request(m, "GET", i, false, b);
}

static void
get_apply(struct model *m, unsigned i, struct buf *reply)
{
    bulk_value(reply, *string_of(m, i));
}

static void
getex_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 4, "GETEX");
    key(b, m, "s", i % MODEL_STRINGS);
    word(b, "EX");
    word(b, "300000");
}

static void
expire_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "EXPIRE");
    key(b, m, "s", i % MODEL_STRINGS);
    word(b, "200000");
}

static void
expire_apply(struct model *m, unsigned i, struct buf *reply)
{
    integer(reply, *string_of(m, i) != 0);
}

static void
rename_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "RENAME");
    key(b, m, "s", i % MODEL_STRINGS);
    key(b, m, "s", (i + 3) % MODEL_STRINGS);
}

static void
rename_apply(struct model *m, unsigned i, struct buf *reply)
{
    uint64_t *from = string_of(m, i);
    if (*from == 0) {
        buf_append_str(reply, "-ERR no such key\r\n");
        return;
    }
    *string_of(m, i + 3) = *from;
    *from = 0;
    ok(reply);
}

static void
copy_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 4, "COPY");
    key(b, m, "s", i % MODEL_STRINGS);
    key(b, m, "s", (i + 5) % MODEL_STRINGS);
    word(b, "REPLACE");
}

static void
copy_apply(struct model *m, unsigned i, struct buf *reply)
{
    uint64_t from = *string_of(m, i);
    integer(reply, from != 0);
    if (from)
        *string_of(m, i + 5) = from;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */

static void
incr_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 2, "INCR");
    key(b, m, "n", i % MODEL_COUNTERS);
}

static void
count(struct model *m, unsigned i, int64_t step, struct buf *reply)
{
    m->counted[i % MODEL_COUNTERS] = true;
    integer(reply, m->counter[i % MODEL_COUNTERS] += step);
}

static void
incr_apply(struct model *m, unsigned i, struct buf *reply)
{
    count(m, i, 1, reply);
}

static void
decrby_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "DECRBY");
    key(b, m, "n", i % MODEL_COUNTERS);
    word(b, "3");
}

static void
decrby_apply(struct model *m, unsigned i, struct buf *reply)
{
    count(m, i, -3, reply);
}

static void
float_reply(struct buf *b, uint64_t halves)
{
    char text[32];
    snprintf(text, sizeof text, halves % 2 ? "%lu.5" : "%lu", (unsigned long)halves / 2);
    word(b, text);
}

static void
float_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 3, "INCRBYFLOAT");
    key(b, m, "fl", 0);
    word(b, "0.5");
}

static void
float_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    float_reply(reply, ++m->halves);
}

static void
tally_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 4, "HINCRBY");
    key(b, m, "tally", 0);
    word(b, "n");
    number(b, (int64_t)(i % 7) - 2);
}

static void
tally_apply(struct model *m, unsigned i, struct buf *reply)
{
    m->tallied = true;
    integer(reply, m->tally += (int64_t)(i % 7) - 2);
}

static void
shared_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)m;
    begin(b, 2, "INCR");
    name(b, "shared", i % MODEL_SHARED);
}

static void
shared_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)m; /* nothing of ours changes */
    (void)i;
    (void)reply;
}

/* ---- hashes ------------------------------------------------------------------------------------------------- */

static void
hset_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 4, "HSET");
    key(b, m, "h", 0);
    name(b, "field", i % MODEL_FIELDS);
    bulk_value(b, m->seq);
}

static void
hset_apply(struct model *m, unsigned i, struct buf *reply)
{
    integer(reply, m->field[i % MODEL_FIELDS] == 0);
    m->field[i % MODEL_FIELDS] = m->seq++;
}

static void
hdel_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "HDEL");
    key(b, m, "h", 0);
    name(b, "field", i % MODEL_FIELDS);
}

static void
hdel_apply(struct model *m, unsigned i, struct buf *reply)
{
    integer(reply, m->field[i % MODEL_FIELDS] != 0);
    m->field[i % MODEL_FIELDS] = 0;
}

static void
hget_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 3, "HGET");
    key(b, m, "h", 0);
    name(b, "field", i % MODEL_FIELDS);
}

static void
hget_apply(struct model *m, unsigned i, struct buf *reply)
{
    bulk_value(reply, m->field[i % MODEL_FIELDS]);
}

static void
big_grow_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 6, "HSET");
    key(b, m, "big", 0);
    for (uint64_t f = m->big; f < m->big + 2; f++) {
        name(b, "f", f);
        name(b, "v", f);
    }
}

static void
big_grow_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    m->big += 2;
    integer(reply, 2);
}

/* ---- keys that are dropped whole ------------------------------------------------------------------------------ */

static void
big_drop_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 2, "UNLINK");
    key(b, m, "big", 0);
}

static void
big_drop_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    integer(reply, m->big != 0);
    m->big = 0;
}

static void
append_drop_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 4, "DEL");
    key(b, m, "app", 0);
    key(b, m, "bits", 0);
    key(b, m, "range", 0);
}

static void
append_drop_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    integer(reply, (m->appended != 0) + m->bitmap + (m->pieces != 0));
    m->appended = m->bits = m->pieces = 0;
    m->bitmap = false;
    memset(m->piece, 0, sizeof m->piece);
}

/* ---- long strings --------------------------------------------------------------------------------------------- */

static void
append_request(const struct model *m, unsigned i, struct buf *b)
{
    char piece[APPEND_BYTES];
    (void)i;
    for (size_t k = 0; k < APPEND_BYTES; k++)
        piece[k] = (char)('A' + (m->appended + k) % 26);
    begin(b, 3, "APPEND");
    key(b, m, "app", 0);
    bulk(b, piece, sizeof piece);
}

static void
append_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    m->appended += APPEND_BYTES;
    integer(reply, (int64_t)m->appended);
}

static void
setbit_request(const struct model *m, unsigned i, struct buf *b)
{
    begin(b, 4, "SETBIT");
    key(b, m, "bits", 0);
    number(b, (int64_t)(i % MODEL_BITS) * BIT_STEP);
    word(b, i / MODEL_BITS % 2 ? "1" : "0");
}

static void
setbit_apply(struct model *m, unsigned i, struct buf *reply)
{
    uint64_t bit = 1ull << i % MODEL_BITS;
    integer(reply, (m->bits & bit) != 0);
    m->bits = i / MODEL_BITS % 2 ? m->bits | bit : m->bits & ~bit;
    m->bitmap = true;
}

static char
piece_letter(unsigned i)
{
    return (char)('a' + i / MODEL_PIECES % 26);
}

static void
setrange_request(const struct model *m, unsigned i, struct buf *b)
{
    char piece[PIECE_BYTES];
    memset(piece, piece_letter(i), sizeof piece);
    begin(b, 4, "SETRANGE");
    key(b, m, "range", 0);
    number(b, (int64_t)(i % MODEL_PIECES) * PIECE_BYTES);
    bulk(b, piece, sizeof piece);
}

static void
setrange_apply(struct model *m, unsigned i, struct buf *reply)
{
    unsigned at = i % MODEL_PIECES;
    m->piece[at] = piece_letter(i);
    if (m->pieces <= at)
        m->pieces = at + 1;
    integer(reply, (int64_t)m->pieces * PIECE_BYTES);
}

/* ---- several keys ----------------------------------------------------------------------------------------------- */

static void
mset_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 5, "MSET");
    key(b, m, "left", 0);
    bulk_value(b, m->seq);
    key(b, m, "right", 0);
    bulk_value(b, m->seq);
}

static void
mset_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    m->pair = m->seq++;
    ok(reply);
}

static void
mget_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 6, "MGET");
    key(b, m, "left", 0);
    key(b, m, "right", 0);
    for (unsigned k = 0; k < 3; k++)
        key(b, m, "trio", k);
}

static void
mget_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    buf_append_str(reply, "*5\r\n");
    bulk_value(reply, m->pair);
    bulk_value(reply, m->pair);
    for (unsigned k = 0; k < 3; k++)
        bulk_value(reply, m->trio);
}

static void
msetnx_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 7, "MSETNX");
    for (unsigned k = 0; k < 3; k++) {
        key(b, m, "trio", k);
        bulk_value(b, m->seq);
    }
}

static void
msetnx_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    integer(reply, m->trio == 0);
    if (m->trio == 0)
        m->trio = m->seq;
    m->seq++;
}

static void
trio_drop_request(const struct model *m, unsigned i, struct buf *b)
{
    (void)i;
    begin(b, 4, "DEL");
    for (unsigned k = 0; k < 3; k++)
        key(b, m, "trio", k);
}

static void
trio_drop_apply(struct model *m, unsigned i, struct buf *reply)
{
    (void)i;
    integer(reply, m->trio ? 3 : 0);
    m->trio = 0;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    unsigned weight;
    void (*request)(const struct model *m, unsigned which, struct buf *b);
    void (*apply)(struct model *m, unsigned which, struct buf *reply);
} rows[] = {
    {"set", 60, set_request, set_apply},
    {"set ex", 30, setex_request, set_apply},
    {"setnx", 20, setnx_request, setnx_apply},
    {"getset", 20, getset_request, getset_apply},
    {"del", 30, del_request, del_apply},
    {"getdel", 30, getdel_request, getdel_apply},
    {"get", 60, get_request, get_apply},
    {"getex", 30, getex_request, get_apply},
    {"expire", 30, expire_request, expire_apply},
    {"rename", 30, rename_request, rename_apply},
    {"copy", 30, copy_request, copy_apply},
    {"incr", 60, incr_request, incr_apply},
    {"decrby", 30, decrby_request, decrby_apply},
    {"incrbyfloat", 20, float_request, float_apply},
    {"hincrby", 20, tally_request, tally_apply},
    {"incr shared", 30, shared_request, shared_apply},
    {"hset", 60, hset_request, hset_apply},
    {"hdel", 30, hdel_request, hdel_apply},
    {"hget", 30, hget_request, hget_apply},
    {"hset big", 90, big_grow_request, big_grow_apply},
    {"unlink big", 1, big_drop_request, big_drop_apply},
    {"append", 60, append_request, append_apply},
    {"del long", 1, append_drop_request, append_drop_apply},
    {"setbit", 40, setbit_request, setbit_apply},
    {"setrange", 40, setrange_request, setrange_apply},
    {"mset", 60, mset_request, mset_apply},
    {"mget", 30, mget_request, mget_apply},
    {"msetnx", 20, msetnx_request, msetnx_apply},
    {"del trio", 15, trio_drop_request, trio_drop_apply},
};
#define ROWS (sizeof rows / sizeof rows[0])

struct model_op
model_choose(uint64_t random)
{
    unsigned sum = 0, row = 0;
    for (unsigned i = 0; i < ROWS; i++)
        sum += rows[i].weight;
    for (unsigned at = (unsigned)(random % sum); at >= rows[row].weight; row++)
        at -= rows[row].weight;
    return (struct model_op){.row = row, .which = (unsigned)(random / sum % 100000)};
}

bool
model_is_shared(struct model_op op)
{
    return rows[op.row].apply == shared_apply;
}

const char *
model_name(struct model_op op)
{
    return rows[op.row].name;
}

void
model_request(const struct model *m, struct model_op op, struct buf *b)
{
    rows[op.row].request(m, op.which, b);
}

void
model_apply(struct model *m, struct model_op op, struct buf *reply)
{
    rows[op.row].apply(m, op.which, reply);
}

/* ---- the dump ----------------------------------------------------------------------------------------------------- */

void
model_dump_request(const struct model *m, struct buf *b)
{
    begin(b, 2 + MODEL_STRINGS + MODEL_COUNTERS, "MGET");
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        key(b, m, "s", i);
    for (unsigned i = 0; i < MODEL_COUNTERS; i++)
        key(b, m, "n", i);
    key(b, m, "fl", 0);
    begin(b, 2 + MODEL_FIELDS, "HMGET");
    key(b, m, "h", 0);
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        name(b, "field", i);
    begin(b, 3, "HGET");
    key(b, m, "tally", 0);
    word(b, "n");
    begin(b, 2, "HLEN");
    key(b, m, "big", 0);
    begin(b, 3, "HGET");
    key(b, m, "big", 0);
    name(b, "f", 0);
    begin(b, 3, "MGET");
    key(b, m, "app", 0);
    key(b, m, "range", 0);
    begin(b, 2, "BITCOUNT");
    key(b, m, "bits", 0);
    begin(b, 2 + 3 * MODEL_BITS, "BITFIELD_RO");
    key(b, m, "bits", 0);
    for (unsigned i = 0; i < MODEL_BITS; i++) {
        word(b, "GET");
        word(b, "u1");
        number(b, (int64_t)i * BIT_STEP);
    }
    mget_request(m, 0, b);
}

static void
dump_long(const struct model *m, struct buf *b)
{
    buf_append_str(b, "*2\r\n");
    if (m->appended) {
        buf_printf(b, "$%lu\r\n", (unsigned long)m->appended);
        for (uint64_t i = 0; i < m->appended; i++)
            buf_append(b, &(char){(char)('A' + i % 26)}, 1);
        buf_append_str(b, "\r\n");
    } else {
        buf_append_str(b, "$-1\r\n");
    }
    if (m->pieces == 0) {
        buf_append_str(b, "$-1\r\n");
        return;
    }
    buf_printf(b, "$%u\r\n", m->pieces * PIECE_BYTES);
    for (unsigned i = 0; i < m->pieces; i++) {
        char piece[PIECE_BYTES];
        memset(piece, m->piece[i], sizeof piece);
        buf_append(b, piece, sizeof piece);
    }
    buf_append_str(b, "\r\n");
}

void
model_dump_reply(const struct model *m, struct buf *b)
{
    buf_printf(b, "*%u\r\n", 1 + MODEL_STRINGS + MODEL_COUNTERS);
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        bulk_value(b, m->string[i]);
    for (unsigned i = 0; i < MODEL_COUNTERS; i++) {
        if (m->counted[i])
            number(b, m->counter[i]);
        else
            buf_append_str(b, "$-1\r\n");
    }
    if (m->halves)
        float_reply(b, m->halves);
    else
        buf_append_str(b, "$-1\r\n");
    buf_printf(b, "*%u\r\n", MODEL_FIELDS);
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        bulk_value(b, m->field[i]);
    if (m->tallied)
        number(b, m->tally);
    else
        buf_append_str(b, "$-1\r\n");
    integer(b, (int64_t)m->big);
    if (m->big)
        name(b, "v", 0);
    else
        buf_append_str(b, "$-1\r\n");
    dump_long(m, b);
    integer(b, __builtin_popcountll(m->bits));
    buf_printf(b, "*%u\r\n", MODEL_BITS);
    for (unsigned i = 0; i < MODEL_BITS; i++)
        integer(b, (int64_t)(m->bits >> i & 1));
    struct model copy = *m;
    mget_apply(&copy, 0, b);
}

unsigned
model_keys(const struct model *m)
{
    unsigned n = (m->big != 0) + (m->appended != 0) + (m->pair ? 2u : 0u) + (m->trio ? 3u : 0u) + m->tallied + (m->halves != 0) +
        m->bitmap + (m->pieces != 0);
    bool hash = false;
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        n += m->string[i] != 0;
    for (unsigned i = 0; i < MODEL_COUNTERS; i++)
        n += m->counted[i];
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        hash |= m->field[i] != 0;
    return n + hash;
}
