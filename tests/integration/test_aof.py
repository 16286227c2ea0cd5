#!/usr/bin/python3
"""The append-only file: redis-check-aof accepts it, redis-server loads it to the same data; nothing is lost when the persister is
killed; replies wait for the disk with appendfsync always; writers wait when it is late, and that it ends. test_aof_faults.py is about a
disk that fails.
"""
import contextlib
import glob
import os
import random
import signal
import time

import harness
from harness import wait_for
from aof_server import ON, Tapped, file_tap, judge, persister_pid, rewritten, written


def many_commands(c):
    """Something of everything, in several databases."""
    c.command("SET", "plain", "1")
    c.command("SET", "bin", bytes(range(256)))
    c.command("MSET", *[w for i in range(100) for w in ("m%d" % i, "v%d" % i)])
    c.command("SET", "ttl", "x", "EX", "1000")
    c.command("EXPIRE", "m1", "2000")
    c.command("GETEX", "m2", "PERSIST")
    c.command("SET", "short", "x", "PX", "30")
    c.command("INCRBYFLOAT", "f", "0.1")
    c.command("HSET", "h", *[w for i in range(1000) for w in ("f%d" % i, "v%d" % i)])
    c.command("HINCRBYFLOAT", "h", "float", "1.5")
    c.command("HDEL", "h", "f1", "f2")
    c.command("SET", "long", "y" * 20000)    # a spill span
    c.command("SET", "longer", "z" * 500000)
    c.command("APPEND", "longer", "end")
    c.command("SETRANGE", "longer", "1000", "middle")
    c.command("SETBIT", "bits", "1000", "1")
    c.command("GETDEL", "m3")
    c.command("RENAME", "m4", "renamed")
    c.command("COPY", "renamed", "m5", "REPLACE")
    c.command("SELECT", "3")
    c.command("SET", "third", "3")
    c.command("MOVE", "third", "9")
    c.command("SET", "swapped", "3")
    c.command("SWAPDB", "3", "0")
    c.command("SWAPDB", "0", "3")
    c.command("SELECT", "9")
    c.command("SET", "gone", "1")
    c.command("FLUSHDB")
    c.command("SET", "ninth", "9")
    c.command("SELECT", "0")
    time.sleep(0.05)
    c.command("GET", "short")


def redis_reads_it():
    for policy in ("everysec", "always", "no"):
        with harness.Kvstash(*ON, "--appendfsync", policy, "--aof-timestamp-enabled", "yes") as server:
            with server.connect() as c:
                many_commands(c)
            wait_for("the log is written", lambda: written(server))
            text = b"".join(open(f, "rb").read() for f in glob.glob(server.dir + "/appendonlydir/*.incr.aof"))
            assert b"#TS:" in text and b"PEXPIREAT" in text and b"PXAT" in text and b"#KVG" in text
            judge(server)


def load(server, counts, number):
    """INCRs and others on keys of its own, counted when they are answered."""
    rng = random.Random(number)

    def work(c, _):
        commands = []
        for _ in range(20):
            size = rng.choice((3, 100, 5000, 40000))
            commands += [("INCR", "n%d" % number), ("SET", "k%d:%d" % (number, rng.randrange(50)), "x" * size),
                         ("MSET", "a%d" % number, rng.random(), "b%d" % number, rng.random())]
        for reply in c.pipeline(commands):
            assert not isinstance(reply, harness.Error), reply
        counts[number] += 20
    return harness.Beside(server, work)


@contextlib.contextmanager
def under_load(server):
    """What is counted meanwhile is there afterwards."""
    counts = [0] * 3
    with load(server, counts, 0), load(server, counts, 1), load(server, counts, 2):
        yield
    for i, n in enumerate(counts):
        assert int(server.command("GET", "n%d" % i)) == n > 0


def persister_is_killed():
    """Under load, again and again: no reply is an error, nothing is lost, the file stays whole."""
    for policy in ("everysec", "always", "no"):
        with harness.Kvstash(*ON, "--appendfsync", policy, region_size=1 << 30) as server:
            with under_load(server):
                for _ in range(12):
                    time.sleep(random.random() * 0.2)
                    old = persister_pid(server)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(old, signal.SIGKILL)
                    wait_for("a new persister", lambda o=old: persister_pid(server) != o)
            wait_for("the log is written", lambda: written(server))
            judge(server)


