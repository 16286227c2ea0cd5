"""own_cores.py - workers that each share a core with a load generator of their own, so that 1 and 2 of them compare on 2 cores.

A generator on a core that it does not share with its worker leaves that worker's caches and its scheduler alone; if two workers
then share both cores with the generator, they pay for its neighbourhood and not for each other's. So here worker i and generator i
are pinned to core i, in every case, and only the workers' processor time is counted (the kernel's count in nanoseconds).

A generator must reach its own worker and no other. All workers accept from the server's unix socket; while generator i connects, the
others are stopped (far shorter than the master would mind), and the descriptors of the workers tell that all came to the right one.
"""
import contextlib
import os
import signal
import subprocess
import time

import servers

CONNECTIONS = 50
CLOSE_S = 5
CLOSING = 2      # connections that only asked something may be on their way out
CONNECT_S = 0.3  # a worker that stands still for longer would have the others take its connections


def worker_pids(server):
    """The server's workers, in order of their numbers."""
    lines = server.info("processes").items()
    return [int(value.split(",")[0][len("pid="):]) for name, value in lines if name.startswith("worker")]


def cpu_ns(pid):
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
        return int(f.read().split()[0])


def sockets(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


class Load:
    """One server under its generators, for one measurement: use with `with`."""

    def __init__(self, server, cores, pipeline, keys, seconds):
        self.server, self.cores = server, cores
        self.workers = worker_pids(server)[:len(cores)]
        self.options = ["--json", "-s", server.socket, "-t", "get", "-k", str(keys), "-P", str(pipeline), "-c", str(CONNECTIONS),
                        "--seconds", str(seconds)]
        self.generators = []

    def __enter__(self):
        self.wait_alone()
        for worker, core in zip(self.workers, self.cores):
            os.sched_setaffinity(worker, {core})
        try:
            for i in range(len(self.workers)):
                self.begin(i)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def wait_alone(self):
        """Until the server has closed what earlier loads left."""
        until = time.monotonic() + CLOSE_S
        while int(self.server.info("clients")["connected_clients"]) > 1:
            assert time.monotonic() < until, "connections of an earlier load are not closed"
            time.sleep(0.01)

    def begin(self, i):
        """Starts generator i; its connections are those of worker i."""
        others = [w for w in self.workers if w != self.workers[i]]
        before = [sockets(w) for w in self.workers]
        with contextlib.ExitStack() as stack:
            for other in others:
                os.kill(other, signal.SIGSTOP)
                stack.callback(os.kill, other, signal.SIGCONT)
            self.generators.append(subprocess.Popen(["taskset", "-c", str(self.cores[i]), servers.BENCHMARK] + self.options,
                                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
            until = time.monotonic() + CONNECT_S
            while sockets(self.workers[i]) < before[i] + CONNECTIONS - CLOSING:
                assert time.monotonic() < until, "the generator's connections do not come to its worker"
                time.sleep(0.005)
        assert all(sockets(w) <= n + CLOSING for w, n in zip(self.workers, before) if w in others), "connections went to another worker"

    def measure(self, seconds):
        """Nanoseconds of the workers' processor time a command, over this time."""
        with self.server.connect() as c:
            def now():
                commands = int(c.command("INFO", "stats").split(b"total_commands_processed:")[1].split()[0])
                return sum(cpu_ns(w) for w in self.workers), commands
            before = now()
            time.sleep(seconds)
            after = now()
        assert all(g.poll() is None for g in self.generators), "a generator ended too early"
        return (after[0] - before[0]) / (after[1] - before[1])

    def end(self):
        for g in self.generators:
            g.terminate()
            g.communicate()


def cost(loads, seconds):
    """What a command costs on average while all of these loads run at the same time."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(load) for load in loads]
        time.sleep(0.2)
        if len(running) == 1:
            return running[0].measure(seconds)
        halves = [r.measure(seconds / len(running)) for r in running]  # each in its turn, all under load
        return sum(halves) / len(halves)
