#!/usr/bin/python3
"""CONFIG and AUTH: each command's reply equals redis-server's, byte for byte; a change holds on every worker."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

SETS = [  # pairs for CONFIG SET; after each the parameters named are read with CONFIG GET
    ["maxmemory", "1gb"], ["maxmemory", "10x"], ["maxmemory", "18446744073709551616"], ["maxmemory", "1.5gb"], ["maxmemory", "1G"],
    ["maxmemory", " 5"], ["maxmemory", "5b"], ["MAXMEMORY", ""], ["maxmemory-clients", "10%"], ["maxmemory-clients", "101%"],
    ["maxmemory-clients", "0%"], ["maxmemory-clients", "-5"], ["foo", "1"], ["maxmemory", "1", "foo", "1"], ["maxmemory", "1", "foo"],
    ["maxmemory"], [], ["maxmemory", "1", "MaxMemory", "2"], ["hash-max-listpack-entries", "1", "hash-max-ziplist-entries", "2"],
    ["HASH-MAX-ziplist-entries", "x"], ["maxmemory", "1", "timeout", "abc"], ["dir", "/tmp"], ["databases", "3"], ["databases", "3", "foo", "1"],
    ["save", "1 2 3"], ["save", "900 1 300 10"], ["save", "0 1"], ["save", "1 -1"], ["save", "  10   5 "], ["save", ""],
    ["client-output-buffer-limit", "normal 1mb 2mb 60"], ["client-output-buffer-limit", "replica 1 2 3 PUBSUB 4 5 6"],
    ["client-output-buffer-limit", "master 1 2 3"], ["client-output-buffer-limit", "normal 1 2"],
    ["client-output-buffer-limit", "normal 1 2 -3"], ["oom-score-adj-values", "1 2"], ["oom-score-adj-values", "1 2 3000"],
    ["oom-score-adj-values", "3 2 1"], ["notify-keyspace-events", "Kxge"], ["notify-keyspace-events", "KEg$lshzxetdmn"],
    ["notify-keyspace-events", "q"], ["notify-keyspace-events", ""], ["latency-tracking-info-percentiles", "50.123456789 1e1"],
    ["latency-tracking-info-percentiles", "101"], ["latency-tracking-info-percentiles", "x"], ["latency-tracking-info-percentiles", ""],
    ["shutdown-on-sigterm", "now nosave force"], ["shutdown-on-sigterm", "save nosave"], ["shutdown-on-sigterm", "default now"],
    ["shutdown-on-sigterm", ""], ["shutdown-on-sigterm", "default"], ["loglevel", "debug notice"], ["loglevel", "NOTICE"], ["appendfsync", "Always"],
    ["timeout", "05"], ["timeout", "+5"], ["timeout", "2147483648"], ["timeout", "-1"], ["maxclients", "0"], ["hz", "0"], ["hz", "1000"],
    ["cluster-announce-hostname", "a" * 300], ["cluster-announce-hostname", "a_b"], ["proc-title-template", "{foo}"],
    ["list-max-ziplist-size", "5000000000"], ["lua-time-limit", "5"], ["cluster-slave-no-failover", "yes"], ["proto-max-bulk-len", "1023"],
    ["client-query-buffer-limit", "1"], ["oom-score-adj", "abc"], ["", "5"], ["max memory", "5"], ["a\nb", "5"], ["maxmemory-policy", "ALLKEYS-LRU"],
    ["slowlog-log-slower-than", "-2"], ["rdb-key-save-delay", "7"], ["bind-source-addr", "127.0.0.1"],
    ["maxmemory-policy", "noeviction", "maxmemory", "0"],
]

AUTHS = [
    "AUTH", "AUTH a", "AUTH a b", "AUTH default x", "AUTH a b c", "HELLO 3 AUTH default x", "HELLO 3 AUTH a", "HELLO 2 foo", "HELLO x",
    "HELLO 4 AUTH default x", "CONFIG SET requirepass foo", "PING", "AUTH bar", "RESET", "PING", "GET x", "GET", "NOCOMMAND", "CONFIG GET requirepass",
    "AUTH bar", "AUTH default bar", "AUTH nouser foo", "HELLO", "HELLO 4", "HELLO 2 SETNAME x", "HELLO 3 AUTH default bar", "HELLO x AUTH default foo",
    "AUTH foo", "PING", "CLIENT GETNAME", "RESET", "AUTH default foo", "PING", "CONFIG GET requirepass", "RESET", "ECHO x",
]


def same(pair, *command):
    for c in pair:
        c.send(*command)
    replies = [c.read_raw() for c in pair]
    assert replies[0] == replies[1], "%r: kvstash %r, redis-server %r" % (command, *replies)
    return replies[0]


def as_redis(server, redis):
    with server.connect() as a, redis.connect() as b:
        for pairs in SETS:
            same((a, b), "CONFIG", "SET", *pairs)
            for name in pairs[::2]:
                if name != "dir":
                    same((a, b), "CONFIG", "GET", name)
        for command in ("CONFIG", "CONFIG GET", "CONFIG GET foo", "CONFIG GET MAXMEMORY maxmemory MAXmemory", "CONFIG GET [a", "CONFIG FOO",
                        "CONFIG FOO BAR", "CONFIG RESETSTAT x", "CONFIG RESETSTAT", "CONFIG REWRITE", "CONFIG REWRITE x", "CONFIG GET rdb-k*"):
            same((a, b), *command.split())
    with server.connect() as a, redis.connect() as b:
        for command in AUTHS:
            if "default x" in command and command.startswith("HELLO 3"):
                continue
            same((a, b), *command.split())


def as_redis_before_auth(server, redis):
    """What a client may send that has not said its password."""
    for raw in (b"*11\r\n", b"*2\r\n$4\r\nECHO\r\n$16385\r\n"):
        ends = []
        for s in (server, redis):
            with s.connect() as c:
                c.send_raw(raw)
                ends.append(c.read_to_end())
        assert ends[0] == ends[1], ends
    for s in (server, redis):
        with s.connect() as c:
            assert c.pipeline([["AUTH", "foo"], ["CONFIG", "SET", "requirepass", ""]]) == ["OK", "OK"]
            assert s.command("PING") == "PONG"


def holds_everywhere(server):
    """After +OK no worker acts on the old value."""
    connections = server.connect_all()
    for i in range(60):
        setter, others = connections[i % 3], connections
        assert setter.command("CONFIG", "SET", "maxmemory", "1" if i % 2 else "0", "requirepass", "") == "OK"
        for c in others:
            reply = c.command("SET", "key", "value")
            assert (reply == "OK") == (i % 2 == 0), "round %d: %r" % (i, reply)
    for c in connections:
        assert c.command("CONFIG", "SET", "maxmemory", "0") == "OK"
        c.close()


def counts_anew(server):
    with server.connect() as c:
        for _ in range(10):
            c.command("GET", "nokey")
        assert int(server.info("stats")["keyspace_misses"]) >= 10
        assert c.command("CONFIG", "RESETSTAT") == "OK"
        info = server.info("stats")
        assert info["keyspace_misses"] == "0" and int(info["total_connections_received"]) <= 2, info
        c.command("GET", "nokey")
        assert server.info("stats")["keyspace_misses"] == "1"


def main():
    with harness.Kvstash("--save", "", workers=3) as server:
        with harness.Redis() as redis:
            as_redis(server, redis)
            as_redis_before_auth(server, redis)
        holds_everywhere(server)
        counts_anew(server)


harness.run(main)
