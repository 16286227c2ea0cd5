"""servers.py - the servers that are compared, pinned to a core, and the load generator on another one."""
import json
import os
import subprocess

import harness

BUILD = os.path.join(harness.TOP, "build")
BENCHMARK = os.path.join(BUILD, "kvstash-benchmark")
TWO_CORES = os.cpu_count() >= 2
RUN_S = 1200  # no run of the generator takes longer


def pinned(cores, command):
    """The command on these cores ("0", "0,1"), if there are two."""
    return (["taskset", "-c", cores] if TWO_CORES else []) + command


class Kvstash(harness.Kvstash):
    def __init__(self, *options, workers=1, cores="0", region_size=4 << 30):
        super().__init__("--maxclients", "20000", *options, workers=workers, region_size=region_size, check=False)
        self.cores = cores
        self.socket = os.path.join(self.dir, "socket")  # of its own, beside the port

    def arguments(self):
        return pinned(self.cores, super().arguments() + ["--unixsocket", self.socket])

    def processes(self):
        """The master's pid and those of its descendants."""
        return [self.process.pid] + descendants(self.process.pid)

    def shared_bytes(self):
        return os.stat(self.region).st_blocks * 512


class Redis(harness.Redis):
    def __init__(self, *options, cores="0"):
        super().__init__("--maxclients", "20000", *options)
        self.cores = cores

    def arguments(self):
        return pinned(self.cores, super().arguments())

    def processes(self):
        """The server, and the child that saves for it."""
        return [self.process.pid] + descendants(self.process.pid)

    def shared_bytes(self):
        return 0


def descendants(pid):
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as f:
            for child in f.read().split():
                found += [int(child)] + descendants(int(child))
    return found


def private_bytes(pid):
    """Memory of one process that is in no file: its share of anonymous pages. 0: it has just ended."""
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Pss_Anon:")) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0


def memory_bytes(server):
    """All that a server holds: shared memory once, private memory of each process."""
    return server.shared_bytes() + sum(private_bytes(pid) for pid in server.processes())


def cpu_s(server):
    """Processor time of a server's processes, and of those that it has reaped."""
    ticks = 0
    for pid in server.processes():
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            ticks += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(server, *options, urgent=False):
    """Runs kvstash-benchmark on core 1; its results, one dict each. urgent: with precedence there, if that is allowed, because
    what else runs on the generator's core would count as the server's latency."""
    command = pinned("1", ["nice", "-n", "-20"] * urgent + [BENCHMARK, "--json", "-p", str(server.port)] + [str(o) for o in options])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=RUN_S, check=False)
    if done.returncode != 0:
        raise AssertionError("%s: status %d: %s%s" % (" ".join(command), done.returncode, done.stderr, done.stdout[-500:]))
    return [json.loads(line) for line in done.stdout.splitlines()]


def pairs(ours, theirs, *options):
    """Runs both servers in turn; the medians of each test."""
    results = load(ours, "--against", "127.0.0.1:%d" % theirs.port, *options)
    return [r for r in results if "against" in r]
