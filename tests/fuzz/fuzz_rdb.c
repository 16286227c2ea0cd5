/* fuzz_rdb.c - libFuzzer target of RDB files, to the bottom of every value.
 *
 * The input is an image. Properties: reading ends and stays inside the bytes; what is handed out can be read; a value that the
 * deep look takes is taken by the other looks too, ends where stepping over it ended, and has as many elements for
 * all; what is wrong is told, with a place inside the image.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xassert.h"
#include "format/rdb_in.h"
#include "format/rdb_value.h"

static volatile unsigned touched;

static void
touch(const struct rdb_string *s)
{
    const char *bytes = rdb_string_bytes(s);
    for (size_t i = 0; i < s->len; i++)
        touched += (unsigned char)bytes[i];
}

static bool
take(void *arg, const struct rdb_piece *p)
{
    *(uint64_t *)arg += p->kind == RDB_PIECE_ELEMENT || p->kind == RDB_PIECE_SCORED || p->kind == RDB_PIECE_FIELD;
    if (p->kind == RDB_PIECE_FIELD || p->kind == RDB_PIECE_GROUP || p->kind == RDB_PIECE_CONSUMER)
        touch(&p->name);
    if (p->kind <= RDB_PIECE_FIELD)
        touch(&p->value);
    return true;
}

/* Reads the current key's value; true if it is good. */
static bool
look(const struct rdb_in *in, enum rdb_depth depth, rdb_value_fn *fn, uint64_t *count)
{
    uint64_t pieces = 0;
    struct rdb_value v = {.depth = depth, .fn = fn, .arg = &pieces};
    struct rdb_read r = rdb_read_of(in->r.bytes, in->from, in->to);
    bool ok = rdb_value_read(&v, in->type, &r);
    xassert(ok ? r.at == in->to : r.wrong && r.wrong_at <= in->to);
    if (ok && fn && rdb_form(in->type)->family >= RDB_LIST && rdb_form(in->type)->family <= RDB_HASH)
        xassert(pieces == v.count);
    *count = v.count;
    rdb_value_free(&v);
    return ok;
}

static void
look_at_value(const struct rdb_in *in)
{
    uint64_t deep, walked, heads;
    bool deep_ok = look(in, RDB_DEEP, NULL, &deep);
    bool walk_ok = look(in, RDB_HEADS, take, &walked);
    bool heads_ok = look(in, RDB_HEADS, NULL, &heads);
    xassert(!deep_ok || (walk_ok && walked == deep));
    xassert(!walk_ok || heads_ok);
    xassert(!deep_ok || heads == deep || heads == UINT64_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rdb_in in;
    struct buf text;
    enum rdb_in_item item = RDB_IN_WRONG;
    if (rdb_in_open(&in, bytes, len))
        while ((item = rdb_in_next(&in)) != RDB_IN_END && item != RDB_IN_WRONG)
            if (item == RDB_IN_KEY) {
                touch(&in.key);
                look_at_value(&in);
            }
    xassert(item == RDB_IN_END ? in.r.at <= len : in.r.wrong && in.r.wrong_at <= len);
    if (item == RDB_IN_END)
        touched += rdb_in_sum_fits(&in);
    buf_init(&text);
    rdb_in_complain(&in, &text);
    buf_destroy(&text);
    rdb_in_close(&in);
    return 0;
}
