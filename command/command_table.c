/* command_table.c - the rows, and finding one by name.
 *
 * Process: workers. Locks: none. The index is open addressing over a power of two, filled once.
 */
#include "command/command_table.h"

#include <string.h>
#include <strings.h>

#include "base/xassert.h"
#include "command/cmd_rows.h"

const struct command_row command_rows[] = {
    {"set", cmd_set, -3, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", "Set a key to a string"},
    {"get", cmd_get, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "string", "Value of a string key"},
    {"getex", cmd_getex, -2, CMD_WRITE | CMD_FAST, 1, 1, 1, "string", "Value of a key, changing its expiry"},
    {"getdel", cmd_getdel, 2, CMD_WRITE | CMD_FAST, 1, 1, 1, "string", "Value of a key, deleting it"},
    {"getset", cmd_getset, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Set a key, answer the old value"},
    {"setex", cmd_setex, 4, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", "Set with expiry in seconds"},
    {"psetex", cmd_psetex, 4, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", "Set with expiry in milliseconds"},
    {"setnx", cmd_setnx, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Set if absent"},
    {"mset", cmd_mset, -3, CMD_WRITE | CMD_DENYOOM, 1, -1, 2, "string", "Set several keys at once"},
    {"msetnx", cmd_msetnx, -3, CMD_WRITE | CMD_DENYOOM, 1, -1, 2, "string", "Set several keys if all are absent"},
    {"mget", cmd_mget, -2, CMD_READONLY | CMD_FAST, 1, -1, 1, "string", "Values of several keys"},
    {"append", cmd_append, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Append to a string"},
    {"strlen", cmd_strlen, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "string", "Length of a string"},
    {"setrange", cmd_setrange, 4, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", "Overwrite part of a string"},
    {"getrange", cmd_getrange, 4, CMD_READONLY | CMD_COPY_OK, 1, 1, 1, "string", "Part of a string"},
    {"substr", cmd_getrange, 4, CMD_READONLY | CMD_COPY_OK, 1, 1, 1, "string", "Part of a string"},
    {"incr", cmd_incr, 2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Add one"},
    {"decr", cmd_decr, 2, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Subtract one"},
    {"incrby", cmd_incrby, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Add an integer"},
    {"decrby", cmd_decrby, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Subtract an integer"},
    {"incrbyfloat", cmd_incrbyfloat, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "string", "Add a float"},
    {"lcs", cmd_lcs, -3, CMD_READONLY, 1, 2, 1, "string", "Longest common subsequence"},
    {"del", cmd_del, -2, CMD_WRITE, 1, -1, 1, "generic", "Delete keys"},
    {"unlink", cmd_del, -2, CMD_WRITE | CMD_FAST, 1, -1, 1, "generic", "Delete keys"},
    {"exists", cmd_exists, -2, CMD_READONLY | CMD_FAST, 1, -1, 1, "generic", "Count existing keys"},
    {"touch", cmd_exists, -2, CMD_READONLY | CMD_FAST, 1, -1, 1, "generic", "Touch keys"},
    {"type", cmd_type, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "generic", "Type of a key"},
    {"expire", cmd_expire, -3, CMD_WRITE | CMD_FAST, 1, 1, 1, "generic", "Expiry in seconds from now"},
    {"pexpire", cmd_pexpire, -3, CMD_WRITE | CMD_FAST, 1, 1, 1, "generic", "Expiry in milliseconds from now"},
    {"expireat", cmd_expireat, -3, CMD_WRITE | CMD_FAST, 1, 1, 1, "generic", "Expiry at a time in seconds"},
    {"pexpireat", cmd_pexpireat, -3, CMD_WRITE | CMD_FAST, 1, 1, 1, "generic", "Expiry at a time in milliseconds"},
    {"ttl", cmd_ttl, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "generic", "Seconds to live"},
    {"pttl", cmd_pttl, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "generic", "Milliseconds to live"},
    {"expiretime", cmd_expiretime, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "generic", "Time of expiry in seconds"},
    {"pexpiretime", cmd_pexpiretime, 2, CMD_READONLY | CMD_FAST | CMD_COPY_OK, 1, 1, 1, "generic", "Time of expiry in milliseconds"},
    {"persist", cmd_persist, 2, CMD_WRITE | CMD_FAST, 1, 1, 1, "generic", "Remove the expiry"},
    {"dbsize", cmd_dbsize, 1, CMD_READONLY | CMD_FAST, 0, 0, 0, "server", "Number of keys"},
    {"flushdb", cmd_flushdb, -1, CMD_WRITE, 0, 0, 0, "server", "Delete the keys of this database"},
    {"flushall", cmd_flushall, -1, CMD_WRITE, 0, 0, 0, "server", "Delete all keys"},
    {"scan", cmd_scan, -2, CMD_READONLY, 0, 0, 0, "generic", "Walk over the keys"},
    {"keys", cmd_keys, 2, CMD_READONLY, 0, 0, 0, "generic", "Names of the keys that match"},
    {"hset", cmd_hset, -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "hash", "Set fields"},
    {"hmset", cmd_hmset, -4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "hash", "Set fields"},
    {"hsetnx", cmd_hsetnx, 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "hash", "Set a field if absent"},
    {"hget", cmd_hget, 3, CMD_READONLY | CMD_FAST, 1, 1, 1, "hash", "Value of a field"},
    {"hmget", cmd_hmget, -3, CMD_READONLY | CMD_FAST, 1, 1, 1, "hash", "Values of fields"},
    {"hdel", cmd_hdel, -3, CMD_WRITE | CMD_FAST, 1, 1, 1, "hash", "Remove fields"},
    {"hlen", cmd_hlen, 2, CMD_READONLY | CMD_FAST, 1, 1, 1, "hash", "Number of fields"},
    {"hstrlen", cmd_hstrlen, 3, CMD_READONLY | CMD_FAST, 1, 1, 1, "hash", "Length of a field's value"},
    {"hexists", cmd_hexists, 3, CMD_READONLY | CMD_FAST, 1, 1, 1, "hash", "Does a field exist"},
    {"hgetall", cmd_hgetall, 2, CMD_READONLY, 1, 1, 1, "hash", "All fields and values"},
    {"hkeys", cmd_hkeys, 2, CMD_READONLY, 1, 1, 1, "hash", "All fields"},
    {"hvals", cmd_hvals, 2, CMD_READONLY, 1, 1, 1, "hash", "All values"},
    {"hincrby", cmd_hincrby, 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "hash", "Add an integer to a field"},
    {"hincrbyfloat", cmd_hincrbyfloat, 4, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, "hash", "Add a float to a field"},
    {"ping", cmd_ping, -1, CMD_FAST, 0, 0, 0, "connection", "Answer"},
    {"echo", cmd_echo, 2, CMD_FAST, 0, 0, 0, "connection", "Answer the argument"},
    {"select", cmd_select, 2, CMD_FAST | CMD_LOADING | CMD_STALE, 0, 0, 0, "connection", "Choose the database"},
    {"hello", cmd_hello, -1, CMD_FAST | CMD_NO_AUTH, 0, 0, 0, "connection", "Choose the protocol"},
    {"quit", cmd_quit, -1, CMD_FAST | CMD_NO_AUTH, 0, 0, 0, "connection", "Close the connection"},
    {"info", cmd_info, -1, CMD_LOADING | CMD_STALE, 0, 0, 0, "server", "Facts about the server"},
    {"config", cmd_config, -2, CMD_ADMIN | CMD_LOADING | CMD_STALE, 0, 0, 0, "server", "Parameters"},
    {"command", cmd_command, -1, CMD_LOADING | CMD_STALE, 0, 0, 0, "server", "The command table"},
    {"client", cmd_client, -2, CMD_LOADING | CMD_STALE, 0, 0, 0, "connection", "The connection"},
    {"time", cmd_time, 1, CMD_FAST, 0, 0, 0, "server", "Wall clock"},
    {"debug", cmd_debug, -2, CMD_ADMIN, 0, 0, 0, "server", "Inner checks"},
    {"object", cmd_object, -2, CMD_READONLY, 2, 2, 1, "generic", "Inner facts of a key"},
    {"shutdown", cmd_shutdown, -1, CMD_ADMIN | CMD_LOADING | CMD_STALE, 0, 0, 0, "server", "End the server"},
};
const size_t command_rows_count = sizeof command_rows / sizeof command_rows[0];

#define INDEX 512u
_Static_assert(sizeof command_rows / sizeof command_rows[0] * 2 < INDEX, "the index stays sparse");

static uint8_t row_index[INDEX]; /* row + 1 */

static unsigned
hash(const char *name, size_t len)
{
    unsigned h = (unsigned)len;
    for (size_t i = 0; i < len; i++)
        h = h * 31 + ((unsigned char)name[i] | 32);
    return h % INDEX;
}

static void
fill(void)
{
    for (size_t r = 0; r < command_rows_count; r++) {
        unsigned h = hash(command_rows[r].name, strlen(command_rows[r].name));
        while (row_index[h])
            h = (h + 1) % INDEX;
        row_index[h] = (uint8_t)(r + 1);
    }
}

const struct command_row *
command_find(const char *name, size_t len)
{
    static bool filled;
    if (!filled) {
        fill();
        filled = true;
    }
    for (unsigned h = hash(name, len); row_index[h]; h = (h + 1) % INDEX) {
        const struct command_row *row = &command_rows[row_index[h] - 1];
        if (strncasecmp(row->name, name, len) == 0 && row->name[len] == '\0')
            return row;
    }
    return NULL;
}
