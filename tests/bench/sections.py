"""sections.py - what scripts/bench measures: one function for each section, with its goals beside the measurement."""
import collections
import os
import subprocess

import servers

Section = collections.namedtuple("Section", "name title run")

MIB = 1 << 20


def rounds(short, many=5):
    """Options for the length of a comparison."""
    return ("--rounds", 2, "--seconds", 0.3) if short else ("--rounds", many, "--seconds", 1)


def key_space(short):
    return 100000 if short else 1000000


def get_set(out, short):
    goals = {1: 0.85, 16: 0.30, 100: 0.15}
    keys = key_space(short)
    with servers.Kvstash() as ours, servers.Redis() as theirs:
        for server in (ours, theirs):
            servers.load(server, "-t", "fill", "-k", keys, "-P", 100)
        out.note("%d keys of 16 bytes, 64-byte values, 50 connections, one worker; all of a server's processes counted" % keys)
        for pipeline, goal in goals.items():
            for pair in servers.pairs(ours, theirs, "-t", "get,set", "-k", keys, "-P", pipeline, *rounds(short)):
                out.pair("%s, pipeline %d" % (pair["test"].upper(), pipeline), pair, ratio_goal=goal)


SECTIONS = [
    Section("get-set", "CPU per GET and SET", get_set),
]
