"""compare.py - are two servers' replies to the same command the same?

The idea: byte for byte, unless the command stands in RULES, the one table of exceptions, each with its reason. An exception
never covers errors: a reply that is an error on either side must be equal in every byte.

A parsed reply is (kind, payload): kind is the first byte as a one-letter str, payload bytes, or a list of replies for
aggregates (maps: keys and values in turn), None for null bulks and arrays.
"""
from collections import Counter

IDLE_MAX_S = 32767  # kv-stash's
TTL_S = 2  # grain of the clock, and how long one server may answer after the other


def end_of(buf, pos):
    """Where the reply that begins at pos ends; IndexError or ValueError: it is not whole."""
    left = 1
    while left:
        line = buf.index(b"\r\n", pos)
        kind = buf[pos]
        if kind in b"$=":
            n = int(buf[pos + 1:line])
            pos = line + 2 if n < 0 else line + 4 + n
            if pos > len(buf):
                raise IndexError
        else:
            if kind in b"*~>":
                left += max(int(buf[pos + 1:line]), 0)
            elif kind == 37:  # %
                left += 2 * int(buf[pos + 1:line])
            pos = line + 2
        left -= 1
    return pos


def parse(buf, pos=0):
    """(reply, end)."""
    line = buf.index(b"\r\n", pos)
    kind, rest, pos = chr(buf[pos]), bytes(buf[pos + 1:line]), line + 2
    if kind in "$=":
        n = int(rest)
        return ((kind, None), pos) if n < 0 else ((kind, bytes(buf[pos:pos + n])), pos + n + 2)
    if kind in "*~>%":
        n = int(rest) * (2 if kind == "%" else 1)
        if n < 0:
            return (kind, None), pos
        items = []
        for _ in range(n):
            item, pos = parse(buf, pos)
            items.append(item)
        return (kind, items), pos
    return (kind, rest), pos


def freeze(reply):
    kind, payload = reply
    return (kind, tuple(freeze(r) for r in payload)) if isinstance(payload, list) else reply


def pairs(items):
    return list(zip(items[::2], items[1::2]))


# ---- the kinds of exception: functions of (argv, ours, theirs, context) ----------------------------------------------------

def same_kind(argv, a, b, ctx):
    return a[0] == b[0] and (a[1] is None) == (b[1] is None)


def same_shape(argv, a, b, ctx):
    """The same kind and number of elements, all the way down."""
    if a[0] != b[0] or (a[1] is None) != (b[1] is None):
        return False
    if isinstance(a[1], list):
        return len(a[1]) == len(b[1]) and all(same_shape(argv, x, y, ctx) for x, y in zip(a[1], b[1]))
    return True


def any_order(argv, a, b, ctx):
    return a[0] == b[0] and Counter(map(freeze, a[1])) == Counter(map(freeze, b[1]))


def hash_order(argv, a, b, ctx):
    """Any order, but only of a hash whose encoding (asked for just before) is hashtable."""
    if ctx.get("encoding") == b"listpack" or a[0] != b[0] or len(a[1]) != len(b[1]):
        return False
    if argv[0].lower() == b"hgetall":
        return Counter(map(freeze, (("*", list(p)) for p in pairs(a[1])))) == Counter(map(freeze, (("*", list(p)) for p in pairs(b[1]))))
    return any_order(argv, a, b, ctx)


def scan_step(argv, a, b, ctx):
    """Cursors are each server's own; a walk that both end at once has met the same elements."""
    (ka, (ca, ea)), (kb, (cb, eb)) = a, b
    if ka != kb or ca[0] != cb[0] or ea[0] != eb[0]:
        return False
    of_hash = argv[0].lower() == b"hscan"
    if of_hash and ctx.get("encoding") == b"listpack":
        return False
    began_with = argv[2:3] if of_hash else argv[1:2]  # a key may be called 0
    if ca[1] == b"0" and cb[1] == b"0" and began_with == [b"0"]:
        if of_hash:
            return Counter(map(freeze, (("*", list(p)) for p in pairs(ea[1])))) == Counter(map(freeze, (("*", list(p)) for p in pairs(eb[1]))))
        return any_order(argv, ea, eb, ctx)
    return True


