#!/usr/bin/python3
"""kvstash-benchmark: its load arrives at the server as asked for, its figures are what the server counted, and errors are seen;
against kvstash and redis-server."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

BENCHMARK = os.path.join(os.path.dirname(harness.KVSTASH), "kvstash-benchmark")
RUN_S = 50


def run(*args, env=None):
    """Standard output, standard error, status."""
    done = subprocess.run([BENCHMARK] + [str(a) for a in args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=RUN_S, check=False)
    return done.stdout, done.stderr, done.returncode


def results(*args):
    out, error, status = run("--json", *args)
    assert status == 0 and error == "", (args, status, error, out)
    return [json.loads(line) for line in out.splitlines()]


def calls(server, command):
    """How often the server has run a command."""
    line = server.info("commandstats").get("cmdstat_" + command)
    return int(line.split("calls=")[1].split(",")[0]) if line else 0


def fill_writes_every_key(server):
    here = ["-p", server.port]
    (fill,) = results(*here, "-t", "fill", "-k", 5000, "-d", 33, "-P", 7, "-c", 3)
    assert fill["commands"] == 5000 and server.command("DBSIZE") == 5000
    assert len(server.command("GET", "key:%012d" % 4999)) == 33 and server.command("EXISTS", "key:%012d" % 5000) == 0
    (get,) = results(*here, "-t", "get", "-k", 5000, "-d", 33, "-n", 1000, "-P", 16)
    assert (get["commands"], get["nulls"], get["errors"]) == (1000, 0, 0)
    (missing,) = results(*here, "-t", "get", "-k", 10000, "-d", 33, "-n", 2000)
    assert 500 < missing["nulls"] < 1500
    server.command("FLUSHALL")
    results(*here, "-t", "hfill", "-k", 200, "--fields", 10, "-d", 5)
    assert server.command("DBSIZE") == 20 and server.command("HLEN", "hsh:%012d" % 19) == 10
    (hget,) = results(*here, "-t", "hget", "-k", 200, "--fields", 10, "-d", 5, "-n", 500, "-P", 4)
    assert hget["nulls"] == 0


def tests_send_what_they_say(server):
    here = ["-p", server.port, "-k", 100, "-n", 640, "-P", 8, "-c", 5]
    for test, command in (("set", "SET"), ("hset", "HSET"), ("mset", "MSET"), ("incr", "INCR"), ("get", "GET")):
        before = calls(server, command.lower())
        (one,) = results(*here, "-t", test)
        assert one["commands"] == 640 and one["errors"] == 0, one
        assert calls(server, command.lower()) == before + 640, test
    server.command("FLUSHALL")
    results(*here, "-t", "incr", "--hot-key")
    assert server.command("GET", "cnt:%012d" % 0) == b"640" and server.command("DBSIZE") == 1
    server.command("FLUSHALL")
    fill, mixed = results(*here, "-t", "mixed", "--reads", 75, "--fill")
    assert (fill["test"], fill["commands"], mixed["commands"], mixed["nulls"]) == ("fill", 100, 640, 0)
    results(*here, "-t", "set", "-d", 3 << 20, "-n", 16, "-k", 2)
    assert server.command("STRLEN", "key:%012d" % 1) == 3 << 20
    (big,) = results(*here, "-t", "get", "-d", 3 << 20, "-n", 16, "-k", 2)
    assert big["commands"] == 16 and big["nulls"] == 0
    server.command("FLUSHALL")


def measures(server):
    (one,) = results("-p", server.port, "-t", "get", "--seconds", 0.5, "-k", 100)
    assert 0.45 < one["seconds"] < 5 and one["processes"] >= 1, one
    assert 0 < one["cpu_us"] < 1000 and abs(one["ops_per_s"] - one["commands"] / one["seconds"]) < 1
    assert 0 < one["p50_us"] <= one["p90_us"] <= one["p99_us"] <= one["p999_us"] <= one["max_us"]
    (paced,) = results("-p", server.port, "-t", "get", "--seconds", 0.5, "-k", 100, "--rate", 2000, "-c", 10)
    assert 700 < paced["commands"] <= 1000, paced
    text = run("-p", server.port, "-t", "get", "--seconds", 0.1, "-k", 100)[0]
    for words in ("commands/s", "server CPU us/command", "p99.9", "server processes", "###"):
        assert words in text, text


def paced_latency_counts_from_the_schedule(server):
    """One connection, a server that sleeps: what was due meanwhile waited as well."""
    before = calls(server, "get")
    with server.connect() as c:
        load = subprocess.Popen([BENCHMARK, "--json", "-p", str(server.port), "-t", "get", "--rate", "1000", "-c", "1",
                                 "--seconds", "2"], stdout=subprocess.PIPE)
        harness.wait_for("the load", lambda: calls(server, "get") >= before + 200)
        assert c.command("DEBUG", "SLEEP", "0.5") == "OK"
        out = json.loads(load.communicate(timeout=RUN_S)[0])
    assert out["max_us"] >= 450000 and out["p90_us"] >= 100000, out  # a quarter of all were due while it slept


def errors_are_seen(server):
    server.command("DEL", "cnt:%012d" % 0)
    server.command("RPUSH" if isinstance(server, harness.Redis) else "HSET", "cnt:%012d" % 0, "a", "b")
    out, _, status = run("-p", server.port, "-t", "incr", "--hot-key", "-n", 50)
    assert status == 1 and "50 error replies" in out and "WRONGTYPE" in out, out


def mistakes_are_told():
    port = harness.free_port()
    for args, status, words in ((["-p", port], 1, "Could not connect to 127.0.0.1:%d" % port), (["-t", "nope"], 2, "'nope'"),
                                (["-c", 0], 2, "--clients is '0'"), (["stray"], 2, "options only"),
                                (["--against", "nowhere"], 2, "--against is 'nowhere'")):
        out, error, got = run(*args)
        assert got == status and words in error and out == "", (args, got, error)
    assert "usage: kvstash-benchmark" in run("--help")[0]


def passwords():
    with harness.Redis("--requirepass", "word") as server:
        (one,) = results("-p", server.port, "-a", "word", "-t", "set", "-n", 100, "--database", 3)
        assert one["errors"] == 0
        _, error, status = run("-p", server.port, "-t", "set", "-n", 10)
        assert status == 1


def pairs(ours, theirs):
    rows = results("-p", ours.port, "--against", "127.0.0.1:%d" % theirs.port, "-t", "set", "-n", 2000, "--rounds", 3, "-P", 4)
    runs, pair = rows[:-1], rows[-1]
    assert [r["server"] for r in runs] == [runs[0]["server"], runs[1]["server"]] * 3
    assert [r["round"] for r in runs] == [1, 1, 2, 2, 3, 3]
    firsts = sorted(r["ops_per_s"] for r in runs[::2])
    assert pair["against"] == "127.0.0.1:%d" % theirs.port and abs(pair["ops_per_s"]["first"] - firsts[1]) < 1
    ratios = sorted(a["cpu_us"] / b["cpu_us"] for a, b in zip(runs[::2], runs[1::2]))
    assert abs(pair["cpu_us"]["ratio"] - ratios[1]) < 1e-6


def main():
    mistakes_are_told()
    with harness.Redis() as redis:
        fill_writes_every_key(redis)
        tests_send_what_they_say(redis)
        measures(redis)
        paced_latency_counts_from_the_schedule(redis)
        errors_are_seen(redis)
        with harness.Kvstash(workers=2) as kvstash:
            fill_writes_every_key(kvstash)
            tests_send_what_they_say(kvstash)
            measures(kvstash)
            errors_are_seen(kvstash)
            pairs(kvstash, redis)
    passwords()


harness.run(main)
