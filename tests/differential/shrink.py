"""shrink.py - makes the history of a difference short.

The commands that touch the same keys as the last one, and those that change the connection or all keys, are sent again to
two emptied servers; if they still differ, parts of the history are left out as long as a difference remains. All within
TIME_S.
"""
import time

import compare
import keyspace
import wire

TIME_S = 25
CONTEXT = {b"select", b"swapdb", b"flushall", b"flushdb", b"config", b"hello", b"reset", b"client", b"debug"}


def differs(run, history, by_keyspace):
    """The number of commands after which the servers differ when they are sent this; None: they don't."""
    for server in (run.ours, run.theirs):
        server.command("FLUSHALL")
        server.command("CONFIG", "SET", "hash-max-listpack-entries", "512", "hash-max-listpack-value", "64")
    links = [wire.dial(run.ours.port), wire.dial(run.theirs.port)]
    try:
        greeting = [[b"HELLO", b"3"]] if run.options.resp == 3 else []
        for link in links:
            link.post([wire.multibulk(a) for a in greeting + history])
        wire.pump(links)
        if by_keyspace:
            return len(history) if keyspace.differences(run.ours, run.theirs) else None
        return first_difference(run, greeting + history, *(link.replies() for link in links), len(greeting))
    except wire.Closed:
        return len(history)
    finally:
        for link in links:
            link.close()


def first_difference(run, history, ours, theirs, skipped):
    a = b = 0
    ctx = {"known": run.known}
    for i, argv in enumerate(history):
        end_a, end_b = compare.end_of(ours, a), compare.end_of(theirs, b)
        mine, other = ours[a:end_a], theirs[b:end_b]
        if i >= skipped and mine != other and not compare.equal(argv, mine, other, ctx):
            return i - skipped + 1
        if argv[0] == b"OBJECT":
            ctx["encoding"] = mine.split(b"\r\n")[1] if mine[:1] == b"$" and mine[1:2] != b"-" else None
        a, b = end_a, end_b
    return None


def related(history, key_set):
    """What can matter to the last command: commands on its keys, and context."""
    keys = set(history[-1]) & key_set
    return [argv for argv in history if argv[0].lower() in CONTEXT or not keys.isdisjoint(argv)]


def shortest(run, key_set, history, by_keyspace=False):
    """The shortest history found that shows a difference, or None."""
    end = time.monotonic() + TIME_S
    for start in ([related(history, key_set)] if not by_keyspace else []) + [history]:
        n = differs(run, start, by_keyspace)
        if n is not None:
            return shorten(run, start[:n], by_keyspace, end)
    return None


def shorten(run, history, by_keyspace, end):
    size = max(1, len(history) // 2)
    while time.monotonic() < end:
        at = 0
        changed = False
        while at < len(history) and time.monotonic() < end:
            shorter = history[:at] + history[at + size:]
            n = differs(run, shorter, by_keyspace) if shorter else None
            if n is not None:
                history, changed = shorter[:n], True
            else:
                at += size
        if size == 1 and not changed:
            break
        size = max(1, size // 2)
    return history
