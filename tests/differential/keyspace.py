"""keyspace.py - compares two servers' whole keyspaces: what replies to single commands may not have shown.

All databases: the same keys; of each key type, encoding, expiry, value (listpacks in order), what DUMP gives, loaded by the
other server; walks by SCAN and HSCAN meet each element; digests are equal. Commands that the server under test does not
have are left out.
"""
import random

import harness

DATABASES = 16
GRAIN_MS = 2000


def lacks(reply):
    return isinstance(reply, harness.Error) and "unknown" in reply.text


def scan_all(c, command, key=None, count=10):
    """All elements that a walk meets."""
    cursor, found = b"0", []
    for _ in range(1000000):
        reply = c.command(command, *([key] if key is not None else []), cursor, "COUNT", count)
        cursor = reply[0]
        found += reply[1]
        if cursor == b"0":
            return found
    raise AssertionError("a walk by %s has no end" % command)


def describe(c, key):
    """What is to be equal of a key, in one round trip and a half."""
    kind, encoding, expiry, dump = c.pipeline([["TYPE", key], ["OBJECT", "ENCODING", key], ["PEXPIRETIME", key], ["DUMP", key]])
    value = c.command("GET", key) if kind == "string" else c.command("HGETALL", key) if kind == "hash" else None
    if isinstance(value, dict):
        value = [x for pair in value.items() for x in pair]
    if kind == "hash":
        walked = scan_all(c, "HSCAN", key, 100) if not lacks(c.command("HSCAN", key, 0)) else value
        pairs = sorted(zip(walked[::2], walked[1::2]))
        if encoding != b"listpack":
            value = [x for pair in sorted(zip(value[::2], value[1::2])) for x in pair]
        if sorted(set(pairs)) != sorted(zip(value[::2], value[1::2])):
            return ("HSCAN and HGETALL differ",), expiry, dump
    return (kind, encoding, value), expiry, dump


def loads_equal(c, key, dump):
    """Is the other server's dump the same value here? (The digest tells whether a key has an expiry, a dump doesn't.)"""
    if not isinstance(dump, bytes) or lacks(c.command("RESTORE", "dump check", 0, "x")):
        return True
    far = 4133980800000 if c.command("PTTL", key) > 0 else 0
    loaded = c.command("RESTORE", "dump check", far, dump, "REPLACE", "ABSTTL")
    same = c.command("DEBUG", "DIGEST-VALUE", key, "dump check")
    c.command("DEL", "dump check")
    return loaded == "OK" and (lacks(same) or same[0] == same[1])


def key_differs(a, b, key):
    (va, ta, da), (vb, tb, db) = describe(a, key), describe(b, key)
    if va != vb:
        return "key %r: kvstash %s, redis %s" % (key, repr(va)[:300], repr(vb)[:300])
    if (ta < 0) != (tb < 0) or abs(ta - tb) > GRAIN_MS:
        return "expiry of key %r: kvstash %r, redis %r" % (key, ta, tb)
    if not loads_equal(b, key, da):
        return "redis can't load kvstash's dump of key %r: %r" % (key, da[:200])
    if isinstance(da, bytes) and not loads_equal(a, key, db):
        return "kvstash can't load redis's dump of key %r: %r" % (key, db[:200])
    return None


def database_differs(a, b, number):
    found = []
    for c in (a, b):
        c.command("SELECT", number)
    keys = [sorted(c.command("KEYS", "*")) for c in (a, b)]
    if keys[0] != keys[1]:
        return ["database %d: keys only in kvstash: %s, only in redis: %s" % (number, sorted(set(keys[0]) - set(keys[1]))[:5],
                                                                              sorted(set(keys[1]) - set(keys[0]))[:5])]
    sizes = [c.command("DBSIZE") for c in (a, b)]
    if sizes[0] != sizes[1]:
        found.append("database %d: DBSIZE %s" % (number, sizes))
    if keys[0]:
        walked = sorted(set(scan_all(a, "SCAN", count=random.choice([1, 3, 10, 1000]))))
        if walked != keys[0]:
            found.append("database %d: SCAN met %d keys of %d" % (number, len(walked), len(keys[0])))
    for key in keys[0]:
        if (text := key_differs(a, b, key)):
            found.append("database %d, %s" % (number, text))
    return found


def differences(ours, theirs):
    """Texts, one per difference; empty: the keyspaces are equal."""
    found = []
    with ours.connect() as a, theirs.connect() as b:
        for number in range(DATABASES):
            found += database_differs(a, b, number)
        digests = [c.command("DEBUG", "DIGEST") for c in (a, b)]
        if not lacks(digests[0]) and digests[0] != digests[1]:
            found.append("DEBUG DIGEST: %s" % digests)
        for c in (a, b):
            c.end()  # the next command may be CLIENT LIST
    return found
