"""values_pair.py - the same commands to kv-stash and to redis-server, and every reply compared byte for byte.

A script is text, a command a line, its arguments quoted as in redis-cli ("\\x00", 'as it is'). A line may begin with a mark:

    ~  the reply's elements come in any order (hashes beyond a listpack, KEYS)
    ?  sent to both, replies not compared (random choice, clocks)
    %  as ?, but the replies must have the same shape: types and counts

`{a*100}` in an argument is 'a' a hundred times. TTL and OBJECT IDLETIME may differ by one, as the two are not asked in the
same moment. Each script runs under RESP2 and RESP3, in empty databases.
"""
import re

REPEAT = re.compile(rb"\{(.)\*(\d+)\}", re.S)
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
SHOWN = 300


def split(line):
    """The arguments of a line."""
    data, args, i = line.encode("utf-8", "surrogateescape"), [], 0
    while i < len(data):
        if data[i:i + 1] == b" ":
            i += 1
            continue
        word, quote = bytearray(), data[i:i + 1] if data[i:i + 1] in (b'"', b"'") else b""
        i += len(quote)
        while i < len(data) and data[i:i + 1] != (quote or b" "):
            if quote == b'"' and data[i:i + 1] == b"\\":
                if data[i + 1:i + 2] == b"x":
                    word += bytes.fromhex(data[i + 2:i + 4].decode())
                    i += 4
                else:
                    word += ESCAPES.get(data[i + 1:i + 2], data[i + 1:i + 2])
                    i += 2
                continue
            word += data[i:i + 1]
            i += 1
        i += len(quote)
        args.append(REPEAT.sub(lambda m: m.group(1) * int(m.group(2)), bytes(word)))
    return args


def elements(raw):
    """The type line of a reply, and its direct elements' bytes."""
    def end(at):
        stop = raw.index(b"\r\n", at) + 2
        kind, rest = raw[at:at + 1], raw[at + 1:stop - 2]
        if kind in b"$=" and int(rest) >= 0:
            return stop + int(rest) + 2
        if kind in b"*~>%":
            for _ in range(max(int(rest), 0) * (2 if kind == b"%" else 1)):
                stop = end(stop)
        return stop
    at = raw.index(b"\r\n") + 2
    head, parts = raw[:at], []
    while at < len(raw):
        stop = end(at)
        parts.append(raw[at:stop])
        at = stop
    return head, parts


def unordered(raw):
    """A reply without the order of its elements; SCAN's array and a map's pairs too."""
    if raw[:1] not in b"*~%":
        return raw
    head, parts = elements(raw)
    if raw[:1] == b"%":
        parts = [a + b for a, b in zip(parts[::2], parts[1::2])]
    return head, sorted(map(repr, map(unordered, parts)))


def almost(a, b):
    """Two integers that may lie on both sides of a second's end."""
    return a[:1] == b":" == b[:1] and abs(int(a[1:]) - int(b[1:])) <= 1


def shape(raw):
    if raw[:1] not in b"*~%":
        return raw[:1]
    head, parts = elements(raw)
    return head, [shape(p) for p in parts]


class Pair:
    """A connection to each server."""

    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.compared = 0
        self.failures = []

    def both(self, *args):
        for c in (self.ours, self.theirs):
            c.send(*args)
        return self.ours.read_raw(), self.theirs.read_raw()

    def reset(self, version):
        for args in (["HELLO", version], ["SELECT", 0], ["FLUSHALL"]):
            self.both(*args)

    def line(self, line, title=""):
        mark = line[0] if line[0] in "~?%" else ""
        ours, theirs = self.both(*split(line[len(mark):]))
        if mark == "?":
            return
        self.compared += 1
        same = {"": lambda a: a, "~": unordered, "%": shape}[mark]
        clocked = split(line)[0] in (b"TTL", b"OBJECT")
        if same(ours) != same(theirs) and not (clocked and almost(ours, theirs)):
            self.failures.append("%s %s\n    redis    %r\n    kv-stash %r" % (title, line[:SHOWN], theirs[:SHOWN], ours[:SHOWN]))

    def script(self, title, text, versions=(2, 3)):
        for version in versions:
            self.reset(version)
            for line in text.strip().split("\n"):
                if line.strip():
                    self.line(line.strip(), "[%s, RESP%d]" % (title, version))

    def finish(self):
        assert not self.failures, "%d of %d replies differ\n%s" % (len(self.failures), self.compared, "\n".join(self.failures[:60]))
        print("%d replies equal" % self.compared)
