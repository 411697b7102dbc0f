"""What the benchmarks share: options, tables, JSON, and where they can't run."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

import lab
import programs

SKIPPED = 77
COMMIT = "BENCH_COMMIT"  # environment


def arguments(text):
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=text.split("\n\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a short run: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    return parser


class Report:
    """Results, as they come: everything for who looks closer, and rows that compare."""

    def __init__(self, options, name, settings):
        # Opened early: inside the namespaces /run is another one by the time of writing.
        self.file = options.json_file
        self.results = []
        self.rows = []
        congestion = settings.get("congestion_control") or self._congestion_control()
        self.head = {"benchmark": name, **machine(), "congestion_control": congestion,
                     "quick": options.quick, **settings, "rows": self.rows}
        print(f"{name}: Linux {self.head['kernel']}, {self.head['cpus']} CPUs, {congestion}")

    @staticmethod
    def _congestion_control():
        """The one that the hosts of a lab get."""
        with lab.Lab():
            return lab.read("/proc/sys/net/ipv4/tcp_congestion_control").strip()

    def add(self, result):
        self.results.append(result)

    def compare(self, name, unit, ours, *peers, better="lower", bar=None, key=False):
        """A row for each of the peers, which are (name, figures), or one without.

        Figures are lists of what was measured in this run, or the reason why there is nothing.
        bar: what is wanted of ours (the first peer counts): a limit for each of "median", "max",
        "ratio" and "difference", the latter two of the medians. key: one for the README.
        """
        for peer, figures in peers or ((None, "-"),):
            self.rows.append(row_of(name, unit, figures_of(ours), (peer, figures_of(figures)),
                                    better, bar))
            self.rows[-1].update(benchmark=self.head["benchmark"], key=key)
            bar = None

    def finish(self):
        """Shows the rows, and writes it all."""
        print()
        show_rows(self.rows)
        if self.file:
            json.dump({**self.head, "results": self.results}, self.file, indent=2)
            self.file.write("\n")
            self.file.flush()


def machine():
    """What the figures depend on."""
    models = [line.split(":")[1].strip() for line in lab.read("/proc/cpuinfo").splitlines()
              if line.startswith("model name")]
    return {"cpu": models[0] if models else os.uname().machine, "cpus": os.cpu_count(),
            "kernel": os.uname().release, "commit": commit()}


def commit():
    """What is measured; "unknown" outside of a repository. One for all of ./setup bench."""
    if COMMIT in os.environ:
        return os.environ[COMMIT]
    if not shutil.which("git"):
        return "unknown"
    done = subprocess.run(["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"],
                          cwd=os.path.dirname(os.path.abspath(__file__)), text=True,
                          capture_output=True, check=False)
    return done.stdout.strip() or "unknown"


def figures_of(values):
    """Of a list; of a reason why there is none, that."""
    if isinstance(values, str) or not values:
        return {"missing": values or "nothing measured"}
    return {"min": min(values), "median": statistics.median(values), "max": max(values),
            "n": len(values)}


def row_of(name, unit, ours, peer, better, bar):
    """peer: (name, its figures)."""
    row = {"name": name, "unit": unit, "better": better, "ours": ours,
           "peer": {"name": peer[0], **peer[1]}, "ratio": None, "bar": bar, "met": None}
    if "median" in ours and peer[1].get("median"):
        row["ratio"] = ours["median"] / peer[1]["median"]
    if bar:
        row["met"] = all(meets(row, what, limit) for what, limit in bar.items())
    return row


def meets(row, what, limit):
    """Is this row within the limit? One that was not measured is not."""
    value = row["ours"].get(what)
    if what == "ratio":
        value = row["ratio"]
    elif what == "difference" and "median" in row["peer"] and "median" in row["ours"]:
        value = row["ours"]["median"] - row["peer"]["median"]
    if value is None:
        return False
    return value >= limit if row["better"] == "higher" else value <= limit


# Texts

SIGNS = {"lower": "<=", "higher": ">="}
MET = {True: "yes", False: "NO", None: ""}


def number(value):
    """Three digits that count, and no more."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(figures):
    """The median, and between which it lies."""
    if "missing" in figures:
        return figures["missing"]
    if figures["n"] == 1:
        return number(figures["median"])
    return f"{number(figures['median'])} ({number(figures['min'])} to {number(figures['max'])})"


def peer_text(row):
    peer = row["peer"]
    return f"{peer['name']}: {spread(peer)}" if peer["name"] else ""


def ratio_text(row):
    return f"{row['ratio']:.2f}" if row["ratio"] is not None else "-"


def limits(row):
    """What is wanted of it."""
    return ", ".join(f"{what} {SIGNS[row['better']]} {number(limit)}"
                     for what, limit in (row["bar"] or {}).items())


def show_rows(rows):
    """Each figure is a median, with the least and the most."""
    table(("", "unit", "ours", "peer", "ratio", "better", "wanted", "met"),
          [(row["name"], row["unit"], spread(row["ours"]), peer_text(row), ratio_text(row),
            row["better"], limits(row), MET[row["met"]]) for row in rows])


def percentile(ordered, share):
    """Of values in order: the one below which that share of them is."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(head, rows):
    """Columns as wide as they need to be; all but the first two to the right."""
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    for line in [head, tuple("-" * width for width in widths), *rows]:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def bench_main(parser, bench, needs=()):
    """Runs bench(options), which needs these programs, in fresh namespaces. Never returns."""
    options = parser.parse_args()
    options.json_file = None
    try:
        lab.require((*lab.PROGRAMS, *needs))
        programs.Build.find()
        if options.json:
            options.json_file = open(options.json, "w", encoding="ascii")
        sys.exit(lab.run_sandboxed(lambda: bench(options)))
    except lab.Missing as missing:
        print(f"SKIP: {missing}")
        sys.exit(SKIPPED)
