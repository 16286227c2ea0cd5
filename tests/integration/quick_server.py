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


def main():
    with harness.Kvstash(workers=2) as ours, harness.Redis() as redis:
        for version in (2, 3):
            compare(ours, redis, version)


harness.run(main)
