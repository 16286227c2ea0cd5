#!/usr/bin/python3
"""Bad clients do no harm: odd lengths, half requests, slow readers, too many connections, too much memory, no descriptors left."""
import os
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

IDLE = 10000
WAIT_S = 10


def wait_for(what, condition):
    harness.wait_for(what, condition, WAIT_S)


def wait_gone(asking, ids):
    """Until the server has closed these clients. Nobody reads meanwhile: what waits for a client must stay what it is."""
    wait_for("clients %s closed" % ids, lambda: asking.command("CLIENT", "LIST", "ID", *ids) == b"")


def is_closed(c):
    """Reads what there is; True once the server has closed."""
    c.sock.settimeout(WAIT_S)
    try:
        while c.sock.recv(1 << 20):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def answer(server, data):
    with server.connect(timeout=WAIT_S) as c:
        try:
            c.send_raw(data)
            c.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return c.read_to_end()


def odd_lengths(server, redis):
    for data in (b"*3\r\n$3\r\nSET\r\n$-1\r\n", b"*-5\r\nPING\r\n", b"*1048577\r\n$4\r\nPING\r\n", b"*2147483648\r\n", b"*99999999999999999999\r\n",
                 b"*2\r\n$3\r\nGET\r\n$536870913\r\n", b"*2\r\n$3\r\nGET\r\n$99999999999999999999\r\n", b"*1\r\n$4\r\nPINGxx", b"*x\r\n",
                 b"*1\r\n4\r\nPING\r\n", b"*2\r\n$3\r\nGET\r\n$1x\r\na\r\n", b"x" * 70000, b"*1\r\n$" + b"1" * 70000, b"*" + b"1" * 70000,
                 b"*0\r\nPING\r\n", b"\r\n\r\nPING\r\n", b'SET a "b\r\n', b"$4\r\nPING\r\n", b"*1\r\n$0\r\n\r\nPING\r\n", b"\0\0\0\r\n"):
        got, want = answer(server, data), answer(redis, data)
        assert got == want, "%r: %r instead of %r" % (data[:60], got[:200], want[:200])


def half_requests(server):
    halves = [server.connect() for _ in range(50)]
    for i, c in enumerate(halves):
        c.send_raw(harness.encode("SET", "half%d" % i, "x" * 100000)[:-i - 1])
    with server.connect() as c:
        assert c.command("PING") == "PONG"
        assert c.command("EXISTS", "half0") == 0
    for i, c in enumerate(halves):
        c.send_raw(harness.encode("SET", "half%d" % i, "x" * 100000)[-i - 1:])
        assert c.read() == "OK"
        c.close()