def rewritings():
    """BGREWRITEAOF and appendonly no and yes under load, the persister killed in the middle: the file is whole each time."""
    for policy in ("everysec", "always"):
        with harness.Kvstash(*ON, "--appendfsync", policy, region_size=1 << 30) as server:
            assert server.command("DEBUG", "POPULATE", "20000") == "OK"
            with under_load(server):
                for i in range(6):
                    time.sleep(0.1)
                    if i == 2:
                        assert server.command("CONFIG", "SET", "appendonly", "no") == "OK"
                        wait_for("the file's end", lambda: server.info("persistence")["kvstash_aof_state"] == "off")
                        assert server.command("CONFIG", "SET", "appendonly", "yes") == "OK"
                    else:
                        assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
                    if i % 2:
                        time.sleep(random.random() * 0.03)
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(persister_pid(server), signal.SIGKILL)
                    wait_for("a new base", lambda: rewritten(server))
            assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
            wait_for("a new base", lambda: rewritten(server) and written(server))
            parts = sorted(os.listdir(server.dir + "/appendonlydir"))
            assert len(parts) == 3, "history was not deleted: %s" % parts
            judge(server)


def grows():
    """auto-aof-rewrite-percentage: begins a rewriting by itself."""
    with harness.Kvstash("--appendonly", "yes", "--auto-aof-rewrite-min-size", "100kb") as server:
        with server.connect() as c:
            for i in range(40):
                c.pipeline([("SET", "k%d" % k, "x" * 100) for k in range(100)])
                time.sleep(0.02)
        wait_for("a rewriting", lambda: int(server.info("persistence")["aof_rewrites"]) > 0)
        wait_for("its end", lambda: rewritten(server) and written(server))
        assert int(server.info("persistence")["aof_base_size"]) < 100000
        judge(server)


def replies_wait():
    """always: a reply leaves when a sync has ended that began after the command; so does that of a read of it, and others go on."""
    with Tapped(*ON, "--appendfsync", "always") as server:
        with server.connect() as a, server.connect() as b, server.connect() as other:
            other.command("SET", "quiet", "1")
            server.tap.set_sync(300000, real=True)
            spans = []
            for i in range(5):
                sent = time.monotonic_ns()
                a.send("SET", "k", i)
                time.sleep(0.02)
                b.send("GET", "k")
                begin = time.monotonic()
                assert other.command("GET", "nothing of that shard %d" % i) is None
                assert time.monotonic() - begin < 0.25, "others wait too"
                assert a.read() == "OK"
                spans.append((sent, time.monotonic_ns()))
                assert b.read() == b"%d" % i
            for sent, got in spans:
                steps = [r.op for r in file_tap.read_journal(server.tap.journal) if sent < r.at_ns < got and r.op in ("write", "sync", "sync_end")]
                assert steps == ["write", "sync", "sync_end"], "between a command and its reply: %s" % steps
        server.tap.set_sync(0, real=True)
        judge(server)


def disk_is_late():
    """everysec: writers wait when the oldest record that is not on the disk is older than 2 s; reads do not."""
    with Tapped(*ON, "--appendfsync", "everysec") as server:
        server.tap.set_sync(8000000, real=True)
        longest, end = 0, time.monotonic() + 12
        with server.connect() as c, server.connect() as reader:
            while time.monotonic() < end and longest < 0.2:
                begin = time.monotonic()
                c.send("INCR", "n")
                assert reader.command("GET", "other") is None and time.monotonic() - begin < 1
                c.read()
                longest = max(longest, time.monotonic() - begin)
                time.sleep(0.01)
        server.tap.set_sync(0, real=True)
        assert longest >= 0.2, "no writer waited for a disk that needs up to 8 s"
        assert int(server.info("persistence")["aof_delayed_fsync"]) >= 1
        wait_for("the log is written", lambda: written(server))
        judge(server)


def goes_on_at_the_next_start():
    """With another increment each time."""
    with harness.Kvstash(*ON) as server:
        for i in range(3):
            got = server.command("INCR", "starts")
            assert got == i + 1, got
            server.process.send_signal(signal.SIGTERM)
            assert server.wait_end() == 0
            server.start()
            wait_for("the end of loading", lambda: server.info("persistence")["loading"] == "0")
        judge(server)


def main():
    redis_reads_it()
    persister_is_killed()
    rewritings()
    grows()
    replies_wait()
    disk_is_late()
    goes_on_at_the_next_start()


harness.run(main)
