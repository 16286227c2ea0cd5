#!/usr/bin/python3
"""kvstash-cli: its output equals redis-cli's for every type of reply, from arguments and from lines, in both versions of the
protocol; JSON is JSON; errors say what and where and give a status."""
import json
import os
import pty
import select
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

CLI = os.path.join(os.path.dirname(harness.KVSTASH), "kvstash-cli")
RUN_S = 20

# Types of DEBUG PROTOCOL. redis-cli ends with an error at attributes and big numbers under RESP3: those are below.
TYPES = ["string", "integer", "double", "null", "array", "set", "map", "push", "verbatim", "true", "false"]
BEYOND_REDIS_CLI = {"attrib": b"\"Some real reply following the attribute\"\n",
                    "bignum": b"1234567999999999999999999999999999999\n"}

NESTED = "return {1,{2,{3,'x\\n\\1\\\\\"'},{}},false,redis.error_reply('ERR in the middle'),{'a','b',{'c'}}}"
MAPS = "redis.setresp(3); return {%s}" % ",".join("{map={k=%s}}" % v for v in (
    "1", "{1}", "{1,2}", "{{1,2}}", "{map={c={1,2}}}", "{map={c={{}}}}", "{set={a=true}}", "{map={a={},b={1}}}",
    "{verbatim_string={format='txt',string='a\\nb'}}"))
KEYS = [
    ["SET", "s", "plain"], ["SET", "b", b"\xff\x00\x01\t\r\n\a\b\"\\ \xc3\xa4"], ["HSET", "h", "f1", "v1", "f2", "v2"],
    ["ZADD", "z", "1.5", "a", "2", "b"], ["XADD", "x", "1-1", "f", "v"], ["SET", "n", "7"],
]
COMMANDS = [
    ["PING"], ["SET", "other", "plain"], ["GET", "s"], ["GET", "missing"], ["GET", "b"], ["STRLEN", "s"], ["HGETALL", "h"],
    ["MGET", "s", "missing"], ["KEYS", "nothing*"], ["CONFIG", "GET", "max*"], ["NOSUCH", "a b"], ["HGETALL", "missing"],
    ["ECHO", ""], ["EVAL", NESTED, "0"], ["EVAL", "redis.setresp(3); return {map={a=1,b={map={c=2}}}}", "0"],
    ["EVAL", "redis.setresp(3); return {set={x=true}}", "0"], ["EVAL", "redis.setresp(3); return {map={}}", "0"],
    ["EVAL", "redis.setresp(3); return {set={}}", "0"], ["EVAL", MAPS, "0"], ["COMMAND", "DOCS", "set"],
    ["EVAL", "redis.setresp(3); return {double=3.5}", "0"],
    ["EVAL", "local t = {} for i = 1, 120 do t[i] = {i} end return t", "0"],
    ["SELECT", "3"], ["INFO", "keyspace"], ["LOLWUT", "VERSION", "0"], ["MEMORY", "DOCTOR"], ["LATENCY", "DOCTOR"],
    ["CLUSTER", "NODES"], ["ZRANGE", "z", "0", "-1", "WITHSCORES"], ["ZSCORE", "z", "a"], ["XRANGE", "x", "-", "+"],
    ["XINFO", "STREAM", "x"], ["DEBUG", "HTSTATS", "0"],
]


def run(program, server, *args, stdin=b"", env=None):
    """Standard output, standard error, status."""
    where = ["-p", str(server.port)] if server else []
    done = subprocess.run([program] + where + list(args), input=stdin, timeout=RUN_S, capture_output=True, check=False,
                          env=dict(os.environ, **(env or {})))
    return done.stdout, done.stderr, done.returncode


def same(server, *args, stdin=b"", before=None):
    """Output and status of both programs are equal; `before` is a command for the server in front of each."""
    results = []
    for program in (CLI, "redis-cli"):
        if before:
            server.command(*before)
        results.append(run(program, server, *args, stdin=stdin))
    ours, theirs = results
    assert ours[0] == theirs[0], "%r:\nkvstash-cli %r\nredis-cli   %r" % (args, ours[0], theirs[0])
    assert ours[2] == theirs[2], "%r: status %d, redis-cli's %d" % (args, ours[2], theirs[2])


