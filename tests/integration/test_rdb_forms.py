#!/usr/bin/python3
"""RDB files of redis-server in every form that it writes, read by format/: the same keys and values as redis-py sees, and
no bit of them can be flipped unseen.

The forms are chosen by redis-server's limits (small collections packed or not, lists of one node or many, with compression
and without). The values are asked for through commands; so reader and writer are not of one hand.
"""
import os
import shutil
import subprocess
import tempfile
import time

import redis

import harness
import values_dump

TOOLS = os.path.join(harness.TOP, os.environ.get("KVSTASH_CHECK", "build-check"), "tests", "format")
SEEDS = os.path.join(harness.TOP, "tests", "fuzz", "corpus", "rdb")
OLD_SEEDS = ["v1", "v3_zipmap_ziplists", "v7_quicklist", "v9_stream", "v10_stream", "v10_lists"]
PRINT, FLIP = os.path.join(TOOLS, "rdb_print"), os.path.join(TOOLS, "rdb_flip")
WORDS = [b"", b"0", b"-1", b"127", b"128", b"-129", b"4095", b"4096", b"-4097", b"32768", b"8388608", b"2147483648",
         b"-9223372036854775808", b"9223372036854775807", b"007", b"+5", b"text", b"\x00\xff\r\n", b"x" * 63, b"y" * 64, b"ab" * 60,
         b"long" * 600, b"z" * 5000]
PACKED = {"hash-max-listpack-entries": 512, "hash-max-listpack-value": 8192, "zset-max-listpack-entries": 512,
          "zset-max-listpack-value": 8192, "set-max-intset-entries": 512, "list-max-listpack-size": -2}
PLAIN = {"hash-max-listpack-entries": 0, "zset-max-listpack-entries": 0, "set-max-intset-entries": 0, "list-max-listpack-size": 3}


class Redis:
    """A redis-server with a file to be read; it may begin with one."""

    def __init__(self, seed=None):
        self.seed = seed

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        if self.seed:
            shutil.copy(self.seed, os.path.join(self.dir.name, "dump.rdb"))
        self.port = harness.free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir.name, "--save", "",
             "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes"], stdout=subprocess.DEVNULL)
        self.c = redis.Redis(port=self.port)
        self.c.set_response_callback("XINFO STREAM", lambda reply, **_: pairs(reply))
        self.c.set_response_callback("XINFO", lambda reply, **_: pairs(reply))
        end = time.monotonic() + harness.START_S
        while True:
            try:
                self.c.ping()
                return self
            except (redis.ConnectionError, redis.BusyLoadingError):
                assert time.monotonic() < end and self.process.poll() is None, "redis-server does not start"
                time.sleep(0.02)

    def __exit__(self, *what):
        self.process.terminate()
        self.process.wait(harness.STOP_S)
        self.dir.cleanup()

    def saved(self):
        self.c.save()
        return os.path.join(self.dir.name, "dump.rdb")


def unhex(word):
    return b"" if word == "-" else bytes.fromhex(word)


def read(path, *flags):
    """{(db, key): (type, form, expiry, pieces)} and the libraries."""
    done = subprocess.run([PRINT, *flags, path], capture_output=True, text=True, timeout=harness.REPLY_S)
    lines = [line.split(" ") for line in done.stdout.split("\n")[:-1]]
    assert done.returncode == 0 and lines[-1] == ["end"], done.stdout[-500:]
    keys, libraries = {}, []
    for line in lines[:-1]:
        if line[0] == "key":
            pieces = []
            keys[int(line[2]), unhex(line[1])] = (line[3], line[4], int(line[5]), pieces)
        elif line[0] == "function":
            libraries.append(unhex(line[1]))
        elif line[0] != "aux":
            pieces.append(line)
    return keys, libraries


def value_of(kind, pieces):
    """The pieces as redis-py would answer; of a stream (entries, facts, groups)."""
    if kind == "string":
        assert len(pieces) == 1
        return unhex(pieces[0][1])
    if kind == "list":
        return [unhex(p[1]) for p in pieces]
    if kind == "set":
        return {unhex(p[1]) for p in pieces}
    if kind == "zset":
        return {unhex(p[1]): float(p[2]) for p in pieces}
    if kind == "hash":
        return {unhex(p[1]): unhex(p[2]) for p in pieces}
    return stream_of(pieces)


def stream_of(pieces):
    entries, facts, groups = [], None, {}
    for p in pieces:
        if p[0] == "entry":
            entries.append((p[1], int(p[2]), []))
        elif p[0] == "field":
            entries[-1][2].append((unhex(p[1]), unhex(p[2])))
        elif p[0] == "stream":
            facts = {"last": p[1], "first": p[2], "deleted": p[3], "added": int(p[4]), "length": int(p[5])}
        elif p[0] == "group":
            consumers = {}
            groups[unhex(p[1])] = {"last": p[2], "read": int(p[3]), "consumers": consumers}
        elif p[0] == "consumer":
            pending = consumers[unhex(p[1])] = []
        else:
            pending.append((p[1], int(p[2]), int(p[3])))
    for _, count, fields in entries:
        assert count == len(fields)
    for group in groups.values():
        group["consumers"] = {name: sorted(pending) for name, pending in group["consumers"].items()}
    return [(i, f) for i, _, f in entries], facts, groups


