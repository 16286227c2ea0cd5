/* kill_model.c - the exact model of one client's keys (see kill_model.h). Replies are RESP2 as Redis gives them. */
#include "tests/crash/kill_model.h"

#include <stdio.h>
#include <string.h>

#define VALUE_MAX 40000

/* ---- values and wire ---------------------------------------------------------------------------------------------------- */

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
key(struct buf *b, const struct model *m, const char *what, unsigned which)
{
    char text[64];
    snprintf(text, sizeof text, "c%u:%s%u", m->client, what, which);
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
bulk_number(struct buf *b, int64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)v);
    word(b, text);
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

/* ---- requests ------------------------------------------------------------------------------------------------------------------ */

#define APPEND_BYTES 700

static void
append_piece(const struct model *m, char text[APPEND_BYTES])
{
    for (size_t i = 0; i < APPEND_BYTES; i++)
        text[i] = (char)('A' + (m->appended + i) % 26);
}

static void
big_field(struct buf *b, const char *prefix, uint64_t i)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lu", prefix, (unsigned long)i);
    word(b, text);
}

static void
request_keys(const struct model *m, struct model_op op, struct buf *b)
{
    char piece[APPEND_BYTES];
    switch (op.kind) {
    case MODEL_BIG_GROW:
        begin(b, 6, "HSET");
        key(b, m, "big", 0);
        big_field(b, "f", m->big);
        big_field(b, "v", m->big);
        big_field(b, "f", m->big + 1);
        big_field(b, "v", m->big + 1);
        break;
    case MODEL_BIG_DROP:
        begin(b, 2, "UNLINK");
        key(b, m, "big", 0);
        break;
    case MODEL_APPEND:
        append_piece(m, piece);
        begin(b, 3, "APPEND");
        key(b, m, "app", 0);
        bulk(b, piece, sizeof piece);
        break;
    case MODEL_APPEND_DROP:
        begin(b, 2, "DEL");
        key(b, m, "app", 0);
        break;
    case MODEL_MSET:
        begin(b, 5, "MSET");
        key(b, m, "left", 0);
        bulk_value(b, m->seq);
        key(b, m, "right", 0);
        bulk_value(b, m->seq);
        break;
    case MODEL_MGET:
        begin(b, 3, "MGET");
        key(b, m, "left", 0);
        key(b, m, "right", 0);
        break;
    default:
        begin(b, 2, "INCR");
        buf_printf(b, "$7\r\nshared%u\r\n", op.which % MODEL_SHARED);
    }
}

void
model_request(const struct model *m, struct model_op op, struct buf *b)
{
    unsigned s = op.which % MODEL_STRINGS, n = op.which % MODEL_COUNTERS, f = op.which % MODEL_FIELDS;
    switch (op.kind) {
    case MODEL_SET:
        begin(b, 3, "SET");
        key(b, m, "s", s);
        bulk_value(b, m->seq);
        break;
    case MODEL_SETEX:
        begin(b, 5, "SET");
        key(b, m, "s", s);
        bulk_value(b, m->seq);
        word(b, "EX");
        word(b, "100000");
        break;
    case MODEL_DEL:
        begin(b, 3, "DEL");
        key(b, m, "s", s);
        key(b, m, "s", (s + 1) % MODEL_STRINGS);
        break;
    case MODEL_GETDEL:
        begin(b, 2, "GETDEL");
        key(b, m, "s", s);
        break;
    case MODEL_GET:
        begin(b, 2, "GET");
        key(b, m, "s", s);
        break;
    case MODEL_EXPIRE:
        begin(b, 3, "EXPIRE");
        key(b, m, "s", s);
        word(b, "200000");
        break;
    case MODEL_GETEX:
        begin(b, 4, "GETEX");
        key(b, m, "s", s);
        word(b, "EX");
        word(b, "300000");
        break;
    case MODEL_INCR:
        begin(b, 2, "INCR");
        key(b, m, "n", n);
        break;
    case MODEL_DECRBY:
        begin(b, 3, "DECRBY");
        key(b, m, "n", n);
        word(b, "3");
        break;
    case MODEL_HSET:
        begin(b, 4, "HSET");
        key(b, m, "h", 0);
        big_field(b, "field", f);
        bulk_value(b, m->seq);
        break;
    case MODEL_HDEL:
        begin(b, 3, "HDEL");
        key(b, m, "h", 0);
        big_field(b, "field", f);
        break;
    case MODEL_HGET:
        begin(b, 3, "HGET");
        key(b, m, "h", 0);
        big_field(b, "field", f);
        break;
    default:
        request_keys(m, op, b);
    }
}

/* ---- what they do ----------------------------------------------------------------------------------------------------------------- */

