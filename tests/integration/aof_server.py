"""aof_server.py - what the tests of the append-only file share: a server whose file calls go through a tap (tests/persist/tap.py), and its
file judged by redis-check-aof and redis-server.
"""
import os
import shutil
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "persist")]
import harness  # noqa: E402
import tap as file_tap  # noqa: E402

ON = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")


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
    done = subprocess.run(["redis-check-aof", manifest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.REPLY_S,
                          check=False)
    assert done.returncode == 0 and "All AOF files and manifest are valid" in done.stdout, done.stdout
    redis = harness.Redis("--appendonly", "yes")
    shutil.copytree(os.path.dirname(manifest), os.path.join(redis.dir, "appendonlydir"))
    with redis:
        now = state(redis)
        assert now == was, "redis-server loads other data: %r, %r" % (now[0], was[0])
        for check in also:
            check(redis)


def persister_pid(server):
    line = [s for s in server.command("INFO", "processes").decode().splitlines() if s.startswith("persister")][0]
    return int(line.split("pid=")[1].split(",")[0])


def rewritten(server):
    info = server.info("persistence")
    return info["aof_rewrite_in_progress"] == "0" and info["aof_rewrite_scheduled"] == "0" and info["kvstash_aof_state"] == "on"


def loads_alone(server, right):
    """A copy of the files, as they are at this moment."""
    other = harness.Kvstash(*ON)
    shutil.copytree(server.dir + "/appendonlydir", other.dir + "/appendonlydir")
    with other:
        assert right(other)
