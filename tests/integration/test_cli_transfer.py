#!/usr/bin/python3
"""kvstash-cli export and import: every type goes by every format from one redis-server into another and is the same there; files of
either program are read by the other; filters, existing keys, rejects, expiries, an import that is killed and goes on."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

CLI = os.path.join(os.path.dirname(harness.KVSTASH), "kvstash-cli")
LATER = 4102444800123  # 2100
LIBRARY = "#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)"
STREAM = [["XADD", "x", "1-1", "f", "v", "g", b"\x00\xff"], ["XADD", "x", "1-2", "f", "w", "g", "2"], ["XADD", "x", "5-0", "other", "1"],
          ["XADD", "x", "6-0", "f", "1", "g", "3"], ["XDEL", "x", "1-2"], ["XGROUP", "CREATE", "x", "g1", "0"],
          ["XGROUP", "CREATE", "x", "g2", "5-0"], ["XGROUP", "CREATECONSUMER", "x", "g2", "idle"],
          ["XREADGROUP", "GROUP", "g1", "c1", "COUNT", "2", "STREAMS", "x", ">"], ["XREADGROUP", "GROUP", "g1", "c2", "STREAMS", "x", ">"],
          ["XGROUP", "CREATE", "xempty", "g", "0", "MKSTREAM"]] + [["XADD", "xbig", "%d-1" % (i + 1), "a", i, "b", "v%d" % i] for i in range(250)]
DATA = [
    ["SET", "s", "v"], ["SET", "i", "12345"], ["SET", "bin", bytes(range(256))], ["SET", "long", "x" * 200000], ["SET", "", "empty"],
    ["SET", b"key\xff\x00\"\\ \n", "v"], ["SET", "utf", "äöü€😀"], ["SET", "ttl", "1", "PXAT", LATER], ["HSET", "hx", "a", "1"],
    ["PEXPIREAT", "hx", LATER], ["RPUSH", "l", "a", b"\xff", "12", "x" * 100], ["RPUSH", "lbig"] + ["e%d" % i * (i % 30 + 1) for i in range(1000)],
    ["RPUSH", "lhuge", "y" * 100000, "z"], ["SADD", "sint"] + list(range(50)), ["SADD", "sset", "a", b"\x00\x01", "5"],
    ["SADD", "sbig"] + ["m%d" % i for i in range(600)], ["HSET", "h", "a", "1", "f", "x" * 30], ["HSET", "hbin", b"\xfe", "1", "a", b"\xff"],
    ["HSET", "hbig"] + [w for i in range(600) for w in ("f%d" % i, "v%d" % i)],
    ["ZADD", "z", "1.5", "a", "-2", "b", "1e300", "c", "inf", "d", "-inf", "e", "0.1", "f", "-0", "g"],
    ["ZADD", "zbig"] + [w for i in range(300) for w in (i * 1.1, "m%d" % i)], ["PFADD", "hll"] + list(range(1000)),
    ["SETBIT", "bits", "1000", "1"], ["FUNCTION", "LOAD", LIBRARY],
] + STREAM + [["SELECT", "3"], ["SET", "db3", "v"], ["RPUSH", "l3", "1", "2"], ["SELECT", "0"]] + [["SET", "k:%d" % i, "value-%d" % i] for i in range(500)]


def run(*args, status=0, timeout=harness.REPLY_S):
    done = subprocess.run([CLI] + [str(a) for a in args], capture_output=True, check=False, timeout=timeout)
    told = done.stderr.decode("utf-8", "backslashreplace")
    assert done.returncode == status, "%r: status %d\n%s" % (args, done.returncode, told)
    return done.stdout, told


def state_of(server):
    """All that DEBUG DIGEST sees and what it does not: expiries, groups of streams, libraries."""
    with server.connect() as c:
        groups = [c.command("XINFO", "STREAM", k, "FULL") for k in ("x", "xempty", "xbig")]
        for group in groups:
            if isinstance(group, list):
                hide_times(group)
        return (c.command("DEBUG", "DIGEST"), [c.command("PEXPIRETIME", k) for k in ("ttl", "hx", "s")], groups,
                c.command("FUNCTION", "LIST", "WITHCODE"), [c.command("SELECT", "3"), c.command("DBSIZE")])


def hide_times(reply):
    """The time a consumer was seen is not carried by commands; how streams are packed is up to who packs."""
    for i, item in enumerate(reply):
        if item in (b"seen-time", b"radix-tree-keys", b"radix-tree-nodes"):
            reply[i + 1] = None
        elif isinstance(item, list):
            hide_times(item)


def fresh(server):
    with server.connect() as c:
        c.command("FLUSHALL")
        c.command("FUNCTION", "FLUSH")


def round_trips(source, target, top):
    right = state_of(source)
    for form in ("json", "rdb", "resp", "aof"):
        path = os.path.join(top, "all." + form)
        run("-p", source.port, "export", "--format", form, path)
        manifest = os.path.join(path, "appendonly.aof.manifest") if form == "aof" else path
        run("check", manifest) if form != "json" else None
        for how in ([], ["--commands"], ["--pipeline", "3"], ["--commands", "--pipeline", "2"]):
            fresh(target)
            _, told = run("import", "-p", target.port, *how, manifest)
            assert state_of(target) == right, "%s %s:\n%s\n%s\n%s" % (form, how, told, state_of(target), right)
            assert not os.path.exists(manifest + ".import-state") and not os.path.exists(manifest + ".import-rejects"), told
            assert target.command("KEYS", "kvstash-import*") == []
    lines = [json.loads(line) for line in open(os.path.join(top, "all.json"), encoding="utf-8")]
    assert len(lines) == 1 + len({(x["db"], json.dumps(x["key"])) for x in lines if "db" in x})
    assert {x["type"] for x in lines} == {"string", "list", "set", "zset", "hash", "stream", "function"}


def between_files(source, target, top):
    """From each kind of file into each other, without a server."""
    right = state_of(source)
    for form in ("json", "rdb", "resp"):
        path = os.path.join(top, "from-json." + form)
        run("export", "--from", os.path.join(top, "all.json"), "--format", form, path)
        fresh(target)
        run("-p", target.port, "import", path)
        assert state_of(target) == right, form
    run("export", "--from", os.path.join(top, "from-json.rdb"), os.path.join(top, "again.json"))
    same = [sorted(open(os.path.join(top, name), "rb")) for name in ("all.json", "again.json")]
    assert same[0] == same[1]


def redis_reads(source, top):
    """redis-server starts with what was exported, and its own files are exported and imported."""
    right = state_of(source)
    for form, name, options in (("rdb", "dump.rdb", []), ("resp", "appendonly.aof", ["--appendonly", "yes"]),
                                ("aof", "appendonlydir", ["--appendonly", "yes"])):
        server = harness.Redis(*options)
        made = os.path.join(top, "all." + form)
        (shutil.copytree if form == "aof" else shutil.copy)(made, os.path.join(server.dir, name))
        with server:
            assert state_of(server) == right, form
            if form == "aof":
                with server.connect() as c:
                    c.pipeline([["MULTI"], ["SET", "late", "1"], ["SELECT", "2"], ["INCR", "n"], ["EXEC"]])
                log = os.path.join(server.dir, "appendonlydir", "appendonly.aof.manifest")
                with harness.Redis() as target:
                    run("-p", target.port, "import", log)
                    assert target.command("DEBUG", "DIGEST") == server.command("DEBUG", "DIGEST")
                    _, told = run("export", "--from", log, os.path.join(top, "x.json"), status=1)
                    assert "could not be exported" in told and "no JSON form" in told, told


def old_versions(target, top):
    """RDBs of Redis 1 to 7.2: by JSON, by RESTORE and by commands into redis-server 7.0 as it would load them itself."""
    for name in ("v1", "v3_zipmap_ziplists", "v7_quicklist", "v9_stream", "v10_lists", "v11_set", "v11_stream"):
        path, lines = os.path.join(harness.TOP, "tests", "fuzz", "corpus", "rdb", name), os.path.join(top, name + ".json")
        run("export", "--from", path, lines)
        digests = []
        for how, what in ((["--commands"], path), ([], lines), ([], path)):
            fresh(target)
            refused = name.startswith("v11") and what == path and not how  # RESTORE of 7.0 does not know these forms
            run("-p", target.port, "import", "--rejects", lines + ".rejects", "--state", lines + ".state", *how, what, status=int(refused))
            digests += [] if refused else [target.command("DEBUG", "DIGEST")]
        if not name.startswith("v11"):
            server = harness.Redis()
            shutil.copy(path, os.path.join(server.dir, "dump.rdb"))
            with server:
                digests.append(server.command("DEBUG", "DIGEST"))
        assert len(set(digests)) == 1 and set(digests[0]) != {"0"}, (name, digests)


def filters(source, target, top):
    path = os.path.join(top, "some.json")
    cases = [(["-m", "k:1?", "-M", "*5"], 9), (["-t", "list,zset"], 6), (["-t", "stream"], 3), (["-T", "string,stream"], 13),
             (["-n", "3"], 2), (["-N", "0"], 2), (["-n", "0,3", "-t", "list"], 4), (["-m", "nothing"], 0)]
    for flags, count in cases:
        run("-p", source.port, "export", *flags, path)
        assert len([x for x in open(path, encoding="utf-8") if '"function"' not in x]) == count, (flags, count, open(path, encoding="utf-8").read()[:2000])
        fresh(target)
        run("-p", target.port, "import", *flags, os.path.join(top, "all.rdb"))
        with target.connect() as c:
            keys = sum(c.command("SELECT", db) == "OK" and c.command("DBSIZE") for db in (0, 3))
        assert keys == count, (flags, count, keys)
    for wrong in (["-t", "strings"], ["-n", "x"], ["-n", "1,"], ["-f", "xml"]):
        run("-p", source.port, "export", *wrong, path, status=2)
    _, told = run("-p", target.port, "import", "-t", "set", os.path.join(top, "all.resp"), status=1)
    assert "cannot be told by type" in told, told
    commands(target, top)


def commands(target, top):
    """A log's commands by key and database: whole ones only, the others are rejects."""
    path = os.path.join(top, "log.aof")
    log = [["SET", "a1", "x"], ["MSET", "a2", "x", "a3", "y"], ["MSET", "a4", "x", "b1", "y"], ["MULTI"], ["SET", "a5", "x"], ["SET", "b2", "x"],
           ["SELECT", "2"], ["SET", "a6", "x"], ["EXEC"], ["SELECT", "0"], ["ZADD", "az", "1", "m"], ["ZADD", "bz", "1", "n"],
           ["ZUNIONSTORE", "az2", "1", "az"], ["ZUNIONSTORE", "az3", "2", "az", "bz"], ["XGROUP", "CREATE", "ax", "g", "0", "MKSTREAM"],
           ["FLUSHALL"], ["LPUSH", "b3", "x"]]
    with open(path, "wb") as f:
        f.write(b"".join(harness.encode(*c) for c in log))
    fresh(target)
    _, told = run("-p", target.port, "import", "-m", "a*", path, status=1)
    with target.connect() as c:
        assert sorted(c.command("KEYS", "*")) == [b"a1", b"a2", b"a3", b"a5", b"ax", b"az", b"az2"], told
        c.command("SELECT", "2")
        assert c.command("KEYS", "*") == [b"a6"], told
    with open(path + ".import-rejects", encoding="utf-8") as f:
        lines = [json.loads(line)["command"].split()[0] for line in f]
    assert lines == ["MSET", "ZUNIONSTORE", "FLUSHALL"], (lines, told)
    fresh(target)
    run("-p", target.port, "import", "-N", "2", "-M", "b*", path, status=1)
    with target.connect() as c:
        c.command("SELECT", "2")
        assert c.command("DBSIZE") == 0


