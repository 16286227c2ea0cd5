"""grammar.py - random commands, from the argument grammar that COMMAND DOCS tells.

The idea: redis-server describes every command's arguments as a tree (blocks, choices, tokens, repetitions), and COMMAND LIST
of the server under test tells which of them it has. So a new command is exercised as soon as it is served, without a line
here. What the tree doesn't tell is in tables: value pools by the argument's name (POOLS), commands whose arguments need
thought (SPECIAL), commands that would end or stop the server (NEVER). Keys are few, so that states collide; a key's first
letter says what it mostly holds, so that commands mostly find what they want.

A share of the commands is spoiled afterwards: arguments dropped, added, exchanged, replaced by junk, foreign options put
anywhere, letters' case turned.

A command that sets a relative time is followed by one that sets an absolute one or none, and one that may have set a past
time by DEL: so no state depends on the clock.
"""
import itertools

# Never sent by chance: they end the connection or the server, stop it for long, or say nothing that could be compared.
NEVER = {
    "quit": "ends the connection (cases.txt has it)",
    "monitor": "turns the connection into a stream",
    "bgrewriteaof": "answers by what runs in the background (test_aof.py has it)",
    "client|reply": "replies stop (cases.txt has it)",
    "client|pause": "stops all connections (cases.txt has its errors)",
    "sync": "turns the connection into a stream", "psync": "turns the connection into a stream",
    "client|tracking": "only OFF works in this version (quick_server.py has it)",
    "bgsave": "a SAVE behind it fails or not, as the save takes (quick_save.py has it)", "lastsave": "tells the time (quick_save.py has it)",
    "config|rewrite": "depends on the files the servers were started with",
    "acl": "not among the commands under test", "module": "not among the commands under test",
}
# Commands that see or change other connections' keys: only with one connection.
GLOBAL = {"flushdb", "flushall", "swapdb", "keys", "scan", "dbsize", "randomkey", "config|set", "move"}

GROUP_WEIGHT = {"string": 30, "hash": 30, "generic": 22, "bitmap": 16, "connection": 3, "server": 3}
COMMAND_WEIGHT = {"lcs": 0.15, "flushall": 0.1, "flushdb": 0.15, "swapdb": 0.3, "keys": 0.2, "command": 0.01, "command|list": 0.5,
                  "command|docs": 0.5, "info": 0.1, "memory|stats": 0.1, "select": 3, "hset": 2, "set": 2, "debug": 0.5,
                  "restore-asking": 4, "del": 0.5, "unlink": 0.5, "hdel": 0.7, "lolwut": 0.1}
SPOILED = 0.14
FAR_S = [4102444800, 4102444801, 4133980800, 5000000000, 9999999999]  # years 2100 to 2286
SOON_MS = 1000000
MANY_BYTES = 1 << 20
MANY_FIELDS = 2000
# Have times among their arguments.
TIMED = {"set", "getex", "setex", "psetex", "expire", "pexpire", "expireat", "pexpireat", "restore", "restore-asking"}

STRING_KEYS = [b"k0", b"k1", b"k2", b"k3", b"k4", b"n0", b"n1", b"n2", b"", b"k\x00\xff\r\nb", b"k" * 300, b"{t}k1", b"{t}k2", b"k~"]
NUMBER_KEYS = [b"n0", b"n1", b"n2"]
BIG_KEYS = [b"b0", b"b1"]  # strings in chunks
HASH_KEYS = [b"h0", b"h1", b"h2", b"h3", b"h4", b"h \x80\n", b"h" * 120, b"{t}h"]
NO_KEYS = [b"none1", b"none2"]

FIELDS = [b"f%d" % i for i in range(16)] + [b"n%d" % i for i in range(6)] * 2 + [b"", b"f\x00\r\n", b"F" * 63, b"F" * 64, b"F" * 65, b"F" * 300,
                                                                               b"12", b"-7", b"9223372036854775807"]
