"""cases.py - the fixed sequences of cases.txt: a table of what once differed, and of what chance does not make.

Format: one command a line, words as in redis-cli (quotes, \\xHH). A line that begins with '#' is a remark, an empty line ends
a sequence; each sequence begins with empty servers and a new connection. "!raw WORD" sends the word's bytes as they are and
compares all that comes until the server closes. "!repeat N COMMAND" sends a command N times.
"""
import os
import re

import compare

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.txt")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
WORD = re.compile(rb'\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))', re.S)


def unescape(m):
    s = m.group(1)
    return bytes([int(s[1:], 16)]) if len(s) == 3 else ESCAPES.get(s, s)


def words_of(line):
    out = []
    for m in WORD.finditer(line.strip()):
        out.append(re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", unescape, m.group(1), flags=re.S) if m.group(1) is not None else m.group(2))
    return out


def line_of(argv):
    """A command as a line of the file."""
    out = []
    for a in argv:
        if a and all(33 <= ch < 127 and ch not in b'"\\#!' for ch in a):
            out.append(a.decode())
        else:
            out.append('"%s"' % "".join(chr(ch) if 32 <= ch < 127 and ch not in b'"\\' else "\\x%02x" % ch for ch in a))
    return " ".join(out)


def sequences():
    """Lists of (line number, words)."""
    out, part = [], []
    with open(FILE, "rb") as f:
        for number, line in enumerate(f, 1):
            if not line.strip():
                out.append(part)
                part = []
            elif not line.startswith(b"#"):
                part.append((number, words_of(line)))
    return [p for p in out + [part] if p]


def raw_reply(server, data, greeting):
    """Everything the server says to these bytes; our side is closed after them."""
    with server.connect() as c:
        if greeting:
            c.command("HELLO", "3")
        c.send_raw(data)
        c.sock.shutdown(1)
        return c.read_to_end()


def difference(connections, servers, words, resp, ctx):
    """None, or what the servers answered."""
    if words[0] == b"!raw":
        ours, theirs = (raw_reply(s, words[1], resp == 3) for s in servers)
        return None if ours == theirs else (ours, theirs)
    times, argv = (int(words[1]), words[2:]) if words[0] == b"!repeat" else (1, words)
    for _ in range(times):
        for c in connections:
            c.send(*argv)
        ours, theirs = (c.read_raw() for c in connections)
        if ours != theirs and not compare.equal(argv, ours, theirs, ctx):
            return ours, theirs
        if argv[:2] == [b"OBJECT", b"ENCODING"]:
            ctx["encoding"] = ours.split(b"\r\n")[1] if ours[:1] == b"$" and ours[1:2] != b"-" else None
    return None


def run(ours, theirs, resp):
    """Runs all sequences; the numbers of the lines that differ, which are printed."""
    bad = []
    for sequence in sequences():
        connections = [s.connect() for s in (ours, theirs)]
        for c in connections:
            c.pipeline([["FLUSHALL"], ["CONFIG", "SET", "hash-max-listpack-entries", "512"]] + ([["HELLO", "3"]] if resp == 3 else []))
        ctx = {"known": set()}
        for number, words in sequence:
            try:
                found = difference(connections, (ours, theirs), words, resp, ctx)
            except EOFError:
                found = (b"(a connection was closed)", b"")
            if found:
                bad.append(number)
                print("CASE %s:%d DIFFERS, RESP%d: %s\n  kvstash %r\n  redis   %r" % (os.path.basename(FILE), number, resp, line_of(words)[:300], found[0][:600],
                                                                                   found[1][:600]))
                break
        for c in connections:
            c.close()
    return bad
