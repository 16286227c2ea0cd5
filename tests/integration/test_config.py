#!/usr/bin/python3
"""Configuration as a whole: every parameter against redis-server, files, environment and command line, reload, rewrite, daemon,
and every refusal to start: one message that says what to do, status 1, nothing left behind."""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

# what differs on purpose: where it is, what it is called, what only one of them can change while it runs
OWN_VALUE = {"port", "dir", "bind", "pidfile", "unixsocket", "logfile", "daemonize", "jemalloc-bg-thread"}
OWN_SET = {"port", "bind", "tls-port", "requirepass", "activedefrag", "maxclients"}
PROBES = ["!!bad", "999999999999999999999", "-5555555555", "", "1 2", "0", "1", "yes", "NO", "100", "1gb", "a\nb"]


def names_and_defaults(server, redis):
    ours, theirs = server.command("CONFIG", "GET", "*"), redis.command("CONFIG", "GET", "*")
    ours, theirs = dict(zip(ours[::2], ours[1::2])), dict(zip(theirs[::2], theirs[1::2]))
    assert len(theirs) == 192
    for name, value in theirs.items():
        assert name in ours, name
        assert name.decode() in OWN_VALUE or ours[name] == value, (name, ours[name], value)
    return sorted(n.decode() for n in theirs)


def every_parameter(server, redis, names):
    with server.connect() as a, redis.connect() as b:
        for name in names:
            if name in OWN_SET or name.startswith("tls-"):
                continue
            for value in PROBES:
                replies = []
                for c in (a, b):
                    c.send("CONFIG", "SET", name, value)
                    c.send("CONFIG", "GET", name)
                    replies.append((c.read_raw(), c.read_raw()))
                if name not in OWN_VALUE:
                    assert replies[0] == replies[1], "%s %r: kvstash %r, redis-server %r" % (name, value, *replies)


def values_take_effect():
    with harness.Kvstash("--maxclients", "5", "--hash-max-listpack-entries", "2", workers=1) as server:
        with server.connect() as c:
            c.command("HSET", "h", "a", 1, "b", 2)
            assert c.command("OBJECT", "ENCODING", "h") == b"listpack"
            c.command("HSET", "h", "c", 3)
            assert c.command("OBJECT", "ENCODING", "h") == b"hashtable"
            assert c.command("CONFIG", "SET", "hash-max-ziplist-value", "3") == "OK"
            c.command("HSET", "g", "a", "1234")
            assert c.command("OBJECT", "ENCODING", "g") == b"hashtable"
            more = [server.connect() for _ in range(4)]
            assert all(m.command("PING") == "PONG" for m in more)
            with server.connect() as sixth:
                assert sixth.read().text == "ERR max number of clients reached"
            assert c.command("CONFIG", "SET", "maxclients", "20") == "OK"
            more.append(server.connect())
            assert more[-1].command("PING") == "PONG"
            reply = c.command("CONFIG", "SET", "maxclients", "4000000000")
            assert "not able to handle the specified number of clients, try with" in reply.text, reply
            for m in more:
                m.close()


# ---- files -------------------------------------------------------------------------------------------------------------------


def tested(*arguments, environment=None):
    """The end of kvstash -t: status and message."""
    done = subprocess.run([harness.KVSTASH, "-t", *arguments], timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=dict(os.environ, **(environment or {})), check=False)
    return done.returncode, done.stdout.decode()


