/* tbl_params.h - the table of parameters; included by param.h and param.c with PARAM_NUMBER and PARAM_TEXT defined.
 *
 *     PARAM_NUMBER(id, name, alias, kind, default, flags, group, sentence)
 *     PARAM_TEXT(id, name, alias, kind, default, flags, group, sentence)
 *
 * Flags without their PARAM_ prefix; 0: none. First the parameters that every command reads, so that they share lines.
 */

/* ---- read by every command ------------------------------------------------------------------------------------------ */

PARAM_NUMBER(MAXMEMORY, "maxmemory", NULL, MEMORY(0, INT64_MAX), "0", UNSIGNED, STORAGE,
    "Memory in use above which commands that would need more are refused; 0 leaves the region's size as the only limit.")
PARAM_NUMBER(SLOWLOG_LOG_SLOWER_THAN, "slowlog-log-slower-than", NULL, INT(-1, INT64_MAX, "microseconds"), "10000", 0, OBSERVABILITY,
    "A command that took longer goes into the slow log; 0 notes all commands, -1 none.")
PARAM_NUMBER(LATENCY_MONITOR_THRESHOLD, "latency-monitor-threshold", NULL, INT(0, INT64_MAX, "milliseconds"), "0", 0, OBSERVABILITY,
    "An event that took at least so long is kept for LATENCY; 0 keeps none.")
PARAM_NUMBER(LATENCY_TRACKING, "latency-tracking", NULL, BOOL, "yes", 0, OBSERVABILITY,
    "Keep a histogram of each command's time, for INFO latencystats and LATENCY HISTOGRAM.")
PARAM_NUMBER(HASH_MAX_LISTPACK_ENTRIES, "hash-max-listpack-entries", "hash-max-ziplist-entries", INT(0, INT64_MAX, "fields"), "512", 0,
    STORAGE, "A hash with more fields leaves the compact form for good.")
PARAM_NUMBER(HASH_MAX_LISTPACK_VALUE, "hash-max-listpack-value", "hash-max-ziplist-value", MEMORY(0, INT64_MAX), "64", 0, STORAGE,
    "A hash with a longer field or value leaves the compact form for good.")
PARAM_NUMBER(PROTO_MAX_BULK_LEN, "proto-max-bulk-len", NULL, MEMORY(1 << 20, INT64_MAX), "512mb", 0, LIMITS,
    "The longest single argument that a request may have.")
PARAM_NUMBER(CLIENT_QUERY_BUFFER_LIMIT, "client-query-buffer-limit", NULL, MEMORY(1 << 20, INT64_MAX), "1gb", 0, LIMITS,
    "A client whose unfinished request is larger is closed.")

/* ---- server ----------------------------------------------------------------------------------------------------------- */

PARAM_NUMBER(PORT, "port", NULL, INT(0, 65535, ""), "6380", IMMUTABLE, SERVER,
    "TCP port on which clients are served; 0 serves none over TCP.")
PARAM_TEXT(BIND, "bind", NULL, CHECKED(param_check_bind, "up to 16 addresses"), "* -::*", IMMUTABLE | MULTI, SERVER,
    "Addresses on which clients are served; one that begins with '-' may be missing on this machine, '*' is all of IPv4, '::*' all of "
    "IPv6.")
PARAM_TEXT(BIND_SOURCE_ADDR, "bind-source-addr", NULL, STRING, "", IDLE, SERVER,
    "Address from which connections to other servers are made.")
PARAM_TEXT(UNIXSOCKET, "unixsocket", NULL, STRING, "", IMMUTABLE, SERVER,
    "Path of a unix socket on which clients are served too; empty for none.")
PARAM_NUMBER(UNIXSOCKETPERM, "unixsocketperm", NULL, OCTAL(0, 0777), "0", IMMUTABLE, SERVER,
    "Mode of the unix socket, octal; 0 leaves it to the umask.")
PARAM_NUMBER(TCP_BACKLOG, "tcp-backlog", NULL, INT(0, INT32_MAX, "connections"), "511", IMMUTABLE, SERVER,
    "Connections that may wait to be accepted, for each worker.")
PARAM_NUMBER(TCP_KEEPALIVE, "tcp-keepalive", NULL, INT(0, INT32_MAX, "seconds"), "300", 0, SERVER,
    "A silent connection is probed after so long; 0 sends no probes.")
PARAM_NUMBER(TIMEOUT, "timeout", NULL, INT(0, INT32_MAX, "seconds"), "0", 0, SERVER,
    "A client that was idle for so long is closed; 0 keeps it.")
PARAM_NUMBER(PROTECTED_MODE, "protected-mode", NULL, BOOL, "yes", 0, SERVER,
    "Refuse clients from other machines while there is no password.")
PARAM_TEXT(REQUIREPASS, "requirepass", NULL, STRING, "", SECRET, SERVER,
    "Password of the user 'default'; empty lets everybody in.")
PARAM_NUMBER(DAEMONIZE, "daemonize", NULL, BOOL, "no", IMMUTABLE, SERVER,
    "Go to the background once the server is ready, and write the process id into pidfile.")
PARAM_TEXT(PIDFILE, "pidfile", NULL, STRING, "", IMMUTABLE, SERVER,
    "File that holds the master's process id while it runs; a daemon without this uses kvstash.pid in its data directory.")
PARAM_NUMBER(SUPERVISED, "supervised", NULL, WORD("upstart", "systemd", "auto", "no"), "no", IMMUTABLE | IDLE, SERVER,
    "Which supervisor is told that the server is ready.")
