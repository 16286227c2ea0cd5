/* crc.c - bitwise-built tables at first use would be shared state; four bits a step need sixteen constants, computed
 * here in place: checksums are not on a hot path. */
#include "base/crc.h"

#define JONES_REFLECTED 0x95ac9329ac4bc9b5ull

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

uint64_t
crc64(uint64_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ JONES_REFLECTED : crc >> 1;
    }
    return crc;
}
