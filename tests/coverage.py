#!/usr/bin/python3
"""How many lines the unit tests have run, from what a build with b_coverage has counted.

    coverage.py SOURCE BUILD

Prints a row for each file of the groups below, and one that begins with COVERAGE for each group,
which summary.py shows, too. Fails where a group has less than LEAST. These are the parts that
decide and that read what strangers send: all of it can be tested without a kernel.
"""

import collections
import fnmatch
import json
import os
import subprocess
import sys

LEAST = 90.0  # percent of the lines of a group
GROUPS = {
    "core": ("daemon/core/*.c",),
    "policy": ("policy/*.c",),
    "codecs": ("daemon/kern/codec-*.c", "daemon/kern/attr.c"),
    # What connects it with the world has tests of the network.
    "auth": ("daemon/auth/asked.c", "daemon/auth/hold.c", "daemon/auth/keys.c",
             "daemon/auth/protocol*.c", "daemon/auth/quiet.c", "daemon/auth/session.c",
             "daemon/auth/table.c", "daemon/auth/throttle.c", "daemon/auth/window.c",
             "daemon/auth/wire.c"),
}


def find_notes(build):
    """The compiler's notes about each object file: those that never ran have no counts beside."""
    for directory, _, names in os.walk(build):
        yield from (os.path.join(directory, name) for name in names if name.endswith(".gcno"))


def read_counts(source, build):
    """For each file below source: line -> how often it ran, added up over all object files."""
    counts = collections.defaultdict(collections.Counter)
    done = subprocess.run(["gcov", "--json-format", "--stdout", *find_notes(build)], cwd=build,
                          capture_output=True, text=True, check=True)
    for report in map(json.loads, done.stdout.splitlines()):
        for file in report["files"]:
            path = os.path.join(report["current_working_directory"], file["file"])
            lines = counts[os.path.relpath(os.path.realpath(path), source)]
            for line in file["lines"]:
                lines[line["line_number"]] += line["count"]
    return counts


def row(name, lines):
    ran = sum(1 for count in lines if count)
    return f"{name:40} {100 * ran / len(lines):5.1f} %  {ran:5} of {len(lines):5} lines"


def show_file(path, lines):
    print(row(path, lines.values()))
    missed = [str(number) for number, count in sorted(lines.items()) if not count]
    if missed:
        print(f"  not run: {' '.join(missed)}")


def show_group(name, patterns, counts):
    """Says whether enough of it has run; a group of which nothing was built has not."""
    paths = sorted(path for path in counts if counts[path] and
                   any(fnmatch.fnmatch(path, pattern) for pattern in patterns))
    for path in paths:
        show_file(path, counts[path])
    lines = [count for path in paths for count in counts[path].values()]
    if not lines:
        print(f"COVERAGE {name}: nothing was built")
        return False
    print(f"COVERAGE {row(name, lines)}")
    return 100 * sum(map(bool, lines)) >= LEAST * len(lines)


def main(source, build):
    counts = read_counts(os.path.realpath(source), os.path.realpath(build))
    short = [name for name, patterns in GROUPS.items()
             if not show_group(name, patterns, counts)]
    if short:
        print(f"less than {LEAST:.0f} %: {', '.join(short)}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
