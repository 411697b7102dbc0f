#!/usr/bin/python3
"""Each plugin exports its one function, and nothing else: test_exports.py MODULE..."""

import subprocess
import sys

WANTED = ["mptcpize_plugin"]


def exports(path):
    done = subprocess.run(["nm", "--dynamic", "--defined-only", "--format=posix", path],
                          stdout=subprocess.PIPE, text=True, check=True)
    return sorted(line.split()[0].split("@")[0] for line in done.stdout.splitlines())


def main(paths):
    wrong = {path: names for path in paths if (names := exports(path)) != WANTED}
    for path, names in wrong.items():
        print(f"{path} exports {names}, not {WANTED}")
    print(f"{len(paths)} plugins, {len(wrong)} wrong")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