SMALL = [b"0", b"1", b"2", b"3", b"5", b"7", b"10", b"-1", b"-2", b"-3", b"-7", b"100", b"-100"]
INTS = SMALL * 4 + [b"9999", b"10000", b"10001", b"127", b"128", b"-128", b"-129", b"32767", b"-32769", b"4095", b"4096", b"-4097",
                    b"8388607", b"-8388609", b"2147483647", b"2147483648", b"-2147483649", b"4294967296", b"999999999999",
                    b"9223372036854775806", b"9223372036854775807", b"-9223372036854775807", b"-9223372036854775808"]
NOT_INTS = [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1.0", b"1e3", b"abc", b"9223372036854775808", b"-9223372036854775809", b"0x10",
            b"1\x00", b"--1", b"99999999999999999999999", b"12a", b"\xff"]
FLOATS = [b"0", b"1", b"-1", b"3.14", b"0.1", b"-2.5", b"1e3", b"5e-1", b"1e17", b"1e18", b"123456789.123456789", b"0.0000001", b"-0", b"-0.0",
          b"1e20", b"17179869184.5", b"3.0e5", b"10.50", b"0x1p3"]
HARD_FLOATS = [b"1e308", b"-1e308", b"1e4000", b"inf", b"-inf", b"+inf", b"nan", b"infinity", b" 1.5", b"1.5 ", b"1.5.5", b"", b"e", b"1e", b".5",
               b"5.", b"1e-400", b"1e-5000", b"0x", b"1,5", b"1e309", b"abc", b"1" * 40, b"0." + b"3" * 60, b"\x00", b"1\x002"]
LENGTHS = [0, 1, 2, 3, 5, 8, 11, 12, 13, 20, 21, 31, 43, 44, 45, 63, 64, 65, 100, 127, 128, 255, 256, 257, 500] * 5 + [
    1000, 1023, 1024, 2000, 4095, 4096, 8000, 8191, 8192, 8193, 16383, 16384, 16385, 16400, 20000, 65535, 65536, 65537, 70000]
BIG_LENGTHS = [16383, 16384, 16385, 20000, 65535, 65536, 65537, 70000, 131071, 131072, 131073, 200000]
BIG_OFFSETS = [0, 100, 16384, 30000, 65535, 65536, 65537, 100000, 131071, 131072, 131080, 196608, 250000]
GLOBS = [b"*", b"*", b"k*", b"h?", b"f*", b"[fn]*", b"*1*", b"", b"f\\*", b"[^k]*", b"k[0-2]", b"h[", b"\\", b"?" * 5, b"*" * 20 + b"x",
         b"{t}*", b"f[9-0]", b"n[\\0-2]", b"**a**", b"[]", b"k\x00*"]
JUNK = [b"", b"foo", b"nx", b"XX", b"get", b"EX", b"px", b"keepttl", b"PERSIST", b"limit", b"-1", b"0", b"1", b"9223372036854775808", b"\x00", b"\r\n",
        b"'", b'"', b"\\", b"*", b"$", b"a b", b"\xff\xfe", b"nan", b"1.5", b"overflow", b"fail", b"withvalues", b"count", b"match", b"MATCH", b"bit",
        b"BYTE", b"LEN", b"idx", b"db", b"REPLACE", b"gt", b"LT", b"abs", b"x" * 200, b"%s%n", b"\n-ERR\r\n"]


