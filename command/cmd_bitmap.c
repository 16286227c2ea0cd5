/* cmd_bitmap.c - the bitmap commands: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD, BITFIELD_RO.
 *
 * The bit work is types/type_bitmap.h's; here arguments are read in Redis 7.0.15's order and results stored. A change
 * touches the bytes it changes only, whatever the string's size; BITOP goes through its sources piece by piece.
 *
 * Process: workers. Locks: exec.c took those of the keys. Crash: changes are the transaction's.
 */
#include <stdlib.h>

#include "base/decimal.h"
#include "command/cmd_rows.h"
#include "command/cmd_string.h"
#include "command/keyspace.h"
#include "types/type_bitmap.h"

/* ---- arguments -------------------------------------------------------------------------------------------------- */

/* The bit offset in argument i. `field_bits` not 0: "#n" stands for the n-th field of so many bits. */
static bool
bit_offset(struct cmd *c, int i, unsigned field_bits, uint64_t *offset)
{
    const struct resp_arg *a = &c->argv[i];
    bool by_field = field_bits && a->len > 0 && a->data[0] == '#';
    int64_t v;
    if (decimal_read(a->data + by_field, a->len - by_field, &v)) {
        if (by_field)
            v = (int64_t)((uint64_t)v * field_bits); /* wraps, as in Redis */
        if (v >= 0 && (uint64_t)v >> 3 < cmd_bulk_max(c)) {
            *offset = (uint64_t)v;
            return true;
        }
    }
    cmd_error(c, "ERR bit offset is not an integer or out of range");
    return false;
}

/* first and last, which may count from the end, within 0 .. total - 1. False: nothing lies between them. */
static bool
clamp_range(int64_t *first, int64_t *last, int64_t total)
{
    if (*first < 0)
        *first += total;
    if (*last < 0)
        *last += total;
    if (*first < 0)
        *first = 0;
    if (*last < 0)
        *last = 0;
    if (*last >= total)
        *last = total - 1;
    return *first <= *last;
}

/* Is argument i BIT (*is_bit) or BYTE? Else the error reply. */
static bool
range_unit(struct cmd *c, int i, bool *is_bit)
{
    *is_bit = cmd_arg_is(c, i, "bit");
    if (*is_bit || cmd_arg_is(c, i, "byte"))
        return true;
    cmd_error_syntax(c);
    return false;
}

/* ---- single bits --------------------------------------------------------------------------------------------------- */

/* Makes a present or absent string at least `len` bytes long, and raw whatever it was (as Redis does before it changes
 * bits). *grew: it was shorter. False: tx->want. */
static bool
make_room(struct cmd *c, struct key_ref *ref, size_t len, bool *grew)
{
    struct string_view v;
    cmd_string_view(c, ref, &v);
    *grew = v.len < len;
    if (*grew)
        return cmd_string_write(c, ref, len - 1, "", 1);
    unsigned encoding = shm_entry_encoding(ref->place.entry);
    if (encoding == TYPE_STRING_RAW || encoding == TYPE_STRING_BLOB)
        return true;
    char same = *type_string_piece(&v, 0, &(size_t){0});
    return cmd_string_write(c, ref, 0, &same, 1);
}

void
cmd_setbit(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    uint64_t offset;
    int64_t on;
    bool grew;
    if (!bit_offset(c, 2, 0, &offset) || !cmd_arg_int_range(c, 3, 0, 1, &on, "ERR bit is not an integer or out of range"))
        return;
    keyspace_write(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING) || !make_room(c, &ref, offset / 8 + 1, &grew))
        return;
    cmd_string_view(c, &ref, &v);
    bool was = type_bitmap_get(&v, offset);
    if (was != (bool)on) {
        char byte = (char)(*type_string_piece(&v, offset / 8, &(size_t){0}) ^ 1 << (7 - offset % 8));
        if (!cmd_string_write(c, &ref, offset / 8, &byte, 1))
            return;
    }
    c->dirty += grew || was != (bool)on;
    resp_out_int(c->out, was);
}

