#!/usr/bin/python3
"""kvstash-cli and kvstash-benchmark work with the server: a glance; test_cli.py and test_benchmark.py look closely."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

BIN = os.path.dirname(harness.KVSTASH)


def output(program, server, *args, stdin=b""):
    done = subprocess.run([os.path.join(BIN, program), "-p", str(server.port)] + list(args), input=stdin, stdout=subprocess.PIPE,
                          timeout=harness.REPLY_S, check=True)
    return done.stdout


def main():
    with harness.Kvstash(workers=2) as server:
        assert output("kvstash-cli", server, "SET", "a", "1") == b"OK\n"
        assert output("kvstash-cli", server, "--no-raw", "MGET", "a", "none") == b'1) "1"\n2) (nil)\n'
        assert output("kvstash-cli", server, "--json", stdin=b"hset h f v\nhgetall h\n") == b'1\n{"f":"v"}\n'
        lines = output("kvstash-benchmark", server, "--json", "--fill", "-t", "get,set", "-k", "1000", "-n", "2000", "-P", "16")
        fill, get, put = (json.loads(line) for line in lines.splitlines())
        assert fill["commands"] == 1000 and get["commands"] == put["commands"] == 2000
        assert get["nulls"] == get["errors"] == put["errors"] == 0 and get["cpu_us"] > 0


harness.run(main)