def mistakes(directory):
    path = os.path.join(directory, "bad.conf")
    for text, expected in [
            ("server: {\n  port = 99999;\n};\n", ["bad.conf:2", "port is '99999'", "0 to 65535"]),
            ("server: {\n  port = ;\n};\n", ["bad.conf:2", "syntax error"]),
            ("server: {\n\n  foo = 1;\n};\n", ["bad.conf:3", "no parameter 'foo'"]),
            ("storage: {\n  port = 1;\n};\n", ["bad.conf:2", "'storage'", "'server'"]),
            ("port = 1;\n", ["bad.conf:1", "belongs to 'server'"]),
            ("observability: {\n  loglevel = \"loud\";\n};\n", ["bad.conf:2", "'loud'", "debug, verbose, notice, warning"]),
            ("storage: { maxmemory = [1, 2]; };\n", ["bad.conf:1", "2 values"]),
            ("storage: { shards = 3; };\n", ["shards is 3", "power of two"]),
            ("server: { port = 0; };\n", ["port is 0", "unixsocket"]),
            ("server: { requirepass = \"%s\"; };\n" % ("s" * 2000), ["(hidden)", "1023"]),
            ("server: {", ["bad.conf:1", "syntax error"]),
    ]:
        with open(path, "w") as f:
            f.write(text)
        status, said = tested(path)
        assert status == 1 and all(e in said for e in expected) and said.count("\n") == 1, (text, said)
    with open(path, "wb") as f:
        f.write(b"server: {\0};")
    assert tested(path)[0] == 1
    for arguments, expected in [
            (["/nonexistent/file"], "cannot read /nonexistent/file"), (["--port", "x"], "--port"), (["--nosuch"], "unknown option"),
            (["-p"], "needs a value"), (["a", "b"], "two configuration files"), (["--client-output-buffer-limit", "normal", "1"], "Wrong number"),
            ([path, "--redis-conf", path], "two configuration files"), (["-z"], "unknown option -z")]:
        status, said = tested(*arguments)
        assert status == 1 and expected in said, (arguments, said)


def order_of_sources(directory):
    path, redis_path = os.path.join(directory, "order.conf"), os.path.join(directory, "redis.conf")
    with open(path, "w") as f:
        f.write('server: { timeout = 1; tcp-keepalive = 1; hz = 11; };\nlimits: { client-output-buffer-limit = { normal = "1 2 3"; }; };\n'
                'persistence: { save = ["900 1", "300 10"]; appendonly = true; };\n')
    with open(redis_path, "w") as f:
        f.write('# comment\nsave 900 1\nsave 300 10\nTIMEOUT 7\nrequirepass "a b\\x41"\nclient-output-buffer-limit slave 1 2 3\n')
    os.environ.update(KVSTASH_TCP_KEEPALIVE="2", KVSTASH_HZ="12", KVSTASH_TIMEOUTS="3")
    try:
        with harness.Kvstash("-c", path, "--hz=13", "--activerehashing", "no", workers=1, saves=True) as server:
            got = server.command("CONFIG", "GET", "timeout", "tcp-keepalive", "hz", "client-output-buffer-limit", "save", "appendonly")
            got = dict(zip(got[::2], got[1::2]))
            assert got == {b"timeout": b"1", b"tcp-keepalive": b"2", b"hz": b"13", b"save": b"900 1 300 10", b"appendonly": b"yes",
                           b"client-output-buffer-limit": b"normal 1 2 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60"}, got
            server.expect_logged("the environment variable KVSTASH_TIMEOUTS belongs to no parameter")
            server.expect_logged("the parameter activerehashing is kept and shown, but has no effect")
    finally:
        del os.environ["KVSTASH_TCP_KEEPALIVE"], os.environ["KVSTASH_HZ"], os.environ["KVSTASH_TIMEOUTS"]
    with harness.Kvstash("--redis-conf", redis_path, workers=1, check=False, saves=True) as server:
        with server.connect() as c:
            assert c.command("AUTH", "a bA") == "OK"
            assert c.command("CONFIG", "GET", "save")[1] == b"900 1 300 10" and c.command("CONFIG", "GET", "timeout")[1] == b"7"
    assert tested(os.path.join(harness.TOP, "kvstash.conf")) == (0, "the configuration is good\n")
    if os.access("/etc/redis/redis.conf", os.R_OK):
        assert tested("--redis-conf", "/etc/redis/redis.conf") == (0, "the configuration is good\n")
    else:
        print("skipped: no redis.conf of the system to read")


def all_values(c):
    got = c.command("CONFIG", "GET", "*")
    return dict(zip(got[::2], got[1::2]))


