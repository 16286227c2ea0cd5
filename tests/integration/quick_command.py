#!/usr/bin/python3
"""The command table against redis-server 7.0.15: for every command that kv-stash has, COMMAND INFO and COMMAND DOCS in
RESP2 and RESP3 (facts, shapes and order; sentences are our own and must not be Redis's), COMMAND LIST and GETKEYS, HELP's
layout, and the errors for wrong numbers of arguments and unknown subcommands."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

OWN = "in our own words"


def pairs(value):
    """The members of a map, which in RESP2 is a list of names and values in turn."""
    return list(zip(value[1][::2], value[1][1::2]))


# ---- COMMAND INFO

def plain_info(info, names):
    """An entry of COMMAND INFO without its sentences, its subcommands those of names, sorted."""
    kind, items = info
    specs = items[8]
    specs = (specs[0], [(s[0], [(n, ("$", OWN) if n[1] == "notes" else v) for n, v in pairs(s)]) for s in specs[1]])
    subs = items[9]
    subs = (subs[0], sorted((plain_info(s, names) for s in subs[1] if s[1][0][1] in names), key=lambda s: s[1][0][1]))
    return kind, items[:8] + [specs, subs]


def info_is_equal(pair, names):
    ours, redis = pair.both("COMMAND", "INFO", *sorted(names))
    for a, b in zip(ours[1], redis[1]):
        a, b = plain_info(a, names), plain_info(b, names)
        assert a == b, "%.2000r\nredis: %.2000r" % (a, b)
    pair.same("COMMAND", "INFO", "nosuch", "config|", "|", "get|x", "|get", "", "config|get|x")
    everything, _ = pair.both("COMMAND")
    assert everything[0] == "*" and {i[1][0][1] for i in everything[1]} == {n for n in names if "|" not in n}
    assert pair.both("COMMAND", "INFO")[0] == everything
    assert pair.both("COMMAND", "COUNT")[0] == (":", str(len(everything[1])))


# ---- COMMAND DOCS

def plain_doc(doc, names):
    """A map of COMMAND DOCS without its sentences, its subcommands those of names, sorted."""
    members = []
    for name, value in pairs(doc):
        if name[1] in ("summary", "replaced_by"):
            value = OWN
        elif name[1] == "complexity" and not re.fullmatch(r"O\([^ )]*\)", value[1]):
            value = OWN
        elif name[1] == "history":
            value = (value[0], [(kind, [entry[0], OWN]) for kind, entry in value[1]])
        elif name[1] == "subcommands":
            subs = sorted((n, plain_doc(d, names)) for n, d in pairs(value) if n[1] in names)
            value = (value[0], subs)
        members.append((name, value))
    return doc[0], members


def sentences(doc):
    """All that COMMAND DOCS says in prose, of at least three words."""
    for name, value in pairs(doc):
        said = [value[1]] if name[1] in ("summary", "complexity") else []
        if name[1] == "history":
            said = [entry[1][1][1] for entry in value[1]]
        yield from (s for s in said if s.count(" ") > 1)


def docs_are_equal(pair, names):
    ours, redis = pair.both("COMMAND", "DOCS", *sorted(names))
    assert ours[0] == redis[0]
    for (name, a), (other, b) in zip(pairs(ours), pairs(redis)):
        assert name == other
        assert not set(sentences(a)) & set(sentences(b)), "Redis's sentence: %r" % (set(sentences(a)) & set(sentences(b)))
        a, b = plain_doc(a, names), plain_doc(b, names)
        assert a == b, "%r\n%.2000r\nredis: %.2000r" % (name, a, b)
    pair.same("COMMAND", "DOCS", "nosuch")
    twice, _ = pair.both("COMMAND", "DOCS", "GET", "get", "x", "config|GET")
    assert [n[1] for n, _ in pairs(twice)] == ["get", "get", "config|get"]
    everything, redis = pair.both("COMMAND", "DOCS")
    assert everything[0] == redis[0] and {n[1] for n, _ in pairs(everything)} == {n for n in names if "|" not in n}


# ---- COMMAND LIST

def list_is_equal(pair, names):
    def listed(*words):
        ours, redis = pair.both("COMMAND", "LIST", *words)
        assert ours[0] == redis[0] == "*"
        assert set(ours[1]) == {n for n in redis[1] if n[1] in names}, words
        assert len(set(ours[1])) == len(ours[1])
        return ours[1]
    assert {n[1] for n in listed()} == names
    for category in ("string", "WRITE", "read", "dangerous", "slow", "fast", "connection", "admin", "keyspace", "nosuch", ""):
        listed("FILTERBY", "ACLCAT", category)
    for pattern in ("*get*", "CONFIG*", "[a-c]*", "*|*", "", "h?et", "\\get"):
        listed("filterby", "pattern", pattern)
    listed("FILTERBY", "MODULE", "x")
    for words in (["x"], ["FILTERBY"], ["FILTERBY", "PATTERN"], ["FILTERBY", "X", "y"], ["FILTERBY", "PATTERN", "a", "b"]):
        pair.same("COMMAND", "LIST", *words)


# ---- COMMAND GETKEYS

GETKEYS = """get k
set k v
set k v get
set k v nx GET
set k v ex get
get
mget a b c
mset a 1 b
mset a 1 b 2
lcs a b
lcs a
bitop and d a b
bitop and d a
bitop and d
bitfield k
bitfield k get u8 0
bitfield k get u8 0 get u8
bitfield k get u8 0 set u8 0 1
bitfield k overflow wrap get u8 0
bitfield k overflow wrap
bitfield k overflow
bitfield k get u8 0 overflow sat set u8 0 1
bitfield k get
bitfield k incrby u8 0 1
bitfield k x get u8 0
bitfield k get u8 0 get u16 8
bitfield_ro k get u8 0
copy a b
copy a b replace
rename a b
object encoding k
object help
object nosuch k
object
config get x
config x
memory usage k
memory usage k samples 5
del a b c a
ping
ping a b
nosuch a
GETEX k persist
hset h f v
hscan h 0
scan 0
restore k 0 v
client kill x""".split("\n")


def getkeys_is_equal(pair, names):
    for line in GETKEYS:
        words = line.split()
        if words[0].lower() not in names:
            continue  # not there yet
        if len(words) > 1 and words[0] + "|" + words[1] not in names and words[0] in ("memory", "object"):
            continue
        pair.same("COMMAND", "GETKEYS", *words)
        pair.same("COMMAND", "GETKEYSANDFLAGS", *words)


# ---- errors

def arity_errors_are_equal(pair, names):
    infos, _ = pair.both("COMMAND", "INFO", *sorted(names))
    for info in infos[1]:
        name, arity = info[1][0][1], int(info[1][1][1])
        words = name.upper().split("|")
        if abs(arity) > len(words):
            pair.same(*words, *["x"] * (abs(arity) - 1 - len(words)))
        if arity > 0:
            pair.same(*words, *["x"] * (arity + 1 - len(words)))


def unknown_words_are_equal(pair, names):
    for container in {n.split("|")[0] for n in names if "|" in n}:
        if container != "command":
            pair.same(container)
        for sub in ("nosuch", "NoSuch\r\nx", "s" * 200, "with\0nul", ""):
            pair.same(container.title(), sub, "x")
    for line in (["nosuch"], ["nosuch", "a", "b c"], ["n" * 200, "a"], ["n", "a" * 100, "b" * 100, "c"], ["n\0x", "a\0b", "c"],
                 ["n", *"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"], ["", ""], ["n\r\n", "\r\n"], ["get|x", "a"],
                 ["config|get", "a"], ["n", "a" * 128, "b"], ["n", "a" * 127, "b"], ["n", "a" * 125, "b"]):
        pair.same(*line)


# ---- HELP

def help_is_laid_out(pair, names):
    for container in sorted({n.split("|")[0] for n in names if "|" in n}):
        ours, redis = pair.both(container, "HELP")
        assert ours[0] == redis[0] and {kind for kind, _ in ours[1]} == {"+"}
        lines, theirs = [text for _, text in ours[1]], [text for _, text in redis[1]]
        assert lines[0] == theirs[0] and lines[-2] == theirs[-2] == "HELP"
        subs = {n.split("|")[1].upper() for n in names if n.startswith(container + "|")}
        assert {line.split()[0] for line in lines[1::2]} == subs | ({"(no"} if container == "command" else set())
        assert all(re.fullmatch("    [A-Z].*[A-Za-z0-9]\\.", line) for line in lines[2::2])
        assert not set(lines[2::2]) & set(theirs), "Redis's sentences"


def main():
    with harness.Kvstash(workers=1) as ours, harness.Redis() as redis:
        names = {n.decode() for n in ours.command("COMMAND", "LIST")}
        assert len(names) > 50
        for version in (2, 3):
            pair = harness.Pair(ours, redis, version)
            for check in (info_is_equal, docs_are_equal, list_is_equal, getkeys_is_equal, arity_errors_are_equal,
                          unknown_words_are_equal, help_is_laid_out):
                check(pair, names)


harness.run(main)
