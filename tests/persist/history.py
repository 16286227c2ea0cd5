"""history.py - a load whose history can be judged: what the server's state may be after any kind of death.

Connections send batches of commands, each on keys of its own, and on some that all share. What is sent is noted before, what is
answered when the answer came, with the time. From the notes follows what a connection's keys must be after its first k
commands, for every k. After a death the state is read and for each connection the one k is looked for that explains all of its
keys (History.judge). Then:

  - it is a prefix: each connection's keys show exactly its first k commands, MSETs over several shards, MULTI and all;
  - it is a prefix of the whole history: no command that is there was sent after one was answered that is not there;
  - it holds what was promised: k is at least what the caller says (all that was answered, or that was answered before some time);
  - the keys that all share (counters, accounts between which amounts go back and forth) are what these prefixes add up to.

A command answered by an error that the caller expects (History.refusals) did nothing, and must stay so. Nothing is retried.
"""
import bisect
import collections
import random
import re
import selectors
import socket
import time

import store  # noqa: F401  (finds harness)
from harness import Connection, Error, encode

DATABASES = 3
STRINGS, BRIEF, COUNTERS, GROUP, FIELDS, WIDE, SHARED, ACCOUNTS = 8, 4, 4, 5, 32, 64, 4, 6
COMMON = ["shared%d" % i for i in range(SHARED)] + ["account%d" % i for i in range(ACCOUNTS)]
WIDE_PREFILL = 2000  # fields of the hash that all share, so that it is a tree
CHECKPOINT = 200     # commands between two kept states


# What explains a connection's keys: the fewest and the most of its notes, the state after these, and the least and most that it added to each
# of the COMMON keys.
Finding = collections.namedtuple("Finding", "least most state low high")


class Broken(Exception):
    """What must not be: the text says what."""


def text_of(seq):
    return b"%d:" % seq + b"v" * (seq * 7919 % 120)


def long_text_of(seq):
    return b"%d:" % seq + b"%d" % (seq % 10) * (5000 + seq * 104729 % 60000)


class State:
    """What one connection did: its own keys, and its share of those that all change."""

    __slots__ = ("text", "expiry", "number", "fields", "wide", "tail", "shared", "account")

    def __init__(self):
        self.text, self.expiry, self.number, self.fields, self.wide = {}, {}, {}, {}, {}
        self.tail = b""
        self.shared, self.account = [0] * SHARED, [0] * ACCOUNTS

    def copy(self):
        new = State.__new__(State)
        new.text, new.expiry, new.number = dict(self.text), dict(self.expiry), dict(self.number)
        new.fields, new.wide, new.tail = dict(self.fields), dict(self.wide), self.tail
        new.shared, new.account = list(self.shared), list(self.account)
        return new


# ---- what is sent: each kind has a request (a list of commands) and an effect, which returns the last reply or None: not looked at


def set_request(p, i, seq, _):
    return [("SET", b"%bs%d" % (p, i % STRINGS), text_of(seq))]


def set_effect(s, i, seq, _):
    s.text["s%d" % (i % STRINGS)] = seq
    s.expiry.pop("s%d" % (i % STRINGS), None)
    return "OK"


def set_ttl_request(p, i, seq, now_ms):
    return [("SET", b"%bs%d" % (p, i % STRINGS), text_of(seq), "PXAT", now_ms + 3600000)]


def set_ttl_effect(s, i, seq, now_ms):
    s.text["s%d" % (i % STRINGS)] = seq
    s.expiry["s%d" % (i % STRINGS)] = now_ms + 3600000
    return "OK"


def expire_request(p, i, seq, now_ms):
    return [("PEXPIREAT", b"%bs%d" % (p, i % STRINGS), now_ms + 7200000)]


def expire_effect(s, i, seq, now_ms):
    name = "s%d" % (i % STRINGS)
    if name in s.text:
        s.expiry[name] = now_ms + 7200000
    return int(name in s.text)


