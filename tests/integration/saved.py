"""saved.py - what stands in an RDB file, as the real redis-check-rdb and redis-server say."""
import os
import shutil
import subprocess

import harness


def check(path):
    """redis-check-rdb must be content; returns what it prints."""
    if not shutil.which("redis-check-rdb"):
        raise harness.Skip("no redis-check-rdb here")
    done = subprocess.run(["redis-check-rdb", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.REPLY_S, check=False)
    text = done.stdout.decode("utf-8", "backslashreplace")
    assert done.returncode == 0, "redis-check-rdb of %s:\n%s" % (path, text)
    return text


def loaded(path):
    """A redis-server (to be used with `with`) that loads the file."""
    redis = harness.Redis()
    shutil.copy(path, os.path.join(redis.dir, "dump.rdb"))
    return redis


def expiries(c, databases):
    found = {}
    for db in range(databases):
        c.command("SELECT", db)
        cursor = b"0"
        while True:
            cursor, keys = c.command("SCAN", cursor, "COUNT", 1000)
            for key, when in zip(keys, c.pipeline([("PEXPIRETIME", k) for k in keys])):
                if when != -1:
                    found[db, key] = when
            if cursor == b"0":
                break
    c.command("SELECT", 0)
    return found


def same(ours, redis, databases=16):
    """Both servers must hold the same keys, values and expiries."""
    with ours.connect(timeout=60) as a, redis.connect(timeout=60) as b:
        for db in range(databases):
            sizes = [c.pipeline([("SELECT", db), ("DBSIZE",)])[1] for c in (a, b)]
            assert sizes[0] == sizes[1], "database %d has %d keys, in the file %d" % (db, sizes[0], sizes[1])
        assert a.command("DEBUG", "DIGEST") == b.command("DEBUG", "DIGEST"), "digests differ"
        ours_expire, redis_expire = expiries(a, databases), expiries(b, databases)
        assert ours_expire == redis_expire, "expiries differ: %r" % list(set(ours_expire.items()) ^ set(redis_expire.items()))[:5]


def expect(server, path):
    """The file must be good and hold what the server holds."""
    check(path)
    with loaded(path) as redis:
        same(server, redis)
