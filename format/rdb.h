/* rdb.h - the numbers of the RDB format: its versions, opcodes, value types, string encodings.
 *
 *   file:    "REDIS" and four digits of version | records | EOF | u64 crc64 of all before, or zeros (from version 5 on)
 *   record:  AUX name value | SELECTDB number | RESIZEDB keys expires | FUNCTION2 code | SLOT_INFO slot keys expires |
 *            MODULE_AUX module opcodes | [EXPIRETIME i32 | EXPIRETIME_MS i64] [IDLE length | FREQ u8] type key value
 *   string:  length and bytes | a number of 1, 2 or 4 bytes | LZF: compressed length, length, bytes
 *   length:  00xxxxxx | 01xxxxxx xxxxxxxx | 10000000 u32 | 10000001 u64 (big-endian) | 11xxxxxx: an encoded string
 *
 * Version 10 is Redis 7.0's, 11 is 7.2's (sets as listpacks, streams with their consumers' active time), 12 is 7.4's
 * (hashes whose fields expire, counts of slots). Sources: Redis's descriptions of the RDB file format and its list of
 * types and opcodes (rdb.h of 7.0, 7.2 and 7.4), the wiki of redis-rdb-tools, and files of redis-server 7.0.15.
 */
#ifndef KVSTASH_FORMAT_RDB_H
#define KVSTASH_FORMAT_RDB_H

#define RDB_MAGIC "REDIS"
#define RDB_HEAD 9u         /* bytes of magic and version */
#define RDB_VERSION 10u     /* as written */
#define RDB_VERSION_MAX 12u /* that is read */
#define RDB_VERSION_SUM 5u  /* the first with a checksum */

enum rdb_opcode {
    RDB_OP_SLOT_INFO = 0xF4,
    RDB_OP_FUNCTION2 = 0xF5,
    RDB_OP_FUNCTION_PRE_GA = 0xF6, /* of 7.0's release candidates */
    RDB_OP_MODULE_AUX = 0xF7,
    RDB_OP_IDLE = 0xF8,
    RDB_OP_FREQ = 0xF9,
    RDB_OP_AUX = 0xFA,
    RDB_OP_RESIZEDB = 0xFB,
    RDB_OP_EXPIRETIME_MS = 0xFC,
    RDB_OP_EXPIRETIME = 0xFD,
    RDB_OP_SELECTDB = 0xFE,
    RDB_OP_EOF = 0xFF,
};

/* Types of values; 0, 4 and 16 are written. */
enum rdb_form {
    RDB_FORM_STRING = 0,
    RDB_FORM_LIST = 1,
    RDB_FORM_SET = 2,
    RDB_FORM_ZSET = 3, /* scores as text */
    RDB_FORM_HASH = 4,
    RDB_FORM_ZSET_2 = 5, /* scores as binary doubles */
    RDB_FORM_MODULE_1 = 6,
    RDB_FORM_MODULE_2 = 7,
    RDB_FORM_HASH_ZIPMAP = 9,
    RDB_FORM_LIST_ZIPLIST = 10,
    RDB_FORM_SET_INTSET = 11,
    RDB_FORM_ZSET_ZIPLIST = 12,
    RDB_FORM_HASH_ZIPLIST = 13,
    RDB_FORM_LIST_QUICKLIST = 14, /* of ziplists */
    RDB_FORM_STREAM_LISTPACKS = 15,
    RDB_FORM_HASH_LISTPACK = 16,
    RDB_FORM_ZSET_LISTPACK = 17,
    RDB_FORM_LIST_QUICKLIST_2 = 18, /* of listpacks and plain elements */
    RDB_FORM_STREAM_LISTPACKS_2 = 19,
    RDB_FORM_SET_LISTPACK = 20,
    RDB_FORM_STREAM_LISTPACKS_3 = 21,
    RDB_FORM_HASH_METADATA_PRE_GA = 22, /* fields with expiries, of 7.4's release candidates */
    RDB_FORM_HASH_LISTPACK_EX_PRE_GA = 23,
    RDB_FORM_HASH_METADATA = 24,
    RDB_FORM_HASH_LISTPACK_EX = 25,
    RDB_FORMS,
};

/* The low bits of an encoded string's first byte. */
enum rdb_string_encoding { RDB_ENC_INT8 = 0, RDB_ENC_INT16 = 1, RDB_ENC_INT32 = 2, RDB_ENC_LZF = 3 };
#define RDB_LENGTH_ENCODED 0xC0u /* the two highest bits: not a length but an encoding */

/* What a module's value, in the second form, consists of. */
enum rdb_module_opcode {
    RDB_MODULE_EOF = 0,
    RDB_MODULE_SINT = 1,
    RDB_MODULE_UINT = 2,
    RDB_MODULE_FLOAT = 3,
    RDB_MODULE_DOUBLE = 4,
    RDB_MODULE_STRING = 5,
};

#endif
