#!/usr/bin/python3
"""Snapshots are the state of one moment, whatever moves meanwhile; a persister that dies, or a full disk, costs nothing."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import saved  # noqa: E402

OPTIONS = ("--save", "", "--enable-protected-configs", "yes")
ACCOUNTS = 400      # of each writer, as keys and as fields
BALANCE = 1000
WRITERS = 4
FIELDS = 20000      # beside them, so that the hash is large
IMAGES = 12


def persistence(server):
    return server.info("persistence")


def persister(server):
    return int(server.info("processes")["persister"].split("pid=")[1].split(",")[0])


def save_in_background(server, c):
    assert c.command("BGSAVE") == "Background saving started"
    harness.wait_for("the cut", lambda: persistence(server)["current_save_keys_total"] != "0" or
                   persistence(server)["rdb_bgsave_in_progress"] == "0")


def wait_saved(server, seconds=60):
    harness.wait_for("end of the save", lambda: persistence(server)["rdb_bgsave_in_progress"] == "0", seconds)
    assert persistence(server)["rdb_last_bgsave_status"] == "ok"


# ---- transfers ----------------------------------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Moves money between accounts that nobody else touches, two in one command: strings by MSET, fields by HSET."""

    def __init__(self, server, number):
        super().__init__()
        self.server, self.number, self.ending = server, number, False
        self.random = random.Random(number)
        self.moved, self.error = 0, None
        self.balance = {kind: [BALANCE] * ACCOUNTS for kind in "kf"}

    def name(self, kind, i):
        return "%s:%d:%d" % (kind, self.number, i)

    def transfer(self, kind):
        a, b = self.random.sample(range(ACCOUNTS), 2)
        amount = self.random.randint(1, 10 ** self.random.randint(1, 12))
        self.balance[kind][a] -= amount
        self.balance[kind][b] += amount
        pairs = (self.name(kind, a), self.balance[kind][a], self.name(kind, b), self.balance[kind][b])
        return ("MSET",) + pairs if kind == "k" else ("HSET", "accounts") + pairs

    def run(self):
        try:
            with self.server.connect() as c:
                while not self.ending:
                    replies = c.pipeline([self.transfer("kf"[i % 2]) for i in range(20)])
                    assert replies == ["OK", 0] * 10, replies
                    self.moved += 20
        except Exception as e:  # told by the test
            self.error = e


def sums(redis):
    with redis.connect() as c:
        keys = [k for k in c.command("KEYS", "k:*")]
        flat = c.command("HGETALL", "accounts")
        fields = dict(zip(flat[::2], flat[1::2]))
        assert len(keys) == WRITERS * ACCOUNTS and len(fields) == WRITERS * ACCOUNTS + FIELDS
        return (sum(int(v) for v in c.command("MGET", *keys)),
                sum(int(v) for f, v in fields.items() if f.startswith(b"f:")))


def exact():
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
        for w in range(WRITERS):
            c.command("MSET", *[x for i in range(ACCOUNTS) for x in ("k:%d:%d" % (w, i), BALANCE)])
            c.command("HSET", "accounts", *[x for i in range(ACCOUNTS) for x in ("f:%d:%d" % (w, i), BALANCE)])
        for i in range(0, FIELDS, 1000):
            c.command("HSET", "accounts", *[x for k in range(i, i + 1000) for x in ("other:%d" % k, k)])
        writers = [Writer(server, w) for w in range(WRITERS)]
        for w in writers:
            w.start()
        try:
            for image in range(IMAGES):
                before = sum(w.moved for w in writers)
                save_in_background(server, c)
                wait_saved(server)
                path = os.path.join(server.dir, "dump.rdb")
                saved.check(path)
                with saved.loaded(path) as redis:
                    whole = WRITERS * ACCOUNTS * BALANCE
                    assert sums(redis) == (whole, whole), "image %d: %r" % (image, sums(redis))
                assert sum(w.moved for w in writers) > before, "nothing moved meanwhile"
        finally:
            for w in writers:
                w.ending = True
            for w in writers:
                w.join()
        assert not [w.error for w in writers if w.error], [w.error for w in writers]


# ---- movement -----------------------------------------------------------------------------------------------------------


def fill(c):
    for db in (0, 3, 5):
        c.command("SELECT", db)
        c.pipeline([("SET", "key:%d" % i, "value %d of %d" % (i, db)) for i in range(3000)])
        c.pipeline([("SET", "expires:%d" % i, i, "PX", 10 ** 9 + i) for i in range(300)])
        for h in range(3):
            c.command("HSET", "hash:%d" % h, *["f%d" % i for i in range(8000)])
        c.command("SET", "blob", os.urandom(300000))
        c.pipeline([("HSET", "small:%d" % i, "a", i, "b", "x" * 30) for i in range(300)])
        c.command("HSET", "chain", *["%d" % i for i in range(1000)])
    c.command("SELECT", 0)