def slow_readers(server):
    """Replies that nobody reads hold nobody up; beyond the limit their client is closed."""
    first, second = server.connect_all()
    first.command("SET", "big", "x" * (1 << 20))
    slow = [server.connect() for _ in range(4)]
    ids = [c.command("CLIENT", "ID") for c in slow]
    for c in slow:
        c.send_raw(harness.encode("GET", "big") * 64)
    longest = 0
    for c in (first, second) * 50:
        begin = time.monotonic()
        assert c.command("GET", "half0") is not None
        longest = max(longest, time.monotonic() - begin)
    assert longest < 1, "a slow reader held others up for %.2f s" % longest
    assert len(slow[0].read()) == 1 << 20
    first.command("CONFIG", "SET", "client-output-buffer-limit", "normal 8mb 0 0")
    wait_gone(first, ids)
    assert all(is_closed(c) for c in slow)
    first.command("CONFIG", "SET", "client-output-buffer-limit", "normal 0 8mb 1")
    soft = server.connect()
    ids = [soft.command("CLIENT", "ID")]
    begin = time.monotonic()
    soft.send_raw(harness.encode("GET", "big") * 32)
    wait_gone(first, ids)
    assert time.monotonic() - begin > 0.9, "closed before its time"
    soft.close()
    first.command("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
    for c in slow + [first, second]:
        c.close()


def long_requests(server):
    with server.connect() as c, server.connect() as long:
        c.command("CONFIG", "SET", "client-query-buffer-limit", "1mb")
        long.send_raw(b"*2\r\n$4\r\nECHO\r\n$4000000\r\n")
        try:
            long.send_raw(b"x" * 3000000)
        except OSError:
            pass
        assert is_closed(long)
        c.command("CONFIG", "SET", "client-query-buffer-limit", "1gb")


def largest_is_closed(server):
    """maxmemory-clients counts all workers' clients and takes the largest."""
    first, second = server.connect_all()
    spared = server.connect()
    assert spared.command("CLIENT", "NO-EVICT", "ON") == "OK"
    for c in (first, second):
        c.command("SET", "big", "x" * (1 << 20))
    spared.send_raw(harness.encode("GET", "big") * 16)
    large = server.connect()
    ids = [large.command("CLIENT", "ID")]
    large.send_raw(harness.encode("GET", "big") * 40)
    wait_for("its size is known", lambda: b"tot-mem=0" not in first.command("CLIENT", "LIST", "ID", *ids))
    before = int(server.info()["evicted_clients"])
    first.command("CONFIG", "SET", "maxmemory-clients", "30mb")
    wait_gone(first, ids)
    assert is_closed(large)
    assert int(server.info()["evicted_clients"]) > before
    first.command("CONFIG", "SET", "maxmemory-clients", "0")
    assert first.command("PING") == second.command("PING") == "PONG"
    for c in (first, second, spared, large):
        c.close()


def idle_are_closed(server):
    with server.connect() as c:
        begin = time.monotonic()
        idle = server.connect()
        monitor = server.connect()
        assert monitor.command("MONITOR") == "OK"
        c.command("CONFIG", "SET", "timeout", "1")
        while not is_closed_now(idle):
            c.command("PING")
            assert time.monotonic() - begin < WAIT_S
            time.sleep(0.05)
        assert time.monotonic() - begin > 0.8
        c.command("CONFIG", "SET", "timeout", "0")
        assert "PING" in monitor.read()
        monitor.close()


def is_closed_now(c):
    c.sock.setblocking(False)
    try:
        return c.sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def as_many_as_allowed(server):
    """maxclients is one number for all workers."""
    with server.connect() as c:
        wait_for("earlier connections are closed", lambda: b"\nconnected_clients:1\r" in c.command("INFO", "clients"))
        c.command("CONFIG", "SET", "maxclients", "12")
        more = [server.connect() for _ in range(11)]
        for m in more:
            assert m.command("PING") == "PONG"
        for _ in range(4):
            with server.connect() as refused:
                assert refused.read_to_end() == b"-ERR max number of clients reached\r\n"
        assert c.command("INFO", "stats").decode().split("rejected_connections:")[1].split("\r\n")[0] == "4"
        for m in more:
            m.close()
        c.command("CONFIG", "SET", "maxclients", "10000")


def many_idle(server):
    resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + 1000, IDLE + 1000))

    def memory():
        return int(server.info("memory")["used_memory_rss"]) - int(server.info("memory")["region_committed_bytes"])

    before = memory()
    idle = [server.connect() for _ in range(IDLE - 10)]

    def served():
        workers = server.info("processes")
        return [int(workers["worker%d" % w].rsplit("clients=", 1)[1]) for w in range(2)]

    wait_for("all are accepted", lambda: sum(served()) > len(idle))
    clients = served()
    assert min(clients) > len(idle) // 10, clients
    for c in idle[::97]:
        assert c.command("PING") == "PONG"
    print("%d idle connections: %.0f bytes of private memory each, workers %s" % (len(idle), (memory() - before) / len(idle), clients))
    for c in idle:
        c.close()
    wait_for("all are gone", lambda: int(server.info()["connected_clients"]) < 10)


def out_of_descriptors(server):
    """Connections wait in the queue, the workers do not spin, and service goes on when descriptors are there again."""
    pids = [int(server.info("processes")["worker%d" % w].split("pid=")[1].split(",")[0]) for w in range(2)]
    old = resource.prlimit(pids[0], resource.RLIMIT_NOFILE)
    first, second = server.connect_all()
    for pid in pids:
        used = len(os.listdir("/proc/%d/fd" % pid))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 2, old[1]))
    waiting = [server.connect() for _ in range(20)]
    for c in waiting:
        c.send("PING")
    time.sleep(0.2)

    def cpu():
        return sum(int(x) for pid in pids for x in open("/proc/%d/stat" % pid).read().rsplit(") ", 1)[1].split()[11:13])

    before = cpu()
    time.sleep(1)
    assert (cpu() - before) / os.sysconf("SC_CLK_TCK") < 0.5, "workers spin without descriptors"
    assert first.command("PING") == second.command("PING") == "PONG"
    assert 1 <= server.read_log().count("new connections wait") <= 2
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    for c in waiting:
        assert c.read() == "PONG"
        c.close()
    first.close()
    second.close()


def main():
    with harness.Kvstash(workers=2) as server, harness.Redis() as redis:
        odd_lengths(server, redis)
        half_requests(server)
        slow_readers(server)
        long_requests(server)
        largest_is_closed(server)
        idle_are_closed(server)
        as_many_as_allowed(server)
        out_of_descriptors(server)
        many_idle(server)


harness.run(main)