static void
apply_more(struct model *m, struct model_op op, struct buf *reply)
{
    switch (op.kind) {
    case MODEL_BIG_GROW:
        m->big += 2;
        integer(reply, 2);
        break;
    case MODEL_BIG_DROP:
        integer(reply, m->big != 0);
        m->big = 0;
        break;
    case MODEL_APPEND:
        m->appended += APPEND_BYTES;
        integer(reply, (int64_t)m->appended);
        break;
    case MODEL_APPEND_DROP:
        integer(reply, m->appended != 0);
        m->appended = 0;
        break;
    case MODEL_MSET:
        m->pair = m->seq++;
        buf_append_str(reply, "+OK\r\n");
        break;
    case MODEL_MGET:
        buf_append_str(reply, "*2\r\n");
        bulk_value(reply, m->pair);
        bulk_value(reply, m->pair);
        break;
    default:
        break; /* MODEL_SHARED_INCR: nothing of ours changes */
    }
}

void
model_apply(struct model *m, struct model_op op, struct buf *reply)
{
    uint64_t *s = &m->string[op.which % MODEL_STRINGS], *f = &m->field[op.which % MODEL_FIELDS];
    uint64_t *next = &m->string[(op.which + 1) % MODEL_STRINGS];
    int64_t *n = &m->counter[op.which % MODEL_COUNTERS];
    switch (op.kind) {
    case MODEL_SET:
    case MODEL_SETEX:
        *s = m->seq++;
        buf_append_str(reply, "+OK\r\n");
        break;
    case MODEL_DEL:
        integer(reply, (*s != 0) + (*next != 0));
        *s = *next = 0;
        break;
    case MODEL_GETDEL:
        bulk_value(reply, *s);
        *s = 0;
        break;
    case MODEL_GET:
    case MODEL_GETEX:
        bulk_value(reply, *s);
        break;
    case MODEL_EXPIRE:
        integer(reply, *s != 0);
        break;
    case MODEL_INCR:
        m->counted[op.which % MODEL_COUNTERS] = true;
        integer(reply, ++*n);
        break;
    case MODEL_DECRBY:
        m->counted[op.which % MODEL_COUNTERS] = true;
        integer(reply, *n -= 3);
        break;
    case MODEL_HSET:
        integer(reply, *f == 0);
        *f = m->seq++;
        break;
    case MODEL_HDEL:
        integer(reply, *f != 0);
        *f = 0;
        break;
    case MODEL_HGET:
        bulk_value(reply, *f);
        break;
    default:
        apply_more(m, op, reply);
    }
}

/* ---- the dump ----------------------------------------------------------------------------------------------------------------------- */

void
model_dump_request(const struct model *m, struct buf *b)
{
    buf_printf(b, "*%u\r\n", 1 + MODEL_STRINGS + MODEL_COUNTERS);
    word(b, "MGET");
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        key(b, m, "s", i);
    for (unsigned i = 0; i < MODEL_COUNTERS; i++)
        key(b, m, "n", i);
    buf_printf(b, "*%u\r\n", 2 + MODEL_FIELDS);
    word(b, "HMGET");
    key(b, m, "h", 0);
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        big_field(b, "field", i);
    begin(b, 2, "HLEN");
    key(b, m, "big", 0);
    begin(b, 3, "HGET");
    key(b, m, "big", 0);
    big_field(b, "f", 0);
    begin(b, 2, "GET");
    key(b, m, "app", 0);
    request_keys(m, (struct model_op){.kind = MODEL_MGET}, b);
}

void
model_dump_reply(const struct model *m, struct buf *b)
{
    buf_printf(b, "*%u\r\n", MODEL_STRINGS + MODEL_COUNTERS);
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        bulk_value(b, m->string[i]);
    for (unsigned i = 0; i < MODEL_COUNTERS; i++) {
        if (!m->counted[i])
            buf_append_str(b, "$-1\r\n");
        else
            bulk_number(b, m->counter[i]);
    }
    buf_printf(b, "*%u\r\n", MODEL_FIELDS);
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        bulk_value(b, m->field[i]);
    integer(b, (int64_t)m->big);
    if (m->big)
        big_field(b, "v", 0);
    else
        buf_append_str(b, "$-1\r\n");
    if (m->appended) {
        buf_printf(b, "$%lu\r\n", (unsigned long)m->appended);
        for (uint64_t i = 0; i < m->appended; i++)
            buf_append(b, &(char){(char)('A' + i % 26)}, 1);
        buf_append(b, "\r\n", 2);
    } else {
        buf_append_str(b, "$-1\r\n");
    }
    struct model copy = *m;
    apply_more(&copy, (struct model_op){.kind = MODEL_MGET}, b);
}

unsigned
model_keys(const struct model *m)
{
    unsigned n = (m->big != 0) + (m->appended != 0) + (m->pair ? 2u : 0u);
    bool hash = false;
    for (unsigned i = 0; i < MODEL_STRINGS; i++)
        n += m->string[i] != 0;
    for (unsigned i = 0; i < MODEL_COUNTERS; i++)
        n += m->counted[i];
    for (unsigned i = 0; i < MODEL_FIELDS; i++)
        hash |= m->field[i] != 0;
    return n + hash;
}
