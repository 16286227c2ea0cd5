"""disk.py - what a power cut may leave of a directory, from a journal of the calls on it (file_tap.c).

The idea: the journal is played up to a moment. For each file there is then what is sure (written before the beginning of an fsync
that has ended) and what is pending; for each directory, the entries that are sure (made before such an fsync of the directory) and
the changes that are pending. An image takes what is sure, and of the pending what chance wants:

  content   none, all, a prefix with a torn end, or any of the writes, each with any of its sectors of 512 bytes; the file may have
            its new length without its new content (zeros)
  entries   none, all, a prefix, or any; a rename is there or not, never half; a file whose entry is lost is lost

This is more than ext4 or XFS allow themselves. A failed fsync leaves its writes to chance for ever, whatever later syncs say.

A moment is a time of CLOCK_MONOTONIC: the same clock as the clients' notes. Moments are asked for in ascending order.
"""
import os

import tap

SECTOR = 512
CONTENT = ["none", "all", "prefix", "prefix", "any", "any"]
ENTRIES = ["none", "all", "prefix", "any"]


class File:
    def __init__(self, content=b""):
        self.sure = bytearray(content)
        self.pending = []       # [offset, data, doomed]; data None: cut to offset
        self.done = 0           # pending writes that became sure so far: numbers writes
        self.syncs = {}         # serial: how many writes it covers

    def put(self, offset, data):
        self.pending.append([offset, data, False])

    def begin_sync(self, serial):
        self.syncs[serial] = self.done + len(self.pending)

    def end_sync(self, serial, rng):
        upto = self.syncs.pop(serial, 0) - self.done
        for offset, data, doomed in self.pending[:max(upto, 0)]:
            if not doomed or rng.random() < 0.5:
                apply(self.sure, offset, data)
        if upto > 0:
            del self.pending[:upto]
            self.done += upto

    def fail_sync(self, serial):
        for write in self.pending[:max(self.syncs.pop(serial, 0) - self.done, 0)]:
            write[2] = True

    def now(self):
        content = bytearray(self.sure)
        for offset, data, _ in self.pending:
            apply(content, offset, data)
        return content

    def image(self, mode, rng):
        content = bytearray(self.sure)
        if mode == "all":
            return self.now()
        if mode == "prefix" and self.pending:
            whole = rng.randrange(len(self.pending) + 1)
            for offset, data, _ in self.pending[:whole]:
                apply(content, offset, data)
            if whole < len(self.pending) and self.pending[whole][1]:
                offset, data, _ = self.pending[whole]
                apply(content, offset, data[:rng.randrange(len(data))])
        if mode == "any":
            for offset, data, _ in self.pending:
                if rng.random() < 0.5:
                    tear(content, offset, data, rng)
            if rng.random() < 0.3:
                size = len(self.now())
                content.extend(bytes(max(0, size - len(content))))
        return content


def apply(content, offset, data):
    if data is None:
        del content[offset:]
        content.extend(bytes(max(0, offset - len(content))))
    elif data:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset:offset + len(data)] = data