class Pools:
    """Values of one connection's random stream; every method is one kind of value."""

    def __init__(self, rng, prefix=b"", connections=1):
        self.rng = rng
        self.prefix = prefix
        self.alone = connections == 1
        self.strings = [prefix + k for k in STRING_KEYS]
        self.numbers = [prefix + k for k in NUMBER_KEYS]
        self.hashes = [prefix + k for k in HASH_KEYS]
        self.bigs = [prefix + k for k in BIG_KEYS]
        self.absent = [prefix + k for k in NO_KEYS]
        self.all = self.strings + self.hashes + self.bigs + self.absent
        self.key_set = frozenset(self.all)
        self.text = self._texts()
        self.group = "string"
        self.last_key = b""
        self.many = False  # fields in hundreds, so that hashes cross 512
        self.relative = False  # was a relative time among the arguments?
        self.past = False      # was a time that has passed?
        self.dumps = [b"", b"\x00\xc0\x01\n\x00foobar\x00\x00\x00"]  # what DUMP answered, fed by the driver

    def _texts(self):
        """Long texts to cut from, so that a value costs a slice; some have much in common (LCS), some compress."""
        rng = self.rng
        noise = bytes(rng.getrandbits(8) for _ in range(210000))
        words = b"".join(rng.choice([b"ab", b"abc", b"xyz", b"aab", b"q"]) for _ in range(105000))
        return [noise, words, b"x" * 210000, b"\x00" * 210000, b"0123456789" * 21000, words[1:] + b"z" * 10]

    def pick(self, pool):
        return pool[int(self.rng.random() * len(pool))]

    def is_big(self):
        """Is the command's key one of those that hold strings in chunks?"""
        return self.last_key in self.bigs

    def blob(self):
        n = self.pick(BIG_LENGTHS if self.is_big() and self.rng.random() < 0.4 else LENGTHS)
        text = self.text[int(self.rng.random() * len(self.text))]
        at = int(self.rng.random() * (len(text) - n)) & ~1
        return text[at:at + n]

    def key(self):
        r = self.rng.random()
        if r < 0.03:
            k = self.pick(self.absent)
        elif r < 0.06 and self.group in ("string", "bitmap", "generic"):
            k = self.pick(self.bigs)
        elif self.group == "number" and r < 0.7:
            k = self.pick(self.numbers)
        elif self.group == "generic":
            k = self.pick(self.strings if r < 0.55 else self.hashes)
        elif self.group == "hash":
            k = self.pick(self.hashes if r < 0.9 else self.strings)
        else:
            k = self.pick(self.strings if r < 0.98 else self.hashes)  # SET makes strings of hashes, HSET not the reverse
        self.last_key = k
        return k

    def integer(self):
        r = self.rng.random()
        return self.pick(INTS) if r < 0.93 else self.pick(NOT_INTS) if r < 0.97 else b"%d" % int(self.rng.random() * 1000)

    def small(self):
        r = self.rng.random()
        return self.pick(SMALL) if r < 0.9 else self.integer()

    def count(self):
        r = self.rng.random()
        return b"%d" % int(r * 40) if r < 0.6 else self.small()

    def decimal(self):
        r = self.rng.random()
        return self.pick(FLOATS) if r < 0.75 else self.pick(HARD_FLOATS) if r < 0.85 else self.integer()

    def value(self):
        r = self.rng.random()
        numeric = self.last_key[len(self.prefix):len(self.prefix) + 1] == b"n"
        if r < (0.6 if numeric else 0.2):
            return self.pick(INTS)
        if r < (0.8 if numeric else 0.27):
            return self.pick(FLOATS)
        if r < (0.85 if numeric else 0.3):
            return self.pick(HARD_FLOATS) if r < 0.28 else self.pick(NOT_INTS)
        return self.blob()

    def field(self):
        r = self.rng.random()
        if self.group == "number" and r < 0.6:
            return b"n%d" % int(r * 10)
        return b"g%d" % int(self.rng.random() * 700) if r < (0.85 if self.many else 0.05) else self.pick(FIELDS)

    def glob(self):
        r = self.rng.random()
        return self.pick(GLOBS) if r < 0.9 else self.key()

    def cursor(self):
        r = self.rng.random()
        return b"0" if r < 0.9 else self.pick([b"1", b"12345", b"-1", b"18446744073709551615", b"18446744073709551616", b"a", b"", b" 0", b"0 "])

    def seconds(self):
        r = self.rng.random()
        if r < 0.75:
            self.relative = True
            return self.pick([b"1000", b"100000", b"99999999", b"2147483647"])
        return self.pick([b"0", b"-1", b"-100", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775", b"9223372036854774", b"-9223372036854775",
                          b"-9223372036854776"] + NOT_INTS)

    def milliseconds(self):
        r = self.rng.random()
        if r < 0.75:
            self.relative = True
            return self.pick([b"1000000", b"100000000", b"2147483647000"])
        return self.pick([b"0", b"-1", b"-1000", b"9223372036854775807", b"9223372036854775000", b"-9223372036854775808"] + NOT_INTS)

    def time_s(self):
        r = self.rng.random()
        self.past = r >= 0.85
        return b"%d" % self.pick(FAR_S) if r < 0.85 else self.pick([b"0", b"1", b"-1", b"1000000000", b"9223372036854775807", b"9223372036854775"] + NOT_INTS)

    def time_ms(self):
        r = self.rng.random()
        if r < 0.85:
            return b"%d" % (self.pick(FAR_S) * 1000 + int(self.rng.random() * 3))
        self.past = True
        return self.pick([b"0", b"1", b"-1", b"1000000000000", b"9223372036854775807", b"-9223372036854775808"] + NOT_INTS)

    def offset(self):
        r = self.rng.random()
        if self.is_big() and r < 0.9:
            return b"%d" % self.pick(BIG_OFFSETS)
        if r < 0.7:
            return b"%d" % int(self.rng.random() * 100)
        if r < 0.85:
            return b"%d" % self.pick([0, 43, 44, 45, 511, 4096, 8191, 8192, 16383, 16384, 16385, 65535, 65536, 65600, 131072])
        return self.pick([b"-1", b"536870911", b"536870912", b"9223372036854775807", b"-9223372036854775808"] + NOT_INTS)

    def index(self):
        r = self.rng.random()
        if self.is_big() and r < 0.7:
            return b"%d" % (self.pick(BIG_OFFSETS) * self.pick([1, -1]))
        return b"%d" % (int(self.rng.random() * 140) - 70) if r < 0.7 else self.pick(INTS) if r < 0.95 else self.pick(NOT_INTS)

    def bit_offset(self):
        r = self.rng.random()
        if self.is_big() and r < 0.7:
            return b"%d" % (self.pick(BIG_OFFSETS) * 8 % MANY_BYTES)
        if r < 0.75:
            return b"%d" % int(self.rng.random() * 300)
        if r < 0.9:
            return b"%d" % self.pick([351, 352, 353, 8191, 65535, 65536, 131071, 131072, 131079, 524287, 524288, 600000])
        return self.pick([b"-1", b"4294967296", b"9223372036854775807", b"-9223372036854775808"] + NOT_INTS)

    def field_offset(self):
        r = self.rng.random()
        return b"#%d" % int(r * 60) if r < 0.35 else self.pick([b"#-1", b"#", b"#a", b"##1", b"#9223372036854775807", b"# 1"]) if r < 0.38 else self.bit_offset()

    def bit(self):
        r = self.rng.random()
        return b"1" if r < 0.55 else b"0" if r < 0.95 else self.pick([b"2", b"-1", b"", b"a", b"01"])

    def encoding(self):
        r = self.rng.random()
        if r < 0.85:
            return b"%c%d" % (self.pick(b"ui"), self.pick([1, 2, 3, 4, 5, 7, 8, 8, 8, 9, 15, 16, 16, 17, 31, 32, 33, 48, 62, 63]))
        return self.pick([b"i64", b"u64", b"u63", b"i65", b"u0", b"i0", b"x8", b"u", b"", b"U8", b"i-1", b"u08", b"8", b"u99999999999999999999", b"i64 "])

    def db(self):
        r = self.rng.random()
        if not self.alone:
            return b"0"
        return self.pick([b"0", b"0", b"0", b"1", b"2"]) if r < 0.85 else self.pick([b"3", b"15", b"16", b"-1", b"4294967296", b"2147483648", b"a", b"", b"1.0"])

    def type_name(self):
        return self.pick([b"string", b"hash", b"STRING", b"Hash", b"list", b"zset", b"nosuch", b""])

    def word(self):
        return self.pick([b"foo", b"bar", b"a-name", b"x", b"", b"with space", b"\xc3\xa4", b"default", b"n\n"])

    def dump(self):
        return self.pick(self.dumps)

    def key_or_word(self):
        return self.key() if self.rng.random() < 0.5 else self.word()


