/* type_bitmap.c - strings as rows of bits (see type_bitmap.h).
 *
 * A range of bits is a first byte cut at the front, whole bytes, and a last byte cut at the end. The whole ones are taken
 * eight at a time: with the processor's own instruction where it has one, which is asked at run time.
 *
 * Process: any. Locks: those of the views. Fails: never.
 */
#include "types/type_bitmap.h"

/* ---- bytes ------------------------------------------------------------------------------------------------- */

#define COUNT_WORDS                                                                 \
    uint64_t sum = 0, word;                                                         \
    for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {                  \
        memcpy(&word, p, sizeof word);                                              \
        sum += (uint64_t)__builtin_popcountll(word);                                \
    }                                                                               \
    for (; n > 0; p++, n--)                                                         \
        sum += (uint64_t)__builtin_popcount((unsigned char)*p);                     \
    return sum

static uint64_t
count_portable(const char *p, size_t n)
{
    COUNT_WORDS;
}

#ifdef __x86_64__
__attribute__((target("popcnt"))) static uint64_t
count_popcnt(const char *p, size_t n)
{
    COUNT_WORDS;
}
#endif

static uint64_t
count_bytes(const char *p, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("popcnt"))
        return count_popcnt(p, n);
#endif
    return count_portable(p, n);
}

/* Where the first byte other than `skip` stands in n bytes; n if nowhere. */
static size_t
skip_bytes(const char *p, size_t n, unsigned char skip)
{
    uint64_t word, pattern = skip * 0x0101010101010101ull;
    size_t i = 0;
    for (; i + sizeof word <= n; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        if (word != pattern)
            break;
    }
    while (i < n && (unsigned char)p[i] == skip)
        i++;
    return i;
}

static unsigned char
byte_at(const struct string_view *v, size_t at)
{
    size_t n;
    return at < v->len ? (unsigned char)*type_string_piece(v, at, &n) : 0;
}

/* The bits first .. last (0 .. 7, 0 the highest) of a byte. */
static unsigned char
mask(unsigned first, unsigned last)
{
    return (unsigned char)(0xFFu >> first & 0xFFu << (7 - last));
}

/* ---- bits -------------------------------------------------------------------------------------------------------- */

bool
type_bitmap_get(const struct string_view *v, uint64_t bit)
{
    return byte_at(v, bit / 8) >> (7 - bit % 8) & 1;
}

uint64_t
type_bitmap_count(const struct string_view *v, uint64_t first, uint64_t last)
{
    size_t at = first / 8, end = last / 8;
    if (at == end)
        return (uint64_t)__builtin_popcount(byte_at(v, at) & mask(first % 8, last % 8));
    uint64_t sum = (uint64_t)__builtin_popcount(byte_at(v, at) & mask(first % 8, 7));
    for (at++; at < end;) {
        size_t n;
        const char *p = type_string_piece(v, at, &n);
        n = n < end - at ? n : end - at;
        sum += count_bytes(p, n);
        at += n;
    }
    return sum + (uint64_t)__builtin_popcount(byte_at(v, end) & mask(0, last % 8));
}

/* The place of the first bit that is `set` among those of a byte that `among` marks; 8: none. */
static unsigned
find_in_byte(unsigned char byte, bool set, unsigned char among)
{
    unsigned found = (set ? byte : (unsigned char)~byte) & among;
    return found ? (unsigned)__builtin_clz(found) - 24 : 8;
}

int64_t
type_bitmap_find(const struct string_view *v, bool set, uint64_t first, uint64_t last)
{
    size_t at = first / 8, end = last / 8;
    unsigned in = find_in_byte(byte_at(v, at), set, mask(first % 8, at == end ? last % 8 : 7));
    if (in < 8)
        return (int64_t)(at * 8 + in);
    for (at++; at < end;) {
        size_t n;
        const char *p = type_string_piece(v, at, &n);
        n = n < end - at ? n : end - at;
        size_t skipped = skip_bytes(p, n, set ? 0 : 0xFF);
        if (skipped < n)
            return (int64_t)((at + skipped) * 8 + find_in_byte((unsigned char)p[skipped], set, 0xFF));
        at += n;
    }
    in = at == end ? find_in_byte(byte_at(v, end), set, mask(0, last % 8)) : 8;
    return in < 8 ? (int64_t)(end * 8 + in) : -1;
}

/* ---- combining ------------------------------------------------------------------------------------------------------ */

