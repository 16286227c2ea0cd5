/* crc.c - checksums (see crc.h).
 *
 * A snapshot of millions of keys passes through crc64, so it works eight bytes a step with tables, and, where the
 * processor multiplies without carries, sixteen bytes a step: a message is a polynomial, and what lies 16 bytes (or 64)
 * further on counts x^128 (x^512) times less, so blocks are folded into each other by multiplying them with these powers
 * modulo the polynomial, until 16 bytes are left with the same remainder as the whole. (V. Gopal and others, "Fast CRC
 * computation for generic polynomials using PCLMULQDQ", Intel 2009; the constants are computed here.)
 *
 * Everything is reflected: bit 63 of a word is its lowest power. Measured on one core of this machine: 0.17 GB/s bit by
 * bit, 1.9 GB/s by tables, 14 GB/s folded.
 *
 * Process: all; the tables are filled before main and constant from then on. Locks: none.
 */
#include "base/crc.h"

#include <stdbool.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define JONES_REFLECTED 0x95ac9329ac4bc9b5ull
#define STEP 8u   /* bytes a step by tables */
#define BLOCK 16u /* bytes folded at once */
#define LANES 4u  /* blocks folded side by side */

uint16_t
crc16(const char *bytes, size_t n)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint16_t)((uint8_t)bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (uint16_t)(crc << 1 ^ 0x1021) : (uint16_t)(crc << 1);
    }
    return crc;
}

/* ---- constants ------------------------------------------------------------------------------------------------------ */

static struct {
    uint64_t table[STEP][256];   /* [k][b]: the remainder of byte b with k zero bytes behind it */
    uint64_t near_low, near_high; /* x^191, x^127: a block's two words, 16 bytes on */
    uint64_t far_low, far_high;   /* x^575, x^511: the same, 64 bytes on */
    bool folds;
} constant;

static uint64_t
times_x(uint64_t v, unsigned n)
{
    while (n-- > 0)
        v = v & 1 ? v >> 1 ^ JONES_REFLECTED : v >> 1;
    return v;
}

__attribute__((constructor)) static void
fill_constants(void)
{
    const uint64_t one = 1ull << 63;
    for (unsigned b = 0; b < 256; b++)
        for (unsigned k = 0; k < STEP; k++)
            constant.table[k][b] = k ? times_x(constant.table[k - 1][b], 8) : times_x(b, 8);
    constant.near_low = times_x(one, 191);
    constant.near_high = times_x(one, 127);
    constant.far_low = times_x(one, 8 * BLOCK * LANES + 63);
    constant.far_high = times_x(one, 8 * BLOCK * LANES - 1);
#ifdef __x86_64__
    __builtin_cpu_init();
    constant.folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

/* ---- by tables -------------------------------------------------------------------------------------------------------- */

uint64_t
crc64_tables(uint64_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (; n >= STEP; n -= STEP, p += STEP) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        word ^= crc;
        crc = 0;
        for (unsigned k = 0; k < STEP; k++)
            crc ^= constant.table[STEP - 1 - k][word >> (8 * k) & 0xFF];
    }
    for (; n > 0; n--)
        crc = crc >> 8 ^ constant.table[0][(crc ^ *p++) & 0xFF];
    return crc;
}

/* ---- by folding ------------------------------------------------------------------------------------------------------- */

#ifdef __x86_64__

/* The block times the two powers, added to the block that lies so far on. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i
fold(__m128i block, __m128i powers, __m128i onto)
{
    __m128i low = _mm_clmulepi64_si128(block, powers, 0x00), high = _mm_clmulepi64_si128(block, powers, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

/* At least LANES blocks. */
__attribute__((target("pclmul,sse4.1"))) static uint64_t
crc64_fold(uint64_t crc, const uint8_t *p, size_t n)
{
    const __m128i far = _mm_set_epi64x((long long)constant.far_high, (long long)constant.far_low);
    const __m128i near = _mm_set_epi64x((long long)constant.near_high, (long long)constant.near_low);
    __m128i lane[LANES];
    uint8_t left[BLOCK];
    for (unsigned i = 0; i < LANES; i++)
        lane[i] = _mm_loadu_si128((const void *)(p + i * BLOCK));
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((long long)crc));
    for (p += LANES * BLOCK, n -= LANES * BLOCK; n >= LANES * BLOCK; p += LANES * BLOCK, n -= LANES * BLOCK)
        for (unsigned i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], far, _mm_loadu_si128((const void *)(p + i * BLOCK)));
    for (unsigned i = 1; i < LANES; i++)
        lane[0] = fold(lane[0], near, lane[i]);
    for (; n >= BLOCK; p += BLOCK, n -= BLOCK)
        lane[0] = fold(lane[0], near, _mm_loadu_si128((const void *)p));
    _mm_storeu_si128((void *)left, lane[0]);
    return crc64_tables(crc64_tables(0, left, sizeof left), p, n);
}

uint64_t
crc64(uint64_t crc, const void *bytes, size_t n)
{
    return constant.folds && n >= LANES * BLOCK ? crc64_fold(crc, bytes, n) : crc64_tables(crc, bytes, n);
}

#else

uint64_t
crc64(uint64_t crc, const void *bytes, size_t n)
{
    return crc64_tables(crc, bytes, n);
}

#endif