def stream_asked(c, key):
    info = c.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    entries = [(i.decode(), list(zip(f[::2], f[1::2]))) for i, f in raw(c, "XRANGE", key, "-", "+")]
    facts = {"last": info[b"last-generated-id"].decode(), "first": info[b"recorded-first-entry-id"].decode(),
             "deleted": info[b"max-deleted-entry-id"].decode(), "added": info[b"entries-added"], "length": info[b"length"]}
    groups = {}
    for g in info[b"groups"]:
        consumers = {n[b"name"]: sorted((i.decode(), t, d) for i, t, d in n[b"pending"]) for n in g[b"consumers"]}
        groups[g[b"name"]] = {"last": g[b"last-delivered-id"].decode(), "consumers": consumers,
                              "read": -1 if g[b"entries-read"] is None else g[b"entries-read"]}
    return entries, facts, groups


def raw(c, *args):
    """A reply as it came."""
    connection = c.connection_pool.get_connection("")
    try:
        connection.send_command(*args)
        return connection.read_response()
    finally:
        c.connection_pool.release(connection)


def pairs(flat):
    """A map's reply in RESP2, all the way down."""
    if isinstance(flat, list) and len(flat) % 2 == 0 and flat and all(isinstance(k, bytes) for k in flat[::2]) and len(flat) > 2:
        return {k: pairs(v) if k in (b"groups", b"consumers") else v for k, v in zip(flat[::2], flat[1::2])}
    if isinstance(flat, list):
        return [pairs(v) for v in flat]
    return flat


def asked(c, kind, key):
    if kind == "string":
        return c.get(key)
    if kind == "list":
        return c.lrange(key, 0, -1)
    if kind == "set":
        return c.smembers(key)
    if kind == "zset":
        return dict(c.zrange(key, 0, -1, withscores=True))
    if kind == "hash":
        return c.hgetall(key)
    return stream_asked(c, key)


