/* rdb_in.c - the records of an RDB image (see rdb_in.h).
 *
 * An opcode is a row of a table: what it reads, and which item it is for the caller, if any. What EXPIRETIME, IDLE and FREQ
 * say holds for the next key, so they are no items of their own.
 *
 * Process: any. Locks: none. Fails: damaged input and want of private memory are told in the cursor.
 */
#include "format/rdb_in.h"

#include "base/crc.h"

#define KEY_SHOWN_MAX 64u

bool
rdb_in_is_rdb(const void *image, size_t n)
{
    return n >= sizeof RDB_MAGIC - 1 && memcmp(image, RDB_MAGIC, sizeof RDB_MAGIC - 1) == 0;
}

/* Four digits; 0: they are none. */
static unsigned
version_of(const uint8_t *p)
{
    unsigned v = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (p[i] < '0' || p[i] > '9')
            return 0;
        v = v * 10 + p[i] - '0';
    }
    return v;
}

bool
rdb_in_open(struct rdb_in *in, const void *image, size_t n)
{
    *in = (struct rdb_in){.r = rdb_read_of(image, 0, n), .fresh = true};
    if (!rdb_in_is_rdb(image, n))
        return rdb_read_fail(&in->r, "this is not an RDB file: it does not begin with REDIS");
    if (n < RDB_HEAD)
        return rdb_read_fail(&in->r, "the file ends within its head");
    in->version = version_of(in->r.bytes + sizeof RDB_MAGIC - 1);
    if (in->version < 1 || in->version > RDB_VERSION_MAX)
        return rdb_read_fail_at(&in->r, sizeof RDB_MAGIC - 1, "this version of RDB is not known (1 to 12 are)");
    in->r.at = RDB_HEAD;
    return true;
}

void
rdb_in_close(struct rdb_in *in)
{
    rdb_scratch_free(&in->scratch[0]);
    rdb_scratch_free(&in->scratch[1]);
}

/* ---- opcodes ------------------------------------------------------------------------------------------------------ */

static bool
read_database(struct rdb_in *in)
{
    return rdb_read_length(&in->r, &in->db);
}

static bool
read_sizes(struct rdb_in *in)
{
    return rdb_read_length(&in->r, &in->keys) && rdb_read_length(&in->r, &in->expires);
}

static bool
read_slot(struct rdb_in *in)
{
    return rdb_read_length(&in->r, &in->slot) && read_sizes(in);
}

static bool
read_aux(struct rdb_in *in)
{
    return rdb_read_string(&in->r, &in->key, &in->scratch[0]) && rdb_read_string(&in->r, &in->value, &in->scratch[1]);
}

static bool
read_function(struct rdb_in *in)
{
    return rdb_read_string(&in->r, &in->value, &in->scratch[1]);
}

/* Name, engine, whether there is a description, description, code. */
static bool
read_function_old(struct rdb_in *in)
{
    uint64_t has_description;
    struct rdb_read *r = &in->r;
    in->from = r->at;
    if (!rdb_read_skip_string(r) || !rdb_read_skip_string(r) || !rdb_read_length(r, &has_description) ||
        (has_description && !rdb_read_skip_string(r)) || !rdb_read_skip_string(r))
        return false;
    in->to = r->at;
    return true;
}

static bool
read_module_aux(struct rdb_in *in)
{
    in->from = in->r.at;
    bool ok = rdb_read_length(&in->r, &in->module) && rdb_form_skip_module(&in->r);
    in->to = in->r.at;
    return ok;
}

static bool
read_expiry_s(struct rdb_in *in)
{
    int32_t seconds;
    const uint8_t *p;
    if (!rdb_read_bytes(&in->r, sizeof seconds, &p))
        return false;
    memcpy(&seconds, p, sizeof seconds); /* little-endian */
    in->expires_ms = seconds == -1 ? -1 : seconds * 1000ll;
    return true;
}

static bool
read_expiry_ms(struct rdb_in *in)
{
    uint64_t v;
    if (!rdb_read_u64(&in->r, &v))
        return false;
    in->expires_ms = (int64_t)v;
    return true;
}

static bool
read_idle(struct rdb_in *in)
{
    uint64_t v;
    if (!rdb_read_length(&in->r, &v))
        return false;
    in->idle_s = v > INT64_MAX ? INT64_MAX : (int64_t)v;
    return true;
}

static bool
read_freq(struct rdb_in *in)
{
    const uint8_t *p;
    if (!rdb_read_bytes(&in->r, 1, &p))
        return false;
    in->freq = *p;
    return true;
}

static bool
read_end(struct rdb_in *in)
{
    in->summed = in->r.at;
    in->sum = 0;
    if (in->version >= RDB_VERSION_SUM)
        return rdb_read_u64(&in->r, &in->sum);
    /* no such old file is the head of an AOF; but a version that is damaged looks like this */
    return in->r.at == in->r.n || rdb_read_fail(&in->r, "something follows the end mark of a version that has no checksum");
}

#define OP_FIRST RDB_OP_SLOT_INFO
#define NO_ITEM RDB_IN_WRONG /* goes on to the next record */

