"""sections.py - what scripts/bench measures: one function for each section, with its goals beside the measurement."""
import collections
import contextlib
import os
import re
import statistics
import subprocess
import threading
import time

import own_cores
import servers
import starts

Section = collections.namedtuple("Section", "name title run")

VALUES_BYTES = 128 << 20  # what the values of a filled server take at most, whatever their size
MEMORY_SPARE = 1 << 30    # room in the region beyond the values, where memory is measured: keys, index, reserve
RESTED_S = 5              # memory that stood still for so long is kvstash's at rest: surplus goes back after 3 s
RESTED_MAX_S = 30
HASH_SHARE = 5            # where pauses are measured: keys for each field of one large hash
STRETCH_S = 0.1           # of a load whose latency is looked at: so short that most are missed by what takes the core twice a second
SETTLE_S = 1.0            # a server's housekeeping after a fill, before its memory is read


def rounds(short, many=5):
    """Options for the length of a comparison."""
    return ("--rounds", 2, "--seconds", 0.2) if short else ("--rounds", many, "--seconds", 1)


def key_space(short):
    return 100000 if short else 1000000


def fill(keys, *instances, test="fill", **options):
    more = [x for name, value in options.items() for x in ("--" + name, value)]
    for server in instances:
        servers.load(server, "-t", test, "-k", keys, "-P", 100 if options.get("data", 0) < 10000 else 1, *more)


