#!/usr/bin/python3
"""PING, ECHO, SELECT, HELLO, TIME and QUIT against redis-server 7.0.15, with all that can be wrong about them, in RESP2 and
RESP3; and what HELLO leaves behind."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

LINES = [["PING"], ["PING", "a"], ["ping", "a", "b"], ["ECHO", "a\0b"], ["ECHO"], ["ECHO", "a", "b"], ["TIME", "x"],
         ["SELECT", "0"], ["SELECT", "15"], ["SELECT", "16"], ["SELECT", "-1"], ["SELECT", "x"], ["SELECT", "1.0"],
         ["SELECT", " 1"], ["SELECT", "2147483647"], ["SELECT", "2147483648"], ["SELECT", "-2147483649"],
         ["SELECT", "9" * 30], ["SELECT"], ["QUIT", "a", "b"]]

HELLOS = [[], ["1"], ["4"], ["x"], ["03"], [" 3"], ["9" * 30], ["-3"], ["2"], ["3"], ["3", "x"], ["2", "a\r\nb"],
          ["2", "a\0b"], ["2", "x" * 5000], ["3", "AUTH"], ["3", "AUTH", "a"], ["3", "AUTH", "default", "anything"],
          ["3", "auth", "nosuch", "x"], ["3", "AUTH", "defaul", "x"], ["3", "AUTH", "default", "x", "y"],
          ["3", "SETNAME", "ab"], ["3", "SETNAME", "a b"], ["3", "SETNAME", "\xe4"], ["3", "SETNAME"], ["3", "setname", ""],
          ["3", "SETNAME", "q", "AUTH", "default", "p"], ["3", "SETNAME", "q", "AUTH", "nosuch", "p"],
          ["2", "SETNAME", "a", "SETNAME", "b"], ["3", "SETNAME", "a", "x"], ["x", "x"], ["AUTH", "default", "x"]]


def hello_is_equal(ours, redis, version, args):
    """The reply but for the client's id, then the name, the protocol and the login that it left."""
    pair = harness.Pair(ours, redis, version)
    replies = pair.both("HELLO", *args)
    for kind, value in replies:
        if kind in "*%":
            assert value[6] == ("$", "id") and value[7][0] == ":"
            value[7] = None
    assert replies[0] == replies[1], "%r:\n%r\nredis: %r" % (args, replies[0], replies[1])
    pair.same("CLIENT", "GETNAME")
    fields = [dict(f.split("=", 1) for f in line[1].split()) for line in pair.both("CLIENT", "INFO")]
    for name in ("name", "resp", "user", "cmd"):
        assert fields[0][name] == fields[1][name], (args, name, fields)


def databases_are_apart(server):
    with server.connect() as c:
        assert c.pipeline([["SET", "k", "0"], ["SELECT", "3"], ["GET", "k"], ["SET", "k", "3"], ["SELECT", "16"], ["GET", "k"],
                           ["SELECT", "0"], ["GET", "k"]]) == ["OK", "OK", None, "OK", harness.Error("ERR DB index is out of range"), b"3", "OK", b"0"]


def before_login_is_equal(ours, redis, version):
    """What a client may do that has not yet said the password, command by command and HELLO by HELLO."""
    names = sorted(n.decode() for n in login(ours).command("COMMAND", "LIST"))
    arities = dict(zip(names, (info[1] for info in login(ours).command("COMMAND", "INFO", *names))))
    pair = harness.Pair(ours, redis, None)
    for name in names:
        words = name.split("|")
        if name not in ("auth", "quit", "hello"):
            pair.same(*words, *["x"] * (abs(arities[name]) - len(words)))
    for line in (["nosuch", "a"], ["GET"], ["CONFIG", "nosuch"], ["PING", "a", "b"], ["ECHO"]):
        pair.same(*line)
    for args in ([], [version], ["x"], ["4"], [version, "AUTH", "default", "wrong"], [version, "AUTH", "x", "secret"],
                 [version, "SETNAME", "q"], [version, "x"], [version, "SETNAME", "q", "AUTH", "default", "wrong"],
                 [version, "AUTH", "default", "secret", "x"]):
        pair = harness.Pair(ours, redis, None)
        pair.same("HELLO", *args)
        pair.same("CLIENT", "GETNAME")
    pair = harness.Pair(ours, redis, None)
    for reply in pair.both("HELLO", version, "AUTH", "default", "secret", "SETNAME", "q"):
        assert reply[0] in "*%"
    pair.same("CLIENT", "GETNAME")


def login(server):
    c = server.connect()
    assert c.command("AUTH", "secret") == "OK"
    return c


def main():
    with harness.Kvstash(workers=1) as ours, harness.Redis() as redis:
        for version in (2, 3):
            for line in LINES:
                harness.Pair(ours, redis, version).same(*line)
            for args in HELLOS:
                hello_is_equal(ours, redis, version, args)
        databases_are_apart(ours)
        with ours.connect() as c:
            seconds, micros = c.command("TIME")
            assert abs(int(seconds) - harness.time.time()) < 5 and 0 <= int(micros) < 1000000
            c.send_raw(b"QUIT\r\nPING\r\n")
            assert c.read_to_end() == b"+OK\r\n"
    password = ["--requirepass", "secret", "--enable-debug-command", "yes"]
    with harness.Kvstash(*password, workers=1, check=False) as ours, harness.Redis("--requirepass", "secret") as redis:
        for version in (2, 3):
            before_login_is_equal(ours, redis, version)


harness.run(main)
