#!/usr/bin/python3
"""Server and connection commands, quickly: replies equal to redis-server's, DEBUG's digest and populate, RESET."""
import harness

SAME = [  # requests whose replies are Redis's, byte for byte, in this order on one connection
    ("DEBUG", "DIGEST"),
    ("SET", "a", "1"), ("SET", "b", "some text"), ("SET", "long", "x" * 20000), ("SET", "t", "gone later", "EX", "1000"),
    ("HSET", "h", "f", "v", "g", "2"), ("HSET", "wide", *[x for i in range(600) for x in ("f%d" % i, "v%d" % i)]),
    ("HSET", "th", "f", "v"), ("PEXPIRE", "th", "1000000"),
    ("DEBUG", "DIGEST"), ("DEBUG", "DIGEST-VALUE", "a", "b", "long", "h", "wide", "t", "th", "none"), ("DEBUG", "DIGEST-VALUE"),
    ("SELECT", "3"), ("SET", "a", "1"), ("DEBUG", "POPULATE", "100"), ("GET", "key:99"), ("DEBUG", "POPULATE", "10", "p", "3"),
    ("GET", "p:1"), ("DEBUG", "POPULATE", "2", "q", "12"), ("GET", "q:0"), ("DEBUG", "POPULATE", "1", "z", "0"), ("GET", "z:0"),
    ("DEBUG", "POPULATE", "x"), ("DEBUG", "POPULATE", "-1"), ("DEBUG", "POPULATE", "1", "q", "-1"), ("DEBUG", "POPULATE"),
    ("DEBUG", "DIGEST"), ("DBSIZE",), ("FLUSHDB",), ("DEBUG", "DIGEST"), ("SELECT", "0"),
    ("DEBUG", "OBJECT", "none"), ("DEBUG", "OBJECT"), ("DEBUG", "SLEEP", "0"), ("DEBUG", "SLEEP", "abc"), ("DEBUG", "SLEEP"),
    ("DEBUG", "SET-ACTIVE-EXPIRE", "0"), ("DEBUG", "SET-ACTIVE-EXPIRE", "1"), ("DEBUG", "ERROR", "XX foo\r\nbar"), ("DEBUG", "ERROR"),
    ("DEBUG", "HTSTATS", "99"), ("DEBUG", "HTSTATS", "x"), ("DEBUG", "HTSTATS-KEY", "h"), ("DEBUG", "HTSTATS-KEY", "none"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100"), ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "x"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "99999999999"), ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "2gb"),
    ("DEBUG", "REPLYBUFFER", "x", "y"), ("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "10"),
    ("DEBUG", "REPLYBUFFER", "peak-reset-time", "x"), ("DEBUG", "CLIENT-EVICTION"), ("DEBUG", "RELOAD", "x"),
    ("DEBUG", "nonesuch"), ("DEBUG",),
] + [("DEBUG", "PROTOCOL", kind) for kind in ("string", "integer", "double", "null", "array", "set", "map", "attrib", "verbatim", "true",
                                              "false", "bignum", "none")] + [
    ("SLOWLOG", "GET", "-2"), ("SLOWLOG", "GET", "x"), ("SLOWLOG", "GET", "1", "2"), ("SLOWLOG", "RESET"), ("SLOWLOG", "LEN"),
    ("SLOWLOG", "GET"), ("LATENCY", "RESET"), ("LATENCY", "LATEST"), ("LATENCY", "HISTORY", "command"), ("LATENCY", "GRAPH", "command"),
    ("LATENCY", "RESET", "none"), ("LATENCY", "HISTOGRAM", "nonesuch"), ("LATENCY", "HISTORY"),
    ("CLIENT", "GETREDIR"), ("CLIENT", "TRACKINGINFO"), ("CLIENT", "CACHING", "yes"), ("CLIENT", "TRACKING", "off"),
    ("CLIENT", "TRACKING", "x"), ("CLIENT", "TRACKING"), ("MEMORY", "PURGE"), ("MEMORY", "STATS", "x"),
    ("RESET", "x"), ("CLIENT", "SETNAME", "me"), ("SELECT", "2"), ("RESET",), ("CLIENT", "GETNAME"), ("DEBUG", "PROTOCOL", "push"),
]


def compare(ours, redis, version):
    with ours.connect() as a, redis.connect() as b:
        for c in (a, b):
            c.command("FLUSHALL")
            c.command("HELLO", version)
        for request in SAME:
            a.send(*request)
            b.send(*request)
            for _ in range(2 if request[1:] == ("PROTOCOL", "attrib") and version == 3 else 1):
                got, want = raw(a), raw(b)
                assert got == want, "RESP%d %r: %r instead of %r" % (version, request, got[:300], want[:300])


def raw(c):
    """One reply's bytes; an attribute counts as one."""
    line, _ = c._line(0)
    if line[:1] != b"|":
        return c.read_raw()
    c.have[0:1] = b"%"
    return b"|" + c.read_raw()[1:]


def monitored(server, connections):
    """What a monitor sees of requests on these connections, with what differs between servers cut out."""
    requests = [("PING",), ("SELECT", "3"), ("SET", b"a\x00\n", b"\"\\\a\xff"), ("GET", "x" * 100), ("CONFIG", "GET", "port"),
                ("CLIENT", "ID"), ("NOSUCH",), ("GET",), ("HELLO", "2", "AUTH", "default", "secret"), ("SELECT", "0")]
    with server.connect() as m:
        assert m.command("MONITOR") == "OK"
        for request in requests:
            for c in connections:
                c.command(*request)
        seen = []
        while len(seen) < 7 * len(connections):
            seen.append(m.read().split(" ", 1)[1])
        m.send("PING")
        assert m.read() == "PONG" and m.read().endswith('"PING"')
        m.send("MONITOR")  # says nothing
        assert m.command("GET", "a").text == "ERR Replica can't interact with the keyspace"
        assert m.command("RESET") == "RESET"
        connections[0].command("PING")
        assert m.command("ECHO", "x") == b"x"
    return [line.split(" ", 1)[0] + line.split("]", 1)[1] for line in seen]


def monitor_shows_all_workers(ours, redis):
    """All workers' commands in the order in which they ran, in Redis's form."""
    connections = ours.connect_all()
    with redis.connect() as a, redis.connect() as b:
        want = monitored(redis, [a, b])
    assert monitored(ours, connections) == want
    for c in connections:
        c.close()


def slow_commands_of_all_workers(ours):
    connections = ours.connect_all()
    first = connections[0]
    assert first.command("CONFIG", "SET", "slowlog-log-slower-than", "5000") == "OK"
    first.command("SLOWLOG", "RESET")
    for c in connections:
        c.command("CLIENT", "SETNAME", "w%d" % ours.worker_of(c))
        c.pipeline([("PING",), ("DEBUG", "SLEEP", "0.01"), ("PING",)])
    entries = first.command("SLOWLOG", "GET", "-1")
    assert [e[3] for e in entries] == [[b"DEBUG", b"SLEEP", b"0.01"]] * 2, entries
    assert [e[5] for e in entries] == [b"w1", b"w0"] and entries[0][0] == entries[1][0] + 1, entries
    assert all(10000 <= e[2] < 1000000 for e in entries), entries
    assert first.command("CONFIG", "SET", "slowlog-log-slower-than", "0") == "OK"
    first.command("SLOWLOG", "RESET")
    first.pipeline([("MSET", *range(34)), ("SET", "k", "v" * 130), ("SET", "k", "v"), ("SET", "k", "w"),
                    ("CONFIG", "SET", "slowlog-max-len", "4")])
    args = [e[3] for e in first.command("SLOWLOG", "GET")]
    assert args == [[b"CONFIG", b"SET", b"slowlog-max-len", b"4"], [b"SET", b"k", b"w"], [b"SET", b"k", b"v"],
                    [b"SET", b"k", b"v" * 128 + b"... (2 more bytes)"]], args
    first.command("CONFIG", "SET", "slowlog-max-len", "128", "slowlog-log-slower-than", "10000")
    assert first.command("CONFIG", "SET", "latency-monitor-threshold", "5") == "OK"
    for c in connections:
        c.command("DEBUG", "SLEEP", "0.01")
    event, _, last, most = first.command("LATENCY", "LATEST")[0]
    assert event == b"command" and 10 <= last <= most < 1000
    assert first.command("LATENCY", "HISTORY", "command")[-1][1] >= 10
    assert first.command("LATENCY", "RESET") == 1
    first.command("CONFIG", "SET", "latency-monitor-threshold", "0")
    histogram = first.command("LATENCY", "HISTOGRAM", "debug")
    assert histogram[0] == b"debug" and histogram[1][0] == b"calls" and histogram[1][1] >= 4, histogram
    for c in connections:
        c.close()


def fields(text):
    """Sections and names of fields, in order; what differs by what was run is left out."""
    names = [line.split(":", 1)[0] for line in text.decode().split("\r\n")]
    return [n for n in names if not n.startswith(("cmdstat_", "latency_percentiles_", "errorstat_", "db"))]


def info_has_all_fields(ours, redis):
    """Redis's sections and fields in Redis's order, with our own between them."""
    for sections in ((), ("everything",), ("all",), ("default",), ("memory", "CPU"), ("nonesuch",), ("commandstats", "errorstats")):
        with ours.connect() as a, redis.connect() as b:
            a.send("INFO", *sections)
            b.send("INFO", *sections)
            got, want = fields(a.read()), fields(b.read())
        left = iter(got)
        missing = [n for n in want if n and n not in left]
        assert not missing, "INFO %s lacks %s" % (" ".join(sections), missing)


def memory_is_told(ours, redis):
    """MEMORY STATS has Redis's fields in Redis's order; LOLWUT ends with the version."""
    with ours.connect() as a, redis.connect() as b:
        for c in (a, b):
            c.command("FLUSHALL")
            c.command("SET", "k", "v")
        got, want = a.command("MEMORY", "STATS"), b.command("MEMORY", "STATS")
        assert got[::2] == want[::2], got[::2]
        assert got[got.index(b"db.0") + 1][::2] == want[want.index(b"db.0") + 1][::2]
        assert got[got.index(b"keys.count") + 1] == 1
        assert a.command("LOLWUT", "VERSION", "5").endswith(b"Redis ver. 7.0.15\n")
        assert a.command("MEMORY", "DOCTOR") and a.command("MEMORY", "MALLOC-STATS")


def statistics_of_all_workers(ours):
    connections = ours.connect_all()
    first = connections[0]
    first.command("CONFIG", "RESETSTAT")
    for c in connections:
        c.pipeline([("SET", "stat", "x")] * 50 + [("GET", "stat")] * 100 + [("INCR", "stat"), ("GET",), ("NOSUCH",), ("HGET", "stat", "f")])
    info = ours.info("everything")
    calls = dict(f.split("=") for f in info["cmdstat_get"].split(","))
    assert (calls["calls"], calls["rejected_calls"], calls["failed_calls"]) == ("200", "2", "0"), info["cmdstat_get"]
    assert float(calls["usec_per_call"]) > 0
    assert info["cmdstat_set"].startswith("calls=100,") and info["cmdstat_incr"].endswith("failed_calls=2"), info["cmdstat_incr"]
    assert info["errorstat_ERR"] == "count=6" and info["errorstat_WRONGTYPE"] == "count=2", info["errorstat_ERR"]
    assert info["latency_percentiles_usec_get"].startswith("p50=") and ",p99.9=" in info["latency_percentiles_usec_get"]
    assert int(info["total_commands_processed"]) >= 304 and info["keyspace_hits"] == "202", info["keyspace_hits"]
    assert int(info["total_net_input_bytes"]) > 5000 and int(info["total_error_replies"]) == 8
    assert info["connected_clients"] == str(len(connections) + 1), info["connected_clients"]
    first.command("CONFIG", "RESETSTAT")
    info = ours.info("everything")
    assert "cmdstat_get" not in info and "errorstat_ERR" not in info and info["keyspace_hits"] == "0"
    for c in connections:
        c.close()


def main():
    with harness.Kvstash(workers=2) as ours, harness.Redis() as redis:
        for version in (2, 3):
            compare(ours, redis, version)
        monitor_shows_all_workers(ours, redis)
        slow_commands_of_all_workers(ours)
        info_has_all_fields(ours, redis)
        memory_is_told(ours, redis)
        statistics_of_all_workers(ours)


harness.run(main)
