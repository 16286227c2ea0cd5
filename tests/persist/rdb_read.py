"""rdb_read.py - reads RDB files on its own: strings and hashes, all that kv-stash has so far.

    for database, key, expiry_ms, value in read(path): ...     # value: bytes or {field: value}

Written from the description of the format (https://rdb.fnordig.de/file_format.html, and Redis 7.0's rdb.h for the numbers), not from
the server's own code, so that a mistake that its writer and its reader share is seen. Raises Bad with the offset.
"""
import struct

STRING, HASH, HASH_LISTPACK = 0, 4, 16
AUX, RESIZE, EXPIRE_MS, EXPIRE_S, SELECT, END = 250, 251, 252, 253, 254, 255


class Bad(Exception):
    pass


def make_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x95ac9329ac4bc9b5 if n & 1 else 0)
        table.append(n)
    return table


TABLE = make_table()


def crc64(data):
    """Jones's polynomial, reflected; no inversion."""
    crc = 0
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Bad("the file ends at %d, %d bytes were wanted" % (len(self.data), n))
        self.at += n
        return self.data[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def length(self):
        """(number, is it a special encoding)"""
        b = self.byte()
        if b >> 6 == 0:
            return b & 63, False
        if b >> 6 == 1:
            return (b & 63) << 8 | self.byte(), False
        if b == 0x80:
            return struct.unpack(">I", self.take(4))[0], False
        if b == 0x81:
            return struct.unpack(">Q", self.take(8))[0], False
        if b >> 6 == 3:
            return b & 63, True
        raise Bad("length byte %d at %d" % (b, self.at - 1))

    def string(self):
        n, special = self.length()
        if not special:
            return self.take(n)
        if n < 3:
            return b"%d" % int.from_bytes(self.take(1 << n), "little", signed=True)
        if n == 3:
            packed, size = self.length()[0], self.length()[0]
            return unpack_lzf(self.take(packed), size)
        raise Bad("string encoding %d at %d" % (n, self.at))


def unpack_lzf(data, size):
    out, at = bytearray(), 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            out += data[at:at + control + 1]
            at += control + 1
            continue
        n = control >> 5
        if n == 7:
            n += data[at]
            at += 1
        back = len(out) - ((control & 31) << 8) - data[at] - 1
        at += 1
        if back < 0:
            raise Bad("LZF: a reference before the beginning")
        for i in range(n + 2):
            out.append(out[back + i])
    if len(out) != size:
        raise Bad("LZF: %d bytes instead of %d" % (len(out), size))
    return bytes(out)


def listpack(data):
    """The elements, as bytes."""
    size, count = struct.unpack_from("<IH", data)
    if size != len(data) or data[-1] != 255:
        raise Bad("a listpack of %d bytes says %d" % (len(data), size))
    at, items = 6, []
    while data[at] != 255:
        b, begin = data[at], at
        if b < 0x80:
            value, at = b"%d" % b, at + 1
        elif b < 0xc0:
            value, at = data[at + 1:at + 1 + (b & 63)], at + 1 + (b & 63)
        elif b < 0xe0:
            n = (b & 31) << 8 | data[at + 1]
            value, at = b"%d" % (n - (1 << 13) if n >= 1 << 12 else n), at + 2
        elif b < 0xf0:
            n = (b & 15) << 8 | data[at + 1]
            value, at = data[at + 2:at + 2 + n], at + 2 + n
        elif b == 0xf0:
            n = struct.unpack_from("<I", data, at + 1)[0]
            value, at = data[at + 5:at + 5 + n], at + 5 + n
        elif 0xf1 <= b <= 0xf4:
            width = {0xf1: 2, 0xf2: 3, 0xf3: 4, 0xf4: 8}[b]
            value, at = b"%d" % int.from_bytes(data[at + 1:at + 1 + width], "little", signed=True), at + 1 + width
        else:
            raise Bad("listpack element %d" % b)
        at += back_length(at - begin)
        items.append(value)
    if count != 65535 and count != len(items):
        raise Bad("a listpack of %d elements says %d" % (len(items), count))
    return items


def back_length(n):
    return 1 if n < 128 else 2 if n < 16384 else 3 if n < 2097152 else 4 if n < 268435456 else 5


def read(path, check_sum=False):
    with open(path, "rb") as f:
        data = f.read()
    r = Reader(data)
    if r.take(5) != b"REDIS":
        raise Bad("no RDB file")
    version = int(r.take(4))
    if version > 12:
        raise Bad("version %d" % version)
    database, expiry, told = 0, None, {}
    seen = set()
    while True:
        op = r.byte()
        if op == END:
            break
        if op == AUX:
            r.string(), r.string()
        elif op == SELECT:
            database = r.length()[0]
            if database in seen:
                raise Bad("database %d comes twice" % database)
            seen.add(database)
            told[database] = None
        elif op == RESIZE:
            told[database] = [r.length()[0], r.length()[0]]
        elif op == EXPIRE_MS:
            expiry = struct.unpack("<q", r.take(8))[0]
        elif op == EXPIRE_S:
            expiry = struct.unpack("<i", r.take(4))[0] * 1000
        elif op in (STRING, HASH, HASH_LISTPACK):
            key = r.string()
            if op == STRING:
                value = r.string()
            elif op == HASH:
                n = r.length()[0]
                pairs = [(r.string(), r.string()) for _ in range(n)]
                value = dict(pairs)
                if len(value) != n:
                    raise Bad("hash %r has a field twice" % key)
            else:
                items = listpack(r.string())
                value = dict(zip(items[::2], items[1::2]))
                if len(value) * 2 != len(items):
                    raise Bad("hash %r has a field twice" % key)
            if told.get(database):
                told[database][0] -= 1
                told[database][1] -= expiry is not None
            yield database, key, expiry, value
            expiry = None
        else:
            raise Bad("opcode %d at %d" % (op, r.at - 1))
    for database, rest in told.items():
        if rest and rest != [0, 0]:
            raise Bad("database %d: RESIZEDB is wrong by %s" % (database, rest))
    if check_sum and version >= 5:
        stored = struct.unpack("<Q", r.take(8))[0]
        if stored and stored != crc64(data[:r.at - 8]):
            raise Bad("the checksum is wrong")
    elif version >= 5:
        r.take(8)
    if r.at != len(data):
        raise Bad("%d bytes behind the end" % (len(data) - r.at))
