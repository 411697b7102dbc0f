"""What the benchmarks share: options, tables, JSON, and where they can't run."""

import argparse
import json
import os
import sys
import time

import lab
import programs

SKIPPED = 77


def arguments(text):
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=text.split("\n\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="a short run: does it work at all?")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    return parser


class Report:
    """Results, as they come."""

    def __init__(self, options, name, settings):
        # Opened early: inside the namespaces /run is another one by the time of writing.
        self.file = options.json_file
        self.results = []
        congestion = settings.get("congestion_control") or self._congestion_control()
        self.head = {"benchmark": name, "kernel": os.uname().release, "cpus": os.cpu_count(),
                     "congestion_control": congestion, "quick": options.quick,
                     "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **settings}
        print(f"{name}: Linux {os.uname().release}, {os.cpu_count()} CPUs, {congestion}")

    @staticmethod
    def _congestion_control():
        """The one that the hosts of a lab get."""
        with lab.Lab():
            return lab.read("/proc/sys/net/ipv4/tcp_congestion_control").strip()

    def add(self, result):
        self.results.append(result)

    def write(self):
        if self.file:
            json.dump({**self.head, "results": self.results}, self.file, indent=2)
            self.file.write("\n")
            self.file.flush()


class Bars:
    """What was measured, next to what is wanted, and to what the kernel does by itself.

    They go into the report as "bars", and bars.py shows those of several reports.
    """
    WORDS = {True: "yes", False: "NO", None: ""}

    def __init__(self, report):
        self.rows = report.head["bars"] = []

    def add(self, what, ours, bar, kernel, met):
        """Texts. met: None if there is no bar."""
        self.rows.append({"what": what, "mptcpized": ours, "bar": bar, "kernel": kernel,
                          "met": met})

    def show(self):
        print()
        show_bars(self.rows)


def show_bars(rows):
    table(("", "mptcpized", "wanted", "kernel's own", "met"),
          [(row["what"], row["mptcpized"], row["bar"], row["kernel"], Bars.WORDS[row["met"]])
           for row in rows])


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
