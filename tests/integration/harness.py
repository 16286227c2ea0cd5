"""harness.py - what every integration test needs: servers on free ports in a directory of their own, raw connections,
and the end of a server looked at.

The idea: a test is one function given to run(); servers are context managers whose end is part of the test. When the
with-block of a Kvstash ends, the region check must find nothing, SIGTERM must lead to exit status 0, and the region's
file must be gone. What went wrong is an exception; run() then prints it with every server's log and exits 1.

    #!/usr/bin/python3
    import harness

    def main():
        with harness.Kvstash(workers=2) as server:
            with server.connect() as c:
                assert c.command("SET", "a", "1") == "OK"

    harness.run(main)

Replies are Python values: simple strings are str, bulk strings bytes, errors Error, null None; maps become dicts (lists of
pairs if a key can't be hashed), sets lists, verbatim strings bytes. Connection.read_raw() gives one reply's bytes instead.

The server under test is $KVSTASH, or build/kvstash. Every wait has an end: START_S, STOP_S, REPLY_S, WAIT_S.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
KVSTASH = os.environ.get("KVSTASH", os.path.join(TOP, "build", "kvstash"))
START_S = 20
WAIT_S = 20
STOP_S = 30
REPLY_S = 30
READY = "Ready to accept connections"
STARTS = 3  # attempts: another program may take the port between finding it and binding it

servers = []  # all that were started, for the logs of a failed test


class Skip(Exception):
    """The test can't run here; its text is the reason."""


class Error:
    """An error reply: text without the '-'."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Error) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __repr__(self):
        return "Error(%r)" % self.text


def wait_for(what, condition, seconds=WAIT_S):
    """Until the condition is true, which is asked again and again."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within %d s: %s" % (seconds, what)
        time.sleep(0.01)


def state_of(pid):
    """The letter of proc(5): R, S, D, T, Z ..; X: it is not there."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def is_gone(pid):
    """Of a zombie nothing is left but its number."""
    return state_of(pid) in "ZX"


def children_of(pid):
    """Those that its main thread has forked."""
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def encode(*args):
    """One request: str (as UTF-8), bytes, int or float arguments."""
    parts = [b"*%d\r\n" % len(args)]
    for a in args:
        if not isinstance(a, bytes):
            a = str(a).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(a), a))
    return b"".join(parts)


class Connection:
    """A raw connection: what is sent and what is answered, byte for byte; no retries."""

    def __init__(self, port=None, path=None, timeout=REPLY_S):
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.have = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def end(self):
        """Closed by the server: it does not list this client any more."""
        self.send("QUIT")
        while self.sock.recv(1 << 16):
            pass
        self.close()

    def send(self, *args):
        self.sock.sendall(encode(*args))

    def send_raw(self, data):
        self.sock.sendall(data)

    def command(self, *args):
        self.send(*args)
        return self.read()

    def pipeline(self, commands):
        """Sends all, then reads all replies."""
        self.send_raw(b"".join(encode(*c) for c in commands))
        return [self.read() for _ in commands]

    def _more(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError("connection closed by the server")
        self.have += data

    def _line(self, at):
        while (end := self.have.find(b"\r\n", at)) < 0:
            self._more()
        return bytes(self.have[at:end]), end + 2

    def _bytes(self, at, n):
        while len(self.have) < at + n + 2:
            self._more()
        return bytes(self.have[at:at + n]), at + n + 2

    def _parse(self, at):
        line, at = self._line(at)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "backslashreplace"), at
        if kind == b"-":
            return Error(rest.decode("utf-8", "backslashreplace")), at
        if kind in b":(":
            return int(rest), at
        if kind == b"_":
            return None, at
        if kind == b"#":
            return rest == b"t", at
        if kind == b",":
            return float(rest), at
        if kind in b"$=":
            if int(rest) < 0:
                return None, at
            text, at = self._bytes(at, int(rest))
            return (text[4:] if kind == b"=" else text), at
        if kind in b"*~>%":
            if int(rest) < 0:
                return None, at
            items = []
            for _ in range(int(rest) * (2 if kind == b"%" else 1)):
                item, at = self._parse(at)
                items.append(item)
            if kind != b"%":
                return items, at
            pairs = list(zip(items[::2], items[1::2]))
            try:
                return dict(pairs), at
            except TypeError:
                return pairs, at
        raise ValueError("not a reply: %r" % line[:80])

    def read(self):
        value, end = self._parse(0)
        del self.have[:end]
        return value

    def read_raw(self):
        _, end = self._parse(0)
        raw = bytes(self.have[:end])
        del self.have[:end]
        return raw

    def read_to_end(self):
        """All bytes until the server closes."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            data, self.have = bytes(self.have), bytearray()
            return data


