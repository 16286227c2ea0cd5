#!/usr/bin/python3
"""kvstash-cli check: what redis-server wrote is whole; what is torn, damaged, missing or changed is told with its place and
status; --fix makes whole what can be made so, keeps what it cuts, and touches nothing else; redis-check-aof agrees."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

CLI = os.path.join(os.path.dirname(harness.KVSTASH), "kvstash-cli")
MANIFEST, BASE, INCREMENT = "appendonly.aof.manifest", "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"


def run(*args, stdin=""):
    return subprocess.run([CLI, "check", *args], capture_output=True, text=True, check=False, timeout=harness.REPLY_S, input=stdin)


def check(*args, status=0, stdin=""):
    done = run(*args, stdin=stdin)
    assert done.returncode == status, "%r: status %d\n%s%s" % (args, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def make_log(top):
    """A log of redis-server's, in top/appendonlydir, and an RDB beside it."""
    with harness.Redis("--appendonly", "yes") as redis, redis.connect() as c:
        c.pipeline([["SET", "k%d" % i, "v" * i] for i in range(40)] + [["RPUSH", "l", "a", "b"], ["HSET", "h", "f", "v"]])
        c.pipeline([["MULTI"], ["SET", "a", "1"], ["SET", "b", "2"], ["EXEC"]])
        assert c.command("SAVE") == "OK"
        where = c.command("CONFIG", "GET", "dir")[1].decode()
        shutil.copytree(os.path.join(where, "appendonlydir"), os.path.join(top, "log"))
        shutil.copy(os.path.join(where, "dump.rdb"), os.path.join(top, "dump.rdb"))
    return os.path.join(top, "log")


def whole(log, top):
    told = check(log, os.path.join(top, "dump.rdb"))
    assert "manifest of 2 files" in told and "44 keys" in told and "(1 transactions)" in told, told


def torn(log):
    path, right = os.path.join(log, INCREMENT), read(os.path.join(log, INCREMENT))
    for cut in range(1, 160, 3):
        write(path, right[:-cut])
        ours = run(path)
        saved = int(re.search(r"whole up to offset (\d+)|$", ours.stdout).group(1) or len(right) - cut)
        redis = subprocess.run(["redis-check-aof", path], capture_output=True, text=True, check=False, timeout=10)
        theirs = int(re.search(r"ok_up_to=(\d+)", redis.stdout).group(1))
        assert (ours.returncode, saved) == (redis.returncode, theirs), "%d bytes cut:\n%s%s" % (cut, ours.stdout, redis.stdout)
    write(path, right[:-5])
    check(os.path.join(log, MANIFEST), "--fix", status=1, stdin="n\n")
    assert read(path) == right[:-5]
    check(os.path.join(log, MANIFEST), "--fix", stdin="y\n")
    assert right.startswith(read(path)) and read(path) + read("%s.cut-at-%d" % (path, len(read(path)))) == right[:-5]
    check(os.path.join(log, MANIFEST))
    write(path, right)


def flipped(top):
    """Each byte of a small file of another server turned, in two ways: redis-check-aof agrees on what is whole."""
    path = os.path.join(top, "small.aof")
    right = (harness.encode("SELECT", "0") + b"#TS:1700000000\r\n" + harness.encode("SET", "k", "value") + harness.encode("MULTI") +
             harness.encode("SET", "a", "1") + harness.encode("EXEC") + harness.encode("DEL", "k"))
    for at in range(len(right)):
        for mask in (1, 0x10):
            wrong = right[:at] + bytes([right[at] ^ mask]) + right[at + 1:]
            write(path, wrong)
            ours = run(path)
            saved = int(re.search(r"whole up to offset (\d+)|$", ours.stdout).group(1) or len(right))
            redis = subprocess.run(["redis-check-aof", path], capture_output=True, text=True, check=False, timeout=10)
            theirs = re.search(r"ok_up_to=(\d+)", redis.stdout)
            theirs = int(theirs.group(1)) if theirs else 0
            assert ours.returncode in (0, 1), ours.stderr
            if saved < theirs and wrong[saved:theirs].startswith((b"#", b"*0")):
                saved = theirs  # it keeps a comment in front of the damage, and a command without words, which servers refuse
            assert (ours.returncode, saved) == (redis.returncode, theirs), "byte %d, mask %x:\n%s%s" % (at, mask, ours.stdout, redis.stdout)


