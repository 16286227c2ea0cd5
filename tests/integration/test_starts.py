#!/usr/bin/python3
"""test_starts.py - every kind of start: redis-server's own files of all settings, a region that was left by kill -9, files named with
--restore-from, a load whose loader is stopped and killed, and all that is refused, each with its message and status 1.

Which of region, log and snapshot is taken in every combination is tests/unit/master/test_boot.c's; here the bytes are real.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import harness

DATABASES = 3
LOADED_KEYS = 300000
LOADS_TRIED = 10


def fill(c, seed, keys=400):
    """Keys of every encoding that strings and hashes have, in several databases, with and without expiry."""
    rnd = random.Random(seed)
    for db in range(DATABASES):
        c.command("SELECT", db)
        batch = []
        for i in range(keys):
            kind = rnd.randrange(9)
            key = "k%d:%d" % (seed, i) if kind else str(rnd.randrange(1 << 33))
            if kind < 5:
                value = [str(rnd.randrange(-1 << 40, 1 << 40)), "short", "y" * 200, bytes(rnd.randrange(256) for _ in range(60)),
                         "x" * rnd.randrange(20000)][kind]
                batch.append(("SET", key, value))
            elif kind == 5:
                batch.append(("HSET", key, "a", 1, "b", "text", "c", "300"))
            elif kind == 6:
                batch.append(("HSET", key, *sum((["f%d" % j, "v" * rnd.randrange(90)] for j in range(rnd.randrange(1, 30))), [])))
            elif kind == 7:
                batch.append(("HSET", key, *sum((["f%d" % j, str(j)] for j in range(600)), [])))
            else:
                batch.append(("SET", "long" * 600 + str(i), "v"))
            if rnd.randrange(3) == 0:
                batch.append(("PEXPIREAT", batch[-1][1], 4102444800000 + rnd.randrange(1000000)))
        c.pipeline(batch)
    c.command("SELECT", 0)


def change(c, seed):
    """What a log holds: commands of one key, of several, transactions, other databases, and everything at once."""
    rnd = random.Random(seed)
    for i in range(60):
        c.pipeline([("SELECT", rnd.randrange(DATABASES)), ("MSET", *sum((["m%d" % rnd.randrange(50), str(i)] for _ in range(4)), [])),
                    ("INCRBY", "counter", i), ("APPEND", "grown", "piece"), ("SETRANGE", "grown", 5, "xx"),
                    ("RENAME", "m%d" % rnd.randrange(50), "renamed%d" % i), ("HINCRBYFLOAT", "floats", "f%d" % (i % 7), "0.25"),
                    ("COPY", "grown", "copy%d" % (i % 5), "REPLACE"), ("DEL", "m1", "m2", "m3"), ("SET", "ttl%d" % i, "v", "EX", 100000),
                    ("GETEX", "ttl%d" % (i // 2), "PERSIST"), ("HSET", "big", *sum((["b%d" % (i * 20 + j), "w"] for j in range(20)), []))])
        if i % 20 == 7:  # more words than are read ahead at a time
            c.command("MSET", *sum((["wide%d" % (i + j), str(i)] for j in range(200)), []))
        c.pipeline([("MULTI",), ("SET", "t1", i), ("SET", "t2", i), ("INCR", "t1"), ("HDEL", "big", "b%d" % i), ("EXEC",)])
    c.pipeline([("SWAPDB", 0, 1), ("SELECT", 2), ("FLUSHDB",), ("SET", "after", "flush"), ("SELECT", 0)])


def expiries(c):
    """Exact expiry of every key."""
    found = {}
    for db in range(DATABASES):
        c.command("SELECT", db)
        keys = c.command("KEYS", "*")
        found.update(zip(((db, k) for k in keys), c.pipeline([("PEXPIRETIME", k) for k in keys])))
    c.command("SELECT", 0)
    return found


def state(server):
    with server.connect() as c:
        return c.command("DEBUG", "DIGEST"), expiries(c)


def rewritten(info, before):
    return info["aof_rewrites"] != before and info["aof_rewrite_in_progress"] == info["aof_rewrite_scheduled"] == "0"


class Files:
    """What redis-server wrote into its directory, and the state it was in."""

    def __init__(self, *options, seed=1, changes=True, log=True):
        with harness.Redis(*(("--appendonly", "yes") if log else ()), *options) as redis:
            with redis.connect() as c:
                fill(c, seed)
                if log:
                    before = redis.info("persistence")["aof_rewrites"]
                    c.command("BGREWRITEAOF")
                    harness.wait_for("the base is written", lambda: rewritten(redis.info("persistence"), before))
                if changes:
                    change(c, seed)
                assert c.command("SAVE") == "OK"
            self.state = state(redis)
            redis.stop()
            self.saved = os.path.join(harness.tempfile.mkdtemp(prefix="kvstash-test-"), "d")
            shutil.copytree(redis.dir, self.saved)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(os.path.dirname(self.saved))

    def path(self, *names):
        return os.path.join(self.saved, *names)

    def server(self, *options, **more):
        """A server over a copy of the files."""
        server = harness.Kvstash(*options, **more)
        for name in os.listdir(self.saved):
            if name in ("dump.rdb", "appendonly.aof", "appendonlydir"):
                src = self.path(name)
                (shutil.copytree if os.path.isdir(src) else shutil.copy)(src, os.path.join(server.dir, name))
        return server


def loads_equal(files, *options, said):
    with files.server(*options) as server:
        got = state(server)
        assert got[0] == files.state[0], "digests differ with %s" % (options,)
        assert got[1] == files.state[1], "expiries differ with %s" % (options,)
        server.expect_logged(said)


def status_and_log(server):
    """Starts a server that must not come up."""
    server.port = harness.free_port()
    done = subprocess.run(server.arguments() + server.options, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")


def refused(server, *parts):
    try:
        status, log = status_and_log(server)
        assert status == 1, "status %d:\n%s" % (status, log)
        for part in parts:
            assert part in log, "%r is not in:\n%s" % (part, log)
        assert not os.path.exists(server.region), "a region was left behind"
    finally:
        server.discard()


# ---- redis-server's files ----------------------------------------------------------------------------------------------------

def snapshots():
    for options in ((), ("--rdbcompression", "no"), ("--rdbchecksum", "no"), ("--hash-max-listpack-entries", "4")):
        with Files(*options, log=False, changes=False, seed=len(options)) as files:
            loads_equal(files, said="loaded in")


def index_made_at_once():
    """A file that tells many keys for some databases, which the index is made for, and few for others; some have an expiry."""
    with harness.Redis() as redis:
        with redis.connect() as c:
            for db, keys in ((0, 60000), (2, 9000), (3, 10)):
                c.command("SELECT", db)
                c.pipeline([("SET", "key:%d" % i, "v%d" % i) for i in range(keys)])
                c.pipeline([("PEXPIREAT", "key:%d" % i, 4102444800000 + i) for i in range(0, keys, 7)])
            assert c.command("SAVE") == "OK"
        expected = redis.command("DEBUG", "DIGEST")
        saved = os.path.join(redis.dir, "dump.rdb")
        with harness.Kvstash("--restore-from", saved) as server:
            assert server.command("DEBUG", "DIGEST") == expected
            with server.connect() as c:
                assert c.command("DBSIZE") == 60000
                c.pipeline([("DEL", "key:%d" % i) for i in range(0, 60000, 2)])
                assert c.command("DBSIZE") == 30000 and c.command("GET", "key:59999") == b"v59999"
                c.pipeline([("SET", "more:%d" % i, "x") for i in range(60000)])
                assert c.command("DBSIZE") == 90000


def logs():
    for i, options in enumerate(((), ("--aof-use-rdb-preamble", "no"), ("--aof-timestamp-enabled", "yes"))):
        with Files(*options, seed=10 + i) as files:
            loads_equal(files, "--appendonly", "yes", said="appendonlydir/appendonly.aof.manifest loaded")
            loads_equal(files, "--restore-from", files.path("appendonlydir"), said="--restore-from names it")
            loads_equal(files, "--restore-from", files.path("appendonlydir", "appendonly.aof.manifest"), said="--restore-from names it")
            loads_equal(files, "--restore-from", files.path("dump.rdb"), said="dump.rdb loaded")


def old_log():
    """A log of one file with an RDB preamble, as Redis wrote before 7: it becomes the base, as Redis 7 does."""
    with Files(seed=20) as files:
        folder = files.path("appendonlydir")
        parts = sorted(os.listdir(folder))
        data = b"".join(open(os.path.join(folder, p), "rb").read() for kind in ("base", "incr") for p in parts if kind in p)
        shutil.rmtree(folder)
        with open(files.path("appendonly.aof"), "wb") as f:
            f.write(data)
        loads_equal(files, "--restore-from", files.path("appendonly.aof"), said="--restore-from names it")
        with files.server("--appendonly", "yes") as server:
            assert state(server) == files.state
            assert not os.path.exists(os.path.join(server.dir, "appendonly.aof"))
            assert os.path.exists(os.path.join(server.dir, "appendonlydir", "appendonly.aof"))


def snapshot_beside_appendonly():
    """With appendonly yes and a snapshot alone, Redis 7.0 begins empty."""
    with Files(log=False, changes=False, seed=30) as files, harness.Redis() as redis:
        redis.stop()
        shutil.copy(files.path("dump.rdb"), redis.dir)
        redis.options = ["--appendonly", "yes"]
        redis.start()
        assert redis.command("DBSIZE") == 0
        with files.server("--appendonly", "yes") as server:
            assert server.command("DBSIZE") == 0
            server.expect_logged("is NOT loaded")


# ---- damage ------------------------------------------------------------------------------------------------------------------

def increment(server):
    folder = os.path.join(server.dir, "appendonlydir")
    return os.path.join(folder, [n for n in sorted(os.listdir(folder)) if "incr" in n][-1])


def torn_logs():
    with Files(seed=40) as files:
        for tail in (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9\r\nhalf", b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", b"*"):
            with files.server("--appendonly", "yes") as server:
                server.stop()
                with open(increment(server), "ab") as f:
                    f.write(tail)
                server.start()
                assert state(server) == files.state
                server.expect_logged("its end is not whole")
            server = files.server("--appendonly", "yes", "--aof-load-truncated", "no")
            size = os.path.getsize(increment(server))
            with open(increment(server), "ab") as f:
                f.write(tail)
            refused(server, "byte %d" % size, "aof-load-truncated")


def damaged_files():
    with Files(seed=50) as files:
        server = files.server("--appendonly", "yes")
        with open(increment(server), "r+b") as f:
            at = f.read().index(b"MSET")  # a word's first byte; the length before it becomes none
            f.seek(at - 4)
            f.write(b"\xff\xff\xff\xff")
        refused(server, "incr.aof: byte %d" % (at - 4), "kvstash-cli check")
        server = files.server("--appendonly", "yes")
        size = os.path.getsize(increment(server))
        with open(increment(server), "ab") as f:
            f.write(b"*1\r\n$7\r\nNOTHERE\r\n")
        refused(server, "byte %d: 'NOTHERE' is a command that this version does not have" % size)
        server = files.server("--appendonly", "yes")
        with open(os.path.join(server.dir, "appendonlydir", "appendonly.aof.manifest"), "r+") as f:
            lines = f.read().count("\n")
            f.write("nonsense\n")
        refused(server, "appendonly.aof.manifest: line %d: " % (lines + 1))
        server = files.server("--appendonly", "yes")
        os.unlink(increment(server))
        refused(server, "incr.aof: No such file")
        server = files.server()
        with open(os.path.join(server.dir, "dump.rdb"), "r+b") as f:
            size = f.seek(-1, 2) + 1
            last = f.read(1)[0]
            f.seek(-1, 2)
            f.write(bytes([last ^ 1]))
        refused(server, "dump.rdb: byte %d: the checksum" % (size - 8))
        server = files.server()
        with open(os.path.join(server.dir, "dump.rdb"), "r+b") as f:
            f.truncate(1000)
        status, log = status_and_log(server)
        server.discard()
        found = re.search(r"dump\.rdb: byte (\d+): .*kvstash-cli check", log)
        assert status == 1 and found and int(found.group(1)) <= 1000, log
        with open(os.path.join(files.saved, "dump.rdb"), "wb") as f:
            f.write(b"something else")
        refused(files.server(), "dump.rdb: ")


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x10]))


# ---- the directory -----------------------------------------------------------------------------------------------------------

def directories():
    server = harness.Kvstash("--appendonly", "yes")
    open(os.path.join(server.dir, "appendonlydir"), "w").close()
    refused(server, "appendonlydir is no directory", "appenddirname")
    server = harness.Kvstash()
    os.mkdir(os.path.join(server.dir, "dump.rdb"))
    refused(server, "dump.rdb is a directory", "dbfilename")
    server = harness.Kvstash()
    server.options = ["--dir", os.path.join(server.dir, "log", "under", "a", "file")]
    open(server.log_path, "w").close()
    refused(server, "cannot make the data directory")
    server = harness.Kvstash("--restore-from", "/nowhere/at/all.rdb")
    refused(server, "--restore-from: /nowhere/at/all.rdb: No such file")
    if os.geteuid() == 0:
        server = harness.Kvstash()
        lock = os.path.join(server.dir, "kvstash.lock")
        open(lock, "w").close()
        os.chown(lock, 65534, -1)
        refused(server, "is of another user")
    with harness.Kvstash() as first:
        second = harness.Kvstash()
        second.options = ["--dir", first.dir]
        refused(second, "is in use by a running server")


def full_disk():
    if os.geteuid() != 0:
        print("full disk: skipped, needs root to mount a file system")
        return
    server = harness.Kvstash()
    small = os.path.join(server.dir, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small], stderr=subprocess.DEVNULL, check=False).returncode:
        print("full disk: skipped, a file system cannot be mounted here")
        server.discard()
        return
    try:
        with open(os.path.join(small, "filler"), "wb") as f:
            try:
                f.write(b"x" * (1 << 20))
            except OSError:
                pass
        server.options = ["--dir", small]
        refused(server, "No space left on device", "room")
    finally:
        subprocess.run(["umount", small], check=False)
        server.discard()  # its directory could not be removed with a file system in it


# ---- regions -----------------------------------------------------------------------------------------------------------------

def this_start(server):
    return server.read_log()[server.begun:]


def id_of(server):
    with open(os.path.join(server.dir, "kvstash.id"), encoding="ascii") as f:
        return f.readline()


def left_regions():
    """What kill -9 of everything leaves is served on; what an orderly end leaves is files."""
    with harness.Kvstash() as server:
        with server.connect() as c:
            fill(c, 60)
        before = state(server)
        identity = id_of(server)
        server.kill_everything()
        server.start()
        assert state(server) == before
        server.expect_logged("starting from the region", server.begun)
        assert server.command("SAVE") == "OK"
        server.stop()
        server.start()
        assert state(server) == before
        server.expect_logged("dump.rdb loaded", server.begun)
        os.unlink(os.path.join(server.dir, "dump.rdb"))
        server.stop()  # no save points
        server.start()
        assert server.command("DBSIZE") == 0
        assert id_of(server) == identity
    with Files(log=False, changes=False, seed=61) as files, files.server("--save", "") as server:
        server.command("SET", "only", "in the region")
        server.kill_everything()
        server.start()
        assert server.command("GET", "only") == b"in the region"
        server.expect_logged("is not loaded, because the region is alive", server.begun)
        server.kill_everything()
        server.options += ["--restore-from", os.path.join(server.dir, "dump.rdb")]
        server.start()
        assert state(server) == files.state
        server.expect_logged("is given up for it", server.begun)


def foreign_regions():
    """A region of another directory, and one that was left behind while its directory went on in another."""
    with harness.Kvstash() as server:
        server.command("SET", "a", "1")
        server.kill_everything()
        other = harness.Kvstash()
        other.region, own = server.region, other.region
        status, log = status_and_log(other)
        assert status == 1 and "does not belong to the data directory" in log, log
        other.region = own
        other.discard()
        server.start()  # the refused one has done nothing to the region
        assert server.command("GET", "a") == b"1"
        server.kill_everything()
        elsewhere = harness.Kvstash("--dir", server.dir)
        elsewhere.start()
        elsewhere.command("SET", "b", "2")
        assert elsewhere.command("SAVE") == "OK"
        elsewhere.stop()
        elsewhere.discard()
        status, log = status_and_log(server)
        assert status == 1 and "was left behind" in log, log
        os.unlink(server.region)  # as the message says
        server.start()
        assert server.command("GET", "a") is None and server.command("GET", "b") == b"2"


def other_workers():
    """A region serves as many workers as it was made with: who asks for others is told how many, and changes nothing."""
    with harness.Kvstash(workers=2) as server:
        server.command("SET", "a", "1")
        server.kill_everything()
        for workers in (1, 3):
            server.workers = workers
            status, log = status_and_log(server)
            assert status == 1, log
            said = "%s was made with 2 workers, but workers is %d now; start with --workers 2, " % (server.region, workers)
            assert said in log and "remove the file to start from what the data directory %s holds" % server.dir in log, log
        server.workers = 2
        server.start()
        assert server.command("GET", "a") == b"1"


def workers_not_given():
    """Where nobody gives a number, the region's stands, whatever cores there are; a new region gets the cores'."""
    cores = os.sysconf("SC_NPROCESSORS_ONLN")
    with harness.Kvstash("--appendonly", "yes", workers=cores + 1) as server:
        server.command("SET", "a", "1")
        server.kill_everything()
        server.workers = None
        for more in ([], ["--workers", "0"]):
            server.options = ["--appendonly", "yes"] + more
            server.start()
            server.expect_logged("this machine would get %d workers, but the region was made with %d, which stands" % (cores, cores + 1),
                                 server.begun)
            assert server.command("CONFIG", "GET", "workers") == [b"workers", b"%d" % (cores + 1)]
            assert server.info("server")["workers"] == str(cores + 1)
            assert len(pids_of(server, "worker")) == cores + 1
            assert server.command("GET", "a") == b"1" and server.command("INCR", "starts")
            server.check_region()
            server.kill_everything()
        server.workers, server.options = cores, ["--appendonly", "yes"]
        status, log = status_and_log(server)
        assert status == 1 and "was made with %d workers, but workers is %d now" % (cores + 1, cores) in log, log
        server.workers = None
        server.start()
        server.stop()
        server.start()
        assert server.info("server")["workers"] == str(cores) and server.command("GET", "starts") == b"2"
        assert "which stands" not in this_start(server)


# ---- the load itself ---------------------------------------------------------------------------------------------------------

def pids_of(server, kind):
    return [int(v.split(",")[0][4:]) for k, v in server.info("processes").items() if k.startswith(kind)]


def stopped_loader(server):
    """Starts the server and stops a loader of it: its number. None: the load was over before one was seen."""
    server.port = harness.free_port()
    server.begun = len(server.read_log())
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(server.arguments(), stdout=log, stderr=subprocess.STDOUT)
    end = time.monotonic() + harness.WAIT_S
    while harness.READY not in this_start(server):
        assert time.monotonic() < end, server.read_log()
        try:
            for pid in pids_of(server, "loader"):
                os.kill(pid, signal.SIGSTOP)
                if server.info("persistence")["loading"] == "1":
                    return pid
                os.kill(pid, signal.SIGCONT)
        except (OSError, EOFError):
            pass
    return None


def answers_while_loading(server, size):
    error = harness.Error("LOADING Redis is loading the dataset in memory")
    with server.connect() as c:
        for args in (("PING",), ("GET", "a"), ("SET", "a", "b"), ("DBSIZE",), ("FLUSHALL",), ("DEBUG", "DIGEST"), ("DEBUG", "RELOAD")):
            assert c.command(*args) == error, args
        assert c.command("SELECT", 1) == "OK"
        fields = server.info("persistence")
        assert int(fields["loading_total_bytes"]) == size
        assert 0 <= float(fields["loading_loaded_perc"]) <= 100
        assert {"loading_start_time", "loading_rdb_used_mem", "loading_loaded_bytes", "loading_eta_seconds"} <= set(fields)


def while_loading():
    """What is answered meanwhile; a loader that is stopped holds the load, one that is killed has it begin anew."""
    with harness.Redis() as redis:
        redis.command("DEBUG", "POPULATE", LOADED_KEYS, "key", 32)
        redis.command("SAVE")
        digest = redis.command("DEBUG", "DIGEST")
        server = harness.Kvstash()
        shutil.copy(os.path.join(redis.dir, "dump.rdb"), server.dir)
    size = os.path.getsize(os.path.join(server.dir, "dump.rdb"))
    try:
        for _ in range(LOADS_TRIED):
            loader = stopped_loader(server)
            if loader:
                break
            server.stop()
        assert loader, "%d loads were over before a loader was seen" % LOADS_TRIED
        answers_while_loading(server, size)
        assert harness.READY not in this_start(server), "the load ended without one of its loaders"
        os.kill(loader, signal.SIGKILL)
        harness.wait_for("the load", lambda: harness.READY in this_start(server))
        server.expect_logged("process %d was killed by signal 9" % loader, server.begun)
        assert ": %d keys of snapshots" % LOADED_KEYS in this_start(server), "what the dead loader had counted is counted again"
        assert server.command("DEBUG", "DIGEST") == digest and server.command("DBSIZE") == LOADED_KEYS
        harness.wait_for("the loaders' end", lambda: not pids_of(server, "loader"))
        server.stop()
    finally:
        server.discard()


def reloads():
    with Files(log=False, changes=False, seed=70) as files, files.server() as server:
        for _ in range(5):
            assert server.command("DEBUG", "RELOAD", "NOSAVE") == "OK"
            assert state(server) == files.state
        assert server.command("SET", "extra", "1") == "OK"
        assert server.command("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") == "OK"
        assert server.command("GET", "extra") == b"1"
        assert server.command("DEL", "extra") == 1
        assert state(server) == files.state
        os.unlink(os.path.join(server.dir, "dump.rdb"))
        assert server.command("DEBUG", "RELOAD", "NOSAVE") == harness.Error("ERR Error trying to load the RDB dump, check server logs.")
        assert state(server) == files.state
        assert server.command("DEBUG", "RELOAD", "NOSUCH") == \
            harness.Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")


RELOAD_ERROR = harness.Error("ERR Error trying to load the RDB dump, check server logs.")
LOADAOF_ERROR = harness.Error("ERR Error trying to load the AOF files, check server logs.")


def log_since(server, at, *parts):
    for part in parts:
        server.expect_logged(part, at)


def damaged_reloads():
    """A snapshot that is no good changes nothing, and is loaded once it is."""
    with Files(log=False, changes=False, seed=71) as files, files.server() as server:
        path = os.path.join(server.dir, "dump.rdb")
        good = open(path, "rb").read()
        for damaged, says in ((good[:-1] + bytes([good[-1] ^ 1]), "checksum"), (good[:len(good) // 2], "byte "), (b"", "dump.rdb"),
                              (good[:-9] + b"\x0e\x01l\x00" + bytes([0xff]) + bytes(8), "type that this version does not have")):
            with open(path, "wb") as f:
                f.write(damaged)
            at = len(server.read_log())
            assert server.command("DEBUG", "RELOAD", "NOSAVE") == RELOAD_ERROR, says
            log_since(server, at, says, "nothing was changed")
            assert state(server) == files.state
            assert server.info("persistence")["loading"] == "0"
        with open(path, "wb") as f:
            f.write(good)
        at = len(server.read_log())
        assert server.command("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH") == RELOAD_ERROR
        log_since(server, at, "a key stands twice", "nothing was changed")
        assert state(server) == files.state
        for options in (("NOSAVE",), ()):
            assert server.command("DEBUG", "RELOAD", *options) == "OK"
            assert state(server) == files.state
        assert server.command("SET", "and", "it serves on") == "OK"


def reloads_of_logs():
    """DEBUG LOADAOF: the log as written so far, with its base and without; damage anywhere in it changes nothing."""
    with Files(log=False, changes=False, seed=72) as files, files.server("--appendonly", "no") as server:
        assert server.command("CONFIG", "SET", "appendonly", "yes") == "OK"
        harness.wait_for("the log", lambda: server.info("persistence")["kvstash_aof_state"] == "on")
        with server.connect() as c:
            change(c, 72)
        before = state(server)
        for _ in range(3):
            assert server.command("DEBUG", "LOADAOF") == "OK"
            assert state(server) == before
        server.check_region()
        assert server.command("SET", "behind", "the load") == "OK"
        before = state(server)
        path = increment(server)
        good = open(path, "rb").read()
        os.rename(path, path + ".away")
        at = len(server.read_log())
        assert server.command("DEBUG", "LOADAOF") == LOADAOF_ERROR
        log_since(server, at, "No such file", "nothing was changed")
        assert state(server) == before
        os.rename(path + ".away", path)
        for where in (len(good) // 3, len(good) // 2):
            flip(path, where)
            at = len(server.read_log())
            assert server.command("DEBUG", "LOADAOF") == LOADAOF_ERROR
            log_since(server, at, "incr.aof: byte ", "nothing was changed")
            assert state(server) == before
            flip(path, where)
        assert server.command("DEBUG", "LOADAOF") == "OK"
        assert state(server) == before
        server.stop()
        server.options = ["--appendonly", "yes"]
        server.start()
        assert state(server) == before


def reloads_without_log():
    with harness.Kvstash() as server:
        assert server.command("SET", "a", "b") == "OK"
        assert server.command("DEBUG", "LOADAOF") == LOADAOF_ERROR
        assert server.command("GET", "a") == b"b"


def lost_reloads():
    """What cannot be seen before ends the server, as redis-server's does; nothing is saved over the file, and the next start
    finds what the files hold."""
    twice = b"REDIS0010\xfe\x00" + 2 * b"\x00\x01a\x01b" + b"\xff" + bytes(8)
    for found in (False, True):
        server = harness.Kvstash("--appendonly", "yes", "--save", "1 1")
        try:
            server.start()
            assert server.command("SET", "acknowledged", "1") == "OK"
            if found:
                server.kill_everything()
                server.start()
            path = os.path.join(server.dir, "dump.rdb")
            with open(path, "wb") as f:
                f.write(twice)
            at = len(server.read_log())
            with server.connect() as c:
                try:
                    reply = c.command("DEBUG", "RELOAD", "NOSAVE")
                except (OSError, EOFError):
                    reply = None
                assert reply is None or "LOADING" in str(reply), reply
            assert server.wait_end() == 1
            log_since(server, at, "DEBUG RELOAD failed when the data in memory had been given up", "dump.rdb: byte ", "a key stands twice")
            assert not os.path.exists(server.region)
            assert open(path, "rb").read() == twice
            server.start()
            assert server.command("GET", "acknowledged") == b"1" and server.command("DBSIZE") == 1
            server.stop()
        finally:
            server.discard()


def main():
    parts = (snapshots, index_made_at_once, logs, old_log, snapshot_beside_appendonly, torn_logs, damaged_files, directories, full_disk,
             left_regions, foreign_regions, other_workers, workers_not_given, while_loading, reloads, damaged_reloads, reloads_of_logs, reloads_without_log,
             lost_reloads)
    only = sys.argv[1:] or [part.__name__ for part in parts]
    unknown = set(only) - {part.__name__ for part in parts}
    assert not unknown, "no such part: %s" % unknown
    for part in parts:
        if part.__name__ not in only:
            continue
        begun = time.monotonic()
        part()
        print("%s: %.1f s" % (part.__name__, time.monotonic() - begun))


harness.run(main)