def name_of(size):
    for unit, bytes_in_it in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_in_it:
            return "%d %s" % (size // bytes_in_it, unit)
    return "%d B" % size


def get_set(out, short):
    goals = {1: 0.85, 16: 0.30, 100: 0.15}
    keys = key_space(short)
    with servers.Kvstash() as ours, servers.Redis() as theirs:
        fill(keys, ours, theirs)
        out.note("%d keys of 16 bytes, 64-byte values, 50 connections, one worker; all of a server's processes counted" % keys)
        for pipeline, goal in goals.items():
            for pair in servers.pairs(ours, theirs, "-t", "get,set", "-k", keys, "-P", pipeline, *rounds(short)):
                out.pair("%s, pipeline %d" % (pair["test"].upper(), pipeline), pair, ratio_goal=goal)


def hashes(out, short):
    keys = key_space(short)
    with servers.Kvstash() as ours, servers.Redis() as theirs:
        for fields in (10, keys):
            for server in (ours, theirs):
                server.command("FLUSHALL")
            fill(keys, ours, theirs, test="hfill", fields=fields)
            for pair in servers.pairs(ours, theirs, "-t", "hget,hset", "-k", keys, "-P", 16, "--fields", fields, *rounds(short)):
                out.pair("%s, pipeline 16, hashes of %d fields" % (pair["test"].upper(), fields), pair, ratio_goal=1)


def sizes(out, short):
    for size in (8, 64, 512, 4096, 65536, 1 << 20):
        keys = min(key_space(short), VALUES_BYTES // size)
        pipeline = 16 if size < 65536 else 1
        with servers.Kvstash() as ours, servers.Redis() as theirs:
            fill(keys, ours, theirs, data=size)
            for pair in servers.pairs(ours, theirs, "-t", "get,set", "-k", keys, "-P", pipeline, "-d", size, *rounds(short, 3)):
                what = "%s, %s, pipeline %d" % (pair["test"].upper(), name_of(size), pipeline)
                out.pair(what, pair, ratio_goal=1)


def connections(out, short):
    keys = 100000
    with servers.Kvstash() as ours, servers.Redis() as theirs:
        fill(keys, ours, theirs)
        for count in (1, 10, 100, 1000, 10000):
            for pair in servers.pairs(ours, theirs, "-t", "get", "-k", keys, "-c", count, *rounds(short, 3)):
                out.pair("GET, connections: %d" % count, pair, ratio_goal=1)


def hot_key(out, short):
    with servers.Kvstash() as ours, servers.Redis() as theirs:
        fill(1, ours, theirs)
        out.note("one key for all of 50 connections, pipeline 16; mixed: 80 % GET, 20 % SET")
        for pair in servers.pairs(ours, theirs, "-t", "get,set,mixed", "--hot-key", "-k", 1, "-P", 16, *rounds(short, 3)):
            out.pair("%s of one key" % pair["test"], pair, ratio_goal=1)


def workers(out, short):
    """Ratios of rounds: each case meets the same minute of the machine."""
    keys, seconds, many = (100000, 0.5, 2) if short else (1000000, 2, 5)
    out.note("CPU of the workers per GET, median of %d rounds. Worker i and a load generator of its own, 50 connections by unix socket, "
             "are pinned to core i; one worker is measured on core 0 and on core 1 in turn. So 1 and 2 workers have the same "
             "neighbour, and 2 cores are enough. Two servers of one worker each, at the same time, share nothing but the machine: "
             "what they cost more than one is not the server's. `redis` is one worker here" % many)
    with contextlib.ExitStack() as stack:
        two, one, other = (stack.enter_context(servers.Kvstash(workers=n, cores="0,1")) for n in (2, 1, 1))
        fill(keys, two, one, other)
        for pipeline in (1, 16):
            def load(server, *cores):
                return own_cores.Load(server, cores, pipeline, keys, seconds + 3)
            rows = []
            for r in range(many):
                alone = own_cores.cost([load(one, r % 2)], seconds)
                rows.append((own_cores.cost([load(two, 0, 1)], seconds) / alone,
                             own_cores.cost([load(one, 0), load(other, 1)], seconds) / alone, alone))
            both, apart, alone = (statistics.median(x) for x in zip(*rows))
            out.row("GET, pipeline %d: 2 workers of a server" % pipeline, "us CPU", both * alone / 1000, alone / 1000, ratio_goal=1.15)
            out.row("GET, pipeline %d: 2 servers of 1 worker" % pipeline, "us CPU", apart * alone / 1000, alone / 1000)


def aof(out, short):
    goals = {1: 0.90, 16: 0.45, 100: 0.30}
    keys = key_space(short)
    options = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    out.note("append-only file with appendfsync everysec, 64-byte values, 50 connections, one worker; all of a server's processes counted")
    for pipeline, goal in goals.items():
        with servers.Kvstash(*options) as ours, servers.Redis(*options) as theirs:
            fill(keys, ours, theirs)
            for pair in servers.pairs(ours, theirs, "-t", "set", "-k", keys, "-P", pipeline, *rounds(short)):
                out.pair("SET, pipeline %d" % pipeline, pair, ratio_goal=goal)


def aof_always(out, short):
    options = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    out.note("append-only file with appendfsync always, 64-byte values, 50 connections that each wait for the reply; one worker; both "
             "servers have both cores, for what they do beside the serving")
    with servers.Kvstash(*options, cores="0,1") as ours, servers.Redis(*options, cores="0,1") as theirs:
        for pair in servers.pairs(ours, theirs, "-t", "set", "-k", 100000, *rounds(short)):
            rate = pair["ops_per_s"]
            out.row("SET, from one to the next", "us", 1e6 / rate["first"], 1e6 / rate["second"], ratio_goal=1)


# ---- memory ----------------------------------------------------------------------------------------------------------

def settled(server, rested_s):
    """All memory of the server, used_memory, and what it holds in reserve, once nothing of it has changed for so long."""
    last, since, end = None, time.monotonic(), time.monotonic() + RESTED_MAX_S
    while time.monotonic() - since < rested_s and time.monotonic() < end:
        info = server.info("memory")
        now = (servers.memory_bytes(server), int(info["used_memory"]), int(info.get("region_free_bytes", 0)))
        if last is None or abs(now[0] - last[0]) > 1 << 20:
            since = time.monotonic()
        last = now
        time.sleep(0.2)
    return last


def bytes_a_key(server, rested_s, keys, test, **options):
    """Growth by a fill over the number of keys: of all memory, of used_memory, of the reserve."""
    with server:
        empty = settled(server, SETTLE_S)
        fill(keys, server, test=test, **options)
        full = settled(server, rested_s)
        return [(b - a) / keys for a, b in zip(empty, full)]


def memory(out, short):
    """The goals are those of 5 M keys, because the figures of redis-server that they were made from are. 1 M stands beside them."""
    out.note("Keys and fields of 16 bytes. In all: the region's committed memory (its reserve included) and each process's private "
             "memory, less those of the empty server, %d s after kvstash's writers came to rest, %d s after redis-server's; used: the "
             "growth of used_memory; reserve: that of committed free memory" % (RESTED_S, SETTLE_S))
    many, fewer = (100000, 50000) if short else (5000000, 1000000)
    goals = {8: 50, 32: 80, 100: 145, 1000: 1060}
    cases = [("value of %d B" % size, goal, "fill", many, {"data": size}) for size, goal in goals.items()]
    cases += [("value of %d B" % size, None, "fill", fewer, {"data": size}) for size in (8, 100)]
    cases += [("field of 32 B in a hash of %d" % fields, None, "hfill", fewer, {"data": 32, "fields": fields}) for fields in (10, fewer)]
    for what, goal, test, keys, options in cases:
        ours = bytes_a_key(servers.Kvstash(region_size=MEMORY_SPARE + keys * options["data"]), RESTED_S, keys, test, **options)
        theirs = bytes_a_key(servers.Redis(), SETTLE_S, keys, test, **options)
        what += ", %g M" % (keys / 1e6)
        out.row(what + ", in all", "bytes", ours[0], theirs[0], goal=goal)
        out.row(what + ", used", "bytes", ours[1], theirs[1])
        out.row(what + ", reserve", "bytes", ours[2])


# ---- growth ----------------------------------------------------------------------------------------------------------

def clock_gap_us(core, seconds):
    """The machine's own longest pause on an idle core."""
    program = os.path.join(servers.BUILD, "tests", "bench", "clock_gap")
    done = subprocess.run(servers.pinned(core, [program, str(seconds)]), capture_output=True, text=True, check=True,
                          timeout=seconds + 10)
    return float(re.search(r"longest_us=([0-9.]+)", done.stdout).group(1))


def growth_of(server, keys, rate, seconds):
    """The fill's results, and those of the same load on the keys that are then there."""
    paced = ("-k", keys, "--rate", rate, "-P", 4)
    with server:
        grown, = servers.load(server, "-t", "fill", *paced)
        steady, = servers.load(server, "-t", "set", *paced, "--seconds", seconds)
        return grown, steady


def growth_cost(out, short):
    """The same without sockets, each command's processor time on its own (the program's head says how it is told from noise)."""
    program = os.path.join(servers.BUILD, "tests", "bench", "growth_cost")
    done = subprocess.run([program, "300000" if short else "10000000"], capture_output=True, text=True, timeout=servers.RUN_S, check=True)
    lines = [l for l in done.stdout.splitlines() if not l.startswith(("bytes a key", "  blocks", "  ends"))]
    out.note("SETs in order without sockets, each timed on its own, with the noise beside it:\n\n    " + "\n    ".join(lines))
    heads = [l.split() for l in lines if not l.startswith(" ")]
    longest = {words[0]: dict(f.split("=") for f in words[1:]) for words in heads}
    over = [sum(int(n) for us, n in re.findall(r">=(\d+) us: (\d+)", l) if int(us) >= 1000)
            for l in lines if l.strip().startswith("processor time")]
    noise = max(float(longest[name]["longest_cpu_unswitched_us"]) for name in ("steady", "noise"))
    own = float(longest["growing"]["longest_cpu_unswitched_us"])
    for (name, figures), count in zip(longest.items(), over):
        out.row("over 1 ms of processor time, %s" % name, "", count)
        out.row("longest, %s, processor time" % name, "us", float(figures["longest_cpu_us"]))
        out.row("longest, %s, processor time, no switch" % name, "us", float(figures["longest_cpu_unswitched_us"]))
    out.row("longest command beyond the noise", "us", max(0.0, own - noise), goal=1000)
    out.flush()


def growth(out, short):
    """A wait beyond the machine's noise: longer than the longest of the load that grows nothing, and of an idle clock."""
    keys, rate, seconds = (300000, 100000, 3) if short else (10000000, 150000, 30)
    gap = max(clock_gap_us(core, 2 if short else 10) for core in "01")
    out.note("%d keys written in order at %d commands/s (4 a batch, latency from the scheduled time), then %d s of the same load "
             "on those keys" % (keys, rate, seconds))
    ours, theirs = (growth_of(server, keys, rate, seconds) for server in (servers.Kvstash(region_size=6 << 30), servers.Redis()))
    out.row("idle core, longest pause", "us", gap)
    for name in ("p50_us", "p999_us", "p9999_us", "max_us"):
        label = name[:-3].replace("p999", "p99.9")
        out.row("while growing, " + label, "us", ours[0][name], theirs[0][name])
        out.row("not growing, " + label, "us", ours[1][name], theirs[1][name])
    beyond = max(0.0, ours[0]["max_us"] - max(ours[1]["max_us"], gap))
    beyond_theirs = max(0.0, theirs[0]["max_us"] - max(theirs[1]["max_us"], gap))
    out.row("longest wait beyond the noise", "us", beyond, beyond_theirs, goal=1000)


def lock_death(out, short):
    program = os.path.join(servers.BUILD, "tests", "bench", "lock_death")
    subprocess.run(["make", "-s", "-C", servers.BUILD, "tests/bench/lock_death"], capture_output=True, check=False)
    if not os.path.exists(program):
        out.note("left out: tests/bench/lock_death is not built")
        return
    done = subprocess.run([program] + (["100"] if short else []), capture_output=True, text=True, timeout=servers.RUN_S,
                          check=False)
    found = re.search(r"p50_us=([0-9.]+)", done.stdout)
    assert done.returncode == 0 and found, "lock_death: %s %s" % (done.stdout, done.stderr)
    out.note(done.stdout.strip())
    out.row("lock owner's death to the waiter's lock, p50", "us", float(found.group(1)), goal=200)


# ---- snapshots -------------------------------------------------------------------------------------------------------

class Snapshots(threading.Thread):
    """Asks for one snapshot after the other while a load runs; their lengths, and the memory taken meanwhile."""

    def __init__(self, server, how_many):
        super().__init__()
        self.server, self.how_many = server, how_many
        self.walls, self.memory, self.error = [], 0, None

    def run(self):
        try:
            with self.server.connect() as c:
                before = servers.memory_bytes(self.server)
                for _ in range(self.how_many):
                    begun = time.monotonic()
                    assert c.command("BGSAVE") == "Background saving started"
                    while b"rdb_bgsave_in_progress:1" in c.command("INFO", "persistence"):
                        self.memory = max(self.memory, servers.memory_bytes(self.server) - before)
                        time.sleep(0.02)
                    self.walls.append(time.monotonic() - begun)
                assert b"rdb_last_bgsave_status:ok" in c.command("INFO", "persistence")
        except Exception as e:  # told by the caller
            self.error = e


def under_writes(server, keys, rate, seconds, saves):
    """The server's processor time, and the snapshots made meanwhile."""
    snapshots = Snapshots(server, saves)
    before = servers.cpu_s(server)
    snapshots.start()
    servers.load(server, "-t", "set", "-k", keys, "--rate", rate, "--seconds", seconds)
    snapshots.join()
    assert not snapshots.error, snapshots.error
    return servers.cpu_s(server) - before, snapshots


def snapshot_of(server, keys, rate, seconds):
    """What one snapshot costs under writes: a dict."""
    with server:
        fill(keys, server)
        time.sleep(SETTLE_S)
        quiet_cpu, _ = under_writes(server, keys, rate, seconds, 0)
        busy_cpu, s = under_writes(server, keys, rate, seconds, 1)
        return {"cpu": busy_cpu - quiet_cpu, "wall": s.walls[0], "memory": max(s.memory, 0) / 1e6}


def bgsave(out, short):
    keys, rate, seconds, many = (200000, 5000, 3, 1) if short else (5000000, 10000, 15, 3)
    out.note("%d keys of 16 bytes with 64-byte values, %d SET/s on them, one BGSAVE within %d s; its processor time is that of the whole "
             "server less that of the same load without it; memory: the most that was taken beyond what was there before. Medians of "
             "%d rounds" % (keys, rate, seconds, many))
    rows = [[snapshot_of(kind("--save", ""), keys, rate, seconds) for kind in (servers.Kvstash, servers.Redis)] for _ in range(many)]
    for name, what, unit, goal in (("cpu", "CPU of a snapshot", "s", 0.25), ("wall", "time from BGSAVE to its end", "s", 0.35),
                                   ("memory", "extra memory", "MB", 0.1)):
        out.row(what, unit, *(statistics.median(r[which][name] for r in rows) for which in (0, 1)), ratio_goal=goal)


class Saver(threading.Thread):
    """Looks at a server as a load runs; with `saves` it has one snapshot made after the other. Ends with the last one's end."""

    def __init__(self, server, saves):
        super().__init__()
        self.server, self.saves, self.ending, self.error = server, saves, False, None

    def run(self):
        try:
            with self.server.connect() as c:
                while not self.ending:
                    time.sleep(0.05)
                    running = b"rdb_bgsave_in_progress:1" in c.command("INFO", "persistence")
                    if self.saves and not running and not self.ending:
                        assert c.command("BGSAVE") == "Background saving started"
                while b"rdb_bgsave_in_progress:1" in c.command("INFO", "persistence"):
                    time.sleep(0.05)
        except Exception as e:  # told by the caller
            self.error = e


def pauses(server, saves, stretches, *options):
    """p99.9 of each stretch of a paced load, in us, while snapshots run or while none does."""
    saver = Saver(server, saves)
    saver.start()
    try:
        found = [servers.load(server, *options, "--seconds", STRETCH_S, urgent=True)[0]["p999_us"] for _ in range(stretches)]
    finally:
        saver.ending = True
        saver.join()
    assert not saver.error, saver.error
    return found


@contextlib.contextmanager
def beside_the_generator():
    """This process leaves the servers' core alone meanwhile."""
    before = os.sched_getaffinity(0)
    if servers.TWO_CORES:
        os.sched_setaffinity(0, {1})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tell_pauses(out, test, found, both):
    quarter = {which: statistics.quantiles(values, n=4, method="inclusive")[0] for which, values in found.items()}
    for saves, when in ((False, "no snapshot"), (True, "snapshots")):
        what = "p99.9 of %s, %s" % (test, when)
        out.row(what, "us", *(quarter[server, saves] for server in both))
        out.row(what + ", median", "us", *(statistics.median(found[server, saves]) for server in both))
    out.row("%s: times as long with snapshots" % test, "", *(quarter[server, True] / quarter[server, False] for server in both), goal=1.2)


def bgsave_pauses(out, short):
    keys, rate, stretches, many = (200000, 5000, 4, 2) if short else (5000000, 10000, 20, 3)
    fields = keys // HASH_SHARE
    out.note("%d keys of 16 bytes with 64-byte values and a hash of %d fields; %d commands/s on one of them (latency from the scheduled "
             "time), without snapshots and with one after the other, in turn for both servers, each with all its processes on one "
             "core. p99.9 of each of %d stretches of %.1f s: the lower quartile is what counts, because what else the machine does "
             "only adds; the median shows how much that was" % (keys, fields, rate, stretches * many, STRETCH_S))
    with servers.Kvstash("--save", "") as ours, servers.Redis("--save", "") as theirs, beside_the_generator():
        for server in (ours, theirs):
            fill(keys, server)
            fill(fields, server, test="hfill", fields=fields)
        time.sleep(SETTLE_S)
        for test, options in (("SET", ("-t", "set", "-k", keys)), ("HSET into the hash", ("-t", "hset", "-k", fields, "--fields", fields))):
            found = collections.defaultdict(list)
            for _ in range(many):
                for server in (ours, theirs):
                    for saves in (False, True):
                        found[server, saves] += pauses(server, saves, stretches, "--rate", rate, *options)
            tell_pauses(out, test, found, (ours, theirs))


SECTIONS = [
    Section("get-set", "CPU per GET and SET", get_set),
    Section("hashes", "CPU per HGET and HSET", hashes),
    Section("sizes", "CPU per command by size of the value", sizes),
    Section("connections", "CPU per GET by number of connections", connections),
    Section("hot-key", "CPU per command with one hot key", hot_key),
    Section("workers", "CPU per GET of two workers over one", workers),
    Section("aof", "CPU per SET with the append-only file", aof),
    Section("aof-always", "SETs a second with appendfsync always", aof_always),
    Section("memory", "Bytes per key", memory),
    Section("growth", "Latency while the table grows", growth),
    Section("growth-cost", "Processor time of each command while the table grows", growth_cost),
    Section("bgsave", "A snapshot under writes", bgsave),
    Section("bgsave-pauses", "Writers' latency while snapshots run", bgsave_pauses),
    Section("load", "Loading files at a start", starts.load),
    Section("attach", "A start on a region that was left", starts.attach),
    Section("lock-death", "A lock's owner dies", lock_death),
]