def ours(top):
    """What kv-stash writes: whole to both programs; every byte of increment and manifest turned is found, or changes nothing."""
    with harness.Kvstash("--appendonly", "yes") as server, server.connect() as c:
        c.pipeline([["SET", "a", "1"], ["HSET", "h", "f", "v"], ["SELECT", "3"], ["MSET", "x", "1", "y", "2", "z", "3"], ["DEL", "x"]])
        where = os.path.join(server.dir, "appendonlydir")
        server.stop()
        shutil.copytree(where, os.path.join(top, "ours"))
    manifest = os.path.join(top, "ours", MANIFEST)
    assert "with checksums" in check(manifest)
    redis = subprocess.run(["redis-check-aof", manifest], capture_output=True, text=True, check=False, timeout=10)
    assert redis.returncode == 0, redis.stdout
    increment = os.path.join(top, "ours", INCREMENT)
    for path in (increment, manifest):
        right = read(path)
        for at in range(len(right)):
            write(path, right[:at] + bytes([right[at] ^ (1 + (at * 31) % 255)]) + right[at + 1:])
            done = run(manifest)
            same = path == manifest and at < 5 and done.returncode == 0
            assert done.returncode == 1 or same, "%s, byte %d:\n%s%s" % (path, at, done.stdout, done.stderr)
        write(path, right)


def damaged(log):
    path, right = os.path.join(log, INCREMENT), read(os.path.join(log, INCREMENT))
    at = right.index(b"$3\r\nSET", 1000)
    write(path, right[:at] + b"%" + right[at + 1:])
    told = check(os.path.join(log, MANIFEST), "--fix", "--yes", status=1)
    assert "offset %d: '$' expected" % at in told and "not touched" in told, told
    assert read(path) == right[:at] + b"%" + right[at + 1:]
    check(os.path.join(log, MANIFEST), "--fix", "--yes", "--lose-rest")
    assert len(read(path)) < at and right.startswith(read(path))
    write(path, right)


def missing(log):
    os.rename(os.path.join(log, BASE), os.path.join(log, "elsewhere"))
    told = check(os.path.join(log, MANIFEST), "--fix", "--yes", status=1)
    assert BASE + ": the base with number 1 is missing" in told, told
    os.rename(os.path.join(log, "elsewhere"), os.path.join(log, BASE))


def manifests(log):
    path, right = os.path.join(log, MANIFEST), read(os.path.join(log, MANIFEST))
    write(path, right.replace(b"seq 1 type i", b"seq ! type i"))
    told = check(path, "--fix", "--yes")
    assert "line 2, offset 44: seq is no whole number" in told, told
    sealed = read(path)
    assert sealed.startswith(b"#KVM ") and sealed.endswith(right) and "checksum is right" in check(path), sealed
    write(path, sealed.replace(b"type i", b"type h"))
    assert "was changed after it was written" in check(path, status=1)
    redis = subprocess.run(["redis-check-aof", path], capture_output=True, text=True, check=False, timeout=10)
    assert redis.returncode == 0, redis.stdout  # it cannot see that
    write(os.path.join(log, "appendonly.aof.5.incr.aof"), b"")
    write(path, b"x\n")
    assert "cannot be made anew" in check(path, "--fix", "--yes", status=1)
    assert read(path) == b"x\n"
    write(path, right)


def rdb(top):
    path, right = os.path.join(top, "dump.rdb"), read(os.path.join(top, "dump.rdb"))
    at = right.index(b"v" * 15) + 3
    write(path, right[:at] + b"w" + right[at + 1:])
    assert "checksum does not fit" in check(path, "--fix", "--yes", status=1)
    write(path, right[:-60])
    assert "keys before that can be saved" in check(path, "--fix", "--yes", status=1)
    assert read(path) == right[:-60]
    check(os.path.join(top, "nosuch"), status=3)
    check(top, status=3)
    check(status=2)
    check("--nosuch", status=2)


def main():
    with tempfile.TemporaryDirectory(prefix="kvstash-test-") as top:
        log = make_log(top)
        whole(log, top)
        torn(log)
        flipped(top)
        ours(top)
        damaged(log)
        missing(log)
        manifests(log)
        rdb(top)


harness.run(main)