def rewritten(directory, redis):
    """What CONFIG REWRITE writes is what the next start reads."""
    path = os.path.join(directory, "rewrite.conf")
    with open(path, "w") as f:
        f.write("# first\ntimeout 1\n# last\n" if redis else "# first\nserver: { // second\n  timeout = 1; /* third */\n};\n")
    option = "--redis-conf" if redis else "-c"
    with harness.Kvstash(option, path, workers=2) as server:
        with server.connect() as c:
            assert c.command("CONFIG", "SET", "timeout", "5", "maxmemory", "1gb", "save", "", "notify-keyspace-events", "KEA", "maxmemory-clients",
                             "5%", "latency-tracking-info-percentiles", "1 2.5", "tls-ciphers", 'a "quoted\\ text" # no comment') == "OK"
            assert c.command("CONFIG", "REWRITE") == "OK"
            assert server.info("server")["config_file"] == os.path.realpath(path)
            before = all_values(c)
            stored = os.stat(path)
            assert c.command("CONFIG", "REWRITE") == "OK" and all_values(c) == before
        with open(path) as f:
            text = f.read()
        assert "# first" in text and ("# last" in text if redis else "// second" in text and "/* third */" in text), text
        assert stored.st_mode & 0o777 == 0o644 and os.listdir(directory).count("rewrite.conf") == 1
        connections = server.connect_all()  # each asks at once, and all are answered
        for each in connections:
            each.send("CONFIG", "REWRITE")
        assert [each.read() for each in connections] == ["OK"] * 2
    assert not [n for n in os.listdir(directory) if ".new-" in n]
    with harness.Kvstash(option, path, workers=2) as server:
        with server.connect() as c:
            after = all_values(c)
            changed = {n for n in before if before[n] != after[n]}
            assert changed <= {b"port", b"dir", b"region"}, changed
    with harness.Kvstash(workers=1) as server:
        assert server.command("CONFIG", "REWRITE").text == "ERR The server is running without a config file"


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not within %d s" % seconds
        time.sleep(0.02)


def reloaded(directory):
    path = os.path.join(directory, "reload.conf")

    def write(text):
        with open(path, "w") as f:
            f.write(text)
    write("server: { timeout = 1; tcp-keepalive = 5; databases = 4; };\n")
    with harness.Kvstash("-c", path, "--hz", "20", workers=2) as server:
        with server.connect() as c:
            assert c.command("CONFIG", "SET", "timeout", "9", "slowlog-max-len", "77") == "OK"
            write("server: { timeout = 2; hz = 30; databases = 8; };\n")
            server.process.send_signal(signal.SIGHUP)
            until(lambda: c.command("CONFIG", "GET", "timeout")[1] == b"2")
            got = dict(zip(*[iter(c.command("CONFIG", "GET", "tcp-keepalive", "hz", "databases", "slowlog-max-len"))] * 2))
            # back to its default, the command line's, unchanged till the next start, CONFIG SET's
            assert got == {b"tcp-keepalive": b"300", b"hz": b"20", b"databases": b"4", b"slowlog-max-len": b"77"}, got
            assert "databases has changed" in server.read_log() and "port has changed" not in server.read_log()
            write("server: { timeout = 3; hz = x; };\n")
            server.process.send_signal(signal.SIGHUP)
            until(lambda: "nothing is changed" in server.read_log())
            assert c.command("CONFIG", "GET", "timeout")[1] == b"2"


# ---- start and end -----------------------------------------------------------------------------------------------------------