PARAM_NUMBER(DATABASES, "databases", NULL, INT(1, INT32_MAX, ""), "16", IMMUTABLE, SERVER,
    "Number of databases that SELECT can choose; at most 1024.")
PARAM_NUMBER(WORKERS, "workers", NULL, INT(0, 100, "processes"), "0", IMMUTABLE | OWN, SERVER,
    "Processes that serve clients; 0 takes one for each core, or as many as the region was made with, if one was left by a crash.")
PARAM_NUMBER(WORKER_TIMEOUT, "worker-timeout", NULL, INT(100, INT32_MAX, "milliseconds"), "5000", OWN, SERVER,
    "A process that holds others up and makes no progress for so long is killed; its successor goes on.")
PARAM_NUMBER(SHUTDOWN_TIMEOUT, "shutdown-timeout", NULL, INT(0, INT32_MAX, "seconds"), "10", 0, SERVER,
    "How long an orderly end waits for the server's processes to finish.")
PARAM_NUMBER(SHUTDOWN_ON_SIGINT, "shutdown-on-sigint", NULL, FLAGS("default", "save", "nosave", "now", "force"), "default", MULTI, SERVER,
    "How SIGINT ends the server: with SHUTDOWN's options.")
PARAM_NUMBER(SHUTDOWN_ON_SIGTERM, "shutdown-on-sigterm", NULL, FLAGS("default", "save", "nosave", "now", "force"), "default", MULTI, SERVER,
    "How SIGTERM ends the server: with SHUTDOWN's options.")
PARAM_NUMBER(ENABLE_DEBUG_COMMAND, "enable-debug-command", NULL, WORD("no", "yes", "local"), "no", IMMUTABLE, SERVER,
    "Who may use DEBUG: nobody, everybody, or clients on this machine.")
PARAM_NUMBER(ENABLE_MODULE_COMMAND, "enable-module-command", NULL, WORD("no", "yes", "local"), "no", IMMUTABLE | IDLE, SERVER,
    "Who may use MODULE.")
PARAM_NUMBER(ENABLE_PROTECTED_CONFIGS, "enable-protected-configs", NULL, WORD("no", "yes", "local"), "no", IMMUTABLE, SERVER,
    "Who may set protected parameters with CONFIG SET.")
PARAM_NUMBER(HZ, "hz", NULL, INT_WITHIN(0, INT32_MAX, 1, 500, "a second"), "10", 0, SERVER,
    "How often idle background work looks for something to do; kept between 1 and 500.")
PARAM_NUMBER(DYNAMIC_HZ, "dynamic-hz", NULL, BOOL, "yes", IDLE, SERVER,
    "Do background work more often when there are many clients; here it always adapts.")
PARAM_NUMBER(IO_THREADS, "io-threads", NULL, INT(1, 128, "threads"), "1", IMMUTABLE | IDLE, SERVER,
    "Threads for the network; workers take their place here.")
PARAM_NUMBER(IO_THREADS_DO_READS, "io-threads-do-reads", NULL, BOOL, "no", IMMUTABLE | IDLE, SERVER,
    "Whether those threads read as well.")
PARAM_NUMBER(ALWAYS_SHOW_LOGO, "always-show-logo", NULL, BOOL, "no", IMMUTABLE | IDLE, SERVER,
    "Show a logo in the log.")
PARAM_NUMBER(SET_PROC_TITLE, "set-proc-title", NULL, BOOL, "yes", IMMUTABLE | IDLE, SERVER,
    "Show what the processes are in their titles.")
PARAM_TEXT(PROC_TITLE_TEMPLATE, "proc-title-template", NULL, CHECKED(param_check_title, "words and the variables of a title in braces"),
    "{title} {listen-addr} {server-mode}", IDLE, SERVER,
    "How such a title is made.")
PARAM_NUMBER(OOM_SCORE_ADJ, "oom-score-adj", NULL, WORD("no", "yes", "relative", "absolute"), "no", 0, SERVER,
    "Tell the kernel which of the server's processes to end first when memory runs out.")
PARAM_TEXT(OOM_SCORE_ADJ_VALUES, "oom-score-adj-values", NULL, CHECKED(param_check_oom_values, "three numbers from -2000 to 2000"),
    "0 200 800", MULTI, SERVER,
    "Scores for oom-score-adj: of the master, of a replica's master, and of the workers.")
PARAM_TEXT(SERVER_CPULIST, "server_cpulist", NULL, STRING, "", IMMUTABLE | IDLE, SERVER,
    "Cores on which clients are served.")
PARAM_TEXT(BIO_CPULIST, "bio_cpulist", NULL, STRING, "", IMMUTABLE | IDLE, SERVER,
    "Cores for background work.")
PARAM_TEXT(AOF_REWRITE_CPULIST, "aof_rewrite_cpulist", NULL, STRING, "", IMMUTABLE | IDLE, SERVER,
    "Cores for the rewriting of the append-only file.")
PARAM_TEXT(BGSAVE_CPULIST, "bgsave_cpulist", NULL, STRING, "", IMMUTABLE | IDLE, SERVER,
    "Cores for snapshots.")
PARAM_TEXT(IGNORE_WARNINGS, "ignore-warnings", NULL, STRING, "", IDLE, SERVER,
    "Warnings of the start that are not to stop it.")
PARAM_NUMBER(SOCKET_MARK_ID, "socket-mark-id", NULL, INT(0, UINT32_MAX, ""), "0", IMMUTABLE | IDLE, SERVER,
    "Mark of the server's sockets for the packet filter.")
PARAM_TEXT(ACLFILE, "aclfile", NULL, STRING, "", IMMUTABLE | IDLE, SERVER,
    "File of the users.")