# The kind of value by the argument's name; (command, name) goes before name.
POOLS = {
    "field": Pools.field, "value": Pools.value, "increment": Pools.small, "decrement": Pools.small, "seconds": Pools.seconds,
    "milliseconds": Pools.milliseconds, "unix-time-seconds": Pools.time_s, "unix-time-milliseconds": Pools.time_ms, "offset": Pools.offset,
    "start": Pools.index, "end": Pools.index, "count": Pools.count, "cursor": Pools.cursor, "pattern": Pools.glob, "db": Pools.db,
    "destination-db": Pools.db, "index": Pools.db, "index1": Pools.db, "index2": Pools.db, "bit": Pools.bit, "encoding": Pools.encoding,
    "type": Pools.type_name, "len": Pools.count, "serialized-value": Pools.dump, "ttl": Pools.milliseconds, "message": Pools.blob,
    ("incrbyfloat", "increment"): Pools.decimal, ("hincrbyfloat", "increment"): Pools.decimal, ("setbit", "offset"): Pools.bit_offset,
    ("getbit", "offset"): Pools.bit_offset, ("setbit", "value"): Pools.bit, ("bitfield", "offset"): Pools.field_offset,
    ("bitfield_ro", "offset"): Pools.field_offset, ("bitfield", "value"): Pools.integer, ("bitfield", "increment"): Pools.integer,
    ("getrange", "start"): Pools.index, ("restore", "seconds"): Pools.count, ("restore", "frequency"): Pools.count,
    ("bitop", "operation"): lambda p: p.pick([b"AND", b"or", b"Xor", b"NOT", b"nand"] if p.rng.random() < 0.3 else [b"and", b"OR", b"XOR", b"not"]),
}
TYPE_POOLS = {"integer": Pools.integer, "double": Pools.decimal, "key": Pools.key, "pattern": Pools.glob, "unix-time": Pools.time_s, "string": Pools.word}
NUMBER_COMMANDS = {"incr", "decr", "incrby", "decrby", "incrbyfloat", "hincrby", "hincrbyfloat"}


