#!/usr/bin/python3
"""Adds up the logs of `meson test` in the build directories that are named.

Counts single cases where a test reports them (TAP), repeats what those that failed said, since the
rest may have gone by, shows what coverage.py has found, names what failed and what was skipped and
why, and ends with one line of numbers.
"""

import json
import os
import re
import sys

CASE = re.compile(r"^(not )?ok\b *\d* *-? *([^#]*?) *(?:# *(SKIP|TODO)\S* *(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.0 *# *SKIP\S* *(.*)$", re.I)
COVERAGE = re.compile(r"^COVERAGE .*$", re.M)
REASON = re.compile(r"^(?:SKIP|SKIPPED|skipped)\b:? *(.*)$", re.M)
TOLD = 60  # lines of a case that failed


def from_fault(said):
    """Of what a case said: from where it failed on."""
    fault = [n for n, line in enumerate(said) if "Traceback" in line]
    start = fault[0] if fault else max(0, len(said) - TOLD)
    return said[start:start + TOLD]


class Summary:
    """Of all tests."""

    def __init__(self):
        self.coverage = []
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.told = []

    def _whole(self, name, test):
        """A test without cases of its own, or one that ended before it had any."""
        text = "\n".join(test.get(key) or "" for key in ("stdout", "stderr"))
        reason = PLAN.search(text) or REASON.search(text)
        if test["result"] == "SKIP":
            self.skipped.append((name, reason.group(1) if reason else "no reason given"))
        elif test["result"] in ("OK", "EXPECTEDFAIL"):
            self.passed += 1
        else:
            self.failed.append(f"{name} ({test['result'].lower()})")

    def _case(self, name, match, said):
        negative, title, directive, reason = match.groups()
        if directive and directive.upper() == "SKIP":
            self.skipped.append((f"{name}: {title}", reason or "no reason given"))
        elif negative and not directive:
            self.failed.append(f"{name}: {title}")
            self.told.extend([f"--- {name}", *from_fault(said)])
        else:
            self.passed += 1

    def _cases(self, name, test):
        """Those that a test reported. Says if there were any."""
        before, said, found = len(self.failed), [], False
        for line in (test.get("stdout") or "").splitlines():
            said.append(line)
            if match := CASE.match(line):
                self._case(name, match, said)
                said, found = [], True
        if found and len(self.failed) == before and test["result"] not in ("OK", "SKIP"):
            self.failed.append(f"{name} ({test['result'].lower()})")
        return found

    def add(self, directory):
        path = f"{directory}/meson-logs/testlog.json"
        if not os.path.exists(path):
            self.failed.append(f"{directory}: did not get as far as its tests")
            return
        with open(path, encoding="utf-8") as log:
            for test in map(json.loads, log):
                name = f"{directory}: {test['name']}"
                self.coverage += COVERAGE.findall(test.get("stdout") or "")
                if not self._cases(name, test):
                    self._whole(name, test)

    def show(self):
        for line in (*self.told, *self.coverage):
            print(line)
        for name in self.failed:
            print(f"FAILED   {name}")
        for name, reason in self.skipped:
            print(f"SKIPPED  {name}: {reason}")
        if self.skipped and os.environ.get("CI"):
            print(f"WARNING: {len(self.skipped)} tests could not run on this machine")
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")


def main():
    summary = Summary()
    for directory in sys.argv[1:]:
        summary.add(directory)
    summary.show()
    sys.exit(1 if summary.failed or not summary.passed else 0)


main()
