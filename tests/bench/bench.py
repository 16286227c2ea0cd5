#!/usr/bin/python3
"""bench.py - compares kv-stash with redis-server and with its goals; called by scripts/bench.

Every figure of a pair is the median of rounds that alternate between the two servers, and its ratio the median of the rounds'
ratios: whatever else the machine does meets both. Servers run on core 0, the load generator (kvstash-benchmark) on core 1.
The figures are Markdown tables with goal and verdict in each row; --json FILE gets the same rows.

Sections are the functions of sections.py, one row each in SECTIONS.
"""
import argparse
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

import report  # noqa: E402
import sections  # noqa: E402


def arguments():
    names = "\n".join("  %-12s %s" % (s.name, s.title) for s in sections.SECTIONS)
    parser = argparse.ArgumentParser(prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Measures the server against redis-server and its goals.",
                                     epilog="sections:\n" + names)
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds: a look, not a measurement")
    parser.add_argument("--json", metavar="FILE", help="write the rows there as well")
    parser.add_argument("section", nargs="*", help="run only these")
    options = parser.parse_args()
    known = {s.name for s in sections.SECTIONS}
    for name in options.section:
        if name not in known:
            parser.error("no section %r; there are: %s" % (name, ", ".join(sorted(known))))
    return options


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, so that servers are ended
    out = report.Report(options.short)
    out.heading()
    for section in sections.SECTIONS:
        if not options.section or section.name in options.section:
            out.section(section.name, section.title)
            section.run(out, options.short)
            out.flush()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(out.as_dict(), f, indent=1)
            f.write("\n")
    missed = [r for r in out.rows if r["verdict"] == "missed"]
    print("\n%d of %d goals met" % (sum(r["verdict"] == "met" for r in out.rows),
                                    sum(r["verdict"] != "" for r in out.rows)))
    sys.exit(1 if missed and not options.short else 0)


if __name__ == "__main__":
    main()