# ---- commands whose arguments the tree doesn't tell well ----------------------------------------------------------------

def special_client_kill(p):
    option = p.pick([[b"ID", p.pick([b"999999", b"0", b"-1", b"x"])], [b"ADDR", b"1.2.3.4:5"], [b"laddr", b"1.2.3.4:5"], [b"USER", b"nosuch"],
                     [b"TYPE", p.pick([b"pubsub", b"replica", b"SLAVE", b"master", b"nosuch"])], [b"SKIPME", b"yes"], [b"SKIPME", b"maybe"]])
    if option[0] == b"SKIPME":
        option = option + [b"ID", b"999999"]
    return p.pick([[b"1.2.3.4:5"], [b"nosuch"], option, option + [b"ID", b"999998"], option[:1], option + [b"foo", b"bar"]])


def special_debug(p):
    return p.pick([[b"DIGEST-VALUE"] + [p.key() for _ in range(int(p.rng.random() * 3))], [b"OBJECT", p.key()], [b"nosuch"], [b"sleep", b"0"],
                   [b"STRINGMATCH-LEN", b"100", b"*a*"], [b"SET-ACTIVE-EXPIRE", p.pick([b"0", b"1"])], [b"OBJECT"]])


def special_shutdown(p):
    return p.pick([[b"foo"], [b"SAVE", b"NOSAVE"], [b"ABORT"], [b"ABORT", b"NOW"], [b"nosave", b"bar"]])


def special_config_set(p):
    value = p.pick([b"512", b"5", b"0", b"128", b"3000", b"-1", b"x", b""])  # pairs of over 8000 bytes are never packed here
    name = p.pick([b"hash-max-listpack-entries", b"hash-max-ziplist-entries", b"hash-max-listpack-value", b"HASH-MAX-ZIPLIST-VALUE", b"nosuch-parameter"])
    if p.rng.random() < 0.7:  # back to what the rest of the stream expects
        name, value = p.pick([(b"hash-max-listpack-entries", b"512"), (b"hash-max-listpack-value", b"64")])
    return [name, value] if p.rng.random() < 0.95 else [name]


def special_config_get(p):
    return [p.pick([b"hash-max-*-entries", b"hash-max-listpack-value", b"maxmemory-policy", b"databases", b"nosuch*", b"timeout", b"proto-max-bulk-len"])]