static const struct {
    bool (*read)(struct rdb_in *in);
    enum rdb_in_item item;
} opcodes[] = {
    [RDB_OP_SLOT_INFO - OP_FIRST] = {read_slot, RDB_IN_SLOT},
    [RDB_OP_FUNCTION2 - OP_FIRST] = {read_function, RDB_IN_FUNCTION},
    [RDB_OP_FUNCTION_PRE_GA - OP_FIRST] = {read_function_old, RDB_IN_FUNCTION_OLD},
    [RDB_OP_MODULE_AUX - OP_FIRST] = {read_module_aux, RDB_IN_MODULE_AUX},
    [RDB_OP_IDLE - OP_FIRST] = {read_idle, NO_ITEM},
    [RDB_OP_FREQ - OP_FIRST] = {read_freq, NO_ITEM},
    [RDB_OP_AUX - OP_FIRST] = {read_aux, RDB_IN_AUX},
    [RDB_OP_RESIZEDB - OP_FIRST] = {read_sizes, RDB_IN_SIZES},
    [RDB_OP_EXPIRETIME_MS - OP_FIRST] = {read_expiry_ms, NO_ITEM},
    [RDB_OP_EXPIRETIME - OP_FIRST] = {read_expiry_s, NO_ITEM},
    [RDB_OP_SELECTDB - OP_FIRST] = {read_database, RDB_IN_DATABASE},
    [RDB_OP_EOF - OP_FIRST] = {read_end, RDB_IN_END},
};

/* ---- keys --------------------------------------------------------------------------------------------------------- */

/* Both forms of a module's value begin with its id. */
static void
note_module(struct rdb_in *in)
{
    struct rdb_read ahead = in->r;
    if (!rdb_read_length(&ahead, &in->module))
        in->module = 0;
}

/* Steps over a value that is no string; its type byte is at `at`. */
static bool
skip_other(struct rdb_in *in, size_t at)
{
    const struct rdb_form_row *row = rdb_form(in->type);
    if (!row)
        return rdb_read_fail_at(&in->r, at, "this type of value is not known");
    if (row->family == RDB_MODULE)
        note_module(in);
    return rdb_form_skip(&in->r, in->type);
}

/* A key and its value, whose type byte is behind. */
static enum rdb_in_item
read_key(struct rdb_in *in, unsigned type)
{
    struct rdb_read *r = &in->r;
    size_t at = r->at - 1;
    in->type = type;
    if (!rdb_read_string(r, &in->key, &in->scratch[0]))
        return RDB_IN_WRONG;
    in->has_key = true;
    in->from = r->at;
    if (type == RDB_FORM_STRING ? !rdb_read_skip_string(r) : !skip_other(in, at))
        return RDB_IN_WRONG;
    in->to = r->at;
    in->fresh = true;
    return RDB_IN_KEY;
}

/* What is said before a key was said of the key before. */
static void
begin_key(struct rdb_in *in)
{
    in->expires_ms = in->idle_s = in->freq = -1;
    in->has_key = in->fresh = false;
}

enum rdb_in_item
rdb_in_next(struct rdb_in *in)
{
    struct rdb_read *r = &in->r;
    if (in->fresh)
        begin_key(in);
    while (!r->wrong) {
        if (r->at == r->n) {
            rdb_read_fail(r, "the file ends without an end mark");
            break;
        }
        uint8_t byte = r->bytes[r->at++];
        if (byte < OP_FIRST)
            return read_key(in, byte);
        if (!opcodes[byte - OP_FIRST].read(in))
            break;
        if (opcodes[byte - OP_FIRST].item != NO_ITEM)
            return opcodes[byte - OP_FIRST].item;
    }
    return RDB_IN_WRONG;
}

/* ---- the checksum ------------------------------------------------------------------------------------------------- */

bool
rdb_in_sum_fits(const struct rdb_in *in)
{
    return in->sum == 0 || in->sum == crc64(0, in->r.bytes, in->summed);
}

/* ---- messages ----------------------------------------------------------------------------------------------------- */

void
rdb_in_print_key(const struct rdb_in *in, struct buf *text)
{
    const char *bytes = rdb_string_bytes(&in->key);
    size_t n = in->key.len < KEY_SHOWN_MAX ? in->key.len : KEY_SHOWN_MAX;
    buf_append_str(text, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c > '~')
            buf_printf(text, "\\x%02x", c);
        else
            buf_printf(text, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    buf_append_str(text, n < in->key.len ? "\"..." : "\"");
}

void
rdb_in_complain(const struct rdb_in *in, struct buf *text)
{
    const struct rdb_form_row *row = rdb_form(in->type);
    char module[RDB_MODULE_NAME];
    buf_printf(text, "byte %zu: %s", in->r.wrong_at, in->r.wrong ? in->r.wrong : "nothing wrong");
    if (in->version > RDB_VERSION_MAX)
        buf_printf(text, " (it is %u)", in->version);
    if (!in->has_key)
        return;
    buf_append_str(text, " (key ");
    rdb_in_print_key(in, text);
    buf_printf(text, " in database %lu, type ", (unsigned long)in->db);
    if (row)
        buf_append_str(text, row->name);
    else
        buf_printf(text, "%u", in->type);
    if (row && row->family == RDB_MODULE) {
        rdb_form_module_name(in->module, module);
        buf_printf(text, " of module %s", module);
    }
    buf_append_str(text, ")");
}