void
cmd_getbit(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    uint64_t offset;
    if (!bit_offset(c, 2, 0, &offset))
        return;
    keyspace_read(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &v);
    resp_out_int(c->out, type_bitmap_get(&v, offset));
}

/* ---- counting and searching ------------------------------------------------------------------------------------------- */

void
cmd_bitcount(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    int64_t first = 0, last = -1;
    bool is_bit = false;
    if (!keyspace_read(c, 0, &ref)) {
        resp_out_int(c->out, 0);
        return;
    }
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &v);
    if (c->argc == 3 || c->argc > 5) {
        cmd_error_syntax(c);
        return;
    }
    if (c->argc > 3 && (!cmd_arg_int(c, 2, &first) || !cmd_arg_int(c, 3, &last)))
        return;
    bool none = first < 0 && last < 0 && first > last;
    if (none && c->argc > 3) {
        resp_out_int(c->out, 0);
        return;
    }
    if (c->argc == 5 && !range_unit(c, 4, &is_bit))
        return;
    if (!clamp_range(&first, &last, (int64_t)v.len * (is_bit ? 8 : 1)))
        resp_out_int(c->out, 0);
    else if (is_bit)
        resp_out_int(c->out, (int64_t)type_bitmap_count(&v, (uint64_t)first, (uint64_t)last));
    else
        resp_out_int(c->out, (int64_t)type_bitmap_count(&v, (uint64_t)first * 8, (uint64_t)last * 8 + 7));
}

void
cmd_bitpos(struct cmd *c)
{
    struct key_ref ref;
    struct string_view v;
    int64_t bit, first = 0, last = -1;
    bool is_bit = false;
    if (!cmd_arg_int(c, 2, &bit))
        return;
    if (bit != 0 && bit != 1) {
        cmd_error(c, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!keyspace_read(c, 0, &ref)) {
        resp_out_int(c->out, bit ? -1 : 0);
        return;
    }
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING))
        return;
    cmd_string_view(c, &ref, &v);
    if (c->argc > 6) {
        cmd_error_syntax(c);
        return;
    }
    if ((c->argc > 3 && !cmd_arg_int(c, 3, &first)) || (c->argc == 6 && !range_unit(c, 5, &is_bit)) ||
        (c->argc > 4 && !cmd_arg_int(c, 4, &last)))
        return;
    if (!clamp_range(&first, &last, (int64_t)v.len * (is_bit ? 8 : 1))) {
        resp_out_int(c->out, -1);
        return;
    }
    uint64_t from = (uint64_t)first * (is_bit ? 1 : 8), to = is_bit ? (uint64_t)last : (uint64_t)last * 8 + 7;
    int64_t at = type_bitmap_find(&v, bit, from, to);
    /* without an end the string goes on with zeros */
    resp_out_int(c->out, at < 0 && bit == 0 && c->argc < 5 ? (int64_t)v.len * 8 : at);
}

/* ---- BITOP -------------------------------------------------------------------------------------------------------------- */

static bool
operation_of(struct cmd *c, enum type_bitmap_op *op)
{
    static const char *const names[] = {
        [TYPE_BITMAP_AND] = "and", [TYPE_BITMAP_OR] = "or", [TYPE_BITMAP_XOR] = "xor", [TYPE_BITMAP_NOT] = "not"};
    unsigned i = 0;
    while (i < 4 && !cmd_arg_is(c, 1, names[i]))
        i++;
    if (i == 4) {
        cmd_error_syntax(c);
        return false;
    }
    *op = (enum type_bitmap_op)i;
    if (*op != TYPE_BITMAP_NOT || c->nkeys == 2)
        return true;
    cmd_error(c, "ERR BITOP NOT must be called with a single source key.");
    return false;
}