def special_getkeys(p):
    """Of another random command, mostly whole."""
    argv = p.any_command()
    return argv[:1 + int(p.rng.random() * len(argv))] if p.rng.random() < 0.1 else argv


def special_names(p):
    """Names for COMMAND INFO and DOCS; all commands at once only now and then."""
    return [b"|".join(p.any_words()) for _ in range(1 + int(p.rng.random() * 3))] if p.rng.random() < 0.97 else [b"nosuch"] if p.rng.random() < 0.6 else []


def special_list(p):
    return p.pick([[b"FILTERBY", b"PATTERN", p.pick([b"*set*", b"h*", b"client|*", b"*"])], [b"FILTERBY", b"MODULE", b"nosuch"], [],
                   [b"FILTERBY", b"ACLCAT", p.pick([b"hash", b"WRITE", b"nosuch"])], [b"FILTERBY", b"foo", b"bar"], [b"FILTERBY", b"PATTERN"]])


def special_hello(p):
    return p.pick([[b"4"], [b"1"], [b"x"], [b"3", b"FOO"], [b"2", b"AUTH", b"default"], [b"3", b"SETNAME"], [b"3", b"SETNAME", b"a b"], [b"-1"],
                   [b"%d" % p.resp], [b"%d" % p.resp, b"SETNAME", p.word()], [], [b"%d" % p.resp, b"AUTH", b"default", b"x"], [b"99999999999999999999"]])


SPECIAL = {
    "client|kill": special_client_kill, "debug": special_debug, "shutdown": special_shutdown, "config|set": special_config_set,
    "config|get": special_config_get, "command|getkeys": special_getkeys, "command|getkeysandflags": special_getkeys,
    "command|info": special_names, "command|docs": special_names, "command|list": special_list, "hello": special_hello, "select": lambda p: [p.db()],
    "client|unblock": lambda p: p.pick([[b"999999"], [b"999999", b"TIMEOUT"], [b"999999", b"error"], [b"0"], [b"x"], [b"1", b"foo"]]),
    "client|list": lambda p: p.pick([[], [b"TYPE", b"normal"], [b"TYPE", b"nosuch"], [b"ID", b"999999"], [b"ID", b"x"], [b"ID"], [b"foo"]]),
    "client|no-evict": lambda p: [p.pick([b"on", b"OFF", b"foo"])],
    "auth": lambda p: p.pick([[b"x"], [b"default", b"x"], [b"nosuch", b"x"], [b"a", b"b", b"c"]]),
}


# ---- the tree, compiled -------------------------------------------------------------------------------------------------

def as_dict(flat):
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))


def compile_one(command, arg):
    """One occurrence of an argument without its token and flags: a function of Pools that gives a list."""
    name, kind = arg[b"name"].decode(), arg[b"type"].decode()
    if (pool := POOLS.get((command, name))) and kind in ("block", "oneof"):
        return lambda p: [pool(p)]
    if kind == "pure-token":
        return lambda p: []
    if kind == "oneof":
        choices = [compile_argument(command, a) for a in arg[b"arguments"]]
        return lambda p: choices[int(p.rng.random() * len(choices))](p)
    if kind == "block":
        parts = [compile_argument(command, a) for a in arg[b"arguments"]]
        return lambda p: list(itertools.chain.from_iterable([f(p) for f in parts]))
    pool = POOLS.get((command, name)) or (POOLS.get(name) if kind != "key" else None) or TYPE_POOLS[kind]
    return lambda p: [pool(p)]


def repetitions(p, command):
    r = p.rng.random()
    if command in ("hset", "hmset") and r > 0.985:
        return int(p.rng.random() * 300)
    return 1 if r < 0.5 else 2 if r < 0.75 else 3 + int(r * 3)