static void
combine_bytes(enum type_bitmap_op op, char *restrict to, const char *restrict from, size_t n)
{
    switch (op) {
    case TYPE_BITMAP_AND:
        for (size_t i = 0; i < n; i++)
            to[i] &= from[i];
        return;
    case TYPE_BITMAP_OR:
        for (size_t i = 0; i < n; i++)
            to[i] |= from[i];
        return;
    case TYPE_BITMAP_XOR:
        for (size_t i = 0; i < n; i++)
            to[i] ^= from[i];
        return;
    case TYPE_BITMAP_NOT:
        for (size_t i = 0; i < n; i++)
            to[i] = (char)~from[i];
        return;
    }
}

/* Bytes at..at+n of a view, zeros behind its end. */
static void
copy_padded(const struct string_view *v, size_t at, char *out, size_t n)
{
    size_t have = at < v->len ? v->len - at : 0;
    have = have < n ? have : n;
    if (have)
        type_string_copy(v, at, out, have);
    memset(out + have, 0, n - have);
}

void
type_bitmap_combine(enum type_bitmap_op op, const struct string_view *sources, size_t nsources, size_t at, char *out, size_t n)
{
    char other[SHM_BLOB_LEAF];
    xassert(nsources >= 1 && n <= sizeof other);
    copy_padded(&sources[0], at, out, n);
    if (op == TYPE_BITMAP_NOT) {
        memcpy(other, out, n);
        combine_bytes(op, out, other, n);
        return;
    }
    for (size_t i = 1; i < nsources; i++) {
        copy_padded(&sources[i], at, other, n);
        combine_bytes(op, out, other, n);
    }
}

/* ---- fields ------------------------------------------------------------------------------------------------------------ */

size_t
type_bitmap_field_bytes(const struct string_view *v, const struct bitmap_field *f, char bytes[TYPE_BITMAP_FIELD_BYTES], size_t *n)
{
    size_t at = f->offset / 8;
    *n = (f->offset + f->bits - 1) / 8 - at + 1;
    copy_padded(v, at, bytes, TYPE_BITMAP_FIELD_BYTES);
    return at;
}

int64_t
type_bitmap_field_get(const struct bitmap_field *f, const char bytes[TYPE_BITMAP_FIELD_BYTES])
{
    unsigned __int128 row = 0;
    for (unsigned i = 0; i < TYPE_BITMAP_FIELD_BYTES; i++)
        row = row << 8 | (unsigned char)bytes[i];
    uint64_t value = (uint64_t)(row >> (8 * TYPE_BITMAP_FIELD_BYTES - f->offset % 8 - f->bits));
    if (f->bits == 64)
        return (int64_t)value;
    value &= (1ull << f->bits) - 1;
    if (f->is_signed && value >> (f->bits - 1))
        value |= ~0ull << f->bits;
    return (int64_t)value;
}

void
type_bitmap_field_put(const struct bitmap_field *f, char bytes[TYPE_BITMAP_FIELD_BYTES], int64_t value)
{
    for (unsigned i = 0; i < f->bits; i++) {
        unsigned at = (unsigned)(f->offset % 8) + i, shift = 7 - at % 8;
        unsigned char bit = (uint64_t)value >> (f->bits - 1 - i) & 1;
        bytes[at / 8] = (char)(((unsigned char)bytes[at / 8] & ~(1u << shift)) | (unsigned)bit << shift);
    }
}

/* The value's lowest bits, as the field shows them. */
static int64_t
wrap(const struct bitmap_field *f, uint64_t value)
{
    if (f->bits == 64)
        return (int64_t)value;
    uint64_t low = value & ((1ull << f->bits) - 1);
    return (int64_t)(f->is_signed && low >> (f->bits - 1) ? low | ~0ull << f->bits : low);
}

/* Redis tells an overflow by comparing with max - value, which wraps for values near INT64_MIN: these saturate at the top. */
static bool
saturates_at_max(const struct bitmap_field *f, int64_t value, __int128 exact, __int128 max)
{
    return exact > max || (f->is_signed && f->bits < 64 && value < (int64_t)max - INT64_MAX);
}

bool
type_bitmap_field_add(const struct bitmap_field *f, enum type_bitmap_overflow overflow, int64_t value, int64_t by, int64_t *sum)
{
    __int128 exact = (f->is_signed ? (__int128)value : (__int128)(uint64_t)value) + by;
    __int128 max = ((__int128)1 << (f->is_signed ? f->bits - 1 : f->bits)) - 1, min = f->is_signed ? -max - 1 : 0;
    if (exact >= min && exact <= max)
        *sum = (int64_t)exact;
    else if (overflow == TYPE_BITMAP_SAT)
        *sum = (int64_t)(saturates_at_max(f, value, exact, max) ? max : min);
    else
        *sum = wrap(f, (uint64_t)exact);
    return (exact >= min && exact <= max) || overflow != TYPE_BITMAP_FAIL;
}
