#!/usr/bin/python3
"""The manual and the program agree: kvstash(8) has every option of --help, kvstash.conf(5) every parameter that CONFIG GET
shows, and neither has more; the pages are correct mdoc."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

MAN = os.path.join(os.path.dirname(os.path.abspath(harness.KVSTASH)), "man")


def page(name):
    with open(os.path.join(MAN, name)) as f:
        return f.read()


def options():
    text = subprocess.run([harness.KVSTASH, "--help"], timeout=20, stdout=subprocess.PIPE, check=True).stdout.decode()
    said, parameters = text.split("parameters, each")
    listed = {row.rsplit("Fl -", 1)[1].split()[0] for row in re.findall(r"^\.It (Fl .*)$", page("kvstash.8"), re.M)}
    rows = {line.split("--", 1)[1].split()[0] for line in said.split("options:")[1].splitlines() if "--" in line}
    assert listed == rows and rows, listed ^ rows
    return set(re.findall(r"^  --(\S+)", parameters, re.M))


def parameters(of_help):
    text = page("kvstash.conf.5").split(".Sh PARAMETERS")[1]
    listed, aliases = set(re.findall(r"^\.It Ic (\S+)$", text, re.M)), set(re.findall(r"^Also called\n\.Ic (\S+) \.$", text, re.M))
    with harness.Kvstash(workers=1) as server:
        shown = {n.decode() for n in server.command("CONFIG", "GET", "*")[::2]}
    assert listed | aliases == shown, (listed | aliases) ^ shown
    assert of_help == listed, of_help ^ listed


def correct():
    if not shutil.which("mandoc"):
        print("skipped: mandoc is not here, so the pages' form was not looked at")
        return
    for name in sorted(os.listdir(MAN)):
        if re.fullmatch(r".*\.[1-8]", name):
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(MAN, name)], timeout=60, stdout=subprocess.PIPE, check=False)
            assert done.returncode == 0 and done.stdout == b"", done.stdout.decode()


def main():
    parameters(options())
    correct()


harness.run(main)