def tear(content, offset, data, rng):
    """Some sectors of a write."""
    if not data or rng.random() < 0.5:
        apply(content, offset, data)
        return
    at = offset
    while at < offset + len(data):
        end = min((at // SECTOR + 1) * SECTOR, offset + len(data))
        if rng.random() < 0.7:
            apply(content, at, data[at - offset:end - offset])
        at = end


class Folder:
    """Entries: name -> File or Folder."""

    def __init__(self):
        self.sure = {}
        self.pending = []       # functions on a dict of entries
        self.done = 0
        self.syncs = {}

    def begin_sync(self, serial):
        self.syncs[serial] = self.done + len(self.pending)

    def end_sync(self, serial, _):
        upto = self.syncs.pop(serial, 0) - self.done
        for change in self.pending[:max(upto, 0)]:
            self.change(self.sure, change)
        if upto > 0:
            del self.pending[:upto]
            self.done += upto

    def fail_sync(self, serial):
        self.syncs.pop(serial, None)

    @staticmethod
    def change(entries, change):
        kind, name, thing, old = change
        if kind == "set":
            if old is not None and entries.get(old) is thing:
                del entries[old]
            entries[name] = thing
        elif entries.get(name) is thing or thing is None:
            entries.pop(name, None)

    def now(self):
        entries = dict(self.sure)
        for change in self.pending:
            self.change(entries, change)
        return entries

    def image(self, mode, rng):
        entries = dict(self.sure)
        n = len(self.pending)
        chosen = {"none": lambda: [], "all": lambda: self.pending, "prefix": lambda: self.pending[:rng.randrange(n + 1)],
                  "any": lambda: [c for c in self.pending if rng.random() < 0.5]}[mode]()
        for change in chosen:
            self.change(entries, change)
        return entries


class Disk:
    def __init__(self, records, rng, copy="", original=""):
        """copy: of the directory as it was at the beginning, all of it sure; original: the directory, whose inodes the records name."""
        self.records, self.rng, self.at = records, rng, 0
        self.things = {}         # inode -> File or Folder
        self.root = self.load(copy, original) if copy else Folder()

    def load(self, copy, original):
        folder = Folder()
        for name in os.listdir(copy):
            path = os.path.join(copy, name)
            if os.path.isdir(path):
                thing = self.load(path, os.path.join(original, name))
            else:
                with open(path, "rb") as f:
                    thing = File(f.read())
            folder.sure[name] = self.things[os.stat(os.path.join(original, name)).st_ino] = thing
        return folder

    def find(self, path):
        """(the folder, the last name) of a path as things are now."""
        folder = self.root
        parts = path.split("/")
        for part in parts[:-1]:
            folder = folder.now()[part]
        return folder, parts[-1]

    def play(self, until_ns):
        """Up to a moment."""
        while self.at < len(self.records) and self.records[self.at].at_ns <= until_ns:
            r = self.records[self.at]
            self.at += 1
            getattr(self, "on_" + r.op)(r)

    def on_open(self, r):
        path = r.data.decode()
        if path == "":
            self.things[r.file] = self.root
            return
        folder, name = self.find(path)
        if r.flags & tap.CREATED:
            thing = File()
            folder.pending.append(("set", name, thing, None))
        else:
            thing = folder.now()[name]
        self.things[r.file] = thing
        if r.flags & tap.TRUNCATED:
            thing.put(0, None)

    def on_write(self, r):
        self.things[r.file].put(r.offset, r.data)

    def on_trunc(self, r):
        self.things[r.file].put(r.offset, None)

    def on_sync(self, r):
        self.things[r.file].begin_sync(r.offset)

    def on_sync_end(self, r):
        self.things[r.file].end_sync(r.offset, self.rng)

    def on_sync_failed(self, r):
        self.things[r.file].fail_sync(r.offset)

    def on_rename(self, r):
        a, name = self.find(r.data.decode())
        b, to = self.find(r.second)
        thing = a.now().get(name) or File()
        self.things[r.file] = thing
        if a is b:
            a.pending.append(("set", to, thing, name))
        else:
            b.pending.append(("set", to, thing, None))
            a.pending.append(("gone", name, thing, None))

    def on_link(self, r):
        a, name = self.find(r.data.decode())
        b, to = self.find(r.second)
        b.pending.append(("set", to, a.now()[name], None))

    def on_unlink(self, r):
        folder, name = self.find(r.data.decode())
        folder.pending.append(("gone", name, folder.now().get(name), None))

    def on_mkdir(self, r):
        folder, name = self.find(r.data.decode())
        self.things[r.file] = Folder()
        folder.pending.append(("set", name, self.things[r.file], None))

    # ---- images

    def image(self, directory, content=None, entries=None):
        """Writes one; returns what chance chose."""
        content = content or self.rng.choice(CONTENT)
        entries = entries or self.rng.choice(ENTRIES)
        self.write(self.root, directory, content, entries)
        return "content %s, entries %s" % (content, entries)

    def write(self, folder, directory, content, entries):
        os.makedirs(directory, exist_ok=True)
        for name, thing in folder.image(entries, self.rng).items():
            path = os.path.join(directory, name)
            if isinstance(thing, Folder):
                self.write(thing, path, content, entries)
            else:
                with open(path, "wb") as f:
                    f.write(thing.image(content, self.rng))

    def compare(self, directory, ignore=()):
        """At the end of the journal: everything kept must be what is there."""
        wrong = []
        self.compare_folder(self.root, directory, "", ignore, wrong)
        return wrong

    def compare_folder(self, folder, directory, below, ignore, wrong):
        entries = folder.now()
        there = set(os.listdir(directory))
        for name in sorted(set(entries) | there):
            path = below + name
            if path in ignore:
                continue
            if name not in entries or name not in there:
                wrong.append("%s is only %s" % (path, "in the directory" if name in there else "in the journal"))
            elif isinstance(entries[name], Folder):
                self.compare_folder(entries[name], os.path.join(directory, name), path + "/", ignore, wrong)
            else:
                with open(os.path.join(directory, name), "rb") as f:
                    if f.read() != entries[name].now():
                        wrong.append("%s differs" % path)
