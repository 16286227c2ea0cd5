/* rows_bitmap.c - commands on the bits of strings.
 *
 * Facts are those that Redis 7.0.15 tells with COMMAND INFO and COMMAND DOCS; the sentences are our own. A row
 * without .run waits for its function and does not exist for clients. How rows are written: command/command_row.h.
 */
#include <stddef.h>

#include "command/cmd_rows.h"
#include "command/command_keys.h"
#include "command/command_table.h"

const struct command_row command_rows_bitmap[] = {
    {.name = "bitcount", .run = cmd_bitcount, .arity = -2, .flags = CMD_READONLY | CMD_COPY_OK,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "2.6.0", .complexity = "O(N)",
        .summary = "Counts the bits that are set in a string.", KEY_AT(1, KEY_RO | KEY_ACCESS),
        HISTORY({"7.0.0", "BYTE and BIT"}),
        ARGS(
            ARG("key", KEY),
            ARG("index", BLOCK, .flags = ARG_OPTIONAL, ARGS(
                ARG("start", INTEGER), ARG("end", INTEGER),
                ARG("index_unit", ONEOF, .flags = ARG_OPTIONAL, .since = "7.0.0", ARGS(
                    TOKEN("byte", "BYTE"), TOKEN("bit", "BIT"))))))},
    {.name = "bitfield", .run = cmd_bitfield, .arity = -2, .flags = CMD_WRITE | CMD_DENYOOM, .key_flags = command_keys_bitfield_flags,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "3.2.0", .complexity = "O(1) for each operation",
        .summary = "Reads, sets and adds to integers of any width inside a string.",
        KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS,
            .notes = "Reads or changes the key, as its operations say"),
        ARGS(
            ARG("key", KEY),
            ARG("operation", ONEOF, .flags = ARG_OPTIONAL | ARG_MULTIPLE, ARGS(
                ARG("encoding_offset", BLOCK, .token = "GET", ARGS(ARG("encoding", STRING), ARG("offset", INTEGER))),
                ARG("write", BLOCK, ARGS(
                    ARG("wrap_sat_fail", ONEOF, .flags = ARG_OPTIONAL, .token = "OVERFLOW", ARGS(
                        TOKEN("wrap", "WRAP"), TOKEN("sat", "SAT"), TOKEN("fail", "FAIL"))),
                    ARG("write_operation", ONEOF, ARGS(
                        ARG("encoding_offset_value", BLOCK, .token = "SET", ARGS(
                            ARG("encoding", STRING), ARG("offset", INTEGER), ARG("value", INTEGER))),
                        ARG("encoding_offset_increment", BLOCK, .token = "INCRBY", ARGS(
                            ARG("encoding", STRING), ARG("offset", INTEGER), ARG("increment", INTEGER))))))))))},
    {.name = "bitfield_ro", .run = cmd_bitfield_ro, .arity = -2, .flags = CMD_READONLY | CMD_FAST | CMD_COPY_OK,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "6.0.0", .complexity = "O(1) for each operation",
        .summary = "Reads integers of any width inside a string.", KEY_AT(1, KEY_RO | KEY_ACCESS),
        ARGS(
            ARG("key", KEY),
            ARG("encoding_offset", BLOCK, .flags = ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN, .token = "GET", ARGS(
                ARG("encoding", STRING), ARG("offset", INTEGER))))},
    {.name = "bitop", .run = cmd_bitop, .arity = -4, .flags = CMD_WRITE | CMD_DENYOOM,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "2.6.0", .complexity = "O(N)",
        .summary = "Combines strings bit by bit and stores the outcome.",
        KEY_SPECS(2, -1, 1, KEY_SPEC(2, 0, 1, KEY_OW | KEY_UPDATE), KEY_SPEC(3, -1, 1, KEY_RO | KEY_ACCESS)),
        ARGS(ARG("operation", STRING), ARG("destkey", KEY), ARG("key", KEY, .flags = ARG_MULTIPLE, .key_spec = 1))},
    {.name = "bitpos", .run = cmd_bitpos, .arity = -3, .flags = CMD_READONLY | CMD_COPY_OK,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "2.8.7", .complexity = "O(N)",
        .summary = "Finds the first bit of a string that is set or clear.", KEY_AT(1, KEY_RO | KEY_ACCESS),
        HISTORY({"7.0.0", "BYTE and BIT"}),
        ARGS(
            ARG("key", KEY), ARG("bit", INTEGER),
            ARG("index", BLOCK, .flags = ARG_OPTIONAL, ARGS(
                ARG("start", INTEGER),
                ARG("end_index", BLOCK, .flags = ARG_OPTIONAL, ARGS(
                    ARG("end", INTEGER),
                    ARG("index_unit", ONEOF, .flags = ARG_OPTIONAL, .since = "7.0.0", ARGS(
                        TOKEN("byte", "BYTE"), TOKEN("bit", "BIT"))))))))},
    {.name = "getbit", .run = cmd_getbit, .arity = 3, .flags = CMD_READONLY | CMD_FAST | CMD_COPY_OK,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "2.2.0", .complexity = "O(1)",
        .summary = "Answers one bit of a string.", KEY_AT(1, KEY_RO | KEY_ACCESS),
        ARGS(ARG("key", KEY), ARG("offset", INTEGER))},
    {.name = "setbit", .run = cmd_setbit, .arity = 4, .flags = CMD_WRITE | CMD_DENYOOM,
        .acl = ACL_BITMAP, .group = "bitmap", .since = "2.2.0", .complexity = "O(1)",
        .summary = "Sets or clears one bit of a string.", KEY_AT(1, KEY_RW | KEY_ACCESS | KEY_UPDATE),
        ARGS(ARG("key", KEY), ARG("offset", INTEGER), ARG("value", INTEGER))},
    {0},
};