def near(seconds):
    def rule(argv, a, b, ctx):
        return a[0] == b[0] == ":" and int(a[1]) > 0 and int(b[1]) > 0 and abs(int(a[1]) - int(b[1])) <= seconds
    return rule


def info_fields(argv, a, b, ctx):
    """Every section and field that Redis tells, in any order; those named after what was run may differ."""
    def names(r):
        lines = {line.split(b":")[0] for line in r[1].split(b"\r\n")}
        return {n for n in lines if not n.startswith((b"cmdstat_", b"errorstat_", b"latency_percentiles_"))}
    return a[0] == b[0] and names(a) >= names(b)


def memory_fields(argv, a, b, ctx):
    """Every name that Redis tells."""
    ours, theirs = ({k[1] for k, _ in pairs(r[1])} for r in (a, b))
    return a[0] == b[0] and ours >= theirs


def client_fields(argv, a, b, ctx):
    """Lines of the same fields in the same order; worker= is kv-stash's own."""
    ours, theirs = ([[f.split(b"=")[0] for f in line.split(b" ")] for line in r[1].splitlines()] for r in (a, b))
    return a[0] == b[0] and len(ours) == len(theirs) and all(x == y + [b"worker"] for x, y in zip(ours, theirs))


def chosen_fields(argv, a, b, ctx):
    """As many fields, in replies of the same form."""
    if isinstance(a[1], list):
        return a[0] == b[0] and b[1] is not None and len(a[1]) == len(b[1]) and [x[0] for x in a[1]] == [x[0] for x in b[1]]
    return same_kind(argv, a, b, ctx)


def hello(argv, a, b, ctx):
    """All but the connection's id."""
    def without_id(r):
        return [(k, v if k[1] != b"id" else v[0]) for k, v in pairs(r[1])]
    return a[0] == b[0] and without_id(a) == without_id(b)


def docs_of(reply, known):
    """COMMAND DOCS without sentences: summaries, complexities, histories and what replaces a command are prose."""
    out = []
    for name, doc in pairs(reply[1]):
        if name[1].decode() not in known:
            continue
        facts = []
        for key, value in pairs(doc[1]):
            if key[1] == b"subcommands":
                value = docs_of(value, known)
            if key[1] not in (b"summary", b"complexity", b"history", b"replaced_by"):
                facts.append((key[1], value))
        out.append((name[1], doc[0], sorted(map(repr, facts))))
    return sorted(out)


def command_docs(argv, a, b, ctx):
    """Of the commands that both have."""
    return a[0] == b[0] and docs_of(a, ctx["known"]) == docs_of(b, ctx["known"])


def known_commands(argv, a, b, ctx):
    """What redis-server lists, as far as both have it."""
    theirs = {r[1] for r in b[1]}
    return a[0] == b[0] and {r[1] for r in a[1]} <= theirs and {n for n in theirs if n.decode() in ctx["known"]} == {r[1] for r in a[1]}


# Parameters that the test itself starts the servers with, or that tell of the program's own.
OWN_PARAMETERS = {b"port", b"dir", b"save", b"logfile", b"pidfile", b"daemonize", b"bind", b"enable-debug-command"}


def config_pairs(argv, a, b, ctx):
    """The same names, but for kv-stash's own; the same values."""
    ours, theirs = ({k[1]: v[1] for k, v in pairs(r[1])} for r in (a, b))
    return a[0] == b[0] and ours.keys() >= theirs.keys() and all(ours[k] == theirs[k] for k in theirs if k not in OWN_PARAMETERS)


def dump_of_table(argv, a, b, ctx):
    """Dumps list a hashtable's fields in table order, and compressors may differ: their content is compared by RESTORE in keyspace walks."""
    return a[0] == b[0] == "$" and a[1] is not None and b[1] is not None and a[1][:1] == b[1][:1]