def compile_argument(command, arg):
    arg = as_dict(arg)
    flags = {f.decode() if isinstance(f, bytes) else f for f in arg.get(b"flags", [])}
    one, token = compile_one(command, arg), arg.get(b"token")
    token = [token] if token is not None else []
    likely = 0.5 if arg[b"type"] in (b"block", b"oneof") else 0.35

    def make(p):
        if "optional" in flags and p.rng.random() > likely:
            return []
        if "multiple" not in flags:
            return token + one(p)
        out = list(token)
        times = repetitions(p, command)
        p.many = times > 20
        for i in range(times):
            if i and "multiple_token" in flags:
                out += token
            out += one(p)
        p.many = False
        return out
    return make


class Command:
    """One command or subcommand: how to make its arguments, how often it is taken."""

    def __init__(self, name, docs, keys):
        """keys: first, last, step of COMMAND INFO."""
        self.name = name
        self.keys = keys
        self.words = [w.encode() for w in name.split("|")]
        self.group = docs[b"group"].decode()
        self.weight = GROUP_WEIGHT.get(self.group, 1) * COMMAND_WEIGHT.get(name, 1)
        self.parts = [compile_argument(name, a) for a in docs.get(b"arguments", [])]
        self.special = SPECIAL.get(name)
        self.tokens = set()
        self._collect_tokens(docs.get(b"arguments", []))

    def _collect_tokens(self, args):
        for a in map(as_dict, args):
            if a.get(b"token"):
                self.tokens.add(a[b"token"].upper())
            self._collect_tokens(a.get(b"arguments", []))

    def make(self, p):
        p.group = "number" if self.name in NUMBER_COMMANDS and self.name[0] != "h" else self.group
        if self.special:
            return self.words + self.special(p)
        if self.name in NUMBER_COMMANDS and self.name[0] == "h":
            key = p.pick(p.hashes)
            p.group = "number"
            return self.words + [key] + [a for f in self.parts[1:] for a in f(p)]
        out = list(self.words)
        for f in self.parts:
            out += f(p)
        return out