class Beside:
    """A thread with a connection of its own that does work(connection, turn) again and again until the with-block ends. If that
    fails, the test fails."""

    def __init__(self, server, work):
        self.connection, self.work, self.stop, self.error = server.connect(), work, threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            turn = 0
            while not self.stop.is_set():
                self.work(self.connection, turn)
                turn += 1
        except Exception as e:  # told by __exit__
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(2 * REPLY_S)
        assert not self.thread.is_alive(), "what runs beside the test does not end"
        self.connection.close()
        if self.error:
            raise AssertionError("beside the test: %r" % self.error) from self.error


class Server:
    """A server process in a temporary directory, on a free port of 127.0.0.1."""

    name = "server"

    def __init__(self, *options):
        self.options = [str(o) for o in options]
        self.process = None
        self.port = 0
        self.dir = tempfile.mkdtemp(prefix="kvstash-test-")
        self.log_path = os.path.join(self.dir, "log")
        self.log = ""  # the whole log, once stopped
        self.begun = 0  # where in it the last start began
        servers.append(self)

    def arguments(self):
        raise NotImplementedError

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.discard()

    def start(self):
        """Runs the server and waits until it says in its log that it is ready, and answers PING."""
        for attempt in range(STARTS):
            self.port = free_port()
            self.begun = len(self.read_log())
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.arguments() + self.options, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=subprocess.STDOUT, cwd=self.dir)
            if self._wait_ready():
                return
            if "in use" not in self.read_log() or attempt + 1 == STARTS:
                raise AssertionError("%s did not start: status %s" % (self.name, self.process.returncode))

    def _wait_ready(self):
        """False: the process ended."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                with self.connect(timeout=1) as c:
                    if c.command("PING") is not None and READY in self.read_log()[self.begun:]:
                        return True
            except (OSError, EOFError):
                pass
            time.sleep(0.02)
        raise AssertionError("%s not ready after %d s" % (self.name, START_S))

    def connect(self, **more):
        return Connection(self.port, **more)

    def command(self, *args):
        """One command on a connection of its own."""
        with self.connect() as c:
            return c.command(*args)

    def info(self, *sections):
        """INFO as a dict of its fields."""
        lines = self.command("INFO", *sections).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def cli(self, *args, stdin=None, timeout=REPLY_S):
        """redis-cli's standard output."""
        done = subprocess.run(["redis-cli", "-p", str(self.port)] + [str(a) for a in args], input=stdin, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout.decode("utf-8", "backslashreplace")

    def read_log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="backslashreplace") as f:
                return f.read()
        except FileNotFoundError:
            return self.log

    def check_log(self):
        """A sanitizer's report of a process that was replaced, which no client need have noticed."""
        report = re.search(r".*(runtime error:|Sanitizer: ).*", self.read_log())
        assert report is None, "%s: %s" % (self.name, report.group(0))

    def is_running(self):
        return self.process.poll() is None

    def wait_end(self):
        """The exit status of a server that is ending."""
        return self.process.wait(STOP_S)

    def stop(self):
        """SIGTERM if it still runs; the exit status must be 0."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
        status = self.wait_end()
        assert status == 0, "%s ended with status %d" % (self.name, status)

    def discard(self):
        """Ends what still runs and removes the directory; keeps the log's text."""
        if self.process and self.is_running():
            self.process.kill()
            self.process.wait(STOP_S)
        self.log = self.read_log()
        shutil.rmtree(self.dir, ignore_errors=True)


