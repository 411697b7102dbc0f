#!/usr/bin/python3
"""Runs the benchmarks, all or those that are named, and makes one table of what they measured.

What was measured before at the same commit, in the same length, is kept. --write puts the rows that
matter most between two marks in README.md, and the plot beside this file, so that no figure there
was typed by hand. Exit status: 1 if one of them failed.
"""

import argparse
import json
import os
import subprocess
import sys
import textwrap
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "net"))
# pylint: disable=wrong-import-position
import plot  # noqa: E402
from report import COMMIT, limits, machine, ratio_text, show_rows, spread  # noqa: E402

NAMES = ("hooks", "preload", "joinlatency", "outage", "goodput", "cost", "scale", "storm",
         "admission", "busload")
README = os.path.join(HERE, "..", "..", "README.md")
PLOT = os.path.join(HERE, "outage.svg")
BEGIN, END = "<!-- ./setup bench --write: begin -->", "<!-- ./setup bench --write: end -->"
WHERE = ("{what} on {cpus} x {cpu}, Linux {kernel}, at commit {commit}. A figure is the median, "
         "with the least and the most of it; ours and the peer took turns.")
HEAD = """\
| | unit | mptcpize | peer | | ratio | better | wanted | `./setup bench` |
|---|---|---|---|---|---|---|---|---|
"""


def run(name, quick, directory):
    """Runs one. Says if it worked."""
    began = time.monotonic()
    done = subprocess.run([f"{HERE}/{name}.py", *(["--quick"] if quick else []),
                           "--json", f"{directory}/{name}.json"], check=False)
    print(f"\n{name}: {time.monotonic() - began:.0f} s\n", flush=True)
    return done.returncode == 0


def load(directory, conditions):
    """The reports that were made under these conditions."""
    reports = []
    for name in NAMES:
        try:
            with open(f"{directory}/{name}.json", encoding="ascii") as file:
                report = json.load(file)
        except (OSError, ValueError):
            continue
        if all(report.get(key) == value for key, value in conditions.items()):
            reports.append(report)
    return reports


def merge(conditions, reports):
    return {**conditions, "rows": [row for report in reports for row in report["rows"]],
            "series": [result for report in reports for result in report["results"]
                       if result.get("what") == "series"]}


def markdown(results):
    """The table of the rows that are marked as key."""
    what = "A quick run" if results["quick"] else "Measured"
    lines = []
    for row in results["rows"]:
        if row["key"]:
            missed = " (**missed**)" if row["met"] is False else ""
            lines.append(" | ".join((
                f"| {row['name']}", row["unit"], spread(row["ours"]), row["peer"]["name"] or "",
                spread(row["peer"]), ratio_text(row), row["better"], limits(row) + missed,
                f"`{row['benchmark']}` |")))
    where = textwrap.fill(WHERE.format(what=what, **results), 98)
    return f"{where}\n\n{HEAD}" + "\n".join(lines) + "\n"


def replace(path, text):
    """What is between the marks."""
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    after = rest.partition(END)[2]
    if not after:
        raise SystemExit(f"{path} lacks the marks {BEGIN} and {END}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}{END}{after}")


def write(results):
    replace(README, markdown(results))
    if results["series"]:
        plot.draw(results["series"][0], PLOT)


def main():
    parser = argparse.ArgumentParser(prog="./setup bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes; figures are rough")
    parser.add_argument("--write", action="store_true", help="also into README.md, with the plot")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"{', '.join(NAMES)}; all, if none is named")
    options = parser.parse_args()
    for name in options.names:
        if name not in NAMES:
            parser.error(f"unknown benchmark: {name} (there are {', '.join(NAMES)})")
    directory = f"{os.environ['MPTCPIZE_BUILD']}/bench"
    os.makedirs(directory, exist_ok=True)
    conditions = {**machine(), "quick": options.quick}
    os.environ[COMMIT] = conditions["commit"]
    subprocess.run([f"{HERE}/peers.py", f"{directory}/peers"], check=True)
    failed = [name for name in options.names or NAMES if not run(name, options.quick, directory)]
    results = merge(conditions, load(directory, conditions))
    show_rows(results["rows"])
    with open(f"{directory}/results.json", "w", encoding="ascii") as file:
        json.dump(results, file, indent=2)
        file.write("\n")
    if results["series"]:
        plot.draw(results["series"][0], f"{directory}/outage.svg")
    if options.write:
        write(results)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
