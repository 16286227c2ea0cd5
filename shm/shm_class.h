/* shm_class.h - block size classes: which sizes exist, and how a size finds its class without a table.
 *
 *   0 .. 12   32, 40 .. 128          steps of 8
 *  13 .. 72   144, 160 .. 1088       steps of 16 (so that a value of 1000 bytes wastes at most 15)
 *  73 .. 98   span / k for k = 29..4 up to 8192, rounded down to 16
 *  99 .. 106  segments of the index (type-stable memory, 64-byte lines): 128, 256 .. 4096
 */
#ifndef KVSTASH_SHM_CLASS_H
#define KVSTASH_SHM_CLASS_H

#include "base/xassert.h"
#include "shm/shm_layout.h"

#define SHM_CLASS_FINE 13u
#define SHM_CLASS_STEP16 73u
#define SHM_CLASS_TABLE 99u
#define SHM_CLASSES 107u
#define SHM_CLASS_K_MAX 29u

_Static_assert(SHM_CLASSES <= SHM_CLASSES_MAX, "room lists");

static inline unsigned
shm_class_of(uint32_t n)
{
    xassert_debug(n >= 1 && n <= SHM_BLOCK_MAX);
    if (n <= 128)
        return n <= 32 ? 0 : (n + 7) / 8 - 4;
    uint32_t n16 = (n + 15) / 16;
    if (n16 <= 68)
        return SHM_CLASS_FINE + n16 - 9;
    return SHM_CLASS_STEP16 + SHM_CLASS_K_MAX - SHM_SPAN_BYTES / (n16 * 16);
}

static inline unsigned
shm_class_of_table(uint32_t n)
{
    static const uint16_t sizes[] = {128, 256, 512, 1024, 1536, 2048, 3072, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (n <= sizes[i])
            return SHM_CLASS_TABLE + i;
    never_reached("a segment larger than its largest class");
}

static inline uint32_t
shm_class_size(unsigned class)
{
    static const uint16_t table[] = {128, 256, 512, 1024, 1536, 2048, 3072, 4096};
    if (class < SHM_CLASS_FINE)
        return (class + 4) * 8;
    if (class < SHM_CLASS_STEP16)
        return (class - SHM_CLASS_FINE + 9) * 16;
    if (class < SHM_CLASS_TABLE)
        return SHM_SPAN_BYTES / (SHM_CLASS_K_MAX - (class - SHM_CLASS_STEP16)) & ~15u;
    xassert(class < SHM_CLASSES);
    return table[class - SHM_CLASS_TABLE];
}

static inline uint32_t
shm_class_blocks(unsigned class)
{
    return SHM_SPAN_BYTES / shm_class_size(class);
}

#endif
