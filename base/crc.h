/* crc.h - the checksums of Redis's formats.
 *
 * crc16: XMODEM (polynomial 0x1021), Redis Cluster's key slots; "123456789" gives 0x31c3.
 * crc64: Jones (0xad93d23594c935a9, reflected), RDB and DUMP; "123456789" gives 0xe9c6d914c4b8d9ca.
 */
#ifndef KVSTASH_BASE_CRC_H
#define KVSTASH_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const char *bytes, size_t n);
/* Goes on from `crc`; start with 0. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t n);
/* The same by tables alone, whatever the processor can do (tests compare the two). */
uint64_t crc64_tables(uint64_t crc, const void *bytes, size_t n);

#endif
