"""store.py - the server under test as these tests need it: on a data directory of theirs, killed, started again, taken apart.

    store = Store(directory, "--appendonly", "yes", workers=2)
    store.start()              # raises NotStarted with the log's end if it ends instead
    store.kill_all()
    store.forget_region()
    store.start()
    store.stop()

Redis (under the same interface) is there to show that a test finds nothing in a server that keeps its word, and something in
one that doesn't.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import harness  # noqa: E402  (found by the line above)


class NotStarted(Exception):
    pass


def is_gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(") ", 1)[1][0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Store:
    name = "kvstash"

    def __init__(self, directory, *options, workers=2, region_size=256 << 20, program=None, environment=None):
        self.directory = directory
        self.options = [str(o) for o in options]
        self.workers, self.region_size = workers, region_size
        self.program = program or harness.KVSTASH
        self.environment = environment
        self.region = "/dev/shm/kvstash-test-%d-%s" % (os.getpid(), os.path.basename(directory))
        self.log_path = directory.rstrip("/") + ".log"
        self.process, self.port = None, 0
        self.family = set()  # processes of the last start that were seen

    def arguments(self):
        return [self.program, "--port", str(self.port), "--workers", str(self.workers), "--dir", self.directory, "--region", self.region,
                "--region-size", str(self.region_size), "--enable-debug-command", "yes"]

    def launch(self):
        """Starts it and does not wait."""
        os.makedirs(self.directory, exist_ok=True)
        self.port = harness.free_port()
        self.log_from = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments() + self.options, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=self.directory, env=self.environment, start_new_session=True)

    def start(self, limit_s=60):
        """Until it serves. A port that another took meanwhile is tried again."""
        for attempt in range(3):
            self.launch()
            end = time.monotonic() + limit_s
            while time.monotonic() < end:
                if self.process.poll() is not None:
                    break
                if self.serves():
                    return
                time.sleep(0.005)
            else:
                self.kill_all()
                raise NotStarted("%s not ready after %d s:\n%s" % (self.name, limit_s, self.log()[-3000:]))
            if "in use" not in self.log() or attempt == 2:
                raise NotStarted("%s ended with status %d:\n%s" % (self.name, self.process.returncode, self.log()[-3000:]))

    def serves(self):
        try:
            with harness.Connection(self.port, timeout=5) as c:
                answer = c.command("PING")  # as Redis, a server whose disk fails refuses it like a write
                return (answer == "PONG" or "MISCONF" in str(answer)) and harness.READY in self.log()
        except (OSError, EOFError):
            return False

    def log(self):
        """What the last start wrote."""
        with open(self.log_path, encoding="utf-8", errors="backslashreplace") as f:
            f.seek(self.log_from)
            return f.read()

    def connect(self, **more):
        return harness.Connection(self.port, **more)

    def command(self, *args):
        with self.connect() as c:
            return c.command(*args)

    def info(self, *sections):
        lines = self.command("INFO", *sections).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def processes(self):
        """{name: pid} of the slots' owners."""
        lines = self.command("INFO", "processes").decode().splitlines()
        return {line.split(":")[0]: int(line.split("pid=")[1].split(",")[0]) for line in lines if ":pid=" in line}

    def descendants(self):
        """The master and all below it, the master first."""
        found = [self.process.pid]
        for pid in found:
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    found += [int(p) for p in f.read().split()]
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def kill_all(self):
        """-9 to all at once: stopped first, so that none sees another die and begins something new. The session has them all."""
        family = self.descendants()
        self.signal(family, signal.SIGKILL)
        self.wait_gone(family)

    def kill_master(self):
        """-9 to the master alone; its children end by themselves."""
        family = self.descendants()
        self.signal(family[:1], signal.SIGKILL)
        self.wait_gone(family)

    @staticmethod
    def signal(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def wait_gone(self, pids, limit_s=20):
        self.process.wait(limit_s)
        end = time.monotonic() + limit_s
        while not all(is_gone(p) for p in pids):
            if time.monotonic() > end:
                raise AssertionError("processes %s live on after the death of their master" % [p for p in pids if not is_gone(p)])
            time.sleep(0.002)

    def stop(self, limit_s=60):
        """SIGTERM; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit_s)

    def discard(self):
        """Ends what still runs; removes the region."""
        if self.process and self.process.poll() is None:
            self.kill_all()
        self.forget_region()

    def forget_region(self):
        if os.path.exists(self.region):
            os.unlink(self.region)

    def check_region(self):
        reply = self.command("DEBUG", "CHECK-REGION")
        if reply != "OK":
            raise AssertionError("region check: %r" % reply)


class Redis(Store):
    name = "redis-server"

    def arguments(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, "--save", "", "--enable-debug-command", "yes"]

    def check_region(self):
        pass