PARAM_NUMBER(ACL_PUBSUB_DEFAULT, "acl-pubsub-default", NULL, WORD("allchannels", "resetchannels"), "resetchannels", IDLE, SERVER,
    "Which channels a new user may use.")
PARAM_NUMBER(PROPAGATION_ERROR_BEHAVIOR, "propagation-error-behavior", NULL, WORD("ignore", "panic", "panic-on-replicas"), "ignore", IDLE,
    SERVER, "What an error in a command of the replication stream does.")
PARAM_NUMBER(DISABLE_THP, "disable-thp", NULL, BOOL, "yes", IMMUTABLE | IDLE, SERVER,
    "Keep transparent huge pages away from private memory; for the region see hugepages.")

/* ---- limits ------------------------------------------------------------------------------------------------------------- */

PARAM_NUMBER(MAXCLIENTS, "maxclients", NULL, INT(1, UINT32_MAX, "clients"), "10000", 0, LIMITS,
    "Clients served at once, over all workers; those beyond are refused.")
PARAM_NUMBER(CLIENT_OUTPUT_BUFFER_LIMIT, "client-output-buffer-limit", NULL, OUTPUT_LIMIT,
    "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", MULTI, LIMITS,
    "For each class of clients: replies waiting beyond the first size close the client at once, beyond the second after so many "
    "seconds; 0 is no limit.")
PARAM_NUMBER(MAXMEMORY_CLIENTS, "maxmemory-clients", NULL, PERCENT(-100, INT64_MAX), "0", 0, LIMITS,
    "Private memory of all clients together, above which the largest are closed; n% is a share of maxmemory.")
PARAM_NUMBER(BUSY_REPLY_THRESHOLD, "busy-reply-threshold", "lua-time-limit", INT(0, INT64_MAX, "milliseconds"), "5000", IDLE, LIMITS,
    "A script that runs longer can be killed, and who needs its keys is answered BUSY.")
PARAM_NUMBER(BUSY_SCOPE, "busy-scope", NULL, WORD("shards", "server"), "shards", IDLE | OWN, LIMITS,
    "Who is answered BUSY during a slow script: those who need its shards, or all.")
PARAM_NUMBER(TRACKING_TABLE_MAX_KEYS, "tracking-table-max-keys", NULL, INT(0, INT64_MAX, "keys"), "1000000", IDLE, LIMITS,
    "Keys that are remembered for clients with a cache of their own.")
PARAM_NUMBER(ACLLOG_MAX_LEN, "acllog-max-len", NULL, INT(0, INT64_MAX, "entries"), "128", IDLE, LIMITS,
    "Refusals that ACL LOG keeps.")

/* ---- storage ------------------------------------------------------------------------------------------------------------ */

PARAM_NUMBER(SHARDS, "shards", NULL, INT(1, 512, ""), "64", IMMUTABLE | OWN, STORAGE,
    "Parts of the keyspace with a lock each; a power of two, fixed when the region is made.")
PARAM_TEXT(REGION, "region", NULL, STRING, "", IMMUTABLE | OWN, STORAGE,
    "File of the shared memory; empty chooses one in /dev/shm that belongs to the data directory.")
PARAM_NUMBER(REGION_SIZE, "region-size", NULL, MEMORY(0, INT64_MAX), "0", IMMUTABLE | OWN, STORAGE,
    "Size of a new region; 0 takes what the machine allows. Memory is taken as it is needed.")
PARAM_NUMBER(REGION_KEEP, "region-keep", NULL, BOOL, "no", OWN, STORAGE,
    "Keep the region at an orderly end, so that the next start finds the data in it.")
PARAM_NUMBER(HUGEPAGES, "hugepages", NULL, WORD("auto", "always", "never"), "auto", IMMUTABLE | OWN, STORAGE,
    "Use huge pages for the region: where possible, or else refuse to start, or not at all.")
PARAM_NUMBER(MAXMEMORY_POLICY, "maxmemory-policy", NULL, WORD("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
    "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"), "noeviction", IDLE, STORAGE,
    "Which keys make room when maxmemory is reached; only noeviction works in this version.")
PARAM_NUMBER(MAXMEMORY_SAMPLES, "maxmemory-samples", NULL, INT(1, INT32_MAX, "keys"), "5", IDLE, STORAGE,
    "Keys looked at to choose one that makes room.")
PARAM_NUMBER(MAXMEMORY_EVICTION_TENACITY, "maxmemory-eviction-tenacity", NULL, INT(0, 100, ""), "10", IDLE, STORAGE,
    "How much time making room may take from serving.")
PARAM_NUMBER(LFU_LOG_FACTOR, "lfu-log-factor", NULL, INT(0, INT32_MAX, ""), "10", IDLE, STORAGE,
    "How slowly the counter of uses grows.")
PARAM_NUMBER(LFU_DECAY_TIME, "lfu-decay-time", NULL, INT(0, INT32_MAX, "minutes"), "1", IDLE, STORAGE,
    "After how long the counter of uses sinks.")
PARAM_NUMBER(LIST_MAX_LISTPACK_SIZE, "list-max-listpack-size", "list-max-ziplist-size", INT(INT32_MIN, INT32_MAX, ""), "-2", IDLE, STORAGE,
    "Size of a list's nodes: a number of elements, or -1 to -5 for 4 to 64 KiB.")
PARAM_NUMBER(LIST_COMPRESS_DEPTH, "list-compress-depth", NULL, INT(0, INT32_MAX, "nodes"), "0", IDLE, STORAGE,
    "Nodes at each end of a list that are not compressed; 0 compresses none.")
