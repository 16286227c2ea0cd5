"""starts.py - sections about starts: loading files that redis-server wrote, and attaching a region that a kill of everything left."""
import ctypes
import mmap
import os
import shutil
import signal
import statistics
import subprocess
import time

import harness
import servers

STEP_S = 0.002    # between two questions whether a server that starts answers
START_S = 120     # no start takes longer
RESERVE_S = 1.0   # a server's housekeeping after a start, counted as its own
TOUCHED_A_KEY = 600   # bytes, several times what a server takes
FILL = ("-t", "fill", "-P", 100)


def begin(server):
    """Runs the server on a free port, and does not wait."""
    server.port = harness.free_port()
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(server.arguments() + server.options, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, cwd=server.dir)


def start(server, command, reply):
    """Runs the server; seconds from its exec until the command is answered so. -LOADING is no such answer."""
    begun = time.monotonic()
    begin(server)
    while time.monotonic() - begun < START_S:
        assert server.is_running(), "%s did not start: status %s" % (server.name, server.process.returncode)
        try:
            if server.command(*command) == reply:
                return time.monotonic() - begun
        except (OSError, EOFError):
            pass
        time.sleep(STEP_S)
    raise AssertionError("%s did not start within %d s" % (server.name, START_S))


# ---- loading ---------------------------------------------------------------------------------------------------------

def make_files(writer, keys):
    """redis-server writes a snapshot and an append-only log of the same keys."""
    with writer:
        servers.load(writer, *FILL, "-k", keys)
        with writer.connect(timeout=START_S) as c:
            assert c.command("SAVE") == "OK"
            return c.command("DBSIZE")


def take_files(server, writer_dir):
    shutil.copy(os.path.join(writer_dir, "dump.rdb"), server.dir)
    shutil.copytree(os.path.join(writer_dir, "appendonlydir"), os.path.join(server.dir, "appendonlydir"))


def touch_memory(n):
    """Takes so much memory and gives it back. A virtual machine's host gives a page when it is first touched, and takes pages back that
    were free for a while: 256 MiB of huge pages were zeroed in 11 ms when they had just been in use, and in 308 ms when not. That is
    no server's cost, and hits one server or the other by chance."""
    with mmap.mmap(-1, n) as m:
        m.madvise(mmap.MADV_HUGEPAGE)
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(m)), 1, n)


def load_once(server, keys):
    """Processor time of a start with its files, the time that it takes, the memory that the server then has."""
    touch_memory(keys * TOUCHED_A_KEY)
    wall = start(server, ("PING",), "PONG")
    time.sleep(RESERVE_S)
    try:
        assert server.command("DBSIZE") == keys, "%s loaded %s keys of %d" % (server.name, server.command("DBSIZE"), keys)
        return {"cpu": servers.cpu_s(server), "wall": wall, "memory": servers.memory_bytes(server) / keys}
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.wait_end()


def load(out, short):
    keys, rounds = (200000, 1) if short else (5000000, 3)
    out.note("%d keys of 16 bytes with 64-byte values, as a snapshot and as an append-only log of SETs, written by redis-server and read from the "
             "page cache; one core; processor time of all of a server's processes from exec to %.0f s behind the first PONG, and the time "
             "from exec to that. Before each start memory is touched and given back, so that the host has it ready. Medians of rounds that "
             "alternate: %d" % (keys, RESERVE_S, rounds))
    writer = servers.Redis("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    writer.discard = lambda: None  # its files are wanted for longer than itself
    try:
        written = make_files(writer, keys)
        for what, appendonly, goal in (("RDB", "no", 0.30), ("AOF", "yes", 0.35)):
            options = ("--appendonly", appendonly, "--auto-aof-rewrite-percentage", "0")
            both = servers.Kvstash(*options), servers.Redis(*options)
            try:
                for server in both:
                    take_files(server, writer.dir)
                rows = [[load_once(server, written) for server in both] for _ in range(rounds)]
            finally:
                for server in both:
                    server.discard()
            for name, label, unit, ratio_goal in (("cpu", "CPU of a load", "s", goal), ("wall", "from exec to PONG", "s", None),
                                                  ("memory", "memory in all, a key", "bytes", None)):
                ours, theirs = (statistics.median(r[i][name] for r in rows) for i in (0, 1))
                out.row("%s: %s" % (what, label), unit, ours, theirs, ratio_goal=ratio_goal)
    finally:
        servers.Redis.discard(writer)


# ---- attaching -------------------------------------------------------------------------------------------------------

def kill_everything(server):
    for pid in server.processes():
        os.kill(pid, signal.SIGKILL)
    server.process.wait()


def attach_ms(keys, rounds):
    """Milliseconds from exec to the answer of a GET, after a kill -9 of every process."""
    with servers.Kvstash() as server:
        servers.load(server, *FILL, "-k", keys)
        with server.connect() as c:
            count, key = c.command("DBSIZE"), c.command("RANDOMKEY")
            value = c.command("GET", key)
        times = []
        for _ in range(rounds):
            kill_everything(server)
            times.append(1000 * start(server, ("GET", key), value))
            assert server.command("DBSIZE") == count
        return statistics.median(times)


def attach(out, short):
    rounds = 2 if short else 5
    out.note("SIGKILL to every process, then a start on the region that is left: from exec to the right answer to a GET (-LOADING is none). "
             "Medians of %d kills" % rounds)
    for keys in (20000, 200000) if short else (1000000, 5000000):
        out.row("attach, %d keys" % keys, "ms", attach_ms(keys, rounds), goal=500)