def daemon(directory):
    data, log = os.path.join(directory, "daemon"), os.path.join(directory, "daemon.log")
    region = "/dev/shm/" + os.path.basename(directory) + "-daemon"
    port = harness.free_port()
    command = [harness.KVSTASH, "-d", "-p", str(port), "-w", "1", "--dir", data, "--region", region, "--region-size", "256mb", "--logfile", log]
    done = subprocess.run(command, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0 and done.stdout == b"", done
    with open(os.path.join(data, "kvstash.pid")) as f:
        pid = int(f.read())
    try:
        with harness.Connection(port) as c:
            assert c.command("PING") == "PONG"
        assert harness.READY in open(log).read()
        again = subprocess.run(command[:6] + ["--dir", data + "2", "--region", region + "2", "--region-size", "256mb"], timeout=20,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert again.returncode == 1 and b"in use" in again.stdout, again
        assert not os.path.exists(region + "2")
        os.rename(log, log + ".1")
        os.kill(pid, signal.SIGHUP)
        until(lambda: os.path.exists(log))
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not os.path.exists("/proc/%d" % pid))
    assert not os.path.exists(region) and not os.path.exists(os.path.join(data, "kvstash.pid"))


def refused(expected, *arguments, before=None, wrap=()):
    region = os.path.join("/dev/shm", "kvstash-refused-%d" % os.getpid())
    with tempfile.TemporaryDirectory(prefix="kvstash-test-") as data:
        command = [*wrap, harness.KVSTASH, "-w", "1", "-p", str(harness.free_port()), "--dir", data, "--region", region, "--region-size", "256mb",
                   *arguments]
        done = subprocess.run(command, timeout=30, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before,
                              check=False)
    assert done.returncode == 1 and all(e in done.stderr.decode() for e in expected) and done.stderr.count(b"\n") == 1, (arguments, done)
    assert not os.path.exists(region), "the region was left behind"


def refusals(directory):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        refused(["port %d" % s.getsockname()[1], "in use", "--port"], "--bind", "127.0.0.1", "-p", str(s.getsockname()[1]))
    refused(["no.such.host.invalid", "--bind"], "--bind", "no.such.host.invalid")
    refused(["longer than"], "--unixsocket", "/tmp/" + "x" * 200)
    refused(["cannot open the log file", "logfile"], "--logfile", "/nonexistent/log")
    refused(["region-size", "too small"], "--region-size", "1mb")
    refused(["data directory", "--dir"], "--dir", "/proc/nothing")
    refused(["descriptors", "ulimit -n"], before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
    if os.geteuid() != 0:
        print("skipped: a small /dev/shm needs root for its mount")
        return
    small = os.path.join(directory, "small")
    os.mkdir(small)
    script = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'
    can = subprocess.run(["unshare", "-m", "sh", "-c", script, small, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    if not can:
        print("skipped: a small /dev/shm needs mount namespaces")
        return
    refused(["not enough memory", "/dev/shm"], "--region", os.path.join(small, "region"), wrap=("unshare", "-m", "sh", "-c", script, small))


def own_address():
    """An address of this machine that is not loopback; None: there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return None if s.getsockname()[0].startswith("127.") else s.getsockname()[0]
        except OSError:
            return None


def protected():
    address = own_address()
    if not address:
        print("skipped: protected mode needs an address that is not loopback")
        return
    with harness.Kvstash(workers=1, check=False) as server:
        def first_words():
            with socket.create_connection((address, server.port), timeout=10) as s:
                s.sendall(b"PING\r\n")
                try:
                    return s.recv(100)
                except ConnectionResetError:
                    return b""
        assert first_words().startswith(b"-DENIED "), first_words()
        assert server.command("CONFIG", "SET", "protected-mode", "no") == "OK" and first_words() == b"+PONG\r\n"
        assert server.command("CONFIG", "SET", "protected-mode", "yes", "requirepass", "x") == "OK"
        assert first_words().startswith(b"-NOAUTH ")


def unix_socket(directory):
    path = os.path.join(directory, "socket")
    with harness.Kvstash("--unixsocket", path, "--unixsocketperm", "700", workers=2) as server:
        assert os.stat(path).st_mode & 0o777 == 0o700
        with harness.Connection(path=path) as c:
            assert c.command("PING") == "PONG" and b"flags=U" in c.command("CLIENT", "INFO")
        refused(["another server has the unix socket", "--unixsocket"], "--unixsocket", path)
        assert server.command("PING") == "PONG"
    assert not os.path.exists(path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with harness.Kvstash("--unixsocket", path, workers=1):
        pass
    with open(path, "w") as f:
        f.write("precious")
    refused(["is no socket", "--unixsocket"], "--unixsocket", path)
    with open(path) as f:
        assert f.read() == "precious"


def kept(directory):
    """region-keep: the next start goes on with the data and takes its parameters anew; another port in use loses nothing."""
    data, region = os.path.join(directory, "kept"), "/dev/shm/" + os.path.basename(directory) + "-kept"
    port = harness.free_port()

    check = [harness.KVSTASH, "--check-region", "--region", region]

    def start(*more):
        command = [harness.KVSTASH, "-d", "-p", str(port), "-w", "1", "--dir", data, "--region", region, "--region-size", "256mb", *more]
        return subprocess.run(command, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).returncode

    def end():
        with open(os.path.join(data, "kvstash.pid")) as f:
            pid = int(f.read())
        os.kill(pid, signal.SIGTERM)
        until(lambda: not os.path.exists("/proc/%d" % pid))
    try:
        assert start("--region-keep", "yes") == 0
        with harness.Connection(port) as c:
            assert c.pipeline([["SET", "a", "1"], ["CONFIG", "SET", "timeout", "77"]]) == ["OK", "OK"]
        checked = subprocess.run(check, timeout=20, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert checked.returncode == 1 and b"a server runs on the region" in checked.stdout, checked
        end()
        assert os.path.exists(region)
        checked = subprocess.run(check, timeout=20, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert checked.returncode == 0 and b": 1 keys, " in checked.stdout and b" 0 faults" in checked.stdout, checked
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen()
            assert start("--bind", "127.0.0.1") == 1 and os.path.exists(region)
        assert start("--shards", "8") == 0
        with harness.Connection(port) as c:
            assert c.command("GET", "a") == b"1"
            assert c.command("CONFIG", "GET", "timeout")[1] == b"0" and c.command("CONFIG", "GET", "shards")[1] == b"64"
        end()
        assert not os.path.exists(region)
    finally:
        if os.path.exists(region):
            os.unlink(region)


def watched():
    """The region's file loses its name: said once, and service goes on."""
    with harness.Kvstash(workers=1) as server:
        os.unlink(server.region)
        until(lambda: "was deleted by somebody" in server.read_log())
        with server.connect() as c:
            assert c.command("SET", "a", "1") == "OK"
        assert server.info("server")["region_file_gone"] == "1"
    assert server.log.count("was deleted by somebody") == 1


def scores():
    """oom-score-adj: the master's score, and that of every worker, also of a successor."""
    def score(pid):
        try:
            with open("/proc/%s/oom_score_adj" % pid) as f:
                return int(f.read())
        except (FileNotFoundError, ProcessLookupError):
            return None  # it was reaped between the list and the look

    def children(server):
        return harness.children_of(server.process.pid)

    with harness.Kvstash(workers=2) as server:
        before = score(server.process.pid)
        assert server.command("CONFIG", "SET", "oom-score-adj", "relative", "oom-score-adj-values", "0 1 50") == "OK"
        until(lambda: all(score(pid) == min(before + 50, 1000) for pid in children(server)))
        assert score(server.process.pid) == before
        os.kill(children(server)[0], signal.SIGKILL)
        until(lambda: len(children(server)) == 5 and all(score(pid) == min(before + 50, 1000) for pid in children(server)))


def few_descriptors():
    server = harness.Kvstash(workers=1)
    arguments = server.arguments
    server.arguments = lambda: ["sh", "-c", "ulimit -n 200 && exec \"$@\"", "sh"] + arguments()
    with server:
        server.expect_logged("only 200 descriptors are allowed: maxclients is")
        assert int(server.command("CONFIG", "GET", "maxclients")[1]) < 200


def main():
    with harness.Kvstash("--save", "", workers=2, check=False) as server, harness.Redis() as redis:
        names = names_and_defaults(server, redis)
        every_parameter(server, redis, names)
    values_take_effect()
    with tempfile.TemporaryDirectory(prefix="kvstash-test-") as directory:
        mistakes(directory)
        order_of_sources(directory)
        rewritten(directory, False)
        rewritten(directory, True)
        reloaded(directory)
        daemon(directory)
        refusals(directory)
        unix_socket(directory)
        kept(directory)
    protected()
    watched()
    scores()
    few_descriptors()


harness.run(main)
