#!/usr/bin/python3
"""A start from RDB files of other versions and forms: hashes and strings of all of them are there; what has no commands here is
refused by its key's name, or left out and counted (rdb-skip-unknown); damage is refused at every depth of looking.

The files are the fuzzer's seeds (tests/fuzz/corpus/rdb), or built here.
"""
import os
import re
import subprocess
import tempfile

import harness

SEEDS = os.path.join(harness.TOP, "tests", "fuzz", "corpus", "rdb")


def seed(name):
    return os.path.join(SEEDS, name)


def loaded(path, *options):
    return harness.Kvstash("--restore-from", path, "--save", "", *options, workers=2, region_size=256 << 20)


def refused(folder, path, *options):
    """What a start says that is refused."""
    done = subprocess.run([harness.KVSTASH, "--port", str(harness.free_port()), "--dir", folder, "--region", "/dev/shm/kvstash-test-refused-%d" % os.getpid(),
                           "--region-size", str(256 << 20), "--save", "", "--restore-from", path, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.START_S)
    assert done.returncode != 0, done.stdout
    return done.stderr.strip().split("\n")[-1]


def hgetall(c, key):
    flat = c.command("HGETALL", key)
    return dict(zip(flat[::2], flat[1::2]))


def old_versions():
    with loaded(seed("v1"), "--rdb-skip-unknown", "yes") as server, server.connect() as c:
        assert c.command("DBSIZE") == 2
        assert c.command("GET", "k0") == b"v" and c.command("PEXPIRETIME", "k0") == (2 ** 31 - 1) * 1000
        assert hgetall(c, "k4") == {b"f": b"v"}
        server.expect_logged("3 items of types that this version does not have were left out")
    with loaded(seed("v3_zipmap_ziplists"), "--rdb-skip-unknown", "yes", "--sanitize-dump-payload", "yes") as server, server.connect() as c:
        assert c.command("DBSIZE") == 2
        assert hgetall(c, "k9") == {b"f": b"ab", b"g": b"c" * 254}
        assert hgetall(c, "k13") == {b"f": b"-128", b"g": b"-32768", b"h": b"-8388608", b"i": b"-2147483648", b"j": b"9223372036854775807", b"k": b"0"}
    with loaded(seed("v10_lists"), "--rdb-skip-unknown", "yes") as server, server.connect() as c:
        assert c.command("DBSIZE") == 1 and hgetall(c, "h") == {b"f": b"v", b"g": b"70000"}


def unknown_types(folder):
    for name, key in (("redis_lists_packed", "p"), ("redis_sets_plain", None), ("redis_zsets_packed", "z"), ("redis_streams_plain", "x"),
                      ("v11_set", "k20"), ("v11_stream", "k21"), ("v12_hash", "k24"), ("v7_quicklist", "k14")):
        said = refused(folder, seed(name))
        assert "does not have" in said and "rdb-skip-unknown" in said and (not key or 'key "%s" in database 0' % key in said), said
        with loaded(seed(name), "--rdb-skip-unknown", "yes") as server:
            assert server.command("DBSIZE") == 0
            server.expect_logged("were left out")
    for name, what in (("redis_functions_plain", "a library of functions"), ("v9_module", "data of a module")):
        assert what in refused(folder, seed(name))


def record(kind, key, value):
    return bytes([kind, len(key)]) + key + value


def damage(folder):
    twice = b"\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81f\x02\x81w\x02\xff"
    cut = b"\x0d\x0d\x00\x00\x00\x02\x00\x81f\x02\x85v\x02\xff"
    for value, what in ((twice, "a field stands twice in a hash"), (cut, "a listpack is damaged")):
        path = os.path.join(folder, "damaged.rdb")
        with open(path, "wb") as f:
            f.write(b"REDIS0010\xfe\x00" + record(0, b"good", b"\x01v") + record(16, b"bad", value) + b"\xff" + bytes(8))
        for mode in ("yes", "clients", "no"):
            said = refused(folder, path, "--sanitize-dump-payload", mode, "--rdb-skip-unknown", "yes")
            assert what in said and 'key "bad" in database 0' in said and path in said, said


def first_damage(folder):
    """Of several things that are wrong the first of the file is told: of keys of one batch, which are put in by shard, of several
    loaders' keys, and of a key and what stands behind it."""
    names = [b"bad%d" % i for i in range(40)]
    cut = b"\x0d\x0d\x00\x00\x00\x02\x00\x81f\x02\x85v\x02\xff"
    few = b"".join(record(0, b"good%d" % i, b"\x01v") for i in range(2000))
    many = b"".join(record(0, b"good%d" % i, b"\x3c" + b"v" * 60) for i in range(20000))  # a second loader is worth it
    path = os.path.join(folder, "first.rdb")

    def told(good, first, *behind):
        with open(path, "wb") as f:
            f.write(b"REDIS0010\xfe\x00" + good + record(16, first, cut) + b"".join(behind))
        said = refused(folder, path)
        assert "a listpack is damaged" in said and 'key "%s" in' % first.decode() in said, said
        place = int(re.search(r"byte (\d+):", said).group(1))
        value = 11 + len(good) + 2 + len(first)
        assert value <= place < value + 1 + len(cut), said

    end = b"\xff" + bytes(8)
    for good in (few, many):
        for order in (names, names[::-1], names[20:] + names[:20]):
            told(good, order[0], *[record(16, name, cut) for name in order[1:]], end)
            told(good, order[0], record(1, b"foreign", b"\x01e"), end)
            told(good, order[0], record(0, b"torn", b"\x05v"))
            told(good, order[0], good, end)


def main():
    old_versions()
    with tempfile.TemporaryDirectory() as folder:
        unknown_types(folder)
        damage(folder)
        first_damage(folder)


harness.run(main)
