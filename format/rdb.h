/* rdb.h - the numbers of the RDB format: its version, opcodes, value types, string encodings.
 *
 *   file:    "REDIS" and four digits of version | records | EOF | u64 crc64 of all before, or zeros
 *   record:  AUX name value | SELECTDB number | RESIZEDB keys expires | [EXPIRETIME_MS i64] type key value
 *   string:  length and bytes | a number of 1, 2 or 4 bytes | LZF: compressed length, length, bytes
 *   length:  00xxxxxx | 01xxxxxx xxxxxxxx | 10000000 u32 | 10000001 u64 (big-endian) | 11xxxxxx: an encoded string
 *
 * Sources: Redis's descriptions of the RDB file format, and files of redis-server 7.0.15.
 */
#ifndef KVSTASH_FORMAT_RDB_H
#define KVSTASH_FORMAT_RDB_H

#define RDB_MAGIC "REDIS"
#define RDB_VERSION 10u /* as written */

enum rdb_opcode {
    RDB_OP_AUX = 0xFA,
    RDB_OP_RESIZEDB = 0xFB,
    RDB_OP_EXPIRETIME_MS = 0xFC,
    RDB_OP_SELECTDB = 0xFE,
    RDB_OP_EOF = 0xFF,
};

/* Types of values that are written. */
enum rdb_form {
    RDB_FORM_STRING = 0,
    RDB_FORM_HASH = 4,
    RDB_FORM_HASH_LISTPACK = 16,
};

/* The low bits of an encoded string's first byte. */
enum rdb_string_encoding { RDB_ENC_INT8 = 0, RDB_ENC_INT16 = 1, RDB_ENC_INT32 = 2, RDB_ENC_LZF = 3 };
#define RDB_LENGTH_ENCODED 0xC0u /* the two highest bits: not a length but an encoding */

#endif
