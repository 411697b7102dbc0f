#!/usr/bin/python3
"""One table of what several benchmarks have measured, out of the files that they wrote (--json)."""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
from report import show_bars  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="also write the table to FILE")
    parser.add_argument("reports", nargs="+", metavar="REPORT")
    options = parser.parse_args()
    rows = []
    for name in options.reports:
        with open(name, encoding="ascii") as file:
            rows += json.load(file).get("bars", [])
    show_bars(rows)
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