PARAM_NUMBER(SET_MAX_INTSET_ENTRIES, "set-max-intset-entries", NULL, INT(0, INT64_MAX, "members"), "512", IDLE, STORAGE,
    "A set of integers with more members leaves the compact form for good.")
PARAM_NUMBER(ZSET_MAX_LISTPACK_ENTRIES, "zset-max-listpack-entries", "zset-max-ziplist-entries", INT(0, INT64_MAX, "members"), "128", IDLE,
    STORAGE, "A sorted set with more members leaves the compact form for good.")
PARAM_NUMBER(ZSET_MAX_LISTPACK_VALUE, "zset-max-listpack-value", "zset-max-ziplist-value", MEMORY(0, INT64_MAX), "64", IDLE, STORAGE,
    "A sorted set with a longer member leaves the compact form for good.")
PARAM_NUMBER(HLL_SPARSE_MAX_BYTES, "hll-sparse-max-bytes", NULL, MEMORY(0, INT64_MAX), "3000", IDLE, STORAGE,
    "A HyperLogLog that needs more leaves the sparse form for good.")
PARAM_NUMBER(STREAM_NODE_MAX_BYTES, "stream-node-max-bytes", NULL, MEMORY(0, INT64_MAX), "4096", IDLE, STORAGE,
    "Bytes in one node of a stream; 0 is no limit.")
PARAM_NUMBER(STREAM_NODE_MAX_ENTRIES, "stream-node-max-entries", NULL, INT(0, INT64_MAX, "entries"), "100", IDLE, STORAGE,
    "Entries in one node of a stream; 0 is no limit.")
PARAM_NUMBER(ACTIVEREHASHING, "activerehashing", NULL, BOOL, "yes", IDLE, STORAGE,
    "Spend idle time on growing tables; here they grow in bounded steps as they are used.")
PARAM_NUMBER(ACTIVEDEFRAG, "activedefrag", NULL, BOOL, "no", IDLE, STORAGE,
    "Move values to undo fragmentation.")
PARAM_NUMBER(ACTIVE_DEFRAG_IGNORE_BYTES, "active-defrag-ignore-bytes", NULL, MEMORY(1, INT64_MAX), "100mb", IDLE, STORAGE,
    "Fragmentation below this is left alone.")
PARAM_NUMBER(ACTIVE_DEFRAG_THRESHOLD_LOWER, "active-defrag-threshold-lower", NULL, INT(0, 1000, "percent"), "10", IDLE, STORAGE,
    "Fragmentation at which moving begins.")
PARAM_NUMBER(ACTIVE_DEFRAG_THRESHOLD_UPPER, "active-defrag-threshold-upper", NULL, INT(0, 1000, "percent"), "100", IDLE, STORAGE,
    "Fragmentation at which moving takes all the time it may.")
PARAM_NUMBER(ACTIVE_DEFRAG_CYCLE_MIN, "active-defrag-cycle-min", NULL, INT(1, 99, "percent"), "1", IDLE, STORAGE,
    "Share of a core for moving at the lower threshold.")
PARAM_NUMBER(ACTIVE_DEFRAG_CYCLE_MAX, "active-defrag-cycle-max", NULL, INT(1, 99, "percent"), "25", IDLE, STORAGE,
    "Share of a core for moving at the upper threshold.")
PARAM_NUMBER(ACTIVE_DEFRAG_MAX_SCAN_FIELDS, "active-defrag-max-scan-fields", NULL, INT(1, INT64_MAX, "fields"), "1000", IDLE, STORAGE,
    "Larger collections are moved piece by piece.")
PARAM_NUMBER(JEMALLOC_BG_THREAD, "jemalloc-bg-thread", NULL, BOOL, "yes", IDLE, STORAGE,
    "Let an allocator that is not used here clean up in the background.")
PARAM_NUMBER(LAZYFREE_LAZY_EVICTION, "lazyfree-lazy-eviction", NULL, BOOL, "no", 0, STORAGE,
    "Free evicted values in the background; here large values always are.")
PARAM_NUMBER(LAZYFREE_LAZY_EXPIRE, "lazyfree-lazy-expire", NULL, BOOL, "no", 0, STORAGE,
    "Free expired values in the background; here large values always are.")
PARAM_NUMBER(LAZYFREE_LAZY_SERVER_DEL, "lazyfree-lazy-server-del", NULL, BOOL, "no", 0, STORAGE,
    "Free overwritten values in the background; here large values always are.")
PARAM_NUMBER(LAZYFREE_LAZY_USER_DEL, "lazyfree-lazy-user-del", NULL, BOOL, "no", 0, STORAGE,
    "Let DEL work as UNLINK; here it always does.")
PARAM_NUMBER(LAZYFREE_LAZY_USER_FLUSH, "lazyfree-lazy-user-flush", NULL, BOOL, "no", 0, STORAGE,
    "Let FLUSHALL and FLUSHDB work as with ASYNC; here they always do.")

/* ---- ttl ---------------------------------------------------------------------------------------------------------------- */

PARAM_NUMBER(ACTIVE_EXPIRE_EFFORT, "active-expire-effort", NULL, INT(1, 10, ""), "1", 0, TTL,
    "How much work one turn of the sweep for expired keys may do.")

/* ---- persistence -------------------------------------------------------------------------------------------------------- */

PARAM_TEXT(DIR, "dir", NULL, STRING, "kvstash-data", IMMUTABLE | PROTECTED, PERSISTENCE,
    "Data directory; made if it is missing.")
PARAM_TEXT(SAVE, "save", NULL, CHECKED(param_check_save, "pairs of seconds (at least 1) and changes (at least 0)"),
    "3600 1 300 100 60 10000", MULTI, PERSISTENCE,
    "Pairs of seconds and changes: save when so many changes are that old; empty for never.")
