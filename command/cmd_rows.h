/* cmd_rows.h - the command functions, one per row of the table (command/rows_*.c). Contract: command/cmd.h. */
#ifndef KVSTASH_COMMAND_CMD_ROWS_H
#define KVSTASH_COMMAND_CMD_ROWS_H

#include "command/command_row.h"

command_fn cmd_setbit, cmd_getbit, cmd_bitcount, cmd_bitpos, cmd_bitop, cmd_bitfield, cmd_bitfield_ro;

command_fn cmd_set, cmd_get, cmd_getex, cmd_getdel, cmd_getset, cmd_setex, cmd_psetex, cmd_setnx,
    cmd_mset, cmd_msetnx, cmd_mget, cmd_append, cmd_strlen, cmd_setrange, cmd_getrange, cmd_incr,
    cmd_decr, cmd_incrby, cmd_decrby, cmd_incrbyfloat, cmd_lcs, cmd_del, cmd_exists, cmd_type,
    cmd_expire, cmd_pexpire, cmd_expireat, cmd_pexpireat, cmd_ttl, cmd_pttl, cmd_expiretime, cmd_pexpiretime,
    cmd_persist, cmd_dbsize, cmd_flushdb, cmd_flushall, cmd_scan, cmd_keys, cmd_hset, cmd_hmset,
    cmd_hsetnx, cmd_hget, cmd_hmget, cmd_hdel, cmd_hlen, cmd_hstrlen, cmd_hexists, cmd_hgetall,
    cmd_hkeys, cmd_hvals, cmd_hincrby, cmd_hincrbyfloat, cmd_ping, cmd_echo, cmd_select, cmd_hello,
    cmd_quit, cmd_reset, cmd_info, cmd_command, cmd_time, cmd_debug, cmd_shutdown,
    cmd_save, cmd_bgsave, cmd_lastsave;

command_fn cmd_client_getname, cmd_client_id, cmd_client_info, cmd_client_kill, cmd_client_list, cmd_client_no_evict,
    cmd_client_pause, cmd_client_reply, cmd_client_setname, cmd_client_unblock, cmd_client_unpause;
command_fn cmd_command_count, cmd_command_docs, cmd_command_getkeys, cmd_command_getkeysandflags, cmd_command_info,
    cmd_command_list;
command_fn cmd_auth, cmd_bgrewriteaof;
command_fn cmd_config_get, cmd_config_resetstat, cmd_config_rewrite, cmd_config_set;
command_fn cmd_help; /* HELP of every container */
command_fn cmd_object_encoding, cmd_object_freq, cmd_object_idletime, cmd_object_refcount, cmd_memory_usage;
command_fn cmd_memory_doctor, cmd_memory_malloc_stats, cmd_memory_purge, cmd_memory_stats, cmd_lolwut;
command_fn cmd_client_caching, cmd_client_getredir, cmd_client_tracking, cmd_client_trackinginfo;
command_fn cmd_touch, cmd_rename, cmd_renamenx, cmd_copy, cmd_move, cmd_swapdb, cmd_randomkey;
command_fn cmd_hscan, cmd_hrandfield;
command_fn cmd_dump, cmd_restore;

command_fn cmd_monitor;
command_fn cmd_slowlog_get, cmd_slowlog_len, cmd_slowlog_reset;
command_fn cmd_latency_doctor, cmd_latency_graph, cmd_latency_histogram, cmd_latency_history, cmd_latency_latest, cmd_latency_reset;

#endif
