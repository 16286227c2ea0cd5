#!/usr/bin/python3
"""Clients seen, paused and closed from any worker; what a worker's death leaves of their numbers; MONITOR's order."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402


def listed(c, *args):
    lines = c.command("CLIENT", "LIST", *args).decode().splitlines()
    return [dict(f.split("=", 1) for f in line.split(" ")) for line in lines]


def clients_of_all_workers(server):
    a, b = server.connect_all()
    ids = [a.command("CLIENT", "ID"), b.command("CLIENT", "ID")]
    assert [int(x["id"]) for x in listed(a)] == sorted(ids) and {x["worker"] for x in listed(b)} == {"0", "1"}
    b.command("CLIENT", "SETNAME", "other")
    b.command("SELECT", "5")
    b.command("HELLO", "3")
    other = listed(a, "ID", ids[1])[0]
    assert (other["name"], other["db"], other["resp"], other["cmd"]) == ("other", "5", "3", "hello"), other
    assert listed(a, "TYPE", "pubsub") == [] and len(listed(a, "TYPE", "normal")) == 2
    assert a.command("CLIENT", "KILL", "ID", ids[0]) == 0  # SKIPME
    assert a.command("CLIENT", "KILL", "ID", ids[1]) == 1
    try:
        b.command("PING")
        raise AssertionError("a killed client was served")
    except (EOFError, OSError):
        pass
    c = server.connect()
    c.command("PING")  # it is there
    assert a.command("CLIENT", "KILL", listed(a)[-1]["addr"]) == "OK"
    assert a.command("CLIENT", "KILL", "1.2.3.4:5").text == "ERR No such client"
    assert a.command("CLIENT", "KILL", "ID", a.command("CLIENT", "ID"), "SKIPME", "no") == 1
    for x in (a, b, c):
        x.close()


def kill_means_killed(server):
    """After the answer of CLIENT KILL nothing more of the killed client is done."""
    for _ in range(20):
        a, b = server.connect_all()
        a.command("SET", "n", "0")
        b.send_raw(harness.encode("INCR", "n") * 20000)
        harness.wait_for("it is served", lambda: a.command("GET", "n") != b"0")
        assert a.command("CLIENT", "KILL", "TYPE", "normal") >= 1
        n = a.command("GET", "n")
        time.sleep(0.01)
        assert a.command("GET", "n") == n
        a.close()
        b.close()


def pause(server):
    a, b = server.connect_all()
    a.command("SET", "p", "0")
    begin = time.monotonic()
    assert a.command("CLIENT", "PAUSE", "400", "WRITE") == "OK"
    assert b.command("GET", "p") == b"0"
    b.send_raw(harness.encode("INCR", "p") + harness.encode("GET", "p"))
    assert a.command("GET", "p") == b"0"
    assert b.read() == 1 and b.read() == b"1"
    assert time.monotonic() - begin > 0.39
    assert a.command("CLIENT", "PAUSE", "60000", "WRITE") == "OK"
    b.send("INCR", "p")
    assert a.command("CLIENT", "UNPAUSE") == "OK"
    assert b.read() == 2
    begin = time.monotonic()
    assert a.command("CLIENT", "PAUSE", "300") == "OK"
    assert b.command("PING") == "PONG" and time.monotonic() - begin > 0.29
    a.close()
    b.close()


def pause_means_paused(server):
    """After the answer of CLIENT PAUSE no worker writes."""
    a, b = server.connect_all()
    for _ in range(20):
        a.command("SET", "n", "0")
        b.send_raw(harness.encode("INCR", "n") * 5000)
        assert a.command("CLIENT", "PAUSE", "10000", "WRITE") == "OK"
        n = a.command("GET", "n")
        time.sleep(0.01)
        assert a.command("GET", "n") == n
        a.command("CLIENT", "UNPAUSE")
        for _ in range(5000):
            b.read()
    a.close()
    b.close()


def monitor_order(server):
    """What two connections on different workers do in turn is shown in that order; what they do at once, completely."""
    a, b = server.connect_all()
    with server.connect() as m:
        assert m.command("MONITOR") == "OK"
        for i in range(500):
            (a, b)[i % 2].command("ECHO", i)
        shown = [int(m.read().rsplit('"', 2)[1]) for _ in range(500)]
        assert shown == list(range(500)), "out of order"

        def run(c, name):
            for _ in range(20):
                c.pipeline([("ECHO", "%s%d" % (name, i)) for i in range(100)])

        threads = [threading.Thread(target=run, args=(c, n)) for c, n in ((a, "a"), (b, "b"))]
        for t in threads:
            t.start()
        shown = [m.read().rsplit('"', 2)[1] for _ in range(4000)]
        for t in threads:
            t.join()
        for name in "ab":
            assert [s for s in shown if s[0] == name] == ["%s%d" % (name, i) for i in range(100)] * 20
    a.close()
    b.close()


def death_of_a_worker(server):
    """A dead worker's clients and monitors are no longer counted; totals stay."""
    a, b = server.connect_all()
    spare, monitor = server.connect_all()
    spare.close()
    assert monitor.command("MONITOR") == "OK"
    before = int(server.info()["total_commands_processed"])
    b.send("DEBUG", "SEGFAULT")
    try:
        b.read()
        raise AssertionError("DEBUG SEGFAULT was answered")
    except (EOFError, OSError):
        pass
    harness.wait_for("a new worker", lambda: ",state=up," in server.info("processes")["worker1"] and server.info()["process_restarts"] != "0")
    assert a.command("PING") == "PONG"
    # connections closed above may end a little later
    harness.wait_for("two clients are counted", lambda: len(listed(a)) == 1 and server.info()["connected_clients"] == "2")
    assert int(server.info()["total_commands_processed"]) >= before
    server.expect_logged("fatal signal 11")
    for c in (a, b, monitor):
        c.close()


def nobody_waits_for_a_worker_that_stands_still(server):
    """New clients, half of whom the kernel gives to the sleeper's socket, are served by the other worker meanwhile."""
    sleeper = server.connect()
    sleeper.send_raw(harness.encode("DEBUG", "SLEEP", "4"))
    time.sleep(0.2)  # it sleeps now: what it had accepted before would wait with it
    begin = time.monotonic()
    others = [server.connect() for _ in range(40)]
    for c in others:
        c.send_raw(harness.encode("PING"))
    assert [c.read() for c in others] == ["PONG"] * 40
    took = time.monotonic() - begin
    assert sleeper.read() == "OK"
    assert took < 3, "%.1f s: as long as the sleep" % took
    for c in others + [sleeper]:
        c.close()


def main():
    with harness.Kvstash(workers=2) as server:
        clients_of_all_workers(server)
        kill_means_killed(server)
        pause(server)
        pause_means_paused(server)
        monitor_order(server)
        nobody_waits_for_a_worker_that_stands_still(server)
        death_of_a_worker(server)


harness.run(main)