PARAM_TEXT(DBFILENAME, "dbfilename", NULL, CHECKED(param_check_file_name, "a file name without a directory"), "dump.rdb",
    PROTECTED, PERSISTENCE, "Name of the snapshot in the data directory.")
PARAM_NUMBER(RDBCOMPRESSION, "rdbcompression", NULL, BOOL, "yes", 0, PERSISTENCE,
    "Compress strings in snapshots.")
PARAM_NUMBER(RDBCHECKSUM, "rdbchecksum", NULL, BOOL, "yes", IMMUTABLE, PERSISTENCE,
    "Write and check the checksum of snapshots.")
PARAM_NUMBER(SANITIZE_DUMP_PAYLOAD, "sanitize-dump-payload", NULL, WORD("no", "yes", "clients"), "no", 0, PERSISTENCE,
    "Check values of RESTORE (clients) and of files that are loaded too (yes) to the bottom before any is taken; no: while they are taken.")
PARAM_NUMBER(RDB_SKIP_UNKNOWN, "rdb-skip-unknown", NULL, BOOL, "no", OWN, PERSISTENCE,
    "Leave out keys of types that have no commands here when a snapshot is loaded, and count them in the log; no: such a key stops the load.")
PARAM_NUMBER(RDB_DEL_SYNC_FILES, "rdb-del-sync-files", NULL, BOOL, "no", IDLE, PERSISTENCE,
    "Remove snapshots that were made for replication only.")
PARAM_NUMBER(RDB_SAVE_INCREMENTAL_FSYNC, "rdb-save-incremental-fsync", NULL, BOOL, "yes", 0, PERSISTENCE,
    "Sync a snapshot piece by piece while it is written.")
PARAM_NUMBER(STOP_WRITES_ON_BGSAVE_ERROR, "stop-writes-on-bgsave-error", NULL, BOOL, "yes", 0, PERSISTENCE,
    "Refuse changes while snapshots fail.")
PARAM_NUMBER(APPENDONLY, "appendonly", NULL, BOOL, "no", 0, PERSISTENCE,
    "Write every change into the append-only file.")
PARAM_TEXT(APPENDFILENAME, "appendfilename", NULL, CHECKED(param_check_file_name, "a file name without a directory"), "appendonly.aof",
    IMMUTABLE, PERSISTENCE, "Beginning of the names of the append-only file's parts.")
PARAM_TEXT(APPENDDIRNAME, "appenddirname", NULL, CHECKED(param_check_file_name, "a name without a directory"), "appendonlydir",
    IMMUTABLE, PERSISTENCE, "Directory of the append-only file's parts, in the data directory.")
PARAM_NUMBER(APPENDFSYNC, "appendfsync", NULL, WORD("everysec", "always", "no"), "everysec", 0, PERSISTENCE,
    "When changes must be on the disk: once a second, before they are acknowledged, or when the system likes.")
PARAM_NUMBER(NO_APPENDFSYNC_ON_REWRITE, "no-appendfsync-on-rewrite", NULL, BOOL, "no", 0, PERSISTENCE,
    "Do not sync the append-only file while a snapshot or a rewriting runs.")
PARAM_NUMBER(AUTO_AOF_REWRITE_PERCENTAGE, "auto-aof-rewrite-percentage", NULL, INT(0, INT32_MAX, "percent"), "100", 0, PERSISTENCE,
    "Growth at which the append-only file is rewritten; 0 is never.")
PARAM_NUMBER(AUTO_AOF_REWRITE_MIN_SIZE, "auto-aof-rewrite-min-size", NULL, MEMORY(0, INT64_MAX), "64mb", 0, PERSISTENCE,
    "A smaller append-only file is not rewritten.")
PARAM_NUMBER(AOF_LOAD_TRUNCATED, "aof-load-truncated", NULL, BOOL, "yes", 0, PERSISTENCE,
    "Start with an append-only file whose end is cut off.")
PARAM_NUMBER(AOF_USE_RDB_PREAMBLE, "aof-use-rdb-preamble", NULL, BOOL, "yes", IDLE, PERSISTENCE,
    "Begin a rewritten append-only file with a snapshot.")
PARAM_NUMBER(AOF_TIMESTAMP_ENABLED, "aof-timestamp-enabled", NULL, BOOL, "no", 0, PERSISTENCE,
    "Note the time in the append-only file.")
PARAM_NUMBER(AOF_REWRITE_INCREMENTAL_FSYNC, "aof-rewrite-incremental-fsync", NULL, BOOL, "yes", 0, PERSISTENCE,
    "Sync the append-only file piece by piece while it is rewritten.")
PARAM_NUMBER(AOF_DISABLE_AUTO_GC, "aof-disable-auto-gc", NULL, BOOL, "no", 0, PERSISTENCE,
    "Keep parts of the append-only file that are no longer needed.")

/* ---- replication -------------------------------------------------------------------------------------------------------- */

PARAM_TEXT(REPLICAOF, "replicaof", "slaveof", CHECKED(param_check_replicaof, "a host and a port"), "", IMMUTABLE | MULTI | IDLE,
    REPLICATION, "Host and port of the server to follow.")
PARAM_TEXT(MASTERUSER, "masteruser", NULL, STRING, "", SECRET | IDLE, REPLICATION, "User at the server followed.")
PARAM_TEXT(MASTERAUTH, "masterauth", NULL, STRING, "", SECRET | IDLE, REPLICATION, "Password at the server followed.")
PARAM_NUMBER(REPLICA_SERVE_STALE_DATA, "replica-serve-stale-data", "slave-serve-stale-data", BOOL, "yes", IDLE, REPLICATION,
    "Serve clients while the link to the server followed is down.")
