#!/usr/bin/python3
"""SAVE, BGSAVE, save points and the end: replies and errors as in Redis, files that redis-check-rdb and redis-server take."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import saved  # noqa: E402

MISCONF = harness.Error("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may "
                        "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
                        "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
                        "error.")
RUNS = harness.Error("ERR Background save already in progress")
OPTIONS = ("--save", "", "--enable-protected-configs", "yes")


def persistence(server):
    return server.info("persistence")


def wait_saved(server):
    harness.wait_for("end of the save", lambda: persistence(server)["rdb_bgsave_in_progress"] == "0")


def fill(c):
    """Something of each form, in three databases."""
    c.command("SET", "int", "12345")
    c.command("SET", "text", "hello")
    c.command("SET", "long", "x" * 1000)
    c.command("SET", b"\x00\r\n\xff binary", bytes(range(256)) * 3)
    c.command("SET", "", "the empty key")
    c.command("SET", "empty value", "")
    c.command("SET", "k" * 3000, "a long key")
    c.command("SET", "blob", os.urandom(100000))
    c.command("SET", "document", b"".join(b'{"number": %d, "name": "some text"}, ' % i for i in range(5000)))
    c.command("SET", "changing", b"=" * 100000 + os.urandom(100000) + b"-" * 100000)
    c.command("SET", "expires", "later", "PX", 100000000)
    c.command("HSET", "small", "f", "v", "n", "-7", "empty", "")
    c.command("HSET", "chain", *[b"%d" % i for i in range(800)])
    c.command("HSET", "tree", *[b"field:%d" % i for i in range(3000)])
    c.command("HSET", "large field", "f", "y" * 20000, "g", "z" * 70)
    c.command("PEXPIRE", "tree", 200000000)
    for db in (1, 15):
        c.command("SELECT", db)
        c.pipeline([("SET", "key:%d" % i, i * 7919) for i in range(500 * db)])
    c.command("SELECT", 0)


def files():
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
        path = os.path.join(server.dir, "dump.rdb")
        started = c.command("LASTSAVE")
        assert abs(started - time.time()) < 60 and persistence(server)["rdb_saves"] == "0"
        assert c.command("SAVE") == "OK"
        assert "[info] 0 keys read" in saved.check(path)
        fill(c)
        assert int(persistence(server)["rdb_changes_since_last_save"]) > 500
        sizes = []
        for compression in ("yes", "no"):
            assert c.command("CONFIG", "SET", "rdbcompression", compression) == "OK"
            assert c.command("SAVE") == "OK"
            saved.expect(server, path)
            sizes.append(os.path.getsize(path))
        assert sizes[0] < sizes[1] - 300000, sizes  # the large ones are compressed too
        info = persistence(server)
        assert (info["rdb_changes_since_last_save"], info["rdb_last_bgsave_status"], info["rdb_saves"]) == ("0", "ok", "3"), info
        assert c.command("CONFIG", "SET", "dbfilename", "other.rdb") == "OK"
        assert c.command("BGSAVE") == "Background saving started"
        wait_saved(server)
        saved.expect(server, os.path.join(server.dir, "other.rdb"))
        assert c.command("LASTSAVE") >= started
        assert not [f for f in os.listdir(server.dir) if f.startswith("temp-")]


def unsummed():
    with harness.Kvstash(*OPTIONS, "--rdbchecksum", "no") as server, server.connect() as c:
        fill(c)
        assert c.command("SAVE") == "OK"
        path = os.path.join(server.dir, "dump.rdb")
        saved.expect(server, path)
        with open(path, "rb") as f:
            assert f.read()[-8:] == bytes(8)


def replies():
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c, server.connect() as other:
        assert c.command("BGSAVE", "NOW") == harness.Error("ERR syntax error")
        assert c.command("BGSAVE", "SCHEDULE") == "Background saving started"
        wait_saved(server)
        c.pipeline([("SET", "k%d" % i, i) for i in range(1000)])
        # a save that takes its time
        c.command("CONFIG", "SET", "rdb-key-save-delay", 10000)
        assert c.command("BGSAVE") == "Background saving started"
        for worker in (c, other):
            assert worker.command("BGSAVE") == RUNS and worker.command("BGSAVE", "SCHEDULE") == RUNS and worker.command("SAVE") == RUNS
        harness.wait_for("progress", lambda: int(persistence(server)["current_save_keys_processed"]) > 0)
        info = persistence(server)
        assert info["rdb_bgsave_in_progress"] == "1" and info["current_save_keys_total"] == "1000", info
        assert 0 < float(info["current_fork_perc"]) < 100 and int(info["rdb_current_bgsave_time_sec"]) >= 0, info
        # FLUSHALL ends it; its file never comes into being
        os.unlink(os.path.join(server.dir, "dump.rdb"))
        assert c.command("FLUSHALL") == "OK"
        wait_saved(server)
        info = persistence(server)
        assert info["rdb_last_bgsave_status"] == "ok" and info["current_save_keys_total"] == "0", info
        assert sorted(f for f in os.listdir(server.dir) if f.endswith(".rdb")) == []
        # SAVE lets others go on, and has what was written before it
        c.pipeline([("SET", "k%d" % i, i) for i in range(100)])
        c.send("SAVE")
        harness.wait_for("SAVE", lambda: persistence(server)["current_save_keys_total"] == "100")
        assert other.command("SET", "k1", "changed") == "OK"
        other.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        assert c.read() == "OK"
        with saved.loaded(os.path.join(server.dir, "dump.rdb")) as redis:
            assert redis.command("GET", "k1") == b"1" and redis.command("DBSIZE") == 100


def errors():
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
        os.mkdir(os.path.join(server.dir, "dir.rdb"))
        c.command("SET", "a", 1)
        c.command("CONFIG", "SET", "dbfilename", "dir.rdb")
        assert c.command("SAVE") == harness.Error("ERR")
        assert persistence(server)["rdb_last_bgsave_status"] == "err"
        harness.wait_for("the log", lambda: "dir.rdb" in server.read_log() and "Is a directory" in server.read_log())
        assert c.command("SET", "a", 2) == "OK" and c.command("PING") == "PONG"  # no save points: no promise is broken
        c.command("CONFIG", "SET", "save", "3600 1000")
        for refused in (("SET", "a", 3), ("DEL", "a"), ("FLUSHALL",), ("PING",), ("HSET", "h", "f", "v")):
            assert c.command(*refused) == MISCONF, refused
        assert c.command("GET", "a") == b"2" and c.command("BGSAVE") == "Background saving started"
        wait_saved(server)
        assert persistence(server)["rdb_last_bgsave_status"] == "err"
        c.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert c.command("SET", "a", 3) == "OK"
        c.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        # the end is refused too, but for FORCE
        assert c.command("SHUTDOWN") == harness.Error("ERR Errors trying to SHUTDOWN. Check logs.")
        server.process.send_signal(signal.SIGTERM)
        harness.wait_for("refusal", lambda: server.read_log().count("the data could not be saved before the end") == 2)
        assert c.command("GET", "a") == b"3"
        c.command("CONFIG", "SET", "dbfilename", "good.rdb")
        assert c.command("SAVE") == "OK" and c.command("SET", "a", 4) == "OK" and c.command("PING") == "PONG"
        assert persistence(server)["rdb_last_bgsave_status"] == "ok"
        c.command("CONFIG", "SET", "dbfilename", "dir.rdb")
        server.check_region()
        c.send("SHUTDOWN", "FORCE")
        assert server.wait_end() == 0 and c.read_to_end() == b""


def reloads():
    """DEBUG RELOAD saves as SAVE does, and reads back what it saved."""
    with harness.Kvstash(*OPTIONS) as server, server.connect() as c:
        path = os.path.join(server.dir, "dump.rdb")
        fill(c)
        digest = c.command("DEBUG", "DIGEST")
        assert c.command("DEBUG", "RELOAD") == "OK" and c.command("DEBUG", "DIGEST") == digest
        saved.expect(server, path)
        c.command("SET", "a", "not saved")
        assert c.command("DEBUG", "RELOAD", "NOSAVE") == "OK" and c.command("DEBUG", "DIGEST") == digest
        os.mkdir(os.path.join(server.dir, "dir.rdb"))
        c.command("CONFIG", "SET", "dbfilename", "dir.rdb")
        assert c.command("DEBUG", "RELOAD") == harness.Error("ERR") and c.command("DEBUG", "DIGEST") == digest


def flushall():
    with harness.Kvstash("--save", "3600 1000") as server, server.connect() as c:
        path = os.path.join(server.dir, "dump.rdb")
        fill(c)
        assert c.command("SAVE") == "OK" and os.path.getsize(path) > 100000
        c.command("SET", "one more", 1)
        assert c.command("FLUSHALL") == "OK"
        assert os.path.getsize(path) < 300 and persistence(server)["rdb_changes_since_last_save"] == "0"
        c.command("CONFIG", "SET", "save", "")
        c.command("MSET", "a", 1, "b", 2)
        assert c.command("FLUSHALL", "ASYNC") == "OK"
        assert persistence(server)["rdb_changes_since_last_save"] == "4"
        assert c.command("FLUSHALL") == "OK" and c.command("FLUSHDB") == "OK"
        assert persistence(server)["rdb_changes_since_last_save"] == "4"


def points():
    with harness.Kvstash("--save", "3600 1") as server, server.connect() as c:
        path = os.path.join(server.dir, "dump.rdb")
        for form, shown in (("", b""), ("1 100 2 3", b"1 100 2 3"), ("900 1", b"900 1")):
            assert c.command("CONFIG", "SET", "save", form) == "OK" and c.command("CONFIG", "GET", "save") == [b"save", shown]
        assert "Invalid save parameters" in c.command("CONFIG", "SET", "save", "1").text
        c.command("SET", "a", 1)
        c.command("SET", "b", 1)
        assert not os.path.exists(path)
        c.command("CONFIG", "SET", "save", "1 2")
        harness.wait_for("save point", lambda: os.path.exists(path) and persistence(server)["rdb_changes_since_last_save"] == "0")
        saved.expect(server, path)


def ends():
    """What an orderly end leaves."""
    for save, ending, written in (("", (), False), ("900 1", (), True), ("900 1", ("NOSAVE",), False), ("", ("SAVE",), True),
                                  ("900 1", ("NOW",), True), ("900 1", None, True), ("", None, False)):
        server = harness.Kvstash("--save", save)
        path = os.path.join(server.dir, "dump.rdb")
        try:
            server.start()
            with server.connect() as c:
                c.command("SET", "a", "1")
                for wrong in (("SAVE", "NOSAVE"), ("ABORT", "NOW"), ("SOON",)):
                    assert c.command("SHUTDOWN", *wrong) == harness.Error("ERR syntax error")
                assert c.command("SHUTDOWN", "ABORT") == harness.Error("ERR No shutdown in progress.")
                if ending is None:
                    server.process.send_signal(signal.SIGINT)
                else:
                    c.send("SHUTDOWN", *ending)
                assert server.wait_end() == 0 and c.read_to_end() == b""
            assert os.path.exists(path) == written, (save, ending)
            if written:
                with saved.loaded(path) as redis:
                    assert redis.command("GET", "a") == b"1"
        finally:
            server.discard()


def given_up():
    """A shutdown that saves holds writers back; it can be given up."""
    with harness.Kvstash("--save", "900 1") as server, server.connect() as c, server.connect() as writer, server.connect() as other:
        c.pipeline([("SET", "k%d" % i, i) for i in range(1000)])
        c.command("CONFIG", "SET", "rdb-key-save-delay", 100000)
        c.send("SHUTDOWN")
        harness.wait_for("last save", lambda: persistence(server)["current_save_keys_total"] == "1000")
        writer.send("SET", "late", 1)
        assert other.command("GET", "k1") == b"1" and other.command("EXISTS", "late") == 0
        assert other.command("SHUTDOWN", "ABORT") == "OK"
        assert c.read() == harness.Error("ERR Errors trying to SHUTDOWN. Check logs.")
        assert writer.read() == "OK" and other.command("EXISTS", "late") == 1
        c.command("CONFIG", "SET", "rdb-key-save-delay", 0)
        harness.wait_for("end of what was begun", lambda: persistence(server)["current_save_keys_total"] == "0")


def main():
    files()
    unsummed()
    replies()
    errors()
    reloads()
    flushall()
    points()
    ends()
    given_up()


harness.run(main)
