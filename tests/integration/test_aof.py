#!/usr/bin/python3
"""The append-only file: redis-check-aof accepts it, redis-server loads it to the same data; nothing is lost when the persister is
killed; replies wait for the disk with appendfsync always; what happens when the disk is late, full or broken, and that it ends.

The disk's faults are made by tests/persist/tap.py (calls on files fail, or take longer).
"""
import errno
import glob
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "persist")]
import harness  # noqa: E402
import tap as file_tap  # noqa: E402

ON = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
WAIT_S = 20


class Tapped(harness.Kvstash):
    """A server whose file calls go through a tap."""

    def __init__(self, *options, **more):
        super().__init__(*options, **more)
        self.tap = file_tap.Tap(self.dir)

    def start(self):
        before = dict(os.environ)
        os.environ.update(self.tap.environment(self.dir, journal=True))
        try:
            super().start()
        finally:
            os.environ.clear()
            os.environ.update(before)


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("not within %d s: %s" % (WAIT_S, what))


def written(server):
    """All that was logged is in the file."""
    info = server.info("persistence")
    return info["kvstash_log_ticket"] == info["kvstash_log_written"]


def state(server):
    """What the data is, with what DEBUG DIGEST does not see."""
    with server.connect() as c:
        all_of_it = [c.command("DEBUG", "DIGEST")]
        for db in (0, 3, 9):
            c.command("SELECT", db)
            keys = sorted(c.command("KEYS", "*"))
            all_of_it.append([(k, c.command("PEXPIRETIME", k)) for k in keys])
    return all_of_it