PARAM_NUMBER(REPLICA_READ_ONLY, "replica-read-only", "slave-read-only", BOOL, "yes", IDLE, REPLICATION,
    "Refuse changes by clients of a replica.")
PARAM_NUMBER(REPLICA_LAZY_FLUSH, "replica-lazy-flush", "slave-lazy-flush", BOOL, "no", IDLE, REPLICATION,
    "Free the old data in the background when a full copy comes.")
PARAM_NUMBER(REPLICA_IGNORE_MAXMEMORY, "replica-ignore-maxmemory", "slave-ignore-maxmemory", BOOL, "yes", IDLE, REPLICATION,
    "Leave maxmemory to the server followed.")
PARAM_NUMBER(REPLICA_IGNORE_DISK_WRITE_ERRORS, "replica-ignore-disk-write-errors", NULL, BOOL, "no", IDLE, REPLICATION,
    "Let a replica go on when it cannot write its files.")
PARAM_NUMBER(REPLICA_PRIORITY, "replica-priority", "slave-priority", INT(0, INT32_MAX, ""), "100", IDLE, REPLICATION,
    "Rank of a replica for a failover; 0 is never.")
PARAM_NUMBER(REPLICA_ANNOUNCED, "replica-announced", NULL, BOOL, "yes", IDLE, REPLICATION, "Show this replica to Sentinel's clients.")
PARAM_TEXT(REPLICA_ANNOUNCE_IP, "replica-announce-ip", "slave-announce-ip", STRING, "", IDLE, REPLICATION,
    "Address that a replica tells of itself.")
PARAM_NUMBER(REPLICA_ANNOUNCE_PORT, "replica-announce-port", "slave-announce-port", INT(0, 65535, ""), "0", IDLE, REPLICATION,
    "Port that a replica tells of itself.")
PARAM_NUMBER(REPL_BACKLOG_SIZE, "repl-backlog-size", NULL, MEMORY_WITHIN(1, INT64_MAX, 16384), "1mb", IDLE, REPLICATION,
    "Changes kept for replicas that come back.")
PARAM_NUMBER(REPL_BACKLOG_TTL, "repl-backlog-ttl", NULL, INT(0, INT64_MAX, "seconds"), "3600", IDLE, REPLICATION,
    "How long they are kept without a replica; 0 is for ever.")
PARAM_NUMBER(REPL_TIMEOUT, "repl-timeout", NULL, INT(1, INT32_MAX, "seconds"), "60", IDLE, REPLICATION,
    "A replication link that was silent for so long is down.")
PARAM_NUMBER(REPL_PING_REPLICA_PERIOD, "repl-ping-replica-period", "repl-ping-slave-period", INT(1, INT32_MAX, "seconds"), "10", IDLE,
    REPLICATION, "How often replicas are sent a sign of life.")
PARAM_NUMBER(REPL_DISABLE_TCP_NODELAY, "repl-disable-tcp-nodelay", NULL, BOOL, "no", IDLE, REPLICATION,
    "Send fewer, larger packets to replicas.")
PARAM_NUMBER(REPL_DISKLESS_SYNC, "repl-diskless-sync", NULL, BOOL, "yes", IDLE, REPLICATION,
    "Send full copies without a file.")
PARAM_NUMBER(REPL_DISKLESS_SYNC_DELAY, "repl-diskless-sync-delay", NULL, INT(0, INT32_MAX, "seconds"), "5", IDLE, REPLICATION,
    "Wait so long for more replicas before a full copy.")
PARAM_NUMBER(REPL_DISKLESS_SYNC_MAX_REPLICAS, "repl-diskless-sync-max-replicas", NULL, INT(0, INT32_MAX, "replicas"), "0", IDLE,
    REPLICATION, "Do not wait any longer once so many ask for a full copy; 0 is no such number.")
PARAM_NUMBER(REPL_DISKLESS_LOAD, "repl-diskless-load", NULL, WORD("disabled", "on-empty-db", "swapdb"), "disabled", IDLE, REPLICATION,
    "Load a full copy without a file.")
PARAM_NUMBER(MIN_REPLICAS_TO_WRITE, "min-replicas-to-write", "min-slaves-to-write", INT(0, INT32_MAX, "replicas"), "0", IDLE, REPLICATION,
    "Refuse changes with fewer replicas.")
PARAM_NUMBER(MIN_REPLICAS_MAX_LAG, "min-replicas-max-lag", "min-slaves-max-lag", INT(0, INT32_MAX, "seconds"), "10", IDLE, REPLICATION,
    "A replica that is further behind does not count for that.")

/* ---- observability ------------------------------------------------------------------------------------------------------ */

PARAM_NUMBER(LOGLEVEL, "loglevel", NULL, WORD("debug", "verbose", "notice", "warning"), "notice", 0, OBSERVABILITY,
    "The least important lines that are logged.")
PARAM_TEXT(LOGFILE, "logfile", NULL, STRING, "", IMMUTABLE, OBSERVABILITY,
    "File of the log, opened anew at SIGHUP; empty logs to standard output.")
PARAM_NUMBER(SYSLOG_ENABLED, "syslog-enabled", NULL, BOOL, "no", IMMUTABLE, OBSERVABILITY, "Log to the system's log as well.")
PARAM_TEXT(SYSLOG_IDENT, "syslog-ident", NULL, STRING, "redis", IMMUTABLE, OBSERVABILITY, "Name in the system's log.")
PARAM_NUMBER(SYSLOG_FACILITY, "syslog-facility", NULL, WORD("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7"), "local0", IMMUTABLE, OBSERVABILITY, "Facility in the system's log.")
PARAM_NUMBER(SLOWLOG_MAX_LEN, "slowlog-max-len", NULL, INT(0, INT64_MAX, "entries"), "128", 0, OBSERVABILITY,
    "Entries that the slow log keeps.")