class Kvstash(Server):
    """The server under test; its end is checked (see the head)."""

    name = "kvstash"

    def __init__(self, *options, workers=2, region_size=512 << 20, check=True, saves=False):
        super().__init__(*options)
        self.saves = ["--save", ""] if not saves else []  # True: the save points are those of files, or the default ones
        self.workers = workers  # None: not given
        self.region_size = region_size
        self.check = check  # False: the test breaks what stop() looks at (password, debug commands)
        self.region = os.path.join("/dev/shm", os.path.basename(self.dir))

    def arguments(self):
        workers = ["--workers", str(self.workers)] if self.workers is not None else []
        return [KVSTASH, "--port", str(self.port), *workers, "--dir", self.dir,
                "--region", self.region, "--region-size", str(self.region_size), "--enable-debug-command", "yes"] + self.saves

    def worker_of(self, connection):
        """The number of the worker that serves this connection."""
        line = connection.command("CLIENT", "INFO").decode()
        return int(line.rstrip().rsplit("worker=", 1)[1].split()[0])

    def connect_all(self, **more):
        """One connection on each worker, in order of workers."""
        found, spare = {}, []
        for _ in range(100 * self.workers):
            c = self.connect(**more)
            worker = self.worker_of(c)
            if worker in found:
                spare.append(c)  # kept open meanwhile, so that the next one goes elsewhere
            else:
                found[worker] = c
            if len(found) == self.workers:
                break
        for c in spare:
            c.close()
        assert len(found) == self.workers, "connections only on workers %s" % sorted(found)
        return [found[w] for w in sorted(found)]

    def check_region(self):
        reply = self.command("DEBUG", "CHECK-REGION")
        assert reply == "OK", "region check: %r" % reply

    def expect_logged(self, text, since=0):
        """Children hand what they log to the master, so an answer may come before it. since: characters of the log to pass over."""
        wait_for("%r in the log" % text, lambda: text in self.read_log()[since:])

    def kill_everything(self):
        """-9 to every process. The master is stopped first, so that it starts nobody anew meanwhile."""
        os.kill(self.process.pid, signal.SIGSTOP)
        wait_for("the master stands still", lambda: state_of(self.process.pid) == "T")  # until then it may reap who is listed
        pids = [self.process.pid] + children_of(self.process.pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # children end with their master, and may have been reaped
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_S)
        wait_for("all are dead", lambda: all(is_gone(p) for p in pids))

    def stop(self):
        if self.check and self.is_running():
            self.check_region()
        super().stop()
        assert not os.path.exists(self.region), "%s was left behind" % self.region

    def discard(self):
        super().discard()
        if os.path.exists(self.region):
            os.unlink(self.region)


class Redis(Server):
    """redis-server 7.0.15, to compare with; nothing on disk."""

    name = "redis-server"

    def __init__(self, *options):
        super().__init__(*options)
        if not shutil.which("redis-server"):
            raise Skip("no redis-server here")

    def arguments(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir, "--save", "",
                "--appendonly", "no", "--enable-debug-command", "yes"]


def tree(raw):
    """A reply as (type byte, value), so that no difference of types is lost."""
    def parse(at):
        end = raw.index(b"\r\n", at)
        kind, rest, at = raw[at:at + 1].decode(), raw[at + 1:end], end + 2
        if kind in "$=" and int(rest) >= 0:
            return (kind, raw[at:at + int(rest)].decode()), at + int(rest) + 2
        if kind not in "*~%>" or int(rest) < 0:
            return (kind, rest.decode()), at
        items = []
        for _ in range(int(rest) * (2 if kind == "%" else 1)):
            item, at = parse(at)
            items.append(item)
        return (kind, items), at
    value, end = parse(0)
    assert end == len(raw)
    return value


class Pair:
    """A connection to each of two servers, which get the same commands. version: HELLO's; None: no HELLO is said."""

    def __init__(self, ours, redis, version):
        self.ours, self.redis = ours.connect(), redis.connect()
        if version:
            self.both("HELLO", version)

    def both(self, *args):
        """The trees of both replies."""
        self.ours.send(*args)
        self.redis.send(*args)
        return tree(self.ours.read_raw()), tree(self.redis.read_raw())

    def same(self, *args):
        """The replies must be equal."""
        a, b = self.both(*args)
        assert a == b, "%r:\n%.2000r\nredis: %.2000r" % (args, a, b)


def run(main):
    """Runs the test and exits: 0 passed or skipped (with the reason), 1 failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
        for s in servers:
            s.check_log()
    except Skip as reason:
        print("skipped: %s" % reason)
    except Exception:  # a failed test of any kind is shown the same way
        traceback.print_exc()
        for s in servers:
            s.discard()
            print("---- log of %s\n%s" % (s.name, s.log[-8000:]), file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