def formats_equal_redis_cli(server):
    for command in KEYS:
        server.command(*command)
    for options in (["--raw"], ["--no-raw"], ["-3", "--raw"], ["-3", "--no-raw"], ["-2"], []):
        for kind in TYPES:
            same(server, *options, "DEBUG", "PROTOCOL", kind)
        for command in COMMANDS:
            same(server, *options, *command)
    for kind, text in BEYOND_REDIS_CLI.items():
        assert run(CLI, server, "-3", "--no-raw", "DEBUG", "PROTOCOL", kind)[0] == text


def options_equal_redis_cli(server):
    same(server, "-x", "SET", "x", stdin=b"a\0b\nc")
    same(server, "--no-raw", "GET", "x")
    same(server, "-r", "3", "INCR", "r", before=["DEL", "r"])
    same(server, "-r", "2", "-i", "0.01", "INCR", "r", before=["DEL", "r"])
    same(server, "-e", "NOSUCH")
    same(server, "-e", "GET", "s")
    same(server, "-n", "5", "SET", "in5", "1")
    same(server, "-n", "5", "GET", "in5")
    same(server, "GET", "in5")
    same(None, "-p", "1", "PING")


def lines_equal_redis_cli(server):
    lines = b"""set a "x\\n\\x00\\"y"
get a

3 incr c
get 'it''s unbalanced
get 'single \\' quote'
"unbalanced
config get maxmemory
select 99
select 1
dbsize
   ping
nosuch
"""
    for options in ([], ["--no-raw"]):
        for end in (b"", b"quit\nping\n", b"exit", b"ping"):
            same(server, *options, stdin=lines + end, before=["FLUSHALL"])
    many = b"".join(b"echo line-%d\n" % i for i in range(20000))
    assert run(CLI, server, stdin=many)[0] == b"".join(b"line-%d\n" % i for i in range(20000))
    long_line = b"echo " + b"y" * 300000 + b"\n"
    assert run(CLI, server, stdin=long_line)[0] == long_line[5:]


def json_is_json(server):
    def reply(*args):
        out, _, status = run(CLI, server, "--json", *args)
        assert status == 0 and out.count(b"\n") == 1, (args, out)
        return json.loads(out)

    server.command("SET", "bytes", bytes(range(256)))
    text = reply("GET", "bytes")
    assert text.encode("latin-1") == bytes(range(256))
    server.command("SET", "utf8", "grün \U0001f600")
    assert reply("GET", "utf8") == "grün \U0001f600"
    assert reply("GET", "missing") is None
    assert reply("NOSUCH")["error"].startswith("ERR unknown command")
    assert reply("DEBUG", "PROTOCOL", "map") == {"0": False, "1": True, "2": False}
    assert reply("DEBUG", "PROTOCOL", "set") == [0, 1, 2]
    assert reply("DEBUG", "PROTOCOL", "double") == 3.141
    assert reply("DEBUG", "PROTOCOL", "bignum") == 1234567999999999999999999999999999999
    assert reply("DEBUG", "PROTOCOL", "verbatim") == "This is a verbatim\nstring"
    assert reply("EVAL", "return {1,{2,'x'},false}", "0") == [1, [2, "x"], None]
    assert isinstance(reply("INFO", "server"), str)
    assert reply("-2", "DEBUG", "PROTOCOL", "map") == [0, 0, 1, 1, 2, 0]
    out = run(CLI, server, "--json", stdin=b"ping\nget missing\n")[0]
    assert out == b'"PONG"\nnull\n'


def mistakes_are_told(server):
    out, error, status = run(CLI, None, "-p", str(harness.free_port()), "PING")
    assert (out, status) == (b"", 1) and b"Could not connect to 127.0.0.1:" in error and b"refused" in error, error
    _, error, status = run(CLI, None, "-s", "/nowhere/socket", "PING")
    assert status == 1 and b"/nowhere/socket" in error
    for args, words in ((["--nope"], b"--nope"), (["-p", "70000"], b"--port is '70000'"), (["-n"], b"-n needs a value"),
                        (["-x"], b"needs a command")):
        out, error, status = run(CLI, None, *args)
        assert (out, status) == (b"", 2) and words in error, error
    _, error, status = run(CLI, server, "-n", "99", "PING")
    assert status == 1 and b"SELECT" in error and b"out of range" in error
    out, error, status = run(CLI, server, "DEBUG", "NOSUCH-AND-QUIT-NOT", "--no-raw")
    assert status == 0 and out.startswith(b"ERR")
    out, _, status = run(CLI, server, stdin=b"ping\nquit\nping\n")
    assert (out, status) == (b"PONG\n", 0)