def move_keys(c):
    c.pipeline([("SET", "key:%d" % i, "changed") for i in range(0, 3000, 3)])
    c.pipeline([("DEL", "key:%d" % i) for i in range(1, 3000, 3)])
    c.pipeline([("APPEND", "key:%d" % i, "more") for i in range(2, 3000, 3)])
    c.pipeline([("PEXPIRE", "key:%d" % i, 1) for i in range(0, 300, 3)])
    c.pipeline([("PERSIST", "expires:%d" % i) for i in range(100)])
    c.pipeline([("RENAME", "small:%d" % i, "renamed:%d" % i) for i in range(100)])
    c.pipeline([("HSET", "small:%d" % i, "a", "other", "c", "new") for i in range(100, 200)])
    c.pipeline([("HDEL", "chain", i) for i in range(0, 1000, 6)])
    c.pipeline([("SET", "new:%d" % i, i) for i in range(5000)])


def move_large(c):
    c.command("RENAME", "hash:0", "renamed hash")
    c.pipeline([("HSET", "renamed hash", "f%d" % (2 * i), "changed", "g%d" % i, "new") for i in range(2000)])
    c.pipeline([("HDEL", "hash:1", "f%d" % (2 * i)) for i in range(3000)])
    c.command("DEL", "hash:2")
    c.command("SETRANGE", "blob", 150000, "changed")
    c.command("APPEND", "blob", "y" * 100000)
    c.command("COPY", "blob", "copied")
    c.command("MOVE", "hash:1", 9)


def move_databases(c):
    c.command("SWAPDB", 0, 3)
    move_keys(c)
    move_large(c)
    c.command("SWAPDB", 0, 5)
    c.command("FLUSHDB")
    c.pipeline([("SET", "key:%d" % i, "after the flush") for i in range(1000)])
    c.command("SWAPDB", 3, 9)


def movement():
    for move in (move_keys, move_large, move_databases):
        with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
            fill(c)
            with harness.Redis() as before:
                # what the image must be: the same commands, before anything moves
                with before.connect() as r:
                    fill_like(c, r)
                c.command("CONFIG", "SET", "rdb-key-save-delay", 50)
                save_in_background(server, c)
                move(c)
                assert persistence(server)["rdb_bgsave_in_progress"] == "1", "%s came too late" % move.__name__
                c.command("CONFIG", "SET", "rdb-key-save-delay", 0)
                wait_saved(server)
                path = os.path.join(server.dir, "dump.rdb")
                saved.check(path)
                with saved.loaded(path) as redis:
                    saved.same(before, redis)
            # and the next one has what is there now
            assert c.command("SAVE") == "OK"
            saved.expect(server, path)


def fill_like(c, r):
    """Copies all keys of c's server to r's, with expiries."""
    for db in (0, 3, 5):
        for x in (c, r):
            x.command("SELECT", db)
        keys = c.command("KEYS", "*")
        for at in range(0, len(keys), 500):
            part = keys[at:at + 500]
            dumps = c.pipeline([("DUMP", k) for k in part])
            when = c.pipeline([("PEXPIRETIME", k) for k in part])
            replies = r.pipeline([("RESTORE", k, max(w, 0), d, "ABSTTL") for k, d, w in zip(part, dumps, when)])
            assert set(replies) == {"OK"}, [x for x in replies if x != "OK"][:3]
    for x in (c, r):
        x.command("SELECT", 0)


# ---- death and failure --------------------------------------------------------------------------------------------------


def killed():
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
        path = os.path.join(server.dir, "dump.rdb")
        fill(c)
        assert c.command("SAVE") == "OK"
        c.command("SET", "after", "the first")
        c.command("CONFIG", "SET", "rdb-key-save-delay", 100)
        for times in range(3):
            with open(path, "rb") as f:
                old = f.read()
            used = int(server.info("memory")["used_memory_dataset"])
            pid = persister(server)
            save_in_background(server, c)
            harness.wait_for("a part", lambda: int(persistence(server)["current_save_keys_processed"]) > 500)
            c.pipeline([("SET", "key:%d" % i, "changed %d" % times) for i in range(3000)])
            c.pipeline([("HSET", "hash:1", "f%d" % (2 * i), times) for i in range(4000)])
            os.kill(pid, signal.SIGKILL)
            harness.wait_for("a new persister", lambda: persister(server) not in (0, pid) and ",state=up" in server.info("processes")["persister"])
            with open(path, "rb") as f:
                assert f.read() == old, "the old file has changed"
            # the successor begins it anew, as it was asked for
            c.command("CONFIG", "SET", "rdb-key-save-delay", 0)
            harness.wait_for("end of the save", lambda: persistence(server)["rdb_bgsave_in_progress"] == "0")
            assert not [f for f in os.listdir(server.dir) if f.startswith("temp-")]
            harness.wait_for("memory as before", lambda: int(server.info("memory")["used_memory_dataset"]) < used * 1.02 + 100000)
            server.check_region()
            c.command("CONFIG", "SET", "rdb-key-save-delay", 100)
        c.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert c.command("SAVE") == "OK"
        saved.expect(server, path)


