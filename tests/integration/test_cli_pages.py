#!/usr/bin/python3
"""The manual pages of kvstash-cli and kvstash-benchmark: each flag of --help is in the page with the same words, and no other;
mandoc finds nothing to complain about."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

BIN = os.path.dirname(harness.KVSTASH)


TOOLS = {"kvstash-cli": ["check", "export", "import"], "kvstash-benchmark": []}


def of_help(program, *tool):
    """{(letter, name, value): (sentence, default)} of --help."""
    text = subprocess.run([os.path.join(BIN, program), *tool, "--help"], capture_output=True, text=True, check=True, timeout=10).stdout
    rows = re.findall(r"^  (?:-(.), |    )--(\S+)(?: (\S+))? +(.*?)(?: \(default (.*)\))?$", text, re.M)
    return {row[:3]: row[3:] for row in rows}


def of_page(path, section):
    """The flags of a section; "": those in front of all sections of tools."""
    with open(path, encoding="utf-8") as f:
        parts = re.split(r"^\.Sh (.*)\n", f.read(), flags=re.M)
    text = "".join(body for title, body in zip(parts[1::2], parts[2::2]) if title == (section or "DESCRIPTION"))
    items = re.findall(r"^\.It (?:Fl (.) , )?Fl -(\S+)(?: Ar (\S+))?\n(.*?)(?:\.\n|\n\(default\n\.Cm (.*) \) \.\n)", text, re.M)
    return {item[:3]: item[3:] for item in items}


def main():
    for program in TOOLS:
        page = os.path.join(BIN, "man", program + ".1")
        for tool in [""] + TOOLS[program]:
            told, written = of_help(program, *tool.split()), of_page(page, tool.upper())
            assert len(told) > 4, told
            assert told == written, "%s %s: %s" % (program, tool, set(told.items()) ^ set(written.items()))
    if not shutil.which("mandoc"):
        print("not linted: no mandoc here")
        return
    for program in TOOLS:
        page = os.path.join(BIN, "man", program + ".1")
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False, timeout=10)
        assert lint.returncode == 0 and lint.stdout == "", lint.stdout


harness.run(main)
