#!/usr/bin/python3
"""The append-only file when the disk fails: what is refused and what goes on, at writes, syncs, rewritings, starts and ends, and that it
is as before when the disk is well again. tests/persist/file_faults has each call fail; here are those that need a certain moment.
"""
import errno
import os
import select
import signal
import time

import harness
from harness import wait_for
from aof_server import ON, Tapped, judge, loads_alone, persister_pid, rewritten, state, written


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
        server.expect_logged("can be written again")
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
        server.expect_logged("does not hold all that was answered: the region %s stays" % server.region)
        server.tap.disarm()
        server.start()
        server.expect_logged("starting from the region", server.begun)
        assert server.command("GET", "a") == b"1"
        wait_for("writing", lambda: server.command("SET", "c", "3") == "OK")
        wait_for("the log is written", lambda: written(server))
        judge(server)
        assert not os.path.exists(server.region)


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
        server.expect_logged("cannot sync the directory of appendonly.aof.manifest")
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


def persister_has_no_files():
    """While the server runs, the persister is tried again until it can open its files; a start ends, and leaves a region as it was."""
    with Tapped(*ON, check=False) as server:
        assert server.command("SET", "a", "1") == "OK"
        server.tap.arm(["open"], error=errno.EMFILE, match="persister.lock")
        os.kill(persister_pid(server), signal.SIGKILL)
        wait_for("the successor's failure", lambda: "persister.lock: Too many open files" in server.read_log())
        time.sleep(6)  # a start gives up after 5 s
        assert server.command("GET", "a") == b"1"
        server.tap.disarm()
        wait_for("writing", lambda: server.command("SET", "b", "2") == "OK")
        wait_for("the log is written", lambda: written(server))
        assert state(server) and server.is_running()
        server.kill_everything()
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
        server.expect_logged("starting from the region", server.begun)
        assert server.command("GET", "a") == b"1" and server.command("GET", "b") == b"2"
        judge(server)


def main():
    for policy in ("always", "everysec"):
        disk_fails(policy, ["write"], errno.ENOSPC)
        disk_fails(policy, ["sync"], errno.EIO)
        ends_with_failing_disk(policy, ["write"])
        ends_with_failing_disk(policy, ["sync"])
    directory_is_not_synced()
    base_fails_early()
    base_alone_gives_way()
    persister_has_no_files()


harness.run(main)