def brief_request(p, i, seq, now_ms):
    return [("SET", b"%bx%d" % (p, i % BRIEF), text_of(seq), "PXAT", now_ms + 20 + i % 300)]


def brief_effect(s, i, seq, now_ms):
    s.text["x%d" % (i % BRIEF)] = seq
    s.expiry["x%d" % (i % BRIEF)] = now_ms + 20 + i % 300
    return "OK"


def unbrief_request(p, i, seq, _):
    return [("SET", b"%bx%d" % (p, i % BRIEF), text_of(seq))]


def unbrief_effect(s, i, seq, _):
    s.text["x%d" % (i % BRIEF)] = seq
    s.expiry.pop("x%d" % (i % BRIEF), None)
    return "OK"


def del_request(p, i, seq, _):
    return [("DEL", b"%bs%d" % (p, i % STRINGS))]


def del_effect(s, i, seq, _):
    s.expiry.pop("s%d" % (i % STRINGS), None)
    return int(s.text.pop("s%d" % (i % STRINGS), None) is not None)


def rename_request(p, i, seq, _):
    return [("RENAME", b"%bs%d" % (p, i % STRINGS), b"%bs%d" % (p, i // STRINGS % STRINGS))]


def rename_effect(s, i, seq, _):
    a, b = "s%d" % (i % STRINGS), "s%d" % (i // STRINGS % STRINGS)
    if a not in s.text:
        return Error("ERR no such key")
    if a != b:
        s.text[b] = s.text.pop(a)
        expiry = s.expiry.pop(a, None)
        s.expiry.pop(b, None)
        if expiry:
            s.expiry[b] = expiry
    return "OK"


def copy_request(p, i, seq, _):
    return [("COPY", b"%bs%d" % (p, i % STRINGS), b"%bs%d" % (p, i // STRINGS % STRINGS), "REPLACE")]


def copy_effect(s, i, seq, _):
    a, b = "s%d" % (i % STRINGS), "s%d" % (i // STRINGS % STRINGS)
    if a == b:
        return Error("ERR source and destination objects are the same")
    if a not in s.text:
        return 0
    s.text[b] = s.text[a]
    s.expiry.pop(b, None)
    if a in s.expiry:
        s.expiry[b] = s.expiry[a]
    return 1


def incr_request(p, i, seq, _):
    return [("INCRBY", b"%bn%d" % (p, i % COUNTERS), i % 9 - 3)]


def incr_effect(s, i, seq, _):
    s.number["n%d" % (i % COUNTERS)] = s.number.get("n%d" % (i % COUNTERS), 0) + i % 9 - 3
    return s.number["n%d" % (i % COUNTERS)]


def append_request(p, i, seq, _):
    return [("APPEND", b"%ba" % p, b"%d," % seq)] if i % 50 else [("DEL", b"%ba" % p)]


def append_effect(s, i, seq, _):
    if i % 50:
        s.tail += b"%d," % seq
        return len(s.tail)
    had, s.tail = s.tail, b""
    return int(had != b"")


def mset_request(p, i, seq, _):
    return [("MSET", *[x for k in range(GROUP) for x in (b"%bm%d" % (p, k), text_of(seq))])]


def mset_effect(s, i, seq, _):
    for k in range(GROUP):
        s.text["m%d" % k] = seq
    return "OK"


def long_request(p, i, seq, _):
    return [("SET", b"%bl" % p, long_text_of(seq))]


def long_effect(s, i, seq, _):
    s.text["l"] = seq
    return "OK"


def hset_request(p, i, seq, _):
    return [("HSET", b"%bh" % p, "f%d" % (i % FIELDS), text_of(seq))]


def hset_effect(s, i, seq, _):
    new = i % FIELDS not in s.fields
    s.fields[i % FIELDS] = seq
    return int(new)


def hdel_request(p, i, seq, _):
    return [("HDEL", b"%bh" % p, "f%d" % (i % FIELDS))]


def hdel_effect(s, i, seq, _):
    return int(s.fields.pop(i % FIELDS, None) is not None)


def wide_request(p, i, seq, _):
    return [("HSET", "wide", b"%b%d" % (p, i % WIDE), text_of(seq))]


def wide_effect(s, i, seq, _):
    new = i % WIDE not in s.wide
    s.wide[i % WIDE] = seq
    return int(new)


def wide_del_request(p, i, seq, _):
    return [("HDEL", "wide", b"%b%d" % (p, i % WIDE))]


def wide_del_effect(s, i, seq, _):
    return int(s.wide.pop(i % WIDE, None) is not None)


def multi_request(p, i, seq, _):
    return [("MULTI",), ("SET", b"%bt0" % p, text_of(seq)), ("INCR", "shared%d" % (i % SHARED)), ("HSET", b"%bh" % p, "f%d" % (i % FIELDS), text_of(seq)),
            ("SET", b"%bt1" % p, text_of(seq)), ("EXEC",)]


def multi_effect(s, i, seq, _):
    s.text["t0"] = s.text["t1"] = seq
    s.fields[i % FIELDS] = seq
    s.shared[i % SHARED] += 1


def shared_request(p, i, seq, _):
    return [("INCR", "shared%d" % (i % SHARED))]


def shared_effect(s, i, seq, _):
    s.shared[i % SHARED] += 1


def transfer_request(p, i, seq, _):
    return [("MULTI",), ("DECRBY", "account%d" % (i % ACCOUNTS), i % 100), ("INCRBY", "account%d" % (i // 7 % ACCOUNTS), i % 100), ("EXEC",)]


def transfer_effect(s, i, seq, _):
    s.account[i % ACCOUNTS] -= i % 100
    s.account[i // 7 % ACCOUNTS] += i % 100


KINDS = [  # weight, request, effect
    (20, set_request, set_effect), (8, set_ttl_request, set_ttl_effect), (6, expire_request, expire_effect), (6, brief_request, brief_effect),
    (3, unbrief_request, unbrief_effect), (8, del_request, del_effect), (6, rename_request, rename_effect), (4, copy_request, copy_effect), (12, incr_request, incr_effect),
    (8, append_request, append_effect), (10, mset_request, mset_effect), (1, long_request, long_effect), (10, hset_request, hset_effect),
    (4, hdel_request, hdel_effect), (12, wide_request, wide_effect), (4, wide_del_request, wide_del_effect), (8, multi_request, multi_effect),
    (5, shared_request, shared_effect), (8, transfer_request, transfer_effect)]
MARKING = {set_request, set_ttl_request, unbrief_request, mset_request, long_request, hset_request, wide_request, multi_request}
CLOCK_MS = 2  # redis-server judges a whole pipeline by one reading of the clock
LOOK_ON = 12  # commands of these kinds: so many that leave no trace one after the other would be a wonder
WITH_MULTI = {multi_request, transfer_request}


class Note:
    """A command that was sent."""

    __slots__ = ("kind", "i", "seq", "now_ms", "sent_ns", "answered_ns", "refused")

    def __init__(self, kind, i, seq, now_ms, sent_ns):
        self.kind, self.i, self.seq, self.now_ms, self.sent_ns = kind, i, seq, now_ms, sent_ns
        self.answered_ns, self.refused = None, False

    def request(self, prefix):
        return KINDS[self.kind][1](prefix, self.i, self.seq, self.now_ms)

    def apply(self, state):
        return None if self.refused else KINDS[self.kind][2](state, self.i, self.seq, self.now_ms)

    def __repr__(self):
        return "%s(i %d, seq %d)%s" % (KINDS[self.kind][1].__name__[:-8], self.i, self.seq, " refused" if self.refused else "")


class Client:
    """A connection: its notes, and its socket while there is one."""

    def __init__(self, number, rng):
        self.number, self.rng = number, rng
        self.prefix = b"c%d:" % number
        self.database = number % DATABASES
        self.seq = 1
        self.sock = None
        self.worker = 0
        self.doubt = [(0, 0)] * len(COMMON)  # how much less or more it may have added to what all share
        self.notes, self.kept = [], [State()]
        self.now = State()       # after all that was answered
        self.answered = 0        # notes answered
        self.pending = []        # replies to come: (note, is it the one that counts)
        self.have, self.out, self.due = bytearray(), b"", 0

    def settle(self, k, state):
        """The first k notes happened, the others did not."""
        now_ns = time.monotonic_ns()
        for note in self.notes[self.answered:k]:
            note.answered_ns = now_ns
        del self.notes[k:]
        del self.kept[k // CHECKPOINT + 1:]
        while len(self.kept) <= k // CHECKPOINT:
            self.kept.append(self.after(len(self.kept) * CHECKPOINT))
        self.now, self.answered = state, k
        self.pending, self.have, self.out = [], bytearray(), b""

    def draw(self, wheel, now_ms, now_ns):
        note = Note(wheel[self.rng.randrange(len(wheel))], self.rng.randrange(1000000), self.seq, now_ms, now_ns)
        self.seq += 1
        self.notes.append(note)
        return note

    def after(self, k):
        """The state after the first k notes. Only asked once answers have come in: refusals are known."""
        at = min(k // CHECKPOINT, len(self.kept) - 1)
        state = self.kept[at].copy()
        for note in self.notes[at * CHECKPOINT:k]:
            note.apply(state)
        return state

    def answer(self, note, reply, refusals, now_ns):
        """The reply that counts; compared with what must come."""
        note.answered_ns = now_ns
        if isinstance(reply, Error) and refusals and refusals.match(reply.text):
            note.refused = True
        else:
            expected = note.apply(self.now)
            if isinstance(reply, Error) and not isinstance(expected, Error) or expected is not None and reply != expected:
                raise Broken("client %d: %r answered %r, expected %r" % (self.number, note, reply, expected))
        self.answered += 1
        if self.answered % CHECKPOINT == 0:
            self.kept.append(self.now.copy())


class Dump:
    """What a server shows of all clients' keys."""

    def __init__(self, connection, clients):
        self.clients, self.totals = {}, {}
        for database in sorted({c.database for c in clients}):
            connection.command("SELECT", database)
            self.totals[database] = [int(x or 0) for x in connection.command(
                "MGET", *COMMON)]
            self.totals[database].append(connection.command("HLEN", "wide"))
            for c in clients:
                if c.database == database:
                    self.clients[c.number] = self.read(connection, c)

    @staticmethod
    def read(connection, c):
        names = ["s%d" % i for i in range(STRINGS)] + ["x%d" % i for i in range(BRIEF)] + ["m%d" % i for i in range(GROUP)] + ["t0", "t1", "l"]
        keys = [c.prefix + n.encode() for n in names]
        timed = [(n, k) for n, k in zip(names, keys) if n[0] in "sx"]
        replies = connection.pipeline(
            [("TIME",), ("MGET", *keys)] + [("PEXPIRETIME", k) for _, k in timed] +
            [("TIME",), ("MGET", *[b"%bn%d" % (c.prefix, i) for i in range(COUNTERS)], c.prefix + b"a"), ("HGETALL", c.prefix + b"h"),
             ("HMGET", "wide", *[b"%b%d" % (c.prefix, i) for i in range(WIDE)])])
        for r in replies:
            if isinstance(r, Error):
                raise Broken("reading the state: %s" % r.text)
        after = 2 + len(timed)
        pair = replies[after + 2]
        numbers = replies[after + 1]
        return {
            "from_ms": int(replies[0][0]) * 1000 + int(replies[0][1]) // 1000, "to_ms": int(replies[after][0]) * 1000 + int(replies[after][1]) // 1000,
            "text": dict(zip(names, replies[1])), "expiry": {n: e for (n, _), e in zip(timed, replies[2:])},
            "number": {"n%d" % i: v for i, v in enumerate(numbers[:-1])}, "tail": numbers[-1] or b"",
            "fields": dict(zip(pair[::2], pair[1::2])), "wide": {i: v for i, v in enumerate(replies[after + 3]) if v is not None}}


def seq_in(text):
    return int(text.split(b":", 1)[0])


def newest(d):
    """The highest number of a command that left its mark."""
    seqs = [seq_in(v) for v in list(d["text"].values()) + list(d["fields"].values()) + list(d["wide"].values()) if v is not None]
    if d["tail"]:
        seqs.append(int(d["tail"].rstrip(b",").rsplit(b",", 1)[-1]))
    return max(seqs, default=0)


def difference(state, d):
    """"" if a dump shows this state, else what is different first."""
    for name, value in d["text"].items():
        expected = state.text.get(name)
        expiry = state.expiry.get(name)
        if expiry is not None and expiry <= d["from_ms"] - CLOCK_MS:
            expected = None
        elif expiry is not None and expiry <= d["to_ms"] and value is None:
            continue
        if value != (None if expected is None else long_text_of(expected) if name == "l" else text_of(expected)):
            return "%s is %.40r, expected %s" % (name, value, expected)
        if value is not None and name in d["expiry"] and d["expiry"][name] != (expiry or -1) and not (expiry and expiry <= d["to_ms"] and d["expiry"][name] == -2):
            return "%s expires %s, expected %s" % (name, d["expiry"][name], expiry)
    for name, value in d["number"].items():
        if (None if value is None else int(value)) != state.number.get(name):
            return "%s is %s, expected %s" % (name, value, state.number.get(name))
    if d["tail"] != state.tail:
        return "a is %.60r, expected %.60r" % (d["tail"][-60:], state.tail[-60:])
    if d["fields"] != {b"f%d" % f: text_of(s) for f, s in state.fields.items()}:
        return "h differs"
    if d["wide"] != {f: text_of(s) for f, s in state.wide.items()}:
        return "wide differs"
    return ""


class History:
    """Clients, the load that they make, and the judgement."""

    def __init__(self, clients, seed, depth=8, pause_s=0.0, first=0):
        rng = random.Random(seed)
        self.clients = [Client(first + n, random.Random(rng.random())) for n in range(clients)]
        self.rng = rng
        self.depth = depth            # commands in a batch, at most
        self.pause_s = pause_s        # between a connection's batches
        self.refusals = None          # errors that mean: not done
        self.operations = 0
        self.refused = 0
        self.selector = None
        self.offset = {n: [0] * len(COMMON) + [WIDE_PREFILL] for n in range(DATABASES)}  # of Dump.totals: what is not the clients' doing
        self.wheel = [k for k, row in enumerate(KINDS) for _ in range(row[0])]

    def prefill(self, connection):
        """What is there before the load. What the server doesn't know is not sent."""
        if connection.command("COMMAND", "INFO", "EXEC") == [None]:
            self.wheel = [k for k in self.wheel if KINDS[k][1] not in WITH_MULTI]
        for database in range(DATABASES):
            connection.command("SELECT", database)
            connection.command("HSET", "wide", *[x for i in range(WIDE_PREFILL) for x in ("pre%d" % i, i)])
        connection.command("SELECT", 0)

    def refuse(self, pattern):
        self.refusals = re.compile(pattern) if pattern else None

    # ---- load

    def connect(self, port):
        self.selector = selectors.DefaultSelector()
        for c in self.clients:
            self.open(c, port)

    def open(self, c, port):
        c.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with_replies = Connection.__new__(Connection)
        with_replies.sock, with_replies.have = c.sock, bytearray()
        if with_replies.command("SELECT", c.database) != "OK":
            raise Broken("SELECT is refused")
        found = re.search(rb" worker=(\d+)", with_replies.command("CLIENT", "INFO"))
        c.worker = int(found.group(1)) if found else 0
        c.sock.setblocking(False)
        c.have, c.pending, c.out = bytearray(), [], b""
        c.due = 0
        self.selector.register(c.sock, selectors.EVENT_READ, c)

    def lose(self, c):
        if c.sock:
            self.selector.unregister(c.sock)
            c.sock.close()
            c.sock = None

    def disconnect(self):
        for c in self.clients:
            self.lose(c)
        if self.selector:
            self.selector.close()
            self.selector = None

    def send_batch(self, c):
        parts = []
        now_ms, now_ns = int(time.time() * 1000), time.monotonic_ns()
        for _ in range(c.rng.randrange(1, self.depth + 1)):
            note = c.draw(self.wheel, now_ms, now_ns)
            commands = note.request(c.prefix)
            parts += [encode(*x) for x in commands]
            c.pending += [(note, False)] * (len(commands) - 1) + [(note, True)]
        c.out += b"".join(parts)
        self.push(c)

    def push(self, c):
        try:
            n = c.sock.send(c.out)
            c.out = c.out[n:]
        except BlockingIOError:
            pass
        except OSError:
            self.lose(c)
            return
        self.selector.modify(c.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if c.out else 0), c)

    def take(self, c):
        """Replies that arrived."""
        now_ns = time.monotonic_ns()
        reader = Connection.__new__(Connection)
        reader.have = c.have
        reader._more = lambda: (_ for _ in ()).throw(BlockingIOError())
        done, at = 0, 0
        try:
            for note, counts in c.pending:
                reply, at_next = reader._parse(at)
                at = at_next
                done += 1
                if counts:
                    c.answer(note, reply, self.refusals, now_ns)
                    self.operations += 1
                    self.refused += note.refused
        except BlockingIOError:
            pass
        del c.pending[:done]
        del c.have[:at]

    def step(self, wait_s):
        """One look at all connections."""
        for key, events in self.selector.select(wait_s):
            c = key.data
            if c.sock is None:
                continue
            if events & selectors.EVENT_WRITE:
                self.push(c)
            if events & selectors.EVENT_READ and c.sock:
                try:
                    data = c.sock.recv(1 << 18)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                if not data:
                    self.lose(c)
                    continue
                c.have += data
                self.take(c)
                if not c.pending:
                    c.due = time.monotonic() + self.pause_s * self.rng.random() * 2

    def run(self, seconds, until=lambda: False):
        """The load for so long, or until something is so, or all connections are lost."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end and not until():
            live = [c for c in self.clients if c.sock]
            if not live:
                return
            for c in live:
                if not c.pending and not c.out and c.due <= now:
                    self.send_batch(c)
            self.step(min(0.005, end - now) if self.pause_s else min(0.05, end - now))

    def wait(self, seconds=30):
        """Waits for all answers."""
        end = time.monotonic() + seconds
        while any(c.sock and c.pending for c in self.clients):
            if time.monotonic() > end:
                raise Broken("no answer for %d s: %s" % (seconds, [c.pending[0][0] for c in self.clients if c.pending][:3]))
            self.step(0.05)

    def lost(self):
        return [c for c in self.clients if not c.sock]

    # ---- judgement

    def find(self, c, d, floor, ceiling):
        """What explains the keys that are there; Broken if nothing does."""
        low = k = max(floor, bisect.bisect_right([n.seq for n in c.notes], newest(d)))
        fits, silent, why = [], 0, "marks beyond what can have happened"
        state = c.after(k)
        while k <= ceiling and silent < LOOK_ON:
            differs = difference(state, d)
            if not differs:
                fits.append((k, state.shared + state.account))
            elif k == low:
                why = differs
            if k < len(c.notes):
                c.notes[k].apply(state)
                silent += fits != [] and KINDS[c.notes[k].kind][1] in MARKING
            k += 1
        if not fits:
            raise Broken("client %d: no prefix of %d to %d notes (%d answered, newest mark %d) explains its keys; after %d: %s; then: %s" % (
                c.number, floor, ceiling, c.answered, newest(d), low, why, c.notes[max(0, low - 3):low + 6]))
        sums = [x for _, x in fits]
        return Finding(fits[0][0], fits[-1][0], c.after(fits[-1][0]), [min(x) for x in zip(*sums)], [max(x) for x in zip(*sums)])

    def judge(self, dump, floor=lambda c: 0, ceiling=lambda c: len(c.notes)):
        """{client number: Finding}; Broken if there is none. floor: what was promised; ceiling: what can be known."""
        found = {c.number: self.find(c, dump.clients[c.number], floor(c), ceiling(c)) for c in self.clients}
        self.check_order(found, ceiling)
        for database, totals in dump.totals.items():
            mine = [c for c in self.clients if c.database == database]
            for i, total in enumerate(totals[:-1]):
                low, high = (sum(getattr(found[c.number], side)[i] + c.doubt[i][k] for c in mine) for k, side in enumerate(("low", "high")))
                if not low <= total - self.offset[database][i] <= high:
                    raise Broken("database %d: %s is %d, the prefixes add up to %d to %d" % (database, COMMON[i], total - self.offset[database][i], low, high))
            wide = self.offset[database][-1] + sum(len(found[c.number].state.wide) for c in mine)
            if totals[-1] != wide:
                raise Broken("database %d: %d fields in the wide hash, the prefixes have %d" % (database, totals[-1], wide))
        return found

    def check_order(self, found, ceiling):
        """Nothing is there that was sent after the answer to something that is not."""
        missing = [(n.answered_ns, c.number, n) for c in self.clients
                   for n in [next((n for n in c.notes[found[c.number].most:ceiling(c)] if not n.refused), None)] if n and n.answered_ns]
        present = [(n.sent_ns, c.number, n) for c in self.clients
                   for n in [next((n for n in reversed(c.notes[:found[c.number].least]) if not n.refused), None)] if n]
        if missing and present and min(missing)[0] < max(present)[0]:
            raise Broken("not a prefix: client %d's %r is missing, client %d's %r, sent %.3f ms after its answer, is there" % (
                *min(missing)[1:], *max(present)[1:], (max(present)[0] - min(missing)[0]) / 1e6))

    def take_totals(self, dump):
        """What all share now is the clients' doing so far, and the rest was there."""
        for database, totals in dump.totals.items():
            self.offset[database] = [a - b for a, b in zip(totals, self.sums(database))]

    def sums(self, database):
        """What the clients did to Dump.totals."""
        states = [c.now for c in self.clients if c.database == database]
        return [sum((s.shared + s.account)[i] for s in states) for i in range(len(COMMON))] + [sum(len(s.wide) for s in states)]

    def adopt(self, found, connection):
        """What was found is what happened. What all share is set to what that adds up to: an increment whose answer was lost leaves no other trace,
        and would be in doubt for ever."""
        for c in self.clients:
            c.settle(found[c.number].most, found[c.number].state)
        for database in sorted({c.database for c in self.clients}):
            connection.command("SELECT", database)
            expected = [a + b for a, b in zip(self.offset[database], self.sums(database))]
            reply = connection.command("MSET", *[x for pair in zip(COMMON, expected) for x in pair])
            if reply != "OK":
                raise Broken("MSET: %r" % reply)

    def resolve(self, c, connection):
        """A connection that was lost while the server lives: what of its last batch was done. What all share stays in doubt."""
        connection.command("SELECT", c.database)
        found = self.find(c, Dump.read(connection, c), c.answered, len(c.notes))
        at = found.state.shared + found.state.account
        c.doubt = [(a + low - x, b + high - x) for (a, b), low, high, x in zip(c.doubt, found.low, found.high, at)]
        c.settle(found.most, found.state)


def answered_before(c, at_ns):
    """Notes answered up to a time: they come first."""
    return bisect.bisect_right([n.answered_ns if n.answered_ns is not None else float("inf") for n in c.notes], at_ns)


def sent_before(c, at_ns):
    return bisect.bisect_right([n.sent_ns for n in c.notes], at_ns)