def idle_time(argv, a, b, ctx):
    """Near, or just used here: Redis's small integers share one object and its clock. (cases.txt looks closer.)"""
    return a[0] == b[0] == ":" and (int(a[1]) <= 60 or abs(int(a[1]) - min(int(b[1]), IDLE_MAX_S)) <= 60)


def shared_or_not(argv, a, b, ctx):
    return {a, b} == {(":", b"1"), (":", b"2147483647")}


RULES = {
    "randomkey": (same_kind, "which key is chance"),
    "keys": (any_order, "tables have no order"),
    "hgetall": (hash_order, "tables have no order; listpacks do and must be equal"),
    "hkeys": (hash_order, "as hgetall"),
    "hvals": (hash_order, "as hgetall"),
    "scan": (scan_step, "cursors and order are the server's own"),
    "hscan": (scan_step, "cursors and order are the server's own"),
    "hrandfield": (chosen_fields, "which field is chance"),
    "ttl": (near(TTL_S), "clock"),
    "pttl": (near(TTL_S * 1000), "clock"),
    "expiretime": (near(TTL_S), "clock: relative times were set at slightly different moments"),
    "pexpiretime": (near(TTL_S * 1000), "clock"),
    "time": (same_shape, "clock"),
    "dump": (dump_of_table, "order of tables, compressor"),
    "object|idletime": (idle_time, "clock; Redis's small integers share one; kv-stash's tells of nine hours at most"),
    "object|refcount": (shared_or_not, "Redis makes a copy (COPY) of a small shared integer that is not shared; here every small integer counts as shared"),
    "object|help": (same_kind, "prose"),
    "memory|usage": (same_kind, "the server's own memory"),
    "memory|stats": (memory_fields, "the server's own memory"),
    "memory|doctor": (same_kind, "prose"),
    "memory|malloc-stats": (same_kind, "prose"),
    "memory|help": (same_kind, "prose"),
    "info": (info_fields, "the server's own numbers"),
    "lolwut": (same_kind, "prose"),
    "hello": (hello, "the connection's id"),
    "client|id": (same_kind, "the server's own numbers"),
    "client|info": (client_fields, "the server's own numbers"),
    "client|list": (client_fields, "the server's own numbers"),
    "client|help": (same_kind, "prose"),
    "config|help": (same_kind, "prose"),
    "config|get": (config_pairs, "tables have no order; kv-stash has parameters of its own"),
    "command": (same_kind, "fewer commands"),
    "command|count": (same_kind, "fewer commands"),
    "command|docs": (command_docs, "prose, fewer commands, tables have no order"),
    "command|list": (known_commands, "fewer commands"),
    "command|help": (same_kind, "prose"),
    "slowlog|get": (same_kind, "clock"),
    "slowlog|len": (same_kind, "clock"),
    "slowlog|help": (same_kind, "prose"),
    "latency|latest": (same_kind, "clock"),
    "latency|doctor": (same_kind, "prose"),
    "latency|histogram": (same_kind, "clock"),
    "latency|history": (same_kind, "clock"),
    "latency|reset": (same_kind, "clock"),
    "latency|help": (same_kind, "prose"),
    "debug|object": (same_kind, "addresses, clock, the server's own sizes"),
    "debug|help": (same_kind, "prose"),
}


def rule_name(argv):
    """The row of RULES for these arguments, or None."""
    name = argv[0].lower().decode("latin-1")
    if len(argv) > 1:
        both = name + "|" + argv[1].lower().decode("latin-1")
        if both in RULES:
            return both
    return name if name in RULES else None


def equal(argv, ours, theirs, ctx):
    """Compares two replies' bytes, which differ. argv: the command; ctx: what the driver knows (encoding, known)."""
    if ours[:1] == b"-" or theirs[:1] == b"-":
        return False
    name = rule_name(argv)
    if name is None:
        return False
    try:
        return RULES[name][0](argv, parse(ours)[0], parse(theirs)[0], ctx)
    except (TypeError, ValueError, IndexError):  # of another form than the rule expects
        return False
