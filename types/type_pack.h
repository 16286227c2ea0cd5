/* type_pack.h - pairs of byte strings one after the other: the form of small hashes inside entries and chain blocks.
 *
 *   pair:   | length | field | length | value |      length: one byte, or 255 and a u32
 *
 * Works on plain memory; noting and room are the caller's. Process: any. Locks: those of the memory.
 */
#ifndef KVSTASH_TYPES_TYPE_PACK_H
#define KVSTASH_TYPES_TYPE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct type_pair {
    const char *field, *value;
    size_t flen, vlen;
    size_t size; /* bytes of the whole pair */
};

/* Bytes that a pair takes. */
size_t type_pack_size(size_t flen, size_t vlen);
/* Reads the pair at p, which is well-formed. */
void type_pack_read(const uint8_t *p, struct type_pair *pair);
/* The same for bytes that are not trusted: false if the pair does not lie within n bytes. */
bool type_pack_check(const uint8_t *p, size_t n, struct type_pair *pair);
/* Writes pair->field and value; returns how many bytes. */
size_t type_pack_write(uint8_t *to, const struct type_pair *pair);
/* Where the field's pair begins, `used` if it is not there; *pair is what stands there. */
size_t type_pack_find(const uint8_t *pairs, size_t used, const char *field, size_t flen, struct type_pair *pair);
/* Copies the pairs with the old_size bytes at `at` replaced by a pair (NULL: by nothing); returns the new size. */
size_t type_pack_compose(uint8_t *to, const uint8_t *pairs, size_t used, size_t at, size_t old_size, const struct type_pair *pair);
/* The same where they lie. */
size_t type_pack_edit(uint8_t *pairs, size_t used, size_t at, size_t old_size, const struct type_pair *pair);

#endif
