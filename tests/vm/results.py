"""What came out of the network tests on a kernel: kept as JSON, and made a table for people."""

import dataclasses
import json
import os
import re

CASE = re.compile(r"^(not )?ok \d+ - (\S+)(?: # SKIP (.*))?$")
NOTHING = re.compile(r"^1\.\.0 # SKIP (.*)$")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
WHOLE = "(all)"  # stands for the cases of a script that didn't come to them


@dataclasses.dataclass
class Results:
    """Of one kernel."""
    release: str
    suite: str  # of Debian, or "host"
    cases: dict = dataclasses.field(default_factory=dict)  # {script: {case: (state, reason)}}
    features: list = dataclasses.field(default_factory=list)  # as `mptcpctl --json status` has them
    script: str = ""  # that runs now
    complete: bool = False

    def feed(self, line):
        """A line of what inside.py prints. (script, case, state, reason) if it ends a case."""
        if line.startswith("# script "):
            self.script = line.split()[2]
            self.cases[self.script] = {}
        elif line.startswith("# ended with ") and self.script:
            return self._script_ends(line[len("# ended with "):])
        elif line.startswith("# features "):
            self.features = json.loads(line[len("# features "):])
        elif line == "# done":
            self.complete = True
        elif match := CASE.match(line):
            state = SKIPPED if match[3] else FAILED if match[1] else PASSED
            return self._add(match[2], state, match[3] or "")
        elif match := NOTHING.match(line):
            return self._add(WHOLE, SKIPPED, match[1])
        return None

    def _add(self, case, state, reason):
        self.cases[self.script][case] = (state, reason)
        return self.script, case, state, reason

    def _script_ends(self, status):
        """0 and 77 are good ends, and so is 1 if a case has failed."""
        found = [state for state, _reason in self.cases[self.script].values()]
        good = status in ("0", "77") or (status == "1" and FAILED in found)
        return None if good and found else self._add(WHOLE, FAILED, f"ended with {status}")

    def save(self, folder):
        """With what is kept of that kernel already, of other scripts."""
        path = f"{folder}/{self.suite}.json"
        before = Results.load(path) if os.path.exists(path) else self
        if before.release == self.release:
            self.cases = {**before.cases, **self.cases}
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"release": self.release, "suite": self.suite, "cases": self.cases,
                       "features": self.features}, file, indent=1)

    @staticmethod
    def load(path):
        with open(path, encoding="utf-8") as file:
            return Results(**json.load(file))
