#!/usr/bin/python3
"""The matrix of options (matrix.c) of plain TCP beside that of the library.

    test-matrix.py PRELOAD SHIM MATRIX DIFFERS

Between two network namespaces with a link, since the library leaves loopback alone. Prints every
row, those of the same outcome in one line: = is equal, ~ differs as DIFFERS says, ! differs and
nobody knows why, which fails.
"""

import collections
import dataclasses
import fnmatch
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "net"))

import lab

SKIPPED = 77
PATIENCE = 240  # seconds for one run


@dataclasses.dataclass
class Known:
    """A line of the list of differences."""
    pattern: str
    reason: str
    used: bool = False


def _version(text):
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _counts_here(condition):
    if not condition:
        return True
    sign, version = condition.split()
    older = _version(os.uname().release) < _version(version)
    return older if sign == "<" else not older


def read_known(path):
    known = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = re.fullmatch(r"(\S+ \S+ [^\[:]*?)(?: \[((?:<|>=) [\d.]+)\])?: (.+)",
                                 line.strip())
            if not match:
                raise ValueError(f"{path}:{number}: not a line of this list: {line.strip()}")
            if _counts_here(match[2]):
                known.append(Known(match[1], match[3]))
    return known


def run_matrix(preload, shim, matrix):
    """Both runs at once. Returns their output, by mode."""
    netns = f"/run/netns/{lab.SERVER}"
    commands = {"tcp": [matrix, netns, "tcp"], "shim": [preload, shim, "--", matrix, netns, "shim"]}
    running = {mode: subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
               for mode, command in commands.items()}
    output = {mode: process.communicate(timeout=PATIENCE)[0] for mode, process in running.items()}
    for mode, process in running.items():
        if process.returncode == SKIPPED:
            raise lab.Missing(f"the matrix can't run ({mode})", "see above")
        if process.returncode != 0:
            raise lab.Failed(f"the matrix ended with {process.returncode} ({mode})")
    return output


def parse(text):
    """{(family, state, what): outcome}, in the order of the output."""
    rows = {}
    for line in text.splitlines():
        family, state, rest = line.split(" ", 2)
        what, outcome = rest.split(":", 1)
        edge = re.match(r" (value|length) (\S+)", outcome)
        if edge:
            what += edge[0]
            outcome = outcome[edge.end():]
        rows[family, state, what] = outcome.strip()
    return rows


def judge(key, equal, known):
    """The mark of a row, and the reason."""
    if equal:
        return "=", ""
    name = " ".join(key)
    for entry in known:
        if fnmatch.fnmatchcase(name, entry.pattern):
            entry.used = True
            return "~", entry.reason
    return "!", ""


def compare(tcp, shim, known):
    """Lines to print: {(what, mark, tcp, shim, reason): [state, ...]}"""
    lines = collections.OrderedDict()
    for key in list(tcp) + [key for key in shim if key not in tcp]:
        family, state, what = key
        here, there = tcp.get(key, "no such row"), shim.get(key, "no such row")
        mark, reason = judge(key, here == there, known)
        lines.setdefault((what, mark, here, there, reason), []).append(f"{family}/{state}")
    return lines


def report(lines, known):
    """Prints them; returns the number of rows that nobody knows why."""
    count = collections.Counter()
    for (what, mark, here, there, reason), states in lines.items():
        count[mark] += len(states)
        text = here if mark == "=" else f"TCP: {here} | shim: {there}"
        print(f"{mark} {what}: {text} | {' '.join(states)}" + (f" | {reason}" if reason else ""))
    for entry in known:
        if not entry.used:
            print(f"WARNING: nothing differs any more as this says: {entry.pattern}")
    print(f"{count['=']} rows are equal, {count['~']} differ for a reason, {count['!']} for none")
    return count["!"]


def body(preload, shim, matrix, differs):
    with lab.Lab(lab.NAMES[:1], (None,)):
        output = run_matrix(preload, shim, matrix)
    known = read_known(differs)
    return 1 if report(compare(parse(output["tcp"]), parse(output["shim"]), known), known) else 0


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    arguments = [os.path.abspath(path) for path in sys.argv[1:]]
    try:
        lab.require(("ip",))
        sys.exit(lab.run_sandboxed(lambda: body(*arguments)))
    except lab.Missing as missing:
        print(f"SKIP: {missing}", file=sys.stderr)
        sys.exit(SKIPPED)


if __name__ == "__main__":
    main()
