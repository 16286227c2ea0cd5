"""tap.py - file_tap.c from the tests' side: built, told what to do, and its journal read.

    tap = Tap(folder)                  # folder: where page, journal and library lie; another's library may be given
    environment = tap.environment(directory, journal=True)
    tap.arm(["write"], nth=3, error=errno.ENOSPC, match="appendonlydir/*")
    for record in read_journal(tap.journal): ...
"""
import collections
import mmap
import os
import struct
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "file_tap.c")

# as in file_tap.c
OPS = ["open", "write", "trunc", "sync", "rename", "unlink", "mkdir", "link", "sync_end", "sync_failed"]
CREATED, TRUNCATED, DIRECTORY = 1, 2, 4
NO_REAL_SYNC, SHORT_FIRST = 1, 2
FOREVER = 0xffffffff
HEAD = struct.Struct("<IIQQQIIII")
MAGIC = 0x3150414b
PAGE_BYTES = 4096
COUNTS_AT, MATCH_AT, MATCH_BYTES = 32, 96, 160

Record = collections.namedtuple("Record", "op at_ns file offset flags data second pid")


class Tap:
    def __init__(self, folder, library=None):
        self.library = library or os.path.join(folder, "file_tap.so")
        self.page_path = os.path.join(folder, "tap.page")
        self.journal = os.path.join(folder, "tap.journal")
        if not os.path.exists(self.library):
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self.library, SOURCE, "-lpthread"], check=True)
        with open(self.page_path, "wb") as f:
            f.write(bytes(PAGE_BYTES))
        with open(self.page_path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), PAGE_BYTES)

    def environment(self, directory, journal=False):
        # AddressSanitizer wants to be the first that is loaded; the tap hands on to it
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        more = {"LD_PRELOAD": self.library, "FILE_TAP_DIR": directory, "FILE_TAP_PAGE": self.page_path, "ASAN_OPTIONS": asan}
        if journal:
            more["FILE_TAP_JOURNAL"] = self.journal
        return dict(os.environ, **more)

    def arm(self, ops, nth=1, times=FOREVER, error=0, match="", short_first=False):
        """From the nth matching call on, so many fail with this errno (0: writes are short)."""
        self.page[0:4] = bytes(4)
        flags = struct.unpack_from("<I", self.page, 28)[0] & ~SHORT_FIRST | (SHORT_FIRST if short_first else 0)
        struct.pack_into("<IIIII", self.page, 4, nth, times, error, 0, 0)
        struct.pack_into("<I", self.page, 28, flags)
        self.page[MATCH_AT:MATCH_AT + MATCH_BYTES] = match.encode().ljust(MATCH_BYTES, b"\0")
        struct.pack_into("<I", self.page, 0, sum(1 << OPS.index(op) for op in ops))

    def disarm(self):
        self.page[0:4] = bytes(4)

    def set_sync(self, most_us, real=False):
        """An fsync takes up to so much longer, and is asked of the kernel or not."""
        struct.pack_into("<I", self.page, 24, most_us)
        flags = struct.unpack_from("<I", self.page, 28)[0] & ~NO_REAL_SYNC | (0 if real else NO_REAL_SYNC)
        struct.pack_into("<I", self.page, 28, flags)

    @property
    def seen(self):
        """Calls that matched since arm()."""
        return struct.unpack_from("<I", self.page, 16)[0]

    @property
    def failed(self):
        return struct.unpack_from("<I", self.page, 20)[0]

    def counts(self):
        """{op: calls} since the beginning."""
        return dict(zip(OPS, struct.unpack_from("<%dI" % len(OPS), self.page, COUNTS_AT)))

    def close(self):
        self.page.close()


def read_journal(path):
    """All records, in order."""
    records = []
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        magic, op, at_ns, file, offset, flags, first, second, pid = HEAD.unpack_from(data, at)
        assert magic == MAGIC, "the journal is damaged at %d" % at
        at += HEAD.size
        records.append(Record(OPS[op], at_ns, file, offset, flags, data[at:at + first], data[at + first:at + first + second].decode(), pid))
        at += first + second
    return records
