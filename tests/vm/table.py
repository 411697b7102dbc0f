#!/usr/bin/python3
"""Makes a table of what works on which kernel, in Markdown, of the results of test_matrix.py.

    table.py FOLDER

A row is what a test script is about, in its own words, or what the daemon says of the kernel. Why
something is not as it should be stands in a note below the table.
"""

import glob
import os
import re
import sys

from results import FAILED, PASSED, SKIPPED, Results

NET = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net")
STATES = {"works": "works", "missing": "not there", "fallback": "our fallback",
          "unknown": "not known"}
UNKNOWN = "-"


class Notes:
    """Numbered, each once."""

    def __init__(self):
        self.texts = []

    def refer(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"

    def lines(self):
        return [f"{number}. {text}" for number, text in enumerate(self.texts, 1)]


def subject(script):
    """The first sentence of a test script's docstring."""
    with open(f"{NET}/test_{script}.py", encoding="utf-8") as file:
        text = re.search(r'"""(.*?)(?:"""|\n\n)', file.read(), re.S)[1]
    return " ".join(text.split()).split(". ")[0].rstrip(".")


def tested(cases, notes):
    """The cell of a script. All that could run has to have passed for "works"."""
    count = {state: sum(each[0] == state for each in cases.values())
             for state in (PASSED, FAILED, SKIPPED)}
    reasons = [f"{case}: {reason}" if state == FAILED else reason
               for case, (state, reason) in cases.items() if state != PASSED]
    marks = "".join(f" {notes.refer(each.rstrip(': '))}" for each in dict.fromkeys(reasons))
    if count[FAILED]:
        return f"**{count[FAILED]} of {count[PASSED] + count[FAILED]} fail**{marks}"
    return ("works" if count[PASSED] else "not tested") + marks


def said(feature, notes):
    """The cell of a feature, as the daemon has it."""
    cell = STATES.get(feature["state"], feature["state"])
    reason = feature.get("reason", "")
    return f"{cell} {notes.refer(reason)}" if reason and cell != STATES["works"] else cell


def row(head, cells):
    return f"| {head} | {' | '.join(cells)} |"


def of(kernels):
    """The table, of a list of Results."""
    notes = Notes()
    lines = [row("", [f"Linux {each.release}" for each in kernels]),
             "|---" * (len(kernels) + 1) + "|"]
    for script in dict.fromkeys(name for each in kernels for name in each.cases):
        lines.append(row(subject(script), [
            tested(each.cases[script], notes) if script in each.cases else UNKNOWN
            for each in kernels]))
    for name in dict.fromkeys(one["name"] for each in kernels for one in each.features):
        found = [[one for one in each.features if one["name"] == name] for each in kernels]
        lines.append(row(f"kernel: {name}",
                         [said(ones[0], notes) if ones else UNKNOWN for ones in found]))
    return "\n".join([*lines, "", *notes.lines()]) + "\n"


def of_folder(folder):
    """The table of what test_matrix.py has kept, older kernels first."""
    kernels = [Results.load(path) for path in glob.glob(f"{folder}/*.json")]
    return of(sorted(kernels, key=lambda each: [int(number) for number in
                                                re.findall(r"\d+", each.release)[:3]]))


if __name__ == "__main__":
    print(of_folder(sys.argv[1]), end="")