/* The strings to combine, and the length of the longest. NULL: an error reply was written. Owned by the caller. */
static struct string_view *
open_sources(struct cmd *c, size_t *longest)
{
    struct string_view *sources = malloc((c->nkeys - 1) * sizeof *sources);
    if (!sources) {
        c->tx->want = SHM_WANT_HEAP;
        return NULL;
    }
    *longest = 0;
    for (unsigned k = 1; k < c->nkeys; k++) {
        struct key_ref ref;
        keyspace_write(c, k, &ref);
        if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING)) {
            free(sources);
            return NULL;
        }
        cmd_string_view(c, &ref, &sources[k - 1]);
        if (sources[k - 1].len > *longest)
            *longest = sources[k - 1].len;
    }
    return sources;
}

/* A result that does not fit an entry: leaf after leaf into a blob. */
static bool
store_large(struct cmd *c, struct key_ref *ref, enum type_bitmap_op op, const struct string_view *sources, size_t len)
{
    struct shm_blob_sh b = {0, 0};
    char *value, leaf[SHM_BLOB_LEAF];
    shm_off entry = keyspace_build(c, ref, SHM_TYPE_STRING, TYPE_STRING_BLOB, sizeof b, -1, &value);
    if (!entry || !shm_blob_resize(c->tx, ref->shard, &b, len))
        return false;
    for (size_t at = 0, n; at < len; at += n) {
        n = len - at < sizeof leaf ? len - at : sizeof leaf;
        type_bitmap_combine(op, sources, c->nkeys - 1, at, leaf, n);
        if (!shm_blob_write(c->tx, ref->shard, &b, at, leaf, n))
            return false;
    }
    memcpy(value, &b, sizeof b);
    return keyspace_put(c, ref, entry);
}

static bool
store_result(struct cmd *c, enum type_bitmap_op op, const struct string_view *sources, size_t len)
{
    struct key_ref ref;
    struct string_plan plan;
    char bytes[SHM_BLOB_LEAF];
    bool found = keyspace_write(c, 0, &ref);
    if (len == 0) {
        c->dirty += found;
        return !found || keyspace_delete(c, &ref);
    }
    c->dirty++;
    if (len > sizeof bytes)
        return store_large(c, &ref, op, sources, len);
    type_bitmap_combine(op, sources, c->nkeys - 1, 0, bytes, len);
    type_string_plan_raw(&plan, bytes, len, type_string_key_part(ref.name_len));
    return cmd_string_put(c, &ref, &plan, -1);
}

void
cmd_bitop(struct cmd *c)
{
    enum type_bitmap_op op;
    size_t len;
    struct string_view *sources = operation_of(c, &op) ? open_sources(c, &len) : NULL;
    if (sources && store_result(c, op, sources, len))
        resp_out_int(c->out, (int64_t)len);
    free(sources);
}

/* ---- BITFIELD ------------------------------------------------------------------------------------------------- */

enum field_verb { FIELD_GET, FIELD_SET, FIELD_INCRBY };

struct field_op {
    enum field_verb verb;
    enum type_bitmap_overflow overflow;
    struct bitmap_field field;
    int64_t number;
};

/* Walks over the operations in the arguments. */
struct field_ops {
    int at; /* next argument */
    enum type_bitmap_overflow overflow;
};

