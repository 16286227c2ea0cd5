"""report.py - the rows of a benchmark as Markdown and JSON, with the machine, the commit and the date above them."""
import os
import platform
import subprocess
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "?")
    except OSError:
        return "?"


def machine():
    memory_kib = int(_first("/proc/meminfo", "MemTotal").split()[0])
    return "%s, %d cores, %.0f GiB, Linux %s" % (_first("/proc/cpuinfo", "model name"), os.cpu_count(),
                                                memory_kib / 2**20, platform.release())


def commit():
    def git(*args):
        return subprocess.run(("git", "-C", TOP) + args, capture_output=True, text=True, check=False).stdout.strip()
    revision = git("rev-parse", "--short", "HEAD") or "unknown"
    return revision + (" with changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if abs(value) >= 100:
        return "%.0f" % value
    return "%.2f" % value if abs(value) >= 1 else "%.3f" % value


class Report:
    """Collects rows; a section's table is printed when it is whole."""

    def __init__(self, short):
        self.short = short
        self.rows = []
        self.facts = {"machine": machine(), "commit": commit(), "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
        self._section = ""
        self._pending = []

    def heading(self):
        for name, value in self.facts.items():
            print("%s: %s" % (name, value))
        if self.short:
            print("short run: the figures are coarse")

    def section(self, name, title):
        self._section = name
        print("\n### %s\n\nscripts/bench %s\n" % (title, name), flush=True)

    def note(self, text):
        print(text + "\n", flush=True)

    def row(self, what, unit, ours, theirs=None, goal=None, ratio_goal=None, judged=None):
        """goal: the largest value of `ours` that is good; ratio_goal: of ours over theirs. judged: what is compared with the
        goal instead of `ours`."""
        ratio = ours / theirs if theirs else None
        measured, limit = (ratio, ratio_goal) if ratio_goal is not None else (ours if judged is None else judged, goal)
        verdict = "" if limit is None or measured is None else "met" if measured <= limit else "missed"
        row = {"section": self._section, "what": what, "unit": unit, "kvstash": ours, "redis": theirs, "ratio": ratio,
               "goal": limit, "verdict": verdict}
        self.rows.append(row)
        self._pending.append(row)

    def pair(self, what, pair, metric="cpu_us", unit="us CPU", ratio_goal=None):
        """A row from kvstash-benchmark's JSON of a pair; the ratio is the median of the rounds'."""
        m = pair[metric]
        self.row(what, unit, m["first"], m["second"], ratio_goal=ratio_goal)
        row = self.rows[-1]
        row["ratio"] = m["ratio"]
        if ratio_goal is not None and m["ratio"] is not None:
            row["verdict"] = "met" if m["ratio"] <= ratio_goal else "missed"

    def flush(self):
        """Prints the section's table."""
        if self._pending:
            print("| what | unit | kv-stash | redis | ratio | goal | verdict |")
            print("|---|---|---|---|---|---|---|")
        for r in self._pending:
            cells = [r["what"], r["unit"]] + [number(r[c]) for c in ("kvstash", "redis", "ratio", "goal")] + [r["verdict"]]
            print("| %s |" % " | ".join(cells))
        self._pending = []

    def as_dict(self):
        return dict(self.facts, short=self.short, rows=self.rows)
