/* type_entry.h - changing the shape of an entry in its block: what the types share.
 *
 * Bytes of a block behind the value part are of no value: growing into them needs no note, and who shortens a value
 * part has noted the bytes it gives up (type_string, type_hash do).
 */
#ifndef KVSTASH_TYPES_TYPE_ENTRY_H
#define KVSTASH_TYPES_TYPE_ENTRY_H

#include "shm/shm_class.h"
#include "shm/shm_entry.h"
#include "shm/shm_tx.h"

#define TYPE_EXPIRY_ROOM 8u /* kept free in the largest block, so that an expiry can always be added */

/* Bytes that the entry would take with a value part of vlen, with the header it has. */
static inline size_t
type_entry_need(const struct shm_entry_sh *e, size_t vlen)
{
    return shm_entry_head(e->flags) + shm_entry_klen(e) + vlen;
}

/* Can the value part become vlen bytes long where the entry lies? */
static inline bool
type_entry_fits(const struct shm_region *r, const struct shm_entry_sh *e, size_t vlen)
{
    size_t need = type_entry_need(e, vlen), expiry = e->flags & SHM_ENTRY_EXPIRES ? 0 : TYPE_EXPIRY_ROOM;
    return need + expiry <= SHM_BLOCK_MAX && need <= shm_block_size(r, shm_off_of(r, e));
}

/* Sets encoding and length of the value part (noting the header if they change); its bytes are the caller's to note and
 * write. */
static inline bool
type_entry_set_shape(struct shm_tx *tx, struct shm_entry_sh *e, unsigned encoding, size_t vlen)
{
    struct shm_entry_sh head = *e;
    xassert(encoding < 16 && vlen <= SHM_BLOCK_MAX - sizeof *e);
    if (shm_entry_encoding(e) == encoding && shm_entry_vlen(e) == vlen)
        return true;
    head.encoding = encoding & 15;
    head.vlen = vlen & 0x1FFF;
    return shm_tx_write(tx, e, &head, sizeof head);
}

/* Makes it one that was born at this snapshot epoch. */
static inline bool
type_entry_set_birth(struct shm_tx *tx, struct shm_entry_sh *e, uint32_t epoch)
{
    struct shm_entry_sh head = *e;
    head.birth = epoch & ((1u << SHM_BIRTH_BITS) - 1);
    return shm_tx_write(tx, e, &head, sizeof head);
}

#endif