class Grammar:
    """All commands that both servers have; makes the random stream."""

    def __init__(self, docs, info, known):
        """docs, info: redis-server's COMMAND DOCS and COMMAND replies; known: names (container|sub) to be sent."""
        self.commands = []
        self.keys = {row[0].decode(): row[3:6] for command in info for row in [command] + command[9]}
        for name, doc in as_dict(docs).items():
            self._add(name.decode(), as_dict(doc), known)
        self.tokens = sorted({t for c in self.commands for t in c.tokens}) or [b"NX"]
        self.never_sent = sorted(n for n in known if n not in {c.name for c in self.commands})

    def _add(self, name, doc, known):
        if name in known and name not in NEVER and b"subcommands" not in doc:
            self.commands.append(Command(name, doc, self.keys[name]))
        for sub, sub_doc in as_dict(doc.get(b"subcommands", [])).items():
            sub_name = sub.decode()
            if sub_name in known and sub_name not in NEVER and name not in NEVER:
                self.commands.append(Command(sub_name, as_dict(sub_doc), self.keys[sub_name]))

    def stream(self, pools):
        """An endless stream of (command, argv); command None: junk."""
        commands = [c for c in self.commands if pools.alone or c.name not in GLOBAL]
        pools.any_words = lambda: pools.pick(self.commands).words
        pools.any_command = lambda: pools.pick([c for c in self.commands if c.special not in (special_getkeys,)]).make(pools)
        total = list(itertools.accumulate(c.weight for c in commands))
        rng = pools.rng
        while True:
            command = rng.choices(commands, cum_weights=total)[0]
            pools.relative = pools.past = False
            argv = command.make(pools)
            if rng.random() < SPOILED:
                argv = self._spoil(pools, command, argv)
            elif rng.random() < 0.2:
                argv = self._turn_case(pools, command, argv)
            if pools.prefix:
                argv = self._own_keys(pools, command, argv)
            yield from self._surround(pools, command, self._tame(command, argv))

    def _surround(self, p, command, argv):
        """What must come before and after so that replies can be compared."""
        key = argv[1] if len(argv) > 1 else b""
        if command.name in ("hgetall", "hkeys", "hvals", "hscan") and len(argv) > 1:
            yield None, [b"OBJECT", b"ENCODING", key]
        yield command, argv
        if command.name in ("reset", "hello"):
            yield None, [b"HELLO", b"%d" % p.resp]
        if p.relative:
            for k in dict.fromkeys(argv[1:2] + [a for a in argv[2:] if a in p.key_set]):
                yield None, ([b"PERSIST", k] if p.rng.random() < 0.5 else [b"PEXPIREAT", k, b"%d" % (p.pick(FAR_S) * 1000)])
        if p.past and command.name in TIMED:  # SET with a past time leaves a key that counts until it is looked at or swept
            yield None, [b"EXISTS", key]
            yield None, [b"DEL", key]
        if p.rng.random() < 0.002:
            yield None, self._junk_command(p)

    def _junk_command(self, p):
        name = p.pick([b"nosuch", b"", b"SETT", b"nosuch\x00", b"x" * 200, b"\xff\xfe", b"get|set", b"hello world"] + ([b"OBJECT", b"CLIENT", b"CONFIG"]))
        return [name] + [p.pick(JUNK) for _ in range(1 + int(p.rng.random() * 4))]

    def _turn_case(self, p, command, argv):
        return [p.pick([a.upper(), a.title(), a.swapcase()]) if i < len(command.words) or a.upper() in command.tokens else a for i, a in enumerate(argv)]

    def _spoil(self, p, command, argv):
        first = len(command.words)
        argv = list(argv)
        for _ in range(1 if p.rng.random() < 0.8 else 2):
            how, at = int(p.rng.random() * 7), first + int(p.rng.random() * (len(argv) - first + 1))
            if command.special and how != 0 or command.name in ("shutdown", "client|kill"):
                how = 1
            if how == 0:
                del argv[max(first, len(argv) - 1 - int(p.rng.random() * 3)):]
            elif how == 1:
                argv += [p.pick(JUNK) for _ in range(1 + int(p.rng.random() * 2))] if command.name not in ("shutdown", "client|kill") else [b"foo"]
            elif how == 2:
                argv.insert(at, p.pick(self.tokens))
            elif how == 3 and at < len(argv):
                argv[at] = p.pick(JUNK)
            elif how == 4 and at < len(argv):
                other = first + int(p.rng.random() * (len(argv) - first))
                argv[at], argv[other] = argv[other], argv[at]
            elif how == 5 and at < len(argv):
                argv.insert(at, argv[at])
            elif at < len(argv):
                argv[at] = p.key() if p.rng.random() < 0.5 else p.integer()
        p.relative = p.past = True  # a number may have become a time
        return argv

    @staticmethod
    def _own_keys(p, command, argv):
        """No connection touches another's keys, not even by junk."""
        first, last, step = command.keys
        if first == 0:
            return argv
        for i in range(first, (len(argv) + last if last < 0 else min(last, len(argv) - 1)) + 1, step):
            if not argv[i].startswith(p.prefix):
                argv[i] = p.prefix + argv[i]
        return argv

    @staticmethod
    def _tame(command, argv):
        """Numbers that would make both servers fill hundreds of megabytes (or all memory) become larger, to be refused, or smaller.
        Relative times that would end while the test runs become longer; not what is no number to the servers ("01"), for which
        _surround() has nothing to do afterwards."""
        if command.name in ("setrange", "setbit", "bitfield"):
            for i, a in enumerate(argv[2:], 2):
                digits = a.lstrip(b"#")
                if len(a) < 12 and digits.isdigit() and MANY_BYTES < int(digits) < 4294967296:
                    argv[i] = b"4294967296"
        elif command.name == "hrandfield":
            for i, a in enumerate(argv[2:], 2):
                if a[:1] == b"-" and a[1:].isdigit() and MANY_FIELDS < int(a[1:]) < 9223372036854775808:
                    argv[i] = b"-%d" % MANY_FIELDS
        elif command.name in TIMED:
            for i, a in enumerate(argv[2:], 2):
                if len(a) < 7 and a.isdigit() and a[:1] != b"0" and int(a) < SOON_MS and (command.name not in ("set", "getex") or argv[i - 1].upper() in (b"EX", b"PX")):
                    argv[i] = b"%d" % SOON_MS
        return argv