static bool
field_type(struct cmd *c, int i, struct bitmap_field *f)
{
    const struct resp_arg *a = &c->argv[i];
    int64_t bits;
    f->is_signed = a->len > 0 && a->data[0] == 'i';
    if (a->len > 0 && (f->is_signed || a->data[0] == 'u') && decimal_read(a->data + 1, a->len - 1, &bits) && bits >= 1 &&
        bits <= (f->is_signed ? 64 : 63)) {
        f->bits = (unsigned)bits;
        return true;
    }
    cmd_error(c, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
    return false;
}

static bool
overflow_of(struct cmd *c, int i, enum type_bitmap_overflow *overflow)
{
    if (cmd_arg_is(c, i, "wrap"))
        *overflow = TYPE_BITMAP_WRAP;
    else if (cmd_arg_is(c, i, "sat"))
        *overflow = TYPE_BITMAP_SAT;
    else if (cmd_arg_is(c, i, "fail"))
        *overflow = TYPE_BITMAP_FAIL;
    else {
        cmd_error(c, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* The next operation: 1, 0 at the end, -1 after an error reply. */
static int
next_op(struct cmd *c, struct field_ops *ops, struct field_op *op)
{
    for (; ops->at < c->argc; ops->at += 2) {
        int i = ops->at, more = c->argc - i - 1;
        if (cmd_arg_is(c, i, "overflow") && more >= 1) {
            if (!overflow_of(c, i + 1, &ops->overflow))
                return -1;
            continue;
        }
        if (cmd_arg_is(c, i, "get") && more >= 2)
            op->verb = FIELD_GET;
        else if (cmd_arg_is(c, i, "set") && more >= 3)
            op->verb = FIELD_SET;
        else if (cmd_arg_is(c, i, "incrby") && more >= 3)
            op->verb = FIELD_INCRBY;
        else {
            cmd_error_syntax(c);
            return -1;
        }
        op->overflow = ops->overflow;
        if (!field_type(c, i + 1, &op->field) || !bit_offset(c, i + 2, op->field.bits, &op->field.offset) ||
            (op->verb != FIELD_GET && !cmd_arg_int(c, i + 3, &op->number)))
            return -1;
        ops->at = i + (op->verb == FIELD_GET ? 3 : 4);
        return 1;
    }
    return 0;
}

/* Reads all arguments once: how many operations, and the highest bit that they may write. False: error reply. */
static bool
survey_ops(struct cmd *c, size_t *count, bool *writes, uint64_t *highest)
{
    struct field_ops ops = {.at = 2};
    struct field_op op;
    int got;
    *count = 0;
    *writes = false;
    *highest = 0;
    while ((got = next_op(c, &ops, &op)) > 0) {
        ++*count;
        if (op.verb == FIELD_GET)
            continue;
        *writes = true;
        if (op.field.offset + op.field.bits - 1 > *highest)
            *highest = op.field.offset + op.field.bits - 1;
    }
    return got == 0;
}

/* One operation with its reply. False: tx->want. */
static bool
run_op(struct cmd *c, struct key_ref *ref, const struct field_op *op)
{
    struct string_view v;
    char bytes[TYPE_BITMAP_FIELD_BYTES];
    size_t n;
    int64_t new;
    cmd_string_view(c, ref, &v);
    size_t at = type_bitmap_field_bytes(&v, &op->field, bytes, &n);
    int64_t old = type_bitmap_field_get(&op->field, bytes);
    if (op->verb == FIELD_GET) {
        resp_out_int(c->out, old);
        return true;
    }
    bool set = op->verb == FIELD_SET;
    if (!type_bitmap_field_add(&op->field, op->overflow, set ? op->number : old, set ? 0 : op->number, &new)) {
        resp_out_null(c->out);
        return true;
    }
    resp_out_int(c->out, set ? old : new);
    if (new == old)
        return true;
    c->dirty++;
    type_bitmap_field_put(&op->field, bytes, new);
    return cmd_string_write(c, ref, at, bytes, n);
}

static void
bitfield(struct cmd *c, bool read_only)
{
    struct field_ops ops = {.at = 2};
    struct field_op op;
    struct key_ref ref;
    size_t count;
    uint64_t highest;
    bool writes, grew = false;
    if (!survey_ops(c, &count, &writes, &highest))
        return;
    if (writes && read_only) {
        cmd_error(c, "ERR BITFIELD_RO only supports the GET subcommand");
        return;
    }
    if (writes)
        keyspace_write(c, 0, &ref);
    else
        keyspace_read(c, 0, &ref);
    if (!keyspace_type_ok(c, &ref, SHM_TYPE_STRING) || (writes && !make_room(c, &ref, highest / 8 + 1, &grew)))
        return;
    c->dirty += grew;
    resp_out_array(c->out, count);
    while (next_op(c, &ops, &op) > 0)
        if (!run_op(c, &ref, &op))
            return;
}

void cmd_bitfield(struct cmd *c) { bitfield(c, false); }
void cmd_bitfield_ro(struct cmd *c) { bitfield(c, true); }