def passwords():
    with harness.Redis("--requirepass", "se cret") as server:
        assert run(CLI, server, "-a", "se cret", "PING")[0] == b"PONG\n"
        assert run(CLI, server, "--user", "default", "-a", "se cret", "PING")[0] == b"PONG\n"
        for name in ("KVSTASHCLI_AUTH", "REDISCLI_AUTH"):
            assert run(CLI, server, "PING", env={name: "se cret"})[0] == b"PONG\n"
        out, error, _ = run(CLI, server, "-a", "wrong", "PING")
        assert b"WRONGPASS" in error and out.startswith(b"NOAUTH")
        assert run(CLI, server, "-3", "-a", "se cret", "PING")[0] == b"PONG\n"
        server.command("AUTH", "se cret")


def read_until(fd, text):
    got = b""
    while text not in got:
        ready, _, _ = select.select([fd], [], [], RUN_S)
        assert ready, "no %r in %r" % (text, got)
        more = os.read(fd, 65536)
        assert more, "the end instead of %r behind %r" % (text, got)
        got += more
    return got


def prompt(server):
    """On a terminal: a prompt with the database, typed replies, a connection that comes back."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(CLI, [CLI, "-p", str(server.port)])
    name = b"127.0.0.1:%d" % server.port
    read_until(fd, name + b"> ")
    os.write(fd, b"set t 1\n")
    assert b"OK" in read_until(fd, name + b"> ")
    os.write(fd, b"select 2\n")
    read_until(fd, name + b"[2]> ")
    os.write(fd, b"incr t\n")
    assert b"(integer) 1" in read_until(fd, b"[2]> ")
    server.command("CLIENT", "KILL", "TYPE", "normal")
    os.write(fd, b"incr t\n")
    read_until(fd, b"not connected> ")
    os.write(fd, b"incr t\n")
    assert b"(integer) 2" in read_until(fd, b"[2]> ")
    os.write(fd, b"help\n")
    assert b"COMMAND DOCS" in read_until(fd, b"[2]> ")
    os.write(fd, b"quit\n")
    harness.wait_for("its end", lambda: harness.is_gone(pid))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)


def messages(server):
    """SUBSCRIBE shows what comes till it is ended."""
    for options in ([], ["-3"]):
        cli = subprocess.Popen([CLI, "-p", str(server.port), "--no-raw"] + options + ["SUBSCRIBE", "news"],
                               stdout=subprocess.PIPE)
        read_until(cli.stdout.fileno(), b"3) (integer) 1\n")
        server.command("PUBLISH", "news", "hello")
        assert read_until(cli.stdout.fileno(), b'"hello"\n') == b'1) "message"\n2) "news"\n3) "hello"\n'
        cli.terminate()
        cli.wait(RUN_S)
        cli.stdout.close()


def monitor(server):
    cli = subprocess.Popen([CLI, "-p", str(server.port), "--no-raw", "MONITOR"], stdout=subprocess.PIPE)
    assert read_until(cli.stdout.fileno(), b"\n") == b"OK\n"
    server.command("SET", "watched", "1")
    read_until(cli.stdout.fileno(), b'"SET" "watched" "1"')
    cli.terminate()
    cli.wait(RUN_S)
    cli.stdout.close()


def speaks_to_kvstash():
    with harness.Kvstash(workers=2) as server:
        for args in (["SET", "a", "1"], ["GET", "a"], ["--no-raw", "HSET", "h", "f", "v"], ["-3", "--no-raw", "HGETALL", "h"],
                     ["COMMAND", "COUNT"], ["--no-raw", "NOSUCH", "x"], ["-e", "NOSUCH"], ["-n", "3", "DBSIZE"]):
            same(server, *args, before=["FLUSHALL"])
        assert run(CLI, server, stdin=b"set a 1\nset b 2\nmget a b\n")[0] == b"OK\nOK\n1\n2\n"


def main():
    with harness.Redis() as server:
        formats_equal_redis_cli(server)
        options_equal_redis_cli(server)
        lines_equal_redis_cli(server)
        json_is_json(server)
        mistakes_are_told(server)
        prompt(server)
        messages(server)
        monitor(server)
    passwords()
    speaks_to_kvstash()


harness.run(main)