PARAM_TEXT(LATENCY_TRACKING_INFO_PERCENTILES, "latency-tracking-info-percentiles", NULL,
    CHECKED(param_check_percentiles, "numbers from 0 to 100"), "50 99 99.9", MULTI, OBSERVABILITY,
    "Percentiles that INFO latencystats shows.")
PARAM_TEXT(NOTIFY_KEYSPACE_EVENTS, "notify-keyspace-events", NULL, CHECKED(param_check_events, "letters of Ag$lshzxeKEtmdn"), "", IDLE,
    OBSERVABILITY, "Classes of events that are published.")
PARAM_NUMBER(CRASH_LOG_ENABLED, "crash-log-enabled", NULL, BOOL, "yes", IDLE, OBSERVABILITY,
    "Log what a crashed process had to say; here it always is.")
PARAM_NUMBER(CRASH_MEMCHECK_ENABLED, "crash-memcheck-enabled", NULL, BOOL, "yes", IDLE, OBSERVABILITY, "Test the memory after a crash.")
PARAM_NUMBER(CRASH_CORE, "crash-core", NULL, BOOL, "no", IDLE | OWN, OBSERVABILITY,
    "Let a crashed process leave a core dump; its locks stay held while it is written.")
PARAM_NUMBER(USE_EXIT_ON_PANIC, "use-exit-on-panic", NULL, BOOL, "no", HIDDEN | IDLE, OBSERVABILITY, "End quietly after a failed assertion.")
PARAM_NUMBER(WATCHDOG_PERIOD, "watchdog-period", NULL, INT(0, INT32_MAX, "milliseconds"), "0", HIDDEN | IDLE, OBSERVABILITY,
    "Log where a slow command is.")
PARAM_NUMBER(RDB_KEY_SAVE_DELAY, "rdb-key-save-delay", NULL, INT(INT32_MIN, INT32_MAX, "microseconds"), "0", HIDDEN, PERSISTENCE,
    "Slow down saving by so much a key, for tests.")
PARAM_NUMBER(KEY_LOAD_DELAY, "key-load-delay", NULL, INT(INT32_MIN, INT32_MAX, "microseconds"), "0", HIDDEN | IDLE, PERSISTENCE,
    "Slow down loading, for tests.")
PARAM_NUMBER(LOADING_PROCESS_EVENTS_INTERVAL_BYTES, "loading-process-events-interval-bytes", NULL, INT(1024, INT32_MAX, ""), "2097152",
    HIDDEN | IDLE, PERSISTENCE, "How often clients are looked at while loading.")

/* ---- tls ---------------------------------------------------------------------------------------------------------------- */

PARAM_NUMBER(TLS_PORT, "tls-port", NULL, INT(0, 65535, ""), "0", IMMUTABLE | IDLE, TLS, "Port on which clients are served over TLS; 0 for none.")
PARAM_TEXT(TLS_CERT_FILE, "tls-cert-file", NULL, STRING, "", IDLE, TLS, "The server's certificate.")
PARAM_TEXT(TLS_KEY_FILE, "tls-key-file", NULL, STRING, "", IDLE, TLS, "Key of the server's certificate.")
PARAM_TEXT(TLS_KEY_FILE_PASS, "tls-key-file-pass", NULL, STRING, "", SECRET | IDLE, TLS, "Password of the key.")
PARAM_TEXT(TLS_CLIENT_CERT_FILE, "tls-client-cert-file", NULL, STRING, "", IDLE, TLS, "Certificate for connections to other servers.")
PARAM_TEXT(TLS_CLIENT_KEY_FILE, "tls-client-key-file", NULL, STRING, "", IDLE, TLS, "Key of that certificate.")
PARAM_TEXT(TLS_CLIENT_KEY_FILE_PASS, "tls-client-key-file-pass", NULL, STRING, "", SECRET | IDLE, TLS, "Password of that key.")
PARAM_TEXT(TLS_CA_CERT_FILE, "tls-ca-cert-file", NULL, STRING, "", IDLE, TLS, "Certificates of those who sign clients' certificates.")
PARAM_TEXT(TLS_CA_CERT_DIR, "tls-ca-cert-dir", NULL, STRING, "", IDLE, TLS, "Directory of such certificates.")
PARAM_TEXT(TLS_DH_PARAMS_FILE, "tls-dh-params-file", NULL, STRING, "", IDLE, TLS, "Parameters for old Diffie-Hellman ciphers.")
PARAM_NUMBER(TLS_AUTH_CLIENTS, "tls-auth-clients", NULL, WORD("no", "yes", "optional"), "yes", IDLE, TLS,
    "Whether clients must show a certificate.")
PARAM_TEXT(TLS_PROTOCOLS, "tls-protocols", NULL, STRING, "", IDLE, TLS, "Versions of TLS that are allowed.")
PARAM_TEXT(TLS_CIPHERS, "tls-ciphers", NULL, STRING, "", IDLE, TLS, "Ciphers up to TLS 1.2.")
PARAM_TEXT(TLS_CIPHERSUITES, "tls-ciphersuites", NULL, STRING, "", IDLE, TLS, "Ciphers of TLS 1.3.")
PARAM_NUMBER(TLS_PREFER_SERVER_CIPHERS, "tls-prefer-server-ciphers", NULL, BOOL, "no", IDLE, TLS, "Choose the cipher by the server's order.")
PARAM_NUMBER(TLS_SESSION_CACHING, "tls-session-caching", NULL, BOOL, "yes", IDLE, TLS, "Let clients resume sessions.")
PARAM_NUMBER(TLS_SESSION_CACHE_SIZE, "tls-session-cache-size", NULL, INT(0, INT32_MAX, "sessions"), "20480", IDLE, TLS,
    "Sessions remembered.")