def existing(target, top):
    path = os.path.join(top, "two.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"db":0,"key":"a","type":"string","value":"new"}\n{"key":"gone","type":"string","expires_ms":1,"value":"x"}\n'
                '{"key":{"base64":"/w=="},"type":"set","value":["\\u00e4\\ud83d\\ude00"]}\n')
    for how in ([], ["--commands"]):
        for flags, status, value in (([], 1, b"old"), (["--skip-existing"], 0, b"old"), (["--replace"], 0, b"new")):
            fresh(target)
            target.command("SET", "a", "old")
            _, told = run("-p", target.port, "import", *how, *flags, path, status=status)
            assert target.command("GET", "a") == value and "expired already" in told, told
            assert target.command("SMEMBERS", b"\xff") == ["ä😀".encode()] and target.command("EXISTS", "gone") == 0
            assert target.command("DBSIZE") == 2, target.command("KEYS", "*")
            if status == 1:
                with open(path + ".import-rejects", encoding="utf-8") as f:
                    assert json.loads(f.readline())["key"] == "a"
            else:
                assert not os.path.exists(path + ".import-rejects")
    run("import", "--replace", "--skip-existing", path, status=2)


def rejects(target, top):
    path = os.path.join(top, "bad.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write('{"key":"a","type":"string","value":"1"}\n{"key":"b","type":"list","value":[]}\nnonsense\n{"key":"c","type":"zset","value":'
                '[["m","x"]]}\n{"key":"d","type":"module","value":{"form":7,"rdb":{"base64":"AAAA"}}}\n{"key":"e","type":"string","value":"2"}\n')
    fresh(target)
    _, told = run("-p", target.port, "import", path, status=1)
    assert sorted(target.command("KEYS", "*")) == [b"a", b"e"], told
    with open(path + ".import-rejects", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert len(lines) == 4 and "3 cannot be read" in told and any(x.get("key") == "d" for x in lines), (told, lines)
    with target.connect() as c:
        c.command("CONFIG", "SET", "maxmemory", "1")
        _, told = run("-p", target.port, "import", os.path.join(top, "all.rdb"), status=1)
        assert "OOM" in told and "--resume" in told, told
        c.command("CONFIG", "SET", "maxmemory", "0")
    run("-p", target.port, "import", "--resume", "--replace", os.path.join(top, "all.rdb"))
    rdb = bytearray(open(os.path.join(top, "all.rdb"), "rb").read())
    rdb[len(rdb) // 2] ^= 1
    with open(os.path.join(top, "flipped.rdb"), "wb") as f:
        f.write(rdb)
    fresh(target)
    _, told = run("-p", target.port, "import", os.path.join(top, "flipped.rdb"), status=1)
    assert "flipped.rdb" in told and target.command("DBSIZE") == 0, told
    _, told = run("export", "--from", os.path.join(top, "flipped.rdb"), os.path.join(top, "saved.json"), status=1)
    assert len(open(os.path.join(top, "saved.json"), encoding="utf-8").readlines()) > 0, told


def killed(target, top):
    """An import is stopped at some place, in each of two ways, and goes on: in the end everything is there once."""
    path = os.path.join(top, "many.json")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(60000):
            f.write('{"db":%d,"key":"key:%d","type":"list","value":["a","b","%d"]}\n' % (i // 30000, i, i))
    for number, how in ((signal.SIGTERM, []), (signal.SIGKILL, []), (signal.SIGKILL, ["--commands"])):
        fresh(target)
        command = [CLI, "-p", str(target.port), "import", "--pipeline", "2", *how, path]  # slow enough to be met half-way
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            end = time.monotonic() + harness.REPLY_S
            while target.command("DBSIZE") < 2000 and time.monotonic() < end and process.poll() is None:
                pass
            process.send_signal(number)
            told = process.stderr.read().decode()
        assert process.returncode == (1 if number == signal.SIGTERM else -number), (process.returncode, told)
        before = target.command("DBSIZE")
        assert 2000 <= before < 60000, before
        _, told = run("-p", target.port, "import", "--resume", *how, path, timeout=60)
        done = int(re.search(r": (\d+) keys", told).group(1))
        with target.connect() as c:
            counts = [(c.command("SELECT", db), c.command("DBSIZE"))[1] for db in (0, 1)]
            assert counts == [30000, 30000], (counts, told)
            assert c.command("LRANGE", "key:59999", "0", "-1") == [b"a", b"b", b"59999"]
        assert done < 60000, told
    run("-p", target.port, "import", "--resume", path, status=1)  # it was finished


def main():
    with tempfile.TemporaryDirectory(prefix="kvstash-test-") as top, harness.Redis() as source, harness.Redis() as target:
        with source.connect() as c:
            for command, reply in zip(DATA, c.pipeline(DATA)):
                assert not isinstance(reply, harness.Error), (command, reply)
        round_trips(source, target, top)
        between_files(source, target, top)
        redis_reads(source, top)
        old_versions(target, top)
        filters(source, target, top)
        existing(target, top)
        rejects(target, top)
        killed(target, top)


harness.run(main)