def kill_persister(server):
    """Waits until there is another one."""
    pid = persister(server)
    os.kill(pid, signal.SIGKILL)
    harness.wait_for("a new persister", lambda: persister(server) not in (0, pid))


def waiting():
    """Who waits for a save gets its answer from the successor; so does the end of the server."""
    with harness.Kvstash(*OPTIONS) as server, server.connect(timeout=60) as c, server.connect() as other:
        fill(c)
        other.command("CONFIG", "SET", "rdb-key-save-delay", 1000)
        c.send("SAVE")
        harness.wait_for("SAVE", lambda: int(persistence(server)["current_save_keys_processed"]) > 10)
        kill_persister(server)
        other.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert c.read() == "OK"
        path = os.path.join(server.dir, "dump.rdb")
        saved.expect(server, path)
        other.command("CONFIG", "SET", "rdb-key-save-delay", 1000)
        assert other.command("SET", "last", "one") == "OK"
        c.send("SHUTDOWN", "SAVE")
        harness.wait_for("last save", lambda: int(persistence(server)["current_save_keys_processed"]) > 10)
        kill_persister(server)
        other.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert server.wait_end() == 0
        with saved.loaded(path) as redis:
            assert redis.command("GET", "last") == b"one"


def all_killed():
    """The next start finds the region, gives the snapshot that ran up, and saves."""
    with harness.Kvstash(*OPTIONS) as server:
        with server.connect() as c:
            fill(c)
            used = int(server.info("memory")["used_memory_dataset"])
            c.command("CONFIG", "SET", "rdb-key-save-delay", 500)
            save_in_background(server, c)
            harness.wait_for("a part", lambda: int(persistence(server)["current_save_keys_processed"]) > 100)
            c.pipeline([("SET", "key:%d" % i, "changed") for i in range(3000)])
            c.pipeline([("HSET", "hash:1", "f%d" % (2 * i), "changed") for i in range(4000)])
        server.process.kill()
        server.process.wait(harness.STOP_S)
        server.start()
        with server.connect() as c:
            assert c.command("GET", "key:1") == b"changed"
            info = persistence(server)
            assert (info["rdb_bgsave_in_progress"], info["current_save_keys_total"]) == ("0", "0"), info
            harness.wait_for("memory as before", lambda: int(server.info("memory")["used_memory_dataset"]) < used * 1.02 + 100000)
            server.check_region()
            assert c.command("SAVE") == "OK"
            saved.expect(server, os.path.join(server.dir, "dump.rdb"))
            assert not [f for f in os.listdir(server.dir) if f.startswith("temp-")]


def full_disk():
    if os.geteuid() != 0:
        raise harness.Skip("mounting a small file system needs root")
    small = tempfile.mkdtemp(prefix="kvstash-test-small-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "kvstash-test", small], check=False).returncode != 0:
        os.rmdir(small)
        raise harness.Skip("mount is not allowed here")
    try:
        with harness.Kvstash(*OPTIONS, "--dir", small) as server, server.connect() as c:
            c.command("SET", "a", "1")
            assert c.command("SAVE") == "OK"
            c.command("SET", "large", os.urandom(3 << 20))
            c.command("CONFIG", "SET", "save", "3600 1")
            assert c.command("SAVE") == harness.Error("ERR")
            server.expect_logged("No space left on device")
            assert [f for f in os.listdir(small) if f.endswith(".rdb")] == ["dump.rdb"]
            with saved.loaded(os.path.join(small, "dump.rdb")) as redis:
                assert redis.command("GET", "a") == b"1"
            assert c.command("SET", "b", "1").text.startswith("MISCONF") and c.command("GET", "a") == b"1"
            subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
            assert c.command("SAVE") == "OK" and c.command("SET", "b", "1") == "OK"
            saved.check(os.path.join(small, "dump.rdb"))
    finally:
        subprocess.run(["umount", "-l", small], check=False)
        os.rmdir(small)


# ---- size -----------------------------------------------------------------------------------------------------------------


def large():
    with harness.Kvstash(*OPTIONS, region_size=1 << 30) as server, server.connect(timeout=60) as c:
        for i in range(0, 1000000, 20000):
            c.command("HSET", "hash", *[x for k in range(i, i + 20000) for x in ("field:%d" % k, k)])
        c.command("SET", "string", os.urandom(64 << 20))
        c.command("SET", "repeated", b"abc" * (1 << 20))
        c.command("SET", "too long to be packed", b"abcd" * (5 << 20))
        c.command("HSET", "large fields", "a", os.urandom(3 << 20), "b", "small", "c", os.urandom(100000), "d", "text " * 50000)
        c.command("PEXPIRE", "hash", 10 ** 9)
        assert c.command("SAVE") == "OK"
        saved.expect(server, os.path.join(server.dir, "dump.rdb"))


def main():
    exact()
    movement()
    killed()
    waiting()
    all_killed()
    large()
    full_disk()


harness.run(main)