PARAM_NUMBER(TLS_SESSION_CACHE_TIMEOUT, "tls-session-cache-timeout", NULL, INT(0, INT32_MAX, "seconds"), "300", IDLE, TLS,
    "How long they are remembered.")
PARAM_NUMBER(TLS_REPLICATION, "tls-replication", NULL, BOOL, "no", IDLE, TLS, "Use TLS between servers.")
PARAM_NUMBER(TLS_CLUSTER, "tls-cluster", NULL, BOOL, "no", IDLE, TLS, "Use TLS on the cluster's bus.")

/* ---- cluster ------------------------------------------------------------------------------------------------------------ */

PARAM_NUMBER(CLUSTER_ENABLED, "cluster-enabled", NULL, BOOL, "no", IMMUTABLE | IDLE, CLUSTER, "Be a node of a cluster.")
PARAM_TEXT(CLUSTER_CONFIG_FILE, "cluster-config-file", NULL, STRING, "nodes.conf", IMMUTABLE | IDLE, CLUSTER,
    "File in which a node keeps what it knows of the cluster.")
PARAM_NUMBER(CLUSTER_PORT, "cluster-port", NULL, INT(0, 65535, ""), "0", IMMUTABLE | IDLE, CLUSTER,
    "Port of the bus; 0 is port + 10000.")
PARAM_NUMBER(CLUSTER_NODE_TIMEOUT, "cluster-node-timeout", NULL, INT(0, INT64_MAX, "milliseconds"), "15000", IDLE, CLUSTER,
    "A node that was silent for so long is down.")
PARAM_TEXT(CLUSTER_ANNOUNCE_IP, "cluster-announce-ip", NULL, STRING, "", IDLE, CLUSTER, "Address that a node tells of itself.")
PARAM_TEXT(CLUSTER_ANNOUNCE_HOSTNAME, "cluster-announce-hostname", NULL, CHECKED(param_check_hostname, "letters, digits, '-' and '.'"), "",
    IDLE, CLUSTER, "Host name that a node tells of itself.")
PARAM_NUMBER(CLUSTER_ANNOUNCE_PORT, "cluster-announce-port", NULL, INT(0, 65535, ""), "0", IDLE, CLUSTER, "Port that a node tells of itself.")
PARAM_NUMBER(CLUSTER_ANNOUNCE_TLS_PORT, "cluster-announce-tls-port", NULL, INT(0, 65535, ""), "0", IDLE, CLUSTER,
    "TLS port that a node tells of itself.")
PARAM_NUMBER(CLUSTER_ANNOUNCE_BUS_PORT, "cluster-announce-bus-port", NULL, INT(0, 65535, ""), "0", IDLE, CLUSTER,
    "Port of the bus that a node tells of itself.")
PARAM_NUMBER(CLUSTER_PREFERRED_ENDPOINT_TYPE, "cluster-preferred-endpoint-type", NULL, WORD("ip", "hostname", "unknown-endpoint"), "ip",
    IDLE, CLUSTER, "What clients are told to connect to.")
PARAM_NUMBER(CLUSTER_REQUIRE_FULL_COVERAGE, "cluster-require-full-coverage", NULL, BOOL, "yes", IDLE, CLUSTER,
    "Serve nothing while a slot has no owner.")
PARAM_NUMBER(CLUSTER_ALLOW_READS_WHEN_DOWN, "cluster-allow-reads-when-down", NULL, BOOL, "no", IDLE, CLUSTER,
    "Serve reads while the cluster is down.")
PARAM_NUMBER(CLUSTER_ALLOW_PUBSUBSHARD_WHEN_DOWN, "cluster-allow-pubsubshard-when-down", NULL, BOOL, "yes", IDLE, CLUSTER,
    "Serve sharded channels while the cluster is down.")
PARAM_NUMBER(CLUSTER_REPLICA_NO_FAILOVER, "cluster-replica-no-failover", "cluster-slave-no-failover", BOOL, "no", IDLE, CLUSTER,
    "Never take the place of the node followed.")
PARAM_NUMBER(CLUSTER_REPLICA_VALIDITY_FACTOR, "cluster-replica-validity-factor", "cluster-slave-validity-factor", INT(0, INT32_MAX, ""),
    "10", IDLE, CLUSTER, "A replica whose data are older takes nobody's place; 0 is no such limit.")
PARAM_NUMBER(CLUSTER_ALLOW_REPLICA_MIGRATION, "cluster-allow-replica-migration", NULL, BOOL, "yes", IDLE, CLUSTER,
    "Let replicas move to nodes that have none.")
PARAM_NUMBER(CLUSTER_MIGRATION_BARRIER, "cluster-migration-barrier", NULL, INT(0, INT32_MAX, "replicas"), "1", IDLE, CLUSTER,
    "Replicas that stay when one moves away.")
PARAM_NUMBER(CLUSTER_LINK_SENDBUF_LIMIT, "cluster-link-sendbuf-limit", NULL, MEMORY(0, INT64_MAX), "0", UNSIGNED | IDLE, CLUSTER,
    "A link of the bus with more to send is closed; 0 is no limit.")

#undef PARAM_NUMBER
#undef PARAM_TEXT