def judge(server, *also):
    """The server's end; its file, as redis-check-aof and redis-server see it, is what the server had."""
    was = state(server)
    folder = server.dir
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    manifest = os.path.join(folder, "appendonlydir", "appendonly.aof.manifest")
    done = subprocess.run(["redis-check-aof", manifest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and "All AOF files and manifest are valid" in done.stdout, done.stdout
    redis = harness.Redis("--appendonly", "yes")
    shutil.copytree(os.path.dirname(manifest), os.path.join(redis.dir, "appendonlydir"))
    with redis:
        now = state(redis)
        assert now == was, "redis-server loads other data: %r, %r" % (now[0], was[0])
        for check in also:
            check(redis)


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


def persister_pid(server):
    line = [s for s in server.command("INFO", "processes").decode().splitlines() if s.startswith("persister")][0]
    return int(line.split("pid=")[1].split(",")[0])


def load(server, until, counts, number):
    """INCRs and others on keys of its own, counted when they are answered."""
    rng = random.Random(number)
    with server.connect() as c:
        while not until.is_set():
            commands = []
            for _ in range(20):
                size = rng.choice((3, 100, 5000, 40000))
                commands += [("INCR", "n%d" % number), ("SET", "k%d:%d" % (number, rng.randrange(50)), "x" * size),
                             ("MSET", "a%d" % number, rng.random(), "b%d" % number, rng.random())]
            for reply in c.pipeline(commands):
                assert not isinstance(reply, harness.Error), reply
            counts[number] += 20


def persister_is_killed():
    """Under load, again and again: no reply is an error, nothing is lost, the file stays whole."""
    for policy in ("everysec", "always", "no"):
        with harness.Kvstash(*ON, "--appendfsync", policy, region_size=1 << 30) as server:
            until, counts = threading.Event(), [0] * 3
            threads = [threading.Thread(target=load, args=(server, until, counts, i)) for i in range(3)]
            for t in threads:
                t.start()
            for _ in range(12):
                time.sleep(random.random() * 0.2)
                old = persister_pid(server)
                try:
                    os.kill(old, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                wait_for("a new persister", lambda o=old: persister_pid(server) != o)
            until.set()
            for t in threads:
                t.join(60)
            for i in range(3):
                assert int(server.command("GET", "n%d" % i)) == counts[i] > 0
            wait_for("the log is written", lambda: written(server))
            judge(server)


def rewritten(server):
    info = server.info("persistence")
    return info["aof_rewrite_in_progress"] == "0" and info["aof_rewrite_scheduled"] == "0" and info["kvstash_aof_state"] == "on"


def rewritings():
    """BGREWRITEAOF and appendonly no and yes under load, the persister killed in the middle: the file is whole each time."""
    for policy in ("everysec", "always"):
        with harness.Kvstash(*ON, "--appendfsync", policy, region_size=1 << 30) as server:
            assert server.command("DEBUG", "POPULATE", "20000") == "OK"
            until, counts = threading.Event(), [0] * 3
            threads = [threading.Thread(target=load, args=(server, until, counts, i)) for i in range(3)]
            for t in threads:
                t.start()
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
                    try:
                        os.kill(persister_pid(server), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                wait_for("a new base", lambda: rewritten(server))
            until.set()
            for t in threads:
                t.join(60)
            for i in range(3):
                assert int(server.command("GET", "n%d" % i)) == counts[i] > 0
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


def disk_fails(policy, ops, error):
    """Writes are refused with Redis's words, reads and what was acknowledged stay, and it ends when the disk is well again."""
    with Tapped(*ON, "--appendfsync", policy) as server:
        with server.connect() as c:
            for i in range(200):
                assert c.command("SET", "before%d" % i, i) == "OK"
            persister, ticket = persister_pid(server), int(server.info("persistence")["kvstash_log_ticket"])
            os.kill(persister, signal.SIGSTOP)  # else what is still to be written of `before` could fail, and the next be refused at once
            server.tap.arm(ops, error=error, match="appendonlydir/*")
            with server.connect() as writer:
                writer.send("SET", "held", "1")  # always: its reply waits until it is on the disk
                wait_for("a record", lambda: int(server.info("persistence")["kvstash_log_ticket"]) > ticket)
                os.kill(persister, signal.SIGCONT)
                refusal = harness.Error("MISCONF Errors writing to the AOF file: " + os.strerror(error))
                wait_for("a refusal", lambda: c.command("PING") == refusal)
                assert policy != "always" or not select.select([writer.sock], [], [], 0)[0], "a reply before its record is on the disk"
                assert c.command("SET", "refused", "1") == refusal
                assert c.command("GET", "before7") == b"7"
                assert server.info("persistence")["aof_last_write_status"] == "err"
                time.sleep(0.5)
                server.tap.disarm()
                wait_for("writing again", lambda: c.command("SET", "after", "1") == "OK")
                assert writer.read() == "OK"
            assert c.command("GET", "held") == b"1" and c.command("GET", "refused") is None
            assert server.info("persistence")["aof_last_write_status"] == "ok"
        wait_for("the log is written", lambda: written(server))
        assert "can be written again" in server.read_log()
        judge(server)


def directory_is_not_synced():
    """The manifest is in its place and its directory cannot be synced: what it names stays, nothing is acknowledged that a power
    failure could take back, and it is settled when the disk is well again."""
    refusal = harness.Error("MISCONF Errors writing to the AOF file: " + os.strerror(errno.EIO))
    server = Tapped(*ON, "--appendfsync", "always")
    server.tap.arm(["sync"], nth=2, error=errno.EIO, match="appendonlydir")
    with server:
        wait_for("a refusal", lambda: server.command("PING") == refusal)
        assert server.command("SET", "early", "1") == refusal
        server.tap.disarm()
        wait_for("writing", lambda: server.command("SET", "early", "1") == "OK")
        assert "cannot sync the directory of appendonly.aof.manifest" in server.read_log()
        for nth in range(1, 6):
            assert server.command("INCR", "n") == nth
            server.tap.arm(["sync"], nth=nth, error=errno.EIO, match="appendonlydir")
            assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
            wait_for("a failed sync", lambda: server.tap.failed)
            time.sleep(0.3)
            loads_alone(server, lambda other: int(other.command("GET", "n")) == nth)
            server.tap.disarm()
            wait_for("writing again", lambda: server.command("SET", "after", nth) == "OK")
            wait_for("the rewriting's end", lambda: rewritten(server))
        assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
        wait_for("a new base", lambda: rewritten(server))
        assert server.info("persistence")["aof_last_bgrewrite_status"] == "ok"
        parts = sorted(os.listdir(server.dir + "/appendonlydir"))
        assert len(parts) == 3, "history was not deleted: %s" % parts
        judge(server)


def loads_alone(server, right):
    """A copy of the files, as they are at this moment."""
    other = harness.Kvstash(*ON)
    shutil.copytree(server.dir + "/appendonlydir", other.dir + "/appendonlydir")
    with other:
        assert right(other)


def base_fails_early():
    """A base whose file fails while the increment behind its cut is being made: nothing of it is left for the next one."""
    with Tapped(*ON, "--appendfsync", "everysec") as server:
        for i in range(6):
            server.command("INCR", "n")
            if i % 2:
                assert server.command("CONFIG", "SET", "appendonly", "no") == "OK"
                wait_for("the file's end", lambda: server.info("persistence")["kvstash_aof_state"] == "off")
            failures = int(server.info("persistence")["aof_rewrites_consecutive_failures"])
            server.tap.set_sync(100000, real=True)
            server.tap.arm(["open"], error=errno.EMFILE, match="appendonlydir/temp-*.rdb")
            if i % 2:
                assert server.command("CONFIG", "SET", "appendonly", "yes") == "OK"
            else:
                assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
            wait_for("its failure", lambda: int(server.info("persistence")["aof_rewrites_consecutive_failures"]) > failures)
            server.tap.disarm()
            server.tap.set_sync(0, real=True)
            wait_for("the next base, if one is needed", lambda: rewritten(server))
            server.command("INCR", "n")
            assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
            wait_for("a new base", lambda: rewritten(server))
            server.command("INCR", "n")
            wait_for("the log is written", lambda: written(server))
            loads_alone(server, lambda other: other.command("GET", "n") == server.command("GET", "n"))
        judge(server)


def persister_has_no_files():
    """While the server runs, the persister is tried again until it can open its files; a start ends, and leaves a region as it was."""
    with Tapped(*ON, check=False) as server:
        assert server.command("SET", "a", "1") == "OK"
        server.tap.arm(["open"], error=errno.EMFILE, match="persister.lock")
        os.kill(persister_pid(server), signal.SIGKILL)
        wait_for("the successor's failure", lambda: "persister.lock: Too many open files" in server.read_log())
        time.sleep(7)
        assert server.command("GET", "a") == b"1"
        server.tap.disarm()
        wait_for("writing", lambda: server.command("SET", "b", "2") == "OK" and written(server))
        assert state(server) and server.is_running()
        pids = [int(p) for p in subprocess.run(["pgrep", "-P", str(server.process.pid)], stdout=subprocess.PIPE, check=True).stdout.split()]
        for pid in [server.process.pid] + pids:
            os.kill(pid, signal.SIGKILL)
        server.wait_end()
        server.tap.arm(["open"], error=errno.EMFILE, match="persister.lock")
        begin = time.monotonic()
        try:
            server.start()
            raise RuntimeError("it started")
        except AssertionError as e:
            assert "did not start: status 1" in str(e), e
        assert time.monotonic() - begin < 15
        told = server.read_log()[server.begun:]
        assert "the server cannot start" in told and "kvstash: the persister cannot open in the data directory the file persister.lock" in told, told
        server.tap.disarm()
        server.start()
        assert "starting from the region" in server.read_log()[server.begun:]
        assert server.command("GET", "a") == b"1" and server.command("GET", "b") == b"2"
        judge(server)


def ends_with_failing_disk(policy, ops):
    """An orderly end whose log cannot be written says so, and leaves the data in the region for the next start."""
    with Tapped(*ON, "--appendfsync", policy, "--shutdown-timeout", "1", check=False) as server:
        assert server.command("SET", "a", "1") == "OK"
        server.tap.arm(ops, error=errno.ENOSPC, match="appendonlydir/*")
        with server.connect() as c:
            c.send("SET", "b", "2")
            server.process.send_signal(signal.SIGTERM)
            assert server.wait_end() == 1
        assert "does not hold all that was answered: the region %s stays" % server.region in server.read_log()
        server.tap.disarm()
        server.start()
        assert "starting from the region" in server.read_log()[server.begun:]
        assert server.command("GET", "a") == b"1"
        wait_for("writing", lambda: server.command("SET", "c", "3") == "OK" and written(server))
        judge(server)
        assert not os.path.exists(server.region)


def base_alone_gives_way():
    """BGREWRITEAOF with the log off, and the log switched on meanwhile: the base that goes with it is another one."""
    with harness.Kvstash("--auto-aof-rewrite-percentage", "0") as server:
        assert server.command("DEBUG", "POPULATE", "2000") == "OK"
        for delay_us in (0, 10, 1000):
            assert server.command("CONFIG", "SET", "rdb-key-save-delay", delay_us) == "OK"
            assert server.command("BGREWRITEAOF") == "Background append only file rewriting started"
            wait_for("the base", lambda: delay_us == 0 or server.info("persistence")["aof_rewrite_in_progress"] == "1")
            assert server.command("CONFIG", "SET", "appendonly", "yes") == "OK"
            assert server.command("CONFIG", "SET", "rdb-key-save-delay", 0) == "OK"
            assert server.command("INCR", "n") > 0
            wait_for("a base with its increment", lambda: rewritten(server) and written(server))
            loads_alone(server, lambda other: other.command("GET", "n") == server.command("GET", "n"))
            assert server.command("CONFIG", "SET", "appendonly", "no") == "OK"
            wait_for("the file's end", lambda: server.info("persistence")["kvstash_aof_state"] == "off")
        assert server.command("CONFIG", "SET", "appendonly", "yes") == "OK"
        wait_for("a base with its increment", lambda: rewritten(server) and written(server))
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
    for policy in ("always", "everysec"):
        disk_fails(policy, ["write"], errno.ENOSPC)
        disk_fails(policy, ["sync"], errno.EIO)
        ends_with_failing_disk(policy, ["write"])
        ends_with_failing_disk(policy, ["sync"])
    directory_is_not_synced()
    base_fails_early()
    base_alone_gives_way()
    persister_has_no_files()
    disk_is_late()
    goes_on_at_the_next_start()


harness.run(main)