def fill_streams(c):
    for i in range(250):  # more than a node holds; with the same fields, and with others
        c.xadd("stream:many", {"f": i, "g": "v" * (i % 90)} if i % 7 else {"other": WORDS[i % len(WORDS)]}, id="%d-%d" % (5 + i // 3, i % 3))
    for i in range(0, 250, 11):
        c.xdel("stream:many", "%d-%d" % (5 + i // 3, i % 3))
    c.xgroup_create("stream:many", "g1", "0")
    c.xgroup_create("stream:many", "g2", "$")
    for who, count in (("anna", 5), ("bert", 40), ("anna", 2)):
        c.xreadgroup("g1", who, {"stream:many": ">"}, count=count)
    c.execute_command("XGROUP", "CREATECONSUMER", "stream:many", "g2", "idle")
    c.execute_command("XCLAIM", "stream:many", "g1", "bert", 0, "5-1", "RETRYCOUNT", 70000, "TIME", 12345)
    c.xadd("stream:empty", {"a": "b"}, id="3-9")
    c.xdel("stream:empty", "3-9")
    c.execute_command("XSETID", "stream:empty", "9-9", "ENTRIESADDED", 100, "MAXDELETEDID", "9-1")


def fill(c, prefix):
    for i, word in enumerate(WORDS):
        c.set("%s:string:%d" % (prefix, i), word)
    c.rpush(prefix + ":list", *WORDS, *range(1000))
    c.rpush(prefix + ":list:one", "1")
    c.sadd(prefix + ":set", *WORDS)
    c.sadd(prefix + ":set:int2", *range(-50, 50))
    c.sadd(prefix + ":set:int4", *range(-50, 50), 1 << 20)
    c.sadd(prefix + ":set:int8", *range(-50, 50), 1 << 40, -(1 << 63))
    c.hset(prefix + ":hash", mapping={w + b"!": w for w in WORDS})
    c.hset(prefix + ":hash:ints", mapping={w: WORDS[-i] for i, w in enumerate(WORDS)})
    c.zadd(prefix + ":zset", {w: s for w, s in zip(WORDS, [0, -1, 1.5, 1e300, -1e-300, 3, 0.1, float("inf"), float("-inf"), 12345678901234567,
                                                           2 ** 53, 1 / 3, 4096, -32768] + list(range(20)))})
    c.set(prefix + ":expires", "v", px=10 ** 12)


def compare(r, path=None):
    """What is read of a file, or of the one that the server saves, is what the server says. Returns the forms in it."""
    c, path = r.c, path or r.saved()
    keys, _ = read(path)
    seen = 0
    for db in (0, 3):
        c.execute_command("SELECT", db)
        for key in c.keys("*"):
            kind, form, expiry, pieces = keys[db, key]
            assert kind == c.type(key).decode(), key
            got, wanted = value_of(kind, pieces), asked(c, kind, key)
            if form == "stream" and not got[0]:  # redis-server makes up a first id where the file has none
                got[1]["first"] = wanted[1]["first"]
            assert got == wanted, "%r (%s): %r is not %r" % (key, form, got, wanted)
            assert expiry == c.execute_command("PEXPIRETIME", key), key
            seen += 1
    c.execute_command("SELECT", 0)
    assert seen == len(keys)
    heads, _ = read(path, "-h")
    assert {k: v[:3] for k, v in heads.items()} == {k: v[:3] for k, v in keys.items()}
    return {v[1] for v in keys.values()}


def flips(path, what, unseen=0):
    """Flips every bit of a file; unseen: what rdb_flip may say (1 if variants may be taken, because there is no checksum)."""
    done = subprocess.run([FLIP, path], capture_output=True, text=True, timeout=2 * harness.REPLY_S)
    assert 0 <= done.returncode <= unseen, "%s: %s %s" % (what, done.stdout, done.stderr)
    print("%-28s %s" % (what, done.stdout.strip()))


def rewritten(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def flip_seeds(folder):
    """Older and newer files than redis-server writes, from the fuzzer's seeds; with a checksum if their version has one."""
    for name in sorted(os.listdir(SEEDS)):
        with open(os.path.join(SEEDS, name), "rb") as f:
            data = f.read()
        path = os.path.join(folder, name)
        if name.startswith("v") and int(data[5:9]) >= 5:
            flips(rewritten(path, data[:-8] + values_dump.crc64(data[:-8]).to_bytes(8, "little")), name)
        flips(rewritten(path, data if int(data[5:9]) < 5 else data[:-8] + bytes(8)), name + ", no checksum", 1)


def flip_all(r):
    """Small files, one for each type: every bit of them."""
    c = r.c
    small = {
        "strings": lambda: [c.set("s%d" % i, w) for i, w in enumerate(WORDS[:-2])],
        "lists": lambda: c.rpush("l", *WORDS[:14]),
        "sets": lambda: (c.sadd("i", *range(20)), c.sadd("m", *WORDS[:14])),
        "hashes": lambda: c.hset("h", mapping={w: w for w in WORDS[:14]}),
        "zsets": lambda: c.zadd("z", {w: i / 3 for i, w in enumerate(WORDS[:14])}),
        "streams": lambda: (c.xadd("x", {"f": "v"}, id="1-1"), c.xadd("x", {"f": "w"}, id="2-1"), c.xgroup_create("x", "g", "0"),
                            c.xreadgroup("g", "me", {"x": ">"})),
    }
    for limits in (PACKED, PLAIN):
        c.config_set("rdbcompression", "no" if limits is PLAIN else "yes")
        for name, value in limits.items():
            c.config_set(name, value)
        for what, make in small.items():
            c.flushall()
            make()
            flips(r.saved(), what)


def old_forms():
    """Files in forms that redis-server reads and no longer writes."""
    forms = set()
    for name in OLD_SEEDS:
        path = os.path.join(SEEDS, name)
        with Redis(path) as r:
            forms |= compare(r, path)
    wanted = {"string", "list", "set", "zset-v1", "zset-v2", "hash", "hash-zipmap", "list-ziplist", "zset-ziplist", "hash-ziplist", "quicklist",
              "quicklist-v2", "hash-listpack", "zset-listpack", "stream", "stream-v2"}
    assert forms == wanted, forms ^ wanted


def main():
    if not os.path.exists(PRINT):
        raise harness.Skip("%s is not built (scripts/test builds it)" % PRINT)
    forms = set()
    with Redis() as r:
        for compression in ("yes", "no"):
            r.c.flushall()
            r.c.config_set("rdbcompression", compression)
            for prefix, limits in (("packed", PACKED), ("plain", PLAIN)):
                for name, value in limits.items():
                    r.c.config_set(name, value)
                fill(r.c, prefix)
            r.c.execute_command("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b")
            r.c.rpush("plainnodes", "a" * 200, "b", "c" * 200)
            r.c.execute_command("SELECT", 3)
            r.c.set("elsewhere", "1")
            r.c.execute_command("SELECT", 0)
            fill_streams(r.c)
            r.c.execute_command("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
            forms |= compare(r)
            assert b"#!lua name=lib" in read(r.saved())[1][0]
        wanted = {"string", "quicklist-v2", "set", "set-intset", "hash", "hash-listpack", "zset-v2", "zset-listpack", "stream-v2"}
        assert forms == wanted, forms
        flip_all(r)
        flip_seeds(r.dir.name)
    old_forms()


harness.run(main)
