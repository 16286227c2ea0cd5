/* type_bitmap.h - strings seen as rows of bits: counting, searching, combining, and fields of up to 64 bits.
 *
 * Bit 0 is the highest bit of the first byte, as in Redis. Everything works on views piece by piece, so that a string of
 * any size is read where it lies; behind its end a string reads as zeros.
 *
 * Process: any. Locks: those of the views. Changes nothing: the caller writes what was computed.
 */
#ifndef KVSTASH_TYPES_TYPE_BITMAP_H
#define KVSTASH_TYPES_TYPE_BITMAP_H

#include "types/type_string.h"

enum type_bitmap_op { TYPE_BITMAP_AND, TYPE_BITMAP_OR, TYPE_BITMAP_XOR, TYPE_BITMAP_NOT };

#define TYPE_BITMAP_FIELD_BYTES 9u /* a field of 64 bits touches so many at most */

/* The bit at a place; 0 behind the end. */
bool type_bitmap_get(const struct string_view *v, uint64_t bit);
/* How many bits are set among the bits first .. last, both included and within the string. */
uint64_t type_bitmap_count(const struct string_view *v, uint64_t first, uint64_t last);
/* The place of the first bit that is `set` among first .. last (within the string), or -1. */
int64_t type_bitmap_find(const struct string_view *v, bool set, uint64_t first, uint64_t last);
/* The n bytes at `at` of the sources combined (NOT: of the first one); n is at most SHM_BLOB_LEAF. */
void type_bitmap_combine(
    enum type_bitmap_op op, const struct string_view *sources, size_t nsources, size_t at, char *out, size_t n);

/* An integer of 1 to 64 bits at a place in the row. */
struct bitmap_field {
    uint64_t offset; /* bits */
    unsigned bits;
    bool is_signed;
};
enum type_bitmap_overflow { TYPE_BITMAP_WRAP, TYPE_BITMAP_SAT, TYPE_BITMAP_FAIL };

/* The bytes that a field touches, out of the string (zeros behind its end); returns where they begin, *n gets how many. */
size_t type_bitmap_field_bytes(
    const struct string_view *v, const struct bitmap_field *f, char bytes[TYPE_BITMAP_FIELD_BYTES], size_t *n);
/* The field's value in these bytes; unsigned ones have at most 63 bits. */
int64_t type_bitmap_field_get(const struct bitmap_field *f, const char bytes[TYPE_BITMAP_FIELD_BYTES]);
/* Stores the value's lowest bits. */
void type_bitmap_field_put(const struct bitmap_field *f, char bytes[TYPE_BITMAP_FIELD_BYTES], int64_t value);
/* value + by as the field can hold it. False: it can't and the answer is TYPE_BITMAP_FAIL. An unsigned field's value is
 * taken as it stands in 64 bits, so a negative one is far above its largest. */
bool type_bitmap_field_add(
    const struct bitmap_field *f, enum type_bitmap_overflow overflow, int64_t value, int64_t by, int64_t *sum);

#endif
